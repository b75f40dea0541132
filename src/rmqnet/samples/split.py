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


def split_subjects(subjects: Sequence[Subject], *, seed: int, n_test: int, n_validation: int) -> Split:
    """Split by person, each Kellgren-Lawrence group in proportion and, where it has enough people, in every part.

    All knees of a person are in the same part; `n_test` and `n_validation` count people, and the highest grade of
    a person's knees is the one that counts. Raises InputError where nobody would be left to train on.
    """
    names = [subject.name for subject in subjects]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(f"subject names must be unique for a split, but {', '.join(twice)} stand twice")
    people = by_person(subjects)
    if n_test < 0 or n_validation < 0 or n_test + n_validation >= len(people):
        raise InputError(
            f"n_test ({n_test}) and n_validation ({n_validation}) must not be negative and must leave at least one "
            f"of {len(people)} people for training"
        )
    random = np.random.default_rng(seed)
    strata = _by_group(people)
    for stratum in strata:
        random.shuffle(stratum)
    test = _take(strata, n_test, keep=2 if n_validation else 1)
    validation = _take(strata, n_validation, keep=1)

    def knees(numbers: set[int]) -> tuple[Subject, ...]:
        chosen = {knee.name for number in numbers for knee in people[number]}
        return tuple(subject for subject in subjects if subject.name in chosen)

    return Split(knees(set(range(len(people))) - test - validation), knees(validation), knees(test))


def by_person(subjects: Sequence[Subject]) -> list[tuple[Subject, ...]]:
    """The knees of each person, people and knees in the order that was given."""
    people: dict[tuple[str, str], list[Subject]] = {}
    for subject in subjects:
        key = ("subject", subject.name) if subject.person is None else ("person", subject.person)
        people.setdefault(key, []).append(subject)
    return [tuple(knees) for knees in people.values()]


def _by_group(people: Sequence[tuple[Subject, ...]]) -> list[list[int]]:
    """Numbers of the people of each Kellgren-Lawrence group, by the highest grade of their knees."""
    strata: dict[str, list[int]] = {}
    for number, knees in enumerate(people):
        worst = max(knees, key=lambda knee: -1 if knee.kl_grade is None else knee.kl_grade)
        strata.setdefault(str(worst.group), []).append(number)
    return [strata[group] for group in sorted(strata)]


def _take(strata: list[list[int]], n: int, *, keep: int) -> set[int]:
    """Remove n people from the strata, in proportion; `keep` of them stay in each where that is possible."""
    sizes = [len(stratum) for stratum in strata]
    counts = [0] * len(strata)
    for _ in range(n):

        def urgency(i: int) -> tuple[bool, bool, bool, float]:
            spare = counts[i] + keep < sizes[i]
            due = n * sizes[i] / sum(sizes) - counts[i]
            return counts[i] < sizes[i], spare, spare and counts[i] == 0, due

        counts[max(range(len(strata)), key=urgency)] += 1
    taken = {number for stratum, count in zip(strata, counts, strict=True) for number in stratum[:count]}
    for stratum in strata:
        stratum[:] = [number for number in stratum if number not in taken]
    return taken
