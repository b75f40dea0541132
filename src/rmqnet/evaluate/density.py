"""Counts of voxel pairs in two dimensions, for figures of millions of voxels in bounded memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.evaluate.case import PairedVoxels


@dataclass(eq=False)
class Density:
    """How often a reference value goes with a predicted value, in cartilage, all subjects together."""

    input_set: str
    quantity: str
    edges: NDArray[np.float64]
    """Edges of the bins, the same on both axes [house unit]."""
    counts: NDArray[np.int64]
    """Number of voxels (reference bin, prediction bin)."""
    n_outside: int = 0
    """Voxels beyond the edges; they count in every score but are not drawn."""

    def add(self, pairs: PairedVoxels) -> None:
        """Count more voxels."""
        counts, _, _ = np.histogram2d(pairs.target, pairs.prediction, [self.edges, self.edges])
        self.counts += counts.astype(np.int64)
        self.n_outside += pairs.target.size - int(counts.sum())


def empty_density(input_set: str, quantity: str, first: PairedVoxels, bins: int) -> Density:
    """A density without voxels, over the display range; of arbitrary units, over the first subject's range."""
    described = QUANTITIES[quantity]
    if described.display_range is not None:
        low, high = (value / described.display_factor for value in described.display_range)
    else:
        low, high = 0.0, 1.5 * float(np.max(first.target, initial=1e-6))
    return Density(input_set, quantity, np.linspace(low, high, bins + 1), np.zeros((bins, bins), np.int64))
