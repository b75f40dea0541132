"""How osteoarthritis takes hold of one knee: which compartments, how much, with what around them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rmqnet.domain.subject import Subject

Compartment = Literal["medial", "lateral", "patellofemoral"]
Pattern = Literal["medial", "lateral", "patellofemoral", "mixed"]
COMPARTMENTS: tuple[Compartment, ...] = ("medial", "lateral", "patellofemoral")

PATTERNS: dict[Pattern, float] = {"medial": 0.50, "lateral": 0.15, "patellofemoral": 0.15, "mixed": 0.20}
"""Chance of a pattern: default; medial disease is the most frequent."""
THINNING = {0: 0.0, 1: 0.01, 2: 0.04, 3: 0.20, 4: 0.29}
"""Part of the cartilage of the involved compartment that is lost all over it, by Kellgren-Lawrence grade.

With its focal defects a medial knee comes to the factors of PHYSICS 5.5: 0.97 for grades 1 and 2, 0.65 for 3 and 4."""
ELSEWHERE = 0.28
"""Loss of the other compartments, as a part of that: default, from the 0.9 of PHYSICS 5.5."""
SEVERITY = {0: 0.0, 1: 0.15, 2: 0.35, 3: 0.70, 4: 1.0}
"""Mean severity of what goes with the disease (fluid, menisci, marrow, bone) by grade: default."""
N_LESIONS = {0: (0, 1), 1: (1, 2), 2: (1, 3), 3: (3, 6), 4: (4, 8)}
"""Lowest and highest number of focal defects by grade: PHYSICS 5.5, divided among the grades of a group."""
DEEPEST = {0: (0.05, 0.3), 1: (0.2, 0.5), 2: (0.25, 0.8), 3: (0.4, 1.3), 4: (0.5, 1.6)}
"""Part of the thickness lost in the middle of a defect by grade; above 1 the bone is bare over a patch. Default."""
ANGLE = {0: 0.0, 1: 0.3, 2: 0.8, 3: 2.2, 4: 3.6}
"""Mean varus of medial disease, valgus of lateral disease, by grade [degree], bone only: default."""
ANGLE_SD = 1.2
"""Standard deviation of the angle between people [degree]: default."""


@dataclass(frozen=True)
class Disease:
    """What one knee suffers from."""

    grade: int
    """Kellgren-Lawrence grade."""
    pattern: Pattern
    thickness: dict[Compartment, float]
    """Factor of the cartilage thickness by compartment."""
    severity: dict[Compartment, float]
    """Severity by compartment, 0 to about 1.5."""
    varus: float
    """Angle of the leg below the joint [degree]; negative: valgus."""

    @property
    def worst(self) -> float:
        """Severity of the compartment that suffers most."""
        return max(self.severity.values())


def draw_disease(subject: Subject, rng: np.random.Generator) -> Disease:
    """The disease of a knee of this grade; tissue follows a radiographic grade only loosely."""
    grade = subject.kl_grade or 0
    pattern: Pattern = list(PATTERNS)[int(rng.choice(len(PATTERNS), p=list(PATTERNS.values())))]
    shares = _shares(pattern, rng)
    # the same film may hide a third more damage, or less
    loose = float(np.exp(0.15 * np.clip(rng.standard_normal(), -2, 2)))
    kept, severity = {}, {}
    for compartment in COMPARTMENTS:
        own = loose * float(np.exp(0.15 * np.clip(rng.standard_normal(), -2, 2)))
        kept[compartment] = max(1 - THINNING[grade] * shares[compartment] * own, 0.6)
        severity[compartment] = SEVERITY[grade] * shares[compartment] * own
    lean = shares["medial"] - shares["lateral"]
    varus = ANGLE[grade] * lean + ANGLE_SD * float(np.clip(rng.standard_normal(), -2, 2))
    return Disease(grade, pattern, kept, severity, varus)


def _shares(pattern: Pattern, rng: np.random.Generator) -> dict[Compartment, float]:
    """How much of the disease each compartment bears, 1 for the one that bears it all."""
    if pattern == "mixed":
        return {compartment: float(rng.uniform(0.45, 1.0)) for compartment in COMPARTMENTS}
    return {compartment: 1.0 if compartment == pattern else ELSEWHERE for compartment in COMPARTMENTS}
