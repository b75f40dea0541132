"""Who is in the cohort: group, grade, age, sex and side of every knee."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import GROUPS, Sex, Side, Subject
from rmqnet.simulate.config import SimulateConfig


@dataclass(frozen=True)
class GroupPlan:
    """One group of the cohort."""

    count: int
    """Subjects in the paper's cohort of 65: paper, Data Acquisition."""
    age_mean: float
    """Mean age [year]: default, so that all together have the paper's 54.8 +- 16.9."""
    age_sd: float
    """Standard deviation of the age [year]: default."""


PAPER_COHORT: dict[str, GroupPlan] = {
    "control": GroupPlan(20, 40.0, 15.0),
    "doubtful_minimal": GroupPlan(29, 58.0, 13.0),
    "moderate_severe": GroupPlan(16, 67.0, 9.0),
}
"""Composition of the paper's cohort by group."""
PAPER_SIZE = sum(plan.count for plan in PAPER_COHORT.values())
PAPER_FEMALE = 33
"""Women among the 65: paper, Data Acquisition."""
PAPER_LEFT = 29
"""Left knees among the 65: paper, Data Acquisition."""
_AGE_LIMITS = (20.0, 88.0)
"""Youngest and oldest age [year]: default."""


def group_counts(n_subjects: int) -> dict[str, int]:
    """Subjects per group in the paper's proportions (largest remainder); at least one each from three on."""
    shares = {name: plan.count * n_subjects / PAPER_SIZE for name, plan in PAPER_COHORT.items()}
    counts = {name: int(share) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: counts[name] - shares[name])
    for name in by_remainder[: n_subjects - sum(counts.values())]:
        counts[name] += 1
    if n_subjects >= len(counts):
        for name in [name for name, count in counts.items() if count == 0]:
            counts[max(counts, key=lambda key: counts[key])] -= 1
            counts[name] = 1
    return counts


def group_and_age(subject: Subject) -> tuple[str, float]:
    """Group and age [year] of a subject; an InputError where one is unknown, as both shape the knee."""
    if subject.group is None or subject.age is None:
        raise InputError(f"KL grade and age of sub-{subject.name} must be known to simulate the knee")
    return subject.group, subject.age


def usual_age(kl_grade: int) -> float:
    """Mean age [year] of the group of a Kellgren-Lawrence grade; an InputError where there is no such grade."""
    for group, grades in GROUPS.items():
        if kl_grade in grades:
            return PAPER_COHORT[group].age_mean
    raise InputError(f"kl_grade must be 0 to 4, got {kl_grade}")


def _ages(plan: GroupPlan, count: int) -> list[float]:
    """Ages at evenly spaced quantiles of the group's normal distribution [year]."""
    ages = NormalDist(plan.age_mean, plan.age_sd)
    low, high = _AGE_LIMITS
    return [round(min(max(ages.inv_cdf((k + 0.5) / count), low), high), 1) for k in range(count)]


def plan_cohort(config: SimulateConfig) -> tuple[Subject, ...]:
    """All subjects of the cohort, in random order; the same for the same seed and number of subjects."""
    # a third word keeps this stream apart from those of the subjects, which are seeded [seed, index]
    rng = np.random.default_rng([config.seed, 0, 1])
    n = config.n_subjects
    people: list[tuple[int, float]] = []
    for name, count in group_counts(n).items():
        grades = GROUPS[name]
        ages = rng.permutation(_ages(PAPER_COHORT[name], count)) if count else []
        people += [(grades[k % len(grades)], float(age)) for k, age in enumerate(ages)]
    n_female = round(PAPER_FEMALE * n / PAPER_SIZE)
    n_left = round(PAPER_LEFT * n / PAPER_SIZE)
    sexes: list[Sex] = ["female" if k < n_female else "male" for k in rng.permutation(n)]
    sides: list[Side] = ["left" if k < n_left else "right" for k in rng.permutation(n)]
    order = rng.permutation(n)
    return tuple(
        Subject(f"{index + 1:03d}", sides[index], people[k][1], sexes[index], people[k][0])
        for index, k in enumerate(order)
    )
