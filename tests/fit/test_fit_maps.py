"""Maps from a whole study: order of the fits, grids, background, fat."""

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.protocols import FULL
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.fit.order import fit_order
from rmqnet.physics.signals import synthesize

SHAPE = (3, 32, 32)
GRID = centered_grid(SHAPE, (3.0, 2.0, 2.0))
SPIN_LOCK = tuple(Acquisition("spin_lock", spin_lock_time=t) for t in (0.001, 0.010, 0.030, 0.060))
SUBJECT = Subject("01", "right")


def leg() -> tuple[NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
    """A round leg in air, T1 rising to one side, T1rho to the other; fat in its lowest rows."""
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    inside = np.broadcast_to(y**2 + x**2 < 0.7, SHAPE)
    fat = inside & (y > 0.5)
    values = {
        "M0": np.where(inside, 1000.0, 0.0),
        "T1": np.where(fat, 0.37, 1.0 + 0.4 * x + 0 * inside),
        "B1": 1.0 + 0.1 * y + 0 * inside,
        "T1rho": 0.040 + 0.010 * x + 0 * inside,
    }
    return inside, values


INSIDE, TRUTH = leg()
FAT = INSIDE & (TRUTH["T1"] == 0.37)


def series(images: tuple[Acquisition, ...], grid: Grid = GRID, seed: int = 0) -> ImageSeries:
    """Images of the leg with a little noise; fat is dark where it is saturated."""
    values = dict(TRUTH)
    if images[0].fat_saturated:
        values["preparation_efficiency"] = np.where(FAT, 0.05, 1.0)
    signals = synthesize(images, values)
    noise = np.random.default_rng(seed).normal(0, 1.0, (2, *signals.shape))
    return ImageSeries(np.hypot(signals + noise[0], noise[1]).astype(np.float32), images, grid)


ALL: Mapping[Method, ImageSeries] = {
    "afi": series(FULL.acquisitions[11:], seed=1),
    "vfa": series(FULL.acquisitions[:4], seed=2),
    "adiabatic_t1rho": series(FULL.acquisitions[4:11], seed=3),
}
TISSUE = INSIDE & ~FAT


def only(*methods: Method) -> Scan:
    return Scan(SUBJECT, {method: ALL[method] for method in methods})


def maps_of(scan: Scan, **options) -> MapSet:
    return fit(scan, FitConfig(**options))


@pytest.fixture(scope="module")
def maps() -> MapSet:
    return maps_of(only("afi", "vfa", "adiabatic_t1rho"))


def test_all_four_maps_come_near_the_truth(maps: MapSet) -> None:
    """Median errors, at cartilage signals of 100 over noise of 1 and B1 smoothed over 4 mm."""
    for name, tolerance in {"B1": 0.01, "T1": 0.03, "T1rho": 0.03, "M0": 0.03}.items():
        assert maps.valid(name)[TISSUE].mean() > 0.999
        error = np.abs(maps.values[name][TISSUE] / TRUTH[name][TISSUE] - 1)
        assert np.nanmedian(error) < tolerance, name


def test_air_is_background_and_every_voxel_without_value_has_a_reason(maps: MapSet) -> None:
    for name, values in maps.values.items():
        assert (np.isfinite(values) == maps.valid(name)).all()
        assert (maps.reason[name][~INSIDE] == Reason.BACKGROUND).mean() > 0.95


def test_fat_is_removed_from_t1rho_only_and_nothing_else_is_taken_for_it(maps: MapSet) -> None:
    assert (maps.reason["T1rho"][FAT] == Reason.FAT).all()
    assert (maps.reason["T1"][FAT] == Reason.VALID).all()
    assert not (maps.reason["T1rho"][TISSUE] == Reason.FAT).any()
    kept = maps_of(only("afi", "vfa", "adiabatic_t1rho"), remove_fat=False)
    assert not (kept.reason["T1rho"] == Reason.FAT).any()


@pytest.mark.parametrize("order", list(permutations(ALL)), ids=" ".join)
def test_the_order_of_the_series_does_not_change_a_map(order: tuple[Method, ...], maps: MapSet) -> None:
    result = fit(Scan(SUBJECT, {method: ALL[method] for method in order}))
    for name, values in maps.values.items():
        np.testing.assert_array_equal(result.values[name], values)
        np.testing.assert_array_equal(result.reason[name], maps.reason[name])


@pytest.mark.parametrize("method", ALL)
def test_the_order_of_the_images_of_a_series_does_not_change_a_map(method: Method, maps: MapSet) -> None:
    """For AFI: exchanging its two volumes, together with their settings, is no change at all."""
    own = ALL[method]
    turned = ImageSeries(own.data[::-1], own.acquisitions[::-1], own.grid)
    result = fit(Scan(SUBJECT, {**ALL, method: turned}))
    for name, values in maps.values.items():
        np.testing.assert_allclose(result.values[name], values, rtol=1e-5, err_msg=name)


def test_spin_lock_images_beside_a_full_study_take_nothing_from_it(maps: MapSet) -> None:
    result = fit(Scan(SUBJECT, {"spin_lock": series(SPIN_LOCK), **ALL}))
    for name in ("M0", "T1", "T1rho"):
        np.testing.assert_array_equal(result.values[name], maps.values[name])


def test_spin_lock_images_alone_give_t1rho() -> None:
    result = fit(Scan(SUBJECT, {"spin_lock": series(SPIN_LOCK)}))
    assert set(result.values) == {"T1rho", "M0"}
    error = np.abs(result.values["T1rho"][INSIDE] / TRUTH["T1rho"][INSIDE] - 1)
    assert np.nanmedian(error) < 0.005


def test_every_step_comes_after_the_steps_that_give_what_it_needs() -> None:
    for methods in permutations(["spin_lock", "adiabatic_t1rho", "vfa", "afi"]):
        have: set[str] = set()
        for step in fit_order(methods, []):
            assert set(step.needs) <= have
            assert not set(step.gives) & have
            have |= set(step.gives)
        assert have == {"B1", "M0", "T1", "T1rho"}


def test_without_afi_images_the_message_names_the_option() -> None:
    with pytest.raises(InputError, match=r"vfa.* B1.*--assumed-b1"):
        fit(only("vfa"))


def test_without_vfa_images_the_message_names_both_missing_quantities() -> None:
    with pytest.raises(InputError, match=r"T1 and B1.*--assumed-b1|T1 and B1.*--assumed-t1"):
        fit(only("adiabatic_t1rho"))


def test_assumed_quantities_are_taken_and_said() -> None:
    notes: list[str] = []
    result = fit(only("adiabatic_t1rho"), FitConfig(assumed_b1=1.0, assumed_t1=1.0), notes=notes)
    assert set(result.values) == {"T1rho"}
    assert any("B1" in note and "taken as 1" in note for note in notes)
    assert any("T1 was" in note for note in notes)


@pytest.mark.parametrize("count", [1, 2], ids=["one image", "one image twice"])
@pytest.mark.parametrize("method", ["vfa", "adiabatic_t1rho"])
def test_images_of_one_setting_are_refused(method: Method, count: int) -> None:
    whole = ALL[method]
    few = ImageSeries(whole.data[[0] * count], (whole.acquisitions[0],) * count, whole.grid)
    with pytest.raises(InputError, match=f"one {method} image.*add"):
        fit(Scan(SUBJECT, {**ALL, method: few}))


def test_three_afi_images_are_refused() -> None:
    afi = ALL["afi"]
    three = ImageSeries(afi.data[[0, 1, 1]], (*afi.acquisitions, afi.acquisitions[1]), afi.grid)
    with pytest.raises(InputError, match="exactly two AFI images, got 3"):
        fit(Scan(SUBJECT, {"afi": three}))


def test_one_afi_image_twice_is_no_pair() -> None:
    afi = ALL["afi"]
    twice = ImageSeries(afi.data[[0, 0]], (afi.acquisitions[0],) * 2, afi.grid)
    with pytest.raises(InputError, match="no pair"):
        fit(Scan(SUBJECT, {"afi": twice}))


def test_series_on_different_grids_are_refused() -> None:
    moved = series(FULL.acquisitions[4:11], centered_grid(SHAPE, (3.0, 2.0, 2.1)))
    with pytest.raises(InputError, match=r"vfa and adiabatic_t1rho .* different grids.*register"):
        fit(Scan(SUBJECT, {**ALL, "adiabatic_t1rho": moved}))


def test_a_mask_of_another_shape_is_refused_and_so_is_an_empty_one() -> None:
    with pytest.raises(InputError, match="mask"):
        fit(only("afi", "vfa"), mask=np.ones((2, 2, 2), bool))
    with pytest.raises(InputError, match="no voxel is left"):
        fit(only("afi", "vfa", "adiabatic_t1rho"), mask=np.zeros(SHAPE, bool))


def test_an_image_cropped_to_the_joint_keeps_its_tissue_and_says_that_no_air_was_found() -> None:
    cut = (slice(None), slice(None), slice(8, 22), slice(8, 24))
    grid = centered_grid((SHAPE[0], 14, 16), (3.0, 2.0, 2.0))
    cropped = {m: ImageSeries(s.data[cut], s.acquisitions, grid) for m, s in ALL.items()}
    notes: list[str] = []
    result = fit(Scan(SUBJECT, cropped), notes=notes)
    assert any("No noise of air" in note for note in notes)
    assert result.valid("T1").mean() > 0.99


def test_damaged_voxels_cost_only_themselves(maps: MapSet) -> None:
    vfa = ALL["vfa"].data.copy()
    vfa[0, 1, 16, 16], vfa[2, 1, 17, 16] = np.nan, np.inf
    result = fit(Scan(SUBJECT, {**ALL, "vfa": ImageSeries(vfa, ALL["vfa"].acquisitions, GRID)}))
    for at in ((1, 16, 16), (1, 17, 16)):
        assert result.reason["T1"][at] == Reason.BAD_SIGNAL
        assert result.reason["T1rho"][at] == Reason.MISSING_GIVEN
        assert np.isnan(result.values["T1"][at])
    rest = np.ones(SHAPE, bool)
    rest[1, 16:18, 16] = False
    # the threshold follows the mean of the images, so only tissue far above it is compared
    rest &= TISSUE
    np.testing.assert_array_equal(result.values["T1"][rest], maps.values["T1"][rest])


def test_an_afi_pair_that_covers_half_of_the_leg_leaves_the_rest_missing_without_a_warning() -> None:
    afi = ALL["afi"]
    affine = GRID.affine.copy()
    half = ImageSeries(afi.data[:, :, :16], afi.acquisitions, Grid((3, 16, 32), affine))
    result = fit(Scan(SUBJECT, {**ALL, "afi": half}))
    seen, unseen = TISSUE.copy(), TISSUE.copy()
    seen[:, 15:] = False
    unseen[:, :17] = False
    assert result.valid("T1")[seen].mean() > 0.99
    for name in ("B1", "T1", "T1rho"):
        assert set(np.unique(result.reason[name][unseen])) == {Reason.MISSING_GIVEN}


def test_complex_images_give_the_maps_of_their_magnitudes(maps: MapSet) -> None:
    phase = np.exp(1j * np.linspace(0, 6, 32))
    turned = {
        m: ImageSeries((s.data * phase).astype(np.complex64), s.acquisitions, GRID) for m, s in ALL.items()
    }
    result = fit(Scan(SUBJECT, turned))
    both = result.valid("T1") & maps.valid("T1")
    assert both.sum() > 0.99 * maps.valid("T1").sum()
    np.testing.assert_allclose(
        result.values["T1"][both & TISSUE], maps.values["T1"][both & TISSUE], rtol=1e-3
    )


def test_the_scale_of_the_images_changes_m0_and_nothing_else(maps: MapSet) -> None:
    for scale in (1e-4, 1e5):
        scaled = {m: ImageSeries(s.data * np.float32(scale), s.acquisitions, GRID) for m, s in ALL.items()}
        result = fit(Scan(SUBJECT, scaled))
        for name, factor in {"T1": 1.0, "T1rho": 1.0, "M0": scale}.items():
            expected = maps.values[name][TISSUE] * factor
            np.testing.assert_allclose(result.values[name][TISSUE], expected, rtol=1e-4)


@pytest.mark.parametrize(
    "option", [{"assumed_b1": 100.0}, {"assumed_t1": 1000.0}, {"b1_smoothing": -1.0},
               {"fat_t1": float("nan")}], ids=str,
)  # fmt: skip
def test_options_that_no_knee_has_are_refused(option: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(option))):
        FitConfig(**option)


def test_a_quantity_that_was_measured_is_not_assumed():
    scan = only("afi", "vfa", "adiabatic_t1rho")
    with pytest.raises(InputError, match="leave out --assumed-b1"):
        fit(scan, FitConfig(assumed_b1=1.0))
    with pytest.raises(InputError, match="leave out --assumed-t1"):
        fit(scan, FitConfig(assumed_t1=1.0))
    with pytest.raises(InputError, match="b1_method"):
        FitConfig(b1_method="magic")  # pyright: ignore[reportArgumentType]
