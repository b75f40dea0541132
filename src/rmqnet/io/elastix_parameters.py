"""Parameter files of elastix that a user gives: checked before elastix, a program of its own, reads them."""

import re
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.io.text import read_text

LARGEST_FILE = 1 << 20
"""Bytes of a parameter file: default; those of the elastix model zoo have a few thousand."""
LARGEST: dict[str, float] = {
    "NumberOfResolutions": 10,
    "MaximumNumberOfIterations": 100_000,
    "NumberOfSpatialSamples": 10_000_000,
    "NumberOfSamplesForExactGradient": 10_000_000,
    "NumberOfHistogramBins": 1024,
    "NumberOfFixedHistogramBins": 1024,
    "NumberOfMovingHistogramBins": 1024,
    "MaximumNumberOfSamplingAttempts": 1000,
}
"""Largest value of parameters that decide about time and memory: defaults, ten times what anybody uses."""
_LARGEST_NUMBER = 100_000_000
"""Largest size of any other number: default; a larger one in a count would fill the memory."""
_LINE = re.compile(r'\(\s*([A-Za-z][A-Za-z0-9_]*)((?:\s+(?:"[^"]*"|[^\s"()]+))+)\s*\)')
_VALUE = re.compile(r'"([^"]*)"|([^\s"()]+)')


def read_parameter_file(path: Path) -> dict[str, tuple[str, ...]]:
    """Values by parameter of one step.

    Raises:
        InputError: a line is no parameter, a parameter stands twice, names a file or asks for more than any computer
            can do.
    """
    parameters: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(read_text(path, LARGEST_FILE).splitlines(), start=1):
        text = _without_comment(line).strip()
        if not text:
            continue
        found = _LINE.fullmatch(text)
        if found is None:
            raise InputError(f"{path}: line {number} must be like (NumberOfResolutions 3), got {text[:60]!r}")
        name = found[1]
        if name in parameters:
            raise InputError(f"{path}: line {number}: {name} stands in an earlier line too: keep one of them")
        values = tuple(quoted or plain for quoted, plain in _VALUE.findall(found[2]))
        _check(f"{path}: line {number}", name, values)
        parameters[name] = values
    for needed in ("Transform", "Metric"):
        if needed not in parameters:
            raise InputError(f"{path}: has no {needed}: give a parameter file of elastix")
    return parameters


def _check(place: str, name: str, values: tuple[str, ...]) -> None:
    for value in values:
        if not value.isprintable() or not value.isascii():
            raise InputError(f"{place}: {name} must be plain text, got {value[:60]!r}")
        if "file" in name.lower() or "/" in value or "\\" in value or ".." in value:
            raise InputError(
                f"{place}: {name} {value[:60]!r} names a file, and a parameter file may name none: delete the line"
            )
        number = _number(value)
        if number is None:
            if name in LARGEST:
                raise InputError(f"{place}: {name} must be a number, got {value[:60]!r}")
            continue
        low, high = (0.0, LARGEST[name]) if name in LARGEST else (-_LARGEST_NUMBER, _LARGEST_NUMBER)
        if not low <= number <= high:
            raise InputError(f"{place}: {name} must be in [{low:g}, {high:g}], got {value[:60]}")


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _without_comment(line: str) -> str:
    """The line up to //, which starts a comment outside quotation marks."""
    match = re.match(r'((?:[^"/]|"[^"]*"|/(?!/))*)//', line)
    return match[1] if match else line
