"""Drift of the knee while an image is read."""

import numpy as np
from numpy.typing import NDArray

from rmqnet.simulate.readout import Spectrum

N_STEPS = 64
"""Steps of the drift within one image: default."""


def draw_drift(amplitude: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Displacement (axis z y x, step) [mm]: a random walk of mean 0 with this standard deviation at its end."""
    path = amplitude * rng.standard_normal((3, N_STEPS)).cumsum(axis=1) / np.sqrt(N_STEPS)
    return path - path.mean(axis=1, keepdims=True)


def drifted(
    spectrum: Spectrum,
    shape: tuple[int, int, int],
    voxel_size: tuple[float, float, float],
    path: NDArray[np.float64],
) -> Spectrum:
    """The half spectrum (z, y, x half) of an object that was displaced along a path while it was read.

    Cones are read one after the other, from the equator of k-space to its poles, both halves in turn: a frequency
    gets the phase of the displacement at the time of its cone.
    """
    z = np.fft.fftfreq(shape[0])[:, None, None]
    y = np.fft.fftfreq(shape[1])[None, :, None]
    x = np.fft.rfftfreq(shape[2])[None, None, :]
    time = np.arctan2(np.abs(z), np.sqrt(y * y + x * x) + 1e-9) / (np.pi / 2)
    step = np.minimum((time * path.shape[1]).astype(int), path.shape[1] - 1)
    cycles = sum(
        (line * path[axis][step] / voxel_size[axis] for axis, line in enumerate((z, y, x))),
        start=np.zeros(1),
    )
    return (spectrum * np.exp(-2j * np.pi * cycles)).astype(np.complex64)
