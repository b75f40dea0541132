"""Progress of the training, handed to whoever shows it."""
# ruff: noqa: ARG002  # the signatures are Lightning's

from typing import Any, Protocol

import lightning.pytorch as pl

from rmqnet.train.module import TrainingModule


class Progress(Protocol):
    """Where the progress goes."""

    def __call__(self, what: str, done: float, total: float, remark: str = "") -> None:
        """So many of all steps are done; the remark says how well."""
        ...


class ProgressCallback(pl.Callback):
    """Reports every step."""

    def __init__(self, what: str, progress: Progress) -> None:
        self._what = what
        self._progress = progress

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report one step more; a training that goes on counts the steps of its first part."""
        if trainer.is_global_zero:
            total = trainer.estimated_stepping_batches
            self._progress(self._what, trainer.global_step, total, self._remark(pl_module))

    def _remark(self, module: pl.LightningModule) -> str:
        if not isinstance(module, TrainingModule) or not module.curves:
            return ""
        losses = [row["validation_total"] for row in module.curves]
        return f"validation loss {losses[-1]:.4f}, best {min(losses):.4f}"
