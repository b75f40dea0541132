"""The how-to "fit a real knee", word by word, on a real knee."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rmqnet.cli.main import main
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.io.bids_maps import load_maps

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "pykneer_t1rho_dess"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the pyKNEEr knee is not beside the repository")


def test_fit_gives_the_map_the_picture_and_the_muscle_value(tmp_path: Path):
    anat = tmp_path / "knee" / "sub-01" / "anat"
    anat.mkdir(parents=True)
    (tmp_path / "knee" / "dataset_description.json").write_text(
        '{"Name": "my knee", "BIDSVersion": "1.10.0"}'
    )
    (tmp_path / "knee" / "participants.tsv").write_text("participant_id\tside\nsub-01\tright\n")
    for index, name in enumerate(("01", "10", "30", "60"), start=1):
        shutil.copy(FOLDER / f"T1rho_tsl-{name}ms.nii.gz", anat / f"sub-01_tsl-{index}_T1rhow.nii.gz")
        sidecar = {"SpinLockTime": int(name) / QUANTITIES["T1rho"].display_factor}
        (anat / f"sub-01_tsl-{index}_T1rhow.json").write_text(json.dumps(sidecar))
    assert main(["fit", str(tmp_path / "knee"), str(tmp_path / "maps")]) == 0
    maps = load_maps(tmp_path / "maps" / "sub-01", desc="fitted")
    muscle = maps.values["T1rho"][29, 20:60, 60:110] * QUANTITIES["T1rho"].display_factor
    # the value and the quartiles of the notes beside the data
    assert np.nanmedian(muscle) == pytest.approx(35.9, abs=0.3)
    assert np.nanpercentile(muscle, [25, 75]) == pytest.approx([32.6, 40.7], abs=0.3)
    figures = tmp_path / "maps" / "sub-01" / "figures"
    assert (figures / "T1rho.png").stat().st_size > 50_000
    assert "exponential" in (figures / "knee.html").read_text()
