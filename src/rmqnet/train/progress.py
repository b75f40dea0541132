"""Progress bar of the training."""
# ruff: noqa: ARG002  # the signatures are Lightning's

from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rmqnet.train.module import TrainingModule


class ProgressBar(pl.Callback):
    """One line on standard error: epoch, validation loss and its lowest so far, time left."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._task = TaskID(0)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar, at the epoch where the training goes on."""
        n_batches = int(trainer.num_training_batches)
        total = n_batches * (trainer.max_epochs or 0)
        self._task = self._bar.add_task(self._title, total=total, completed=n_batches * trainer.current_epoch)
        self._bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move on by one batch."""
        self._bar.advance(self._task)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the epoch and what the last ones reached."""
        text = f"{self._title}: epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"
        if isinstance(pl_module, TrainingModule) and pl_module.curves:
            losses = [row["validation_total"] for row in pl_module.curves]
            text += f", validation loss {losses[-1]:.4f} (best {min(losses):.4f})"
        self._bar.update(self._task, description=text)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the finished bar on the screen."""
        self._bar.stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the bar where it was."""
        self._bar.stop()
