"""How large a study is: cohorts, budgets, and the variations of the network, one line each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rmqnet.domain.errors import InputError
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.config import preset as cohort_preset
from rmqnet.train.config import TrainConfig

INPUT_SETS_STUDIED = ("4FA+7TSL", "2FA+3TSL", "1FA+2TSL", "1FA+1TSL", "4FA+7TSL+AFI")
"""The four of Table 1, and the one that can know B1."""
VARIED_INPUT_SET = "2FA+3TSL"
"""Images that variations of the network get."""
SAME_BUDGET = "rmqnet"
"""Variation that differs from the network of the study in its budget alone: what the others are compared with."""
FRESH_SEED = 902_401
"""Seed of the people who are only ever tested on: far from any seed of a cohort to learn from."""


@dataclass(frozen=True)
class Variation:
    """A network that differs from that of the study in one thing."""

    name: str
    """Name of its folder and checkpoint."""
    what: str
    """What differs, for a table."""
    changes: Mapping[str, object] = field(default_factory=dict)
    """Fields of TrainConfig that differ."""
    maps: bool = True
    """False where it gives no maps worth scoring."""
    segmentation: bool = True
    """False where it gives no regions worth scoring."""
    inputs: str = VARIED_INPUT_SET
    """Images that it gets."""
    full_budget: bool = False
    """True where it is trained as long as the networks of Table 1, not with the part of a variation."""

    def config(self, base: TrainConfig) -> TrainConfig:
        """The training of this variation."""
        return replace(base, **self.changes)  # pyright: ignore[reportArgumentType]  # checked by TrainConfig


BASELINES: tuple[Variation, ...] = (
    Variation(SAME_BUDGET, "the network of the study, with the budget of the variations"),
    Variation("maps-only", "U-Net for the maps alone", {"backbone": "maps_only"}, segmentation=False),
    Variation(
        "segmentation-only", "U-Net for the regions alone", {"backbone": "segmentation_only"}, maps=False
    ),
    Variation("one-decoder", "one decoder for all maps", {"backbone": "one_decoder"}),
    Variation("perceptron", "every voxel for itself", {"backbone": "perceptron"}),
)
"""Other networks; the first is what the others and the ablations are to be compared with: the same budget."""

ABLATIONS: tuple[Variation, ...] = (
    Variation("lambda-0.3", "lambda 0.3 in place of 0.5", {"bce_weight": 0.3}),
    Variation("lambda-0.7", "lambda 0.7 in place of 0.5", {"bce_weight": 0.7}),
    Variation("gamma1-0.3", "gamma 1 0.3 in place of 1", {"map_weight": 0.3}),
    Variation("gamma1-3", "gamma 1 3 in place of 1", {"map_weight": 3.0}),
    Variation("gamma2-0.1", "gamma 2 0.1 in place of 1", {"segmentation_weight": 0.1}),
    Variation("gamma2-0.5", "gamma 2 0.5 in place of 1", {"segmentation_weight": 0.5}),
    Variation("physics-0.1", "physics loss of weight 0.1", {"physics_weight": 0.1}),
    Variation("physics-1", "physics loss of weight 1", {"physics_weight": 1.0}),
    Variation("scaling-house", "maps in seconds in the loss", {"target_scaling": "house"}),
    Variation("region-1", "voxels of segmented tissue count as all others", {"region_weight": 1.0}),
    Variation("region-10", "voxels of segmented tissue count tenfold", {"region_weight": 10.0}),
)
"""What the paper leaves out."""

TRUTH_LEARNERS: tuple[Variation, ...] = tuple(
    Variation(
        f"{inputs}-truth",
        "network that has learned what was simulated",
        {"targets": "truth"},
        inputs=inputs,
        full_budget=True,
    )
    for inputs in ("4FA+7TSL+AFI", VARIED_INPUT_SET)
)
"""Networks that do not learn what is wrong with fits; no real scan has such a truth."""

VARIATIONS: tuple[Variation, ...] = (*BASELINES, *ABLATIONS, *TRUTH_LEARNERS)
"""Every network beside those of Table 1."""


@dataclass(frozen=True)
class StudyPreset:
    """Size of a study; every number is stated in its report."""

    cohort: SimulateConfig
    """People to learn from, to choose the model and, untouched, to test."""
    train: TrainConfig
    """Training of each input set."""
    n_fresh: int
    """Fresh simulated people of the primary tables."""
    n_baselines: int
    """How many of them the baselines and variations are scored on."""
    n_shifted: int
    """People of each cohort that is unlike the training."""
    n_counterfactual: int
    """People who are scanned again with one property changed."""
    variation_budget: float = 1 / 3
    """Part of the epochs that a variation gets."""
    n_bootstrap: int = 1000
    """Resamples of the subjects."""

    @property
    def variation_train(self) -> TrainConfig:
        """Training of most variations: the same with a part of the epochs."""
        return replace(self.train, epochs=max(1, round(self.train.epochs * self.variation_budget)))

    def train_of(self, variation: Variation) -> TrainConfig:
        """Training of this variation."""
        return variation.config(self.train if variation.full_budget else self.variation_train)

    @property
    def variations(self) -> tuple[Variation, ...]:
        """The variations that differ from what they are compared with: one may be what the preset does anyway."""
        base = self.variation_train
        return tuple(one for one in VARIATIONS if not one.changes or one.config(base) != base)

    def unseen(self, n_people: int, **changes: object) -> SimulateConfig:
        """Fresh people, scanned as the cohort is but for the changes."""
        return replace(self.cohort, n_subjects=n_people, seed=FRESH_SEED, **changes)  # pyright: ignore[reportArgumentType]


STUDY_PRESETS: dict[str, StudyPreset] = {
    # 12 knees of 18 x 128 x 128: shows every part in minutes, its numbers mean nothing
    "demo": StudyPreset(
        cohort=cohort_preset("demo"),
        train=TrainConfig(epochs=6, crop=96, learning_rate=0.002, n_cycles=1, base_width=8),
        n_fresh=5,
        n_baselines=4,
        n_shifted=2,
        n_counterfactual=3,
        n_bootstrap=200,
    ),
    # the 65 at full resolution; about half an hour for each input set on two cores
    "small": StudyPreset(
        cohort=cohort_preset("paper"),
        train=TrainConfig(epochs=18, crop=128, n_cycles=1, region_weight=10.0),
        n_fresh=100,
        n_baselines=16,
        n_shifted=6,
        n_counterfactual=4,
    ),
    # as the paper, whole slices and 600 epochs: for a GPU
    "paper": StudyPreset(
        cohort=cohort_preset("paper"),
        train=TrainConfig(),
        n_fresh=200,
        n_baselines=60,
        n_shifted=20,
        n_counterfactual=20,
    ),
}
"""Studies by name: their budgets stand here and nowhere else."""


def study_preset(name: str) -> StudyPreset:
    """The study of this name; an InputError lists the known ones."""
    if name not in STUDY_PRESETS:
        raise InputError(f"preset must be one of {', '.join(STUDY_PRESETS)}, got {name!r}")
    return STUDY_PRESETS[name]
