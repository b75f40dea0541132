"""Scans in BIDS folders: raw images with sidecars, in and out."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Side, Subject
from rmqnet.io.layout import list_subjects, sidecar_path
from rmqnet.io.nifti import check_present, grid_difference, write_volume
from rmqnet.io.participants import FILE, read_rows, to_subject
from rmqnet.io.series import FoundImage, brightness, find_series
from rmqnet.io.sidecar import side_of, to_sidecar
from rmqnet.io.store import hash_file
from rmqnet.io.text import write_json

__all__ = ["field_strengths", "hash_scan", "list_subjects", "load_scan", "load_subject", "write_scan"]

FIELD_STRENGTH = "MagneticFieldStrength"
"""Key of the field [T] in sidecars (BIDS)."""
_SWAPPED = 1.05
"""AFI images count as swapped when the one with the long repetition time is brighter by this factor (default)."""


def load_scan(
    root: Path | str,
    subject: str,
    *,
    spin_lock_table: Path | str | None = None,
    echo_time_is_spin_lock_time: bool = False,
    notes: list[str] | None = None,
) -> Scan:
    """All series of one subject of a BIDS folder.

    Args:
        root: the BIDS folder.
        subject: label, "sub-" before it or not.
        spin_lock_table: tab-separated table with the columns `file` and `spin_lock_time` [s], for images
            whose sidecar has no SpinLockTime.
        echo_time_is_spin_lock_time: take EchoTime for the spin-lock time where nothing else states it.
        notes: sentences about what was assumed or left out are appended to it.

    Raises:
        InputError: anything is missing, damaged or implausible; names the file and the cure.
    """
    root, subject = Path(root), subject.removeprefix("sub-")
    found = find_series(
        root,
        subject,
        spin_lock_table=None if spin_lock_table is None else Path(spin_lock_table),
        echo_time_is_spin_lock_time=echo_time_is_spin_lock_time,
        notes=notes,
    )
    images = [image for series in found.values() for image in series]
    for image in images:
        check_present(image.path)
    person = load_subject(root, subject, images)
    return Scan(person, {method: _load_series(method, series) for method, series in found.items()})


def hash_scan(
    root: Path,
    subject: str,
    *,
    spin_lock_table: Path | None = None,
    echo_time_is_spin_lock_time: bool = False,
) -> str:
    """SHA-256 over a subject's images, the settings they are read with and the side (64 hexadecimal digits)."""
    found = find_series(
        root,
        subject,
        spin_lock_table=spin_lock_table,
        echo_time_is_spin_lock_time=echo_time_is_spin_lock_time,
        notes=[],
    )
    images = [image for series in found.values() for image in series]
    digest = hashlib.sha256(load_subject(root, subject, images).side.encode())
    for series in found.values():
        for image in series:
            place = "" if image.stored.volume is None else f" {image.stored.volume}"
            digest.update(f"{image.acquisition} {hash_file(image.path)}{place}\n".encode())
    return digest.hexdigest()


def field_strengths(
    root: Path,
    subject: str,
    *,
    spin_lock_table: Path | None = None,
    echo_time_is_spin_lock_time: bool = False,
) -> dict[Acquisition, float]:
    """MagneticFieldStrength [T] of the images of a subject whose sidecar states it."""
    found = find_series(
        root,
        subject,
        spin_lock_table=spin_lock_table,
        echo_time_is_spin_lock_time=echo_time_is_spin_lock_time,
        notes=[],
    )
    stated: dict[Acquisition, float] = {}
    for series in found.values():
        for image in series:
            value = image.sidecar.values.get(FIELD_STRENGTH)
            if isinstance(value, int | float) and not isinstance(value, bool):
                stated[image.acquisition] = value
    return stated


def load_subject(root: Path, subject: str, images: Sequence[FoundImage] = ()) -> Subject:
    """The person, from participants.tsv and, for the side, from the sidecars of the images."""
    stated: dict[Side, FoundImage] = {side: image for image in images if (side := side_of(image.sidecar))}
    if len(stated) > 1:
        names = " and ".join(image.sidecar.path.name for image in stated.values())
        raise InputError(
            f"{images[0].path.parent}: {names} state different ImageLaterality: correct one of them"
        )
    rows = read_rows(root) if (root / FILE).is_file() else {}
    return to_subject(root, subject, rows.get(subject, {}), next(iter(stated), None))


def write_scan(
    folder: Path, scan: Scan, fields: Mapping[Acquisition, float] | None = None
) -> dict[Acquisition, Path]:
    """Path of each image of a scan, written with its sidecar into the folder of its subject.

    Complex images are written in two parts; the path is that of the magnitude. `fields` are the field strengths [T]
    that the sidecars are to state.
    """
    n_spin_lock = 0
    written: dict[Acquisition, Path] = {}
    for method, series in scan.series.items():
        # BIDS numbers the AFI pair by repetition time, whatever the order of the series
        repetition_times = sorted(item.repetition_time_excitation or 0.0 for item in series.acquisitions)
        for index, acquisition in enumerate(series.acquisitions):
            if method == "vfa":
                place, entity, suffix = "anat", f"flip-{index + 1}", "VFA"
            elif method == "afi":
                number = repetition_times.index(acquisition.repetition_time_excitation or 0.0) + 1
                place, entity, suffix = "fmap", f"acq-tr{number}", "TB1AFI"
            else:
                n_spin_lock += 1
                place, entity, suffix = "anat", f"tsl-{n_spin_lock}", "T1rhow"
            sidecar = to_sidecar(acquisition, scan.subject.side)
            if fields and acquisition in fields:
                sidecar[FIELD_STRENGTH] = fields[acquisition]
            for part, image in _parts(series.data[index]).items():
                path = folder / place / f"sub-{scan.subject.name}_{entity}{part}_{suffix}.nii.gz"
                path.parent.mkdir(exist_ok=True)
                write_volume(path, image, series.grid)
                write_json(sidecar_path(path), sidecar | ({"Units": "rad"} if part == _PHASE else {}))
                if part != _PHASE:
                    written[acquisition] = path
    return written


_PHASE = "_part-phase"


def _parts(image: NDArray) -> dict[str, NDArray[np.floating]]:
    """Images that a file can hold, by what stands in its name: the image, or magnitude and phase [radian]."""
    if not np.iscomplexobj(image):
        return {"": image}
    return {"_part-mag": np.abs(image), _PHASE: np.angle(image)}


def _load_series(method: Method, images: Sequence[FoundImage]) -> ImageSeries:
    volumes: list[NDArray[np.float32]] = []
    grids: list[Grid] = []
    for image in images:
        data, grid = image.read()
        _check_content(image, data)
        if grids and not grid.same_as(grids[0]):
            raise InputError(
                f"{image.path}: is on another grid than {images[0].name} "
                f"({grid_difference(grid, grids[0])}): resample one onto the other"
            )
        volumes.append(data)
        grids.append(grid)
    if method == "afi" and brightness(volumes[1]) > _SWAPPED * brightness(volumes[0]):
        cure = (
            "exchange the two repetition times in its sidecar"
            if images[0].path == images[1].path
            else "exchange the two image files, and leave their sidecars where they are"
        )
        raise InputError(
            f"{images[0].path}: AFI volumes swapped: the image with the lower repetition time must be the "
            f"brighter one, but {images[1].name} is: {cure}"
        )
    return ImageSeries(np.stack(volumes), tuple(image.acquisition for image in images), grids[0])


def _check_content(image: FoundImage, data: NDArray[np.float32]) -> None:
    path = image.path.with_name(image.name)
    finite = np.isfinite(data)
    if not finite.any():
        raise InputError(f"{path}: has no finite voxel: convert or reconstruct it again")
    if not data[finite].any():
        raise InputError(f"{path}: all voxels are zero: convert or reconstruct it again")
    if not (data[finite] > 0).any():
        raise InputError(f"{path}: no voxel is above zero: convert it again as a magnitude image")
