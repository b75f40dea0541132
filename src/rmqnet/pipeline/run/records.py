"""What each output of a run was made of, and whether that still holds; outputs get their name when complete."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.domain.provenance import Provenance
from rmqnet.io.atomic import atomic_file, plain_disk_errors, scratch_folder, temporary_path, withdraw
from rmqnet.io.participants import FILE as PARTICIPANTS
from rmqnet.io.store import PROVENANCE, read_provenance
from rmqnet.io.text import read_table, write_json, write_table
from rmqnet.pipeline.run.config import FOLDERS, Plan, Step

SETTINGS = "settings"
"""Name of the hash of a step's settings among the inputs of its outputs."""
NETWORK = "checkpoint"
"""Name of the hash of a network's weights among the inputs of predictions."""


def is_current(folder: Path, made_of: Mapping[str, str]) -> bool:
    """True where this output is complete and was made of these contents with these settings."""
    found = record_of(folder)
    return found is not None and all(found.inputs.get(name) == value for name, value in made_of.items())


def record_of(folder: Path) -> Provenance | None:
    """What made this output; None where it is not there or does not say."""
    if not (folder / PROVENANCE).is_file():
        return None
    try:
        return read_provenance(folder)
    except InputError:
        return None


@contextmanager
def published(target: Path, subject: str, made_of: Mapping[str, str]) -> Iterator[Path]:
    """A scratch folder for a stage; what it holds of the subject becomes `target` at the end, replacing an older one.

    An older output is taken away at the start: what is out of date never stands beside what is not.
    """
    with plain_disk_errors(target.parent):
        target.parent.mkdir(exist_ok=True)
    withdraw(target)
    with scratch_folder(target) as scratch:
        # the scratch folder lies as deep as its target, or links out of it would break; the stage makes its own
        mark = temporary_path(scratch / "mark")
        mark.touch()
        yield scratch
        if not mark.exists():
            # a worker of a cluster may outlive its run: a later one has then deleted what it made
            raise InputError(f"{target}: another run has taken this folder over")
        mark.unlink()
        made = scratch / f"sub-{subject}" if subject else scratch
        record = read_provenance(scratch)
        inputs = {**record.inputs, **made_of}
        write_json(made / PROVENANCE, asdict(replace(record, inputs=inputs)))
        if subject:
            _share(scratch, target.parent)
        withdraw(target)  # a worker whose run was killed may have come first with the same
        made.rename(target)


def _share(scratch: Path, root: Path) -> None:
    """Copy what a stage wrote about all its subjects; lists of subjects are made at the end."""
    for path in sorted(scratch.iterdir()):
        own = path.name.startswith(PARTICIPANTS.removesuffix(".tsv")) or path.name == PROVENANCE
        if own or not path.is_file():
            continue
        content = path.read_bytes()
        if not (root / path.name).is_file() or (root / path.name).read_bytes() != content:
            with atomic_file(root / path.name) as temporary:
                temporary.write_bytes(content)


def share_people(plan: Plan) -> None:
    """Copy the table of participants to the studies that the run makes, which would not know age and grade else."""
    source = plan.study / PARTICIPANTS
    for step, folder in FOLDERS.items():
        if step not in ("reconstruct", "register") or not source.is_file():
            continue
        if (step == "reconstruct" and plan.raw) or (step == "register" and "register" in plan.config.steps):
            with plain_disk_errors(plan.out):
                (plan.out / folder).mkdir(exist_ok=True)
            with atomic_file(plan.out / folder / PARTICIPANTS) as path:
                path.write_bytes(source.read_bytes())


def write_records(plan: Plan, steps: Iterable[Step]) -> None:
    """Write the record of each folder of subjects from theirs; its table of participants keeps only their rows."""
    for step in steps:
        root = plan.out / FOLDERS[step]
        if not root.is_dir():
            continue
        records = {path.name: record_of(path) for path in sorted(root.glob("sub-*"))}
        known = [record for record in records.values() if record is not None]
        if known:
            inputs = {name: value for record in known for name, value in record.inputs.items()}
            warnings = tuple(dict.fromkeys(text for record in known for text in record.warnings))
            with atomic_file(root / PROVENANCE) as path:
                write_json(path, asdict(replace(known[0], inputs=inputs, warnings=warnings)))
        else:
            (root / PROVENANCE).unlink(missing_ok=True)
        table = root / PARTICIPANTS
        if table.is_file():
            rows = [row for row in read_table(table) if row.get("participant_id") in records]
            if rows:
                with atomic_file(table) as path:
                    write_table(path, list(rows[0]), [list(row.values()) for row in rows])


def check_same_settings(plan: Plan, chosen: Iterable[str], settings: Mapping[Step, str]) -> None:
    """Refuse to leave subjects that are not chosen beside others made with other settings."""
    own = {f"sub-{name}" for name in chosen}
    for step, wanted in settings.items():
        for path in sorted((plan.out / FOLDERS[step]).glob("sub-*")):
            record = None if path.name in own else record_of(path)
            if record is not None and record.inputs.get(SETTINGS) != wanted:
                raise InputError(
                    f"{path}: was made with other settings of {step}: choose it too, delete it, or take another folder"
                )


def check_same_network(plan: Plan, chosen: Iterable[str], weights: str) -> None:
    """Refuse to leave subjects that are not chosen beside others predicted with another network (its hash)."""
    own = {f"sub-{name}" for name in chosen}
    for path in sorted(plan.folder("predict", "").glob("sub-*")):
        record = None if path.name in own else record_of(path)
        if record is not None and record.inputs.get(NETWORK) != weights:
            raise InputError(
                f"{path}: was predicted with another network: choose it too, name the same network with --checkpoint, "
                "delete it, or take another folder"
            )
