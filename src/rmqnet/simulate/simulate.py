"""One simulated subject: a knee, its scan, and the truth behind it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid, coarser
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.motion import STILL, Motion
from rmqnet.domain.protocols import FULL, vfa
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.acquire import Spectra, afi_noise, measured_magnitude, mix_signals, truth_maps
from rmqnet.simulate.anatomy_parameters import draw_anatomy
from rmqnet.simulate.cohort import plan_cohort
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.deviation import draw_deviation
from rmqnet.simulate.motion import draw_drift, drifted
from rmqnet.simulate.rasterize import Voxels, rasterize
from rmqnet.simulate.readout import continued_shape, crop
from rmqnet.simulate.shift import draw_motions, shifted
from rmqnet.simulate.simulated import Simulated
from rmqnet.simulate.slices import keep_cartilage_slices
from rmqnet.simulate.tissue_maps import TissueMaps, draw_tissue_maps


@dataclass(frozen=True, eq=False)
class Knee:
    """One subject before the scan."""

    subject: Subject
    voxels: Voxels
    maps: TissueMaps
    grid: Grid


def simulate_subject(config: SimulateConfig, subject_index: int) -> Simulated:
    """The scan and truth of one subject of the cohort; other subjects need not be made before it."""
    subject, voxels, grid, rng = _rasterized(config, subject_index)
    return simulate_voxels(subject, voxels, grid, config, rng)


def draw_knee(config: SimulateConfig, subject_index: int) -> Knee:
    """Tissues and their properties of one subject of the cohort, as `simulate_subject` scans them."""
    return knee_and_scan_rng(config, subject_index)[0]


def knee_and_scan_rng(config: SimulateConfig, subject_index: int) -> tuple[Knee, np.random.Generator]:
    """One subject of the cohort before the scan, and the source of all that is random in the scan.

    `scan_knee` with a copy of the source repeats the scan that `simulate_subject` gives, noise and all.
    """
    subject, voxels, grid, rng = _rasterized(config, subject_index)
    tissue_rng, scan_rng = rng.spawn(2)
    return _fill(subject, voxels, grid, config, tissue_rng), scan_rng


def _rasterized(
    config: SimulateConfig, subject_index: int
) -> tuple[Subject, Voxels, Grid, np.random.Generator]:
    """Subject, anatomy in voxels, their grid, and the source of all else that is random."""
    if not 0 <= subject_index < config.n_subjects:
        raise InputError(f"subject_index must be in [0, {config.n_subjects - 1}], got {subject_index}")
    subject = plan_cohort(config)[subject_index]
    rng = np.random.default_rng([config.seed, subject_index])
    anatomy = draw_anatomy(subject, rng)
    voxels = rasterize(anatomy, subject.side, config.shape, config.voxel_size, config.supersampling)
    return subject, voxels, centered_grid(config.shape, config.voxel_size), rng


def simulate_voxels(
    subject: Subject, voxels: Voxels, grid: Grid, config: SimulateConfig, rng: np.random.Generator
) -> Simulated:
    """The scan and truth of a knee whose anatomy is known.

    Tissue and scan have streams of random numbers of their own: a setting of the scan leaves the knee as it is.
    """
    tissue_rng, scan_rng = rng.spawn(2)
    return scan_knee(_fill(subject, voxels, grid, config, tissue_rng), config, scan_rng)


def _fill(
    subject: Subject, voxels: Voxels, grid: Grid, config: SimulateConfig, rng: np.random.Generator
) -> Knee:
    """A knee of this anatomy, filled with tissue drawn for the subject."""
    return Knee(subject, voxels, draw_tissue_maps(subject, voxels, grid.voxel_size, config, rng), grid)


def scan_knee(
    knee: Knee, config: SimulateConfig, rng: np.random.Generator, *, noise: float | None = None
) -> Simulated:
    """The scan of a knee, and its truth; `noise` replaces the standard deviation that follows from the drawn SNR."""
    snr = float(rng.triangular(config.snr_range[0], config.snr_mode, config.snr_range[1]))
    deviation = draw_deviation(config, rng)
    shape = continued_shape(knee.grid.shape, config.afi_matrix_factor)
    spectra = mix_signals(
        FULL.acquisitions, knee.voxels, knee.maps, config.readout_duration, shape, deviation
    )
    if noise is None:
        noise = float(spectra.cartilage[FULL.acquisitions.index(vfa(10.0))]) / snr
    # a stream of its own: the noise of a knee is the same whether it moves or not
    motions = draw_motions(FULL.acquisitions, knee.grid, config, rng.spawn(1)[0])
    cartilage = tuple(TISSUES[name].label for name in UNIONS["cartilage"])
    simulated = Simulated(
        subject=knee.subject,
        scan=_scan(knee, spectra, motions, noise, config, rng),
        truth=truth_of(knee),
        labels=Segmentation(knee.voxels.label, tuple(TISSUES), knee.grid),
        cartilage_fraction=knee.voxels.fractions_of(cartilage),
        fluid_fraction=knee.voxels.fractions_of((TISSUES["synovial_fluid"].label,)),
        snr=snr,
        noise=noise,
        deviation=deviation,
        motions=motions,
    )
    if config.cartilage_slices:
        return keep_cartilage_slices(simulated, config.afi_matrix_factor)
    return simulated


def _scan(
    knee: Knee,
    spectra: Spectra,
    motions: Mapping[Acquisition, Motion],
    noise: float,
    config: SimulateConfig,
    rng: np.random.Generator,
) -> Scan:
    """Images with noise, by method; the coarse AFI images are the low frequencies of the same object."""
    series: dict[Method, ImageSeries] = {}
    for method in ("vfa", "adiabatic_t1rho", "afi"):
        rows = [k for k, acquisition in enumerate(FULL.acquisitions) if acquisition.method == method]
        factor = config.afi_matrix_factor if method == "afi" else 1
        grid = coarser(knee.grid, factor)
        n_z, n_y, n_x = (n // factor for n in spectra.shape)
        shape = (n_z, n_y, n_x)
        inside = tuple(slice(n) for n in grid.shape)
        sigma = afi_noise(noise, factor) if method == "afi" else noise
        images = np.empty((len(rows), *grid.shape), np.float32)
        for image, row in zip(images, rows, strict=True):
            motion = motions.get(FULL.acquisitions[row], STILL)
            parts = shifted((spectra.real[row], spectra.imaginary[row]), spectra.shape, knee.grid, motion)
            if config.motion:
                path = draw_drift(config.motion, rng)
                parts = [drifted(part, spectra.shape, knee.grid.voxel_size, path) for part in parts]
            real, imaginary = (crop(part, shape, factor) for part in parts)
            image[:] = measured_magnitude(real, imaginary, sigma, shape, rng)[inside]
        series[method] = ImageSeries(images, tuple(FULL.acquisitions[k] for k in rows), grid)
    return Scan(knee.subject, series)


def truth_of(knee: Knee) -> MapSet:
    """M0, T1, B1 and T1rho of a knee, with the reasons of voxels that have none."""
    values = truth_maps(knee.voxels, knee.maps)
    air = knee.voxels.label == 0
    fat = np.isin(knee.voxels.label, [tissue.label for tissue in TISSUES.values() if tissue.fat])
    reason = {name: np.where(air, Reason.BACKGROUND, Reason.VALID).astype(np.uint8) for name in values}
    values["T1rho"][fat] = np.nan
    reason["T1rho"][fat] = Reason.FAT
    return MapSet(values, reason, knee.grid)
