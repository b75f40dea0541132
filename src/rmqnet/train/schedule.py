"""The learning rate over the epochs."""

import math


def cosine_cycles(epoch: int, *, epochs: int, n_cycles: int) -> float:
    """Learning rate of an epoch (from 0) over that of the start: equal cycles, each a half cosine from 1 down to 0.

    Zero is reached where the next cycle starts, so no epoch is spent on it. Where the epochs can't be divided
    evenly, the first cycles are one epoch longer; with fewer epochs than cycles each epoch is a cycle of its own.
    """
    cycle = epoch * n_cycles // epochs
    first, following = (math.ceil(number * epochs / n_cycles) for number in (cycle, cycle + 1))
    return (1 + math.cos(math.pi * (epoch - first) / (following - first))) / 2
