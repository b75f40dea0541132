"""UIDs that follow from what they name, so that the same results are the same objects in every export."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import DA, DT, TM

_OPEN = "2.25.0"
"""Stands for the UIDs of an object while its content is hashed."""


def derived_uid(*parts: str) -> str:
    """The UID that belongs to these words: a name-based UUID below 2.25 (DICOM PS3.5, B.2)."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    # version 8 of RFC 9562: a UUID from a hash that is not MD5 or SHA-1
    bits = int.from_bytes(digest[:16]) & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    return f"2.25.{bits}"


def seal(result: Dataset, made: datetime) -> None:
    """Give a complete object the UIDs that follow from its content, and the time at which that was made.

    Two objects that differ in anything but time get different UIDs; the same content gets the same ones.
    """
    organizations = list(_organizations(result))
    for item in organizations:
        item.DimensionOrganizationUID = _OPEN
    result.SOPInstanceUID = result.SeriesInstanceUID = _OPEN
    _set_time(result, None)
    content = _digest(result)
    for item in organizations:
        item.DimensionOrganizationUID = derived_uid("dimensions", content)
    result.SeriesInstanceUID = derived_uid("series", content)
    result.SOPInstanceUID = derived_uid("instance", content)
    result.file_meta.MediaStorageSOPInstanceUID = UID(result.SOPInstanceUID)
    _set_time(result, made)


def _organizations(result: Dataset) -> Iterator[Dataset]:
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        yield from result.get(keyword, ())


def _set_time(result: Dataset, made: datetime | None) -> None:
    for kind in ("InstanceCreation", "Content"):
        setattr(result, f"{kind}Date", None if made is None else DA(made.strftime("%Y%m%d")))
        setattr(result, f"{kind}Time", None if made is None else TM(made.strftime("%H%M%S.%f")))
    for item in result.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in item:
            item.ContributionDateTime = None if made is None else DT(made.strftime("%Y%m%d%H%M%S.%f"))


def _digest(result: Dataset) -> str:
    stream = BytesIO()
    Dataset(result).save_as(stream, implicit_vr=False, little_endian=True, enforce_file_format=False)
    return hashlib.sha256(stream.getbuffer()).hexdigest()
