"""`rmqnet predict` with weights from the package, on the tiny study; stand-ins take the place of the real weights."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import rmqnet
from rmqnet.cli.main import main
from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import input_set
from rmqnet.domain.quantities import REGRESSION_ORDER
from rmqnet.domain.scan import Scan
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.fit.fit import fit
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.store import hash_file
from rmqnet.networks import shipped
from rmqnet.networks.backbones import build_network
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rmqnet.pipeline.network_b1 import smoothed_b1
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.ship import ship_checkpoint
from rmqnet.pipeline.whom import learned_from
from rmqnet.predict.predict import predict
from rmqnet.samples.scaling import network_scales

NAMES = ("2FA+3TSL", "1FA+1TSL")


pytestmark = pytest.mark.usefixtures("one_thread")


def train_nothing(path: Path, name: str, study: Path) -> Path:
    """A checkpoint with random weights that finds some of each tissue."""
    inputs = input_set(name)
    torch.manual_seed(1)
    network = build_network("rmqnet", len(inputs.acquisitions), REGRESSION_ORDER, SEGMENTED, 1)
    network.segmentation.last.weight.data *= 30
    scan = load_scan(study, "001")
    found = [image for series in scan.series.values() for image in series.acquisitions]
    checkpoint = Checkpoint(
        inputs,
        tuple(next(one for one in found if one.label == image.label) for image in inputs.acquisitions),
        scan.series["vfa"].grid.voxel_size,
        REGRESSION_ORDER,
        SEGMENTED,
        network_scales(REGRESSION_ORDER),
        "rmqnet",
        1,
        network.state_dict(),
        {
            "train_subjects": ["001", "002"],
            "validation_subjects": ["003"],
            "scans": {one: hash_scan(study, one) for one in ("001", "002", "003")},
        },
    )
    save_checkpoint(path / name, checkpoint)
    return path / f"{name}.safetensors"


@pytest.fixture(scope="module")
def weights(tiny_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of shipped weights."""
    folder = tmp_path_factory.mktemp("weights")
    for name in NAMES:
        trained = train_nothing(tmp_path_factory.mktemp("trained"), name, tiny_study)
        ship_checkpoint(trained, tiny_study, folder, Quiet())
    return folder


@pytest.fixture
def package(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package with these weights in it."""
    monkeypatch.setattr(
        shipped,
        "weights_folder",
        lambda targets="reference": weights if targets == "reference" else weights / targets,
    )
    return weights


def copy_without(study: Path, out: Path, *patterns: str) -> Path:
    """The first subject of a study without some images."""
    for path in study.glob("sub-001/**/*"):
        if path.is_file() and not any(path.match(pattern) for pattern in patterns):
            target = out / path.relative_to(study)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    shutil.copy(study / "participants.tsv", out)
    return out


def test_a_study_is_predicted_without_a_checkpoint(package, tiny_study, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["predict", str(tiny_study), str(out), "--subjects", "004"]) == 0
    printed = capsys.readouterr()
    assert "The network for 2FA+3TSL was taken: the largest" in printed.err
    assert str(out / "sub-004" / "figures" / "knee.html") in printed.out
    folder = out / "sub-004"
    with (folder / "anat" / "sub-004_desc-predicted_values.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert {row["region"] for row in rows} == {"cartilage", "meniscus", *SEGMENTED}
    prediction = predict(load_scan(tiny_study, "004"))
    mask = prediction.segmentation.mask("cartilage")
    row = next(one for one in rows if (one["region"], one["quantity"]) == ("cartilage", "T1"))
    values = prediction.maps.values["T1"][mask]
    voxel = np.prod(prediction.maps.grid.voxel_size) / 1000
    assert row["unit"] == "ms"
    assert float(row["mean"]) == pytest.approx(1000 * np.nanmean(values), rel=1e-4)
    assert float(row["median"]) == pytest.approx(1000 * np.nanmedian(values), rel=1e-4)
    assert float(row["sd"]) == pytest.approx(1000 * np.nanstd(values, ddof=1), rel=1e-3)
    assert int(row["n_voxels"]) == np.isfinite(values).sum()
    assert float(row["volume_ml"]) == pytest.approx(mask.sum() * voxel, rel=1e-3)
    for name in ("regions", "T1", "T1rho"):
        assert (folder / "figures" / f"overlay_{name}.png").read_bytes()[:4] == b"\x89PNG"


def planted(probabilities: np.ndarray, tissues: tuple[str, ...]) -> np.ndarray:
    """A joint in the middle of the tiny study, and a stray meniscus on the skin before it."""
    found = np.zeros_like(probabilities)
    for tissue, rows, columns in (
        ("femoral_cartilage", slice(26, 30), slice(24, 44)),
        ("lateral_tibial_cartilage", slice(31, 33), slice(24, 44)),
        ("medial_meniscus", slice(20, 22), slice(1, 3)),
    ):
        found[tissues.index(tissue), 3:6, rows, columns] = 1
    return found


def test_a_stray_region_is_cut_everywhere_and_told_everywhere(
    package, tiny_study, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("rmqnet.predict.predict.one_side_per_slice", planted)
    out, study = tmp_path / "out", str(tiny_study)
    assert main(["predict", study, str(out), "--subjects", "004"]) == 0
    flag = next(
        line for line in capsys.readouterr().err.splitlines() if "ml of medial meniscus were cut" in line
    )
    flag = flag[flag.index("0.59 ml") :]
    assert "mm from the joint" in flag
    folder = out / "sub-004"
    for name in ("T1map", "dseg", "values"):
        record = json.loads((folder / f"anat/sub-004_desc-predicted_{name}.json").read_text())
        assert flag in record["Flags"]
    assert f"sub-004: {flag}" in json.loads((out / "provenance.json").read_text())["warnings"]
    assert flag in (folder / "figures" / "knee.html").read_text()
    with (folder / "anat" / "sub-004_desc-predicted_values.tsv").open() as stream:
        volumes = {row["region"]: float(row["volume_ml"]) for row in csv.DictReader(stream, delimiter="\t")}
    assert volumes["medial_meniscus"] == volumes["meniscus"] == 0
    assert volumes["femoral_cartilage"] > 0
    assert main(["export", study, str(out), str(tmp_path / "dicom")]) == 0
    import pydicom

    exported = pydicom.dcmread(tmp_path / "dicom" / "sub-004" / "sub-004_regions.dcm")
    labels = [str(segment.SegmentLabel).lower() for segment in exported.SegmentSequence]
    assert labels
    assert not any("meniscus" in label for label in labels)


def test_flags_stand_on_the_terminal_in_the_sidecars_and_on_the_page(package, tiny_study, tmp_path, capsys):
    study = copy_without(tiny_study, tmp_path / "study")
    record = json.loads((study / "sub-001/anat/sub-001_tsl-2_T1rhow.json").read_text())
    assert record["SpinLockType"] == "adiabatic"
    import nibabel

    for path in study.glob("sub-001/anat/*T1rhow.nii.gz"):
        image = nibabel.nifti1.load(path)
        louder = nibabel.nifti1.Nifti1Image(3 * np.asarray(image.dataobj), image.affine)
        nibabel.nifti1.save(louder, path)
    assert main(["predict", str(study), str(tmp_path / "out")]) == 0
    flag = "THIS SCAN IS UNLIKE THOSE OF THE TRAINING"
    assert flag in capsys.readouterr().err
    folder = tmp_path / "out" / "sub-001"
    for name in ("T1map", "dseg"):
        sidecar = json.loads((folder / f"anat/sub-001_desc-predicted_{name}.json").read_text())
        assert sidecar["Flags"][0].startswith(flag)
    page = (folder / "figures" / "knee.html").read_text()
    assert flag in page[: page.index('id="viewer"')]
    assert flag in (tmp_path / "out" / "provenance.json").read_text()


def test_a_subject_with_a_bad_sidecar_does_not_keep_the_others_from_their_maps(
    package, tiny_study, tmp_path, capsys
):
    study = copy_without(tiny_study, tmp_path / "study")
    shutil.copytree(tiny_study / "sub-004", study / "sub-004")
    next(study.glob("sub-001/anat/*flip-1_VFA.json")).write_text("{")
    assert main(["predict", str(study), str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert "1 of 2 subjects were not predicted, the others are complete" in printed.err
    assert "not predicted: " in printed.err
    assert (tmp_path / "out" / "sub-004").is_dir()
    assert not (tmp_path / "out" / "sub-001").exists()


def without_times(tiny_study: Path, folder: Path) -> tuple[Path, list[str]]:
    """The study without SpinLockTime in its sidecars, and the options that name a table of the times."""
    study, table = folder / "study", folder / "times.tsv"
    shutil.copytree(tiny_study, study)
    lines = ["file\tspin_lock_time"]
    for path in sorted(study.glob("sub-*/anat/*T1rhow.json")):
        sidecar = json.loads(path.read_text())
        lines.append(f"{path.with_suffix('.nii.gz').name}\t{sidecar.pop('SpinLockTime')}")
        path.write_text(json.dumps(sidecar))
    table.write_text("\n".join(lines) + "\n")
    return study, ["--spin-lock-table", str(table)]


def test_a_table_of_spin_lock_times_gives_the_maps_of_complete_sidecars(
    package, tiny_study, tmp_path, capsys
):
    study, table = without_times(tiny_study, tmp_path)
    line = ["predict", str(study), str(tmp_path / "out"), "--subjects", "004"]
    assert main(line) == 2
    assert "SpinLockTime" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*line, "--spin-lock-table", "nowhere.tsv"]) == 2
    assert capsys.readouterr().err == "rmqnet: nowhere.tsv: there is no such file: check the path\n"
    assert main([*line, *table]) == 0
    assert "sub-004: Spin-lock times are taken from the table times.tsv." in capsys.readouterr().err
    assert main(["predict", str(tiny_study), str(tmp_path / "same"), "--subjects", "004"]) == 0
    for name in ("T1map", "T1rho"):
        file = f"sub-004/anat/sub-004_desc-predicted_{name}.nii.gz"
        assert (tmp_path / "out" / file).read_bytes() == (tmp_path / "same" / file).read_bytes()
    notes = json.loads((tmp_path / "out/sub-004/anat/sub-004_desc-predicted_T1map.json").read_text())
    assert any("times.tsv" in note for note in notes["EstimationNotes"])
    evaluate = ["evaluate", str(study), str(tmp_path / "tables"), "--predictions", str(tmp_path / "out")]
    assert main(evaluate) == 2
    assert "SpinLockTime" in capsys.readouterr().err
    assert main([*evaluate, *table]) == 0
    assert (tmp_path / "tables" / "table1.csv").is_file()


def test_a_network_learns_with_a_table_of_spin_lock_times(tiny_study, tmp_path, capsys):
    study, table = without_times(tiny_study, tmp_path)
    line = ["train", str(study), str(tmp_path / "network"), "--epochs", "1", "--base-width", "2"]
    assert main(line) == 2
    assert "SpinLockTime" in capsys.readouterr().err
    assert main([*line, *table]) == 0
    record = load_checkpoint(tmp_path / "network" / "1FA+1TSL.safetensors").training["scans"]
    assert record
    assert all(scan == hash_scan(tiny_study, name) for name, scan in record.items())


def test_with_fewer_images_a_smaller_network_is_taken(package, tiny_study):
    scan = load_scan(tiny_study, "004")
    vfa = scan.series["vfa"]
    fewer = dataclasses.replace(vfa, data=vfa.data[1:], acquisitions=vfa.acquisitions[1:])
    prediction = rmqnet.predict(Scan(scan.subject, {**scan.series, "vfa": fewer}))
    assert "The network for 1FA+1TSL was taken" in prediction.notes[0]
    assert "2FA+3TSL: sub-004 lacks vfa FA 5" in prediction.notes[0]


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("*flip-1_*", "*flip-3_*"), [], ["no shipped network", "lacks vfa FA 20", "lacks vfa FA 5"]),
        (("*flip-1_*",), ["--input-set", "2FA+3TSL"], ["2FA+3TSL needs vfa FA 5"]),
        ((), ["--input-set", "4FA+7TSL"], ["no network is shipped for the input set 4FA+7TSL"]),
        ({"MagneticFieldStrength": 1.5}, [], ["at 1.5 T", "3 T"]),
        ({"EchoTime": 0.002}, ["--input-set", "1FA+1TSL"], ["echo_time of FA 20", "0.002 instead of"]),
        ({"RepetitionTimeExcitation": 0.03}, [], ["no shipped network", "is 0.03 instead of 0.02"]),
    ],
)
def test_what_a_network_can_not_know_is_refused_in_one_sentence(
    package, tiny_study, tmp_path, change, line, words, capsys
):
    study = copy_without(tiny_study, tmp_path / "study", *(change if isinstance(change, tuple) else ()))
    if isinstance(change, dict):
        for path in study.glob("sub-001/anat/*_VFA.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert main(["predict", str(study), str(tmp_path / "out"), *line]) == 2
    error = capsys.readouterr().err
    assert all(word in error for word in words), error
    assert not (tmp_path / "out").exists()


def test_without_shipped_weights_the_way_out_is_named(tiny_study, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "weights_folder", lambda _="reference": tmp_path)
    assert main(["predict", str(tiny_study), str(tmp_path / "out")]) == 2
    assert "ships no trained network: train one with `rmqnet train`" in capsys.readouterr().err


def test_a_shipped_checkpoint_is_half_as_large_and_names_nobody(weights, tiny_study, tmp_path, monkeypatch):
    trained = train_nothing(tmp_path, "1FA+1TSL", tiny_study)
    small = weights / "1FA+1TSL.safetensors"
    before, after = load_checkpoint(trained), load_checkpoint(small)
    for name, tensor in after.weights.items():
        torch.testing.assert_close(tensor, before.weights[name], rtol=1e-3, atol=1e-6)
    assert "001" not in json.dumps({**after.training, "scans": None})
    assert after.training["scans"] == sorted(before.training["scans"].values())
    assert after.training["n_train_subjects"] == 2
    # evaluation leaves out whom a network has learned from: by hashes, whether people are named or not
    assert learned_from(after.training) == learned_from(before.training)
    assert after.training["trained_weights"] == hash_file(trained)
    monkeypatch.setattr("rmqnet.pipeline.ship.LARGEST_FILE", 1e3)
    with pytest.raises(InputError, match="MB in half precision, more than"):
        ship_checkpoint(trained, tiny_study, tmp_path / "large", Quiet())
    assert not (tmp_path / "large").exists()
    monkeypatch.undo()
    with pytest.raises(InputError, match="fewer than two of the scans"):
        ship_checkpoint(trained, copy_without(tiny_study, tmp_path / "other"), tmp_path / "new", Quiet())


def test_a_network_gives_b1_to_the_fit_of_a_scan_without_afi_images(package, tiny_study, tmp_path, capsys):
    study = copy_without(tiny_study, tmp_path / "study", "*AFI*")
    out = tmp_path / "out"
    assert main(["fit", str(study), str(out)]) == 2
    assert "let a network predict it (--b1-from-network)" in capsys.readouterr().err
    assert not out.exists()
    assert main(["fit", str(study), str(out), "--b1-from-network"]) == 0
    assert "B1 was not measured but predicted by the network for 2FA+3TSL and" in capsys.readouterr().err
    maps = load_maps(out / "sub-001", desc="fitted")
    scan = load_scan(study, "001")
    expected = smoothed_b1(scan, predict(scan))
    inside = np.isfinite(maps.values["B1"])
    np.testing.assert_allclose(maps.values["B1"][inside], expected.values[inside], rtol=1e-3)
    again = fit(scan, b1=expected)
    np.testing.assert_allclose(maps.values["T1"], again.values["T1"], rtol=1e-3)
    page = (out / "sub-001" / "figures" / "knee.html").read_text()
    assert "B1 predicted by a network" in page
    # a second run keeps what is there, and another B1 is another configuration
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert main(["fit", str(study), str(out), "--b1-from-network"]) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    capsys.readouterr()
    assert main(["fit", str(study), str(out), "--assumed-b1", "1"]) == 2
    assert "another configuration" in capsys.readouterr().err


def test_b1_that_was_measured_is_not_predicted(package, tiny_study, tmp_path, capsys):
    study, out = copy_without(tiny_study, tmp_path / "study"), tmp_path / "out"
    assert main(["fit", str(study), str(out), "--b1-from-network"]) == 0
    assert "predicted" not in capsys.readouterr().err
    maps, scan = load_maps(out / "sub-001", desc="fitted"), load_scan(study, "001")
    np.testing.assert_allclose(maps.values["B1"], fit(scan).values["B1"], rtol=1e-3)


@pytest.mark.parametrize(
    ("missing", "options", "words"),
    [
        (("*AFI*",), ["--assumed-b1", "1"], "--b1-from-network and --assumed-b1 both say what B1 is"),
        (("*VFA*", "*AFI*"), [], "has not all images of any network that predicts B1 (2FA+3TSL: "),
        (("*AFI*",), ["--b1-method", "exact"], "the exact B1 needs AFI images, which it has not"),
    ],
)
def test_b1_of_networks_that_are_no_help_is_refused(
    package, tiny_study, tmp_path, capsys, missing: tuple[str, ...], options: list[str], words: str
):
    study = copy_without(tiny_study, tmp_path / "study", *missing)
    out = tmp_path / "out"
    assert main(["fit", str(study), str(out), "--b1-from-network", *options]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()
