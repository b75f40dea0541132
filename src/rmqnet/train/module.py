"""What Lightning trains: network, loss, optimizer, and the best weights so far."""

import math
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.samples.scaling import network_scales
from rmqnet.train.config import TrainConfig
from rmqnet.train.data import Batch
from rmqnet.train.losses import RMQNetLoss
from rmqnet.train.physics_loss import PhysicsLoss
from rmqnet.train.schedule import cosine_cycles

STATE_KEY = "rmqnet"
"""Where our part of Lightning's resume file stands."""


class TrainingModule(pl.LightningModule):
    """Training of one network; after it, `best_weights` are those of the lowest total validation loss."""

    def __init__(
        self,
        network: nn.Module,
        acquisitions: Sequence[Acquisition],
        quantities: tuple[str, ...],
        config: TrainConfig,
        fingerprint: str,
    ) -> None:
        super().__init__()
        # channels last: a fifth faster on processors with bfloat16, no slower elsewhere (benchmark train_rate)
        self.network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.config, self.fingerprint = config, fingerprint
        self.scaling = target_scaling(quantities, config)
        table = network_scales(quantities)
        rescale = torch.tensor([table[name] / self.scaling[name] for name in quantities]).view(-1, 1, 1)
        self.rescale: Tensor
        self.register_buffer("rescale", rescale, persistent=False)
        self.physics = PhysicsLoss(acquisitions, quantities, self.scaling) if config.physics_weight else None
        self.loss = RMQNetLoss(
            quantities,
            bce_weight=config.bce_weight,
            map_weight=config.map_weight,
            segmentation_weight=config.segmentation_weight,
            region_weight=config.region_weight,
        )
        self.curves: list[dict[str, float]] = []
        """One row per finished epoch: epoch, learning_rate, and each loss as train_<loss>, validation_<loss>."""
        self.best_weights: dict[str, Tensor] = {}
        self.best_epoch = -1

    def configure_optimizers(self) -> Any:  # Lightning has no name for it
        """Adam with cosine cycles of the learning rate, stepped once per epoch."""
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)
        epochs, n_cycles = self.config.epochs, self.config.n_cycles
        schedule = LambdaLR(optimizer, lambda epoch: cosine_cycles(epoch, epochs=epochs, n_cycles=n_cycles))
        return [optimizer], [schedule]

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:  # noqa: ARG002
        """Total loss of one batch."""
        return self._losses(batch, "train")["total"]

    def validation_step(self, batch: Batch, batch_index: int) -> None:  # noqa: ARG002
        """Keep the losses of one batch for the curves."""
        self._losses(batch, "validation")

    def _losses(self, batch: Batch, part: str) -> dict[str, Tensor]:
        predicted = self.network(batch.signals.contiguous(memory_format=torch.channels_last))
        losses = self.loss(predicted, batch.maps * self.rescale, batch.valid, batch.mask)
        if self.physics is not None:
            losses["physics"] = self.physics(predicted[0].float(), batch.signals, batch.valid)
            losses["total"] = losses["total"] + self.config.physics_weight * losses["physics"]
        self.log_dict(
            {f"{part}_{name}": value.detach() for name, value in losses.items()},
            on_step=False,
            on_epoch=True,
            batch_size=len(batch.signals),
            sync_dist=self.trainer.world_size > 1,
        )
        return losses

    def on_train_epoch_start(self) -> None:
        """Note the learning rate of this epoch."""
        self._learning_rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_epoch_end(self) -> None:
        """Add a row to the curves, and keep the weights where they are the best so far.

        Raises InputError where a total loss is not finite: later epochs can't repair weights that are NaN.
        """
        losses = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        if not math.isfinite(losses["train_total"] + losses["validation_total"]):
            raise InputError(
                f"the training diverged in epoch {self.current_epoch + 1} of {self.config.epochs}: "
                f"lower learning_rate ({self.config.learning_rate:g})"
            )
        best = min((row["validation_total"] for row in self.curves), default=math.inf)
        self.curves.append({"epoch": self.current_epoch, "learning_rate": self._learning_rate, **losses})
        if losses["validation_total"] < best:
            self.best_epoch = self.current_epoch
            self.best_weights = {
                name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()
            }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put curves and best weights beside Lightning's own state: plain values and tensors only."""
        checkpoint[STATE_KEY] = {
            "fingerprint": self.fingerprint,
            "curves": self.curves,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take curves and best weights back."""
        own = checkpoint[STATE_KEY]
        self.curves, self.best_epoch = list(own["curves"]), own["best_epoch"]
        self.best_weights = dict(own["best_weights"])


def target_scaling(quantities: Sequence[str], config: TrainConfig) -> dict[str, float]:
    """House units per unit of the network by quantity; for M0 times the subject's intensity scale."""
    return network_scales(quantities) if config.target_scaling == "table" else dict.fromkeys(quantities, 1.0)
