"""update_is_lost(weight, update, dtype) -> bool: whether weight + update rounds back to the weight in that format."""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfbits.grading.exercise import misconception
from halfbits.grading.values import in_powers_of_two

# Significant bits (the hidden one counts) and the exponent of the smallest normal number.
FORMATS = {np.float16: (11, -14), ml_dtypes.bfloat16: (8, -126), np.float32: (24, -126)}
NARROW = (np.float16, ml_dtypes.bfloat16)  # those in which a float32 number may have to be rounded when it is stored


def in_code(dtype):
    return f"{'ml_dtypes' if dtype is ml_dtypes.bfloat16 else 'np'}.{dtype.__name__}"


SHOW = {0: in_powers_of_two, 1: in_powers_of_two, 2: in_code}


def expected(weight, update, dtype):
    """By exact arithmetic, with nothing but the widths of the format."""
    stored_weight, _, total = training_step(weight, update, dtype)
    return total == stored_weight


def training_step(weight, update, dtype):
    """The weight and the update as they are stored, and their sum."""
    stored_weight = rounded(Fraction(weight), *FORMATS[dtype])
    stored_update = rounded(Fraction(update), *FORMATS[dtype])
    return stored_weight, stored_update, rounded(stored_weight + stored_update, *FORMATS[dtype])


def rounded(number, significant_bits, min_exponent):
    exponent = abs(number.numerator).bit_length() - number.denominator.bit_length()
    gap = Fraction(2) ** (max(exponent, min_exponent) - significant_bits + 1)
    return round(number / gap) * gap  # Python rounds a Fraction to nearest, ties to even


def hold(answer, cases):
    answer.each(cases, expected, because=what_happens)


def what_happens(call):
    if not isinstance(call.returned, (bool, np.bool_)):
        return ""
    weight, update, total = (in_powers_of_two(float(number)) for number in training_step(*call.arguments))
    return f"stored as {weight} and {update}, they add up to {total}"


@pytest.mark.parametrize("dtype", FORMATS)
def test_both_sides_of_half_the_gap(answer, dtype):
    """Updates below and above half the gap at the weight"""
    bits, _ = FORMATS[dtype]
    cases = []
    for weight in (1.0, 3.0, 0.75, 100.0):
        gap = 2.0 ** (math.frexp(weight)[1] - bits)
        signs = (1,) if weight == 1 else (1, -1)  # below 1 the gap is another
        cases += [(weight, sign * share * gap, dtype) for sign in signs for share in (0.375, 0.625, 1.0)]
    hold(answer, cases)


def test_negative_weights(answer):
    """Negative weights behave as positive ones do"""
    cases = []
    for dtype, (bits, _) in FORMATS.items():
        gap = 2.0 ** (2 - bits)
        cases += [(-1.0, -0.1875 * gap, dtype), (-1.0, -0.3125 * gap, dtype)]
        cases += [(-3.0, share * gap, dtype) for share in (0.375, 0.625, -0.375, -0.625)]
    hold(answer, cases)


def test_ties(answer):
    """An update of exactly half the gap: the tie goes to the neighbour whose last bit is 0"""
    cases = []
    for dtype, (bits, _) in FORMATS.items():
        first = 2.0**bits  # from here on the gap is 2
        cases += [(first, 1.0, dtype), (first + 2, 1.0, dtype), (first + 2, -1.0, dtype)]
        cases += [(first + 4, 1.0, dtype), (first + 4, -1.0, dtype)]
        cases += [(-first, -1.0, dtype), (-first - 2, -1.0, dtype), (-first - 2, 1.0, dtype), (-first - 4, 1.0, dtype)]
        cases += [(1.0, 2.0**-bits, dtype), (1 + 2.0 ** (1 - bits), 2.0**-bits, dtype)]
    hold(answer, cases)


def test_below_a_power_of_two(answer):
    """Towards zero from a power of two the gap is half as large"""
    cases = []
    for dtype, (bits, _) in FORMATS.items():
        first = 2.0**bits  # the gap is 2 above and 1 below
        cases += [(first, -step, dtype) for step in (1.0, 0.75, 0.5, 0.25)]
        cases += [(-first, step, dtype) for step in (1.0, 0.75, 0.5, 0.25)]
        cases += [(1.0, -(2.0**-bits), dtype), (1.0, -(2.0 ** (-bits - 1)), dtype)]
    hold(answer, cases)


def test_weight_is_stored_first(answer):
    """A weight that the format does not have is rounded first, and the sum compared with that"""
    cases = []
    for dtype in NARROW:
        first = 2.0 ** FORMATS[dtype][0]  # the gap is 2
        cases += [(float(np.float32(0.1)), update, dtype) for update in (0.0, 2.0**-20, -(2.0**-20))]
        cases += [(first + 0.5, 0.75, dtype), (first + 0.5, 1.25, dtype), (first + 0.5, 0.25, dtype)]
        cases += [(first + 1.5, 0.75, dtype), (first + 1.5, -0.75, dtype), (first + 2.5, -1.25, dtype)]
    hold(answer, cases)


def test_update_is_stored_first(answer):
    """An update that the format does not have is rounded first, to zero if it is too small"""
    cases = []
    for dtype in NARROW:
        bits, min_exponent = FORMATS[dtype]
        first, min_subnormal = 2.0**bits, 2.0 ** (min_exponent - bits + 1)
        just_above_one, just_below_one = 1 + 2.0 ** (-bits - 1), 1 - 2.0 ** (-bits - 2)  # both are stored as 1
        cases += [(first, just_above_one, dtype), (first + 4, -just_above_one, dtype)]
        cases += [(first + 2, just_below_one, dtype), (first + 2, -just_below_one, dtype)]
        cases += [(weight, min_subnormal / 2, dtype) for weight in (0.0, min_subnormal, 1.0)]
        cases += [(0.0, min_subnormal * 0.75, dtype)]
    hold(answer, cases)


def test_zeros(answer):
    """A zero update is always lost; next to a zero weight only a zero update is"""
    cases = []
    for dtype, (bits, min_exponent) in FORMATS.items():
        cases += [(weight, 0.0, dtype) for weight in (0.0, 1.0, -1.0, 0.75)]
        cases += [(0.0, update, dtype) for update in (1.0, -1.0, 2.0**-12, 2.0 ** (min_exponent - bits + 1))]
    hold(answer, cases)


def test_subnormals(answer):
    """Subnormal numbers, and the smallest normal one"""
    cases = []
    for dtype, (bits, min_exponent) in FORMATS.items():
        smallest, normal = 2.0 ** (min_exponent - bits + 1), 2.0**min_exponent
        cases += [(weight, update, dtype) for weight in (smallest, 3 * smallest) for update in (smallest, -smallest)]
        cases += [(normal, smallest, dtype), (normal, -smallest, dtype)]
    hold(answer, cases)


def test_updates_as_large_as_the_weight(answer):
    """Updates as large as the weight and larger"""
    hold(answer, [(1.0, update, dtype) for dtype in FORMATS for update in (1.0, -1.0, 100.0, 1024.0)])


def test_largest_number(answer):
    """At the format's largest number"""
    cases = []
    for dtype in FORMATS:
        largest = float(ml_dtypes.finfo(dtype).max)
        gap = largest - float(np.nextafter(dtype(largest), dtype(0)))
        cases += [(largest, share * gap, dtype) for share in (0.25, -0.25, -0.5, -0.75)]
        cases += [(-largest, 0.25 * gap, dtype), (-largest, 0.5 * gap, dtype)]
    hold(answer, cases)


@given(st.sampled_from(list(FORMATS)), st.integers(0, 127), st.integers(-8, 8), st.integers(-12, 12))
def test_any_weight(answer, dtype, steps, exponent, eighths):
    """Random weights with random updates of up to one and a half gaps"""
    gap = 2.0 ** (exponent - FORMATS[dtype][0] + 1)
    weight, update = 2.0**exponent + steps * gap, eighths / 8 * gap
    hold(answer, [(weight, update, dtype)])


def stored(number, dtype):
    """The number rounded to the format, in fp64."""
    return float(dtype(number))


def gap_above(number, dtype):
    """From the stored number to the next one away from zero, as if there were one beyond the largest."""
    bits, min_exponent = FORMATS[dtype]
    size = abs(stored(number, dtype))
    exponent = math.frexp(size)[1] - 1 if size else min_exponent
    return 2.0 ** (max(exponent, min_exponent) - bits + 1)


def right(weight, update, dtype):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return stored(stored(weight, dtype) + stored(update, dtype), dtype) == stored(weight, dtype)


@misconception
def nothing_rounded(weight, update, dtype):
    """You added in Python's float, which is fp64 and loses next to nothing. Store both numbers in `dtype`, and round
    their sum to it as well."""
    return weight + update == weight


@misconception
def sum_not_rounded(weight, update, dtype):
    """You count an update as lost only where it is stored as zero. The sum is rounded too: 1 is far from zero, and yet
    2048 + 1 is 2048 in fp16."""
    return stored(update, dtype) == 0


@misconception
def bfloat16_plus_float_is_float32(weight, update, dtype):
    """You stored the weight in `dtype` and added the update as it came. A bfloat16 plus a Python float is a float32 in
    NumPy, so that the sum was not rounded to bf16. Store both, and check the dtype of the sum."""
    return dtype(weight) + update == dtype(weight)


@misconception
def only_the_sum_is_rounded(weight, update, dtype):
    """You rounded the sum of the two numbers as they came. Each is stored in `dtype` first, and may change by that;
    only then are they added."""
    return stored(weight + update, dtype) == stored(weight, dtype)


@misconception
def update_is_not_stored(weight, update, dtype):
    """You stored the weight in `dtype` but not the update. The update loses digits too, which can make a tie of it,
    or zero."""
    return stored(stored(weight, dtype) + update, dtype) == stored(weight, dtype)


@misconception
def weight_is_not_stored(weight, update, dtype):
    """You added to the weight as it came. Round it to `dtype` first: training never sees the digits that are not
    stored."""
    return stored(weight + stored(update, dtype), dtype) == stored(weight, dtype)


@misconception
def compared_with_the_weight_as_given(weight, update, dtype):
    """You compared the sum with the weight as it was given. Where the format does not have that weight (0.1, say), no
    sum ever equals it: compare with the stored weight."""
    return stored(stored(weight, dtype) + stored(update, dtype), dtype) == weight


@misconception
def not_lost(weight, update, dtype):
    """You answer the opposite question. True means that the sum equals the stored weight: the update is lost."""
    return not right(weight, update, dtype)


@misconception
def always_float16(weight, update, dtype):
    """You worked in fp16 whatever `dtype` was. Store the numbers in the type that is passed in."""
    return right(weight, update, np.float16)


@misconception
def tie_is_lost(weight, update, dtype):
    """You count every tie as lost. Exactly half a gap goes to the neighbour whose last bit is 0, which is the weight
    only if the weight's last bit is 0: in fp16, 2048 + 1 is 2048, but 2050 + 1 is 2052."""
    return abs(stored(update, dtype)) <= gap_above(weight, dtype) / 2


@misconception
def tie_is_not_lost(weight, update, dtype):
    """You compared with half the gap. That misses two cases: a tie goes to the even neighbour, which may be the weight
    (in fp16, 2048 + 1 is 2048), and from a power of two towards zero the gap is half as large (2048 − 1 is 2047). Do
    the addition in `dtype`."""
    return abs(stored(update, dtype)) < gap_above(weight, dtype) / 2


@misconception
def same_gap_on_both_sides(weight, update, dtype):
    """You used the gap above the weight on both sides of it. At a power of two the gap towards zero is half as large,
    so that a smaller step down is enough: in fp16, 2048 − 1 is 2047."""
    gap, step = gap_above(weight, dtype), abs(stored(update, dtype))
    is_even = abs(stored(weight, dtype)) / gap % 2 == 0
    return step <= gap / 2 if is_even else step < gap / 2


@misconception
def negative_weights_never_lose(weight, update, dtype):
    """Your bound turns negative with the weight, and no size of an update is below it. Take the weight's absolute
    value."""
    return right(weight, update, dtype) and (weight >= 0 or update == 0)


@misconception
def smaller_than_epsilon(weight, update, dtype):
    """You compared the update with epsilon. Epsilon is the gap at 1; the gap grows with the weight, and half the gap
    decides."""
    return abs(stored(update, dtype)) < float(ml_dtypes.finfo(dtype).eps)


@misconception
def smaller_than_epsilon_times_weight(weight, update, dtype):
    """You compared the update with epsilon times the weight. That is a whole gap or more, and rounding to nearest loses
    only what is below half a gap."""
    return abs(stored(update, dtype)) < float(ml_dtypes.finfo(dtype).eps) * abs(stored(weight, dtype))


@misconception
def half_epsilon_times_weight(weight, update, dtype):
    """You took half of epsilon times the weight for half the gap. The gap is the same for the whole binade: from 2 up
    to 4 it is 2 · epsilon, and not 3 · epsilon at 3."""
    return abs(stored(update, dtype)) <= float(ml_dtypes.finfo(dtype).eps) / 2 * abs(stored(weight, dtype))


@misconception
def smaller_than_the_whole_gap(weight, update, dtype):
    """You compared the update with the whole gap at the weight. The sum goes to the *nearest* number, so that it is
    half the gap that decides."""
    return abs(stored(update, dtype)) < gap_above(weight, dtype)


@misconception
def cut_off_instead_of_rounded(weight, update, dtype):
    """You cut the extra bits off. That rounds towards zero; here every result is rounded to the nearest number, ties to
    even."""

    def cut(number):
        nearest = dtype(number)
        return float(np.nextafter(nearest, dtype(0)) if abs(float(nearest)) > abs(number) else nearest)

    return cut(cut(weight) + cut(update)) == cut(weight)


@misconception
def smaller_than_the_smallest_normal(weight, update, dtype):
    """You compared the update with the smallest normal number of the format. That is where underflow begins; next to a
    weight, updates that are much larger vanish, because of its few digits."""
    return abs(stored(update, dtype)) < float(ml_dtypes.finfo(dtype).smallest_normal)


@misconception
def numpy_finfo_of_bfloat16(weight, update, dtype):
    """NumPy's `finfo` does not know bfloat16 and raises. `ml_dtypes.finfo` knows all three formats; but you need
    neither if you let the format do the adding."""
    np.finfo(dtype)
    return right(weight, update, dtype)


@misconception
def close_is_equal(weight, update, dtype):
    """You used `isclose`. Its tolerance is one number for every format; an update is lost where the rounded sum
    *equals* the stored weight."""
    return bool(np.isclose(stored(stored(weight, dtype) + stored(update, dtype), dtype), stored(weight, dtype)))


@misconception
def decimal_digits(weight, update, dtype):
    """You rounded to the format's number of decimal digits. A format keeps a number of *bits*, counted from the leading
    one; decimal digits are only a rule of thumb."""
    digits = int(ml_dtypes.finfo(dtype).precision)
    return round(weight + update, digits) == round(weight, digits)


HINTS = (
    "Do with the numbers what a training step does with them: store, store, add, compare. Which of these steps rounds?",
    "All of them but the last. `dtype(number)` rounds a number when it is stored. For the sum: which dtype does it "
    "have, if you add two numbers of `dtype`? And which, if one of them is still a Python float and the other a "
    "bfloat16?",
    "`stored = dtype(weight)`, then `total = stored + dtype(update)`, which NumPy and ml_dtypes round to `dtype`. The "
    "update is lost if `total == stored`. (Not `total == weight`: a weight of 0.1 is stored as another number.)",
)
