"""Where the parts of a study lie, and which people are meant."""

from collections.abc import Sequence
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.io.bids_dataset import says_simulated
from rmqnet.io.layout import list_subjects

RAW = "raw"
"""Folder of the k-space inside the folder of a subject."""
TRUTH = "truth"
REFERENCE = "reference"
SECOND_READER = "reader2"
PREDICTED = "predicted"
FITTED = "fitted"
PREDICTED_REGIONS = "kept at the joint"
"""How predicted regions are made, written among the settings: regions of another way are not continued with these."""
FIGURES = "figures"
"""Folder of the page and pictures inside the folder of a subject."""


def truth_folder(study: Path) -> Path:
    """What was simulated."""
    return study / "derivatives" / TRUTH


def is_simulated(study: Path) -> bool:
    """True where no person was scanned: the truth is there, or the dataset says that it was made of such a study."""
    return truth_folder(study).is_dir() or says_simulated(study)


def reference_folder(study: Path) -> Path:
    """What was fitted from all images, and the regions that a reader drew."""
    return study / "derivatives" / REFERENCE


def chosen_subjects(study: Path, wanted: Sequence[str]) -> list[str]:
    """The wanted subjects ("sub-" may stand before a name), or all of the study; unknown ones are an InputError."""
    names = list(dict.fromkeys(name.removeprefix("sub-") for name in wanted))
    if names and all(name.isalnum() and (study / f"sub-{name}").is_dir() for name in names):
        return names  # a study of thousands is not listed for one
    known = list_subjects(study)
    for name in names:
        if name not in known:
            shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
            raise InputError(f"{study}: has no subject {name!r} (it has: {shown}): check --subjects")
    return names or known
