"""Levenberg-Marquardt over many voxels: the compiled driver around the generated functions of a problem.

See rmqnet.fit.source for the method. A voxel has converged when no quantity moves by more than `TOLERANCE`, or when
the predicted decrease of the cost is lost in its rounding.
"""

import numpy as np
from numba import njit

CONVERGED, NOT_CONVERGED = 0, 1

TOLERANCE = 1e-9
"""Relative step below which a voxel has converged: a default; 1e-6 leaves errors of 1e-3 in flat valleys."""
ROUNDING = 1e-15
"""Predicted relative decrease of the cost below which rounding decides: a default."""
PASSES = ((0.125, 12), (0.125, 24), (0.0, 80))
"""Passes over the voxels: part of a tile that may be left for the next pass, and iterations at most. Defaults."""
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
    n_free, n_given, n_contrasts = values.shape[0], given.shape[0], measured.shape[0]
    work = np.zeros(length * width)
    known = np.ones(max(n_given, 1) * width)
    first = np.empty(n_free * width)
    n_left = 0
    for begin in range(0, index.shape[0], width):
        members = index[begin : begin + width].copy()
        n = members.shape[0]
        for k in range(n_contrasts):
            row = places[k] * width
            for l in range(n):
                work[row + l] = measured[k, members[l]]
        for k in range(n_given):
            for l in range(n):
                known[k * width + l] = given[k, members[l]]
        prepare(work, n, known, *settings)
        for l in range(n):
            work[at_cost * width + l] = np.inf
            work[at_damping * width + l] = 1e-2
            work[at_state * width + l] = 0.0
        if fresh:
            start(work, n, width, places, known, settings, first)
        else:
            for i in range(n_free):
                for l in range(n):
                    first[i * width + l] = values[i, members[l]]
        for i in range(n_free):
            for l in range(n):
                value = min(max(first[i * width + l], lower[i]), upper[i])
                work[(at_trial + i) * width + l] = value
        if fresh:
            _scale_amplitude(evaluate, work, n, weights, settings, at_trial, at_state, n_free, width)
        evaluate(work, n, weights, *settings)
        judge(work, n)
        for _ in range(plan[1]):
            step(work, n, lower, upper, TOLERANCE, ROUNDING)
            evaluate(work, n, weights, *settings)
            judge(work, n)
            running = 0
            for l in range(n):
                going = work[at_state * width + l] != 1.0
                running += going and work[at_damping * width + l] <= LARGEST_DAMPING
            if running <= plan[0] * width:
                break
        for l in range(n):
            voxel = members[l]
            for i in range(n_free):
                values[i, voxel] = work[(at_values + i) * width + l]
            cost[voxel] = work[at_cost * width + l]
            settled = work[at_state * width + l] == 1.0 and np.isfinite(cost[voxel])
            status[voxel] = CONVERGED if settled else NOT_CONVERGED
            if not settled and work[at_damping * width + l] <= LARGEST_DAMPING:
                index[n_left] = voxel
                n_left += 1
    return n_left


@njit(nogil=True, error_model="numpy", forceinline=True)
def _scale_amplitude(evaluate, work, n, weights, settings, at_trial, at_state, n_free, width):
    """Sets the amplitude, the first free quantity, to its best value for the other ones: signals are linear in it."""
    for l in range(n):
        work[at_trial * width + l] = 1.0
    evaluate(work, n, weights, *settings)
    at_vector = at_state + 1 + n_free
    for l in range(n):
        square = work[(at_vector + n_free) * width + l]
        product = work[at_vector * width + l] + square
        amplitude = product / square
        work[at_trial * width + l] = amplitude if amplitude > 1e-300 else 1e-300
