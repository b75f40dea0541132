"""Phantom to k-space to images to maps, without noise: how far T1 and T1rho are from the truth."""

import argparse
import json
import time

import numpy as np

FWHM = 1.59
"""Width at half maximum of the point spread of a sampled ellipsoid, in voxels."""


def fitted(trajectory: str, *, fat_on_resonance: bool) -> dict[str, float]:
    """Mean error of T1, T1rho and B1 [%] over the interior of the slab, and how many voxels it has."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.protocols import FULL
    from rmqnet.domain.scan import Scan
    from rmqnet.domain.subject import Subject
    from rmqnet.encoding.cones_settings import cones_preset
    from rmqnet.fit.fit import fit
    from rmqnet.reconstruct.reconstruct import reconstruct
    from rmqnet.simulate.config import kspace_preset
    from rmqnet.simulate.kspace import place, scan_contrast
    from rmqnet.simulate.phantom import VALUES, interior, slab_phantom

    settings = cones_preset(trajectory)
    grid = centered_grid(settings.shape, settings.voxel_size)
    spins = slab_phantom(grid, fat_on_resonance=fat_on_resonance)
    scanned = place(spins, grid, grid, kspace_preset(trajectory), afi_factor=2, noise=0.0, seed=(0,))
    notes: list[str] = []
    images = reconstruct((scan_contrast(scanned, item) for item in FULL.acquisitions), notes=notes)
    maps = fit(Scan(Subject("001", "right"), images), notes=notes)
    inside = interior(spins, FWHM)
    print(
        f"{trajectory}, {len(scanned.fine.trajectory)} spokes, undersampled {scanned.fine.undersampling:.2f} times; "
        f"fat {'on' if fat_on_resonance else 'off'} resonance; {inside.sum()} interior voxels"
    )
    print(*notes, sep="\n")
    found: dict[str, float] = {"n": int(inside.sum())}
    for name in ("T1", "T1rho", "B1"):
        truth = spins.maps.B1[inside] if name == "B1" else VALUES[name]
        values = maps.values[name][inside]
        error = 100 * (values / truth - 1)
        kept = np.isfinite(error)
        found[name] = float(error[kept].mean())
        print(
            f"{name}: mean error {found[name]:+.3f} %, standard deviation {error[kept].std():.3f} %, "
            f"{(~kept).sum()} voxels without a value"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--trajectory", default="fast", help="preset; fast (96 x 96 x 24) and full sample fully"
    )
    trajectory = parser.parse_args().trajectory
    start = time.perf_counter()
    on = fitted(trajectory, fat_on_resonance=True)
    off = fitted(trajectory, fat_on_resonance=False)
    print(f"{time.perf_counter() - start:.0f} s")
    result = {
        "t1_percent": round(abs(on["T1"]), 3),
        "t1rho_percent": round(abs(on["T1rho"]), 3),
        "t1_percent_fat_shifted": round(abs(off["T1"]), 3),
        "t1rho_percent_fat_shifted": round(abs(off["T1rho"]), 3),
        "n_voxels": on["n"],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
