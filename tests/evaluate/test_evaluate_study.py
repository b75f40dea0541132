"""The whole evaluation on a tiny cohort, recomputed by hand."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from synthetic_cases import make_cases

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import Prediction, Segmentation
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.evaluate import evaluate

CONFIG = EvaluateConfig(
    regions=("cartilage", "medial_tibial_cartilage", "meniscus"),
    quantities=("T1", "T1rho"),
    n_bootstrap=100,
    n_permutations=99,
)


@pytest.fixture(scope="module")
def cases():
    return make_cases(6)


@pytest.fixture(scope="module")
def evaluation(cases):
    return evaluate(cases, CONFIG)


def _score(evaluation, metric, level, **about):
    wanted = {"subject": "all", "group": "all", "input_set": "1FA+1TSL", "quantity": "T1"}
    wanted |= {"tissue": "cartilage", "against": "reference", "metric": metric, "level": level} | about
    found = [s for s in evaluation.scores if all(getattr(s, k) == v for k, v in wanted.items())]
    assert len(found) == 1
    return found[0]


def _common(cases, subject, quantity):
    own = [c for c in cases if c.subject.name == subject]
    return np.logical_and.reduce([np.isfinite(c.prediction.maps.values[quantity]) for c in own])


def test_roi_r_is_that_of_slice_means_in_each_own_mask(cases, evaluation):
    x, y = [], []
    for case in cases:
        if case.input_set != "1FA+1TSL":
            continue
        reference, predicted = case.reference.values["T1"], case.prediction.maps.values["T1"]
        usable = _common(cases, case.subject.name, "T1")
        for z in range(reference.shape[0]):
            reader = case.reference_segmentation.mask("cartilage")[z] & usable[z]
            own = case.prediction.segmentation.mask("cartilage")[z] & np.isfinite(predicted[z])
            if min(reader.sum(), own.sum()) >= 20:
                x.append(reference[z][reader].mean(dtype=float))
                y.append(predicted[z][own].mean(dtype=float))
    score = _score(evaluation, "pearson_r", "roi")
    assert score.value == pytest.approx(stats.pearsonr(x, y).statistic, rel=1e-6)
    assert score.count == len(x)
    assert score.low <= score.value <= score.high


def test_voxel_r_uses_the_same_voxels_for_every_input_set(cases, evaluation):
    for input_set in ("4FA+7TSL", "1FA+1TSL"):
        x, y = [], []
        for case in cases:
            if case.input_set == input_set:
                mask = case.reference_segmentation.mask("cartilage")
                mask &= _common(cases, case.subject.name, "T1") & np.isfinite(case.reference.values["T1"])
                x.append(case.reference.values["T1"][mask])
                y.append(case.prediction.maps.values["T1"][mask])
        score = _score(evaluation, "pearson_r", "voxel", input_set=input_set)
        r = stats.pearsonr(np.concatenate(x).astype(float), np.concatenate(y).astype(float)).statistic
        assert score.value == pytest.approx(r, rel=1e-6)
        assert score.count == sum(map(len, x))


def test_truth_scores_compare_with_the_truth_in_its_own_mask(cases, evaluation):
    x, y = [], []
    for case in cases:
        if case.input_set == "1FA+1TSL":
            mask = case.truth_segmentation.mask("meniscus") & _common(cases, case.subject.name, "T1rho")
            x.append(case.truth.values["T1rho"][mask])
            y.append(case.prediction.maps.values["T1rho"][mask])
    x, y = np.concatenate(x).astype(float), np.concatenate(y).astype(float)
    score = _score(evaluation, "bias", "voxel", quantity="T1rho", tissue="meniscus", against="truth")
    assert score.value == pytest.approx(np.mean(y - x), rel=1e-6)


def test_groups_hold_their_own_subjects_only(cases, evaluation):
    groups = {s.group for s in evaluation.scores if s.subject == "all"}
    assert groups == {"all", "control", "doubtful_minimal", "moderate_severe"}
    counts = {g: _score(evaluation, "pearson_r", "voxel", group=g).count for g in groups}
    assert counts["all"] == sum(count for group, count in counts.items() if group != "all")
    assert np.isnan(_score(evaluation, "pearson_r", "voxel", group="control").low), (
        "two subjects, no interval"
    )


def test_r_between_fewer_than_five_subjects_has_no_interval(cases, evaluation):
    assert np.isfinite(_score(evaluation, "between_subject_r", "roi").low)
    four = evaluate(cases[:8], CONFIG)
    assert np.isfinite(_score(four, "between_subject_r", "roi").value)
    assert np.isnan(_score(four, "between_subject_r", "roi").low)
    assert np.isfinite(_score(four, "pearson_r", "roi").low)


def test_pure_cartilage_holds_only_voxels_of_high_fraction(cases, evaluation):
    score = _score(evaluation, "pearson_r", "voxel", tissue="pure_cartilage")
    expected = 0
    for case in cases[::2]:
        mask = case.reference_segmentation.mask("cartilage") & (case.cartilage_fraction >= 0.95)
        expected += int(np.sum(mask & _common(cases, case.subject.name, "T1")))
    assert score.count == expected


def test_without_truth_and_fraction_there_are_no_such_scores(cases):
    real = [
        dataclasses.replace(c, truth=None, truth_segmentation=None, cartilage_fraction=None) for c in cases
    ]
    scores = evaluate(real, CONFIG).scores
    assert {s.against for s in scores} == {"reference"}
    assert "pure_cartilage" not in {s.tissue for s in scores}


def test_slices_that_are_too_small_or_not_predicted_are_counted(evaluation):
    table = evaluation.dropped.set_index(["input_set", "region", "quantity"])
    row = table.loc[("1FA+1TSL", "cartilage", "T1")]
    assert row["n_reader"] == 60
    assert row["n_not_predicted"] == 6, "the first slice of each subject has no predicted mask"
    assert (
        row["n_kept"] + row["n_small"] + row["n_not_predicted"] + row["n_predicted_small"] == row["n_reader"]
    )


def test_a_slice_of_nineteen_voxels_is_dropped_and_one_of_twenty_is_kept(cases):
    case = cases[0]
    labels = np.zeros_like(case.reference_segmentation.labels)
    labels[4, 30, :20] = 1
    labels[6, 30, :19] = 1
    segmentation = Segmentation(labels, SEGMENTED, case.reference.grid)
    changed = dataclasses.replace(
        case,
        reference_segmentation=segmentation,
        truth=None,
        truth_segmentation=None,
        prediction=Prediction(case.prediction.maps, segmentation),
    )
    table = changed.roi_means("T1", "cartilage", 20).set_index("slice")
    assert table.index.tolist() == [4, 6]
    expected = case.reference.values["T1"][4, 30, :20].mean(dtype=float)
    assert table.loc[4, "reference"] == pytest.approx(expected)
    assert np.isnan(table.loc[6, "reference"])


def test_empty_predicted_masks_are_counted_and_have_dice_zero(cases):
    case = cases[0]
    nothing = Segmentation(np.zeros_like(case.reference_segmentation.labels), SEGMENTED, case.reference.grid)
    empty = dataclasses.replace(case, prediction=Prediction(case.prediction.maps, nothing))
    evaluation = evaluate([empty], CONFIG)
    assert _score(evaluation, "n_empty_predictions", "volume", quantity="", input_set="4FA+7TSL").value == 1
    assert _score(evaluation, "dice_mean", "volume", quantity="", input_set="4FA+7TSL").value == 0
    row = evaluation.dropped.set_index(["region", "quantity"]).loc[("cartilage", "T1")]
    assert row["n_kept"] == 0
    assert row["n_not_predicted"] == 10


def test_voxels_without_a_value_are_counted_by_cause(cases, evaluation):
    table = evaluation.invalid.set_index(["input_set", "region", "quantity", "cause"])["n_voxels"]
    masks = [c.reference_segmentation.mask("cartilage") for c in cases[::2]]
    place = ("1FA+1TSL", "cartilage")
    assert table[(*place, "T1", "no prediction")] == sum(int(m[5, 20].sum()) for m in masks)
    failed = table[(*place, "T1rho", "reference: not_converged")]
    assert failed == sum(int(m[:, :, 20:22].sum()) for m in masks)
    assert failed > 0


def test_a_perfect_prediction_scores_perfectly(cases):
    perfect = [
        dataclasses.replace(c, prediction=Prediction(c.reference, c.reference_segmentation)) for c in cases
    ]
    evaluation = evaluate(perfect, CONFIG)
    for level in ("roi", "voxel"):
        for metric in ("pearson_r", "lin_ccc", "slope"):
            assert _score(evaluation, metric, level).value == pytest.approx(1, abs=1e-9)
    for metric in ("l1_mean", "l2_mean", "normalized_l1_median", "l2_paper_mean"):
        assert _score(evaluation, metric, "voxel").value == 0
    assert _score(evaluation, "dice_mean", "volume", quantity="").value == 1
    assert _score(evaluation, "hd95_mean", "volume", quantity="").value == 0


def test_the_same_seed_gives_the_same_scores_and_a_generator_of_cases_will_do(cases, evaluation):
    again = evaluate((case for case in cases), CONFIG)
    assert str(again.scores) == str(evaluation.scores)


def test_density_counts_every_voxel_within_its_edges(evaluation):
    density = next(d for d in evaluation.voxels if (d.input_set, d.quantity) == ("1FA+1TSL", "T1"))
    assert density.counts.sum() + density.n_outside == _score(evaluation, "pearson_r", "voxel").count


def test_mistakes_of_the_caller_are_named(cases):
    with pytest.raises(InputError, match="no cases"):
        evaluate([], CONFIG)
    with pytest.raises(InputError, match="must be predicted from each of"):
        evaluate(cases[:3], CONFIG)
    with pytest.raises(InputError, match="follow one another"):
        evaluate([cases[0], cases[2], cases[0]], CONFIG)
    with pytest.raises(InputError, match="keep one of each"):
        evaluate([cases[0], cases[0]], CONFIG)


def test_a_missing_map_and_another_grid_are_named(cases):
    case = cases[0]
    maps = dataclasses.replace(case.prediction.maps, values={"T1": case.prediction.maps.values["T1"]})
    lacking = dataclasses.replace(case, prediction=Prediction(maps, case.prediction.segmentation))
    with pytest.raises(InputError, match="leave it out of `quantities`"):
        evaluate([lacking], CONFIG)
    moved = centered_grid(case.reference.grid.shape, (3.0, 1.0, 1.0))
    labels = Segmentation(case.reference_segmentation.labels, SEGMENTED, moved)
    with pytest.raises(InputError, match="one grid"):
        dataclasses.replace(case, reference_segmentation=labels)
