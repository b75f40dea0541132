"""A map or label image as DICOM frames: pixels, and where each frame lies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid
from rmqnet.io.orientation import from_house

_TO_DICOM = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Right-anterior-superior positive, as in NIfTI, to left-posterior-superior positive, as in DICOM."""


@dataclass(frozen=True, eq=False)
class FrameStack:
    """Frames of one orientation: those of the source series, or sagittal ones where there is no source."""

    grid: Grid
    from_dicom: bool
    """True where the axes of the grid's source are those of DICOM (column, row, slice)."""

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
