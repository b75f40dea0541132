"""Voxels that can't be fitted: NaN with the reason, never an exception, and never a harmed neighbor."""

from typing import Literal

import numpy as np
import pytest
from model_cases import IMAGES, exact_signals
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import adiabatic_t1rho, afi_pair, vfa
from rmqnet.fit.b1 import closed_form
from rmqnet.fit.problem import FitProblem, Part, single
from rmqnet.fit.voxels import BLOCK, VoxelFit, fit_voxels
from rmqnet.physics.models import SIGNAL_MODELS

TISSUE = {
    "M0": 100.0,
    "T1": 1.0,
    "B1": 1.0,
    "T2": 0.01,
    "T1rho": 0.04,
    "offset": 0.1,
    "stretching_exponent": 0.8,
    "T1rho_short": 0.008,
    "T1rho_long": 0.06,
    "short_fraction": 0.4,
}

BAD = {
    "one NaN": lambda good: np.append(good[:-1], np.nan),
    "one infinity": lambda good: np.append(np.inf, good[1:]),
    "one negative infinity": lambda good: np.append(-np.inf, good[1:]),
    "all zero": np.zeros_like,
    "all negative": lambda good: -good,
}


JOINT = FitProblem(
    tuple(
        Part(SIGNAL_MODELS[name], images)
        for name, images in (
            ("vfa", (vfa(5.0), vfa(30.0))),
            ("adiabatic_t1rho", tuple(adiabatic_t1rho(time) for time in (0.012, 0.036, 0.072))),
        )
    )
)
PROBLEMS = {**{name: single(images, name) for name, images in IMAGES.items()}, "joint": JOINT}


def clean_signals(name: str) -> NDArray[np.float64]:
    """Signals (contrast,) of the tissue."""
    tissue = {key: np.array([value]) for key, value in TISSUE.items()}
    parts = PROBLEMS[name].parts
    return np.concatenate([exact_signals(part.model.name, part.acquisitions, tissue)[:, 0] for part in parts])


def given_for(name: str, n: int) -> dict[str, NDArray[np.float64]]:
    return {key: np.full(n, TISSUE[key]) for key in PROBLEMS[name].given}


def assert_said_to_be_bad(result: VoxelFit, voxel: int) -> None:
    """Not one number of a voxel that could not be fitted looks like a result."""
    assert all(np.isnan(values[voxel]) for values in result.values.values())
    assert np.isnan(result.residual[voxel])
    assert np.isnan(result.covariance[:, voxel]).all()
    assert np.isnan(result.gain[:, :, voxel]).all()


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("damage", BAD.values(), ids=BAD.keys())
def test_a_bad_signal_is_nan_with_its_reason_between_good_neighbors(name: str, damage) -> None:
    good = clean_signals(name)
    result = fit_voxels(PROBLEMS[name], np.stack([good, damage(good), good], axis=1), given_for(name, 3))
    assert result.reason.tolist() == [Reason.VALID, Reason.BAD_SIGNAL, Reason.VALID]
    for key, values in result.values.items():
        np.testing.assert_allclose(values[[0, 2]], TISSUE[key], rtol=1e-6)
    assert_said_to_be_bad(result, 1)
    assert np.isfinite(result.residual[[0, 2]]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
@pytest.mark.parametrize(
    ("name", "quantity", "likelihood"),
    [(name, key, "gaussian") for name in PROBLEMS for key in PROBLEMS[name].given]
    + [("vfa", "B1", "rician"), ("adiabatic_t1rho", "T1", "rician")],
)
def test_a_given_quantity_without_value_is_said_to_be_missing(
    name: str, quantity: str, value: float, likelihood: Literal["gaussian", "rician"]
) -> None:
    given = given_for(name, 2)
    given[quantity][0] = value
    signals = np.repeat(clean_signals(name)[:, None], 2, axis=1)
    result = fit_voxels(PROBLEMS[name], signals, given, likelihood=likelihood, noise=0.01)
    assert result.reason.tolist() == [Reason.MISSING_GIVEN, Reason.VALID]
    assert_said_to_be_bad(result, 0)


@pytest.mark.parametrize("shape", ["constant", "rising"])
@pytest.mark.parametrize("name", ["adiabatic_t1rho", "spin_lock"])
def test_signals_that_do_not_decay_end_on_the_bound_of_t1rho(name: str, shape: str) -> None:
    n = len(IMAGES[name])
    signals = np.ones(n) if shape == "constant" else np.linspace(1, 2, n)
    result = fit_voxels(single(IMAGES[name]), signals[:, None], {"T1": np.ones(1), "B1": np.ones(1)})
    assert result.reason.tolist() == [Reason.AT_BOUND]
    assert np.isnan(result.values["T1rho"][0])
    assert np.isfinite(result.residual[0])


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("shape", ["constant", "one bright", "all tiny", "all huge"])
def test_signals_of_no_tissue_are_never_a_crash_nor_a_value_that_explains_nothing(
    name: str, shape: str
) -> None:
    n = len(PROBLEMS[name].acquisitions)
    signals = {
        "constant": np.ones(n),
        "one bright": np.eye(n)[n // 2],
        "all tiny": np.full(n, 1e-300),
        "all huge": np.full(n, 1e150),
    }[shape]
    result = fit_voxels(PROBLEMS[name], signals[:, None], given_for(name, 1))
    if result.reason[0] == Reason.VALID:
        assert all(np.isfinite(values[0]) for values in result.values.values())
        explained = np.sqrt((signals**2).mean())
        assert result.residual[0] <= explained * (1 + 1e-9)
    else:
        assert all(np.isnan(values[0]) for values in result.values.values())


@pytest.mark.parametrize("name", IMAGES)
def test_one_contrast_or_one_contrast_repeated_never_passes_for_a_measurement(name: str) -> None:
    """Nothing can be told from it: a value may be found, but its standard deviation is not a number that misleads."""
    for images in ((IMAGES[name][0],), (IMAGES[name][0],) * 6):
        if name == "afi" and len(images) == 1:
            continue  # the caller refuses what is no pair
        repeated = single(images, name)
        signals = np.full((len(images), 3), clean_signals(name)[0])
        result = fit_voxels(repeated, signals, given_for(name, 3))
        valid = result.reason == Reason.VALID
        for key in repeated.free[1:]:
            sd = result.sd(key)[valid]
            assert (~np.isfinite(sd) | (sd > 100 * TISSUE[key])).all(), (key, sd)


def test_integer_images_are_fitted_like_their_floating_point_copies_up_to_their_largest_number() -> None:
    clean = clean_signals("vfa")
    for kind in (np.int16, np.uint16, np.int32, np.uint8):
        scaled = np.round(clean / clean.max() * np.iinfo(kind).max)[:, None]
        expected = fit_voxels(single(IMAGES["vfa"]), scaled, given_for("vfa", 1))
        result = fit_voxels(single(IMAGES["vfa"]), scaled.astype(kind), given_for("vfa", 1))
        assert result.values["T1"][0] == expected.values["T1"][0]
        assert result.reason[0] == Reason.VALID


@pytest.mark.parametrize("noise", [0.0, -1.0, np.nan, np.inf, (1.0, 1.0, 0.0, 1.0)])
def test_a_noise_that_is_no_positive_number_is_refused(noise) -> None:
    with pytest.raises(InputError, match="noise must be positive"):
        fit_voxels(single(IMAGES["vfa"]), clean_signals("vfa")[:, None], given_for("vfa", 1), noise=noise)


def test_images_of_another_method_or_without_a_needed_setting_are_refused() -> None:
    signals, one = np.ones((4, 1)), np.ones(1)
    with pytest.raises(InputError, match="the model spin_lock is for"):
        fit_voxels(single(IMAGES["vfa"], "spin_lock"), signals, {})
    with pytest.raises(InputError, match="pulse_duration is missing"):
        fit_voxels(single(IMAGES["vfa"], "vfa_finite_pulse"), signals, {"B1": one, "T2": one})
    with pytest.raises(InputError, match="model must be one of"):
        single((Acquisition("spin_lock", spin_lock_time=0.01),), "mono")


def test_a_t1_outside_the_bounds_is_reported_there_and_found_with_other_bounds() -> None:
    images, truth = IMAGES["vfa"], np.array([0.02, 1.0, 20.0])
    signals = exact_signals("vfa", images, {"M0": np.ones(3), "T1": truth, "B1": np.ones(3)})
    usual = fit_voxels(single(images), signals, {"B1": np.ones(3)})
    assert usual.reason.tolist() == [Reason.AT_BOUND, Reason.VALID, Reason.AT_BOUND]
    wide = fit_voxels(single(images), signals, {"B1": np.ones(3)}, bounds={"T1": (0.01, 100.0)})
    np.testing.assert_allclose(wide.values["T1"], truth, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "likelihood"),
    [(name, "gaussian") for name in PROBLEMS]
    + [(name, "rician") for name in ("vfa", "adiabatic_t1rho", "spin_lock")],
)
def test_pure_noise_never_raises_and_always_has_a_value_or_a_reason(
    name: str, likelihood: Literal["gaussian", "rician"]
) -> None:
    problem, n = PROBLEMS[name], 4000
    signals = np.random.default_rng(8).normal(0, 1, (len(problem.acquisitions), n))
    signals *= 10.0 ** np.arange(-2, 2).repeat(1000)
    signals = np.abs(signals) if likelihood == "rician" else signals
    result = fit_voxels(problem, signals, given_for(name, n), likelihood=likelihood)
    valid = result.reason == Reason.VALID
    assert set(np.unique(result.reason)) <= {
        Reason.VALID, Reason.BAD_SIGNAL, Reason.NOT_CONVERGED, Reason.AT_BOUND
    }  # fmt: skip
    for key, values in result.values.items():
        assert (np.isfinite(values) == valid).all()
        assert key in problem.signed or (values[valid] > 0).all()
        assert not np.isinf(result.sd(key)).any()
    for name, lower in problem.above.items():
        assert (result.values[name][valid] > result.values[lower][valid]).all()
    assert np.isfinite(result.misfit[valid]).all()


def test_no_voxels_are_no_error() -> None:
    result = fit_voxels(single(IMAGES["vfa"]), np.empty((4, 0), np.float32), {"B1": np.empty(0)})
    assert result.reason.shape == result.values["T1"].shape == result.sd("T1").shape == (0,)


def test_every_voxel_is_fitted_when_there_are_several_blocks_and_progress_counts_them() -> None:
    n = 2 * BLOCK + 7
    T1, calls = np.linspace(0.3, 3.0, n), []
    signals = exact_signals("vfa", IMAGES["vfa"], {"M0": np.ones(n), "T1": T1, "B1": np.ones(n)})
    result = fit_voxels(
        single(IMAGES["vfa"]), signals, {"B1": np.ones(n)}, progress=lambda *state: calls.append(state)
    )
    np.testing.assert_allclose(result.values["T1"], T1, rtol=1e-6)
    done = [state[1] for state in calls]
    assert done == sorted(done)
    assert done[-1] == n
    assert {state[2] for state in calls} == {n}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_voxel_has_one_result_wherever_it_stands_among_others(name: str) -> None:
    """Bad neighbors, another place in its tile, or none beside it: the last bits may differ, the value may not."""
    rng = np.random.default_rng(9)
    clean = clean_signals(name)
    signals = clean[:, None] * (1 + 0.002 * rng.normal(size=(len(clean), 150)))
    every = fit_voxels(PROBLEMS[name], signals, given_for(name, 150))
    damaged = signals.copy()
    damaged[:, ::3] = rng.normal(size=damaged[:, ::3].shape) * clean.max()
    damaged[0, 1::7] = np.nan
    among_bad = fit_voxels(PROBLEMS[name], damaged, given_for(name, 150))
    alone = fit_voxels(PROBLEMS[name], signals[:, 77:78], given_for(name, 1))
    same = np.setdiff1d(np.arange(150), np.concatenate([np.arange(0, 150, 3), np.arange(1, 150, 7)]))
    np.testing.assert_array_equal(among_bad.reason[same], every.reason[same])
    for key in PROBLEMS[name].free:
        np.testing.assert_allclose(among_bad.values[key][same], every.values[key][same], rtol=1e-6)
        np.testing.assert_allclose(alone.values[key][0], every.values[key][77], rtol=1e-6)


def test_float32_and_noncontiguous_signals_give_the_values_of_their_copies() -> None:
    truth = {"M0": np.ones(10), "T1": np.linspace(0.5, 2, 10), "B1": np.ones(10)}
    signals = exact_signals("vfa", IMAGES["vfa"], truth).astype(np.float32)
    strided = np.asfortranarray(np.repeat(signals, 2, axis=1))[:, ::2]
    expected = fit_voxels(single(IMAGES["vfa"]), signals.astype(np.float64), {"B1": np.ones(10)})
    result = fit_voxels(single(IMAGES["vfa"]), strided, {"B1": np.ones(10, np.float32)})
    np.testing.assert_array_equal(result.values["T1"], expected.values["T1"])


@pytest.mark.parametrize(
    ("short", "long", "reason"),
    [
        (1.0, 0.72, Reason.VALID),
        (1.0, 1.2, Reason.AFI_RATIO),
        (0.0, 1.0, Reason.AFI_RATIO),
        (1.0, 1.0, Reason.AT_BOUND),
        (1.0, 0.0, Reason.AT_BOUND),
        (0.0, 0.0, Reason.BAD_SIGNAL),
        (np.nan, 1.0, Reason.BAD_SIGNAL),
        (1.0, np.inf, Reason.BAD_SIGNAL),
        (-1.0, -0.72, Reason.BAD_SIGNAL),
        (1.0, -0.1, Reason.BAD_SIGNAL),
    ],
)
def test_the_closed_form_of_b1_gives_a_value_or_the_right_reason(
    short: float, long: float, reason: Reason
) -> None:
    b1, codes = closed_form(np.array([short]), np.array([long]), afi_pair()[0])
    assert codes[0] == reason
    assert np.isfinite(b1[0]) == (reason == Reason.VALID)
