"""A simulated knee cut to the sagittal slices that hold cartilage."""

from dataclasses import replace

import numpy as np

from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.simulate.simulated import Simulated


def keep_cartilage_slices(knee: Simulated, afi_factor: int) -> Simulated:
    """The knee from the first to the last slice with cartilage, in whole slices of the coarser AFI grid.

    A knee without cartilage stays as it is.
    """
    holding = np.flatnonzero(knee.cartilage_fraction.any(axis=(1, 2)))
    if holding.size == 0:
        return knee
    first = int(holding[0]) // afi_factor
    end = int(holding[-1]) // afi_factor + 1
    fine = slice(first * afi_factor, end * afi_factor)
    series = {}
    for method, own in knee.scan.series.items():
        kept = slice(first, end) if method == "afi" else fine
        series[method] = ImageSeries(own.data[:, kept], own.acquisitions, _cut(own.grid, kept))
    grid = _cut(knee.labels.grid, fine)
    truth = MapSet(
        {name: volume[fine] for name, volume in knee.truth.values.items()},
        {name: volume[fine] for name, volume in knee.truth.reason.items()},
        grid,
    )
    return replace(
        knee,
        scan=Scan(knee.subject, series),
        truth=truth,
        labels=Segmentation(knee.labels.labels[fine], knee.labels.tissues, grid),
        cartilage_fraction=knee.cartilage_fraction[fine],
        fluid_fraction=knee.fluid_fraction[fine],
    )


def _cut(grid: Grid, kept: slice) -> Grid:
    """The grid of these slices."""
    affine = grid.affine.copy()
    affine[:3, 3] += kept.start * affine[:3, 0]
    return Grid((kept.stop - kept.start, *grid.shape[1:]), affine, grid.source_axes)
