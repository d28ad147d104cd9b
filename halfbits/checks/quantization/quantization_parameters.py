"""quantization_parameters(minimum, maximum, bits, symmetric=False) -> (scale, zero_point): what fits a range."""

import math
from fractions import Fraction
from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import CLOSE, hold_each
from halfbits.checks.quantization.common import is_usable
from halfbits.grading.exercise import misconception


def use(answer, *arguments):
    """Call the answer; NumPy's numbers become Python's, and the sign of a zero does not count."""
    returned = answer(*arguments)
    if type(returned) is not tuple:
        return returned
    numbers = (item.item() if isinstance(item, np.generic) else item for item in returned)
    return tuple(number + 0.0 if isinstance(number, float) else number for number in numbers)


def exact(minimum, maximum, bits, symmetric=False):
    """The oracle: scale and quotient −minimum / scale in exact arithmetic; scale 0 for a range of one point."""
    low, high = min(Fraction(float(minimum)), 0), max(Fraction(float(maximum)), 0)
    if symmetric:
        return max(-low, high) / (2 ** (bits - 1) - 1), Fraction(0)
    scale = (high - low) / (2**bits - 1)
    return scale, -low / scale if scale else Fraction(0)


def expected(call):
    """What the contract asks for, as near to the returned value as it allows."""
    bits, symmetric = call.arguments[2], call.arguments[3:] == (True,)
    scale, quotient = exact(*call.arguments)
    returned = call.returned if type(call.returned) is tuple and len(call.returned) == 2 else (1.0, 0)
    if not scale:
        anything = returned[0] if is_number(returned[0]) and is_usable(returned[0]) else 1.0
        right_zero_points = range(1 if symmetric else 2**bits)
        return anything, zero_point_of(returned) if zero_point_of(returned) in right_zero_points else 0
    open_at = Fraction(1, 2) + (0 if symmetric else Fraction(CLOSE) * 2**bits)
    right_zero_points = range(math.ceil(quotient - open_at), math.floor(quotient + open_at) + 1)
    chosen = zero_point_of(returned) if zero_point_of(returned) in right_zero_points else round(quotient)
    return float(scale), chosen


def zero_point_of(returned):
    """The zero-point as a Python int, or None where it is no integer."""
    return int(returned[1]) if is_number(returned[1]) and np.asarray(returned[1]).dtype.kind in "iu" else None


def is_number(value):
    try:
        return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"
    except (TypeError, ValueError):  # such as a ragged list
        return False


def hold(answer, *groups):
    hold_each(answer, chain(*groups), hold_one)


def hold_one(call):
    call.equals(expected(call), rtol=CLOSE, because=what_differs)
    if zero_point_of(call.returned) is None:
        call.fail("the zero-point is a float, not an integer")


def what_differs(call):
    """Which of the two is wrong."""
    if type(call.returned) is not tuple or len(call.returned) != 2 or not all(map(is_number, call.returned)):
        return ""
    scale, quotient = exact(*call.arguments)
    if not scale:
        with np.errstate(over="ignore"):
            good = 0 < np.float32(call.returned[0]) < np.inf
        needs = "its zero-point must be 0" if good else "the scale must be finite and more than 0, as a float32 too"
        return f"a range of one point: {needs}"
    if abs(float(call.returned[0]) - float(scale)) > CLOSE * float(scale):
        return "the scale is wrong"
    if call.arguments[3:] == (True,):
        return "symmetric: the zero-point must be 0"
    return f"the zero-point is wrong; −minimum / scale is {float(quotient):.6g}"


def test_ranges_with_zero_inside(answer):
    """Asymmetric: ranges that hold 0"""
    hold(answer, [(-1.0, 2.0, 8), (-3.0, 1.0, 8), (-0.1, 0.9, 8), (-20.0, 3.0, 8), (-1.0, 10.0, 8)])


def test_other_bits(answer):
    """From 2 to 16 bits"""
    hold(
        answer,
        [(-1.0, 2.0, bits) for bits in (2, 3, 4, 7, 12, 16)],
        [(-5.0, 2.0, bits, True) for bits in (2, 3, 4, 7, 12, 16)],
    )


def test_symmetric(answer):
    """Symmetric: the larger end decides, and the zero-point is 0"""
    hold(answer, [(low, high, 8, True) for low, high in ((-1.0, 2.0), (-3.0, 1.0), (-2.0, 2.0), (-0.1, 7.3))])


def test_range_above_zero(answer):
    """A range above 0 is widened down to 0"""
    hold(answer, [(2.0, 6.0, 8), (0.5, 1.0, 4), (0.0, 3.0, 8), (100.0, 101.0, 8), (2.0, 6.0, 8, True)])


def test_range_below_zero(answer):
    """A range below 0 is widened up to 0"""
    hold(answer, [(-6.0, -2.0, 8), (-1.0, -0.5, 4), (-3.0, 0.0, 8), (-101.0, -100.0, 8), (-6.0, -2.0, 8, True)])


def test_one_point_away_from_zero(answer):
    """One point that is not 0 is widened like any other range"""
    hold(answer, [(3.0, 3.0, 8), (-3.0, -3.0, 8), (0.25, 0.25, 2), (3.0, 3.0, 8, True), (-3.0, -3.0, 4, True)])


def test_only_zero(answer):
    """The range from 0 to 0 gives a usable scale"""
    hold(answer, [(0.0, 0.0, 8), (0.0, 0.0, 8, True), (0.0, 0.0, 2), (-0.0, 0.0, 4, True)])


def test_ties(answer):
    """−minimum / scale half-way between two integers: either will do"""
    hold(answer, [(-1.0, 1.0, 8), (-1.0, 1.0, 2), (-1.0, 5.0, 2), (-0.7, 0.7, 8)])


def test_narrow_and_wide_ranges(answer):
    """Very narrow and very wide ranges"""
    hold(
        answer,
        [(-size, 2 * size, 8) for size in (1e-6, 1e-10, 1e-20, 1e6, 1e20)],
        [(-size, size, 8, True) for size in (1e-6, 1e-10, 1e-20, 1e6, 1e20)],
    )


def test_numpy_numbers(answer):
    """NumPy's float32 and float64, as `x.min()` gives them"""
    kinds = (np.float32, np.float64)
    hold(
        answer,
        [(kind(-0.3), kind(1.1), 8) for kind in kinds] + [(kind(0.2), kind(1.1), 4) for kind in kinds],
        [(kind(-0.3), kind(1.1), 8, True) for kind in kinds] + [(kind(0), kind(0), 8) for kind in kinds],
    )


@given(
    st.integers(-1000, 1000), st.integers(0, 1000), st.sampled_from([0.001, 0.03125, 1.7]),
    st.sampled_from([8, 4, 3, 16, 2]), st.booleans(),
)  # fmt: skip
def test_random_ranges(answer, start, length, unit, bits, symmetric):
    """Random ranges"""
    hold(answer, [(start * unit, (start + length) * unit, bits, symmetric)])


def right(minimum, maximum, bits, symmetric, levels=None, positive_levels=None, rounding=round):
    """The right answer, for the misconceptions to be wrong in one place only."""
    minimum, maximum = min(float(minimum), 0.0), max(float(maximum), 0.0)
    if symmetric:
        scale = max(-minimum, maximum) / (positive_levels or 2 ** (bits - 1) - 1) or 1.0
        return scale, 0
    scale = (maximum - minimum) / (levels or 2**bits - 1) or 1.0
    return scale, rounding(-minimum / scale)


@misconception
def zero_point_as_a_float(minimum, maximum, bits, symmetric=False):
    """Your zero-point is a float, though a whole one: `np.round` gives floats. Make it an `int`."""
    return right(minimum, maximum, bits, symmetric, rounding=np.round)


@misconception
def not_widened(minimum, maximum, bits, symmetric=False):
    """You took the range as it is. Widen it to hold 0 first, `min(minimum, 0.0)` and `max(maximum, 0.0)`: otherwise 0
    lies beyond the ends and cannot be stored, and a range of one point has no width to divide."""
    if symmetric:
        return max(abs(minimum), abs(maximum)) / (2 ** (bits - 1) - 1), 0
    scale = (maximum - minimum) / (2**bits - 1)
    return scale, round(-minimum / scale)


@misconception
def not_widened_and_one_point_apart(minimum, maximum, bits, symmetric=False):
    """You took the range as it is, and treated a range without width apart. Widen it to hold 0 first,
    `min(minimum, 0.0)` and `max(maximum, 0.0)`: otherwise 0 lies beyond the ends and cannot be stored."""
    if symmetric:
        return right(minimum, maximum, bits, True)
    scale = (maximum - minimum) / (2**bits - 1) or 1.0
    return scale, round(-minimum / scale)


@misconception
def widened_below_only(minimum, maximum, bits, symmetric=False):
    """You widened the range at its minimum only. A range below 0 has to be widened up to 0: `max(maximum, 0.0)`."""
    if symmetric or minimum >= 0:
        return right(minimum, maximum, bits, symmetric)
    scale = (maximum - minimum) / (2**bits - 1) or 1.0
    return scale, round(-minimum / scale)


@misconception
def widened_above_only(minimum, maximum, bits, symmetric=False):
    """You widened the range at its maximum only. A range above 0 has to be widened down to 0: `min(minimum, 0.0)`."""
    if symmetric or maximum <= 0:
        return right(minimum, maximum, bits, symmetric)
    scale = (maximum - minimum) / (2**bits - 1) or 1.0
    return scale, round(-minimum / scale)


@misconception
def zero_point_clipped_instead(minimum, maximum, bits, symmetric=False):
    """You did not widen the range, and clipped the zero-point instead. Then the zero-point does not fit the scale, and
    part of the range is lost: widen the range to hold 0 first."""
    if symmetric:
        return right(minimum, maximum, bits, True)
    scale = (maximum - minimum) / (2**bits - 1) or 1.0
    return scale, min(max(round(-minimum / scale), 0), 2**bits - 1)


@misconception
def widened_for_the_scale_only(minimum, maximum, bits, symmetric=False):
    """You widened the range for the scale and computed the zero-point from the old minimum. Of a range above 0 the
    widened minimum is 0, and so is the zero-point."""
    scale, _ = right(minimum, maximum, bits, symmetric)
    return scale, 0 if symmetric else round(-float(minimum) / scale)


@misconception
def one_point_before_widening(minimum, maximum, bits, symmetric=False):
    """You looked for a range of one point before you widened it. The range from 3 to 3 becomes 0 to 3, which has a
    scale like any other: widen first."""
    if minimum == maximum:
        return 1.0, 0
    return right(minimum, maximum, bits, symmetric)


@misconception
def one_level_too_many(minimum, maximum, bits, symmetric=False):
    """You divided by the number of integers. Between 2^bits integers there are 2^bits − 1 steps."""
    return right(minimum, maximum, bits, symmetric, levels=2**bits)


@misconception
def symmetric_one_level_too_many(minimum, maximum, bits, symmetric=False):
    """In the symmetric case you divided by 2^(bits−1). The largest integer is one less, 127 for 8 bits, and the range
    has to end there."""
    return right(minimum, maximum, bits, symmetric, positive_levels=2 ** (bits - 1))


@misconception
def one_level_too_many_in_both(minimum, maximum, bits, symmetric=False):
    """You divided by 2^bits and by 2^(bits−1), one too many each: the largest integers are 2^bits − 1 and
    2^(bits−1) − 1."""
    return right(minimum, maximum, bits, symmetric, 2**bits, 2 ** (bits - 1))


@misconception
def symmetric_with_the_lowest_integer(minimum, maximum, bits, symmetric=False):
    """In the symmetric case you used −2^(bits−1), −128 for 8 bits, as well. The range is symmetric here: it ends at
    −(2^(bits−1) − 1), so both sides have the same number of steps."""
    if symmetric:
        low, high = min(float(minimum), 0.0), max(float(maximum), 0.0)
        return max(-low / 2 ** (bits - 1), high / (2 ** (bits - 1) - 1)) or 1.0, 0
    return right(minimum, maximum, bits, False)


@misconception
def symmetric_over_all_bits(minimum, maximum, bits, symmetric=False):
    """In the symmetric case you divided one side of the range by 2^bits − 1 steps. They are for both sides together:
    each side has 2^(bits−1) − 1."""
    return right(minimum, maximum, bits, symmetric, positive_levels=2**bits - 1)


@misconception
def symmetric_from_both_sides(minimum, maximum, bits, symmetric=False):
    """In the symmetric case you divided the whole width, 2 · max(|minimum|, |maximum|), by 2^bits − 1. From
    −(2^(bits−1) − 1) to 2^(bits−1) − 1 there are 2^bits − 2 steps, so that 0 is in the middle."""
    return right(minimum, maximum, bits, symmetric, positive_levels=(2**bits - 1) / 2)


@misconception
def symmetric_from_the_width(minimum, maximum, bits, symmetric=False):
    """In the symmetric case you divided maximum − minimum. Zero-point 0 puts 0 in the middle, so the larger of
    |minimum| and |maximum| decides for both sides."""
    if symmetric:
        return (max(maximum, 0.0) - min(minimum, 0.0)) / (2**bits - 2) or 1.0, 0
    return right(minimum, maximum, bits, False)


@misconception
def symmetric_keeps_the_asymmetric_scale(minimum, maximum, bits, symmetric=False):
    """In the symmetric case you kept the asymmetric scale and only set the zero-point to 0. Then the larger side does
    not fit: divide max(|minimum|, |maximum|) by 2^(bits−1) − 1."""
    scale, zero_point = right(minimum, maximum, bits, False)
    return scale, 0 if symmetric else zero_point


@misconception
def symmetric_from_the_maximum(minimum, maximum, bits, symmetric=False):
    """In the symmetric case you looked at the maximum only. Where the minimum is farther from 0 it decides: take the
    larger of |minimum| and |maximum|."""
    if symmetric:
        return max(float(maximum), 0.0) / (2 ** (bits - 1) - 1) or 1.0, 0
    return right(minimum, maximum, bits, False)


@misconception
def symmetric_zero_point_in_the_middle(minimum, maximum, bits, symmetric=False):
    """In the symmetric case your zero-point is 2^(bits−1), the middle of the unsigned range. The integers are signed
    there, and 0 stands for 0."""
    scale, zero_point = right(minimum, maximum, bits, symmetric)
    return scale, 2 ** (bits - 1) if symmetric else zero_point


@misconception
def symmetric_ignored(minimum, maximum, bits, symmetric=False):
    """You did not look at `symmetric`. With it the integers are signed, the zero-point is 0, and the larger of
    |minimum| and |maximum| decides."""
    return right(minimum, maximum, bits, False)


@misconception
def symmetric_by_default(minimum, maximum, bits, symmetric=True):
    """You made `symmetric` True by default. It is False where the caller does not say."""
    return right(minimum, maximum, bits, symmetric)


@misconception
def signed_zero_point(minimum, maximum, bits, symmetric=False):
    """Your zero-point is for signed integers. In the asymmetric case they begin at 0 here: do not subtract
    2^(bits−1)."""
    scale, zero_point = right(minimum, maximum, bits, symmetric)
    return scale, 0 if symmetric else zero_point - 2 ** (bits - 1)


@misconception
def zero_point_truncated(minimum, maximum, bits, symmetric=False):
    """You cut the digits of −minimum / scale off. `int` and `//` do not round: take the nearest integer, with
    `round`."""
    return right(minimum, maximum, bits, symmetric, rounding=int)


@misconception
def zero_point_rounded_up(minimum, maximum, bits, symmetric=False):
    """You rounded −minimum / scale up. Take the nearest integer, with `round`."""
    return right(minimum, maximum, bits, symmetric, rounding=math.ceil)


@misconception
def zero_point_not_rounded(minimum, maximum, bits, symmetric=False):
    """You did not round the zero-point. It is an integer like every other stored value: otherwise no integer stands for
    0 exactly."""
    return right(minimum, maximum, bits, symmetric, rounding=float)


@misconception
def zero_point_of_the_wrong_sign(minimum, maximum, bits, symmetric=False):
    """You left out the minus. The minimum is stored as 0, so 0 lies −minimum / scale steps above it, which is
    positive."""
    scale, zero_point = right(minimum, maximum, bits, symmetric)
    return scale, -zero_point


@misconception
def zero_point_from_the_maximum(minimum, maximum, bits, symmetric=False):
    """You counted the steps from 0 to the maximum. The zero-point is how many steps 0 lies above the *minimum*:
    −minimum / scale."""
    scale, _ = right(minimum, maximum, bits, symmetric)
    return scale, 0 if symmetric else round(max(float(maximum), 0.0) / scale)


@misconception
def zero_point_in_the_middle(minimum, maximum, bits, symmetric=False):
    """Your zero-point is always the middle of 0…2^bits − 1. In the asymmetric case it depends on the range: 0 lies
    −minimum / scale steps above the minimum."""
    scale, _ = right(minimum, maximum, bits, symmetric)
    return scale, 0 if symmetric else 2 ** (bits - 1)


@misconception
def zero_point_always_zero(minimum, maximum, bits, symmetric=False):
    """Your zero-point is always 0. In the asymmetric case it is the integer that stands for 0: −minimum / scale,
    rounded."""
    scale, _ = right(minimum, maximum, bits, symmetric)
    return scale, 0


@misconception
def scale_upside_down(minimum, maximum, bits, symmetric=False):
    """Your scale is upside down: it is the size of one step, (maximum − minimum) / steps."""
    scale, zero_point = right(minimum, maximum, bits, symmetric)
    return 1.0 / scale, zero_point


@misconception
def swapped(minimum, maximum, bits, symmetric=False):
    """You returned the two in the wrong order: first the scale, then the zero-point."""
    return right(minimum, maximum, bits, symmetric)[::-1]


@misconception
def scale_of_zero(minimum, maximum, bits, symmetric=False):
    """The range from 0 to 0 gave you the scale 0, and whoever quantizes with it divides by 0. Any positive scale will
    do there, 1.0 for instance."""
    if minimum == maximum == 0:
        return 0.0, 0
    return right(minimum, maximum, bits, symmetric)


@misconception
def divided_by_zero(minimum, maximum, bits, symmetric=False):
    """You divided by a scale of 0. The range from 0 to 0 has no width, also after the widening; any positive scale will
    do there, 1.0 for instance."""
    minimum, maximum = min(minimum, 0.0), max(maximum, 0.0)
    if symmetric:
        return max(-minimum, maximum) / (2 ** (bits - 1) - 1), 0
    scale = (maximum - minimum) / (2**bits - 1)
    return scale, round(-minimum / scale)


@misconception
def smallest_scale(minimum, maximum, bits, symmetric=False):
    """You keep the scale from falling below a fixed small number. A narrow range has a small scale, and with yours all
    of it is rounded to a few values: only the range from 0 to 0 needs a scale of its own."""
    floor = float(np.finfo(np.float32).eps)
    scale, _ = right(minimum, maximum, bits, symmetric)
    scale = floor if minimum == maximum == 0 else max(scale, floor)
    return scale, 0 if symmetric else round(-min(float(minimum), 0.0) / scale)


@misconception
def something_added_to_the_width(minimum, maximum, bits, symmetric=False):
    """You added a small number to avoid a scale of 0. Next to a narrow range it is not small: treat the range from 0 to
    0 apart."""
    added = 1e-8
    scale, _ = right(minimum, maximum, bits, symmetric)
    levels = 2 ** (bits - 1) - 1 if symmetric else 2**bits - 1
    scale = (0.0 if minimum == maximum == 0 else scale) + added / levels
    return scale, 0 if symmetric else round(-min(float(minimum), 0.0) / scale)


@misconception
def eight_bits_wired_in(minimum, maximum, bits, symmetric=False):
    """You wrote 255 and 127 whatever `bits` says. They are 2^bits − 1 and 2^(bits−1) − 1."""
    return right(minimum, maximum, 8, symmetric)


@misconception
def power_by_exclusive_or(minimum, maximum, bits, symmetric=False):
    """You wrote a power with `^`, which is exclusive or in Python. A power is written `**`: `2**bits - 1`."""
    steps = 2 ^ (bits - 1) - 1 if symmetric else 2 ^ bits - 1
    return right(minimum, maximum, bits, symmetric, levels=steps, positive_levels=steps)


@misconception
def zero_point_by_floor_division(minimum, maximum, bits, symmetric=False):
    """You rounded −minimum / scale down, with `//`. Take the nearest integer, with `round`."""
    minimum, scale = min(float(minimum), 0.0), right(minimum, maximum, bits, symmetric)[0]
    return scale, 0 if symmetric else int(-minimum // scale)


@misconception
def signed_zero_point_but_for_one_point(minimum, maximum, bits, symmetric=False):
    """But for a range of one point, your zero-point is for signed integers. In the asymmetric case they begin at 0
    here: do not subtract 2^(bits−1)."""
    return (1.0, 0) if minimum == maximum == 0 else signed_zero_point(minimum, maximum, bits, symmetric)


@misconception
def symmetric_zero_point_in_the_middle_but_for_one_point(minimum, maximum, bits, symmetric=False):
    """Your zero-point is 2^(bits−1) in the symmetric case, but for a range of one point. The integers are signed there,
    and 0 stands for 0."""
    if minimum == maximum == 0:
        return 1.0, 0
    return symmetric_zero_point_in_the_middle(minimum, maximum, bits, symmetric)


@misconception
def smallest_scale_of_1e_8(minimum, maximum, bits, symmetric=False):
    """You keep the scale from falling below a fixed small number, 1e-8. A narrow range has a smaller scale, and with
    yours all of it is rounded to a few values: only the range from 0 to 0 needs a scale of its own."""
    scale = 1e-8 if minimum == maximum == 0 else max(right(minimum, maximum, bits, symmetric)[0], 1e-8)
    return scale, 0 if symmetric else round(-min(float(minimum), 0.0) / scale)


@misconception
def narrow_range_taken_for_one_point(minimum, maximum, bits, symmetric=False):
    """You take a narrow range for one point: `np.isclose` and `< 1e-8` do not know how small your numbers may be. Only
    where both ends are exactly 0 is there nothing to divide: `==`."""
    if max(float(maximum), 0.0) - min(float(minimum), 0.0) < 1e-8:
        return 1.0, 0
    return right(minimum, maximum, bits, symmetric)


@misconception
def scale_of_zero_in_float32(minimum, maximum, bits, symmetric=False):
    """The range from 0 to 0 gave you a scale so small that float32 makes 0 of it. Take one that float32 has, 1.0 for
    instance."""
    if minimum == maximum == 0:
        return float(np.finfo(np.float64).tiny), 0
    return right(minimum, maximum, bits, symmetric)


@misconception
def scale_in_half_precision(minimum, maximum, bits, symmetric=False):
    """Your scale went through float16, which has 11 bits for the digits. Compute in Python's floats or in float32."""
    scale, zero_point = right(minimum, maximum, bits, symmetric)
    return float(np.float16(scale)), zero_point


@misconception
def zero_point_in_8_bits(minimum, maximum, bits, symmetric=False):
    """You made an 8-bit integer of the zero-point. With more than 8 bits it can be above 255, and wraps around: use
    `int`."""
    scale, zero_point = right(minimum, maximum, bits, symmetric)
    return scale, zero_point % 256


@misconception
def scale_to_some_decimals(minimum, maximum, bits, symmetric=False):
    """You rounded the scale to six decimals. It is a real number like any other: only the zero-point is rounded."""
    scale, zero_point = right(minimum, maximum, bits, symmetric)
    return round(scale, 6), zero_point


@misconception
def in_a_list(minimum, maximum, bits, symmetric=False):
    """You returned a list. The contract asks for a tuple: `return scale, zero_point`."""
    return list(right(minimum, maximum, bits, symmetric))


@misconception
def scale_alone(minimum, maximum, bits, symmetric=False):
    """You returned the scale alone. The contract asks for both: `return scale, zero_point`."""
    return right(minimum, maximum, bits, symmetric)[0]


HINTS = (
    "Widen the range before anything else: what is the smallest range that holds both the old one and 0? Then count: "
    "how many steps lie between the lowest and the highest integer?",
    "Asymmetric: scale = (maximum − minimum) / (2^bits − 1), and 0 lies −minimum / scale steps above the minimum: "
    "round that. Symmetric: scale = max(|minimum|, |maximum|) / (2^(bits−1) − 1). After the widening only the range "
    "from 0 to 0 has no width.",
    "`low, high = min(float(minimum), 0.0), max(float(maximum), 0.0)`; "
    "`scale = (high - low) / (2**bits - 1) if high > low else 1.0`; `zero_point = round(-low / scale)`. The symmetric "
    "case has `max(-low, high)` and `2**(bits - 1) - 1` in their places, and the zero-point 0.",
)
