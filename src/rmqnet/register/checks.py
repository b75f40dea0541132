"""Volumes that can't belong to the study: named before or after registration, and refused."""

from collections.abc import Sequence

import numpy as np

from rmqnet.domain.errors import InputError
from rmqnet.register.target import Image, Mask, misfit, predicted

MISSING_PART = 0.1
"""Part of the joint that a volume may lack: default."""
STRANGER = 0.3
"""Misfit after registration above which a volume shows something else: default. Volumes of one knee, real or simulated,
have 0.01 to 0.1; those of another knee in the same place 0.35 to 0.85."""
STRANGER_UNSATURATED = 0.5
"""The same for AFI, whose fat is not saturated as that of the others is: 0.2 to 0.4, and 0.5 to 0.65."""
_FLIPS = ((0, "left to right"), (1, "upside down"), (2, "front to back"))
FLIP_GAIN = 0.7
"""A flipped volume is one whose mirror image has less than this part of its misfit: default. On knees that moved by
3 degrees and 3 mm flipped volumes have 0.05 to 0.85, others 1.1 and more."""
FLIP_GAIN_AFTER = 0.9
"""The same where registration does not explain a volume, so that something is wrong with it in any case: default."""


def check_whole(place: str, image: Image, joint: Mask) -> None:
    """Refuse a volume that shows too little of the joint: cropped, moved away, or blank slices."""
    known = image[joint]
    missing = float((~np.isfinite(known) | (known == 0)).mean())
    if missing > MISSING_PART:
        raise InputError(
            f"{place}: {100 * missing:.0f} % of the joint lies outside this volume or is empty: "
            "it is cropped differently or damaged; replace it or leave it out"
        )


def check_upright(
    place: str, image: Image, others: Sequence[Image], joint: Mask, *, gain: float = FLIP_GAIN
) -> None:
    """Refuse a volume whose mirror image has less than this part of its misfit to the other images."""
    own = misfit(image, predicted(image, others, joint), joint)
    for axis, words in _FLIPS:
        mirrored = np.flip(image, axis)
        if misfit(mirrored, predicted(mirrored, others, joint), joint) < gain * own:
            raise InputError(
                f"{place}: this volume is flipped {words}: correct its orientation, or convert it again"
            )


def strangeness(rest: float, *, unsaturated: bool = False) -> float:
    """Misfit after registration as a multiple of the limit: above 1 a volume does not belong to the others."""
    return rest / (STRANGER_UNSATURATED if unsaturated else STRANGER)


def check_same_knee(place: str, rest: float, *, unsaturated: bool = False) -> None:
    """Refuse a volume that the others do not explain even after registration."""
    if strangeness(rest, unsaturated=unsaturated) > 1:
        raise InputError(
            f"{place}: the other images explain only {100 * (1 - rest):.0f} % of this volume, even after registration: "
            "it is of another subject, or holds no signal; replace it or leave it out"
        )
