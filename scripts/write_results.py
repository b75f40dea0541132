"""Writes docs/results from a finished study: the tables as CSV, and the page that shows them.

python scripts/write_results.py OUT        OUT is the folder of `rmqnet study OUT --preset paper` (or small)
"""

import argparse
import csv
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
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


def main() -> None:
    """Copy the tables and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="folder of a finished study")
    study = parser.parse_args().study
    report = study / "report"
    if not (report / "table1.csv").is_file():
        parser.error(f"{report}: has no table1.csv: run `rmqnet study {study}` to its end first")
    preset = json.loads((report / "provenance.json").read_text())["config"]["preset"]
    if preset == "demo":
        parser.error(f"{study}: is a demo, whose numbers mean nothing: give a study of preset small or paper")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        shutil.copyfile(report / f"{name}.csv", RESULTS / f"{name}.csv")
    (RESULTS / "README.md").write_text(page(report, preset), encoding="utf-8")


def page(report: Path, preset: str) -> str:
    """The page as text."""
    verdicts = [row for row in rows(report, "verdicts") if row["people"] == "fresh"]
    counts = Counter(row["verdict"] for row in verdicts)
    told = ", ".join(f"{n} {word}" for word, n in counts.most_common())
    n_people = verdicts[0]["n_people"] if verdicts else "no"
    parts = [
        "# Results",
        "Written by `python scripts/write_results.py OUT` from a finished `rmqnet study OUT --preset "
        f"{preset}`; do not edit. **All people are simulated**; the paper measured 65 others, so this is a "
        "comparison, not a reproduction. [How to repeat it](../how-to/repeat-the-paper.md), [how it is "
        "tested](../decisions/020-how-the-study-is-tested.md).",
        "## Networks",
        table(("Network", "From", "Budget"), [row.values() for row in rows(report, "networks")]),
        f"## Against the paper, {n_people} fresh people",
        f"Of {len(verdicts)} printed numbers: {told}. The 95 % interval decides; normalized L1 in percent.",
        table(
            ("Quantity", "Level", "Metric", "Inputs", "Ours", "95 % interval", "Paper", "Verdict"),
            [verdict_cells(row) for row in verdicts],
        ),
        "## What the network adds",
        "Cartilage against the reference, all methods on the same voxels; L1 to the truth in voxels of at "
        "least 95 % cartilage [ms].",
        method_table(rows(report, "baselines")),
        "## Is it measuring or guessing?",
        "Slope of prediction on truth (1: measured, 0: guessed), and false shifts of T1 [%].",
        response_table(rows(report, "responses")),
        "## Files",
        table(("File", "Holds"), [(f"[{name}.csv]({name}.csv)", what) for name, what in TABLES.items()]),
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
    correlation = row["metric"] == "pearson_r"
    value, low, high, paper = (shown(row[key], correlation) for key in ("value", "low", "high", "paper"))
    metric = "r" if correlation else "normalized L1 [%]"
    level = row["level"] if correlation else "slice"
    return row["quantity"], level, metric, row["input_set"], value, f"{low} to {high}", paper, row["verdict"]


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
