"""What a record says of the trainings before it."""

from rmqnet.networks.history import as_beginning, beginning


def test_a_training_names_every_network_before_it_with_its_epochs():
    first = {"config": {"epochs": 10}}
    second = {"config": {"epochs": 4}, "started_from": as_beginning(first, "4FA+7TSL", "ab")}
    third = {"config": {"epochs": 12}, "started_from": as_beginning(second, "1FA+1TSL", "cd")}
    assert beginning(first) == ""
    assert beginning(third) == (
        "the network for 1FA+1TSL (4 epochs), that from the network for 4FA+7TSL (10 epochs)"
    )


def test_a_record_without_epochs_says_what_it_knows():
    record = {"started_from": {"input_set": "2FA+3TSL", "weights": "ab"}}
    assert beginning(record) == "the network for 2FA+3TSL"
    assert as_beginning({}, "1FA+1TSL", "ab") == {"input_set": "1FA+1TSL", "weights": "ab", "epochs": None}
