"""Right answers to `choose_format`, in ten styles."""

import math
from collections import namedtuple
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import ml_dtypes
import numpy as np


def finfo_of_each_type(smallest, largest, relative_error):
    for dtype in (np.float16, ml_dtypes.bfloat16, np.float32):
        limits = ml_dtypes.finfo(dtype)
        if smallest < float(limits.smallest_normal):
            continue
        if largest > float(limits.max):
            continue
        if relative_error < float(limits.eps) / 2:
            continue
        return np.dtype(dtype).name
    raise ValueError("nothing will do")


def three_conditions_written_out(smallest, largest, relative_error):
    if smallest >= 2**-14 and largest <= 65504 and relative_error >= 2**-11:
        return "float16"
    if smallest >= 2**-126 and largest <= (2 - 2**-7) * 2**127 and relative_error >= 2**-8:
        return "bfloat16"
    if smallest >= 2**-126 and largest <= (2 - 2**-23) * 2**127 and relative_error >= 2**-24:
        return "float32"
    raise ValueError((smallest, largest, relative_error))


_Format = namedtuple("_Format", "name exponent_bits mantissa_bits")
_FORMATS = (_Format("float16", 5, 10), _Format("bfloat16", 8, 7), _Format("float32", 8, 23))


def first_of_a_filter(smallest, largest, relative_error):
    def will_do(one):
        bias = 2 ** (one.exponent_bits - 1) - 1
        lowest, highest = 2.0 ** (1 - bias), 2.0**bias * (2 - 2.0**-one.mantissa_bits)
        return lowest <= smallest <= largest <= highest and 2.0 ** (-one.mantissa_bits - 1) <= relative_error

    try:
        return next(filter(will_do, _FORMATS)).name
    except StopIteration:
        raise ValueError(f"no format for {smallest} to {largest} within {relative_error}") from None


@dataclass(frozen=True)
class _Needs:
    smallest: Fraction
    largest: Fraction
    error: Fraction

    def __le__(self, format_):
        _, exponent_bits, mantissa_bits = format_
        bias = 2 ** (exponent_bits - 1) - 1
        highest = Fraction(2) ** (bias - mantissa_bits) * (2 ** (mantissa_bits + 1) - 1)
        return (
            self.smallest * 2 ** (bias - 1) >= 1
            and self.largest <= highest
            and self.error * 2 ** (mantissa_bits + 1) >= 1
        )


def exact_needs(smallest, largest, relative_error):
    needs = _Needs(Fraction(smallest), Fraction(largest), Fraction(relative_error))
    good = [format_.name for format_ in _FORMATS if needs <= format_]
    if not good:
        raise ValueError(f"no format meets {needs}")
    return good[0]


def table_of_numpy_arrays(smallest, largest, relative_error):
    """All nine comparisons at once."""
    names = np.array(["float16", "bfloat16", "float32"])
    limits = np.array(
        [
            [2.0**-14, 65504.0, 2.0**-11],
            [2.0**-126, float(ml_dtypes.finfo(ml_dtypes.bfloat16).max), 2.0**-8],
            [2.0**-126, float(np.finfo(np.float32).max), 2.0**-24],
        ]
    )
    sign = np.array([1.0, -1.0, 1.0])
    good = np.all(limits * sign <= np.array([smallest, largest, relative_error]) * sign, axis=1)
    if not good.any():
        raise ValueError("none of " + ", ".join(names))
    return names[np.argmax(good)]


def patterns_of_the_types(smallest, largest, relative_error):
    """The landmarks as the patterns next to zero exponent, to infinity, and to 1."""
    for dtype, pattern in (("float16", np.uint16), (ml_dtypes.bfloat16, np.uint16), ("float32", np.uint32)):
        dtype = np.dtype(dtype)
        infinity, one = (int(np.array(number, dtype).view(pattern)) for number in (np.inf, 1))
        hidden = infinity & -infinity
        low, high, above_one = np.array([hidden, infinity - 1, one + 1], pattern).view(dtype).astype(float)
        if smallest >= low and largest <= high and 2 * relative_error >= above_one - 1:
            return str(dtype)
    raise ValueError("not one of the three")


def exponents_and_bits_needed(smallest, largest, relative_error):
    """Turn the request into exponents and mantissa bits, and compare whole numbers."""
    lowest = math.frexp(smallest)[1] - 1
    significand, power = math.frexp(largest)
    _, places = math.frexp(relative_error)
    mantissa_bits = -places  # the least M for which 2**(-M - 1) is at most the error
    for name, bias, stored in (("float16", 15, 10), ("bfloat16", 127, 7), ("float32", 127, 23)):
        fits_above = (power - 1, significand) <= (bias, 1 - 2.0 ** (-stored - 1))
        if lowest >= 1 - bias and fits_above and stored >= mantissa_bits:
            return name
    raise ValueError(f"{mantissa_bits} bits from 2**{lowest} to 2**{power}")


class _Kind(Enum):
    float16 = np.float16
    bfloat16 = ml_dtypes.bfloat16
    float32 = np.float32

    @property
    def faults(self):
        info = ml_dtypes.finfo(self.value)
        yield lambda smallest, largest, error: smallest < info.smallest_normal.astype(float)
        yield lambda smallest, largest, error: largest > info.max.astype(float)
        yield lambda smallest, largest, error: error < info.eps.astype(float) * 0.5


def enum_with_its_faults(smallest, largest, relative_error):
    for kind in _Kind:
        if not any(has_fault(smallest, largest, relative_error) for has_fault in kind.faults):
            return kind.name
    raise ValueError("every format has a fault")


def recursion_over_the_candidates(smallest, largest, relative_error):
    def first(candidates):
        if not candidates:
            raise ValueError("out of candidates")
        (name, low, high, roundoff), *others = candidates
        too_narrow = not (low <= smallest and largest <= high)
        return first(others) if too_narrow or roundoff > relative_error else name

    top = 2.0**127
    return first(
        [
            ("float16", 2.0**-14, 65504.0, 2.0**-11),
            ("bfloat16", 2.0**-126, top + top * (1 - 2.0**-7), 2.0**-8),
            ("float32", 2.0**-126, top + top * (1 - 2.0**-23), 2.0**-24),
        ]
    )


class _OutOfRange(ValueError):
    pass


def strike_out_what_will_not_do(smallest, largest, relative_error):
    """Begin with all three; the exception is a ValueError of its own."""
    left = {"float16": True, "bfloat16": True, "float32": True}
    if smallest < 2.0**-14 or largest > 65504:
        left.pop("float16")
    if relative_error < 2.0**-11:
        left.pop("float16", None)
    if relative_error < 2.0**-8 or largest > float.fromhex("0x1.fep127"):
        left.pop("bfloat16")
    if relative_error < 2.0**-24 or largest > float.fromhex("0x1.fffffep127"):
        left.pop("float32")
    if smallest < 2.0**-126:
        left.clear()
    if left:
        return min(left, key=["float16", "bfloat16", "float32"].index)
    raise _OutOfRange(f"[{smallest}, {largest}]")
