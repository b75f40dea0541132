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
_FLIP_GAIN = 0.7
"""A flipped volume is one whose mirror image has less than this part of its misfit: default."""


def check_whole(place: str, image: Image, joint: Mask) -> None:
    """Refuse a volume that shows too little of the joint: cropped, moved away, or blank slices."""
    known = image[joint]
    missing = float((~np.isfinite(known) | (known == 0)).mean())
    if missing > MISSING_PART:
        raise InputError(
            f"{place}: {100 * missing:.0f} % of the joint lies outside this volume or is empty: "
            "it is cropped differently or damaged; replace it or leave it out"
        )


def check_upright(place: str, image: Image, others: Sequence[Image], joint: Mask) -> None:
    """Refuse a volume whose mirror image fits the other images much better."""
    own = misfit(image, predicted(image, others, joint), joint)
    for axis, words in _FLIPS:
        mirrored = np.flip(image, axis)
        if misfit(mirrored, predicted(mirrored, others, joint), joint) < _FLIP_GAIN * own:
            raise InputError(
                f"{place}: this volume is flipped {words}: correct its orientation, or convert it again"
            )


def check_same_knee(place: str, rest: float, *, unsaturated: bool = False) -> None:
    """Refuse a volume that the others do not explain even after registration."""
    if rest > (STRANGER_UNSATURATED if unsaturated else STRANGER):
        raise InputError(
            f"{place}: the other images explain only {100 * (1 - rest):.0f} % of this volume, even after registration: "
            "it is of another subject, or holds no signal; replace it or leave it out"
        )
