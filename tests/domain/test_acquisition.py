"""Acquisitions refuse what no scanner makes, and say what to do."""

import math
import re

import numpy as np
import pytest

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import FULL, adiabatic_t1rho, afi_pair, vfa

USUAL = {
    "vfa": {"flip_angle": 10.0, "repetition_time_excitation": 0.02},
    "afi": {"flip_angle": 45.0, "repetition_time_excitation": 0.02, "repetition_time_other": 0.1},
    "adiabatic_t1rho": {
        "flip_angle": 10.0,
        "spin_lock_time": 0.024,
        "repetition_time_preparation": 0.5,
        "spokes_per_preparation": 25,
        "spoke_spacing": 0.005,
    },
    "spin_lock": {"spin_lock_time": 0.03},
}


@pytest.mark.parametrize(
    ("method", "name"), [(method, name) for method, settings in USUAL.items() for name in settings]
)
def test_a_setting_that_the_signal_depends_on_may_not_be_missing(method, name) -> None:
    settings = {key: value for key, value in USUAL[method].items() if key != name}
    with pytest.raises(InputError, match=f"^{name} is missing: a {method} image"):
        Acquisition(method, **settings)


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("vfa", "repetition_time_excitation", 20.0),
        ("vfa", "echo_time", 3.2),
        ("afi", "repetition_time_other", 100.0),
        ("adiabatic_t1rho", "spin_lock_time", 12.0),
        ("adiabatic_t1rho", "repetition_time_preparation", 500.0),
        ("adiabatic_t1rho", "spoke_spacing", 5.0),
        ("adiabatic_t1rho", "fat_saturation_time", 10.0),
        ("spin_lock", "spin_lock_time", 1.0),
    ],
)
def test_milliseconds_where_seconds_are_due_are_refused_with_a_hint(method, name, value) -> None:
    cure = f"{name} {value:g} s is not possible: write {value / 1000:g} if it is {value:g} ms"
    with pytest.raises(InputError, match=re.escape(cure)):
        Acquisition(method, **{**USUAL[method], name: value})


def test_a_time_that_no_unit_explains_gets_no_cure_of_another_unit() -> None:
    with pytest.raises(InputError, match=r"spin_lock_time must be in \[0, 0.9\] s, got 1200$"):
        Acquisition("spin_lock", spin_lock_time=1200.0)
    with pytest.raises(InputError, match=r"flip_angle must be in \[1, 180\] degree, got 0.001$"):
        Acquisition("vfa", **{**USUAL["vfa"], "flip_angle": 0.001})


@pytest.mark.parametrize("degrees", [5.0, 10.0, 20.0, 30.0, 45.0])
def test_a_flip_angle_in_radians_is_refused_with_a_hint(degrees) -> None:
    angle = math.radians(degrees)
    with pytest.raises(InputError, match=f"is not possible: write {degrees:g} if it is {angle:g} radians"):
        Acquisition("vfa", **{**USUAL["vfa"], "flip_angle": angle})
    Acquisition("vfa", **{**USUAL["vfa"], "flip_angle": 1.0})


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("vfa", "flip_angle", 0.0),
        ("vfa", "flip_angle", -10.0),
        ("vfa", "flip_angle", 181.0),
        ("vfa", "flip_angle", float("nan")),
        ("vfa", "flip_angle", "10"),
        ("vfa", "flip_angle", True),
        ("vfa", "repetition_time_excitation", 0.0),
        ("vfa", "repetition_time_excitation", -0.02),
        ("vfa", "repetition_time_excitation", float("inf")),
        ("spin_lock", "spin_lock_time", -0.001),
        ("adiabatic_t1rho", "spokes_per_preparation", 0),
        ("adiabatic_t1rho", "spokes_per_preparation", 2.5),
        ("adiabatic_t1rho", "preparation_efficiency", 1.1),
    ],
)
def test_a_value_without_meaning_is_refused_by_name(method, name, value) -> None:
    with pytest.raises(InputError, match=f"^{name} must be"):
        Acquisition(method, **{**USUAL[method], name: value})


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"vfa, afi, adiabatic_t1rho, spin_lock, got 'se'"):
        Acquisition("se")  # pyright: ignore[reportArgumentType]


def test_the_two_afi_images_must_differ_in_their_repetition_time() -> None:
    with pytest.raises(InputError, match="AFI images must have different repetition times"):
        Acquisition("afi", **{**USUAL["afi"], "repetition_time_other": 0.02})


def test_a_train_longer_than_its_period_is_refused_with_both_times() -> None:
    with pytest.raises(InputError, match=r"take 0\.524 s, more than repetition_time_preparation \(0\.5 s\)"):
        Acquisition("adiabatic_t1rho", **{**USUAL["adiabatic_t1rho"], "spoke_spacing": 0.02})


def test_messages_are_one_sentence_on_one_line() -> None:
    for settings in ({"flip_angle": 999.0}, {"preparation_efficiency": 7.0}):
        with pytest.raises(InputError) as error:
            Acquisition("vfa", **{**USUAL["vfa"], **settings})
        assert "\n" not in str(error.value)
        assert " ," not in str(error.value)


def test_numbers_of_numpy_are_numbers() -> None:
    image = Acquisition(
        "adiabatic_t1rho", **{**USUAL["adiabatic_t1rho"], "spokes_per_preparation": np.int64(25)}
    )
    assert image == Acquisition("adiabatic_t1rho", **USUAL["adiabatic_t1rho"])
    Acquisition("vfa", flip_angle=np.float32(10), repetition_time_excitation=np.float64(0.02))


def test_labels_are_short_and_differ_within_a_protocol() -> None:
    assert vfa(5.0).label == "FA 5\N{DEGREE SIGN}"
    assert adiabatic_t1rho(0.012).label == "TSL 12 ms"
    assert [image.label for image in afi_pair()] == ["AFI 20 ms", "AFI 100 ms"]
    assert len({image.label for image in FULL.acquisitions}) == 13


def test_acquisitions_that_differ_by_rounding_are_the_same() -> None:
    one = Acquisition("vfa", flip_angle=5.0, repetition_time_excitation=0.02, echo_time=3.2e-5)
    rounded = Acquisition("vfa", flip_angle=4.99, repetition_time_excitation=0.020000001, echo_time=3e-5)
    assert one.same_as(rounded)
    assert not one.same_as(
        Acquisition("vfa", flip_angle=6.0, repetition_time_excitation=0.02, echo_time=3.2e-5)
    )
    assert not one.same_as(Acquisition("vfa", flip_angle=5.0, repetition_time_excitation=0.02))
