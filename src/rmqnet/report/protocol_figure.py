"""Standard deviation against scan time: the best protocols as lines, the paper's input sets as points."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

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
    figure = Figure(figsize=(1.2 + 3.3 * len(tissues), 6.6), layout="constrained")
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
    figure.legend(handles, labels, loc="outside lower center", ncol=4, frameon=False)
    missing = [
        name
        for name in dict.fromkeys(b.input_set for b in points)
        if not any(np.isfinite(b.sd) for b in points if b.input_set == name)
    ]
    absent = f" Not identifiable at all by this fit: {', '.join(missing)}." if missing else ""
    return Picture(
        "Standard deviation against scan time",
        f"Smallest SD by a {fit} fit. Lines: the best protocol for each scan time, over all tissues together, for f "
        f"known and f of the pulses unknown. Points: the input sets of the paper and the best protocols found.{absent}",
        f"SD of T1 and T1rho falls with scan time for {', '.join(tissues)}; unknown f raises that of T1rho.{absent}",
        to_png(figure),
    )


def _draw_curve(axis: Axes, curve: Curve, tissue: str, quantity: str) -> None:
    color, line, _, words = _STYLES[curve.efficiency]
    sds = [
        next(b.sd for b in bounds if (b.tissue, b.quantity) == (tissue, quantity)) for bounds in curve.bounds
    ]
    scaled = np.array(sds) * QUANTITIES[quantity].display_factor
    axis.step(curve.minutes, scaled, line, where="post", color=color, linewidth=1.4, label=f"best, {words}")


def _draw_points(axis: Axes, bounds: Sequence[Bound], minutes: dict[str, float]) -> None:
    labeled: set[str] = set()
    for efficiency, (color, _, marker, words) in _STYLES.items():
        own = [b for b in bounds if b.efficiency == efficiency and np.isfinite(b.sd)]
        own = [
            b for b in own if not b.input_set.startswith("best") or b.input_set.endswith(f"f {efficiency}")
        ]
        x = [minutes[b.input_set] for b in own]
        y = [b.sd * QUANTITIES[b.quantity].display_factor for b in own]
        axis.plot(x, y, marker, color=color, markersize=6, alpha=0.85, label=f"input sets, {words}")
        for bound, place in zip(own, zip(x, y, strict=True), strict=True):
            if bound.input_set not in labeled:
                text = "best" if bound.input_set.startswith("best") else bound.input_set
                axis.annotate(text, place, (0, 7), textcoords="offset points", fontsize=7, ha="center")
                labeled.add(bound.input_set)


def _tidy(axis: Axes) -> None:
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(ScalarFormatter())
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8, labelbottom=True)
    axis.margins(x=0.08, y=0.12)
    axis.grid(visible=True, which="major", color="#eceff2", linewidth=0.7)
