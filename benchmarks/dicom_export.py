"""Errors that dciodvfy finds in the DICOM objects of a knee of the paper's size, with and without a DICOM source."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "io"))

SHAPE = (256, 256, 36)


def make(place: Path, kind: str) -> tuple[Path, Path]:
    """Study and predictions of one knee."""
    from dicom_writers import Image, sagittal, write_classic, write_enhanced
    from test_dicom_export import write_predictions
    from test_dicom_import import run

    from rmqnet.domain.grid import centered_grid
    from rmqnet.domain.subject import Subject
    from rmqnet.io.bids import load_scan
    from rmqnet.io.participants import write_participants

    study = place / "study"
    if kind == "none":
        (study / "sub-001").mkdir(parents=True)
        write_participants(study / "participants.tsv", [Subject("001", "right")])
        grid = centered_grid((36, 256, 256), (3.0, 0.6, 0.6))
    else:
        pixels = np.random.default_rng(1).integers(100, 900, SHAPE).astype(np.uint16)
        affine = sagittal(SHAPE, angle=12.0)
        images = [Image(pixels, affine, 7, "T1rho", echo_time=time) for time in (1.0, 30.0)]
        if kind == "classic":
            write_classic(place / "dicom", images)
        else:
            write_enhanced(place / "dicom" / "IM1", images)
        run(place / "dicom", study)
        grid = load_scan(study, "001").get("spin_lock").grid
    write_predictions(place / "predicted", grid)
    return study, place / "predicted"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if shutil.which("dciodvfy") is None:
        print(json.dumps({"skipped": "dciodvfy (Debian dicom3tools) is not installed"}))
        return
    from rmqnet.pipeline.export import export_study
    from rmqnet.pipeline.progress import Quiet

    n_objects, errors, seconds = 0, [], 0.0
    for kind in ("classic", "enhanced", "none"):
        with tempfile.TemporaryDirectory() as name:
            study, maps = make(Path(name), kind)
            start = time.perf_counter()
            (folder,) = export_study(study, maps, Path(name) / "out", Quiet())
            seconds = max(seconds, time.perf_counter() - start)
            paths = sorted(folder.iterdir())
            n_objects += len(paths)
            for path in paths:
                command = ["dciodvfy", "-new", str(path)]
                answer = subprocess.run(command, capture_output=True, text=True, check=False)
                own = [
                    line for line in (answer.stdout + answer.stderr).splitlines() if line.startswith("Error")
                ]
                errors += own
                size = path.stat().st_size / 1e6
                print(f"source {kind}: {path.name} {size:.1f} MB, {len(own)} errors")
    print(*errors, sep="\n")
    print(json.dumps({"objects": n_objects, "errors": len(errors), "seconds": round(seconds, 2)}))


if __name__ == "__main__":
    main()
