"""The best flip angles and spin-lock times for a scan time.

A protocol is n flip angles and m spin-lock times; an image may be repeated. For every (n, m) an exchange search over a
grid of candidates replaces one image after the other by the best one until none gets better; the winner for a scan
time is then refined continuously. The objective is the mean over the tissues of the relative standard deviations of
T1 and T1rho.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from rmqnet.design.assess import NUISANCE, Efficiency, noise_level, paper_pair, precision, tissue_values
from rmqnet.design.config import DesignConfig
from rmqnet.domain.acquisition import Acquisition
from rmqnet.domain.errors import InputError
from rmqnet.domain.protocols import InputSet, adiabatic_t1rho, vfa
from rmqnet.physics.bounds import SMALLEST_SINGULAR_VALUE, by_method, jacobian, standard_deviations

SMALLEST_FLIP_ANGLE = 2.0
"""Smallest flip angle that may be chosen [degree]: a default."""
ENOUGH = 25.0
"""Scan time [min] in which every fit is possible."""
MINUTE = 60.0
"""Seconds."""

Choice = tuple[tuple[int, ...], tuple[int, ...]]
"""Indices of the chosen flip angles and spin-lock times in the lists of candidates, in rising order."""


@dataclass(frozen=True)
class Design:
    """A protocol and how good it is."""

    inputs: InputSet
    """Its images."""
    seconds: float
    """Scan time [s], with the AFI pair where it counts."""
    score: float
    """Mean over tissues of the relative SD of T1 and T1rho (0.05: five percent)."""


class Search:
    """Protocols for these tissues, with the efficiency of the preparation known or not."""

    def __init__(self, config: DesignConfig, efficiency: Efficiency = "known") -> None:
        self._config = config
        self._efficiency: Efficiency = efficiency
        # best choice and its score by numbers of flip angles and spin-lock times
        self._known: dict[tuple[int, int], tuple[Choice, float]] = {}
        self._noise = noise_level(config.snr)
        self._tissues = [tissue_values(name) for name in config.tissues]
        step = config.spin_lock_step or config.longest_spin_lock_time / 32
        n_times = int(config.longest_spin_lock_time / step + 1e-9) + 1
        self._angles = np.arange(SMALLEST_FLIP_ANGLE, config.largest_flip_angle + 1e-9)
        self._times = np.linspace(0.0, step * (n_times - 1), n_times)

    def best(self, minutes: float) -> Design:
        """The best protocol that takes no longer than this; InputError where none determines T1 and T1rho."""
        needed = self.shortest()
        if minutes < needed:
            raise InputError(
                f"minutes must be at least {needed:g} to determine T1 and T1rho by a {self._config.fit} fit, "
                f"got {minutes:g}"
            )
        return self._refined(min(self.designs(minutes), key=lambda item: item.score))

    def shortest(self) -> float:
        """Scan time from which on some protocol determines T1 and T1rho of all tissues [min], rounded up to 0.1."""
        finite: list[Design] = []
        for item in self.designs(ENOUGH):
            if finite and len(item.inputs.acquisitions) > len(finite[0].inputs.acquisitions):
                break  # one image more always takes longer
            if np.isfinite(item.score):
                finite.append(item)
        return float(np.ceil(min(item.seconds for item in finite) / MINUTE * 10) / 10)

    def frontier(self, minutes: float) -> list[Design]:
        """The best protocol of each number of images up to this scan time, where it is better than with fewer."""
        by_number: dict[int, Design] = {}
        for item in self.designs(minutes):
            number = len(item.inputs.acquisitions)
            if item.score < by_number.get(number, item).score or number not in by_number:
                by_number[number] = item
        best, found = np.inf, []
        for _, item in sorted(by_number.items()):
            if item.score < best:
                best = item.score
                found.append(item)
        return found

    def designs(self, minutes: float) -> Iterator[Design]:
        """The best protocol of each (number of flip angles, number of spin-lock times) that fits in this time."""
        for n_images in range(2, 100):
            fitting = [
                (n_angles, n_images - n_angles)
                for n_angles in range(1, n_images)
                if self._seconds(n_angles, n_images - n_angles) <= minutes * MINUTE
            ]
            if not fitting:
                return
            for n_angles, n_times in fitting:
                choice, score = self._chosen(n_angles, n_times)
                yield self._design(self._angles[list(choice[0])], self._times[list(choice[1])], score)

    def _seconds(self, n_angles: int, n_times: int) -> float:
        return InputSet("", (5.0,) * n_angles, (0.0,) * n_times).seconds(with_afi=self._config.count_afi)

    def _design(self, angles: NDArray[np.float64], times: NDArray[np.float64], score: float) -> Design:
        angles, times = np.sort(angles), np.sort(times).round(6)
        known = self._efficiency.removeprefix("of pulses ")
        inputs = InputSet(f"best, f {known}", tuple(angles.tolist()), tuple(times.tolist()))
        return Design(inputs, inputs.seconds(with_afi=self._config.count_afi), score)

    def _chosen(self, n_angles: int, n_times: int) -> tuple[Choice, float]:
        """Best choice of so many images, begun from evenly spread ones and from those of one image less."""
        key = (n_angles, n_times)
        if key in self._known:
            return self._known[key]
        starts = [(_spread(len(self._angles), n_angles), _spread(len(self._times), n_times))]
        if (fewer := self._known.get((n_angles - 1, n_times))) is not None:
            starts.append(((*fewer[0][0], len(self._angles) // 2), fewer[0][1]))
        if (fewer := self._known.get((n_angles, n_times - 1))) is not None:
            starts.append((fewer[0][0], (*fewer[0][1], len(self._times) // 2)))
        self._known[key] = min((self._exchanged(start) for start in starts), key=lambda item: item[1])
        return self._known[key]

    def _exchanged(self, start: Choice) -> tuple[Choice, float]:
        """The choice after exchanging one image after the other until nothing gets better, and its score."""
        chosen, score = [list(part) for part in start], np.inf
        for _ in range(20):
            before = score
            for kind, part in enumerate(chosen):
                for place in range(len(part)):
                    rest = [self._gram(other, items) for other, items in enumerate(chosen)]
                    without = [item for at, item in enumerate(part) if at != place]
                    rest[kind] = self._gram(kind, without)
                    rest[kind] = rest[kind][:, None] + self._outer[kind]
                    rest[1 - kind] = rest[1 - kind][:, None]
                    scores = self._scores(rest[0], rest[1])
                    best = int(scores.argmin())
                    if scores[best] < score * (1 - 1e-9):
                        part[place], score = best, float(scores[best])
            if score >= before:
                break
        return (tuple(sorted(chosen[0])), tuple(sorted(chosen[1]))), score

    def _gram(self, kind: int, items: list[int]) -> NDArray[np.float64]:
        """Sum of the outer products of the rows of these images (tissue, name, name)."""
        return self._outer[kind][:, items].sum(axis=1)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return ("M0", "T1", "T1rho", *NUISANCE[self._efficiency])

    @cached_property
    def _outer(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Outer products (tissue, candidate, name, name) of the relative derivatives over the noise, by kind."""
        kinds: list[list[Acquisition]] = [
            [vfa(angle) for angle in self._angles],
            [adiabatic_t1rho(time) for time in self._times],
        ]
        made = []
        for images in kinds:
            rows = [
                jacobian(by_method(images), tissue, self._names)
                * [tissue.get(name, 1.0) for name in self._names]
                / self._noise
                for tissue in self._tissues
            ]
            made.append(np.einsum("tci,tcj->tcij", rows, rows))
        return made[0], made[1]

    def _scores(self, angles: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score by candidate (candidate,) from the sums of both kinds of images (tissue, candidate, name, name)."""
        if self._config.fit == "joint":
            _, variances = _inverse(angles + times)
            parts = variances[..., 1:3]
        else:
            T1 = _inverse(angles[..., :2, :2])[1][..., 1]
            free = [0, *range(2, len(self._names))]
            inverse, own = _inverse(times[..., free, :][..., free])
            slope = np.einsum("tcj,tcj->tc", inverse[..., 1, :], times[..., free, 1])
            with np.errstate(invalid="ignore"):
                T1rho = own[..., 1] + slope**2 * T1
            shape = np.broadcast_shapes(T1.shape, T1rho.shape)
            parts = np.stack([np.broadcast_to(T1, shape), np.broadcast_to(T1rho, shape)], axis=-1)
        scores = np.sqrt(parts).mean(axis=(0, -1))
        return np.where(np.isnan(scores), np.inf, scores)

    def score(self, angles: NDArray[np.float64], times: NDArray[np.float64]) -> float:
        """Score of any flip angles [degree] and spin-lock times [s], on the grid of candidates or not."""
        images = [*(vfa(float(angle)) for angle in angles), *(adiabatic_t1rho(float(time)) for time in times)]
        found = [
            precision(images, tissue, self._noise, self._config.fit, self._efficiency)[name] / tissue[name]
            for tissue in self._tissues
            for name in ("T1", "T1rho")
        ]
        return float(np.mean(found))

    def _refined(self, design: Design) -> Design:
        """The protocol with its flip angles moved off the grid, and its spin-lock times too where any is allowed."""
        angles, angle_of = np.unique(design.inputs.flip_angles, return_inverse=True)
        times, time_of = np.unique(design.inputs.spin_lock_times, return_inverse=True)
        limits = [(SMALLEST_FLIP_ANGLE, self._config.largest_flip_angle)] * len(angles)
        # in units of their limits, so that one step size serves degrees and seconds
        longest = self._config.longest_spin_lock_time
        moving = times / longest if not self._config.spin_lock_step else np.empty(0)

        def unpacked(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            moved = x[len(angles) :] * longest if moving.size else times
            return x[: len(angles)][angle_of], moved[time_of]

        found = minimize(
            lambda x: self.score(*unpacked(x)),
            np.concatenate([angles, moving]),
            bounds=[*limits, *[(0.0, 1.0)] * moving.size],
            method="Nelder-Mead",
            options={"xatol": 0.01, "fatol": 1e-7, "maxfev": 400},
        )
        if found.fun >= design.score:
            return design
        return self._design(*unpacked(found.x), float(found.fun))


def best_pair(tissue: str, config: DesignConfig) -> tuple[tuple[float, float], float, float]:
    """The two best flip angles for T1 of a tissue [degree], its SD with them, and with the paper's 5 and 30 [s]."""
    values, noise = tissue_values(tissue), noise_level(config.snr)

    def sd(angles: NDArray[np.float64] | tuple[float, ...]) -> float:
        images = {"vfa": [vfa(float(angle)) for angle in angles]}
        return standard_deviations(images, values, noise, free=("T1",), nuisance=("M0",))["T1"]

    found = minimize(
        lambda angles: sd(angles),
        np.array(paper_pair()),
        method="Nelder-Mead",
        bounds=[(SMALLEST_FLIP_ANGLE, config.largest_flip_angle)] * 2,
    )
    low, high = sorted(found.x.tolist())
    return (low, high), float(found.fun), sd(paper_pair())


def _spread(n_candidates: int, n_images: int) -> tuple[int, ...]:
    """Indices spread evenly over the candidates, the first among them."""
    return tuple(int(i) for i in np.linspace(0, n_candidates - 1, n_images).round())


def _inverse(fisher: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inverse of Fisher matrices (..., name, name), and the variances (..., name): infinite where it has none."""
    values, vectors = np.linalg.eigh(fisher)
    singular = values[..., :1] <= SMALLEST_SINGULAR_VALUE**2 * values[..., -1:]
    weights = 1 / np.where(singular, 1.0, values)
    inverse = np.einsum("...ik,...k,...jk->...ij", vectors, weights, vectors)
    variances = np.where(singular, np.inf, np.einsum("...ii->...i", inverse))
    return inverse, variances
