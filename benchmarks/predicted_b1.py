"""Fits of scans without AFI images: B1 taken as 1, or predicted by the network for the same images.

Cartilage of fresh people and of people unlike the training: B1, T1 and T1rho against the fit of all images with its
AFI pair (the reference), and against the truth in voxels of at least 95 % cartilage. The networks themselves stand
beside. Scores are kept in the scratch folder, person by person: the same command goes on after a break. --record
writes docs/results/predicted_b1.csv.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd

SEED, MOST_PEOPLE = 902_402, 16
"""Seed and number of the fresh people, of whom the first are taken."""
UNLIKE = ("mismatch", "snr-20", "b1-low", "b1-high")
"""Panels of the study that are taken."""
RECORD = Path(__file__).parent.parent / "docs" / "results" / "predicted_b1.csv"
COLUMNS = (
    ("voxel r", "cartilage", "reference", "pearson_r", 1.0),
    ("normalized L1 [%]", "cartilage", "reference", "normalized_l1_mean", 100.0),
    ("L1 to truth", "pure_cartilage", "truth", "l1_mean", 1000.0),
)
"""What is shown: title, region, against, metric and factor; the last in ms, of B1 in thousandths."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path, nargs="?", default=Path("build/predicted-b1"))
    parser.add_argument("--people", type=int, default=10, help="fresh people, at most 16")
    parser.add_argument("--unlike", type=int, default=2, help="people of each kind unlike the training")
    parser.add_argument("--share", default="1/1", help="K/N: this part of the people, beside other processes")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    from rmqnet.evaluate.config import EvaluateConfig
    from rmqnet.evaluate.evaluate import summarize
    from rmqnet.networks.shipped import shipped_names
    from rmqnet.pipeline.progress import Quiet
    from rmqnet.pipeline.study.elsewhere import shifted_panels
    from rmqnet.pipeline.study.methods import PREDICTED_B1
    from rmqnet.pipeline.study.people import simulated_panel
    from rmqnet.pipeline.study.presets import study_preset
    from rmqnet.pipeline.study.scores import ALL, Lineup, read_share, score_panel

    if missing := [name for name in PREDICTED_B1 if name not in shipped_names()]:
        print(json.dumps({"skipped": f"the package ships no network for {', '.join(missing)}"}))
        return
    preset = replace(study_preset("small"), n_shifted=options.unlike)
    config = EvaluateConfig(regions=("cartilage",), n_bootstrap=preset.n_bootstrap)
    # the first ones of the study's seed were looked at when the way was chosen
    fresh = replace(preset.unseen(MOST_PEOPLE), seed=SEED)
    panels = [simulated_panel("fresh", "fresh people", fresh)]
    panels += [panel for panel in shifted_panels(preset, ()) if panel.name in UNLIKE]
    lineup, share = Lineup("predicted-b1", tuple(contestants()), options.people), read_share(options.share)
    found = [score_panel(options.scratch, panel, [lineup], config, Quiet(), share) for panel in panels]
    if share != ALL:
        return
    tables = [
        score_table(summarize(one[lineup.name], config), panel.title)
        for one, panel in zip(found, panels, strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    print(table.to_string(index=False, float_format="%.4g"))
    if options.record:
        table.to_csv(RECORD, index=False, float_format="%.5g")
    print(json.dumps({"people": options.people, **headline(tables[0])}))


def contestants() -> list:
    """Networks, fits with B1 taken as 1 and with the predicted B1, and the fit of all images."""
    from rmqnet.networks.shipped import shipped_checkpoint, weights_folder
    from rmqnet.pipeline.study.methods import PREDICTED_B1, fit_method, network_method, predicted_b1_method

    methods = []
    for name in PREDICTED_B1:
        network = weights_folder() / f"{name}.safetensors", shipped_checkpoint(name)
        methods += [network_method(name, *network), fit_method(name), predicted_b1_method(*network)]
    return [*methods, fit_method("4FA+7TSL+AFI")]


def score_table(evaluation, people: str) -> pd.DataFrame:
    """Scores of every method: against the reference and against the truth, with 95 % intervals."""
    from rmqnet.report.lookup import Lookup

    ours = Lookup(evaluation.scores)
    rows = []
    for method in evaluation.input_sets:
        for quantity in ("B1", "T1", "T1rho"):
            row: dict[str, object] = {"people": people, "n_people": len(evaluation.subjects)}
            row |= {"method": method, "quantity": quantity}
            for title, region, against, metric, factor in COLUMNS:
                score = ours.find(method, quantity, "voxel", metric, tissue=region, against=against)
                if score is not None:
                    row |= {title: factor * score.value, f"{title}, low": factor * score.low}
                    row[f"{title}, high"] = factor * score.high
            rows.append(row)
    return pd.DataFrame(rows)


def headline(table: pd.DataFrame) -> dict[str, float]:
    """Normalized L1 against the reference of every method on the fresh people, in percent."""
    return {
        f"{row['method']} {row['quantity']}": round(float(row["normalized L1 [%]"]), 2)
        for row in table.to_dict("records")
    }


if __name__ == "__main__":
    main()
