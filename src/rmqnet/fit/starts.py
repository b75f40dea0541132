"""Linear start values of each signal model, compiled by numba.

Each function takes measured (contrast,), given (quantity,), settings (contrast, setting) in the order of the model
table, writes the free quantities in their order and returns False where the signals allow no start.
"""

import numpy as np
from numba import njit


@njit(nogil=True, error_model="numpy", inline="always")
def start_vfa(measured, given, settings, values):
    """M0 and T1 from the line S / sin = E * S / tan + M0 * (1 - E) (DESPOT1) through the effective flip angles."""
    n = measured.shape[0]
    sx = sy = sxx = sxy = 0.0
    for contrast in range(n):
        angle = given[0] * settings[contrast, 0] * (np.pi / 180.0)
        y = measured[contrast] / np.sin(angle)
        x = y * np.cos(angle)
        sx += x
        sy += y
        sxx += x * x
        sxy += x * y
    slope = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    repetition_time = settings[0, 1]
    # a noisy slope outside (0, 1) has no T1: begin from 1 s and the matching intercept
    if not (0.2 < slope < 0.9999):
        slope = np.exp(-repetition_time)
    values[1] = -repetition_time / np.log(slope)
    values[0] = max((sy - slope * sx) / n / (1.0 - slope), 1e-3 * sy / n)
    return given[0] > 0.0


@njit(nogil=True, error_model="numpy", inline="always")
def log_linear(measured, times):
    """Amplitude and time constant of a decay, by a line through the logarithms weighted by the squared signal."""
    sw = sx = sy = sxx = sxy = 0.0
    for contrast in range(measured.shape[0]):
        signal = measured[contrast]
        if signal <= 0.0:
            continue
        weight = signal * signal
        y = np.log(signal)
        x = times[contrast]
        sw += weight
        sx += weight * x
        sy += weight * y
        sxx += weight * x * x
        sxy += weight * x * y
    rate = -(sw * sxy - sx * sy) / (sw * sxx - sx * sx)
    rate = rate if 3.0 < rate < 1000.0 else 25.0
    return np.exp((sy + rate * sx) / sw), 1.0 / rate


@njit(nogil=True, error_model="numpy", inline="always")
def start_spin_lock(measured, given, settings, values):  # noqa: ARG001  # one signature for all starts
    """M0 and T1rho of a mono-exponential decay."""
    values[0], values[1] = log_linear(measured, settings[:, 0])
    return True


@njit(nogil=True, error_model="numpy", inline="always")
def start_adiabatic_t1rho(measured, given, settings, values):
    """M0 and T1rho: T1rho of the decay above its floor, M0 from the first read-out of a fully recovered train."""
    amplitude, values[1] = log_linear(measured, settings[:, 0])
    angle = given[1] * settings[0, 1] * (np.pi / 180.0)
    values[0] = amplitude / np.sin(angle) * 2.0
    return given[0] > 0.0 and given[1] > 0.0


@njit(nogil=True, error_model="numpy", inline="always")
def start_afi(measured, given, settings, values):  # noqa: ARG001  # one signature for all starts
    """M0 and B1 from the closed form of Yarnykh 2007: cos = (n r - 1) / (n - r) with r = S2 / S1, n = TR2 / TR1."""
    first = 0 if settings[0, 1] < settings[1, 1] else 1
    n = settings[1 - first, 1] / settings[first, 1]
    ratio = measured[1 - first] / measured[first]
    cosine = (ratio * n - 1.0) / (n - ratio)
    if not (-1.0 < cosine < 1.0):
        return False
    angle = np.arccos(cosine)
    values[1] = angle / (settings[0, 0] * (np.pi / 180.0))
    values[0] = 2.0 * measured[first] / np.sin(angle)
    return True
