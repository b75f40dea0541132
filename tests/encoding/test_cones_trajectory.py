"""Cones cover k-space without gaps, within the limits of a scanner."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from rmqnet.domain.errors import InputError
from rmqnet.encoding.cones import cones, spokes_needed, waveforms
from rmqnet.encoding.cones_settings import CONES_PRESETS, ConesSettings, afi_settings, cones_preset

SMALL = ConesSettings(shape=(12, 48, 48), n_spokes=None)
GYROMAGNETIC = 42577.478518  # 1/mm per T/m s


def test_waveforms_keep_within_gradient_and_slew_limits() -> None:
    for settings in (
        SMALL,
        CONES_PRESETS["short"],
        replace(SMALL, gradient_limit=0.02, slew_limit=70.0, raster=1e-5),
    ):
        gradients = waveforms(settings)
        assert np.linalg.norm(gradients, axis=-1).max() <= settings.gradient_limit * (1 + 1e-6)
        steps = np.diff(gradients, axis=1, prepend=0)
        # the first step, from nothing, too
        slew = np.linalg.norm(steps, axis=-1) / settings.raster
        assert slew.max() <= settings.slew_limit * (1 + 1e-6)
        # and they use what they may: a design that crawls would need more spokes
        assert np.median(slew[: len(slew) // 2]) > 0.9 * settings.slew_limit


def test_the_gradients_of_the_samples_are_within_the_limits_too() -> None:
    # the scaled cones, not only the designed ones; 2 % for positions rounded to single precision
    settings = replace(SMALL, dwell_time=4e-6)
    way = np.diff(cones(settings).trajectory.astype(np.float64), axis=1) / settings.dwell_time
    gradient = way / GYROMAGNETIC
    assert np.linalg.norm(gradient, axis=-1).max() < 1.02 * settings.gradient_limit
    slew = np.diff(gradient, axis=1) / settings.dwell_time
    assert np.linalg.norm(slew, axis=-1).max() < 1.02 * settings.slew_limit


def test_spokes_run_from_the_center_to_the_ellipsoid() -> None:
    made = cones(SMALL)
    k_z, k_xy = SMALL.k_max
    assert not made.trajectory[:, 0].any()
    ends = made.trajectory[:, -1] / (k_z, k_xy, k_xy)
    np.testing.assert_allclose(np.linalg.norm(ends, axis=1), 1, atol=1e-5)
    reach = np.linalg.norm(made.trajectory / (k_z, k_xy, k_xy), axis=-1)
    assert (np.diff(reach, axis=1) > 0).all()
    assert made.read_times[0] == pytest.approx(3.2e-5)
    assert np.diff(made.read_times) == pytest.approx(SMALL.dwell_time)


def test_full_sampling_leaves_no_gap_of_a_cell() -> None:
    # farthest from any spoke, in cells of 1 / field of view: half a cell across cones and half across turns;
    # many samples per spoke, so that the distance along it counts little
    dense = replace(SMALL, dwell_time=1e-6)
    made = cones(dense)
    cells = made.trajectory.reshape(-1, 3) * np.float32(SMALL.field_of_view)
    ends = np.array(
        [k * side for k, side in zip((*SMALL.k_max, SMALL.k_max[1]), (108, 150, 150), strict=True)]
    )
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (20000, 3))
    # at the very end the next turn is missing
    points = points[np.linalg.norm(points, axis=1) < 0.97] * ends
    distance = cKDTree(cells).query(points)[0]
    assert distance.max() < np.sqrt(0.5**2 + 0.5**2) + 0.03
    half = cones(replace(dense, n_spokes=made.n_needed // 2))
    sparse = cKDTree(half.trajectory.reshape(-1, 3) * np.float32(SMALL.field_of_view)).query(points)[0]
    assert sparse.max() > 0.9


def test_the_density_is_the_volume_of_the_ellipsoid_and_that_of_its_inner_parts() -> None:
    for n_spokes in (None, 300):
        made = cones(replace(SMALL, n_spokes=n_spokes))
        k_z, k_xy = SMALL.k_max
        volume = 4 / 3 * np.pi * k_z * k_xy**2
        assert made.density.sum(dtype=np.float64) == pytest.approx(volume, rel=1e-5)
        inside = np.linalg.norm(made.trajectory / (k_z, k_xy, k_xy), axis=-1) < 0.5
        assert made.density[inside].sum(dtype=np.float64) == pytest.approx(volume / 8, rel=0.03)


def test_longer_read_outs_and_stronger_gradients_need_fewer_spokes() -> None:
    needed = [spokes_needed(replace(SMALL, read_duration=t)) for t in (0.0008, 0.0011, 0.0022)]
    assert needed[0] > needed[1] > needed[2]
    assert spokes_needed(replace(SMALL, slew_limit=75.0)) > needed[1]


def test_the_presets_need_as_many_spokes_as_other_designs_of_the_same_geometry() -> None:
    # PHYSICS 3.2, another designer: 7934 at 2.75 ms, 15-28 thousand at 1.0-1.5 ms, AFI 2475 at 1.8 ms
    needed = {name: spokes_needed(preset) for name, preset in CONES_PRESETS.items()}
    assert 15000 < needed["short"] < 28000
    assert 6900 < needed["full"] <= 7100
    assert cones(CONES_PRESETS["fast"]).undersampling == 1
    longer = replace(CONES_PRESETS["short"], read_duration=0.00275)
    assert spokes_needed(longer) == pytest.approx(7934, rel=0.1)
    afi = replace(afi_settings(CONES_PRESETS["short"]), read_duration=0.0018)
    assert afi.shape == (18, 128, 128)
    assert spokes_needed(afi) == pytest.approx(2475, rel=0.1)


def test_no_design_reads_more_cells_than_its_way_is_long() -> None:
    # PHYSICS 3.2: a spoke passes at most gamma G T FOV cells
    for preset in CONES_PRESETS.values():
        cells = 4 / 3 * np.pi * np.prod([n / 2 for n in preset.shape])
        longest = GYROMAGNETIC * preset.gradient_limit * preset.read_duration * preset.field_of_view[1]
        assert spokes_needed(preset) > cells / longest


def test_any_run_of_golden_spokes_covers_all_cones_evenly() -> None:
    made = cones(replace(SMALL, n_spokes=1200))
    height = made.trajectory[:, -1, 0]
    whole = np.histogram(height, 6)[0] / len(height)
    for start in (0, 333, 900):
        part = np.histogram(height[start : start + 120], 6, (height.min(), height.max()))[0] / 120
        np.testing.assert_allclose(part, whole, atol=0.03)
    same = cones(replace(SMALL, n_spokes=1200, order="sequential")).trajectory
    assert np.array_equal(np.sort(same[:, -1, 0]), np.sort(height))
    assert (np.diff(same[:, -1, 0]) > -1e-6).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"read_duration": 0.0002}, "too short to reach the end of k-space"),
        ({"n_spokes": 20}, "at least one for each of the"),
        ({"shape": (12, 48, 40)}, "the same along y and x"),
        ({"field_of_view": (108.0, 150.0, 120.0)}, "the same along y and x"),
        ({"shape": (2, 48, 48)}, "4 or more voxels"),
        ({"gradient_limit": 50.0}, "gradient_limit must be in"),
        ({"dwell_time": 3.0}, "dwell_time must be in"),
        ({"order": "random"}, "golden, sequential"),
        ({"n_base_cones": 0}, "must be positive"),
    ],
)
def test_settings_that_can_not_be_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cones(replace(SMALL, **change))


def test_names_and_factors_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match="short, stretched, full, fast"):
        cones_preset("spiral")
    with pytest.raises(InputError, match="divisible by 5"):
        afi_settings(SMALL, 5)


def test_the_page_of_cones_is_current() -> None:
    path = Path(__file__).parents[2] / "scripts" / "write_cones_table.py"
    spec = importlib.util.spec_from_file_location("write_cones_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.page() == module.PAGE.read_text(), "run: python scripts/write_cones_table.py"
