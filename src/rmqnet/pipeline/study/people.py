"""Who is tested: people of a study on disk, and people who are simulated when they are needed and then forgotten."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet, Prediction, Segmentation
from rmqnet.domain.scan import Scan
from rmqnet.domain.subject import Subject
from rmqnet.evaluate.case import Case
from rmqnet.fit.fit import fit
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.bids_labels import load_fraction, load_segmentation
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.participants import load_participants
from rmqnet.pipeline.layout import TRUTH, truth_folder
from rmqnet.pipeline.references import load_reference
from rmqnet.pipeline.whom import marks_of
from rmqnet.simulate.change import changed
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.reader import draw_regions, regions_by_rule
from rmqnet.simulate.simulate import knee_and_scan_rng, scan_knee
from rmqnet.simulate.simulated import Simulated

OTHER_READER = 3
"""Last word of the seed of a reader who errs."""


@dataclass(frozen=True, eq=False)
class Person:
    """Everything that a prediction of one knee starts from and is compared with."""

    subject: Subject
    scan: Scan
    reference: MapSet
    """Maps fitted from all images."""
    regions: Segmentation
    """What the reader drew."""
    truth: MapSet | None = None
    truth_labels: Segmentation | None = None
    cartilage_fraction: NDArray[np.float32] | None = None

    def case(self, label: str, prediction: Prediction) -> Case:
        """The prediction beside reference and truth."""
        return Case(
            self.subject,
            label,
            prediction,
            self.reference,
            self.regions,
            self.truth,
            self.truth_labels,
            self.cartilage_fraction,
        )


@dataclass(frozen=True, eq=False)
class Panel:
    """People to test on; each is loaded or simulated when its turn comes."""

    name: str
    """Name of its folder."""
    title: str
    """What kind of people, for a table."""
    settings: object
    """What makes them: plain values for the provenance record."""
    names: tuple[str, ...]
    """Labels of the people."""
    load: Callable[[int], Person]
    """The person of this number."""
    marks: tuple[Set[str], ...] = ()
    """Marks of each person (`rmqnet.pipeline.whom`) where the scans lie on disk."""


def person_of(simulated: Simulated, regions: Segmentation | None = None) -> Person:
    """A simulated person with its fitted reference; `regions` in place of those of the reader without error."""
    labels, fractions = simulated.labels, (simulated.cartilage_fraction, simulated.fluid_fraction)
    return Person(
        simulated.subject,
        simulated.scan,
        fit(simulated.scan),
        regions or regions_by_rule(labels, *fractions),
        simulated.truth,
        labels,
        simulated.cartilage_fraction,
    )


def simulated_panel(
    name: str,
    title: str,
    config: SimulateConfig,
    *,
    change: tuple[str, float] | None = None,
    erring_reader: bool = False,
) -> Panel:
    """People who are simulated one by one; nothing of them but their scores is kept.

    `change` is a quantity and its factor, see `simulate.change.changed`.
    """

    def load(index: int) -> Person:
        knee, rng = knee_and_scan_rng(config, index)
        simulated = scan_knee(knee if change is None else changed(knee, *change), config, rng)
        regions = None
        if erring_reader:
            fractions = simulated.cartilage_fraction, simulated.fluid_fraction
            seed = [config.seed, index, OTHER_READER]
            regions = draw_regions(simulated.labels, *fractions, seed)
        return person_of(simulated, regions)

    settings = {"simulate": config, "change": change, "erring_reader": erring_reader}
    names = tuple(f"{index + 1:03d}" for index in range(config.n_subjects))
    return Panel(name, title, settings, names, load)


def disk_panel(name: str, title: str, study: Path, names: Sequence[str]) -> Panel:
    """People of a study on disk that has references."""
    people = load_participants(study)
    if missing := [one for one in names if one not in people]:
        raise InputError(f"{study / 'participants.tsv'}: has no row for sub-{missing[0]}")
    hashes = [hash_scan(study, one) for one in names]

    def load(index: int) -> Person:
        one = names[index]
        reference, regions = load_reference(study, one)
        folder = truth_folder(study) / f"sub-{one}"
        has_truth = folder.is_dir()
        return Person(
            people[one],
            load_scan(study, one),
            reference,
            regions,
            load_maps(folder, desc=TRUTH) if has_truth else None,
            load_segmentation(folder, desc=TRUTH) if has_truth else None,
            load_fraction(folder, desc=TRUTH)[0] if has_truth else None,
        )

    settings = {"study": study.name, "scans": hashes}
    marks = tuple(marks_of(study, one) for one in names)
    return Panel(name, title, settings, tuple(names), load, marks)
