"""Networks that RMQ-Net is compared with: each leaves out one of its ideas."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rmqnet.networks.rmqnet import LOGIT_START, MAP_START, RMQNet
from rmqnet.networks.unet import Decoder

ABSENT_LOGIT = -20.0
"""Logit of a tissue that a network does not look for: a probability of 0 in float32."""


class Constant(nn.Module):
    """A branch that has nothing to learn: the same number in every voxel."""

    def __init__(self, n_outputs: int, value: float) -> None:
        super().__init__()
        self.n_outputs, self.value = n_outputs, value

    def forward(self, features: list[Tensor]) -> Tensor:
        """Image (batch, n_outputs, y, x) of the size of the first features."""
        batch, _, height, width = features[0].shape
        return features[0].new_full((batch, self.n_outputs, height, width), self.value)


class MapsOnly(RMQNet):
    """RMQ-Net without its segmentation branch: finds no tissue anywhere."""

    def _segmentation(self, widths: Sequence[int], n_tissues: int) -> nn.Module:  # noqa: ARG002
        return Constant(n_tissues, ABSENT_LOGIT)


class SegmentationOnly(RMQNet):
    """RMQ-Net without its regression branches: every map is 1 in units of the network."""

    def _regression(self, widths: Sequence[int], quantities: Sequence[str]) -> nn.ModuleDict:  # noqa: ARG002
        return nn.ModuleDict({"all": Constant(len(quantities), MAP_START)})


class OneDecoder(RMQNet):
    """RMQ-Net with one regression branch for all maps."""

    def _regression(self, widths: Sequence[int], quantities: Sequence[str]) -> nn.ModuleDict:
        return nn.ModuleDict({"all": Decoder(widths, len(quantities), start=MAP_START)})


class Perceptron(nn.Module):
    """Every voxel for itself: three hidden layers, eight times the base width each; it sees no neighbor."""

    def __init__(
        self, n_inputs: int, quantities: Sequence[str], tissues: Sequence[str], base_width: int
    ) -> None:
        super().__init__()
        width = 8 * base_width
        layers: list[nn.Module] = []
        for n_in in (n_inputs, width, width):
            layers += [nn.Conv2d(n_in, width, 1), nn.ReLU(inplace=True)]
        self.hidden = nn.Sequential(*layers)
        self.last = nn.Conv2d(width, len(quantities) + len(tissues), 1)
        starts = torch.tensor([MAP_START] * len(quantities) + [LOGIT_START] * len(tissues))
        self.last.bias = nn.Parameter(starts)
        self.n_quantities = len(quantities)

    def forward(self, signals: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (batch, quantity, y, x) in units of the network and logits (batch, tissue, y, x)."""
        outputs = self.last(self.hidden(signals))
        return outputs[:, : self.n_quantities], outputs[:, self.n_quantities :]
