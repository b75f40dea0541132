"""The volumes of a scan that move on their own, and which of them stays."""

from collections.abc import Mapping

from rmqnet.domain.acquisition import Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.registration import Unit
from rmqnet.domain.scan import Scan

_FIXED_ANGLE = 10.0
"""Flip angle of the image that stays by default [degree]: fat saturated, bright cartilage, and little T1 weight."""
REGISTRATION_ORDER: tuple[Method, ...] = ("vfa", "adiabatic_t1rho", "spin_lock", "afi")
"""Every method; a method that stood nowhere here would not be brought onto the common grid."""


def units_of(scan: Scan) -> list[Unit]:
    """Units in the order in which they are registered: VFA, spin lock by time, AFI."""
    units: list[Unit] = []
    for method in REGISTRATION_ORDER:
        if method not in scan.series:
            continue
        images = scan.series[method].acquisitions
        if method == "afi":
            # the shorter repetition time, whatever the order of the series, stands for the pair
            pair = sorted(range(len(images)), key=lambda k: images[k].repetition_time_excitation or 0.0)
            units.append(Unit(method, tuple(pair), "AFI pair"))
            continue
        ranks = sorted(range(len(images)), key=lambda k: images[k].spin_lock_time or 0.0)
        units += [Unit(method, (k,), images[k].label) for k in ranks]
    return units


def fixed_unit(scan: Scan, units: list[Unit], wanted: str | None) -> Unit:
    """The unit that stays: the wanted one, FA 10 or the nearest to it, or the shortest spin-lock time."""
    if wanted is not None:
        plain = wanted.replace("\N{DEGREE SIGN}", "").strip().lower()
        for unit in units:
            if unit.label.replace("\N{DEGREE SIGN}", "").lower() == plain:
                return unit
        known = ", ".join(unit.label for unit in units)
        raise InputError(f"sub-{scan.subject.name} has no image {wanted!r} to stay fixed: it has {known}")
    vfa = [unit for unit in units if unit.method == "vfa"]
    angles: Mapping[Unit, float] = {
        unit: scan.series["vfa"].acquisitions[unit.indices[0]].flip_angle or 0.0 for unit in vfa
    }
    return min(vfa, key=lambda unit: abs(angles[unit] - _FIXED_ANGLE)) if vfa else units[0]


def joint_box(grid: Grid, parts: tuple[float, ...]) -> tuple[slice, slice, slice]:
    """Voxels (z, y, x) between these parts of each axis."""
    z, y, x = (
        slice(round(low * n), max(round(high * n), round(low * n) + 1))
        for n, low, high in zip(grid.shape, parts[::2], parts[1::2], strict=True)
    )
    return z, y, x
