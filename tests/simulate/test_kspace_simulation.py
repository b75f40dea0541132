"""Simulated k-space against sums that are written out, and what a scanner adds to it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.protocols import FULL, adiabatic_t1rho, afi_pair, vfa
from rmqnet.domain.tissues import TISSUES, tissue_of_label
from rmqnet.encoding.cones import cones
from rmqnet.encoding.cones_settings import ConesSettings
from rmqnet.encoding.fourier import FourierOperator
from rmqnet.simulate import readout
from rmqnet.simulate.acquire import tissue_signals
from rmqnet.simulate.coils import noise_covariance, sensitivities
from rmqnet.simulate.config import KSpaceConfig, SimulateConfig
from rmqnet.simulate.deviation import Deviation
from rmqnet.simulate.fields import off_resonance_field
from rmqnet.simulate.kspace import place, scan_contrast, simulate_kspace
from rmqnet.simulate.nodes import choose_nodes
from rmqnet.simulate.phantom import FAT, WATER, slab_phantom
from rmqnet.simulate.read_kspace import Motion, add_noise, delayed, draw_motion, read_samples
from rmqnet.simulate.read_object import TOLERANCE, Spins, read_object
from rmqnet.simulate.readout import FAT_SHIFT, T2STAR
from rmqnet.simulate.simulate import simulate_subject
from rmqnet.simulate.spokes import n_train, spoke_signals

SMALL = ConesSettings(
    shape=(8, 16, 16), field_of_view=(48.0, 48.0, 48.0), n_spokes=None, read_duration=0.0006
)
GRID = centered_grid((8, 16, 16), (6.0, 3.0, 3.0))
OTHER = Deviation(spoke_spacing=0.0045, pulse_efficiency=0.95, transfer_loss=0.04, short_part=0.2)


def values(n: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    ranges = {"M0": (0.5, 2), "T1": (0.2, 3), "T1rho": (0.005, 0.2), "B1": (0.8, 1.15)}
    return {name: rng.uniform(low, high, n).astype(np.float32) for name, (low, high) in ranges.items()}


@pytest.mark.parametrize("deviation", [Deviation(), OTHER], ids=["matched", "mismatch"])
@pytest.mark.parametrize("planned", [*FULL.acquisitions], ids=lambda item: item.label)
@pytest.mark.parametrize("name", ["muscle", "subcutaneous_fat"])
def test_the_mean_over_the_spokes_is_the_signal_of_an_image(
    name: str, planned: Acquisition, deviation: Deviation
):
    tissue, own = TISSUES[name], values()
    every = np.arange(n_train(planned))
    spokes = spoke_signals(tissue, planned, own, 0.9, deviation, every)
    image = tissue_signals(tissue, [planned], own, 0.9, deviation)[0]
    np.testing.assert_allclose(spokes.mean(axis=0), image, rtol=2e-5)


def test_spokes_follow_the_magnetization_pulse_by_pulse():
    """A recursion over many preparations, written without the closed form."""
    planned, t1, t1rho, b1 = adiabatic_t1rho(0.036), 0.9, 0.04, 1.08
    theta, tau = np.deg2rad(10 * b1), 0.005
    m, read = 1.0, []

    def relax(m: float, time: float) -> float:
        return 1 + (m - 1) * np.exp(-time / t1)

    for _ in range(200):
        m = relax(m * np.exp(-0.036 / t1rho), 0.010)
        read = []
        for _ in range(25):
            read.append(m * np.sin(theta))
            m = relax(m * np.cos(theta), tau)
        m = relax(m, 0.5 - 0.036 - 0.010 - 25 * tau)
    own = {"M0": 1.0, "T1": t1, "T1rho": t1rho, "B1": b1}
    spokes = spoke_signals(
        TISSUES["muscle"],
        planned,
        {name: np.array([value], np.float32) for name, value in own.items()},
        0.0,
        Deviation(),
        np.arange(25),
    )
    np.testing.assert_allclose(spokes[:, 0], read, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    decay=st.floats(0.0, 5.0),
    turns=st.floats(-3.0, 3.0),
    tolerance=st.sampled_from([1e-2, 1e-3, 1e-5]),
    n_samples=st.integers(2, 60),
)
def test_nodes_give_all_curves_within_the_error_they_state(
    decay: float, turns: float, tolerance: float, n_samples: int
):
    """Decay to e^-5 (T2* of 0.3 ms over 1.5 ms) and three turns (440 Hz over 7 ms): beyond any read-out of ours."""
    time = np.linspace(0, 1, n_samples)
    rates = [complex(-d, 2 * np.pi * t) for d in (0, decay) for t in np.linspace(-abs(turns), turns, 5)]
    curves = np.stack([np.exp(rate * time) for rate in rates])
    nodes = choose_nodes(curves, tolerance)
    found = curves[:, nodes.index] @ nodes.weights
    assert np.abs(found - curves).max() <= nodes.error * np.abs(curves).max() + 1e-12
    assert nodes.error <= tolerance


def knee_like() -> Spins:
    """Water, fat, and a tissue of short T2* in an uneven field, all of which the read-out treats differently."""
    rng = np.random.default_rng(2)
    spins = slab_phantom(GRID, fat_on_resonance=False)
    bone = TISSUES["cortical_bone"]
    index = spins.voxels.members[WATER.label]
    chosen = rng.permutation(index.size) < index.size // 4
    members = {**spins.voxels.members, bone.label: index[chosen]}
    fraction = {WATER.label: np.where(chosen, 0.3, 1.0), FAT.label: spins.voxels.fraction[FAT.label]}
    fraction[bone.label] = np.full(int(chosen.sum()), 0.7)
    means = {**spins.maps.means, bone.name: {"T1": 0.112, "T1rho": 0.001, "density": 0.22}}
    return replace(
        spins,
        voxels=replace(
            spins.voxels,
            members=members,
            fraction={label: part.astype(np.float32) for label, part in fraction.items()},
        ),
        maps=replace(spins.maps, means=means),
        off_resonance=off_resonance_field(GRID.shape, 80.0, rng),
    )


@pytest.mark.parametrize("planned", [vfa(10.0), adiabatic_t1rho(0.024), afi_pair()[1]], ids=lambda a: a.label)
def test_samples_are_the_sum_over_voxels_tissues_and_times(planned: Acquisition):
    """Every sample of some spokes, written out; the interpolation is allowed its stated error."""
    spins, path = knee_like(), cones(SMALL)
    coils = sensitivities(GRID, (24.0, 24.0, 24.0), 3)
    seen = read_object(spins, planned, path.read_times)
    assert seen.error <= 2 * TOLERANCE
    samples = read_samples(seen, GRID, coils, path.trajectory, smooth_voxels=False)
    place_of = np.stack(
        np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in GRID.shape), indexing="ij"), axis=-1
    )
    position = place_of.reshape(-1, 3) * GRID.voxel_size
    chosen = np.array([0, 3, 11, 24, 26, len(path.trajectory) - 1])
    dense = np.zeros((3, chosen.size, path.read_times.size), complex)
    for row, spoke in enumerate(chosen):
        number = np.array([spoke % n_train(planned)])
        phase = np.exp(-2j * np.pi * path.trajectory[spoke].astype(float) @ position.T)
        for label, index in spins.voxels.members.items():
            tissue = tissue_of_label(label)
            own = spins.maps.values(tissue, index)
            saturation = spins.maps.saturation.reshape(-1)[index]
            signal = spoke_signals(tissue, planned, own, saturation, spins.deviation, number)[0]
            signal = signal * spins.voxels.fraction[label]
            shift = spins.off_resonance.reshape(-1)[index] + (FAT_SHIFT if tissue.fat else 0.0)
            rate = -1 / T2STAR.get(tissue.name, 0.030) + 2j * np.pi * shift
            evolved = np.exp(path.read_times[:, None] * rate) * signal * phase[:, index]
            dense[:, row] += np.einsum("tv,cv->ct", evolved, coils.reshape(3, -1)[:, index])
    dense *= np.prod(GRID.voxel_size)
    assert np.abs(samples[:, chosen] - dense).max() < 2e-3 * np.abs(dense).max()
    assert np.linalg.norm(samples[:, chosen] - dense) < 1e-3 * np.linalg.norm(dense)


def water() -> tuple[Spins, np.ndarray, np.ndarray]:
    path = cones(SMALL)
    return slab_phantom(GRID, fat_on_resonance=True), path.trajectory, path.read_times


def test_a_shift_between_spokes_is_a_shift_of_the_object():
    spins, trajectory, times = water()
    coils = np.ones((1, *GRID.shape), np.complex64)
    seen = read_object(spins, vfa(10.0), times)
    still = Motion(np.zeros((len(trajectory), 3)), np.zeros((len(trajectory), 3)))
    moved = replace(still, translation=np.tile([6.0, -3.0, 0.0], (len(trajectory), 1)))
    plain = read_samples(seen, GRID, coils, trajectory)
    np.testing.assert_allclose(
        read_samples(seen, GRID, coils, trajectory, motion=still), plain, atol=1e-4 * abs(plain).max()
    )
    # one voxel along z, one back along y: the object does not touch the border
    rolled = replace(seen, index=seen.index + 16 * 16 - 16)
    expected = read_samples(rolled, GRID, coils, trajectory)
    found = read_samples(seen, GRID, coils, trajectory, motion=moved)
    assert abs(found - expected).max() < 2e-3 * abs(expected).max()


def test_a_turn_of_the_body_by_ninety_degrees_turns_its_image():
    grid = centered_grid((15, 15, 15), (3.0, 3.0, 3.0))
    seen = read_object(slab_phantom(grid, fat_on_resonance=True), vfa(10.0), np.array([1e-5, 2e-5]))
    rng = np.random.default_rng(0)
    # no symmetry may hide the sense of the turn
    kept = rng.permutation(seen.index.size) < seen.index.size // 3
    seen = replace(seen, index=seen.index[kept], images=seen.images[:, kept])
    trajectory = rng.uniform(-0.1, 0.1, (5, 2, 3)).astype(np.float32)
    coils = np.ones((1, 15, 15, 15), np.complex64)
    turn = Motion(np.tile([np.pi / 2, 0, 0], (5, 1)), np.zeros((5, 3)))
    found = read_samples(seen, grid, coils, trajectory, motion=turn)
    index = np.arange(15**3).reshape(15, 15, 15)
    errors = []
    # about z: what lay along y lies along x, what lay along x lies along -y; and the other way round
    for source in (index[:, :, ::-1].transpose(0, 2, 1), index[:, ::-1, :].transpose(0, 2, 1)):
        moved = np.empty(15**3, int)
        moved[source.ravel()] = np.arange(15**3)
        turned = read_samples(replace(seen, index=moved[seen.index]), grid, coils, trajectory)
        errors.append(float(abs(found - turned).max() / abs(found).max()))
    assert errors[0] < 2e-3
    assert errors[1] > 0.05


def test_gradients_that_lag_read_what_came_before():
    _, trajectory, times = water()
    step = float(times[1] - times[0])
    found = delayed(trajectory, times, (0.0, step, 2.5 * step))
    assert np.array_equal(found[..., 0], trajectory[..., 0])
    np.testing.assert_allclose(found[:, 1:, 1], trajectory[:, :-1, 1], atol=1e-6)
    np.testing.assert_allclose(
        found[:, 3:, 2], (trajectory[:, :-3, 2] + trajectory[:, 1:-2, 2]) / 2, atol=1e-6
    )
    ahead = delayed(trajectory, times, (0.0, -step, 0.0))
    np.testing.assert_allclose(ahead[:, :-1, 1], trajectory[:, 1:, 1], atol=1e-6)


def test_a_walk_has_no_mean_and_the_asked_spread():
    rng = np.random.default_rng(8)
    ends = np.stack(
        [(m := draw_motion(640, 2.0, 1.0, rng)).translation[-1] - m.translation[0] for _ in range(300)]
    )
    one = draw_motion(640, 2.0, 0.0, rng)
    assert np.abs(one.translation.mean(axis=0)).max() < 1e-9
    assert not one.rotation.any()
    # 900 values: the standard deviation of their spread is 2.4 %
    assert ends.std() == pytest.approx(2.0, rel=0.08)


def test_noise_has_the_given_covariance():
    covariance = noise_covariance(4, np.random.default_rng(3))
    assert np.trace(covariance).real == pytest.approx(8)
    assert np.abs(covariance[0, 1]) > 0.05
    samples = np.zeros((4, 200, 300), np.complex64)
    add_noise(samples, covariance, np.random.default_rng(4))
    flat = samples.reshape(4, -1)
    # 60000 samples: four standard deviations of an entry are 0.03
    np.testing.assert_allclose(flat @ flat.conj().T / flat.shape[1], covariance, atol=0.04)
    assert np.abs(flat @ flat.T / flat.shape[1]).max() < 0.04


def test_coils_are_smooth_differ_and_add_to_one_in_the_field_of_view():
    grid = centered_grid((24, 60, 40), (6.0, 4.0, 4.0))
    coils = sensitivities(grid, (54.0, 75.0, 75.0), 8)
    total = np.sqrt((np.abs(coils) ** 2).sum(axis=0))
    y = np.abs((np.arange(60) - 29.5) * 4.0)
    assert np.abs(total[4:-4, y < 70, 4:-4] - 1).max() < 0.01
    assert total[12, y > 112, 20].max() < 0.02
    assert total[12, np.abs(y - 82) < 3, 20].min() > 0.7
    for axis in (1, 2, 3):
        assert np.abs(np.diff(coils[:, 5:-5, 15:-15, 5:-5], axis=axis)).max() < 0.15
    strongest = np.abs(coils[:, 12, 30]).argmax(axis=0)
    assert len(set(np.abs(coils[:, :, 30, :]).argmax(axis=0).ravel())) == 8
    assert strongest[0] != strongest[-1]


def scanned(**options: object):
    config = KSpaceConfig(cones=SMALL, n_coils=4, **options)  # pyright: ignore[reportArgumentType]
    spins = slab_phantom(GRID, fat_on_resonance=True)
    return place(spins, GRID, GRID, config, afi_factor=2, noise=3.0, seed=(1, 2))


def test_noise_in_a_gridded_image_is_as_asked():
    own = scanned()
    assert own.noise_covariance is not None
    samples = np.zeros((4, *own.fine.trajectory.shape[:2]), np.complex64)
    add_noise(samples, own.noise_covariance, np.random.default_rng(0))
    operator = FourierOperator(own.fine.trajectory, GRID.shape, GRID.voxel_size)
    images = operator.adjoint(samples, own.fine.density)
    # mean over coils of the variance of each part; 8192 voxels, of which a third are independent
    sd = np.sqrt((np.abs(images) ** 2).mean() / 2)
    assert sd == pytest.approx(3.0, rel=0.05)


def test_the_same_seed_gives_the_same_samples_in_any_order():
    first, second = scanned(translation=0.5), scanned(translation=0.5)
    one = [scan_contrast(first, item).samples for item in FULL.acquisitions[:3]]
    other = [scan_contrast(second, item).samples for item in FULL.acquisitions[2::-1]][::-1]
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(one[0], scan_contrast(scanned(translation=0.4), FULL.acquisitions[0]).samples)


def test_the_afi_pair_is_read_on_its_own_matrix_along_one_motion():
    own = scanned(translation=0.5)
    pair = [scan_contrast(own, item) for item in afi_pair()]
    assert pair[0].grid.shape == (4, 8, 8)
    assert pair[0].trajectory.shape != own.fine.trajectory.shape
    still = [scan_contrast(replace(own, noise_covariance=None), item).samples for item in afi_pair()]
    ratio = still[1][0][:, :, 0] / still[0][0][:, :, 0]
    # the first sample lies at the center of k-space: the ratio of the sums does not feel where the object is
    assert np.abs(ratio - ratio[:, :1]).max() < 1e-3 * np.abs(ratio).max()


@pytest.fixture(scope="module")
def knee():
    config = replace(SimulateConfig(), n_subjects=3, shape=(8, 32, 32), supersampling=(1, 1, 1))
    return simulate_kspace(config, KSpaceConfig(cones=replace(SMALL, n_spokes=None), n_coils=2), 0)


def test_the_object_goes_on_beyond_the_field_of_view_around_the_same_middle(knee):
    own, image = knee.scanned.grid, knee.scanned.image_grid
    before = np.array([(m - n) // 2 for m, n in zip(own.shape, image.shape, strict=True)])
    assert (before > 0).all()
    corner = own.affine @ [*before, 1]
    np.testing.assert_allclose(corner, image.affine @ [0, 0, 0, 1], atol=1e-9)
    inside = tuple(slice(b, b + n) for b, n in zip(before, image.shape, strict=True))
    assert np.array_equal(knee.scanned.spins.voxels.label[inside], knee.labels.labels)
    beyond = knee.scanned.spins.voxels.label[:, : before[1]]
    assert (beyond > 0).mean() > 0.2


def test_tissue_beyond_the_field_of_view_is_read(knee):
    spins = knee.scanned.spins
    outside = np.ones(knee.scanned.grid.shape, bool)
    outside[:, 6:-6] = False
    seen = read_object(spins, vfa(5.0), knee.scanned.fine.read_times)
    kept = outside.ravel()[seen.index]
    part = replace(seen, index=seen.index[kept], images=seen.images[:, kept])
    path = knee.scanned.fine.trajectory[:50]
    whole, beyond = (
        np.abs(read_samples(one, knee.scanned.grid, knee.scanned.coils, path)).mean() for one in (seen, part)
    )
    assert 0.02 * whole < beyond < 0.5 * whole


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"n_coils": 0}, "n_coils"),
        ({"gradient_delay": (0.0, 0.003, 0.0)}, "gradient_delay"),
        ({"surround": (-1.0, 0.0, 0.0)}, "surround"),
        ({"field_range": -3.0}, "field_range"),
        ({"translation": 50.0}, "translation"),
        ({"rotation": 90.0}, "rotation"),
    ],
)
def test_settings_no_scanner_has_are_refused(options: dict, word: str):
    with pytest.raises(InputError, match=word):
        KSpaceConfig(**options)


def test_settings_of_images_are_refused():
    for change in ({"cartilage_slices": True}, {"motion": 1.0}):
        with pytest.raises(InputError, match="leave"):
            simulate_kspace(replace(SimulateConfig(), **change), KSpaceConfig(), 0)


def test_images_of_kspace_are_those_that_the_other_simulation_makes(monkeypatch: pytest.MonkeyPatch):
    """Two ways of their own from a knee to images. Fat is on resonance: its turning is told by the true path here."""
    monkeypatch.setattr(readout, "FAT_SHIFT", 0.0)
    settings = replace(SimulateConfig(), n_subjects=3, shape=(12, 48, 48), supersampling=(2, 1, 1))
    settings = replace(settings, snr_range=(9e3, 1e4), snr_mode=9.5e3)
    path = replace(SMALL, read_duration=0.001)
    still = KSpaceConfig(cones=path, surround=(0, 0, 0), noise=False, field_range=0.0, n_coils=2)
    knee, other = simulate_kspace(settings, still, 1), simulate_subject(settings, 1)
    assert np.array_equal(knee.labels.labels, other.labels.labels)
    scanned = replace(knee.scanned, spins=replace(knee.scanned.spins, fat_shift=0.0))
    muscle = knee.labels.mask("muscle")
    for planned in (vfa(5.0), adiabatic_t1rho(0.024)):
        own = scan_contrast(scanned, planned)
        operator = FourierOperator(own.trajectory, own.grid.shape, own.grid.voxel_size)
        coils = operator.adjoint(own.samples[0], own.density)
        image = np.abs((coils * scanned.coils.conj()).sum(axis=0))
        due = other.scan.get(planned.method).image(planned)
        # the read-outs differ in how fast they leave the center: tissue of short T2* is not quite the same
        assert np.median(image[muscle] / due[muscle]) == pytest.approx(1.0, abs=0.01)
        assert np.corrcoef(image.ravel(), due.ravel())[0, 1] > 0.985
