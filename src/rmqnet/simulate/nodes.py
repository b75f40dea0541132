"""Few values in place of many: a family of smooth curves, told by their values at some of the samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Nodes:
    """Samples at which curves are computed, and how to get all others from them."""

    index: NDArray[np.intp]
    """The chosen samples."""
    weights: NDArray[np.complex128]
    """Weights (node, sample): the curve is about the sum of its values at the nodes times these."""
    error: float
    """Largest error over all curves and samples, relative to the largest value."""


def choose_nodes(curves: NDArray[np.complex128], tolerance: float) -> Nodes:
    """Fewest evenly spaced nodes that give all curves (curve, sample) within this relative tolerance.

    The weights are those of least squares over the curves, as in time-segmented reconstruction (Sutton 2003, IEEE
    TMI 22:178).
    """
    n_samples = curves.shape[1]
    largest = float(np.abs(curves).max()) or 1.0
    for count in range(1, n_samples):
        index = np.unique(
            np.rint(
                np.linspace(0, n_samples - 1, count + 2)[1:-1]
                if count < 2
                else np.linspace(0, n_samples - 1, count)
            ).astype(np.intp)
        )
        weights = np.linalg.lstsq(curves[:, index], curves, rcond=1e-9)[0]
        error = float(np.abs(curves[:, index] @ weights - curves).max()) / largest
        if error <= tolerance:
            return Nodes(index, weights.astype(np.complex128), error)
    return Nodes(np.arange(n_samples), np.eye(n_samples, dtype=np.complex128), 0.0)
