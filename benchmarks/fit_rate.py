"""Voxels fitted per second at SNR 50: VFA, multispoke T1rho and mono-exponential T1rho, with other fitters beside them.

DOSMA is run where its environment exists; this makes one (its packages are older than ours):

    python3.11 -m venv build/dosma-venv
    build/dosma-venv/bin/pip install dosma "numpy<2" "pandas<3" "scipy<1.15"
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL, SPIN_LOCK_TIMES
from rmqnet.fit.problem import single
from rmqnet.fit.voxels import fit_voxels
from rmqnet.physics.signals import synthesize

N_VOXELS = 1_000_000
N_NUMPY = 200_000
N_SCIPY = 500
N_DOSMA = 4000
N_RUNS = 5
SNR = 50.0
"""Mean signal of cartilage at flip angle 10 (mono-exponential: mean signal at spin-lock time 0) over the noise."""
TIMES = np.array(SPIN_LOCK_TIMES)
DOSMA_PYTHON = Path(__file__).parents[1] / "build" / "dosma-venv" / "bin" / "python"

Voxels = NDArray[np.float32]
Truth = dict[str, Voxels]


def cartilage(rng: np.random.Generator) -> Truth:
    """Voxels of cartilage with the spread of the paper's subjects, and of other tissue around it."""
    return {
        "M0": rng.uniform(0.5, 1.5, N_VOXELS).astype(np.float32),
        "T1": rng.uniform(0.4, 2.0, N_VOXELS).astype(np.float32),
        "B1": rng.uniform(0.8, 1.2, N_VOXELS).astype(np.float32),
        "T1rho": rng.uniform(0.010, 0.080, N_VOXELS).astype(np.float32),
    }


def rate(work: Callable[[], object], n: int, runs: int = N_RUNS) -> int:
    """Voxels per second: median of several runs after a first one, which compiles."""
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return round(n / float(np.median(seconds)))


def report(who: str, per_second: int, found: NDArray, truth: Voxels) -> None:
    error = found / truth[: found.size] - 1
    error = error[np.isfinite(error)]
    print(
        f"{who}: {per_second:,} voxels/s, {error.size / found.size:.2%} fitted, median error "
        f"{np.median(error):+.2%}, spread {np.percentile(abs(error), 68):.2%}"
    )


def scipy_vfa(signals: Voxels, truth: Truth) -> NDArray[np.float64]:
    """T1 by scipy's curve_fit (Levenberg-Marquardt), voxel after voxel."""
    angles = np.radians([image.flip_angle or 0.0 for image in FULL.acquisitions[:4]])
    repetition_time = FULL.acquisitions[0].repetition_time_excitation

    def spoiled(angle: NDArray[np.float64], m0: float, t1: float) -> NDArray[np.float64]:
        e1 = np.exp(-repetition_time / t1)
        return m0 * np.sin(angle) * (1 - e1) / (1 - e1 * np.cos(angle))

    voxels = range(signals.shape[1])
    return np.array(
        [curve_fit(spoiled, truth["B1"][v] * angles, signals[:, v], p0=(1.0, 1.0))[0][1] for v in voxels]
    )


def scipy_decay(signals: Voxels) -> NDArray[np.float64]:
    """T1rho by scipy's curve_fit (Levenberg-Marquardt), voxel after voxel."""

    def decay(t: NDArray[np.float64], amplitude: float, time_constant: float) -> NDArray[np.float64]:
        return amplitude * np.exp(-t / time_constant)

    return np.array([curve_fit(decay, TIMES, one, p0=(one[0], 0.04))[0][1] for one in signals.T])


def numpy_decay(signals: Voxels, chunk: int = 8192) -> NDArray[np.float64]:
    """T1rho by Levenberg-Marquardt on arrays of voxels, which leave when they have converged (step below 1e-6).

    In chunks, since arrays of all voxels at once would not fit the caches and take twice as long.
    """
    starts = range(0, signals.shape[1], chunk)
    return np.concatenate([_numpy_chunk(signals[:, s : s + chunk].T.astype(np.float64)) for s in starts])


def _numpy_chunk(measured: NDArray[np.float64]) -> NDArray[np.float64]:
    weight = np.maximum(measured, 1e-6) ** 2
    y = np.log(np.maximum(measured, 1e-6))
    total, x = weight.sum(1), weight @ TIMES
    xx, wy, wxy = weight @ TIMES**2, (weight * y).sum(1), (weight * y) @ TIMES
    rate_of = np.clip((x * wy - total * wxy) / (total * xx - x * x), 1.0, 1000.0)
    shape = np.exp(-rate_of[:, None] * TIMES)
    amplitude = (shape * measured).sum(1) / (shape * shape).sum(1)
    result, left, damping = 1 / rate_of, np.arange(len(measured)), np.full(len(measured), 1e-3)
    residual = measured - amplitude[:, None] * shape
    cost = (residual * residual).sum(1)
    for _ in range(50):
        slope = -amplitude[:, None] * shape * TIMES
        a = (shape * shape).sum(1) * (1 + damping)
        b, c = (shape * slope).sum(1), (slope * slope).sum(1) * (1 + damping)
        u, v = (shape * residual).sum(1), (slope * residual).sum(1)
        determinant = a * c - b * b
        new_amplitude, new_rate = (
            amplitude + (c * u - b * v) / determinant,
            rate_of + (a * v - b * u) / determinant,
        )
        new_shape = np.exp(-new_rate[:, None] * TIMES)
        new_residual = measured - new_amplitude[:, None] * new_shape
        new_cost = (new_residual * new_residual).sum(1)
        better = new_cost <= cost
        small = np.abs(new_rate - rate_of) < 1e-6 * rate_of
        damping *= np.where(better, 0.1, 10.0)
        amplitude, rate_of = np.where(better, new_amplitude, amplitude), np.where(better, new_rate, rate_of)
        shape, residual = (
            np.where(better[:, None], new_shape, shape),
            np.where(better[:, None], new_residual, residual),
        )
        cost = np.where(better, new_cost, cost)
        result[left] = 1 / rate_of
        go = ~small
        if not go.any():
            break
        left, measured, shape, residual = left[go], measured[go], shape[go], residual[go]
        amplitude, rate_of, damping, cost = amplitude[go], rate_of[go], damping[go], cost[go]
    return result


DOSMA = """
import sys, time, os, numpy as np
from dosma.core.med_volume import MedicalVolume
from dosma.core.fitting import MonoExponentialFit
data = np.load(sys.argv[1])
volumes = [MedicalVolume(image.reshape(-1, 1, 1), affine=np.eye(4)) for image in data["signals"]]
best = np.inf
for workers in (0, os.cpu_count()):
    fitter = MonoExponentialFit(bounds=(0, 500), tc0="polyfit", decimal_precision=None, num_workers=workers)
    start = time.perf_counter()
    found, _ = fitter.fit(list(1000 * data["times"]), volumes)
    best = min(best, time.perf_counter() - start)
np.savez(sys.argv[2], seconds=best, T1rho=np.asarray(found.A).ravel() / 1000)
"""
"""Runs in DOSMA's environment: the faster of one process and as many as there are cores."""


def dosma_decay(signals: Voxels, python: Path) -> tuple[int, NDArray[np.float64]]:
    """Voxels per second and T1rho by DOSMA's MonoExponentialFit."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(given, signals=signals.astype(np.float64), times=TIMES)
        subprocess.run([python, "-W", "ignore", "-c", DOSMA, given, found], check=True)
        with np.load(found) as result:
            return round(signals.shape[1] / float(result["seconds"])), result["T1rho"]


def gradient_echoes(truth: Truth, rates: dict[str, int | None]) -> None:
    rng = np.random.default_rng(1)
    sigma = float(synthesize([FULL.acquisitions[1]], truth).mean()) / SNR
    for key, quantity, images in (
        ("vfa_per_s", "T1", FULL.acquisitions[:4]),
        ("t1rho_per_s", "T1rho", FULL.acquisitions[4:11]),
    ):
        signals = synthesize(images, truth)
        signals += rng.normal(0, sigma, signals.shape).astype(np.float32)
        problem = single(images)
        given = {name: truth[name] for name in problem.given}
        rates[key] = rate(lambda p=problem, s=signals, g=given: fit_voxels(p, s, g), N_VOXELS)
        result = fit_voxels(problem, signals, given)
        assert (result.reason == Reason.VALID).mean() > 0.9
        report(
            f"{quantity}, {os.cpu_count()} cores", rates[key] or 0, result.values[quantity], truth[quantity]
        )
        if quantity == "T1":
            few = signals[:, :N_SCIPY]
            rates["scipy_vfa_per_s"] = rate(lambda f=few: scipy_vfa(f, truth), N_SCIPY, 1)
            report("T1, scipy curve_fit", rates["scipy_vfa_per_s"] or 0, scipy_vfa(few, truth), truth["T1"])


def decays(truth: Truth, rates: dict[str, int | None], python: Path) -> None:
    images = tuple(Acquisition("spin_lock", spin_lock_time=time) for time in SPIN_LOCK_TIMES)
    signals = synthesize(images, truth)
    sigma = float(signals[0].mean()) / SNR
    signals += np.random.default_rng(2).normal(0, sigma, signals.shape).astype(np.float32)
    problem, T1rho = single(images), truth["T1rho"]
    rates["monoexp_per_s"] = rate(lambda: fit_voxels(problem, signals, {}), N_VOXELS)
    report(
        "T1rho, mono-exponential",
        rates["monoexp_per_s"] or 0,
        fit_voxels(problem, signals, {}).values["T1rho"],
        T1rho,
    )
    some, few = signals[:, :N_NUMPY], signals[:, :N_SCIPY]
    rates["scipy_monoexp_per_s"] = rate(lambda: scipy_decay(few), N_SCIPY, 1)
    report("T1rho, scipy curve_fit", rates["scipy_monoexp_per_s"] or 0, scipy_decay(few), T1rho)
    rates["numpy_monoexp_per_s"] = rate(lambda: numpy_decay(some), N_NUMPY, 3)
    report("T1rho, batched numpy", rates["numpy_monoexp_per_s"] or 0, numpy_decay(some), T1rho)
    rates["dosma_monoexp_per_s"] = None
    if python.exists():
        rates["dosma_monoexp_per_s"], found = dosma_decay(signals[:, :N_DOSMA], python)
        report("T1rho, DOSMA", rates["dosma_monoexp_per_s"], found, T1rho)
    else:
        print(f"DOSMA was not run: there is no {python}; the first lines of this file say how to make it")


def main() -> None:
    parser = argparse.ArgumentParser(description="Voxels fitted per second.")
    parser.add_argument("--dosma-python", type=Path, default=DOSMA_PYTHON, help="python that has DOSMA")
    arguments = parser.parse_args()
    truth = cartilage(np.random.default_rng(0))
    rates: dict[str, int | None] = {}
    gradient_echoes(truth, rates)
    decays(truth, rates, arguments.dosma_python)
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
