"""How far two readers of the cohort agree, and the range of SNR and B1: evenly chosen people of the paper's preset.

One reader follows the rule without error, the other errs as a person does. `--subjects` takes fewer people.
"""

import argparse
import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.tissues import SEGMENTED
from rmqnet.simulate.config import preset
from rmqnet.simulate.reader import draw_regions, regions_by_rule
from rmqnet.simulate.simulate import simulate_subject

REGIONS = ("cartilage", "meniscus", *SEGMENTED)


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Dice coefficient of two masks."""
    return 2 * int((one & other).sum()) / max(int(one.sum()) + int(other.sum()), 1)


def measure(n_subjects: int) -> list[dict[str, float]]:
    """Agreement by region, SNR and B1 of each person."""
    config = replace(preset("paper"), cartilage_slices=True)
    rows = []
    for k in range(n_subjects):
        index = int((k + 0.5) * config.n_subjects / n_subjects)
        knee = simulate_subject(config, index)
        seen = knee.labels, knee.cartilage_fraction, knee.fluid_fraction
        first, second = regions_by_rule(*seen), draw_regions(*seen, [config.seed, index, 2])
        b1 = knee.truth.values["B1"][knee.truth.valid("B1")]
        rows.append(
            {f"{region}_dice": dice(first.mask(region), second.mask(region)) for region in REGIONS}
            | {
                "snr": knee.snr,
                "b1_low": float(b1.min()),
                "b1_high": float(b1.max()),
                "b1_mean": float(b1.mean()),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=8)
    rows = measure(parser.parse_args().subjects)

    def column(name: str) -> NDArray[np.float64]:
        return np.array([row[name] for row in rows])

    print(f"{len(rows)} people")
    for region in REGIONS:
        values = column(f"{region}_dice")
        print(f"Dice of two readers, {region:26s} {values.mean():.3f} +- {values.std():.3f}")
    print(
        f"SNR {column('snr').min():.0f} to {column('snr').max():.0f}, median {np.median(column('snr')):.0f}"
    )
    b1 = column("b1_mean")
    print(f"B1: mean of a person {b1.min():.2f} to {b1.max():.2f}", end=", ")
    print(f"in the leg {column('b1_low').min():.2f} to {column('b1_high').max():.2f}")
    result = {f"{name}_dice": float(column(f"{name}_dice").mean()) for name in ("cartilage", "meniscus")}
    result |= {"snr_median": float(np.median(column("snr")))}
    result |= {"b1_low": float(column("b1_low").min()), "b1_high": float(column("b1_high").max())}
    print(json.dumps({key: round(value, 3) for key, value in result.items()}))


if __name__ == "__main__":
    main()
