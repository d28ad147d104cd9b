"""round_to_bfloat16(x) -> array: float32 values rounded to the nearest bfloat16, ties to even, on their bits."""

import itertools

import ml_dtypes
import numpy as np

from halfbits.grading.exercise import misconception
from halfbits.grading.values import difference, show

# Each of them has a cast that does the whole exercise.
FORBIDDEN = ("bfloat16", "ml_dtypes", "tensorflow", "keras", "tf_keras", "torch", "jax")

# Upper halves of patterns, 1.0 first: even and odd ones, the last of a binade, small, large, the smallest normal.
UPPER = (0x3F80, 0x3F81, 0x3F82, 0x3F83, 0x3FFF, 0x4049, 0x2EAA, 0x7E55, 0x0080)
SUBNORMAL_UPPER = (0x0000, 0x0001, 0x0002, 0x0003, 0x007F)
SIGN = 0x80000000


def from_bits(patterns):
    return np.array(patterns, np.uint32).view(np.float32)


def bits_of(array):
    """The pattern of an array of one float32."""
    return f"0x{int(array.view(np.uint32)[0]):08X}"


def is_one_float32(value):
    return isinstance(value, np.ndarray) and value.dtype == np.float32 and value.shape == (1,)


def show_with_bits(x):
    # All its digits, since on them it depends whether a value is halfway.
    return f"array([{float(x[0])!r}], float32) = {bits_of(x)}" if is_one_float32(x) else show(x)


SHOW = {0: show_with_bits}


def expected(x):
    with np.errstate(invalid="ignore"):  # a cast of a signalling NaN
        return x.astype(ml_dtypes.bfloat16).astype(np.float32)


def each_pattern(answer, patterns):
    """Each pattern in an array of its own, to be worked by hand."""
    answer.each([(from_bits([pattern]),) for pattern in patterns], expected, because=on_the_bits)


def on_the_bits(call):
    """What is wrong, where the bits say more than the values."""
    if not is_one_float32(call.returned):
        return ""
    wanted = "which is no NaN" if np.isnan(call.expected[0]) else f"not {bits_of(call.expected)}"
    return f"its bits are {bits_of(call.returned)}, {wanted}"


def patterns(upper, lower, sign=0):
    return [sign | high << 16 | low for high, low in itertools.product(upper, lower)]


def test_bfloat16_numbers(answer):
    """Numbers that are bfloat16 already stay as they are"""
    each_pattern(answer, patterns((*UPPER, 0x7F7F), [0]))


def test_nearer_to_the_one_below(answer):
    """Nearer to the bfloat16 below"""
    each_pattern(answer, patterns(UPPER, [0x4000, 0x0001, 0x7FFF]))


def test_nearer_to_the_one_above(answer):
    """Nearer to the bfloat16 above"""
    each_pattern(answer, patterns(UPPER, [0xC000, 0xFFFF, 0x8001]))


def test_ties(answer):
    """Halfway between two: the one whose last bit is 0"""
    each_pattern(answer, patterns(UPPER, [0x8000]))


def test_negative(answer):
    """Negative numbers, by the same rule"""
    each_pattern(answer, patterns(UPPER, [0x0000, 0x4000, 0xC000, 0x8000, 0x7FFF, 0x8001], SIGN))


def test_zeros(answer):
    """Both zeros, with their sign"""
    each_pattern(answer, [0, SIGN])


def test_subnormals(answer):
    """Subnormal numbers, by the same rule"""
    lower = [0x8000, 0x8001, 0x7FFF]
    each_pattern(answer, patterns(SUBNORMAL_UPPER, lower) + patterns(SUBNORMAL_UPPER, lower, SIGN))


def test_overflow(answer):
    """Infinity from halfway between the largest bfloat16 and 2^128 on; the largest below that"""
    for sign in (0, SIGN):
        each_pattern(answer, patterns([0x7F7F], [0x8000, 0x7FFF, 0x8001, 0xFFFF], sign))


def test_infinities(answer):
    """Infinities stay"""
    each_pattern(answer, [0x7F800000, 0xFF800000])


def test_nan(answer):
    """NaN stays NaN, whatever its mantissa and sign"""
    mantissas = (0x400000, 0x000001, 0x007FFF, 0x008000, 0x3FFFFF, 0x7F8000, 0x7FFFFF)
    each_pattern(answer, [sign | 0x7F800000 | mantissa for sign in (0, SIGN) for mantissa in mantissas])


def test_side_by_side(answer):
    """NaN, infinity and numbers in one array"""
    x = from_bits([0x7FC00000, 0xFF800000, 0x3F818000, 0xBF80C000])
    answer(x).equals(expected(x))


def test_shapes(answer):
    """A float32 array of the same shape: 1-D, 2-D, 3-D, empty"""
    shapes = ((3,), (2, 3), (2, 1, 2), (0,), (2, 0))
    answer.each([(np.arange(np.prod(shape), dtype=np.float32).reshape(shape),) for shape in shapes], expected)


def test_zero_dimensions(answer):
    """An array of no dimensions, shape ()"""
    x = np.array(-256.0, np.float32)
    call = answer(x)
    why = "shape () cannot be looped over, and NumPy's arithmetic on it gives a scalar, which cannot be assigned to"
    call.equals(expected(x), because=why if call.raised is not None else "")


def test_memory_layouts(answer):
    """Arrays that do not lie in memory in one piece, row by row"""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    answer.each([(x[0, ::2],), (x.T,), (np.asfortranarray(x),), (x[::-1, 1:3],)], expected)


def test_every_exponent(answer):
    """Values around every exponent's midpoints, in one large array"""
    exponents = sorted(range(255), key=lambda field: abs(field - 127))  # from 1.0 outwards
    upper = [e << 7 | m for e in exponents for m in (0, 1, 0x2A, 0x55, 0x7E, 0x7F) if e << 7 | m != 0x7F7F]
    lower = [0x0000, 0x0001, 0x7FFF, 0x8000, 0x8001, 0xFFFF]
    x = from_bits(patterns(upper, lower) + patterns(upper, lower, SIGN))
    whole, wanted = answer(x), expected(x)
    if is_like(whole.returned, wanted) and difference(whole.returned, wanted):
        # Its first wrong element alone is what a person can work by hand.
        whole.failed = True
        place = np.flatnonzero(whole.returned.view(np.uint32) != wanted.view(np.uint32))[0]
        each_pattern(answer, [int(x.view(np.uint32)[place])])
    whole.equals(wanted)


def is_like(value, wanted):
    return isinstance(value, np.ndarray) and value.dtype == wanted.dtype and value.shape == wanted.shape


def cut(x, addend=0, dropped=16):
    """Add to the bits, then clear the lowest ones."""
    return from_bits((x.view(np.uint32) + addend) >> dropped << dropped)


def to_even(x, dropped=16):
    """The addend that rounds to nearest, ties to even."""
    return (1 << dropped - 1) - 1 + (x.view(np.uint32) >> dropped & 1)


def right(x):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return np.where(np.isnan(x), x, cut(x, to_even(x)))


# Those that round wrongly treat NaN as a number too, as a first attempt does. They explain an answer that takes care
# of NaN as well: its calls on NaN are not among the failing ones.


@misconception
def truncated(x):
    """You cut the lower 16 bits off, which always rounds towards zero. Rounding to nearest goes up where they are more
    than half of the lowest kept bit: add before you cut."""
    return cut(x)


@misconception
def ties_away_from_zero(x):
    """You round every tie up, away from zero: adding 0x8000 does that. Ties go to the even neighbour: add 0x7FFF, and 1
    more only where the lowest kept bit is 1."""
    return cut(x, 0x8000)


@misconception
def ties_towards_zero(x):
    """You round every tie down, towards zero: adding 0x7FFF alone does that. Ties go to the even neighbour, so add 1
    more where the lowest kept bit, bit 16, is 1."""
    return cut(x, 0x7FFF)


@misconception
def ties_to_odd(x):
    """Your ties go to the odd neighbour: you have the parity the wrong way round. Where the lowest kept bit is 1, the
    number below is odd and a tie goes up."""
    return cut(x, 0x8000 - (x.view(np.uint32) >> 16 & 1))


@misconception
def always_away_from_zero(x):
    """You go up wherever any of the lower 16 bits is set. To nearest means up only where they are more than half of the
    lowest kept bit, 0x8000, or exactly half and that bit is 1."""
    return cut(x, 0xFFFF)


@misconception
def lower_half_not_cleared(x):
    """You added the rounding constant and left the lower 16 bits in place. A bfloat16 number has zeros there: clear
    them after the addition."""
    return from_bits(x.view(np.uint32) + to_even(x))


@misconception
def one_bit_too_many_kept(x):
    """You kept 8 mantissa bits and cleared 15. bfloat16 has 7: fp32's 23 less 16."""
    return cut(x, to_even(x, dropped=15), dropped=15)


@misconception
def one_bit_too_few_kept(x):
    """You kept 6 mantissa bits and cleared 17. bfloat16 has 7: fp32's 23 less 16."""
    return cut(x, to_even(x, dropped=17), dropped=17)


@misconception
def mantissa_of_fp16(x):
    """You kept 10 mantissa bits, as fp16 and TF32 have. bfloat16 has 7: fp32's 23 less 16."""
    return cut(x, to_even(x, dropped=13), dropped=13)


@misconception
def decimals_rounded(x):
    """You rounded to decimal places. bfloat16 rounds the binary significand to 8 digits, 7 of them stored, so how
    finely depends on the size of x."""
    return np.round(x, 2)


@misconception
def through_fp16(x):
    """You went through float16, which is another 16-bit format: more mantissa bits, and a range that ends at 65504.
    bfloat16 keeps fp32's 8 exponent bits and 7 of its mantissa bits."""
    return x.astype(np.float16).astype(np.float32)


@misconception
def negatives_subtract(x):
    """You subtract the rounding constant for negative numbers. Floats are sign and magnitude: the bits below the sign
    grow with |x|, so negative and positive numbers round alike."""
    bits, addend = x.view(np.uint32), to_even(x)
    return from_bits(np.where(bits >> 31, bits - addend, bits + addend) >> 16 << 16)


@misconception
def sign_lost(x):
    """Your results are never negative: the sign bit, the topmost, was lost. It is to pass through unchanged."""
    return np.abs(right(x))


@misconception
def nan_rounded_as_a_number(x):
    """You rounded NaN like a number. The carry out of a full mantissa runs through the exponent into the sign and
    leaves a zero; a mantissa that is rounded away leaves infinity. Pick out NaN with `np.isnan` and keep it."""
    return cut(x, to_even(x))


@misconception
def nan_truncated(x):
    """You cut NaN's lower half off. Where all its mantissa bits are in that half, what is left is the pattern of
    infinity: keep NaN whole, or set a bit of the upper half."""
    return np.where(np.isnan(x), cut(x), right(x))


@misconception
def negative_kept_as_nan(x):
    """You took every negative number for NaN and kept it as it was: with the sign bit set, its pattern is greater than
    0x7F800000. Clear the sign bit before you compare, or use `np.isnan`."""
    return np.where(x.view(np.uint32) > 0x7F800000, x, cut(x, to_even(x)))


@misconception
def negative_made_nan(x):
    """You took every negative number for NaN: with the sign bit set, its pattern is greater than 0x7F800000. Clear the
    sign bit before you compare, or use `np.isnan`."""
    return np.where(x.view(np.uint32) > 0x7F800000, np.float32("nan"), cut(x, to_even(x)))


@misconception
def infinity_made_nan(x):
    """You made infinity NaN. Both have an exponent field of all ones; NaN is only where the mantissa is not 0."""
    return np.where(np.isfinite(x), right(x), np.float32("nan"))


def largest_at_most(x):
    largest = from_bits(0x7F7F0000)
    return np.clip(x, -largest, largest)


@misconception
def infinity_saturates_too(x):
    """You clipped to the largest bfloat16, infinities too. Infinity stays, and finite numbers round to it from halfway
    between the largest and 2^128 on."""
    return largest_at_most(right(x))


@misconception
def overflow_saturates(x):
    """You stopped at the largest bfloat16. From halfway between it and 2^128 on, rounding to nearest gives infinity;
    the carry into the exponent does that by itself."""
    return np.where(np.isfinite(x), largest_at_most(right(x)), x)


@misconception
def too_large_left_alone(x):
    """You kept a number that rounds past the largest bfloat16 as it was. It becomes infinity; the carry into the
    exponent does that by itself."""
    return np.where(np.isinf(right(x)), x, right(x))


@misconception
def subnormals_flushed(x):
    """You made subnormal numbers zero. The bfloat16 layout has subnormals (some hardware flushes them, this exercise
    does not), and the same addition rounds them: exponent field 0 needs no case of its own."""
    return np.where(np.abs(x) < 2.0**-126, np.copysign(np.float32(0), x), right(x))


@misconception
def returned_upper_halves(x):
    """You returned the 16-bit patterns. Asked for are float32 values: put the patterns back into the upper half and
    view them as float32."""
    return (right(x).view(np.uint32) >> 16).astype(np.uint16)


@misconception
def returned_patterns(x):
    """You returned the bit patterns, which are uint32. View them as what they stand for: `.view(np.float32)`."""
    return right(x).view(np.uint32)


@misconception
def patterns_converted(x):
    """You turned the patterns into floats with `astype`, so that 1.0 became 1065353216.0. `astype` converts the number;
    `.view(np.float32)` reads the same bits as a float."""
    return right(x).view(np.uint32).astype(np.float32)


@misconception
def shifted_patterns_returned(x):
    """You returned the 16 kept bits as integers, in the lower half. Shift them back up by 16, and view the patterns as
    what they stand for: `.view(np.float32)`."""
    return right(x).view(np.uint32) >> 16


@misconception
def shifted_patterns_converted(x):
    """You turned the 16 kept bits into a float with `astype`, so that 1.0 became 16256.0. `astype` converts the
    integer's value; `.view(np.float32)` reinterprets its bits. Shift back left first."""
    return (right(x).view(np.uint32) >> 16).astype(np.float32)


@misconception
def values_converted(x):
    """You took the values to integers with `astype`, which drops what is after the point. `x.view(np.uint32)` gives the
    bits as they are."""
    bits = x.astype(np.uint32)
    return from_bits((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16)


@misconception
def not_shifted_back(x):
    """You left the 16 kept bits in the lower half, where they read as tiny subnormals. Shift them back up by 16 before
    you view them as float32."""
    return from_bits(right(x).view(np.uint32) >> 16)


@misconception
def returned_float64(x):
    """Your values are right and their dtype is float64. Asked for is float32."""
    return right(x).astype(np.float64)


@misconception
def returned_a_list(x):
    """You returned a list. Asked for is a float32 array of the same shape as x."""
    return right(x).tolist()


@misconception
def flattened(x):
    """You returned one flat row. The result has the shape of x: reshape it at the end."""
    return right(x).reshape(-1)


@misconception
def assigned_to_a_scalar(x):
    """You assign into your result. For shape () NumPy's arithmetic gives a scalar, which takes no assignment: put NaN
    in with `np.where(np.isnan(x), x, …)`, which works for every shape."""
    bits = x.view(np.uint32)
    result = ((bits + (0x7FFF + (bits >> 16 & 1))) >> 16 << 16).view(np.float32)
    result[np.isnan(x)] = np.nan
    return result


@misconception
def truth_of_an_array(x):
    """You ask `if` of a whole array, which has no single truth. Decide element by element: `np.where(np.isnan(x), …)`
    or a mask."""
    return x if np.isnan(x) else cut(x, to_even(x))


@misconception
def in_place(x):
    """You wrote into the caller's array: `x.view` makes no copy, so `+=` or an assignment to it changes x. Make a new
    array."""
    x[...] = cut(x, to_even(x))
    return x


HINTS = (
    "In fp32's pattern the upper 16 bits (sign aside) are the largest bfloat16 that is at most |x|, and the lower 16 "
    "say how far above it |x| lies: 0x8000 is exactly halfway. What can you add to the whole pattern, so that a carry "
    "into the upper half comes just when it should?",
    "Add 0x7FFF plus the lowest kept bit, bit 16, and then clear the lower half: a tie makes a carry only where that "
    "bit is 1. A carry that runs into the exponent is right, even at the top, where it gives infinity. One kind of "
    "value must not go through the addition.",
    "`bits = x.view(np.uint32)`, then `bits + 0x7FFF + ((bits >> 16) & 1)`, shifted right by 16 and left by 16 again, "
    "and `.view(np.float32)`. Put it together with `np.where(np.isnan(x), x, rounded)`: NaN keeps its pattern.",
)
