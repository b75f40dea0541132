"""Measured images of one kind and one measurement are fitted together, and no computed ones among them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_writers import Image, sagittal, write_classic, write_enhanced
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from test_dicom_import import SHAPE, load, reasons, run

from rmqnet.io.dicom.plan import ImportPlan
from rmqnet.pipeline.import_dicom import ImportOptions, find_dicom
from rmqnet.pipeline.import_tables import import_tables, import_words
from rmqnet.pipeline.progress import Quiet

AFFINE = sagittal(SHAPE)
T1 = (1.2, 0.7)
"""T1 of the two halves of the phantom [s]."""
AFTER = (0.6, 0.4)
"""The same after a contrast agent."""
COIL = 0.5 + np.arange(SHAPE[0])[:, None, None] / SHAPE[0]
"""Sensitivity of a coil."""
SIEMENS = ("ORIGINAL", "PRIMARY", "M")


def spoiled(angle: float, times: tuple[float, float] = T1, gain: float | NDArray = 1.0) -> NDArray[np.uint16]:
    """Spoiled gradient echo of the phantom at a repetition time of 20 ms (Ernst 1966)."""
    halves = np.where(np.arange(SHAPE[1])[None, :, None] < SHAPE[1] // 2, *times)
    decay, turn = np.exp(-0.02 / halves), np.deg2rad(angle)
    signal = np.sin(turn) * (1 - decay) / (1 - decay * np.cos(turn))
    return np.broadcast_to(np.rint(200_000 * gain * signal), SHAPE).astype(np.uint16)


def image(
    series: int, angle: float, *words: str, gain: Any = 1.0, times: tuple[float, float] = T1, **extra: Any
) -> Image:
    """One flip angle; `words` are the values of ImageType after ORIGINAL and PRIMARY."""
    name = str(extra.pop("SeriesDescription", f"vfa FA{angle:g}"))
    extra = {"AcquisitionTime": f"10{series % 60:02d}00", **extra}
    if words:
        extra["ImageType"] = [*SIEMENS[:2], *words]
    return Image(
        spoiled(angle, times, gain), AFFINE, series, name, echo_time=2.4, flip_angle=angle, extra=extra
    )


def write(folder: Path, images: list[Image], vendor: str = "SIEMENS") -> Path:
    for one in images:
        write_classic(folder, [one], vendor)
    return folder


def look(folder: Path, **options: Any) -> ImportPlan:
    return find_dicom(folder, ImportOptions(**options), Quiet())


def taken(plan: ImportPlan) -> list[str]:
    return [item.volume.label for knee in plan.knees for item in knee.volumes]


def fitted_t1(study: Path) -> list[float]:
    """T1 of the two halves by the line of Fram 1987 (MRI 5:201) through all flip angles."""
    series = load(study).get("vfa")
    angles = np.deg2rad([item.flip_angle or 0.0 for item in series.acquisitions])
    found = []
    for half in (slice(None, SHAPE[1] // 2), slice(SHAPE[1] // 2, None)):
        signal = np.median(series.data[:, :, half], axis=(1, 2, 3))
        slope = np.polyfit(signal / np.tan(angles), signal / np.sin(angles), 1)[0]
        found.append(-0.02 / np.log(slope))
    return found


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("T1 MAP", "T1", "UNSPECIFIED"), "a T1 map"),
        (("T1", "T1", "UNSPECIFIED"), "a T1 map"),
        (("T2 MAP", "T2", "UNSPECIFIED"), "a T2 map"),
        (("B0", "B0", "UNSPECIFIED"), "a B0 map"),
        (("B1", "M", "B1"), "a B1 map"),
        (("OTHER", "R2_STAR"), "an R2* map"),
        (("DIXON", "FAT_FRACTION"), "a fat fraction map"),
        (("M", "NORM", "DIS2D", "T1 MAP"), "a T1 map"),
        (("M", "ND", "T1_STARTLATE_MAP"), "a T1 STARTLATE map"),
        (("M", "ND", "FIT_MAP"), "a fit map"),
        (("DIFFUSION", "ADC", "ND", "NORM"), "an ADC map"),
        (("OTHER", "QMAP"), "a quantitative map"),
        (("M", "NORM", "SUB"), "a subtraction"),
        (("MODULUS SUBTRACT",), "a subtraction"),
        (("M", "ND", "MPR"), "a reformatted image"),
        (("PROJECTION IMAGE", "M"), "a projection"),
    ],
)
def test_a_computed_image_is_known_by_any_value_of_its_type(
    tmp_path: Path, words: tuple[str, ...], named: str
):
    computed = image(9, 20.0, *words, gain=0.1)
    computed.extra["AcquisitionTime"] = "235900"
    plan, _ = run(write(tmp_path / "dicom", [image(3, 5.0), image(4, 20.0), computed]), tmp_path / "study")
    assert taken(plan) == ["3", "4"]
    assert f"series 9: {named}, computed by the scanner and not measured" in reasons(plan)
    assert fitted_t1(tmp_path / "study") == pytest.approx(T1, rel=0.01)


@pytest.mark.parametrize(
    "words", [("T1", "NONE"), ("M_B1", "M", "B1"), ("M_FFE", "M", "FFE"), ("OTHER",), ("M", "ND")]
)
def test_a_weighting_or_the_name_of_a_sequence_is_no_map(tmp_path: Path, words: tuple[str, ...]):
    plan = look(write(tmp_path / "dicom", [image(3, 5.0, *words), image(4, 20.0, *words)]))
    assert taken(plan) == ["3", "4"]


def test_units_of_a_map_tell_it(tmp_path: Path):
    unit, mapping = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "ms", "UCUM", "ms"
    mapping.MeasurementUnitsCodeSequence = [unit]
    maps = [image(8, 20.0, RescaleType="ms"), image(9, 20.0, RealWorldValueMappingSequence=[mapping])]
    plan = look(
        write(tmp_path / "dicom", [image(3, 5.0, RescaleType="US"), image(4, 20.0, RescaleType="US"), *maps])
    )
    assert taken(plan) == ["3", "4"]
    assert reasons(plan).count("a map in ms") == 2


@pytest.mark.parametrize("name", ["VFA T1 map", "fl3d_T1_Images", "R2*", "ADC", "PDFF", "T1rho map"])
def test_a_description_that_plainly_says_map_is_a_map(tmp_path: Path, name: str):
    folder = write(
        tmp_path / "dicom", [image(3, 5.0), image(4, 20.0), image(9, 20.0, SeriesDescription=name)]
    )
    plan = look(folder)
    assert taken(plan) == ["3", "4"]
    assert "series 9: named a map (description)" in reasons(plan)


@pytest.mark.parametrize(
    "names", [("T1map FA5", "T1map FA20"), ("T1 mapping vfa", "T1 mapping vfa"), ("T1 map", "T1 map")]
)
def test_measured_images_of_a_protocol_called_map_are_taken(tmp_path: Path, names: tuple[str, str]):
    images = [image(3, 5.0, SeriesDescription=names[0]), image(4, 20.0, SeriesDescription=names[1])]
    assert taken(look(write(tmp_path / "dicom", images))) == ["3", "4"]


def test_a_row_with_the_method_takes_a_map_all_the_same(tmp_path: Path):
    folder = write(tmp_path / "dicom", [image(3, 5.0), image(4, 20.0, "T1 MAP", "T1")])
    table = tmp_path / "settings.tsv"
    table.write_text("series\tmethod\n4\tvfa\n")
    assert taken(look(folder, settings=table)) == ["3", "4"]


@pytest.mark.parametrize("order", [("ND", "NORM"), ("NORM", "ND")])
def test_of_images_saved_with_and_without_normalization_one_kind_is_taken(
    tmp_path: Path, order: tuple[str, str]
):
    images = [
        image(
            30 + 2 * place + number,
            angle,
            "M",
            kind,
            gain=COIL if kind == "ND" else 1.0,
            AcquisitionTime="110000",
        )
        for place, (angle, kinds) in enumerate(((5.0, ("ND", "NORM")), (20.0, order)))
        for number, kind in enumerate(kinds)
    ]
    plan, _ = run(write(tmp_path / "dicom", images), tmp_path / "study")
    assert {item.volume.kind.normalized for item in plan.knees[0].volumes} == {False}
    assert fitted_t1(tmp_path / "study") == pytest.approx(T1, rel=0.01)
    assert "of another kind (normalized) than series" in reasons(plan)
    assert "method skip in a table (--settings)" in reasons(plan)
    assert "because images as measured come before normalized" in " ".join(import_words(plan))


def test_a_kind_that_has_all_contrasts_comes_before_one_that_lacks_some(tmp_path: Path):
    images = [
        image(3, 5.0, "M", "ND"),
        image(4, 5.0, "M", "NORM"),
        image(5, 20.0, "M", "NORM"),
        image(6, 30.0, "M", "ND"),
    ]
    images.append(image(7, 30.0, "M", "NORM"))
    plan = look(write(tmp_path / "dicom", images))
    assert taken(plan) == ["4", "5", "7"]
    assert "because it has the most contrasts" in " ".join(import_words(plan))


def test_images_of_two_kinds_are_not_mixed_where_neither_is_complete(tmp_path: Path):
    plan = look(write(tmp_path / "dicom", [image(3, 5.0, "M", "ND"), image(4, 20.0, "M", "NORM", "DIS2D")]))
    assert len(taken(plan)) == 1
    assert "distortion corrected in 2D" in reasons(plan) + " ".join(import_words(plan))


def test_a_word_that_is_not_known_does_not_split_a_set_that_is_one_otherwise(tmp_path: Path):
    plan = look(
        write(tmp_path / "dicom", [image(3, 5.0, "M", "ND", "ECHO_00"), image(4, 20.0, "M", "ND", "XYZ")])
    )
    assert taken(plan) == ["3", "4"]


def test_before_and_after_a_contrast_agent_are_not_mixed(tmp_path: Path):
    before = [image(10 + n, angle) for n, angle in enumerate((5.0, 10.0, 20.0))]
    after = [
        image(20 + n, angle, times=AFTER, ContrastBolusAgent="Gadovist")
        for n, angle in enumerate((5.0, 20.0))
    ]
    plan, _ = run(write(tmp_path / "dicom", [*before, *after]), tmp_path / "study")
    assert taken(plan) == ["10", "11", "12"]
    assert "series 20: measured after the contrast agent, unlike series 10, 11, 12" in reasons(plan)
    assert fitted_t1(tmp_path / "study") == pytest.approx(T1, rel=0.01)


def test_a_single_image_after_a_contrast_agent_is_not_a_rescan(tmp_path: Path):
    images = [image(3, 5.0), image(4, 20.0), image(5, 20.0, times=AFTER, ContrastBolusAgent="Gadovist")]
    assert taken(look(write(tmp_path / "dicom", images))) == ["3", "4"]
    images[-1] = image(5, 20.0, times=AFTER, SeriesDescription="vfa FA20 post")
    assert taken(look(write(tmp_path / "other", images))) == ["3", "4"]


def test_of_two_whole_measurements_the_first_is_taken_and_it_is_said(tmp_path: Path):
    images = [image(10 + n, angle) for n, angle in enumerate((5.0, 20.0))]
    images += [image(20 + n, angle, times=AFTER) for n, angle in enumerate((5.0, 20.0))]
    plan, _ = run(write(tmp_path / "dicom", images), tmp_path / "study")
    assert taken(plan) == ["10", "11"]
    assert fitted_t1(tmp_path / "study") == pytest.approx(T1, rel=0.01)
    assert "series 21: of another measurement than series 10, 11, which are taken together" in reasons(plan)
    assert "because it was measured first: a contrast agent may have been given" in " ".join(
        import_words(plan)
    )
    table = tmp_path / "settings.tsv"
    table.write_text("series\tmethod\n10\tskip\n11\tskip\n")
    assert taken(look(tmp_path / "dicom", settings=table)) == ["20", "21"]


@pytest.mark.parametrize("order", [(5.0, 20.0), (20.0, 5.0)])
def test_two_contrasts_measured_again_are_not_mixed_with_the_first_three(
    tmp_path: Path, order: tuple[float, float]
):
    images = [image(10 + n, angle) for n, angle in enumerate((5.0, 10.0, 20.0))]
    images += [image(20 + n, angle, times=AFTER) for n, angle in enumerate(order)]
    plan = look(write(tmp_path / "dicom", images))
    assert taken(plan) == ["10", "11", "12"]
    assert "because it has the most contrasts" in " ".join(import_words(plan))


def test_an_image_measured_again_at_once_or_alone_is_a_rescan(tmp_path: Path):
    again = [image(n, angle) for n, angle in ((3, 5.0), (4, 20.0), (5, 20.0))]
    assert taken(look(write(tmp_path / "once", again))) == ["3", "5"]
    alone = [image(n, angle) for n, angle in ((3, 5.0), (4, 10.0), (5, 20.0))]
    alone.append(image(6, 5.0, SeriesDescription="vfa FA5 repeat"))
    plan = look(write(tmp_path / "alone", alone))
    assert sorted(taken(plan)) == ["4", "5", "6"]
    assert "series 3: the same contrast as series 6, which was measured later" in reasons(plan)


@pytest.mark.parametrize(("times", "said"), [(AFTER, True), (T1, False)])
def test_a_rescan_that_is_brighter_than_the_first_is_told(
    tmp_path: Path, times: tuple[float, float], said: bool
):
    images = [image(3, 5.0), image(4, 20.0), image(5, 20.0, times=times)]
    words = " ".join(import_words(look(write(tmp_path / "dicom", images))))
    assert ("Series 5 is taken as a rescan of series 4, but its mean is 1." in words) is said


def test_of_dixon_images_those_in_phase_are_taken(tmp_path: Path):
    parts = (("W", 1.0), ("F", 0.2), ("IP", 1.2), ("OP", 0.8))
    images = [
        image(10 * (n + 1) + place, angle, part, part, "DERIVED", gain=gain)
        for n, angle in enumerate((5.0, 20.0))
        for place, (part, gain) in enumerate(parts)
    ]
    plan = look(write(tmp_path / "dicom", images, "Philips"))
    assert taken(plan) == ["12", "22"]
    assert "series 11: the fat part of a Dixon image" in reasons(plan)
    assert "series 10: of another kind (water) than series 12, 22 (in phase)" in reasons(plan)


def test_frames_of_one_enhanced_file_are_told_apart_by_their_frame_type(tmp_path: Path):
    def frame(words: tuple[str, ...], angle: float, gain: float) -> Image:
        made = image(5, angle, gain=gain, SeriesDescription="VFA")
        made.extra = {"FrameType": ["ORIGINAL", "PRIMARY", *words], "ComplexImageComponent": "MAGNITUDE"}
        return made

    images = [
        frame(("M_FFE", "M"), 5.0, 1.0),
        frame(("M_FFE", "M"), 20.0, 1.0),
        frame(("T1 MAP", "T1"), 20.0, 0.1),
        frame(("DIXON", "FAT_FRACTION"), 20.0, 0.1),
        frame(("DIXON", "WATER"), 20.0, 0.9),
    ]
    write_enhanced(tmp_path / "dicom" / "IM_0001", images)
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert fitted_t1(tmp_path / "study") == pytest.approx(T1, rel=0.01)
    assert "a T1 map" in reasons(plan)
    assert "a fat fraction map" in reasons(plan)


def test_types_that_siemens_keeps_in_a_private_value_are_read(tmp_path: Path):
    def typed(*words: str):
        def change(dataset: Dataset, _: int) -> None:
            block = dataset.private_block(0x0021, "SIEMENS MR SDI 02", create=True)
            dataset.add_new((0x0021, 0x1010), "LO", str(block.private_creator))
            dataset.add_new((0x0021, 0x1175), "CS", ["ORIGINAL", "PRIMARY", *words])

        return change

    images = [image(n, angle, "T1", "NONE") for n, angle in ((3, 5.0), (4, 5.0), (5, 20.0), (6, 20.0))]
    for one, kind in zip(images, ("ND", "NORM", "NORM", "ND"), strict=True):
        one.change = typed("M", kind)
    assert taken(look(write(tmp_path / "dicom", images))) == ["3", "6"]


def test_both_kinds_of_an_afi_pair_are_not_mixed(tmp_path: Path):
    images = [
        Image(
            spoiled(45.0, gain=gain), AFFINE, series, "AFI", repetition_time=time, flip_angle=45.0, extra=kind
        )
        for series, time, kind, gain in (
            (20, 20.0, {"ImageType": [*SIEMENS, "ND"]}, 1.0),
            (21, 100.0, {"ImageType": [*SIEMENS, "ND"]}, 0.7),
            (22, 20.0, {"ImageType": [*SIEMENS, "NORM"]}, 1.0),
            (23, 100.0, {"ImageType": [*SIEMENS, "NORM"]}, 0.7),
        )
    ]
    assert taken(look(write(tmp_path / "dicom", images))) == ["20", "21"]


def test_the_kind_of_the_other_methods_decides_between_whole_sets(tmp_path: Path):
    angles = [
        image(n, angle, "M", kind) for n, angle, kind in ((3, 5.0, "ND"), (4, 5.0, "NORM"), (5, 20.0, "NORM"))
    ]
    angles.append(image(6, 20.0, "M", "ND"))
    locks = [
        Image(
            spoiled(20.0), AFFINE, 30 + time, f"T1rho TSL {time} ms", extra={"ImageType": [*SIEMENS, "NORM"]}
        )
        for time in (0, 20)
    ]
    plan = look(write(tmp_path / "dicom", [*angles, *locks]))
    assert taken(plan) == ["30", "50", "4", "5"]
    assert "because it has the kind of most images of this knee" in " ".join(import_words(plan))


def test_spin_lock_times_in_the_echo_time_are_read_within_one_kind(tmp_path: Path):
    images = [
        Image(
            spoiled(20.0),
            AFFINE,
            series,
            "cubequant T1rho",
            echo_time=time,
            extra={"ImageType": [*SIEMENS, kind]},
        )
        for series, kind in ((7, "ND"), (8, "NORM"))
        for time in (1.0, 10.0, 30.0, 60.0)
    ]
    for series in (7, 8):
        write_classic(tmp_path / "dicom", [one for one in images if one.series == series])
    assert taken(look(tmp_path / "dicom")) == ["7/1", "7/2", "7/3", "7/4"]


def test_spin_lock_images_whose_echo_times_differ_are_one_set_where_the_table_gives_their_times(
    tmp_path: Path,
):
    for series, time in ((7, 1.0), (8, 30.0)):
        write_classic(tmp_path / "dicom", [Image(spoiled(20.0), AFFINE, series, "T1rho", echo_time=time)])
    table = tmp_path / "settings.tsv"
    table.write_text("series\tspin_lock_time\n7\t0\n8\t0.024\n")
    assert taken(look(tmp_path / "dicom", settings=table)) == ["7", "8"]


def test_what_is_left_out_is_shown_with_its_description(tmp_path: Path):
    plan = look(
        write(
            tmp_path / "dicom",
            [image(3, 5.0), image(4, 20.0), image(9, 20.0, "T2 MAP", SeriesDescription="T2q")],
        )
    )
    table = import_tables(plan)[-1]
    assert table.columns == ("What", "Description", "Images", "Why")
    assert [cell.text for cell in table.rows[0]][:3] == ["series 9", "T2q", "5"]
