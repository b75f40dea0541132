"""What all images of a scan share: which coils live, how their noise is whitened, what they are sensitive to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.errors import InputError
from rmqnet.domain.kspace import KSpace, dead_coils, without_coils
from rmqnet.encoding.coils import (
    CoilSensitivities,
    adaptive_sensitivities,
    sum_of_squares,
    whiten,
    whitening,
)
from rmqnet.reconstruct.config import ReconstructConfig
from rmqnet.reconstruct.field import wider
from rmqnet.reconstruct.middle import BRIGHT, given_field, middle, widest_field

DARK = 0.05
"""How much signal cg_sense expects where there is none in the coarse images, relative to tissue: default."""


@dataclass(frozen=True, eq=False)
class Receiver:
    """The receive coils of one scan; the same for all its images, so that these share scale, weighting and phase."""

    n_coils: int
    """Coils in the data."""
    dead: tuple[int, ...]
    """Coils that are left out."""
    whitening: NDArray[np.complexfloating] | None
    """Matrix (channel, coil) that makes the noise independent and keeps its mean variance; None: noise unknown."""
    sensitivities: CoilSensitivities | None
    """Sensitivities of the whitened channels; None where images are combined without."""
    estimated: bool
    """True where the sensitivities are estimates, which tell the coils relative to each other only; the root of their
    summed squares then says where signal is expected (0 to 1)."""

    def channels(self, kspace: KSpace) -> NDArray[np.complex64]:
        """Whitened samples (channel, spoke, read) of a single contrast; InputError where its coils differ."""
        samples = kspace.samples[0]
        label = kspace.acquisitions[0].label
        if len(samples) != self.n_coils:
            raise InputError(f"{label} has {len(samples)} coils, the first image of the scan {self.n_coils}")
        fallen = [coil for coil in range(self.n_coils) if coil not in self.dead and not samples[coil].any()]
        if fallen:
            raise InputError(
                f"{label}: all samples of coil {fallen[0]} are 0, but not in the first image of the scan"
            )
        _check_spokes(samples, label)
        if self.dead:
            samples = without_coils(kspace, self.dead).samples[0]
        return samples if self.whitening is None else whiten(samples, self.whitening)


def receive(
    kspace: KSpace,
    config: ReconstructConfig,
    density: NDArray[np.float32],
    *,
    sensitivities: CoilSensitivities | None = None,
    notes: list[str] | None = None,
) -> Receiver:
    """The receiver of a scan, from the first contrast of this series and its density (spoke, read)."""
    first = kspace.contrast(0)
    n_coils = first.samples.shape[1]
    dead = dead_coils(first)
    if dead:
        if notes is not None:
            names = ", ".join(map(str, dead))
            notes.append(f"Coil {names} holds only zeros and was left out (of {n_coils}, counted from 0).")
        first = without_coils(first, dead)
    matrix = None
    if first.noise_covariance is not None:
        mean = float(np.trace(first.noise_covariance).real) / len(first.noise_covariance)
        matrix = whitening(first.noise_covariance) * np.sqrt(mean)
    if config.combination == "sum_of_squares":
        return Receiver(n_coils, dead, matrix, None, estimated=False)
    if sensitivities is None:
        samples = first.samples[0] if matrix is None else whiten(first.samples[0], matrix)
        own = _estimate(first, samples, density, config)
        return Receiver(n_coils, dead, matrix, own, estimated=True)
    if len(sensitivities.values) != n_coils:
        raise InputError(f"sensitivities of {len(sensitivities.values)} coils do not match {n_coils} coils")
    living = np.setdiff1d(np.arange(n_coils), dead)
    own = CoilSensitivities(sensitivities.values[living], sensitivities.grid)
    own = own if matrix is None else own.whitened(matrix)
    return Receiver(n_coils, dead, matrix, own, estimated=False)


def _estimate(
    kspace: KSpace, samples: NDArray[np.complex64], density: NDArray[np.float32], config: ReconstructConfig
) -> CoilSensitivities:
    """Sensitivities from coarse images of the middle of k-space, without sharp end."""
    # the middle of k-space is read densely enough to see beyond the image
    beyond = given_field(kspace, config) or widest_field(kspace)
    solved = wider(kspace.grid, beyond) if config.algorithm == "cg_sense" else kspace.grid
    own = middle(kspace, solved, config.calibration_resolution, config.tolerance)
    images = own.operator.adjoint(samples[:, own.inside], density[own.inside] * own.taper)
    found = adaptive_sensitivities(images, own.grid).values
    # where the coarse images are dark there is air: iterations look there last; slices know nothing of each other
    level = sum_of_squares(images)
    within = None if kspace.slices is None else tuple({0, 1, 2} - {kspace.slices.axis})
    bright = BRIGHT * np.percentile(level, 99, axis=within, keepdims=True)
    expected = np.clip(np.divide(level, bright, out=np.ones_like(level), where=bright > 0), DARK, 1)
    return CoilSensitivities(found * expected, own.grid)


def _check_spokes(samples: NDArray[np.complex64], label: str) -> None:
    empty = np.asarray(~samples.any(axis=(0, 2)))
    if empty.any():
        raise InputError(
            f"{label}: {int(empty.sum())} of {len(empty)} spokes hold only zeros, the first is spoke"
            f" {int(empty.argmax())}: leave missing spokes out of samples and trajectory"
        )
