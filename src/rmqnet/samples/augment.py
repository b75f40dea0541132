"""Changes of a training sample that leave its physics true; a function of seed, epoch and sample only."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.samples.sample import Sample

GAIN_SD = 0.05
"""Standard deviation of the logarithm of the common gain of all images and M0: a default. It stands for errors of
the intensity scale between people; ratios of images, and so T1, B1 and T1rho, do not change."""
MAX_SHIFT = 8
"""Largest in-plane shift [voxel]: a default, about 5 mm in the paper's protocol. Knees are not flipped in the plane
nor turned: front, back, up and down stay what they are, and no map is interpolated."""


def augment(sample: Sample, *, crop: int | None, seed: int, epoch: int, index: int) -> Sample:
    """The sample with a random gain, and shifted or (with `crop`, the edge length in voxels) cut around its tissue."""
    random = np.random.default_rng((seed, epoch, index))
    gained = _gain(sample, float(np.exp(random.normal(0.0, GAIN_SD))))
    shape: tuple[int, int] = sample.signals.shape[-2:]
    if crop is None:
        row, column = (int(v) for v in random.integers(-MAX_SHIFT, MAX_SHIFT + 1, 2))
        return window(gained, (row, column), shape)
    return window(gained, _corner(np.logical_or.reduce(sample.mask), crop, random), (crop, crop))


def window(sample: Sample, corner: tuple[int, int], shape: tuple[int, int]) -> Sample:
    """The part of the slice that starts at a corner (y, x); what lies outside is 0 and not valid."""
    return dataclasses.replace(
        sample,
        signals=_cut(sample.signals, corner, shape),
        maps=_cut(sample.maps, corner, shape),
        valid=_cut(sample.valid, corner, shape),
        mask=_cut(sample.mask, corner, shape),
    )


def _gain(sample: Sample, gain: float) -> Sample:
    factors = [gain if QUANTITIES[name].intensity else 1.0 for name in sample.quantities]
    return dataclasses.replace(
        sample,
        signals=sample.signals * np.float32(gain),
        maps=sample.maps * np.asarray(factors, np.float32).reshape(-1, 1, 1),
    )


def _corner(tissue: NDArray[np.bool_], crop: int, random: np.random.Generator) -> tuple[int, int]:
    """Corner of a window with a random tissue voxel in its middle half, kept inside the slice where it fits."""
    voxels = np.argwhere(tissue) if tissue.any() else np.argwhere(~tissue)
    center = voxels[random.integers(len(voxels))]
    offset = random.integers(crop // 4, crop - crop // 4, 2)
    room = np.array(tissue.shape) - crop
    row, column = np.where(room >= 0, np.clip(center - offset, 0, np.maximum(room, 0)), room // 2)
    return int(row), int(column)


def _cut(array: NDArray, corner: tuple[int, int], shape: tuple[int, int]) -> NDArray:
    cut = np.zeros((array.shape[0], *shape), array.dtype)
    source, target = [], []
    for start, length, size in zip(corner, shape, array.shape[1:], strict=True):
        low, high = max(start, 0), min(start + length, size)
        source.append(slice(low, max(high, low)))
        target.append(slice(low - start, max(high, low) - start))
    cut[:, *target] = array[:, *source]
    return cut
