"""Motion of the knee between images."""

from dataclasses import replace

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.motion import STILL, displacement, rotation_angle
from rmqnet.domain.protocols import FULL, vfa
from rmqnet.register.resample import taken_back
from rmqnet.simulate.config import MOTION_BETWEEN, SimulateConfig
from rmqnet.simulate.shift import UNMOVED, draw_motions
from rmqnet.simulate.simulate import simulate_subject

SMALL = SimulateConfig(n_subjects=1, seed=3, shape=(16, 64, 64), snr_range=(190.0, 200.0), snr_mode=195.0)
MOVING = replace(SMALL, **MOTION_BETWEEN)


@pytest.fixture(scope="module")
def knees():
    """The same knee, still and moving."""
    return simulate_subject(SMALL, 0), simulate_subject(MOVING, 0)


def test_the_knee_and_the_unmoved_image_are_the_same(knees):
    still, moving = knees
    assert still.motions == {}
    first, second = (knee.scan.series["vfa"].image(UNMOVED) for knee in knees)
    assert (first == second).all()
    assert (still.labels.labels == moving.labels.labels).all()
    assert not (still.scan.series["vfa"].image(vfa(30.0)) == moving.scan.series["vfa"].image(vfa(30.0))).all()


def test_the_truth_takes_every_image_back(knees):
    still, moving = knees
    inside = still.cartilage_fraction > 0
    inside[:3] = inside[-3:] = False
    assert set(moving.motions) == set(FULL.acquisitions)
    for method in ("vfa", "adiabatic_t1rho"):
        series = moving.scan.series[method]
        for image, acquisition in zip(series.data, series.acquisitions, strict=True):
            true = still.scan.series[method].image(acquisition)
            back = taken_back(image, series.grid, moving.motions[acquisition], series.grid)
            error, moved = (np.abs(one - true)[inside].mean() for one in (back, image))
            # slices of 6.75 mm don't come back whole, but nearer than they were
            assert (
                error < moved or displacement(moving.motions[acquisition], series.grid)[inside].mean() < 0.3
            )


def test_the_afi_pair_moves_together_and_sizes_keep_their_limits():
    grid = centered_grid((16, 64, 64), (6.75, 2.34, 2.34))
    motions = draw_motions(FULL.acquisitions, grid, MOVING, np.random.default_rng(0))
    first, second = (motions[item] for item in FULL.acquisitions if item.method == "afi")
    assert first is second
    assert motions[UNMOVED] is STILL
    for motion in motions.values():
        assert rotation_angle(motion) <= 3.0 + 1e-6
        if motion.field is not None:
            assert np.linalg.norm(motion.field, axis=0).max() <= 2.0 + 1e-9


def test_a_motion_that_no_knee_makes_is_refused():
    with pytest.raises(InputError, match="rotation_between"):
        SimulateConfig(rotation_between=90.0)
