"""Arguments that several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from rmqnet.domain.errors import InputError

if TYPE_CHECKING:
    from rmqnet.pipeline.sources import B1Source, SpinLockSource

InputSetName = Literal["4FA+7TSL", "2FA+3TSL", "1FA+2TSL", "1FA+1TSL", "4FA+7TSL+AFI"]

Study = Annotated[Positional[Path], arg(metavar="STUDY")]
Out = Annotated[Positional[Path], arg(metavar="OUT")]
Threads = Annotated[
    int | None,
    arg(
        metavar="N",
        help="Threads to compute with; fewer are faster beside other jobs, the results are the same but for rounding. "
        "None: one per processor, shared by the workers of a run.",
    ),
]
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


@dataclass(frozen=True)
class B1Arguments:
    """Where a B1 map is, and in which unit."""

    b1: Annotated[Path | None, arg(metavar="FILE")] = None
    """B1 map of one subject (NIfTI), taken in place of an AFI pair too; None: fmap/*_TB1map of the study."""
    b1_unit: Literal["ratio", "percent", "degrees"] | None = None
    """Unit of B1 maps; None: Units of their sidecars, else as their values tell where they leave no doubt."""
    b1_flip_angle: Annotated[float | None, arg(metavar="ANGLE")] = None
    """Nominal flip angle of B1 maps in degrees, in the unit of their values; None: FlipAngle of their sidecars."""

    def __post_init__(self) -> None:
        """Refuse what is no angle."""
        if self.b1_flip_angle is not None and not 0 < self.b1_flip_angle < float("inf"):
            raise InputError(f"b1_flip_angle must be positive, got {self.b1_flip_angle:g}")

    @property
    def source(self) -> "B1Source":
        """The same as stages take it."""
        from rmqnet.pipeline.sources import B1Source

        return B1Source(self.b1, self.b1_unit, self.b1_flip_angle)


B1 = OmitArgPrefixes[B1Arguments]
