"""From what was collected to rows of scores with intervals."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rmqnet.domain.scores import Against, Score
from rmqnet.domain.subject import GROUPS
from rmqnet.evaluate.bootstrap import (
    MINIMUM_SUBJECTS,
    MINIMUM_SUBJECTS_BETWEEN,
    percentile_interval,
    permutation_p,
    subject_weights,
)
from rmqnet.evaluate.collect import Collected
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.correlation import N_SUMS, agreement, subject_means, sums_of
from rmqnet.evaluate.errors import ERROR_METRICS
from rmqnet.evaluate.overlap import OVERLAP_METRICS

_ROI_PAIRS: tuple[tuple[Against, str, str, str], ...] = (
    ("reference", "reference", "predicted_own_mask", ""),
    ("reference", "reference", "predicted_reader_mask", "_reader_mask"),
    ("truth", "truth", "predicted_own_mask", ""),
    ("truth", "truth", "predicted_truth_mask", "_truth_mask"),
)
"""Against; column of the target, of the prediction; what is added to the metric's name."""


def groups_of(collected: Collected) -> dict[str, list[str]]:
    """Names of the subjects by group; "all" first, groups without subjects left out."""
    groups = {"all": list(collected.subjects)}
    for group in GROUPS:
        names = [name for name, subject in collected.subjects.items() if subject.group == group]
        if names:
            groups[group] = names
    return groups


def voxel_scores(collected: Collected, config: EvaluateConfig) -> Iterator[Score]:
    """Correlation and agreement over single voxels."""
    for (input_set, quantity, region, against), by_subject in collected.voxel_sums.items():
        for group, names in groups_of(collected).items():
            # a person without truth, or without such a voxel, says nothing here
            known = [by_subject[name] for name in names if name in by_subject]
            if not known:
                continue
            sums = np.array(known)
            row = partial(Score, "all", group, input_set, quantity, region, "voxel", against)
            yield from _agreement_scores(row, sums, "", config)


def roi_scores(roi: pd.DataFrame, collected: Collected, config: EvaluateConfig) -> Iterator[Score]:
    """Correlation and agreement over means per slice; metrics of the common mask end in "_reader_mask"."""
    groups = groups_of(collected)
    for place, rows in _parts(roi, "input_set", "quantity", "region"):
        for against, target, prediction, suffix in _ROI_PAIRS:
            if target not in rows:
                continue
            kept = rows.dropna(subset=[target, prediction])
            by_subject = {
                name: sums_of(part[target].to_numpy(), part[prediction].to_numpy())
                for (name,), part in _parts(kept, "subject")
            }
            for group, names in groups.items():
                sums = np.array([by_subject.get(name, np.zeros(N_SUMS)) for name in names])
                row = partial(Score, "all", group, *place, "roi", against)
                yield from _agreement_scores(row, sums, suffix, config)


def _agreement_scores(
    row: partial[Score], sums: NDArray[np.float64], suffix: str, config: EvaluateConfig
) -> Iterator[Score]:
    sums = sums[sums[:, 0] > 0]
    count = int(sums[:, 0].sum())
    # two points always lie on a line
    if count < 3:
        return
    values = agreement(sums, np.ones((1, len(sums))))
    resampled: dict[str, NDArray[np.float64]] = {}
    if len(sums) >= MINIMUM_SUBJECTS:
        resampled = agreement(sums, subject_weights(len(sums), config.n_bootstrap, config.seed))
    if len(sums) < MINIMUM_SUBJECTS_BETWEEN:
        resampled.pop("between_subject_r", None)
    for metric, value in values.items():
        low, high = percentile_interval(resampled.get(metric, np.array([])))
        yield row(f"{metric}{suffix}", float(value[0]), low, high, count)
    p = permutation_p(*subject_means(sums), config.n_permutations, config.seed)
    yield row(f"p_permutation{suffix}", p, count=len(sums))


def error_scores(errors: pd.DataFrame, collected: Collected, config: EvaluateConfig) -> Iterator[Score]:
    """Errors per slice as mean, SD and median over the slices; the interval is that of the mean."""
    groups = groups_of(collected)
    for (*place, against), rows in _parts(errors, "input_set", "quantity", "region", "against"):
        for group, names in groups.items():
            part = rows.loc[rows["subject"].isin(names)]
            if part.empty:
                continue
            codes = pd.factorize(part["subject"])[0]
            size = np.bincount(codes).astype(np.float64)
            row = partial(Score, "all", group, *place, "voxel", against)
            for metric in ERROR_METRICS:
                values = part[metric].to_numpy(np.float64)
                total = np.bincount(codes, weights=values).astype(np.float64)
                yield from _mean_scores(row, metric, values, _mean_interval(total, size, config))
                yield row(f"{metric}_median", float(np.median(values)), count=len(values))


def _mean_scores(
    row: partial[Score], metric: str, values: NDArray[np.float64], interval: tuple[float, float]
) -> Iterator[Score]:
    yield row(f"{metric}_mean", float(values.mean()), *interval, len(values))
    sd = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    yield row(f"{metric}_sd", sd, count=len(values))


def _mean_interval(
    total: NDArray[np.float64], size: NDArray[np.float64], config: EvaluateConfig
) -> tuple[float, float]:
    if len(size) < MINIMUM_SUBJECTS:
        return float("nan"), float("nan")
    weights = subject_weights(len(size), config.n_bootstrap, config.seed)
    return percentile_interval((weights @ total) / (weights @ size))


def overlap_scores(overlaps: pd.DataFrame, collected: Collected, config: EvaluateConfig) -> Iterator[Score]:
    """Scores of each subject's segmentation, and their mean and SD per group."""
    groups = groups_of(collected)
    for (input_set, region, against), rows in _parts(overlaps, "input_set", "region", "against"):
        place = (input_set, "", region, "volume", against)
        for record in rows.to_dict("records"):
            subject = collected.subjects[record["subject"]]
            for metric in OVERLAP_METRICS:
                yield Score(subject.name, subject.group or "all", *place, metric, record[metric], count=1)
        for group, names in groups.items():
            part = rows.loc[rows["subject"].isin(names)]
            row = partial(Score, "all", group, *place)
            for metric in OVERLAP_METRICS:
                values = part[metric].to_numpy(np.float64)
                values = values[np.isfinite(values)]
                if values.size:
                    interval = _mean_interval(values, np.ones(values.size), config)
                    yield from _mean_scores(row, metric, values, interval)
            empty = np.sum(~part["found"].to_numpy() & part["dice"].notna().to_numpy())
            yield row("n_empty_predictions", float(empty), count=len(part))


def _parts(table: pd.DataFrame, *keys: str) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Rows that share their values of the keys, with these values, in the order of the table."""
    yield from table.groupby(list(keys), sort=False)  # pyright: ignore[reportReturnType]  # keys are tuples
