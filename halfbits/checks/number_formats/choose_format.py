"""choose_format(smallest, largest, relative_error) -> str: the first of the three formats that is good enough."""

import itertools
import math

import ml_dtypes
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.grading.exercise import misconception
from halfbits.grading.values import in_powers_of_two

FORMATS = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32}

SHOW = {0: in_powers_of_two, 1: in_powers_of_two, 2: in_powers_of_two}

HALF_MIN, HALF_MAX, HALF_ERROR = 2.0**-14, 65504.0, 2.0**-11
WIDE_MIN, BRAIN_MAX, SINGLE_MAX = 2.0**-126, 2.0**128 - 2.0**120, 2.0**128 - 2.0**104
BRAIN_ERROR, SINGLE_ERROR = 2.0**-8, 2.0**-24
LOOSE = 0.25


def above(number):
    return math.nextafter(number, math.inf)


def below(number):
    return math.nextafter(number, 0.0)


def shortcomings(dtype, smallest, largest, relative_error):
    """Why a format will not do, by what `finfo` and the neighbour of 1 say of the type."""
    info = ml_dtypes.finfo(dtype)
    low, high = float(info.smallest_normal), float(info.max)
    roundoff = (float(np.nextafter(dtype(1), dtype(2))) - 1) / 2
    if low > smallest:
        yield f"its smallest normal number is {in_powers_of_two(low)}"
    if high < largest:
        yield f"its largest number is {in_powers_of_two(high)}"
    if roundoff > relative_error:
        yield f"its unit roundoff is {in_powers_of_two(roundoff)}"


def expected(*case):
    """The first format without a shortcoming."""
    return next((name for name, dtype in FORMATS.items() if not any(shortcomings(dtype, *case))), ValueError)


def reasons(call):
    """What becomes of each format, up to the first that will do."""
    verdicts = []
    for name, dtype in FORMATS.items():
        against = " and ".join(shortcomings(dtype, *call.arguments))
        verdicts.append(f"not {name}: {against}" if against else f"{name} will do")
        if not against:
            break
    return "; ".join(verdicts)


def hold(answer, cases):
    answer.each(cases, expected, because=reasons)


def test_first_that_will_do(answer):
    """The first that will do, though a later one is wider or more exact"""
    hold(answer, [(1.0, 2.0, 0.25), (1.0, 1000.0, 0.001), (1.0, 1e6, 0.25), (1e-6, 1.0, 0.01), (1.0, 2.0, 1e-6)])


def test_largest_of_float16(answer):
    """The largest number of float16 is 65504: it still fits, the next does not"""
    ends = (HALF_MAX, 65519.0, 65536.0, 1e6, 1e30, above(HALF_MAX))
    hold(answer, itertools.product((1.0, 0.5, HALF_MIN, 1e-6), ends, [LOOSE]))


def test_smallest_of_float16(answer):
    """The smallest normal number of float16 is 2**-14: it still fits, subnormals do not"""
    ends = (HALF_MIN, 2.0**-15, 2.0**-24, 2.0**-25, 1e-20, below(HALF_MIN))
    hold(answer, [(smallest, largest, LOOSE) for largest in (1.0, 2.0, HALF_MAX, 1e6) for smallest in ends])


def around(error):
    return error, 2 * error, error / 2, 1.5 * error, 0.75 * error, above(error), below(error)


def test_error_of_float16(answer):
    """An error of 2**-11 is just enough for float16"""
    hold(answer, itertools.product([1.0], (2.0, 100.0, 1000.0), around(HALF_ERROR)))


def test_error_of_bfloat16(answer):
    """An error of 2**-8 is just enough for bfloat16, which is less exact than float16"""
    hold(answer, itertools.product((1.0, 1e-6), (1e6, 1e9), (*around(BRAIN_ERROR), 2.0**-11)))


def test_error_of_float32(answer):
    """An error of 2**-24 is just enough for float32"""
    hold(answer, itertools.product([1.0], (2.0, 1000.0, 1e6), around(SINGLE_ERROR)))


def test_largest_of_bfloat16_and_float32(answer):
    """bfloat16 ends a little before float32"""
    ends = (BRAIN_MAX, 3.4e38, SINGLE_MAX, 2.0**128, 1e39, above(BRAIN_MAX), above(SINGLE_MAX))
    hold(answer, itertools.product((1.0, 2.0, WIDE_MIN), ends, [LOOSE]))


def test_smallest_of_bfloat16_and_float32(answer):
    """bfloat16 and float32 have the same smallest normal number, 2**-126"""
    ends = (WIDE_MIN, 1e-40, 2.0**-127, 2.0**-149, 2.0**-150, above(WIDE_MIN), below(WIDE_MIN))
    hold(answer, [(smallest, 1.0, error) for error in (LOOSE, 1e-6) for smallest in ends])


def test_range_and_error_together(answer):
    """Both ends of the range must fit, and the error as well"""
    hold(
        answer, itertools.product((1.0, HALF_MIN, 1e-6, 1e-40), (1.0, HALF_MAX, 1e6, 1e39), (LOOSE, 0.001, 1e-5, 1e-9))
    )


@given(st.integers(-130, 127), st.integers(0, 150), st.sampled_from([1.0, 1.5]), st.integers(1, 26), st.booleans())
def test_any_request(answer, exponent, binades, significand, error_bits, just_below):
    """Random ranges and errors"""
    smallest, error = 2.0**exponent, 2.0**-error_bits
    hold(answer, [(smallest, smallest * significand * 2.0**binades, below(error) if just_below else error)])


# Smallest normal number, largest number, unit roundoff.
LIMITS = {
    "float16": (HALF_MIN, HALF_MAX, HALF_ERROR),
    "bfloat16": (WIDE_MIN, BRAIN_MAX, BRAIN_ERROR),
    "float32": (WIDE_MIN, SINGLE_MAX, SINGLE_ERROR),
}


def first(will_do, limits=LIMITS):
    """The first format whose limits will do, for the misconceptions to be wrong in one place only."""
    for name, (low, high, roundoff) in limits.items():
        if will_do(low, high, roundoff):
            return name
    raise ValueError("none of the three will do")


def right(smallest, largest, relative_error, limits=LIMITS):
    return first(lambda low, high, roundoff: low <= smallest and largest <= high and roundoff <= relative_error, limits)


@misconception
def epsilon_for_roundoff(smallest, largest, relative_error):
    """You compared epsilon with the error. Rounding to nearest moves a number by at most *half* a gap, so that the unit
    roundoff is epsilon / 2."""
    return first(lambda low, high, roundoff: low <= smallest and largest <= high and 2 * roundoff <= relative_error)


@misconception
def roundoff_halved_twice(smallest, largest, relative_error):
    """Your unit roundoff is half of what it is. With M mantissa bits epsilon is 2^−M and the unit roundoff 2^−(M+1):
    halve once."""
    return first(lambda low, high, roundoff: low <= smallest and largest <= high and roundoff / 2 <= relative_error)


@misconception
def decimal_resolution(smallest, largest, relative_error):
    """You used a power of ten for the error (`finfo.resolution`, or 10^−digits). The unit roundoff is a power of two,
    half of epsilon: 2^−11 for float16."""
    resolution = {name: float(ml_dtypes.finfo(dtype).resolution) for name, dtype in FORMATS.items()}
    return right(smallest, largest, relative_error, {name: (*LIMITS[name][:2], resolution[name]) for name in LIMITS})


@misconception
def error_of_the_largest_number(smallest, largest, relative_error):
    """You multiplied the unit roundoff by `largest`, which gives an absolute error. The error asked for is relative:
    compare the unit roundoff itself with it."""
    return first(
        lambda low, high, roundoff: low <= smallest and largest <= high and roundoff * largest <= relative_error
    )


@misconception
def error_ignored(smallest, largest, relative_error):
    """You looked at the range alone. A format must be exact enough as well: half its epsilon at most
    `relative_error`."""
    return first(lambda low, high, roundoff: low <= smallest and largest <= high)


@misconception
def range_ignored(smallest, largest, relative_error):
    """You looked at the error alone. The magnitudes must fit as well, from the smallest normal number to the largest
    number of the format."""
    return first(lambda low, high, roundoff: roundoff <= relative_error)


@misconception
def smallest_ignored(smallest, largest, relative_error):
    """You never turned a format down for its smallest number. `finfo.min` is the most negative one; the smallest normal
    number is `finfo.smallest_normal`."""
    return first(lambda low, high, roundoff: largest <= high and roundoff <= relative_error)


@misconception
def largest_ignored(smallest, largest, relative_error):
    """You never turned a format down for its largest number. float16 ends at 65504."""
    return first(lambda low, high, roundoff: low <= smallest and roundoff <= relative_error)


@misconception
def one_end_is_enough(smallest, largest, relative_error):
    """You let a format pass if one end of the range fits. Both ends must: `and`, not `or`."""
    return first(lambda low, high, roundoff: (low <= smallest or largest <= high) and roundoff <= relative_error)


@misconception
def subnormals_count(smallest, largest, relative_error):
    """You let the smallest number be a subnormal. Subnormals have fewer digits, so that the unit roundoff does not hold
    for them; the bound is the smallest *normal* number, 2^−14 for float16."""
    return first(
        lambda low, high, roundoff: low * 2 * roundoff <= smallest and largest <= high and roundoff <= relative_error
    )


@misconception
def largest_is_a_power_of_two(smallest, largest, relative_error):
    """Your largest number is a power of two, 65536 for float16. That is the first one too large: the largest is a gap
    below it, (2 − epsilon) · 2^bias, 65504 for float16."""
    return first(
        lambda low, high, roundoff: (
            low <= smallest and largest <= 2.0 ** math.frexp(high)[1] and roundoff <= relative_error
        )
    )


@misconception
def bfloat16_as_wide_as_float32(smallest, largest, relative_error):
    """You gave bfloat16 the largest number of float32. The exponents are the same, but the largest number has all its
    mantissa bits set, and bfloat16 has fewer: 3.3895e38 against 3.4028e38."""
    return right(smallest, largest, relative_error, LIMITS | {"bfloat16": (WIDE_MIN, SINGLE_MAX, BRAIN_ERROR)})


@misconception
def float16_as_wide_as_bfloat16(smallest, largest, relative_error):
    """You gave float16 the range of bfloat16. Both have 16 bits, but float16 spends only 5 of them on the exponent:
    from 2^−14 to 65504."""
    return right(smallest, largest, relative_error, LIMITS | {"float16": (WIDE_MIN, BRAIN_MAX, HALF_ERROR)})


@misconception
def bfloat16_as_exact_as_float16(smallest, largest, relative_error):
    """You gave bfloat16 the precision of float16, or more. It pays for its range with mantissa bits, 7 against 10: its
    unit roundoff is 2^−8, and float16's is 2^−11."""
    return right(smallest, largest, relative_error, LIMITS | {"bfloat16": (WIDE_MIN, BRAIN_MAX, HALF_ERROR)})


@misconception
def ends_left_out(smallest, largest, relative_error):
    """You left the ends out of the range. The largest number and the smallest normal one belong to the format: `<=`,
    not `<`."""
    return first(lambda low, high, roundoff: low < smallest and largest < high and roundoff <= relative_error)


@misconception
def equal_error_left_out(smallest, largest, relative_error):
    """You turned a format down whose unit roundoff equals the error. "At most" lets it pass: `<=`, not `<`."""
    return first(lambda low, high, roundoff: low <= smallest and largest <= high and roundoff < relative_error)


@misconception
def every_boundary_left_out(smallest, largest, relative_error):
    """You left out every boundary. The ends of the range belong to the format, and "at most" includes equal: `<=`
    throughout, not `<`."""
    return first(lambda low, high, roundoff: low < smallest and largest < high and roundoff < relative_error)


@misconception
def limits_in_a_few_digits(smallest, largest, relative_error):
    """You typed limits that are rounded to a few digits, so that a number near the end of a range comes down on the
    wrong side. Work them out from the field widths: float16's smallest normal number, for one, is exactly 2^−14."""
    limits = {"float16": (6.1e-5, 65504), "bfloat16": (1.18e-38, 3.39e38), "float32": (1.18e-38, 3.4e38)}
    return right(smallest, largest, relative_error, {name: (*limits[name], LIMITS[name][2]) for name in LIMITS})


@misconception
def compared_in_the_format(smallest, largest, relative_error):
    """You compared with the numbers of `finfo` as they are. They have the format's own type, and NumPy rounds your
    float before it compares: to float16, 65519.0 is 65504 and seems to fit. Wrap them in `float()` first."""
    for name, dtype in FORMATS.items():
        info = ml_dtypes.finfo(dtype)
        if info.smallest_normal <= smallest and largest <= info.max and info.eps / 2 <= relative_error:
            return name
    raise ValueError("none of the three will do")


@misconception
def bfloat16_first(smallest, largest, relative_error):
    """You tried bfloat16 before float16. Where both will do the answer is float16, the more exact of the two."""
    return right(smallest, largest, relative_error, {name: LIMITS[name] for name in ("bfloat16", "float16", "float32")})


@misconception
def most_exact_first(smallest, largest, relative_error):
    """You began with float32, or kept the last format that will do. float32 costs twice the memory; asked for is the
    first of float16, bfloat16 and float32."""
    return right(smallest, largest, relative_error, dict(reversed(LIMITS.items())))


@misconception
def gives_up_at_the_first(smallest, largest, relative_error):
    """You never get past the first format that will not do: ValueError comes too early. `raise` belongs after the loop,
    not in it."""
    return right(smallest, largest, relative_error, {"float16": LIMITS["float16"]})


@misconception
def numpy_finfo_of_bfloat16(smallest, largest, relative_error):
    """`np.finfo` does not know bfloat16, and the ValueError is its own: use `format_limits`, or `ml_dtypes.finfo`."""
    try:
        return right(smallest, largest, relative_error, {"float16": LIMITS["float16"]})
    except ValueError:
        np.finfo(ml_dtypes.bfloat16)


@misconception
def numpy_finfo_of_all_three(smallest, largest, relative_error):
    """`np.finfo` does not know bfloat16, and the ValueError is its own: use `format_limits`, or `ml_dtypes.finfo`. You
    ask it before you look at float16, so that every call raises."""
    np.finfo(ml_dtypes.bfloat16)


@misconception
def nothing_raised(smallest, largest, relative_error):
    """Your function returns None where no format will do. Put `raise ValueError(…)` after the last of them."""
    try:
        return right(smallest, largest, relative_error)
    except ValueError:
        return None


@misconception
def float32_without_a_check(smallest, largest, relative_error):
    """You return float32 where the other two will not do. It has limits as well: check them, and raise ValueError."""
    try:
        return right(smallest, largest, relative_error)
    except ValueError:
        return "float32"


@misconception
def stop_iteration(smallest, largest, relative_error):
    """`next` raises StopIteration where nothing is left, and the contract asks for ValueError. Give `next` a default of
    None, and raise where it comes out."""
    try:
        return right(smallest, largest, relative_error)
    except ValueError:
        raise StopIteration from None


@misconception
def type_returned(smallest, largest, relative_error):
    """You returned the type. Return its name, a string: "float16", "bfloat16" or "float32"."""
    return FORMATS[right(smallest, largest, relative_error)]


@misconception
def short_names(smallest, largest, relative_error):
    """You returned a short name. The contract's names are "float16", "bfloat16" and "float32"."""
    return right(smallest, largest, relative_error).replace("bfloat", "bf").replace("float", "fp")


HINTS = (
    "Write down three numbers for each format: its smallest normal number, its largest number, and its unit roundoff. "
    "`format_limits`, your exercise 2, gives you all three. Which comparisons make a format good enough?",
    "Three comparisons, all of them with `<=`: the smallest normal number against `smallest`, `largest` against the "
    "format's `max`, and `epsilon / 2` against `relative_error`. Go through the formats in the order of the contract, "
    "and return the first name for which all three hold. What is left to do after the last?",
    'Loop over `("float16", 5, 10)`, `("bfloat16", 8, 7)`, `("float32", 8, 23)`. Inside: '
    '`limits = format_limits(exponent_bits, mantissa_bits)`, and `return name` if `limits["min_normal"] <= smallest '
    'and largest <= limits["max"] and limits["epsilon"] / 2 <= relative_error`. '
    "After the loop, and not in it: `raise ValueError(…)`.",
)
