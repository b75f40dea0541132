"""From samples to a checkpoint; Lightning owns the loop."""

import hashlib
import pickle
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
import pandas as pd
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from rmqnet import __version__
from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import InputSet
from rmqnet.domain.provenance import canonical
from rmqnet.networks.backbones import build_network
from rmqnet.networks.checkpoint import Checkpoint
from rmqnet.networks.history import as_beginning
from rmqnet.samples.sample import Sample
from rmqnet.train.check import check_samples, fingerprint
from rmqnet.train.config import TrainConfig
from rmqnet.train.data import SampleModule
from rmqnet.train.module import STATE_KEY, TrainingModule
from rmqnet.train.precision import lightning_precision
from rmqnet.train.progress import Progress, ProgressCallback
from rmqnet.train.quiet import quiet_lightning
from rmqnet.train.start import start_from

RESUME_FILE = "resume.ckpt"
"""Lightning's state after the last finished epoch, in the scratch folder."""


@dataclass(frozen=True, eq=False)
class Trained:
    """Result of a training."""

    checkpoint: Checkpoint
    """Network with the lowest total loss on the validation subjects."""
    curves: pd.DataFrame
    """One row per epoch: epoch, learning_rate, and each loss as train_<loss> and validation_<loss>."""


def train(
    train_samples: Sequence[Sample],
    validation_samples: Sequence[Sample],
    inputs: InputSet,
    quantities: Sequence[str],
    tissues: Sequence[str],
    config: TrainConfig,
    scratch: Path,
    *,
    start: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Trained:
    """The best network on the validation subjects, with the curves of its training.

    The first weights are random, or those of the network `start` (rmqnet.train.start). After each epoch the state goes
    to `scratch`; called again with the same arguments, an interrupted training goes on from there and ends as if it
    had not been interrupted. Raises InputError where samples contradict each other, the scratch folder holds another
    training or the training diverges, KeyboardInterrupt on Ctrl-C.
    """
    check_samples(train_samples, validation_samples, inputs, quantities, tissues)
    mark = fingerprint(train_samples, validation_samples, inputs, quantities, tissues, config)
    if start is not None:
        mark += weights_hash(start)
    resume = _resume_file(scratch, mark)
    data = SampleModule(train_samples, validation_samples, config)
    callbacks = [ProgressCallback(f"training {inputs.name}", progress)] if progress else []
    with torch.random.fork_rng():  # the caller's random numbers go on as if nothing had happened
        torch.manual_seed(config.seed)
        network = build_network(
            config.backbone, len(inputs.acquisitions), quantities, tissues, config.base_width
        )
        acquisitions = train_samples[0].acquisitions
        if start is not None:
            start_from(network, acquisitions, start)
        module = TrainingModule(network, acquisitions, tuple(quantities), config, mark)
        if start is not None and dict(start.scaling) != dict(module.scaling):
            raise InputError(
                "the network to start from gives its maps in other units: train with its --target-scaling"
            )
        _fit(_trainer(config, scratch, callbacks), module, data, resume)
    record = _training_record(module, train_samples, validation_samples)
    if start is not None:
        record["started_from"] = as_beginning(start.training, start.inputs.name, weights_hash(start))
    checkpoint = Checkpoint(
        inputs=inputs,
        acquisitions=acquisitions,
        voxel_size=train_samples[0].voxel_size,
        quantities=tuple(quantities),
        tissues=tuple(tissues),
        scaling=module.scaling,
        backbone=config.backbone,
        base_width=config.base_width,
        weights=module.best_weights,
        training=record,
    )
    return Trained(checkpoint, pd.DataFrame(module.curves))


def _trainer(config: TrainConfig, scratch: Path, callbacks: list[ProgressCallback]) -> pl.Trainer:
    keep_last = ModelCheckpoint(
        dirpath=scratch,
        filename=Path(RESUME_FILE).stem,
        save_top_k=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    with quiet_lightning():
        return pl.Trainer(
            accelerator="cuda" if torch.cuda.is_available() else "cpu",
            devices=config.n_devices or ("auto" if torch.cuda.is_available() else 1),
            accumulate_grad_batches=config.accumulate,
            use_distributed_sampler=False,  # ours knows seed and epoch
            precision=lightning_precision(config.precision),
            max_epochs=config.epochs,
            default_root_dir=scratch,
            callbacks=[keep_last, *callbacks],
            logger=False,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )


def _fit(trainer: pl.Trainer, module: TrainingModule, data: SampleModule, resume: Path | None) -> None:
    """Run Lightning's loop; Ctrl-C stays a KeyboardInterrupt and works again afterwards."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with quiet_lightning():
            trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        # Lightning turns Ctrl-C into an exit and ignores a second one; what it means is for the caller to decide
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error


def _resume_file(scratch: Path, mark: str) -> Path | None:
    """The state to go on from; None where there is none."""
    path = scratch / RESUME_FILE
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, OSError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: is damaged: delete it to train from the start") from error
    if not isinstance(state, dict) or state.get(STATE_KEY, {}).get("fingerprint") != mark:
        raise InputError(
            f"{path}: belongs to a training with other samples or options: choose another folder or delete it"
        )
    return path


def weights_hash(checkpoint: Checkpoint) -> str:
    """SHA-256 of the weights (64 hexadecimal digits)."""
    digest = hashlib.sha256()
    for name, tensor in sorted(checkpoint.weights.items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _training_record(
    module: TrainingModule, train_samples: Sequence[Sample], validation_samples: Sequence[Sample]
) -> dict[str, object]:
    """What the checkpoint says about its training, as plain JSON values."""
    return {
        "version": __version__,
        "config": canonical(module.config),
        "train_subjects": sorted({sample.subject for sample in train_samples}),
        "validation_subjects": sorted({sample.subject for sample in validation_samples}),
        "n_train_slices": len(train_samples),
        "n_validation_slices": len(validation_samples),
        "best_epoch": module.best_epoch,
        "best": module.curves[module.best_epoch],
    }
