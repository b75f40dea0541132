"""The fields of a plain file of k-space but its samples, checked by the names, shapes and axes that the file has."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.kspace import Slices
from rmqnet.domain.strict_json import parse_json
from rmqnet.io.faults import Faults
from rmqnet.io.kspace_acquisition import from_keys, with_stated
from rmqnet.io.kspace_file import (
    in_house,
    middle_phase,
    slices_in_house,
)
from rmqnet.io.kspace_grid import ImageGrid, Shape, settled_grid
from rmqnet.io.kspace_stated import Center, Stated
from rmqnet.io.kspace_units import Units, check_reach, cycles_per_mm, settled_units

FIELDS = ("samples", "trajectory", "trajectory_units", "read_times", "shape", "affine", "acquisitions")
"""Fields that every file has, unless the user says on the command line what some of them would say."""
ARRAYS = ("noise_covariance", "density")
"""Fields of a KSpace that may be there too."""
OPTIONAL = (*ARRAYS, "slices", "center", "dummies")
"""All other fields that may be there."""
_TEXTS = ("trajectory_units", "acquisitions", "center")
_AXES = ("contrast", "coil", "spoke", "read")


@dataclass(frozen=True, eq=False)
class Settled:
    """All of a file but its samples, as KSpace takes it; dummy read-outs are left out."""

    acquisitions: tuple[Acquisition, ...]
    grid: Grid
    trajectory: NDArray[np.float32]
    read_times: NDArray[np.float64]
    slices: Slices | None
    noise_covariance: NDArray[np.complex128] | None
    density: NDArray[np.float32] | None
    phase: NDArray[np.complex64] | None
    """Factor (spoke, read) of the samples; None: 1."""
    dummies: int
    """Read-outs at the start of the samples that are left out."""
    notes: tuple[str, ...]


def settle(
    path: Path,
    samples: tuple[tuple[int, ...], np.dtype],
    fields: Mapping[str, NDArray[Any]],
    stated: Stated,
    prefix: str = "",
) -> Settled:
    """The fields of a file whose samples have this shape and kind of numbers; an InputError names all that is wrong.

    `prefix` is the group in which the fields lie, with a slash.
    """
    own = _Fields(path, prefix, samples[0], fields, stated)
    if samples[1].kind != "c":
        own.faults.found.append(
            f"{prefix}samples must be complex with the axes (contrast, coil, spoke, read), got {samples[1]} of shape "
            f"{samples[0]}"
        )
    result = own.settled()
    own.faults.tell()
    if result is None:  # each part that is None has told a fault
        raise InputError(f"{path}: can't be read")
    return result


class _Fields:
    """The checks of one file, which go on after a fault so far as they do not need what is wrong."""

    def __init__(
        self,
        path: Path,
        prefix: str,
        samples: tuple[int, ...],
        fields: Mapping[str, NDArray[Any]],
        stated: Stated,
    ) -> None:
        self.path, self.prefix, self.samples, self.stated = path, prefix, samples, stated
        self.fields = dict(fields)
        self.faults = Faults(path)
        self.notes: list[str] = []

    def settled(self) -> Settled | None:
        for name, value in list(self.fields.items()):
            if name in _TEXTS:
                continue
            complex_too = "c" if name == "noise_covariance" else ""
            if value.dtype.kind not in "iuf" + complex_too:
                self.faults.found.append(
                    f"{self.prefix}{name} must hold real numbers, got {value.dtype} of shape {value.shape}"
                )
                del self.fields[name]
        acquisitions = units = grid = dummies = center = times = None
        with self.faults.catch():
            acquisitions = self._acquisitions()
        with self.faults.catch():
            stated = self.fields.get("trajectory_units")
            with_path = None if stated is None else text_of(stated)
            units = settled_units(with_path, self.stated.trajectory_units, self.notes)
        with self.faults.catch():
            grid = settled_grid(self.path, self.prefix, self.fields, self.stated, self.notes)
        with self.faults.catch():
            dummies = self._dummies()
        with self.faults.catch():
            center = self._center()
        with self.faults.catch():
            times = self._read_times()
        for name in ARRAYS:
            with self.faults.catch():
                self._check_array(name)
        trajectory = None
        with self.faults.catch():
            trajectory = self._trajectory(None if grid is None else grid.shape)
        parts = (acquisitions, units, grid, dummies, center, times, trajectory)
        if trajectory is None or units is None or grid is None:
            return None
        slices = None
        with self.faults.catch():
            slices = self._slices(trajectory, grid.shape)
        with self.faults.catch():
            self._check_reach(trajectory, units, grid, slices)
        if any(part is None for part in parts) or self.faults.found:
            return None
        return self._put_together(*parts, slices)  # pyright: ignore[reportArgumentType]  # none is None

    def _put_together(
        self,
        acquisitions: tuple[Acquisition, ...],
        units: Units,
        grid: ImageGrid,
        dummies: int,
        center: Center,
        times: NDArray[np.float64],
        trajectory: NDArray[np.float32],
        slices: tuple[int, NDArray[np.intp]] | None,
    ) -> Settled:
        shape, affine, size = grid.shape, grid.affine, grid.voxel_size
        kept = trajectory[dummies:]
        scaled, phase = kept, None
        if units != "1/mm":
            scaled = kept * cycles_per_mm(units, *grid.relative)
        moved, house = in_house(scaled, "1/mm", shape, affine)
        if center == "voxel":
            phase = middle_phase(scaled, shape, size)
        covariance, density = self.fields.get("noise_covariance"), self.fields.get("density")
        if dummies:
            self.notes.append(
                f"{dummies} of {len(trajectory)} read-outs of each contrast are dummies at its start and are left out."
            )
        return Settled(
            acquisitions=acquisitions,
            grid=house,
            trajectory=moved,
            read_times=times,
            slices=None if slices is None else slices_in_house(slices[1][dummies:], slices[0], shape, affine),
            noise_covariance=None if covariance is None else covariance.astype(np.complex128),
            density=None if density is None else density.astype(np.float32)[dummies:],
            phase=phase,
            dummies=dummies,
            notes=tuple(self.notes),
        )

    def _acquisitions(self) -> tuple[Acquisition, ...]:
        n_contrasts = self.samples[0]
        if "acquisitions" in self.fields:
            # the strict reader takes objects only
            content = '{"acquisitions": ' + text_of(self.fields["acquisitions"]) + "}"
            rows = parse_json(content)["acquisitions"]
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise InputError(
                    f"{self.prefix}acquisitions must be a JSON list with an object for each contrast"
                )
        else:
            rows = [{} for _ in range(n_contrasts)]
        if rows and len(rows) != n_contrasts:
            raise InputError(
                f"{self.prefix}samples have {n_contrasts} contrasts along axis 0 of their shape {self.samples}, but "
                f"there are {len(rows)} acquisitions"
            )
        return from_keys(self.path, with_stated(rows, self.stated, self.notes))

    def _dummies(self) -> int:
        n_spokes = self.samples[2]
        value = self.stated.dummies
        if value is None:
            stated = self.fields.get("dummies", np.array(0))
            if stated.size != 1 or stated.item() != int(np.nan_to_num(stated.item())):
                raise InputError(f"{self.prefix}dummies must be one whole number, got {stated.tolist()}")
            value = int(stated.item())
        if not 0 <= value < n_spokes:
            raise InputError(
                f"dummies must be 0 to {n_spokes - 1}, got {value}: {self.prefix}samples have {n_spokes} spokes along "
                f"axis 2 of their shape {self.samples}"
            )
        return value

    def _center(self) -> Center:
        if self.stated.center is not None:
            return self.stated.center
        text = text_of(self.fields["center"]) if "center" in self.fields else "between"
        for choice in get_args(Center):
            if text.strip().lower() == choice:
                return choice
        raise InputError(f"{self.prefix}center must be one of {', '.join(get_args(Center))}, got {text!r}")

    def _read_times(self) -> NDArray[np.float64] | None:
        if "read_times" not in self.fields:
            return None
        times = self.fields["read_times"].astype(np.float64)
        self._check_shape("read_times", times.shape, (self.samples[3],), (3,))
        if not (np.diff(times) > 0).all():
            raise InputError(f"{self.prefix}read_times must rise from sample to sample [s]")
        return times

    def _check_array(self, name: str) -> None:
        if name in self.fields:
            axes = (1, 1) if name == "noise_covariance" else (2, 3)
            self._check_shape(name, self.fields[name].shape, tuple(self.samples[axis] for axis in axes), axes)

    def _check_shape(
        self, name: str, got: tuple[int, ...], due: tuple[int, ...], axes: tuple[int, ...]
    ) -> None:
        """Refuse a field whose axes do not have the lengths of these axes of the samples."""
        if got == due:
            return
        words = ", ".join(_AXES[axis] for axis in axes)
        counts = " and ".join(
            f"{self.samples[axis]} along axis {axis} ({_AXES[axis]})" for axis in dict.fromkeys(axes)
        )
        raise InputError(
            f"{self.prefix}{name} has shape {got}, but must be {' x '.join(map(str, due))} ({words}): "
            f"{self.prefix}samples of shape {self.samples} have {counts}"
        )

    def _trajectory(self, shape: Shape | None) -> NDArray[np.float32] | None:
        """The trajectory (spoke, read, 3) in units of the file; two axes are the last two of the image."""
        if "trajectory" not in self.fields:
            return None
        value = self.fields["trajectory"]
        name = f"{self.prefix}trajectory"
        flat = value.ndim == 3 and value.shape[-1] == 2
        in_slices = "slices" in self.fields or shape is None or shape[0] == 1
        if value.ndim != 3 or value.shape[-1] not in (2, 3) or (flat and not in_slices):
            more = ", or (spoke, read, 2) with the field slices" if flat or value.ndim != 3 else ""
            raise InputError(f"{name} must have the axes (spoke, read, 3){more}, got shape {value.shape}")
        if self.samples[2] != self.samples[3] and value.shape[:2] == self.samples[:1:-1]:
            raise InputError(
                f"{name} of shape {value.shape} has read before spoke, {self.prefix}samples of shape {self.samples} "
                "spoke before read: exchange its axes 0 and 1"
            )
        for axis, of_samples, what in ((0, 2, "spokes are missing"), (1, 3, "points per spoke")):
            if value.shape[axis] != self.samples[of_samples]:
                raise InputError(
                    f"{name} has {value.shape[axis]} along axis {axis} ({_AXES[of_samples]}) of its shape "
                    f"{value.shape}, {self.prefix}samples have {self.samples[of_samples]} along axis {of_samples} of "
                    f"theirs {self.samples}: {what if axis == 0 else f'{what} must agree'}"
                )
        bad = np.argwhere(~np.isfinite(value))
        if len(bad):
            raise InputError(
                f"{name}: {len(bad)} of {value.size} numbers are not finite (NaN or infinite), the first is at "
                f"{bad[0].tolist()} (spoke, read, axis)"
            )
        if flat:
            value = np.concatenate([np.zeros((*value.shape[:2], 1), value.dtype), value], axis=-1)
        return value.astype(np.float32)

    def _slices(self, trajectory: NDArray[np.float32], shape: Shape) -> tuple[int, NDArray[np.intp]] | None:
        """Axis of the slices and slice of each spoke; None where the read-outs are three-dimensional."""
        still = [axis for axis in range(3) if not trajectory[..., axis].any()]
        if "slices" not in self.fields:
            single = [axis for axis in still if shape[axis] == 1]
            return (single[0], np.zeros(len(trajectory), np.intp)) if single else None
        numbers = self.fields["slices"]
        self._check_shape("slices", numbers.shape, (self.samples[2],), (2,))
        if not still:
            raise InputError(
                f"{self.prefix}trajectory must be 0 along the axis of the slices, as {self.prefix}slices says that "
                "each spoke reads one slice: leave slices out if the read-outs are three-dimensional"
            )
        axis = still[0]
        wrong = ~np.isin(numbers, np.arange(shape[axis]))
        if wrong.any():
            raise InputError(
                f"{self.prefix}slices must be whole numbers from 0 to {shape[axis] - 1}, got {numbers[wrong][0]}"
            )
        return axis, numbers.astype(np.intp)

    def _check_reach(
        self,
        trajectory: NDArray[np.float32],
        units: Units,
        grid: ImageGrid,
        slices: tuple[int, NDArray[np.intp]] | None,
    ) -> None:
        kept = [axis for axis in range(3) if slices is None or axis != slices[0]]
        lower = 3 - self.fields["trajectory"].shape[-1]
        doubt = check_reach(
            f"{self.prefix}trajectory of shape {self.fields['trajectory'].shape}",
            np.abs(trajectory).max(axis=(0, 1)).astype(np.float64)[kept],
            units,
            ([grid.relative[0][axis] for axis in kept], [grid.relative[1][axis] for axis in kept]),
            ([grid.shape[axis] for axis in kept], [grid.voxel_size[axis] for axis in kept]),
            [f"[..., {axis - lower}] (axis {axis} of the image)" for axis in kept],
            said=self.stated.trajectory_units is not None,
        )
        if doubt is not None:
            self.notes.append(doubt)


def text_of(value: NDArray[Any]) -> str:
    """A field that holds text."""
    item = value.item() if value.ndim == 0 else value.tolist()
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
