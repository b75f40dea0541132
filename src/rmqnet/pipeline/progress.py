"""How a stage tells a person what it is doing."""

from typing import Protocol


class Reporter(Protocol):
    """Where progress and remarks go; the command line draws bars, a script may stay quiet."""

    def progress(self, what: str, done: float, total: float, remark: str = "") -> None:
        """This task has come so far; done == total ends it; the remark stands beside it."""
        ...

    def say(self, sentence: str) -> None:
        """One remark that a person should see."""
        ...


class Quiet:
    """Keeps the remarks and shows nothing."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def progress(self, what: str, done: float, total: float, remark: str = "") -> None:
        """Nothing is shown."""

    def say(self, sentence: str) -> None:
        """The remark is kept."""
        self.said.append(sentence)
