"""3D cones: a center-out trajectory on nested cones about the z axis.

Source: Gurney, Hargreaves and Nishimura 2006, MRM 55:575. The design follows its formulas; cones are as far apart,
and the copies of each cone as many, as the Nyquist limit asks for; one designed path serves several cones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import ECHO_TIME
from rmqnet.encoding.cones_path import (
    GYROMAGNETIC,
    ConePath,
    ConeShape,
    design_path,
    fewest_interleaves,
    turns,
)
from rmqnet.encoding.cones_settings import ConesSettings

GOLDEN_PART = (np.sqrt(5) - 1) / 2
"""The golden section."""


@dataclass(frozen=True, eq=False)
class Cones:
    """A cones trajectory, spokes in the order in which they are read."""

    trajectory: NDArray[np.float32]
    """Position (spoke, read, axis) in k-space [1/mm], axes (z, y, x)."""
    read_times: NDArray[np.float64]
    """Time (read,) of each sample from the end of the pulse [s]; the first is the echo time of the paper."""
    density: NDArray[np.float32]
    """Volume (spoke, read) of k-space that each sample stands for [1/mm^3]; the sum is the sampled ellipsoid."""
    n_needed: int
    """Spokes with which the same read-out samples fully."""

    @property
    def undersampling(self) -> float:
        """Spokes that full sampling needs over spokes read; up to 1 is fully sampled."""
        return self.n_needed / self.trajectory.shape[0]


@dataclass(frozen=True, eq=False)
class _Rings:
    """All cones from one end of the axis to the other."""

    angles: NDArray[np.float64]
    """Parametric angle (cone,) of the end on the ellipse [radian]; 0 in the plane."""
    edges: NDArray[np.float64]
    """Parametric angles (cone + 1,) halfway to the neighbors: the band that a cone stands for."""


def cones(settings: ConesSettings) -> Cones:
    """The trajectory of these settings; an InputError where the read-out is too short to reach the end of k-space."""
    rings = _place(settings)
    reads = np.asarray(np.arange(settings.n_reads) * settings.dwell_time, np.float64)
    paths, copies = _cover(settings, rings, reads)
    n_needed = int(copies.sum())
    if settings.n_spokes is not None:
        copies = _share(copies, settings.n_spokes)
    trajectory, density = _assemble(settings, rings, copies, paths)
    order = _order(len(trajectory), settings.order)
    times = np.asarray(ECHO_TIME + reads, np.float64)
    return Cones(trajectory[order], times, density[order], n_needed)


def spokes_needed(settings: ConesSettings) -> int:
    """Spokes with which the read-out of these settings samples fully, whatever its n_spokes."""
    return int(_cover(settings, _place(settings), np.zeros(1))[1].sum())


def waveforms(settings: ConesSettings) -> NDArray[np.float64]:
    """Gradients (base cone, time, axis) of the designed paths on the raster of the scanner [T/m], axes (z, y, x)."""
    duration = (settings.n_reads - 1) * settings.dwell_time
    times = np.asarray(np.arange(int(duration / settings.raster) + 1) * settings.raster, np.float64)
    rings = _place(settings)
    positions: list[NDArray[np.float64]] = []
    for group in _groups(rings.angles, settings.n_base_cones):
        base, path = _design(settings, rings.angles[group], times)
        plane = path.rho * base.radius
        positions.append(
            np.stack(
                [path.rho * base.height, plane * np.sin(path.angle), plane * np.cos(path.angle)], axis=-1
            )
        )
    ways = np.stack(positions)
    return (ways[:, 1:] - ways[:, :-1]) / (GYROMAGNETIC * settings.raster)


def _place(settings: ConesSettings) -> _Rings:
    """Cones whose ends are one cell of 1 / field of view apart along the ellipse, or a little less."""
    k_z, k_xy = settings.k_max
    cells_z, cells_xy = k_z * settings.field_of_view[0], k_xy * settings.field_of_view[1]
    angle = np.linspace(-np.pi / 2, np.pi / 2, 20001)
    speed = np.hypot(cells_xy * np.sin(angle), cells_z * np.cos(angle))
    arc = np.concatenate([[0], np.cumsum((speed[1:] + speed[:-1]) / 2 * np.diff(angle))])
    n = int(np.ceil(arc[-1]))
    edges = np.interp(np.arange(n + 1) * arc[-1] / n, arc, angle)
    centers = np.interp((np.arange(n) + 0.5) * arc[-1] / n, arc, angle)
    return _Rings(centers, edges)


def _groups(angles: NDArray[np.float64], n_base: int) -> list[NDArray[np.intp]]:
    """Cones that share a path: neighbors in steepness, on both sides of the plane."""
    steepness = np.argsort(np.abs(angles), kind="stable")
    return [group for group in np.array_split(steepness, n_base) if len(group)]


def _shape(settings: ConesSettings, flattest: float, steepest: float) -> ConeShape:
    """The cone as wide as the flattest and as high as the steepest of a group (parametric angles)."""
    k_z, k_xy = settings.k_max
    radius, height = k_xy * abs(np.cos(flattest)), k_z * abs(np.sin(steepest))
    return ConeShape(radius, height, radius * settings.field_of_view[1], height * settings.field_of_view[0])


def _design(
    settings: ConesSettings, angles: NDArray[np.float64], times: NDArray[np.float64]
) -> tuple[ConeShape, ConePath]:
    """The widest cone of a group, and its path at these times; all cones of the group keep within its limits."""
    steepness = np.abs(angles)
    base = _shape(settings, steepness.min(), steepness.max())
    duration = (settings.n_reads - 1) * settings.dwell_time
    # a faster way out would leave gaps between samples of one spoke
    fastest = 1 / (GYROMAGNETIC * max(settings.field_of_view) * settings.dwell_time)
    path = design_path(base, duration, min(settings.gradient_limit, fastest), settings.slew_limit, times)
    if path is None:
        raise InputError(
            f"read_duration {settings.read_duration:g} s is too short to reach the end of k-space"
            f" with {settings.gradient_limit:g} T/m and {settings.slew_limit:g} T/m/s: make it longer"
        )
    return base, path


def _cover(
    settings: ConesSettings, rings: _Rings, times: NDArray[np.float64]
) -> tuple[list[ConePath], NDArray[np.intp]]:
    """Path of each cone at these times, and how many turned copies of it leave no gap on that cone."""
    n_cones = len(rings.angles)
    copies, which = np.empty(n_cones, np.intp), np.empty(n_cones, np.intp)
    paths = []
    rho = np.linspace(1e-3, 1, 400)
    for group in _groups(rings.angles, settings.n_base_cones):
        base, path = _design(settings, rings.angles[group], times)
        slopes = turns(base, path.n_interleaves, rho)
        for cone in group:
            angle = float(rings.angles[cone])
            needed = fewest_interleaves(_shape(settings, angle, angle), slopes, rho)
            copies[cone] = max(int(np.ceil(needed - 1e-6)), 1)
        which[group] = len(paths)
        paths.append(path)
    return [paths[index] for index in which], copies


def _share(copies: NDArray[np.intp], n_spokes: int) -> NDArray[np.intp]:
    """Copies of each cone when all cones together get this many spokes, in proportion to their need."""
    if n_spokes < len(copies):
        raise InputError(f"n_spokes must be at least one for each of the {len(copies)} cones, got {n_spokes}")
    edges = np.round(np.cumsum(copies) * ((n_spokes - len(copies)) / copies.sum())).astype(int)
    return 1 + np.diff(edges, prepend=0)


def _assemble(
    settings: ConesSettings, rings: _Rings, copies: NDArray[np.intp], paths: list[ConePath]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Trajectory and density of all spokes, cone by cone."""
    k_z, k_xy = settings.k_max
    n_spokes = int(copies.sum())
    trajectory = np.empty((n_spokes, settings.n_reads, 3), np.float32)
    density = np.empty((n_spokes, settings.n_reads), np.float32)
    bands = np.diff(np.sin(rings.edges))
    first = 0
    for cone, (n, path) in enumerate(zip(copies, paths, strict=True)):
        own = slice(first, first + n)
        # neighboring cones start at angles that do not repeat
        start = 2 * np.pi * (np.arange(n) / n + cone * GOLDEN_PART)
        angle = path.angle + start[:, None]
        plane = k_xy * np.cos(rings.angles[cone]) * path.rho
        trajectory[own, :, 0] = k_z * np.sin(rings.angles[cone]) * path.rho
        trajectory[own, :, 1] = plane * np.sin(angle)
        trajectory[own, :, 2] = plane * np.cos(angle)
        borders = np.concatenate([[0], (path.rho[1:] + path.rho[:-1]) / 2, [path.rho[-1]]])
        density[own] = k_xy**2 * k_z * bands[cone] * (2 * np.pi / n) * np.diff(borders**3) / 3
        first += n
    return trajectory, density


def _order(n_spokes: int, order: str) -> NDArray[np.intp]:
    """Which spoke of the sorted list is read first, second, ..."""
    if order == "sequential":
        return np.arange(n_spokes)
    return np.argsort(np.argsort(np.arange(n_spokes) * GOLDEN_PART % 1))
