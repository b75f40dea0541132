"""Predictions for a study: maps, regions, values and a page of every wanted subject by a trained network."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.maps import Prediction
from rmqnet.domain.provenance import Provenance
from rmqnet.domain.scan import Scan
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.bids_dataset import write_dataset_description
from rmqnet.io.bids_labels import write_segmentation
from rmqnet.io.bids_maps import write_maps
from rmqnet.io.series import find_series
from rmqnet.io.store import StageOutput, check_stage, hash_file, make_provenance, open_stage
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint
from rmqnet.networks.history import learned_targets
from rmqnet.networks.shipped import shipped_checkpoint, shipped_hash, shipped_names
from rmqnet.pipeline.b1_maps import INPUT, FoundB1, any_b1, compare_b1
from rmqnet.pipeline.flags import quality
from rmqnet.pipeline.layout import FIGURES, PREDICTED, PREDICTED_REGIONS, chosen_subjects, is_simulated
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.sources import B1Source, SpinLockSource
from rmqnet.pipeline.whom import learned_from
from rmqnet.predict.choice import choose_network, held_back
from rmqnet.predict.predict import predict
from rmqnet.report.knee import Knee
from rmqnet.report.knee_page import PAGE, write_knee_page
from rmqnet.report.overlays import write_overlays
from rmqnet.report.region_values import write_region_values
from rmqnet.train.config import Targets

FIELD_TOLERANCE = 0.1
"""Relative difference of two field strengths that are called the same (2.9 and 3 T are): a default."""


def predict_study(
    study: Path,
    out: Path,
    checkpoint_path: Path | None,
    reporter: Reporter,
    *,
    input_set: str | None = None,
    targets: Targets = "reference",
    subjects: Sequence[str] = (),
    source: SpinLockSource | None = None,
    b1_source: B1Source = B1Source(),  # noqa: B008  # frozen
    reference_study: Path | None = None,
) -> list[Path]:
    """Write maps, regions and values of the subjects (default: all) into `out`; returns the page of each.

    Without a checkpoint the shipped network of `input_set` is taken, without that the largest one whose images all
    these subjects have, of those that have learned `targets`. Complete subjects are not repeated; one that is refused
    is named at the end. No network takes a B1 map: one that a subject has is held against the predicted B1.
    `reference_study` holds derivatives/truth and B1 maps where `study` does not.
    """
    source = source or SpinLockSource()
    checkpoint, weights = _network(study, subjects, checkpoint_path, input_set, targets, source, reporter)
    names = chosen_subjects(study, subjects)
    b1_source.check(names)
    studies = list(dict.fromkeys((reference_study or study, study)))
    settings = {**_settings(checkpoint), **b1_source.settings}
    check_stage(out, make_provenance("predict", settings, inputs=weights))
    pages, failures = list[Path](), list[InputError]()
    for index, name in enumerate(names):
        reporter.progress("predicting", index, len(names))
        page = out / f"sub-{name}" / FIGURES / PAGE
        try:
            inputs = {**weights, f"sub-{name}": hash_scan(study, name, **source.options)}
            if (b1 := any_b1(studies, name, b1_source)) is not None:
                inputs[INPUT.format(name)] = b1.hash
            check_stage(out, make_provenance("predict", settings, inputs=inputs))
            if (out / f"sub-{name}").is_dir():
                pages.append(page)
                continue
            # read and predict first: a scan that does not fit the network leaves no output folder behind
            scan, prediction = _predict_subject(study, name, source, checkpoint, b1)
        except InputError as error:
            if len(names) == 1:
                raise
            failures.append(error)
            reporter.say(f"not predicted: {error}")
            continue
        for text in (*prediction.flags, *prediction.notes):
            reporter.say(f"sub-{name}: {text.removeprefix(f'sub-{name}: ')}")
        warnings = [f"sub-{name}: {text}" for text in prediction.flags]
        provenance = make_provenance("predict", settings, inputs=inputs, warnings=warnings)
        _write(open_stage(out, provenance), scan, prediction, checkpoint, simulated=is_simulated(studies[0]))
        pages.append(page)
    reporter.progress("predicting", len(names), len(names))
    if failures:
        raise InputError(
            f"{len(failures)} of {len(names)} subjects were not predicted, the others are complete; "
            f"the first: {failures[0]}"
        )
    return pages


def _predict_subject(
    study: Path, name: str, source: SpinLockSource, checkpoint: Checkpoint, b1: FoundB1 | None
) -> tuple[Scan, Prediction]:
    """The scan of a subject, and what the network says about it, with the flags of all checks."""
    check_field_strength(study, name, source, checkpoint)
    assumed: list[str] = []
    scan = load_scan(study, name, **source.options, notes=assumed)
    prediction = predict(scan, checkpoint)
    doubts, remarks = quality(scan, prediction.maps)
    if b1 is not None:
        flags, said = compare_b1(prediction.maps, b1)
        doubts, remarks = (*doubts, *flags), (*remarks, *said)
    notes = (*assumed, *prediction.notes, *remarks)
    return scan, dataclasses.replace(prediction, flags=(*prediction.flags, *doubts), notes=notes)


def _settings(checkpoint: Checkpoint) -> dict[str, object]:
    """What tells predictions of one network from those of another; networks of fits are not told apart by targets."""
    settings: dict[str, object] = {"input_set": checkpoint.inputs.name, "regions": PREDICTED_REGIONS}
    settings["trained_on"] = learned_from(checkpoint.training)
    if (targets := learned_targets(checkpoint.training)) != "reference":
        settings["targets"] = targets
    return settings


def _network(
    study: Path,
    subjects: Sequence[str],
    path: Path | None,
    input_set: str | None,
    targets: Targets,
    source: SpinLockSource,
    reporter: Reporter,
) -> tuple[Checkpoint, dict[str, str]]:
    """The network to use, and the hash of its weights by name."""
    if path is not None:
        if input_set is not None:
            raise InputError(
                f"--input-set {input_set} chooses among the shipped networks: leave it out, {path} says its own"
            )
        if targets != "reference":
            raise InputError(
                f"--targets {targets} chooses among the shipped networks: leave it out, {path} says what it has learned"
            )
        return load_checkpoint(path), {"checkpoint": hash_file(path)}
    if input_set is None:
        choice = choose_shipped(study, chosen_subjects(study, subjects), source, targets)
        input_set = choice.input_set
        for sentence in (choice.why, *choice.held_back.values()):
            reporter.say(sentence)
    return shipped_checkpoint(input_set, targets), {"checkpoint": shipped_hash(input_set, targets)}


@dataclasses.dataclass(frozen=True)
class ShippedChoice:
    """The shipped network for a study."""

    input_set: str
    why: str
    """Why it was taken, one sentence."""
    held_back: Mapping[str, str]
    """By subject: what it lacks that most others have, so that a smaller network was taken for everybody."""


def choose_shipped(
    study: Path,
    subjects: Sequence[str],
    source: SpinLockSource | None = None,
    targets: Targets = "reference",
) -> ShippedChoice:
    """The largest shipped network whose images all these subjects have.

    Only networks that have learned `targets` are looked at.
    """
    networks = {name: shipped_checkpoint(name, targets).acquisitions for name in shipped_names(targets)}
    if targets != "reference" and not networks:
        raise InputError(f"this version ships no network that has learned the {targets}: leave out --targets")
    present: dict[str, list[Acquisition]] = {}
    broken: list[InputError] = []
    for name in subjects:
        try:
            present[name] = images_of(study, name, source or SpinLockSource())
        except InputError as error:
            # told when its turn comes; it does not keep the others from their network
            broken.append(error)
    if broken and not present:
        raise broken[0]
    try:
        name, why = choose_network(networks, present)
    except InputError as error:
        if targets == "reference":
            raise
        raise InputError(
            f"of the networks that have learned the {targets} (without --targets there are others), {error}"
        ) from error
    return ShippedChoice(name, why, held_back(networks, present, name))


def images_of(study: Path, name: str, source: SpinLockSource) -> list[Acquisition]:
    """How the images of a subject were acquired, from their sidecars."""
    found = find_series(study, name, **source.options, notes=[])
    return [image.acquisition for series in found.values() for image in series]


def check_field_strength(study: Path, name: str, source: SpinLockSource, checkpoint: Checkpoint) -> None:
    """Refuse images whose sidecar states another field than that of the training; nothing is said where none does."""
    trained = checkpoint.training.get("field_strength")
    if not isinstance(trained, int | float):
        return
    for series in find_series(study, name, **source.options, notes=[]).values():
        for image in series:
            stated = image.sidecar.values.get("MagneticFieldStrength")
            if isinstance(stated, int | float) and abs(stated - trained) > FIELD_TOLERANCE * trained:
                raise InputError(
                    f"{image.path}: was scanned at {stated:g} T, the network has learned on {trained:g} T, where "
                    "relaxation times are others: train a network on scans at this field"
                )


def _write(
    output: StageOutput, scan: Scan, prediction: Prediction, checkpoint: Checkpoint, *, simulated: bool
) -> None:
    """Everything about one subject; appears when it is complete."""
    name = checkpoint.inputs.name
    write_dataset_description(
        output.root,
        name=f"rmqnet predicted maps, {name}",
        derivative=True,
        readme="Quantity maps and regions predicted by `rmqnet predict`. Research use only.",
    )
    sidecar = {
        "EstimationAlgorithm": "RMQ-Net",
        "InputSet": name,
        "Flags": list(prediction.flags),
        "EstimationNotes": list(prediction.notes),
    }
    subject = scan.subject
    with output.subject(subject.name) as folder:
        write_maps(folder, prediction.maps, subject, desc=PREDICTED, sidecar=sidecar)
        write_segmentation(folder, prediction.segmentation, subject, desc=PREDICTED, sidecar=sidecar)
        knee = _knee(scan, prediction, checkpoint, output.provenance, simulated=simulated)
        write_region_values(folder / "anat" / f"sub-{subject.name}_desc-{PREDICTED}_values.tsv", knee)
        write_overlays(folder / FIGURES, knee)
        write_knee_page(folder / FIGURES, knee)


def _knee(
    scan: Scan, prediction: Prediction, checkpoint: Checkpoint, provenance: Provenance, *, simulated: bool
) -> Knee:
    """What the page of a predicted knee shows."""
    inputs = checkpoint.inputs
    # how long a person's own scan took stands nowhere
    minutes = f", {inputs.seconds() / 60:.1f} minutes" if simulated else ""
    origin = (
        f"Maps and regions predicted by RMQ-Net from {len(inputs.acquisitions)} images ({inputs.name}{minutes}); all "
        "images of the scan are shown, and curves computed from the predicted values."
    )
    return Knee(
        scan,
        prediction.maps,
        origin,
        prediction.segmentation,
        "Regions: predicted by the network, not drawn.",
        notes=prediction.notes,
        flags=prediction.flags,
        predicted=True,
        simulated=simulated,
        provenance=provenance,
    )
