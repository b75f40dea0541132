"""Images of one study: series of one method each, on their own grids."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import Subject


@dataclass(frozen=True, eq=False)
class ImageSeries:
    """Images of one grid, each with its acquisition."""

    data: NDArray[np.float32] | NDArray[np.complex64]
    """Images (contrast, z, y, x)."""
    acquisitions: tuple[Acquisition, ...]
    """One acquisition per contrast."""
    grid: Grid

    def __post_init__(self) -> None:
        """Refuse images that do not match their acquisitions or their grid."""
        if self.data.ndim != 4 or self.data.shape[0] != len(self.acquisitions):
            raise InputError(f"images {self.data.shape} do not match {len(self.acquisitions)} acquisitions")
        if self.data.shape[1:] != self.grid.shape:
            raise InputError(f"images {self.data.shape[1:]} do not match the grid {self.grid.shape}")

    @property
    def magnitudes(self) -> NDArray[np.float32]:
        """The images (contrast, z, y, x) as magnitudes."""
        return np.abs(self.data).astype(np.float32) if np.iscomplexobj(self.data) else self.data.real

    def image(self, acquisition: Acquisition) -> NDArray[np.float32] | NDArray[np.complex64]:
        """The image (z, y, x) of this acquisition; KeyError where there is none."""
        for index, own in enumerate(self.acquisitions):
            if own == acquisition:
                return self.data[index]
        raise KeyError(acquisition)


@dataclass(frozen=True, eq=False)
class Scan:
    """All series of one subject, by method."""

    subject: Subject
    series: Mapping[Method, ImageSeries]

    def __post_init__(self) -> None:
        """Refuse a series whose images belong to another method."""
        for method, series in self.series.items():
            for acquisition in series.acquisitions:
                if acquisition.method != method:
                    raise InputError(
                        f"the {method} series of sub-{self.subject.name} holds a {acquisition.method} image"
                    )

    def get(self, method: Method) -> ImageSeries:
        """The series of this method, or an InputError that names what there is."""
        if method not in self.series:
            known = ", ".join(self.series) or "no series"
            raise InputError(f"sub-{self.subject.name} has no {method} images (it has: {known})")
        return self.series[method]


def without(scan: Scan, method: Method) -> Scan:
    """The scan without the series of this method."""
    series: dict[Method, ImageSeries] = {own: one for own, one in scan.series.items() if own != method}
    return Scan(scan.subject, series)
