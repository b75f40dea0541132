"""What becomes of a segmentation is one leg: its bones go on beyond the map, its skin has no knobs."""

from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, distance_transform_edt, label

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.subject import Side, Subject
from rmqnet.domain.tissues import TISSUES
from rmqnet.io.label_map import read_label_map
from rmqnet.simulate.anatomy_parameters import Anatomy, draw_anatomy
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.filling import COVER
from rmqnet.simulate.from_labels import label_voxels
from rmqnet.simulate.label_map import BONES, LABEL_NAMES, WHOLE, make_label_map
from rmqnet.simulate.placement import Placement, place
from rmqnet.simulate.rasterize import Voxels, rasterize
from rmqnet.simulate.sampling import Sampling

CONFIG = SimulateConfig(shape=(36, 80, 80), supersampling=(2, 2, 2))
SIZE = (1.6, 1.1, 1.1)
CARTILAGE = {1: "femoral_cartilage", 2: "tibial_cartilage", 3: "tibial_cartilage"}
BONE = CARTILAGE | {4: "patellar_cartilage", 15: "femur", 16: "tibia", 17: "patella", 19: "fibula"}
NO_PATELLA = {number: name for number, name in BONE.items() if number not in (4, 17)}
EVERYTHING = {tissue.label: name for name, tissue in TISSUES.items()}

Labels = NDArray[np.uint8]


def turned(axis: int, degrees: float) -> NDArray[np.float64]:
    """Rotation about an axis (0 medial, 1 inferior, 2 posterior)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = (k for k in range(3) if k != axis)
    matrix = np.eye(3)
    matrix[first, first], matrix[second, second] = c, c
    matrix[first, second], matrix[second, first] = -s, s
    return matrix


def person(side: Side) -> Anatomy:
    """A knee that is none of the cohort's."""
    subject = Subject("x", side, age=40, sex="male", kl_grade=0)
    return draw_anatomy(subject, np.random.default_rng(5))


def labels_of(anatomy: Anatomy, side: Side, size: tuple[float, float, float] = SIZE) -> tuple[Labels, Grid]:
    """Labels of a knee on a grid of 128 x 143 x 143 mm around it."""
    z, y, x = (round(n / edge) for n, edge in zip((128, 143, 143), size, strict=True))
    return rasterize(anatomy, side, (z, y, x), size, (1, 1, 1)).label, centered_grid((z, y, x), size)


def whole(labels: Labels, grid: Grid) -> Labels:
    """Labels in which cortex counts as the marrow next to it."""
    marrow = np.isin(labels, [TISSUES[name].label for name in BONES.values()])
    cortex = np.isin(labels, [TISSUES[name].label for name in ("cortical_bone", "calcified_cartilage")])
    index = distance_transform_edt(~marrow, grid.voxel_size, return_distances=False, return_indices=True)
    return np.where(cortex, labels[tuple(np.asarray(index))], labels)


def rows(labels: Labels, grid: Grid, above: float, below: float) -> tuple[Labels, Grid]:
    """The rows from so much above to so much below the joint cartilage [mm]."""
    middle = np.argwhere(np.isin(labels, (1, 2, 3)))[:, 1].mean()
    first = max(round(middle - above / grid.voxel_size[1]), 0)
    part = labels[:, first : round(middle + below / grid.voxel_size[1])]
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, 1] * first
    return part, Grid((part.shape[0], part.shape[1], part.shape[2]), affine)


def in_turned_box(labels: Labels, grid: Grid, degrees: float) -> tuple[Labels, Grid]:
    """A map that somebody turned about the medial axis, with nothing around it: its ends are oblique."""
    size, old = np.array(grid.voxel_size), np.array(labels.shape)
    new = old + 20
    matrix = np.diag(1 / size) @ turned(0, degrees) @ np.diag(size)
    offset = (old - 1) / 2 - matrix @ ((new - 1) / 2)
    result = affine_transform(labels, matrix, offset, tuple(new), order=0)  # pyright: ignore[reportArgumentType]
    return np.asarray(result, np.uint8), centered_grid((new[0], new[1], new[2]), grid.voxel_size)


def side_of(name: str) -> Side:
    """Side of the knee of a kind of map."""
    return "left" if name in ("no patella", "fine") else "right"


def knee_of(name: str) -> Anatomy:
    """The knee of a kind of map."""
    knee = person(side_of(name))
    if name == "patella far in front":
        z, y, x = knee.patella
        return knee._replace(patella=(z, y - 4.0, x - 14.0))
    if name in ("tilted forwards", "tilted cartilage"):
        return knee._replace(rotation=turned(0, 18.0) @ knee.rotation)
    if name == "tilted sideways":
        return knee._replace(rotation=turned(2, 15.0) @ knee.rotation)
    return knee._replace(flexion=0.3) if name == "bent" else knee


def one_map(name: str) -> tuple[Labels, dict[int, str], Grid]:
    """Labels, what they mean and their grid, by the name of a kind of map."""
    size = (0.8, 0.7, 0.7) if name == "fine" else SIZE
    labels, grid = labels_of(knee_of(name), side_of(name), size)
    if name == "every tissue":
        labels, grid = rows(labels, grid, 40, 32)
        return labels, EVERYTHING, grid
    labels = whole(labels, grid)
    names = {"cartilage": CARTILAGE, "tilted cartilage": CARTILAGE, "no patella": NO_PATELLA}.get(name, BONE)
    above, below = {"joint": (38, 30), "middle of the condyles": (22, 18)}.get(name, (52, 42))
    if names is not CARTILAGE:
        labels, grid = rows(labels, grid, above, below)
    if name == "turned box":
        labels, grid = in_turned_box(labels, grid, 20.0)
    return np.where(np.isin(labels, list(names)), labels, 0).astype(np.uint8), names, grid


MAPS = (
    "long",
    "joint",
    "middle of the condyles",
    "cartilage",
    "no patella",
    "tilted forwards",
    "tilted sideways",
    "turned box",
    "tilted cartilage",
    "patella far in front",
    "bent",
    "fine",
    "every tissue",
)


@cache
def made(name: str) -> tuple[Voxels, Placement, Labels]:
    """What becomes of a map, and the map at the points of the scan."""
    labels, names, grid = one_map(name)
    label_map, side = make_label_map(labels, names, grid), side_of(name)
    subject = Subject("001", side, age=40, kl_grade=0)
    placement = place(label_map, side, draw_anatomy(subject, np.random.default_rng(1)), CONFIG)
    codes = Sampling(placement, side, CONFIG.supersampling).labels(label_map.codes, label_map.grid.affine)
    return label_voxels(label_map, placement, side, CONFIG), placement, codes


def bone_of(voxels: Voxels, marrow: str) -> NDArray[np.bool_]:
    """A bone with its cortex: what is closer to its marrow than to that of other bones."""
    own = np.isin(voxels.label, [TISSUES[name].label for name in BONES.values()])
    shell = np.isin(voxels.label, [TISSUES[name].label for name in ("cortical_bone", "calcified_cartilage")])
    index = distance_transform_edt(~own, CONFIG.voxel_size, return_distances=False, return_indices=True)
    return (own | shell) & (voxels.label[tuple(np.asarray(index))] == TISSUES[marrow].label)


def pieces(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number (z, y, x) of the piece that a voxel belongs to, from 1."""
    result = np.zeros(mask.shape, np.int32)
    label(mask, output=result)
    return result


@pytest.mark.parametrize("name", MAPS)
def test_the_leg_is_one_piece_and_full(name: str):
    voxels, _, _ = made(name)
    assert pieces(voxels.label > 0).max() == 1
    air = pieces(voxels.label == 0)
    at_edge = {int(v) for axis in (1, 2) for end in (0, -1) for v in np.unique(air.take(end, axis))}
    at_edge |= {int(v) for end in (0, -1) for v in np.unique(air[end])}
    assert set(np.unique(air)) <= at_edge | {0}


@pytest.mark.parametrize("name", MAPS)
def test_skin_lies_on_the_leg_and_covers_what_is_deep(name: str):
    voxels, _, _ = made(name)
    air = voxels.label == 0
    depth = np.asarray(distance_transform_edt(~air, CONFIG.voxel_size)) - CONFIG.voxel_size[1] / 2
    bone = np.isin(
        voxels.label, [TISSUES[tissue].label for tissue in (*BONES.values(), "patellar_cartilage")]
    )
    # air is told to a voxel
    assert depth[bone].min() > COVER - CONFIG.voxel_size[1]
    at_air = ~air & (depth < CONFIG.voxel_size[1])
    assert (voxels.fractions_of((TISSUES["skin"].label,))[at_air] > 0).mean() > 0.95


@pytest.mark.parametrize("name", MAPS)
def test_the_outside_of_the_leg_has_no_knobs_and_no_steps(name: str):
    voxels, placement, _ = made(name)
    leg = voxels.label > 0
    middle = round((CONFIG.shape[0] - 1) / 2 + placement.anatomy.joint[0] / CONFIG.voxel_size[0])
    front = leg[middle - 4 : middle + 5].argmax(axis=2) * CONFIG.voxel_size[2]
    assert np.abs(np.diff(front, axis=1)).max() < 1.01 * CONFIG.voxel_size[2]
    # over 12 mm up and 12 mm down, a straight front bends by less than 6 mm, told in voxels of 1.9 mm
    step = round(12.0 / CONFIG.voxel_size[1])
    assert np.abs(front[:, : -2 * step] + front[:, 2 * step :] - 2 * front[:, step:-step]).max() < 6.0
    area = leg.sum(axis=(0, 2))
    assert np.abs(np.diff(area) / area[1:]).max() < 0.025


@pytest.mark.parametrize("name", MAPS)
def test_the_shafts_go_on_to_the_ends_of_the_field(name: str):
    voxels, placement, _ = made(name)
    usual = rasterize(placement.anatomy, side_of(name), CONFIG.shape, CONFIG.voxel_size, (1, 1, 1))
    row = round((CONFIG.shape[1] - 1) / 2 + placement.anatomy.joint[1] / CONFIG.voxel_size[1])
    for marrow, part, end in (
        ("femoral_marrow", slice(0, row - 12), 0),
        ("tibial_marrow", slice(row + 6, None), -1),
    ):
        area = bone_of(voxels, marrow)[:, part].sum(axis=(0, 2))
        assert area.min() > 0
        # a row is 1.9 mm high, and above the condyles of the usual knee the femur grows by 15 % in it
        assert np.abs(np.diff(area) / area[1:]).max() < 0.2
        assert area[end] == pytest.approx(bone_of(usual, marrow)[:, end].sum(), rel=0.25)


@pytest.mark.parametrize("name", MAPS)
def test_what_the_map_tells_stays(name: str):
    voxels, _, codes = made(name)
    names = one_map(name)[1]
    blocks = codes.reshape(
        *(n for pair in zip(CONFIG.shape, CONFIG.supersampling, strict=True) for n in pair)
    )
    for tissue in set(names.values()) - {"femur", "tibia", "patella", "fibula", "tibial_cartilage"}:
        told = (blocks == TISSUES[tissue].label).mean(axis=(1, 3, 5))
        found = voxels.fractions_of((TISSUES[tissue].label,))
        assert (found >= told - 1e-5).all(), tissue
    shell = tuple(TISSUES[name].label for name in ("cortical_bone", "calcified_cartilage"))
    for bone in set(names.values()) & set(BONES):
        told = (blocks == WHOLE[bone]).mean(axis=(1, 3, 5))
        assert (voxels.fractions_of((TISSUES[BONES[bone]].label, *shell)) >= told - 1e-5).all(), bone


@pytest.mark.parametrize("name", ["long", "joint", "tilted forwards", "tilted sideways", "bent"])
def test_shafts_beyond_the_map_lie_where_those_of_the_whole_knee_lie(name: str):
    voxels, placement, codes = made(name)
    side = side_of(name)
    labels, grid = labels_of(knee_of(name), side)
    truth = Sampling(placement, side, (1, 1, 1)).labels(whole(labels, grid), grid.affine)
    beyond = ~codes.any(axis=(0, 2)).reshape(-1, CONFIG.supersampling[1]).any(axis=1)
    compared = 0
    for marrow in ("femoral_marrow", "tibial_marrow"):
        found, wanted = bone_of(voxels, marrow), truth == TISSUES[marrow].label
        for y in np.flatnonzero(beyond & wanted.any(axis=(0, 2))):
            apart = np.argwhere(found[:, y]).mean(axis=0) - np.argwhere(wanted[:, y]).mean(axis=0)
            assert np.linalg.norm(apart * CONFIG.voxel_size[::2]) < 5.0, (marrow, y)
            compared += 1
    assert compared > 10


@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR", "SLA"])
def test_every_orientation_of_the_file_gives_the_same_knee(code: str, tmp_path: Path):
    labels, names, grid = one_map("joint")
    wanted, placement, _ = made("joint")
    image = nib.Nifti1Image(labels, grid.affine)
    transform = ornt_transform(io_orientation(grid.affine), axcodes2ornt(code))
    turned_affine = grid.affine @ inv_ornt_aff(transform, labels.shape)
    nib.save(nib.Nifti1Image(apply_orientation(labels, transform), turned_affine), tmp_path / "knee.nii.gz")
    assert nib.aff2axcodes(turned_affine) == tuple(code) != nib.aff2axcodes(image.affine)
    table = "".join(f"{number}\t{name}\n" for number, name in names.items())
    (tmp_path / "names.tsv").write_text("index\tname\n" + table)
    label_map = make_label_map(*read_label_map(tmp_path / "knee.nii.gz", tmp_path / "names.tsv", LABEL_NAMES))
    anatomy = draw_anatomy(Subject("001", "right", age=40, kl_grade=0), np.random.default_rng(1))
    found = place(label_map, "right", anatomy, CONFIG)
    assert found.grid.affine == pytest.approx(placement.grid.affine, abs=1e-3)
    assert (label_voxels(label_map, found, "right", CONFIG).label == wanted.label).mean() > 0.999


def test_tissue_far_off_the_knee_is_refused():
    labels, names, grid = one_map("joint")
    labels[8:12, 30:34, 2:6] = 17
    label_map = make_label_map(labels, names, grid)
    anatomy = draw_anatomy(Subject("001", "right", age=40, kl_grade=0), np.random.default_rng(1))
    placement = place(label_map, "right", anatomy, CONFIG)
    with pytest.raises(InputError, match="delete labels that lie off the knee"):
        label_voxels(label_map, placement, "right", CONFIG)
