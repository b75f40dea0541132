"""The page of one fitted study: its maps, what could not be fitted, and how it was acquired."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import Scan
from rmqnet.domain.subject import Subject
from rmqnet.report.figures import Picture, unit_label
from rmqnet.report.lookup import NOTHING, digits_of, number
from rmqnet.report.page import environment
from rmqnet.report.slice_figure import map_png
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
    """Path of fit.html; each map is also written as <quantity>.png beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = []
    for name in maps.values:
        described = QUANTITIES[name]
        png = map_png(maps, name)
        (folder / f"{name}.png").write_bytes(png)
        text = f"{unit_label(described)}: {described.long_name}"
        shown.append(Picture(text, "Light gray: no value.", f"Sagittal slices of the {name} map.", png))
    page = folder / "fit.html"
    text = (
        environment()
        .get_template("fit.html.j2")
        .render(
            subject=subject,
            simulated=simulated,
            notes=notes,
            pictures=shown,
            tables=[value_table(maps), reason_table(maps), acquisition_table(scan)],
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
        rows.append([*cells, Cell(quartiles if known.size else NOTHING), Cell(f"{known.size:,}")])
    columns = ("Map", "Median", "Interquartile range", "Voxels with a value")
    return Table("Values, all tissues together", columns, rows)


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
        rows.append([Cell(reason.name.lower().replace("_", " ")), *(Cell(text) for text in shown)])
    return Table("Voxels by outcome", ("Outcome", *counts), rows)


def acquisition_table(scan: Scan) -> Table:
    """How each image was acquired, times in ms."""
    rows = [
        [Cell(method), Cell(acquisition.label), *_settings(acquisition), Cell(_grid_text(series.grid.shape))]
        for method, series in scan.series.items()
        for acquisition in series.acquisitions
    ]
    columns = ("Method", "Image", "Flip angle [\N{DEGREE SIGN}]", "TR [ms]", "TE [ms]", "TSL [ms]")
    columns += ("Preparation TR [ms]", "Spokes per preparation", "Matrix (z, y, x)")
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


def _grid_text(shape: tuple[int, int, int]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(str(n) for n in shape)
