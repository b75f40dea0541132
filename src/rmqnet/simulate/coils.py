"""Receive coils around the leg: complex sensitivities, and the noise that they share."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid

RADIUS = 95.0
"""Distance of the coils from the axis of the leg [mm]: default."""
HALF_LENGTH = 80.0
"""Half of the length of a coil along the leg [mm]: default."""
OVERLAP = 1.1
"""Width of a coil over the distance from coil to coil: default."""
WIRE = 8.0
"""Distance within which the field of a wire is held finite [mm]: default."""
STEP = 4.0
"""Spacing of the points at which fields are computed; between them they are interpolated [mm]: default."""
FADE_START = 0.3
"""Part of the leg beyond the field of view after which the signal fades out: default."""
NEIGHBOR_CORRELATION = 0.15
"""Size of the correlation of the noise of neighbors before it is spread further: default."""
NOISE_SPREAD = 0.1
"""Relative standard deviation of the noise level from coil to coil: default."""

Points = NDArray[np.float64]


def sensitivities(grid: Grid, inside: tuple[float, float, float], n_coils: int) -> NDArray[np.complex64]:
    """Complex sensitivities (coil, z, y, x) of loops around the leg, by the law of Biot and Savart.

    Within the box of half edges `inside` (z, y, x) [mm] about the middle of the grid their root sum of squares is 1, so
    that what the receive field does there is in the object. Beyond it they fall off as from its border on, and along
    the leg to 0 at the end of the grid: a leg has no end there, and its edge would ring into the image.
    """
    from scipy.ndimage import map_coordinates

    half = [size * (n - 1) / 2 for size, n in zip(grid.voxel_size, grid.shape, strict=True)]
    lines = [
        np.linspace(-end, end, min(n, int(np.ceil(2 * end / STEP)) + 1))
        for end, n in zip(half, grid.shape, strict=True)
    ]
    points = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
    coils = np.stack([_loop(points, coil, n_coils) for coil in range(n_coils)])
    clamped = np.clip(points, -np.array(inside), np.array(inside))
    total = np.sqrt(sum(np.abs(_loop(clamped, coil, n_coils)) ** 2 for coil in range(n_coils)))
    coarse = (coils / total * _fade(points[..., 1], inside[1])).astype(np.complex64)
    where = [
        np.linspace(0, len(line) - 1, n, dtype=np.float32).reshape([-1 if a == k else 1 for k in range(3)])
        for a, (line, n) in enumerate(zip(lines, grid.shape, strict=True))
    ]
    at = np.broadcast_arrays(*where)
    result = np.empty((n_coils, *grid.shape), np.complex64)
    for own, low in zip(result, coarse, strict=True):
        own.real = map_coordinates(low.real, at, order=3, mode="nearest")
        own.imag = map_coordinates(low.imag, at, order=3, mode="nearest")
    return result


def noise_covariance(n_coils: int, rng: np.random.Generator) -> NDArray[np.complex128]:
    """Covariance (coil, coil) of the noise; its mean diagonal is 2: a variance of 1 in each part of a sample."""
    level = 1 + NOISE_SPREAD * rng.standard_normal(n_coils).clip(-2, 2)
    phase = np.exp(2j * np.pi * rng.uniform(size=n_coils))
    mixing = np.eye(n_coils, dtype=np.complex128)
    if n_coils > 1:
        mixing += NEIGHBOR_CORRELATION * np.roll(np.diag(phase), 1, axis=1)
    mixing *= level[:, None]
    covariance = mixing @ mixing.conj().T
    return covariance * (2 * n_coils / np.trace(covariance).real)


def _fade(y: NDArray[np.float64], inside: float) -> NDArray[np.float64]:
    """Factor from 1 within the field of view to 0 at the end of the grid along the leg (smooth; 1 without room)."""
    room = float(y.max()) - inside
    if room <= 0:
        return np.ones_like(y)
    part = ((np.abs(y) - inside) / room - FADE_START) / (1 - FADE_START)
    return np.cos(np.pi / 2 * part.clip(0, 1)) ** 2


def _loop(points: Points, coil: int, n_coils: int) -> NDArray[np.complex128]:
    """Field (z, y, x) across the leg of a rectangular loop, as the complex number of a rotating frame."""
    middle, width = 2 * np.pi * coil / n_coils, 2 * np.pi / max(n_coils, 3) * OVERLAP
    corners = [
        np.array([RADIUS * np.sin(angle), y, RADIUS * np.cos(angle)])
        for angle, y in (
            (middle - width / 2, -HALF_LENGTH),
            (middle + width / 2, -HALF_LENGTH),
            (middle + width / 2, HALF_LENGTH),
            (middle - width / 2, HALF_LENGTH),
        )
    ]
    field = np.zeros_like(points)
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        first, second = points - start, points - end
        near = np.sqrt((first**2).sum(-1) + WIRE**2)
        far = np.sqrt((second**2).sum(-1) + WIRE**2)
        product = near * far * (near * far + (first * second).sum(-1))
        field += np.cross(first, second) * ((near + far) / product)[..., None]
    # the main field lies along the leg (y): the two axes across it are seen
    return field[..., 2] + 1j * field[..., 0]
