"""Menisci, ligaments, tendons, muscles and the outline of the leg.

Points are (z, y, x) of the knee frame: medial, inferior, posterior; distances in mm, negative inside.
"""

import math

from numba import njit

from rmqnet.simulate.anatomy_parameters import Anatomy, Plateau
from rmqnet.simulate.bones import patella_outline
from rmqnet.simulate.leg_shape import OUTLINE_START, OUTLINE_STEP
from rmqnet.simulate.shapes import band, ellipse, mix, segment, smooth_step


@njit(cache=True, nogil=True)
def plateau_radius(z: float, x: float, plateau: Plateau) -> float:
    """Distance from the middle of a plateau as a part of that to its rim."""
    return math.hypot((z - plateau.center) / 19.5, (x - 3.0) / plateau.half_depth)


@njit(cache=True, nogil=True)
def meniscus_height(z: float, x: float, plateau: Plateau) -> float:
    """Height of the meniscus above the tibial bone at this place; 0 where there is none."""
    side = 1.0 if plateau.center > 0 else -1.0
    angle = abs(math.atan2((x - 3.0) / plateau.half_depth, (plateau.center - z) * side / 19.5))
    horn = smooth_step(plateau.meniscus_opening - 0.15, plateau.meniscus_opening + 0.35, angle)
    if horn <= 0.0:
        return 0.0
    # the posterior horn of a meniscus is broader than the anterior one
    inner = plateau.meniscus_inner - 0.05 * smooth_step(0.0, 12.0, x)
    inner += (1.0 - horn) * 0.18
    # pushed out most in the middle of the body, less at the roots
    out = plateau.extrusion / 19.5 * smooth_step(0.9, 1.7, angle)
    t = (plateau_radius(z, x, plateau) - out - inner) / (1.0 - inner)
    if t <= 0.0 or t >= 1.04:
        return 0.0
    return 1.2 + (plateau.meniscus_height - 1.2) * t * math.sqrt(horn)


@njit(cache=True, nogil=True)
def anterior_cruciate(z: float, y: float, x: float) -> float:
    """Distance to the anterior cruciate ligament."""
    d = segment(z, y, x, (-1.0, 4.0, -9.0), (-4.5, -8.0, 4.0))
    return min(d, segment(z, y, x, (-4.5, -8.0, 4.0), (-9.0, -20.0, 17.0))) - 4.2


@njit(cache=True, nogil=True)
def posterior_cruciate(z: float, y: float, x: float) -> float:
    """Distance to the posterior cruciate ligament, which bows towards posterior."""
    d = segment(z, y, x, (2.0, 13.0, 25.0), (2.5, 2.0, 26.5))
    d = min(d, segment(z, y, x, (2.5, 2.0, 26.5), (3.5, -8.0, 24.0)))
    d = min(d, segment(z, y, x, (3.5, -8.0, 24.0), (5.0, -14.5, 16.5)))
    return min(d, segment(z, y, x, (5.0, -14.5, 16.5), (7.5, -17.0, 6.0))) - 4.0


@njit(cache=True, nogil=True)
def _sheet(y: float, x: float, start: tuple[float, float], end: tuple[float, float]) -> float:
    """Distance in the sagittal plane from the line between two points (y, x)."""
    return segment(0.0, y, x, (0.0, start[0], start[1]), (0.0, end[0], end[1]))


@njit(cache=True, nogil=True)
def patellar_tendon(z: float, y: float, x: float, a: Anatomy) -> float:
    """Distance to the patellar tendon, from the lower end of the patella to the tibial tubercle."""
    cz, cy, cx = a.patella
    # both ends lie in the bone, which takes its points first
    lower = cy + a.patella_radii[1]
    u = _sheet(y, x, (lower - 6.0, cx - 3.0), (lower + 6.0, cx - 1.0))
    u = min(u, _sheet(y, x, (lower + 6.0, cx - 1.0), (38.0, -25.0 + 60.0 * a.flexion)))
    return band(u, z - cz, a.patellar_tendon, mix(13.0, 8.5, smooth_step(lower, 36.0, y)))


@njit(cache=True, nogil=True)
def quadriceps_tendon(z: float, y: float, x: float, a: Anatomy) -> float:
    """Distance to the quadriceps tendon and to its fibers that run over the patella."""
    cz, cy, cx = a.patella
    top = cy - 0.75 * a.patella_radii[1]
    d = band(_sheet(y, x, (top + 3.0, cx - 5.0), (-150.0, -54.0)), z - cz, 3.2, 15.0)
    if x > cx - 7.0 or abs(z - cz) > 13.0:
        return d
    return min(d, abs(patella_outline(z, y, x, a)) - 1.2)


@njit(cache=True, nogil=True)
def in_muscle(z: float, y: float, x: float, d_bone: float, a: Anatomy) -> bool:
    """True inside a muscle belly; bellies that meet are kept apart by a seam of fat, wide next to the bone."""
    nearest, second = 9.0, 9.0
    width = 10.0
    seam = 0.9 + 3.5 * smooth_step(16.0, 3.0, d_bone)
    for row in range(a.muscles.shape[0]):
        m = a.muscles[row]
        if y <= m[0] or y >= m[1]:
            continue
        t = (y - m[0]) / (m[1] - m[0])
        dz = (z - m[4] - (m[6] - m[4]) * t) / m[8]
        dx = (x - m[5] - (m[7] - m[5]) * t) / m[9]
        # a belly this far away has no border here
        if dz * dz + dx * dx > 6.25:
            continue
        end = min((y - m[0]) / m[2], 1.0) * min((m[1] - y) / m[3], 1.0)
        taper = (end * (2.0 - end)) ** 0.7
        k = math.hypot(dz, dx) / taper
        if k < nearest:
            second, nearest = nearest, k
            width = min(m[8], m[9]) * taper
        elif k < second:
            second = k
    return nearest < 1.2 and (second - nearest) * width > seam


@njit(cache=True, nogil=True)
def leg(z: float, y: float, x: float, a: Anatomy) -> float:
    """Distance to the skin surface."""
    position = min(max((y - OUTLINE_START) / OUTLINE_STEP, 0.0), a.outline.shape[1] - 1.001)
    level = int(position)
    t = position - level
    front = a.outline[0, level] * (1.0 - t) + a.outline[0, level + 1] * t
    back = a.outline[1, level] * (1.0 - t) + a.outline[1, level + 1] * t
    width = a.outline[2, level] * (1.0 - t) + a.outline[2, level + 1] * t
    # broader behind than in front
    width *= 1.0 + 0.0018 * x
    return ellipse(z, x - 0.5 * (front + back), width, 0.5 * (back - front))


@njit(cache=True, nogil=True)
def fat_thickness(z: float, x: float, a: Anatomy) -> float:
    """Thickness of the subcutaneous fat: thin in front, thick medially and behind."""
    return a.fat * (0.45 + 0.55 * smooth_step(-50.0, 10.0, x) + 0.15 * smooth_step(0.0, 40.0, z))
