"""Spin-lock times of DICOM volumes: from the user's table, a tag, the description, or the echo time; never silently."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rmqnet.io.dicom.header import SECONDS
from rmqnet.io.dicom.settings_table import SettingsTable
from rmqnet.io.dicom.volumes import Volume, by_grid

_NAMED = re.compile(r"t1[\s_-]?rho|t1r(?![a-z])|spin[\s_-]?lock|(?<![a-z])tsl|cubequant|mapss", re.IGNORECASE)
_ADIABATIC = re.compile(r"adiab|(?<![a-z])ahp(?![a-z])", re.IGNORECASE)
_COUNTED_AS_ECHOES = re.compile(r"cubequant|mapss", re.IGNORECASE)
"""Sequences that number their spin-lock times as echoes."""
_NUMBER = r"(\d+(?:[.p]\d+)?)(?![\d.]*\s*[/,;+&-]\s*\d)"
_OTHER_TIMES = re.compile(
    r"(?<![a-z])(?:tr|te|ti)[\s_=:]*\d+(?:[.p]\d+)?\s*_?(?:ms|us|s)?(?![a-z])", re.IGNORECASE
)
_TIME = (
    re.compile(
        rf"(?:(?<![a-z])tsl|spin[\s_-]?lock(?:[\s_-]?time)?)[\s_=:]*{_NUMBER}\s*_?(ms|us|s)?(?![a-z])",
        re.IGNORECASE,
    ),
    re.compile(rf"(?<![\d.]){_NUMBER}\s*_?(ms)(?![a-z])", re.IGNORECASE),
)
_UNITS = {"ms": SECONDS, "us": SECONDS**2, "s": 1.0, "": SECONDS}


@dataclass(frozen=True)
class SpinLockTime:
    """The time of one volume and where it was found."""

    seconds: float
    source: str
    """In words, for the sidecar and the person."""
    in_echo_time: bool = False
    """True where the header's echo time is the spin-lock time, so that the echo time is not known."""


def is_spin_lock(name: str) -> bool:
    """True where the name of a series speaks of spin lock or T1rho."""
    return bool(_NAMED.search(name) or _ADIABATIC.search(name))


def is_adiabatic(name: str) -> bool:
    """True where the name of a series speaks of an adiabatic preparation."""
    return bool(_ADIABATIC.search(name))


def spin_lock_times(
    volumes: Sequence[Volume], table: SettingsTable, tag: tuple[int, int] | None
) -> dict[str, SpinLockTime]:
    """Spin-lock times by label, of the volumes for which one is known.

    Order: the user's table; the tag that the user names [ms]; the description, where it differs between volumes;
    the echo time, where it differs between volumes on one grid that are named after spin lock: with a preparation
    that varies and an echo that does not, scanners put the time of the preparation there (GE CubeQuant, MAPSS).
    """
    found: dict[str, SpinLockTime] = {}
    for volume in volumes:
        stated = table.settings(volume.label).get("spin_lock_time")
        if isinstance(stated, float):
            found[volume.label] = SpinLockTime(
                stated, f"table {table.path.name if table.path else ''}".strip()
            )
        elif tag is not None and (seconds := _from_tag(volume, tag)) is not None:
            found[volume.label] = SpinLockTime(seconds, f"tag ({tag[0]:04X},{tag[1]:04X})")
    open_ones = [volume for volume in volumes if volume.label not in found]
    found |= _from_descriptions(open_ones)
    open_ones = [volume for volume in open_ones if volume.label not in found]
    return found | _from_echo_times(open_ones)


def _from_tag(volume: Volume, tag: tuple[int, int]) -> float | None:
    value = volume.frames[0].header.tag(*tag)
    match = re.search(r"\d+(?:\.\d+)?", str(value)) if value is not None else None
    return None if match is None else float(match[0]) * SECONDS


def _from_descriptions(volumes: Sequence[Volume]) -> dict[str, SpinLockTime]:
    """Times in the names of series; several volumes of one series share its name, so it can't tell theirs apart."""
    series = [volume.frames[0].series for volume in volumes]
    own = [volume for volume in volumes if series.count(volume.frames[0].series) == 1]
    times = {volume.label: seconds for volume in own if (seconds := _in_words(volume.words)) is not None}
    echo_times = {volume.frames[0].header.number("EchoTime") for volume in own if volume.label in times}
    if len(set(times.values())) == 1 and len(echo_times) > 1:
        return {}  # one number in all names, and something else varies: it is no time of a single image
    return {label: SpinLockTime(seconds, "series description") for label, seconds in times.items()}


def _in_words(words: str) -> float | None:
    for pattern in _TIME:
        times = {
            round(float(match[1].replace("p", ".")) * _UNITS[(match[2] or "").lower()], 9)
            for match in pattern.finditer(_OTHER_TIMES.sub(" ", words))
        }
        if len(times) == 1:
            return times.pop()
    return None


def _from_echo_times(volumes: Sequence[Volume]) -> dict[str, SpinLockTime]:
    """Times of volumes on one grid and of one name; where names differ, of all on one grid."""
    named: dict[str, list[Volume]] = {}
    for volume in volumes:
        named.setdefault(volume.words, []).append(volume)
    found: dict[str, SpinLockTime] = {}
    for own in named.values():
        found |= _all_different(by_grid(own))
    return found | _all_different(by_grid(volume for volume in volumes if volume.label not in found))


def _all_different(groups: Sequence[Sequence[Volume]]) -> dict[str, SpinLockTime]:
    found: dict[str, SpinLockTime] = {}
    for group in groups:
        times = [volume.frames[0].header.number("EchoTime") for volume in group]
        echoes = {volume.frames[0].header.text("EchoNumbers") for volume in group}
        if len(echoes) > 1 and not all(_COUNTED_AS_ECHOES.search(volume.words) for volume in group):
            continue  # echoes of one excitation: there the echo time is one
        if len(group) > 1 and None not in times and len(set(times)) == len(group):
            for volume, time in zip(group, times, strict=True):
                seconds = round(float(time or 0.0) * SECONDS, 9)
                found[volume.label] = SpinLockTime(seconds, "EchoTime", in_echo_time=True)
    return found
