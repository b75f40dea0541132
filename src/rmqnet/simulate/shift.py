"""Motion of the knee between images: what it is, and the spectrum of the moved knee."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import Grid
from rmqnet.domain.motion import (
    STILL,
    Motion,
    field_grid,
    grid_center,
    grid_positions,
    inverse,
    rigid_motion,
    voxel_index,
)
from rmqnet.domain.protocols import vfa
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.readout import Spectrum, to_image, to_spectrum

UNMOVED = vfa(10.0)
"""The image in whose place the truth of a subject is: the knee moves to and from there."""
DEFORMATION_SPACING = 40.0
"""Distance between the points at which soft tissue is displaced independently [mm]: default."""
_FINER = 2
"""How many times finer the slices are that a moved image is interpolated from: between thick slices a cubic spline
would blur."""


def draw_motions(
    acquisitions: Sequence[Acquisition], grid: Grid, config: SimulateConfig, rng: np.random.Generator
) -> Mapping[Acquisition, Motion]:
    """Motion of each image from the unmoved one; the two interleaved AFI images share theirs. Empty without motion."""
    largest = (config.rotation_between, config.translation_between, config.deformation_between)
    if not any(largest):
        return {}
    motions: dict[Acquisition, Motion] = {}
    shared: Motion | None = None
    for acquisition in acquisitions:
        if acquisition == UNMOVED:
            motions[acquisition] = STILL
        elif acquisition.method == "afi" and shared is not None:
            motions[acquisition] = shared
        else:
            motions[acquisition] = _draw(grid, largest, rng)
            shared = motions[acquisition] if acquisition.method == "afi" else shared
    return motions


def _draw(grid: Grid, largest: tuple[float, float, float], rng: np.random.Generator) -> Motion:
    """One motion: sizes between 0 and the largest, directions at random."""
    turn, shift = (rng.uniform(0, size) * _direction(rng) for size in largest[:2])
    rigid = rigid_motion(turn, shift, grid_center(grid))
    coarse = field_grid(grid, DEFORMATION_SPACING)
    field = rng.standard_normal((3, *coarse.shape))
    # the largest displacement at any of the points is the size that is drawn
    field *= rng.uniform(0, largest[2]) / np.linalg.norm(field, axis=0).max()
    return Motion(rigid.matrix, field, coarse) if largest[2] else rigid


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    vector = rng.standard_normal(3)
    return vector / np.linalg.norm(vector)


def shifted(
    spectra: Sequence[Spectrum], shape: tuple[int, int, int], grid: Grid, motion: Motion
) -> list[Spectrum]:
    """The half spectra (z, y, x half) of an object after a motion; their images (`shape`) begin with the grid.

    The object is noise-free: noise is added to what was read, and is not interpolated.
    """
    from scipy.ndimage import map_coordinates

    if motion.is_still:
        return list(spectra)
    around = Grid(shape, grid.affine, grid.source_axes)
    index = voxel_index(around, grid_positions(inverse(motion, around), around))
    index[0] *= _FINER
    return [
        to_spectrum(
            np.asarray(
                map_coordinates(_finer_slices(spectrum, shape), index, np.float32, order=3, mode="grid-wrap")
            )
        )
        for spectrum in spectra
    ]


def _finer_slices(spectrum: Spectrum, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """The image (z, y, x) of a half spectrum with more slices, between which nothing new is told."""
    z, y, x = shape
    finer = np.zeros((_FINER * z, y, spectrum.shape[2]), np.complex64)
    half = z // 2
    finer[:half] = spectrum[:half]
    finer[-half:] = spectrum[-half:]
    return _FINER * to_image(finer, (_FINER * z, y, x))
