"""From the k-space of a scan to its images."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.kspace import KSpace, same_slices
from rmqnet.domain.scan import ImageSeries
from rmqnet.encoding.coils import CoilSensitivities, combine, sum_of_squares
from rmqnet.encoding.density import estimate_density
from rmqnet.encoding.slices import fourier_operator
from rmqnet.reconstruct.cg_sense import cg_sense
from rmqnet.reconstruct.config import Algorithm, ReconstructConfig
from rmqnet.reconstruct.field import wider, within
from rmqnet.reconstruct.middle import given_field, needed_field
from rmqnet.reconstruct.receiver import Receiver, receive
from rmqnet.reconstruct.spokes import first_spokes

Image = NDArray[np.complex64] | NDArray[np.float32]


class Reconstructor:
    """Makes images of any contrast that was read along one trajectory; what does not depend on it is kept."""

    def __init__(
        self,
        kspace: KSpace,
        config: ReconstructConfig = ReconstructConfig(),  # noqa: B008  # frozen
        *,
        receiver: Receiver | None = None,
        sensitivities: CoilSensitivities | None = None,
        notes: list[str] | None = None,
    ) -> None:
        """Reconstructor of the trajectory and grid of this series.

        Without a receiver, that of another series of the scan, coils and sensitivities are taken from the first
        contrast of this one.
        """
        self.config = config
        self.grid = kspace.grid
        self._trajectory, self._slices = kspace.trajectory, kspace.slices
        density = kspace.density
        if density is None:
            density = estimate_density(kspace.trajectory, self.grid, kspace.slices, config.density_iterations)
        beyond = kspace.overshoot
        self._density = np.where(beyond, np.float32(0), density)
        if receiver is None:
            receiver = receive(kspace, config, self._density, sensitivities=sensitivities, notes=notes)
        self.receiver = receiver
        solved = wider(self.grid, self._field(kspace, notes)) if config.algorithm == "cg_sense" else self.grid
        if beyond.any() and notes is not None:
            notes.append(
                f"{100 * beyond.mean():.2g} % of the samples lie beyond the k-space of the image and are left out."
            )
        # what is left out lies anywhere within
        ends = np.array(kspace.k_max, np.float32)
        path = np.clip(kspace.trajectory, -ends, ends) if beyond.any() else kspace.trajectory
        self._operator = fourier_operator(
            path, kspace.slices, solved.shape, solved.voxel_size, tolerance=config.tolerance
        )
        self._sensitivities, self._scale = _scaled(receiver, solved, config.algorithm)

    def _field(self, kspace: KSpace, notes: list[str] | None) -> tuple[float, float, float]:
        """The field of view to solve for, relative to that of the image."""
        given = given_field(kspace, self.config)
        if given is not None:
            return given
        known = self.receiver.sensitivities
        if known is None:
            return 1.0, 1.0, 1.0
        channels = self.receiver.channels(kspace.contrast(0))
        field = needed_field(kspace, channels, self._density, known, self.config)
        if max(field) > 1 and notes is not None:
            z, y, x = field
            notes.append(
                f"There is signal beyond the image: cg_sense solves for {z:.3g} x {y:.3g} x {x:.3g} times its field."
            )
        return field

    def serves(self, kspace: KSpace) -> bool:
        """True where this series was read along the same trajectory for the same grid."""
        same = kspace.trajectory is self._trajectory or np.array_equal(kspace.trajectory, self._trajectory)
        same = same and same_slices(kspace.slices, self._slices)
        return same and self.grid.same_as(kspace.grid)

    def image(self, kspace: KSpace) -> Image:
        """Image (z, y, x) of a series of one contrast, complex64 or float32 as configured."""
        channels = self.receiver.channels(kspace)
        image = self._complex(channels)
        return image if self.config.output == "complex" else np.abs(image).astype(np.float32)

    def _complex(self, channels: NDArray[np.complex64]) -> Image:
        if self._sensitivities is None:
            return sum_of_squares(self._operator.adjoint(channels, self._density))
        if self.config.algorithm == "gridding":
            found = combine(self._operator.adjoint(channels, self._density), self._sensitivities)
        else:
            found = cg_sense(
                self._operator,
                channels,
                self._density,
                self._sensitivities,
                float(np.prod(self.grid.voxel_size)),
                n_iterations=self.config.n_iterations,
                regularization=self.config.regularization,
            )
        image = found if self._scale is None else found * self._scale
        return image[within(image.shape, self.grid.shape)]


def reconstruct(
    series: Iterable[KSpace],
    config: ReconstructConfig = ReconstructConfig(),  # noqa: B008  # frozen
    *,
    sensitivities: CoilSensitivities | None = None,
    notes: list[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[Method, ImageSeries]:
    """Images of one scan by method.

    Give an iterator that reads one contrast at a time, and memory holds one. Coils, noise and, unless given,
    sensitivities are taken from the first contrast and serve all, so that images of all methods have one scale,
    weighting and phase: let the first have signal everywhere, such as VFA. `progress` is called with the label of
    each image when it is done; sentences about what was found go to `notes`. Off-resonance is not corrected: fat and
    tissue where the field is uneven stay blurred.
    """
    images: dict[Method, list[Image]] = {}
    acquisitions: dict[Method, list[Acquisition]] = {}
    grids: dict[Method, Grid] = {}
    current: Reconstructor | None = None
    for whole in series:
        kspace = first_spokes(whole, config.spokes_part)
        if current is None or not current.serves(kspace):
            receiver = None if current is None else current.receiver
            current = Reconstructor(
                kspace, config, receiver=receiver, sensitivities=sensitivities, notes=notes
            )
        for index, acquisition in enumerate(kspace.acquisitions):
            method = acquisition.method
            if not grids.setdefault(method, kspace.grid).same_as(kspace.grid):
                raise InputError(f"{acquisition.label} is on another grid than the other {method} images")
            if acquisition in acquisitions.setdefault(method, []):
                raise InputError(f"{acquisition.label} comes twice in the k-space of this scan")
            acquisitions[method].append(acquisition)
            images.setdefault(method, []).append(current.image(kspace.contrast(index)))
            if progress is not None:
                progress(acquisition.label)
    if current is None:
        raise InputError("there is no k-space to reconstruct")
    return {
        method: ImageSeries(_stack(images[method]), tuple(own), grids[method])
        for method, own in acquisitions.items()
    }


def _stack(images: list[Image]) -> NDArray[np.complex64] | NDArray[np.float32]:
    """Images (contrast, z, y, x), complex where they are."""
    stack = np.stack(images)
    return stack.astype(np.complex64) if np.iscomplexobj(stack) else stack.astype(np.float32)


def _scaled(
    receiver: Receiver, grid: Grid, algorithm: Algorithm
) -> tuple[NDArray[np.complex64] | None, NDArray[np.float32] | None]:
    """Sensitivities (coil, z, y, x) on this grid whose squares add to 1, and a factor (z, y, x) for the image.

    For known sensitivities the factor takes their shading out of the image; it is 0 where no coil is sensitive. For
    estimated ones cg_sense finds the image over the signal that is expected, which the factor puts back.
    """
    if receiver.sensitivities is None:
        return None, None
    values = receiver.sensitivities.on(grid).values
    total = sum_of_squares(values)
    if receiver.estimated and algorithm == "cg_sense":
        return values, total
    inverse = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
    return values * inverse, None if receiver.estimated else inverse
