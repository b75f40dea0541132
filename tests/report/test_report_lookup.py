"""Numbers as a person reads them."""

import pytest

from rmqnet.report.lookup import number


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.12345, 3, "0.123"),
        (-1.25, 1, "\N{MINUS SIGN}1.2"),
        (-0.001, 2, "0.00"),
        (float("nan"), 2, "\N{EN DASH}"),
        (float("inf"), 2, "\N{EN DASH}"),
    ],
)
def test_numbers_have_sensible_signs_and_digits(value, digits, text):
    assert number(value, digits) == text
