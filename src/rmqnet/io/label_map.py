"""Label maps of other programs, with the table that says what their numbers mean."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.io.nifti import read_array
from rmqnet.io.text import read_table, to_index

_LARGEST = 65535


def read_label_map(
    path: Path, table: Path, known: Collection[str]
) -> tuple[NDArray[np.uint16], dict[int, str], Grid]:
    """Numbers (z, y, x) of a label image in house order, the name of each number, and the grid.

    Args:
        path: NIfTI image of any grid and orientation.
        table: tab-separated table with the columns `index` and `name`; other columns are not read.
        known: names that the table may hold.

    Raises:
        InputError: a file is missing or damaged; the image is empty, holds no whole numbers or a number
            without a row; a row is wrong. Names the file and the row.
    """
    names = read_label_table(table, known)
    data, grid = read_array(path)
    if not np.isfinite(data).all() or (data != np.round(data)).any():
        raise InputError(
            f"{path}: holds numbers that are not whole, so it is no label map: give the segmentation, not a scan "
            "or a probability"
        )
    if data.min() < 0 or data.max() > _LARGEST:
        worst = data.min() if data.min() < 0 else data.max()
        raise InputError(f"{path}: labels must be 0 to {_LARGEST}, it has {worst:g}: number them anew")
    if not data.any():
        raise InputError(f"{path}: is empty, all its voxels are 0: give a map with labels")
    numbers, counts = np.unique(data, return_counts=True)
    for number, count in zip(numbers.astype(int), counts, strict=True):
        if number and number not in names:
            raise InputError(
                f"{path}: has the label {number} in {count} voxels, but {table} has no row for it: add one "
                "(the name unknown leaves these voxels open)"
            )
    return data.astype(np.uint16), names, grid


def read_label_table(path: Path, known: Collection[str]) -> dict[int, str]:
    """Names by number from a table with the columns `index` and `name`; the row of number 0 is left out."""
    names: dict[int, str] = {}
    rows = read_table(path)
    for row_number, row in enumerate(rows, start=1):
        place = f"{path}: row {row_number}"
        if not {"index", "name"} <= row.keys():
            raise InputError(f"{path}: must have the columns index and name, it has {', '.join(row)}")
        index, name = to_index(row["index"], _LARGEST), row["name"]
        if index is None:
            raise InputError(f"{place}: index must be a whole number up to {_LARGEST}, got {row['index']!r}")
        if index == 0:
            continue
        if name not in known:
            raise InputError(f"{place}: name must be one of {', '.join(known)}, got {name!r}")
        if index in names:
            raise InputError(f"{place}: index {index} stands in an earlier row too: keep one of them")
        names[index] = name
    if not names:
        raise InputError(f"{path}: names no label: add a row with index and name for each")
    return names
