"""Units of trajectories in files: how they are written, what they stand for, and which of them fit the numbers."""

import re
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.kspace import OVERSHOOT, TINY

Units = Literal["1/mm", "1/cm", "1/m", "rad/mm", "rad/cm", "rad/m", "1/voxel", "rad/voxel", "1/fov"]
"""Cycles or radians per length; per voxel (-0.5 to 0.5, -pi to pi); cycles per field of view (-n/2 to n/2)."""

_LENGTHS = {"mm": 1.0, "cm": 0.1, "m": 1e-3}
_FILLED = 0.9
"""A unit fits where the trajectory then reaches at least this part of the grid's k-space: our choice."""
_SMALL = 0.3
"""A unit is doubted where the trajectory reaches less than this part of the grid's k-space and another unit fits: our
choice. Radians and cycles are 0.16 apart; images are rarely made three times finer than what was read."""
_SPELLINGS = (
    (r"field\s*of\s*view", "fov"),
    (r"cycles?|periods?", "1"),
    (r"radians?", "rad"),
    (r"pixels?|voxels|samples?", "voxel"),
    (r"millimet(?:er|re)s?", "mm"),
    (r"centimet(?:er|re)s?", "cm"),
    (r"met(?:er|re)s?", "m"),
    (r"\s*\bper\b\s*", "/"),
    (r"[\s*·]+", ""),
    (r"^(1|rad)?(mm|cm|m|voxel|fov)(?:\^?-1|⁻¹)$", lambda found: f"{found[1] or 1}/{found[2]}"),
)
"""Other ways to write the same: cycles per m, radians/m, m^-1, 1/FOV, cycles/pixel."""


def read_units(text: str) -> Units:
    """The unit that a text names.

    Raises:
        InputError: it is not one of Units, however written.
    """
    own = text.strip().lower()
    for pattern, new in _SPELLINGS:
        own = re.sub(pattern, new, own)
    for unit in get_args(Units):
        if own == unit:
            return unit
    raise InputError(
        f"trajectory_units must be one of {', '.join(get_args(Units))}, got {text!r}: write it so, or say it with "
        "--trajectory-units"
    )


def settled_units(stated: str | None, wanted: Units | None, notes: list[str]) -> Units:
    """The unit that the user gives, else the one that the file states; where both differ, `notes` says so.

    Raises:
        InputError: there is none, or the file states one that is not known and the user gives none.
    """
    if wanted is not None:
        if stated is not None and stated != wanted:
            notes.append(f"The trajectory is read in {wanted}, as you say; the file states {stated}.")
        return wanted
    if stated is None:
        raise InputError(
            "does not state the unit of its trajectory: say it with --trajectory-units, "
            f"one of {', '.join(get_args(Units))}"
        )
    return read_units(stated)


def cycles_per_mm(units: Units, shape: Sequence[int], voxel_size: Sequence[float]) -> NDArray[np.float64]:
    """Factors (axis,) from a unit to cycles per mm, for voxels [mm] and their number along each axis."""
    what, per = units.split("/")
    size = np.asarray(voxel_size, np.float64)
    if per == "voxel":
        scale = 1 / size
    elif per == "fov":
        scale = 1 / (size * np.asarray(shape))
    else:
        scale = np.full(len(size), _LENGTHS[per])
    return scale / (2 * np.pi) if what == "rad" else scale


def check_reach(
    what: str,
    reach: NDArray[np.floating],
    units: Units,
    scaled: tuple[Sequence[int], Sequence[float]],
    grid: tuple[Sequence[int], Sequence[float]],
    axes: Sequence[str],
    *,
    said: bool,
) -> str | None:
    """Refuse a trajectory whose largest numbers (axis,) can't be in this unit, and say in which one they can be.

    `what` names the trajectory as the file has it, `axes` its axes; `scaled` are voxels (number, size [mm]) that
    relative units go by, `grid` those of the image to make, along the same axes. Where the unit is doubtful but the
    user has `said` it, the doubt is returned.

    Raises:
        InputError: it ends outside of the k-space of the image, covers next to nothing of it, or little of it where
            another unit fits.
    """
    ends = 0.5 / np.asarray(grid[1], np.float64)
    parts = reach * cycles_per_mm(units, *scaled) / ends
    farthest = int(np.argmax(parts))
    part = float(parts[farthest])
    fit = [
        other
        for other in get_args(Units)
        if other != units and _FILLED <= (reach * cycles_per_mm(other, *scaled) / ends).max() <= OVERSHOOT
    ]
    if part <= OVERSHOOT and (part >= _SMALL or (part >= TINY and not fit)):
        return None
    words = units.replace("1/", "cycles per ").replace("rad/", "radians per ")
    if part > OVERSHOOT:
        end = ends[farthest] / cycles_per_mm(units, *scaled)[farthest]
        fault = (
            f"{what} reaches {reach[farthest]:.4g} {units} along {axes[farthest]}, but the k-space of "
            f"{grid[0][farthest]} voxels of {grid[1][farthest]:.4g} mm ends at {end:.4g} {units} ({words})"
        )
    else:
        covers = f"less than {TINY:.0%}" if part < TINY else f"only {part:.0%}"
        fault = f"{what} covers {covers} of the k-space of the image if it is in {words}"
    if fit:
        cure = f"its numbers fit {' or '.join(fit)}: say which unit is right with --trajectory-units"
    else:
        cure = f"is it in {words}, its axes in the order of the image's, and the matrix right?"
    if said and TINY <= part <= OVERSHOOT:
        return f"Is {units} right? {fault[0].upper()}{fault[1:]}, and {cure.partition(':')[0]}."
    raise InputError(f"{fault}: {cure}")
