"""Maps and segmentations come back exactly; units and labels of other programs are understood or refused."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.tissues import SEGMENTED, TISSUES
from rmqnet.io.bids_labels import load_fraction, load_segmentation, write_fraction, write_segmentation
from rmqnet.io.bids_maps import load_maps, write_maps

RANGES = {
    "M0": (50.0, 200.0),
    "T1": (0.3, 2.0),
    "B1": (0.6, 1.4),
    "T1rho": (0.01, 0.08),
    "T1rho_short": (0.002, 0.02),
    "T1rho_long": (0.02, 0.2),
    "short_fraction": (0.01, 0.9),
    "stretching_exponent": (0.4, 1.2),
    "offset": (-0.1, 0.5),
}


@pytest.fixture
def maps(grid) -> MapSet:
    random = np.random.default_rng(2)
    values, reasons, sds = {}, {}, {}
    for name in QUANTITIES:
        reasons[name] = random.choice([reason.value for reason in Reason], grid.shape).astype(np.uint8)
        reasons[name][:2] = Reason.VALID
        values[name] = random.uniform(*RANGES[name], grid.shape).astype(np.float32)
        values[name][reasons[name] != Reason.VALID] = np.nan
        sds[name] = random.uniform(0.0, 0.1, grid.shape).astype(np.float32)
    residual = {name: random.random(grid.shape).astype(np.float32) for name in ("vfa", "adiabatic_t1rho")}
    correlation = {("M0", "T1"): random.uniform(-1, 1, grid.shape).astype(np.float32)}
    return MapSet(values, reasons, grid, residual, sds, correlation)


@pytest.fixture
def written(tmp_path, maps, subject) -> Path:
    folder = tmp_path / "sub-01"
    folder.mkdir()
    write_maps(folder, maps, subject, desc="reference", sidecar={"EstimationAlgorithm": "x"})
    return folder


def test_maps_come_back_exactly(written, maps):
    loaded = load_maps(written, desc="reference")
    assert loaded.grid.same_as(maps.grid)
    for kind in ("values", "reason", "residual", "sd", "correlation"):
        expected, found = getattr(maps, kind), getattr(loaded, kind)
        assert set(expected) == set(found)
        for name, volume in expected.items():
            assert found[name].dtype == volume.dtype
            np.testing.assert_array_equal(found[name], volume)


def test_files_have_bids_names_units_and_folders(written):
    names = sorted(str(path.relative_to(written)) for path in written.rglob("*map.nii.gz"))
    assert names == [
        "anat/sub-01_desc-reference_M0map.nii.gz",
        "anat/sub-01_desc-reference_T1map.nii.gz",
        "fmap/sub-01_desc-reference_TB1map.nii.gz",
    ]
    assert (written / "anat" / "sub-01_desc-reference_T1rho.nii.gz").is_file()
    units = {
        path.name.split("_")[-1]: json.loads(path.read_text())["Units"] for path in written.rglob("*map.json")
    }
    assert units == {"M0map.json": "arbitrary", "T1map.json": "s", "TB1map.json": "percent"}
    sidecar = json.loads((written / "anat" / "sub-01_desc-reference_T1map.json").read_text())
    assert sidecar["EstimationAlgorithm"] == "x"


def test_b1_is_percent_on_disk(written, maps):
    image = nib.Nifti1Image.from_filename(written / "fmap" / "sub-01_desc-reference_TB1map.nii.gz")
    assert np.nanmedian(np.asarray(image.dataobj)) == pytest.approx(
        100 * np.nanmedian(maps.values["B1"]), rel=1e-6
    )


def test_reason_codes_are_explained_beside_the_image(written):
    sidecar = json.loads((written / "anat" / "sub-01_param-T1_desc-reference_reason.json").read_text())
    assert sidecar["Levels"]["5"] == "at_bound"
    assert len(sidecar["Levels"]) == len(Reason)


def test_maps_of_two_descriptions_do_not_mix(written, maps, subject):
    other = replace(maps, values={"T1": maps.values["T1"] * 2}, residual={}, sd={})
    write_maps(written, other, subject, desc="truth", sidecar={})
    assert set(load_maps(written, desc="truth").values) == {"T1"}
    np.testing.assert_array_equal(load_maps(written, desc="truth").values["T1"], maps.values["T1"] * 2)
    np.testing.assert_array_equal(load_maps(written, desc="reference").values["T1"], maps.values["T1"])


def test_maps_keep_an_oblique_orientation_of_another_order(tmp_path, maps, subject):
    angle = np.deg2rad(20)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned = replace(maps, grid=replace(maps.grid, affine=turn @ maps.grid.affine, source_axes="PIL"))
    write_maps(tmp_path, turned, subject, desc="x", sidecar={})
    loaded = load_maps(tmp_path, desc="x")
    assert loaded.grid.same_as(turned.grid)
    assert loaded.grid.source_axes == "PIL"
    np.testing.assert_array_equal(loaded.values["T1"], maps.values["T1"])


def _other_program(written: Path, factor: float, units: object, quantity: str = "T1") -> Path:
    """Turn one map into one of another program: no reason codes, zero outside, its own units."""
    table = QUANTITIES[quantity]
    path = written / table.bids_folder / f"sub-01_desc-reference_{table.bids_suffix}.nii.gz"
    image = nib.Nifti1Image.from_filename(path)
    data = np.nan_to_num(np.asarray(image.dataobj), nan=0.0) / table.bids_factor * factor
    nib.Nifti1Image(data, image.affine).to_filename(path)
    for companion in written.rglob(f"*_param-{quantity}_*"):
        companion.unlink()
    sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
    sidecar.write_text(json.dumps({} if units is None else {"Units": units}))
    return path


@pytest.mark.parametrize(
    ("quantity", "factor", "units"),
    [
        ("T1", 1.0, "s"),
        ("T1", 1000.0, "ms"),
        ("T1rho", 1000.0, "ms"),
        ("B1", 1.0, "ratio"),
        ("B1", 100.0, "%"),
    ],
)
def test_maps_of_another_program_are_read_in_their_units(written, maps, quantity, factor, units):
    _other_program(written, factor, units, quantity)
    loaded = load_maps(written, desc="reference")
    np.testing.assert_allclose(loaded.values[quantity], maps.values[quantity], rtol=1e-6)
    expected = np.where(np.isfinite(maps.values[quantity]), Reason.VALID, Reason.BACKGROUND)
    np.testing.assert_array_equal(loaded.reason[quantity], expected)


def _maps_refused(written: Path, *words: str, desc: str = "reference") -> None:
    with pytest.raises(InputError) as caught:
        load_maps(written, desc=desc)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_map_without_units_is_refused(written):
    _other_program(written, 1.0, None)
    _maps_refused(written, "sub-01_desc-reference_T1map.json", 'add a line like "Units": "s"')
    (written / "anat" / "sub-01_desc-reference_T1map.json").unlink()
    _maps_refused(written, "sub-01_desc-reference_T1map.json", "Units is missing")


@pytest.mark.parametrize("units", ["min", [[[]]]])
def test_unknown_units_are_refused(written, units):
    _other_program(written, 1.0, units)
    _maps_refused(written, "T1map.json", "one of s, ms", repr(units))


def test_milliseconds_called_seconds_are_refused(written):
    path = _other_program(written, 1000.0, "s")
    _maps_refused(written, str(path), "median", "is it in ms?")
    _other_program(written, 1e-3, "ms")  # and the other way round
    _maps_refused(written, str(path), "median", "correct Units")


def test_maps_on_different_grids_are_refused(written):
    path = written / "anat" / "sub-01_desc-reference_T1rho.nii.gz"
    image = nib.Nifti1Image.from_filename(path)
    nib.Nifti1Image(np.asarray(image.dataobj), np.diag([1, 2, 3, 1])).to_filename(path)
    _maps_refused(written, "T1rho.nii.gz", "another grid")


def test_a_damaged_map_and_no_map_are_refused(written):
    _maps_refused(written, "no map with desc-truth", desc="truth")
    (written / "anat" / "sub-01_desc-reference_T1map.nii.gz").write_bytes(b"")
    _maps_refused(written, "T1map.nii.gz", "zero bytes")


def test_a_description_that_bids_cannot_hold_is_refused(tmp_path, maps, subject):
    with pytest.raises(InputError, match="desc must be"):
        write_maps(tmp_path, maps, subject, desc="a_b", sidecar={})


@pytest.fixture
def segmentation(grid) -> Segmentation:
    # all six tissues are looked for, the last one is not found
    labels = np.random.default_rng(3).integers(0, len(SEGMENTED), grid.shape).astype(np.uint8)
    return Segmentation(labels, SEGMENTED, grid)


def test_a_segmentation_comes_back_exactly(tmp_path, segmentation, subject, grid):
    write_segmentation(tmp_path, segmentation, subject, desc="truth")
    loaded = load_segmentation(tmp_path, desc="truth", grid=grid)
    assert loaded.tissues == SEGMENTED
    assert loaded.labels.dtype == np.uint8
    np.testing.assert_array_equal(loaded.labels, segmentation.labels)
    table = (tmp_path / "anat" / "sub-01_desc-truth_dseg.tsv").read_text().splitlines()
    assert table[:2] == ["index\tname\tcolor", "1\tfemoral_cartilage\t#e6194b"]


def test_labels_of_another_program_are_translated_by_name(tmp_path, segmentation, subject):
    write_segmentation(tmp_path, segmentation, subject, desc="drawn")
    table = tmp_path / "anat" / "sub-01_desc-drawn_dseg.tsv"
    swapped = ["medial_tibial_cartilage", "femoral_cartilage", *SEGMENTED[2:]]
    rows = [f"{index}\t{name}" for index, name in enumerate(swapped, start=1)]
    table.write_text("index\tname\n0\tbackground\n" + "\n".join(rows) + "\n")
    loaded = load_segmentation(tmp_path, desc="drawn")
    np.testing.assert_array_equal(loaded.mask("femoral_cartilage"), segmentation.labels == 2)
    assert TISSUES["femoral_cartilage"].label == 1


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("index\tname\n1\tbrain\n", "'brain'"),
        ("index\tname\n1\tfemoral_cartilage\n", "has the label"),
        ("index\tname\n1\tfemoral_cartilage\n1\tskin\n", "two rows"),
        ("index\tname\none\tskin\n", "whole number"),
        ("number\tname\n1\tskin\n", "columns index and name"),
        (None, "no such file"),
    ],
)
def test_a_segmentation_with_a_wrong_table_is_refused(tmp_path, segmentation, subject, table, words):
    write_segmentation(tmp_path, segmentation, subject, desc="drawn")
    path = tmp_path / "anat" / "sub-01_desc-drawn_dseg.tsv"
    path.unlink() if table is None else path.write_text(table)
    with pytest.raises(InputError, match=words) as caught:
        load_segmentation(tmp_path, desc="drawn")
    assert str(tmp_path) in str(caught.value)


def test_a_segmentation_on_another_grid_is_brought_onto_it_and_told(tmp_path, segmentation, subject):
    write_segmentation(tmp_path, segmentation, subject, desc="drawn")
    other, notes = centered_grid((4, 8, 6), (3.0, 0.6, 0.6)), []
    moved = load_segmentation(tmp_path, desc="drawn", grid=other, notes=notes)
    assert moved.grid.same_as(other)
    assert (moved.labels > 0).any()
    assert "is on another grid than the images" in notes[0]


def test_a_segmentation_elsewhere_or_none_is_refused(tmp_path, segmentation, subject):
    write_segmentation(tmp_path, segmentation, subject, desc="drawn")
    affine = segmentation.grid.affine.copy()
    affine[:3, 3] += 500
    with pytest.raises(InputError, match=r"dseg.nii.gz: has no label where the images lie"):
        load_segmentation(tmp_path, desc="drawn", grid=Grid(segmentation.grid.shape, affine))
    with pytest.raises(InputError, match="no segmentation"):
        load_segmentation(tmp_path, desc="truth")


def test_a_fraction_comes_back_exactly(tmp_path, subject, grid):
    fraction = np.random.default_rng(4).random(grid.shape).astype(np.float32)
    write_fraction(tmp_path, fraction, grid, subject, desc="truth")
    loaded, own = load_fraction(tmp_path, desc="truth")
    np.testing.assert_array_equal(loaded, fraction)
    assert own.same_as(grid)
    with pytest.raises(InputError, match="no cartilage fraction"):
        load_fraction(tmp_path, desc="reference")
