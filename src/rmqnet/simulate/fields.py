"""Smooth random fields on a grid: texture of tissue, transmit field, receive sensitivity."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

B1_RANGE = (0.80, 1.15)
"""Transmit field within the field of view: PHYSICS 2.5, default."""
TEXTURE_LENGTH = 1.1
"""Width (sigma) of the filter that makes a texture [mm]; gives a correlation over 2-3 mm: PHYSICS 5.5."""


def texture(
    shape: tuple[int, int, int], voxel_size: Sequence[float], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Random field (z, y, x) with mean 0 and standard deviation 1, correlated over 2-3 mm."""
    from scipy.ndimage import gaussian_filter

    white = rng.standard_normal(shape, dtype=np.float32)
    field = gaussian_filter(white, [TEXTURE_LENGTH / size for size in voxel_size], truncate=2.5)
    return (field / field.std()).astype(np.float32, copy=False)


def _polynomial(shape: tuple[int, int, int], coefficients: NDArray[np.float64]) -> NDArray[np.float32]:
    """Quadratic polynomial of position on a grid (z, y, x), held to -1 to 1."""
    z, y, x = np.meshgrid(
        *(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True
    )
    terms = (z, y, x, z * y, z * x, y * x, z * z, y * y, x * x)
    field = np.zeros(shape, np.float32)
    for coefficient, term in zip(coefficients, terms, strict=True):
        field += np.float32(coefficient) * term
    field -= field.mean()
    # the leg fills the middle of the field of view: the range holds there, corners are held to it
    middle = field[tuple(slice(n // 8, n - n // 8) for n in shape)]
    return (field / np.abs(middle).max()).clip(-1, 1)


def transmit_field(shape: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """B1 (z, y, x) as a ratio: mean 1.0 +- 0.05 between subjects, always within B1_RANGE."""
    mean = 1.0 + 0.05 * float(np.clip(rng.standard_normal(), -2, 2))
    spread = min(float(rng.uniform(0.06, 0.14)), mean - B1_RANGE[0], B1_RANGE[1] - mean)
    return np.float32(mean) + np.float32(spread) * _polynomial(shape, rng.standard_normal(9))


def receive_field(shape: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Receive sensitivity (z, y, x), mean 1: higher near the coil that surrounds the leg. Default."""
    coefficients = np.array([0.0] * 6 + [1.0, 0.3, 1.0]) + 0.35 * rng.standard_normal(9)
    spread = np.float32(rng.uniform(0.15, 0.3))
    return 1 + spread * _polynomial(shape, coefficients)
