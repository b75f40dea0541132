"""`rmqnet register` on a small study that moved, and what the next stage makes of it."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rmqnet.cli.main import main
from rmqnet.domain.motion import displacement, inverse
from rmqnet.io.b1_map import load_b1_map
from rmqnet.io.bids import load_scan
from rmqnet.io.nifti import read_volume, write_volume
from rmqnet.io.text import write_json
from rmqnet.io.transforms import load_motion
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.simulate import simulate_study
from rmqnet.register.resample import taken_back
from rmqnet.simulate.config import MOTION_BETWEEN, SimulateConfig

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("itk") is None, reason="itk-elastix is not installed"
)


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One knee that moved between images."""
    study = tmp_path_factory.mktemp("moved") / "study"
    config = SimulateConfig(n_subjects=1, seed=5, shape=(12, 64, 64), **MOTION_BETWEEN)
    simulate_study(study, config, Quiet())
    # fewer images, less time
    for left_out in ("flip-3", "tsl-2", "tsl-3", "tsl-5", "tsl-6"):
        for path in (study / "sub-001" / "anat").glob(f"*_{left_out}_*"):
            path.unlink()
    grid = read_volume(study / "sub-001" / "fmap" / "sub-001_acq-tr1_TB1AFI.nii.gz")[1]
    b1 = study / "sub-001" / "fmap" / "sub-001_TB1map.nii.gz"
    write_volume(b1, np.full(grid.shape, 95.0, np.float32), grid)
    write_json(study / "TB1map.json", {"Units": "percent"})
    return study


def test_a_study_that_moved_is_registered_and_fitted(
    moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "registered"
    assert main(["register", str(moved), str(out), "--quality", "fast"]) == 0
    folder = out / "sub-001"
    assert "moved" in capsys.readouterr().err
    before, after = (load_scan(root, "001") for root in (moved, out))
    shapes = {series.grid.shape for series in after.series.values()}
    assert shapes == {(12, 64, 64)}
    # the transforms on disk are those of the images: applied to the study they give the output
    record = json.loads((folder / "xfm" / "sub-001_tsl-2_from-still_to-T1rhow_xfm.json").read_text())
    motion = load_motion(folder / "xfm" / "sub-001_tsl-2_from-still_to-T1rhow_xfm.nii.gz")
    lock = before.series["adiabatic_t1rho"]
    again = taken_back(lock.data[1], lock.grid, motion, lock.grid)
    assert again == pytest.approx(after.series["adiabatic_t1rho"].data[1], rel=1e-3, abs=1e-2, nan_ok=True)
    assert record["FixedImage"] == "FA 10\N{DEGREE SIGN}"
    # and undone
    back = inverse(motion, lock.grid)
    points = np.zeros((3, 1))
    assert back.positions(motion.positions(points)) == pytest.approx(points, abs=0.02)
    assert displacement(motion, lock.grid).mean() > 0.3
    # a B1 map lies where the image lies that did not move, and keeps what was said about it
    assert load_b1_map(folder / "fmap" / "sub-001_TB1map.nii.gz").origin.endswith("(percent)")
    # both AFI images have one motion
    fields = [(folder / "xfm" / f"sub-001_acq-tr{k}_from-still_to-TB1AFI_xfm.nii.gz") for k in (1, 2)]
    assert read_bytes_of_data(fields[0]) == read_bytes_of_data(fields[1])
    page = (folder / "figures" / "register.html").read_text(encoding="utf-8")
    assert "The rule behind the verdicts" in page
    assert "Fit residual" in page
    assert "http" not in page.split("</style>")[1]
    # a second run has nothing to do, and the fit takes what came out
    assert main(["register", str(moved), str(out), "--quality", "fast"]) == 0
    assert main(["fit", str(out), str(tmp_path / "maps")]) == 0
    # nobody was scanned, and the maps of the registered images still say so
    fitted = (tmp_path / "maps" / "sub-001" / "figures" / "knee.html").read_text(encoding="utf-8")
    assert "Simulated subject" in page
    assert "Simulated subject" in fitted
    assert (
        "The B1 map sub-001_TB1map.nii.gz is not used: the AFI pair says what B1 is"
        in capsys.readouterr().err
    )


def read_bytes_of_data(path: Path) -> bytes:
    """The numbers in a displacement field."""
    import nibabel

    return np.asarray(nibabel.load(path).dataobj).tobytes()  # pyright: ignore


def test_a_flipped_volume_is_refused_and_named(
    moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    study = tmp_path / "study"
    shutil.copytree(moved, study, ignore=shutil.ignore_patterns("derivatives", "provenance.json"))
    path = study / "sub-001" / "anat" / "sub-001_flip-4_VFA.nii.gz"
    volume, grid = read_volume(path)
    write_volume(path, volume[::-1], grid)
    assert main(["register", str(study), str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "FA 30" in said
    assert "flipped left to right" in said
    assert not (tmp_path / "out").exists()


def test_a_missing_parameter_file_is_named(moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    line = ["register", str(moved), str(tmp_path / "out"), "--parameter-files", str(tmp_path / "no.txt")]
    assert main(line) == 2
    assert "no.txt: there is no such file" in capsys.readouterr().err


def test_the_truth_of_the_motion_is_saved(moved: Path):
    truth = moved / "derivatives" / "truth" / "sub-001" / "xfm"
    assert len(list(truth.glob("*_xfm.nii.gz"))) == 13
    still = load_motion(truth / "sub-001_flip-2_from-still_to-VFA_desc-truth_xfm.nii.gz")
    assert np.allclose(still.matrix, np.eye(4), atol=1e-6)
    moving = load_motion(truth / "sub-001_tsl-3_from-still_to-T1rhow_desc-truth_xfm.nii.gz")
    assert not np.allclose(moving.matrix, np.eye(4), atol=1e-3)
