"""What surrounds elastix: interpolation, targets, checks, verdicts."""

import numpy as np
import pytest

from rmqnet.domain.acquisition import METHODS
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid, coarser
from rmqnet.domain.motion import STILL, inverse, rigid_motion
from rmqnet.domain.protocols import FULL, adiabatic_t1rho, vfa
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.register.checks import check_same_knee, check_upright, check_whole
from rmqnet.register.config import RegisterConfig
from rmqnet.register.parameters import against_prediction
from rmqnet.register.register import verdict
from rmqnet.register.resample import labels_taken_back, slice_parts, taken_back, thin_slices
from rmqnet.register.target import misfit, predicted
from rmqnet.register.volumes import REGISTRATION_ORDER, fixed_unit, joint_box, units_of

GRID = centered_grid((10, 40, 40), (3.0, 1.0, 1.0))


def blobs(seed: int) -> np.ndarray:
    """A smooth random image without symmetry."""
    from scipy.ndimage import gaussian_filter

    white = np.random.default_rng(seed).standard_normal(GRID.shape)
    image = gaussian_filter(white, (1.0, 3.0, 3.0))
    return (1 + image / np.abs(image).max()).astype(np.float32)


def test_an_image_that_did_not_move_comes_back_bit_by_bit():
    image = blobs(0)
    assert (taken_back(image, GRID, STILL, GRID) == image).all()


def test_an_image_taken_along_a_motion_and_back_is_itself():
    image = blobs(1)
    motion = rigid_motion(np.array([1.0, 2.0, 0.0]), np.array([0.5, 1.0, -1.0]), np.zeros(3))
    there = np.nan_to_num(taken_back(image, GRID, inverse(motion, GRID), GRID))
    back = taken_back(there, GRID, motion, GRID)
    inside = (slice(3, 7), slice(8, 32), slice(8, 32))
    assert back[inside] == pytest.approx(image[inside], abs=0.02)


def test_what_was_not_measured_is_not_a_number():
    moved = rigid_motion(np.zeros(3), np.array([-9.0, 0.0, 0.0]), np.zeros(3))  # three slices to the left
    image = taken_back(blobs(2), GRID, moved, GRID)
    assert np.isnan(image).any(axis=(1, 2)).tolist() == [False] * 7 + [True] * 3


def test_thick_slices_are_split_into_what_their_band_says_lies_between():
    slices = np.arange(10)

    def wave(z: np.ndarray) -> np.ndarray:
        """The finest but two that ten slices hold."""
        return 3 + np.cos(np.pi * 7 * (z + 0.5) / 10)

    image = np.broadcast_to(wave(slices)[:, None, None], GRID.shape)
    thin, grid = thin_slices(image, GRID)
    between = (np.arange(30) + 0.5) / 3 - 0.5
    assert grid.shape == (30, 40, 40)
    assert grid.voxel_size == pytest.approx((1.0, 1.0, 1.0))
    assert thin[:, 5, 5] == pytest.approx(wave(between), abs=1e-5)
    first = grid.affine @ (-0.5, -0.5, -0.5, 1)
    assert first == pytest.approx(GRID.affine @ (-0.5, -0.5, -0.5, 1)), "both grids begin at the same corner"


@pytest.mark.parametrize(("z", "parts"), [(0.7, 1), (1.0, 1), (2.0, 2), (3.0, 3), (5.0, 3)])
def test_slices_are_split_until_they_are_as_thin_as_the_plane_is_fine(z: float, parts: int):
    assert slice_parts(centered_grid((4, 8, 8), (z, 1.0, 1.0))) == (parts, 1, 1)
    assert slice_parts(centered_grid((8, 4, 8), (1.0, z, 1.0))) == (1, parts, 1)
    assert slice_parts(centered_grid((8, 8, 4), (1.0, 1.0, z))) == (1, 1, parts)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_split_whichever_way_they_lie(axis: int):
    across = np.moveaxis(blobs(4), 0, axis)
    sizes = np.roll([3.0, 1.0, 1.0], axis)
    thin, grid = thin_slices(across, centered_grid(across.shape, tuple(sizes)))
    assert np.moveaxis(thin, axis, 0) == pytest.approx(thin_slices(blobs(4), GRID)[0])
    assert grid.voxel_size == pytest.approx((1.0, 1.0, 1.0))


def test_the_filter_across_slices_follows_them():
    schedule = against_prediction("rigid", (1, 3, 1))["MovingImagePyramidSchedule"]
    # x, y, z: coarse, then fine; no filter of the plane changes for thin slices
    assert schedule == ("2", "6", "2", "1", "3", "1")
    assert against_prediction("rigid", (3, 1, 1))["FixedImagePyramidSchedule"] == (
        "2",
        "2",
        "2",
        "1",
        "1",
        "1",
    )


def test_empty_slices_at_the_ends_do_not_ring():
    image = np.zeros(GRID.shape, np.float32)
    image[2:8] = 100
    thin = thin_slices(image, GRID)[0]
    assert thin[6:24] == pytest.approx(100, rel=1e-5)
    assert not thin[:6].any()
    assert not thin[24:].any()
    assert not thin_slices(np.zeros_like(image), GRID)[0].any()


def test_what_is_not_finite_does_not_spread():
    image = blobs(7)
    image[4, 20, 20] = np.inf
    assert np.isfinite(thin_slices(image, GRID)[0]).all()
    flat = np.full(GRID.shape, 100, np.float32)
    flat[4, 20, 20] = np.nan
    moved = taken_back(flat, GRID, rigid_motion(np.zeros(3), np.array([1.4, 0, 0]), np.zeros(3)), GRID)
    # away from the border only the voxels nearest to it have no value, and no other feels it
    assert np.isnan(moved[1:-1]).sum() == 1
    assert moved[np.isfinite(moved)] == pytest.approx(100, rel=1e-5)
    assert not thin_slices(np.full(GRID.shape, np.nan, np.float32), GRID)[0].any()


def test_labels_stay_labels():
    labels = (blobs(3) > 1).astype(np.uint8) * 7
    motion = rigid_motion(np.array([2.0, 1.0, 0.0]), np.array([0.5, 0.7, -1.0]), np.zeros(3))
    assert set(np.unique(labels_taken_back(labels, GRID, motion, GRID))) == {0, 7}


def test_a_coarse_image_comes_onto_the_fine_grid():
    z, y, x = np.indices(GRID.shape)
    fine = (100 + z + 2 * y + 3 * x).astype(np.float32)
    coarse = fine.reshape(5, 2, 20, 2, 20, 2).mean(axis=(1, 3, 5))
    back = taken_back(coarse, coarser(GRID, 2), STILL, GRID)
    # the border is continued by its last value: the kink in the slope is felt for two coarse slices
    inside = (slice(4, 6), slice(8, 32), slice(8, 32))
    assert back[inside] == pytest.approx(fine[inside], abs=0.1)


def test_an_image_that_is_a_sum_of_others_is_predicted():
    mask = np.ones(GRID.shape, bool)
    others = [blobs(4), blobs(5)]
    image = 2 * others[0] - 0.5 * others[1] + 3
    assert predicted(image, others, mask) == pytest.approx(image, abs=1e-4)
    assert misfit(image, predicted(image, others, mask), mask) == pytest.approx(0, abs=1e-6)
    assert misfit(image, np.ones_like(image), mask) == 1.0


def test_a_cropped_volume_is_named():
    joint = np.ones(GRID.shape, bool)
    cropped = blobs(6)
    check_whole("sub-1, FA 5", cropped, joint)
    cropped[:2] = 0
    with pytest.raises(InputError, match=r"sub-1, FA 5: 20 % of the joint .* cropped"):
        check_whole("sub-1, FA 5", cropped, joint)


@pytest.mark.parametrize(("axis", "words"), [(0, "left to right"), (1, "upside down"), (2, "front to back")])
def test_a_flipped_volume_is_named(axis: int, words: str):
    joint = np.ones(GRID.shape, bool)
    image = blobs(7)
    check_upright("TSL 12 ms", 5 - image, [image], joint)
    with pytest.raises(InputError, match=f"TSL 12 ms: this volume is flipped {words}"):
        check_upright("TSL 12 ms", np.flip(5 - image, axis), [image], joint)


def test_a_volume_of_another_subject_is_named():
    joint = np.ones(GRID.shape, bool)
    stranger, others = blobs(8), [blobs(9), blobs(10)]
    with pytest.raises(InputError, match="of another subject"):
        check_same_knee("FA 20", misfit(stranger, predicted(stranger, others, joint), joint))


@pytest.mark.parametrize(
    ("mean", "largest", "rest", "by_model", "outcome"),
    [
        (0.2, 0.4, (0.2, 0.1), None, "still"),
        (1.8, 2.5, (0.2, 0.1), (0.3, 0.2), "corrected"),
        (1.8, 2.5, (0.2, 0.1), None, "corrected"),
        (1.8, 2.5, (0.2, 0.1), (0.3, 0.31), "not trusted"),
        (1.8, 2.5, (0.2, 0.199), (0.3, 0.2), "not trusted"),
        (9.0, 30.0, (0.2, 0.1), (0.3, 0.2), "not trusted"),
    ],
)
def test_a_correction_is_kept_only_where_it_helps(mean, largest, rest, by_model, outcome):
    found, sentence = verdict(mean, largest, rest, by_model, RegisterConfig())
    assert found == outcome
    assert ("left as it was" in sentence) == (outcome != "corrected")
    if outcome == "corrected":
        assert sentence == "moved 1.8 mm, corrected"


@pytest.fixture
def scan() -> Scan:
    """A full protocol of ones, the AFI pair on its coarse grid."""
    series = {}
    for method in ("vfa", "adiabatic_t1rho", "afi"):
        own = tuple(item for item in FULL.acquisitions if item.method == method)
        grid = coarser(GRID, 2) if method == "afi" else GRID
        series[method] = ImageSeries(np.ones((len(own), *grid.shape), np.float32), own, grid)
    return Scan(Subject("a", "left"), series)


def test_the_afi_pair_is_one_unit_led_by_its_short_repetition_time(scan: Scan):
    *others, pair = units_of(scan)
    assert len(others) == 11
    assert pair.label == "AFI pair"
    times = [scan.series["afi"].acquisitions[k].repetition_time_excitation for k in pair.indices]
    assert times == sorted(times, key=lambda time: time or 0.0)
    assert len(pair.indices) == 2


def test_the_fixed_image_is_a_stated_choice(scan: Scan):
    units = units_of(scan)
    assert fixed_unit(scan, units, None).label == vfa(10.0).label
    assert fixed_unit(scan, units, "TSL 0 ms").label == adiabatic_t1rho(0.0).label
    assert fixed_unit(scan, units, "fa 20").label == vfa(20.0).label
    with pytest.raises(InputError, match="it has FA 5"):
        fixed_unit(scan, units, "FA 12")


def test_without_vfa_the_shortest_spin_lock_time_stays(scan: Scan):
    lock = scan.series["adiabatic_t1rho"]
    turned = ImageSeries(lock.data, lock.acquisitions[::-1], lock.grid)
    only = Scan(scan.subject, {"adiabatic_t1rho": turned})
    assert fixed_unit(only, units_of(only), None).label == "TSL 0 ms"


def test_the_joint_box_lies_where_it_is_said():
    assert joint_box(GRID, (0.1, 0.9, 0.25, 0.75, 0.0, 1.0)) == (slice(1, 9), slice(10, 30), slice(0, 40))


@pytest.mark.parametrize(
    "options",
    [
        {"quality": "best"},
        {"linear": "similarity"},
        {"joint_box": (0.5, 0.1, 0, 1, 0, 1)},
        {"smallest_motion": -1.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict):
    with pytest.raises(InputError):
        RegisterConfig(**options)


def test_every_method_is_registered_and_none_is_left_to_chance(scan: Scan):
    assert set(REGISTRATION_ORDER) == set(METHODS)
    units = units_of(scan)
    moved = {(unit.method, index) for unit in units for index in unit.indices}
    present = {(method, k) for method, own in scan.series.items() for k in range(len(own.acquisitions))}
    assert moved == present
