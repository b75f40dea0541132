"""Errors of the map per slice, as in Table 2 of the paper."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rmqnet.evaluate.case import PairedVoxels

ERROR_METRICS = ("l1", "l2", "l2_paper", "normalized_l1", "normalized_l2", "normalized_l2_paper")
"""Names of the errors of one slice, in the order of `slice_errors`."""


def slice_errors(pairs: PairedVoxels, minimum: int) -> pd.DataFrame:
    """Errors of each slice with at least `minimum` voxels; columns: slice, n_voxels and ERROR_METRICS.

    l1: mean absolute difference. l2: root mean squared difference. l2_paper: Euclidean norm of the
    differences over their number, which is what the paper's L2 must be (17 to 19 times smaller than its L1,
    impossible for a root mean square). normalized: divided by the mean target of the slice.
    """
    difference = pairs.prediction - pairs.target
    slices, group = np.unique(pairs.slice_index, return_inverse=True)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(group, weights=values, minlength=len(slices)).astype(np.float64)

    n_voxels = np.bincount(group, minlength=len(slices))
    mean_target = total(pairs.target) / n_voxels
    squares = total(difference**2)
    errors = {
        "l1": total(np.abs(difference)) / n_voxels,
        "l2": np.sqrt(squares / n_voxels),
        "l2_paper": np.sqrt(squares) / n_voxels,
    }
    errors |= {f"normalized_{name}": values / mean_target for name, values in errors.items()}
    table = pd.DataFrame({"slice": slices, "n_voxels": n_voxels, **errors})
    return table.loc[table["n_voxels"] >= minimum].reset_index(drop=True)
