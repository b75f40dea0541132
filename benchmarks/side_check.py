"""A wrong side in one knee alone: fresh simulated knees and, where it is at hand, a real one, right and mirrored.

Each knee is looked at once as it is (an accusation is false) and once with the other side stated (to be caught).
Images change from knee to knee: all flip angles, one T1rho image, one VFA image and one T1rho image, all images.
`caught` counts simulated knees out of `knees`, `false` all right studies that are accused.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

SEED = 902_911
"""Of none of the knees that the usual one was made of (scripts/write_usual_knee.py)."""
SHAPE = (36, 128, 128)
REAL_KNEE = Path(__file__).resolve().parents[2] / "shared" / "data" / "pykneer_t1rho_dess"


def contrasts(images, number: int):
    """Images that a study may hold: those of knee `number`."""
    vfa, t1rho = images[:4], images[4:11]
    kinds = {
        "VFA": vfa,
        "one T1rho image": [t1rho[number % 7]],
        "one VFA and one T1rho image": [vfa[1], t1rho[3]],
        "all images": images,
    }
    name = list(kinds)[number % 4]
    return name, kinds[name]


def rules(images, side: str) -> set[str]:
    """Rules that find something in the images of a knee of this stated side."""
    from rmqnet.check.check import check_images
    from rmqnet.domain.subject import Subject

    return {
        one.rule for one in check_images(images, "1", Subject("1", "left" if side == "left" else "right"))
    }


def other(side: str) -> str:
    return "left" if side == "right" else "right"


def real_images():
    """Images of the real right knee by what is taken of it; nothing where it is not at hand."""
    if not REAL_KNEE.is_dir():
        return {}
    import nibabel

    from rmqnet.check.images import Image
    from rmqnet.domain.acquisition import Acquisition
    from rmqnet.domain.grid import Grid

    found = []
    for file, ms in (
        *((f"T1rho_tsl-{ms:02d}ms", ms) for ms in (1, 10, 30, 60)),
        ("DESS_echo-1", 1),
    ):
        image = nibabel.nifti1.load(REAL_KNEE / f"{file}.nii.gz")
        data = np.asanyarray(image.dataobj).transpose(2, 1, 0).astype(np.float32)
        grid = Grid(data.shape, image.affine[:, [2, 1, 0, 3]], "PIL")
        found.append(Image(file, Acquisition("spin_lock", spin_lock_time=ms / 1000), data, grid))
    return {"real, T1rho": found[:4], "real, first T1rho": found[:1], "real, DESS": found[4:]}


def mirrored(images):
    """The images with their voxels flipped from left to right, and the header as it was."""
    from dataclasses import replace

    return [replace(image, data=np.ascontiguousarray(image.data[::-1])) for image in images]


def run(n_knees: int) -> dict[str, float]:
    """Counts of wrong sides caught and of right ones accused, and the seconds that a knee takes."""
    from rmqnet.check.images import images_of
    from rmqnet.check.side import side_seen
    from rmqnet.simulate.config import SimulateConfig
    from rmqnet.simulate.simulate import simulate_subject

    config = SimulateConfig(n_subjects=n_knees, seed=SEED, shape=SHAPE, supersampling=(2, 1, 1))
    caught = false = seen = 0
    seconds = []
    for number in range(n_knees):
        knee = simulate_subject(config, number)
        side = knee.subject.side
        name, images = contrasts(images_of(knee.scan), number)
        start = time.process_time()
        told = side_seen(images, side)
        seconds.append(time.process_time() - start)
        wrong, right = "side" in rules(images, other(side)), "side" in rules(images, side)
        caught, false, seen = caught + wrong, false + right, seen + (told == "stated")
        print(
            f"{side:5s} knee, {name}: told {told}, wrong side {'caught' if wrong else 'missed'}", flush=True
        )
    real = real_images()
    real_caught = 0
    for name, images in real.items():
        # the spin-lock times of a DESS image are made up, so only the rule of the side is asked
        flipped, right = side_seen(mirrored(images), "right"), side_seen(images, "right")
        real_caught, false = real_caught + (flipped == "other"), false + (right == "other")
        print(f"{name}: told {right}; mirrored {flipped}", flush=True)
    return {
        "knees": n_knees,
        "caught": caught,
        "false": false,
        "real": len(real),
        "real_caught": real_caught,
        "confirmed": seen,
        "seconds": round(float(np.median(seconds)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--knees", type=int, default=20, help="fresh simulated knees")
    print(json.dumps(run(parser.parse_args().knees)))


if __name__ == "__main__":
    main()
