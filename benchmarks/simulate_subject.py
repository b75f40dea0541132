"""Time and memory to simulate one subject of the paper's size; computing only, kernels compiled before."""

import json
import resource
import statistics
import sys
import time
from dataclasses import replace

import numpy as np

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.simulate.config import preset
from rmqnet.simulate.simulate import simulate_subject
from rmqnet.simulate.simulated import Simulated


def peak_gb() -> float:
    """Largest memory of this process so far [GB]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def describe(subject: Simulated, voxel_size: tuple[float, float, float]) -> None:
    """Print volumes of cartilage and mean values in it."""
    for name in UNIONS["cartilage"]:
        volume = np.count_nonzero(subject.labels.labels == TISSUES[name].label) * np.prod(voxel_size) / 1000
        print(f"{name:26s} {volume:6.2f} ml")
    inside = subject.cartilage_fraction >= 0.95
    for name in ("T1", "T1rho"):
        quantity = QUANTITIES[name]
        value = subject.truth.values[name][inside] * quantity.display_factor
        print(
            f"true {name:5s} in cartilage: {value.mean():7.1f} +- {value.std():.1f} {quantity.display_unit}"
        )


def main() -> None:
    config = preset("paper")
    simulate_subject(replace(config, shape=(8, 16, 16)), 0)
    seconds = []
    for index in range(3):
        start = time.perf_counter()
        subject = simulate_subject(config, index)
        seconds.append(time.perf_counter() - start)
        person = subject.subject
        print(
            f"sub-{person.name} (KL {person.kl_grade}, {person.sex}): {seconds[-1]:.2f} s, SNR {subject.snr:.0f}"
        )
        describe(subject, config.voxel_size)
        del subject
    print(json.dumps({"seconds": round(statistics.median(seconds), 2), "peak_gb": round(peak_gb(), 2)}))


if __name__ == "__main__":
    main()
