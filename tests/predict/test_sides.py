import numpy as np
import pytest

from rmqnet.domain.tissues import SEGMENTED
from rmqnet.predict.sides import cut_between, one_side_per_slice

FIRST_MEDIAL = 8
HEAPS = np.array([0, 3, 8, 9, 9, 8, 3, 1, 2, 6, 7, 7, 6, 4, 0, 0], float)
"""Tissue of a knee by slice, the medial half smaller."""
PAIRS = [
    (SEGMENTED.index(f"lateral_{name}"), SEGMENTED.index(f"medial_{name}"))
    for name in ("tibial_cartilage", "meniscus")
]


def probabilities(medial_share, heaps=HEAPS):
    """Tibial cartilage and menisci by slice, of which the network takes a share for medial; and femoral cartilage."""
    found = np.zeros((len(SEGMENTED), len(heaps), 8, 10), np.float32)
    for index, length in enumerate(heaps.astype(int)):
        for rows, (lateral, medial) in enumerate(PAIRS):
            found[medial, index, rows, :length] = 0.9 * medial_share
            found[lateral, index, rows, :length] = 0.9 * (1 - medial_share)
    found[0, :, 5:] = 0.8
    return found


@pytest.mark.parametrize("medial_share", [0.05, 0.5, 0.95])
def test_the_shape_of_the_knee_tells_the_sides_whatever_the_network_takes_them_for(medial_share):
    chosen = one_side_per_slice(probabilities(medial_share), SEGMENTED)
    for lateral, medial in PAIRS:
        assert (chosen[medial, :FIRST_MEDIAL] == 0).all()
        assert (chosen[lateral, FIRST_MEDIAL:] == 0).all()
        assert chosen[lateral, 3].max() == pytest.approx(0.9)
        assert chosen[medial, 10].max() == pytest.approx(0.9)


def test_small_probabilities_everywhere_else_do_not_hide_the_cut():
    given = probabilities(0.9) + np.float32(0.03)
    given[0] = 0
    chosen = one_side_per_slice(given, SEGMENTED)
    for lateral, medial in PAIRS:
        assert chosen[lateral, 3].max() > 0.9
        assert (chosen[medial, :FIRST_MEDIAL] == 0).all()


def test_what_is_cartilage_or_meniscus_stays_so():
    given = probabilities(0.35)
    chosen = one_side_per_slice(given, SEGMENTED)
    np.testing.assert_allclose(chosen.sum(axis=0), given.sum(axis=0), atol=1e-6)
    np.testing.assert_array_equal(chosen[0], given[0])


def test_the_probability_of_a_pair_is_never_above_one():
    given = np.full((2, 3, 4, 4), 0.9, np.float32)
    assert one_side_per_slice(given, ("lateral_meniscus", "medial_meniscus")).max() == 1


@pytest.mark.parametrize("medial_share", [0.2, 0.8])
def test_a_scan_of_one_half_of_the_knee_has_the_side_of_most_probability(medial_share):
    chosen = one_side_per_slice(probabilities(medial_share, HEAPS[:8]), SEGMENTED)
    for lateral, medial in PAIRS:
        assert (chosen[medial].max() > 0) == (medial_share > 0.5)
        assert (chosen[lateral].max() > 0) == (medial_share < 0.5)


@pytest.mark.parametrize(
    ("mass", "cut"),
    [
        (HEAPS, FIRST_MEDIAL),
        (HEAPS[::-1], len(HEAPS) - FIRST_MEDIAL),
        ([0, 5, 5, 0, 0, 5, 5], 3),
        ([0, 0, 0], None),
        ([7], None),
        ([0, 7, 0], None),
        ([4, 7, 9, 7, 4], None),
    ],
)
def test_the_cut_lies_between_two_heaps(mass, cut):
    found = cut_between(np.array(mass, float))
    assert found == cut


def test_networks_without_pairs_are_left_as_they_are():
    given = np.random.default_rng(0).uniform(size=(2, 3, 4, 4)).astype(np.float32)
    assert one_side_per_slice(given, ("femoral_cartilage", "lateral_meniscus")) is given
