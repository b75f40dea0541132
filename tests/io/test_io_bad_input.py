"""Everything a user can get wrong with a scan is one sentence with the file and the cure."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.io.bids import load_scan, write_scan
from rmqnet.io.nifti import read_volume, write_volume
from rmqnet.io.store import make_provenance, open_stage

FLIP = "sub-01/anat/sub-01_flip-2_VFA"
LOCK = "sub-01/anat/sub-01_tsl-3_T1rhow"
AFI = "sub-01/fmap/sub-01_acq-tr{}_TB1AFI"


def _edit(path: Path, **keys: object) -> None:
    """Set keys of a sidecar; None removes one."""
    values = json.loads(path.read_text()) | keys
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def _refused(study: Path, *words: str, **settings) -> None:
    with pytest.raises(InputError) as caught:
        load_scan(study, "01", **settings)
    text = str(caught.value)
    assert "\n" not in text
    assert str(study) in text or str(study.parent) in text  # a file is named
    for word in words:
        assert word in text, text


def _replace(study: Path, name: str, data: np.ndarray, affine: np.ndarray | None = None) -> None:
    path = study / f"{name}.nii.gz"
    affine = nib.Nifti1Image.from_filename(path).affine if affine is None else affine  # pyright: ignore
    nib.Nifti1Image(data, affine).to_filename(path)


def test_a_zero_byte_image(study):
    (study / f"{FLIP}.nii.gz").write_bytes(b"")
    _refused(study, f"{FLIP}.nii.gz", "zero bytes", "copy or convert it again")


@pytest.mark.parametrize("name", [FLIP, LOCK, AFI.format(1), AFI.format(2)])
def test_an_image_that_is_missing_beside_its_sidecar(study, name):
    (study / f"{name}.nii.gz").unlink()
    _refused(study, f"{name}.nii.gz: ", f"image of {Path(name).name}.json is missing", "copy it there")


def test_all_images_of_a_method_that_are_missing_beside_their_sidecars(study):
    for path in (study / "sub-01" / "fmap").glob("*.nii.gz"):
        path.unlink()
    _refused(study, f"{AFI.format(1)}.nii.gz", "is missing")


def test_a_missing_image_of_a_session(study):
    session = study / "sub-01" / "ses-01"
    session.mkdir()
    for kind in ("anat", "fmap"):
        (study / "sub-01" / kind).rename(session / kind)
    (session / "anat" / "sub-01_flip-2_VFA.nii.gz").unlink()
    _refused(study, "ses-01/anat/sub-01_flip-2_VFA.nii.gz", "is missing")


def test_a_magnitude_that_is_missing_beside_its_phase_image(study):
    image = study / f"{FLIP}.nii.gz"
    shutil.copy(image, image.with_name("sub-01_flip-2_part-phase_VFA.nii.gz"))
    image.rename(image.with_name("sub-01_flip-2_part-mag_VFA.nii.gz"))
    load_scan(study, "01")  # both inherit from sub-01_flip-2_VFA.json
    (study / f"{FLIP}.json").rename(study / "sub-01/anat/sub-01_flip-2_part-mag_VFA.json")
    image.with_name("sub-01_flip-2_part-mag_VFA.nii.gz").unlink()
    _refused(study, "sub-01_flip-2_part-mag_VFA.nii.gz", "is missing")


def test_a_truncated_image(study):
    path = study / f"{LOCK}.nii.gz"
    path.write_bytes(path.read_bytes()[:-9])
    _refused(study, f"{LOCK}.nii.gz", "cut off", "copy or convert it again")


def test_a_link_to_an_image_that_is_not_here(study):
    path = study / f"{FLIP}.nii.gz"
    path.unlink()
    path.symlink_to("nowhere")
    _refused(study, f"{FLIP}.nii.gz", "fetch it")


def test_a_4d_series(study):
    _replace(study, LOCK, np.ones((4, 8, 6, 7), np.float32))
    _refused(study, f"{LOCK}.nii.gz", "4D with 7 volumes", "one file per volume")


@pytest.mark.parametrize("shape", [(4, 8), (4, 8, 7)])
def test_an_image_of_another_shape(study, shape):
    _replace(study, FLIP, np.ones(shape, np.float32))
    _refused(study, f"{FLIP}.nii.gz")


def test_an_image_on_another_grid_names_both(study):
    volume, _ = read_volume(study / f"{FLIP}.nii.gz")
    write_volume(study / f"{FLIP}.nii.gz", volume, centered_grid((4, 8, 6), (3.0, 0.6, 0.51)))
    # voxels 0.01 mm longer around the same center: the far corner, 3.5 voxels from it, moves by 0.035 mm
    words = ("another grid", "same shape, but a corner lies 0.035 mm away", "resample")
    _refused(study, f"{FLIP}.nii.gz", "sub-01_flip-1_VFA.nii.gz", *words)
    write_volume(study / f"{FLIP}.nii.gz", volume[:3], centered_grid((3, 8, 6), (3.0, 0.6, 0.5)))
    _refused(study, f"{FLIP}.nii.gz", "shape (3, 8, 6) instead of (4, 8, 6)", "resample")


def test_an_image_without_orientation(study):
    image = nib.Nifti1Image(np.ones((4, 8, 6), np.float32), None)
    image.to_filename(study / f"{FLIP}.nii.gz")
    _refused(study, f"{FLIP}.nii.gz", "no orientation")


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "all voxels are zero"), (np.nan, "no finite voxel"), (-7.0, "no voxel is above zero")],
)
def test_an_image_without_content(study, value, words):
    _replace(study, FLIP, np.full((4, 8, 6), value, np.float32))
    _refused(study, f"{FLIP}.nii.gz", words)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (FLIP, "FlipAngle"),
        (FLIP, "RepetitionTimeExcitation"),
        (AFI.format(1), "FlipAngle"),
        (LOCK, "FlipAngle"),
        (LOCK, "RepetitionTimePreparation"),
        (LOCK, "SpokesPerPreparation"),
        (LOCK, "SpokeSpacing"),
        (LOCK, "FatSaturationTime"),
    ],
)
def test_a_sidecar_without_a_key_that_is_needed(study, name, key):
    _edit(study / f"{name}.json", **{key: None})
    _refused(study, f"{name}.json", f"the key {key} is missing", f'"{key}": ')


def test_afi_without_any_repetition_time(study):
    _edit(study / f"{AFI.format(2)}.json", RepetitionTime=None, RepetitionTimeExcitation=None)
    _refused(study, f"{AFI.format(2)}.json", "RepetitionTimeExcitation is missing")


def test_the_repetition_time_of_a_converter_is_offered(study):
    _edit(study / f"{FLIP}.json", RepetitionTimeExcitation=None, RepetitionTime=0.0123)
    _refused(study, f"{FLIP}.json", '"RepetitionTimeExcitation": 0.0123')


def test_no_sidecar_at_all(study):
    (study / f"{FLIP}.json").unlink()
    _refused(study, f"{FLIP}.json", "no such file", '"FlipAngle": 5')


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        (FLIP, "RepetitionTimeExcitation", 20),
        (FLIP, "EchoTime", 1.2),
        (AFI.format(1), "RepetitionTimeExcitation", 20),
        (LOCK, "SpinLockTime", 24),
        (LOCK, "RepetitionTimePreparation", 500),
        (LOCK, "SpokeSpacing", 5),
    ],
)
def test_times_in_milliseconds(study, name, key, value):
    _edit(study / f"{name}.json", **{key: value})
    _refused(
        study,
        f"{name}.json",
        f"{key} {value:g} s is not possible: write {value / 1000:g} if it is {value:g} ms",
    )


def test_a_flip_angle_in_radians(study):
    _edit(study / f"{FLIP}.json", FlipAngle=0.17)
    _refused(
        study, f"{FLIP}.json", "FlipAngle 0.17 degrees is not possible: write 9.74 if it is 0.17 radians"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("FlipAngle", "10"),
        ("FlipAngle", [5, 10]),
        ("FlipAngle", 0),
        ("FlipAngle", True),
        ("FatSaturation", 1),
    ],
)
def test_values_that_are_no_such_numbers(study, key, value):
    _edit(study / f"{FLIP}.json", **{key: value})
    _refused(study, f"{FLIP}.json", key)


@pytest.mark.parametrize("kind", ["magic", [[]]])
def test_an_unknown_spin_lock_type(study, kind):
    _edit(study / f"{LOCK}.json", SpinLockType=kind)
    _refused(study, f"{LOCK}.json", "adiabatic, continuous", repr(kind))


@pytest.mark.parametrize("text", ["", "{", '{"FlipAngle": 5,}', "[1]", "\x00"])
def test_invalid_json(study, text):
    (study / f"{FLIP}.json").write_text(text)
    _refused(study, f"{FLIP}.json")


def test_json_that_is_no_text(study):
    (study / f"{FLIP}.json").write_bytes(b"\xff\xfe\x00")
    _refused(study, f"{FLIP}.json", "UTF-8")


def _exchange(first: Path, second: Path) -> None:
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        *((wrong, "acq-tr{}") for wrong in ("sidecars", "images", "names")),
        # these names say nothing about the order
        *((wrong, "run-{}") for wrong in ("sidecars", "images")),
    ],
)
def test_the_one_cure_of_a_swapped_afi_pair_ends_with_the_right_pair(study, wrong, names):
    """What the sentence says is done, whatever was wrong: then the images are those of the right pair."""
    right = load_scan(study, "01").series["afi"]
    if names != "acq-tr{}":
        for path in sorted((study / "sub-01/fmap").iterdir()):
            path.rename(path.with_name(path.name.replace("acq-tr", "run-")))
    stem = AFI.replace("acq-tr{}", names)
    images, sidecars = ([study / f"{stem.format(k)}.{end}" for k in (1, 2)] for end in ("nii.gz", "json"))
    if wrong in ("images", "names"):
        _exchange(*images)
    if wrong in ("sidecars", "names"):
        _exchange(*sidecars)
    with pytest.raises(InputError, match="AFI volumes swapped") as error:
        load_scan(study, "01")
    said = str(error.value)
    assert "\n" not in said
    if said.endswith("exchange the two image files, and leave their sidecars where they are"):
        _exchange(*images)
    elif said.endswith("exchange the names of the images together with their sidecars"):
        assert wrong == "names"
        _exchange(*images)
        _exchange(*sidecars)
    else:
        assert said.endswith("exchange the repetition times in the two sidecars")
        assert wrong == "sidecars"
        _exchange(*sidecars)
    found = load_scan(study, "01").series["afi"]
    assert found.acquisitions == right.acquisitions
    # by one cure or the other: the image after the short repetition time is the brighter one
    np.testing.assert_array_equal(found.data, right.data)


def test_only_one_afi_volume(study):
    for ending in (".nii.gz", ".json"):
        (study / f"{AFI.format(2)}{ending}").unlink()
    _refused(study, "needs two", "sub-01_acq-tr1_TB1AFI.nii.gz")


def test_two_afi_volumes_that_do_not_differ_or_do_not_match(study):
    _edit(study / f"{AFI.format(2)}.json", RepetitionTimeExcitation=0.02)
    _refused(study, AFI.format(2), "must differ")
    _edit(study / f"{AFI.format(2)}.json", RepetitionTimeExcitation=0.1, FlipAngle=60)
    _refused(study, AFI.format(2), "60", "45")


@pytest.mark.parametrize(("name", "new"), [(FLIP, "flip-9_VFA"), (LOCK, "tsl-9_T1rhow")])
def test_one_contrast_twice_names_both(study, name, new):
    for ending in (".nii.gz", ".json"):
        shutil.copy(study / f"{name}{ending}", study / "sub-01" / "anat" / f"sub-01_{new}{ending}")
    _refused(study, Path(name).name, new, "same contrast", "keep one")


def test_a_subject_without_any_image(study):
    shutil.rmtree(study / "sub-01")
    (study / "sub-01").mkdir()
    _refused(study, "sub-01", "no image that this program can use (VFA, T1rhow, TB1AFI)", "your-own-nifti.md")


def test_a_study_that_is_a_file(study):
    table = study / "participants.tsv"
    with pytest.raises(InputError, match=r"participants\.tsv: is a file, not a folder"):
        load_scan(table, "01")


def test_an_unknown_side(study):
    for path in (study / "sub-01").rglob("*.json"):
        _edit(path, ImageLaterality=None)
    table = study / "participants.tsv"
    table.write_text(table.read_text().replace("right", "n/a"))
    _refused(study, "participants.tsv", "side of sub-01", "left or right", "ImageLaterality")


def test_sides_that_contradict_each_other(study):
    table = study / "participants.tsv"
    table.write_text(table.read_text().replace("right", "left"))
    _refused(study, "participants.tsv", "left", "right")
    _edit(study / f"{FLIP}.json", ImageLaterality="L")
    _refused(study, "different ImageLaterality", "sub-01_flip-2_VFA.json")
    _edit(study / f"{FLIP}.json", ImageLaterality="both")
    _refused(study, f"{FLIP}.json", '"L" or "R"')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("file\ttime\nx\t1\n", "columns file and spin_lock_time"),
        ("file spin_lock_time\nx 0.1\n", "must be separated by tabs"),
        ("file,spin_lock_time\nx,0.1\n", "must be separated by tabs"),
        ("file\tspin_lock_time\nx\n", "row 1 has 1 cells"),
        ("file\tspin_lock_time\nx\tlong\n", "must be a number"),
        ("file\tspin_lock_time\nx\t30\n", "write 0.03 if it is 30 ms"),
        ("file\tspin_lock_time\nx\t0.1\nx\t0.2\n", "two rows"),
        ("file\tspin_lock_time\nsub-01_tsl-3_T1rhow.nii.gz\t0.5\n", "correct one of them"),
    ],
)
def test_a_table_of_spin_lock_times_with_a_mistake(study, tmp_path, text, words):
    table = tmp_path / "times.tsv"
    table.write_text(text)
    _refused(study, str(table), words, spin_lock_table=table)


def test_spin_lock_times_that_nobody_states(study, tmp_path):
    _edit(study / f"{LOCK}.json", SpinLockTime=None, EchoTime=None)
    table = tmp_path / "times.tsv"
    table.write_text("file\tspin_lock_time\nother.nii.gz\t0.1\n")
    _refused(study, f"{LOCK}.json", '"SpinLockTime": 0.012', spin_lock_table=table)
    _refused(study, f"{LOCK}.json", "neither", echo_time_is_spin_lock_time=True)
    _edit(study / f"{LOCK}.json", EchoTime=24)
    _refused(
        study,
        f"{LOCK}.json",
        "SpinLockTime 24 s is not possible: write 0.024 if it is 24 ms",
        echo_time_is_spin_lock_time=True,
    )


def test_a_disk_that_fills_up_while_a_scan_is_written_leaves_nothing(tmp_path, scan, monkeypatch):
    import errno

    written = []
    whole = Path.write_bytes

    def fills_up(path, data):
        if len(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        return whole(path, data)

    output = open_stage(tmp_path / "out", make_provenance("simulate", None))
    monkeypatch.setattr(Path, "write_bytes", fills_up)

    def write() -> None:
        with output.subject("01") as folder:
            write_scan(folder, scan)

    with pytest.raises(InputError, match="no space left"):
        write()
    assert len(written) == 5
    assert [path.name for path in output.root.iterdir()] == ["provenance.json"]
