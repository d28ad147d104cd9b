"""Right answers to `ulp`, in ten styles."""

import cmath
import math
import struct
from bisect import bisect_right
from fractions import Fraction
from functools import cache

import numpy as np


def clamped_frexp(x, exponent_bits, mantissa_bits):
    if math.isinf(x) or math.isnan(x):
        return float("nan")
    emax = 2 ** (exponent_bits - 1) - 1
    _, k = math.frexp(abs(x))
    exponent = 1 - emax if x == 0 else min(emax, max(1 - emax, k - 1))
    return 2.0 ** max(exponent - mantissa_bits, -1074)


def ulp_of_the_double(x, exponent_bits, mantissa_bits):
    """binary64's own ulp of a clipped x, made coarser."""
    if not math.isfinite(x):
        return x * math.nan
    top = 2 ** (exponent_bits - 1) - 1
    low, high = math.ldexp(1.0, 1 - top), math.ldexp(1.0, top)
    # A power of two has the ulp of its binade, so that clipping to [low, high] changes no gap.
    within = min(max(abs(x), low), high)
    return math.ldexp(math.ulp(within), 52 - mantissa_bits)


def exponent_field_of_the_double(x, exponent_bits, mantissa_bits):
    bias = (1 << exponent_bits - 1) - 1
    field = struct.unpack(">Q", struct.pack(">d", x))[0] >> 52 & 0x7FF
    if field == 0x7FF:
        return math.nan
    power = sorted((1 - bias, field - 1023, bias))[1]
    return math.ldexp(1, power - mantissa_bits)


def binades_one_by_one(x, exponent_bits, mantissa_bits):
    """Up from the smallest normal number while the next binade begins at or below |x|."""
    if x != x or abs(x) == math.inf:
        return math.nan
    bias = 2 ** (exponent_bits - 1) - 1
    start = 2.0 ** (1 - bias)
    gap = start * 2.0**-mantissa_bits
    for _ in range(2**exponent_bits - 3):
        start *= 2.0
        if abs(x) < start:
            break
        gap *= 2.0
    return gap


@cache
def _starts(exponent_bits):
    bias = 2 ** (exponent_bits - 1) - 1
    return [2.0**exponent for exponent in range(2 - bias, bias + 1)]


def bisection_among_the_binades(x, exponent_bits, mantissa_bits):
    if not math.isfinite(x):
        return math.nan
    starts = _starts(exponent_bits)
    lowest = 2 - 2 ** (exponent_bits - 1)
    return math.ldexp(1.0, lowest + bisect_right(starts, abs(x)) - mantissa_bits)


def bit_lengths_of_a_fraction(x, exponent_bits, mantissa_bits):
    try:
        exact = abs(Fraction(float(x)))
    except (ValueError, OverflowError):  # neither NaN nor an infinity is a fraction
        return float("nan")
    bias = 2 ** (exponent_bits - 1) - 1
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    if exact < Fraction(2) ** exponent:
        exponent -= 1
    exponent = max(1 - bias, min(bias, exponent)) if exact else 1 - bias
    return float(Fraction(2) ** (exponent - mantissa_bits))


def numpy_ufuncs(x, exponent_bits, mantissa_bits):
    bias = np.ldexp(1, exponent_bits - 1) - 1
    _, exponent = np.frexp(np.abs(np.float64(x)))
    exponent = np.where(x == 0, 1 - bias, np.clip(exponent - 1, 1 - bias, bias))
    gap = np.ldexp(np.float64(1), (exponent - mantissa_bits).astype(int))
    return float(np.where(np.isfinite(x), gap, np.nan))


def hexadecimal_text(x, exponent_bits, mantissa_bits):
    text = float.hex(float(x)).lstrip("-")
    if not text.startswith("0x"):  # "inf" and "nan"
        return math.nan
    head, power = text.split("p")
    bias = 2 ** (exponent_bits - 1) - 1
    # "0x0.[...]p-1022" is zero, or a subnormal double: either is in the lowest binade of any format.
    exponent = int(power) if head.startswith("0x1") else 1 - bias
    exponent = max(exponent, 1 - bias)
    exponent = min(exponent, bias)
    return float.fromhex(f"0x1p{exponent - mantissa_bits}")


def neighbours_subtracted(x, exponent_bits, mantissa_bits):
    """The pattern at or below |x|, the next one, and the difference of what the two mean."""
    if not cmath.isfinite(x):
        return math.nan
    bias = 2 ** (exponent_bits - 1) - 1

    def value(pattern):
        exponent, mantissa = divmod(pattern, 2**mantissa_bits)
        if exponent == 0:
            return math.ldexp(mantissa, 1 - bias - mantissa_bits)
        return math.ldexp(2**mantissa_bits + mantissa, exponent - bias - mantissa_bits)

    low, high = 0, (2**exponent_bits - 1) * 2**mantissa_bits - 1  # 0 and the largest number
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if value(middle) <= abs(x) else (low, middle - 1)
    last = (2**exponent_bits - 1) * 2**mantissa_bits - 2
    below = min(low, last)
    return value(below + 1) - value(below)


def recursive_scaling(x, exponent_bits, mantissa_bits):
    """Scale |x| into [1, 2), doubling or halving the gap on the way, and turn back at the format's ends."""
    if math.isnan(x - x):
        return math.nan
    bias = 2 ** (exponent_bits - 1) - 1

    def scaled(size, exponent):
        for step in (512, 64, 8, 1):
            if size >= 2.0**step and exponent + step <= bias:
                return scaled(size / 2.0**step, exponent + step)
            if size < 2.0 ** (1 - step) and exponent - step >= 1 - bias:
                return scaled(size * 2.0**step, exponent - step)
        return exponent

    return math.ldexp(1.0, scaled(abs(x), 0) - mantissa_bits)
