"""K-space as plain arrays, in HDF5 or NPZ: for data without ISMRMRD. docs/reference/files.md lists the fields."""

import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.kspace import KSpace
from rmqnet.domain.strict_json import parse_json
from rmqnet.io.hdf5_links import own_dataset
from rmqnet.io.kspace_acquisition import from_keys, to_keys
from rmqnet.io.kspace_file import (
    MOST_CONTRASTS,
    SMALL,
    check_grid,
    check_size,
    check_spokes,
    damaged,
    hdf5,
    in_house,
    named,
    stated_units,
)
from rmqnet.io.npz_members import npy_header, npz_array, npz_head, npz_members

FIELDS = ("samples", "trajectory", "trajectory_units", "read_times", "shape", "affine", "acquisitions")
"""Fields that every file has; noise_covariance and density may be there too."""
_OPTIONAL = ("noise_covariance", "density")
_KNOWN = (*(name for name in FIELDS if name != "samples"), *_OPTIONAL)
_WHOLE = 2.0**31
"""No grid has as many voxels along an axis."""


@dataclass(frozen=True)
class _Header:
    """All of a file but its samples."""

    samples_shape: tuple[int, ...]
    arrays: Mapping[str, NDArray[Any]]
    acquisitions: tuple[Acquisition, ...]
    units: str


class Hdf5File:
    """A plain HDF5 file of one series."""

    def __init__(self, path: Path, trajectory_units: str | None = None) -> None:
        """Read all but the samples."""
        with damaged(path), hdf5(path) as file:
            present = list(file)  # names only: to ask the file whether it has one would follow links
            _check_fields(path, present)
            samples = own_dataset(path, file, "samples")
            if not samples.id.get_storage_size():
                raise InputError(f"{path}: its samples were never written: spokes are missing")
            datasets = {name: own_dataset(path, file, name) for name in _KNOWN if name in present}
            kind, shape = samples.dtype, samples.shape
            check_shapes(path, shape, {name: item.shape for name, item in datasets.items()})
            fields = {name: np.asarray(item[()]) for name, item in datasets.items()}
        self.path = path
        self._header = _header(path, shape, kind, fields, trajectory_units)
        self.acquisitions = self._header.acquisitions

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast."""
        with damaged(self.path), hdf5(self.path) as file:
            samples = np.asarray(own_dataset(self.path, file, "samples")[contrast], np.complex64)
        return _kspace(self.path, self._header, samples, contrast)


class NpzFile:
    """An NPZ file of one series, made by numpy.savez; objects (pickles) in it are not read."""

    def __init__(self, path: Path, trajectory_units: str | None = None) -> None:
        """Read all but the samples."""
        with _damaged(path), zipfile.ZipFile(path) as archive:
            members = npz_members(path, archive)
            _check_fields(path, members)
            heads = {
                name: npz_head(path, archive, members[name])
                for name in members
                if name in (*FIELDS, *_OPTIONAL)
            }
            shape, fortran, kind = heads.pop("samples")
            check_shapes(path, shape, {name: head[0] for name, head in heads.items()})
            fields = {name: npz_array(archive, members[name]) for name in heads}
        if fortran:
            raise InputError(f"{path}: samples must be in C order: save numpy.ascontiguousarray(samples)")
        self.path, self._kind = path, kind
        self._header = _header(path, shape, kind, fields, trajectory_units)
        self.acquisitions = self._header.acquisitions

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast."""
        shape = self._header.samples_shape[1:]
        size = self._kind.itemsize * math.prod(shape)
        with (
            _damaged(self.path),
            zipfile.ZipFile(self.path) as archive,
            archive.open("samples.npy") as stream,
        ):
            npy_header(stream)
            stream.seek(contrast * size, 1)
            content = stream.read(size)
        if len(content) < size:
            raise InputError(f"{self.path}: is damaged or cut off: copy it again")
        samples = np.frombuffer(content, self._kind).reshape(shape).astype(np.complex64)
        return _kspace(self.path, self._header, samples, contrast)


def write_hdf5(path: Path, contrasts: Iterator[KSpace], n_contrasts: int) -> None:
    """Write a series as plain HDF5."""
    import h5py

    first = next(contrasts)
    rows = []
    with h5py.File(path, "w") as file:
        for name, value in _fields(first).items():
            file.create_dataset(name, data=value)
        samples = file.create_dataset("samples", (n_contrasts, *first.samples.shape[1:]), np.complex64)
        for index, kspace in enumerate(chain([first], contrasts)):
            samples[index] = kspace.samples[0]
            rows.append(to_keys(kspace.acquisitions[0]))
        file.create_dataset("acquisitions", data=json.dumps(rows))


def write_npz(path: Path, contrasts: Iterator[KSpace], n_contrasts: int) -> None:
    """Write a series as NPZ, as numpy.savez would."""
    first = next(contrasts)
    rows = []
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        with archive.open("samples.npy", "w", force_zip64=True) as stream:
            shape = (n_contrasts, *first.samples.shape[1:])
            header = {"descr": "<c8", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)  # pyright: ignore  # any stream does
            for kspace in chain([first], contrasts):
                stream.write(np.ascontiguousarray(kspace.samples[0], "<c8").data)
                rows.append(to_keys(kspace.acquisitions[0]))
        for name, value in {**_fields(first), "acquisitions": json.dumps(rows)}.items():
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(stream, np.asarray(value), allow_pickle=False)  # pyright: ignore


def _fields(kspace: KSpace) -> dict[str, Any]:
    """All fields but samples and acquisitions."""
    fields: dict[str, Any] = {
        "trajectory": kspace.trajectory,
        "trajectory_units": "1/mm",
        "read_times": kspace.read_times,
        "shape": np.array(kspace.grid.shape),
        "affine": kspace.grid.affine,
    }
    for name in _OPTIONAL:
        if getattr(kspace, name) is not None:
            fields[name] = getattr(kspace, name)
    return fields


def _check_fields(path: Path, present: Any) -> None:
    missing = [name for name in FIELDS if name not in present and name != "trajectory_units"]
    if missing:
        raise InputError(
            f"{path}: has no field {missing[0]}: docs/reference/files.md lists the fields of k-space files"
        )


def check_shapes(path: Path, samples: tuple[int, ...], others: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse fields that do not go with the samples, by their shapes, before any is read."""
    if len(samples) != 4 or min(samples) < 1 or samples[0] > MOST_CONTRASTS:
        raise InputError(
            f"{path}: samples must have the axes (contrast, coil, spoke, read) and at most {MOST_CONTRASTS} contrasts, "
            f"got shape {samples}"
        )
    _, n_coils, n_spokes, n_reads = samples
    check_size(path, n_coils, n_spokes, n_reads)
    due = max(n_spokes * n_reads * 3, n_coils**2, SMALL)
    for name, shape in others.items():
        if math.prod(shape) > due:
            raise InputError(
                f"{path}: {name} has shape {shape}, more than goes with samples of shape {samples}"
            )


def _header(
    path: Path, shape: tuple[int, ...], kind: np.dtype, fields: dict[str, NDArray[Any]], units: str | None
) -> _Header:
    """The fields of a file, checked as far as they go without the samples."""
    if kind.kind != "c" or len(shape) != 4 or 0 in shape:
        raise InputError(
            f"{path}: samples must be complex with the axes (contrast, coil, spoke, read), got {kind} of shape {shape}"
        )
    check_size(path, *shape[1:])
    # the strict reader takes objects only
    with named(path):
        rows = parse_json('{"acquisitions": ' + _text(fields["acquisitions"]) + "}")["acquisitions"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: acquisitions must be a JSON list with an object for each contrast")
    acquisitions = from_keys(path, rows)
    if len(acquisitions) != shape[0]:
        raise InputError(
            f"{path}: samples have {shape[0]} contrasts, but there are {len(acquisitions)} acquisitions"
        )
    stated = _text(fields["trajectory_units"]) if "trajectory_units" in fields else None
    numbers = ("trajectory", "read_times", "affine", "shape", *(n for n in _OPTIONAL if n in fields))
    for name in numbers:
        complex_too = "c" if name == "noise_covariance" else ""
        if fields[name].dtype.kind not in "iuf" + complex_too:
            raise InputError(f"{path}: {name} must hold real numbers, got {fields[name].dtype}")
    if fields["affine"].shape != (4, 4) or fields["shape"].shape != (3,):
        raise InputError(f"{path}: affine must be 4 x 4 and shape three numbers (z, y, x)")
    size = fields["shape"]
    if not (np.isfinite(size).all() and (size == np.round(size)).all() and np.abs(size).max() < _WHOLE):
        raise InputError(f"{path}: shape must be three whole numbers (z, y, x), got {size.tolist()}")
    affine = fields["affine"].astype(np.float64)
    if not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
        raise InputError(f"{path}: affine must hold finite numbers, its last row must be 0 0 0 1")
    check_grid(path, tuple(int(n) for n in size), tuple(np.linalg.norm(affine[:3, :3], axis=0).tolist()))
    return _Header(shape, fields, acquisitions, stated_units(path, stated, units))


def _kspace(path: Path, header: _Header, samples: NDArray[np.complex64], contrast: int) -> KSpace:
    acquisition = header.acquisitions[contrast]
    check_spokes(path, samples, acquisition.label)
    arrays = header.arrays
    z, y, x = (int(n) for n in arrays["shape"])
    with named(path):
        if arrays["trajectory"].ndim != 3 or arrays["trajectory"].shape[-1] != 3:
            raise InputError(
                f"trajectory must have the axes (spoke, read, 3), got shape {arrays['trajectory'].shape}"
            )
        trajectory, grid = in_house(
            arrays["trajectory"], header.units, (z, y, x), arrays["affine"].astype(np.float64)
        )
        covariance, density = arrays.get("noise_covariance"), arrays.get("density")
        return KSpace(
            samples=samples[None],
            trajectory=trajectory,
            acquisitions=(acquisition,),
            grid=grid,
            read_times=arrays["read_times"].astype(np.float64),
            noise_covariance=None if covariance is None else covariance.astype(np.complex128),
            density=None if density is None else density.astype(np.float32),
        )


def _text(value: NDArray[Any]) -> str:
    item = value.item() if value.ndim == 0 else value.tolist()
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


@contextmanager
def _damaged(path: Path) -> Iterator[None]:
    """Turn what numpy and the zip reader say of a damaged file into one sentence."""
    try:
        yield
    except InputError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        KeyError,
        ValueError,
        TypeError,
        OverflowError,
        SyntaxError,
        tokenize.TokenError,
        RuntimeError,
    ) as error:
        # a damaged zip, or a header of an array that is no Python literal
        raise InputError(f"{path}: is damaged or cut off, or holds objects: write it again") from error
