"""Whether an interval settles that a printed number was reached."""

from typing import Literal

import numpy as np

from rmqnet.domain.scores import Score

Verdict = Literal["reached", "not distinguishable", "below", "not known"]


def verdict(score: Score, printed: float, *, higher_is_better: bool = True) -> Verdict:
    """The 95 % interval against a number that was printed without one.

    reached: all of the interval is at the number or better. below: all of it is worse. Between: not distinguishable.
    Without an interval nothing is known.
    """
    if not np.isfinite([score.low, score.high, printed]).all():
        return "not known"
    worst, best = (score.low, score.high) if higher_is_better else (-score.high, -score.low)
    wanted = printed if higher_is_better else -printed
    if worst >= wanted:
        return "reached"
    return "below" if best < wanted else "not distinguishable"
