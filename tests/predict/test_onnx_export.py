"""The ONNX file gives the maps that `predict` gives; needs the extra `onnx`."""

import importlib.util
import json

import numpy as np
import pytest
import torch

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.protocols import input_set
from rmqnet.domain.quantities import REGRESSION_ORDER
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.networks.backbones import build_network
from rmqnet.networks.checkpoint import Checkpoint, save_checkpoint
from rmqnet.networks.whole import WholeNetwork
from rmqnet.pipeline.export_network import METADATA, export_network
from rmqnet.predict.predict import predict
from rmqnet.samples.scaling import BRIGHT_FRACTION, INTENSITY_PERCENTILE, network_scales

MISSING = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
GRID = centered_grid((6, 50, 39), (3.0, 0.6, 0.6))
CLOSE = 1e-3
"""Difference between torch and ONNX that is allowed, relative to the largest value of a map."""


@pytest.fixture(scope="module")
def checkpoint():
    inputs = input_set("1FA+1TSL")
    torch.manual_seed(4)
    network = build_network("rmqnet", 2, REGRESSION_ORDER, SEGMENTED, 1)
    return Checkpoint(
        inputs,
        inputs.acquisitions,
        GRID.voxel_size,
        REGRESSION_ORDER,
        SEGMENTED,
        network_scales(REGRESSION_ORDER),
        "rmqnet",
        1,
        network.state_dict(),
    )


@pytest.fixture(scope="module")
def scan():
    random = np.random.default_rng(1)
    images = input_set("1FA+1TSL").acquisitions
    common = random.uniform(100, 300, GRID.shape)
    common[..., :8] = 2.0
    data = [(common * gain + random.normal(0, 1, GRID.shape)).astype(np.float32) for gain in (1.0, 0.6)]
    data[0][2, 3, 20] = np.nan
    series = {
        image.method: ImageSeries(values[None], (image,), GRID)
        for image, values in zip(images, data, strict=True)
    }
    return Scan(Subject("01", "right"), series)


def raw_images(scan):
    return np.ascontiguousarray(
        np.stack([scan.series["vfa"].data[0], scan.series["adiabatic_t1rho"].data[0]], axis=1)
    )


def compare(outputs, prediction):
    maps, probabilities, tissue = outputs
    for index, name in enumerate(REGRESSION_ORDER):
        expected = prediction.maps.values[name]
        known = np.isfinite(expected)
        scale = np.abs(expected[known]).max()
        assert np.abs(maps[:, index][known] - expected[known]).max() < CLOSE * scale
    assert probabilities.shape == (6, len(SEGMENTED), 50, 39)
    missing = np.isnan(prediction.maps.values["T1"])
    missing[2, 3, 20] = False  # the voxel without a signal lies in tissue
    differs = tissue == missing
    assert not differs[..., 8:].any()
    # in air they may differ by what the foreground takes for tissue (decision 2)
    assert differs[..., :8].mean() < 0.01


def test_scaling_and_units_in_torch_are_those_of_predict(checkpoint, scan):
    whole = WholeNetwork(checkpoint, bright_fraction=BRIGHT_FRACTION, percentile=INTENSITY_PERCENTILE)
    with torch.inference_mode():
        outputs = [one.numpy() for one in whole.eval()(torch.from_numpy(raw_images(scan)))]
    compare(outputs, predict(scan, checkpoint))


@pytest.mark.skipif(bool(MISSING), reason=f"the extra onnx is not installed: {', '.join(MISSING)}")
def test_the_file_gives_what_predict_gives_at_another_size_than_it_was_traced_with(
    checkpoint, scan, tmp_path
):
    import onnxruntime

    save_checkpoint(tmp_path / "network", checkpoint)
    export_network(tmp_path / "network.safetensors", tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    outputs = session.run(["maps", "probabilities", "tissue"], {"images": raw_images(scan)})
    compare(outputs, predict(scan, checkpoint))
    words = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
    assert list(words["quantities"]) == list(REGRESSION_ORDER)
    assert words["quantities"]["T1"] == "s"
    assert [one["method"] for one in words["inputs"]] == ["vfa", "adiabatic_t1rho"]


@pytest.mark.skipif(not MISSING, reason="the extra onnx is installed")
def test_without_the_extra_the_way_to_install_it_is_named(tmp_path):
    with pytest.raises(InputError, match=r"pip install 'rmqnet\[onnx\]'"):
        export_network(tmp_path / "network.safetensors", tmp_path / "network.onnx")
