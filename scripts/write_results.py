"""Writes docs/results from a finished study: the tables as CSV, and the page that shows them.

python scripts/write_results.py OUT COMMAND

OUT is the folder of a finished `rmqnet study OUT --preset paper` (or small), COMMAND the line that made it, in quotes.
"""

import argparse
import csv
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rmqnet.domain.protocols import INPUT_SETS
from rmqnet.report.study_conclusion import (
    POSITION_ONLY,
    TRUTH_ITSELF,
    conclusions,
    position_sentence,
    truth_sentence,
)

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
MEASURED_APART = RESULTS
"""Where benchmarks write their tables."""
TABLES: dict[str, str] = {
    "table1": "Table 1: correlations on fresh people",
    "table1_test_people": "Table 1: correlations on the test people, the paper-sized table",
    "table1_pure_cartilage": "Table 1 in voxels of at least 95 % cartilage",
    "table2": "Table 2: errors on fresh people, all metrics and regions",
    "table2_test_people": "Table 2: errors on the test people",
    "verdicts": "Every printed cell with what its interval settles",
    "baselines": "What the network adds: fits, means, other networks, ablations",
    "segmentation": "Dice, distances, volumes",
    "groups_and_regions": "By Kellgren-Lawrence group and region",
    "elsewhere": "People unlike the training",
    "responses": "Counterfactual scans: slopes and false shifts",
    "paired": "Paired differences",
    "networks": "Where the networks are from, and their budgets",
}
"""Files that are copied, and what each holds."""


FITS = (
    "The fit of 4FA+7TSL+AFI **is** the reference: its correlation with it is 1 by definition. The other fits are made "
    "from part of the same images and share their noise with the reference. Compare fits by the error to the "
    "truth only."
)
"""What a reader of the table of methods must know."""
LEARNED_TRUTH = (
    "Networks that have learned the truth have tables of their own, truth_errors.csv, truth_paired.csv and "
    "truth_responses.csv, written by `python benchmarks/truth_networks.py --record` "
    "([what they are](../decisions/023-learning-the-truth.md)); [why cells are not "
    "reached](../decisions/024-what-the-images-can-tell.md)."
)
"""What lies beside the tables of the study."""
PREDICTED_B1 = (
    "A fit of images without AFI takes B1 as 1, or as a network predicts it (`rmqnet fit --b1-from-network`; [what it "
    "is](../decisions/025-predicted-b1.md)). Cartilage against the reference, L1 to the truth in voxels of at least "
    "95 % cartilage, ten fresh people of another seed; `python benchmarks/predicted_b1.py --record` writes "
    "[predicted_b1.csv](predicted_b1.csv). A fit shares the noise of its images with the reference, a network does "
    "not: r says how little an unknown B1 matters, not who is nearer the truth."
)
"""What stands above the table of fits with a predicted B1."""
TIMES = (
    "In table1.csv, `minutes_with_afi` and `acceleration_with_afi` are not one comparison: `minutes_with_afi` adds the "
    "AFI pair to every input set, `acceleration_with_afi` is the time of the full protocol with its AFI pair over that "
    "of the input set without one, since networks need none."
)
"""What a reader of Table 1 must know."""


def main() -> None:
    """Copy the tables and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="folder of a finished study")
    parser.add_argument("command", help="the whole line that made it, in quotes")
    arguments = parser.parse_args()
    study = arguments.study
    report = study / "report"
    if not (report / "table1.csv").is_file():
        parser.error(f"{report}: has no table1.csv: run `rmqnet study {study}` to its end first")
    preset = json.loads((report / "provenance.json").read_text())["config"]["preset"]
    if preset == "demo":
        parser.error(f"{study}: is a demo, whose numbers mean nothing: give a study of preset small or paper")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        shutil.copyfile(report / f"{name}.csv", RESULTS / f"{name}.csv")
    (RESULTS / "README.md").write_text(page(report, preset, arguments.command), encoding="utf-8")


def page(report: Path, preset: str, command: str) -> str:
    """The page as text."""
    verdicts = [row for row in rows(report, "verdicts") if row["people"] == "fresh"]
    counts = Counter(row["verdict"] for row in verdicts)
    told = ", ".join(f"{n} {word}" for word, n in counts.most_common())
    n_people = verdicts[0]["n_people"] if verdicts else "no"
    parts = [
        "# Results",
        f"Preset {preset}. Made by\n\n    {command}\n    python scripts/write_results.py OUT COMMAND",
        "Do not edit. **All people are simulated**; the paper measured 65 others, so this is a comparison, not a "
        "reproduction. [How to repeat it](../how-to/repeat-the-paper.md), [how it is "
        "tested](../decisions/020-how-the-study-is-tested.md).",
        "## Networks",
        table(("Network", "From", "Budget", "Weights (SHA-256)"), network_cells(rows(report, "networks"))),
        f"## Against the paper, {n_people} fresh people",
        f"Of {len(verdicts)} numbers (those that the paper prints, and our goal for Dice): {told}. The 95 % interval "
        "decides; normalized L1 in percent. Each network was trained once: intervals say how people differ, not what "
        "another seed of the training would give.",
        TIMES,
        table(
            ("Quantity", "Level", "Metric", "Inputs", "Ours", "95 % interval", "Paper", "Verdict"),
            [verdict_cells(row) for row in verdicts],
        ),
        "## B1 that was not measured",
        "Mean absolute error of predicted B1 in cartilage [%], fresh people. Only the last set has the AFI pair; an "
        "error of B1 makes one of T1 about twice as large.",
        b1_lines(rows(report, "table2")),
        PREDICTED_B1,
        predicted_b1_lines(rows(MEASURED_APART, "predicted_b1")),
        "## What the network adds",
        "Cartilage against the reference, all methods on the same voxels; L1 to the truth in voxels of at "
        "least 95 % cartilage [ms].",
        FITS,
        method_table(rows(report, "baselines")),
        "Network minus other way, against the truth in voxels of at least 95 % cartilage; normalized L1 in percent, "
        "95 % interval by paired bootstrap over people.",
        paired_lines(rows(report, "paired")),
        "## Is it measuring or guessing?",
        "Slope of prediction on truth (1: measured, 0: guessed), and false shifts of T1 [%].",
        *answers(report),
        response_table(rows(report, "responses")),
        "## Regions",
        "Against the regions of the rule, means over people; distances in mm.",
        segmentation_lines(rows(report, "segmentation")),
        "## Does it hold elsewhere?",
        "Cartilage; r and normalized L1 [%] against the reference fitted from each person's own images, L1 [ms] "
        "against the truth in voxels of at least 95 % cartilage. The first block is the measure for the others.",
        elsewhere_lines(rows(report, "elsewhere")),
        "## Files",
        table(("File", "Holds"), [(f"[{name}.csv]({name}.csv)", what) for name, what in TABLES.items()]),
        LEARNED_TRUTH,
    ]
    return "\n\n".join(parts) + "\n"


def rows(report: Path, name: str) -> list[dict[str, str]]:
    """Rows of a table."""
    with (report / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(columns: Sequence[str], body: Sequence) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in body)])


def verdict_cells(row: dict[str, str]) -> tuple[str, ...]:
    """Cells of one printed number."""
    plain = row["metric"] != "normalized_l1_mean"
    value, low, high, paper = (shown(row[key], plain) for key in ("value", "low", "high", "paper"))
    names = {"pearson_r": "r", "dice_mean": "Dice (our goal)"}
    metric = names.get(row["metric"], "normalized L1 [%]")
    level = row["level"] if plain else "slice"
    return (
        row["quantity"] or "cartilage",
        level,
        metric,
        row["input_set"],
        value,
        f"{low} to {high}",
        paper,
        row["verdict"],
    )


def network_cells(body: list[dict[str, str]]) -> list[tuple[str, ...]]:
    """Cells of the networks; of a hash, its beginning."""
    return [(row["network"], row["origin"], row["budget"], row["weights"][:12]) for row in body]


def b1_lines(body: list[dict[str, str]]) -> str:
    """One row per input set."""
    lines: dict[str, dict[str, str]] = {}
    for row in body:
        if (row["quantity"], row["error"], row["region"]) == ("B1", "l1", "cartilage"):
            cell = f"{number(row['mean'], 2)} ({number(row['mean_low'], 2)} to {number(row['mean_high'], 2)})"
            lines.setdefault(row["input_set"], {})[row["against"]] = cell
    cells = [(name, own.get("reference", "-"), own.get("truth", "-")) for name, own in lines.items()]
    return table(("Inputs", "Against the reference", "Against the truth"), cells)


def predicted_b1_lines(body: list[dict[str, str]]) -> str:
    """One row per method and quantity of the fresh people."""
    metrics = (("voxel r", 3), ("normalized L1 [%]", 2), ("L1 to truth", 2))
    cells = [
        (row["method"], row["quantity"], *(number(row[name], digits) for name, digits in metrics))
        for row in body
        if row["people"] == "fresh people" and row["quantity"] != "B1"
    ]
    return table(("Way", "Quantity", "Voxel r", "Normalized L1 [%]", "L1 to truth [ms]"), cells)


def answers(report: Path) -> list[str]:
    """Which numbers come from the data and which from the prior."""
    place, truth = (
        {
            row["quantity"]: float(row["voxel_r_value"] or "nan")
            for row in rows(report, "baselines")
            if row["method"] == label
            and (row["region"], row["against"]) == ("cartilage", "reference")
            and row["quantity"] in ("T1", "T1rho")
        }
        for label in (POSITION_ONLY, TRUTH_ITSELF)
    )
    told = [
        *conclusions(pd.read_csv(report / "responses.csv"), list(INPUT_SETS)),
        position_sentence(place),
        truth_sentence(truth),
    ]
    return [text for text in told if text]


def paired_lines(body: list[dict[str, str]]) -> str:
    """Differences of the error to the truth."""
    lines = []
    for row in body:
        if row["people"].endswith("truth in pure cartilage") and row["metric"] == "normalized_l1":
            value, low, high = (shown(row[key], False) for key in ("difference", "low", "high"))
            lines.append((row["first"], row["second"], row["quantity"], value, f"{low} to {high}"))
    return table(("First", "Second", "Quantity", "First minus second", "95 % interval"), lines)


def segmentation_lines(body: list[dict[str, str]]) -> str:
    """One row per input set and region."""
    lines = [
        (
            row["input_set"],
            row["region"],
            number(row["dice"], 3),
            f"{number(row['dice_low'], 3)} to {number(row['dice_high'], 3)}",
            number(row["hd95"], 2),
            number(row["assd"], 2),
        )
        for row in body
        if row["against"] == "reference"
    ]
    return table(("Inputs", "Region", "Dice", "95 % interval", "HD95", "ASSD"), lines)


def elsewhere_lines(body: list[dict[str, str]]) -> str:
    """One row per kind of people, input set and quantity."""
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in body:
        own = cells.setdefault((row["people"], row["input_set"], row["quantity"]), row)
        own[f"{row['level']} {row['metric']}"] = row["value"]
    lines = [
        (
            *place,
            number(own.get("roi pearson_r", ""), 3),
            number(own.get("voxel pearson_r", ""), 3),
            shown(own.get("voxel normalized_l1_mean", ""), False),
            number(own["l1_truth_pure"], 2),
            number(own["dice"], 3),
        )
        for place, own in cells.items()
    ]
    return table(
        ("People", "Inputs", "Quantity", "ROI r", "Voxel r", "Normalized L1", "L1 to truth", "Dice"), lines
    )


def shown(text: str, correlation: bool) -> str:
    """A number with the digits of its kind; a dash where there is none."""
    if not text:
        return "-"
    return f"{float(text):.3f}" if correlation else f"{100 * float(text):.2f}"


def method_table(body: list[dict[str, str]]) -> str:
    """One row per method."""
    cells: dict[str, dict[str, str]] = {}
    for row in body:
        own = cells.setdefault(row["method"], {"what": row["what"], "dice": row["dice"]})
        own["what"] = row["status"] or own["what"]
        key = (row["quantity"], row["region"], row["against"])
        if key[1:] == ("cartilage", "reference"):
            own[f"roi {key[0]}"], own[f"voxel {key[0]}"] = row["roi_r_value"], row["voxel_r_value"]
        if key[1:] == ("pure_cartilage", "truth"):
            own[f"truth {key[0]}"] = row["l1_value"]
    names = ("roi T1", "roi T1rho", "voxel T1", "voxel T1rho", "truth T1", "truth T1rho", "dice")
    titles = ("ROI r T1", "ROI r T1rho", "voxel r T1", "voxel r T1rho", "L1 to truth T1", "L1 to truth T1rho")
    digits = (3, 3, 3, 3, 1, 2, 3)
    lines = [
        (method, own["what"], *(number(own.get(name, ""), n) for name, n in zip(names, digits, strict=True)))
        for method, own in cells.items()
    ]
    return table(("Method", "What", *titles, "Dice"), lines)


def response_table(body: list[dict[str, str]]) -> str:
    """One row per method."""
    asked = {"T1 slope": ("T1", "T1"), "T1rho slope": ("T1rho", "T1rho")}
    asked |= {"T1, M0 +10 %": ("M0", "T1"), "T1, B1 +5 %": ("B1", "T1")}
    found = {(row["input_set"], row["changed"], row["quantity"]): row for row in body}
    lines = []
    for name in dict.fromkeys(row["input_set"] for row in body):
        line = [name]
        for changed, quantity in asked.values():
            row = found.get((name, changed, quantity))
            factor = 1.0 if changed == quantity else 100.0
            line.append("-" if row is None else f"{factor * float(row['value']):.2f}")
        lines.append(line)
    return table(("Method", *asked), lines)


def number(text: str, digits: int) -> str:
    """The number with so many digits; a dash where there is none."""
    return f"{float(text):.{digits}f}" if text else "-"


if __name__ == "__main__":
    main()
