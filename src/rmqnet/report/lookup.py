"""Finding scores, and writing numbers the way a person reads them."""

from collections.abc import Iterable, Mapping

import numpy as np

from rmqnet.domain.quantities import QUANTITIES
from rmqnet.domain.scores import Score

GROUP_NAMES: Mapping[str, str] = {
    "all": "all",
    "control": "control (KL 0)",
    "doubtful_minimal": "doubtful to minimal (KL 1-2)",
    "moderate_severe": "moderate to severe (KL 3-4)",
}
"""Groups as shown to a person."""
NOTHING = "\N{EN DASH}"
"""What stands where there is no number."""


class Lookup:
    """Pooled scores by what they are about."""

    def __init__(self, scores: Iterable[Score]) -> None:
        self._by_key = {
            (s.input_set, s.quantity, s.level, s.metric, s.group, s.tissue, s.against): s
            for s in scores
            if s.subject == "all"
        }

    def find(
        self,
        input_set: str,
        quantity: str,
        level: str,
        metric: str,
        *,
        group: str = "all",
        tissue: str = "cartilage",
        against: str = "reference",
    ) -> Score | None:
        """The score, or None where there is none."""
        return self._by_key.get((input_set, quantity, level, metric, group, tissue, against))

    def value(self, input_set: str, quantity: str, level: str, metric: str, **about: str) -> float:
        """Value of the score; NaN where there is none."""
        score = self.find(input_set, quantity, level, metric, **about)
        return float("nan") if score is None else score.value

    def line(self, input_set: str, quantity: str, level: str) -> tuple[float, float] | None:
        """Slope and intercept [house unit] of the fit line; None where there is none."""
        slope = self.find(input_set, quantity, level, "slope")
        intercept = self.find(input_set, quantity, level, "intercept")
        return None if slope is None or intercept is None else (slope.value, intercept.value)


def number(value: float, digits: int) -> str:
    """The number with this many decimals; a dash for NaN; a true minus sign."""
    if not np.isfinite(value):
        return NOTHING
    # adding zero turns the -0.0 of a rounded small value into 0.0
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def interval(score: Score, digits: int, factor: float = 1.0) -> str:
    """The 95 % interval in brackets, or nothing."""
    if not np.isfinite(score.low):
        return ""
    return f"[{number(score.low * factor, digits)}, {number(score.high * factor, digits)}]"


def digits_of(quantity: str) -> int:
    """Decimals that make sense for a difference of this quantity in its display unit."""
    return {"T1": 1, "T1rho": 2, "B1": 2}.get(quantity, 2)


def unit_of(quantity: str) -> str:
    """Display unit."""
    return QUANTITIES[quantity].display_unit


def p_value(value: float) -> str:
    """P value with two significant digits, named after what it tests."""
    return NOTHING if not np.isfinite(value) else f"p of subject means = {value:.2g}"


def mean_sd(mean: float, sd: float, digits: int) -> str:
    """Mean and SD; the mean alone where one value has no SD; a dash where there is no mean."""
    if not np.isfinite(sd):
        return number(mean, digits)
    return f"{number(mean, digits)} \N{PLUS-MINUS SIGN} {number(sd, digits)}"


def counted(n: int, singular: str) -> str:
    """The count with its noun, "1 subject" or "2 subjects"."""
    return f"{n:,} {singular}" if n == 1 else f"{n:,} {singular}s"
