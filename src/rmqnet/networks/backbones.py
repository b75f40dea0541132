"""The networks to choose from."""

from collections.abc import Callable, Sequence

from torch import nn

from rmqnet.domain.errors import InputError
from rmqnet.networks.rmqnet import RMQNet

Builder = Callable[[int, Sequence[str], Sequence[str], int], nn.Module]
"""From the number of inputs, the quantities, the tissues and the base width to a network with RMQNet's `forward`."""

BACKBONES: dict[str, Builder] = {"rmqnet": RMQNet}
"""Networks by the name that stands in a checkpoint."""


def build_network(
    backbone: str, n_inputs: int, quantities: Sequence[str], tissues: Sequence[str], base_width: int
) -> nn.Module:
    """A network with random weights."""
    if backbone not in BACKBONES:
        raise InputError(f"backbone must be one of {', '.join(BACKBONES)}, got {backbone!r}")
    return BACKBONES[backbone](n_inputs, quantities, tissues, base_width)
