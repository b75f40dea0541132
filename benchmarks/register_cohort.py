"""Registration of simulated knees that moved: target error in cartilage, T1rho error, and maps where nothing moved."""

import argparse
import json
from dataclasses import replace

import numpy as np
from _moved_knees import N_SUBJECTS, SHAPE, still_and_moved, t1rho_error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=N_SUBJECTS)
    parser.add_argument("--first", type=int, default=0, help="the knee to begin with, to go on after a break")
    parser.add_argument(
        "--still-subjects", type=int, default=2, help="how many are also registered without motion"
    )
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE, metavar=("Z", "Y", "X"))
    parser.add_argument("--quality", default="full", choices=["full", "fast"])
    options = parser.parse_args()
    from rmqnet.domain.motion import STILL, Motion, grid_points
    from rmqnet.domain.registration import Registered
    from rmqnet.fit.fit import fit
    from rmqnet.pipeline.register import model_without
    from rmqnet.register.config import RegisterConfig
    from rmqnet.register.register import register
    from rmqnet.simulate.simulated import Simulated

    shape = (options.shape[0], options.shape[1], options.shape[2])
    config = replace(RegisterConfig(), quality=options.quality)

    def target_error(knee: Simulated, motion: Motion, image: object) -> float:
        points = grid_points(knee.labels.grid)[:, knee.cartilage_fraction > 0.5]
        true = knee.motions.get(image, STILL)  # pyright: ignore
        return float(np.linalg.norm(motion.positions(points) - true.positions(points), axis=0).mean())

    errors, unregistered, increase, unmended, changes = [], [], [], [], []
    for index in range(options.first, options.subjects):
        calm, knee = still_and_moved(index, options.subjects, shape)
        done: Registered = register(knee.scan, config, model=model_without)
        moving = [volume for volume in done.volumes if volume.outcome != "fixed"]
        own = [target_error(knee, volume.motion, volume.acquisitions[0]) for volume in moving]
        errors += own
        unregistered += [target_error(knee, STILL, volume.acquisitions[0]) for volume in moving]
        reference_maps = fit(calm.scan)
        reference = t1rho_error(calm, reference_maps)
        increase.append(100 * (t1rho_error(knee, fit(done.scan)) / reference - 1))
        unmended.append(100 * (t1rho_error(knee, fit(done.before)) / reference - 1))
        outcomes = [volume.outcome for volume in moving]
        print(
            f"knee {index}: {np.mean(own):.3f} mm left; T1rho error {increase[-1]:+.1f} % "
            f"(not registered {unmended[-1]:+.1f} %); {outcomes.count('corrected')} corrected, "
            f"{outcomes.count('still')} still, {outcomes.count('not trusted')} not trusted",
            flush=True,
        )
        for volume, error in zip(moving, own, strict=True):
            print(f"    {volume.unit.label}: {volume.sentence}; {error:.2f} mm left")
        if index < options.still_subjects:
            calmed = register(calm.scan, config, model=model_without)
            maps = fit(calmed.scan)
            for name in ("T1", "T1rho", "B1", "M0"):
                both = (calm.cartilage_fraction > 0.5) & maps.valid(name) & reference_maps.valid(name)
                ratio = maps.values[name][both] / reference_maps.values[name][both] - 1
                changes.append(100 * float(np.median(np.abs(ratio))))
            words = [volume.outcome for volume in calmed.volumes]
            print(
                f"    without motion: {words.count('corrected')} moved; maps change {changes[-4:]} %",
                flush=True,
            )
    print(
        json.dumps(
            {
                "subjects": options.subjects - options.first,
                "target_error_mm": round(float(np.mean(errors)), 3),
                "target_error_unregistered_mm": round(float(np.mean(unregistered)), 3),
                "t1rho_error_increase_percent": round(float(np.mean(increase)), 1),
                "t1rho_error_increase_unregistered_percent": round(float(np.mean(unmended)), 1),
                "still_change_percent": round(max(changes), 2) if changes else None,
            }
        )
    )


if __name__ == "__main__":
    main()
