"""Whether two scans were made alike enough for one network."""

import dataclasses
import math
from collections.abc import Sequence

from rmqnet.domain.acquisition import SETTING_TOLERANCE, Acquisition

VOXEL_TOLERANCE = 0.2
"""Relative difference of a voxel edge that a network still accepts: a default. Its filters know tissues by their
size in voxels, and larger voxels mix more tissue."""


def acquisition_difference(trained: Sequence[Acquisition], found: Sequence[Acquisition]) -> str | None:
    """The first setting that differs, in words with both values; None where the images are alike.

    A setting that one side does not state is not compared.
    """
    for one, other in zip(trained, found, strict=True):
        for field in dataclasses.fields(Acquisition):
            expected, got = getattr(one, field.name), getattr(other, field.name)
            if expected is None or got is None or _alike(expected, got):
                continue
            return f"{field.name} of {one.label} is {_text(got)} instead of {_text(expected)}"
    return None


def voxel_size_differs(trained: Sequence[float], found: Sequence[float]) -> bool:
    """True where an edge of the voxels differs by more than `VOXEL_TOLERANCE`."""
    return any(abs(b - a) > VOXEL_TOLERANCE * a for a, b in zip(trained, found, strict=True))


def _alike(one: str | float | bool, other: str | float | bool) -> bool:
    if isinstance(one, str | bool) or isinstance(other, str | bool):
        return one == other
    return math.isclose(one, other, rel_tol=SETTING_TOLERANCE, abs_tol=1e-6)


def _text(value: str | float | bool) -> str:
    return str(value) if isinstance(value, str | bool) else f"{value:g}"
