"""Pictures of simulated knees in three planes, and of the real knee where its data are at hand."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray

from rmqnet.domain.grid import Grid
from rmqnet.domain.tissues import TISSUES
from rmqnet.io.nifti import read_volume
from rmqnet.simulate.config import SimulateConfig, preset
from rmqnet.simulate.simulate import simulate_subject

PICTURED = (0, 4, 9, 16, 27, 40)
"""Indices of the six pictured people in the cohort."""
REAL_KNEE = (
    Path(__file__).resolve().parents[2] / "shared" / "data" / "pykneer_t1rho_dess" / "T1rho_tsl-01ms.nii.gz"
)

Slice = NDArray[np.floating]


def planes(volume: NDArray, grid: Grid, side: str) -> list[tuple[Slice, float]]:
    """A sagittal slice through a condyle, one through the middle, a coronal and an axial one; each with its aspect."""
    z, y, x = grid.shape
    size_z, size_y, size_x = grid.voxel_size
    medial = 0.68 if side == "right" else 0.32
    return [
        (volume[int(medial * z)], size_y / size_x),
        (volume[int(0.48 * z)], size_y / size_x),
        (volume[:, :, int(0.48 * x)].T, size_y / size_z),
        (volume[:, int(0.42 * y)], size_z / size_x),
    ]


def draw(rows: list[tuple[str, list[tuple[Slice, float]], dict]], path: Path) -> None:
    """One row of planes per knee or map, with its title, into a picture."""
    figure, axes = plt.subplots(len(rows), 4, figsize=(8.2, 2.15 * len(rows)), squeeze=False)
    for line, (title, images, how) in zip(axes, rows, strict=True):
        for axis, (image, aspect) in zip(line, images, strict=True):
            axis.imshow(image, aspect=aspect, interpolation="nearest", **how)
            axis.set_axis_off()
        line[0].set_title(title, fontsize=7, loc="left", pad=2)
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.005, top=0.985, wspace=0.02, hspace=0.1)
    figure.savefig(path, dpi=100, pil_kwargs={"quality": 80} if path.suffix == ".jpg" else None)
    plt.close(figure)


def gray(volume: NDArray) -> dict:
    """How to show an image: black to its 99.5th percentile."""
    return {"cmap": "gray", "vmin": 0, "vmax": float(np.percentile(volume, 99.5))}


def labels_in_color() -> dict:
    """How to show labels: in the colors of the tissue table."""
    colors = ["#000000"] * 256
    for tissue in TISSUES.values():
        colors[tissue.label] = tissue.color
    return {"cmap": ListedColormap(colors), "vmin": 0, "vmax": 255}


def knee_rows(index: int, config: SimulateConfig) -> list[tuple[str, list[tuple[Slice, float]], dict]]:
    """Rows of one simulated knee: spin-lock time 0 (fat saturated), flip angle 10 degrees, true tissues."""
    knee = simulate_subject(config, index)
    person, grid = knee.subject, knee.labels.grid
    title = (
        f"sub-{person.name}: {person.side} knee, {person.sex}, {person.age:.0f} years, KL {person.kl_grade}, "
    )
    title += f"SNR {knee.snr:.0f}"
    lock = knee.scan.series["adiabatic_t1rho"].data[0]
    vfa = knee.scan.series["vfa"].data[1]
    return [
        (f"{title}; spin-lock time 0, fat saturated", planes(lock, grid, person.side), gray(lock)),
        (f"sub-{person.name}: flip angle 10 degrees", planes(vfa, grid, person.side), gray(vfa)),
        (
            f"sub-{person.name}: true tissues",
            planes(knee.labels.labels, grid, person.side),
            labels_in_color(),
        ),
    ]


def draw_all(folder: Path, beside_real: Path | None) -> list[Path]:
    """Write the pictures of the cohort into a folder; those beside the real knee into another, if one is given.

    The real knee is CC BY-NC-SA or GPL-3 by its source: its picture never goes into this repository.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    people = [knee_rows(index, preset("paper")) for index in PICTURED]
    for number, name in enumerate(("spin-lock.jpg", "flip-angle.jpg", "tissues.png")):
        path = folder / name
        draw([rows[number] for rows in people], path)
        written.append(path)
    if beside_real is not None and REAL_KNEE.is_file():
        beside_real.mkdir(parents=True, exist_ok=True)
        volume, grid = read_volume(REAL_KNEE)
        row = (
            "a real knee (pyKNEEr), spin-lock time 1 ms, fat saturated",
            planes(volume, grid, "right"),
            gray(volume),
        )
        path = beside_real / "beside-real-knee.png"
        draw([row, *(rows[0] for rows in people[:3])], path)
        written.append(path)
    return written
