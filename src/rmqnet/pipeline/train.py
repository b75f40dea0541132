"""Training on a study: split by person, samples, network, curves."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import InputSet, input_set
from rmqnet.domain.provenance import Provenance
from rmqnet.domain.quantities import REGRESSION_ORDER
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import SEGMENTED
from rmqnet.io.atomic import plain_disk_errors, scratch_folder
from rmqnet.io.bids import hash_scan, load_scan
from rmqnet.io.participants import load_participants
from rmqnet.io.store import (
    PROVENANCE,
    check_stage,
    hash_file,
    hash_folder,
    make_provenance,
    open_stage,
    read_provenance,
)
from rmqnet.io.text import write_json
from rmqnet.networks.backbones import check_network
from rmqnet.networks.checkpoint import Checkpoint, checkpoint_files, load_checkpoint, save_checkpoint
from rmqnet.pipeline.layout import chosen_subjects, reference_folder, truth_folder
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.references import load_targets
from rmqnet.pipeline.sources import ReadOptions, SpinLockSource
from rmqnet.pipeline.whom import drawn_from, learned_from
from rmqnet.samples.sample import make_samples
from rmqnet.samples.split import Split, by_person, split_subjects
from rmqnet.train.config import Targets, TrainConfig
from rmqnet.train.store import StoredSamples
from rmqnet.train.train import train

PAPER_TEST_SHARE = 15 / 65
"""Share of the people kept for testing: 15 of 65 (paper, Data Acquisition)."""
VALIDATION_SHARE = 8 / 65
"""Share of the people who choose the best model: a default; the paper describes no such people."""
SPLIT_SEED = 0
"""Seed of the split, the same for every training: networks of other seeds are tested on the same people."""


def study_split(study: Path) -> Split:
    """The people of a study by purpose, in the paper's proportions; it depends on nothing but who they are."""
    known = load_participants(study)
    people = [known[name] for name in chosen_subjects(study, ()) if name in known]
    n_people = len(by_person(people))
    if n_people < 3:
        raise InputError(
            f"{study}: training needs at least 3 people in participants.tsv (one each to learn from, "
            f"to choose the model and to test), found {n_people}"
        )
    n_test = max(1, round(PAPER_TEST_SHARE * n_people))
    n_validation = max(1, round(VALIDATION_SHARE * n_people))
    return split_subjects(people, seed=SPLIT_SEED, n_test=n_test, n_validation=n_validation)


def train_study(
    study: Path,
    out: Path,
    inputs_name: str,
    config: TrainConfig,
    reporter: Reporter,
    *,
    start_path: Path | None = None,
    source: SpinLockSource | None = None,
) -> Path:
    """Train RMQ-Net for one input set on the training people of a study; returns the checkpoint's path.

    The first weights are random, or those of the checkpoint `start_path`, which may be of another input set. A finished
    training is not repeated; an interrupted one goes on from its last epoch.
    """
    inputs = input_set(inputs_name)
    check_network(config.backbone, config.base_width)
    start = None if start_path is None else load_checkpoint(start_path)
    split = study_split(study)
    learners = [*split.train, *split.validation]
    options = (source or SpinLockSource()).options
    settings = {"train": config, "input_set": inputs.name}
    hashes = _hashes(study, learners, config.targets, options, reporter)
    if start_path is not None:
        hashes["network to start from"] = hash_file(start_path)
    provenance = make_provenance("train", settings, config.seed, hashes)
    _check_same_training(out, provenance)
    path = out / f"{inputs.name}.safetensors"
    if all(file.is_file() for file in checkpoint_files(path)):  # a kill may have come between the two
        reporter.say(f"{path} is already trained.")
        return path
    with scratch_folder(out) as folder:
        # read first: a study that can't be learned from leaves no output folder behind
        samples = {
            part: _samples(study, getattr(split, part), inputs, config, folder / part, options, reporter)
            for part in ("train", "validation")
        }
        output = open_stage(out, provenance)
        with output.file("split.json") as file:
            parts = [part.name for part in dataclasses.fields(split)]
            write_json(file, {part: names(getattr(split, part)) for part in parts})
        with plain_disk_errors(out):
            trained = train(
                samples["train"],
                samples["validation"],
                inputs,
                REGRESSION_ORDER,
                SEGMENTED,
                config,
                out / "scratch",
                start=start,
                progress=reporter.progress,
            )
    with output.file("curves.csv") as file:
        trained.curves.to_csv(file, index=False)
    record = {**trained.checkpoint.training, **_whom(study, learners, hashes, start)}
    with plain_disk_errors(out):
        save_checkpoint(path, dataclasses.replace(trained.checkpoint, training=record))
    return path


def _check_same_training(out: Path, provenance: Provenance) -> None:
    """Refuse a folder of another training: of other options, other people or another network to start from."""
    check_stage(out, provenance)
    if (out / PROVENANCE).is_file() and read_provenance(out).inputs != provenance.inputs:
        raise InputError(
            f"{out}: was trained on other people or began with another network: choose another folder or delete it"
        )


def _whom(
    study: Path, learners: Sequence[Subject], hashes: Mapping[str, str], start: Checkpoint | None
) -> dict[str, object]:
    """Whom the network has learned from; names may mean other people in another study, so that images tell."""
    own = {person.name: hashes[f"sub-{person.name}"] for person in learners}
    drawn = [one for person in learners if (one := drawn_from(study, person.name)) is not None]
    return _with_earlier(own, drawn, start)


def _with_earlier(
    scans: Mapping[str, str], drawn: Sequence[str], start: Checkpoint | None
) -> dict[str, object]:
    """Hashes of all scans that a network has seen, also before its start, and the simulated people among them.

    The hashes are None where they are not known; `n_not_simulated` counts the scans whose people no seed names.
    """
    named = {"simulated": sorted(drawn), "n_not_simulated": len(scans) - len(drawn)}
    if start is None:
        return {"scans": dict(scans), **named}
    before, n_before = start.training.get("simulated"), start.training.get("n_not_simulated")
    known = set(before) if isinstance(before, list) else set()
    named["simulated"] = sorted({*drawn, *known})
    earlier = learned_from(start.training)
    if earlier is None:
        return {"scans": None, **named}
    others = sorted(set(earlier) - known - set(scans.values()))
    # a record from before people had marks names none of its scans
    named["n_not_simulated"] += n_before if isinstance(n_before, int) else len(others)
    return {"scans": {**scans, **{f"earlier {i}": scan for i, scan in enumerate(others)}}, **named}


def _hashes(
    study: Path, people: Sequence[Subject], targets: Targets, options: ReadOptions, reporter: Reporter
) -> dict[str, str]:
    """Hashes of everything that the network will learn from, by name."""
    hashes, broken = {}, {}
    for index, person in enumerate(people):
        reporter.progress("checking the study", index, len(people))
        try:
            hashes[f"sub-{person.name}"] = hash_scan(study, person.name, **options)
        except InputError as error:
            broken[person.name] = error
        folder = reference_folder(study) / f"sub-{person.name}"
        hashes[f"reference of sub-{person.name}"] = hash_folder(folder)
        if targets == "truth":
            hashes[f"truth of sub-{person.name}"] = hash_folder(truth_folder(study) / f"sub-{person.name}")
    reporter.progress("checking the study", len(people), len(people))
    _refuse(study, broken)
    return hashes


def _refuse(study: Path, broken: Mapping[str, InputError]) -> None:
    """Name everybody who can't be learned from at once; leaving them out would be another training."""
    if not broken:
        return
    others = "" if len(broken) == 1 else f" (sub-{', sub-'.join(broken)})"
    raise InputError(
        f"{study}: {len(broken)} subjects can't be learned from{others}: correct them or take them out of the study; "
        f"the first: {next(iter(broken.values()))}"
    )


def names(people: Sequence[Subject]) -> list[str]:
    """Labels of these people."""
    return [person.name for person in people]


def _samples(
    study: Path,
    people: Sequence[Subject],
    inputs: InputSet,
    config: TrainConfig,
    folder: Path,
    options: ReadOptions,
    reporter: Reporter,
) -> StoredSamples:
    """The slices of these people, kept in `folder`, whose name says what they are for."""
    part = folder.name
    what = f"reading {part} subjects"
    samples = StoredSamples(folder)
    broken: dict[str, InputError] = {}
    for index, person in enumerate(people):
        reporter.progress(what, index, len(people))
        try:
            notes: list[str] = []
            maps, regions = load_targets(study, person.name, config.targets, notes)
            for note in notes:
                reporter.say(f"sub-{person.name}: {note}")
            scan = load_scan(study, person.name, **options)
            own = make_samples(scan, maps, regions, inputs, SEGMENTED, REGRESSION_ORDER)
        except InputError as error:
            broken[person.name] = error
            continue
        samples.add(own)
    reporter.progress(what, len(people), len(people))
    _refuse(study, broken)
    n_tissue = sum(bool(sample.mask.any()) for sample in samples)
    reporter.say(f"{what}: {len(samples)} slices, {n_tissue} of them with cartilage or meniscus.")
    if not n_tissue:
        raise InputError(f"{study}: no slice of the {part} subjects holds a region to learn from")
    return samples
