"""The simulated knees of the registration benchmarks: the same people lying still and moving."""

from dataclasses import replace

import numpy as np

from rmqnet.domain.maps import MapSet
from rmqnet.simulate.config import MOTION_BETWEEN, SimulateConfig
from rmqnet.simulate.simulate import simulate_subject
from rmqnet.simulate.simulated import Simulated

SHAPE = (36, 256, 256)
N_SUBJECTS = 10
SEED = 2026


def still_and_moved(index: int, n_subjects: int, shape: tuple[int, int, int]) -> tuple[Simulated, Simulated]:
    """One person without and with 0-3 mm, 0-3 degrees and up to 2 mm of soft tissue between the images."""
    still = SimulateConfig(n_subjects=n_subjects, seed=SEED, shape=shape)
    return simulate_subject(still, index), simulate_subject(replace(still, **MOTION_BETWEEN), index)


def t1rho_error(knee: Simulated, maps: MapSet) -> float:
    """Median absolute error of T1rho [s] in voxels of pure cartilage."""
    pure = (knee.cartilage_fraction > 0.99) & maps.valid("T1rho")
    return float(np.median(np.abs(maps.values["T1rho"] - knee.truth.values["T1rho"])[pure]))
