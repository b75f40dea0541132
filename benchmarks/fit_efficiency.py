"""Standard deviation of estimates over the smallest possible one, for cartilage at SNR 50 (two components: 500).

With true T1 and B1 that is the Cramer-Rao bound. With fitted ones (`_fitted`: B1 of every voxel from its own AFI pair,
as noisy as the other images and not smoothed, and T1 from VFA with that B1) it is the SD of a chain of three fits that
each reach their bound. Plain decays need neither; their `_fitted` value is the same. SNR: signal of cartilage at flip
angle 10 over the noise; of plain decays, signal at spin-lock time 0 over the noise.
"""

import argparse
import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL, SPIN_LOCK_TIMES, vfa
from rmqnet.domain.tissues import TISSUES
from rmqnet.fit.b1 import closed_form
from rmqnet.fit.problem import single
from rmqnet.fit.voxels import fit_voxels
from rmqnet.physics.bounds import (
    Step,
    noise_free_signals,
    sequential_standard_deviations,
    standard_deviations,
)
from rmqnet.physics.models import SIGNAL_MODELS

N_VOXELS = 100_000
"""Noisy voxels: their spread is then known to 0.2 %."""
CARTILAGE = TISSUES["femoral_cartilage"]
TISSUE = {
    "M0": 1.0,
    "T1": CARTILAGE.T1,
    "B1": 1.0,
    "T1rho": CARTILAGE.T1rho,
    "offset": 0.1,
    "stretching_exponent": 0.9,
    "T1rho_short": 0.010,
    "T1rho_long": 0.060,
    "short_fraction": 0.4,
}
VFA, MULTISPOKE, AFI = FULL.acquisitions[:4], FULL.acquisitions[4:11], FULL.acquisitions[11:]
DECAYS = tuple(Acquisition("spin_lock", spin_lock_time=time) for time in SPIN_LOCK_TIMES)
SIGNAL = float(noise_free_signals({"vfa": [vfa(10.0)]}, TISSUE)[0])

CASES = {
    "mono_t1rho": ("spin_lock", DECAYS, ("T1rho",), 1 / 50),
    "offset_t1rho": ("mono_exponential_offset", DECAYS, ("T1rho",), 1 / 50),
    "stretched_t1rho": ("stretched_exponential", DECAYS, ("T1rho",), 1 / 50),
    "biexp_t1rho_snr500": ("bi_exponential", DECAYS, ("T1rho_short", "T1rho_long"), 1 / 500),
    "vfa_t1": ("vfa", VFA, ("T1",), SIGNAL / 50),
    "multispoke_t1rho": ("adiabatic_t1rho", MULTISPOKE, ("T1rho",), SIGNAL / 50),
    "multispoke_stretched": ("multispoke_stretched", MULTISPOKE, ("T1rho",), SIGNAL / 50),
    "multispoke_biexp_snr500": (
        "multispoke_bi_exponential",
        MULTISPOKE,
        ("T1rho_short", "T1rho_long"),
        SIGNAL / 500,
    ),
}
"""Model, images, quantities (the worse one counts) and noise by key."""
REPORTED = (
    "vfa_t1",
    "multispoke_t1rho",
    "mono_t1rho",
    "offset_t1rho",
    "stretched_t1rho",
    "biexp_t1rho_snr500",
)
"""Keys of the result; the others are printed only."""

Given = dict[str, NDArray[np.float64]]


def noisy(
    model: str, images: tuple[Acquisition, ...], noise: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Signals (contrast, voxel) of one tissue."""
    clean = noise_free_signals({model: images}, TISSUE)
    return clean[:, None] + rng.normal(0, noise, (len(clean), N_VOXELS))


def spread(
    model: str, images: tuple[Acquisition, ...], noise: float, given: Given, seed: int
) -> dict[str, float]:
    """SD of each estimate over the voxels that were fitted, and their part."""
    rng = np.random.default_rng(seed)
    result = fit_voxels(single(images, model), noisy(model, images, noise, rng), given, noise=noise)
    found = {name: float(np.nanstd(values)) for name, values in result.values.items()}
    return {**found, "fitted": float((result.reason == Reason.VALID).mean())}


def fitted_given(noise: float, rng: np.random.Generator) -> Given:
    """T1 and B1 of every voxel from its own noisy images."""
    short, long = noisy("afi", AFI, noise, rng)
    B1 = closed_form(short, long, AFI[0])[0].astype(np.float64)
    T1 = fit_voxels(single(VFA), noisy("vfa", VFA, noise, rng), {"B1": B1}, noise=noise).values["T1"]
    return {"T1": T1, "B1": B1}


def chain_bound(model: str, images: tuple[Acquisition, ...], noise: float) -> Mapping[str, float]:
    """SD of the last of three fits that each reach their bound, by quantity."""
    steps = [Step({"afi": AFI}, ("M0", "B1"))]
    if model != "vfa":
        steps.append(Step({"vfa": VFA}, ("M0", "T1")))
    return sequential_standard_deviations(
        [*steps, Step({model: images}, SIGNAL_MODELS[model].free)], TISSUE, noise
    )


def efficiency(key: str) -> tuple[float, float]:
    """SD over the bound with true, and over that of the chain with fitted T1 and B1."""
    model, images, quantities, noise = CASES[key]
    row = SIGNAL_MODELS[model]
    true = {name: np.full(N_VOXELS, TISSUE[name]) for name in row.given}
    bound = standard_deviations({model: images}, TISSUE, noise, free=row.free)
    found = spread(model, images, noise, true, 1)
    ratios = [max(found[name] / bound[name] for name in quantities)]
    texts = [f"{name} {found[name]:.3g} s, bound {bound[name]:.3g} s" for name in quantities]
    print(f"{key}: {ratios[0]:.3f} ({'; '.join(texts)}; {found['fitted']:.2%} fitted)")
    if not row.given:
        return ratios[0], ratios[0]
    values = fitted_given(noise, np.random.default_rng(2))
    found = spread(model, images, noise, {name: values[name] for name in row.given}, 1)
    chain = chain_bound(model, images, noise)
    ratios.append(max(found[name] / chain[name] for name in quantities))
    texts = [f"{name} {found[name]:.3g} s, chain {chain[name]:.3g} s" for name in quantities]
    print(f"{key}_fitted: {ratios[1]:.3f} ({'; '.join(texts)}; {found['fitted']:.2%} fitted)")
    return ratios[0], ratios[1]


def main() -> None:
    argparse.ArgumentParser(description="Spread of fits over the smallest possible one.").parse_args()
    ratios = {key: efficiency(key) for key in CASES}
    true = {key: round(ratios[key][0], 3) for key in REPORTED}
    print(json.dumps(true | {f"{key}_fitted": round(ratios[key][1], 3) for key in REPORTED}))


if __name__ == "__main__":
    main()
