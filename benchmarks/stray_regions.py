"""Regions at wrong places: ml of predicted cartilage and meniscus beyond 15 mm of the true ones, uncut and cut.

Ten simulated knees of another seed than those that the networks have learned from, of all grades of damage, by the
shipped networks of most, some and fewest images. The harder set has changes that no training had: noise, blur, spots,
shading, tilted knees, crops. What is lost of true regions, and the change of Dice, stand beside.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

SEED, N_KNEES, N_HARD = 902_021, 10, 3
BEYOND = 15.0
"""Distance from the true regions [mm] from which a region is at a wrong place."""
Images = NDArray[np.floating]
NETWORKS = ("4FA+7TSL", "2FA+3TSL", "1FA+1TSL")
"""The last one predicts the harder set."""


@dataclass
class Score:
    """Sums over predictions."""

    before: float = 0.0
    after: float = 0.0
    true_lost: float = 0.0
    flagged: int = 0
    runs: int = 0
    dice_change: float = 0.0
    """Largest loss of Dice of all regions taken together."""

    def add(self, name: str, uncut, prediction, truth) -> None:
        """Measure one prediction, and print it."""
        from scipy.ndimage import distance_transform_edt

        milliliters = float(np.prod(truth.grid.voxel_size)) / 1000
        true, before, after = (
            one.mask("cartilage") | one.mask("meniscus") for one in (truth, uncut, prediction.segmentation)
        )
        far = np.asarray(distance_transform_edt(~true, truth.grid.voxel_size)) > BEYOND
        wrong = [milliliters * np.count_nonzero(mask & far) for mask in (before, after)]
        lost = milliliters * np.count_nonzero(before & ~after & true)
        change = dice(after, true) - dice(before, true)
        self.before, self.after, self.true_lost = (
            self.before + wrong[0],
            self.after + wrong[1],
            self.true_lost + lost,
        )
        self.flagged, self.runs = self.flagged + bool(prediction.flags), self.runs + 1
        self.dice_change = min(self.dice_change, change)
        print(
            f"{name:28} wrong {wrong[0]:.3f} -> {wrong[1]:.3f} ml, true lost {lost:.4f} ml, "
            f"Dice {change:+.5f}, flags {len(prediction.flags)}",
            flush=True,
        )


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Dice coefficient of two masks."""
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def predicted(scan, network: str):
    """The regions of the network before the cut, and its prediction."""
    from rmqnet.networks.shipped import shipped_checkpoint
    from rmqnet.predict.joint import Kept, keep_joint
    from rmqnet.predict.predict import predict_raw

    seen = []

    def noted(segmentation) -> Kept:
        seen.append(segmentation)
        return keep_joint(segmentation)

    with patch("rmqnet.predict.predict.keep_joint", noted):
        prediction = predict_raw(scan, shipped_checkpoint(network)).prediction
    return seen[0], prediction


def tilted(degrees: float) -> Callable[[Images, int], Images]:
    """Images turned in the sagittal plane."""
    from scipy.ndimage import rotate

    return lambda image, order: np.asarray(rotate(image, degrees, (1, 2), reshape=False, order=order))


def noisy(image: Images, _order: int) -> Images:
    """A tenth of the brightest signal of noise, as of a magnitude."""
    random, sd = np.random.default_rng(1), 0.1 * np.percentile(image, 99)
    return np.hypot(image + random.normal(0, sd, image.shape), random.normal(0, sd, image.shape))


def spotted(image: Images, _order: int) -> Images:
    """Twelve bright spots of 6 voxels (in plane) anywhere."""
    random, lit = np.random.default_rng(5), image.copy()
    axes = np.ogrid[tuple(slice(n) for n in image.shape)]
    for _ in range(12):
        center = [random.uniform(0, n) for n in image.shape]
        square = sum(
            ((axis - at) / width) ** 2 for axis, at, width in zip(axes, center, (2, 10, 10), strict=True)
        )
        lit += 0.8 * np.percentile(image, 99) * np.exp(-square / 2)
    return lit


def shaded(image: Images, _order: int) -> Images:
    """Brightness rises four times from top to bottom."""
    return image * np.linspace(0.4, 1.6, image.shape[1])[:, None]


def blurred(image: Images, _order: int) -> Images:
    """Gaussian blur of two voxels in plane."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, (0.5, 2, 2)))


def changed(scan, truth, change: Callable[[Images, int], Images], *, moves: bool):
    """A scan whose images are changed, and its true regions."""
    from dataclasses import replace

    series = {
        method: replace(one, data=np.stack([change(image, 1) for image in one.magnitudes]).astype(np.float32))
        for method, one in scan.series.items()
    }
    return replace(scan, series=series), replace(truth, labels=change(truth.labels, 0)) if moves else truth


def cropped(scan, truth, box: tuple[slice, slice, slice]):
    """A part of a scan, and its true regions."""
    from dataclasses import replace

    from rmqnet.domain.grid import Grid

    affine = truth.grid.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start or 0 for part in box]
    labels = np.ascontiguousarray(truth.labels[box])
    grid = Grid(labels.shape, affine)
    series = {
        method: replace(one, data=np.ascontiguousarray(one.data[(slice(None), *box)]), grid=grid)
        for method, one in scan.series.items()
        if one.grid.shape == truth.grid.shape
    }
    return replace(scan, series=series), replace(truth, labels=labels, grid=grid)


HARD: dict[str, tuple[Callable[[Images, int], Images], bool]] = {
    "tilted by 20 degrees": (tilted(20.0), True),
    "tilted by -20 degrees": (tilted(-20.0), True),
    "noise": (noisy, False),
    "spots": (spotted, False),
    "shading": (shaded, False),
    "blur": (blurred, False),
}
CROPS = {
    "one half of the slices": np.s_[0:16, 0:256, 0:256],
    "without the patella": np.s_[0:36, 0:256, 80:256],
    "without the tibia": np.s_[0:36, 0:120, 0:256],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--knees", type=int, default=N_KNEES)
    parser.add_argument("--hard", type=int, default=N_HARD, help="knees of the harder set")
    options = parser.parse_args()
    import torch

    from rmqnet.networks.shipped import shipped_names
    from rmqnet.simulate.config import SimulateConfig
    from rmqnet.simulate.simulate import simulate_subject

    torch.set_num_threads(1)
    if missing := [name for name in NETWORKS if name not in shipped_names()]:
        print(json.dumps({"skipped": f"the package ships no network for {', '.join(missing)}"}))
        return
    config = SimulateConfig(n_subjects=N_KNEES, seed=SEED)
    plain, hard = Score(), Score()
    for index in range(options.knees):
        knee = simulate_subject(config, index)
        scan, truth = knee.scan, knee.labels
        grade = f"knee {index + 1}, grade {scan.subject.kl_grade}"
        for network in NETWORKS:
            plain.add(f"{grade}, {network}", *predicted(scan, network), truth)
        if index * options.hard % options.knees >= options.hard:
            continue
        cases = {name: changed(scan, truth, change, moves=moves) for name, (change, moves) in HARD.items()}
        cases |= {name: cropped(scan, truth, box) for name, box in CROPS.items()}
        for name, case in cases.items():
            hard.add(name, *predicted(case[0], NETWORKS[-1]), case[1])
    print(
        json.dumps(
            {
                "ml": round(plain.after, 4),
                "ml_before": round(plain.before, 4),
                "true_ml_lost": round(plain.true_lost, 4),
                "dice_loss": round(-plain.dice_change, 6),
                "flagged": plain.flagged,
                "runs": plain.runs,
                "hard_ml": round(hard.after, 4),
                "hard_ml_before": round(hard.before, 4),
                "hard_true_ml_lost": round(hard.true_lost, 4),
                "hard_runs": hard.runs,
            }
        )
    )


if __name__ == "__main__":
    main()
