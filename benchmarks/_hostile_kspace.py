"""K-space in HDF5 to attack, and what the other formats share with it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
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


def make(fmt: str):
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


ARRAYS: tuple[Any, ...] = (
    np.array(np.nan), np.array([]), np.zeros((0, 3)), np.full((20, 16, 3), np.nan, np.float32),
    np.full((20, 16, 3), 1e30), np.array([2**31, 2**31, 2**31]), np.array([-1, 4, 4]), np.array([4.5, 12, 10]),
    np.array([0, 12, 10]), np.array([2**62, 12, 10]), np.zeros((4, 4)), np.full((4, 4), np.nan), -np.eye(4),
    np.eye(4) * 1e-6, np.eye(4) * 1e6, np.eye(3), np.array("text"), np.array(b"\xff\xfe"), np.array([True]),
    np.array(1 + 2j), np.full((3, 3), np.inf + 0j), np.zeros((20, 16)), -np.ones((20, 16), np.float32),
    np.arange(16)[::-1] * 1e-6, np.arange(16) * 1e-3, np.zeros((2, 3, 20, 16), np.complex64),
    np.full((2, 3, 20, 16), np.nan, np.complex64), np.zeros((2, 3, 20, 16)), np.ones((1, 1, 1, 1), np.complex64),
    np.array(nested(5000)), np.array("[{}]"), np.array("A" * 100_000), np.array("1/furlong"),
)  # fmt: skip


def wrong_rows(text: str, rng: Generator) -> str:
    return dump(wrong_json(json.loads(text), rng)[0])


def _edit_hdf5(path: Path, name: str, value: Any) -> None:
    import h5py

    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        array = np.asarray(value)
        file.create_dataset(name, data=str(value) if array.dtype.kind == "U" else value)


def _wrong_hdf5(folder: Path, rng: Generator) -> str:
    import h5py

    path = folder / "raw.h5"
    with h5py.File(path) as file:
        name, rows = chosen(tuple(file), rng), file["acquisitions"][()].decode()  # pyright: ignore
    if rng.random() < 0.4:
        _edit_hdf5(path, "acquisitions", wrong_rows(rows, rng).replace("\0", ""))
        return "acquisitions"
    value = chosen(ARRAYS, rng)
    _edit_hdf5(path, name, value)
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
    make("hdf5")(other)
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


COMMON = {
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


HDF5 = Format(
    "hdf5",
    make("hdf5"),
    ("raw.h5",),
    read_raw,
    _wrong_hdf5,
    {
        **{name: _h5_field(*value) for name, value in COMMON.items()},
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
