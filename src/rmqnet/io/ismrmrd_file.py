"""K-space in ISMRMRD: every spoke an acquisition, its contrast and number in the counters.

ISMRMRD states no unit of a trajectory, no spin lock and no rest of what an image of ours needs: they stand in the
user parameters of the header (docs/reference/files.md).
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.kspace import KSpace
from rmqnet.io.hdf5_links import own_dataset
from rmqnet.io.ismrmrd_header import read_header, write_header
from rmqnet.io.kspace_file import check_size, check_spokes, damaged, hdf5, in_house, named

_NOISE = 1 << 18
"""Flag of a noise measurement (ISMRMRD: bit 19)."""
_SKIPPED = {
    19: "noise",
    20: "calibration",
    23: "navigation",
    24: "phase correction",
    26: "feedback",
    27: "dummy",
    28: "real-time feedback",
    29: "coil correction",
    30: "phase stabilization reference",
    31: "phase stabilization",
}
"""Bits (counted from 1) of acquisitions that are no part of an image."""
_ONE_FOR_ALL = (
    "sample_time_us",
    "discard_pre",
    "discard_post",
    "read_dir",
    "phase_dir",
    "slice_dir",
    "position",
)
"""Numbers of a head that do not change within a contrast."""
_ORTHONORMAL = 0.01
"""Largest departure of three directions from right angles and length 1 that counts as rounding: default."""
_ROWS = 512
"""Acquisitions read or written at a time."""
_TO_MICROSECONDS = 1e6


class IsmrmrdFile:
    """An ISMRMRD file of one series."""

    def __init__(self, path: Path, trajectory_units: str | None = None) -> None:
        """Read the header and the counters of all acquisitions."""
        with damaged(path), hdf5(path) as file:
            header, data = (own_dataset(path, file, f"dataset/{name}") for name in ("xml", "data"))
            xml = bytes(header[0])
            if not {"head", "data", "traj"} <= set(data.dtype.names or ()):
                raise InputError(f"{path}: its dataset/data holds no ISMRMRD acquisitions: write it again")
            heads = data["head"]
        self.path = path
        self._header = read_header(path, xml, trajectory_units)
        self.acquisitions: tuple[Acquisition, ...] = self._header.acquisitions
        skipped = sum(1 << (bit - 1) for bit in _SKIPPED)
        self._noise = np.flatnonzero(heads["flags"] & _NOISE)
        imaging = np.flatnonzero((heads["flags"] & skipped) == 0)
        if not imaging.size:
            raise InputError(
                f"{path}: has no acquisition of an image: all are flagged as noise, dummy or the like"
            )
        self._heads = heads
        self._rows = [self._rows_of(imaging, contrast) for contrast in range(len(self.acquisitions))]
        extra = heads["idx"]["contrast"][imaging]
        if extra.max() >= len(self.acquisitions):
            raise InputError(
                f"{path}: has contrasts up to {extra.max()} (from 0), but its header tells of {len(self.acquisitions)}"
            )

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast, spokes in the order in which they were read."""
        rows, acquisition = self._rows[contrast], self.acquisitions[contrast]
        head = self._heads[rows[0]]
        self._check_head(head)
        n_coils, n_reads = int(head["active_channels"]), int(head["number_of_samples"])
        before, after = int(head["discard_pre"]), int(head["discard_post"])
        check_size(self.path, n_coils, rows.size, n_reads)
        kept = slice(before, n_reads - after)
        samples = np.empty((n_coils, rows.size, n_reads - before - after), np.complex64)
        path3d = np.empty((rows.size, n_reads - before - after, 3), np.float32)
        for start, part in self._content(rows):
            for index, row in enumerate(part, start=start):
                values = row["data"].view(np.complex64)
                if values.size != n_coils * n_reads or row["traj"].size != 3 * n_reads:
                    raise InputError(
                        f"{self.path}: spoke {index} of {acquisition.label} has {values.size} samples and "
                        f"{row['traj'].size} numbers of trajectory, {n_coils * n_reads} and {3 * n_reads} are due"
                    )
                samples[:, index] = values.reshape(n_coils, n_reads)[:, kept]
                path3d[index] = row["traj"].reshape(n_reads, 3)[kept]
        check_spokes(self.path, samples, acquisition.label)
        dwell = float(head["sample_time_us"]) / _TO_MICROSECONDS
        times = self._header.first_read_time + dwell * np.arange(n_reads, dtype=np.float64)[kept]
        with named(self.path):
            trajectory, grid = in_house(path3d, self._header.units, self._header.shape, self._affine(head))
            return KSpace(
                samples[None], trajectory, (acquisition,), grid, times, self._covariance(dwell, n_coils)
            )

    def _rows_of(self, imaging: NDArray[np.intp], contrast: int) -> NDArray[np.intp]:
        """Acquisitions of a contrast in the order in which they were read; refused where spokes are missing."""
        rows = imaging[self._heads["idx"]["contrast"][imaging] == contrast]
        label = self.acquisitions[contrast].label
        numbers = self._heads["idx"]["kspace_encode_step_1"][rows].astype(int)
        due = self._header.n_spokes or (int(numbers.max()) + 1 if rows.size else 0)
        missing = np.setdiff1d(np.arange(due), numbers)
        if not rows.size or missing.size:
            shown = ", ".join(str(n) for n in missing[:5]) + (", ..." if missing.size > 5 else "")
            raise InputError(
                f"{self.path}: {missing.size or 'all'} of {due} spokes of {label} are missing ({shown or 'all'}): "
                "copy the file again, or correct the limit of kspace_encoding_step_1 in its header"
            )
        if numbers.size != np.unique(numbers).size:
            raise InputError(
                f"{self.path}: spokes of {label} occur twice: give each a kspace_encode_step_1 of its own"
            )
        for name in ("active_channels", "number_of_samples", "trajectory_dimensions"):
            values = np.unique(self._heads[name][rows])
            if values.size > 1 or (name == "trajectory_dimensions" and values[0] != 3):
                raise InputError(
                    f"{self.path}: {name} must be {'3' if 'dim' in name else 'the same'} for all spokes"
                )
        for name in _ONE_FOR_ALL:
            values = self._heads[name][rows]
            if (values != values[0]).any():
                raise InputError(f"{self.path}: {name} must be the same for all spokes of {label}")
        return rows

    def _check_head(self, head: Any) -> None:
        """Refuse a head whose numbers can't be those of a scan."""
        before, after, n_reads = (
            int(head[name]) for name in ("discard_pre", "discard_post", "number_of_samples")
        )
        if before + after >= n_reads:
            raise InputError(f"{self.path}: discards {before} + {after} of {n_reads} samples: write it again")
        if not 0 < float(head["sample_time_us"]) < np.inf:
            raise InputError(
                f"{self.path}: sample_time_us must be positive, got {float(head['sample_time_us']):g}"
            )
        turn = np.stack([head[name] for name in ("read_dir", "phase_dir", "slice_dir")]).astype(np.float64)
        if (
            not np.allclose(turn @ turn.T, np.eye(3), atol=_ORTHONORMAL)
            or not np.isfinite(head["position"]).all()
        ):
            raise InputError(
                f"{self.path}: read_dir, phase_dir and slice_dir must be at right angles and of length 1, and position "
                "finite: write it again"
            )

    def _content(self, rows: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Acquisitions in these rows, some at a time, with the place of the first of them among the rows."""
        with damaged(self.path), hdf5(self.path) as file:
            data = own_dataset(self.path, file, "dataset/data")
            for start in range(0, rows.size, _ROWS):
                wanted = rows[start : start + _ROWS]
                block = data[wanted[0] : wanted[-1] + 1]
                yield start, block[wanted - wanted[0]]

    def _covariance(self, dwell: float, n_coils: int) -> NDArray[np.complex128] | None:
        """Covariance of the noise of a sample, from the noise measurements; None without any."""
        noise = []
        for _, part in self._content(self._noise) if self._noise.size else ():
            for row in part:
                own = row["data"].view(np.complex64).reshape(int(row["head"]["active_channels"]), -1)
                if len(own) == n_coils:
                    noise.append(own * np.sqrt(row["head"]["sample_time_us"] / _TO_MICROSECONDS / dwell))
        if not noise:
            return None
        stack = np.concatenate(noise, axis=1).astype(np.complex128)
        return stack @ stack.conj().T / stack.shape[1]

    def _affine(self, head: Any) -> NDArray[np.float64]:
        """Voxel index (read, phase, slice) to position in mm, RAS+: ISMRMRD counts to the left and posterior."""
        affine = np.eye(4)
        lps_to_ras = np.array([-1.0, -1.0, 1.0])
        for axis, name in enumerate(("read_dir", "phase_dir", "slice_dir")):
            affine[:3, axis] = lps_to_ras * head[name] * self._header.voxel_size[axis]
        middle = (np.array(self._header.shape) - 1) / 2
        affine[:3, 3] = lps_to_ras * head["position"] - affine[:3, :3] @ middle
        return affine


def write_ismrmrd(path: Path, contrasts: Iterator[KSpace], n_contrasts: int) -> None:
    """Write a series as ISMRMRD; read, phase and slice direction are the axes x, y and z of its grid."""
    import h5py
    from ismrmrd.hdf5 import acquisition_dtype

    first = next(contrasts)
    steps = np.diff(first.read_times)
    if not np.allclose(steps, steps[0], rtol=1e-3):
        raise InputError(f"{path}: ISMRMRD can't hold samples at uneven times: write HDF5 or NPZ")
    n_spokes = first.samples.shape[2]
    if n_spokes > np.iinfo(np.uint16).max:
        raise InputError(f"{path}: ISMRMRD counts at most 65535 spokes, got {n_spokes}: write HDF5 or NPZ")
    acquisitions = []
    with h5py.File(path, "w") as file:
        data = file.create_dataset("dataset/data", (n_contrasts * n_spokes,), acquisition_dtype)
        for index, kspace in enumerate(chain([first], contrasts)):
            acquisitions.append(kspace.acquisitions[0])
            for start in range(0, n_spokes, _ROWS):
                spokes = np.arange(start, min(start + _ROWS, n_spokes))
                rows = _rows(kspace, index, spokes, acquisition_dtype)
                data[index * n_spokes + start : index * n_spokes + start + spokes.size] = rows
        xml = write_header(first, tuple(acquisitions))
        file.create_dataset("dataset/xml", data=np.array([xml], object), dtype=h5py.special_dtype(vlen=bytes))


def _rows(kspace: KSpace, contrast: int, spokes: NDArray[np.intp], kind: np.dtype) -> NDArray[Any]:
    """Acquisitions of these spokes."""
    _, n_coils, _, n_reads = kspace.samples.shape
    rows = np.zeros(spokes.size, kind)
    head = rows["head"]
    head["version"], head["measurement_uid"] = 1, 1
    head["scan_counter"] = contrast * kspace.samples.shape[2] + spokes
    head["number_of_samples"], head["trajectory_dimensions"] = n_reads, 3
    head["available_channels"] = head["active_channels"] = n_coils
    head["sample_time_us"] = np.diff(kspace.read_times)[0] * _TO_MICROSECONDS
    head["idx"]["contrast"], head["idx"]["kspace_encode_step_1"] = contrast, spokes
    ras_to_lps = np.array([-1.0, -1.0, 1.0])
    affine, middle = kspace.grid.affine, (np.array(kspace.grid.shape) - 1) / 2
    head["position"] = ras_to_lps * (affine[:3, :3] @ middle + affine[:3, 3])
    for name, axis in (("read_dir", 2), ("phase_dir", 1), ("slice_dir", 0)):
        head[name] = ras_to_lps * affine[:3, axis] / kspace.grid.voxel_size[axis]
    for row, spoke in zip(rows, spokes, strict=True):
        row["data"] = np.ascontiguousarray(kspace.samples[0, :, spoke]).view(np.float32).ravel()
        row["traj"] = np.ascontiguousarray(kspace.trajectory[spoke, :, ::-1]).ravel()
    return rows
