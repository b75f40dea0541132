"""The spin-lock time in a text that somebody wrote: the whole number with its unit, or none at all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SECONDS_PER = {
    **dict.fromkeys(("s", "sec", "secs", "sek", "second", "seconds"), 1.0),
    **dict.fromkeys(
        ("ms", "msec", "msecs", "msek", "millisec", "millisecs", "millisecond", "milliseconds"), 1e-3
    ),
    **dict.fromkeys(
        # with the micro sign, and with the Greek letter
        (
            "us",
            "usec",
            "usecs",
            "\u00b5s",
            "\u03bcs",
            "\u00b5sec",
            "\u03bcsec",
            "microsecond",
            "microseconds",
        ),
        1e-6,
    ),
}
_OTHER_UNITS = {
    *(
        "hz",
        "khz",
        "mhz",
        "deg",
        "degree",
        "degrees",
        "grad",
        "rad",
        "mm",
        "cm",
        "um",
        "t",
        "tesla",
        "ut",
        "mt",
    ),
    *(
        "\u00b5t",
        "\u03bct",
        "ppm",
        "pct",
        "percent",
        "ch",
        "channel",
        "x",
        "d",
        "nd",
        "rd",
        "th",
        "st",
        "min",
        "mins",
    ),
}
"""What follows a number that is no time of a preparation."""
_SPIN_LOCK = re.compile(
    r"(?<![^\W\d_])(?:tsl|spin[\s_-]?lock)(?:[\s_-]*(?:time|duration|length))?"
    r"[\s_]*(?:[(\[]\s*(?P<unit>[^\W\d_]+)\s*[)\]])?[\s_]*[=:]?[\s_]*-?[\s_]*$",
    re.IGNORECASE,
)
"""Words before the number of a spin-lock time, up to the number."""
_OTHER_TIME = re.compile(
    r"(?<![^\W\d_])(?:te|tr|ti|tm|td|tw|esp|echo|inv|inversion|delay|recovery|trec|rep|repetition|dwell|gap|"
    r"t2[\s_-]?(?:prep\w*|p)|t2[\s_-]?te)(?:[\s_-]*(?:time|spacing|delay))?[\s_]*[=:]?[\s_]*-?[\s_]*$",
    re.IGNORECASE,
)
"""Words before the number of another time."""
_NUMBER = re.compile(r"\d+(?:[.,p]\d+)*", re.IGNORECASE)
_UNIT = re.compile(r"(?P<apart>[\s_.-]*)(?P<word>[^\W\d_]*)(?P<sign>[%\N{DEGREE SIGN}*^]?)")
_LIST = re.compile(r"(?:\s*[/,;+&-]\s*|[\s_]+)(?=\d)")
_BEFORE_LIST = re.compile(r"(?P<glued>[^\W\d_]?)[\d.,]*\d\s*(?P<separator>[/,;+&\s_-])\s*$")
_NO_TIME = "no time"


@dataclass(frozen=True)
class _Number:
    """A number of a text, with all its digits."""

    value: float
    unit: str
    """A unit of time in small letters, "" where none is written, or `_NO_TIME`."""
    stated: str
    """"spin lock" or "other" where words before it say of what it is the time, else ""."""


@dataclass(frozen=True)
class TimeInText:
    """A spin-lock time and whether its unit is written."""

    seconds: float
    has_unit: bool


def spin_lock_time_in(text: str) -> TimeInText | None:
    """The spin-lock time that a text states; None where it states none, or where it may be read in two ways.

    A number is read with all its digits and with what follows it, or not at all: "TSL40msec" and "TSL 40,0 ms" are
    0.04 s, "TSL12p5ms" is 0.0125 s, a number before Hz is no time, and one of several in a row ("0/10/40") is not the
    time of one image. A number after TSL or spin lock without a unit is in ms.
    """
    numbers = list(_numbers(text))
    if any(number is None for number in numbers):
        return None
    times = [number for number in numbers if number is not None and number.unit != _NO_TIME]
    labelled = [number for number in times if number.stated == "spin lock"]
    free = [number for number in times if not number.stated and number.unit]
    with_unit = [number for number in labelled if number.unit]
    found = {_seconds(number) for number in with_unit or labelled or free}
    if labelled and not with_unit:
        # "TSL 2, 10 ms": the number may count the images
        found |= {_seconds(number) for number in free}
    if len(found) != 1:
        return None
    seconds = found.pop()
    return None if seconds is None else TimeInText(seconds, bool(with_unit or not labelled))


def milliseconds_in(value: object) -> float | None:
    """Seconds of a private tag in ms: of a number, or of a text that is a number or states one time; else None."""
    text = str(value).strip()
    try:
        return round(float(text) / 1000, 9)
    except ValueError:
        found = spin_lock_time_in(text)
        return None if found is None else found.seconds


def _seconds(number: _Number) -> float | None:
    """Seconds; None for a part of one without a unit, which may be one of a second."""
    if not number.unit and 0 < number.value < 1:
        return None
    return round(number.value * _SECONDS_PER[number.unit or "ms"], 9)


def _numbers(text: str) -> Iterator[_Number | None]:
    """The numbers that may be times; None for one that says of a spin-lock time what can't be read for certain."""
    for match in _NUMBER.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        label = _SPIN_LOCK.search(before)
        stated = "spin lock" if label else "other" if _OTHER_TIME.search(before) else ""
        unit = _unit(after, glued_to_label=label is not None)
        if unit == "" and label is not None and label["unit"]:
            unit = label["unit"].lower()
            unit = unit if unit in _SECONDS_PER else _NO_TIME
        value = _value(match[0])
        certain = value is not None and unit is not None and not _in_list(before, after)
        certain = certain and not re.search(r"(?:[=:]\s*-|[.,])$", before)
        if certain and (unit or label):
            yield _Number(value or 0.0, unit or "", stated)
        elif label is not None and not certain:
            yield None


def _value(digits: str) -> float | None:
    """The number of these digits; None where they may be several, or thousands."""
    parts = re.split(r"[.,p]", digits, flags=re.IGNORECASE)
    if len(parts) > 2 or ("," in digits and len(parts[1]) == 3 and parts[0].strip("0")):
        return None
    return float(".".join(parts))


def _in_list(before: str, after: str) -> bool:
    """True for one of several numbers in a row; a number in a word before a dash or blank ("T1-") is part of a name."""
    follows = _LIST.match(after)
    if follows and not _is_other_unit(after[follows.end() :]):
        return True
    row = _BEFORE_LIST.search(before)
    return row is not None and not (row["glued"] and re.match(r"[\s_-]", row["separator"]))


def _is_other_unit(text: str) -> bool:
    """True where the text begins with a number and a unit of something else than time."""
    number = _NUMBER.match(text)
    return number is not None and _unit(text[number.end() :], glued_to_label=False) == _NO_TIME


def _unit(after: str, *, glued_to_label: bool) -> str | None:
    """The unit at the start of what follows a number; "" for none, None where it can't be told."""
    match = _UNIT.match(after)
    if match is None or (match["sign"] and not match["word"] and not match["apart"]):
        return _NO_TIME
    word = match["word"]
    # a word that begins in small letters ends where capitals begin: msFS is ms
    for candidate in (word.lower(), re.split(r"(?<=[a-z\u00b5\u03bc])(?=[A-Z])", word)[0].lower()):
        if candidate in _SECONDS_PER:
            return candidate
        if candidate in _OTHER_UNITS:
            return _NO_TIME
    if match["apart"] or not word:
        return ""
    # letters that stand at the digits and are no unit: of a name where they can't begin with another unit
    doubtful = len(word) == 1 or re.match(r"(?:us|[\u00b5\u03bcn]s|sec|min|hz)", word.lower()) is not None
    return None if doubtful or not glued_to_label else ""
