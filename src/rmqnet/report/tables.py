"""Tables of the report: cells as text with units for the page, plain numbers for the CSV files."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from rmqnet.domain.protocols import INPUT_SETS, InputSet, acceleration
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.report.lookup import (
    NOTHING,
    Lookup,
    counted,
    digits_of,
    interval,
    mean_sd,
    number,
    p_value,
    unit_of,
)
from rmqnet.report.study import ReportEvaluation

FEW_SUBJECTS = 10
"""Fewer subjects than this get a warning above Table 1; a default."""


@dataclass(frozen=True)
class Cell:
    """A value with what stands small below it."""

    text: str
    note: str = ""
    """Small text below the value; a line break stays one."""
    paper: str = ""
    """The number that the paper prints, or nothing."""


@dataclass(frozen=True)
class Table:
    """One table of the page."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    lead: str = ""
    """What must be read before the numbers; stands above them."""
    with_paper: bool = field(default=False)
    """True where printed numbers of the paper stand in the table."""


TIME_COLUMNS = (
    "Inputs",
    "Flip angles [\N{DEGREE SIGN}]",
    "TSLs [ms]",
    "Scan without AFI [min]",
    "Scan with AFI [min]",
    "Paper: scan [min]",
    "Acceleration, AFI left out on both sides",
    "Acceleration, full protocol with AFI",
    "Paper: acceleration",
)
"""Columns of the table of scan times."""


def protocol_table(evaluation: ReportEvaluation) -> Table:
    """Scan time and acceleration, computed from the protocol, beside what the paper prints."""
    rows = []
    for name in evaluation.input_sets:
        inputs = INPUT_SETS.get(name)
        if inputs is None:
            rows.append([Cell(name), *[Cell(NOTHING)] * 8])
            continue
        rows.append(time_cells(inputs))
    caption = (
        "Times add up the scan time that the paper prints per image (2:22 per flip angle, 2:34 per TSL, 4:57 for "
        "the AFI pair). The paper's own totals do not follow from them. The last acceleration compares the full "
        "protocol with AFI to the images that the input set needs."
    )
    return Table("Scan time and acceleration", TIME_COLUMNS, rows, caption, with_paper=True)


def time_cells(inputs: InputSet) -> list[Cell]:
    """One row of the table of scan times: what is acquired, minutes and acceleration, and the paper's."""
    printed, faster = inputs.printed_minutes, inputs.printed_acceleration
    return [
        Cell(inputs.name),
        Cell(listed(inputs.flip_angles)),
        Cell(listed(time * QUANTITIES["T1rho"].display_factor for time in inputs.spin_lock_times)),
        Cell(number(inputs.seconds(with_afi=False) / 60, 2)),
        Cell(number(inputs.seconds(with_afi=True) / 60, 2)),
        Cell(NOTHING if printed is None else number(printed, 2)),
        Cell(number(acceleration(inputs, with_afi=False), 2)),
        Cell(number(acceleration(inputs, with_afi=True), 2)),
        Cell(NOTHING if faster is None else number(faster, 1)),
    ]


def table_1(evaluation: ReportEvaluation) -> Table:
    """Pearson correlations as in Table 1 of the paper, with intervals and p values."""
    ours, paper = Lookup(evaluation.scores), Lookup(evaluation.paper)
    rows = []
    for name in evaluation.input_sets:
        inputs = INPUT_SETS.get(name)
        row = [
            Cell(name),
            Cell(NOTHING),
            Cell(NOTHING),
            Cell(_flip_angles(name)),
            Cell(_spin_lock_times(name)),
        ]
        if inputs is not None:
            row[1] = Cell(number(inputs.seconds() / 60, 2), paper=_optional(inputs.printed_minutes, 2))
            faster = acceleration(inputs, with_afi=inputs.afi)
            row[2] = Cell(number(faster, 2), paper=_optional(inputs.printed_acceleration, 1))
        row += [
            correlation_cell(ours, paper, name, quantity, level)
            for level in ("roi", "voxel")
            for quantity in ("T1", "T1rho")
        ]
        rows.append(row)
    columns = (
        *("Inputs", "Scan time [min]", "Acceleration", "FAs [\N{DEGREE SIGN}]", "TSLs [ms]"),
        *("ROI r, T1", "ROI r, T1rho", "Voxel r, T1", "Voxel r, T1rho"),
    )
    caption = (
        "Pearson r in cartilage. ROI: mean per slice of the predicted map in the predicted mask against the "
        "reference map in the reader's mask. Voxel: the reader's cartilage, the same voxels for every input set. "
        "Brackets: 95 % interval by bootstrap over subjects. p: permutation of which subject's mean prediction "
        "goes with which subject's mean reference, two-sided. Scan time: AFI only where it is an input."
    )
    warning = few_subjects(len(evaluation.subjects))
    return Table("Table 1. Correlation with the reference", columns, rows, caption, warning, with_paper=True)


def few_subjects(n_subjects: int) -> str:
    """What a reader must know before numbers of few subjects; nothing where there are ten or more."""
    people = counted(n_subjects, "subject")
    if n_subjects >= FEW_SUBJECTS:
        return ""
    if n_subjects < 3:
        return f"{people}: too few for any interval or p value; the numbers describe these knees only."
    least = 1 / math.factorial(n_subjects)
    return (
        f"{people}: intervals and p values from so few people settle nothing, and no p value can be below "
        f"about 1/{n_subjects}! = {least:.2g}."
    )


def correlation_cell(ours: Lookup, paper: Lookup, name: str, quantity: str, level: str) -> Cell:
    """R with its interval and p value, and the paper's r."""
    score = ours.find(name, quantity, level, "pearson_r")
    if score is None:
        return Cell(NOTHING)
    p = p_value(ours.value(name, quantity, level, "p_permutation"))
    note = "\n".join(part for part in (interval(score, 3), p) if part and part != NOTHING)
    return Cell(number(score.value, 3), note, _optional(paper.value(name, quantity, level, "pearson_r"), 3))


_ERROR_COLUMNS = (
    ("l1", "L1"),
    ("l2", "L2 (RMSE)"),
    ("l2_paper", "L2 as in the paper"),
    ("normalized_l1", "Normalized L1"),
    ("normalized_l2", "Normalized L2"),
    ("normalized_l2_paper", "Normalized L2 as in the paper"),
)


def table_2(evaluation: ReportEvaluation, quantities: Sequence[str] = ("T1", "T1rho")) -> Table:
    """Errors per slice as in Table 2 of the paper: mean and SD over slices."""
    ours, paper = Lookup(evaluation.scores), Lookup(evaluation.paper)
    rows = []
    for quantity in quantities:
        for name in evaluation.input_sets:
            cells = [error_cell(ours, paper, name, quantity, metric) for metric, _ in _ERROR_COLUMNS]
            rows.append([Cell(f"{quantity} [{unit_of(quantity)}]"), Cell(name), *cells])
    columns = ("Quantity", "Inputs", *(f"{title}{_unit(m)}" for m, title in _ERROR_COLUMNS))
    caption = (
        "Reader's cartilage, mean \N{PLUS-MINUS SIGN} SD over slices (median below). Normalized: divided by the "
        "mean reference of the slice. The L2 that the paper prints is smaller than its L1, which a root mean "
        "square cannot be; it fits the norm of the differences divided by their number, so that this stands "
        "in a column of its own. The paper prints no units: ms and percent follow from the sizes."
    )
    return Table("Table 2. Errors of the maps", columns, rows, caption, with_paper=True)


def error_cell(ours: Lookup, paper: Lookup, name: str, quantity: str, metric: str) -> Cell:
    """Mean and SD of an error over slices in display units, the median, and the paper's."""
    normalized = metric.startswith("normalized")
    factor = 100.0 if normalized else QUANTITIES[quantity].display_factor
    digits = 2 if normalized or metric == "l2_paper" else digits_of(quantity)

    def shown(scores: Lookup) -> str:
        mean, sd = (scores.value(name, quantity, "voxel", f"{metric}_{part}") for part in ("mean", "sd"))
        return "" if np.isnan(mean) else mean_sd(mean * factor, sd * factor, digits)

    median = ours.value(name, quantity, "voxel", f"{metric}_median") * factor
    note = "" if np.isnan(median) else f"median {number(median, digits)}"
    return Cell(shown(ours) or NOTHING, note, shown(paper))


def _unit(metric: str) -> str:
    return " [%]" if metric.startswith("normalized") else ""


def _optional(value: float | None, digits: int) -> str:
    return "" if value is None or np.isnan(value) else number(value, digits)


def listed(numbers: Iterable[float]) -> str:
    """The numbers with three digits and commas between them; one that stands several times in a row, once."""
    groups = [(text, len(list(same))) for text, same in groupby(f"{value:.3g}" for value in numbers)]
    return ", ".join(f"{text} (\N{MULTIPLICATION SIGN}{n})" if n > 1 else text for text, n in groups)


def _flip_angles(name: str) -> str:
    return listed(INPUT_SETS[name].flip_angles) if name in INPUT_SETS else NOTHING


def _spin_lock_times(name: str) -> str:
    factor = QUANTITIES["T1rho"].display_factor
    return listed(t * factor for t in INPUT_SETS[name].spin_lock_times) if name in INPUT_SETS else NOTHING
