"""K-space as other people write it: slices and stacks, averages, dummies, groups, units, centers, what files lack."""

import re
from dataclasses import replace
from pathlib import Path

import h5py
import ismrmrd
import numpy as np
import pytest
from ismrmrd_cases import FOV, PATHS, THICK, WANTED, N, Others, off, read
from ismrmrd_cases import transform as of_ellipses
from kspace_cases import N_SPOKES, SERIES, series

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.io.kspace_file import Format, open_groups, open_kspace, write_kspace
from rmqnet.io.kspace_stated import Stated
from rmqnet.io.kspace_units import read_units
from rmqnet.reconstruct.config import ReconstructConfig
from rmqnet.reconstruct.reconstruct import reconstruct

SPIRALS = PATHS["spirals"]
NOTHING = Stated()
GOOD = 0.03
"""Error of images of 48 x 48 voxels; those of the right object from elsewhere are 0.3 off."""


def image_of(path: Path, stated: Stated = NOTHING) -> np.ndarray:
    """Image (slice, y, x) of the first contrast."""
    kspace = open_groups(path, stated)[0].load(0)
    found = reconstruct([kspace], ReconstructConfig(algorithm="cg_sense"))
    return next(iter(found.values())).data[0]


def load_all(path: Path, stated: Stated) -> None:
    for file in open_groups(path, stated):
        for contrast in range(len(file.acquisitions)):
            file.load(contrast)


def told(path: Path, stated: Stated = NOTHING) -> str:
    """What is said about a file that is refused."""
    with pytest.raises(InputError) as caught:
        load_all(path, stated)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def plain(path: Path, **changes: object) -> Path:
    """One slice as plain HDF5; changes replace fields, None leaves one out."""
    fields: dict[str, object] = {
        "samples": read(SPIRALS)[None, None],
        "trajectory": SPIRALS,
        "trajectory_units": "1/mm",
        "read_times": 5e-5 + 2e-6 * np.arange(SPIRALS.shape[1]),
        "shape": [1, N, N],
        "affine": centered_grid((1, N, N), (THICK, FOV / N, FOV / N)).affine,
        "acquisitions": '[{"Method": "vfa", "FlipAngle": 10, "RepetitionTimeExcitation": 0.02}]',
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, value in fields.items():
            if value is not None:
                file[name] = value
    return path


# slices and stacks


@pytest.mark.parametrize("name", PATHS)
def test_one_slice_is_read_from_every_format(tmp_path: Path, name: str):
    path = PATHS[name]
    samples = read(path)
    mrd = Others(path).add(samples).write(tmp_path / "a.mrd")
    assert off(image_of(mrd)[0]) < GOOD
    h5 = plain(
        tmp_path / "a.h5",
        samples=samples[None, None],
        trajectory=path,
        read_times=1e-6 * np.arange(path.shape[1]),
    )
    np.testing.assert_allclose(image_of(h5), image_of(mrd), rtol=1e-3, atol=1e-3)
    for fmt in ("hdf5", "npz"):
        again = tmp_path / f"again.{fmt}"
        write_kspace(again, [open_kspace(h5).load(0)], 1, fmt)
        np.testing.assert_allclose(image_of(again), image_of(h5), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 1, 0)])
def test_slices_lie_where_their_positions_say(tmp_path: Path, order: tuple[int, ...]):
    """idx.slice counts in the order of time, position tells the place."""
    factors = np.array([1.0, 0.3, 2.0])
    others = Others(SPIRALS)
    for slice_number, place in enumerate(order):
        others.add(factors[place] * read(SPIRALS), slice=slice_number, place=10.0 + 5.0 * place)
    path = others.write(tmp_path / "slices.mrd")
    kspace = open_kspace(path).load(0)
    assert kspace.grid.voxel_size == pytest.approx((5.0, FOV / N, FOV / N))
    image = image_of(path) * 5.0 / THICK
    for number, found in enumerate(image):
        # position counts to the left (LPS), the affine to the right
        left = -(kspace.grid.affine @ [number, 0, 0, 1])[0]
        factor = factors[round((left - 10.0) / 5.0)]
        assert off(found / factor) < GOOD


def test_partitions_of_a_stack_are_counted_by_their_step(tmp_path: Path):
    n = 4
    factors = np.array([0.5, 1.0, 2.0, 0.0])
    place = (np.arange(n) - (n - 1) / 2) * THICK
    others = Others(SPIRALS, matrix=(N, N, n), field_of_view=(FOV, FOV, n * THICK))
    others.limits["kspace_encoding_step_2"] = (0, n - 1, n // 2)
    for step in range(n):
        k_z = (step - n // 2) / (n * THICK)
        others.add(
            (factors * np.exp(-2j * np.pi * k_z * place)).sum() * read(SPIRALS), kspace_encode_step_2=step
        )
    image = image_of(others.write(tmp_path / "stack.mrd"))
    for found, factor in zip(image, factors, strict=True):
        assert off(found, factor * WANTED) < GOOD if factor else np.abs(found).max() < 0.1


def test_slices_of_plain_arrays_are_told_by_their_field(tmp_path: Path):
    order = np.array([1, 0])
    path = plain(
        tmp_path / "a.h5",
        samples=np.concatenate([(1 + k) * read(SPIRALS) for k in order])[None, None],
        trajectory=np.concatenate([SPIRALS] * 2),
        slices=np.repeat(order, len(SPIRALS)),
        shape=[2, N, N],
        affine=centered_grid((2, N, N), (THICK, FOV / N, FOV / N)).affine,
    )
    for number, found in enumerate(image_of(path)):
        assert off(found / (1 + number)) < GOOD
    for changes, words in (
        ({"slices": np.repeat([1, 2], len(SPIRALS))}, ("slices must be whole numbers from 0 to 1, got 2",)),
        (
            {"slices": np.zeros(3)},
            ("slices has shape (3,)", "samples of shape (1, 1, 20, 400)", "axis 2 (spoke)"),
        ),
        ({"slices": None}, ("(spoke, read, 3)", "with the field slices", "got shape (20, 400, 2)")),
    ):
        with h5py.File(path, "a") as file:
            for name, value in changes.items():
                del file[name]
                if value is not None:
                    file[name] = value
        text = told(path)
        assert all(word in text for word in words), text


def test_slices_that_do_not_go_with_the_matrix_are_told(tmp_path: Path):
    wide = Others(SPIRALS, matrix=(N, N, 3), field_of_view=(FOV, FOV, 12.0)).add(read(SPIRALS))
    assert "matrix has 3 voxels along the slices" in told(wide.write(tmp_path / "a.mrd"))
    uneven = Others(SPIRALS)
    for number, place in enumerate((0.0, 5.0, 20.0)):
        uneven.add(read(SPIRALS), slice=number, place=place)
    gap = Others(SPIRALS)
    for number in (0, 2):
        gap.add(read(SPIRALS), slice=number, place=5.0 * number)
    assert "has 2 slices (idx.slice), 0 to 2 are due" in told(gap.write(tmp_path / "c.mrd"))
    assert "position of slices must go on in even steps" in told(uneven.write(tmp_path / "b.mrd"))


# units


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1/mm", "1/mm"), ("cycles/mm", "1/mm"), ("cycles per m", "1/m"), ("m^-1", "1/m"), ("1/M", "1/m"),
        ("radians/m", "rad/m"), ("rad per meter", "rad/m"), ("rad m^-1", "rad/m"), ("1/FOV", "1/fov"),
        ("cycles per field of view", "1/fov"), ("cycles/voxel", "1/voxel"), ("rad/pixel", "rad/voxel"),
    ],
)  # fmt: skip
def test_a_unit_may_be_written_in_several_ways(text: str, unit: str):
    assert read_units(text) == unit


@pytest.mark.parametrize("text", ["", "mm", "1", "1/furlong", "Hz", "1/s", "mT/m"])
def test_other_units_are_refused_with_the_list(text: str):
    with pytest.raises(InputError, match=r"must be one of 1/mm, .*1/fov, got"):
        read_units(text)


FACTORS = {
    "1/mm": 1.0, "1/m": 1000.0, "rad/m": 2000 * np.pi, "1/fov": FOV, "1/voxel": FOV / N,
    "rad/voxel": 2 * np.pi * FOV / N,
}  # fmt: skip


@pytest.mark.parametrize("unit", FACTORS)
@pytest.mark.parametrize("where", ["file", "attribute", "user"])
def test_every_unit_gives_the_same_image(tmp_path: Path, unit: str, where: str):
    path = plain(
        tmp_path / "a.h5",
        trajectory=FACTORS[unit] * SPIRALS,
        trajectory_units=unit if where == "file" else None,
    )
    if where == "attribute":
        with h5py.File(path, "a") as file:
            file["trajectory"].attrs["units"] = unit
    stated = Stated(trajectory_units=read_units(unit)) if where == "user" else Stated()
    np.testing.assert_allclose(open_groups(path, stated)[0].load(0).trajectory[..., 1:], SPIRALS, atol=1e-6)
    strings = {"Method": "vfa"} | ({} if where == "user" else {"TrajectoryUnits": unit})
    mrd = Others(SPIRALS, unit=FACTORS[unit], strings=strings).add(read(SPIRALS)).write(tmp_path / "a.mrd")
    assert off(image_of(mrd, stated)[0]) < GOOD


@pytest.mark.parametrize("fmt", ["hdf5", "ismrmrd"])
@pytest.mark.parametrize(
    ("true", "wrong"), [("1/fov", "1/mm"), ("1/m", "rad/m"), ("1/mm", "1/m"), ("rad/voxel", "1/voxel")]
)
def test_a_wrong_unit_is_refused_and_the_fitting_one_named(tmp_path: Path, fmt: str, true: str, wrong: str):
    if fmt == "hdf5":
        path = plain(tmp_path / "a.h5", trajectory=FACTORS[true] * SPIRALS, trajectory_units=wrong)
    else:
        own = Others(SPIRALS, unit=FACTORS[true], strings={"TrajectoryUnits": wrong, "Method": "vfa"})
        path = own.add(read(SPIRALS)).write(tmp_path / "a.mrd")
    text = told(path)
    assert re.search(rf"its numbers fit .*{true}\b", text), text
    assert "--trajectory-units" in text
    assert ("trajectory of shape" if fmt == "hdf5" else "the trajectory of dataset/data") in text


def test_no_unit_is_guessed_and_the_users_word_wins(tmp_path: Path):
    path = plain(tmp_path / "a.h5", trajectory=FOV * SPIRALS, trajectory_units=None)
    assert "does not state the unit" in told(path)
    path = plain(tmp_path / "b.h5", trajectory=FOV * SPIRALS, trajectory_units="1/mm")
    (file,) = open_groups(path, Stated(trajectory_units="1/fov"))
    assert file.notes == ("The trajectory is read in 1/fov, as you say; the file states 1/mm.",)
    np.testing.assert_allclose(file.load(0).trajectory[..., 1:], SPIRALS, atol=1e-6)
    with h5py.File(path, "a") as handle:
        handle["trajectory"].attrs["units"] = "1/fov"
    assert "take one of them out" in told(path)


def test_a_doubtful_unit_that_the_user_says_is_taken_and_told(tmp_path: Path):
    path = plain(tmp_path / "a.h5", trajectory_units="rad/mm")
    assert "covers only 16% of the k-space" in told(path)
    (file,) = open_groups(path, Stated(trajectory_units="rad/mm"))
    assert file.notes[0].startswith("Is rad/mm right?")
    assert "fit 1/mm" in file.notes[0]


def test_a_coarse_scan_on_a_fine_grid_is_no_other_unit(tmp_path: Path):
    path = plain(tmp_path / "a.h5", trajectory=0.25 * SPIRALS)
    assert open_kspace(path).notes == ()


# the center


@pytest.mark.parametrize("fmt", ["hdf5", "ismrmrd"])
@pytest.mark.parametrize("n", [N, N - 1])
@pytest.mark.parametrize("where", ["file", "user"])
def test_a_center_on_a_voxel_is_half_a_voxel_off_one_between_two(
    tmp_path: Path, fmt: str, n: int, where: str
):
    """The object is the same voxel for voxel; samples refer to voxel n // 2."""
    size = FOV / N
    half = size * (n // 2 - (n - 1) / 2)
    grid = centered_grid((1, n, n), (THICK, size, size))
    centered = THICK * of_ellipses(SPIRALS, _ellipses_of(n), n * size)
    moved = centered * np.exp(2j * np.pi * SPIRALS.sum(axis=-1) * half)
    stated = Stated(center="voxel") if where == "user" else Stated()
    images = []
    for name, samples, own, word in (
        ("between", centered, Stated(), "between"),
        ("voxel", moved, stated, "voxel" if where == "file" else None),
    ):
        path = tmp_path / f"{name}.{fmt}"
        if fmt == "hdf5":
            plain(path, samples=samples[None, None], shape=[1, n, n], affine=grid.affine, center=word)
        else:
            strings = {"TrajectoryUnits": "1/mm", "Method": "vfa"} | ({"Center": word} if word else {})
            others = Others(
                SPIRALS, matrix=(n, n, 1), field_of_view=(n * size, n * size, THICK), strings=strings
            )
            others.add(samples).write(path)
        kspace = open_groups(path, own)[0].load(0)
        images.append(image_of(path, own)[0])
        if fmt == "ismrmrd":
            # the position (left 5 mm) is that of voxel n // 2
            index = n // 2 if name == "voxel" else (n - 1) / 2
            place = (kspace.grid.affine @ [0, index, index, 1])[:3]
            np.testing.assert_allclose(place, [-5.0, 0.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(images[1], images[0], atol=2e-3)
    if n == N:
        # without a word, the image is half a voxel off
        wrong = image_of(plain(tmp_path / "wrong.h5", samples=moved[None, None]))[0]
        assert off(wrong) > 2 * off(images[0])
        assert off(images[1]) < GOOD


def _ellipses_of(n: int):
    from ismrmrd_cases import LEG

    return (
        LEG if n == N else tuple(replace(item, axes=(0.8 * item.axes[0], 0.8 * item.axes[1])) for item in LEG)
    )


def test_another_center_is_refused(tmp_path: Path):
    assert "center must be one of between, voxel, got 'corner'" in told(
        plain(tmp_path / "a.h5", center="corner")
    )


# averages, dummies, groups


def test_averages_are_averaged_and_their_noise_is_less(tmp_path: Path):
    rng = np.random.default_rng(4)
    clean = read(SPIRALS)
    sd = 0.5 * float(np.abs(clean).mean())
    noise = [sd * (rng.standard_normal((2, *clean.shape)) @ np.eye(clean.shape[1])) for _ in range(5)]
    others = Others(SPIRALS)
    for row in noise[4][0] + 1j * noise[4][1]:
        others.add(row[None], flag=ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    for average in range(4):
        others.add(clean + noise[average][0] + 1j * noise[average][1], average=average)
    path = others.write(tmp_path / "a.mrd")
    file = open_kspace(path)
    assert any("averaged: 4" in note for note in file.notes)
    kspace = file.load(0)
    mean = clean + sum(part[0] + 1j * part[1] for part in noise[:4]) / 4
    np.testing.assert_allclose(kspace.samples[0, 0], mean, rtol=1e-4, atol=1e-3 * sd)
    assert kspace.noise_covariance is not None
    variance = float(kspace.noise_covariance[0, 0].real)
    assert variance == pytest.approx(float(np.var(kspace.samples[0, 0] - clean)), rel=0.06)
    assert variance == pytest.approx(2 * sd**2 / 4, rel=0.06)


def test_averages_that_lack_spokes_or_go_elsewhere_are_told(tmp_path: Path):
    lacking = Others(SPIRALS).add(read(SPIRALS), average=0).add(read(SPIRALS)[:5], average=1)
    assert "have 1 to 2 averages" in told(lacking.write(tmp_path / "a.mrd"))
    again = Others(SPIRALS).add(read(SPIRALS), repetition=0).add(read(SPIRALS), repetition=1)
    text = told(again.write(tmp_path / "b.mrd"))
    assert "idx.repetition" in text
    assert "idx.average" in text


@pytest.mark.parametrize("where", ["flag", "header", "user"])
def test_dummies_are_left_out_and_counted(tmp_path: Path, where: str):
    others = Others(SPIRALS)
    flag = ismrmrd.ACQ_IS_DUMMYSCAN_DATA if where == "flag" else 0
    others.add(100 * read(SPIRALS)[:3], flag=flag)
    others.add(read(SPIRALS))
    if where == "header":
        others.strings["Dummies"] = "3"
    path = others.write(tmp_path / "a.mrd")
    stated = Stated(dummies=3) if where == "user" else Stated()
    (file,) = open_groups(path, stated)
    assert re.search(r"\b3 (dummy|read-outs at the start .* dummies)", " ".join(file.notes)), file.notes
    assert off(image_of(path, stated)[0]) < GOOD
    if where == "user":
        assert "occur twice" in told(path)
        h5 = plain(
            tmp_path / "a.h5",
            samples=np.concatenate([100 * read(SPIRALS)[:3], read(SPIRALS)])[None, None],
            trajectory=np.concatenate([SPIRALS[:3], SPIRALS]),
        )
        assert off(image_of(h5, stated)[0]) < GOOD
        assert off(image_of(h5)[0]) > 10 * GOOD
        assert "3 of" in open_groups(h5, stated)[0].notes[0]
        assert "dummies must be 0 to" in told(h5, Stated(dummies=1000))


@pytest.mark.parametrize("fmt", ["hdf5", "ismrmrd"])
def test_groups_are_all_read_or_the_named_one(tmp_path: Path, fmt: str):
    path = tmp_path / "groups.h5"
    for name, angle in (("early", 10.0), ("late", 20.0)):
        if fmt == "ismrmrd":
            Others(SPIRALS, flip_angle=[angle]).add(angle * read(SPIRALS)).write(path, name)
            continue
        own = tmp_path / f"{name}.h5"
        rows = f'[{{"Method": "vfa", "FlipAngle": {angle}, "RepetitionTimeExcitation": 0.02}}]'
        plain(own, samples=angle * read(SPIRALS)[None, None], acquisitions=rows)
        with h5py.File(own) as source, h5py.File(path, "a") as target:
            for field in source:
                source.copy(field, target.require_group(name))
    files = open_groups(path, Stated())
    assert [file.acquisitions[0].flip_angle for file in files] == [10.0, 20.0]
    assert off(image_of(path, Stated(group="late"))[0] / 20) < GOOD
    text = told(path, Stated(group="middle"))
    assert "no group 'middle'" in text
    assert "early, late" in text
    with pytest.raises(InputError, match="has 2 groups"):
        open_kspace(path)


def test_what_is_wrong_in_a_group_names_the_group(tmp_path: Path):
    whole, path = plain(tmp_path / "whole.h5"), tmp_path / "groups.h5"
    for name in ("a", "b"):
        with h5py.File(whole) as source, h5py.File(path, "a") as target:
            for field in source:
                source.copy(field, target.require_group(name))
    with h5py.File(path, "a") as file:
        del file["a/trajectory"], file["b/read_times"]
        file["a/trajectory"] = SPIRALS[:-2]
        file["b/read_times"] = np.arange(7.0)
    text = told(path)
    assert "2 faults" in text
    assert "a/trajectory has 8 along axis 0 (spoke) of its shape (8, 400, 2)" in text
    assert "b/read_times has shape (7,)" in text


# what files lack, and what is wrong in them


def test_what_a_header_lacks_is_said_by_the_user(tmp_path: Path):
    others = Others(SPIRALS, flip_angle=[], times={"TE": [], "TR": []}, strings={}).add(read(SPIRALS))
    path = others.write(tmp_path / "a.mrd")
    text = told(path)
    for word in ("(1)", "--method", "--trajectory-units", "--echo-time"):
        assert word in text, text
    text = told(path, Stated(method="vfa", trajectory_units="1/mm"))
    assert "FlipAngle and RepetitionTimeExcitation are missing" in text
    assert "--flip-angle --repetition-time" in text
    stated = Stated(
        method="vfa",
        trajectory_units="1/mm",
        flip_angle=(15.0,),
        repetition_time=(0.02,),
        echo_time=(3.2e-5,),
    )
    (file,) = open_groups(path, stated)
    assert file.acquisitions[0].label == "FA 15\N{DEGREE SIGN}"
    assert file.acquisitions[0].repetition_time_excitation == 0.02
    assert file.load(0).read_times[0] == pytest.approx(3.2e-5)
    assert file.notes == ()


@pytest.mark.parametrize("fmt", ["hdf5", "ismrmrd"])
def test_the_users_settings_win_and_that_is_said(tmp_path: Path, fmt: Format):
    path = tmp_path / "a.file"
    write_kspace(path, [series(SERIES["vfa"])], 2, fmt)
    (file,) = open_groups(path, Stated(flip_angle=(6.0, 30.0), echo_time=(3.2e-5,)))
    assert [item.flip_angle for item in file.acquisitions] == [6.0, 30.0]
    assert file.notes == (
        "What you say wins over the file: contrast 1: FlipAngle is 6 as you say, not 5 as in the file.",
    )
    assert "--flip-angle has 3 values and there are 2 contrasts" in told(
        path, Stated(flip_angle=(1.0, 2.0, 3.0))
    )
    assert "0.012 if it is 12 ms" in told(path, Stated(method="spin_lock", spin_lock_time=(12.0, 20.0)))


def test_two_afi_contrasts_tell_each_other_their_repetition_times(tmp_path: Path):
    path = tmp_path / "a.mrd"
    write_kspace(path, [series(SERIES["afi"])], 2, "ismrmrd")
    (file,) = open_groups(path, Stated(repetition_time=(0.03, 0.15)))
    assert [item.repetition_time_other for item in file.acquisitions] == [0.15, 0.03]


def test_matrix_and_field_of_view_are_said_where_a_file_lacks_them(tmp_path: Path):
    path = plain(tmp_path / "a.h5", shape=None, affine=None, acquisitions=None)
    assert "has no field shape, affine, acquisitions" in told(path)
    stated = Stated(
        matrix=(1, N, N),
        field_of_view=(THICK, FOV, FOV),
        method="vfa",
        flip_angle=(10.0,),
        repetition_time=(0.02,),
    )
    assert off(image_of(path, stated)[0]) < GOOD
    assert "does not say where its voxels lie" in open_groups(path, stated)[0].notes[0]
    finer = Stated(matrix=(1, 2 * N, 2 * N))
    (file,) = open_groups(plain(tmp_path / "b.h5"), finer)
    assert file.load(0).grid.voxel_size == pytest.approx((THICK, FOV / N / 2, FOV / N / 2))
    assert "96 x 96 voxels in 4 x 120 x 120 mm, not 1 x 48 x 48" in file.notes[0]
    (mrd,) = open_groups(
        Others(SPIRALS).add(read(SPIRALS)).write(tmp_path / "a.mrd"), Stated(matrix=(64, 64, 1))
    )
    assert mrd.load(0).grid.shape == (1, 64, 64)


def test_relative_units_go_by_the_voxels_of_the_file(tmp_path: Path):
    path = plain(tmp_path / "a.h5", trajectory=FOV / N * SPIRALS, trajectory_units="1/voxel")
    (file,) = open_groups(path, Stated(matrix=(1, 2 * N, 2 * N)))
    np.testing.assert_allclose(file.load(0).trajectory[..., 1:], SPIRALS, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trajectory": SPIRALS[:-2]}, ("trajectory has 8 along axis 0 (spoke)", "samples have 10 along axis 2")),
        ({"trajectory": SPIRALS[:, :-2]}, ("trajectory has 398 along axis 1 (read)", "samples have 400 along axis 3")),
        ({"trajectory": np.swapaxes(SPIRALS, 0, 1)}, ("has read before spoke", "exchange its axes 0 and 1")),
        ({"samples": read(SPIRALS).T[:, None, None]}, ("spokes lie along its axis 3 and reads along its axis 0",)),
        ({"read_times": np.arange(9.0)}, ("read_times has shape (9,)", "400 along axis 3 (read)")),
        ({"density": np.ones((3, 3))}, ("density has shape (3, 3)", "10 x 400 (spoke, read)")),
        ({"noise_covariance": np.eye(2)}, ("noise_covariance has shape (2, 2)", "1 along axis 1 (coil)")),
        ({"trajectory": 1.5 * SPIRALS}, ("trajectory of shape (10, 400, 2)", "[..., 0] (axis 1 of the image)")),
        ({"affine": np.eye(3)}, ("affine must be 4 x 4, got shape (3, 3)",)),
        ({"shape": [N, N]}, ("shape must be three numbers", "got shape (2,)")),
        ({"dummies": 1.5}, ("dummies must be one whole number",)),
    ],
)  # fmt: skip
def test_errors_name_the_fields_and_axes_of_the_file(tmp_path: Path, changes: dict, words: tuple[str, ...]):
    text = told(plain(tmp_path / "a.h5", **changes))
    assert all(word in text for word in words), text


def test_all_faults_of_a_plain_file_are_told_at_once(tmp_path: Path):
    path = plain(
        tmp_path / "a.h5",
        trajectory=SPIRALS[:-1],
        trajectory_units="1/furlong",
        read_times=np.arange(5.0),
        affine=np.eye(3),
        acquisitions='[{"Method": "vfa", "FlipAngle": 10}]',
    )
    text = told(path)
    assert "5 faults: (1)" in text
    for word in (
        "axis 0 (spoke)",
        "1/furlong",
        "read_times has shape (5,)",
        "4 x 4",
        "RepetitionTimeExcitation",
    ):
        assert word in text, text


def test_all_faults_of_an_ismrmrd_file_are_told_at_once(tmp_path: Path):
    others = Others(SPIRALS, matrix=(0, N, 1), flip_angle=[], strings={"TrajectoryUnits": "furlong"})
    others.add(read(SPIRALS)[:-1])
    others.limits["kspace_encoding_step_1"] = (0, len(SPIRALS) - 1, 0)
    text = told(others.write(tmp_path / "a.mrd"))
    assert "5 faults: (1)" in text
    for word in ("matrixSize", "furlong", "Method must be one of", f"1 of {len(SPIRALS)} spokes"):
        assert word in text, text


def test_heads_that_contradict_each_other_are_told_together(tmp_path: Path):
    path = tmp_path / "a.mrd"
    write_kspace(path, [series(SERIES["vfa"])], 2, "ismrmrd")
    with h5py.File(path, "a") as file:
        rows = file["dataset/data"][:]
        rows["head"]["sample_time_us"][3] = 9.0
        rows["head"]["position"][4] += 1.0
        rows["head"]["read_dir"][N_SPOKES:] = 0
        rows["head"]["phase_dir"][N_SPOKES:] = 0
        rows["head"]["slice_dir"][N_SPOKES:] = 0
        file["dataset/data"][:] = rows
    text = told(path)
    for word in (
        "sample_time_us must be the same",
        "in acquisition 3 9.0",
        "position must be the same",
        "are all 0",
    ):
        assert word in text, text


@pytest.mark.parametrize("counter", ["contrast", "slice", "kspace_encode_step_1", "kspace_encode_step_2"])
def test_counters_out_of_range_are_told_at_once(tmp_path: Path, counter: str):
    path = tmp_path / "a.mrd"
    write_kspace(path, [series(SERIES["vfa"])], 2, "ismrmrd")
    with h5py.File(path, "a") as file:
        rows = file["dataset/data"][:]
        rows["head"]["idx"][counter][3] = 65535
        rows["head"]["idx"]["kspace_encode_step_2"][4] = 65535
        file["dataset/data"][:] = rows
    assert "missing" in told(path)


def test_a_file_without_a_trajectory_is_told(tmp_path: Path):
    path = tmp_path / "a.mrd"
    Others(SPIRALS).add(read(SPIRALS)).write(path)
    with h5py.File(path, "a") as file:
        rows = file["dataset/data"][:]
        rows["head"]["trajectory_dimensions"] = 0
        file["dataset/data"][:] = rows
    assert "the file has no trajectory" in told(path)


def test_a_density_in_the_third_dimension_is_told(tmp_path: Path):
    path = tmp_path / "a.mrd"
    Others(
        np.concatenate([SPIRALS, np.ones((*SPIRALS.shape[:2], 1), np.float32)], axis=-1)[..., [2, 0, 1]]
    ).add(read(SPIRALS)).write(path)
    assert "third dimension of the trajectory reaches 1" in told(path)
