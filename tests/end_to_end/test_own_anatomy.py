"""Your own anatomy, and your own regions, by the commands a person would type."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rmqnet.cli.main import main
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.io.bids_labels import load_fraction, load_segmentation
from rmqnet.io.participants import load_participants
from rmqnet.io.store import hash_folder
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.references import load_reference
from rmqnet.pipeline.simulate import simulate_study
from rmqnet.simulate.config import SimulateConfig

ROOT = Path(__file__).resolve().parents[2]
ATLAS = ROOT.parent / "shared" / "data" / "oai_atlas_cartilage"
PAGES = ROOT / "docs" / "how-to"


def snippets(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def atlas_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of the mean cartilage of sixty people (a left knee; only cartilage is told), by the how-to's lines."""
    if not ATLAS.is_dir():
        pytest.skip("the external data (oai_atlas_cartilage) are not beside the checkout")
    folder = tmp_path_factory.mktemp("atlas")
    masks = [nib.Nifti1Image.from_filename(ATLAS / f"atlas_{name}.nii.gz") for name in ("fc", "tc")]
    femoral, tibial = (np.asanyarray(mask.dataobj) for mask in masks)
    labels = np.where(femoral > 0, 1, np.where(tibial > 0, 2, 0)).astype(np.uint8)
    nib.Nifti1Image(labels, masks[0].affine).to_filename(folder / "knee.nii.gz")
    (folder / "names.tsv").write_text("index\tname\n1\tfemoral_cartilage\n2\ttibial_cartilage\n")
    line = ["simulate", str(folder / "study"), "--preset", "demo", "--side", "left"]
    line += ["--labels", str(folder / "knee.nii.gz"), "--label-map", str(folder / "names.tsv")]
    assert main(line) == 0
    return folder / "study"


def test_the_atlas_becomes_a_scan_with_the_volume_of_its_cartilage(atlas_study: Path):
    truth = atlas_study / "derivatives" / "truth" / "sub-001"
    labels = load_segmentation(truth, desc="truth")
    fraction, grid = load_fraction(truth, desc="truth")
    patella = labels.mask("patellar_cartilage").sum()
    volume = fraction.sum() * np.prod(grid.voxel_size) / 1000
    # 10.985 + 3.440 ml; the atlas has no patella, so that of a simulated knee comes on top
    assert 14.425 * 0.96 < volume < 14.425 * 1.04 + 4.0
    assert patella > 0
    assert load_participants(atlas_study)["001"].side == "left"
    record = json.loads((atlas_study / "provenance.json").read_text())
    assert set(record["inputs"]) == {"labels", "label_map"}
    # medial is towards the right in a left knee
    medial, lateral = (
        np.argwhere(labels.mask(f"{name}_tibial_cartilage"))[:, 0].mean() for name in ("medial", "lateral")
    )
    assert medial < lateral


def test_another_side_or_grade_is_another_study(atlas_study: Path, capsys: pytest.CaptureFixture[str]):
    files = ["--labels", str(atlas_study.parent / "knee.nii.gz"), "--preset", "demo"]
    files += ["--label-map", str(atlas_study.parent / "names.tsv")]
    assert main(["simulate", str(atlas_study), *files, "--side", "left"]) == 0
    for other in (["--side", "right"], ["--side", "left", "--kl-grade", "3"]):
        assert main(["simulate", str(atlas_study), *files, *other]) == 2
        assert str(atlas_study) in capsys.readouterr().err


def test_the_side_of_the_atlas_is_asked_for(atlas_study: Path, capsys: pytest.CaptureFixture[str]):
    files = ["--labels", str(atlas_study.parent / "knee.nii.gz")]
    files += ["--label-map", str(atlas_study.parent / "names.tsv")]
    assert main(["simulate", str(atlas_study.parent / "none"), *files]) == 2
    error = capsys.readouterr().err
    assert "knee.nii.gz: doesn't tell the side" in error
    assert not (atlas_study.parent / "none").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--labels", "knee.nii.gz"], ["--label-map"]),
        (["--label-map", "names.tsv"], ["--labels"]),
        (["--labels", "a", "--label-map", "b", "--n-subjects", "3"], ["--n-subjects"]),
        (["--side", "left"], ["--side", "--labels"]),
        (["--labels", "knee.nii.gz", "--label-map", "no-such.tsv"], ["no-such.tsv"]),
    ],
)
def test_options_that_do_not_belong_together_are_refused(
    options: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "out", *options]) == 2
    error = capsys.readouterr().err
    assert error.strip().count("\n") == 0
    for word in words:
        assert word in error
    assert list(tmp_path.iterdir()) == []


def test_the_second_reader_lies_beside_the_reference(tiny_study: Path):
    for folder in sorted((tiny_study / "derivatives" / "reference").glob("sub-*")):
        first, second = (load_segmentation(folder, desc=desc) for desc in ("reference", "reader2"))
        assert first.tissues == second.tissues == SEGMENTED
        one, other = first.mask("cartilage"), second.mask("cartilage")
        assert 0.5 < 2 * (one & other).sum() / (one.sum() + other.sum()) < 0.99


def test_the_same_seed_gives_the_same_files(tmp_path: Path):
    config = SimulateConfig(n_subjects=2, seed=11, shape=(8, 32, 32))
    for name in ("one", "other"):
        simulate_study(tmp_path / name, config, Quiet())
    assert hash_folder(tmp_path / "one") == hash_folder(tmp_path / "other")
    simulate_study(tmp_path / "third", replace(config, seed=12), Quiet())
    for path in sorted((tmp_path / "one").rglob("*.nii.gz")):
        other = tmp_path / "third" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() != other.read_bytes()


def test_regions_of_a_person_take_the_place_of_the_reader(
    tiny_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The how-to's snippet: labels of ITK-SNAP or 3D Slicer become the regions of the reference."""
    study = tmp_path / "STUDY"
    shutil.copytree(tiny_study, study)
    folder = study / "derivatives" / "reference" / "sub-001" / "anat"
    drawn = nib.Nifti1Image.from_filename(folder / "sub-001_desc-reference_dseg.nii.gz")
    # a program may store axes in another order, and numbers of its own
    numbers = np.where(np.asanyarray(drawn.dataobj) == 1, 41, 0).astype(np.int16)
    flipped = nib.Nifti1Image(numbers, drawn.affine).as_reoriented([[0, -1], [1, 1], [2, 1]])
    flipped.to_filename(tmp_path / "drawn.nii.gz")
    monkeypatch.chdir(tmp_path)
    for code in snippets("your-own-regions.md"):
        exec(compile(code, "your-own-regions.md", "exec"), {})  # noqa: S102
    _, regions = load_reference(study, "001")
    before = load_segmentation(tiny_study / "derivatives" / "reference" / "sub-001", desc="reference")
    assert regions.tissues == ("femoral_cartilage",)
    np.testing.assert_array_equal(regions.mask("femoral_cartilage"), before.mask("femoral_cartilage"))
