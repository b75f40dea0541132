"""How many threads to compute with."""

import os
import sys

from rmqnet.domain.errors import InputError

LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables by which the libraries that compute are told, before they are loaded."""
_chosen: list[int] = []
"""What `use_threads` was told last; empty where nothing was said."""


def use_threads(threads: int | None) -> None:
    """Compute with so many threads in this process; None: with one per processor.

    Threads that wait sleep: OpenMP keeps them busy unless it is told, and beside other programs everything then waits
    for them. To be called before torch is loaded, which asks once. Raises InputError for less than one thread.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    os.putenv("OMP_WAIT_POLICY", "PASSIVE")
    _chosen[:] = [] if threads is None else [threads]
    if threads is None:
        return
    for variable in LIBRARIES:
        os.putenv(variable, str(threads))
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)


def n_threads() -> int:
    """Threads of a pool of ours: as `use_threads` was told, else one per processor."""
    return _chosen[0] if _chosen else n_processors()


def threads_of_worker(n_workers: int) -> int:
    """Threads of each of so many processes at work: as `use_threads` was told, else its share of the processors."""
    return _chosen[0] if _chosen else max(n_processors() // n_workers, 1)


def n_processors() -> int:
    """Processors that this process may use: a batch system gives fewer than the computer has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
