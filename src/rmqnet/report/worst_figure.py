"""The slices on which the networks were most wrong: failures are shown, not only counted."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from rmqnet.domain.boxes import bounding_box
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.report.figures import Picture, display_range, show_gray, show_map, to_png, unit_label
from rmqnet.report.study_results import WorstSlice

_SHOWN = ("T1", "T1rho")
_DIFFERENCE = {"T1": 500.0, "T1rho": 20.0}
"""Range of the pictures of differences, in the display unit [ms]."""
MARGIN = 12
"""Voxels around the cartilage that are shown."""


def worst_picture(worst: Sequence[WorstSlice]) -> Picture:
    """One row per slice: reference, prediction and their difference in the reader's cartilage, for T1 and T1rho."""
    figure = Figure(figsize=(13, 2.3 * len(worst) + 0.9), layout="constrained")
    axes = figure.subplots(len(worst) + 1, 6, squeeze=False, height_ratios=[*[1.0] * len(worst), 0.06])
    drawn = {}
    for one, line in zip(worst, axes[:-1], strict=True):
        case, z = one.case, one.slice_index
        regions, maps = case.reference_segmentation, case.prediction.maps
        cartilage = regions.mask("cartilage")[z]
        box = bounding_box(cartilage, MARGIN)
        background = case.reference.values["M0"][z][box]
        for number, quantity in enumerate(_SHOWN):
            described = QUANTITIES[quantity]
            reference, predicted = (m.values[quantity][z] for m in (case.reference, maps))
            limits = display_range(described, [reference])
            span = _DIFFERENCE[quantity]
            for column, image, between in (
                (0, reference, limits),
                (1, predicted, limits),
                (2, predicted - reference, (-span, span)),
            ):
                axis = line[3 * number + column]
                show_gray(axis, background, maps.grid)
                inside = np.where(cartilage, image, np.nan)[box]
                drawn[3 * number + column] = show_map(
                    axis, inside, described, between, maps.grid, see_through=True
                )
                if column == 2:
                    drawn[3 * number + column].set_cmap("RdBu_r")
        line[0].set_ylabel(
            f"sub-{case.subject.name}, slice {z + 1}\n{case.input_set}\nerror {100 * one.error:.0f} %",
            fontsize=8,
        )
    for number, quantity in enumerate(_SHOWN):
        for column, word in enumerate(("reference", "predicted", "difference")):
            axes[0, 3 * number + column].set_title(f"{quantity}, {word}", fontsize=10)
            bar = figure.colorbar(
                drawn[3 * number + column], cax=axes[-1, 3 * number + column], orientation="horizontal"
            )
            bar.set_label(unit_label(QUANTITIES[quantity]), fontsize=8)
    return Picture(
        "The worst slices",
        "Slices of the fresh people with the largest error: normalized L1 in the reader's cartilage, mean of "
        "T1 and T1rho, over the four input sets of the paper; each slice once, with the input set that did "
        "worst. Background: reference M0.",
        "Reference, prediction and difference of T1 and T1rho in the slices with the largest error.",
        to_png(figure),
    )
