"""What a worker does: one step of one subject. Stages are imported when their step is done."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rmqnet import __version__
from rmqnet.check.findings import Finding
from rmqnet.domain.errors import InputError, OutputError
from rmqnet.domain.provenance import config_hash
from rmqnet.io.layout import find_one, sidecar_path, subject_folder
from rmqnet.io.participants import FILE as PARTICIPANTS
from rmqnet.pipeline.b1_maps import hash_b1
from rmqnet.pipeline.layout import (
    FITTED,
    PREDICTED_REGIONS,
    chosen_subjects,
    reference_folder,
    truth_folder,
)
from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.references import REGIONS, regions_hash
from rmqnet.pipeline.run.config import Noted, Plan, Result, Step
from rmqnet.pipeline.run.records import NETWORK, SETTINGS, is_current, published, record_of
from rmqnet.pipeline.sources import SpinLockSource

UNLIKE = "unlike_training"
"""Name of the findings of a prediction: how a scan differs from those that the network has learned from."""
Made = Callable[[Path], None]
"""Makes the output of a step in a scratch folder."""


def run_step(plan: Plan, step: Step, subject: str, others: tuple[str, ...] = ()) -> Result:
    """What has become of one step; whatever a user can cause is a reason in it, not an error.

    `others` are the subjects of a step about all of them.
    """
    start = time.monotonic()
    said = Quiet()
    try:
        if step == "compare":
            result = _compare(plan, others)
        elif step == "evaluate":
            result = _evaluate(plan, others, said)
        else:
            result = _STEPS[step](plan, subject, said)
    except OutputError as error:
        result = Result(step, subject, "failed", str(error), hopeless=True)
    except InputError as error:
        result = Result(step, subject, "failed", str(error))
    except MemoryError:
        result = Result(step, subject, "failed", "not enough memory: take fewer workers")
    return dataclasses.replace(result, said=tuple(said.said), seconds=time.monotonic() - start)


def settings(plan: Plan) -> dict[Step, str]:
    """Hash of the settings of every step that makes an output for each subject."""
    config = plan.config
    table = None
    if plan.source.spin_lock_table is not None:
        from rmqnet.io.store import hash_file

        table = hash_file(plan.source.spin_lock_table)
    source = [plan.source.echo_time_is_spin_lock_time, table]
    b1 = [plan.b1_source.settings] if plan.b1_source.settings else []
    by_step: dict[Step, object] = {
        "reconstruct": [config.reconstruct, plan.trajectory_units],
        "check": [*source, *b1],
        "register": [config.registration, source],
        "fit": [config.fit, source, *(["b1_from_network"] if config.b1_from_network else []), *b1],
        "predict": [*source, *b1, PREDICTED_REGIONS],
    }
    return {step: config_hash(step, value) for step, value in by_step.items()}


def _do(plan: Plan, step: Step, subject: str, inputs: Mapping[str, str], make: Made) -> Result:
    """Make an output where it is missing or out of date."""
    target = plan.folder(step, subject)
    made_of = {SETTINGS: settings(plan)[step], **inputs}
    if is_current(target, made_of):
        return Result(step, subject, "kept")
    with published(target, subject, made_of) as scratch:
        make(scratch)
    return Result(step, subject, "done")


def spin_lock_source(plan: Plan, study: Path) -> SpinLockSource:
    """Where spin-lock times stand: what the run writes itself states them."""
    return plan.source if study == plan.study else SpinLockSource()


def _images(plan: Plan, study: Path, subject: str) -> dict[str, str]:
    """Hash of a subject's images, the settings they are read with and who it is."""
    from rmqnet.io.bids import hash_scan

    chosen_subjects(study, [subject])
    return {f"sub-{subject}": hash_scan(study, subject, **spin_lock_source(plan, study).options)}


def _field(plan: Plan, study: Path, subject: str) -> dict[str, str]:
    """Hash of the field strengths that the sidecars of a subject state."""
    from rmqnet.io.bids import field_strengths

    stated = field_strengths(study, subject, **spin_lock_source(plan, study).options)
    return {f"field of sub-{subject}": config_hash("field", [[str(k), v] for k, v in stated.items()])}


def _b1(plan: Plan, study: Path, subject: str) -> dict[str, str]:
    """Hash of the B1 maps of a subject; it changes where one comes or goes, too."""
    studies = dict.fromkeys((plan.study, study))
    return {f"B1 maps of sub-{subject}": hash_b1(list(studies), subject, plan.b1_source)}


def _reconstruct(plan: Plan, subject: str, said: Quiet) -> Result:
    from rmqnet.io.bids import load_subject
    from rmqnet.io.kspace_stated import Stated
    from rmqnet.io.store import hash_file
    from rmqnet.pipeline.kspace import reconstruct_study
    from rmqnet.pipeline.layout import RAW

    folder = subject_folder(plan.study, subject) / RAW
    inputs = {f"sub-{subject}/{path.name}": hash_file(path) for path in sorted(folder.glob("*"))}
    inputs[f"side of sub-{subject}"] = load_subject(plan.study, subject).side
    stated = Stated(trajectory_units=plan.trajectory_units)

    def make(scratch: Path) -> None:
        reconstruct_study(
            plan.study, scratch, plan.config.reconstruct, said, subjects=[subject], stated=stated
        )

    return _do(plan, "reconstruct", subject, inputs, make)


def _register(plan: Plan, subject: str, said: Quiet) -> Result:
    from rmqnet.io.store import hash_file
    from rmqnet.pipeline.register import register_study

    study, config = plan.images, plan.config.registration
    files = {path.name: hash_file(path) for path in config.parameter_files}
    source = spin_lock_source(plan, study)

    def make(scratch: Path) -> None:
        register_study(
            study, scratch, config, said, subjects=[subject], source=source, reference_study=plan.study
        )

    inputs = files | _images(plan, study, subject) | _field(plan, study, subject) | _b1(plan, study, subject)
    return _do(plan, "register", subject, inputs, make)


def _fit(plan: Plan, subject: str, said: Quiet) -> Result:
    from rmqnet.pipeline.check import Checked, check_maps
    from rmqnet.pipeline.fit import fit_study
    from rmqnet.pipeline.run.checked import has_checked, load_checked, save_checked

    study, checks = plan.aligned, "check" in plan.config.steps
    regions = {REGIONS.format(subject): regions_hash(plan.study, subject)}
    source = spin_lock_source(plan, study)

    def find(maps: Path) -> list[Finding]:
        return check_maps(study, subject, maps, source=source, signals=not checks)

    def make(scratch: Path) -> None:
        fit_study(
            study,
            scratch,
            plan.config.fit,
            said,
            subjects=[subject],
            source=source,
            b1_from_network=plan.config.b1_from_network,
            b1_source=plan.b1_source,
            reference_study=plan.study,
        )
        # kept with the maps: the next run tells them too
        made = scratch / f"sub-{subject}"
        save_checked(made, Checked(tuple(find(made)), None))

    inputs = regions | _images(plan, study, subject) | _b1(plan, study, subject)
    if plan.config.b1_from_network:
        from rmqnet.pipeline.network_b1 import network_for

        network = network_for(study, subject, source)
        inputs |= {} if network is None else network.inputs
        inputs |= _field(plan, study, subject)
    result, target = _do(plan, "fit", subject, inputs, make), plan.folder("fit", subject)
    findings = _b1_flags(target, subject) if plan.config.b1_from_network else []
    findings += map(_noted, load_checked(target).findings if has_checked(target) else find(target))
    return dataclasses.replace(result, findings=tuple(findings))


def _b1_flags(target: Path, subject: str) -> list[Noted]:
    """Why a predicted B1 should be doubted, as its sidecar says, also of maps that were kept."""
    from rmqnet.io.text import read_json

    path = find_one(target, "fmap", "TB1map", FITTED)
    flags = [] if path is None else read_json(sidecar_path(path)).get("PredictionFlags", [])
    return [Noted("warning", subject, UNLIKE, str(text)) for text in flags]


def _predict(plan: Plan, subject: str, said: Quiet) -> Result:
    import torch

    from rmqnet.io.store import hash_file
    from rmqnet.networks.shipped import shipped_hash
    from rmqnet.pipeline.predict import predict_study

    study, checkpoint = plan.aligned, plan.checkpoint
    if checkpoint is not None:
        weights = hash_file(checkpoint)
    elif plan.network is not None:
        weights = shipped_hash(plan.network, plan.targets)
    else:
        raise InputError(
            "predict needs a network: give --checkpoint, or let the run choose one of the package"
        )
    inputs = {NETWORK: weights, **_images(plan, study, subject), **_field(plan, study, subject)}
    inputs |= _b1(plan, study, subject)

    def make(scratch: Path) -> None:
        # sums of another number of threads differ in the last digits; subjects side by side use the processor as well
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            predict_study(
                study,
                scratch,
                checkpoint,
                said,
                input_set=plan.network,
                targets=plan.targets,
                subjects=[subject],
                source=spin_lock_source(plan, study),
                b1_source=plan.b1_source,
                reference_study=plan.study,
            )
        finally:
            torch.set_num_threads(before)

    result = _do(plan, "predict", subject, inputs, make)
    # what a person must read before using a map is found among the findings, also of maps that were kept
    record = record_of(plan.folder("predict", subject))
    flags = () if record is None else record.warnings
    found = [Noted("warning", subject, UNLIKE, text.removeprefix(f"sub-{subject}: ")) for text in flags]
    return dataclasses.replace(result, findings=tuple(found))


def _check(plan: Plan, subject: str, _said: Quiet) -> Result:
    from rmqnet.io.store import make_provenance, open_stage
    from rmqnet.pipeline.check import check_subject
    from rmqnet.pipeline.run.checked import save_checked

    study = plan.images
    source = spin_lock_source(plan, study)
    try:
        inputs = _images(plan, study, subject)
        names = [path.name for path in sorted(subject_folder(study, subject).rglob("*"))]
        inputs |= _b1(plan, study, subject)
        inputs[f"files of sub-{subject}"] = config_hash("files", names)
        inputs["rules"] = (
            f"rmqnet {__version__}"  # checks are quick, and those of old rules would be told as today's
        )
    except InputError:
        # what can't be read has no contents to know it by: it is looked at again each time
        inputs = {f"unreadable sub-{subject}": str(time.time_ns())}

    def make(scratch: Path) -> None:
        checked = check_subject(
            study, subject, source=source, b1_source=plan.b1_source, reference_study=plan.study
        )
        output = open_stage(scratch, make_provenance("check", {}))
        with output.subject(subject) as folder:
            save_checked(folder, checked)

    return _do(plan, "check", subject, inputs, make)


def _compare(plan: Plan, others: tuple[str, ...]) -> Result:
    """Findings about all checked subjects, each beside the others of the study."""
    from rmqnet.pipeline.check import compared
    from rmqnet.pipeline.run.checked import load_checked

    checked = {name: load_checked(plan.folder("check", name)) for name in others}
    summaries = [one.summary for one in checked.values() if one.summary is not None]
    findings = [finding for one in checked.values() for finding in compared(one, summaries)]
    return Result("compare", "", "done", findings=tuple(map(_noted, findings)))


def _evaluate(plan: Plan, others: tuple[str, ...], said: Quiet) -> Result:
    """Tables and page of the subjects that have predictions and a reference."""
    from rmqnet.io.store import hash_file, hash_folder
    from rmqnet.pipeline.evaluate import evaluate_study
    from rmqnet.pipeline.report import write_page

    config = plan.config.evaluation
    predicted, target = plan.folder("predict", ""), plan.folder("evaluate", "")
    made_of = {SETTINGS: config_hash("evaluate", config)}
    for name in others:
        made_of[f"sub-{name}"] = hash_folder(plan.folder("predict", name))
        made_of[f"reference of sub-{name}"] = hash_folder(reference_folder(plan.study) / f"sub-{name}")
        made_of[f"truth of sub-{name}"] = hash_folder(truth_folder(plan.study) / f"sub-{name}")
    if (people := plan.study / PARTICIPANTS).is_file():
        made_of["participants"] = hash_file(people)
    made_of["subjects"] = config_hash("subjects", list(others))
    if is_current(target, made_of):
        return Result("evaluate", "", "kept")
    with published(target, "", made_of) as scratch:
        result = evaluate_study(
            plan.aligned,
            [predicted],
            config,
            said,
            subjects=others,
            source=spin_lock_source(plan, plan.aligned),
            reference_study=plan.study,
        )
        write_page(scratch, result, config)
    return Result("evaluate", "", "done")


def _noted(finding: Finding) -> Noted:
    return Noted(finding.severity, finding.subject, finding.rule, finding.sentence)


_STEPS: dict[Step, Callable[[Plan, str, Quiet], Result]] = {
    "reconstruct": _reconstruct,
    "check": _check,
    "register": _register,
    "fit": _fit,
    "predict": _predict,
}
