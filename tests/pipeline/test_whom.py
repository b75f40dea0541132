"""Nobody is tested whom a network has learned from, also where a simulated scan has other bits."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.io.bids import hash_scan
from rmqnet.io.store import PROVENANCE, make_provenance, open_stage
from rmqnet.networks.shipped import shipped_checkpoint, shipped_names
from rmqnet.pipeline.evaluate import fair_subjects
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.simulate import simulate_study
from rmqnet.pipeline.study import run
from rmqnet.pipeline.study.leaks import check_people_untouched
from rmqnet.pipeline.study.presets import FRESH_SEED, study_preset
from rmqnet.pipeline.train import names, study_split
from rmqnet.pipeline.whom import drawn_from, learned_from, marks_of
from rmqnet.simulate.config import SimulateConfig

CONFIG = SimulateConfig(n_subjects=3, seed=7, shape=(8, 48, 48))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("whom") / "cohort"
    simulate_study(study, CONFIG, Quiet())
    return study


@pytest.fixture
def other_bits(cohort: Path, tmp_path: Path) -> Path:
    """The same people as another kind of processor simulates them: one voxel differs in the last bit."""
    import nibabel

    study = tmp_path / "cohort"
    shutil.copytree(cohort, study)
    for path in study.glob("sub-*/anat/*_flip-1_VFA.nii.gz"):
        image = nibabel.nifti1.load(path)
        data = np.asarray(image.dataobj, np.float32).copy()
        data[4, 24, 24] = np.nextafter(data[4, 24, 24], np.float32(np.inf))
        nibabel.nifti1.Nifti1Image(data, image.affine).to_filename(path)
    return study


def test_a_simulated_person_is_known_by_the_scan_and_by_seed_number_and_cohort(cohort, other_bits):
    assert marks_of(cohort, "002") == {hash_scan(cohort, "002"), "seed 7, person 2 of 3"}
    first, second = marks_of(cohort, "002"), marks_of(other_bits, "002")
    assert first & second == {"seed 7, person 2 of 3"}
    assert not marks_of(cohort, "001") & first


@pytest.mark.parametrize(
    "record",
    [None, "{", "[]", '{"stage": "fit", "config": {"seed": 7, "n_subjects": 3}}', '{"stage": "simulate"}'],
)
def test_a_study_that_is_no_simulated_cohort_has_scans_alone(
    cohort: Path, tmp_path: Path, record: str | None
):
    study = tmp_path / "study"
    shutil.copytree(cohort, study)
    (study / PROVENANCE).unlink()
    if record is not None:
        (study / PROVENANCE).write_text(record)
    assert drawn_from(study, "001") is None
    assert marks_of(study, "001") == {hash_scan(study, "001")}
    assert drawn_from(cohort, "left") is None


def predicted(folder: Path, study: Path, learned: list[str]) -> Path:
    """A folder as `rmqnet predict` leaves it, by a network that has learned from these people."""
    people = ("001", "002", "003")
    inputs = {f"sub-{name}": hash_scan(study, name) for name in people}
    settings = {"input_set": "1FA+1TSL", "trained_on": learned}
    output = open_stage(folder, make_provenance("predict", settings, inputs=inputs))
    for name in people:
        with output.subject(name) as own:
            (own / "maps").touch()
    return folder


def test_people_whom_a_network_learned_from_on_another_processor_are_left_out(cohort, other_bits, tmp_path):
    learned = learned_from({"scans": [hash_scan(cohort, "002")], "simulated": ["seed 7, person 2 of 3"]})
    assert learned is not None
    found, notes = fair_subjects(other_bits, [predicted(tmp_path / "predicted", other_bits, learned)])
    assert found == ["001", "003"]
    assert any("left out of all scores" in note for note in notes)
    # the hash alone does not know them
    silent = predicted(tmp_path / "silent", other_bits, [hash_scan(cohort, "002")])
    assert fair_subjects(other_bits, [silent])[0] == ["001", "002", "003"]
    # another cohort of the same seed holds other people
    larger = predicted(tmp_path / "larger", other_bits, ["seed 7, person 2 of 65"])
    assert fair_subjects(other_bits, [larger])[0] == ["001", "002", "003"]


def test_a_network_that_knows_fresh_people_is_refused():
    preset = study_preset("small")
    fresh = run.fresh_people(preset)
    assert len(fresh) == preset.n_fresh + preset.n_shifted + preset.n_counterfactual
    network = shipped_checkpoint(shipped_names()[0])
    assert check_people_untouched(fresh, {"network": network}) == []
    knows = {"scans": [], "simulated": [f"seed {FRESH_SEED}, person 100 of 100"]}
    with pytest.raises(InputError, match="has learned from the scan of sub-100 of 100 fresh people"):
        check_people_untouched(fresh, {"network": dataclasses.replace(network, training=knows)})


@pytest.mark.parametrize("targets", ["reference", "truth"])
def test_the_shipped_networks_name_the_learners_of_the_default_cohort(targets: str, tmp_path: Path):
    from rmqnet.io.participants import write_participants
    from rmqnet.simulate.cohort import plan_cohort
    from rmqnet.simulate.config import preset

    people = plan_cohort(preset("paper"))
    write_participants(tmp_path / "participants.tsv", people)
    for person in people:
        (tmp_path / f"sub-{person.name}" / "anat").mkdir(parents=True)
    split = study_split(tmp_path)
    seed = preset("paper").seed
    expected = {f"seed {seed}, person {int(one)} of 65" for one in names((*split.train, *split.validation))}
    for name in shipped_names(targets):
        assert set(shipped_checkpoint(name, targets).training["simulated"]) == expected
        record = json.dumps(shipped_checkpoint(name, targets).training)
        assert f"seed {seed}, person {int(split.test[0].name)} of 65" not in record
