"""CSV files beside the page."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rmqnet.domain.protocols import INPUT_SETS, acceleration
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.report.lookup import Lookup
from rmqnet.report.study import ReportEvaluation
from rmqnet.report.study_tables import WATCHED

MINUTE = 60.0
_TIMES: tuple[str, ...] = (
    "minutes_paper",
    "minutes_without_afi",
    "minutes_with_afi",
    "acceleration_paper",
    "acceleration_without_afi",
    "acceleration_with_afi",
)
_CORRELATIONS = ("input_set", *_TIMES, "quantity", "level", "against", "r", "r_low", "r_high", "paper_r")


def write_csv_files(folder: Path, evaluation: ReportEvaluation, *, simulated: bool) -> None:
    """Write table1.csv and table2.csv (display units), scores.csv and roi.csv (seconds, B1 as ratio)."""
    subjects = "simulated" if simulated else "measured"
    for name, table in {
        "table1.csv": correlation_frame(evaluation),
        "table2.csv": error_frame(evaluation),
        "scores.csv": pd.DataFrame([dataclasses.asdict(score) for score in evaluation.scores]),
        "roi.csv": evaluation.roi,
    }.items():
        table.assign(subjects=subjects).to_csv(folder / name, index=False, float_format="%.7g")


def correlation_frame(evaluation: ReportEvaluation, region: str = "cartilage") -> pd.DataFrame:
    """Table 1: one row per input set, quantity, level and target."""
    ours, paper = Lookup(evaluation.scores), Lookup(evaluation.paper)
    rows = []
    for name in evaluation.input_sets:
        times = {"input_set": name, **_times(name)}
        for quantity in WATCHED:
            for level in ("roi", "voxel"):
                for against in ("reference", "truth"):
                    score = ours.find(name, quantity, level, "pearson_r", tissue=region, against=against)
                    if score is None:
                        continue
                    own = {"quantity": quantity, "level": level, "against": against}
                    own |= {"r": score.value, "r_low": score.low, "r_high": score.high}
                    compared = against == "reference" and region == "cartilage"
                    printed = paper.value(name, quantity, level, "pearson_r") if compared else None
                    rows.append(times | own | {"paper_r": printed})
    return pd.DataFrame(rows, columns=list(_CORRELATIONS))


def _times(name: str) -> Mapping[str, float | None]:
    """Scan times and accelerations; none for a set of images that is not the paper's."""
    inputs = INPUT_SETS.get(name)
    if inputs is None:
        return {}
    values = (
        inputs.printed_minutes,
        inputs.seconds(with_afi=False) / MINUTE,
        inputs.seconds(with_afi=True) / MINUTE,
        inputs.printed_acceleration,
        acceleration(inputs, with_afi=False),
        acceleration(inputs, with_afi=True),
    )
    return dict(zip(_TIMES, values, strict=True))


def error_frame(evaluation: ReportEvaluation) -> pd.DataFrame:
    """Table 2: errors per slice in all cartilage and in pure cartilage, against reference and truth."""
    ours, paper = Lookup(evaluation.scores), Lookup(evaluation.paper)
    rows = []
    for name in evaluation.input_sets:
        for quantity in evaluation.config.quantities:
            for metric in ("l1", "l2", "l2_paper", "normalized_l1", "normalized_l2", "normalized_l2_paper"):
                for region in ("cartilage", "pure_cartilage"):
                    for against in ("reference", "truth"):
                        about = {"tissue": region, "against": against}
                        row = _error_row(ours, name, quantity, metric, about)
                        if row is None:
                            continue
                        printed = region == "cartilage" and against == "reference"
                        factor = factor_of(quantity, metric)
                        for part in ("mean", "sd"):
                            value = paper.value(name, quantity, "voxel", f"{metric}_{part}") * factor
                            row[f"paper_{part}"] = value if printed else None
                        rows.append(row)
    return pd.DataFrame(rows)


def _error_row(
    ours: Lookup, name: str, quantity: str, metric: str, about: dict[str, str]
) -> dict[str, object] | None:
    mean = ours.find(name, quantity, "voxel", f"{metric}_mean", **about)
    if mean is None:
        return None
    factor = factor_of(quantity, metric)
    return {
        "input_set": name,
        "quantity": quantity,
        "error": metric,
        "unit": "%" if metric.startswith("normalized") else QUANTITIES[quantity].display_unit,
        "region": about["tissue"],
        "against": about["against"],
        "mean": mean.value * factor,
        "mean_low": mean.low * factor,
        "mean_high": mean.high * factor,
        "sd": ours.value(name, quantity, "voxel", f"{metric}_sd", **about) * factor,
        "median": ours.value(name, quantity, "voxel", f"{metric}_median", **about) * factor,
    }


def factor_of(quantity: str, metric: str) -> float:
    """From the unit inside to that of a table: percent where normalized, else the display unit."""
    return 100.0 if metric.startswith("normalized") else QUANTITIES[quantity].display_factor
