"""The files below a folder, and what of it can't be read; nothing is passed over without a word."""

import os
from pathlib import Path

_MARKS = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ")
"""First bytes of zip, gzip, 7z, rar, bzip2 and xz files."""
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
    """What a file is that is no DICOM file."""
    with path.open("rb") as stream:
        start = stream.read(8)
    return ARCHIVES if start.startswith(_MARKS) else "no DICOM files"
