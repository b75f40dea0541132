"""Volumes as the viewer of a page takes them: whole numbers in as few bytes as their precision needs."""

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.quantities import Quantity
from rmqnet.report.figures import color_map, display_range

FIRST_VALUE = 16
"""Codes below this are reasons for no value; a default that leaves room for new reasons."""
LARGEST_CODE = 65535
SIGNAL_STEPS = 8190
"""Steps from zero to the brightest kept signal of a series: far below the noise of an image; a default."""
SD_STEP = 0.02
"""Step between the logarithms of standard deviations, which keeps them to one percent: two digits are shown."""
SD_SHARE = 0.1
"""The colours of a standard deviation end at this part of the range of its quantity; a default."""


@dataclass(frozen=True)
class Layer:
    """One volume of the viewer: value = low + step * (code - FIRST_VALUE), or the exponential of that."""

    key: str
    title: str
    unit: str
    low: float
    step: float
    logarithmic: bool
    digits: int
    """Decimals that are shown; -1: two significant digits."""
    limits: tuple[float, float]
    """Ends of the colours, in the display unit."""
    colors: str
    """256 colours, 3 bytes each, as base64."""
    data: str
    """Codes (z, y, x), packed by `packed`."""

    @property
    def name(self) -> str:
        """The title up to its explanation."""
        return self.title.split(":", 1)[0]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything but the data."""
        return {
            name: getattr(self, name)
            for name in ("key", "title", "unit", "low", "step", "logarithmic", "digits", "limits", "colors")
        }


def packed(codes: NDArray[np.uint8] | NDArray[np.uint16]) -> str:
    """The numbers as base64 of gzip; of two-byte numbers first all low bytes, then all high bytes."""
    flat = codes.ravel()
    if flat.dtype == np.uint16:
        planes = (flat & 255).astype(np.uint8), (flat >> 8).astype(np.uint8)
        flat = np.concatenate(planes)
    # the hour of writing is kept out: equal maps give equal pages
    return base64.b64encode(gzip.compress(flat.tobytes(), compresslevel=6, mtime=0)).decode()


def shown_digits(limits: tuple[float, float]) -> int:
    """Decimals that split a colour range into about a thousand steps: none for 0 to 2000, one for 0 to 100."""
    return max(0, 3 - int(np.ceil(np.log10(limits[1] - limits[0]))))


def map_layer(maps: MapSet, described: Quantity, title: str) -> Layer:
    """A map, rounded to the digits that are shown; a voxel without a value keeps its reason."""
    name = described.name
    return volume_layer(name, maps.values[name], maps.reason[name], described, title)


def volume_layer(
    key: str,
    volume: NDArray[np.floating],
    reason: NDArray[np.uint8],
    described: Quantity,
    title: str,
) -> Layer:
    """A volume [house unit] in its display unit, rounded to the digits that are shown."""
    limits = display_range(described, [volume])
    digits = shown_digits(limits)
    values = volume.astype(np.float64) * described.display_factor
    known = np.isfinite(values)
    low, top = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 1.0)
    step = max(10.0**-digits, (top - low) / (LARGEST_CODE - FIRST_VALUE - 1))
    low = float(np.floor(low / step) * step)
    return Layer(
        key,
        title,
        described.display_unit,
        low,
        step,
        logarithmic=False,
        digits=digits,
        limits=limits,
        colors=_colors(described),
        data=packed(_codes((values - low) / step, known, reason)),
    )


def sd_layer(maps: MapSet, described: Quantity, title: str) -> Layer:
    """Standard deviation of a map, on a logarithmic scale."""
    name = described.name
    limits = display_range(described, [maps.values[name]])
    values = maps.sd[name].astype(np.float64) * described.display_factor
    known = np.isfinite(values) & (values > 0)
    logs = np.log(values, out=np.zeros_like(values), where=known)
    low = float(logs[known].min()) if known.any() else 0.0
    return Layer(
        f"{name}-sd",
        title,
        described.display_unit,
        low,
        SD_STEP,
        logarithmic=True,
        digits=-1,
        limits=(0.0, SD_SHARE * (limits[1] - limits[0])),
        colors=_colors(described),
        data=packed(_codes((logs - low) / SD_STEP, known, maps.reason[name])),
    )


def gray_codes(image: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The image (z, y, x) in 255 steps from 0 to its brightest thousandth."""
    known = image[np.isfinite(image)]
    top = float(np.percentile(known, 99.9)) if known.size else 1.0
    scaled = np.nan_to_num(image) / (top if top > 0 else 1.0)
    return (np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def signal_codes(signals: Sequence[NDArray[np.floating]]) -> tuple[NDArray[np.uint16], float]:
    """Codes (image, voxel) of the signals of a series and the step between two codes; LARGEST_CODE: no signal."""
    stack = np.stack(signals)
    known = np.isfinite(stack)
    top = float(stack[known].max()) if known.any() else 0.0
    step = top / SIGNAL_STEPS if top > 0 else 1.0
    codes = np.where(known, np.rint(np.nan_to_num(stack) / step), LARGEST_CODE)
    return np.clip(codes, 0, LARGEST_CODE).astype(np.uint16), step


def _codes(
    numbers: NDArray[np.float64], known: NDArray[np.bool_], reason: NDArray[np.uint8]
) -> NDArray[np.uint16]:
    # a voxel that should have a value and has none (no SD was found) counts as background
    without = np.where(reason == Reason.VALID, Reason.BACKGROUND, reason)
    values = FIRST_VALUE + np.rint(np.where(known, numbers, 0.0))
    return np.where(known, np.clip(values, 0, LARGEST_CODE), without).astype(np.uint16)


def _colors(described: Quantity) -> str:
    table = color_map(described)(np.arange(256), bytes=True)
    return base64.b64encode(np.asarray(table, np.uint8)[:, :3].tobytes()).decode()
