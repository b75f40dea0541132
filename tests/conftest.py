"""Puts this folder on the import path: model_cases.py serves several folders of tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

_LEFT_BEHIND = {".mhd", ".raw", ".log", ".gz", ".npz"}
"""Endings of what elastix and other tools write where they run."""


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_in_the_current_directory() -> Iterator[None]:
    """Fail at the end where a test wrote data into the folder that pytest runs in."""
    here = Path.cwd()
    before = set(here.iterdir())
    yield
    left = [path.name for path in set(here.iterdir()) - before if path.suffix in _LEFT_BEHIND]
    if left:
        pytest.fail(f"a test left files in the current directory: {', '.join(sorted(left))}")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch on one thread: tiny networks are slower on two, above all when the tests share the cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
