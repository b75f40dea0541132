import numpy as np
import pytest

from rmqnet.domain.protocols import input_set
from rmqnet.samples.sample import Sample


@pytest.fixture(autouse=True)
def always_one_thread(one_thread):
    """Every test of this folder runs a network."""


@pytest.fixture
def disks():
    """Function (subject, n, size) -> samples whose tissue is a bright disk and whose maps follow the images."""

    def make(subject, n=8, size=32, seed=None):
        random = np.random.default_rng(sum(map(ord, subject)) if seed is None else seed)
        rows, columns = np.mgrid[:size, :size]
        samples = []
        for index in range(n):
            row, column = random.uniform(size * 0.35, size * 0.65, 2)
            disk = np.hypot(rows - row, columns - column) < size / 5
            t1 = np.where(disk, random.uniform(0.8, 1.2), 0.4)
            first = np.where(disk, 0.9, 0.3) + random.normal(0, 0.02, disk.shape)
            samples.append(
                Sample(
                    signals=np.stack([first, first * t1]).astype(np.float32),
                    maps=np.stack([first * 2, t1]).astype(np.float32),
                    valid=np.ones((2, size, size), bool),
                    mask=disk[None],
                    subject=subject,
                    slice=index,
                    quantities=("M0", "T1"),
                    tissues=("femoral_cartilage",),
                    acquisitions=input_set("1FA+1TSL").acquisitions,
                    voxel_size=(3.0, 0.6, 0.6),
                )
            )
        return samples

    return make
