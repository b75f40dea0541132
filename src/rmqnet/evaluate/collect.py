"""What is measured on one subject at a time, so that a cohort never has to be in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Reason
from rmqnet.domain.scores import Against
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import members
from rmqnet.evaluate.case import Case
from rmqnet.evaluate.config import PURE_CARTILAGE, EvaluateConfig
from rmqnet.evaluate.correlation import sums_of
from rmqnet.evaluate.density import Density, empty_density
from rmqnet.evaluate.errors import slice_errors
from rmqnet.evaluate.overlap import overlap

VoxelKey = tuple[str, str, str, Against]
"""Input set, quantity, region, against."""


@dataclass
class Collected:
    """Everything that the scores are made from."""

    subjects: dict[str, Subject] = field(default_factory=dict)
    """Subjects by name, in the order of the cases."""
    input_sets: tuple[str, ...] = ()
    """Input sets in the order of the first subject's cases."""
    voxel_sums: dict[VoxelKey, dict[str, NDArray[np.float64]]] = field(default_factory=dict)
    """Six sums per subject (see `correlation`)."""
    roi: list[pd.DataFrame] = field(default_factory=list)
    errors: list[pd.DataFrame] = field(default_factory=list)
    overlaps: list[dict[str, object]] = field(default_factory=list)
    invalid: list[dict[str, object]] = field(default_factory=list)
    densities: dict[tuple[str, str], Density] = field(default_factory=dict)


def merged(parts: Iterable[Collected]) -> Collected:
    """Everything that the parts hold, in their order; each part holds other subjects, all the same input sets."""
    whole = Collected()
    for part in parts:
        if twice := whole.subjects.keys() & part.subjects.keys():
            raise InputError(f"sub-{min(twice)} stands in two parts of the results: keep one of them")
        if whole.input_sets and set(whole.input_sets) != set(part.input_sets):
            raise InputError(
                f"parts of the results compare different predictions: {', '.join(whole.input_sets)} and "
                f"{', '.join(part.input_sets)}"
            )
        whole.subjects |= part.subjects
        whole.input_sets = whole.input_sets or part.input_sets
        for key, sums in part.voxel_sums.items():
            whole.voxel_sums.setdefault(key, {}).update(sums)
        whole.roi += part.roi
        whole.errors += part.errors
        whole.overlaps += part.overlaps
        whole.invalid += part.invalid
        for place, density in part.densities.items():
            if place in whole.densities:
                whole.densities[place].counts += density.counts
                whole.densities[place].n_outside += density.n_outside
            else:
                own = replace(density, counts=density.counts.copy())
                whole.densities[place] = own
    return whole


def regions_of(case: Case, config: EvaluateConfig) -> tuple[str, ...]:
    """Regions of the configuration; with "pure_cartilage" where the cartilage fraction is known."""
    pure = case.cartilage_fraction is not None and "cartilage" in config.regions
    return (*config.regions, PURE_CARTILAGE) if pure else config.regions


def collect_subject(cases: Sequence[Case], config: EvaluateConfig, into: Collected) -> None:
    """Add one subject, seen through every input set, to what is collected."""
    _check(cases, config, into)
    subject = cases[0].subject
    into.subjects[subject.name] = subject
    for quantity in config.quantities:
        # a voxel that one input set can't predict is left out for all, or they would not be comparable
        usable = np.logical_and.reduce([np.isfinite(c.prediction.maps.values[quantity]) for c in cases])
        for case in cases:
            for region in regions_of(case, config):
                _collect_region(case, quantity, region, usable, config, into)
    for case in cases:
        _collect_overlap(case, config, into)


def _check(cases: Sequence[Case], config: EvaluateConfig, into: Collected) -> None:
    name = cases[0].subject.name
    input_sets = tuple(case.input_set for case in cases)
    if name in into.subjects:
        raise InputError(f"the cases of sub-{name} must follow one another: sort the cases by subject")
    if len(set(input_sets)) < len(input_sets):
        raise InputError(f"sub-{name} has two predictions from {', '.join(input_sets)}: keep one of each")
    into.input_sets = into.input_sets or input_sets
    if set(input_sets) != set(into.input_sets):
        raise InputError(
            f"sub-{name} must be predicted from each of {', '.join(into.input_sets)}, as the other subjects "
            f"are, got {', '.join(input_sets)}: predict the rest or leave the subject out"
        )
    tissues = [tissue for region in config.regions for tissue in members(region)]
    for case in cases:
        where = f"sub-{name} ({case.input_set})"
        for what, maps in (("predicted", case.prediction.maps), ("reference", case.reference)):
            missing = [quantity for quantity in config.quantities if quantity not in maps.values]
            if missing:
                raise InputError(f"{where} has no {what} {missing[0]} map: leave it out of `quantities`")
        for what in ("prediction", "reference"):
            missing = [tissue for tissue in tissues if tissue not in case.segmentation(what).tissues]
            if missing:
                raise InputError(f"{where} has no {missing[0]} in its {what} labels: change `regions`")


def _collect_region(
    case: Case,
    quantity: str,
    region: str,
    usable: NDArray[np.bool_],
    config: EvaluateConfig,
    into: Collected,
) -> None:
    subject, minimum = case.subject, config.minimum_roi_voxels
    about = {"input_set": case.input_set, "region": region, "quantity": quantity}
    person = {"subject": subject.name, "group": subject.group, "kl_grade": subject.kl_grade}
    person["side"] = subject.side
    rows = case.roi_means(quantity, region, minimum, usable)
    into.roi.append(rows.assign(**person, **about))
    truth: tuple[Against, ...] = ("truth",) if case.truth is not None else ()
    for against in ("reference", *truth):
        pairs = case.paired_voxels(quantity, region, against, usable)
        key: VoxelKey = (case.input_set, quantity, region, against)
        into.voxel_sums.setdefault(key, {})[subject.name] = sums_of(pairs.target, pairs.prediction)
        into.errors.append(slice_errors(pairs, minimum).assign(**person, **about, against=against))
        if region == "cartilage" and against == "reference":
            density = into.densities.setdefault(
                key[:2], empty_density(case.input_set, quantity, pairs, config.histogram_bins)
            )
            density.add(pairs)
    into.invalid += [
        about | {"subject": subject.name} | row for row in _invalid(case, quantity, region, usable)
    ]


def _invalid(case: Case, quantity: str, region: str, usable: NDArray[np.bool_]) -> list[dict[str, object]]:
    """Why voxels of the reader's region are not compared, one row per cause."""
    index = case.voxels("reference", region)
    no_reference = ~np.isfinite(case.reference.values[quantity].ravel()[index])
    no_prediction = ~np.isfinite(case.prediction.maps.values[quantity].ravel()[index])
    codes = np.bincount(case.reference.reason[quantity].ravel()[index][no_reference], minlength=len(Reason))
    # a NaN without a reason code is counted too
    rows = [(f"reference: {r.name.lower()}", codes[r]) for r in Reason if r or codes[r]]
    rows.append(("no prediction", int(no_prediction.sum())))
    others = ~usable.ravel()[index] & ~no_prediction
    rows.append(("no prediction from another input set", int(others.sum())))
    return [{"cause": cause, "n_voxels": int(n), "n_region": index.size} for cause, n in rows]


def _collect_overlap(case: Case, config: EvaluateConfig, into: Collected) -> None:
    truth: tuple[Against, ...] = ("truth",) if case.truth_segmentation is not None else ()
    for against in ("reference", *truth):
        labels = case.segmentation(against)
        for region in config.regions:
            predicted = case.prediction.segmentation.mask(region)
            row: dict[str, object] = {"subject": case.subject.name, "input_set": case.input_set}
            row |= {"region": region, "against": against, "found": bool(predicted.any())}
            into.overlaps.append(row | overlap(predicted, labels.mask(region), labels.grid.voxel_size))
