"""Right answers to `decode`, in ten styles."""

import math
import struct
from fractions import Fraction
from functools import cache, reduce
from itertools import accumulate, chain, repeat
from typing import NamedTuple

import numpy as np


def shifts_masks_and_ldexp(bits, exponent_bits, mantissa_bits):
    mantissa_mask = (1 << mantissa_bits) - 1
    exponent_mask = (1 << exponent_bits) - 1
    mantissa = bits & mantissa_mask
    exponent = (bits >> mantissa_bits) & exponent_mask
    sign = -1.0 if bits >> (mantissa_bits + exponent_bits) & 1 else 1.0
    if exponent == exponent_mask:
        return math.nan if mantissa else sign * math.inf
    bias = exponent_mask >> 1
    if exponent:
        mantissa |= 1 << mantissa_bits
    # Python's integers keep every digit, and ldexp rounds nothing here.
    return sign * math.ldexp(mantissa, max(exponent, 1) - bias - mantissa_bits)


def digits_of_a_string(bits, exponent_bits, mantissa_bits):
    text = format(bits, "b").zfill(1 + exponent_bits + mantissa_bits)
    sign, exponent, mantissa = text[0], text[1 : 1 + exponent_bits], text[1 + exponent_bits :]
    signed = "-" if sign == "1" else ""
    if "0" not in exponent:
        return float(signed + ("nan" if "1" in mantissa else "inf"))
    bias = int("1" * (exponent_bits - 1), 2)
    leading, power = ("1", int(exponent, 2) - bias) if "1" in exponent else ("0", 1 - bias)
    padded = mantissa.ljust(-(-mantissa_bits // 4) * 4, "0")
    hexadecimal = format(int(padded, 2), f"0{len(padded) // 4}x")
    return float.fromhex(f"{signed}0x{leading}.{hexadecimal}p{power}")


def repacked_as_a_double(bits, exponent_bits, mantissa_bits):
    """Widen the fields to those of binary64, and read the eight bytes."""
    sign = bits >> exponent_bits + mantissa_bits
    exponent = bits >> mantissa_bits & ~(-1 << exponent_bits)
    mantissa = bits & ~(-1 << mantissa_bits)
    offset = 1023 - ((1 << exponent_bits - 1) - 1)
    wide_mantissa = mantissa << 52 - mantissa_bits
    if exponent == (1 << exponent_bits) - 1:
        wide_exponent = 2047
    elif exponent or offset == 0:
        wide_exponent = exponent + offset
    elif mantissa == 0:
        wide_exponent = 0
    else:  # a subnormal number is a normal one in binary64: move its first one up to the hidden bit
        up = 53 - wide_mantissa.bit_length()
        wide_mantissa = (wide_mantissa << up) & ~(-1 << 52)
        wide_exponent = 1 + offset - up
    (value,) = struct.unpack(">d", struct.pack(">Q", sign << 63 | wide_exponent << 52 | wide_mantissa))
    return value


def exact_fractions(bits, exponent_bits, mantissa_bits):
    rest, mantissa = divmod(bits, 2**mantissa_bits)
    sign, exponent = divmod(rest, 2**exponent_bits)
    bias = Fraction(2) ** (exponent_bits - 1) - 1
    if exponent == 2**exponent_bits - 1:
        magnitude = float("inf") if mantissa == 0 else float("nan")
    else:
        share = Fraction(mantissa, 2**mantissa_bits)
        exact = (
            share * Fraction(2) ** int(1 - bias) if exponent == 0 else (1 + share) * Fraction(2) ** int(exponent - bias)
        )
        magnitude = float(exact)
    return math.copysign(magnitude, -1 if sign else 1)


def sum_over_the_set_bits(bits, exponent_bits, mantissa_bits):
    """Each bit of the mantissa adds its own power of two."""
    ones = {place for place in range(1 + exponent_bits + mantissa_bits) if bits & 1 << place}
    exponent = sum(
        2 ** (place - mantissa_bits) for place in ones if mantissa_bits <= place < mantissa_bits + exponent_bits
    )
    fraction = [place for place in ones if place < mantissa_bits]
    negative = exponent_bits + mantissa_bits in ones
    if exponent == 2**exponent_bits - 1:
        value = math.nan if fraction else math.inf
    else:
        power = (exponent or 1) - 2 ** (exponent_bits - 1) + 1
        hidden = [2.0**power] if exponent else []
        value = math.fsum(hidden + [math.ldexp(1.0, power + place - mantissa_bits) for place in fraction])
    return -value if negative else value


def walk_by_binades(bits, exponent_bits, mantissa_bits):
    """Count up from zero: the gap doubles with each binade but the first two, which share one."""
    half, per_binade = 1 << exponent_bits + mantissa_bits, 1 << mantissa_bits
    negative, index = bits >= half, bits % half
    infinity = half - per_binade
    if index >= infinity:
        value = float("inf") if index == infinity else float("nan")
    else:
        binade, step = divmod(index, per_binade)
        bias = 2 ** (exponent_bits - 1) - 1
        gaps = chain(
            [2.0 ** (1 - bias - mantissa_bits)],
            accumulate(repeat(2.0, binade), lambda gap, by: gap * by, initial=2.0 ** (1 - bias - mantissa_bits)),
        )
        gap = next(gap for i, gap in enumerate(gaps) if i == binade)
        value = gap * (step if binade == 0 else per_binade + step)
    return -value if negative else value


class _Fields(NamedTuple):
    sign: int
    exponent: int
    mantissa: int


@cache
def _constants(exponent_bits, mantissa_bits):
    return (1 << exponent_bits) - 1, (1 << exponent_bits - 1) - 1, 2.0**-mantissa_bits


def _fields(bits, exponent_bits, mantissa_bits):
    return _Fields(
        bits >> exponent_bits + mantissa_bits,
        (bits >> mantissa_bits) % (1 << exponent_bits),
        bits % (1 << mantissa_bits),
    )


def match_on_the_fields(bits, exponent_bits, mantissa_bits):
    top, bias, epsilon = _constants(exponent_bits, mantissa_bits)
    fields = _fields(bits, exponent_bits, mantissa_bits)
    match fields:
        case (_, exponent, 0) if exponent == top:
            magnitude = math.inf
        case (_, exponent, _) if exponent == top:
            return math.nan
        case (_, 0, mantissa):
            magnitude = mantissa * epsilon * 2.0 ** (1 - bias)
        case (_, exponent, mantissa):
            magnitude = (1.0 + mantissa * epsilon) * 2.0 ** (exponent - bias)
    return (magnitude, -magnitude)[fields.sign]


def numpy_scalars(bits, exponent_bits, mantissa_bits):
    pattern, one = np.uint64(bits), np.uint64(1)
    mantissa_width, exponent_width = np.uint64(mantissa_bits), np.uint64(exponent_bits)
    mantissa = pattern & ((one << mantissa_width) - one)
    exponent = int((pattern >> mantissa_width) & ((one << exponent_width) - one))
    sign = np.float64(-1.0) if pattern >> (mantissa_width + exponent_width) else np.float64(1.0)
    bias = 2 ** (exponent_bits - 1) - 1
    is_special, is_normal = exponent == 2 * bias + 1, exponent > 0
    significand = np.float64(mantissa) / np.float64(2.0**mantissa_bits) + np.float64(is_normal)
    special = np.float64(np.nan) if mantissa else np.float64(np.inf)
    magnitude = special if is_special else np.ldexp(significand, max(exponent, 1) - bias)
    return float(sign * magnitude)


def one_bit_at_a_time(bits, exponent_bits, mantissa_bits):
    """Horner's rule over the bits, from the top."""

    def read(count, above):
        return reduce(
            lambda number, place: 2 * number + (bits >> place & 1), range(above - 1, above - count - 1, -1), 0
        )

    width = 1 + exponent_bits + mantissa_bits
    sign, exponent, mantissa = read(1, width), read(exponent_bits, width - 1), read(mantissa_bits, mantissa_bits)
    value = float(mantissa)
    for _ in range(mantissa_bits):
        value /= 2
    if exponent == 2**exponent_bits - 1:
        value = math.nan if value else math.inf
    else:
        power = exponent - (2 ** (exponent_bits - 1) - 1)
        value, power = (value + 1, power) if exponent else (value, power + 1)
        for _ in range(abs(power)):
            value = value * 2 if power > 0 else value / 2
    return -value if sign else value


def recursion_on_the_mantissa(bits, exponent_bits, mantissa_bits):
    """The last bit adds a gap to what the narrower format makes of the rest."""
    if mantissa_bits == 0:
        sign = -1.0 if bits >> exponent_bits else 1.0
        exponent = bits % 2**exponent_bits
        bias = 2 ** (exponent_bits - 1) - 1
        if exponent == 2 * bias + 1:
            return sign * math.inf
        return sign * 2.0 ** (exponent - bias) if exponent else sign * 0.0
    rest = recursion_on_the_mantissa(bits >> 1, exponent_bits, mantissa_bits - 1)
    if bits % 2 == 0:
        return rest
    if math.isinf(rest):
        return math.nan
    exponent = max((bits >> mantissa_bits) % 2**exponent_bits, 1)
    gap = 2.0 ** (exponent - 2 ** (exponent_bits - 1) + 1 - mantissa_bits)
    return rest + math.copysign(gap, rest)
