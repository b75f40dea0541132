"""What sets a mismatched scan apart from the model that is fitted."""

import numpy as np
import pytest

from rmqnet.domain.protocols import adiabatic_t1rho, afi_pair, vfa
from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.deviation import SHORT_RATIO, Deviation, draw_deviation

ONE = np.ones(1, np.float32)


def test_a_matched_scan_does_not_deviate() -> None:
    deviation = draw_deviation(SimulateConfig(), np.random.default_rng(0))
    assert deviation == Deviation()
    for acquisition in (vfa(30.0), adiabatic_t1rho(0.048), *afi_pair()):
        assert deviation.acquisition(acquisition) == acquisition
        assert deviation.transfer_factor(TISSUES["muscle"], acquisition, ONE) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_a_mismatched_scan_deviates_within_the_stated_ranges(seed: int) -> None:
    deviation = draw_deviation(SimulateConfig(version="mismatch"), np.random.default_rng(seed))
    assert deviation.spoke_spacing is not None
    assert 0.004 <= deviation.spoke_spacing <= 0.006
    assert 0.92 <= deviation.pulse_efficiency <= 1.0
    # pulses are on where the spin-lock time is not 0
    assert deviation.acquisition(adiabatic_t1rho(0.0)).preparation_efficiency == 1.0
    on = deviation.acquisition(adiabatic_t1rho(0.012))
    assert on.preparation_efficiency == deviation.pulse_efficiency
    assert on.spoke_spacing == deviation.spoke_spacing


@pytest.mark.parametrize("time", [0.012, 0.048, 0.096])
def test_two_exponentials_are_one_at_each_time_and_their_mean_is_the_truth(time: float) -> None:
    deviation, truth = Deviation(short_part=0.25), 0.040
    effective = deviation.effective_t1rho(ONE * truth, adiabatic_t1rho(time)).item()
    # the long time from the definition, by another way than the program's
    long = truth / (0.25 * SHORT_RATIO + 0.75)
    expected = 0.25 * np.exp(-time / (SHORT_RATIO * long)) + 0.75 * np.exp(-time / long)
    assert np.exp(-time / effective) == pytest.approx(expected, rel=1e-5)
    assert deviation.effective_t1rho(ONE * truth, adiabatic_t1rho(0.0)).item() == pytest.approx(truth)


def test_magnetization_transfer_grows_with_the_angle_and_spares_fat_and_fluid() -> None:
    deviation = Deviation(transfer_loss=0.06)
    muscle, fluid, fat = (TISSUES[name] for name in ("muscle", "synovial_fluid", "subcutaneous_fat"))
    factors = [deviation.transfer_factor(muscle, vfa(angle), ONE) for angle in (5.0, 10.0, 30.0)]
    assert float(factors[2][0]) == pytest.approx(0.94)
    assert factors[0] > factors[1] > factors[2]
    for tissue in (fluid, fat):
        assert deviation.transfer_factor(tissue, vfa(30.0), ONE) == 1.0
