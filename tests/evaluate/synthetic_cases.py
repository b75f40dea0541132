"""A tiny cohort of smooth blobs with known errors, for the tests of evaluation and report."""

import numpy as np
from scipy.ndimage import gaussian_filter

from rmqnet.domain.grid import centered_grid
from rmqnet.domain.maps import MapSet, Prediction, Reason, Segmentation
from rmqnet.domain.subject import Subject
from rmqnet.domain.tissues import SEGMENTED, TISSUES
from rmqnet.evaluate.case import Case

SHAPE = (10, 40, 40)
NOISE = {"4FA+7TSL": 0.03, "1FA+1TSL": 0.10}


def anatomy(rng, shape=SHAPE):
    """Labels of shells around three balls, thick enough for 20 voxels per slice."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    labels = np.zeros(shape, np.uint8)
    shift = rng.normal(0, 0.02, 2)

    def shell(center, radius, thickness, where, label):
        distance = np.hypot(y - center[0], x - center[1]) + 0.15 * np.abs(z)
        labels[(np.abs(distance - radius) < thickness) & where] = label

    shell((-0.25 + shift[0], shift[1]), 0.55, 0.08, y > -0.45, TISSUES["femoral_cartilage"].label)
    shell((-0.25 + shift[0], shift[1]), 0.72, 0.06, (np.abs(x) < 0.4) & (y > 0) & (z < 0), 2)
    shell((-0.25 + shift[0], shift[1]), 0.72, 0.06, (np.abs(x) < 0.4) & (y > 0) & (z >= 0), 3)
    shell((-0.25 + shift[0], shift[1]), 0.78, 0.07, (x < -0.5) & (y < 0.1), 4)
    shell((-0.25 + shift[0], shift[1]), 0.70, 0.07, (np.abs(x) > 0.45) & (y > 0.12) & (z < 0), 5)
    shell((-0.25 + shift[0], shift[1]), 0.70, 0.07, (np.abs(x) > 0.45) & (y > 0.12) & (z >= 0), 6)
    return labels


def map_set(values, grid):
    reason = {
        name: np.where(np.isfinite(volume), Reason.VALID, Reason.NOT_CONVERGED).astype(np.uint8)
        for name, volume in values.items()
    }
    return MapSet({name: volume.astype(np.float32) for name, volume in values.items()}, reason, grid)


def make_cases(n_subjects=8, shape=SHAPE, seed=1, noise=NOISE):
    """Cases of all subjects and input sets, in order of the subjects."""
    rng = np.random.default_rng(seed)
    grid = centered_grid(shape, (3.0, 0.59, 0.59))
    cases = []
    for number in range(n_subjects):
        subject = Subject(f"{number + 1:03d}", "left" if number % 2 else "right", kl_grade=number % 5)
        labels = anatomy(rng, shape)
        texture = gaussian_filter(rng.normal(size=shape), (0.5, 2, 2)) * 6
        person = rng.normal()
        inside = labels > 0
        truth = {
            "T1": np.where(inside, 0.985 * (1 + 0.09 * person + 0.1 * texture), 0.5 + 0.05 * texture),
            "T1rho": np.where(inside, 0.040 * (1 + 0.09 * person + 0.12 * texture), 0.03 + 0.002 * texture),
            "B1": 1 + 0.05 * gaussian_filter(rng.normal(size=shape), 6) * 40,
            "M0": np.where(inside, 800.0, 500.0) * (1 + 0.05 * texture),
        }
        reference = {name: volume * (1 + 0.02 * rng.normal(size=shape)) for name, volume in truth.items()}
        reference["T1rho"][:, :, 20:22] = np.nan
        maps, segmentation = map_set(reference, grid), Segmentation(labels, SEGMENTED, grid)
        fraction = np.where((labels > 0) & (labels < 5), rng.uniform(0.7, 1.0, shape), 0).astype(np.float32)
        for input_set, spread in noise.items():
            predicted = {n: v * (1 + spread * rng.normal(size=shape)) for n, v in truth.items()}
            predicted["T1"][5, 20, :] = np.nan
            eroded = np.where(rng.uniform(size=shape) < spread, 0, labels).astype(np.uint8)
            eroded[0] = 0
            prediction = Prediction(map_set(predicted, grid), Segmentation(eroded, SEGMENTED, grid))
            cases.append(
                Case(
                    subject,
                    input_set,
                    prediction,
                    maps,
                    segmentation,
                    map_set(truth, grid),
                    segmentation,
                    fraction,
                )
            )
    return cases
