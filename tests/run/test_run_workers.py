"""Workers that die, and runs that are killed: a plain failure or another try, never a hang."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest
from run_cases import NAMES, Ear, Here

from rmqnet.domain.errors import InputError
from rmqnet.pipeline.run import pool as pool_module
from rmqnet.pipeline.run.config import RunConfig
from rmqnet.pipeline.run.pool import Dask, Processes
from rmqnet.pipeline.run.study import run_study


class Deadly(Here):
    """A pool in which the worker of one subject dies, for good or once."""

    slots = 2
    fall_together = True

    def __init__(self, victim, deaths):
        self.victim, self.deaths = victim, deaths
        self.broken, self.waiting, self.alone = False, [], []

    def submit(self, function, *arguments):
        assert not self.broken, "renewed before anything is handed over"
        if arguments[2] != self.victim or not self.deaths:
            return super().submit(function, *arguments)
        self.deaths -= 1
        self.broken = True
        future = Future()
        future.set_exception(BrokenProcessPool("died"))
        return future

    def renew(self):
        self.broken = False


def test_a_worker_that_dies_once_costs_nothing(plan):
    ear = Ear()
    outcome = run_study(plan, lambda: Deadly("002", 1), ear)
    assert outcome.complete == list(NAMES)
    assert any("tried once more" in remark for remark in ear.remarks)


def test_a_subject_that_kills_its_worker_twice_has_failed_and_only_it(plan):
    ear = Ear()
    outcome = run_study(plan, lambda: Deadly("002", 2), ear)
    assert set(outcome.failures) == {"002"}
    assert "its worker died twice" in outcome.failures["002"][0]
    assert ear.outcomes["001"] == ear.outcomes["003"] == "done"


def test_an_error_of_the_program_is_the_reason_of_its_subject(plan, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("of nothing")

    monkeypatch.setattr("rmqnet.pipeline.fit.fit_study", broken)
    outcome = run_study(plan, Here, Ear())
    assert set(outcome.failures) == set(NAMES)
    assert "ZeroDivisionError: of nothing" in outcome.failures["001"][0]


def test_processes_survive_a_death_and_end_with_their_leader(tmp_path):
    pool = Processes(1)
    future = pool.submit(os._exit, 9)
    with pytest.raises(BrokenProcessPool):
        future.result(timeout=60)
    pool.renew()
    worker = pool.submit(os.getpid).result(timeout=60)
    assert worker != os.getpid()
    pool.close(now=True)
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_killed_run_leaves_no_worker_behind(tmp_path):
    code = (
        "import os, time\n"
        "from rmqnet.pipeline.run.pool import Processes\n"
        "if __name__ == '__main__':\n"
        "    pool = Processes(1)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    pool.submit(time.sleep, 600)\n"
        "    time.sleep(600)\n"
    )
    script = tmp_path / "leader.py"
    script.write_text(code)
    leader = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert leader.stdout is not None
    with leader.stdout:
        worker = int(leader.stdout.readline())
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    for _ in range(600):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the worker lives on")


def test_two_dask_workers_of_which_one_is_killed_give_the_same(plan):
    distributed = pytest.importorskip("distributed", reason="dask is not installed (rmqnet[dask])")
    # checks: their arrays need the fewest libraries in the workers
    plan = dataclasses.replace(plan, config=RunConfig(steps=("check",)))
    here = run_study(plan, Here, Ear())
    expected = contents(plan.out / "checks")
    assert len(expected) == 3 * len(NAMES) + 1

    class Assassin(Ear):
        """Kills the process of one worker when the first subject is done."""

        def ended(self, result):
            if not self.results:
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
            super().ended(result)

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        plan = dataclasses.replace(plan, out=plan.out.with_name("by-dask"))
        there = run_study(plan, lambda: Dask(cluster.scheduler_address), Assassin())
    assert (there.failures, there.findings) == (here.failures, here.findings)
    assert contents(plan.out / "checks") == expected


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_cluster_that_does_not_answer_is_one_sentence(monkeypatch):
    pytest.importorskip("distributed", reason="dask is not installed (rmqnet[dask])")
    monkeypatch.setattr(pool_module, "CONNECT_LIMIT", 0.5)
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        Dask("tcp://127.0.0.1:1")
