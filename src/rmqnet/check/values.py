"""Whether the values of maps are possible: by physics first, then beside those of any knee."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.check.content import Said
from rmqnet.check.field import check_field
from rmqnet.check.images import FEWEST_VOXELS, Image, box_mean
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.quantities import QUANTITIES

MOST_FAILED = 0.5
"""Part of the fitted voxels without a value above which the images are not what the model takes them for: most of them.
Bone, fat and air that was taken for tissue fail too: 10 to 20 % of right knees."""
MOST_ORDER = 0.5
"""Part of the voxels in which T1rho may exceed T1: none should, noise and fat let some."""
LEAST_SPREAD = 0.25
"""Spread of a map over the standard deviation that noise gives to each of its voxels, below which its values can't come
from images with that noise: even a uniform object has 1."""
EVEN = 0.02
"""Relative spread of T1 below which it is called the same everywhere, where the images show structure: fat, muscle and
cartilage differ by factors of 1.2 to 4: our choice."""
NOISE_ONLY = 1.5
"""Spread of T1 over its standard deviation up to which it may be noise alone: a uniform object has 1, a knee 5."""
STRUCTURE = 0.10
"""Relative spread of the signal within 20 mm from which on images show more than one tissue: our choice."""
NEIGHBORHOOD = 20.0
"""Width of the neighborhood whose mean is taken off the signal [mm], so that coil sensitivity is no structure."""
FALL = 0.5
"""Part of the signal that the longest spin-lock time takes at most from what has a long T1rho: the longest time is then
less than 0.7 T1rho."""
MEASURED = 1e-3
"""Standard deviation over value below which images have no noise to speak of, as computed ones."""
_FAILED = (Reason.AT_BOUND, Reason.NOT_CONVERGED, Reason.AFI_RATIO)
_ROBUST = 1.349
"""Interquartile range over standard deviation of a normal distribution."""


def check_values(images: Sequence[Image], maps: MapSet) -> Said:
    """What is impossible or unlike any knee in the values of maps."""
    for name in maps.values:
        yield from _failed(images, maps, name)
    yield from _order(maps)
    yield from _field(maps)
    yield from _same_everywhere(images, maps)
    yield from _unlike_knee(maps)


def _known(maps: MapSet, name: str) -> NDArray[np.float64]:
    """Values of a map where it has some (voxel,); empty where they are too few to say anything."""
    if name not in maps.values:
        return np.empty(0)
    values = maps.values[name][maps.valid(name) & np.isfinite(maps.values[name])].astype(np.float64)
    return values if values.size >= FEWEST_VOXELS else np.empty(0)


def _failed(images: Sequence[Image], maps: MapSet, name: str) -> Said:
    reason = maps.reason[name]
    failed = np.isin(reason, _FAILED)
    fitted = int((failed | (reason == Reason.VALID)).sum())
    share = float(failed.sum()) / max(fitted, 1)
    if fitted < FEWEST_VOXELS or share <= MOST_FAILED:
        return
    quantity = QUANTITIES[name]
    low, high = (quantity.display_factor * bound for bound in quantity.bounds)
    searched = f"{low:g} to {high:g} {quantity.display_unit}" if np.isfinite(high) else "above 0"
    if name == "T1rho" and _hardly_falls(images, maps, failed):
        yield (
            "unlike_knee",
            f"T1rho is beyond {high:g} {quantity.display_unit} in {share:.0%} of the fitted voxels, as in water: check "
            "SpinLockTime, unless this is another object.",
        )
        return
    yield (
        "at_bounds",
        f"{name} has no value within its range ({searched}) in {share:.0%} of the fitted voxels: the signals are not "
        "those that the settings promise; check the settings, and whether air was taken for tissue.",
    )


def _hardly_falls(images: Sequence[Image], maps: MapSet, failed: NDArray[np.bool_]) -> bool:
    """True where the signal of these voxels falls with spin-lock time, by less than `FALL`: the time is just long."""
    series = [
        image
        for image in images
        if image.acquisition.spin_lock_time is not None and image.grid.same_as(maps.grid)
    ]
    if len(series) < 2:
        return False
    series.sort(key=lambda image: image.acquisition.spin_lock_time or 0.0)
    first, last = (float(image.finite[failed].sum(dtype=np.float64)) for image in (series[0], series[-1]))
    return (1 - FALL) * first < last <= first


def _order(maps: MapSet) -> Said:
    if not {"T1", "T1rho"} <= maps.values.keys():
        return
    both = maps.valid("T1") & maps.valid("T1rho")
    if both.sum() < FEWEST_VOXELS:
        return
    excess = maps.values["T1rho"][both] - maps.values["T1"][both]
    spread = np.zeros_like(excess)
    for name in maps.sd.keys() & {"T1", "T1rho"}:
        spread = np.hypot(spread, np.nan_to_num(maps.sd[name][both]))
    share = float((excess > 2 * spread).mean())
    if share > MOST_ORDER:
        yield (
            "relaxation_order",
            f"T1rho is longer than T1 in {share:.0%} of the voxels, which no tissue has: check SpinLockTime, FlipAngle "
            "and the repetition times (are times in seconds, angles in degrees?).",
        )


def _field(maps: MapSet) -> Said:
    if "B1" in maps.values:
        reason = maps.reason["B1"]
        lacking = reason == Reason.MISSING_GIVEN
        yield from check_field(maps.values["B1"], maps.valid("B1"), lacking, maps.grid)


def _spread(values: NDArray[np.float64]) -> float:
    return (float(np.percentile(values, 75)) - float(np.percentile(values, 25))) / _ROBUST


def _same_everywhere(images: Sequence[Image], maps: MapSet) -> Said:
    for name in ("T1", "T1rho"):
        values = _known(maps, name)
        if not values.size:
            continue
        spread, middle = _spread(values), float(np.median(values))
        noise = _typical_sd(maps, name)
        less_than_noise = noise > MEASURED * middle and spread < LEAST_SPREAD * noise
        even = name == "T1" and spread < np.hypot(EVEN * middle, NOISE_ONLY * noise)
        if not less_than_noise and not (even and _structured(images, maps)):
            continue
        shown = QUANTITIES[name]
        value = f"{shown.display_factor * middle:.4g} {shown.display_unit}"
        why = "less than the noise allows" if less_than_noise else "although the images show several tissues"
        yield (
            "same_everywhere",
            f"{name} is the same everywhere ({value}, spread {spread / max(middle, 1e-9):.1%}), {why}: the images may "
            "be one image under several settings, or not measured images; look at them side by side.",
        )


def _typical_sd(maps: MapSet, name: str) -> float:
    """Median standard deviation of the voxels of a map; 0 where none is known."""
    sd = maps.sd[name][maps.valid(name)] if name in maps.sd else np.empty(0)
    known = sd[np.isfinite(sd)]
    return float(np.median(known)) if known.size else 0.0


def _structured(images: Sequence[Image], maps: MapSet) -> bool:
    """True where the mean image varies within 20 mm more than noise and a coil explain, away from the edges."""
    series = [image for image in images if image.grid.same_as(maps.grid)]
    if not series:
        return False
    mean = np.stack([image.finite for image in series]).mean(axis=0, dtype=np.float64)
    tissue = np.all([image.tissue for image in series], axis=0).astype(np.float64)
    inner = box_mean(tissue, (1, 3, 3)) > 1 - 1e-6
    if inner.sum() < FEWEST_VOXELS:
        return False
    size = [max(round(NEIGHBORHOOD / edge) | 1, 3) for edge in maps.grid.voxel_size]
    inside = inner.astype(np.float64)
    smooth = np.asarray(box_mean(mean * inside, size))[inner] / np.maximum(
        box_mean(inside, size)[inner], 1e-9
    )
    relative = mean[inner] / np.maximum(smooth, np.finfo(np.float64).tiny)
    levels = [image.noise for image in series if image.noise is not None]
    noise = float(np.median(levels)) / np.sqrt(len(series)) / float(np.median(mean[inner])) if levels else 0.0
    return _spread(relative) > np.hypot(STRUCTURE, 3 * noise)


def _unlike_knee(maps: MapSet) -> Said:
    for name in ("T1", "T1rho"):
        values = _known(maps, name)
        if not values.size:
            continue
        quantity = QUANTITIES[name]
        low, high = float(np.percentile(values, 10)), float(np.percentile(values, 90))
        shortest, longest = KNEE[name]
        if high < shortest or low > longest:
            span = " to ".join(f"{quantity.display_factor * value:.3g}" for value in (low, high))
            yield (
                "unlike_knee",
                f"{name} is {span} {quantity.display_unit} in most voxels, unlike any knee: check the settings, unless "
                "this is another object.",
            )


KNEE = {"T1": (0.25, 2.5), "T1rho": (0.015, 0.2)}
"""Values [s] that no knee has nearly everywhere: below the least or above the greatest. At 3 T fat and marrow have T1
of 0.35 to 0.4 s, muscle and cartilage 0.8 to 1.4 s (Gold 2004, AJR 183:343); T1rho of muscle is 0.03 to 0.04 s, of
cartilage 0.03 to 0.08 s; other objects, such as phantoms, may have them."""
