"""Methods beside the networks, counterfactual scans, and what a study is made of."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rmqnet.cli.main import main
from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Prediction
from rmqnet.domain.protocols import input_set
from rmqnet.domain.quantities import REGRESSION_ORDER
from rmqnet.domain.scan import Scan
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.response import responses
from rmqnet.io.store import make_provenance, open_stage
from rmqnet.networks.backbones import build_network
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rmqnet.pipeline.network_b1 import smoothed_b1
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.study import methods
from rmqnet.pipeline.study.clock import Clock
from rmqnet.pipeline.study.counterfactual import score_counterfactuals
from rmqnet.pipeline.study.methods import (
    Method,
    budget_of,
    fit_method,
    predicted_b1_method,
    prior_methods,
    truth_method,
)
from rmqnet.pipeline.study.people import Person, simulated_panel
from rmqnet.pipeline.study.presets import (
    INPUT_SETS_STUDIED,
    SAME_BUDGET,
    STUDY_PRESETS,
    TRUTH_LEARNERS,
    VARIATIONS,
    study_preset,
)
from rmqnet.pipeline.study.trainings import Networks, train_all
from rmqnet.predict.prior import learn_prior
from rmqnet.samples.scaling import network_scales
from rmqnet.simulate.config import SimulateConfig

CONFIG = SimulateConfig(n_subjects=3, seed=7, shape=(8, 64, 64))


@pytest.fixture(scope="module")
def person() -> Person:
    return simulated_panel("fresh", "", CONFIG).load(0)


@pytest.mark.parametrize("name", ["4FA+7TSL", "2FA+3TSL", "1FA+2TSL"])
def test_a_conventional_fit_sees_its_own_images_only_and_takes_b1_as_one(person: Person, name: str):
    found = fit_method(name).predict(person)
    assert set(found.maps.values) >= {"M0", "T1", "B1", "T1rho"}
    np.testing.assert_array_equal(found.maps.values["B1"], 1)
    assert found.segmentation is person.regions
    cartilage = person.regions.mask("cartilage")
    both = cartilage & np.isfinite(found.maps.values["T1"]) & np.isfinite(person.reference.values["T1"])
    # one flip angle can't tell partial volume from T1: far off, but T1 it is
    assert both.sum() > 0.8 * cartilage.sum()
    ratio = found.maps.values["T1"][both] / person.reference.values["T1"][both]
    assert (0.5 if name == "1FA+2TSL" else 0.8) < np.median(ratio) < 1.3


def test_the_fit_of_all_images_is_the_reference_and_two_images_are_refused(person: Person):
    assert fit_method("4FA+7TSL+AFI").predict(person).maps.values is person.reference.values
    with pytest.raises(InputError, match="1FA\\+1TSL: not possible: two signals"):
        fit_method("1FA+1TSL")


def test_a_fit_with_predicted_b1_sees_its_own_images_and_the_b1_of_its_network(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "2FA+3TSL.safetensors"
    save_network(path, "2FA+3TSL", {})
    maps = person.reference
    b1 = np.linspace(0.9, 1.1, maps.grid.shape[2], dtype=np.float32)
    said = dataclasses.replace(maps, values={**maps.values, "B1": np.broadcast_to(b1, maps.grid.shape)})
    seen = []

    def predicted(scan: Scan, _: Checkpoint) -> Prediction:
        seen.append(scan)
        return Prediction(said, person.regions)

    monkeypatch.setattr(methods, "predict", predicted)
    method = predicted_b1_method(path, load_checkpoint(path))
    assert (method.label, method.inputs) == ("2FA+3TSL, fit, predicted B1", "2FA+3TSL")
    found = method.predict(person)
    assert found.segmentation is person.regions
    (scan,) = seen
    images = [image for series in scan.series.values() for image in series.acquisitions]
    assert set(images) == set(input_set("2FA+3TSL").acquisitions)
    expected = smoothed_b1(scan, Prediction(said, person.regions)).values
    inside = np.isfinite(found.maps.values["B1"])
    np.testing.assert_array_equal(found.maps.values["B1"][inside], expected[inside])
    plain = fit_method("2FA+3TSL").predict(person).maps.values["T1"]
    both = np.isfinite(plain) & np.isfinite(found.maps.values["T1"]) & person.regions.mask("cartilage")
    # T1 times the square of B1 is what the images tell
    ratio = found.maps.values["T1"][both] * expected[both] ** 2 / plain[both]
    assert np.median(ratio) == pytest.approx(1, abs=0.02)


def test_the_truth_itself_is_told_the_regions_and_needs_simulated_people(person: Person):
    prediction = truth_method().predict(person)
    assert prediction.maps is person.truth
    assert prediction.segmentation is person.regions
    with pytest.raises(InputError, match="its truth is not known"):
        truth_method().predict(dataclasses.replace(person, truth=None))


def test_means_of_other_people_are_told_the_region_and_nothing_else(person: Person):
    learned = [(person.reference, person.regions, person.subject.side, 100.0)]
    prior = learn_prior(learned, ("T1", "M0"))
    population, position = (one.predict(person) for one in prior_methods(prior, {}))
    assert np.unique(population.maps.values["T1"]).size == 1
    cartilage = person.regions.mask("cartilage")
    assert np.unique(position.maps.values["T1"][cartilage]).size > 20
    assert position.segmentation is person.regions


def test_counterfactual_scans_tell_a_measurement_from_a_guess(person: Person, tmp_path: Path):
    def guess(one: Person) -> Prediction:
        return Prediction(person.reference, one.regions)

    calls = []

    def measured(one: Person) -> Prediction:
        calls.append(one.subject.name)
        return Prediction(one.reference, one.regions)

    config = SimulateConfig(n_subjects=1, seed=7, shape=(8, 64, 64))
    methods = [Method("guess", "", "", {}, guess), Method("fit", "", "", {}, measured)]
    table = score_counterfactuals(tmp_path / "out", config, methods, Quiet())
    found = {
        (one.input_set, one.changed, one.quantity): one.value for one in responses(table, EvaluateConfig())
    }
    assert found["guess", "T1", "T1"] == pytest.approx(0, abs=1e-6)
    assert found["guess", "T1rho", "T1rho"] == pytest.approx(0, abs=1e-6)
    # partial volume keeps even a fit of all images below 1
    assert 0.2 < found["fit", "T1", "T1"] < 1.1
    assert 0.2 < found["fit", "T1rho", "T1rho"] < 1.3
    # voxels of this size mix much fat: more signal of cartilage weighs it less, and T1 moves by half of that
    assert 0 < found["fit", "M0", "T1"] < 0.1
    # B1 is measured; unseen, its 5 % would move T1 by 10 %
    assert abs(found["fit", "B1", "T1"]) < 0.06
    assert found["guess", "M0", "T1"] == pytest.approx(0, abs=1e-6)
    n_calls = len(calls)
    score_counterfactuals(tmp_path / "out", config, methods, Quiet())
    assert len(calls) == n_calls, "a second run simulates nothing"


def test_every_variation_is_a_training_that_differs_and_has_a_name_of_its_own():
    names = [one.name for one in VARIATIONS]
    assert len(set(names)) == len(names)
    for preset in STUDY_PRESETS.values():
        base = preset.variation_train
        assert base.epochs <= preset.train.epochs / 3 + 0.5
        for one in preset.variations:
            assert (one.config(base) != base) == bool(one.changes)
        assert preset.variations[0].name == SAME_BUDGET
        assert preset.n_baselines <= preset.n_fresh
        assert preset.unseen(3).seed != preset.cohort.seed
        assert {one.inputs for one in TRUTH_LEARNERS} <= set(INPUT_SETS_STUDIED)
        assert [preset.train_of(one) for one in TRUTH_LEARNERS] == [
            dataclasses.replace(preset.train, targets="truth")
        ] * len(TRUTH_LEARNERS)
    # a preset that counts regions tenfold anyway has no variation that does so
    left_out = {
        name: {one.name for one in VARIATIONS} - {one.name for one in preset.variations}
        for name, preset in STUDY_PRESETS.items()
    }
    assert left_out == {"demo": {"region-1"}, "small": {"region-10"}, "paper": {"region-1"}}
    assert study_preset("paper").n_fresh == 200
    with pytest.raises(InputError, match="preset must be one of demo, small, paper, got 'huge'"):
        study_preset("huge")


def test_a_folder_without_weights_is_refused_with_what_it_holds(tmp_path: Path):
    (tmp_path / "other.safetensors").touch()
    with pytest.raises(InputError, match=r"holds no network of the study.*it holds: other\.safetensors"):
        given(tmp_path)


def save_network(path: Path, name: str, training: dict[str, object]) -> None:
    """A checkpoint of this input set that was never trained."""
    inputs = input_set(name)
    network = build_network("rmqnet", len(inputs.acquisitions), REGRESSION_ORDER, SEGMENTED, 1)
    scaling = network_scales(REGRESSION_ORDER)
    about = inputs, inputs.acquisitions, (3.0, 0.586, 0.586), REGRESSION_ORDER, SEGMENTED, scaling
    save_checkpoint(path, Checkpoint(*about, "rmqnet", 1, network.state_dict(), training))


def given(folder: Path, *, variations: bool = False) -> Networks:
    clock = Clock(folder / "durations.json")
    preset = study_preset("demo")
    return train_all(folder, folder, preset, Quiet(), clock, weights=folder, variations=variations)


def test_weights_of_some_input_sets_are_studied_and_the_missing_are_named(tmp_path: Path):
    save_network(tmp_path / "1FA+1TSL", "1FA+1TSL", {})
    found = given(tmp_path)
    assert list(found.main) == ["1FA+1TSL"]
    assert any("left out: 4FA+7TSL, 2FA+3TSL, 1FA+2TSL, 4FA+7TSL+AFI." in note for note in found.notes)
    save_network(tmp_path / "4FA+7TSL", "1FA+1TSL", {})
    with pytest.raises(InputError, match=r"is a network for 1FA\+1TSL, not for 4FA\+7TSL"):
        given(tmp_path)


def test_a_network_that_learned_something_else_than_its_name_says_is_refused(tmp_path: Path):
    learned = {"config": {"targets": "truth"}}
    save_network(tmp_path / "2FA+3TSL", "2FA+3TSL", {})
    save_network(tmp_path / "2FA+3TSL-truth", "2FA+3TSL", learned)
    assert list(given(tmp_path, variations=True).variations) == ["2FA+3TSL-truth"]
    save_network(tmp_path / "2FA+3TSL-truth", "2FA+3TSL", {})
    with pytest.raises(InputError, match="has learned the reference, not the truth"):
        given(tmp_path, variations=True)
    save_network(tmp_path / "2FA+3TSL", "2FA+3TSL", learned)
    with pytest.raises(InputError, match="has learned the truth, not the reference"):
        given(tmp_path)


def test_a_training_that_began_with_other_weights_says_so_and_is_none_of_the_preset(tmp_path: Path):
    start = {"started_from": {"input_set": "2FA+3TSL", "weights": "ab"}, "config": {"epochs": 6}}
    name = INPUT_SETS_STUDIED[0]
    preset, folder = study_preset("demo"), tmp_path / "train" / name
    open_stage(folder, make_provenance("train", {"train": preset.train, "input_set": name}, 0))
    save_network(folder / name, name, start)
    assert "started from the network for 2FA+3TSL" in budget_of(load_checkpoint(folder / name))
    clock = Clock(tmp_path / "durations.json")
    args = tmp_path, tmp_path / "train", preset, Quiet(), clock
    with pytest.raises(InputError, match=r"was started from the network for 2FA\+3TSL"):
        train_all(*args, weights=None, variations=False)


def test_a_wrong_line_is_refused_before_anything_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert main(["study", str(out), "--preset", "demo", "--weights", str(tmp_path / "none")]) == 2
    assert "check --weights" in capsys.readouterr().err
    assert not out.exists()
