import dataclasses

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.protocols import INPUT_SETS, adiabatic_t1rho, afi_pair, input_set, vfa
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.samples.stack import stack_inputs

GRID = centered_grid((3, 8, 6), (3.0, 0.6, 0.6))
COARSE = centered_grid((3, 4, 3), (3.0, 1.2, 1.2))


def series(acquisitions, values, grid=GRID, dtype=np.float32):
    data = np.ones((len(acquisitions), *grid.shape), dtype) * np.reshape(values, (-1, 1, 1, 1)).astype(dtype)
    return ImageSeries(data, tuple(acquisitions), grid)


def full_scan(*, reverse=False):
    flip = [vfa(a) for a in (5.0, 10.0, 20.0, 30.0)]
    lock = [adiabatic_t1rho(t) for t in (0.0, 0.012, 0.024, 0.036, 0.048, 0.072, 0.096)]
    afi = list(afi_pair())
    values = [[a.flip_angle for a in flip], [a.spin_lock_time for a in lock], [7.0, 9.0]]
    if reverse:
        flip, lock, afi, values = flip[::-1], lock[::-1], afi[::-1], [v[::-1] for v in values]
    return Scan(
        Subject("01", "right"),
        {
            "afi": series(afi, values[2], COARSE),
            "adiabatic_t1rho": series(lock, values[1]),
            "vfa": series(flip, values[0]),
        },
    )


@pytest.mark.parametrize("name", INPUT_SETS)
@pytest.mark.parametrize("reverse", [False, True])
def test_images_stand_in_the_order_of_the_input_set_whatever_their_order_in_the_files(name, reverse):
    stack = stack_inputs(full_scan(reverse=reverse), input_set(name))
    inputs = input_set(name)
    expected = [*inputs.flip_angles, *inputs.spin_lock_times, *((7.0, 9.0) if inputs.afi else ())]
    assert stack.data.dtype == np.float32
    np.testing.assert_allclose(stack.data[:, 1, 4, 3], expected, rtol=1e-6)
    assert stack.acquisitions == inputs.acquisitions


def test_other_settings_than_the_identifying_one_do_not_hide_an_image():
    slow = dataclasses.replace(vfa(20.0), repetition_time_excitation=0.030)
    scan = Scan(
        Subject("01", "right"),
        {"vfa": series([slow], [1]), "adiabatic_t1rho": series([adiabatic_t1rho(0.048)], [2])},
    )
    stack = stack_inputs(scan, input_set("1FA+1TSL"))
    assert stack.acquisitions[0].repetition_time_excitation == 0.030


def test_a_missing_image_is_named_beside_what_the_scan_has():
    scan = Scan(
        Subject("07", "right"),
        {"vfa": series([vfa(30.0)], [1]), "adiabatic_t1rho": series([adiabatic_t1rho(0.0)], [1])},
    )
    with pytest.raises(
        InputError, match=r"1FA\+2TSL needs adiabatic_t1rho TSL 12 ms, TSL 72 ms.*sub-07"
    ) as error:
        stack_inputs(scan, input_set("1FA+2TSL"))
    assert "it has vfa FA 30\N{DEGREE SIGN}; adiabatic_t1rho TSL 0 ms" in str(error.value)


def test_a_scan_without_images_is_refused():
    with pytest.raises(InputError, match="it has no images"):
        stack_inputs(Scan(Subject("07", "right"), {}), input_set("1FA+2TSL"))


def test_two_images_of_one_flip_angle_are_refused():
    scan = Scan(
        Subject("07", "right"),
        {
            "vfa": series([vfa(20.0), vfa(20.0)], [1, 2]),
            "adiabatic_t1rho": series([adiabatic_t1rho(0.048)], [1]),
        },
    )
    with pytest.raises(InputError, match="has 2 images with FA 20"):
        stack_inputs(scan, input_set("1FA+1TSL"))


def test_spin_lock_images_on_another_grid_are_refused():
    scan = Scan(
        Subject("07", "right"),
        {"vfa": series([vfa(20.0)], [1]), "adiabatic_t1rho": series([adiabatic_t1rho(0.048)], [1], COARSE)},
    )
    with pytest.raises(InputError, match="register them onto one grid"):
        stack_inputs(scan, input_set("1FA+1TSL"))


def test_complex_images_become_magnitude():
    scan = Scan(
        Subject("07", "right"),
        {
            "vfa": series([vfa(20.0)], [3 + 4j], dtype=np.complex64),
            "adiabatic_t1rho": series([adiabatic_t1rho(0.048)], [2j], dtype=np.complex64),
        },
    )
    stack = stack_inputs(scan, input_set("1FA+1TSL"))
    assert stack.data.dtype == np.float32
    np.testing.assert_allclose(stack.data[:, 0, 0, 0], [5.0, 2.0])


def test_afi_images_are_zero_outside_their_own_field_of_view():
    scan = full_scan()
    small = centered_grid((3, 2, 3), (3.0, 1.2, 1.2))
    scan = Scan(scan.subject, {**scan.series, "afi": series(afi_pair(), [7.0, 9.0], small)})
    stack = stack_inputs(scan, input_set("4FA+7TSL+AFI"))
    np.testing.assert_allclose(stack.data[-1, 1, :, 3], [0, 0, 9, 9, 9, 9, 0, 0])
