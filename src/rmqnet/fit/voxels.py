"""Voxel-wise fit of one problem: both cores, in blocks, with progress; values and what they are worth."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Reason
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.threads import n_threads
from rmqnet.fit.compiled import compiled
from rmqnet.fit.levenberg_marquardt import CONVERGED, PASSES
from rmqnet.fit.problem import FitProblem
from rmqnet.fit.source import entry

Progress = Callable[[str, int, int], None]
"""Called with (what, voxels done, voxels in all)."""
Likelihood = Literal["gaussian", "rician"]

BLOCK = 32768
"""Voxels per block: large enough to hide the hand-over, small enough for a lively progress bar."""
BORDER = 1e-6
"""A value this close to a bound, relative for all but signed quantities, has ended on it."""


@dataclass(frozen=True, eq=False)
class VoxelFit:
    """Fitted values of a list of voxels."""

    problem: FitProblem
    values: dict[str, NDArray[np.float64]]
    """Values (voxel,) by free quantity; NaN where the fit failed."""
    reason: NDArray[np.uint8]
    """Reason codes (voxel,)."""
    misfit: NDArray[np.float64]
    """Sum of squared residuals (voxel,) over the squared noise: chi-square where the noise is known."""
    covariance: NDArray[np.float32]
    """Covariance of the free quantities by the noise of the images: lower triangle (free * (free + 1) / 2, voxel)."""
    gain: NDArray[np.float32]
    """Change of each free quantity per change of each given one (free, given, voxel)."""

    @property
    def residual(self) -> NDArray[np.float64]:
        """Root mean square residual (voxel,), in units of the noise: of the signals where no noise was given."""
        return np.sqrt(self.misfit / len(self.problem.acquisitions))

    def part(self, voxels: NDArray[np.bool_]) -> "VoxelFit":
        """The fit of some of the voxels only."""
        return VoxelFit(
            self.problem,
            {name: values[voxels] for name, values in self.values.items()},
            self.reason[voxels],
            self.misfit[voxels],
            self.covariance[:, voxels],
            self.gain[:, :, voxels],
        )

    def sd(self, quantity: str) -> NDArray[np.float32]:
        """Standard deviation (voxel,) of a free quantity by the noise of the images alone."""
        i = self.problem.free.index(quantity)
        return np.sqrt(self.covariance[entry(i, i)])

    def correlation(self, first: str, second: str) -> NDArray[np.float32]:
        """Correlation (voxel,) of the errors of two free quantities."""
        i, j = sorted((self.problem.free.index(first), self.problem.free.index(second)))
        return self.covariance[entry(j, i)] / (self.sd(first) * self.sd(second))


def fit_voxels(
    problem: FitProblem,
    signals: NDArray[np.floating],
    given: Mapping[str, NDArray[np.floating]],
    *,
    noise: float | Sequence[float] = 1.0,
    likelihood: Likelihood = "gaussian",
    bounds: Mapping[str, tuple[float, float]] | None = None,
    progress: Progress | None = None,
) -> VoxelFit:
    """Levenberg-Marquardt fit of signals (contrast, voxel), in the order of the problem's images.

    `given` holds the quantities that the problem needs, (voxel,) each; where one is not finite and positive the
    reason is MISSING_GIVEN. `noise` is the standard deviation of the signals, one for all or one per contrast: it
    weighs the contrasts, and the Rician likelihood needs its true size. Bounds are those of the quantity table, made
    for knees, unless others are given; the amplitude is free.
    """
    sigma = np.broadcast_to(np.asarray(noise, np.float64), len(problem.acquisitions))
    if not (np.isfinite(sigma) & (sigma > 0)).all():
        raise InputError(f"the noise must be positive, got {sigma.min():g}")
    n_voxels = signals.shape[1]
    known = np.empty((max(len(problem.given), 1), n_voxels))
    for row, name in enumerate(problem.given):
        known[row] = given[name]
    # the modules are made here: two threads that make one at a time would meet it half made
    modules = {name: compiled(problem, name) for name in {"gaussian", likelihood}}
    run = _Run(problem, modules, likelihood, 1 / sigma**2, *_limits(problem, bounds or {}))
    parts = _in_blocks(lambda part: run(signals[:, part], known[:, part]), n_voxels, problem.name, progress)
    values, reason, misfit, covariance, gain = (
        np.concatenate([part[k] for part in parts], axis=-1) for k in range(5)
    )
    return VoxelFit(problem, dict(zip(problem.free, values, strict=True)), reason, misfit, covariance, gain)


def _limits(
    problem: FitProblem, bounds: Mapping[str, tuple[float, float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds (free,) of the searched variables."""
    low, high = [float(np.finfo(float).tiny)], [float(np.finfo(float).max)]
    for name in problem.free[1:]:
        limits = bounds.get(name, QUANTITIES[name].bounds)
        low.append(limits[0])
        high.append(limits[1])
    return np.array(low), np.array(high)


@dataclass(frozen=True, eq=False)
class _Run:
    """Fit of one block."""

    problem: FitProblem
    modules: dict[str, ModuleType]
    likelihood: Likelihood
    weights: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    def __call__(self, signals: NDArray, given: NDArray) -> tuple[NDArray, ...]:
        """Values (free, voxel), reasons, misfit, covariance (triangle, voxel) and gain (free, given, voxel)."""
        # one type and memory layout for all callers: the solver is compiled anew for each that it meets
        measured, known = np.array(signals, np.float64, order="C"), np.array(given, order="C")
        reason = np.full(measured.shape[1], Reason.NOT_CONVERGED, np.uint8)
        usable = np.isfinite(measured).all(axis=0) & (measured > 0).any(axis=0)
        reason[~usable] = Reason.BAD_SIGNAL
        if self.problem.given:
            missing = ~(np.isfinite(known) & (known > 0)).all(axis=0)
            reason[missing] = Reason.MISSING_GIVEN
            usable &= ~missing
        index = np.flatnonzero(usable)
        values = np.ones((len(self.problem.free), measured.shape[1]))
        settings = self.problem.settings()
        done = self._search("gaussian", measured, index, known, settings, values, fresh=True)
        if self.likelihood == "rician":
            done = self._search("rician", measured, index, known, settings, values, fresh=False)
        on_bound = self._on_bound(values)
        reason[done] = Reason.VALID
        reason[usable & on_bound] = Reason.AT_BOUND
        for name, lower in self.problem.above.items():
            values[self.problem.free.index(name)] += values[self.problem.free.index(lower)]
        assessed = self._assess(measured, np.flatnonzero(usable), known, settings, values)
        values[:, reason != Reason.VALID] = np.nan
        return values, reason, *assessed

    def _search(self, likelihood, measured, index, known, settings, values, *, fresh) -> NDArray[np.intp]:
        """Indices of the voxels that have converged; values are refined in place."""
        status, cost = np.ones(measured.shape[1], np.uint8), np.empty(measured.shape[1])
        left = index.copy()
        for plan in PASSES:
            n_left = self.modules[likelihood].search(
                measured,
                left,
                known,
                settings,
                self.weights,
                self.lower,
                self.upper,
                values,
                status,
                cost,
                plan,
                fresh,
            )
            left, fresh = left[:n_left].copy(), False
            if n_left == 0:
                break
        return index[status[index] == CONVERGED]

    def _on_bound(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        on_bound = np.zeros(values.shape[1], bool)
        for row, name in enumerate(self.problem.free):
            low, high = self.lower[row], self.upper[row]
            margin = (BORDER, BORDER) if name in self.problem.signed else (BORDER * low, BORDER * high)
            on_bound |= (values[row] <= low + margin[0]) | (values[row] >= high - margin[1])
        return on_bound

    def _assess(self, measured, index, known, settings, values) -> tuple[NDArray, NDArray, NDArray]:
        """Misfit, covariance and gain of all voxels; NaN where there was nothing to fit."""
        n, n_given, n_voxels = len(self.problem.free), len(self.problem.given), measured.shape[1]
        matrix = np.zeros((n * (n + 1) // 2, index.size))
        mixed, misfit = np.zeros((n * n_given, index.size)), np.zeros(index.size)
        self.modules[self.likelihood].assess(
            measured, index, values[:, index], known[:, index], self.weights, matrix, mixed, misfit, *settings
        )
        covariance = np.full((matrix.shape[0], n_voxels), np.nan, np.float32)
        gain = np.full((n, n_given, n_voxels), np.nan, np.float32)
        full = np.empty((index.size, n, n))
        for i in range(n):
            for j in range(i + 1):
                full[:, i, j] = full[:, j, i] = matrix[entry(i, j)]
        # scaled to a unit diagonal, so that quantities of very different size can be told from singular ones
        scale = np.sqrt(np.einsum("vii->vi", full))
        with np.errstate(all="ignore"):
            full /= scale[:, :, None] * scale[:, None, :]
            bad = ~np.isfinite(full).all(axis=(1, 2))
            full[bad] = np.eye(n)
            inverse = _inverse(full)
            inverse /= scale[:, :, None] * scale[:, None, :]
            inverse[bad] = np.nan
            for i in range(n):
                for j in range(i + 1):
                    covariance[entry(i, j), index] = inverse[:, i, j]
            gain[:, :, index] = -np.einsum("vij,jkv->ikv", inverse, mixed.reshape(n, n_given, index.size))
        everywhere = np.full(n_voxels, np.nan)
        everywhere[index] = misfit
        return everywhere, covariance, gain


def _inverse(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverses of matrices (voxel, n, n) of unit diagonal; NaN where one is singular."""
    if matrices.shape[1] == 2:
        correlation = matrices[:, 0, 1]
        left = 1 - correlation**2
        result = np.empty_like(matrices)
        result[:, 0, 0] = result[:, 1, 1] = 1 / left
        result[:, 0, 1] = result[:, 1, 0] = -correlation / left
        result[left < SINGULAR] = np.nan
        return result
    singular = np.linalg.det(matrices) < SINGULAR
    matrices[singular] = np.eye(matrices.shape[1])
    result = np.linalg.inv(matrices).astype(np.float64)
    result[singular] = np.nan
    return result


SINGULAR = 1e-13
"""Determinant of the scaled normal matrix below which quantities can't be told apart: a default."""


def _in_blocks(
    work: Callable[[slice], tuple[NDArray, ...]], n_voxels: int, what: str, progress: Progress | None
) -> list[tuple[NDArray, ...]]:
    """Results of all blocks in their order."""
    blocks = [slice(start, min(start + BLOCK, n_voxels)) for start in range(0, max(n_voxels, 1), BLOCK)]
    done = 0
    with ThreadPoolExecutor(n_threads()) as pool:
        running = {pool.submit(work, block): block for block in blocks}
        try:
            for future in as_completed(running):
                done += future.result()[1].size
                if progress is not None and n_voxels:
                    progress(f"fitting {what}", done, n_voxels)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in running]
