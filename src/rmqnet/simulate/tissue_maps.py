"""Magnetic properties of every voxel of every tissue: person, grade, region, depth, lesion, texture.

All effects and sizes are those of PHYSICS 5.5 unless marked "default".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES, UNIONS, Tissue
from rmqnet.simulate.anatomy_parameters import Anatomy
from rmqnet.simulate.cohort import PAPER_COHORT, group_and_age
from rmqnet.simulate.fields import receive_field, texture, transmit_field
from rmqnet.simulate.rasterize import Voxels

Volume = NDArray[np.float32]

CARTILAGE_T1 = {
    "control": (0.945, 0.085),
    "doubtful_minimal": (0.985, 0.090),
    "moderate_severe": (1.035, 0.095),
}
"""Mean and between-subject standard deviation by group [s]."""
CARTILAGE_T1RHO = {
    "control": (0.0390, 0.0033),
    "doubtful_minimal": (0.0405, 0.0036),
    "moderate_severe": (0.0425, 0.0040),
}
"""Mean and between-subject standard deviation by group [s]."""
LESION = {"control": (1.15, 1.20), "doubtful_minimal": (1.15, 1.20), "moderate_severe": (1.30, 1.35)}
"""Factors of T1 and T1rho in the middle of a lesion; those of the control group are a default."""
REGION_T1 = {
    "femoral_cartilage": 0.050,
    "medial_tibial_cartilage": -0.050,
    "lateral_tibial_cartilage": -0.050,
    "patellar_cartilage": 0.0,
}
"""Offset of T1 by region [s]."""
AGE_SLOPE = 0.001
"""Relative rise of T1 and T1rho of cartilage per year."""
DEPTH = {"T1": 0.13, "T1rho": 0.18, "density": 0.04}
"""Relative change from the middle of the cartilage to its surface; deep cartilage has lower values."""
TEXTURE = {"T1": 0.15, "T1rho": 0.15, "density": 0.05}
"""Relative standard deviation of the texture of cartilage."""
LATENT_CORRELATION = 0.5
"""Correlation of T1 and T1rho texture."""
OTHER_TEXTURE = 0.03
"""Relative standard deviation of the texture of all other tissues: default."""
BETWEEN_SUBJECTS = {"T1": 0.06, "T1rho": 0.06, "density": 0.06}
"""Relative standard deviation between subjects of tissues other than cartilage; at least 5 %."""
LIMITS = {"T1": (0.08, 4.4), "T1rho": (0.001, 0.28), "density": (0.05, 1.3)}
"""Values are held within these limits, inside what a fit can find: default."""
INTENSITY = 1000.0
"""Signal of fluid per unit of sine of the flip angle, at a gain of 1 [a.u.]: default."""


@dataclass(frozen=True, eq=False)
class TissueMaps:
    """Fields and properties of one subject, enough to give the values of any tissue in any voxel."""

    means: dict[str, dict[str, float]]
    """Mean of T1 [s], T1rho [s] and density of this subject, by tissue."""
    B1: Volume
    """Transmit field (z, y, x)."""
    sensitivity: Volume
    """Receive sensitivity (z, y, x) times intensity: density times this is M0."""
    textures: dict[str, Volume]
    """Textures (z, y, x) of T1, T1rho and density with mean 0 and standard deviation 1."""
    depth: Volume
    """Depth (z, y, x) in the cartilage."""
    lesion: Volume
    """Weight (z, y, x) of lesions, 0 to 1."""
    lesion_factor: dict[str, float]
    """Factor of each property in the middle of a lesion."""

    def values(self, tissue: Tissue, index: NDArray[np.intp]) -> dict[str, Volume]:
        """M0 [a.u.], T1 [s], T1rho [s] and B1 of a tissue in the voxels of these flat indices."""
        cartilage = tissue.name in UNIONS["cartilage"]
        result = {"B1": self.B1.reshape(-1)[index]}
        for name, mean in self.means[tissue.name].items():
            size = TEXTURE[name] if cartilage else OTHER_TEXTURE
            value = mean * (1 + size * self.textures[name].reshape(-1)[index])
            if cartilage:
                value *= 1 + DEPTH[name] * (2 * self.depth.reshape(-1)[index] - 1)
                value *= 1 + (self.lesion_factor[name] - 1) * self.lesion.reshape(-1)[index]
            result[name] = value.clip(*LIMITS[name]).astype(np.float32)
        result["M0"] = result.pop("density") * self.sensitivity.reshape(-1)[index]
        return result


def draw_tissue_maps(
    subject: Subject,
    anatomy: Anatomy,
    voxels: Voxels,
    voxel_size: tuple[float, float, float],
    rng: np.random.Generator,
) -> TissueMaps:
    """Random properties of this subject on the grid of the voxels."""
    n_z, n_y, n_x = voxels.label.shape
    shape = (n_z, n_y, n_x)
    means = _draw_means(subject, rng)
    gain = INTENSITY * float(rng.uniform(0.8, 1.25))
    B1, sensitivity = transmit_field(shape, rng), receive_field(shape, rng)
    first, second, third = (texture(shape, voxel_size, rng) for _ in range(3))
    second *= np.float32(np.sqrt(1 - LATENT_CORRELATION**2))
    second += np.float32(LATENT_CORRELATION) * first
    factor_T1, factor_T1rho = LESION[group_and_age(subject)[0]]
    return TissueMaps(
        means=means,
        B1=B1,
        sensitivity=sensitivity * np.float32(gain),
        textures={"T1": first, "T1rho": second, "density": third},
        depth=voxels.depth,
        lesion=_lesion_weight(anatomy, subject, shape, voxel_size),
        lesion_factor={"T1": factor_T1, "T1rho": factor_T1rho, "density": 1.05},
    )


def _draw_means(subject: Subject, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Mean properties of every tissue of this person."""

    def normal() -> float:
        return float(np.clip(rng.standard_normal(), -2.5, 2.5))

    group, age = group_and_age(subject)
    # the mean of the group holds at its mean age
    aging = 1 + AGE_SLOPE * (age - PAPER_COHORT[group].age_mean)
    mean_T1, sd_T1 = CARTILAGE_T1[group]
    mean_T1rho, sd_T1rho = CARTILAGE_T1RHO[group]
    shared = normal()
    cartilage = {
        "T1": aging * (mean_T1 + sd_T1 * shared),
        "T1rho": aging
        * (
            mean_T1rho
            + sd_T1rho * (LATENT_CORRELATION * shared + np.sqrt(1 - LATENT_CORRELATION**2) * normal())
        ),
        "density": TISSUES["femoral_cartilage"].density * (1 + 0.05 * normal()),
    }
    # the marrow of all bones is alike in one person
    marrow = {name: 1 + sd * normal() for name, sd in BETWEEN_SUBJECTS.items()}
    means = {}
    for tissue in TISSUES.values():
        if tissue.name in REGION_T1:
            means[tissue.name] = {**cartilage, "T1": cartilage["T1"] + REGION_T1[tissue.name]}
            continue
        factor = {name: 1 + sd * normal() for name, sd in BETWEEN_SUBJECTS.items()}
        if tissue.name.endswith("_marrow"):
            factor = marrow
        means[tissue.name] = {name: getattr(tissue, name) * factor[name] for name in factor}
    return means


def _lesion_weight(
    anatomy: Anatomy, subject: Subject, shape: tuple[int, int, int], voxel_size: tuple[float, float, float]
) -> Volume:
    """Weight (z, y, x) that falls from 1 in the middle of each lesion."""
    weight = np.zeros(shape, np.float32)
    mirror = -1.0 if subject.side == "left" else 1.0
    axes = [
        (np.arange(n, dtype=np.float32) - (n - 1) / 2) * size
        for n, size in zip(shape, voxel_size, strict=True)
    ]
    for *center, radius, _ in anatomy.lesions:
        # back from the knee frame; the warp of less than a millimeter is left out
        z, y, x = np.array(anatomy.joint) + anatomy.size * (anatomy.rotation.T @ np.array(center))
        # the change of tissue reaches a little beyond the thinned part
        sigma = 0.7 * radius * anatomy.size
        parts = [
            np.exp(-((axis - position) ** 2) / (2 * sigma**2)).astype(np.float32)
            for axis, position in zip(axes, (mirror * z, y, x), strict=True)
        ]
        np.maximum(weight, parts[0][:, None, None] * parts[1][:, None] * parts[2], out=weight)
    return weight
