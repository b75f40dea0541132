"""The vector functions against numpy, over the ranges that signal equations meet and at their ends."""

from collections.abc import Callable

import numpy as np
import pytest
from model_cases import IMAGES, WIDE, draw, exact_signals, given_of
from numba import njit
from numpy.typing import NDArray

from rmqnet.domain.maps import Reason
from rmqnet.fit import lane_math
from rmqnet.fit.problem import single
from rmqnet.fit.voxels import fit_voxels
from rmqnet.physics.kernels import FASTMATH

ULP = 2.0**-52


def over_lanes(function: Callable) -> Callable[[NDArray], NDArray]:
    """The function in a loop over voxels, compiled with the freedoms that the fit compiles with."""

    @njit(fastmath=set(FASTMATH), error_model="numpy")
    def loop(x, out):
        for lane in range(x.shape[0]):
            out[lane] = function(x[lane])

    def run(x: NDArray) -> NDArray:
        out = np.empty_like(x)
        loop(x, out)
        return out

    return run


RNG = np.random.default_rng(0)
NEAR_ZERO = np.concatenate([sign * 10.0 ** RNG.uniform(-300, 0, 20000) for sign in (-1, 1)])


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("exp", RNG.uniform(-700, 700, 100_000)),
        ("exp", NEAR_ZERO),
        ("expm1", RNG.uniform(-700, 700, 100_000)),
        ("expm1", RNG.uniform(-1, 1, 100_000)),
        ("expm1", NEAR_ZERO),
    ],
)
def test_exponentials_are_within_what_the_rounding_of_their_argument_costs_anyway(
    name: str, x: NDArray
) -> None:
    """An argument x that is right to half a unit leaves x / 2 units in the exponential of the best library."""
    expected = getattr(np, name)(x)
    error = np.abs(over_lanes(getattr(lane_math, name))(x) - expected)
    assert (error <= (4 + np.abs(x) / 2) * ULP * np.abs(expected)).all()


@pytest.mark.parametrize("x", [10.0 ** RNG.uniform(-307, 308, 100_000), RNG.uniform(0.5, 2, 100_000)])
def test_the_logarithm_is_within_units_of_the_last_digit(x: NDArray) -> None:
    np.testing.assert_allclose(over_lanes(lane_math.log)(x), np.log(x), rtol=4 * ULP, atol=0)


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("largest", [np.pi / 2, 10.0, 1000.0])
def test_sine_and_cosine_are_within_units_of_the_last_digit_of_one(name: str, largest: float) -> None:
    """Absolute: near their zeros the error of the reduction to a quarter turn counts, not that of the series."""
    x = np.concatenate([RNG.uniform(-largest, largest, 100_000), [0.0, largest, -largest]])
    slack = 2 * ULP * max(1.0, largest / 10)
    np.testing.assert_allclose(
        over_lanes(getattr(lane_math, name))(x), getattr(np, name)(x), rtol=0, atol=slack
    )


def test_the_sine_of_a_small_angle_keeps_its_digits() -> None:
    np.testing.assert_allclose(over_lanes(lane_math.sin)(NEAR_ZERO), np.sin(NEAR_ZERO), rtol=4 * ULP)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 25, 127, 512, 1000, 1023])
def test_a_whole_power_is_that_of_numpy(exponent: int) -> None:
    base = np.concatenate([RNG.uniform(-1, 1, 20000), RNG.uniform(0.99, 1.01, 20000)])
    power = over_lanes(njit(lambda x: lane_math.whole_power(x, exponent)))
    # each of the squarings doubles the relative error
    np.testing.assert_allclose(power(base), base**exponent, rtol=2 * (exponent + 1) * ULP, atol=1e-307)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("cos_sqrt", np.cos),
        ("sinc_sqrt", lambda z: np.sinc(z / np.pi)),
    ],
)
def test_functions_of_a_square_root_are_those_of_complex_numbers(name: str, reference: Callable) -> None:
    x = np.concatenate([RNG.uniform(-30, 30, 20000), NEAR_ZERO, [0.0, 1e-4, -1e-4]])
    expected = reference(np.emath.sqrt(x.astype(complex))).real
    np.testing.assert_allclose(over_lanes(getattr(lane_math, name))(x), expected, rtol=1e-13, atol=1e-13)


def test_the_slope_of_the_sinc_is_smooth_where_its_series_takes_over() -> None:
    x = np.concatenate([RNG.uniform(-30, 30, 20000), RNG.uniform(-0.02, 0.02, 20000), [0.0, 0.01, -0.01]])
    # the power series: its terms (-x)^k / (2k + 1)! differentiate one by one
    factorial, expected, power = 1.0, np.zeros_like(x), np.ones_like(x)
    for k in range(1, 40):
        factorial *= 2 * k * (2 * k + 1)
        expected += (-1) ** k * k * power / factorial
        power = power * x
    np.testing.assert_allclose(over_lanes(lane_math.slope_sinc_sqrt)(x), expected, rtol=1e-11, atol=1e-11)


def test_exponents_past_the_range_of_numbers_end_at_its_ends_and_warn_of_nothing() -> None:
    x = np.array([-1e300, -np.inf, -745.0, -700.0, 700.0, 745.0, np.inf])
    ends = over_lanes(lane_math.exp)(x)
    assert (ends[:4] <= np.exp(-700.0) * (1 + 4 * ULP)).all()
    assert (ends[4:] >= np.exp(700.0) * (1 - 4 * ULP)).all()
    assert np.isfinite(ends).all()
    np.testing.assert_array_equal(over_lanes(lane_math.expm1)(x[:4]), -1.0)


@pytest.mark.parametrize("name", IMAGES)
def test_a_nan_anywhere_in_a_voxel_leaves_no_number_in_its_result(name: str) -> None:
    """The functions hold their arguments within limits, which would turn NaN into a number: the fit must not ask them.

    One voxel per place of the NaN, in each of the signals and of the given quantities.
    """
    n_places = len(IMAGES[name]) + len(single(IMAGES[name], name).given)
    mid = {key: (np.sqrt(low * high),) * 2 if low > 0 else (0.1, 0.1) for key, (low, high) in WIDE.items()}
    mid["stretching_exponent"] = (0.8, 0.8)
    values = draw(np.random.default_rng(1), n_places, {**mid, "offset": (0.0, 0.1)})
    signals, given = exact_signals(name, IMAGES[name], values), given_of(name, values)
    rows = [*signals, *given.values()]
    for place, row in enumerate(rows):
        row[place] = np.nan
    for likelihood in ("gaussian", "rician") if name in ("vfa", "adiabatic_t1rho") else ("gaussian",):
        result = fit_voxels(single(IMAGES[name], name), signals, given, likelihood=likelihood)
        assert np.isin(result.reason, [Reason.BAD_SIGNAL, Reason.MISSING_GIVEN]).all()
        assert all(np.isnan(found).all() for found in result.values.values())
        assert np.isnan(result.covariance).all()
        assert np.isnan(result.gain).all()
        assert np.isnan(result.misfit).all()
