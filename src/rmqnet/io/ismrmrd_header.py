"""The XML header of an ISMRMRD file: matrix, field of view, and how each contrast was acquired.

User parameters hold what ISMRMRD has no field for: TrajectoryUnits, FirstReadTime [s], and the keys of
`ACQUISITION_KEYS`, in seconds and degrees: `<key>` for all contrasts, `<key>_<contrast>` (from 0) for one.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.kspace import KSpace
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.io.kspace_acquisition import ACQUISITION_KEYS, from_keys, to_keys
from rmqnet.io.kspace_file import MOST_CONTRASTS, check_grid, stated_units

UNITS_KEY = "TrajectoryUnits"
"""User parameter with the unit of the trajectory."""
FIRST_KEY = "FirstReadTime"
"""User parameter with the time of the first sample from the end of the pulse [s]."""
_WHOLE = {"SpokesPerPreparation"}
_YES_NO = {"FatSaturation"}
_MS = QUANTITIES["T1"].display_factor
"""ISMRMRD states times of a sequence in thousandths of a second."""
_LARGEST_HEADER = 1 << 22
"""Bytes of a header: default; those of scanners have some 10,000."""
_LARGEST_COUNT = 65535
"""Largest counter of a spoke that an acquisition can hold."""
_PROTON_FREQUENCY = 127_740_000
"""Resonance frequency [Hz] at 3 T, which a header must state."""


@dataclass(frozen=True)
class Header:
    """What the header of a file says; axes are (read, phase, slice)."""

    acquisitions: tuple[Acquisition, ...]
    shape: tuple[int, int, int]
    """Voxels of the image that is to be made."""
    voxel_size: tuple[float, float, float]
    """Their edges [mm]."""
    units: str
    """Unit of the trajectory."""
    first_read_time: float
    """Time of the first sample from the end of the pulse [s]."""
    n_spokes: int | None
    """Spokes of each contrast; None: not stated."""


def read_header(path: Path, xml: bytes, trajectory_units: str | None) -> Header:
    """The header of a file; an InputError names what is missing."""
    import ismrmrd.xsd
    from xsdata.exceptions import ConverterWarning, ParserError

    unreadable = f"{path}: its ISMRMRD header can't be read: write it again"
    # a declaration can name other files and unfold without end; ISMRMRD needs none
    if len(xml) > _LARGEST_HEADER or b"<!" in xml.replace(b"<!--", b"") or b"\0" in xml:
        raise InputError(unreadable)
    try:
        with warnings.catch_warnings():
            # xsdata warns where a value is not of its type and goes on with the text
            warnings.simplefilter("error", ConverterWarning)
            header: Any = ismrmrd.xsd.CreateFromDocument(xml)
    except (ParserError, SyntaxError, TypeError, ValueError, RecursionError, ConverterWarning) as error:
        raise InputError(unreadable) from error
    if len(header.encoding) != 1:
        raise InputError(f"{path}: has {len(header.encoding)} encodings: write a file for each series")
    encoding = header.encoding[0]
    space = encoding.reconSpace
    size, view = space.matrixSize, space.fieldOfView_mm
    shape, sides = (size.x, size.y, size.z), (view.x, view.y, view.z)
    if min(shape) < 1 or not all(0 < side < math.inf for side in sides):
        raise InputError(f"{path}: matrixSize and fieldOfView_mm of its reconSpace must be positive")
    check_grid(path, shape, tuple(side / n for side, n in zip(sides, shape, strict=True)))
    parameters = _user_parameters(header)
    stated = parameters.pop(UNITS_KEY, None)
    first = parameters.pop(FIRST_KEY, None)
    rows = _rows(path, header, parameters)
    if first is None:
        first = rows[0].get("EchoTime") if rows else None
    if first is None:
        raise InputError(f"{path}: has neither {FIRST_KEY} nor an echo time in its header: add TE to it")
    first = _first_time(path, first)
    limit = encoding.encodingLimits.kspace_encoding_step_1
    if limit is not None and not 0 <= limit.maximum <= _LARGEST_COUNT:
        raise InputError(f"{path}: its limit of kspace_encoding_step_1 must be 0 to {_LARGEST_COUNT}")
    return Header(
        acquisitions=from_keys(path, rows),
        shape=(size.x, size.y, size.z),
        voxel_size=(view.x / size.x, view.y / size.y, view.z / size.z),
        units=stated_units(path, stated, trajectory_units),
        first_read_time=first,
        n_spokes=None if limit is None or not limit.maximum else limit.maximum + 1,
    )


def _first_time(path: Path, value: Any) -> float:
    try:
        time = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {FIRST_KEY} must be a number of seconds, got {value!r}") from error
    if not math.isfinite(time):
        raise InputError(f"{path}: {FIRST_KEY} must be a number of seconds, got {value!r}")
    return time


def write_header(kspace: KSpace, acquisitions: Sequence[Acquisition]) -> bytes:
    """The header of a series with the grid and trajectory of this k-space."""
    import ismrmrd.xsd

    xsd: Any = ismrmrd.xsd
    z, y, x = kspace.grid.shape
    side_z, side_y, side_x = (n * size for n, size in zip((z, y, x), kspace.grid.voxel_size, strict=True))
    space = xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(x=x, y=y, z=z),
        fieldOfView_mm=xsd.fieldOfViewMm(x=side_x, y=side_y, z=side_z),
    )
    n_spokes = kspace.samples.shape[2]
    limits = xsd.encodingLimitsType(
        kspace_encoding_step_1=xsd.limitType(minimum=0, maximum=n_spokes - 1, center=0),
        contrast=xsd.limitType(minimum=0, maximum=len(acquisitions) - 1, center=0),
    )
    strings = [xsd.userParameterStringType(name=UNITS_KEY, value="1/mm")]
    doubles = [xsd.userParameterDoubleType(name=FIRST_KEY, value=float(kspace.read_times[0]))]
    longs = []
    rows = [to_keys(item) for item in acquisitions]
    for index, row in enumerate(rows):
        for key, value in row.items():
            shared = all(other.get(key) == value for other in rows)
            if shared and index:
                continue
            name = key if shared else f"{key}_{index}"
            if isinstance(value, str):
                strings.append(xsd.userParameterStringType(name=name, value=value))
            elif isinstance(value, bool | int):
                longs.append(xsd.userParameterLongType(name=name, value=int(value)))
            elif isinstance(value, float):
                doubles.append(xsd.userParameterDoubleType(name=name, value=value))
    periods = [item.repetition_time_excitation or item.repetition_time_preparation for item in acquisitions]
    header = xsd.ismrmrdHeader(
        experimentalConditions=xsd.experimentalConditionsType(H1resonanceFrequency_Hz=_PROTON_FREQUENCY),
        acquisitionSystemInformation=xsd.acquisitionSystemInformationType(
            receiverChannels=kspace.samples.shape[1]
        ),
        encoding=[
            xsd.encodingType(
                encodedSpace=space,
                reconSpace=space,
                encodingLimits=limits,
                trajectory=xsd.trajectoryType.OTHER,
            )
        ],
        sequenceParameters=xsd.sequenceParametersType(
            TR=[_MS * (period or 0.0) for period in periods],
            TE=[_MS * (item.echo_time or 0.0) for item in acquisitions],
            flipAngle_deg=[item.flip_angle or 0.0 for item in acquisitions],
        ),
        userParameters=xsd.userParametersType(
            userParameterLong=longs, userParameterDouble=doubles, userParameterString=strings
        ),
    )
    return xsd.ToXML(header).encode()


def _user_parameters(header: Any) -> dict[str, Any]:
    """All user parameters by name."""
    users = header.userParameters
    if users is None:
        return {}
    every = [*users.userParameterLong, *users.userParameterDouble, *users.userParameterString]
    return {item.name: item.value for item in every}


def _rows(path: Path, header: Any, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Settings of each contrast by key: user parameters, and what the standard fields say beside them."""
    limit = header.encoding[0].encodingLimits.contrast
    n_contrasts = 1 if limit is None else limit.maximum + 1
    if not 1 <= n_contrasts <= MOST_CONTRASTS:
        raise InputError(
            f"{path}: must have 1 to {MOST_CONTRASTS} contrasts, its header tells of {n_contrasts}"
        )
    rows = []
    for index in range(n_contrasts):
        row: dict[str, Any] = {}
        for key in ACQUISITION_KEYS.values():
            value = parameters.get(f"{key}_{index}", parameters.get(key))
            if value is not None:
                row[key] = bool(value) if key in _YES_NO else int(value) if key in _WHOLE else value
        _add_standard(header.sequenceParameters, index, row)
        rows.append(row)
    return rows


def _add_standard(sequence: Any, index: int, row: dict[str, Any]) -> None:
    """Add flip angle, echo time and repetition time from the standard fields, where no user parameter says them."""
    if sequence is None:
        return
    period = (
        "RepetitionTimePreparation" if row.get("Method") == "adiabatic_t1rho" else "RepetitionTimeExcitation"
    )
    for key, values, factor in (
        ("FlipAngle", sequence.flipAngle_deg, 1.0),
        ("EchoTime", sequence.TE, _MS),
        (period, sequence.TR, _MS),
    ):
        if key not in row and values and row.get("Method") != "spin_lock":
            row[key] = values[min(index, len(values) - 1)] / factor
