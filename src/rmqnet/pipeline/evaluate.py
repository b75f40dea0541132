"""Predictions of a study against its reference and, where it was simulated, against the truth."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Prediction
from rmqnet.domain.subject import Subject
from rmqnet.evaluate.case import Case
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.evaluate.evaluate import Evaluation, evaluate
from rmqnet.io.bids_labels import load_fraction, load_segmentation
from rmqnet.io.bids_maps import load_maps
from rmqnet.io.layout import list_subjects
from rmqnet.io.participants import load_participants
from rmqnet.io.store import read_provenance
from rmqnet.pipeline.layout import PREDICTED, TRUTH, is_simulated, truth_folder
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.references import load_reference
from rmqnet.pipeline.sources import SpinLockSource
from rmqnet.pipeline.whom import marks_of


@dataclass(frozen=True)
class Evaluated:
    """Scores of a study and what they were computed from."""

    evaluation: Evaluation
    study: Path
    """The study that holds the reference."""
    predictions: tuple[Path, ...]
    """Folders made by `rmqnet predict`."""
    people: dict[str, Subject]
    """Everybody in the study."""
    simulated: bool
    notes: tuple[str, ...]
    """What a reader must know, for example who was left out."""


def evaluate_study(
    study: Path,
    predictions: Sequence[Path],
    config: EvaluateConfig,
    reporter: Reporter,
    *,
    subjects: Sequence[str] = (),
    source: SpinLockSource | None = None,
    reference_study: Path | None = None,
) -> Evaluated:
    """Scores of the prediction folders, over the people that all of them hold and no network has learned from.

    `subjects` are those that are meant, all where none is named. `reference_study` holds derivatives/reference and
    derivatives/truth where `study`, that of the images, does not.
    """
    known = reference_study or study
    if not predictions:
        raise InputError("name at least one folder made by `rmqnet predict` with --predictions")
    labels = [prediction_label(folder) for folder in predictions]
    if len(set(labels)) < len(labels):
        raise InputError(f"two folders hold predictions of one input set ({', '.join(labels)}): name one")
    names, notes = fair_subjects(study, predictions, subjects, source, cohort=known)
    for note in notes:
        reporter.say(note)
    people = load_participants(known)
    if missing := [name for name in names if name not in people]:
        raise InputError(
            f"{known / 'participants.tsv'}: has no row for sub-{missing[0]}, who has predictions"
        )
    chosen = [people[name] for name in names]

    def cases() -> Iterator[Case]:
        said: list[str] = []
        for index, case in enumerate(study_cases(known, predictions, chosen, said)):
            reporter.progress("evaluating", index, len(chosen) * len(predictions))
            if index % len(predictions) == 0:  # all folders of a person share the reference
                for note in said:
                    reporter.say(f"sub-{case.subject.name}: {note}")
            said.clear()
            yield case
        reporter.progress("evaluating", len(chosen) * len(predictions), len(chosen) * len(predictions))

    simulated = is_simulated(known)
    return Evaluated(evaluate(cases(), config), known, tuple(predictions), people, simulated, notes)


def study_cases(
    study: Path, predictions: Sequence[Path], people: Sequence[Subject], notes: list[str] | None = None
) -> Iterator[Case]:
    """Every person through every folder of predictions, person by person.

    What was done to the regions of the reference is appended to `notes` before each.
    """
    labels = [prediction_label(folder) for folder in predictions]
    for person in people:
        for folder, label in zip(predictions, labels, strict=True):
            yield _case(study, folder, person, label, notes)


def prediction_label(folder: Path) -> str:
    """Name of the predictions in tables: their input set, and what their network has learned if that is no fit."""
    settings = prediction_settings(folder)
    targets = settings.get("targets", "reference")
    return str(settings["input_set"]) + ("" if targets == "reference" else f"-{targets}")


def prediction_settings(folder: Path) -> dict[str, object]:
    """Settings of a folder made by `rmqnet predict`."""
    provenance = read_provenance(folder)
    if provenance.stage != "predict" or not isinstance(provenance.config, dict):
        raise InputError(f"{folder}: was made by `rmqnet {provenance.stage}`, not by `rmqnet predict`")
    return provenance.config


def fair_subjects(
    study: Path,
    predictions: Sequence[Path],
    subjects: Sequence[str] = (),
    source: SpinLockSource | None = None,
    *,
    cohort: Path | None = None,
) -> tuple[list[str], tuple[str, ...]]:
    """Subjects that every folder holds, without those that a network was trained or chosen with; and remarks.

    Only `subjects` are looked at where any are named. `cohort` is the study that the images were made from, where it is
    another one.
    Raises InputError where a folder was predicted from other images than those of the study.
    """
    held = [set(list_subjects(folder)) for folder in predictions]
    held = [folder & set(subjects) for folder in held] if subjects else held
    common = sorted(set.intersection(*held))
    options = (source or SpinLockSource()).options
    marks = {name: marks_of(study, name, options, cohort=cohort) for name in common}
    learned: set[str] = set()
    notes = []
    for folder in predictions:
        _check_same_images(study, folder, marks)
        trained_on = prediction_settings(folder).get("trained_on")
        if isinstance(trained_on, list):
            learned |= set(trained_on)
        else:
            notes.append(
                f"{folder.name}: the checkpoint does not say whom it has learned from; nobody is left out."
            )
        if prediction_settings(folder).get("targets") == "truth":
            notes.append(
                f"{prediction_label(folder)}: the network has learned what was simulated, not fits; its distance from "
                "the reference is no error."
            )
    names = [name for name in common if not marks[name] & learned]
    if not names:
        raise InputError(
            f"{predictions[0]}: no subject is left to evaluate: predict people that no network has learned from"
        )
    if seen := len(common) - len(names):
        notes.append(
            f"Predicted subjects left out of all scores, as a network has learned from them: {seen}."
        )
    if partly := sorted(set.union(*held) - set(common)):
        shown = ", ".join(partly[:5]) + (", ..." if len(partly) > 5 else "")
        notes.append(
            f"Subjects left out of all scores, as not every folder holds them: {len(partly)} ({shown})."
        )
    return names, tuple(notes)


def _check_same_images(study: Path, folder: Path, marks: Mapping[str, Set[str]]) -> None:
    """Refuse predictions that were made from other images than those of the study."""
    predicted_from = read_provenance(folder).inputs
    for name, own in marks.items():
        if predicted_from.get(f"sub-{name}") not in own:
            raise InputError(
                f"{folder}: sub-{name} was predicted from other images or spin-lock times than those in {study}: "
                "name the study and the table of times it was predicted from, or predict again"
            )


def _case(study: Path, folder: Path, person: Subject, label: str, notes: list[str] | None) -> Case:
    own = folder / f"sub-{person.name}"
    maps = load_maps(own, desc=PREDICTED)
    regions = load_segmentation(own, desc=PREDICTED, grid=maps.grid)
    reference, reference_regions = load_reference(study, person.name, notes)
    true_folder = truth_folder(study) / f"sub-{person.name}"
    has_truth = true_folder.is_dir()
    return Case(
        subject=person,
        input_set=label,
        prediction=Prediction(maps, regions),
        reference=reference,
        reference_segmentation=reference_regions,
        truth=load_maps(true_folder, desc=TRUTH) if has_truth else None,
        truth_segmentation=load_segmentation(true_folder, desc=TRUTH) if has_truth else None,
        cartilage_fraction=load_fraction(true_folder, desc=TRUTH)[0] if has_truth else None,
    )
