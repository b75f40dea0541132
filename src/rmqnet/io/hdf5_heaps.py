"""Heaps of an HDF5 file, in which its texts and lists of any length lie."""

import mmap
import struct
from pathlib import Path
from typing import Any

from rmqnet.domain.errors import InputError

_START = b"GCOL\x01\x00\x00\x00"
"""Signature, version and reserved bytes of a global heap (HDF5 file format specification 3.0, III.E)."""
_HEAP_SIZE = struct.Struct("<Q")
_OBJECT = struct.Struct("<HH4xQ")
"""Index, number of references and length of an object of a heap."""
_WRAP = 1 << 64
"""libhdf5 counts in 64 bits."""


def check_heaps(path: Path, file: Any) -> None:
    """Refuse a file that libhdf5 would read for ever: an object of a heap that takes no space is followed by itself.

    The library goes from object to object without looking whether it gets on (HDFGroup/hdf5 issue 1707). `file` is the
    open file, of which no text or list has been read yet.
    """
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise InputError(f"{path}: its addresses do not have 64 bits: rewrite it with h5repack")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = content.find(_START)
        while place >= 0:
            place = content.find(_START, _checked_heap(path, content, place))


def _checked_heap(path: Path, content: mmap.mmap, place: int) -> int:
    """Where the search for the next heap goes on."""
    inside = place + len(_START)
    if inside + _HEAP_SIZE.size > len(content):
        return len(content)
    end = place + _HEAP_SIZE.unpack_from(content, inside)[0]
    if end > len(content):  # libhdf5 says so itself
        return inside
    here = inside + _HEAP_SIZE.size
    while here + _OBJECT.size <= end:
        index, _, length = _OBJECT.unpack_from(content, here)
        step = length if index == 0 else (_OBJECT.size + (length + 7) // 8 * 8) % _WRAP
        if step == 0:
            raise InputError(f"{path}: is damaged at byte {here}: copy it again")
        here += step
    return max(end, inside)
