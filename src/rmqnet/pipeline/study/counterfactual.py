"""Scans of the same knees with one property changed and the same noise: does a prediction follow?"""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rmqnet.domain.maps import MapSet
from rmqnet.evaluate.response import RESPONSE_COLUMNS
from rmqnet.io.store import check_stage, make_provenance, open_stage
from rmqnet.io.tables import read_tables, write_tables
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.study.methods import Method
from rmqnet.pipeline.study.people import Person, person_of
from rmqnet.pipeline.study.scores import ALL, Share
from rmqnet.simulate.change import changed
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.simulate import knee_and_scan_rng, scan_knee

STAGE = "study-counterfactual"
CHANGES: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("T1", (0.8, 1.2)),
    ("T1rho", (0.8, 1.2)),
    ("M0", (1.1,)),
    ("B1", (1.05,)),
)
"""Quantities and the factors by which they are changed, one at a time."""
WATCHED = ("T1", "T1rho")
"""Predicted quantities whose answer is recorded."""


def score_counterfactuals(
    out: Path, config: SimulateConfig, methods: Sequence[Method], reporter: Reporter, share: Share = ALL
) -> pd.DataFrame:
    """Mean prediction and truth in cartilage for every person, scan and method; see `evaluate.response`.

    T1, T1rho and M0 change in cartilage only, B1 everywhere; anatomy, texture, other tissue and noise stay. With a
    share of the people only, the table is empty.
    """
    settings = {
        "simulate": config,
        "changes": CHANGES,
        "methods": {method.label: method.settings for method in methods},
    }
    provenance = make_provenance(STAGE, settings, config.seed)
    check_stage(out, provenance)
    output = open_stage(out, provenance)
    names = [f"{index + 1:03d}" for index in range(config.n_subjects)]
    for index, name in enumerate(names):
        reporter.progress("counterfactual scans", index, len(names))
        if share.has(index) and not output.done(name):
            with output.subject(name) as folder:
                write_tables(folder, {"responses": _responses(config, index, methods)})
    reporter.progress("counterfactual scans", len(names), len(names))
    if share != ALL:
        return pd.DataFrame(columns=list(RESPONSE_COLUMNS))
    tables = [read_tables(out / f"sub-{name}")["responses"] for name in names]
    return pd.concat(tables, ignore_index=True)


def _responses(config: SimulateConfig, index: int, methods: Sequence[Method]) -> pd.DataFrame:
    """Rows of one person."""
    knee, rng = knee_and_scan_rng(config, index)
    base = scan_knee(knee, config, copy.deepcopy(rng))
    rows: list[tuple] = []
    usable: dict[str, NDArray[np.bool_]] = {}
    scans = [("", 1.0), *((name, factor) for name, factors in CHANGES for factor in factors)]
    for name, factor in scans:
        simulated = base
        if name:
            # the same noise, not the same signal-to-noise ratio: only the property differs
            simulated = scan_knee(changed(knee, name, factor), config, copy.deepcopy(rng), noise=base.noise)
        person = person_of(simulated)
        for method in methods:
            rows += _rows(person, simulated.truth, method, name, factor, usable)
    return pd.DataFrame(rows, columns=list(RESPONSE_COLUMNS))


def _rows(
    person: Person,
    truth: MapSet,
    method: Method,
    name: str,
    factor: float,
    usable: dict[str, NDArray[np.bool_]],
) -> list[tuple]:
    """Means over the reader's cartilage where truth and the prediction of the unchanged scan have values."""
    maps = method.predict(person).maps.values
    rows = []
    for quantity in WATCHED:
        true = truth.values[quantity]
        key = f"{method.label} {quantity}"
        if key not in usable:
            inside = person.regions.mask("cartilage")
            usable[key] = inside & np.isfinite(true) & np.isfinite(maps[quantity])
        where = usable[key]
        predicted = float(np.nanmean(maps[quantity][where]))
        row = (person.subject.name, method.label, name, factor, quantity, predicted)
        rows.append((*row, float(true[where].mean())))
    return rows
