"""Smooth random fields on a grid: texture of tissue, transmit field, receive sensitivity, fat saturation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

B1_RANGE = (0.80, 1.15)
"""Transmit field within the field of view: PHYSICS 2.5, default."""
TEXTURE_LENGTH = (1.1, 1.1, 1.1)
"""Width (sigma; z, y, x) of the filter that makes a texture [mm]; correlated over 2-3 mm: PHYSICS 5.5."""
SATURATION_DEPTH = 8.0
"""Distance over which air disturbs the field and with it the fat saturation [mm]: default."""
SATURATION_ONSET = (0.34, 0.72)
"""Part of air within that distance at which the saturation starts to fail and has failed: default. It is 0.5 at a flat
skin, and higher where the skin bulges, as in front of the patella."""
SATURATION_PATCHES = 0.22
"""Standard deviation by which the field moves that onset from place to place: default."""


def texture(
    shape: tuple[int, int, int],
    voxel_size: Sequence[float],
    rng: np.random.Generator,
    length: Sequence[float] = TEXTURE_LENGTH,
) -> Field:
    """Random field (z, y, x) with mean 0 and standard deviation 1, smoothed by a Gaussian of these widths [mm]."""
    from scipy.ndimage import gaussian_filter

    white = rng.standard_normal(shape, dtype=np.float32)
    sigma = [wide / size for wide, size in zip(length, voxel_size, strict=True)]
    field = gaussian_filter(white, sigma, truncate=2.5, mode="wrap")
    return (field / field.std()).astype(np.float32, copy=False)


def _polynomial(shape: tuple[int, int, int], coefficients: NDArray[np.float64]) -> Field:
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


def transmit_field(shape: tuple[int, int, int], rng: np.random.Generator) -> Field:
    """B1 (z, y, x) as a ratio: mean 1.0 +- 0.05 between subjects, always within B1_RANGE."""
    mean = 1.0 + 0.05 * float(np.clip(rng.standard_normal(), -2, 2))
    spread = min(float(rng.uniform(0.06, 0.14)), mean - B1_RANGE[0], B1_RANGE[1] - mean)
    return np.float32(mean) + np.float32(spread) * _polynomial(shape, rng.standard_normal(9))


def receive_field(shape: tuple[int, int, int], rng: np.random.Generator) -> Field:
    """Receive sensitivity (z, y, x), mean 1: higher near the coil that surrounds the leg. Default."""
    coefficients = np.array([0.0] * 6 + [1.0, 0.3, 1.0]) + 0.35 * rng.standard_normal(9)
    spread = np.float32(rng.uniform(0.15, 0.3))
    return 1 + spread * _polynomial(shape, coefficients)


def fat_saturation_field(
    air: NDArray[np.bool_], voxel_size: Sequence[float], efficiency: float, rng: np.random.Generator
) -> Field:
    """Efficiency (z, y, x) of the fat saturation: as given deep in the leg, failing in patches near the skin.

    Air near a voxel shifts its resonance; most where the skin bulges, as in front of the patella.
    """
    from scipy.ndimage import gaussian_filter, zoom

    # smooth by nature: computed on every second voxel in the plane
    step = 2
    coarse = air[:, ::step, ::step].astype(np.float32)
    sizes = (voxel_size[0], step * voxel_size[1], step * voxel_size[2])
    exposure = gaussian_filter(
        coarse, [SATURATION_DEPTH / size for size in sizes], mode="nearest", truncate=3
    )
    exposure += SATURATION_PATCHES * exposure * texture(coarse.shape, sizes, rng, (15.0, 15.0, 15.0)) / 0.5
    low, high = SATURATION_ONSET
    failed = ((exposure - low) / (high - low)).clip(0, 1)
    failed = failed * failed * (3 - 2 * failed)
    fine = np.asarray(zoom(failed, [n / m for n, m in zip(air.shape, coarse.shape, strict=True)], order=1))
    return (efficiency * (1 - fine)).astype(np.float32)


def off_resonance_field(shape: tuple[int, int, int], largest: float, rng: np.random.Generator) -> Field:
    """Frequency (z, y, x) by which water is off resonance after shimming, at most `largest` [Hz] in the middle."""
    return np.float32(largest) * _polynomial(shape, rng.standard_normal(9))
