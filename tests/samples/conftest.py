import numpy as np
import pytest

from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.protocols import adiabatic_t1rho, vfa
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject

GRID = centered_grid((4, 24, 20), (3.0, 0.6, 0.6))


@pytest.fixture
def study():
    """Function (side, gain) -> scan, reference, segmentation; slice 1 holds 40 cartilage voxels, slice 2 ten."""

    def make(side="right", gain=1.0):
        random = np.random.default_rng(3)
        images = random.uniform(50, 100, (2, *GRID.shape)).astype(np.float32)
        images[:, :, :4] = 1.0
        labels = np.zeros(GRID.shape, np.uint8)
        labels[1, 10:14, 5:15] = 1
        labels[2, 10:12, 5:10] = 2
        m0 = random.uniform(500, 900, GRID.shape).astype(np.float32)
        t1 = random.uniform(0.5, 1.5, GRID.shape).astype(np.float32)
        reason = np.zeros(GRID.shape, np.uint8)
        reason[:, :4] = Reason.BACKGROUND
        t1[:, :4] = np.nan
        scan = Scan(
            Subject("01", side),
            {
                "vfa": ImageSeries(images[:1] * np.float32(gain), (vfa(20.0),), GRID),
                "adiabatic_t1rho": ImageSeries(
                    images[1:] * np.float32(gain), (adiabatic_t1rho(0.048),), GRID
                ),
            },
        )
        maps = MapSet(
            {"M0": m0 * np.float32(gain), "T1": t1}, {"M0": np.zeros_like(reason), "T1": reason}, GRID
        )
        tissues = ("femoral_cartilage", "medial_tibial_cartilage")
        return scan, maps, Segmentation(labels, tissues, GRID)

    return make
