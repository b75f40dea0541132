"""Where the damage of a knee is: cartilage defects, marrow lesions, cysts in the bone."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.simulate.disease import COMPARTMENTS, DEEPEST, N_LESIONS, Compartment, Disease

Array = NDArray[np.float64]

_SURFACES: dict[Compartment, tuple[tuple[str, float], ...]] = {
    "medial": (("femur", 0.55), ("tibia", 0.45)),
    "lateral": (("femur", 0.5), ("tibia", 0.5)),
    "patellofemoral": (("trochlea", 0.5), ("patella", 0.5)),
}
"""Surfaces of a compartment and the chance of a defect there: default."""
BACKGROUND_RISK = 0.12
"""Chance of a defect in a compartment relative to one of severity 1, before its own severity: default."""


def draw_lesions(
    disease: Disease, levels: dict[str, float], patella: Array, rng: np.random.Generator
) -> Array:
    """Cartilage defects (defect, 8): center (z, y, x), half widths across and along [mm], loss, phase, side.

    `levels` has y of the tibial bone by compartment, `patella` the middle (z, y, x) of its joint surface. Side is 0
    on the femur, 1 on the tibia and 2 on the patella.
    """
    low, high = N_LESIONS[disease.grade]
    risk = np.array([disease.severity[name] + BACKGROUND_RISK for name in COMPARTMENTS])
    rows = []
    for _ in range(int(rng.integers(low, high + 1))):
        compartment = COMPARTMENTS[int(rng.choice(3, p=risk / risk.sum()))]
        names, chances = zip(*_SURFACES[compartment], strict=True)
        surface = str(rng.choice(names, p=chances))
        center = _center(compartment, surface, levels, patella, rng)
        radius = float(rng.uniform(2.5, 5.5) + 2.4 * min(disease.severity[compartment], 1.0) * rng.uniform())
        stretch = float(rng.uniform(0.7, 1.5))
        loss = float(rng.uniform(*DEEPEST[disease.grade]))
        side = {"tibia": 1.0, "patella": 2.0}.get(surface, 0.0)
        rows.append((*center, radius, radius * stretch, loss, rng.uniform(0, 2 * np.pi), side))
    return np.array(rows, dtype=np.float64).reshape(-1, 8)


def _center(
    compartment: Compartment, surface: str, levels: dict[str, float], patella: Array, rng: np.random.Generator
) -> tuple[float, float, float]:
    """A point on or close to a cartilage surface, in the region that carries load."""
    side = -1.0 if compartment == "lateral" else 1.0
    z = side * float(rng.uniform(15.0, 29.0))
    if surface == "tibia":
        return z, levels[compartment] - 1.0, float(rng.uniform(-10.0, 14.0))
    if surface == "patella":
        return (
            patella[0] + float(rng.uniform(-10.0, 10.0)),
            patella[1] + float(rng.uniform(-10.0, 8.0)),
            patella[2],
        )
    if surface == "trochlea":
        return float(rng.uniform(-12.0, 10.0)), float(rng.uniform(-36.0, -22.0)), -28.0
    angle = float(rng.uniform(-0.6, 0.9))
    return z, -26.0 + 25.0 * float(np.cos(angle)), 3.0 + 26.0 * float(np.sin(angle))


def draw_marrow_lesions(disease: Disease, lesions: Array, rng: np.random.Generator) -> Array:
    """Marrow lesions (lesion, 8): center (z, y, x), half widths [mm], strength, phase.

    They lie in the bone under deep cartilage defects, more often the worse the disease.
    """
    rows = []
    for z, y, x, across, along, loss, phase, side in lesions:
        if loss < 0.4 or rng.uniform() > 0.25 + 0.6 * min(disease.worst, 1.0):
            continue
        depth = float(rng.uniform(3.0, 7.0))
        into = {0.0: _into_femur(y, x), 1.0: (1.0, 0.0), 2.0: (0.0, -1.0)}[float(side)]
        middle = (z, y + 0.55 * depth * into[0], x + 0.55 * depth * into[1])
        widths = (across * rng.uniform(0.8, 1.5), depth, along * rng.uniform(0.8, 1.5))
        rows.append((*middle, *widths, rng.uniform(0.5, 1.0), phase))
    return np.array(rows, dtype=np.float64).reshape(-1, 8)


def _into_femur(y: float, x: float) -> tuple[float, float]:
    """Direction (y, x) from the surface of the femur into the bone."""
    length = float(np.hypot(y + 26.0, x - 3.0))
    return -(y + 26.0) / length, -(x - 3.0) / length


def draw_cysts(disease: Disease, lesions: Array, rng: np.random.Generator) -> Array:
    """Cysts in the bone (cyst, 4): center (z, y, x) and radius [mm]; only under bare bone of advanced disease."""
    rows = []
    for z, y, x, _, _, loss, _, side in lesions:
        if loss < 0.9 or disease.grade < 3 or rng.uniform() > 0.6:
            continue
        for _ in range(int(rng.integers(1, 4))):
            radius = float(rng.uniform(0.9, 2.8))
            into = {0.0: _into_femur(y, x), 1.0: (1.0, 0.0), 2.0: (0.0, -1.0)}[float(side)]
            step = radius + float(rng.uniform(1.5, 4.0))
            offset = rng.uniform(-3.0, 3.0, 2)
            rows.append((z + offset[0], y + step * into[0], x + step * into[1] + offset[1], radius))
    return np.array(rows, dtype=np.float64).reshape(-1, 4)
