"""K-space in ISMRMRD: every read-out an acquisition, its contrast, slice and number in the counters.

ISMRMRD states no unit of a trajectory, no spin lock and no rest of what an image of ours needs: they stand in the
user parameters of the header (docs/reference/files.md), or the user says them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.kspace import KSpace
from rmqnet.io.faults import Faults
from rmqnet.io.hdf5_links import own_dataset
from rmqnet.io.ismrmrd_geometry import Geometry, check_head, geometry
from rmqnet.io.ismrmrd_header import Found, read_header
from rmqnet.io.ismrmrd_readouts import NOISE, ReadOuts, flagged, of_images, read_outs
from rmqnet.io.kspace_file import (
    check_samples,
    check_size,
    damaged,
    hdf5,
    in_house,
    middle_phase,
    named,
    slices_in_house,
)
from rmqnet.io.kspace_stated import Stated
from rmqnet.io.kspace_units import Units, check_reach, cycles_per_mm

_AXES = ("read", "phase", "slice")
_ROWS = 512
"""Acquisitions read at a time."""
_TO_MICROSECONDS = 1e6
_SAME_PATH = 1e-4
"""Part of its length by which the trajectories of two averages may differ: our choice, for rounding."""


class IsmrmrdFile:
    """An ISMRMRD file of one series, or one group of such a file."""

    def __init__(self, path: Path, stated: Stated = Stated(), group: str = "dataset") -> None:  # noqa: B008  # frozen
        """Read the header, the heads of all acquisitions and the trajectory of the first contrast.

        Raises:
            InputError: names all that is wrong with the header and the acquisitions.
        """
        self.path, self.group, self._data = path, group, f"{group}/data"
        with damaged(path), hdf5(path) as file:
            header, data = (own_dataset(path, file, f"{group}/{name}") for name in ("xml", "data"))
            xml = bytes(header[0])
            if not {"head", "data", "traj"} <= set(data.dtype.names or ()):
                raise InputError(f"{path}: its {self._data} holds no ISMRMRD acquisitions: write it again")
            self._heads = heads = data["head"]
        notes: list[str] = []
        faults = Faults(path)
        imaging = np.empty(0, np.intp)
        with faults.catch():
            imaging = of_images(heads, notes)
        used = heads["encoding_space_ref"][imaging]
        found = Found(
            int(heads["idx"]["contrast"][imaging].max(initial=0)) + 1,
            tuple(int(n) for n in np.unique(used)) or (0,),
        )
        self._header = read_header(path, xml, stated, found, faults, notes)
        self._outs: list[ReadOuts] = []
        self._places: list[Geometry] = []
        for contrast in range(self._header.n_contrasts if imaging.size else 0):
            with faults.catch():
                self._add_contrast(contrast, imaging)
        with faults.catch():
            self._check_trajectory(stated, notes)
        faults.tell()
        self.acquisitions: tuple[Acquisition, ...] = self._header.acquisitions or ()
        self._noise = flagged(heads["flags"], NOISE)
        self._tell_choices(notes)
        self.notes = tuple(notes)

    def load(self, contrast: int) -> KSpace:
        """The k-space of one contrast, averages averaged, spokes in the order in which they were read."""
        outs, place, header = self._outs[contrast], self._places[contrast], self._header
        label = self.acquisitions[contrast].label
        head = self._heads[outs.rows[0, 0]]
        n_coils, n_reads = int(head["active_channels"]), int(head["number_of_samples"])
        dimensions = int(head["trajectory_dimensions"])
        n_averages, n_spokes = outs.rows.shape
        check_size(self.path, n_coils, n_spokes, n_reads)
        samples = np.zeros((n_coils, n_spokes, n_reads), np.complex64)
        path3d = np.zeros((n_spokes, n_reads, 3), np.float32)
        for average, rows in enumerate(outs.rows):
            for spoke, row in self._content(rows):
                values = row["data"].view(np.complex64)
                if values.size != n_coils * n_reads or row["traj"].size != dimensions * n_reads:
                    raise InputError(
                        f"{self.path}: spoke {spoke} of {label} (acquisition {rows[spoke]} of {self._data}) has "
                        f"{values.size} samples and {row['traj'].size} numbers of trajectory, {n_coils * n_reads} "
                        f"(active_channels x number_of_samples) and {dimensions * n_reads} are due"
                    )
                samples[:, spoke] += values.reshape(n_coils, n_reads)
                own = row["traj"].reshape(n_reads, dimensions)
                if not average:
                    path3d[spoke, :, :dimensions] = own
                elif not _same_path(path3d[spoke, :, :dimensions], own):
                    raise InputError(
                        f"{self.path}: averages of spoke {spoke} of {label} have different trajectories: give them a "
                        "kspace_encode_step_1 of their own"
                    )
        if n_averages > 1:
            samples /= n_averages
        kept = slice(int(head["discard_pre"]), n_reads - int(head["discard_post"]))
        dwell = float(head["sample_time_us"]) / _TO_MICROSECONDS
        first = header.first_read_time or 0.0
        times = first + dwell * np.arange(n_reads, dtype=np.float64)[kept]
        with named(self.path):
            check_samples(samples[..., kept], self._data, label)
            return self._kspace(
                contrast, samples[..., kept], self._scaled(path3d[:, kept], place), times,
                self._covariance(dwell, n_coils, n_averages),
            )  # fmt: skip

    def _kspace(
        self,
        contrast: int,
        samples: NDArray[np.complex64],
        trajectory: NDArray[np.float32],
        times: NDArray[np.float64],
        covariance: NDArray[np.complex128] | None,
    ) -> KSpace:
        place = self._places[contrast]
        if self._header.center == "voxel":
            phase = middle_phase(trajectory, place.shape, place.voxel_size)
            samples = samples if phase is None else samples * phase
        slices = place.slices
        own = None if slices is None else slices_in_house(slices, 2, place.shape, place.affine)
        moved, grid = in_house(trajectory, "1/mm", place.shape, place.affine)
        return KSpace(
            samples[None], moved, (self.acquisitions[contrast],), grid, times, covariance, slices=own
        )

    def _add_contrast(self, contrast: int, imaging: NDArray[np.intp]) -> None:
        header = self._header
        label = f"contrast {contrast}"
        if header.acquisitions is not None:
            label = header.acquisitions[contrast].label
        outs = read_outs(self._heads, imaging, contrast, header, label)
        check_head(self._heads[outs.rows[0, 0]])
        if header.matrix is not None and header.encoded is not None:
            self._places.append(geometry(self._heads, outs, header, label))
            self._outs.append(outs)

    def _check_trajectory(self, stated: Stated, notes: list[str]) -> None:
        """Refuse a trajectory of the first contrast that can't be in the unit that is stated."""
        header = self._header
        if not self._outs or header.units is None or header.encoded is None:
            return
        outs, place = self._outs[0], self._places[0]
        head = self._heads[outs.rows[0, 0]]
        dimensions, n_reads = int(head["trajectory_dimensions"]), int(head["number_of_samples"])
        reach = np.zeros(dimensions)
        kept = slice(int(head["discard_pre"]), n_reads - int(head["discard_post"]))
        for spoke, row in self._content(outs.rows[0], "traj"):
            if row.size != dimensions * n_reads:
                raise InputError(
                    f"{self._data}: acquisition {outs.rows[0, spoke]} has {row.size} numbers of trajectory, "
                    f"{dimensions} x {n_reads} are due (trajectory_dimensions x number_of_samples)"
                )
            if not np.isfinite(row).all():
                raise InputError(
                    f"{self._data}: the trajectory of acquisition {outs.rows[0, spoke]} is not finite (NaN or infinite)"
                )
            reach = np.maximum(reach, np.abs(row.reshape(n_reads, dimensions)[kept]).max(axis=0))
        if place.slices is not None and dimensions == 3 and reach[2] > 0:
            raise InputError(
                f"{self._data}: the third dimension of the trajectory reaches {reach[2]:.4g}, but the image is of "
                "slices: if it is a density, write trajectories of two dimensions; else correct matrixSize.z"
            )
        n_axes = 2 if place.slices is not None else dimensions
        encoded = (header.encoded[0][:n_axes], header.encoded[1][:n_axes])
        grid = (place.shape[:n_axes], place.voxel_size[:n_axes])
        names = [f"its dimension {axis} ({_AXES[axis]})" for axis in range(n_axes)]
        doubt = check_reach(
            f"the trajectory of {self._data}",
            reach[:n_axes],
            header.units,
            encoded,
            grid,
            names,
            said=stated.trajectory_units is not None,
        )
        if doubt is not None:
            notes.append(doubt)

    def _scaled(self, path3d: NDArray[np.float32], place: Geometry) -> NDArray[np.float32]:
        """The trajectory (spoke, read, 3) in cycles per mm, partitions included."""
        header = self._header
        units: Units = header.units or "1/mm"
        encoded = header.encoded or (place.shape, place.voxel_size)
        if units == "1/mm":
            scaled = path3d
        else:
            scaled = (path3d * cycles_per_mm(units, *encoded)).astype(np.float32)
        if place.k_slice is not None:
            scaled[..., 2] = place.k_slice[:, None]
        return scaled

    def _tell_choices(self, notes: list[str]) -> None:
        header = self._header
        if header.dummies:
            notes.append(
                f"{header.dummies} read-outs at the start of each contrast are dummies and are left out."
            )
        averages = sorted({len(outs.rows) for outs in self._outs})
        if averages != [1]:
            notes.append(f"Averages (idx.average) are averaged: {' and '.join(map(str, averages))}.")
        relative = header.units is not None and header.units.endswith(("voxel", "fov"))
        if relative and header.encoded is not None and header.matrix is not None:
            (encoded, own), (matrix, size) = header.encoded, header.matrix
            per = (
                own
                if header.units is not None and header.units.endswith("voxel")
                else np.multiply(encoded, own)
            )
            other = (
                size
                if header.units is not None and header.units.endswith("voxel")
                else np.multiply(matrix, size)
            )
            if not np.allclose(per[:2], other[:2]):
                notes.append(
                    f"The trajectory is in {header.units} of encodedSpace ({per[0]:.4g} mm along the read-out), not of "
                    f"the image ({other[0]:.4g} mm)."
                )

    def _content(self, rows: NDArray[np.intp], field: str | None = None) -> Iterator[tuple[int, Any]]:
        """Acquisitions in these rows, or one field of them, each with its place among the rows; in the file's order."""
        order = np.argsort(rows, kind="stable")
        with damaged(self.path), hdf5(self.path) as file:
            data = own_dataset(self.path, file, self._data)
            source = data if field is None else data.fields(field)
            for start in range(0, rows.size, _ROWS):
                spokes = order[start : start + _ROWS]
                wanted = rows[spokes]
                block = source[wanted[0] : wanted[-1] + 1]
                yield from ((int(s), block[n - wanted[0]]) for s, n in zip(spokes, wanted, strict=True))

    def _covariance(self, dwell: float, n_coils: int, n_averages: int) -> NDArray[np.complex128] | None:
        """Covariance of the noise of a sample after averaging, from the noise measurements; None without any."""
        noise = []
        for _, row in self._content(self._noise) if self._noise.size else ():
            own = row["data"].view(np.complex64).reshape(int(row["head"]["active_channels"]), -1)
            if len(own) == n_coils:
                noise.append(own * np.sqrt(row["head"]["sample_time_us"] / _TO_MICROSECONDS / dwell))
        if not noise:
            return None
        stack = np.concatenate(noise, axis=1).astype(np.complex128)
        return stack @ stack.conj().T / stack.shape[1] / n_averages


def _same_path(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return bool(np.abs(one - other).max() <= _SAME_PATH * max(float(np.abs(one).max()), 1e-30))
