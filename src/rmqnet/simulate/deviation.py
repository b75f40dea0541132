"""How a scan departs from the signal model of the fit: nothing in a matched cohort, much in a mismatched one.

Without such a cohort a study commits the inverse crime: data made by the very model that is fitted (PHYSICS 1.3).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.tissues import Tissue
from rmqnet.simulate.config import SimulateConfig

SPOKE_SPACING = (0.004, 0.006)
"""True time between read-outs [s], lowest and highest; the fit takes 5 ms: PHYSICS 1.3."""
PULSE_EFFICIENCY = (0.92, 1.0)
"""Part of the magnetization that the adiabatic pulses keep, when there are any: PHYSICS 1.3."""
TRANSFER_LOSS = (0.0, 0.06)
"""Part of the signal lost to magnetization transfer at 30 degrees, B1 1; goes with the square of the angle. Default."""
SHORT_PART = (0.1, 0.3)
"""Part of the water that decays with a short T1rho: default (T2 of cartilage: 41 %, PMC5711646)."""
SHORT_RATIO = 0.3
"""Short T1rho over long T1rho: default (T2 of cartilage: 8.3 over 45.4 ms, PMC5711646)."""
_TRANSFER_ANGLE = 30.0
_NO_TRANSFER = ("synovial_fluid",)
"""Water without macromolecules; fat has none either."""


@dataclass(frozen=True)
class Deviation:
    """What one scan does that the fit does not know of."""

    spoke_spacing: float | None = None
    """True time between read-outs after a preparation [s]; None: as in the protocol."""
    pulse_efficiency: float = 1.0
    """Part of the magnetization kept by the adiabatic pulses, where the spin-lock time is not 0."""
    transfer_loss: float = 0.0
    """Part of the signal lost to magnetization transfer at 30 degrees."""
    short_part: float = 0.0
    """Part of the water with a short T1rho."""

    def acquisition(self, planned: Acquisition) -> Acquisition:
        """The acquisition as it really happens."""
        if planned.method != "adiabatic_t1rho":
            return planned
        spacing = planned.spoke_spacing if self.spoke_spacing is None else self.spoke_spacing
        efficiency = planned.preparation_efficiency * (self.pulse_efficiency if planned.spin_lock_time else 1)
        return replace(planned, spoke_spacing=spacing, preparation_efficiency=efficiency)

    def effective_t1rho(self, t1rho: NDArray[np.float32], planned: Acquisition) -> NDArray[np.float32]:
        """The T1rho [s] of one exponential that has decayed as far as the two have at this spin-lock time.

        The mean of short and long time, weighted by their parts, is the T1rho of the truth.
        """
        time = planned.spin_lock_time
        if not self.short_part or not time:
            return t1rho
        long = t1rho / (1 - self.short_part * (1 - SHORT_RATIO))
        left = self.short_part * np.exp(-time / (SHORT_RATIO * long))
        left += (1 - self.short_part) * np.exp(-time / long)
        return (-time / np.log(left)).astype(np.float32)

    def transfer_factor(
        self, tissue: Tissue, planned: Acquisition, b1: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """What magnetization transfer leaves of the signal of a VFA or AFI image.

        In spin-lock images the pulses of the preparation rule: their loss is part of `pulse_efficiency`.
        """
        affected = planned.method in ("vfa", "afi") and not tissue.fat and tissue.name not in _NO_TRANSFER
        if not self.transfer_loss or not affected:
            return np.ones(1, np.float32)
        angle = np.float32((planned.flip_angle or 0.0) / _TRANSFER_ANGLE) * b1
        if planned.method == "afi":
            # pulses of an AFI pair follow each other three times as slowly as those of a VFA image
            angle *= np.float32(np.sqrt(1 / 3))
        return (1 - self.transfer_loss * angle * angle).astype(np.float32)


def draw_deviation(config: SimulateConfig, rng: np.random.Generator) -> Deviation:
    """The deviation of one subject; none in a matched cohort."""
    if config.version == "matched":
        return Deviation()
    return Deviation(
        spoke_spacing=float(rng.uniform(*SPOKE_SPACING)),
        pulse_efficiency=float(rng.uniform(*PULSE_EFFICIENCY)),
        transfer_loss=float(rng.uniform(*TRANSFER_LOSS)),
        short_part=float(rng.uniform(*SHORT_PART)),
    )
