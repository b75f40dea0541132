"""Writes src/rmqnet/check/usual_knee.npz: where tissues lie in a right knee, the mean of simulated ones.

The knees of the cohort are laid over each other first, so that their mean is as sharp as a knee.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from rmqnet.check.usual_knee import LEG, Placement, UsualKnee, fine_part
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.config import SimulateConfig
from rmqnet.simulate.simulate import draw_knee

OUT = Path(__file__).parent.parent / "src" / "rmqnet" / "check" / "usual_knee.npz"
SEED = 4711
N_KNEES = 30
SPACING = 4.0
SHAPE = (36, 48, 48)
"""144 x 192 x 192 mm, more than any field of view of a knee, so that knees that lie off the middle are covered."""
SCANNED = (26, 38, 38)
"""Voxels around the middle that a scan shows: the knees are laid over each other by these."""
N_ROUNDS = 2
"""Rounds of laying the knees over their mean; a third one changes it by 0.00003."""
GROUPS: tuple[tuple[str, ...], ...] = (
    ("muscle", "popliteal_vessels"),
    ("femoral_marrow", "tibial_marrow", "patellar_marrow", "fibular_marrow"),
    ("subcutaneous_fat", "intermuscular_fat", "infrapatellar_fat_pad"),
    (*UNIONS["cartilage"], "medial_meniscus", "lateral_meniscus", "synovial_fluid"),
)
"""Tissues that look alike in most contrasts; cortical bone, tendons and ligaments are dark as air is."""


def knee_tissues(config: SimulateConfig, index: int) -> NDArray[np.float32]:
    """Part (group, z, y, x) that each group fills in one knee, as a right one."""
    knee = draw_knee(config, index)
    labels = [tuple(TISSUES[name].label for name in group) for group in GROUPS]
    parts = np.stack([knee.voxels.fractions_of(own) for own in labels]).astype(np.float32)
    return parts[:, ::-1] if knee.subject.side == "left" else parts


def place(usual: UsualKnee, tissues: NDArray[np.float32]) -> Placement:
    """The placement of a knee in the usual one, by its tissues."""
    leg = tissues.sum(axis=0) > LEG
    low = [(n - n_scanned) // 2 for n, n_scanned in zip(SHAPE, SCANNED, strict=True)]
    scanned = np.zeros(SHAPE, bool)
    scanned[tuple(slice(start, start + n) for start, n in zip(low, SCANNED, strict=True))] = True
    inside = leg & scanned
    values = np.stack([fine_part(own, leg, SPACING)[inside] for own in tissues], axis=1).astype(np.float64)
    values -= values.mean(axis=0)
    points = (np.argwhere(inside) - (np.array(SHAPE) - 1) / 2) * SPACING
    return usual.place(points, values / values.std(axis=0))


def laid_over(tissues: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    """A knee moved to where the placement puts it."""
    inverse = np.linalg.inv(placement[0])
    middle = (np.array(SHAPE) - 1) / 2
    offset = middle - inverse @ (middle + placement[1] / SPACING)
    shift: list[float] = list(offset)
    moved = [
        affine_transform(own, inverse, shift, order=1, mode="nearest")  # pyright: ignore[reportArgumentType]
        for own in tissues
    ]
    return np.stack(moved).astype(np.float32)


def usual_knee(n_knees: int) -> NDArray[np.float32]:
    """Mean (group, z, y, x) of knees that are laid over each other, in their mean size and place."""
    field_of_view = (SPACING * SHAPE[0], SPACING * SHAPE[1], SPACING * SHAPE[2])
    config = SimulateConfig(
        n_subjects=n_knees, seed=SEED, shape=SHAPE, field_of_view=field_of_view, supersampling=(3, 3, 3)
    )
    knees = [knee_tissues(config, index) for index in range(n_knees)]
    mean = np.stack(knees).mean(axis=0)
    for _ in range(N_ROUNDS):
        found = [place(UsualKnee(mean, SPACING), knee) for knee in knees]
        back = np.linalg.inv(np.mean([matrix for matrix, _ in found], axis=0))
        middle = np.mean([shift for _, shift in found], axis=0)
        moved = [
            laid_over(knee, (back @ matrix, back @ (shift - middle)))
            for knee, (matrix, shift) in zip(knees, found, strict=True)
        ]
        mean = np.stack(moved).mean(axis=0)
    return mean


def main() -> None:
    """Write the file, or one elsewhere to compare it with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    parts = np.round(255 * usual_knee(N_KNEES)).astype(np.uint8)
    # traces of a few knees are no part of the usual one, and cost most of the file
    parts[parts < 5] = 0
    np.savez_compressed(out, tissues=parts, spacing=SPACING)
    sys.stdout.write(f"{out}: {out.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
