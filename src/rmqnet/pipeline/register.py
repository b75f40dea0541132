"""Registration of a study: images in one place, the motions that were found, and a page per subject."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError, OutputError
from rmqnet.domain.maps import MapSet
from rmqnet.domain.provenance import Provenance
from rmqnet.domain.registration import Registered
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.io.b1_map import copy_b1_map
from rmqnet.io.bids import field_strengths, hash_scan, load_scan, load_subject, write_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.elastix_parameters import read_parameter_file
from rmqnet.io.participants import write_participants
from rmqnet.io.store import check_stage, hash_file, make_provenance, open_stage
from rmqnet.io.transforms import image_name, write_motion
from rmqnet.physics.signals import synthesize
from rmqnet.pipeline.b1_maps import INPUT, any_b1
from rmqnet.pipeline.layout import FIGURES, chosen_subjects, is_simulated
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.sources import B1Source, SpinLockSource
from rmqnet.register.config import RegisterConfig
from rmqnet.register.register import register
from rmqnet.report.register_page import write_register_report

README = (
    "Images brought into one place by `rmqnet register`. xfm/ holds the motion of each image: for each point of the "
    "fixed image, where it lies in the image as it was taken. What was not measured after a correction is NaN."
)


def register_study(
    study: Path,
    out: Path,
    config: RegisterConfig,
    reporter: Reporter,
    *,
    subjects: Sequence[str] = (),
    source: SpinLockSource | None = None,
    reference_study: Path | None = None,
) -> list[Path]:
    """Register the subjects of a BIDS study into `out`, another BIDS study; returns the page of each subject.

    Subjects that are complete are not registered again. One that can't be registered does not keep the others from it:
    it is named at the end. `reference_study` holds derivatives/truth where `study` does not.
    """
    source = source or SpinLockSource()
    studies = (study, reference_study or study)
    names = chosen_subjects(study, subjects)
    for path in config.parameter_files:
        read_parameter_file(path)  # refuses what elastix must not see
    files = {path.name: hash_file(path) for path in config.parameter_files}
    settings = {"register": config, "echo_time_is_spin_lock_time": source.echo_time_is_spin_lock_time}
    check_stage(out, make_provenance("register", settings, inputs=files))
    pages: list[Path] = []
    failures: list[InputError] = []
    for index, name in enumerate(names):
        reporter.progress("subjects", index, len(names))
        page = out / f"sub-{name}" / FIGURES / "register.html"
        try:
            inputs = {**files, f"sub-{name}": hash_scan(study, name, **source.options)}
            if (b1 := any_b1([study], name, B1Source())) is not None:
                inputs[INPUT.format(name)] = b1.hash
            check_stage(out, make_provenance("register", settings, inputs=inputs))
            if not page.is_file():
                _register_subject(studies, out, name, config, source, (settings, inputs), reporter)
        except OutputError:  # concerns all subjects
            raise
        except InputError as error:
            if len(names) == 1:
                raise
            failures.append(error)
            reporter.say(f"not registered: {error}")
            continue
        pages.append(page)
    reporter.progress("subjects", len(names), len(names))
    if failures:
        raise InputError(
            f"{len(failures)} of {len(names)} subjects were not registered, the others are complete; "
            f"the first: {failures[0]}"
        )
    return pages


def _register_subject(
    studies: tuple[Path, Path],
    out: Path,
    name: str,
    config: RegisterConfig,
    source: SpinLockSource,
    recorded: tuple[Mapping[str, object], Mapping[str, str]],
    reporter: Reporter,
) -> None:
    notes: list[str] = []
    study = studies[0]
    scan = load_scan(study, name, **source.options, notes=notes)
    try:
        registered = register(scan, config, model=model_without, progress=reporter.progress)
    except InputError as error:
        raise InputError(f"{study}: {error}") from error
    for volume in registered.volumes:
        if volume.outcome != "fixed":
            reporter.say(f"sub-{name}, {volume.unit.label}: {volume.sentence}")
            notes += [f"{volume.unit.label}: {volume.sentence}"] if volume.outcome == "not trusted" else []
    settings, inputs = recorded
    remarks = [f"sub-{name}: {note}" for note in notes]
    provenance = make_provenance("register", settings, inputs=inputs, warnings=remarks)
    fields = field_strengths(study, name, **source.options)
    _write(studies, out, registered, provenance, notes, fields)


def _write(
    studies: tuple[Path, Path],
    out: Path,
    registered: Registered,
    provenance: Provenance,
    notes: Sequence[str],
    fields: Mapping[Acquisition, float],
) -> None:
    study, reference_study = studies
    residuals = fit_residuals(registered)
    output = open_stage(out, provenance)
    simulated = is_simulated(reference_study)
    write_dataset_description(
        out, name="rmqnet registered images", derivative=True, readme=README, simulated=simulated
    )
    done = [path.name.removeprefix("sub-") for path in sorted(out.glob("sub-*"))]
    subject = registered.scan.subject
    people = {name: load_subject(study, name) for name in done if name != subject.name}
    people[subject.name] = subject
    write_participants(out / "participants.tsv", [people[name] for name in sorted(people)])
    with output.subject(subject.name) as folder:
        copy_b1_map(study, subject.name, folder)  # it lies where the image lies that did not move
        write_scan(folder, registered.scan, fields)  # a network refuses images of another field
        for volume in registered.volumes:
            series = registered.scan.series[volume.unit.method]
            for acquisition in volume.acquisitions:
                stem = image_name(subject.name, series, acquisition)
                sidecar = {
                    "Image": acquisition.label,
                    "FixedImage": registered.fixed,
                    "Outcome": volume.outcome,
                    "Verdict": volume.sentence,
                }
                path = folder / "xfm" / f"{stem}_xfm.nii.gz"
                write_motion(path, volume.motion, registered.grid, sidecar)
        write_register_report(folder / FIGURES, registered, residuals, notes, simulated=simulated)


def model_without(
    scan: Scan, method: Method, index: int, mask: NDArray[np.bool_]
) -> NDArray[np.float32] | None:
    """The image (z, y, x) that the signal model, fitted to the scan without this image, predicts for it in the mask.

    None where too few images are left, and for AFI, whose fat is not saturated as that of the others is.
    """
    series = scan.series[method]
    kept = [k for k in range(len(series.acquisitions)) if k != index]
    left = [series.acquisitions[k] for k in kept]
    if method == "afi" or len({(item.flip_angle, item.spin_lock_time) for item in left}) < 2:
        return None
    rest = ImageSeries(series.data[kept], tuple(left), series.grid)
    try:
        maps = _fit(Scan(scan.subject, {**scan.series, method: rest}), mask)
    except InputError:  # the fit lacks something: the model then has no say
        return None
    values = dict(maps.values)
    return synthesize([series.acquisitions[index]], values)[0]


def fit_residuals(registered: Registered) -> dict[Method, tuple[float, float]]:
    """Median over the joint of the fit's residual as part of the mean signal, before and after, by method."""
    pairs: dict[Method, tuple[float, float]] = {}
    try:
        both = [_fit(scan, registered.joint) for scan in (registered.before, registered.scan)]
    except InputError:  # a study that can't be fitted can be registered
        return pairs
    for method in registered.scan.series:
        if all(method in maps.residual for maps in both):
            scans = (registered.before, registered.scan)
            before, after = (
                _median_residual(maps.residual[method], scan.series[method].magnitudes, registered.joint)
                for maps, scan in zip(both, scans, strict=True)
            )
            pairs[method] = (before, after)
    return pairs


def _median_residual(
    residual: NDArray[np.float32], images: NDArray[np.float32], joint: NDArray[np.bool_]
) -> float:
    mean = images.mean(axis=0)
    known = joint & np.isfinite(residual) & (mean > 0)
    return float(np.median(residual[known] / mean[known])) if known.any() else float("nan")


def _fit(scan: Scan, mask: NDArray[np.bool_]) -> MapSet:
    """Maps in the mask; what was not measured is taken as usual, since only the misfit is looked at."""
    assumed_b1 = None if "afi" in scan.series else 1.0
    assumed_t1 = 1.0 if "adiabatic_t1rho" in scan.series and "vfa" not in scan.series else None
    if set(scan.series) == {"spin_lock"}:
        assumed_b1 = None
    config = FitConfig(remove_fat=False, assumed_b1=assumed_b1, assumed_t1=assumed_t1)
    # with few images left a standard deviation may be beyond any number; it is not looked at
    with np.errstate(over="ignore"):
        return fit(scan, config, mask=mask)
