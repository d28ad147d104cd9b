"""dot_with_fp32_accumulator(a, b) -> np.float32: the dot product of float16 vectors, products and sums in float32."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.grading.exercise import misconception


def half(*numbers):
    return np.array(numbers, dtype=np.float16)


def exact_products(a, b):
    """A product of two float16 numbers has at most 22 bits: fp32 and fp64 hold it exactly."""
    return a.astype(np.float64) * b.astype(np.float64)


def expected(a, b):
    """The exact dot product, rounded once. Except in the random search the sums are exact in fp32 in any order: all
    products are multiples of one power of two, and their magnitudes add up to less than 2**24 times that."""
    return np.float32(math.fsum(exact_products(a, b)))


def test_small_integers(answer):
    """Short vectors of small integers"""
    cases = [
        (half(1), half(1)),
        (half(2), half(-3)),
        (half(1, 2), half(3, 4)),
        (half(1, 2), half(2, -1)),
        (half(0, 2), half(3, 5)),
        (half(1, 2, 3), half(4, -5, 6)),
        (half(1, 2, 3, 4, 5), half(6, 7, -8, 9, -11)),
    ]
    answer.each(cases, expected)


def test_empty(answer):
    """Empty vectors have the dot product 0, a float32 like any other"""
    answer.each([(half(), half())], expected)


def test_products_do_not_overflow(answer):
    """Products beyond 65504, the largest float16"""
    cases = [
        (half(256), half(256)),
        (half(300), half(300)),
        (half(-300), half(300)),
        (half(300, 300), half(300, -300)),
        (half(65504), half(65504)),
    ]
    answer.each(cases, expected)


def test_infinity_and_nan(answer):
    """Infinity and NaN come through, as in any float32 arithmetic"""
    vectors = [half(math.inf), half(-math.inf), half(math.nan), half(1, math.inf), half(math.inf, -math.inf)]
    for vector in vectors:
        ones = np.ones_like(vector)
        answer(vector, ones).equals(np.float32(sum(vector.astype(float).tolist())))


def test_products_do_not_underflow(answer):
    """Products below 2**-24, the smallest positive float16"""
    cases = [
        (half(2**-13), half(2**-13)),
        (half(1e-4), half(1e-4)),
        (half(2**-13, 2**-12), half(2**-13, -(2**-14))),
        (half(2**-24), half(2**-24)),
    ]
    answer.each(cases, expected)


def test_products_keep_all_their_bits(answer):
    """Products that have more bits than float16 keeps"""
    cases = [
        (half(45), half(47)),
        (half(0.1), half(0.1)),
        (half(1 + 2**-10), half(1 + 2**-10)),
        (half(45, 45), half(47, -46)),
        (half(1.5, 1 + 2**-9), half(1.25, 1 - 2**-9)),
    ]
    answer.each(cases, expected)


def test_sums_keep_all_their_bits(answer):
    """Sums that have more bits than float16 keeps, or are beyond its range"""
    cases = [
        (half(2048, 1), half(1, 1)),
        (half(2048, 1, 1), half(1, 1, 1)),
        (half(1, 2**-12), half(1, 1)),
        (half(60000, 60000), half(1, 1)),
        (half(255, 255), half(255, 255)),
    ]
    answer.each(cases, expected)


def test_cancellation(answer):
    """Large products that cancel leave the small one"""
    cases = [
        (half(2048, 1, -2048), half(1, 1, 1)),
        (half(2048, 1, -2048, 2), half(1, 1, 1, 1)),
        (half(60000, 60000, -60000), half(1, 1, 1)),
        (half(256, 1, -256), half(256, 1, 256)),
        (half(1, 2**-12, -1), half(1, 1, 1)),
    ]
    answer.each(cases, expected)


def test_long_sums_do_not_stall(answer):
    """Long sums go on growing"""
    cases = [
        (half(1024, *[1] * 1100), half(*[1] * 1101)),
        (half(*[0.5, 2, -1] * 300, 1024), half(*[2, 1, 0.5] * 300, 1)),
        (half(*[1] * 2100), half(*[1] * 2100)),
    ]
    answer.each(cases, expected)


def float16_number(code):
    """One of many float16 numbers of four scales and both signs, 1.0 first. No zero: the sign of a zero sum may hang on
    the order."""
    scale = (1.0, 2.0**-4, 2.0**-16, 16.0)[code >> 12]
    return (-1) ** code * ((code >> 1) % 2048 + 1) * scale


NUMBERS = st.integers(0, 2**14 - 1).map(float16_number)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6))
def test_any_vectors(answer, pairs):
    """Random vectors, within float32 rounding error"""
    a, b = half(*[x for x, _ in pairs]), half(*[y for _, y in pairs])
    # n - 1 sums in some order are each off by at most 2**-24 of all magnitudes together, and so is `expected`.
    bound = len(pairs) * 2.0**-24 * math.fsum(abs(exact_products(a, b)))
    answer(a, b).equals(expected(a, b), atol=bound)


def single(array):
    return array.astype(np.float32)


@misconception
def products_in_float16(a, b):
    """You multiplied in float16 and added in float32. The products were rounded, or overflowed, before the conversion:
    convert both vectors first, and multiply then."""
    return np.sum(a * b, dtype=np.float32)


@misconception
def float16_throughout(a, b):
    """You multiplied and added in float16, and only the result became a float32. What has overflowed or been rounded
    away does not come back: convert both vectors before the first product."""
    total = np.float16(0)
    for x, y in zip(a, b, strict=True):
        total += x * y
    return np.float32(total)


@misconception
def accumulator_in_float16(a, b):
    """Your products are float32, but you add them up in a float16, which rounds at every step and stalls where a
    product is below half its gap. Make the accumulator a float32 too."""
    total = np.float16(0)
    for x, y in zip(single(a), single(b), strict=True):
        total = np.float16(total + x * y)
    return np.float32(total)


@misconception
def converted_at_the_end(a, b):
    """You converted the result of a float16 dot product. NumPy gives that result the type of the vectors, so that it
    had been rounded to float16 already: convert both vectors first."""
    return np.float32(np.dot(a, b))


@misconception
def products_in_float16_and_converted_at_the_end(a, b):
    """You multiplied in float16, and added up to a float16 that you converted at the end. Convert both vectors first:
    then the products and the sum are float32 by themselves."""
    return np.float32(np.sum(a * b))


@misconception
def float16_returned(a, b):
    """You returned a float16. The result would lose most of the bits that the float32 sum has kept: return the float32,
    and convert the vectors before the first product."""
    return np.dot(a, b)


@misconception
def float64_returned(a, b):
    """You worked in float64 and returned that. The contract says float32, which is what the hardware has; a product of
    two float16 numbers fits into it exactly."""
    return np.dot(a.astype(np.float64), b.astype(np.float64))


@misconception
def python_float_returned(a, b):
    """You returned a Python float, which is fp64. Return a float32 scalar: `np.float32(…)`, or let NumPy
    add up."""
    return float(np.dot(single(a), single(b)))


@misconception
def python_zero_for_empty(a, b):
    """Your accumulator starts as Python's 0, and for empty vectors that is what you return. Start with
    `np.float32(0)`."""
    return np.dot(single(a), single(b)) if len(a) else 0.0


@misconception
def infinities_hidden(a, b):
    """You replace infinity and NaN by ordinary numbers. They say that something went wrong before: let them through."""
    with np.errstate(invalid="ignore"):
        return np.float32(np.nan_to_num(np.dot(single(a), single(b))))


@misconception
def first_product_taken_for_granted(a, b):
    """You start with the first product, and empty vectors have none. Start with `np.float32(0)`."""
    total = single(a)[0] * single(b)[0]
    return total + np.dot(single(a)[1:], single(b)[1:])


@misconception
def last_product_left_out(a, b):
    """You left out the last product. `range(n)` ends at n − 1 by itself: there is nothing to subtract."""
    return np.dot(single(a)[:-1], single(b)[:-1])


@misconception
def first_product_left_out(a, b):
    """You left out the first product. The first index is 0."""
    return np.dot(single(a)[1:], single(b)[1:])


@misconception
def products_not_added(a, b):
    """You returned the products one by one. A dot product is their sum, one number."""
    return single(a) * single(b)


@misconception
def outer_product(a, b):
    """You returned the outer product, every element of a times every element of b. The dot product multiplies only
    those at the same place, and adds."""
    return np.outer(single(a), single(b))


@misconception
def array_of_one_element(a, b):
    """You returned an array with one element. A scalar was asked for: the sum without `keepdims`, or `[0]` of it."""
    return np.sum(single(a) * single(b), keepdims=True)


@misconception
def sums_multiplied(a, b):
    """You added up each vector and multiplied the sums. Multiply element by element first, then add. (In `einsum` that
    is "i,i->", with the same letter twice.)"""
    return np.sum(single(a)) * np.sum(single(b))


@misconception
def mean_of_the_products(a, b):
    """You took the mean of the products. The dot product is their sum."""
    return np.mean(single(a) * single(b))


@misconception
def bits_taken_for_float32(a, b):
    """You used `view`, which keeps the bits and reads two float16 numbers as one float32. `astype` keeps the values."""
    return np.dot(a.view(np.float32), b.view(np.float32))


@misconception
def written_into_the_argument(a, b):
    """You wrote the products into one of the arguments: `*=` works in place, and in float16. `astype(np.float32)` gives
    you a new array to work on."""
    a *= b
    return np.sum(a, dtype=np.float32)


HINTS = (
    "Two things can go wrong in float16: a product (try 300 · 300) and a sum (try 2048 + 1). In which dtype does NumPy "
    "compute `a * b` for two float16 arrays?",
    "In float16, and converting afterwards comes too late. Convert the vectors themselves with `astype(np.float32)`, "
    "which gives new arrays; then every product and every sum is float32.",
    "`np.dot(a.astype(np.float32), b.astype(np.float32))` is all of it: a float32 scalar, and 0 for empty vectors. If "
    "you write the loop, start the accumulator with `np.float32(0)` and convert each element before you multiply.",
)
