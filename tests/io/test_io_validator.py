"""The official BIDS validator has no error to report on what is written."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.io.bids import write_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.bids_labels import write_fraction, write_segmentation
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.participants import write_participants
from rmqnet.io.store import make_provenance, open_stage

VALIDATOR = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent))
pytestmark = pytest.mark.skipif(VALIDATOR is None, reason="bids-validator-deno is not installed")


def _errors(root: Path) -> list[str]:
    command = [str(VALIDATOR), str(root), "--format", "json", "--ignoreWarnings"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    issues = json.loads(found.stdout)["issues"]["issues"]
    return [f"{item['code']} {item.get('subCode')} {item.get('location')}" for item in issues]


@pytest.fixture
def raw(tmp_path, scan) -> Path:
    output = open_stage(tmp_path / "study", make_provenance("simulate", {"n_subjects": 1}, seed=1))
    with output.subject("01") as folder:
        write_scan(folder, scan)
    write_participants(output.root / "participants.tsv", [scan.subject])
    write_dataset_description(
        output.root, name="A test", derivative=False, readme="Simulated.", simulated=True
    )
    return output.root


def test_a_raw_study_is_valid(raw):
    assert _errors(raw) == []


def test_the_validator_does_find_errors(raw):
    (raw / ".bidsignore").unlink()
    sidecar = raw / "sub-01" / "anat" / "sub-01_flip-1_VFA.json"
    sidecar.write_text("{}")
    text = "\n".join(_errors(raw))
    assert "T1rhow" in text
    assert "FlipAngle" in text


def test_a_derivative_dataset_is_valid_on_its_own_and_inside_the_study(raw, scan, grid):
    output = open_stage(raw / "derivatives" / "reference", make_provenance("fit", None))
    random = np.random.default_rng(0)
    values = {
        name: random.uniform(0.6, 1.0, grid.shape).astype(np.float32) for name in ("M0", "T1", "B1", "T1rho")
    }
    codes = {name: np.zeros(grid.shape, np.uint8) for name in values}
    maps = MapSet(
        values, codes, grid, {"adiabatic_t1rho": values["M0"]}, {"T1": values["T1"], "B1": values["B1"]}
    )
    labels = random.integers(0, 7, grid.shape).astype(np.uint8)
    with output.subject("01") as folder:
        write_maps(folder, maps, scan.subject, desc="reference", sidecar={})
        write_segmentation(folder, Segmentation(labels, SEGMENTED, grid), scan.subject, desc="reference")
        write_fraction(folder, values["T1"], grid, scan.subject, desc="reference")
    write_participants(output.root / "participants.tsv", [scan.subject])
    write_dataset_description(output.root, name="Maps", derivative=True, readme="Maps of a test.")
    with output.file("sub-01.html") as path:
        path.write_text("a page to look at")
    assert _errors(output.root) == []
    assert _errors(raw) == []
