"""Correlation and agreement from six sums per subject, so that millions of voxels cost nothing to resample."""

import numpy as np
from numpy.typing import NDArray

N_SUMS = 6
"""Count, sum of target, of prediction, of target squared, of prediction squared, of their product."""

AGREEMENT_METRICS = (
    "pearson_r",
    "lin_ccc",
    "slope",
    "intercept",
    "bias",
    "limit_low",
    "limit_high",
    "between_subject_r",
    "within_subject_r",
)
"""Names of the metrics of `agreement`, in the order of its docstring."""


def sums_of(target: NDArray[np.float64], prediction: NDArray[np.float64]) -> NDArray[np.float64]:
    """The six sums (N_SUMS,) of one subject."""
    x, y = np.asarray(target, np.float64), np.asarray(prediction, np.float64)
    return np.array([x.size, x.sum(), y.sum(), x @ x, y @ y, x @ y])


def agreement(sums: NDArray[np.float64], weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Metrics (resample,) of the subjects' sums (subject, N_SUMS) under weights (resample, subject).

    pearson_r, lin_ccc: Pearson's and Lin's concordance correlation over all pooled pairs. slope, intercept:
    of the fit of prediction on target. bias: mean of prediction minus target. limit_low, limit_high: bias
    -+ 1.96 SD of the pooled differences. between_subject_r: correlation of the subjects' means, each subject
    counting once. within_subject_r: correlation after each subject's own means are taken off.
    """
    # sums of squares about a common center lose no digits to a large mean
    centered, floor = _centered(sums), _floor(sums)
    n, x, y, xx, yy, xy = (weights @ centered).T
    with np.errstate(invalid="ignore", divide="ignore"):
        variance_x, variance_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
        covariance = xy / n - x * y / n**2
        center_x, center_y = _centers(sums)
        bias = (y - x) / n + center_y - center_x
        slope = covariance / np.where(variance_x > floor[0], variance_x, np.nan)
        spread = np.maximum(variance_x + variance_y - 2 * covariance, 0) * n / (n - 1)
        metrics = {
            "pearson_r": _ratio(covariance, variance_x, variance_y, floor),
            "lin_ccc": 2 * covariance / (variance_x + variance_y + bias**2),
            "slope": slope,
            "intercept": y / n + center_y - slope * (x / n + center_x),
            "bias": bias,
            "limit_low": bias - 1.96 * np.sqrt(spread),
            "limit_high": bias + 1.96 * np.sqrt(spread),
            "between_subject_r": _between(centered, weights, floor),
            "within_subject_r": _within(centered, weights, floor),
        }
    return metrics


def subject_means(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean target and mean prediction of each subject."""
    return sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0]


def _centers(sums: NDArray[np.float64]) -> tuple[float, float]:
    total = sums.sum(axis=0)
    return total[1] / total[0], total[2] / total[0]


def _centered(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b = _centers(sums)
    n, x, y, xx, yy, xy = sums.T
    squares_x = xx - 2 * a * x + n * a * a
    squares_y = yy - 2 * b * y + n * b * b
    products = xy - a * y - b * x + n * a * b
    return np.stack([n, x - n * a, y - n * b, squares_x, squares_y, products], axis=1)


def _between(
    sums: NDArray[np.float64], weights: NDArray[np.float64], floor: tuple[float, float]
) -> NDArray[np.float64]:
    x, y = subject_means(sums)
    n = weights.sum(axis=1)
    mean_x, mean_y = weights @ x / n, weights @ y / n
    return _ratio(
        weights @ (x * y) / n - mean_x * mean_y,
        weights @ (x * x) / n - mean_x**2,
        weights @ (y * y) / n - mean_y**2,
        floor,
    )


def _within(
    sums: NDArray[np.float64], weights: NDArray[np.float64], floor: tuple[float, float]
) -> NDArray[np.float64]:
    n, x, y, xx, yy, xy = sums.T
    size = weights @ n
    covariance = weights @ (xy - x * y / n) / size
    return _ratio(covariance, weights @ (xx - x * x / n) / size, weights @ (yy - y * y / n) / size, floor)


def _ratio(
    covariance: NDArray[np.float64],
    variance_x: NDArray[np.float64],
    variance_y: NDArray[np.float64],
    floor: tuple[float, float],
) -> NDArray[np.float64]:
    """Correlation; NaN where a variance is only rounding."""
    possible = (variance_x > floor[0]) & (variance_y > floor[1])
    r = covariance / np.sqrt(np.where(possible, variance_x * variance_y, np.nan))
    return np.clip(r, -1.0, 1.0)


def _floor(sums: NDArray[np.float64]) -> tuple[float, float]:
    """Variances below which a value counts as constant: a millionth of its root mean square."""
    total = sums.sum(axis=0)
    return 1e-12 * total[3] / total[0], 1e-12 * total[4] / total[0]
