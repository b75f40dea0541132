"""Smooth implicit shapes: signed distances [mm], negative inside, as compiled functions of coordinates."""

import math

from numba import njit


@njit(cache=True, nogil=True)
def wave(turns: float) -> float:
    """A wave of period 1 and height 1: parabolas instead of a sine, for speed."""
    t = turns - math.floor(turns) - 0.5
    return 8.0 * t * (2.0 * abs(t) - 1.0)


@njit(cache=True, nogil=True)
def smooth_step(low: float, high: float, value: float) -> float:
    """0 below `low`, 1 above `high`, a smooth rise between."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, nogil=True)
def mix(first: float, second: float, weight: float) -> float:
    """Linear interpolation from first (weight 0) to second (weight 1)."""
    return first + (second - first) * weight


@njit(cache=True, nogil=True)
def smooth_min(a: float, b: float, width: float) -> float:
    """Distance to the union of two shapes, their seam rounded over about `width` [mm]."""
    h = max(width - abs(a - b), 0.0)
    return min(a, b) - h * h / (4.0 * width)


@njit(cache=True, nogil=True)
def smooth_max(a: float, b: float, width: float) -> float:
    """Distance to the intersection of two shapes, its edge rounded over about `width` [mm]."""
    return -smooth_min(-a, -b, width)


@njit(cache=True, nogil=True)
def ellipse(u: float, v: float, a: float, b: float) -> float:
    """Distance to an ellipse of semi-axes a and b; exact to first order at its border."""
    k = math.sqrt((u / a) ** 2 + (v / b) ** 2)
    if k < 1e-3:
        return -min(a, b)
    return k * (k - 1.0) / math.sqrt((u / (a * a)) ** 2 + (v / (b * b)) ** 2)


@njit(cache=True, nogil=True)
def ellipsoid(u: float, v: float, w: float, a: float, b: float, c: float) -> float:
    """Distance to an ellipsoid of semi-axes a, b and c; exact to first order at its border."""
    k = math.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2)
    if k < 1e-3:
        return -min(a, b, c)
    return k * (k - 1.0) / math.sqrt((u / (a * a)) ** 2 + (v / (b * b)) ** 2 + (w / (c * c)) ** 2)


@njit(cache=True, nogil=True)
def extruded(profile: float, across: float, half_width: float, rounding: float) -> float:
    """Distance to a plane profile (its distance given) drawn out over a half width, with rounded edges."""
    u = profile + rounding
    v = abs(across) - half_width + rounding
    return min(max(u, v), 0.0) + math.sqrt(max(u, 0.0) ** 2 + max(v, 0.0) ** 2) - rounding


@njit(cache=True, nogil=True)
def segment(
    z: float, y: float, x: float, start: tuple[float, float, float], end: tuple[float, float, float]
) -> float:
    """Distance of a point from the line between two points (z, y, x)."""
    dz, dy, dx = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    t = (z - start[0]) * dz + (y - start[1]) * dy + (x - start[2]) * dx
    t = min(max(t / (dz * dz + dy * dy + dx * dx), 0.0), 1.0)
    return math.sqrt(
        (z - start[0] - t * dz) ** 2 + (y - start[1] - t * dy) ** 2 + (x - start[2] - t * dx) ** 2
    )


@njit(cache=True, nogil=True)
def band(u: float, across: float, half_thickness: float, half_width: float) -> float:
    """Distance to a flat band: `u` off its middle sheet, `across` along its width, edges rounded."""
    v = max(abs(across) - half_width + half_thickness, 0.0)
    return math.sqrt(u * u + v * v) - half_thickness
