"""What a user says that the sidecars of a study do not."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from rmqnet.domain.b1_map import B1Unit
from rmqnet.domain.errors import InputError


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


@dataclass(frozen=True)
class B1Source:
    """What a user says about B1 maps."""

    file: Path | None = None
    """B1 map of the one subject that is chosen; None: the one in the study."""
    unit: B1Unit | None = None
    """Unit of the maps; None: as their sidecars say."""
    flip_angle: float | None = None
    """Nominal flip angle of maps in degrees [degree]; None: FlipAngle of their sidecars."""

    @property
    def settings(self) -> dict[str, object]:
        """What tells outputs apart; empty where nothing was said. Which file it was is told by its hash."""
        if self == B1Source():
            return {}
        named = self.file is not None
        return {"b1_map": {"named": named, "unit": self.unit, "flip_angle": self.flip_angle}}

    def absolute(self) -> "B1Source":
        """The same wherever a worker runs."""
        return self if self.file is None else dataclasses.replace(self, file=self.file.absolute())

    def check(self, subjects: Sequence[str]) -> None:
        """Refuse a file that is not there, and one file for several people."""
        if self.file is None:
            return
        if not self.file.is_file():
            raise InputError(f"{self.file}: there is no such file: check the path")
        if len(subjects) > 1:
            raise InputError(
                f"--b1 {self.file}: is the map of one person, and {len(subjects)} subjects are chosen: name one with "
                "--subjects, or put the map of each into the study as sub-<label>/fmap/sub-<label>_TB1map.nii.gz"
            )
