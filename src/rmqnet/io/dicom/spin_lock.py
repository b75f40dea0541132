"""Spin-lock times of DICOM volumes: from the user's table, a tag, the description, or the echo time; never silently."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rmqnet.io.dicom.header import SECONDS
from rmqnet.io.dicom.preparations import COUNTED_AS_ECHOES, in_echo_times, t2_prepared
from rmqnet.io.dicom.settings_table import SettingsTable
from rmqnet.io.dicom.time_text import TimeInText, milliseconds_in, spin_lock_time_in
from rmqnet.io.dicom.volumes import Volume

_NAMED = re.compile(r"t1[\s_-]?rho|t1r(?![a-z])|spin[\s_-]?lock|(?<![a-z])tsl|cubequant|mapss", re.IGNORECASE)
_ADIABATIC = re.compile(r"adiab|(?<![a-z])ahp(?![a-z])", re.IGNORECASE)
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
    if named and all(COUNTED_AS_ECHOES.fullmatch(word) for word in named) and _T2.search(name):
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
    Nothing is guessed where the user names a tag.
    """
    found: dict[str, SpinLockTime] = {}
    for volume in volumes:
        own = table.settings(volume.label).get("spin_lock_time")
        if isinstance(own, float):
            found[volume.label] = SpinLockTime(own, f"table {table.path.name if table.path else ''}".strip())
    open_ones = [volume for volume in volumes if volume.label not in found]
    if tag is not None:
        times, unknown = _from_tag(open_ones, tag)
        return found | times, unknown
    unknown = t2_prepared(open_ones, table)
    open_ones = [volume for volume in open_ones if volume.label not in unknown]
    found |= _from_descriptions(open_ones)
    open_ones = [volume for volume in open_ones if volume.label not in found]
    stated = {
        name
        for volume in volumes
        if "spin_lock_time" in table.settings(volume.label)
        for name in (volume.words, volume.series)
    }
    # whoever gives the times of some images of a series has looked at all of them
    guessed = [volume for volume in open_ones if not {volume.words, volume.series} & stated]
    times, others = in_echo_times(guessed)
    found |= {label: SpinLockTime(time, "EchoTime", in_echo_time=True) for label, time in times.items()}
    return found, unknown | others


def _from_tag(
    volumes: Sequence[Volume], tag: tuple[int, int]
) -> tuple[dict[str, SpinLockTime], dict[str, str]]:
    """Times from the tag that the user names, and why other volumes have none."""
    name = f"({tag[0]:04X},{tag[1]:04X})"
    cure = "name another tag, or give the time in a table (--settings), column spin_lock_time"
    held = {volume.label: volume.frames[0].header.tag(*tag) for volume in volumes}
    times = {label: time for label, value in held.items() if (time := milliseconds_in(value)) is not None}
    echo_times = {volume.frames[0].header.number("EchoTime") for volume in volumes}
    if len(times) > 1 and len(set(times.values())) == 1 and len(echo_times) > 1:
        # the number of times, for example
        why = f"tag {name} holds the same in all images, which differ in EchoTime: it is no spin-lock time: {cure}"
        return {}, dict.fromkeys(held, why)
    unknown = {
        label: f"tag {name} {'is not there' if value is None else 'holds no single time'}: {cure}"
        for label, value in held.items()
        if label not in times
    }
    return {label: SpinLockTime(time, f"tag {name}") for label, time in times.items()}, unknown


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
