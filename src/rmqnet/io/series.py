"""Which images a subject has, and how each was acquired: found by metadata, never by file order."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.grid import Grid
from rmqnet.domain.rounding import same, same_time
from rmqnet.io.layout import check_no_image_missing, find_images, parse_name, subject_folder
from rmqnet.io.sidecar import Sidecar, read_sidecar, repetition_time, to_acquisition
from rmqnet.io.spin_lock_times import SpinLockTimes
from rmqnet.io.volumes import StoredImage, stored_images

PLACES = {"VFA": "anat", "T1rhow": "anat", "TB1AFI": "fmap"}
"""Folder of the images that are read, by suffix."""
KINDS = {
    "VFA": "spoiled gradient echoes of several flip angles",
    "T1rhow": "images after a spin lock",
    "TB1AFI": "the two images of actual flip angle imaging",
}
"""What the images of each suffix are, so that no other image is given its name."""
_PHASE_PARTS = ("phase", "real", "imag")


@dataclass(frozen=True)
class FoundImage:
    """One image and what its sidecar says."""

    stored: StoredImage
    acquisition: Acquisition

    @property
    def path(self) -> Path:
        """Its file."""
        return self.stored.path

    @property
    def name(self) -> str:
        """Name of its file, and of its volume where the file holds several."""
        return self.stored.name

    @property
    def sidecar(self) -> Sidecar:
        """Keys that apply to it."""
        return self.stored.sidecar

    def read(self) -> tuple[NDArray[np.float32], Grid]:
        """The image (z, y, x) in house order, and its grid."""
        return self.stored.read()


def find_series(
    root: Path,
    subject: str,
    *,
    spin_lock_table: Path | None = None,
    echo_time_is_spin_lock_time: bool = False,
    notes: list[str] | None = None,
) -> dict[Method, list[FoundImage]]:
    """Images of a subject by method: VFA by flip angle, AFI by repetition time, spin lock by time.

    Reads sidecars only. What was assumed or left out is appended to `notes` as sentences.

    Raises:
        InputError: a key is missing or implausible, two images have one contrast, there are no images.
    """
    said: list[str] = [] if notes is None else notes
    folder = subject_folder(root, subject)
    stored = {suffix: _stored(root, folder, kind, suffix, said) for suffix, kind in PLACES.items()}
    if not any(stored.values()) and (folder / "raw").is_dir():
        raise InputError(f"{folder}: has k-space but no images: make them with `rmqnet reconstruct`")
    if not any(stored.values()):
        raise InputError(nothing_usable(folder))
    times = SpinLockTimes(root, said, table_path=spin_lock_table, from_echo_time=echo_time_is_spin_lock_time)
    found: dict[Method, list[FoundImage]] = {}
    for image in stored["VFA"]:
        found.setdefault("vfa", []).append(FoundImage(image, to_acquisition(image.sidecar, "vfa")))
    if stored["TB1AFI"]:
        found["afi"] = _afi_pair(folder, stored["TB1AFI"])
    for image in stored["T1rhow"]:
        acquisition = times.acquisition(image.path, image.sidecar)
        found.setdefault(acquisition.method, []).append(FoundImage(image, acquisition))
    _say_assumed(found, said, f"sub-{subject}")
    return {method: _ordered(images) for method, images in found.items()}


def nothing_usable(folder: Path) -> str:
    """The sentence about a subject without an image that any fit can use: what it contains instead, and the cure."""
    said = f"{folder}: contains no image that this program can use ({', '.join(PLACES)})"
    by_suffix: dict[str, list[Path]] = {}
    for path in sorted(path for path in folder.rglob("*.nii*") if path.name.endswith((".nii", ".nii.gz"))):
        own = parse_name(path)
        by_suffix.setdefault(own.suffix if own.entities else "", []).append(path)
    if not by_suffix:
        return (
            f"{said}; it contains no NIfTI image at all: docs/how-to/your-own-nifti.md shows where images lie"
        )
    contents, moves = [], []
    for suffix, paths in by_suffix.items():
        kind = f"{suffix} image" if suffix else "image without a BIDS name"
        more = ", ..." if len(paths) > 1 else ""
        contents.append(f"{len(paths)} {kind}{'s' if len(paths) > 1 else ''} ({paths[0].name}{more})")
        if suffix in PLACES:
            moves.append(f"{suffix} images must lie in {PLACES[suffix]}/: move them there")
    cure = "; ".join(moves) or (
        f"only images of these kinds are fitted ({', '.join(f'{suffix}: {what}' for suffix, what in KINDS.items())})"
    )
    return f"{said}. It contains {', '.join(contents)}: {cure}"


def _stored(root: Path, folder: Path, kind: str, suffix: str, notes: list[str]) -> list[StoredImage]:
    images = find_images(folder, kind, suffix)
    check_no_image_missing(folder, kind, suffix, images)
    magnitudes = [path for path in images if parse_name(path).entities.get("part") not in _PHASE_PARTS]
    if len(magnitudes) < len(images):
        left_out = len(images) - len(magnitudes)
        notes.append(
            f"{folder.name}: {left_out} {suffix} images that are not magnitude (part-phase) are not used."
        )
    return [image for path in magnitudes for image in stored_images(path, read_sidecar(path, root))]


def _afi_pair(folder: Path, images: list[StoredImage]) -> list[FoundImage]:
    """The two AFI images, the one with the lower repetition time first."""
    if len(images) != 2:
        names = ", ".join(image.name for image in images)
        raise InputError(
            f"{folder / 'fmap'}: AFI needs two images with different RepetitionTimeExcitation, found {names}"
        )
    (short, low), (long, high) = sorted(
        ((image, repetition_time(image.sidecar)) for image in images), key=lambda pair: pair[1]
    )
    if same_time(low, high):
        raise InputError(
            f"{long.sidecar.path}: has the RepetitionTimeExcitation of {short.name} ({low:g} s), "
            "but the two AFI images must differ: correct one of them"
        )
    # the higher time first: a time in ms is then said of its own file
    pair = [
        FoundImage(
            image,
            to_acquisition(image.sidecar, "afi", repetition_time_excitation=own, repetition_time_other=other),
        )
        for image, own, other in ((long, high, low), (short, low, high))
    ]
    named = short.path != long.path
    if named and (_acq(short.path).startswith("tr2") or _acq(long.path).startswith("tr1")):
        raise InputError(
            f"{long.path}: AFI volumes swapped: its repetition time ({high:g} s) is the higher one, but acq-tr1 must "
            f"be the lower ({short.name} has {low:g} s): {_afi_cure(short, long)}"
        )
    angles = [image.acquisition.flip_angle for image in pair]
    if not same(angles[0], angles[1]):
        raise InputError(
            f"{long.sidecar.path}: FlipAngle is {angles[0]:g}, but {angles[1]:g} in {short.name}: "
            "both AFI images must have one flip angle: correct one of them"
        )
    return pair


def _afi_cure(short: StoredImage, long: StoredImage) -> str:
    """What to do where names and repetition times of an AFI pair disagree; the images tell which of them is right."""
    bright, dark = (brightness(image.read()[0]) for image in (short, long))
    if bright > dark:
        return "the images agree with their sidecars, so exchange the names of the images together with their sidecars"
    return "the images agree with their names, so exchange the repetition times in the two sidecars"


def brightness(data: NDArray[np.floating]) -> float:
    """Sum of the magnitudes of an image: by Bloch, that of an AFI image falls with the time before its excitation."""
    return float(np.nansum(np.abs(data), dtype=np.float64))


def _say_assumed(found: dict[Method, list[FoundImage]], notes: list[str], subject: str) -> None:
    """Name the settings of the multispoke model that no sidecar states."""
    assumed = {
        "PreparationEfficiency": "1 (ideal) is assumed",
        "FatSaturation": "no fat saturation is assumed",
    }
    for key, meaning in assumed.items():
        if any(key not in image.sidecar.values for image in found.get("adiabatic_t1rho", [])):
            notes.append(f"{subject}: {key} is not stated for the adiabatic T1rho images: {meaning}.")


def _ordered(images: list[FoundImage]) -> list[FoundImage]:
    """The images by contrast; two with the same contrast are refused."""
    key = _CONTRAST[images[0].acquisition.method]
    ordered = sorted(images, key=lambda image: key(image.acquisition))
    for first, second in pairwise(ordered):
        if all(map(same_time, key(first.acquisition), key(second.acquisition))):
            raise InputError(
                f"{second.path}: has the same contrast ({second.acquisition.label}) as {first.name}: "
                "keep one of them or correct its sidecar"
            )
    return ordered


def _acq(path: Path) -> str:
    return parse_name(path).entities.get("acq", "")


_CONTRAST: dict[Method, Callable[[Acquisition], tuple[float, ...]]] = {
    "vfa": lambda item: (item.flip_angle or 0.0, item.repetition_time_excitation or 0.0),
    "afi": lambda item: (item.repetition_time_excitation or 0.0,),
    "adiabatic_t1rho": lambda item: (item.spin_lock_time or 0.0,),
    "spin_lock": lambda item: (item.spin_lock_time or 0.0,),
}
