"""Voxels fitted per second: VFA with B1 and multispoke T1rho at SNR 50, with scipy's curve_fit beside them."""

import json
import os
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL
from rmqnet.fit.voxels import VoxelFit, fit_voxels
from rmqnet.physics.signals import synthesize

N_VOXELS = 1_000_000
N_SCIPY = 500
N_RUNS = 5
SNR = 50.0
"""Mean signal of cartilage at flip angle 10 over the standard deviation of the noise."""

Truth = dict[str, NDArray[np.float32]]


def cartilage(rng: np.random.Generator) -> Truth:
    """Voxels of cartilage with the spread of the paper's subjects, and of other tissue around it."""
    return {
        "M0": rng.uniform(0.5, 1.5, N_VOXELS).astype(np.float32),
        "T1": rng.uniform(0.4, 2.0, N_VOXELS).astype(np.float32),
        "B1": rng.uniform(0.8, 1.2, N_VOXELS).astype(np.float32),
        "T1rho": rng.uniform(0.010, 0.080, N_VOXELS).astype(np.float32),
    }


def median_seconds(work: Callable[[], VoxelFit]) -> tuple[float, VoxelFit]:
    """Median wall time of several runs after a first one, which compiles, and the result."""
    result, seconds = work(), []
    for _ in range(N_RUNS):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), result


def scipy_seconds(signals: NDArray[np.float32], truth: Truth) -> float:
    """Wall time per voxel of scipy's curve_fit (Levenberg-Marquardt) on the VFA signals of a few voxels."""
    angles = np.radians([image.flip_angle or 0.0 for image in FULL.acquisitions[:4]])
    repetition_time = FULL.acquisitions[0].repetition_time_excitation

    def spoiled(angle: NDArray[np.float64], m0: float, t1: float) -> NDArray[np.float64]:
        e1 = np.exp(-repetition_time / t1)
        return m0 * np.sin(angle) * (1 - e1) / (1 - e1 * np.cos(angle))

    start = time.perf_counter()
    for voxel in range(N_SCIPY):
        curve_fit(spoiled, truth["B1"][voxel] * angles, signals[:, voxel], p0=(1.0, 1.0))
    return (time.perf_counter() - start) / N_SCIPY


def main() -> None:
    rng = np.random.default_rng(0)
    truth = cartilage(rng)
    sigma = float(synthesize([FULL.acquisitions[1]], truth).mean()) / SNR
    rates: dict[str, float] = {}
    for key, quantity, images in (
        ("vfa_per_s", "T1", FULL.acquisitions[:4]),
        ("t1rho_per_s", "T1rho", FULL.acquisitions[4:11]),
    ):
        signals = synthesize(images, truth)
        signals += rng.normal(0, sigma, signals.shape).astype(np.float32)
        given = {"B1": truth["B1"]} if quantity == "T1" else {"T1": truth["T1"], "B1": truth["B1"]}
        seconds, result = median_seconds(lambda s=signals, i=images, g=given: fit_voxels(s, i, g))
        rates[key] = round(N_VOXELS / seconds)
        valid = result.reason == Reason.VALID
        error = result.values[quantity][valid] / truth[quantity][valid] - 1
        print(
            f"{quantity}: {rates[key] / 1e6:.2f} million voxels/s on {os.cpu_count()} cores, "
            f"{valid.mean():.2%} fitted, median error {np.median(error):+.2%}, "
            f"spread {np.percentile(abs(error), 68):.2%}"
        )
        if quantity == "T1":
            rates["scipy_vfa_per_s"] = round(1 / scipy_seconds(signals, truth))
            print(f"scipy curve_fit, T1: {rates['scipy_vfa_per_s']} voxels/s on one core")
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
