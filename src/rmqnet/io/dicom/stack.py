"""A map or label image as DICOM frames: pixels, and where each frame lies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.io.orientation import from_house

_TO_DICOM = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Right-anterior-superior positive, as in NIfTI, to left-posterior-superior positive, as in DICOM."""
_SQUARE = 1e-3
"""Greatest cosine between two axes at right angles, 0.06 degrees (our choice): rounded headers stay below it."""


@dataclass(frozen=True, eq=False)
class FrameStack:
    """Frames of one orientation: those of the source series, or sagittal ones where there is no source."""

    grid: Grid
    from_dicom: bool
    """True where the axes of the grid's source are those of DICOM (column, row, slice)."""

    def __post_init__(self) -> None:
        """Refuse what frames of DICOM cannot hold: axes that are not at right angles."""
        edges = self.grid.affine[:3, :3]
        axes = edges / np.linalg.norm(edges, axis=0)
        worst = float(np.abs(axes.T @ axes - np.eye(3)).max())
        if worst > _SQUARE:
            raise InputError(
                f"the axes of the maps are {np.degrees(np.arccos(worst)):.1f} degrees apart and DICOM needs 90: "
                "resample the images to a grid at right angles and fit them again"
            )

    def frames(self, data: NDArray) -> NDArray:
        """The image (z, y, x) as frames (slice, row, column)."""
        return np.ascontiguousarray(self._moved(data)[0].transpose(2, 1, 0))

    @property
    def affine(self) -> NDArray[np.float64]:
        """4 x 4: index (column, row, slice, 1) to position in mm (left, posterior, superior)."""
        return _TO_DICOM @ self._moved(np.empty(self.grid.shape, np.uint8))[1]

    @property
    def positions(self) -> NDArray[np.float64]:
        """ImagePositionPatient (slice, 3) [mm]."""
        n_slices = self._moved(np.empty(self.grid.shape, np.uint8))[0].shape[2]
        affine = self.affine
        return affine[:3, 3] + np.arange(n_slices)[:, None] * affine[:3, 2]

    def groups(self) -> dict[str, Any]:
        """Functional groups that say where the frames lie, as highdicom takes them."""
        affine = self.affine
        column, row, slice_ = (float(size) for size in np.linalg.norm(affine[:3, :3], axis=0))
        orientation = [*(affine[:3, 0] / column), *(affine[:3, 1] / row)]
        return {
            "pixel_measures": PixelMeasuresSequence([row, column], slice_, slice_),
            "plane_orientation": PlaneOrientationSequence("PATIENT", orientation),
            "plane_positions": [PlanePositionSequence("PATIENT", list(where)) for where in self.positions],
        }

    def _moved(self, data: NDArray) -> tuple[NDArray, NDArray[np.float64]]:
        """Array (column, row, slice) and its affine (RAS+)."""
        if self.from_dicom:
            return from_house(data, self.grid)
        return data.transpose(2, 1, 0), self.grid.affine[:, [2, 1, 0, 3]]


def run_along_normal(result: Dataset) -> None:
    """Order the frames, of each segment where there are some, so that their positions rise along row x column.

    Public converters (dcmqi) take the direction of the slices from that product and their places from the order
    of frames, so that medial and lateral are exchanged in any other order, which highdicom writes.
    """
    plane = result.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    turned = np.array(plane.ImageOrientationPatient, float)
    normal = np.cross(turned[:3], turned[3:])
    groups = list(result.PerFrameFunctionalGroupsSequence)
    contents = [group.FrameContentSequence[0] for group in groups]
    # the place is the last dimension, after the segment
    numbers = [np.atleast_1d(content.DimensionIndexValues).tolist() for content in contents]
    places = [
        float(np.array(group.PlanePositionSequence[0].ImagePositionPatient, float) @ normal)
        for group in groups
    ]
    by_place = sorted({(place, number[-1]) for place, number in zip(places, numbers, strict=True)})
    rising = {number: new for new, (_, number) in enumerate(by_place, start=1)}
    for content, number in zip(contents, numbers, strict=True):
        content.DimensionIndexValues = [*number[:-1], rising[number[-1]]]
    order = sorted(range(len(groups)), key=lambda index: (numbers[index][:-1], places[index]))
    result.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
    if "FloatPixelData" in result:
        frames = np.frombuffer(result.FloatPixelData, np.float32).reshape(len(groups), -1)
        result.FloatPixelData = frames[order].tobytes()
    else:
        frames = np.unpackbits(np.frombuffer(result.PixelData, np.uint8), bitorder="little")
        frames = frames[: len(groups) * result.Rows * result.Columns].reshape(len(groups), -1)
        result.PixelData = pack_bits(frames[order].ravel())
