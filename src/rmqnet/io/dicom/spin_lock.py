"""Spin-lock times of DICOM volumes: from the user's table, a tag, the description, or the echo time; never silently."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rmqnet.io.dicom.header import SECONDS
from rmqnet.io.dicom.settings_table import SettingsTable
from rmqnet.io.dicom.time_text import TimeInText, milliseconds_in, spin_lock_time_in
from rmqnet.io.dicom.volumes import Volume, by_grid

_NAMED = re.compile(r"t1[\s_-]?rho|t1r(?![a-z])|spin[\s_-]?lock|(?<![a-z])tsl|cubequant|mapss", re.IGNORECASE)
_ADIABATIC = re.compile(r"adiab|(?<![a-z])ahp(?![a-z])", re.IGNORECASE)
_COUNTED_AS_ECHOES = re.compile(r"cubequant|mapss", re.IGNORECASE)
"""Sequences that number their spin-lock times as echoes."""
_T2 = re.compile(r"(?<![a-z0-9])t2(?!\*)", re.IGNORECASE)
_FEWEST_COUNTED = 3
"""Images whose times without a unit are 1, 2, 3 (or 0, 1, 2) from which on these count the images: our choice."""


@dataclass(frozen=True)
class SpinLockTime:
    """The time of one volume and where it was found."""

    seconds: float
    source: str
    """In words, for the sidecar and the person."""
    in_echo_time: bool = False
    """True where the header's echo time is the spin-lock time, so that the echo time is not known."""


def is_spin_lock(name: str) -> bool:
    """True where the name of a series speaks of spin lock or T1rho; of MAPSS and CubeQuant there are T2 series, too."""
    named = _NAMED.findall(name)
    if named and all(_COUNTED_AS_ECHOES.fullmatch(word) for word in named) and _T2.search(name):
        return False
    return bool(named or _ADIABATIC.search(name))


def is_adiabatic(name: str) -> bool:
    """True where the name of a series speaks of an adiabatic preparation."""
    return bool(_ADIABATIC.search(name))


def spin_lock_times(
    volumes: Sequence[Volume], table: SettingsTable, tag: tuple[int, int] | None
) -> tuple[dict[str, SpinLockTime], dict[str, str]]:
    """Spin-lock times by label, of the volumes for which one is known; and why that of others is not known.

    Order: the user's table; the tag that the user names [ms]; the description, where it differs between volumes;
    the echo time, where it differs between volumes on one grid that are named after spin lock: with a preparation
    that varies and an echo that does not, scanners put the time of the preparation there (GE CubeQuant, MAPSS).
    """
    found: dict[str, SpinLockTime] = {}
    for volume in volumes:
        own = table.settings(volume.label).get("spin_lock_time")
        if isinstance(own, float):
            found[volume.label] = SpinLockTime(own, f"table {table.path.name if table.path else ''}".strip())
        elif tag is not None and (seconds := _from_tag(volume, tag)) is not None:
            found[volume.label] = SpinLockTime(seconds, f"tag ({tag[0]:04X},{tag[1]:04X})")
    open_ones = [volume for volume in volumes if volume.label not in found]
    found |= _from_descriptions(open_ones)
    open_ones = [volume for volume in open_ones if volume.label not in found]
    stated = {volume.words for volume in volumes if "spin_lock_time" in table.settings(volume.label)}
    # whoever gives the times of some images of a series has looked at all of them
    times, unknown = _from_echo_times([volume for volume in open_ones if volume.words not in stated])
    return found | times, unknown


def _from_tag(volume: Volume, tag: tuple[int, int]) -> float | None:
    value = volume.frames[0].header.tag(*tag)
    return None if value is None else milliseconds_in(value)


def _from_descriptions(volumes: Sequence[Volume]) -> dict[str, SpinLockTime]:
    """Times in the names of series; several volumes of one series share its name, so it can't tell theirs apart."""
    series = [volume.series for volume in volumes]
    own = [volume for volume in volumes if series.count(volume.series) == 1]
    times = {volume.label: time for volume in own if (time := _in_names(volume.names)) is not None}
    echo_times = {volume.frames[0].header.number("EchoTime") for volume in own if volume.label in times}
    if len({time.seconds for time in times.values()}) == 1 and len(echo_times) > 1:
        return {}  # one number in all names, and something else varies: it is no time of a single image
    if _count_the_images(times.values()):
        return {}
    return {label: SpinLockTime(time.seconds, "series description") for label, time in times.items()}


def _in_names(names: Sequence[str]) -> TimeInText | None:
    """The time in the names of a volume; None where two of them state different ones."""
    times = {time.seconds: time for name in names if (time := spin_lock_time_in(name)) is not None}
    return next(iter(times.values())) if len(times) == 1 else None


def _count_the_images(times: Iterable[TimeInText]) -> bool:
    """True for 1, 2, 3 without units: "TSL 1" to "TSL 4" are numbers of images, no times."""
    times = list(times)
    values = sorted({round(time.seconds / SECONDS, 6) for time in times})
    one_by_one = all(later - earlier == 1 for earlier, later in pairwise(values))
    return (
        len(values) >= _FEWEST_COUNTED
        and one_by_one
        and values[0] in (0, 1)
        and not any(time.has_unit for time in times)
    )


def _from_echo_times(volumes: Sequence[Volume]) -> tuple[dict[str, SpinLockTime], dict[str, str]]:
    """Times of volumes on one grid and of one name; where names differ, of all on one grid."""
    named: dict[str, list[Volume]] = {}
    for volume in volumes:
        named.setdefault(volume.words, []).append(volume)
    found: dict[str, SpinLockTime] = {}
    unknown: dict[str, str] = {}
    for own in named.values():
        _all_different(by_grid(own), found, unknown)
    rest = [volume for volume in volumes if volume.label not in found and volume.label not in unknown]
    _all_different(by_grid(rest), found, unknown)
    return found, unknown


def _all_different(
    groups: Sequence[Sequence[Volume]], found: dict[str, SpinLockTime], unknown: dict[str, str]
) -> None:
    """Add the volumes of the groups whose echo times differ to those found, or say why they are no spin-lock times."""
    for group in groups:
        times = [volume.frames[0].header.number("EchoTime") for volume in group]
        echoes = {volume.frames[0].header.text("EchoNumbers") for volume in group}
        if len(echoes) > 1 and not all(_COUNTED_AS_ECHOES.search(volume.words) for volume in group):
            continue  # echoes of one excitation: there the echo time is one
        blocks = _blocks(group)
        if len(blocks) > 1 and None not in times and len(set(times)) > 1:
            said = " and ".join(", ".join(f"{_echo_time(one):g}" for one in block) for block in blocks)
            for volume in group:
                unknown[volume.label] = (
                    f"EchoTime holds two preparations one after the other ({said} ms), as spin lock and T2 of MAPSS: "
                    "give the spin-lock images their times in a table (--settings), column spin_lock_time"
                )
        elif len(group) > 1 and None not in times and len(set(times)) == len(group):
            for volume, time in zip(group, times, strict=True):
                seconds = round(float(time or 0.0) * SECONDS, 9)
                found[volume.label] = SpinLockTime(seconds, "EchoTime", in_echo_time=True)


def _blocks(volumes: Sequence[Volume]) -> list[list[Volume]]:
    """Volumes in the order of their numbers, cut where echo times no longer rise (or fall) as before.

    One block where two volumes have the same numbers, so that the order is not known.
    """
    placed = {_place_in_order(volume): volume for volume in volumes}
    if len(placed) < len(volumes):
        return [list(volumes)]
    blocks: list[list[Volume]] = []
    for _, volume in sorted(placed.items(), key=lambda item: item[0]):
        block = blocks[-1] if blocks else []
        steps = [_echo_time(later) - _echo_time(earlier) for earlier, later in pairwise([*block, volume])]
        if block and (all(step > 0 for step in steps) or all(step < 0 for step in steps)):
            block.append(volume)
        else:
            blocks.append([volume])
    return blocks


def _place_in_order(volume: Volume) -> tuple[float, ...]:
    """The numbers of a volume in its examination; instance numbers may run in any order."""
    header = volume.frames[0].header
    keywords = ("SeriesNumber", "EchoNumbers", "TemporalPositionIdentifier", "AcquisitionNumber")
    return tuple(header.number(keyword) or 0.0 for keyword in keywords)


def _echo_time(volume: Volume) -> float:
    return volume.frames[0].header.number("EchoTime") or 0.0
