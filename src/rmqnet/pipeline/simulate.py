"""A simulated study on disk: images, truth and reference of every subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Side, Subject
from rmqnet.fit.b1_map import b1_algorithm
from rmqnet.fit.config import FitConfig
from rmqnet.fit.fit import fit
from rmqnet.io.bids import write_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.bids_labels import write_fraction, write_segmentation
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.label_map import read_label_map
from rmqnet.io.participants import write_participants
from rmqnet.io.store import StageOutput, check_stage, hash_file, make_provenance, open_stage
from rmqnet.io.transforms import image_name, write_motion
from rmqnet.pipeline.layout import REFERENCE, SECOND_READER, TRUTH, reference_folder, truth_folder
from rmqnet.pipeline.progress import Reporter
from rmqnet.simulate.cohort import plan_cohort, usual_age
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.from_labels import simulate_labels
from rmqnet.simulate.kspace import SimulatedKSpace
from rmqnet.simulate.label_map import LABEL_NAMES, LabelMapError, make_label_map, side_of
from rmqnet.simulate.rasterize import LABEL_RULE
from rmqnet.simulate.reader import draw_regions, regions_by_rule
from rmqnet.simulate.simulate import simulate_subject
from rmqnet.simulate.simulated import Simulated

_SECOND_READER = 2
"""Last word of the seed of the second reader."""

READMES = {
    "raw": "Simulated knees: no person was scanned. Made by `rmqnet simulate`; the settings stand in provenance.json.",
    TRUTH: "What was simulated: the maps and labels behind the images of the study, without noise. In a voxel of "
    "several tissues the value is that of cartilage or meniscus where they fill half of it or more, else that of the "
    "tissue that fills most of it.",
    REFERENCE: "Reference maps, fitted from all images of the study with their noise (as in the paper), and the "
    "regions of a reader who makes no error (desc-reference): true tissues, without voxels that are less than 0.6 "
    "cartilage or more than a tenth fluid. A second reader, whose contours err as a person's do, drew desc-reader2. "
    "Your own regions can stand in either place.",
}


@dataclass(frozen=True)
class OwnAnatomy:
    """A knee that somebody segmented."""

    labels: Path
    """Label map (NIfTI) of any grid and orientation."""
    table: Path
    """Table of its labels, columns index and name."""
    side: Side | None = None
    """Side of the knee; None: as the labels tell it."""
    kl_grade: int = 0
    """Kellgren-Lawrence grade whose tissue values the knee gets."""


def simulate_study(root: Path, config: SimulateConfig, reporter: Reporter) -> None:
    """Write the study into `root`; subjects that are complete are not made again."""
    subjects = plan_cohort(config)
    outputs = _open(root, config, config.seed, subjects, {})
    for index, subject in enumerate(subjects):
        reporter.progress("simulating", index, len(subjects))
        if not outputs.done(subject.name):
            _write_subject(simulate_subject(config, index), outputs, [config.seed, index])
    reporter.progress("simulating", len(subjects), len(subjects))


def simulate_own_anatomy(root: Path, own: OwnAnatomy, config: SimulateConfig, reporter: Reporter) -> None:
    """Write the study of one knee, sub-001, that somebody segmented; its seed draws what the labels don't tell."""
    values, names, grid = read_label_map(own.labels, own.table, LABEL_NAMES)
    inputs = {"labels": hash_file(own.labels), "label_map": hash_file(own.table)}
    try:
        label_map = make_label_map(values, names, grid)
        subject = Subject(
            "001", side_of(label_map, own.side), age=usual_age(own.kl_grade), kl_grade=own.kl_grade
        )
        recorded = {
            "simulate": replace(config, n_subjects=1),
            "side": subject.side,
            "kl_grade": own.kl_grade,
        }
        check_stage(root, make_provenance("simulate", recorded, config.seed, inputs))
        reporter.progress("simulating", 0, 1)
        folders = (root, truth_folder(root), reference_folder(root))
        if not all((folder / f"sub-{subject.name}").is_dir() for folder in folders):
            # what can be wrong with the map shows before anything is written
            simulated = simulate_labels(label_map, subject, config)
            outputs = _open(root, recorded, config.seed, (subject,), inputs)
            _write_subject(simulated, outputs, [config.seed, 0])
    except LabelMapError as error:
        raise InputError(f"{own.labels}: {error}") from error
    reporter.progress("simulating", 1, 1)


@dataclass(frozen=True)
class _Outputs:
    """The three folders of a study."""

    raw: StageOutput
    truth: StageOutput
    reference: StageOutput

    def done(self, subject: str) -> bool:
        return all(output.done(subject) for output in (self.raw, self.truth, self.reference))


def _open(
    root: Path, config: object, seed: int, subjects: Sequence[Subject], inputs: Mapping[str, str]
) -> _Outputs:
    raw = open_stage(root, make_provenance("simulate", config, seed, inputs))
    truth = open_stage(truth_folder(root), make_provenance(TRUTH, labelled(config), seed, inputs))
    fitted = {**labelled(config), "fit": FitConfig()}
    reference = open_stage(reference_folder(root), make_provenance(REFERENCE, fitted, seed, inputs))
    for output, name in ((raw, "raw"), (truth, TRUTH), (reference, REFERENCE)):
        title = "rmqnet simulated knees" + ("" if name == "raw" else f", {name}")
        write_dataset_description(
            output.root, name=title, derivative=name != "raw", readme=READMES[name], simulated=True
        )
    write_participants(root / "participants.tsv", subjects)
    return _Outputs(raw, truth, reference)


def labelled(settings: object) -> dict[str, object]:
    """What tells the truth and the reference of these settings from those of another rule of the labels."""
    return {"simulate": settings, "labels": LABEL_RULE}


def write_truth(folder: Path, simulated: Simulated | SimulatedKSpace) -> None:
    """Write what was simulated into the folder of its subject."""
    subject, labels = simulated.subject, simulated.labels
    write_maps(folder, simulated.truth, subject, desc=TRUTH, sidecar={"SignalToNoiseRatio": simulated.snr})
    write_segmentation(folder, labels, subject, desc=TRUTH)
    write_fraction(folder, simulated.cartilage_fraction, labels.grid, subject, desc=TRUTH)


def _write_subject(simulated: Simulated, outputs: _Outputs, seed: Sequence[int]) -> None:
    subject, labels = simulated.scan.subject, simulated.labels
    if not outputs.truth.done(subject.name):
        with outputs.truth.subject(subject.name) as folder:
            write_truth(folder, simulated)
            for acquisition, motion in simulated.motions.items():
                stem = image_name(subject.name, simulated.scan.series[acquisition.method], acquisition)
                path = folder / "xfm" / f"{stem}_desc-{TRUTH}_xfm.nii.gz"
                write_motion(path, motion, labels.grid, {"Image": acquisition.label})
    if not outputs.reference.done(subject.name):
        notes: list[str] = []
        config = FitConfig()
        maps = fit(simulated.scan, config, notes=notes)
        fractions = simulated.cartilage_fraction, simulated.fluid_fraction
        second = draw_regions(labels, *fractions, [*seed, _SECOND_READER])
        with outputs.reference.subject(subject.name) as folder:
            b1 = {"EstimationAlgorithm": b1_algorithm(config)}
            sidecar = {"EstimationAlgorithm": "Levenberg-Marquardt", "EstimationNotes": notes}
            write_maps(folder, maps, subject, desc=REFERENCE, sidecar=sidecar, b1_sidecar=b1)
            write_segmentation(folder, regions_by_rule(labels, *fractions), subject, desc=REFERENCE)
            write_segmentation(folder, second, subject, desc=SECOND_READER)
    if not outputs.raw.done(subject.name):
        with outputs.raw.subject(subject.name) as folder:
            write_scan(folder, simulated.scan)
