"""From tissue to images: signals mixed by tissue fraction, blurred by the read-out, complex noise, magnitude."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.threads import n_threads
from rmqnet.domain.tissues import TISSUES, UNIONS, Tissue, tissue_of_label
from rmqnet.physics.signals import synthesize
from rmqnet.simulate.deviation import Deviation
from rmqnet.simulate.rasterize import Voxels
from rmqnet.simulate.readout import (
    Spectrum,
    continued,
    decay_class,
    radius,
    to_image,
    to_spectrum,
    transfer,
    voxel_average,
)
from rmqnet.simulate.tissue_maps import WATER_IN_FAT, TissueMaps

Values = dict[str, NDArray[np.float32]]

VFA_SPOKES = 7100
"""Spokes of one flip angle: 142 s at 20 ms each."""
AFI_SPOKES = 2475
"""Spokes of one AFI image: 297 s at 120 ms for the pair."""

SPOKES_PER_SATURATION = 5
"""Read-outs of a VFA image after each fat saturation: default."""

CHUNK = 16384
"""Voxels computed at a time: as many as the processor's cache holds with all intermediate results."""
WATER = TISSUES["muscle"]
"""The tissue whose read-out the water among fat shares."""


def tissue_signals(
    tissue: Tissue,
    acquisitions: Sequence[Acquisition],
    values: Values,
    fat_saturation: NDArray[np.float32] | float,
    deviation: Deviation = Deviation(),  # noqa: B008  # frozen
) -> NDArray[np.float32]:
    """Signals (contrast, voxel) of voxels filled by one tissue.

    Fat that a saturation pulse of this efficiency (0 to 1) has hit keeps a part 1 - efficiency of its
    magnetization; it then follows the same recursion as water whose preparation keeps that part.
    """
    signals = np.empty((len(acquisitions), *values["M0"].shape), np.float32)
    for index, planned in enumerate(acquisitions):
        acquisition, settings = as_it_happens(tissue, planned, values, fat_saturation, deviation)
        signals[index] = synthesize([acquisition], settings)[0]
        signals[index] *= deviation.transfer_factor(tissue, planned, values["B1"])
    return signals


def as_it_happens(
    tissue: Tissue,
    planned: Acquisition,
    values: Values,
    fat_saturation: NDArray[np.float32] | float,
    deviation: Deviation,
) -> tuple[Acquisition, Values]:
    """The acquisition that a tissue really sees, and the values that it then has."""
    acquisition = deviation.acquisition(planned)
    settings = dict(values)
    if tissue.fat and acquisition.fat_saturated:
        acquisition = _as_train(acquisition)
        kept = acquisition.preparation_efficiency * (1 - np.atleast_1d(fat_saturation))
        settings["preparation_efficiency"] = kept.astype(np.float32)
    elif not tissue.fat:
        settings["T1rho"] = deviation.effective_t1rho(values["T1rho"], planned)
    return acquisition, settings


def _as_train(acquisition: Acquisition) -> Acquisition:
    """The train of read-outs that follows a fat saturation, as fat sees it: the saturation is its preparation."""
    if acquisition.method != "vfa" or acquisition.repetition_time_excitation is None:
        return acquisition
    spacing = acquisition.repetition_time_excitation
    return Acquisition(
        "adiabatic_t1rho",
        flip_angle=acquisition.flip_angle,
        spin_lock_time=0.0,
        repetition_time_preparation=SPOKES_PER_SATURATION * spacing,
        spokes_per_preparation=SPOKES_PER_SATURATION,
        spoke_spacing=spacing,
    )


@dataclass(frozen=True, eq=False)
class Spectra:
    """Noise-free images as half spectra; an image is complex, since fat off resonance is."""

    shape: tuple[int, int, int]
    """Voxels (z, y, x) of the images, which go on beyond the field of view: the knee lies in the first ones."""
    real: list[Spectrum]
    """Spectrum (z, y, x half) of the real part of each image, before the end of k-space."""
    imaginary: list[Spectrum]
    """Spectrum (z, y, x half) of the imaginary part of each image."""
    cartilage: NDArray[np.float32]
    """Mean signal of cartilage by contrast, whatever else its voxels hold left out."""


@dataclass(frozen=True)
class _Part:
    """Water or fat of one tissue: where it is, how much of it, and its signal."""

    index: NDArray[np.intp]
    fraction: NDArray[np.float32]
    signal: Callable[[NDArray[np.intp]], NDArray[np.float32]]
    """Signals (contrast, voxel) in the voxels of these flat indices."""
    cartilage: bool = False


def _parts(
    acquisitions: Sequence[Acquisition], voxels: Voxels, maps: TissueMaps, deviation: Deviation
) -> dict[tuple[float, bool], list[_Part]]:
    """All tissues by their decay in the read-out; the water among fat stands apart from the fat."""
    result: dict[tuple[float, bool], list[_Part]] = {}
    water_signal = _water_signal(acquisitions, maps, deviation)
    for label, index in voxels.members.items():
        tissue, fraction = tissue_of_label(label), voxels.fraction[label]

        def signal(at: NDArray[np.intp], tissue: Tissue = tissue) -> NDArray[np.float32]:
            saturation = maps.saturation.reshape(-1)[at] if tissue.fat else 0.0
            return tissue_signals(tissue, acquisitions, maps.values(tissue, at), saturation, deviation)

        if tissue.name in maps.water:
            water = maps.water[tissue.name].reshape(-1)[index]
            result.setdefault(decay_class(WATER), []).append(_Part(index, fraction * water, water_signal))
            fraction = fraction * (1 - water)
        part = _Part(index, fraction, signal, tissue.name in UNIONS["cartilage"])
        result.setdefault(decay_class(tissue), []).append(part)
    return result


def _water_signal(
    acquisitions: Sequence[Acquisition], maps: TissueMaps, deviation: Deviation
) -> Callable[[NDArray[np.intp]], NDArray[np.float32]]:
    """Signals of the water among fat: the same everywhere but for B1, from a table, and the sensitivity."""
    b1 = np.linspace(maps.B1.min(), maps.B1.max(), 65, dtype=np.float32)
    values = {name: np.full_like(b1, value) for name, value in WATER_IN_FAT.items()}
    values["M0"], values["B1"] = values.pop("density"), b1
    table = tissue_signals(WATER, acquisitions, values, 0.0, deviation)

    def signal(at: NDArray[np.intp]) -> NDArray[np.float32]:
        own, sensitivity = maps.B1.reshape(-1)[at], maps.sensitivity.reshape(-1)[at]
        return np.stack([np.interp(own, b1, row).astype(np.float32) * sensitivity for row in table])

    return signal


def mix_signals(
    acquisitions: Sequence[Acquisition],
    voxels: Voxels,
    maps: TissueMaps,
    duration: float,
    shape: tuple[int, int, int],
    deviation: Deviation = Deviation(),  # noqa: B008  # frozen
) -> Spectra:
    """Noise-free images: in each voxel the sum of its tissues' signals, each tissue blurred by its read-out.

    The spectra are those of images of this shape (`continued_shape`), at least that of the voxels.
    """
    half = (shape[0], shape[1], shape[2] // 2 + 1)
    kappa, average = radius(shape), voxel_average(shape)
    real = [np.zeros(half, np.complex64) for _ in acquisitions]
    imaginary = [np.zeros(half, np.complex64) for _ in acquisitions]
    total, weight = np.zeros(len(acquisitions)), 0.0
    with ThreadPoolExecutor(n_threads()) as pool:
        for (t2star, fat), parts in _parts(acquisitions, voxels, maps, deviation).items():
            images = np.zeros((len(acquisitions), voxels.label.size), np.float32)
            for part in parts:
                sums = _add(images, part, pool)
                if part.cartilage:
                    total += sums
                    weight += float(part.fraction.sum(dtype=np.float64))
            cosine, sine = transfer(kappa, t2star, fat=fat, duration=duration)
            cosine /= average
            if sine is not None:
                sine /= average
            for k, image in enumerate(images):
                spectrum = to_spectrum(continued(image.reshape(voxels.label.shape), shape))
                real[k] += spectrum * cosine
                if sine is not None:
                    imaginary[k] += spectrum * sine
    return Spectra(shape, real, imaginary, (total / max(weight, 1.0)).astype(np.float32))


def _add(images: NDArray[np.float32], part: _Part, pool: ThreadPoolExecutor) -> NDArray[np.float64]:
    """Add the signals of one part to the images (contrast, voxel); returns their sums by contrast."""

    def work(start: int) -> NDArray[np.float64]:
        chunk = slice(start, start + CHUNK)
        index = part.index[chunk]
        signals = part.signal(index)
        signals *= part.fraction[chunk]
        # no two chunks share a voxel
        for image, signal in zip(images, signals, strict=True):
            image[index] += signal
        return signals.sum(axis=1, dtype=np.float64)

    return np.sum(list(pool.map(work, range(0, part.index.size, CHUNK))), axis=0)


def afi_noise(noise: float, factor: int) -> float:
    """Noise of the AFI images from that of the others.

    Noise falls with the volume of a voxel and with the square root of the number of spokes; the factor
    is 0.21 for the paper's grids.
    """
    return noise / factor**3 * float(np.sqrt(VFA_SPOKES / AFI_SPOKES))


def measured_magnitude(
    real: Spectrum, imaginary: Spectrum, noise: float, shape: tuple[int, int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Magnitude (z, y, x) of an image cut off at the end of k-space, where noise is added to what was read.

    `noise` is the standard deviation of each of the two parts of the complex image; the noise of neighbors is
    correlated, as no noise is read outside the ellipsoid either.
    """
    inside = radius(shape) <= 1
    parts = []
    for spectrum in (real, imaginary):
        white = to_spectrum(rng.standard_normal(shape, np.float32))
        white *= np.float32(noise / np.sqrt(_kept(shape)))
        parts.append(to_image((spectrum + white) * inside, shape))
    return np.hypot(parts[0], parts[1]).astype(np.float32)


def _kept(shape: tuple[int, int, int]) -> float:
    """Part of all frequencies of a grid that lie in the ellipsoid that is read."""
    z, y, x = np.meshgrid(*(2 * np.fft.fftfreq(n) for n in shape), indexing="ij", sparse=True)
    return float((z**2 + y**2 + x**2 <= 1).mean())


def truth_maps(voxels: Voxels, maps: TissueMaps) -> dict[str, NDArray[np.float32]]:
    """M0, T1, T1rho and B1 (z, y, x) of the tissue that the label of a voxel names; NaN in air."""
    flat = voxels.label.reshape(-1)
    truth = {name: np.full(flat.size, np.nan, np.float32) for name in ("M0", "T1", "B1", "T1rho")}
    for tissue in TISSUES.values():
        index = np.flatnonzero(flat == tissue.label)
        for name, value in maps.values(tissue, index).items():
            truth[name][index] = value
    return {name: volume.reshape(voxels.label.shape) for name, volume in truth.items()}
