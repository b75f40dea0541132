"""Nobody is tested whom a network has learned from, also where a simulated scan has other bits."""

import dataclasses
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
from rmqnet.simulate.simulate import knee_and_scan_rng

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
    assert marks_of(cohort, "002") == {hash_scan(cohort, "002"), "seed 7, person 2"}
    first, second = marks_of(cohort, "002"), marks_of(other_bits, "002")
    assert first & second == {"seed 7, person 2"}
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
    learned = learned_from({"scans": [hash_scan(cohort, "002")], "simulated": ["seed 7, person 2"]})
    assert learned is not None
    found, notes = fair_subjects(other_bits, [predicted(tmp_path / "predicted", other_bits, learned)])
    assert found == ["001", "003"]
    assert any("left out of all scores" in note for note in notes)
    # the hash alone does not know them
    silent = predicted(tmp_path / "silent", other_bits, [hash_scan(cohort, "002")])
    assert fair_subjects(other_bits, [silent])[0] == ["001", "002", "003"]
    # images that were made from a cohort state no seed; the cohort does
    aligned = tmp_path / "aligned"
    shutil.copytree(other_bits, aligned)
    (aligned / PROVENANCE).unlink()
    folder = predicted(tmp_path / "of aligned", aligned, learned)
    assert fair_subjects(aligned, [folder])[0] == ["001", "002", "003"]
    assert fair_subjects(aligned, [folder], cohort=cohort)[0] == ["001", "003"]


def test_one_seed_and_number_is_nearly_one_knee_whatever_the_size_of_the_cohort():
    knees = [knee_and_scan_rng(dataclasses.replace(CONFIG, n_subjects=n), 1)[0] for n in (3, 65)]
    first, second = (knee.maps.B1.ravel() for knee in knees)
    assert np.corrcoef(first, second)[0, 1] > 0.99
    other = knee_and_scan_rng(CONFIG, 2)[0].maps.B1.ravel()
    assert np.corrcoef(first, other)[0, 1] < 0.9


def test_kspace_of_a_cohort_is_known_and_a_segmented_knee_is_nobody_of_one(tmp_path):
    config = {"simulate": CONFIG, "kspace": "settings"}
    open_stage(tmp_path / "kspace", make_provenance("simulate", config, 7))
    assert drawn_from(tmp_path / "kspace", "001") == "seed 7, person 1"
    own = make_provenance("simulate", {"simulate": CONFIG}, 7, {"labels": "hash"})
    open_stage(tmp_path / "own", own)
    assert drawn_from(tmp_path / "own", "001") is None


def test_a_network_that_knows_fresh_people_is_refused():
    preset = study_preset("small")
    fresh = run.fresh_people(preset)
    assert len(fresh) == preset.n_fresh
    network = shipped_checkpoint(shipped_names()[0])
    assert check_people_untouched(fresh, {"network": network}) == []
    knows = {"scans": [], "simulated": [f"seed {FRESH_SEED}, person 100"]}
    with pytest.raises(InputError, match="has learned from the scan of sub-100 of the fresh people"):
        check_people_untouched(
            fresh, {"network": dataclasses.replace(network, training=knows)}, "the fresh people"
        )


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
    expected = {f"seed {seed}, person {int(one)}" for one in names((*split.train, *split.validation))}
    for name in shipped_names(targets):
        assert set(shipped_checkpoint(name, targets).training["simulated"]) == expected
        assert shipped_checkpoint(name, targets).training["n_not_simulated"] == 0
