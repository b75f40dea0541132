"""One run at a time in an output folder: a lock that says whose it is and since when."""

import errno
import getpass
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.io.atomic import host_name, is_running, plain_disk_errors, temporary_path

LOCK = ".rmqnet-lock"
"""Name of the folder that is the lock."""
_OWNER = "owner.json"
_IN_THE_WAY = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
"""What a system says of a name that something else has, or of a folder that is not empty."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock."""

    host: str
    """Name of the computer."""
    process: int
    """Process id on that computer."""
    born: str | None
    """When that process started, in the words of its system, which tells it from a later one of the same id; None where
    the system does not tell."""
    user: str
    """Name of the person."""
    since: float
    """When the lock was taken [s since 1970]."""


@contextmanager
def locked(root: Path) -> Iterator[str | None]:
    """Hold the lock of an existing folder; gives a remark where that of a dead run was taken over, else None.

    Raises:
        InputError: another run holds it; says who and for how long.
    """
    lock, own = root / LOCK, _myself()
    with plain_disk_errors(root):
        remark = _take(lock, own)
    try:
        yield remark
    finally:
        if _owner(lock) == own:
            shutil.rmtree(lock, ignore_errors=True)


def _take(lock: Path, own: Owner) -> str | None:
    remark = None
    while not _claim(lock, own):
        holder = _owner(lock)
        if holder is None:  # given back in this moment, or damaged
            _remove_empty(lock)
            continue
        if holder.host != own.host or _is_alive(holder):
            raise InputError(
                f"{lock.parent}: another run is at work here, process {holder.process} of {holder.user} on "
                f"{holder.host} for {_age(holder)}: wait for it, or delete {lock} if it is dead"
            )
        if _remove_dead(lock, holder):
            remark = (
                f"the lock of process {holder.process} of {holder.user}, which took it {_age(holder)} ago and died, "
                "was taken over"
            )
    return remark


def _claim(lock: Path, own: Owner) -> bool:
    """True where the lock is now ours: a folder with its owner in it gets its name at once, or not at all."""
    draft = temporary_path(lock)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        (draft / _OWNER).write_text(json.dumps(asdict(own)) + "\n", encoding="utf-8")
        draft.rename(lock)
    except FileNotFoundError:  # the run that was quicker has tidied up the draft
        return False
    except OSError as error:
        if error.errno not in _IN_THE_WAY and not lock.exists():
            raise
        return False
    else:
        return True
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_empty(lock: Path) -> None:
    """Remove a lock without an owner, where it is still there; InputError where it holds something else."""
    try:
        if not (lock / _OWNER).is_file():
            lock.rmdir()
            return
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in _IN_THE_WAY:
            raise
    if lock.exists() and _owner(lock) is None:
        raise InputError(f"{lock}: can't be read: delete it if no other run is at work in {lock.parent}")


def _remove_dead(lock: Path, dead: Owner) -> bool:
    """True where the lock of the dead run is away; False where another run was quicker."""
    aside = temporary_path(lock.with_name(f"{LOCK}-dead"))
    try:
        lock.rename(aside)
    except FileNotFoundError:
        return False
    if _owner(aside) != dead:  # another run had taken it over already: give it back
        aside.rename(lock)
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True


def _owner(lock: Path) -> Owner | None:
    try:
        return Owner(**json.loads((lock / _OWNER).read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def _myself() -> Owner:
    process = os.getpid()
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without a table of users
        user = "unknown"
    return Owner(host_name(), process, _born(process), user, time.time())


def _is_alive(holder: Owner) -> bool:
    born = _born(holder.process)
    return is_running(holder.process) and (None in (born, holder.born) or born == holder.born)


def _born(process: int) -> str | None:
    """Start of a process in ticks since the computer started; None where the system has no such file."""
    try:
        # the name of the program, in brackets, may hold spaces
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _age(holder: Owner) -> str:
    minutes = max(0, round((time.time() - holder.since) / 60))
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
