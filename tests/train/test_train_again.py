"""A training that is called again: on the same people from the same start, or not at all."""

from types import SimpleNamespace

import pytest

from rmqnet.domain.errors import InputError
from rmqnet.io.store import make_provenance, open_stage
from rmqnet.pipeline import train
from rmqnet.pipeline.progress import Quiet
from rmqnet.samples.split import Split
from rmqnet.train.config import TrainConfig

HASHES = {"sub-01": "one", "sub-02": "two"}
NAME = "1FA+1TSL"


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Folder of a finished training on two people; who tries to read samples again is told so."""

    def samples(*_):
        raise InputError("the samples are read")

    out, config = tmp_path / "out", TrainConfig()
    settings = {"train": config, "input_set": NAME}
    open_stage(out, make_provenance("train", settings, config.seed, HASHES))
    for ending in ("safetensors", "json"):
        (out / f"{NAME}.{ending}").write_text("")
    monkeypatch.setattr(train, "study_split", lambda _: Split((), (), ()))
    monkeypatch.setattr(train, "_hashes", lambda *_: dict(HASHES))
    monkeypatch.setattr(train, "_samples", samples)
    return out


def again(out, **more):
    return train.train_study(out.parent, out, NAME, TrainConfig(), Quiet(), **more)


def test_a_finished_training_is_not_repeated(trained):
    assert again(trained) == trained / f"{NAME}.safetensors"


def test_a_checkpoint_without_its_record_is_not_a_finished_training(trained):
    (trained / f"{NAME}.json").unlink()
    with pytest.raises(InputError, match="the samples are read"):
        again(trained)


@pytest.mark.parametrize("people", [{**HASHES, "sub-03": "three"}, {"sub-01": "one"}], ids=["more", "fewer"])
def test_a_training_on_more_or_fewer_people_is_not_taken_for_this_one(trained, monkeypatch, people):
    monkeypatch.setattr(train, "_hashes", lambda *_: dict(people))
    with pytest.raises(InputError, match="was trained on other people"):
        again(trained)


def test_a_training_from_another_start_is_not_taken_for_this_one(trained, monkeypatch):
    monkeypatch.setattr(train, "load_checkpoint", lambda _: None)
    start = trained.parent / "start.safetensors"
    start.write_bytes(b"weights")
    with pytest.raises(InputError, match="began with another network"):
        again(trained, start_path=start)


@pytest.mark.parametrize(
    ("training", "scans", "simulated", "n_not_simulated"),
    [
        ({}, None, ["own"], 1),
        ({"simulated": ["old"]}, None, ["old", "own"], 1),
        ({"scans": ["zero", "one"]}, {**HASHES, "earlier 0": "zero"}, ["own"], 2),
        ({"scans": {"07": "seven"}}, {**HASHES, "earlier 0": "seven"}, ["own"], 2),
        (
            {"scans": ["zero"], "simulated": ["old"], "n_not_simulated": 0},
            {**HASHES, "earlier 0": "zero"},
            ["old", "own"],
            1,
        ),
    ],
)
def test_whom_a_network_learned_from_is_unknown_where_its_start_does_not_say(
    training, scans, simulated, n_not_simulated
):
    found = train._with_earlier(HASHES, ["own"], SimpleNamespace(training=training))
    assert found == {"scans": scans, "simulated": simulated, "n_not_simulated": n_not_simulated}
    alone = train._with_earlier(HASHES, ["own"], None)
    assert alone == {"scans": HASHES, "simulated": ["own"], "n_not_simulated": 1}
