"""From k-space to maps by the commands a person would type: simulated, in files, reconstructed, fitted."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmqnet.cli.main import main
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.protocols import FULL
from rmqnet.domain.subject import Subject
from rmqnet.encoding import cones_settings
from rmqnet.encoding.cones_settings import ConesSettings
from rmqnet.io.bids import load_scan
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.kspace_file import ENDINGS, Format, open_kspace, write_kspace
from rmqnet.io.participants import write_participants
from rmqnet.io.store import hash_folder
from rmqnet.simulate import config as simulate_config
from rmqnet.simulate.config import KSpaceConfig
from rmqnet.simulate.kspace import place, scan_contrast
from rmqnet.simulate.phantom import VALUES, interior, slab_phantom

SETTINGS = ConesSettings(shape=(12, 32, 32), field_of_view=(96.0, 96.0, 96.0), n_spokes=None)
FORMATS: dict[str, Format] = {"vfa": "ismrmrd", "adiabatic_t1rho": "hdf5", "afi": "npz"}
FWHM = 1.59
"""Width of the point spread of a sampled ellipsoid [voxel]."""


@pytest.fixture(scope="module")
def phantom():
    """The slab phantom, fat on resonance, without noise."""
    grid = centered_grid(SETTINGS.shape, SETTINGS.voxel_size)
    spins = slab_phantom(grid, fat_on_resonance=True)
    config = KSpaceConfig(cones=SETTINGS, n_coils=4)
    return place(spins, grid, grid, config, afi_factor=2, noise=0.0, seed=(3,))


@pytest.fixture(scope="module")
def study(phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its k-space, a file of another format for each method."""
    root = tmp_path_factory.mktemp("kspace") / "study"
    (root / "sub-slab" / "raw").mkdir(parents=True)
    write_participants(root / "participants.tsv", [Subject("slab", "right")])
    for method, fmt in FORMATS.items():
        own = [item for item in FULL.acquisitions if item.method == method]
        path = root / "sub-slab" / "raw" / f"sub-slab_acq-{method}_kspace{ENDINGS[fmt]}"
        write_kspace(path, (scan_contrast(phantom, item) for item in own), len(own), fmt)
    return root


@pytest.fixture(scope="module")
def images(study: Path) -> Path:
    out = study.parent / "images"
    assert main(["reconstruct", str(study), str(out)]) == 0
    return out


def test_kspace_becomes_the_maps_that_were_put_in(phantom, images: Path, tmp_path: Path):
    """All 13 volumes; 1 % for T1 and T1rho: fat beside the slab rings into it, as the read-out ends somewhere.

    M0 is told up to the scale of the coils, so its evenness is tested.
    """
    assert main(["fit", str(images), str(tmp_path / "maps")]) == 0
    maps = load_maps(tmp_path / "maps" / "sub-slab", desc="fitted")
    inside = interior(phantom.spins, FWHM)
    assert inside.sum() > 500
    for name in ("T1", "T1rho"):
        values = maps.values[name][inside]
        assert np.isfinite(values).mean() > 0.99
        assert np.nanmean(values) == pytest.approx(VALUES[name], rel=0.01)
        assert np.nanstd(values) < 0.1 * VALUES[name]
    assert np.nanmean(np.abs(maps.values["B1"][inside] / phantom.spins.maps.B1[inside] - 1)) < 0.01
    m0 = maps.values["M0"][inside]
    assert np.nanstd(m0) < 0.1 * np.nanmean(m0)


def test_images_say_what_they_were_made_of(study: Path, images: Path, capsys: pytest.CaptureFixture[str]):
    scan = load_scan(images, "slab")
    assert scan.subject.side == "right"
    assert [len(scan.series[method].acquisitions) for method in ("vfa", "adiabatic_t1rho", "afi")] == [
        4,
        7,
        2,
    ]
    assert scan.get("afi").grid.shape == (6, 16, 16)
    record = json.loads((images / "provenance.json").read_text())
    assert set(record["inputs"]) == {
        f"sub-slab/{path.name}" for path in (study / "sub-slab" / "raw").iterdir()
    }
    before = hash_folder(images / "sub-slab")
    assert main(["reconstruct", str(study), str(images)]) == 0
    assert hash_folder(images / "sub-slab") == before
    assert main(["reconstruct", str(study), str(images), "--combination", "sum_of_squares"]) == 2
    assert "another configuration" in capsys.readouterr().err


def test_a_fit_of_kspace_says_what_to_do_first(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["fit", str(study), str(tmp_path / "maps")]) == 2
    assert "rmqnet reconstruct" in capsys.readouterr().err


def test_the_same_kspace_gives_the_same_images(study: Path, images: Path, tmp_path: Path):
    assert main(["reconstruct", str(study), str(tmp_path / "again")]) == 0
    assert hash_folder(tmp_path / "again" / "sub-slab") == hash_folder(images / "sub-slab")


def test_a_single_file_needs_a_name_and_a_side(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (path,) = (study / "sub-slab" / "raw").glob("*vfa*")
    line = ["reconstruct", str(path), str(tmp_path / "one")]
    assert main(line) == 2
    assert "--subject" in capsys.readouterr().err
    assert main([*line, "--subject", "001"]) == 2
    assert "--side" in capsys.readouterr().err
    assert main([*line, "--subject", "001", "--side", "left", "--output", "complex"]) == 0
    names = {path.name for path in (tmp_path / "one" / "sub-001" / "anat").glob("*.nii.gz")}
    assert {"sub-001_flip-1_part-mag_VFA.nii.gz", "sub-001_flip-1_part-phase_VFA.nii.gz"} <= names
    notes: list[str] = []
    scan = load_scan(tmp_path / "one", "001", notes=notes)
    assert len(scan.get("vfa").acquisitions) == 4
    assert any("phase" in note for note in notes)
    assert main(["reconstruct", str(study), str(tmp_path / "two"), "--subject", "a", "--side", "left"]) == 2


def test_a_subject_that_fails_does_not_keep_the_others_from_their_images(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    root = tmp_path / "study"
    write = [Subject(name, "left") for name in ("bad", "good", "none")]
    for person in write:
        (root / f"sub-{person.name}" / "raw").mkdir(parents=True)
    write_participants(root / "participants.tsv", write)
    (source,) = (study / "sub-slab" / "raw").glob("*afi*")
    shutil.copy(source, root / "sub-good" / "raw" / "afi.npz")
    (root / "sub-bad" / "raw" / "afi.npz").write_bytes(source.read_bytes()[:-1000])
    assert main(["reconstruct", str(root), str(tmp_path / "out"), "--subjects", "bad", "good"]) == 2
    assert "afi.npz" in capsys.readouterr().err
    assert (tmp_path / "out" / "sub-good").is_dir()
    assert not (tmp_path / "out" / "sub-bad").exists()
    assert main(["reconstruct", str(root), str(tmp_path / "other"), "--subjects", "none"]) == 2
    assert "has no k-space" in capsys.readouterr().err
    shutil.copy(source, root / "sub-good" / "raw" / "twice.npz")
    assert main(["reconstruct", str(root), str(tmp_path / "other"), "--subjects", "good"]) == 2
    assert "keep one" in capsys.readouterr().err


def test_a_dead_coil_is_left_out_and_told(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (source,) = (study / "sub-slab" / "raw").glob("*afi*")
    file = open_kspace(source)
    contrasts = [file.load(0), file.load(1)]
    for kspace in contrasts:
        kspace.samples[:, 1] = 0
    write_kspace(tmp_path / "dead.npz", contrasts, 2, "npz")
    line = [
        "reconstruct",
        str(tmp_path / "dead.npz"),
        str(tmp_path / "out"),
        "--subject",
        "a",
        "--side",
        "left",
    ]
    assert main(line) == 0
    assert "Coil 1 holds only zeros" in capsys.readouterr().err
    assert "Coil 1" in json.loads((tmp_path / "out" / "provenance.json").read_text())["warnings"][0]


def test_a_cohort_is_written_as_kspace_with_its_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    small = replace(simulate_config.PRESETS["demo"], shape=(8, 32, 32), supersampling=(1, 1, 1))
    monkeypatch.setitem(simulate_config.PRESETS, "demo", small)
    quick = ConesSettings(n_spokes=None, read_duration=0.0004, dwell_time=4e-6)
    monkeypatch.setitem(cones_settings.CONES_PRESETS, "fast", quick)
    line = ["simulate", str(tmp_path / "k"), "--preset", "demo", "--n-subjects", "1", "--kspace"]
    line += ["--trajectory", "fast", "--kspace-format", "ismrmrd"]
    assert main(line) == 0
    names = sorted(path.name for path in (tmp_path / "k" / "sub-001" / "raw").iterdir())
    assert names == [f"sub-001_acq-{suffix}_kspace.mrd" for suffix in ("T1rhow", "TB1AFI", "VFA")]
    assert load_maps(tmp_path / "k" / "derivatives" / "truth" / "sub-001", desc="truth").grid.shape == (
        8,
        32,
        32,
    )
    assert main(["reconstruct", str(tmp_path / "k"), str(tmp_path / "images")]) == 0
    scan = load_scan(tmp_path / "images", "001")
    truth = load_maps(tmp_path / "k" / "derivatives" / "truth" / "sub-001", desc="truth")
    assert scan.get("vfa").grid.same_as(truth.grid)
    bright = scan.get("vfa").magnitudes[1]
    tissue = np.isfinite(truth.values["M0"])
    # voxels of 5 x 5 x 14 mm: the skin blurs into the air
    assert bright[tissue].mean() > 3 * bright[~tissue].mean()
    assert main([*line, "--labels", "x.nii.gz"]) == 2
    assert "--kspace is for a cohort" in capsys.readouterr().err


PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "from-k-space.md"


def test_the_how_to_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    space: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), space)  # noqa: S102
    for line in re.findall(r"^    rmqnet (reconstruct .*)$", text, re.MULTILINE)[:1]:
        assert main(line.split()) == 0, line
    assert list(tmp_path.rglob("*_T1rhow.nii.gz"))
