"""Arguments that several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from rmqnet.domain.errors import InputError

if TYPE_CHECKING:
    from rmqnet.pipeline.sources import SpinLockSource

InputSetName = Literal["4FA+7TSL", "2FA+3TSL", "1FA+2TSL", "1FA+1TSL", "4FA+7TSL+AFI"]

Study = Annotated[Positional[Path], arg(metavar="STUDY")]
Out = Annotated[Positional[Path], arg(metavar="OUT")]
Subjects = Annotated[tuple[str, ...], arg(metavar="[NAME ...]")]


@dataclass(frozen=True)
class SpinLockArguments:
    """Where spin-lock times stand."""

    spin_lock_table: Annotated[Path | None, arg(metavar="TSV")] = None
    """Table with the columns file and spin_lock_time [s], for spin-lock images without SpinLockTime."""
    echo_time_is_spin_lock_time: bool = False
    """Take EchoTime for the spin-lock time where nothing else states it (GE CubeQuant)."""

    @property
    def source(self) -> "SpinLockSource":
        """The same as stages take it; InputError where there is no such table."""
        from rmqnet.pipeline.sources import SpinLockSource

        if self.spin_lock_table is not None and not self.spin_lock_table.is_file():
            raise InputError(f"{self.spin_lock_table}: there is no such file: check the path")
        return SpinLockSource(self.spin_lock_table, self.echo_time_is_spin_lock_time)


SpinLock = OmitArgPrefixes[SpinLockArguments]
