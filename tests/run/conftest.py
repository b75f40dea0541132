"""A study of three small blocks of tissue, which are fitted in no time."""

from pathlib import Path

import numpy as np
import pytest
from run_cases import CONFIG, NAMES

from rmqnet.domain.grid import centered_grid
from rmqnet.domain.protocols import vfa
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.io.bids import write_scan
from rmqnet.io.participants import write_participants
from rmqnet.physics.signals import synthesize
from rmqnet.pipeline.run.config import Plan
from rmqnet.pipeline.run.study import plan_run

SHAPE = (8, 20, 20)


@pytest.fixture(scope="session")
def block_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two flip angles; tests that change it copy it first."""
    study = tmp_path_factory.mktemp("run") / "study"
    study.mkdir()
    grid, acquisitions = centered_grid(SHAPE, (12.0, 6.0, 6.0)), (vfa(5.0), vfa(20.0))
    people = [Subject(name, "right") for name in NAMES]
    for seed, person in enumerate(people):
        random = np.random.default_rng(seed)
        m0, t1 = np.zeros(SHAPE), random.uniform(0.7, 1.2, SHAPE)
        m0[1:7, 4:16, 4:16] = 1000.0
        images = synthesize(acquisitions, {"M0": m0, "T1": t1, "B1": np.ones(SHAPE)})
        images = np.abs(images + random.normal(0, 1, images.shape)).astype(np.float32)
        folder = study / f"sub-{person.name}"
        folder.mkdir()
        write_scan(folder, Scan(person, {"vfa": ImageSeries(images, acquisitions, grid)}))
    write_participants(study / "participants.tsv", people)
    return study


@pytest.fixture(autouse=True)
def plain_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of knees cost more than all else here; tests/report looks at them."""

    def write(folder: Path, knee: object) -> None:
        folder.mkdir()
        (folder / "knee.html").write_text("<html></html>")

    monkeypatch.setattr("rmqnet.pipeline.fit.write_knee_page", write)


@pytest.fixture
def plan(block_study: Path, tmp_path: Path) -> Plan:
    """The fits of that study, into a new folder."""
    return plan_run(block_study, tmp_path / "out", CONFIG)
