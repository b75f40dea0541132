"""K-space in ISMRMRD to attack."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from _hostile_format import Attack, Format, chosen
from _hostile_kspace import make, read_raw
from numpy.random import Generator


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
        make("ismrmrd")(other)
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
    make("ismrmrd"),
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
