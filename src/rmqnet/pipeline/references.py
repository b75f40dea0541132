"""What a network learns from and is measured against: fitted maps and a reader's regions."""

from pathlib import Path

import numpy as np

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.tissues import SEGMENTED, TISSUES
from rmqnet.io.bids_labels import load_segmentation
from rmqnet.io.bids_maps import load_maps
from rmqnet.pipeline.layout import REFERENCE, reference_folder


def readers_labels(labels: Segmentation, tissues: tuple[str, ...] = SEGMENTED) -> Segmentation:
    """The labels of the tissues that a reader draws; everything else is background."""
    drawn = [TISSUES[name].label for name in tissues]
    kept = np.where(np.isin(labels.labels, drawn), labels.labels, 0).astype(np.uint8)
    return Segmentation(kept, tissues, labels.grid)


def load_reference(study: Path, subject: str) -> tuple[MapSet, Segmentation]:
    """Reference maps and regions of a subject, from derivatives/reference of the study."""
    folder = reference_folder(study) / f"sub-{subject}"
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no reference for this subject: fit the full study into derivatives/reference "
            f"and put the drawn regions beside it as *_desc-{REFERENCE}_dseg.nii.gz"
        )
    maps = load_maps(folder, desc=REFERENCE)
    return maps, load_segmentation(folder, desc=REFERENCE, grid=maps.grid)
