"""What the fitted reference of the cohort holds in cartilage, and how far it is from the truth.

`--subjects` takes fewer people, evenly from the groups.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.maps import MapSet
from rmqnet.domain.protocols import FULL
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.fit.fit import fit
from rmqnet.physics.models import SIGNAL_MODELS
from rmqnet.physics.signals import torch_signal
from rmqnet.simulate.cohort import plan_cohort
from rmqnet.simulate.config import SimulateConfig, preset
from rmqnet.simulate.reader import regions_by_rule
from rmqnet.simulate.simulate import simulate_subject
from rmqnet.simulate.simulated import Simulated

Array = NDArray[np.float64]

PURE = 0.95
"""Cartilage that a voxel holds at least to count as pure."""
SNR_CLASSES = (20.0, 30.0, 40.0, 60.0)
NAMES = ("T1", "T1rho")
REGIONS = ("reader", "pure", "label")


@dataclass(frozen=True)
class Knee:
    """Voxels of cartilage of one person."""

    group: str
    age: float
    snr: float
    inside: dict[str, NDArray[np.bool_]]
    """Which of the voxels lie in each region."""
    reference: dict[str, Array]
    """Fitted T1 and T1rho [ms]."""
    truth: dict[str, Array]
    """True T1 and T1rho [ms]."""
    bound: dict[str, Array]
    """Cramer-Rao bound of the standard deviation [ms]."""


def two_step_bound(truth: dict[str, Array], noise: float) -> dict[str, Array]:
    """Lowest standard deviation [s] by voxel of T1, B1 known, and of T1rho fitted after it with that T1."""
    tensors = {name: torch.from_numpy(value) for name, value in truth.items()}
    vfa = _sensitivity([a for a in FULL.acquisitions if a.method == "vfa"], tensors, ("M0", "T1"))
    lock = _sensitivity(
        [a for a in FULL.acquisitions if a.method == "adiabatic_t1rho"], tensors, ("M0", "T1rho", "T1")
    )
    variance_T1 = noise**2 * np.linalg.inv(vfa.mT @ vfa)[:, 1, 1]
    own, given = lock[..., :2], lock[..., 2]
    inverse = np.linalg.inv(own.mT @ own)
    # an error of T1 moves the fitted T1rho by what the fit makes of the change in signal
    moved = -(inverse @ own.mT @ given[..., None])[:, 1, 0]
    variance = noise**2 * inverse[:, 1, 1] + moved**2 * variance_T1
    return {"T1": np.sqrt(variance_T1), "T1rho": np.sqrt(variance)}


def _sensitivity(
    acquisitions: Iterable[Acquisition], values: dict[str, torch.Tensor], names: tuple[str, ...]
) -> Array:
    """Derivatives (voxel, contrast, quantity) of the signals."""
    columns = []
    for acquisition in acquisitions:
        model = SIGNAL_MODELS[acquisition.method]
        settings = {
            name: torch.tensor(float(getattr(acquisition, name)), dtype=torch.float64)
            for name in model.settings
        }
        given = {name: values[name].clone().requires_grad_() for name in (*model.free, *model.given)}
        torch_signal(acquisition.method)(**given, **settings).sum().backward()
        columns.append(torch.stack([_gradient(given[name]) for name in names], -1))
    return torch.stack(columns, 1).numpy()


def _gradient(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.grad is None:
        raise RuntimeError("the signal does not depend on a quantity that it should depend on")
    return tensor.grad


def regions(knee: Simulated) -> dict[str, NDArray[np.bool_]]:
    """Cartilage (z, y, x) as a reader draws it, in pure voxels, and wherever it is the largest tissue."""
    drawn = regions_by_rule(knee.labels, knee.cartilage_fraction, knee.fluid_fraction)
    return {
        "reader": drawn.mask("cartilage"),
        "pure": knee.cartilage_fraction >= PURE,
        "label": knee.labels.mask("cartilage"),
    }


def measure(config: SimulateConfig, index: int) -> Knee:
    """Reference, truth and bound in the cartilage of one person."""
    simulated = simulate_subject(config, index)
    areas = regions(simulated)
    any_area = np.logical_or.reduce(list(areas.values()))
    maps: MapSet = fit(simulated.scan)
    truth = {name: volume[any_area].astype(np.float64) for name, volume in simulated.truth.values.items()}
    # voxels that are mostly another tissue have no true value of cartilage
    known = simulated.labels.mask("cartilage")[any_area]
    bound = {name: np.full(known.size, np.nan) for name in NAMES}
    for name, value in two_step_bound({n: v[known] for n, v in truth.items()}, simulated.noise).items():
        bound[name][known] = value

    def shown(name: str, values: Array) -> Array:
        return values * QUANTITIES[name].display_factor

    person = simulated.subject
    return Knee(
        group=person.group or "",
        age=person.age or 0.0,
        snr=simulated.snr,
        inside={name: area[any_area] for name, area in areas.items()},
        reference={name: shown(name, maps.values[name][any_area].astype(np.float64)) for name in NAMES},
        truth={name: shown(name, np.where(known, truth[name], np.nan)) for name in NAMES},
        bound={name: shown(name, bound[name]) for name in NAMES},
    )


def pooled(knees: list[Knee], region: str) -> dict[str, float]:
    """Mean, spread, error and bound [ms] over all voxels of a region."""
    row: dict[str, float] = {}
    for name in NAMES:
        reference, truth, bound = (
            np.concatenate([getattr(knee, kind)[name][knee.inside[region]] for knee in knees])
            for kind in ("reference", "truth", "bound")
        )
        key = name.lower()
        row[f"{key}_mean_ms"], row[f"{key}_sd_ms"] = float(np.nanmean(reference)), float(np.nanstd(reference))
        row[f"{key}_truth_ms"] = float(np.nanmean(truth))
        row[f"{key}_bias_ms"] = float(np.nanmean(reference - truth))
        row[f"{key}_rmse_ms"] = float(np.sqrt(np.nanmean((reference - truth) ** 2)))
        row[f"{key}_bound_ms"] = float(np.sqrt(np.nanmean(bound**2)))
        row[f"{key}_missing_percent"] = float(100 * np.isnan(reference).mean())
    return row


def report(title: str, knees: list[Knee]) -> dict[str, dict[str, float]]:
    """Print one line per region and quantity; the numbers by region."""
    rows = {region: pooled(knees, region) for region in REGIONS}
    for region, row in rows.items():
        for name in NAMES:
            mean, sd, truth, bias, rmse, bound, missing = (
                row[f"{name.lower()}_{key}"]
                for key in (
                    "mean_ms",
                    "sd_ms",
                    "truth_ms",
                    "bias_ms",
                    "rmse_ms",
                    "bound_ms",
                    "missing_percent",
                )
            )
            print(
                f"{title:24s} {region:7s} {name:6s} {mean:7.1f} +- {sd:5.1f} | truth {truth:7.1f}, bias {bias:+7.1f}, "
                f"RMSE {rmse:6.1f}, bound {bound:5.1f} | missing {missing:4.1f} %"
            )
    return rows


def effect(knees: list[Knee], name: str) -> None:
    """Print the difference between the outer groups in standard deviations, raw and adjusted for age."""
    means = np.array([np.nanmean(knee.reference[name][knee.inside["reader"]]) for knee in knees])
    groups = np.array([knee.group for knee in knees])
    healthy, ill = groups == "control", groups == "moderate_severe"
    if healthy.sum() < 3 or ill.sum() < 3:
        return
    ages = np.array([knee.age for knee in knees])
    spread = np.sqrt((means[healthy].var(ddof=1) + means[ill].var(ddof=1)) / 2)
    design = np.column_stack([np.ones(len(knees)), ages, groups == "doubtful_minimal", ill]).astype(float)
    solution, *_ = np.linalg.lstsq(design, means, rcond=None)
    residual = means - design @ solution
    left = np.sqrt((residual**2).sum() / (len(knees) - design.shape[1]))
    print(
        f"{name}: d {float(means[ill].mean() - means[healthy].mean()) / spread:.2f} raw, "
        f"{solution[3] / left:.2f} adjusted for age; {10 * solution[1] / means.mean():+.1%} per 10 years; "
        + ", ".join(
            f"{g} {means[groups == g].mean():.1f} +- {means[groups == g].std(ddof=1):.1f} ms"
            for g in ("control", "doubtful_minimal", "moderate_severe")
        )
    )


def correlations(knees: list[Knee]) -> None:
    """Print how T1 and T1rho of the reference go together."""
    pairs = [[knee.reference[name][knee.inside["reader"]] for name in NAMES] for knee in knees]
    within, means = [], []
    for t1, t1rho in pairs:
        usable = np.isfinite(t1) & np.isfinite(t1rho)
        within.append(np.corrcoef(t1[usable], t1rho[usable])[0, 1])
        means.append((t1[usable].mean(), t1rho[usable].mean()))
    between = np.corrcoef(np.array(means).T)[0, 1]
    print(f"T1 with T1rho: r {np.mean(within):.2f} within a knee, {between:.2f} between people")


def chosen(config: SimulateConfig, n_subjects: int) -> list[int]:
    """Indices of this many people, evenly from the groups in order of age."""
    people = plan_cohort(config)
    order = sorted(range(len(people)), key=lambda k: (people[k].kl_grade or 0, people[k].age or 0.0))
    return [order[int((k + 0.5) * len(order) / n_subjects)] for k in range(n_subjects)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=65)
    parser.add_argument("--version", choices=("matched", "mismatch"), default="matched")
    options = parser.parse_args()
    config = replace(preset("paper"), cartilage_slices=True, version=options.version)
    knees = [measure(config, index) for index in chosen(config, options.subjects)]
    rows = report(f"{len(knees)} people", knees)
    for low, high in pairwise(SNR_CLASSES):
        some = [knee for knee in knees if low <= knee.snr < high]
        if some:
            report(f"SNR {low:g}-{high:g}: {len(some)} people", some)
    print(f"SNR: median {np.median([knee.snr for knee in knees]):.0f}")
    for name in NAMES:
        effect(knees, name)
    correlations(knees)
    keys = [f"{name.lower()}_{kind}_ms" for name in NAMES for kind in ("mean", "sd", "rmse")]
    print(
        json.dumps(
            {key: round(rows["reader"][key], 1) for key in keys}
            | {f"{key[:-3]}_pure_ms": round(rows["pure"][key], 1) for key in keys}
            | {"subjects": len(knees)}
        )
    )


if __name__ == "__main__":
    main()
