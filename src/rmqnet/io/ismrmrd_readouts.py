"""Which acquisitions of an ISMRMRD file are read-outs of its images: contrasts, averages, slices, dummies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.io.ismrmrd_header import Header

NOISE = 19
"""Flag of a noise measurement, counted from 1."""
_SKIPPED = {
    NOISE: "noise",
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
"""Flags (counted from 1) of acquisitions that are no part of an image."""
_ONE_COUNT = ("phase", "repetition", "set")
"""Counters that must not change within a contrast, since its images would differ."""
_ONE_FOR_ALL = ("sample_time_us", "discard_pre", "discard_post", "read_dir", "phase_dir", "slice_dir")
"""Numbers of a head that do not change within a contrast."""
_SAME_LENGTH = ("active_channels", "number_of_samples", "trajectory_dimensions")
"""Numbers of a head by which the size of its data goes."""
_MOST_MISSING = 1 << 20
"""Missing spokes that are counted one by one: our choice."""
_SHIFT = 16
"""Bits of a counter."""


@dataclass(frozen=True, eq=False)
class ReadOuts:
    """The acquisitions of one contrast."""

    rows: NDArray[np.intp]
    """Place (average, spoke) in the file; spokes in the order in which those of the first average were read."""
    partitions: NDArray[np.intp]
    """Counter kspace_encode_step_2 (spoke,)."""
    slices: NDArray[np.intp]
    """Counter of the slice (spoke,)."""


def of_images(heads: NDArray[Any], notes: list[str]) -> NDArray[np.intp]:
    """Acquisitions of images; `notes` count the others by what they are flagged as."""
    flags = heads["flags"].astype(np.uint64)
    skipped = sum(1 << (bit - 1) for bit in _SKIPPED)
    imaging = np.flatnonzero((flags & np.uint64(skipped)) == 0)
    if not imaging.size:
        raise InputError("has no acquisition of an image: all are flagged as noise, dummy or the like")
    if imaging.size < flags.size:
        counts = {word: int(flagged(flags, bit).size) for bit, word in _SKIPPED.items()}
        words = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
        notes.append(
            f"{flags.size - imaging.size} of {flags.size} acquisitions are flagged as no part of an image and are left "
            f"out: {words}."
        )
    return imaging


def flagged(flags: NDArray[np.unsignedinteger], bit: int) -> NDArray[np.intp]:
    """Acquisitions with this flag, counted from 1."""
    return np.flatnonzero(flags.astype(np.uint64) & np.uint64(1 << (bit - 1)))


def read_outs(
    heads: NDArray[Any], imaging: NDArray[np.intp], contrast: int, header: Header, label: str
) -> ReadOuts:
    """The acquisitions of a contrast without its dummies.

    Raises:
        InputError: spokes are missing or occur twice, or heads contradict each other; names all that is wrong.
    """
    index = heads["idx"]
    rows = imaging[index["contrast"][imaging] == contrast]
    if header.dummies and header.dummies >= rows.size > 0:
        raise InputError(
            f"has {rows.size} acquisitions of {label}, {header.dummies} of them dummies: none is left"
        )
    dropped, rows = rows[: header.dummies], rows[header.dummies :]
    faults: list[str] = []
    for name in _ONE_COUNT:
        values = np.unique(index[name][rows])
        if values.size > 1:
            faults.append(
                f"idx.{name} of {label} has {values.size} values: write each of them as a contrast or in a file of its "
                "own, or count them in idx.average where they are to be averaged"
            )
    numbers, due, axes = _numbers(index, rows, header, label)
    gone = np.setdiff1d(np.setdiff1d(due, numbers), _joined(index, dropped))
    if not rows.size or gone.size:
        shown = ", ".join(_told(int(n), axes) for n in gone[:5]) + (", ..." if gone.size > 5 else "")
        raise InputError(
            f"{gone.size or 'all'} of {due.size} spokes of {label} are missing ({shown or 'all'}): "
            "copy the file again, or correct the limits of its counters (encodingLimits) in its header"
        )
    faults += _unlike(heads, rows, label)
    try:
        result = _averaged(index, rows, numbers, label)
    except InputError as error:
        raise InputError("; ".join([*faults, str(error)])) from error
    if faults:
        raise InputError("; ".join(faults))
    return result


def _numbers(
    index: NDArray[Any], rows: NDArray[np.intp], header: Header, label: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[bool, bool]]:
    """One number for slice, partition and spoke of these acquisitions; those that are due; which axes are in use."""
    numbers = _joined(index, rows)
    spoke, part, piece = (index[name][rows].astype(np.int64) for name in _COUNTERS)

    def ends(values: NDArray[np.int64], limit: Any) -> range:
        if limit is not None:
            return range(limit.first, limit.last + 1)
        return range(int(values.max()) + 1 if values.size else 0)

    # a limit of partitions that no acquisition counts is that of a matrix
    parts = ends(part, header.partitions if part.any() else None)
    pieces = np.unique(piece).tolist() or [0]
    counted = ends(spoke, header.spokes)
    n_due = len(pieces) * len(parts) * len(counted)
    if n_due > rows.size + _MOST_MISSING:
        raise InputError(
            f"{n_due - rows.size} of {n_due} spokes of {label} are missing, by {len(pieces)} slices, {len(parts)} "
            f"partitions and {len(counted)} spokes: correct the counters, or their limits (encodingLimits)"
        )
    steps = np.array(counted, np.int64)
    due = [(own << 2 * _SHIFT) + (other << _SHIFT) + steps for own in pieces for other in parts]
    return numbers, np.concatenate(due) if due else steps, (len(pieces) > 1, len(parts) > 1)


_COUNTERS = ("kspace_encode_step_1", "kspace_encode_step_2", "slice")


def _joined(index: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[np.int64]:
    spoke, part, piece = (index[name][rows].astype(np.int64) for name in _COUNTERS)
    return (piece << 2 * _SHIFT) + (part << _SHIFT) + spoke


def _told(number: int, axes: tuple[bool, bool]) -> str:
    low = (1 << _SHIFT) - 1
    words = [str(number & low)]
    if axes[1]:
        words.insert(0, f"partition {(number >> _SHIFT) & low} spoke")
    if axes[0]:
        words.insert(0, f"slice {number >> 2 * _SHIFT}{'' if axes[1] else ' spoke'}")
    return " ".join(words)


def _unlike(heads: NDArray[Any], rows: NDArray[np.intp], label: str) -> list[str]:
    """What differs among acquisitions and must not."""
    faults = []
    for name in (*_SAME_LENGTH, *_ONE_FOR_ALL):
        values = heads[name][rows]
        if (values != values[0]).any():
            unlike = int(np.argmax((values != values[0]).reshape(len(values), -1).any(axis=1)))
            faults.append(
                f"{name} must be the same for all spokes of {label}, got {values[0].tolist()} and in acquisition "
                f"{rows[unlike]} {values[unlike].tolist()}"
            )
    slices = heads["idx"]["slice"][rows]
    for number in np.unique(slices):
        places = heads["position"][rows[slices == number]]
        if (places != places[0]).any():
            faults.append(f"position must be the same for all spokes of slice {number} of {label}")
    dimensions = int(heads["trajectory_dimensions"][rows[0]])
    if dimensions not in (2, 3):
        none = " (the file has no trajectory: write one into its acquisitions)" if not dimensions else ""
        faults.append(f"trajectory_dimensions must be 2 or 3, got {dimensions}{none}")
    return faults


def _averaged(
    index: NDArray[Any], rows: NDArray[np.intp], numbers: NDArray[np.int64], label: str
) -> ReadOuts:
    """Acquisitions of the same spoke side by side."""
    average = index["average"][rows].astype(np.int64)
    if np.unique(np.stack([numbers, average]), axis=1).shape[1] < rows.size:
        raise InputError(
            f"spokes of {label} occur twice: give each a kspace_encode_step_1 of its own, or an idx.average where they "
            "are to be averaged"
        )
    spokes, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    if (counts != counts[0]).any():
        raise InputError(
            f"spokes of {label} have {counts.min()} to {counts.max()} averages: all must have as many, leave the last "
            "average out if it was cut off"
        )
    order = np.argsort(first, kind="stable")
    place = np.empty(spokes.size, np.intp)
    place[order] = np.arange(spokes.size)
    sorted_rows = np.lexsort((average, place[np.searchsorted(spokes, numbers)]))
    together = rows[sorted_rows].reshape(spokes.size, -1).T
    own = index[together[0]]
    return ReadOuts(together, own["kspace_encode_step_2"].astype(np.intp), own["slice"].astype(np.intp))
