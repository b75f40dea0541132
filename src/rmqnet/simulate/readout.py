"""What the read-out does to a tissue's image: T2* decay, chemical shift and the end of k-space blur it.

A center-out read-out reaches the part kappa of its largest spatial frequency at the part kappa of its duration
(constant gradient). A tissue's spectrum is therefore multiplied by exp(-kappa T / T2*), fat's also by the phase
that its chemical shift gains, and nothing is read beyond kappa = 1, an ellipsoid in k-space.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.threads import n_threads
from rmqnet.domain.tissues import Tissue

Spectrum = NDArray[np.complex64]

FAT_SHIFT = -440.0
"""Chemical shift of fat at 3 T [Hz]: PHYSICS 5.5."""
MARGIN = 12
"""Voxels beyond the field of view, at least, in which the leg is made to go on: default."""
LONG_T2STAR = 0.030
"""T2* [s] of muscle, fluid, blood and fat: default, too long to matter here (T2 of muscle 34 ms, Pai 2008)."""
T2STAR: dict[str, float] = {
    "femoral_cartilage": 0.015,
    "medial_tibial_cartilage": 0.015,
    "lateral_tibial_cartilage": 0.015,
    "patellar_cartilage": 0.015,
    "calcified_cartilage": 0.001,
    "medial_meniscus": 0.008,
    "lateral_meniscus": 0.008,
    "anterior_cruciate_ligament": 0.008,
    "posterior_cruciate_ligament": 0.008,
    "medial_collateral_ligament": 0.008,
    "lateral_collateral_ligament": 0.008,
    "skin": 0.008,
    "retinaculum": 0.004,
    "quadriceps_tendon": 0.004,
    "patellar_tendon": 0.004,
    "cortical_bone": 0.0003,
}
"""T2* [s] of the tissues that it blurs; all others take LONG_T2STAR. Rounded to few values, since each costs a
transform. Cartilage: femur 14.8, tibia 10.5 ms (PMC9421031, controls); PCL 8.3, ACL 11.9, patellar tendon 5.2 ms at
1.5 T; meniscus 6-8 ms; cortical bone 0.3 ms (PHYSICS 5.2); the others: default."""


def decay_class(tissue: Tissue) -> tuple[float, bool]:
    """What decides the point spread of a tissue: its T2* [s], and whether it has the chemical shift of fat."""
    return (LONG_T2STAR, True) if tissue.fat else (T2STAR.get(tissue.name, LONG_T2STAR), False)


def to_spectrum(image: NDArray[np.floating]) -> Spectrum:
    """Half spectrum (z, y, x half) of a real image (z, y, x)."""
    from scipy.fft import rfftn

    return np.asarray(rfftn(image, workers=n_threads()))


def to_image(spectrum: Spectrum, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """The real image (z, y, x) of this shape that has this half spectrum."""
    from scipy.fft import irfftn

    return np.asarray(irfftn(spectrum, s=shape, workers=n_threads()))


def _frequencies(shape: Sequence[int]) -> list[NDArray[np.float32]]:
    """Frequencies of a real transform, by axis, from -1 to 1 at half a cycle per voxel; broadcastable."""
    lines = [2 * np.fft.fftfreq(n) for n in shape[:-1]] + [2 * np.fft.rfftfreq(shape[-1])]
    return [
        line.astype(np.float32).reshape([-1 if axis == own else 1 for axis in range(len(shape))])
        for own, line in enumerate(lines)
    ]


def radius(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Part kappa (z, y, x half) of the way from the center to the end of k-space, for each frequency."""
    z, y, x = _frequencies(shape)
    return np.sqrt(z * z + y * y + x * x)


def transfer(
    kappa: NDArray[np.float32], t2star: float, *, fat: bool, duration: float
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Factors of a tissue's spectrum for the real and the imaginary part of its image (None where that is 0).

    Both are real and even in k, so that each part of the image has a real transform of its own.
    """
    decay = np.where(kappa <= 1, np.exp(-kappa * np.float32(duration / t2star)), 0).astype(np.float32)
    if not fat:
        return decay, None
    phase = (np.float32(2 * np.pi * FAT_SHIFT * duration) * kappa).astype(np.float32)
    return decay * np.cos(phase), decay * np.sin(phase)


def voxel_average(shape: Sequence[int]) -> NDArray[np.float32]:
    """Factor (z, y, x half) by which averaging over voxels weakens the frequencies of tissue borders.

    The scanner reads the object itself, not its averages over voxels: spectra are divided by this. Sampled averages
    also hold what lies beyond half a cycle per voxel, folded back. A border's spectrum falls as 1 / frequency; the
    factor is the root of the mean power of its sampled average, over all places of the border in a voxel, by that of
    the border. It falls to 0.91 at half a cycle per voxel of one axis. A sinc, which leaves out what is folded back,
    falls to 0.64 there and turns borders into stripes from voxel to voxel.
    """
    factor = np.ones(1, np.float32)
    for line in _frequencies(shape):
        factor = factor * average_factor(line)
    return factor


def average_factor(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """Factor of `voxel_average` along one axis at these frequencies, from -1 to 1 at half a cycle per voxel."""
    turn = (np.pi / 2 * np.abs(line)).clip(1e-3, np.pi / 2)
    return (turn * np.sqrt(1 / np.sin(turn) ** 2 - 2 / 3)).astype(np.float32)


def continued_shape(shape: tuple[int, int, int], factor: int) -> tuple[int, int, int]:
    """A shape (z, y, x) with room for MARGIN more voxels along each axis, in whole voxels of a coarser grid."""
    from scipy.fft import next_fast_len

    # never None, whatever its annotation says
    lengths = [next_fast_len(-(-(n + MARGIN) // factor), real=True) or n for n in shape]
    z, y, x = (factor * length for length in lengths)
    return z, y, x


def continued(image: NDArray[np.float32], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """An image (z, y, x) that goes on beyond its last voxel up to this shape, and there meets its first one smoothly.

    The leg goes on beyond the field of view. A discrete transform takes the other end for what follows: an edge that
    no knee has. Here the mirror images of both ends follow, one fading into the other.
    """
    for axis, n in enumerate(shape):
        room = n - image.shape[axis]
        sides = [[(0, 0)] * 3, [(0, 0)] * 3]
        sides[0][axis], sides[1][axis] = (0, room), (room, 0)
        image, before = (np.pad(image, side, "symmetric") for side in sides)
        added = [slice(None)] * 3
        added[axis] = slice(n - room, None)
        start = [slice(None)] * 3
        start[axis] = slice(room)
        weight = (np.arange(1, room + 1, dtype=np.float32) / (room + 1)).reshape(
            [-1 if own == axis else 1 for own in range(3)]
        )
        image[tuple(added)] += weight * (before[tuple(start)] - image[tuple(added)])
    return image


def crop(spectrum: Spectrum, shape: tuple[int, int, int], factor: int) -> Spectrum:
    """The low frequencies of a half spectrum: that of the same object on a grid `factor` times coarser.

    Both grids have the same middle, so that coarse voxels lie between the fine ones: a shift in phase.
    """
    if factor == 1:
        return spectrum
    n_z, n_y, n_x = shape
    rows = [np.r_[: (n + 1) // 2, -(n // 2) : 0] for n in (n_z, n_y)]
    low = spectrum[rows[0]][:, rows[1]][..., : n_x // 2 + 1]
    z, y, x = _frequencies(shape)
    # in coarse voxels: the fine voxel 0 lies this far before the coarse voxel 0
    offset = (factor - 1) / (2 * factor)
    return (low * np.exp(1j * np.pi * offset * (z + y + x)) / factor**3).astype(np.complex64)
