"""One tiny study for all end-to-end tests of a worker."""

from pathlib import Path

import pytest

from rmqnet.pipeline.progress import Quiet
from rmqnet.pipeline.simulate import simulate_study
from rmqnet.simulate.config import SimulateConfig

TINY = SimulateConfig(n_subjects=4, seed=7, shape=(12, 64, 64))


@pytest.fixture(scope="session")
def tiny_config() -> SimulateConfig:
    """Settings of the tiny study."""
    return TINY


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four simulated knees of 12 x 64 x 64 voxels, with truth and reference."""
    study = tmp_path_factory.mktemp("end-to-end") / "study"
    simulate_study(study, TINY, Quiet())
    return study
