"""Datasets of an HDF5 file of unknown origin: only what lies in the file itself, and no more than it holds."""

import math
from pathlib import Path
from typing import Any

from rmqnet.domain.errors import InputError
from rmqnet.io.kspace_file import LARGEST_COMPRESSION, SMALL


def own_dataset(path: Path, file: Any, name: str) -> Any:
    """The dataset of this name, which is in the file itself and really holds about what it claims.

    Raises:
        InputError: it or a group above it is a link, to another file or within this one; its numbers lie in another
            file; it is no dataset; it claims far more than the file holds.
    """
    import h5py

    place = file
    for part in name.split("/"):
        link = place.get(part, getlink=True)
        if link is None:
            raise KeyError(name)
        if not isinstance(link, h5py.HardLink):
            raise InputError(
                f"{path}: {name} is a link, which is not followed: copy what it leads to into the file"
            )
        place = place[part]
    if not isinstance(place, h5py.Dataset) or place.shape is None:
        raise InputError(f"{path}: {name} must be a dataset with values: write the file again")
    if place.is_virtual or place.external:
        raise InputError(
            f"{path}: {name} lies in another file, which is not opened: copy its values into this one"
        )
    claimed = math.prod(place.shape) * place.dtype.itemsize
    if claimed > SMALL and claimed > LARGEST_COMPRESSION * place.id.get_storage_size():
        raise InputError(
            f"{path}: {name} tells of {claimed / 2**20:,.0f} MiB, of which the file holds "
            f"{place.id.get_storage_size() / 2**20:,.1f} MiB: parts of it were never written"
        )
    return place
