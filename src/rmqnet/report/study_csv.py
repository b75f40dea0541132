"""CSV files of a whole study: plain numbers, in display units where a unit is named."""

from pathlib import Path

import pandas as pd

from rmqnet.report.csv_files import correlation_frame, error_frame, factor_of
from rmqnet.report.lookup import Lookup
from rmqnet.report.study import ReportEvaluation
from rmqnet.report.study_results import StudyResults
from rmqnet.report.study_tables import WATCHED, verdicts

_OVERLAPS = ("dice", "hd95", "assd", "volume_difference", "relative_volume_difference")


def write_study_csv(folder: Path, results: StudyResults) -> None:
    """Write the tables of the study; the names are those of docs/results."""
    for name, table in study_frames(results).items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")


def study_frames(results: StudyResults) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file."""
    paired = {
        "fresh": results.paired,
        "fresh, baselines": results.paired_baselines,
        "fresh, baselines, truth in pure cartilage": results.paired_truth,
    }
    parts = [table.assign(people=people) for people, table in paired.items() if len(table)]
    return {
        "table1": correlation_frame(results.fresh),
        "table1_test_people": correlation_frame(results.tested),
        "table1_pure_cartilage": correlation_frame(results.fresh, "pure_cartilage"),
        "table2": error_frame(results.fresh),
        "table2_test_people": error_frame(results.tested),
        "verdicts": verdict_frame(results),
        "baselines": baseline_frame(results),
        "segmentation": segmentation_frame(results.fresh),
        "groups_and_regions": group_frame(results.fresh),
        "elsewhere": elsewhere_frame(results),
        "responses": results.responses,
        "paired": pd.concat(parts, ignore_index=True) if parts else results.paired.assign(people=""),
        "networks": results.networks,
    }


def verdict_frame(results: StudyResults) -> pd.DataFrame:
    """Every printed cell, and Dice, with what its interval settles, for the fresh and for the test people."""
    rows = []
    for people, evaluation in (("fresh", results.fresh), ("test", results.tested)):
        for score, printed, word in verdicts(evaluation):
            about = {"people": people, "n_people": len(evaluation.subjects), "input_set": score.input_set}
            about |= {"quantity": score.quantity, "level": score.level, "metric": score.metric}
            about |= {"value": score.value, "low": score.low, "high": score.high}
            rows.append(about | {"paper": printed, "verdict": word})
    return pd.DataFrame(rows)


def baseline_frame(results: StudyResults) -> pd.DataFrame:
    """Every method: correlations and errors against reference and truth, in cartilage and pure cartilage."""
    ours = Lookup(results.baselines.scores)
    rows = []
    for name in results.baselines.input_sets:
        info = results.methods[name]
        about = {"method": name, "what": info.what, "inputs": info.inputs, "budget": info.budget}
        dice = ours.find(name, "", "volume", "dice_mean") if info.segmentation else None
        about |= {"n_people": len(results.baselines.subjects), "dice": dice.value if dice else None}
        for quantity in (*WATCHED, "B1") if info.maps else ():
            for region in ("cartilage", "pure_cartilage"):
                for against in ("reference", "truth"):
                    place = {"tissue": region, "against": against}
                    own: dict[str, object] = {"quantity": quantity, "region": region, "against": against}
                    own["status"] = ""
                    mask = "reader" if against == "reference" else "truth"
                    for level, metric in (("roi", f"pearson_r_{mask}_mask"), ("voxel", "pearson_r")):
                        score = ours.find(name, quantity, level, metric, **place)
                        for part in ("value", "low", "high"):
                            own[f"{level}_r_{part}"] = getattr(score, part) if score else None
                    for metric in ("l1", "normalized_l1"):
                        score = ours.find(name, quantity, "voxel", f"{metric}_mean", **place)
                        for part in ("value", "low", "high"):
                            value = getattr(score, part) * factor_of(quantity, metric) if score else None
                            own[f"{metric}_{part}"] = value
                    rows.append(about | own)
        if not info.maps:
            rows.append(about | {"status": "gives no maps"})
    for name, reason in results.not_possible.items():
        rows.append(
            {"method": f"{name}, fit", "what": "Levenberg-Marquardt", "inputs": name, "status": reason}
        )
    return pd.DataFrame(rows)


def segmentation_frame(evaluation: ReportEvaluation) -> pd.DataFrame:
    """Dice, distances [mm] and volumes [mm^3] per region: mean over people with its interval, and SD."""
    ours = Lookup(evaluation.scores)
    rows = []
    for name in evaluation.input_sets:
        for region in evaluation.config.regions:
            for against in ("reference", "truth"):
                about = {"tissue": region, "against": against}
                row: dict[str, object] = {"input_set": name, "region": region, "against": against}
                for metric in _OVERLAPS:
                    mean = ours.find(name, "", "volume", f"{metric}_mean", **about)
                    for part in ("value", "low", "high"):
                        row[metric if part == "value" else f"{metric}_{part}"] = (
                            getattr(mean, part) if mean else None
                        )
                    row[f"{metric}_sd"] = ours.value(name, "", "volume", f"{metric}_sd", **about)
                rows.append(row)
    return pd.DataFrame(rows)


def group_frame(evaluation: ReportEvaluation) -> pd.DataFrame:
    """Correlations and normalized L1 by Kellgren-Lawrence group and by region, against the reference."""
    wanted = {"pearson_r", "normalized_l1_mean"}
    rows = [
        {
            "group": score.group,
            "region": score.tissue,
            "input_set": score.input_set,
            "quantity": score.quantity,
            "level": score.level,
            "metric": score.metric,
            "value": score.value,
            "low": score.low,
            "high": score.high,
            "count": score.count,
        }
        for score in evaluation.scores
        if score.subject == "all"
        and score.metric in wanted
        and score.quantity in WATCHED
        and score.against == "reference"
    ]
    return pd.DataFrame(rows)


def elsewhere_frame(results: StudyResults) -> pd.DataFrame:
    """The main results on people unlike the training."""
    parts = []
    for title, evaluation in results.elsewhere.items():
        table = group_frame(evaluation)
        own = table.loc[(table["group"] == "all") & (table["region"] == "cartilage")]
        dice = Lookup(evaluation.scores)
        truth = {"tissue": "pure_cartilage", "against": "truth"}
        errors = [
            dice.value(name, quantity, "voxel", "l1_mean", **truth) * factor_of(quantity, "l1")
            for name, quantity in zip(own["input_set"], own["quantity"], strict=True)
        ]
        own = own.assign(
            l1_truth_pure=errors,
            dice=[dice.value(name, "", "volume", "dice_mean") for name in own["input_set"]],
            people=title,
            n_people=len(evaluation.subjects),
        )
        parts.append(own.drop(columns=["group", "region"]))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
