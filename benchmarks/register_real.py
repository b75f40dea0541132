"""Registration of the real knee: what it moves where nothing moved, and what is left of a motion that was added.

Joint box: the parts of the image in RegisterConfig.joint_box (z, y, x), within tissue.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "pykneer_t1rho_dess"
TIMES = (0.001, 0.010, 0.030, 0.060)
ROTATION, TRANSLATION = 2.0, 2.0
"""Added about and along each axis [degree, mm]; the signs differ from image to image."""
SIGNS = (((1, -1, 1), (1, 1, -1)), ((-1, 1, 1), (-1, 1, 1)), ((1, 1, -1), (1, -1, 1)))


def error_left(true: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[float, float]:
    """Rotation [degree] and translation [mm] of the rigid motion nearest to what leads from true to found points.

    Over all points (3, n) of the joint, so that a displacement field counts as well as a matrix.
    """
    rotation = Rotation.align_vectors(
        (found - found.mean(axis=1, keepdims=True)).T, (true - true.mean(axis=1, keepdims=True)).T
    )[0]
    shift = np.linalg.norm((found - true).mean(axis=1))
    return float(np.degrees(rotation.magnitude())), float(shift)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quality", default="fast", choices=["full", "fast"])
    options = parser.parse_args()
    if not FOLDER.is_dir():
        print(json.dumps({"skipped": "the pyKNEEr knee is not beside the repository"}))
        return
    from rmqnet.domain.acquisition import Acquisition
    from rmqnet.domain.motion import (
        STILL,
        displacement,
        grid_center,
        grid_points,
        inverse,
        rigid_motion,
    )
    from rmqnet.domain.scan import ImageSeries, Scan
    from rmqnet.domain.subject import Subject
    from rmqnet.io.nifti import read_volume
    from rmqnet.pipeline.register import model_without
    from rmqnet.register.config import RegisterConfig
    from rmqnet.register.register import register
    from rmqnet.register.resample import taken_back

    read = [read_volume(FOLDER / f"T1rho_tsl-{ms:02d}ms.nii.gz") for ms in (1, 10, 30, 60)]
    grid = read[0][1]
    images = tuple(Acquisition("spin_lock", spin_lock_time=time) for time in TIMES)
    series = ImageSeries(np.stack([volume for volume, _ in read]), images, grid)
    config = replace(RegisterConfig(), quality=options.quality)
    still = register(Scan(Subject("knee", "right"), {"spin_lock": series}), config, model=model_without)
    shifts = [float(displacement(volume.motion, grid)[still.joint].max()) for volume in still.volumes]
    print(f"joint box (parts of z, y, x): {config.joint_box}, {int(still.joint.sum()):,} voxels of tissue")
    for volume in still.volumes:
        print(
            f"as it is, {volume.unit.label}: {volume.sentence}; largest found {volume.largest_shift:.2f} mm"
        )
    center = grid_center(grid)
    motions = [STILL] + [
        rigid_motion(ROTATION * np.array(turn), TRANSLATION * np.array(shift), center)
        for turn, shift in SIGNS
    ]
    moved = [
        volume if motion.is_still else np.nan_to_num(taken_back(volume, grid, inverse(motion, grid), grid))
        for volume, motion in zip(series.data, motions, strict=True)
    ]
    added = ImageSeries(np.stack(moved), images, grid)
    found = register(Scan(Subject("knee", "right"), {"spin_lock": added}), config, model=model_without)
    points = grid_points(grid)[:, found.joint]
    turns, shifts_left = [], []
    for volume, motion in zip(found.volumes[1:], motions[1:], strict=True):
        turn, shift = error_left(motion.positions(points), volume.motion.positions(points))
        turns.append(turn)
        shifts_left.append(shift)
        print(
            f"moved, {volume.unit.label}: {volume.sentence}; left {turns[-1]:.2f} degrees, {shifts_left[-1]:.2f} mm"
        )
    print(
        json.dumps(
            {
                "max_shift_mm": round(max(shifts), 3),
                "largest_found_mm": round(max(volume.largest_shift for volume in still.volumes[1:]), 3),
                "rotation_error_degrees": round(max(turns), 3),
                "translation_error_mm": round(max(shifts_left), 3),
            }
        )
    )


if __name__ == "__main__":
    main()
