"""Motions: where points go, and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid, coarser
from rmqnet.domain.motion import (
    STILL,
    Motion,
    chained,
    displacement,
    field_grid,
    grid_center,
    grid_points,
    grid_positions,
    inverse,
    motion_from_positions,
    rigid_motion,
    rotation_angle,
)

GRID = centered_grid((12, 64, 64), (9.0, 2.0, 2.0))


def soft_motion(seed: int, turn: float, shift: float, soft: float) -> Motion:
    rng = np.random.default_rng(seed)
    rigid = rigid_motion(turn * np.ones(3), shift * np.ones(3), grid_center(GRID))
    coarse = field_grid(GRID, 40.0)
    field = rng.standard_normal((3, *coarse.shape))
    return Motion(rigid.matrix, soft * field / np.linalg.norm(field, axis=0).max(), coarse)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 100),
    turn=st.floats(-3, 3),
    shift=st.floats(-3, 3),
    soft=st.floats(0, 2),
)
def test_a_motion_and_its_inverse_lead_back(seed: int, turn: float, shift: float, soft: float):
    motion = soft_motion(seed, turn, shift, soft)
    points = np.random.default_rng(seed).uniform(-40, 40, (3, 200))
    # 0.02 mm: the inverse is kept on points 6 mm apart
    assert inverse(motion, GRID).positions(motion.positions(points)) == pytest.approx(points, abs=0.02)


def test_positions_on_a_grid_are_those_of_its_points():
    motion = soft_motion(3, 2.0, 1.0, 2.0)
    for grid in (GRID, coarser(GRID, 2)):
        assert grid_positions(motion, grid) == pytest.approx(motion.positions(grid_points(grid)), abs=1e-9)


def test_one_point_is_moved_as_many_are():
    motion = soft_motion(4, 1.0, 1.0, 2.0)
    points = np.random.default_rng(1).uniform(-30, 30, (3, 4))
    assert motion.positions(points[:, 2]) == pytest.approx(motion.positions(points)[:, 2])


def test_one_motion_after_another_is_their_chain():
    first, second = soft_motion(1, 1.0, 2.0, 1.0), soft_motion(2, -2.0, 1.0, 1.5)
    points = np.random.default_rng(0).uniform(-40, 40, (3, 100))
    both = chained(first, second, GRID).positions(points)
    assert both == pytest.approx(second.positions(first.positions(points)), abs=0.03)


def test_a_rigid_motion_is_found_again_from_positions_without_a_field():
    rigid = rigid_motion(np.array([1.0, -2.0, 0.5]), np.array([1.0, 0.0, -2.0]), np.array([5.0, 3.0, 1.0]))
    points = grid_points(GRID)
    found = motion_from_positions(points, rigid.positions(points), GRID)
    assert found.field is None
    assert found.matrix == pytest.approx(rigid.matrix, abs=1e-9)
    assert rotation_angle(found) == pytest.approx(np.sqrt(1 + 4 + 0.25), abs=1e-6)


def test_a_still_knee_is_nowhere_displaced():
    assert STILL.is_still
    assert displacement(STILL, GRID).max() == 0
    assert not soft_motion(0, 0.0, 0.0, 1.0).is_still


def test_a_field_needs_its_grid():
    with pytest.raises(InputError, match="grid"):
        Motion(np.eye(4), np.zeros((3, 4, 4, 4)))
    with pytest.raises(InputError, match="does not match"):
        Motion(np.eye(4), np.zeros((3, 4, 4, 4)), GRID)
    with pytest.raises(InputError, match="finite"):
        Motion(np.full((4, 4), np.nan))
