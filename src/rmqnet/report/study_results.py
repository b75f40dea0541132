"""What the page and the tables of a whole study are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from rmqnet.domain.subject import Subject
from rmqnet.report.study import ReportCase, ReportEvaluation


@dataclass(frozen=True)
class MethodInfo:
    """What a reader must know about one way to make the maps."""

    what: str
    inputs: str
    """Input set; "" where no image is looked at."""
    budget: str
    """How it was trained; "" where it was not."""
    maps: bool = True
    """False where its maps are not worth scoring."""
    segmentation: bool = True
    """False where it was told the reader's regions."""


@dataclass(frozen=True, eq=False)
class WorstSlice:
    """One slice on which a network was most wrong."""

    case: ReportCase
    slice_index: int
    error: float
    """Mean of the normalized L1 of T1 and T1rho in the reader's cartilage."""


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Results of a whole study, simulated people throughout; frames are those of `rmqnet.evaluate`."""

    preset: str
    fresh: ReportEvaluation
    """Networks on fresh people: the primary tables."""
    tested: ReportEvaluation
    """Networks on the untouched test people of the cohort: the paper-sized table."""
    baselines: ReportEvaluation
    """Networks beside everything else, on the same voxels of the same people."""
    methods: Mapping[str, MethodInfo]
    """By label of the scores."""
    not_possible: Mapping[str, str]
    """Why there is no conventional fit, by input set."""
    paired: pd.DataFrame
    """Input sets against each other on the fresh people (`evaluate.paired`)."""
    paired_baselines: pd.DataFrame
    """Networks against the other methods, cartilage against the reference."""
    paired_truth: pd.DataFrame
    """The same against the truth, in voxels of at least 95 % cartilage."""
    elsewhere: Mapping[str, ReportEvaluation]
    """By title of the people."""
    responses: pd.DataFrame
    """One row per `evaluate.response.Response`."""
    networks: pd.DataFrame
    """Columns network, origin, budget, weights (SHA-256 of the file)."""
    durations: Mapping[str, float]
    """Seconds by part of the study."""
    split: Mapping[str, Sequence[Subject]] = field(default_factory=dict)
    curves: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Learning curves by network: columns epoch, split and one per loss."""
    cases: Sequence[ReportCase] = ()
    """The representative fresh person through every input set."""
    worst: Sequence[WorstSlice] = ()
    description: Sequence[str] = ()
    notes: Sequence[str] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
