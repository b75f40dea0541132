"""Values of each region of one knee as a table for other programs."""

import csv
import json
from pathlib import Path

import numpy as np

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.report.knee import Knee
from rmqnet.report.knee_regions import region_names

COLUMNS = {
    "region": "Tissue, or union of tissues",
    "quantity": "Quantity of the map",
    "unit": "Unit of mean, sd and median",
    "mean": "Mean over the voxels of the region that have a value",
    "sd": "Standard deviation over these voxels, noise included",
    "median": "Median over these voxels",
    "n_voxels": "Number of these voxels",
    "volume_ml": "Volume of the region [ml], voxels without a value included",
}
"""Columns of the table with their meaning."""


def write_region_values(path: Path, knee: Knee) -> None:
    """Write one row per region and map, tab-separated, and a JSON file that explains the columns.

    A region that was not found has the volume 0 and no values (n/a). The JSON file repeats the flags and notes of the
    knee, which say among others what was cut from the regions.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(_rows(knee))
    record: dict[str, object] = {name: {"Description": meaning} for name, meaning in COLUMNS.items()}
    record |= {"Flags": list(knee.flags), "EstimationNotes": list(knee.notes)}
    path.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _rows(knee: Knee) -> list[list[str]]:
    if knee.regions is None:
        return []
    rows = []
    milliliters = knee.regions.grid.voxel_volume
    for region in region_names(knee.regions):
        mask = knee.regions.mask(region)
        volume = f"{mask.sum() * milliliters:.3f}"
        for name in knee.quantities:
            described = QUANTITIES[name]
            values = knee.maps.values[name][mask].astype(np.float64) * described.display_factor
            known = values[np.isfinite(values)]
            numbers = ["n/a"] * 3
            if known.size:
                spread = f"{known.std(ddof=1):.6g}" if known.size > 1 else "n/a"
                numbers = [f"{known.mean():.6g}", spread, f"{np.median(known):.6g}"]
            rows.append([region, name, described.display_unit, *numbers, str(known.size), volume])
    return rows
