"""Pictures of the regions of one knee over its images, and of the maps inside them."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from rmqnet.domain.boxes import bounding_box
from rmqnet.domain.grid import Grid, resample
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.tissues import TISSUES
from rmqnet.report.figures import display_range, show_gray, show_labels, show_map, to_png, unit_label
from rmqnet.report.knee import Knee
from rmqnet.report.knee_regions import words
from rmqnet.report.knee_tables import background
from rmqnet.report.slice_figure import spread_slices

N_SLICES = 5
"""Slices of a picture: a default."""
MARGIN = 15.0
"""What is shown around the regions [mm]: a default."""


def write_overlays(folder: Path, knee: Knee) -> list[Path]:
    """Paths of overlay_regions.png and overlay_<quantity>.png of T1 and T1rho; none where no region was found."""
    regions = knee.regions
    if regions is None or not regions.labels.any():
        return []
    folder.mkdir(parents=True, exist_ok=True)
    written = {"regions": _regions_png(knee, regions)}
    written |= {name: _map_png(knee, regions, name) for name in ("T1", "T1rho") if name in knee.maps.values}
    paths = []
    for name, png in written.items():
        paths.append(folder / f"overlay_{name}.png")
        paths[-1].write_bytes(png)
    return paths


def _regions_png(knee: Knee, regions: Segmentation) -> bytes:
    figure, panels, box = _panels(knee, regions)
    colors = {TISSUES[name].label: TISSUES[name].color for name in regions.tissues}
    for axes, index in panels:
        show_labels(axes, regions.labels[index][box], colors, regions.grid)
    names = [name for name in regions.tissues if regions.mask(name).any()]
    legend = [Patch(color=TISSUES[name].color, label=words(name)) for name in names]
    figure.legend(handles=legend, loc="outside lower center", ncol=len(legend), fontsize=9, frameon=False)
    return to_png(figure)


def _map_png(knee: Knee, regions: Segmentation, name: str) -> bytes:
    figure, panels, box = _panels(knee, regions)
    described = QUANTITIES[name]
    inside = np.where(regions.labels > 0, knee.maps.values[name], np.nan)
    limits = display_range(described, [inside])
    drawn = [
        show_map(axes, inside[index][box], described, limits, regions.grid, see_through=True)
        for axes, index in panels
    ]
    bar = figure.colorbar(drawn[0], ax=[axes for axes, _ in panels], shrink=0.9, pad=0.01, extend="max")
    bar.set_label(f"{unit_label(described)} in the regions")
    return to_png(figure)


def _panels(knee: Knee, regions: Segmentation) -> tuple[Figure, list[tuple[Axes, int]], tuple[slice, ...]]:
    """A figure with gray slices through the regions: its axes with the index of their slice, and the part shown."""
    label, image = background(knee.scan)
    image = _on_grid(image, knee, regions.grid)
    chosen = spread_slices(np.where(regions.labels > 0, 1.0, np.nan), N_SLICES)
    margins = [round(MARGIN / edge) for edge in regions.grid.voxel_size[1:]]
    box = bounding_box(regions.labels.max(axis=0) > 0, margins)
    height, width = (
        (part.stop - part.start) * edge for part, edge in zip(box, regions.grid.voxel_size[1:], strict=True)
    )
    figure = Figure(figsize=(13, 12 / len(chosen) * height / width + 0.9), layout="constrained")
    line = figure.subplots(1, len(chosen), squeeze=False)[0]
    for axes, index in zip(line, chosen, strict=True):
        show_gray(axes, image[index][box], regions.grid)
        axes.set_title(f"slice {index + 1}", fontsize=9)
    origin = "simulated knee" if knee.simulated else f"{knee.scan.subject.side} knee"
    figure.suptitle(
        f"sub-{knee.scan.subject.name}, {origin}; gray: {label}; anterior on the left", fontsize=10
    )
    return figure, list(zip(line, chosen, strict=True)), box


def _on_grid(image: NDArray[np.float32], knee: Knee, grid: Grid) -> NDArray[np.float32]:
    series = next(one for one in knee.scan.series.values() if one.grid.shape == image.shape)
    return image if series.grid.same_as(grid) else resample(image, series.grid, grid)
