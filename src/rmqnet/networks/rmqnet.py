"""RMQ-Net: one encoder, a regression branch for each map, one segmentation branch (paper, Network Design, Fig. 1)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rmqnet.networks.unet import STRIDE, Decoder, Encoder, level_widths


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
        self.regression = nn.ModuleDict({quantity: Decoder(widths, 1) for quantity in quantities})
        self.segmentation = Decoder(widths, len(tissues))

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
