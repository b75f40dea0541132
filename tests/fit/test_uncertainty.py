"""Standard deviations, correlation and the effect of given quantities, against the spread of many fits."""

from functools import cache

import numpy as np
import pytest
from model_cases import exact_signals, spin_locks
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL, SPIN_LOCK_TIMES, adiabatic_t1rho, vfa
from rmqnet.fit.problem import FitProblem, Part, single
from rmqnet.fit.voxels import VoxelFit, fit_voxels
from rmqnet.physics.bounds import by_method, noise_free_signals, standard_deviations
from rmqnet.physics.models import SIGNAL_MODELS

N_FITS = 20_000
"""Noisy fits of one voxel: their spread is then known to 0.5 %, and the test allows 2.5 % for it and the curvature."""
TISSUE = {"M0": 1.0, "T1": 1.0, "B1": 1.0, "T1rho": 0.0405}
SNR = 60.0
CARTILAGE_SIGNAL = float(noise_free_signals({"vfa": [vfa(10.0)]}, TISSUE)[0])
"""Signal at flip angle 10, over the noise of which SNR is defined."""


def joint(angles: tuple[float, ...], times: tuple[float, ...]) -> FitProblem:
    """VFA and multispoke images with one M0."""
    return FitProblem(
        (
            Part(SIGNAL_MODELS["vfa"], tuple(vfa(angle) for angle in angles)),
            Part(SIGNAL_MODELS["adiabatic_t1rho"], tuple(adiabatic_t1rho(time) for time in times)),
        )
    )


PROBLEMS = {
    "vfa": single(FULL.acquisitions[:4]),
    "multispoke": single(FULL.acquisitions[4:11]),
    "mono-exponential": single(spin_locks(SPIN_LOCK_TIMES)),
    "joint": joint((5.0, 10.0, 20.0, 30.0), SPIN_LOCK_TIMES),
    "joint 2FA+3TSL": joint((5.0, 30.0), (0.012, 0.036, 0.072)),
}


def sigma_of(problem: FitProblem) -> float:
    """Noise at SNR; plain decays are not scaled by the sine of a flip angle."""
    return (1.0 if problem.parts[0].model.name == "spin_lock" else CARTILAGE_SIGNAL) / SNR


def clean(problem: FitProblem, tissue: dict[str, float] = TISSUE) -> NDArray[np.float64]:
    """Signals (contrast, 1)."""
    values = {name: np.array([value]) for name, value in tissue.items()}
    return np.concatenate(
        [exact_signals(part.model.name, part.acquisitions, values) for part in problem.parts]
    )


def given_for(problem: FitProblem, n: int, **changed: float) -> dict[str, NDArray[np.float64]]:
    return {name: np.full(n, changed.get(name, TISSUE[name])) for name in problem.given}


@cache
def noisy_fits(name: str) -> VoxelFit:
    """Fits of one voxel with N_FITS draws of noise."""
    problem, rng = PROBLEMS[name], np.random.default_rng(11)
    signals = clean(problem) + rng.normal(0, sigma_of(problem), (len(problem.acquisitions), N_FITS))
    result = fit_voxels(problem, signals, given_for(problem, N_FITS), noise=sigma_of(problem))
    assert (result.reason == Reason.VALID).mean() > 0.999
    return result


@pytest.mark.parametrize("name", ["vfa", "multispoke", "mono-exponential", "joint"])
def test_the_standard_deviation_is_the_spread_of_many_noisy_fits(name: str) -> None:
    result = noisy_fits(name)
    for quantity in PROBLEMS[name].free:
        spread = np.nanstd(result.values[quantity])
        assert np.nanmedian(result.sd(quantity)) == pytest.approx(spread, rel=0.025), quantity


@pytest.mark.parametrize("name", ["vfa", "multispoke", "mono-exponential", "joint"])
def test_without_noise_the_standard_deviation_is_the_cramer_rao_bound(name: str) -> None:
    problem = PROBLEMS[name]
    result = fit_voxels(problem, clean(problem), given_for(problem, 1), noise=sigma_of(problem))
    bounds = standard_deviations(
        by_method(problem.acquisitions), TISSUE, sigma_of(problem), free=problem.free
    )
    for quantity in problem.free:
        assert result.sd(quantity)[0] == pytest.approx(bounds[quantity], rel=1e-5)


@pytest.mark.parametrize("name", ["vfa", "multispoke", "mono-exponential", "joint"])
def test_the_correlation_is_that_of_many_noisy_fits(name: str) -> None:
    result, free = noisy_fits(name), PROBLEMS[name].free
    for i, first in enumerate(free):
        for second in free[:i]:
            pair = np.stack([result.values[first], result.values[second]])
            expected = np.corrcoef(pair[:, np.isfinite(pair).all(axis=0)])[0, 1]
            found = np.nanmedian(result.correlation(first, second))
            assert found == pytest.approx(expected, abs=0.02)
            np.testing.assert_array_equal(
                result.correlation(second, first), result.correlation(first, second)
            )


def test_the_misfit_is_the_chi_square_of_the_images_less_the_unknowns() -> None:
    for name, problem in PROBLEMS.items():
        n_spare = len(problem.acquisitions) - len(problem.free)
        assert np.nanmean(noisy_fits(name).misfit) == pytest.approx(n_spare, rel=0.03), name


@pytest.mark.parametrize(
    ("name", "likelihood"),
    [
        ("vfa", "gaussian"),
        ("multispoke", "gaussian"),
        ("joint", "gaussian"),
        ("vfa", "rician"),
        ("multispoke", "rician"),
    ],
)
def test_the_gain_is_what_a_shifted_given_quantity_does_to_a_fit(name: str, likelihood) -> None:
    """By refits with the given quantity 0.01 % up and down, on exact signals."""
    problem = PROBLEMS[name]
    noise = 1e-4 * sigma_of(problem)
    options = {"noise": noise, "likelihood": likelihood}
    result = fit_voxels(problem, clean(problem), given_for(problem, 1), **options)
    for column, given in enumerate(problem.given):
        step = 1e-4 * TISSUE[given]
        ahead, behind = (
            fit_voxels(
                problem, clean(problem), given_for(problem, 1, **{given: TISSUE[given] + s}), **options
            )
            for s in (step, -step)
        )
        for row, quantity in enumerate(problem.free):
            change = (ahead.values[quantity][0] - behind.values[quantity][0]) / (2 * step)
            assert result.gain[row, column, 0] == pytest.approx(change, rel=1e-3), (quantity, given)


def test_noise_of_a_given_quantity_widens_the_fits_by_the_gain() -> None:
    """T1rho from a T1 that has noise of its own: variances add, that of T1 times the squared gain."""
    problem, rng, sd_t1 = PROBLEMS["multispoke"], np.random.default_rng(12), 0.04
    sigma = sigma_of(problem)
    signals = clean(problem) + rng.normal(0, sigma, (len(problem.acquisitions), N_FITS))
    given = given_for(problem, N_FITS) | {"T1": rng.normal(1.0, sd_t1, N_FITS)}
    result = fit_voxels(problem, signals, given, noise=sigma)
    row, column = problem.free.index("T1rho"), problem.given.index("T1")
    expected = np.hypot(result.sd("T1rho"), result.gain[row, column] * sd_t1)
    assert np.median(expected) == pytest.approx(np.nanstd(result.values["T1rho"]), rel=0.025)
    assert np.median(expected) > 1.05 * np.median(result.sd("T1rho"))


def test_a_joint_fit_halves_the_standard_deviation_of_t1rho_for_2fa_and_3tsl() -> None:
    """PHYSICS 7.1: 4.6 ms alone, 2.2 ms together, at SNR 60; the notes leave out the fat saturation: 0.3 ms."""
    together = noisy_fits("joint 2FA+3TSL").values
    images = PROBLEMS["joint 2FA+3TSL"].parts[1].acquisitions
    alone = spread_alone(images)
    assert np.nanstd(together["T1rho"]) == pytest.approx(0.0022, abs=0.0003)
    assert np.nanstd(together["T1rho"]) < 0.6 * alone


def spread_alone(images: tuple[Acquisition, ...]) -> float:
    problem = single(images)
    signals = clean(problem) + np.random.default_rng(13).normal(0, sigma_of(problem), (len(images), N_FITS))
    return float(np.nanstd(fit_voxels(problem, signals, given_for(problem, N_FITS)).values["T1rho"]))


def test_a_joint_fit_finds_t1_and_t1rho_from_1fa_and_2tsl() -> None:
    """Exact without noise; PHYSICS 7.1 gives 169 ms and 4.5 ms at SNR 60, taken here at 240 for the curvature."""
    problem = joint((30.0,), (0.012, 0.072))
    exact = fit_voxels(problem, clean(problem), given_for(problem, 1))
    for quantity in ("M0", "T1", "T1rho"):
        assert exact.values[quantity][0] == pytest.approx(TISSUE[quantity], rel=1e-6)
    sigma = sigma_of(problem) / 4
    signals = clean(problem) + np.random.default_rng(14).normal(0, sigma, (3, N_FITS))
    result = fit_voxels(problem, signals, given_for(problem, N_FITS), noise=sigma)
    assert (result.reason == Reason.VALID).mean() > 0.999
    for quantity, printed in (("T1", 0.169), ("T1rho", 0.0045)):
        spread = float(np.nanstd(result.values[quantity]))
        assert spread == pytest.approx(printed / 4, rel=0.06)
        assert np.nanmedian(result.sd(quantity)) == pytest.approx(spread, rel=0.03)
