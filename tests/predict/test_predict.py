import dataclasses

import numpy as np
import pytest
import torch

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import adiabatic_t1rho, afi_pair, input_set, vfa
from rmqnet.domain.quantities import QUANTITIES, REGRESSION_ORDER
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.networks.backbones import build_network
from rmqnet.networks.checkpoint import Checkpoint
from rmqnet.predict.joint import Cut, Kept
from rmqnet.predict.predict import predict
from rmqnet.samples.scaling import network_scales

GRID = centered_grid((10, 21, 35), (3.0, 0.6, 0.6))
TISSUES = ("femoral_cartilage", "lateral_meniscus")


def checkpoint_of(name="1FA+1TSL"):
    inputs = input_set(name)
    torch.manual_seed(2)
    network = build_network("rmqnet", len(inputs.acquisitions), REGRESSION_ORDER, TISSUES, 2)
    network.segmentation.last.bias.data[:] = 0.0
    return Checkpoint(
        inputs=inputs,
        acquisitions=inputs.acquisitions,
        voxel_size=(3.0, 0.586, 0.586),
        quantities=REGRESSION_ORDER,
        tissues=TISSUES,
        scaling=network_scales(REGRESSION_ORDER),
        backbone="rmqnet",
        base_width=2,
        weights=network.state_dict(),
    )


def scan_of(gain=1.0, side="right", flip=False, grid=GRID, flip_angle_image=None):
    random = np.random.default_rng(0)
    images = {}
    for method, acquisitions in (
        ("vfa", (vfa(5.0), flip_angle_image or vfa(20.0))),
        ("adiabatic_t1rho", (adiabatic_t1rho(0.048), adiabatic_t1rho(0.0))),
        ("afi", afi_pair()),
    ):
        data = random.uniform(20, 60, (2, *GRID.shape)).astype(np.float32)
        data[..., :5] = 1.0
        data *= np.float32(gain)
        images[method] = ImageSeries(data[:, ::-1] if flip else data, acquisitions, grid)
    return Scan(Subject("03", side), images)


def test_all_maps_come_in_house_units_on_the_vfa_grid_with_background_marked():
    scan = scan_of()
    prediction = predict(scan, checkpoint_of())
    assert prediction.maps.grid is scan.series["vfa"].grid
    assert tuple(prediction.maps.values) == REGRESSION_ORDER
    for quantity, values in prediction.maps.values.items():
        valid = prediction.maps.valid(quantity)
        assert valid[..., 5:].all()
        assert not valid[..., :5].any()
        assert (prediction.maps.reason[quantity][~valid] == Reason.BACKGROUND).all()
        assert np.isfinite(values).sum() == valid.sum()
        assert values.dtype == np.float32


def test_maps_are_the_output_of_the_network_times_the_scale_of_the_quantity():
    scan, checkpoint = scan_of(), checkpoint_of()
    signals = np.stack([scan.series["vfa"].data[1], scan.series["adiabatic_t1rho"].data[0]], axis=1)
    scale = np.percentile(signals[..., 5:], 99)
    inputs = torch.from_numpy(signals / np.float32(scale))
    weights = dict(checkpoint.weights)
    with torch.inference_mode():
        # opposite tissues, each in about a third of the voxels, with probabilities near 0 and 1
        row = 1e5 * weights["segmentation.last.weight"][:1]
        first = 1e5 * checkpoint.network()(inputs)[1][:, 0]
        weights["segmentation.last.weight"] = torch.cat([row, -row])
        weights["segmentation.last.bias"] = torch.stack([-first.quantile(2 / 3), first.quantile(1 / 3)])
        checkpoint = dataclasses.replace(checkpoint, weights=weights)
        maps, logits = checkpoint.network()(inputs)
    prediction = predict(scan, checkpoint)
    for index, name in enumerate(REGRESSION_ORDER):
        factor = QUANTITIES[name].network_scale * (scale if name == "M0" else 1.0)
        np.testing.assert_allclose(
            prediction.maps.values[name][..., 5:],
            maps[:, index, :, 5:] * factor,
            rtol=1e-3,
            atol=1e-4 * factor,
        )
    probability = logits.sigmoid().numpy()
    labels = np.where(probability.sum(axis=1) > 0.5, np.array([1, 6])[probability.argmax(axis=1)], 0)
    assert (prediction.segmentation.labels == labels).mean() > 0.999
    assert set(np.unique(labels)) == {0, 1, 6}
    assert prediction.segmentation.tissues == TISSUES


@pytest.mark.parametrize(
    ("probabilities", "label"),
    [((0.45, 0.46), 6), ((0.46, 0.45), 1), ((0.2, 0.2), 0), ((0.51, 0.01), 1), ((0.24, 0.25), 0)],
)
def test_a_voxel_has_a_label_where_its_tissues_together_exceed_one_half(probabilities, label):
    checkpoint = checkpoint_of()
    weights = dict(checkpoint.weights)
    weights["segmentation.last.weight"] = torch.zeros_like(weights["segmentation.last.weight"])
    weights["segmentation.last.bias"] = torch.tensor(probabilities).logit()
    segmentation = predict(scan_of(), dataclasses.replace(checkpoint, weights=weights)).segmentation
    assert (segmentation.labels == label).all()


def test_a_gain_of_all_images_scales_m0_and_nothing_else():
    one, other = (predict(scan_of(gain), checkpoint_of()) for gain in (1.0, 250.0))
    for name in REGRESSION_ORDER:
        gain = 250.0 if name == "M0" else 1.0
        np.testing.assert_allclose(
            other.maps.values[name], one.maps.values[name] * gain, rtol=1e-3, atol=1e-4 * gain
        )
        np.testing.assert_array_equal(other.maps.reason[name], one.maps.reason[name])
    assert (one.segmentation.labels == other.segmentation.labels).mean() > 0.999


def test_a_left_knee_gives_the_mirrored_result_of_its_mirror_image():
    right, left = (
        predict(scan_of(), checkpoint_of()),
        predict(scan_of(side="left", flip=True), checkpoint_of()),
    )
    np.testing.assert_array_equal(right.segmentation.labels[::-1], left.segmentation.labels)
    np.testing.assert_array_equal(right.maps.values["T1"][::-1], left.maps.values["T1"])


def test_a_bad_voxel_is_told_apart_from_background():
    scan = scan_of()
    scan.series["vfa"].data[1, 4, 10, 20] = np.inf
    maps = predict(scan, checkpoint_of()).maps
    assert maps.reason["T1"][4, 10, 20] == Reason.BAD_SIGNAL
    assert np.isnan(maps.values["T1"][4, 10, 20])
    assert np.isfinite(maps.values["T1"][4, 10, 21])


def test_a_missing_input_is_named_beside_what_the_scan_has():
    with pytest.raises(
        InputError, match=r"1FA\+2TSL needs vfa FA 30.*; adiabatic_t1rho TSL 12 ms.* sub-03 lacks"
    ):
        predict(scan_of(), checkpoint_of("1FA+2TSL"))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "repetition_time_excitation",
            0.030,
            r"repetition_time_excitation of FA 20.* is 0\.03 instead of 0\.02",
        ),
        ("echo_time", 0.002, r"echo_time of FA 20.* is 0\.002 instead of 3\.2e-05"),
        ("fat_saturated", False, r"fat_saturated of FA 20.* is False instead of True"),
    ],
)
def test_other_settings_than_in_the_training_are_refused_with_both_values(field, value, message):
    scan = scan_of(flip_angle_image=dataclasses.replace(vfa(20.0), **{field: value}))
    with pytest.raises(InputError, match=message):
        predict(scan, checkpoint_of())


def test_rounding_in_a_sidecar_and_a_setting_that_it_does_not_state_are_no_difference():
    image = dataclasses.replace(vfa(20.0), repetition_time_excitation=0.0201, echo_time=None)
    predict(scan_of(flip_angle_image=image), checkpoint_of())


def test_progress_counts_the_slices():
    seen = []
    predict(scan_of(), checkpoint_of(), progress=lambda *call: seen.append(call))
    assert seen == [("predicting", done, 10) for done in range(1, 11)]


def test_what_no_tissue_can_have_is_no_value():
    checkpoint = checkpoint_of()
    weights = dict(checkpoint.weights)
    for name, start in (("T1", -3.0), ("M0", -0.1), ("T1rho", 7.0)):
        weights[f"regression.{name}.last.weight"] = 0 * weights[f"regression.{name}.last.weight"]
        weights[f"regression.{name}.last.bias"] = torch.tensor([start])
    maps = predict(scan_of(), dataclasses.replace(checkpoint, weights=weights)).maps
    for name in ("T1", "M0", "T1rho"):
        assert np.isnan(maps.values[name]).all()
        assert (maps.reason[name][..., 5:] == Reason.AT_BOUND).all()
    assert maps.valid("B1")[..., 5:].all()


def test_large_cuts_and_undecided_joints_are_flags_and_small_cuts_are_notes(monkeypatch):
    large = Cut("femoral_cartilage", 0.3, 67.0, 88.0)
    small = Cut("lateral_meniscus", 0.004, 31.0, 31.2)

    def cut(segmentation):
        return Kept(segmentation, (large, small), "It was not decided.")

    monkeypatch.setattr("rmqnet.predict.predict.keep_joint", cut)
    found = predict(scan_of(), checkpoint_of())
    assert (
        "0.3 ml of femoral cartilage were cut from the predicted regions: they lay 67 to 88 mm from the joint."
        in (found.flags)
    )
    assert "It was not decided." in found.flags
    assert (
        "0.004 ml of lateral meniscus were cut from the predicted regions: they lay 31 mm from the joint."
        in (found.notes)
    )
    assert large.sentence not in found.notes
    assert small.sentence not in found.flags
