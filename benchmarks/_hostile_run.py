"""Runs inputs, each in a child forked from one warm process without threads, under limits of time and memory."""

import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 30.0
"""Longest time that one input may take."""
GIGABYTES = 2.0
"""Largest memory that one input may take."""
LONGEST_SENTENCE = 2000
"""Characters of a refusal; a longer one is a dump of the input."""


@dataclass
class Case:
    """One input: a folder that is spoiled already, and how a user's command reads it."""

    name: str
    format: str
    folder: Path
    handle: Callable[[Path], object]
    must_refuse: bool = False
    """True where taking the input at all is wrong."""


@dataclass
class Outcome:
    """What became of one input."""

    name: str
    format: str
    kind: str
    """handled, refused, traceback, hang or oversized; accepted: handled although it must be refused."""
    text: str = ""
    """The refusal, or the traceback."""
    seconds: float = 0.0
    gigabytes: float = 0.0
    unclear: bool = False
    """True for a refusal that is not one printable sentence."""


@dataclass
class _Child:
    case: Case
    result: Path
    start: float = field(default_factory=time.monotonic)


def run_cases(cases: Iterable[Case], scratch: Path, n_children: int = 2) -> Iterable[Outcome]:
    """Outcomes of the cases as they end, `n_children` at a time; their folders are removed."""
    n_threads = len(list(Path("/proc/self/task").iterdir()))
    if n_threads != 1:
        raise RuntimeError(f"the warm process must have one thread, it has {n_threads}")
    running: dict[int, _Child] = {}
    for number, case in enumerate(cases):
        while len(running) >= n_children:
            yield from _ended(running)
        result = scratch / f"result-{number}.json"
        process = os.fork()
        if not process:
            _child(case, result)
        running[process] = _Child(case, result)
    while running:
        yield from _ended(running)


def _ended(running: dict[int, _Child]) -> Iterable[Outcome]:
    """Outcomes of the children that have ended by now; waits a moment where none has."""
    done = []
    for process, child in running.items():
        found, status, usage = os.wait4(process, os.WNOHANG)
        seconds = time.monotonic() - child.start
        if not found and seconds < SECONDS + 5:
            continue
        if not found:
            os.killpg(process, signal.SIGKILL)
            _, status, usage = os.wait4(process, 0)
        done.append((process, _outcome(child, bool(found), status, usage.ru_maxrss * 1024 / 1e9, seconds)))
    for process, outcome in done:
        child = running.pop(process)
        shutil.rmtree(child.case.folder, ignore_errors=True)
        child.result.unlink(missing_ok=True)
        yield outcome
    if not done:
        time.sleep(0.002)


def _outcome(child: _Child, in_time: bool, status: int, gigabytes: float, seconds: float) -> Outcome:
    case = child.case
    outcome = Outcome(case.name, case.format, "hang", seconds=seconds, gigabytes=gigabytes)
    if not in_time:
        return outcome
    try:
        found = json.loads(child.result.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        found = {"kind": "traceback", "text": f"died with status {status}"}
    outcome.kind, outcome.text = found["kind"], found["text"]
    outcome.seconds = found.get("seconds", seconds)  # of its own, not of the making of others
    if outcome.seconds > SECONDS:
        outcome.kind = "hang"
    elif gigabytes > GIGABYTES:
        outcome.kind = "oversized"
    elif outcome.kind == "handled" and case.must_refuse:
        outcome.kind = "accepted"
    elif outcome.kind == "refused":
        outcome.unclear = len(outcome.text) > LONGEST_SENTENCE or not _is_printable(outcome.text)
    return outcome


def _is_printable(text: str) -> bool:
    return not any(
        unicodedata.category(character)[0] == "C" or character in "\u2028\u2029" for character in text
    )


def _child(case: Case, result: Path) -> None:
    """Handle the case and end; never returns."""
    from rmqnet.domain.errors import InputError

    os.setpgid(0, 0)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + int(GIGABYTES * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    start = time.monotonic()
    try:
        case.handle(case.folder)
        kind, text = "handled", ""
    except InputError as error:
        kind, text = "refused", str(error)
    except MemoryError:
        kind, text = "oversized", traceback.format_exc()
    except BaseException:  # whatever comes out here is what the benchmark counts
        kind, text = "traceback", traceback.format_exc()
    seconds = time.monotonic() - start
    text = text.replace(str(case.folder), "...").encode("utf-8", "backslashreplace").decode()
    result.write_text(json.dumps({"kind": kind, "text": text, "seconds": seconds}), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)
