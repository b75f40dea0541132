"""The compiled Levenberg-Marquardt against scipy's least squares on noisy voxels."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.fit.voxels import fit_voxels
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import synthesize, torch_signal

N_VOXELS = 150
SNR = 50.0
"""Mean signal of cartilage at flip angle 10 over the standard deviation of the noise."""
IMAGES = {
    "vfa": FULL.acquisitions[:4],
    "adiabatic_t1rho": FULL.acquisitions[4:11],
    "afi": FULL.acquisitions[11:],
    "spin_lock": tuple(Acquisition("spin_lock", spin_lock_time=t) for t in (0.001, 0.010, 0.030, 0.060)),
}


@pytest.mark.parametrize("method", IMAGES)
def test_noisy_fits_end_in_the_minimum_that_scipy_finds(method: str) -> None:
    """Scipy starts from the truth, so that it can't share a wrong start with the code under test."""
    rng = np.random.default_rng(3)
    truth = {
        "M0": rng.uniform(0.5, 2.0, N_VOXELS),
        "T1": rng.uniform(0.4, 2.0, N_VOXELS),
        "B1": rng.uniform(0.8, 1.2, N_VOXELS),
        "T1rho": rng.uniform(0.010, 0.080, N_VOXELS),
    }
    images, model = IMAGES[method], SIGNAL_MODELS[method]
    sigma = float(synthesize([FULL.acquisitions[1]], truth).mean()) / SNR
    sigma *= 10 if method == "spin_lock" else 1  # its signals are not scaled by the sine of a flip angle
    signals = synthesize(images, truth).astype(float)
    signals += rng.normal(0, sigma, signals.shape)
    fitted = fit_voxels(signals, images, {name: truth[name] for name in model.given})
    low, high = QUANTITIES[model.free[1]].bounds
    rows = [
        {
            name: torch.tensor(float(x), dtype=torch.float64)
            for name, x in zip(model.settings, row, strict=True)
        }
        for row in model.settings_table(images)
    ]
    compared = 0
    for voxel in np.flatnonzero(fitted.reason == Reason.VALID):
        given = {name: torch.tensor(truth[name][voxel]) for name in model.given}

        def residual(logarithms: np.ndarray, voxel: int = voxel, given: dict = given) -> np.ndarray:
            free = dict(zip(model.free, torch.tensor(np.exp(logarithms)), strict=True))
            model_signals = [float(torch_signal(model.method)(**free, **given, **row)) for row in rows]
            return np.array(model_signals) - signals[:, voxel]

        start = np.log([truth[name][voxel] for name in model.free])
        found = least_squares(residual, start, method="lm", xtol=1e-13, ftol=1e-13, gtol=1e-13)
        values = np.exp(found.x)
        if not low < values[1] < high:
            continue
        ours = np.array([fitted.values[name][voxel] for name in model.free])
        np.testing.assert_allclose(ours, values, rtol=1e-5)
        expected = np.sqrt(2 * found.cost / len(images))
        # two AFI images are explained exactly by two unknowns: only rounding is left there
        assert fitted.residual[voxel] == pytest.approx(expected, rel=1e-6, abs=1e-9)
        compared += 1
    assert compared >= 0.97 * N_VOXELS


def test_the_spread_of_noisy_t1_is_the_cramer_rao_bound_of_the_physics_notes() -> None:
    """PHYSICS 7.1: at SNR 60 at flip angle 10 and T1 1 s, the four flip angles hold T1 to 39.8 ms, no better."""
    rng, n = np.random.default_rng(4), 20000
    truth = {"M0": np.ones(n), "T1": np.ones(n), "B1": np.ones(n)}
    signals = synthesize(IMAGES["vfa"], truth).astype(float)
    signals += rng.normal(0, signals[1, 0] / 60, signals.shape)
    result = fit_voxels(signals, IMAGES["vfa"], {"B1": truth["B1"]})
    assert (result.reason == Reason.VALID).all()
    assert result.values["T1"].std() == pytest.approx(0.0398, rel=0.03)
    assert result.values["T1"].mean() == pytest.approx(1.0, abs=0.004)


def test_the_spread_of_noisy_t1rho_is_the_cramer_rao_bound_of_the_physics_notes() -> None:
    """PHYSICS 7.1: 7 spin-lock times, T1 known, T1rho 40.5 ms: 1.62 ms at SNR 60."""
    rng, n = np.random.default_rng(5), 20000
    truth = {"M0": np.ones(n), "T1": np.ones(n), "B1": np.ones(n), "T1rho": np.full(n, 0.0405)}
    sigma = float(synthesize([FULL.acquisitions[1]], truth)[0, 0]) / 60
    signals = synthesize(IMAGES["adiabatic_t1rho"], truth).astype(float)
    signals += rng.normal(0, sigma, signals.shape)
    result = fit_voxels(signals, IMAGES["adiabatic_t1rho"], {"T1": truth["T1"], "B1": truth["B1"]})
    assert (result.reason == Reason.VALID).all()
    assert result.values["T1rho"].std() == pytest.approx(0.00162, rel=0.03)
