"""Where a study states what its sidecars do not."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict


class ReadOptions(TypedDict):
    """Keywords of the functions that read a scan."""

    spin_lock_table: Path | None
    echo_time_is_spin_lock_time: bool


@dataclass(frozen=True)
class SpinLockSource:
    """Where spin-lock times stand when the sidecars have no SpinLockTime."""

    spin_lock_table: Path | None = None
    """Tab-separated table with the columns file and spin_lock_time [s]."""
    echo_time_is_spin_lock_time: bool = False
    """Take EchoTime for the spin-lock time, as GE CubeQuant series need it."""

    @property
    def options(self) -> ReadOptions:
        """The same as keywords."""
        return ReadOptions(**dataclasses.asdict(self))

    def absolute(self) -> "SpinLockSource":
        """The same wherever a worker runs."""
        table = self.spin_lock_table
        return self if table is None else dataclasses.replace(self, spin_lock_table=table.absolute())
