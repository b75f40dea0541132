"""The spin-lock time in a name or a tag that somebody wrote: the whole number with its unit, or none at all."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

from rmqnet.io.dicom.header import SECONDS
from rmqnet.io.text import to_number
from rmqnet.io.text_numbers import TIMES, TextNumber, numbers_in_text

_BETWEEN = r"(?:[\s_]*[(\[]\s*(?P<unit>[^\W\d_]+)\s*[)\]])?[\s_=:(-]*$"
_LABEL = re.compile(
    r"(?:(?<![^\W\d_])tsl|spin[\s_-]?lock(?P<of>[\s_-]*(?:time|duration|length))?)" + _BETWEEN, re.IGNORECASE
)
"""Words before a spin-lock time; it needs a unit after "spin lock" alone, where a frequency may stand."""
_WORD = re.compile(r"(?:t1[\s_-]?rho|(?<![a-z])(?:t1r|sl)|lock|adiab\w*|ahp|cubequant|mapss)$", re.IGNORECASE)
"""Words at whose last letter a spin-lock time with a unit may begin."""
_OTHER_TIME = re.compile(
    r"(?:(?<![^\W\d_])(?:te|tr|ti|tm|td|tw|t1|t2|esp|echo\w*|inv\w*|delay\w*|recovery|trec|rep\w*|dwell|gap|dur\w*|"
    r"pulse\w*|scan\w*|acq\w*)(?:[\s_-]*(?:time|spacing|delay))?|t2[\s_-]?(?:prep\w*|p|te))[\s_=:(-]*$",
    re.IGNORECASE,
)
"""Words before another time."""
_LONGEST_WITHOUT_UNIT = 900.0
"""A larger number without a unit is none in ms."""


@dataclass(frozen=True)
class TimeInText:
    """A spin-lock time and whether its unit is written."""

    seconds: float
    has_unit: bool


def spin_lock_time_in(text: str) -> TimeInText | None:
    """The spin-lock time that a text states; None where it states none, or where it may be read in two ways.

    A number is read with all its digits and with what follows it, or not at all: "TSL40msec" and "TSL 40,0 ms" are
    0.04 s, "TSL12p5ms" is 0.0125 s, a number before Hz is no time, and one of several in a row ("0/10/40") is not the
    time of one image. A number after TSL without a unit is in ms; without TSL or spin lock before it, a time counts
    where it is the only one in ms or us that no word calls another time.
    """
    labelled: list[TimeInText | None] = []
    free: list[TimeInText | None] = []
    for number in numbers_in_text(text):
        before = text[: number.start]
        label = _LABEL.search(before)
        if label is not None and number.unit != "other":
            labelled.append(_labelled(label, number))
        elif label is None and number.unit == "time" and number.factor < 1.0 and _may_be_spin_lock(before):
            free.append(_time(number))
    found = set(labelled or free)
    return found.pop() if len(found) == 1 else None


def _labelled(label: re.Match[str], number: TextNumber) -> TimeInText | None:
    """The time after a label; None where it is not clear."""
    if number.unit or not label["unit"]:
        bare = label[0].lower().startswith("spin") and not label["of"]
        return _time(number) if number.unit or not bare else None
    factor = TIMES.get(label["unit"].casefold())
    seconds = None if factor is None else number.seconds(factor)
    return None if seconds is None else TimeInText(seconds, True)


def _time(number: TextNumber) -> TimeInText | None:
    value, seconds = number.value, number.seconds(SECONDS)
    if value is None or seconds is None:
        return None
    if number.unit == "" and value != 0.0 and not 1.0 <= value <= _LONGEST_WITHOUT_UNIT:
        return None  # 0.04 may be in seconds
    return TimeInText(seconds, number.unit != "")


def _may_be_spin_lock(before: str) -> bool:
    """True where no word before a time says what else it is, and it does not begin at the end of another word."""
    return not _OTHER_TIME.search(before) and (not before[-1:].isalpha() or bool(_WORD.search(before)))


def milliseconds_in(value: object) -> float | None:
    """Seconds of a tag of any type, in ms where it has no unit; None where it holds no single time."""
    if isinstance(value, bytes):
        try:
            value = value.rstrip(b"\0").decode("ascii")
        except UnicodeDecodeError:
            return None  # a number in binary, of a type that the file does not tell
    if isinstance(value, Sequence) and not isinstance(value, str):
        return milliseconds_in(value[0]) if len(value) == 1 else None
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str):
        number = to_number(value.strip())
        if number is None:
            return _alone(value.strip())
    else:
        return None
    return round(number * SECONDS, 9) if 0.0 <= number < math.inf else None


def _alone(text: str) -> float | None:
    """The time of a text that is a number with a unit, or that names its time."""
    numbers = numbers_in_text(text)
    if len(numbers) == 1 and (numbers[0].start, numbers[0].stop) == (0, len(text)):
        return numbers[0].seconds(SECONDS)
    found = spin_lock_time_in(text)
    return None if found is None else found.seconds
