"""Images of a leg in the kinds of air that scanners and programs leave around it, with what each voxel holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, rotate

Volume = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Leg:
    """A leg without noise."""

    clean: Volume
    """Images (contrast, z, y, x)."""
    tissue: NDArray[np.bool_]
    """True (z, y, x) where a voxel is tissue throughout and brighter than its noise, by far."""
    air: NDArray[np.bool_]
    """True (z, y, x) where a voxel holds no tissue."""
    noise: float
    """Standard deviation of the noise that it is scanned with."""

    def first(self, n_images: int) -> "Leg":
        """The first images alone; tissue is what is five times brighter than the noise in their mean."""
        clean = self.clean[:n_images]
        return replace(self, clean=clean, tissue=self.tissue & (clean.mean(axis=0) > 5 * self.noise))


@dataclass(frozen=True, eq=False)
class Case:
    """Images and what their voxels hold; voxels that were not measured count as air, which must not be fitted."""

    images: Volume
    tissue: NDArray[np.bool_]
    air: NDArray[np.bool_]


def phantom(n_images: int = 4, shape: tuple[int, int, int] = (4, 192, 192)) -> Leg:
    """Muscle, marrow, fat and cartilage that decay, under a coil that sees half as much at the far end."""
    y, x = np.mgrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    times = np.array([0.0, 0.01, 0.03, 0.06])[:n_images]
    clean = np.zeros((n_images, *shape))
    for z in range(shape[0]):
        place = np.hypot((x - 0.04 * z) / 0.62, y / 1.6)
        bright, decay = np.zeros_like(x), np.full_like(x, 0.04)
        for mask, own, time in (
            (place < 1, 0.35, 0.06),
            (place < 0.85, 0.9, 0.035),
            (np.hypot(x / 0.3, (y + 0.5) / 0.45) < 1, 0.5, 0.08),
            (np.hypot(x / 0.3, (y - 0.5) / 0.45) < 1, 0.5, 0.08),
            (np.abs(y) + np.abs(x) * 0.1 < 0.05, 1.0, 0.045),
        ):
            inside = mask & (place < 1)
            bright[inside], decay[inside] = own, time
        coil = 1 - 0.25 * (1 + x) * (place < 2)
        clean[:, z] = 1000 * bright * coil * np.exp(-times[:, None, None] / decay)
    return Leg(clean, clean[0] > 0, clean[0] == 0, 15.0)


def simulated(seed: int) -> Leg:
    """Four spin-lock images of a simulated knee, without noise; voxels between tissue and air are neither."""
    from rmqnet.simulate.config import SimulateConfig
    from rmqnet.simulate.simulate import knee_and_scan_rng, scan_knee

    config = SimulateConfig(n_subjects=1, seed=seed, shape=(12, 160, 160))
    knee, rng = knee_and_scan_rng(config, 0)
    scanned = scan_knee(knee, config, rng, noise=1e-6)
    clean = scanned.scan.series["vfa"].magnitudes.astype(np.float64)
    noise = float(clean.mean(axis=0)[scanned.cartilage_fraction > 0.9].mean()) / 40
    label = scanned.labels.labels
    mean = clean.mean(axis=0)
    # ringing of the leg into the air is signal: only what lies beyond it is air
    return Leg(clean, label > 0, (label == 0) & (mean < 0.2 * noise), noise)


def rician(leg: Leg, rng: np.random.Generator, noise: float | Volume) -> Volume:
    """Magnitudes of one channel."""
    size = leg.clean.shape
    return np.hypot(leg.clean + rng.normal(0, 1, size) * noise, rng.normal(0, 1, size) * noise)


def _brighter(clean: Volume, than: float | Volume) -> NDArray[np.bool_]:
    """True (z, y, x) where the mean of the images without noise exceeds it."""
    return (clean - than).mean(axis=0) > 0


def plain(leg: Leg, rng: np.random.Generator) -> Case:
    return Case(rician(leg, rng, leg.noise), leg.tissue, leg.air)


def eight_channels(leg: Leg, rng: np.random.Generator) -> Case:
    """The root of the sum of the squares of eight channels: what is eight times brighter than their noise is tissue."""
    power = np.zeros_like(leg.clean)
    for _ in range(8):
        share = leg.clean / np.sqrt(8)
        power += (share + rng.normal(0, leg.noise, share.shape)) ** 2 + rng.normal(
            0, leg.noise, share.shape
        ) ** 2
    return Case(np.sqrt(power), leg.tissue & _brighter(leg.clean, 8 * leg.noise), leg.air)


def zero_corners(leg: Leg, rng: np.random.Generator) -> Case:
    """A round field, filled with zeros beyond, then interpolated by cubic splines: they ring into the zeros."""
    return _beyond(leg, rng, lambda y, x: np.hypot(y, x) < 1.12, sharpened=False)


def rounded_corners(leg: Leg, rng: np.random.Generator) -> Case:
    """The same, rounded to whole numbers."""
    case = zero_corners(leg, rng)
    return Case(np.round(case.images), case.tissue, case.air)


def leaking_frame(leg: Leg, rng: np.random.Generator) -> Case:
    """A frame of zeros into which the image leaks, because the outer k-space is left out."""
    return _beyond(leg, rng, lambda y, x: np.maximum(np.abs(y), np.abs(x)) < 0.8, sharpened=True)


def _beyond(
    leg: Leg, rng: np.random.Generator, seen: Callable[..., NDArray[np.bool_]], *, sharpened: bool
) -> Case:
    images = rician(leg, rng, leg.noise)
    n_y, n_x = images.shape[2:]
    y, x = np.mgrid[-1 : 1 : n_y * 1j, -1 : 1 : n_x * 1j]
    measured = np.broadcast_to(seen(y, x), leg.air.shape)
    images = np.where(measured, images, 0)
    if sharpened:
        spectrum = np.fft.fftshift(np.fft.fft2(images), axes=(2, 3))
        spectrum *= (np.abs(y) < 0.8) & (np.abs(x) < 0.8)
        images = np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(2, 3))))
    else:
        images = np.abs(_turned(images, order=3))
        tissue, air, beyond = (
            _turned(part.astype(np.float64)) for part in (leg.tissue & measured, leg.air, ~measured)
        )
        return Case(images, tissue > 0.999, (air > 0.999) | ~_near(beyond < 0.999))
    return Case(
        images, leg.tissue & measured & ~_near(~measured), (leg.air & ~_near(leg.tissue)) | ~_near(measured)
    )


def _near(mask: NDArray[np.bool_], width: int = 3) -> NDArray[np.bool_]:
    return maximum_filter(mask, (1, 2 * width + 1, 2 * width + 1)) > 0


def _turned(volumes: Volume, order: int = 1) -> Volume:
    """Volumes (..., y, x) turned by 1.5 degrees about their middle."""
    return rotate(volumes, 1.5, axes=(-1, -2), reshape=False, order=order)


def zero_edges(leg: Leg, rng: np.random.Generator) -> Case:
    """Rows and columns of zeros at the edges, as multi-echo spin-echo images have them."""
    images = rician(leg, rng, leg.noise)
    edge = np.ones(leg.air.shape, bool)
    edge[:, 10:-10, 6:-6] = False
    images[:, edge] = 0
    return Case(images, leg.tissue & ~edge, leg.air | edge)


def no_air(leg: Leg, rng: np.random.Generator) -> Case:
    """Cropped to where there is tissue only."""
    n_y, n_x = leg.air.shape[1:]
    box = (slice(None), slice(n_y // 3, n_y * 2 // 3), slice(n_x * 2 // 5, n_x * 3 // 5))
    images = rician(leg, rng, leg.noise)
    return Case(images[(slice(None), *box)], leg.tissue[box], leg.air[box])


def uneven(leg: Leg, rng: np.random.Generator) -> Case:
    """Noise of parallel imaging: up to four times as large in the middle, with the borders of folded images."""
    n_y, n_x = leg.air.shape[1:]
    y, x = np.mgrid[-1 : 1 : n_y * 1j, -1 : 1 : n_x * 1j]
    factor = 1 + 3 * np.exp(-(x**2) / 0.3) * (0.6 + 0.4 * np.cos(3 * y))
    noise = leg.noise * factor / 2
    return Case(rician(leg, rng, noise), leg.tissue & _brighter(leg.clean, 5 * noise), leg.air)


def padded(value: float) -> Callable[[Leg, np.random.Generator], Case]:
    """A frame of one value, on two sides wider than on the others."""

    def pad(leg: Leg, rng: np.random.Generator) -> Case:
        widths = ((0, 0), (8, 24), (30, 8))
        images = np.pad(rician(leg, rng, leg.noise), ((0, 0), *widths), constant_values=value)
        return Case(images, np.pad(leg.tissue, widths), np.pad(leg.air, widths, constant_values=True))

    return pad


def brightened(leg: Leg, rng: np.random.Generator) -> Case:
    """Divided by the reach of a coil that lies on one side: air is up to four times as bright on the other."""
    n_x = leg.air.shape[2]
    reach = 1 / (1 + 3 * (np.arange(n_x) / n_x) ** 2)
    seen, noise = replace(leg, clean=leg.clean * reach), leg.noise / 2
    return Case(rician(seen, rng, noise) / reach, leg.tissue & _brighter(seen.clean, 5 * noise), leg.air)


def averaged(leg: Leg, rng: np.random.Generator) -> Case:
    """Sixteen complex averages."""
    return Case(rician(leg, rng, leg.noise / 4), leg.tissue, leg.air)


def averaged_magnitudes(leg: Leg, rng: np.random.Generator) -> Case:
    """Four averages of magnitudes: the noise of air scatters half as much."""
    return Case(np.mean([rician(leg, rng, leg.noise) for _ in range(4)], axis=0), leg.tissue, leg.air)


def low_snr(leg: Leg, rng: np.random.Generator) -> Case:
    """Noise four times as large."""
    noise = 4 * leg.noise
    return Case(rician(leg, rng, noise), leg.tissue & _brighter(leg.clean, 5 * noise), leg.air)


def smoothed(leg: Leg, rng: np.random.Generator) -> Case:
    """Interpolated to twice the matrix: neighbors share their noise."""
    images = gaussian_filter(rician(leg, rng, 2 * leg.noise), (0, 0, 0.8, 0.8))
    return Case(images, leg.tissue & ~_near(leg.air), leg.air & ~_near(leg.tissue))


def rounded(leg: Leg, rng: np.random.Generator) -> Case:
    """Whole numbers, whose noise has a standard deviation of 1."""
    return Case(np.round(rician(leg, rng, leg.noise) / leg.noise), leg.tissue, leg.air)


def masked(leg: Leg, rng: np.random.Generator) -> Case:
    """Air set to zero."""
    return Case(
        np.where(leg.clean.mean(axis=0) < 3 * leg.noise, 0, rician(leg, rng, leg.noise)), leg.tissue, leg.air
    )


KINDS: dict[str, Callable[[Leg, np.random.Generator], Case]] = {
    "one channel": plain,
    "eight channels": eight_channels,
    "zero corners, splines": zero_corners,
    "zero corners, rounded": rounded_corners,
    "zero frame, leaking": leaking_frame,
    "zero edges": zero_edges,
    "air set to zero": masked,
    "no air": no_air,
    "uneven noise": uneven,
    "padded with 0": padded(0),
    "padded with 50": padded(50),
    "padded with 4095": padded(4095),
    "padded with -2000": padded(-2000),
    "padded with NaN": padded(np.nan),
    "brightened air": brightened,
    "complex averages": averaged,
    "magnitude averages": averaged_magnitudes,
    "smoothed": smoothed,
    "rounded": rounded,
    "low SNR": low_snr,
}
HAS_NO_AIR = {"no air", "air set to zero"}
