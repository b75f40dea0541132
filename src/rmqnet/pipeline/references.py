"""What a network learns from and is measured against, and what a page shows: fitted maps and a reader's regions."""

from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.provenance import config_hash
from rmqnet.io.bids_labels import load_segmentation
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.layout import find_one, with_ending
from rmqnet.io.store import hash_file
from rmqnet.pipeline.layout import FITTED, REFERENCE, TRUTH, reference_folder, truth_folder
from rmqnet.train.config import Targets

REGIONS = "regions of sub-{}"
"""Name of the hash of the regions of a subject among the inputs of a stage."""
NO_REGIONS = "none"
"""The hash of no regions."""


def load_reference(study: Path, subject: str, notes: list[str] | None = None) -> tuple[MapSet, Segmentation]:
    """Reference maps and regions of a subject, from derivatives/reference of the study.

    What was done to the regions is appended to `notes`.
    """
    folder = reference_folder(study) / f"sub-{subject}"
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no reference for this subject: fit all images with `rmqnet fit {study} "
            f"{reference_folder(study)}` and put the drawn regions into anat/ as "
            f"sub-{subject}_desc-{REFERENCE}_dseg.nii.gz with a .tsv of their names"
        )
    # maps of `rmqnet fit` serve as they are; a simulated study calls its own by what they are for
    described = REFERENCE if find_one(folder, "anat", "T1map", REFERENCE) else FITTED
    maps = load_maps(folder, desc=described)
    return maps, load_segmentation(folder, desc=REFERENCE, grid=maps.grid, notes=notes)


def load_truth(study: Path, subject: str) -> MapSet:
    """Maps that were simulated, from derivatives/truth of the study; InputError where they are not known."""
    folder = truth_folder(study) / f"sub-{subject}"
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no truth for this subject: only a study of `rmqnet simulate` has one; use the "
            "reference maps (--targets reference)"
        )
    return load_maps(folder, desc=TRUTH)


def load_targets(
    study: Path, subject: str, targets: Targets, notes: list[str] | None = None
) -> tuple[MapSet, Segmentation]:
    """What a network learns of a subject: maps of the reference or the truth, and the regions of the reference.

    What was done to the regions is appended to `notes`.
    """
    maps, regions = load_reference(study, subject, notes)
    return (load_truth(study, subject) if targets == "truth" else maps), regions


def regions_hash(study: Path, subject: str) -> str:
    """Hash of the regions of a subject in derivatives/reference and of their table; NO_REGIONS where there are none."""
    path = find_one(reference_folder(study) / f"sub-{subject}", "anat", "dseg", REFERENCE)
    if path is None:
        return NO_REGIONS
    table = with_ending(path, ".tsv")
    return config_hash("regions", [hash_file(one) for one in (path, table) if one.is_file()])


def drawn_regions(study: Path, subject: str, grid: Grid, notes: list[str]) -> tuple[Segmentation | None, str]:
    """Regions of a subject in derivatives/reference, and where they are from; None where none can be used.

    Why regions can't be used is appended to `notes`: maps are worth showing without them.
    """
    folder = reference_folder(study) / f"sub-{subject}"
    path = find_one(folder, "anat", "dseg", REFERENCE)
    if path is None:
        return None, ""
    try:
        regions = load_segmentation(folder, desc=REFERENCE, grid=grid, notes=notes)
    except InputError as error:
        notes.append(f"The regions are not shown: {error}")
        return None, ""
    return regions, f"Regions: {path.name} in derivatives/reference (SHA-256 {hash_file(path)[:12]}...)."
