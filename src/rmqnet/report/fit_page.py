"""The page of one fitted study: its maps, what could not be fitted, and how it was acquired."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rmqnet import __version__
from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import Scan
from rmqnet.domain.subject import Subject
from rmqnet.report.figures import Picture, unit_label
from rmqnet.report.fit_words import METHOD_WORDS, MODEL_WORDS, REASON_WORDS, map_words
from rmqnet.report.lookup import NOTHING, counted, digits_of, number
from rmqnet.report.page import environment
from rmqnet.report.slice_figure import map_png, volume_png
from rmqnet.report.tables import Cell, Table


def write_fit_report(
    folder: Path,
    scan: Scan,
    maps: MapSet,
    subject: Subject,
    notes: Sequence[str] = (),
    *,
    simulated: bool = False,
) -> Path:
    """Path of fit.html; each map is also written as <quantity>.png beside it, residuals as residual_<method>.png."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = []
    for name in maps.values:
        png = map_png(maps, name)
        (folder / f"{name}.png").write_bytes(png)
        text = f"{unit_label(QUANTITIES[name])}: {map_words(name, scan)}"
        shown.append(Picture(text, "Light gray: no value.", f"Sagittal slices of the {name} map.", png))
    for method, picture in residual_pictures(scan, maps).items():
        (folder / f"residual_{method}.png").write_bytes(picture.png)
        shown.append(picture)
    page = folder / "fit.html"
    text = (
        environment()
        .get_template("fit.html.j2")
        .render(
            subject=subject,
            simulated=simulated,
            notes=notes,
            version=__version__,
            slices=counted(maps.grid.shape[0], "slice"),
            matrix=_product(maps.grid.shape[1:]),
            voxel_size=_product(maps.grid.voxel_size),
            pictures=shown,
            tables=[value_table(maps), reason_table(maps), series_table(scan), acquisition_table(scan)],
        )
    )
    page.write_text(text, encoding="utf-8")
    return page


def value_table(maps: MapSet) -> Table:
    """Median and quartiles of each map in its display unit."""
    rows = []
    for name, volume in maps.values.items():
        described = QUANTITIES[name]
        known = volume[np.isfinite(volume)] * described.display_factor
        low, middle, high = np.percentile(known, [25, 50, 75]) if known.size else [np.nan] * 3
        digits = max(digits_of(name) - 1, 0)
        quartiles = f"{number(low, digits)} to {number(high, digits)}"
        cells = [Cell(f"{name} [{described.display_unit}]"), Cell(number(float(middle), digits))]
        cells += [Cell(quartiles if known.size else NOTHING), Cell(_median_sd(maps, name, digits))]
        tissue = int((maps.reason[name] != Reason.BACKGROUND).sum())
        share = f" ({100 * known.size / tissue:.1f} % of tissue)" if tissue else ""
        rows.append([*cells, Cell(f"{known.size:,}{share}")])
    columns = ("Map", "Median", "Interquartile range", "Median SD of a voxel", "Voxels with a value")
    lead = (
        "All tissues of the image are mixed here, muscle, fat and cartilage alike: not a value of the knee."
    )
    return Table("Values, all tissues together", columns, rows, lead=lead)


def _median_sd(maps: MapSet, name: str, digits: int) -> str:
    """Median of the standard deviations that the noise gives to a map's voxels."""
    if name not in maps.sd or not np.isfinite(maps.sd[name]).any():
        return NOTHING
    return number(float(np.nanmedian(maps.sd[name])) * QUANTITIES[name].display_factor, digits + 1)


def residual_pictures(scan: Scan, maps: MapSet) -> dict[Method, Picture]:
    """What the fit left unexplained, by method: residual in percent of the mean signal of the voxel."""
    shown: dict[Method, Picture] = {}
    for method, series in scan.series.items():
        residual = maps.residual.get(method)
        if residual is None or series.grid.shape != residual.shape:
            continue
        name = METHOD_WORDS[method]
        mean = series.magnitudes.mean(axis=0)
        relative = np.divide(residual, mean, out=np.full_like(residual, np.nan), where=mean > 0)
        title = f"Fit residual of the {name} images [%]"
        caption = (
            "Root mean square of what the model does not explain, in percent of the mean signal of the voxel: "
            "noise, motion, or a signal that the model does not describe. Light gray: not fitted."
        )
        png = volume_png(relative, _RESIDUAL, maps.grid)
        shown[method] = Picture(
            title, caption, f"Sagittal slices of the fit residual of the {name} images.", png
        )
    return shown


_RESIDUAL = dataclasses.replace(
    QUANTITIES["M0"],
    name="residual / mean signal",
    display_unit="%",
    display_factor=100.0,
    display_range=(0.0, 20.0),
    colormap="inferno",
    intensity=False,
)
"""How a relative residual is shown; the range is a default."""


def series_table(scan: Scan) -> Table:
    """Signal model in words and voxels of each series."""
    rows = [
        [
            Cell(METHOD_WORDS[method]),
            Cell(MODEL_WORDS[method]),
            Cell(str(len(series.acquisitions))),
            Cell(str(series.grid.shape[0])),
            Cell(_product(series.grid.shape[1:])),
            Cell(_product(series.grid.voxel_size)),
        ]
        for method, series in scan.series.items()
    ]
    columns = ("Method", "Signal model", "Images", "Slices", "Matrix (y, x)", "Voxel (z, y, x) [mm]")
    return Table("Series", columns, rows)


def reason_table(maps: MapSet) -> Table:
    """How many voxels have a value, and why others do not."""
    counts = {
        name: np.bincount(reason.ravel(), minlength=len(Reason)) for name, reason in maps.reason.items()
    }
    rows = []
    for reason in Reason:
        if not any(count[reason] for count in counts.values()):
            continue
        shown = [
            f"{count[reason]:,} ({100 * count[reason] / count.sum():.1f} %)" for count in counts.values()
        ]
        words = Cell(REASON_WORDS[reason])
        rows.append([Cell(reason.name.lower().replace("_", " ")), *(Cell(text) for text in shown), words])
    return Table("Voxels by outcome", ("Outcome", *counts, "What it means"), rows)


def acquisition_table(scan: Scan) -> Table:
    """How each image was acquired, times in ms."""
    rows = [
        [Cell(METHOD_WORDS[method]), Cell(acquisition.label), *_settings(acquisition)]
        for method, series in scan.series.items()
        for acquisition in series.acquisitions
    ]
    columns = ("Method", "Image", "Flip angle [\N{DEGREE SIGN}]", "TR [ms]", "TE [ms]", "TSL [ms]")
    columns += ("Preparation TR [ms]", "Spokes per preparation")
    return Table("Images", columns, rows)


def _settings(acquisition: Acquisition) -> list[Cell]:
    factor = QUANTITIES["T1"].display_factor
    times = (
        acquisition.repetition_time_excitation,
        acquisition.echo_time,
        acquisition.spin_lock_time,
        acquisition.repetition_time_preparation,
    )
    cells = [Cell(NOTHING if time is None else f"{time * factor:.4g}") for time in times]
    angle, spokes = acquisition.flip_angle, acquisition.spokes_per_preparation
    first = Cell(NOTHING if angle is None else f"{angle:g}")
    return [first, *cells, Cell(NOTHING if spokes is None else str(spokes))]


def _product(numbers: Iterable[float]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(f"{number:.4g}" for number in numbers)
