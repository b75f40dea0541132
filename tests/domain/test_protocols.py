"""The paper's protocol: images, scan times and accelerations (PHYSICS.md 8.1)."""

import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import FULL, INPUT_SETS, acceleration, input_set


def clock(text: str) -> float:
    minutes, seconds = text.split(":")
    return 60.0 * int(minutes) + int(seconds)


@pytest.mark.parametrize(
    ("name", "without", "with_afi"),
    [
        ("4FA+7TSL", "27:26", "32:23"),
        ("2FA+3TSL", "12:26", "17:23"),
        ("1FA+2TSL", "7:30", "12:27"),
        ("1FA+1TSL", "4:56", "9:53"),
    ],
)
def test_scan_times_follow_from_the_printed_time_of_each_image(name, without, with_afi) -> None:
    assert input_set(name).seconds() == clock(without)
    assert input_set(name).seconds(with_afi=False) == clock(without)
    assert input_set(name).seconds(with_afi=True) == clock(with_afi)


def test_the_full_protocol_takes_its_afi_pair_into_account() -> None:
    assert FULL.seconds() == clock("32:23")


@pytest.mark.parametrize(
    ("name", "without", "with_afi"),
    [("2FA+3TSL", 2.21, 2.60), ("1FA+2TSL", 3.66, 4.32), ("1FA+1TSL", 5.56, 6.56), ("4FA+7TSL", 1.0, 1.18)],
)
def test_accelerations_are_those_of_the_physics_notes(name, without, with_afi) -> None:
    assert acceleration(input_set(name), with_afi=False) == pytest.approx(without, abs=0.005)
    assert acceleration(input_set(name), with_afi=True) == pytest.approx(with_afi, abs=0.005)


def test_accelerations_printed_in_the_paper_follow_from_its_printed_minutes() -> None:
    full = INPUT_SETS["4FA+7TSL"].printed_minutes
    for item in INPUT_SETS.values():
        if item.printed_minutes is not None:
            assert item.printed_acceleration == pytest.approx(full / item.printed_minutes, abs=0.05)


def test_every_input_set_is_a_part_of_the_full_protocol_in_its_order() -> None:
    order = list(FULL.acquisitions)
    assert len(order) == len(set(order)) == 13
    for name, item in INPUT_SETS.items():
        places = [order.index(image) for image in item.acquisitions]
        assert places == sorted(places)
        n_fa, n_tsl = (int(part[0]) for part in name.split("+")[:2])
        assert (len(item.flip_angles), len(item.spin_lock_times)) == (n_fa, n_tsl)
        assert item.afi == name.endswith("AFI")
        assert len(places) == n_fa + n_tsl + 2 * item.afi


def test_an_unknown_input_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"4FA\+7TSL, .*got '3FA'"):
        input_set("3FA")
