"""decode(bits, exponent_bits, mantissa_bits) -> float: the value of an IEEE-754-style bit pattern."""

import ml_dtypes
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.grading.exercise import misconception

# The oracle: NumPy's and ml_dtypes' own types of these layouts, (exponent bits, mantissa bits).
TYPES = {
    (3, 4): ml_dtypes.float8_e3m4,
    (4, 3): ml_dtypes.float8_e4m3,
    (5, 2): ml_dtypes.float8_e5m2,
    (5, 10): np.float16,
    (8, 7): ml_dtypes.bfloat16,
    (8, 23): np.float32,
    (11, 52): np.float64,
}
WIDE = [layout for layout in TYPES if sum(layout) > 7]

LONGEST_SHOWN = 32  # bits of a pattern in binary, more are hard to read

SHOW = {0: hex}


def expected(bits, exponent_bits, mantissa_bits):
    dtype = np.dtype(TYPES[exponent_bits, mantissa_bits])
    return float(np.array([bits], dtype=f"u{dtype.itemsize}").view(dtype)[0])


def in_fields(call):
    """The three fields of a call's pattern, in words."""
    bits, exponent_bits, mantissa_bits = call.arguments
    sign, exponent, mantissa, _ = split(bits, exponent_bits, mantissa_bits)
    fields = f"sign {sign}, exponent field {exponent}, mantissa field {mantissa}"
    if 1 + exponent_bits + mantissa_bits > LONGEST_SHOWN:
        return fields
    return f"0b{sign}_{exponent:0{exponent_bits}b}_{mantissa:0{mantissa_bits}b}: {fields}"


def eight_bit_patterns(wanted):
    """Every 8-bit pattern of the wanted kind, positive ones first, by (exponent, mantissa)."""
    for exponent_bits, mantissa_bits in ((4, 3), (5, 2), (3, 4)):
        for bits in range(256):
            exponent, mantissa = bits >> mantissa_bits & 2**exponent_bits - 1, bits & 2**mantissa_bits - 1
            if wanted(exponent, mantissa, 2**exponent_bits - 1):
                yield bits, exponent_bits, mantissa_bits


def hold(answer, cases):
    answer.each(cases, expected, because=in_fields)


def test_normal_numbers(answer):
    """Every normal number of three 8-bit formats"""
    hold(answer, eight_bit_patterns(lambda e, m, top: 0 < e < top))


def test_subnormal_numbers(answer):
    """Subnormal numbers and both zeros (exponent field 0)"""
    hold(answer, eight_bit_patterns(lambda e, m, top: e == 0))


def test_infinities(answer):
    """Infinities (exponent field all ones, mantissa 0)"""
    hold(answer, eight_bit_patterns(lambda e, m, top: e == top and m == 0))


def test_nan(answer):
    """NaN (exponent field all ones, mantissa not 0)"""
    hold(answer, eight_bit_patterns(lambda e, m, top: e == top and m > 0))


@given(st.sampled_from(WIDE), st.data())
def test_wider_formats(answer, layout, data):
    """Random patterns of fp16, bf16, fp32 and fp64"""
    bits = data.draw(st.integers(0, 2 ** (1 + sum(layout)) - 1))
    hold(answer, [(bits, *layout)])


def test_landmarks(answer):
    """The largest and smallest numbers of fp16, bf16, fp32 and fp64"""
    for exponent_bits, mantissa_bits in WIDE:
        infinity = (2**exponent_bits - 1) << mantissa_bits
        sign = 1 << (exponent_bits + mantissa_bits)
        patterns = [0, 1, (1 << mantissa_bits) - 1, 1 << mantissa_bits, infinity - 1, infinity, infinity + 1]
        hold(answer, [(bits | s, exponent_bits, mantissa_bits) for bits in patterns for s in (0, sign)])


def split(bits, exponent_bits, mantissa_bits):
    """Sign, exponent field, mantissa field, bias."""
    exponent = bits >> mantissa_bits & 2**exponent_bits - 1
    return bits >> exponent_bits + mantissa_bits, exponent, bits % 2**mantissa_bits, 2 ** (exponent_bits - 1) - 1


def value(sign, exponent, mantissa, bias, mantissa_bits, top):
    """The right value, for the misconceptions to be wrong in one place only."""
    if exponent == top:
        return float("nan") if mantissa else (-1.0) ** sign * float("inf")
    significand = mantissa / 2**mantissa_bits + (exponent > 0)
    return (-1.0) ** sign * significand * 2.0 ** (max(exponent, 1) - bias)


@misconception
def no_bias(bits, exponent_bits, mantissa_bits):
    """You used the exponent field as it stands. It is stored with a bias of 2^(E−1) − 1 added: subtract it."""
    sign, exponent, mantissa, _ = split(bits, exponent_bits, mantissa_bits)
    try:
        return value(sign, exponent, mantissa, 0, mantissa_bits, 2**exponent_bits - 1)
    except OverflowError:
        return (-1.0) ** sign * float("inf")


@misconception
def bias_one_too_large(bits, exponent_bits, mantissa_bits):
    """Your bias is 2^(E−1), one too many: every value comes out at half its size. The bias is 2^(E−1) − 1."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    return value(sign, exponent, mantissa, bias + 1, mantissa_bits, 2**exponent_bits - 1)


@misconception
def no_hidden_one(bits, exponent_bits, mantissa_bits):
    """You left out the hidden bit: a normal number's significand is 1 + mantissa / 2^M, its leading 1 is not stored."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    if 0 < exponent < 2**exponent_bits - 1:
        return (-1.0) ** sign * mantissa / 2**mantissa_bits * 2.0 ** (exponent - bias)
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def hidden_one_in_subnormals(bits, exponent_bits, mantissa_bits):
    """You gave exponent field 0 a hidden 1 as well. Subnormals have a leading 0, which is how they reach zero."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    if exponent == 0:
        return (-1.0) ** sign * (1 + mantissa / 2**mantissa_bits) * 2.0**-bias
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def hidden_one_in_subnormals_but_not_in_zero(bits, exponent_bits, mantissa_bits):
    """You treated zero apart and gave every other subnormal a hidden 1. With exponent field 0 the leading bit is 0."""
    if bits % 2 ** (exponent_bits + mantissa_bits) == 0:
        return -0.0 if bits else 0.0
    return hidden_one_in_subnormals(bits, exponent_bits, mantissa_bits)


@misconception
def subnormal_exponent_one_too_low(bits, exponent_bits, mantissa_bits):
    """Your subnormals have the exponent 0 − bias. It is 1 − bias, the same as the smallest normal number's, so that
    the two meet without a gap."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    if exponent == 0:
        return (-1.0) ** sign * mantissa / 2**mantissa_bits * 2.0**-bias
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def subnormals_flushed(bits, exponent_bits, mantissa_bits):
    """You read every pattern with exponent field 0 as zero. Those with a mantissa are subnormal numbers."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    if exponent == 0:
        return (-1.0) ** sign * 0.0
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def top_exponent_is_a_number(bits, exponent_bits, mantissa_bits):
    """You read the exponent field of all ones as one more power of two. It is set aside for infinity and NaN."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    try:
        return value(sign, exponent, mantissa, bias, mantissa_bits, top=None)
    except OverflowError:
        return (-1.0) ** sign * float("inf")


@misconception
def nan_is_infinity(bits, exponent_bits, mantissa_bits):
    """You read every exponent field of all ones as infinity. Only mantissa 0 is infinity; the rest is NaN."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    if exponent == 2**exponent_bits - 1:
        mantissa = 0
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def infinity_is_nan(bits, exponent_bits, mantissa_bits):
    """You read every exponent field of all ones as NaN. With mantissa 0 it is infinity, with the sign that the sign bit
    gives."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    if exponent == 2**exponent_bits - 1:
        mantissa = 1
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def infinity_without_sign(bits, exponent_bits, mantissa_bits):
    """Your infinity is always positive. The sign bit holds for infinity too: there are two of them."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    if exponent == 2**exponent_bits - 1:
        sign = 0
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def zero_without_sign(bits, exponent_bits, mantissa_bits):
    """Your zero has lost its sign. IEEE 754 has +0 and −0, equal to each other, and in IEEE arithmetic 1/−0 is −∞;
    return `-0.0`."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1) + 0.0


@misconception
def zero_and_infinity_without_sign(bits, exponent_bits, mantissa_bits):
    """Your zero and your infinity are always positive. The sign bit holds for them as well: work out the magnitude in
    each case, and put the sign on last."""
    infinity = (2**exponent_bits - 1) << mantissa_bits
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    if bits % 2 ** (exponent_bits + mantissa_bits) in (0, infinity):
        sign = 0
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def sign_on_normal_numbers_only(bits, exponent_bits, mantissa_bits):
    """You gave only normal numbers their sign. Zero, subnormals and infinity have one too: work out the magnitude in
    each case, and put the sign on last."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    if not 0 < exponent < 2**exponent_bits - 1:
        sign = 0
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def sign_ignored(bits, exponent_bits, mantissa_bits):
    """You never looked at the top bit. It is the sign: 1 means negative."""
    _, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    return value(0, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def twos_complement(bits, exponent_bits, mantissa_bits):
    """You read negative patterns as two's complement. Floats are sign and magnitude: only the top bit differs."""
    width = 1 + exponent_bits + mantissa_bits
    negative = bits >> width - 1
    magnitude = 2**width - bits if negative else bits
    sign, exponent, mantissa, bias = split(magnitude % 2 ** (width - 1), exponent_bits, mantissa_bits)
    return (-1.0) ** negative * value(sign, exponent, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def exponent_with_the_sign_bit(bits, exponent_bits, mantissa_bits):
    """Your exponent still contains the sign bit. Mask it with `2**exponent_bits - 1`."""
    sign, _, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    return value(sign, bits >> mantissa_bits, mantissa, bias, mantissa_bits, 2**exponent_bits - 1)


@misconception
def only_the_normal_formula(bits, exponent_bits, mantissa_bits):
    """You used the formula of normal numbers for every pattern. Two exponent fields have a meaning of their own: 0 is
    zero or a subnormal, all ones is infinity or NaN."""
    sign, exponent, mantissa, bias = split(bits, exponent_bits, mantissa_bits)
    return (-1.0) ** sign * (1 + mantissa / 2**mantissa_bits) * 2.0 ** (exponent - bias)


@misconception
def power_by_exclusive_or(bits, exponent_bits, mantissa_bits):
    """You wrote the masks and the bias with `^`, which is exclusive or in Python. A power is written `**`:
    `2**exponent_bits - 1`."""
    sign = bits >> exponent_bits + mantissa_bits
    exponent = bits >> mantissa_bits & (2 ^ exponent_bits - 1)
    mantissa = bits & (2 ^ mantissa_bits - 1)
    bias = 2 ^ (exponent_bits - 1) - 1
    return value(sign, exponent, mantissa, bias, mantissa_bits, 2 ^ exponent_bits - 1)


@misconception
def bias_by_exclusive_or(bits, exponent_bits, mantissa_bits):
    """You wrote the bias with `^`, which is exclusive or in Python. A power is written `**`:
    `2**(exponent_bits - 1) - 1`."""
    sign, exponent, mantissa, _ = split(bits, exponent_bits, mantissa_bits)
    return value(sign, exponent, mantissa, 2 ^ (exponent_bits - 1) - 1, mantissa_bits, 2**exponent_bits - 1)


@misconception
def fp16_only(bits, exponent_bits, mantissa_bits):
    """You wired in fp16's 5 exponent and 10 mantissa bits. Take the widths from the arguments."""
    return value(*split(bits % 2**16, 5, 10), 10, 31)


@misconception
def fields_swapped(bits, exponent_bits, mantissa_bits):
    """You took the mantissa from above the exponent. From the top down it is sign, exponent, mantissa."""
    sign = bits >> exponent_bits + mantissa_bits
    mantissa, exponent = bits >> exponent_bits & 2**mantissa_bits - 1, bits & 2**exponent_bits - 1
    return value(sign, exponent, mantissa, 2 ** (exponent_bits - 1) - 1, mantissa_bits, 2**exponent_bits - 1)


HINTS = (
    "Cut the pattern into its three fields first: shift right by `mantissa_bits` and mask with `2**exponent_bits - 1` "
    "for the exponent. Then look at the exponent field alone: how many cases are there?",
    "Three cases. Exponent field all ones: infinity or NaN. Exponent field 0: no hidden 1, exponent `1 - bias`. "
    "Anything else: `(1 + mantissa / 2**mantissa_bits) * 2.0**(exponent - bias)`. "
    "The bias is `2**(exponent_bits - 1) - 1`.",
    "Work out the magnitude in each case, and put the sign on last: `-magnitude if sign else magnitude`. "
    "That gives −0.0 and −∞ without a case of their own.",
)
