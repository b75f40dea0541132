"""Writes docs/cohort.md: every target of the cohort beside the value reached, with pictures.

python scripts/write_cohort_record.py                     all of it (hours on two cores)
python scripts/write_cohort_record.py difficulty          one part anew, the others as they were
python scripts/write_cohort_record.py --page              the page alone, from the results in docs/cohort
python scripts/write_cohort_record.py pictures --beside FOLDER   also beside the real knee, outside the repository
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "cohort"
PAGE = ROOT / "docs" / "cohort.md"
PARTS: dict[str, str] = {
    "anatomy": "Volumes and thickness",
    "calibration": "T1 and T1rho of the reference",
    "variance": "Where the spread comes from",
    "difficulty": "Difficulty",
    "readers": "Readers and scans",
}
"""Benchmarks behind the page, benchmarks/cohort_<part>.py, and the titles of their sections."""


@dataclass(frozen=True)
class Target:
    """One number to reach."""

    what: str
    part: str
    key: str
    low: float
    high: float
    source: str

    def row(self, results: dict[str, dict[str, float]]) -> str:
        """Row of the table."""
        value = results.get(self.part, {}).get(self.key)
        if value is None:
            return f"| {self.what} | {self.low:g} to {self.high:g} | not measured | - | {self.source} |"
        verdict = "yes" if self.low <= value <= self.high else "**no**"
        return f"| {self.what} | {self.low:g} to {self.high:g} | {value:g} | {verdict} | {self.source} |"


REAL = "68 real knees, mean +- 1 SD"
TARGETS = (
    Target("femoral cartilage, mean [ml]", "anatomy", "femoral_ml", 8.6, 15.2, REAL),
    Target("tibial cartilage, mean [ml]", "anatomy", "tibial_ml", 3.2, 5.6, REAL),
    Target("patellar cartilage, mean [ml]", "anatomy", "patellar_ml", 1.8, 3.8, REAL),
    Target("femoral thickness, mean of medians [mm]", "anatomy", "femoral_mm", 1.55, 2.03, REAL),
    Target("tibial thickness, mean of medians [mm]", "anatomy", "tibial_mm", 1.37, 1.87, REAL),
    Target("patellar thickness, mean of medians [mm]", "anatomy", "patellar_mm", 1.56, 2.34, REAL),
    Target(
        "correlation of bone and cartilage volume",
        "anatomy",
        "bone_cartilage_r",
        0.70,
        0.95,
        "real: 0.80-0.86",
    ),
    Target("mean T1 of the reference [ms]", "calibration", "t1_mean_ms", 955, 1015, "paper, Table 2"),
    Target("mean T1rho of the reference [ms]", "calibration", "t1rho_mean_ms", 39.0, 42.0, "paper, Table 2"),
    Target("pooled voxel SD of T1 [ms]", "calibration", "t1_sd_ms", 255, 292, "paper, Table 2 (derived)"),
    Target(
        "pooled voxel SD of T1rho [ms]", "calibration", "t1rho_sd_ms", 9.9, 12.0, "paper, Table 2 (derived)"
    ),
    Target(
        "perceptron, 1FA+1TSL, T1, M0 and B1 unknown: r",
        "difficulty",
        "t1_r_1fa1tsl_blind",
        0.65,
        0.85,
        "choice",
    ),
    Target(
        "the same, M0 and B1 known: r", "difficulty", "t1_r_1fa1tsl_oracle", 0.96, 1.0, "computed bound 0.988"
    ),
    Target(
        "perceptron, 1FA+1TSL, T1rho, known: r",
        "difficulty",
        "t1rho_r_1fa1tsl_oracle",
        0.92,
        1.0,
        "computed: 0.960 at SNR 60",
    ),
    Target("Dice of two readers, menisci", "readers", "meniscus_dice", 0.79, 0.85, "Byra 2020: 0.820"),
    Target(
        "Dice of two readers, cartilage", "readers", "cartilage_dice", 0.79, 0.85, "Xue 2021, network: 0.82"
    ),
    Target("SNR, median", "readers", "snr_median", 30, 40, "fits the paper's reduced rows"),
    Target("B1 in the leg, lowest", "readers", "b1_low", 0.75, 0.90, "default"),
    Target("B1 in the leg, highest", "readers", "b1_high", 1.05, 1.20, "default"),
)

UNLIKE = """\
## What is still unlike a real knee

- Shapes are smooth formulas with waves on them. A real femur has a rougher outline, a real meniscus a body, horns and
  root that differ more between people, and no two real osteophytes are alike.
- Trabeculae, nutrient vessels, the physeal scar and the fibers of muscles and tendons are textures or missing.
- Cartilage has a linear depth profile and one texture; layers, clefts and delamination are not there. Cartilage of the
  two condyles differs in offset only.
- Fascia, bursae other than the recess and the popliteal cyst, nerves, small vessels, plicae and the posterior capsule
  are not there.
- The receive field is a quadratic polynomial, not that of a coil of several elements; the transmit field too.
- T1 and T1rho of most tissues other than cartilage are means of few people or defaults
  ([table](reference/tables.md#tissues)).
- Motion is an option, during an image and between images; the cohort of the tables has none.
- The second reader errs by smooth random contours. A person also makes mistakes that are no contour errors: a missed
  island, a slice left out, a meniscus taken for cartilage.
- No public UTE T1 and T1rho data of knees exist: means and spread are tied to what the paper implies, not to images.
"""

INTRO = """\
# The cohort, and how near it is to real knees

Written by `python scripts/write_cohort_record.py`; do not edit. Every number below is printed by a benchmark that
anyone can run again: `make bench ONLY=cohort_anatomy` and so on. What the last run printed lies in [cohort](cohort).
Parts are run on their own, some on fewer people: each section says on how many, and what has changed since.

All people are simulated by `rmqnet simulate`; the same seed gives the same arrays on one machine (a test holds it). The
presets are `paper` (65 knees, 256 x 256 x 36), `small` (the same, slices with cartilage only; train on random
128 x 128 crops of it) and `demo` (12 knees of 128 x 128 x 18). The regions of the reader follow a rule: cartilage fills
at least six tenths of a voxel and fluid at most a tenth.
"""

PICTURES = """\
## Pictures

Six of the 65, from left to right: sagittal through the medial condyle and through the middle, coronal, axial.

![Spin-lock time 0, fat saturated](cohort/spin-lock.jpg)

![Flip angle 10 degrees](cohort/flip-angle.jpg)

![True tissues](cohort/tissues.png)

The real knee that we compared with (pyKNEEr, GE MR750) is licensed GPL-3 or CC BY-NC-SA, so its picture is not in this
repository. Who has the data (`../shared/data`) gets both side by side:
`python scripts/write_cohort_record.py pictures --beside FOLDER`.
"""


def run(part: str, n_subjects: int | None) -> None:
    """Run a benchmark, with fewer people where a number is given, and keep what it prints."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"cohort_{part}.py")]
    if n_subjects is not None and part != "anatomy":
        command += ["--subjects", str(n_subjects)]
    result = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{part}.txt").write_text(result.stdout, encoding="utf-8")


def page(results: Path = RESULTS) -> str:
    """The page, from the results in a folder."""
    texts = {part: results / f"{part}.txt" for part in PARTS}
    lines = {
        part: path.read_text(encoding="utf-8").splitlines() for part, path in texts.items() if path.is_file()
    }
    numbers = {part: json.loads(text[-1]) for part, text in lines.items()}
    parts = [
        INTRO,
        "## Targets\n",
        "| what | target | reached | within | where the target is from |",
        "|---|---|---|---|---|",
    ]
    parts += [target.row(numbers) for target in TARGETS]
    parts += [""]
    for part, title in PARTS.items():
        if part in lines:
            parts += [
                f"## {title}",
                "",
                f"`make bench ONLY=cohort_{part}`",
                "",
                "```",
                *lines[part][:-1],
                "```",
                "",
            ]
    return "\n".join([*parts, PICTURES, UNLIKE])


def main() -> None:
    """Run the wanted parts and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "pictures", []], help="none: all")
    parser.add_argument("--page", action="store_true", help="write the page from the results that there are")
    parser.add_argument(
        "--beside", type=Path, metavar="FOLDER", help="where to put pictures beside the real knee"
    )
    parser.add_argument("--subjects", type=int, help="fewer people; not for anatomy, which takes all")
    options = parser.parse_args()
    wanted = [] if options.page else options.parts or [*PARTS, "pictures"]
    for part in wanted:
        if part == "pictures":
            from cohort_pictures import draw_all

            draw_all(RESULTS, options.beside)
        else:
            run(part, options.subjects)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
