import numpy as np
import pytest
import torch

from rmqnet.domain.protocols import input_set
from rmqnet.physics.signals import synthesize
from rmqnet.samples.scaling import network_scales
from rmqnet.train.physics_loss import PhysicsLoss

QUANTITIES = ("M0", "T1", "B1", "T1rho")
SCALING = network_scales(QUANTITIES)


def knee(inputs, size=4, seed=3):
    random = np.random.default_rng(seed)
    values = {
        "M0": random.uniform(3, 6, (1, size, size)),
        "T1": random.uniform(0.6, 1.4, (1, size, size)),
        "B1": random.uniform(0.8, 1.2, (1, size, size)),
        "T1rho": random.uniform(0.02, 0.06, (1, size, size)),
    }
    signals = np.moveaxis(synthesize(inputs.acquisitions, values), 0, 1)
    maps = np.stack([values[name] / SCALING[name] for name in QUANTITIES], axis=1)
    return torch.from_numpy(signals), torch.from_numpy(maps.astype(np.float32))


@pytest.mark.parametrize("name", ["2FA+3TSL", "4FA+7TSL+AFI"])
def test_maps_that_made_the_images_have_no_loss_and_others_have(name):
    inputs = input_set(name)
    signals, maps = knee(inputs)
    loss = PhysicsLoss(inputs.acquisitions, QUANTITIES, SCALING)
    valid = torch.ones_like(maps, dtype=torch.bool)
    assert loss(maps, signals, valid) < 1e-6
    for index in range(len(QUANTITIES)):
        wrong = maps.clone()
        wrong[:, index] *= 1.1
        assert loss(wrong, signals, valid) > 1e-4


def test_only_voxels_with_every_reference_count():
    inputs = input_set("2FA+3TSL")
    signals, maps = knee(inputs)
    loss = PhysicsLoss(inputs.acquisitions, QUANTITIES, SCALING)
    valid = torch.ones_like(maps, dtype=torch.bool)
    valid[:, 3, 1, 2] = False
    signals[:, :, 1, 2] = 7.0
    assert loss(maps, signals, valid) < 1e-6
    assert loss(maps, signals, torch.zeros_like(valid)) == 0


def test_the_gradient_is_finite_for_impossible_maps_and_leads_to_the_right_ones():
    inputs = input_set("4FA+7TSL+AFI")
    signals, maps = knee(inputs)
    loss = PhysicsLoss(inputs.acquisitions, QUANTITIES, SCALING)
    valid = torch.ones_like(maps, dtype=torch.bool)
    impossible = torch.full_like(maps, -1.0).requires_grad_()
    loss(impossible, signals, valid).backward()
    assert torch.isfinite(impossible.grad).all()
    found = (maps * 1.15).requires_grad_()
    optimizer = torch.optim.Adam([found], lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        loss(found, signals, valid).backward()
        optimizer.step()
    assert ((found - maps).abs() / maps).max() < 0.03


def test_the_scale_of_the_images_does_not_matter():
    inputs = input_set("2FA+3TSL")
    signals, maps = knee(inputs)
    loss = PhysicsLoss(inputs.acquisitions, QUANTITIES, {**SCALING, "M0": 1.0})
    maps = maps.clone()
    maps[:, 0] *= SCALING["M0"]
    assert loss(maps, signals, torch.ones_like(maps, dtype=torch.bool)) < 1e-6
