"""Folders of DICOM files to attack."""

import struct
import sys
import zlib
from pathlib import Path
from typing import Any

from _hostile_bytes import deflate_bomb
from _hostile_format import Attack, Format, chosen, one_of
from numpy.random import Generator

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "io"))


def make_folder(folder: Path) -> None:
    """Two flip angles as single files and two spin-lock times in one enhanced file."""
    from dicom_writers import Image, pattern, sagittal, write_classic, write_enhanced

    affine, shape = sagittal(), (7, 6, 5)
    angles = [Image(pattern(shape, n), affine, 3 + n, "VFA", flip_angle=5.0 + 10 * n) for n in range(2)]
    write_classic(folder / "dicom/classic", angles)
    locks = [
        Image(pattern(shape, n), affine, 9, "cubequant T1rho", echo_time=time, repetition_time=1300.0)
        for n, time in enumerate((1.0, 30.0))
    ]
    write_enhanced(folder / "dicom/enhanced.dcm", locks, [(1.0, 0.0, 0.5)] * 2)


def import_folder(folder: Path) -> None:
    """As `rmqnet import` does, tables included, and then as `rmqnet fit` reads it."""
    from rmqnet.io.bids import load_scan
    from rmqnet.io.layout import list_subjects
    from rmqnet.pipeline.import_dicom import ImportOptions, find_dicom, import_dicom
    from rmqnet.pipeline.import_tables import import_tables, import_words
    from rmqnet.pipeline.progress import Quiet

    options = ImportOptions()
    plan = find_dicom(folder / "dicom", options, Quiet())
    import_tables(plan)
    import_words(plan)
    import_dicom(folder / "study", plan, options, Quiet())
    for name in list_subjects(folder / "study"):
        load_scan(folder / "study", name)


_WORDS: tuple[str, ...] = (
    "", "-1", "0", "nan", "1e999", "1e-300", "99999999999", "x", "../../x", "<script>", "\x1b[2J", "5\\5\\5", "-0.0",
    "1.5", "0\\0\\0", "1e30\\0\\0", "1\\0\\0\\0\\1\\0", "nan\\nan\\nan", "=1+1",
)  # fmt: skip
_NUMBERS = (0, 1, 3, 5, 255, 65535, 32768)


def _wrong(folder: Path, rng: Generator) -> str:
    """One element of one file."""
    from pydicom import config, dcmread

    path = one_of(folder, ("dicom/classic/*", "dicom/enhanced.dcm"), rng)
    before = config.settings.reading_validation_mode, config.settings.writing_validation_mode
    config.settings.reading_validation_mode = config.settings.writing_validation_mode = config.IGNORE
    try:
        dataset = dcmread(path)
        place: Any = dataset
        while True:
            elements = [element for element in place if element.keyword != "PixelData"]
            element = elements[int(rng.integers(len(elements)))]
            if element.VR != "SQ" or rng.random() < 0.1:
                break
            place = element.value[int(rng.integers(len(element.value)))]
        value: Any = chosen(_WORDS, rng)
        if element.VR in ("US", "UL", "SS", "SL"):
            value = chosen(_NUMBERS, rng)
        if element.VR in ("FL", "FD"):
            value = chosen((float("nan"), 0.0, -1.0, 1e30), rng)
        if element.VR == "SQ" or rng.random() < 0.15:
            del place[element.tag]
            value = "deleted"
        elif element.VR in ("DS", "IS"):
            from pydicom.dataelem import RawDataElement

            raw = RawDataElement(element.tag, element.VR, len(value), value.encode(), 0, False, True)
            place._dict[element.tag] = raw
        else:
            element.value = value
        dataset.save_as(path)
    except (ValueError, TypeError, AttributeError, KeyError, struct.error, OverflowError):
        return "as it was: can't be written"
    finally:
        config.settings.reading_validation_mode, config.settings.writing_validation_mode = before
    return f"{path.name}: {element.keyword or element.tag} = {value!r}"


def _each(**values: Any) -> Attack:
    """These attributes in all files."""

    def attack(folder: Path, _rng: Generator) -> None:
        from pydicom import dcmread

        for path in (*folder.glob("dicom/classic/*"), *folder.glob("dicom/*.dcm")):
            dataset = dcmread(path)
            for keyword, value in values.items():
                setattr(dataset, keyword, value)
            dataset.save_as(path)

    return attack


def _encapsulated(n_frames: str, rows: int, syntax: str = "1.2.840.10008.1.2.5") -> Attack:
    """All files say that they are compressed, and claim a size."""

    def attack(folder: Path, _rng: Generator) -> None:
        from pydicom import dcmread
        from pydicom.encaps import encapsulate

        for path in (*folder.glob("dicom/classic/*"), *folder.glob("dicom/*.dcm")):
            dataset = dcmread(path)
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.NumberOfFrames, dataset.Rows, dataset.Columns = n_frames, rows, rows
            run = struct.pack("<16I", 2, 64, 64 + 2000, *[0] * 13) + b"\x81\0" * 2000
            dataset.PixelData = encapsulate([run] * 2)
            dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
            dataset.save_as(path)

    return attack


def _deflated(folder: Path, _rng: Generator) -> None:
    """Every file unfolds to 3 GB behind its header."""
    from pydicom import dcmread

    for path in (*folder.glob("dicom/classic/*"), *folder.glob("dicom/*.dcm")):
        dataset = dcmread(path)
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
        dataset.save_as(path)
        content = path.read_bytes()
        start = content.index(b"1.2.840.10008.1.2.1.99")
        end = start + 22
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        head = packer.compress(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 192") + packer.flush(zlib.Z_FULL_FLUSH)
        path.write_bytes(content[:end] + head + deflate_bomb(3))


def _nested(folder: Path, _rng: Generator) -> None:
    """Sequences within sequences, 3000 deep."""
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    sequence = b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff"
    for path in (*folder.glob("dicom/classic/*"), *folder.glob("dicom/*.dcm")):
        path.write_bytes(path.read_bytes()[:400] + (sequence + item) * 3000)


def _long_element(folder: Path, _rng: Generator) -> None:
    """An element that claims 4 GB."""
    for path in (*folder.glob("dicom/classic/*"), *folder.glob("dicom/*.dcm")):
        path.write_bytes(path.read_bytes()[:400] + b"\x09\x00\x10\x10OB\x00\x00\xfe\xff\xff\xff" + bytes(100))


def _names(folder: Path, rng: Generator) -> None:
    """Files and texts with escape sequences and markup."""
    _each(SeriesDescription="<script>alert(1)</script>", ProtocolName="../../x")(folder, rng)
    for path in list(folder.glob("dicom/classic/*")):
        path.rename(path.with_name(path.name + "\x1b[2J\n<script>"))


DICOM = Format(
    "dicom",
    make_folder,
    ("dicom/classic/*", "dicom/enhanced.dcm"),
    import_folder,
    _wrong,
    {
        "65535 rows and columns": _each(Rows=65535, Columns=65535),
        "no rows": _each(Rows=0, Columns=0),
        "2^31 frames": _each(NumberOfFrames="2147483647"),
        "minus one frame": _each(NumberOfFrames="-1"),
        "2^31 compressed frames": _encapsulated("2147483647", 16),
        "compressed frames of 65535 squared": _encapsulated("2", 65535),
        "20,000 compressed frames": _encapsulated("20000", 4000),
        "JPEG that is none": _encapsulated("1", 16, "1.2.840.10008.1.2.4.50"),
        "unknown transfer syntax": _encapsulated("1", 16, "1.2.3.4.5"),
        "three samples per pixel": _each(SamplesPerPixel=3),
        "a palette": _each(PhotometricInterpretation="PALETTE COLOR"),
        "64 bits": _each(BitsAllocated=64, BitsStored=64, HighBit=63),
        "1 bit": _each(BitsAllocated=1, BitsStored=1, HighBit=0),
        "more bits stored than allocated": _each(BitsStored=200),
        "deflate bomb": _deflated,
        "nested sequences": _nested,
        "element of 4 GB": _long_element,
        "text as pixels": _each(PixelData=b"<html>"),
    },
    {
        # this series is left out with the reason, the other one taken
        "positions of 1e300 mm": _each(ImagePositionPatient=["1e300", "-1e300", "1e300"]),
        "names of files and series": _names,
    },
)
