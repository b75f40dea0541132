"""Samples as batches: order and augmentation are functions of seed and epoch."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from rmqnet.samples.augment import augment, window
from rmqnet.samples.sample import Sample
from rmqnet.train.config import TrainConfig


class Batch(NamedTuple):
    """Samples side by side."""

    signals: Tensor
    """Images (batch, input, y, x)."""
    maps: Tensor
    """Reference maps (batch, quantity, y, x)."""
    valid: Tensor
    """True (batch, quantity, y, x) where the reference has a value."""
    mask: Tensor
    """True (batch, tissue, y, x) inside each tissue."""


class EpochSampler(Sampler[tuple[int, int]]):
    """Gives (epoch, index) in an order that depends on seed and epoch; Lightning calls `set_epoch`.

    Of several processes each gets every n-th sample of that order, all the same number of them.
    """

    def __init__(self, n_samples: int, seed: int, *, process: int = 0, n_processes: int = 1) -> None:
        self.n_samples, self.seed, self.epoch = n_samples, seed, 0
        self.process, self.n_processes = process, n_processes

    def set_epoch(self, epoch: int) -> None:
        """Take the order of this epoch from now on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.n_samples / self.n_processes)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.n_samples)
        own = np.resize(order, len(self) * self.n_processes)[self.process :: self.n_processes]
        return iter([(self.epoch, int(index)) for index in own])


class TrainingSlices(Dataset[Batch]):
    """Augmented samples, looked up by (epoch, index)."""

    def __init__(self, samples: Sequence[Sample], config: TrainConfig) -> None:
        self.samples, self.config, self.shape = samples, config, common_shape(samples)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        epoch, index = key
        sample = window(self.samples[index], (0, 0), self.shape)
        config = self.config
        return _tensors(augment(sample, crop=config.crop, seed=config.seed, epoch=epoch, index=index))


class ValidationSlices(Dataset[Batch]):
    """Whole samples as they are, filled with 0 to a common size."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples, self.shape = samples, common_shape(samples)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Batch:
        return _tensors(window(self.samples[index], (0, 0), self.shape))


class SampleModule(pl.LightningDataModule):
    """Training and validation batches for Lightning."""

    def __init__(
        self, train_samples: Sequence[Sample], validation_samples: Sequence[Sample], config: TrainConfig
    ) -> None:
        super().__init__()
        self.train_samples, self.validation_samples, self.config = train_samples, validation_samples, config

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches in the order of the current epoch; with several processes, the part of this one."""
        process, n_processes = (
            (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
        )
        return DataLoader(
            TrainingSlices(self.train_samples, self.config),
            batch_size=self.config.batch_size,
            sampler=EpochSampler(
                len(self.train_samples), self.config.seed, process=process, n_processes=n_processes
            ),
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches in a fixed order: all of them in every process, so that all agree on the best weights."""
        return DataLoader(ValidationSlices(self.validation_samples), batch_size=self.config.batch_size)


def common_shape(samples: Sequence[Sample]) -> tuple[int, int]:
    """Size (y, x) that holds every sample."""
    heights, widths = zip(*(sample.signals.shape[-2:] for sample in samples), strict=True)
    return max(heights), max(widths)


def _tensors(sample: Sample) -> Batch:
    # copies: a slice of a mirrored volume has strides that torch can't take
    arrays = (sample.signals, sample.maps, sample.valid, sample.mask)
    return Batch(*(torch.from_numpy(np.array(array)) for array in arrays))
