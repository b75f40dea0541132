"""The images that a network gets, in the channel order of its input set."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, resample
from rmqnet.domain.protocols import InputSet
from rmqnet.domain.scan import ImageSeries, Scan


def stack_inputs(scan: Scan, inputs: InputSet) -> ImageSeries:
    """Magnitude images of the input set, in its channel order, on the VFA grid (without VFA: the spin-lock grid).

    Images are found by `Acquisition.same_image`, never by order; each keeps the acquisition of the scan. AFI images
    are interpolated onto the grid and 0 outside their own. Raises InputError where an image is missing or stands
    there twice, or where a series other than AFI lies on another grid.
    """
    found = _find(scan, inputs)
    grid = _common_grid(scan, found)
    data = np.empty((len(found), *grid.shape), np.float32)
    for channel, (series, index) in enumerate(found):
        image = _magnitude(series.data[index])
        data[channel] = image if series.grid is grid else _onto(image, series.grid, grid)
    return ImageSeries(data, tuple(series.acquisitions[index] for series, index in found), grid)


def matching(needed: Sequence[Acquisition], present: Sequence[Acquisition]) -> list[Acquisition | None]:
    """Of each needed image the one of those present that is its `Acquisition.same_image`; None where there is none."""
    return [next((own for own in present if own.same_image(image)), None) for image in needed]


def _find(scan: Scan, inputs: InputSet) -> list[tuple[ImageSeries, int]]:
    found: list[tuple[ImageSeries, int]] = []
    missing: list[Acquisition] = []
    for needed in inputs.acquisitions:
        series = scan.series.get(needed.method)
        own = () if series is None else series.acquisitions
        indices = [index for index, acquisition in enumerate(own) if acquisition.same_image(needed)]
        if len(indices) > 1:
            raise InputError(
                f"sub-{scan.subject.name} has {len(indices)} images with {needed.label} ({needed.method}): keep one"
            )
        if series is None or not indices:
            missing.append(needed)
        else:
            found.append((series, indices[0]))
    if missing:
        present = [a for series in scan.series.values() for a in series.acquisitions]
        raise InputError(
            f"the input set {inputs.name} needs {describe(missing)}, which sub-{scan.subject.name} lacks; "
            f"it has {describe(present) or 'no images'}"
        )
    return found


def describe(acquisitions: Iterable[Acquisition]) -> str:
    """Images by method: "vfa FA 5, FA 30; adiabatic_t1rho TSL 12 ms"."""
    labels: dict[str, list[str]] = {}
    for acquisition in acquisitions:
        labels.setdefault(acquisition.method, []).append(acquisition.label)
    return "; ".join(f"{method} {', '.join(names)}" for method, names in labels.items())


def _common_grid(scan: Scan, found: list[tuple[ImageSeries, int]]) -> Grid:
    # channel order puts VFA before spin-lock before AFI
    target, _ = found[0]
    for series, index in found:
        method = series.acquisitions[index].method
        if method != "afi" and not series.grid.same_as(target.grid):
            raise InputError(
                f"the {target.acquisitions[0].method} and {method} images of sub-{scan.subject.name} lie on "
                f"different grids ({target.grid.shape} and {series.grid.shape}): register them onto one grid first"
            )
    return target.grid


def _magnitude(image: NDArray[np.float32] | NDArray[np.complex64]) -> NDArray[np.float32]:
    return np.abs(image).astype(np.float32)


def _onto(image: NDArray[np.float32], source: Grid, target: Grid) -> NDArray[np.float32]:
    if source.same_as(target):
        return image
    # an image voxel that is not finite stays so; only what lies outside becomes 0
    outside = np.isnan(resample(np.zeros(source.shape, np.float32), source, target))
    moved = resample(image, source, target)
    moved[outside] = 0.0
    return moved
