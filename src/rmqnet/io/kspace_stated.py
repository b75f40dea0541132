"""What the user says about a file of k-space, where the file does not say it or says it wrongly."""

import math
from dataclasses import dataclass
from typing import Literal

from rmqnet.domain.acquisition import Method
from rmqnet.domain.errors import InputError
from rmqnet.io.kspace_units import Units

Center = Literal["between", "voxel"]
"""What position k-space refers to: the middle between the first and the last voxel, or the center of voxel n // 2. They
differ by half a voxel along axes of an even number of voxels."""


@dataclass(frozen=True)
class Stated:
    """Settings for files that lack them; what is said here wins over the file, and where both differ it is told."""

    trajectory_units: Units | None = None
    """Unit of the trajectory; 1/voxel is -0.5 to 0.5, rad/voxel -pi to pi, 1/fov cycles per field of view."""
    center: Center | None = None
    """Position that k-space refers to: between (default), the middle between first and last voxel; voxel, the center of
    voxel n // 2 (counted from 0), as after a Fourier transform with fftshift."""
    dummies: int | None = None
    """Read-outs at the start of each contrast that prepare the magnetization only and are left out."""
    group: str | None = None
    """Group of the file to read, where it has several; None: all of them."""
    matrix: tuple[int, int, int] | None = None
    """Voxels of the image to make, in the order of the file's axes (ISMRMRD: read, phase, slice)."""
    field_of_view: tuple[float, float, float] | None = None
    """Field of view of the image to make [mm], in the same order."""
    method: Method | None = None
    """Method of the images."""
    flip_angle: tuple[float, ...] = ()
    """Flip angle [degree]: one for all contrasts, or one for each."""
    echo_time: tuple[float, ...] = ()
    """Echo time [s], likewise."""
    repetition_time: tuple[float, ...] = ()
    """Repetition time [s], likewise: from excitation to excitation; of a spin lock, from preparation to
    preparation."""
    spin_lock_time: tuple[float, ...] = ()
    """Spin-lock time [s], likewise."""
    spokes_per_preparation: int | None = None
    """Read-outs after each preparation."""
    spoke_spacing: float | None = None
    """Time from read-out to read-out after a preparation [s]."""

    def __post_init__(self) -> None:
        """Refuse what no file can have."""
        if self.dummies is not None and self.dummies < 0:
            raise InputError(f"--dummies must be 0 or more, got {self.dummies}")
        if self.matrix is not None and min(self.matrix) < 1:
            raise InputError(f"--matrix must be three numbers of 1 or more, got {self.matrix}")
        if self.field_of_view is not None and not all(0 < side < math.inf for side in self.field_of_view):
            raise InputError(f"--field-of-view must be three lengths in mm, got {self.field_of_view}")

    @property
    def of_one_file(self) -> tuple[str, ...]:
        """Options in use that hold for one file and not for a study of several."""
        names = (
            "group", "matrix", "field_of_view", "method", "flip_angle", "echo_time", "repetition_time",
            "spin_lock_time", "spokes_per_preparation", "spoke_spacing",
        )  # fmt: skip
        return tuple(f"--{name.replace('_', '-')}" for name in names if getattr(self, name) not in (None, ()))
