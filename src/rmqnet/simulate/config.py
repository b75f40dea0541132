"""Settings of the simulated cohort."""

from dataclasses import dataclass, replace

from rmqnet.domain.errors import InputError


@dataclass(frozen=True)
class SimulateConfig:
    """A seeded cohort of knees; the defaults give the composition and the images of the paper."""

    n_subjects: int = 65
    """Number of knees; 65: paper. Another number keeps the paper's proportions."""
    seed: int = 2024
    """Seed of the cohort; the same seed gives the same arrays. Default."""
    shape: tuple[int, int, int] = (36, 256, 256)
    """Voxels (z, y, x) of the VFA and T1rho images: paper, Data Acquisition."""
    field_of_view: tuple[float, float, float] = (108.0, 150.0, 150.0)
    """Field of view (z, y, x) [mm]: paper, Data Acquisition."""
    afi_matrix_factor: int = 2
    """How many times coarser the AFI grid is along each axis: paper (128 x 128 x 18)."""
    supersampling: tuple[int, int, int] = (3, 2, 2)
    """Points (z, y, x) by which a voxel that holds a tissue border is divided. Default."""
    snr_range: tuple[float, float] = (20.0, 60.0)
    """Lowest and highest signal-to-noise ratio of a subject: pure cartilage at 10 degrees. Default."""
    snr_mode: float = 30.0
    """Most frequent signal-to-noise ratio; with the default range the median is 35. Default."""
    fat_saturation_range: tuple[float, float] = (0.85, 1.0)
    """Lowest and highest efficiency of the fat saturation of a subject (1: ideal). Default."""

    def __post_init__(self) -> None:
        """Refuse settings that no cohort can be made from."""
        if self.n_subjects < 1:
            raise InputError(f"n_subjects must be at least 1, got {self.n_subjects}")
        if self.afi_matrix_factor < 1 or any(n % self.afi_matrix_factor for n in self.shape):
            raise InputError(
                f"shape must be divisible by afi_matrix_factor ({self.afi_matrix_factor}), got {self.shape}"
            )
        if min(self.shape) < 8:
            raise InputError(f"shape must have at least 8 voxels along each axis, got {self.shape}")
        if min(self.field_of_view) <= 0:
            raise InputError(f"field_of_view must be positive [mm], got {self.field_of_view}")
        if min(self.supersampling) < 1 or max(self.supersampling) > 6:
            raise InputError(f"supersampling must be 1 to 6 along each axis, got {self.supersampling}")
        low, high = self.snr_range
        if not 0 < low <= self.snr_mode <= high or low == high:
            raise InputError(
                f"snr_mode must lie in snr_range and the range must not be empty, got {self.snr_mode}"
                f" and {self.snr_range}"
            )
        low, high = self.fat_saturation_range
        if not 0 <= low <= high <= 1:
            raise InputError(f"fat_saturation_range must rise within [0, 1], got {self.fat_saturation_range}")

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel (z, y, x) [mm]."""
        z, y, x = (side / n for side, n in zip(self.field_of_view, self.shape, strict=True))
        return z, y, x


PRESETS: dict[str, SimulateConfig] = {
    "paper": SimulateConfig(),
    "demo": replace(SimulateConfig(), n_subjects=12, shape=(18, 128, 128)),
}
"""Named cohorts: the paper's, and a small one of the same field of view for a first look."""


def preset(name: str) -> SimulateConfig:
    """The settings of this name; an InputError lists the known ones."""
    if name not in PRESETS:
        raise InputError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]
