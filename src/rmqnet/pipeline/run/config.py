"""What a run does."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from rmqnet.domain.errors import InputError
from rmqnet.evaluate.config import EvaluateConfig
from rmqnet.fit.config import FitConfig
from rmqnet.io.kspace_units import Units
from rmqnet.pipeline.sources import B1Source, SpinLockSource
from rmqnet.reconstruct.config import ReconstructConfig
from rmqnet.register.config import RegisterConfig
from rmqnet.train.config import Targets

Wanted = Literal["check", "register", "fit", "predict", "evaluate"]
"""Steps that a user may want or not; images are made of k-space wherever a study has nothing else."""
Step = Literal["reconstruct", "check", "compare", "register", "fit", "predict", "evaluate"]
"""Everything that a worker does, in the order of a run; `compare` holds the checked subjects against each other."""
FOLDERS: dict[Step, str] = {
    "reconstruct": "images",
    "check": "checks",
    "register": "registered",
    "fit": "maps",
    "predict": "predicted",
    "evaluate": "report",
}
"""Where the output of each step lies in the folder of a run."""


@dataclass(frozen=True)
class RunConfig:
    """Which steps, and how each is done."""

    steps: tuple[Wanted, ...] = ("check", "fit", "predict", "evaluate")
    """Steps to do, each where it can be: predict needs a network, evaluate predictions and a reference. register is
    left out by default: docs/decisions/019-one-run.md says why."""
    reconstruct: ReconstructConfig = field(default_factory=ReconstructConfig)
    """How images are made of k-space."""
    registration: RegisterConfig = field(default_factory=RegisterConfig)
    """How images are brought into one place."""
    fit: FitConfig = field(default_factory=FitConfig)
    """How maps are fitted."""
    b1_from_network: bool = False
    """Subjects without AFI images and B1 map: fit with the B1 that the largest shipped network predicts whose images
    they have."""
    evaluation: EvaluateConfig = field(default_factory=EvaluateConfig)
    """What is compared with the reference."""

    def __post_init__(self) -> None:
        """Refuse unknown steps, and a run of none."""
        for step in self.steps:
            if step not in get_args(Wanted):
                raise InputError(f"steps must be among {', '.join(get_args(Wanted))}, got {step!r}")
        if not self.steps:
            raise InputError("steps must name at least one step")


@dataclass(frozen=True)
class Plan:
    """One run, as every worker gets it; all paths are absolute."""

    study: Path
    """The study as it came (BIDS): images or k-space."""
    out: Path
    """Folder of the run."""
    config: RunConfig
    raw: bool
    """True where the study holds k-space and images are to be made of it."""
    checkpoint: Path | None = None
    """Weights for `predict`; None: a shipped network."""
    source: SpinLockSource = field(default_factory=SpinLockSource)
    """Where the study states spin-lock times."""
    b1_source: B1Source = field(default_factory=B1Source)
    """What the user says about B1 maps."""
    trajectory_units: Units | None = None
    """Unit of the trajectory of k-space that does not state it."""
    network: str | None = None
    """Input set of the shipped network, one for everybody; None: chosen in the run when all images are there."""
    targets: Targets = "reference"
    """What the shipped network has learned."""

    @property
    def images(self) -> Path:
        """The study of images as they were taken."""
        return self.out / FOLDERS["reconstruct"] if self.raw else self.study

    @property
    def aligned(self) -> Path:
        """The study of images that maps are made from."""
        return self.out / FOLDERS["register"] if "register" in self.config.steps else self.images

    def folder(self, step: Step, subject: str) -> Path:
        """Where the output of a step about a subject gets its name."""
        root = self.out / FOLDERS[step]
        return root / f"sub-{subject}" if subject else root


SMALLER = "smaller_network"
"""Name of the findings about subjects that keep all others from a larger network."""


@dataclass(frozen=True)
class Noted:
    """One finding of the checks, in a form that any process can read."""

    severity: str
    """note, warning or error."""
    subject: str
    """Label without "sub-"."""
    rule: str
    """Key of the rule (docs/reference/checks.md), unlike_training for the flags of a prediction, or smaller_network
    for a subject whose images keep the others from the network that most could have."""
    sentence: str
    """What is wrong and what to do."""


@dataclass(frozen=True)
class Result:
    """What has become of one step of one subject."""

    step: Step
    """The step."""
    subject: str
    """Label without "sub-"; empty for a step about all subjects."""
    outcome: Literal["done", "kept", "failed"]
    """kept: it was there already, made of the same contents with the same settings."""
    reason: str = ""
    """Why it failed."""
    hopeless: bool = False
    """True where the reason concerns all subjects, as a full disk does."""
    findings: tuple[Noted, ...] = ()
    """What the checks found, and how a scan differs from those that its network knows."""
    said: tuple[str, ...] = ()
    """Remarks of the stage."""
    seconds: float = 0.0
    """How long it took [s]."""


@dataclass
class Outcome:
    """What has become of a run."""

    subjects: tuple[str, ...]
    """Everybody who was meant."""
    failures: dict[str, list[str]] = field(default_factory=dict)
    """Why, as "step: reason", by subject; the subject "" is the report about all of them."""
    findings: list[Noted] = field(default_factory=list)
    """What the checks found."""
    over: bool = False
    """True where the run came to its end."""

    @property
    def complete(self) -> list[str]:
        """Subjects without a failure, once the run is over."""
        return [name for name in self.subjects if name not in self.failures] if self.over else []
