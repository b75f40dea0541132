"""K-space as plain arrays, in HDF5 or NPZ: for data without ISMRMRD. docs/reference/files.md lists the fields."""

import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.kspace import KSpace
from rmqnet.io.hdf5_links import own_dataset
from rmqnet.io.kspace_acquisition import to_keys
from rmqnet.io.kspace_fields import (
    ARRAYS,
    FIELDS,
    OPTIONAL,
    Settled,
    settle,
    text_of,
)
from rmqnet.io.kspace_file import (
    MOST_CONTRASTS,
    ROOT,
    SMALL,
    check_samples,
    check_size,
    damaged,
    hdf5,
    named,
)
from rmqnet.io.kspace_stated import Stated
from rmqnet.io.kspace_units import read_units
from rmqnet.io.npz_members import npy_header, npz_array, npz_head, npz_members

_KNOWN = (*(name for name in FIELDS if name != "samples"), *OPTIONAL)
_UNITS = "units"
"""Attribute of the trajectory that states its unit, where no field does."""


class Hdf5File:
    """A plain HDF5 file of one series, or one group of such a file."""

    def __init__(self, path: Path, stated: Stated = Stated(), group: str = ROOT) -> None:  # noqa: B008  # frozen
        """Read all but the samples."""
        prefix = "" if group == ROOT else f"{group}/"
        with damaged(path), hdf5(path) as file:
            present = list(file if group == ROOT else file[group])
            check_fields(path, present, stated, prefix)
            samples = own_dataset(path, file, f"{prefix}samples")
            if not samples.id.get_storage_size():
                raise InputError(f"{path}: {prefix}samples were never written: spokes are missing")
            datasets = {name: own_dataset(path, file, prefix + name) for name in _KNOWN if name in present}
            kind, shape = samples.dtype, samples.shape
            check_shapes(path, shape, {name: item.shape for name, item in datasets.items()}, prefix)
            fields = {name: np.asarray(item[()]) for name, item in datasets.items()}
            if _UNITS in datasets["trajectory"].attrs:
                _add_units(path, prefix, fields, np.asarray(datasets["trajectory"].attrs[_UNITS]))
        self.path, self.group, self._samples = path, group, f"{prefix}samples"
        self._settled = settle(path, (shape, kind), fields, stated, prefix)
        self.acquisitions, self.notes = self._settled.acquisitions, self._settled.notes

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast."""
        with damaged(self.path), hdf5(self.path) as file:
            samples = np.asarray(own_dataset(self.path, file, self._samples)[contrast], np.complex64)
        return _kspace(self.path, self._samples, self._settled, samples, contrast)


class NpzFile:
    """An NPZ file of one series, made by numpy.savez; objects (pickles) in it are not read."""

    def __init__(self, path: Path, stated: Stated = Stated()) -> None:  # noqa: B008  # frozen
        """Read all but the samples."""
        with _damaged(path), zipfile.ZipFile(path) as archive:
            members = npz_members(path, archive)
            check_fields(path, members, stated, "")
            heads = {
                name: npz_head(path, archive, members[name])
                for name in members
                if name in (*FIELDS, *OPTIONAL)
            }
            self._shape, fortran, self._kind = heads.pop("samples")
            check_shapes(path, self._shape, {name: head[0] for name, head in heads.items()})
            fields = {name: npz_array(archive, members[name]) for name in heads}
        if fortran:
            raise InputError(f"{path}: samples must be in C order: save numpy.ascontiguousarray(samples)")
        self.path, self.group = path, ROOT
        self._settled = settle(path, (self._shape, self._kind), fields, stated)
        self.acquisitions, self.notes = self._settled.acquisitions, self._settled.notes

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast."""
        shape = self._shape[1:]
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
        return _kspace(self.path, "samples", self._settled, samples, contrast)


def check_fields(path: Path, present: Any, stated: Stated, prefix: str) -> None:
    """Refuse a file that lacks fields which the user does not make up for."""
    made_up = {"trajectory_units"}
    if stated.method is not None:
        made_up.add("acquisitions")
    if stated.field_of_view is not None:
        made_up |= {"affine"} | ({"shape"} if stated.matrix is not None else set())
    missing = [prefix + name for name in FIELDS if name not in present and name not in made_up]
    if missing:
        raise InputError(
            f"{path}: has no field {', '.join(missing)}: docs/reference/files.md lists the fields of k-space files"
        )


def check_shapes(
    path: Path, samples: tuple[int, ...], others: Mapping[str, tuple[int, ...]], prefix: str = ""
) -> None:
    """Refuse fields that do not go with the samples, by their shapes, before any is read."""
    if len(samples) != 4 or min(samples) < 1 or samples[0] > MOST_CONTRASTS:
        raise InputError(
            f"{path}: {prefix}samples must have the axes (contrast, coil, spoke, read) and at most {MOST_CONTRASTS} "
            f"contrasts, got shape {samples}{_where_axes_lie(samples, others.get('trajectory', ()))}"
        )
    _, n_coils, n_spokes, n_reads = samples
    check_size(path, n_coils, n_spokes, n_reads)
    due = max(n_spokes * n_reads * 3, n_coils**2, SMALL)
    for name, shape in others.items():
        if math.prod(shape) > due:
            raise InputError(
                f"{path}: {prefix}{name} has shape {shape}, more than goes with samples of shape {samples}"
            )


def _where_axes_lie(samples: tuple[int, ...], trajectory: tuple[int, ...]) -> str:
    """Where the axes of the samples lie that the trajectory (spoke, read, ...) tells, as the end of a sentence."""
    if len(trajectory) != 3 or samples.count(trajectory[0]) != 1 or samples.count(trajectory[1]) != 1:
        return ""
    spoke, read = (samples.index(n) for n in trajectory[:2])
    return (
        f": by the trajectory of shape {trajectory}, spokes lie along its axis {spoke} and reads along its axis "
        f"{read}, use numpy.transpose"
    )


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
    for name in ARRAYS:
        if getattr(kspace, name) is not None:
            fields[name] = getattr(kspace, name)
    if kspace.slices is not None:
        fields["slices"] = kspace.slices.numbers
    return fields


def _add_units(path: Path, prefix: str, fields: dict[str, NDArray[Any]], attribute: NDArray[Any]) -> None:
    """Take the unit of the trajectory from its attribute; refused where a field states another."""
    if "trajectory_units" in fields:
        field, own = text_of(fields["trajectory_units"]), text_of(attribute)
        with named(path):
            if read_units(field) != read_units(own):
                raise InputError(
                    f"{prefix}trajectory_units says {field!r} and the attribute {_UNITS} of {prefix}trajectory "
                    f"{own!r}: take one of them out"
                )
    fields["trajectory_units"] = attribute


def _kspace(path: Path, name: str, settled: Settled, samples: NDArray[np.complex64], contrast: int) -> KSpace:
    acquisition = settled.acquisitions[contrast]
    samples = samples[:, settled.dummies :]
    with named(path):
        check_samples(samples, f"{name}[{contrast}]", acquisition.label)
        return KSpace(
            samples=(samples if settled.phase is None else samples * settled.phase)[None],
            trajectory=settled.trajectory,
            acquisitions=(acquisition,),
            grid=settled.grid,
            read_times=settled.read_times,
            noise_covariance=settled.noise_covariance,
            density=settled.density,
            slices=settled.slices,
        )


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
