"""Levenberg-Marquardt fits of many voxels, compiled by numba around any signal kernel.

All quantities are positive, so the search runs over their logarithms: steps are relative, and no quantity can
change sign. With residuals r and the Jacobian J after the logarithms, each step solves the damped normal equations

    (J'J + damping * diag(J'J)) step = J'r

A step that lowers the cost is kept and the damping lowered; otherwise the damping is raised. A voxel has converged
when no quantity moves by more than `tolerance`, or when the predicted decrease of the cost is lost in its rounding.
"""

import numpy as np
from numba import njit

from rmqnet.physics.kernels import FASTMATH

CONVERGED, NOT_CONVERGED, AT_BOUND, BAD_SIGNAL = 0, 1, 2, 3

MAX_ITERATIONS = 60
"""Iterations before a voxel counts as not converged: a default."""
TOLERANCE = 1e-9
"""Relative step below which a voxel has converged: a default; 1e-6 leaves errors of 1e-3 in flat valleys."""
ROUNDING = 1e-15
"""Predicted relative decrease of the cost below which rounding decides: a default."""


@njit(nogil=True, fastmath=set(FASTMATH), error_model="numpy", inline="always")
def solve_normal_equations(matrix, vector, damping, factor, step):
    """Step of the damped normal equations by Cholesky factors; False where the matrix is not positive definite."""
    n = vector.shape[0]
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j] * (1.0 + damping) if i == j else matrix[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                if not total > 0.0:
                    return False
                factor[i, i] = np.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    for i in range(n):
        total = vector[i]
        for k in range(i):
            total -= factor[i, k] * step[k]
        step[i] = total / factor[i, i]
    for i in range(n - 1, -1, -1):
        total = step[i]
        for k in range(i + 1, n):
            total -= factor[k, i] * step[k]
        step[i] = total / factor[i, i]
    return True


@njit(nogil=True, fastmath=set(FASTMATH), error_model="numpy", inline="always")
def evaluate(signal_and_jacobian, measured, prepared, values, jacobian, matrix, vector):
    """Cost of the values; fills the normal matrix and the gradient after the logarithms of the values."""
    n = values.shape[0]
    cost = 0.0
    for i in range(n):
        vector[i] = 0.0
        for j in range(i + 1):
            matrix[i, j] = 0.0
    for contrast in range(measured.shape[0]):
        difference = measured[contrast] - signal_and_jacobian(values, prepared[contrast], jacobian)
        cost += difference * difference
        for i in range(n):
            slope = jacobian[i] * values[i]
            vector[i] += slope * difference
            for j in range(i + 1):
                matrix[i, j] += slope * jacobian[j] * values[j]
    return cost


@njit(nogil=True, fastmath=set(FASTMATH), error_model="numpy", inline="always")
def refine(signal_and_jacobian, measured, prepared, lower, upper, values, work):
    """Status after refining the values in place; the cost stands in work[5][0]."""
    n = values.shape[0]
    trial, step, vector, trial_vector, jacobian, record, matrix, trial_matrix, factor = work
    cost = evaluate(signal_and_jacobian, measured, prepared, values, jacobian, matrix, vector)
    damping = 1e-3
    status = NOT_CONVERGED
    for _ in range(MAX_ITERATIONS):
        if not np.isfinite(cost):
            break
        if not solve_normal_equations(matrix, vector, damping, factor, step):
            damping = max(damping * 10.0, 1e-3)
            if damping > 1e12:
                break
            continue
        largest = 0.0
        decrease = 0.0
        for i in range(n):
            # a step of more than a factor of e leaves the region in which the linear model says anything
            relative = min(max(step[i], -1.0), 1.0)
            trial[i] = min(max(values[i] * np.exp(relative), lower[i]), upper[i])
            largest = max(largest, abs(trial[i] / values[i] - 1.0))
            decrease += step[i] * vector[i]
        if largest < TOLERANCE or decrease < ROUNDING * cost:
            status = CONVERGED
            break
        new = evaluate(signal_and_jacobian, measured, prepared, trial, jacobian, trial_matrix, trial_vector)
        if new <= cost:
            cost = new
            damping = max(damping * 0.1, 1e-12)
            for i in range(n):
                values[i] = trial[i]
                vector[i] = trial_vector[i]
                for j in range(i + 1):
                    matrix[i, j] = trial_matrix[i, j]
        else:
            damping = max(damping * 10.0, 1e-6)
            if damping > 1e12:
                break
    record[0] = cost
    for i in range(n):
        if values[i] <= lower[i] * (1.0 + 1e-6) or values[i] >= upper[i] * (1.0 - 1e-6):
            return AT_BOUND
    return status


@njit(nogil=True, inline="always")
def workspace(n):
    """Arrays of `refine` for n free quantities: five vectors, the record of the cost, three matrices."""
    return (
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(1),
        np.empty((n, n)),
        np.empty((n, n)),
        np.empty((n, n)),
    )


@njit(nogil=True, fastmath=set(FASTMATH), error_model="numpy", inline="always")
def fit_voxels(
    prepare,
    signal_and_jacobian,
    start,
    n_prepared,
    signals,
    given,
    settings,
    lower,
    upper,
    values,
    status,
    residual,
):
    """Fits voxel by voxel, into values (free, voxel), status (voxel,) and residual (voxel,).

    signals (contrast, voxel) and given (quantity, voxel) are arrays of any float type; settings (contrast, setting).
    `start(measured, given, settings, values)` writes start values and returns False where the signals allow none.
    A status other than CONVERGED leaves NaN; the residual is the root mean square over contrasts.
    """
    n_contrasts, n_voxels = signals.shape
    n_free, n_given = values.shape[0], given.shape[0]
    measured = np.empty(n_contrasts)
    known = np.empty(n_given)
    prepared = np.empty((n_contrasts, n_prepared))
    current = np.empty(n_free)
    work = workspace(n_free)
    for voxel in range(n_voxels):
        largest = 0.0
        finite = True
        for contrast in range(n_contrasts):
            measured[contrast] = signals[contrast, voxel]
            finite = finite and np.isfinite(measured[contrast])
            largest = max(largest, measured[contrast])
        outcome = BAD_SIGNAL
        if finite and largest > 0.0:
            for k in range(n_given):
                known[k] = given[k, voxel]
            for contrast in range(n_contrasts):
                prepare(known, settings[contrast], prepared[contrast])
            if start(measured, known, settings, current):
                for i in range(n_free):
                    low, high = lower[i], upper[i]
                    if i == 0:
                        # the amplitude follows the scale of the signals, which is arbitrary
                        low, high = largest * 1e-6, largest * 1e9
                    current[i] = min(max(current[i], low * 1.01), high * 0.99)
                outcome = refine(signal_and_jacobian, measured, prepared, lower, upper, current, work)
        status[voxel] = outcome
        for i in range(n_free):
            values[i, voxel] = current[i] if outcome == CONVERGED else np.nan
        has_cost = outcome != BAD_SIGNAL
        residual[voxel] = np.sqrt(work[5][0] / n_contrasts) if has_cost else np.nan
