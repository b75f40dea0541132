"""The same knee with one property changed: scans that only a measurement, not a guess, can tell apart."""

import dataclasses

import numpy as np

from rmqnet.domain.errors import InputError
from rmqnet.simulate.simulate import Knee

CARTILAGE_PROPERTIES = {"T1": "T1", "T1rho": "T1rho", "M0": "density"}
"""Properties of cartilage by the quantity of the truth that they set."""


def changed(knee: Knee, quantity: str, factor: float) -> Knee:
    """The knee with T1, T1rho or M0 of its cartilage, or B1 everywhere, times a factor.

    Anatomy, textures and all other tissue stay as they are: the network sees the same knee, and only the signals of
    cartilage (for B1: all signals) differ. The offset of T1 between the regions stays in seconds, so that T1 of a
    region changes by the factor to within 1 %; the truth tells by how much.
    """
    maps = knee.maps
    if quantity == "B1":
        return dataclasses.replace(knee, maps=dataclasses.replace(maps, B1=maps.B1 * np.float32(factor)))
    if quantity not in CARTILAGE_PROPERTIES:
        known = ", ".join([*CARTILAGE_PROPERTIES, "B1"])
        raise InputError(f"quantity must be one of {known}, got {quantity!r}")
    name = CARTILAGE_PROPERTIES[quantity]
    mean = {**maps.cartilage.mean, name: maps.cartilage.mean[name] * factor}
    cartilage = dataclasses.replace(maps.cartilage, mean=mean)
    return dataclasses.replace(knee, maps=dataclasses.replace(maps, cartilage=cartilage))
