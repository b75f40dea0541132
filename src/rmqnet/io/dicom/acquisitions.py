"""Which volumes are flip-angle series, AFI pair and spin-lock images, and how each was acquired."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.io.dicom.frames import LeftOut
from rmqnet.io.dicom.header import SECONDS, component_name
from rmqnet.io.dicom.settings_table import SKIP, SettingsTable
from rmqnet.io.dicom.spin_lock import is_adiabatic, is_spin_lock, spin_lock_times
from rmqnet.io.dicom.volumes import Volume, by_grid

_AFI = re.compile(r"(?<![a-z])afi(?![a-z])|actual[\s_-]?flip|b1[\s_+-]*map", re.IGNORECASE)
_VFA = re.compile(
    r"(?<![a-z])vfa(?![a-z])|variable[\s_-]?flip|(?<![a-z])flip[\s_-]?\d|(?<![a-z])fa[\s_-]?\d|despot|t1[\s_-]?map",
    re.IGNORECASE,
)
_LOCALIZER = re.compile(
    r"locali[sz]er|(?<![a-z])loc(?![a-z])|scout|survey|(?<![a-z])plan(?![a-z])", re.IGNORECASE
)
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


@dataclass(frozen=True)
class Recognition:
    """What was made of the volumes of one knee."""

    found: tuple[FoundVolume, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    """Sentences about what was assumed, and what looks wrong."""


def recognize(volumes: Sequence[Volume], table: SettingsTable, tag: tuple[int, int] | None) -> Recognition:
    """Methods and settings of the volumes of one knee; one grid per method, each contrast once."""
    left_out: list[LeftOut] = []
    usable: list[Volume] = []
    for volume in volumes:
        problem = _unsuitable(volume, table.settings(volume.label))
        if problem:
            left_out.append(_left(volume, problem))
        else:
            usable.append(volume)
    notes: list[str] = []
    candidates: list[FoundVolume] = []
    spin_lock = [v for v in usable if _kind(v, table) == "spin_lock"]
    pair = [v for v in usable if _kind(v, table) == "afi"]
    rest = [v for v in usable if _kind(v, table) == ""]
    for recognizer, group in ((_spin_lock, spin_lock), (_afi, pair), (_unnamed, rest)):
        found, others = recognizer(group, table, tag, notes)
        candidates += found
        left_out += others
    kept, others = _one_grid_each(candidates)
    kept, repeated = _each_contrast_once(kept)
    return Recognition(tuple(kept), (*left_out, *others, *repeated), tuple(notes))


def _kind(volume: Volume, table: SettingsTable) -> str:
    """spin_lock, afi, vfa as unnamed ("") or as the user says."""
    settings = table.settings(volume.label)
    method = settings.get("method")
    if method in ("spin_lock", "adiabatic_t1rho") or (method is None and "spin_lock_time" in settings):
        return "spin_lock"
    if method is not None:
        return "afi" if method == "afi" else ""
    for name in volume.names:
        if _AFI.search(name):
            return "afi"
        if is_spin_lock(name):
            return "spin_lock"
        if _VFA.search(name):
            return ""
    return ""


def _unsuitable(volume: Volume, settings: Mapping[str, object]) -> str:
    """Why a volume is of no use; "" where it may be."""
    header = volume.frames[0].header
    kinds = header.words("ImageType")
    if settings.get("method") == SKIP:
        return "the table says skip"
    if "LOCALIZER" in kinds or _LOCALIZER.search(volume.words):
        return "a localizer"
    if header.component != "M":
        return f"{component_name(header.component)} images: only magnitude is used"
    if kinds[:2] == ("DERIVED", "SECONDARY") or {"MPR", "PROJECTION IMAGE", "MIP"} & set(kinds):
        return "derived by the scanner, not measured"
    return ""


def _left(volume: Volume, why: str) -> LeftOut:
    return LeftOut(f"series {volume.label}", len(volume.frames), why)


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


def _spin_lock(
    volumes: Sequence[Volume], table: SettingsTable, tag: tuple[int, int] | None, notes: list[str]
) -> tuple[list[FoundVolume], list[LeftOut]]:
    times = spin_lock_times(volumes, table, tag)
    found: list[FoundVolume] = []
    left_out: list[LeftOut] = []
    for volume in volumes:
        if volume.label not in times:
            why = "spin-lock time not known: give it in a table (--settings), column spin_lock_time"
            left_out.append(_left(volume, why))
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


def _afi(
    volumes: Sequence[Volume], table: SettingsTable, _tag: tuple[int, int] | None, _notes: list[str]
) -> tuple[list[FoundVolume], list[LeftOut]]:
    found: list[FoundVolume] = []
    left_out: list[LeftOut] = []
    for group in by_grid(volumes):
        times = [_settings(volume, table)["repetition_time_excitation"] for volume in group]
        angles = {_settings(volume, table)["flip_angle"] for volume in group}
        if len(group) != 2:
            why = f"AFI needs two volumes on one grid, here are {len(group)}: name the pair in a table (--settings)"
        elif None in times or times[0] == times[1]:
            why = (
                "an AFI pair whose two repetition times its headers do not tell apart: give them in a table "
                "(--settings), column repetition_time_excitation"
            )
        elif len(angles) > 1:
            why = "the two AFI volumes have different flip angles"
        else:
            for volume, other in zip(group, reversed(times), strict=True):
                settings = _settings(volume, table) | {"repetition_time_other": other}
                _try(found, left_out, volume, "afi", settings)
            continue
        left_out += [_left(volume, why) for volume in group]
    if len(found) == 1:  # one of the pair is implausible: the other is of no use
        left_out.append(_left(found[0].volume, "the other AFI volume can't be used"))
        found = []
    return found, left_out


def _unnamed(
    volumes: Sequence[Volume], table: SettingsTable, tag: tuple[int, int] | None, notes: list[str]
) -> tuple[list[FoundVolume], list[LeftOut]]:
    """Flip-angle series and AFI pairs by their settings, where no name says what they are."""
    found: list[FoundVolume] = []
    left_out: list[LeftOut] = []
    series: dict[str, list[Volume]] = {}
    for volume in volumes:
        series.setdefault(volume.frames[0].series, []).append(volume)
    open_ones: list[Volume] = []
    for group in series.values():
        if not _looks_like_afi(group, table):
            open_ones += group
            continue
        pair, others = _afi(group, table, tag, notes)
        found += pair
        left_out += others
    for group in by_grid(open_ones):
        kinds: dict[tuple, list[Volume]] = {}
        for volume in group:
            own = _settings(volume, table)
            kinds.setdefault((own["repetition_time_excitation"], own["echo_time"]), []).append(volume)
        for kind in kinds.values():
            angles = {_settings(volume, table)["flip_angle"] for volume in kind}
            for volume in kind:
                stated = table.settings(volume.label).get("method") == "vfa"
                if len(angles) > 1 or stated or _VFA.search(volume.words):
                    _try(found, left_out, volume, "vfa", _settings(volume, table))
                else:
                    left_out.append(_left(volume, "neither spin lock, AFI nor one of several flip angles"))
    return found, left_out


def _looks_like_afi(group: Sequence[Volume], table: SettingsTable) -> bool:
    """True for two volumes of one series and one flip angle whose repetition times are far apart."""
    if len(group) != 2 or any("method" in table.settings(volume.label) for volume in group):
        return False
    one, other = (_settings(volume, table) for volume in group)
    times = sorted(own["repetition_time_excitation"] or 0.0 for own in (one, other))
    return one["flip_angle"] == other["flip_angle"] and 0.0 < times[0] * _AFI_RATIO <= times[1]


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
        left_out.append(_left(volume, f"{error}"))


def _one_grid_each(found: Sequence[FoundVolume]) -> tuple[list[FoundVolume], list[LeftOut]]:
    """The volumes of each method that share its most used grid, and the others."""
    kept: list[FoundVolume] = []
    left_out: list[LeftOut] = []
    for method in dict.fromkeys(item.acquisition.method for item in found):
        own = {item.volume.label: item for item in found if item.acquisition.method == method}
        groups = by_grid([item.volume for item in own.values()])
        largest = max(groups, key=lambda group: (len(group), group[0].shape[2]))
        kept += [own[volume.label] for volume in largest]
        for group in groups:
            for volume in group if group is not largest else ():
                left_out.append(_left(volume, _other_grid(volume, largest[0])))
    return kept, left_out


def _other_grid(volume: Volume, others: Volume) -> str:
    n_own, n_others = volume.shape[2], others.shape[2]
    if volume.shape[:2] == others.shape[:2] and n_own < n_others:
        return f"half a series: {n_own} slices where the others of its kind have {n_others}"
    return f"on another grid than the others of its kind (series {others.label})"


def _each_contrast_once(found: Sequence[FoundVolume]) -> tuple[list[FoundVolume], list[LeftOut]]:
    """Of volumes with one contrast the last measured; a scan is repeated where the first was not good."""
    last: dict[tuple, FoundVolume] = {}
    left_out: list[LeftOut] = []
    for item in sorted(found, key=_measured):
        key = (item.acquisition.method, item.acquisition.label)
        if key in last:
            why = f"the same contrast as series {item.volume.label}, which was measured later"
            left_out.append(_left(last[key].volume, why))
        last[key] = item
    return [item for item in found if item in last.values()], left_out


def _measured(item: FoundVolume) -> tuple[str, str, float]:
    header = item.volume.frames[0].header
    number = header.number("SeriesNumber")
    when = header.text("AcquisitionDateTime") or header.text("AcquisitionDate") + header.text(
        "AcquisitionTime"
    )
    return (header.text("SeriesDate"), when or header.text("SeriesTime"), number or 0.0)
