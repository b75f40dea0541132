"""Bias of T1 and T1rho in cartilage at SNR 50 and 20, by the Rician and the Gaussian likelihood on magnitude images.

Bias: mean over voxels of the estimate over the truth, less 1; T1rho with the T1 fitted from the same voxel's VFA
images, B1 true. SNR: mean signal of cartilage at flip angle 10 over the noise. Also printed: what a preparation
efficiency below the stated 1 does to T1rho, fitted alone and together with VFA.
"""

import argparse
import itertools
import json
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.protocols import FULL, INPUT_SETS, vfa
from rmqnet.domain.tissues import TISSUES
from rmqnet.fit.problem import FitProblem, Part, single
from rmqnet.fit.voxels import fit_voxels
from rmqnet.physics.bounds import noise_free_signals
from rmqnet.physics.models import SIGNAL_MODELS

N_VOXELS = 40_000
"""Noisy voxels per tissue: the mean of T1 at SNR 20 is then known to 0.06 %."""
T1_VALUES, T1RHO_VALUES, B1_VALUES = (0.8, 1.0, 1.2), (0.030, 0.040, 0.050), (0.9, 1.0, 1.1)
"""Values like those of cartilage, each with each."""
EFFICIENCIES = (0.90, 0.92, 0.94, 0.96, 0.98, 1.00)
VFA, MULTISPOKE = FULL.acquisitions[:4], FULL.acquisitions[4:11]
MEAN = {
    "M0": 1.0,
    "T1": TISSUES["femoral_cartilage"].T1,
    "B1": 1.0,
    "T1rho": TISSUES["femoral_cartilage"].T1rho,
}
SIGNAL = float(noise_free_signals({"vfa": [vfa(10.0)]}, MEAN)[0])

Likelihood = Literal["gaussian", "rician"]
Volume = NDArray[np.float64]


def magnitudes(images: tuple[Acquisition, ...], tissue: dict[str, float], noise: float, seed: int) -> Volume:
    """Magnitudes (contrast, voxel) of complex images with noise."""
    rng = np.random.default_rng(seed)
    clean = noise_free_signals({images[0].method: images}, tissue)[:, None]
    shape = (len(clean), N_VOXELS)
    return np.hypot(clean + rng.normal(0, noise, shape), rng.normal(0, noise, shape))


def biases(tissue: dict[str, float], noise: float, likelihood: Likelihood) -> dict[str, float]:
    """Bias [%] of the mean T1 and T1rho of one tissue."""
    B1 = np.full(N_VOXELS, tissue["B1"])
    options = {"noise": noise, "likelihood": likelihood}
    T1 = fit_voxels(single(VFA), magnitudes(VFA, tissue, noise, 1), {"B1": B1}, **options).values["T1"]
    signals = magnitudes(MULTISPOKE, tissue, noise, 2)
    T1rho = fit_voxels(single(MULTISPOKE), signals, {"T1": T1, "B1": B1}, **options).values["T1rho"]
    found = {"T1": T1, "T1rho": T1rho}
    return {name: float(100 * (np.nanmean(values) / tissue[name] - 1)) for name, values in found.items()}


def worst(snr: float, likelihood: Likelihood) -> float:
    """Largest bias [%] of T1 and T1rho over all tissues."""
    rows = []
    for T1, T1rho, B1 in itertools.product(T1_VALUES, T1RHO_VALUES, B1_VALUES):
        rows.append(biases({"M0": 1.0, "T1": T1, "T1rho": T1rho, "B1": B1}, SIGNAL / snr, likelihood))
    largest = {name: max((row[name] for row in rows), key=abs) for name in ("T1", "T1rho")}
    mean = {name: float(np.mean([row[name] for row in rows])) for name in largest}
    print(
        f"SNR {snr:g}, {likelihood}: "
        + "; ".join(f"{name} worst {largest[name]:+.2f} %, mean {mean[name]:+.2f} %" for name in largest)
    )
    return max(abs(bias) for bias in largest.values())


def efficiency_bias(name: str) -> None:
    """Prints the error of T1rho for images whose preparation keeps less than the fit takes for granted."""
    images = INPUT_SETS[name].acquisitions
    angles = tuple(image for image in images if image.method == "vfa")
    locks = tuple(image for image in images if image.method != "vfa")
    together = FitProblem((Part(SIGNAL_MODELS["vfa"], angles), Part(SIGNAL_MODELS["adiabatic_t1rho"], locks)))
    print(
        f"{name}: error of T1rho [%] by true preparation efficiency, where 1 is stated: alone, together, T1 of joint"
    )
    for efficiency in EFFICIENCIES:
        lossy = [replace(image, preparation_efficiency=efficiency) for image in locks]
        measured = noise_free_signals({"vfa": angles, "adiabatic_t1rho": lossy}, MEAN)[:, None]
        given = {key: np.array([MEAN[key]]) for key in ("T1", "B1")}
        alone = fit_voxels(single(locks), measured[len(angles) :], given).values["T1rho"][0]
        joint = fit_voxels(together, measured, given).values
        errors = (alone / MEAN["T1rho"], joint["T1rho"][0] / MEAN["T1rho"], joint["T1"][0] / MEAN["T1"])
        print(f"  {efficiency:.2f}: " + ", ".join(f"{100 * (error - 1):+.1f}" for error in errors))


def main() -> None:
    argparse.ArgumentParser(description="Bias of T1 and T1rho at low SNR.").parse_args()
    for name in ("4FA+7TSL", "2FA+3TSL", "1FA+2TSL"):
        efficiency_bias(name)
    result = {}
    for snr in (50.0, 20.0):
        worst(snr, "gaussian")
        result[f"snr{snr:g}_percent"] = round(worst(snr, "rician"), 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
