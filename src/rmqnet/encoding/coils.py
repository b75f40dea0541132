"""Many coils into one image: noise whitening, sensitivities, combination."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid

BLOCK = 6.0
"""Standard deviation [mm] of the neighborhood whose signals tell the sensitivities: default."""


@dataclass(frozen=True, eq=False)
class CoilSensitivities:
    """Complex receive sensitivities of all coils."""

    values: NDArray[np.complex64]
    """Sensitivity (coil, z, y, x) relative to any common scale; 0 in all coils where it is unknown."""
    grid: Grid

    def __post_init__(self) -> None:
        """Refuse sensitivities that do not fit their grid or are not finite."""
        if self.values.ndim != 4 or self.values.shape[1:] != self.grid.shape:
            raise InputError(f"sensitivities {self.values.shape} do not match the grid {self.grid.shape}")
        if not np.isfinite(self.values).all():
            raise InputError("sensitivities have numbers that are not finite (NaN or infinite)")

    def on(self, grid: Grid) -> "CoilSensitivities":
        """The same sensitivities on another grid, linearly interpolated; beyond the ends the border goes on."""
        if self.grid.same_as(grid):
            return self
        to_source = np.linalg.inv(self.grid.affine) @ grid.affine
        across = to_source[:3, :3] - np.diag(np.diag(to_source[:3, :3]))
        if np.abs(across).max() > 1e-3:
            raise InputError("sensitivities must be given on a grid with the axes of the images")
        moved = self.values
        for axis in range(3):
            positions = to_source[axis, axis] * np.arange(grid.shape[axis]) + to_source[axis, 3]
            moved = np.moveaxis(
                np.tensordot(_weights(self.grid.shape[axis], positions), moved, (1, axis + 1)), 0, axis + 1
            )
        return CoilSensitivities(np.ascontiguousarray(moved), grid)

    def whitened(self, matrix: NDArray[np.complexfloating]) -> "CoilSensitivities":
        """The sensitivities of the channels that this matrix (coil, coil) makes."""
        return CoilSensitivities(np.tensordot(matrix.astype(np.complex64), self.values, 1), self.grid)


def _weights(n: int, positions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Matrix (position, index) of linear interpolation between n places."""
    return np.stack([np.interp(positions, np.arange(n), row) for row in np.eye(n)], axis=1).astype(np.float32)


def _power(values: NDArray[np.complexfloating]) -> NDArray[np.float32]:
    """Sum over the first axis of the squared magnitudes."""
    total = np.zeros(values.shape[1:], np.float32)
    for coil in values:
        total += coil.real**2 + coil.imag**2
    return total


def noise_covariance(noise: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
    """Covariance (coil, coil) E[n n^H] of noise samples (coil, ...) read without excitation."""
    flat = noise.reshape(len(noise), -1).astype(np.complex128)
    if flat.shape[1] < 2 * len(flat):
        raise InputError(f"{flat.shape[1]} noise samples are too few for {len(flat)} coils")
    return flat @ flat.conj().T / flat.shape[1]


def whitening(covariance: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
    """Matrix (coil, coil) that makes noise of this covariance independent and of variance 1 in every channel."""
    try:
        lower = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise InputError(
            "noise covariance must be positive definite: is one coil dead, or doubled, or are there too few samples?"
        ) from error
    return np.linalg.solve(lower, np.eye(len(covariance)))


def whiten(
    samples: NDArray[np.complexfloating], matrix: NDArray[np.complexfloating]
) -> NDArray[np.complex64]:
    """Samples (coil, spoke, read) of the channels that a whitening matrix (coil, coil) makes."""
    flat = samples.reshape(len(samples), -1)
    return np.asarray(matrix.astype(np.complex64) @ flat, np.complex64).reshape(samples.shape)


def adaptive_sensitivities(images: NDArray[np.complexfloating], grid: Grid) -> CoilSensitivities:
    """Sensitivities from coarse images (coil, z, y, x) of the coils themselves, squares adding to 1.

    In each voxel the main direction of the coils' signals in a Gaussian neighborhood (Walsh 2000, MRM 43:682). Its
    phase, which is free, is such that the combined coarse image is real, so that images combined with it keep only
    the phase that is finer than the coarse images.
    """
    from scipy.ndimage import gaussian_filter

    widths = [BLOCK / size for size in grid.voxel_size]
    n_coils = len(images)
    products = np.empty((*grid.shape, n_coils, n_coils), np.complex64)
    for a in range(n_coils):
        for b in range(a + 1):
            product = images[a] * images[b].conj()
            smooth = gaussian_filter(product.real, widths) + 1j * gaussian_filter(product.imag, widths)
            products[..., a, b], products[..., b, a] = smooth, smooth.conj()
    direction = np.moveaxis(np.linalg.eigh(products)[1][..., -1], -1, 0)
    combined = np.einsum("czyx,czyx->zyx", direction.conj(), images)
    phase = np.exp(1j * np.angle(combined))
    return CoilSensitivities((direction * phase).astype(np.complex64), grid)


def combine(
    images: NDArray[np.complexfloating], sensitivities: NDArray[np.complexfloating]
) -> NDArray[np.complex64]:
    r"""One image (z, y, x) of least noise from those of the coils (coil, z, y, x), whitened before.

    $$m = \sum_c s_c^* m_c / \sum_c |s_c|^2$$ (Roemer 1990, MRM 16:192); 0 where all sensitivities are 0.
    """
    total = np.zeros(images.shape[1:], np.complex64)
    for image, sensitivity in zip(images, sensitivities, strict=True):
        total += sensitivity.conj() * image
    power = _power(sensitivities)
    return np.divide(total, power, out=np.zeros_like(total), where=power > 0)


def sum_of_squares(images: NDArray[np.complexfloating]) -> NDArray[np.float32]:
    """Root (z, y, x) of the summed squares of coil images (coil, z, y, x).

    Noise of all coils adds to it without sign: an image of no signal reads sqrt(coils) standard deviations of a
    coil's noise, so that low signals, as of short T2*, are too high.
    """
    return np.sqrt(_power(images))
