"""Right studies that are no knees: a few uniform vials in air or in water, with relaxation times over a wide range."""

import numpy as np

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import centered_grid
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.domain.subject import Subject
from rmqnet.physics.signals import synthesize

SHAPE = (8, 64, 64)
VOXEL = (5.0, 2.5, 2.5)
"""Voxel edges (z, y, x) [mm]: a field of view of 160 mm."""
RADIUS = (8.0, 16.0)
"""Radius of a vial [mm]."""
T1 = (0.1, 2.0)
T1RHO = (0.005, 0.15)
WATER = {"T1": 2.8, "T1rho": 1.8}
"""Relaxation times of water [s] at room temperature: longer than a fit searches."""
SUPERSAMPLING = 4
"""Points per voxel edge in-plane, so that vials have borders of mixed voxels."""


def vials(rng: np.random.Generator, *, water: bool) -> Scan:
    """A scan of three to nine vials: two to four flip angles, the AFI pair, four to seven spin-lock times."""
    times, shape = _objects(rng, water=water)
    signal_to_noise = rng.uniform(20, 200)
    angles = sorted(rng.choice([3.0, 5.0, 10.0, 15.0, 20.0, 30.0], int(rng.integers(2, 5)), replace=False))
    locks = [0.0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1][: int(rng.integers(4, 8))]
    series = {
        "vfa": [Acquisition("vfa", flip_angle=float(a), repetition_time_excitation=0.02) for a in angles],
        "afi": [
            Acquisition("afi", flip_angle=45.0, repetition_time_excitation=own, repetition_time_other=other)
            for own, other in ((0.02, 0.1), (0.1, 0.02))
        ],
        "spin_lock": [Acquisition("spin_lock", spin_lock_time=time) for time in locks],
    }
    grid = centered_grid(SHAPE, VOXEL)
    made = {}
    for method, acquisitions in series.items():
        data = np.stack([_image(acquisition, times, shape) for acquisition in acquisitions])
        noise = float(data[0][data[0] > 0].mean()) / signal_to_noise
        noisy = np.hypot(data + rng.normal(0, noise, data.shape), rng.normal(0, noise, data.shape))
        made[method] = ImageSeries(1000 * noisy.astype(np.float32), tuple(acquisitions), grid)
    return Scan(Subject("vials", "right"), made)


def _objects(rng: np.random.Generator, *, water: bool) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Relaxation times, B1 and density of each object, and the part (object, z, y, x) of each voxel that it fills."""
    n_vials = int(rng.integers(3, 10))
    n_y, n_x = SHAPE[1] * SUPERSAMPLING, SHAPE[2] * SUPERSAMPLING
    edge = VOXEL[1] / SUPERSAMPLING
    y, x = np.meshgrid((np.arange(n_y) - n_y / 2) * edge, (np.arange(n_x) - n_x / 2) * edge, indexing="ij")
    taken = np.zeros((n_y, n_x), bool)
    masks = []
    for number in range(n_vials):
        radius = rng.uniform(*RADIUS)
        angle = 2 * np.pi * number / n_vials
        distance = 48.0 if number else 0.0
        mask = np.hypot(y - distance * np.sin(angle), x - distance * np.cos(angle)) < radius
        masks.append(mask & ~taken)
        taken |= mask
    times = {
        "T1": np.exp(rng.uniform(*np.log(T1), n_vials)),
        "T1rho": np.exp(rng.uniform(*np.log(T1RHO), n_vials)),
        "M0": rng.uniform(0.7, 1.0, n_vials),
        "B1": np.full(n_vials, rng.uniform(0.85, 1.15)),
    }
    # no medium relaxes faster across a field than along it
    times["T1rho"] = np.minimum(times["T1rho"], 0.9 * times["T1"])
    if water:
        masks.append((np.hypot(y, x) < 72.0) & ~taken)
        more = {**WATER, "M0": 1.0, "B1": times["B1"][0]}
        times = {name: np.append(values, more[name]) for name, values in times.items()}
    parts = np.stack(masks).reshape(len(masks), SHAPE[1], SUPERSAMPLING, SHAPE[2], SUPERSAMPLING)
    filled = parts.mean(axis=(2, 4))
    volume = np.repeat(filled[:, None], SHAPE[0], axis=1)
    volume[:, [0, -1]] = 0.0  # the vials end within the field of view
    return times, volume


def _image(acquisition: Acquisition, times: dict[str, np.ndarray], parts: np.ndarray) -> np.ndarray:
    values = {name: own.astype(np.float32) for name, own in times.items()}
    signals = synthesize([acquisition], values)[0].astype(np.float64)
    return np.tensordot(signals, parts, axes=(0, 0))
