"""Threads of a command: what is told to the libraries before they are loaded."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from rmqnet.cli.main import main
from rmqnet.domain import threads
from rmqnet.domain.errors import InputError
from rmqnet.domain.threads import n_processors, n_threads, threads_of_worker, use_threads

ASK = """
import ctypes, os, sys
from rmqnet.cli.main import main
assert "torch" not in sys.modules
main(["fit", "nowhere", "out", *sys.argv[1:]])
import torch
from rmqnet.domain.threads import n_threads
c = ctypes.CDLL(None)
c.getenv.restype = ctypes.c_char_p
print(torch.get_num_threads(), n_threads(), c.getenv(b"OMP_WAIT_POLICY").decode())
"""
"""What the libraries are told by a command, in a process of its own."""


@pytest.fixture
def nothing_said() -> Iterator[None]:
    """This process computes as before when the test is over; its libraries are not told."""
    before = list(threads._chosen)
    threads._chosen[:] = []
    yield
    threads._chosen[:] = before


def told(*options: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", ASK, *options], capture_output=True, text=True, check=True)
    assert "nowhere" in done.stderr
    return done.stdout.split()


def test_torch_and_our_pools_compute_with_the_threads_of_the_command():
    assert told("--threads", "1") == ["1", "1", "PASSIVE"]
    # torch takes no more than there are processors
    assert told("--threads", "3")[1:] == ["3", "PASSIVE"]


def test_threads_that_wait_sleep_without_a_word_from_the_user():
    assert told()[1:] == [str(n_processors()), "PASSIVE"]


def test_workers_share_the_processors(nothing_said, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threads, "n_processors", lambda: 8)
    assert [threads_of_worker(n) for n in (1, 3, 8, 20)] == [8, 2, 1, 1]
    assert n_threads() == 8
    monkeypatch.setattr(threads, "_chosen", [3])
    assert (n_threads(), threads_of_worker(4)) == (3, 3)


@pytest.mark.parametrize("wrong", [0, -1])
def test_no_threads_at_all_are_refused(wrong: int, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(InputError, match=f"threads must be at least 1, got {wrong}"):
        use_threads(wrong)
    assert main(["fit", "nowhere", "out", "--threads", str(wrong)]) == 2
    assert "threads must be at least 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["fit", "train", "predict", "register", "reconstruct", "simulate", "evaluate", "run"]
)
def test_commands_that_compute_take_threads(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "--threads" in capsys.readouterr().out
