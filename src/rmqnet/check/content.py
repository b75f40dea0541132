"""What one image tells about itself: numbers that are missing, cut, rounded, or nothing but noise."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.images import Image

Said = Iterator[tuple[str, str]]
"""Pairs of a rule and a sentence."""

MOST_NEGATIVE = 0.01
"""Part of negative voxels above which an image is no magnitude; resampling leaves a few at edges: default."""
NOISE_VARIATION = 0.40
"""Standard deviation over mean within the brightest blocks above which they are noise. Rayleigh noise has 0.52
(0.46 in its brightest blocks), and an even signal of 1.5 times the noise has 0.40."""
SIGNAL = 2.0
"""Mean of the brightest blocks over that of the usual one from which on an image has signal somewhere: blocks of 16
voxels of Rayleigh noise stay below 1.6. Our choice."""
RISES = 3.0
"""The same from which on bright objects stand in an image that is mostly air: our choice."""
FEWEST_PILED = 10
"""Voxels at the very maximum that are no chance: measured images have one, or a few after rounding."""
ROUNDING = 0.1
"""Variance that rounding adds (step squared / 12), relative to that of the noise, above which it matters: default."""
ROUNDED_TISSUE = 0.01
"""Standard deviation that rounding adds, relative to the median tissue, above which it matters: that of an image with a
signal-to-noise ratio of 100, better than knees are measured with (default)."""


def check_content(image: Image) -> Said:
    """What is wrong within one image; an image without content is not looked at further."""
    lost = 1 - np.isfinite(image.data).mean()
    if lost:
        yield (
            "not_finite",
            f"{image.label} has {_percent(lost)} of its voxels without a number: reconstruct or convert it again.",
        )
    values = image.finite
    if values.min() == values.max():
        yield (
            "empty",
            f"{image.label} has the value {values.max():g} in all voxels: reconstruct or convert it again.",
        )
        return
    negative = float((values < 0).mean())
    padded = float((values == values.min()).mean())
    if values.min() < 0 and padded > MOST_NEGATIVE and negative - padded < MOST_NEGATIVE:
        yield (
            "not_magnitude",
            f"{image.label} has the value {values.min():g} in {_percent(padded)} of its voxels, as padding outside the "
            "scanned region: set these voxels to 0.",
        )
        return
    if negative > MOST_NEGATIVE:
        yield (
            "not_magnitude",
            f"{image.label} is negative in {_percent(negative)} of its voxels: give the magnitude image, not the phase "
            "or a difference.",
        )
        return
    yield from _noise(image)
    yield from _saturated(image)
    yield from _coarse(image)
    yield from _slices(image)


def _noise(image: Image) -> Said:
    blocks = _blocks(image.finite)
    mean = blocks.mean(axis=1)
    if _rise(mean) < SIGNAL and _variation(blocks, mean) > NOISE_VARIATION:
        yield (
            "only_noise",
            f"{image.label} is hardly more than noise even where it is brightest: look at the image; "
            "coil or reconstruction failed.",
        )


def in_much_air(image: Image) -> bool:
    """True where bright objects stand in an image that is mostly air, as vials do: its usual voxel says nothing."""
    return _rise(_blocks(image.finite).mean(axis=1)) > RISES


def _rise(mean: NDArray[np.float64]) -> float:
    """Mean of the brightest blocks over that of the usual one; 0 without blocks, infinite where the usual one is 0."""
    if not mean.size:
        return 0.0
    usual, bright = float(np.median(mean)), float(np.percentile(mean, 99.5))
    return bright / usual if usual > 0 else float("inf")


def _blocks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The image in blocks of 4 x 4 voxels of one slice: (block, voxel)."""
    n_y, n_x = (n // 4 * 4 for n in values.shape[1:])
    blocks = values[:, :n_y, :n_x].reshape(values.shape[0], n_y // 4, 4, n_x // 4, 4)
    return np.moveaxis(blocks, 2, 3).reshape(-1, 16).astype(np.float64)


def _variation(blocks: NDArray[np.float64], mean: NDArray[np.float64]) -> float:
    """Standard deviation over mean in the brightest tenth of the blocks (block, voxel), their median."""
    if not blocks.size:
        return 0.0
    spread = blocks.std(axis=1, ddof=1)
    bright = mean >= np.percentile(mean, 90)
    return float(np.median(spread[bright] / np.maximum(mean[bright], np.finfo(np.float64).tiny)))


def _saturated(image: Image) -> Said:
    values, top = image.finite, float(image.finite.max())
    piled = int((values >= top * (1 - 1e-6)).sum())
    below = int(((values >= 0.98 * top) & (values < top * (1 - 1e-6))).sum())
    # the values of an image thin out towards the brightest one; where they are cut they pile up
    if piled >= FEWEST_PILED and piled > below:
        yield (
            "saturated",
            f"{image.label} has {piled} voxels at its maximum of {top:g}: it was cut there; "
            "convert it again without clipping, or lower the receiver gain.",
        )


def _coarse(image: Image) -> Said:
    levels = np.unique(image.finite)
    if levels.size > 4096:
        return
    error = float(np.median(np.diff(levels))) / np.sqrt(12)
    tissue = float(np.median(image.finite[image.tissue])) if image.tissue.any() else 0.0
    # coarse rounding takes the noise of air to 0: then only the tissue tells how coarse it is
    if error <= ROUNDED_TISSUE * tissue or (
        image.noise is not None and error**2 <= ROUNDING * image.noise**2
    ):
        return
    yield (
        "coarse_numbers",
        f"{image.label} is rounded to steps of {np.sqrt(12) * error:.3g}, but its tissue has {tissue:.3g}: "
        "convert it again with 16 bits or as float.",
    )


def _slices(image: Image) -> Said:
    for axis, way in enumerate(("sagittal", "axial", "coronal")):
        slices = np.moveaxis(image.finite, axis, 0).reshape(image.data.shape[axis], -1)
        flat = slices.min(axis=1) == slices.max(axis=1)
        # air that was set to zero surrounds the leg within a slice, so the slices next to it hold little tissue too
        lost = _beside_tissue(flat, slices)
        if lost:
            yield (
                "lost_slices",
                f"{image.label} is empty in {lost} of {flat.size} {way} slices beside slices full of tissue: "
                "the file was cut off; copy or reconstruct it again.",
            )
        same = (slices[1:] == slices[:-1]).all(axis=1) & ~flat[1:]
        if same.any():
            yield (
                "lost_slices",
                f"{image.label} shows {same.sum()} {way} slices twice, the first at {int(same.argmax())}: "
                "convert it again.",
            )


def _beside_tissue(flat: NDArray[np.bool_], slices: NDArray[np.float32]) -> int:
    """Number of flat slices that come right after or before one that holds at least half of the usual content."""
    if not flat.any() or flat.all():
        return 0
    content = slices.mean(axis=1)
    full = content > 0.5 * np.median(content[~flat])
    beside = flat & (np.roll(full, 1) | np.roll(full, -1))
    beside[0] = flat[0] and full[np.argmin(flat)]
    beside[-1] = flat[-1] and full[flat.size - 1 - np.argmin(flat[::-1])]
    return int(flat.sum()) if beside.any() else 0


def _percent(part: float) -> str:
    return f"{100 * part:.2g} %"
