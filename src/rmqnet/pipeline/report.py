"""From an evaluated study to the page and the tables."""

import os.path
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from rmqnet import __version__
from rmqnet.domain.errors import InputError
from rmqnet.domain.subject import Subject
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.io.atomic import atomic_files
from rmqnet.io.store import make_provenance, open_stage, read_provenance
from rmqnet.io.text import read_json
from rmqnet.pipeline.evaluate import Evaluated, prediction_label, study_cases
from rmqnet.pipeline.layout import FIGURES, reference_folder
from rmqnet.report.csv_files import write_csv_files
from rmqnet.report.knee_page import PAGE
from rmqnet.report.lookup import counted
from rmqnet.report.page import write_report
from rmqnet.report.study import Study, representative_subject

PARTS = {"train": "training", "validation": "validation", "test": "test"}
"""Names of the parts of a split for a reader."""


def write_tables(out: Path, result: Evaluated, config: EvaluateConfig) -> None:
    """Write scores.csv, roi.csv, table1.csv and table2.csv; those of an earlier run are replaced."""
    output = open_stage(out, make_provenance("evaluate", _settings(result, config), seed=config.seed))
    with atomic_files(output.root) as folder:
        write_csv_files(folder, result.evaluation, simulated=result.simulated)


def write_page(
    out: Path, result: Evaluated, config: EvaluateConfig, *, training: Sequence[Path] = ()
) -> Path:
    """Path of the page; the tables lie beside it. `training` are folders made by `rmqnet train`."""
    folders = training_folders(training)
    output = open_stage(out, make_provenance("report", _settings(result, config), seed=config.seed))
    evaluation = result.evaluation
    name = representative_subject(evaluation)
    cases = list(study_cases(result.study, result.predictions, [result.people[name]]))
    study = Study(
        title="RMQ-Net: maps and regions of the knee from a fraction of the scan",
        simulated=result.simulated,
        split=_split(folders, result.people),
        description=_description(result, folders),
        curves={str(_config(folder)["input_set"]): learning_curves(folder) for folder in folders},
        provenance={
            "rmqnet": __version__,
            "study": _record(result.study),
            "training": [_config(folder) for folder in folders],
            "evaluation": output.provenance.config,
        },
        pages=_pages(output.root, result),
        notes=result.notes,
    )
    with atomic_files(output.root) as folder:
        page = write_report(folder, evaluation, cases, study)
    return output.root / page.name


def _pages(out: Path, result: Evaluated) -> dict[str, dict[str, str]]:
    """Address of the page of each evaluated knee as seen from the report, by subject and input set."""
    found: dict[str, dict[str, str]] = {}
    folders = {prediction_label(folder): folder for folder in result.predictions}
    for label, folder in {**folders, "reference": reference_folder(result.study)}.items():
        for subject in result.evaluation.subjects:
            page = folder / f"sub-{subject.name}" / FIGURES / PAGE
            if page.is_file():
                address = Path(os.path.relpath(page.resolve(), out.resolve())).as_posix()
                found.setdefault(subject.name, {})[label] = quote(address)
    return found


def _settings(result: Evaluated, config: EvaluateConfig) -> dict[str, object]:
    return {
        "evaluate": config,
        "study": result.study.name,
        "predictions": [folder.name for folder in result.predictions],
    }


def _description(result: Evaluated, trainings: Sequence[Path]) -> list[str]:
    n_subjects = len(result.evaluation.subjects)
    people = counted(n_subjects, "simulated subject" if result.simulated else "subject")
    sets = counted(len(result.evaluation.input_sets), "input set")
    text = [
        f"{people} that no network has learned from, seen through {sets}. "
        "The reference maps are voxel-wise Levenberg-Marquardt fits of all images, with their AFI pair; the "
        "networks get only the images of their input set."
    ]
    if result.simulated:
        text.append(
            "The knees are simulated: images, noise and truth come from one model of anatomy, tissue and signal. "
            "The regions of the reference follow a stated rule in the place of a reader's drawing: cartilage fills "
            "at least six tenths of a voxel and fluid at most a tenth (docs/cohort.md)."
        )
    for folder in trainings:
        config = _config(folder).get("train")
        if isinstance(config, dict):
            n_train = len(read_json(folder / "split.json")["train"])
            text.append(
                f"{_config(folder)['input_set']}: trained on {n_train} subjects for {config['epochs']} epochs "
                "(paper: 50 people, 600 epochs)."
            )
    return text


def training_folders(folders: Sequence[Path]) -> list[Path]:
    """The folders, each checked to hold a finished training."""
    for folder in folders:
        if read_provenance(folder).stage != "train":
            raise InputError(f"{folder}: was not made by `rmqnet train`: check --training")
        if not (folder / "curves.csv").is_file():
            raise InputError(
                f"{folder}: the training is not finished (no curves.csv): run `rmqnet train` again"
            )
    return list(folders)


def learning_curves(folder: Path) -> pd.DataFrame:
    """Learning curves with one row per epoch and part: epoch, split and each loss."""
    table = pd.read_csv(folder / "curves.csv")
    parts = []
    for part in ("train", "validation"):
        own = table.filter(regex=f"^{part}_")
        own.columns = [str(name).removeprefix(f"{part}_") for name in own.columns]
        parts.append(own.assign(epoch=table["epoch"], split=PARTS[part]))
    return pd.concat(parts, ignore_index=True)


def _config(folder: Path) -> dict[str, object]:
    config = read_provenance(folder).config
    return config if isinstance(config, dict) else {}


def _record(study: Path) -> object:
    return read_provenance(study).config if (study / "provenance.json").is_file() else study.name


def _split(folders: Sequence[Path], people: dict[str, Subject]) -> dict[str, list[Subject]]:
    """Who learned, chose and was tested, where all trainings agree; empty where they do not or none is given."""
    splits = [read_json(folder / "split.json") for folder in folders]
    if not splits or any(split != splits[0] for split in splits):
        return {}
    return {
        shown: [people[name] for name in splits[0].get(part, ()) if name in people]
        for part, shown in PARTS.items()
    }
