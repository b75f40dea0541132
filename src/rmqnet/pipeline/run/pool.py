"""Who does the work: processes of this computer, or the workers of a Dask cluster, through one kind of executor."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Any, Protocol

from rmqnet.domain.errors import InputError
from rmqnet.domain.threads import threads_of_worker, use_threads

CONNECT_LIMIT = 10.0
"""How long a Dask scheduler may take to answer [s]: default."""
NO_WORKER_LIMIT = 600.0
"""How long a Dask cluster may be without any worker before the run gives up [s]: default."""


class Pool(Protocol):
    """Runs functions elsewhere, and survives the death of those who run them."""

    @property
    def slots(self) -> int:
        """How many tasks to hand over at a time."""
        ...

    @property
    def fall_together(self) -> bool:
        """True where the death of one worker ends what all others do."""
        ...

    def submit(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        """The result of the function, later."""
        ...

    def renew(self) -> None:
        """Make the pool usable again after a worker has died."""
        ...

    def trouble(self) -> str:
        """What keeps the pool from working at this moment, for a person; empty where nothing does."""
        ...

    def close(self, *, now: bool) -> None:
        """End the workers; `now`: without waiting for what they do."""
        ...


class Processes:
    """Processes of this computer. They end when this one does, however it ends."""

    fall_together = True

    def __init__(self, n_workers: int, context: BaseContext | None = None) -> None:
        if n_workers < 1:
            raise InputError(f"workers must be at least 1, got {n_workers}")
        self.slots = n_workers
        # a fork would copy the threads' locks of the libraries, held or not
        self._context = context or multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        reader, self._life = self._context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(
            self.slots,
            self._context,
            initializer=_begin,
            initargs=(reader, self._life, threads_of_worker(self.slots)),
        )

    def submit(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        """The result of the function, later."""
        return self._executor.submit(function, *arguments)

    def renew(self) -> None:
        """New processes in place of the old ones."""
        self.close(now=True)
        self._start()

    def trouble(self) -> str:
        """Nothing: processes that end are seen at once."""
        return ""

    def close(self, *, now: bool) -> None:
        """End the processes."""
        if now:
            self._life.close()
        self._executor.shutdown(wait=True, cancel_futures=now)
        self._life.close()


def _begin(reader: Connection, writer: Connection, threads: int) -> None:
    """Prepare a worker: Ctrl-C is for the process that leads, and its end is the end of this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_threads(threads)
    writer.close()  # else this process would keep the pipe open that it watches

    def watch() -> None:
        with contextlib.suppress(EOFError, OSError):
            reader.recv_bytes()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Dask:
    """The workers of a Dask cluster that is there already and sees the same files."""

    fall_together = False

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise InputError(
                "--dask needs dask, which is not installed: pip install 'rmqnet[dask]'"
            ) from error
        try:
            self._client = Client(address, timeout=CONNECT_LIMIT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{address}: no Dask scheduler answers there: check --dask") from error
        # a function of the same arguments is to be run again, whatever was computed before
        self._executor: Executor = self._client.get_executor(pure=False)
        self._alone_since: float | None = None

    @property
    def slots(self) -> int:
        """Two tasks for each worker, so that none waits for this process; InputError where one has several threads."""
        workers = self._client.scheduler_info(n_workers=-1).get("workers", {})
        if any(worker["nthreads"] > 1 for worker in workers.values()):
            raise InputError(
                "a Dask worker has several threads, which would write over each other: start workers with --nthreads 1"
            )
        return max(2, 2 * sum(worker["nthreads"] for worker in workers.values()))

    def submit(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        """The result of the function, later."""
        return self._executor.submit(function, *arguments)

    def renew(self) -> None:
        """Nothing to do: the cluster replaces its workers itself."""

    def trouble(self) -> str:
        """That the cluster has no worker, where it has none; InputError where that lasts, or the scheduler is gone."""
        if self._client.status not in ("running", "connecting"):
            raise InputError("the Dask scheduler is gone: start it and run the same command again")
        if self._client.scheduler_info(n_workers=-1).get("workers"):
            self._alone_since = None
            return ""
        self._alone_since = self._alone_since or time.monotonic()
        if time.monotonic() - self._alone_since > NO_WORKER_LIMIT:
            raise InputError(
                f"the Dask cluster has had no worker for {NO_WORKER_LIMIT / 60:.0f} minutes: start some and run the "
                "same command again"
            )
        return "the Dask cluster has no worker: waiting for one"

    def close(self, *, now: bool) -> None:
        """Leave the cluster; tasks that are not begun are taken back."""
        self._executor.shutdown(wait=not now)
        self._client.close()


def died(error: BaseException | None) -> bool:
    """True where not the function failed, but the process that ran it."""
    if isinstance(error, BrokenProcessPool | CancelledError):
        return True
    return type(error).__name__ == "KilledWorker"  # Dask's; its package may not be installed


@contextlib.contextmanager
def closing(pool: Pool) -> Iterator[Pool]:
    """The pool, which is closed at the end: at once where anything went wrong."""
    now = True
    try:
        yield pool
        now = False
    finally:
        pool.close(now=now)
