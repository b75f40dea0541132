"""Bessel functions of the Rice distribution, as Chebyshev series of scipy's, made when the module is imported."""

import numpy as np
from numba import njit
from numpy.polynomial import Chebyshev
from numpy.typing import NDArray
from scipy.special import i0e, i1e

BORDER = 12.0
"""Below, series in z; above, in 12 / z: a default that keeps both within 1e-12 at this degree."""
_DEGREE = 40


def _series(function) -> NDArray[np.float64]:
    """Chebyshev coefficients of a function over [0, 1]."""
    return np.asarray(Chebyshev.interpolate(function, _DEGREE, domain=[0.0, 1.0]).coef, np.float64)


def _z_of(part: NDArray[np.float64]) -> NDArray[np.float64]:
    return BORDER / np.maximum(part, 1e-9)


_RATIO_NEAR = _series(lambda part: i1e(BORDER * part) / i0e(BORDER * part))
_RATIO_FAR = _series(lambda part: i1e(_z_of(part)) / i0e(_z_of(part)))
_LOG_NEAR = _series(lambda part: np.log(i0e(BORDER * part)))
_LOG_FAR = _series(lambda part: np.log(i0e(_z_of(part)) * np.sqrt(_z_of(part))))


@njit(error_model="numpy")
def _sum(coefficients, part):
    """Value of a Chebyshev series over [0, 1] (Clenshaw)."""
    x = 2.0 * part - 1.0
    ahead, current = 0.0, 0.0
    for k in range(_DEGREE, 0, -1):
        ahead, current = current, 2.0 * x * current - ahead + coefficients[k]
    return x * current - ahead + coefficients[0]


@njit(error_model="numpy")
def bessel_ratio(z):
    """I1(z) / I0(z) for z >= 0; negative z count as 0."""
    if z <= 0.0:
        return 0.0
    return _sum(_RATIO_NEAR, z / BORDER) if z < BORDER else _sum(_RATIO_FAR, BORDER / z)


@njit(error_model="numpy")
def log_scaled_bessel(z):
    """log(I0(z) exp(-z)) for z >= 0; negative z count as 0."""
    if z <= 0.0:
        return 0.0
    if z < BORDER:
        return _sum(_LOG_NEAR, z / BORDER)
    return _sum(_LOG_FAR, BORDER / z) - 0.5 * np.log(z)
