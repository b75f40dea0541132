"""What makes a folder a BIDS dataset: its description, its README and what BIDS does not know."""

from pathlib import Path

from rmqnet import __version__
from rmqnet.io.atomic import atomic_file
from rmqnet.io.store import PROVENANCE
from rmqnet.io.text import read_json, write_json

BIDS_VERSION = "1.10.0"
"""Version of the specification that the names and keys follow."""

IGNORED = (
    "*_T1rhow.*",
    "*_reason.*",
    "*_residual.*",
    "*_sd.*",
    "*_values.*",
    "*_probseg.*",
    "*.html",
    "*.label",
    "*.ctbl",
    "regions.tsv",
    PROVENANCE,
    "dicom.json",
    "figures/",
    "xfm/",
    "raw/",
)
"""What BIDS does not know, in the syntax of .bidsignore."""


_SIMULATED = "simulated, no person was scanned"


def says_simulated(root: Path) -> bool:
    """True where the description of a dataset says that it was simulated."""
    path = root / "dataset_description.json"
    made_by = read_json(path).get("GeneratedBy") if path.is_file() else None
    return isinstance(made_by, list) and any(
        isinstance(item, dict) and item.get("Description") == _SIMULATED for item in made_by
    )


def write_dataset_description(
    root: Path, *, name: str, derivative: bool, readme: str, simulated: bool = False
) -> None:
    """Write dataset_description.json, README and .bidsignore at the root of a dataset.

    `readme` is its text: what the dataset is and how it was made.
    """
    description: dict[str, object] = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative" if derivative else "raw",
        "GeneratedBy": [
            {
                "Name": "rmqnet",
                "Version": __version__,
                "Description": _SIMULATED if simulated else name,
            }
        ],
    }
    with atomic_file(root / "dataset_description.json") as path:
        write_json(path, description)
    with atomic_file(root / "README") as path:
        path.write_text(readme.rstrip() + "\n", encoding="utf-8")
    with atomic_file(root / ".bidsignore") as path:
        path.write_text("\n".join(IGNORED) + "\n", encoding="utf-8")
