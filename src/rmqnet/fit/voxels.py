"""Voxel-wise fit of one series: both cores, in blocks, with progress."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import Reason
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.fit.compiled import compiled_fit
from rmqnet.fit.levenberg_marquardt import AT_BOUND, BAD_SIGNAL, CONVERGED, NOT_CONVERGED
from rmqnet.physics.models import SIGNAL_MODELS

Progress = Callable[[str, int, int], None]
"""Called with (what, voxels done, voxels in all)."""

BLOCK = 32768
"""Voxels per block: large enough to hide the hand-over, small enough for a lively progress bar."""

REASONS = {
    CONVERGED: Reason.VALID,
    NOT_CONVERGED: Reason.NOT_CONVERGED,
    AT_BOUND: Reason.AT_BOUND,
    BAD_SIGNAL: Reason.BAD_SIGNAL,
}
"""Reason code of each outcome of the solver."""


@dataclass(frozen=True, eq=False)
class VoxelFit:
    """Fitted values of a list of voxels."""

    values: dict[str, NDArray[np.float64]]
    """Values (voxel,) by free quantity; NaN where the fit failed."""
    reason: NDArray[np.uint8]
    """Reason codes (voxel,)."""
    residual: NDArray[np.float64]
    """Root mean square residual (voxel,), in units of the signals."""


def fit_voxels(
    signals: NDArray[np.floating],
    acquisitions: Sequence[Acquisition],
    given: Mapping[str, NDArray[np.floating]],
    *,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    progress: Progress | None = None,
) -> VoxelFit:
    """Levenberg-Marquardt fit of signals (contrast, voxel), all acquired by one method.

    `given` holds the quantities that the model needs, (voxel,) each; where one is not finite
    and positive the reason is MISSING_GIVEN.
    Bounds are those of the quantity table, made for knees, unless others are given; the amplitude is free.
    """
    method = acquisitions[0].method
    model = SIGNAL_MODELS[method]
    n_voxels = signals.shape[1]
    known = np.empty((len(model.given), n_voxels))
    for row, name in enumerate(model.given):
        known[row] = given[name]
    limits = [(bounds or {}).get(name, QUANTITIES[name].bounds) for name in model.free[1:]]
    lower = np.array([np.finfo(float).tiny, *(low for low, _ in limits)])
    upper = np.array([np.finfo(float).max, *(high for _, high in limits)])
    settings = model.settings_table(acquisitions)
    values = np.empty((len(model.free), n_voxels))
    status = np.empty(n_voxels, np.uint8)
    residual = np.empty(n_voxels)
    fit = compiled_fit(method)

    def block(start: int) -> int:
        part = slice(start, min(start + BLOCK, n_voxels))
        n_block = part.stop - part.start
        found = np.empty((len(model.free), n_block))
        # one type and memory layout for all callers: the solver is compiled anew for each that it meets
        fit(
            np.array(signals[:, part], np.float64, order="C"),
            np.array(known[:, part], order="C"),
            settings,
            lower,
            upper,
            found,
            status[part],
            residual[part],
        )
        values[:, part] = found
        return n_block

    _run_blocks(block, n_voxels, f"fitting {method}", progress)
    reason = np.select([status == code for code in REASONS], list(REASONS.values())).astype(np.uint8)
    missing = ~(np.isfinite(known) & (known > 0)).all(axis=0)
    reason[missing] = Reason.MISSING_GIVEN
    values[:, missing] = residual[missing] = np.nan
    return VoxelFit(dict(zip(model.free, values, strict=True)), reason, residual)


def _run_blocks(block: Callable[[int], int], n_voxels: int, what: str, progress: Progress | None) -> None:
    done = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(block, start) for start in range(0, n_voxels, BLOCK)]
        try:
            for future in as_completed(running):
                done += future.result()
                if progress is not None:
                    progress(what, done, n_voxels)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
