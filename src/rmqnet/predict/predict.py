"""From the images of one study to its maps and tissues, by a trained network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet, Prediction, Reason, Segmentation
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Side
from rmqnet.domain.tissues import TISSUES
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint
from rmqnet.networks.history import learned_targets
from rmqnet.networks.shipped import shipped_checkpoint, shipped_names
from rmqnet.physics.foreground import foreground
from rmqnet.predict.choice import choose_network
from rmqnet.predict.content import check_content, edge_flags, gap_flags
from rmqnet.predict.joint import FLAGGED_CUT, Kept, keep_joint
from rmqnet.predict.likeness import RECORD, Ranges, scan_numbers, unlike_training
from rmqnet.predict.plausible import implausible
from rmqnet.predict.resampling import coarse_flag, onto_grid, resampling_note, training_grid
from rmqnet.predict.run import Progress, run_network
from rmqnet.predict.sides import one_side_per_slice
from rmqnet.samples.agreement import acquisition_difference
from rmqnet.samples.sample import as_right_knee, network_signals
from rmqnet.samples.scaling import bright_voxels, intensity_scale, map_divisor
from rmqnet.samples.stack import stack_inputs

LEARNED_TRUTH = (
    "This network has learned what was simulated, not fits. Over a region of cartilage its T1 is about a fifth "
    "longer and its T1rho about a tenth shorter than a fit of the same images gives, less in the middle of the "
    "cartilage but there too, because the simulator says so much of blurred fat and bone is in a fit. Do not mix the "
    "two in one study, nor compare these maps with values of the literature."
)
"""What a reader of maps must know whose network has learned the truth."""


@dataclass(frozen=True, eq=False)
class Raw:
    """What the network says about a scan, before it is compared with those of the training."""

    stack: ImageSeries
    """Its inputs on the grid of the scan."""
    tissue: NDArray[np.bool_]
    """Voxels (z, y, x) above the air."""
    intensity: float
    """Intensity scale of the scan."""
    certainty: NDArray[np.float32]
    """Probability (z, y, x) of the most probable tissue."""
    prediction: Prediction
    """Maps and regions, with what was cut from the regions and what is implausible about them."""


def predict(
    scan: Scan, checkpoint: Checkpoint | Path | str | None = None, *, progress: Progress | None = None
) -> Prediction:
    """Maps of all quantities of the checkpoint in house units, and tissues, on the VFA grid.

    The checkpoint may be the path of its file. Without one, the largest shipped network that the scan has all images
    for is taken. Voxels outside the tissue of `rmqnet.physics.foreground` are NaN with reason BACKGROUND, voxels with a
    signal that is not finite NaN with BAD_SIGNAL, values outside the bounds of their quantity NaN with AT_BOUND; all
    others keep what the network says, also where it is implausible. A voxel has a label where the probabilities of its
    tissues add up to more than one half: tissues exclude each other, so a voxel between two cartilages, 45 % each, is
    cartilage. The label is that of the most probable tissue (our reading: the paper does not say how it turns
    probabilities into regions), of the
    medial and the lateral one that of the side of the slice (`one_side_per_slice`).

    What does not lie at the joint is cut from the regions (`keep_joint`): `flags`, of small pieces `notes`, say what,
    how much and how far away. Regions at implausible places, of implausible volumes, in many pieces or missing are
    flagged too (`implausible`).

    Images with other voxels than those of the training are interpolated, and the results back. Where the scan is
    unlike those of the training, `flags` say so. Raises InputError where an image is missing, empty or only noise, or
    was acquired otherwise than in the training.
    """
    notes: list[str] = []
    if checkpoint is None:
        checkpoint, why = shipped_for({scan.subject.name: scan})
        notes.append(why)
    elif not isinstance(checkpoint, Checkpoint):
        checkpoint = load_checkpoint(checkpoint)
    if learned_targets(checkpoint.training) == "truth":
        notes.append(LEARNED_TRUTH)
    raw = predict_raw(scan, checkpoint, progress=progress)
    notes += raw.prediction.notes
    ranges = likeness_ranges(checkpoint)
    flags = unlike_training(raw_numbers(raw), ranges or {})
    if ranges is None:
        notes.append(
            "The checkpoint does not record what the scans of its training look like: it was not checked whether this "
            "one is like them."
        )
    own = raw.stack.grid
    grid = training_grid(own, checkpoint.voxel_size)
    if grid is not own:
        notes.append(resampling_note(own, grid))
    coarse = coarse_flag(own, checkpoint.voxel_size)
    flags += [coarse] if coarse else []
    flags += [
        *raw.prediction.flags,
        *gap_flags(raw.stack, raw.tissue),
        *edge_flags(raw.prediction.segmentation),
    ]
    return Prediction(raw.prediction.maps, raw.prediction.segmentation, tuple(flags), tuple(notes))


def shipped_for(scans: dict[str, Scan]) -> tuple[Checkpoint, str]:
    """The largest shipped network that all scans have the images for, and a sentence why."""
    networks = {name: shipped_checkpoint(name).acquisitions for name in shipped_names()}
    present = {
        who: [image for series in scan.series.values() for image in series.acquisitions]
        for who, scan in scans.items()
    }
    name, why = choose_network(networks, present)
    return shipped_checkpoint(name), why


def predict_raw(scan: Scan, checkpoint: Checkpoint, *, progress: Progress | None = None) -> Raw:
    """What the network says about a scan; refuses scans that were acquired otherwise or hold nothing."""
    stack = stack_inputs(scan, checkpoint.inputs)
    _check_acquired_alike(scan, stack, checkpoint)
    check_content(scan.subject.name, stack)
    intensity, tissue = intensity_scale(stack), foreground(stack.magnitudes).tissue
    maps, probabilities = _on_own_grid(stack, intensity, scan.subject.side, checkpoint, progress)
    reason = np.where(tissue, Reason.VALID, Reason.BACKGROUND).astype(np.uint8)
    reason[~np.isfinite(stack.data).all(axis=0)] = Reason.BAD_SIGNAL
    values, reasons = {}, {}
    for index, quantity in enumerate(checkpoint.quantities):
        house = maps[index] * np.float32(map_divisor(quantity, checkpoint.scaling, intensity))
        # a network knows no bounds: outside of the tissues that it has learned from it may say less than nothing
        low, high = QUANTITIES[quantity].bounds
        impossible = (reason == Reason.VALID) & ~((house >= low) & (house <= high))
        reasons[quantity] = np.where(impossible, np.uint8(Reason.AT_BOUND), reason)
        values[quantity] = np.where(reasons[quantity] == Reason.VALID, house, np.float32(np.nan))
    table = np.array([TISSUES[name].label for name in checkpoint.tissues], np.uint8)
    labels = np.where(probabilities.sum(axis=0) > 0.5, table[probabilities.argmax(axis=0)], np.uint8(0))
    kept = keep_joint(Segmentation(labels, checkpoint.tissues, stack.grid))
    flags, notes = _region_words(kept)
    prediction = Prediction(MapSet(values, reasons, stack.grid), kept.segmentation, flags, notes)
    return Raw(stack, tissue, intensity, probabilities.max(axis=0), prediction)


def _region_words(kept: Kept) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Flags and notes about regions: what was cut from them, and what no knee has."""
    large = [cut.sentence for cut in kept.cuts if cut.milliliters >= FLAGGED_CUT]
    small = [cut.sentence for cut in kept.cuts if cut.milliliters < FLAGGED_CUT]
    undecided = [kept.undecided] if kept.undecided else []
    return (*large, *undecided, *implausible(kept.segmentation)), tuple(small)


def raw_numbers(raw: Raw) -> dict[str, float]:
    """The numbers by which a scan is compared with those of the training."""
    prediction = raw.prediction
    return scan_numbers(
        raw.stack,
        bright_voxels(raw.stack),
        raw.intensity,
        prediction.maps,
        prediction.segmentation,
        raw.certainty,
    )


def likeness_ranges(checkpoint: Checkpoint) -> Ranges | None:
    """Usual range of each number over the scans of the training; None where the checkpoint does not record them."""
    record = checkpoint.training.get(RECORD)
    if not isinstance(record, dict):
        return None
    return {str(name): (float(low), float(high)) for name, (low, high) in record.items()}


def _on_own_grid(
    stack: ImageSeries, intensity: float, side: Side, checkpoint: Checkpoint, progress: Progress | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maps (quantity, z, y, x) in units of the network and probabilities (tissue, z, y, x) on the grid of the scan."""
    grid = training_grid(stack.grid, checkpoint.voxel_size)
    signals = as_right_knee(onto_grid(network_signals(stack, intensity, "right"), stack.grid, grid), side)
    maps, probabilities = run_network(checkpoint.network(), signals, progress)
    probabilities = one_side_per_slice(probabilities, checkpoint.tissues)
    maps, probabilities = (
        onto_grid(np.ascontiguousarray(as_right_knee(volumes, side)), grid, stack.grid)
        for volumes in (maps, probabilities)
    )
    return maps, probabilities


def _check_acquired_alike(scan: Scan, stack: ImageSeries, checkpoint: Checkpoint) -> None:
    difference = acquisition_difference(checkpoint.acquisitions, stack.acquisitions)
    if difference:
        raise InputError(
            f"sub-{scan.subject.name} was not scanned as the training data: {difference}; "
            "train a network on scans with these settings"
        )
