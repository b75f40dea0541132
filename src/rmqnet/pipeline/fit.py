"""Fits of a study: maps of every subject, with a page to look at."""

from collections.abc import Sequence
from pathlib import Path

from rmqnet.domain.acquisition import Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.provenance import Provenance
from rmqnet.domain.scan import Scan
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.fit.choice import CANDIDATES
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.io.atomic import atomic_files
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.label_tables import write_label_tables
from rmqnet.io.store import check_stage, make_provenance, open_stage
from rmqnet.pipeline.flags import quality
from rmqnet.pipeline.layout import FIGURES, FITTED, chosen_subjects, is_simulated
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.references import drawn_regions
from rmqnet.pipeline.sources import SpinLockSource
from rmqnet.report.knee import Knee
from rmqnet.report.knee_page import PAGE, write_knee_page

B1_ALGORITHM = "RMQ-Net, smoothed"
"""How predicted B1 was made, for its sidecar."""


def fit_study(
    study: Path,
    out: Path,
    config: FitConfig,
    reporter: Reporter,
    *,
    subjects: Sequence[str] = (),
    source: SpinLockSource | None = None,
    b1_from_network: bool = False,
    reference_study: Path | None = None,
) -> list[Path]:
    """Fit the subjects of a BIDS study into `out`; returns the page of each subject.

    Subjects that are complete are not fitted again. One that can't be fitted does not keep the others from it: it is
    named at the end. With `b1_from_network` a shipped network predicts B1 where a subject has no AFI images
    (`rmqnet.pipeline.network_b1`).
    `reference_study` holds derivatives/reference and derivatives/truth where `study` does not.
    """
    source = source or SpinLockSource()
    studies = (study, reference_study or study)
    names = chosen_subjects(study, subjects)
    settings: dict[str, object] = {
        "fit": config,
        "echo_time_is_spin_lock_time": source.echo_time_is_spin_lock_time,
    }
    if b1_from_network:
        if config.assumed_b1 is not None:
            raise InputError("--b1-from-network and --assumed-b1 both say what B1 is: leave one of them out")
        settings["b1_from_network"] = True
    check_stage(out, make_provenance("fit", settings))
    pages: list[Path] = []
    failures: list[InputError] = []
    for index, name in enumerate(names):
        reporter.progress("subjects", index, len(names))
        page = out / f"sub-{name}" / FIGURES / PAGE
        try:
            fitted = _fit_subject(studies, out, name, config, source, settings, reporter, done=page.is_file())
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


def _fit_subject(
    studies: tuple[Path, Path],
    out: Path,
    name: str,
    config: FitConfig,
    source: SpinLockSource,
    settings: dict[str, object],
    reporter: Reporter,
    *,
    done: bool,
) -> tuple[Knee, Provenance, Sequence[str] | None] | None:
    """One fitted subject, what made it, and flags of its B1 where that was predicted; None where it is complete.

    Nothing is written. `studies` are that of the images and that of the reference.
    """
    (study, reference_study), options = studies, source.options
    notes: list[str] = []
    inputs = {f"sub-{name}": hash_scan(study, name, **options)}
    network = None
    if "b1_from_network" in settings:
        # torch is not imported for a fit that needs no network
        from rmqnet.pipeline.network_b1 import network_for

        network = network_for(study, name, source)
        inputs |= {} if network is None else network.inputs
    check_stage(out, make_provenance("fit", settings, inputs=inputs))
    if done:
        return None
    scan = load_scan(study, name, **options, notes=notes)
    try:
        b1, flags = None, ()
        if network is not None:
            if config.b1_method == "exact":
                raise InputError("the exact B1 needs AFI images, which it has not: leave out --b1-method")
            b1, flags, said = network.of(study, name, scan, source)
            notes += [network.words, *said]
        maps = fit(scan, config, b1=b1, notes=notes, progress=reporter.progress)
    except InputError as error:
        raise InputError(f"sub-{name} of {study}: {error}") from error
    doubts, remarks = quality(scan, maps)
    predicted_flags, flags = flags, (*flags, *doubts)
    notes += remarks
    regions, origin = drawn_regions(reference_study, name, maps.grid, notes)
    warnings = [f"sub-{name}: {text}" for text in (*flags, *notes)]
    provenance = make_provenance("fit", settings, inputs=inputs, warnings=warnings)
    knee = Knee(
        scan,
        maps,
        "Maps fitted voxel by voxel"
        + (", without a network." if network is None else "; B1 predicted by a network."),
        regions,
        origin,
        _models(scan, config),
        _assumed(config),
        notes,
        flags,
        simulated=is_simulated(reference_study),
        provenance=provenance,
    )
    return knee, provenance, None if network is None else predicted_flags


def _write(out: Path, knee: Knee, provenance: Provenance, b1_flags: Sequence[str] | None) -> None:
    output = open_stage(out, provenance)
    write_dataset_description(
        out, name="rmqnet fitted maps", derivative=True, readme="Quantity maps fitted by `rmqnet fit`."
    )
    # what a person needs to draw regions whose numbers are known here
    with atomic_files(out) as folder:
        write_label_tables(folder / "regions.nii.gz", SEGMENTED)
    subject = knee.scan.subject
    with output.subject(subject.name) as folder:
        sidecar: dict[str, object] = {"EstimationAlgorithm": "Levenberg-Marquardt"}
        sidecar |= {"EstimationNotes": list(knee.notes), "Flags": list(knee.flags)}
        b1 = None
        if b1_flags is not None:
            b1 = {"EstimationAlgorithm": B1_ALGORITHM, "PredictionFlags": list(b1_flags)}
        write_maps(folder, knee.maps, subject, desc=FITTED, sidecar=sidecar, b1_sidecar=b1)
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
