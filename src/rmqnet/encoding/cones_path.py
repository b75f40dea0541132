"""One cone: the path that samples it without gaps, and the fastest way along that path.

A point at the part rho of the way out lies at k = rho (A exp(i phi(rho)), B): A in the plane, B along z. Source of the
twist: Gurney 2006, MRM 55:575. Source of the timing: Lustig 2008, IEEE TMI 27:866 (phase plane, two passes).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

GYROMAGNETIC = 42577.478518
"""Gyromagnetic ratio of the proton over 2 pi [1/mm per T/m s]: CODATA, 42.577 MHz/T."""
N_NODES = 2000
"""Places along a path at which speed is computed: default."""
N_HALVINGS = 26
"""Steps of the search for the number of interleaves: to a millionth."""
ONSET = 1.5
"""Where the twist is exact from, in radii at which neighbors are one cell apart; before it the twist grows along the
tangent, so that the path has no corner. Default."""
SAFETY = 0.998
"""Part of the limits that is used: waveforms are made of finite steps. Default."""


@dataclass(frozen=True)
class ConeShape:
    """A cone in k-space, and how finely it must be sampled."""

    radius: float
    """Distance of its end from the axis, A [1/mm]."""
    height: float
    """Height of its end, B [1/mm]."""
    cells_radius: float
    """The same distance in cells of 1 / field of view."""
    cells_height: float
    """The same height in cells of 1 / field of view."""


@dataclass(frozen=True, eq=False)
class ConePath:
    """A timed path from the center to the end of a cone."""

    rho: NDArray[np.float64]
    """Part of the way out (time,)."""
    angle: NDArray[np.float64]
    """Turn about the axis (time,) [radian]."""
    n_interleaves: float
    """Turned copies with which the cone is sampled fully; not a whole number yet."""


@njit(cache=True, nogil=True)
def _twist(rho, n, cells, length):
    """Turn per rho, and its derivative: sqrt((2 pi rho cells / n)^2 - 1) length / (rho cells), without a corner."""
    scale = 2 * np.pi * cells / n
    x = rho * scale
    if x <= 1 / ONSET:
        return 0.0, 0.0
    if x < ONSET:
        root = np.sqrt(ONSET * ONSET - 1)
        needed = root + (x - ONSET) * ONSET / root
        slope = ONSET / root
    else:
        needed = np.sqrt(x * x - 1)
        slope = x / needed
    gain = length / cells
    return gain * needed / rho, gain * (slope * scale / rho - needed / (rho * rho))


@njit(cache=True, nogil=True)
def _timing(n, radius, height, cells, length, k_speed, k_slew, rhos, times, speeds, angles):
    """Fills time, speed in rho and angle at these rho; k_speed [1/mm/s] and k_slew [1/mm/s^2] limit the way."""
    last = times.size - 1
    way = np.empty(last + 1)
    curvature = np.empty(last + 1)
    angles[0] = 0.0
    turn_before = 0.0
    for i in range(last + 1):
        rho = rhos[i]
        turn, turn_slope = _twist(rho, n, cells, length) if i else (0.0, 0.0)
        across = radius * rho * turn
        way[i] = np.sqrt(radius * radius + height * height + across * across)
        bend_in = -radius * rho * turn * turn
        bend_across = radius * (2 * turn + rho * turn_slope)
        # cross product of the first and second derivative, in the frame that turns with the path
        c0 = -height * bend_across
        c1 = height * bend_in
        c2 = radius * bend_across - across * bend_in
        curvature[i] = np.sqrt(c0 * c0 + c1 * c1 + c2 * c2) / way[i] ** 3
        if i:
            angles[i] = angles[i - 1] + 0.5 * (turn + turn_before) * (rho - rhos[i - 1])
        turn_before = turn
    square = np.empty(last + 1)
    square[0] = 0.0
    for i in range(last):
        length_step = 0.5 * (way[i] + way[i + 1]) * (rhos[i + 1] - rhos[i])
        spare = k_slew * k_slew - (curvature[i] * square[i]) ** 2
        top = min(k_speed * k_speed, k_slew / max(curvature[i + 1], 1e-12))
        square[i + 1] = min(top, square[i] + 2 * length_step * np.sqrt(max(spare, 0.0)))
    for i in range(last - 1, -1, -1):
        length_step = 0.5 * (way[i] + way[i + 1]) * (rhos[i + 1] - rhos[i])
        spare = k_slew * k_slew - (curvature[i + 1] * square[i + 1]) ** 2
        square[i] = min(square[i], square[i + 1] + 2 * length_step * np.sqrt(max(spare, 0.0)))
    times[0] = 0.0
    for i in range(last + 1):
        speeds[i] = np.sqrt(square[i]) / way[i]
    for i in range(last):
        length_step = 0.5 * (way[i] + way[i + 1]) * (rhos[i + 1] - rhos[i])
        times[i + 1] = times[i] + 2 * length_step / (np.sqrt(square[i]) + np.sqrt(square[i + 1]))


def fewest_interleaves(cone: ConeShape, angle_slopes: NDArray[np.float64], rho: NDArray[np.float64]) -> float:
    """Copies of a path with these turns per rho that leave no gap of more than a cell on this cone."""
    length = np.hypot(cone.cells_radius, cone.cells_height)
    across = rho * cone.cells_radius * angle_slopes
    return float((2 * np.pi * rho * cone.cells_radius * length / np.hypot(length, across)).max())


def design_path(
    cone: ConeShape, duration: float, gradient: float, slew: float, times: NDArray[np.float64]
) -> ConePath | None:
    """The path that takes this duration [s], given at these times [s], with the fewest interleaves.

    Limits: gradient [T/m], slew [T/m/s]. None where even the straight way to the end takes longer.
    """
    from scipy.interpolate import CubicHermiteSpline, CubicSpline

    length = float(np.hypot(cone.cells_radius, cone.cells_height))
    # closer at the start, where speed grows from nothing
    nodes = np.linspace(0, 1, N_NODES + 1) ** 2
    at, speeds, angles = (np.empty(N_NODES + 1) for _ in range(3))

    def seconds(n: float) -> float:
        limits = (SAFETY * GYROMAGNETIC * gradient, SAFETY * GYROMAGNETIC * slew)
        _timing(n, cone.radius, cone.height, cone.cells_radius, length, *limits, nodes, at, speeds, angles)
        return float(at[-1])

    # with this many the path is straight; with one it goes round and round
    many, few = max(2 * np.pi * cone.cells_radius * ONSET, 1.0), 1.0
    if seconds(many) > duration:
        return None
    if seconds(few) > duration:
        for _ in range(N_HALVINGS):
            middle = np.sqrt(many * few)
            many, few = (middle, few) if seconds(middle) <= duration else (many, middle)
    else:
        many = few
    # never faster than the limits: what is left of the time stretches the whole way
    stretch = duration / seconds(many)
    rho = CubicHermiteSpline(stretch * at, nodes, speeds / stretch)(np.minimum(times, duration))
    return ConePath(rho, CubicSpline(nodes, angles)(rho), many)


def turns(cone: ConeShape, n_interleaves: float, rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn per rho of the path that samples this cone fully with so many interleaves, at these rho."""
    length = float(np.hypot(cone.cells_radius, cone.cells_height))
    return np.array([_twist(r, n_interleaves, cone.cells_radius, length)[0] if r else 0.0 for r in rho])
