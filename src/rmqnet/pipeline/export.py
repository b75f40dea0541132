"""Maps and regions of a study as DICOM objects."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rmqnet import __version__
from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import MapSet
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.subject import Subject
from rmqnet.io.bids import load_subject
from rmqnet.io.bids_labels import load_segmentation
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.dicom.measurement_report import Results, make_measurement_report
from rmqnet.io.dicom.parametric_map import make_parametric_map
from rmqnet.io.dicom.result import Context, Origin, make_context
from rmqnet.io.dicom.segmentation import make_segmentation, present_tissues
from rmqnet.io.dicom.source import read_source
from rmqnet.io.dicom.stack import FrameStack
from rmqnet.io.layout import check_folder, find_images, parse_name, subject_folder
from rmqnet.io.participants import FILE
from rmqnet.io.series import find_series
from rmqnet.io.store import (
    PROVENANCE,
    check_stage,
    hash_file,
    hash_folder,
    make_provenance,
    open_stage,
    read_provenance,
)
from rmqnet.pipeline.layout import chosen_subjects, is_simulated, reference_folder
from rmqnet.pipeline.progress import Reporter

FIRST_SERIES = 9001
"""Series number of the first object: behind those of scanners (default)."""


@dataclass(frozen=True, eq=False)
class _Part:
    """Maps or regions of a subject on disk, and what made them."""

    root: Path
    desc: str
    origin: Origin


def export_study(
    study: Path,
    maps: Path,
    out: Path,
    reporter: Reporter,
    *,
    regions: Path | None = None,
    subjects: Sequence[str] = (),
) -> list[Path]:
    """Folders of DICOM objects, one per subject: a Parametric Map per quantity, Segmentation and report.

    Args:
        study: the study; where it was imported from DICOM, the objects belong to its DICOM study.
        maps: folder made by `fit` or `predict`.
        out: new folder, or one of an interrupted export.
        reporter: told what is left out.
        regions: folder with regions; None: those in `maps`, else the reference of the study.
        subjects: names; all subjects that have maps where none is given.
    """
    names = chosen_subjects(maps, subjects)
    chosen_subjects(study, names)
    folders: list[Path] = []
    for index, name in enumerate(names):
        reporter.progress("exporting", index, len(names))
        part, region_part = _part(maps, name), _region_part(study, maps, regions, name)
        parts = [one for one in (part, region_part) if one is not None]
        inputs = {f"sub-{name} of {one.root.name}": hash_folder(one.root / f"sub-{name}") for one in parts}
        settings = {"maps": part.desc, "regions": region_part.desc if region_part else None}
        provenance = make_provenance("export", settings, inputs=inputs)
        check_stage(out, provenance)
        folders.append(out / f"sub-{name}")
        if folders[-1].is_dir():
            continue
        objects = _objects(study, name, part, region_part, reporter)
        with open_stage(out, provenance).subject(name) as folder:
            for kind, made in objects.items():
                made.save_as(folder / f"sub-{name}_{kind}.dcm")
    reporter.progress("exporting", len(names), len(names))
    return folders


def _objects(
    study: Path, name: str, part: _Part, region_part: _Part | None, reporter: Reporter
) -> dict[str, Any]:
    """DICOM objects of one subject by the last part of their file name."""
    maps = load_maps(part.root / f"sub-{name}", desc=part.desc)
    person, context = _place(study, name, maps, reporter)
    made = {
        quantity: make_parametric_map(quantity, values, context, part.origin, FIRST_SERIES + index)
        for index, (quantity, values) in enumerate(maps.values.items())
    }
    objects: dict[str, Any] = {QUANTITIES[quantity].bids_suffix: item for quantity, item in made.items()}
    if region_part is None:
        reporter.say(
            f"sub-{name}: has no regions: no Segmentation and no report (--regions FOLDER gives them)."
        )
        return objects
    notes: list[str] = []
    segmentation = load_segmentation(
        region_part.root / f"sub-{name}", desc=region_part.desc, grid=maps.grid, notes=notes
    )
    for note in notes:
        reporter.say(f"sub-{name}: {note}")
    number = FIRST_SERIES + len(made)
    seg = make_segmentation(segmentation, person.side, context, region_part.origin, number)
    results = Results(
        maps,
        segmentation,
        present_tissues(segmentation),
        made,
        seg,
        person.side,
        part.origin,
        region_part.origin,
    )
    return {**objects, "regions": seg, "report": make_measurement_report(results, context, number + 1)}


def _place(study: Path, name: str, maps: MapSet, reporter: Reporter) -> tuple[Subject, Context]:
    folder = subject_folder(study, name)
    images = (
        []
        if (study / FILE).is_file()
        else [image for series in find_series(study, name, notes=[]).values() for image in series]
    )
    person = load_subject(study, name, images)
    source = read_source(folder)
    if source is None:
        reporter.say(
            f"sub-{name}: was not imported from DICOM: the objects make a study of their own and refer to no images."
        )
    stack = FrameStack(maps.grid, from_dicom=source is not None)
    return person, make_context(
        person,
        source,
        stack,
        study=study.resolve().name,
        images=_hash_images(folder),
        simulated=is_simulated(study),
    )


def _hash_images(folder: Path) -> str:
    """SHA-256 of the images of a subject: it stays the same where a sidecar is corrected."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.nii*")):
        digest.update(f"{path.relative_to(folder).as_posix()} {hash_file(path)}\n".encode())
    return digest.hexdigest()


def _part(root: Path, name: str) -> _Part:
    folder = subject_folder(root, name)
    found = {
        parse_name(path).entities.get("desc", "")
        for quantity in QUANTITIES.values()
        for path in find_images(folder, quantity.bids_folder, quantity.bids_suffix)
    }
    return _Part(root, _only(folder, found, "map"), _origin(root, folder))


def _region_part(study: Path, maps: Path, regions: Path | None, name: str) -> _Part | None:
    """Where the regions of a subject are: as given, else beside the maps, else in the reference of the study."""
    if regions is not None:
        check_folder(regions)
    for root in (regions,) if regions is not None else (maps, reference_folder(study)):
        folder = root / f"sub-{name}"
        found = {parse_name(path).entities.get("desc", "") for path in find_images(folder, "anat", "dseg")}
        found.discard("reader2")  # a second reader is for comparison
        if found:
            return _Part(root, _only(folder, found, "segmentation"), _origin(root, folder))
    if regions is not None:
        raise InputError(f"{regions}: has no segmentation sub-{name}/anat/*_desc-*_dseg.nii.gz: add it")
    return None


def _only(folder: Path, found: set[str], what: str) -> str:
    if not found:
        raise InputError(
            f"{folder}: holds no {what}: give the folder made by `rmqnet fit` or `rmqnet predict`"
        )
    if len(found) != 1 or "" in found:
        listed = ", ".join(f"desc-{desc}" for desc in sorted(found))
        raise InputError(
            f"{folder}: must hold each {what} once, with one desc-<label> in all names, found {listed}"
        )
    return found.pop()


def _origin(root: Path, folder: Path) -> Origin:
    """What made the files of a subject, by the provenance of their root, and when."""
    seconds = max((path.stat().st_mtime for path in folder.rglob("*.nii*")), default=0.0)
    made = datetime.fromtimestamp(int(seconds))  # DICOM writes the time of the place
    if not (root / PROVENANCE).is_file():
        return Origin("", __version__, made)
    provenance = read_provenance(root)
    config = provenance.config if isinstance(provenance.config, dict) else {}
    settings = f"config {provenance.config_hash}"
    if provenance.stage == "predict":
        settings = f"input set {config.get('input_set')}"
    return Origin(provenance.stage, provenance.version, made, provenance.inputs.get("checkpoint"), settings)
