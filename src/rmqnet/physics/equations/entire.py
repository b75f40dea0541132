"""Functions of a square root that stay real where the number under the root is negative."""

import sympy


class cos_sqrt(sympy.Function):  # noqa: N801  # a function, named as sympy names its own
    """cos(sqrt(x)); cosh(sqrt(-x)) for negative x."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:  # noqa: ARG002  # sympy's protocol
        """Derivative."""
        return -sinc_sqrt(self.args[0]) / 2


class sinc_sqrt(sympy.Function):  # noqa: N801
    """sin(sqrt(x)) / sqrt(x); sinh(sqrt(-x)) / sqrt(-x) for negative x."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:  # noqa: ARG002
        """Derivative."""
        return slope_sinc_sqrt(self.args[0])


class slope_sinc_sqrt(sympy.Function):  # noqa: N801
    """Derivative of sinc_sqrt; its own derivative is never needed."""
