"""Options of the training."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from rmqnet.domain.errors import InputError

Precision = Literal["auto", "bfloat16", "float32"]
TargetScaling = Literal["table", "house"]
Targets = Literal["reference", "truth"]


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained. Adam is the paper's optimizer."""

    epochs: int = 600
    """Passes over all training slices: 600 in the paper (Training and Testing)."""
    learning_rate: float = 0.001
    """Learning rate at the start of each cycle: 0.001 in the paper."""
    n_cycles: int = 3
    """Cosine cycles of the learning rate, each from its start down to 0: our reading of the paper's "3-steps".
    With fewer epochs than cycles the learning rate stays at its start."""
    batch_size: int = 8
    """Slices per step: a default, the paper gives none."""
    bce_weight: float = 0.5
    """Lambda of equation 2, binary cross entropy against Dice loss: a default, the paper gives none."""
    map_weight: float = 1.0
    """Gamma 1 of equation 3, weight of the map loss: a default, the paper gives none."""
    segmentation_weight: float = 1.0
    """Gamma 2 of equation 3, weight of the segmentation loss: a default, the paper gives none."""
    region_weight: float = 1.0
    """Weight of voxels inside the segmented tissues in the map loss, over that of all others. 1, the default: all
    voxels alike, our reading of equation 1."""
    physics_weight: float = 0.0
    """Weight of the difference between the images and those that the signal equations give from the predicted maps.
    0, the default: none; the paper mentions such a loss without its form."""
    target_scaling: TargetScaling = "table"
    """Units of the maps in the loss: a default, the paper gives none. table: T1 / 1 s, T1rho / 50 ms, B1, M0 / (5
    times the brightest images); house: seconds and images' units, so that T1rho hardly counts."""
    targets: Targets = "reference"
    """Maps to learn: the fitted reference, as in the paper, or the truth, which only a simulated study has. A network
    that learns fits repeats what is wrong with them; one that learns the truth knows simulated knees only."""
    backbone: str = "rmqnet"
    """Network, of the table BACKBONES; rmqnet is the paper's."""
    base_width: int = 16
    """Channels of the first level: a default that two CPU cores can train; 64 reads the paper as a common U-Net."""
    crop: int | None = None
    """Edge of the square cut from each training slice [voxel]; None: whole slices, as in the paper."""
    accumulate: int = 1
    """Batches whose gradients are added up for one step: a default; more of them stand for a larger batch."""
    n_devices: int | None = None
    """Processes that share each epoch, each with batches of its own (Lightning DDP): a default; None: one for each
    GPU, or one on the processor."""
    precision: Precision = "auto"
    """Arithmetic: a default; auto takes bfloat16 where the processor is fast in it, else float32."""
    seed: int = 0
    """Seed of the first weights, the order of slices and their augmentation: a default."""

    def __post_init__(self) -> None:
        """Refuse numbers that can't train."""
        for name in ("epochs", "n_cycles", "batch_size", "base_width", "accumulate", "n_devices"):
            if (getattr(self, name) or 1) < 1 or getattr(self, name) == 0:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be positive and finite, got {self.learning_rate!r}")
        if not 0 <= self.bce_weight <= 1:
            raise InputError(f"bce_weight must be in [0, 1], got {self.bce_weight!r}")
        if not 0 < self.region_weight < math.inf:
            raise InputError(f"region_weight must be positive and finite, got {self.region_weight!r}")
        for name in ("map_weight", "segmentation_weight", "physics_weight", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} must be finite and not negative, got {getattr(self, name)!r}")
        if self.crop is not None and self.crop < 32:
            raise InputError(f"crop must be at least 32 voxels, got {self.crop!r}")
        for name, known in (
            ("precision", Precision),
            ("target_scaling", TargetScaling),
            ("targets", Targets),
        ):
            if getattr(self, name) not in get_args(known):
                raise InputError(
                    f"{name} must be one of {', '.join(get_args(known))}, got {getattr(self, name)!r}"
                )
