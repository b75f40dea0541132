"""Images from k-space are the object that was read."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rmqnet.domain.grid import centered_grid
from rmqnet.domain.kspace import KSpace
from rmqnet.domain.protocols import adiabatic_t1rho, afi_pair, vfa
from rmqnet.encoding.coils import CoilSensitivities
from rmqnet.encoding.cones import Cones, cones
from rmqnet.encoding.cones_settings import ConesSettings, afi_settings
from rmqnet.encoding.fourier import FourierOperator
from rmqnet.reconstruct.config import ReconstructConfig
from rmqnet.reconstruct.reconstruct import Reconstructor, reconstruct
from rmqnet.reconstruct.spokes import first_spokes

SETTINGS = ConesSettings(shape=(12, 48, 48), n_spokes=None, dwell_time=6e-6)
GRID = centered_grid(SETTINGS.shape, SETTINGS.voxel_size)
COMPLEX = ReconstructConfig(output="complex", tolerance=1e-4)
CG = replace(COMPLEX, algorithm="cg_sense", n_iterations=6)


def error(image: np.ndarray, truth: np.ndarray) -> float:
    """Norm of the difference over that of the truth, where there is signal."""
    inside = np.abs(truth) > 0.1 * np.abs(truth).max()
    return float(np.linalg.norm((image - truth)[inside]) / np.linalg.norm(truth[inside]))


def one(kspace: KSpace, config: ReconstructConfig, **options: object) -> np.ndarray:
    return reconstruct([kspace], config, **options)["vfa"].data[0]


def test_full_sampling_and_known_sensitivities_give_the_complex_object(full, read, known, truth) -> None:
    kspace = read(full)
    assert error(one(kspace, COMPLEX, sensitivities=known), truth) < 0.01
    assert error(one(kspace, CG, sensitivities=known), truth) < 0.003


def test_all_ways_give_the_magnitude_in_the_units_of_the_object(full, read, truth) -> None:
    kspace = read(full)
    for config in (
        ReconstructConfig(),
        ReconstructConfig(algorithm="cg_sense"),
        ReconstructConfig(combination="sum_of_squares"),
    ):
        image = one(kspace, config)
        assert image.dtype == np.float32
        assert error(image, np.abs(truth)) < 0.02, config


def test_a_trajectory_without_density_is_reconstructed_too(full, read, truth) -> None:
    image = one(replace(read(full), density=None), ReconstructConfig())
    assert error(image, np.abs(truth)) < 0.04


def test_iterations_beat_gridding_when_spokes_are_missing(third: Cones, read, known, truth) -> None:
    for kspace in (read(third), read(third, noise=0.02 * np.abs(read(third).samples).max() / 100)):
        gridded = error(one(kspace, COMPLEX, sensitivities=known), truth)
        iterated = error(one(kspace, CG, sensitivities=known), truth)
        assert iterated < 0.5 * gridded
        estimated = error(one(kspace, ReconstructConfig(algorithm="cg_sense")), np.abs(truth))
        assert estimated < error(one(kspace, ReconstructConfig()), np.abs(truth))


def test_a_leg_that_goes_on_beyond_the_image_does_not_spoil_the_iterations(full: Cones, third: Cones) -> None:
    # twice the length of the image along y; coils fall off beyond it
    z, y, x = np.meshgrid(
        *((2 * np.arange(n) + 1) / m - n / m for n, m in ((12, 12), (96, 48), (48, 48))), indexing="ij"
    )
    leg = np.exp(-((x / 0.5) ** 4) - (z / 0.5) ** 4) * (1 + 0.3 * np.sin(5 * y))
    angle = np.pi / 3 * np.arange(6)[:, None, None, None]
    maps = np.exp(-((x - 1.3 * np.cos(angle)) ** 2) - (z - 1.3 * np.sin(angle)) ** 2 + 1j * angle)
    maps *= np.exp(-((np.maximum(np.abs(y) - 1, 0) / 0.4) ** 2)) / np.sqrt((np.abs(maps) ** 2).sum(axis=0))
    truth = leg[:, 24:72]
    core = (truth > 0.1) & (np.abs(y[:, 24:72]) < 0.75)
    for made, limit in ((full, 0.01), (third, 0.03)):
        operator = FourierOperator(made.trajectory, leg.shape, SETTINGS.voxel_size, tolerance=1e-4)
        samples = np.prod(SETTINGS.voxel_size) * operator.forward(maps * leg)
        kspace = KSpace(
            samples[None].astype(np.complex64),
            made.trajectory,
            (vfa(10.0),),
            GRID,
            made.read_times,
            None,
            made.density,
        )
        errors = {}
        for field in ((1.25, 1.75, 1.25), (1.0, 1.0, 1.0)):
            config = replace(CG, output="magnitude", n_iterations=8, solved_field=field)
            known = CoilSensitivities(maps[:, :, 24:72].astype(np.complex64), GRID)
            moved = (one(kspace, config, sensitivities=known) - truth)[core]
            errors[field] = np.linalg.norm(moved) / np.linalg.norm(truth[core])
        assert errors[1.25, 1.75, 1.25] < limit
        # without room for the rest of the leg the iterations diverge
        assert errors[1.0, 1.0, 1.0] > 2 * limit


def test_regularization_shrinks_the_image(full, read, known, truth) -> None:
    image = one(read(full), replace(CG, regularization=1.0), sensitivities=known)
    assert error(2 * image, truth) < 0.02


def test_known_sensitivities_take_the_shading_out(full, read, known, truth) -> None:
    # coils whose squares do not add to 1: the image has the object's values, estimated ones keep the shading
    shade = np.linspace(0.5, 2.0, 48, dtype=np.float32)
    maps = known.values * shade
    kspace = read(full, maps=maps)
    sensitivities = CoilSensitivities(maps, known.grid)
    assert error(one(kspace, COMPLEX, sensitivities=sensitivities), truth) < 0.02
    assert error(one(kspace, CG, sensitivities=sensitivities), truth) < 0.01
    assert error(one(kspace, ReconstructConfig()), np.abs(truth) * shade) < 0.02


def test_all_series_share_one_scale_and_phase_on_their_own_grids(full, read, truth) -> None:
    settings = replace(
        afi_settings(ConesSettings(shape=(12, 48, 48), n_spokes=None, dwell_time=6e-6)), read_duration=0.0008
    )
    made = cones(settings)
    afi = afi_pair()[0]

    def scan() -> Iterator[KSpace]:
        yield read(full)
        yield read(full, 0.25 * truth, acquisition=vfa(20.0))
        yield read(made, acquisition=afi, settings=settings)

    done: list[str] = []
    series = reconstruct(scan(), COMPLEX, progress=done.append)
    assert done == [vfa(10.0).label, vfa(20.0).label, afi.label]
    first, second = series["vfa"].data
    np.testing.assert_allclose(second, 0.25 * first, atol=1e-3)
    assert series["afi"].grid.shape == (6, 24, 24)
    blocks = first.reshape(6, 2, 24, 2, 24, 2).mean(axis=(1, 3, 5))
    assert error(series["afi"].data[0], blocks) < 0.06
    # the middle of the object stays where it is
    weights = np.abs(series["afi"].data[0]), np.abs(blocks)
    centers = [
        [(w.sum(axis=tuple({0, 1, 2} - {a})) * np.arange(w.shape[a])).sum() / w.sum() for a in range(3)]
        for w in weights
    ]
    np.testing.assert_allclose(centers[0], centers[1], atol=0.05)


def test_the_scale_of_the_images_does_not_depend_on_the_noise(full, read, truth) -> None:
    rng = np.random.default_rng(0)
    mixing = np.eye(6) + 0.2 * (rng.standard_normal((6, 6)) + 1j * rng.standard_normal((6, 6)))
    covariance = mixing @ mixing.conj().T
    for scale in (1e-6, 1.0, 1e4):
        image = one(read(full, covariance=scale * covariance), ReconstructConfig())
        ratio = np.median((image / np.abs(truth))[np.abs(truth) > 0.5])
        assert 0.7 < ratio < 1.4


def test_whitening_lowers_the_noise_of_the_image(full, read, known, truth) -> None:
    covariance = np.diag([1.0, 1.0, 1.0, 1.0, 1.0, 400.0]).astype(np.complex128)
    loud = 0.002 * float(np.abs(read(full).samples).max())
    kspace = read(full, covariance=covariance, noise=loud)
    clean = one(read(full), COMPLEX, sensitivities=known)
    whitened = np.abs(one(kspace, COMPLEX, sensitivities=known) - clean)
    not_whitened = np.abs(one(replace(kspace, noise_covariance=None), COMPLEX, sensitivities=known) - clean)
    assert whitened.mean() < 0.5 * not_whitened.mean()


def test_low_signals_are_too_high_in_the_sum_of_squares_only(full, read, known) -> None:
    # an object of very low signal, as of a tissue whose T2* is short: below the noise of a voxel
    maps = known.values
    truth = np.full((12, 48, 48), 1.0, np.complex64)
    quiet = read(full, truth * 0, maps=maps, noise=1.0)
    floor = one(quiet, ReconstructConfig(combination="sum_of_squares")).mean()
    single = np.abs(one(quiet, COMPLEX, sensitivities=known)).mean()
    # chi distribution of 6 coils over that of one
    assert floor / single == pytest.approx(2.4 / 0.886, rel=0.1)


def test_a_part_of_golden_spokes_gives_the_same_image_with_more_error(full, read, known, truth) -> None:
    whole = read(full)
    errors = []
    for part in (1.0, 0.7, 0.4):
        image = one(whole, replace(CG, spokes_part=part), sensitivities=known)
        assert np.median((np.abs(image) / np.abs(truth))[np.abs(truth) > 0.5]) == pytest.approx(1, abs=0.02)
        errors.append(error(image, truth))
    assert errors[0] < errors[1] < errors[2] < 0.1
    prepared = first_spokes(replace(whole, acquisitions=(adiabatic_t1rho(0.0),)), 0.5)
    assert prepared.samples.shape[2] % 25 == 0
    assert np.shares_memory(prepared.samples, whole.samples)


def test_the_same_data_give_the_same_bits_and_a_reconstructor_serves_its_trajectory(
    full, third, read
) -> None:
    kspace, other = read(full), read(third)
    reconstructor = Reconstructor(kspace)
    assert reconstructor.serves(read(full))
    assert not reconstructor.serves(other)
    np.testing.assert_array_equal(reconstructor.image(kspace), one(kspace, ReconstructConfig()))
    fewer = Reconstructor(other, receiver=reconstructor.receiver)
    assert fewer.image(other).shape == (12, 48, 48)
