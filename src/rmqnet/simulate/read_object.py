r"""What a read-out sees: images that change from sample to sample and from spoke to spoke of a preparation.

$$s(k, t, n) = \int m(r, t, n)\,e^{-2\pi i\,k \cdot r}\,dr,\quad
m = \sum_p m_p(r, n)\,e^{-t/T_{2,p}^*}\,e^{2\pi i (\delta_p + \Delta f(r))\,t}$$ for tissues p, spoke n of a preparation
and time t after the pulse. m is computed at a few times and a few spokes, interpolated between them by least squares
over all tissues and frequencies (`rmqnet.simulate.nodes`), then reduced to the few images of which all are made. The
error of the interpolation is at most TOLERANCE for each of the two, relative to the largest value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.tissues import UNIONS, Tissue, tissue_of_label
from rmqnet.simulate.acquire import CHUNK, WATER, Values
from rmqnet.simulate.deviation import Deviation
from rmqnet.simulate.nodes import Nodes, choose_nodes
from rmqnet.simulate.rasterize import Voxels
from rmqnet.simulate.readout import FAT_SHIFT, decay_class
from rmqnet.simulate.spokes import n_train, spoke_signals
from rmqnet.simulate.tissue_maps import WATER_IN_FAT, TissueMaps

TOLERANCE = 1e-3
"""Largest error of the interpolation over times and spokes, relative to the largest value: default."""
_KEPT = 3e-4
"""Images weaker than this part of the strongest one are left out: default."""
_FREQUENCIES = 9
"""Off-resonance frequencies between lowest and highest for which the interpolation is made."""


@dataclass(frozen=True)
class Spins:
    """What of an object is read: tissues, fields, and what may differ from the textbook."""

    voxels: Voxels
    maps: TissueMaps
    off_resonance: NDArray[np.float32]
    """Frequency (z, y, x) by which the main field is off [Hz]."""
    fat_shift: float = FAT_SHIFT
    """Chemical shift of fat [Hz]."""
    deviation: Deviation = Deviation()  # noqa: RUF009  # frozen
    """What the scan does that a fit does not know of."""


@dataclass(frozen=True, eq=False)
class ReadObject:
    """One contrast as the read-out sees it."""

    shape: tuple[int, int, int]
    """Voxels (z, y, x)."""
    index: NDArray[np.intp]
    """Flat index of the voxels that give a signal."""
    images: NDArray[np.complex64]
    """Images (image, voxel) in these voxels."""
    weights: NDArray[np.complex64]
    """Weight (image, spoke of a preparation, read) of each image in each sample."""
    error: float
    """Largest error of the interpolation, relative to the largest value."""

    def volume(self, image: int) -> NDArray[np.complex64]:
        """One of the images on the whole grid (z, y, x)."""
        full = np.zeros(self.shape, np.complex64)
        full.reshape(-1)[self.index] = self.images[image]
        return full


def read_object(spins: Spins, planned: Acquisition, read_times: NDArray[np.float64]) -> ReadObject:
    """One contrast of an object for samples at these times after the pulse [s]."""
    n_z, n_y, n_x = spins.voxels.label.shape
    index = _support(spins.voxels)
    place = np.full(spins.voxels.label.size, -1, np.intp)
    place[index] = np.arange(index.size)
    times = time_nodes(spins, read_times)
    spokes = _spoke_nodes(spins, planned)
    images = np.zeros((spokes.index.size, times.index.size, index.size), np.complex64)
    at = read_times[times.index]
    for tissue, own, fraction, signal in parts(spins, planned, spokes.index):
        decay = _rate(tissue, spins.fat_shift)
        factors = np.exp(decay * at).astype(np.complex64)
        for start in range(0, own.size, CHUNK):
            chunk = slice(start, start + CHUNK)
            seen = signal(own[chunk]) * fraction[chunk]
            # no voxel occurs twice in a part
            images[:, :, place[own[chunk]]] += seen[:, None, :] * factors[None, :, None]
    frequency = spins.off_resonance.reshape(-1)[index]
    for node, time in enumerate(at):
        images[:, node] *= np.exp(np.complex64(2j * np.pi * time) * frequency)
    flat = images.reshape(-1, index.size)
    weights = np.einsum("pn,lt->plnt", spokes.weights, times.weights).reshape(len(flat), -1, read_times.size)
    kept, mixing = _reduced(flat)
    return ReadObject(
        (n_z, n_y, n_x),
        index,
        kept,
        np.tensordot(mixing, weights, axes=(1, 0)).astype(np.complex64),
        spokes.error + times.error,
    )


def time_nodes(spins: Spins, read_times: NDArray[np.float64]) -> Nodes:
    """Times at which images are computed, for all tissues of an object and all frequencies of its field."""
    low, high = float(spins.off_resonance.min()), float(spins.off_resonance.max())
    field = np.unique(np.linspace(low, high, _FREQUENCIES))
    rates = {_rate(tissue_of_label(label), spins.fat_shift) for label in spins.voxels.members}
    rates.add(_rate(WATER, spins.fat_shift))
    curves = [np.exp((rate + 2j * np.pi * f) * read_times) for rate in rates for f in field]
    return choose_nodes(np.stack(curves), TOLERANCE)


def parts(
    spins: Spins, planned: Acquisition, spokes: NDArray[np.intp]
) -> list[
    tuple[Tissue, NDArray[np.intp], NDArray[np.float32], Callable[[NDArray[np.intp]], NDArray[np.float32]]]
]:
    """Water or fat of each tissue: the tissue whose decay it shares, its voxels, its part of them, and its signal.

    The signal is a function of flat indices that gives (spoke, voxel).
    """
    result = []
    maps = spins.maps

    def signal_of(tissue: Tissue, values: Callable[[NDArray[np.intp]], Values]):
        def signal(at: NDArray[np.intp]) -> NDArray[np.float32]:
            saturation = maps.saturation.reshape(-1)[at] if tissue.fat else 0.0
            return spoke_signals(tissue, planned, values(at), saturation, spins.deviation, spokes)

        return signal

    for label, index in spins.voxels.members.items():
        tissue, fraction = tissue_of_label(label), spins.voxels.fraction[label]
        if tissue.name in maps.water:
            water = maps.water[tissue.name].reshape(-1)[index]
            result.append((WATER, index, fraction * water, signal_of(WATER, lambda at: _water(maps, at))))
            fraction = fraction * (1 - water)
        result.append(
            (tissue, index, fraction, signal_of(tissue, lambda at, own=tissue: maps.values(own, at)))
        )
    return result


def cartilage_signal(spins: Spins, planned: Acquisition) -> float:
    """Mean signal of cartilage right after the pulse, whatever else its voxels hold left out; 0 without cartilage."""
    total, weight = 0.0, 0.0
    for tissue, index, fraction, signal in parts(spins, planned, np.arange(n_train(planned))):
        if tissue.name in UNIONS["cartilage"]:
            total += float((signal(index).mean(axis=0) * fraction).sum(dtype=np.float64))
            weight += float(fraction.sum(dtype=np.float64))
    return total / weight if weight else 0.0


def _water(maps: TissueMaps, at: NDArray[np.intp]) -> Values:
    """Values of the water among fat."""
    values = {name: np.full(at.size, value, np.float32) for name, value in WATER_IN_FAT.items()}
    values["M0"] = values.pop("density") * maps.sensitivity.reshape(-1)[at]
    values["B1"] = maps.B1.reshape(-1)[at]
    return values


def _rate(tissue: Tissue, fat_shift: float) -> complex:
    """Rate of decay and rotation of a tissue's signal [1/s]."""
    t2star, fat = decay_class(tissue)
    return complex(-1 / t2star, 2 * np.pi * fat_shift if fat else 0.0)


def _support(voxels: Voxels) -> NDArray[np.intp]:
    """Flat index of all voxels that hold any tissue."""
    filled = np.zeros(voxels.label.size, bool)
    for index in voxels.members.values():
        filled[index] = True
    return np.flatnonzero(filled)


def _spoke_nodes(spins: Spins, planned: Acquisition) -> Nodes:
    """Spokes of a preparation at which images are computed: those that tell all tissues at all angles."""
    n = n_train(planned)
    every = np.arange(n)
    if n == 1:
        return Nodes(every, np.ones((1, 1), np.complex128), 0.0)
    b1 = np.linspace(spins.maps.B1.min(), spins.maps.B1.max(), 5, dtype=np.float32)
    curves: list[NDArray] = []
    for label in spins.voxels.members:
        tissue = tissue_of_label(label)
        for t1 in (0.5 * tissue.T1, tissue.T1, min(2 * tissue.T1, 4.4)):
            for saturation in (0.0, 0.5, 1.0) if tissue.fat else (0.0,):
                values = {"T1": np.full_like(b1, t1), "T1rho": np.full_like(b1, tissue.T1rho)}
                values |= {"M0": np.ones_like(b1), "B1": b1}
                curves += list(spoke_signals(tissue, planned, values, saturation, spins.deviation, every).T)
    return choose_nodes(np.stack(curves).astype(np.complex128), TOLERANCE)


def _reduced(images: NDArray[np.complex64]) -> tuple[NDArray[np.complex64], NDArray[np.complex128]]:
    """Fewest images (image, voxel) of which all are made, and how much (image, given image) of them is in each."""
    gram = (images @ images.conj().T).astype(np.complex128)
    power, directions = np.linalg.eigh(gram)
    kept = directions[:, power > _KEPT**2 * power[-1]]
    return (kept.conj().T @ images).astype(np.complex64), kept.T
