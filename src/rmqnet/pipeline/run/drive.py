"""Hands steps to the workers and takes their results: a few at a time, and again where a worker died."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

from rmqnet.pipeline.run.config import Plan, Result, Step
from rmqnet.pipeline.run.pool import Pool, died
from rmqnet.pipeline.run.steps import run_step

POLL = 5.0
"""How often the pool is asked for trouble while nothing happens [s]: default."""
STOPPING: tuple[Step, ...] = ("reconstruct", "check", "register")
"""Steps that others build on: where one fails, the subject goes no further."""


@dataclass(frozen=True)
class Task:
    """A step that is to be done."""

    step: Step
    subject: str
    after: tuple[Step, ...] = ()
    """Steps of the same subject that follow."""
    others: tuple[str, ...] = ()
    """Subjects of a step about all of them."""
    again: bool = False
    """True where it was begun before by a worker that died."""


@dataclass(frozen=True)
class Watch:
    """Who is told what happens."""

    started: Callable[[Task], None]
    """A step was handed over."""
    ended: Callable[[Result], None]
    """A step has a result."""
    remark: Callable[[str], None]
    """Something about the workers."""


def drive(plan: Plan, pool: Pool, first: Sequence[Task], watch: Watch) -> None:
    """Do these tasks and what follows them.

    A task whose worker died is done again at the end, alone: then nobody else is to blame, and it has all the memory.
    """
    ready, again = deque(first), deque[Task]()
    running: dict[Future[Result], Task] = {}
    while ready or again or running:
        # those that a dead worker may have taken with it wait until nobody else can be hit
        slots = pool.slots if ready or not again else 1
        source = ready or again
        while source and len(running) < slots and not (source is again and running):
            task = source.popleft()
            try:
                future = pool.submit(run_step, plan, task.step, task.subject, task.others)
            except BrokenProcessPool:  # a worker died since the last look: those that run fall first
                source.appendleft(task)
                if not running:
                    pool.renew()
                break
            running[future] = task
            watch.started(task)
        finished, _ = wait(running, timeout=POLL, return_when=FIRST_COMPLETED)
        fallen = [future for future in finished if died(_error(future))]
        # a scheduler that dies takes all tasks with it: that is not their fault
        if (fallen or not finished) and (trouble := pool.trouble()):
            watch.remark(trouble)
        if fallen and pool.fall_together:
            finished = wait(running).done
        for future in finished:
            follow_up, retry = _settle(future, running.pop(future), watch)
            ready.extendleft(follow_up)
            again.extend(retry)
        if fallen:
            pool.renew()


def _settle(future: Future[Result], task: Task, watch: Watch) -> tuple[list[Task], list[Task]]:
    """Tell the result of a task; gives what follows it, and itself where it is to be done again."""
    result = _result(future, task)
    if result is None:
        watch.remark(f"{named(task.subject)}{task.step}: its worker died; it is tried once more, alone")
        return [], [replace(task, again=True)]
    watch.ended(result)
    if task.after and (result.outcome != "failed" or task.step not in STOPPING):
        return [Task(task.after[0], task.subject, task.after[1:])], []
    return [], []


DEAD = (
    "its worker died twice (killed, or out of memory): take fewer workers, or look at the size of its images"
)
"""Why a step failed that no worker survived."""


def _result(future: Future[Result], task: Task) -> Result | None:
    """The result of a task, a failure where it ended in an error; None where it is to be done again."""
    error = _error(future)
    if error is None:
        return future.result()
    if not died(error):
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        return Result(
            task.step, task.subject, "failed", f"stopped by an error of the program ({text}): report it"
        )
    return Result(task.step, task.subject, "failed", DEAD) if task.again else None


def _error(future: Future[Result]) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


def named(subject: str) -> str:
    """How a subject is called before a step; empty for a step about all."""
    return f"sub-{subject}, " if subject else ""
