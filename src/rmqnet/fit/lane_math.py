"""Elementary functions that a compiler can run on several voxels at once.

The functions of the C library are calls, and a loop with a call stays scalar. These are plain arithmetic without
branches, so that a loop over voxels becomes vector instructions: an exponential then costs about a tenth. All are
within a few units of the last digit over the ranges that the signal equations meet (tests compare them with numpy).
"""
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false
# numba hands an intrinsic its typing context, which the caller does not write

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

LOG2E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
TWO_OVER_PI = 0.6366197723675814
HALF_PI_HIGH, HALF_PI_LOW = 1.5707963267341256, 6.077100506506192e-11
LARGEST_EXPONENT = 700.0
"""Exponents are held within +-700, where double precision ends: the result is then 0 or huge, never NaN."""


@intrinsic
def _round(typing_context, x):  # noqa: ARG001  # numba's protocol
    """Nearest whole number, as a float."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        function = builder.module.declare_intrinsic("llvm.rint", [ir.DoubleType()])
        return builder.call(function, arguments)

    return types.float64(types.float64), generate


@intrinsic
def _power_of_two(typing_context, x):  # noqa: ARG001
    """2 to a whole number, written into the exponent bits."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        whole = builder.fptosi(arguments[0], ir.IntType(64))
        biased = builder.add(whole, ir.Constant(ir.IntType(64), 1023))
        bits = builder.shl(biased, ir.Constant(ir.IntType(64), 52))
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(types.float64), generate


@intrinsic
def _bits(typing_context, x):  # noqa: ARG001
    """The bits of a float as a whole number."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def _from_bits(typing_context, x):  # noqa: ARG001
    """The float of these bits."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@njit(forceinline=True)
def _reduced_exponential(x):
    """exp(r) - 1 and 2**k with x = k ln 2 + r."""
    x = min(max(x, -LARGEST_EXPONENT), LARGEST_EXPONENT)
    k = _round(x * LOG2E)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    # Taylor series to the power 13: |r| is at most 0.347, and the next term is 4e-18
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    return p * r * r + r, _power_of_two(k)


@njit(forceinline=True)
def exp(x):
    """e**x."""
    part, power = _reduced_exponential(x)
    return power * part + power


@njit(forceinline=True)
def expm1(x):
    """e**x - 1, exact for small x too."""
    part, power = _reduced_exponential(x)
    return power * part + (power - 1.0)


@njit(forceinline=True)
def log(x):
    """Natural logarithm of a normal positive number."""
    bits = _bits(x)
    # the mantissa is taken into [sqrt(1/2), sqrt(2)), where the series below is short
    shifted = bits - 0x3FE6A09E667F3BCD
    exponent = shifted >> 52
    mantissa = _from_bits(bits - (exponent << 52))
    s = (mantissa - 1.0) / (mantissa + 1.0)
    q = s * s
    p = 1.0 / 19.0
    p = p * q + 1.0 / 17.0
    p = p * q + 1.0 / 15.0
    p = p * q + 1.0 / 13.0
    p = p * q + 1.0 / 11.0
    p = p * q + 1.0 / 9.0
    p = p * q + 1.0 / 7.0
    p = p * q + 1.0 / 5.0
    p = p * q + 1.0 / 3.0
    return float(exponent) * LN2_HIGH + (2.0 * s * (1.0 + q * p) + float(exponent) * LN2_LOW)


@njit(forceinline=True)
def _sine_and_cosine(x):
    """Sine and cosine of r, and the quarter turn, with x = quarter * pi / 2 + r; for |x| up to thousands."""
    k = _round(min(max(x, -1e6), 1e6) * TWO_OVER_PI)
    r = (x - k * HALF_PI_HIGH) - k * HALF_PI_LOW
    q = r * r
    s = 1.0 / 355687428096000.0
    s = s * q - 1.0 / 1307674368000.0
    s = s * q + 1.0 / 6227020800.0
    s = s * q - 1.0 / 39916800.0
    s = s * q + 1.0 / 362880.0
    s = s * q - 1.0 / 5040.0
    s = s * q + 1.0 / 120.0
    s = s * q - 1.0 / 6.0
    c = 1.0 / 20922789888000.0
    c = c * q - 1.0 / 87178291200.0
    c = c * q + 1.0 / 479001600.0
    c = c * q - 1.0 / 3628800.0
    c = c * q + 1.0 / 40320.0
    c = c * q - 1.0 / 720.0
    c = c * q + 1.0 / 24.0
    c = c * q - 0.5
    return s * q * r + r, c * q + 1.0, int(k) & 3


@njit(forceinline=True)
def sin(x):
    """Sine."""
    sine, cosine, quarter = _sine_and_cosine(x)
    value = cosine if quarter & 1 else sine
    return -value if quarter & 2 else value


@njit(forceinline=True)
def cos(x):
    """Cosine."""
    sine, cosine, quarter = _sine_and_cosine(x)
    value = sine if quarter & 1 else cosine
    return -value if (quarter + 1) & 2 else value


@njit(forceinline=True)
def whole_power(base, exponent):
    """base**exponent for a whole exponent from 0 to 1023, by repeated squaring."""
    left = int(exponent)
    power, square = 1.0, base
    # written out: the compiler turns a loop over voxels into vectors only where no other loop is inside
    power = power * square if left & 1 else power
    square = square * square
    power = power * square if left & 2 else power
    square = square * square
    power = power * square if left & 4 else power
    square = square * square
    power = power * square if left & 8 else power
    square = square * square
    power = power * square if left & 16 else power
    square = square * square
    power = power * square if left & 32 else power
    square = square * square
    power = power * square if left & 64 else power
    square = square * square
    power = power * square if left & 128 else power
    square = square * square
    power = power * square if left & 256 else power
    square = square * square
    power = power * square if left & 512 else power
    return power


@njit(forceinline=True)
def cos_sqrt(x):
    """cos(sqrt(x)), continued to negative x as cosh(sqrt(-x))."""
    root = np.sqrt(abs(x))
    return np.cos(root) if x >= 0.0 else np.cosh(root)


@njit(forceinline=True)
def sinc_sqrt(x):
    """sin(sqrt(x)) / sqrt(x), continued to negative x as sinh(sqrt(-x)) / sqrt(-x)."""
    if abs(x) < 1e-4:
        return 1.0 - x / 6.0 * (1.0 - x / 20.0 * (1.0 - x / 42.0))
    root = np.sqrt(abs(x))
    return (np.sin(root) if x > 0.0 else np.sinh(root)) / root


@njit(forceinline=True)
def slope_sinc_sqrt(x):
    """Derivative of sinc_sqrt: (cos_sqrt(x) - sinc_sqrt(x)) / (2 x)."""
    if abs(x) < 1e-2:
        return -1.0 / 6.0 * (1.0 - x / 10.0 * (1.0 - x / 28.0 * (1.0 - x / 54.0)))
    return (cos_sqrt(x) - sinc_sqrt(x)) / (2.0 * x)
