"""Scans that a network has not learned on: handled, refused or flagged, each in one sentence."""

import dataclasses

import numpy as np
import pytest
import torch

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.protocols import adiabatic_t1rho, input_set, vfa
from rmqnet.domain.quantities import REGRESSION_ORDER
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.networks.backbones import build_network
from rmqnet.networks.checkpoint import Checkpoint
from rmqnet.physics.signals import synthesize
from rmqnet.predict.content import edge_flags
from rmqnet.predict.likeness import RECORD, unlike_training, usual_ranges
from rmqnet.predict.predict import predict, predict_raw, raw_numbers
from rmqnet.predict.resampling import onto_grid, training_grid
from rmqnet.samples.scaling import network_scales

GRID = centered_grid((8, 48, 48), (3.0, 1.0, 1.0))
SERIES = (("vfa", (vfa(20.0),)), ("adiabatic_t1rho", (adiabatic_t1rho(0.048),)))


@pytest.fixture(scope="module")
def checkpoint():
    inputs = input_set("1FA+1TSL")
    torch.manual_seed(2)
    network = build_network("rmqnet", len(inputs.acquisitions), REGRESSION_ORDER, SEGMENTED, 2)
    return Checkpoint(
        inputs=inputs,
        acquisitions=inputs.acquisitions,
        voxel_size=GRID.voxel_size,
        quantities=REGRESSION_ORDER,
        tissues=SEGMENTED,
        scaling=network_scales(REGRESSION_ORDER),
        backbone="rmqnet",
        base_width=2,
        weights=network.state_dict(),
    )


def scan_of(images, grid=GRID, side="right"):
    series = {
        method: ImageSeries(np.ascontiguousarray(data, np.float32), acquisitions, grid)
        for (method, acquisitions), data in zip(SERIES, images, strict=True)
    }
    return Scan(Subject("03", side), series)


def leg(grid=GRID, noise=1.0, T1=1.0, T1rho=0.04):
    """Images of an uneven cylinder in air, smaller than the grid, in the coordinates of the scanner."""
    random = np.random.default_rng(3)
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    place = index @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    radius = np.hypot(place[..., 1], place[..., 2])
    M0 = 1000 * (radius < 18) * (1 + 0.3 * np.sin(place[..., 1] / 3) + 0.02 * place[..., 0])
    values = {"M0": M0, "T1": T1, "T1rho": T1rho, "B1": 1.0}
    signals = [synthesize(acquisitions, values) for _, acquisitions in SERIES]
    return [np.abs(image + random.normal(0, noise, image.shape)) for image in signals]


@pytest.fixture(scope="module")
def knowing(checkpoint):
    """The checkpoint with a record of a few scans."""
    legs = (leg(T1=T1, T1rho=T1rho) for T1 in (0.9, 1.1) for T1rho in (0.037, 0.043))
    numbers = [raw_numbers(predict_raw(scan_of(images), checkpoint)) for images in legs]
    record = {name: list(ends) for name, ends in usual_ranges(numbers).items()}
    return dataclasses.replace(checkpoint, training={RECORD: record})


@pytest.fixture
def echo(monkeypatch):
    """A network that answers with its first image as every map, and no tissue; the shapes that it was given."""
    shapes = []

    def answer(network, signals, progress):
        shapes.append(signals.shape[1:])
        return signals[:1].repeat(4, axis=0), np.zeros((len(SEGMENTED), *signals.shape[1:]), np.float32)

    monkeypatch.setattr("rmqnet.predict.predict.run_network", answer)
    return shapes


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((3.0, 0.5, 0.5), (8, 48, 48)),
        ((1.5, 1.0, 1.0), (8, 48, 48)),
        ((3.0, 1.4, 1.4), (8, 48, 48)),
        ((4.0, 0.8, 0.8), (8, 48, 48)),
    ],
)
def test_other_voxels_are_resampled_and_the_result_is_on_the_grid_of_the_scan(
    checkpoint, echo, size, seen, side
):
    shape = tuple(round(n * own / new) for n, own, new in zip(GRID.shape, GRID.voxel_size, size, strict=True))
    other = centered_grid(shape, size)
    images = leg(other)
    found = predict(scan_of(images, other, side), checkpoint)
    assert echo == [seen]
    assert found.maps.values["T1"].shape == shape == found.segmentation.labels.shape
    assert any("interpolated from voxels of" in note for note in found.notes)
    valid = found.maps.valid("T1")
    assert valid.any()
    # there and back the image is where it was; only its noise and finest detail are gone
    assert np.corrcoef(found.maps.values["T1"][valid], images[0][0][valid])[0, 1] > 0.9


def test_nearly_the_same_voxels_are_taken_as_they_are(checkpoint):
    near = centered_grid(GRID.shape, (3.1, 0.97, 1.03))
    assert training_grid(near, checkpoint.voxel_size) is near
    assert not any("interpolated" in note for note in predict(scan_of(leg(near), near), checkpoint).notes)


def test_the_training_grid_keeps_place_tilt_and_field_of_view():
    turn = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    affine = GRID.affine.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    tilted = dataclasses.replace(GRID, affine=affine)
    grid = training_grid(tilted, (1.5, 2.0, 0.5))
    assert grid.shape == (16, 24, 96)
    np.testing.assert_allclose(grid.voxel_size, (1.5, 2.0, 0.5))
    for corner in np.ndindex(2, 2, 2):
        ends = [one.affine @ (*(np.multiply(one.shape, corner) - 0.5), 1) for one in (tilted, grid)]
        np.testing.assert_allclose(ends[0], ends[1], atol=1e-9)


def test_no_slice_of_the_scan_lies_outside_the_training_grid(checkpoint, monkeypatch):
    # 43 slices of 0.8 mm are 34.4 mm: 11 slices of 3 mm would end 0.7 mm short of both ends
    thin = centered_grid((43, 48, 48), (0.8, 1.0, 1.0))
    assert training_grid(thin, checkpoint.voxel_size).shape == (12, 48, 48)

    def ones(network, signals, progress):
        return np.ones((4, *signals.shape[1:]), np.float32), np.zeros(
            (len(SEGMENTED), *signals.shape[1:]), np.float32
        )

    monkeypatch.setattr("rmqnet.predict.predict.run_network", ones)
    maps = predict(scan_of(leg(thin), thin), checkpoint).maps
    for z in (0, -1):
        valid = maps.valid("T1")[z]
        assert valid.any()
        assert (maps.values["T1"][z][valid] > 0).all()


def test_going_to_larger_voxels_averages_noise_instead_of_skipping_it():
    noise = np.random.default_rng(0).normal(1, 1, (1, 24, 64, 64)).astype(np.float32)
    fine, coarse = centered_grid((24, 64, 64), (1.0, 0.5, 0.5)), centered_grid((8, 32, 32), (3.0, 1.0, 1.0))
    moved = onto_grid(noise, fine, coarse)
    assert moved.mean() == pytest.approx(1, abs=0.02)
    assert (
        moved.std() < 0.45
    )  # 12 voxels in one: 1 / sqrt(12) = 0.29 for a box, one skipped grid would keep 0.6


def test_coarse_voxels_are_flagged_and_hopeless_ones_refused(checkpoint):
    coarse = centered_grid((5, 48, 48), (5.0, 1.0, 1.0))
    assert any("much larger" in flag for flag in predict(scan_of(leg(coarse), coarse), checkpoint).flags)
    hopeless = centered_grid((8, 48, 12), (3.0, 1.0, 4.0))
    with pytest.raises(InputError, match=r"3 x 1 x 4 mm .* 3 times as large .* \(3 x 1 x 1 mm\)"):
        predict(scan_of(leg(hopeless), hopeless), checkpoint)


def test_a_larger_or_smaller_field_of_view_changes_little(checkpoint):
    small = predict(scan_of(leg()), checkpoint).maps.values["T1"]
    wide_grid = centered_grid((8, 80, 64), GRID.voxel_size)
    wide = predict(scan_of(leg(wide_grid), wide_grid), checkpoint).maps.values["T1"][:, 16:-16, 8:-8]
    both = np.isfinite(small) & np.isfinite(wide)
    assert both.sum() > 0.95 * np.isfinite(small).sum()
    assert np.median(np.abs(wide[both] / small[both] - 1)) < 0.02


def test_noise_is_refused(checkpoint):
    random = np.random.default_rng(0)
    images = [np.abs(random.normal(size=(1, *GRID.shape))) for _ in SERIES]
    with pytest.raises(InputError, match=r"sub-03: .* nothing in common .* only noise"):
        predict(scan_of(images), checkpoint)


@pytest.mark.parametrize("value", [0.0, np.nan, 7.0])
def test_an_image_without_signal_is_named(checkpoint, value):
    images = leg()
    images[1] = np.full_like(images[1], value)
    with pytest.raises(InputError, match="the image TSL 48 ms holds no signal"):
        predict(scan_of(images), checkpoint)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_slices_without_signal_are_flagged(checkpoint, value):
    images = leg()
    images[0][:, :2] = value
    flags = predict(scan_of(images), checkpoint).flags
    assert any(flag.startswith("The image FA 20\N{DEGREE SIGN} has no signal") for flag in flags)


def test_a_scan_like_those_of_the_training_has_no_flag_about_it(knowing):
    found = predict(scan_of(leg(T1=1.03, T1rho=0.041)), knowing)
    assert not [flag for flag in found.flags if "training" in flag]
    assert not found.notes


def test_another_object_is_flagged_loudly_first(knowing):
    images = leg(T1=3.0, T1rho=0.15)
    flags = predict(scan_of(images), knowing).flags
    assert flags[0].startswith("THIS SCAN IS UNLIKE THOSE OF THE TRAINING")
    assert any("brightness of TSL 48 ms" in flag for flag in flags)


def test_series_of_different_gain_are_flagged(knowing):
    images = leg()
    images[1] *= 1.5
    assert any("brightness of TSL 48 ms" in flag for flag in predict(scan_of(images), knowing).flags)


def test_a_checkpoint_without_a_record_says_that_it_was_not_checked(checkpoint):
    assert any("was not checked" in note for note in predict(scan_of(leg()), checkpoint).notes)


def test_numbers_within_the_widened_range_are_not_flagged():
    ranges = {"a": (1.0, 2.0)}
    assert unlike_training({"a": 2.4}, ranges) == []
    assert len(unlike_training({"a": 2.6}, ranges)) == 1
    assert "There is no a" in unlike_training({}, ranges)[0]


def test_cartilage_at_an_edge_of_the_images_is_said_to_be_cut_off():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:-2, 20:30, 20:30] = 1
    assert edge_flags(Segmentation(labels, SEGMENTED, GRID)) == []
    labels[-2:, 20:30, 20:30] = 1
    assert "last slice" in edge_flags(Segmentation(labels, SEGMENTED, GRID))[0]
