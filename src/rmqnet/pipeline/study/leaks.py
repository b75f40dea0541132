"""Nobody is tested whom a network has learned from: people by their scans, slices by their images."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path

import numpy as np

from rmqnet.domain.errors import InputError
from rmqnet.domain.scan import Scan
from rmqnet.io.bids import load_scan
from rmqnet.networks.checkpoint import Checkpoint
from rmqnet.pipeline.study.presets import FRESH_SEED
from rmqnet.pipeline.whom import learned_from


def check_people_untouched(
    tested: Mapping[str, Set[str]], networks: Mapping[str, Checkpoint], origin: str = "the study"
) -> list[str]:
    """Remarks on networks whose record does not say whom they have learned from.

    `tested` holds the marks of each tested person (`rmqnet.pipeline.whom`), by name; `networks` are checkpoints by
    label. Raises InputError where a tested person is among those that a network was trained or chosen with.
    """
    remarks = []
    for label, checkpoint in networks.items():
        learned = learned_from(checkpoint.training)
        if learned is None:
            remarks.append(f"{label}: the record of the weights does not say whom they have learned from.")
            continue
        for name, marks in tested.items():
            if marks & set(learned):
                raise InputError(
                    f"{label}: has learned from the scan of sub-{name} of {origin}, so that it can't be tested on it: "
                    "take weights that were trained on the training people"
                )
    return remarks


def remarks_on_others(networks: Mapping[str, Checkpoint], cohort: Set[str], seed: int) -> list[str]:
    """Remarks on networks that have learned from people outside a cohort (marks of its people, and its seed).

    Where all people that a network knows are simulated ones by name, the names count: their scans have other hashes
    elsewhere.
    """
    foreign = []
    for label, checkpoint in networks.items():
        record = checkpoint.training
        drawn = record.get("simulated") if record.get("n_not_simulated") == 0 else None
        known = drawn if isinstance(drawn, list) else learned_from(record)
        if set(known or ()) - cohort:
            foreign.append(label)
    if not foreign:
        return []
    has = "has" if len(foreign) == 1 else "have"
    return [
        f"{', '.join(foreign)}: {has} learned from scans outside this cohort; if they were simulated with seed {seed} "
        f"or {FRESH_SEED}, tested people share textures with them."
    ]


def slice_hashes(scan: Scan) -> dict[str, str]:
    """Where each slice image with a signal stands ("vfa image 1, slice 3"), by the hash of its values."""
    found = {}
    for method, series in scan.series.items():
        for number, image in enumerate(series.magnitudes):
            for z, one in enumerate(image):
                if one.any():
                    values = np.ascontiguousarray(one, np.float32)
                    found[hashlib.sha256(values.tobytes()).hexdigest()] = (
                        f"{method} image {number}, slice {z}"
                    )
    return found


def check_slices_apart(study: Path, learned: Sequence[str], tested: Iterable[str]) -> None:
    """Refuse a study in which a slice of a tested person is also a slice of somebody who was learned from."""
    seen = {
        key: f"sub-{name}, {place}"
        for name in learned
        for key, place in slice_hashes(load_scan(study, name)).items()
    }
    for name in tested:
        for key, place in slice_hashes(load_scan(study, name)).items():
            if key in seen:
                raise InputError(
                    f"{study}: sub-{name}, {place}, is the same image as {seen[key]}, which networks learn from: "
                    "give both knees one person in participants.tsv, or remove the copy"
                )
