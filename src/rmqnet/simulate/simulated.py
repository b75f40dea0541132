"""What a simulation gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import MapSet, Segmentation
from rmqnet.domain.motion import Motion
from rmqnet.domain.scan import Scan
from rmqnet.domain.subject import Subject
from rmqnet.simulate.deviation import Deviation


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulated scan and its truth."""

    subject: Subject
    scan: Scan
    """Magnitude images with noise: series vfa, adiabatic_t1rho and, on its coarser grid, afi."""
    truth: MapSet
    """M0, T1, B1 and T1rho on the VFA grid: those of the tissue that the label of a voxel names.

    NaN in air (BACKGROUND); T1rho of fat is NaN (FAT), because saturated fat shows no T1rho.
    """
    labels: Segmentation
    """All tissues; cartilage and menisci are what they fill from half on (`rmqnet.simulate.rasterize.labels_of`)."""
    cartilage_fraction: NDArray[np.float32]
    """Part (z, y, x) of each voxel that is cartilage of any kind."""
    fluid_fraction: NDArray[np.float32]
    """Part (z, y, x) of each voxel that is synovial fluid."""
    snr: float
    """Mean signal of cartilage at a flip angle of 10 degrees over `noise`."""
    noise: float
    """Standard deviation of the noise in each of the two parts of a complex VFA or T1rho image."""
    deviation: Deviation
    """What the scan did that the fit does not know of; nothing in a matched cohort."""
    motions: Mapping[Acquisition, Motion] = field(default_factory=dict)
    """Motion of each image, from where the truth is to where the image was taken; empty where nothing moved."""
