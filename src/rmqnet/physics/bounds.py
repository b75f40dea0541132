"""Cramer-Rao bounds: the smallest standard deviation that any unbiased fit of these images can reach.

Gaussian noise of one standard deviation in every image is assumed; for magnitude images that holds where the signal
is at least three times the noise. Method: F = J^T J / sigma^2, the bound is the diagonal of its inverse.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.physics.models import SIGNAL_MODELS

SMALLEST_SINGULAR_VALUE = 1e-6
"""Singular value of the scaled Jacobian, relative to the largest, below which a direction counts as not measured:
a default. Its square is the inverse condition of the Fisher matrix; rounding errors leave about 1e-15."""

PULSE_EFFICIENCY = "pulse_efficiency"
"""Name of the preparation efficiency of the images whose spin-lock time is above 0, as an unknown of its own: at a
spin-lock time of 0 there are no pulses that could lose magnetization. (`preparation_efficiency` is that of all.)"""

Parts = Mapping[str, Sequence[Acquisition]]
"""Images by the name of the model (key of SIGNAL_MODELS) that describes them."""


@dataclass(frozen=True)
class Step:
    """One fit of a chain of fits, in which what was fitted before is taken for true."""

    parts: Parts
    """Images that this step fits."""
    free: tuple[str, ...]
    """Quantities that it finds; also the amplitude M0, which each step has for itself."""


def by_method(acquisitions: Sequence[Acquisition]) -> dict[str, list[Acquisition]]:
    """The images by method, each described by the default model of its method."""
    parts: dict[str, list[Acquisition]] = {}
    for acquisition in acquisitions:
        parts.setdefault(acquisition.method, []).append(acquisition)
    return parts


def standard_deviations(
    parts: Parts,
    tissue: Mapping[str, float],
    noise: float,
    *,
    free: Sequence[str],
    nuisance: Sequence[str] = (),
    known: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Smallest SD of each free quantity in one fit of all images, in its unit; infinite where it is not identifiable.

    Args:
        parts: images by model; models that hold the same quantity share it (one M0, T1, B1, T1rho).
        tissue: true value of every quantity that the models hold; also of settings that differ from the images'.
        noise: standard deviation of the noise of each image, in units of the signal.
        free: quantities or settings (such as PULSE_EFFICIENCY) whose SD is asked for.
        nuisance: further quantities or settings that are unknown as well.
        known: SD, above 0, of free or nuisance quantities as another measurement knows them (B1 from AFI).
    """
    unknown = tuple(dict.fromkeys((*free, *nuisance)))
    rows = jacobian(parts, tissue, unknown) / noise
    for name, sd in (known or {}).items():
        rows = np.vstack([rows, (np.array(unknown) == name) / sd])
    spread, identifiable = _pseudo_inverse(rows, _sizes(unknown, tissue))
    sds = np.where(identifiable, np.linalg.norm(spread, axis=1), np.inf)
    return {name: float(sds[unknown.index(name)]) for name in free}


def sequential_standard_deviations(
    steps: Sequence[Step],
    tissue: Mapping[str, float],
    noise: float,
    *,
    known: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """SD of what each step finds, in its unit, with the errors of earlier steps carried on; infinite as above.

    The usual way: T1 from VFA, then T1rho with that T1. A quantity that no step finds and that `known` does not name
    is true. `known` holds the SD of quantities measured elsewhere before (B1 from AFI). Least squares is assumed in
    each step, so that the result is no bound but the SD of that chain of fits.
    """
    known = known or {}
    # each error is a sum of independent unit errors: first those of `known`, then the noise of the images
    errors = {name: sd * unit for (name, sd), unit in zip(known.items(), np.eye(len(known)), strict=True)}
    for step in steps:
        given = tuple(name for name in errors if name not in step.free and _holds(step.parts, name))
        rows = jacobian(step.parts, tissue, (*step.free, *given))
        wanted, rest = np.split(rows, [len(step.free)], axis=1)
        inverse, identifiable = _pseudo_inverse(wanted, _sizes(step.free, tissue))
        if any(np.isinf(errors[name]).any() for name in given):
            identifiable[:] = False
        n_before = max((row.size for row in errors.values()), default=0)
        brought = np.array([errors[name] for name in given]).reshape(len(given), n_before)
        finite = np.where(np.isfinite(brought), brought, 0.0)
        found = np.hstack([-inverse @ rest @ finite, inverse * noise])
        found[~identifiable] = np.inf
        errors = {name: np.pad(row, (0, len(rows))) for name, row in errors.items()}
        errors |= dict(zip(step.free, found, strict=True))
    return {name: float(np.linalg.norm(row)) for name, row in errors.items() if name not in known}


def jacobian(parts: Parts, tissue: Mapping[str, float], names: Sequence[str]) -> NDArray[np.float64]:
    """Derivative of every signal (contrast, name) after these quantities or settings, parts in their order."""
    blocks = [
        _evaluate(model, acquisitions, tissue, tuple(names))[:, 1:] for model, acquisitions in parts.items()
    ]
    return np.vstack([np.empty((0, len(names))), *blocks])


def noise_free_signals(parts: Parts, tissue: Mapping[str, float]) -> NDArray[np.float64]:
    """Signals (contrast,) without noise in double precision, in units of M0, parts in their order."""
    return np.concatenate([_evaluate(model, own, tissue, ())[:, 0] for model, own in parts.items()])


def _evaluate(
    model: str, acquisitions: Sequence[Acquisition], tissue: Mapping[str, float], names: tuple[str, ...]
) -> NDArray[np.float64]:
    """Signal and derivatives (contrast, 1 + name)."""
    settings = dict(
        zip(SIGNAL_MODELS[model].settings, SIGNAL_MODELS[model].settings_table(acquisitions).T, strict=True)
    )
    values = {**settings, **tissue}
    meant = tuple("preparation_efficiency" if name == PULSE_EFFICIENCY else name for name in names)
    result = np.zeros((len(acquisitions), 1 + len(names)))
    for column, value in enumerate(_derivatives(model, meant)(*(values[name] for name in _symbols(model)))):
        result[:, column] = value
    for column, name in enumerate(names, 1):
        if name == PULSE_EFFICIENCY and "spin_lock_time" in settings:
            result[settings["spin_lock_time"] == 0, column] = 0.0
    return result


@cache
def _derivatives(model: str, names: tuple[str, ...]) -> Callable[..., list[NDArray[np.float64]]]:
    """Function of the values of `_symbols(model)` that returns the signal and its exact derivatives."""
    equation, symbols = SIGNAL_MODELS[model].equation, _symbols(model)
    wanted = [
        equation,
        *(equation.diff(symbols[name]) if name in symbols else sympy.Integer(0) for name in names),
    ]
    return sympy.lambdify(list(symbols.values()), wanted, modules=[_FUNCTIONS, "numpy"], cse=True)


@cache
def _symbols(model: str) -> dict[str, sympy.Symbol]:
    """Symbols of the equation by name, in alphabetical order."""
    return {str(s): s for s in sorted(SIGNAL_MODELS[model].equation.free_symbols, key=str)}  # pyright: ignore


def _holds(parts: Parts, name: str) -> bool:
    return any(name in _symbols(model) for model in parts)


def _sizes(names: Sequence[str], tissue: Mapping[str, float]) -> NDArray[np.float64]:
    """Size of each unknown, so that the condition does not hang on units; 1 where the true value is 0 or a setting."""
    return np.array([abs(tissue.get(name, 1.0)) or 1.0 for name in names])


def _pseudo_inverse(
    rows: NDArray[np.float64], sizes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Least-squares solution operator (unknown, contrast) of a Jacobian, and which unknowns are identifiable.

    An unknown is identifiable where no direction that the images leave unmeasured has a part of it.
    """
    scaled = rows * sizes
    n_rows, n_unknown = scaled.shape
    left, values, right = np.linalg.svd(
        np.vstack([scaled, np.zeros((max(n_unknown - n_rows, 0), n_unknown))])
    )
    measured = values > SMALLEST_SINGULAR_VALUE * max(values.max(initial=0.0), np.finfo(float).tiny)
    unmeasured = np.linalg.norm(right[~measured], axis=0)
    inverse = (right[measured].T / values[measured]) @ left[:n_rows, : values.size][:, measured].T
    return sizes[:, None] * inverse, unmeasured < SMALLEST_SINGULAR_VALUE


def _cos_sqrt(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.real(np.cos(np.emath.sqrt(x)))


def _sinc_sqrt(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.real(np.sinc(np.emath.sqrt(x) / np.pi))


def _slope_sinc_sqrt(x: NDArray[np.float64]) -> NDArray[np.float64]:
    near = np.abs(x) < 1e-4  # the series: the plain formula loses digits there
    away = np.where(near, 1.0, x)
    return np.where(near, -1 / 6 + x / 60, (_cos_sqrt(away) - _sinc_sqrt(away)) / (2 * away))


_FUNCTIONS = {"cos_sqrt": _cos_sqrt, "sinc_sqrt": _sinc_sqrt, "slope_sinc_sqrt": _slope_sinc_sqrt}
"""What the functions of rmqnet.physics.equations.entire mean to numpy."""
