"""CSV files beside the page."""

import dataclasses
from pathlib import Path

import pandas as pd

from rmqnet.domain.protocols import INPUT_SETS, acceleration
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.report.lookup import Lookup
from rmqnet.report.study import ReportEvaluation


def write_csv_files(folder: Path, evaluation: ReportEvaluation, *, simulated: bool) -> None:
    """Write table1.csv and table2.csv (display units), scores.csv and roi.csv (seconds, B1 as ratio)."""
    subjects = "simulated" if simulated else "measured"
    for name, table in {
        "table1.csv": table_1_frame(evaluation),
        "table2.csv": table_2_frame(evaluation),
        "scores.csv": pd.DataFrame([dataclasses.asdict(score) for score in evaluation.scores]),
        "roi.csv": evaluation.roi,
    }.items():
        table.assign(subjects=subjects).to_csv(folder / name, index=False, float_format="%.7g")


def table_1_frame(evaluation: ReportEvaluation) -> pd.DataFrame:
    """Table 1 as plain numbers; columns that start with paper_ are printed in the paper."""
    ours, paper = Lookup(evaluation.scores), Lookup(evaluation.paper)
    rows = []
    for name in evaluation.input_sets:
        row: dict[str, object] = {"input_set": name}
        inputs = INPUT_SETS.get(name)
        if inputs is not None:
            row |= {
                "minutes_without_afi": inputs.seconds(with_afi=False) / 60,
                "minutes_with_afi": inputs.seconds(with_afi=True) / 60,
                "paper_minutes": inputs.printed_minutes,
                "acceleration_without_afi": acceleration(inputs, with_afi=False),
                "acceleration_full_protocol_with_afi": acceleration(inputs, with_afi=True),
                "paper_acceleration": inputs.printed_acceleration,
            }
        for level in ("roi", "voxel"):
            for quantity in ("T1", "T1rho"):
                score = ours.find(name, quantity, level, "pearson_r")
                key = f"{level}_{quantity}"
                row |= {
                    f"{key}_r": score.value if score else None,
                    f"{key}_low": score.low if score else None,
                    f"{key}_high": score.high if score else None,
                    f"{key}_p": ours.value(name, quantity, level, "p_permutation"),
                    f"paper_{key}_r": paper.value(name, quantity, level, "pearson_r"),
                }
        rows.append(row)
    return pd.DataFrame(rows)


def table_2_frame(evaluation: ReportEvaluation) -> pd.DataFrame:
    """Table 2 as plain numbers in the display unit or percent; one row per input set, quantity and error."""
    ours, paper = Lookup(evaluation.scores), Lookup(evaluation.paper)
    rows = []
    for name in evaluation.input_sets:
        for quantity in evaluation.config.quantities:
            for error in ("l1", "l2", "l2_paper", "normalized_l1", "normalized_l2", "normalized_l2_paper"):
                normalized = error.startswith("normalized")
                factor = 100.0 if normalized else QUANTITIES[quantity].display_factor
                row: dict[str, object] = {"input_set": name, "quantity": quantity, "error": error}
                row["unit"] = "%" if normalized else QUANTITIES[quantity].display_unit
                for part in ("mean", "sd", "median"):
                    row[part] = ours.value(name, quantity, "voxel", f"{error}_{part}") * factor
                for part in ("mean", "sd"):
                    row[f"paper_{part}"] = paper.value(name, quantity, "voxel", f"{error}_{part}") * factor
                rows.append(row)
    return pd.DataFrame(rows)
