"""Signal equations against a Bloch recursion that knows no closed form: pulse by pulse until the steady state."""

import cmath
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.protocols import adiabatic_t1rho, afi_pair, vfa
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import synthesize, torch_signal

EXACT = 1e-11
"""Double precision, with the digits lost where the steady state is the small difference of large numbers."""


class Magnetization:
    """Longitudinal magnetization of one voxel; what a pulse tips is recorded and then spoiled."""

    def __init__(self, M0: float, T1: float) -> None:
        self.M0, self.T1, self.z = M0, T1, M0

    def excite(self, degrees: float) -> float:
        """Signal of one pulse: z turns in the y-z plane (as a complex number), then y is spoiled."""
        tipped = cmath.rect(self.z, math.radians(degrees))
        self.z = tipped.real
        return tipped.imag

    def relax(self, time: float) -> None:
        self.z += (self.M0 - self.z) * -math.expm1(-time / self.T1)


def bloch_vfa(a: Acquisition, M0: float, T1: float, B1: float) -> float:
    voxel, signal = Magnetization(M0, T1), 0.0
    # the slowest mode here loses 0.6 % per repetition: 6000 of them leave less than 1e-16
    for _ in range(6000):
        signal = voxel.excite(B1 * (a.flip_angle or 0))
        voxel.relax(a.repetition_time_excitation or 0)
    return signal


def bloch_afi(a: Acquisition, M0: float, T1: float, B1: float) -> float:
    voxel, signal = Magnetization(M0, T1), 0.0
    for _ in range(600):
        voxel.excite(B1 * (a.flip_angle or 0))
        voxel.relax(a.repetition_time_other or 0)
        signal = voxel.excite(B1 * (a.flip_angle or 0))
        voxel.relax(a.repetition_time_excitation or 0)
    return signal


def bloch_multispoke(a: Acquisition, M0: float, T1: float, B1: float, T1rho: float) -> float:
    """Preparation, fat saturation (water recovers), N spokes, free recovery to the end of the period."""
    n, spacing = a.spokes_per_preparation or 0, a.spoke_spacing or 0
    lock, period = a.spin_lock_time or 0, a.repetition_time_preparation or 0
    voxel, train = Magnetization(M0, T1), [0.0]
    for _ in range(250):
        voxel.z *= a.preparation_efficiency * math.exp(-lock / T1rho)
        voxel.relax(a.fat_saturation_time)
        train = []
        for _ in range(n):
            train.append(voxel.excite(B1 * (a.flip_angle or 0)))
            voxel.relax(spacing)
        voxel.relax(period - lock - a.fat_saturation_time - n * spacing)
    return sum(train) / len(train)


def exact(a: Acquisition, **values: float) -> float:
    """The package's equation in double precision."""
    model = SIGNAL_MODELS[a.method]
    arguments = {name: values[name] for name in (*model.free, *model.given)}
    arguments |= {name: float(getattr(a, name)) for name in model.settings}
    tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in arguments.items()}
    return float(torch_signal(a.method)(**tensors))


@pytest.mark.parametrize("flip_angle", [5.0, 10.0, 20.0, 30.0, 90.0])
@pytest.mark.parametrize(("T1", "B1"), [(0.1, 1.0), (1.0, 0.7), (1.0, 1.3), (4.5, 1.0)])
def test_vfa_signal_is_the_steady_state_of_repeated_pulses(flip_angle: float, T1: float, B1: float) -> None:
    expected = bloch_vfa(vfa(flip_angle), 37.0, T1, B1)
    assert exact(vfa(flip_angle), M0=37.0, T1=T1, B1=B1) == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize("image", [0, 1], ids=["after the short delay", "after the long delay"])
@pytest.mark.parametrize(("T1", "B1"), [(0.1, 1.0), (0.3, 0.7), (1.0, 1.3), (4.5, 1.0), (1.0, 2.2)])
def test_afi_signals_are_the_steady_state_of_two_interleaved_delays(image: int, T1: float, B1: float) -> None:
    """Which of the two images is which: the image whose excitation follows the OTHER delay is the brighter one."""
    acquisition = afi_pair()[image]
    expected = bloch_afi(acquisition, 2.0, T1, B1)
    assert exact(acquisition, M0=2.0, T1=T1, B1=B1) == pytest.approx(expected, rel=EXACT)


MULTISPOKE = {
    "paper": {},
    "one spoke": {"spokes_per_preparation": 1},
    "two spokes, wide": {"spokes_per_preparation": 2, "spoke_spacing": 0.05},
    "short spacing": {"spoke_spacing": 0.004},
    "no fat saturation": {"fat_saturation_time": 0.0},
    "long fat saturation": {"fat_saturation_time": 0.03},
    "lossy preparation": {"preparation_efficiency": 0.9},
    "useless preparation": {"preparation_efficiency": 0.0},
    "no free recovery": {"repetition_time_preparation": 0.260, "spoke_spacing": 0.006},
}


@pytest.mark.parametrize("settings", MULTISPOKE.values(), ids=MULTISPOKE.keys())
@pytest.mark.parametrize("spin_lock_time", [0.0, 0.036, 0.096])
@pytest.mark.parametrize(
    ("T1", "B1", "T1rho"), [(1.0, 1.0, 0.0405), (0.1, 0.7, 0.004), (4.5, 1.3, 0.2), (0.65, 1.0, 0.0097)]
)
def test_multispoke_signal_is_the_steady_state_over_preparations(
    settings: dict[str, float], spin_lock_time: float, T1: float, B1: float, T1rho: float
) -> None:
    acquisition = replace(adiabatic_t1rho(spin_lock_time), **settings)
    expected = bloch_multispoke(acquisition, 5.0, T1, B1, T1rho)
    assert exact(acquisition, M0=5.0, T1=T1, B1=B1, T1rho=T1rho) == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize("method", ["vfa", "afi", "adiabatic_t1rho", "spin_lock"])
def test_synthesized_float32_images_equal_the_recursion_to_single_precision(method: str) -> None:
    """1 - E cos loses up to a hundredfold in single precision: 2e-5 is far below any noise."""
    truth = {"M0": 2.0, "T1": 1.2, "B1": 0.9, "T1rho": 0.04}
    pair, lock = afi_pair(), adiabatic_t1rho(0.024)
    acquisitions, expected = {
        "vfa": ([vfa(5.0), vfa(30.0)], [bloch_vfa(vfa(angle), 2.0, 1.2, 0.9) for angle in (5.0, 30.0)]),
        "afi": (pair, [bloch_afi(image, 2.0, 1.2, 0.9) for image in pair]),
        "adiabatic_t1rho": ([lock], [bloch_multispoke(lock, 2.0, 1.2, 0.9, 0.04)]),
        "spin_lock": ([Acquisition("spin_lock", spin_lock_time=0.02)], [2.0 * math.exp(-0.5)]),
    }[method]
    volumes = {name: np.full((2, 3, 4), value) for name, value in truth.items()}
    signals = synthesize(acquisitions, volumes)
    assert signals.shape == (len(acquisitions), 2, 3, 4)
    assert signals.dtype == np.float32
    np.testing.assert_allclose(signals[:, 1, 2, 3], expected, rtol=2e-5)


def test_preparation_efficiency_may_differ_from_voxel_to_voxel() -> None:
    lock = adiabatic_t1rho(0.024)
    truth = {"M0": 1.0, "T1": 1.0, "B1": 1.0, "T1rho": 0.04}
    signals = synthesize([lock], {**truth, "preparation_efficiency": np.array([1.0, 0.9, 0.5])})
    expected = [
        bloch_multispoke(replace(lock, preparation_efficiency=f), 1.0, 1.0, 1.0, 0.04)
        for f in (1.0, 0.9, 0.5)
    ]
    np.testing.assert_allclose(signals[0], expected, rtol=2e-5)
