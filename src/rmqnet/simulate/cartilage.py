"""What makes cartilage differ from place to place: region, depth, texture, lesion, direction of its fibers.

All effects and sizes are those of PHYSICS 5.5 unless marked "default".
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.subject import GROUPS, Subject
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.cohort import PAPER_COHORT, group_and_age, plan_cohort
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.rasterize import Voxels

Volume = NDArray[np.float32]

MEAN_T1 = {
    "control": (0.945, 0.085),
    "doubtful_minimal": (0.985, 0.090),
    "moderate_severe": (1.035, 0.095),
}
"""Mean and between-subject standard deviation by group [s]."""
MEAN_T1RHO = {
    "control": (0.0390, 0.0033),
    "doubtful_minimal": (0.0405, 0.0036),
    "moderate_severe": (0.0425, 0.0040),
}
"""Mean and between-subject standard deviation by group [s]."""
TRUE_OVER_FITTED = {"T1": 1.27, "T1rho": 0.90}
"""What the means above are multiplied by. They are means of fitted maps in a reader's region, where blurred fat and
bone pull T1 down and T1rho up (decision 11); found by benchmarks/cohort_calibration.py. The true T1 is then close to
that of spectroscopic and inversion measurements at 3 T (1.17-1.24 s: Stanisz 2005, Gold 2004; from memory)."""
DENSITY_SD = 0.05
"""Relative standard deviation of the density between subjects."""
LESION = {
    "control": {"T1": 1.15, "T1rho": 1.20, "density": 1.05},
    "doubtful_minimal": {"T1": 1.15, "T1rho": 1.20, "density": 1.05},
    "moderate_severe": {"T1": 1.30, "T1rho": 1.35, "density": 1.05},
}
"""Factors in the middle of a lesion; those of controls and of the density are defaults."""
LESION_SHARE = {
    "control": {"T1": 1.001, "T1rho": 1.002},
    "doubtful_minimal": {"T1": 1.005, "T1rho": 1.007},
    "moderate_severe": {"T1": 1.051, "T1rho": 1.059},
}
"""What lesions add to the mean of a group, measured over the 65 people; taken off the rest, so that the means and
effects above are those of all cartilage."""
REGION_T1 = {
    "femoral_cartilage": 0.030,
    "medial_tibial_cartilage": -0.070,
    "lateral_tibial_cartilage": -0.070,
    "patellar_cartilage": -0.020,
}
"""Offset of T1 by region [s]: the differences of PHYSICS 5.5 (femur +50, tibia -50, patella 0), centered on the
mean weighted by volume (62, 23 and 15 %)."""
DEPTH = {"T1": 0.13, "T1rho": 0.18, "density": 0.04}
"""Relative change from the middle of the cartilage to its surface; deep cartilage has lower values."""
TEXTURE = {"T1": 0.13, "T1rho": 0.10, "density": 0.05}
"""Relative standard deviation of the texture: T1 and T1rho tuned, as PHYSICS 5.5 asks (from 0.15), to the spread of the
paper's fitted maps (5.1); noise and partial volume give the rest."""
AGE_SLOPE = 0.001
"""Relative rise of T1 and T1rho per year."""
LATENT_CORRELATION = 0.5
"""Correlation of T1 and T1rho, between people and within the texture."""
EFFECTS = ("region", "depth", "texture", "lesion", "fibers")
"""What acts on a voxel of cartilage of one person."""


def draw_mean(subject: Subject, config: SimulateConfig, rng: np.random.Generator) -> dict[str, float]:
    """Mean T1 [s], T1rho [s] and density of this person's cartilage outside lesions."""
    group, age = group_and_age(subject)
    # the mean of the group holds at its mean age
    aging = 1 + AGE_SLOPE * (age - PAPER_COHORT[group].age_mean)
    shared, own, third = _scores(subject, config, rng)
    own = LATENT_CORRELATION * shared + np.sqrt(1 - LATENT_CORRELATION**2) * own
    T1 = group_mean("T1", group, config) + MEAN_T1[group][1] * shared
    T1rho = group_mean("T1rho", group, config) + MEAN_T1RHO[group][1] * own
    return {
        "T1": TRUE_OVER_FITTED["T1"] * aging * T1 / LESION_SHARE[group]["T1"],
        "T1rho": TRUE_OVER_FITTED["T1rho"] * aging * T1rho / LESION_SHARE[group]["T1rho"],
        "density": TISSUES["femoral_cartilage"].density * (1 + DENSITY_SD * third),
    }


def _scores(subject: Subject, config: SimulateConfig, rng: np.random.Generator) -> tuple[float, float, float]:
    """Three standard normal values of a person.

    Within a group of the cohort they are the quantiles of the distribution in random order, as the ages are: so a
    small group has the mean and the spread of its population. Someone who is not of the cohort gets any values.
    """
    group, _ = group_and_age(subject)
    members = [one for one in plan_cohort(config) if one.group == group]
    if subject not in members:
        first, second, third = rng.standard_normal(3).clip(-2.5, 2.5)
        return float(first), float(second), float(third)
    order = np.random.default_rng([config.seed, 0, 2, list(GROUPS).index(group)])
    ranks = [int(order.permutation(len(members))[members.index(subject)]) for _ in range(3)]
    first, second, third = (NormalDist().inv_cdf((rank + 0.5) / len(members)) for rank in ranks)
    return first, second, third


def group_mean(name: str, group: str, config: SimulateConfig) -> float:
    """Mean T1 or T1rho [s] of a group; `group_effect` stretches the differences about the mean of the cohort."""
    table = {"T1": MEAN_T1, "T1rho": MEAN_T1RHO}[name]
    counts = {key: plan.count for key, plan in PAPER_COHORT.items()}
    middle = sum(table[key][0] * n for key, n in counts.items()) / sum(counts.values())
    return middle + config.group_effect * (table[group][0] - middle)


@dataclass(frozen=True, eq=False)
class Cartilage:
    """Everything that acts on the cartilage of one person."""

    mean: dict[str, float]
    """Mean T1 [s], T1rho [s] and density of the person."""
    textures: dict[str, Volume]
    """Textures (z, y, x) of T1, T1rho and density with mean 0 and standard deviation 1."""
    depth: Volume
    """Depth (z, y, x) in the cartilage: 0 at the bone, 1 at the surface."""
    lesion: Volume
    """Weight (z, y, x) of lesions, 0 to 1."""
    lesion_factor: dict[str, float]
    """Factor of each property in the middle of a lesion."""
    fibers: Volume | None = None
    """Factor (z, y, x) of T1rho by the direction of the fibers; None: no such effect."""

    def effects(self, quantity: str, tissue: str, index: NDArray[np.intp]) -> dict[str, Volume]:
        """Factors of T1, T1rho or density in the voxels of these flat indices, by EFFECTS."""
        one = np.ones(1, np.float32)
        region = 1 + REGION_T1[tissue] / self.mean["T1"] if quantity == "T1" else 1.0
        fibers = self.fibers.reshape(-1)[index] if self.fibers is not None and quantity == "T1rho" else one
        return {
            "region": one * np.float32(region),
            "depth": 1 + DEPTH[quantity] * (2 * self.depth.reshape(-1)[index] - 1),
            "texture": 1 + TEXTURE[quantity] * self.textures[quantity].reshape(-1)[index],
            "lesion": 1 + (self.lesion_factor[quantity] - 1) * self.lesion.reshape(-1)[index],
            "fibers": fibers,
        }


def fiber_factor(voxels: Voxels, voxel_size: tuple[float, float, float], rise: float) -> Volume:
    """Factor (z, y, x) of T1rho: 1 + rise where deep fibers stand at 55 degrees to the field, 1 where along it.

    Fibers of deep cartilage stand on the bone and bend towards the surface, where the effect ends. The field runs
    along the leg (y). The dipolar coupling goes with (3 cos^2 - 1)^2.
    """
    from scipy.ndimage import gaussian_filter

    bone = voxels.fractions_of(
        tuple(t.label for t in TISSUES.values() if "marrow" in t.name or "bone" in t.name)
    )
    smooth = gaussian_filter(bone, [1.5 / size for size in voxel_size])
    normal = np.gradient(smooth, *voxel_size)
    length = np.sqrt(sum(part * part for part in normal)) + np.float32(1e-6)
    coupling = (3 * (normal[1] / length) ** 2 - 1) ** 2 / 4
    return (1 + rise * (1 - coupling) * (1 - voxels.depth)).astype(np.float32)


def is_cartilage(tissue: str) -> bool:
    """True for the cartilages that are segmented."""
    return tissue in UNIONS["cartilage"]
