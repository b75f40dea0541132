"""Spin-lock times in names and tags: the whole number or none; and times of two preparations in one attribute."""

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
