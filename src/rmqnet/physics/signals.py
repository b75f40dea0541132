"""Signals from quantities: each equation as a torch function, and arrays in, arrays out for the simulator."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import sympy
import torch
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.physics.models import SIGNAL_MODELS


def _cos_sqrt(x: torch.Tensor) -> torch.Tensor:
    """cos(sqrt(x)), continued to negative x; each branch sees only numbers that it can differentiate."""
    above, below = torch.where(x > 0, x, 1.0), torch.where(x > 0, 1.0, -x)
    tiny = torch.finfo(x.dtype).tiny
    return torch.where(x > 0, torch.cos(torch.sqrt(above)), torch.cosh(torch.sqrt(below.clamp_min(tiny))))


def _sinc_sqrt(x: torch.Tensor) -> torch.Tensor:
    """sin(sqrt(x)) / sqrt(x), continued to negative x; a series near zero."""
    small = x.abs() < 1e-4
    above, below = torch.where((x > 0) & ~small, x, 1.0), torch.where((x > 0) | small, 1.0, -x)
    root, other = torch.sqrt(above), torch.sqrt(below)
    value = torch.where(x > 0, torch.sin(root) / root, torch.sinh(other) / other)
    return torch.where(small, 1 - x / 6 * (1 - x / 20 * (1 - x / 42)), value)


TORCH_NAMES = {
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "cos_sqrt": _cos_sqrt,
    "sinc_sqrt": _sinc_sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "pi": math.pi,
}
"""What the symbols in a printed equation mean to torch."""


@cache
def torch_signal(name: str) -> Callable[..., torch.Tensor]:
    """The equation of the model of this name as a differentiable function of keyword tensors: quantities, settings."""
    model = SIGNAL_MODELS[name]
    names = (*model.free, *model.given, *model.settings)
    by_name = {str(symbol): symbol for symbol in model.equation.free_symbols}
    function = sympy.lambdify(
        [by_name[name] for name in names], model.equation, modules=[TORCH_NAMES], cse=True
    )

    def signal(**values: torch.Tensor) -> torch.Tensor:
        return function(*(values[name] for name in names))

    return signal


def synthesize(
    acquisitions: Sequence[Acquisition],
    values: Mapping[str, NDArray[np.floating] | float],
    models: Mapping[Method, str] | None = None,
) -> NDArray[np.float32]:
    """Signals (contrast, *voxel) of these acquisitions, in units of M0.

    `values` holds the quantities that the models need, as arrays of one shape or numbers, and may hold a
    setting such as preparation_efficiency that differs from voxel to voxel. A missing quantity is a KeyError.
    `models` names the model of a method where it is not the default one.
    """
    tensors = {name: torch.as_tensor(np.asarray(value, np.float32)) for name, value in values.items()}
    shape = torch.broadcast_shapes(*(tensor.shape for tensor in tensors.values()))
    signals = torch.empty((len(acquisitions), *shape), dtype=torch.float32)
    for index, acquisition in enumerate(acquisitions):
        model = SIGNAL_MODELS[(models or {}).get(acquisition.method, acquisition.method)]
        arguments = {name: tensors[name] for name in (*model.free, *model.given)}
        for name in model.settings:
            arguments[name] = tensors.get(name, torch.tensor(float(getattr(acquisition, name))))
        signals[index] = torch_signal(model.name)(**arguments)
    return signals.numpy()
