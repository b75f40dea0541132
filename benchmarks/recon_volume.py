"""Seconds to reconstruct one volume of the paper's size from 8 coils and 7100 spokes, beside BART's `nufft -a`.

Ours runs from samples to the combined image: plans, sensitivities, gridding of all coils, combination. BART gets the
same samples with the density already on them, and makes the coil images only.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

N_COILS = 8
N_RUNS = 3


def write_cfl(path: Path, array: np.ndarray) -> None:
    """Array as BART's pair of files; its first axis is the last one here."""
    dimensions = [*reversed(array.shape), *[1] * (16 - array.ndim)]
    path.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, dimensions)) + "\n")
    np.ascontiguousarray(array, np.complex64).tofile(path.with_suffix(".cfl"))


def bart_images(kspace, folder: Path) -> tuple[float, np.ndarray] | str:
    """Seconds and coil images (coil, z, y, x) of BART, or why there are none."""
    if shutil.which("bart") is None:
        return "bart is not installed (Debian package bart)"
    size = np.array(kspace.grid.voxel_size) * kspace.grid.shape
    write_cfl(folder / "trajectory", (kspace.trajectory * size)[..., ::-1])
    # BART counts from voxel n // 2, k-space of this program from the middle of the grid
    half = np.array([n // 2 - (n - 1) / 2 for n in kspace.grid.shape]) * kspace.grid.voxel_size
    weighted = kspace.samples[0] * kspace.density * np.exp(2j * np.pi * (kspace.trajectory @ half))
    write_cfl(folder / "samples", weighted[..., None])
    n_z, n_y, n_x = kspace.grid.shape
    command = ["bart", "nufft", "-a", "-d", f"{n_x}:{n_y}:{n_z}", "trajectory", "samples", "images"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        return f"bart failed: {done.stderr.strip()}"
    images = np.fromfile(folder / "images.cfl", np.complex64).reshape(-1, n_z, n_y, n_x)
    return seconds, images


def make(name: str):
    """K-space of a smooth-bordered ball in 8 coils."""
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.kspace import KSpace
    from rmqnet.domain.protocols import vfa
    from rmqnet.encoding.cones import cones
    from rmqnet.encoding.cones_settings import cones_preset
    from rmqnet.encoding.fourier import FourierOperator
    from rmqnet.simulate.coils import sensitivities

    settings = cones_preset(name)
    made = cones(settings)
    grid = centered_grid(settings.shape, settings.voxel_size)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in settings.shape), indexing="ij")
    ball = 1 / (1 + np.exp(40 * (np.sqrt(z**2 + y**2 + x**2) - 0.7)))
    half = tuple(side / 2 for side in settings.field_of_view)
    images = ball.astype(np.complex64) * sensitivities(grid, half, N_COILS)
    operator = FourierOperator(made.trajectory, settings.shape, settings.voxel_size)
    samples = np.float32(np.prod(settings.voxel_size)) * operator.forward(images)
    acquisitions = (vfa(10.0),)
    return KSpace(
        samples[None], made.trajectory, acquisitions, grid, made.read_times, np.eye(N_COILS), made.density
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trajectory", default="short", help="preset of the cones")
    arguments = parser.parse_args()
    from rmqnet.encoding.fourier import FourierOperator
    from rmqnet.reconstruct.reconstruct import reconstruct

    kspace = make(arguments.trajectory)
    _, n_coils, n_spokes, n_reads = kspace.samples.shape
    print(f"{n_coils} coils, {n_spokes} spokes of {n_reads} samples, image {kspace.grid.shape}")
    seconds, busy = [], time.process_time()
    for _ in range(N_RUNS):
        start = time.perf_counter()
        reconstruct([kspace])
        seconds.append(time.perf_counter() - start)
    busy = (time.process_time() - busy) / N_RUNS
    print(
        f"from samples to the combined image: {min(seconds):.2f} to {max(seconds):.2f} s in {N_RUNS} runs,"
        f" processor time {busy:.2f} s each"
    )
    operator = FourierOperator(kspace.trajectory, kspace.grid.shape, kspace.grid.voxel_size)
    start = time.perf_counter()
    own = operator.adjoint(kspace.samples[0], kspace.density)
    print(f"coil images only, what BART does: {time.perf_counter() - start:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        other = bart_images(kspace, Path(folder))
    answer: dict[str, object] = {"seconds": round(statistics.median(seconds), 2), "bart_seconds": None}
    if isinstance(other, str):
        answer["reason"] = other
    else:
        bart_seconds, images = other
        answer["bart_seconds"] = round(bart_seconds, 2)
        # BART scales by the root of the number of voxels
        factor = np.vdot(images, own) / np.vdot(images, images)
        difference = np.linalg.norm(own - factor * images) / np.linalg.norm(own)
        print(f"bart nufft -a: {bart_seconds:.2f} s; images differ by {difference:.1e} up to a factor")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
