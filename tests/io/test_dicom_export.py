"""Maps, regions and values go out as DICOM objects and come back as they were, at their places."""

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
from dicom_writers import pattern, sagittal, write_classic, write_enhanced
from pydicom import Dataset, dcmread
from test_dicom_import import SHAPE, cubequant, run

from rmqnet.cli.main import main
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES
from rmqnet.io.bids import load_scan
from rmqnet.io.bids_labels import write_segmentation
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.dicom.codes import SCHEME, TISSUE_CODES, UNITS, quantity_code, valid_share_code
from rmqnet.io.dicom.measurement_report import region_values
from rmqnet.io.participants import write_participants
from rmqnet.io.store import make_provenance, open_stage
from rmqnet.pipeline.export import export_study
from rmqnet.pipeline.progress import Quiet

TISSUES_HERE = ("femoral_cartilage", "medial_tibial_cartilage", "lateral_meniscus", "patellar_cartilage")


def make_maps(grid: Grid) -> MapSet:
    random = np.random.default_rng(3)
    ranges = {"M0": (100, 900), "T1": (0.5, 1.5), "B1": (0.8, 1.2), "T1rho": (0.02, 0.08)}
    values, reasons = {}, {}
    for name, (low, high) in ranges.items():
        reason = np.where(random.uniform(size=grid.shape) < 0.1, Reason.NOT_CONVERGED, Reason.VALID)
        volume = random.uniform(low, high, grid.shape).astype(np.float32)
        volume[reason != Reason.VALID] = np.nan
        values[name], reasons[name] = volume, reason.astype(np.uint8)
    return MapSet(values, reasons, grid)


def make_segmentation(grid: Grid) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    labels[1:, 1:3, 2:5] = TISSUES["femoral_cartilage"].label
    labels[0, 3, 1:4] = TISSUES["medial_tibial_cartilage"].label
    labels[-1, 4, 0:6] = TISSUES["lateral_meniscus"].label
    return Segmentation(labels, TISSUES_HERE, grid)


def write_predictions(root: Path, grid: Grid, name: str = "001") -> tuple[MapSet, Segmentation]:
    """A folder as `predict` makes it."""
    maps, segmentation, person = make_maps(grid), make_segmentation(grid), Subject(name, "right")
    weights = {"checkpoint": "ab" * 32}
    output = open_stage(root, make_provenance("predict", {"input_set": "1FA+1TSL"}, inputs=weights))
    with output.subject(name) as folder:
        write_maps(folder, maps, person, desc="predicted", sidecar={})
        write_segmentation(folder, segmentation, person, desc="predicted")
    return maps, segmentation


class Exported:
    """One exported subject: what went in, and the files that came out."""

    def __init__(self, root: Path, kind: str, angle: float) -> None:
        self.root, self.quiet = root, Quiet()
        if kind == "no source":
            grid = centered_grid((5, 6, 7), (3.0, 0.6, 0.5))
            (root / "study/sub-001").mkdir(parents=True, exist_ok=True)
            write_participants(root / "study/participants.tsv", [Subject("001", "right")])
        else:
            images = cubequant(angle=angle)
            if kind == "classic":
                write_classic(root / "dicom", images, "GE MEDICAL SYSTEMS")
            else:
                write_enhanced(root / "dicom" / "IM1", images)
            run(root / "dicom", root / "study")
            grid = load_scan(root / "study", "001").get("spin_lock").grid
        self.grid = grid
        self.maps, self.segmentation = write_predictions(root / "predicted", grid)
        (self.folder,) = export_study(root / "study", root / "predicted", root / "out", self.quiet)

    def path(self, kind: str) -> Path:
        return self.folder / f"sub-001_{kind}.dcm"


CASES = [("classic", 0.0), ("classic", 19.0), ("enhanced", 0.0), ("enhanced", 19.0), ("no source", 0.0)]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}, {case[1]:g} degrees")
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("export"), *request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("plain"), "classic", 11.0)


def by_place(data: np.ndarray, affine: np.ndarray) -> dict[tuple[float, ...], Any]:
    """Value by position [mm] of every voxel."""
    index = np.indices(data.shape).reshape(3, -1)
    where = (affine[:3, :3] @ index + affine[:3, 3:]).T
    return {tuple(np.round(p, 2) + 0.0): value for p, value in zip(where, data.ravel(), strict=True)}


def frames_by_place(dataset: Any, frames: np.ndarray) -> dict[tuple[float, ...], Any]:
    """The same of the frames of a multi-frame object, by the equation of the standard."""
    found: dict[tuple[float, ...], Any] = {}
    shared = dataset.SharedFunctionalGroupsSequence[0]
    row_gap, column_gap = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    turned = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        row, column = np.indices(frame.shape).reshape(2, -1)
        where = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)[:, None]
        where = where + turned[:3, None] * column * column_gap + turned[3:, None] * row * row_gap
        places = (np.array([[-1], [-1], [1]]) * where).T
        found |= {tuple(np.round(p, 2) + 0.0): v for p, v in zip(places, frame.ravel(), strict=True)}
    return found


@pytest.mark.parametrize("quantity", ["M0", "T1", "B1", "T1rho"])
def test_a_map_comes_back_equal_in_float32_at_the_same_places(exported: Exported, quantity: str):
    own = QUANTITIES[quantity]
    dataset = dcmread(exported.path(own.bids_suffix))
    frames = np.frombuffer(dataset.FloatPixelData, np.float32).reshape(-1, dataset.Rows, dataset.Columns)
    found = frames_by_place(dataset, frames)
    shown = (exported.maps.values[quantity].astype(np.float64) * own.display_factor).astype(np.float32)
    truth = by_place(shown, exported.grid.affine)
    assert found.keys() == truth.keys()
    assert all(
        found[place] == value or (np.isnan(value) and np.isnan(found[place]))
        for place, value in truth.items()
    )
    (mapping,) = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1.0, 0.0)
    unit = mapping.MeasurementUnitsCodeSequence[0]
    assert (unit.CodingSchemeDesignator, unit.CodeValue) == ("UCUM", UNITS[own.display_unit].value)


def test_highdicom_gives_the_affine_of_the_source_within_a_ten_thousandth(exported: Exported):
    volume = hd.imread(exported.path("T1map")).get_volume()
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    own = exported.grid.affine
    corners = np.array([(*corner, 1) for corner in np.ndindex(2, 2, 2)]) * (*np.subtract(volume.shape, 1), 1)
    own_corners = np.array([(*corner, 1) for corner in np.ndindex(2, 2, 2)]) * (
        *np.subtract(exported.grid.shape, 1),
        1,
    )
    places, own_places = (corners @ lps.T)[:, :3], (own_corners @ own.T)[:, :3]
    apart = np.abs(places[:, None] - own_places[None]).max(axis=2).min(axis=1)
    assert apart.max() < 1e-4


def test_labels_come_back_equal_at_the_same_places(exported: Exported):
    dataset = dcmread(exported.path("regions"))
    frames = dataset.pixel_array
    truth = by_place(exported.segmentation.labels, exported.grid.affine)
    names = [item.TrackingID for item in dataset.SegmentSequence]
    assert names == ["femoral_cartilage", "medial_tibial_cartilage", "lateral_meniscus"]
    groups = dataset.PerFrameFunctionalGroupsSequence
    found: dict[tuple[float, ...], int] = {}
    for number, name in enumerate(names, start=1):
        own = [
            i
            for i, g in enumerate(groups)
            if g.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number
        ]
        part = type("Part", (), {})()
        part.SharedFunctionalGroupsSequence = dataset.SharedFunctionalGroupsSequence
        part.PerFrameFunctionalGroupsSequence = [groups[i] for i in own]
        places = frames_by_place(part, frames[own])
        found |= {place: TISSUES[name].label for place, value in places.items() if value}
    assert found == {place: int(label) for place, label in truth.items() if label}


def test_a_segment_says_what_and_where_it_is_in_standard_codes(plain: Exported):
    dataset = dcmread(plain.path("regions"))
    femoral, tibial, meniscus = dataset.SegmentSequence
    assert dataset.SegmentationType == "BINARY"
    assert femoral.SegmentedPropertyTypeCodeSequence[0].CodeValue == "309312004"
    assert femoral.AnatomicRegionSequence[0].CodeValue == "71341001"
    assert femoral.AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0].CodeMeaning == "Right"
    kind = tibial.SegmentedPropertyTypeCodeSequence[0]
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Medial"
    assert meniscus.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Meniscus"
    assert meniscus.SegmentAlgorithmType == "AUTOMATIC"
    algorithm = meniscus.SegmentationAlgorithmIdentificationSequence[0]
    assert "ab" * 32 in algorithm.AlgorithmParameters
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"


def walk(item: Any) -> list[Any]:
    """All content items below one."""
    return [found for child in item.get("ContentSequence", ()) for found in (child, *walk(child))]


def numbers(group: Any) -> dict[tuple[str, str], tuple[float, str]]:
    """Value and unit by name and derivation of the measurements in a group."""
    found = {}
    for item in group.ContentSequence:
        if item.ValueType == "NUM":
            derivations = [
                child.ConceptCodeSequence[0].CodeMeaning
                for child in item.get("ContentSequence", ())
                if child.ConceptNameCodeSequence[0].CodeMeaning == "Derivation"
            ]
            value = item.MeasuredValueSequence[0]
            key = (item.ConceptNameCodeSequence[0].CodeMeaning, derivations[0] if derivations else "")
            found[key] = (float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue)
    return found


def groups_of(dataset: Any) -> dict[str, Any]:
    """Measurement groups by tracking identifier."""
    found = {}
    for item in walk(dataset):
        if item.get("ConceptNameCodeSequence") and item.ConceptNameCodeSequence[0].CodeValue == "125007":
            texts = [child for child in item.ContentSequence if child.ValueType == "TEXT"]
            found[texts[0].TextValue] = item
    return found


def test_the_report_holds_mean_sd_median_volume_and_valid_share_of_every_region(plain: Exported):
    dataset = dcmread(plain.path("report"))
    groups = groups_of(dataset)
    assert list(groups) == [
        "femoral_cartilage",
        "medial_tibial_cartilage",
        "lateral_meniscus",
        "cartilage: femoral_cartilage, medial_tibial_cartilage",
    ]
    for name in ("femoral_cartilage", "lateral_meniscus"):
        found, mask = numbers(groups[name]), plain.segmentation.mask(name)
        for quantity, unit in (("T1", "ms"), ("T1rho", "ms"), ("B1", "%"), ("M0", "[arb'U]")):
            values = plain.maps.values[quantity][mask].astype(float) * QUANTITIES[quantity].display_factor
            own = values[np.isfinite(values)]
            meaning = quantity_code(quantity).meaning
            assert found[meaning, "Mean"] == (pytest.approx(own.mean(), rel=1e-5), unit)
            assert found[meaning, "Standard Deviation"] == (pytest.approx(own.std(ddof=1), rel=1e-5), unit)
            assert found[meaning, "Median"] == (pytest.approx(np.median(own), rel=1e-5), unit)
            share = found[f"Share of voxels with a value of {quantity}", ""]
            assert share == (pytest.approx(100 * own.size / values.size, abs=1e-3), "%")
        assert found["Volume", ""] == (pytest.approx(mask.sum() * 0.5 * 0.6 * 1.5, rel=1e-4), "mm3")


def test_a_region_without_any_value_has_no_mean_but_its_share():
    grid = centered_grid((5, 6, 7), (3.0, 0.6, 0.5))
    maps, segmentation = make_maps(grid), make_segmentation(grid)
    maps.values["T1"][segmentation.mask("lateral_meniscus")] = np.nan
    found = region_values("T1", maps, segmentation, "lateral_meniscus")
    assert np.isnan([found.mean, found.sd, found.median]).all()
    assert found.valid_share == 0.0


def test_the_limits_of_use_stand_in_every_object(exported: Exported):
    paths = sorted(exported.folder.iterdir())
    assert len(paths) == 6
    for path in paths:
        dataset = dcmread(path)
        assert dataset.SeriesDescription.startswith("research use only")
        assert dataset.ContentQualification == "RESEARCH"
        assert any(text.startswith("rmqnet 0") for text in dataset.SoftwareVersions)
        assert any("weights sha256:abab" in text for text in dataset.SoftwareVersions)
        text = str(dataset).lower()
        assert "kellgren" not in text
        assert "diagnos" not in text
    report = dcmread(exported.path("report"))
    assert (report.CompletionFlag, report.VerificationFlag) == ("PARTIAL", "UNVERIFIED")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_objects_belong_to_the_study_of_their_source_and_refer_to_its_slices(plain: Exported):
    record = json.loads((plain.root / "study/sub-001/dicom.json").read_text())
    instances = {tuple(np.round(one[3], 3)): set() for one in record["volumes"][0]["instances"]}
    for volume in record["volumes"]:
        for one in volume["instances"]:
            instances[tuple(np.round(one[3], 3))].add(one[1])
    for kind in ("T1map", "regions"):
        dataset = dcmread(plain.path(kind))
        assert dataset.StudyInstanceUID == record["volumes"][0]["study"]
        assert dataset.FrameOfReferenceUID == record["volumes"][0]["frame_of_reference"]
        assert dataset.PatientIdentityRemoved == "YES"
        assert dataset.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
        for group in dataset.PerFrameFunctionalGroupsSequence:
            where = tuple(np.round(np.array(group.PlanePositionSequence[0].ImagePositionPatient, float), 3))
            images = group.DerivationImageSequence[0].SourceImageSequence
            assert {item.ReferencedSOPInstanceUID for item in images} == instances[where]
        listed = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
        assert len(listed) == 4 * SHAPE[2]
    assert dcmread(plain.path("report")).StudyInstanceUID == record["volumes"][0]["study"]


def test_frames_of_a_multi_frame_source_are_named_by_number(tmp_path: Path):
    done = Exported(tmp_path, "enhanced", 5.0)
    source = dcmread(tmp_path / "dicom" / "IM1")
    for group in dcmread(done.path("T1map")).PerFrameFunctionalGroupsSequence:
        where = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        for item in group.DerivationImageSequence[0].SourceImageSequence:
            own = source.PerFrameFunctionalGroupsSequence[item.ReferencedFrameNumber - 1]
            assert np.allclose(
                np.array(own.PlanePositionSequence[0].ImagePositionPatient, float), where, atol=1e-4
            )


def test_a_kept_identity_comes_back_with_the_objects(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant(), name="M\u00fcller^Zo\u00eb")
    source = dcmread(next((tmp_path / "dicom").iterdir()))
    run(tmp_path / "dicom", tmp_path / "study", keep_identity=True)
    write_predictions(tmp_path / "predicted", load_scan(tmp_path / "study", "001").get("spin_lock").grid)
    (folder,) = export_study(tmp_path / "study", tmp_path / "predicted", tmp_path / "out", Quiet())
    for path in folder.iterdir():
        dataset = dcmread(path)
        assert dataset.StudyInstanceUID == source.StudyInstanceUID
        assert (dataset.PatientID, dataset.PatientName) == (source.PatientID, source.PatientName)
        assert (dataset.StudyDate, dataset.StudyTime) == (source.StudyDate, source.StudyTime)
        assert "PatientIdentityRemoved" not in dataset


def test_patients_of_different_studies_do_not_share_an_id(plain: Exported):
    assert dcmread(plain.path("T1map")).PatientID == "study_sub-001"


def test_simulated_knees_are_said_to_be_simulated(tmp_path: Path):
    (tmp_path / "study/derivatives/truth").mkdir(parents=True)
    done = Exported(tmp_path, "no source", 0.0)
    assert dcmread(done.path("T1rho")).SeriesDescription == "research use only: simulated, T1rho map [ms]"


def add_image(root: Path, name: str = "001", value: int = 1) -> Path:
    """An image in a NIfTI study; only its content matters."""
    path = root / f"study/sub-{name}/anat/sub-{name}_T1w.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(np.full((2, 2, 2), value, np.uint8), np.eye(4)).to_filename(path)
    return path


def exported_again(root: Path, out: str, maps: str = "predicted", name: str = "001") -> dict[str, Dataset]:
    folders = export_study(root / "study", root / maps, root / out, Quiet(), subjects=[name])
    return {path.stem.split("_")[1]: dcmread(path) for path in folders[0].iterdir()}


@pytest.mark.parametrize("kind", ["no source", "classic"])
def test_the_same_export_twice_is_the_same_bytes(tmp_path: Path, kind: str):
    done = Exported(tmp_path, kind, 11.0)
    (again,) = export_study(tmp_path / "study", tmp_path / "predicted", tmp_path / "out2", Quiet())
    for path in done.folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_objects_of_other_content_have_other_uids_in_the_same_study(tmp_path: Path):
    done = Exported(tmp_path, "no source", 0.0)
    add_image(tmp_path)
    one = exported_again(tmp_path, "out2")
    maps, regions = make_maps(done.grid), make_segmentation(done.grid)
    maps.values["T1"][0, 0, 0] += 0.001
    output = open_stage(tmp_path / "fitted", make_provenance("fit", {}))
    with output.subject("001") as folder:
        write_maps(folder, maps, Subject("001", "right"), desc="fitted", sidecar={})
        write_segmentation(folder, regions, Subject("001", "right"), desc="fitted")
    other = exported_again(tmp_path, "out3", "fitted")
    for keyword in ("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "PatientID"):
        assert len({item[keyword].value for item in (*one.values(), *other.values())}) == 1, keyword
    spaces = {item.FrameOfReferenceUID for item in (*one.values(), *other.values()) if "PixelData" in item}
    assert len(spaces) == 1
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert len({item[keyword].value for item in (*one.values(), *other.values())}) == 12, keyword


def test_the_study_follows_from_its_images_and_not_from_sidecars(tmp_path: Path):
    Exported(tmp_path, "no source", 0.0)
    image = add_image(tmp_path)
    one = exported_again(tmp_path, "out2")["T1map"]
    image.with_name("sub-001_T1w.json").write_text("{}")
    assert exported_again(tmp_path, "out3")["T1map"].StudyInstanceUID == one.StudyInstanceUID
    add_image(tmp_path, value=2)
    other = exported_again(tmp_path, "out4")["T1map"]
    assert other.StudyInstanceUID != one.StudyInstanceUID
    assert other.FrameOfReferenceUID != one.FrameOfReferenceUID


def test_visits_of_one_person_have_one_patient_id_and_people_have_their_own(tmp_path: Path):
    done = Exported(tmp_path, "no source", 0.0)
    for name in ("002", "003"):
        (tmp_path / f"study/sub-{name}").mkdir()
        write_predictions(tmp_path / "predicted", done.grid, name)
    people = [
        Subject("001", "right", person="A"),
        Subject("002", "right", person="A"),
        Subject("003", "left"),
    ]
    write_participants(tmp_path / "study/participants.tsv", people)
    one, two, three = (exported_again(tmp_path, f"out{n}", name=n)["T1map"] for n in ("001", "002", "003"))
    assert (one.PatientID, one.PatientName) == (two.PatientID, two.PatientName) == ("study_A", "study_A^")
    assert three.PatientID == "study_sub-003"
    assert len({item.StudyInstanceUID for item in (one, two, three)}) == 3


def test_a_label_that_dicom_cannot_hold_is_replaced_and_still_tells_people_apart(tmp_path: Path):
    ids = set()
    for person in (r"a\b^c", "a=b=c", "x" * 90, "x" * 91):
        (tmp_path / str(len(ids))).mkdir()
        root = tmp_path / str(len(ids))
        Exported(root, "no source", 0.0)
        write_participants(root / "study/participants.tsv", [Subject("001", "right", person=person)])
        item = exported_again(root, "out2")["T1map"]
        assert isinstance(item.PatientID, str)
        assert str(item.PatientName) == f"{item.PatientID}^"
        assert len(item.PatientID) < 64
        ids.add(item.PatientID)
    assert len(ids) == 4


def test_a_date_that_is_not_known_is_one_that_nobody_takes_for_real(plain: Exported):
    for kind in ("T1map", "regions", "report"):
        dataset = dcmread(plain.path(kind))
        assert (dataset.StudyDate, dataset.StudyTime, dataset.StudyID) == ("19000101", "000000", "sub-001")
        assert dataset.LongitudinalTemporalInformationModified == "REMOVED"
        made = [path.stat().st_mtime for path in (plain.root / "predicted").rglob("*.nii.gz")]
        days = {datetime.fromtimestamp(seconds).strftime("%Y%m%d") for seconds in made}
        assert dataset.ContentDate in days


def test_nothing_refers_to_an_image_that_does_not_exist(plain: Exported):
    record = json.loads((plain.root / "study/sub-001/dicom.json").read_text())
    known = {one[1] for volume in record["volumes"] for one in volume["instances"]}
    known |= {dcmread(path).SOPInstanceUID for path in plain.folder.iterdir()}
    for path in plain.folder.iterdir():
        references = {
            element.value
            for element in dcmread(path).iterall()
            if element.keyword == "ReferencedSOPInstanceUID"
        }
        assert references <= known, path.name


def test_without_a_dicom_source_it_is_said_and_nothing_is_referred_to(tmp_path: Path):
    done = Exported(tmp_path, "no source", 0.0)
    assert "was not imported from DICOM" in " ".join(done.quiet.said)
    dataset = dcmread(done.path("T1map"))
    assert "ReferencedSeriesSequence" not in dataset
    assert all("DerivationImageSequence" not in group for group in dataset.PerFrameFunctionalGroupsSequence)


def test_maps_without_regions_go_out_alone_and_it_is_said(tmp_path: Path):
    done = Exported(tmp_path, "no source", 0.0)
    for path in (tmp_path / "predicted/sub-001/anat").glob("*dseg*"):
        path.unlink()
    quiet = Quiet()
    (folder,) = export_study(tmp_path / "study", tmp_path / "predicted", tmp_path / "out2", quiet)
    assert len(list(folder.iterdir())) == 4
    assert "has no regions" in " ".join(quiet.said)
    regions = tmp_path / "predicted"
    with pytest.raises(InputError, match="has no segmentation"):
        export_study(tmp_path / "study", regions, tmp_path / "out3", quiet, regions=regions)
    assert done.folder.is_dir()


def test_drawn_regions_are_manual(tmp_path: Path):
    done = Exported(tmp_path, "no source", 0.0)
    person = Subject("001", "right")
    (tmp_path / "drawn/sub-001").mkdir(parents=True)
    write_segmentation(tmp_path / "drawn/sub-001", done.segmentation, person, desc="drawn")
    line = ["export", *(str(tmp_path / part) for part in ("study", "predicted", "out2"))]
    assert main([*line, "--regions", str(tmp_path / "drawn")]) == 0
    dataset = dcmread(tmp_path / "out2/sub-001/sub-001_regions.dcm")
    assert {segment.SegmentAlgorithmType for segment in dataset.SegmentSequence} == {"MANUAL"}


def test_an_export_is_not_written_twice_and_other_maps_are_refused(tmp_path: Path):
    done = Exported(tmp_path, "no source", 0.0)
    before = {path: path.read_bytes() for path in done.folder.iterdir()}
    export_study(tmp_path / "study", tmp_path / "predicted", tmp_path / "out", Quiet())
    assert {path: path.read_bytes() for path in done.folder.iterdir()} == before
    shutil.rmtree(tmp_path / "predicted")
    write_predictions(tmp_path / "predicted", centered_grid((5, 6, 7), (3.0, 0.6, 0.4)))
    with pytest.raises(InputError, match="was made from another"):
        export_study(tmp_path / "study", tmp_path / "predicted", tmp_path / "out", Quiet())


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian dicom3tools) is not installed")
def test_dciodvfy_finds_no_error_in_any_object(exported: Exported):
    for path in sorted(exported.folder.iterdir()):
        result = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
        lines = (result.stdout + result.stderr).splitlines()
        assert lines, "no answer"
        assert not [line for line in lines if line.startswith("Error")], path.name


def test_every_tissue_and_every_unit_has_a_code():
    assert TISSUE_CODES.keys() == TISSUES.keys()
    codes = [code.kind for code in TISSUE_CODES.values()]
    for quantity in QUANTITIES.values():
        assert quantity.display_unit in UNITS
        codes += [quantity_code(quantity.name), valid_share_code(quantity.name)]
    own = {(code.value, code.meaning) for code in codes if code.scheme_designator == SCHEME}
    assert len({value for value, _ in own}) == len(own)
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 for code in codes)


def test_patterns_differ_everywhere():
    assert len(np.unique(pattern(SHAPE))) == pattern(SHAPE).size
    assert np.linalg.det(sagittal(SHAPE, angle=19.0)[:3, :3]) != 0
