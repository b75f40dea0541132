"""K-space files to attack: plain HDF5, NPZ and ISMRMRD."""

import io
import json
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from _hostile_bytes import deflate_bomb
from _hostile_format import ELSEWHERE, Attack, Format, chosen, dump, nested, wrong_json
from numpy.random import Generator


def _series():
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.kspace import KSpace
    from rmqnet.domain.protocols import vfa

    rng, grid = np.random.default_rng(5), centered_grid((4, 12, 10), (3.0, 1.2, 1.5))
    shape = (2, 3, 20, 16)
    samples = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    ends = 0.5 / np.array(grid.voxel_size)
    trajectory = rng.uniform(-1, 1, (20, 1, 3)) * ends * np.linspace(0, 1, 16)[:, None]
    density = rng.uniform(0.1, 1, (20, 16)).astype(np.float32)
    times = 3.2e-5 + 3e-6 * np.arange(16)
    covariance = np.eye(3, dtype=np.complex128)
    return KSpace(
        samples, trajectory.astype(np.float32), (vfa(5.0), vfa(30.0)), grid, times, covariance, density
    )


def _make(fmt: str):
    def make(folder: Path) -> None:
        from rmqnet.io.kspace_file import ENDINGS, write_kspace

        (folder / "secret.txt").write_text(ELSEWHERE)
        write_kspace(folder / f"raw{ENDINGS[fmt]}", iter([_series()]), 2, fmt)  # pyright: ignore

    return make


def read_raw(folder: Path) -> None:
    """As `rmqnet reconstruct` reads it, each contrast."""
    from rmqnet.io.kspace_file import open_kspace

    file = open_kspace(next(folder.glob("raw.*")))
    for index in range(len(file.acquisitions)):
        file.load(index)


_ARRAYS: tuple[Any, ...] = (
    np.array(np.nan), np.array([]), np.zeros((0, 3)), np.full((20, 16, 3), np.nan, np.float32),
    np.full((20, 16, 3), 1e30), np.array([2**31, 2**31, 2**31]), np.array([-1, 4, 4]), np.array([4.5, 12, 10]),
    np.array([0, 12, 10]), np.array([2**62, 12, 10]), np.zeros((4, 4)), np.full((4, 4), np.nan), -np.eye(4),
    np.eye(4) * 1e-6, np.eye(4) * 1e6, np.eye(3), np.array("text"), np.array(b"\xff\xfe"), np.array([True]),
    np.array(1 + 2j), np.full((3, 3), np.inf + 0j), np.zeros((20, 16)), -np.ones((20, 16), np.float32),
    np.arange(16)[::-1] * 1e-6, np.arange(16) * 1e-3, np.zeros((2, 3, 20, 16), np.complex64),
    np.full((2, 3, 20, 16), np.nan, np.complex64), np.zeros((2, 3, 20, 16)), np.ones((1, 1, 1, 1), np.complex64),
    np.array(nested(5000)), np.array("[{}]"), np.array("A" * 100_000), np.array("1/lightyear"),
)  # fmt: skip


def _wrong_rows(text: str, rng: Generator) -> str:
    return dump(wrong_json(json.loads(text), rng)[0])


def _edit_hdf5(path: Path, name: str, value: Any) -> None:
    import h5py

    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        array = np.asarray(value)
        file.create_dataset(name, data=str(value) if array.dtype.kind == "U" else value)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def _wrong_hdf5(folder: Path, rng: Generator) -> str:
    import h5py

    path = folder / "raw.h5"
    with h5py.File(path) as file:
        name, rows = chosen(tuple(file), rng), file["acquisitions"][()].decode()  # pyright: ignore
    if rng.random() < 0.4:
        _edit_hdf5(path, "acquisitions", _wrong_rows(rows, rng).replace("\0", ""))
        return "acquisitions"
    value = chosen(_ARRAYS, rng)
    _edit_hdf5(path, name, value)
    return f"{name} = {str(value)[:40]!r}"


def _wrong_npz(folder: Path, rng: Generator) -> str:
    path = folder / "raw.npz"
    fields = _read_npz(path)
    if rng.random() < 0.4:
        fields["acquisitions"] = np.array(_wrong_rows(str(fields["acquisitions"]), rng))
        np.savez(path, **fields)  # pyright: ignore
        return "acquisitions"
    name, value = chosen(tuple(fields), rng), chosen(_ARRAYS, rng)
    np.savez(path, **(fields | {name: value}))
    return f"{name} = {str(value)[:40]!r}"


def _h5(change) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        import h5py

        with h5py.File(folder / "raw.h5", "a") as file:
            change(file, folder)

    return attack


def _outside(folder: Path) -> Path:
    """A whole file of k-space in another folder."""
    other = folder / "elsewhere"
    other.mkdir(exist_ok=True)
    _make("hdf5")(other)
    return other / "raw.h5"


def _external(name: str):
    def change(file: Any, folder: Path) -> None:
        import h5py

        del file[name]
        file[name] = h5py.ExternalLink(str(_outside(folder)), name)

    return change


def _soft(name: str):
    def change(file: Any, _folder: Path) -> None:
        import h5py

        file.move(name, "hidden")
        file[name] = h5py.SoftLink("/hidden")

    return change


def _virtual(file: Any, folder: Path) -> None:
    import h5py

    layout = h5py.VirtualLayout((2, 3, 20, 16), np.complex64)
    layout[:] = h5py.VirtualSource(str(_outside(folder)), "samples", (2, 3, 20, 16))
    del file["samples"]
    file.create_virtual_dataset("samples", layout)


def _external_storage(file: Any, folder: Path) -> None:
    (folder / "elsewhere.bin").write_bytes(bytes(range(256)) * 200)
    del file["samples"]
    file.create_dataset("samples", (2, 3, 20, 16), "c8", external=[(str(folder / "elsewhere.bin"), 0, 15360)])


def _huge(name: str, shape: tuple[int, ...], kind: str):
    def change(file: Any, _folder: Path) -> None:
        del file[name]
        chunks = tuple(min(n, 16) for n in shape)
        data = file.create_dataset(name, shape, kind, chunks=chunks, compression="gzip")
        data[(0,) * len(shape)] = 1

    return change


def _bomb(name: str, shape: tuple[int, ...], kind: str):
    """All chunks are there, and compress a thousandfold."""

    def change(file: Any, _folder: Path) -> None:
        import zlib

        del file[name]
        chunks = (*[1] * (len(shape) - 1), shape[-1]) if name == "samples" else shape
        data = file.create_dataset(name, shape, kind, chunks=chunks, compression="gzip", compression_opts=9)
        size = int(np.prod(chunks)) * np.dtype(kind).itemsize
        packed = zlib.compress(b"\0\0\x80\x3f" * (size // 4), 9)
        for index in np.ndindex(*(n // c for n, c in zip(shape, chunks, strict=True))):
            data.id.write_direct_chunk(tuple(i * c for i, c in zip(index, chunks, strict=True)), packed)

    return change


def _group(file: Any, _folder: Path) -> None:
    del file["samples"]
    file.create_group("samples")


def _loop(file: Any, _folder: Path) -> None:
    import h5py

    del file["samples"]
    file["samples"] = h5py.SoftLink("/samples")


def _objects(file: Any, _folder: Path) -> None:
    import h5py

    del file["trajectory"]
    file.create_dataset("trajectory", (3,), h5py.special_dtype(ref=h5py.Reference))


_COMMON = {
    "more than any grid": ("shape", np.array([2**31, 2**31, 2**31])),
    "grid of 2^62": ("shape", np.array([2**62, 12, 10])),
    "grid of 20,000 cubed": ("shape", np.array([20000, 20000, 20000])),
    "grid of fractions": ("shape", np.array([4.5, 12, 10])),
    "negative grid": ("shape", np.array([-4, 12, 10])),
    "grid of NaN": ("shape", np.full(3, np.nan)),
    "complex read times": ("read_times", np.arange(16) * 1e-6j),
    "NaN read times": ("read_times", np.full(16, np.nan)),
    "complex trajectory": ("trajectory", np.full((20, 16, 3), 0.1 + 1j)),
    "NaN affine": ("affine", np.full((4, 4), np.nan)),
    "affine without its last row": ("affine", np.diag([1.0, 1.0, 1.0, 7.0])),
    "voxels of 10 m": ("affine", np.diag([1e4, 1e4, 1e4, 1.0])),
    "rows nested 5,000 deep": ("acquisitions", np.array(nested(5000))),
    "rows nested 100,000 deep": ("acquisitions", np.array(nested(100_000))),
    "flip angle of 5000 digits": (
        "acquisitions", np.array('[{"Method": "vfa", "FlipAngle": ' + "9" * 5000 + "}]"),
    ),
    "a list as method": ("acquisitions", np.array('[{"Method": [], "FlipAngle": 5}]')),
}  # fmt: skip


def _h5_field(name: str, value: Any) -> Attack:
    return lambda folder, _rng: _edit_hdf5(folder / "raw.h5", name, value)


def _npz_field(name: str, value: Any) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        fields = _read_npz(folder / "raw.npz")
        np.savez(folder / "raw.npz", **(fields | {name: value}))

    return attack


HDF5 = Format(
    "hdf5",
    _make("hdf5"),
    ("raw.h5",),
    read_raw,
    _wrong_hdf5,
    {
        **{name: _h5_field(*value) for name, value in _COMMON.items()},
        "external link to samples": _h5(_external("samples")),
        "external link to trajectory": _h5(_external("trajectory")),
        "external link to text": _h5(_external("acquisitions")),
        "external storage": _h5(_external_storage),
        "virtual dataset": _h5(_virtual),
        "soft link to itself": _h5(_loop),
        "a group for samples": _h5(_group),
        "references for numbers": _h5(_objects),
        "huge samples": _h5(_huge("samples", (2, 64, 65535, 65535), "c8")),
        "huge samples within memory": _h5(_huge("samples", (2, 8, 20000, 4000), "c8")),
        "2^60 contrasts": _h5(_huge("samples", (2**60, 1, 1, 1), "c8")),
        "huge trajectory": _h5(_huge("trajectory", (2**20, 2**20, 3), "f4")),
        "huge read times": _h5(_huge("read_times", (2**40,), "f8")),
        "huge other field": _h5(_huge("density", (2**20, 2**20), "f4")),
        "samples that unfold": _h5(_bomb("samples", (2, 8, 100, 2**20), "c8")),
        "trajectory that unfolds": _h5(_bomb("trajectory", (300, 2**20, 3), "f4")),
    },
    {
        "soft link to samples": _h5(_soft("samples")),
        "huge field that nobody asked for": lambda folder, _rng: _h5(_unasked)(folder, _rng),
    },
)


def _unasked(file: Any, _folder: Path) -> None:
    file.create_dataset("other", (2**40,), "f8", chunks=(1024,))


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
    _make("npz"),
    ("raw.npz",),
    read_raw,
    _wrong_npz,
    {
        **{name: _npz_field(*value) for name, value in _COMMON.items()},
        "pickle as samples": _member("samples.npy", _pickle_of(np.array([_Evil()], object))),
        "pickle as shape": _member("shape.npy", _pickle_of(np.array([_Evil()], object))),
        "plain pickle": _member("shape.npy", __import__("pickle").dumps(_Evil())),
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


def _xml(folder: Path, change) -> None:
    import h5py

    with h5py.File(folder / "raw.mrd", "a") as file:
        old = bytes(file["dataset/xml"][0]).decode()  # pyright: ignore
        del file["dataset/xml"]
        new = change(old)
        content = new if isinstance(new, bytes) else new.encode("utf-8", "surrogatepass")
        kind = h5py.special_dtype(vlen=bytes)
        file.create_dataset("dataset/xml", data=np.array([content.replace(b"\0", b"")], object), dtype=kind)


def _in_xml(pattern: str, new: str) -> Attack:
    return lambda folder, _rng: _xml(folder, lambda old: re.sub(pattern, new, old, count=1, flags=re.S))


def _entities(folder: Path, _rng: Generator) -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<!DOCTYPE x [<!ENTITY l0 "ha">{levels}]>'
    _xml(folder, lambda old: _with_doctype(old, head, "&l9;"))


def _file_entity(folder: Path, _rng: Generator) -> None:
    head = f'<!DOCTYPE x [<!ENTITY s SYSTEM "file://{folder}/secret.txt">]>'
    _xml(folder, lambda old: _with_doctype(old, head, "&s;"))


def _with_doctype(old: str, head: str, reference: str) -> str:
    body = re.sub(r"^<\?xml.*?\?>", "", old)
    return head + body.replace("<value>1/mm</value>", f"<value>{reference}</value>")


_TEXTS = (
    "", "-1", "0", "nan", "inf", "1e999", "4294967296", "99999999999999999999", "x", "&lt;script&gt;", "1.5",
    "2147483647", "&#27;[2J", "../../x",
)  # fmt: skip


def _wrong_mrd(folder: Path, rng: Generator) -> str:
    if rng.random() < 0.5:
        import h5py

        with h5py.File(folder / "raw.mrd", "a") as file:
            data: Any = file["dataset/data"]
            row = int(rng.integers(data.shape[0]))
            content = data[row]
            name = chosen(content["head"].dtype.names, rng)
            field = content["head"][name]
            head = content["head"]
            bits = np.frombuffer(rng.bytes(np.asarray(field).nbytes), np.uint8)
            head[name] = (
                bits.view(np.asarray(field).dtype).reshape(np.shape(field))
                if field.dtype.names is None
                else field
            )
            content["head"] = head
            data[row] = content
        return f"head {row} {name}"
    new = chosen(_TEXTS, rng)
    spots: list[int] = []

    def change(old: str) -> str:
        found = list(re.finditer(r">([^<>\s][^<>]*)<", old))
        spot = found[int(rng.integers(len(found)))]
        spots.append(spot.start())
        return old[: spot.start(1)] + new + old[spot.end(1) :]

    _xml(folder, change)
    return f"xml {spots} = {new!r}"


def _mrd(change) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        import h5py

        with h5py.File(folder / "raw.mrd", "a") as file:
            change(file, folder)

    return attack


def _mrd_external(name: str):
    def change(file: Any, folder: Path) -> None:
        import h5py

        other = folder / "elsewhere"
        other.mkdir()
        _make("ismrmrd")(other)
        del file[name]
        file[name] = h5py.ExternalLink(str(other / "raw.mrd"), name)

    return change


def _mrd_rows(file: Any, _folder: Path) -> None:
    kind = file["dataset/data"].dtype
    del file["dataset/data"]
    file.create_dataset("dataset/data", (10**9,), kind, chunks=(64,))


def _mrd_kind(file: Any, _folder: Path) -> None:
    del file["dataset/data"]
    file.create_dataset("dataset/data", data=np.arange(10))


ISMRMRD = Format(
    "ismrmrd",
    _make("ismrmrd"),
    ("raw.mrd",),
    read_raw,
    _wrong_mrd,
    {
        "entities that unfold": _entities,
        "entity of another file": _file_entity,
        "external link to data": _mrd(_mrd_external("dataset/data")),
        "external link to the header": _mrd(_mrd_external("dataset/xml")),
        "external link to all": _mrd(_mrd_external("dataset")),
        "10^9 acquisitions": _mrd(_mrd_rows),
        "numbers for acquisitions": _mrd(_mrd_kind),
        "header nested deep": lambda folder, _rng: _xml(folder, lambda _old: "<a>" * 200_000),
        "matrix of 65535": _in_xml(r"(reconSpace>.*?<x>)\d+", r"\g<1>65535"),
        "4 billion contrasts": _in_xml(r"(<contrast>.*?<maximum>)\d+", r"\g<1>4294967295"),
        "4 billion spokes": _in_xml(r"(encoding_step_1>.*?<maximum>)\d+", r"\g<1>4294967295"),
        "NaN field of view": _in_xml(r"(reconSpace>.*?fieldOfView_mm>\s*<x>)[\d.]+", r"\g<1>NaN"),
        "no header": lambda folder, _rng: _xml(folder, lambda _old: ""),
        "UTF-16": lambda folder, _rng: _xml(folder, lambda old: old.encode("utf-16")),
    },
)
