"""How the noise of the images spreads through the chain of fits: B1 into T1, both into T1rho.

The error of a quantity is a sum of parts from independent sources: the noise of the images of its own fit, and what
the quantities given to that fit bring with them. Each part is kept with its sign, since an error of B1 reaches T1rho
on two ways, directly and through T1, which add up before they are squared.
"""

from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]


@dataclass(eq=False)
class Spread:
    """Parts of the errors of all quantities so far."""

    parts: dict[str, dict[str, Volume]] = field(default_factory=dict)
    """Signed standard deviation (z, y, x) of each quantity by source; sources are named after quantities."""

    def add(self, quantity: str, own: Volume, gains: dict[str, Volume], inside: NDArray[np.bool_]) -> None:
        """A quantity fitted in the voxels inside: its own spread, and its change per change of each given quantity.

        Elsewhere an earlier fit of the quantity stays.
        """
        found = {quantity: own}
        for given, gain in gains.items():
            for source, part in self.parts.get(given, {}).items():
                found[source] = found[source] + gain * part if source in found else gain * part
        earlier = self.parts.get(quantity, {})
        zero = np.zeros_like(own)
        self.parts[quantity] = {
            source: np.where(inside, found.get(source, zero), earlier.get(source, zero))
            for source in {**earlier, **found}
        }

    def sd(self, quantity: str) -> Volume:
        """Standard deviation (z, y, x) of a quantity by all sources."""
        # a voxel that says next to nothing has a huge value, whose square single precision does not hold
        return reduce(np.hypot, (np.abs(part) for part in self.parts[quantity].values()))
