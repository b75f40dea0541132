"""Nobody is left out of a training silently."""

import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Subject
from rmqnet.pipeline import train
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.sources import SpinLockSource
from rmqnet.train.config import TrainConfig


def test_all_people_that_can_not_be_learned_from_are_named_at_once(tmp_path, monkeypatch):
    def hash_scan(_study, name, **_options):
        if name != "02":
            raise InputError(f"sub-{name}_flip-1_VFA.nii.gz: is cut off")
        return "hash"

    monkeypatch.setattr(train, "hash_scan", hash_scan)
    people = [Subject(name, "left") for name in ("01", "02", "03")]
    with pytest.raises(InputError) as caught:
        train._hashes(tmp_path, people, "reference", SpinLockSource().options, Quiet())
    assert "2 subjects can't be learned from (sub-01, sub-03)" in str(caught.value)
    assert str(caught.value).endswith("sub-01_flip-1_VFA.nii.gz: is cut off")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TrainConfig(backbone="unet"), "backbone must be one of rmqnet"),
        (TrainConfig(base_width=4096), "base_width must be in"),
    ],
)
def test_an_unknown_network_is_refused_before_anything_is_read(config, words, tmp_path):
    with pytest.raises(InputError, match=words):
        train.train_study(tmp_path / "nowhere", tmp_path / "out", "1FA+1TSL", config, Quiet())
    assert not (tmp_path / "out").exists()
