"""Turns trained checkpoints into the ones that the package ships, and writes their model card.

    python scripts/ship_weights.py STUDY CHECKPOINT [CHECKPOINT ...]    # STUDY: the one they were trained on
    python scripts/ship_weights.py --card                               # docs/weights.md only

The card takes its numbers from src/rmqnet/weights/*.json and docs/results/*.csv; a test checks that it is current.
"""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rmqnet.networks.history import beginning

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "src" / "rmqnet" / "weights"
LEARNED_TRUTH = WEIGHTS / "truth"
RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "weights.md"

TABLES = {
    "table1.csv": "Correlation with the reference maps and with the truth (the paper's Table 1)",
    "table2.csv": "Errors (the paper's Table 2)",
    "segmentation.csv": "Regions",
    "baselines.csv": "Beside simpler ways",
}
"""Result files with the heading of their section."""
COLUMNS = {
    "table1.csv": ("input_set", "quantity", "level", "against", "r", "r_low", "r_high", "paper_r"),
    "table2.csv": (
        "input_set",
        "quantity",
        "region",
        "against",
        "mean",
        "mean_low",
        "mean_high",
        "paper_mean",
    ),
    "segmentation.csv": ("input_set", "region", "dice", "dice_low", "dice_high", "hd95", "assd"),
    "baselines.csv": ("method", "what", "quantity", "l1_value", "l1_low", "l1_high"),
}
"""Columns of a result file that the card shows."""
KEPT: dict[str, dict[str, tuple[str, ...]]] = {
    "table2.csv": {"error": ("normalized_l1",), "quantity": ("T1", "T1rho"), "region": ("cartilage",)},
    "segmentation.csv": {"against": ("reference",)},
    "baselines.csv": {"quantity": ("T1", "T1rho"), "region": ("pure_cartilage",), "against": ("truth",)},
}
"""Rows of a result file that the card shows, by column; all where none are named."""
WORDS = {
    "table2.csv": "Normalized L1 per slice of cartilage in percent.",
    "segmentation.csv": "Against the regions of the rule; distances in mm.",
    "baselines.csv": "Mean absolute error against the simulated truth in voxels of at least 95 % cartilage, in ms.",
}
"""What the numbers of a file are."""

TRUTH_COLUMNS = (
    "people",
    "n_people",
    "method",
    "quantity",
    "l1",
    "normalized_l1",
    "normalized_l1_low",
    "normalized_l1_high",
    "dice",
)
TRUTH_WORDS = (
    "`rmqnet predict --targets truth`. They learn what was simulated, without the fat and bone that a fit finds in all "
    "cartilage: over a region, T1 about a fifth longer, T1rho about a tenth shorter. What they take off they know "
    "from the simulator; whether it is right in people is not known. Never mix their values with fits in one study. "
    "[How they came about](decisions/023-learning-the-truth.md)."
)

HEAD = """# The networks that come with rmqnet

`python scripts/ship_weights.py` writes this page. **Research use only; not a medical device. Trained on simulated
knees: no scan of a person was used.** How to use them: [predict a study](how-to/predict.md).

## What they do

From the magnitude images of one knee at 3 T (VFA and multispoke adiabatic T1rho of [the protocol](reference/tables.md))
to maps of M0, T1, B1 and adiabatic T1rho and to six regions: femoral, medial and lateral tibial and patellar cartilage,
medial and lateral meniscus. One network per input set; architecture: RMQ-Net, one encoder and five decoders.

## Data

Knees of `rmqnet simulate` ([how real they are](cohort.md)): known anatomy, tissue values, fields and noise. The
networks learn maps that Levenberg-Marquardt fits of all images give, their AFI pair included, and regions that follow a
stated rule. People are split before anything is learned; hashes of all scans learned from stand in each `.json`, and
seed and number of the simulated people (50 of the 65 of `rmqnet simulate` without options), since another processor
gives their scans other hashes; `rmqnet evaluate` leaves them out.
"""

LIMITS = """
## Limits

- **Simulated knees only.** Nothing here says how well the networks do on a person. Their maps of real knees have not
  been compared with fits of the same knees, since no public scan with this protocol exists.
- Without AFI images no network can measure B1: what it says about B1 is what is usual in the cohort, given the
  anatomy, and an unusual B1 makes T1 wrong without a sign of it.
- Values are drawn to what is usual in the cohort, the more so the fewer images there are. A lesion that the cohort does
  not know may be missed or smoothed.
- T1rho of fat is not defined: where fat was saturated, maps of T1rho mean nothing outside water tissues.
- Only the settings of the protocol: other flip angles, repetition times, spin-lock times or fields are refused; other
  voxels are interpolated and said so. Scans unlike those of the training are flagged, by rules that can miss one.
- A left knee is mirrored. A knee whose side is stated wrongly gets medial and lateral exchanged, without a flag:
  `rmqnet check` looks for that.
- Not for children, metal, or other joints.
"""


def main(arguments: Sequence[str]) -> int:
    """Ship what is named, then write the card."""
    if list(arguments) != ["--card"]:
        from rmqnet.networks.checkpoint import load_checkpoint
        from rmqnet.networks.history import learned_targets
        from rmqnet.networks.shipped import weights_folder
        from rmqnet.pipeline.progress import Quiet
        from rmqnet.pipeline.ship import ship_checkpoint

        if len(arguments) < 2:
            sys.stderr.write(__doc__ or "")
            return 2
        study, *checkpoints = (Path(one) for one in arguments)
        for checkpoint in checkpoints:
            folder = weights_folder(learned_targets(load_checkpoint(checkpoint).training))
            shipped = ship_checkpoint(checkpoint, study, folder, Quiet())
            change = shipped.training["half_precision_change"]
            sys.stdout.write(f"{shipped.inputs.name}: changed by half precision: {change}\n")
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}\n")
    return 0


def page() -> str:
    """The model card."""
    records = _records(WEIGHTS)
    lines = [
        HEAD,
        "## Training",
        "",
        *_training(records, WEIGHTS),
        *_results(records),
        *_learned_truth(_records(LEARNED_TRUTH)),
    ]
    return "\n".join(lines).rstrip() + "\n" + LIMITS


def _records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def _learned_truth(records: Sequence[dict[str, Any]]) -> list[str]:
    """The section of the networks that have learned the truth; nothing where none are shipped."""
    if not records:
        return []
    lines = [
        "## Networks that have learned the truth",
        "",
        TRUTH_WORDS,
        "",
        *_training(records, LEARNED_TRUTH),
    ]
    path = RESULTS / "truth_errors.csv"
    if not path.is_file():
        return [*lines, "Not measured yet.", ""]
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["region"] == "pure_cartilage"]
    cells = ([_short(row[column]) for column in TRUTH_COLUMNS] for row in rows)
    words = (
        "From [truth_errors.csv](results/truth_errors.csv), made by `python benchmarks/truth_networks.py --record`. "
        "Against the truth in voxels of at least 95 % cartilage: mean absolute error in ms, normalized L1 per slice in "
        "percent with its 95 % interval; Dice of the whole cartilage."
    )
    return [*lines, words, "", *_table(TRUTH_COLUMNS, cells)]


def _training(records: Sequence[dict[str, Any]], folder: Path) -> list[str]:
    if not records:
        return ["This version ships no weights.", ""]
    columns = ["Input set", "Images", "MB", "Base width", "Scans learned from", "Slices", "Epochs (best)"]
    columns += ["Began with"]
    columns += ["Voxels [mm]", "Change by half precision"]
    rows = []
    for record in records:
        training, name = record["training"], record["inputs"]["name"]
        size = (folder / f"{name}.safetensors").stat().st_size / 1e6
        change = training["half_precision_change"]
        worst = max(value for key, value in change.items() if key != "labels")
        rows.append(
            [
                name,
                len(record["acquisitions"]),
                f"{size:.1f}",
                record["base_width"],
                len(training["scans"]),
                training["n_train_slices"],
                f"{training['config']['epochs']} ({training['best_epoch'] + 1})",
                beginning(training) or "random weights",
                " x ".join(f"{edge:.3g}" for edge in record["voxel_size"]),
                f"{worst:.2%}; labels {change['labels']:.2%}",
            ]
        )
    words = (
        "Weights of convolutions are kept in half precision and computed in single precision. Change: 99th percentile "
        "over the voxels of the regions, of the map that changes most, and part of the labels that change, the worse "
        "of two scans."
    )
    return [*_table(columns, rows), words, ""]


def _of_other_weights(records: Sequence[dict[str, Any]]) -> list[str]:
    """A sentence where the numbers were not measured with these weights; in half or in full precision counts alike."""
    path = RESULTS / "networks.csv"
    if not records or not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        tested = {row["network"]: row.get("weights", "") for row in csv.DictReader(stream)}
    other = [
        record["inputs"]["name"]
        for record in records
        if tested.get(record["inputs"]["name"], "")
        not in (record["training"].get("trained_weights", "not recorded"), record["weights_sha256"])
    ]
    if not other:
        return ["Measured with these very weights.", ""]
    return [
        f"**The numbers below were not measured with the weights shipped here** for {', '.join(other)}.",
        "",
    ]


def _results(records: Sequence[dict[str, Any]]) -> list[str]:
    names = [one["inputs"]["name"] for one in records]
    lines = ["## Numbers", "", *_of_other_weights(records)]
    missing = [file for file in TABLES if not (RESULTS / file).is_file()]
    for file, heading in TABLES.items():
        if file in missing:
            continue
        with (RESULTS / file).open(encoding="utf-8", newline="") as stream:
            rows = [
                row
                for row in csv.DictReader(stream)
                if (not names or row.get("input_set", "") in ("", *names))
                and all(row[column] in wanted for column, wanted in KEPT.get(file, {}).items())
            ]
        if not rows:
            continue
        columns = COLUMNS[file]
        cells = ([_short(row[column]) for column in columns] for row in rows)
        words = f"From [{file}](results/{file}). {WORDS.get(file, '')}".strip()
        lines += [f"### {heading}", "", words, "", *_table(columns, cells)]
    if missing:
        lines += [f"Not measured yet: {', '.join(missing)}.", ""]
    return lines


def _short(text: str) -> str:
    """A number with three significant digits; other text as it is."""
    try:
        return f"{float(text):.3g}"
    except ValueError:
        return text


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return [*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
