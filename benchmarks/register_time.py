"""Seconds to register 10 volumes and the AFI pair to the fixed one, 256 x 256 x 36, and what the fast preset loses."""

import argparse
import json
import time
from dataclasses import replace

import numpy as np


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    from rmqnet.domain.motion import grid_points
    from rmqnet.pipeline.register import model_without
    from rmqnet.register.config import RegisterConfig
    from rmqnet.register.register import register
    from rmqnet.simulate.config import MOTION_BETWEEN, SimulateConfig
    from rmqnet.simulate.simulate import simulate_subject

    knee = simulate_subject(SimulateConfig(n_subjects=10, seed=2026, **MOTION_BETWEEN), 0)
    points = grid_points(knee.labels.grid)[:, knee.cartilage_fraction > 0.5]
    seconds, left = {}, {}
    for quality in ("fast", "full"):
        start = time.perf_counter()
        done = register(knee.scan, replace(RegisterConfig(), quality=quality), model=model_without)
        seconds[quality] = time.perf_counter() - start
        errors = [
            np.linalg.norm(
                volume.motion.positions(points) - knee.motions[volume.acquisitions[0]].positions(points),
                axis=0,
            ).mean()
            for volume in done.volumes
            if volume.outcome != "fixed"
        ]
        left[quality] = float(np.mean(errors))
        print(f"{quality}: {seconds[quality]:.0f} s, target error {left[quality]:.3f} mm", flush=True)
    print(
        json.dumps(
            {
                "full_seconds": round(seconds["full"], 1),
                "fast_seconds": round(seconds["fast"], 1),
                "full_target_error_mm": round(left["full"], 3),
                "fast_target_error_mm": round(left["fast"], 3),
            }
        )
    )


if __name__ == "__main__":
    main()
