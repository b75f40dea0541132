"""Focal cartilage defects: where they are and how deep."""

import numpy as np
from numpy.typing import NDArray

COUNT: dict[str, tuple[int, int]] = {
    "control": (0, 1),
    "doubtful_minimal": (1, 3),
    "moderate_severe": (3, 8),
}
"""Lowest and highest number of lesions by group: PHYSICS 5.5."""
_LOSS: dict[str, tuple[float, float]] = {
    "control": (0.0, 0.1),
    "doubtful_minimal": (0.2, 0.5),
    "moderate_severe": (0.4, 1.2),
}
"""Part of the thickness lost in the middle of a lesion; above 1 the bone is bare over a patch. Default."""

_SURFACES = ("medial_femur", "medial_tibia", "lateral_femur", "lateral_tibia", "trochlea", "patella")
_CHANCE = (0.30, 0.22, 0.10, 0.10, 0.14, 0.14)
"""Chance of a lesion by surface: default, most often medial."""


def draw_lesions(
    group: str, medial_level: float, lateral_level: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Lesions (lesion, 5): center (z, y, x) in the knee frame, radius [mm], part of the thickness lost."""
    low, high = COUNT[group]
    rows = []
    for _ in range(int(rng.integers(low, high + 1))):
        surface = str(rng.choice(_SURFACES, p=_CHANCE))
        level = medial_level if surface.startswith("medial") else lateral_level
        rows.append((*_center(surface, level, rng), rng.uniform(3.5, 7.5), rng.uniform(*_LOSS[group])))
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


def _center(surface: str, level: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """A point on or close to a cartilage surface, in the region that carries load."""
    z = float(rng.uniform(17.0, 30.0)) * (-1.0 if surface.startswith("lateral") else 1.0)
    if surface.endswith("tibia"):
        return z, level - 1.0, float(rng.uniform(-10.0, 14.0))
    if surface == "patella":
        return float(rng.uniform(-12.0, 8.0)), float(rng.uniform(-44.0, -30.0)), -33.0
    if surface == "trochlea":
        return float(rng.uniform(-10.0, 10.0)), float(rng.uniform(-36.0, -22.0)), -28.0
    angle = float(rng.uniform(-0.6, 0.9))
    return z, -26.0 + 25.0 * float(np.cos(angle)), 3.0 + 26.0 * float(np.sin(angle))
