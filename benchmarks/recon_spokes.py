"""Images and maps from fewer spokes: error against the part of the spokes, gridding beside CG-SENSE.

A simulated knee with noise, 8 coils, fully sampled cones in golden order; the first part of the spokes is used, as
from a scan that was stopped. Image errors are against the image from all spokes without noise, map errors against the
maps from all such images, over cartilage voxels.
"""

import argparse
import json
import time

import numpy as np


def measured(maps, reference, inside: np.ndarray, name: str) -> tuple[float, float]:
    """Median of the error and of its size [%] of a map over voxels that both have."""
    error = 100 * (maps.values[name] / reference.values[name] - 1)[inside]
    error = error[np.isfinite(error)]
    return float(np.median(error)), float(np.median(np.abs(error)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trajectory", default="fast", help="preset of the cones, fully sampled")
    parser.add_argument("--parts", type=float, nargs="+", default=[1.0, 0.5, 0.25])
    arguments = parser.parse_args()
    from dataclasses import replace

    from rmqnet.domain.scan import Scan
    from rmqnet.encoding.cones_settings import cones_preset
    from rmqnet.fit.fit import fit
    from rmqnet.reconstruct.config import ReconstructConfig
    from rmqnet.reconstruct.reconstruct import reconstruct
    from rmqnet.simulate.config import SimulateConfig, kspace_preset
    from rmqnet.simulate.kspace import simulate_kspace
    from rmqnet.simulate.read_kspace import add_noise

    settings = cones_preset(arguments.trajectory)
    cohort = SimulateConfig(shape=settings.shape, field_of_view=settings.field_of_view)
    scanner = kspace_preset(arguments.trajectory)
    noisy = simulate_kspace(cohort, replace(scanner, noise=True), 0)
    covariance = noisy.scanned.noise_covariance
    assert covariance is not None
    clean = simulate_kspace(cohort, replace(scanner, noise=False), 0)
    series = [replace(clean.contrast(item), noise_covariance=covariance) for item in clean.acquisitions]
    images = reconstruct(series)
    reference = fit(Scan(clean.subject, images))
    best = images["vfa"].data
    rng = np.random.default_rng(0)
    for kspace in series:
        add_noise(kspace.samples[0], covariance, rng)
    inside = clean.cartilage_fraction > 0.9
    tissue = best[-1] > 0.1 * np.percentile(best[-1], 99)
    n_spokes = len(series[0].trajectory)
    print(f"{n_spokes} spokes are full sampling; {inside.sum()} cartilage voxels; SNR {clean.snr:.0f}")
    rows = []
    print("part  algorithm  image error %  T1 error (size) %  T1rho error (size) %  seconds")
    for part in arguments.parts:
        for algorithm in ("gridding", "cg_sense"):
            start = time.perf_counter()
            found = reconstruct(series, ReconstructConfig(algorithm=algorithm, spokes_part=part))
            seconds = time.perf_counter() - start
            maps = fit(Scan(clean.subject, found))
            moved = (found["vfa"].data - best)[:, tissue]
            image = 100 * float(np.linalg.norm(moved) / np.linalg.norm(best[:, tissue]))
            t1, t1rho = (measured(maps, reference, inside, name) for name in ("T1", "T1rho"))
            rows.append([part, algorithm, *(round(v, 2) for v in (image, *t1, *t1rho))])
            print(
                f"{part:4.2f}  {algorithm:9}  {image:13.2f}  {t1[0]:+8.2f} ({t1[1]:5.2f})  "
                f"{t1rho[0]:+11.2f} ({t1rho[1]:5.2f})  {seconds:8.0f}",
                flush=True,
            )
    print(json.dumps({"n_spokes": n_spokes, "rows": rows}))


if __name__ == "__main__":
    main()
