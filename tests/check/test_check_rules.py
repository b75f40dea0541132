"""Each rule of the check finds what it is for, in small knees, and says nothing about right ones."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmqnet.check.check import check_images
from rmqnet.check.findings import RULES, Finding
from rmqnet.check.fitted import check_fitted
from rmqnet.check.images import Image, common_tissue, images_of, noise_levels, repeated_air
from rmqnet.check.pairs import REPEATED_AIR
from rmqnet.check.peers import Summary, check_peers, summarize
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.subject import Subject
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.simulate import simulate_subject
from rmqnet.simulate.simulated import Simulated

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "checks.md"
CONFIG = SimulateConfig(n_subjects=7, seed=5, shape=(12, 64, 64), supersampling=(1, 1, 1))
TSL = slice(4, 11)


@pytest.fixture(scope="module")
def knees() -> list[Simulated]:
    return [simulate_subject(CONFIG, index) for index in range(CONFIG.n_subjects)]


@pytest.fixture(scope="module")
def images(knees: list[Simulated]) -> list[Image]:
    """Images of the first knee: four flip angles, seven spin-lock times, the AFI pair."""
    return images_of(knees[0].scan)


@pytest.fixture(scope="module")
def summaries(knees: list[Simulated]) -> list[Summary]:
    return [summarize(images_of(knee.scan), knee.subject) for knee in knees]


def rules(images: list[Image], subject: Subject | None = None) -> set[str]:
    return {finding.rule for finding in check_images(images, "1", subject)}


def changed(images: list[Image], index: int, change: Callable[[np.ndarray], np.ndarray]) -> list[Image]:
    own = images[index]
    data = change(own.data.copy()).astype(np.float32)
    return [*images[:index], replace(own, data=data), *images[index + 1 :]]


def exchanged(images: list[Image], first: int, second: int) -> list[Image]:
    a, b = images[first].data, images[second].data
    return changed(changed(images, first, lambda _: b), second, lambda _: a)


def moved(image: Image, change: Callable[[np.ndarray], np.ndarray]) -> Image:
    affine = change(image.grid.affine.copy())
    return replace(image, grid=Grid(image.grid.shape, affine))


def test_right_knees_give_no_findings(knees: list[Simulated], summaries: list[Summary]):
    for knee, own in zip(knees, summaries, strict=True):
        assert check_images(images_of(knee.scan), knee.subject.name, knee.subject) == []
        assert list(check_peers(own, summaries)) == []


def first_rows_nan(data: np.ndarray) -> np.ndarray:
    data[:, :8] = np.nan
    return data


def last_slices_zero(data: np.ndarray) -> np.ndarray:
    data[-3:] = 0
    return data


def middle_slice_twice(data: np.ndarray) -> np.ndarray:
    data[6] = data[5]
    return data


def rayleigh(data: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).rayleigh(1.0, data.shape)


def noisy(data: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(2)
    sigma = float(np.percentile(data, 60)) / 2
    return np.hypot(data + rng.normal(0, sigma, data.shape), rng.normal(0, sigma, data.shape))


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("not_finite", first_rows_nan),
        ("not_magnitude", lambda data: data - data.mean()),
        ("empty", np.zeros_like),
        ("empty", lambda data: np.full_like(data, 3)),
        ("only_noise", rayleigh),
        ("too_noisy", noisy),
        ("saturated", lambda data: np.minimum(data, np.percentile(data, 98))),
        ("coarse_numbers", lambda data: np.round(data / data.max() * 31)),
        ("lost_slices", last_slices_zero),
        ("lost_slices", middle_slice_twice),
        ("gain", lambda data: 2 * data),
        ("gain", lambda data: data / 2),
    ],
)
@pytest.mark.parametrize("index", [1, 7])
def test_a_spoiled_image_is_found_and_named(
    images: list[Image], index: int, rule: str, change: Callable[[np.ndarray], np.ndarray]
):
    findings = check_images(changed(images, index, change), "1", None)
    named = [finding for finding in findings if finding.rule == rule]
    assert any(images[index].name in finding.sentence for finding in named)
    assert all(finding.sentence.endswith(".") and ": " in finding.sentence for finding in findings)


def test_a_factor_that_is_no_gain_step_and_sixteen_bits_are_right(images: list[Image]):
    scaled = changed(images, 1, lambda data: 1.1 * data)
    stored = changed(scaled, 7, lambda data: np.round(data / data.max() * 4095))
    assert "gain" not in rules(scaled)
    assert "coarse_numbers" not in rules(stored)


def test_signal_that_aliases_into_the_air_is_not_taken_for_a_gain(images: list[Image]):
    air = ~common_tissue(images[TSL])
    pattern = np.abs(np.random.default_rng(1).normal(size=air.shape)) * air
    level = 1.5 * np.median(images[7].data[air])

    def spoiled(index: int, strength: float) -> Image:
        return replace(
            images[index], data=(images[index].data + strength * level * pattern).astype(np.float32)
        )

    # artifacts as strong as the signal of each image: the first spin-lock image has twice those of the last
    aliased = [spoiled(index, 2 - (index - 4) / 6) for index in range(4, 11)]
    assert "gain" not in rules([*images[:4], *aliased, *images[11:]])
    assert repeated_air(images[TSL]) < 0.1 < REPEATED_AIR < repeated_air(aliased)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 2), (2, 3), (0, 3)])
def test_exchanged_flip_angles_are_found(images: list[Image], first: int, second: int):
    assert "flip_angles" in rules(exchanged(images, first, second))


@pytest.mark.parametrize(("first", "second"), [(4, 5), (7, 8), (9, 10), (4, 10)])
def test_exchanged_spin_lock_times_are_found(images: list[Image], first: int, second: int):
    assert "spin_lock_times" in rules(exchanged(images, first, second))


def test_an_image_without_the_water_is_explained_by_no_t1(images: list[Image]):
    first, last = images[0].finite, images[3].finite
    # its short T1 makes fat brighter at a large flip angle, unlike muscle and cartilage
    fat = images[0].tissue & (last > 1.3 * first)
    assert 0.02 < fat.mean() < 0.5
    sigma = images[1].noise or 0.0
    # what is left of the rest is noise, as in a fat image of a Dixon scan
    only_fat = changed(images, 1, lambda data: np.where(fat, data, sigma * rayleigh(data)))
    assert "flip_angles" in rules(only_fat)


def test_all_flip_angles_in_reverse_order_are_found(knees: list[Simulated]):
    for knee in knees:
        own = images_of(knee.scan)
        turned = [replace(own[k], data=own[3 - k].data) for k in range(4)]
        assert "flip_angles" in rules([*turned, *own[4:]])


def test_exchanged_afi_images_and_a_wrong_afi_angle_are_found(images: list[Image]):
    assert "afi_order" in rules(exchanged(images, 11, 12))
    halved = [
        replace(image, acquisition=replace(image.acquisition, flip_angle=22.5)) for image in images[11:]
    ]
    assert "afi_angle" in rules([*images[:11], *halved])


def test_a_copy_is_found_whatever_its_scale(images: list[Image]):
    assert "copy" in rules(changed(images, 6, lambda _: 1.7 * images[5].data))


@pytest.mark.parametrize("part", [slice(2, 3), slice(7, 8), TSL, slice(11, 13)])
def test_images_of_another_person_are_found(images: list[Image], knees: list[Simulated], part: slice):
    mixed = list(images)
    mixed[part] = images_of(knees[1].scan)[part]
    assert "other_anatomy" in rules(mixed)


def test_an_echo_longer_than_the_repetition_is_found(images: list[Image]):
    own = replace(images[0], acquisition=replace(images[0].acquisition, echo_time=0.032))
    assert "echo_time" in rules([own, *images[1:]])


def test_images_apart_smaller_than_a_knee_or_on_another_grid_are_found(images: list[Image]):
    def far(affine: np.ndarray) -> np.ndarray:
        affine[2, 3] += 40
        return affine

    def small(affine: np.ndarray) -> np.ndarray:
        return affine * [[0.1], [0.1], [0.1], [1]]

    assert "coverage" in rules([*images[:11], *(moved(image, far) for image in images[11:])])
    assert "field_of_view" in rules([moved(image, small) for image in images])
    assert "grid" in rules([moved(images[0], far), *images[1:]])


def test_a_knee_on_the_other_side_of_the_magnet_is_found(images: list[Image]):
    def right(affine: np.ndarray) -> np.ndarray:
        affine[0, 3] += 60
        return affine

    there = [moved(image, right) for image in images]
    assert "position" in rules(there, Subject("1", "left"))
    assert "position" not in rules(there, Subject("1", "right"))


def test_the_other_side_is_found_beside_the_other_knees(knees: list[Simulated], summaries: list[Summary]):
    for knee, own in zip(knees, summaries, strict=True):
        other = replace(knee.subject, side="right" if knee.subject.side == "left" else "left")
        wrong = summarize(images_of(knee.scan), other)
        others = [one for one in summaries if one is not own]
        assert {rule for rule, _ in check_peers(wrong, others)} == {"side"}


def test_a_knee_upside_down_is_found(knees: list[Simulated], summaries: list[Summary]):
    turned = [replace(image, data=image.data[:, ::-1].copy()) for image in images_of(knees[0].scan)]
    said = {rule for rule, _ in check_peers(summarize(turned, knees[0].subject), summaries[1:])}
    assert said == {"orientation"}


def test_missing_and_foreign_images_are_found(knees: list[Simulated], summaries: list[Summary]):
    own, subject = images_of(knees[0].scan), knees[0].subject
    lacking = list(check_peers(summarize(own[1:], subject), summaries[1:]))
    assert [rule for rule, _ in lacking] == ["contrasts"]
    assert "FA 5" in lacking[0][1]
    mixed = [images_of(knees[1].scan)[0], *own[1:]]
    assert "shared_images" in {rule for rule, _ in check_peers(summarize(mixed, subject), summaries[1:])}


def test_settings_that_differ_by_rounding_are_not_missing(knees: list[Simulated], summaries: list[Summary]):
    own = [
        replace(
            image,
            acquisition=replace(image.acquisition, flip_angle=(image.acquisition.flip_angle or 0.0) * 0.998),
        )
        for image in images_of(knees[0].scan)
    ]
    said = {rule for rule, _ in check_peers(summarize(own, knees[0].subject), summaries[1:])}
    assert "contrasts" not in said


def test_few_subjects_are_not_compared(summaries: list[Summary]):
    wrong = replace(summaries[0], acquisitions=())
    assert list(check_peers(wrong, summaries[1:5])) == []


def test_maps_of_another_knee_do_not_give_the_signals_back(knees: list[Simulated], images: list[Image]):
    from rmqnet.fit.fit import fit

    own, other = fit(knees[0].scan), fit(knees[1].scan)
    assert list(check_fitted(images, own)) == []
    assert {rule for rule, _ in check_fitted(images, other)} == {"misfit"}


def test_the_noise_is_that_of_the_simulation(knees: list[Simulated]):
    levels = noise_levels(images_of(knees[0].scan)[:4])
    assert all(level is not None and 0.85 < level / knees[0].noise < 1.25 for level in levels)


def test_an_unknown_rule_is_refused():
    with pytest.raises(InputError, match="refused"):
        Finding("magic", "1", "No.")


def test_every_rule_stands_on_the_page_with_its_severity():
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE))
    assert rows == {name: rule.severity for name, rule in RULES.items()}


def test_settings_that_differ_by_rounding_are_the_same(summaries: list[Summary]):
    own = summaries[0]
    rounded = tuple(
        replace(item, echo_time=3.2001e-5, flip_angle=(item.flip_angle or 0) * 1.0001)
        for item in own.acquisitions
    )
    assert list(check_peers(replace(own, acquisitions=rounded), summaries[1:])) == []


def test_images_without_air_are_only_noted(images: list[Image]):
    masked = [replace(image, data=np.where(images[0].tissue, image.data, 0)) for image in images[:11]]
    assert rules(masked) == {"no_noise"}
