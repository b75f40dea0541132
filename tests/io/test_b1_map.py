"""B1 maps of scanners: their unit, their place, and the map of a subject."""

from pathlib import Path

import numpy as np
import pytest

import rmqnet
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.io.b1_map import copy_b1_map, find_b1_map, load_b1_map
from rmqnet.io.nifti import write_volume
from rmqnet.io.text import read_json, write_json

GRID = centered_grid((4, 12, 10), (6.0, 5.0, 5.0))
B1 = np.broadcast_to(np.linspace(0.85, 1.15, 10, dtype=np.float32), GRID.shape).copy()
B1[:, :2] = 0.0


def written(folder: Path, factor: float, sidecar: dict[str, object] | None = None) -> Path:
    path = folder / "sub-01_TB1map.nii.gz"
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(path, B1 * np.float32(factor), GRID)
    if sidecar is not None:
        write_json(folder / "sub-01_TB1map.json", sidecar)
    return path


@pytest.mark.parametrize(
    ("factor", "sidecar", "options", "unit"),
    [
        (1, {"Units": "ratio"}, {}, "ratio"),
        (100, {"Units": "percent"}, {}, "percent"),
        (100, {"Units": "%"}, {}, "percent"),
        (60, {"Units": "degrees", "FlipAngle": 60}, {}, "degrees of a nominal 60"),
        (60, {"Units": "deg"}, {"flip_angle": 60.0}, "degrees of a nominal 60"),
        # the angle of the read-out stands in many sidecars: what the user says counts
        (80, {"Units": "degrees", "FlipAngle": 8}, {"flip_angle": 80.0}, "degrees of a nominal 80"),
        (800, {"FlipAngle": 8}, {"flip_angle": 800.0}, "degrees of a nominal 800"),
        (100, {"Units": "ratio"}, {"unit": "percent"}, "percent"),
        # a scanner far off its nominal angle, where the unit is stated
        (55, {"Units": "percent"}, {}, "percent"),
    ],
)
def test_a_unit_that_is_stated_is_taken(tmp_path: Path, factor, sidecar, options, unit):
    b1 = load_b1_map(written(tmp_path, factor, sidecar), **options)
    scale = 0.55 if factor == 55 else 1.0
    np.testing.assert_allclose(b1.values, B1 * scale, rtol=1e-5)
    assert b1.origin == f"the B1 map sub-01_TB1map.nii.gz ({unit})"
    assert b1.notes == ()
    assert b1.grid.same_as(GRID)


@pytest.mark.parametrize(
    ("factor", "sidecar", "unit"),
    [
        (1, None, "ratio"),
        (100, None, "percent"),
        (100, {"Units": "arbitrary"}, "percent"),
        (100, {"FlipAngle": 8}, "percent"),
        (45, {"FlipAngle": 45}, "degrees"),
    ],
)
def test_a_unit_that_values_leave_no_doubt_about_is_taken_and_said(tmp_path: Path, factor, sidecar, unit):
    b1 = load_b1_map(written(tmp_path, factor, sidecar))
    np.testing.assert_allclose(b1.values, B1, rtol=1e-5)
    assert (
        f"is not stated; with a median of {np.median(B1[B1 > 0]) * factor:.4g} it was taken as {unit}"
        in b1.notes[0]
    )


@pytest.mark.parametrize(
    ("factor", "sidecar", "options", "words"),
    [
        (60, None, {}, r"unit of this B1 map is not stated.* 60, tells none: add \"Units\".*--b1-unit"),
        (90, {"FlipAngle": 90}, {}, "90, may be percent or degrees"),
        (800, None, {}, "tells none"),
        (5, None, {}, "tells none"),
        (
            60,
            {"Units": "degrees"},
            {},
            "is in degrees, which needs the nominal flip angle: give --b1-flip-angle",
        ),
        (80, {"Units": "degrees", "FlipAngle": 8}, {}, "which makes a B1 of 10"),
        (100, {"Units": "ratio"}, {}, "can't be in ratio: the median of its values is 100"),
        (1, {"Units": "percent"}, {}, "can't be in percent"),
        (1, {"Units": "uT"}, {}, "Units of a B1 map must be .* got 'uT'"),
        (100, {"Units": "percent"}, {"flip_angle": 60.0}, "is in percent, which needs no nominal flip angle"),
        (0, None, {}, "has no voxel with a value"),
    ],
)
def test_a_unit_that_is_in_doubt_is_asked_for(tmp_path: Path, factor, sidecar, options, words):
    with pytest.raises(InputError, match=words):
        load_b1_map(written(tmp_path, factor, sidecar), **options)


def test_values_that_no_field_has_are_left_out_and_said(tmp_path: Path):
    path = tmp_path / "b1.nii.gz"
    values = B1.copy()
    values[:, -2:] = 7.0
    write_volume(path, values, GRID)
    b1 = rmqnet.load_b1_map(str(path), unit="ratio")
    assert "20% of its values lie outside 0.2 to 2.2" in b1.notes[0]
    assert np.isnan(b1.on(GRID)[:, -2:]).all()


def test_the_map_of_a_subject_is_found_with_inherited_keys_and_copied_with_them(tmp_path: Path):
    study = tmp_path / "study"
    path = written(study / "sub-01" / "fmap", 60)
    write_json(study / "TB1map.json", {"Units": "degrees", "FlipAngle": 60})
    assert find_b1_map(study, "01") == path
    assert find_b1_map(study, "02") is None
    np.testing.assert_allclose(load_b1_map(path, root=study).values, B1, rtol=1e-5)
    copy_b1_map(study, "01", tmp_path / "other" / "sub-01")
    copied = tmp_path / "other" / "sub-01" / "fmap" / path.name
    assert copied.read_bytes() == path.read_bytes()
    assert read_json(copied.with_name("sub-01_TB1map.json")) == {"Units": "degrees", "FlipAngle": 60}
    write_volume(path.with_name("sub-01_acq-2_TB1map.nii.gz"), B1, GRID)
    with pytest.raises(InputError, match=r"has 2 B1 maps .* keep one, or name one with --b1"):
        find_b1_map(study, "01")
