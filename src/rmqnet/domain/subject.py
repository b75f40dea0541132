"""A person of a study."""

from dataclasses import dataclass
from typing import Literal

from rmqnet.domain.errors import InputError

Side = Literal["left", "right"]
Sex = Literal["female", "male"]

OFF_CENTER = 20.0
"""Distance from the middle of the magnet from which its place tells the side of a knee [mm] (our choice): a knee beside
its fellow lies 50 to 130 mm off the middle, one that was moved into it nearer than this."""

GROUPS: dict[str, tuple[int, ...]] = {"control": (0,), "doubtful_minimal": (1, 2), "moderate_severe": (3, 4)}
"""Groups of the paper by Kellgren-Lawrence grade."""


@dataclass(frozen=True)
class Subject:
    """One knee of one person; what is not known is None and stays unknown."""

    name: str
    """Label without the "sub-" prefix; letters and digits only, as BIDS asks."""
    side: Side
    age: float | None = None
    """Age [year]."""
    sex: Sex | None = None
    kl_grade: int | None = None
    """Kellgren-Lawrence grade, 0 to 4."""
    person: str | None = None
    """Label of the person, the same for all knees and visits of one person; None: this knee is the only one."""

    def __post_init__(self) -> None:
        """Refuse labels that BIDS could not hold, persons that a table could not, and grades that do not exist."""
        if not self.name.isalnum() or not self.name.isascii():
            raise InputError(f"subject name must be letters and digits only, got {self.name!r}")
        if self.side not in ("left", "right"):
            raise InputError(f"side of sub-{self.name} must be 'left' or 'right', got {self.side!r}")
        if self.kl_grade is not None and self.kl_grade not in range(5):
            raise InputError(f"KL grade of sub-{self.name} must be 0 to 4, got {self.kl_grade!r}")
        if self.person is not None and not (self.person.strip() and self.person.isprintable()):
            raise InputError(f"person of sub-{self.name} must be a label in one line, got {self.person!r}")

    @property
    def group(self) -> str | None:
        """Group of the paper, a key of GROUPS; None where the grade is unknown."""
        for group, grades in GROUPS.items():
            if self.kl_grade in grades:
                return group
        return None
