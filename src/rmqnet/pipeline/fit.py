"""Fits of a study: maps of every subject, with a page to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.io.bids import load_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.store import hash_file, make_provenance, open_stage
from rmqnet.pipeline.layout import FITTED, chosen_subjects
from rmqnet.pipeline.progress import Reporter
from rmqnet.report.fit_page import write_fit_report


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

    Subjects that are complete are not fitted again.
    """
    source = source or SpinLockSource()
    names = chosen_subjects(study, subjects)
    inputs = {"spin_lock_table": hash_file(source.spin_lock_table)} if source.spin_lock_table else {}
    settings = {"fit": config, "echo_time_is_spin_lock_time": source.echo_time_is_spin_lock_time}
    pages = []
    for index, name in enumerate(names):
        page = out / f"sub-{name}.html"
        pages.append(page)
        reporter.progress("subjects", index, len(names))
        if page.is_file() and (out / f"sub-{name}").is_dir():
            open_stage(out, make_provenance("fit", settings, inputs=inputs))
            continue
        notes: list[str] = []
        # read first: a study that can't be read leaves no output folder behind
        scan = load_scan(
            study,
            name,
            spin_lock_table=source.spin_lock_table,
            echo_time_is_spin_lock_time=source.echo_time_is_spin_lock_time,
            notes=notes,
        )
        maps = fit(scan, config, notes=notes, progress=reporter.progress)
        output = open_stage(out, make_provenance("fit", settings, inputs=inputs))
        write_dataset_description(
            out, name="rmqnet fitted maps", derivative=True, readme="Quantity maps fitted by `rmqnet fit`."
        )
        if not output.done(name):
            with output.subject(name) as folder:
                sidecar = {
                    "EstimationAlgorithm": "Levenberg-Marquardt",
                    "EstimationNotes": notes,
                    "Sources": [f"bids:raw:sub-{name}"],
                }
                write_maps(folder, maps, scan.subject, desc=FITTED, sidecar=sidecar)
        with output.file(page.name) as path:
            write_fit_report(path, scan, maps, notes)
        for note in notes:
            reporter.say(f"sub-{name}: {note}")
    reporter.progress("subjects", len(names), len(names))
    return pages
