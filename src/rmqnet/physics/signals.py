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

TORCH_NAMES = {
    "exp": torch.exp,
    "expm1": torch.expm1,
    "sin": torch.sin,
    "cos": torch.cos,
    "pi": math.pi,
}
"""What the symbols in a printed equation mean to torch."""


@cache
def torch_signal(method: Method) -> Callable[..., torch.Tensor]:
    """The model's equation as a differentiable function of keyword tensors: quantities and settings."""
    model = SIGNAL_MODELS[method]
    names = (*model.free, *model.given, *model.settings)
    by_name = {str(symbol): symbol for symbol in model.equation.free_symbols}
    function = sympy.lambdify(
        [by_name[name] for name in names], model.equation, modules=[TORCH_NAMES], cse=True
    )

    def signal(**values: torch.Tensor) -> torch.Tensor:
        return function(*(values[name] for name in names))

    return signal


def synthesize(
    acquisitions: Sequence[Acquisition], values: Mapping[str, NDArray[np.floating] | float]
) -> NDArray[np.float32]:
    """Signals (contrast, *voxel) of these acquisitions, in units of M0.

    `values` holds the quantities that the models need, as arrays of one shape or numbers, and may hold a
    setting such as preparation_efficiency that differs from voxel to voxel. A missing quantity is a KeyError.
    """
    tensors = {name: torch.as_tensor(np.asarray(value, np.float32)) for name, value in values.items()}
    shape = torch.broadcast_shapes(*(tensor.shape for tensor in tensors.values()))
    signals = torch.empty((len(acquisitions), *shape), dtype=torch.float32)
    for index, acquisition in enumerate(acquisitions):
        model = SIGNAL_MODELS[acquisition.method]
        arguments = {name: tensors[name] for name in (*model.free, *model.given)}
        for name in model.settings:
            arguments[name] = tensors.get(name, torch.tensor(float(getattr(acquisition, name))))
        signals[index] = torch_signal(acquisition.method)(**arguments)
    return signals.numpy()
