"""What surrounds the joint: collateral ligaments, retinacula, iliotibial tract, vessels, fluid, fat pad.

Points are (z, y, x) of the knee frame: medial, inferior, posterior; distances in mm, negative inside.
"""

import math

from numba import njit

from rmqnet.simulate.anatomy_parameters import Anatomy
from rmqnet.simulate.damage import roughness
from rmqnet.simulate.shapes import band, ellipse, ellipsoid, mix, segment, smooth_min, smooth_step


@njit(cache=True, nogil=True)
def medial_collateral(z: float, y: float, x: float) -> float:
    """Distance to the medial collateral ligament, a flat band from the epicondyle to the tibia."""
    u = segment(z, y, 0.0, (38.5, -27.0, 0.0), (40.5, -2.0, 0.0))
    u = min(u, segment(z, y, 0.0, (40.5, -2.0, 0.0), (40.0, 8.0, 0.0)))
    u = min(u, segment(z, y, 0.0, (40.0, 7.0, 0.0), (25.0, 27.0, 0.0)))
    u = min(u, segment(z, y, 0.0, (25.0, 27.0, 0.0), (16.0, 47.0, 0.0)))
    return band(
        u, x - mix(5.0, -3.0, smooth_step(-27.0, 48.0, y)), 1.3, mix(5.0, 8.0, smooth_step(-27.0, 0.0, y))
    )


@njit(cache=True, nogil=True)
def lateral_collateral(z: float, y: float, x: float) -> float:
    """Distance to the lateral collateral ligament, a cord from the epicondyle to the head of the fibula."""
    return segment(z, y, x, (-39.5, -26.0, 5.0), (-38.5, 16.0, 21.0)) - 2.1


@njit(cache=True, nogil=True)
def retinaculum(z: float, y: float, x: float, a: Anatomy) -> float:
    """Distance to the patellar retinacula and the iliotibial tract, thin sheets."""
    d = 9.0
    cz, cy, cx = a.patella
    if x < -4.0 and x > -48.0 and abs(z - cz) > 12.0 and y > cy - 16.0 and y < cy + 26.0:
        d = abs(ellipse(z - 0.5 * cz, x + 4.0, 42.5, 1.0 - cx)) - 0.55
    across = x - mix(0.0, -17.0, smooth_step(-70.0, 14.0, y))
    if z < -27.0 and y < 16.0 and abs(across) < 9.0:
        u = segment(z, y, 0.0, (-46.0, -120.0, 0.0), (-43.5, -28.0, 0.0))
        u = min(u, segment(z, y, 0.0, (-43.5, -28.0, 0.0), (-31.0, 14.0, 0.0)))
        d = min(d, band(u, across, 1.0, 9.0))
    # sheets fray and thin out from place to place
    return d if d > 1.0 else d + 0.22 * roughness(z, y, x, a)


@njit(cache=True, nogil=True)
def popliteal_vessels(z: float, y: float, x: float) -> float:
    """Distance to the popliteal artery and, behind it, the wider vein."""
    if abs(z) > 14.0 or x < 12.0:
        return 9.0
    weave = 1.2 * math.sin(0.06 * y)
    artery = segment(z - weave, y, x, (5.0, -125.0, 19.0), (0.5, -25.0, 39.0))
    artery = min(artery, segment(z - weave, y, x, (0.5, -25.0, 39.0), (-1.0, 40.0, 42.0)))
    artery = min(artery, segment(z - weave, y, x, (-1.0, 40.0, 42.0), (-1.0, 110.0, 45.0))) - 2.8
    vein = segment(z + weave, y, x, (0.0, -125.0, 27.0), (-3.0, -25.0, 46.5))
    vein = min(vein, segment(z + weave, y, x, (-3.0, -25.0, 46.5), (-3.0, 110.0, 51.0))) - 3.6
    return min(artery, vein)


@njit(cache=True, nogil=True)
def suprapatellar_recess(z: float, y: float, x: float, a: Anatomy) -> float:
    """Distance to the fluid above and beside the patella, in front of the femur."""
    cz, cy, _ = a.patella
    v = y - cy + 24.0
    # the fold is thick where it is pressed least, and its border is lobed
    half = a.effusion * (0.75 + 0.25 * math.sin(0.23 * v + 0.16 * z))
    d = ellipsoid(
        z - cz - 3.0, v, x + 34.5 + 0.08 * v - 0.006 * z * z, 19.0 + a.effusion, 14.0 + 2.0 * a.effusion, half
    )
    return d + 0.4 * roughness(z, y, x, a)


@njit(cache=True, nogil=True)
def gutter(z: float, y: float, x: float, d_femur: float, a: Anatomy) -> float:
    """Distance to the fluid beside the condyles and behind them."""
    if y < -44.0 or y > -6.0 or (abs(z) < 27.0 and x < 24.0):
        return 9.0
    reach = smooth_step(-44.0, -30.0, y) * smooth_step(-6.0, -12.0, y)
    beside = smooth_step(-34.0, -24.0, x) * smooth_step(4.0, -8.0, x) + 0.8 * smooth_step(26.0, 32.0, x)
    return d_femur - (0.5 * a.effusion * reach * beside * (0.7 + 0.4 * roughness(z, y, x, a)))


@njit(cache=True, nogil=True)
def popliteal_cyst(z: float, y: float, x: float, a: Anatomy) -> float:
    """Distance to a Baker cyst, between gastrocnemius and semimembranosus; 9 where the knee has none."""
    size = a.popliteal_cyst
    if size < 0.5 or x < 28.0 or z < 0.0 or abs(y) > 45.0:
        return 9.0
    d = ellipsoid(z - 19.0, y - 4.0, x - 47.0, 0.75 * size, 1.9 * size, 0.7 * size)
    d = smooth_min(d, segment(z, y, x, (17.0, -14.0, 34.0), (19.0, -4.0, 46.0)) - 0.22 * size, 3.0)
    return d + 0.6 * roughness(z, y, x, a)


@njit(cache=True, nogil=True)
def in_fat_pad(z: float, y: float, x: float, a: Anatomy) -> bool:
    """True in Hoffa's fat pad, behind the patellar tendon and below the patella."""
    _, cy, _ = a.patella
    return abs(z + 2.0) < 25.0 - 0.35 * abs(y + 8.0) and y > cy + 8.0 and y < 26.0 and x < -10.0


@njit(cache=True, nogil=True)
def in_cyst(z: float, y: float, x: float, a: Anatomy) -> bool:
    """True in a cyst of the bone."""
    for row in range(a.cysts.shape[0]):
        cyst = a.cysts[row]
        square = (z - cyst[0]) ** 2 + (y - cyst[1]) ** 2 + (x - cyst[2]) ** 2
        if square < cyst[3] * cyst[3]:
            return True
    return False
