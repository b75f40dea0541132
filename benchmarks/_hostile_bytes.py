"""Ways to spoil a file whatever it holds, and values that no field expects."""

import gzip
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from numpy.random import Generator

NASTY: tuple[object, ...] = (
    float("nan"), float("inf"), -float("inf"), -1, 0, 1e308, -1e308, 1e-320, 2**31, 2**63, 10**400, -(10**30),
    True, None, "", "5", "NaN", "1e999", [], {}, [1, 2], [[[]]], {"a": {"b": []}}, "../../x", "/etc/passwd",
    "<script>alert(1)</script>", "</script><!--", "=cmd|' /C calc'!A0", "\x1b[2J\x1b]0;owned\x07", "a\nb\r\nc",
    "\u202egnp.exe", "\ud800", "A" * 100_000, "\x00", "e\u0301\U0001f9b5", "%s%n{0}", "sub-01", [None] * 10_000,
)  # fmt: skip
"""Wrong values of JSON fields."""

NASTY_CELLS = (
    "nan", "inf", "-1", "1e999", "9" * 5000, "1_0", "\u0665", "\u00b2", "0x10", "", "n/a", "../../x", "sub-../../x",
    "/etc/passwd", "<script>alert(1)</script>", "=1+1", "\x1b[2J", "\x00", "\u202e", "A" * 200_000, "sub-01", "\u2028",
    "--5", "5 5", "true", "\x0b", '"', "'", "\\", "{}", "%n",
)  # fmt: skip
"""Wrong cells of tables."""


def flip(content: bytes, rng: Generator, limit: int | None = None) -> bytes:
    """One to eight bits turned, within the first `limit` bytes."""
    if not content:
        return content
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        place = int(rng.integers(0, min(len(changed), limit or len(changed))))
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def flip_start(content: bytes, rng: Generator) -> bytes:
    """Bits turned in the first 512 bytes, where headers are."""
    return flip(content, rng, 512)


def truncate(content: bytes, rng: Generator) -> bytes:
    """Only the start, perhaps nothing."""
    return content[: int(rng.integers(0, len(content) + 1))]


def cut_out(content: bytes, rng: Generator) -> bytes:
    """A piece left out."""
    first, second = sorted(int(n) for n in rng.integers(0, len(content) + 1, 2))
    return content[:first] + content[second:]


def overwrite(content: bytes, rng: Generator) -> bytes:
    """A piece replaced by zeros, by 0xFF or by noise."""
    start, length = int(rng.integers(0, len(content) + 1)), int(rng.integers(1, 65))
    piece = (bytes(length), b"\xff" * length, rng.bytes(length))[int(rng.integers(3))]
    return content[:start] + piece + content[start + length :]


def insert(content: bytes, rng: Generator) -> bytes:
    """Noise put in."""
    start = int(rng.integers(0, len(content) + 1))
    return content[:start] + rng.bytes(int(rng.integers(1, 65))) + content[start:]


def append(content: bytes, rng: Generator) -> bytes:
    """Noise behind the end."""
    return content + rng.bytes(int(rng.integers(1, 5000)))


SPOILERS: tuple[Callable[[bytes, Generator], bytes], ...] = (
    flip, flip, flip_start, flip_start, truncate, cut_out, overwrite, overwrite, insert, append,
)  # fmt: skip
"""Ways to spoil bytes, the more telling ones twice."""


def spoil(path: Path, rng: Generator) -> str:
    """Spoil a file in place; inside a gzip, as often as not, what it holds. Returns how."""
    how = SPOILERS[int(rng.integers(len(SPOILERS)))]
    content = path.read_bytes()
    inside = content[:2] == b"\x1f\x8b" and rng.random() < 0.7
    path.write_bytes(gzip.compress(how(gzip.decompress(content), rng), 1) if inside else how(content, rng))
    return how.__name__ + (" inside gzip" if inside else "")


@cache
def gzip_bomb(gigabytes: int, start: bytes = b"") -> bytes:
    """A gzip of this start and so many GB of zeros; its sum, which stands at the end, is left at 0."""
    block = bytes(1 << 24)
    n_blocks = gigabytes * 10**9 // len(block)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    once = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    size = (len(start) + n_blocks * len(block)) % 2**32
    end = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
    return head + packed + once * n_blocks + end + struct.pack("<II", 0, size)


def deflate_bomb(gigabytes: int) -> bytes:
    """As `gzip_bomb`, without head and end."""
    return gzip_bomb(gigabytes)[10:-8]
