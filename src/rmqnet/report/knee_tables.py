"""Tables and pictures of one knee: values over the whole image, outcomes, residuals, series and images."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition, Method
from rmqnet.domain.grid import Grid
from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.protocols import AFI_SECONDS, FULL, SPIN_LOCK_SECONDS, VFA_SECONDS
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scan import Scan
from rmqnet.report.figures import Picture
from rmqnet.report.fit_words import METHOD_WORDS, MODEL_WORDS, reason_words
from rmqnet.report.lookup import NOTHING, digits_of, number
from rmqnet.report.slice_figure import volume_png
from rmqnet.report.tables import Cell, Table


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


def residual_pictures(grid: Grid, residuals: Mapping[Method, NDArray[np.float32]]) -> dict[str, Picture]:
    """Slices of what the fits left unexplained, by file name."""
    shown: dict[str, Picture] = {}
    for method, relative in residuals.items():
        name = METHOD_WORDS[method]
        caption = (
            "Root mean square of what the model does not explain, in percent of the mean signal of the voxel: "
            "noise, motion, or a signal that the model does not describe. Light gray: not fitted."
        )
        shown[f"residual_{method}"] = Picture(
            f"Fit residual of the {name} images [%]",
            caption,
            f"Sagittal slices of the fit residual of the {name} images.",
            volume_png(relative, RESIDUAL, grid),
        )
    return shown


RESIDUAL = dataclasses.replace(
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
            Cell(product(series.grid.shape[1:])),
            Cell(product(series.grid.voxel_size)),
        ]
        for method, series in scan.series.items()
    ]
    columns = ("Method", "Signal model", "Images", "Slices", "Matrix (y, x)", "Voxel (z, y, x) [mm]")
    return Table("Series", columns, rows)


def reason_table(maps: MapSet, *, predicted: bool = False) -> Table:
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
        words = Cell(reason_words(predicted=predicted)[reason])
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


def product(numbers: Iterable[float]) -> str:
    """The numbers with times signs between them."""
    return " \N{MULTIPLICATION SIGN} ".join(f"{number:.4g}" for number in numbers)


def background(scan: Scan) -> tuple[str, NDArray[np.float32]]:
    """Name and voxels (z, y, x) of the image behind the maps: the brightest of the first series of the scan."""
    method: Method = next(m for m in ("vfa", "adiabatic_t1rho", "spin_lock", "afi") if m in scan.series)
    series = scan.series[method]
    means = [float(np.nanmean(volume)) for volume in series.magnitudes]
    index = int(np.argmax(means))
    return f"{METHOD_WORDS[method]} image, {series.acquisitions[index].label}", series.magnitudes[index]


def scan_words(scan: Scan, *, simulated: bool) -> str:
    """Scan time where it is known: that of simulated images of the paper's protocol. Images do not state their own."""
    images = [image for series in scan.series.values() for image in series.acquisitions]
    if not simulated or not all(image in FULL.acquisitions for image in images):
        return "Scan time: not known, since the images do not state it."
    n_vfa, n_afi = (sum(image.method == method for image in images) for method in ("vfa", "afi"))
    seconds = (
        VFA_SECONDS * n_vfa + SPIN_LOCK_SECONDS * (len(images) - n_vfa - n_afi) + AFI_SECONDS * n_afi / 2
    )
    return (
        f"Scan time of all images: {number(seconds / 60, 1)} minutes, summed from what the paper prints for each of "
        f"these {len(images)}."
    )


def tilt_words(grid: Grid) -> str:
    """How far the planes of the scan are tilted from those of the scanner; empty where they are not."""
    directions = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    nearest = np.abs(directions).max(axis=0).clip(max=1.0)
    tilt = float(np.degrees(np.arccos(nearest)).max())
    if tilt < 0.5:  # half a degree is not seen
        return ""
    return f"The planes follow the scan, which is tilted by up to {tilt:.0f}\N{DEGREE SIGN} from the scanner's axes."
