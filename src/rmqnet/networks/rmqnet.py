"""RMQ-Net: one encoder, a regression branch for each map, one segmentation branch (paper, Network Design, Fig. 1)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rmqnet.networks.unet import STRIDE, Decoder, Encoder, level_widths

MAP_START = 1.0
"""First output of the regression branches: the scaling brings the maps near 1 (default)."""
LOGIT_START = -2.0
"""First output of the segmentation branch: a probability of 12 %, as tissues of interest are small (default)."""


class RMQNet(nn.Module):
    """The network of the paper for any number of input images, quantities and tissues.

    The paper gives neither widths nor normalization nor the kind of up-sampling: those are defaults.
    """

    def __init__(
        self, n_inputs: int, quantities: Sequence[str], tissues: Sequence[str], base_width: int
    ) -> None:
        super().__init__()
        widths = level_widths(base_width)
        self.encoder = Encoder(n_inputs, widths)
        self.regression = self._regression(widths, quantities)
        self.segmentation = self._segmentation(widths, len(tissues))

    def _regression(self, widths: Sequence[int], quantities: Sequence[str]) -> nn.ModuleDict:
        return nn.ModuleDict({quantity: Decoder(widths, 1, start=MAP_START) for quantity in quantities})

    def _segmentation(self, widths: Sequence[int], n_tissues: int) -> nn.Module:
        return Decoder(widths, n_tissues, start=LOGIT_START)

    def forward(self, signals: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (batch, quantity, y, x) in units of the network and logits (batch, tissue, y, x).

        `signals` is (batch, input, y, x) of any size: it is padded with 0 for the network and cut back.
        """
        height, width = signals.shape[-2:]
        padded = nn.functional.pad(signals, (0, _missing(width), 0, _missing(height)))
        features = self.encoder(padded)
        maps = torch.cat([branch(features) for branch in self.regression.values()], dim=1)
        logits = self.segmentation(features)
        return maps[..., :height, :width], logits[..., :height, :width]


def _missing(length: int) -> int:
    # at least two features at the deepest level: batch normalization can't train on one
    return max(-length % STRIDE, 2 * STRIDE - length)
