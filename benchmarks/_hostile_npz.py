"""K-space in NPZ to attack."""

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from _hostile_bytes import deflate_bomb
from _hostile_format import Attack, Format, chosen
from _hostile_kspace import ARRAYS, COMMON, make, read_raw, wrong_rows
from numpy.random import Generator


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def _wrong_npz(folder: Path, rng: Generator) -> str:
    path = folder / "raw.npz"
    fields = _read_npz(path)
    if rng.random() < 0.4:
        fields["acquisitions"] = np.array(wrong_rows(str(fields["acquisitions"]), rng))
        np.savez(path, **fields)  # pyright: ignore
        return "acquisitions"
    name, value = chosen(tuple(fields), rng), chosen(ARRAYS, rng)
    np.savez(path, **(fields | {name: value}))
    return f"{name} = {str(value)[:40]!r}"


def _npz_field(name: str, value: Any) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        fields = _read_npz(folder / "raw.npz")
        np.savez(folder / "raw.npz", **(fields | {name: value}))

    return attack


def _npy(shape: str, descr: str = "'<c8'", content: bytes = b"") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def _member(name: str, content: bytes, method: int = zipfile.ZIP_STORED) -> Attack:
    """Replace one member of the archive."""

    def attack(folder: Path, _rng: Generator) -> None:
        path = folder / "raw.npz"
        with zipfile.ZipFile(path) as archive:
            others = {item: archive.read(item) for item in archive.namelist() if item != name}
        with zipfile.ZipFile(path, "w") as archive:
            for item, old in others.items():
                archive.writestr(item, old)
            archive.writestr(name, content, method)

    return attack


def _zip_bomb(name: str, head: bytes) -> Attack:
    """A member that unfolds to 3 GB."""

    def attack(folder: Path, rng: Generator) -> None:
        import zlib

        mark = b"\0" * 64
        _member(name, head + mark, zipfile.ZIP_DEFLATED)(folder, rng)
        path = folder / "raw.npz"
        with zipfile.ZipFile(path) as archive:
            others = {item: archive.read(item) for item in archive.namelist() if item != name}
        packed = zlib.compressobj(9, zlib.DEFLATED, -15)
        own = packed.compress(head) + packed.flush(zlib.Z_FULL_FLUSH) + deflate_bomb(3)
        size = len(head) + 3 * 10**9 // 2**24 * 2**24
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for item, old in others.items():
                archive.writestr(item, old)
            info = zipfile.ZipInfo(name)
            info.header_offset, info.file_size, info.compress_size = stream.tell(), size, len(own)
            info.compress_type, info.CRC = zipfile.ZIP_DEFLATED, 0
            stream.write(info.FileHeader() + own)
            archive.filelist.append(info)
            archive.NameToInfo[name] = info
            archive.start_dir = stream.tell()
        path.write_bytes(stream.getvalue())

    return attack


def _pickle_of(value: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, value, allow_pickle=True)
    return stream.getvalue()


class _Evil:
    """Makes a file where it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


def _repeated(folder: Path, _rng: Generator) -> None:
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(folder / "raw.npz", "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("samples.npy", archive.read("samples.npy")[::1])


NPZ = Format(
    "npz",
    make("npz"),
    ("raw.npz",),
    read_raw,
    _wrong_npz,
    {
        **{name: _npz_field(*value) for name, value in COMMON.items()},
        "pickle as samples": _member("samples.npy", _pickle_of(np.array([_Evil()], object))),
        "pickle as shape": _member("shape.npy", _pickle_of(np.array([_Evil()], object))),
        "plain pickle": _member("shape.npy", pickle.dumps(_Evil())),
        "samples of 2^62": _member("samples.npy", _npy(f"(2, {2**62}, 4, 4)")),
        "samples whose size overflows to 0": _member("samples.npy", _npy(f"(2, {2**32}, {2**32}, 1)")),
        "negative samples": _member("samples.npy", _npy("(2, -3, -20, 16)", content=bytes(10_000))),
        "items of 1 GB": _member("shape.npy", _npy("(3,)", "'<U250000000'", bytes(100))),
        "header of code": _member("shape.npy", _npy("__import__('os').system('touch x')")),
        "header nested deep": _member("shape.npy", _npy("(" * 900 + ")" * 900)),
        "a name twice": _repeated,
        "zip bomb as samples": _zip_bomb("samples.npy", _npy("(2, 8, 1000, 20000)")),
        "zip bomb as trajectory": _zip_bomb("trajectory.npy", _npy("(7000, 35000, 3)", "'<f4'")),
        "zip bomb behind shape": _zip_bomb("shape.npy", _npy("(3,)", "'<i8'", struct.pack("<3q", 4, 12, 10))),
        "LZMA": _member("shape.npy", _npy("(3,)", "'<i8'", struct.pack("<3q", 4, 12, 10)), zipfile.ZIP_LZMA),
    },
    {"zip bomb that nobody asked for": _zip_bomb("other.npy", _npy("(375000000,)", "'<f8'"))},
)
