"""K-space as plain arrays, in HDF5 or NPZ: for data without ISMRMRD. docs/reference/files.md lists the fields."""

import json
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
from rmqnet.io.kspace_acquisition import from_keys, to_keys
from rmqnet.io.kspace_file import check_size, check_spokes, damaged, hdf5, in_house, named, stated_units

FIELDS = ("samples", "trajectory", "trajectory_units", "read_times", "shape", "affine", "acquisitions")
"""Fields that every file has; noise_covariance and density may be there too."""
_OPTIONAL = ("noise_covariance", "density")


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
            _check_fields(path, file.keys())
            samples = file["samples"]
            if not samples.id.get_storage_size():
                raise InputError(f"{path}: its samples were never written: spokes are missing")
            fields = {name: np.asarray(file[name][()]) for name in file if name != "samples"}
            kind, shape = samples.dtype, samples.shape
        self.path = path
        self._header = _header(path, shape, kind, fields, trajectory_units)
        self.acquisitions = self._header.acquisitions

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast."""
        with damaged(self.path), hdf5(self.path) as file:
            samples = np.asarray(file["samples"][contrast], np.complex64)
        return _kspace(self.path, self._header, samples, contrast)


class NpzFile:
    """An NPZ file of one series, made by numpy.savez; objects (pickles) in it are not read."""

    def __init__(self, path: Path, trajectory_units: str | None = None) -> None:
        """Read all but the samples."""
        with _damaged(path), path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            _check_fields(path, file.files)
            fields = {name: file[name] for name in file.files if name != "samples"}
        with _damaged(path), zipfile.ZipFile(path) as archive, archive.open("samples.npy") as stream:
            shape, fortran, kind = _npy_header(stream)
            size = archive.getinfo("samples.npy").file_size
        if fortran:
            raise InputError(f"{path}: samples must be in C order: save numpy.ascontiguousarray(samples)")
        if size < kind.itemsize * int(np.prod(shape)):
            raise InputError(f"{path}: is damaged or cut off: copy it again")
        self.path, self._kind = path, kind
        self._header = _header(path, shape, kind, fields, trajectory_units)
        self.acquisitions = self._header.acquisitions

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast."""
        shape = self._header.samples_shape[1:]
        size = self._kind.itemsize * int(np.prod(shape))
        with (
            _damaged(self.path),
            zipfile.ZipFile(self.path) as archive,
            archive.open("samples.npy") as stream,
        ):
            _npy_header(stream)
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


def _header(
    path: Path, shape: tuple[int, ...], kind: np.dtype, fields: dict[str, NDArray[Any]], units: str | None
) -> _Header:
    """The fields of a file, checked as far as they go without the samples."""
    if kind.kind != "c" or len(shape) != 4 or 0 in shape:
        raise InputError(
            f"{path}: samples must be complex with the axes (contrast, coil, spoke, read), got {kind} of shape {shape}"
        )
    check_size(path, *shape[1:])
    try:
        rows = json.loads(_text(fields["acquisitions"]))
    except ValueError as error:
        raise InputError(
            f"{path}: acquisitions must be a JSON list with an object for each contrast"
        ) from error
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
        if fields[name].dtype.kind not in "iufc":
            raise InputError(f"{path}: {name} must hold numbers, got {fields[name].dtype}")
    if fields["affine"].shape != (4, 4) or fields["shape"].shape != (3,):
        raise InputError(f"{path}: affine must be 4 x 4 and shape three numbers (z, y, x)")
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


def _npy_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(stream)


@contextmanager
def _damaged(path: Path) -> Iterator[None]:
    """Turn what numpy and the zip reader say of a damaged file into one sentence."""
    try:
        yield
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError) as error:
        raise InputError(f"{path}: is damaged or cut off, or holds objects: write it again") from error
