"""What a report is made from: the results, the pictures, and what the reader must know about the study."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rmqnet.domain.maps import MapSet, Prediction, Segmentation
from rmqnet.domain.scores import Score
from rmqnet.domain.subject import Subject


class ReportDensity(Protocol):
    """Voxel counts as `evaluate.density.Density` holds them."""

    input_set: str
    quantity: str
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]


class ReportEvaluation(Protocol):
    """Results as `evaluate.evaluate.Evaluation` holds them; report and evaluate don't import each other."""

    @property
    def scores(self) -> list[Score]:
        """All scores."""
        ...

    @property
    def paper(self) -> list[Score]:
        """Printed numbers of the paper."""
        ...

    @property
    def roi(self) -> pd.DataFrame:
        """Means per slice."""
        ...

    @property
    def voxels(self) -> Sequence[ReportDensity]:
        """Voxel densities."""
        ...

    @property
    def dropped(self) -> pd.DataFrame:
        """Counts of slices."""
        ...

    @property
    def invalid(self) -> pd.DataFrame:
        """Counts of voxels without a value."""
        ...

    @property
    def subjects(self) -> list[Subject]:
        """Who was compared."""
        ...

    @property
    def input_sets(self) -> tuple[str, ...]:
        """What was compared."""
        ...

    @property
    def config(self) -> Any:
        """Settings of the evaluation."""
        ...


class ReportCase(Protocol):
    """One subject through one input set, as `evaluate.case.Case` holds it."""

    @property
    def subject(self) -> Subject:
        """Who."""
        ...

    @property
    def input_set(self) -> str:
        """What the prediction was made from."""
        ...

    @property
    def prediction(self) -> Prediction:
        """What the network says."""
        ...

    @property
    def reference(self) -> MapSet:
        """What was fitted."""
        ...

    @property
    def reference_segmentation(self) -> Segmentation:
        """What the reader drew."""
        ...


@dataclass(frozen=True, eq=False)
class Study:
    """What the numbers alone don't tell."""

    title: str
    simulated: bool
    """True where the subjects are simulated; every table then says so."""
    split: Mapping[str, Sequence[Subject]] = field(default_factory=dict)
    """Subjects by part of the study, for example "training", "validation", "test"."""
    description: Sequence[str] = ()
    """Paragraphs on what was done, plain text."""
    curves: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Learning curves by input set: columns epoch, split and one per loss."""
    provenance: Mapping[str, object] = field(default_factory=dict)
    """Whatever makes the study repeatable: version, seed, configuration, hashes."""
    pages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Address of the page of each knee, relative to the report, by subject and input set."""
    notes: Sequence[str] = ()
    """Warnings and remarks that the reader must see."""


def representative_subject(evaluation: ReportEvaluation) -> str:
    """Name of the subject whose error is the median one: nobody picked the picture.

    The error is the mean over slices, input sets and T1 and T1rho of the relative difference of the means of
    cartilage; where no slice counts, the first subject.
    """
    roi = evaluation.roi
    rows = roi.loc[(roi["region"] == roi["region"].iloc[0]) & roi["quantity"].isin(["T1", "T1rho"])]
    error = (rows["predicted_own_mask"] - rows["reference"]).abs() / rows["reference"]
    ranked = error.groupby(rows["subject"]).mean().dropna().sort_values()
    return str(ranked.index[len(ranked) // 2]) if len(ranked) else evaluation.subjects[0].name


def cases_of(cases: Iterable[ReportCase], name: str) -> list[ReportCase]:
    """The cases of one subject; those of the first subject where this one is not among them."""
    held = list(cases)
    own = [case for case in held if case.subject.name == name]
    return own or [case for case in held if case.subject.name == held[0].subject.name]
