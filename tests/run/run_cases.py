"""A pool and a listener for the tests of a run, and the settings of its study."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rmqnet.fit.config import FitConfig
from rmqnet.pipeline.run.config import Result, RunConfig

NAMES = ("001", "002", "003")
CONFIG = RunConfig(steps=("fit",), fit=FitConfig(assumed_b1=1.0))


class Here:
    """Does everything before it returns, in this process."""

    slots = 1
    fall_together = False

    def submit(self, function, *arguments):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(function, *arguments)

    def renew(self):
        pass

    def trouble(self):
        return ""

    def close(self, *, now):  # noqa: ARG002  # as a pool has it
        assert not multiprocessing.active_children()


class Ear:
    """Remembers what it hears."""

    def __init__(self):
        self.results: list[Result] = []
        self.remarks: list[str] = []

    def begun(self, plan, subjects, n_steps):
        pass

    def started(self, step, subject):
        pass

    def ended(self, result):
        self.results.append(result)

    def remark(self, sentence):
        self.remarks.append(sentence)

    def finished(self, outcome):
        pass

    @property
    def outcomes(self):
        return {result.subject: result.outcome for result in self.results}


def arrays(out: Path) -> dict[str, bytes]:
    """Contents of all maps of a run by name."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.nii.gz"))}
