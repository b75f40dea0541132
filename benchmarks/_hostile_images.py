"""Images, sidecars and tables of a study to attack."""

import gzip
import struct
from pathlib import Path

import numpy as np
from _hostile_bytes import gzip_bomb
from _hostile_format import Attack, Format, chosen, json_attacks, one_of, wrong_cell, wrong_json_file
from numpy.random import Generator

ANY_IMAGE = ("study/sub-01/anat/*.nii*", "study/sub-01/fmap/*.nii*")
VFA = "study/sub-01/anat/*flip-1_VFA.nii*"
SIDECAR = "study/sub-01/anat/*flip-1_VFA.json"

FIELDS = {
    "sizeof_hdr": (0, "i"), "dim0": (40, "h"), "dim1": (42, "h"), "dim2": (44, "h"), "dim3": (46, "h"),
    "dim4": (48, "h"), "dim7": (54, "h"), "intent_code": (68, "h"), "datatype": (70, "h"), "bitpix": (72, "h"),
    "pixdim0": (76, "f"), "pixdim1": (80, "f"), "pixdim2": (84, "f"), "pixdim3": (88, "f"),
    "vox_offset": (108, "f"), "scl_slope": (112, "f"), "scl_inter": (116, "f"), "xyzt_units": (123, "B"),
    "qform_code": (252, "h"), "sform_code": (254, "h"), "quatern_b": (256, "f"), "qoffset_x": (268, "f"),
    "srow_x0": (280, "f"), "srow_x3": (292, "f"), "srow_y1": (300, "f"), "magic": (344, "i"),
}  # fmt: skip
VALUES = {
    "f": (float("nan"), float("inf"), -1.0, 0.0, 1e30, -1e30, 1e-30, 3.0, 351.0, 1e6, 0.5859),
    "h": (-1, 0, 1, 2, 3, 4, 7, 8, 16, 32, 64, 128, 256, 512, 1024, 1792, 32767, -32768, 5),
    "i": (-1, 0, 348, 540, 2**31 - 1, -(2**31)),
    "B": (0, 1, 2, 3, 10, 17, 255),
}


def make_study(folder: Path, ending: str = ".nii.gz") -> None:
    """A study of one subject with four flip angles, the AFI pair and two spin-lock images."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.protocols import FULL
    from rmqnet.domain.scan import ImageSeries, Scan
    from rmqnet.domain.subject import Subject
    from rmqnet.io.bids import write_scan
    from rmqnet.io.participants import write_participants

    rng, grid = np.random.default_rng(3), centered_grid((4, 10, 8), (3.0, 0.6, 0.5))
    series = {}
    for method in ("vfa", "afi", "adiabatic_t1rho"):
        own = tuple(item for item in FULL.acquisitions if item.method == method)[:4]
        data = rng.uniform(50, 100, (len(own), *grid.shape)).astype(np.float32)
        data *= np.linspace(1, 0.7, len(own), dtype=np.float32)[:, None, None, None]
        series[method] = ImageSeries(data, own, grid)
    subject = Subject("01", "right", age=63.5, sex="female", kl_grade=2)
    root = folder / "study"
    (root / "sub-01").mkdir(parents=True)
    write_scan(root / "sub-01", Scan(subject, series))
    write_participants(root / "participants.tsv", [subject])
    if ending == ".nii":
        for path in root.rglob("*.nii.gz"):
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()


def read_study(folder: Path) -> None:
    """As fit, predict and check read it."""
    import rmqnet.io.bids

    root = folder / "study"
    rmqnet.io.bids.hash_scan(root, "01")
    rmqnet.io.bids.load_scan(root, "01")
    check = globals().get("check_subject")
    if check is not None:
        check(root, "01")


def use_checks() -> None:
    """Let `read_study` also run the checks of a study, which need heavier packages."""
    from rmqnet.pipeline.check import check_subject

    globals()["check_subject"] = check_subject


def header_of(path: Path, **values: object) -> None:
    """Write fields of a NIfTI-1 header in place, compressed or not."""
    content = path.read_bytes()
    packed = content[:2] == b"\x1f\x8b"
    plain = bytearray(gzip.decompress(content) if packed else content)
    for name, value in values.items():
        place, kind = FIELDS[name]
        struct.pack_into("<" + kind, plain, place, value)
    path.write_bytes(gzip.compress(bytes(plain), 1) if packed else bytes(plain))


def wrong_header(folder: Path, rng: Generator) -> str:
    """One field of the header of one image."""
    path = one_of(folder, ANY_IMAGE, rng)
    name = chosen(tuple(FIELDS), rng)
    value = chosen(VALUES[FIELDS[name][1]], rng)
    header_of(path, **{name: value})
    return f"{path.name}: {name} = {value}"


def _header(pattern: str, **values: object) -> Attack:
    return lambda folder, _rng: header_of(next(folder.glob(pattern)), **values)


def _nifti2(shape: tuple[int, ...], content: bytes) -> bytes:
    """A NIfTI-2 file of float32 that claims this shape."""
    head = bytearray(544)
    struct.pack_into("<i", head, 0, 540)
    head[4:12] = b"n+2\0\r\n\x1a\n"
    struct.pack_into("<hh", head, 12, 16, 32)
    struct.pack_into("<8q", head, 16, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<8d", head, 104, 1.0, *[1.0] * 7)
    struct.pack_into("<q", head, 168, 544)
    struct.pack_into("<ii", head, 344, 0, 1)
    for row in range(3):
        struct.pack_into("<4d", head, 400 + 32 * row, *[float(row == k) for k in range(4)])
    return bytes(head) + content


def _put(content) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        path = next(folder.glob(VFA))
        own = content() if callable(content) else content
        is_packed = own[:2] == b"\x1f\x8b"
        path.write_bytes(own if is_packed or path.suffix == ".nii" else gzip.compress(own, 1))

    return attack


def _bomb_behind_header(folder: Path, _rng: Generator) -> None:
    path = next(folder.glob(VFA))
    content = path.read_bytes()
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    path.write_bytes(gzip_bomb(3, plain))


def _bomb_in_extension(folder: Path, _rng: Generator) -> None:
    path = next(folder.glob(VFA))
    content = path.read_bytes()
    plain = bytearray(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    struct.pack_into("<f", plain, 108, 2.0**31)
    plain[348:352] = b"\1\0\0\0"
    plain[352:360] = struct.pack("<ii", 2**31 - 16, 6)
    path.write_bytes(gzip_bomb(3, bytes(plain[:400])))


NIFTI_REFUSED: dict[str, Attack] = {
    "dimensions of 32767": _header(VFA, dim1=32767, dim2=32767, dim3=32767),
    "dimension of -1": _header(VFA, dim1=-1),
    "dimension of 0": _header(VFA, dim2=0),
    "smaller dimension": _header(VFA, dim3=3),
    "negative pixdim": _header(VFA, pixdim1=-0.5),
    "NaN pixdim": _header(VFA, pixdim2=float("nan")),
    "huge voxels": _header(VFA, pixdim1=1e6, srow_x0=1e6),
    "units of meters": _header(VFA, xyzt_units=1),
    "units of micrometers": _header(VFA, xyzt_units=3),
    "NaN orientation": _header(VFA, srow_x0=float("nan"), srow_x3=float("inf")),
    "negative slope": _header(VFA, scl_slope=-1.0),
    "infinite slope": _header(VFA, scl_slope=float("inf")),
    "huge slope": _header(VFA, scl_slope=3e38),
    "data offset within the header": _header(VFA, vox_offset=16.0),
    "huge data offset": _header(VFA, vox_offset=1e30),
    "type without its size": _header(VFA, datatype=64),
    "complex": _header(VFA, datatype=32, bitpix=64),
    "RGB": _header(VFA, datatype=128, bitpix=24),
    "NIfTI-2 of 2^31 cubed": _put(_nifti2((2**31, 2**31, 2**31), bytes(5000))),
    "NIfTI-2 whose size overflows to 0": _put(_nifti2((2**32, 2**32, 1), bytes(5000))),
    "NIfTI-2 of 2^62": _put(_nifti2((2**62, 2, 2), bytes(5000))),
    "NIfTI-2 with a negative dimension": _put(_nifti2((-4, 10, 8), bytes(5000))),
    "gzip bomb": _put(lambda: gzip_bomb(3)),
    "gzip bomb behind the image": _bomb_behind_header,
    "gzip bomb as extension": _bomb_in_extension,
    "gzip bomb that its header announces": _put(lambda: gzip_bomb(3, _nifti2((900, 900, 900), b""))),
    "gzip within gzip": _put(lambda: gzip.compress(gzip.compress(bytes(10**6)))),
    "two images in one": lambda folder, _rng: _double(next(folder.glob(VFA))),
    "HTML": _put(b"<html>404 not found</html>" * 50),
}


def _double(path: Path) -> None:
    path.write_bytes(path.read_bytes() * 2)


def nifti(ending: str) -> Format:
    """Images, compressed or not."""
    return Format(
        "nifti" + ending.removeprefix(".nii").replace(".", "_"),
        lambda folder: make_study(folder, ending),
        ANY_IMAGE,
        read_study,
        wrong_header,
        NIFTI_REFUSED,
        # as stored, which nibabel writes so; and four dimensions of 1
        {"NaN slope": _header(VFA, scl_slope=float("nan")), "seven dimensions": _header(VFA, dim0=7)},
    )


def _key(name: str, value: str) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        path = next(folder.glob(SIDECAR))
        lines = [line for line in path.read_text().splitlines() if f'"{name}"' not in line]
        path.write_text("\n".join(lines).replace("{", "{" + f'"{name}": {value},', 1))

    return attack


def _twice(folder: Path, _rng: Generator) -> None:
    path = next(folder.glob(SIDECAR))
    path.write_text(path.read_text().replace("{", '{"FlipAngle": 11,', 1))


SIDECARS = Format(
    "sidecar",
    make_study,
    ("study/sub-01/*/*.json",),
    read_study,
    lambda folder, rng: wrong_json_file(one_of(folder, ("study/sub-01/*/*.json",), rng), rng),
    {
        **json_attacks(SIDECAR),
        "a number of 5000 digits": _key("FlipAngle", "9" * 5000),
        "a number of 400 digits": _key("FlipAngle", "9" * 400),
        "NaN": _key("FlipAngle", "NaN"),
        "1e999": _key("RepetitionTimeExcitation", "1e999"),
        "true": _key("FlipAngle", "true"),
        "text": _key("FlipAngle", '"5"'),
        "script": _key("ImageLaterality", '"<script>alert(1)</script>"'),
        "escape sequence": _key("ImageLaterality", '"\\u001b[2J\\u001b]0;owned\\u0007"'),
        "a key twice": _twice,
    },
)


def _rename(label: str) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        table = folder / "study/participants.tsv"
        table.write_text(table.read_text().replace("sub-01", f"sub-{label}"))

    return attack


def make_tables(folder: Path) -> None:
    """A study with participants, a table of spin-lock times, of labels and of DICOM settings."""
    make_study(folder)
    (folder / "times.tsv").write_text("file\tspin_lock_time\nsub-01_tsl-1_T1rhow.nii.gz\t0\n")
    (folder / "labels.tsv").write_text("index\tname\n1\tfemoral_cartilage\n2\ttibial_cartilage\n")
    (folder / "settings.tsv").write_text(
        "series\tmethod\tspin_lock_time\n7\tspin_lock\t0.012\n8\tskip\tn/a\n"
    )


def read_tables(folder: Path) -> None:
    from rmqnet.domain.tissues import TISSUES
    from rmqnet.io.bids import load_scan
    from rmqnet.io.dicom.settings_table import read_settings_table
    from rmqnet.io.label_map import read_label_table
    from rmqnet.io.participants import load_participants, write_participants

    root = folder / "study"
    people = load_participants(root)
    write_participants(folder / "copy.tsv", people.values())
    load_scan(root, "01", spin_lock_table=folder / "times.tsv")
    read_label_table(folder / "labels.tsv", [*TISSUES, "tibial_cartilage"])
    read_settings_table(folder / "settings.tsv")


_TABLES = ("study/participants.tsv", "*.tsv")

TABLES = Format(
    "table",
    make_tables,
    _TABLES,
    read_tables,
    lambda folder, rng: wrong_cell(one_of(folder, _TABLES, rng), rng),
    {
        "script as label": _rename("<script>alert(1)</script>"),
        "path as label": _rename("../../x"),
        "escape sequence as label": _rename("\x1b[2J"),
        "formula as label": _rename("=cmd|' /C calc'!A0"),
        **{
            f"age {age[:9]}": (
                lambda folder, _rng, age=age: (folder / "study/participants.tsv").write_text(
                    f"participant_id\tage\tside\nsub-01\t{age}\tleft\n"
                )
            )
            for age in ("1e999", "-5", "6e3", "1_0", "9" * 5000)
        },
        "77 MB": lambda folder, _rng: (folder / "labels.tsv").write_bytes(b"index\tname\n" * 7_000_000),
    },
)
