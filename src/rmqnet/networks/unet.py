"""Encoder and decoder of a five-level U-Net."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from rmqnet.networks.blocks import DoubleConvolution, UpBlock

LEVEL_FACTORS = (1, 2, 4, 8, 16)
"""Width of each level over the base width; five levels as in the paper, Fig. 1, the factors of the common U-Net."""
STRIDE = 2 ** (len(LEVEL_FACTORS) - 1)
"""Voxels of the slice per feature of the deepest level; sides of the image must be multiples of it."""


def level_widths(base_width: int) -> tuple[int, ...]:
    """Channels of each level, from the slice down."""
    return tuple(base_width * factor for factor in LEVEL_FACTORS)


class Encoder(nn.Module):
    """Down path: one double convolution per level, halved in between by maximum pooling."""

    def __init__(self, n_inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            DoubleConvolution(n_in, n_out) for n_in, n_out in zip((n_inputs, *widths), widths, strict=False)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of every level, the full size first, from the image (batch, n_inputs, y, x)."""
        features: list[Tensor] = []
        for level in self.levels:
            below = nn.functional.max_pool2d(features[-1], 2) if features else image
            features.append(level(below))
        return features


class Decoder(nn.Module):
    """Up path with skip connections, ending in a 1 x 1 convolution without activation.

    `start` is about the mean of the output before any training.
    """

    def __init__(self, widths: Sequence[int], n_outputs: int, *, start: float) -> None:
        super().__init__()
        upward = tuple(reversed(widths))
        self.levels = nn.ModuleList(UpBlock(n_in, n_out) for n_in, n_out in pairwise(upward))
        self.last = nn.Conv2d(widths[0], n_outputs, 1)
        nn.init.constant_(self.last.bias, start)  # pyright: ignore[reportArgumentType]  # has a bias

    def forward(self, features: list[Tensor]) -> Tensor:
        """Image (batch, n_outputs, y, x) from the features of every level."""
        grown = features[-1]
        for level, skip in zip(self.levels, reversed(features[:-1]), strict=True):
            grown = level(grown, skip)
        return self.last(grown)
