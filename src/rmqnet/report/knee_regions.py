"""What the regions of one knee hold: their values, and where a reader should be careful."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Method
from rmqnet.domain.maps import MapSet, Reason, Segmentation
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.report.fit_words import reason_words
from rmqnet.report.knee import Knee
from rmqnet.report.lookup import NOTHING, counted, mean_sd, number
from rmqnet.report.tables import Cell, Table
from rmqnet.report.viewer_volumes import shown_digits

FEWEST_VOXELS = 20
"""A region of fewer voxels gets a remark: a mean over so few says little; a default."""
LOWEST_VALID_SHARE = 0.8
"""A region with a smaller part of voxels with a value gets a remark; a default."""
B1_RANGE = (0.8, 1.2)
"""A region whose median B1 lies outside gets a remark; a default."""
LARGEST_RESIDUAL = 0.1
"""A region whose median residual is a larger part of the mean signal gets a remark; a default."""


def region_names(regions: Segmentation) -> list[str]:
    """The regions that were looked for, after each complete union its members."""
    names: list[str] = []
    for union, parts in UNIONS.items():
        if set(parts) <= set(regions.tissues):
            names.append(union)
        names += [name for name in parts if name in regions.tissues]
    return [*names, *(name for name in regions.tissues if name not in names)]


def words(region: str) -> str:
    """A region as a person writes it."""
    return region.replace("_", " ")


def region_table(knee: Knee, regions: Segmentation) -> Table:
    """Volume of each region and, of each map in it, mean, SD, median and the part of voxels with a value."""
    maps = knee.maps
    shown = [name for name in knee.quantities if not QUANTITIES[name].intensity]
    columns = ["Region", "Volume [ml]", "Voxels"]
    for name in shown:
        unit = QUANTITIES[name].display_unit
        title = f"{name} [{unit}]" if unit else name
        columns += [f"{title} mean \N{PLUS-MINUS SIGN} SD", f"{name} median", f"{name} valid"]
    rows = []
    milliliters = maps.grid.voxel_volume
    for region in region_names(regions):
        mask = regions.mask(region)
        cells = [Cell(words(region)), Cell(number(mask.sum() * milliliters, 2)), Cell(f"{mask.sum():,}")]
        for name in shown:
            cells += _value_cells(maps, name, mask)
        rows.append(cells)
    caption = (
        "Of the voxels with a value. SD: spread over the voxels of the region, noise included. Valid: part of the "
        f"region's voxels that have a value. {knee.region_origin} No normal range is given: none is known for these "
        "methods that would hold for this scanner and protocol."
    )
    return Table("Regions", columns, rows, caption)


def _value_cells(maps: MapSet, name: str, mask: NDArray[np.bool_]) -> list[Cell]:
    described = QUANTITIES[name]
    values = maps.values[name][mask]
    known = values[np.isfinite(values)].astype(np.float64) * described.display_factor
    if not known.size:
        return [Cell(NOTHING), Cell(NOTHING), Cell(NOTHING if not mask.any() else "0 %")]
    digits = shown_digits(described.display_range) if described.display_range else 1
    spread = float(known.std(ddof=1)) if known.size > 1 else float("nan")
    return [
        Cell(mean_sd(float(known.mean()), spread, digits)),
        Cell(number(float(np.median(known)), digits)),
        Cell(f"{100 * known.size / mask.sum():.0f} %"),
    ]


def findings(knee: Knee) -> list[str]:
    """Where a reader should be careful, one sentence each; empty where no check of `CHECKS` found anything."""
    if knee.regions is None:
        return []
    found: list[str] = []
    for region in knee.regions.tissues:
        mask = knee.regions.mask(region)
        if mask.sum() < FEWEST_VOXELS:
            found.append(f"{words(region)}: {counted(int(mask.sum()), 'voxel')} only.")
            continue
        found += _doubts(knee, region, mask)
    return found


CHECKS = (
    f"Checked in every region: at least {FEWEST_VOXELS} voxels; at least {100 * LOWEST_VALID_SHARE:.0f} % of them "
    f"with a value of each map; median B1 of {100 * B1_RANGE[0]:.0f} to {100 * B1_RANGE[1]:.0f} %; median fit "
    f"residual up to {100 * LARGEST_RESIDUAL:.0f} % of the mean signal. Motion between images is not checked here."
)
"""What `findings` looks at, in words."""


def _doubts(knee: Knee, region: str, mask: NDArray[np.bool_]) -> list[str]:
    """Remarks about the maps in one region."""
    maps, found = knee.maps, []
    for name in knee.quantities:
        reasons = maps.reason[name][mask]
        share = float((reasons == Reason.VALID).mean())
        if share < LOWEST_VALID_SHARE:
            cause = Reason(int(np.bincount(reasons[reasons != Reason.VALID]).argmax()))
            found.append(
                f"{words(region)}: {100 * (1 - share):.0f} % of the voxels have no {name}, mostly because: "
                f"{reason_words(predicted=knee.predicted)[cause]}."
            )
    B1 = maps.values["B1"][mask] if "B1" in maps.values else np.empty(0, np.float32)
    if np.isfinite(B1).any():
        middle = float(np.nanmedian(B1))
        if not B1_RANGE[0] <= middle <= B1_RANGE[1]:
            found.append(f"{words(region)}: median B1 is {100 * middle:.0f} %.")
    for method, relative in relative_residuals(knee).items():
        left = relative[mask]
        if np.isfinite(left).any() and float(np.nanmedian(left)) > LARGEST_RESIDUAL:
            percent = 100 * float(np.nanmedian(left))
            found.append(
                f"{words(region)}: the {words(method)} fit leaves {percent:.0f} % of the signal unexplained (median)."
            )
    return found


def relative_residuals(knee: Knee) -> dict[Method, NDArray[np.float32]]:
    """Residual over mean signal (z, y, x) by method, of the series on the grid of the maps."""
    found: dict[Method, NDArray[np.float32]] = {}
    for method, series in knee.scan.series.items():
        residual = knee.maps.residual.get(method)
        if residual is None or series.grid.shape != residual.shape:
            continue
        mean = series.magnitudes.mean(axis=0)
        found[method] = np.divide(residual, mean, out=np.full_like(residual, np.nan), where=mean > 0)
    return found


def marks(regions: Segmentation) -> list[dict[str, object]]:
    """Label, name, colour and a voxel in the middle of each tissue that has voxels, for the viewer."""
    shown = []
    for name in regions.tissues:
        mask = regions.mask(name)
        if mask.any():
            tissue = TISSUES[name]
            shown.append(
                {
                    "label": tissue.label,
                    "name": words(name),
                    "color": tissue.color,
                    "voxel": middle_voxel(mask),
                }
            )
    return shown


def middle_voxel(mask: NDArray[np.bool_]) -> Sequence[int]:
    """The voxel (z, y, x) farthest from the border of a mask in its fullest sagittal slice: the purest one there."""
    from scipy.ndimage import distance_transform_edt

    z = int(mask.sum(axis=(1, 2)).argmax())
    # a margin lets the border of the image count as border
    depth = np.asarray(distance_transform_edt(np.pad(mask[z], 1)))[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return [z, int(y), int(x)]
