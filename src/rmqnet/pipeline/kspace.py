"""Studies as k-space: simulated ones on disk, and images of any."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqnet.domain.acquisition import METHODS, Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.kspace import KSpace
from rmqnet.domain.scan import Scan
from rmqnet.domain.subject import Side, Subject
from rmqnet.io.b1_map import copy_b1_map
from rmqnet.io.bids import load_subject, write_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.kspace_file import ENDINGS, Format, KSpaceFile, method_of, open_groups, write_kspace
from rmqnet.io.kspace_stated import Stated
from rmqnet.io.layout import subject_folder
from rmqnet.io.participants import FILE, load_participants, write_participants
from rmqnet.io.store import check_stage, hash_file, make_provenance, open_stage
from rmqnet.pipeline.layout import RAW, TRUTH, chosen_subjects, truth_folder
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.simulate import READMES, labelled, write_truth
from rmqnet.reconstruct.config import ReconstructConfig
from rmqnet.reconstruct.reconstruct import reconstruct
from rmqnet.simulate.cohort import plan_cohort
from rmqnet.simulate.config import KSpaceConfig, SimulateConfig
from rmqnet.simulate.kspace import SimulatedKSpace, check_settings, simulate_kspace, trajectories

SUFFIXES: dict[Method, str] = {
    "vfa": "VFA",
    "adiabatic_t1rho": "T1rhow",
    "spin_lock": "T1rhow",
    "afi": "TB1AFI",
}
"""Suffix of the images of a method, which also names its file of k-space."""


def simulate_kspace_study(
    root: Path, config: SimulateConfig, kspace: KSpaceConfig, fmt: Format, reporter: Reporter
) -> None:
    """Write a study as k-space, with its truth, into `root`; subjects that are complete are not made again."""
    # what can't be scanned shows before anything is written
    check_settings(config)
    trajectories(centered_grid(config.shape, config.voxel_size), kspace, config.afi_matrix_factor)
    subjects = plan_cohort(config)
    settings = {"simulate": config, "kspace": kspace, "format": fmt}
    raw = open_stage(root, make_provenance("simulate", settings, config.seed))
    truth = open_stage(truth_folder(root), make_provenance(TRUTH, labelled(settings), config.seed))
    for output, name in ((raw, RAW), (truth, TRUTH)):
        title = "rmqnet simulated k-space" + ("" if name == "raw" else f", {name}")
        write_dataset_description(
            output.root, name=title, derivative=name != "raw", readme=READMES[name], simulated=True
        )
    write_participants(root / "participants.tsv", subjects)
    for index, subject in enumerate(subjects):
        reporter.progress("simulating", index, len(subjects))
        if raw.done(subject.name) and truth.done(subject.name):
            continue
        simulated = simulate_kspace(config, kspace, index)
        if not truth.done(subject.name):
            with truth.subject(subject.name) as folder:
                write_truth(folder, simulated)
        if not raw.done(subject.name):
            with raw.subject(subject.name) as folder:
                _write_raw(folder / RAW, simulated, fmt, reporter)
    reporter.progress("simulating", len(subjects), len(subjects))


def _write_raw(folder: Path, simulated: SimulatedKSpace, fmt: Format, reporter: Reporter) -> None:
    folder.mkdir()
    name = simulated.subject.name
    every = simulated.acquisitions
    done = 0
    methods: list[Method] = [item.method for item in every]
    for method in dict.fromkeys(methods):
        own = [item for item in every if item.method == method]

        def contrasts(wanted: Sequence = own, before: int = done) -> Iterator[KSpace]:
            for index, acquisition in enumerate(wanted):
                reporter.progress(f"k-space of sub-{name}", before + index, len(every))
                yield simulated.contrast(acquisition)

        path = folder / f"sub-{name}_acq-{SUFFIXES[method]}_kspace{ENDINGS[fmt]}"
        write_kspace(path, contrasts(), len(own), fmt)
        done += len(own)
    reporter.progress(f"k-space of sub-{name}", len(every), len(every))


@dataclass(frozen=True)
class SingleFile:
    """Whose k-space a single file holds."""

    subject: str
    """Label of the person, without "sub-"."""
    side: Side


def reconstruct_study(
    source: Path,
    out: Path,
    config: ReconstructConfig,
    reporter: Reporter,
    *,
    subjects: Sequence[str] = (),
    single: SingleFile | None = None,
    stated: Stated = Stated(),  # noqa: B008  # frozen
) -> list[Path]:
    """Make images of the k-space of a study (sub-X/raw) or of one file; returns the folder of each subject.

    Subjects that are complete are not made again. One that can't be made does not keep the others from it: it is
    named at the end. `stated` is what the user says about files that lack it; what is said of one file in it needs
    `single`.
    """
    if single is None and stated.of_one_file:
        raise InputError(
            f"{source}: {', '.join(stated.of_one_file)}: for a single file only, since the files of a study "
            "differ: give the file with --subject and --side, or write the settings into the files"
        )
    scans = _scans(source, subjects, single)
    settings = {"reconstruct": config, "stated": stated}
    check_stage(out, make_provenance("reconstruct", settings))
    folders: list[Path] = []
    failures: list[InputError] = []
    for index, (subject, paths) in enumerate(scans):
        reporter.progress("subjects", index, len(scans))
        try:
            _reconstruct_subject(subject, paths, out, config, settings, stated, reporter)
        except InputError as error:
            if len(scans) == 1:
                raise
            failures.append(error)
            reporter.say(f"no images: {error}")
            continue
        folders.append(out / f"sub-{subject.name}")
    reporter.progress("subjects", len(scans), len(scans))
    if failures:
        raise InputError(
            f"{len(failures)} of {len(scans)} subjects have no images, the others are complete; "
            f"the first: {failures[0]}"
        )
    return folders


def _scans(
    source: Path, subjects: Sequence[str], single: SingleFile | None
) -> list[tuple[Subject, list[Path]]]:
    """The subjects and their files."""
    if source.is_file():
        if single is None:
            raise InputError(f"{source}: a single file does not say whose it is: give --subject and --side")
        return [(Subject(single.subject, single.side), [source])]
    if single is not None:
        raise InputError(f"{source}: --subject and --side are for a single file: a study has its own")
    result = []
    for name in chosen_subjects(source, subjects):
        folder = subject_folder(source, name) / RAW
        paths = sorted(path for path in folder.glob("*") if path.suffix in ENDINGS.values())
        if not paths:
            raise InputError(
                f"{folder}: has no k-space ({', '.join(ENDINGS.values())}): see docs/how-to/from-k-space.md"
            )
        result.append((load_subject(source, name), paths))
    return result


def _reconstruct_subject(
    subject: Subject,
    paths: Sequence[Path],
    out: Path,
    config: ReconstructConfig,
    settings: dict[str, object],
    stated: Stated,
    reporter: Reporter,
) -> None:
    opened = _opened(paths, stated)
    files = _in_order(opened)
    inputs = {f"sub-{subject.name}/{path.name}": hash_file(path) for path in paths}
    check_stage(out, make_provenance("reconstruct", settings, inputs=inputs))
    if (out / f"sub-{subject.name}").is_dir():
        return
    total = sum(len(file.acquisitions) for file in files)
    done: list[str] = []
    notes = [f"{file.path.name}: {note}" for file in opened for note in file.notes]

    def count(label: str) -> None:
        done.append(label)
        reporter.progress(f"images of sub-{subject.name}", len(done), total, label)

    last = files[0]

    def contrasts() -> Iterator[KSpace]:
        nonlocal last
        for last in files:
            for index in range(len(last.acquisitions)):
                yield last.load(index)

    try:
        images = reconstruct(contrasts(), config, notes=notes, progress=count)
    except InputError as error:
        text = str(error)
        raise error if text.startswith(str(last.path)) else InputError(f"{last.path}: {text}") from error
    for note in notes:
        reporter.say(f"sub-{subject.name}: {note}")
    remarks = [f"sub-{subject.name}: {note}" for note in notes]
    output = open_stage(out, make_provenance("reconstruct", settings, inputs=inputs, warnings=remarks))
    write_dataset_description(
        out, name="rmqnet images", derivative=False, readme="Images made of k-space by `rmqnet reconstruct`."
    )
    _add_participant(out, subject)
    with output.subject(subject.name) as folder:
        write_scan(folder, Scan(subject, images))
        if (raw := paths[0].absolute().parent).name == RAW:
            copy_b1_map(
                raw.parents[1], subject.name, folder
            )  # a map of the scanner may lie beside its k-space


def _opened(paths: Sequence[Path], stated: Stated) -> list[KSpaceFile]:
    """All series of the files; an InputError names every file that can't be read."""
    found, wrong = [], []
    for path in paths:
        try:
            found += open_groups(path, stated)
        except InputError as error:
            wrong.append(error)
    if len(wrong) > 1:
        raise InputError(f"{len(wrong)} files can't be used. " + " ".join(map(str, wrong))) from wrong[0]
    if wrong:
        raise wrong[0]
    return found


def _in_order(files: Sequence[KSpaceFile]) -> list[KSpaceFile]:
    """Files with the VFA images first, whose signal tells the coils best; each method in one file, each image once."""
    by_method: dict[Method, KSpaceFile] = {}
    seen: list[tuple[KSpaceFile, Acquisition]] = []
    for file in files:
        method = method_of(file)
        first = by_method.setdefault(method, file)
        if first.path != file.path:
            raise InputError(f"{file.path}: holds {method} images as {first.path.name} does: keep one")
        for acquisition in file.acquisitions:
            twin = next((other for other, own in seen if own == acquisition), None)
            if twin is not None:
                where = f"groups {twin.group} and {file.group}: name one with --group, or"
                raise InputError(
                    f"{file.path}: {acquisition.label} comes twice"
                    f"{': ' if twin is file else f', in its {where} '}correct the settings of the contrasts"
                )
            seen.append((file, acquisition))
    return sorted(files, key=lambda file: METHODS.index(method_of(file)))


def _add_participant(out: Path, subject: Subject) -> None:
    """Write the table of the people whose images are there, this one among them."""
    people = dict(load_participants(out)) if (out / FILE).is_file() else {}
    write_participants(out / FILE, [*{**people, subject.name: subject}.values()])
