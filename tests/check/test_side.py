"""The side of one knee alone: told from its anatomy, in any contrast, and not told where too little is seen."""

import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmqnet.check.check import check_images
from rmqnet.check.findings import NOT_CHECKED
from rmqnet.check.images import Image, images_of
from rmqnet.check.peers import Summary, check_peers, not_compared, summarize
from rmqnet.check.side import side_seen
from rmqnet.check.usual_knee import usual_knees
from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import Side, Subject
from rmqnet.io.bids import write_scan
from rmqnet.io.participants import write_participants
from rmqnet.pipeline.check import check_study
from rmqnet.pipeline.progress import Quiet
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.simulate import simulate_subject
from rmqnet.simulate.simulated import Simulated

REPOSITORY = Path(__file__).parents[2]
REAL = REPOSITORY.parent / "shared" / "data" / "pykneer_t1rho_dess"
CONFIG = SimulateConfig(n_subjects=4, seed=31, shape=(24, 64, 64), supersampling=(1, 1, 1))
OTHER: dict[Side, Side] = {"left": "right", "right": "left"}
EVERYTHING = slice(None)


@pytest.fixture(scope="module")
def knees() -> list[Simulated]:
    return [simulate_subject(CONFIG, index) for index in range(CONFIG.n_subjects)]


def part(images: Sequence[Image], which: tuple[slice, slice, slice]) -> list[Image]:
    """The images cropped, with their place kept."""
    found = []
    for image in images:
        data, affine = image.data[which], image.grid.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ [one.start or 0 for one in which]
        found.append(replace(image, data=data, grid=Grid(data.shape, affine)))
    return found


def test_the_side_is_told_from_images_of_any_contrast(knees: list[Simulated]):
    assert {knee.subject.side for knee in knees} == {"left", "right"}
    for knee, which in zip(knees, (slice(4), slice(5, 6), slice(9, 10), slice(11)), strict=True):
        used = images_of(knee.scan)[which]
        told = side_seen(used, knee.subject.side), side_seen(used, OTHER[knee.subject.side])
        if which == slice(9, 10):
            # one image at a long spin-lock time holds little signal: it may tell nothing, and never the wrong side
            assert told in (("stated", "other"), ("unknown", "unknown"))
        else:
            assert told == ("stated", "other")


def test_a_wrong_side_and_mirrored_voxels_are_findings_with_their_cure(knees: list[Simulated]):
    knee = knees[0]
    images, side = images_of(knee.scan), knee.subject.side
    flipped = [replace(image, data=image.data[::-1].copy()) for image in images]
    cases: list[tuple[list[Image], Side]] = [(images, OTHER[side]), (flipped, side)]
    for used, stated in cases:
        (found,) = check_images(used, knee.subject.name, Subject(knee.subject.name, stated))
        assert (found.rule, found.severity) == ("side", "error")
        assert f"said to be a {stated} knee, but its images show a {OTHER[stated]} one" in found.sentence
        assert "participants.tsv" in found.sentence


@pytest.mark.parametrize(
    "which",
    [
        (slice(8, 16), EVERYTHING, EVERYTHING),
        (EVERYTHING, slice(0, 32), EVERYTHING),
        (EVERYTHING, EVERYTHING, slice(0, 32)),
    ],
)
def test_a_part_of_a_knee_is_not_judged(knees: list[Simulated], which: tuple[slice, slice, slice]):
    images = part(images_of(knees[0].scan), which)
    assert side_seen(images, "left") == side_seen(images, "right") == "unknown"


def test_thick_slices_afi_images_noise_and_balls_are_not_judged(knees: list[Simulated]):
    images = images_of(knees[0].scan)
    first = images[0]
    thick = Grid((8, 64, 64), first.grid.affine @ np.diag([3.0, 1, 1, 1]))
    blocks = first.data.reshape(8, 3, 64, 64).mean(axis=1)
    z, y, x = np.indices(first.data.shape)
    rng = np.random.default_rng(3)
    ball = 100.0 * (((z - 12) / 10) ** 2 + ((y - 32) / 25) ** 2 + ((x - 30) / 25) ** 2 < 1)
    noise = rng.rayleigh(1.0, first.data.shape)
    for used in (
        images[11:],
        [replace(first, data=blocks, grid=thick)],
        [replace(first, data=noise.astype(np.float32))],
        [replace(first, data=(ball + noise).astype(np.float32))],
        [replace(first, data=np.zeros_like(first.data))],
        [replace(first, data=np.ones_like(first.data))],
        [],
    ):
        assert side_seen(used, OTHER[knees[0].subject.side]) == "unknown"


def test_the_usual_knee_has_its_fibula_on_its_outer_side():
    marrow = usual_knees().right.tissues[1]
    low = marrow[:, 40:44, 24:]
    # z runs to the left, so the outer side of a right knee comes first
    assert low[:12].sum() > 5 * low[-12:].sum()


def test_a_study_names_what_was_not_checked_only_where_the_side_was_not_seen(
    knees: list[Simulated], tmp_path: Path
):
    people = []
    for knee in knees[:2]:
        folder = tmp_path / f"sub-{knee.subject.name}"
        folder.mkdir()
        write_scan(folder, knee.scan)
        people.append(knee.subject)
    write_participants(tmp_path / "participants.tsv", people)
    checked = check_study(tmp_path, Quiet())
    assert checked.remarks == []
    assert checked.not_checked == [
        "Not checked: orientation, missing images (they need 5 other subjects that can be read, you have 1)."
    ]
    wrong = [replace(people[0], side=OTHER[people[0].side]), people[1]]
    write_participants(tmp_path / "participants.tsv", wrong)
    for path in tmp_path.rglob("*.json"):
        path.write_text(path.read_text().replace("ImageLaterality", "Laterality"))
    # the other subject is refused: the wrong side is found all the same
    shutil.rmtree(tmp_path / f"sub-{people[1].name}")
    (tmp_path / f"sub-{people[1].name}").mkdir()
    found = check_study(tmp_path, Quiet()).remarks
    assert {(one.rule, one.subject) for one in found if one.rule != "assumed"} == {
        ("side", people[0].name),
        ("refused", people[1].name),
    }


def test_a_wrong_visit_does_not_accuse_the_right_one_of_the_same_person(knees: list[Simulated]):
    """The mirrored picture of the same knee is more alike than any other person's."""
    people = [
        summarize(images_of(knee.scan), replace(knee.subject, name=f"{number}"))
        for number, knee in enumerate(knees)
    ] * 2
    others = [replace(one, subject=replace(one.subject, name=f"o{k}")) for k, one in enumerate(people)]
    own = others[0]
    person = replace(own.subject, person="P1")
    right = Summary(person, {}, own.acquisitions, own.picture)
    assert own.picture is not None
    mirrored = own.picture[::-1].copy()
    visit = Summary(replace(person, name="later"), {}, own.acquisitions, 20 * mirrored)
    rest = [one for one in others[1:] if one.picture is not own.picture]
    assert {rule for rule, _ in check_peers(right, [right, visit, *rest])} == set()
    # without the label it is the knee alone that tells
    lone = replace(right, subject=replace(person, person=None), seen="stated")
    assert {rule for rule, _ in check_peers(lone, [lone, visit, *rest])} == set()
    sure = replace(visit, seen="other")
    assert {rule for rule, _ in check_peers(replace(lone, seen="unknown"), [lone, sure, *rest])} == set()


def test_subjects_of_one_person_are_no_peers_and_it_is_said(knees: list[Simulated]):
    own = summarize(images_of(knees[0].scan), replace(knees[0].subject, name="a", person="P"))
    visits = [replace(own, subject=replace(own.subject, name=f"v{k}")) for k in range(5)]
    ((rule, sentence),) = not_compared(own, visits)
    assert rule == NOT_CHECKED
    assert sentence.startswith("Not checked: side, orientation (")
    assert "you have 0" in sentence
    ((_, told),) = not_compared(replace(own, seen="stated"), visits)
    assert told.startswith("Not checked: orientation (")


def real_images() -> list[Image]:
    import nibabel

    found = []
    for name in ("T1rho_tsl-01ms", "T1rho_tsl-10ms", "T1rho_tsl-30ms", "T1rho_tsl-60ms", "DESS_echo-1"):
        file = nibabel.Nifti1Image.from_filename(REAL / f"{name}.nii.gz")
        data = np.asarray(file.dataobj, np.float32).transpose(2, 1, 0)
        assert file.affine is not None
        grid = Grid(data.shape, file.affine[:, [2, 1, 0, 3]], "PIL")
        found.append(Image(name, Acquisition("spin_lock", spin_lock_time=0.001), data, grid))
    return found


@pytest.mark.skipif(not REAL.is_dir(), reason="the pyKNEEr knee is not beside the repository")
def test_a_real_knee_is_told_from_its_mirror_image():
    images = real_images()
    for used in (images[:4], images[:1], images[4:]):
        flipped = [replace(image, data=image.data[::-1].copy()) for image in used]
        assert (side_seen(used, "right"), side_seen(flipped, "right")) == ("stated", "other")
    assert side_seen(images[2:3], "right") != "other"
    for image in images:
        middle = part([image], (slice(12, 28), EVERYTHING, EVERYTHING))
        assert side_seen(middle, "right") == side_seen(middle, "left") == "unknown"


def test_the_usual_knee_is_that_of_its_script(monkeypatch: pytest.MonkeyPatch):
    path = REPOSITORY / "scripts" / "write_usual_knee.py"
    spec = importlib.util.spec_from_file_location("write_usual_knee", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "N_ROUNDS", 0)
    right = usual_knees().right
    few = script.usual_knee(2)
    assert few.shape == right.tissues.shape
    assert right.spacing == script.SPACING
    assert np.corrcoef(few.ravel(), right.tissues.ravel())[0, 1] > 0.8
