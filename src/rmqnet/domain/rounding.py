"""When two measured or rounded numbers count as one: the tolerance of every comparison of settings."""

import math
from collections.abc import Sequence

ROUNDING = 5e-3
"""Relative difference of two settings that counts as rounding (our choice): scanners write 4.99 and 5 degrees, 0.586
and 0.5859375 mm, 0.032 and 0.032001 ms; settings that are meant to differ are further apart."""
TIME_ROUNDING = 5e-6
"""Difference of two times that counts as rounding [s] (our choice): half of the second decimal of a time in ms."""


def same(first: float | None, second: float | None, *, floor: float = 0.0) -> bool:
    """True where two numbers differ by rounding only, or neither is known; `floor` is an absolute tolerance."""
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=ROUNDING, abs_tol=floor)


def same_time(first: float | None, second: float | None) -> bool:
    """True where two times [s] differ by rounding only, or neither is known."""
    return same(first, second, floor=TIME_ROUNDING)


def clusters(values: Sequence[float | None], *, floor: float = 0.0) -> list[int]:
    """For each value the number of its cluster, from 0 in the order of size; -1 where the value is not known.

    Any two members of a cluster are the same number up to rounding: a chain of small steps does not join its ends.
    """
    numbers: dict[float, int] = {}
    first = math.nan
    for value in sorted({value for value in values if value is not None}):
        if not numbers:
            numbers[value], first = 0, value
        elif same(first, value, floor=floor):
            numbers[value] = max(numbers.values())
        else:
            numbers[value], first = max(numbers.values()) + 1, value
    return [-1 if value is None else numbers[value] for value in values]
