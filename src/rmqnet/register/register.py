"""From a scan whose images moved to a scan in one place, on one grid."""

from collections.abc import Callable

import numpy as np

from rmqnet.domain.acquisition import Method
from rmqnet.domain.errors import InputError
from rmqnet.domain.motion import STILL, displacement, rotation_angle
from rmqnet.domain.registration import Outcome, Registered, Unit, Volume
from rmqnet.domain.scan import Scan
from rmqnet.physics.foreground import foreground
from rmqnet.register.align import Alignment, Progress, align
from rmqnet.register.checks import FLIP_GAIN_AFTER, check_same_knee, check_upright, check_whole, strangeness
from rmqnet.register.config import RegisterConfig
from rmqnet.register.elastix import Elastix
from rmqnet.register.target import Image, Mask, misfit
from rmqnet.register.volumes import fixed_unit, joint_box, units_of

Model = Callable[[Scan, Method, int, Mask], Image | None]
"""The image (z, y, x) that a signal model, fitted to the scan without this image, predicts for it; None where it can't.

Handed in by the pipeline; voxels outside the mask need no value."""


def register(
    scan: Scan,
    config: RegisterConfig = RegisterConfig(),  # noqa: B008  # frozen
    *,
    model: Model | None = None,
    elastix: Elastix | None = None,
    progress: Progress | None = None,
) -> Registered:
    """The scan with every volume brought to where the fixed image is, on its grid, and a verdict for each.

    A volume that did not move, or whose correction can't be trusted, is left as it was. The AFI pair moves together.

    Raises:
        InputError: a volume is cropped, flipped or of another subject; elastix is not installed.
    """
    units = units_of(scan)
    if len(units) < 2:
        raise InputError(f"sub-{scan.subject.name} has one volume only: there is nothing to register")
    fixed = fixed_unit(scan, units, config.fixed)
    state = Alignment(scan, units, fixed, scan.series[fixed.method].grid, _joint(scan, fixed, config))
    _check_before(state)
    with elastix or Elastix() as running:
        align(state, config, running, progress or (lambda *_: None))
    _check_after(state)
    aligned = state.brought(state.motions)
    volumes = tuple(_judge(unit, state, config, model, aligned) for unit in units)
    kept = {volume.unit: volume.motion for volume in volumes}
    return Registered(
        scan=state.brought(kept),
        before=state.brought(dict.fromkeys(units, STILL)),
        volumes=volumes,
        fixed=fixed.label,
        joint=state.joint,
        rule=rule(config),
    )


def _joint(scan: Scan, fixed: Unit, config: RegisterConfig) -> Mask:
    """Tissue of the fixed image inside the joint box."""
    series = scan.series[fixed.method]
    box = np.zeros(series.grid.shape, bool)
    box[joint_box(series.grid, config.joint_box)] = True
    tissue = foreground(series.magnitudes[list(fixed.indices)]).tissue
    return box & tissue if (box & tissue).any() else box


def _place(state: Alignment, unit: Unit) -> str:
    return f"sub-{state.scan.subject.name}, {unit.label}"


def _check_before(state: Alignment) -> None:
    for unit in state.units:
        check_whole(_place(state, unit), state.images[unit], state.joint)
    for unit in state.units:
        if unit is not state.fixed:
            others = [state.images[other] for other in state.units if other is not unit]
            check_upright(_place(state, unit), state.images[unit], others, state.joint)


def _check_after(state: Alignment) -> None:
    """Refuse a study with a volume of another knee, and name the strangest: it spoils what is predicted for others."""
    rests = {unit: _rest(state, unit) for unit in state.units if unit not in state.failures}
    strange = {unit: strangeness(rest, unsaturated=unit.method == "afi") for unit, rest in rests.items()}
    unit = max(strange, key=lambda unit: strange[unit])
    if strange[unit] > 1:
        others = [state.images[other] for other in state.units if other is not unit]
        check_upright(
            _place(state, unit), state.image(unit, STILL), others, state.joint, gain=FLIP_GAIN_AFTER
        )
    check_same_knee(_place(state, unit), rests[unit], unsaturated=unit.method == "afi")


def _rest(state: Alignment, unit: Unit) -> float:
    """The smaller misfit of a unit to what the others predict: as it was taken, or where it was found."""
    target = state.target(unit)
    return min(
        misfit(state.image(unit, motion), target, state.joint) for motion in (STILL, state.found[unit])
    )


def _judge(
    unit: Unit, state: Alignment, config: RegisterConfig, model: Model | None, aligned: Scan
) -> Volume:
    """The verdict on one unit; `aligned` is the scan with all units where they were found."""
    images = state.scan.series[unit.method].acquisitions
    acquisitions = tuple(images[index] for index in unit.indices)
    if unit is state.fixed:
        nan = float("nan")
        sentence = "the fixed image: all others are brought to it"
        return Volume(unit, acquisitions, "fixed", sentence, STILL, None, nan, nan, nan, (nan, nan), None)
    target, found = state.target(unit), state.found[unit]
    before, after = state.image(unit, STILL), state.image(unit, found)
    rest = (misfit(before, target, state.joint), misfit(after, target, state.joint))
    if unit in state.failures:
        sentence, nan = f"not trusted: {state.failures[unit]}; left as it was", float("nan")
        return Volume(unit, acquisitions, "not trusted", sentence, STILL, None, nan, nan, nan, rest, None)
    shift = displacement(found, state.grid)[state.joint]
    mean, largest = float(shift.mean()), float(shift.max())
    by_model = None
    if mean > config.smallest_motion and model is not None:
        target_of_model = model(aligned, unit.method, unit.indices[0], state.joint)
        by_model = _model_misfit(target_of_model, (before, after), state.joint)
    outcome, sentence = verdict(mean, largest, rest, by_model, config)
    kept = found if outcome == "corrected" else STILL
    angle = rotation_angle(found)
    return Volume(unit, acquisitions, outcome, sentence, kept, found, mean, largest, angle, rest, by_model)


def rule(config: RegisterConfig) -> tuple[str, ...]:
    """How `verdict` decides, in sentences."""
    return (
        f"No motion found: the mean displacement in the joint is at most {config.smallest_motion:g} mm, which the "
        "method can't tell from none. The volume is left as it was, bit by bit.",
        f"Not trusted: elastix failed; a displacement exceeds {config.largest_motion:g} mm; the correction lowers the "
        f"part of the variance that the other images do not predict by less than {100 * config.smallest_gain:g} %; or "
        "the signal model, fitted without the volume, agrees less with it after the correction. Left as it was.",
        "Corrected: all else.",
        "Soft tissue (full quality) is followed only where it lowers the misfit that the rigid motion leaves by at "
        f"least {100 * config.smallest_soft_gain:g} %; otherwise the motion is rigid.",
    )


def verdict(
    mean: float,
    largest: float,
    rest: tuple[float, float],
    by_model: tuple[float, float] | None,
    config: RegisterConfig,
) -> tuple[Outcome, str]:
    """Outcome and sentence from displacements [mm] and misfits before and after: the rule of the quality page."""
    if mean <= config.smallest_motion:
        return "still", f"no motion found (mean {mean:.2f} mm): left as it was"
    reason = ""
    if largest > config.largest_motion:
        reason = f"a displacement of {largest:.0f} mm is not believed"
    elif rest[1] > (1 - config.smallest_gain) * rest[0]:
        reason = "the correction does not bring it nearer to what the other images predict"
    elif by_model is not None and by_model[1] > by_model[0]:
        reason = "the correction makes the model fit worse"
    if reason:
        return "not trusted", f"not trusted: {reason}; left as it was"
    return "corrected", f"moved {mean:.1f} mm, corrected"


def _model_misfit(
    target: Image | None, images: tuple[Image, Image], joint: Mask
) -> tuple[float, float] | None:
    """Misfit of a unit before and after to what the model predicts; None where that is nothing."""
    if target is None:
        return None
    known = joint & np.isfinite(target)
    if not known.any():
        return None
    before, after = (misfit(image, target, known) for image in images)
    return before, after
