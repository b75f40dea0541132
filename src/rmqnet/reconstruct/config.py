"""Options of the reconstruction."""

from dataclasses import dataclass
from typing import Literal, get_args

from rmqnet.domain.errors import InputError

Algorithm = Literal["gridding", "cg_sense"]
Combination = Literal["sensitivities", "sum_of_squares"]
Output = Literal["magnitude", "complex"]


@dataclass(frozen=True)
class ReconstructConfig:
    """How images are made. The paper says gridding onto a 3D Cartesian space and a Fourier transform; no more."""

    algorithm: Algorithm = "gridding"
    """gridding: paper (density compensation and adjoint); cg_sense: iterative least squares over all coils, for
    undersampled spokes (Pruessmann 2001, MRM 46:638)."""
    combination: Combination = "sensitivities"
    """sensitivities: of least noise, with sensitivities given or estimated (Walsh 2000); sum_of_squares: its noise
    floor makes low signals, as of short T2*, too high. The paper does not say; default."""
    output: Output = "magnitude"
    """magnitude: paper; complex: with the phase that is finer than the coarse images of the coils."""
    spokes_part: float = 1.0
    """Part of the spokes to use, from the first on: 0.5 shows what a scan of half the time would give, if spokes were
    read in golden order. Default: all."""
    n_iterations: int = 5
    """Iterations of cg_sense; more of them resolve more and amplify noise. Default."""
    regularization: float = 0.0
    """Weight of the squared image in cg_sense, relative to fully sampled data. Default."""
    solved_field: tuple[float, float, float] | None = None
    """Field of view (z, y, x) that cg_sense solves for, relative to that of the image: what is excited beyond the image
    must have a place, or it spoils the image from its border on. Default: as far as the data show signal."""
    calibration_resolution: float = 5.0
    """Size of the finest detail [mm] in the coarse images from which sensitivities are estimated. Default."""
    density_iterations: int | None = None
    """Iterations of the density where the trajectory does not bring its own. Default: 30 in planes, 10 in three
    dimensions."""
    tolerance: float = 1e-3
    """Relative error of the Fourier transforms. Default."""

    def __post_init__(self) -> None:
        """Refuse combinations that have no meaning."""
        for name, choices in (("algorithm", Algorithm), ("combination", Combination), ("output", Output)):
            choice = getattr(self, name)
            if choice not in get_args(choices):
                raise InputError(f"{name} must be one of {', '.join(get_args(choices))}, got {choice!r}")
        if self.combination == "sum_of_squares" and self.algorithm == "cg_sense":
            raise InputError("cg_sense needs sensitivities: take another algorithm for sum_of_squares")
        if self.combination == "sum_of_squares" and self.output == "complex":
            raise InputError("sum_of_squares has no phase: take the output magnitude")
        if self.solved_field is not None and not all(1 <= factor <= 4 for factor in self.solved_field):
            raise InputError(f"solved_field must be in [1, 4] along each axis, got {self.solved_field}")
        for name, low, high in (
            ("spokes_part", 0.001, 1.0),
            ("n_iterations", 1, 1000),
            ("density_iterations", 1, 1000),
            ("regularization", 0.0, 10.0),
            ("calibration_resolution", 1.0, 50.0),
            ("tolerance", 1e-6, 0.1),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} must be in [{low:g}, {high:g}], got {value:g}")
