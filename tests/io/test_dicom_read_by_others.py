"""Programs of others read our DICOM objects: the same values at the same places, never mirrored."""

import json
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
from dicom_writers import write_classic, write_enhanced
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from pydicom import dcmread
from test_dicom_export import make_maps, make_segmentation, region_values
from test_dicom_import import cubequant, run

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import MapSet
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.subject import Side, Subject
from rmqnet.io.bids import load_scan
from rmqnet.io.bids_labels import write_segmentation
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.dicom.stack import FrameStack
from rmqnet.io.orientation import to_house
from rmqnet.io.participants import write_participants
from rmqnet.io.store import make_provenance, open_stage
from rmqnet.pipeline.export import export_study
from rmqnet.pipeline.progress import Quiet

TOOLS = Path(sys.executable).parent
"""The wheels dcm2niix and dcmqi put their programs here."""


FACTORS = {"M0": 1.0, "T1": 1000.0, "B1": 1.0, "T1rho": 1000.0}
"""From the units of the NIfTI files (seconds; percent) to those of the objects (ms, percent)."""


def call(*words: object) -> str:
    """What a program says; it must not fail."""
    done = subprocess.run(
        [str(TOOLS / str(words[0])), *map(str, words[1:])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def turned(degrees: float, axes: str) -> Grid:
    """A grid of a NIfTI file with these axes, turned about two axes."""
    one, other = np.deg2rad([degrees, -0.7 * degrees])
    about_z = [[np.cos(one), -np.sin(one), 0], [np.sin(one), np.cos(one), 0], [0, 0, 1]]
    about_x = [[1, 0, 0], [0, np.cos(other), -np.sin(other)], [0, np.sin(other), np.cos(other)]]
    straight = np.diag([0.7, 0.9, 1.4]) * [1 if axis in "RAS" else -1 for axis in axes]
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_z) @ np.array(about_x) @ straight
    affine[:3, 3] = 31.0, -12.0, 5.5
    return to_house(np.empty((6, 7, 8), np.uint8), affine)[1]


class Case:
    """Maps and regions as NIfTI, and the objects made of them."""

    def __init__(self, root: Path, kind: str, side: Side, angle: float) -> None:
        study = root / "study"
        if kind == "NIfTI":
            self.grid = turned(angle, "RAS" if side == "left" else "LPS")
            (study / "sub-001").mkdir(parents=True)
            write_participants(study / "participants.tsv", [Subject("001", side)])
        else:
            center = 70.0 if side == "left" else -70.0
            images = cubequant(center_x=center, angle=angle, reverse=kind == "reversed")
            if kind == "enhanced":
                write_enhanced(root / "dicom" / "IM1", images)
            else:
                write_classic(root / "dicom", images, "GE MEDICAL SYSTEMS")
            run(root / "dicom", study)
            self.grid = load_scan(study, "001").get("spin_lock").grid
        self.maps, self.regions = make_maps(self.grid), make_segmentation(self.grid)
        made = open_stage(root / "maps", make_provenance("fit", {}))
        with made.subject("001") as folder:
            write_maps(folder, self.maps, Subject("001", side), desc="fitted", sidecar={})
            write_segmentation(folder, self.regions, Subject("001", side), desc="fitted")
        (self.folder,) = export_study(study, root / "maps", root / "out", Quiet())
        self.root, self.side = root, side

    def path(self, kind: str) -> Path:
        return self.folder / f"sub-001_{kind}.dcm"

    def values(self, quantity: str) -> nib.Nifti1Image:
        """The map as its NIfTI file holds it."""
        (path,) = (self.root / "maps").rglob(f"*_{QUANTITIES[quantity].bids_suffix}.nii.gz")
        return nib.Nifti1Image.from_filename(path)


CASES = [
    ("classic", "right", 0.0),
    ("classic", "left", 19.0),
    ("reversed", "right", -27.0),
    ("enhanced", "left", 0.0),
    ("enhanced", "right", 19.0),
    ("NIfTI", "left", 0.0),
    ("NIfTI", "right", 17.0),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]} {case[1]} {case[2]:g}")
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("read"), *request.param)


def check_equal(found: nib.Nifti1Image, truth: nib.Nifti1Image, factor: float) -> None:
    """Each voxel of a NIfTI file has its value at its place in an image of another program."""
    values = np.asanyarray(truth.dataobj).astype(float) * factor
    index = np.argwhere(np.ones(values.shape, bool))
    own = apply_affine(np.linalg.inv(found.affine) @ truth.affine, index)
    assert np.abs(own - own.round()).max() < 1e-3
    other = np.asanyarray(found.dataobj).astype(float)
    assert other.size == values.size
    assert own.round().min() == 0
    np.testing.assert_allclose(other[tuple(own.round().astype(int).T)], values.ravel(), rtol=1e-6)


@pytest.mark.parametrize("quantity", ["T1", "B1"])
def test_dcmqi_reads_the_values_and_places_of_the_nifti_file(case: Case, quantity: str, tmp_path: Path):
    suffix = QUANTITIES[quantity].bids_suffix
    said = call(
        "paramap2itkimage", "--inputDICOM", case.path(suffix), "--outputDirectory", tmp_path, "-t", "nii"
    )
    assert not [line for line in said.splitlines() if line.startswith(("W:", "E:"))]
    (path,) = tmp_path.glob("*.nii.gz")
    check_equal(nib.Nifti1Image.from_filename(path), case.values(quantity), FACTORS[quantity])
    read = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert read["FrameLaterality"] == case.side[0].upper()
    assert read["AnatomicRegionSequence"]["CodeMeaning"] == "Knee joint"


def test_dcm2niix_reads_the_values_and_places_of_the_nifti_files(case: Case, tmp_path: Path):
    for index, quantity in enumerate(case.maps.values):
        source = tmp_path / f"in{index}"
        source.mkdir()
        own = case.path(QUANTITIES[quantity].bids_suffix)
        (source / own.name).write_bytes(own.read_bytes())
        call("dcm2niix", "-f", f"map{index}", "-o", tmp_path, source)
        found = nib.Nifti1Image.from_filename(tmp_path / f"map{index}.nii")
        check_equal(found, case.values(quantity), FACTORS[quantity])


def test_highdicom_reads_the_values_and_places_of_the_nifti_file(case: Case):
    volume = hd.imread(case.path("T1map")).get_volume(apply_real_world_transform=False)
    found = nib.Nifti1Image(volume.array, np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine)
    check_equal(found, case.values("T1"), 1000.0)


def places(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> set[tuple[float, ...]]:
    return {tuple(place) for place in (apply_affine(affine, np.argwhere(mask)).round(2) + 0.0).tolist()}


def test_dcmqi_reads_the_regions_where_they_are(case: Case, tmp_path: Path):
    said = call(
        "segimage2itkimage", "--inputDICOM", case.path("regions"), "--outputDirectory", tmp_path, "--outputType", "nii"
    )  # fmt: skip
    assert not [line for line in said.splitlines() if line.startswith(("W:", "E:"))]
    segments = json.loads((tmp_path / "meta.json").read_text())["segmentAttributes"]
    names = [item["TrackingIdentifier"] for group in segments for item in group]
    assert names == ["femoral_cartilage", "medial_tibial_cartilage", "lateral_meniscus"]
    for number, name in enumerate(names, start=1):
        found = nib.Nifti1Image.from_filename(tmp_path / f"{number}.nii.gz")
        own = places(case.regions.mask(name), case.grid.affine)
        assert places(np.asanyarray(found.dataobj) > 0, found.affine) == own


def test_dcmqi_reads_the_values_of_regions_from_the_report(case: Case, tmp_path: Path):
    call("tid1500reader", "--inputDICOM", case.path("report"), "--outputMetadata", tmp_path / "report.json")
    groups = json.loads((tmp_path / "report.json").read_text())["Measurements"]
    by_name = {group["TrackingIdentifier"]: group for group in groups}
    group = by_name["femoral_cartilage"]
    assert group["Laterality"]["CodeMeaning"].lower() == case.side
    assert group["segmentationSOPInstanceUID"] == dcmread(case.path("regions")).SOPInstanceUID
    values = {
        item["derivationModifier"]["CodeMeaning"]: float(item["value"])
        for item in group["measurementItems"]
        if item["quantity"]["CodeMeaning"] == "T1" and "derivationModifier" in item
    }
    wanted = region_values("T1", case.maps, case.regions, "femoral_cartilage")
    assert values["Mean"] == pytest.approx(wanted.mean, rel=1e-5)
    assert values["Median"] == pytest.approx(wanted.median, rel=1e-5)


def test_frames_of_every_object_run_along_row_times_column(case: Case):
    for kind in ("T1map", "regions"):
        dataset = dcmread(case.path(kind))
        plane = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
        normal = np.cross(*np.array(plane.ImageOrientationPatient, float).reshape(2, 3))
        by_segment: dict[int, list[tuple[float, int]]] = {}
        for group in dataset.PerFrameFunctionalGroupsSequence:
            numbers = np.atleast_1d(group.FrameContentSequence[0].DimensionIndexValues).tolist()
            place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float) @ normal
            by_segment.setdefault(numbers[0] if len(numbers) > 1 else 0, []).append((place, numbers[-1]))
        for frames in by_segment.values():
            assert frames == sorted(frames)
            assert [number for _, number in frames] == sorted(number for _, number in frames)


def test_one_slice_and_a_slice_of_zeros_come_back(tmp_path: Path):
    for n_slices in (1, 3):
        grid = centered_grid((n_slices, 4, 5), (3.0, 0.6, 0.5))
        values = np.zeros(grid.shape, np.float32)
        values[0] = 0.75
        root = tmp_path / str(n_slices)
        (root / "study/sub-001").mkdir(parents=True)
        write_participants(root / "study/participants.tsv", [Subject("001", "left")])
        made = open_stage(root / "maps", make_provenance("fit", {}))
        with made.subject("001") as folder:
            maps = MapSet({"T1": values}, {"T1": np.zeros(grid.shape, np.uint8)}, grid)
            write_maps(folder, maps, Subject("001", "left"), desc="fitted", sidecar={})
        (folder,) = export_study(root / "study", root / "maps", root / "out", Quiet())
        dataset = dcmread(folder / "sub-001_T1map.dcm")
        assert int(dataset.NumberOfFrames) == n_slices
        frames = np.frombuffer(dataset.FloatPixelData, np.float32)
        assert sorted(frames.tolist()) == sorted((values * 1000).ravel().tolist())


def test_a_grid_that_is_not_at_right_angles_is_refused():
    grid = centered_grid((3, 4, 5), (3.0, 0.6, 0.5))
    sheared = grid.affine.copy()
    sheared[:3, 0] += 0.5 * sheared[:3, 1]
    with pytest.raises(InputError, match=r"84\.3 degrees apart and DICOM needs 90"):
        FrameStack(Grid(grid.shape, sheared), from_dicom=False)
