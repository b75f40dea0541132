"""Seconds to import the paper's study from 432 DICOM files (13 volumes, oblique), and the worst place of a voxel."""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "io"))

SHAPE, COARSE = (256, 256, 36), (128, 128, 18)
ANGLE = 12.0


def images() -> list:
    """The paper's images: four flip angles, seven spin-lock times, and AFI with half the matrix."""
    from dicom_writers import Image, sagittal

    from rmqnet.domain.protocols import FLIP_ANGLES, SPIN_LOCK_TIMES

    random = np.random.default_rng(1)
    fine, coarse = sagittal(SHAPE, angle=ANGLE), sagittal(COARSE, angle=ANGLE)
    pixels = [random.integers(100, 900, SHAPE).astype(np.uint16) for _ in range(11)]
    made = [
        Image(pixels[n], fine, 10 + n, "UTE VFA", flip_angle=angle) for n, angle in enumerate(FLIP_ANGLES)
    ]
    made += [
        Image(pixels[4 + n], fine, 20 + n, f"UTE T1rho TSL{time * 1e3:g}", flip_angle=10.0)
        for n, time in enumerate(SPIN_LOCK_TIMES)
    ]
    for n, repetition in enumerate((20.0, 100.0)):
        dimmer = (random.integers(100, 900, COARSE) // (1 + n)).astype(np.uint16)
        made.append(Image(dimmer, coarse, 30 + n, "AFI", repetition_time=repetition, flip_angle=45.0))
    return made


def error_mm(path: Path, lps: np.ndarray, shape: tuple[int, int, int]) -> float:
    """How far any corner of an image lies from where it was written [mm]."""
    import nibabel as nib

    image = nib.load(path)
    corners = np.array(list(np.ndindex(2, 2, 2)))
    truth = np.diag([-1.0, -1.0, 1.0]) @ (lps[:3, :3] @ (corners * (np.array(shape) - 1)).T + lps[:3, 3:])
    own = image.affine[:3, :3] @ (corners * (np.array(image.shape) - 1)).T + image.affine[:3, 3:]
    return float(np.linalg.norm(truth.T[:, None] - own.T[None], axis=2).min(axis=1).max())


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    from dicom_writers import write_classic

    from rmqnet.pipeline.import_dicom import ImportOptions, find_dicom, import_dicom
    from rmqnet.pipeline.progress import Quiet

    with tempfile.TemporaryDirectory() as place:
        folder, study = Path(place) / "dicom", Path(place) / "study"
        made = images()
        n_files = sum(len(write_classic(folder, [image], "GE MEDICAL SYSTEMS")) for image in made)
        start = time.perf_counter()
        plan = find_dicom(folder, ImportOptions(), Quiet())
        found = time.perf_counter() - start
        import_dicom(study, plan, ImportOptions(), Quiet())
        seconds = time.perf_counter() - start
        written = sorted((study / "sub-001").rglob("*.nii.gz"))
        worst = 0.0
        for path in written:
            image = made[-1] if "TB1AFI" in path.name else made[0]
            worst = max(worst, error_mm(path, image.affine, image.pixels.shape))
    print(f"{n_files} files, {len(written)} volumes: headers in {found:.2f} s, all in {seconds:.2f} s")
    print(f"worst corner {worst:.1e} mm off")
    print(
        json.dumps(
            {"seconds": round(seconds, 2), "max_error_mm": float(f"{worst:.2g}"), "volumes": len(written)}
        )
    )


if __name__ == "__main__":
    main()
