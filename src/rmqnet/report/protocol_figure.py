"""Standard deviation against scan time: the best protocols as lines, the paper's input sets as points."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from rmqnet.domain.protocols import InputSet
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.report.figures import Picture, to_png
from rmqnet.report.lookup import unit_of

_STYLES = {
    "known": ("#1f5f8b", "-", "o", "f known"),
    "of pulses unknown": ("#d0701c", "--", "^", "f of the pulses unknown"),
}
_QUANTITIES = ("T1", "T1rho")


class Bound(Protocol):
    """Standard deviation of one quantity of one tissue by one kind of fit."""

    @property
    def input_set(self) -> str: ...  # noqa: D102
    @property
    def tissue(self) -> str: ...  # noqa: D102
    @property
    def quantity(self) -> str: ...  # noqa: D102
    @property
    def fit(self) -> str: ...  # noqa: D102
    @property
    def efficiency(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> float:
        """True value [s]."""
        ...

    @property
    def sd(self) -> float:
        """Standard deviation [s]; infinite where not identifiable."""
        ...


class Curve(Protocol):
    """Best precision of a quantity by scan time."""

    @property
    def efficiency(self) -> str: ...  # noqa: D102
    @property
    def minutes(self) -> Sequence[float]:
        """Scan time of each protocol [min], rising."""
        ...

    @property
    def bounds(self) -> Sequence[Sequence[Bound]]:
        """Precision of every tissue and quantity, by protocol."""
        ...


def minutes_picture(
    curves: Sequence[Curve],
    bounds: Sequence[Bound],
    input_sets: Sequence[InputSet],
    fit: str,
    *,
    count_afi: bool,
) -> Picture:
    """One panel per tissue and quantity; points of input sets that do not determine the quantity are named below."""
    tissues = list(dict.fromkeys(bound.tissue for bound in bounds))
    minutes = {inputs.name: inputs.seconds(with_afi=count_afi) / 60 for inputs in input_sets}
    points = [b for b in bounds if b.fit == fit]
    figure = Figure(figsize=(1.6 + 3.3 * max(len(tissues), 1.5), 6.8), layout="constrained")
    panels = figure.subplots(2, len(tissues), squeeze=False, sharex=True)
    for row, quantity in zip(panels, _QUANTITIES, strict=True):
        for axis, tissue in zip(row, tissues, strict=True):
            for curve in curves:
                _draw_curve(axis, curve, tissue, quantity)
            own = [b for b in points if (b.tissue, b.quantity) == (tissue, quantity)]
            _draw_points(axis, own, minutes)
            _tidy(axis)
            axis.set_title(f"{quantity}, {tissue.replace('_', ' ')}", fontsize=10)
        row[0].set_ylabel(f"SD of {quantity} [{unit_of(quantity)}]")
    for axis in panels[1]:
        axis.set_xlabel(f"scan time {'with' if count_afi else 'without'} AFI [min]")
    handles, labels = panels[0][0].get_legend_handles_labels()
    n_columns = 4 if len(tissues) > 3 else 2
    figure.legend(handles, labels, loc="outside lower center", ncol=n_columns, frameon=False)
    missing = [
        name
        for name in dict.fromkeys(b.input_set for b in points)
        if not any(np.isfinite(b.sd) for b in points if b.input_set == name)
    ]
    absent = f" Not identifiable at all by this fit: {', '.join(missing)}." if missing else ""
    return Picture(
        "Standard deviation against scan time",
        f"Smallest SD by a {fit} fit. Lines: the best protocol for each scan time, over all tissues together, for f "
        f"known and f of the pulses unknown. Dots and triangles: the input sets of the paper; stars: the best for the "
        f"time that was asked for.{absent}",
        f"SD of T1 and T1rho falls with scan time for {', '.join(tissues)}; unknown f raises that of T1rho.{absent}",
        to_png(figure),
    )


def _draw_curve(axis: Axes, curve: Curve, tissue: str, quantity: str) -> None:
    color, line, _, words = _STYLES[curve.efficiency]
    sds = [
        next(b.sd for b in bounds if (b.tissue, b.quantity) == (tissue, quantity)) for bounds in curve.bounds
    ]
    scaled = np.array(sds) * QUANTITIES[quantity].display_factor
    label = f"best for the time, {words}"
    axis.plot(curve.minutes, scaled, line, color=color, linewidth=1.3, marker=".", markersize=4, label=label)


def _draw_points(axis: Axes, bounds: Sequence[Bound], minutes: dict[str, float]) -> None:
    for efficiency, (color, _, marker, words) in _STYLES.items():
        finite = [b for b in bounds if b.efficiency == efficiency and np.isfinite(b.sd)]
        for found in (False, True):
            own = [b for b in finite if b.input_set.startswith("best") == found]
            if found:
                own = [b for b in own if b.input_set.endswith(f", f {efficiency.removeprefix('of pulses ')}")]
            x = [minutes[b.input_set] for b in own]
            y = [b.sd * QUANTITIES[b.quantity].display_factor for b in own]
            label = None if found else f"paper's input sets, {words}"
            shape, size = ("*", 12) if found else (marker, 6)
            axis.plot(x, y, shape, color=color, markersize=size, label=label, zorder=4)
            if not found and efficiency == "known":
                _name(axis, own, x, y)


def _name(axis: Axes, bounds: Sequence[Bound], x: Sequence[float], y: Sequence[float]) -> None:
    """Write the names of the input sets above their points."""
    halo = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
    for bound, *place in zip(bounds, x, y, strict=True):
        axis.annotate(
            bound.input_set,
            (place[0], place[1]),
            (0, 8),
            textcoords="offset points",
            fontsize=7.5,
            ha="center",
            bbox=halo,
            zorder=3,  # above the lines, below the points
        )


def _tidy(axis: Axes) -> None:
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(10, subs=(1, 1.5, 2, 3, 4, 5, 6, 8)))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8, labelbottom=True)
    axis.margins(x=0.1, y=0.16)
    axis.grid(visible=True, which="major", color="#eceff2", linewidth=0.7)
