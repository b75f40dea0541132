"""A whole study: every step of every subject, and what has become of each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

from rmqnet.domain.errors import InputError, OutputError
from rmqnet.io.atomic import (
    atomic_file,
    is_temporary,
    plain_disk_errors,
    plain_folder_errors,
    remove_unfinished,
    withdraw,
)
from rmqnet.io.kspace_units import Units
from rmqnet.io.layout import check_folder, find_images, subject_folder
from rmqnet.io.lock import LOCK, locked
from rmqnet.io.store import PROVENANCE, hash_file, make_provenance, read_provenance
from rmqnet.io.text import read_table, write_json, write_table
from rmqnet.pipeline.layout import RAW, chosen_subjects, reference_folder
from rmqnet.pipeline.run.config import FOLDERS, SMALLER, Noted, Outcome, Plan, Result, RunConfig, Step
from rmqnet.pipeline.run.drive import STOPPING, Task, Watch, drive
from rmqnet.pipeline.run.pool import Pool, closing
from rmqnet.pipeline.run.records import check_same_network, check_same_settings, share_people, write_records
from rmqnet.pipeline.run.steps import settings, spin_lock_source
from rmqnet.pipeline.sources import B1Source, SpinLockSource
from rmqnet.train.config import Targets

STAGE = "run"
"""Name of the stage in the record of the folder of a run."""
SUBJECTS, FINDINGS = "subjects.tsv", "findings.tsv"
"""Tables at the root of the folder of a run: what has become of each subject, and what the checks found."""
_LATER: tuple[Step, ...] = ("register", "fit", "predict")
"""Steps after the check, in order."""


class Listener(Protocol):
    """Who is told what happens: a person by bars and sentences, a machine by lines."""

    def begun(self, plan: Plan, subjects: Sequence[str], n_steps: int) -> None:
        """The run begins with these subjects; so many steps are to be done, if all goes well."""
        ...

    def started(self, step: Step, subject: str) -> None:
        """A step was handed to a worker."""
        ...

    def ended(self, result: Result) -> None:
        """A step has a result."""
        ...

    def remark(self, sentence: str) -> None:
        """Something worth knowing about the run."""
        ...

    def finished(self, outcome: Outcome) -> None:
        """Nothing more will be done."""
        ...


def plan_run(
    study: Path,
    out: Path,
    config: RunConfig,
    *,
    checkpoint: Path | None = None,
    network: str | None = None,
    targets: Targets = "reference",
    source: SpinLockSource | None = None,
    b1_source: B1Source = B1Source(),  # noqa: B008  # frozen
    trajectory_units: Units | None = None,
) -> Plan:
    """The plan of a run; nothing is written. InputError where it can't be done for any subject."""
    check_folder(study)
    source = source or SpinLockSource()
    for path in (checkpoint, source.spin_lock_table):
        if path is not None and not path.is_file():
            raise InputError(f"{path}: there is no such file: check the path")
    if checkpoint is not None and (network is not None or targets != "reference"):
        raise InputError(
            f"--input-set and --targets choose among the shipped networks: leave them out, {checkpoint} says its own"
        )
    if study.resolve() == out.resolve():
        raise InputError(f"{out}: is the study itself: choose another output folder")
    folders = [subject_folder(study, name) for name in chosen_subjects(study, ())]
    # a B1 map may lie beside k-space
    has_images = any(
        (folder / "anat").is_dir() or find_images(folder, "fmap", "TB1AFI") for folder in folders
    )
    return Plan(
        study.absolute(),
        out.absolute(),
        config,
        not has_images and any((folder / RAW).is_dir() for folder in folders),
        None if checkpoint is None else checkpoint.absolute(),
        source.absolute(),
        b1_source.absolute(),
        trajectory_units,
        network,
        targets,
    )


def run_study(
    plan: Plan, open_pool: Callable[[], Pool], listener: Listener, *, subjects: Sequence[str] = ()
) -> Outcome:
    """Do what is missing or out of date; a subject that fails does not stop the others.

    Raises:
        InputError: nothing can be done at all, or nothing more can be written; what is complete is kept.
    """
    names = chosen_subjects(plan.study, subjects)
    plan.b1_source.check(names)
    with _opened(plan) as remark:
        if remark:
            listener.remark(remark)
        check_same_settings(plan, names, settings(plan))
        if "predict" in plan.config.steps and plan.checkpoint is not None:
            check_same_network(plan, names, hash_file(plan.checkpoint))
        elif "predict" in plan.config.steps and plan.network is not None:
            from rmqnet.networks.shipped import shipped_checkpoint, shipped_hash

            shipped_checkpoint(
                plan.network, plan.targets
            )  # refuses, before anything is done, what is not shipped
            check_same_network(plan, names, shipped_hash(plan.network, plan.targets))
        share_people(plan)
        run = _Run(plan, listener, Outcome(tuple(names)))
        listener.begun(plan, names, len(names) * len(run.early + run.late))
        try:
            with closing(open_pool()) as pool:
                run.go(pool)
        finally:
            _end(plan, run.outcome, (*run.early, *run.late))
    listener.finished(run.outcome)
    return run.outcome


@contextmanager
def _opened(plan: Plan) -> Iterator[str | None]:
    """The folder of the run, locked, without what a killed run has left; gives a remark about its lock."""
    out = plan.out
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file: choose another output folder")
    # what is not ours is refused before a lock is put into it
    if out.is_dir() and any(not is_temporary(path) and path.name != LOCK for path in out.iterdir()):
        found = read_provenance(out)
        if found.stage != STAGE:
            raise InputError(f"{out}: holds the output of `{found.stage}`: choose another output folder")
        if found.config != {"study": plan.study.name}:
            raise InputError(f"{out}: holds the run of another study: choose another output folder")
    with plain_folder_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with locked(out) as remark:
        for folder in (out, *(out / name for name in FOLDERS.values())):
            if folder.is_dir():
                with plain_disk_errors(folder):
                    remove_unfinished(folder)
        with atomic_file(out / PROVENANCE) as path:
            write_json(path, asdict(make_provenance(STAGE, {"study": plan.study.name})))
        yield remark


class _Run:
    """The steps of a run, and what has become of them so far."""

    def __init__(self, plan: Plan, listener: Listener, outcome: Outcome) -> None:
        self.plan = plan
        self.listener = listener
        self.outcome = outcome
        wanted = plan.config.steps
        self.early: tuple[Step, ...] = (
            *(("reconstruct",) if plan.raw else ()),
            *(("check",) if "check" in wanted else ()),
        )
        self.late: tuple[Step, ...] = tuple(step for step in _LATER if step in wanted)

    def go(self, pool: Pool) -> None:
        """Do everything."""
        self._drive(pool, [Task(self.early[0], name, self.early[1:]) for name in self._alive() if self.early])
        if "check" in self.early and (alive := self._alive()):
            self._drive(pool, [Task("compare", "", others=tuple(alive))])
        chosen = self.plan.checkpoint is not None or self.plan.network is not None
        if "predict" in self.late and not chosen and (alive := self._alive()):
            self._choose_network(alive)
        self._drive(pool, [Task(self.late[0], name, self.late[1:]) for name in self._alive() if self.late])
        self._evaluate(pool)
        self.outcome.over = True

    def _choose_network(self, names: Sequence[str]) -> None:
        """One shipped network for everybody, so that their maps can be compared; without one nothing is predicted."""
        from rmqnet.networks.shipped import shipped_hash
        from rmqnet.pipeline.predict import choose_shipped  # takes seconds to import

        try:
            images = self.plan.images
            choice = choose_shipped(images, names, spin_lock_source(self.plan, images), self.plan.targets)
        except InputError as error:
            if "fit" not in self.late:
                raise
            self.late = tuple(step for step in self.late if step != "predict")
            self.listener.remark(f"Nothing is predicted: {error}")
            return
        check_same_network(
            self.plan, self.outcome.subjects, shipped_hash(choice.input_set, self.plan.targets)
        )
        self.plan = replace(self.plan, network=choice.input_set)
        self.listener.remark(choice.why)
        held_back = [Noted("warning", who, SMALLER, text) for who, text in choice.held_back.items()]
        self.outcome.findings += held_back
        for finding in held_back:
            self.listener.remark(f"warning, sub-{finding.subject}: {finding.sentence}")

    def _alive(self) -> list[str]:
        return [name for name in self.outcome.subjects if name not in self.outcome.failures]

    def _drive(self, pool: Pool, tasks: Sequence[Task]) -> None:
        watch = Watch(
            started=lambda task: self.listener.started(task.step, task.subject),
            ended=self._ended,
            remark=self.listener.remark,
        )
        drive(self.plan, pool, tasks, watch)

    def _ended(self, result: Result) -> None:
        self.listener.ended(result)
        self.outcome.findings += result.findings
        if result.hopeless:
            raise OutputError(result.reason)
        if result.step == "compare" and result.outcome == "failed":
            # nobody's findings are known, so nobody goes further
            raise InputError(f"the checks could not be compared: {result.reason}")
        if result.outcome == "failed":
            self._fail(result.subject, result.step, result.reason)
        if result.step == "compare":
            for finding in result.findings:
                if finding.severity == "error":
                    self._fail(finding.subject, "check", finding.sentence)

    def _fail(self, name: str, step: Step, reason: str) -> None:
        self.outcome.failures.setdefault(name, []).append(f"{step}: {reason}")
        if not name:
            return
        # what can't be made anew is out of date; what was made of images that are not believed any more is not either
        made: tuple[Step, ...] = ("reconstruct", *_LATER)
        for own in made:
            if own == step or (step in STOPPING and own in _LATER):
                withdraw(self.plan.folder(own, name))

    def _evaluate(self, pool: Pool) -> None:
        """Tables and page about those with predictions and a reference."""
        wanted = self.plan.config.steps
        if "evaluate" not in wanted:
            return
        if "predict" in wanted and "predict" not in self.late:
            # what an earlier run predicted is not scored as this one's
            withdraw(self.plan.folder("evaluate", ""))
            return
        write_records(self.plan, self.late)
        reference = reference_folder(self.plan.study)
        names = tuple(
            name
            for name in self._alive()
            if (reference / f"sub-{name}").is_dir() and self.plan.folder("predict", name).is_dir()
        )
        if names:
            self._drive(pool, [Task("evaluate", "", others=names)])
        else:
            withdraw(self.plan.folder("evaluate", ""))


def _end(plan: Plan, outcome: Outcome, steps: Sequence[Step]) -> None:
    """Write what has become of everybody."""
    remove_unfinished(plan.out)
    write_records(plan, steps)
    rows = []
    for name in outcome.subjects:
        reasons = outcome.failures.get(name, [])
        state = "failed" if reasons else "complete" if outcome.over else "unfinished"
        rows.append([f"sub-{name}", state, " ".join(reasons) or None])
    found = [[f"sub-{one.subject}", one.severity, one.rule, one.sentence] for one in outcome.findings]
    _write_table(plan, outcome, SUBJECTS, ["participant_id", "outcome", "reason"], rows)
    _write_table(plan, outcome, FINDINGS, ["participant_id", "severity", "rule", "finding"], found)


def _write_table(
    plan: Plan, outcome: Outcome, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
) -> None:
    """Write a table; what it said of people of the study who were not chosen this time stays."""
    chosen = {f"sub-{subject}" for subject in outcome.subjects}
    known: list[list[str | None]] = []
    with suppress(InputError):  # none yet, or changed by hand
        for row in read_table(plan.out / name):
            who = row.get("participant_id", "")
            if who.startswith("sub-") and who not in chosen and (plan.study / who).is_dir():
                known.append([row.get(column) for column in columns])
    with atomic_file(plan.out / name) as path:
        write_table(path, columns, sorted([*known, *rows], key=lambda row: str(row[0])))
