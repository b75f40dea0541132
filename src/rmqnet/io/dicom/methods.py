"""The acquisitions of volumes whose method is known, and of those that only their settings tell apart."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.rounding import TIME_ROUNDING, clusters, same
from rmqnet.io.dicom.frames import LeftOut
from rmqnet.io.dicom.header import SECONDS
from rmqnet.io.dicom.settings_table import SettingsTable
from rmqnet.io.dicom.spin_lock import SpinLockTime, is_adiabatic, spin_lock_times
from rmqnet.io.dicom.volumes import Volume, by_grid

VFA_NAME = re.compile(
    r"(?<![a-z])vfa(?![a-z])|variable[\s_-]?flip|(?<![a-z])flip[\s_-]?\d|(?<![a-z])fa[\s_-]?\d|despot",
    re.IGNORECASE,
)
"""Names of flip-angle series."""
_AFI_RATIO = 2.0
"""Least ratio of two repetition times that makes an unnamed pair of volumes AFI (default)."""
_MULTISPOKE = ("repetition_time_preparation", "spokes_per_preparation", "spoke_spacing")


@dataclass(frozen=True, eq=False)
class FoundVolume:
    """A volume that is imported."""

    volume: Volume
    acquisition: Acquisition
    source: str = ""
    """Where the spin-lock time was found; "" for other methods."""


def leave_out(volume: Volume, why: str) -> LeftOut:
    """The record of a volume that is not imported."""
    description = volume.frames[0].header.text("SeriesDescription")
    return LeftOut(f"series {volume.label}", len(volume.frames), why, description)


def _settings(volume: Volume, table: SettingsTable) -> dict[str, Any]:
    """Flip angle, repetition time and echo time of a volume, and what else the user says."""
    header = volume.frames[0].header
    times = {"repetition_time_excitation": "RepetitionTime", "echo_time": "EchoTime"}
    settings: dict[str, Any] = {
        name: None if (value := header.number(keyword)) is None else round(value * SECONDS, 9)
        for name, keyword in times.items()
    }
    settings["flip_angle"] = header.number("FlipAngle")
    if {"FS", "FATSAT"} & set(header.words("ScanOptions")):
        settings["fat_saturated"] = True
    stated = {key: value for key, value in table.settings(volume.label).items() if key != "method"}
    return settings | stated


def find_spin_lock(
    volumes: Sequence[Volume], table: SettingsTable, tag: tuple[int, int] | None, notes: list[str]
) -> tuple[list[FoundVolume], list[LeftOut]]:
    """Spin-lock images whose time is known, and the others; what is assumed is added to `notes`."""
    times, unknown = _times_by_kind(volumes, table, tag)
    found: list[FoundVolume] = []
    left_out: list[LeftOut] = []
    for volume in volumes:
        if volume.label not in times:
            why = "spin-lock time not known: give it in a table (--settings), column spin_lock_time"
            left_out.append(leave_out(volume, unknown.get(volume.label, why)))
            continue
        time = times[volume.label]
        settings = _settings(volume, table) | {"spin_lock_time": time.seconds}
        if time.in_echo_time:
            settings["echo_time"] = table.settings(volume.label).get("echo_time")
        method: Method = "adiabatic_t1rho" if all(settings.get(key) for key in _MULTISPOKE) else "spin_lock"
        if method == "spin_lock":
            # of a segmented read-out, the repetition time is no spacing of excitations
            settings = {
                k: v for k, v in settings.items() if k in ("spin_lock_time", "flip_angle", "echo_time")
            }
            if is_adiabatic(volume.words) or table.settings(volume.label).get("method") == "adiabatic_t1rho":
                notes.append(
                    f"Series {volume.label}: adiabatic, but {', '.join(_MULTISPOKE)} stand in no DICOM header: "
                    "it is taken as mono-exponential until a table (--settings) gives them."
                )
        else:
            settings["repetition_time_excitation"] = None
            if settings.get("fat_saturated") and "fat_saturation_time" not in settings:
                notes.append(
                    f"Series {volume.label}: fat was saturated, but no DICOM header says for how long: 0 s is taken "
                    "until a table (--settings) gives fat_saturation_time."
                )
        _try(found, left_out, volume, method, settings, time.source)
    return found, left_out


def _times_by_kind(
    volumes: Sequence[Volume], table: SettingsTable, tag: tuple[int, int] | None
) -> tuple[dict[str, SpinLockTime], dict[str, str]]:
    """Spin-lock times by label, and why others are not known: within one kind, else within one series of it."""
    times: dict[str, SpinLockTime] = {}
    unknown: dict[str, str] = {}
    for kind in _grouped(volumes, lambda volume: volume.kind):
        found, why = spin_lock_times(kind, table, tag)
        if not found and not why:
            several = [own for own in _grouped(kind, lambda volume: volume.series) if len(own) > 1]
            for series in several:
                own, own_why = spin_lock_times(series, table, tag)
                found, why = found | own, {**why, **own_why}
        times |= found
        unknown |= why
    return times, unknown


def _grouped(volumes: Sequence[Volume], key: Callable[[Volume], Hashable]) -> list[list[Volume]]:
    groups: dict[Hashable, list[Volume]] = {}
    for volume in volumes:
        groups.setdefault(key(volume), []).append(volume)
    return list(groups.values())


def find_afi(
    volumes: Sequence[Volume], table: SettingsTable, _tag: tuple[int, int] | None, _notes: list[str]
) -> tuple[list[FoundVolume], list[LeftOut]]:
    """AFI images, or none: volumes of two repetition times on one grid."""
    found: list[FoundVolume] = []
    left_out: list[LeftOut] = []
    for group in by_grid(volumes):
        own = [_settings(volume, table) for volume in group]
        times = [settings["repetition_time_excitation"] for settings in own]
        numbers = clusters(times, floor=TIME_ROUNDING)
        angles = set(clusters([settings["flip_angle"] for settings in own]))
        if len(group) < 2 or len(set(numbers)) > 2:
            why = f"AFI needs two volumes on one grid, here are {len(group)}: name the pair in a table (--settings)"
        elif None in times or len(set(numbers)) == 1:
            why = (
                "an AFI pair whose two repetition times its headers do not tell apart: give them in a table "
                "(--settings), column repetition_time_excitation"
            )
        elif len(angles) > 1:
            why = "the two AFI volumes have different flip angles"
        else:
            for volume, settings, number in zip(group, own, numbers, strict=True):
                settings["repetition_time_other"] = times[numbers.index(1 - number)]
                _try(found, left_out, volume, "afi", settings)
            continue
        left_out += [leave_out(volume, why) for volume in group]
    if len({item.acquisition.repetition_time_excitation for item in found}) == 1:
        # one of the pair is implausible: the other is of no use
        left_out += [leave_out(item.volume, "the other AFI volume can't be used") for item in found]
        found = []
    return found, left_out


def find_by_settings(
    volumes: Sequence[Volume], table: SettingsTable, tag: tuple[int, int] | None, notes: list[str]
) -> tuple[list[FoundVolume], list[LeftOut]]:
    """Flip-angle series and AFI pairs by their settings, where no name says what they are."""
    found: list[FoundVolume] = []
    left_out: list[LeftOut] = []
    open_ones: list[Volume] = []
    for group in _grouped(volumes, lambda volume: (volume.series, volume.kind)):
        if not _looks_like_afi(group, table):
            open_ones += group
            continue
        pair, others = find_afi(group, table, tag, notes)
        found += pair
        left_out += others
    for group in by_grid(open_ones):
        own = {volume.label: _settings(volume, table) for volume in group}
        times = [
            clusters([settings[name] for settings in own.values()], floor=TIME_ROUNDING)
            for name in ("repetition_time_excitation", "echo_time")
        ]
        alike = dict(zip(own, zip(*times, strict=True), strict=True))
        for kind in _grouped(group, lambda volume, alike=alike: alike[volume.label]):
            angles = set(clusters([own[volume.label]["flip_angle"] for volume in kind]))
            for volume in kind:
                stated = table.settings(volume.label).get("method") == "vfa"
                if len(angles) > 1 or stated or VFA_NAME.search(volume.words):
                    _try(found, left_out, volume, "vfa", own[volume.label])
                else:
                    left_out.append(
                        leave_out(
                            volume,
                            "neither spin lock, AFI nor one of several flip angles: a row with its method in a table "
                            "(--settings) takes it all the same",
                        )
                    )
    return found, left_out


def _looks_like_afi(group: Sequence[Volume], table: SettingsTable) -> bool:
    """True for two volumes of one series and one flip angle whose repetition times are far apart."""
    if len(group) != 2 or any("method" in table.settings(volume.label) for volume in group):
        return False
    one, other = (_settings(volume, table) for volume in group)
    times = sorted(own["repetition_time_excitation"] or 0.0 for own in (one, other))
    return same(one["flip_angle"], other["flip_angle"]) and 0.0 < times[0] * _AFI_RATIO <= times[1]


def _try(
    found: list[FoundVolume],
    left_out: list[LeftOut],
    volume: Volume,
    method: Method,
    settings: Mapping[str, Any],
    source: str = "",
) -> None:
    """Add the volume to those found, or to those left out where its settings make no acquisition."""
    try:
        found.append(FoundVolume(volume, Acquisition(method, **settings), source))
    except InputError as error:
        left_out.append(leave_out(volume, f"{error}"))
