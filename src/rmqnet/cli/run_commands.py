"""The command that does everything: `rmqnet run`. Stages are imported when it runs."""

import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from rmqnet.cli.arguments import (
    B1,
    B1Arguments,
    InputSetName,
    Out,
    SpinLock,
    SpinLockArguments,
    Study,
    Subjects,
    Threads,
)
from rmqnet.cli.progress import Terminal
from rmqnet.domain.errors import InputError, PartlyFailedError
from rmqnet.io.kspace_units import Units
from rmqnet.pipeline.run.config import FOLDERS, Outcome, Plan, Result, RunConfig, Step
from rmqnet.train.config import Targets

N_SHOWN = 3
"""Subjects at work that the bar names; a cluster has many: default."""


@dataclass(frozen=True)
class Run:
    """Everything for a folder of people: reconstruct, check, register, fit, predict, evaluate, report; resumes."""

    study: Study
    """Folder of the study (BIDS): images, or k-space in sub-<label>/raw."""
    out: Out
    """Folder for everything that is made; the same command goes on there after an interruption."""
    config: Annotated[RunConfig, arg(name="")]
    subjects: Subjects = ()
    """Names of the subjects; all of them where none is named."""
    checkpoint: Annotated[Path | None, arg(metavar="FILE")] = None
    """Checkpoint of `rmqnet train` (.safetensors); None: the largest shipped network whose images everybody has."""
    input_set: InputSetName | None = None
    """Shipped network to use; None: the largest one whose images everybody has."""
    targets: Targets = "reference"
    """Shipped network by what it has learned: reference, fits of all images; truth, what was simulated."""
    workers: int = 1
    """Subjects at a time, each in a process of its own: memory grows with it, not with the study."""
    dask: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Scheduler of a Dask cluster that sees the same files, as tcp://host:8786, in place of workers here."""
    log: Literal["bar", "json"] = "bar"
    """bar: progress for a person; json: one JSON object per event and line on standard output."""
    b1_map: B1 = field(default_factory=B1Arguments)
    spin_lock: SpinLock = field(default_factory=SpinLockArguments)
    trajectory_units: Units | None = None
    """Unit of the trajectory of k-space, for files that do not state it; 1/voxel is -0.5 to 0.5, rad/voxel
    -pi to pi, 1/fov cycles per field of view."""
    threads: Threads = None

    def __post_init__(self) -> None:
        """Refuse what nobody could work with."""
        if self.workers < 1:
            raise InputError(f"workers must be at least 1, got {self.workers}")

    def run(self) -> None:
        """Run; exit code 1 where subjects failed."""
        from rmqnet.pipeline.run.pool import Dask, Pool, Processes
        from rmqnet.pipeline.run.study import SUBJECTS, plan_run, run_study

        plan = plan_run(
            self.study,
            self.out,
            self.config,
            checkpoint=self.checkpoint,
            network=self.input_set,
            targets=self.targets,
            source=self.spin_lock.source,
            b1_source=self.b1_map.source,
            trajectory_units=self.trajectory_units,
        )

        def open_pool() -> Pool:
            return Processes(self.workers) if self.dask is None else Dask(self.dask)

        # a batch system asks a job to end in this way: it ends as after Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with Terminal() as terminal:
            listener = Lines() if self.log == "json" else Bars(terminal)
            outcome = run_study(plan, open_pool, listener, subjects=self.subjects)
        if outcome.failures:
            failed = len(outcome.subjects) - len(outcome.complete)
            n_subjects = len(outcome.subjects)
            if failed == n_subjects:
                everybody = "the only subject" if failed == 1 else f"all {failed} subjects"
                raise InputError(f"{everybody} failed; reasons: {self.out / SUBJECTS}")
            what = f"{failed} of {n_subjects} subjects failed" if failed else "the report was not made"
            raise PartlyFailedError(f"{what}, the others are complete; reasons: {self.out / SUBJECTS}")


class Bars:
    """Tells a person: a bar, what is at work, and a sentence about whatever went wrong."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._n_steps = self._done = self._made = 0
        self._at_work: dict[tuple[str, str], str] = {}
        self._plan: Plan | None = None

    def begun(self, plan: Plan, subjects: Sequence[str], n_steps: int) -> None:
        """Draw the bar."""
        self._plan, self._n_steps = plan, n_steps
        self._terminal.say(f"{len(subjects)} subjects of {plan.study}")

    def started(self, step: Step, subject: str) -> None:
        """Show who is at work."""
        self._at_work[step, subject] = f"sub-{subject} {step}" if subject else step
        self._show()

    def ended(self, result: Result) -> None:
        """Move the bar; say what failed and what the checks found."""
        self._at_work.pop((result.step, result.subject), None)
        self._made += result.outcome == "done" and bool(result.subject)
        self._done += bool(result.subject)
        if result.outcome == "failed":
            about = f"sub-{result.subject}" if result.subject else "all subjects"
            self._terminal.say(f"{about}, {result.step}: {result.reason}")
        for finding in result.findings:
            if finding.severity != "note":
                self._terminal.say(f"{finding.severity}, sub-{finding.subject}: {finding.sentence}")
        self._show()

    def remark(self, sentence: str) -> None:
        """Say it."""
        self._terminal.say(sentence)

    def finished(self, outcome: Outcome) -> None:
        """End the bar and sum up."""
        self._terminal.progress("steps", self._n_steps, self._n_steps)
        for name, reasons in outcome.failures.items():
            for reason in reasons:
                self._terminal.say(f"failed: {f'sub-{name}' if name else 'report'}: {reason}")
        complete, n_subjects = len(outcome.complete), len(outcome.subjects)
        warnings = sum(finding.severity == "warning" for finding in outcome.findings)
        print(f"{complete} of {n_subjects} subjects complete, {self._made} steps done, {warnings} warnings")
        if self._plan is not None:
            for folder in FOLDERS.values():
                if (self._plan.out / folder).is_dir():
                    print(f"{folder}: {self._plan.out / folder}")

    def _show(self) -> None:
        at_work = list(self._at_work.values())
        more = [f"and {len(at_work) - N_SHOWN} more"] if len(at_work) > N_SHOWN else []
        self._terminal.progress(
            "steps", min(self._done, self._n_steps - 1), self._n_steps, ", ".join([*at_work[:N_SHOWN], *more])
        )


class Lines:
    """Tells a machine: one JSON object per event."""

    def begun(self, plan: Plan, subjects: Sequence[str], n_steps: int) -> None:
        """{"event": "begun", ...}."""
        self._line("begun", study=str(plan.study), out=str(plan.out), subjects=list(subjects), steps=n_steps)

    def started(self, step: Step, subject: str) -> None:
        """{"event": "started", ...}."""
        self._line("started", step=step, subject=subject)

    def ended(self, result: Result) -> None:
        """{"event": "ended", ...}, and {"event": "finding", ...} for each."""
        self._line(
            "ended",
            step=result.step,
            subject=result.subject,
            outcome=result.outcome,
            seconds=round(result.seconds, 3),
            **({"reason": result.reason} if result.reason else {}),
            **({"said": list(result.said)} if result.said else {}),
        )
        for one in result.findings:
            self._line(
                "finding", subject=one.subject, severity=one.severity, rule=one.rule, sentence=one.sentence
            )

    def remark(self, sentence: str) -> None:
        """{"event": "remark", ...}."""
        self._line("remark", sentence=sentence)

    def finished(self, outcome: Outcome) -> None:
        """{"event": "finished", ...}."""
        self._line(
            "finished",
            complete=outcome.complete,
            failed=outcome.failures,
            findings=len(outcome.findings),
        )

    def _line(self, event: str, **more: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        sys.stdout.write(json.dumps({"time": now, "event": event, **more}) + "\n")
        sys.stdout.flush()
