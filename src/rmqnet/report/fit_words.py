"""What the page of a fit says in words: signal models, outcomes, and what M0 is."""

from collections.abc import Mapping

from rmqnet.domain.acquisition import Method
from rmqnet.domain.maps import Reason
from rmqnet.domain.quantities import QUANTITIES, Quantity
from rmqnet.domain.scan import Scan

METHOD_WORDS: Mapping[Method, str] = {
    "vfa": "VFA",
    "afi": "AFI",
    "adiabatic_t1rho": "adiabatic T1rho",
    "spin_lock": "spin-lock",
}
"""Method as shown to a person."""
MODEL_WORDS: Mapping[Method, str] = {
    "vfa": "spoiled gradient echo: M0 and T1 from several flip angles, corrected by B1",
    "afi": "actual flip angle: B1 from the ratio of two images of different repetition time",
    "adiabatic_t1rho": "multispoke adiabatic T1rho: several read-outs after each preparation, with T1 and B1 known",
    "spin_lock": "one exponential: the signal falls with the spin-lock time by T1rho",
}
"""Signal model of each method."""


def _searched(quantity: Quantity) -> str:
    low, high = (bound * quantity.display_factor for bound in quantity.bounds)
    return f"{quantity.name} {low:g} to {high:g} {quantity.display_unit}"


REASON_WORDS: Mapping[Reason, str] = {
    Reason.VALID: "the voxel has a value",
    Reason.BACKGROUND: "no tissue: the signal is not above the background",
    Reason.BAD_SIGNAL: "a signal is not a number, or all signals are zero",
    Reason.MISSING_GIVEN: "a map that this fit needs (B1 for T1; T1 and B1 for T1rho) has no value here",
    Reason.NOT_CONVERGED: "the fit did not settle within the allowed steps",
    Reason.AT_BOUND: "the fit ended on a border of its range: "
    + ", ".join(_searched(QUANTITIES[name]) for name in ("T1", "T1rho")),
    Reason.AFI_RATIO: "no flip angle explains the ratio of the two AFI signals",
    Reason.FAT: "dark under fat saturation and of short T1: fat or bone, or mixed with it",
    Reason.OTHER_MODEL: "another model, without this quantity, describes the voxel better",
}
"""Outcome of a voxel as a sentence."""

_PREDICTED: Mapping[Reason, str] = {
    Reason.BAD_SIGNAL: "a signal is not a number",
    Reason.AT_BOUND: "what the network says is outside the range that is possible: "
    + ", ".join(_searched(QUANTITIES[name]) for name in ("T1", "T1rho", "B1")),
}
"""Outcomes of a voxel that a network has in another way than a fit."""


def reason_words(*, predicted: bool) -> dict[Reason, str]:
    """Outcome of a voxel as a sentence, of a fit or of a prediction."""
    return {**REASON_WORDS, **(_PREDICTED if predicted else {})}


def map_words(name: str, scan: Scan) -> str:
    """Name of the map for a person; M0 without VFA images is no proton density."""
    if name == "M0" and "vfa" not in scan.series:
        return "signal at spin-lock time 0"
    return QUANTITIES[name].long_name
