"""The same knee with one property changed."""

import copy

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.simulate.change import changed
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.simulate import knee_and_scan_rng, scan_knee, simulate_subject

CONFIG = SimulateConfig(n_subjects=4, seed=7, shape=(12, 64, 64))


@pytest.fixture(scope="module")
def prepared():
    return knee_and_scan_rng(CONFIG, 1)


def test_a_scan_is_repeated_from_a_copy_of_its_randomness(prepared):
    knee, rng = prepared
    whole = simulate_subject(CONFIG, 1)
    again = scan_knee(knee, CONFIG, copy.deepcopy(rng))
    for method, series in whole.scan.series.items():
        np.testing.assert_array_equal(again.scan.series[method].data, series.data)


def test_only_the_wanted_property_of_cartilage_changes(prepared):
    knee, rng = prepared
    base = scan_knee(knee, CONFIG, copy.deepcopy(rng))
    for quantity, factor in (("T1", 1.2), ("T1rho", 0.8), ("M0", 1.1)):
        other = scan_knee(changed(knee, quantity, factor), CONFIG, copy.deepcopy(rng), noise=base.noise)
        assert other.noise == base.noise
        cartilage = base.labels.mask("cartilage")
        for name, before in base.truth.values.items():
            after = other.truth.values[name]
            ratio = after[cartilage] / before[cartilage]
            assert np.median(ratio) == pytest.approx(factor if name == quantity else 1.0, rel=0.01)
            np.testing.assert_array_equal(after[~cartilage], before[~cartilage])
        np.testing.assert_array_equal(other.labels.labels, base.labels.labels)


def test_b1_changes_everywhere_and_another_quantity_is_refused(prepared):
    knee, _ = prepared
    np.testing.assert_allclose(changed(knee, "B1", 1.05).maps.B1, knee.maps.B1 * 1.05, rtol=1e-6)
    with pytest.raises(InputError, match="quantity must be one of T1, T1rho, M0, B1, got 'T2'"):
        changed(knee, "T2", 1.1)
