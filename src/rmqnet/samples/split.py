"""Who is learned from, who chooses the best model, and who is kept untouched for the test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Subject


@dataclass(frozen=True)
class Split:
    """Every subject in exactly one part; within a part in the order that was given."""

    train: tuple[Subject, ...]
    validation: tuple[Subject, ...]
    """Choose the best model."""
    test: tuple[Subject, ...]
    """Never seen before the evaluation."""


def split_subjects(
    subjects: Sequence[Subject], *, seed: int, n_test: int = 15, n_validation: int = 10
) -> Split:
    """Split by subject, each Kellgren-Lawrence group in proportion and, where it has enough subjects, in every part.

    The defaults are for the paper's 65 subjects: 15 are its test cohort (Training and Testing), of its other 50 we
    keep 10 for validation (default). Raises InputError where nobody would be left to train on.
    """
    names = [subject.name for subject in subjects]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(f"subject names must be unique for a split, but {', '.join(twice)} stand twice")
    if n_test < 0 or n_validation < 0 or n_test + n_validation >= len(subjects):
        raise InputError(
            f"n_test ({n_test}) and n_validation ({n_validation}) must not be negative and must leave at least one "
            f"of {len(subjects)} subjects for training"
        )
    random = np.random.default_rng(seed)
    groups = sorted({str(subject.group) for subject in subjects})
    strata = [[s.name for s in subjects if str(s.group) == group] for group in groups]
    for stratum in strata:
        random.shuffle(stratum)
    test = _take(strata, n_test, keep=2 if n_validation else 1)
    validation = _take(strata, n_validation, keep=1)

    def chosen(part: set[str]) -> tuple[Subject, ...]:
        return tuple(subject for subject in subjects if subject.name in part)

    return Split(chosen(set(names) - test - validation), chosen(validation), chosen(test))


def _take(strata: list[list[str]], n: int, *, keep: int) -> set[str]:
    """Remove n names from the strata, in proportion; `keep` names stay in each where that is possible."""
    sizes = [len(stratum) for stratum in strata]
    counts = [0] * len(strata)
    for _ in range(n):

        def urgency(i: int) -> tuple[bool, bool, bool, float]:
            spare = counts[i] + keep < sizes[i]
            due = n * sizes[i] / sum(sizes) - counts[i]
            return counts[i] < sizes[i], spare, spare and counts[i] == 0, due

        counts[max(range(len(strata)), key=urgency)] += 1
    taken = {name for stratum, count in zip(strata, counts, strict=True) for name in stratum[:count]}
    for stratum in strata:
        stratum[:] = [name for name in stratum if name not in taken]
    return taken
