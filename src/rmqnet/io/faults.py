"""All that is wrong with one file, told at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rmqnet.domain.errors import InputError

_SHOWN = 12
"""Faults that are told in full: our choice; a file with more of them has one cause."""


class Faults:
    """Collects what is wrong with a file, so that one message can list it."""

    def __init__(self, path: Path) -> None:
        """No faults yet."""
        self.path = path
        self.found: list[str] = []

    @contextmanager
    def catch(self) -> Iterator[None]:
        """Go on after an InputError; it is told later."""
        try:
            yield
        except InputError as error:
            text = str(error).removeprefix(f"{self.path}: ")
            if text not in self.found:
                self.found.append(text)

    def tell(self) -> None:
        """Raise one InputError with all that was found; nothing where nothing was."""
        if not self.found:
            return
        if len(self.found) == 1:
            raise InputError(f"{self.path}: {self.found[0]}")
        rows = [f"({number}) {text}" for number, text in enumerate(self.found[:_SHOWN], start=1)]
        more = f"; and {len(self.found) - _SHOWN} more" if len(self.found) > _SHOWN else ""
        raise InputError(f"{self.path}: {len(self.found)} faults: {'; '.join(rows)}{more}")
