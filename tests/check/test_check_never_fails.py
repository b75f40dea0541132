"""Studies of every degenerate kind end in findings, never in a traceback."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmqnet.check.check import check_images
from rmqnet.check.fitted import check_fitted
from rmqnet.check.images import Image
from rmqnet.check.peers import Summary, check_peers, summarize
from rmqnet.cli.main import main
from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.subject import Subject

SUBJECT = Subject("1", "right")
METHODS = {
    "vfa": lambda k: Acquisition("vfa", flip_angle=5.0 + 5 * k, repetition_time_excitation=0.02),
    "afi": lambda k: Acquisition(
        "afi",
        flip_angle=45.0,
        repetition_time_excitation=0.02 if k == 0 else 0.1,
        repetition_time_other=0.1 if k == 0 else 0.02,
    ),
    "spin_lock": lambda k: Acquisition("spin_lock", spin_lock_time=0.01 * k),
    "adiabatic_t1rho": lambda k: Acquisition(
        "adiabatic_t1rho",
        flip_angle=10.0,
        spin_lock_time=0.012 * k,
        repetition_time_preparation=0.5,
        spokes_per_preparation=25,
        spoke_spacing=0.005,
    ),
}
CONTENTS = (
    "zeros",
    "nan",
    "infinite",
    "constant",
    "negative",
    "air",
    "block",
    "noisy block",
    "ramp",
    "huge",
    "tiny",
)
SHAPES = ((1, 1, 1), (1, 8, 8), (8, 1, 1), (2, 3, 4), (1, 40, 40), (6, 24, 24))


def content(kind: str, shape: tuple[int, int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    air = rng.rayleigh(1.0, shape)
    block = np.zeros(shape)
    block[tuple(slice(n // 4, max(3 * n // 4, 1)) for n in shape)] = 50 + seed % 7
    volumes = {
        "zeros": np.zeros(shape),
        "nan": np.full(shape, np.nan),
        "infinite": np.where(block > 0, np.inf, 1.0),
        "constant": np.full(shape, 7.0),
        "negative": rng.normal(0, 1, shape),
        "air": air,
        "block": block,
        "noisy block": np.hypot(block + rng.normal(0, 1, shape), rng.normal(0, 1, shape)),
        "ramp": np.arange(np.prod(shape), dtype=float).reshape(shape),
        "huge": block * 1e30 + air,
        "tiny": block * 1e-36,
    }
    return volumes[kind].astype(np.float32)


@st.composite
def images(draw: st.DrawFn) -> list[Image]:
    found: list[Image] = []
    for method in draw(st.lists(st.sampled_from(sorted(METHODS)), min_size=1, max_size=3, unique=True)):
        shape = draw(st.sampled_from(SHAPES))
        edge = draw(st.sampled_from([0.5, 3.0, 20.0]))
        for k in range(draw(st.integers(1, 2 if method == "afi" else 4))):
            own = shape if draw(st.integers(0, 9)) else draw(st.sampled_from(SHAPES))
            data = content(draw(st.sampled_from(CONTENTS)), own, draw(st.integers(0, 50)))
            grid = centered_grid(own, (edge, edge, edge))
            found.append(Image(f"{method}-{k}", METHODS[method](k), data, grid))
    return found


def maps_like(image: Image, seed: int) -> MapSet:
    rng = np.random.default_rng(seed)
    values = {
        name: rng.choice([middle, np.nan, 10 * middle], image.grid.shape).astype(np.float32)
        for name, middle in (("M0", 100.0), ("T1", 1.0), ("B1", 1.0), ("T1rho", 0.04))
    }
    reason = {
        name: np.where(np.isfinite(volume), Reason.VALID, Reason.AT_BOUND).astype(np.uint8)
        for name, volume in values.items()
    }
    sd = {name: (0.1 * np.abs(volume)).astype(np.float32) for name, volume in values.items()}
    return MapSet(values, reason, image.grid, {}, sd)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(images(), st.integers(0, 5))
def test_any_images_and_any_maps_end_in_findings(study: list[Image], seed: int):
    for finding in check_images(study, "1", SUBJECT):
        assert finding.sentence.endswith(".")
    for rule, sentence in check_fitted(study, maps_like(study[0], seed)):
        assert rule
        assert sentence.endswith(".")
    own = summarize(study, SUBJECT)
    others = [replace(own, subject=Subject(str(k), "left"), hashes={}) for k in range(2, 8)]
    assert all(sentence.endswith(".") for _, sentence in check_peers(own, [own, *others]))
    assert all(
        sentence.endswith(".") for _, sentence in check_peers(own, [own, Summary(Subject("9", "left"))])
    )


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_study_of_one_image_of_any_kind_ends_in_findings(
    tmp_path: Path, kind: str, shape: tuple[int, int, int], capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "sub-01" / "anat"
    folder.mkdir(parents=True)
    (tmp_path / "participants.tsv").write_text("participant_id\tside\nsub-01\tright\n")
    nib.Nifti1Image(content(kind, shape, 1), np.diag([1.0, 1.0, 1.0, 1.0])).to_filename(
        folder / "sub-01_flip-1_VFA.nii.gz"
    )
    (folder / "sub-01_flip-1_VFA.json").write_text(
        json.dumps({"FlipAngle": 5, "RepetitionTimeExcitation": 0.02})
    )
    assert main(["check", str(tmp_path)]) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err


def test_images_without_sidecars_and_subjects_of_other_shapes_end_in_findings(tmp_path: Path):
    for name, shape in (("01", (1, 8, 8)), ("02", (6, 24, 24))):
        folder = tmp_path / f"sub-{name}" / "anat"
        folder.mkdir(parents=True)
        image = nib.Nifti1Image(content("noisy block", shape, 1), np.eye(4))
        image.to_filename(folder / f"sub-{name}_flip-1_VFA.nii.gz")
    assert main(["check", str(tmp_path)]) == 2


def test_a_grid_beside_one_that_it_does_not_touch_is_compared_without_an_error():
    near = Image(
        "near",
        METHODS["vfa"](0),
        content("noisy block", (6, 24, 24), 1),
        centered_grid((6, 24, 24), (3.0, 3.0, 3.0)),
    )
    affine = near.grid.affine.copy()
    affine[:3, 3] += 1e4
    far = Image("far", METHODS["afi"](0), content("noisy block", (6, 24, 24), 2), Grid((6, 24, 24), affine))
    assert "coverage" in {finding.rule for finding in check_images([near, far], "1", None)}
