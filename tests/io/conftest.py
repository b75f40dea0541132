"""A small study on disk."""

from pathlib import Path

import numpy as np
import pytest

from rmqnet.domain.grid import Grid, centered_grid
from rmqnet.domain.protocols import FULL
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.io.bids import write_scan
from rmqnet.io.participants import write_participants


@pytest.fixture
def grid() -> Grid:
    return centered_grid((4, 8, 6), (3.0, 0.6, 0.5))


@pytest.fixture
def subject() -> Subject:
    return Subject("01", "right", age=63.5, sex="female", kl_grade=2)


@pytest.fixture
def scan(grid: Grid, subject: Subject) -> Scan:
    random = np.random.default_rng(1)
    methods: dict = {}
    for acquisition in FULL.acquisitions:
        methods.setdefault(acquisition.method, []).append(acquisition)
    series = {}
    for method, acquisitions in methods.items():
        data = random.uniform(50.0, 100.0, (len(acquisitions), *grid.shape)).astype(np.float32)
        if method == "afi":
            data[1] *= 0.7  # the image with the long repetition time is the darker one
        series[method] = ImageSeries(data, tuple(acquisitions), grid)
    return Scan(subject, series)


@pytest.fixture
def study(tmp_path: Path, scan: Scan) -> Path:
    """Root of a raw study with all 13 images of one subject."""
    root = tmp_path / "study"
    folder = root / "sub-01"
    folder.mkdir(parents=True)
    write_scan(folder, scan)
    write_participants(root / "participants.tsv", [scan.subject])
    return root


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real data beside the repository."""
    return Path(__file__).resolve().parents[3] / "shared" / "data"
