"""Files of several volumes (4D NIfTI) whose sidecar lists the setting of each: taken as one image per volume."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.io.nifti import count_volumes, read_volume
from rmqnet.io.sidecar import KEYS, Sidecar

_LISTED = (*KEYS.values(), "RepetitionTime")
"""Keys that may list one value per volume."""


@dataclass(frozen=True)
class StoredImage:
    """Where one image is stored, and what its sidecar says about it alone."""

    path: Path
    sidecar: Sidecar
    volume: int | None = None
    """Index of its volume in a file of several; None where the file is one image."""

    @property
    def name(self) -> str:
        """Name of the file, and of the volume in it (from 1)."""
        return self.path.name if self.volume is None else f"{self.path.name}, volume {self.volume + 1}"

    def read(self) -> tuple[NDArray[np.float32], Grid]:
        """The image (z, y, x) in house order, and its grid."""
        return read_volume(self.path, volume=self.volume)


def stored_images(path: Path, sidecar: Sidecar) -> Sequence[StoredImage]:
    """The images in a file: one, or one for each value of the lists in its sidecar."""
    # a list of one value is no list of volumes: it is refused as any value that is no number
    found = {key: sidecar.values.get(key) for key in _LISTED}
    lists = {key: value for key, value in found.items() if isinstance(value, list) and len(value) != 1}
    lengths = {len(values) for values in lists.values()}
    if not lists:
        return [StoredImage(path, sidecar)]
    if len(lengths) > 1 or 0 in lengths:
        told = ", ".join(f"{key} {len(values)}" for key, values in lists.items())
        raise InputError(
            f"{sidecar.path}: lists different numbers of values ({told}): give one per volume, or one for all"
        )
    (n_volumes,) = lengths
    if n_volumes != (held := count_volumes(path)):
        raise InputError(
            f"{sidecar.path}: {' and '.join(lists)} lists {n_volumes} values, but {path.name} has "
            f"{held} volume{'s' if held > 1 else ''}: give one value per volume, in their order"
        )
    return [
        StoredImage(
            path,
            replace(sidecar, values={**sidecar.values, **{key: values[k] for key, values in lists.items()}}),
            k,
        )
        for k in range(n_volumes)
    ]
