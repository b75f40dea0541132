import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import MapSet
from rmqnet.domain.protocols import input_set
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.samples.augment import augment, window
from rmqnet.samples.sample import make_samples
from rmqnet.samples.scaling import bright_voxels, intensity_scale, map_divisor, network_scales
from rmqnet.samples.stack import stack_inputs

INPUTS = input_set("1FA+1TSL")
TISSUES = ("femoral_cartilage", "medial_tibial_cartilage")


def samples_of(study, **options):
    """The slice with femoral cartilage."""
    return with_tissue(make_samples(*study(**options), INPUTS, TISSUES, ("M0", "T1")))


def with_tissue(samples):
    return [sample for sample in samples if sample.mask[0].any()]


def test_a_sample_holds_scaled_images_maps_and_masks(study):
    scan, maps, labels = study()
    (sample,) = with_tissue(make_samples(scan, maps, labels, INPUTS, TISSUES, ("M0", "T1")))
    scale = intensity_scale(stack_inputs(scan, INPUTS))
    assert (sample.slice, sample.subject) == (1, "01")
    np.testing.assert_allclose(sample.signals[0] * scale, scan.series["vfa"].data[0, 1], rtol=1e-6)
    np.testing.assert_allclose(
        sample.maps[0] * scale * QUANTITIES["M0"].network_scale, maps.values["M0"][1], rtol=1e-5
    )
    np.testing.assert_allclose(sample.maps[1, 4:], maps.values["T1"][1, 4:], rtol=1e-5)
    assert not sample.valid[1, :4].any()
    assert (sample.maps[1, :4] == 0).all()
    assert sample.valid[1, 4:].all()
    assert sample.mask[0].sum() == 40
    assert sample.mask.shape == (2, 24, 20)


def test_every_slice_is_learned_from_also_those_beside_the_joint(study):
    samples = make_samples(*study(), INPUTS, TISSUES, ("T1",))
    assert [sample.slice for sample in samples] == [0, 1, 2, 3]
    assert [bool(sample.mask.any()) for sample in samples] == [False, True, True, False]


def test_a_left_knee_is_counted_as_a_right_one(study):
    (right,), (left,) = samples_of(study, side="right"), samples_of(study, side="left")
    assert (right.slice, left.slice) == (1, 2)
    np.testing.assert_array_equal(right.signals, left.signals)


def test_a_gain_of_all_images_changes_nothing_that_the_network_sees(study):
    (one,), (other,) = samples_of(study), samples_of(study, gain=37.0)
    np.testing.assert_allclose(one.signals, other.signals, rtol=1e-5)
    np.testing.assert_allclose(one.maps, other.maps, rtol=1e-5)


def test_the_intensity_scale_is_the_99th_percentile_of_all_inputs_over_bright_voxels(study):
    stack = stack_inputs(study()[0], INPUTS)
    inside = stack.data[:, :, 4:]
    assert (bright_voxels(stack)[:, 4:]).all()
    assert not bright_voxels(stack)[:, :4].any()
    assert intensity_scale(stack) == pytest.approx(np.percentile(inside, 99))


def test_a_voxel_that_is_not_finite_spoils_neither_the_scale_nor_the_images(study):
    scan, maps, labels = study()
    scan.series["vfa"].data[0, 1, 10, 10] = np.nan
    (sample,) = with_tissue(make_samples(scan, maps, labels, INPUTS, TISSUES, ("T1",)))
    assert np.isfinite(sample.signals).all()
    assert sample.signals[0, 10, 10] == 0


def test_images_without_signal_are_refused(study):
    scan, maps, labels = study()
    for series in scan.series.values():
        series.data[:] = 0
    with pytest.raises(InputError, match="hold no signal"):
        make_samples(scan, maps, labels, INPUTS, TISSUES, ("T1",))


def test_maps_on_another_grid_are_refused(study):
    scan, maps, labels = study()
    moved = MapSet(maps.values, maps.reason, centered_grid(maps.grid.shape, (3.0, 0.6, 0.7)))
    with pytest.raises(InputError, match="reference maps of sub-01"):
        make_samples(scan, moved, labels, INPUTS, TISSUES, ("T1",))


def test_a_missing_map_and_unknown_or_missing_tissues_are_named(study):
    scan, maps, labels = study()
    with pytest.raises(InputError, match=r"no reference T1rho map \(it has: M0, T1\)"):
        make_samples(scan, maps, labels, INPUTS, TISSUES, ("T1rho",))
    with pytest.raises(InputError, match="tissue must be one of"):
        make_samples(scan, maps, labels, INPUTS, ("cartilage",), ("T1",))
    with pytest.raises(InputError, match="do not tell muscle"):
        make_samples(scan, maps, labels, INPUTS, ("muscle",), ("T1",))


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_of_the_table_has_a_divisor_and_only_intensities_carry_the_gain(name):
    scales = network_scales([name])
    ratio = map_divisor(name, scales, 50.0) / map_divisor(name, scales, 1.0)
    assert ratio == pytest.approx(50.0 if QUANTITIES[name].intensity else 1.0)


def test_an_unknown_quantity_is_refused():
    with pytest.raises(InputError, match="quantity must be one of M0"):
        network_scales(["T2"])


def test_augmentation_depends_on_seed_epoch_and_sample_only(study):
    (sample,) = samples_of(study)
    again = [augment(sample, crop=None, seed=1, epoch=2, index=3).signals for _ in range(2)]
    np.testing.assert_array_equal(*again)
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        seed, epoch, index = other
        assert not np.array_equal(
            again[0], augment(sample, crop=None, seed=seed, epoch=epoch, index=index).signals
        )


@pytest.mark.parametrize("crop", [None, 16, 48])
def test_augmentation_keeps_the_physics(study, crop):
    (sample,) = samples_of(study)
    for epoch in range(5):
        changed = augment(sample, crop=crop, seed=0, epoch=epoch, index=0)
        inside = changed.signals[0] > 0
        # the voxels of the window are voxels of the slice: same T1, same ratios of images and M0
        for t1 in changed.maps[1][changed.valid[1]][:50]:
            row, column = np.argwhere(sample.maps[1] == t1)[0]
            new_row, new_column = np.argwhere(changed.maps[1] == t1)[0]
            gain = changed.signals[:, new_row, new_column] / sample.signals[:, row, column]
            np.testing.assert_allclose(gain, gain[0], rtol=1e-5)
            assert changed.maps[0, new_row, new_column] == pytest.approx(
                sample.maps[0, row, column] * gain[0], rel=1e-5
            )
            assert 0.7 < gain[0] < 1.4
        assert not changed.valid[0][~inside].any()
        assert changed.mask.any()


def test_a_window_outside_the_slice_is_empty_and_not_valid(study):
    (sample,) = samples_of(study)
    away = window(sample, (100, 100), (8, 8))
    assert away.signals.shape == (2, 8, 8)
    assert not away.signals.any()
    assert not away.valid.any()


def test_a_window_around_the_slice_holds_all_of_it(study):
    (sample,) = samples_of(study)
    wide = window(sample, (-2, -3), (30, 30))
    np.testing.assert_array_equal(wide.maps[:, 2:26, 3:23], sample.maps)
    assert wide.maps.sum() == pytest.approx(sample.maps.sum())
