"""Numba source of a signal equation with its exact Jacobian.

The equation is split in two, so that a fit repeats only what changes: `prepare` computes, once per voxel and
contrast, everything that hangs on given quantities and settings; `signal_and_slopes` computes the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.codegen.cfunctions import expm1
from sympy.printing.pycode import PythonCodePrinter

from rmqnet.physics.models import SignalModel

Expression = Any
"""A sympy expression; sympy's own type hints do not follow its arithmetic."""

FASTMATH = ("reassoc", "contract", "arcp", "nsz", "afn")
"""Floating-point freedoms given to the compiler; those that would make isnan() false are left out."""


class _Printer(PythonCodePrinter):
    """Prints powers with a whole exponent as calls that multiply instead of taking a logarithm."""

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:  # noqa: N802  # sympy's naming
        if expr.exp.is_integer and not expr.exp.is_Integer:
            return f"whole_power({self._print(expr.base)}, {self._print(expr.exp)})"
        return super()._print_Pow(expr, rational=rational)

    def _print_Function(self, expr: sympy.Function) -> str:  # noqa: N802
        return f"{expr.func.__name__}({', '.join(self._print(argument) for argument in expr.args)})"


_PRINTER = _Printer({"fully_qualified_modules": False})


def hoist(expression: Expression, free: set[Any], table: dict[Expression, Any]) -> Expression:
    """The expression with its largest parts that hold no free symbol replaced by symbols, collected in `table`."""
    if not expression.free_symbols & free:
        if not expression.free_symbols:
            return expression
        return table.setdefault(expression, sympy.Symbol(f"p{len(table)}"))
    if not expression.args:
        return expression
    if isinstance(expression, sympy.Add | sympy.Mul):
        fixed, moving = expression.as_independent(*free, as_Add=isinstance(expression, sympy.Add))
        parts = [hoist(fixed, free, table)] if fixed.free_symbols else [fixed]
        inner = moving.args if isinstance(moving, expression.func) else (moving,)
        return expression.func(*parts, *(hoist(part, free, table) for part in inner))
    return expression.func(*(hoist(part, free, table) for part in expression.args))


def share_exponentials(
    expressions: list[Expression], free: set[Any]
) -> tuple[list[Expression], dict[Any, Expression]]:
    """The expressions with one symbol for each exponential of free symbols, and what these symbols stand for.

    Derivatives hold exp(x) beside expm1(x), and exp(2x) beside exp(x): one call serves them all.
    """
    found: dict[Any, Expression] = {}
    replaced: dict[Expression, Expression] = {}
    calls = {call for expression in expressions for call in expression.atoms(sympy.exp, expm1)}
    calls = {call for call in calls if call.free_symbols & free}
    # expm1 first, then the exponents with the fewest operations: the others are powers of these
    for call in sorted(calls, key=lambda call: (call.func is sympy.exp, abs(_leading(call)), str(call))):
        for symbol, base in found.items():
            power = sympy.cancel(call.args[0] / base.args[0])
            if power.is_Integer and power > 0 and call.func is sympy.exp:
                replaced[call] = (symbol + 1 if base.func is expm1 else symbol) ** power
                break
        else:
            symbol = sympy.Symbol(f"e{len(found)}")
            found[symbol] = call
            replaced[call] = symbol
    return [expression.xreplace(replaced) for expression in expressions], found


def _leading(call: Expression) -> float:
    """Number that multiplies the exponent of an exponential."""
    return float(call.args[0].as_coeff_Mul()[0])


@dataclass(frozen=True)
class Kernel:
    """Source of the functions of one signal model."""

    text: str
    """Definitions of prepare, signal_and_slopes and derivatives, each with the suffix."""
    n_prepared: int
    """How many numbers `prepare` returns."""


def kernel_source(model: SignalModel, free: Sequence[str], given: Sequence[str], suffix: str = "") -> Kernel:
    """Python source of three functions of numbers, for numba.

    prepare(given, settings) -> prepared numbers: what a fit computes once per voxel and contrast.
    signal_and_slopes(free, prepared) -> signal and its derivatives after the free quantities, as they are searched:
    one that exceeds another stands for the difference of the two.
    derivatives(free, given, settings) -> signal and its derivatives after all free and given quantities.
    Every argument is a number of its own, so that a loop over voxels can become vector instructions.
    """
    symbols: dict[str, Any] = {str(symbol): symbol for symbol in model.equation.free_symbols}
    searched = model.equation.subs(
        {symbols[name]: symbols[name] + symbols[lower] for name, lower in model.above.items()},
        simultaneous=True,
    )
    moving = {symbols[name] for name in free}
    table: dict[Expression, Any] = {}
    wanted = [searched, *(sympy.diff(searched, symbols[name]) for name in free)]
    wanted, exponentials = share_exponentials(wanted, moving)
    moving |= set(exponentials)
    wanted = [hoist(expression, moving, table) for expression in wanted]
    exponents = [hoist(expression.args[0], moving, table) for expression in exponentials.values()]
    prepared = [str(symbol) for symbol in table.values()] or ["p0"]
    known = [*given, *model.settings]
    lines = [f"def prepare{suffix}({', '.join(known)}):"]
    lines += _body(list(table) or [sympy.Float(0)], "q")
    lines += ["", "", f"def signal_and_slopes{suffix}({', '.join([*free, *prepared])}):"]
    for symbol, expression, exponent in zip(exponentials, exponentials.values(), exponents, strict=True):
        lines.append(f"    {symbol} = {_PRINTER.doprint(expression.func(exponent))}")
    lines += _body(wanted, "s")
    exact = [model.equation, *(sympy.diff(model.equation, symbols[name]) for name in (*free, *given))]
    lines += ["", "", f"def derivatives{suffix}({', '.join([*free, *known])}):", *_body(exact, "d"), "", ""]
    return Kernel("\n".join(lines), len(prepared))


def _body(expressions: list[Expression], prefix: str) -> list[str]:
    """Lines that compute the expressions, shared parts once, and return them."""
    shared, results = sympy.cse(expressions, symbols=sympy.numbered_symbols(prefix), optimizations="basic")
    lines = [f"    {symbol} = {_PRINTER.doprint(expression)}" for symbol, expression in shared]
    texts = [str(_PRINTER.doprint(value)) for value in results]
    return [*lines, f"    return ({', '.join(texts)},)"]
