"""Numbers with their units in free text: names of series and protocols, values of tags. A number is never cut.

What can be read in two ways is not clear: a list, a range, a sign, an exponent, thousands, a unit that is not known.
"""

import math
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

Unit = Literal["time", "other", "unknown", ""]
"""A unit of time, one of another quantity, letters that may be a unit which is not known, none at all."""

TIMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "sek", "sekunde", "sekunden"), 1.0),
    **dict.fromkeys(
        ("ms", "msec", "msecs", "msek", "millisec", "millisecs", "millisecond", "milliseconds"), 1e-3
    ),
    **dict.fromkeys(("millisekunde", "millisekunden"), 1e-3),
    **dict.fromkeys(("us", "usec", "usecs", "usek", "microsec", "microsecs", "microsecond"), 1e-6),
    **dict.fromkeys(
        ("microseconds", "mikrosekunde", "mikrosekunden", "\u03bcs", "\u03bcsec", "\u03bcsek"), 1e-6
    ),
}
"""Seconds in a unit, by its spelling in small letters; that of the micro sign is the letter mu."""
_OTHERS = {
    *("hz", "khz", "mhz", "deg", "degree", "degrees", "grad", "rad", "mm", "cm", "m", "um", "\u03bcm", "u"),
    *(
        "\u03bc",
        "ns",
        "nsec",
        "ps",
        "cs",
        "ds",
        "ks",
        "min",
        "mins",
        "minute",
        "minutes",
        "minuten",
        "h",
        "hr",
    ),
    *(
        "hrs",
        "t",
        "tesla",
        "mt",
        "ut",
        "\u03bct",
        "g",
        "gauss",
        "%",
        "ppm",
        "pct",
        "percent",
        "db",
        "kg",
        "px",
    ),
    *("pixel", "pixels", "\u00b0", "x", "d", "ch", "channel", "nd", "rd", "th", "st"),
}
"""Units and endings that are none of the times above; longer and shorter times are not times of an image."""
_LIKE_TIME = re.compile(r"se[cgk]|^(?:micro|mikro|milli|nano|min|hz|us|ns|\u03bc|.$)")
"""Letters at digits that may be a unit in a spelling or language that is not known."""
_LIKE_UNIT = re.compile(r"^.s$")
"""The same where no number follows them: of TSL10FS500, FS begins another setting."""
_LIKE_TIME_APART = re.compile(r"se[cgk]|^(?:micro|mikro|milli|nano|\u03bc)")
"""The same for a word of its own."""
_ODD = "\0"
"""Stands for a digit or fraction that is not one of 0 to 9."""
_DIGIT = f"[0-9{_ODD}]"
_RUN = re.compile(rf"[.,]?{_DIGIT}(?:(?:[.,'\u2019\u00b7pP]|[eE][+-]?)?{_DIGIT})*")
"""All that may belong to one number, as long as it goes on."""
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_COMMA = re.compile(r"[0-9]+,[0-9]+")
_THOUSANDS = re.compile(r"0*[1-9][0-9]*,[0-9]{3}")
_LETTER_POINT = re.compile(r"[0-9]+p[0-9]+", re.IGNORECASE)
"""12p5: scanners forbid points in names."""
_AFTER = re.compile(r"([\s_-]{0,2})([^\W\d_]+|%|\u00b0)")
_LIST_WORDS = re.compile(r"\W*_*\W*(?:to|bis|and|und|or|x|thru|through|until)\W*_*\W*", re.IGNORECASE)
_NO_LIST = re.compile(r"(?<=[\s_])\(")
"""What begins another statement, though no letter stands between two numbers."""
_SETTING = re.compile(
    r"(?<![a-z])(?:(?:fa|flip|alpha|fov|bw|nex)[\s_=:-]?[0-9]+|[tbvpr][0-9])$", re.IGNORECASE
)
"""Numbers of another kind that no decimal follows: T2, B1, FA5."""


@dataclass(frozen=True)
class TextNumber:
    """One number of a text."""

    value: float | None
    """As it is written; None where that can be read in two ways."""
    unit: Unit
    factor: float
    """Seconds in the unit; 1 for other units."""
    clear: bool
    """True where the number stands by itself: it has no sign, and belongs to no list or range."""
    start: int
    """Index of its first character."""
    end: int
    """Index after its last digit."""
    stop: int
    """Index after its unit."""

    def seconds(self, unstated: float) -> float | None:
        """The time [s], in units of `unstated` seconds where it has none; None where it is no clear time."""
        if self.value is None or not self.clear or self.unit in ("other", "unknown"):
            return None
        return round(self.value * (self.factor if self.unit == "time" else unstated), 9)


def numbers_in_text(text: str) -> list[TextNumber]:
    """All numbers of a text in their order; digits at letters belong to it, too ("FA5")."""
    text = "".join(_ODD if sign.isnumeric() and not sign.isascii() else sign for sign in text)
    found = [_number(text, match) for match in _RUN.finditer(text)]
    doubtful: set[int] = set()
    for index, (one, other) in enumerate(pairwise(found)):
        if _same_list(text, one, other):
            doubtful |= {index, index + 1}
    return [replace(one, clear=False) if index in doubtful else one for index, one in enumerate(found)]


def _number(text: str, match: re.Match[str]) -> TextNumber:
    start, end = match.span()
    unit, factor, stop = _unit(text, end)
    value = _value(match[0], has_unit=unit == "time")
    clear = value is not None and _may_precede(text[:start]) and _may_follow(text[stop : stop + 1], unit)
    return TextNumber(value, unit, factor, clear, start, end, stop)


def _value(run: str, *, has_unit: bool) -> float | None:
    """The number of a run of digits and what stands between them; None where that may be another number."""
    if _PLAIN.fullmatch(run):
        value = float(run)
    elif _COMMA.fullmatch(run) and not _THOUSANDS.fullmatch(run):
        # without a unit, more than one decimal may be another number of a list: 10,40
        one_decimal = run[-2] == "," or run.split(",")[1].startswith("0")
        value = float(run.replace(",", ".")) if has_unit or one_decimal else math.inf
    elif has_unit and _LETTER_POINT.fullmatch(run):
        # without a unit, the letter may begin another setting: p2 is an acceleration
        value = float(run.lower().replace("p", "."))
    else:
        return None
    return value if math.isfinite(value) else None


def _unit(text: str, end: int) -> tuple[Unit, float, int]:
    """Kind of the unit after a number, seconds in it, and where it ends."""
    match = _AFTER.match(text, end)
    if match is None:
        return "", 1.0, end
    gap, word = match.groups()
    stop = match.end()
    if word == "S":  # sagittal, or seconds
        return "unknown", 1.0, stop
    next_is_number = text[stop : stop + 1].isdigit()
    # a word that begins in small letters ends where capitals begin: msFS is ms
    for part in dict.fromkeys((word, re.split(r"(?<=[a-z])(?=[A-Z])", word)[0])):
        folded, followed = part.casefold(), next_is_number and part == word
        if folded in TIMES and not (followed and len(folded) == 1):
            return "time", TIMES[folded], stop - len(word) + len(part)
        if folded in _OTHERS and not followed:
            return "other", 1.0, stop
    folded = word.casefold()
    doubtful = (_LIKE_TIME_APART if gap else _LIKE_TIME).search(folded)
    if (doubtful and not (next_is_number and gap)) or (
        not gap and not next_is_number and _LIKE_UNIT.search(folded)
    ):
        return "unknown", 1.0, stop
    return "", 1.0, end


def _may_precede(before: str) -> bool:
    """True where a number may begin after this text; a hyphen at a word is no sign."""
    if not before or before[-1].isalpha() or before[-1].isspace():
        return True
    if before[-1] == "-":
        return before[-2:-1].isalpha()
    return before[-1] in "_=:([{|/;"


def _may_follow(sign: str, unit: Unit) -> bool:
    """True where a number, or its unit, may end before this character."""
    ends = sign.isspace() or sign.isalpha() or sign in "_)]},;:|/.-&"
    return not sign or ends or (unit != "" and sign.isdigit())


def _same_list(text: str, one: TextNumber, other: TextNumber) -> bool:
    """True where two numbers may be parts of one number, or of one list or range."""
    between = text[one.stop : other.start] if one.unit == "time" else text[one.end : other.start]
    if one.unit == "time" and (one.stop == other.start or other.unit in ("other", "unknown")):
        return False
    if other.unit == "other" and between.strip() and between != between.strip():
        return False  # "40 - 500 Hz"
    if _NO_LIST.search(between) or _SETTING.search(text[: one.end]):
        return False
    return not any(sign.isalpha() for sign in between) or bool(_LIST_WORDS.fullmatch(between))
