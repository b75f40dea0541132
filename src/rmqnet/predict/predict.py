"""From the images of one study to its maps and tissues, by a trained network."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet, Prediction, Reason, Segmentation
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.tissues import TISSUES
from rmqnet.networks.checkpoint import Checkpoint
from rmqnet.samples.agreement import VOXEL_TOLERANCE, acquisition_difference, voxel_size_differs
from rmqnet.samples.sample import as_right_knee, network_signals
from rmqnet.samples.scaling import foreground, intensity_scale, map_divisor
from rmqnet.samples.stack import stack_inputs

Progress = Callable[[str, int, int], None]
"""Called with (what, slices done, slices in all)."""

BATCH = 8
"""Slices at a time: bounds the memory."""


def predict(scan: Scan, checkpoint: Checkpoint, *, progress: Progress | None = None) -> Prediction:
    """Maps of all quantities of the checkpoint in house units, and tissues, on the VFA grid.

    Voxels outside `rmqnet.samples.scaling.foreground` are NaN with reason BACKGROUND, voxels with a signal that is
    not finite NaN with BAD_SIGNAL; all others keep what the network says, also where it is implausible. A voxel
    has a label where the probabilities of its tissues add up to more than one half: tissues exclude each other, so
    a voxel between two cartilages, 45 % each, is cartilage. The label is that of the most probable tissue (our
    reading: the paper does not say how it turns probabilities into regions). Raises InputError where an image is
    missing, or was acquired otherwise or with voxels of another size (by more than 20 %) than in the training.
    """
    stack = stack_inputs(scan, checkpoint.inputs)
    _check_like_training(scan, stack, checkpoint)
    intensity, side = intensity_scale(stack), scan.subject.side
    maps, labels = _run(checkpoint, network_signals(stack, intensity, side), progress)
    maps, labels = as_right_knee(maps, side), as_right_knee(labels, side)
    reason = np.where(foreground(stack), Reason.VALID, Reason.BACKGROUND).astype(np.uint8)
    reason[~np.isfinite(stack.data).all(axis=0)] = Reason.BAD_SIGNAL
    values = {}
    for index, quantity in enumerate(checkpoint.quantities):
        house = maps[index] * np.float32(map_divisor(quantity, checkpoint.scaling, intensity))
        values[quantity] = np.where(reason == Reason.VALID, house, np.float32(np.nan))
    return Prediction(
        maps=MapSet(values, {quantity: reason.copy() for quantity in values}, stack.grid),
        segmentation=Segmentation(np.ascontiguousarray(labels), checkpoint.tissues, stack.grid),
    )


def _check_like_training(scan: Scan, stack: ImageSeries, checkpoint: Checkpoint) -> None:
    difference = acquisition_difference(checkpoint.acquisitions, stack.acquisitions)
    if difference:
        raise InputError(
            f"sub-{scan.subject.name} was not scanned as the training data: {difference}; "
            "train a network on scans with these settings"
        )
    if voxel_size_differs(checkpoint.voxel_size, stack.grid.voxel_size):
        found, trained = (
            " x ".join(f"{edge:.3g}" for edge in size)
            for size in (stack.grid.voxel_size, checkpoint.voxel_size)
        )
        raise InputError(
            f"sub-{scan.subject.name} has voxels of {found} mm (z, y, x), the training data of {trained} mm: at most "
            f"{VOXEL_TOLERANCE:.0%} difference is allowed; train a network on scans with these voxels"
        )


def _run(
    checkpoint: Checkpoint, signals: NDArray[np.float32], progress: Progress | None
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Maps (quantity, slice, y, x) in units of the network and labels (slice, y, x)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = checkpoint.network().to(device)
    table = np.array([TISSUES[tissue].label for tissue in checkpoint.tissues], np.uint8)
    slices = np.moveaxis(signals, 1, 0)
    maps, labels = [], []
    with torch.inference_mode():
        for start in range(0, len(slices), BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(slices[start : start + BATCH])).to(device)
            batch_maps, logits = network(batch)
            is_tissue = (logits.sigmoid().sum(dim=1) > 0.5).cpu().numpy()
            maps.append(batch_maps.cpu().numpy())
            labels.append(np.where(is_tissue, table[logits.argmax(dim=1).cpu().numpy()], np.uint8(0)))
            if progress is not None:
                progress("predicting", min(start + BATCH, len(slices)), len(slices))
    return np.moveaxis(np.concatenate(maps), 1, 0), np.concatenate(labels)
