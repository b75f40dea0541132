"""Which slices are medial: a network that sees one slice at a time can't know, the shape of the knee tells."""

import numpy as np
from numpy.typing import NDArray

PAIRS = (
    ("lateral_tibial_cartilage", "medial_tibial_cartilage"),
    ("lateral_meniscus", "medial_meniscus"),
)
"""Tissues of which a sagittal slice through the knee holds the lateral or the medial one, not both."""
DEEPEST_VALLEY = 0.5
"""Tissue between the halves of the knee, as part of the smaller half's largest slice, above which there are no two
halves: a default. Between the plateaus of 65 simulated knees are slices without any, at most 10 %."""


def one_side_per_slice(probabilities: NDArray[np.float32], tissues: tuple[str, ...]) -> NDArray[np.float32]:
    """Probabilities (tissue, slice, y, x), from lateral to medial, in which each slice has one side.

    Tibial cartilage and menisci lie in two heaps of slices; the cut between them is where both are narrowest (least sum
    of squared distances to their middles). A scan with one heap only shows one half of the knee, and gets the side that
    most probability speaks for. The probabilities of a pair are added (at most 1) and given to the side of the slice:
    what is cartilage or meniscus stays so. Nothing changes where the network segments no pair.
    """
    pairs = [(tissues.index(a), tissues.index(b)) for a, b in PAIRS if a in tissues and b in tissues]
    if not pairs:
        return probabilities
    # small probabilities in all other voxels of a slice would fill the valley
    likely = probabilities.sum(axis=0) > 0.5
    lateral, medial = (
        (probabilities[list(side)] * likely).sum(axis=(0, 2, 3), dtype=np.float64)
        for side in zip(*pairs, strict=True)
    )
    first_medial = cut_between(lateral + medial)
    if first_medial is None:
        first_medial = 0 if medial.sum() > lateral.sum() else len(medial)
    chosen = probabilities.copy()
    for a, b in pairs:
        both = np.minimum(probabilities[a] + probabilities[b], np.float32(1))
        chosen[a], chosen[b] = both, both
        chosen[a, first_medial:] = 0
        chosen[b, :first_medial] = 0
    return chosen


def cut_between(mass: NDArray[np.float64]) -> int | None:
    """Number of the first slice of the second of two heaps; None where there is one heap, or none."""
    place = np.arange(len(mass))
    # sums up to each cut: of the mass, and of its first and second moment
    sums = np.stack([np.cumsum(mass * place**power) for power in (0, 1, 2)])[:, :-1]
    whole = np.array([(mass * place**power).sum() for power in (0, 1, 2)])[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = [part[2] - part[1] ** 2 / part[0] for part in (sums, whole - sums)]
    width = np.where((sums[0] > 0) & (sums[0] < whole[0]), spread[0] + spread[1], np.inf)
    if not len(width) or not np.isfinite(width).any():
        return None
    cut = int(np.argmin(width)) + 1
    valley = mass[cut - 1 : cut + 1].min()
    return cut if valley <= DEEPEST_VALLEY * min(mass[:cut].max(), mass[cut:].max()) else None
