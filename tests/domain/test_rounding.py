"""Numbers that differ by rounding are one, whatever their order, and no chain of small steps joins two that differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmqnet.domain.rounding import clusters, same, same_time

NUMBERS = st.lists(st.none() | st.floats(0.0, 1e4, allow_nan=False), max_size=30)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (5.0, 4.99, True),
        (0.5859375, 0.586, True),
        (20.0, 20.2, False),
        (5.0, 5.1, False),
        (None, None, True),
        (0.0, None, False),
    ],
)
def test_rounding_is_told_from_a_difference(first: float | None, second: float | None, expected: bool):
    assert same(first, second) is expected


def test_times_are_one_within_the_second_decimal_of_ms():
    assert same_time(3.0e-5, 3.2e-5)
    assert not same_time(3.0e-5, 4.6e-3)


@given(NUMBERS)
def test_members_of_a_cluster_are_the_same_number(values: list[float | None]):
    found = clusters(values)
    for first, one in zip(values, found, strict=True):
        for second, other in zip(values, found, strict=True):
            assert one != other or same(first, second)


@given(NUMBERS, st.randoms())
def test_clusters_do_not_depend_on_the_order(values: list[float | None], random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert dict(zip(values, clusters(values), strict=True)) == dict(
        zip(shuffled, clusters(shuffled), strict=True)
    )


@given(NUMBERS)
def test_clusters_are_numbered_by_size(values: list[float | None]):
    known = sorted(
        (value, number) for value, number in zip(values, clusters(values), strict=True) if value is not None
    )
    numbers = [number for _, number in known]
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(len(set(numbers))))
