import pytest
import torch

from rmqnet.train.losses import RMQNetLoss, weighted_l1


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(2, 2, 4, 4, generator=generator)
    predicted = torch.rand(2, 2, 4, 4, generator=generator)
    logits = torch.randn(2, 3, 4, 4, generator=generator)
    mask = torch.rand(2, 3, 4, 4, generator=generator) > 0.5
    valid = torch.rand(2, 2, 4, 4, generator=generator) > 0.3
    return (predicted, logits), maps, valid, mask


def loss_of(weights=(0.5, 1.0, 1.0)):
    bce, maps, segmentation = weights
    return RMQNetLoss(("T1", "B1"), bce_weight=bce, map_weight=maps, segmentation_weight=segmentation)


def test_l1_counts_valid_voxels_only_whatever_stands_in_the_others():
    (predicted, _), maps, valid, _ = batch()
    expected = [(predicted - maps)[:, q][valid[:, q]].abs().mean() for q in range(2)]
    wild = torch.where(valid, maps, torch.nan)
    torch.testing.assert_close(weighted_l1(predicted, wild, valid), torch.stack(expected))


def test_a_quantity_without_valid_voxels_has_no_loss_and_no_gradient():
    predicted = torch.ones(1, 1, 2, 2, requires_grad=True)
    loss = weighted_l1(predicted, torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.bool))
    loss.sum().backward()
    assert loss.item() == 0
    assert (predicted.grad == 0).all()


def test_the_parts_add_up_as_in_equations_1_to_3():
    losses = loss_of((0.3, 2.0, 5.0))(*batch())
    assert losses["map"] == pytest.approx(losses["T1"] + losses["B1"])
    assert losses["segmentation"] == pytest.approx(0.3 * losses["bce"] + 0.7 * losses["dice"])
    assert losses["total"] == pytest.approx(2 * losses["map"] + 5 * losses["segmentation"])


def test_dice_is_the_soft_formula_with_one_above_and_below():
    predicted, maps, valid, mask = batch()
    p, t = predicted[1].sigmoid(), mask.float()
    axes = (0, 2, 3)
    dice = (2 * (p * t).sum(axes) + 1) / (p.sum(axes) + t.sum(axes) + 1)
    assert loss_of()(predicted, maps, valid, mask)["dice"] == pytest.approx(1 - dice.mean())


def test_a_perfect_prediction_has_no_loss():
    _, maps, valid, mask = batch()
    losses = loss_of()((maps, torch.where(mask, 50.0, -50.0)), maps, valid, mask)
    assert losses["total"] == pytest.approx(0, abs=1e-6)


def test_bfloat16_outputs_are_summed_in_float32():
    predicted, maps, valid, mask = batch()
    half = (predicted[0].bfloat16(), predicted[1].bfloat16())
    losses = loss_of()(half, maps, valid, mask)
    assert all(value.dtype == torch.float32 for value in losses.values())


def test_voxels_inside_a_region_count_as_often_as_asked():
    (predicted, logits), maps, valid, mask = batch()
    loss = RMQNetLoss(("T1", "B1"), bce_weight=0.5, map_weight=1, segmentation_weight=0, region_weight=4.0)
    found = loss((predicted, logits), maps, valid, mask)["T1"]
    inside = mask.any(dim=1)
    times = torch.where(inside, 4.0, 1.0) * valid[:, 0]
    assert found == pytest.approx(float(((predicted - maps)[:, 0].abs() * times).sum() / times.sum()))
    torch.testing.assert_close(
        loss_of()((predicted, logits), maps, valid, mask)["T1"], weighted_l1(predicted, maps, valid)[0]
    )
