"""Every metric against an independent computation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist

from rmqnet.domain.errors import InputError
from rmqnet.evaluate.bootstrap import percentile_interval, permutation_p, subject_weights
from rmqnet.evaluate.case import PairedVoxels
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.correlation import AGREEMENT_METRICS, agreement, sums_of
from rmqnet.evaluate.errors import ERROR_METRICS, slice_errors
from rmqnet.evaluate.overlap import overlap
from rmqnet.evaluate.paper import CORRELATIONS, paper_scores


def _cohort(seed=0, n_subjects=6, noise=0.1):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 60, n_subjects)
    targets = [1.0 + 0.2 * rng.normal() + 0.1 * rng.normal(size=n) for n in sizes]
    return targets, [0.1 + 0.9 * t + noise * rng.normal(size=t.size) for t in targets]


def _brute(targets, predictions):
    x, y = np.concatenate(targets), np.concatenate(predictions)
    mean_x, mean_y = ([v.mean() for v in values] for values in (targets, predictions))
    inner_x, inner_y = (np.concatenate([v - v.mean() for v in values]) for values in (targets, predictions))
    fit = stats.linregress(x, y)
    difference = y - x
    return {
        "pearson_r": stats.pearsonr(x, y).statistic,
        "lin_ccc": 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2),
        "slope": fit.slope,
        "intercept": fit.intercept,
        "bias": difference.mean(),
        "limit_low": difference.mean() - 1.96 * difference.std(ddof=1),
        "limit_high": difference.mean() + 1.96 * difference.std(ddof=1),
        "between_subject_r": stats.pearsonr(mean_x, mean_y).statistic,
        "within_subject_r": stats.pearsonr(inner_x, inner_y).statistic,
    }


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-3, 1.0, 1e4]), n_subjects=st.integers(3, 9))
@settings(max_examples=40, deadline=None)
def test_agreement_from_sums_equals_agreement_from_all_values(seed, scale, n_subjects):
    targets, predictions = (
        [scale * v for v in values] for values in _cohort(seed=seed, n_subjects=n_subjects)
    )
    sums = np.array([sums_of(x, y) for x, y in zip(targets, predictions, strict=True)])
    ours = agreement(sums, np.ones((1, n_subjects)))
    assert tuple(ours) == AGREEMENT_METRICS
    for name, value in _brute(targets, predictions).items():
        assert ours[name][0] == pytest.approx(value, rel=1e-7, abs=1e-9 * scale), name


def test_weights_mean_that_a_subject_is_drawn_several_times():
    targets, predictions = _cohort(seed=3)
    sums = np.array([sums_of(x, y) for x, y in zip(targets, predictions, strict=True)])
    drawn = [0, 0, 0, 2, 5, 5]
    weights = np.bincount(drawn, minlength=6)[None].astype(float)
    ours = agreement(sums, weights)
    brute = _brute([targets[k] for k in drawn], [predictions[k] for k in drawn])
    for name, value in brute.items():
        assert ours[name][0] == pytest.approx(value, rel=1e-8), name


def test_identical_maps_agree_perfectly():
    targets, _ = _cohort()
    sums = np.array([sums_of(x, x) for x in targets])
    ours = agreement(sums, np.ones((1, len(targets))))
    for name in ("pearson_r", "lin_ccc", "slope", "between_subject_r", "within_subject_r"):
        assert ours[name][0] == pytest.approx(1.0, abs=1e-12)
    for name in ("bias", "limit_low", "limit_high", "intercept"):
        assert ours[name][0] == pytest.approx(0.0, abs=1e-7)


def test_a_constant_prediction_has_no_correlation_but_a_slope_of_zero():
    targets, _ = _cohort()
    constant = np.float64(np.float32(0.985))
    sums = np.array([sums_of(x, np.full(x.size, constant)) for x in targets])
    ours = agreement(sums, np.ones((1, len(targets))))
    assert np.isnan(ours["pearson_r"][0])
    assert np.isnan(ours["between_subject_r"][0])
    assert ours["slope"][0] == pytest.approx(0, abs=1e-10)


def test_bootstrap_of_a_million_voxels_costs_milliseconds_because_only_sums_are_resampled():
    rng = np.random.default_rng(0)
    sums = np.array([sums_of(x, x + rng.normal(size=x.size)) for x in rng.normal(size=(10, 100_000))])
    resampled = agreement(sums, subject_weights(10, 1000, 0))
    assert resampled["pearson_r"].shape == (1000,)
    assert resampled["pearson_r"].mean() == pytest.approx(np.sqrt(0.5), abs=0.01)


def test_bootstrap_interval_covers_the_true_bias_about_as_often_as_it_says():
    covered = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        # the error of a subject is common to its voxels, so that only subjects carry information
        people = rng.normal(0.05, 0.1, 20)
        targets = rng.normal(1, 0.2, (20, 30))
        sums = np.array(
            [sums_of(x, x + p + 0.05 * rng.normal(size=30)) for x, p in zip(targets, people, strict=True)]
        )
        low, high = percentile_interval(agreement(sums, subject_weights(20, 400, seed))["bias"])
        covered += low <= 0.05 <= high
    # nominal 95 %; percentile intervals of 20 subjects are a little short, and 150 runs have an SE of 2 %
    assert 0.87 <= covered / 150 <= 0.99


def test_permutation_p_is_uniform_without_and_small_with_an_association():
    rng = np.random.default_rng(5)
    p = [permutation_p(rng.normal(size=12), rng.normal(size=12), 199, seed) for seed in range(60)]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    x = rng.normal(size=12)
    assert permutation_p(x, x, 1999, 0) == pytest.approx(1 / 2000)


def test_permutation_p_agrees_with_the_exact_test_of_scipy():
    rng = np.random.default_rng(2)
    x = rng.normal(size=7)
    y = x + 1.5 * rng.normal(size=7)
    exact = stats.pearsonr(x, y, method=stats.PermutationMethod(n_resamples=np.inf)).pvalue
    # 9999 random permutations have a standard error below 0.005
    assert permutation_p(x, y, 9999, 1) == pytest.approx(exact, abs=0.02)


def test_errors_of_a_slice_equal_their_definitions():
    rng = np.random.default_rng(1)
    index = np.repeat([2, 5, 7], [30, 25, 10])
    target = rng.normal(1, 0.1, 65)
    prediction = target + rng.normal(0, 0.05, 65)
    table = slice_errors(PairedVoxels(index, target, prediction), 20)
    assert table["slice"].tolist() == [2, 5], "ten voxels are too few"
    for _, row in table.iterrows():
        e, t = (prediction - target)[index == row["slice"]], target[index == row["slice"]]
        assert row["l1"] == pytest.approx(np.mean(np.abs(e)))
        assert row["l2"] == pytest.approx(np.sqrt(np.mean(e**2)))
        assert row["l2_paper"] == pytest.approx(np.linalg.norm(e) / e.size)
        assert row["l2"] / row["l2_paper"] == pytest.approx(np.sqrt(e.size))
        for name in ("l1", "l2", "l2_paper"):
            assert row[f"normalized_{name}"] == pytest.approx(row[name] / t.mean())
    assert set(ERROR_METRICS) < set(table.columns)


def _box(start, shape=(14, 30, 30)):
    mask = np.zeros(shape, bool)
    mask[start[0] : start[0] + 6, start[1] : start[1] + 15, start[2] : start[2] + 15] = True
    return mask


def test_a_shift_by_one_slice_of_three_mm_is_a_hausdorff_distance_of_three_mm():
    scores = overlap(_box((5, 5, 5)), _box((4, 5, 5)), (3.0, 0.6, 0.6))
    assert scores["hd95"] == pytest.approx(3.0)
    assert scores["dice"] == pytest.approx(5 / 6)
    assert scores["volume_difference"] == 0


def test_a_shift_in_plane_is_measured_with_the_size_of_the_voxel_in_plane():
    scores = overlap(_box((5, 7, 5)), _box((5, 5, 5)), (3.0, 0.6, 0.6))
    assert scores["hd95"] == pytest.approx(1.2, abs=1e-6)


def test_surface_distances_equal_a_brute_force_over_edge_voxels():
    rng = np.random.default_rng(4)
    from scipy.ndimage import binary_erosion, gaussian_filter

    a, b = (gaussian_filter(rng.normal(size=(10, 20, 20)), 2) > 0.02 for _ in range(2))
    a[[0, -1]] = b[[0, -1]] = False
    size = np.array([3.0, 0.6, 0.7])
    edge_a, edge_b = (np.argwhere(m & ~binary_erosion(m)) * size for m in (a, b))
    distances = cdist(edge_a, edge_b)
    there, back = distances.min(axis=1), distances.min(axis=0)
    scores = overlap(a, b, size.tolist())
    assert scores["hd95"] == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)), rel=1e-4)
    assert scores["assd"] == pytest.approx((there.sum() + back.sum()) / (there.size + back.size), rel=1e-4)
    assert scores["volume_difference"] == pytest.approx((a.sum() - b.sum()) * 3.0 * 0.6 * 0.7)


def test_an_empty_prediction_has_dice_zero_and_no_distance_an_empty_target_has_nothing():
    mask, nothing = _box((4, 5, 5)), np.zeros((14, 30, 30), bool)
    scores = overlap(nothing, mask, (3.0, 0.6, 0.6))
    assert scores["dice"] == 0
    assert np.isnan(scores["hd95"])
    assert scores["relative_volume_difference"] == -1
    assert all(np.isnan(value) for value in overlap(mask, nothing, (3.0, 0.6, 0.6)).values())


def test_the_sixteen_correlations_are_those_of_table_1_of_the_paper():
    found = {(s.input_set, s.level, s.quantity): s.value for s in paper_scores() if s.metric == "pearson_r"}
    assert len(found) == 16 == sum(len(values) for values in CORRELATIONS.values())
    assert found["4FA+7TSL", "roi", "T1"] == 0.918
    assert found["2FA+3TSL", "roi", "T1rho"] == 0.841
    assert found["1FA+2TSL", "voxel", "T1rho"] == 0.914
    assert found["1FA+1TSL", "voxel", "T1"] == 0.945
    assert found["1FA+1TSL", "roi", "T1rho"] == 0.733


def test_table_2_of_the_paper_is_held_in_seconds_and_ratios():
    table = pd.DataFrame([vars(s) for s in paper_scores()]).set_index(["input_set", "quantity", "metric"])
    assert table.loc[("1FA+2TSL", "T1", "l1_mean"), "value"] == pytest.approx(0.06788)
    assert table.loc[("2FA+3TSL", "T1rho", "normalized_l1_mean"), "value"] == pytest.approx(0.0872)
    assert table.loc[("1FA+1TSL", "T1rho", "l2_paper_sd"), "value"] == pytest.approx(0.00015)


@pytest.mark.parametrize("change", [{"regions": ()}, {"n_bootstrap": 0}, {"minimum_roi_voxels": 0}])
def test_a_configuration_that_leaves_nothing_to_compare_is_refused(change):
    with pytest.raises(InputError, match="must"):
        EvaluateConfig(**change)
