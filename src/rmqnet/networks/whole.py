"""A network with what stands around it, in torch: from raw images to maps in house units, for use outside Python."""

import torch
from torch import Tensor, nn

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.networks.checkpoint import Checkpoint


class WholeNetwork(nn.Module):
    """Scales the images of one knee, runs the network on its slices and gives its maps their units.

    `bright_fraction` and `percentile` are those of the training (rmqnet.samples.scaling).
    """

    scales: Tensor
    """House units per unit of the network (1, quantity, 1, 1)."""
    is_intensity: Tensor
    """True (1, quantity, 1, 1) for maps that carry the intensity scale."""

    def __init__(self, checkpoint: Checkpoint, *, bright_fraction: float, percentile: float) -> None:
        super().__init__()
        self.network = checkpoint.network()
        self.bright_fraction = bright_fraction
        self.share = percentile / 100
        scales = [checkpoint.scaling[name] for name in checkpoint.quantities]
        intensity = [QUANTITIES[name].intensity for name in checkpoint.quantities]
        self.register_buffer("scales", torch.tensor(scales).reshape(1, -1, 1, 1))
        self.register_buffer("is_intensity", torch.tensor(intensity).reshape(1, -1, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps (slice, quantity, y, x) [house unit], probabilities (slice, tissue, y, x), tissue (slice, y, x) or not.

        `images` (slice, input, y, x) are all slices of one right knee, as magnitudes in any unit.
        """
        finite = torch.isfinite(images)
        signals = torch.where(finite, images, torch.zeros_like(images))
        mean = signals.mean(dim=1)
        everywhere = torch.ones_like(mean, dtype=torch.bool)
        bright = _percentile(mean.reshape(-1), everywhere.reshape(-1), self.share)
        tissue = mean > self.bright_fraction * bright
        counted = (finite & tissue.unsqueeze(1)).reshape(-1)
        intensity = _percentile(signals.reshape(-1), counted, self.share)
        maps, logits = self.network(signals / intensity)
        divisor = torch.where(self.is_intensity, self.scales * intensity, self.scales)
        return maps * divisor, logits.sigmoid(), tissue


def _percentile(values: Tensor, counted: Tensor, share: float) -> Tensor:
    """This share of the sorted values that count, linearly interpolated, as numpy does it."""
    ordered = torch.sort(torch.where(counted, values, torch.full_like(values, torch.inf))).values
    position = share * (counted.sum() - 1).to(torch.float64)
    low = position.floor()
    part = (position - low).to(values.dtype)
    first = ordered[low.to(torch.int64)]
    second = ordered[position.ceil().to(torch.int64)]
    return first + part * (second - first)
