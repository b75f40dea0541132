"""Samples on disk: prepared once, read slice by slice, so that memory does not grow with the study."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from rmqnet.samples.sample import Sample

ARRAYS = ("signals", "maps", "valid", "mask")
"""The arrays of a sample; the slices of one subject stand in one memory-mapped file each."""


class StoredSamples(Sequence[Sample]):
    """Samples whose arrays lie in a folder and are mapped into memory; as a sequence, all that were added."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._samples: list[Sample] = []
        self._n_added = 0

    def add(self, samples: Sequence[Sample]) -> None:
        """Move the slices of one subject to the folder; what is there of an earlier run is written again."""
        if not samples:
            return
        mapped = {}
        for name in ARRAYS:
            path = self.folder / f"{self._n_added:04d}-{name}.npy"
            np.save(path, np.stack([getattr(sample, name) for sample in samples]))
            mapped[name] = np.load(path, mmap_mode="r")
        for index, sample in enumerate(samples):
            own = {name: array[index] for name, array in mapped.items()}
            self._samples.append(dataclasses.replace(sample, **own))
        self._n_added += 1

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        return self._samples[index]
