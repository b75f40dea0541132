"""The rounds of registration and its refusals, with motions handed in where elastix would find them."""

from collections.abc import Callable

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.motion import STILL, Motion, chained, field_grid, inverse, rigid_motion
from rmqnet.domain.protocols import adiabatic_t1rho, vfa
from rmqnet.domain.registration import Registered
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.register.config import RegisterConfig
from rmqnet.register.elastix import Elastix, ElastixError
from rmqnet.register.register import register
from rmqnet.register.resample import taken_back
from rmqnet.register.target import log_image

GRID = centered_grid((10, 40, 40), (3.0, 1.0, 1.0))
TIMES = (0.0, 0.012, 0.024, 0.036)
BOX = (0.1, 0.9, 0.1, 0.9, 0.1, 0.9)


class Told(Elastix):
    """Answers with what it is told, by the number of the call."""

    def __init__(self, answer: Callable[[int], Motion]) -> None:
        self._answer, self.calls = answer, 0

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing runs."""

    def register(self, *_: object, **__: object) -> Motion:
        self.calls += 1
        return self._answer(self.calls)


def images(seed: int = 11) -> np.ndarray:
    """Decaying blobs of two tissues (time, z, y, x) with little noise."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    parts = [gaussian_filter(rng.standard_normal(GRID.shape), (1.0, 2.5, 2.5)) for _ in range(2)]
    first, second = (np.clip(part / part.std(), 0, None) for part in parts)
    decays = [1 + first * np.exp(-time / 0.02) + second * np.exp(-time / 0.08) for time in TIMES]
    return np.stack([100 * image + rng.standard_normal(GRID.shape) for image in decays]).astype(np.float32)


def registered(data: np.ndarray, elastix: Elastix, quality: str = "fast") -> Registered:
    """What comes of these images (time, z, y, x)."""
    series = ImageSeries(data, tuple(adiabatic_t1rho(time) for time in TIMES), GRID)
    config = RegisterConfig(quality=quality, joint_box=BOX)  # pyright: ignore
    return register(Scan(Subject("a", "right"), {"adiabatic_t1rho": series}), config, elastix=elastix)


def test_a_drift_that_all_moved_images_share_is_taken_back_to_the_fixed_one():
    moved = rigid_motion(np.array([1.0, 0.0, 1.0]), np.array([1.0, 2.0, 0.0]), np.zeros(3))
    drift = rigid_motion(np.array([0.5, 0.3, 0.0]), np.array([0.0, 0.2, 0.1]), np.zeros(3))
    data = images()
    for index in (1, 2, 3):
        data[index] = np.nan_to_num(taken_back(data[index], GRID, inverse(moved, GRID), GRID), nan=1.0)
    found = chained(drift, moved, GRID)
    # two rounds of three images, then the fixed one
    result = registered(data, Told(lambda call: drift if call == 7 else found))
    for volume in result.volumes[1:]:
        assert volume.found is not None
        assert volume.found.matrix == pytest.approx(moved.matrix, abs=1e-9)


@pytest.mark.parametrize("size", [0.6, -0.6])
def test_soft_tissue_that_does_not_help_is_not_followed(size: float):
    coarse = field_grid(GRID, 10.0)
    field = np.zeros((3, *coarse.shape))
    field[1, :, 2:, 2:] = size
    bent = Motion(np.eye(4), field, coarse)
    told = Told(lambda call: STILL if call <= 6 else bent)
    result = registered(images(), told, "full")
    assert told.calls == 9  # two rigid rounds and a soft one; nothing moved, so nothing drifted
    assert [volume.outcome for volume in result.volumes] == ["fixed", "still", "still", "still"]
    assert all(volume.largest_shift == 0 for volume in result.volumes[1:])


def test_soft_tissue_that_moved_is_followed():
    coarse = field_grid(GRID, 10.0)
    field = np.zeros((3, *coarse.shape))
    field[1, :, 2:, 2:] = 1.5
    bent = Motion(np.eye(4), field, coarse)
    data = images()
    data[2] = np.nan_to_num(taken_back(data[2], GRID, inverse(bent, GRID), GRID), nan=1.0)
    result = registered(data, Told(lambda call: bent if call == 8 else STILL), "full")
    assert [volume.outcome for volume in result.volumes] == ["fixed", "still", "corrected", "still"]


def test_soft_tissue_that_is_followed_is_followed_more_closely_even_where_that_gains_little():
    coarse = field_grid(GRID, 10.0)

    def bent(size: float) -> Motion:
        field = np.zeros((3, *coarse.shape))
        field[1, :, 2:, 2:] = size
        return Motion(np.eye(4), field, coarse)

    data, answers = images(), {8: bent(1.3), 11: bent(1.5), 14: bent(-1.5)}
    data[2] = np.nan_to_num(taken_back(data[2], GRID, inverse(bent(1.5), GRID), GRID), nan=1.0)
    told = Told(lambda call: answers.get(call, STILL))
    found = registered(data, told, "full").volumes[2].found
    assert told.calls == 15  # the last round changes nothing
    assert found is answers[11]


def test_spin_lock_times_start_from_one_another_where_the_fixed_image_is_of_another_kind():
    data, targets = images(), []

    class Watched(Told):
        def register(self, target: np.ndarray, *rest: object, **named: object) -> Motion:
            targets.append(target)
            return super().register(target, *rest, **named)

    two = ImageSeries(data[2:], tuple(vfa(angle) for angle in (10.0, 30.0)), GRID)
    three = ImageSeries(data[:3], tuple(adiabatic_t1rho(time) for time in TIMES[:3]), GRID)
    scan = Scan(Subject("a", "right"), {"vfa": two, "adiabatic_t1rho": three})
    config = RegisterConfig(quality="fast", joint_box=BOX)
    register(scan, config, elastix=Watched(lambda _: STILL))
    fixed, (first, second) = log_image(two.magnitudes[0]), map(log_image, three.magnitudes[:2])
    wanted = [fixed, fixed, first, second]  # FA 30, then TSL 0, 12, 24 ms
    assert all(np.array_equal(one, other) for one, other in zip(targets[:4], wanted, strict=True))


def still(_: int) -> Motion:
    """An elastix that finds no motion."""
    return STILL


def test_an_empty_volume_is_named():
    data = images()
    data[1] = 0
    with pytest.raises(InputError, match=r"sub-a, TSL 12 ms: 100 % of the joint .* is empty"):
        registered(data, Told(still))


@pytest.mark.parametrize("level", [1.0, 0.02], ids=["bright", "low signal"])
def test_a_flipped_volume_is_named_even_with_low_signal(level: float):
    data = images()
    data[3] = level * data[3, ::-1] + np.abs(np.random.default_rng(1).standard_normal(GRID.shape))
    with pytest.raises(InputError, match="sub-a, TSL 36 ms: this volume is flipped left to right"):
        registered(data, Told(still))


@pytest.mark.parametrize("index", [0, 2], ids=["the fixed image", "another image"])
def test_the_volume_of_another_subject_is_named_and_no_other(index: int):
    data = images()
    data[index] = images(seed=12)[index]
    with pytest.raises(InputError, match=f"sub-a, TSL {12 * index} ms: the other images explain only"):
        registered(data, Told(still))


def test_where_elastix_hangs_the_volume_is_left_and_the_others_go_on():
    def hangs_once(call: int) -> Motion:
        if call == 1:
            raise ElastixError("elastix did not end within 900 s and was stopped")
        return STILL

    result = registered(images(), Told(hangs_once))
    assert [volume.outcome for volume in result.volumes] == ["fixed", "not trusted", "still", "still"]
    assert result.volumes[1].sentence == (
        "not trusted: elastix did not end within 900 s and was stopped; left as it was"
    )
