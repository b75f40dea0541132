"""Whether samples belong together, and whether two trainings are the same one."""

import hashlib
import json
from collections.abc import Sequence

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import InputSet
from rmqnet.domain.provenance import canonical, config_hash
from rmqnet.samples.agreement import acquisition_difference, voxel_size_differs
from rmqnet.samples.sample import Sample
from rmqnet.train.config import TrainConfig


def check_samples(
    train_samples: Sequence[Sample],
    validation_samples: Sequence[Sample],
    inputs: InputSet,
    quantities: Sequence[str],
    tissues: Sequence[str],
) -> None:
    """Raise InputError where samples are missing, contradict each other, or a subject is in both parts."""
    for part, samples in (("training", train_samples), ("validation", validation_samples)):
        if not samples:
            raise InputError(f"there are no {part} slices: are there subjects in the {part} part?")
    if not quantities or not tissues:
        raise InputError("a network needs at least one quantity and one tissue")
    both = {sample.subject for sample in train_samples} & {sample.subject for sample in validation_samples}
    if both:
        raise InputError(f"sub-{', sub-'.join(sorted(both))} must not be in both training and validation")
    first = train_samples[0]
    if len(first.acquisitions) != len(inputs.acquisitions):
        raise InputError(
            f"the samples hold {len(first.acquisitions)} images, but {inputs.name} has {len(inputs.acquisitions)}"
        )
    for sample in (*train_samples, *validation_samples):
        if sample.quantities != tuple(quantities) or sample.tissues != tuple(tissues):
            raise InputError(
                f"the samples of sub-{sample.subject} hold {', '.join((*sample.quantities, *sample.tissues))}, "
                f"but the network is to give {', '.join((*quantities, *tissues))}"
            )
        difference = acquisition_difference(first.acquisitions, sample.acquisitions)
        if difference:
            raise InputError(
                f"sub-{sample.subject} and sub-{first.subject} were scanned differently: {difference}"
            )
        if voxel_size_differs(first.voxel_size, sample.voxel_size):
            raise InputError(
                f"sub-{sample.subject} has voxels of {sample.voxel_size} mm, sub-{first.subject} of "
                f"{first.voxel_size} mm: train on scans of one voxel size"
            )


def fingerprint(
    train_samples: Sequence[Sample],
    validation_samples: Sequence[Sample],
    inputs: InputSet,
    quantities: Sequence[str],
    tissues: Sequence[str],
    config: TrainConfig,
) -> str:
    """Hash of everything that the result of a training depends on, every voxel of the samples included."""
    digest = hashlib.sha256(config_hash("train", config).encode())
    digest.update(json.dumps(canonical([inputs, list(quantities), list(tissues)])).encode())
    for samples in (train_samples, validation_samples):
        for sample in samples:
            arrays = (sample.signals, sample.maps, sample.valid, sample.mask)
            layout = [(array.shape, array.dtype.str) for array in arrays]
            origin = (sample.subject, sample.slice, sample.acquisitions, sample.voxel_size)
            digest.update(repr((origin, layout)).encode())
            for array in arrays:
                digest.update(array.tobytes())
    return digest.hexdigest()
