"""The page of a planned protocol: scan times, what each set of images can tell, and the best images for the time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from rmqnet import __version__
from rmqnet.domain.protocols import InputSet
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.report.lookup import NOTHING, number, unit_of
from rmqnet.report.page import environment
from rmqnet.report.protocol_figure import Bound, Curve, minutes_picture
from rmqnet.report.tables import TIME_COLUMNS, Cell, Table, listed, time_cells

NOT_IDENTIFIABLE = f"{NOTHING} not identifiable"
"""What stands where the images do not determine a quantity."""
F_KNOWN, F_PULSES, F_ALL = "known", "of pulses unknown", "of all unknown"
"""What may be known of the preparation efficiency f."""


class Pair(Protocol):
    """Two flip angles for T1, beside the paper's 5 and 30 degrees."""

    @property
    def tissue(self) -> str: ...  # noqa: D102
    @property
    def flip_angles(self) -> tuple[float, float]:
        """The best two [degree]."""
        ...

    @property
    def sd(self) -> float:
        """SD of T1 with them [s]."""
        ...

    @property
    def paper_sd(self) -> float:
        """SD of T1 with 5 and 30 degrees [s]."""
        ...


@dataclass(frozen=True)
class Plan:
    """Everything that the page of a protocol shows."""

    input_sets: Sequence[InputSet]
    """The known sets, then the best ones that were found."""
    bounds: Sequence[Bound]
    """Precision by set, tissue, quantity, fit and knowledge of f."""
    zero: Sequence[Bound]
    """Precision of T1rho with and without spin-lock time 0."""
    pairs: Sequence[Pair]
    curves: Sequence[Curve]
    """Best precision by scan time; empty where it was not asked for."""
    fit: str
    """Kind of fit that the best protocols and the figure are for."""
    snr: float
    count_afi: bool
    """True where the scan time in the figure holds the AFI pair."""
    minutes: float | None
    """Scan time that was asked for [min]."""
    notes: Sequence[str] = ()
    """What a reader must know of the search."""


def write_plan(folder: Path, plan: Plan) -> Path:
    """Path of protocol.html; protocol.csv (seconds) and sd_against_minutes.png are written beside it."""
    bounds_frame(plan).to_csv(folder / "protocol.csv", index=False, float_format="%.7g")
    picture = minutes_picture(plan.curves, plan.bounds, plan.input_sets, plan.fit, count_afi=plan.count_afi)
    (folder / "sd_against_minutes.png").write_bytes(picture.png)
    template = environment().get_template("protocol.html.j2")
    text = template.render(
        tables=plan_tables(plan), picture=picture, sentences=list(plan_words(plan)), version=__version__
    )
    page = folder / "protocol.html"
    page.write_text(text, encoding="utf-8")
    return page


def bounds_frame(plan: Plan) -> pd.DataFrame:
    """One row per set, tissue, quantity, fit and knowledge of f; an empty SD where it is not identifiable."""
    by_name = {inputs.name: inputs for inputs in plan.input_sets}
    rows = [
        {
            "input_set": item.input_set,
            "flip_angles": _plain(by_name[item.input_set].flip_angles),
            "spin_lock_times": _plain(by_name[item.input_set].spin_lock_times),
            "minutes_without_afi": by_name[item.input_set].seconds(with_afi=False) / 60,
            "minutes_with_afi": by_name[item.input_set].seconds(with_afi=True) / 60,
            "tissue": item.tissue,
            "quantity": item.quantity,
            "fit": item.fit,
            "preparation_efficiency": item.efficiency,
            "identifiable": bool(np.isfinite(item.sd)),
            "value": item.value,
            "sd": item.sd if np.isfinite(item.sd) else None,
        }
        for item in plan.bounds
    ]
    return pd.DataFrame(rows)


def plan_tables(plan: Plan) -> list[Table]:
    """Scan times; precision by set and tissue; the worth of spin-lock time 0; pairs of flip angles."""
    times = Table(
        "Scan time and acceleration",
        TIME_COLUMNS,
        [time_cells(inputs) for inputs in plan.input_sets],
        "Times add up what the paper prints per image; its own totals do not follow from them. Acceleration: the "
        "paper's full protocol over the images of the row.",
        with_paper=True,
    )
    return [
        times,
        bounds_table(plan, "T1"),
        bounds_table(plan, "T1rho"),
        zero_table(plan.zero),
        pairs_table(plan.pairs),
    ]


_COLUMNS = {
    "T1": {
        "separate fit": ("separate", F_KNOWN),
        "joint fit, f known": ("joint", F_KNOWN),
        "joint fit, f unknown": ("joint", F_PULSES),
    },
    "T1rho": {
        "separate fit, f known": ("separate", F_KNOWN),
        "separate fit, f unknown": ("separate", F_PULSES),
        "joint fit, f known": ("joint", F_KNOWN),
        "joint fit, f unknown": ("joint", F_PULSES),
    },
}
"""Columns of the tables of bounds by quantity: kind of fit and what it knows of f."""
_CAPTIONS = {
    "T1": "Joint: all images in one fit with one M0. B1 is taken as known, so maps have larger SDs.",
    "T1rho": "Separate: T1 from VFA, then T1rho with that T1, whose noise is carried on. f: part of the magnetization "
    "that the preparation pulses keep; unknown f is that of all images with a spin-lock time above 0. The bound "
    "looks at the neighborhood of the true value: it does not tell that two or three spin-lock times without 0 may "
    "have a second, distant solution.",
}


def bounds_table(plan: Plan, quantity: str) -> Table:
    """Smallest SD of a quantity by set of images and tissue."""
    found = {(b.input_set, b.tissue, b.fit, b.efficiency): b for b in plan.bounds if b.quantity == quantity}
    columns = _COLUMNS[quantity]
    rows = [
        [Cell(name), Cell(tissue.replace("_", " "))]
        + [_sd_cell(found[name, tissue, *kind]) for kind in columns.values()]
        for name, tissue in dict.fromkeys((b.input_set, b.tissue) for b in plan.bounds)
    ]
    return Table(
        f"Standard deviation of {quantity} [{unit_of(quantity)}]",
        ("Inputs", "Tissue", *(text[0].upper() + text[1:] for text in columns)),
        rows,
        f"Smallest SD that noise allows (Cramer-Rao), at SNR {plan.snr:g} of cartilage at 10\N{DEGREE SIGN} and the "
        f"same noise in every image; in brackets or below, the part of the true value. {_CAPTIONS[quantity]}",
    )


def zero_table(bounds: Sequence[Bound]) -> Table:
    """What a spin-lock time of 0 is worth: SD of T1rho with and without it."""
    found = {(b.input_set, b.fit, b.efficiency): b for b in bounds}
    names = list(dict.fromkeys(b.input_set for b in bounds))
    kinds = [(fit, f) for fit in ("separate", "joint") for f in (F_KNOWN, F_PULSES, F_ALL)]
    rows = []
    for without, with_zero in zip(names[::2], names[1::2], strict=True):
        rows += [
            [Cell(name), *(_sd_cell(found[name, *kind]) for kind in kinds)] for name in (without, with_zero)
        ]
        gains = (_gain(found[without, *kind].sd, found[with_zero, *kind].sd) for kind in kinds)
        rows.append([Cell("without / with 0"), *map(Cell, gains)])
    words = {"separate": "T1 known", "joint": "joint with 5 and 30\N{DEGREE SIGN}"}
    tissue = bounds[0].tissue.replace("_", " ") if bounds else ""
    return Table(
        f"What spin-lock time 0 is worth: SD of T1rho of {tissue} [{unit_of('T1rho')}]",
        ("TSLs [ms]", *(f"{words[fit]}, f {f}" for fit, f in kinds)),
        rows,
        "The paper's reduced sets leave out TSL 0. T1 known: the spin-lock images alone, T1 free of noise. f of "
        "pulses unknown: the image without pulses has f = 1, the others share an unknown f. f of all unknown: that "
        "image shares it too.",
    )


def pairs_table(pairs: Sequence[Pair]) -> Table:
    """The best two flip angles for T1, beside 5 and 30 degrees."""
    factor, unit = QUANTITIES["T1"].display_factor, unit_of("T1")
    rows = [
        [
            Cell(pair.tissue.replace("_", " ")),
            Cell(number(pair.paper_sd * factor, 1)),
            Cell(listed(pair.flip_angles)),
            Cell(number(pair.sd * factor, 1)),
            Cell(f"{100 * (pair.paper_sd / pair.sd - 1):.1f} %"),
        ]
        for pair in pairs
    ]
    columns = (
        "Tissue",
        f"SD of T1 with 5, 30\N{DEGREE SIGN} [{unit}]",
        "Best two flip angles [\N{DEGREE SIGN}]",
        f"SD of T1 with them [{unit}]",
        "5, 30\N{DEGREE SIGN} is worse by",
    )
    return Table("Two flip angles for T1", columns, rows)


def plan_words(plan: Plan) -> Iterable[str]:
    """The best protocols in sentences; none where no scan time was given."""
    for inputs in plan.input_sets:
        if not inputs.name.startswith("best"):
            continue
        factor = QUANTITIES["T1rho"].display_factor
        angles = f"flip angles {listed(inputs.flip_angles)}\N{DEGREE SIGN}"
        times = (
            f"TSLs {listed(t * factor for t in inputs.spin_lock_times)} {QUANTITIES['T1rho'].display_unit}"
        )
        seconds = inputs.seconds(with_afi=plan.count_afi)
        afi = "with" if plan.count_afi else "without"
        f = inputs.name.removeprefix("best, ")
        best = f"Best for {plan.minutes:g} min, {plan.fit} fit, {f}"
        yield f"{best}: {angles}; {times} ({seconds / 60:.1f} min {afi} AFI)"
    yield from plan.notes


def _plain(numbers: Iterable[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in numbers)


def _sd_cell(bound: Bound) -> Cell:
    if not np.isfinite(bound.sd):
        return Cell(NOT_IDENTIFIABLE)
    digits = {"T1": 1, "T1rho": 2}[bound.quantity]
    text = number(bound.sd * QUANTITIES[bound.quantity].display_factor, digits)
    return Cell(text, f"{100 * bound.sd / bound.value:.2g} %" if bound.sd < bound.value else "over 100 %")


def _gain(without: float, with_zero: float) -> str:
    if not np.isfinite(without) or not np.isfinite(with_zero):
        return NOTHING
    return f"{without / with_zero:.2f}"
