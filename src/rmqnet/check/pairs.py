"""What the images of one subject tell about each other: copies, other people, other scales."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.content import Said, in_much_air
from rmqnet.check.images import (
    FEWEST_VOXELS,
    Image,
    block_means,
    box_mean,
    by_grid,
    by_method,
    common_tissue,
    known_noise,
    noise_levels,
    repeated_air,
)
from rmqnet.domain.grid import resample
from rmqnet.physics.foreground import foreground

COPY_RESIDUAL = 0.1
"""What remains of one image after the other is subtracted, over its noise, below which one is a copy: two measured
images each bring their own noise, so that at least 1 remains, while rounding leaves far less than a tenth."""
LEAST_COMMON = 0.5
"""Part of the structure of an image that the others must explain: images of one knee at rest share nearly all of it
(each voxel is a mixture of the same tissues), so that less than half is another knee or another place."""
LARGEST_VOXEL = 5.0
"""In-plane edge above which an image shows too little of a knee to be recognized by [mm]: its cartilage, menisci and
ligaments are 2 to 10 mm thick."""
RECOGNIZED = 2.0
"""Voxel edge up to which images are averaged before they are compared [mm]: the thickness of cartilage."""
FINE = 20.0
"""Width of the neighborhood whose mean is taken off before structures are compared [mm]: a condyle's; default."""
LEAST_SNR = 3.0
"""Median tissue over noise below which magnitudes are biased by more than 5 % (Rician mean, Gudbjartsson 1995)."""
MOSTLY_AIR = 1.5
"""Median of an image over its noise below which most of it is air: Rayleigh noise has 1.18."""
GAIN_STEP = 2**0.5
"""Factor of the noise level that counts as another scale: 3 dB, a usual least step of a receiver; rings of bright
tissue in the air change it by less [ratio]."""

EMPTIED = 0.2
"""Part of an image that is exactly 0 from which on it was masked: air fills a fifth of any image of a leg; default."""
MEASURED_ZEROS = 0.02
"""Part of an image that may be 0 by rounding; default."""
REPEATED_AIR = 0.25
"""Correlation of the air of a series above which its level says nothing about the scale: noise gives 0.04 on simulated
knees, artifacts of half to the whole noise level 0.39, which change the level by less than `GAIN_STEP`; default."""


def check_pairs(images: Sequence[Image]) -> Said:
    """What is wrong between the images of one subject; all of them have content."""
    for group in by_grid(images):
        for first, second in combinations(group, 2):
            if _is_copy(first, second):
                yield (
                    "copy",
                    f"{second.label} is the same image as {first.label}, noise included: "
                    "export the missing one again.",
                )
        yield from _too_noisy(group)
    yield from _gain(images)
    yield from _other_kind(images)
    yield from _anatomy(images)


def _too_noisy(group: Sequence[Image]) -> Said:
    inside = common_tissue(group)
    for image, noise in zip(group, noise_levels(group), strict=True):
        if noise is None or inside.sum() < FEWEST_VOXELS:
            continue
        # noise adds its square to that of the signal (Gudbjartsson 1995, MRM 34:910)
        snr = np.sqrt(max((float(np.median(image.finite[inside])) / noise) ** 2 - 1, 0.0))
        # the usual voxel of a few vials is air
        small = in_much_air(image) and float(np.median(image.finite)) < MOSTLY_AIR * noise
        if snr < LEAST_SNR and not small and not _merely_decayed(image, noise, group):
            yield (
                "too_noisy",
                f"{image.label} has a median signal of {snr:.1f} times its noise: its maps will be biased; "
                "leave it out or scan it again.",
            )


def _merely_decayed(image: Image, noise: float, group: Sequence[Image]) -> bool:
    """True for a later image of a spin-lock series with the noise of the others: it is dark, as it should be."""
    series = [other for other in group if other.acquisition.method == image.acquisition.method]
    times = [other.acquisition.spin_lock_time for other in series]
    own = image.acquisition.spin_lock_time
    if own is None or own <= min(time for time in times if time is not None):
        return False
    others = [level for other, level in zip(series, noise_levels(series), strict=True) if other is not image]
    known = [level for level in others if level is not None]
    return bool(known) and noise < GAIN_STEP * float(np.median(known))


def _is_copy(first: Image, second: Image) -> bool:
    a, b = first.finite.ravel().astype(np.float64), second.finite.ravel().astype(np.float64)
    scale = float(a @ b) / max(float(a @ a), np.finfo(np.float64).tiny)
    remains = float(np.sqrt(np.mean((b - scale * a) ** 2)))
    # without air the noise is not known: then only what is exact but for rounding counts
    noise = second.noise or 1e-3 * float(np.sqrt(np.mean(b**2)))
    return remains < COPY_RESIDUAL * noise


def _gain(images: Sequence[Image]) -> Said:
    for series in by_method(images).values():
        if len(series) < 2 or any(not image.grid.same_as(series[0].grid) for image in series):
            continue
        levels = [level for level in noise_levels(series) if level is not None]
        if len(levels) < len(series):
            continue
        if repeated_air(series) > REPEATED_AIR:
            continue  # what stands in the air is signal, which differs between contrasts
        noise = np.array(levels)
        for index, image in enumerate(series):
            usual = float(np.median(np.delete(noise, index))) if len(series) > 2 else float(noise.min())
            factor = float(noise[index]) / usual
            if max(factor, 1 / factor) > GAIN_STEP:
                yield (
                    "gain",
                    f"{image.label} has {factor:.2g} times the noise of the other images of its series: its scale "
                    "differs (receiver gain or rescaling); undo it or scan again.",
                )


def _other_kind(images: Sequence[Image]) -> Said:
    """Images of a series whose air was set to zero where that of the others was not, or the other way round."""
    for series in by_method(images).values():
        if len(series) < 2 or any(not image.grid.same_as(series[0].grid) for image in series):
            continue
        empty = [float((image.finite == 0).mean()) for image in series]
        for image, own in zip(series, empty, strict=True):
            usual = float(
                np.median([share for other, share in zip(series, empty, strict=True) if other is not image])
            )
            if own > EMPTIED and usual < MEASURED_ZEROS:
                yield (
                    "other_kind",
                    f"{image.label} is 0 in {own:.0%} of its voxels, where the other images of its series have noise: "
                    "it was masked, or it is a computed map; take the image as it was measured.",
                )
            elif own < MEASURED_ZEROS and usual > EMPTIED and len(series) > 2:
                yield (
                    "other_kind",
                    f"{image.label} has values where the other images of its series are 0 ({usual:.0%} of the voxels): "
                    "it is of another kind; take images of one kind, all masked or none.",
                )


def _anatomy(finest: Sequence[Image]) -> Said:
    """Images, and whole series, whose structure the other images of the subject do not explain."""
    known = known_noise(finest)
    images: list[Image] = []
    noise: dict[str, float] = {}
    for own in finest:
        image, n_averaged = block_means(own, RECOGNIZED)
        images.append(image)
        noise[image.name] = known.get(own.name, 0.0) / np.sqrt(n_averaged)
    named: set[str] = set()
    for method, series in by_method(images).items():
        others = [image for image in images if image.acquisition.method != method]
        if len(series) < 2 or not others or any(not image.grid.same_as(series[0].grid) for image in series):
            continue
        part = _common(_mean(series), others, series[0], noise[series[0].name] / np.sqrt(len(series)))
        if part is not None and part < LEAST_COMMON:
            named |= {image.name for image in series}
            yield (
                "other_anatomy",
                f"The {method} images ({series[0].name} and {len(series) - 1} more) share {part:.0%} of their "
                "structure with the other images: another person, or the knee moved; look at them side by side.",
            )
    for image in images:
        method = image.acquisition.method
        # where the noise is not known it can't be taken off: only AFI images, of large voxels, have little of it
        if image.name in named or (image.name not in known and method != "afi"):
            continue
        # an AFI image, on a coarse grid of its own, is best compared with its fellow
        fellow = [one for one in images if one is not image and (one.acquisition.method == method == "afi")]
        part = _common(
            image.finite,
            fellow or [other for other in images if other is not image],
            image,
            noise[image.name],
        )
        if part is not None and part < LEAST_COMMON:
            yield (
                "other_anatomy",
                f"{image.label} shares {part:.0%} of its structure with the other images of this subject: it shows "
                "another person, or the knee moved; look at them side by side.",
            )


def _mean(series: Sequence[Image]) -> NDArray[np.float32]:
    return np.stack([image.finite for image in series]).mean(axis=0)


def _common(values: NDArray[np.float32], others: Sequence[Image], place: Image, noise: float) -> float | None:
    """Part of the variance of the values (z, y, x), less that of the noise, that the other images explain linearly.

    Only voxels that are tissue in both count, and only what varies within 20 mm, so that neither the outline of the
    leg nor the reach of a coil explains anything. None where there is nothing to compare with, or too little.
    """
    if not others or sorted(place.grid.voxel_size)[1] > LARGEST_VOXEL:
        return None
    columns = [_onto(other, place) for other in others]
    there = np.all([np.isfinite(column) for column in columns], axis=0)
    finite = [np.where(there, column, 0) for column in columns]
    # a noisy image can't tell tissue from air, the others can
    inside = there & (values > 0) & foreground(np.stack(finite)).tissue
    if place.foreground.has_air:
        inside &= place.tissue
    if inside.sum() < FEWEST_VOXELS:
        return None
    target, *table = (_fine(column, inside, place) for column in (values, *columns))
    matrix = np.stack(table, axis=1)
    fitted = matrix @ np.linalg.lstsq(matrix, target, rcond=None)[0]
    structure = float(target.var()) - noise**2
    if structure <= noise**2:
        return None
    return 1 - max(float(np.mean((target - fitted) ** 2)) - noise**2, 0.0) / structure


def _fine(values: NDArray[np.float32], inside: NDArray[np.bool_], place: Image) -> NDArray[np.float64]:
    """The values inside (voxel,), less their mean over the tissue within `FINE` around each."""
    size = [max(round(FINE / edge) | 1, 3) for edge in place.grid.voxel_size]
    masked = np.where(inside, values, 0).astype(np.float64)
    mean = box_mean(masked, size) / np.maximum(box_mean(inside.astype(np.float64), size), 1e-9)
    return (masked - mean)[inside]


def _onto(image: Image, place: Image) -> NDArray[np.float32]:
    """The image on the grid of another; first averaged to its resolution, if that is coarser."""
    if image.grid.same_as(place.grid):
        return image.finite
    sizes = zip(place.grid.voxel_size, image.grid.voxel_size, strict=True)
    widths = [max(round(coarse / fine), 1) for coarse, fine in sizes]
    return resample(box_mean(image.finite, widths), image.grid, place.grid)
