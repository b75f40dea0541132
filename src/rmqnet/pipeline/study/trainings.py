"""Where the networks of a study come from: trained here, or given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmqnet.domain.errors import InputError
from rmqnet.io.store import check_stage, make_provenance
from rmqnet.networks.checkpoint import Checkpoint, checkpoint_files, load_checkpoint
from rmqnet.networks.history import beginning, learned_targets
from rmqnet.pipeline.progress import Reporter
from rmqnet.pipeline.study.clock import Clock
from rmqnet.pipeline.study.presets import INPUT_SETS_STUDIED, StudyPreset, Variation
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
    study: Path,
    out: Path,
    preset: StudyPreset,
    reporter: Reporter,
    clock: Clock,
    *,
    weights: Path | None,
    variations: bool,
) -> Networks:
    """Every network of the study: those in `weights` as they are, else trained into a folder each under `out`.

    With `weights` nothing is trained: what is missing there is left out and named in the notes; InputError where no
    input set is there. The time of each training goes to the clock.
    """
    wanted = preset.variations if variations else ()
    notes = () if variations else ("Variations of the network were not asked for.",)
    if weights is not None:
        return _all_given(weights, wanted, notes)
    main, varied = {}, {}
    for name in INPUT_SETS_STUDIED:
        with clock.part(f"training, {name}"):
            main[name] = _trained(study, out, name, name, preset.train, reporter)
    for one in wanted:
        with clock.part(f"training, {one.name}"):
            config = preset.train_of(one)
            varied[one.name] = _trained(study, out, one.name, one.inputs, config, reporter)
    return Networks(main, varied, notes)


def _all_given(weights: Path, wanted: Sequence[Variation], notes: Sequence[str]) -> Networks:
    """The networks of a folder, as they are."""
    variations = [one.name for one in wanted]

    def there(names: Sequence[str]) -> list[str]:
        return [name for name in names if _weights_file(weights, name).is_file()]

    main = {name: _given(weights, name) for name in there(INPUT_SETS_STUDIED)}
    if not main:
        present = ", ".join(sorted(one.name for one in weights.glob("*.safetensors"))) or "no weights"
        raise InputError(
            f"{weights}: holds no network of the study: --weights needs <input set>.safetensors of at least one of "
            f"{', '.join(INPUT_SETS_STUDIED)} (it holds: {present})"
        )
    varied = {name: _given(weights, name) for name in there(variations)}
    about = {name: (name, "reference") for name in main}
    about |= {one.name: (one.inputs, str(one.changes.get("targets", "reference"))) for one in wanted}
    for name, one in (*main.items(), *varied.items()):
        _check_given(one, *about[name])
    told = [f"Nothing was trained in this study: weights from {weights.name}."]
    for missing, what in (
        ([name for name in INPUT_SETS_STUDIED if name not in main], "input sets, which are left out"),
        ([name for name in variations if name not in varied], "variations of the network"),
    ):
        if missing:
            told.append(f"No weights for these {what}: {', '.join(missing)}.")
    return Networks(main, varied, (*told, *notes))


def _check_given(network: Network, inputs: str, targets: str) -> None:
    """Refuse a network under the name of another."""
    if network.checkpoint.inputs.name != inputs:
        raise InputError(
            f"{network.path}: is a network for {network.checkpoint.inputs.name}, not for {inputs}"
        )
    learned = learned_targets(network.checkpoint.training)
    if learned != targets:
        raise InputError(f"{network.path}: has learned the {learned}, not the {targets}: rename it")


def _weights_file(weights: Path, name: str) -> Path:
    """File of a network in a folder; those that learned the truth may lie in truth/, as in the package."""
    path = weights / f"{name}.safetensors"
    inside = weights / "truth" / f"{name.removesuffix('-truth')}.safetensors"
    return inside if name.endswith("-truth") and not path.is_file() else path


def _given(weights: Path, name: str) -> Network:
    path = _weights_file(weights, name)
    checkpoint = load_checkpoint(path)
    version = checkpoint.training.get("version", "unknown")
    folder = weights / name if (weights / name / "curves.csv").is_file() else None
    return Network(name, path, checkpoint, f"given, trained by version {version}", folder, given=True)


def _trained(
    study: Path, out: Path, label: str, inputs: str, config: TrainConfig, reporter: Reporter
) -> Network:
    folder = out / label
    path = folder / f"{inputs}.safetensors"
    if all(file.is_file() for file in checkpoint_files(path)):
        # hashing the whole study again for each network would take longer than everything else of a second run
        check_stage(folder, make_provenance("train", {"train": config, "input_set": inputs}, config.seed))
        checkpoint = load_checkpoint(path)
        if start := beginning(checkpoint.training):
            raise InputError(
                f"{path}: was started from {start}, which is not the training of this preset: move "
                "it elsewhere and give all networks by --weights, or delete its folder"
            )
        return Network(label, path, checkpoint, "trained in this study", folder)
    path = train_study(study, folder, inputs, config, reporter)
    reporter.say(f"{label}: network ready.")
    return Network(label, path, load_checkpoint(path), "trained in this study", folder)
