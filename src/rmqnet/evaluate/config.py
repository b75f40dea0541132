"""What is compared, and how the intervals are made."""

from dataclasses import dataclass

from rmqnet.domain.errors import InputError
from rmqnet.domain.tissues import SEGMENTED

PURE_CARTILAGE = "pure_cartilage"
"""Region of evaluation: cartilage voxels that are not mixed with bone or fluid (simulated subjects only)."""
PURE_FRACTION = 0.95
"""Cartilage fraction from which on a voxel counts as pure cartilage (default)."""


@dataclass(frozen=True)
class EvaluateConfig:
    """Settings of the evaluation."""

    regions: tuple[str, ...] = ("cartilage", *SEGMENTED[:4], "meniscus")
    """Tissues and unions of tissues with rows of their own; the paper has cartilage only, the rest is ours."""
    quantities: tuple[str, ...] = ("T1", "T1rho", "B1", "M0")
    """Maps to compare; the paper gives T1 and T1rho, the other two are ours."""
    minimum_roi_voxels: int = 20
    """Voxels that a slice needs in both masks to count as a region of interest (default)."""
    n_bootstrap: int = 1000
    """Resamples of the subjects for the 95 % intervals (default; the paper gives no intervals)."""
    n_permutations: int = 1999
    """Permutations of the subjects for the p values (default)."""
    seed: int = 0
    """Seed of both; every input set sees the same resamples (default)."""
    histogram_bins: int = 100
    """Bins per axis of the voxel density figures (default)."""

    def __post_init__(self) -> None:
        """Refuse settings that leave nothing to compare."""
        if not self.regions or not self.quantities:
            raise InputError("regions and quantities must each name at least one thing to compare")
        for name in ("minimum_roi_voxels", "n_bootstrap", "n_permutations", "histogram_bins"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)!r}")
