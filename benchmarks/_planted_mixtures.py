"""Mixtures to plant into simulated knees: images of two kinds, two states or two preparations under one name."""

import nibabel as nib
import numpy as np
from _planted_errors import FLIPS, LOCKS, Place, edit, exchange, noise_of, sidecar, value
from scipy.ndimage import gaussian_filter

REPETITION_TIME = 0.02
"""Of the flip-angle images [s]."""
T2_OVER_T1RHO = (0.6, 0.8)
"""T2 over T1rho of tissue: 30 over 45 ms in cartilage."""
T2_TIMES = (0.0128, 0.0257, 0.0514)
"""Echo times of T2 preparations as MAPSS has them [s]."""


def read(path) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj).astype(np.float64)


def rician(rng: np.random.Generator, data: np.ndarray, sigma: float) -> np.ndarray:
    return np.hypot(data + rng.normal(0, sigma, data.shape), rng.normal(0, sigma, data.shape))


def spoiled(t1: np.ndarray, degrees: float) -> np.ndarray:
    """Signal of a spoiled gradient echo of unit M0."""
    angle, e1 = np.radians(degrees), np.exp(-REPETITION_TIME / t1)
    return np.sin(angle) * (1 - e1) / (1 - e1 * np.cos(angle))


def t1_of(place: Place) -> np.ndarray:
    """T1 [s] from the first and the last flip angle, as a scanner computes it."""
    paths = [place.image(FLIPS[0]), place.image(FLIPS[3])]
    angles = [np.radians(value(path, "FlipAngle")) for path in paths]
    low, high = (read(path) for path in paths)
    x = [low / np.tan(angles[0]), high / np.tan(angles[1])]
    y = [low / np.sin(angles[0]), high / np.sin(angles[1])]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (y[1] - y[0]) / (x[1] - x[0])
        t1 = -REPETITION_TIME / np.log(np.clip(slope, 1e-6, 1 - 1e-6))
    return np.clip(np.nan_to_num(t1, nan=0.0), 0.0, 4.095)


def tissue_of(place: Place) -> np.ndarray:
    data = read(place.image(FLIPS[1]))
    return gaussian_filter(data, 1.0) > 4 * noise_of(data)


def computed_map(place: Place) -> None:
    """The scanner's T1 map [ms] in the place of an image; air as computed or set to 0."""
    t1 = np.round(1000 * t1_of(place))
    if place.rng.random() < 0.5:
        t1 = np.where(tissue_of(place), t1, 0)
    edit(place.any_of(FLIPS)[0], lambda _: t1)


def masked(place: Place) -> None:
    """One image whose air was set to 0."""
    tissue = tissue_of(place)
    edit(place.any_of([*FLIPS, *LOCKS])[0], lambda data: np.where(tissue, data, 0))


def after_contrast(place: Place) -> None:
    """Two of the flip angles were measured after a contrast agent: 0.3 to 0.6 mM, taken up unevenly."""
    t1, tissue = np.clip(t1_of(place), 0.1, 3.0), tissue_of(place)
    rough = gaussian_filter(place.rng.normal(0, 1, t1.shape), 4.0)
    amount = place.rng.uniform(0.3, 0.6) * np.clip(1 + rough / rough.std() / 2, 0.2, 2)
    later = 1 / (1 / t1 + 4.5 * amount)  # relaxivity 4.5 /(mM s), as of usual agents at 3 T
    for path in place.any_of(FLIPS, 2):
        angle = value(path, "FlipAngle")
        factor = np.where(tissue, spoiled(later, angle) / spoiled(t1, angle), 1.0)
        edit(path, lambda data, factor=factor: data * factor)


def normalized(place: Place) -> None:
    """One of the flip angles was normalized by the sensitivity of the coil, the others were not."""

    def change(data: np.ndarray) -> np.ndarray:
        z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in data.shape), indexing="ij")
        center = place.rng.uniform(-0.6, 0.6, 3)
        distance = (z - center[0]) ** 2 + (y - center[1]) ** 2 + (x - center[2]) ** 2
        sensitivity = 0.3 + np.exp(-distance)
        return data / sensitivity

    edit(place.any_of(FLIPS)[0], change)


def fat_image(place: Place) -> None:
    """One of the flip angles is a fat image of a Dixon scan."""
    t1 = t1_of(place)
    part = 1 / (1 + np.exp((gaussian_filter(t1, 0.5) - 0.45) / 0.05))

    def change(data: np.ndarray) -> np.ndarray:
        return rician(place.rng, data * part, noise_of(data))

    edit(place.any_of(FLIPS)[0], change)


def short_times(place: Place) -> None:
    """Spin-lock times cut or in a wrong unit: a tenth of what they are."""
    for pattern in LOCKS:
        path = place.image(pattern)
        sidecar(path, SpinLockTime=value(path, "SpinLockTime") / 10)


def t2_preparations(place: Place) -> None:
    """Three of the seven spin-lock images are T2 preparations; their echo times stand as spin-lock times."""
    first, last = (place.image(LOCKS[k]) for k in (0, 6))
    span = value(last, "SpinLockTime") - value(first, "SpinLockTime")
    start, end = (gaussian_filter(read(path), 0.7) for path in (first, last))
    with np.errstate(divide="ignore", invalid="ignore"):
        t1rho = np.clip(span / np.log(np.maximum(start, 1e-9) / np.maximum(end, 1e-9)), 0.01, 0.2)
    t1rho = np.where(np.isfinite(t1rho), t1rho, 0.2)
    t2 = place.rng.uniform(*T2_OVER_T1RHO) * t1rho
    data, sigma = read(first), noise_of(read(first))
    for pattern, time in zip((LOCKS[1], LOCKS[3], LOCKS[5]), T2_TIMES, strict=True):
        made = rician(place.rng, np.where(data > 3 * sigma, data, 0) * np.exp(-time / t2), sigma)
        path = place.image(pattern)
        edit(path, lambda _, made=made: made)
        sidecar(path, SpinLockTime=time)


def padding(place: Place) -> None:
    """Outside a circle all images have the padding value of the scanner."""

    def change(data: np.ndarray) -> np.ndarray:
        y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in data.shape[1:]), indexing="ij")
        return np.where(np.hypot(y, x) > 1, -2000, data)

    for pattern in (*FLIPS, *LOCKS):
        edit(place.image(pattern), change)


def reversed_angles(place: Place) -> None:
    for first, second in zip(FLIPS[:2], FLIPS[:1:-1], strict=True):
        exchange(place.image(first), place.image(second))


def rising(place: Place) -> None:
    """Signal that grows with spin-lock time: the gain was set anew before each image."""
    for index, pattern in enumerate(LOCKS):
        edit(place.image(pattern), lambda data, index=index: data * np.float32(1.35**index))


def one_angle(place: Place) -> None:
    """Two flip-angle images only, both measured with one angle under two names: T1 is the same everywhere."""
    sigma = noise_of(read(place.image(FLIPS[1])))
    data = read(place.image(FLIPS[1]))
    for pattern in (FLIPS[0], FLIPS[3]):
        place.image(pattern).unlink()
        json_path = next(place.folder.glob(pattern.replace(".nii.gz", ".json")))
        json_path.unlink()
    clean = np.where(data > 3 * sigma, data, 0)
    edit(place.image(FLIPS[2]), lambda _: rician(place.rng, clean, sigma))
    sidecar(place.image(FLIPS[2]), FlipAngle=value(place.image(FLIPS[1]), "FlipAngle") + 15)


def short_repetition(place: Place) -> None:
    """Repetition times a tenth of what they are."""
    for pattern in FLIPS:
        sidecar(place.image(pattern), RepetitionTimeExcitation=0.002)


MIXTURES = (
    ("a computed T1 map among the images", "other_kind` or `gain` or `flip_angles", computed_map),
    ("air of one image set to 0", "other_kind", masked),
    ("two flip angles after a contrast agent", "flip_angles` or `misfit", after_contrast),
    ("one image normalized, the others not", "gain` or `flip_angles", normalized),
    ("a fat image of a Dixon scan", "flip_angles` or `other_anatomy` or `misfit", fat_image),
    ("spin-lock times ten times too short", "time_scale", short_times),
    ("T2 preparations among spin-lock images", "spin_lock_times` or `misfit", t2_preparations),
    ("padding value around the leg", "not_magnitude", padding),
    ("flip-angle images in reverse order", "flip_angles` or `misfit", reversed_angles),
    ("signals that rise with spin-lock time", "spin_lock_times", rising),
    ("one flip angle under two names", "same_everywhere", one_angle),
    ("repetition times ten times too short", "relaxation_order` or `at_bounds", short_repetition),
)
"""What is planted, the rules that may find it, and how it is done; found beside maps fitted to the images where the
rule is one of maps."""
