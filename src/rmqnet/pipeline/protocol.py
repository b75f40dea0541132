"""From the wish for a protocol to its tables, figure and page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqnet.design.assess import Efficiency, Precision, assess, worth_of_zero
from rmqnet.design.config import DesignConfig
from rmqnet.design.search import Search, best_pair
from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import INPUT_SETS
from rmqnet.io.atomic import atomic_files
from rmqnet.io.store import make_provenance, open_stage
from rmqnet.report.protocol_page import Plan, write_plan

EFFICIENCIES: tuple[Efficiency, ...] = ("known", "of pulses unknown")
"""What is known of the preparation efficiency in the two columns of every table."""
LONGEST = 60.0
"""Longest scan time that is searched [min]: a default."""
SHOWN = 35.0
"""Scan time up to which the figure goes where none longer was asked for [min]."""


@dataclass(frozen=True)
class BestPair:
    """Two flip angles for T1 of a tissue, beside the paper's."""

    tissue: str
    flip_angles: tuple[float, float]
    """The best two [degree]."""
    sd: float
    """SD of T1 with them [s]."""
    paper_sd: float
    """SD of T1 with 5 and 30 degrees [s]."""


@dataclass(frozen=True)
class Frontier:
    """The best protocols by scan time."""

    efficiency: Efficiency
    minutes: Sequence[float]
    """Scan time of each protocol [min], rising."""
    bounds: Sequence[Sequence[Precision]]
    """Precision of every tissue and quantity, by protocol."""


def make_plan(config: DesignConfig, minutes: float | None, *, with_curves: bool) -> Plan:
    """Precision of all input sets and, for a scan time [min], of the best protocols found; curves for the figure."""
    if minutes is not None and not 0 < minutes <= LONGEST:
        raise InputError(f"minutes must be above 0 and at most {LONGEST:g}, got {minutes:g}")
    searches: dict[Efficiency, Search] = {
        efficiency: Search(config, efficiency) for efficiency in EFFICIENCIES
    }
    sets = list(INPUT_SETS.values())
    notes = []
    if minutes is not None:
        sets.append(searches["known"].best(minutes).inputs)
        other = searches["of pulses unknown"]
        if minutes >= other.shortest():
            sets.append(other.best(minutes).inputs)
        else:
            notes.append(f"With f unknown, a {config.fit} fit needs at least {other.shortest():g} min")
    curves = []
    if with_curves:
        curves = [_frontier(search, efficiency, config, minutes) for efficiency, search in searches.items()]
    return Plan(
        input_sets=sets,
        # B1 is taken as known, so that AFI among the inputs changes nothing but the time
        bounds=[item for inputs in sets if not inputs.afi for item in assess(inputs, config)],
        zero=list(worth_of_zero(config)),
        pairs=[BestPair(tissue, *best_pair(tissue, config)) for tissue in config.tissues],
        curves=curves,
        fit=config.fit,
        snr=config.snr,
        count_afi=config.count_afi,
        minutes=minutes,
        notes=notes,
    )


def save_plan(out: Path, plan: Plan, config: DesignConfig) -> Path:
    """Path of the page; the table and the figure lie beside it."""
    output = open_stage(out, make_provenance("protocol", {"design": config, "minutes": plan.minutes}))
    with atomic_files(output.root) as folder:
        page = write_plan(folder, plan)
    return output.root / page.name


def _frontier(
    search: Search, efficiency: Efficiency, config: DesignConfig, minutes: float | None
) -> Frontier:
    designs = search.frontier(max(SHOWN, minutes or 0.0))
    return Frontier(
        efficiency,
        [design.seconds / 60 for design in designs],
        [
            [
                item
                for item in assess(design.inputs, config)
                if (item.fit, item.efficiency) == (config.fit, efficiency)
            ]
            for design in designs
        ],
    )
