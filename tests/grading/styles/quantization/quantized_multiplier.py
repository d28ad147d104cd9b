"""Right answers to `quantized_multiplier`, in ten styles."""

import math
import struct
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np


def frexp_and_round(real_multiplier):
    fraction, shift = math.frexp(real_multiplier)
    mantissa = round(fraction * 2**31)
    return (2**30, shift + 1) if mantissa == 2**31 else (mantissa, shift)


def numpy_frexp(real_multiplier):
    fraction, shift = np.frexp(np.float64(real_multiplier))
    mantissa = np.rint(np.ldexp(fraction, 31)).astype(np.int64)
    carry = mantissa >> 31
    return mantissa >> carry, np.int64(shift + carry)


def exact_fractions(real_multiplier):
    """Double or halve until the fraction lies from 1/2 to 1."""
    fraction, shift = Fraction(float(real_multiplier)), 0
    if fraction == 0:
        return 0, 0
    while fraction >= 1:
        fraction, shift = fraction / 2, shift + 1
    while fraction < Fraction(1, 2):
        fraction, shift = fraction * 2, shift - 1
    mantissa = round(fraction * 2**31)
    return (mantissa // 2, shift + 1) if mantissa == 2**31 else (mantissa, shift)


def bits_of_the_float64(real_multiplier):
    """The significand of 53 bits, without its last 22, rounded half up in integers."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", real_multiplier))
    if bits == 0:
        return 0, 0
    significand = bits % 2**52 + 2**52
    mantissa = (significand + 2**21) >> 22
    shift = (bits >> 52) - 1022
    if mantissa >= 2**31:
        mantissa >>= 1
        shift += 1
    return mantissa, shift


def hexadecimal_digits(real_multiplier):
    """From the text that float.hex gives: 0x1.8000000000000p-2."""
    if not real_multiplier:
        return 0, 0
    digits, exponent = float(real_multiplier).hex().removeprefix("0x1.").split("p")
    mantissa = round((2**52 + int(digits.ljust(13, "0"), 16)) / 2**22)
    shift = int(exponent) + 1
    return (2**30, shift + 1) if mantissa > 2**31 - 1 else (mantissa, shift)


def searched_shift(real_multiplier):
    """The first shift with which the mantissa has no more than 31 bits."""
    if real_multiplier == 0:
        return 0, 0
    for shift in range(-31, 19):
        mantissa = math.floor(math.ldexp(real_multiplier, 31 - shift) + 0.5)
        if mantissa < 2**31:
            return mantissa, shift
    raise ValueError("too large")


def integer_ratio(real_multiplier):
    """Nothing but integers: the float's own numerator and denominator, divided with a remainder."""
    numerator, denominator = float(real_multiplier).as_integer_ratio()
    if not numerator:
        return 0, 0
    shift = numerator.bit_length() - denominator.bit_length() + 1
    places = 31 - shift
    mantissa, rest = divmod(numerator << max(places, 0), denominator << max(-places, 0))
    mantissa += 2 * rest >= denominator << max(-places, 0)
    return (mantissa >> 1, shift + 1) if mantissa == 1 << 31 else (int(mantissa), shift)


def decimal_arithmetic(real_multiplier):
    if real_multiplier == 0:
        return 0, 0
    with localcontext() as context:
        context.prec = 200
        number, shift = Decimal(float(real_multiplier)), 18
        while number * Decimal(2) ** (31 - shift) < 2**30:
            shift -= 1
        mantissa = int((number * Decimal(2) ** (31 - shift)).to_integral_value())
    if mantissa == 2**31:
        mantissa, shift = 2**30, shift + 1
    return mantissa, shift


def recursion(real_multiplier, shift=31):
    """A mantissa that is too small asks for a smaller shift; one that rounds too large, for a larger."""
    if real_multiplier == 0:
        return 0, 0
    mantissa = round(float(real_multiplier) * 2.0 ** (31 - shift))
    if mantissa >= 2**31:
        return recursion(real_multiplier, shift + 1)
    if mantissa < 2**30:
        return recursion(real_multiplier, shift - 1)
    return mantissa, shift


def view_as_an_integer(real_multiplier):
    """Adds half a step to the float's bits: a carry goes into the exponent by itself."""
    bits = int(np.array(real_multiplier, np.float64).view(np.int64))
    if not bits:
        return np.int32(0), np.int32(0)
    bits += 1 << 21
    return np.int32(1 << 30 | (bits >> 22) & (1 << 30) - 1), np.int32((bits >> 52) - 1022)
