"""Spin-lock times: from the sidecar, from a table of the user, or from EchoTime where the user says so."""

from dataclasses import dataclass
from pathlib import Path

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.io.sidecar import Sidecar, spin_lock_method, to_acquisition
from rmqnet.io.text import read_table, to_number


@dataclass(frozen=True)
class SpinLockTimes:
    """Where the spin-lock times of a study may come from; what is used instead of the sidecars is noted."""

    root: Path
    """The study."""
    notes: list[str]
    """Sentences about fallbacks are appended here, each once."""
    table_path: Path | None = None
    """Table with the columns `file` and `spin_lock_time` [s]."""
    from_echo_time: bool = False
    """True where the user says that EchoTime is the spin-lock time."""

    def acquisition(self, path: Path, sidecar: Sidecar) -> Acquisition:
        """The acquisition of a spin-lock image."""
        method = spin_lock_method(sidecar)
        stated, listed = sidecar.values.get("SpinLockTime"), self._listed(path)
        table = "" if self.table_path is None else self.table_path.name
        if stated is not None:
            if listed is not None and listed != stated:
                raise InputError(
                    f"{self.table_path}: spin_lock_time of {path.name} is {listed:g}, but {sidecar.path} says "
                    f"SpinLockTime {stated!r}: correct one of them"
                )
            return to_acquisition(sidecar, method)
        if listed is not None:
            self._say(f"Spin-lock times are taken from the table {table}.")
            return to_acquisition(sidecar, method, spin_lock_time=listed)
        if self.from_echo_time:
            return self._from_echo_time(sidecar)
        raise InputError(
            f'{sidecar.path}: the spin-lock time is not known: add a line like "SpinLockTime": 0.012, or give '
            "a table with the columns file and spin_lock_time, or say that EchoTime is the spin-lock time"
        )

    def _from_echo_time(self, sidecar: Sidecar) -> Acquisition:
        time = sidecar.values.get("EchoTime")
        if time is None:
            raise InputError(
                f"{sidecar.path}: has neither SpinLockTime nor EchoTime: "
                'add a line like "SpinLockTime": 0.012'
            )
        self._say("EchoTime is taken for the spin-lock time, as asked for; the echo time is not known.")
        return to_acquisition(sidecar, spin_lock_method(sidecar), spin_lock_time=time, echo_time=None)

    def _listed(self, path: Path) -> float | None:
        """The table's time for an image, by its path inside the study or by its file name."""
        if self.table_path is None:
            return None
        times = _read_times(self.table_path)
        return times.get(path.relative_to(self.root).as_posix(), times.get(path.name))

    def _say(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


def _read_times(path: Path) -> dict[str, float]:
    """Spin-lock times [s] by file, from the table of the user."""
    times: dict[str, float] = {}
    for row in read_table(path):
        if not {"file", "spin_lock_time"} <= row.keys():
            raise InputError(
                f"{path}: must have the columns file and spin_lock_time, it has {', '.join(row)}"
            )
        time = to_number(row["spin_lock_time"])
        if time is None:
            raise InputError(
                f"{path}: spin_lock_time of {row['file']} must be a number in seconds, "
                f"got {row['spin_lock_time']!r}"
            )
        try:
            Acquisition("spin_lock", spin_lock_time=time)
        except InputError as error:
            raise InputError(f"{path}: {row['file']}: {error}") from error
        if times.setdefault(row["file"], time) != time:
            raise InputError(f"{path}: has two rows for {row['file']}: keep one")
    return times
