"""Where the spread of T1 and T1rho of cartilage comes from, source by source: the variance budget of the cohort.

Sources that act before the scan multiply each other, so their variances add up in the logarithm; those of the scan are
differences between maps of the same knee with and without noise, and between these and the truth.
"""

import argparse
import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.tissues import TISSUES, UNIONS
from rmqnet.fit.fit import fit
from rmqnet.simulate.cartilage import EFFECTS, TRUE_OVER_FITTED, group_mean
from rmqnet.simulate.config import SimulateConfig, preset
from rmqnet.simulate.reader import regions_by_rule
from rmqnet.simulate.simulate import Knee, draw_knee, scan_knee

Array = NDArray[np.float64]

NAMES = ("T1", "T1rho")
SILENT = 1e5
"""Signal-to-noise ratio of a scan that counts as free of noise."""


def truth_parts(knee: Knee, config: SimulateConfig, name: str, index: NDArray[np.intp]) -> dict[str, Array]:
    """Logarithm of what each source multiplies T1 or T1rho with, in the voxels of these flat indices."""
    group = knee.subject.group or ""
    middle = TRUE_OVER_FITTED[name] * group_mean(name, group, config)
    own = knee.maps.cartilage.mean[name]
    parts = {
        "KL group": np.full(index.size, np.log(middle)),
        "person": np.full(index.size, np.log(own / middle)),
    }
    labels = knee.voxels.label.reshape(-1)[index]
    for effect in EFFECTS:
        parts[effect] = np.zeros(index.size)
    for tissue in UNIONS["cartilage"]:
        here = np.flatnonzero(labels == TISSUES[tissue].label)
        for effect, factor in knee.maps.cartilage.effects(name, tissue, index[here]).items():
            parts[effect][here] = np.log(factor)
    return parts


def measure(config: SimulateConfig, subject: int) -> dict[str, dict[str, Array]]:
    """Sources in the reader's region of one person, by quantity."""
    knee = draw_knee(config, subject)
    quiet = replace(config, snr_range=(SILENT, 2 * SILENT), snr_mode=SILENT)
    noisy, clean = (
        scan_knee(knee, c, np.random.default_rng([config.seed, subject, 9])) for c in (config, quiet)
    )
    drawn = regions_by_rule(noisy.labels, noisy.cartilage_fraction, noisy.fluid_fraction)
    region = drawn.mask("cartilage")
    with_noise, without = (fit(scan.scan, mask=noisy.cartilage_fraction > 0) for scan in (noisy, clean))
    index = np.flatnonzero(region)
    result = {}
    for name in NAMES:
        factor = QUANTITIES[name].display_factor
        truth = factor * noisy.truth.values[name][region].astype(np.float64)
        first, second = (
            factor * maps.values[name][region].astype(np.float64) for maps in (with_noise, without)
        )
        result[name] = truth_parts(knee, config, name, index) | {
            "truth": truth,
            "partial volume and blur": second - truth,
            "noise": first - second,
            "reference": first,
        }
    return result


def budget(knees: list[dict[str, dict[str, Array]]], name: str) -> dict[str, float]:
    """Standard deviation [ms] of each source over all voxels, and of what they add up to."""
    pooled = {key: np.concatenate([knee[name][key] for knee in knees]) for key in knees[0][name]}
    usable = np.all([np.isfinite(values) for values in pooled.values()], axis=0)
    pooled = {key: values[usable] for key, values in pooled.items()}
    mean = float(pooled["truth"].mean())
    whole = ("truth", "partial volume and blur", "noise", "reference")
    return {key: float(values.std()) * (1.0 if key in whole else mean) for key, values in pooled.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=13)
    options = parser.parse_args()
    config = preset("paper")
    step = config.n_subjects / options.subjects
    knees = [measure(config, int((k + 0.5) * step)) for k in range(options.subjects)]
    result = {}
    for name in NAMES:
        row = budget(knees, name)
        total = row["reference"] ** 2
        print(f"{name}: standard deviation [ms], and its square as a part of the variance of the reference")
        for key, sd in row.items():
            print(f"  {key:24s} {sd:7.1f}  {sd**2 / total:6.1%}")
            result[f"{name.lower()}_{key.replace(' ', '_').lower()}_ms"] = round(sd, 1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
