"""Is it measuring or guessing? How predictions follow a change of the truth in an otherwise equal scan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.evaluate.bootstrap import MINIMUM_SUBJECTS, percentile_interval, subject_weights
from rmqnet.evaluate.config import EvaluateConfig

RESPONSE_COLUMNS = ("subject", "input_set", "changed", "factor", "quantity", "predicted", "truth")
"""Columns of the table that `responses` takes: means over the same voxels [house unit], a row
per scan and quantity."""


@dataclass(frozen=True)
class Response:
    """How one predicted quantity answers to one changed property."""

    input_set: str
    changed: str
    """Quantity that was changed in the scan."""
    quantity: str
    """Quantity that was predicted."""
    metric: str
    """slope: predicted change over true change. shift: predicted change relative to the prediction before."""
    value: float
    """Mean over subjects."""
    low: float
    """Lower end of its 95 % interval by bootstrap over subjects."""
    high: float
    count: int
    """Subjects."""


def responses(table: pd.DataFrame, config: EvaluateConfig) -> list[Response]:
    """Slopes where the changed quantity is the predicted one, relative shifts where it is another.

    A slope of 1 is a measurement, of 0 a guess from the rest of the knee. With a change up and one down, the slope is
    between the two; a shift is that of the change upwards.
    """
    if missing := [name for name in RESPONSE_COLUMNS if name not in table]:
        raise InputError(f"the table of responses lacks the column {missing[0]}")
    found = []
    keys = ["input_set", "changed", "quantity"]
    for (input_set, changed, quantity), rows in table.loc[table["factor"] != 1].groupby(keys, sort=False):
        base = table.loc[
            (table["factor"] == 1) & (table["input_set"] == input_set) & (table["quantity"] == quantity)
        ].set_index("subject")
        metric = "slope" if changed == quantity else "shift"
        values = np.array(
            [_one(metric, own, base.loc[name]) for name, own in rows.groupby("subject", sort=True)]
        )
        low, high = _interval(values, config)
        found.append(
            Response(input_set, changed, quantity, metric, float(np.nanmean(values)), low, high, len(values))
        )
    return found


def _one(metric: str, own: pd.DataFrame, base: pd.Series) -> float:
    """Slope or shift of one subject."""
    ordered = own.sort_values("factor")
    top = ordered.iloc[-1]
    if metric == "shift":
        return float(top["predicted"] / base["predicted"] - 1)
    bottom = ordered.iloc[0] if len(ordered) > 1 else base
    return float((top["predicted"] - bottom["predicted"]) / (top["truth"] - bottom["truth"]))


def _interval(values: NDArray[np.float64], config: EvaluateConfig) -> Sequence[float]:
    if len(values) < MINIMUM_SUBJECTS:
        return float("nan"), float("nan")
    weights = subject_weights(len(values), config.n_bootstrap, config.seed)
    return percentile_interval(weights @ values / len(values))
