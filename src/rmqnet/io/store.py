"""Output folders of a stage: one provenance record, and subjects that appear one by one when complete."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rmqnet import __version__
from rmqnet.domain.errors import InputError
from rmqnet.domain.provenance import FORMAT, Provenance, canonical, config_hash
from rmqnet.io.atomic import (
    atomic_file,
    atomic_folder,
    is_temporary,
    plain_disk_errors,
    plain_folder_errors,
    remove_stale,
)
from rmqnet.io.layout import check_folder
from rmqnet.io.text import read_json, write_json

PROVENANCE = "provenance.json"
"""File name of the record in every output folder."""


@dataclass(frozen=True)
class StageOutput:
    """An output folder that belongs to one configuration of one stage."""

    root: Path
    """The folder."""
    provenance: Provenance
    """What the folder is made by."""

    def done(self, subject: str) -> bool:
        """True where this subject (label without "sub-") is complete."""
        return (self.root / f"sub-{subject}").is_dir()

    @contextmanager
    def subject(self, subject: str) -> Iterator[Path]:
        """A temporary folder that becomes root/sub-<subject> at the end; removed when anything goes wrong."""
        with atomic_folder(self.root / f"sub-{subject}") as folder:
            yield folder

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """A temporary path that becomes root/<name> at the end; removed when anything goes wrong."""
        with atomic_file(self.root / name) as path:
            yield path


def open_stage(root: Path, provenance: Provenance, *, renewed: Collection[str] = ()) -> StageOutput:
    """The output folder of a stage: a new one, or a resumed one of the same stage and configuration.

    `renewed` names inputs that may have changed, since what was made of them is made anew.

    Raises:
        InputError: the folder holds something else, another configuration or other inputs.
    """
    _check_no_file(root)
    with plain_folder_errors(root):
        root.mkdir(parents=True, exist_ok=True)
    with plain_disk_errors(root):
        remove_stale(root)
        if any(not is_temporary(item) for item in root.iterdir()):
            provenance = _resumed(root, provenance, renewed)
        _write(root, provenance)
    return StageOutput(root, provenance)


def check_stage(root: Path, provenance: Provenance, *, renewed: Collection[str] = ()) -> None:
    """Refuse what `open_stage` would refuse, without writing anything: for stages that can fail before they write."""
    _check_no_file(root)
    if root.is_dir() and any(not is_temporary(item) for item in root.iterdir()):
        _resumed(root, provenance, renewed)


def make_provenance(
    stage: str,
    config: object,
    seed: int | None = None,
    inputs: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
) -> Provenance:
    """Record of a stage run by this version; `inputs` are hashes by name."""
    return Provenance(
        stage=stage,
        version=__version__,
        config=canonical(config),
        config_hash=config_hash(stage, config),
        seed=seed,
        inputs=dict(inputs or {}),
        warnings=tuple(warnings),
    )


def read_provenance(root: Path) -> Provenance:
    """The record of an output folder."""
    path = root / PROVENANCE
    check_folder(root)
    if not path.is_file():
        raise InputError(f"{root}: was not made by rmqnet (no {PROVENANCE}): choose an empty or new folder")
    record = read_json(path)
    if record.get("format", FORMAT) != FORMAT:
        raise InputError(f"{path}: has format {record['format']}, this rmqnet knows {FORMAT}: update rmqnet")
    damaged = f"{path}: is damaged: delete the folder or choose another one"
    if not all(name in record and test(record[name]) for name, test in _FIELDS.items()):
        raise InputError(damaged)
    try:
        return Provenance(**{**record, "warnings": tuple(record["warnings"])})
    except TypeError as error:
        raise InputError(damaged) from error


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_seed(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _are_hashes(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_sentences(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_FIELDS: Mapping[str, Callable[[object], bool]] = {
    "stage": _is_text,
    "version": _is_text,
    "config_hash": _is_text,
    "seed": _is_seed,
    "inputs": _are_hashes,
    "warnings": _are_sentences,
}
"""What the fields of a record must be."""


def hash_file(path: Path) -> str:
    """SHA-256 of a file (64 hexadecimal digits)."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file: check the path")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_folder(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below a folder (64 hexadecimal digits)."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder).as_posix()} {hash_file(path)}\n".encode())
    return digest.hexdigest()


def _check_no_file(root: Path) -> None:
    with plain_folder_errors(root):  # a path that is too long fails here
        is_file = root.exists() and not root.is_dir()
    if is_file:
        raise InputError(f"{root}: is a file: choose another output folder")


def _resumed(root: Path, wanted: Provenance, renewed: Collection[str] = ()) -> Provenance:
    """Record of a folder that may be continued: the old one, with the new inputs and warnings added."""
    found = read_provenance(root)
    cure = "choose another folder or delete this one"
    if found.stage != wanted.stage:
        raise InputError(f"{root}: holds the output of `{found.stage}`, not of `{wanted.stage}`: {cure}")
    if (found.config_hash, found.seed) != (wanted.config_hash, wanted.seed):
        raise InputError(f"{root}: has another configuration{_differences(found, wanted)}: {cure}")
    changed = [
        name
        for name, value in wanted.inputs.items()
        if name not in renewed and found.inputs.get(name, value) != value
    ]
    if changed:
        raise InputError(f"{root}: was made from another {changed[0]}: {cure}")
    warnings = [*found.warnings, *(text for text in wanted.warnings if text not in found.warnings)]
    if found.version != wanted.version:
        note = f"begun by version {found.version}, continued by version {wanted.version}"
        warnings += [note] if note not in warnings else []
    return replace(found, inputs={**found.inputs, **wanted.inputs}, warnings=tuple(warnings))


def _differences(found: Provenance, wanted: Provenance) -> str:
    """What differs, as " (epochs: 5 there, 6 now)"; empty where it can't be told."""
    old, new = ({("seed",): record.seed, **_leaves(record.config)} for record in (found, wanted))
    told = [
        f"{name[-1]}: {json.dumps(old.get(name))} there, {json.dumps(new.get(name))} now"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    unlike = list(dict.fromkeys(told))  # a seed stands in the record and in the configuration
    more = [f"and {len(unlike) - 3} more"] if len(unlike) > 3 else []
    return f" ({'; '.join([*unlike[:3], *more])})" if unlike else ""


def _leaves(config: object, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """The single values of a nested configuration by the names on the way to them."""
    if not isinstance(config, dict):
        return {above: config} if above else {}
    return {
        name: leaf for key, value in config.items() for name, leaf in _leaves(value, (*above, key)).items()
    }


def _write(root: Path, provenance: Provenance) -> None:
    with atomic_file(root / PROVENANCE) as path:
        write_json(path, asdict(provenance))
