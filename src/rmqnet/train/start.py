"""First weights from a trained network: less to learn for an input set whose images it knows."""

import torch
from torch import Tensor, nn

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.networks.checkpoint import Checkpoint
from rmqnet.samples.stack import describe, matching

FIRST = "encoder.levels.0.0.weight"
"""The convolution of the images themselves (channel, input, 3, 3)."""


def start_from(network: nn.Module, acquisitions: tuple[Acquisition, ...], trained: Checkpoint) -> None:
    """Give a network the weights of a trained one; each image gets the first weights of the same image there.

    An image that the trained network has not seen keeps its random first weights. Raises InputError where the two
    differ in anything but their images, or have no image in common.
    """
    own = network.state_dict()
    same = {name: tensor.shape for name, tensor in own.items() if name != FIRST}
    if FIRST not in own or same != {name: t.shape for name, t in trained.weights.items() if name != FIRST}:
        raise InputError(
            f"the network to start from ({trained.backbone}, base width {trained.base_width}, "
            f"{', '.join((*trained.quantities, *trained.tissues))}) differs from the one to train in more than its "
            "images: start from one of the same kind, or from none"
        )
    known = matching(acquisitions, trained.acquisitions)
    if not any(known):
        raise InputError(
            f"the network to start from has seen none of these images ({describe(acquisitions)}), only "
            f"{describe(trained.acquisitions)}: start from none"
        )
    weights: dict[str, Tensor] = {name: tensor.clone() for name, tensor in trained.weights.items()}
    first, before = own[FIRST].clone(), trained.weights[FIRST]
    for channel, image in enumerate(known):
        if image is not None:
            first[:, channel] = before[:, trained.acquisitions.index(image)]
    weights[FIRST] = first
    with torch.no_grad():
        network.load_state_dict(weights)
