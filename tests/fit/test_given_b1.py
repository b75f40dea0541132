"""Fits of scans without AFI images with a B1 map from elsewhere."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.physics.signals import synthesize

GRID = centered_grid((3, 16, 16), (3.0, 2.0, 2.0))
B1 = np.broadcast_to(np.linspace(0.8, 1.2, 16, dtype=np.float32), GRID.shape).copy()
MASK = np.ones(GRID.shape, bool)


def scan(*methods: str) -> Scan:
    """Cartilage without noise under a transmit field that changes along x."""
    images = {"vfa": slice(4), "adiabatic_t1rho": slice(4, 11), "afi": slice(11, None)}
    series = {}
    for method in methods:
        acquisitions = FULL.acquisitions[images[method]]
        signals = synthesize(acquisitions, {"M0": 1000.0, "T1": 1.0, "T1rho": 0.04, "B1": B1})
        series[method] = ImageSeries(signals.astype(np.float32), acquisitions, GRID)
    return Scan(Subject("01", "right"), series)


@pytest.mark.parametrize("joint", [False, True])
def test_the_fit_with_the_true_b1_finds_the_tissue_and_that_with_one_value_does_not(joint: bool) -> None:
    one = scan("vfa", "adiabatic_t1rho")
    config = FitConfig(joint=joint, noise=1.0, remove_fat=False)
    maps = fit(one, config, b1=B1, mask=MASK)
    np.testing.assert_array_equal(maps.values["B1"], B1)
    np.testing.assert_allclose(maps.values["T1"], 1.0, rtol=1e-3)
    np.testing.assert_allclose(maps.values["T1rho"], 0.04, rtol=1e-3)
    assert "B1" not in maps.sd
    without = FitConfig(joint=joint, noise=1.0, remove_fat=False, assumed_b1=1.0)
    wrong = fit(one, without, mask=MASK).values["T1"]
    # T1 takes the square of what B1 lacks
    np.testing.assert_allclose(wrong[..., 0] / 0.8**2, wrong[..., -1] / 1.2**2, rtol=0.1)


def hole(value: float) -> NDArray[np.float32]:
    b1 = B1.copy()
    b1[1, 4:6] = value
    return b1


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, 90.0])
def test_a_voxel_whose_b1_is_missing_or_impossible_has_no_value_and_says_why(value: float) -> None:
    maps = fit(scan("vfa"), FitConfig(noise=1.0), b1=hole(value), mask=MASK)
    for name in ("B1", "T1", "M0"):
        missing = np.isnan(maps.values[name])
        assert missing.sum() == 2 * 16
        assert (maps.reason[name][missing] == Reason.MISSING_GIVEN).all()


def test_background_has_no_b1() -> None:
    inside = MASK.copy()
    inside[0] = False
    maps = fit(scan("vfa"), FitConfig(noise=1.0), b1=B1, mask=inside)
    assert np.isnan(maps.values["B1"][0]).all()
    assert (maps.reason["B1"][0] == Reason.BACKGROUND).all()


@pytest.mark.parametrize(
    ("methods", "options", "b1", "words"),
    [
        (("vfa", "afi"), {}, B1, "has afi images, so B1 can be fitted"),
        (("vfa",), {"assumed_b1": 1.0}, B1, "a B1 map is given and one value assumed"),
        (("vfa",), {}, B1[1:], r"the B1 map \(2, 16, 16\) does not match the images \(3, 16, 16\)"),
        (("vfa",), {"b1_method": "exact"}, B1, "the exact B1 needs AFI and VFA images"),
        (("vfa",), {}, 100 * B1, r"must be a ratio.* the median of yours is 100 \(is it in percent\?\)"),
        (("vfa",), {}, 0 * B1, "must be a ratio"),
    ],
)
def test_a_b1_map_that_can_not_be_used_is_refused(methods, options, b1, words) -> None:
    with pytest.raises(InputError, match=words):
        fit(scan(*methods), FitConfig(**options), b1=b1, mask=MASK)
