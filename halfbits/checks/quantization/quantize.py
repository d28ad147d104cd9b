"""quantize(x, scale, zero_point, qmin, qmax) -> np.ndarray: the int32 integers that stand for real numbers."""

from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import hold_each
from halfbits.checks.quantization.common import neighbours
from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception

INF = float("inf")


def use(answer, *arguments):
    """Call the answer; a tensor will do where an array is asked for."""
    return plain(answer(*arguments))


def hold_one(call):
    """The oracle: NumPy in float64; of two right neighbours the one that was returned."""
    x = call.arguments[0]
    lowest, highest = neighbours(*call.arguments)
    got = call.returned if isinstance(call.returned, np.ndarray | np.generic) else np.empty(0)
    comparable = call.raised is None and got.shape == x.shape and got.dtype.kind in "iuf"
    wanted = np.clip(got, lowest, highest) if comparable else lowest
    call.equals(np.nan_to_num(wanted).astype(np.int32))


def hold(answer, *groups):
    hold_each(answer, chain(*groups), hold_one)


def single(*numbers):
    return np.array(numbers, np.float32)


def counted(*shape):
    """Numbers of both signs whose quotients by 0.5, 0.25, 0.125 and 1 are clear of ties."""
    return ((np.arange(np.prod(shape)) * 7 % 23 - 11) * 0.53).reshape(shape).astype(np.float32)


def test_rounds_to_nearest(answer):
    """x / scale is rounded to the nearest integer"""
    hold(
        answer,
        [(single(0.9, 1.2, -0.9, -1.2, 0), 1.0, 0, -127, 127), (single(1.3, 2.9, -1.3), 0.5, 0, -8, 7)],
        [(single(-0.3, -0.7, -2.6, 2.6, 5.9), 1.0, 10, 0, 255), (counted(12), 0.125, 0, -127, 127)],
    )


def test_zero_point(answer):
    """The zero-point is added, so that 0 becomes the zero-point"""
    hold(
        answer,
        [(single(0, 1, -1, 40, -40), 1.0, zero_point, 0, 255) for zero_point in (3, 128, 200)],
        [(counted(6), 0.25, zero_point, -128, 127) for zero_point in (-100, -7, 50)],
    )


def test_scales(answer):
    """Scales that are not powers of two"""
    hold(answer, [(single(-1, -0.33, 0, 0.5, 2), scale, 85, 0, 255) for scale in (3 / 255, 0.01, 0.3, 0.7)])


def test_clipped_at_both_ends(answer):
    """What lies beyond the ends is clipped, after the zero-point is added"""
    hold(
        answer,
        [(single(-300, -130, 0, 130, 300), 1.0, zero_point, 0, 255) for zero_point in (10, 128, 250)],
        [(single(-9, -3, 3, 9), 1.0, zero_point, -8, 7) for zero_point in (-6, 0, 5)],
        [(single(-2, -1, 0, 1, 2, 3), 1.0, 1, 0, 3)],
    )


def test_other_ranges(answer):
    """Other ranges of integers than 8 bits"""
    ranges = [(-1, 1, 0), (0, 3, 2), (-7, 7, 0), (0, 15, 4), (-32767, 32767, 0), (0, 65535, 40000), (-5, 90, 17)]
    hold(
        answer,
        [(single(-70000, -20, -3, 0, 2, 40, 70000), 1.0, zero, low, high) for low, high, zero in ranges],
        [(single(-20001, -3003, 2049, 5001, 12345), 1.0, zero, low, high) for low, high, zero in ranges[4:6]],
    )


def test_far_outside(answer):
    """Numbers far outside, infinities too"""
    far = [single(3e9, -3e9), single(1e20, 0, -1e20), single(INF, -INF), single(3e38, -3e38)]
    hold(
        answer,
        [(x, 0.5, zero_point, 0, 255) for x in far for zero_point in (5, 200)],
        [(x, 0.001, -3, -128, 127) for x in far],
    )


def test_ties(answer):
    """Exactly half-way between two integers: either will do"""
    hold(
        answer,
        [(single(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5), 1.0, 7, 0, 255)],
        [(single(-0.75, -0.25, 0.25, 0.75), 0.5, -3, -128, 127)],
    )


def test_channels(answer):
    """A scale for each channel, along any axis"""
    x = counted(5, 3, 2)
    scales = [single(0.5, 0.125), single([0.5], [0.125], [1]), single(0.5, 0.25, 1, 0.125, 0.5).reshape(5, 1, 1)]
    square = counted(3, 3)
    hold(
        answer,
        [(x, scale, zero_point, -128, 127) for scale in scales for zero_point in (0, 11)],
        [(square, single(0.125, 0.5, 1).reshape(shape), 2, -8, 7) for shape in ((1, 3), (3, 1), (3,))],
    )


def test_shapes(answer):
    """Scalars, matrices, arrays without elements, more than two dimensions"""
    hold(
        answer,
        [(counted(*shape), 0.25, 3, -128, 127) for shape in ((), (1,), (2, 3), (0,), (0, 4), (2, 1, 3, 2))],
        [(counted(0, 3), single(1, 2, 3), 0, -127, 127)],
    )


def test_layout_and_dtype(answer):
    """Transposed and strided arrays, and float64"""
    x = counted(4, 6)
    hold(answer, [(view, 0.25, 5, 0, 15) for view in (x.T, x[:, ::2], x[::-1], x.astype(np.float64))])


@given(
    st.lists(st.integers(-4000, 4000), min_size=1, max_size=5), st.sampled_from([0.003, 0.0625, 0.1, 1.9]),
    st.integers(0, 255), st.sampled_from([(0, 255), (-128, 127), (-127, 127), (0, 15)]),
)  # fmt: skip
def test_random_numbers(answer, numbers, scale, zero_point, ends):
    """Random numbers, scales and zero-points"""
    qmin, qmax = ends
    hold(answer, [(single(*numbers) / 16, scale, qmin + zero_point % (qmax - qmin + 1), qmin, qmax)])


def rounded(x, scale, zero_point):
    """Rounded and shifted, not clipped: for the misconceptions to be wrong in one place only."""
    return np.round(x / scale) + zero_point


def clipped(q, qmin, qmax):
    return np.clip(q, qmin, qmax).astype(np.int32)


@misconception
def truncated(x, scale, zero_point, qmin, qmax):
    """You cut the digits of x / scale off. `astype` and `np.trunc` go towards 0, which makes every number smaller:
    round with `np.round` first."""
    return clipped(np.trunc(x / scale) + zero_point, qmin, qmax)


@misconception
def truncated_at_the_end(x, scale, zero_point, qmin, qmax):
    """You never rounded: `astype` cuts the digits off, and for x / scale + zero_point > 0 that rounds down. Round with
    `np.round` first."""
    return clipped(x / scale + zero_point, qmin, qmax)


@misconception
def rounded_down(x, scale, zero_point, qmin, qmax):
    """You rounded down, with `np.floor` or `//`. Round to the nearest integer: `np.round`."""
    return clipped(np.floor(x / scale) + zero_point, qmin, qmax)


@misconception
def rounded_up(x, scale, zero_point, qmin, qmax):
    """You rounded up. Round to the nearest integer: `np.round`."""
    return clipped(np.ceil(x / scale) + zero_point, qmin, qmax)


@misconception
def half_added_and_truncated(x, scale, zero_point, qmin, qmax):
    """You added ½ and cut the digits off. That rounds positive numbers; −0.9 becomes −0.4 and then 0. `np.round` rounds
    both."""
    return clipped(np.trunc(x / scale + 0.5) + zero_point, qmin, qmax)


@misconception
def rounded_before_the_division(x, scale, zero_point, qmin, qmax):
    """You rounded x and divided then. What has to be a whole number is the number of steps, x / scale: divide first."""
    return clipped(np.trunc(np.round(x) / scale) + zero_point, qmin, qmax)


@misconception
def clipped_before_the_zero_point(x, scale, zero_point, qmin, qmax):
    """You clipped before you added the zero-point. qmin and qmax are the ends of the *stored* integers, and those have
    the zero-point in them: clip last."""
    return (np.clip(np.round(x / scale), qmin, qmax) + zero_point).astype(np.int32)


@misconception
def zero_point_forgotten(x, scale, zero_point, qmin, qmax):
    """You did not add the zero-point. It is the integer that stands for 0."""
    return clipped(np.round(x / scale), qmin, qmax)


@misconception
def zero_point_subtracted(x, scale, zero_point, qmin, qmax):
    """You subtracted the zero-point. 0 has to become the zero-point, so it is added here, and subtracted on the way
    back."""
    return clipped(np.round(x / scale) - zero_point, qmin, qmax)


@misconception
def zero_point_before_the_division(x, scale, zero_point, qmin, qmax):
    """You added the zero-point to x. It counts steps, not units of x: divide by the scale first."""
    return clipped(np.round((x + zero_point) / scale), qmin, qmax)


@misconception
def multiplied(x, scale, zero_point, qmin, qmax):
    """You multiplied by the scale. The scale is the size of one step: how many of them x has is x / scale."""
    return clipped(np.round(x * scale) + zero_point, qmin, qmax)


@misconception
def not_clipped(x, scale, zero_point, qmin, qmax):
    """You did not clip. Only the integers from qmin to qmax can be stored: `np.clip`."""
    return rounded(x, scale, zero_point).astype(np.int32)


@misconception
def clipped_above_only(x, scale, zero_point, qmin, qmax):
    """You clipped at qmax only. Numbers below the range have to become qmin."""
    return np.minimum(rounded(x, scale, zero_point), qmax).astype(np.int32)


@misconception
def clipped_below_only(x, scale, zero_point, qmin, qmax):
    """You clipped at qmin only. Numbers above the range have to become qmax."""
    return np.maximum(rounded(x, scale, zero_point), qmin).astype(np.int32)


@misconception
def wrapped_around(x, scale, zero_point, qmin, qmax):
    """You cast to 8 bits before you clipped. A cast keeps the lowest bits, so that 128 becomes −128: clip first, and
    return int32."""
    q = np.nan_to_num(rounded(x, scale, zero_point)).astype(np.int64)
    return clipped(q.astype(np.int8 if qmin < 0 else np.uint8), qmin, qmax)


@misconception
def cast_before_clipping(x, scale, zero_point, qmin, qmax):
    """You cast to an integer type before you clipped. A float beyond its range, ±2³¹ in int32, becomes any number,
    often of the other sign: clip while it is a float."""
    return np.clip(np.round(x / scale).astype(np.int32) + zero_point, qmin, qmax)


@misconception
def sum_cast_before_clipping(x, scale, zero_point, qmin, qmax):
    """You rounded, added and cast to an integer type, and clipped after that. A float beyond its range, ±2³¹ in int32,
    becomes any number, often of the other sign: clip while it is a float."""
    return np.clip(rounded(x, scale, zero_point).astype(np.int32), qmin, qmax)


@misconception
def clipped_to_8_bits(x, scale, zero_point, qmin, qmax):
    """You clipped to the ends of 8 bits, −128…127 or 0…255. Clip to `qmin` and `qmax`, which the caller chooses."""
    return clipped(rounded(x, scale, zero_point), *((-128, 127) if qmin < 0 else (0, 255)))


@misconception
def clipped_to_int8(x, scale, zero_point, qmin, qmax):
    """You clipped to −128…127 whatever `qmin` and `qmax` say."""
    return clipped(rounded(x, scale, zero_point), -128, 127)


@misconception
def clipped_to_uint8(x, scale, zero_point, qmin, qmax):
    """You clipped to 0…255 whatever `qmin` and `qmax` say."""
    return clipped(rounded(x, scale, zero_point), 0, 255)


@misconception
def without_qmax(x, scale, zero_point, qmin, qmax):
    """You clipped at qmax − 1. Both ends can be stored, qmax too."""
    return clipped(rounded(x, scale, zero_point), qmin, qmax - 1)


@misconception
def symmetric_clip(x, scale, zero_point, qmin, qmax):
    """You clipped to −qmax…qmax. The lower end is `qmin`, and it need not be the mirror of the upper one."""
    return clipped(rounded(x, scale, zero_point), -qmax, qmax)


@misconception
def still_floats(x, scale, zero_point, qmin, qmax):
    """Your integers are floats: `np.round` rounds, and leaves the dtype as it is. Cast at the end:
    `.astype(np.int32)`."""
    return np.clip(rounded(x, scale, zero_point), qmin, qmax)


@misconception
def in_64_bits(x, scale, zero_point, qmin, qmax):
    """You returned int64, which `astype(int)` gives. The contract asks for int32."""
    return np.clip(rounded(x, scale, zero_point), qmin, qmax).astype(np.int64)


@misconception
def in_8_bits(x, scale, zero_point, qmin, qmax):
    """You returned 8-bit integers. The contract asks for int32, since qmin…qmax may be wider than 8 bits."""
    q = np.clip(np.nan_to_num(rounded(x, scale, zero_point)), qmin, qmax).astype(np.int64)
    return q.astype(np.int8 if qmin < 0 else np.uint8)


@misconception
def scale_along_the_first_axis(x, scale, zero_point, qmin, qmax):
    """You put the scales along the first axis. Their shape says where they belong: let NumPy broadcast them as they
    are."""
    along_first = np.resize(scale, len(x)).reshape(-1, *[1] * (x.ndim - 1)) if x.ndim else scale
    return clipped(rounded(x, along_first, zero_point), qmin, qmax)


@misconception
def scale_along_the_last_axis(x, scale, zero_point, qmin, qmax):
    """You put the scales along the last axis. Their shape says where they belong: let NumPy broadcast them as they
    are."""
    along_last = np.resize(scale, x.shape[-1]) if x.ndim else scale
    return clipped(rounded(x, along_last, zero_point), qmin, qmax)


@misconception
def one_scale_for_all_channels(x, scale, zero_point, qmin, qmax):
    """You used one scale for all channels. `scale` may be an array: let NumPy broadcast it."""
    return clipped(rounded(x, np.ravel(scale)[0], zero_point), qmin, qmax)


@misconception
def largest_scale_for_all_channels(x, scale, zero_point, qmin, qmax):
    """You used the largest scale for all channels. Each channel has its own: let NumPy broadcast the array."""
    return clipped(rounded(x, np.max(scale), zero_point), qmin, qmax)


@misconception
def scale_as_one_float(x, scale, zero_point, qmin, qmax):
    """Where the scale is an array you want one Python number of it: `float(…)`, `int(…)` and `math` do, and so does an
    assignment to one element. Leave arrays whole: NumPy computes with all their elements."""
    return clipped(rounded(x, float(scale), zero_point), qmin, qmax)


@misconception
def x_changed_in_place(x, scale, zero_point, qmin, qmax):
    """You changed the caller's array. `x /= scale` works in place: write `x / scale`."""
    q = rounded(x, scale, zero_point)
    if x.size and x.ndim:
        x /= scale
    return clipped(q, qmin, qmax)


@misconception
def x_as_one_float(x, scale, zero_point, qmin, qmax):
    """You want one Python number of an array: `float(…)`, `int(…)` and `math` do. Leave x whole: `np.round` and
    `np.clip` take arrays."""
    return np.clip(round(float(x / scale)) + zero_point, qmin, qmax)


@misconception
def rounded_by_python(x, scale, zero_point, qmin, qmax):
    """Python's `round` is for single numbers. For an array it is `np.round`."""
    return clipped(round(x / scale) + zero_point, qmin, qmax)


@misconception
def one_by_one(x, scale, zero_point, qmin, qmax):
    """You go through x one element at a time and make Python ints of them. An infinity is none, and an x of more
    dimensions has rows for elements: let `np.round` and `np.clip` take the whole array."""
    return np.array([min(max(round(number / scale) + zero_point, qmin), qmax) for number in x], dtype=np.int32)


@misconception
def scales_flattened(x, scale, zero_point, qmin, qmax):
    """You flattened the scales. Their shape says which axis they belong to: let NumPy broadcast them as they are."""
    return clipped(rounded(x, np.ravel(scale) if np.ndim(scale) else scale, zero_point), qmin, qmax)


@misconception
def shape_of_a_float(x, scale, zero_point, qmin, qmax):
    """You asked a Python float for its shape. `scale` may be an array or a float, and NumPy broadcasts both as they
    are."""
    return clipped(rounded(x, np.reshape(scale, scale.shape), zero_point), qmin, qmax)


@misconception
def quotient_in_half_precision(x, scale, zero_point, qmin, qmax):
    """You went through float16, which has 11 bits for the digits: of 5001 it makes 5000. Compute in float32 or
    float64."""
    with np.errstate(over="ignore"):
        quotient = np.asarray(x / scale).astype(np.float16)
    return clipped(np.round(quotient).astype(np.float32) + zero_point, qmin, qmax)


@misconception
def wrapped_in_16_bits(x, scale, zero_point, qmin, qmax):
    """You cast to int16 on the way, which ends at 32767; larger integers wrap around. Cast to int32."""
    return clipped(rounded(x, scale, zero_point), qmin, qmax).astype(np.int16).astype(np.int32)


@misconception
def infinities_as_zeros(x, scale, zero_point, qmin, qmax):
    """You made zeros of the infinities. They lie beyond the ends like other large numbers: `np.clip` brings them to
    qmin and qmax."""
    return clipped(rounded(np.where(np.isinf(x), 0, x), scale, zero_point), qmin, qmax)


@misconception
def one_dimension_at_least(x, scale, zero_point, qmin, qmax):
    """You gave a scalar a dimension. The result has the shape of x, () too."""
    return np.atleast_1d(clipped(rounded(x, scale, zero_point), qmin, qmax))


@misconception
def vectorized(x, scale, zero_point, qmin, qmax):
    """You used `np.vectorize`, a loop that wants one element at least. NumPy's own functions take whole arrays, empty
    ones too: `np.round`, `np.clip`."""
    return np.vectorize(lambda number, scale: clipped(rounded(number, scale, zero_point), qmin, qmax))(x, scale)


@misconception
def magnitudes(x, scale, zero_point, qmin, qmax):
    """You lost the sign of x. Negative numbers lie below the zero-point."""
    return clipped(rounded(np.abs(x), scale, zero_point), qmin, qmax)


@misconception
def x_clipped_in_place(x, scale, zero_point, qmin, qmax):
    """You clipped the caller's array in place (`x[x > …] = …`). Clip a new one: `np.clip(…)` returns one."""
    q = clipped(rounded(x, scale, zero_point), qmin, qmax)
    if x.size and x.ndim:
        np.clip(x, (qmin - zero_point) * scale, (qmax - zero_point) * scale, out=x)
    return q


HINTS = (
    "Four steps: divide, round, add, clip. In which order, and which of them while the numbers are still floats? Try "
    "x = 300 with zero-point 10.",
    "`np.round` rounds and leaves floats, `np.clip` takes both ends at once. Add the zero-point after the rounding, "
    "clip after the addition, and cast after the clipping: beyond ±2³¹ a cast gives any number.",
    "`q = np.round(x / scale) + zero_point`, then `np.clip(q, qmin, qmax).astype(np.int32)`. A scale array "
    "broadcasts by itself.",
)
