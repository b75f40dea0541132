"""Parts that all figures share: one look, fixed ranges, and PNG bytes that fit into a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import cmcrameri.cm  # noqa: F401  # its colour maps register themselves under cmc.<name>
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from PIL import Image

from rmqnet.domain.grid import Grid
from rmqnet.domain.quantities import QUANTITIES, Quantity

NO_VALUE = "#dcdfe3"
"""Colour of voxels without a value."""
DOTS_PER_INCH = 110


@dataclass(frozen=True)
class Picture:
    """A figure inside a page."""

    title: str
    caption: str
    alt: str
    """What a person who can't see the figure must know."""
    png: bytes

    @property
    def source(self) -> str:
        """The image as a data address, so that the page needs no other file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def to_png(figure: Figure, *, n_colors: int | None = None) -> bytes:
    """The figure as PNG; with a palette of so many colours, which makes a noisy map a third as large."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, facecolor="white", bbox_inches="tight")
    if n_colors is None:
        return buffer.getvalue()
    small = io.BytesIO()
    whole = Image.open(buffer).convert("RGB")
    whole.quantize(n_colors, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def unit_label(quantity: Quantity) -> str:
    """Name and unit for an axis, for example "T1 [ms]"."""
    return f"{quantity.name} [{quantity.display_unit}]"


def color_map(quantity: Quantity) -> Colormap:
    """Colour map of the quantity; voxels without a value are light gray."""
    return matplotlib.colormaps[quantity.colormap].with_extremes(bad=NO_VALUE)


def display_range(quantity: Quantity, volumes: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
    """Colour range in the display unit: fixed, or 0 to the 99th percentile where units are arbitrary."""
    if quantity.display_range is not None:
        return quantity.display_range
    known = np.concatenate([volume[np.isfinite(volume)].ravel() for volume in volumes])
    top = float(np.percentile(known, 99)) * quantity.display_factor if known.size else 1.0
    return 0.0, top if top > 0 else 1.0


def show_map(
    axes: Axes,
    image: NDArray[np.floating],
    quantity: Quantity,
    limits: tuple[float, float],
    grid: Grid,
    *,
    see_through: bool = False,
) -> AxesImage:
    """Draw one slice (y, x) in the display unit; voxels without a value are gray, or see-through."""
    colors = color_map(quantity)
    if see_through:
        colors = colors.with_extremes(bad=(0, 0, 0, 0))
    shown = np.ma.masked_invalid(image * quantity.display_factor)
    return _show(axes, shown, grid, cmap=colors, vmin=limits[0], vmax=limits[1])


def show_gray(axes: Axes, image: NDArray[np.floating], grid: Grid) -> AxesImage:
    """Draw one slice (y, x) as a gray background."""
    _, top = display_range(QUANTITIES["M0"], [image])
    return _show(axes, np.nan_to_num(image), grid, cmap="gray", vmin=0, vmax=1.2 * top)


def show_labels(axes: Axes, labels: NDArray[np.uint8], colors: dict[int, str], grid: Grid) -> None:
    """Draw labels (y, x) over what is there already."""
    layer = np.zeros((*labels.shape, 4))
    for label, color in colors.items():
        layer[labels == label] = to_rgba(color, 0.85)
    _show(axes, layer, grid)


def _show(axes: Axes, image: NDArray, grid: Grid, **style: object) -> AxesImage:
    _, y, x = grid.voxel_size
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes.imshow(image, aspect=y / x, interpolation="nearest", **style)  # pyright: ignore[reportArgumentType]
