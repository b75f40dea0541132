"""The networks to choose from."""

from collections.abc import Callable, Sequence

from torch import nn

from rmqnet.domain.errors import InputError
from rmqnet.networks.rmqnet import RMQNet
from rmqnet.networks.variants import MapsOnly, OneDecoder, Perceptron, SegmentationOnly

Builder = Callable[[int, Sequence[str], Sequence[str], int], nn.Module]
"""From the number of inputs, the quantities, the tissues and the base width to a network with RMQNet's `forward`."""

MAX_BASE_WIDTH = 512
"""Widest network that is believed: a default. A wrong number, given or in a file, is not tried."""
BACKBONES: dict[str, Builder] = {
    "rmqnet": RMQNet,
    "maps_only": MapsOnly,
    "segmentation_only": SegmentationOnly,
    "one_decoder": OneDecoder,
    "perceptron": Perceptron,
}
"""Networks by the name that stands in a checkpoint."""


def check_network(backbone: str, base_width: int) -> None:
    """Raise an InputError where no network has this name, or none is believed to be this wide."""
    if backbone not in BACKBONES:
        raise InputError(f"backbone must be one of {', '.join(BACKBONES)}, got {backbone!r}")
    if not 1 <= base_width <= MAX_BASE_WIDTH:
        raise InputError(f"base_width must be in [1, {MAX_BASE_WIDTH}], got {base_width!r}")


def build_network(
    backbone: str, n_inputs: int, quantities: Sequence[str], tissues: Sequence[str], base_width: int
) -> nn.Module:
    """A network with random weights; InputError where its name or width can't be."""
    check_network(backbone, base_width)
    return BACKBONES[backbone](n_inputs, quantities, tissues, base_width)
