"""Right answers to `update_is_lost`, in ten styles."""

import math
import operator
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from functools import partial

import ml_dtypes
import numpy as np


def scalars_of_the_type(weight, update, dtype):
    stored_weight, stored_update = dtype(weight), dtype(update)
    return bool(dtype(stored_weight + stored_update) == stored_weight)


def sum_in_a_python_float(weight, update, dtype):
    """A float64 has more than twice the digits of any of the three, so that rounding the sum twice does no harm."""

    def stored(number):
        return np.float64(number).astype(dtype).item()

    return float(stored(stored(float(weight)) + stored(float(update)))) == float(stored(float(weight)))


def same_bytes(weight, update, dtype):
    """One array in place; what it holds is compared byte by byte, after -0.0 has been made 0.0."""
    cell = np.zeros(1, dtype)
    cell += np.array([weight], dtype)
    before = cell.tobytes()
    cell += np.array([update], dtype)
    cell += np.zeros(1, dtype)
    return cell.tobytes() == before


def numpy_bool_of_two_arrays(weight, update, dtype):
    numbers = np.asarray([weight, update], np.float64).astype(dtype)
    return np.equal(np.add(numbers[0], numbers[1]).astype(dtype), numbers[0])


_DIGITS_AND_LOWEST = {"float16": (11, -14), "bfloat16": (8, -126), "float32": (24, -126)}


def exact_fractions(weight, update, dtype):
    to_format = partial(_nearest_fraction, *_DIGITS_AND_LOWEST[np.dtype(dtype).name])
    stored = to_format(Fraction(weight))
    return to_format(stored + to_format(Fraction(update))) == stored


def _nearest_fraction(digits, lowest, number):
    size, exponent = abs(number), lowest
    while size >= Fraction(2) ** (exponent + 1):
        exponent += 1
    gap = Fraction(2) ** (exponent - digits + 1)
    return round(number / gap) * gap  # a tie goes to the even whole number


def neighbours_of_the_stored_weight(weight, update, dtype):
    """Whether the exact sum lies nearer to the stored weight than to its neighbour on that side."""
    stored = np.array(weight, dtype)
    step = Fraction(float(np.array(update, dtype)))
    if step == 0:
        return True
    beyond = np.nextafter(stored, np.array(math.inf if step > 0 else -math.inf, dtype))
    if np.isinf(beyond):  # as far away as if there were one more number
        inner = np.nextafter(stored, np.array(0, dtype))
        distance = abs(Fraction(float(stored)) - Fraction(float(inner)))
    else:
        distance = abs(Fraction(float(beyond)) - Fraction(float(stored)))
    is_even = int(stored.view(f"u{stored.dtype.itemsize}")) % 2 == 0
    return (operator.le if is_even else operator.lt)(abs(step), distance / 2)


def _to_bfloat16_bits(number):
    pattern = int(np.array(number, np.float32).view(np.uint32))
    return (pattern + 0x7FFF + (pattern >> 16 & 1)) >> 16 << 16


def bfloat16_as_upper_halves(weight, update, dtype):
    """NumPy's own types for two of the formats; bfloat16 by rounding float32 on its bits."""
    if np.dtype(dtype) != np.dtype(ml_dtypes.bfloat16):
        stored = np.full((), weight, dtype)
        return not (stored + np.full((), update, dtype) - stored).any()

    def value(number):
        return np.array(_to_bfloat16_bits(number), np.uint32).view(np.float32)

    return _to_bfloat16_bits(value(weight) + value(update)) == _to_bfloat16_bits(weight)


def two_element_cumulative_sum(weight, update, dtype):
    running = np.cumsum(np.array([weight, update]).astype(dtype), dtype=dtype)
    return running[1].item() == running[0].item()


def _significant(number, digits, lowest):
    """A number as a whole multiple of its binade's gap, and the gap's exponent; ties to even."""
    mantissa, exponent = math.frexp(number)
    exponent = max(exponent - digits, lowest - digits + 1)
    return math.ldexp(round(math.ldexp(number, -exponent)), exponent) if mantissa else 0.0


def rounding_of_floats_by_hand(weight, update, dtype):
    digits, lowest = next(
        limits
        for kind, limits in ((np.float16, (11, -14)), (np.float32, (24, -126)), (ml_dtypes.bfloat16, (8, -126)))
        if kind is dtype
    )
    stored = _significant(weight, digits, lowest)
    return _significant(stored + _significant(update, digits, lowest), digits, lowest) == stored


def decimal_arithmetic(weight, update, dtype):
    """Decimal holds every float exactly where the precision is large enough."""
    limits = ml_dtypes.finfo(dtype)
    with localcontext() as context:
        context.prec = 400
        tiny, epsilon = Decimal(float(limits.smallest_normal)), Decimal(float(limits.eps))

        def stored(number):
            start = tiny
            while start * 2 <= abs(number):
                start *= 2
            gap = start * epsilon
            return (number / gap).to_integral_value(ROUND_HALF_EVEN) * gap

        kept = stored(Decimal(weight))
        return stored(kept + stored(Decimal(update))) == kept
