"""One simulated subject: a knee, its scan, and the truth behind it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid, coarser
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.protocols import FULL, vfa
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.acquire import afi_noise, block_mean, mix_signals, noisy_magnitude, truth_maps
from rmqnet.simulate.anatomy_parameters import Anatomy, draw_anatomy
from rmqnet.simulate.cohort import plan_cohort
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.rasterize import Voxels, rasterize
from rmqnet.simulate.tissue_maps import TissueMaps, draw_tissue_maps


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulated scan and its truth."""

    subject: Subject
    scan: Scan
    """Magnitude images with noise: series vfa, adiabatic_t1rho and, on its coarser grid, afi."""
    truth: MapSet
    """M0, T1, B1 and T1rho on the VFA grid: those of the tissue that fills most of the voxel.

    NaN in air (BACKGROUND); T1rho of fat is NaN (FAT), because saturated fat shows no T1rho.
    """
    labels: Segmentation
    """All tissues; the label of a voxel is the tissue that fills most of it."""
    cartilage_fraction: NDArray[np.float32]
    """Part (z, y, x) of each voxel that is cartilage of any kind."""
    snr: float
    """Mean signal of cartilage at a flip angle of 10 degrees over `noise`."""
    noise: float
    """Standard deviation of the noise in each of the two parts of a complex VFA or T1rho image."""


def simulate_subject(config: SimulateConfig, subject_index: int) -> Simulated:
    """The scan and truth of one subject of the cohort; other subjects need not be made before it."""
    if not 0 <= subject_index < config.n_subjects:
        raise InputError(f"subject_index must be in [0, {config.n_subjects - 1}], got {subject_index}")
    subject = plan_cohort(config)[subject_index]
    rng = np.random.default_rng([config.seed, subject_index])
    anatomy = draw_anatomy(subject, rng)
    voxels = rasterize(anatomy, subject.side, config.shape, config.voxel_size, config.supersampling)
    grid = centered_grid(config.shape, config.voxel_size)
    return simulate_voxels(subject, anatomy, voxels, grid, config, rng)


def simulate_voxels(
    subject: Subject,
    anatomy: Anatomy,
    voxels: Voxels,
    grid: Grid,
    config: SimulateConfig,
    rng: np.random.Generator,
) -> Simulated:
    """The scan and truth of a knee whose tissues are known; of the anatomy, only the lesions and their place count."""
    snr = float(rng.triangular(config.snr_range[0], config.snr_mode, config.snr_range[1]))
    low, high = config.fat_saturation_range
    fat_saturation = float(rng.uniform(low, high))
    maps = draw_tissue_maps(subject, anatomy, voxels, config.voxel_size, rng)
    signals = mix_signals(FULL.acquisitions, voxels, maps, fat_saturation)
    reference = FULL.acquisitions.index(vfa(10.0))
    noise = float(signals.cartilage[reference]) / snr
    return Simulated(
        subject=subject,
        scan=_scan(subject, signals.images, noise, grid, config, rng),
        truth=_truth(voxels, maps, grid),
        labels=Segmentation(voxels.label, tuple(TISSUES), grid),
        cartilage_fraction=voxels.fractions_of(tuple(TISSUES[name].label for name in UNIONS["cartilage"])),
        snr=snr,
        noise=noise,
    )


def _scan(
    subject: Subject,
    images: NDArray[np.float32],
    noise: float,
    grid: Grid,
    config: SimulateConfig,
    rng: np.random.Generator,
) -> Scan:
    """Images with noise, by method; the AFI images are averaged to their grid before their noise is added."""
    series: dict[Method, ImageSeries] = {}
    for method in ("vfa", "adiabatic_t1rho", "afi"):
        rows = [k for k, acquisition in enumerate(FULL.acquisitions) if acquisition.method == method]
        factor = config.afi_matrix_factor if method == "afi" else 1
        data = block_mean(images[rows], factor) if method == "afi" else images[rows]
        sigma = afi_noise(noise, factor) if method == "afi" else noise
        series[method] = ImageSeries(
            noisy_magnitude(data, sigma, rng),
            tuple(FULL.acquisitions[k] for k in rows),
            coarser(grid, factor),
        )
    return Scan(subject, series)


def _truth(voxels: Voxels, maps: TissueMaps, grid: Grid) -> MapSet:
    values = truth_maps(voxels, maps)
    air = voxels.label == 0
    fat = np.isin(voxels.label, [tissue.label for tissue in TISSUES.values() if tissue.fat])
    reason = {name: np.where(air, Reason.BACKGROUND, Reason.VALID).astype(np.uint8) for name in values}
    values["T1rho"][fat] = np.nan
    reason["T1rho"][fat] = Reason.FAT
    return MapSet(values, reason, grid)
