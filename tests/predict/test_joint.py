"""Regions are kept at the joint: stray pieces of every tissue are cut and told, true ones never."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import Segmentation
from rmqnet.domain.tissues import SEGMENTED, TISSUES
from rmqnet.predict.joint import clusters, keep_joint
from rmqnet.predict.plausible import implausible

FIELD = (108.0, 150.0, 150.0)
COARSE, THICK, FINE = (3.0, 0.6, 0.6), (6.0, 0.3, 0.3), (1.0, 1.0, 1.0)
SKIN, VESSELS, SHIN = (0.0, -25.0, -68.0), (0.0, -55.0, 60.0), (0.0, 68.0, -40.0)
"""Places [mm] of strays from the middle of the field of view (left, down, back)."""


@cache
def knee(voxel_size=FINE):
    """Two condyles with trochlea, plateaus, menisci and patella as shells, 2 mm thick, of plausible sizes."""
    shape = tuple(round(side / edge) for side, edge in zip(FIELD, voxel_size, strict=True))
    grid = centered_grid(shape, voxel_size)
    z, y, x = (
        (np.arange(n) - (n - 1) / 2).reshape([-1 if axis == k else 1 for k in range(3)]) * edge
        for axis, (n, edge) in enumerate(zip(shape, voxel_size, strict=True))
    )
    labels = np.zeros(shape, np.uint8)

    def paint(name, where):
        labels[np.broadcast_to(where, shape) & (labels == 0)] = TISSUES[name].label

    radius = np.hypot(y + 5, x)
    paint(
        "femoral_cartilage",
        (np.abs(radius - 24) <= 1.25) & (np.abs(z) <= 36) & ((y > -5) | (x < 0)) & (y > -22),
    )
    for side, sign in (("lateral", -1), ("medial", 1)):
        half = (np.abs(sign * z - 20) <= 14) & (np.abs(x) <= 20)
        top = 22.3
        paint(f"{side}_tibial_cartilage", half & (y >= top) & (y <= top + 2.2))
        rim = np.maximum(np.abs(sign * z - 20) / 15, np.abs(x) / 21)
        paint(f"{side}_meniscus", (rim <= 1) & (rim >= 0.72) & (y >= top - 5) & (y < top))
    paint("patellar_cartilage", (np.abs(x + 32) <= 1.5) & (np.abs(y + 20) <= 16) & (np.abs(z) <= 19))
    return Segmentation(labels, SEGMENTED, grid)


def with_stray(regions, tissue, place, size=(6.0, 6.0, 6.0)):
    """The regions with a box of a tissue, and where it is."""
    grid = regions.grid
    inside = np.ones(grid.shape, bool)
    for axis, (n, edge, at, length) in enumerate(zip(grid.shape, grid.voxel_size, place, size, strict=True)):
        away = np.abs((np.arange(n) - (n - 1) / 2) * edge - at)
        # one layer at least, however thick the slices are
        chosen = away <= max(length / 2, away.min())
        inside &= chosen.reshape([-1 if k == axis else 1 for k in range(3)])
    inside &= regions.labels == 0
    labels = regions.labels.copy()
    labels[inside] = TISSUES[tissue].label
    return replace(regions, labels=labels), inside


def part(regions, box):
    affine = regions.grid.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [one.start or 0 for one in box]
    labels = np.ascontiguousarray(regions.labels[box])
    return Segmentation(labels, regions.tissues, Grid(labels.shape, affine))


@pytest.mark.parametrize("voxel_size", [COARSE, THICK, FINE, (0.5, 0.5, 0.5)])
def test_a_whole_knee_is_left_as_it_is_and_is_plausible(voxel_size):
    regions = knee(voxel_size)
    kept = keep_joint(regions)
    assert kept.segmentation is regions
    assert kept.cuts == ()
    assert kept.undecided == ""
    assert implausible(regions) == []


@pytest.mark.parametrize("tissue", SEGMENTED)
@pytest.mark.parametrize("place", [SKIN, VESSELS, SHIN])
@pytest.mark.parametrize("size", [(1.0, 1.0, 1.0), (7.0, 7.0, 7.0), (9.0, 20.0, 9.0)])
def test_a_stray_piece_of_any_tissue_is_cut_and_nothing_else(tissue, place, size):
    regions = knee()
    strayed, where = with_stray(regions, tissue, place, size)
    kept = keep_joint(strayed)
    np.testing.assert_array_equal(kept.segmentation.labels, regions.labels)
    (cut,) = kept.cuts
    assert cut.tissue == tissue
    assert cut.milliliters == pytest.approx(where.sum() / 1000)
    assert 20 < cut.nearest <= cut.farthest < 90


@pytest.mark.parametrize("voxel_size", [COARSE, THICK, (0.5, 0.5, 0.5)])
@pytest.mark.parametrize(("tissue", "place"), [("medial_meniscus", SKIN), ("femoral_cartilage", VESSELS)])
def test_distances_are_those_in_space_whatever_the_voxels(voxel_size, tissue, place):
    regions = knee(voxel_size)
    strayed, where = with_stray(regions, tissue, place)
    kept = keep_joint(strayed)
    np.testing.assert_array_equal(kept.segmentation.labels, regions.labels)
    assert kept.cuts[0].milliliters == pytest.approx(where.sum() * np.prod(voxel_size) / 1000)
    reference = keep_joint(with_stray(knee(), tissue, place)[0]).cuts[0]
    assert kept.cuts[0].nearest == pytest.approx(reference.nearest, abs=4)


def test_an_oblique_scan_is_cut_as_a_straight_one():
    strayed, _ = with_stray(knee(), "medial_meniscus", SKIN)
    angle = np.deg2rad(35)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = replace(strayed, grid=Grid(strayed.grid.shape, turn @ strayed.grid.affine))
    straight, tilted = keep_joint(strayed), keep_joint(oblique)
    np.testing.assert_array_equal(tilted.segmentation.labels, straight.segmentation.labels)
    assert tilted.cuts[0].farthest == pytest.approx(straight.cuts[0].farthest)


def test_the_sentence_says_tissue_volume_and_distance():
    strayed, _ = with_stray(knee(), "medial_meniscus", SKIN, (7.0, 7.0, 7.0))
    (cut,) = keep_joint(strayed).cuts
    assert cut.milliliters == pytest.approx(0.512)
    assert cut.sentence == (
        f"0.51 ml of medial meniscus were cut from the predicted regions: they lay {cut.nearest:.0f} to "
        f"{cut.farthest:.0f} mm from the joint."
    )


def test_strays_of_several_tissues_are_told_one_by_one():
    strayed, _ = with_stray(knee(), "medial_meniscus", SKIN)
    strayed, _ = with_stray(strayed, "femoral_cartilage", VESSELS, (6.0, 30.0, 4.0))
    kept = keep_joint(strayed)
    assert [cut.tissue for cut in kept.cuts] == ["femoral_cartilage", "medial_meniscus"]
    np.testing.assert_array_equal(kept.segmentation.labels, knee().labels)


def test_a_stripe_that_begins_near_the_joint_does_not_go_on_for_long():
    """Vessels pass the joint at about a centimeter."""
    strayed, where = with_stray(knee(), "femoral_cartilage", (12.0, -30.0, 34.0), (6.0, 70.0, 4.0))
    kept = keep_joint(strayed)
    left = np.argwhere(where & (kept.segmentation.labels > 0))
    assert (kept.segmentation.labels[~where] == strayed.labels[~where]).all()
    assert left[:, 1].min() > 50
    assert kept.cuts[0].tissue == "femoral_cartilage"


@pytest.mark.parametrize(
    "box",
    [
        np.s_[0:54, 0:150, 0:150],
        np.s_[54:108, 0:150, 0:150],
        np.s_[0:108, 0:150, 50:150],
        np.s_[0:108, 0:80, 0:150],
        np.s_[0:108, 70:150, 0:150],
        np.s_[15:95, 30:105, 35:110],
        np.s_[34:35, 0:150, 0:150],
        np.s_[54:55, 0:150, 0:150],
    ],
    ids=[
        "one half",
        "other half",
        "no patella",
        "no tibia",
        "no trochlea",
        "tight",
        "one slice",
        "notch slice",
    ],
)
def test_part_of_a_knee_is_left_as_it_is_and_is_plausible(box):
    regions = part(knee(), box)
    assert (regions.labels > 0).any()
    kept = keep_joint(regions)
    assert kept.cuts == ()
    assert implausible(regions) == []


@pytest.mark.parametrize("box", [np.s_[0:54, 0:150, 0:150], np.s_[34:35, 0:150, 0:150]])
def test_strays_are_cut_in_part_of_a_knee_too(box):
    strayed, _ = with_stray(knee(), "lateral_meniscus", (-19.5, -25.0, -68.0))
    kept = keep_joint(part(strayed, box))
    np.testing.assert_array_equal(kept.segmentation.labels, part(knee(), box).labels)


def test_patellar_cartilage_behind_the_knee_is_cut_though_it_is_the_largest():
    regions = knee()
    labels = np.where(regions.mask("patellar_cartilage"), 0, regions.labels).astype(np.uint8)
    strayed, where = with_stray(
        replace(regions, labels=labels), "patellar_cartilage", (0.0, -20.0, 50.0), (30.0, 30.0, 3.0)
    )
    kept = keep_joint(strayed)
    assert not kept.segmentation.mask("patellar_cartilage").any()
    assert kept.cuts[0].milliliters == pytest.approx(where.sum() / 1000)
    assert implausible(kept.segmentation) == [
        "No patellar cartilage was found, though the images show its place."
    ]


def test_halves_that_do_not_touch_are_one_joint():
    regions = knee()
    labels = regions.labels.copy()
    labels[50:58] = 0
    apart = replace(regions, labels=labels)
    numbers, sizes = clusters((labels > 0) & (labels != TISSUES["patellar_cartilage"].label))
    assert np.count_nonzero(sizes) > 1
    assert numbers.max() == len(sizes) - 1
    kept = keep_joint(apart)
    assert kept.cuts == ()
    assert kept.segmentation is apart


def test_regions_that_end_shortly_before_the_same_border_are_one_joint():
    """A network misses the outermost rows."""
    regions = part(knee(), np.s_[0:108, 0:80, 0:150])
    labels = regions.labels.copy()
    labels[:50, -2:] = 0
    labels[50:58] = 0
    short = replace(regions, labels=labels)
    _, sizes = clusters(short.mask("femoral_cartilage"))
    assert np.count_nonzero(sizes) == 4
    assert keep_joint(short).cuts == ()


def test_nothing_is_cut_where_there_is_nothing():
    empty = replace(knee(), labels=np.zeros_like(knee().labels))
    kept = keep_joint(empty)
    assert kept.segmentation is empty
    assert kept.undecided == ""
    assert implausible(empty) == []


def test_without_femoral_and_tibial_cartilage_nothing_is_cut_and_that_is_told():
    regions = knee()
    labels = np.where(regions.mask("patellar_cartilage"), regions.labels, 0).astype(np.uint8)
    kept = keep_joint(replace(regions, labels=labels))
    np.testing.assert_array_equal(kept.segmentation.labels, labels)
    assert "No femoral and no tibial cartilage was found" in kept.undecided


def test_where_most_would_be_cut_nothing_is_and_that_is_told():
    labels = np.zeros(knee().labels.shape, np.uint8)
    for index, place in enumerate(np.ndindex(2, 3, 3)):
        z, y, x = (20 + 50 * place[0], 10 + 60 * place[1], 10 + 60 * place[2])
        labels[z : z + 5, y : y + 5, x : x + 5 + index % 2] = TISSUES["femoral_cartilage"].label
    scattered = replace(knee(), labels=labels)
    kept = keep_joint(scattered)
    assert kept.segmentation is scattered
    assert "nothing was cut" in kept.undecided
