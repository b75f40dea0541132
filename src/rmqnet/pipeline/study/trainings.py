"""Where the networks of a study come from: trained here, or given."""

import time
from dataclasses import dataclass
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.io.store import check_stage, make_provenance
from rmqnet.networks.checkpoint import Checkpoint, load_checkpoint
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.study.presets import INPUT_SETS_STUDIED, VARIATIONS, VARIED_INPUT_SET, StudyPreset
from rmqnet.pipeline.train import train_study
from rmqnet.train.config import TrainConfig


@dataclass(frozen=True)
class Network:
    """One trained network."""

    label: str
    """Input set, or name of the variation."""
    path: Path
    checkpoint: Checkpoint
    origin: str
    """Where it is from, for the report."""
    folder: Path | None = None
    """Folder of its training, with learning curves; None where there is none."""
    given: bool = False
    """True where it was not trained in this study."""


@dataclass(frozen=True)
class Networks:
    """All networks of a study."""

    main: dict[str, Network]
    """By input set."""
    variations: dict[str, Network]
    """By name of the variation."""
    notes: tuple[str, ...]
    """What a reader must know."""


def train_all(
    study: Path, out: Path, preset: StudyPreset, reporter: Reporter, *, weights: Path | None, variations: bool
) -> Networks:
    """Every network of the study: those in `weights` as they are, else trained into a folder each under `out`.

    With `weights` nothing is trained: an input set whose file is missing there is an InputError, a variation is left
    out and named in the notes.
    """
    main, notes = {}, []
    for name in INPUT_SETS_STUDIED:
        if weights is not None:
            main[name] = _given(weights, name)
            if main[name].checkpoint.inputs.name != name:
                raise InputError(
                    f"{main[name].path}: is a network for {main[name].checkpoint.inputs.name}, not for {name}"
                )
        else:
            main[name] = _trained(study, out, name, name, preset.train, reporter)
    varied = {}
    for variation in VARIATIONS if variations else ():
        if weights is None:
            config = variation.config(preset.variation_train)
            varied[variation.name] = _trained(study, out, variation.name, VARIED_INPUT_SET, config, reporter)
        elif (weights / f"{variation.name}.safetensors").is_file():
            varied[variation.name] = _given(weights, variation.name)
    if weights is not None:
        notes.append(f"Nothing was trained in this study: weights from {weights.name}.")
        missing = [one.name for one in VARIATIONS if one.name not in varied]
        if missing and variations:
            notes.append(f"No weights for these variations of the network: {', '.join(missing)}.")
    if not variations:
        notes.append("Variations of the network were not asked for.")
    return Networks(main, varied, tuple(notes))


def _given(weights: Path, name: str) -> Network:
    path = weights / f"{name}.safetensors"
    if not path.is_file():
        present = ", ".join(sorted(one.name for one in weights.glob("*.safetensors"))) or "no weights"
        raise InputError(
            f"{path}: is missing: --weights must hold one file per input set (it holds: {present})"
        )
    checkpoint = load_checkpoint(path)
    version = checkpoint.training.get("version", "unknown")
    folder = weights / name if (weights / name / "curves.csv").is_file() else None
    return Network(name, path, checkpoint, f"given, trained by version {version}", folder, given=True)


def _trained(
    study: Path, out: Path, label: str, inputs: str, config: TrainConfig, reporter: Reporter
) -> Network:
    folder = out / label
    path = folder / f"{inputs}.safetensors"
    if path.is_file():
        # hashing the whole study again for each network would take longer than everything else of a second run
        check_stage(folder, make_provenance("train", {"train": config, "input_set": inputs}, config.seed))
        return Network(label, path, load_checkpoint(path), "trained in this study", folder)
    begun = time.monotonic()
    path = train_study(study, folder, inputs, config, reporter)
    minutes = (time.monotonic() - begun) / 60
    reporter.say(f"{label}: network ready ({minutes:.1f} min).")
    return Network(label, path, load_checkpoint(path), "trained in this study", folder)
