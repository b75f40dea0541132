"""Paired differences, merged parts, responses and verdicts."""

import dataclasses
from itertools import groupby

import numpy as np
import pandas as pd
import pytest
from synthetic_cases import make_cases

from rmqnet.domain.errors import InputError
from rmqnet.domain.scores import Score
from rmqnet.evaluate.collect import Collected, collect_subject, merged
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.evaluate import evaluate, summarize
from rmqnet.evaluate.paired import paired_differences
from rmqnet.evaluate.response import RESPONSE_COLUMNS, responses
from rmqnet.report.verdict import verdict

CONFIG = EvaluateConfig(
    regions=("cartilage",), quantities=("T1", "T1rho"), n_bootstrap=200, n_permutations=20
)


@pytest.fixture(scope="module")
def cases():
    return make_cases(n_subjects=5)


@pytest.fixture(scope="module")
def parts(cases) -> list[Collected]:
    found = []
    for _, own in groupby(cases, key=lambda case: case.subject.name):
        found.append(Collected())
        collect_subject(list(own), CONFIG, found[-1])
    return found


def test_parts_put_together_score_as_the_whole(cases, parts):
    whole, together = evaluate(cases, CONFIG), summarize(merged(parts), CONFIG)
    assert len(whole.scores) == len(together.scores)
    for one, other in zip(whole.scores, together.scores, strict=True):
        assert dataclasses.asdict(one) == pytest.approx(dataclasses.asdict(other), nan_ok=True)
    for one, other in zip(whole.voxels, together.voxels, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)


def test_people_without_truth_or_pure_cartilage_are_left_out_of_these_scores_alone(cases):
    real = [
        dataclasses.replace(one, truth=None, truth_segmentation=None, cartilage_fraction=None)
        if one.subject.name == "002"
        else one
        for one in cases
    ]
    scores = evaluate(real, CONFIG).scores
    others = evaluate([one for one in cases if one.subject.name != "002"], CONFIG).scores
    about = ("all", "all", "1FA+1TSL", "T1", "pure_cartilage", "voxel", "truth", "pearson_r")

    def found(rows):
        names = ("subject", "group", "input_set", "quantity", "tissue", "level", "against", "metric")
        (row,) = (one for one in rows if tuple(getattr(one, name) for name in names) == about)
        return row

    assert found(scores).value == pytest.approx(found(others).value)
    assert found(scores).count == found(others).count


def test_a_region_that_nobody_has_gives_no_difference_and_no_error(parts):
    table = paired_differences(
        merged(parts), [("4FA+7TSL", "1FA+1TSL")], CONFIG, region="patellar_cartilage", against="truth"
    )
    assert len(table) == 6
    assert table["difference"].isna().all()


def test_parts_of_one_person_or_of_other_methods_are_refused(parts):
    with pytest.raises(InputError, match="sub-001 stands in two parts"):
        merged([parts[0], parts[0]])
    other = dataclasses.replace(parts[1], input_sets=("2FA+3TSL",))
    with pytest.raises(InputError, match="compare different predictions"):
        merged([parts[0], other])


def test_a_paired_difference_is_that_of_the_scores_and_sees_what_single_intervals_hide(cases, parts):
    collected, scores = merged(parts), evaluate(cases, CONFIG).scores
    table = paired_differences(collected, [("4FA+7TSL", "1FA+1TSL")], CONFIG)
    for row in table.itertuples():
        metric = "normalized_l1_mean" if row.metric == "normalized_l1" else row.metric
        values = {
            s.input_set: s.value
            for s in scores
            if (s.quantity, s.level, s.metric, s.tissue, s.group, s.against, s.subject)
            == (row.quantity, row.level, metric, "cartilage", "all", "reference", "all")
        }
        assert row.difference == pytest.approx(values["4FA+7TSL"] - values["1FA+1TSL"], abs=1e-9)
    error = table.loc[(table["metric"] == "normalized_l1") & (table["quantity"] == "T1")].iloc[0]
    # 3 % noise against 10 %: the first is better in everybody
    assert error["high"] < 0
    assert error["n_subjects"] == 5
    same = paired_differences(collected, [("1FA+1TSL", "1FA+1TSL")], CONFIG)
    assert (same["difference"].abs() < 1e-12).all()
    assert (same["low"].abs() < 1e-12).all()


def response_rows(gain: float, shift: float) -> pd.DataFrame:
    rows = []
    for number in range(4):
        base = 1.0 + 0.1 * number
        for changed, factor in (("", 1.0), ("T1", 0.8), ("T1", 1.2), ("M0", 1.1)):
            truth = base * (factor if changed == "T1" else 1.0)
            predicted = base + gain * (truth - base) + (shift * base if changed == "M0" else 0.0)
            rows.append((f"{number:03d}", "1FA+1TSL", changed, factor, "T1", predicted, truth))
    return pd.DataFrame(rows, columns=list(RESPONSE_COLUMNS))


@pytest.mark.parametrize(("gain", "shift"), [(1.0, 0.0), (0.0, 0.0), (0.4, 0.07)])
def test_slope_and_false_shift_are_found(gain: float, shift: float):
    found = {(one.changed, one.metric): one for one in responses(response_rows(gain, shift), CONFIG)}
    assert found["T1", "slope"].value == pytest.approx(gain)
    assert found["M0", "shift"].value == pytest.approx(shift)
    assert found["T1", "slope"].count == 4
    assert found["T1", "slope"].low == pytest.approx(gain)
    with pytest.raises(InputError, match="lacks the column truth"):
        responses(response_rows(1, 0).drop(columns="truth"), CONFIG)


@pytest.mark.parametrize(
    ("low", "high", "printed", "higher", "expected"),
    [
        (0.92, 0.95, 0.91, True, "reached"),
        (0.90, 0.95, 0.91, True, "not distinguishable"),
        (0.85, 0.90, 0.91, True, "below"),
        (0.03, 0.04, 0.05, False, "reached"),
        (0.04, 0.06, 0.05, False, "not distinguishable"),
        (0.06, 0.07, 0.05, False, "below"),
        (float("nan"), float("nan"), 0.9, True, "not known"),
    ],
)
def test_an_interval_settles_a_verdict(low, high, printed, higher, expected):
    score = Score(
        *("all", "all", "1FA+1TSL", "T1", "cartilage", "roi", "reference", "pearson_r", 0.5), low, high
    )
    assert verdict(score, printed, higher_is_better=higher) == expected
