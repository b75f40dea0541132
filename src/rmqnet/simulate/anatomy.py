"""Which tissue is at a point of the knee; where shapes overlap, the order of the tests decides."""

from numba import njit

from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.anatomy_parameters import Anatomy
from rmqnet.simulate.articular import femoral_thickness, patellar_thickness, tibial_thickness
from rmqnet.simulate.bones import (
    below_joint,
    femur,
    fibula,
    patella_face,
    patella_outline,
    tibia,
    tibial_surface,
)
from rmqnet.simulate.capsule import (
    gutter,
    in_cyst,
    in_fat_pad,
    lateral_collateral,
    medial_collateral,
    popliteal_cyst,
    popliteal_vessels,
    retinaculum,
    suprapatellar_recess,
)
from rmqnet.simulate.damage import kept
from rmqnet.simulate.shapes import ellipsoid, mix, smooth_max, smooth_step, wave
from rmqnet.simulate.soft_tissue import (
    anterior_cruciate,
    fat_thickness,
    in_muscle,
    leg,
    meniscus_height,
    patellar_tendon,
    posterior_cruciate,
    quadriceps_tendon,
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
CALCIFIED_CARTILAGE = TISSUES["calcified_cartilage"].label
MEDIAL_COLLATERAL = TISSUES["medial_collateral_ligament"].label
LATERAL_COLLATERAL = TISSUES["lateral_collateral_ligament"].label
RETINACULUM = TISSUES["retinaculum"].label
VESSELS = TISSUES["popliteal_vessels"].label
DEEP_FAT = TISSUES["intermuscular_fat"].label
FAT_PAD = TISSUES["infrapatellar_fat_pad"].label

SKIN_THICKNESS = 1.5
"""Thickness of the skin [mm]: default."""
NO_CARTILAGE = 0.15
"""Cartilage thinner than this [mm] is taken as none."""
CALCIFIED = 0.22
"""Thickness of the calcified cartilage [mm]: default, the upper end of what histology finds.

It is the outermost layer of the bone plate, not of the cartilage: who segments cartilage takes it as bone.
"""


@njit(cache=True, nogil=True)
def _joint_tissue(
    p: tuple[float, float, float],
    q: tuple[float, float, float],
    d_femur: float,
    d_tibia: float,
    surface: float,
    a: Anatomy,
) -> tuple[int, float]:
    """Label and depth between femur and tibia: cartilage, meniscus or fluid; AIR where it is none of them.

    `p` is the point in the frame of the femur, `q` in that of the tibia.
    """
    on_femur, on_tibia = 0.0, 0.0
    if d_femur < 7.0:
        on_femur = femoral_thickness(p[0], p[1], p[2], a)
    height = (surface - q[1]) * 0.97
    if d_tibia < 7.0 and height > -0.5:
        on_tibia = tibial_thickness(q[0], q[2], a)
    # room that cartilage left behind, or that gapes because the knee is bent
    room = on_femur + on_tibia + 1.5
    if on_femur > NO_CARTILAGE and d_femur < 1.5 * on_femur:
        on_femur *= kept(p[0], p[1], p[2], False, a)
    if on_tibia > NO_CARTILAGE and height < 1.5 * on_tibia:
        on_tibia *= kept(q[0], q[1], q[2], False, a)
    depth_femur = d_femur / on_femur if on_femur > NO_CARTILAGE else 9.0
    depth_tibia = max(height, 0.0) / on_tibia if on_tibia > NO_CARTILAGE else 9.0
    if min(depth_femur, depth_tibia) < 1.0:
        # where both layers meet, the point belongs to the one whose surface is farther
        if depth_femur <= depth_tibia:
            return FEMORAL_CARTILAGE, depth_femur
        return (MEDIAL_TIBIAL_CARTILAGE if q[0] > 0 else LATERAL_TIBIAL_CARTILAGE), depth_tibia
    if height > -0.5 and height < 9.0 and d_femur > -0.1:
        label = _meniscus(q[0], q[2], max(height, 0.0), a)
        if label != AIR:
            return label, 0.0
    if on_femur > NO_CARTILAGE and d_femur < on_femur + a.fluid:
        return FLUID, 0.0
    if on_tibia > NO_CARTILAGE and height < on_tibia + a.fluid:
        return FLUID, 0.0
    if d_femur < 7.0 and height > 0.0 and height < 7.0 and d_femur + height < room:
        return FLUID, 0.0
    return AIR, 0.0


@njit(cache=True, nogil=True)
def _meniscus(z: float, x: float, height: float, a: Anatomy) -> int:
    """Label at this height above the tibia: a meniscus, fluid in its tear, or AIR."""
    plateau = a.medial_plateau if z > 0.0 else a.lateral_plateau
    top = meniscus_height(z, x, plateau)
    if height >= top:
        return AIR
    if plateau.tear > 0.0 and x > 4.0 and abs(height - 0.45 * top) < plateau.tear * smooth_step(4.0, 10.0, x):
        return FLUID
    return MEDIAL_MENISCUS if z > 0.0 else LATERAL_MENISCUS


@njit(cache=True, nogil=True)
def _bone(
    z: float, y: float, x: float, distance: float, cortex: float, marrow: int, covered: bool, a: Anatomy
) -> int:
    """Label in a bone: calcified cartilage where cartilage covers it, its plate or shell, a cyst, or marrow."""
    if covered and distance > -CALCIFIED:
        return CALCIFIED_CARTILAGE
    if a.cysts.shape[0] > 0 and distance < -0.4 and in_cyst(z, y, x, a):
        return FLUID
    return marrow if distance < -cortex else CORTICAL_BONE


@njit(cache=True, nogil=True)
def _patellar_tissue(z: float, y: float, x: float, d_femur: float, a: Anatomy) -> tuple[int, float]:
    """Label and depth in and behind the patella; AIR elsewhere."""
    d_outline = patella_outline(z, y, x, a)
    if d_outline > 0.5:
        return AIR, 0.0
    face = patella_face(z, y, d_femur, a)
    d = smooth_max(d_outline, face, 2.5)
    thickness = 0.0
    if face > -1.0:
        thickness = patellar_thickness(z, y, d_outline, a) * kept(z, y, x, True, a)
    if d < 0.0:
        cortex = mix(0.8, 1.6, smooth_step(-6.0, -12.0, x - a.patella[2] + 6.0))
        return _bone(z, y, x, d, cortex, PATELLAR_MARROW, thickness > NO_CARTILAGE, a), 0.0
    if face > -1.0:
        if thickness > NO_CARTILAGE and d < thickness:
            return PATELLAR_CARTILAGE, d / thickness
        if d_outline < -0.5 and d < thickness + 1.0 + 0.25 * a.effusion:
            return FLUID, 0.0
    return AIR, 0.0


@njit(cache=True, nogil=True)
def _fibrous_tissue(z: float, y: float, x: float, a: Anatomy) -> int:
    """Label of a ligament, tendon or sheet at this point; AIR elsewhere."""
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
    if z > 20.0 and y > -34.0 and y < 52.0 and abs(x) < 14.0 and medial_collateral(z, y, x) < 0.0:
        return MEDIAL_COLLATERAL
    if z < -34.0 and y > -30.0 and y < 20.0 and x > 0.0 and lateral_collateral(z, y, x) < 0.0:
        return LATERAL_COLLATERAL
    if retinaculum(z, y, x, a) < 0.0:
        return RETINACULUM
    return AIR


@njit(cache=True, nogil=True)
def _filling_tissue(
    z: float, y: float, x: float, d_skin: float, d_bone: float, d_femur: float, a: Anatomy
) -> int:
    """Label outside bones and joint: fluid, vessel, muscle or fat."""
    if (
        x < -20.0
        and x > -50.0
        and y < -30.0
        and y > -95.0
        and abs(z) < 34.0
        and suprapatellar_recess(z, y, x, a) < 0.0
    ):
        return FLUID
    if d_femur < 4.0 and gutter(z, y, x, d_femur, a) < 0.0:
        return FLUID
    if popliteal_cyst(z, y, x, a) < 0.0:
        return FLUID
    if popliteal_vessels(z, y, x) < 0.0:
        return VESSELS
    if d_skin > -SKIN_THICKNESS - fat_thickness(z, x, a):
        return FAT
    in_notch = ellipsoid(z, y + 12.0, x - 12.0, 18.0, 27.0, 24.0) < 0.0
    # muscles lie on the shafts and keep clear of the joint capsule
    clear = 0.8 + 4.5 * (1.0 - smooth_step(26.0, 44.0, abs(y + 6.0)))
    if not in_notch and d_bone > clear:
        around_patella = ellipsoid(z - a.patella[0], y - a.patella[1], x + 40.0, 28.0, 25.0, 24.0)
        if around_patella > 0.0 and in_muscle(z, y, x, d_bone, a):
            return MUSCLE
    return FAT_PAD if in_fat_pad(z, y, x, a) else DEEP_FAT


@njit(cache=True, nogil=True)
def _in_soft_tissue(
    p: tuple[float, float, float], q: tuple[float, float, float]
) -> tuple[float, float, float]:
    """The point in the frame of the soft tissue, which bends over the whole length of the joint.

    `p` is the point in the frame of the femur, `q` in that of the tibia.
    """
    bent = smooth_step(-40.0, 40.0, p[1])
    return mix(p[0], q[0], bent), mix(p[1], q[1], bent), mix(p[2], q[2], bent)


@njit(cache=True, nogil=True)
def skin_distance(z: float, y: float, x: float, a: Anatomy) -> float:
    """Distance of a point of the knee frame from the outside of the leg [mm of a middle knee], negative inside."""
    m = _in_soft_tissue((z, y, x), below_joint(z, y, x, a))
    return leg(m[0], m[1], m[2], a)


@njit(cache=True, nogil=True)
def tissue_at(z: float, y: float, x: float, a: Anatomy) -> tuple[int, float]:
    """Label and depth at a point of the knee frame; depth in cartilage is 0 at the bone, 1 at the surface."""
    q = below_joint(z, y, x, a)
    m = _in_soft_tissue((z, y, x), q)
    d_skin = leg(m[0], m[1], m[2], a)
    if d_skin > 0.0:
        return AIR, 0.0
    if d_skin > -SKIN_THICKNESS:
        return SKIN, 0.0
    d_femur = femur(z, y, x, a) if y < 14.0 and abs(z) < 48.0 and abs(x) < 42.0 else 20.0
    if d_femur < 0.0:
        covered = (
            d_femur > -CALCIFIED and femoral_thickness(z, y, x, a) * kept(z, y, x, False, a) > NO_CARTILAGE
        )
        cortex = mix(0.8, 3.2, smooth_step(46.0, 84.0, -y))
        return _bone(z, y, x, d_femur, cortex, FEMORAL_MARROW, covered, a), 0.0
    d_tibia, surface = 20.0, 20.0
    u, v, w = q
    if v > -16.0 and abs(u) < 48.0 and abs(w) < 38.0:
        surface = tibial_surface(u, w, a)
        d_tibia = tibia(u, v, w, surface, a)
        if d_tibia < 0.0:
            covered = (
                d_tibia > -CALCIFIED
                and v < surface + 1.0
                and tibial_thickness(u, w, a) * kept(u, v, w, False, a) > NO_CARTILAGE
            )
            cortex = mix(0.8, 3.2, smooth_step(22.0, 60.0, v))
            return _bone(u, v, w, d_tibia, cortex, TIBIAL_MARROW, covered, a), 0.0
    d_fibula = fibula(u, v, w) if u < -15.0 and v > 4.0 else 20.0
    if d_fibula < 0.0:
        cortex = mix(0.8, 1.8, smooth_step(22.0, 50.0, v))
        return _bone(u, v, w, d_fibula, cortex, FIBULAR_MARROW, False, a), 0.0
    label, depth = _joint_tissue((z, y, x), q, d_femur, d_tibia, surface, a)
    if label != AIR:
        return label, depth
    if x < -20.0 and y < 0.0:
        label, depth = _patellar_tissue(z, y, x, d_femur, a)
        if label != AIR:
            return label, depth
    label = _fibrous_tissue(m[0], m[1], m[2], a)
    if label != AIR:
        return label, 0.0
    return _filling_tissue(m[0], m[1], m[2], d_skin, min(d_femur, d_tibia, d_fibula), d_femur, a), 0.0


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
        k = a.waves[row]
        height = wave(k[0] * u + k[1] * v + k[2] * w + k[3])
        du += height * k[4]
        dv += height * k[5]
        dw += height * k[6]
    return u + du, v + dv, w + dw
