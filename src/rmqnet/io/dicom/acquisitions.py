"""Which volumes are flip-angle series, AFI pair and spin-lock images, and which of them are taken."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rmqnet.domain.rounding import same
from rmqnet.io.dicom.frames import LeftOut
from rmqnet.io.dicom.header import component_name
from rmqnet.io.dicom.kinds import plainly_a_map
from rmqnet.io.dicom.methods import (
    VFA_NAME,
    FoundVolume,
    find_afi,
    find_by_settings,
    find_spin_lock,
    leave_out,
)
from rmqnet.io.dicom.selection import one_consistent_set
from rmqnet.io.dicom.settings_table import SKIP, SettingsTable
from rmqnet.io.dicom.spin_lock import is_spin_lock
from rmqnet.io.dicom.volumes import Volume

_AFI = re.compile(r"(?<![a-z])afi(?![a-z])|actual[\s_-]?flip|b1[\s_+-]*map", re.IGNORECASE)
_LOCALIZER = re.compile(
    r"locali[sz]er|(?<![a-z])loc(?![a-z])|scout|survey|(?<![a-z])plan(?![a-z])", re.IGNORECASE
)
_TAKE = "a row with its method in a table (--settings) takes it all the same"


@dataclass(frozen=True)
class Recognition:
    """What was made of the volumes of one knee."""

    found: tuple[FoundVolume, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    """Sentences about what was assumed, and what looks wrong."""


def recognize(volumes: Sequence[Volume], table: SettingsTable, tag: tuple[int, int] | None) -> Recognition:
    """Methods and settings of the volumes of one knee; one consistent set per method."""
    left_out: list[LeftOut] = []
    usable: list[Volume] = []
    for volume in volumes:
        problem = _unsuitable(volume, table.settings(volume.label), volumes)
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
    kept, others, choices = one_consistent_set(candidates, table)
    return Recognition(tuple(kept), (*left_out, *others), (*notes, *choices))


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


def _unsuitable(volume: Volume, settings: Mapping[str, object], volumes: Sequence[Volume]) -> str:
    """Why a volume is of no use; "" where it may be."""
    header, kind = volume.frames[0].header, volume.kind
    if settings.get("method") == SKIP:
        return "the table says skip"
    if kind.component != "M":
        return f"{component_name(kind.component)} images: only magnitude is used"
    if "method" in settings:
        return ""
    if "LOCALIZER" in header.words("ImageType") or _LOCALIZER.search(volume.words):
        return "a localizer"
    if kind.computed == "derived":
        return f"derived (ImageType), not measured: {_TAKE}"
    if kind.computed:
        return f"{kind.computed}, computed by the scanner and not measured: {_TAKE}"
    if _named_map(volume, volumes):
        return f"named a map (description), not a measured image: {_TAKE}"
    if kind.dixon == "fat":
        return f"the fat part of a Dixon image, which shows no cartilage: {_TAKE}"
    return ""


def _named_map(volume: Volume, volumes: Sequence[Volume]) -> bool:
    """True where the description of a volume names a map, and no other volume of this description differs in contrast.

    The images from which a protocol called "T1 map" makes its map have its name, too.
    """
    header = volume.frames[0].header
    description = header.text("SeriesDescription")
    if not plainly_a_map(description):
        return False
    keywords = ("FlipAngle", "RepetitionTime", "EchoTime", "InversionTime")
    headers = [other.frames[0].header for other in volumes]
    return all(
        same(header.number(keyword), other.number(keyword))
        for other in headers
        if other.text("SeriesDescription") == description
        for keyword in keywords
    )
