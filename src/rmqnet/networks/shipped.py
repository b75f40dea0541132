"""The trained networks that come with the package: which there are, and their checkpoints."""

import hashlib
from functools import cache
from importlib.resources import as_file, files

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import INPUT_SETS
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint

FOLDER = "weights"
"""Folder of the package that holds them."""


def shipped_names() -> tuple[str, ...]:
    """Input sets that a network is shipped for, those with most images first."""
    folder = files("rmqnet") / FOLDER
    names = [name for name in INPUT_SETS if (folder / f"{name}.json").is_file()]
    return tuple(sorted(names, key=lambda name: -len(INPUT_SETS[name].acquisitions)))


@cache
def shipped_checkpoint(name: str) -> Checkpoint:
    """The shipped network of this input set; InputError where there is none."""
    known = shipped_names()
    if name not in known:
        there = f"there are {', '.join(known)}" if known else "this version ships none"
        raise InputError(
            f"no network is shipped for the input set {name} ({there}): train one with `rmqnet train` and name "
            "its file with --checkpoint"
        )
    with as_file(files("rmqnet") / FOLDER) as folder:
        return load_checkpoint(folder / name)


def shipped_hash(name: str) -> str:
    """SHA-256 of the weights of the shipped network of this input set (64 hexadecimal digits)."""
    return hashlib.sha256((files("rmqnet") / FOLDER / f"{name}.safetensors").read_bytes()).hexdigest()
