"""Cartilage of the joint surfaces: its thickness at every place [mm], thin towards the edges."""

import math

from numba import njit

from rmqnet.simulate.anatomy_parameters import Anatomy, Condyle, Plateau
from rmqnet.simulate.bones import condyle_half_width, condyle_middle, notch_roof
from rmqnet.simulate.shapes import mix, smooth_step


@njit(cache=True, nogil=True)
def _edge(distance: float, width: float) -> float:
    """Rise from 0 at the edge of a cartilage to 1 at `width` inside, steep at first."""
    t = min(max(distance / width, 0.0), 1.0)
    return math.sqrt(t * (2.0 - t))


@njit(cache=True, nogil=True)
def _on_condyle(z: float, x: float, angle: float, condyle: Condyle) -> float:
    """Thickness on a condyle, its edge towards the notch open in front, where the trochlea joins."""
    side = 1.0 if condyle.center > 0 else -1.0
    across = (z - condyle_middle(condyle, x)) * side
    half_width = condyle_half_width(condyle, x)
    outer = _edge(half_width - 1.0 - across, 6.0)
    inner = max(_edge(half_width - 0.5 + across, 5.0), smooth_step(-26.0, -44.0, angle))
    return condyle.cartilage * outer * inner * (1.0 - 0.18 * smooth_step(25.0, 80.0, angle))


@njit(cache=True, nogil=True)
def femoral_thickness(z: float, y: float, x: float, a: Anatomy) -> float:
    """Thickness of the femoral cartilage at the point of the surface that is next to this point."""
    # angle from straight down, positive towards posterior [degree]
    angle = math.degrees(math.atan2(x - 3.0, y + 26.0))
    # angles of the upper half in front continue below -90; 180 is split behind the shaft
    if angle > 150.0:
        return 0.0
    weight = smooth_step(-4.0, 4.0, z)
    on_condyle = mix(_on_condyle(z, x, angle, a.lateral), _on_condyle(z, x, angle, a.medial), weight)
    # a trochlea with a higher lateral ridge, thickest in its groove
    half = 25.0 - 0.10 * max(-60.0 - angle, 0.0)
    in_trochlea = (
        a.trochlea_cartilage * _edge(half - abs(z + 1.5), 7.0) * (1.0 - 0.12 * min(abs(z) / 15.0, 1.0))
    )
    front = smooth_step(-38.0, -62.0, angle)
    ends = _edge(112.0 - angle, 16.0) * _edge(angle + 114.0 - 0.25 * z, 14.0)
    # none on the roof of the notch
    in_notch = mix(_edge(-1.0 - notch_roof(y, x), 4.0), 1.0, smooth_step(8.0, 12.0, abs(z)))
    return mix(on_condyle, in_trochlea, front) * ends * in_notch


@njit(cache=True, nogil=True)
def _on_plateau(z: float, x: float, plateau: Plateau) -> float:
    side = 1.0 if plateau.center > 0 else -1.0
    u = (z - plateau.center + 0.5 * side) / 16.8
    v = (x - 3.5) / (plateau.half_depth - 2.5)
    # a superellipse: fuller than an ellipse, as the plateaus are
    inside = 1.0 - (abs(u) ** 2.6 + abs(v) ** 2.6) ** (1.0 / 2.6)
    # a dome in the middle, where no meniscus covers it, on a layer that reaches to the rim
    return plateau.cartilage * (0.35 * _edge(inside, 0.3) + 0.65 * max(inside, 0.0) ** 0.8)


@njit(cache=True, nogil=True)
def tibial_thickness(z: float, x: float, a: Anatomy) -> float:
    """Thickness of the tibial cartilage above this point of the plateau; 0 on the eminence."""
    if z > 0.0:
        return _on_plateau(z, x, a.medial_plateau)
    return _on_plateau(z, x, a.lateral_plateau)


@njit(cache=True, nogil=True)
def patellar_thickness(z: float, y: float, d_outline: float, a: Anatomy) -> float:
    """Thickness of the patellar cartilage; `d_outline` is the distance to the outline of the patella."""
    # thickest on the ridge between both facets, none at the lower pole
    ridge = 1.0 - 0.25 * smooth_step(2.0, 16.0, abs(z - a.patella[0] - 2.0))
    edges = _edge(0.3 - d_outline, 8.0) * _edge(a.patella[1] + 15.5 - y, 7.0)
    return a.patella_cartilage * ridge * edges
