"""Loss of RMQ-Net, equations 1 to 3 of the paper."""

from collections.abc import Sequence

import torch
from monai.losses.dice import DiceLoss
from torch import Tensor, nn


class RMQNetLoss(nn.Module):
    r"""Losses of a batch by name; "total" is the one that is minimized.

    $$loss_{total} = \gamma_1 \sum_q \mathrm{L1}(q) + \gamma_2 (\lambda\,loss_{bce} + (1-\lambda)\,loss_{dice})$$

    L1 of a quantity is the mean over the voxels where its reference is valid (default: the paper does not say how
    voxels without a fit count); a voxel inside a segmented tissue counts `region_weight` times. Dice is soft, over
    batch and slice for each tissue, with 1 added above and below.
    """

    def __init__(
        self,
        quantities: Sequence[str],
        *,
        bce_weight: float,
        map_weight: float,
        segmentation_weight: float,
        region_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.quantities, self.region_weight = tuple(quantities), region_weight
        self.bce_weight, self.map_weight, self.segmentation_weight = (
            bce_weight,
            map_weight,
            segmentation_weight,
        )
        self.bce = nn.BCEWithLogitsLoss()
        self.dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)

    def forward(
        self, predicted: tuple[Tensor, Tensor], maps: Tensor, valid: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        """Losses from predicted (maps, logits), reference maps, their validity and masks (batch, channel, y, x)."""
        # the losses sum over many voxels: too much for bfloat16
        predicted_maps, logits, wanted = predicted[0].float(), predicted[1].float(), mask.float()
        inside = mask.any(dim=1, keepdim=True)
        by_quantity = weighted_l1(predicted_maps, maps, valid * torch.where(inside, self.region_weight, 1.0))
        bce, dice = self.bce(logits, wanted), self.dice(logits, wanted)
        losses = {name: by_quantity[index] for index, name in enumerate(self.quantities)}
        losses["map"] = by_quantity.sum()
        losses["bce"], losses["dice"] = bce, dice
        losses["segmentation"] = self.bce_weight * bce + (1 - self.bce_weight) * dice
        losses["total"] = self.map_weight * losses["map"] + self.segmentation_weight * losses["segmentation"]
        return losses


def weighted_l1(predicted: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference (channel,) over (batch, channel, y, x); 0 where all weights are 0."""
    difference = torch.where(weight > 0, (predicted - wanted).abs(), 0.0) * weight
    axes = (0, 2, 3)
    total = weight.sum(axes)
    return difference.sum(axes) / torch.where(total > 0, total, 1.0)
