"""Figure 2 in form: one slice through reference and predictions."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from rmqnet.domain.boxes import bounding_box
from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.quantities import QUANTITIES, Quantity
from rmqnet.domain.tissues import TISSUES
from rmqnet.report.figures import (
    Picture,
    display_range,
    show_gray,
    show_labels,
    show_map,
    to_png,
    unit_label,
)
from rmqnet.report.study import ReportCase

_SHOWN = ("T1", "T1rho")
MAP_COLORS = 256
"""Colours of a picture of one map: as many as its colour map has."""


def slice_picture(cases: Sequence[ReportCase]) -> Picture:
    """Reference and one row per input set: T1, T1rho, labels, and both maps inside cartilage."""
    first = cases[0]
    rows: list[tuple[str, MapSet, Segmentation]] = [
        ("reference", first.reference, first.reference_segmentation)
    ]
    rows += [(c.input_set, c.prediction.maps, c.prediction.segmentation) for c in cases]
    slice_index = _fullest_slice(first.reference_segmentation)
    background = _background(first.reference)[slice_index]
    figure = Figure(figsize=(13, 2.25 * len(rows) + 0.9), layout="constrained")
    # a last row for colour bars and legend keeps the pictures of all columns in line
    axes = figure.subplots(len(rows) + 1, 5, squeeze=False, height_ratios=[*[1.0] * len(rows), 0.06])
    used: set[int] = set()
    drawn = {}
    for (name, maps, labels), line in zip(rows, axes[:-1], strict=True):
        line[0].set_ylabel(name, fontsize=11)
        cartilage = labels.mask("cartilage")[slice_index]
        for column, quantity in enumerate(_SHOWN):
            described, image = QUANTITIES[quantity], maps.values[quantity][slice_index]
            limits = display_range(described, [image])
            # what a network says where it had nothing to learn from (T1rho of saturated fat) means nothing
            learned = np.where(first.reference.valid(quantity)[slice_index], image, np.nan)
            drawn[column] = show_map(line[column], learned, described, limits, maps.grid)
            show_gray(line[3 + column], background, maps.grid)
            inside = np.where(cartilage, image, np.nan)
            drawn[3 + column] = show_map(
                line[3 + column], inside, described, limits, maps.grid, see_through=True
            )
        show_gray(line[2], background, maps.grid)
        show_labels(line[2], labels.labels[slice_index], _colors(labels), maps.grid)
        used |= set(np.unique(labels.labels[slice_index]).tolist()) - {0}
    titles = ("T1 map", "T1rho map", "Segmentation", "T1 in cartilage", "T1rho in cartilage")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=11)
    for column, image in drawn.items():
        quantity = QUANTITIES[_SHOWN[column % 3]]
        bar = figure.colorbar(image, cax=axes[-1, column], orientation="horizontal")
        bar.set_label(unit_label(quantity))
    legend = [
        Patch(color=t.color, label=t.name.replace("_", " ")) for t in TISSUES.values() if t.label in used
    ]
    axes[-1, 2].set_axis_off()
    axes[-1, 2].legend(
        handles=legend, loc="upper center", bbox_to_anchor=(0.5, 1.2), fontsize=7, ncol=2, frameon=False
    )
    who = f"sub-{first.subject.name} ({first.subject.side} knee, {_grade(first)}), slice {slice_index + 1}"
    return Picture(
        "Figure 2. One slice: reference and predictions",
        f"{who}. The subject is the one with the median error, the slice the one with most cartilage. "
        "Sagittal, anterior on the left. Light gray: no value in the reference "
        "(T1rho: fat and air). Background of the labels: reference M0.",
        f"Maps of T1 and T1rho and cartilage labels of {who}: reference above, one row per input set below.",
        to_png(figure),
    )


def map_png(maps: MapSet, quantity: str, title: str = "", n_slices: int = 5) -> bytes:
    """PNG with slices of one map that are spread over the part that has values."""
    return volume_png(maps.values[quantity], QUANTITIES[quantity], maps.grid, title, n_slices)


def volume_png(
    volume: NDArray[np.floating], described: Quantity, grid: Grid, title: str = "", n_slices: int = 5
) -> bytes:
    """PNG with slices of a volume (z, y, x), shown as the quantity says."""
    chosen = spread_slices(volume, n_slices)
    limits = display_range(described, [volume])
    box = bounding_box(np.asarray(np.isfinite(volume).any(axis=0)), 2)
    height, width = _extent(box, grid)
    figure = Figure(figsize=(13, 12 / len(chosen) * height / width + 0.6), layout="constrained")
    axes = figure.subplots(1, len(chosen), squeeze=False)[0]
    beyond = "both" if limits[0] > 0 else "max"
    images = [
        show_map(axis, volume[index][box], described, limits, grid)
        for axis, index in zip(axes, chosen, strict=True)
    ]
    for axis, index in zip(axes, chosen, strict=True):
        axis.set_title(f"slice {index + 1}", fontsize=9)
    figure.colorbar(images[0], ax=axes, shrink=0.9, pad=0.01, extend=beyond).set_label(unit_label(described))
    if title:
        figure.suptitle(title, fontsize=11)
    return to_png(figure, n_colors=MAP_COLORS)


def spread_slices(volume: NDArray[np.floating], n_slices: int) -> list[int]:
    """Indices of slices at equal steps through the ones that have values; all slices where none has."""
    filled = np.flatnonzero(np.isfinite(volume).any(axis=(1, 2)))
    filled = filled if filled.size else np.arange(volume.shape[0])
    # the first and last slices of a knee show little
    steps = (np.arange(n_slices) + 0.5) / n_slices * filled.size
    return sorted({int(filled[int(step)]) for step in steps})


def _extent(box: tuple[slice, ...], grid: Grid) -> tuple[float, float]:
    size = [len(range(*part.indices(n))) for part, n in zip(box, grid.shape[1:], strict=True)]
    return size[0] * grid.voxel_size[1], size[1] * grid.voxel_size[2]


def _fullest_slice(labels: Segmentation) -> int:
    return int(np.argmax(labels.mask("cartilage").sum(axis=(1, 2))))


def _background(maps: MapSet) -> NDArray[np.float32]:
    return maps.values.get("M0", maps.values["T1"])


def _colors(labels: Segmentation) -> dict[int, str]:
    return {TISSUES[name].label: TISSUES[name].color for name in labels.tissues}


def _grade(case: ReportCase) -> str:
    grade = case.subject.kl_grade
    return "KL grade unknown" if grade is None else f"KL grade {grade}"
