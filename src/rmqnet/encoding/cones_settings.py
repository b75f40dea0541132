"""Settings of a 3D cones trajectory, and the named ones."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from rmqnet.domain.errors import InputError

Order = Literal["golden", "sequential"]


@dataclass(frozen=True)
class ConesSettings:
    """Geometry, limits and timing of a 3D cones read-out; the cones stand around the z axis of the grid.

    The defaults are the geometry and the spokes of the paper; it does not print read-out, dwell time or limits.
    """

    shape: tuple[int, int, int] = (36, 256, 256)
    """Voxels (z, y, x) of the image: paper, Data Acquisition."""
    field_of_view: tuple[float, float, float] = (108.0, 150.0, 150.0)
    """Field of view (z, y, x) [mm]: paper, Data Acquisition."""
    read_duration: float = 0.001116
    """Duration of a read-out [s]: the shortest of Wan 2020 (NMR Biomed, abstract); the paper's is unknown."""
    n_spokes: int | None = 7100
    """Spokes; None: as many as full sampling needs. 7100 follow from the paper's 142 s at 20 ms."""
    gradient_limit: float = 0.050
    """Largest gradient [T/m]. Default."""
    slew_limit: float = 150.0
    """Largest slew rate of the gradient [T/m/s]. Default."""
    raster: float = 4e-6
    """Time step of the gradient waveform [s]. Default."""
    dwell_time: float = 3e-6
    """Time from sample to sample [s]: the paper's 166 kHz taken as half of the band width. Default."""
    n_base_cones: int = 32
    """Waveforms that are designed; the other cones are scaled from them. Default (PHYSICS 3.1)."""
    order: Order = "golden"
    """golden: any run of successive spokes covers all cones evenly; sequential: cone by cone. Default."""

    def __post_init__(self) -> None:
        """Refuse a geometry that cones can't cover and limits that no scanner has."""
        if min(self.shape) < 4 or min(self.field_of_view) <= 0:
            raise InputError(
                f"shape must be 4 or more voxels and field_of_view positive, got {self.shape} and {self.field_of_view}"
            )
        same_voxels = self.shape[1] == self.shape[2]
        if not same_voxels or abs(self.field_of_view[1] - self.field_of_view[2]) > 1e-6:
            raise InputError(
                "cones turn about z: shape and field_of_view must be the same along y and x,"
                f" got {self.shape} and {self.field_of_view}"
            )
        for name, low, high, unit in (
            ("read_duration", 1e-4, 0.05, "s"),
            ("gradient_limit", 1e-3, 1.0, "T/m"),
            ("slew_limit", 1.0, 2000.0, "T/m/s"),
            ("raster", 1e-7, 1e-4, "s"),
            ("dwell_time", 1e-7, 1e-4, "s"),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} must be in [{low:g}, {high:g}] {unit}, got {value:g}")
        if self.n_base_cones < 1 or (self.n_spokes is not None and self.n_spokes < 1):
            raise InputError("n_base_cones and n_spokes must be positive")
        if self.order not in get_args(Order):
            raise InputError(f"order must be one of {', '.join(get_args(Order))}, got {self.order!r}")

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel (z, y, x) [mm]."""
        z, y, x = (side / n for side, n in zip(self.field_of_view, self.shape, strict=True))
        return z, y, x

    @property
    def k_max(self) -> tuple[float, float]:
        """Half axes of the sampled ellipsoid [1/mm]: along z, and in the plane."""
        z, y, _ = self.voxel_size
        return 0.5 / z, 0.5 / y

    @property
    def n_reads(self) -> int:
        """Samples of a spoke; the first is at the center, the last at the end of k-space."""
        return round(self.read_duration / self.dwell_time)


CONES_PRESETS: dict[str, ConesSettings] = {
    "short": ConesSettings(),
    "stretched": ConesSettings(read_duration=0.002232),
    "full": ConesSettings(read_duration=0.00335),
    "fast": ConesSettings(shape=(24, 96, 96), n_spokes=None),
}
"""The paper's matrix and spokes with the two read-outs of Wan 2020 (undersampled), and with the read-out that samples
fully; a coarse one, fully sampled, for tests and first looks."""


def cones_preset(name: str) -> ConesSettings:
    """The settings of this name; an InputError lists the known ones."""
    if name not in CONES_PRESETS:
        raise InputError(f"trajectory must be one of {', '.join(CONES_PRESETS)}, got {name!r}")
    return CONES_PRESETS[name]


AFI_SPOKES_PART = 2475 / 7100
"""Spokes of an AFI image over those of a VFA image: 297 s at 120 ms, and 142 s at 20 ms."""


def afi_settings(settings: ConesSettings, factor: int = 2) -> ConesSettings:
    """Settings of the AFI images: the matrix `factor` times coarser, spokes in the proportion of the paper."""
    if any(n % factor for n in settings.shape):
        raise InputError(f"shape must be divisible by {factor} for AFI, got {settings.shape}")
    z, y, x = (n // factor for n in settings.shape)
    n_spokes = None if settings.n_spokes is None else max(1, round(settings.n_spokes * AFI_SPOKES_PART))
    return replace(settings, shape=(z, y, x), n_spokes=n_spokes)
