"""From images to the report, by the commands a person would type."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rmqnet.cli.main import main
from rmqnet.fit.fit import fit
from rmqnet.io.bids_labels import load_segmentation
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.layout import list_subjects
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.simulate import simulate_study
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.simulate import simulate_subject

EXPECTED = Path(__file__).parent / "expected.json"


def cartilage_means(study: Path, subject: str) -> dict[str, float]:
    """Mean of each reference map in the cartilage of one subject."""
    folder = study / "derivatives" / "reference" / f"sub-{subject}"
    maps = load_maps(folder, desc="reference")
    cartilage = load_segmentation(folder, desc="reference", grid=maps.grid).mask("cartilage")
    return {name: float(np.nanmean(values[cartilage])) for name, values in maps.values.items()}


def test_reference_maps_of_two_subjects_are_those_of_the_last_version(tiny_study: Path):
    """Behavior lock: a change of these numbers needs a line under Numbers in the changelog."""
    expected = json.loads(EXPECTED.read_text())
    for subject, values in expected.items():
        # 1e-4: exponentials and float32 sums differ in the last digits between processors
        assert cartilage_means(tiny_study, subject) == pytest.approx(values, rel=1e-4)


def test_reference_is_near_the_truth_in_pure_cartilage():
    # the shortest read-out: at the usual one fat and bone blur into cartilage (decision 9), which no fit can know
    config = SimulateConfig(n_subjects=4, seed=7, shape=(24, 160, 160), readout_duration=1e-4)
    knee = simulate_subject(config, 2)
    reference = fit(knee.scan)
    # B1 is low beside marrow, whose short T1 the closed form does not know, and T1 and T1rho follow it (decision 4;
    # the sizes are printed by the benchmark reference_bias); larger voxels, noise and, in M0, edges that overshoot add
    for name, tolerance in (("B1", 0.01), ("T1", 0.025), ("T1rho", 0.03), ("M0", 0.05)):
        usable = (knee.cartilage_fraction > 0.99) & reference.valid(name)
        assert usable.sum() > 500
        error = np.median(reference.values[name][usable] / knee.truth.values[name][usable]) - 1
        assert abs(error) < tolerance, (name, error)


def test_predictions_of_another_study_are_not_scored(
    tiny_study: Path, tiny_config: SimulateConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    train = ["train", str(tiny_study), str(tmp_path / "network"), "--epochs", "1", "--base-width", "4"]
    assert main(train) == 0
    other = tmp_path / "other"
    simulate_study(other, dataclasses.replace(tiny_config, seed=8), Quiet())
    # another study under the same command is not taken for the one that was learned from
    assert main(["train", str(other), *train[2:]]) == 2
    assert "was made from another" in capsys.readouterr().err
    checkpoint = str(tmp_path / "network" / "1FA+1TSL.safetensors")
    assert main(["predict", str(tiny_study), str(tmp_path / "predicted"), "--checkpoint", checkpoint]) == 0
    capsys.readouterr()
    evaluate = [
        "evaluate",
        str(other),
        str(tmp_path / "tables"),
        "--predictions",
        str(tmp_path / "predicted"),
    ]
    assert main(evaluate) == 2
    assert "predicted from other images" in capsys.readouterr().err
    assert not (tmp_path / "tables").exists()
    # people of another study are new to the network, whatever their names
    fresh = str(tmp_path / "fresh")
    assert main(["predict", str(other), fresh, "--checkpoint", checkpoint]) == 0
    options = ["--predictions", fresh, "--n-bootstrap", "20", "--n-permutations", "20"]
    assert main(["evaluate", str(other), str(tmp_path / "new"), *options]) == 0
    scores = pd.read_csv(tmp_path / "new" / "roi.csv", dtype={"subject": str})
    assert sorted(scores["subject"].unique()) == list_subjects(other)


def test_a_study_of_ones_own_goes_from_fit_to_training(tiny_study: Path, tmp_path: Path):
    study = tmp_path / "study"
    shutil.copytree(tiny_study, study, ignore=shutil.ignore_patterns("derivatives", "provenance.json"))
    reference = study / "derivatives" / "reference"
    assert main(["fit", str(study), str(reference)]) == 0
    for subject in list_subjects(study):
        drawn = tiny_study / "derivatives" / "reference" / f"sub-{subject}" / "anat"
        for path in drawn.glob("*_dseg.*"):
            shutil.copy(path, reference / f"sub-{subject}" / "anat")
    train = ["train", str(study), str(tmp_path / "network"), "--epochs", "1", "--base-width", "4"]
    assert main(train) == 0
    assert (tmp_path / "network" / "1FA+1TSL.safetensors").is_file()


def test_a_refused_fit_leaves_nothing_and_its_cure_works(
    tiny_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    study = tmp_path / "study"
    shutil.copytree(
        tiny_study, study, ignore=shutil.ignore_patterns("derivatives", "fmap", "provenance.json")
    )
    line = ["fit", str(study), str(tmp_path / "maps"), "--subjects", list_subjects(study)[0]]
    assert main(line) == 2
    assert "--assumed-b1" in capsys.readouterr().err
    assert not (tmp_path / "maps").exists()
    assert main([*line, "--assumed-b1", "1.0"]) == 0


def test_the_whole_chain_ends_in_a_report_that_opens_offline(tiny_study: Path, tmp_path: Path):
    train = ["train", str(tiny_study), str(tmp_path / "network"), "--input-set", "1FA+1TSL"]
    assert main([*train, "--epochs", "2", "--base-width", "4"]) == 0
    checkpoint = tmp_path / "network" / "1FA+1TSL.safetensors"
    predicted = str(tmp_path / "predicted")
    assert main(["predict", str(tiny_study), predicted, "--checkpoint", str(checkpoint)]) == 0
    options = ["--predictions", predicted, "--n-bootstrap", "50", "--n-permutations", "50"]
    assert main(["evaluate", str(tiny_study), str(tmp_path / "tables"), *options]) == 0
    report = [
        "report",
        str(tiny_study),
        str(tmp_path / "report"),
        *options,
        "--training",
        str(tmp_path / "network"),
    ]
    assert main(report) == 0
    split = json.loads((tmp_path / "network" / "split.json").read_text())
    assert sorted(split["train"] + split["validation"] + split["test"]) == list_subjects(tiny_study)
    page = (tmp_path / "report" / "report.html").read_text()
    assert "simulated subjects" in page
    assert 'src="http' not in page
    links = re.findall(r'<a href="([^"#]+)">1FA\+1TSL</a>', page)
    assert len(links) == len(split["test"])
    knee = (tmp_path / "report" / links[0]).read_text()
    assert "predicted by RMQ-Net from 2 images (1FA+1TSL, 4.9 minutes)" in knee
    assert "Simulated subject" in knee
    assert '"stage": "predict"' in knee.replace("&#34;", '"')
    scores = (tmp_path / "tables" / "scores.csv").read_text()
    assert "pearson_r" in scores
    # people that the network has learned from are in no score
    for name in split["train"] + split["validation"]:
        assert f"sub-{name}," not in scores
        assert f"\n{name}," not in scores


def test_fit_of_a_study_gives_the_reference_and_a_page(tiny_study: Path, tmp_path: Path):
    subject = list_subjects(tiny_study)[0]
    assert main(["fit", str(tiny_study), str(tmp_path / "maps"), "--subjects", subject]) == 0
    fitted = load_maps(tmp_path / "maps" / f"sub-{subject}", desc="fitted")
    reference = load_maps(tiny_study / "derivatives" / "reference" / f"sub-{subject}", desc="reference")
    for name, values in reference.values.items():
        np.testing.assert_array_equal(fitted.values[name], values)
    assert (tmp_path / "maps" / f"sub-{subject}" / "figures" / "knee.html").stat().st_size > 10_000
    page = (tmp_path / "maps" / f"sub-{subject}" / "figures" / "knee.html").read_text()
    assert "_desc-reference_dseg.nii.gz in derivatives/reference" in page, (
        "the simulated reader's regions are shown"
    )
    assert "femoral cartilage" in page
    assert (tmp_path / "maps" / "regions.label").is_file()


def test_simulation_goes_on_where_it_was_interrupted(
    tiny_study: Path, tiny_config: SimulateConfig, tmp_path: Path
):
    copy = tmp_path / "study"
    shutil.copytree(tiny_study, copy)
    name = list_subjects(copy)[-1]
    before = {path.name: path.read_bytes() for path in (copy / f"sub-{name}" / "anat").iterdir()}
    shutil.rmtree(copy / f"sub-{name}")
    kept = (copy / f"sub-{list_subjects(copy)[0]}" / "anat").stat().st_mtime_ns
    simulate_study(copy, tiny_config, Quiet())
    after = {path.name: path.read_bytes() for path in (copy / f"sub-{name}" / "anat").iterdir()}
    assert after == before
    assert (copy / f"sub-{list_subjects(copy)[0]}" / "anat").stat().st_mtime_ns == kept


def test_an_output_folder_with_another_configuration_is_refused(
    tiny_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    subject = list_subjects(tiny_study)[0]
    out = str(tmp_path / "maps")
    assert main(["fit", str(tiny_study), out, "--subjects", subject]) == 0
    capsys.readouterr()
    assert main(["fit", str(tiny_study), out, "--subjects", subject, "--b1-smoothing", "0"]) == 2
    assert "another configuration" in capsys.readouterr().err


def test_a_checkpoint_for_other_inputs_is_refused_in_one_sentence(
    tiny_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    train = ["train", str(tiny_study), str(tmp_path / "network"), "--input-set", "1FA+2TSL"]
    assert main([*train, "--epochs", "1", "--base-width", "4"]) == 0
    study = tmp_path / "study"
    shutil.copytree(tiny_study, study)
    subject = list_subjects(study)[0]
    for path in (study / f"sub-{subject}" / "anat").glob("*_tsl-2_T1rhow*"):
        path.unlink()
    checkpoint = str(tmp_path / "network" / "1FA+2TSL.safetensors")
    capsys.readouterr()
    predict = ["predict", str(study), str(tmp_path / "predicted"), "--checkpoint", checkpoint]
    assert main([*predict, "--subjects", subject]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("rmqnet: ")
    assert "TSL 12 ms" in message
    assert "sub-001" in message
    assert not (tmp_path / "predicted").exists()


def test_a_broken_subject_does_not_keep_the_others_from_being_fitted(
    tiny_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    study = tmp_path / "study"
    shutil.copytree(tiny_study, study, ignore=shutil.ignore_patterns("derivatives", "provenance.json"))
    first, broken, last, *_ = list_subjects(study)
    image = next((study / f"sub-{broken}" / "anat").glob("*_flip-1_VFA.nii.gz"))
    image.write_bytes(b"")
    line = ["fit", str(study), str(tmp_path / "maps"), "--subjects", first, broken, last]
    assert main(line) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("rmqnet: 1 of 3 subjects were not fitted")
    assert image.name in message
    assert list_subjects(tmp_path / "maps") == [first, last]
