"""Who was scanned: read where it is asked for, taken out by default (DICOM PS3.15, Basic Confidentiality Profile)."""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from rmqnet.domain.subject import OFF_CENTER, Sex, Side
from rmqnet.io.dicom.header import Header
from rmqnet.io.dicom.volumes import Volume

METHOD = "rmqnet: PS3.15 Basic Profile, UIDs remapped"
"""What DICOM calls the De-identification Method."""

_SIDES: dict[str, Side] = {"L": "left", "LEFT": "left", "R": "right", "RIGHT": "right"}
_SIDE_WORDS: dict[Side, re.Pattern[str]] = {
    "left": re.compile(r"(?<![a-z])(left|lt|links|gauche)(?![a-z])|(?<![a-z])l[\s_.-]*knee", re.IGNORECASE),
    "right": re.compile(r"(?<![a-z])(right|rt|rechts|droit)(?![a-z])|(?<![a-z])r[\s_.-]*knee", re.IGNORECASE),
}
_SIDE_KEYWORDS = ("SeriesDescription", "ProtocolName", "StudyDescription", "BodyPartExamined")


@dataclass(frozen=True)
class Remapper:
    """Other UIDs for the UIDs of one import: equal ones stay equal, and nobody can tell from which they come.

    The key is made anew for every import and kept nowhere.
    """

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def __call__(self, uid: str) -> str:
        """The UID that stands for this one."""
        digest = hashlib.sha256(self.key + uid.encode()).digest()
        # 122 random bits in the form of a version 4 UUID, which is a UID below 2.25
        bits = int.from_bytes(digest[:16]) & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62
        return f"2.25.{bits}"


def keep_uid(uid: str) -> str:
    """The UID itself."""
    return uid


UidMap = Callable[[str], str]
"""Which UID stands in the output for one of the source."""

PATIENT_KEYWORDS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyDescription",
    "ReferringPhysicianName",
)
"""What is kept of the person and the visit with `keep_identity`."""


def person_key(header: Header) -> tuple[str, str]:
    """What tells people apart; never written."""
    return header.text("PatientID"), header.text("PatientName")


def patient_facts(header: Header) -> dict[str, str]:
    """The person and the visit as the source names them."""
    return {keyword: header.text(keyword) for keyword in PATIENT_KEYWORDS}


def age_and_sex(header: Header) -> tuple[float | None, Sex | None]:
    """Age in years and sex; None where the header does not say them ("000Y" says nothing)."""
    match = re.fullmatch(r"(\d{3})([YMWD])", header.text("PatientAge").upper())
    per_year = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
    age = float(match[1]) / per_year[match[2]] if match and int(match[1]) else None
    sexes: dict[str, Sex] = {"F": "female", "M": "male"}
    return age, sexes.get(header.text("PatientSex").upper())


def stated_side(volume: Volume) -> tuple[Side, str] | None:
    """Side of the knee in a volume and where it stands; None where no tag and no name says one side."""
    header = volume.frames[0].header
    for keyword in ("ImageLaterality", "Laterality"):
        side = _SIDES.get(header.text(keyword).upper())
        if side:
            return side, keyword
    for keyword in _SIDE_KEYWORDS:
        sides: list[Side] = [
            side for side, pattern in _SIDE_WORDS.items() if pattern.search(header.text(keyword))
        ]
        if len(sides) == 1:
            return sides[0], keyword
    return None


def side_of_position(volume: Volume) -> Side | None:
    """Side by where the volume lies in the magnet; None where it lies near the middle."""
    right = float(volume.center[0])
    if abs(right) < OFF_CENTER:
        return None
    return "right" if right > 0 else "left"
