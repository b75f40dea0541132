"""Intervals and p values that respect that slices and voxels of one knee are not independent."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MINIMUM_SUBJECTS = 3
"""Fewer subjects than this get no interval and no p value: a default, below it neither says anything."""
MINIMUM_SUBJECTS_BETWEEN = 5
"""Fewer get no interval of the correlation between subjects' means: a default; few points lie on a line."""


@lru_cache(maxsize=64)
def subject_weights(n_subjects: int, n_bootstrap: int, seed: int) -> NDArray[np.float64]:
    """How often each subject is drawn (resample, subject), with replacement; equal for equal arguments."""
    generator = np.random.default_rng([seed, n_subjects])
    return generator.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), n_bootstrap).astype(float)


def percentile_interval(resampled: NDArray[np.float64]) -> tuple[float, float]:
    """2.5 and 97.5 percentile of the resampled values; NaN where more than half of them do not exist."""
    known = resampled[np.isfinite(resampled)]
    if 2 * known.size < resampled.size or known.size == 0:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


@lru_cache(maxsize=64)
def _permutations(n_subjects: int, n_permutations: int, seed: int) -> NDArray[np.int64]:
    generator = np.random.default_rng([seed, n_subjects, 1])
    return generator.permuted(np.tile(np.arange(n_subjects), (n_permutations, 1)), axis=1)


def permutation_p(
    target: NDArray[np.float64], prediction: NDArray[np.float64], n_permutations: int, seed: int
) -> float:
    """Two-sided p value of the correlation between one target and one prediction per subject.

    What is permuted: which subject's mean prediction goes with which subject's mean target. Slices and voxels
    stay with their subject. p = (1 + number of permutations whose |r| is at least the observed) / (1 + n).
    """
    if len(target) < MINIMUM_SUBJECTS or np.ptp(target) == 0 or np.ptp(prediction) == 0:
        return float("nan")
    target = target - target.mean()
    prediction = prediction - prediction.mean()
    observed = abs(prediction @ target)
    shuffled = np.abs(prediction[_permutations(len(target), n_permutations, seed)] @ target)
    # a permutation that gives the same pairing may differ in the last digits
    return float((1 + np.sum(shuffled >= observed * (1 - 1e-12))) / (1 + n_permutations))
