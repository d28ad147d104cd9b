"""Right answers to `format_limits`, in ten styles."""

import math
import struct
import sys
from collections import OrderedDict
from dataclasses import asdict, dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np


def ldexp(exponent_bits, mantissa_bits):
    emax = (1 << (exponent_bits - 1)) - 1
    emin = 1 - emax
    return dict(
        bias=emax,
        max=math.ldexp(2 ** (mantissa_bits + 1) - 1, emax - mantissa_bits),
        min_normal=math.ldexp(1.0, emin),
        min_subnormal=math.ldexp(1.0, emin - mantissa_bits),
        epsilon=math.ldexp(1.0, -mantissa_bits),
    )


def _value(exponent, mantissa, exponent_bits, mantissa_bits):
    bias = 2 ** (exponent_bits - 1) - 1
    if exponent == 0:
        return mantissa / 2**mantissa_bits * 2.0 ** (1 - bias)
    return (1 + mantissa / 2**mantissa_bits) * 2.0 ** (exponent - bias)


def reading_patterns(exponent_bits, mantissa_bits):
    """Each landmark is the value of a pattern, written as its two fields."""
    bias = 2 ** (exponent_bits - 1) - 1
    patterns = {
        "max": (2**exponent_bits - 2, 2**mantissa_bits - 1),
        "min_normal": (1, 0),
        "min_subnormal": (0, 1),
        "epsilon": (bias, 1),
    }
    limits = {name: _value(*fields, exponent_bits, mantissa_bits) for name, fields in patterns.items()}
    limits["epsilon"] -= 1.0
    return {"bias": bias, **limits}


def whole_numbers_where_there_are_any(exponent_bits, mantissa_bits):
    """The largest number as an int wherever it is one."""
    bias = 2 ** (exponent_bits - 1) - 1
    significand, shift = 2 ** (mantissa_bits + 1) - 1, bias - mantissa_bits
    return {
        "bias": bias,
        "max": significand << shift if shift >= 0 else significand / (1 << -shift),
        "min_normal": 1 / (1 << (bias - 1)),
        "min_subnormal": 1 / (1 << (bias - 1 + mantissa_bits)) if bias + mantissa_bits < 1024 else 5e-324,
        "epsilon": 1 / (1 << mantissa_bits),
    }


def exact_fractions(exponent_bits, mantissa_bits):
    two = Fraction(2)
    bias = two ** (exponent_bits - 1) - 1
    epsilon = two**-mantissa_bits
    exact = {
        "bias": bias,
        "max": (2 - epsilon) * two ** int(bias),
        "min_normal": two ** int(1 - bias),
        "min_subnormal": epsilon * two ** int(1 - bias),
        "epsilon": epsilon,
    }
    return {name: int(number) if name == "bias" else float(number) for name, number in exact.items()}


def halving_until_the_end(exponent_bits, mantissa_bits):
    """By loops, as one would on a machine whose format one does not know."""
    bias = 0
    for _ in range(exponent_bits - 1):
        bias = 2 * bias + 1
    epsilon = 1.0
    for _ in range(mantissa_bits):
        epsilon /= 2
    largest, min_normal = 2.0 - epsilon, 2.0
    for _ in range(bias):
        largest, min_normal = largest * 2, min_normal / 2
    return {
        "epsilon": epsilon,
        "min_subnormal": min_normal * epsilon,
        "min_normal": min_normal,
        "max": largest,
        "bias": bias,
    }


def from_the_bits_of_a_double(exponent_bits, mantissa_bits):
    def double(exponent, mantissa=0):
        if exponent < -1022:  # binary64's own subnormals
            exponent, mantissa = -1023, 1 << 52 + 1022 + exponent
        return struct.unpack("<d", struct.pack("<Q", (exponent + 1023 << 52) + mantissa))[0]

    bias = 2**exponent_bits // 2 - 1
    ones = (1 << mantissa_bits) - 1 << 52 - mantissa_bits
    return OrderedDict(
        bias=bias,
        max=double(bias, ones),
        min_normal=double(1 - bias),
        min_subnormal=double(1 - bias - mantissa_bits),
        epsilon=double(-mantissa_bits),
    )


def numpy_scalars(exponent_bits, mantissa_bits):
    bias = np.left_shift(np.int64(1), exponent_bits - 1) - 1
    powers = np.array([1 - bias, 1 - bias - mantissa_bits, -mantissa_bits])
    min_normal, min_subnormal, epsilon = np.ldexp(np.ones(3), powers)
    largest = np.ldexp(np.float64(2.0) - epsilon, bias)
    names = ("bias", "max", "min_normal", "min_subnormal", "epsilon")
    return dict(zip(names, (bias, largest, min_normal, min_subnormal, epsilon), strict=True))


def hexadecimal_literals(exponent_bits, mantissa_bits):
    bias = int("0" + "1" * (exponent_bits - 1), 2)
    ones = format(((1 << mantissa_bits) - 1) << (-mantissa_bits % 4), "x")
    texts = {
        "max": f"0x1.{ones}p{bias}",
        "min_normal": f"0x1p{1 - bias}",
        "min_subnormal": f"0x1p{1 - bias - mantissa_bits}",
        "epsilon": f"0x1p-{mantissa_bits}",
    }
    return {"bias": bias} | {name: float.fromhex(text) for name, text in texts.items()}


@dataclass
class _Limits:
    bias: int
    max: float
    min_normal: float
    min_subnormal: float
    epsilon: float


def neighbours_of_doubles(exponent_bits, mantissa_bits):
    """binary64's own limits, scaled: the exponents differ by the two biases, the mantissas by their widths."""
    bias = 2 ** (exponent_bits - 1) - 1
    up = 1023 - bias
    dropped = 52 - mantissa_bits
    epsilon = math.ldexp(sys.float_info.epsilon, dropped)
    min_normal = math.ldexp(sys.float_info.min, up)
    below_two = 2.0 - epsilon if dropped else math.nextafter(2.0, 0.0)
    return asdict(_Limits(bias, math.ldexp(below_two, bias), min_normal, min_normal * epsilon, epsilon))


def each_from_the_one_before(exponent_bits, mantissa_bits):
    """The smallest normal number is 2^M subnormal steps, and the largest one gap below where the next binade would
    begin."""
    limits = SimpleNamespace(bias=sum(2**place for place in range(exponent_bits - 1)))
    limits.epsilon = pow(2.0, -mantissa_bits)
    limits.min_subnormal = pow(2.0, 1 - limits.bias - mantissa_bits)
    limits.min_normal = limits.min_subnormal * 2**mantissa_bits
    top_binade = pow(2.0, limits.bias)
    top_gap = top_binade * limits.epsilon
    limits.max = top_binade + (top_binade - top_gap)
    return vars(limits)
