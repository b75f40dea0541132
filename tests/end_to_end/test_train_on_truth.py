"""A network can learn what was simulated in place of a fit of its images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from rmqnet.cli.main import main
from rmqnet.domain.errors import InputError
from rmqnet.io.store import read_provenance
from rmqnet.networks import shipped
from rmqnet.networks.checkpoint import checkpoint_files, load_checkpoint
from rmqnet.networks.history import learned_targets
from rmqnet.pipeline.layout import truth_folder
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.references import load_targets
from rmqnet.pipeline.train import train_study
from rmqnet.train.config import TrainConfig

SHORT = TrainConfig(epochs=1, n_cycles=1, base_width=2, crop=32, targets="truth")


def test_targets_are_the_truth_with_the_regions_of_the_reader(tiny_study):
    maps, regions = load_targets(tiny_study, "001", "truth")
    fitted, same_regions = load_targets(tiny_study, "001", "reference")
    cartilage = regions.mask("cartilage") & maps.valid("T1") & fitted.valid("T1")
    assert np.array_equal(regions.labels, same_regions.labels)
    # one value for each kind of tissue, not a mixture with fat and bone, which are shorter
    assert np.median(maps.values["T1"][cartilage]) > 1.1 * np.median(fitted.values["T1"][cartilage])


@pytest.fixture(scope="module")
def trained(tiny_study, tmp_path_factory) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    path = train_study(tiny_study, tmp_path_factory.mktemp("truth") / "out", "1FA+1TSL", SHORT, Quiet())
    torch.set_num_threads(threads)
    return path


def test_the_record_says_what_was_learned(trained):
    assert learned_targets(load_checkpoint(trained).training) == "truth"
    inputs = read_provenance(trained.parent).inputs
    truths = [name for name in inputs if name.startswith("truth of sub-")]
    references = [name for name in inputs if name.startswith("reference of sub-")]
    assert len(truths) == len(references) > 0


def test_a_network_of_the_package_that_learned_the_truth_is_taken_on_demand_and_says_what_it_is(
    trained, tiny_study, tmp_path, monkeypatch, one_thread, capsys
):
    (tmp_path / "weights" / "truth").mkdir(parents=True)
    for file in checkpoint_files(trained):
        shutil.copy(file, tmp_path / "weights" / "truth")
    monkeypatch.setattr(shipped, "files", lambda _: tmp_path)
    line = ["predict", str(tiny_study), str(tmp_path / "out"), "--subjects", "001"]
    assert main([*line, "--targets", "truth"]) == 0
    sidecar = json.loads(next((tmp_path / "out").rglob("*desc-predicted_T1map.json")).read_text())
    assert any("has learned what was simulated, not fits" in note for note in sidecar["EstimationNotes"])
    assert "has learned what was simulated" in (tmp_path / "out/sub-001/figures/knee.html").read_text()
    capsys.readouterr()
    assert main([*line, "--targets", "truth", "--checkpoint", str(trained)]) == 2
    assert "--targets truth chooses among the shipped networks" in capsys.readouterr().err
    assert main([*line[:2], str(tmp_path / "none"), "--targets", "truth", "--input-set", "4FA+7TSL"]) == 2
    assert "no network that has learned the truth is shipped" in capsys.readouterr().err


def test_a_record_without_targets_is_of_a_network_that_learned_fits():
    assert learned_targets({"config": {"epochs": 3}}) == learned_targets({}) == "reference"


def test_without_truth_the_subject_and_the_way_out_are_named(tiny_study, tmp_path, one_thread):
    study = tmp_path / "study"
    shutil.copytree(tiny_study, study)
    shutil.rmtree(truth_folder(study))
    with pytest.raises(InputError, match=r"no truth for this subject.*--targets reference"):
        train_study(study, tmp_path / "out", "1FA+1TSL", SHORT, Quiet())
    assert not (tmp_path / "out").exists()


def test_targets_are_one_of_two():
    with pytest.raises(InputError, match="targets must be one of reference, truth, got 'fit'"):
        TrainConfig(targets="fit")  # pyright: ignore[reportArgumentType]
