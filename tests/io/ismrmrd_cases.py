"""ISMRMRD files as others write them: read-outs of an analytic phantom in two dimensions, by the ismrmrd library."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ismrmrd
import ismrmrd.xsd as xsd
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from _ellipses import LEG, inside, radial, reference, spirals, transform

N, FOV, THICK = 48, 120.0, 4.0
PATHS = {"spirals": spirals(N, FOV, 10, 400), "radial": radial(N, FOV, 76, 96)}
WANTED = np.abs(reference(N, FOV, LEG))


def read(path: np.ndarray) -> np.ndarray:
    """Samples (spoke, read) of the slice along a trajectory (spoke, read, 2) [1/mm], order y, x."""
    return (THICK * transform(path, LEG, FOV)).astype(np.complex64)


def off(image: np.ndarray, wanted: np.ndarray = WANTED) -> float:
    """Error of an image (y, x) within the leg, relative to the object."""
    where = inside(N, LEG[0])
    return float(np.linalg.norm((image - wanted)[where]) / np.linalg.norm(wanted[where]))


@dataclass
class Others:
    """A file of one contrast: a trajectory (spoke, read, y and x) [1/mm], how it is written, what the header says."""

    path: np.ndarray
    unit: float = 1.0
    """Times which the trajectory is written."""
    matrix: tuple[int, int, int] = (N, N, 1)
    field_of_view: tuple[float, float, float] = (FOV, FOV, THICK)
    strings: dict[str, str] = field(default_factory=lambda: {"TrajectoryUnits": "1/mm", "Method": "vfa"})
    flip_angle: Sequence[float] = (10.0,)
    times: dict[str, list[float]] = field(default_factory=lambda: {"TE": [0.05], "TR": [20.0]})
    limits: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    heads: list[dict[str, Any]] = field(default_factory=list)

    def add(self, samples: np.ndarray, *, flag: int = 0, first: int = 0, **idx: int) -> "Others":
        """Add a read-out of every spoke of the trajectory; `idx` are further counters."""
        for spoke, own in enumerate(samples):
            self.heads.append(
                {"samples": own, "spoke": spoke, "step": first + spoke, "flag": flag, "idx": idx}
            )
        return self

    def write(self, target: Path, group: str = "dataset") -> Path:
        """Write the file, or one more group of it."""
        with ismrmrd.Dataset(str(target), group, mode="a") as file:
            file.write_xml_header(xsd.ToXML(self.header()).encode())
            for head in self.heads:
                file.append_acquisition(self._acquisition(head))
        return target

    def header(self) -> Any:
        x, y, z = self.matrix
        a, b, c = self.field_of_view
        space = xsd.encodingSpaceType(
            matrixSize=xsd.matrixSizeType(x=x, y=y, z=z), fieldOfView_mm=xsd.fieldOfViewMm(x=a, y=b, z=c)
        )
        limits = {
            name: xsd.limitType(minimum=low, maximum=high, center=center)
            for name, (low, high, center) in self.limits.items()
        }
        return xsd.ismrmrdHeader(
            experimentalConditions=xsd.experimentalConditionsType(H1resonanceFrequency_Hz=123_000_000),
            encoding=[
                xsd.encodingType(
                    encodedSpace=space,
                    reconSpace=space,
                    encodingLimits=xsd.encodingLimitsType(**limits),
                    trajectory=xsd.trajectoryType.SPIRAL,
                )
            ],
            sequenceParameters=xsd.sequenceParametersType(flipAngle_deg=list(self.flip_angle), **self.times),
            userParameters=xsd.userParametersType(
                userParameterString=[
                    xsd.userParameterStringType(name=name, value=value)
                    for name, value in self.strings.items()
                ]
            ),
        )

    def _acquisition(self, head: dict[str, Any]) -> ismrmrd.Acquisition:
        own = np.atleast_2d(head["samples"]).astype(np.complex64)
        # read is x, phase is y
        path = np.ascontiguousarray(self.unit * self.path[head["spoke"]][:, ::-1], np.float32)
        row = ismrmrd.Acquisition.from_array(own, path)
        row.sample_time_us = 2.0
        row.idx.kspace_encode_step_1 = head["step"]
        row.read_dir[:], row.phase_dir[:], row.slice_dir[:] = (0, 1, 0), (0, 0, -1), (1, 0, 0)
        row.position[:] = (5.0, 0.0, 0.0)
        for name, value in head["idx"].items():
            if name == "place":
                row.position[0] = value
            else:
                setattr(row.idx, name, value)
        if head["flag"]:
            row.set_flag(head["flag"])
        return row
