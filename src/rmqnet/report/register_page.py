"""The page of one registered study: a verdict per volume, checkerboards, and the fit residual before and after."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rmqnet import __version__
from rmqnet.domain.acquisition import Method
from rmqnet.domain.registration import Registered, Volume
from rmqnet.domain.scan import Scan
from rmqnet.report.figures import Picture, show_gray, to_png
from rmqnet.report.fit_words import METHOD_WORDS
from rmqnet.report.lookup import NOTHING, number
from rmqnet.report.page import environment
from rmqnet.report.tables import Cell, Table

_FIELD = 16
"""Edge of a field of the checkerboard [voxel]: default."""


def write_register_report(
    folder: Path,
    registered: Registered,
    residuals: Mapping[Method, tuple[float, float]],
    notes: Sequence[str] = (),
    *,
    simulated: bool = False,
) -> Path:
    """Path of register.html; the checkerboards are also written as PNG beside it.

    `residuals` are those of the fit in the joint, before and after, as parts of the signal, by method.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = checkerboards(registered)
    for number_, picture in enumerate(pictures, start=1):
        (folder / f"checkerboard_{number_}.png").write_bytes(picture.png)
    counts = [volume.outcome for volume in registered.volumes]
    page = folder / "register.html"
    text = (
        environment()
        .get_template("register.html.j2")
        .render(
            subject=registered.scan.subject,
            simulated=simulated,
            notes=notes,
            version=__version__,
            fixed=registered.fixed,
            summary=f"{counts.count('corrected')} corrected, {counts.count('still')} without motion, "
            f"{counts.count('not trusted')} not trusted",
            rule=registered.rule,
            tables=[verdict_table(registered), residual_table(residuals)],
            pictures=pictures,
        )
    )
    page.write_text(text, encoding="utf-8")
    return page


def verdict_table(registered: Registered) -> Table:
    """Verdict and displacement of each volume."""
    rows = []
    for volume in registered.volumes:
        moved = "fixed" if volume.outcome == "fixed" else volume.outcome
        shifts = (volume.mean_shift, volume.largest_shift, volume.rotation)
        cells = [Cell(volume.unit.label), Cell(moved), Cell(volume.sentence)]
        cells += [Cell(_shown(value, 2)) for value in shifts]
        cells += [_pair(volume.misfit), _pair(volume.model_misfit)]
        rows.append(cells)
    columns = ("Volume", "Outcome", "Verdict", "Mean shift [mm]", "Largest shift [mm]")
    columns += ("Rotation [\N{DEGREE SIGN}]", "Not predicted [%]", "Not by the model [%]")
    return Table(
        "Verdict on each volume",
        columns,
        rows,
        "Shifts are those found in the joint, whether they were corrected or not. Not predicted: part of the variance "
        "in the joint, filtered in the plane, that the other images do not explain, before and after; by the model: "
        "the same for the signal model fitted without the volume.",
    )


def residual_table(residuals: Mapping[Method, tuple[float, float]]) -> Table:
    """What the fit left over in the joint, before and after."""
    rows = [
        [Cell(METHOD_WORDS[method]), *(Cell(_shown(100 * value, 2)) for value in pair)]
        for method, pair in residuals.items()
    ]
    columns = ("Images", "Before [%]", "After [%]")
    caption = (
        "Median over the joint of the root mean square residual of the fit, in percent of the mean signal."
    )
    return Table("Fit residual", columns, rows, caption)


def checkerboards(registered: Registered) -> list[Picture]:
    """Fixed and other image in alternate fields, before and after, of each volume that was moved or not trusted."""
    fixed = next(volume for volume in registered.volumes if volume.outcome == "fixed")
    shown = [volume for volume in registered.volumes if volume.outcome in ("corrected", "not trusted")]
    layers = registered.joint.sum(axis=(1, 2))
    index = int(np.argmax(layers)) if layers.any() else registered.joint.shape[0] // 2
    still = _slice(registered.before, fixed, index)
    pictures = []
    for volume in shown:
        figure = Figure(figsize=(11, 5.6), layout="constrained")
        axes = figure.subplots(1, 2)
        for axis, scan, when in zip(
            axes, (registered.before, registered.scan), ("before", "after"), strict=True
        ):
            show_gray(axis, _board(still, _slice(scan, volume, index)), registered.grid)
            axis.set_title(when, fontsize=10)
        title = f"{volume.unit.label}: {volume.sentence}"
        both = f"{registered.fixed} and {volume.unit.label}"
        caption = f"{both} in alternate fields, slice {index + 1}: edges must go on from field to field."
        alt = f"Checkerboards of {both} before and after registration."
        pictures.append(Picture(title, caption, alt, to_png(figure)))
    return pictures


def _slice(scan: Scan, volume: Volume, index: int) -> NDArray[np.floating]:
    """One slice (y, x) of the leading image, scaled by its bright end."""
    image = np.nan_to_num(scan.series[volume.unit.method].magnitudes[volume.unit.indices[0], index])
    top = float(np.percentile(image, 99))
    return image / top if top > 0 else image


def _board(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.floating]:
    rows, columns = np.indices(first.shape) // _FIELD
    return np.where((rows + columns) % 2 == 0, first, second)


def _shown(value: float, digits: int) -> str:
    return number(value, digits) if np.isfinite(value) else NOTHING


def _pair(pair: tuple[float, float] | None) -> Cell:
    if pair is None or not np.isfinite(pair).all():
        return Cell(NOTHING)
    return Cell(" \N{RIGHTWARDS ARROW} ".join(number(100 * value, 1) for value in pair))
