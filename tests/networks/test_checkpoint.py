import dataclasses
import json
from dataclasses import asdict

import pytest
import torch

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import INPUT_SETS, adiabatic_t1rho, input_set, vfa
from rmqnet.networks.backbones import BACKBONES, build_network
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint, record_hash, save_checkpoint


def checkpoint_of(name="1FA+1TSL", backbone="rmqnet", **changes):
    inputs = input_set(name)
    torch.manual_seed(0)
    quantities, tissues = ("T1", "T1rho"), ("femoral_cartilage",)
    network = build_network(backbone, len(inputs.acquisitions), quantities, tissues, 1)
    network.train()(torch.rand(2, len(inputs.acquisitions), 32, 32))  # moves the batch statistics
    checkpoint = Checkpoint(
        inputs=inputs,
        acquisitions=inputs.acquisitions,
        voxel_size=(3.0, 0.586, 0.586),
        quantities=quantities,
        tissues=tissues,
        scaling={"T1": 1.0, "T1rho": 0.05},
        backbone=backbone,
        base_width=1,
        weights=network.state_dict(),
        training={"best_epoch": 3, "train_subjects": ["01"]},
    )
    return dataclasses.replace(checkpoint, **changes)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", INPUT_SETS)
def test_a_checkpoint_comes_back_exactly(tmp_path, name, backbone):
    saved = checkpoint_of(name, backbone)
    save_checkpoint(tmp_path / "model", saved)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    for path in ("model", "model.json", "model.safetensors"):
        loaded = load_checkpoint(tmp_path / path)
        for field in dataclasses.fields(Checkpoint):
            if field.name != "weights":
                assert getattr(loaded, field.name) == getattr(saved, field.name)
        signals = torch.rand(1, len(saved.acquisitions), 20, 33)
        with torch.inference_mode():
            for one, other in zip(loaded.network()(signals), saved.network()(signals), strict=True):
                assert torch.equal(one, other)


def test_a_name_with_dots_stays_whole(tmp_path):
    save_checkpoint(tmp_path / "model.v1.2", checkpoint_of())
    assert load_checkpoint(tmp_path / "model.v1.2").training["best_epoch"] == 3


def test_nothing_is_left_behind_when_writing_fails(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        save_checkpoint(tmp_path / "model", checkpoint_of(training={"loss": float("nan")}))
    assert list(tmp_path.iterdir()) == []


def sign(record_path, record):
    """Write a wrong record with the hash that fits it: what a faulty program would write."""
    record_path.write_text(json.dumps({**record, "record_sha256": record_hash(record)}))


def change(record_path, **changes):
    sign(record_path, {**json.loads(record_path.read_text()), **changes})


def without(record_path, key):
    record = json.loads(record_path.read_text())
    del record[key]
    sign(record_path, record)


def edit(record_path, old, new):
    """Change the text of a record, as a person with an editor does."""
    text = record_path.read_text()
    assert old in text
    record_path.write_text(text.replace(old, new, 1))


BY_HAND = r"model.json: was changed by hand or damaged: copy it again"


def cut(path, n):
    path.write_bytes(path.read_bytes()[:n])


WEIGHTS, RECORD = "model.safetensors", "model.json"
DAMAGES = {
    "weights missing": (WEIGHTS, lambda p: p.unlink(), r"model.safetensors: is missing"),
    "record missing": (RECORD, lambda p: p.unlink(), r"model.json: is missing"),
    "weights empty": (WEIGHTS, lambda p: cut(p, 0), r"model.safetensors: is empty"),
    "record empty": (RECORD, lambda p: cut(p, 0), r"model.json: is empty"),
    "weights truncated": (WEIGHTS, lambda p: cut(p, 500), r"model.safetensors: is damaged"),
    "record truncated": (RECORD, lambda p: cut(p, 500), r"model.json: is not valid JSON"),
    "record is no text": (
        RECORD,
        lambda p: p.write_bytes(b"\xff\xfe\x00{"),
        r"model.json: is not (a UTF-8|valid JSON)",
    ),
    "foreign record": (
        RECORD,
        lambda p: p.write_text('{"model": "x"}'),
        r"model.json: is no rmqnet checkpoint",
    ),
    "record is a list": (RECORD, lambda p: p.write_text("[1]"), r"model.json: must hold one JSON object"),
    "later format": (RECORD, lambda p: change(p, format=3), r"of format 1 \(format: 3\)"),
    "unknown quantity": (
        RECORD,
        lambda p: change(p, quantities=["T1", "T9"]),
        r"model.json: quantity must be .* 'T9'",
    ),
    "unknown tissue": (RECORD, lambda p: change(p, tissues=["brain"]), r"model.json: tissue must be one of"),
    "unknown backbone": (RECORD, lambda p: change(p, backbone="vit"), r"model.json: backbone must be one of"),
    "other width": (RECORD, lambda p: change(p, base_width=2), r"model.json: weight .* must have shape"),
    "width no number": (RECORD, lambda p: change(p, base_width="wide"), r"model.json: is not a complete"),
    "width zero": (RECORD, lambda p: change(p, base_width=0), r"model.json: .*base_width"),
    "width huge": (RECORD, lambda p: change(p, base_width=10**9), r"model.json: .*base_width"),
    "one tissue more": (
        RECORD,
        lambda p: change(p, tissues=["femoral_cartilage", "muscle"]),
        r"model.json: weight segmentation.* must have shape",
    ),
    "one map more": (
        RECORD,
        lambda p: change(p, quantities=["T1", "T1rho", "B1"], scaling={"T1": 1, "T1rho": 1, "B1": 1}),
        r"model.json: the weights are not those",
    ),
    "no acquisitions": (
        RECORD,
        lambda p: change(p, acquisitions=[]),
        r"model.json: 0 acquisitions do not match",
    ),
    "acquisitions null": (RECORD, lambda p: change(p, acquisitions=None), r"model.json: is not a complete"),
    "other acquisitions": (
        RECORD,
        lambda p: change(p, acquisitions=[asdict(vfa(30.0)), asdict(adiabatic_t1rho(0.048))]),
        r"model.json: acquisition FA 30\S* does not match FA 20",
    ),
    "acquisitions in another order": (
        RECORD,
        lambda p: change(p, acquisitions=[asdict(adiabatic_t1rho(0.048)), asdict(vfa(20.0))]),
        r"model.json: acquisition TSL 48 ms does not match FA 20",
    ),
    "a number changed by hand": (RECORD, lambda p: edit(p, "20.0", "30.0"), BY_HAND),
    "a scaling changed by hand": (RECORD, lambda p: edit(p, "0.05", "0.06"), BY_HAND),
    "a number that is none": (RECORD, lambda p: edit(p, "0.05", "NaN"), BY_HAND),
    "a name changed by hand": (RECORD, lambda p: edit(p, "best_epoch", "worst_epoch"), BY_HAND),
    "a changed record without its hash": (RECORD, lambda p: edit(p, "record_sha256", "old"), BY_HAND),
    "bad acquisition": (
        RECORD,
        lambda p: change(p, acquisitions=[{"method": "vfa"}] * 2),
        r"flip_angle is missing",
    ),
    "no scaling": (RECORD, lambda p: without(p, "scaling"), r"model.json: is not a complete"),
    "no inputs": (RECORD, lambda p: without(p, "inputs"), r"model.json: is not a complete"),
    "voxel size of two": (RECORD, lambda p: change(p, voxel_size=[1, 2]), r"model.json: is not a complete"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_in_one_sentence_with_the_file(tmp_path, damage):
    save_checkpoint(tmp_path / "model", checkpoint_of())
    name, break_it, message = DAMAGES[damage]
    break_it(tmp_path / name)
    with pytest.raises(InputError, match=message) as error:
        load_checkpoint(tmp_path / "model")
    assert "\n" not in str(error.value)


def test_weights_of_another_checkpoint_are_refused(tmp_path):
    save_checkpoint(tmp_path / "one", checkpoint_of())
    save_checkpoint(tmp_path / "other", checkpoint_of("4FA+7TSL"))
    (tmp_path / "other.safetensors").replace(tmp_path / "one.safetensors")
    with pytest.raises(InputError, match=r"belongs to another checkpoint than one\.json"):
        load_checkpoint(tmp_path / "one")


def test_a_record_that_was_only_laid_out_anew_is_read(tmp_path):
    save_checkpoint(tmp_path / "model", checkpoint_of(training={"loss": 0.1, "subjects": {1: "b", 10: "a"}}))
    record = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(record, sort_keys=True, separators=(",", ":")))
    assert load_checkpoint(tmp_path / "model").training["loss"] == 0.1


def test_weights_that_are_no_safetensors_are_refused_even_with_a_matching_record(tmp_path):
    import hashlib

    save_checkpoint(tmp_path / "model", checkpoint_of())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    change(tmp_path / "model.json", weights_sha256=hashlib.sha256(b"not weights").hexdigest())
    with pytest.raises(InputError, match="holds no safetensors"):
        load_checkpoint(tmp_path / "model")
