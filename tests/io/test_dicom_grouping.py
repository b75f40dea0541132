"""Slices become volumes by position, pixels and settings up to rounding; no UID is trusted over them."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from dicom_writers import Image, pattern, sagittal, true_values, uid, write_classic
from pydicom import dcmread
from pydicom.dataset import Dataset
from test_dicom_import import SHAPE, load, reasons, run, values_in, vfa

from rmqnet.io.dicom.plan import ImportPlan
from rmqnet.io.dicom.result import refer_to, refer_to_slices
from rmqnet.io.dicom.source import read_source
from rmqnet.io.dicom.stack import FrameStack
from rmqnet.pipeline.import_dicom import ImportOptions, find_dicom
from rmqnet.pipeline.progress import Quiet

AFFINE = sagittal(SHAPE)


def look(folder: Path) -> ImportPlan:
    return find_dicom(folder, ImportOptions(), Quiet())


def taken(plan: ImportPlan) -> list[str]:
    return [item.volume.label for knee in plan.knees for item in knee.volumes]


def own_series(dataset: Dataset, index: int) -> None:
    """A series UID per slice, as Canon writes them."""
    dataset.SeriesInstanceUID = uid("own", dataset.SeriesNumber, dataset.EchoTime, dataset.FlipAngle, index)


def locks(
    change: Callable[[Dataset, int], None] | None = None, times: tuple[int, ...] = (0, 10, 40)
) -> list[Image]:
    return [
        Image(pattern(SHAPE, 100 * n), AFFINE, 10000 + n, f"T1rho TSL {time} ms", change=change)
        for n, time in enumerate(times)
    ]


def write(folder: Path, images: list[Image], vendor: str = "CANON_MEC") -> Path:
    for image in images:
        write_classic(folder, [image], vendor)
    return folder


def test_slices_with_a_series_uid_each_become_volumes(tmp_path: Path):
    plan, _ = run(write(tmp_path / "dicom", locks(own_series)), tmp_path / "study")
    assert taken(plan) == ["10000", "10001", "10002"]
    assert not plan.left_out
    for number, truth in enumerate(true_values(locks()), start=1):
        assert values_in(tmp_path / f"study/sub-001/anat/sub-001_tsl-{number}_T1rhow.nii.gz") == truth


def test_results_name_the_series_of_each_slice(tmp_path: Path):
    write(tmp_path / "dicom", locks(own_series, (0, 10)))
    run(tmp_path / "dicom", tmp_path / "study", keep_identity=True)
    source = read_source(tmp_path / "study/sub-001")
    assert source is not None
    wanted = {
        str(dataset.SOPInstanceUID): str(dataset.SeriesInstanceUID)
        for dataset in map(dcmread, sorted((tmp_path / "dicom").iterdir()))
    }
    found = {one.sop_instance: one.series for volume in source.volumes for one in volume.instances}
    assert len(set(found.values())) == 2 * SHAPE[2]
    assert found == wanted
    result = Dataset()
    template = Dataset()
    template.StudyInstanceUID = source.volumes[0].study
    refer_to(result, SimpleNamespace(volumes=source.volumes, template=template))  # pyright: ignore[reportArgumentType]
    named = {
        str(one.ReferencedSOPInstanceUID): str(series.SeriesInstanceUID)
        for series in result.ReferencedSeriesSequence
        for one in series.ReferencedInstanceSequence
    }
    assert named == wanted


def test_results_refer_to_slices_whose_positions_are_rounded(tmp_path: Path):
    def rounded(dataset: Dataset, _index: int) -> None:
        dataset.ImagePositionPatient = [
            round(20 * float(value)) / 20 for value in dataset.ImagePositionPatient
        ]

    shape = (*SHAPE[:2], 40)
    image = Image(pattern(shape), sagittal(shape, angle=17.0), 7, "T1rho TSL 1 ms", change=rounded)
    write_classic(tmp_path / "dicom", [image])
    run(tmp_path / "dicom", tmp_path / "study")
    source = read_source(tmp_path / "study/sub-001")
    assert source is not None
    stack = FrameStack(load(tmp_path / "study").get("spin_lock").grid, from_dicom=True)
    result = Dataset()
    result.PerFrameFunctionalGroupsSequence = [Dataset() for _ in stack.positions]
    for frame, where in zip(result.PerFrameFunctionalGroupsSequence, stack.positions, strict=True):
        frame.PlanePositionSequence = [Dataset()]
        frame.PlanePositionSequence[0].ImagePositionPatient = list(where)
    refer_to_slices(result, stack, source.volumes)
    named = [
        [str(one.ReferencedSOPInstanceUID) for one in frame.DerivationImageSequence[0].SourceImageSequence]
        for frame in result.PerFrameFunctionalGroupsSequence
    ]
    ordered = sorted(
        source.volumes[0].instances, key=lambda one: np.linalg.norm(one.position - stack.positions[0])
    )
    assert named == [[one.sop_instance] for one in ordered]


def test_several_contrasts_of_one_number_with_a_series_uid_per_slice_are_told_apart(tmp_path: Path):
    images = [
        Image(pattern(SHAPE, 50 * n), AFFINE, 7, "cubequant T1rho", echo_time=time, change=own_series)
        for n, time in enumerate((1.0, 10.0, 30.0))
    ]
    write_classic(tmp_path / "dicom", images)
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert taken(plan) == ["7/1", "7/2", "7/3"]
    assert load(tmp_path / "study").get("spin_lock").grid.shape == (5, 6, 7)


def test_a_missing_slice_among_those_with_a_uid_each_is_a_hole(tmp_path: Path):
    folder = write(tmp_path / "dicom", locks(own_series))
    path = next(
        p
        for p in folder.iterdir()
        if (d := dcmread(p)).SeriesNumber == 10001 and abs(float(d.ImagePositionPatient[0]) + 70) < 0.1
    )
    path.unlink()
    plan = look(folder)
    assert taken(plan) == ["10000", "10002"]
    assert "series 10001: half a series: of 5 slices, 1 inside are missing" in reasons(plan)


def test_whole_series_of_one_number_stay_series_of_their_own(tmp_path: Path):
    for n in range(2):
        image = Image(
            pattern(SHAPE, n), AFFINE, 7, "T1rho TSL 10 ms", extra={"SeriesInstanceUID": uid("whole", n)}
        )
        write_classic(tmp_path / "dicom" / str(n), [image])
    plan = look(tmp_path / "dicom")
    assert taken(plan) == ["7b"]
    assert "series 7: the same contrast as series 7b" in reasons(plan)


def test_two_scans_under_one_series_uid_whose_slices_have_times_of_their_own_are_not_mixed(tmp_path: Path):
    images = [Image(pattern(SHAPE, 10 * n), AFFINE, 9, "T1rho TSL 80 ms") for n in range(2)]
    counter = iter(range(100))

    def timed(dataset: Dataset, _: int) -> None:
        dataset.AcquisitionTime = f"1200{next(counter):02d}"

    for image in images:
        image.change = timed
    write_classic(tmp_path / "dicom", images)
    plan = look(tmp_path / "dicom")
    assert taken(plan) == []
    assert "several images at one position, and no attribute tells" in reasons(plan)


def test_images_of_one_instance_uid_and_other_pixels_do_not_vanish(tmp_path: Path):
    images = vfa(AFFINE, (5.0, 30.0))
    for image in images:
        image.change = lambda dataset, index: setattr(dataset, "SOPInstanceUID", uid("same", index))
        write_classic(tmp_path / "dicom" / str(image.series), [image])
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert taken(plan) == ["10", "11"]
    assert not plan.left_out
    data = load(tmp_path / "study").get("vfa").data
    assert (data[1] - data[0] == 1000).all()


@pytest.mark.parametrize("shift", [0, 3])
def test_copies_of_an_instance_are_counted_only_where_their_pixels_are_the_same(tmp_path: Path, shift: int):
    folder = write(tmp_path / "dicom", locks())
    path = sorted(folder.iterdir())[0]
    dataset = dcmread(path)
    dataset.PixelData = (dataset.pixel_array + shift).astype(np.uint16).tobytes()
    dataset.save_as(folder / "again")
    plan = look(folder)
    assert ("copies: the same image (SOP Instance UID)" in reasons(plan)) is (shift == 0)
    assert ("several images at one position" in reasons(plan)) is (shift != 0)


def test_a_frame_of_reference_per_slice_does_not_take_a_volume_apart(tmp_path: Path):
    def moved(dataset: Dataset, index: int) -> None:
        dataset.FrameOfReferenceUID = uid("space", index)

    plan, names = run(write(tmp_path / "dicom", locks(moved)), tmp_path / "study")
    assert names == ["001"]
    assert taken(plan) == ["10000", "10001", "10002"]


def test_scans_at_the_same_positions_in_two_frames_of_reference_are_told_apart(tmp_path: Path):
    images = [
        Image(pattern(SHAPE, n), AFFINE, 9, "T1rho TSL 80 ms", extra={"FrameOfReferenceUID": uid("space", n)})
        for n in range(2)
    ]
    write_classic(tmp_path / "dicom", images)
    assert "several images" not in reasons(look(tmp_path / "dicom"))


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ("EchoTime", ("0.032", "0.032001", "0.03")),
        ("RepetitionTime", ("20", "20.000001", "19.99")),
        ("MagneticFieldStrength", ("3", "2.89", "30000")),
    ],
)
def test_settings_that_differ_by_rounding_are_one_series(
    tmp_path: Path, attribute: str, values: tuple[str, ...]
):
    images = vfa(AFFINE, (5.0, 10.0, 20.0))
    for image, value in zip(images, values, strict=True):
        image.description = "UTE cones"
        image.extra = {attribute: value}
    plan, _ = run(write(tmp_path / "dicom", images, "SIEMENS"), tmp_path / "study")
    if attribute == "MagneticFieldStrength":
        paths = sorted((tmp_path / "study/sub-001/anat").glob("*.json"))
        assert [json.loads(path.read_text())[attribute] for path in paths] == [3.0, 2.89, 3.0]
    assert [item.flip_angle for item in load(tmp_path / "study").get("vfa").acquisitions] == [5, 10, 20]
    assert not plan.left_out


def test_slices_whose_settings_differ_by_rounding_are_one_volume(tmp_path: Path):
    def rounded(dataset: Dataset, index: int) -> None:
        dataset.FlipAngle = ("5", "4.99")[index % 2]
        dataset.EchoTime = ("2.46", "2.4600001")[index % 2]
        dataset.PixelSpacing = (["0.5859375", "0.5859375"], ["0.586", "0.586"])[index % 2]

    images = locks(rounded)
    plan = look(write(tmp_path / "dicom", images))
    assert taken(plan) == ["10000", "10001", "10002"]


def test_flip_angles_that_differ_by_rounding_are_one_contrast(tmp_path: Path):
    plan = look(write(tmp_path / "dicom", vfa(AFFINE, (5.0, 20.0, 4.99)), "SIEMENS"))
    assert len(taken(plan)) == 2
    images = vfa(AFFINE, (5.0, 4.99))
    for image in images:
        image.description = "UTE cones"
    assert taken(look(write(tmp_path / "other", images, "SIEMENS"))) == []


def test_voxel_sizes_and_cosines_that_differ_by_rounding_are_one_grid(tmp_path: Path):
    shape = (64, 64, 3)
    affine = sagittal(shape, angle=12.0)
    affine[:3, 0] *= 0.5859375 / 0.5
    affine[:3, 1] *= 0.5859375 / 0.6

    def rounded(dataset: Dataset, _: int) -> None:
        dataset.PixelSpacing = ["0.586", "0.586"]
        dataset.ImageOrientationPatient = [f"{float(value):.3f}" for value in dataset.ImageOrientationPatient]
        dataset.ImagePositionPatient = [f"{float(value):.2f}" for value in dataset.ImagePositionPatient]

    images = [
        Image(pattern(shape, n), affine, 10 + n, f"T1rho TSL {time}", change=rounded if n else None)
        for n, time in enumerate((0, 20, 40))
    ]
    plan = look(write(tmp_path / "dicom", images))
    assert taken(plan) == ["10", "11", "12"]
    assert np.linalg.norm(plan.knees[0].volumes[1].volume.affine[:3, 0]) == pytest.approx(0.586, rel=1e-9)


@pytest.mark.parametrize(
    ("thickness", "edge"),
    [({"SliceThickness": "4"}, 4.0), ({"SliceThickness": "4", "SpacingBetweenSlices": "4.4"}, 4.4)],
)
def test_single_slices_are_imported_with_the_stated_edge(
    tmp_path: Path, thickness: dict[str, Any], edge: float
):
    shape = (16, 12, 1)
    affine = sagittal(shape, angle=9.0)
    images = [
        Image(pattern(shape, 10 * n), affine, 10 + n, f"T1rho TSL {time} ms", extra=thickness)
        for n, time in enumerate((0, 10, 40, 80))
    ]
    run(write(tmp_path / "dicom", images), tmp_path / "study")
    grid = load(tmp_path / "study").get("spin_lock").grid
    assert grid.shape == (1, 12, 16)
    assert grid.voxel_size == pytest.approx((edge, 0.6, 0.5), abs=1e-5)
    assert abs(float(np.dot(grid.affine[:3, 0], grid.affine[:3, 1]))) < 1e-5
    truth, found = (
        {value: place for place, value in values.items()}
        for values in (
            true_values(images)[1],
            values_in(tmp_path / "study/sub-001/anat/sub-001_tsl-2_T1rhow.nii.gz"),
        )
    )
    assert found.keys() == truth.keys()
    assert all(found[value] == pytest.approx(truth[value], abs=0.011) for value in truth)


def test_a_single_slice_of_unknown_thickness_says_what_lacks(tmp_path: Path):
    def strip(dataset: Dataset, _: int) -> None:
        del dataset.SliceThickness

    images = [Image(pattern((7, 6, 1)), sagittal((7, 6, 1)), 10, "T1rho TSL 10 ms", change=strip)]
    plan = look(write(tmp_path / "dicom", images))
    assert "series 10: a single slice without SliceThickness or SpacingBetweenSlices" in reasons(plan)


def test_single_slices_of_other_series_are_not_joined_across_a_distance(tmp_path: Path):
    for n, center in enumerate((-70.0, -10.0)):
        image = Image(
            pattern((7, 6, 1)),
            sagittal((7, 6, 1), center_x=center),
            10,
            "T1rho TSL 10 ms",
            extra={"SeriesInstanceUID": uid("far", n)},
        )
        write_classic(tmp_path / "dicom" / str(n), [image])
    assert {item.what for item in look(tmp_path / "dicom").left_out} == {"series 10b"}
