"""format_limits(exponent_bits, mantissa_bits) -> dict: the landmarks of an IEEE-754-style format."""

import sys
from collections.abc import Mapping
from fractions import Fraction

import ml_dtypes
import numpy as np

from halfbits.grading.exercise import misconception
from halfbits.grading.values import difference, show

# The oracle where there is a type of that layout, (exponent bits, mantissa bits): what its finfo says.
TYPES = {
    (5, 10): np.float16,
    (8, 7): ml_dtypes.bfloat16,
    (4, 3): ml_dtypes.float8_e4m3,
    (5, 2): ml_dtypes.float8_e5m2,
    (3, 4): ml_dtypes.float8_e3m4,
    (8, 23): np.float32,
    (11, 52): np.float64,
}
# fp64 has a property of its own: a power of two that overflows there says nothing about the landmark.
KNOWN = [layout for layout in TYPES if layout != (11, 52)]
TINY = ((2, 1), (2, 3), (3, 1), (3, 2), (4, 1), (5, 1))


def expected(exponent_bits, mantissa_bits):
    dtype = np.dtype(TYPES[exponent_bits, mantissa_bits])
    info = ml_dtypes.finfo(dtype)
    one = np.ones(1, dtype).view(f"u{dtype.itemsize}")[0]
    return {
        "bias": int(one) >> mantissa_bits,  # 1.0 is 2^0, so its exponent field is the bias
        "max": float(info.max),
        "min_normal": float(info.smallest_normal),
        "min_subnormal": float(info.smallest_subnormal),
        "epsilon": float(info.eps),
    }


def expected_of_fp32_cut_short(exponent_bits, mantissa_bits):
    """A format with fp32's exponent holds the fp32 numbers whose lowest mantissa bits are 0."""
    unit = 1 << 23 - mantissa_bits
    patterns = [0x7F800000 - unit, 0x00800000, unit, 0x3F800000 + unit]
    largest, min_normal, min_subnormal, above_one = map(float, np.array(patterns, np.uint32).view(np.float32))
    return {
        "bias": 127,
        "max": largest,
        "min_normal": min_normal,
        "min_subnormal": min_subnormal,
        "epsilon": above_one - 1,
    }


def expected_by_counting(exponent_bits, mantissa_bits):
    """Every positive number of a small format in exact fractions, built from the gaps: each binade's is double."""
    bias = 2**exponent_bits // 2 - 1
    gap = Fraction(1, 2 ** (bias - 1 + mantissa_bits))
    numbers = [i * gap for i in range(2 ** (mantissa_bits + 1))]  # the subnormals and the first binade
    for _ in range(2**exponent_bits - 3):
        gap *= 2
        numbers += [numbers[-1] + gap / 2 + i * gap for i in range(2**mantissa_bits)]
    return {
        "bias": bias,
        "max": float(numbers[-1]),
        "min_normal": float(numbers[2**mantissa_bits]),
        "min_subnormal": float(numbers[1]),
        "epsilon": float(numbers[numbers.index(1) + 1] - 1),
    }


def hold(answer, key):
    """Hold one landmark of every known format; all of them run, so that the diagnosis sees them all."""
    wrong = []
    for layout in KNOWN:
        call = answer(*layout)
        call.expected = {key: expected(*layout)[key]}
        reason = wrong_in(call, key)
        if reason:
            call.failed = True
            wrong.append((call, reason))
    if wrong:
        call, reason = wrong[0]
        call.fail(reason)


def wrong_in(call, key):
    """What is wrong with this landmark in what a call returned, or None."""
    if call.raised is not None:
        return f"it raised {type(call.raised).__name__}"
    if not isinstance(call.returned, Mapping) or key not in call.returned:
        return f"there is no {key!r} in it"
    got, wanted = call.returned[key], call.expected[key]
    return difference(got, wanted) and f"{key!r} is {show(got)}, not {show(wanted)}"


def test_keys(answer):
    """A dict with the five keys, no more and no less"""
    call = answer(5, 10)
    call.expected = expected(5, 10)
    if call.raised is None and isinstance(call.returned, Mapping) and set(call.returned) == set(call.expected):
        return
    call.equals(call.expected)


def test_bias(answer):
    """The bias"""
    hold(answer, "bias")


def test_max(answer):
    """The largest finite number"""
    hold(answer, "max")


def test_min_normal(answer):
    """The smallest positive normal number"""
    hold(answer, "min_normal")


def test_min_subnormal(answer):
    """The smallest positive subnormal number"""
    hold(answer, "min_subnormal")


def test_epsilon(answer):
    """Epsilon, the gap above 1"""
    hold(answer, "epsilon")


def test_tiny_formats(answer):
    """Formats so small that you can write down all their numbers"""
    answer.each(TINY, expected_by_counting)


def test_formats_without_a_type(answer):
    """TF32 (E = 8, M = 10) and others that NumPy has no type for"""
    answer.each([(8, 10), (8, 15), (8, 1)], expected_of_fp32_cut_short)


def test_fp64(answer):
    """fp64, where 2^1024 is too large for a Python float"""
    answer(11, 52).equals(expected(11, 52))


def landmarks(bias, mantissa_bits, **wrong):
    """The right landmarks for this bias, for the misconceptions to be wrong in one place only."""
    epsilon = 2.0**-mantissa_bits
    right = {
        "bias": bias,
        "max": (2 - epsilon) * 2.0**bias,
        "min_normal": 2.0 ** (1 - bias),
        "min_subnormal": 2.0 ** (1 - bias - mantissa_bits),
        "epsilon": epsilon,
    }
    return right | wrong


def right_bias(exponent_bits):
    return 2 ** (exponent_bits - 1) - 1


@misconception
def bias_one_too_large(exponent_bits, mantissa_bits):
    """Your bias is 2^(E−1), one too many, and it moves the other landmarks. The bias is 2^(E−1) − 1: 15 for E = 5."""
    return landmarks(right_bias(exponent_bits) + 1, mantissa_bits)


@misconception
def bias_from_all_exponent_bits(exponent_bits, mantissa_bits):
    """You took the largest exponent field, 2^E − 1, for the bias. The bias is half of that, rounded down:
    2^(E−1) − 1, so that about as many exponents lie below 0 as above."""
    return landmarks(2**exponent_bits - 1, mantissa_bits)


@misconception
def max_is_the_next_power(exponent_bits, mantissa_bits):
    """Your `max` is 2^(bias+1), the first power of two that is out of range. The largest significand is 2 − 2^−M, just
    below 2."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, max=2.0 ** (bias + 1))


@misconception
def max_is_the_next_power_less_one(exponent_bits, mantissa_bits):
    """Your `max` is 2^(bias+1) − 1, as for an integer type. The gap up there is not 1: the largest significand is
    2 − 2^−M, so the largest number lies 2^(bias−M) below 2^(bias+1)."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, max=2.0 ** (bias + 1) - 1)


@misconception
def max_is_the_last_power(exponent_bits, mantissa_bits):
    """Your `max` is 2^bias, the top binade's first number. Its last has a mantissa of all ones: a significand of
    2 − 2^−M."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, max=2.0**bias)


@misconception
def max_in_the_exponent_of_infinity(exponent_bits, mantissa_bits):
    """Your `max` has the exponent field of all ones, which is set aside for infinity and NaN. The largest finite
    number's field is one less, so its exponent is the bias."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, max=(2 - 2.0**-mantissa_bits) * 2.0 ** (bias + 1))


@misconception
def max_is_where_rounding_overflows(exponent_bits, mantissa_bits):
    """Your `max` lies half a gap too high, where rounding goes over to infinity (65520 for fp16). The largest
    significand is 2 − 2^−M: one whole gap below 2, not half of one."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, max=(2 - 2.0 ** -(mantissa_bits + 1)) * 2.0**bias)


@misconception
def max_without_the_hidden_bit(exponent_bits, mantissa_bits):
    """Your `max` lacks the hidden 1: a mantissa of all ones makes the significand 1 + (1 − 2^−M) = 2 − 2^−M."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, max=(1 - 2.0**-mantissa_bits) * 2.0**bias)


@misconception
def max_with_one_digit_too_few(exponent_bits, mantissa_bits):
    """Your `max` is (1 − 2^−M) · 2^(bias+1), which has only M ones. With the hidden one there are M + 1: the gap
    below 2^(bias+1) is half as wide."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, max=(2 - 2 * 2.0**-mantissa_bits) * 2.0**bias)


@misconception
def next_power_overflows(exponent_bits, mantissa_bits):
    """You compute 2.0^(bias+1) on the way to `max`, which for fp64 is 2^1024, too large for a Python float. Scale a
    number below 2 by 2.0^bias instead."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, max=2.0 ** (bias + 1) - 2.0 ** (bias - mantissa_bits))


@misconception
def next_power_becomes_infinity(exponent_bits, mantissa_bits):
    """You compute 2^(bias+1) on the way to `max`; for fp64 that is 2^1024, and NumPy makes it infinity. Scale a number
    below 2 by 2^bias instead."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, max=np.float64(2) ** (bias + 1) - 2.0 ** (bias - mantissa_bits))


@misconception
def min_normal_in_the_exponent_of_zero(exponent_bits, mantissa_bits):
    """Your `min_normal` is 2^−bias, which has exponent field 0. That field is set aside for zero and the subnormals;
    the smallest normal number has field 1, so it is 2^(1−bias)."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, min_normal=2.0**-bias)


@misconception
def min_subnormal_one_exponent_too_low(exponent_bits, mantissa_bits):
    """Your subnormals have the exponent 0 − bias. It is 1 − bias, the same as the smallest normal number's, so the
    smallest subnormal is 2^(1−bias) · 2^−M."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, min_subnormal=2.0 ** (-bias - mantissa_bits))


@misconception
def both_minima_one_exponent_too_low(exponent_bits, mantissa_bits):
    """Your smallest exponent is 0 − bias. Field 0 is for zero and the subnormals; normal numbers begin at field 1,
    with the exponent 1 − bias, and the subnormals share that exponent."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, min_normal=2.0**-bias, min_subnormal=2.0 ** (-bias - mantissa_bits))


@misconception
def min_subnormal_one_bit_short(exponent_bits, mantissa_bits):
    """Your `min_subnormal` is twice too large, as if the mantissa had M − 1 bits. Its lowest bit is worth
    2^−M · 2^(1−bias)."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, min_subnormal=2.0 ** (2 - bias - mantissa_bits))


@misconception
def no_subnormals(exponent_bits, mantissa_bits):
    """Your `min_subnormal` is the smallest normal number. Subnormals reach further down: their leading bit is 0, and
    the smallest has only the mantissa's lowest bit set."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, min_subnormal=2.0 ** (1 - bias))


@misconception
def epsilon_is_unit_roundoff(exponent_bits, mantissa_bits):
    """Your `epsilon` is the unit roundoff, half the gap: the most that rounding moves a number near 1. Epsilon is the
    whole gap between 1 and the next number, 2^−M."""
    return landmarks(right_bias(exponent_bits), mantissa_bits, epsilon=2.0 ** -(mantissa_bits + 1))


@misconception
def unit_roundoff_throughout(exponent_bits, mantissa_bits):
    """You took the unit roundoff 2^−(M+1) for epsilon and built `max` and `min_subnormal` on it. Epsilon is the gap
    between 1 and the next number, 2^−M: the hidden bit is not one of the M."""
    return landmarks(right_bias(exponent_bits), mantissa_bits + 1)


@misconception
def epsilon_one_bit_short(exponent_bits, mantissa_bits):
    """Your `epsilon` is 2^(1−M), twice too large. In ε = 2^(1−p) the precision p counts the hidden bit: p = M + 1."""
    return landmarks(right_bias(exponent_bits), mantissa_bits, epsilon=2.0 ** (1 - mantissa_bits))


@misconception
def epsilon_is_smallest_number(exponent_bits, mantissa_bits):
    """Your `epsilon` is the smallest positive number, the gap at zero. Epsilon is the gap at 1, and the gap grows with
    the number."""
    bias = right_bias(exponent_bits)
    return landmarks(bias, mantissa_bits, epsilon=2.0 ** (1 - bias - mantissa_bits))


@misconception
def epsilon_of_python_floats(exponent_bits, mantissa_bits):
    """Your `epsilon` is that of Python's own floats, which are fp64. Work it out from `mantissa_bits`."""
    return landmarks(right_bias(exponent_bits), mantissa_bits, epsilon=sys.float_info.epsilon)


@misconception
def fp16_only(exponent_bits, mantissa_bits):
    """You wired in fp16's 5 exponent and 10 mantissa bits. Take the widths from the arguments."""
    return landmarks(15, 10)


@misconception
def widths_swapped(exponent_bits, mantissa_bits):
    """You took each width for the other. The exponent's width sets the bias and so the range; the mantissa's width
    sets epsilon."""
    return landmarks(right_bias(mantissa_bits), exponent_bits)


@misconception
def keys_of_finfo(exponent_bits, mantissa_bits):
    """You named the landmarks as `np.finfo` does. The keys asked for are `bias`, `max`, `min_normal`, `min_subnormal`
    and `epsilon`."""
    bias, largest, min_normal, min_subnormal, epsilon = landmarks(right_bias(exponent_bits), mantissa_bits).values()
    return {
        "bias": bias,
        "max": largest,
        "smallest_normal": min_normal,
        "smallest_subnormal": min_subnormal,
        "eps": epsilon,
    }


@misconception
def eps_for_epsilon(exponent_bits, mantissa_bits):
    """You named one key "eps", as `np.finfo` does. The contract's key is "epsilon"."""
    bias, largest, min_normal, min_subnormal, epsilon = landmarks(right_bias(exponent_bits), mantissa_bits).values()
    return {"bias": bias, "max": largest, "min_normal": min_normal, "min_subnormal": min_subnormal, "eps": epsilon}


@misconception
def tuple_returned(exponent_bits, mantissa_bits):
    """You returned a tuple. Return a dict, so that each landmark goes by its name: `{"bias": bias, "max": …}`."""
    return tuple(landmarks(right_bias(exponent_bits), mantissa_bits).values())


HINTS = (
    "Write down the pattern of each landmark first. Which exponent field and which mantissa has the largest finite "
    "number, when a field of all ones means infinity or NaN? Which has the smallest normal number, when field 0 is "
    "for zero and the subnormals?",
    "The exponent is the field minus the bias 2^(E−1) − 1. So `max` has the exponent `bias` and a mantissa of all "
    "ones; `min_normal` has the exponent `1 - bias` and mantissa 0; the subnormals share that exponent, and the "
    "smallest has only the lowest mantissa bit, worth 2^−M times 2^(1 − bias). Epsilon is that same bit at 1.",
    "With `epsilon = 2.0**-mantissa_bits`: `max` is `(2 - epsilon) * 2.0**bias`, `min_normal` is `2.0 ** (1 - bias)`, "
    "and `min_subnormal` is `min_normal * epsilon`.",
)
