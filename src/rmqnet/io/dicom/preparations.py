"""Times of a preparation that scanners write into EchoTime, and signs that they are those of two preparations.

MAPSS measures its spin-lock images first, then the T2-prepared ones that share its first image (GE: EchoNumbers 1-4 and
5-7, as in mapss.py of ad12/DOSMA; Siemens: AcquisitionNumber, as in split_dicom_echo.m of
michelle-tong18/synthetic-t1rho-maps). All times stand in EchoTime.
"""

import re
from collections.abc import Sequence
from typing import Any

from rmqnet.domain.rounding import TIME_ROUNDING, clusters
from rmqnet.io.dicom.header import SECONDS
from rmqnet.io.dicom.settings_table import SettingsTable
from rmqnet.io.dicom.volumes import Volume, by_grid

COUNTED_AS_ECHOES = re.compile(r"cubequant|mapss", re.IGNORECASE)
"""Sequences that number their spin-lock times as echoes."""
_MAPSS = re.compile(r"mapss", re.IGNORECASE)
_SPIN_LOCK = re.compile(r"t1[\s_-]?rho|t1r(?![a-z])|spin[\s_-]?lock|(?<![a-z])tsl", re.IGNORECASE)
_T2 = re.compile(r"(?<![a-z0-9])t2(?:[\s_-]?prep\w*)?(?![a-z0-9*])", re.IGNORECASE)
_T2_PREPARATION = re.compile(r"t2[\s_-]?prep", re.IGNORECASE)
_N_T2 = (0x19, 0xAA, "GEMS_ACQU_01")
"""User data 3 of a GE sequence: in MAPSS the number of T2 preparations, user data 1 that of spin-lock times
(sorttx_.m of michelle-tong18/synthetic-t1rho-maps)."""
_ORDERS = ("EchoNumbers", "AcquisitionNumber")
"""What says in which order the images of a series were measured."""
_LONG = 3
"""Images in the order of their EchoTime, or against it, that are so by no chance (our choice)."""
_CURE = "give the spin-lock images their times in a table (--settings), column spin_lock_time"


def t2_prepared(volumes: Sequence[Volume], table: SettingsTable) -> dict[str, str]:
    """Why volumes are T2-prepared and not spin-locked, by label, where an attribute or the description says it.

    A word for T2 preparation that stands in all of them beside one for spin lock tells nothing; the user's table
    overrules both.
    """
    found: dict[str, str] = {}
    by_tag = [volume.frames[0].header.text("T2Preparation").upper() == "YES" for volume in volumes]
    by_name = [bool(_T2_PREPARATION.search(_description(volume))) for volume in volumes]
    for volume, tagged, named in zip(volumes, by_tag, by_name, strict=True):
        if "method" in table.settings(volume.label):
            continue
        text = _description(volume)
        alone = bool(_T2.search(text)) and not _SPIN_LOCK.search(text)
        if (tagged and not all(by_tag)) or (named and not all(by_name)) or alone:
            where = "attribute T2 Preparation" if tagged and not all(by_tag) else "description"
            found[volume.label] = f"T2-prepared ({where}), no spin-lock image: {_CURE} if it is one"
    return found


def _description(volume: Volume) -> str:
    return volume.frames[0].header.text("SeriesDescription")


def in_echo_times(volumes: Sequence[Volume]) -> tuple[dict[str, float], dict[str, str]]:
    """Spin-lock times [s] in EchoTime by label, and why those of others are none.

    Volumes are compared within one grid and one name; where names differ, within one grid. Series of several names
    that all have their times are compared with each other, too.
    """
    times: dict[str, float] = {}
    unknown: dict[str, str] = {}
    named: dict[str, list[Volume]] = {}
    for volume in volumes:
        named.setdefault(volume.words, []).append(volume)
    for grid in by_grid(volumes):
        parts = [[volume for volume in own if volume in grid] for own in named.values()]
        told = [part for part in parts if any(_of_group(part))]
        if len(told) > 1 and not _repeats(told):
            told = [[volume for part in told for volume in part]]
        rest = [volume for volume in grid if not any(volume in part for part in told)]
        for group in (*told, rest):
            own, why = _of_group(group)
            times |= own
            unknown |= why
    return times, unknown


def _of_group(group: Sequence[Volume]) -> tuple[dict[str, float], dict[str, str]]:
    """Times in EchoTime of volumes that belong together; or why there are none; or neither where EchoTime is one."""
    stated = [volume.frames[0].header.number("EchoTime") for volume in group]
    if None in stated or len(set(clusters(stated, floor=TIME_ROUNDING / SECONDS))) < 2:
        return {}, {}
    echoes = {volume.frames[0].header.text("EchoNumbers") for volume in group}
    if len(echoes) > 1 and not all(COUNTED_AS_ECHOES.search(volume.words) for volume in group):
        return {}, {}  # echoes of one excitation: there the echo time is one
    blocks = _blocks(group)
    series = _by_series(group)
    again = len(series) > 1 and len(series) == len(blocks) and _repeats(series)
    if len(blocks) > 1 and not again:
        said = " and ".join(", ".join(f"{_echo_time(volume):g}" for volume in block) for block in blocks)
        why = f"EchoTime holds two preparations one after the other ({said} ms), as spin lock and T2 of MAPSS: {_CURE}"
        return {}, {volume.label: why for volume in group}
    sign = _sign_of_t2(group)
    if sign:
        why = f"EchoTime ({{:g}} ms) may be that of a spin lock or of a T2 preparation: {sign}: {_CURE}"
        return {}, {volume.label: why.format(_echo_time(volume)) for volume in group}
    if not again and len(set(clusters(stated, floor=TIME_ROUNDING / SECONDS))) < len(group):
        return {}, {}
    return {volume.label: round(_echo_time(volume) * SECONDS, 9) for volume in group}, {}


def _sign_of_t2(group: Sequence[Volume]) -> str:
    """What says that T2-prepared images may be among those of rising echo times; "" where nothing does."""
    if any(_T2.search(_description(volume)) and _SPIN_LOCK.search(_description(volume)) for volume in group):
        return "the description names both"
    counts = {
        volume.frames[0].header.private_number(*_N_T2) for volume in group if _MAPSS.search(volume.words)
    }
    if any((count or 0.0) > 0.0 for count in counts):
        return "(0019,10AA) counts T2 preparations"
    return ""


def _blocks(group: Sequence[Volume]) -> list[list[Volume]]:
    """The volumes in the order in which they were measured, in runs of rising or falling EchoTime.

    Numbers of instances and frames are less sure than those of echoes: there only two rising or two long runs are no
    chance. Elsewhere, and where no number tells the order, one run in the order of EchoTime.
    """
    headers = [volume.frames[0].header for volume in group]
    for keyword in _ORDERS:
        ordered = _sorted(group, [header.number(keyword) for header in headers])
        if ordered:
            return _runs(ordered)
    firsts = [
        min((frame.header.number("InstanceNumber") or 0.0, frame.header.frame) for frame in volume.frames)
        for volume in group
    ]
    runs = _runs(_sorted(group, firsts))
    if len(runs) == 2 and (min(map(len, runs)) >= _LONG or all(map(_rises, runs))):
        return runs
    return [sorted(group, key=_echo_time)]


def _sorted(group: Sequence[Volume], numbers: Sequence[object]) -> list[Volume]:
    """The volumes by series and these numbers; none where they do not tell all of them apart."""
    series = [volume.frames[0].header.number("SeriesNumber") or 0.0 for volume in group]
    keys: list[Any] = list(zip(series, numbers, strict=True))
    if None in numbers or len(set(keys)) < len(keys):
        return []
    return [group[index] for index in sorted(range(len(group)), key=lambda index: keys[index])]


def _rises(run: Sequence[Volume]) -> bool:
    return len(run) == 1 or _echo_time(run[0]) < _echo_time(run[-1])


def _runs(ordered: Sequence[Volume]) -> list[list[Volume]]:
    runs: list[list[Volume]] = []
    direction = 0.0
    for volume in ordered:
        step = _echo_time(volume) - _echo_time(runs[-1][-1]) if runs else 0.0
        if abs(step) <= TIME_ROUNDING / SECONDS or step * direction < 0.0:
            runs.append([volume])
            direction = 0.0
        else:
            runs[-1].append(volume)
            direction = step
    return runs


def _by_series(group: Sequence[Volume]) -> list[list[Volume]]:
    series: dict[str, list[Volume]] = {}
    for volume in group:
        series.setdefault(volume.series, []).append(volume)
    return list(series.values())


def _repeats(groups: Sequence[Sequence[Volume]]) -> bool:
    """True where all groups hold the same times, each once."""
    numbers = clusters(
        [_echo_time(volume) for group in groups for volume in group], floor=TIME_ROUNDING / SECONDS
    )
    held: list[list[int]] = []
    for group in groups:
        held.append(sorted(numbers[: len(group)]))
        numbers = numbers[len(group) :]
    return all(own == held[0] and 1 < len(set(own)) == len(own) for own in held)


def _echo_time(volume: Volume) -> float:
    """EchoTime of a volume that states it [ms]."""
    return volume.frames[0].header.number("EchoTime") or 0.0
