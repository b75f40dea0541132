"""Damage of cartilage and marrow at a point of the knee, irregular in outline and depth."""

import math

from numba import njit

from rmqnet.simulate.anatomy_parameters import Anatomy
from rmqnet.simulate.shapes import mix, smooth_step, wave

WIDER = 1.35
"""The change of tissue reaches this many times as far as the thinned part: default."""


@njit(cache=True, nogil=True)
def roughness(z: float, y: float, x: float, a: Anatomy) -> float:
    """Smooth random height at this point, mean 0 and standard deviation 1, over 5 to 16 mm."""
    total = 0.0
    for row in range(a.roughness.shape[0]):
        r = a.roughness[row]
        total += wave(r[0] * z + r[1] * y + r[2] * x + r[3])
    return total * math.sqrt(2.0 / a.roughness.shape[0])


@njit(cache=True, nogil=True)
def _reach(z: float, y: float, x: float, row: int, rough: float, a: Anatomy) -> float:
    """Squared distance from the middle of a defect in its half widths; its outline is irregular."""
    lesion = a.lesions[row]
    dz, dy, dx = z - lesion[0], y - lesion[1], x - lesion[2]
    # nothing reaches farther
    if abs(dz) > 3.0 * lesion[3] or abs(dx) > 3.0 * lesion[4]:
        return 9.0
    square = (dz / lesion[3]) ** 2 + (dy * dy + dx * dx) / lesion[4] ** 2
    if square > 9.0:
        return square
    lobes = 0.16 * math.sin(
        3.0 * math.atan2(math.hypot(dy, dx) * (1.0 if dx > 0.0 else -1.0), dz) + lesion[6]
    )
    return square * (1.0 + lobes + 0.16 * rough) ** 2


@njit(cache=True, nogil=True)
def kept(z: float, y: float, x: float, on_patella: bool, a: Anatomy) -> float:
    """Part of the thickness (0 to about 1) that focal defects and the roughness of the surface leave here."""
    rough = roughness(z, y, x, a)
    part = 1.0 + a.unevenness * rough
    for row in range(a.lesions.shape[0]):
        if (a.lesions[row, 7] > 1.5) != on_patella:
            continue
        square = _reach(z, y, x, row, rough, a)
        if square < 4.0:
            # a floor with steep walls, uneven where some cartilage is left
            part *= max(1.0 - a.lesions[row, 5] * (1.0 + 0.25 * rough) * math.exp(-square * square), 0.0)
    return max(part, 0.0)


@njit(cache=True, nogil=True)
def compartment_loss(z: float, on_patella: bool, in_trochlea: float, a: Anatomy) -> float:
    """Part of the thickness lost all over the compartment of this point."""
    if on_patella:
        return a.loss[2]
    return mix(mix(a.loss[1], a.loss[0], smooth_step(-6.0, 6.0, z)), a.loss[2], in_trochlea)


@njit(cache=True, nogil=True)
def cartilage_damage(z: float, y: float, x: float, on_patella: bool, a: Anatomy) -> float:
    """Damage of the cartilage at this point, 0 to 1: of focal defects and, patchily, of the whole compartment."""
    rough = roughness(z, y, x, a)
    in_trochlea = smooth_step(-18.0, -24.0, x)
    diffuse = min(1.2 * compartment_loss(z, on_patella, in_trochlea, a), 0.8) * smooth_step(-1.2, 1.2, rough)
    whole = 1.0 - diffuse
    for row in range(a.lesions.shape[0]):
        if (a.lesions[row, 7] > 1.5) != on_patella:
            continue
        square = _reach(z, y, x, row, rough, a) / WIDER**2
        if square < 6.0:
            whole *= 1.0 - min(0.35 + a.lesions[row, 5], 1.0) * math.exp(-square)
    return 1.0 - whole


@njit(cache=True, nogil=True)
def marrow_damage(z: float, y: float, x: float, a: Anatomy) -> float:
    """Weight of marrow lesions at this point, 0 to 1, with fading irregular borders."""
    weight = 0.0
    for row in range(a.marrow_lesions.shape[0]):
        lesion = a.marrow_lesions[row]
        k = math.sqrt(
            ((z - lesion[0]) / lesion[3]) ** 2
            + ((y - lesion[1]) / lesion[4]) ** 2
            + ((x - lesion[2]) / lesion[5]) ** 2
        )
        if k < 3.0:
            k *= 1.0 + 0.2 * roughness(z, y, x, a)
            weight = max(weight, lesion[6] * smooth_step(1.5, 0.4, k))
    return weight
