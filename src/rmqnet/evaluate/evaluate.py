"""Scores of predictions against reference and truth."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

import pandas as pd

from rmqnet.domain.errors import InputError
from rmqnet.domain.scores import Score
from rmqnet.domain.subject import Subject
from rmqnet.evaluate.case import Case
from rmqnet.evaluate.collect import Collected, collect_subject
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.density import Density
from rmqnet.evaluate.paper import paper_scores
from rmqnet.evaluate.tabulate import error_scores, overlap_scores, roi_scores, voxel_scores


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Results of a study, in house units."""

    scores: list[Score]
    """All scores; see the modules `correlation`, `errors` and `overlap` for the metrics."""
    roi: pd.DataFrame
    """One row per subject, input set, region, quantity and slice: means and mask sizes (`Case.roi_means`)."""
    errors: pd.DataFrame
    """One row per slice with the errors of `errors.slice_errors`."""
    voxels: list[Density]
    """Voxel densities of cartilage per input set and quantity, against the reference."""
    dropped: pd.DataFrame
    """Slices per input set, region and quantity: seen by the reader, kept, too small, not predicted."""
    invalid: pd.DataFrame
    """Voxels of the reader's region without a value, per input set, region, quantity and cause."""
    subjects: list[Subject]
    """Who was compared."""
    input_sets: tuple[str, ...]
    """What was compared."""
    config: EvaluateConfig
    paper: list[Score] = field(default_factory=paper_scores)
    """The numbers that the paper prints: another population."""


def evaluate(cases: Iterable[Case], config: EvaluateConfig) -> Evaluation:
    """Scores of all cases: every subject through every input set, the cases of one subject in a row.

    Cases are read once and subject by subject, so a generator keeps only one subject in memory.
    """
    collected = Collected()
    for _, own in groupby(cases, key=lambda case: case.subject.name):
        collect_subject(list(own), config, collected)
    return summarize(collected, config)


def summarize(collected: Collected, config: EvaluateConfig) -> Evaluation:
    """Scores of everything that was collected, by `collect_subject` or from several parts by `merged`."""
    if not collected.subjects:
        raise InputError("there are no cases to evaluate: predict at least one subject that has a reference")
    roi = _ordered(pd.concat(collected.roi, ignore_index=True))
    errors = pd.concat(collected.errors, ignore_index=True)
    scores = [
        *roi_scores(roi, collected, config),
        *voxel_scores(collected, config),
        *error_scores(errors, collected, config),
        *overlap_scores(pd.DataFrame(collected.overlaps), collected, config),
    ]
    return Evaluation(
        scores,
        roi,
        errors,
        list(collected.densities.values()),
        count_slices(roi, config.minimum_roi_voxels),
        _sum(pd.DataFrame(collected.invalid), ["input_set", "region", "quantity", "cause"]),
        list(collected.subjects.values()),
        collected.input_sets,
        config,
    )


def count_slices(roi: pd.DataFrame, minimum: int) -> pd.DataFrame:
    """How many slices of each input set, region and quantity count, and why others do not.

    n_reader: the reader's mask is not empty. n_kept: both masks have at least `minimum` voxels with a value.
    n_small: the reader's mask has fewer. n_not_predicted: the reader's mask is large enough but the predicted
    one is empty; n_predicted_small: or too small. n_extra: only the prediction has a mask.
    """
    enough = roi["n_reader_valid"] >= minimum
    own = roi["n_predicted_valid"] >= minimum
    empty = roi["n_predicted"] == 0
    marks = pd.DataFrame(
        {
            "n_reader": roi["n_reader"] > 0,
            "n_kept": enough & own,
            "n_small": (roi["n_reader"] > 0) & ~enough,
            "n_not_predicted": enough & empty,
            "n_predicted_small": enough & ~empty & ~own,
            "n_extra": (roi["n_reader"] == 0) & ~empty,
        }
    )
    keys = ["input_set", "region", "quantity"]
    return _sum(pd.concat([roi.loc[:, keys], marks], axis=1), keys)


def _sum(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return pd.DataFrame(table.groupby(keys, sort=False, as_index=False).sum(numeric_only=True))


def _ordered(roi: pd.DataFrame) -> pd.DataFrame:
    first = ["subject", "group", "kl_grade", "side", "input_set", "region", "quantity", "slice"]
    return roi.loc[:, first + [str(name) for name in roi if name not in first]]
