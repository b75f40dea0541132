"""Building blocks of U-Net style networks."""

import torch
from torch import Tensor, nn


class DoubleConvolution(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch normalization and ReLU; the size of the image stays."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
        )


class UpBlock(nn.Module):
    """Doubles the size of the image bilinearly and joins it with the features of the encoder at that size.

    The channels are reduced before the image grows, which costs a quarter of reducing them after it.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(n_in, n_out, 1)
        self.join = DoubleConvolution(2 * n_out, n_out)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Features (batch, n_out, 2 y, 2 x) from features (batch, n_in, y, x) and the skip connection."""
        grown = nn.functional.interpolate(
            self.reduce(features), scale_factor=2, mode="bilinear", align_corners=False
        )
        return self.join(torch.cat([skip, grown], dim=1))
