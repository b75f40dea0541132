"""Iterative least squares over all coils, for spokes that undersample."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from rmqnet.encoding.slices import Operator


def cg_sense(
    operator: Operator,
    samples: NDArray[np.complex64],
    density: NDArray[np.float32],
    sensitivities: NDArray[np.complex64],
    voxel_volume: float,
    *,
    n_iterations: int,
    regularization: float,
) -> NDArray[np.complex64]:
    r"""Image (z, y, x) that explains the samples (channel, spoke, read) of all coils best.

    Conjugate gradients from 0 for $$\min_m \sum_c \|D^{1/2}(\Delta V\,F S_c m - s_c)\|^2 + \lambda\|m\|^2$$ with the
    density D, which makes fully sampled data converge in few steps. The sensitivities (channel, z, y, x) are scaled so
    that their squares add to 1. Source: Pruessmann 2001, MRM 46:638.
    """
    right = np.zeros(operator.shape, np.complex64)
    for images, sensitivity in zip(operator.adjoint(samples, density), sensitivities, strict=True):
        right += sensitivity.conj() * images
    image = np.zeros_like(right)
    residual = right.copy()
    direction = right.copy()
    power = _product(residual, residual)
    for _ in range(n_iterations):
        if power == 0:
            break
        moved = _normal(operator, density, sensitivities, direction)
        moved *= np.float32(voxel_volume)
        moved += np.float32(regularization) * direction
        step = np.float32(power / _product(direction, moved))
        image += step * direction
        residual -= step * moved
        before, power = power, _product(residual, residual)
        direction *= np.float32(power / before)
        direction += residual
    return image


def _normal(
    operator: Operator,
    density: NDArray[np.float32],
    sensitivities: NDArray[np.complex64],
    image: NDArray[np.complex64],
) -> NDArray[np.complex64]:
    """To the weighted samples of all coils and back; coils side by side, added in their order."""
    workers = min(operator.n_threads, len(sensitivities))

    def work(worker: int) -> list[NDArray[np.complex64]]:
        return [
            s.conj() * operator.normal(s * image, density, worker) for s in sensitivities[worker::workers]
        ]

    with ThreadPoolExecutor(workers) as pool:
        shares = list(pool.map(work, range(workers)))
    total = np.zeros_like(image)
    for coil in range(len(sensitivities)):
        total += shares[coil % workers][coil // workers]
    return total


def _product(a: NDArray[np.complex64], b: NDArray[np.complex64]) -> float:
    """Real part of the inner product."""
    return float(np.vdot(a, b).real)
