"""B1 from AFI: exact fit beside closed form, and the smoothing of the map."""

import numpy as np
import pytest

from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import afi_pair
from rmqnet.fit.b1 import closed_form, smooth

GRID = centered_grid((8, 40, 40), (6.0, 1.2, 1.2))
ONES = np.ones(GRID.shape)


def test_a_constant_field_stays_constant_right_up_to_its_edges() -> None:
    np.testing.assert_allclose(smooth(1.1 * ONES, ONES, GRID, 4.0), 1.1, rtol=1e-6)
    rising = np.linspace(0.1, 9, 40) * ONES
    np.testing.assert_allclose(smooth(1.1 * ONES, rising, GRID, 4.0), 1.1, rtol=1e-6)


def test_noise_shrinks_as_a_gaussian_of_that_width_must_shrink_it() -> None:
    """Per axis a Gaussian of sigma voxels lowers the variance to 1 / (2 sqrt(pi) sigma), if sigma is over 0.5."""
    noise = np.random.default_rng(0).normal(0, 0.01, (20, *GRID.shape))
    sigma = 4.0 / np.array(GRID.voxel_size)
    expected = 0.01 / np.sqrt(np.prod(2 * np.sqrt(np.pi) * sigma))
    inner = (slice(2, -2), slice(12, -12), slice(12, -12))
    left = np.stack([smooth(1 + one, ONES, GRID, 4.0)[inner] - 1 for one in noise])
    assert np.sqrt(np.mean(left**2)) == pytest.approx(expected, rel=0.15)


def test_gaps_are_filled_and_far_points_stay_empty() -> None:
    b1 = 1.1 * ONES
    b1[:, 20:22, 20:22] = np.nan
    b1[:, :, 30:] = np.nan
    result = smooth(b1, ONES, GRID, 3.0)
    assert np.isfinite(result[:, :, :31]).all()
    np.testing.assert_allclose(result[:, 20:22, 20:22], 1.1, rtol=1e-6)
    assert np.isnan(result[:, :, 38:]).all()


def test_an_outlier_in_a_dark_voxel_hardly_counts() -> None:
    b1, weight = ONES.copy(), ONES.copy()
    b1[4, 20, 20], weight[4, 20, 20] = 2.0, 1e-6
    assert abs(smooth(b1, weight, GRID, 3.0) - 1).max() < 1e-5


def test_a_map_without_any_value_stays_empty() -> None:
    assert np.isnan(smooth(np.nan * ONES, ONES, GRID, 3.0)).all()


def test_the_closed_form_ignores_the_scale_and_uses_the_settings() -> None:
    short, long = np.array([1.0, 1e-6, 1e9]), np.array([0.7, 0.7e-6, 0.7e9])
    b1, reason = closed_form(short, long, afi_pair()[0])
    assert (reason == Reason.VALID).all()
    # by hand: n = 5, r = 0.7: cos = 2.5 / 4.3
    np.testing.assert_allclose(b1, np.degrees(np.arccos(2.5 / 4.3)) / 45.0, rtol=1e-6)
