"""Raw data of one series: what each coil read along the spokes, before there is an image."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid

OVERSHOOT = 1.06
"""A trajectory may pass the end of the grid's k-space by this factor, as gradients overshoot: our choice."""
ROUNDING = 1.001
"""Up to this factor beyond the end, a sample counts as one at the end: our choice."""
TINY = 0.02
"""A trajectory that covers less than this part of the grid's k-space is in other units: default."""


@dataclass(frozen=True, eq=False)
class Slices:
    """Which slice each spoke excited, where read-outs are two-dimensional: a spoke sees nothing of other slices."""

    axis: int
    """Axis of the grid along which the slices lie (0, 1, 2: z, y, x)."""
    numbers: NDArray[np.intp]
    """Slice (spoke,) of the grid."""


@dataclass(frozen=True, eq=False)
class KSpace:
    r"""Samples of one series on one trajectory, spokes in the order in which they were read.

    $$s(k) = \int m(r)\,e^{-2\pi i\,k \cdot r}\,dr \approx \Delta V \sum_j m_j\,e^{-2\pi i\,k \cdot r_j}$$ with the
    positions r_j of the voxels [mm] from the middle of the grid (halfway between first and last voxel) and their volume
    [mm^3]: an image on any grid of the same middle, made from the same samples, has the same values.
    A file of many contrasts is read one contrast at a time, so that it need not fit into memory.
    """

    samples: NDArray[np.complex64]
    """Samples (contrast, coil, spoke, read)."""
    trajectory: NDArray[np.float32]
    """Position (spoke, read, axis) in k-space [1/mm] along the axes (z, y, x) of the grid."""
    acquisitions: tuple[Acquisition, ...]
    """One acquisition per contrast."""
    grid: Grid
    """Voxels of the image that is to be made."""
    read_times: NDArray[np.float64]
    """Time of each sample (read,) from the end of the pulse [s]."""
    noise_covariance: NDArray[np.complex128] | None = None
    """Covariance (coil, coil) of the noise of one sample, E[n n^H]; None: not measured."""
    density: NDArray[np.float32] | None = None
    """Volume (spoke, read) of k-space that each sample stands for [1/mm^3]; None: not known, to be estimated."""
    slices: Slices | None = None
    """Slice of each spoke; None: every spoke sees the whole volume. Along the slices, a spoke's position in k-space
    is 0 and a sample stands for 1 / (thickness of a slice)."""

    def __post_init__(self) -> None:
        """Refuse parts that do not fit each other, numbers that are not finite, and units that can't be right."""
        if self.samples.ndim != 4 or 0 in self.samples.shape:
            raise InputError(
                f"samples must have the axes (contrast, coil, spoke, read), got shape {self.samples.shape}"
            )
        n_contrasts, n_coils, n_spokes, n_reads = self.samples.shape
        if n_contrasts != len(self.acquisitions):
            raise InputError(
                f"samples of {n_contrasts} contrasts do not match {len(self.acquisitions)} acquisitions"
            )
        self._check_trajectory(n_spokes, n_reads)
        self._check_slices(n_spokes)
        if self.read_times.shape != (n_reads,) or not (np.diff(self.read_times) > 0).all():
            raise InputError(f"read_times must rise and be one for each of the {n_reads} samples of a spoke")
        if not 0 <= self.read_times[0] <= self.read_times[-1] < _LONGEST_READ:
            raise InputError(
                f"read_times must be in [0, {_LONGEST_READ:g}] s, got up to {self.read_times[-1]:g}: are they in ms?"
            )
        bad = int(np.count_nonzero(~np.isfinite(self.samples)))
        if bad:
            raise InputError(f"{bad} of {self.samples.size} samples are not finite (NaN or infinite)")
        if self.density is not None:
            same = self.density.shape == (n_spokes, n_reads)
            if not same or not np.isfinite(self.density).all() or self.density.min() < 0:
                raise InputError(
                    f"density must be one number of 0 or more for each of {n_spokes} x {n_reads} samples (spoke, read)"
                )
        self._check_covariance(n_coils)

    def _check_trajectory(self, n_spokes: int, n_reads: int) -> None:
        if self.trajectory.ndim != 3 or self.trajectory.shape[2] != 3:
            raise InputError(
                f"trajectory must have the axes (spoke, read, 3), got shape {self.trajectory.shape}"
            )
        if self.trajectory.shape[0] != n_spokes:
            raise InputError(
                f"samples have {n_spokes} spokes and the trajectory {self.trajectory.shape[0]}: spokes are missing"
            )
        if self.trajectory.shape[1] != n_reads:
            raise InputError(
                f"samples have {n_reads} points per spoke and the trajectory {self.trajectory.shape[1]}"
            )
        if not np.isfinite(self.trajectory).all():
            raise InputError("trajectory has numbers that are not finite (NaN or infinite)")
        reach = np.abs(self.trajectory).max(axis=(0, 1))
        ends = self.k_max
        for name, far, end in zip("zyx", reach, ends, strict=True):
            if far > OVERSHOOT * end:
                raise InputError(
                    f"trajectory reaches {far:.4g} 1/mm along {name}, but the grid's k-space ends at {end:.4g} 1/mm: "
                    "is it in cycles per mm, in the order (z, y, x)?"
                )
        if (reach < TINY * np.array(ends)).all():
            raise InputError(
                f"trajectory covers less than {TINY:.0%} of the grid's k-space: is it in cycles per mm?"
            )

    def _check_slices(self, n_spokes: int) -> None:
        if self.slices is None:
            return
        axis, numbers = self.slices.axis, self.slices.numbers
        n_slices = self.grid.shape[axis]
        if numbers.shape != (n_spokes,) or numbers.min() < 0 or numbers.max() >= n_slices:
            raise InputError(
                f"slices must be one number from 0 to {n_slices - 1} for each of the {n_spokes} spokes"
            )
        missing = np.setdiff1d(np.arange(n_slices), numbers)
        if missing.size:
            raise InputError(
                f"no spoke reads slice {missing[0]} of {n_slices} (counted from 0): slices are missing"
            )
        if self.trajectory[..., axis].any():
            raise InputError(
                "trajectory must be 0 along the slices, where spokes read one slice each: leave `slices` out if the "
                "read-outs are three-dimensional"
            )

    def _check_covariance(self, n_coils: int) -> None:
        covariance = self.noise_covariance
        if covariance is None:
            return
        if covariance.shape != (n_coils, n_coils):
            raise InputError(
                f"noise_covariance must be {n_coils} x {n_coils} (coil, coil), got {covariance.shape}"
            )
        if not np.isfinite(covariance).all():
            raise InputError("noise_covariance has numbers that are not finite (NaN or infinite)")
        if not np.allclose(covariance, covariance.conj().T, atol=1e-6 * float(np.abs(covariance).max())):
            raise InputError("noise_covariance must be Hermitian")
        if np.linalg.eigvalsh(covariance)[0] < -1e-6 * float(np.abs(covariance).max()):
            raise InputError("noise_covariance must have no negative eigenvalue")

    @property
    def overshoot(self) -> NDArray[np.bool_]:
        """Samples (spoke, read) beyond the end of the grid's k-space, which no image on this grid can hold."""
        return np.any(np.abs(self.trajectory) > ROUNDING * np.array(self.k_max, np.float32), axis=-1)

    @property
    def k_max(self) -> tuple[float, float, float]:
        """End of the grid's k-space (z, y, x) [1/mm]: half a cycle per voxel."""
        z, y, x = (0.5 / size for size in self.grid.voxel_size)
        return z, y, x

    def contrast(self, index: int) -> "KSpace":
        """The series with only this contrast; no samples are copied."""
        return replace(
            self, samples=self.samples[index : index + 1], acquisitions=self.acquisitions[index : index + 1]
        )


def same_slices(a: Slices | None, b: Slices | None) -> bool:
    """True where both excite the same slices, spoke by spoke."""
    if a is None or b is None:
        return a is b
    return a.axis == b.axis and np.array_equal(a.numbers, b.numbers)


_LONGEST_READ = 0.03
"""Longest plausible time from pulse to sample [s]: default."""


def dead_coils(kspace: KSpace) -> tuple[int, ...]:
    """Coils of which every sample is 0: a broken or unplugged channel; an InputError where all are."""
    dead = ~kspace.samples.any(axis=(0, 2, 3))
    if dead.all():
        raise InputError("all samples of all coils are 0")
    return tuple(int(coil) for coil in np.flatnonzero(dead))


def without_coils(kspace: KSpace, coils: tuple[int, ...]) -> KSpace:
    """The series without these coils."""
    kept = np.setdiff1d(np.arange(kspace.samples.shape[1]), coils)
    covariance = kspace.noise_covariance
    return replace(
        kspace,
        samples=kspace.samples[:, kept],
        noise_covariance=None if covariance is None else covariance[np.ix_(kept, kept)],
    )
