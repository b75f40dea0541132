"""A B1 map beside a prediction: no network takes one, so the predicted B1 is held against it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from rmqnet.cli.main import main
from rmqnet.domain.grid import Grid
from rmqnet.domain.protocols import input_set
from rmqnet.domain.quantities import REGRESSION_ORDER
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.io.bids import load_scan
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.nifti import write_volume
from rmqnet.networks.backbones import build_network
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rmqnet.predict.predict import predict
from rmqnet.samples.scaling import network_scales

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network(tiny_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights that gives a B1 near 1."""
    inputs = input_set("1FA+1TSL")
    torch.manual_seed(1)
    network = build_network("rmqnet", len(inputs.acquisitions), REGRESSION_ORDER, SEGMENTED, 1)
    scan = load_scan(tiny_study, "001")
    found = [image for series in scan.series.values() for image in series.acquisitions]
    checkpoint = Checkpoint(
        inputs,
        tuple(next(one for one in found if one.label == image.label) for image in inputs.acquisitions),
        scan.series["vfa"].grid.voxel_size,
        REGRESSION_ORDER,
        SEGMENTED,
        {**network_scales(REGRESSION_ORDER)},
        "rmqnet",
        1,
        network.state_dict(),
        {},
    )
    path = tmp_path_factory.mktemp("network") / "own"
    save_checkpoint(path, checkpoint)
    return path.with_suffix(".safetensors")


@pytest.fixture
def study(tiny_study: Path, tmp_path: Path) -> Path:
    """One subject of the study."""
    shutil.copytree(tiny_study / "sub-001", tmp_path / "study" / "sub-001")
    shutil.copy(tiny_study / "participants.tsv", tmp_path / "study")
    return tmp_path / "study"


def test_the_predicted_b1_is_held_against_a_map(network, study, tmp_path, capsys):
    scan = load_scan(study, "sub-001")
    said = predict(scan, str(network)).maps
    np.testing.assert_array_equal(
        said.values["B1"], predict(scan, load_checkpoint(str(network))).maps.values["B1"]
    )
    b1, grid = said.values["B1"], said.grid
    known = np.isfinite(b1)
    assert known.any()
    path = study / "sub-001" / "fmap" / "sub-001_TB1map.nii.gz"
    for factor, doubt in ((1.02, False), (1.2, True)):
        write_volume(path, np.where(known, b1 * factor, 0.0).astype(np.float32), grid)
        path.with_name("sub-001_TB1map.json").write_text('{"Units": "ratio"}')
        out = tmp_path / f"out-{factor}"
        assert main(["predict", str(study), str(out), "--checkpoint", str(network)]) == 0
        words = capsys.readouterr().err
        assert "No network takes a B1 map: sub-001_TB1map.nii.gz is not used for the prediction" in words
        assert f"the predicted B1 differs by {1 / factor - 1:+.1%} (median)" in words
        assert ("away from the B1 map sub-001_TB1map.nii.gz (ratio)" in words) == doubt
        # the prediction itself is the same
        np.testing.assert_allclose(load_maps(out / "sub-001", desc="predicted").values["B1"], b1, rtol=1e-5)
        sidecar = json.loads(next((out / "sub-001").rglob("*_TB1map.json")).read_text())
        assert sidecar["EstimationAlgorithm"] == "RMQ-Net"
        assert any("away from the B1 map" in flag for flag in sidecar["Flags"]) == doubt


def test_a_map_that_is_not_used_refuses_nobody_unless_it_was_named(network, study, tmp_path, capsys):
    path = study / "sub-001" / "fmap" / "sub-001_TB1map.nii.gz"
    grid = Grid((4, 4, 4), np.diag([40.0, 40.0, 40.0, 1.0]))
    write_volume(path, np.full(grid.shape, 60.0, np.float32), grid)
    options = ["--checkpoint", str(network)]
    assert main(["predict", str(study), str(tmp_path / "out"), *options]) == 0
    assert "is not used for the prediction, and not compared with it: " in capsys.readouterr().err
    assert main(["predict", str(study), str(tmp_path / "named"), *options, "--b1", str(path)]) == 2
    assert "the unit of this B1 map is not stated" in capsys.readouterr().err
    assert not (tmp_path / "named").exists()
