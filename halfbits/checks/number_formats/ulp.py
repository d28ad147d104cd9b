"""ulp(x, exponent_bits, mantissa_bits) -> float: the gap between the largest number <= |x| and the next one above."""

import math
from functools import cache

import ml_dtypes
import numpy as np

from halfbits.grading.exercise import misconception

# The oracle: the numbers of NumPy's and ml_dtypes' own types of these layouts, (exponent bits, mantissa bits).
TYPES = {
    (5, 10): np.float16,
    (8, 7): ml_dtypes.bfloat16,
    (4, 3): ml_dtypes.float8_e4m3,
    (5, 2): ml_dtypes.float8_e5m2,
    (3, 4): ml_dtypes.float8_e3m4,
    (8, 23): np.float32,
    (11, 52): np.float64,
}
TF32 = (8, 10)
LAYOUTS = (*TYPES, TF32)


@cache
def numbers(exponent_bits, mantissa_bits):
    """Every finite number >= 0 of a format of at most 16 bits, in order."""
    dtype = np.dtype(TYPES[exponent_bits, mantissa_bits])
    infinity = (2**exponent_bits - 1) << mantissa_bits
    return np.arange(infinity, dtype=f"u{dtype.itemsize}").view(dtype).astype(np.float64)


def expected(x, exponent_bits, mantissa_bits):
    if not math.isfinite(x):
        return math.nan
    if (exponent_bits, mantissa_bits) == (11, 52):
        return math.ulp(x)
    if exponent_bits == 8 and mantissa_bits > 7:
        return expected_in_fp32_cut_short(x, 23 - mantissa_bits)
    known = numbers(exponent_bits, mantissa_bits)
    place = np.searchsorted(known, abs(x), side="right") - 1
    place = min(place, len(known) - 2)  # from the largest number on: the gap below it, which is of the same binade
    return float(known[place + 1] - known[place])


def expected_in_fp32_cut_short(x, missing_bits):
    """The same from patterns: fp32's numbers whose lowest mantissa bits are 0 are those of the narrower format."""
    with np.errstate(over="ignore"):
        nearest = np.array(abs(x), np.float32)
    pattern = int(nearest.view(np.uint32)) - (float(nearest) > abs(x))  # one down where it was rounded up
    unit = 1 << missing_bits
    largest = 0x7F800000 - unit
    below = min(pattern & -unit, largest - unit)
    pair = np.array([below, below + unit], np.uint32).view(np.float32).astype(np.float64)
    return float(pair[1] - pair[0])


def landmarks(layout):
    """Smallest subnormal, smallest normal and largest number, from the types."""
    if layout == TF32:
        values = np.array([0x00002000, 0x00800000, 0x7F7FE000], np.uint32).view(np.float32)
        return tuple(map(float, values))
    info = ml_dtypes.finfo(TYPES[layout])
    return float(info.smallest_subnormal), float(info.smallest_normal), float(info.max)


def in_every_format(*values):
    return [(x, *layout) for x in values for layout in LAYOUTS]


def test_numbers_of_the_format(answer):
    """Numbers of the format"""
    answer.each(in_every_format(1.5, 3.0, 6.0, 0.75, 0.375), expected)


def test_powers_of_two(answer):
    """Powers of two, where the gap above is twice the gap below"""
    answer.each(in_every_format(1.0, 2.0, 4.0, 0.5), expected)


def test_between_two_numbers(answer):
    """x between two numbers of the format"""
    answer.each(in_every_format(1.1, 3.3, 0.7, 5.01), expected)


def test_just_below_a_power_of_two(answer):
    """x just below a power of two: still the lower binade's gap"""
    # The last is the float64 just below 8, whose `math.log2` is 3.0.
    answer.each(in_every_format(1.999, 3.999, math.nextafter(8.0, 0.0)), expected)


def test_negative(answer):
    """Negative x: the gap at |x|"""
    answer.each(in_every_format(-1.5, -2.0, -1.1), expected)


def test_zero(answer):
    """Both zeros: the smallest subnormal"""
    answer.each(in_every_format(0.0, -0.0), expected)


def test_subnormals(answer):
    """Among subnormals, and below them all: the smallest subnormal"""
    cases = []
    for layout in LAYOUTS:
        tiny, normal, _ = landmarks(layout)
        cases += [(x, *layout) for x in (tiny, 3 * tiny, normal - tiny, 1.5 * tiny, tiny / 2)]
    answer.each(cases, expected)


def test_smallest_normal_numbers(answer):
    """The first binade of normal numbers: still the smallest subnormal; the second: twice that"""
    cases = []
    for layout in LAYOUTS:
        tiny, normal, _ = landmarks(layout)
        cases += [(x, *layout) for x in (normal, normal + tiny, 2 * normal - tiny, 2 * normal)]
    answer.each(cases, expected)


def test_largest(answer):
    """The largest finite number, and beyond: the top binade's gap"""
    cases = []
    for layout in LAYOUTS:
        largest = landmarks(layout)[2]
        cases.append((largest, *layout))
        if layout != (11, 52):  # no float lies beyond fp64
            next_power = math.ldexp(1.0, math.frexp(largest)[1])
            halfway = largest + (next_power - largest) / 2
            cases += [(x, *layout) for x in (halfway, next_power, 4 * next_power, 1e300, -1e300)]
    answer.each(cases, expected)


def test_not_finite(answer):
    """Infinities and NaN: NaN"""
    answer.each(in_every_format(math.inf, -math.inf, math.nan), expected)


def test_numpy_float64(answer):
    """x as a NumPy float64, which is a float too"""
    answer.each([(x, 5, 10) for x in np.array([1.5, 1.999, 0.0, 1e-300, 1e300, np.inf])], expected)


def test_a_whole_format(answer):
    """Every number of the IEEE-style format with E = 4 and M = 3, and an x in each gap"""
    known = numbers(4, 3)
    inside = known[:-1] + 0.75 * np.diff(known)
    answer.each([(float(x), 4, 3) for x in np.sort(np.concatenate([known, inside]))], expected)


def exponent_of(x):
    """The power of two at the start of |x|'s binade; for 0 one that lies below every format."""
    return math.frexp(x)[1] - 1 if x else -9999


def gap(exponent, exponent_bits, mantissa_bits):
    """The right gap in this binade, for the misconceptions to be wrong in one place only."""
    bias = 2 ** (exponent_bits - 1) - 1
    return math.ldexp(1.0, min(max(exponent, 1 - bias), bias) - mantissa_bits)


def right(x, exponent_bits, mantissa_bits):
    return gap(exponent_of(x), exponent_bits, mantissa_bits) if math.isfinite(x) else math.nan


def range_of(exponent_bits, mantissa_bits):
    """Smallest normal and largest number."""
    bias = 2 ** (exponent_bits - 1) - 1
    return 2.0 ** (1 - bias), (2 - 2.0**-mantissa_bits) * 2.0**bias


@misconception
def epsilon_times_x(x, exponent_bits, mantissa_bits):
    """You scaled epsilon by |x| itself. The gap is the same in a whole binade: it is epsilon times the largest power of
    two that is at most |x|."""
    return abs(x) * 2.0**-mantissa_bits


@misconception
def epsilon_everywhere(x, exponent_bits, mantissa_bits):
    """You returned epsilon, which is the gap from 1 to 2. The gap doubles with every binade up and halves with every
    one down."""
    return 2.0**-mantissa_bits


@misconception
def gap_of_python_floats(x, exponent_bits, mantissa_bits):
    """You gave the gap between Python's own floats, which are fp64. Work with the widths in the arguments."""
    return math.ulp(x)


@misconception
def fp16_only(x, exponent_bits, mantissa_bits):
    """You wired in fp16's 5 exponent and 10 mantissa bits. Take the widths from the arguments."""
    return right(x, 5, 10)


@misconception
def half_the_gap(x, exponent_bits, mantissa_bits):
    """Your gap is half of the right one: that is the largest rounding error. The ulp is the whole gap; at 1 it is
    2^−M."""
    return right(x, exponent_bits, mantissa_bits) / 2


@misconception
def frexp_off_by_one(x, exponent_bits, mantissa_bits):
    """Your gap is twice too large. `math.frexp` gives a significand in [1/2, 1), so its exponent is one more than that
    of the format, whose significand is in [1, 2)."""
    return gap(exponent_of(x) + 1, exponent_bits, mantissa_bits) if math.isfinite(x) else math.nan


@misconception
def gap_below(x, exponent_bits, mantissa_bits):
    """At a power of two you gave the gap below it, which is half of the one above. A power of two opens its binade."""
    return right(math.nextafter(x, 0), exponent_bits, mantissa_bits)


@misconception
def rounded_before_measured(x, exponent_bits, mantissa_bits):
    """You rounded x to the nearest number of the format first, and just below a power of two that lands in the next
    binade. Take the largest number that is at most |x|."""
    if not math.isfinite(x):
        return math.nan
    unit = right(x, exponent_bits, mantissa_bits)
    steps = abs(x) / unit  # exact, as unit is a power of two, unless it overflows
    return right(round(steps) * unit if steps < 2.0**53 else x, exponent_bits, mantissa_bits)


@misconception
def distance_to_the_next_number(x, exponent_bits, mantissa_bits):
    """You measured from x up to the next number. Where x lies between two numbers the gap is measured from the lower
    one, so it does not depend on where in between x is."""
    unit = right(x, exponent_bits, mantissa_bits)
    if not abs(x) < range_of(exponent_bits, mantissa_bits)[1]:
        return unit
    return (math.floor(abs(x) / unit) + 1) * unit - abs(x)


@misconception
def log2_rounds(x, exponent_bits, mantissa_bits):
    """`math.log2` rounds: just below a power of two it gives the whole number, one binade too high.
    `math.frexp` takes a number apart exactly."""
    if not math.isfinite(x):
        return math.nan
    return gap(math.floor(math.log2(abs(x))) if x else -9999, exponent_bits, mantissa_bits)


@misconception
def log2_of_zero(x, exponent_bits, mantissa_bits):
    """You take the logarithm of 0, which Python refuses. The gap at zero is the smallest subnormal: give it a case of
    its own."""
    return log2_rounds(x, exponent_bits, mantissa_bits) if x else math.log2(x)


@misconception
def log2_of_a_negative(x, exponent_bits, mantissa_bits):
    """You take the logarithm of a negative number, which Python refuses. The gap depends on |x| alone: take `abs(x)`
    first."""
    if not math.isfinite(x):
        return math.nan
    return gap(math.floor(math.log2(x)) if x else -9999, exponent_bits, mantissa_bits)


@misconception
def frexp_of_zero(x, exponent_bits, mantissa_bits):
    """`math.frexp(0.0)` is `(0.0, 0)`, which you read as an x near 1. The gap at zero is the smallest subnormal: give
    zero a case of its own."""
    return right(x or 0.5, exponent_bits, mantissa_bits)


@misconception
def frexp_of_infinity(x, exponent_bits, mantissa_bits):
    """`math.frexp` gives exponent 0 for infinity and NaN, which you read as an x near 1. There is no gap at infinity
    or NaN: return NaN, which `math.isfinite` finds out first."""
    return right(x if math.isfinite(x) else 0.5, exponent_bits, mantissa_bits)


@misconception
def infinity_for_infinity(x, exponent_bits, mantissa_bits):
    """You returned infinity for an infinite x. The contract asks for NaN: nothing comes after infinity, so there is no
    gap."""
    return math.inf if math.isinf(x) else right(x, exponent_bits, mantissa_bits)


@misconception
def zero_for_zero(x, exponent_bits, mantissa_bits):
    """You gave 0 as the gap at zero. The next number above 0 is the smallest subnormal, so that is the gap."""
    return right(x, exponent_bits, mantissa_bits) if x else 0.0


@misconception
def gap_shrinks_without_end(x, exponent_bits, mantissa_bits):
    """Below the smallest normal number you let the gap go on shrinking. Subnormals are evenly spaced: hold the exponent
    at 1 − bias or above."""
    if not math.isfinite(x):
        return math.nan
    bias = 2 ** (exponent_bits - 1) - 1
    return math.ldexp(1.0, min(math.frexp(x)[1] - 1, bias) - mantissa_bits)


@misconception
def smallest_exponent_one_too_low(x, exponent_bits, mantissa_bits):
    """Your lowest exponent is 0 − bias, which makes the smallest gap half of what it is. Exponent field 0 means
    1 − bias, as field 1 does."""
    if not math.isfinite(x):
        return math.nan
    bias = 2 ** (exponent_bits - 1) - 1
    return math.ldexp(1.0, min(max(exponent_of(x), -bias), bias) - mantissa_bits)


@misconception
def smallest_normal_below_it(x, exponent_bits, mantissa_bits):
    """Below the smallest normal number you took that number for the gap. Subnormals lie in between, 2^M − 1 of them:
    the gap there is the smallest subnormal."""
    smallest = range_of(exponent_bits, mantissa_bits)[0]
    return smallest if abs(x) < smallest else right(x, exponent_bits, mantissa_bits)


@misconception
def bias_one_too_large(x, exponent_bits, mantissa_bits):
    """Your bias is 2^(E−1), one too many, so the gap changes one binade too late at both ends of the range. The bias is
    2^(E−1) − 1."""
    if not math.isfinite(x):
        return math.nan
    bias = 2 ** (exponent_bits - 1)
    return math.ldexp(1.0, min(max(exponent_of(x), 1 - bias), bias) - mantissa_bits)


@misconception
def gap_grows_without_end(x, exponent_bits, mantissa_bits):
    """Beyond the largest number you let the gap go on growing. The format has no binade there; the contract asks for
    the topmost one's gap: hold the exponent at the bias or below."""
    if not math.isfinite(x):
        return math.nan
    bias = 2 ** (exponent_bits - 1) - 1
    return math.ldexp(1.0, max(exponent_of(x), 1 - bias) - mantissa_bits)


@misconception
def top_exponent_is_a_binade(x, exponent_bits, mantissa_bits):
    """You counted the exponent field of all ones as one more binade. It is set aside for infinity and NaN; the top
    binade's exponent is the bias."""
    if not math.isfinite(x):
        return math.nan
    bias = 2 ** (exponent_bits - 1) - 1
    return math.ldexp(1.0, min(max(exponent_of(x), 1 - bias), bias + 1) - mantissa_bits)


@misconception
def infinite_gap_at_the_largest(x, exponent_bits, mantissa_bits):
    """You took infinity for the number after the largest one. The contract asks for the top binade's gap there, as if
    the binade went on."""
    largest = range_of(exponent_bits, mantissa_bits)[1]
    return math.inf if largest <= abs(x) < math.inf else right(x, exponent_bits, mantissa_bits)


@misconception
def nan_beyond_the_largest(x, exponent_bits, mantissa_bits):
    """You returned NaN for a finite x beyond the largest number. Only an x that is itself infinite or NaN has no gap;
    beyond the largest number the contract asks for the top binade's."""
    return math.nan if abs(x) > range_of(exponent_bits, mantissa_bits)[1] else right(x, exponent_bits, mantissa_bits)


@misconception
def sign_of_x(x, exponent_bits, mantissa_bits):
    """Your gap has the sign of x. A gap is a distance, and distances are positive: take `abs(x)` first."""
    return math.copysign(right(x, exponent_bits, mantissa_bits), x)


@misconception
def negative_taken_for_tiny(x, exponent_bits, mantissa_bits):
    """You gave every negative x the smallest gap, since it is less than the smallest normal number. The gap depends on
    |x| alone: take `abs(x)` first."""
    return right(max(x, 0.0) if math.isfinite(x) else x, exponent_bits, mantissa_bits)


HINTS = (
    "The gap depends only on the binade that |x| lies in: [1, 2) has the gap 2^−M, [2, 4) twice that, [1/2, 1) half of "
    "it. So the first thing to find is the power of two that opens the binade. Which binades does the format have, "
    "from the first to the last?",
    "`math.frexp(x)` takes |x| apart exactly, but into a significand in [1/2, 1), so subtract 1 from its exponent. "
    "Hold the exponent between `1 - bias` (the subnormals have that exponent too) and `bias`. Zero, infinity and "
    "NaN need a look of their own, since `frexp` gives them exponent 0.",
    "Return NaN unless `math.isfinite(x)`. Let `exponent` be `math.frexp(x)[1] - 1`, or `1 - bias` when x is 0; then "
    "`exponent = min(max(exponent, 1 - bias), bias)`, and the gap is `2.0 ** (exponent - mantissa_bits)`.",
)
