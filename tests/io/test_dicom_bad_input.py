"""Of a messy DICOM folder, what is good is imported and the rest is named, each in one sentence."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_writers import Image, pattern, sagittal, uid, write_classic
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage
from test_dicom_import import SHAPE, cubequant, load, reasons, run, vfa

from rmqnet.cli.main import main
from rmqnet.domain.errors import InputError
from rmqnet.pipeline.import_dicom import ImportOptions, find_dicom
from rmqnet.pipeline.progress import Quiet

N_IMAGES = 4 * SHAPE[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four good spin-lock volumes; each test adds what is wrong."""
    write_classic(tmp_path / "dicom", cubequant(), "GE MEDICAL SYSTEMS")
    return tmp_path / "dicom"


def check_rest_is_imported(folder: Path, tmp_path: Path, *sentences: str) -> None:
    plan, names = run(folder, tmp_path / "study")
    for sentence in sentences:
        assert sentence in reasons(plan)
    assert names == ["001"]
    assert len(load(tmp_path / "study").get("spin_lock").acquisitions) == 4


@pytest.mark.parametrize("content", [None, "text"])
def test_a_folder_without_dicom_is_refused(tmp_path: Path, content: str | None):
    (tmp_path / "dicom").mkdir()
    if content:
        (tmp_path / "dicom" / "notes.txt").write_text(content)
    with pytest.raises(InputError, match=r"dicom: holds no DICOM file \(\d other files\): give the folder"):
        find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())


def test_other_files_among_the_images_do_no_harm(folder: Path, tmp_path: Path):
    (folder / "readme.txt").write_text("hello")
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "more.zip").write_bytes(b"PK\x03\x04 and more")
    (folder / "gone").symlink_to(folder / "nothing")
    (folder / "elsewhere").symlink_to(tmp_path)
    check_rest_is_imported(
        folder,
        tmp_path,
        "no DICOM files",
        "archives: unpack",
        "gone: no file: a link to nothing",
        "folder elsewhere: a link",
    )


def test_files_that_lack_or_are_no_whole_dicom_file_are_told_with_the_cure(folder: Path, tmp_path: Path):
    whole = sorted(folder.iterdir())[0].read_bytes()
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "other_mark").write_bytes(whole[:128] + b"DICX" + whole[132:])
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    (folder / "im1").write_text("no image")
    names: list[list[str] | None] = [["IM1"], ["IMAGES", "IM2"], None]
    directory.DirectoryRecordSequence = [Dataset() for _ in names]
    for record, name in zip(directory.DirectoryRecordSequence, names, strict=True):
        record.DirectoryRecordType = "IMAGE" if name else "PATIENT"
        if name:
            record.ReferencedFileID = name
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    check_rest_is_imported(
        folder,
        tmp_path,
        "other files: empty: copy them again",
        'look like DICOM without the mark "DICM"',
        "DICOMDIR that names 1 files which are not there",
    )


def test_a_file_that_may_not_be_read_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "closed.dcm").write_bytes(b"anything")
    whole = Path.open

    def closed(path: Path, *words: Any, **more: Any) -> Any:
        if path.name == "closed.dcm":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path, *words, **more)

    monkeypatch.setattr(Path, "open", closed)
    check_rest_is_imported(folder, tmp_path, "closed.dcm: no permission to read it: change its permissions")


def test_a_folder_of_archives_is_told_to_be_unpacked(tmp_path: Path):
    (tmp_path / "scan.zip").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(InputError, match="holds 1 archives and no DICOM file: unpack them first"):
        find_dicom(tmp_path, ImportOptions(), Quiet())


def test_a_folder_that_can_not_be_read_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "closed").mkdir()
    walk = os.scandir

    def closed(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return walk(path)

    monkeypatch.setattr(os, "scandir", closed)
    check_rest_is_imported(folder, tmp_path, "folder closed: can't be read (Permission denied)")


@pytest.mark.parametrize(
    ("implicit", "little", "syntax"),
    [(True, True, None), (False, True, None), (False, False, None), (False, True, ExplicitVRLittleEndian)],
)
def test_files_without_the_mark_are_read(tmp_path: Path, implicit: bool, little: bool, syntax: str | None):
    """Data sets alone, in each order of bytes, and with the meta information but neither preamble nor mark."""
    folder = tmp_path / "dicom"
    paths = write_classic(folder, cubequant())
    run(folder, tmp_path / "marked")
    for path in paths:
        dataset = dcmread(path)
        if syntax is not None:
            path.write_bytes(path.read_bytes()[132:])
            continue
        bare = Dataset()
        bare.update(dataset)
        if not little:
            bare["PixelData"].value = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        bare.save_as(path, implicit_vr=implicit, little_endian=little, enforce_file_format=False)
    run(folder, tmp_path / "bare")
    whole, without = (load(tmp_path / study).get("spin_lock") for study in ("marked", "bare"))
    assert np.array_equal(whole.data, without.data)
    assert whole.acquisitions == without.acquisitions


def test_a_series_with_a_hole_is_left_out(folder: Path, tmp_path: Path):
    affine = sagittal(SHAPE)
    paths = write_classic(folder / "more", [Image(pattern(SHAPE), affine, 9, "T1rho TSL 80 ms")])
    paths[2].unlink()
    check_rest_is_imported(folder, tmp_path, "series 9: half a series: of 5 slices, 1 inside are missing")


def test_a_series_that_ends_early_is_left_out_beside_whole_ones(folder: Path, tmp_path: Path):
    affine = sagittal(SHAPE)
    paths = write_classic(folder / "more", [Image(pattern(SHAPE), affine, 9, "T1rho TSL 80 ms")])
    for path in paths[3:]:
        path.unlink()
    check_rest_is_imported(
        folder, tmp_path, "series 9: half a series: 3 slices where the others of its kind have 5"
    )


def test_duplicated_instances_are_counted_once(folder: Path, tmp_path: Path):
    shutil.copytree(folder, folder / "again")
    check_rest_is_imported(folder, tmp_path, "copies: the same image")


def test_copies_under_other_uids_are_found_by_their_pixels(folder: Path, tmp_path: Path):
    for index, path in enumerate(sorted(folder.iterdir())[:6]):
        dataset = dcmread(path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid("copy", index)
        dataset.save_as(folder / f"copy{index}")
    check_rest_is_imported(folder, tmp_path, "series 7: the same pixels at the same position twice")


def test_different_images_at_one_place_are_not_mixed(folder: Path, tmp_path: Path):
    affine = sagittal(SHAPE)
    twice = [Image(pattern(SHAPE, n), affine, 9, "T1rho TSL 80 ms") for n in range(2)]
    write_classic(folder / "more", twice)
    check_rest_is_imported(
        folder, tmp_path, "series 9: several images at one position, and no attribute tells"
    )


def test_a_scan_in_two_acquisitions_under_one_series_is_told_apart(folder: Path, tmp_path: Path):
    affine = sagittal(SHAPE)
    twice = [
        Image(pattern(SHAPE, n), affine, 9, "T1rho TSL 80 ms", extra={"AcquisitionNumber": n})
        for n in range(2)
    ]
    write_classic(folder / "more", twice)
    plan, _ = run(folder, tmp_path / "study")
    assert "spin-lock time not known" in reasons(plan)
    assert "series 9/1" in reasons(plan)


def test_images_without_position_are_left_out(folder: Path, tmp_path: Path):
    def strip(dataset: Dataset, index: int) -> None:
        del dataset.ImagePositionPatient

    image = Image(pattern(SHAPE), sagittal(SHAPE), 9, "T1rho TSL 80 ms", change=strip)
    write_classic(folder / "more", [image])
    check_rest_is_imported(folder, tmp_path, "series 9: position, orientation or voxel size is missing")


def test_a_mosaic_is_left_out(folder: Path, tmp_path: Path):
    def strip(dataset: Dataset, index: int) -> None:
        del dataset.ImagePositionPatient

    kinds = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}
    write_classic(
        folder / "more", [Image(pattern(SHAPE), sagittal(SHAPE), 9, "x", extra=kinds, change=strip)]
    )
    check_rest_is_imported(folder, tmp_path, "series 9: mosaic images")


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmcjpeg (Debian dcmtk) is not installed")
def test_pixels_compressed_without_a_decoder_are_named(folder: Path, tmp_path: Path):
    paths = write_classic(folder / "more", [Image(pattern(SHAPE), sagittal(SHAPE), 9, "T1rho TSL 80 ms")])
    for path in paths:
        subprocess.run(["dcmcjpeg", str(path), str(path)], check=True)
    check_rest_is_imported(
        folder, tmp_path, "series 9: pixels are compressed (JPEG Lossless", "decompress them (dcmdjpeg"
    )


def test_compressed_pixels_with_a_decoder_are_read(tmp_path: Path):
    from pydicom.uid import RLELossless

    for path in write_classic(tmp_path / "dicom", cubequant()):
        dataset = dcmread(path)
        dataset.compress(RLELossless)
        dataset.save_as(path)
    run(tmp_path / "dicom", tmp_path / "study")
    data = load(tmp_path / "study").get("spin_lock").data
    assert sorted(np.unique(data[0])) == sorted(np.unique(pattern(SHAPE, 3000)))


@pytest.mark.parametrize(
    ("signed", "value", "limit"), [(1, -2000, None), (0, 63536, None), (1, -2000, -1900), (0, 4095, None)]
)
def test_padding_is_no_signal(tmp_path: Path, signed: int, value: int, limit: int | None):
    def pad(dataset: Dataset, _index: int) -> None:
        pixels = np.frombuffer(dataset.PixelData, np.uint16).copy()
        pixels[:4] = np.array(value if limit is None else limit).astype(np.uint16)
        dataset.PixelData, dataset.PixelRepresentation = pixels.tobytes(), signed
        dataset.add_new(0x00280120, "SS" if signed else "US", value)
        dataset.RescaleSlope, dataset.RescaleIntercept = "2", "5"
        if limit is not None:
            dataset.add_new(0x00280121, "SS", limit)

    for image in (images := cubequant()):
        image.change = pad
    write_classic(tmp_path / "dicom", images)
    run(tmp_path / "dicom", tmp_path / "study")
    data = load(tmp_path / "study").get("spin_lock").data
    assert np.count_nonzero(data[0] == 0) == 4 * SHAPE[2]
    assert data[data > 0].min() > 200


def test_a_localizer_in_three_planes_is_left_out(folder: Path, tmp_path: Path):
    turned = sagittal(SHAPE)
    turned[:3, :3] = turned[:3, [2, 0, 1]]
    kinds = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "LOCALIZER"]}
    planes = [Image(pattern(SHAPE), one, 1, "3 plane", extra=kinds) for one in (sagittal(SHAPE), turned)]
    write_classic(folder / "more", planes)
    check_rest_is_imported(folder, tmp_path, "series 1/1: a localizer", "series 1/2: a localizer")


def test_other_kinds_of_objects_are_named(folder: Path, tmp_path: Path):
    def to_ct(dataset: Dataset, index: int) -> None:
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID  # pyright: ignore
        dataset.Modality = "CT"

    write_classic(folder / "more", [Image(pattern(SHAPE), sagittal(SHAPE), 2, "ct", change=to_ct)])
    check_rest_is_imported(folder, tmp_path, "CT Image Storage (CT): not an MR image")


def test_damaged_files_are_named(folder: Path, tmp_path: Path):
    path = sorted(folder.iterdir())[0]
    (folder / "cut.dcm").write_bytes(path.read_bytes()[:200])
    path = write_classic(folder / "more", [Image(pattern(SHAPE), sagittal(SHAPE), 9, "T1rho TSL 80 ms")])[0]
    path.write_bytes(path.read_bytes()[:-30])
    check_rest_is_imported(
        folder, tmp_path, "cut off or damaged: its header", "series 9: cut off: its pixels"
    )


def test_two_knees_in_one_study_become_two_subjects_of_one_person(tmp_path: Path):
    for side, center, first in (("RT", -60.0, 10), ("LT", 60.0, 20)):
        for image in vfa(sagittal(SHAPE, center_x=center)):
            image.series, image.description = first + image.series, f"{side} KNEE fl3d"
            write_classic(tmp_path / "dicom", [image])
    plan, names = run(tmp_path / "dicom", tmp_path / "study")
    assert names == ["001L", "001R"]
    assert "Two knees in one study" in " ".join(plan.notes)
    left, right = (load(tmp_path / "study", name) for name in names)
    assert (left.subject.side, right.subject.side) == ("left", "right")
    assert left.subject.person == right.subject.person == "P001"


def test_two_people_in_one_folder_become_two_subjects(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant(), name="Doe^Jane")
    write_classic(tmp_path / "dicom", cubequant(60.0), name="Roe^Jim")
    _, names = run(tmp_path / "dicom", tmp_path / "study")
    assert names == ["001", "002"]
    with pytest.raises(InputError, match="2 people or visits"):
        run(tmp_path / "dicom", tmp_path / "other", subject="knee")


def test_a_knee_of_unknown_side_needs_a_word(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant(center_x=3.0))
    with pytest.raises(InputError, match="tells the side of the knee: add --side"):
        run(tmp_path / "dicom", tmp_path / "study")
    assert not (tmp_path / "study").exists()
    run(tmp_path / "dicom", tmp_path / "study", side="left")
    assert load(tmp_path / "study").subject.side == "left"


@pytest.mark.parametrize(
    ("extra", "side"),
    [
        ({"ImageLaterality": "L"}, "left"),
        ({"Laterality": "R"}, "right"),
        ({"ProtocolName": "Knee left UTE"}, "left"),
        ({"StudyDescription": "MRI R KNEE W/O"}, "right"),
    ],
)
def test_the_side_is_read_from_tags_and_names_before_the_position(tmp_path: Path, extra: dict, side: str):
    center = -60.0 if side == "left" else 60.0
    images = cubequant(center_x=center)
    for image in images:
        image.extra = extra
    write_classic(tmp_path / "dicom", images)
    run(tmp_path / "dicom", tmp_path / "study")
    assert load(tmp_path / "study").subject.side == side


def test_a_lone_image_named_t1rho_needs_its_time(tmp_path: Path):
    write_classic(tmp_path / "dicom", [Image(pattern(SHAPE), sagittal(SHAPE), 9, "T1rho", echo_time=30.0)])
    with pytest.raises(InputError, match="nothing in it can be imported, the table says why"):
        run(tmp_path / "dicom", tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("series\tspin_lock_time\n99\t0.01\n", "there is no series '99', only 7/1"),
        ("series\tTSL\n7\t0.01\n", "columns must be of series"),
        ("series\tmethod\n7\tmagic\n", "method of series 7 must be one of vfa"),
        ("series\tspin_lock_time\n7\tten\n", "spin_lock_time of series 7 must be a number"),
        ("spin_lock_time\n0.1\n", "column series is missing"),
    ],
)
def test_a_wrong_table_is_refused_in_one_sentence(folder: Path, tmp_path: Path, text: str, words: str):
    table = tmp_path / "settings.tsv"
    table.write_text(text)
    with pytest.raises(InputError, match=words):
        find_dicom(folder, ImportOptions(settings=table), Quiet())


def test_times_in_ms_in_the_table_are_caught_and_a_series_can_be_skipped(folder: Path, tmp_path: Path):
    table = tmp_path / "settings.tsv"
    table.write_text("series\tspin_lock_time\tmethod\n7/1\t10\tn/a\n7/2\tn/a\tskip\n")
    plan = find_dicom(folder, ImportOptions(settings=table), Quiet())
    assert "series 7/1: spin_lock_time 10 s is not possible: write 0.01 if it is 10 ms" in reasons(plan)
    assert "series 7/2: the table says skip" in reasons(plan)


def test_a_repeated_scan_is_taken_once_the_later_one(tmp_path: Path):
    images = vfa(sagittal(SHAPE), (5.0, 30.0, 30.0))
    for image in images:
        image.extra = {"AcquisitionTime": f"1200{image.series}"}
        write_classic(tmp_path / "dicom", [image])
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert "series 11: the same contrast as series 12, which was measured later" in reasons(plan)
    assert len(load(tmp_path / "study").get("vfa").acquisitions) == 2


def test_the_command_shows_the_table_before_it_writes_and_writes_nothing_without_a_study(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before = sorted(tmp_path.rglob("*"))
    assert main(["import", str(folder)]) == 0
    assert sorted(tmp_path.rglob("*")) == before
    shown = capsys.readouterr().out
    assert "Found: right knee" in shown
    assert "Nothing was written" in shown
    assert main(["import", str(folder), str(tmp_path / "study"), "--subject", "knee1"]) == 0
    assert "Imported sub-knee1" in capsys.readouterr().out
    assert (tmp_path / "study/sub-knee1/anat/sub-knee1_tsl-4_T1rhow.nii.gz").is_file()


def test_a_study_that_was_not_imported_is_not_touched(folder: Path, tmp_path: Path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="was not made by rmqnet"):
        run(folder, tmp_path / "study")
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["mine.txt"]


def test_an_afi_pair_of_one_stated_repetition_time_needs_a_table(tmp_path: Path):
    affine = sagittal(SHAPE)
    for n in range(2):
        dimmer = (pattern(SHAPE) // (1 + n)).astype(np.uint16)
        image = Image(dimmer, affine, 20 + n, "B1 map AFI", flip_angle=45.0)
        write_classic(tmp_path / "dicom", [image])
    plan = find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())
    assert "whose two repetition times its headers do not tell apart" in reasons(plan)
    table = tmp_path / "settings.tsv"
    table.write_text("series\trepetition_time_excitation\n20\t0.02\n21\t0.1\n")
    run(tmp_path / "dicom", tmp_path / "study", settings=table)
    pair = load(tmp_path / "study").get("afi").acquisitions
    assert [item.repetition_time_excitation for item in pair] == [0.02, 0.1]


def test_an_unknown_length_of_fat_saturation_is_said(tmp_path: Path):
    affine, table = sagittal(SHAPE), tmp_path / "settings.tsv"
    for n, time in enumerate((0, 24)):
        image = Image(pattern(SHAPE, n), affine, 7 + n, f"adiab T1rho TSL {time}", flip_angle=10.0)
        image.extra = {"ScanOptions": ["SAT_GEMS", "FS"]}
        write_classic(tmp_path / "dicom", [image])
    rows = "\n".join(f"{series}\t0.5\t25\t0.005" for series in (7, 8))
    table.write_text(f"series\trepetition_time_preparation\tspokes_per_preparation\tspoke_spacing\n{rows}\n")
    plan, _ = run(tmp_path / "dicom", tmp_path / "study", settings=table)
    assert "fat was saturated, but no DICOM header says for how long" in " ".join(plan.knees[0].notes)
    assert all(item.fat_saturated for item in load(tmp_path / "study").get("adiabatic_t1rho").acquisitions)


def test_a_value_that_is_no_number_counts_as_missing(folder: Path, tmp_path: Path):
    path = write_classic(folder / "more", [Image(pattern(SHAPE), sagittal(SHAPE), 9, "T1rho TSL 80 ms")])[0]
    content = path.read_bytes()
    place = content.index(b"DS", content.index(b"\x20\x00\x32\x00"))  # ImagePositionPatient
    path.write_bytes(content[: place + 4] + b"x" + content[place + 5 :])
    check_rest_is_imported(
        folder, tmp_path, "series 9: position, orientation or voxel size is missing or not valid"
    )


def test_two_visits_of_one_person_are_two_subjects_that_are_known_to_be_one_person(tmp_path: Path):
    for index, visit in enumerate(("first", "second")):
        images = cubequant()
        for image in images:
            image.extra = {"StudyDate": f"2024050{index + 1}", "SeriesInstanceUID": uid(visit)}
            image.description += f" {visit}"
        write_classic(tmp_path / "dicom", images, study=visit)
    _, names = run(tmp_path / "dicom", tmp_path / "study")
    assert names == ["001", "002"]
    assert {load(tmp_path / "study", name).subject.person for name in names} == {"P001"}


@pytest.mark.parametrize(("n_present", "said"), [(4, True), (5, False)])
def test_an_acquisition_that_is_not_all_there_is_said(tmp_path: Path, n_present: int, said: bool):
    images = cubequant()
    for image in images:
        image.extra = {"ImagesInAcquisition": N_IMAGES}
    phase = Image(
        pattern(SHAPE), images[0].affine, 8, "other", extra={"ImageType": ["ORIGINAL", "PRIMARY", "P"]}
    )
    paths = write_classic(tmp_path / "dicom", [*images, phase], "GE MEDICAL SYSTEMS")
    for path in paths[n_present * len(images) + n_present :]:  # four volumes and the phase at each place
        path.unlink()
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert ("the scanner measured 20 images, the folder holds 16" in " ".join(plan.notes)) is said


def test_a_map_that_the_scanner_made_is_not_taken_for_an_image(tmp_path: Path):
    images = vfa(sagittal(SHAPE), (5.0, 30.0))
    kinds = {"ImageType": ["DERIVED", "PRIMARY", "T1 MAP", "NONE"]}
    for image in [
        *images,
        Image(pattern(SHAPE), images[0].affine, 90, "T1 map", flip_angle=5.0, extra=kinds),
    ]:
        write_classic(tmp_path / "dicom", [image])
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert "series 90: a T1 map, computed by the scanner and not measured" in reasons(plan)
    assert [item.volume.label for item in plan.knees[0].volumes] == ["10", "11"]


def test_images_marked_as_derived_are_taken_where_the_table_names_their_method(tmp_path: Path):
    table = tmp_path / "settings.tsv"
    table.write_text("series\tmethod\n10\tvfa\n11\tvfa\n")
    for image in vfa(sagittal(SHAPE), (5.0, 30.0)):
        image.extra = {"ImageType": ["DERIVED", "SECONDARY"]}
        write_classic(tmp_path / "dicom", [image])
    plan, _ = run(tmp_path / "dicom", tmp_path / "study", settings=table)
    assert len(plan.knees[0].volumes) == 2
