"""The network over all slices of a scan."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Progress = Callable[[str, int, int], None]
"""Called with (what, slices done, slices in all)."""


def run_network(
    network: nn.Module, signals: NDArray[np.float32], progress: Progress | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maps (quantity, slice, y, x) in units of the network, and probabilities (tissue, slice, y, x).

    `signals` are (input, slice, y, x), as `rmqnet.samples.sample.network_signals` gives them; the network must be ready
    to predict (`eval`). One slice at a time, channels last, is fastest on two cores and takes the least memory
    (docs/decisions/021-shipped-weights.md).
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = fused(network).to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    slices = torch.from_numpy(np.ascontiguousarray(np.moveaxis(signals, 1, 0)))
    maps, probabilities = [], []
    with torch.inference_mode():
        for index in range(len(slices)):
            image = slices[index : index + 1].to(device).contiguous(memory_format=torch.channels_last)
            own_maps, logits = network(image)
            maps.append(own_maps[0].cpu().numpy())
            probabilities.append(logits[0].sigmoid().cpu().numpy())
            if progress is not None:
                progress("predicting", index + 1, len(slices))
    return np.stack(maps, axis=1), np.stack(probabilities, axis=1)


def fused(network: nn.Module) -> nn.Module:
    """The network with each batch normalization worked into the convolution before it; changes the network given.

    In evaluation both are linear: the result is the same but for rounding, and one pass over the image is saved.
    """
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for index in range(len(module) - 1):
                convolution, norm = module[index], module[index + 1]
                if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    module[index] = fuse_conv_bn_eval(convolution, norm)
                    module[index + 1] = nn.Identity()
    return network
