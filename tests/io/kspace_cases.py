"""A small series of k-space for tests of files."""

from collections.abc import Sequence

import numpy as np

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.kspace import KSpace
from rmqnet.domain.protocols import adiabatic_t1rho, afi_pair, vfa

N_COILS, N_SPOKES, N_READS = 3, 20, 16
SHAPE, SIZE = (4, 12, 10), (3.0, 1.2, 1.5)
SERIES: dict[str, tuple[Acquisition, ...]] = {
    "vfa": (vfa(5.0), vfa(30.0)),
    "adiabatic_t1rho": (adiabatic_t1rho(0.0), adiabatic_t1rho(0.024)),
    "afi": afi_pair(),
    "spin_lock": (
        Acquisition("spin_lock", spin_lock_time=0.01),
        Acquisition("spin_lock", spin_lock_time=0.03),
    ),
}


def oblique() -> Grid:
    """A grid that is turned by a few degrees and not centered."""
    grid = centered_grid(SHAPE, SIZE)
    angle = np.deg2rad(8.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = grid.affine.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = [11.0, -7.0, 3.5]
    return Grid(SHAPE, affine)


def series(
    acquisitions: Sequence[Acquisition] = SERIES["vfa"], *, grid: Grid | None = None, extras: bool = True
) -> KSpace:
    """Random samples on a random trajectory within the grid's k-space."""
    rng = np.random.default_rng(5)
    grid = grid or oblique()
    shape = (len(acquisitions), N_COILS, N_SPOKES, N_READS)
    samples = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    ends = 0.5 / np.array(grid.voxel_size)
    direction = rng.uniform(-1, 1, (N_SPOKES, 1, 3)) * ends
    trajectory = (direction * np.linspace(0, 1, N_READS)[:, None]).astype(np.float32)
    mixing = rng.standard_normal((N_COILS, N_COILS)) + 1j * rng.standard_normal((N_COILS, N_COILS))
    return KSpace(
        samples,
        trajectory,
        tuple(acquisitions),
        grid,
        3.2e-5 + 3e-6 * np.arange(N_READS),
        noise_covariance=mixing @ mixing.conj().T if extras else None,
        density=rng.uniform(0.1, 1, (N_SPOKES, N_READS)).astype(np.float32) if extras else None,
    )
