"""B1 maps of scanners and other programs: which one a subject has, in which unit, and where it lies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.b1_map import B1Map, B1Unit, with_value
from rmqnet.domain.errors import InputError
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.io.layout import find_images, sidecar_path
from rmqnet.io.nifti import read_volume
from rmqnet.io.sidecar import Sidecar, read_sidecar
from rmqnet.io.text import write_json

SUFFIX = "TB1map"
"""Suffix of the file name of a B1 map (BIDS)."""
STATED: dict[str, B1Unit] = {
    **dict.fromkeys(("ratio", "fraction", "1", "relative", "unitless", "dimensionless"), "ratio"),
    **dict.fromkeys(("percent", "%", "p.u.", "percentage"), "percent"),
    **dict.fromkeys(("degrees", "degree", "deg", "\N{DEGREE SIGN}"), "degrees"),
}
"""Unit by what `Units` in a sidecar may say, in lower case."""
UNSTATED: dict[B1Unit, tuple[float, float]] = {"ratio": (0.7, 1.4), "percent": (70.0, 140.0)}
"""Medians by which a unit that nobody states is told: our choice. B1 of a knee at 3 T lies within 0.9 to 1.1."""
NOT_STATED = ("", "arbitrary", "a.u.", "au", "n/a")
"""What `Units` says where it says nothing."""
IN_DEGREES = (0.5, 1.5)
"""Medians over the nominal flip angle at which a map may be one of degrees [ratio]."""
BELIEVED = (0.3, 2.0)
"""Medians [ratio] of a B1 map whose unit is stated: our choice, beyond it the statement is wrong."""


def list_b1_maps(root: Path, subject: str) -> list[Path]:
    """The B1 maps fmap/*_TB1map of a subject of a study."""
    return find_images(root / f"sub-{subject}", "fmap", SUFFIX)


def find_b1_map(root: Path, subject: str) -> Path | None:
    """The one B1 map of a subject of a study; None where there is none, InputError where there are more."""
    paths = list_b1_maps(root, subject)
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise InputError(
            f"{paths[0].parent}: has {len(paths)} B1 maps ({names}): keep one, or name one with --b1"
        )
    return paths[0] if paths else None


def load_b1_map(
    path: Path | str, *, unit: B1Unit | None = None, flip_angle: float | None = None, root: Path | None = None
) -> B1Map:
    """The B1 map in a NIfTI file as a ratio, with the grid that its affine says.

    Args:
        path: the file; a JSON sidecar beside it may state `Units` and, for degrees, `FlipAngle` (the nominal one).
        unit: "ratio", "percent" or "degrees", over what the sidecar says.
        flip_angle: nominal flip angle of a map in degrees, over what the sidecar says.
        root: the study whose inherited sidecars count too.

    Raises:
        InputError: the unit is not stated and the values leave doubt, or they can't be a transmit field.
    """
    path = Path(path)
    data, grid = read_volume(path)
    sidecar = read_sidecar(path, root or path.parent)
    inside = data[with_value(data)]
    if not inside.size:
        raise InputError(f"{path}: has no voxel with a value: export the B1 map again")
    middle = float(np.median(inside))
    angle = flip_angle if flip_angle is not None else _number(sidecar.values.get("FlipAngle"))
    stated, said = unit or _stated(sidecar), list[str]()
    if flip_angle is not None:
        if stated not in (None, "degrees"):
            raise InputError(
                f"{path}: is in {stated}, which needs no nominal flip angle: leave out --b1-flip-angle"
            )
        stated = "degrees"
    found = stated or _told_by_values(path, middle, angle)
    divisor = {"ratio": 1.0, "percent": 100.0, "degrees": angle or 0.0}[found]
    if not divisor > 0:
        raise InputError(
            f"{path}: is in degrees, which needs the nominal flip angle: give --b1-flip-angle (in Python flip_angle), "
            f'or add a line like "FlipAngle": 60 to {sidecar.path.name}'
        )
    low, high = BELIEVED
    if not low <= middle / divisor <= high:
        raise InputError(
            f"{path}: can't be in {found}{f' of a nominal {angle:g}' if found == 'degrees' else ''}: the median of its "
            f"values is {middle:.4g}, which makes a B1 of {middle / divisor:.3g}; {_how_to_state(sidecar)}"
        )
    if stated is None:
        said.append(
            f"The unit of {path.name} is not stated; with a median of {middle:.4g} it was taken as {found}: "
            f"state it if that is wrong (Units in {sidecar.path.name}, or --b1-unit)."
        )
    values = (data / np.float32(divisor)).astype(np.float32)
    of = f" of a nominal {angle:g}" if found == "degrees" else ""
    said += _implausible(path, values)
    return B1Map(
        values,
        grid,
        f"the B1 map {path.name} ({found}{of})",
        _algorithm(sidecar.values, path),
        tuple(said),
    )


def _stated(sidecar: Sidecar) -> B1Unit | None:
    value = sidecar.values.get("Units")
    text = "" if value is None else str(value).strip().lower()
    if text in NOT_STATED:
        return None
    if text not in STATED:
        raise InputError(
            f'{sidecar.path}: Units of a B1 map must be "ratio", "percent" or "degrees", got {value!r}: correct it, or '
            "give --b1-unit"
        )
    return STATED[text]


def _told_by_values(path: Path, middle: float, angle: float | None) -> B1Unit:
    """The unit that these values can have alone; refused where there is none, or more than one."""
    can: list[B1Unit] = [name for name, (low, high) in UNSTATED.items() if low <= middle <= high]
    if angle and IN_DEGREES[0] <= middle / angle <= IN_DEGREES[1]:
        can.append("degrees")
    if len(can) == 1:
        return can[0]
    may = f"may be {' or '.join(can)}" if can else "tells none"
    raise InputError(
        f"{path}: the unit of this B1 map is not stated, and the median of its values, {middle:.4g}, {may}: "
        f"{_how_to_state(Sidecar(sidecar_path(path), {}))}"
    )


def _how_to_state(sidecar: Sidecar) -> str:
    return (
        f'add "Units": "ratio", "percent" or "degrees" (with "FlipAngle", the nominal angle in the same unit) to '
        f"{sidecar.path.name}, or give --b1-unit and --b1-flip-angle"
    )


def _implausible(path: Path, values: NDArray[np.float32]) -> list[str]:
    """What is doubtful about values [ratio] where the map has some."""
    low, high = QUANTITIES["B1"].bounds
    inside = values[with_value(values)]
    outside = float(((inside <= low) | (inside >= high)).mean())
    if outside <= 0.01:
        return []
    return [
        f"{path.name}: {outside:.0%} of its values lie outside {low:g} to {high:g} and were left out (noise in air, or "
        "another unit)."
    ]


def _algorithm(values: Mapping[str, Any], path: Path) -> str:
    """How B1 was found, as the map's own sidecar says it, for that of the result."""
    own = values.get("EstimationAlgorithm")
    how = f": {own}" if isinstance(own, str) else ""
    return f"B1 map of the scanner or another program, {path.name}{how}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def copy_b1_map(root: Path, subject: str, folder: Path) -> None:
    """Copy the B1 map of a subject, with all that its sidecars say, into the folder of the subject in another study."""
    path = find_b1_map(root, subject)
    if path is None:
        return
    target = folder / "fmap" / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
    if values := read_sidecar(path, root).values:
        write_json(sidecar_path(target), values)
