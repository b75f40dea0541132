"""Spin-lock times in names and tags: the whole number or none; and times of two preparations in one attribute."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_writers import Image, pattern, sagittal, write_classic, write_enhanced
from hypothesis import given
from hypothesis import strategies as st
from test_dicom_import import SHAPE, load, reasons, run

from rmqnet.io.dicom.time_text import milliseconds_in, spin_lock_time_in
from rmqnet.pipeline.import_dicom import ImportOptions, find_dicom
from rmqnet.pipeline.progress import Quiet

AFFINE = sagittal(SHAPE)
MAPSS = (0.0, 10.0, 40.0, 80.0, 12.847, 25.695, 51.389)
"""Spin-lock times, then times of T2 preparations [ms], as GE writes them into EchoTime."""
UNITS = {
    **dict.fromkeys(("ms", "msec", "MS", "Msec", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "usec", "\N{MICRO SIGN}s"), 1e-6),
    **dict.fromkeys(("s", "sec", "seconds"), 1.0),
}


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("T1rho TSL 24", 0.024),
        ("T1rho_tsl12p5ms", 0.0125),
        ("TSL40msec", 0.040),
        ("TSL5msec", 0.005),
        ("T1rho TSL2,5ms", 0.0025),
        ("T1rho TSL40,0ms", 0.040),
        ("T1rho 500Hz 36 ms", 0.036),
        ("T1rho spinlock 500Hz 5ms", 0.005),
        ("T1rho_TSL10FS500", 0.010),
        ("TSL40msFS", 0.040),
        ("TSL 40 - 500 Hz", 0.040),
        ("TSL [ms]: 40", 0.040),
        ("TSL=0.04s", 0.040),
        ("spin-lock time: 8 ms", 0.008),
        ("T1rho TR500ms TSL 10", 0.010),
        ("T1rho TSL 1 ms of 4", 0.001),
        ("T1rho TE 5 ms", None),
        ("T1rho sag SL3", None),
        ("T1rho TSL 0/10/30/60", None),
        ("T1rho TSL 0 10 30 60 ms", None),
        ("T1rho 0_10_30_60ms", None),
        ("TSL 10-40 ms", None),
        ("TSL 1,000 us", None),
        ("TSL 0.04", None),
        ("TSL400USFS", None),
        ("TSL.5ms", None),
        ("TSL 4e-2 s", None),
        ("TSL=-40", None),
        ("TSL#3", None),
        ("TSL 2, 10 ms", None),
        ("T2prep 40 ms T1rho", None),
        ("T1rho 3D", None),
        ("T1rho12_5ms", None),
        ("T1rho 4e1ms", None),
        ("T1rho 4E-2 ms", None),
        ("TSL 5\N{MIDDLE DOT}5 ms", None),
        ("T1rho 5\N{PLUS-MINUS SIGN}1 ms", None),
        ("TSL 2\N{VULGAR FRACTION ONE HALF} ms", None),
        ("TSL 40\N{SUPERSCRIPT TWO}ms", None),
        ("TSL 40ms^2", None),
        ("T1rho 10 to 80 ms", None),
        ("TSL 10ms to 40ms", None),
        ("T1rho 10*40ms", None),
        ("TSL -40 ms", None),
        ("TSL \N{MINUS SIGN}40ms", None),
        ("TSL <40 ms", None),
        ("TSL 40' ", None),
        ("TSL40p2", None),
        ("TSL40S", None),
        ("TSL 10,40", None),
        ("TSL 40 minutes", None),
        ("TSL 20 usecond", None),
        ("TSL 20 microsegundos", None),
        ("TSL 40 \N{MICRO SIGN} s", None),
        ("T140ms T1rho", None),
        ("spin lock 500", None),
        ("TSL 40 Mikrosekunden", 4e-5),
        ("TSL 0,04 s", 0.040),
        ("T1rho-40ms", 0.040),
        ("T1rho_FA5_40ms", 0.040),
    ],
)
def test_a_spin_lock_time_in_a_name_is_read_or_left_alone(name: str, seconds: float | None):
    found = spin_lock_time_in(name)
    assert found is None if seconds is None else found is not None and found.seconds == pytest.approx(seconds)


@given(
    whole=st.integers(0, 999),
    part=st.none() | st.integers(0, 999).map("{:03d}".format) | st.integers(0, 99).map("{:02d}".format),
    point=st.sampled_from(".,p"),
    unit=st.sampled_from(sorted(UNITS)),
    label=st.sampled_from(["TSL", "tsl_", "TSL ", "TSL=", "spin lock ", "Spinlock time: "]),
    gap=st.sampled_from(["", " ", "_"]),
    before=st.sampled_from(["", "T1rho ", "sag 3D T1rho_", "500Hz "]),
    after=st.text(" _-.,;:/()abcdehmnprstuzFSKM0123456789\u00b5", max_size=8),
)
def test_no_number_is_cut(
    whole: int, part: str | None, point: str, unit: str, label: str, gap: str, before: str, after: str
):
    number = str(whole) if part is None else f"{whole}{point}{part}"
    found = spin_lock_time_in(f"{before}{label}{number}{gap}{unit} {after}")
    exact = float(number.replace(",", ".").replace("p", ".")) * UNITS[unit]
    assert found is None or found.seconds == pytest.approx(exact, abs=1e-9)
    if not after and not (point == "," and part is not None and len(part) == 3):
        assert found is not None


NUMBERS = st.one_of(
    st.integers(0, 10**6).map(str),
    st.integers(0, 10**6).map("{:,}".format),
    st.integers(0, 10**6).map(lambda whole: f"{whole:,}".replace(",", " ")),
    st.floats(0, 1e4, allow_nan=False).map("{:.1f}".format),
    st.floats(0, 1e4, allow_nan=False).map(lambda value: f"{value:.1f}".replace(".", ",")),
    st.floats(0, 1e4, allow_nan=False).map("{:.1e}".format),
    st.floats(-1e3, -1, allow_nan=False).map("{:.2f}".format),
)


@given(
    number=NUMBERS,
    name=st.sampled_from(
        ["T1rho", "T1rho ", "T1rho_", "T1rho-", "TSL", "TSL ", "TSL=", "TSL_", "spinlock ", "UTE prep"]
    ),
    gap=st.sampled_from(["", " ", "_", "-"]),
    unit=st.sampled_from([*sorted(UNITS), "", "Hz", "min", "deg", "mm"]),
    before=st.sampled_from(["", "knee ", "3D ", "FA5 ", "10 ", "10/", "500Hz ", "2_"]),
    after=st.sampled_from(
        ["", " sag", "_fs", "FS500", " 500Hz", "/80ms", ", 80 ms", " to 80 ms", "-80", "^2", " FA10"]
    ),
)
def test_a_number_of_any_spelling_is_that_number_or_none(
    number: str, name: str, gap: str, unit: str, before: str, after: str
):
    found = spin_lock_time_in(f"{before}{name}{number}{gap}{unit}{after}")
    if found is None:
        return
    if unit in ("Hz", "min", "deg", "mm"):
        assert "80" in after
        assert found.seconds == pytest.approx(0.08)
        return
    decimal = number.count(",") == 1 and len(number.split(",")[1]) == 1
    exact = float(number.replace(" ", "").replace(",", "." if decimal else ""))
    # a hyphen at a word is no sign
    exact = -exact if name[-1:].isalpha() else exact
    assert found.seconds == pytest.approx(abs(exact) * UNITS[unit or "ms"], rel=1e-9, abs=1e-9)
    assert exact >= 0 or name[-1:].isalpha()


@given(st.text("TSLtslmsecuhz0123456789.,p _-/=", max_size=24))
def test_a_time_is_made_of_a_number_that_stands_in_the_text_with_nothing_but_other_characters_around(
    text: str,
):
    found = spin_lock_time_in(text)
    if found is None:
        return
    runs = "".join(character if character in "0123456789.,pP" else " " for character in text).split()
    values = {
        float(run.strip(".,pP").replace(",", ".").replace("p", ".").replace("P", "."))
        for run in runs
        if run.strip(".,pP") and sum(run.strip(".,pP").count(point) for point in ".,pP") <= 1
    }
    assert any(
        found.seconds == pytest.approx(value * factor, abs=1e-9)
        for value in values
        for factor in (1.0, 1e-3, 1e-6)
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(40, 0.04), ("40", 0.04), ("12.5", 0.0125), ("40 ms", None), ("TSL 40 ms", 0.04), ([10, 40], None)],
)
def test_a_tag_holds_one_number_in_ms_or_a_text_that_states_one_time(value: Any, seconds: float | None):
    if value == "40 ms":
        seconds = 0.04
    assert milliseconds_in(value) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"40 \0", 0.04),
        (b"\x00\x00 B", None),
        ([40.0], 0.04),
        ("12,5", 0.0125),
        ("20 us", 2e-5),
        ("0.04 s", 0.04),
        (-40.0, None),
        ("-40", None),
        ("nan", None),
        (float("inf"), None),
        ("1_0", None),
        ("0x28", None),
        ("10\\40", None),
        (True, None),
        ("", None),
    ],
)
def test_a_tag_of_any_type_holds_one_time_or_none(value: Any, seconds: float | None):
    assert milliseconds_in(value) == (None if seconds is None else pytest.approx(seconds))


def mapss(times: tuple[float, ...] = MAPSS, name: str = "3D MAPSS T1rho/T2", series: int = 7) -> list[Image]:
    return [
        Image(pattern(SHAPE, n), AFFINE, series, name, echo_time=time, extra={"EchoNumbers": n + 1})
        for n, time in enumerate(times)
    ]


@pytest.mark.parametrize("times", [MAPSS, (*MAPSS[4:], *MAPSS[:4]), (0.0, 10.0, 40.0, 80.0, 0.0, 12.8, 25.7)])
@pytest.mark.parametrize("enhanced", [False, True])
def test_echo_times_of_two_preparations_are_told_and_no_times_of_spin_lock(
    times: tuple[float, ...], enhanced: bool, tmp_path: Path
):
    if enhanced:
        write_enhanced(tmp_path / "dicom/mapss", mapss(times))
    else:
        write_classic(tmp_path / "dicom", mapss(times))
    plan = find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())
    assert not plan.knees
    assert reasons(plan).count("EchoTime holds two preparations") == 7


def test_two_preparations_in_series_of_their_own_are_told(tmp_path: Path):
    for n, time in enumerate(MAPSS):
        write_classic(tmp_path / "dicom", mapss((time,), series=7 + n))
    plan = find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())
    assert not plan.knees
    assert "(0, 10, 40, 80 and 12.847, 25.695, 51.389 ms)" in reasons(plan)


def test_a_series_named_after_t2_is_no_spin_lock_series(tmp_path: Path):
    write_classic(tmp_path / "dicom", mapss(MAPSS[:4], "MAPSS T1rho", 7))
    write_classic(tmp_path / "dicom", mapss(MAPSS[4:], "MAPSS T2", 8))
    run(tmp_path / "dicom", tmp_path / "study")
    times = [item.spin_lock_time for item in load(tmp_path / "study").get("spin_lock").acquisitions]
    assert times == [0, 0.010, 0.040, 0.080]


def test_the_table_tells_the_spin_lock_images_of_two_preparations_and_no_other_is_guessed(tmp_path: Path):
    write_classic(tmp_path / "dicom", mapss())
    table = tmp_path / "settings.tsv"
    table.write_text("series\tspin_lock_time\n7/1\t0\n7/2\t0.01\n7/3\t0.04\n7/4\t0.08\n")
    run(tmp_path / "dicom", tmp_path / "study", settings=table)
    series = load(tmp_path / "study").get("spin_lock")
    assert [item.spin_lock_time for item in series.acquisitions] == [0, 0.010, 0.040, 0.080]


def without_echo_numbers(images: list[Image]) -> list[Image]:
    return [replace(image, extra={}) for image in images]


@pytest.mark.parametrize(
    "times",
    [
        MAPSS,
        (*MAPSS[4:], *MAPSS[:4]),
        (0.0, 10.0, 40.0, 80.0, 12.847, 25.695),
        (80.0, 40.0, 10.0, 51.389, 25.695, 12.847),
    ],
)
@pytest.mark.parametrize("name", ["3D MAPSS", "T1rho prep"])
def test_two_preparations_are_told_where_only_the_order_of_instances_is_known(
    times: tuple[float, ...], name: str, tmp_path: Path
):
    write_classic(tmp_path / "dicom", without_echo_numbers(mapss(times, name)))
    plan = find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())
    assert not plan.knees
    assert reasons(plan).count("EchoTime holds two preparations") == len(times)


@pytest.mark.parametrize("names", [("3D MAPSS", "3D MAPSS"), ("MAPSS echoes 1-4", "MAPSS echoes 5-7")])
def test_two_preparations_in_two_series_are_told(names: tuple[str, str], tmp_path: Path):
    write_classic(tmp_path / "dicom", mapss(MAPSS[:4], names[0], 7))
    write_classic(tmp_path / "dicom", mapss(MAPSS[4:], names[1], 8))
    plan = find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())
    assert not plan.knees
    assert reasons(plan).count("EchoTime holds two preparations") == 7


def test_the_same_times_in_two_series_are_two_scans(tmp_path: Path):
    for series in (7, 8):
        write_classic(tmp_path / "dicom", mapss(MAPSS[:4], "3D MAPSS T1rho", series))
    run(tmp_path / "dicom", tmp_path / "study")
    times = [item.spin_lock_time for item in load(tmp_path / "study").get("spin_lock").acquisitions]
    assert times == [0, 0.010, 0.040, 0.080]


def test_t2_preparations_longer_than_every_spin_lock_are_told_by_name_or_count(tmp_path: Path):
    times = (0.0, 10.0, 20.0, 40.0, 51.0, 80.0)
    write_classic(tmp_path / "named", mapss(times))
    assert "the description names both" in reasons(find_dicom(tmp_path / "named", ImportOptions(), Quiet()))

    def counted(dataset: Any, _index: int) -> None:
        block = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
        block.add_new(0xA8, "DS", "4")
        block.add_new(0xAA, "DS", "2")

    images = [replace(image, change=counted) for image in mapss(times, "3D MAPSS")]
    write_classic(tmp_path / "counted", images, "GE MEDICAL SYSTEMS")
    plan = find_dicom(tmp_path / "counted", ImportOptions(), Quiet())
    assert not plan.knees
    assert "(0019,10AA) counts T2 preparations" in reasons(plan)


def test_images_that_a_word_or_the_sequence_names_t2_prepared_are_no_spin_lock_images(tmp_path: Path):
    write_classic(tmp_path / "dicom", mapss(MAPSS[:4], "MAPSS T1rho", 7))
    images = mapss(MAPSS[4:], "T2 sag", 8)
    for image in images:
        image.extra |= {"SequenceName": "mapss"}
    write_classic(tmp_path / "dicom", images)
    for n, image in enumerate(mapss((12.0, 25.0), "T1rho T2prep", 9)):
        write_classic(tmp_path / "dicom", [replace(image, series=9 + n, description=f"T1rho T2prep {n}")])
    plan = find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())
    assert [item.volume.series for knee in plan.knees for item in knee.volumes] == ["7"] * 4
    assert reasons(plan).count("T2-prepared (description)") == 5


def test_a_tag_that_counts_the_times_is_no_time_and_nothing_else_is_guessed(tmp_path: Path):
    def counted(dataset: Any, _index: int) -> None:
        dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0xA8, "DS", "4")

    images = [replace(image, change=counted) for image in mapss(MAPSS[:4], "cubequant")]
    write_classic(tmp_path / "dicom", images, "GE MEDICAL SYSTEMS")
    for tag, words in (("0019,10A8", "holds the same in all images"), ("0019,10B7", "is not there")):
        plan = find_dicom(tmp_path / "dicom", ImportOptions(spin_lock_tag=tag), Quiet())
        assert not plan.knees
        assert reasons(plan).count(words) == 4


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_of_images_are_no_times(first: int, tmp_path: Path):
    for n in range(4):
        image = Image(pattern(SHAPE, n), AFFINE, 7 + n, f"T1rho TSL {first + n}", echo_time=2.0)
        write_classic(tmp_path / "dicom", [image])
    plan = find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())
    assert not plan.knees
    assert "spin-lock time not known" in reasons(plan)


def test_times_of_slices_with_a_series_uid_each_are_read_from_their_name(tmp_path: Path):
    for n, time in enumerate((2.5, 40.0)):
        write_classic(tmp_path / "dicom", [Image(pattern(SHAPE, n), AFFINE, 7 + n, f"T1rho TSL {time:g} ms")])
    run(tmp_path / "dicom", tmp_path / "study")
    series = load(tmp_path / "study").get("spin_lock")
    assert np.allclose([item.spin_lock_time or 0 for item in series.acquisitions], [0.0025, 0.040])
