"""What the page of one knee is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rmqnet.domain.acquisition import Method
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.provenance import Provenance
from rmqnet.domain.scan import Scan

LAST = ("B1", "M0")
"""Quantities that a reader looks at after the relaxation times."""


@dataclass(frozen=True, eq=False)
class Knee:
    """One subject, ready to be shown."""

    scan: Scan
    maps: MapSet
    origin: str
    """How the maps were made, one sentence."""
    regions: Segmentation | None = None
    """Drawn or predicted regions on the grid of the maps; None where there are none."""
    region_origin: str = ""
    """Who drew the regions, one sentence."""
    models: Mapping[Method, Sequence[str]] = field(default_factory=dict)
    """Names of the signal models that a curve may follow, by method; of one that is not named, its default model."""
    assumed: Mapping[str, float] = field(default_factory=dict)
    """Quantities that were taken as one value everywhere [house unit], T2 among them."""
    notes: Sequence[str] = ()
    """What was assumed or found; plain text."""
    flags: Sequence[str] = ()
    """Why all of it should be doubted, one sentence each; shown above everything else."""
    predicted: bool = False
    """True where a network made the maps; False where they were fitted."""
    simulated: bool = False
    """True where no person was scanned; the page then says so."""
    provenance: Provenance | None = None
    """What made the maps."""

    @property
    def quantities(self) -> list[str]:
        """The mapped quantities in the order of a reader: relaxation times first."""
        return [
            *sorted(name for name in self.maps.values if name not in LAST),
            *(name for name in LAST if name in self.maps.values),
        ]
