"""Voxels that can't be fitted: NaN with the reason, never an exception, and never a harmed neighbor."""

import numpy as np
import pytest

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL, afi_pair
from rmqnet.fit.b1 import closed_form
from rmqnet.fit.voxels import BLOCK, fit_voxels
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import synthesize

IMAGES = {
    "vfa": FULL.acquisitions[:4],
    "adiabatic_t1rho": FULL.acquisitions[4:11],
    "afi": FULL.acquisitions[11:],
    "spin_lock": tuple(Acquisition("spin_lock", spin_lock_time=t) for t in (0.001, 0.010, 0.030, 0.060)),
}
TISSUE = {"M0": 100.0, "T1": 1.0, "B1": 1.0, "T1rho": 0.04}

BAD = {
    "one NaN": lambda good: np.append(good[:-1], np.nan),
    "one infinity": lambda good: np.append(np.inf, good[1:]),
    "one negative infinity": lambda good: np.append(-np.inf, good[1:]),
    "all zero": np.zeros_like,
    "all negative": lambda good: -good,
}


@pytest.mark.parametrize("method", IMAGES)
@pytest.mark.parametrize("damage", BAD.values(), ids=BAD.keys())
def test_a_bad_signal_is_nan_with_its_reason_between_good_neighbors(method: str, damage) -> None:
    good = synthesize(IMAGES[method], TISSUE).astype(float)
    signals = np.stack([good, damage(good), good], axis=1)
    result = fit_voxels(
        signals, IMAGES[method], {k: np.full(3, TISSUE[k]) for k in SIGNAL_MODELS[method].given}
    )
    assert result.reason.tolist() == [Reason.VALID, Reason.BAD_SIGNAL, Reason.VALID]
    for name, values in result.values.items():
        assert np.isnan(values[1])
        np.testing.assert_allclose(values[[0, 2]], TISSUE[name], rtol=1e-4)
    assert np.isnan(result.residual).tolist() == [False, True, False]


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
@pytest.mark.parametrize(
    ("method", "quantity"),
    [("vfa", "B1"), ("adiabatic_t1rho", "T1"), ("adiabatic_t1rho", "B1"), ("afi", "T1")],
)
def test_a_given_quantity_without_value_is_said_to_be_missing(
    method: str, quantity: str, value: float
) -> None:
    signals = np.repeat(synthesize(IMAGES[method], TISSUE)[:, None], 2, axis=1)
    given = {name: np.full(2, TISSUE[name]) for name in SIGNAL_MODELS[method].given}
    given[quantity][0] = value
    result = fit_voxels(signals, IMAGES[method], given)
    assert result.reason.tolist() == [Reason.MISSING_GIVEN, Reason.VALID]
    assert all(np.isnan(values[0]) for values in result.values.values())
    assert np.isnan(result.residual[0])


@pytest.mark.parametrize("shape", ["constant", "rising"])
@pytest.mark.parametrize("method", ["adiabatic_t1rho", "spin_lock"])
def test_signals_that_do_not_decay_end_on_the_bound_of_t1rho(method: str, shape: str) -> None:
    n = len(IMAGES[method])
    signals = np.ones(n) if shape == "constant" else np.linspace(1, 2, n)
    result = fit_voxels(signals[:, None], IMAGES[method], {"T1": np.ones(1), "B1": np.ones(1)})
    assert result.reason.tolist() == [Reason.AT_BOUND]
    assert np.isnan(result.values["T1rho"][0])
    assert np.isfinite(result.residual[0])


def test_a_t1_outside_the_bounds_is_reported_there_and_found_with_other_bounds() -> None:
    images = IMAGES["vfa"]
    truth = np.array([0.02, 1.0, 20.0])
    signals = synthesize(images, {"M0": np.ones(3), "T1": truth, "B1": np.ones(3)})
    usual = fit_voxels(signals, images, {"B1": np.ones(3)})
    assert usual.reason.tolist() == [Reason.AT_BOUND, Reason.VALID, Reason.AT_BOUND]
    wide = fit_voxels(signals, images, {"B1": np.ones(3)}, bounds={"T1": (0.01, 100.0)})
    np.testing.assert_allclose(wide.values["T1"], truth, rtol=1e-3)


@pytest.mark.parametrize("method", IMAGES)
def test_pure_noise_never_raises_and_always_has_a_value_or_a_reason(method: str) -> None:
    signals = np.random.default_rng(8).normal(0, 1, (len(IMAGES[method]), 4000)) * 10.0 ** np.arange(
        -2, 2
    ).repeat(1000)
    given = {name: np.full(4000, TISSUE[name]) for name in SIGNAL_MODELS[method].given}
    result = fit_voxels(signals, IMAGES[method], given)
    valid = result.reason == Reason.VALID
    assert set(np.unique(result.reason)) <= {
        Reason.VALID, Reason.BAD_SIGNAL, Reason.NOT_CONVERGED, Reason.AT_BOUND
    }  # fmt: skip
    for values in result.values.values():
        assert (np.isfinite(values) == valid).all()
        assert (values[valid] > 0).all()


def test_no_voxels_are_no_error() -> None:
    result = fit_voxels(np.empty((4, 0), np.float32), IMAGES["vfa"], {"B1": np.empty(0)})
    assert result.reason.shape == result.values["T1"].shape == (0,)


def test_every_voxel_is_fitted_when_there_are_several_blocks_and_progress_counts_them() -> None:
    n = 2 * BLOCK + 7
    T1 = np.linspace(0.3, 3.0, n)
    signals = synthesize(IMAGES["vfa"], {"M0": np.ones(n), "T1": T1, "B1": np.ones(n)})
    calls = []
    result = fit_voxels(
        signals, IMAGES["vfa"], {"B1": np.ones(n)}, progress=lambda *state: calls.append(state)
    )
    np.testing.assert_allclose(result.values["T1"], T1, rtol=1e-3)
    done = [state[1] for state in calls]
    assert done == sorted(done)
    assert done[-1] == n
    assert {state[2] for state in calls} == {n}


def test_float32_and_noncontiguous_signals_give_the_values_of_their_copies() -> None:
    signals = synthesize(IMAGES["vfa"], {"M0": np.ones(10), "T1": np.linspace(0.5, 2, 10), "B1": np.ones(10)})
    strided = np.asfortranarray(np.repeat(signals, 2, axis=1))[:, ::2]
    expected = fit_voxels(signals.astype(np.float64), IMAGES["vfa"], {"B1": np.ones(10)})
    result = fit_voxels(strided, IMAGES["vfa"], {"B1": np.ones(10, np.float32)})
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
