"""The best protocol: against every combination, against the paper's sets, and what it does with a scan time."""

from itertools import combinations_with_replacement, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqnet.design.assess import assess, noise_level, precision, tissue_values, worth_of_zero
from rmqnet.design.config import DesignConfig, FitKind
from rmqnet.design.search import Search, best_pair
from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import INPUT_SETS

KNOWN, PULSES, ALL = "known", "of pulses unknown", "of all unknown"


@pytest.mark.parametrize("fit", ["separate", "joint"])
@pytest.mark.parametrize("efficiency", [KNOWN, PULSES])
def test_the_exchange_search_finds_the_best_of_all_combinations(fit: FitKind, efficiency: str) -> None:
    """Every 2 of 9 flip angles with every 2 or 3 of 4 spin-lock times, scored by the bounds themselves."""
    config = DesignConfig(
        tissues=("cartilage", "meniscus"), fit=fit, largest_flip_angle=10.0, longest_spin_lock_time=0.036
    )
    search = Search(config, efficiency)
    n_times = 2 if efficiency == KNOWN else 3
    scores = [
        search.score(np.array(angles), np.array(times))
        for angles, times in product(
            combinations_with_replacement(np.arange(2.0, 11.0), 2),
            combinations_with_replacement(np.arange(0.0, 0.037, 0.012), n_times),
        )
    ]
    found = [
        item
        for item in search.designs(18.0)
        if (len(item.inputs.flip_angles), len(item.inputs.spin_lock_times)) == (2, n_times)
    ]
    assert len(found) == 1
    assert found[0].score == pytest.approx(min(scores), rel=1e-6)


@pytest.mark.parametrize("tissue", ["cartilage", "meniscus", "patellar_tendon", "muscle"])
def test_5_30_is_within_a_few_percent_of_the_best_pair(tissue: str) -> None:
    (low, high), best, paper = best_pair(tissue, DesignConfig())
    assert 4 < low < 6.5
    assert 24 < high < 34
    assert best <= paper < 1.05 * best


def test_leaving_out_spin_lock_time_zero_costs_two_to_three_times_if_f_is_known() -> None:
    found = {(b.input_set, b.fit, b.efficiency): b.sd for b in worth_of_zero(DesignConfig())}
    for without, with_zero in (("12, 36, 72", "0, 36, 72"), ("12, 72", "0, 36")):
        assert 2 <= found[without, "separate", KNOWN] / found[with_zero, "separate", KNOWN] <= 3
    # with f unknown the times (0, 36) determine nothing, and (0, 36, 72) keeps a third of its precision at most
    assert found["0, 36", "separate", PULSES] == np.inf
    assert found["0, 36, 72", "separate", PULSES] > 3 * found["0, 36, 72", "separate", KNOWN]
    # a joint fit has M0 from VFA: three times with pulses beat two, unless f is known or that of all images
    assert found["12, 36, 72", "joint", PULSES] < found["0, 36, 72", "joint", PULSES]
    assert found["12, 36, 72", "joint", ALL] > found["0, 36, 72", "joint", ALL]


def test_the_best_protocol_beats_the_papers_sets_of_the_same_time() -> None:
    config = DesignConfig()
    for name in ("2FA+3TSL", "4FA+7TSL"):
        inputs = INPUT_SETS[name]
        best = Search(config).best(inputs.seconds(with_afi=True) / 60)
        paper = Search(config).score(np.array(inputs.flip_angles), np.array(inputs.spin_lock_times))
        assert best.score < 0.9 * paper
        assert best.seconds <= inputs.seconds(with_afi=True)
        assert 0.0 in best.inputs.spin_lock_times


def test_refinement_leaves_the_grid_only_where_any_time_is_allowed() -> None:
    on_grid = Search(DesignConfig(tissues=("cartilage",))).best(17.4)
    anywhere = Search(DesignConfig(tissues=("cartilage",), spin_lock_step=0.0)).best(17.4)
    times = np.array(on_grid.inputs.spin_lock_times) / 0.012
    np.testing.assert_allclose(times, times.round(), atol=1e-3)
    assert anywhere.score <= on_grid.score
    # the notes: (0, 30) is the best pair of times for cartilage
    assert max(
        Search(DesignConfig(tissues=("cartilage",), spin_lock_step=0.0)).best(15).inputs.spin_lock_times
    ) == (pytest.approx(0.030, abs=0.004))


@settings(max_examples=8, deadline=None)
@given(minutes=st.floats(15.0, 30.0), more=st.floats(0.0, 5.0))
def test_more_time_is_never_worse_and_the_time_is_kept(minutes: float, more: float) -> None:
    search = Search(DesignConfig(tissues=("cartilage",)))
    shorter, longer = search.best(minutes), search.best(minutes + more)
    assert shorter.seconds <= 60 * minutes
    assert longer.score <= shorter.score * (1 + 1e-3)  # both are refined to this


def test_a_frontier_gets_better_with_every_image() -> None:
    designs = Search(DesignConfig(), PULSES).frontier(30.0)
    assert len(designs) > 4
    for before, after in pairwise(designs):
        assert after.seconds > before.seconds
        assert after.score < before.score


def test_without_afi_the_same_images_take_five_minutes_less() -> None:
    with_afi = Search(DesignConfig()).best(17.4)
    without = Search(DesignConfig(count_afi=False)).best(17.4 - 297 / 60)
    assert without.inputs.flip_angles == with_afi.inputs.flip_angles
    assert with_afi.seconds - without.seconds == 297


def test_too_little_time_is_refused_with_the_time_that_is_needed() -> None:
    with pytest.raises(InputError, match=r"at least 14\.9 .* separate fit, got 12"):
        Search(DesignConfig()).best(12.0)
    assert Search(DesignConfig()).best(14.9).seconds <= 14.9 * 60


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tissues": ()}, "at least one"),
        ({"tissues": ("femur",)}, "femur"),
        ({"tissues": ("subcutaneous_fat",)}, "fat saturation"),
        ({"tissues": ("muscle", "muscle")}, "once"),
        ({"snr": 0.0}, "snr"),
        ({"snr": float("nan")}, "snr"),
        ({"fit": "both"}, "separate, joint"),
        ({"spin_lock_step": 12.0}, "is it in ms"),
        ({"spin_lock_step": 0.04}, "a third"),
        ({"longest_spin_lock_time": 96.0}, "is it in ms"),
        ({"largest_flip_angle": 0.5}, "largest_flip_angle"),
    ],
    ids=str,
)
def test_what_can_not_be_planned_for_is_refused(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        DesignConfig(**change)


def test_the_table_holds_every_combination_and_knows_what_is_not_identifiable() -> None:
    config = DesignConfig(tissues=("cartilage",))
    found = {(b.quantity, b.fit, b.efficiency): b.sd for b in assess(INPUT_SETS["1FA+2TSL"], config)}
    assert len(found) == 8
    finite = {key for key, sd in found.items() if np.isfinite(sd)}
    assert finite == {("T1", "joint", KNOWN), ("T1rho", "joint", KNOWN)}


def test_the_noise_is_that_of_the_stated_ratio_for_cartilage() -> None:
    assert noise_level(30.0) == pytest.approx(2 * noise_level(60.0))
    cartilage = tissue_values("cartilage")
    sds = precision(INPUT_SETS["4FA+7TSL"].acquisitions, cartilage, noise_level(60.0), "separate")
    # PHYSICS 7.1 has 39.8 ms at T1 1000 ms; the table of tissues has 985 ms
    assert sds["T1"] == pytest.approx(0.0391, abs=5e-5)
