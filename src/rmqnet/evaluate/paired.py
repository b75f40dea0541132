"""Differences between two ways to make the maps, each judged on the same people: paired bootstrap over subjects."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rmqnet.domain.scores import Against
from rmqnet.evaluate.bootstrap import MINIMUM_SUBJECTS, percentile_interval, subject_weights
from rmqnet.evaluate.collect import Collected
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.correlation import N_SUMS, agreement, sums_of

Metric = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]

Key = tuple[str, str]
_ONE_MASK: dict[Against, str] = {"reference": "predicted_reader_mask", "truth": "predicted_truth_mask"}


def paired_differences(
    collected: Collected,
    pairs: Iterable[tuple[str, str]],
    config: EvaluateConfig,
    *,
    quantities: Sequence[str] = ("T1", "T1rho"),
    region: str = "cartilage",
    against: Against = "reference",
    own_mask: bool = True,
) -> pd.DataFrame:
    """First minus second in Pearson's r (per slice, per voxel) and in normalized L1, one row each.

    Both are resampled with the same people, so that what is hard about a person falls out. `own_mask`: means per
    slice are those in each predicted mask, as in Table 1; else in the target's, for methods that find no mask.
    What nobody has, for example a voxel of pure cartilage, gives differences that are NaN.
    Columns: first, second, quantity, level, metric, difference, low, high, n_subjects.
    """
    column = "predicted_own_mask" if own_mask else _ONE_MASK[against]
    roi_sums = _roi_sums(collected, region, against, column)
    all_errors = _errors(collected, region, against)
    nothing = np.zeros((len(collected.subjects), N_SUMS))
    rows = []
    for first, second in pairs:
        for quantity in quantities:
            voxels = [_voxel_sums(collected, one, quantity, region, against) for one in (first, second)]
            slices = [roi_sums.get((one, quantity), nothing) for one in (first, second)]
            errors = [all_errors.get((one, quantity), nothing) for one in (first, second)]
            for level, metric, tables in (
                ("roi", "pearson_r", slices),
                ("voxel", "pearson_r", voxels),
                ("voxel", "normalized_l1", errors),
            ):
                function = _correlation if metric == "pearson_r" else _mean
                found = _difference(function, tables[0], tables[1], config)
                rows.append((first, second, quantity, level, metric, *found))
    columns = ["first", "second", "quantity", "level", "metric", "difference", "low", "high", "n_subjects"]
    return pd.DataFrame(rows, columns=columns)


def _difference(
    metric: Metric, one: NDArray[np.float64], other: NDArray[np.float64], config: EvaluateConfig
) -> tuple[float, float, float, int]:
    """Difference of a metric of two tables (subject, ...), its interval and the number of subjects."""
    n_subjects = len(one)
    whole = np.ones((1, n_subjects))
    value = float((metric(one, whole) - metric(other, whole))[0])
    if n_subjects < MINIMUM_SUBJECTS:
        return value, float("nan"), float("nan"), n_subjects
    weights = subject_weights(n_subjects, config.n_bootstrap, config.seed)
    low, high = percentile_interval(metric(one, weights) - metric(other, weights))
    return value, low, high, n_subjects


def _correlation(sums: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    # a subject without a pair would be 0 / 0 in means per subject
    known = sums[:, 0] > 0
    if not known.any():
        return np.full(len(weights), np.nan)
    return agreement(sums[known], weights[:, known])["pearson_r"]


def _mean(totals: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ totals[:, 1]) / (weights @ totals[:, 0])


def _voxel_sums(
    collected: Collected, label: str, quantity: str, region: str, against: Against
) -> NDArray[np.float64]:
    """Six sums of every subject, in the order of the subjects; zeros for one without a pair."""
    held = collected.voxel_sums.get((label, quantity, region, against), {})
    return np.array([held.get(name, np.zeros(N_SUMS)) for name in collected.subjects])


def _roi_sums(
    collected: Collected, region: str, against: Against, column: str
) -> dict[Key, NDArray[np.float64]]:
    """The same over slices, by method and quantity."""

    def sums(rows: pd.DataFrame) -> NDArray[np.float64]:
        kept = rows.dropna(subset=[against, column])
        return sums_of(kept[against].to_numpy(np.float64), kept[column].to_numpy(np.float64))

    table = pd.concat(collected.roi, ignore_index=True)
    if column not in table:  # nobody has a truth
        return {}
    return _by_subject(collected, table.loc[table["region"] == region], sums, N_SUMS)


def _errors(collected: Collected, region: str, against: Against) -> dict[Key, NDArray[np.float64]]:
    """Number of slices and sum of their normalized L1 (subject, 2), by method and quantity."""

    def totals(rows: pd.DataFrame) -> NDArray[np.float64]:
        return np.array([len(rows), rows["normalized_l1"].sum()])

    table = pd.concat(collected.errors, ignore_index=True)
    table = table.loc[(table["region"] == region) & (table["against"] == against)]
    return _by_subject(collected, table, totals, 2)


def _by_subject(
    collected: Collected, table: pd.DataFrame, function: Callable[[pd.DataFrame], NDArray[np.float64]], n: int
) -> dict[Key, NDArray[np.float64]]:
    order = {name: index for index, name in enumerate(collected.subjects)}
    found: dict[Key, NDArray[np.float64]] = {}
    for label in collected.input_sets:
        for quantity in table["quantity"].unique():
            found[label, quantity] = np.zeros((len(order), n))
    for (label, quantity, subject), rows in table.groupby(["input_set", "quantity", "subject"], sort=False):  # pyright: ignore[reportGeneralTypeIssues]  # keys are tuples
        found[label, quantity][order[subject]] = function(rows)
    return found
