"""Segmentations and tissue fractions in BIDS derivatives."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, resample
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES
from rmqnet.io.bids_maps import check_desc
from rmqnet.io.label_tables import write_label_tables
from rmqnet.io.layout import find_images, find_one, parse_name, sidecar_path, with_ending
from rmqnet.io.nifti import grid_difference, read_array, read_volume, write_volume
from rmqnet.io.text import read_table, to_index, write_json

_LARGEST = 65535
"""Largest number of a label."""
_WHOLE = 1.0001
"""Largest fraction: 1, and rounding."""


def write_segmentation(
    folder: Path,
    segmentation: Segmentation,
    subject: Subject,
    *,
    desc: str,
    sidecar: Mapping[str, object] | None = None,
) -> None:
    """Write labels, and the tables of their names and colors, into the folder of a subject.

    With a `sidecar`, a JSON file with these keys is written too.
    """
    check_desc(desc)
    path = folder / "anat" / f"sub-{subject.name}_desc-{desc}_dseg.nii.gz"
    path.parent.mkdir(exist_ok=True)
    write_volume(path, segmentation.labels, segmentation.grid, dtype=np.uint8)
    write_label_tables(path, segmentation.tissues)
    if sidecar is not None:
        write_json(sidecar_path(path), sidecar)


def load_segmentation(
    folder: Path | str, *, desc: str, grid: Grid | None = None, notes: list[str] | None = None
) -> Segmentation:
    """The segmentation with this `desc` in a subject's folder, in the label numbers of the tissue table.

    The numbers in the file may be others: its table (`_dseg.tsv`) says what they mean. Labels on another grid than
    `grid` are brought onto it by their affine, each voxel taking the label of the nearest one; a sentence about that is
    appended to `notes`.

    Raises:
        InputError: there is none, its table is missing or names an unknown tissue, or no label lies on `grid`.
    """
    folder = Path(folder)
    path = find_one(folder, "anat", "dseg", desc)
    if path is None:
        raise InputError(
            f"{folder}: has no segmentation anat/*_desc-{desc}_dseg.nii.gz: add it or correct its name"
        )
    data, own = read_array(path)
    table = with_ending(path, ".tsv")
    names = _read_names(table)
    unknown = set(np.unique(data).tolist()) - {0, *names}
    if unknown:
        raise InputError(
            f"{path}: has the label {min(unknown):g}, but {table.name} doesn't: add a row for it"
        )
    labels = np.zeros(data.shape, np.uint8)
    for number, name in names.items():
        labels[data == number] = TISSUES[name].label
    if grid is not None and not own.same_as(grid):
        labels, own = _onto(path, labels, own, grid, notes), grid
    return Segmentation(labels, tuple(names.values()), own)


def _onto(
    path: Path, labels: NDArray[np.uint8], own: Grid, grid: Grid, notes: list[str] | None
) -> NDArray[np.uint8]:
    """The labels (z, y, x) of another grid on this one; refused where none of them lies on it."""
    moved = np.nan_to_num(resample(labels, own, grid, nearest=True)).astype(np.uint8)
    before, after = (
        float((volume > 0).sum()) * float(abs(np.linalg.det(place.affine[:3, :3])))
        for volume, place in ((labels, own), (moved, grid))
    )
    difference = grid_difference(own, grid)
    if before > 0 and after == 0:
        raise InputError(
            f"{path}: has no label where the images lie ({difference}): draw it on these images, or correct its header"
        )
    if notes is not None:
        kept = "" if before == 0 else f"; their volume is {after / before:.1%} of what it was"
        notes.append(
            f"{path.name} is on another grid than the images ({difference}): its labels were brought onto theirs, each "
            f"voxel by the nearest one{kept}."
        )
    return moved


def write_fraction(
    folder: Path, fraction: NDArray[np.floating], grid: Grid, subject: Subject, *, desc: str
) -> None:
    """Write the cartilage fraction (z, y, x) of each voxel, 0 to 1, into the folder of a subject."""
    check_desc(desc)
    path = folder / "anat" / f"sub-{subject.name}_label-cartilage_desc-{desc}_probseg.nii.gz"
    path.parent.mkdir(exist_ok=True)
    write_volume(path, fraction, grid)


def load_fraction(folder: Path | str, *, desc: str) -> tuple[NDArray[np.float32], Grid]:
    """The cartilage fraction (z, y, x) of each voxel, 0 to 1, and its grid."""
    folder = Path(folder)
    for path in find_images(folder, "anat", "probseg"):
        entities = parse_name(path).entities
        if entities.get("label") == "cartilage" and entities.get("desc") == desc:
            fraction, grid = read_volume(path)
            if not (np.isfinite(fraction).all() and fraction.min() >= 0 and fraction.max() <= _WHOLE):
                raise InputError(f"{path}: a fraction must be 0 to 1 in every voxel: correct it")
            return fraction, grid
    raise InputError(
        f"{folder}: has no cartilage fraction anat/*_label-cartilage_desc-{desc}_probseg.nii.gz: "
        "add it or correct its name"
    )


def _read_names(path: Path) -> dict[int, str]:
    """Tissue names by the number in the image; background is left out."""
    names: dict[int, str] = {}
    for row in read_table(path):
        if not {"index", "name"} <= row.keys():
            raise InputError(f"{path}: must have the columns index and name, it has {', '.join(row)}")
        index = to_index(row["index"], _LARGEST)
        if index is None:
            raise InputError(
                f"{path}: index of {row['name']} must be a whole number up to {_LARGEST}, got {row['index']!r}"
            )
        if index == 0:
            continue
        if row["name"] not in TISSUES:
            raise InputError(f"{path}: name must be one of {', '.join(TISSUES)}, got {row['name']!r}")
        if index in names or row["name"] in names.values():
            raise InputError(f"{path}: has two rows for {row['name']} or index {index}: keep one")
        names[index] = row["name"]
    return names
