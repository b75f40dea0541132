"""Whole or not at all: files and folders that get their name only when they are complete."""

import errno
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rmqnet.domain.errors import InputError, OutputError

_PREFIX = ".rmqnet-tmp"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A new temporary folder beside `path`, renamed to it at the end; removed when anything goes wrong."""
    temporary = temporary_path(path)
    with plain_disk_errors(path.parent):
        if path.exists():
            raise InputError(f"{path}: exists already: delete it to make it again")
        _remove(temporary)
        temporary.mkdir()
        try:
            yield temporary
            _take_place(temporary, path)
        finally:
            _remove(temporary)


def _take_place(temporary: Path, path: Path) -> None:
    """Rename a folder; InputError where another program has made one of the new name meanwhile."""
    try:
        temporary.rename(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise InputError(
            f"{path}: another program made it in the meantime: run the same command again, one at a time"
        ) from error


def withdraw(path: Path) -> None:
    """Take a folder away at once, if it is there: what is half deleted never stands under its name."""
    temporary = temporary_path(path.with_name(f"old-{path.name}"))
    with plain_disk_errors(path.parent):
        _remove(temporary)
        try:
            path.rename(temporary)
        except FileNotFoundError:
            return
        _remove(temporary)


def remove_unfinished(root: Path) -> None:
    """Remove everything unfinished in a folder that no other run is at work in."""
    for path in root.iterdir():
        if is_temporary(path):
            _remove(path)


@contextmanager
def atomic_files(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files move into `folder` at the end, replacing older ones of the same name."""
    temporary = temporary_path(folder / "files")
    with plain_disk_errors(folder):
        _remove(temporary)
        temporary.mkdir()
        try:
            yield temporary
            for path in sorted(temporary.iterdir()):
                path.replace(folder / path.name)
        finally:
            _remove(temporary)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it at the end; removed when anything goes wrong."""
    temporary = temporary_path(path)
    with plain_disk_errors(path.parent):
        try:
            yield temporary
            temporary.replace(path)
        finally:
            _remove(temporary)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` for what need not outlive the block; what a killed run left there goes too."""
    with plain_folder_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path.parent)
    temporary = temporary_path(path)
    with plain_disk_errors(path.parent):
        _remove(temporary)
        temporary.mkdir()
        try:
            yield temporary
        finally:
            _remove(temporary)


def is_temporary(path: Path) -> bool:
    """True for the files and folders that this module makes before they are complete."""
    return path.name.startswith(_PREFIX + "+")


def remove_stale(root: Path) -> None:
    """Remove what ended runs of this computer left unfinished in a folder; other computers' is left alone."""
    for path in root.iterdir():
        if not is_temporary(path):
            continue
        _, host, process, _ = path.name.split("+", 3)
        if host == host_name() and not is_running(int(process)):
            _remove(path)


@contextmanager
def plain_disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk or a missing permission inside the block into an InputError."""
    try:
        yield
    except OSError as error:
        # numpy's tofile says how many numbers it wrote, and gives no number
        if error.errno in _NO_SPACE or (error.errno is None and " requested and " in str(error)):
            raise OutputError(
                f"{_visible(folder)}: no space left on its disk: free some and run the same command again; "
                "finished subjects are kept"
            ) from error
        if error.errno in _NOT_ALLOWED:
            where = Path(error.filename or folder)
            if not where.is_relative_to(folder):
                raise
            raise OutputError(
                f"{_visible(where)}: no permission to write: choose another output folder"
            ) from error
        raise


@contextmanager
def plain_folder_errors(folder: Path) -> Iterator[None]:
    """Turn whatever keeps a folder from being made inside the block into an InputError."""
    try:
        with plain_disk_errors(folder):
            yield
    except (NotADirectoryError, FileExistsError) as error:
        raise InputError(f"{folder}: a part of this path is a file: choose another output folder") from error
    except OSError as error:
        raise InputError(
            f"{folder}: can't be made ({error.strerror}): choose another output folder"
        ) from error


def _visible(path: Path) -> Path:
    """The path, or the folder around the part of it that is temporary."""
    hidden = next((part for part in (*reversed(path.parents), path) if is_temporary(part)), None)
    return path if hidden is None else hidden.parent


def temporary_path(path: Path) -> Path:
    """The name beside `path` that this process gives to what is not complete yet."""
    # the name stays last, so that writers which look at the file extension still see it
    return path.with_name(f"{_PREFIX}+{host_name()}+{os.getpid()}+{path.name}")


def host_name() -> str:
    """Name of this computer, as it stands in the names of temporary files."""
    return platform.node().replace("+", "-").replace("/", "-") or "unknown"


def is_running(process: int) -> bool:
    """True where a process of this computer has this id."""
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
