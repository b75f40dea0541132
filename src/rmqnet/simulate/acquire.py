"""From tissue to images: signals mixed by tissue fraction, coarse AFI grid, complex noise, magnitude."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.tissues import TISSUES, UNIONS, Tissue, tissue_of_label
from rmqnet.physics.signals import synthesize
from rmqnet.simulate.rasterize import Voxels
from rmqnet.simulate.tissue_maps import TissueMaps

VFA_SPOKES = 7100
"""Spokes of one flip angle: 142 s at 20 ms each."""
AFI_SPOKES = 2475
"""Spokes of one AFI image: 297 s at 120 ms for the pair."""

CHUNK = 16384
"""Voxels computed at a time: as many as the processor's cache holds with all intermediate results."""


def tissue_signals(
    tissue: Tissue,
    acquisitions: Sequence[Acquisition],
    values: dict[str, NDArray[np.float32]],
    fat_saturation: float,
) -> NDArray[np.float32]:
    """Signals (contrast, voxel) of voxels filled by one tissue.

    Fat that a saturation pulse of this efficiency (0 to 1) has hit keeps a part 1 - efficiency of its
    magnetization; it then follows the same recursion as water whose preparation keeps that part.
    """
    signals = np.empty((len(acquisitions), *values["M0"].shape), np.float32)
    for index, acquisition in enumerate(acquisitions):
        settings = dict(values)
        if tissue.fat and acquisition.fat_saturated:
            kept = acquisition.preparation_efficiency * (1 - fat_saturation)
            settings["preparation_efficiency"] = np.full(1, kept, np.float32)
        signals[index] = synthesize([acquisition], settings)[0]
    return signals


@dataclass(frozen=True, eq=False)
class Signals:
    """Images before noise."""

    images: NDArray[np.float32]
    """Images (contrast, z, y, x)."""
    cartilage: NDArray[np.float32]
    """Mean signal of cartilage by contrast, whatever else its voxels hold left out."""


def mix_signals(
    acquisitions: Sequence[Acquisition], voxels: Voxels, maps: TissueMaps, fat_saturation: float
) -> Signals:
    """Noise-free images: in each voxel the sum of its tissues' signals, weighted by their fractions."""
    images = np.zeros((len(acquisitions), voxels.label.size), np.float32)
    total = np.zeros(len(acquisitions))
    weight = 0.0

    def add(tissue: Tissue, index: NDArray[np.intp], fraction: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add a tissue's share to voxels that no other call writes at the same time; its sum by contrast."""
        signals = tissue_signals(tissue, acquisitions, maps.values(tissue, index), fat_saturation)
        signals *= fraction
        for image, signal in zip(images, signals, strict=True):
            image[index] += signal
        return signals.sum(axis=1, dtype=np.float64)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for label, index in voxels.members.items():
            tissue, fraction = tissue_of_label(label), voxels.fraction[label]
            chunks = [slice(start, start + CHUNK) for start in range(0, index.size, CHUNK)]
            sums = list(pool.map(lambda c, t=tissue, i=index, f=fraction: add(t, i[c], f[c]), chunks))
            if tissue.name in UNIONS["cartilage"]:
                total += np.sum(sums, axis=0)
                weight += float(fraction.sum(dtype=np.float64))
    mean = (total / max(weight, 1.0)).astype(np.float32)
    return Signals(images.reshape(-1, *voxels.label.shape), mean)


def block_mean(images: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Images (contrast, z, y, x) averaged over blocks of factor x factor x factor voxels."""
    n, z, y, x = images.shape
    blocks = images.reshape(n, z // factor, factor, y // factor, factor, x // factor, factor)
    return blocks.mean(axis=(2, 4, 6), dtype=np.float32)


def afi_noise(noise: float, factor: int) -> float:
    """Noise of the AFI images from that of the others.

    Noise falls with the volume of a voxel and with the square root of the number of spokes; the factor
    is 0.21 for the paper's grids.
    """
    return noise / factor**3 * float(np.sqrt(VFA_SPOKES / AFI_SPOKES))


def noisy_magnitude(
    images: NDArray[np.float32], noise: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Magnitude of images plus complex Gaussian noise of this standard deviation in each part."""
    result = np.empty_like(images)
    for signal, out in zip(images, result, strict=True):
        real = rng.standard_normal(signal.shape, np.float32) * np.float32(noise) + signal
        imaginary = rng.standard_normal(signal.shape, np.float32) * np.float32(noise)
        np.hypot(real, imaginary, out=out)
    return result


def truth_maps(voxels: Voxels, maps: TissueMaps) -> dict[str, NDArray[np.float32]]:
    """M0, T1, T1rho and B1 (z, y, x) of the tissue that fills most of a voxel; NaN in air."""
    flat = voxels.label.reshape(-1)
    truth = {name: np.full(flat.size, np.nan, np.float32) for name in ("M0", "T1", "B1", "T1rho")}
    for tissue in TISSUES.values():
        index = np.flatnonzero(flat == tissue.label)
        for name, value in maps.values(tissue, index).items():
            truth[name][index] = value
    return {name: volume.reshape(voxels.label.shape) for name, volume in truth.items()}
