"""How hard the cohort is before any network is trained: a perceptron that sees one voxel at a time.

It gets the signals of an input set, divided by one factor per subject as the networks get them, and learns the
reference maps (fitted from all images with B1) in the regions that the reader draws. "Oracle" adds the M0 and B1 of
the reference. It is tested on people that it has not learned from; r is Pearson's over all their voxels.
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from rmqnet.domain.protocols import INPUT_SETS, InputSet
from rmqnet.domain.quantities import QUANTITIES
from rmqnet.fit.fit import fit
from rmqnet.samples.scaling import intensity_scale
from rmqnet.samples.stack import stack_inputs
from rmqnet.simulate.config import preset
from rmqnet.simulate.reader import regions_by_rule
from rmqnet.simulate.simulate import simulate_subject

N_SUBJECTS = 24
"""People of the cohort; two thirds are learned from."""
N_STEPS, BATCH, WIDTH = 2000, 4096, 64
TARGETS = ("T1", "T1rho")
PAPER_SETS = ("4FA+7TSL", "2FA+3TSL", "1FA+2TSL", "1FA+1TSL")

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Person:
    """Cartilage voxels of one subject."""

    signals: dict[str, Array]
    """Signals (voxel, image) by input set, over the subject's intensity scale."""
    oracle: dict[str, Array]
    """M0, over the same scale, and B1 of the reference (voxel, 2) by input set."""
    targets: Array
    """T1 and T1rho of the reference (voxel, 2), in units of the networks."""
    pure: NDArray[np.bool_]
    """True where cartilage fills at least 95 % of the voxel."""


def person(index: int, n_subjects: int, version: str) -> Person:
    """The voxels of one subject where the reference is valid."""
    config = replace(preset("small"), n_subjects=n_subjects, version=version)
    knee = simulate_subject(config, index)
    reference = fit(knee.scan)
    inside = regions_by_rule(knee.labels, knee.cartilage_fraction, knee.fluid_fraction).mask("cartilage")
    for name in ("M0", "T1", "B1", "T1rho"):
        inside &= reference.valid(name)
    signals, oracle = {}, {}
    for name in PAPER_SETS:
        stack = stack_inputs(knee.scan, INPUT_SETS[name])
        scale = intensity_scale(stack)
        signals[name] = (stack.data[:, inside] / scale).T
        known = [reference.values["M0"][inside] / scale, reference.values["B1"][inside]]
        oracle[name] = np.stack(known, axis=1)
    targets = [reference.values[name][inside] / QUANTITIES[name].network_scale for name in TARGETS]
    return Person(signals, oracle, np.stack(targets, axis=1), knee.cartilage_fraction[inside] >= 0.95)


def learned(inputs: Array, targets: Array, others: Array, seed: int = 0) -> Array:
    """Targets of the other voxels, from a perceptron trained on inputs (voxel, feature) and targets."""
    torch.manual_seed(seed)
    mean, sd = inputs.mean(axis=0), inputs.std(axis=0)
    x, y = torch.from_numpy((inputs - mean) / sd), torch.from_numpy(targets)
    center, spread = y.mean(0), y.std(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], WIDTH),
        torch.nn.ReLU(),
        torch.nn.Linear(WIDTH, WIDTH),
        torch.nn.ReLU(),
        torch.nn.Linear(WIDTH, y.shape[1]),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, N_STEPS)
    for _ in range(N_STEPS):
        rows = torch.randint(len(x), (BATCH,))
        loss = torch.nn.functional.mse_loss(network(x[rows]), (y[rows] - center) / spread)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return (network(torch.from_numpy((others - mean) / sd)) * spread + center).numpy()


def measure(n_subjects: int = N_SUBJECTS, version: str = "matched") -> dict[str, float]:
    """Pearson's r by quantity, input set and what is known; of the pure voxels with "_pure" at the end."""
    people = []
    for index in range(n_subjects):
        people.append(person(index, n_subjects, version))
        print(f"subject {index + 1} of {n_subjects}: {len(people[-1].targets)} voxels", file=sys.stderr)
    first = 2 * n_subjects // 3
    train, test = people[:first], people[first:]
    target = np.concatenate([one.targets for one in train])
    truth = np.concatenate([one.targets for one in test])
    pure = np.concatenate([one.pure for one in test])
    result: dict[str, float] = {}
    for name in PAPER_SETS:
        for known in ("blind", "oracle"):

            def features(one: Person, name: str = name, known: str = known) -> Array:
                return (
                    np.hstack([one.signals[name], one.oracle[name]])
                    if known == "oracle"
                    else one.signals[name]
                )

            guess = learned(
                np.concatenate([features(one) for one in train]),
                target,
                np.concatenate([features(one) for one in test]),
            )
            for column, quantity in enumerate(TARGETS):
                key = f"{quantity.lower()}_r_{key_of(INPUT_SETS[name])}_{known}"
                result[key] = correlation(guess[:, column], truth[:, column])
                result[f"{key}_pure"] = correlation(guess[pure, column], truth[pure, column])
    return result


def key_of(inputs: InputSet) -> str:
    """Short name of an input set, as in "1fa1tsl"."""
    return inputs.name.lower().replace("+", "")


def correlation(one: Array, other: Array) -> float:
    """Pearson's r, three decimals."""
    return round(float(np.corrcoef(one, other)[0, 1]), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=N_SUBJECTS)
    parser.add_argument("--version", choices=("matched", "mismatch"), default="matched")
    options = parser.parse_args()
    result = measure(options.subjects, options.version)
    print(f"{options.subjects} people, {2 * options.subjects // 3} learned from; Pearson's r by voxel")
    for name in PAPER_SETS:
        row = [f"{name:9s}"]
        for quantity in TARGETS:
            for known in ("blind", "oracle"):
                key = f"{quantity.lower()}_r_{key_of(INPUT_SETS[name])}_{known}"
                row.append(f"{quantity} {known} {result[key]:.3f} (pure voxels {result[key + '_pure']:.3f})")
        print(", ".join(row))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
