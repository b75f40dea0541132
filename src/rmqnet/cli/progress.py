"""Progress bars and remarks on the terminal."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rmqnet.domain.plain_text import plain_text

LOG_INTERVAL = 10.0
"""Seconds between the lines that stand in for a bar where standard error is a file."""


class Terminal:
    """Draws a bar per task on standard error, or prints lines where that is a file. Use as a context."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._printed: dict[str, float] = {}

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars.live.is_started:
            self._bars.stop()

    def progress(self, what: str, done: float, total: float, remark: str = "") -> None:
        """Move the bar of this task; a task that is begun again after its end gets a new bar."""
        if not self._console.is_terminal:
            self._print(what, done, total, remark)
            return
        if not self._bars.live.is_started:
            self._bars.start()
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], description=f"{what} {remark}", completed=done, total=total)
        if done >= total:
            del self._tasks[what]

    def say(self, sentence: str) -> None:
        """Print one remark."""
        self._console.print(plain_text(sentence), markup=False)

    def _print(self, what: str, done: float, total: float, remark: str) -> None:
        now = time.monotonic()
        if done >= total:
            self._printed.pop(what, None)
        elif now - self._printed.get(what, -LOG_INTERVAL) < LOG_INTERVAL:
            return
        else:
            self._printed[what] = now
        self._console.print(f"{what}: {done:,.0f}/{total:,.0f} {remark}".rstrip(), markup=False)
