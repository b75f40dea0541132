"""How long each part of a study took, over all its runs, and on what."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from rmqnet import __version__
from rmqnet.io.atomic import atomic_file
from rmqnet.io.text import read_json, write_json

_PACKAGES = ("torch", "lightning", "monai", "numba", "numpy", "scipy")
LEAST = 2.0
"""A part of fewer seconds did nothing but look what is there, and is not counted [s]: default."""


class Clock:
    """Adds up the seconds of each part in a file, so that an interrupted study knows what it has taken."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside the block under this name, also where it ends with an error."""
        begun = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - begun
            if seconds >= LEAST:
                known = self.seconds()
                with atomic_file(self.path) as file:
                    write_json(file, known | {name: round(known.get(name, 0.0) + seconds, 1)})

    def seconds(self) -> dict[str, float]:
        """Seconds by part."""
        return read_json(self.path) if self.path.is_file() else {}


def machine() -> dict[str, object]:
    """Versions and hardware of this run."""
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "rmqnet": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": ", ".join(gpus) or "none",
    }


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
