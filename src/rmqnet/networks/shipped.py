"""The trained networks that come with the package: which there are, and their checkpoints."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import INPUT_SETS
from rmqnet.networks.checkpoint import Checkpoint, checkpoint_files, load_checkpoint


def weights_folder(targets: str = "reference") -> Path:
    """Folder of the package that holds the weights of networks with these targets (`rmqnet.networks.history`)."""
    folder = Path(str(files("rmqnet").joinpath("weights")))
    return folder if targets == "reference" else folder / targets


def shipped_names(targets: str = "reference") -> tuple[str, ...]:
    """Input sets that a network with these targets is shipped for, those with most images first."""
    folder = weights_folder(targets)
    there = [name for name in INPUT_SETS if checkpoint_files(folder / name)[1].is_file()]
    return tuple(sorted(there, key=lambda name: -len(INPUT_SETS[name].acquisitions)))


def shipped_checkpoint(name: str, targets: str = "reference") -> Checkpoint:
    """The shipped network of this input set with these targets; InputError where there is none."""
    known = shipped_names(targets)
    if name not in known:
        there = f"there are {', '.join(known)}" if known else "this version ships none"
        what = "" if targets == "reference" else f" that has learned the {targets}"
        raise InputError(
            f"no network{what} is shipped for the input set {name} ({there}): train one with `rmqnet train` and name "
            "its file with --checkpoint"
        )
    return _load(weights_folder(targets) / name)


def shipped_hash(name: str, targets: str = "reference") -> str:
    """SHA-256 of the weights of the shipped network of this input set and targets (64 hexadecimal digits)."""
    weights, _ = checkpoint_files(weights_folder(targets) / name)
    return hashlib.sha256(weights.read_bytes()).hexdigest()


@cache
def _load(path: Path) -> Checkpoint:
    return load_checkpoint(path)
