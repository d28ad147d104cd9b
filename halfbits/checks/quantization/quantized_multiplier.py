"""quantized_multiplier(real_multiplier) -> (mantissa, shift): a real number as an integer and a power of two."""

import math
import operator
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import hold_each
from halfbits.grading.exercise import misconception
from halfbits.grading.values import difference, in_powers_of_two, show

# An endless loop at 0 is a common one, and need not be waited for long.
SECONDS = 4.0

SHOW = {0: lambda number: in_powers_of_two(number) if type(number) is float else show(number)}


def acceptable(number):
    """The oracle, in exact fractions: what may be returned, one pair, or two where the number is half-way."""
    number = Fraction(float(number))
    if number == 0:
        return [(0, 0)]
    shift = number.numerator.bit_length() - number.denominator.bit_length()
    shift += number >= Fraction(2) ** shift  # now 2^(shift - 1) <= number < 2^shift
    exact = number * Fraction(2) ** (31 - shift)
    candidates = (math.floor(exact), math.floor(exact) + 1)
    nearest = min(abs(exact - mantissa) for mantissa in candidates)
    mantissas = [mantissa for mantissa in candidates if abs(exact - mantissa) == nearest]
    return [(mantissa, shift) if mantissa < 2**31 else (2**30, shift + 1) for mantissa in mantissas]


def hold(answer, numbers):
    """Hold the answer on all numbers."""
    hold_each(answer, ((number,) for number in numbers), hold_one)


def hold_one(call):
    wanted = acceptable(*call.arguments)
    chosen = next((pair for pair in wanted if difference(call.returned, pair) is None), wanted[0])
    call.equals(chosen, because=what_it_makes)
    if not all(map(is_integer, call.returned)):
        call.fail("an integer is asked for, and this is a float of the same value")


def is_integer(number):
    try:
        operator.index(number)
    except TypeError:
        return False
    return True


def what_it_makes(call):
    """The number that a pair stands for, or what is wrong with the mantissa."""
    if type(call.returned) is not tuple:
        return ""
    try:
        mantissa, shift = map(operator.index, call.returned)
    except (TypeError, ValueError):
        return ""
    if mantissa and not 2**30 <= mantissa < 2**31:
        return "the mantissa is not from 2**30 to 2**31 - 1"
    return f"mantissa · 2^(shift − 31) is {math.ldexp(mantissa, shift - 31)!r}" if abs(shift) < 99 else ""


def test_half_to_one(answer):
    """Numbers from 1/2 to 1: the mantissa alone"""
    hold(answer, [0.5, 0.75, 0.625, 0.6, 0.7, 0.999])


def test_below_half(answer):
    """Smaller numbers, down to 2**-31"""
    hold(answer, [0.25, 0.375, 0.1, 0.3, 0.01, 0.0072474, 2.0**-20, 1e-6, 3e-9, 2.0**-31, 5 * 2.0**-33])


def test_one_and_above(answer):
    """1 and larger numbers"""
    hold(answer, [1.0, 1.5, 1.1, 2.0, 3.0, 2.7, 10.0, 1000.1, 2.0**16])


def test_nearest(answer):
    """The nearest mantissa, exactly"""
    mantissas = [2**30, 2**30 + 1, 1234567890, 1500000001, 2**31 - 2]
    # Numbers a quarter and three quarters of the way to the next mantissa, and some hairs from half-way.
    parts = [0.25, 0.75, 0.5 - 2.0**-20, 0.5 + 2.0**-20]
    hold(
        answer,
        [(mantissa + part) * 2.0**power for power in (-31, -40, -29) for mantissa in mantissas for part in parts],
    )


def test_ties(answer):
    """Half-way between two mantissas, where either will do"""
    hold(answer, [(mantissa + 0.5) * 2.0**-31 for mantissa in (2**30, 2**30 + 1, 1234567890, 2**31 - 2, 2**31 - 1)])


def test_just_below_a_power_of_two(answer):
    """Where the mantissa rounds up to 2**31, which int32 does not have"""
    hold(
        answer,
        [(1 - tiny) * power for power in (1.0, 2.0, 2.0**-10, 2.0**16) for tiny in (2.0**-40, 2.0**-33, 2.0**-53)],
    )


def test_numpy_numbers(answer):
    """NumPy's float64 and float32"""
    hold(answer, [kind(number) for kind in (np.float64, np.float32) for number in (0.75, 0.1, 3.3, 1 - 2.0**-24)])


@given(st.floats(2.0**-31, 2.0**16))
def test_any_number(answer, number):
    """Random numbers"""
    hold(answer, [number])


def test_zero(answer):
    """0 gives (0, 0)"""
    hold(answer, [0.0])


def parts(real_multiplier):
    """A fraction from 1/2 to 1, and the power of two."""
    return math.frexp(real_multiplier)


def renormalised(mantissa, shift):
    return (mantissa, shift) if mantissa < 2**31 else (mantissa // 2, shift + 1)


def right(real_multiplier):
    """The right answer, for the misconceptions to be wrong in one place only."""
    fraction, shift = parts(real_multiplier)
    return renormalised(round(fraction * 2**31), shift)


@misconception
def cut_off(real_multiplier):
    """You cut the fraction off. `int(…)` and `//` round down: take the nearest integer with `round(…)`."""
    fraction, shift = parts(real_multiplier)
    return int(fraction * 2**31), shift


@misconception
def rounded_up(real_multiplier):
    """You rounded up. Take the nearest integer with `round(…)`."""
    fraction, shift = parts(real_multiplier)
    return renormalised(math.ceil(fraction * 2**31), shift)


@misconception
def not_renormalised(real_multiplier):
    """Your mantissa can be 2^31, where a number just below a power of two is rounded up. int32 ends at 2^31 − 1: write
    it as 2^30, and add 1 to the shift."""
    fraction, shift = parts(real_multiplier)
    return round(fraction * 2**31), shift


@misconception
def held_at_the_largest(real_multiplier):
    """You hold the mantissa at 2^31 − 1 where it rounds up to 2^31. The exact value is to be had: 2^30, with 1 added to
    the shift."""
    fraction, shift = parts(real_multiplier)
    return min(round(fraction * 2**31), 2**31 - 1), shift


@misconception
def renormalised_without_the_shift(real_multiplier):
    """You halve a mantissa of 2^31, but leave the shift as it is. What the pair stands for must stay the same: add 1
    to the shift."""
    fraction, shift = parts(real_multiplier)
    mantissa = round(fraction * 2**31)
    return (mantissa // 2 if mantissa == 2**31 else mantissa), shift


@misconception
def renormalised_the_wrong_way(real_multiplier):
    """You halve a mantissa of 2^31, and take 1 off the shift. What the pair stands for must stay the same: add 1."""
    fraction, shift = parts(real_multiplier)
    mantissa = round(fraction * 2**31)
    return (mantissa // 2, shift - 1) if mantissa == 2**31 else (mantissa, shift)


@misconception
def converted_before_renormalising(real_multiplier):
    """You made an int32 of a mantissa that had been rounded up to 2^31, and int32 ends at 2^31 − 1. Look at the
    mantissa before: 2^31 becomes 2^30, with 1 added to the shift."""
    fraction, shift = parts(real_multiplier)
    return np.int32(round(fraction * 2**31)), shift


@misconception
def powers_of_two_from_the_logarithm(real_multiplier):
    """A power of two, such as 0.5, gives you the mantissa 2^31, and so do numbers just below one. The fraction must be
    *below* 1: 0.5 is 0.5 · 2^0, not 1.0 · 2^−1. `math.frexp` splits a number so; a mantissa that rounds up to 2^31 is
    2^30 with 1 added to the shift."""
    if real_multiplier == 0:
        return 0, 0
    shift = math.ceil(math.log2(real_multiplier))
    return round(real_multiplier * 2.0 ** (31 - shift)), shift


@misconception
def fraction_from_one_to_two(real_multiplier):
    """Your mantissa is from 2^31 to 2^32, too large for int32. The fraction that it stands for is from 1/2 to 1, not
    from 1 to 2 as in a float: `math.frexp` splits a number so."""
    if real_multiplier == 0:
        return 0, 0
    fraction, shift = parts(real_multiplier)
    return round(2 * fraction * 2**31), shift - 1


@misconception
def thirty_bits(real_multiplier):
    """Your mantissa is from 2^29 to 2^30: one bit of it is unused. Multiply the fraction by 2^31, and take 1 off the
    shift."""
    fraction, shift = parts(real_multiplier)
    return round(fraction * 2**30), shift + 1 if fraction else 0


@misconception
def half_of_it(real_multiplier):
    """You multiplied the fraction by 2^30. The pair is read as mantissa · 2^(shift − 31), so multiply by 2^31."""
    fraction, shift = parts(real_multiplier)
    return round(fraction * 2**30), shift


@misconception
def scaled_by_the_largest_int32(real_multiplier):
    """You multiplied the fraction by 2^31 − 1. The pair is read as mantissa · 2^(shift − 31): multiply by 2^31, and see
    to a mantissa that rounds up to 2^31."""
    fraction, shift = parts(real_multiplier)
    return round(fraction * (2**31 - 1)), shift


@misconception
def no_shift(real_multiplier):
    """You did not normalize: a small number keeps few bits in the mantissa, and one of 1 or more does not fit. Bring it
    between 1/2 and 1 first, and take down the power of two as the shift."""
    return round(real_multiplier * 2**31), 0


@misconception
def never_halved(real_multiplier):
    """Numbers of 1 and more give you a mantissa that does not fit into int32. Halve them until they are below 1; the
    shift is positive then."""
    if real_multiplier < 1:
        return right(real_multiplier)
    return round(real_multiplier * 2**31), 0


@misconception
def shift_to_the_right(real_multiplier):
    """Your shift has the other sign. Here a positive one makes the number larger: real ≈ mantissa · 2^(shift − 31)."""
    mantissa, shift = right(real_multiplier)
    return mantissa, -shift


@misconception
def shift_with_the_31(real_multiplier):
    """Your shift has the 31 in it already. The pair is read as mantissa · 2^(shift − 31)."""
    mantissa, shift = right(real_multiplier)
    return mantissa, shift - 31 if mantissa else 0


@misconception
def whole_shift_to_the_right(real_multiplier):
    """You returned how far the product is shifted to the right, 31 − shift. The pair is read as mantissa · 2^(shift −
    31): return the shift alone."""
    mantissa, shift = right(real_multiplier)
    return mantissa, 31 - shift if mantissa else 0


@misconception
def shift_one_too_small(real_multiplier):
    """Your shift is one too small. The mantissa over 2^31 is from 1/2 to 1, not from 1 to 2."""
    mantissa, shift = right(real_multiplier)
    return mantissa, shift - 1 if mantissa else 0


@misconception
def through_float32(real_multiplier):
    """You went through float32, which has 24 bits. The mantissa has 31: compute in Python's floats."""
    fraction, shift = parts(np.float32(real_multiplier))
    return renormalised(round(fraction * 2**31), shift)


@misconception
def floats(real_multiplier):
    """You returned a float. Its value is whole, but integer-only inference has no floats, and one cannot be shifted:
    `int(…)`. (`np.round`, `np.floor` and `np.ceil` give floats, and so does `/`; Python's `round(x)`, `math.floor`,
    `math.ceil` and `//` of two ints give ints.)"""
    mantissa, shift = right(real_multiplier)
    return float(mantissa), shift


@misconception
def shift_first(real_multiplier):
    """You returned the shift before the mantissa. The mantissa comes first."""
    return right(real_multiplier)[::-1]


@misconception
def logarithm_of_zero(real_multiplier):
    """You took the logarithm of 0. A multiplier of 0 has no power of two: return (0, 0) before."""
    shift = math.floor(math.log2(real_multiplier)) + 1
    return renormalised(round(real_multiplier * 2.0 ** (31 - shift)), shift)


@misconception
def zero_as_an_array(real_multiplier):
    """You took NumPy's logarithm of 0, which is −inf. A multiplier of 0 has no power of two: return (0, 0) before."""
    shift = int(np.floor(np.log2(real_multiplier))) + 1
    return renormalised(round(real_multiplier * 2.0 ** (31 - shift)), shift)


@misconception
def in_a_list(real_multiplier):
    """You returned a list. The contract asks for a tuple: `return mantissa, shift`."""
    return list(right(real_multiplier))


@misconception
def wrapped_around(real_multiplier):
    """NumPy's int32 ends at 2^31 − 1: a mantissa that rounds up to 2^31 is cast to −2^31, without an error. Look at it
    before: 2^31 becomes 2^30, with 1 added to the shift."""
    fraction, shift = parts(real_multiplier)
    mantissa = round(fraction * 2**31)
    return (-(2**31) if mantissa == 2**31 else mantissa), shift


@misconception
def zero_as_a_small_number(real_multiplier):
    """You wrote 0 with a mantissa of 2^30, so that it stands for a small number. It is (0, 0)."""
    return right(real_multiplier) if real_multiplier else (2**30, -31)


@misconception
def zero_with_a_shift(real_multiplier):
    """You gave 0 a shift. It is (0, 0)."""
    return right(real_multiplier) if real_multiplier else (0, -31)


@misconception
def small_ones_made_zero(real_multiplier):
    """You made zeros of small multipliers. Down to 2^(−31) each has its mantissa, with a negative shift."""
    return right(real_multiplier) if real_multiplier >= 1e-9 else (0, 0)


@misconception
def shift_not_above_zero(real_multiplier):
    """You hold the shift at 0. A multiplier of 1 or more has a positive one."""
    mantissa, shift = right(real_multiplier)
    return mantissa, min(shift, 0)


@misconception
def sixteen_bits(real_multiplier):
    """Your mantissa is 16 bits and then zeros. All of its 31 bits count: round fraction · 2^31."""
    fraction, shift = parts(real_multiplier)
    return renormalised(round(fraction * 2**15) << 16, shift)


HINTS = (
    "Halve or double the number until it is at least 1/2 and below 1, and count. What are the bounds of the fraction "
    "times 2^31?",
    "`math.frexp(x)` does that at once: it returns a fraction, from 1/2 to 1, and an exponent, so that x is fraction · "
    "2^exponent (and for 0 it returns zeros). Round fraction · 2^31 to the nearest integer. One result is too large "
    "for an int32.",
    "`fraction, shift = math.frexp(real_multiplier)`, then `mantissa = round(fraction * 2**31)`. If that is 2**31, the "
    "mantissa is 2**30 and the shift is one more.",
)
