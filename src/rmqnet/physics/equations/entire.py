"""Functions of a square root that stay real where the number under the root is negative."""

from typing import Any

import sympy


class cos_sqrt(sympy.Function):  # noqa: N801  # a function, named as sympy names its own
    """cos(sqrt(x)); cosh(sqrt(-x)) for negative x."""

    def fdiff(self, argindex: int = 1) -> Any:  # noqa: ARG002  # sympy's protocol; it has no type hints
        """Derivative."""
        return sympy.Rational(-1, 2) * sinc_sqrt(self.args[0])  # pyright: ignore[reportOperatorIssue]


class sinc_sqrt(sympy.Function):  # noqa: N801
    """sin(sqrt(x)) / sqrt(x); sinh(sqrt(-x)) / sqrt(-x) for negative x."""

    def fdiff(self, argindex: int = 1) -> Any:  # noqa: ARG002
        """Derivative."""
        return slope_sinc_sqrt(self.args[0])


class slope_sinc_sqrt(sympy.Function):  # noqa: N801
    """Derivative of sinc_sqrt; its own derivative is never needed."""
