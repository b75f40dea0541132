"""Volumes and thicknesses of the 65 knees beside those of 68 real ones (PHYSICS 5.4b).

Shapes only: the points of a grid finer than that of the scans, over the same field of view. An argument takes every
n-th knee.
"""

import json
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.anatomy_parameters import Anatomy, draw_anatomy
from rmqnet.simulate.cohort import plan_cohort
from rmqnet.simulate.config import preset
from rmqnet.simulate.rasterize import rasterize

SHAPE = (154, 416, 416)
"""Points (z, y, x): 0.7 x 0.36 x 0.36 mm as of the real knees, over the field of view of the paper.

Thickness depends on the grid: 0.6 mm in plane makes it about a tenth thicker."""
REAL: dict[str, tuple[float, float, float, float]] = {
    "femur_ml": (175.5, 36.4, 125, 265),
    "tibia_ml": (116.7, 25.7, 81, 185),
    "patella_ml": (18.3, 5.5, 11.5, 32.2),
    "femoral_ml": (11.9, 3.3, 7.5, 20.9),
    "tibial_ml": (4.4, 1.2, 2.7, 7.9),
    "patellar_ml": (2.8, 1.0, 0.7, 5.5),
    "femoral_mm": (1.79, 0.24, 1.31, 2.41),
    "tibial_mm": (1.62, 0.25, 1.03, 2.19),
    "patellar_mm": (1.95, 0.39, 0.82, 3.00),
    "femoral_mm95": (2.92, np.nan, np.nan, np.nan),
    "tibial_mm95": (3.12, np.nan, np.nan, np.nan),
    "patellar_mm95": (3.38, np.nan, np.nan, np.nan),
}
"""Mean, standard deviation, lowest and highest of the real knees; `mm95` is the 95th percentile within a knee."""
PAIRS = {
    ("bone_ml", "femoral_ml"): 0.86,
    ("bone_ml", "tibial_ml"): 0.81,
    ("bone_ml", "patellar_ml"): 0.80,
    ("femoral_ml", "tibial_ml"): 0.90,
}
"""Correlations between real knees."""
GROUPS = {
    "femoral": ("femoral_cartilage",),
    "tibial": ("medial_tibial_cartilage", "lateral_tibial_cartilage"),
    "patellar": ("patellar_cartilage",),
}
BONES = {"femur": "femoral_marrow", "tibia": "tibial_marrow", "patella": "patellar_marrow"}


@dataclass(frozen=True, eq=False)
class Labels:
    """Tissues at points of a knee."""

    labels: NDArray[np.uint8]
    spacing: tuple[float, float, float]

    def mask(self, *names: str) -> NDArray[np.bool_]:
        """True at points of these tissues."""
        return np.isin(self.labels, [TISSUES[name].label for name in names])

    def milliliters(self, mask: NDArray[np.bool_]) -> float:
        """Volume."""
        return float(mask.sum() * np.prod(self.spacing) / 1000)


def bones(knee: Labels) -> dict[str, float]:
    """Volume of each bone with the plate and calcified cartilage next to it [ml], from every second point."""
    coarse = Labels(
        knee.labels[::2, ::2, ::2], (2 * knee.spacing[0], 2 * knee.spacing[1], 2 * knee.spacing[2])
    )
    marrows = [TISSUES[name].label for name in [*BONES.values(), "fibular_marrow"]]
    hard = coarse.mask("cortical_bone", "calcified_cartilage")
    nearest = distance_transform_edt(
        ~np.isin(coarse.labels, marrows), coarse.spacing, return_distances=False, return_indices=True
    )
    owner = np.where(hard, coarse.labels[tuple(np.asarray(nearest))], coarse.labels)
    return {name: coarse.milliliters(owner == TISSUES[marrow].label) for name, marrow in BONES.items()}


def thickness(cartilage: NDArray[np.bool_], bone: NDArray[np.bool_], knee: Labels) -> NDArray[np.float64]:
    """Distance from the bone [mm] at every point of the outer surface of a cartilage."""
    rows = np.argwhere(cartilage)
    low, high = rows.min(axis=0) - 8, rows.max(axis=0) + 9
    box = tuple(slice(max(first, 0), last) for first, last in zip(low, high, strict=True))
    inside, under = cartilage[box], bone[box]
    surface = inside & ~np.asarray(binary_erosion(inside | under), bool)
    return np.asarray(distance_transform_edt(~under, knee.spacing))[surface]


def measure(anatomy: Anatomy, subject: Subject) -> dict[str, float]:
    """Volumes and thicknesses of one knee, and the thickness of each tibial plateau."""
    field = preset("paper").field_of_view
    spacing = (field[0] / SHAPE[0], field[1] / SHAPE[1], field[2] / SHAPE[2])
    knee = Labels(rasterize(anatomy, subject.side, SHAPE, spacing, (1, 1, 1)).label, spacing)
    row: dict[str, float] = {}
    for name, volume in bones(knee).items():
        row[f"{name}_ml"] = volume
    bone = knee.mask(*BONES.values(), "cortical_bone", "calcified_cartilage")
    row["bone_ml"] = sum(row[f"{name}_ml"] for name in BONES)
    for name, tissues in GROUPS.items():
        mask = knee.mask(*tissues)
        row[f"{name}_ml"] = knee.milliliters(mask)
        distance = thickness(mask, bone, knee)
        row[f"{name}_mm"] = float(np.median(distance))
        row[f"{name}_mm95"] = float(np.percentile(distance, 95))
    for side in ("medial", "lateral"):
        distance = thickness(knee.mask(f"{side}_tibial_cartilage"), bone, knee)
        row[f"{side}_tibial_mm"] = float(np.median(distance))
    return row


def table(rows: list[dict[str, float]]) -> None:
    """Print each quantity beside the real knees, marked where the mean, or the range, lies outside."""
    print("quantity          mean +- SD (min-max)              real knees")
    for name, (mean, sd, low, high) in REAL.items():
        values = np.array([row[name] for row in rows])
        real = f"{mean:g}" if np.isnan(sd) else f"{mean:g} +- {sd:g} ({low:g}-{high:g})"
        off = "" if np.isnan(sd) or abs(values.mean() - mean) <= sd else "  MEAN OFF"
        wide = "" if np.isnan(low) or (values.min() >= low and values.max() <= high) else "  RANGE OFF"
        print(
            f"{name:16s} {values.mean():7.2f} +- {values.std(ddof=1):5.2f} ({values.min():.2f}-{values.max():.2f})"
            f"   {real}{off}{wide}"
        )


def correlations(rows: list[dict[str, float]]) -> float:
    """Print the correlations between knees; gives that of the volumes of all bone and all cartilage."""

    def column(name: str) -> NDArray[np.float64]:
        return np.array([row[name] for row in rows])

    for (first, second), real in PAIRS.items():
        print(f"r({first}, {second}) {np.corrcoef(column(first), column(second))[0, 1]:.2f}   real {real}")
    cartilage = sum(column(f"{name}_ml") for name in GROUPS)
    return float(np.corrcoef(column("bone_ml"), cartilage)[0, 1])


def main() -> None:
    config = preset("paper")
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    people = list(enumerate(plan_cohort(config)))[::step]
    rows = [
        measure(draw_anatomy(person, np.random.default_rng([config.seed, index])), person)
        for index, person in people
    ]
    table(rows)
    ratio = correlations(rows)
    columns = [*(f"{name}_mm" for name in GROUPS), "medial_tibial_mm", "lateral_tibial_mm"]
    for grade in range(5):
        own = [row for row, (_, person) in zip(rows, people, strict=True) if person.kl_grade == grade]
        means = ", ".join(f"{name} {np.mean([row[name] for row in own]):.2f}" for name in columns if own)
        print(f"KL {grade} ({len(own)}): {means}")
    keys = [f"{name}_{unit}" for unit in ("ml", "mm") for name in GROUPS]
    result = {key: round(float(np.mean([row[key] for row in rows])), 2) for key in keys}
    print(json.dumps({**result, "bone_cartilage_r": round(ratio, 3)}))


if __name__ == "__main__":
    main()
