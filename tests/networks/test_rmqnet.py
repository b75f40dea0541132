import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import INPUT_SETS
from rmqnet.networks.backbones import BACKBONES, build_network
from rmqnet.networks.rmqnet import RMQNet

QUANTITIES = ("M0", "T1", "B1", "T1rho")
TISSUES = ("femoral_cartilage", "medial_meniscus")


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", INPUT_SETS)
def test_a_backbone_takes_the_images_of_every_input_set(backbone, name):
    n_inputs = len(INPUT_SETS[name].acquisitions)
    network = build_network(backbone, n_inputs, QUANTITIES, TISSUES, 2).eval()
    maps, logits = network(torch.zeros(1, n_inputs, 32, 32))
    assert (maps.shape, logits.shape) == ((1, 4, 32, 32), (1, 2, 32, 32))
    with pytest.raises(RuntimeError, match="channels"):
        network(torch.zeros(1, n_inputs + 1, 32, 32))


@pytest.mark.parametrize("backbone", BACKBONES)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
@settings(max_examples=15, deadline=None)
def test_any_size_of_slice_goes_in_and_comes_out(backbone, height, width):
    network = build_network(backbone, 2, ("T1",), ("muscle",), 1)
    maps, logits = network(torch.zeros(1, 2, height, width))
    assert maps.shape == logits.shape == (1, 1, height, width)


def test_the_network_has_five_levels_one_encoder_and_a_branch_per_output():
    network = RMQNet(11, QUANTITIES, TISSUES, 4)
    assert [level[0].out_channels for level in network.encoder.levels] == [4, 8, 16, 32, 64]
    assert list(network.regression) == list(QUANTITIES)
    assert network.encoder.levels[0][0].in_channels == 11
    assert network.segmentation.last.out_channels == 2


def test_each_branch_gives_its_own_map_and_the_encoder_is_shared():
    torch.manual_seed(0)
    network = RMQNet(2, QUANTITIES, TISSUES, 2)
    maps, _ = network(torch.rand(2, 2, 32, 32))
    maps[:, QUANTITIES.index("T1")].sum().backward()
    assert network.regression["T1"].last.weight.grad.abs().sum() > 0
    assert network.regression["M0"].last.weight.grad.abs().sum() == 0
    assert network.segmentation.last.weight.grad is None
    assert network.encoder.levels[0][0].weight.grad.abs().sum() > 0


def test_padding_does_not_move_the_slice():
    torch.manual_seed(0)
    network = RMQNet(1, ("T1",), TISSUES, 2).eval()
    slice_ = torch.rand(1, 1, 40, 36)
    padded = torch.nn.functional.pad(slice_, (0, 12, 0, 8))
    with torch.inference_mode():
        torch.testing.assert_close(network(slice_)[0], network(padded)[0][..., :40, :36])


def test_an_unknown_backbone_is_refused():
    with pytest.raises(InputError, match="backbone must be one of rmqnet"):
        build_network("vit", 1, QUANTITIES, TISSUES, 1)
