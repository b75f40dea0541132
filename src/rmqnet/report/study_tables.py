"""Tables of a whole study: verdicts, comparisons, baselines, counterfactual scans, people unlike the training."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scores import Score
from rmqnet.report.lookup import NOTHING, Lookup, counted, digits_of, interval, number
from rmqnet.report.more_tables import SHORT, short_cells
from rmqnet.report.study import ReportEvaluation
from rmqnet.report.study_results import MethodInfo, StudyResults
from rmqnet.report.tables import Cell, Table
from rmqnet.report.verdict import Verdict, verdict

WATCHED = ("T1", "T1rho")
DICE_GOAL = 0.85
"""Dice of cartilage that this study is to reach: a default, the paper's tables hold none."""
_LEVELS = {"roi": "ROI", "voxel": "voxel"}


def verdicts(evaluation: ReportEvaluation) -> list[tuple[Score, float, Verdict]]:
    """Every cell of Table 1 and of the normalized L1 of Table 2 that the paper prints: ours, printed, verdict.

    Last the Dice of all cartilage against the reader, with `DICE_GOAL` in the place of a printed number.
    """
    ours, paper = Lookup(evaluation.scores), Lookup(evaluation.paper)
    cells = [(quantity, level, "pearson_r") for quantity in WATCHED for level in _LEVELS]
    cells += [(quantity, "voxel", "normalized_l1_mean") for quantity in WATCHED]
    found = []
    for quantity, level, metric in cells:
        for name in evaluation.input_sets:
            score = ours.find(name, quantity, level, metric)
            printed = paper.value(name, quantity, level, metric)
            if score is not None and np.isfinite(printed):
                higher = metric == "pearson_r"
                found.append((score, printed, verdict(score, printed, higher_is_better=higher)))
    for name in evaluation.input_sets:
        score = ours.find(name, "", "volume", "dice_mean")
        if score is not None:
            found.append((score, DICE_GOAL, verdict(score, DICE_GOAL)))
    return found


def verdict_table(evaluation: ReportEvaluation, title: str) -> Table:
    """Each printed cell of Table 1 and each normalized L1 of Table 2, with what its interval settles."""
    found = verdicts(evaluation)
    rows = []
    for score, printed, word in found:
        relative = score.metric == "normalized_l1_mean"
        factor, digits = (100.0, 2) if relative else (1.0, 3)
        what = f"{score.quantity}, normalized L1 [%]"
        if score.metric == "pearson_r":
            what = f"{score.quantity}, {_LEVELS[score.level]} r"
        elif score.metric == "dice_mean":
            what = "cartilage, Dice (our goal, not the paper's)"
        shown = Cell(number(score.value * factor, digits), interval(score, digits, factor))
        rows.append(
            [
                Cell(what),
                Cell(score.input_set),
                shown,
                Cell(number(printed * factor, digits)),
                Cell(word),
            ]
        )
    counts = Counter(word for *_, word in found)
    people = counted(len(evaluation.subjects), "person").replace("persons", "people")
    told = ", ".join(f"{n} {word}" for word, n in counts.most_common()) or "no cell has a printed number"
    caption = (
        f"{people}: {told}. Reached: all of the 95 % interval is at the printed number or better; below: all "
        "of it is worse. The paper prints no intervals, so that its own numbers are taken as exact. Each network "
        "was trained once: intervals say how people differ, not what another seed of the training would give."
    )
    columns = ("Quantity", "Inputs", "Ours", "Paper", "Verdict")
    return Table(title, columns, rows, caption, with_paper=True)


def pure_table(evaluation: ReportEvaluation) -> Table:
    """Tables 1 and 2 in voxels of at least 95 % cartilage."""
    lookup = Lookup(evaluation.scores)
    rows = []
    for against in ("reference", "truth"):
        for name in evaluation.input_sets:
            about = {"tissue": "pure_cartilage", "against": against}
            rows.append([Cell(f"against the {against}"), Cell(name), *short_cells(lookup, name, about)])
    caption = (
        "As Tables 1 and 2, of voxels that are at least 95 % cartilage: without partial volume, from which most of "
        "the spread of the fitted maps comes, r is harder to reach."
    )
    return Table("Voxels of at least 95 % cartilage", ("Target", "Inputs", *SHORT), rows, caption)


def paired_table(paired: pd.DataFrame, title: str, n_subjects: int) -> Table:
    """Differences with their intervals; those that an interval sets apart from 0 are named."""
    rows = []
    for (first, second), part in paired.groupby(["first", "second"], sort=False):  # pyright: ignore[reportGeneralTypeIssues]  # two keys
        cells = [Cell(str(first)), Cell(str(second))]
        for quantity in WATCHED:
            for level, metric in (("roi", "pearson_r"), ("voxel", "pearson_r"), ("voxel", "normalized_l1")):
                own = part.loc[
                    (part["quantity"] == quantity) & (part["level"] == level) & (part["metric"] == metric)
                ]
                cells.append(_difference_cell(own, metric))
        rows.append(cells)
    columns = ("First", "Second")
    for quantity in WATCHED:
        columns += (
            f"ROI r, {quantity}",
            f"Voxel r, {quantity}",
            f"Normalized L1, {quantity} [%]",
        )
    caption = (
        f"First minus second on the same {n_subjects} people, 95 % interval by paired bootstrap over subjects. "
        "An interval without 0 is marked *."
    )
    return Table(title, columns, rows, caption)


def _difference_cell(own: pd.DataFrame, metric: str) -> Cell:
    if own.empty or not np.isfinite(own["difference"].iloc[0]):
        return Cell(NOTHING)
    factor, digits = (1.0, 3) if metric == "pearson_r" else (100.0, 2)
    value, low, high = (float(own[name].iloc[0]) * factor for name in ("difference", "low", "high"))
    if not np.isfinite(low):
        return Cell(number(value, digits))
    apart = " *" if low > 0 or high < 0 else ""
    return Cell(number(value, digits) + apart, f"[{number(low, digits)}, {number(high, digits)}]")


def method_table(results: StudyResults) -> Table:
    """Every method beside the networks, on the same voxels of the same people."""
    evaluation, lookup = results.baselines, Lookup(results.baselines.scores)
    rows = []
    for name, info in _known(results):
        row = [Cell(name, "\n".join(part for part in (info.what, info.budget) if part))]
        maps = _method_maps(lookup, name) if info.maps else [Cell(NOTHING)] * 8
        dice = lookup.find(name, "", "volume", "dice_mean") if info.segmentation else None
        row += [*maps, Cell(number(dice.value, 3), interval(dice, 3)) if dice else Cell("told")]
        row.append(Cell(_without_value(evaluation, name)))
        rows.append(row)
    rows += [[Cell(f"{name}, fit", "not possible"), *[Cell(NOTHING)] * 10] for name in results.not_possible]
    columns = ("Method", "ROI r, T1", "ROI r, T1rho", "Voxel r, T1", "Voxel r, T1rho")
    columns += ("Normalized L1, T1 [%]", "Normalized L1, T1rho [%]", "L1 to truth, T1 [ms]")
    columns += ("L1 to truth, T1rho [ms]", "Dice", "Without a value [%]")
    caption = (
        "Cartilage; correlations and normalized L1 against the reference, ROI means of all methods in the "
        "reader's mask. L1 to truth: mean absolute error against the simulated truth in voxels of at least "
        "95 % cartilage. All methods on the same voxels: those where each of them has a value. Told: the "
        "method finds no regions and is given the reader's, which is to its advantage. r of a constant is "
        "not defined. A fit of the reference's own images shares its noise, so that only the errors to the "
        "truth compare it fairly."
    )
    caption += "".join(f" {name}, fit: {reason}." for name, reason in results.not_possible.items())
    people = len(evaluation.subjects)
    return Table(f"What the network adds, {people} people", columns, rows, caption)


def _known(results: StudyResults) -> Iterator[tuple[str, MethodInfo]]:
    yield from ((name, results.methods[name]) for name in results.baselines.input_sets)


def _method_maps(lookup: Lookup, name: str) -> Iterator[Cell]:
    for level, metric in (("roi", "pearson_r_reader_mask"), ("voxel", "pearson_r")):
        for quantity in WATCHED:
            score = lookup.find(name, quantity, level, metric)
            yield Cell(number(score.value, 3), interval(score, 3)) if score else Cell(NOTHING)
    for quantity in WATCHED:
        yield _error(lookup, name, quantity, "normalized_l1", "cartilage", "reference")
    for quantity in WATCHED:
        yield _error(lookup, name, quantity, "l1", "pure_cartilage", "truth")


def _error(lookup: Lookup, name: str, quantity: str, metric: str, region: str, against: str) -> Cell:
    score = lookup.find(name, quantity, "voxel", f"{metric}_mean", tissue=region, against=against)
    if score is None:
        return Cell(NOTHING)
    normalized = metric.startswith("normalized")
    factor = 100.0 if normalized else QUANTITIES[quantity].display_factor
    digits = 2 if normalized else digits_of(quantity)
    return Cell(number(score.value * factor, digits), interval(score, digits, factor))


def _without_value(evaluation: ReportEvaluation, name: str) -> str:
    """Largest part of the reader's cartilage, of T1 and T1rho, that this method gives no value in [%]."""
    table = evaluation.invalid
    rows = table.loc[
        (table["input_set"] == name)
        & (table["region"] == "cartilage")
        & (table["cause"] == "no prediction")
        & table["quantity"].isin(WATCHED)
    ]
    return number(float((100 * rows["n_voxels"] / rows["n_region"]).max()), 2)


def truth_table(results: StudyResults) -> Table:
    """Errors against the truth of networks and fits, with what is left of B1."""
    lookup = Lookup(results.baselines.scores)
    rows = []
    for name, info in _known(results):
        if not info.inputs or not info.maps:
            continue
        cells = []
        for region in ("cartilage", "pure_cartilage"):
            for quantity in (*WATCHED, "B1"):
                cells.append(_error(lookup, name, quantity, "l1", region, "truth"))
        bias = lookup.find(name, "B1", "voxel", "bias", against="truth")
        factor = QUANTITIES["B1"].display_factor
        cells.append(
            Cell(number(bias.value * factor, 2), interval(bias, 2, factor)) if bias else Cell(NOTHING)
        )
        rows.append([Cell(name), *cells])
    quantities = ("T1 [ms]", "T1rho [ms]", "B1 [%]")
    columns = ("Method", *(f"cartilage, {one}" for one in quantities))
    columns += (*(f"pure cartilage, {one}" for one in quantities), "Bias of B1 [%]")
    caption = (
        "Mean absolute error against the simulated truth. Without AFI images B1 is not measured: a fit takes "
        "it as 1, a network gives what it has learned; the last column and the error of B1 are what is left. "
        "Pure: at least 95 % cartilage. The networks have learned from fitted maps and inherit what partial "
        "volume does to these, but for those whose names end in -truth, which have learned what was simulated."
    )
    return Table("Networks and fits against the truth", columns, rows, caption)


def response_table(responses: pd.DataFrame, n_people: int) -> Table:
    """Slopes and false shifts by method."""
    asked = (
        ("T1", "T1", "slope"),
        ("T1rho", "T1rho", "slope"),
        ("M0", "T1", "shift"),
        ("B1", "T1", "shift"),
        ("T1rho", "T1", "shift"),
        ("T1", "T1rho", "shift"),
    )
    rows = []
    for name in responses["input_set"].unique():
        row = [Cell(str(name))]
        for changed, quantity, metric in asked:
            own = responses.loc[
                (responses["input_set"] == name)
                & (responses["changed"] == changed)
                & (responses["quantity"] == quantity)
                & (responses["metric"] == metric)
            ]
            if own.empty:
                row.append(Cell(NOTHING))
                continue
            factor, digits = (1.0, 2) if metric == "slope" else (100.0, 1)
            value, low, high = (float(own[key].iloc[0]) * factor for key in ("value", "low", "high"))
            note = f"[{number(low, digits)}, {number(high, digits)}]" if np.isfinite(low) else ""
            row.append(Cell(number(value, digits), note))
        rows.append(row)
    columns = ("Method", "Slope of T1", "Slope of T1rho", "T1 when M0 +10 % [%]", "T1 when B1 +5 % [%]")
    columns += ("T1 when T1rho +20 % [%]", "T1rho when T1 +20 % [%]")
    caption = (
        f"{n_people} fresh people, each scanned again with the same anatomy and noise, T1 or T1rho of "
        "cartilage 20 % down and up, M0 of cartilage 10 % up, or B1 5 % up. Slope: change of the mean "
        "prediction in the reader's cartilage over that of the truth; 1 is a measurement, 0 a guess from the "
        "rest of the knee. Partial volume keeps the slope of a fit below 1 too. Shifts should be 0; those of "
        "the fits show what partial volume alone does. Brackets: 95 % interval over people."
    )
    return Table("Is it measuring or guessing?", columns, rows, caption)


def elsewhere_table(elsewhere: Mapping[str, ReportEvaluation]) -> Table:
    """The main results on people unlike the training."""
    rows = []
    for title, evaluation in elsewhere.items():
        lookup = Lookup(evaluation.scores)
        for name in evaluation.input_sets:
            dice = lookup.find(name, "", "volume", "dice_mean")
            last = Cell(number(dice.value, 3), interval(dice, 3)) if dice else Cell(NOTHING)
            shown = f"{title}, n = {len(evaluation.subjects)}"
            truly = [_error(lookup, name, one, "l1", "pure_cartilage", "truth") for one in WATCHED]
            rows.append([Cell(shown), Cell(name), *short_cells(lookup, name, {}), *truly, last])
    caption = (
        "Cartilage against the reference that is fitted from each person's own images. The first rows are "
        "the measure for the others: as few people, nothing changed. L1 to truth: in voxels of at least 95 % "
        "cartilage; where the fit of the reference is itself wrong, only this says how wrong a network is."
    )
    truth = ("L1 to truth, T1 [ms]", "L1 to truth, T1rho [ms]")
    return Table("Does it hold elsewhere?", ("People", "Inputs", *SHORT, *truth, "Dice"), rows, caption)


def network_table(results: StudyResults) -> Table:
    """Where the networks are from and what they had."""
    columns = ["network", "origin", "budget", "weights"]
    rows = [
        [*(Cell(str(value)) for value in row[:3]), Cell(str(row[3])[:12])]
        for row in results.networks[columns].itertuples(index=False)
    ]
    return Table("Networks", ("Network", "From", "Budget", "Weights (SHA-256)"), rows)


def duration_table(durations: Mapping[str, float]) -> Table:
    """Time of each part over all runs."""
    rows = [[Cell(name), Cell(number(seconds / 60, 1))] for name, seconds in durations.items()]
    return Table(
        "Durations", ("Part", "Minutes"), rows, "Over all runs; parts that were found complete add nothing."
    )
