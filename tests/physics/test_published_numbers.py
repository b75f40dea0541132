"""Numbers of the physics notes (PHYSICS.md 1.2, 1.3, 2.1, 2.2), each made with the code under test."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import curve_fit

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.protocols import SPIN_LOCK_TIMES, adiabatic_t1rho, afi_pair, vfa
from rmqnet.fit.b1 import closed_form
from rmqnet.fit.problem import single
from rmqnet.fit.voxels import fit_voxels
from rmqnet.physics.signals import synthesize

TRUTH = {"M0": 1.0, "T1": 1.0, "B1": 1.0, "T1rho": 0.0405}
PRINTED = 6e-5
"""The notes print T1rho to 0.1 ms: half a unit of the last digit, and the single precision of the signals."""


def spin_lock_images(**settings: float) -> list[Acquisition]:
    """The paper's seven images as the table of the notes takes them: fat saturation without recovery of water.

    Such a saturation is one of no duration in a period that is shorter by its 10 ms.
    """
    changed = {"fat_saturation_time": 0.0, "repetition_time_preparation": 0.490, **settings}
    return [replace(adiabatic_t1rho(time), **changed) for time in SPIN_LOCK_TIMES]


def fitted(measured: np.ndarray, images: list[Acquisition], T1: float = 1.0, B1: float = 1.0) -> float:
    signals = np.asarray(measured, float).reshape(len(images), 1)
    result = fit_voxels(single(images), signals, {"T1": np.array([T1]), "B1": np.array([B1])})
    assert result.reason[0] == 0
    return float(result.values["T1rho"][0])


def test_the_relative_decay_of_cartilage_is_that_of_the_notes() -> None:
    signals = synthesize(spin_lock_images(), TRUTH)
    np.testing.assert_allclose(signals / signals[0], [1, 0.654, 0.459, 0.340, 0.263, 0.177, 0.135], atol=6e-4)


def test_tendon_reaches_the_floor_of_t1_recovery() -> None:
    signals = synthesize(spin_lock_images(), {**TRUTH, "T1": 0.65, "T1rho": 0.0097})
    np.testing.assert_allclose(signals[3:] / signals[0], 0.12, atol=0.02)


@pytest.mark.parametrize(("spacing", "expected"), [(0.004, 0.0344), (0.005, 0.0363), (0.008, 0.0425)])
def test_a_mono_exponential_fit_of_a_multispoke_train_is_wrong_by_the_noted_amount(
    spacing: float, expected: float
) -> None:
    signals = synthesize(spin_lock_images(spoke_spacing=spacing), TRUTH)
    wrong = [Acquisition("spin_lock", spin_lock_time=time) for time in SPIN_LOCK_TIMES]
    result = fit_voxels(single(wrong), signals[:, None], {})
    assert result.values["T1rho"][0] == pytest.approx(expected, abs=PRINTED)


def test_an_offset_makes_the_mono_exponential_fit_worse() -> None:
    signals = synthesize(spin_lock_images(), TRUTH).astype(float)
    (amplitude, T1rho, offset), _ = curve_fit(
        lambda t, a, b, c: a * np.exp(-t / b) + c, SPIN_LOCK_TIMES, signals / signals[0], p0=(1, 0.04, 0)
    )
    assert T1rho == pytest.approx(0.0253, abs=PRINTED)
    assert offset / amplitude == pytest.approx(0.14, abs=0.006)


@pytest.mark.parametrize(
    ("B1", "expected"), [(0.8, 0.0363), (0.9, 0.0384), (1.0, 0.0405), (1.1, 0.0427), (1.2, 0.0450)]
)
def test_an_uncorrected_b1_moves_t1rho_by_the_noted_amount(B1: float, expected: float) -> None:
    images = spin_lock_images()
    assert fitted(synthesize(images, {**TRUTH, "B1": B1}), images) == pytest.approx(expected, abs=PRINTED)


def test_a_t1_of_ten_percent_too_much_moves_t1rho_by_the_noted_amount() -> None:
    images = spin_lock_images()
    assert fitted(synthesize(images, TRUTH), images, T1=1.1) == pytest.approx(0.0420, abs=PRINTED)


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        ({"preparation_efficiency": 0.9}, 0.0445),
        ({"spoke_spacing": 0.004}, 0.0383),
        ({"spoke_spacing": 0.006}, 0.0428),
    ],
    ids=str,
)
def test_a_wrong_setting_moves_t1rho_by_the_noted_amount(truth: dict[str, float], expected: float) -> None:
    signals = synthesize(spin_lock_images(**truth), TRUTH)
    assert fitted(signals, spin_lock_images()) == pytest.approx(expected, abs=PRINTED)


@pytest.mark.parametrize(
    ("efficiency", "expected"),
    [
        ([1.0] + [0.9] * 6, 0.0350),
        ([0.99 ** (round(t / 0.012)) for t in SPIN_LOCK_TIMES], 0.0392),
        ([0.98 ** (round(t / 0.012)) for t in SPIN_LOCK_TIMES], 0.0379),
    ],
    ids=["only when pulses are on", "0.99 per pair", "0.98 per pair"],
)
def test_preparation_losses_that_go_with_the_pulses_move_t1rho_by_the_noted_amount(
    efficiency: list[float], expected: float
) -> None:
    images = spin_lock_images()
    lossy = [replace(image, preparation_efficiency=f) for image, f in zip(images, efficiency, strict=True)]
    assert fitted(synthesize(lossy, TRUTH), images) == pytest.approx(expected, abs=PRINTED)


@pytest.mark.parametrize(("T1rho", "T1", "expected"), [(0.0405, 1.0, 0.0425), (0.0097, 0.65, 0.0104)])
def test_forgetting_the_recovery_during_fat_saturation_lengthens_t1rho(
    T1rho: float, T1: float, expected: float
) -> None:
    signals = synthesize([adiabatic_t1rho(t) for t in SPIN_LOCK_TIMES], {**TRUTH, "T1": T1, "T1rho": T1rho})
    assert fitted(signals, spin_lock_images(), T1=T1) == pytest.approx(expected, abs=2 * PRINTED)


@pytest.mark.parametrize(("T1", "low", "high"), [(1.0, 0.001, 0.002), (0.3, 0.0055, 0.0065)])
def test_closed_form_b1_is_low_by_the_noted_fraction(T1: float, low: float, high: float) -> None:
    truth = np.array([0.8, 0.9, 1.0, 1.1, 1.2])
    short, long = synthesize(afi_pair(), {"M0": np.ones(5), "T1": np.full(5, T1), "B1": truth})
    b1, reason = closed_form(short, long, afi_pair()[0])
    assert (reason == 0).all()
    error = 1 - b1 / truth
    assert low <= error[2] <= high
    assert (error > 0).all()


@pytest.mark.parametrize(
    ("B1_error", "expected"), [(0.02, -0.04), (0.05, -0.095), (0.10, -0.18), (-0.05, 0.11)]
)
def test_t1_goes_with_the_inverse_square_of_a_b1_error(B1_error: float, expected: float) -> None:
    images = [vfa(angle) for angle in (5.0, 10.0, 20.0, 30.0)]
    signals = synthesize(images, TRUTH)
    # the assumed B1 is too large by B1_error: the fitted T1 is too long by the square, and the reverse
    result = fit_voxels(single(images), signals[:, None], {"B1": np.array([1 / (1 + B1_error)])})
    wrong = result.values["T1"][0]
    assert wrong == pytest.approx((1 + B1_error) ** 2, rel=0.02)
    assert 1 / wrong - 1 == pytest.approx(expected, abs=0.011)
