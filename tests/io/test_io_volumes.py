"""Files of several volumes, whose sidecar lists the setting of each."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rmqnet.cli.main import main
from rmqnet.domain.errors import InputError
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.series import find_series
from rmqnet.pipeline.check import check_study
from rmqnet.pipeline.progress import Quiet

STEMS = {"VFA": "flip-*_VFA", "T1rhow": "tsl-*_T1rhow", "TB1AFI": "acq-tr*_TB1AFI"}
LISTED = {"VFA": "FlipAngle", "T1rhow": "SpinLockTime", "TB1AFI": "RepetitionTimeExcitation"}


def joined(study: Path, suffix: str, order: tuple[int, ...] | None = None, **keys: object) -> Path:
    """One file of all images of a suffix in place of theirs, their volumes in this order."""
    images = sorted((study / "sub-01").rglob(f"*{STEMS[suffix]}.nii.gz"))
    images = [images[k] for k in order or range(len(images))]
    sidecars = [json.loads(path.with_name(path.name[:-7] + ".json").read_text()) for path in images]
    one = [nib.Nifti1Image.from_filename(path) for path in images]
    data = np.stack([np.asanyarray(image.dataobj) for image in one], axis=-1)
    path = images[0].with_name(f"sub-01_{suffix}.nii.gz")
    nib.Nifti1Image(data, one[0].affine).to_filename(path)
    values = {key: value for key, value in sidecars[0].items() if key != "RepetitionTime"}
    values |= {LISTED[suffix]: [sidecar[LISTED[suffix]] for sidecar in sidecars], **keys}
    path.with_name(f"sub-01_{suffix}.json").write_text(json.dumps(values))
    for old in images:
        old.unlink()
        old.with_name(old.name[:-7] + ".json").unlink()
    return path


@pytest.mark.parametrize("suffix", ["VFA", "T1rhow", "TB1AFI"])
def test_volumes_with_listed_settings_are_the_images_that_they_were(study: Path, suffix: str):
    before = load_scan(study, "01")
    n_images = sum(len(series.acquisitions) for series in before.series.values())
    joined(study, suffix, (1, 0) if suffix == "TB1AFI" else None)
    after = load_scan(study, "sub-01")
    assert after.series.keys() == before.series.keys()
    for method, series in before.series.items():
        assert after.series[method].acquisitions == series.acquisitions
        np.testing.assert_array_equal(after.series[method].data, series.data)
    names = {image.name for images in find_series(study, "01").values() for image in images}
    assert len(names) == n_images
    assert f"sub-01_{suffix}.nii.gz, volume 2" in names
    assert check_study(study, Quiet()).n_images == n_images


def test_the_order_of_the_volumes_is_part_of_what_a_scan_is_known_by(study: Path):
    path = joined(study, "T1rhow")
    before = hash_scan(study, "01")
    sidecar = path.with_name("sub-01_T1rhow.json")
    values = json.loads(sidecar.read_text())
    values["SpinLockTime"] = values["SpinLockTime"][::-1]
    sidecar.write_text(json.dumps(values))
    assert hash_scan(study, "01") != before


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"SpinLockTime": [0.0, 0.01]},
            r"SpinLockTime lists 2 values, but sub-01_T1rhow.nii.gz has \d volumes: give one",
        ),
        ({"SpinLockTime": []}, r"lists different numbers of values \(SpinLockTime 0\)"),
        ({"FlipAngle": [5, 6]}, "lists different numbers of values .*FlipAngle 2"),
        (
            {"SpinLockTime": 0.01},
            r"is 4D with \d volumes: split it into one file per volume.*list the setting",
        ),
    ],
)
def test_lists_that_are_not_those_of_the_volumes_are_refused(study: Path, tmp_path, capsys, keys, words):
    joined(study, "T1rhow", **keys)
    with pytest.raises(InputError, match=words):
        load_scan(study, "01")
    assert main(["fit", str(study), str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
    assert len(capsys.readouterr().err.strip().splitlines()) <= 2


def test_a_swapped_afi_pair_in_one_file_is_exchanged_in_its_sidecar(study: Path):
    right = load_scan(study, "01").series["afi"]
    path = joined(study, "TB1AFI", RepetitionTimeExcitation=[0.1, 0.02])
    with pytest.raises(InputError, match="exchange the two repetition times in its sidecar"):
        load_scan(study, "01")
    sidecar = path.with_name("sub-01_TB1AFI.json")
    values = json.loads(sidecar.read_text()) | {"RepetitionTimeExcitation": [0.02, 0.1]}
    sidecar.write_text(json.dumps(values))
    np.testing.assert_array_equal(load_scan(study, "01").series["afi"].data, right.data)
