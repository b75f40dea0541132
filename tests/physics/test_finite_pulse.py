"""The finite-pulse signal against the Bloch equations of a rectangular pulse."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from rmqnet.physics.signals import torch_signal


def bloch(angle: float, pulse_duration: float, T2: float) -> tuple[float, float]:
    """Transverse and longitudinal magnetization after a pulse [rad] on a unit of magnetization; T1 left out."""
    rate = angle / pulse_duration
    return tuple(expm(np.array([[-1 / T2, rate], [-rate, 0.0]]) * pulse_duration) @ [0.0, 1.0])


@pytest.mark.parametrize("T2", [1e-5, 5e-5, 3e-4, 2e-3, 0.04])
@pytest.mark.parametrize(
    ("flip_angle", "pulse_duration"), [(5.0, 6e-5), (30.0, 6e-5), (45.0, 1.5e-4), (90.0, 1e-3)]
)
def test_the_signal_is_the_steady_state_of_the_bloch_equations(
    flip_angle: float, pulse_duration: float, T2: float
) -> None:
    B1, T1, repetition_time = 0.9, 0.3, 0.020
    transverse, longitudinal = bloch(np.radians(B1 * flip_angle), pulse_duration, T2)
    kept = np.exp(-repetition_time / T1)
    expected = transverse * (1 - kept) / (1 - kept * longitudinal)
    values = {
        "M0": 1.0, "T1": T1, "B1": B1, "T2": T2, "flip_angle": flip_angle, "pulse_duration": pulse_duration,
        "repetition_time_excitation": repetition_time,
    }  # fmt: skip
    signal = torch_signal("vfa_finite_pulse")(
        **{name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    )
    assert float(signal) == pytest.approx(expected, rel=1e-9)


def test_the_numbers_of_the_physics_notes() -> None:
    """PHYSICS 2.3: 30 degrees, 60 us, T2 2 ms: 0.493 and 0.8674; 45 degrees, 150 us, T2 0.3 ms: 0.557."""
    assert bloch(np.radians(30), 6e-5, 2e-3) == pytest.approx((0.493, 0.8674), abs=6e-4)
    assert bloch(np.radians(45), 1.5e-4, 3e-4)[0] == pytest.approx(0.557, abs=6e-4)
