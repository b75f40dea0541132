"""The rounds of registration: from every volume on its own to all of them in one place."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rmqnet.domain.grid import Grid
from rmqnet.domain.motion import STILL, Motion, chained, displacement, inverse
from rmqnet.domain.registration import Unit
from rmqnet.domain.scan import ImageSeries, Scan
from rmqnet.physics.models import SPIN_LOCK_METHODS
from rmqnet.register.config import RegisterConfig
from rmqnet.register.elastix import Elastix, ElastixError
from rmqnet.register.parameters import against_image, against_prediction, soft_against_prediction
from rmqnet.register.resample import slice_parts, taken_back, thin_slices
from rmqnet.register.target import Image, Mask, log_image, misfit, predicted

Progress = Callable[[str, float, float, str], None]

ROUNDS: Mapping[str, int] = {"full": 5, "fast": 2}
"""Rounds by quality: against an image in place, against what the others predict, and the same with soft tissue."""
_SOFT = 2
"""Number of the first round that follows soft tissue."""


class Alignment:
    """Where every unit is at the moment: its motion, and its image on the common grid."""

    def __init__(self, scan: Scan, units: Sequence[Unit], fixed: Unit, grid: Grid, joint: Mask) -> None:
        self.scan, self.units, self.fixed, self.grid, self.joint = scan, units, fixed, grid, joint
        self._made: dict[Unit, tuple[Motion, Image]] = {}
        self.motions: dict[Unit, Motion] = dict.fromkeys(units, STILL)
        self.images: dict[Unit, Image] = {unit: self.image(unit, STILL) for unit in units}
        self.found: dict[Unit, Motion] = dict(self.motions)
        self.failures: dict[Unit, str] = {}
        self.soft: set[Unit] = set()

    def image(self, unit: Unit, motion: Motion) -> Image:
        """The leading image of a unit after this motion is undone, on the common grid; 0 where it was not measured."""
        # interpolation takes half of the time of a registration: the last motion of each unit is asked for repeatedly
        if unit not in self._made or self._made[unit][0] is not motion:
            series = self.scan.series[unit.method]
            own = series.magnitudes[unit.indices[0]]
            moved = taken_back(own, series.grid, motion, self.grid)
            if motion.is_still:
                return np.nan_to_num(moved)
            self._made[unit] = motion, np.nan_to_num(moved)
        return self._made[unit][1]

    def brought(self, motions: Mapping[Unit, Motion]) -> Scan:
        """The scan on the common grid after these motions are undone."""
        series = {}
        for method, own in self.scan.series.items():
            data = np.full((len(own.acquisitions), *self.grid.shape), np.nan, np.float32)
            for unit, motion in motions.items():
                for index in unit.indices if unit.method == method else ():
                    data[index] = taken_back(own.magnitudes[index], own.grid, motion, self.grid)
            series[method] = ImageSeries(data, own.acquisitions, self.grid)
        return Scan(self.scan.subject, series)

    def move(self, unit: Unit, motion: Motion) -> None:
        """Put a unit where this motion says."""
        self.motions[unit] = motion
        self.images[unit] = self.image(unit, motion)

    def target(self, unit: Unit) -> Image:
        """What the other units predict for this one."""
        others = [
            self.images[other] for other in self.units if other is not unit and other not in self.failures
        ]
        return predicted(self.images[unit], others, self.joint)


def align(state: Alignment, config: RegisterConfig, elastix: Elastix, progress: Progress) -> None:
    """Find the motion of every unit: first against an image in place, then against what the others predict."""
    moving = [unit for unit in state.units if unit is not state.fixed]
    n_rounds = 1 if config.parameter_files else ROUNDS[config.quality]
    total, done = n_rounds * len(moving), 0
    for number in range(n_rounds):
        before = dict(state.found)
        for unit in moving:
            progress("registering", done, total, unit.label)
            done += 1
            if unit not in state.failures:
                _improve(state, unit, number, config, elastix)
        if number == _SOFT - 1:
            _take_back_drift(state, config, elastix)
        if number >= _SOFT and all(state.found[unit] is before[unit] for unit in moving):
            break  # another round would find the same
    progress("registering", total, total, "")


def _take_back_drift(state: Alignment, config: RegisterConfig, elastix: Elastix) -> None:
    """Undo the drift that moved images share against the fixed one, since each is registered to the others.

    The fixed image is registered to them too; where it lies among them is the drift.
    """
    if all(motion.is_still for motion in state.motions.values()):
        return
    fixed = state.fixed
    moving, own = thin_slices(state.images[fixed], state.grid)
    steps = [against_prediction(config.linear, slice_parts(state.grid))]
    try:
        drift = elastix.register(state.target(fixed), moving, state.joint, state.grid, steps, moving_grid=own)
    except ElastixError:  # what was found so far stands; the verdicts judge it
        return
    back = inverse(drift, state.grid)
    for unit in state.units:
        if unit is not fixed and unit not in state.failures:
            _take(state, unit, chained(back, state.found[unit], state.grid), config)


def _improve(
    state: Alignment,
    unit: Unit,
    number: int,
    config: RegisterConfig,
    elastix: Elastix,
) -> None:
    """One round of one unit; a failure leaves it where it was taken."""
    follows = number >= _SOFT
    # AFI is noisy and its fat is not saturated: B-splines doubled its error on a simulated knee
    if follows and unit.method == "afi":
        return
    target = state.target(unit) if number and not config.parameter_files else state.images[state.fixed]
    try:
        new = _registered(state, unit, number, target, config, elastix)
    except ElastixError as error:
        state.failures[unit] = str(error)
        state.move(unit, STILL)
        return
    if follows and not _follows(state, unit, new, target, config):
        return
    _take(state, unit, new, config)


def _registered(
    state: Alignment, unit: Unit, number: int, target: Image, config: RegisterConfig, elastix: Elastix
) -> Motion:
    """The motion that elastix finds in one round, from where the unit is."""
    series = state.scan.series[unit.method]
    image, own = series.magnitudes[unit.indices[0]], series.grid
    joint, grid, parts = state.joint, state.grid, slice_parts(own)
    if config.parameter_files:
        return elastix.register(
            target, np.nan_to_num(image), joint, grid, config.parameter_files, moving_grid=own
        )
    image, own = thin_slices(image, own)
    if number == 0:
        # an affine transform is left for later: against another contrast it stretches bones
        logs = log_image(state.images[_nearest_in_place(state, unit)]), log_image(image)
        return elastix.register(*logs, joint, grid, [against_image("rigid", parts)], moving_grid=own)
    steps = [against_prediction(config.linear, parts)]
    steps += [soft_against_prediction(parts, fine=unit in state.soft)] if number >= _SOFT else []
    return elastix.register(target, image, joint, grid, steps, moving_grid=own, start=state.motions[unit])


def _nearest_in_place(state: Alignment, unit: Unit) -> Unit:
    """The image to start from: the fixed one; for a spin-lock time, if that is none, the next shorter one.

    Long spin-lock times look so unlike a VFA image that several of them settle a slice away from it, together, and then
    speak for each other.
    """
    shorter = [
        other
        for other in state.units[: state.units.index(unit)]
        if other.method == unit.method and other not in state.failures
    ]
    chained = unit.method in SPIN_LOCK_METHODS and state.fixed.method != unit.method
    return shorter[-1] if shorter and chained else state.fixed


def _follows(state: Alignment, unit: Unit, soft: Motion, target: Image, config: RegisterConfig) -> bool:
    """True where soft tissue brings a unit so much nearer to its target that noise and contrast can't be the cause.

    A unit whose soft tissue moved by that rule may follow it more closely, as long as it comes nearer.
    """
    old, bent = (
        misfit(state.image(unit, motion), target, state.joint) for motion in (state.found[unit], soft)
    )
    wanted = 0.0 if unit in state.soft else config.smallest_soft_gain
    if bent > (1 - wanted) * old:
        return False
    state.soft.add(unit)
    return True


def _take(state: Alignment, unit: Unit, new: Motion, config: RegisterConfig) -> None:
    """Note what was found, and put the unit there unless that is too little to tell from none."""
    state.found[unit] = new
    # a displacement within what the method can't tell from none must not carry over into what is predicted for others:
    # weights of both signs would make it larger from image to image
    shift = displacement(new, state.grid)[state.joint].mean()
    state.move(unit, STILL if shift <= config.smallest_motion else new)
