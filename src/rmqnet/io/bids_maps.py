"""Quantity maps in BIDS derivatives: values, reason codes, residuals and standard deviations."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.quantities import QUANTITIES, Quantity
from rmqnet.domain.subject import Subject
from rmqnet.io.layout import find_images, find_one, parse_name, sidecar_path
from rmqnet.io.nifti import grid_difference, read_array, write_volume
from rmqnet.io.text import read_json, write_json


def write_maps(
    folder: Path,
    maps: MapSet,
    subject: Subject,
    *,
    desc: str,
    sidecar: Mapping[str, object],
    b1_sidecar: Mapping[str, object] | None = None,
) -> None:
    """Write all maps of a subject into its folder: values, reason codes, residuals, standard deviations, correlations.

    `sidecar` is added to the JSON file of every map, `b1_sidecar` to that of B1, where it differs.
    """
    check_desc(desc)
    for name, values in maps.values.items():
        quantity = QUANTITIES[name]
        stem = folder / quantity.bids_folder / f"sub-{subject.name}"
        own = {"Units": quantity.bids_unit, "SkullStripped": False, **sidecar}
        own |= (b1_sidecar or {}) if name == "B1" else {}
        _write_scaled(_named(stem, desc, quantity.bids_suffix), values, maps.grid, quantity, own)
        codes = {str(reason.value): reason.name.lower() for reason in Reason}
        _write(
            _named(stem, desc, "reason", f"param-{_label(name)}"),
            maps.reason[name],
            maps.grid,
            {"Quantity": name, "Levels": codes},
            np.uint8,
        )
        if name in maps.sd:
            own = {"Quantity": name, "Units": quantity.bids_unit}
            _write_scaled(
                _named(stem, desc, "sd", f"param-{_label(name)}"), maps.sd[name], maps.grid, quantity, own
            )
    for pair, volume in maps.correlation.items():
        path = _named(folder / "anat" / f"sub-{subject.name}", desc, "correlation", f"param-{''.join(pair)}")
        _write(path, volume, maps.grid, {"Quantities": list(pair), "Units": "arbitrary"}, np.float32)
    for model, residual in maps.residual.items():
        path = _named(folder / "anat" / f"sub-{subject.name}", desc, "residual", f"model-{_label(model)}")
        _write(path, residual, maps.grid, {"Model": model, "Units": "arbitrary"}, np.float32)


def load_maps(folder: Path | str, *, desc: str) -> MapSet:
    """All maps with this `desc` in a subject's folder, as they were written.

    A map of another program has no reason codes: there, values that are not finite or not above zero
    count as background.

    Raises:
        InputError: a map has no Units, another grid, or values that can't be in its units.
    """
    folder = Path(folder)
    values: dict[str, NDArray[np.float32]] = {}
    reasons: dict[str, NDArray[np.uint8]] = {}
    sds: dict[str, NDArray[np.float32]] = {}
    grid: Grid | None = None
    for name, quantity in QUANTITIES.items():
        path = find_one(folder, quantity.bids_folder, quantity.bids_suffix, desc)
        if path is None:
            continue
        volume, grid = _read_scaled(path, quantity, grid)
        reason_path = _companion(path, desc, "reason", name)
        if reason_path is None:
            # the units of another program are worth a doubt; our own maps may be bad, but not in ms
            reason = np.where(volume > 0, Reason.VALID, Reason.BACKGROUND)
            _check_plausible(path, quantity, volume[reason == Reason.VALID])
            volume[reason != Reason.VALID] = np.nan
        else:
            reason, grid = _read(reason_path, grid)
            _check_reasons(path, reason_path, quantity, volume, reason)
        values[name], reasons[name] = volume, reason.astype(np.uint8)
        sd_path = _companion(path, desc, "sd", name)
        if sd_path is not None:
            sds[name], grid = _read_scaled(sd_path, quantity, grid)
    if grid is None:
        raise InputError(
            f"{folder}: has no map with desc-{desc}: its name must be like *_desc-{desc}_T1map.nii.gz"
        )
    return MapSet(
        values,
        reasons,
        grid,
        _load_residuals(folder, desc, grid),
        sds,
        _load_correlations(folder, desc, grid),
    )


def check_desc(desc: str) -> None:
    """Refuse what BIDS can't hold as a label."""
    if not (desc.isalnum() and desc.isascii()):
        raise InputError(f"desc must be letters and digits only, got {desc!r}")


def _label(name: str) -> str:
    """A name as BIDS allows it inside a file name: letters and digits."""
    return "".join(character for character in name if character.isalnum())


def _named(stem: Path, desc: str, suffix: str, entity: str = "") -> Path:
    parts = [stem.name, entity, f"desc-{desc}", suffix]
    return stem.with_name("_".join(part for part in parts if part) + ".nii.gz")


def _companion(path: Path, desc: str, suffix: str, quantity: str) -> Path | None:
    """The image of this suffix that belongs to a map; None where there is none."""
    for other in path.parent.glob(f"*_{suffix}.nii.gz"):
        entities = parse_name(other).entities
        if entities.get("param") == _label(quantity) and entities.get("desc") == desc:
            return other
    return None


def _load_residuals(folder: Path, desc: str, grid: Grid) -> dict[str, NDArray[np.float32]]:
    residuals: dict[str, NDArray[np.float32]] = {}
    for path in find_images(folder, "anat", "residual"):
        if parse_name(path).entities.get("desc") == desc:
            model = read_json(sidecar_path(path)).get("Model")
            if not isinstance(model, str):
                raise InputError(f"{sidecar_path(path)}: the key Model is missing: add the name of the model")
            residuals[model] = _read(path, grid)[0].astype(np.float32)
    return residuals


def _load_correlations(folder: Path, desc: str, grid: Grid) -> dict[tuple[str, str], NDArray[np.float32]]:
    correlations: dict[tuple[str, str], NDArray[np.float32]] = {}
    for path in find_images(folder, "anat", "correlation"):
        if parse_name(path).entities.get("desc") == desc:
            pair = read_json(sidecar_path(path)).get("Quantities")
            if not isinstance(pair, list) or len(pair) != 2 or not set(map(str, pair)) <= QUANTITIES.keys():
                raise InputError(
                    f"{sidecar_path(path)}: the key Quantities must name two quantities, got {pair!r}"
                )
            correlations[str(pair[0]), str(pair[1])] = _read(path, grid)[0].astype(np.float32)
    return correlations


def _write(
    path: Path, volume: NDArray, grid: Grid, sidecar: Mapping[str, object], dtype: type[np.generic]
) -> None:
    path.parent.mkdir(exist_ok=True)
    write_volume(path, volume, grid, dtype=dtype)
    write_json(sidecar_path(path), sidecar)


def _write_scaled(
    path: Path, volume: NDArray[np.float32], grid: Grid, quantity: Quantity, sidecar: Mapping[str, object]
) -> None:
    """Write in the unit on disk; with double precision where it differs, so that reading gives the same."""
    if quantity.bids_factor == 1.0:
        _write(path, volume, grid, sidecar, np.float32)
    else:
        _write(path, volume.astype(np.float64) * quantity.bids_factor, grid, sidecar, np.float64)


def _read(path: Path, grid: Grid | None) -> tuple[NDArray, Grid]:
    volume, own = read_array(path)
    if grid is not None and not own.same_as(grid):
        raise InputError(
            f"{path}: is on another grid than the other maps ({grid_difference(own, grid)}): resample it"
        )
    return volume, own if grid is None else grid


def _read_scaled(path: Path, quantity: Quantity, grid: Grid | None) -> tuple[NDArray[np.float32], Grid]:
    volume, grid = _read(path, grid)
    return (volume.astype(np.float64) / _disk_factor(path, quantity)).astype(np.float32), grid


def _disk_factor(path: Path, quantity: Quantity) -> float:
    """House unit to the unit that the map's sidecar states."""
    json_path = sidecar_path(path)
    unit = read_json(json_path).get("Units") if json_path.is_file() else None
    known = {quantity.bids_unit: quantity.bids_factor, quantity.display_unit: quantity.display_factor}
    if quantity.unit == "":
        known["ratio"] = 1.0
    if unit is None:
        raise InputError(
            f'{json_path}: the key Units is missing: add a line like "Units": "{quantity.bids_unit}"'
        )
    if not isinstance(unit, str) or unit not in known:
        raise InputError(f"{json_path}: Units must be one of {', '.join(known)}, got {unit!r}")
    return known[unit]


def _check_reasons(
    path: Path, reason_path: Path, quantity: Quantity, volume: NDArray[np.float32], reason: NDArray
) -> None:
    """Refuse reason codes that do not exist, and voxels that count as valid and have no possible value."""
    if not np.isin(reason, [code.value for code in Reason]).all():
        raise InputError(f"{reason_path}: holds codes that are no reasons: make the maps again")
    valid = volume[reason == Reason.VALID]
    if not np.isfinite(valid).all() or (valid.size and valid.min() < min(0.0, quantity.bounds[0])):
        raise InputError(
            f"{path}: has voxels without a value, or with one below all bounds, that {reason_path.name} calls valid: "
            "make the maps again"
        )


def _check_plausible(path: Path, quantity: Quantity, values: NDArray[np.float32]) -> None:
    if values.size == 0:
        return
    median, (low, high) = float(np.median(values)), quantity.plausible
    if not low <= median <= high:
        hint = "is it in ms?" if quantity.unit == "s" and median > high else "correct Units in its sidecar"
        raise InputError(
            f"{path}: the median must be in [{low:g}, {high:g}] {quantity.unit}".rstrip()
            + f", got {median:g}: {hint}"
        )
