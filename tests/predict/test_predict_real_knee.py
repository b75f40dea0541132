"""A real knee of another protocol: refused where images are missing, flagged where it pretends to be another scan."""

import json
from pathlib import Path

import numpy as np
import pytest

import rmqnet
from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import INPUT_SETS, adiabatic_t1rho, vfa
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.io.nifti import read_volume
from rmqnet.io.series import find_series
from rmqnet.networks.shipped import shipped_checkpoint, shipped_names
from rmqnet.predict.choice import choose_network

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "pykneer_t1rho_dess"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the pyKNEEr knee is not beside the repository")


def test_a_real_study_without_vfa_is_refused_with_what_each_network_lacks(tmp_path):
    anat = tmp_path / "sub-01" / "anat"
    anat.mkdir(parents=True)
    for index, name in enumerate(("10", "60"), start=1):
        (anat / f"sub-01_tsl-{index}_T1rhow.nii.gz").symlink_to(FOLDER / f"T1rho_tsl-{name}ms.nii.gz")
        sidecar = {"SpinLockTime": int(name) / QUANTITIES["T1rho"].display_factor}
        (anat / f"sub-01_tsl-{index}_T1rhow.json").write_text(json.dumps(sidecar))
    found = find_series(tmp_path, "01", notes=[])
    present = [image.acquisition for series in found.values() for image in series]
    networks = {name: one.acquisitions for name, one in INPUT_SETS.items()}
    with pytest.raises(
        InputError, match=r"1FA\+1TSL: sub-01 lacks vfa FA 20.*has spin_lock TSL 10 ms, TSL 60 ms"
    ):
        choose_network(networks, {"01": present})


@pytest.mark.skipif("1FA+1TSL" not in shipped_names(), reason="this version ships no network for 1FA+1TSL")
def test_another_sequence_that_pretends_to_be_the_protocol_is_flagged():
    series = {}
    for method, image, name in (
        ("vfa", vfa(20.0), "T1rho_tsl-01ms.nii.gz"),
        ("adiabatic_t1rho", adiabatic_t1rho(0.048), "T1rho_tsl-60ms.nii.gz"),
    ):
        data, grid = read_volume(FOLDER / name)
        middle = slice(data.shape[0] // 2 - 6, data.shape[0] // 2 + 6)
        affine = grid.affine.copy()
        affine[:3, 3] += affine[:3, 0] * middle.start
        part = np.ascontiguousarray(data[None, middle])
        series[method] = ImageSeries(part, (image,), type(grid)(part.shape[1:], affine))
    found = rmqnet.predict(Scan(Subject("01", "right"), series), shipped_checkpoint("1FA+1TSL"))
    assert any("in the scans of the training" in flag for flag in found.flags)
