"""A small object, read by coils along cones, as k-space of one contrast."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.kspace import KSpace
from rmqnet.domain.protocols import vfa
from rmqnet.encoding.coils import CoilSensitivities
from rmqnet.encoding.cones import Cones, cones
from rmqnet.encoding.cones_settings import ConesSettings
from rmqnet.encoding.fourier import FourierOperator

SETTINGS = ConesSettings(shape=(12, 48, 48), n_spokes=None, dwell_time=6e-6)
GRID = centered_grid(SETTINGS.shape, SETTINGS.voxel_size)
N_COILS = 6


def position(shape: tuple[int, int, int]) -> list[np.ndarray]:
    """Coordinates z, y, x from -1 to 1 at the ends of the field of view."""
    return np.meshgrid(*((2 * np.arange(n) + 1) / n - 1 for n in shape), indexing="ij")


def smooth_object(shape: tuple[int, int, int] = SETTINGS.shape) -> np.ndarray:
    """A complex object (z, y, x) without sharp borders, the same on every grid: its spectrum ends within k-space."""
    z, y, x = position(shape)
    leg = np.exp(-((x / 0.5) ** 2) - (y / 0.45) ** 2 - (z / 0.5) ** 2)
    inner = np.exp(-(((x - 0.2) / 0.25) ** 2) - ((y + 0.1) / 0.25) ** 2 - (z / 0.4) ** 2)
    return ((leg + 0.7 * inner) * np.exp(1j * (0.6 * y - 0.4 * x))).astype(np.complex64)


def coil_maps(shape: tuple[int, int, int] = SETTINGS.shape) -> np.ndarray:
    """Smooth complex sensitivities (coil, z, y, x) around the object, squares adding to 1."""
    z, y, x = position(shape)
    angle = 2 * np.pi * np.arange(N_COILS)[:, None, None, None] / N_COILS
    distance = (x - 1.3 * np.cos(angle)) ** 2 + (z - 1.3 * np.sin(angle)) ** 2 + 0.3 * y**2
    maps = np.exp(-distance) * np.exp(1j * (angle + 0.8 * x * np.sin(angle) + 0.8 * z * np.cos(angle)))
    return (maps / np.sqrt((np.abs(maps) ** 2).sum(axis=0))).astype(np.complex64)


@pytest.fixture(scope="session")
def full() -> Cones:
    """Fully sampled cones."""
    return cones(SETTINGS)


@pytest.fixture(scope="session")
def third() -> Cones:
    """A third of the spokes that full sampling needs."""
    return cones(replace(SETTINGS, n_spokes=cones(SETTINGS).n_needed // 3))


Read = Callable[..., KSpace]


@pytest.fixture(scope="session")
def read() -> Read:
    """A function that reads the object."""

    def reader(
        made: Cones,
        image: np.ndarray | None = None,
        *,
        maps: np.ndarray | None = None,
        covariance: np.ndarray | None = None,
        noise: float = 0.0,
        acquisition: Acquisition | None = None,
        settings: ConesSettings = SETTINGS,
        seed: int = 0,
    ) -> KSpace:
        image = smooth_object(settings.shape) if image is None else image
        maps = coil_maps(settings.shape) if maps is None else maps
        operator = FourierOperator(made.trajectory, settings.shape, settings.voxel_size, tolerance=1e-5)
        samples = np.prod(settings.voxel_size) * operator.forward(maps * image)
        rng = np.random.default_rng(seed)
        added = rng.standard_normal((2, *samples.shape)) / np.sqrt(2)
        mixing = np.eye(len(maps)) if covariance is None else np.linalg.cholesky(covariance)
        samples = samples + noise * np.einsum("ab,bsr->asr", mixing, added[0] + 1j * added[1])
        return KSpace(
            samples.astype(np.complex64)[None],
            made.trajectory,
            (acquisition or vfa(10.0),),
            centered_grid(settings.shape, settings.voxel_size),
            made.read_times,
            covariance,
            made.density,
        )

    return reader


@pytest.fixture(scope="session")
def known() -> CoilSensitivities:
    """The true sensitivities."""
    return CoilSensitivities(coil_maps(), GRID)


@pytest.fixture(scope="session")
def truth() -> np.ndarray:
    """The object that is read (z, y, x)."""
    return smooth_object()
