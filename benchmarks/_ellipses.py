"""A slice of ellipses whose Fourier transform is known, and trajectories that read it in two dimensions.

The transform of an ellipse of semi-axes a, b is a b J1(2 pi q) / q with q the length of (a k_a, b k_b)
(Van de Walle 2000, IEEE TMI 19:1160). Nothing here uses a grid or a transform of the program.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

FINE = 8
"""Spacing of the k-space raster of the reference: an eighth of 1 / field of view."""


@dataclass(frozen=True)
class Ellipse:
    """Center, semi-axes (y, x) as parts of half the field of view, angle [degree], amplitude."""

    center: tuple[float, float]
    axes: tuple[float, float]
    angle: float
    amplitude: float


LEG = (
    Ellipse((0.0, 0.0), (0.80, 0.86), 0, 1.0),
    Ellipse((0.0, 0.0), (0.70, 0.76), 0, -0.4),
    Ellipse((0.05, 0.25), (0.30, 0.12), 20, 0.3),
    Ellipse((-0.02, -0.28), (0.38, 0.16), -15, -0.3),
    Ellipse((0.38, 0.0), (0.20, 0.22), 0, 0.25),
    Ellipse((-0.45, 0.02), (0.06, 0.06), 0, 0.5),
    Ellipse((-0.65, -0.10), (0.03, 0.05), 0, 0.4),
)
"""A leg across: skin, muscle, bones, vessels."""
LONG = (
    Ellipse((0.0, 0.0), (1.60, 0.70), 0, 1.0),
    Ellipse((0.1, 0.0), (1.50, 0.30), 0, -0.3),
    Ellipse((0.1, 0.4), (0.25, 0.12), 10, 0.4),
    Ellipse((-0.4, -0.4), (0.12, 0.10), 0, 0.4),
)
"""A leg along y that goes on beyond the field of view."""


def transform(k: NDArray, ellipses: tuple[Ellipse, ...], field_of_view: float) -> NDArray[np.complex128]:
    """Fourier transform at k (..., 2) [1/mm], order y, x."""
    half, total = field_of_view / 2, np.zeros(k.shape[:-1], complex)
    for item in ellipses:
        (c_y, c_x), (a_y, a_x) = np.multiply(item.center, half), np.multiply(item.axes, half)
        turn = np.deg2rad(item.angle)
        along = (k[..., 1] * np.cos(turn) + k[..., 0] * np.sin(turn)) * a_x
        across = (k[..., 0] * np.cos(turn) - k[..., 1] * np.sin(turn)) * a_y
        q = np.maximum(np.hypot(along, across), 1e-9)
        total += (
            item.amplitude
            * (a_y * a_x * j1(2 * np.pi * q) / q)
            * np.exp(-2j * np.pi * (k[..., 0] * c_y + k[..., 1] * c_x))
        )
    return total


def inside(n: int, ellipse: Ellipse) -> NDArray[np.bool_]:
    """Voxels (y, x) of n x n whose centers lie in an ellipse without tilt."""
    place = (2 * np.arange(n) + 1) / n - 1
    y, x = (place - center for center in ellipse.center)
    return (y[:, None] / ellipse.axes[0]) ** 2 + (x / ellipse.axes[1]) ** 2 < 1


def reference(n: int, field_of_view: float, ellipses: tuple[Ellipse, ...]) -> NDArray[np.float64]:
    """The slice (y, x) as far as samples within a disc of k-space tell it: the integral of the transform over the disc.

    The disc ends at half a cycle per voxel, as the read-outs do; the object is not otherwise smoothed or windowed.
    """
    step, end = 1 / (FINE * field_of_view), 0.5 * n / field_of_view
    along = step * np.arange(-FINE * n // 2, FINE * n // 2 + 1)
    k = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1)
    part = np.clip((end - np.linalg.norm(k, axis=-1)) / step + 0.5, 0, 1)
    place = (np.arange(n) - (n - 1) / 2) * field_of_view / n
    wave = np.exp(2j * np.pi * np.outer(place, along))
    return np.real(wave @ (part * transform(k, ellipses, field_of_view)) @ wave.T) * step**2


def spirals(
    n: int, field_of_view: float, n_arms: int, n_reads: int, *, density: float = 1.1
) -> NDArray[np.float32]:
    """Archimedean spirals (arm, read, 2) [1/mm] of even speed whose turns lie 1 / (density x field of view) apart."""
    most = 2 * np.pi * density * n / 2 / n_arms
    turned = np.linspace(0, most, 20 * n_reads)
    length = turned * np.sqrt(1 + turned**2) + np.arcsinh(turned)  # of the path, up to a factor
    turned = np.interp(np.linspace(0, length[-1], n_reads), length, turned)
    reach, angle = turned / most, turned + 2 * np.pi * np.arange(n_arms)[:, None] / n_arms
    return (0.5 * n / field_of_view * reach[:, None] * np.stack([np.sin(angle), np.cos(angle)], -1)).astype(
        np.float32
    )


def radial(n: int, field_of_view: float, n_spokes: int, n_reads: int) -> NDArray[np.float32]:
    """Diameters (spoke, read, 2) [1/mm] in golden order."""
    angle = np.pi * (np.arange(n_spokes) * (np.sqrt(5) - 1) / 2 % 1)[:, None]
    reach = 0.5 * n / field_of_view * np.linspace(-1, 1, n_reads)
    return np.stack([reach * np.sin(angle), reach * np.cos(angle)], -1).astype(np.float32)
