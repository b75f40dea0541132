"""What a set of images can tell about a tissue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rmqnet.design.config import DesignConfig, FitKind
from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.protocols import INPUT_SETS, InputSet, vfa
from rmqnet.domain.tissues import TISSUES, members
from rmqnet.physics.bounds import (
    PULSE_EFFICIENCY,
    Step,
    by_method,
    noise_free_signals,
    sequential_standard_deviations,
    standard_deviations,
)

Efficiency = Literal["known", "of pulses unknown", "of all unknown"]
"""What is known of the preparation efficiency f: all, nothing where there are pulses (spin-lock time above 0), or
nothing for any image, those without pulses too (magnetization transfer, fat saturation)."""
NUISANCE: dict[Efficiency, tuple[str, ...]] = {
    "known": (),
    "of pulses unknown": (PULSE_EFFICIENCY,),
    "of all unknown": ("preparation_efficiency",),
}
"""Unknown that goes with each."""
REFERENCE_TISSUE = "cartilage"
"""Tissue that the signal-to-noise ratio is stated for."""
REFERENCE_FLIP_ANGLE = 10.0
"""Flip angle of the image that the signal-to-noise ratio is stated for [degree]."""


@dataclass(frozen=True)
class Precision:
    """Standard deviation of one quantity of one tissue by one kind of fit."""

    input_set: str
    """Name of the set of images."""
    tissue: str
    quantity: str
    """T1 or T1rho."""
    fit: FitKind
    efficiency: Efficiency
    """What the fit knows of the preparation efficiency."""
    value: float
    """True value [s]."""
    sd: float
    """Standard deviation [s]; infinite where the images do not determine the quantity."""


def tissue_values(name: str) -> dict[str, float]:
    """Quantities of a tissue, or the means over the tissues of a union; M0 is the proton density and B1 is 1."""
    tissues = [TISSUES[member] for member in members(name)]
    return {
        "M0": float(np.mean([tissue.density for tissue in tissues])),
        "T1": float(np.mean([tissue.T1 for tissue in tissues])),
        "B1": 1.0,
        "T1rho": float(np.mean([tissue.T1rho for tissue in tissues])),
    }


def noise_level(snr: float) -> float:
    """Noise of every image [M0 of fluid] at this signal-to-noise ratio of cartilage at flip angle 10 degrees."""
    image = {"vfa": [vfa(REFERENCE_FLIP_ANGLE)]}
    return float(noise_free_signals(image, tissue_values(REFERENCE_TISSUE))[0]) / snr


def precision(
    acquisitions: Sequence[Acquisition],
    tissue: dict[str, float],
    noise: float,
    fit: FitKind,
    efficiency: Efficiency = "known",
) -> dict[str, float]:
    """SD of T1 and T1rho [s] with B1 known; infinite where not identifiable."""
    parts = by_method([image for image in acquisitions if image.method != "afi"])
    unknown = NUISANCE[efficiency]
    if fit == "joint":
        return standard_deviations(parts, tissue, noise, free=("T1", "T1rho"), nuisance=("M0", *unknown))
    steps = [
        Step({"vfa": parts.get("vfa", [])}, ("M0", "T1")),
        Step({"adiabatic_t1rho": parts.get("adiabatic_t1rho", [])}, ("M0", "T1rho", *unknown)),
    ]
    found = sequential_standard_deviations(steps, tissue, noise)
    return {name: found[name] for name in ("T1", "T1rho")}


def assess(inputs: InputSet, config: DesignConfig) -> Iterator[Precision]:
    """Precision of T1 and T1rho for every tissue, kind of fit, and knowledge of f (known, and unknown for pulses)."""
    noise = noise_level(config.snr)
    for tissue in config.tissues:
        values = tissue_values(tissue)
        for fit in ("separate", "joint"):
            for efficiency in ("known", "of pulses unknown"):
                found = precision(inputs.acquisitions, values, noise, fit, efficiency)
                for quantity, sd in found.items():
                    yield Precision(inputs.name, tissue, quantity, fit, efficiency, values[quantity], sd)


ZERO_SETS: tuple[InputSet, ...] = (
    InputSet("12, 36, 72", (5.0, 30.0), (0.012, 0.036, 0.072)),
    InputSet("0, 36, 72", (5.0, 30.0), (0.0, 0.036, 0.072)),
    InputSet("12, 72", (5.0, 30.0), (0.012, 0.072)),
    InputSet("0, 36", (5.0, 30.0), (0.0, 0.036)),
)
"""The reduced sets of spin-lock times of the paper, each before one of as many images with spin-lock time 0."""


def worth_of_zero(config: DesignConfig) -> Iterator[Precision]:
    """Precision of T1rho of the first tissue with and without spin-lock time 0, for everything one may know of f.

    "separate" here takes T1 for known, so that only the spin-lock images count; the joint fit has 5 and 30 degrees.
    """
    noise, tissue = noise_level(config.snr), config.tissues[0]
    values = tissue_values(tissue)
    for inputs in ZERO_SETS:
        alone = by_method([image for image in inputs.acquisitions if image.method == "adiabatic_t1rho"])
        for efficiency, unknown in NUISANCE.items():
            sd = standard_deviations(alone, values, noise, free=("T1rho",), nuisance=("M0", *unknown))[
                "T1rho"
            ]
            yield Precision(inputs.name, tissue, "T1rho", "separate", efficiency, values["T1rho"], sd)
            sd = precision(inputs.acquisitions, values, noise, "joint", efficiency)["T1rho"]
            yield Precision(inputs.name, tissue, "T1rho", "joint", efficiency, values["T1rho"], sd)


def paper_pair() -> tuple[float, ...]:
    """The two flip angles of the paper's reduced set [degree]."""
    return INPUT_SETS["2FA+3TSL"].flip_angles
