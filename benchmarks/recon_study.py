"""Seconds and memory from the k-space files of one subject to its 13 images on disk: 8 coils, the paper's matrix."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N_COILS = 8


def peak_gb() -> float:
    """Largest memory of this process so far [GB]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def write(study: str, trajectory: str) -> None:
    """Writes k-space of the paper's protocol: a slab, with noise. What is read does not change the time it takes."""
    from collections.abc import Iterator
    from dataclasses import replace

    import numpy as np

    from rmqnet.domain.grid import centered_grid, coarser
    from rmqnet.domain.kspace import KSpace
    from rmqnet.domain.protocols import FULL
    from rmqnet.domain.subject import Subject
    from rmqnet.encoding.cones import cones
    from rmqnet.encoding.cones_settings import afi_settings, cones_preset
    from rmqnet.encoding.fourier import FourierOperator
    from rmqnet.io.kspace_file import write_kspace
    from rmqnet.io.participants import write_participants
    from rmqnet.simulate.coils import sensitivities

    settings = cones_preset(trajectory)
    folder = Path(study) / "sub-001" / "raw"
    folder.mkdir(parents=True)
    write_participants(Path(study) / "participants.tsv", [Subject("001", "right")])
    rng = np.random.default_rng(0)
    for method in ("vfa", "adiabatic_t1rho", "afi"):
        own = [item for item in FULL.acquisitions if item.method == method]
        grid = centered_grid(settings.shape, settings.voxel_size)
        grid = coarser(grid, 2) if method == "afi" else grid
        path = cones(afi_settings(settings) if method == "afi" else settings)
        slab = np.zeros(grid.shape, np.complex64)
        slab[tuple(slice(n // 5, n - n // 5) for n in grid.shape)] = 100
        coils = sensitivities(grid, (54.0, 75.0, 75.0), N_COILS) * slab
        clean = FourierOperator(path.trajectory, grid.shape, grid.voxel_size).forward(coils)
        clean *= np.prod(grid.voxel_size)
        first = KSpace(
            clean[None],
            path.trajectory,
            (own[0],),
            grid,
            path.read_times,
            np.eye(N_COILS, dtype=complex),
            path.density,
        )

        def contrasts(first: KSpace = first, own: list = own) -> Iterator[KSpace]:
            for index, item in enumerate(own):
                noise = rng.standard_normal((*first.samples.shape, 2), np.float32).view(np.complex64)[..., 0]
                yield replace(first, samples=(first.samples * 0.8**index + 50 * noise), acquisitions=(item,))

        write_kspace(folder / f"sub-001_acq-{method}_kspace.h5", contrasts(), len(own), "hdf5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--trajectory", default="short", help="preset: short (1.1 ms), stretched (2.2 ms), full"
    )
    parser.add_argument("--algorithm", default="gridding", choices=("gridding", "cg_sense"))
    parser.add_argument("--write", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write, options.trajectory)
        return
    from rmqnet.pipeline.kspace import reconstruct_study
    from rmqnet.pipeline.progress import Quiet
    from rmqnet.reconstruct.config import ReconstructConfig

    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        # in a process of its own, so that its memory is not counted
        command = [sys.executable, __file__, "--write", str(study), "--trajectory", options.trajectory]
        subprocess.run(command, check=True)
        size = sum(path.stat().st_size for path in study.rglob("*.h5"))
        print(f"{size / 1e9:.2f} GB of k-space, trajectory {options.trajectory}, {N_COILS} coils")
        start, busy = time.perf_counter(), time.process_time()
        config = ReconstructConfig(algorithm=options.algorithm)
        (out,) = reconstruct_study(study, Path(folder) / "images", config, Quiet())
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        n_images = len(list(out.rglob("*.nii.gz")))
        print(f"{n_images} images by {options.algorithm} in {seconds:.1f} s, {busy:.0f} s of processor time")
    print(json.dumps({"seconds": round(seconds, 1), "peak_gb": round(peak_gb(), 2)}))


if __name__ == "__main__":
    main()
