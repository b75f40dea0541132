"""Random shapes of one leg: outline of the skin, bellies of the muscles, unevenness of every contour."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OUTLINE_START, OUTLINE_STEP = -120.0, 2.0
"""First level and spacing of the leg outline [mm]."""

# y; front x, back x, half width of the leg
_OUTLINE = np.array(
    [
        (-120, -64, 70, 63),
        (-90, -63, 68, 61),
        (-62, -60, 64, 57),
        (-40, -60.5, 65, 54.5),
        (-18, -57, 64, 53),
        (2, -47.5, 66, 52),
        (22, -38, 68, 51),
        (38, -33, 70, 51),
        (60, -27.5, 71, 52),
        (80, -26, 70, 52),
        (120, -27, 62, 50),
    ],
    dtype=float,
)

MUSCLES = np.array(
    [
        # first y, last y, taper above, taper below, then z, x at first y, z, x at last y, half widths z, x
        (-150, -10, 1, 80, 26, -22, 33, -12, 24, 28),  # vastus medialis
        (-150, -24, 1, 75, -29, -22, -36, -15, 22, 28),  # vastus lateralis
        (-150, -54, 1, 70, -2, -40, -2, -39, 24, 11),  # rectus femoris and vastus intermedius
        (-150, 30, 1, 80, -22, 34, -36, 45, 17, 20),  # biceps femoris
        (-150, 24, 1, 70, 14, 38, 29, 47, 19, 20),  # semimembranosus
        (-150, 40, 1, 80, 36, 18, 42, 20, 9, 13),  # sartorius and gracilis
        (-50, 160, 75, 1, 18, 32, 21, 52, 20, 21),  # gastrocnemius, medial head
        (-47, 160, 75, 1, -19, 32, -21, 52, 20, 20),  # gastrocnemius, lateral head
        (0, 160, 30, 1, -2, 25, 0, 27, 27, 11),  # popliteus and soleus
        (12, 160, 30, 1, -29, -4, -25, -8, 17, 16),  # tibialis anterior
        (20, 160, 25, 1, -41, 13, -40, 10, 10, 15),  # peroneal muscles
    ],
    dtype=float,
)
"""Bellies of the muscles: extent, taper, axis and half widths [mm]."""


def rotation(flexion: float, varus: float, axial: float) -> Array:
    """Rotation matrix of small angles [radian] about the z, x and y axis."""
    cross = np.array([[0.0, -varus, axial], [varus, 0.0, -flexion], [-axial, flexion, 0.0]])
    u, _, v = np.linalg.svd(np.eye(3) + cross)
    return np.ascontiguousarray(u @ v)


def outline(scale: float) -> Array:
    """Outline of a leg of this scale: front x, back x and half width (3, level)."""
    from scipy.interpolate import CubicSpline

    levels = np.arange(OUTLINE_START, 120.1, OUTLINE_STEP)
    spline = CubicSpline(_OUTLINE[:, 0], _OUTLINE[:, 1:])
    return np.ascontiguousarray(spline(levels).T * scale)


def muscles(rng: np.random.Generator) -> Array:
    """Muscle table with every belly moved and resized a little."""
    table = MUSCLES.copy()
    table[:, 4:8] += rng.normal(0.0, 1.0, (len(table), 4)).clip(-2, 2)
    table[:, 8:10] *= 1 + rng.normal(0.0, 0.06, (len(table), 2)).clip(-0.12, 0.12)
    return table


def waves(rng: np.random.Generator) -> Array:
    """Waves of 24 to 70 mm length and up to 0.5 mm amplitude, which make every contour irregular."""
    n = 5
    direction = rng.standard_normal((n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = np.geomspace(24.0, 70.0, n)[:, None]
    displacement = rng.standard_normal((n, 3))
    displacement *= 0.009 * length / np.linalg.norm(displacement, axis=1, keepdims=True)
    phase = rng.uniform(0, 1, (n, 1))
    return np.ascontiguousarray(np.hstack([direction / length, phase, displacement]))


def roughness(rng: np.random.Generator) -> Array:
    """Waves of 5 to 16 mm length and random direction."""
    n = 6
    direction = rng.standard_normal((n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = np.geomspace(5.0, 16.0, n)[:, None]
    return np.ascontiguousarray(np.hstack([direction / length, rng.uniform(0, 1, (n, 1))]))
