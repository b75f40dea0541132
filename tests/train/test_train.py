import dataclasses
import math
import signal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import input_set
from rmqnet.networks.backbones import build_network
from rmqnet.networks.checkpoint import load_checkpoint, save_checkpoint
from rmqnet.train.check import fingerprint
from rmqnet.train.config import TrainConfig
from rmqnet.train.data import EpochSampler, TrainingSlices
from rmqnet.train.module import TrainingModule
from rmqnet.train.precision import lightning_precision
from rmqnet.train.schedule import cosine_cycles
from rmqnet.train.start import FIRST, start_from
from rmqnet.train.train import train

INPUTS = input_set("1FA+1TSL")
QUANTITIES, TISSUES = ("M0", "T1"), ("femoral_cartilage",)
CONFIG = TrainConfig(epochs=4, batch_size=8, base_width=2, precision="float32")


def run(disks, scratch, config=CONFIG, *, progress=None, validation="val", size=32):
    samples = [*disks("a", size=size), *disks("b", size=size)]
    return train(
        samples,
        disks(validation, 4, size=size),
        INPUTS,
        QUANTITIES,
        TISSUES,
        config,
        scratch,
        progress=progress,
    )


def same_result(one, other):
    assert one.curves.equals(other.curves)
    assert one.checkpoint.training == other.checkpoint.training
    assert one.checkpoint.weights.keys() == other.checkpoint.weights.keys()
    return all(
        torch.equal(one.checkpoint.weights[k], other.checkpoint.weights[k]) for k in one.checkpoint.weights
    )


def test_training_learns_the_maps_and_a_visible_disk(disks, tmp_path):
    config = dataclasses.replace(
        CONFIG, epochs=30, n_cycles=1, batch_size=4, base_width=4, learning_rate=0.01
    )
    trained = run(disks, tmp_path, config)
    curves = trained.curves
    assert curves["train_total"].iloc[-1] < curves["train_total"].iloc[0] / 3
    test = disks("new", 5)
    with torch.inference_mode():
        maps, logits = trained.checkpoint.network()(torch.from_numpy(np.stack([s.signals for s in test])))
    mask = np.stack([s.mask for s in test])
    found = logits.numpy() > 0
    assert 2 * (found & mask).sum() / (found.sum() + mask.sum()) > 0.9
    truth = np.stack([s.maps for s in test])
    error = np.abs(maps.numpy() - truth).mean(axis=(0, 2, 3))
    guessed = np.abs(np.median(truth, axis=(0, 2, 3), keepdims=True) - truth).mean(axis=(0, 2, 3))
    # half of what a constant map would miss
    assert (error < guessed / 2).all(), (error, guessed)


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(disks, tmp_path, monkeypatch):
    undisturbed = run(disks, tmp_path / "one")
    handler = signal.getsignal(signal.SIGINT)
    original = TrainingModule.training_step

    def interrupted(self, batch, batch_index):
        if self.current_epoch == 2 and batch_index == 1:
            raise KeyboardInterrupt
        return original(self, batch, batch_index)

    monkeypatch.setattr(TrainingModule, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(disks, tmp_path / "two")
    assert signal.getsignal(signal.SIGINT) == handler
    seen = []

    def watched(self, batch, batch_index):
        seen.append(self.current_epoch)
        return original(self, batch, batch_index)

    monkeypatch.setattr(TrainingModule, "training_step", watched)
    assert same_result(undisturbed, run(disks, tmp_path / "two"))
    assert seen == [2, 2, 3, 3]
    # a finished training is only read again
    assert same_result(undisturbed, run(disks, tmp_path / "two"))
    assert seen == [2, 2, 3, 3]


def test_the_same_seed_gives_the_same_network_and_another_seed_another(disks, tmp_path):
    config = dataclasses.replace(CONFIG, epochs=1)
    state = torch.get_rng_state()
    one = run(disks, tmp_path / "1", config)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert same_result(one, run(disks, tmp_path / "2", config))
    other = run(disks, tmp_path / "3", dataclasses.replace(config, seed=1))
    assert not torch.equal(
        one.checkpoint.weights["segmentation.last.weight"],
        other.checkpoint.weights["segmentation.last.weight"],
    )


def test_the_checkpoint_is_of_the_epoch_with_the_lowest_validation_loss(disks, tmp_path):
    trained = run(disks, tmp_path / "scratch")
    losses = trained.curves["validation_total"]
    record = trained.checkpoint.training
    assert record["best_epoch"] == int(losses.idxmin())
    assert record["best"]["validation_total"] == losses.min()
    assert record["train_subjects"] == ["a", "b"]
    assert record["validation_subjects"] == ["val"]
    save_checkpoint(tmp_path / "model", trained.checkpoint)
    loaded = load_checkpoint(tmp_path / "model")
    assert loaded.training == record
    assert loaded.inputs == INPUTS


def test_the_best_weights_give_the_validation_loss_of_the_curves(disks, tmp_path):
    trained = run(disks, tmp_path)
    validation = disks("val", 4)
    with torch.inference_mode():
        maps, _ = trained.checkpoint.network()(torch.from_numpy(np.stack([s.signals for s in validation])))
    error = np.abs(maps.numpy() - np.stack([s.maps for s in validation])).mean(axis=(0, 2, 3))
    best = trained.checkpoint.training["best"]
    np.testing.assert_allclose(error, [best["validation_M0"], best["validation_T1"]], rtol=1e-4)


def test_curves_have_a_row_per_epoch_and_the_learning_rate_falls_in_three_cosine_cycles(disks, tmp_path):
    curves = run(disks, tmp_path, dataclasses.replace(CONFIG, epochs=6, base_width=1)).curves
    assert list(curves["epoch"]) == list(range(6))
    expected = [0.001 * (1 + math.cos(math.pi * step / 2)) / 2 for step in (0, 1)] * 3
    np.testing.assert_allclose(curves["learning_rate"], expected)
    names = {"M0", "T1", "map", "bce", "dice", "segmentation", "total"}
    parts = {f"{part}_{name}" for part in ("train", "validation") for name in names}
    assert set(curves.columns) == {"epoch", "learning_rate"} | parts


@pytest.mark.parametrize(
    ("epochs", "n_cycles", "lengths"),
    [
        (600, 3, [200, 200, 200]),
        (20, 3, [7, 7, 6]),
        (7, 3, [3, 2, 2]),
        (1, 1, [1]),
        (5, 1, [5]),
        (2, 3, [1, 1]),
        (1, 3, [1]),
    ],
)
def test_every_cycle_of_the_learning_rate_is_a_whole_half_cosine(epochs, n_cycles, lengths):
    found = [cosine_cycles(epoch, epochs=epochs, n_cycles=n_cycles) for epoch in range(epochs)]
    expected = [(1 + math.cos(math.pi * step / n)) / 2 for n in lengths for step in range(n)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.integers(1, 700), st.integers(1, 20))
def test_cycles_fill_the_epochs_evenly_and_every_one_starts_at_the_full_rate(epochs, n_cycles):
    rates = np.array([cosine_cycles(epoch, epochs=epochs, n_cycles=n_cycles) for epoch in range(epochs)])
    starts = np.flatnonzero(rates == 1)
    assert len(starts) == min(n_cycles, epochs)
    lengths = np.diff([*starts, epochs])
    assert lengths.min() >= 1
    assert np.ptp(lengths) <= 1
    # the last epoch of a cycle is one step of it above 0
    last = (1 - np.cos(np.pi / lengths)) / 2
    np.testing.assert_allclose(rates[starts + lengths - 1], last, atol=1e-12)


def test_a_training_with_uneven_cycles_goes_on_with_the_same_learning_rates(disks, tmp_path):
    config = dataclasses.replace(CONFIG, epochs=5, n_cycles=2, base_width=1)
    expected = [0.001 * cosine_cycles(epoch, epochs=5, n_cycles=2) for epoch in range(5)]

    def stop(what, done, total, remark=""):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(disks, tmp_path, config, progress=stop)
    np.testing.assert_allclose(run(disks, tmp_path, config).curves["learning_rate"], expected)


def test_a_training_that_diverges_says_so_in_one_sentence_and_gives_no_network(disks, tmp_path):
    config = dataclasses.replace(CONFIG, learning_rate=1e30, base_width=1)
    for _ in range(2):  # a second try tells the same
        with pytest.raises(
            InputError, match=r"^the training diverged in epoch 1 of 4: lower learning_rate \(1e\+30\)$"
        ):
            run(disks, tmp_path, config)


def test_a_training_that_diverges_later_names_the_epoch(disks, tmp_path, monkeypatch):
    original = TrainingModule.validation_step

    def broken(self, batch, batch_index):
        if self.current_epoch == 2:
            self.network.segmentation.last.bias.data[:] = torch.nan
        return original(self, batch, batch_index)

    monkeypatch.setattr(TrainingModule, "validation_step", broken)
    with pytest.raises(InputError, match=r"diverged in epoch 3 of 4"):
        run(disks, tmp_path, dataclasses.replace(CONFIG, base_width=1))


def test_the_fingerprint_sees_every_voxel_and_where_the_reference_is_valid(disks):
    samples = disks("a", 2, size=8)

    def mark(changed):
        return fingerprint(changed, samples, INPUTS, QUANTITIES, TISSUES, CONFIG)

    assert mark(samples) == mark(disks("a", 2, size=8))
    marks = {mark(samples)}
    for name in ("signals", "maps", "valid", "mask"):
        array = getattr(samples[1], name).copy()
        # two voxels change places: the sum stays
        array[0, 0, 0], array[0, 4, 4] = array[0, 4, 4], array[0, 0, 0]
        if name == "valid":
            array[0, 0, 0] = False
        marks.add(mark([samples[0], dataclasses.replace(samples[1], **{name: array})]))
    assert len(marks) == 5


def test_only_the_resume_file_is_left_and_it_holds_no_pickled_objects(disks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(disks, tmp_path / "scratch", dataclasses.replace(CONFIG, epochs=1))
    assert [path.name for path in tmp_path.rglob("*")] == ["scratch", "resume.ckpt"]
    torch.load(tmp_path / "scratch" / "resume.ckpt", weights_only=True)


def test_a_scratch_folder_of_another_training_or_a_damaged_one_is_refused(disks, tmp_path):
    config = dataclasses.replace(CONFIG, epochs=1)
    run(disks, tmp_path, config)
    with pytest.raises(
        InputError, match=r"resume\.ckpt: belongs to a training with other samples or options"
    ):
        run(disks, tmp_path, dataclasses.replace(config, learning_rate=0.1))
    with pytest.raises(InputError, match="other samples or options"):
        run(disks, tmp_path, config, validation="other")
    whole = (tmp_path / "resume.ckpt").read_bytes()
    for content in (b"", whole[:1000], whole[:-50], b"not a checkpoint"):
        (tmp_path / "resume.ckpt").write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            run(disks, tmp_path, config)


def test_crops_and_slices_of_different_sizes_train_together(disks, tmp_path):
    config = dataclasses.replace(CONFIG, epochs=1, crop=32, batch_size=3)
    samples = [*disks("a", 2, size=40), *disks("b", 2, size=37)]
    validation = [*disks("c", 2, size=45), *disks("d", 2, size=33)]
    trained = train(samples, validation, INPUTS, QUANTITIES, TISSUES, config, tmp_path)
    assert np.isfinite(trained.curves["validation_total"]).all()


def test_bfloat16_trains_too(disks, tmp_path):
    config = dataclasses.replace(CONFIG, epochs=1, precision="bfloat16")
    trained = run(disks, tmp_path, config)
    assert all(w.dtype in (torch.float32, torch.int64) for w in trained.checkpoint.weights.values())


def test_precision_names_are_those_of_lightning():
    assert lightning_precision("float32") == "32-true"
    assert lightning_precision("bfloat16") == "bf16-mixed"
    assert lightning_precision("auto") in ("32-true", "bf16-mixed")


def test_progress_tells_the_loss_and_nothing_else_is_said(disks, tmp_path, capsys, caplog):
    told = []
    config = dataclasses.replace(CONFIG, epochs=2, base_width=1)
    run(disks, tmp_path / "told", config, progress=lambda *step: told.append(step))
    what, done, total, remark = told[-1]
    assert what == "training 1FA+1TSL"
    assert done == total == len(told)
    assert "validation loss" in remark
    assert "best" in remark
    assert capsys.readouterr() == ("", "")
    assert caplog.text == ""


def test_the_order_of_slices_changes_with_seed_and_epoch_and_every_slice_comes_once():
    sampler = EpochSampler(10, seed=1)
    orders = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        assert sorted(orders[-1]) == [(epoch, index) for index in range(10)]
    assert [i for _, i in orders[0]] != [i for _, i in orders[1]]
    assert list(EpochSampler(10, seed=2)) != orders[0]


def test_augmentation_differs_between_epochs(disks):
    slices = TrainingSlices(disks("a", 2), CONFIG)
    assert torch.equal(slices[(0, 1)].signals, slices[(0, 1)].signals)
    assert not torch.equal(slices[(0, 1)].signals, slices[(1, 1)].signals)


def replaced(samples, **changes):
    return [dataclasses.replace(sample, **changes) for sample in samples]


def test_samples_that_do_not_belong_together_and_too_wide_networks_are_refused(disks, tmp_path):
    a, b = disks("a", 2), disks("b", 2)
    slow = tuple(dataclasses.replace(x, echo_time=0.001) for x in INPUTS.acquisitions)
    cases = {
        r"there are no training slices": ([], b, QUANTITIES),
        r"there are no validation slices": (a, [], QUANTITIES),
        r"sub-a must not be in both": (a, [*b, *disks("a", 1)], QUANTITIES),
        r"at least one quantity": (a, b, ()),
        r"the network is to give T1": (a, b, ("T1",)),
        r"echo_time of FA 20.* is 0\.001 instead of 3\.2e-05": (
            a,
            replaced(b, acquisitions=slow),
            QUANTITIES,
        ),
        r"train on scans of one voxel size": (a, replaced(b, voxel_size=(3.0, 0.8, 0.8)), QUANTITIES),
    }
    for message, (train_samples, validation, quantities) in cases.items():
        with pytest.raises(InputError, match=message):
            train(train_samples, validation, INPUTS, quantities, TISSUES, CONFIG, tmp_path)
    with pytest.raises(InputError, match=r"hold 2 images, but 4FA\+7TSL has 11"):
        train(a, b, input_set("4FA+7TSL"), QUANTITIES, TISSUES, CONFIG, tmp_path)
    with pytest.raises(InputError, match="base_width must be in"):
        run(disks, tmp_path, dataclasses.replace(CONFIG, base_width=513))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("map_weight", math.nan),
        ("bce_weight", 1.5),
        ("map_weight", -1.0),
        ("crop", 8),
        ("batch_size", 0),
        ("precision", "float16"),
        ("seed", -1),
    ],
)
def test_options_that_can_not_train_are_refused(name, value):
    with pytest.raises(InputError, match=name):
        dataclasses.replace(CONFIG, **{name: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"region_weight": 0.0},
        {"physics_weight": -1.0},
        {"target_scaling": "volts"},
        {"region_weight": math.nan},
    ],
)
def test_weights_and_units_that_mean_nothing_are_refused(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        TrainConfig(**changes)


def test_a_network_trained_in_house_units_predicts_the_same_units(disks, tmp_path):
    config = dataclasses.replace(CONFIG, epochs=1, target_scaling="house")
    checkpoint = run(disks, tmp_path, config).checkpoint
    assert checkpoint.scaling == {"M0": 1.0, "T1": 1.0}
    table = run(disks, tmp_path / "table", dataclasses.replace(config, target_scaling="table")).checkpoint
    assert table.scaling["M0"] == 5.0


@pytest.mark.parametrize("backbone", ["maps_only", "segmentation_only", "one_decoder", "perceptron"])
def test_every_variant_learns_only_what_it_has_a_branch_for(backbone, disks, tmp_path):
    config = dataclasses.replace(
        CONFIG, epochs=6, n_cycles=1, batch_size=4, learning_rate=0.01, backbone=backbone
    )
    curves = run(disks, tmp_path, config).curves
    maps, segmentation = (curves[f"train_{name}"] for name in ("map", "segmentation"))
    assert (maps.iloc[-1] < 0.9 * maps.iloc[0]) == (backbone != "segmentation_only")
    assert (segmentation.iloc[-1] < 0.995 * segmentation.iloc[0]) == (backbone != "maps_only")


@pytest.mark.parametrize(("n_samples", "n_processes"), [(12, 3), (13, 4), (3, 2)])
def test_processes_share_an_epoch_evenly_and_leave_nothing_out(n_samples, n_processes):
    alone = EpochSampler(n_samples, seed=5)
    alone.set_epoch(2)
    shares = [
        EpochSampler(n_samples, seed=5, process=process, n_processes=n_processes)
        for process in range(n_processes)
    ]
    for share in shares:
        share.set_epoch(2)
    assert len({len(list(share)) for share in shares}) == 1 == len({len(share) for share in shares})
    assert set(alone) == {item for share in shares for item in share}


def test_gradients_of_several_batches_make_one_step(disks, tmp_path):
    config = dataclasses.replace(CONFIG, epochs=2, accumulate=2)
    steps = []
    run(disks, tmp_path, config, progress=lambda *step: steps.append(step[1:3]))
    assert steps[-1] == (2, 2)


def test_a_network_starts_from_the_weights_of_another_image_by_image(disks, tmp_path):
    trained = run(disks, tmp_path, dataclasses.replace(CONFIG, epochs=1)).checkpoint
    wanted = (input_set("4FA+7TSL").acquisitions[1], INPUTS.acquisitions[1], INPUTS.acquisitions[0])
    network = build_network("rmqnet", 3, QUANTITIES, TISSUES, 2)
    before = network.state_dict()[FIRST].clone()
    start_from(network, wanted, trained)
    after = network.state_dict()
    assert torch.equal(after[FIRST][:, 0], before[:, 0])
    assert torch.equal(after[FIRST][:, 1], trained.weights[FIRST][:, 1])
    assert torch.equal(after[FIRST][:, 2], trained.weights[FIRST][:, 0])
    assert all(torch.equal(after[name], trained.weights[name]) for name in after if name != FIRST)


def test_a_started_training_says_so_and_is_another_one(disks, tmp_path):
    config = dataclasses.replace(CONFIG, epochs=1)
    first = run(disks, tmp_path / "one", config).checkpoint
    samples = ([*disks("a"), *disks("b")], disks("val", 4))
    rest = (INPUTS, QUANTITIES, TISSUES, config)
    second = train(*samples, *rest, tmp_path / "two", start=first).checkpoint
    assert second.training["started_from"]["input_set"] == INPUTS.name
    assert not same_result_weights(first, second)
    with pytest.raises(InputError, match="training with other samples"):
        train(*samples, *rest, tmp_path / "two")
    other_units = dataclasses.replace(config, target_scaling="house")
    with pytest.raises(InputError, match="maps in other units"):
        train(*samples, INPUTS, QUANTITIES, TISSUES, other_units, tmp_path / "three", start=first)


def same_result_weights(one, other):
    return all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_a_start_of_another_kind_is_refused_in_words(disks, tmp_path):
    trained = run(disks, tmp_path, dataclasses.replace(CONFIG, epochs=1)).checkpoint
    with pytest.raises(InputError, match=r"base width 2.*more than its images"):
        start_from(build_network("rmqnet", 2, QUANTITIES, TISSUES, 4), INPUTS.acquisitions, trained)
    other = input_set("1FA+2TSL").acquisitions
    with pytest.raises(InputError, match="seen none of these images"):
        start_from(build_network("rmqnet", 3, QUANTITIES, TISSUES, 2), other, trained)
