"""What every signal must do at the ends of its range, derived by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.protocols import FULL, adiabatic_t1rho, afi_pair, vfa
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import synthesize, torch_signal

TISSUE = {"M0": 1.0, "T1": 1.0, "B1": 1.0, "T1rho": 0.04}


def signal(acquisition: Acquisition, **changed: float) -> float:
    """Signal in double precision; keywords change quantities or settings of a usual tissue."""
    model = SIGNAL_MODELS[acquisition.method]
    values = {name: TISSUE[name] for name in (*model.free, *model.given)}
    values |= {name: float(getattr(acquisition, name)) for name in model.settings}
    values |= changed
    tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    return float(torch_signal(acquisition.method)(**tensors))


IMAGES = [*FULL.acquisitions, Acquisition("spin_lock", spin_lock_time=0.03)]


@pytest.mark.parametrize("image", [a for a in IMAGES if a.flip_angle], ids=lambda a: a.label)
def test_a_vanishing_flip_angle_gives_a_signal_that_vanishes_in_proportion(image: Acquisition) -> None:
    tiny = signal(image, flip_angle=1e-6)
    assert 0 < tiny < 2e-8
    assert signal(image, flip_angle=2e-6) == pytest.approx(2 * tiny, rel=1e-6)


@pytest.mark.parametrize("image", IMAGES, ids=lambda a: a.label)
@pytest.mark.parametrize("scale", [1e-3, 7.0, 1e9])
def test_the_signal_is_proportional_to_m0(image: Acquisition, scale: float) -> None:
    assert signal(image, M0=scale) == pytest.approx(scale * signal(image), rel=1e-14)


@pytest.mark.parametrize("image", [a for a in IMAGES if a.flip_angle], ids=lambda a: a.label)
def test_the_flip_angle_and_b1_act_only_as_their_product(image: Acquisition) -> None:
    half = signal(image, B1=0.5, flip_angle=2 * (image.flip_angle or 0))
    assert half == pytest.approx(signal(image), rel=1e-13)


@pytest.mark.parametrize("image", [*(vfa(a) for a in (5.0, 30.0)), *afi_pair()], ids=lambda a: a.label)
def test_full_recovery_leaves_the_sine_of_the_flip_angle(image: Acquisition) -> None:
    angle = math.radians(image.flip_angle or 0)
    assert signal(image, T1=1e-4) == pytest.approx(math.sin(angle), rel=1e-12)


def test_no_recovery_saturates_every_repeated_read_out() -> None:
    # gradient echo and AFI: the leading term in TR / T1
    for image in (vfa(30.0), *afi_pair()):
        assert signal(image, T1=1e9) < 1e-8
    # multispoke: even without spin-lock decay the pulses use up what does not recover
    assert signal(adiabatic_t1rho(0.0), T1=1e9) < 1e-6


def test_afi_pair_exchanges_its_images_when_its_delays_are_exchanged() -> None:
    short, long = afi_pair()
    swapped = signal(short, repetition_time_excitation=0.1, repetition_time_other=0.02)
    assert swapped == signal(long)
    assert signal(long) < signal(short)


def test_afi_images_agree_with_a_gradient_echo_when_both_delays_are_equal() -> None:
    afi = signal(afi_pair()[0], repetition_time_excitation=0.02, repetition_time_other=0.02)
    assert afi == pytest.approx(signal(vfa(45.0)), rel=1e-13)


def test_without_spin_lock_time_t1rho_has_no_effect() -> None:
    without = [adiabatic_t1rho(0.0), Acquisition("spin_lock", spin_lock_time=0.0)]
    for image in without:
        assert signal(image, T1rho=0.004) == signal(image, T1rho=0.2)
    assert signal(without[1]) == 1.0


def test_a_long_t1rho_leaves_the_recovery_time_as_the_only_effect_of_the_spin_lock() -> None:
    image = adiabatic_t1rho(0.096)
    moved = replace(image, spin_lock_time=0.0, repetition_time_preparation=0.5 - 0.096)
    assert signal(image, T1rho=1e9) == pytest.approx(signal(moved), rel=1e-9)


def test_a_preparation_that_keeps_everything_is_a_plain_gradient_echo_train() -> None:
    """25 spokes, no gap, no preparation: the spoke spacing is then the repetition time of a gradient echo."""
    image = replace(adiabatic_t1rho(0.0), fat_saturation_time=0.0, repetition_time_preparation=0.125)
    echo = Acquisition("vfa", flip_angle=10.0, repetition_time_excitation=0.005)
    assert signal(image) == pytest.approx(signal(echo), rel=1e-12)


def test_one_spoke_gives_the_formula_of_a_single_read_out() -> None:
    """PHYSICS 1.2, limit of one spoke: recovery over TR - TSL between preparation and preparation."""
    lock, T1, T1rho, angle = 0.036, 1.0, 0.04, math.radians(10.0)
    image = replace(
        adiabatic_t1rho(lock), spokes_per_preparation=1, fat_saturation_time=0.0, spoke_spacing=1e-4
    )
    decay, recovery = math.exp(-lock / T1rho), math.exp(-(0.5 - lock) / T1)
    expected = math.sin(angle) * decay * (1 - recovery) / (1 - math.cos(angle) * decay * recovery)
    assert signal(image) == pytest.approx(expected, rel=1e-13)


def test_long_recovery_between_preparations_makes_one_spoke_mono_exponential() -> None:
    images = [
        replace(adiabatic_t1rho(t), spokes_per_preparation=1, repetition_time_preparation=20.0,
                fat_saturation_time=0.0)
        for t in (0.0, 0.03)
    ]  # fmt: skip
    ratio = signal(images[1], T1=0.3) / signal(images[0], T1=0.3)
    assert ratio == pytest.approx(math.exp(-0.03 / 0.04), rel=1e-9)


def test_a_missing_quantity_is_a_key_error_and_not_a_guess() -> None:
    with pytest.raises(KeyError, match="B1"):
        synthesize([vfa(5.0)], {"M0": np.ones(3), "T1": np.ones(3)})
