"""The compiled Levenberg-Marquardt against scipy on noisy voxels, of every model."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import sympy
from model_cases import IMAGES, Values, draw, exact_signals, given_of
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize
from scipy.special import i0e, i1e

from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.fit.problem import single
from rmqnet.fit.voxels import fit_voxels
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import synthesize

N_VOXELS = 1000
"""Voxels of each of the ten models."""
TISSUE = {
    "M0": (0.5, 2.0),
    "T1": (0.4, 2.0),
    "B1": (0.8, 1.2),
    "T2": (0.001, 0.05),
    "T1rho": (0.010, 0.080),
    "offset": (-0.05, 0.4),
    "stretching_exponent": (0.6, 1.1),
    "T1rho_short": (0.002, 0.012),
    "T1rho_long": (0.040, 0.100),
    "short_fraction": (0.2, 0.8),
}
SNR = {"bi_exponential": 500.0, "multispoke_bi_exponential": 500.0}
"""Mean signal of cartilage at flip angle 10 over the standard deviation of the noise, where it is not 50: two
components can't be told apart at 50, and each program then stops elsewhere in the same flat valley."""


def noisy(
    name: str, rng: np.random.Generator, n: int, snr: float
) -> tuple[Values, NDArray[np.float64], float]:
    """Truth, signals and the standard deviation of their noise."""
    truth = draw(rng, n, TISSUE)
    cartilage = {"M0": np.ones(1), "T1": np.ones(1), "B1": np.ones(1)}
    sigma = float(exact_signals("vfa", [FULL.acquisitions[1]], cartilage)[0, 0]) / snr
    # plain decays are not scaled by the sine of a flip angle
    sigma *= 1 if "B1" in SIGNAL_MODELS[name].given or name == "afi" else 10
    signals = exact_signals(name, IMAGES[name], truth)
    return truth, signals + rng.normal(0, sigma, signals.shape), sigma


@cache
def numpy_function(name: str) -> Callable[..., list[NDArray[np.float64]]]:
    """Signal and slopes of the equation by numpy, of free and given quantities and settings in this order."""
    model = SIGNAL_MODELS[name]
    symbols = {str(symbol): symbol for symbol in model.equation.free_symbols}
    wanted = [model.equation, *(sympy.diff(model.equation, symbols[key]) for key in model.free)]
    roots = {
        "cos_sqrt": lambda x: np.cos(np.emath.sqrt(x)).real,
        "sinc_sqrt": lambda x: np.sinc(np.emath.sqrt(x) / np.pi).real,
    }
    arguments = [symbols[key] for key in (*model.free, *model.given, *model.settings)]
    return sympy.lambdify(arguments, wanted, modules=[roots, "numpy"], cse=True)


class Voxel:
    """One voxel for scipy: searched by logarithms, as signed quantities are not."""

    def __init__(self, name: str, values: Values, voxel: int) -> None:
        model, self.function = SIGNAL_MODELS[name], numpy_function(name)
        self.signed = np.array([key in model.signed for key in model.free])
        self.rest = [float(values[key][voxel]) for key in model.given]
        self.rest += list(model.settings_table(IMAGES[name]).T)
        self.start = self.inverse(np.array([values[key][voxel] for key in model.free]))

    def inverse(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(self.signed, values, np.log(np.where(self.signed, 1.0, values)))

    def values(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(self.signed, x, np.exp(np.where(self.signed, 0.0, x)))

    def signal(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signals (contrast,)."""
        return self._all(x)[0]

    def jacobian(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivatives (contrast, free) after x."""
        scale = np.where(self.signed, 1.0, self.values(x))
        return self._all(x)[1:].T * scale

    def _all(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array(np.broadcast_arrays(*self.function(*self.values(x), *self.rest)))


@pytest.mark.parametrize("name", SIGNAL_MODELS)
def test_noisy_fits_end_in_the_minimum_that_scipy_finds(name: str) -> None:
    """Scipy starts from the truth, so that it can't share a wrong start with the code under test."""
    model = SIGNAL_MODELS[name]
    truth, signals, _ = noisy(name, np.random.default_rng(3), N_VOXELS, SNR.get(name, 50.0))
    fitted = fit_voxels(single(IMAGES[name], name), signals, given_of(name, truth))
    low, high = np.array([QUANTITIES[key].bounds for key in model.free]).T
    compared = 0
    for index in np.flatnonzero(fitted.reason == Reason.VALID):
        voxel, measured = Voxel(name, truth, index), signals[:, index]
        found = least_squares(
            lambda x, v=voxel, m=measured: v.signal(x) - m, voxel.start, voxel.jacobian, method="lm",
            xtol=1e-14, ftol=1e-15, gtol=1e-15,
        )  # fmt: skip
        values = voxel.values(found.x)
        if not ((low < values) & (values < high)).all():
            continue
        ours = np.array([fitted.values[key][index] for key in model.free])
        np.testing.assert_allclose(
            ours, values, rtol=1e-6, atol=1e-6 * voxel.signed.any(), err_msg=str(index)
        )
        expected = np.sqrt(2 * found.cost / len(measured))
        # two AFI images are explained exactly by two unknowns: only rounding is left there
        assert fitted.residual[index] == pytest.approx(expected, rel=1e-6, abs=1e-9)
        compared += 1
    assert compared >= 0.97 * N_VOXELS


@pytest.mark.parametrize("name", ["vfa", "adiabatic_t1rho", "spin_lock"])
def test_rician_fits_end_in_the_largest_likelihood_that_scipy_finds(name: str) -> None:
    truth, signals, sigma = noisy(name, np.random.default_rng(6), 40, 10.0)
    magnitudes = np.hypot(signals, np.random.default_rng(7).normal(0, sigma, signals.shape))
    fitted = fit_voxels(
        single(IMAGES[name]), magnitudes, given_of(name, truth), noise=sigma, likelihood="rician"
    )
    compared = 0
    for index in np.flatnonzero(fitted.reason == Reason.VALID):
        voxel, measured = Voxel(name, truth, index), magnitudes[:, index] / sigma

        def cost(x: NDArray, v: Voxel = voxel, m: NDArray = measured) -> float:
            """Half the deviance of the Rice distribution, but for a constant."""
            signal = v.signal(x) / sigma
            return float(((m - signal) ** 2 / 2 - np.log(i0e(m * signal))).sum())

        def slope(x: NDArray, v: Voxel = voxel, m: NDArray = measured) -> NDArray:
            signal = v.signal(x) / sigma
            ratio = i1e(m * signal) / i0e(m * signal)
            return (signal - m * ratio) @ v.jacobian(x) / sigma

        found = minimize(cost, voxel.start, jac=slope, method="BFGS", options={"gtol": 1e-9})
        ours = np.array([fitted.values[key][index] for key in SIGNAL_MODELS[name].free])
        assert cost(voxel.inverse(ours)) <= found.fun + 1e-9
        np.testing.assert_allclose(ours, voxel.values(found.x), rtol=1e-5)
        compared += 1
    assert compared >= 34


def test_the_spread_of_noisy_t1_is_the_cramer_rao_bound_of_the_physics_notes() -> None:
    """PHYSICS 7.1: at SNR 60 at flip angle 10 and T1 1 s, the four flip angles hold T1 to 39.8 ms, no better."""
    rng, n = np.random.default_rng(4), 20000
    truth = {"M0": np.ones(n), "T1": np.ones(n), "B1": np.ones(n)}
    signals = synthesize(IMAGES["vfa"], truth).astype(float)
    signals += rng.normal(0, signals[1, 0] / 60, signals.shape)
    result = fit_voxels(single(IMAGES["vfa"]), signals, {"B1": truth["B1"]})
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
    result = fit_voxels(single(IMAGES["adiabatic_t1rho"]), signals, {"T1": truth["T1"], "B1": truth["B1"]})
    assert (result.reason == Reason.VALID).all()
    assert result.values["T1rho"].std() == pytest.approx(0.00162, rel=0.03)
