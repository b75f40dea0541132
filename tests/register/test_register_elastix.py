"""Registration with elastix itself, on small volumes."""

import dataclasses
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.motion import STILL, Motion, displacement, inverse, rigid_motion
from rmqnet.domain.protocols import adiabatic_t1rho
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.register import elastix as elastix_module
from rmqnet.register.config import RegisterConfig
from rmqnet.register.elastix import Elastix, ElastixError
from rmqnet.register.parameters import against_prediction
from rmqnet.register.register import register
from rmqnet.register.resample import taken_back

needs_itk = pytest.mark.skipif(importlib.util.find_spec("itk") is None, reason="itk-elastix is not installed")
GRID = centered_grid((14, 48, 48), (2.0, 1.0, 1.0))
TIMES = (0.0, 0.012, 0.024, 0.036)


def oblique(grid: Grid) -> Grid:
    """The grid turned in space."""
    turn = rigid_motion(np.array([10.0, 20.0, -15.0]), np.array([30.0, 5.0, 0.0]), np.zeros(3))
    return dataclasses.replace(grid, affine=turn.matrix @ grid.affine)


def knee(grid: Grid, motions: Sequence[Motion]) -> Scan:
    """Spin-lock images of smooth blobs of two tissues with a little noise, each moved."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(11)
    parts = [gaussian_filter(rng.standard_normal(grid.shape), (1.5, 2.5, 2.5)) for _ in range(2)]
    first, second = (np.clip(part / part.std(), 0, None) for part in parts)
    images = []
    for time, motion in zip(TIMES, motions, strict=True):
        still = 100 * (1 + first * np.exp(-time / 0.02) + second * np.exp(-time / 0.08))
        moved = np.nan_to_num(taken_back(still, grid, inverse(motion, grid), grid))
        images.append(np.where(moved > 0, moved + rng.standard_normal(grid.shape), 1.0))
    data = np.stack(images).astype(np.float32)
    return Scan(
        Subject("a", "right"),
        {"adiabatic_t1rho": ImageSeries(data, tuple(adiabatic_t1rho(t) for t in TIMES), grid)},
    )


@pytest.fixture(scope="module")
def running() -> Iterator[Elastix]:
    """One child process for all tests of this file."""
    with Elastix() as elastix:
        yield elastix


class Shared(Elastix):
    """The process of the module, which a registration does not end."""

    def __init__(self, own: Elastix, failing: int = 0) -> None:
        self._own, self._failing, self._calls = own, failing, 0

    def __enter__(self) -> "Shared":
        return self

    def __exit__(self, *_: object) -> None:
        """The process goes on."""

    def register(self, *arguments, **options) -> Motion:
        self._calls += 1
        if self._calls == self._failing:
            raise ElastixError("elastix crashed (exit code -11)")
        return self._own.register(*arguments, **options)


@needs_itk
@pytest.mark.parametrize("grid", [GRID, oblique(GRID)], ids=["straight", "oblique"])
def test_a_known_motion_is_found_and_one_that_is_none_is_left(running: Elastix, grid: Grid):
    center = grid.affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2) + grid.affine[:3, 3]
    true = rigid_motion(np.array([2.0, 1.0, -2.0]), np.array([1.5, 1.0, -1.5]), center)
    scan = knee(grid, [STILL, STILL, true, STILL])
    config = RegisterConfig(quality="fast", joint_box=(0.1, 0.9, 0.1, 0.9, 0.1, 0.9))
    result = register(scan, config, elastix=Shared(running))
    assert [volume.outcome for volume in result.volumes] == ["fixed", "still", "corrected", "still"]
    found = result.volumes[2]
    error = np.linalg.norm(found.motion.positions(center) - true.positions(center))
    assert error < 0.15
    assert found.mean_shift == pytest.approx(displacement(true, grid)[result.joint].mean(), abs=0.15)
    assert found.misfit[1] < 0.5 * found.misfit[0]
    before, after = scan.series["adiabatic_t1rho"].data, result.scan.series["adiabatic_t1rho"].data
    for index in (0, 1, 3):
        assert (before[index] == after[index]).all()


@needs_itk
def test_after_a_crash_the_other_volumes_go_on(running: Elastix):
    shift = rigid_motion(np.zeros(3), np.array([0.0, 2.0, 0.0]), np.zeros(3))
    scan = knee(GRID, [STILL, shift, STILL, shift])
    config = RegisterConfig(quality="fast", joint_box=(0.1, 0.9, 0.1, 0.9, 0.1, 0.9))
    result = register(scan, config, elastix=Shared(running, failing=1))
    assert [volume.outcome for volume in result.volumes] == ["fixed", "not trusted", "still", "corrected"]
    assert "elastix crashed (exit code -11); left as it was" in result.volumes[1].sentence
    left = result.scan.series["adiabatic_t1rho"].data[1]
    assert (left == scan.series["adiabatic_t1rho"].data[1]).all()


@needs_itk
def test_elastix_that_gives_up_says_why_and_works_again(running: Elastix):
    image = knee(GRID, [STILL] * 4).series["adiabatic_t1rho"].data[0]
    mask = np.ones(GRID.shape, bool)
    broken = {**against_prediction("rigid", (1, 1, 1)), "Metric": ("NoSuchMetric",)}
    with pytest.raises(ElastixError, match="elastix gave up"):
        running.register(image, image, mask, GRID, [broken])
    found = running.register(image, image, mask, GRID, [against_prediction("rigid", (1, 1, 1))])
    assert displacement(found, GRID).max() < 0.1


@needs_itk
def test_the_same_images_give_the_same_motion(running: Elastix):
    shift = rigid_motion(np.zeros(3), np.array([0.0, 1.0, 0.0]), np.zeros(3))
    images = knee(GRID, [STILL, shift, STILL, STILL]).series["adiabatic_t1rho"].data
    steps = [against_prediction("rigid", (1, 1, 1))]
    first, second = (
        running.register(images[0], images[1], np.ones(GRID.shape, bool), GRID, steps) for _ in range(2)
    )
    assert first.matrix == pytest.approx(second.matrix, abs=1e-6)


@needs_itk
def test_a_process_that_ends_is_a_plain_error():
    # a module that ends without an answer, as a crash does
    with Elastix(worker="this") as dead:
        image = np.ones(GRID.shape, np.float32)
        with pytest.raises(ElastixError, match="elastix crashed"):
            dead.register(image, image, image > 0, GRID, [against_prediction("rigid", (1, 1, 1))])


def test_without_elastix_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(elastix_module, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'rmqnet\[register\]'"):
        register(knee(GRID, [STILL] * 4))


def test_one_image_is_not_registered():
    scan = knee(GRID, [STILL] * 4)
    series = scan.series["adiabatic_t1rho"]
    one = ImageSeries(series.data[:1], series.acquisitions[:1], series.grid)
    with pytest.raises(InputError, match="one volume only"):
        register(Scan(scan.subject, {"adiabatic_t1rho": one}))


def test_elastix_that_hangs_is_ended_and_the_next_volume_starts_anew():
    # tokenize reads standard input until it ends, and says nothing
    image = np.ones(GRID.shape, np.float32)
    with Elastix(worker="tokenize", time_limit=0.3) as hanging:
        for _ in range(2):
            with pytest.raises(ElastixError, match=r"did not end within 0\.3 s and was stopped"):
                hanging.register(image, image, image > 0, GRID, [against_prediction("rigid", (1, 1, 1))])


@needs_itk
def test_your_own_parameter_file_decides_what_can_move(running: Elastix, tmp_path: Path):
    # the images are turned; a transform that knows translations only can't follow that
    own = {**against_prediction("rigid", (1, 1, 1)), "Transform": ("TranslationTransform",)}
    path = tmp_path / "own.txt"
    lines = [f"({key} {' '.join(_quoted(value) for value in values)})" for key, values in own.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    turn = rigid_motion(np.array([4.0, 0.0, 0.0]), np.array([0.0, 1.5, 0.0]), np.zeros(3))
    scan = knee(GRID, [STILL, turn, STILL, STILL])
    config = RegisterConfig(joint_box=(0.1, 0.9, 0.1, 0.9, 0.1, 0.9), parameter_files=(path,))
    found = register(scan, config, elastix=Shared(running)).volumes[1].found
    assert found is not None
    assert found.matrix[:3, :3] == pytest.approx(np.eye(3), abs=1e-6)
    assert found.matrix[1, 3] == pytest.approx(1.5, abs=0.5)


def _quoted(value: str) -> str:
    return value if value.replace(".", "").isdigit() else f'"{value}"'


@needs_itk
def test_elastix_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    image = knee(GRID, [STILL] * 4).series["adiabatic_t1rho"].data[0]
    with Elastix() as own:
        own.register(image, image, image > 0, GRID, [against_prediction("rigid", (1, 1, 1))])
    assert not list(tmp_path.iterdir())
