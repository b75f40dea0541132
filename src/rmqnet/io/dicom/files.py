"""The files below a folder, and what of it can't be read; nothing is passed over without a word."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MARKS = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ")
"""First bytes of zip, gzip, 7z, rar, bzip2 and xz files."""
_PREAMBLE = 128
_GROUPS = (b"\x08\x00", b"\x02\x00", b"\x00\x08")
"""Group of the first element of a data set or of its file meta information, in either order of bytes."""
ARCHIVES = "archives: unpack them first"
"""What such files are called."""


def files_below(folder: Path) -> tuple[list[Path], list[tuple[str, str]]]:
    """All files below a folder in a fixed order; names of what can't be read, and why.

    Links to folders are not followed: they may lead out of the folder, or in a circle.
    """
    found: list[Path] = []
    unread: list[tuple[str, str]] = []

    def tell(error: OSError) -> None:
        name = Path(str(error.filename)).name
        unread.append((f"folder {name}", f"can't be read ({error.strerror}): change its permissions"))

    for place, folders, names in os.walk(folder, onerror=tell):
        for name in folders:
            if (path := Path(place, name)).is_symlink():
                unread.append((f"folder {name}", f"a link to {path.readlink()}: give that folder itself"))
        for name in names:
            path = Path(place, name)
            if path.is_file():
                found.append(path)
            else:
                unread.append((name, "no file: a link to nothing, or a device"))
    return sorted(found), sorted(unread)


def other_file(path: Path) -> str:
    """What a file is that is no DICOM file, with the cure where there is one."""
    with path.open("rb") as stream:
        start = stream.read(_PREAMBLE + 8)
    if not start:
        return "empty: copy them again"
    if start.startswith(_MARKS):
        return ARCHIVES
    if any(start[place:].startswith(_GROUPS) for place in (0, _PREAMBLE, _PREAMBLE + 4)):
        return 'look like DICOM without the mark "DICM" and can\'t be read: export them again'
    return "no DICOM files"


def missing_files(path: Path, directory: "Dataset") -> int:
    """Number of files that a DICOMDIR names and that are not beside it, in names of any case."""
    missing = 0
    for record in directory.get("DirectoryRecordSequence") or ():
        parts = record.get("ReferencedFileID")
        if parts:
            name = "/".join([parts] if isinstance(parts, str) else map(str, parts))
            missing += not any((path.parent / own).exists() for own in (name, name.lower()))
    return missing
