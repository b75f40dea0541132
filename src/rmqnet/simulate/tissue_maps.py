"""Magnetic properties of every voxel of every tissue of one person."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import TISSUES, Tissue
from rmqnet.simulate.cartilage import (
    LATENT_CORRELATION,
    LESION,
    Cartilage,
    draw_mean,
    fiber_factor,
    is_cartilage,
)
from rmqnet.simulate.cohort import group_and_age
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.fields import fat_saturation_field, receive_field, texture, transmit_field
from rmqnet.simulate.rasterize import Voxels

Volume = NDArray[np.float32]

BETWEEN_SUBJECTS = {"T1": 0.06, "T1rho": 0.06, "density": 0.06}
"""Relative standard deviation between subjects of tissues other than cartilage; at least 5 %: PHYSICS 5.5."""
FINE_TEXTURE = 0.03
"""Relative standard deviation of the fine texture of all tissues but cartilage: default."""
MUSCLE_TEXTURE, MUSCLE_LENGTH = 0.07, (1.0, 9.0, 1.2)
"""Relative standard deviation of the density of muscle, and the widths (z, y, x) of its fascicles [mm]: default."""
MARROW_TEXTURE, MARROW_LENGTH = 0.09, (4.0, 4.0, 4.0)
"""Relative standard deviation of the density of marrow, and the widths of its patches [mm]: default."""
TRABECULAE = 0.2
"""Part of marrow's volume that its trabeculae fill, and that gives no signal: default (epiphysis)."""
SEPTA_DEPTH, SEPTA_WIDTH, SEPTA_LENGTH = 0.45, 0.16, (3.0, 2.2, 2.2)
"""Septa of fat: density lost in their middle, their width in standard deviations of the field whose zeros they are,
and the widths of that field [mm]: default."""
FAT_WATER = {"subcutaneous_fat": 0.06, "intermuscular_fat": 0.08, "infrapatellar_fat_pad": 0.12}
"""Part of the signal of fat that is water: default."""
MARROW_WATER = (0.10, 0.06)
"""Part of the signal of marrow that is water: mean and standard deviation between people: default (yellow marrow)."""
RED_MARROW = 0.10
"""Water that patches of red marrow add, per standard deviation of the patches above their mean: default."""
LESION_WATER = 0.55
"""Water of the middle of a marrow lesion: default."""
WATER_IN_FAT = {"T1": 1.1, "T1rho": 0.045, "density": 0.85}
"""T1 [s], T1rho [s] and density of the water among fat: default, close to muscle."""
LIMITS = {"T1": (0.08, 4.4), "T1rho": (0.001, 0.28), "density": (0.05, 1.3)}
"""Values are held within these limits, inside what a fit can find: default."""
INTENSITY = 1000.0
"""Signal of fluid per unit of sine of the flip angle, at a gain of 1 [a.u.]: default."""


@dataclass(frozen=True, eq=False)
class TissueMaps:
    """Fields and properties of one subject, enough to give the values of any tissue in any voxel."""

    means: dict[str, dict[str, float]]
    """Mean of T1 [s], T1rho [s] and density of this subject, by tissue other than cartilage."""
    cartilage: Cartilage
    """The cartilage of this subject."""
    B1: Volume
    """Transmit field (z, y, x)."""
    sensitivity: Volume
    """Receive sensitivity (z, y, x) times intensity: density times this is M0."""
    saturation: Volume
    """Efficiency (z, y, x) of the fat saturation."""
    fine: Volume
    """Fine texture (z, y, x) with mean 0 and standard deviation 1."""
    density: dict[str, Volume]
    """Factor (z, y, x) of the density by tissue: fascicles, patches of marrow, septa of fat."""
    water: dict[str, Volume]
    """Part (z, y, x) of the signal of a fat tissue that is water."""

    def values(self, tissue: Tissue, index: NDArray[np.intp]) -> dict[str, Volume]:
        """M0 [a.u.], T1 [s], T1rho [s] and B1 of a tissue in the voxels of these flat indices."""
        result = {}
        for name, limits in LIMITS.items():
            if is_cartilage(tissue.name):
                value = np.float32(self.cartilage.mean[name])
                for factor in self.cartilage.effects(name, tissue.name, index).values():
                    value = value * factor
            else:
                value = self.means[tissue.name][name] * (1 + FINE_TEXTURE * self.fine.reshape(-1)[index])
                if name == "density" and tissue.name in self.density:
                    value *= self.density[tissue.name].reshape(-1)[index]
            result[name] = np.asarray(value).clip(*limits).astype(np.float32)
        result["M0"] = result.pop("density") * self.sensitivity.reshape(-1)[index]
        result["B1"] = self.B1.reshape(-1)[index]
        return result


def draw_tissue_maps(
    subject: Subject,
    voxels: Voxels,
    voxel_size: tuple[float, float, float],
    config: SimulateConfig,
    rng: np.random.Generator,
) -> TissueMaps:
    """Random properties of this subject on the grid of the voxels."""
    n_z, n_y, n_x = voxels.label.shape
    shape = (n_z, n_y, n_x)
    mean = draw_mean(subject, config, rng)
    means = _draw_means(rng)
    efficiency = float(rng.uniform(*config.fat_saturation_range))
    gain = np.float32(INTENSITY * rng.uniform(0.8, 1.25))
    B1, sensitivity = transmit_field(shape, rng), receive_field(shape, rng)
    first, second, third = (texture(shape, voxel_size, rng) for _ in range(3))
    second *= np.float32(np.sqrt(1 - LATENT_CORRELATION**2))
    second += np.float32(LATENT_CORRELATION) * first
    cartilage = Cartilage(
        mean=mean,
        textures={"T1": first, "T1rho": second, "density": third},
        depth=voxels.depth,
        lesion=voxels.lesion,
        lesion_factor=LESION[group_and_age(subject)[0]],
        fibers=fiber_factor(voxels, voxel_size, config.magic_angle) if config.magic_angle else None,
    )
    fascicles = texture(shape, voxel_size, rng, MUSCLE_LENGTH)
    patches = texture(shape, voxel_size, rng, MARROW_LENGTH)
    field = texture(shape, voxel_size, rng, SEPTA_LENGTH)
    septa = 1 - SEPTA_DEPTH * np.exp(-((field / SEPTA_WIDTH) ** 2))
    marrow = [tissue.name for tissue in TISSUES.values() if tissue.name.endswith("_marrow")]
    water = _marrow_water(patches, voxels.marrow_lesion, rng)
    return TissueMaps(
        means=means,
        cartilage=cartilage,
        B1=B1,
        sensitivity=sensitivity * gain,
        saturation=fat_saturation_field(voxels.label == 0, voxel_size, efficiency, rng),
        fine=third,
        density={
            "muscle": 1 + MUSCLE_TEXTURE * fascicles,
            **dict.fromkeys(FAT_WATER, septa),
            **dict.fromkeys(marrow, (1 - TRABECULAE) * (1 - MARROW_TEXTURE * patches)),
        },
        water={
            **{name: np.full(shape, part, np.float32) for name, part in FAT_WATER.items()},
            **dict.fromkeys(marrow, water),
        },
    )


def _marrow_water(patches: Volume, lesion: Volume, rng: np.random.Generator) -> Volume:
    """Part (z, y, x) of the signal of marrow that is water: more where the marrow is red, and in lesions."""
    mean, sd = MARROW_WATER
    base = max(mean + sd * float(np.clip(rng.standard_normal(), -1.5, 2.5)), 0.02)
    water = base + RED_MARROW * (patches - 1).clip(0, None)
    water += (LESION_WATER - water) * lesion
    return water.clip(0, 0.9).astype(np.float32)


def _draw_means(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Mean properties of every tissue of this person but cartilage."""

    def factors() -> dict[str, float]:
        return {
            name: 1 + sd * float(np.clip(rng.standard_normal(), -2.5, 2.5))
            for name, sd in BETWEEN_SUBJECTS.items()
        }

    # the marrow of all bones is alike in one person
    marrow = factors()
    means = {}
    for tissue in TISSUES.values():
        if not is_cartilage(tissue.name):
            factor = marrow if tissue.name.endswith("_marrow") else factors()
            means[tissue.name] = {name: getattr(tissue, name) * factor[name] for name in factor}
    return means
