"""Fits of a study: maps of every subject, with a page to look at."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.store import check_stage, make_provenance, open_stage
from rmqnet.pipeline.layout import FITTED, chosen_subjects, truth_folder
from rmqnet.pipeline.progress import Reporter
from rmqnet.report.fit_page import write_fit_report

FIGURES = "figures"
"""Folder of the page and pictures inside the folder of a subject."""


@dataclass(frozen=True)
class SpinLockSource:
    """Where spin-lock times stand when the sidecars have no SpinLockTime."""

    spin_lock_table: Path | None = None
    """Tab-separated table with the columns file and spin_lock_time [s]."""
    echo_time_is_spin_lock_time: bool = False
    """Take EchoTime for the spin-lock time, as GE CubeQuant series need it."""


def fit_study(
    study: Path,
    out: Path,
    config: FitConfig,
    reporter: Reporter,
    *,
    subjects: Sequence[str] = (),
    source: SpinLockSource | None = None,
) -> list[Path]:
    """Fit the subjects of a BIDS study into `out`; returns the page of each subject.

    Subjects that are complete are not fitted again. One that can't be fitted does not keep the others from it: it is
    named at the end.
    """
    source = source or SpinLockSource()
    names = chosen_subjects(study, subjects)
    pages: list[Path] = []
    failures: list[InputError] = []
    for index, name in enumerate(names):
        reporter.progress("subjects", index, len(names))
        try:
            pages.append(_fit_subject(study, out, name, config, source, reporter))
        except InputError as error:
            if len(names) == 1:
                raise
            failures.append(error)
            reporter.say(f"not fitted: {error}")
    reporter.progress("subjects", len(names), len(names))
    if failures:
        raise InputError(
            f"{len(failures)} of {len(names)} subjects were not fitted, the others are complete; "
            f"the first: {failures[0]}"
        )
    return pages


def _fit_subject(
    study: Path, out: Path, name: str, config: FitConfig, source: SpinLockSource, reporter: Reporter
) -> Path:
    """Page of one subject; nothing is done where its maps and page are complete."""
    settings = {"fit": config, "echo_time_is_spin_lock_time": source.echo_time_is_spin_lock_time}
    notes: list[str] = []
    options = dataclasses.asdict(source)
    inputs = {f"sub-{name}": hash_scan(study, name, **options)}
    provenance = make_provenance("fit", settings, inputs=inputs)
    check_stage(out, provenance)
    page = out / f"sub-{name}" / FIGURES / "fit.html"
    if page.is_file():
        return page
    # read and fit first: a study that can't be fitted leaves no output folder behind
    scan = load_scan(study, name, **options, notes=notes)
    try:
        maps = fit(scan, config, notes=notes, progress=reporter.progress)
    except InputError as error:
        raise InputError(f"sub-{name} of {study}: {error}") from error
    remarks = [f"sub-{name}: {note}" for note in notes]
    output = open_stage(out, make_provenance("fit", settings, inputs=inputs, warnings=remarks))
    write_dataset_description(
        out, name="rmqnet fitted maps", derivative=True, readme="Quantity maps fitted by `rmqnet fit`."
    )
    with output.subject(name) as folder:
        sidecar = {"EstimationAlgorithm": "Levenberg-Marquardt", "EstimationNotes": notes}
        write_maps(folder, maps, scan.subject, desc=FITTED, sidecar=sidecar)
        write_fit_report(
            folder / FIGURES, scan, maps, scan.subject, notes, simulated=truth_folder(study).is_dir()
        )
    for remark in remarks:
        reporter.say(remark)
    return page
