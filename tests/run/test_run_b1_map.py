"""Fits, checks and runs of subjects with a B1 map of the scanner."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from run_cases import Ear, Here

from rmqnet.cli.main import main
from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import Reason
from rmqnet.domain.protocols import FULL, vfa
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.io.bids import write_scan
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.nifti import write_volume
from rmqnet.io.participants import write_participants
from rmqnet.io.text import read_json, write_json
from rmqnet.pipeline.check import check_study
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.run.config import RunConfig
from rmqnet.pipeline.run.study import plan_run, run_study
from rmqnet.pipeline.sources import B1Source

SHAPE = (8, 20, 20)
GRID = centered_grid(SHAPE, (12.0, 6.0, 6.0))
COARSE = centered_grid((10, 12, 12), (12.0, 12.0, 12.0))
"""Covers the images; its voxels are twice as long and lie elsewhere."""


BLOCK = np.zeros(SHAPE, bool)
BLOCK[1:7, 4:16, 4:16] = True


def field(grid: Grid) -> np.ndarray:
    """B1 [ratio] that changes along the patient's axes, so that no two axes can be exchanged."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    place = index @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    return (1.0 + place @ [0.001, 0.002, -0.0015]).astype(np.float32)


def add_images(study: Path, name: str, acquisitions: tuple[Acquisition, ...]) -> None:
    images = synthesized(acquisitions, int(name))
    method = acquisitions[0].method
    folder = study / f"sub-{name}"
    folder.mkdir(exist_ok=True)
    write_scan(folder, Scan(Subject(name, "right"), {method: ImageSeries(images, acquisitions, GRID)}))


def synthesized(acquisitions: tuple[Acquisition, ...], seed: int) -> np.ndarray:
    from rmqnet.physics.signals import synthesize

    t1 = np.where(np.arange(SHAPE[2]) < 10, 0.8, 1.1) * np.ones(SHAPE)
    images = synthesize(
        acquisitions, {"M0": np.where(BLOCK, 1000.0, 0.0), "T1": t1, "T1rho": 0.04, "B1": field(GRID)}
    )
    noise = np.random.default_rng(seed).normal(0, 0.3, (2, *images.shape))
    return np.abs(images + noise[0] + 1j * noise[1]).astype(np.float32)


def add_map(study: Path, name: str, factor: float = 100.0, **sidecar: object) -> Path:
    path = study / f"sub-{name}" / "fmap" / f"sub-{name}_TB1map.nii.gz"
    path.parent.mkdir(exist_ok=True)
    write_volume(path, field(COARSE) * np.float32(factor), COARSE)
    write_json(path.with_name(f"sub-{name}_TB1map.json"), sidecar or {"Units": "percent"})
    return path


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two subjects whose B1 is in the study."""
    folder = tmp_path / "study"
    folder.mkdir()
    for name in ("001", "002"):
        add_images(folder, name, (vfa(5.0), vfa(20.0)))
        add_map(folder, name)
    write_participants(folder / "participants.tsv", [Subject(name, "right") for name in ("001", "002")])
    return folder


def right(folder: Path) -> None:
    """B1 and T1 are those that the images were made with."""
    maps = load_maps(folder, desc="fitted")
    inside = BLOCK
    assert maps.valid("T1")[inside].all()
    np.testing.assert_allclose(maps.values["B1"][inside], field(GRID)[inside], rtol=2e-3)
    t1 = np.where(np.arange(SHAPE[2]) < 10, 0.8, 1.1) * np.ones(SHAPE)
    np.testing.assert_allclose(maps.values["T1"][inside], t1[inside], rtol=0.08)
    assert np.median(maps.values["T1"][inside] / t1[inside]) == pytest.approx(1, abs=0.01)


def sidecar_of(folder: Path, suffix: str) -> dict:
    return read_json(next(folder.rglob(f"*_desc-fitted_{suffix}.json")))


def test_the_map_in_the_study_gives_b1_to_the_fit(study, tmp_path, capsys):
    assert main(["fit", str(study), str(tmp_path / "out")]) == 0
    for name in ("001", "002"):
        right(tmp_path / "out" / f"sub-{name}")
    assert "B1 from the B1 map sub-001_TB1map.nii.gz (percent), interpolated from 10 x 12 x 12" in (
        capsys.readouterr().err
    )
    b1 = sidecar_of(tmp_path / "out" / "sub-001", "TB1map")
    assert b1["EstimationAlgorithm"] == "B1 map of the scanner or another program, sub-001_TB1map.nii.gz"
    assert sidecar_of(tmp_path / "out" / "sub-001", "T1map")["EstimationAlgorithm"] == "Levenberg-Marquardt"
    # kept as long as the map is the same, refused beside what was made with another
    assert main(["fit", str(study), str(tmp_path / "out")]) == 0
    capsys.readouterr()
    add_map(study, "002", 90.0)
    assert main(["fit", str(study), str(tmp_path / "out")]) == 2
    assert "was made from another B1 map of sub-002" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("factor", "sidecar", "options"),
    [
        (1.0, {"Units": "ratio"}, []),
        (60.0, {"Units": "degrees", "FlipAngle": 60}, []),
        (60.0, {"SeriesDescription": "B1"}, ["--b1-flip-angle", "60"]),
        (60.0, {"FlipAngle": 8}, ["--b1-unit", "degrees", "--b1-flip-angle", "60"]),
        (100.0, {"Units": "ratio"}, ["--b1-unit", "percent"]),
    ],
)
def test_units_are_stated_in_the_sidecar_or_by_an_option(study, tmp_path, factor, sidecar, options):
    for name in ("001", "002"):
        add_map(study, name, factor, **sidecar)
    assert main(["fit", str(study), str(tmp_path / "out"), *options]) == 0
    right(tmp_path / "out" / "sub-001")


def test_a_unit_that_is_not_known_is_asked_for_before_anything_is_written(study, tmp_path, capsys):
    add_map(study, "001", 60.0, SeriesDescription="B1")
    options = ["--subjects", "001"]
    assert main(["fit", str(study), str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert "the unit of this B1 map is not stated, and the median of its values, 60" in error
    assert 'add "Units": "ratio", "percent" or "degrees"' in error
    assert not (tmp_path / "out").exists()
    assert main(["check", str(study), *options, "--json"]) == 2
    assert "the unit of this B1 map is not stated" in capsys.readouterr().out


def test_a_file_that_is_named_comes_before_that_of_the_study_and_is_one_persons(study, tmp_path, capsys):
    file = tmp_path / "elsewhere.nii.gz"
    add_map(study, "001").replace(file)
    add_map(study, "001", 60.0, Units="percent")
    options = ["--b1", str(file), "--b1-unit", "percent"]
    assert main(["fit", str(study), str(tmp_path / "out"), *options]) == 2
    assert "is the map of one person, and 2 subjects are chosen" in capsys.readouterr().err
    assert main(["fit", str(study), str(tmp_path / "out"), *options, "--subjects", "001"]) == 0
    right(tmp_path / "out" / "sub-001")
    assert main(["check", str(study), *options, "--subjects", "001", "--json"]) == 0
    assert "elsewhere.nii.gz" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--assumed-b1", "1"], "says what B1 is, and --assumed-b1 too: leave out --assumed-b1"),
        (["--b1-method", "exact"], "the exact B1 is that of AFI images, not of"),
        (["--b1", "b1.nii.gz", "--assumed-b1", "1"], "there is no such file"),
        (["--b1", "{map}", "--assumed-b1", "1"], "--b1 and --assumed-b1 both say what B1 is"),
        (["--b1", "{map}", "--b1-from-network"], "--b1 and --b1-from-network both say what B1 is"),
    ],
)
def test_two_statements_about_b1_are_refused(study, tmp_path, capsys, options, words):
    named = [option.format(map=add_map(study, "001")) for option in options]
    assert main(["fit", str(study), str(tmp_path / "out"), "--subjects", "001", *named]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_afi_pair_comes_before_the_map_of_the_study_and_after_a_file_that_is_named(
    study, tmp_path, capsys
):
    add_images(study, "001", FULL.acquisitions[11:])
    path = add_map(study, "001", 60.0)
    one = ["--subjects", "001"]
    assert main(["fit", str(study), str(tmp_path / "afi"), *one]) == 0
    assert (
        "The B1 map sub-001_TB1map.nii.gz is not used: the AFI pair says what B1 is (--b1 takes the map instead)"
        in capsys.readouterr().err
    )
    b1 = sidecar_of(tmp_path / "afi" / "sub-001", "TB1map")
    assert b1["EstimationAlgorithm"] == (
        "Actual flip angle imaging, closed form (Yarnykh 2007), smoothed by a Gaussian of 4 mm"
    )
    assert main(["fit", str(study), str(tmp_path / "map"), *one, "--b1", str(path)]) == 0
    assert "The AFI pair is not used: sub-001_TB1map.nii.gz was named for B1." in capsys.readouterr().err
    maps = load_maps(tmp_path / "map" / "sub-001", desc="fitted")
    inside = maps.valid("B1")
    np.testing.assert_allclose(maps.values["B1"][inside], 0.6 * field(GRID)[inside], rtol=2e-3)
    exact = ["--b1-method", "exact", "--b1-smoothing", "0"]
    assert main(["fit", str(study), str(tmp_path / "exact"), *one, *exact]) == 0
    assert sidecar_of(tmp_path / "exact" / "sub-001", "TB1map")["EstimationAlgorithm"] == (
        "Actual flip angle imaging, Levenberg-Marquardt fit of the exact steady state, in turns with T1"
    )


def test_a_map_that_covers_a_part_is_told_and_its_voxels_say_why(study, tmp_path, capsys):
    path = study / "sub-001" / "fmap" / "sub-001_TB1map.nii.gz"
    half = Grid((5, 12, 12), COARSE.affine)
    write_volume(path, 100 * field(half), half)
    one = ["--subjects", "001"]
    assert main(["check", str(study), *one, "--json"]) == 0
    assert "The B1 map has no value in" in capsys.readouterr().out
    assert main(["fit", str(study), str(tmp_path / "out"), *one]) == 0
    assert "doubt these maps: The B1 map has no value in" in capsys.readouterr().err
    maps = load_maps(tmp_path / "out" / "sub-001", desc="fitted")
    without = maps.reason["T1"] == Reason.MISSING_GIVEN
    assert 0.3 < without.sum() / (without.sum() + maps.valid("T1").sum()) < 0.7
    assert any(
        "has no value in" in text for text in sidecar_of(tmp_path / "out" / "sub-001", "T1map")["Flags"]
    )


def test_another_image_under_the_name_of_a_b1_map_is_told(study):
    path = study / "sub-001" / "fmap" / "sub-001_TB1map.nii.gz"
    random = np.random.default_rng(1)
    write_volume(path, random.uniform(60, 140, COARSE.shape).astype(np.float32), COARSE)
    found = check_study(study, Quiet()).remarks
    assert ("b1_rough", "001") in {(one.rule, one.subject) for one in found}
    assert {one.rule for one in found if one.subject == "002"} == {"assumed"}
    write_volume(path, 60 * field(COARSE), COARSE)
    write_json(path.with_name("sub-001_TB1map.json"), {"Units": "percent"})
    write_volume(path, 45 * field(COARSE), COARSE)
    found = check_study(study, Quiet(), subjects=["001"]).remarks
    assert {"b1_range", "assumed"} <= {one.rule for one in found}


def test_spin_lock_images_alone_need_no_b1(tmp_path, capsys):
    study = tmp_path / "study"
    study.mkdir()
    times = tuple(Acquisition("spin_lock", spin_lock_time=time) for time in (0.0, 0.02, 0.05))
    add_images(study, "001", times)
    add_map(study, "001", 60.0, SeriesDescription="unit not known")
    write_participants(study / "participants.tsv", [Subject("001", "right")])
    assert main(["fit", str(study), str(tmp_path / "out")]) == 0
    assert "sub-001_TB1map.nii.gz is not used: these images are fitted without B1" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*TB1map*"))


def test_a_run_takes_the_map_and_follows_its_changes(study, tmp_path):
    def run(**options) -> tuple[Ear, Path]:
        plan = plan_run(study, tmp_path / "out", RunConfig(steps=("check", "fit")), **options)
        ear = Ear()
        assert run_study(plan, Here, ear).failures == {}
        return ear, plan.out

    ear, out = run()
    assert ear.outcomes["001"] == "done"
    right(out / "maps" / "sub-001")
    kept = run()[0].outcomes
    assert (kept["001"], kept["002"]) == ("kept", "kept")
    add_map(study, "001", 90.0)
    outcomes = run()[0].outcomes
    assert (outcomes["001"], outcomes["002"]) == ("done", "kept")
    values = load_maps(out / "maps" / "sub-001", desc="fitted").values["B1"]
    assert np.nanmedian(values / field(GRID)) == pytest.approx(0.9, rel=1e-3)
    # the unit alone changes what is made of a map
    add_map(study, "001", 1.0, Units="ratio")
    assert run()[0].outcomes["001"] == "done"
    right(out / "maps" / "sub-001")
    with pytest.raises(InputError, match="is the map of one person, and 2 subjects are chosen"):
        run(b1_source=B1Source(add_map(study, "001")))


def test_a_run_without_a_map_is_made_anew_when_one_comes(study, tmp_path):
    config = RunConfig(steps=("fit",))
    for path in (study / "sub-001" / "fmap").iterdir():
        path.unlink()
    plan = plan_run(study, tmp_path / "out", config)
    failures = run_study(plan, Here, Ear()).failures
    assert "can't be fitted without B1: add the AFI pair (fmap/*_TB1AFI) or a B1 map" in failures["001"][0]
    add_map(study, "001")
    assert run_study(plan, Here, Ear()).failures == {}
    right(plan.out / "maps" / "sub-001")


def test_a_b1_map_beside_k_space_is_no_image(study, tmp_path):
    (study / "sub-001" / "raw").mkdir()
    assert not plan_run(study, tmp_path / "out", RunConfig(steps=("fit",))).raw
    for name in ("001", "002"):
        shutil.rmtree(study / f"sub-{name}" / "anat")
    assert plan_run(study, tmp_path / "out", RunConfig(steps=("fit",))).raw


def test_regions_that_are_drawn_later_come_onto_the_page(study, tmp_path, capsys):
    from rmqnet.domain.maps import Segmentation
    from rmqnet.io.bids_labels import write_segmentation

    out, page = tmp_path / "out", tmp_path / "out" / "sub-001" / "figures" / "knee.html"
    assert main(["fit", str(study), str(out)]) == 0
    before = page.stat().st_mtime_ns
    other = (out / "sub-002" / "figures" / "knee.html").stat().st_mtime_ns
    for voxels in (4, 6):
        labels = np.zeros(SHAPE, np.uint8)
        labels[3, 5:9, 5 : 5 + voxels] = 1
        folder = study / "derivatives" / "reference" / "sub-001"
        folder.mkdir(parents=True, exist_ok=True)
        regions = Segmentation(labels, ("femoral_cartilage",), GRID)
        write_segmentation(folder, regions, Subject("001", "right"), desc="reference")
        capsys.readouterr()
        assert main(["fit", str(study), str(out)]) == 0
        assert "sub-001: its regions have changed: fitted again, with a new page" in capsys.readouterr().err
        assert page.stat().st_mtime_ns > before
        before = page.stat().st_mtime_ns
    assert main(["fit", str(study), str(out)]) == 0
    assert page.stat().st_mtime_ns == before
    assert (out / "sub-002" / "figures" / "knee.html").stat().st_mtime_ns == other


def test_what_a_user_says_about_maps_is_kept_as_settings():
    assert B1Source().settings == {}
    source = B1Source(Path("b1.nii.gz"), "degrees", 60.0)
    assert source.settings == {"b1_map": {"named": True, "unit": "degrees", "flip_angle": 60.0}}
    assert dataclasses.replace(source, file=None).absolute() == dataclasses.replace(source, file=None)
