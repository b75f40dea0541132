"""The weights inside the package, whichever are there; all tests skip where none are shipped."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

import rmqnet
from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import INPUT_SETS
from rmqnet.networks.checkpoint import checkpoint_files
from rmqnet.networks.history import learned_targets
from rmqnet.networks.shipped import shipped_checkpoint, shipped_names, weights_folder
from rmqnet.pipeline.ship import LARGEST_FILE, MOST_CHANGE, MOST_MOVED, PERSONAL
from rmqnet.predict.likeness import RECORD
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.simulate import simulate_subject

ROOT = Path(__file__).parents[2]
SHIPPED = shipped_names()
EVERY = [(name, targets) for targets in ("reference", "truth") for name in shipped_names(targets)]
NONE = pytest.param("none", "reference", marks=pytest.mark.skip(reason="this version ships no weights"))
each = pytest.mark.parametrize(("name", "targets"), EVERY or [NONE])


@each
def test_a_file_is_small_and_has_its_convolutions_in_half_precision(name, targets):
    weights, _ = checkpoint_files(weights_folder(targets) / name)
    assert weights.stat().st_size <= LARGEST_FILE
    with safe_open(weights, "pt") as file:
        assert all(file.get_slice(key).get_dtype() == "F16" for key in file.keys() if "reduce.weight" in key)  # noqa: SIM118
    loaded = shipped_checkpoint(name, targets)
    assert learned_targets(loaded.training) == targets
    assert all(tensor.dtype != torch.float16 for tensor in loaded.weights.values())


@each
def test_the_record_names_nobody_but_says_what_was_learned_from(name, targets):
    record = shipped_checkpoint(name, targets).training
    assert not set(PERSONAL[1:]) & record.keys()
    assert isinstance(record["scans"], list)
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for one in record["scans"])
    assert set(record[RECORD]) >= {"volume of cartilage [ml]", "certainty of the regions"}
    change = record["half_precision_change"]
    assert change.pop("labels") <= MOST_MOVED
    assert max(change.values()) <= MOST_CHANGE
    assert shipped_checkpoint(name, targets).inputs == INPUT_SETS[name]


@pytest.mark.skipif(not SHIPPED, reason="this version ships no weights")
def test_the_shipped_networks_know_the_middle_of_a_new_knee():
    # slices of the paper's size from the middle of a knee that no network has learned from: another seed
    config = SimulateConfig(n_subjects=1, seed=90210, shape=(8, 256, 256), field_of_view=(24.0, 150.0, 150.0))
    knee = simulate_subject(config, 0)
    found = rmqnet.predict(knee.scan)
    assert f"The network for {SHIPPED[0]} was taken" in found.notes[0]
    truth, ours = knee.labels.mask("cartilage"), found.segmentation.mask("cartilage")
    # the regions learned from are a reader's, who leaves the rim of cartilage out: 0.79 with the whole of it
    assert 2 * (truth & ours).sum() / (truth.sum() + ours.sum()) > 0.7
    # networks learn what a fit finds, which partial volume and fat make shorter than the truth (decision 11)
    fitted = rmqnet.fit(knee.scan)
    for quantity in ("T1", "T1rho"):
        inside = truth & ours & fitted.valid(quantity)
        assert np.nanmedian(found.maps.values[quantity][inside]) == pytest.approx(
            np.median(fitted.values[quantity][inside]), rel=0.1
        )


def test_a_set_that_is_not_shipped_is_refused_with_the_way_out():
    with pytest.raises(InputError, match=r"no network is shipped for the input set 9FA .*rmqnet train"):
        shipped_checkpoint("9FA")


def card_script():
    path = ROOT / "scripts" / "ship_weights.py"
    spec = importlib.util.spec_from_file_location("ship_weights", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_card_says_where_its_numbers_are_of_other_weights(tmp_path, monkeypatch):
    module = card_script()
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    names = {"1FA+1TSL": "trained", "2FA+3TSL": "shipped", "4FA+7TSL": "another"}
    records = [
        {"inputs": {"name": name}, "weights_sha256": "shipped", "training": {"trained_weights": "trained"}}
        for name in names
    ]
    lines = ["network,origin,budget,weights", *(f"{name},,,{value}" for name, value in names.items())]
    (tmp_path / "networks.csv").write_text("\n".join(lines))
    (text, _) = module._of_other_weights(records)
    assert text == "**The numbers below were not measured with the weights shipped here** for 4FA+7TSL."
    (text, _) = module._of_other_weights(records[:2])
    assert text == "Measured with these very weights."


def test_the_model_card_is_current():
    module = card_script()
    assert module.page() == module.PAGE.read_text(), "run: python scripts/ship_weights.py --card"


def test_every_record_has_its_weights():
    for path in weights_folder().rglob("*.json"):
        assert json.loads(path.read_text())["inputs"]["name"] == path.stem
        assert path.with_suffix(".safetensors").is_file()
