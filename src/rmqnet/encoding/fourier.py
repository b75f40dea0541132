"""The Fourier operator between images on a grid and samples anywhere in k-space, through finufft."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.threads import n_threads as usual_threads

ALLOWED_OUTSIDE = 1.001
"""A trajectory may pass the end of the grid's k-space by this factor: rounding. Default."""
FINE_TOLERANCE = 1e-4
"""Tolerance below which the grid inside the transform is twice as fine as the image, not 1.25 times: default, faster
on this side of it."""

Kind = Literal["adjoint", "forward"]


class FourierOperator:
    r"""Samples of images of two or three dimensions, and the adjoint.

    $$s(k) = \sum_r m(r)\,e^{-2\pi i\,k \cdot r}$$ with r [mm] from the middle of the grid, halfway between its first
    and its last voxel. The adjoint has the opposite sign and no factor; with weights that are volumes of k-space
    [1/mm^3] it gives the object per mm^3.

    Every transform runs in one thread, several at a time, so that results do not depend on the number of threads.
    """

    def __init__(
        self,
        trajectory: NDArray[np.float32],
        shape: tuple[int, ...],
        voxel_size: tuple[float, ...],
        *,
        tolerance: float = 1e-3,
        n_threads: int | None = None,
    ) -> None:
        """Operator of a trajectory (..., 3) [1/mm] and a grid (z, y, x) with voxels [mm]; n_threads None: all.

        A trajectory (..., 2) goes with a grid of two axes.
        """
        n_axes = len(shape)
        if trajectory.ndim < 2 or trajectory.shape[-1] != n_axes:
            names = ", ".join("zyx"[-n_axes:])
            raise InputError(f"trajectory must have the last axis ({names}), got shape {trajectory.shape}")
        scaled = trajectory.reshape(-1, n_axes).astype(np.float64) * np.asarray(voxel_size)
        if not np.isfinite(scaled).all():
            raise InputError("trajectory has numbers that are not finite (NaN or infinite)")
        farthest = float(np.abs(scaled).max()) if scaled.size else 0.0
        if farthest > 0.5 * ALLOWED_OUTSIDE:
            raise InputError(
                f"trajectory must stay within half a cycle per voxel of the grid, got {farthest:.3g}:"
                " is it in 1/mm, in the order (z, y, x)?"
            )
        self.shape = shape
        self.sampled: tuple[int, ...] = trajectory.shape[:-1]
        self.tolerance = tolerance
        self.n_threads = n_threads or usual_threads()
        self._points = [
            np.ascontiguousarray(2 * np.pi * scaled[:, axis], np.float32) for axis in range(n_axes)
        ]
        # finufft counts from voxel n // 2; the middle of an even number of voxels lies half a voxel before it
        ahead = scaled @ [n // 2 - (n - 1) / 2 for n in shape]
        self._shift = np.exp(2j * np.pi * ahead).astype(np.complex64)
        self._plans: dict[tuple[Kind, int], Any] = {}

    def forward(self, images: NDArray[np.complexfloating]) -> NDArray[np.complex64]:
        """Samples (..., spoke, read) of images (..., z, y, x)."""
        stack = images.reshape(-1, *self.shape)
        samples = self._run("forward", stack)
        return np.stack(samples).reshape(*images.shape[: images.ndim - len(self.shape)], *self.sampled)

    def adjoint(
        self, samples: NDArray[np.complexfloating], weights: NDArray[np.float32] | None = None
    ) -> NDArray[np.complex64]:
        """Images (..., z, y, x) of samples (..., spoke, read), weighted where weights (spoke, read) are given."""
        n_points = int(np.prod(self.sampled))
        outer = samples.shape[: samples.ndim - len(self.sampled)]
        images = self._run(
            "adjoint", samples.reshape(-1, n_points), None if weights is None else weights.ravel()
        )
        return np.stack(images).reshape(*outer, *self.shape)

    def normal(self, image: NDArray[np.complex64], weights: NDArray[np.float32], worker: int = 0):
        """Forward, weighting (spoke, read) and adjoint of one image (z, y, x); workers may run side by side."""
        samples = self._one("forward", worker, image, None)
        return self._one("adjoint", worker, samples, weights.ravel())

    def _run(
        self, kind: Kind, stack: NDArray[np.complexfloating], weights: NDArray[np.float32] | None = None
    ) -> Sequence[NDArray[np.complex64]]:
        workers = max(1, min(self.n_threads, len(stack)))
        results: list[NDArray[np.complex64]] = [np.empty(0, np.complex64)] * len(stack)

        def work(worker: int) -> None:
            for index in range(worker, len(stack), workers):
                results[index] = self._one(kind, worker, stack[index], weights)

        if workers == 1:
            work(0)
            return results
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
        return results

    def _one(
        self,
        kind: Kind,
        worker: int,
        values: NDArray[np.complexfloating],
        weights: NDArray[np.float32] | None,
    ) -> NDArray[np.complex64]:
        """One transform, by the plan that belongs to this worker."""
        plan = self._plan(kind, worker)
        if kind == "forward":
            return plan.execute(np.ascontiguousarray(values, np.complex64)) * self._shift.conj()
        shifted = values * self._shift
        if weights is not None:
            shifted *= weights
        return plan.execute(np.ascontiguousarray(shifted, np.complex64))

    def _plan(self, kind: Kind, worker: int) -> Any:
        if (kind, worker) not in self._plans:
            from finufft import Plan

            plan = Plan(
                1 if kind == "adjoint" else 2,
                self.shape,
                1,
                eps=self.tolerance,
                isign=1 if kind == "adjoint" else -1,
                dtype="complex64",
                nthreads=1,
                upsampfac=2.0 if self.tolerance < FINE_TOLERANCE else 1.25,
                spread_sort=1,
            )
            plan.setpts(*self._points)
            self._plans[kind, worker] = plan
        return self._plans[kind, worker]
