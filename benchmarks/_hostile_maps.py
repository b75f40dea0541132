"""Maps, regions and motions to attack."""

from pathlib import Path
from typing import Any

import numpy as np
from _hostile_bytes import gzip_bomb
from _hostile_format import Attack, Format, chosen, json_attacks, one_of, wrong_cell, wrong_json_file
from _hostile_images import FIELDS, VALUES, header_of
from numpy.random import Generator


def make_maps(folder: Path) -> None:
    """Maps with reasons and residuals, regions and a fraction of one subject."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.maps import MapSet, Segmentation
    from rmqnet.domain.subject import Subject
    from rmqnet.io.bids_labels import write_fraction, write_segmentation
    from rmqnet.io.bids_maps import write_maps

    rng, grid, subject = (
        np.random.default_rng(4),
        centered_grid((4, 10, 8), (3.0, 0.6, 0.5)),
        Subject("01", "left"),
    )
    own = folder / "maps/sub-01"
    own.mkdir(parents=True)
    values = {name: rng.uniform(0.5, 1.5, grid.shape).astype(np.float32) for name in ("T1", "B1")}
    reasons = {name: np.zeros(grid.shape, np.uint8) for name in values}
    maps = MapSet(values, reasons, grid, {"vfa": values["T1"]}, {"T1": values["T1"] * np.float32(0.01)})
    write_maps(own, maps, subject, desc="fitted", sidecar={})
    labels = rng.integers(0, 3, grid.shape).astype(np.uint8)
    from rmqnet.domain.tissues import TISSUES

    first = [name for name in TISSUES if TISSUES[name].label in (1, 2)]
    write_segmentation(own, Segmentation(labels, tuple(first), grid), subject, desc="reference")
    write_fraction(own, rng.uniform(0, 1, grid.shape), grid, subject, desc="truth")


def read_maps(folder: Path) -> None:
    from rmqnet.domain.tissues import TISSUES
    from rmqnet.io.bids_labels import load_fraction, load_segmentation
    from rmqnet.io.bids_maps import load_maps
    from rmqnet.io.label_map import read_label_map

    own = folder / "maps/sub-01"
    load_maps(own, desc="fitted")
    load_segmentation(own, desc="reference")
    load_fraction(own, desc="truth")
    regions = next(own.glob("anat/*_dseg.nii.gz"))
    read_label_map(regions, regions.with_name(regions.name.replace(".nii.gz", ".tsv")), TISSUES)


def _wrong_map(folder: Path, rng: Generator) -> str:
    path = one_of(folder, ("maps/sub-01/*/*.nii.gz", "maps/sub-01/*/*.json", "maps/sub-01/*/*.tsv"), rng)
    if path.suffix == ".json":
        return wrong_json_file(path, rng)
    if path.suffix == ".tsv":
        return wrong_cell(path, rng)
    name = chosen(tuple(FIELDS), rng)
    value = chosen(VALUES[FIELDS[name][1]], rng)
    header_of(path, **{name: value})
    return f"{path.name}: {name} = {value}"


def _map_values(pattern: str, value: float) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        import nibabel as nib

        path = next(folder.glob(pattern))
        image = nib.load(path)
        data = np.full(image.shape, value, image.get_data_dtype())  # pyright: ignore
        nib.save(nib.Nifti1Image(data, image.affine), path)  # pyright: ignore

    return attack


MAPS = Format(
    "maps",
    make_maps,
    ("maps/sub-01/*/*.nii.gz", "maps/sub-01/*/*.json", "maps/sub-01/*/*.tsv"),
    read_maps,
    _wrong_map,
    {
        **json_attacks("maps/sub-01/*/*_T1map.json"),
        "reason codes that do not exist": _map_values("maps/sub-01/anat/*T1*reason.nii.gz", 99),
        "fraction of 7": _map_values("maps/sub-01/anat/*probseg.nii.gz", 7.0),
        "label without a row": _map_values("maps/sub-01/anat/*dseg.nii.gz", 77),
        "valid voxels that are infinite": _map_values("maps/sub-01/anat/*fitted_T1map.nii.gz", float("inf")),
        "valid voxels that are negative": _map_values("maps/sub-01/anat/*fitted_T1map.nii.gz", -1.0),
    },
)


def make_transform(folder: Path) -> None:
    """A smooth displacement."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.motion import Motion, field_grid
    from rmqnet.io.transforms import write_motion

    grid = centered_grid((8, 40, 40), (3.0, 0.6, 0.6))
    coarse = field_grid(grid)
    field = np.random.default_rng(2).uniform(-1, 1, (3, *coarse.shape))
    write_motion(
        folder / "xfm/sub-01_xfm.nii.gz", Motion(np.eye(4), field, coarse), grid, {"Outcome": "aligned"}
    )


def read_transform(folder: Path) -> None:
    from rmqnet.io.transforms import load_motion

    motion = load_motion(folder / "xfm/sub-01_xfm.nii.gz")
    motion.positions(np.zeros((3, 2)))


def _field(change) -> Attack:
    def attack(folder: Path, _rng: Generator) -> None:
        import nibabel as nib

        path = folder / "xfm/sub-01_xfm.nii.gz"
        image: Any = nib.load(path)
        data = change(np.asanyarray(image.dataobj).copy())
        nib.save(nib.Nifti1Image(data, image.affine), path)  # pyright: ignore

    return attack


def _wrong_transform(folder: Path, rng: Generator) -> str:
    name = chosen(tuple(FIELDS), rng)
    value = chosen(VALUES[FIELDS[name][1]], rng)
    header_of(folder / "xfm/sub-01_xfm.nii.gz", **{name: value})
    return f"{name} = {value}"


def _spread(data: np.ndarray, value: float) -> np.ndarray:
    data[0, 0, 0, 0, 0] = value
    return data


TRANSFORM = Format(
    "transform",
    make_transform,
    ("xfm/*.nii.gz",),
    read_transform,
    _wrong_transform,
    {
        "NaN": _field(lambda data: _spread(data, np.nan)),
        "a kilometer": _field(lambda data: _spread(data, 1e6)),
        "infinite": _field(lambda data: _spread(data, np.inf)),
        "two components": _field(lambda data: data[..., :2]),
        "an image": _field(lambda data: data[..., 0, 0]),
        "complex": _field(lambda data: data.astype(np.complex64)),
        "gzip bomb": lambda folder, _rng: (folder / "xfm/sub-01_xfm.nii.gz").write_bytes(gzip_bomb(3)),
        "huge": lambda folder, _rng: header_of(
            folder / "xfm/sub-01_xfm.nii.gz", dim1=32767, dim2=32767, dim3=32767
        ),
    },
)
