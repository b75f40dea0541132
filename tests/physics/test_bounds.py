"""Cramer-Rao bounds: the numbers of PHYSICS.md 7.1, the derivatives, and fits that reach the bound."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.protocols import FULL, SPIN_LOCK_TIMES, adiabatic_t1rho, vfa
from rmqnet.physics.bounds import (
    PULSE_EFFICIENCY,
    Parts,
    Step,
    by_method,
    jacobian,
    noise_free_signals,
    sequential_standard_deviations,
    standard_deviations,
)
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import torch_signal

TISSUE = {"M0": 1.0, "T1": 1.0, "B1": 1.0, "T1rho": 0.0405}
NOISE = float(noise_free_signals({"vfa": [vfa(10.0)]}, TISSUE)[0]) / 60
"""SNR 60 at flip angle 10 degrees."""
FLIP_ANGLES = (5.0, 10.0, 20.0, 30.0)


def angles(*degrees: float) -> Parts:
    return {"vfa": [vfa(angle) for angle in degrees]}


def spin_locks(*times: float) -> Parts:
    """Images as the notes take them: a fat saturation without recovery of water, in a period shorter by its 10 ms."""
    images = [adiabatic_t1rho(time) for time in times]
    return {
        "adiabatic_t1rho": [
            replace(image, fat_saturation_time=0.0, repetition_time_preparation=0.490) for image in images
        ]
    }


def bound(parts: Parts, name: str, *nuisance: str) -> float:
    return standard_deviations(parts, TISSUE, NOISE, free=(name,), nuisance=("M0", *nuisance))[name]


@pytest.mark.parametrize(
    ("flip_angles", "expected", "printed"),
    [
        (FLIP_ANGLES, 0.0398, 5e-5),
        ((5.0, 30.0), 0.0471, 5e-5),
        ((4.5, 27.0), 0.0468, 5e-5),
        ((5.0, 27.5), 0.0468, 5e-5),
        ((10.0, 30.0), 0.068, 5e-4),
        ((20.0, 30.0), 0.262, 5e-4),
    ],
    ids=str,
)
def test_the_bound_of_t1_is_that_of_the_notes(
    flip_angles: Sequence[float], expected: float, printed: float
) -> None:
    assert bound(angles(*flip_angles), "T1") == pytest.approx(expected, abs=printed)


def test_no_pair_of_flip_angles_is_better_than_the_best_of_the_notes_and_5_30_is_near_it() -> None:
    pairs = [(a, b) for a in np.arange(2.0, 12.0, 0.5) for b in np.arange(18.0, 40.0, 0.5)]
    best = min(bound(angles(*pair), "T1") for pair in pairs)
    assert best == pytest.approx(0.0468, abs=5e-5)
    assert bound(angles(5.0, 30.0), "T1") / best < 1.01


@pytest.mark.parametrize(
    ("times", "expected", "printed"),
    [
        (SPIN_LOCK_TIMES, 0.00162, 5e-6),
        ((0.012, 0.036, 0.072), 0.0046, 5e-5),
        ((0.012, 0.072), 0.0073, 5e-5),
        ((0.0, 0.030), 0.00263, 5e-6),
        ((0.0, 0.036), 0.00270, 5e-6),
        ((0.0, 0.048), 0.0030, 5e-5),
        ((0.0, 0.036, 0.072), 0.00234, 5e-6),
    ],
    ids=str,
)
def test_the_bound_of_t1rho_is_that_of_the_notes(
    times: Sequence[float], expected: float, printed: float
) -> None:
    assert bound(spin_locks(*times), "T1rho") == pytest.approx(expected, abs=printed)


@pytest.mark.parametrize(
    ("parts", "T1", "T1rho"),
    [
        ({**angles(5.0, 30.0), **spin_locks(0.012, 0.036, 0.072)}, (0.047, 5e-4), (0.0022, 5e-5)),
        ({**angles(30.0), **spin_locks(0.012, 0.072)}, (0.169, 5e-4), (0.0045, 5e-5)),
        ({**angles(*FLIP_ANGLES), **spin_locks(*SPIN_LOCK_TIMES)}, None, (0.00143, 5e-6)),
    ],
)
def test_a_joint_fit_that_shares_m0_reaches_the_numbers_of_the_notes(
    parts: Parts, T1: tuple[float, float] | None, T1rho: tuple[float, float]
) -> None:
    found = standard_deviations(parts, TISSUE, NOISE, free=("T1", "T1rho"), nuisance=("M0",))
    assert found["T1rho"] == pytest.approx(T1rho[0], abs=T1rho[1])
    if T1 is not None:
        assert found["T1"] == pytest.approx(T1[0], abs=T1[1])


@pytest.mark.parametrize(
    ("parts", "nuisance"),
    [
        ({**angles(20.0), **spin_locks(0.048)}, ("T1",)),
        (spin_locks(0.0, 0.030), (PULSE_EFFICIENCY,)),
        (spin_locks(0.0, 0.048), ("preparation_efficiency",)),
        (spin_locks(0.036, 0.036), ()),
        (spin_locks(), ()),
        (angles(*FLIP_ANGLES), ("T1",)),
    ],
    ids=["1FA+1TSL", "0, 30 without f", "0, 48 without f", "one time twice", "no image", "VFA alone"],
)
def test_what_no_fit_can_find_has_an_infinite_sd(parts: Parts, nuisance: tuple[str, ...]) -> None:
    assert bound(parts, "T1rho", *nuisance) == np.inf


def test_a_quantity_can_be_identifiable_beside_one_that_is_not() -> None:
    found = standard_deviations(angles(*FLIP_ANGLES), TISSUE, NOISE, free=("M0", "T1", "T1rho"))
    assert found["T1rho"] == np.inf
    assert found["T1"] == pytest.approx(0.0398, abs=5e-5)


def test_an_unknown_efficiency_of_the_pulses_takes_away_the_gain_of_spin_lock_time_zero() -> None:
    parts = spin_locks(0.0, 0.036, 0.072)
    assert bound(parts, "T1rho", PULSE_EFFICIENCY) == pytest.approx(0.00884, abs=5e-6)
    # an efficiency of all images, those without pulses too, is another unknown
    assert bound(parts, "T1rho", "preparation_efficiency") > 0.015


def test_noise_of_t1_is_carried_into_t1rho() -> None:
    steps = [Step(angles(*FLIP_ANGLES), ("M0", "T1")), Step(spin_locks(*SPIN_LOCK_TIMES), ("M0", "T1rho"))]
    found = sequential_standard_deviations(steps, TISSUE, NOISE)
    assert found["T1"] == pytest.approx(0.0398, abs=5e-5)
    assert found["T1rho"] == pytest.approx(0.00175, abs=5e-6)


def test_noise_of_b1_adds_to_t1_in_either_kind_of_fit() -> None:
    """The notes: raw AFI noise of about 1 % adds 21 ms to the SD of T1, which goes with the inverse square of B1."""
    known = {"B1": 0.0105}
    step = [Step(angles(*FLIP_ANGLES), ("M0", "T1"))]
    chained = sequential_standard_deviations(step, TISSUE, NOISE, known=known)["T1"]
    assert np.sqrt(chained**2 - 0.0398**2) == pytest.approx(0.021, abs=5e-4)
    joint = standard_deviations(
        angles(*FLIP_ANGLES), TISSUE, NOISE, free=("T1",), nuisance=("M0", "B1"), known=known
    )["T1"]
    assert 0.0398 < joint <= chained


def test_what_rests_on_something_not_identifiable_is_not_identifiable() -> None:
    steps = [Step(angles(30.0), ("M0", "T1")), Step(spin_locks(0.0, 0.036), ("M0", "T1rho"))]
    assert set(sequential_standard_deviations(steps, TISSUE, NOISE).values()) == {np.inf}


@pytest.mark.parametrize("method", ["vfa", "afi", "adiabatic_t1rho", "spin_lock"])
@settings(max_examples=15, deadline=None)
@given(
    T1=st.floats(0.2, 4.0),
    T1rho=st.floats(0.005, 0.2),
    B1=st.floats(0.6, 1.4),
    efficiency=st.floats(0.5, 1.0),
)
def test_derivatives_equal_those_of_autograd(
    method: str, T1: float, T1rho: float, B1: float, efficiency: float
) -> None:
    images = by_method(FULL.acquisitions).get(method) or [
        Acquisition("spin_lock", spin_lock_time=time) for time in SPIN_LOCK_TIMES
    ]
    model = SIGNAL_MODELS[method]
    tissue = {"M0": 2.0, "T1": T1, "T1rho": T1rho, "B1": B1}
    if "preparation_efficiency" in model.settings:
        tissue["preparation_efficiency"] = efficiency
    names = [name for name in tissue if name in (*model.free, *model.given, *model.settings)]
    expected = []
    for image in images:
        arguments = {
            name: torch.tensor(float(getattr(image, name)), dtype=torch.float64) for name in model.settings
        }
        unknown = {
            name: torch.tensor(tissue[name], dtype=torch.float64, requires_grad=True) for name in names
        }
        signal = torch_signal(method)(**{**arguments, **unknown})
        gradients = torch.autograd.grad(signal, list(unknown.values()))
        expected.append([float(gradient) for gradient in gradients])
    np.testing.assert_allclose(jacobian({method: images}, tissue, names), expected, rtol=1e-9, atol=1e-13)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.01, 100.0), noise=st.floats(0.1, 10.0), seed=st.integers(0, 1000))
def test_the_bound_follows_signal_to_noise_and_never_rises_with_more_images(
    scale: float, noise: float, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(11)
    images = [FULL.acquisitions[index] for index in order]
    free = ("T1", "T1rho")
    first = standard_deviations(by_method(images), TISSUE, NOISE, free=free, nuisance=("M0",))
    tissue = {**TISSUE, "M0": scale}
    other = standard_deviations(by_method(images), tissue, noise * NOISE, free=free, nuisance=("M0",))
    fewer = standard_deviations(by_method(images[:6]), TISSUE, NOISE, free=free, nuisance=("M0",))
    for name in free:
        assert other[name] == pytest.approx(first[name] * noise / scale, rel=1e-6)
        assert fewer[name] >= first[name]


@pytest.mark.parametrize("name", sorted(SIGNAL_MODELS))
def test_every_model_of_the_table_has_a_bound(name: str) -> None:
    """At signal-to-noise ratios without limit every model is identifiable from many images."""
    model = SIGNAL_MODELS[name]
    truth = {
        **TISSUE,
        "offset": 0.1,
        "stretching_exponent": 0.8,
        "short_fraction": 0.3,
        "T2": 0.002,
        "T1rho_short": 0.01,
        "T1rho_long": 0.06,
        "pulse_duration": 1e-4,
    }
    held = {str(symbol) for symbol in model.equation.free_symbols}
    tissue = {key: value for key, value in truth.items() if key in held and key not in model.settings}
    angle = "flip_angle" in held and "spin_lock_time" not in held
    afi = "repetition_time_other" in held
    if afi:
        images = list(FULL.acquisitions[-2:])
    elif angle:
        images = [vfa(float(degrees)) for degrees in range(2, 40, 4)]
    elif "spoke_spacing" in held:
        images = [adiabatic_t1rho(time) for time in np.arange(0.0, 0.1, 0.008)]
    else:
        images = [Acquisition("spin_lock", spin_lock_time=float(time)) for time in np.arange(0.0, 0.1, 0.008)]
    if "pulse_duration" in model.settings:
        images = [replace(image, pulse_duration=1e-4) for image in images]
    sds = standard_deviations({name: images}, tissue, 1e-9, free=model.free)
    assert all(0 < sd < 1e-3 for sd in sds.values()), sds
