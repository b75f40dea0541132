"""The XML header of an ISMRMRD file: matrix, field of view, and how each contrast was acquired.

User parameters hold what ISMRMRD has no field for: TrajectoryUnits, FirstReadTime [s], Center, Dummies, and the keys of
`ACQUISITION_KEYS`, in seconds and degrees: `<key>` for all contrasts, `<key>_<contrast>` (from 0) for one.
"""

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.io.faults import Faults
from rmqnet.io.kspace_acquisition import ACQUISITION_KEYS, from_keys, with_stated
from rmqnet.io.kspace_file import MOST_CONTRASTS, check_grid
from rmqnet.io.kspace_grid import Shape, told_grid
from rmqnet.io.kspace_stated import Center, Stated
from rmqnet.io.kspace_units import Units, settled_units

UNITS_KEY = "TrajectoryUnits"
"""User parameter with the unit of the trajectory."""
FIRST_KEY = "FirstReadTime"
"""User parameter with the time of the first sample from the end of the pulse [s]."""
CENTER_KEY, DUMMIES_KEY = "Center", "Dummies"
"""User parameters with the position that k-space refers to, and the number of dummy read-outs of each contrast."""
_WHOLE = {"SpokesPerPreparation"}
_YES_NO = {"FatSaturation"}
_MS = QUANTITIES["T1"].display_factor
"""ISMRMRD states times of a sequence in thousandths of a second."""
_LARGEST_HEADER = 1 << 22
"""Bytes of a header: default; those of scanners have some 10,000."""
_LARGEST_COUNT = 65535
"""Largest counter that an acquisition can hold."""

Size = tuple[float, float, float]


@dataclass(frozen=True)
class Found:
    """What the acquisitions of a file's images show, beside the header."""

    n_contrasts: int
    """Contrasts that their counters reach."""
    encodings: Sequence[int]
    """Encodings that they refer to."""


@dataclass(frozen=True)
class Steps:
    """Limits of a counter."""

    first: int
    last: int
    center: int


@dataclass(frozen=True)
class Header:
    """What the header of a file and the user say; axes are (read, phase, slice). None: a fault was told."""

    acquisitions: tuple[Acquisition, ...] | None
    n_contrasts: int
    matrix: tuple[Shape, Size] | None
    """Voxels of the image that is to be made, and their edges [mm]."""
    encoded: tuple[Shape, Size] | None
    """Those of encodedSpace, by which relative units and partitions go."""
    units: Units | None
    """Unit of the trajectory."""
    first_read_time: float | None
    """Time of the first sample from the end of the pulse [s]."""
    spokes: Steps | None
    """Spokes (kspace_encoding_step_1) of each slice or partition; None: not stated."""
    partitions: Steps | None
    """Partitions (kspace_encoding_step_2), likewise."""
    slices: Steps | None
    """Slices, likewise."""
    center: Center
    dummies: int
    kind: str
    """Kind of trajectory: radial, spiral, ..."""


def read_header(
    path: Path, xml: bytes, stated: Stated, found: Found, faults: Faults, notes: list[str]
) -> Header:
    """The header of a file; what is wrong goes to `faults`, what the user changes to `notes`.

    Raises:
        InputError: the header can't be read at all.
    """
    header = _parsed(path, xml)
    encoding: Any = header.encoding[0]
    with faults.catch():
        encoding = _encoding(header, found)
    parameters = _user_parameters(header, encoding)
    acquisitions = matrix = encoded = units = first = spokes = partitions = slices = None
    # where the count of contrasts is wrong, the faults of the first tell enough
    n_contrasts, center, dummies = 1, "between", 0
    with faults.catch():
        matrix = _wanted_space(path, encoding, stated, notes)
    if stated.matrix and stated.field_of_view and not _is_space(encoding.encodedSpace):
        encoded = matrix
    else:
        with faults.catch():
            encoded = _space(path, encoding, "encodedSpace")
    with faults.catch():
        n_contrasts = _n_contrasts(encoding, found)
        sequence = header.sequenceParameters
        rows = [_row(sequence, parameters, index, stated.method) for index in range(n_contrasts)]
        rows = with_stated(rows, stated, notes)
        with faults.catch():
            in_header = sequence.TE[0] / _MS if sequence is not None and sequence.TE else None
            first = _first_time(parameters.get(FIRST_KEY), rows[0].get("EchoTime", in_header))
        acquisitions = from_keys(path, rows)
    with faults.catch():
        units = settled_units(parameters.get(UNITS_KEY), stated.trajectory_units, notes)
    with faults.catch():
        spokes = _steps(encoding, "kspace_encoding_step_1")
    with faults.catch():
        partitions = _steps(encoding, "kspace_encoding_step_2")
    with faults.catch():
        slices = _steps(encoding, "slice")
    with faults.catch():
        center = stated.center or _center(parameters.get(CENTER_KEY, "between"))
    with faults.catch():
        dummies = _count(parameters.get(DUMMIES_KEY, 0)) if stated.dummies is None else stated.dummies
    return Header(
        acquisitions, n_contrasts, matrix, encoded, units, first, spokes, partitions, slices, center, dummies,
        str(encoding.trajectory.value),
    )  # fmt: skip


def _parsed(path: Path, xml: bytes) -> Any:
    import ismrmrd.xsd
    from xsdata.exceptions import ConverterWarning, ParserError

    unreadable = f"{path}: its ISMRMRD header can't be read"
    # a declaration can name other files and unfold without end; ISMRMRD needs none
    if len(xml) > _LARGEST_HEADER or b"<!" in xml.replace(b"<!--", b"") or b"\0" in xml:
        raise InputError(f"{unreadable}: write it again")
    try:
        with warnings.catch_warnings():
            # xsdata warns where a value is not of its type and goes on with the text
            warnings.simplefilter("error", ConverterWarning)
            header: Any = ismrmrd.xsd.CreateFromDocument(xml)
    except (ParserError, SyntaxError, TypeError, ValueError, RecursionError, ConverterWarning) as error:
        lacking = re.search(r"(\w+)\.__init__\(\) missing .*arguments?: (.*)", str(error))
        why = f", {lacking[1].removesuffix('Type')} lacks {lacking[2]}".replace("'", "") if lacking else ""
        raise InputError(f"{unreadable}{why}: write it again") from error
    if not header.encoding:
        raise InputError(f"{unreadable}, it has no encoding: write it again")
    return header


def _encoding(header: Any, found: Found) -> Any:
    """The encoding that the acquisitions of images refer to."""
    if len(header.encoding) > 1 and len(found.encodings) > 1:
        raise InputError(
            f"has {len(header.encoding)} encodings, of which images use {', '.join(map(str, found.encodings))}: write "
            "a file or a group for each series"
        )
    index = found.encodings[0] if len(header.encoding) > 1 else 0
    if index >= len(header.encoding):
        raise InputError(
            f"acquisitions have encoding_space_ref {index}, but the header has {len(header.encoding)} encodings: "
            "correct one of them"
        )
    return header.encoding[index]


def _is_space(space: Any) -> bool:
    size, view = space.matrixSize, space.fieldOfView_mm
    return min(size.x, size.y, size.z) >= 1 and all(0 < side < math.inf for side in (view.x, view.y, view.z))


def _space(path: Path, encoding: Any, name: str) -> tuple[Shape, Size]:
    space = getattr(encoding, name)
    size, view = space.matrixSize, space.fieldOfView_mm
    shape, sides = (size.x, size.y, size.z), (view.x, view.y, view.z)
    if not _is_space(space):
        raise InputError(
            f"matrixSize and fieldOfView_mm of its {name} must be positive, got {shape} and {sides}: correct them, or "
            "say --matrix and --field-of-view"
        )
    size_mm = (view.x / size.x, view.y / size.y, view.z / size.z)
    check_grid(path, shape, size_mm)
    return shape, size_mm


def _wanted_space(path: Path, encoding: Any, stated: Stated, notes: list[str]) -> tuple[Shape, Size]:
    """Matrix and voxel size of the image: reconSpace, or what the user says."""
    if stated.matrix and stated.field_of_view:
        own = None
        size, view = encoding.reconSpace.matrixSize, encoding.reconSpace.fieldOfView_mm
        before = (size.x, size.y, size.z), np.array([view.x, view.y, view.z])
    else:
        own = _space(path, encoding, "reconSpace")
        before = own[0], np.multiply(*own)
    if own is not None and not stated.matrix and not stated.field_of_view:
        return own
    shape = stated.matrix or before[0]
    sides = np.asarray(stated.field_of_view or before[1])
    if shape != before[0] or not np.allclose(sides, before[1]):
        notes.append(told_grid(shape, sides, *before))
    x, y, z = (float(side / n) for side, n in zip(sides, shape, strict=True))
    check_grid(path, shape, (x, y, z))
    return shape, (x, y, z)


def _n_contrasts(encoding: Any, found: Found) -> int:
    limit = encoding.encodingLimits.contrast
    n_contrasts = found.n_contrasts if limit is None else limit.maximum + 1
    if not 1 <= n_contrasts <= MOST_CONTRASTS:
        raise InputError(f"must have 1 to {MOST_CONTRASTS} contrasts, its header tells of {n_contrasts}")
    if found.n_contrasts > n_contrasts:
        raise InputError(
            f"has contrasts up to {found.n_contrasts - 1} (from 0), but its header tells of {n_contrasts}: correct its "
            "limit of contrast"
        )
    return n_contrasts


def _steps(encoding: Any, name: str) -> Steps | None:
    limit = getattr(encoding.encodingLimits, name)
    if limit is None or not limit.maximum:
        return None
    if not 0 <= limit.minimum <= limit.maximum <= _LARGEST_COUNT:
        raise InputError(f"its limit of {name} must be 0 to {_LARGEST_COUNT}")
    return Steps(limit.minimum, limit.maximum, limit.center)


def _first_time(value: Any, echo_time: Any) -> float:
    if value is None and echo_time is None:
        raise InputError(
            f"has neither {FIRST_KEY} nor an echo time in its header: add TE to it, or say --echo-time"
        )
    try:
        time = float(echo_time if value is None else value)
    except (TypeError, ValueError):
        time = math.nan
    if not math.isfinite(time):
        raise InputError(f"{FIRST_KEY} must be a number of seconds, got {value!r}")
    return time


def _center(value: Any) -> Center:
    for choice in get_args(Center):
        if str(value).strip().lower() == choice:
            return choice
    raise InputError(f"{CENTER_KEY} must be one of {', '.join(get_args(Center))}, got {value!r}")


def _count(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if number < 0:
        raise InputError(f"{DUMMIES_KEY} must be a whole number of 0 or more, got {value!r}")
    return number


def _user_parameters(header: Any, encoding: Any) -> dict[str, Any]:
    """All user parameters by name; those of the header win over those that describe the trajectory."""
    values: dict[str, Any] = {}
    for users in (encoding.trajectoryDescription, header.userParameters):
        if users is not None:
            every = [*users.userParameterLong, *users.userParameterDouble, *users.userParameterString]
            values |= {item.name: item.value for item in every}
    return values


def _row(sequence: Any, parameters: dict[str, Any], index: int, method: Method | None) -> dict[str, Any]:
    """Settings of a contrast by key: user parameters, and what the standard fields say beside them."""
    row: dict[str, Any] = {}
    for key in ACQUISITION_KEYS.values():
        value = parameters.get(f"{key}_{index}", parameters.get(key))
        if value is None:
            continue
        if key in _YES_NO:
            value = bool(value)
        elif key in _WHOLE and isinstance(value, float) and value.is_integer():
            value = int(value)
        row[key] = value
    method = method or row.get("Method")
    if sequence is None or method == "spin_lock":
        return row
    period = "RepetitionTimePreparation" if method == "adiabatic_t1rho" else "RepetitionTimeExcitation"
    for key, values, factor in (
        ("FlipAngle", sequence.flipAngle_deg, 1.0),
        ("EchoTime", sequence.TE, _MS),
        (period, sequence.TR, _MS),
    ):
        if key not in row and values:
            row[key] = values[min(index, len(values) - 1)] / factor
    return row
