"""A scan cut short."""

from dataclasses import replace

import numpy as np

from rmqnet.domain.errors import InputError
from rmqnet.domain.kspace import KSpace


def first_spokes(kspace: KSpace, part: float) -> KSpace:
    """The series with only this part of its spokes, the first ones, in whole preparations; no samples are copied.

    Each spoke then stands for more of k-space, the same for all: right where spokes are read in golden order.
    """
    if part == 1:
        return kspace
    n_all = len(kspace.trajectory)
    together = kspace.acquisitions[0].spokes_per_preparation or 1
    n_spokes = int(part * n_all) // together * together
    if not n_spokes:
        raise InputError(f"spokes_part {part:g} of {n_all} spokes leaves none: make it larger")
    density = kspace.density
    return replace(
        kspace,
        samples=kspace.samples[:, :, :n_spokes],
        trajectory=kspace.trajectory[:n_spokes],
        density=None if density is None else density[:n_spokes] * np.float32(n_all / n_spokes),
    )
