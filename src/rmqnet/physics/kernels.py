"""Numba source of a signal equation with its exact Jacobian.

The equation is split in two, so that a fit repeats only what changes: `prepare` computes, once per voxel and
contrast, everything that hangs on given quantities and settings; `signal_and_jacobian` computes the rest.
"""

from collections.abc import Sequence
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
    """Prints powers with a whole exponent as such: numba multiplies instead of taking a logarithm."""

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:  # noqa: N802  # sympy's naming
        if expr.exp.is_integer and not expr.exp.is_Integer:
            return f"{self.parenthesize(expr.base, 100)}**int({self._print(expr.exp)})"
        return super()._print_Pow(expr, rational=rational)


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


def kernel_source(model: SignalModel, free: Sequence[str], given: Sequence[str]) -> str:
    """Python source of `prepare`, `signal_and_jacobian` and the constant N_PREPARED for numba.

    prepare(given, settings, prepared): arrays (given,), (setting,) in; (N_PREPARED,) out.
    signal_and_jacobian(values, prepared, jacobian) -> signal: arrays (free,), (N_PREPARED,) in; the derivatives of
    the signal after each free quantity are written into jacobian (free,).
    """
    symbols = {str(symbol): symbol for symbol in model.equation.free_symbols}
    free_symbols = [symbols[name] for name in free]
    table: dict[Expression, Any] = {}
    wanted = [model.equation, *(sympy.diff(model.equation, symbol) for symbol in free_symbols)]
    wanted, exponentials = share_exponentials(wanted, set(free_symbols))
    moving = {*free_symbols, *exponentials}
    wanted = [hoist(expression, moving, table) for expression in wanted]
    exponents = [hoist(expression.args[0], moving, table) for expression in exponentials.values()]

    inputs = [(name, f"given[{i}]") for i, name in enumerate(given)]
    inputs += [(name, f"settings[{i}]") for i, name in enumerate(model.settings)]
    used = {str(symbol) for expression in table for symbol in expression.free_symbols}
    lines = ["def prepare(given, settings, prepared):"]
    lines += [f"    {name} = {place}" for name, place in inputs if name in used]
    lines += _body(list(table), [f"prepared[{i}]" for i in range(len(table))], "q")
    lines += ["    return", "", "", "def signal_and_jacobian(values, prepared, jacobian):"]
    lines += [f"    {name} = values[{i}]" for i, name in enumerate(free)]
    lines += [f"    {symbol} = prepared[{i}]" for i, symbol in enumerate(table.values())]
    for symbol, expression, exponent in zip(exponentials, exponentials.values(), exponents, strict=True):
        lines.append(
            f"    {symbol} = {_Printer({'fully_qualified_modules': False}).doprint(expression.func(exponent))}"
        )
    lines += _body(wanted, ["signal", *(f"jacobian[{i}]" for i in range(len(free)))], "s")
    lines += ["    return signal", "", "", f"N_PREPARED = {max(len(table), 1)}", ""]
    return "\n".join(lines)


def _body(expressions: list[Expression], targets: list[str], prefix: str) -> list[str]:
    """Assignments of the expressions to the targets, shared parts computed once."""
    printer = _Printer({"fully_qualified_modules": False})
    shared, results = sympy.cse(expressions, symbols=sympy.numbered_symbols(prefix), optimizations="basic")
    lines = [f"    {symbol} = {printer.doprint(expression)}" for symbol, expression in shared]
    return lines + [
        f"    {target} = {printer.doprint(value)}" for target, value in zip(targets, results, strict=True)
    ]
