"""What made an output: enough to make it again, and to tell whether it is still right."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import PurePath

FORMAT = 1
"""Version of the provenance record on disk."""


def canonical(value: object) -> object:
    """The value as plain JSON types, the same for equal configurations."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: canonical(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {
            str(key): canonical(item) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))
        }
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, PurePath):
        return value.name
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"can't write {type(value).__name__} into a provenance record")


def config_hash(stage: str, config: object) -> str:
    """Hash of a stage's name and configuration (16 hexadecimal digits)."""
    text = json.dumps([stage, canonical(config)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Provenance:
    """Record beside every output."""

    stage: str
    version: str
    config: object
    config_hash: str
    seed: int | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    """Hash of each input by name."""
    warnings: tuple[str, ...] = ()
    format: int = FORMAT
