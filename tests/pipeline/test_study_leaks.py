"""No slice of a test subject is ever learned from."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from rmqnet.domain.errors import InputError
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.networks.checkpoint import load_checkpoint
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.simulate import simulate_study
from rmqnet.pipeline.study.leaks import (
    check_people_untouched,
    check_slices_apart,
    remarks_on_others,
    slice_hashes,
)
from rmqnet.pipeline.study.presets import FRESH_SEED
from rmqnet.pipeline.train import names, study_split, train_study
from rmqnet.pipeline.whom import learned_from, marks_of
from rmqnet.simulate.config import SimulateConfig
from rmqnet.train.config import TrainConfig

INPUTS = "1FA+1TSL"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("leaks") / "cohort"
    simulate_study(study, SimulateConfig(n_subjects=3, seed=7, shape=(12, 64, 64)), Quiet())
    return study


@pytest.fixture(scope="module")
def training(cohort: Path) -> Path:
    folder = cohort.parent / "network"
    train_study(cohort, folder, INPUTS, TrainConfig(epochs=1, base_width=2), Quiet())
    return folder


def test_no_test_slice_is_in_the_training_by_split_record_and_image(cohort: Path, training: Path):
    split = json.loads((training / "split.json").read_text())
    learned, tested = [*split["train"], *split["validation"]], split["test"]
    assert learned
    assert tested
    assert not set(learned) & set(tested)
    record = load_checkpoint(training / f"{INPUTS}.safetensors").training
    # the record names everybody who was learned from, by the images themselves
    assert record["scans"] == {name: hash_scan(cohort, name) for name in learned}
    assert set(record["train_subjects"]) | set(record["validation_subjects"]) <= set(learned)
    seen = {key for name in learned for key in slice_hashes(load_scan(cohort, name))}
    own = {key for name in tested for key in slice_hashes(load_scan(cohort, name))}
    assert len(own) > 12
    assert not seen & own
    check_slices_apart(cohort, learned, tested)


def test_a_copied_knee_under_another_name_is_found(cohort: Path, tmp_path: Path):
    study = tmp_path / "cohort"
    shutil.copytree(cohort, study)
    split = study_split(cohort)
    learned, tested = names(split.train)[0], names(split.test)[0]
    # one single image of the test subject is that of somebody who is learned from
    image = next((study / f"sub-{learned}" / "anat").glob("*_flip-1_VFA.nii.gz"))
    shutil.copy(image, study / f"sub-{tested}" / "anat" / image.name.replace(learned, tested))
    with pytest.raises(InputError, match=f"sub-{tested}, vfa image 0, slice .* is the same image as sub-"):
        check_slices_apart(study, [learned], [tested])


def test_weights_that_know_a_test_person_are_refused(cohort: Path, training: Path):
    checkpoint = load_checkpoint(training / f"{INPUTS}.safetensors")
    split = study_split(cohort)
    tested = {name: marks_of(cohort, name) for name in names(split.test)}
    assert check_people_untouched(tested, {INPUTS: checkpoint}) == []
    learned = {"900": marks_of(cohort, names(split.train)[0])}
    with pytest.raises(InputError, match=f"{re.escape(INPUTS)}: has learned from the scan of sub-900"):
        check_people_untouched(learned, {INPUTS: checkpoint})
    # a shipped network names hashes alone
    shipped = dataclasses.replace(checkpoint, training={"scans": learned_from(checkpoint.training)})
    assert check_people_untouched(tested, {INPUTS: shipped}) == []
    with pytest.raises(InputError, match="has learned from the scan of sub-900"):
        check_people_untouched(learned, {INPUTS: shipped})
    known = set(learned_from(checkpoint.training) or ())
    assert remarks_on_others({INPUTS: shipped}, known, 7) == []
    (remark,) = remarks_on_others({INPUTS: shipped}, set(), 7)
    assert (
        f"has learned from scans outside this cohort; if they were simulated with seed 7 or {FRESH_SEED}"
        in remark
    )
    silent = dataclasses.replace(checkpoint, training={})
    (remark,) = check_people_untouched(tested, {INPUTS: silent})
    assert "does not say whom" in remark
