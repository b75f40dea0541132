"""The Fourier operator of read-outs that see one slice each, and the choice of the operator of a trajectory."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.kspace import Slices
from rmqnet.encoding.fourier import FourierOperator


class Operator(Protocol):
    """Between images (..., z, y, x) and samples (..., spoke, read)."""

    shape: tuple[int, ...]
    n_threads: int

    def forward(self, images: NDArray[np.complexfloating]) -> NDArray[np.complex64]:
        """Samples of images."""
        ...

    def adjoint(
        self, samples: NDArray[np.complexfloating], weights: NDArray[np.float32] | None = None
    ) -> NDArray[np.complex64]:
        """Images of samples, weighted where weights (spoke, read) are given."""
        ...

    def normal(
        self, image: NDArray[np.complex64], weights: NDArray[np.float32], worker: int = 0
    ) -> NDArray[np.complex64]:
        """Forward, weighting and adjoint of one image; workers may run side by side."""
        ...


class SliceOperator:
    """Samples of images whose spokes see one slice each: a two-dimensional transform for each slice."""

    def __init__(
        self,
        trajectory: NDArray[np.float32],
        slices: Slices,
        shape: tuple[int, int, int],
        voxel_size: tuple[float, float, float],
        *,
        tolerance: float = 1e-3,
        n_threads: int | None = None,
    ) -> None:
        """Operator of a trajectory (spoke, ..., 3) [1/mm], whose component along the slices does not count."""
        self.shape: tuple[int, ...] = shape
        self.sampled: tuple[int, ...] = trajectory.shape[:-1]
        self._axis = slices.axis
        plane = [axis for axis in range(3) if axis != slices.axis]
        flat = trajectory[..., plane]
        size = tuple(voxel_size[axis] for axis in plane)
        self._spokes = [np.flatnonzero(slices.numbers == number) for number in range(shape[slices.axis])]
        self._operators: list[FourierOperator] = []
        own: FourierOperator | None = None
        before = np.empty(0, np.float32)
        for spokes in self._spokes:
            path = flat[spokes]
            # slices read along one path share its plans
            if own is None or not np.array_equal(path, before):
                own = FourierOperator(
                    path, tuple(shape[axis] for axis in plane), size, tolerance=tolerance, n_threads=n_threads
                )
                before = path
            self._operators.append(own)
        self.n_threads = self._operators[0].n_threads

    def forward(self, images: NDArray[np.complexfloating]) -> NDArray[np.complex64]:
        """Samples (..., spoke, read) of images (..., z, y, x)."""
        stack = np.moveaxis(images, images.ndim - 3 + self._axis, 0)
        outer = images.shape[:-3]
        samples = np.zeros((*outer, *self.sampled), np.complex64)
        for image, spokes, operator in zip(stack, self._spokes, self._operators, strict=True):
            samples[(*(slice(None) for _ in outer), spokes)] = operator.forward(image)
        return samples

    def adjoint(
        self, samples: NDArray[np.complexfloating], weights: NDArray[np.float32] | None = None
    ) -> NDArray[np.complex64]:
        """Images (..., z, y, x) of samples (..., spoke, read), weighted where weights (spoke, read) are given."""
        outer = samples.shape[: samples.ndim - len(self.sampled)]
        images = np.empty((*outer, *self.shape), np.complex64)
        stack = np.moveaxis(images, len(outer) + self._axis, 0)
        for image, spokes, operator in zip(stack, self._spokes, self._operators, strict=True):
            own = samples[(*(slice(None) for _ in outer), spokes)]
            image[...] = operator.adjoint(own, None if weights is None else weights[spokes])
        return images

    def normal(
        self, image: NDArray[np.complex64], weights: NDArray[np.float32], worker: int = 0
    ) -> NDArray[np.complex64]:
        """Forward, weighting (spoke, read) and adjoint of one image (z, y, x); workers may run side by side."""
        found = np.empty(self.shape, np.complex64)
        planes = zip(
            np.moveaxis(found, self._axis, 0),
            np.moveaxis(image, self._axis, 0),
            self._spokes,
            self._operators,
            strict=True,
        )
        for target, plane, spokes, operator in planes:
            target[...] = operator.normal(plane, weights[spokes], worker)
        return found


def fourier_operator(
    trajectory: NDArray[np.float32],
    slices: Slices | None,
    shape: tuple[int, int, int],
    voxel_size: tuple[float, float, float],
    *,
    tolerance: float = 1e-3,
) -> Operator:
    """The operator of a trajectory (spoke, ..., 3) [1/mm] and a grid (z, y, x) with voxels [mm]."""
    if slices is None:
        return FourierOperator(trajectory, shape, voxel_size, tolerance=tolerance)
    return SliceOperator(trajectory, slices, shape, voxel_size, tolerance=tolerance)
