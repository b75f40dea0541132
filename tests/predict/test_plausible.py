"""Regions that no knee has are told; those of a knee are not accused (see also test_joint)."""

from dataclasses import replace

import numpy as np
import pytest
from test_joint import knee, part, with_stray

from rmqnet.domain.tissues import SEGMENTED, TISSUES
from rmqnet.predict.plausible import VOLUMES, implausible


def relabelled(regions, pairs):
    """Labels exchanged."""
    labels = regions.labels.copy()
    for old, new in pairs.items():
        labels[regions.mask(old)] = 0 if new is None else TISSUES[new].label
    return replace(regions, labels=labels)


def moved(regions, tissue, axis, millimeters):
    """One tissue moved along an axis of voxels of 1 mm."""
    mask = np.roll(regions.mask(tissue), millimeters, axis)
    labels = np.where(regions.mask(tissue), 0, regions.labels)
    return replace(regions, labels=np.where(mask, TISSUES[tissue].label, labels).astype(np.uint8))


@pytest.mark.parametrize(
    ("tissue", "axis", "millimeters", "expected"),
    [
        ("medial_tibial_cartilage", 1, -45, "The medial tibial cartilage lies above the femoral cartilage"),
        ("lateral_meniscus", 1, -20, "The lateral meniscus lies 24 mm above the lateral tibial cartilage"),
        ("medial_meniscus", 1, 15, "The medial meniscus lies 11 mm below the medial tibial cartilage"),
        ("medial_meniscus", 2, 40, "of the medial meniscus lies more than 15 mm from"),
        ("patellar_cartilage", 2, 60, "The patellar cartilage lies behind the femoral cartilage"),
        ("patellar_cartilage", 1, 60, "The patellar cartilage lies below the medial tibial cartilage"),
    ],
)
def test_a_tissue_at_the_place_of_another_is_told(tissue, axis, millimeters, expected):
    found = implausible(moved(knee(), tissue, axis, millimeters))
    assert any(expected in sentence for sentence in found), found


@pytest.mark.parametrize("tissue", SEGMENTED)
def test_a_volume_that_no_knee_has_is_told(tissue):
    regions = knee()
    label = TISSUES[tissue].label
    few = np.flatnonzero(regions.labels == label)
    low, high = VOLUMES[tissue]
    thin = regions.labels.copy()
    thin.flat[few[int(900 * low) :]] = 0
    words = tissue.replace("_", " ")
    assert any(f"The {words} has" in text for text in implausible(replace(regions, labels=thin)))
    thick, _ = with_stray(regions, tissue, (0.0, 0.0, 0.0), (50.0, 30.0, 1100 * high / 1500))
    assert any(f"The {words} has" in text for text in implausible(thick))


@pytest.mark.parametrize("tissue", SEGMENTED)
def test_a_tissue_that_was_not_found_is_told(tissue):
    found = implausible(relabelled(knee(), {tissue: None}))
    expected = f"No {tissue.replace('_', ' ')} was found, though the images show its place."
    assert expected in found


@pytest.mark.parametrize(
    ("tissue", "box"),
    [
        ("medial_tibial_cartilage", np.s_[0:54, 0:150, 0:150]),
        ("patellar_cartilage", np.s_[0:108, 0:150, 50:150]),
        ("lateral_meniscus", np.s_[0:108, 0:88, 0:150]),
    ],
)
def test_what_the_images_do_not_show_is_not_missed(tissue, box):
    assert implausible(part(relabelled(knee(), {tissue: None}), box)) == []


def test_many_pieces_are_told():
    regions = knee()
    labels = regions.labels.copy()
    for start in range(20, 90, 8):
        labels[start : start + 2][regions.mask("femoral_cartilage")[start : start + 2]] = 0
    found = implausible(replace(regions, labels=labels))
    assert any("The femoral cartilage lies in" in text and "pieces" in text for text in found)


def test_a_stripe_that_touches_the_joint_is_told_by_its_length():
    strayed, _ = with_stray(knee(), "femoral_cartilage", (12.0, -30.0, 27.0), (6.0, 85.0, 8.0))
    assert any("The femoral cartilage extends over" in text for text in implausible(strayed))
