"""Scoring a panel of people: one folder of small tables for each, so that an interrupted study goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Prediction
from rmqnet.domain.provenance import canonical
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.subject import Subject
from rmqnet.evaluate.case import PairedVoxels
from rmqnet.evaluate.collect import Collected, collect_subject, merged
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.density import Density, empty_density
from rmqnet.io.store import StageOutput, check_stage, make_provenance, open_stage
from rmqnet.io.tables import read_tables, write_tables
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.study.methods import Method
from rmqnet.pipeline.study.people import Panel, Person

STAGE = "study-scores"
_SUMS = ("n", "x", "y", "xx", "yy", "xy")


@dataclass(frozen=True)
class Lineup:
    """Methods that are compared on the same voxels of the same people."""

    name: str
    methods: tuple[Method, ...]
    n_people: int | None = None
    """First people of the panel that it is scored on; None: all."""


@dataclass(frozen=True)
class Share:
    """Which people this process does, where several work on one study at the same time."""

    number: int = 1
    """From 1."""
    of: int = 1

    def __post_init__(self) -> None:
        """Refuse a share that does not exist."""
        if not 1 <= self.number <= self.of:
            raise InputError(f"share must be K/N with K from 1 to N, got {self.number}/{self.of}")

    def has(self, index: int) -> bool:
        """True where the person of this number is one of the share."""
        return index % self.of == self.number - 1


ALL = Share()


def read_share(text: str) -> Share:
    """The share that "K/N" stands for."""
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal()):
        raise InputError(f"share must be K/N, for example 2/8, got {text!r}")
    return Share(int(number), int(of))


def score_panel(
    out: Path,
    panel: Panel,
    lineups: Sequence[Lineup],
    config: EvaluateConfig,
    reporter: Reporter,
    share: Share = ALL,
) -> dict[str, Collected]:
    """What is measured on the people of a panel, by lineup; people whose tables are complete are not loaded again.

    Each lineup has a folder of its own in `out`, so that another one does not touch it. A person is loaded once,
    and each method predicts once, however many lineups want it. With a share of the people only, nothing is returned.
    """
    outputs = {lineup.name: _open(out, panel, lineup, config) for lineup in lineups}
    total = len(panel.names)
    for index, name in enumerate(panel.names):
        reporter.progress(f"testing, {panel.name}", index, total)
        wanted = [one for one in lineups if index < _size(panel, one) and not outputs[one.name].done(name)]
        if not wanted or not share.has(index):
            continue
        person = panel.load(index)
        predictions: dict[str, Prediction] = {}
        for lineup in wanted:
            for method in lineup.methods:
                if method.label not in predictions:
                    predictions[method.label] = method.predict(person)
            collected = Collected()
            cases = [person.case(one.label, predictions[one.label]) for one in lineup.methods]
            collect_subject(cases, config, collected)
            with outputs[lineup.name].subject(name) as folder:
                write_tables(folder, to_tables(collected))
    reporter.progress(f"testing, {panel.name}", total, total)
    found = {}
    for lineup in lineups if share == ALL else ():
        names = panel.names[: _size(panel, lineup)]
        root = outputs[lineup.name].root
        found[lineup.name] = merged(from_tables(read_tables(root / f"sub-{one}"), config) for one in names)
    return found


def loaded(panel: Panel, name: str) -> Person:
    """The person of this label."""
    return panel.load(panel.names.index(name))


def _size(panel: Panel, lineup: Lineup) -> int:
    return len(panel.names) if lineup.n_people is None else min(lineup.n_people, len(panel.names))


def _open(out: Path, panel: Panel, lineup: Lineup, config: EvaluateConfig) -> StageOutput:
    """Folder of a lineup; what only matters to the intervals is no part of its configuration."""
    measured = replace(config, n_bootstrap=1, n_permutations=1, seed=0)
    settings = {
        "panel": panel.settings,
        "methods": {method.label: method.settings for method in lineup.methods},
        "evaluate": measured,
    }
    root = out / panel.name / lineup.name
    provenance = make_provenance(STAGE, settings)
    check_stage(root, provenance)
    return open_stage(root, provenance)


def to_tables(collected: Collected) -> dict[str, pd.DataFrame]:
    """What was collected as plain tables."""
    sums = [
        {**dict(zip(("input_set", "quantity", "region", "against"), key, strict=True)), "subject": name}
        | dict(zip(_SUMS, values, strict=True))
        for key, by_subject in collected.voxel_sums.items()
        for name, values in by_subject.items()
    ]
    people = [canonical(asdict(one)) for one in collected.subjects.values()]
    return {
        "subjects": pd.DataFrame(people),
        "input_sets": pd.DataFrame({"input_set": collected.input_sets}),
        "voxel_sums": pd.DataFrame(sums),
        "roi": pd.concat(collected.roi, ignore_index=True),
        "errors": pd.concat(collected.errors, ignore_index=True),
        "overlaps": pd.DataFrame(collected.overlaps),
        "invalid": pd.DataFrame(collected.invalid),
        "densities": pd.concat([_counts(one) for one in collected.densities.values()], ignore_index=True),
    }


def from_tables(tables: Mapping[str, pd.DataFrame], config: EvaluateConfig) -> Collected:
    """What was collected, from its tables."""
    people = [
        Subject(**{str(key): _plain(value) for key, value in row.items()})  # pyright: ignore[reportArgumentType]  # checked by Subject
        for row in tables["subjects"].to_dict("records")
    ]
    collected = Collected(
        subjects={one.name: one for one in people}, input_sets=tuple(tables["input_sets"]["input_set"])
    )
    for row in tables["voxel_sums"].to_dict("records"):
        key = (row["input_set"], row["quantity"], row["region"], row["against"])
        sums = np.array([row[name] for name in _SUMS], np.float64)
        collected.voxel_sums.setdefault(key, {})[row["subject"]] = sums
    # whole tables: thousands of small ones of hundreds of people take many times their memory
    collected.roi, collected.errors = [tables["roi"]], [tables["errors"]]
    collected.overlaps = _records(tables["overlaps"])
    collected.invalid = _records(tables["invalid"])
    for place, part in tables["densities"].groupby(["input_set", "quantity"], sort=False):
        input_set, quantity = place  # pyright: ignore[reportGeneralTypeIssues]  # a tuple, for two keys
        nobody = PairedVoxels(np.empty(0, np.int64), np.empty(0), np.empty(0))
        density = empty_density(str(input_set), str(quantity), nobody, config.histogram_bins)
        inside = part.loc[part["x"] >= 0]
        density.counts[inside["x"], inside["y"]] = inside["count"]
        density.n_outside = int(part.loc[part["x"] < 0, "count"].sum())
        collected.densities[str(input_set), str(quantity)] = density
    return collected


def _counts(density: Density) -> pd.DataFrame:
    """Filled bins of a density; those outside as bin -1. One of arbitrary units can't be added up: left out."""
    if QUANTITIES[density.quantity].display_range is None:
        return pd.DataFrame()
    x, y = np.nonzero(density.counts)
    table = pd.DataFrame({"x": [*x, -1], "y": [*y, -1], "count": [*density.counts[x, y], density.n_outside]})
    return table.assign(input_set=density.input_set, quantity=density.quantity)


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _plain(value: object) -> object:
    """A value of a table; None where it is missing, whole numbers as such."""
    if isinstance(value, float) and np.isnan(value):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value
