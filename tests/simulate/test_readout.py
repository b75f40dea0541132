"""How the read-out blurs, ghosts and shifts an image."""

import numpy as np
import pytest

from rmqnet.domain.grid import centered_grid, coarser
from rmqnet.domain.tissues import TISSUES
from rmqnet.simulate.motion import draw_drift, drifted
from rmqnet.simulate.readout import (
    MARGIN,
    continued,
    continued_shape,
    crop,
    decay_class,
    radius,
    to_image,
    to_spectrum,
    transfer,
    voxel_average,
)

SHAPE = (24, 64, 64)


def point_spread(t2star: float, duration: float, fat: bool) -> tuple[np.ndarray, np.ndarray]:
    """Real and imaginary image (z, y, x) of a point in the middle."""
    point = np.zeros(SHAPE, np.float32)
    point[12, 32, 32] = 1
    cosine, sine = transfer(radius(SHAPE), t2star, fat=fat, duration=duration)
    spectrum = to_spectrum(point)
    imaginary = np.zeros_like(spectrum) if sine is None else spectrum * sine
    return to_image(spectrum * cosine, SHAPE), to_image(imaginary, SHAPE)


def width(image: np.ndarray) -> int:
    """Voxels of the middle line above half of the largest value."""
    line = image[12, 32]
    return int((line > line.max() / 2).sum())


def test_bone_is_blurred_and_muscle_is_not() -> None:
    bone, _ = point_spread(0.0003, 0.0011, fat=False)
    muscle, nothing = point_spread(0.030, 0.0011, fat=False)
    assert width(bone) > width(muscle)
    assert bone.max() < 0.3 * muscle.max()
    assert not nothing.any()
    # blurring keeps the whole signal
    assert bone.sum() == pytest.approx(muscle.sum(), rel=1e-4)


@pytest.mark.parametrize(("duration", "radius_mm"), [(0.0022, 1.1), (0.0031, 1.6)])
def test_fat_is_blurred_into_a_ring_of_the_published_radius(duration: float, radius_mm: float) -> None:
    # PHYSICS 5.5, at voxels of 0.586 mm in the plane: a phase that grows with k is a shift, outward in all directions
    cosine, sine = transfer(radius(SHAPE), 1.0, fat=True, duration=duration)
    assert sine is not None
    phase = np.unwrap(np.arctan2(sine[0, 0, :31], cosine[0, 0, :31]))
    cycles_per_mm = np.fft.rfftfreq(SHAPE[2], 0.586)[:31]
    slope = np.polyfit(cycles_per_mm, phase, 1)[0]
    assert abs(slope) / (2 * np.pi) == pytest.approx(radius_mm, abs=0.05)


def test_nothing_is_read_outside_the_ellipsoid() -> None:
    cosine, _ = transfer(radius(SHAPE), 1.0, fat=False, duration=0.001)
    assert cosine[0, 0, 31] > 0.9
    assert cosine[12, 32, 32] == 0
    assert 0.45 < (cosine > 0).mean() < 0.6


def test_an_edge_overshoots_as_a_cut_spectrum_does() -> None:
    block = np.zeros(SHAPE, np.float32)
    block[:, :, 16:48] = 1
    cosine, _ = transfer(radius(SHAPE), 10.0, fat=False, duration=0.001)
    line = to_image(to_spectrum(block) * cosine / voxel_average(SHAPE), SHAPE)[12, 32]
    assert 1.04 < line.max() < 1.2
    assert abs(line[28:36].mean() - 1) < 0.02


def test_borders_keep_their_power_at_all_frequencies() -> None:
    # a ramp with one jump: k cycles have the power 1 / (2 pi k)^2 wherever the jump lies
    n, points = 32, 64
    fine = np.linspace(0, 1, n * points, endpoint=False)
    powers = []
    for shift in range(points):
        averages = np.roll(fine, shift).reshape(n, points).mean(axis=1)
        powers.append(np.abs(np.fft.rfft(averages) / n)[1:] ** 2)
    true = 1 / (2 * np.pi * np.arange(1, n // 2 + 1)) ** 2
    measured = np.mean(powers, axis=0) / voxel_average((1, 1, n))[0, 0, 1:] ** 2
    np.testing.assert_allclose(measured, true, rtol=0.01)


@pytest.mark.parametrize(("shape", "factor"), [((36, 256, 256), 2), ((18, 96, 90), 3), ((8, 8, 8), 1)])
def test_an_image_that_goes_on_has_no_edge_at_its_ends(shape: tuple[int, int, int], factor: int) -> None:
    longer = continued_shape(shape, factor)
    assert all(n % factor == 0 and n >= old + MARGIN for n, old in zip(longer, shape, strict=True))
    # unlike at the two ends of each axis
    image = sum(np.meshgrid(*(np.linspace(0, 1, n, dtype=np.float32) for n in shape), indexing="ij"))
    whole = continued(image, longer)
    assert whole.shape == longer
    np.testing.assert_array_equal(whole[tuple(slice(n) for n in shape)], image)
    for axis in range(3):
        assert np.abs(np.roll(whole, 1, axis) - whole).max() < 1.5 / MARGIN + 1 / shape[axis]


def test_a_coarse_grid_holds_the_same_object_in_the_same_place() -> None:
    fine = centered_grid(SHAPE, (1.0, 1.0, 1.0))
    coarse = coarser(fine, 2)
    position = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"))
    target = np.stack(np.meshgrid(*(np.arange(n) for n in coarse.shape), indexing="ij"))

    def bump(grid, index):
        middle = np.tensordot(grid.affine[:3, :3], index, 1) + grid.affine[:3, 3, None, None, None]
        return np.exp(-(((middle - np.array([3.0, -5.0, 2.0])[:, None, None, None]) / 5.0) ** 2).sum(0))

    low = crop(to_spectrum(bump(fine, position).astype(np.float32)), coarse.shape, 2)
    np.testing.assert_allclose(to_image(low, coarse.shape), bump(coarse, target), atol=0.01)


def test_a_drift_moves_and_no_drift_does_not() -> None:
    image = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    spectrum = to_spectrum(image)
    still = drifted(spectrum, SHAPE, (1.0, 1.0, 1.0), np.zeros((3, 64)))
    np.testing.assert_allclose(to_image(still, SHAPE), image, atol=1e-5)
    # the same displacement all the time is a shift
    shift = np.zeros((3, 64))
    shift[2] = 2.0
    moved = to_image(drifted(spectrum, SHAPE, (1.0, 1.0, 1.0), shift), SHAPE)
    np.testing.assert_allclose(moved, np.roll(image, 2, axis=2), atol=1e-4)
    ends = [draw_drift(0.5, np.random.default_rng(seed)) for seed in range(400)]
    assert np.std([path[0, -1] - path[0, 0] for path in ends]) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("tissue", TISSUES.values(), ids=lambda tissue: tissue.name)
def test_every_tissue_has_a_decay(tissue) -> None:
    t2star, fat = decay_class(tissue)
    assert 0.0002 < t2star <= 0.030
    assert fat is tissue.fat
