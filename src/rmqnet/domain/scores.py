"""The one row type of every table of results."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["roi", "voxel", "volume"]
Against = Literal["reference", "truth"]


@dataclass(frozen=True)
class Score:
    """One number about one method, with its interval."""

    subject: str
    """Subject name, or "all" for pooled values."""
    group: str
    """Kellgren-Lawrence group, or "all"."""
    input_set: str
    """What the maps were made from, for example "1FA+1TSL"."""
    quantity: str
    """Quantity of the value; "" for scores of a segmentation."""
    tissue: str
    """Tissue or union of tissues."""
    level: Level
    """roi: one mean per slice; voxel: single voxels; volume: whole regions."""
    against: Against
    """reference: fitted from the full data; truth: simulated."""
    metric: str
    """Name of the number, for example "pearson_r"."""
    value: float
    """In house units."""
    low: float = float("nan")
    """Lower end of the 95 % interval; NaN where none was computed."""
    high: float = float("nan")
    """Upper end of the 95 % interval."""
    count: int = 0
    """Number of slices or voxels behind the value."""
