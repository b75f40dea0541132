"""From a trained checkpoint to one that is small, names nobody and knows what its scans look like."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Prediction
from rmqnet.domain.scan import Scan
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.layout import list_subjects
from rmqnet.io.store import hash_file
from rmqnet.networks.checkpoint import Checkpoint, checkpoint_files, load_checkpoint, save_checkpoint
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.whom import learned_from
from rmqnet.predict.likeness import RECORD, usual_ranges
from rmqnet.predict.predict import predict_raw, raw_numbers

LARGEST_FILE = 11e6
"""Size that a file of weights may have [byte]: issue of this release."""
MOST_CHANGE = 0.005
"""Relative change of a map by half precision that 99 % of the voxels in the regions must stay below: a default, far
below the noise of a voxel."""
MOST_MOVED = 0.005
"""Part of the labelled voxels that may change their label by half precision: a default."""
PERSONAL = ("scans", "train_subjects", "validation_subjects")
"""Entries of a training record that name people; the hashes of their scans are kept."""
FIELD_STRENGTH = 3.0
"""Field of the simulated scans [T]: that of the values in the table of tissues."""


def ship_checkpoint(
    path: Path, study: Path, folder: Path, reporter: Reporter, *, n_scans: int = 24
) -> Checkpoint:
    """Write the checkpoint in half precision to `<folder>/<input set>`; returns what was written.

    Up to `n_scans` of the scans that it has learned from are predicted, to record what they look like and how much half
    precision changes. Raises InputError where that is too much, the file too large, or none of its scans in `study`.
    """
    trained = load_checkpoint(path)
    names = _learned_names(trained, study, n_scans)
    halved = dataclasses.replace(trained, weights=half_precision(trained.weights))
    _check_size(path, halved)
    as_loaded = dataclasses.replace(
        halved, weights={name: _single(tensor) for name, tensor in halved.weights.items()}
    )
    numbers, changes = [], []
    for index, name in enumerate(names):
        reporter.progress("predicting scans of the training", index, len(names))
        scan = load_scan(study, name)
        raw = predict_raw(scan, as_loaded)
        numbers.append(raw_numbers(raw))
        if index < 2:
            changes.append(_changes(scan, trained, raw.prediction))
    reporter.progress("predicting scans of the training", len(names), len(names))
    change = {key: max(one[key] for one in changes) for key in changes[0]}
    _check_change(path, change)
    record = {
        **{key: value for key, value in trained.training.items() if key not in PERSONAL},
        **{f"n_{key}": _count(trained.training, key) for key in PERSONAL[1:]},
        "scans": _hashes(trained.training),
        RECORD: {name: list(ends) for name, ends in usual_ranges(numbers).items()},
        "likeness_scans": len(names),
        "half_precision_change": change,
        "field_strength": FIELD_STRENGTH,
        "trained_weights": hash_file(checkpoint_files(path)[0]),
    }
    shipped = dataclasses.replace(halved, training=record)
    save_checkpoint(folder / trained.inputs.name, shipped)
    return shipped


def _hashes(training: Mapping[str, object]) -> list[str] | None:
    """Hashes of the scans learned from, without the names of their people."""
    scans = training.get("scans")
    return sorted(str(one) for one in scans.values()) if isinstance(scans, dict) else None


def _check_size(path: Path, halved: Checkpoint) -> None:
    """Refuse weights whose file would be too large, before anything is written."""
    weights = {name: tensor.contiguous() for name, tensor in halved.weights.items()}
    size = len(safetensors.torch.save(weights))
    if size > LARGEST_FILE:
        raise InputError(
            f"{path}: has {size / 1e6:.1f} MB in half precision, more than {LARGEST_FILE / 1e6:g}: train with "
            "a smaller --base-width"
        )


def half_precision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of convolutions in half precision; the few of normalizations and biases stay as they are."""
    half = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in weights.items()}
    for name, tensor in half.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(f"weight {name} is too large for half precision: train the network again")
    return half


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _learned_names(checkpoint: Checkpoint, study: Path, n_scans: int) -> list[str]:
    """Subjects of the study that the network has learned from, spread evenly over them."""
    learned = set(learned_from(checkpoint.training) or ())
    named = checkpoint.training.get("scans")
    # names make the search short; the hash decides
    candidates = sorted(named) if isinstance(named, dict) else []
    there = set(list_subjects(study))
    candidates = [name for name in candidates if name in there]
    steps = np.linspace(0, len(candidates) - 1, min(n_scans, len(candidates))).round().astype(int)
    chosen = [candidates[step] for step in dict.fromkeys(steps.tolist())]
    names = [name for name in chosen if hash_scan(study, name) in learned]
    if len(names) < 2:
        raise InputError(
            f"{study}: holds fewer than two of the scans that the network has learned from: name the study that it was "
            "trained on"
        )
    return names


def _changes(scan: Scan, trained: Checkpoint, halved: Prediction) -> dict[str, float]:
    """How much half precision changes one scan: 99th percentile of each map in the regions, and labels moved."""
    full = predict_raw(scan, trained).prediction
    labels, other = full.segmentation.labels, halved.segmentation.labels
    either = (labels > 0) | (other > 0)
    if not labels.any():
        raise InputError(
            f"sub-{scan.subject.name}: the network finds no regions in a scan of its training: train longer"
        )
    found = {"labels": float(np.mean(labels[either] != other[either]))}
    inside = (labels > 0) & np.isfinite(next(iter(full.maps.values.values())))
    for name, values in full.maps.values.items():
        before, after = values[inside], halved.maps.values[name][inside]
        relative = np.abs(after - before) / np.maximum(np.abs(before), np.median(np.abs(before)))
        found[name] = float(np.percentile(relative, 99))
    return found


def _check_change(path: Path, change: Mapping[str, float]) -> None:
    for name, value in change.items():
        limit = MOST_MOVED if name == "labels" else MOST_CHANGE
        if value > limit:
            raise InputError(
                f"{path}: half precision changes {name} by {value:.2%}, more than {limit:.2%}: ship single precision"
            )


def _count(training: Mapping[str, object], key: str) -> int | None:
    people = training.get(key)
    return len(people) if isinstance(people, Sequence) and not isinstance(people, str) else None
