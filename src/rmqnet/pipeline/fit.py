"""Fits of a study: maps of every subject, with a page to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rmqnet.domain.acquisition import Method
from rmqnet.domain.b1_map import B1Map
from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet
from rmqnet.domain.provenance import Provenance
from rmqnet.domain.scan import Scan, without
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.fit.b1_map import b1_algorithm
from rmqnet.fit.choice import CANDIDATES
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.io.atomic import atomic_files, withdraw
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.label_tables import write_label_tables
from rmqnet.io.series import find_series
from rmqnet.io.store import check_stage, make_provenance, open_stage, read_provenance
from rmqnet.pipeline.b1_maps import INPUT, FoundB1, find_b1
from rmqnet.pipeline.flags import quality
from rmqnet.pipeline.layout import FIGURES, FITTED, chosen_subjects, is_simulated
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.references import NO_REGIONS, REGIONS, drawn_regions, regions_hash
from rmqnet.pipeline.sources import B1Source, SpinLockSource
from rmqnet.report.knee import Knee
from rmqnet.report.knee_page import PAGE, write_knee_page

if TYPE_CHECKING:
    from rmqnet.pipeline.network_b1 import NetworkB1


@dataclass(frozen=True)
class _GivenB1:
    """B1 from elsewhere, and what stands in the sidecar of its map and on the page."""

    b1: B1Map | None
    sidecar: dict[str, object]
    words: str
    flags: tuple[str, ...] = ()


def fit_study(
    study: Path,
    out: Path,
    config: FitConfig,
    reporter: Reporter,
    *,
    subjects: Sequence[str] = (),
    source: SpinLockSource | None = None,
    b1_from_network: bool = False,
    b1_source: B1Source = B1Source(),  # noqa: B008  # frozen
    reference_study: Path | None = None,
) -> list[Path]:
    """Fit the subjects of a BIDS study into `out`; returns the page of each subject.

    Subjects that are complete are not fitted again. One that can't be fitted does not keep the others from it: it is
    named at the end. B1 is that of `rmqnet.pipeline.b1_maps`; with `b1_from_network` a shipped network predicts it
    where a subject has neither AFI images nor a B1 map (`rmqnet.pipeline.network_b1`).
    `reference_study` holds derivatives/reference, derivatives/truth and B1 maps where `study` does not.
    """
    source = source or SpinLockSource()
    studies = (study, reference_study or study)
    names = chosen_subjects(study, subjects)
    b1_source.check(names)
    settings = _settings(config, source, b1_source, b1_from_network=b1_from_network)
    check_stage(out, make_provenance("fit", settings))
    pages: list[Path] = []
    failures: list[InputError] = []
    for index, name in enumerate(names):
        reporter.progress("subjects", index, len(names))
        page = out / f"sub-{name}" / FIGURES / PAGE
        try:
            fitted = _fit_subject(
                studies, out, name, config, (source, b1_source), settings, reporter, done=page.is_file()
            )
        except InputError as error:
            if len(names) == 1:
                raise
            failures.append(error)
            reporter.say(f"not fitted: {error}")
            continue
        if fitted is not None:
            # a full disk or a refused folder concerns all subjects: it ends the stage
            _write(out, *fitted)
            for flag in fitted[0].flags:
                reporter.say(f"sub-{name}: doubt these maps: {flag}")
            for note in fitted[0].notes:
                reporter.say(f"sub-{name}: {note}")
        pages.append(page)
    reporter.progress("subjects", len(names), len(names))
    if failures:
        raise InputError(
            f"{len(failures)} of {len(names)} subjects were not fitted, the others are complete; "
            f"the first: {failures[0]}"
        )
    return pages


def _settings(
    config: FitConfig, source: SpinLockSource, b1_source: B1Source, *, b1_from_network: bool
) -> dict[str, object]:
    """What tells the maps of one fit from those of another; refused where two options say what B1 is."""
    settings: dict[str, object] = {
        "fit": config,
        "echo_time_is_spin_lock_time": source.echo_time_is_spin_lock_time,
        **b1_source.settings,
    }
    named = {
        "--b1": b1_source.file is not None,
        "--b1-from-network": b1_from_network,
        "--assumed-b1": config.assumed_b1 is not None,
    }
    if len(both := [option for option, given in named.items() if given]) > 1:
        raise InputError(f"{' and '.join(both[:2])} both say what B1 is: leave one of them out")
    if b1_from_network:
        settings["b1_from_network"] = True
    return settings


def _fit_subject(
    studies: tuple[Path, Path],
    out: Path,
    name: str,
    config: FitConfig,
    sources: tuple[SpinLockSource, B1Source],
    settings: dict[str, object],
    reporter: Reporter,
    *,
    done: bool,
) -> tuple[Knee, Provenance, Mapping[str, object]] | None:
    """One fitted subject, what made it, and the sidecar of its B1; None where it is complete.

    Nothing is written. `studies` are that of the images and that of the reference.
    """
    (study, reference_study), (source, b1_source) = studies, sources
    notes: list[str] = []
    inputs = {f"sub-{name}": hash_scan(study, name, **source.options)}
    methods = find_series(study, name, **source.options, notes=[]).keys()
    found = find_b1(list(dict.fromkeys((reference_study, study))), name, methods, b1_source, notes)
    network = None
    if found is not None:
        inputs[INPUT.format(name)] = found.hash
    elif "b1_from_network" in settings:
        # torch is not imported for a fit that needs no network
        from rmqnet.pipeline.network_b1 import network_for

        network = network_for(study, name, source)
        inputs |= {} if network is None else network.inputs
    regions_key = REGIONS.format(name)
    inputs[regions_key] = regions_hash(reference_study, name)
    check_stage(out, make_provenance("fit", settings, inputs=inputs), renewed=[regions_key])
    if done:
        if read_provenance(out).inputs.get(regions_key, NO_REGIONS) == inputs[regions_key]:
            return None
        reporter.say(f"sub-{name}: its regions have changed: fitted again, with a new page")
    scan = load_scan(study, name, **source.options, notes=notes)
    try:
        given = _measured(config)
        if found is not None:
            given = _mapped(found, config)
        elif network is not None:
            given = _predicted(network, (study, name, source), scan, config, notes)
        # a map that the user names takes the place of the AFI pair
        images = scan if found is None else without(scan, "afi")
        maps = fit(images, config, b1=given.b1, notes=notes, progress=reporter.progress)
    except InputError as error:
        raise InputError(f"sub-{name} of {study}: {error}") from error
    knee = _knee(reference_study, scan, maps, config, given, notes)
    warnings = [f"sub-{name}: {text}" for text in (*knee.flags, *knee.notes)]
    provenance = make_provenance("fit", settings, inputs=inputs, warnings=warnings)
    return replace(knee, provenance=provenance), provenance, given.sidecar


def _knee(
    reference_study: Path, scan: Scan, maps: MapSet, config: FitConfig, given: _GivenB1, notes: list[str]
) -> Knee:
    """What the page of a fitted knee shows; what the checks say of its maps is appended to `notes`."""
    doubts, remarks = quality(scan, maps)
    notes += remarks
    regions, origin = drawn_regions(reference_study, scan.subject.name, maps.grid, notes)
    return Knee(
        scan,
        maps,
        f"Maps fitted voxel by voxel{given.words}",
        regions,
        origin,
        _models(scan, config),
        _assumed(config),
        notes,
        (*given.flags, *doubts),
        simulated=is_simulated(reference_study),
    )


def _measured(config: FitConfig) -> _GivenB1:
    """B1 that the fit finds itself, in AFI images."""
    return _GivenB1(None, {"EstimationAlgorithm": b1_algorithm(config)}, ", without a network.")


def _mapped(found: FoundB1, config: FitConfig) -> _GivenB1:
    """B1 of a map of the scanner or another program."""
    if config.assumed_b1 is not None:
        raise InputError(f"{found.path} says what B1 is, and --assumed-b1 too: leave out --assumed-b1")
    if config.b1_method == "exact":
        raise InputError(f"the exact B1 is that of AFI images, not of {found.path}: leave out --b1-method")
    b1 = found.load()
    sidecar: dict[str, object] = {"EstimationAlgorithm": b1.algorithm}
    return _GivenB1(b1, sidecar, f", without a network; B1 from {b1.origin}.")


def _predicted(
    network: "NetworkB1",
    who: tuple[Path, str, SpinLockSource],
    scan: Scan,
    config: FitConfig,
    notes: list[str],
) -> _GivenB1:
    """B1 of a network; what is to be known about it is appended to `notes`."""
    if config.b1_method == "exact":
        raise InputError("the exact B1 needs AFI images, which it has not: leave out --b1-method")
    study, name, source = who
    b1, flags, said = network.of(study, name, scan, source)
    notes += [network.words, *said]
    sidecar: dict[str, object] = {"EstimationAlgorithm": b1.algorithm, "PredictionFlags": list(flags)}
    return _GivenB1(b1, sidecar, "; B1 predicted by a network.", flags)


def _write(out: Path, knee: Knee, provenance: Provenance, b1_sidecar: Mapping[str, object]) -> None:
    subject = knee.scan.subject
    output = open_stage(out, provenance, renewed=[REGIONS.format(subject.name)])
    write_dataset_description(
        out, name="rmqnet fitted maps", derivative=True, readme="Quantity maps fitted by `rmqnet fit`."
    )
    # what a person needs to draw regions whose numbers are known here
    with atomic_files(out) as folder:
        write_label_tables(folder / "regions.nii.gz", SEGMENTED)
    if (out / f"sub-{subject.name}" / FIGURES / PAGE).is_file():
        withdraw(out / f"sub-{subject.name}")  # made with other regions
    with output.subject(subject.name) as folder:
        sidecar: dict[str, object] = {"EstimationAlgorithm": "Levenberg-Marquardt"}
        sidecar |= {"EstimationNotes": list(knee.notes), "Flags": list(knee.flags)}
        write_maps(folder, knee.maps, subject, desc=FITTED, sidecar=sidecar, b1_sidecar=b1_sidecar)
        write_knee_page(folder / FIGURES, knee)


def _models(scan: Scan, config: FitConfig) -> dict[Method, tuple[str, ...]]:
    """Names of the signal models that the voxels of each series were fitted by."""
    found: dict[Method, tuple[str, ...]] = {"vfa": (config.t1_model,)}
    for method in scan.series.keys() & CANDIDATES.keys():
        named = (config.t1rho_model or method,)
        found[method] = CANDIDATES[method] if config.t1rho_model == "best" else named
    return found


def _assumed(config: FitConfig) -> dict[str, float]:
    """Quantities that were taken as one value everywhere."""
    given = {"B1": config.assumed_b1, "T1": config.assumed_t1, "T2": config.assumed_t2}
    return {name: value for name, value in given.items() if value is not None}
