"""From a folder of DICOM files to a BIDS study."""

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rmqnet.domain.acquisition import Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Side, Subject
from rmqnet.io.bids import write_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.dicom.identity import Remapper, age_and_sex, keep_uid
from rmqnet.io.dicom.pixels import PixelReader
from rmqnet.io.dicom.plan import ImportPlan, Knee, check_knees, plan_import
from rmqnet.io.dicom.settings_table import read_settings_table
from rmqnet.io.dicom.source import equipment, write_source
from rmqnet.io.layout import sidecar_path
from rmqnet.io.orientation import to_house
from rmqnet.io.participants import FILE, add_participants
from rmqnet.io.store import StageOutput, check_stage, hash_file, make_provenance, open_stage, read_provenance
from rmqnet.io.text import read_json, write_json
from rmqnet.pipeline.progress import Reporter

_BIDS_KEYS = {"ManufacturerModelName": "ManufacturersModelName"}
"""Where BIDS names an attribute otherwise than DICOM."""


@dataclass(frozen=True)
class ImportOptions:
    """What the user says about a folder of DICOM files."""

    subject: str | None = None
    """Name of the subject; None: the next free number."""
    side: Side | None = None
    """Side of the knee; None: as the headers tell it."""
    settings: Path | None = None
    """Table that fills in what the headers do not know."""
    spin_lock_tag: str | None = None
    """Tag that holds the spin-lock time [ms], like "0019,10AE"."""
    keep_identity: bool = False
    """Keep name, dates and UIDs."""


def find_dicom(folder: Path, options: ImportOptions, reporter: Reporter) -> ImportPlan:
    """What an import of the folder would write, and what it would leave out and why; nothing is written."""
    table = read_settings_table(options.settings)
    tag = None if options.spin_lock_tag is None else _parse_tag(options.spin_lock_tag)
    with warnings.catch_warnings():
        # pydicom warns of every value that is not quite as the standard wants it; what matters is in the plan
        warnings.filterwarnings("ignore", module=r"pydicom\.")
        return plan_import(folder, table, side=options.side, spin_lock_tag=tag, progress=reporter.progress)


def import_dicom(study: Path, plan: ImportPlan, options: ImportOptions, reporter: Reporter) -> list[str]:
    """Names of the subjects, written into the study; those that it has from the same files are left as they are."""
    check_knees(plan)
    settings = {"keep_identity": options.keep_identity}
    hashes = [_hash(knee) for knee in plan.knees]
    check_stage(study, make_provenance("import", settings))
    names = _names(study, plan.knees, hashes, options.subject)
    inputs = {f"sub-{name}": value for name, value in zip(names, hashes, strict=True)}
    remarks = [
        *(f"sub-{name}: {note}" for name, knee in zip(names, plan.knees, strict=True) for note in knee.notes),
        *plan.notes,
    ]
    people = _people(study, names, plan.knees, options)
    output = open_stage(study, make_provenance("import", settings, inputs=inputs, warnings=remarks))
    remap = keep_uid if options.keep_identity else Remapper()
    for index, (person, knee) in enumerate(zip(people, plan.knees, strict=True)):
        reporter.progress("writing", index, len(people))
        if not output.done(person.name):
            _write(output, person, knee, remap, options)
    reporter.progress("writing", len(people), len(people))
    add_participants(study / FILE, people)
    write_dataset_description(
        study, name="rmqnet import", derivative=False, readme="Images imported from DICOM by `rmqnet import`."
    )
    return names


def _write(output: StageOutput, person: Subject, knee: Knee, remap: Any, options: ImportOptions) -> None:
    with output.subject(person.name) as folder:
        paths = write_scan(folder, Scan(person, _series(knee)))
        images = {paths[item.acquisition]: item for item in knee.volumes}
        for path, item in images.items():
            sidecar = read_json(sidecar_path(path))
            scanner = {_BIDS_KEYS.get(key, key): text for key, text in equipment([item]).items()}
            if "MagneticFieldStrength" in scanner:
                sidecar["MagneticFieldStrength"] = float(scanner.pop("MagneticFieldStrength"))
            if item.source:
                sidecar["SpinLockTimeSource"] = item.source
            write_json(sidecar_path(path), {**sidecar, **scanner})
        write_source(folder, images, remap, keep_identity=options.keep_identity)


def _series(knee: Knee) -> dict[Method, ImageSeries]:
    """Images of a knee by method, in house order."""
    series: dict[Method, ImageSeries] = {}
    reader = PixelReader()
    methods: list[Method] = [item.acquisition.method for item in knee.volumes]
    for method in dict.fromkeys(methods):
        own = [item for item in knee.volumes if item.acquisition.method == method]
        moved = [to_house(reader.intensities(item.volume.frames), item.volume.affine) for item in own]
        data = np.stack([volume for volume, _ in moved])
        series[method] = ImageSeries(data, tuple(item.acquisition for item in own), moved[0][1])
    return series


def _hash(knee: Knee) -> str:
    """SHA-256 over the files of a knee and how they are read (64 hexadecimal digits)."""
    digest = hashlib.sha256(str(knee.side).encode())
    hashes = {frame.path: "" for item in knee.volumes for frame in item.volume.frames}
    hashes = {path: hash_file(path) for path in hashes}
    for item in knee.volumes:
        digest.update(str(item.acquisition).encode())
        for frame in item.volume.frames:
            digest.update(f"{hashes[frame.path]} {frame.header.frame}\n".encode())
    return digest.hexdigest()


def _names(study: Path, knees: Sequence[Knee], hashes: Sequence[str], wanted: str | None) -> list[str]:
    """Name of each knee: that of an earlier import of the same files, the user's, or the next free number."""
    earlier: dict[str, str] = {}
    taken: set[str] = set()
    if (study / "provenance.json").is_file():
        earlier = {value: name.removeprefix("sub-") for name, value in read_provenance(study).inputs.items()}
        taken = {path.name.removeprefix("sub-") for path in study.glob("sub-*")}
    visits = list(dict.fromkeys((knee.person, knee.visit) for knee in knees))
    if wanted is not None and len(visits) > 1:
        raise InputError(
            f"--subject {wanted}: the folder holds {len(visits)} people or visits: leave --subject out, or import "
            "them one by one"
        )
    bases: dict[tuple[int, int], str] = {}
    for visit in visits:
        bases[visit] = wanted or _next_free({*(name.rstrip("LR") for name in taken), *bases.values()})
    names: list[str] = []
    for knee, value in zip(knees, hashes, strict=True):
        visit = (knee.person, knee.visit)
        n_sides = sum((other.person, other.visit) == visit for other in knees)
        own = bases[visit] + (str(knee.side)[0].upper() if n_sides > 1 else "")
        name = earlier.get(value, own) if wanted is None else own
        if name in taken and earlier.get(value) != name:
            raise InputError(f"{study}: has a subject {name} from other files: choose another --subject")
        names.append(name)
    return names


def _next_free(taken: set[str]) -> str:
    number = 1
    while f"{number:03d}" in taken:
        number += 1
    return f"{number:03d}"


def _people(
    study: Path, names: Sequence[str], knees: Sequence[Knee], options: ImportOptions
) -> list[Subject]:
    people: list[Subject] = []
    for name, knee in zip(names, knees, strict=True):
        header = knee.volumes[0].volume.frames[0].header
        age, sex = age_and_sex(header) if options.keep_identity else (None, None)
        several = [other for other, own in zip(names, knees, strict=True) if own.person == knee.person]
        person = f"P{several[0].rstrip('LR')}" if len(several) > 1 else None
        if knee.side is None:  # refused before, said again for the type
            raise InputError(f"{study}: the side of sub-{name} is not known: add --side")
        people.append(Subject(name, knee.side, age=age, sex=sex, person=person))
    return people


def _parse_tag(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"\(?\s*([0-9a-fA-F]{4})\s*,?\s*([0-9a-fA-F]{4})\s*\)?", text)
    if match is None:
        raise InputError(f"--spin-lock-tag must be like 0019,10AE, got {text!r}")
    return int(match[1], 16), int(match[2], 16)
