"""Study errors to plant into simulated knees, numbered as in docs/reference/checks.md; used by check_study.py."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.random import Generator

FLIPS = [f"anat/*_flip-{index}_VFA.nii.gz" for index in (1, 2, 3, 4)]
LOCKS = [f"anat/*_tsl-{index}_T1rhow.nii.gz" for index in range(1, 8)]
AFI = ["fmap/*_acq-tr1_TB1AFI.nii.gz", "fmap/*_acq-tr2_TB1AFI.nii.gz"]


@dataclass(frozen=True)
class Place:
    """The subject that is spoiled, and two others: one of the study, one of elsewhere."""

    folder: Path
    fellow: Path
    stranger: Path
    rng: Generator

    def image(self, pattern: str) -> Path:
        """The one image of this pattern."""
        return next(self.folder.glob(pattern))

    def any_of(self, patterns: list[str], count: int = 1) -> list[Path]:
        """As many images of these patterns, by chance."""
        return [self.image(patterns[k]) for k in self.rng.permutation(len(patterns))[:count]]

    def any_image(self) -> Path:
        """One image by chance."""
        return self.any_of([*FLIPS, *LOCKS, *AFI])[0]


def sidecar(path: Path, **changes: object) -> None:
    own = path.with_name(path.name.removesuffix(".nii.gz") + ".json")
    values = json.loads(own.read_text())
    own.write_text(
        json.dumps({key: value for key, value in {**values, **changes}.items() if value is not None})
    )


def value(path: Path, key: str) -> float:
    return json.loads(path.with_name(path.name.removesuffix(".nii.gz") + ".json").read_text())[key]


def edit(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    image = nib.load(path)
    data = change(np.asanyarray(image.dataobj).astype(np.float32))
    nib.Nifti1Image(np.ascontiguousarray(data, np.float32), image.affine, image.header).to_filename(path)


def move(place: Place, patterns: list[str], change: Callable[[np.ndarray], np.ndarray]) -> None:
    for pattern in patterns:
        path = place.image(pattern)
        image = nib.load(path)
        affine = change(image.affine.copy())
        nib.Nifti1Image(np.asanyarray(image.dataobj), affine).to_filename(path)


def exchange(first: Path, second: Path) -> None:
    spare = first.with_name("spare")
    first.rename(spare)
    second.rename(first)
    spare.rename(second)


def set_side(place: Place) -> None:
    """The other side in participants.tsv and in all sidecars."""
    table = place.folder.parent / "participants.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    column = rows[0].index("side")
    other = {"left": "right", "right": "left"}
    for row in rows[1:]:
        if row[0] == place.folder.name:
            row[column] = other[row[column]]
            stated = row[column][0].upper()
    table.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    for path in place.folder.rglob("*.nii.gz"):
        sidecar(path, ImageLaterality=stated)


def from_other(place: Place, other: Path, patterns: list[str]) -> None:
    for pattern in patterns:
        shutil.copy(next(other.glob(pattern)), place.image(pattern))


def noise_of(data: np.ndarray) -> float:
    return float(np.percentile(data, 5)) / 0.32  # 5th percentile of Rayleigh noise in air


def afi_times(place: Place) -> None:
    short, long = (place.image(pattern) for pattern in AFI)
    for path, time in ((short, 0.1), (long, 0.02)):
        sidecar(path, RepetitionTimeExcitation=time, RepetitionTime=time)


def mistyped(place: Place) -> None:
    path = place.any_of(FLIPS)[0]
    sidecar(
        path,
        FlipAngle=2 * value(path, "FlipAngle") if place.rng.random() < 0.5 else value(path, "FlipAngle") + 1,
    )


def reversed_locks(place: Place) -> None:
    for first, second in zip(LOCKS[:3], LOCKS[:3:-1], strict=True):
        exchange(place.image(first), place.image(second))


def cropped(place: Place) -> None:
    path = place.any_of(FLIPS)[0]
    image = nib.load(path)
    image.slicer[:, 4:, :].to_filename(path)


def flip_axis(axis: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(affine: np.ndarray) -> np.ndarray:
        affine[axis] *= -1
        return affine

    return change


def exchange_axes(affine: np.ndarray) -> np.ndarray:
    return affine[[0, 2, 1, 3]]


def scale_voxels(affine: np.ndarray) -> np.ndarray:
    affine[:3] *= 0.1
    return affine


def shift(axis: int, distance: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(affine: np.ndarray) -> np.ndarray:
        affine[axis, 3] += distance
        return affine

    return change


def off_center(place: Place) -> None:
    stated = json.loads(next(place.folder.glob("anat/*_flip-1_VFA.json")).read_text())["ImageLaterality"]
    move(place, [*FLIPS, *LOCKS, *AFI], shift(0, 60.0 if stated == "L" else -60.0))


def copied(place: Place) -> None:
    first, second = place.any_of(FLIPS if place.rng.random() < 0.5 else LOCKS, 2)
    data = np.asanyarray(nib.load(first).dataobj)
    edit(second, lambda _: data * np.float32(place.rng.uniform(0.5, 2)))


def clipped(data: np.ndarray) -> np.ndarray:
    return np.minimum(data, np.percentile(data, 98))


def few_levels(data: np.ndarray) -> np.ndarray:
    step = data.max() / 31
    return np.round(data / step) * step


def one_row(data: np.ndarray) -> np.ndarray:
    data[:, : data.shape[1] // 8] = np.nan
    return data


def cut(place: Place) -> None:
    def change(data: np.ndarray) -> np.ndarray:
        data[data.shape[0] - int(place.rng.integers(2, 5)) * data.shape[0] // 12 :] = 0
        return data

    edit(place.any_image(), change)


def halve_file(place: Place) -> None:
    path = place.any_image()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def pure_noise(place: Place) -> None:
    def change(data: np.ndarray) -> np.ndarray:
        sigma = noise_of(data)
        return np.hypot(place.rng.normal(0, sigma, data.shape), place.rng.normal(0, sigma, data.shape))

    edit(place.any_image(), change)


def much_noise(place: Place) -> None:
    def change(data: np.ndarray) -> np.ndarray:
        # the median voxel that is no air at 2.5 times the noise
        sigma = float(np.median(data[data > 5 * noise_of(data)])) / 2.5
        return np.hypot(data + place.rng.normal(0, sigma, data.shape), place.rng.normal(0, sigma, data.shape))

    edit(place.any_of([*FLIPS, *LOCKS])[0], change)


def gain(place: Place) -> None:
    factor = np.float32(2.0 if place.rng.random() < 0.5 else 0.5)
    edit(place.any_of([*FLIPS, *LOCKS])[0], lambda data: data * factor)


def signed(place: Place) -> None:
    edit(place.any_image(), lambda data: place.rng.uniform(-np.pi, np.pi, data.shape))


def twice(place: Place) -> None:
    def change(data: np.ndarray) -> np.ndarray:
        middle = data.shape[0] // 2
        data[middle] = data[middle - 1]
        return data

    edit(place.any_image(), change)


def gone(place: Place, *, with_sidecar: bool) -> None:
    path = place.any_of([*FLIPS, *LOCKS])[0]
    path.unlink()
    if with_sidecar:
        path.with_name(path.name.removesuffix(".nii.gz") + ".json").unlink()


def other_time(place: Place) -> None:
    for pattern in FLIPS:
        sidecar(place.image(pattern), RepetitionTimeExcitation=0.03)


ALL = [*FLIPS, *LOCKS, *AFI]
PLANTED: tuple[tuple[str, str, Callable[[Place], object]], ...] = (
    ("flip angle in radians", "refused", lambda p: sidecar(p.any_of(FLIPS)[0], FlipAngle=0.0873)),
    ("repetition time in ms", "refused", lambda p: sidecar(p.any_of(FLIPS)[0], RepetitionTimeExcitation=20)),
    ("spin-lock time in ms", "refused", lambda p: sidecar(p.any_of(LOCKS)[0], SpinLockTime=12)),
    ("echo time in ms", "echo_time", lambda p: sidecar(p.any_of([*FLIPS, *LOCKS])[0], EchoTime=0.032)),
    ("AFI repetition times exchanged in the sidecars", "refused", afi_times),
    ("AFI images exchanged", "afi_order", lambda p: exchange(*(p.image(name) for name in AFI))),
    (
        "AFI flip angle stated half as large",
        "afi_angle",
        lambda p: [sidecar(p.image(n), FlipAngle=22.5) for n in AFI],
    ),
    ("two flip-angle images exchanged", "flip_angles", lambda p: exchange(*p.any_of(FLIPS, 2))),
    ("a flip angle mistyped", "contrasts` or `refused", mistyped),
    ("two spin-lock images exchanged", "spin_lock_times", lambda p: exchange(*p.any_of(LOCKS, 2))),
    ("spin-lock images in reverse order", "spin_lock_times", reversed_locks),
    ("other side stated", "side", set_side),
    ("header mirrored left to right", "side", lambda p: move(p, ALL, flip_axis(0))),
    ("header upside down", "orientation", lambda p: move(p, ALL, flip_axis(2))),
    ("header with two axes exchanged", "orientation", lambda p: move(p, ALL, exchange_axes)),
    ("voxel size in cm", "field_of_view", lambda p: move(p, ALL, scale_voxels)),
    ("an image missing with its sidecar", "contrasts", lambda p: gone(p, with_sidecar=True)),
    ("an image missing, its sidecar left", "refused", lambda p: gone(p, with_sidecar=False)),
    ("one image twice, rescaled", "copy", copied),
    ("bright voxels clipped", "saturated", lambda p: edit(p.any_image(), clipped)),
    ("32 gray levels", "coarse_numbers", lambda p: edit(p.any_of([*FLIPS, *LOCKS])[0], few_levels)),
    (
        "one image of a stranger",
        "other_anatomy",
        lambda p: from_other(p, p.stranger, [str(p.rng.choice(ALL[:11]))]),
    ),
    ("spin-lock images of a stranger", "other_anatomy", lambda p: from_other(p, p.stranger, LOCKS)),
    ("AFI images of a stranger", "other_anatomy", lambda p: from_other(p, p.stranger, AFI)),
    (
        "an image of another subject",
        "shared_images",
        lambda p: from_other(p, p.fellow, [str(p.rng.choice(ALL))]),
    ),
    ("an image of zeros", "empty", lambda p: edit(p.any_image(), np.zeros_like)),
    ("a constant image", "empty", lambda p: edit(p.any_image(), lambda data: np.full_like(data, 7))),
    ("NaN in an eighth of an image", "not_finite", lambda p: edit(p.any_image(), one_row)),
    ("last slices empty", "lost_slices", cut),
    ("a slice twice", "lost_slices", twice),
    ("file cut off", "refused", halve_file),
    ("nothing but noise", "only_noise", pure_noise),
    ("tissue at 2.5 times the noise", "too_noisy` or `only_noise", much_noise),
    ("gain of one image doubled or halved", "gain", gain),
    ("AFI images 40 mm away", "coverage", lambda p: move(p, AFI, shift(2, 40.0))),
    ("one image cropped", "grid", cropped),
    ("a phase image", "not_magnitude", signed),
    ("knee on the other side of the magnet", "position", off_center),
    ("another repetition time than the other subjects", "contrasts", other_time),
)
"""What is planted, the rule that must find it, and how it is done."""
