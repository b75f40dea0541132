"""How far the fitted reference is from the truth, and what the fat rule takes, on three simulated knees."""

import json

import numpy as np

from rmqnet.domain.maps import MapSet, Reason
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.fit.fit import fit
from rmqnet.simulate.config import preset
from rmqnet.simulate.simulate import simulate_subject
from rmqnet.simulate.simulated import Simulated

PURE = 0.99
"""Part of a voxel that must be cartilage to count as pure."""
REGIONS = ("cartilage", "anterior_cruciate_ligament", "posterior_cruciate_ligament")
"""Tissue that borders on fat."""


def bias(knee: Simulated, maps: MapSet, quantity: str) -> float:
    """Median relative error [%] of a fitted map in pure cartilage."""
    usable = (knee.cartilage_fraction > PURE) & maps.valid(quantity)
    return float(100 * (np.median(maps.values[quantity][usable] / knee.truth.values[quantity][usable]) - 1))


def main() -> None:
    rows: list[dict[str, float]] = []
    for index in range(3):
        knee = simulate_subject(preset("paper"), index)
        maps = fit(knee.scan)
        row = {f"{name}_bias_percent": bias(knee, maps, name) for name in ("B1", "T1", "T1rho", "M0")}
        for region in REGIONS:
            inside = knee.labels.mask(region)
            row[f"{region}_fat_percent"] = float(100 * (maps.reason["T1rho"][inside] == Reason.FAT).mean())
        inside = knee.labels.mask("cartilage")
        for name in ("T1", "T1rho"):
            values = maps.values[name][inside & maps.valid(name)] * QUANTITIES[name].display_factor
            row[f"{name}_sd_ms"] = float(values.std())
        person = knee.subject
        print(
            f"sub-{person.name} (KL {person.kl_grade}), SNR {knee.snr:.0f}:",
            {k: round(v, 2) for k, v in row.items()},
        )
        rows.append(row)
    print(json.dumps({key: round(float(np.median([row[key] for row in rows])), 2) for key in rows[0]}))


if __name__ == "__main__":
    main()
