"""Settings of the simulated cohort."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from rmqnet.domain.errors import InputError
from rmqnet.encoding.cones_settings import ConesSettings, cones_preset

Version = Literal["matched", "mismatch"]


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
    """Lowest and highest efficiency of the fat saturation of a subject (1: ideal), where the field is even. Default."""
    readout_duration: float = 0.001116
    """Duration of a read-out [s], which blurs fat and tissues of short T2*: Wan 2020 (PHYSICS 3.2), the paper's is
    unknown."""
    version: Version = "matched"
    """matched: images follow the model that is fitted. mismatch: they depart from it (spoke spacing, pulse efficiency,
    magnetization transfer, two T1rho per voxel), and the fit does not know."""
    group_effect: float = 1.0
    """Differences of cartilage between the groups, relative to the default (d of 0.8-1.0 between controls and
    moderate-severe); about 2.4 are reported for knees before surgery (PMC9421031)."""
    magic_angle: float = 0.0
    """Relative rise of T1rho of deep cartilage whose fibers lie at 55 degrees to the field; 0: none. Default."""
    motion: float = 0.0
    """Drift of the knee during each image, standard deviation at its end [mm], which blurs and ghosts. Default."""
    rotation_between: float = 0.0
    """Largest rotation of the knee between images, about any axis [degree]; 0: none. PHYSICS 4: up to 3."""
    translation_between: float = 0.0
    """Largest translation of the knee between images [mm]; 0: none. PHYSICS 4: up to 3."""
    deformation_between: float = 0.0
    """Largest smooth displacement of soft tissue between images [mm]; 0: none. PHYSICS 4: up to 2."""
    cartilage_slices: bool = False
    """Keep only the sagittal slices between the first and the last that holds cartilage. Default."""

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
        if self.version not in get_args(Version):
            raise InputError(f"version must be one of {', '.join(get_args(Version))}, got {self.version!r}")
        for name, lowest, highest, unit in (
            ("readout_duration", 1e-4, 0.01, " s"),
            ("group_effect", 0.0, 4.0, ""),
            ("magic_angle", 0.0, 1.0, ""),
            ("motion", 0.0, 5.0, " mm"),
            ("rotation_between", 0.0, 20.0, " degrees"),
            ("translation_between", 0.0, 20.0, " mm"),
            ("deformation_between", 0.0, 4.0, " mm"),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise InputError(f"{name} must be in [{lowest:g}, {highest:g}]{unit}, got {value:g}")

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel (z, y, x) [mm]."""
        z, y, x = (side / n for side, n in zip(self.field_of_view, self.shape, strict=True))
        return z, y, x


MOTION_BETWEEN: dict[str, float] = {
    "rotation_between": 3.0,
    "translation_between": 3.0,
    "deformation_between": 2.0,
}
"""Motion between images of a study of half an hour: PHYSICS 4, a proposal."""

PRESETS: dict[str, SimulateConfig] = {
    "paper": SimulateConfig(),
    "small": replace(SimulateConfig(), cartilage_slices=True),
    "demo": replace(SimulateConfig(), n_subjects=12, shape=(18, 128, 128)),
}
"""Named cohorts: the paper's; its slices through cartilage only; few knees on a coarse grid for a first look."""


def preset(name: str) -> SimulateConfig:
    """The settings of this name; an InputError lists the known ones."""
    if name not in PRESETS:
        raise InputError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]


@dataclass(frozen=True)
class KSpaceConfig:
    """A scan that is simulated as k-space: what SimulateConfig leaves to images."""

    cones: ConesSettings = ConesSettings()  # noqa: RUF009  # frozen
    """Read-out and spokes of the VFA and T1rho images; matrix and field of view are those of the cohort."""
    n_coils: int = 8
    """Receive coils around the leg. Default."""
    surround: tuple[float, float, float] = (12.0, 37.5, 4.5)
    """Leg beyond the field of view on each side (z, y, x) [mm] that is excited too, and aliases. Default."""
    field_range: float = 60.0
    """Largest frequency by which the main field is off in the middle of the leg [Hz]; 0: none. Default."""
    gradient_delay: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Delay of the gradients (z, y, x) behind the samples [s], which a reconstruction does not know of. Default."""
    translation: float = 0.0
    """Drift of the leg during each image, standard deviation at its end along each axis [mm]. Default."""
    rotation: float = 0.0
    """Turning of the leg during each image, standard deviation at its end about each axis [degree]. Default."""
    noise: bool = True
    """False: no noise. Default."""

    def __post_init__(self) -> None:
        """Refuse what no scanner has."""
        if not 1 <= self.n_coils <= 128:
            raise InputError(f"n_coils must be 1 to 128, got {self.n_coils}")
        for name, lowest, highest, unit in (
            ("surround", 0.0, 200.0, "mm"),
            ("gradient_delay", -5e-5, 5e-5, "s"),
        ):
            values = getattr(self, name)
            if not all(lowest <= value <= highest for value in values):
                raise InputError(
                    f"{name} must be in [{lowest:g}, {highest:g}] {unit} along each axis, got {values}"
                )
        for name, highest, unit in (
            ("field_range", 500.0, "Hz"),
            ("translation", 5.0, "mm"),
            ("rotation", 5.0, "degree"),
        ):
            if not 0 <= getattr(self, name) <= highest:
                raise InputError(f"{name} must be in [0, {highest:g}] {unit}, got {getattr(self, name):g}")


def kspace_preset(trajectory: str) -> KSpaceConfig:
    """The settings with the trajectory of this name; an InputError lists the known ones."""
    return KSpaceConfig(cones=cones_preset(trajectory))
