"""Of the volumes of a method one consistent set: one grid, one kind, one measurement, each contrast once."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.rounding import TIME_ROUNDING, clusters, same
from rmqnet.io.dicom.frames import LeftOut
from rmqnet.io.dicom.kinds import ImageKind, other_words
from rmqnet.io.dicom.methods import FoundVolume, leave_out
from rmqnet.io.dicom.scaling import rescan_note
from rmqnet.io.dicom.settings_table import SettingsTable
from rmqnet.io.dicom.volumes import by_grid
from rmqnet.io.text_numbers import numbers_in_text

_AFTER = re.compile(
    r"(?<![a-z])(?:post|gd|gado?\w*|\+\s*c|km|dce|after)(?![a-z])|(?<![a-z])contrast[\s_-]*(?:agent|enhanced)",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"(?<![a-z])(?:pre|nativ\w*|w/?o|without|ohne|before)(?![a-z])", re.IGNORECASE)
_AGAIN = re.compile(
    r"(?<![a-z])(?:rpt|rep|repeat(?:ed)?|rerun|re-?scan|redo|again|retry|wdh|2nd|second)(?![a-z])|\(\d\)",
    re.IGNORECASE,
)
"""Words of a rescan in a description."""
_DIXON_ORDER = ("", "in phase", "water", "opposed phase", "fat")
_CORRECTION_ORDER = ("3D", "2D", "")
_CRITERIA = (
    "it has the most contrasts",
    "it has the most slices",
    "its images are of one kind in every value of ImageType",
    "it has the kind of most images of this knee",
    "it was measured before the contrast agent",
    "images that are not split into fat and water come first, then in phase, water, opposed phase",
    "images whose distortion is corrected come first",
    "images as measured come before normalized, filtered or moved ones: their noise is even",
    "it was measured first: a contrast agent may have been given after it",
)
"""What makes one set better than another, in this order (our choice)."""
_NAMES: dict[str, str] = {"vfa": "flip-angle series", "afi": "AFI pairs"}


@dataclass(frozen=True, eq=False)
class _Item:
    """A volume and what it has in common with others."""

    found: FoundVolume
    contrast: int
    """Number of its contrast among those of the method."""
    common: tuple
    """What is never mixed: grid, kind, contrast agent, coil, echo time."""
    strict: tuple
    """What is one within a set where that covers as many contrasts."""
    text: str
    """Description without words of a rescan."""
    stem: str
    """The same without the number of its contrast."""

    @property
    def kind(self) -> ImageKind:
        return self.found.volume.kind


def one_consistent_set(
    found: Sequence[FoundVolume], table: SettingsTable
) -> tuple[list[FoundVolume], list[LeftOut], list[str]]:
    """The volumes that are taken, those that are not, and sentences about each choice.

    A set is of one grid, kind, contrast agent, coil and echo time, and of one measurement. Volumes whose method stands
    in the user's table are always taken.
    """
    kept: list[FoundVolume] = []
    left_out: list[LeftOut] = []
    notes: list[str] = []
    by_method = {
        method: _items([item for item in found if item.acquisition.method == method])
        for method in dict.fromkeys(item.acquisition.method for item in found)
    }
    everything = [item for items in by_method.values() for item in items]
    for method, items in by_method.items():
        stated = [item for item in items if "method" in table.settings(item.found.volume.label)]
        chosen, rule = _chosen(items, stated, everything)
        if method == "afi" and len({item.contrast for item in chosen}) == 1:
            why = "the other AFI volume is of another kind, or can't be used"
            left_out += [leave_out(item.found.volume, why) for item in items]
            continue
        kept += [item.found for item in chosen]
        if rule:
            series = ", ".join(item.found.volume.label for item in chosen)
            name = _NAMES.get(method, "spin-lock images")
            notes.append(
                f"Several sets of {name} can be made: series {series} ({chosen[0].kind.in_words}) are taken, because "
                f"{rule}. Rows with the method skip for these in a table (--settings) take the next set."
            )
        left_out += [leave_out(item.found.volume, _why(item, chosen)) for item in items if item not in chosen]
        for item in items:
            later = None if item in chosen else _rescan_of(item, chosen)
            notes += [] if later is None else rescan_note(item.found, later.found)
    return kept, left_out, notes


def _items(found: Sequence[FoundVolume]) -> list[_Item]:
    """The volumes of one method, in the order in which they were measured."""
    found = sorted(found, key=_measured)
    values = [_contrast_value(item.acquisition) for item in found]
    floor = 0.0 if found[0].acquisition.method == "vfa" else TIME_ROUNDING
    grids = {
        volume.label: number
        for number, group in enumerate(by_grid([item.volume for item in found]))
        for volume in group
    }
    echo_times = clusters([item.acquisition.echo_time for item in found], floor=TIME_ROUNDING)
    repetitions = clusters(
        [item.acquisition.repetition_time_excitation for item in found], floor=TIME_ROUNDING
    )
    angles = clusters([item.acquisition.flip_angle for item in found])
    is_vfa = found[0].acquisition.method == "vfa"
    is_steady = is_vfa or found[0].acquisition.method == "afi"
    items: list[_Item] = []
    for place, (item, contrast) in enumerate(zip(found, clusters(values, floor=floor), strict=True)):
        header, kind = item.volume.frames[0].header, item.volume.kind
        text = " ".join(_AGAIN.sub(" ", header.text("SeriesDescription").lower()).split())
        after = header.contrast_agent or bool(_AFTER.search(text) and not _BEFORE.search(text))
        common = (
            grids[item.volume.label],
            (kind.dixon, kind.distortion_correction, kind.normalized, kind.filtered, kind.motion_corrected),
            after,
            header.text("ReceiveCoilName").upper(),
            # of spin-lock images, the echo time may be the time of the preparation
            echo_times[place] if is_steady else 0,
        )
        # the repetition time of an AFI image is its contrast
        timing = repetitions[place] if item.acquisition.method != "afi" else 0
        strict = (other_words(header), timing, echo_times[place], 0 if is_vfa else angles[place])
        items.append(_Item(item, contrast, common, strict, text, _stem(text, values[place])))
    return items


def _contrast_value(acquisition: Acquisition) -> float | None:
    if acquisition.method == "vfa":
        return acquisition.flip_angle
    if acquisition.method == "afi":
        return acquisition.repetition_time_excitation
    return acquisition.spin_lock_time


def _stem(text: str, value: float | None) -> str:
    """A description without the number of its own contrast, in degrees, seconds or ms."""
    factors = (1.0, QUANTITIES["T1"].display_factor)
    for number in reversed(numbers_in_text(text)):
        own = number.value
        if value is not None and own is not None and any(same(own, value * factor) for factor in factors):
            text = f"{text[: number.start]}#{text[number.end :]}"
    return text


def _chosen(
    items: Sequence[_Item], stated: Sequence[_Item], everything: Sequence[_Item]
) -> tuple[list[_Item], str]:
    """The best set with what the user states, and what made it the best; "" where there was no choice."""
    forced = _latest(stated)
    covered = {item.contrast for item in forced}
    others = [item for item in items if item not in stated and item.contrast not in covered]
    if forced:
        others = [item for item in others if item.common in {one.common for one in forced}]
    sets = _sets(others)
    if not sets:
        return [item for item in items if item in forced], ""
    scored = sorted(((_score(members, everything), members) for members in sets), key=lambda one: one[0])
    best, members = scored[-1]
    # a lone image is not a set: its row among those left out says enough
    rivals = [score for score, other in scored if len(other) > 1 and not set(other) <= set(members)]
    rule = ""
    if rivals and not forced:
        differing = [
            place for place, (own, other) in enumerate(zip(best, rivals[-1], strict=True)) if own != other
        ]
        rule = _CRITERIA[differing[0]] if differing else _CRITERIA[-1]
    return [item for item in items if item in forced or item in members], rule


def _sets(items: Sequence[_Item]) -> list[list[_Item]]:
    """All consistent sets: of one kind, of one kind and wording, of one kind in every value."""
    found: list[list[_Item]] = []
    for key in (
        lambda item: item.common,
        lambda item: (item.common, item.stem),
        lambda item: (item.common, item.strict),
    ):
        groups: dict[tuple, list[_Item]] = {}
        for item in items:
            groups.setdefault(key(item), []).append(item)
        for group in groups.values():
            found += [_latest(block) for block in _measurements(group)]
    return found


def _measurements(group: Sequence[_Item]) -> list[list[_Item]]:
    """The volumes of one kind, in the order of time, by measurement.

    A contrast that comes again begins another measurement, as after a contrast agent. It is a rescan where it follows
    itself, or where it alone comes again, with the same description.
    """
    blocks: list[list[_Item]] = [[]]
    for item in group:
        last = blocks[-1]
        known = {one.contrast for one in last}
        rescan = bool(last) and (last[-1].contrast, last[-1].text) == (item.contrast, item.text)
        if item.contrast in known and not rescan:
            blocks.append([item])
        else:
            last.append(item)
    merged = blocks[:1]
    for block in blocks[1:]:
        last, again = merged[-1], block[0]
        known = {(one.contrast, one.text) for one in last}
        if len({one.contrast for one in block}) > 1 or (again.contrast, again.text) not in known:
            merged.append(block)
            continue
        repeats = [
            place
            for place, one in enumerate(last)
            if one.contrast != again.contrast and one.contrast in {early.contrast for early in last[:place]}
        ]
        # a second contrast that comes again makes the two another measurement
        merged[-1:] = [last[: repeats[0]], [*last[repeats[0] :], *block]] if repeats else [[*last, *block]]
    return merged


def _latest(items: Iterable[_Item]) -> list[_Item]:
    """Each contrast once, the last measured."""
    return list({item.contrast: item for item in items}.values())


def _score(members: Sequence[_Item], everything: Sequence[_Item]) -> tuple:
    first = members[0]
    alike = {
        (item.found.acquisition.method, item.contrast)
        for item in everything
        if item.common[1:3] == first.common[1:3]
    }
    kind = first.kind
    return (
        len(members),
        first.found.volume.shape[2],
        len({item.strict for item in members}) == 1,
        len(alike),
        not first.common[2],
        -_DIXON_ORDER.index(kind.dixon),
        -_CORRECTION_ORDER.index(kind.distortion_correction),
        -(kind.normalized + kind.filtered + kind.motion_corrected),
        tuple(-everything.index(item) for item in members),
    )


def _why(item: _Item, chosen: Sequence[_Item]) -> str:
    """Why a volume is not among the chosen, and what takes it all the same."""
    others = [one for one in chosen if one.common == item.common] or list(chosen)
    first = others[0]
    labels = ", ".join(one.found.volume.label for one in chosen)
    own_grid, own_kind, own_after, own_coil, _ = item.common
    grid, kind, after, coil, _ = first.common
    cure = f"to take it instead, give series {labels} the method skip in a table (--settings)"
    if own_grid != grid:
        n_own, n_others = item.found.volume.shape[2], first.found.volume.shape[2]
        if item.found.volume.shape[:2] == first.found.volume.shape[:2] and n_own < n_others:
            return f"half a series: {n_own} slices where the others of its kind have {n_others}"
        return f"on another grid than the others of its kind (series {first.found.volume.label})"
    if own_kind != kind:
        return f"of another kind ({item.kind.in_words}) than series {labels} ({first.kind.in_words}): {cure}"
    if own_after != after:
        return f"measured {'after' if own_after else 'before'} the contrast agent, unlike series {labels}: {cure}"
    if own_coil != coil:
        return f"measured with another coil than series {labels}: {cure}"
    if item.common != first.common:
        return f"measured with another echo time than series {labels}: {cure}"
    later = _rescan_of(item, chosen)
    if later is not None:
        return f"the same contrast as series {later.found.volume.label}, which was measured later"
    return f"of another measurement than series {labels}, which are taken together: {cure}"


def _rescan_of(item: _Item, chosen: Sequence[_Item]) -> _Item | None:
    """The chosen volume that repeats another one, of the same contrast, kind and description; None where none does."""
    key = (item.common, item.contrast, item.text)
    twin = next((one for one in chosen if (one.common, one.contrast, one.text) == key), None)
    return None if twin is None or _measured(twin.found) < _measured(item.found) else twin


def _measured(item: FoundVolume) -> tuple[str, str, float]:
    header = item.volume.frames[0].header
    number = header.number("SeriesNumber")
    when = header.text("AcquisitionDateTime") or header.text("AcquisitionDate") + header.text(
        "AcquisitionTime"
    )
    return (header.text("SeriesDate"), when or header.text("SeriesTime"), number or 0.0)
