"""The bones of the knee as implicit shapes: distances [mm], negative inside.

Points are (z, y, x) of the knee frame: medial, inferior, posterior.
"""

import math

from numba import njit

from rmqnet.simulate.anatomy_parameters import Anatomy, Condyle, Plateau
from rmqnet.simulate.damage import roughness
from rmqnet.simulate.shapes import (
    ellipse,
    ellipsoid,
    extruded,
    mix,
    segment,
    smooth_max,
    smooth_min,
    smooth_step,
)

ROUNDING = 9.0
"""Radius by which the edges of the condyles are rounded where they stand on the tibia [mm]: default."""


@njit(cache=True, nogil=True)
def condyle_middle(condyle: Condyle, x: float) -> float:
    """Coordinate z of the middle of a condyle at this x: the condyles diverge towards posterior."""
    return condyle.center * (1.0 + 0.0035 * x + 0.0025 * min(x, 0.0))


@njit(cache=True, nogil=True)
def condyle_half_width(condyle: Condyle, x: float) -> float:
    """Half width of a condyle at this x: it is narrower in front, under the trochlea."""
    return condyle.half_width * (1.0 - 0.2 * smooth_step(4.0, -32.0, x))


@njit(cache=True, nogil=True)
def _condyle(z: float, y: float, x: float, condyle: Condyle) -> float:
    # narrower towards the shaft
    top = smooth_step(24.0, 58.0, -y)
    across = z - condyle_middle(condyle, x) * (1.0 - 0.35 * top)
    # both circles end at y = -2, where the condyle stands on the tibia
    radius = condyle.posterior_radius
    posterior = math.hypot(y + 2.0 + radius, x - 12.0) - radius
    radius = condyle.distal_radius
    distal = math.hypot(y + 2.0 + radius, x + 4.0) - radius
    # rounder in front and most of all behind than where it stands on the tibia
    behind = smooth_step(8.0, 30.0, x)
    crown = across * across / mix(90.0, 38.0, behind)
    rounding = ROUNDING + 2.0 * (behind + smooth_step(-6.0, -28.0, x))
    half_width = condyle_half_width(condyle, x) - 3.0 * top
    return extruded(smooth_min(posterior, distal, 5.0) + crown, across, half_width, min(rounding, half_width))


@njit(cache=True, nogil=True)
def notch_roof(y: float, x: float) -> float:
    """Distance below the roof of the notch, straight from the end of the trochlea to the back of the shaft."""
    return 0.72 * (y + 9.0) + 0.69 * (x + 10.5)


@njit(cache=True, nogil=True)
def _spur(z: float, y: float, x: float, a: Anatomy) -> float:
    """Height of a spur along a margin, relative to its mean: spurs are uneven."""
    return max(1.0 + 0.55 * roughness(0.4 * z, 0.4 * y, x, a), 0.0)


@njit(cache=True, nogil=True)
def below_joint(z: float, y: float, x: float, a: Anatomy) -> tuple[float, float, float]:
    """The point in the frame of the tibia: bent about the axis of the condyles, leaning below the plateaus."""
    c, s = math.cos(a.flexion), math.sin(a.flexion)
    v, w = y + 26.0, x - 4.0
    y, x = c * v - s * w - 26.0, s * v + c * w + 4.0
    reach = max(y - 8.0, 0.0)
    return z - a.varus * reach * reach / (reach + 12.0), y, x


@njit(cache=True, nogil=True)
def femur(z: float, y: float, x: float, a: Anatomy) -> float:
    """Distance to the femur."""
    d = smooth_min(_condyle(z, y, x, a.medial), _condyle(z, y, x, a.lateral), 3.0)
    # bottom of the trochlea and roof of the notch
    middle = math.hypot(y + 28.0, x + 31.5 - a.groove - 19.0) - 19.0
    middle = smooth_max(middle, notch_roof(y, x), 6.0)
    d = smooth_min(d, extruded(middle + z * z / 90.0, z, 18.0, 6.0), 6.0)
    t = smooth_step(26.0, 72.0, -y)
    column = ellipse(
        z + mix(0.0, 2.5, t),
        x + mix(6.5, 12.0, t),
        mix(31.0, 15.0 * a.shaft, t),
        mix(18.0, 14.5 * a.shaft, t),
    )
    d = smooth_min(d, smooth_max(column, y + 30.0, 12.0), 8.0)
    d = smooth_min(d, ellipsoid(z - 33.0, y + 25.0, x - 6.0, 6.5, 12.0, 12.0), 8.0)
    d = smooth_min(d, ellipsoid(z + 33.0, y + 25.0, x - 6.0, 6.0, 12.0, 12.0), 8.0)
    height = a.osteophyte[0] if z > 0.0 else a.osteophyte[1]
    if height > 0.05 and d < 6.0 and y > -24.0 and abs(z) > 26.0:
        h = height * _spur(z, y, x, a)
        d = smooth_min(d, segment(z, y, x, (34.0, -9.0, -12.0), (36.5, -9.0, 18.0)) - h, 4.0)
        d = smooth_min(d, segment(z, y, x, (-34.5, -9.0, -8.0), (-36.5, -9.0, 16.0)) - h, 4.0)
    if a.osteophyte[2] > 0.05 and d < 6.0 and x < -20.0 and y < -20.0:
        h = a.osteophyte[2] * _spur(z, y, x, a)
        d = smooth_min(d, segment(z, y, x, (24.0, -38.0, -24.0), (21.0, -52.0, -26.0)) - h, 3.0)
        d = smooth_min(d, segment(z, y, x, (-25.0, -38.0, -26.0), (-21.0, -54.0, -28.0)) - h, 3.0)
    return d


@njit(cache=True, nogil=True)
def _plateau_level(z: float, x: float, plateau: Plateau) -> float:
    rho = ((z - plateau.center) / 19.5) ** 2 + ((x - 3.0) / plateau.half_depth) ** 2
    return plateau.level - plateau.dish * min(rho, 1.4) + 0.07 * (x - 3.0)


@njit(cache=True, nogil=True)
def tibial_surface(z: float, x: float, a: Anatomy) -> float:
    """Coordinate y of the top of the tibia: both plateaus and the intercondylar eminence between them."""
    weight = smooth_step(-9.0, 9.0, z)
    level = mix(_plateau_level(z, x, a.lateral_plateau), _plateau_level(z, x, a.medial_plateau), weight)
    along = math.exp(-((x - 4.0) ** 2) / 110.0)
    spines = math.exp(-((z - 5.0) ** 2) / 13.0) + 0.85 * math.exp(-((z + 5.0) ** 2) / 13.0)
    trough = 2.5 * math.exp(-z * z / 70.0) * (1.0 - along)
    return level - 8.0 * along * spines + trough


@njit(cache=True, nogil=True)
def tibia(z: float, y: float, x: float, surface: float, a: Anatomy) -> float:
    """Distance to the tibia; `surface` is `tibial_surface` at this point."""
    h = y - 2.5
    t = smooth_step(4.0, 46.0, h)
    width, depth = mix(20.0, 15.5 * a.shaft, t), 17.5 * a.shaft
    center, x_center = 19.5 * (1.0 - t), mix(3.0, -2.0, t)
    # the shaft lies more medially
    z_shaft = z - 4.0 * t
    d_medial = ellipse(z_shaft - center, x - x_center, width, mix(a.medial_plateau.half_depth, depth, t))
    d_lateral = ellipse(
        z_shaft + center, x - x_center + 0.5, width, mix(a.lateral_plateau.half_depth, depth, t)
    )
    d = smooth_min(d_medial, d_lateral, mix(14.0, 6.0, t))
    d = smooth_max(d, (surface - y) * 0.9, 4.0)
    d = smooth_min(d, ellipsoid(z + 1.0, y - 33.0, x + 19.0, 12.5, 19.0, 8.0), 8.0)
    height = a.osteophyte[0] if z > 0.0 else a.osteophyte[1]
    if height > 0.05 and d < 6.0 and y < 16.0 and abs(z) > 28.0:
        h = height * _spur(z, y, x, a)
        level = (a.medial_plateau.level if z > 0.0 else a.lateral_plateau.level) + 1.0
        d = smooth_min(d, segment(z, y, x, (37.5, level, -8.0), (38.0, level, 14.0)) - h, 4.0)
        d = smooth_min(d, segment(z, y, x, (-37.5, level, -6.0), (-38.0, level, 12.0)) - h, 4.0)
    return d


@njit(cache=True, nogil=True)
def fibula(z: float, y: float, x: float) -> float:
    """Distance to the fibula."""
    t = smooth_step(18.0, 52.0, y)
    d = ellipse(z + mix(34.0, 36.0, t), x - mix(24.0, 19.0, t), mix(8.5, 5.5, t), mix(9.0, 6.0, t))
    return smooth_max(d, 13.0 - y, 9.0)


@njit(cache=True, nogil=True)
def patella_outline(z: float, y: float, x: float, a: Anatomy) -> float:
    """Distance to the patella without its joint surface: an ellipsoid, narrow towards its lower end."""
    cz, cy, cx = a.patella
    rz, ry, rx = a.patella_radii
    narrow = 1.0 - 0.25 * smooth_step(-4.0, 22.0, y - cy)
    d = ellipsoid(z - cz, y - cy, x - cx, rz * narrow, ry, rx)
    if a.osteophyte[2] > 0.05 and d < 6.0:
        h = 0.8 * a.osteophyte[2] * _spur(z, y, x, a)
        d = smooth_min(
            d,
            segment(z, y, x, (cz - 8.0, cy - 0.8 * ry, cx + 6.0), (cz + 8.0, cy - 0.8 * ry, cx + 6.0)) - h,
            3.0,
        )
        d = smooth_min(
            d,
            segment(z, y, x, (cz - 5.0, cy + 0.8 * ry, cx + 5.0), (cz + 5.0, cy + 0.8 * ry, cx + 5.0)) - h,
            3.0,
        )
    return d


@njit(cache=True, nogil=True)
def patella_face(z: float, y: float, d_femur: float, a: Anatomy) -> float:
    """Distance in front of the joint surface of the patella, which follows the trochlea but for its flatter sides."""
    aside = max(abs(z - a.patella[0]) - 8.0, 0.0)
    return a.patella_gap + (y - a.patella[1]) ** 2 / 140.0 + aside * aside / 110.0 - d_femur
