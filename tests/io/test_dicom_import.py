"""DICOM folders become studies: every voxel at its place, every contrast by its metadata, nobody recognizable."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_writers import Image, pattern, sagittal, true_values, write_classic, write_enhanced
from pydicom import dcmread

from rmqnet.domain.scan import Scan
from rmqnet.io.bids import load_scan
from rmqnet.io.dicom.plan import ImportPlan
from rmqnet.pipeline.import_dicom import ImportOptions, find_dicom, import_dicom
from rmqnet.pipeline.import_tables import import_tables, import_words
from rmqnet.pipeline.progress import Quiet

SHAPE = (7, 6, 5)


def run(folder: Path, study: Path, **options) -> tuple[ImportPlan, list[str]]:
    """Plan and names of an import."""
    chosen = ImportOptions(**options)
    plan = find_dicom(folder, chosen, Quiet())
    return plan, import_dicom(study, plan, chosen, Quiet())


def load(study: Path, name: str = "001") -> Scan:
    return load_scan(study, name)


def reasons(plan: ImportPlan) -> str:
    return " ".join(f"{item.what}: {item.why}." for item in plan.left_out)


def values_in(path: Path) -> dict[tuple[float, ...], int]:
    """Value by position [mm] of every voxel of a NIfTI file, by nibabel."""
    image = nib.load(path)
    data = np.asanyarray(image.dataobj)  # pyright: ignore
    index = np.indices(data.shape).reshape(3, -1)
    where = (image.affine[:3, :3] @ index + image.affine[:3, 3:]).T  # pyright: ignore
    return {tuple(np.round(p, 2) + 0.0): round(float(v)) for p, v in zip(where, data.ravel(), strict=True)}


def cubequant(center_x: float = -70.0, angle: float = 0.0, reverse: bool = False) -> list[Image]:
    affine = sagittal(SHAPE, center_x=center_x, angle=angle, reverse=reverse)
    return [
        Image(pattern(SHAPE, 1000 * n), affine, 7, "cubequant T1rho", echo_time=time, repetition_time=1300.0)
        for n, time in enumerate((60.0, 30.0, 10.0, 1.0))
    ]


@pytest.mark.parametrize("angle", [0.0, 17.0])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("center_x", [-70.0, 65.0])
def test_every_voxel_lies_where_the_standard_puts_it(
    tmp_path: Path, center_x: float, angle: float, reverse: bool
):
    images = cubequant(center_x, angle, reverse)
    write_classic(tmp_path / "dicom", images, "GE MEDICAL SYSTEMS")
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert plan.knees[0].side == ("right" if center_x < 0 else "left")
    by_time = sorted(images, key=lambda image: image.echo_time)
    for number, truth in enumerate(true_values(by_time), start=1):
        assert values_in(tmp_path / f"study/sub-001/anat/sub-001_tsl-{number}_T1rhow.nii.gz") == truth
    scan = load(tmp_path / "study")
    grid = scan.get("spin_lock").grid
    # slice distance is that of the positions, not SliceThickness, which says 3 mm
    assert grid.voxel_size == pytest.approx((1.5, 0.6, 0.5), abs=1e-5)
    outermost = grid.affine @ [grid.shape[0] - 1, 0, 0, 1]
    assert outermost[0] < grid.affine[0, 3], "the slice index must grow towards the left"


def test_the_brightest_voxel_on_the_patients_left_stays_on_the_left(tmp_path: Path):
    affine = sagittal(SHAPE, center_x=40.0)
    images = []
    for time in (1.0, 30.0):
        pixels = np.ones(SHAPE, np.uint16)
        pixels[1, 2, 4] = 999  # last slice: towards +x of DICOM, the patient's left; upper and anterior
        images.append(Image(pixels, affine, 3, "T1rho", echo_time=time))
    write_classic(tmp_path / "dicom", images)
    run(tmp_path / "dicom", tmp_path / "study")
    data = load(tmp_path / "study").get("spin_lock").data[0]
    z, y, x = np.unravel_index(int(data.argmax()), data.shape)
    assert (int(z), int(y), int(x)) == (4, 2, 1)


def test_settings_come_from_the_headers_in_seconds_and_the_source_of_spin_lock_times_is_said(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant(), "GE MEDICAL SYSTEMS")
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    times = [item.spin_lock_time for item in load(tmp_path / "study").get("spin_lock").acquisitions]
    assert times == [0.001, 0.010, 0.030, 0.060]
    said = " ".join(import_words(plan))
    assert "Spin-lock times are taken from EchoTime: 1 ms (series 7/1)" in said
    assert "echo time itself is then not known" in said
    sidecar = json.loads((tmp_path / "study/sub-001/anat/sub-001_tsl-2_T1rhow.json").read_text())
    assert sidecar["SpinLockTimeSource"] == "EchoTime"
    assert "EchoTime" not in sidecar
    assert sidecar["ImageLaterality"] == "R"


def vfa(affine: np.ndarray, angles: tuple[float, ...] = (5.0, 10.0, 20.0, 30.0)) -> list[Image]:
    return [
        Image(pattern(SHAPE, 1000 * n), affine, 10 + n, f"fl3d {angle:g}", flip_angle=angle)
        for n, angle in enumerate(angles)
    ]


def test_a_siemens_study_with_phase_localizer_vfa_afi_and_times_in_names(tmp_path: Path):
    affine, folder = sagittal(SHAPE, angle=8.0), tmp_path / "dicom"
    for image in vfa(affine):
        write_classic(folder / "deep" / "er" / str(image.series), [image])
    coarse = sagittal((4, 3, 3), angle=8.0)
    pair = [
        Image(pattern((4, 3, 3), 900 - 800 * n), coarse, 20 + n, "AFI", repetition_time=time, flip_angle=45.0)
        for n, time in enumerate((20.0, 100.0))
    ]
    locks = [
        Image(pattern(SHAPE, n), affine, 30 + n, f"UTE_T1rho_TSL{time}", flip_angle=10.0)
        for n, time in enumerate(("36", "0", "12p5ms"))
    ]
    phase = Image(
        pattern(SHAPE), affine, 40, "fl3d 5", extra={"ImageType": ["ORIGINAL", "PRIMARY", "P", "NORM"]}
    )
    scout = Image(pattern(SHAPE), affine, 1, "localizer 3 planes")
    pd = Image(pattern(SHAPE), affine, 50, "pd tse", repetition_time=1800.0, echo_time=30.0, flip_angle=150.0)
    for image in [*pair, *locks, phase, scout, pd]:
        write_classic(folder, [image])
    plan, _ = run(folder, tmp_path / "study")
    scan = load(tmp_path / "study")
    assert [item.flip_angle for item in scan.get("vfa").acquisitions] == [5, 10, 20, 30]
    assert all(item.repetition_time_excitation == 0.02 for item in scan.get("vfa").acquisitions)
    assert all(item.echo_time == 3.2e-5 for item in scan.get("vfa").acquisitions)
    assert [item.repetition_time_excitation for item in scan.get("afi").acquisitions] == [0.02, 0.1]
    assert [item.spin_lock_time for item in scan.get("spin_lock").acquisitions] == [0, 0.0125, 0.036]
    assert "series 40: phase images" in reasons(plan)
    assert "series 1: a localizer" in reasons(plan)
    assert "series 50: neither spin lock, AFI nor one of several flip angles" in reasons(plan)
    assert "from series description: 0 ms (series 31)" in " ".join(import_words(plan))
    for number, truth in enumerate(true_values(vfa(affine)), start=1):
        assert values_in(tmp_path / f"study/sub-001/anat/sub-001_flip-{number}_VFA.nii.gz") == truth


@pytest.mark.parametrize("angle", [0.0, 23.0])
def test_philips_enhanced_frames_become_volumes_with_one_scale(tmp_path: Path, angle: float):
    affine = sagittal(SHAPE, angle=angle)
    images = [
        Image(pattern(SHAPE, 500 * n), affine, 5, "VFA", flip_angle=flip)
        for n, flip in enumerate((20.0, 5.0, 10.0))
    ]
    scales = [(1.5, 0.0, 0.004), (0.5, -10.0, 0.012), (2.0, 3.0, 0.02)]
    write_enhanced(tmp_path / "dicom" / "IM_0001", images, scales)
    run(tmp_path / "dicom", tmp_path / "study")
    order = [1, 2, 0]
    for number, index in enumerate(order, start=1):
        slope, intercept, private = scales[index]
        truth = {
            place: (value * slope + intercept) / (slope * private)
            for place, value in true_values([images[index]])[0].items()
        }
        found = values_in(tmp_path / f"study/sub-001/anat/sub-001_flip-{number}_VFA.nii.gz")
        assert found.keys() == truth.keys()
        assert max(abs(found[place] - truth[place]) for place in truth) <= 0.51  # compared as whole numbers


def test_philips_images_without_their_private_scale_are_warned_of(tmp_path: Path):
    affine = sagittal(SHAPE)
    images = [Image(pattern(SHAPE), affine, 5, "VFA", flip_angle=flip) for flip in (20.0, 5.0)]
    write_enhanced(tmp_path / "dicom" / "IM_0001", images)
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert "without the private scale slope" in " ".join(import_words(plan))


def test_a_changed_receive_gain_is_warned_of(tmp_path: Path):
    def gain(value: int):
        def change(dataset, index) -> None:
            dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x95, "SS", value)

        return change

    images = vfa(sagittal(SHAPE))
    for image, value in zip(images, (9, 9, 11, 9), strict=True):
        image.change = gain(value)
        write_classic(tmp_path / "dicom", [image], "GE MEDICAL SYSTEMS")
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert "receive gain changed between series 10, 11, 12, 13 (vfa)" in " ".join(import_words(plan))


def test_an_unnamed_afi_pair_in_one_series_is_found_by_its_repetition_times(tmp_path: Path):
    affine = sagittal(SHAPE)
    pair = [
        Image(pattern(SHAPE, 500 - 400 * n), affine, 8, "ute3d", repetition_time=time, flip_angle=45.0)
        for n, time in enumerate((100.0, 20.0))
    ]
    pair[0].pixels, pair[1].pixels = pair[1].pixels, pair[0].pixels  # the long repetition time is darker
    write_classic(tmp_path / "dicom", pair, "GE MEDICAL SYSTEMS")
    run(tmp_path / "dicom", tmp_path / "study")
    assert [item.repetition_time_excitation for item in load(tmp_path / "study").get("afi").acquisitions] == [
        0.02,
        0.1,
    ]


def test_a_table_gives_what_no_header_has_and_makes_the_images_adiabatic(tmp_path: Path):
    affine = sagittal(SHAPE)
    images = [Image(pattern(SHAPE, n), affine, 30 + n, "adiab T1rho", flip_angle=10.0) for n in range(3)]
    for image in images:
        write_classic(tmp_path / "dicom", [image])
    table = tmp_path / "settings.tsv"
    columns = "series\tspin_lock_time\trepetition_time_preparation\tspokes_per_preparation\tspoke_spacing"
    rows = [f"{30 + n}\t{time}\t0.5\t25\t0.005" for n, time in enumerate((0.024, 0.0, 0.012))]
    table.write_text("\n".join([columns, *rows]) + "\n")
    plan, _ = run(tmp_path / "dicom", tmp_path / "study", settings=table)
    series = load(tmp_path / "study").get("adiabatic_t1rho")
    assert [item.spin_lock_time for item in series.acquisitions] == [0.0, 0.012, 0.024]
    assert series.acquisitions[0].spokes_per_preparation == 25
    assert "taken from table settings.tsv" in " ".join(import_words(plan))


def test_adiabatic_images_without_their_settings_are_said_to_be_taken_as_mono_exponential(tmp_path: Path):
    affine = sagittal(SHAPE)
    for n, time in enumerate((0, 12)):
        write_classic(
            tmp_path / "dicom", [Image(pattern(SHAPE, n), affine, 30 + n, f"adiab T1rho {time} ms")]
        )
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert "taken as mono-exponential until a table" in " ".join(import_words(plan))
    assert [item.spin_lock_time for item in load(tmp_path / "study").get("spin_lock").acquisitions] == [
        0,
        0.012,
    ]


def test_a_private_tag_tells_volumes_apart_and_gives_their_times(tmp_path: Path):
    def tagged(value: str):
        def change(dataset, index) -> None:
            dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0xAE, "DS", value)

        return change

    affine = sagittal(SHAPE)
    images = [Image(pattern(SHAPE, 9 * n), affine, 4, "spin lock ute") for n in range(3)]
    for image, value in zip(images, ("40", "0", "20"), strict=True):
        image.change = tagged(value)
    write_classic(tmp_path / "dicom", images, "GE MEDICAL SYSTEMS")
    plan, _ = run(tmp_path / "dicom", tmp_path / "study", spin_lock_tag="(0019,10AE)")
    assert [item.spin_lock_time for item in load(tmp_path / "study").get("spin_lock").acquisitions] == [
        0,
        0.02,
        0.04,
    ]
    assert "tag (0019,10AE)" in " ".join(import_words(plan))


def test_nothing_of_the_person_comes_through_and_equal_uids_stay_equal(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant())
    paths = sorted((tmp_path / "dicom").iterdir())
    run(tmp_path / "dicom", tmp_path / "study")
    secrets = [
        "Doe",
        "Jane",
        "19600102",
        "20240503",
        "101112.125",
        "ACC123",
        "House",
        "Hospital",
        "063Y",
        "1.2.826.0",
    ]
    secrets += [dcmread(path).SOPInstanceUID for path in paths[:3]]
    for path in (tmp_path / "study").rglob("*"):
        if path.is_file() and path.suffix != ".gz":
            text = path.read_text()
            assert not [secret for secret in secrets if secret in text], path.name
    record = json.loads((tmp_path / "study/sub-001/dicom.json").read_text())
    assert len({volume["study"] for volume in record["volumes"]}) == 1
    assert len({volume["frame_of_reference"] for volume in record["volumes"]}) == 1
    instances = [item[1] for volume in record["volumes"] for item in volume["instances"]]
    assert len(set(instances)) == len(paths)
    assert all(one.startswith("2.25.") and len(one) <= 64 for one in instances)
    assert (tmp_path / "study/participants.tsv").read_text().splitlines()[
        1
    ] == "sub-001\tn/a\tn/a\tright\tn/a"


def test_the_identity_is_kept_where_it_is_asked_for(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant())
    run(tmp_path / "dicom", tmp_path / "study", keep_identity=True)
    record = json.loads((tmp_path / "study/sub-001/dicom.json").read_text())
    assert record["patient"]["PatientName"] == "Doe^Jane"
    assert record["volumes"][0]["instances"][0][1].startswith("1.2.826")
    assert (tmp_path / "study/participants.tsv").read_text().splitlines()[1] == "sub-001\t63\tF\tright\tn/a"


def test_the_same_files_are_imported_once_and_another_knee_becomes_another_subject(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant())
    write_classic(tmp_path / "other", cubequant(60.0), name="Roe^Jim")
    _, first = run(tmp_path / "dicom", tmp_path / "study")
    _, again = run(tmp_path / "dicom", tmp_path / "study")
    _, second = run(tmp_path / "other", tmp_path / "study")
    assert (first, again, second) == (["001"], ["001"], ["002"])
    assert load(tmp_path / "study", "002").subject.side == "left"
    assert load(tmp_path / "study", "001").subject.side == "right"


def test_what_is_found_is_shown_in_a_table(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant())
    plan = find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())
    (table,) = import_tables(plan)
    rows = [[cell.text for cell in row] for row in table.rows]
    assert [
        "spin lock",
        "TSL 1 ms",
        "7/1",
        "cubequant T1rho",
        "7 x 6 x 5",
        "0.5 x 0.6 x 1.5",
        "EchoTime",
    ] in rows
    assert table.title == "Found: right knee"


def test_echoes_of_one_excitation_are_no_spin_lock_times(tmp_path: Path):
    affine = sagittal(SHAPE)
    images = [
        Image(
            pattern(SHAPE, n), affine, 4, "T1rho ute dual echo", echo_time=time, extra={"EchoNumbers": n + 1}
        )
        for n, time in enumerate((0.03, 4.6))
    ]
    write_classic(tmp_path / "dicom", images)
    plan = find_dicom(tmp_path / "dicom", ImportOptions(), Quiet())
    assert "spin-lock time not known" in reasons(plan)


def test_the_protocol_name_of_a_ge_examination_does_not_name_its_series(tmp_path: Path):
    for image in vfa(sagittal(SHAPE)):
        image.extra = {"ProtocolName": "UTE T1rho knee AFI localizer"}
        write_classic(tmp_path / "dicom", [image], "GE MEDICAL SYSTEMS")
    run(tmp_path / "dicom", tmp_path / "study")
    assert len(load(tmp_path / "study").get("vfa").acquisitions) == 4


def test_a_side_that_contradicts_the_position_is_warned_of(tmp_path: Path):
    images = cubequant(center_x=-70.0)
    for image in images:
        image.extra = {"Laterality": "L"}
    write_classic(tmp_path / "dicom", images)
    plan, _ = run(tmp_path / "dicom", tmp_path / "study")
    assert "said to be the left one, but the images lie to the right" in " ".join(import_words(plan))


def test_classic_philips_images_are_scaled_by_their_private_slope(tmp_path: Path):
    def scaled(slope: float):
        def change(dataset, index) -> None:
            dataset.RescaleSlope, dataset.RescaleIntercept = "2", "0"
            dataset.private_block(0x2005, "Philips Imaging DD 002", create=True).add_new(0x0E, "FL", 99.0)
            dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", slope)

        return change

    images = vfa(sagittal(SHAPE), (5.0, 30.0))
    for image, slope in zip(images, (0.5, 0.25), strict=True):
        image.change = scaled(slope)
        write_classic(tmp_path / "dicom", [image], "Philips Medical Systems")
    run(tmp_path / "dicom", tmp_path / "study")
    data = load(tmp_path / "study").get("vfa").data
    assert [volume.max() for volume in data] == [
        images[0].pixels.max() / 0.5,
        images[1].pixels.max() / 0.25,
    ]


def test_columns_that_a_person_added_to_the_participants_stay(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant())
    write_classic(tmp_path / "other", cubequant(60.0), name="Roe^Jim")
    run(tmp_path / "dicom", tmp_path / "study")
    table = tmp_path / "study/participants.tsv"
    header, row = table.read_text().splitlines()
    table.write_text(f"{header}\tweight\n{row}\t77\n")
    run(tmp_path / "other", tmp_path / "study")
    lines = table.read_text().splitlines()
    assert lines == [f"{header}\tweight", f"{row}\t77", "sub-002\tn/a\tn/a\tleft\tn/a\tn/a"]


VALIDATOR = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent))


@pytest.mark.skipif(VALIDATOR is None, reason="bids-validator-deno is not installed")
def test_an_imported_study_is_valid_bids(tmp_path: Path):
    write_classic(tmp_path / "dicom", cubequant())
    run(tmp_path / "dicom", tmp_path / "study")
    command = [str(VALIDATOR), str(tmp_path / "study"), "--format", "json", "--ignoreWarnings"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    issues = json.loads(found.stdout)["issues"]["issues"]
    assert [(item["code"], item.get("location")) for item in issues] == []
