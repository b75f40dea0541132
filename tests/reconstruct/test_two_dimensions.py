"""Read-outs in two dimensions: one slice, several slices, stacks with partitions; what goes beyond the grid."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.kspace import KSpace, Slices
from rmqnet.domain.protocols import vfa
from rmqnet.encoding.density import estimate_density, find_planes
from rmqnet.reconstruct.config import ReconstructConfig
from rmqnet.reconstruct.reconstruct import Reconstructor, reconstruct

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from _ellipses import LEG, inside, radial, reference, spirals, transform

N, FOV, THICK = 64, 128.0, 4.0
CG = ReconstructConfig(algorithm="cg_sense")
PATHS = {"spirals": spirals(N, FOV, 12, 500), "radial": radial(N, FOV, 101, 128)}


@pytest.fixture(scope="module")
def wanted() -> np.ndarray:
    return reference(N, FOV, LEG)


def error(image: np.ndarray, wanted: np.ndarray) -> float:
    where = inside(N, LEG[0])
    return float(np.linalg.norm((image - np.abs(wanted))[where]) / np.linalg.norm(wanted[where]))


def slab(n_slices: int) -> Grid:
    return centered_grid((n_slices, N, N), (THICK, FOV / N, FOV / N))


def series(path: np.ndarray, samples: np.ndarray, grid: Grid, slices: Slices | None) -> KSpace:
    """K-space of a trajectory (spoke, read, 3) and samples (spoke, read)."""
    times = 3e-5 + 2e-6 * np.arange(path.shape[1])
    return KSpace(
        samples.astype(np.complex64)[None, None],
        path.astype(np.float32),
        (vfa(10.0),),
        grid,
        times,
        slices=slices,
    )


def lifted(path: np.ndarray, k_z: float = 0.0) -> np.ndarray:
    return np.concatenate([np.full((*path.shape[:2], 1), k_z), path], axis=-1)


def one_slice(path: np.ndarray) -> KSpace:
    samples = THICK * transform(path, LEG, FOV)
    return series(lifted(path), samples, slab(1), Slices(0, np.zeros(len(path), np.intp)))


def image_of(kspace: KSpace, config: ReconstructConfig = CG, notes: list[str] | None = None) -> np.ndarray:
    return reconstruct([kspace], config, notes=notes)["vfa"].data[0]


@pytest.mark.parametrize("name", PATHS)
def test_one_slice_is_the_object_as_far_as_its_samples_tell(name: str, wanted: np.ndarray) -> None:
    kspace = one_slice(PATHS[name])
    assert image_of(kspace).shape == (1, N, N)
    assert error(image_of(kspace)[0], wanted) < 0.02
    assert error(image_of(kspace, ReconstructConfig())[0], wanted) < 0.02


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_lie_along_any_axis_and_see_nothing_of_each_other(axis: int, wanted: np.ndarray) -> None:
    # interleaved, and read along paths of their own
    factors, order = (1.0, 0.2, 3.0), (0, 2, 1)
    paths = [PATHS["spirals"], spirals(N, FOV, 14, 500), PATHS["spirals"]]
    shape = [N, N, N]
    shape[axis] = 3
    size = [FOV / N] * 3
    size[axis] = THICK
    grid = centered_grid(tuple(shape), tuple(size))
    spokes = [np.insert(path, axis, 0, axis=-1) for path in paths]
    samples = [f * THICK * transform(path, LEG, FOV) for f, path in zip(factors, paths, strict=True)]
    kspace = series(
        np.concatenate([spokes[k] for k in order]),
        np.concatenate([samples[k] for k in order]),
        grid,
        Slices(axis, np.repeat(order, [len(paths[k]) for k in order])),
    )
    for config in (CG, ReconstructConfig()):
        image = np.moveaxis(image_of(kspace, config), axis, 0)
        for found, factor in zip(image, factors, strict=True):
            assert error(found / factor, wanted) < 0.02


@pytest.mark.parametrize("turned", [False, True])
def test_a_stack_is_resolved_by_its_partitions(turned: bool, wanted: np.ndarray) -> None:
    factors, n = np.array([0.5, 1.0, 2.0, 1.0, 0.3, 0.0]), 6
    grid = slab(n)
    place = (np.arange(n) - (n - 1) / 2) * THICK
    path, parts, samples = PATHS["spirals"], [], []
    for number in range(n):
        k_z = (number - n // 2) / (n * THICK)
        angle = 0.1 * number if turned else 0.0
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        own = (path @ turn.T).astype(np.float32)
        parts.append(lifted(own, k_z))
        samples.append(THICK * (factors * np.exp(-2j * np.pi * k_z * place)).sum() * transform(own, LEG, FOV))
    kspace = series(np.concatenate(parts), np.concatenate(samples), grid, None)
    for config in (CG, ReconstructConfig()):
        image = image_of(kspace, config)
        for found, factor in zip(image, factors, strict=True):
            off = (found - factor * np.abs(wanted))[inside(N, LEG[0])]
            assert np.linalg.norm(off) < 0.03 * np.linalg.norm(wanted[inside(N, LEG[0])])


def test_partitions_are_told_from_three_dimensional_read_outs() -> None:
    path = PATHS["spirals"]
    stack = np.concatenate([lifted(path, k) for k in (-0.05, 0.0, 0.1)])
    planes = find_planes(stack.astype(np.float32), slab(5))
    assert planes is not None
    assert planes.axis == 0
    np.testing.assert_allclose(planes.depths, [0.05, 0.075, 0.1])
    tilted = stack + np.linspace(0, 0.01, stack.shape[1])[:, None] * [1, 0, 0]
    assert find_planes(tilted.astype(np.float32), slab(5)) is None


def test_the_density_of_a_slice_fills_its_disc() -> None:
    kspace = one_slice(PATHS["spirals"])
    density = estimate_density(kspace.trajectory, kspace.grid, kspace.slices)
    assert density.sum() == pytest.approx(np.pi * (0.5 * N / FOV) ** 2 / THICK, rel=0.03)


@pytest.mark.parametrize("factor", [1.02, 1.05])
def test_a_trajectory_that_overshoots_is_used_without_what_lies_beyond(
    factor: float, wanted: np.ndarray
) -> None:
    kspace = one_slice(np.float32(factor) * PATHS["radial"])
    for config in (CG, ReconstructConfig()):
        notes: list[str] = []
        assert error(image_of(kspace, config, notes)[0], wanted) < 0.03
        assert any("beyond the k-space of the image and are left out" in note for note in notes)


def test_a_trajectory_that_ends_far_outside_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"reaches 0\.3.* 1/mm along [yx], but the grid's k-space ends at 0\.25 1/mm"
    ):
        one_slice(np.float32(1.2) * PATHS["radial"])


def test_slices_that_do_not_go_with_the_spokes_are_refused() -> None:
    kspace = one_slice(PATHS["spirals"])
    n = len(kspace.trajectory)
    for numbers, grid, message in (
        (np.zeros(n - 1, np.intp), slab(1), "one number from 0 to 0 for each of the 12 spokes"),
        (np.full(n, 2), slab(2), "one number from 0 to 1"),
        (np.zeros(n, np.intp), slab(2), "no spoke reads slice 1 of 2"),
    ):
        with pytest.raises(InputError, match=message):
            replace(kspace, grid=grid, slices=Slices(0, numbers))
    with pytest.raises(InputError, match="trajectory must be 0 along the slices"):
        replace(kspace, trajectory=kspace.trajectory + np.float32([0.01, 0, 0]))


def test_one_coil_is_solved_for_the_field_of_the_image(wanted: np.ndarray) -> None:
    kspace = one_slice(PATHS["spirals"])
    fields = {
        field: error(image_of(kspace, replace(CG, solved_field=field))[0], wanted)
        for field in (None, (1.0, 1.0, 1.0), (1.25, 1.75, 1.25))
    }
    assert fields[None] < 1.2 * fields[1.0, 1.0, 1.0]
    assert fields[None] < 0.5 * fields[1.25, 1.75, 1.25]


def test_a_reconstructor_serves_its_own_slices_only() -> None:
    path = np.concatenate([PATHS["spirals"]] * 2)
    numbers = np.repeat([0, 1], len(path) // 2)
    kspace = series(lifted(path), transform(path, LEG, FOV), slab(2), Slices(0, numbers))
    reconstructor = Reconstructor(kspace)
    assert reconstructor.serves(replace(kspace, slices=Slices(0, numbers.copy())))
    assert not reconstructor.serves(replace(kspace, slices=Slices(0, 1 - numbers)))
