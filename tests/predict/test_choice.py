import dataclasses

import pytest

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import INPUT_SETS, vfa
from rmqnet.predict.choice import choose_network

NETWORKS = {name: INPUT_SETS[name].acquisitions for name in ("1FA+1TSL", "2FA+3TSL", "4FA+7TSL")}
FULL = INPUT_SETS["4FA+7TSL"].acquisitions
SMALL = INPUT_SETS["1FA+1TSL"].acquisitions


def test_the_largest_network_whose_images_all_scans_have_is_taken_and_why_is_said():
    assert choose_network(NETWORKS, {"01": FULL})[0] == "4FA+7TSL"
    without_10 = tuple(image for image in FULL if image.flip_angle != 10.0 or image.method != "vfa")
    name, why = choose_network(NETWORKS, {"01": FULL, "02": without_10})
    assert name == "2FA+3TSL"
    assert "all 2 scans have" in why
    assert "sub-02 lacks vfa FA 10" in why


def test_a_larger_network_that_learned_from_other_settings_is_passed_over_in_words():
    slow = [
        dataclasses.replace(image, repetition_time_excitation=0.03) if image == vfa(5.0) else image
        for image in FULL
    ]
    name, why = choose_network(NETWORKS, {"01": slow})
    assert name == "1FA+1TSL"
    assert "repetition_time_excitation of FA 5\N{DEGREE SIGN} is 0.03 instead of 0.02" in why


def test_no_fitting_network_is_refused_with_what_each_lacks_and_what_there_is():
    with pytest.raises(InputError, match=r"1FA\+1TSL: sub-07 lacks vfa FA 20.* has vfa FA 5.*--checkpoint"):
        choose_network(NETWORKS, {"07": (vfa(5.0),)})
    with pytest.raises(InputError, match="ships no trained network"):
        choose_network({}, {"07": FULL})
    assert choose_network(NETWORKS, {"07": SMALL})[0] == "1FA+1TSL"
