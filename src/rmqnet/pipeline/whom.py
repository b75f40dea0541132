"""Who somebody is to a network: nobody is tested whom it has learned from."""

import json
from collections.abc import Mapping
from pathlib import Path

from rmqnet.io.bids import hash_scan
from rmqnet.io.store import PROVENANCE
from rmqnet.pipeline.sources import ReadOptions, SpinLockSource


def marks_of(
    study: Path, name: str, options: ReadOptions | None = None, *, cohort: Path | None = None
) -> frozenset[str]:
    """What tells a person from others: the hash of the scan and, of a simulated cohort, what the knee was drawn from.

    One seed gives other bits on another kind of processor: the hash alone would not know such a knee again. `cohort` is
    the simulated study where `study` holds images that were made from it (registered, reconstructed).
    """
    drawn = drawn_from(cohort or study, name)
    scan = hash_scan(study, name, **(options or SpinLockSource().options))
    return frozenset({scan} if drawn is None else {scan, drawn})


def drawn_from(study: Path, name: str) -> str | None:
    """Seed and number that a subject of a simulated cohort was drawn from, in words; None where none is stated.

    The size of the cohort, the matrix and the protocol change a knee that both give, but not into another one.
    """
    path = study / PROVENANCE
    if not name.isdecimal() or not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        # whoever needs the record says what is wrong with it
        return None
    if not isinstance(record, dict) or record.get("stage") != "simulate":
        return None
    seed, inputs = record.get("seed"), record.get("inputs")
    # a knee that somebody segmented is nobody of a cohort
    if not isinstance(seed, int) or not isinstance(inputs, dict) or "labels" in inputs:
        return None
    return in_words(seed, int(name))


def in_words(seed: int, number: int) -> str:
    """How a record names a simulated person."""
    return f"seed {seed}, person {number}"


def learned_from(training: Mapping[str, object]) -> list[str] | None:
    """Marks of the people that a network was trained or chosen with; None where its record does not say."""
    scans, drawn = training.get("scans"), training.get("simulated")
    if not isinstance(scans, list | dict):
        return None
    # the record of a shipped network leaves out the names of people
    hashes = scans if isinstance(scans, list) else scans.values()
    return sorted({str(one) for one in (*hashes, *(drawn if isinstance(drawn, list) else ()))})
