"""File names of a BIDS folder: entities, suffixes, and where a subject's images are."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rmqnet.domain.errors import InputError

_IMAGE_ENDINGS = (".nii.gz", ".nii")

SINGLE_IMAGE = {"VFA": ("flip", ""), "T1rhow": ("tsl", ""), "TB1AFI": ("acq", "tr")}
"""Entity, and the start of its label, that names a single image of a series, by suffix."""


@dataclass(frozen=True)
class Name:
    """What a BIDS file name says."""

    entities: dict[str, str]
    """Labels by entity, for example {"sub": "01", "flip": "1"}."""
    suffix: str
    """Last part of the name without extension, for example "VFA"."""


def parse_name(path: Path) -> Name:
    """Entities and suffix of a file name."""
    *parts, suffix = path.name.split(".", 1)[0].split("_")
    return Name({key: label for key, _, label in (part.partition("-") for part in parts) if label}, suffix)


def check_folder(path: Path) -> None:
    """Refuse what is no folder, in one sentence."""
    if path.is_file():
        raise InputError(f"{path}: is a file, not a folder: give the folder")
    if not path.is_dir():
        raise InputError(f"{path}: there is no such folder: check the path")


def list_subjects(root: Path | str) -> list[str]:
    """Labels (without "sub-") of the subjects in a BIDS folder, sorted."""
    root = Path(root)
    check_folder(root)
    names = sorted(path.name.removeprefix("sub-") for path in root.glob("sub-*") if path.is_dir())
    if not names:
        raise InputError(f"{root}: holds no sub-<label> folder: give the folder that holds the subjects")
    return names


def subject_folder(root: Path, subject: str) -> Path:
    """Folder of a subject; an InputError lists the subjects that there are."""
    folder = root / f"sub-{subject}"
    if not folder.is_dir():
        known = list_subjects(root)
        shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
        raise InputError(f"{folder}: there is no such folder: the subjects in {root} are {shown}")
    return folder


def find_images(folder: Path, kind: str, suffix: str) -> list[Path]:
    """Images with this suffix in `folder`/`kind` or in that of its one session, sorted by name."""
    found = {
        place: [
            path
            for path in sorted((place / kind).glob(f"*_{suffix}.nii*"))
            if path.name.endswith(_IMAGE_ENDINGS)
        ]
        for place in (folder, *sorted(folder.glob("ses-*")))
    }
    places = [place for place, paths in found.items() if paths]
    if len(places) > 1:
        raise InputError(
            f"{folder}: has {suffix} images in {_names(places)}: give each session a subject folder of its own"
        )
    return found[places[0]] if places else []


def check_no_image_missing(folder: Path, kind: str, suffix: str, images: Iterable[Path]) -> None:
    """Refuse a sidecar of a single image (see `SINGLE_IMAGE`) that belongs to none of the subject's `images`.

    A sidecar that several images inherit from names none of them, so it stays legal.
    """
    entities = [parse_name(path).entities for path in images]
    entity, start = SINGLE_IMAGE[suffix]
    for place in (folder, *sorted(folder.glob("ses-*"))):
        for sidecar in sorted((place / kind).glob(f"*_{suffix}.json")):
            own = parse_name(sidecar).entities
            if entity not in own or not own[entity].startswith(start):
                continue
            if not any(own.items() <= other.items() for other in entities):
                raise InputError(
                    f"{sidecar.with_suffix('.nii.gz')}: the image of {sidecar.name} is missing: copy it there, "
                    "or delete the sidecar to go on without the image"
                )


def find_one(folder: Path, kind: str, suffix: str, desc: str) -> Path | None:
    """The image with this suffix and exactly this `desc`; None where there is none."""
    paths = [
        path for path in find_images(folder, kind, suffix) if parse_name(path).entities.get("desc") == desc
    ]
    if len(paths) > 1:
        raise InputError(f"{paths[0]}: {paths[1].name} has the same meaning: keep one of them")
    return paths[0] if paths else None


def sidecar_path(image: Path) -> Path:
    """The JSON file beside an image."""
    return with_ending(image, ".json")


def with_ending(image: Path, ending: str) -> Path:
    """The image's path with another ending, for example ".json"."""
    return image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ending)


def _names(paths: Iterable[Path]) -> str:
    return " and ".join(path.name for path in paths)
