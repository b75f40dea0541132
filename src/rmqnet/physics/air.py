"""Air in magnitude images: the voxels that hold noise and nothing else, and how bright that noise is."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_dilation,
    binary_propagation,
    gaussian_filter,
    median_filter,
    uniform_filter1d,
)

WINDOW = 7
"""In-plane edge of the window whose mean and spread tell noise from tissue [voxel]: our choice. 49 voxels of Rayleigh
noise have a mean known to 7 % and a standard deviation known to 12 %."""
STRIDE = 4
"""Step from window to window in-plane [voxel]; they overlap."""
SMALL = 64
"""Shorter in-plane edge below which windows are of 5 voxels, every second one: of air there is little [voxel]."""
DARK_PERCENTILES = (1.0, 2.0, 5.0, 10.0, 20.0, 35.0, 50.0)
"""Percentiles of the window means from which heaps of equally dark windows are looked for: air may be a hundredth of
the image, or most of it."""
BRIGHT_PERCENTILE = 99.5
"""Percentile of the window means that stands for bright tissue: a few vials in much air count too."""
MOST_AIR = 0.08
"""Level over bright tissue up to which a heap of dark windows is air, whatever its noise looks like: our choice. A real
knee has 0.04 to 0.06 in each of its images, the same images cropped to the joint 0.11 to 0.33."""
MOST_NOISY_AIR = 0.5
"""The same for windows that scatter as noise does: at 0.5 tissue has twice the signal of noise."""
RAYLEIGH_SPREAD = 0.5227
"""Standard deviation over mean of the Rayleigh noise of air in a magnitude image of one channel."""
RAYLEIGH_RANGE = (0.75, 1.3)
"""Measured over expected spread between which noise is that of one channel: tissue of three times the noise has 0.6."""
MOSTLY = 0.8
"""Part of the windows of a heap that must scatter so; of noise nearly all do."""
AROUND = 0.6
"""Part of the 3 x 3 windows around one that must scatter so: all on one side of a border, few within tissue."""
MOST_FINE = 0.9
"""Fine structure over that of the smoothest bright tissue up to which windows may hold noise of several channels: that
noise varies 0.65 to 0.71 times as much in air as in tissue, and tissue adds structure of its own."""
MOST_SHARED = 2.5
"""Variance of the window means over that of white noise up to which windows hold noise: simulated air has 1.0 to 1.8,
the dark marrow of a real knee 3.7, its other tissue 6 and more. Our choice."""
LOWEST, HIGHEST = 0.5, 1.4
"""Window means over the level of the air around them between which a window is air: our choice."""
LARGEST_FACTOR = 5.0
"""Largest rise of the air over its usual level that is followed (geometry factors of parallel imaging, corrected
intensity): our choice."""
SILENT = 0.06
"""Fine structure over that of the smoothest bright tissue below which a dark window was not measured but filled or
interpolated: the noise of air is 0.65 of that of tissue, and 0.3 of what a real knee shows, structure included."""
FAINTEST = 0.002
"""Level over bright tissue below which alone a window can be one that was not measured: as air it would mean a signal
of 600 times the noise."""
FAINT = 0.05
"""Part of the level of the air below which a voxel beside it was not measured: 0.2 % of Rayleigh noise is as faint."""
REACH = 3.0
"""Width (standard deviation) of the neighborhood in which the level of the air is followed [windows]: our choice."""
EVEN = 1.3
"""Ratio of the 95th to the 5th percentile of the level of air up to which it is taken as one value: our choice."""
FEWEST_WINDOWS = 16
"""Windows of air below which nothing is said about it: 250 voxels, whose median is known to 7 %. Our choice."""
DEVIATIONS = 3.5
"""Standard deviations of the noise above the level of the air up to which a voxel is air, and those of medians up to
which dark voxels are: our choice. With 3, each of the two takes up to 0.8 % of the air for tissue."""
LEAST_MEASURED = 0.6
"""Part of a window that must have been measured: the corners of the volume count, half-filled windows do not."""
_TURNS = 12
_MOST_TURNS = 60
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Air:
    """The air of images: where it is and which signal its noise rarely exceeds."""

    windows: NDArray[np.bool_]
    """True (z, y, x) where the surrounding window holds noise only."""
    silent: NDArray[np.bool_]
    """True (z, y, x) where nothing was measured: far less than noise."""
    level: NDArray[np.float64] | None
    """Mean signal (z, y, x) of the noise; None where there is no air."""
    deviation: float = 0.0
    """Standard deviation of the noise over its level."""
    median_deviation: float = 0.0
    """The same of the medians of 3 x 3 voxels of a slice."""

    @property
    def threshold(self) -> NDArray[np.float64] | None:
        """Signal (z, y, x) that the noise rarely exceeds; None where there is no air."""
        return None if self.level is None else self.level * (1 + DEVIATIONS * self.deviation)

    def tissue(self, mean: NDArray[np.floating]) -> NDArray[np.bool_]:
        """True (z, y, x) where the mean image exceeds the threshold, or the median around a voxel that of medians.

        Noise lets voxels of dark tissue sink below the threshold, while the voxels around them do not. At the border
        of a bright object fewer than half of the voxels around one of air are bright.
        """
        if self.level is None or self.threshold is None:
            return np.ones(mean.shape, bool)
        median = median_of_slice(mean)
        return (mean > self.threshold) | (
            (mean > self.level) & (median > self.level * (1 + DEVIATIONS * self.median_deviation))
        )


def find_air(images: NDArray[np.floating], mean: NDArray[np.floating], measured: NDArray[np.bool_]) -> Air:
    """Air in magnitude images (contrast, z, y, x) and in their mean (z, y, x), where they were measured.

    Air is the largest heap of equally dark windows that reach the border, if it is far below bright tissue or
    scatters as noise does. Where the noise of one channel is uneven its level is followed from window to window, as
    long as they scatter alike. The threshold is that level and 3.5 standard deviations of the noise of the mean
    image, measured in air. Windows that vary far less than noise were not measured and are left out.
    """
    windows, nothing = _windows(images, mean, measured), np.zeros_like(measured)
    stride = windows.stride
    if np.count_nonzero(windows.inside) < FEWEST_WINDOWS:
        return Air(nothing, nothing, None)
    bright = float(np.percentile(windows.level[windows.inside], BRIGHT_PERCENTILE))
    smooth = float(np.percentile(windows.fine[windows.inside & (windows.level > 0.3 * bright)], 10))
    quiet = windows.inside & (windows.level < FAINTEST * bright) & (windows.fine < SILENT * smooth)
    silent = _on_voxels(quiet, mean.shape, stride) & measured
    # windows next to them hold a part of them
    windows = replace(
        windows, inside=windows.inside & ~np.asarray(binary_dilation(quiet, np.ones((1, 3, 3), bool)), bool)
    )
    air_windows, scatter = _choose(windows, bright, smooth)
    if not air_windows.any():
        return Air(nothing, silent, None)
    local, best = _follow(windows, air_windows, scatter)
    air = _on_voxels(best, mean.shape, stride) & measured
    low, high = (float(value) for value in np.percentile(local[best], (5, 95)))
    even = scatter is None or high <= EVEN * low
    level = np.full(mean.shape, float(mean[air].mean())) if even else _on_voxels(local, mean.shape, stride)
    known = air & (mean < 3 * level)
    deviation, of_medians = (float(np.std((one / level)[known])) for one in (mean, median_of_slice(mean)))
    return Air(air & (mean > FAINT * level), silent, level, deviation, of_medians)


def median_of_slice(volume: NDArray[np.floating]) -> NDArray[np.floating]:
    """Median (z, y, x) of the 3 x 3 voxels of a slice around each voxel."""
    return np.asarray(median_filter(volume, (1, 3, 3)))


@dataclass(frozen=True, eq=False)
class _Windows:
    """What the windows around every fourth (or second) voxel of the rows and columns hold (z, y, x)."""

    level: NDArray[np.float64]
    """Mean of the measured voxels."""
    spread: NDArray[np.float64]
    """Their standard deviation."""
    scatter: NDArray[np.float64]
    """Standard deviation over mean within one image, over all of them."""
    fine: NDArray[np.float64]
    """Root mean square difference of a voxel and its four neighbors: noise, and little of the anatomy."""
    inside: NDArray[np.bool_]
    """True where all voxels were measured, or nearly all."""
    edge: int
    """In-plane edge of a window [voxel]."""
    stride: int
    """Step from window to window [voxel]."""


def _windows(
    images: NDArray[np.floating], mean: NDArray[np.floating], measured: NDArray[np.bool_]
) -> _Windows:
    values = np.where(measured, mean, 0).astype(np.float64)
    edge, stride = (WINDOW, STRIDE) if min(mean.shape[1:]) >= SMALL else (WINDOW - 2, STRIDE // 2)

    def window_mean(volume: NDArray[np.float64]) -> NDArray[np.float64]:
        return _window_mean(volume, edge, stride)

    def spread_of(volume: NDArray[np.float64], level: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.sqrt(np.maximum(window_mean(volume**2) / weight - level**2, 0))

    share = window_mean(measured.astype(np.float64))
    weight = np.maximum(share, _TINY)
    level = window_mean(values) / weight
    spread = spread_of(values, level)
    square = np.zeros_like(level)
    for image in images if len(images) > 1 else ():
        own = np.where(measured & np.isfinite(image), image, 0).astype(np.float64)
        square += spread_of(own, window_mean(own) / weight) ** 2
    scatter = np.sqrt(square / len(images)) if len(images) > 1 else spread
    # infinite where there is hardly a signal: no noise scatters so
    with np.errstate(over="ignore"):
        scatter = scatter / np.maximum(level, np.finfo(np.float64).tiny)
    rows, columns = (
        np.pad(values, ((0, 0), (1, 1), (0, 0)), "edge"),
        np.pad(values, ((0, 0), (0, 0), (1, 1)), "edge"),
    )
    values -= (rows[:, 2:] + rows[:, :-2] + columns[:, :, 2:] + columns[:, :, :-2]) / 4
    fine = spread_of(values, 0.0)
    # the part of a border window that lies beyond the volume counts as not measured
    inside = (share > LEAST_MEASURED) & (level > 0)
    return _Windows(level, spread, scatter, fine, inside, edge, stride)


def _window_mean(values: NDArray[np.float64], edge: int, stride: int) -> NDArray[np.float64]:
    """Mean of the window around voxels a stride apart in rows and columns; beyond the volume everything is 0."""
    for axis in (1, 2):
        first = min(stride // 2, values.shape[axis] - 1)
        values = np.asarray(uniform_filter1d(values, edge, axis=axis, mode="constant"))
        values = values[:, first::stride] if axis == 1 else values[:, :, first::stride]
    return values


def _on_voxels(coarse: NDArray[np.generic], shape: tuple[int, ...], stride: int) -> NDArray[Any]:
    """The value of the nearest window for each voxel of the volume."""
    _, n_y, n_x = shape
    y, x = (
        np.minimum(np.arange(n) // stride, m - 1) for n, m in zip((n_y, n_x), coarse.shape[1:], strict=True)
    )
    return coarse[:, y[:, None], x]


def _heaps(windows: _Windows) -> Iterator[NDArray[np.bool_]]:
    """Windows (z, y, x) of about one level that reach the border, of each level at which they heap up (mean shift)."""
    level, seen = windows.level, set[float]()
    values = level[windows.inside]
    for start in np.percentile(values, DARK_PERCENTILES) if values.size else ():
        usual = float(start)
        for _ in range(_TURNS):
            near = values[(values > LOWEST * usual) & (values < HIGHEST * usual)]
            if not near.size:  # a percentile can lie between the levels
                break
            usual = float(np.median(near))
        heap = windows.inside & (level > LOWEST * usual) & (level < HIGHEST * usual)
        heap = _from_border(heap, windows.inside)
        if usual not in seen and np.count_nonzero(heap) >= FEWEST_WINDOWS:
            yield heap
        seen.add(usual)


def _choose(windows: _Windows, bright: float, smooth: float) -> tuple[NDArray[np.bool_], float | None]:
    """Windows (z, y, x) of air, none where there is none, and their spread over mean if it is that of one channel.

    Heaps that scatter as noise does come before those that are only dark, and large ones before small ones. Further
    heaps of one channel are air of another level.
    """
    found: list[tuple[bool, int, NDArray[np.bool_], float | None]] = []
    for heap in _heaps(windows):
        level = float(np.median(windows.level[heap]))
        shared = _shared(windows, heap)
        scatter = _rayleigh(windows, heap) if shared < MOST_SHARED else None
        smooth_enough = float(np.median(windows.fine[heap])) < MOST_FINE * smooth
        noisy = scatter is not None or (shared < MOST_SHARED and smooth_enough)
        if level < (MOST_NOISY_AIR if noisy else MOST_AIR) * bright:
            found.append((noisy, int(heap.sum()), heap, scatter))
    if not found:
        return np.zeros_like(windows.inside), None
    _, _, best, scatter = max(found, key=lambda one: one[:2])
    if scatter is not None:
        usual = float(np.median(windows.level[best]))
        for _, _, heap, other in found:
            if other is not None and 1 < float(np.median(windows.level[heap])) / usual < LARGEST_FACTOR:
                best = best | heap
    return best, scatter


def _rayleigh(windows: _Windows, heap: NDArray[np.bool_]) -> float | None:
    """Spread over mean of windows that scatter as the noise of one channel does, else None."""
    low, high = RAYLEIGH_RANGE
    ratio = windows.scatter[heap] / RAYLEIGH_SPREAD
    alike = float(((ratio > low) & (ratio < high)).mean())
    return float(np.median(ratio)) * RAYLEIGH_SPREAD if alike > MOSTLY else None


def _shared(windows: _Windows, heap: NDArray[np.bool_]) -> float:
    """Variance of the window means, less their gradient, over that of white noise; infinite where it can't be told."""
    bend = -(-windows.edge // windows.stride)  # windows to the next one that does not overlap
    ratios = []
    for axis in (1, 2):
        level, spread = (np.moveaxis(values, axis, 0) for values in (windows.level, windows.spread))
        there = np.moveaxis(heap, axis, 0)
        if len(there) <= 2 * bend:
            continue
        ends, middle = (slice(None, -2 * bend), slice(2 * bend, None)), slice(bend, -bend)
        there = there[ends[0]] & there[middle] & there[ends[1]]
        second = level[ends[0]] - 2 * level[middle] + level[ends[1]]
        # six times the variance of a window mean, for white noise
        ratios.append((second**2 / np.maximum(6 * spread[middle] ** 2 / windows.edge**2, _TINY))[there])
    values = np.concatenate(ratios) if ratios else np.array([])
    # the median of the square of a Gaussian is 0.455 of its mean
    return float(np.median(values)) / 0.455 if values.size >= FEWEST_WINDOWS else float("inf")


def _from_border(windows: NDArray[np.bool_], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those windows (z, y, x) that reach the border of what was measured: marrow and bone can be as dark, within."""
    border = np.ones_like(inside)
    border[:, 1:-1, 1:-1] = False
    cross = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool)
    border |= np.asarray(binary_dilation(~inside, cross), bool)
    return np.asarray(binary_propagation(windows & border, structure=cross, mask=windows), bool)


def _follow(
    windows: _Windows, air: NDArray[np.bool_], scatter: float | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Level of the air around each window, and the windows of air (z, y, x), beyond its usual level.

    Without the scatter of one channel only tissue and air near the usual level can be told apart, by their level.
    """
    level = windows.level
    usual = float(np.percentile(level[air], 25))
    local = _around(level, air, usual)
    if scatter is None:
        return local, air
    lowest, highest = (factor * scatter for factor in RAYLEIGH_RANGE)
    noisy: NDArray[np.bool_] = (windows.scatter > lowest) & (windows.scatter < highest)
    # tissue scatters so in single windows, at its borders
    near = uniform_filter1d(noisy.astype(np.float64), 3, axis=1, mode="nearest")
    noisy &= uniform_filter1d(near, 3, axis=2, mode="nearest") > AROUND
    noisy &= windows.inside & (level < LARGEST_FACTOR * usual)
    for _ in range(_MOST_TURNS):
        grown = _from_border(noisy & (level > LOWEST * local) & (level < HIGHEST * local), windows.inside)
        if (grown == air).all() or np.count_nonzero(grown) < FEWEST_WINDOWS:
            break
        air, local = grown, _around(level, grown, usual)
    return local, air


def _around(level: NDArray[np.float64], seeds: NDArray[np.bool_], usual: float) -> NDArray[np.float64]:
    """Mean level of the windows of air near each window; the usual level where there are none."""
    width = (1.0, REACH, REACH)
    weight = gaussian_filter(seeds.astype(np.float64), width, mode="constant", truncate=3)
    total = gaussian_filter(np.where(seeds, level, 0), width, mode="constant", truncate=3)
    few = 1e-3
    return (total + few * usual) / (weight + few)
