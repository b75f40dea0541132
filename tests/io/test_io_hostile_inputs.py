"""Hostile files are refused in one sentence, before they take memory, and lead nowhere else."""

import gzip
import json
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
from dicom_writers import Image, pattern, sagittal, write_classic
from kspace_cases import series
from pydicom import dcmread

from rmqnet.domain.errors import InputError
from rmqnet.io.bids import load_scan
from rmqnet.io.dicom.frames import read_frames
from rmqnet.io.dicom.source import read_source
from rmqnet.io.elastix_parameters import read_parameter_file
from rmqnet.io.kspace_file import open_kspace, write_kspace
from rmqnet.io.nifti import read_volume
from rmqnet.io.participants import load_participants
from rmqnet.io.store import make_provenance, open_stage, read_provenance
from rmqnet.io.text import read_json, read_table
from rmqnet.io.transforms import load_motion

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1 << 20


def refused(read, *words: str) -> None:
    """Fails in one plain sentence with these words, within 40 MiB."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert text.isprintable()
    assert peak < 40 * MEGABYTE
    for word in words:
        assert word in text, text


def test_a_hundred_hostile_inputs_end_in_one_sentence_each():
    line = [
        sys.executable,
        str(ROOT / "benchmarks/fault_inputs.py"),
        "--light",
        "--inputs",
        "96",
        "--seed",
        "7",
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["inputs"] == 96
    assert found["refused"] > 40
    bad = ("tracebacks", "hangs", "oversized", "accepted", "unclear")
    assert {name: found[name] for name in bad} == dict.fromkeys(bad, 0), done.stdout


def image_bytes(**header: object) -> bytes:
    image = nib.Nifti1Image(np.random.default_rng(1).random((5, 4, 3)).astype(np.float32), np.eye(4))
    image.set_qform(np.eye(4), code=1)
    for name, value in header.items():
        image.header[name] = value
    return image.to_bytes()


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_what_follows_an_image_is_not_unpacked(tmp_path: Path, ending: str):
    content = image_bytes() + bytes(100 * MEGABYTE)
    path = tmp_path / f"a{ending}"
    path.write_bytes(gzip.compress(content, 1) if ending == ".nii.gz" else content)
    del content
    refused(lambda: read_volume(path), "holds more than")


def test_zeros_that_fill_up_a_file_are_no_image(tmp_path: Path):
    (tmp_path / "a.nii").write_bytes(image_bytes() + bytes(512))
    assert read_volume(tmp_path / "a.nii")[0].shape == (5, 3, 4)


@pytest.mark.parametrize(
    ("place", "content", "word"),
    [
        (40, b"\x10\x00", "no NIfTI image"),
        (42, (32767).to_bytes(2, "little") * 3, "voxels"),
        (46, (2).to_bytes(2, "little"), "holds more than"),
        (72, (64).to_bytes(2, "little"), "contradicts itself"),
        (80, np.float32(-1).tobytes(), "edges"),
        (80, np.float32(3).tobytes(), "at different places"),
        (108, np.float32(1e30).tobytes(), "begins at byte"),
        (112, np.float32(-1).tobytes(), "scales its numbers"),
        (123, b"\x01", "not in mm"),
    ],
)
def test_a_header_that_can_not_be_right_is_refused(tmp_path: Path, place: int, content: bytes, word: str):
    whole = bytearray(
        image_bytes(sform_code=1, srow_x=[1, 0, 0, 0], srow_y=[0, 1, 0, 0], srow_z=[0, 0, 1, 0])
    )
    whole[place : place + len(content)] = content
    (tmp_path / "a.nii").write_bytes(whole)
    refused(lambda: read_volume(tmp_path / "a.nii"), "a.nii: ", word)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"FlipAngle": 5, "FlipAngle": 30}', "twice"),
        ('{"a": ' + "[" * 60 + "]" * 60 + "}", "levels deep"),
        ("[" * 100_000, "levels deep"),
        ('{"a": ' + "9" * 5000 + "}", "5000 digits"),
        ('{"a": "\\ud800"}', "half a character"),
        ("[1]", "one JSON object"),
        ('{"\x1b[2J"', "not valid JSON"),
    ],
)
def test_json_that_means_two_things_or_none_is_refused(tmp_path: Path, text: str, word: str):
    (tmp_path / "a.json").write_text(text)
    refused(lambda: read_json(tmp_path / "a.json"), "a.json: ", word)


def test_a_pipe_is_no_text(tmp_path: Path):
    import os

    os.mkfifo(tmp_path / "a.json")
    refused(lambda: read_json(tmp_path / "a.json"), "is no file")


def test_a_column_twice_is_refused(tmp_path: Path):
    (tmp_path / "a.tsv").write_text("index\tname\tname\n1\ta\tb\n")
    refused(lambda: read_table(tmp_path / "a.tsv"), "two columns 'name'")


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "../../x", "\x1b[2J", "=1+1"])
def test_a_subject_has_a_plain_name(study: Path, label: str):
    (study / "participants.tsv").write_text(f"participant_id\tside\nsub-{label}\tleft\n")
    refused(lambda: load_participants(study), "letters and digits only")


@pytest.mark.parametrize("age", ["inf", "-1", "1e3", "1_0", "9" * 400])
def test_an_age_is_that_of_a_person(study: Path, age: str):
    (study / "participants.tsv").write_text(f"participant_id\tside\tage\nsub-01\tleft\t{age}\n")
    refused(lambda: load_participants(study), "age of sub-01 must be")


def test_what_a_sidecar_says_reaches_no_terminal_raw(study: Path):
    path = next(study.glob("sub-01/anat/*_VFA.json"))
    values = json.loads(path.read_text()) | {
        "ImageLaterality": "\x1b]0;owned\x07\u202e\n<script>" + "x" * 100_000
    }
    path.write_text(json.dumps(values))
    refused(lambda: load_scan(study, "01"), r"\x1b]0;owned", " ... ")


@pytest.mark.parametrize("name", ["samples", "trajectory", "acquisitions"])
def test_no_link_of_an_hdf5_file_is_followed(tmp_path: Path, name: str):
    whole, linked = tmp_path / "whole.h5", tmp_path / "linked.h5"
    for path in (whole, linked):
        write_kspace(path, iter([series()]), 2, "hdf5")
    with h5py.File(linked, "a") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(whole), name)
    refused(lambda: open_kspace(linked), f"{name} is a link")


def test_a_heap_that_libhdf5_would_read_for_ever_is_refused(tmp_path: Path):
    path = tmp_path / "raw.mrd"
    write_kspace(path, iter([series()]), 2, "ismrmrd")
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)  # the first object takes no space
    path.write_bytes(content)
    refused(lambda: open_kspace(path), f"is damaged at byte {heap + 16}")


def test_an_npz_file_that_unfolds_is_refused_and_a_pickle_not_read(tmp_path: Path):
    path = tmp_path / "a.npz"
    write_kspace(path, iter([series()]), 2, "npz")
    with np.load(path) as file:
        fields = dict(file)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in fields.items():
            with archive.open(f"{name}.npy", "w") as stream:
                shown = np.zeros((9, MEGABYTE), np.float64) if name == "density" else value
                np.lib.format.write_array(stream, shown)  # pyright: ignore
    refused(lambda: open_kspace(path), "density", "unfolds")
    np.savez(path, **{**fields, "shape": np.array([{}, {}, {}], object)})  # pyright: ignore
    refused(lambda: open_kspace(path), "pickles")


@pytest.mark.parametrize(
    "text", ['<!DOCTYPE x [<!ENTITY a "b">]><ismrmrdHeader/>', "<a>" * 100_000, "", "\ufeff<x"]
)
def test_a_header_of_ismrmrd_declares_nothing(tmp_path: Path, text: str):
    path = tmp_path / "a.mrd"
    write_kspace(path, iter([series()]), 2, "ismrmrd")
    with h5py.File(path, "a") as file:
        del file["dataset/xml"]
        kind = h5py.special_dtype(vlen=bytes)
        file.create_dataset("dataset/xml", data=np.array([text.encode()], object), dtype=kind)
    refused(lambda: open_kspace(path), "header can't be read")


def left_out(folder: Path) -> str:
    frames, others = read_frames(folder, lambda *_: None)
    assert not frames
    return " ".join(item.why for item in others)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"NumberOfFrames": "2147483647"}, "more than is read"),
        ({"Rows": 65535, "Columns": 65535}, "more than is read"),
        ({"SamplesPerPixel": 3}, "several samples"),
        ({"BitsAllocated": 64}, "bits per pixel"),
    ],
)
def test_dicom_images_of_absurd_size_are_left_out_with_the_reason(tmp_path: Path, change: dict, word: str):
    image = Image(pattern((4, 3, 1)), sagittal((4, 3, 1)))
    path = write_classic(tmp_path / "d", [image])[0]
    dataset = dcmread(path)
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    assert word in left_out(tmp_path / "d")


def test_a_deflated_dicom_file_is_not_unfolded_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rmqnet.io.dicom.frames._LARGEST_HEADER", 8 * MEGABYTE)
    path = write_classic(tmp_path / "d", [Image(pattern((4, 3, 1)), sagittal((4, 3, 1)))])[0]
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    dataset.save_as(path)
    content = path.read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = content.index(b"1.2.1.99") + len("1.2.1.99")
    path.write_bytes(content[:end] + packer.compress(bytes(64 * MEGABYTE)) + packer.flush())
    tracemalloc.start()
    assert "damaged" in left_out(tmp_path / "d")
    assert tracemalloc.get_traced_memory()[1] < 20 * MEGABYTE
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "link/x.nii.gz", "", 5])
def test_a_record_of_dicom_names_only_files_of_its_subject(tmp_path: Path, name: object):
    (tmp_path / "sub-01").mkdir()
    (tmp_path / "sub-01/link").symlink_to(tmp_path)
    volume = {"file": name, "study": "1.2", "series": "1.2", "frame_of_reference": "1.2"}
    volume |= {"orientation": [1, 0, 0, 0, 1, 0], "instances": []}
    record = {"format": 1, "patient": {}, "equipment": {}, "volumes": [volume]}
    (tmp_path / "sub-01/dicom.json").write_text(json.dumps(record))
    refused(lambda: read_source(tmp_path / "sub-01"), "import the DICOM files again")


@pytest.mark.parametrize(
    "change", [{"warnings": "abc"}, {"inputs": ["a"]}, {"seed": "3"}, {"stage": []}, {"new": 1}]
)
def test_a_record_of_other_types_is_damaged(tmp_path: Path, change: dict):
    open_stage(tmp_path / "out", make_provenance("fit", {}, 3))
    path = tmp_path / "out/provenance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    refused(lambda: read_provenance(tmp_path / "out"), "is damaged")


STEP = '(Transform "EulerTransform") // rigid\n(Metric "AdvancedMattesMutualInformation")\n(NumberOfResolutions 3)\n'


def test_a_parameter_file_of_elastix_is_read(tmp_path: Path):
    (tmp_path / "a.txt").write_text(STEP + "\n// the end\n(GridSpacing 4.0 4.0 1)\n")
    found = read_parameter_file(tmp_path / "a.txt")
    assert found["Transform"] == ("EulerTransform",)
    assert found["GridSpacing"] == ("4.0", "4.0", "1")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('(InitialTransformParameterFileName "NoInitialTransform")', "names a file"),
        ('(Something "/etc/passwd")', "names a file"),
        ("(NumberOfResolutions 4)", "earlier line"),
        ("(MaximumNumberOfIterations 1000000000)", "must be in"),
        ("(MaximumNumberOfIterations nan)", "must be in"),
        ("(MaximumNumberOfIterations many)", "must be a number"),
        ("(NumberOfThreads 4", "must be like"),
        ('(Text "\x1b[2J")', "plain text"),
    ],
)
def test_a_parameter_file_names_no_file_and_asks_for_nothing_absurd(tmp_path: Path, line: str, word: str):
    (tmp_path / "a.txt").write_text(STEP + line + "\n")
    refused(lambda: read_parameter_file(tmp_path / "a.txt"), "line 4", word)


@pytest.mark.parametrize("value", [np.nan, 1e6])
def test_a_displacement_field_has_possible_displacements(tmp_path: Path, value: float):
    field = np.zeros((3, 3, 3, 1, 3), np.float32)
    field[0, 0, 0, 0, 0] = value
    nib.save(nib.Nifti1Image(field, np.eye(4)), tmp_path / "a.nii.gz")
    refused(lambda: load_motion(tmp_path / "a.nii.gz"), "within 200 mm")
