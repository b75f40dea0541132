"""The images of one subject as the checks see them: each with its own grid, none compared yet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.grid import Grid
from rmqnet.domain.scan import Scan
from rmqnet.physics.foreground import Foreground, foreground
from rmqnet.physics.noise import RAYLEIGH_MEDIAN

FEWEST_VOXELS = 200
"""Voxels of air, or of tissue, below which nothing is said about them: a default (7 % error of a median)."""


@dataclass(frozen=True, eq=False)
class Image:
    """One image of a subject."""

    name: str
    """What a person finds it by: the name of its file, or its contrast."""
    acquisition: Acquisition
    data: NDArray[np.float32]
    """Magnitudes (z, y, x)."""
    grid: Grid

    @cached_property
    def finite(self) -> NDArray[np.float32]:
        """The image (z, y, x) with 0 where it is not finite."""
        return np.where(np.isfinite(self.data), self.data, 0).astype(np.float32)

    @cached_property
    def foreground(self) -> Foreground:
        """What the voxels of the image hold."""
        return foreground(self.finite[None])

    @property
    def tissue(self) -> NDArray[np.bool_]:
        """True (z, y, x) where the image rises above the air."""
        return self.foreground.tissue

    @cached_property
    def noise(self) -> float | None:
        """Standard deviation of the noise, from the quietest air; None without air or where it was set to 0."""
        return noise_levels([self])[0]

    @property
    def label(self) -> str:
        """Name and contrast, for sentences."""
        contrast = self.acquisition.label
        return contrast if contrast == self.name else f"{self.name} ({contrast})"


def images_of(scan: Scan) -> list[Image]:
    """The images of a scan that was loaded already."""
    return [
        Image(acquisition.label, acquisition, magnitudes, series.grid)
        for series in scan.series.values()
        for acquisition, magnitudes in zip(series.acquisitions, series.magnitudes, strict=True)
    ]


def with_content(images: Sequence[Image]) -> list[Image]:
    """The images that hold more than one value."""
    return [image for image in images if image.finite.min() < image.finite.max()]


def known_noise(images: Sequence[Image]) -> dict[str, float]:
    """Noise by the name of the image, read from the air that the images of one grid have in common."""
    return {
        image.name: level
        for group in by_grid(images)
        for image, level in zip(group, noise_levels(group), strict=True)
        if level is not None
    }


def by_grid(images: Sequence[Image]) -> Iterator[list[Image]]:
    """The images in groups that share a grid."""
    left = list(images)
    while left:
        group = [image for image in left if image.grid.same_as(left[0].grid)]
        left = [image for image in left if not image.grid.same_as(left[0].grid)]
        yield group


def by_method(images: Sequence[Image]) -> dict[str, list[Image]]:
    """The images of each method, in the given order."""
    found: dict[str, list[Image]] = {}
    for image in images:
        found.setdefault(image.acquisition.method, []).append(image)
    return found


def block_means(image: Image, edge: float) -> tuple[Image, int]:
    """The image averaged over blocks of voxels that are no longer than `edge` [mm], and the voxels per block."""
    sizes = zip(image.grid.voxel_size, image.grid.shape, strict=True)
    z, y, x = (min(max(int(edge / own), 1), n) for own, n in sizes)
    if (z, y, x) == (1, 1, 1):
        return image, 1
    n_z, n_y, n_x = (n // size for n, size in zip(image.grid.shape, (z, y, x), strict=True))
    blocks = image.finite[: n_z * z, : n_y * y, : n_x * x].reshape(n_z, z, n_y, y, n_x, x)
    affine = image.grid.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ ((np.array([z, y, x]) - 1) / 2)
    affine[:3, :3] *= [z, y, x]
    grid = Grid((n_z, n_y, n_x), affine)
    return Image(image.name, image.acquisition, blocks.mean(axis=(1, 3, 5)), grid), z * y * x


def box_mean(volume: NDArray[np.floating], size: Sequence[int]) -> NDArray[np.floating]:
    """Mean over a box of so many voxels (z, y, x) around each voxel."""
    from scipy.ndimage import uniform_filter

    return uniform_filter(volume, tuple(size))  # pyright: ignore[reportArgumentType]  # the stub knows one size only


def common_tissue(images: Sequence[Image]) -> NDArray[np.bool_]:
    """True (z, y, x) where any image of one grid rises above its air.

    An image too noisy to tell its air is asked only where none can.
    """
    masks = [image.tissue for image in images if image.foreground.has_air]
    return np.any(masks or [image.tissue for image in images], axis=0)


def noise_levels(images: Sequence[Image]) -> list[float | None]:
    """Standard deviation of the noise of images of one grid, all read from the same voxels; None where it can't be."""
    quiet = quiet_air(images)
    if quiet is None:
        return [None] * len(images)
    return [float(np.median(image.finite[quiet])) / RAYLEIGH_MEDIAN for image in images]


def usual_noise(images: Sequence[Image]) -> float | None:
    """Standard deviation of the noise of the usual image of one grid; None where it is not known."""
    levels = [level for level in noise_levels(images) if level is not None]
    return float(np.median(levels)) if levels else None


def quiet_air(images: Sequence[Image]) -> NDArray[np.bool_] | None:
    """True (z, y, x) in the quietest quarter of the air that images of one grid have in common; None without air.

    Tissue rings and blurs into the air around it. An image in which no air can be told has it where the others have.
    """
    masks = [image.foreground.air for image in images if image.foreground.has_air]
    if not masks:
        return None
    air = np.all([*masks, *(image.finite > 0 for image in images)], axis=0) & ~common_tissue(images)
    if air.sum() < 4 * FEWEST_VOXELS:
        return None
    together = np.mean([image.finite / float(image.finite[air].mean()) for image in images], axis=0)
    near = box_mean(together, (3, 3, 3))
    return air & (near <= np.percentile(near[air], 25))


def repeated_air(images: Sequence[Image]) -> float:
    """Correlation of the air of images of one grid, voxel against neighbors, mean over all pairs; 0 without air.

    Noise is another one in each image; what aliases into the air, as from few spokes, is the same in all of them and
    grows with their signal.
    """
    quiet = quiet_air(images)
    if quiet is None or len(images) < 2:
        return 0.0
    fine = [(image.finite - box_mean(image.finite, (3, 3, 3)))[quiet] for image in images]
    if any(values.min() == values.max() for values in fine):
        return 0.0  # what does not vary is no noise
    correlations = np.asarray(np.corrcoef(fine))[np.triu_indices(len(images), 1)]
    return float(np.mean(correlations))
