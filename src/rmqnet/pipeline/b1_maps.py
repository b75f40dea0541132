"""Which B1 map from elsewhere belongs to a subject, and what gives way to it.

The rule: a map that the user names (--b1) comes first, then the AFI pair, then the map in the study (fmap/*_TB1map).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rmqnet.domain.acquisition import Method
from rmqnet.domain.b1_map import B1Map
from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet
from rmqnet.domain.provenance import config_hash
from rmqnet.io.b1_map import find_b1_map, list_b1_maps, load_b1_map
from rmqnet.io.sidecar import read_sidecar
from rmqnet.io.store import hash_file
from rmqnet.pipeline.sources import B1Source

MOST_APART = 0.05
"""Median difference of a predicted and a measured B1 that is believed: our choice; it makes 10 % of T1. Networks err by
0.01, maps of scanners by a few hundredths."""
INPUT = "B1 map of sub-{}"
"""Name of the hash of the B1 map of a subject among the inputs of a stage."""
NEEDED_BY: frozenset[Method] = frozenset({"vfa", "adiabatic_t1rho"})
"""Images whose fit needs B1."""
_SAID = ("Units", "FlipAngle", "EstimationAlgorithm")
"""Keys of the sidecar of a B1 map that change what is made of it."""


@dataclass(frozen=True)
class FoundB1:
    """The B1 map of a subject."""

    path: Path
    source: B1Source
    root: Path | None = None
    """The study that holds it; None for a file that the user names."""

    def load(self) -> B1Map:
        """The map; InputError where its unit is not known or it can't be a transmit field."""
        return load_b1_map(
            self.path, unit=self.source.unit, flip_angle=self.source.flip_angle, root=self.root
        )

    @property
    def hash(self) -> str:
        """Hash of the map and of what its sidecars say."""
        said = read_sidecar(self.path, self.root or self.path.parent).values
        return config_hash("b1_map", [hash_file(self.path), [str(said.get(key)) for key in _SAID]])


def find_b1(
    studies: Sequence[Path], name: str, methods: Collection[Method], source: B1Source, notes: list[str]
) -> FoundB1 | None:
    """The map that gives B1 to the fit of a subject with images of these methods; None where none does.

    `studies` are looked through in turn. What is not used, and why, is appended to `notes`.
    """
    if not NEEDED_BY & set(methods):
        unused = [source.file] if source.file else _listed(studies, name)
        why = "these images are fitted without B1"
    elif "afi" in methods and source.file is None:
        unused = _listed(studies, name)
        why = "the AFI pair says what B1 is (--b1 takes the map instead)"
    else:
        if "afi" in methods and source.file is not None:
            notes.append(f"The AFI pair is not used: {source.file.name} was named for B1.")
        return any_b1(studies, name, source)
    notes += [f"The B1 map {path.name} is not used: {why}." for path in unused[:1]]
    return None


def any_b1(studies: Sequence[Path], name: str, source: B1Source) -> FoundB1 | None:
    """The map that the user names, else that in the first of the studies that has one; None without any."""
    if source.file is not None:
        return FoundB1(source.file, source)
    for study in studies:
        path = find_b1_map(study, name)
        if path is not None:
            return FoundB1(path, source, study)
    return None


def compare_b1(maps: MapSet, found: FoundB1) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why a predicted B1 should be doubted beside a measured one, and what was found: sentences."""
    unused = f"No network takes a B1 map: {found.path.name} is not used for the prediction"
    try:
        b1 = found.load()
    except InputError as error:
        if found.source.file is not None:
            raise
        return (), (f"{unused}, and not compared with it: {error}",)
    measured = b1.on(maps.grid)
    both = maps.valid("B1") & np.isfinite(measured) if "B1" in maps.values else np.zeros(measured.shape, bool)
    if not both.any():
        return (), (f"{unused}, and it has no value where B1 was predicted.",)
    difference = float(np.median(maps.values["B1"][both] / measured[both])) - 1
    spread = float(np.median(np.abs(maps.values["B1"][both] / measured[both] - 1)))
    notes = (*b1.notes, f"{unused}; beside it the predicted B1 differs by {difference:+.1%} (median).")
    if spread <= MOST_APART:
        return (), notes
    flag = (
        f"The predicted B1 is {spread:.0%} away from {b1.origin} (median over the tissue): predicted T1 is then off by "
        "about twice that; fit the maps with the measured B1 (rmqnet fit)."
    )
    return (flag,), notes


def hash_b1(studies: Sequence[Path], name: str, source: B1Source) -> str:
    """Hash of all B1 maps that a subject has, whether they are used or not."""
    if source.file is not None:
        return FoundB1(source.file, source).hash
    return config_hash(
        "b1_maps",
        [FoundB1(path, source, study).hash for study in studies for path in list_b1_maps(study, name)],
    )


def _listed(studies: Sequence[Path], name: str) -> list[Path]:
    return [path for study in studies for path in list_b1_maps(study, name)]
