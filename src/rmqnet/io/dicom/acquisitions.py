"""Which volumes are flip-angle series, AFI pair and spin-lock images, and which of them are taken."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rmqnet.io.dicom.frames import LeftOut
from rmqnet.io.dicom.header import component_name
from rmqnet.io.dicom.methods import (
    VFA_NAME,
    FoundVolume,
    find_afi,
    find_by_settings,
    find_spin_lock,
    leave_out,
)
from rmqnet.io.dicom.settings_table import SKIP, SettingsTable
from rmqnet.io.dicom.spin_lock import is_spin_lock
from rmqnet.io.dicom.volumes import Volume, by_grid

_AFI = re.compile(r"(?<![a-z])afi(?![a-z])|actual[\s_-]?flip|b1[\s_+-]*map", re.IGNORECASE)
_LOCALIZER = re.compile(
    r"locali[sz]er|(?<![a-z])loc(?![a-z])|scout|survey|(?<![a-z])plan(?![a-z])", re.IGNORECASE
)


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
            left_out.append(leave_out(volume, problem))
        else:
            usable.append(volume)
    notes: list[str] = []
    candidates: list[FoundVolume] = []
    spin_lock = [v for v in usable if _kind(v, table) == "spin_lock"]
    pair = [v for v in usable if _kind(v, table) == "afi"]
    rest = [v for v in usable if _kind(v, table) == ""]
    for recognizer, group in ((find_spin_lock, spin_lock), (find_afi, pair), (find_by_settings, rest)):
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
        if VFA_NAME.search(name):
            return ""
    return ""


def _unsuitable(volume: Volume, settings: Mapping[str, object]) -> str:
    """Why a volume is of no use; "" where it may be."""
    header = volume.frames[0].header
    kinds = header.words("ImageType")
    if settings.get("method") == SKIP:
        return "the table says skip"
    if header.component != "M":
        return f"{component_name(header.component)} images: only magnitude is used"
    if "method" in settings:
        return ""
    if "LOCALIZER" in kinds or _LOCALIZER.search(volume.words):
        return "a localizer"
    if kinds[:1] == ("DERIVED",) or {"MPR", "PROJECTION IMAGE", "MIP"} & set(kinds):
        # a scanner's T1 map has the settings of the images it is made from
        return "derived (ImageType), not measured: a row with its method in a table (--settings) takes it all the same"
    return ""


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
                left_out.append(leave_out(volume, _other_grid(volume, largest[0])))
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
            left_out.append(leave_out(last[key].volume, why))
        last[key] = item
    return [item for item in found if item in last.values()], left_out


def _measured(item: FoundVolume) -> tuple[str, str, float]:
    header = item.volume.frames[0].header
    number = header.number("SeriesNumber")
    when = header.text("AcquisitionDateTime") or header.text("AcquisitionDate") + header.text(
        "AcquisitionTime"
    )
    return (header.text("SeriesDate"), when or header.text("SeriesTime"), number or 0.0)
