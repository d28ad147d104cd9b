"""dequantize(q, scale, zero_point) -> np.ndarray: the float32 numbers that integers stand for."""

from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import CLOSE, hold_each
from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception

SIGNED, UNSIGNED = (np.int8, np.int16, np.int32, np.int64), (np.uint8, np.uint16, np.uint32, np.uint64)


def use(answer, q, scale, zero_point):
    """Call the answer; the sign of a zero does not count."""
    return plain(answer(q, scale, zero_point))


def hold_one(call):
    """The oracle: NumPy in 64 bits, rounded to float32 at the end."""
    q, scale, zero_point = call.arguments
    steps = q.astype(np.int64) - zero_point
    call.equals(plain(np.asarray(steps * np.asarray(scale, np.float64), np.float32)), rtol=CLOSE)


def hold(answer, *groups):
    hold_each(answer, chain(*groups), hold_one)


def of(dtype, *numbers):
    return np.array(numbers, dtype)


def single(*numbers):
    return np.array(numbers, np.float32)


def counted(*shape, dtype=np.int32):
    return (np.arange(np.prod(shape)) * 7 % 23 - 11 * (dtype in SIGNED)).reshape(shape).astype(dtype)


def test_zero_point_zero(answer):
    """q · scale, where the zero-point is 0"""
    hold(answer, [(of(np.int32, 0, 1, -3, 127), scale, 0) for scale in (1.0, 0.5, 0.1)])


def test_zero_point(answer):
    """(q − zero_point) · scale"""
    q = of(np.int32, 0, 3, 100, 255)
    hold(answer, [(q, scale, zero_point) for scale in (1.0, 0.25, 0.1) for zero_point in (3, -3, 128, 200)])


def test_zero_is_exact(answer):
    """The zero-point itself gives exactly 0"""
    hold(answer, [(of(np.int32, zero), scale, zero) for zero in (7, 93, 251) for scale in (0.1, 0.0123, 3.3)])


def test_signed_bits(answer):
    """Signed integers of 8 to 64 bits, with differences that 8 bits do not have"""
    hold(
        answer,
        [(of(dtype, -128, -100, 0, 100, 127), 0.5, zero_point) for dtype in SIGNED for zero_point in (-100, 90, 5)],
        [(of(np.int16, -32768, 32767), 0.5, zero_point) for zero_point in (-30000, 30000)],
    )


def test_unsigned_bits(answer):
    """Unsigned integers of 8 to 64 bits, below the zero-point too"""
    hold(
        answer,
        [(of(dtype, 0, 3, 128, 255), 0.5, zero_point) for dtype in UNSIGNED for zero_point in (3, 128, 250)],
        [(of(np.uint16, 0, 65535), 0.5, zero_point) for zero_point in (40000, 65535)],
    )


def test_zero_point_beyond_the_dtype(answer):
    """Zero-points that the dtype of q does not have"""
    cases = [(np.int8, 200), (np.int8, -1000), (np.uint8, -5), (np.uint8, 300), (np.int16, 40000), (np.uint16, -1)]
    hold(answer, [(of(dtype, 0, 1, 100), 0.25, zero_point) for dtype, zero_point in cases])


def test_digits(answer):
    """Right to one part in a million, next to a large zero-point too"""
    hold(
        answer,
        [(of(np.int32, zero + 1, zero - 1, zero + 2), 0.1, zero) for zero in (1000, 60001, -65535)],
        [(of(np.uint8, 199, 201, 202), scale, 200) for scale in (0.0123, 1 / 3, 3 / 255, 0.7)],
    )


def test_small_and_large_scales(answer):
    """Very small and very large scales"""
    hold(answer, [(of(np.int8, -7, 0, 7, 100), scale, 5) for scale in (1e-6, 1e-12, 1e-30, 1e6, 1e30)])


def test_channels(answer):
    """A scale for each channel, along any axis"""
    q, square = counted(5, 3, 2, dtype=np.int8), counted(3, 3)
    scales = [single(0.5, 0.1), single([0.5], [0.1], [3]), single(0.5, 0.3, 1, 0.1, 7).reshape(5, 1, 1)]
    hold(
        answer,
        [(q, scale, zero_point) for scale in scales for zero_point in (0, 11)],
        [(square, single(0.1, 0.5, 1).reshape(shape), 2) for shape in ((1, 3), (3, 1), (3,))],
    )


def test_shapes(answer):
    """Scalars, matrices, arrays without elements, more than two dimensions"""
    shapes = ((), (1,), (2, 3), (0,), (0, 4), (2, 1, 3, 2))
    hold(answer, [(counted(*shape, dtype=dtype), 0.3, 4) for shape in shapes for dtype in (np.int32, np.uint8)])


def test_layout(answer):
    """Transposed and strided arrays"""
    q = counted(4, 6, dtype=np.int8)
    hold(answer, [(view, 0.3, 5) for view in (q.T, q[:, ::2], q[::-1])])


@given(
    st.sampled_from(SIGNED + UNSIGNED), st.lists(st.integers(0, 127), min_size=1, max_size=5),
    st.sampled_from([0.003, 0.0625, 0.1, 1.9]), st.integers(-256, 256),
)  # fmt: skip
def test_random_numbers(answer, dtype, numbers, scale, zero_point):
    """Random integers, dtypes, scales and zero-points"""
    hold(answer, [(of(dtype, *numbers), scale, zero_point)])


def right(q, scale, zero_point):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return as_single((q.astype(np.int64) - zero_point) * np.asarray(scale, np.float64))


def as_single(numbers):
    return np.asarray(numbers).astype(np.float32)


@misconception
def in_the_dtype_of_q(q, scale, zero_point):
    """You subtracted in the dtype of q. In 8 bits 100 − (−100) wraps around to −56, unsigned integers have nothing
    below 0, and a zero-point may not fit at all: cast q to int32 first."""
    return as_single((q - zero_point) * scale)


@misconception
def as_the_formula_stands(q, scale, zero_point):
    """You wrote the formula as it stands. NumPy subtracts in the dtype of q, where 100 − (−100) may wrap around to −56,
    and multiplies to float64: cast q to int32 first, and the product to float32."""
    return (q - zero_point) * scale


@misconception
def in_the_dtype_of_q_by_force(q, scale, zero_point):
    """You cast the zero-point to the dtype of q. It may not fit there, and the difference wraps around: cast q to int32
    instead."""
    return as_single((q - np.asarray(zero_point).astype(q.dtype)) * scale)


@misconception
def in_8_bits(q, scale, zero_point):
    """You cast q to int8. Half of the unsigned integers change their sign there, and differences wrap around: cast it
    to int32."""
    return as_single((q.astype(np.int8) - np.asarray(zero_point).astype(np.int8)) * scale)


@misconception
def q_in_8_bits(q, scale, zero_point):
    """You cast q to int8 before you went on. From 128 on, unsigned integers change their sign there: cast it to
    int32."""
    return right(q.astype(np.int8), scale, zero_point)


@misconception
def in_16_bits(q, scale, zero_point):
    """You subtract in 16 bits. Differences of integers from −2¹⁶ to 2¹⁶ do not fit there: cast q to int32."""
    return as_single((q.astype(np.int16) - zero_point) * scale)


@misconception
def zero_point_added(q, scale, zero_point):
    """You added the zero-point. It was added when x was quantized, so subtract it here."""
    return right(q, scale, -zero_point)


@misconception
def zero_point_forgotten(q, scale, zero_point):
    """You left the zero-point out. It is the integer that stands for 0: subtract it before you multiply."""
    return right(q, scale, 0)


@misconception
def zero_point_after_the_scale(q, scale, zero_point):
    """You multiplied first and subtracted the zero-point then. It counts steps, like q: subtract it first."""
    return as_single(q.astype(np.int64) * np.asarray(scale, np.float64) - zero_point)


@misconception
def scale_on_the_zero_point_only(q, scale, zero_point):
    """You multiplied the zero-point alone by the scale. Parentheses are missing: (q − zero_point) · scale."""
    return as_single(q.astype(np.int64) - zero_point * np.asarray(scale, np.float64))


@misconception
def difference_the_other_way(q, scale, zero_point):
    """You subtracted q from the zero-point, so every sign is wrong: it is q − zero_point."""
    return -right(q, scale, zero_point)


@misconception
def divided(q, scale, zero_point):
    """You divided by the scale. The scale is the size of one step, so the number is so many steps *times* the scale."""
    return right(q, 1.0, zero_point) / as_single(scale)


@misconception
def multiplied_out(q, scale, zero_point):
    """You multiplied out in float32. scale · q and scale · zero_point are both large and both rounded, and their
    difference keeps the errors: subtract the integers first, which is exact."""
    scale = as_single(scale)
    return q.astype(np.float32) * scale - np.float32(zero_point) * scale


@misconception
def offset_with_double_precision(q, scale, zero_point):
    """You computed scale · zero_point in double precision, and scale · q in single. The two no longer cancel: subtract
    the integers first, and 0 is exact."""
    return as_single(q.astype(np.float32) * as_single(scale) - zero_point * np.asarray(scale, np.float64))


@misconception
def in_double_precision(q, scale, zero_point):
    """You returned float64. The contract asks for float32: cast at the end."""
    return (q.astype(np.int64) - zero_point) * np.asarray(scale, np.float64)


@misconception
def in_half_precision(q, scale, zero_point):
    """You went through float16, which has 11 bits for the digits and ends at 65504. Compute in float32 or float64."""
    return as_single(right(q, 1.0, zero_point).astype(np.float16) * np.asarray(scale).astype(np.float16))


@misconception
def difference_in_half_precision(q, scale, zero_point):
    """You made float16 of the integers, which has 11 bits for the digits. Cast q to int32, and to float32 at the
    end."""
    return as_single(right(q, 1.0, zero_point).astype(np.float16).astype(np.float32) * as_single(scale))


@misconception
def still_integers(q, scale, zero_point):
    """You returned integers: the cast has cut off what comes after the point. The result is float32."""
    with np.errstate(invalid="ignore"):
        return right(q, scale, zero_point).astype(np.int32)


@misconception
def cut_off(q, scale, zero_point):
    """You rounded the product to a whole number. The numbers that come back are real numbers: do not round."""
    return np.trunc(right(q, scale, zero_point))


@misconception
def scale_along_the_first_axis(q, scale, zero_point):
    """You put the scales along the first axis. Their shape says where they belong: let NumPy broadcast them as they
    are."""
    along_first = np.resize(scale, len(q)).reshape(-1, *[1] * (q.ndim - 1)) if q.ndim else scale
    return right(q, along_first, zero_point)


@misconception
def scale_along_the_last_axis(q, scale, zero_point):
    """You put the scales along the last axis. Their shape says where they belong: let NumPy broadcast them as they
    are."""
    return right(q, np.resize(scale, q.shape[-1]) if q.ndim else scale, zero_point)


@misconception
def one_scale_for_all_channels(q, scale, zero_point):
    """You used one scale for all channels. `scale` may be an array: let NumPy broadcast it."""
    return right(q, np.ravel(scale)[0], zero_point)


@misconception
def scale_as_one_float(q, scale, zero_point):
    """Where the scale is an array you want one Python number of it: `float(…)`, `int(…)` and `math` do, and so does an
    assignment to one element. Leave arrays whole: NumPy computes with all their elements."""
    return right(q, float(scale), zero_point)


@misconception
def q_changed_in_place(q, scale, zero_point):
    """You changed the caller's array. `q -= zero_point` works in place: write `q.astype(np.int32) - zero_point`."""
    q -= zero_point
    return as_single(q * scale)


@misconception
def multiplied_out_with_a_python_float(q, scale, zero_point):
    """You multiplied out in float32, by a scale that is a Python float. scale · q and scale · zero_point are both large
    and both rounded, and their difference keeps the errors: subtract the integers first, which is exact."""
    return as_single(q.astype(np.float32) * scale - zero_point * scale)


@misconception
def steps_in_half_precision(q, scale, zero_point):
    """You made float16 of the integers, which has 11 bits for the digits and ends at 65504. Cast q to int32, and to
    float32 at the end."""
    return as_single((q.astype(np.float16) - zero_point) * scale)


@misconception
def zero_point_in_the_dtype_of_q(q, scale, zero_point):
    """You made the zero-point a number of q's dtype. It may be one that this dtype does not have: leave it a Python
    int, and cast q to int32."""
    return right(q, scale, int(q.dtype.type(zero_point)))


@misconception
def q_as_one_number(q, scale, zero_point):
    """You want one Python number of an array: `float(…)`, `int(…)` and `math` do. Leave q whole: NumPy subtracts and
    multiplies all its elements."""
    return as_single((float(q) - zero_point) * scale)


@misconception
def one_row_after_the_other(q, scale, zero_point):
    """You go through q one element at a time. That stops where q has no or several dimensions, and each element needs
    its own scale: let NumPy subtract and multiply whole arrays."""
    return np.array([(int(number) - zero_point) * scale for number in q], np.float32)


@misconception
def one_row_after_the_other_in_place(q, scale, zero_point):
    """You fill the result one element at a time. That stops where q has no or several dimensions, and each element
    needs its own scale: let NumPy subtract and multiply whole arrays."""
    out = np.zeros(q.shape, np.float32)
    for i in range(len(q)):
        out[i] = (int(q[i]) - zero_point) * scale
    return out


@misconception
def zero_point_held_in_the_dtype_of_q(q, scale, zero_point):
    """You clipped the zero-point to the dtype of q. It may lie beyond it: leave it as it is, and cast q to int32."""
    ends = np.iinfo(q.dtype)
    return right(q, scale, min(max(zero_point, int(ends.min)), int(ends.max)))


@misconception
def unsigned(q, scale, zero_point):
    """You cast q to an unsigned dtype, where negative numbers wrap around. int32 has both signs."""
    return as_single((q.astype(np.uint32) - np.asarray(zero_point).astype(np.uint32)) * scale)


@misconception
def one_dimension_at_least(q, scale, zero_point):
    """You gave a scalar a dimension. The result has the shape of q, () too."""
    return np.atleast_1d(right(q, scale, zero_point))


@misconception
def wide_q_changed_in_place(q, scale, zero_point):
    """You changed the caller's array. Where q is int32 already, `np.asarray` and `astype(…, copy=False)` return q
    itself, and `-=` works in place: write `q - zero_point`."""
    steps = q.astype(np.int32, copy=False)
    steps -= zero_point
    return as_single(steps * scale)


@misconception
def scale_in_half_precision(q, scale, zero_point):
    """Your scale went through float16, which has 11 bits for the digits. Leave it as it is."""
    return as_single((q.astype(np.float32) - zero_point) * np.asarray(scale, np.float16))


HINTS = (
    "Subtract first, multiply then. But in which dtype do you subtract? Try q = 100 in int8 with zero-point −100, and "
    "q = 3 in uint8 with zero-point 5.",
    "Make room before you subtract: `q.astype(np.int32)`. The difference of integers is exact, so 0 comes out exactly. "
    "Cast to float32 at the end.",
    "`((q.astype(np.int32) - zero_point) * scale).astype(np.float32)`. A scale array broadcasts by itself.",
)
