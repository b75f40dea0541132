"""Tables beyond the paper: agreement, segmentation, regions, groups, truth, and what was left out."""

from collections.abc import Iterator

from rmqnet.domain.grid import MM3_PER_ML
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.report.lookup import (
    GROUP_NAMES,
    NOTHING,
    Lookup,
    digits_of,
    interval,
    mean_sd,
    number,
    unit_of,
)
from rmqnet.report.study import ReportEvaluation
from rmqnet.report.tables import Cell, Table

_PARTIAL_VOLUME = (
    "Truth of a voxel: that of cartilage or meniscus from half on, else of the tissue that fills most of it. At the "
    "edges of cartilage images and truth differ by partial volume, the more so the larger the voxels; pure cartilage: "
    "voxels of at least 95 %."
)


def agreement_table(evaluation: ReportEvaluation, against: str = "reference") -> Table:
    """Agreement of every map in cartilage, per slice and per voxel."""
    lookup = Lookup(evaluation.scores)
    rows = []
    regions = [r for r in ("cartilage", "pure_cartilage") if against == "truth" or r == "cartilage"]
    for quantity in evaluation.config.quantities:
        for region in regions:
            for level in ("roi", "voxel"):
                for name in evaluation.input_sets:
                    about = {"against": against, "tissue": region}
                    if lookup.find(name, quantity, level, "pearson_r", **about) is None:
                        continue
                    cells = _agreement_cells(lookup, name, quantity, level, about)
                    place = f"{quantity} [{unit_of(quantity)}]"
                    where = Cell("slice" if level == "roi" else "voxel", region.replace("_", " "))
                    rows.append([Cell(place), where, Cell(name), *cells])
    columns = ("Quantity", "Level", "Inputs", "r", "r, one mask", "Lin's CCC", "Slope", "Bias")
    columns += ("Limits of agreement", "r between subjects", "r within subjects", "n")
    caption = (
        "One mask: predicted map and target in the same mask, which leaves out errors of the segmentation. "
        "Limits of agreement: bias \N{PLUS-MINUS SIGN} 1.96 SD of the differences. Between: one mean per subject; "
        "within: after the subject's means are taken off. Brackets: 95 % interval by bootstrap over subjects; "
        "r between fewer than five subjects has none."
    )
    if against == "truth":
        return Table("Agreement with the simulated truth", columns, rows, caption, _PARTIAL_VOLUME)
    return Table("Agreement with the reference, all maps", columns, rows, caption)


def _agreement_cells(
    lookup: Lookup, name: str, quantity: str, level: str, about: dict[str, str]
) -> Iterator[Cell]:
    factor, digits = QUANTITIES[quantity].display_factor, digits_of(quantity)

    def cell(metric: str, scale: float = 1.0, decimals: int = 3, *, brackets: bool = True) -> Cell:
        score = lookup.find(name, quantity, level, metric, **about)
        if score is None:
            return Cell(NOTHING)
        note = interval(score, decimals, scale) if brackets else ""
        return Cell(number(score.value * scale, decimals), note)

    yield cell("pearson_r")
    mask = "_reader_mask" if about["against"] == "reference" else "_truth_mask"
    yield cell(f"pearson_r{mask}") if level == "roi" else Cell(NOTHING)
    yield cell("lin_ccc")
    yield cell("slope", decimals=2)
    yield cell("bias", factor, digits)
    low, high = (cell(f"limit_{end}", factor, digits, brackets=False).text for end in ("low", "high"))
    yield Cell(f"{low} to {high}")
    yield cell("between_subject_r")
    yield cell("within_subject_r")
    score = lookup.find(name, quantity, level, "pearson_r", **about)
    yield Cell(f"{score.count:,}" if score else NOTHING)


def segmentation_table(evaluation: ReportEvaluation) -> Table:
    """Overlap, surface distances and volume per region."""
    lookup = Lookup(evaluation.scores)
    columns = ("Region", "Inputs", "Dice", "HD95 [mm]", "ASSD [mm]", "Volume difference [ml]")
    columns += ("Volume difference [%]", "Not found")
    rows = []
    for region in evaluation.config.regions:
        for name in evaluation.input_sets:
            cells = []
            for metric, scale, digits in (
                ("dice", 1.0, 3),
                ("hd95", 1.0, 2),
                ("assd", 1.0, 2),
                ("volume_difference", 1 / MM3_PER_ML, 2),
                ("relative_volume_difference", 100.0, 1),
            ):
                mean = lookup.find(name, "", "volume", f"{metric}_mean", tissue=region)
                sd = lookup.value(name, "", "volume", f"{metric}_sd", tissue=region)
                if mean is None:
                    cells.append(Cell(NOTHING))
                    continue
                text = mean_sd(mean.value * scale, sd * scale, digits)
                cells.append(Cell(text, interval(mean, digits, scale)))
            empty = lookup.find(name, "", "volume", "n_empty_predictions", tissue=region)
            found = f"{empty.value:.0f} of {empty.count}" if empty else NOTHING
            rows.append([Cell(region.replace("_", " ")), Cell(name), *cells, Cell(found)])
    caption = (
        "Predicted against the reader's labels in 3D, mean \N{PLUS-MINUS SIGN} SD over subjects, below it the "
        "95 % interval of the mean. HD95: 95th percentile of the distances between the surfaces; ASSD: their "
        "mean, with the true voxel size. Not found: subjects in whom nothing was predicted; they count in Dice "
        "as 0 and not in the distances."
    )
    return Table("Segmentation", columns, rows, caption)


def region_table(evaluation: ReportEvaluation) -> Table:
    """ROI r and normalized L1 of T1 and T1rho in every region."""
    lookup = Lookup(evaluation.scores)
    found = {score.tissue for score in evaluation.scores if score.level == "voxel"}
    extra = ["pure_cartilage"] if "pure_cartilage" in found else []
    rows = [
        [
            *(Cell(region.replace("_", " ")), Cell(name)),
            *short_cells(lookup, name, {"tissue": region}),
            *(Cell(_valid_share(evaluation, name, region, quantity)) for quantity in ("T1", "T1rho")),
        ]
        for region in [*evaluation.config.regions, *extra]
        for name in evaluation.input_sets
    ]
    caption = (
        "As Tables 1 and 2, per region. Valid: part of the reader's region that has a value in the reference and "
        "in the predictions, so that it is compared."
    )
    if extra:
        caption += f" {_PARTIAL_VOLUME}"
    return Table("Results by region", ("Region", "Inputs", *SHORT, *_VALID), rows, caption)


def _valid_share(evaluation: ReportEvaluation, name: str, region: str, quantity: str) -> str:
    roi = evaluation.roi
    rows = roi.loc[(roi["input_set"] == name) & (roi["region"] == region) & (roi["quantity"] == quantity)]
    size = rows["n_reader"].sum()
    return number(100 * rows["n_reader_valid"].sum() / size, 1) if size else NOTHING


def group_table(evaluation: ReportEvaluation) -> Table:
    """The main results by Kellgren-Lawrence group."""
    lookup = Lookup(evaluation.scores)
    rows = []
    for group, shown in GROUP_NAMES.items():
        size = len([s for s in evaluation.subjects if group in ("all", s.group)])
        if not size:
            continue
        for name in evaluation.input_sets:
            about = {"group": group}
            dice = lookup.find(name, "", "volume", "dice_mean", group=group)
            text = Cell(number(dice.value, 3), interval(dice, 3)) if dice else Cell(NOTHING)
            rows.append([Cell(f"{shown}, n = {size}"), Cell(name), *short_cells(lookup, name, about), text])
    caption = "Cartilage. Groups of fewer than three subjects have no intervals; small groups settle nothing."
    return Table("Results by Kellgren-Lawrence group", ("Group", "Inputs", *SHORT, "Dice"), rows, caption)


SHORT = ("ROI r, T1", "ROI r, T1rho", "Voxel r, T1", "Voxel r, T1rho")
SHORT += ("Normalized L1, T1 [%]", "Normalized L1, T1rho [%]")
"""Columns of `short_cells`."""
_VALID = ("Valid, T1 [%]", "Valid, T1rho [%]")


def short_cells(lookup: Lookup, name: str, about: dict[str, str]) -> Iterator[Cell]:
    """ROI and voxel r and normalized L1 of T1 and T1rho for one input set, group or region."""
    for level in ("roi", "voxel"):
        for quantity in ("T1", "T1rho"):
            score = lookup.find(name, quantity, level, "pearson_r", **about)
            yield Cell(number(score.value, 3), interval(score, 3)) if score else Cell(NOTHING)
    for quantity in ("T1", "T1rho"):
        mean = lookup.find(name, quantity, "voxel", "normalized_l1_mean", **about)
        sd = lookup.value(name, quantity, "voxel", "normalized_l1_sd", **about)
        if mean is None:
            yield Cell(NOTHING)
        else:
            yield Cell(mean_sd(mean.value * 100, sd * 100, 1))


def dropped_table(evaluation: ReportEvaluation) -> Table:
    """Slices that count, and why others do not."""
    marks = {
        "n_reader": "With reader's mask",
        "n_kept": "Kept",
        "n_small": "Reader's mask too small",
        "n_not_predicted": "Nothing predicted",
        "n_predicted_small": "Predicted mask too small",
        "n_extra": "Predicted only",
    }
    table = evaluation.dropped.loc[evaluation.dropped["quantity"].isin(["T1", "T1rho"])]
    rows = [
        [Cell(str(row["region"]).replace("_", " ")), Cell(row["quantity"]), Cell(row["input_set"])]
        + [Cell(f"{row[mark]:,}") for mark in marks]
        for row in table.sort_values("region", kind="stable", key=_region_order(evaluation)).to_dict(
            "records"
        )
    ]
    least = evaluation.config.minimum_roi_voxels
    caption = f"A slice counts where both masks hold at least {least} voxels with a value."
    return Table("Slices", ("Region", "Quantity", "Inputs", *marks.values()), rows, caption)


def invalid_table(evaluation: ReportEvaluation) -> Table:
    """Voxels of the reader's cartilage that are not compared, by cause."""
    table = evaluation.invalid
    table = table.loc[(table["region"] == evaluation.config.regions[0]) & (table["n_voxels"] > 0)]
    rows = [
        [
            Cell(row["quantity"]),
            Cell(row["input_set"]),
            Cell(str(row["cause"]).replace("_", " ")),
            Cell(f"{row['n_voxels']:,}"),
            Cell(number(100 * row["n_voxels"] / row["n_region"], 2)),
        ]
        for row in table.to_dict("records")
    ]
    rows = rows or [[Cell("none"), *[Cell(NOTHING)] * 4]]
    region = evaluation.config.regions[0].replace("_", " ")
    caption = f"Reader's {region}. A voxel without a prediction from one input set is left out for all."
    columns = ("Quantity", "Inputs", "Cause", "Voxels", "Part [%]")
    return Table("Voxels without a value", columns, rows, caption)


def _region_order(evaluation: ReportEvaluation):
    order = {region: place for place, region in enumerate([*evaluation.config.regions, "pure_cartilage"])}
    return lambda column: column.map(order)
