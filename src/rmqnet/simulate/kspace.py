"""One simulated subject as k-space: contrast by contrast, with the truth behind it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid, coarser
from rmqnet.domain.kspace import KSpace
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.protocols import FULL, vfa
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.encoding.cones import Cones, cones
from rmqnet.encoding.cones_settings import ConesSettings, afi_settings
from rmqnet.simulate.coils import noise_covariance, sensitivities
from rmqnet.simulate.config import KSpaceConfig, SimulateConfig
from rmqnet.simulate.deviation import draw_deviation
from rmqnet.simulate.fields import off_resonance_field
from rmqnet.simulate.read_kspace import add_noise, delayed, draw_motion, read_samples
from rmqnet.simulate.read_object import Spins, cartilage_signal, read_object
from rmqnet.simulate.simulate import draw_knee, truth_of


@dataclass(frozen=True, eq=False)
class Scanned:
    """What lies in the scanner, and how it is read."""

    spins: Spins
    grid: Grid
    """Grid of the object, which may go on beyond the field of view."""
    image_grid: Grid
    """Grid of the VFA and T1rho images."""
    coils: NDArray[np.complex64]
    """Sensitivities (coil, z, y, x) on the grid of the object."""
    fine: Cones
    """Trajectory of the VFA and T1rho images."""
    coarse: Cones
    """Trajectory of the AFI images."""
    noise_covariance: NDArray[np.complex128] | None
    """Covariance (coil, coil) of the noise of a sample; None: no noise."""
    config: KSpaceConfig
    afi_factor: int
    """How many times coarser the AFI images are."""
    seed: tuple[int, ...]
    """Seed of noise and motion."""


@dataclass(frozen=True, eq=False)
class SimulatedKSpace:
    """A subject to be scanned, and its truth on the grid of the images."""

    subject: Subject
    scanned: Scanned
    truth: MapSet
    """As `Simulated.truth`."""
    labels: Segmentation
    """As `Simulated.labels`."""
    cartilage_fraction: NDArray[np.float32]
    """Part (z, y, x) of each voxel that is cartilage of any kind."""
    fluid_fraction: NDArray[np.float32]
    """Part (z, y, x) of each voxel that is synovial fluid."""
    snr: float
    """Signal of cartilage at 10 degrees over the noise of an image that is gridded with the density of its samples."""

    @property
    def acquisitions(self) -> tuple[Acquisition, ...]:
        """All images of the protocol: VFA, T1rho, AFI."""
        return FULL.acquisitions

    def contrast(self, acquisition: Acquisition) -> KSpace:
        """K-space of one image of the protocol."""
        return scan_contrast(self.scanned, acquisition)


def check_settings(config: SimulateConfig) -> None:
    """Refuse a cohort that is for images only."""
    if config.cartilage_slices or config.motion:
        raise InputError(
            "k-space has all slices and motion of its own: leave cartilage_slices and motion out"
        )


def simulate_kspace(config: SimulateConfig, kspace: KSpaceConfig, subject_index: int) -> SimulatedKSpace:
    """One subject of the cohort, ready to be scanned.

    The anatomy is that of `simulate_subject` with the same seed; texture and fields are drawn on the larger grid and
    differ.
    """
    if config.cartilage_slices or config.motion:
        raise InputError(
            "k-space has all slices and motion of its own: leave cartilage_slices and motion out"
        )
    n_z, n_y, n_x = (
        n + 2 * int(np.ceil(extra / size))
        for n, extra, size in zip(config.shape, kspace.surround, config.voxel_size, strict=True)
    )
    shape = (n_z, n_y, n_x)
    size = config.voxel_size
    field_of_view = (n_z * size[0], n_y * size[1], n_x * size[2])
    large = replace(config, shape=shape, field_of_view=field_of_view, afi_matrix_factor=1)
    knee = draw_knee(large, subject_index)
    rng = np.random.default_rng([config.seed, subject_index, 1])
    snr = float(rng.triangular(config.snr_range[0], config.snr_mode, config.snr_range[1]))
    deviation = draw_deviation(config, rng)
    off_resonance = off_resonance_field(shape, kspace.field_range, rng)
    spins = Spins(knee.voxels, knee.maps, off_resonance, deviation=deviation)
    sigma = cartilage_signal(spins, vfa(10.0)) / snr
    scanned = place(
        spins,
        knee.grid,
        centered_grid(config.shape, size),
        kspace,
        afi_factor=config.afi_matrix_factor,
        noise=sigma if kspace.noise else 0.0,
        seed=(config.seed, subject_index, 2),
    )
    inside = tuple(slice((m - n) // 2, (m + n) // 2) for m, n in zip(shape, config.shape, strict=True))
    cartilage = tuple(TISSUES[name].label for name in UNIONS["cartilage"])
    truth, grid = truth_of(knee), scanned.image_grid
    return SimulatedKSpace(
        subject=knee.subject,
        scanned=scanned,
        truth=MapSet(
            {name: volume[inside] for name, volume in truth.values.items()},
            {name: volume[inside] for name, volume in truth.reason.items()},
            grid,
        ),
        labels=Segmentation(knee.voxels.label[inside], tuple(TISSUES), grid),
        cartilage_fraction=knee.voxels.fractions_of(cartilage)[inside],
        fluid_fraction=knee.voxels.fractions_of((TISSUES["synovial_fluid"].label,))[inside],
        snr=snr,
    )


def place(
    spins: Spins,
    grid: Grid,
    image_grid: Grid,
    config: KSpaceConfig,
    *,
    afi_factor: int,
    noise: float,
    seed: tuple[int, ...],
) -> Scanned:
    """An object in the scanner, its trajectories designed for the grid of the images.

    `noise` is the standard deviation of each part of a VFA image that is gridded with the density of its samples and
    combined from coils in the best way.
    """
    fine, coarse = trajectories(image_grid, config, afi_factor)
    covariance = None
    if noise:
        # gridding adds samples weighted by their density
        level = noise / float(np.sqrt((fine.density.astype(np.float64) ** 2).sum()))
        covariance = level**2 * noise_covariance(config.n_coils, np.random.default_rng([*seed, 0]))
    z, y, x = (n * size for n, size in zip(image_grid.shape, image_grid.voxel_size, strict=True))
    return Scanned(
        spins=spins,
        grid=grid,
        image_grid=image_grid,
        coils=sensitivities(grid, (z / 2, y / 2, x / 2), config.n_coils),
        fine=fine,
        coarse=coarse,
        noise_covariance=covariance,
        config=config,
        afi_factor=afi_factor,
        seed=seed,
    )


def trajectories(image_grid: Grid, config: KSpaceConfig, afi_factor: int) -> tuple[Cones, Cones]:
    """Trajectories of the VFA and T1rho images on this grid and of the AFI images; an InputError where none can be."""
    z, y, x = (n * size for n, size in zip(image_grid.shape, image_grid.voxel_size, strict=True))
    settings: ConesSettings = replace(config.cones, shape=image_grid.shape, field_of_view=(z, y, x))
    return cones(settings), cones(afi_settings(settings, afi_factor))


def scan_contrast(scanned: Scanned, acquisition: Acquisition) -> KSpace:
    """K-space of one contrast; the same whichever contrasts were read before."""
    afi = acquisition.method == "afi"
    path = scanned.coarse if afi else scanned.fine
    config = scanned.config
    rng = np.random.default_rng([*scanned.seed, 1 + FULL.acquisitions.index(acquisition)])
    motion = None
    if config.translation or config.rotation:
        # the images of an AFI pair are read in turns: they share one path
        path_rng = np.random.default_rng([*scanned.seed, 0, 0]) if afi else rng
        motion = draw_motion(len(path.trajectory), config.translation, config.rotation, path_rng)
    samples = read_samples(
        read_object(scanned.spins, acquisition, path.read_times),
        scanned.grid,
        scanned.coils,
        delayed(path.trajectory, path.read_times, config.gradient_delay),
        motion=motion,
    )
    if scanned.noise_covariance is not None:
        add_noise(samples, scanned.noise_covariance, rng)
    return KSpace(
        samples=samples[None],
        trajectory=path.trajectory,
        acquisitions=(acquisition,),
        grid=coarser(scanned.image_grid, scanned.afi_factor) if afi else scanned.image_grid,
        read_times=path.read_times,
        noise_covariance=scanned.noise_covariance,
        density=path.density,
    )
