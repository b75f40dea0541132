"""Predictions that look at no image."""

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.predict.prior import learn_prior, positions, predict_population, predict_position

GRID = centered_grid((6, 20, 20), (3.0, 0.6, 0.6))


def regions(*, mirrored: bool = False) -> Segmentation:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[1:5, 4:12, 4:16] = 1
    labels[1:3, 14:18, 4:16] = 2
    return Segmentation(np.ascontiguousarray(labels[::-1]) if mirrored else labels, SEGMENTED, GRID)


def maps(values: np.ndarray, m0: float = 100.0) -> MapSet:
    volumes = {"T1": values.astype(np.float32), "M0": np.full(GRID.shape, m0, np.float32)}
    return MapSet(volumes, {name: np.full(GRID.shape, Reason.VALID, np.uint8) for name in volumes}, GRID)


def gradient() -> np.ndarray:
    """Values that rise along the knee, the same for everybody."""
    return np.broadcast_to(np.linspace(0.5, 1.5, 20)[None, :, None], GRID.shape)


def test_position_predicts_what_depends_on_position_alone():
    people = [(maps(gradient()), regions(), "right", 50.0)] * 30
    prior = learn_prior(people, ("T1", "M0"))
    found = predict_position(prior, regions(), "right", 25.0).values
    inside = regions().mask("cartilage")
    error = np.abs(found["T1"] - gradient())[inside]
    # a bin of the box holds one or two rows
    assert error.max() < 0.06
    # M0 follows the intensity of the images
    np.testing.assert_allclose(found["M0"], 50.0, rtol=1e-6)
    assert prior.n_people == 30


def test_the_population_mean_is_one_value_of_cartilage_only():
    values = np.where(regions().mask("cartilage"), 0.8, 9.0)
    prior = learn_prior([(maps(values), regions(), "right", 50.0)], ("T1",))
    np.testing.assert_allclose(predict_population(prior, GRID, 1.0).values["T1"], 0.8, rtol=1e-6)


def test_a_left_knee_is_the_mirrored_right_knee():
    tilted = np.broadcast_to(np.linspace(0.5, 1.5, 6)[:, None, None], GRID.shape)
    right = learn_prior([(maps(tilted), regions(), "right", 1.0)], ("T1",))
    left = learn_prior([(maps(tilted[::-1]), regions(mirrored=True), "left", 1.0)], ("T1",))
    np.testing.assert_allclose(left.position["T1"], right.position["T1"])
    one = predict_position(right, regions(), "right", 1.0).values["T1"]
    other = predict_position(right, regions(mirrored=True), "left", 1.0).values["T1"]
    np.testing.assert_allclose(other, one[::-1])


def test_voxels_without_a_value_teach_nothing():
    values = np.array(gradient())
    values[:, ::2] = np.nan
    prior = learn_prior([(maps(values), regions(), "right", 1.0)] * 3, ("T1",))
    assert np.isfinite(prior.position["T1"]).all()


def test_nobody_and_no_region():
    with pytest.raises(InputError, match="at least one person"):
        learn_prior([], ("T1",))
    empty = Segmentation(np.zeros(GRID.shape, np.uint8), SEGMENTED, GRID)
    where, bins = positions(empty, "right")
    assert len(where) == 3
    assert bins.shape == (5, 0)
