"""Figures 3 to 6 in form: predicted against reference values, and learning curves."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.subject import GROUPS
from rmqnet.report.figures import Picture, to_png
from rmqnet.report.lookup import GROUP_NAMES, Lookup
from rmqnet.report.study import ReportEvaluation

_COLORS = dict(zip(GROUPS, ("#2b7bba", "#e08214", "#b2182b"), strict=True))
_UNKNOWN = "#555555"


def roi_picture(number: int, quantity: str, evaluation: ReportEvaluation) -> Picture:
    """Means of cartilage per slice, predicted against reference, one panel per input set."""
    lookup, described = Lookup(evaluation.scores), QUANTITIES[quantity]
    roi = evaluation.roi
    rows = roi.loc[(roi["region"] == "cartilage") & (roi["quantity"] == quantity)]
    rows = rows.dropna(subset=["reference", "predicted_own_mask"])
    both = rows[["reference", "predicted_own_mask"]].to_numpy() * described.display_factor
    limits = _limits(both)
    figure, panels = _panels(evaluation.input_sets)
    for name, axis in panels.items():
        own = rows.loc[rows["input_set"] == name]
        for group in [*GROUPS, None]:
            part = own.loc[own["group"] == group] if group else own.loc[own["group"].isna()]
            if part.empty:
                continue
            x, y = (part[c] * described.display_factor for c in ("reference", "predicted_own_mask"))
            color = _COLORS[group] if group else _UNKNOWN
            label = GROUP_NAMES[group] if group else "KL unknown"
            axis.scatter(x, y, s=14, alpha=0.65, color=color, linewidths=0, label=label)
        _lines(axis, limits, lookup, name, quantity, "roi")
        axis.set_ylabel("predicted, own mask [" + described.display_unit + "]")
        if own.empty:
            _say_empty(axis)
    figure.legend(*_legend(panels), loc="outside lower center", ncol=6, frameon=False)
    return Picture(
        f"Figure {number}. Mean {quantity} of cartilage per slice",
        "One point per slice: predicted map in the predicted mask against the reference map in the reader's "
        "mask. Dashed: identity; line: fit.",
        f"Scatter of predicted against reference {quantity} per slice for {', '.join(panels)}; "
        + _spoken(lookup, panels, quantity, "roi"),
        to_png(figure),
    )


def voxel_picture(number: int, quantity: str, evaluation: ReportEvaluation) -> Picture:
    """Density of voxels, predicted against reference, one panel per input set."""
    lookup, described = Lookup(evaluation.scores), QUANTITIES[quantity]
    densities = {d.input_set: d for d in evaluation.voxels if d.quantity == quantity}
    figure, panels = _panels(evaluation.input_sets)
    most = max((int(d.counts.max()) for d in densities.values()), default=1)
    image, beyond = None, 0
    for name, axis in panels.items():
        density = densities[name]
        edges = density.edges * described.display_factor
        counts = np.ma.masked_equal(density.counts.T, 0)
        image = axis.pcolormesh(edges, edges, counts, cmap="cividis", norm=LogNorm(1, max(most, 2)))
        _lines(axis, (float(edges[0]), float(edges[-1])), lookup, name, quantity, "voxel")
        axis.set_ylabel(f"predicted [{described.display_unit}]")
        score = lookup.find(name, quantity, "voxel", "pearson_r")
        beyond = max(beyond, (score.count if score else 0) - int(density.counts.sum()))
    if image is not None:
        figure.colorbar(image, ax=list(panels.values()), shrink=0.85, pad=0.01, label="voxels per bin")
    outside = f" Up to {beyond:,} voxels per panel lie outside the axes." if beyond else ""
    return Picture(
        f"Figure {number}. {quantity} of single cartilage voxels",
        "Voxels of the reader's cartilage where the reference and all predictions have a value: the same voxels "
        f"in every panel. Dashed: identity; line: fit.{outside}",
        f"Density of predicted against reference {quantity} of voxels for {', '.join(panels)}; "
        + _spoken(lookup, panels, quantity, "voxel"),
        to_png(figure),
    )


def curves_picture(curves: Mapping[str, pd.DataFrame]) -> Picture:
    """Losses by epoch; one row per input set, one panel per loss."""
    losses = {name: _losses(table) for name, table in curves.items()}
    n_columns = max(len(names) for names in losses.values())
    figure = Figure(figsize=(13, 2.4 * len(curves) + 0.5), layout="constrained")
    axes = figure.subplots(len(curves), n_columns, squeeze=False)
    for line, (input_set, table) in zip(axes, curves.items(), strict=True):
        for axis in line[len(losses[input_set]) :]:
            axis.set_axis_off()
        for axis, loss in zip(line, losses[input_set], strict=False):
            for split, part in table.groupby("split", sort=False):
                known = part.dropna(subset=[loss])
                axis.plot(known["epoch"], known[loss], label=str(split), linewidth=1.4)
            axis.set_title(f"{input_set}\n{loss}", fontsize=9)
            axis.set_xlabel("epoch", fontsize=8)
            _tidy(axis)
        line[0].legend(fontsize=8, frameon=False)
    return Picture(
        "Learning curves",
        "Losses by epoch on training and validation subjects.",
        f"Learning curves of the networks for {', '.join(curves)}.",
        to_png(figure),
    )


def _losses(table: pd.DataFrame) -> list[str]:
    numbers = table.select_dtypes("number").dropna(axis="columns", how="all")
    return [str(name) for name in numbers.columns if name != "epoch"]


def _panels(names: Sequence[str]) -> tuple[Figure, dict[str, Axes]]:
    per_row = 3 if len(names) in (5, 6) else min(len(names), 4)
    n_rows = -(-len(names) // per_row)
    width = {1: 4.6, 2: 8.6, 3: 11.4}.get(per_row, 13.5)
    figure = Figure(figsize=(width, 3.7 * n_rows), layout=ConstrainedLayoutEngine(h_pad=0.1))
    axes = list(figure.subplots(n_rows, per_row, squeeze=False).ravel())
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    return figure, dict(zip(names, axes, strict=False))


def _limits(values: np.ndarray) -> tuple[float, float]:
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    return low - margin, high + margin


def _lines(
    axis: Axes, limits: tuple[float, float], lookup: Lookup, name: str, quantity: str, level: str
) -> None:
    described = QUANTITIES[quantity]
    axis.plot(limits, limits, "--", color="#777777", linewidth=1)
    fit = lookup.line(name, quantity, level)
    if fit is not None:
        slope, intercept = fit
        ends = np.array(limits)
        axis.plot(ends, slope * ends + intercept * described.display_factor, color="#111111", linewidth=1.3)
    score = lookup.find(name, quantity, level, "pearson_r")
    r = "r not defined" if score is None or np.isnan(score.value) else f"r = {score.value:.3f}"
    axis.set_title(f"{name}   {r}", fontsize=10)
    axis.set_xlim(limits)
    axis.set_ylim(limits)
    axis.set_aspect("equal")
    axis.set_xlabel(f"reference {quantity} [{described.display_unit}]")
    _tidy(axis)


def _say_empty(axis: Axes) -> None:
    """Say why the panel has no points; its axis numbers would mean nothing."""
    axis.set_xticks([])
    axis.set_yticks([])
    for line in axis.get_lines():
        line.set_visible(False)
    text = "no cartilage was predicted\nin enough voxels"
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", fontsize=10)


def _tidy(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)


def _legend(panels: Mapping[str, Axes]) -> tuple[list, list[str]]:
    handles: dict[str, object] = {}
    for axis in panels.values():
        handles |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    return list(handles.values()), list(handles)


def _spoken(lookup: Lookup, panels: Mapping[str, Axes], quantity: str, level: str) -> str:
    found = {name: lookup.find(name, quantity, level, "pearson_r") for name in panels}
    return "r is " + ", ".join(f"{s.value:.3f} for {n}" for n, s in found.items() if s) + "."
