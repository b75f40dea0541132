"""Seconds and memory to fit a whole knee of the paper's size: four maps with standard deviations, no file reading."""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

N_RUNS = 5


def peak_gb() -> float:
    """Largest memory of this process so far [GB]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def make(path: Path) -> None:
    """Writes the images of a simulated knee; in a process of its own, so that its memory is not counted."""
    import subprocess

    code = (
        "import numpy as np\n"
        "from rmqnet.simulate.config import preset\n"
        "from rmqnet.simulate.simulate import simulate_subject\n"
        "knee = simulate_subject(preset('paper'), 0)\n"
        f"np.savez({str(path)!r}, **{{method: np.abs(one.data) for method, one in knee.scan.series.items()}})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.protocols import FULL
    from rmqnet.domain.scan import ImageSeries, Scan
    from rmqnet.domain.subject import Subject
    from rmqnet.fit.fit import fit
    from rmqnet.simulate.config import preset

    config = preset("paper")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "knee.npz"
        make(path)
        with np.load(path) as images:
            data = {method: images[method] for method in images.files}
    series = {}
    for method, volumes in data.items():
        factor = config.afi_matrix_factor if method == "afi" else 1
        z, y, x = (factor * size for size in config.voxel_size)
        n_z, n_y, n_x = volumes.shape[1:]
        acquisitions = tuple(image for image in FULL.acquisitions if image.method == method)
        series[method] = ImageSeries(volumes, acquisitions, centered_grid((n_z, n_y, n_x), (z, y, x)))
    scan, seconds, notes = Scan(Subject("001", "right"), series), [], []
    fit(scan)
    for _ in range(N_RUNS):
        notes = []
        start = time.perf_counter()
        maps = fit(scan, notes=notes)
        seconds.append(time.perf_counter() - start)
    for name, values in maps.values.items():
        print(f"{name}: {np.isfinite(values).sum():,} of {values.size:,} voxels, SD map: {name in maps.sd}")
    print(*notes, sep="\n")
    print(f"{min(seconds):.2f} to {max(seconds):.2f} s in {N_RUNS} runs")
    print(json.dumps({"seconds": round(statistics.median(seconds), 2), "peak_gb": round(peak_gb(), 2)}))


if __name__ == "__main__":
    main()
