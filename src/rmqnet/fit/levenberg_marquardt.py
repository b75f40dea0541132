"""Levenberg-Marquardt over many voxels: the compiled driver around the generated functions of a problem.

See rmqnet.fit.source for the method. A voxel has converged when no quantity moves by more than `TOLERANCE`, or when
the predicted decrease of the cost is lost in its rounding.
"""

import numpy as np
from numba import njit

CONVERGED, NOT_CONVERGED = 0, 1
SETTLED = 1.0
"""State of a voxel in its tile whose search is over; 0 while it goes on, 2 where the last step could not be made."""

TOLERANCE = 1e-9
"""Relative step below which a voxel has converged: a default; 1e-6 leaves errors of 1e-3 in flat valleys."""
ROUNDING = 1e-15
"""Predicted relative decrease of the cost below which rounding decides: a default."""
PASSES = ((0.125, 12), (0.125, 24), (0.0, 200))
"""Passes over the voxels: part of a tile that may be left for the next pass, and iterations at most. Defaults."""
FIRST_DAMPING = 1e-2
"""Damping before the start values are taken, which lowers it to a tenth: a default."""
LARGEST_DAMPING = 1e12
"""Damping above which a search has failed: a default."""


@njit(nogil=True, error_model="numpy", forceinline=True)
def search(
    start, prepare, evaluate, step, judge, rows,
    measured, index, given, settings, weights, lower, upper, values, status, cost, plan, fresh,
):  # fmt: skip
    """Number of voxels left unfinished, which are moved to the front of `index`; the others have their result.

    start, prepare, evaluate, step and judge are the functions of the problem. rows: places (contrast,) of the measured
    signals in the work array, then its length, the width of a tile and the first rows of values, trial, cost,
    damping, state and trial_cost. measured (contrast, voxel), given (quantity, voxel), values (free, voxel), status
    and cost (voxel,); index (any,) names the voxels to fit. plan: part that may be left, most iterations. Without
    `fresh` the search goes on from `values`.
    """
    places, length, width, at_values, at_trial, at_cost, at_damping, at_state = rows
    work = np.zeros(length * width)
    known = np.ones(max(given.shape[0], 1) * width)
    first = np.empty(values.shape[0] * width)
    n_left = 0
    for begin in range(0, index.shape[0], width):
        members = index[begin : begin + width].copy()
        n = members.shape[0]
        _load(work, known, members, measured, given, places, width)
        prepare(work, n, known, *settings)
        for lane in range(n):
            work[at_cost * width + lane] = np.inf
            work[at_damping * width + lane] = FIRST_DAMPING
            work[at_state * width + lane] = 0.0
        if fresh:
            start(work, n, width, places, known, settings, first)
        else:
            for i in range(values.shape[0]):
                for lane in range(n):
                    first[i * width + lane] = values[i, members[lane]]
        for i in range(values.shape[0]):
            for lane in range(n):
                work[(at_trial + i) * width + lane] = min(max(first[i * width + lane], lower[i]), upper[i])
        if fresh:
            _scale_amplitude(evaluate, work, n, weights, settings, at_trial, values.shape[0], width)
        evaluate(work, n, weights, *settings)
        judge(work, n)
        for _ in range(plan[1]):
            step(work, n, lower, upper, TOLERANCE, ROUNDING)
            evaluate(work, n, weights, *settings)
            judge(work, n)
            if _running(work, n, at_state * width, at_damping * width) <= plan[0] * width:
                break
        for lane in range(n):
            voxel = members[lane]
            for i in range(values.shape[0]):
                values[i, voxel] = work[(at_values + i) * width + lane]
            cost[voxel] = work[at_cost * width + lane]
            settled = work[at_state * width + lane] == SETTLED and np.isfinite(cost[voxel])
            status[voxel] = CONVERGED if settled else NOT_CONVERGED
            if not settled and work[at_damping * width + lane] <= LARGEST_DAMPING:
                index[n_left] = voxel
                n_left += 1
    return n_left


@njit(nogil=True, error_model="numpy", forceinline=True)
def _load(work, known, members, measured, given, places, width):
    """Brings the signals and given quantities of a tile's voxels into their rows."""
    for k in range(measured.shape[0]):
        row = places[k] * width
        for lane in range(members.shape[0]):
            work[row + lane] = measured[k, members[lane]]
    for k in range(given.shape[0]):
        for lane in range(members.shape[0]):
            known[k * width + lane] = given[k, members[lane]]


@njit(nogil=True, error_model="numpy", forceinline=True)
def _running(work, n, at_state, at_damping):
    """Number of voxels of the tile whose search goes on."""
    running = 0
    for lane in range(n):
        running += work[at_state + lane] != SETTLED and work[at_damping + lane] <= LARGEST_DAMPING
    return running


@njit(nogil=True, error_model="numpy", forceinline=True)
def _scale_amplitude(evaluate, work, n, weights, settings, at_trial, n_free, width):
    """Sets the amplitude, the first free quantity, to its best value for the other ones: signals are linear in it."""
    for lane in range(n):
        work[at_trial * width + lane] = 1.0
    evaluate(work, n, weights, *settings)
    at_vector = at_trial + n_free
    for lane in range(n):
        square = work[(at_vector + n_free) * width + lane]
        product = work[at_vector * width + lane] + square
        amplitude = product / square
        work[at_trial * width + lane] = amplitude if amplitude > 1e-300 else 1e-300
