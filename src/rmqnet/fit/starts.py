"""Start values of each problem, compiled by numba: all but the amplitude, which follows from the others.

Each function takes the work array, the number n of voxels in the tile, its width, the places (contrast,) of the
measured rows, known (quantity * width + voxel) and the settings (contrast, setting) of each part, and writes
first (free * width + voxel) in the order of the problem's free quantities. A start outside the bounds is moved onto
them by the solver.
"""

import numpy as np
from numba import njit

from rmqnet.fit.lane_math import cos, log, sin
from rmqnet.physics.kernels import FASTMATH

FIRST_T1, FIRST_T1RHO = 1.0, 0.04
"""T1 and T1rho [s] where noise leaves none to begin with: defaults."""


@njit(nogil=True, fastmath=set(FASTMATH), error_model="numpy")
def _t1_of_line(work, n, width, places, known, settings, T1):
    """T1 from the line S / sin = E * S / tan + M0 * (1 - E) (DESPOT1) through the flip angles; known begins with B1."""
    sums = np.zeros(4 * width)
    for c in range(settings.shape[0]):
        place = places[c] * width
        angle = settings[c, 0] * (np.pi / 180.0)
        for lane in range(n):
            y = work[place + lane] / sin(known[lane] * angle)
            x = y * cos(known[lane] * angle)
            sums[lane] += x
            sums[width + lane] += y
            sums[2 * width + lane] += x * x
            sums[3 * width + lane] += x * y
    n_images, repetition_time = float(settings.shape[0]), settings[0, 1]
    for lane in range(n):
        sx, sy, sxx, sxy = sums[lane], sums[width + lane], sums[2 * width + lane], sums[3 * width + lane]
        slope = (n_images * sxy - sx * sy) / (n_images * sxx - sx * sx)
        usable = (slope > 0.2) & (slope < 0.9999)
        T1[lane] = -repetition_time / log(slope if usable else np.exp(-repetition_time / FIRST_T1))


@njit(nogil=True, fastmath=set(FASTMATH), error_model="numpy")
def _time_of_decay(work, n, width, places, settings, T1rho):
    """Time constant of a decay, by a line through the logarithms weighted by the squared signal."""
    sums = np.zeros(5 * width)
    for c in range(settings.shape[0]):
        place, time = places[c] * width, settings[c, 0]
        for lane in range(n):
            signal = work[place + lane]
            held = signal if signal > 1e-300 else 1e-300
            weight = held * held
            y = log(held)
            sums[lane] += weight
            sums[width + lane] += weight * time
            sums[2 * width + lane] += weight * y
            sums[3 * width + lane] += weight * time * time
            sums[4 * width + lane] += weight * time * y
    for lane in range(n):
        sw, sx, sy, sxx = sums[lane], sums[width + lane], sums[2 * width + lane], sums[3 * width + lane]
        rate = -(sw * sums[4 * width + lane] - sx * sy) / (sw * sxx - sx * sx)
        usable = (rate > 3.0) & (rate < 1000.0)
        T1rho[lane] = 1.0 / (rate if usable else 1.0 / FIRST_T1RHO)


@njit(nogil=True, error_model="numpy")
def line(work, n, width, places, known, settings, first):
    """M0 and T1 of flip-angle images."""
    _t1_of_line(work, n, width, places, known, settings[0], first[width:])


@njit(nogil=True, error_model="numpy")
def decay(work, n, width, places, known, settings, first):  # noqa: ARG001  # one signature for all
    """M0 and T1rho of a decay."""
    _time_of_decay(work, n, width, places, settings[0], first[width:])


@njit(nogil=True, error_model="numpy")
def decay_and_offset(work, n, width, places, known, settings, first):  # noqa: ARG001  # one signature for all
    """M0, T1rho and the offset."""
    _time_of_decay(work, n, width, places, settings[0], first[width:])
    for lane in range(n):
        first[width + lane] *= 0.8
        first[2 * width + lane] = 0.05


@njit(nogil=True, error_model="numpy")
def stretched(work, n, width, places, known, settings, first):  # noqa: ARG001  # one signature for all
    """M0, T1rho and the exponent."""
    _time_of_decay(work, n, width, places, settings[0], first[width:])
    for lane in range(n):
        first[2 * width + lane] = 0.9


@njit(nogil=True, error_model="numpy")
def two_components(work, n, width, places, known, settings, first):  # noqa: ARG001  # one signature for all
    """M0, T1rho of the short component, the difference to that of the long one, and the short part."""
    _time_of_decay(work, n, width, places, settings[0], first[width:])
    for lane in range(n):
        single = first[width + lane]
        first[width + lane] = 0.4 * single
        first[2 * width + lane] = single
        first[3 * width + lane] = 0.4


@njit(nogil=True, error_model="numpy")
def flip_angle_pair(work, n, width, places, known, settings, first):  # noqa: ARG001  # one signature for all
    """M0 and B1 by the closed form of Yarnykh 2007: cos = (n r - 1) / (n - r) with r = S2 / S1, n = TR2 / TR1."""
    table = settings[0]
    short = 0 if table[0, 1] < table[1, 1] else 1
    times = table[1 - short, 1] / table[short, 1]
    for lane in range(n):
        ratio = work[places[1 - short] * width + lane] / work[places[short] * width + lane]
        cosine = (ratio * times - 1.0) / (times - ratio)
        held = cosine if abs(cosine) < 1.0 else 0.7
        first[width + lane] = np.arccos(held) / (table[0, 0] * (np.pi / 180.0))


@njit(nogil=True, error_model="numpy")
def line_and_decay(work, n, width, places, known, settings, first):
    """M0, T1 and T1rho of flip-angle and spin-lock images together."""
    n_angles = settings[0].shape[0]
    if n_angles > 1:
        _t1_of_line(work, n, width, places, known, settings[0], first[width:])
    else:
        first[width : 2 * width] = FIRST_T1
    _time_of_decay(work, n, width, places[n_angles:], settings[1], first[2 * width :])


STARTS = {
    ("M0", "T1"): "line",
    ("M0", "B1"): "flip_angle_pair",
    ("M0", "T1rho"): "decay",
    ("M0", "T1rho", "offset"): "decay_and_offset",
    ("M0", "T1rho", "stretching_exponent"): "stretched",
    ("M0", "T1rho_short", "T1rho_long", "short_fraction"): "two_components",
    ("M0", "T1", "T1rho"): "line_and_decay",
}
"""Start function by the free quantities of a problem."""
