"""Which tissue is at a point of the knee; where shapes overlap, the order of the tests decides."""

import math

from numba import njit

from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.anatomy_parameters import Anatomy
from rmqnet.simulate.articular import femoral_thickness, patellar_thickness, tibial_thickness
from rmqnet.simulate.bones import femur, fibula, patella_face, patella_outline, tibia, tibial_surface
from rmqnet.simulate.damage import kept
from rmqnet.simulate.shapes import ellipsoid, mix, smooth_max, smooth_step
from rmqnet.simulate.soft_tissue import (
    anterior_cruciate,
    fat_thickness,
    in_muscle,
    leg,
    meniscus_height,
    patellar_tendon,
    posterior_cruciate,
    quadriceps_tendon,
    suprapatellar_recess,
)

AIR = 0
FEMORAL_CARTILAGE = TISSUES["femoral_cartilage"].label
MEDIAL_TIBIAL_CARTILAGE = TISSUES["medial_tibial_cartilage"].label
LATERAL_TIBIAL_CARTILAGE = TISSUES["lateral_tibial_cartilage"].label
PATELLAR_CARTILAGE = TISSUES["patellar_cartilage"].label
MEDIAL_MENISCUS = TISSUES["medial_meniscus"].label
LATERAL_MENISCUS = TISSUES["lateral_meniscus"].label
ANTERIOR_CRUCIATE = TISSUES["anterior_cruciate_ligament"].label
POSTERIOR_CRUCIATE = TISSUES["posterior_cruciate_ligament"].label
QUADRICEPS_TENDON = TISSUES["quadriceps_tendon"].label
PATELLAR_TENDON = TISSUES["patellar_tendon"].label
MUSCLE = TISSUES["muscle"].label
FAT = TISSUES["subcutaneous_fat"].label
FLUID = TISSUES["synovial_fluid"].label
SKIN = TISSUES["skin"].label
FEMORAL_MARROW = TISSUES["femoral_marrow"].label
TIBIAL_MARROW = TISSUES["tibial_marrow"].label
FIBULAR_MARROW = TISSUES["fibular_marrow"].label
PATELLAR_MARROW = TISSUES["patellar_marrow"].label
CORTICAL_BONE = TISSUES["cortical_bone"].label

SKIN_THICKNESS = 1.5
"""Thickness of the skin [mm]: default."""
NO_CARTILAGE = 0.15
"""Cartilage thinner than this [mm] is taken as none."""


@njit(cache=True, nogil=True)
def _joint_tissue(
    z: float, y: float, x: float, d_femur: float, d_tibia: float, surface: float, a: Anatomy
) -> tuple[int, float]:
    """Label and depth between femur and tibia: cartilage, meniscus or fluid; AIR where it is none of them."""
    on_femur, on_tibia = 0.0, 0.0
    left = 1.0
    if d_femur < 6.0 or d_tibia < 6.0:
        left = kept(z, y, x, False, a)
    if d_femur < 6.0:
        on_femur = femoral_thickness(z, y, x, a) * left
    height = (surface - y) * 0.97
    if d_tibia < 6.0 and height > -0.5:
        on_tibia = tibial_thickness(z, x, a) * left
    depth_femur = d_femur / on_femur if on_femur > NO_CARTILAGE else 9.0
    depth_tibia = max(height, 0.0) / on_tibia if on_tibia > NO_CARTILAGE else 9.0
    if min(depth_femur, depth_tibia) < 1.0:
        # where both layers meet, the point belongs to the one whose surface is farther
        if depth_femur <= depth_tibia:
            return FEMORAL_CARTILAGE, depth_femur
        return (MEDIAL_TIBIAL_CARTILAGE if z > 0 else LATERAL_TIBIAL_CARTILAGE), depth_tibia
    if height > -0.5 and height < 9.0 and d_femur > -0.1:
        if max(height, 0.0) < meniscus_height(z, x, a.medial_plateau):
            return MEDIAL_MENISCUS, 0.0
        if max(height, 0.0) < meniscus_height(z, x, a.lateral_plateau):
            return LATERAL_MENISCUS, 0.0
    if on_femur > NO_CARTILAGE and d_femur < on_femur + a.fluid:
        return FLUID, 0.0
    if on_tibia > NO_CARTILAGE and height < on_tibia + a.fluid:
        return FLUID, 0.0
    return AIR, 0.0


@njit(cache=True, nogil=True)
def _bone(distance: float, cortex: float, marrow: int) -> int:
    return marrow if distance < -cortex else CORTICAL_BONE


@njit(cache=True, nogil=True)
def _patellar_tissue(z: float, y: float, x: float, d_femur: float, a: Anatomy) -> tuple[int, float]:
    """Label and depth in and behind the patella; AIR elsewhere."""
    d_outline = patella_outline(z, y, x, a)
    if d_outline > 0.5:
        return AIR, 0.0
    face = patella_face(y, d_femur, a)
    d = smooth_max(d_outline, face, 2.5)
    if d < 0.0:
        return _bone(d, mix(0.8, 1.6, smooth_step(-6.0, -12.0, x - a.patella[2] + 6.0)), PATELLAR_MARROW), 0.0
    if face > -1.0:
        thickness = patellar_thickness(y, d_outline, a) * kept(z, y, x, True, a)
        if thickness > NO_CARTILAGE and d < thickness:
            return PATELLAR_CARTILAGE, d / thickness
        if d_outline < -0.5 and d < thickness + 1.0:
            return FLUID, 0.0
    return AIR, 0.0


@njit(cache=True, nogil=True)
def _fibrous_tissue(z: float, y: float, x: float, a: Anatomy) -> int:
    """Label of a ligament or tendon at this point; AIR elsewhere."""
    if abs(z) < 16.0 and y > -32.0 and y < 20.0 and x > -16.0:
        if anterior_cruciate(z, y, x) < 0.0:
            return ANTERIOR_CRUCIATE
        if posterior_cruciate(z, y, x) < 0.0:
            return POSTERIOR_CRUCIATE
    if abs(z) < 24.0 and x < -20.0:
        if patellar_tendon(z, y, x, a) < 0.0:
            return PATELLAR_TENDON
        if quadriceps_tendon(z, y, x, a) < 0.0:
            return QUADRICEPS_TENDON
    return AIR


@njit(cache=True, nogil=True)
def _filling_tissue(z: float, y: float, x: float, d_skin: float, d_bone: float, a: Anatomy) -> int:
    """Label outside bones and joint: muscle, recess or fat."""
    if abs(z) < 26.0 and x < -20.0 and y < -30.0 and suprapatellar_recess(z, y, x, a) < 0.0:
        return FLUID
    in_notch = ellipsoid(z, y + 12.0, x - 12.0, 18.0, 27.0, 24.0) < 0.0
    # muscles lie on the shafts and keep clear of the joint capsule
    clear = 0.8 + 4.5 * (1.0 - smooth_step(26.0, 44.0, abs(y + 6.0)))
    if not in_notch and d_bone > clear and d_skin < -SKIN_THICKNESS - fat_thickness(z, x, a):
        around_patella = ellipsoid(z - a.patella[0], y - a.patella[1], x + 40.0, 28.0, 25.0, 24.0)
        if around_patella > 0.0 and in_muscle(z, y, x, d_bone, a):
            return MUSCLE
    return FAT


@njit(cache=True, nogil=True)
def tissue_at(z: float, y: float, x: float, a: Anatomy) -> tuple[int, float]:
    """Label and depth at a point of the knee frame; depth in cartilage is 0 at the bone, 1 at the surface."""
    d_skin = leg(z, y, x, a)
    if d_skin > 0.0:
        return AIR, 0.0
    if d_skin > -SKIN_THICKNESS:
        return SKIN, 0.0
    d_femur = femur(z, y, x, a) if y < 14.0 and abs(z) < 48.0 and abs(x) < 42.0 else 20.0
    if d_femur < 0.0:
        return _bone(d_femur, mix(0.8, 3.2, smooth_step(46.0, 84.0, -y)), FEMORAL_MARROW), 0.0
    d_tibia, surface = 20.0, 20.0
    if y > -16.0 and abs(z) < 48.0 and abs(x) < 38.0:
        surface = tibial_surface(z, x, a)
        d_tibia = tibia(z, y, x, surface, a)
        if d_tibia < 0.0:
            return _bone(d_tibia, mix(0.8, 3.2, smooth_step(22.0, 60.0, y)), TIBIAL_MARROW), 0.0
    d_fibula = fibula(z, y, x) if z < -15.0 and y > 4.0 else 20.0
    if d_fibula < 0.0:
        return _bone(d_fibula, mix(0.8, 1.8, smooth_step(22.0, 50.0, y)), FIBULAR_MARROW), 0.0
    label, depth = _joint_tissue(z, y, x, d_femur, d_tibia, surface, a)
    if label != AIR:
        return label, depth
    if x < -20.0 and y < 0.0:
        label, depth = _patellar_tissue(z, y, x, d_femur, a)
        if label != AIR:
            return label, depth
    label = _fibrous_tissue(z, y, x, a)
    if label != AIR:
        return label, 0.0
    return _filling_tissue(z, y, x, d_skin, min(d_femur, d_tibia, d_fibula), a), 0.0


@njit(cache=True, nogil=True)
def knee_point(z: float, y: float, x: float, mirror: float, a: Anatomy) -> tuple[float, float, float]:
    """Point (z, y, x) of the field of view [mm from its middle] in the knee frame; mirror: -1 for a left knee."""
    z, y, x = mirror * z - a.joint[0], y - a.joint[1], x - a.joint[2]
    r = a.rotation
    u = (r[0, 0] * z + r[0, 1] * y + r[0, 2] * x) / a.size
    v = (r[1, 0] * z + r[1, 1] * y + r[1, 2] * x) / a.size
    w = (r[2, 0] * z + r[2, 1] * y + r[2, 2] * x) / a.size
    du, dv, dw = 0.0, 0.0, 0.0
    for row in range(a.waves.shape[0]):
        wave = a.waves[row]
        height = math.sin(wave[0] * u + wave[1] * v + wave[2] * w + wave[3])
        du += height * wave[4]
        dv += height * wave[5]
        dw += height * wave[6]
    return u + du, v + dv, w + dw
