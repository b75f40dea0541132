"""Settings of the registration; what elastix is told stands in `parameters.py`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rmqnet.domain.errors import InputError

Quality = Literal["full", "fast"]
Linear = Literal["rigid", "affine"]


@dataclass(frozen=True)
class RegisterConfig:
    """How the images of a study are brought into one place. The paper: elastix, affine, then B-spline."""

    fixed: str | None = None
    """Label of the image that stays, as on the page ("FA 10", "TSL 0 ms"); None: FA 10, else the VFA image of the
    angle nearest to it, else the shortest spin-lock time. Default."""
    quality: Quality = "full"
    """fast: rigid against the fixed image, then against what the other images predict. full: then soft tissue by
    B-splines, kept for a volume only where they help much (`smallest_soft_gain`). Default."""
    linear: Linear = "rigid"
    """Transform before the soft tissue. The paper has affine; a bone does not stretch: our default."""
    joint_box: tuple[float, float, float, float, float, float] = (0.1, 0.9, 0.22, 0.78, 0.15, 0.85)
    """Part of the image that is registered and judged: from and to, as parts of the extent, of z, y and x. Default."""
    smallest_motion: float = 0.3
    """Mean displacement in the joint box [mm] up to which a volume counts as still and is left as it is: half a voxel
    in the plane of the paper's images. Default."""
    smallest_gain: float = 0.02
    """Part by which a correction must lower the misfit to the prediction, or it is not trusted. Default."""
    smallest_soft_gain: float = 0.15
    """Part by which soft tissue must lower the misfit that the rigid motion leaves, or it is not followed. B-splines
    lower it by up to 0.09 on a real knee that did not move, by 0.22 and more wherever they help on a simulated one.
    Default."""
    largest_motion: float = 15.0
    """Displacement in the joint box [mm] beyond which a result is not believed. Default."""
    parameter_files: tuple[Path, ...] = ()
    """Your own elastix parameter files, run one after the other in place of ours against the fixed image."""

    def __post_init__(self) -> None:
        """Refuse what no knee could be registered with."""
        for name, choices in (("quality", Quality), ("linear", Linear)):
            if getattr(self, name) not in get_args(choices):
                raise InputError(
                    f"{name} must be one of {', '.join(get_args(choices))}, got {getattr(self, name)!r}"
                )
        for low, high in zip(self.joint_box[::2], self.joint_box[1::2], strict=True):
            if not 0 <= low < high <= 1:
                raise InputError(f"joint_box must be rising parts within [0, 1], got {self.joint_box}")
        for name, low, high in (
            ("smallest_motion", 0.0, 5.0),
            ("smallest_gain", 0.0, 0.5),
            ("smallest_soft_gain", 0.0, 0.9),
            ("largest_motion", 1.0, 100.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} must be in [{low:g}, {high:g}], got {value:g}")
