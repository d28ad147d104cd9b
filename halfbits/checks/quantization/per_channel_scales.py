"""per_channel_scales(weights, bits, axis) -> np.ndarray: the symmetric scale of each channel."""

from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import CLOSE, hold_each
from halfbits.checks.quantization.common import is_usable
from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception


def use(answer, *arguments):
    """Call the answer; a tensor will do for an array, and float64 for float32."""
    returned = plain(answer(*arguments))
    with np.errstate(over="ignore", under="ignore"):
        return returned.astype(np.float32) if getattr(returned, "dtype", None) == np.float64 else returned


def hold_one(call):
    """The oracle: channel by channel with `np.take`; where a channel is zeros, whatever usable scale was returned."""
    weights, bits, axis = call.arguments
    got = call.returned
    comparable = isinstance(got, np.ndarray) and got.shape == (weights.shape[axis],) and got.dtype.kind == "f"
    wanted = np.zeros(weights.shape[axis], np.float32)
    unusable = False
    for channel in range(len(wanted)):
        largest = max(map(abs, np.take(weights, channel, axis).ravel().tolist()))
        wanted[channel] = largest / (2 ** (bits - 1) - 1)
        if largest == 0:
            usable = comparable and is_usable(got[channel])
            wanted[channel] = got[channel] if usable else 1.0
            unusable |= comparable and not usable
    why = (
        "a channel of zeros: its scale must be finite and more than 0, after a cast to float32 too" if unusable else ""
    )
    call.equals(wanted, rtol=CLOSE, because=why)


def hold(answer, *groups):
    hold_each(answer, chain(*groups), hold_one)


def single(*rows):
    return np.array(rows, np.float32)


def counted(*shape):
    """Weights of both signs; no two channels along any axis have the same largest one."""
    number = np.arange(np.prod(shape))
    return ((1 + number) * np.where(number * 5 % 7 % 2, 0.03, -0.03)).reshape(shape).astype(np.float32)


def test_kernel_of_a_dense_layer(answer):
    """A Dense kernel, a scale for each unit"""
    hold(
        answer,
        [(single([1, 4], [2, 3], [3, 5]), 8, 1), (counted(5, 3), 8, 1), (counted(2, 6), 8, 1)],
    )


def test_first_axis(answer):
    """The channels along the first axis"""
    hold(answer, [(single([1, 4], [2, 3], [3, 5]), 8, 0), (counted(5, 3), 8, 0), (counted(2, 3, 2, 4), 8, 0)])


def test_as_many_rows_as_columns(answer):
    """As many rows as columns"""
    hold(answer, [(single([1, 4], [2, 3]), 8, axis) for axis in (0, 1)], [(counted(4, 4), 8, axis) for axis in (0, 1)])


def test_any_axis(answer):
    """Three and four dimensions, along every axis"""
    hold(
        answer,
        [(counted(3, 2, 5), 8, axis) for axis in range(3)],
        [(counted(3, 2, 4, 5), 8, axis) for axis in range(4)],
        [(counted(3, 3, 3), 8, axis) for axis in range(3)],
    )


def test_negative_axis(answer):
    """A negative axis counts from the last one"""
    hold(
        answer,
        [(single([1, 4], [2, 3], [3, 5]), 8, axis) for axis in (-1, -2)],
        [(counted(3, 2, 4, 5), 8, axis) for axis in range(-4, 0)],
    )


def test_signs(answer):
    """Negative weights, whose magnitude counts"""
    hold(
        answer,
        [(single([-4, 1], [2, -3], [1, -1]), 8, axis) for axis in (0, 1)],
        [(-np.abs(counted(3, 4)), 8, axis) for axis in (0, 1)],
    )


def test_unequal_channels(answer):
    """Channels of very different size, very small ones too"""
    sizes = np.float32([1e-20, 1e-12, 1e-9, 1e-6, 1, 1e6])
    weights = single([1, -2, 3, -1.5, 0.5, 2], [2, 1, -1, 3, -3, 1]) * sizes
    hold(answer, [(weights, 8, 1), (weights.T, 8, 0), (weights, 8, 0), (weights, 4, -1)])


def test_channel_of_zeros(answer):
    """A channel of zeros gets a usable scale, and the others keep theirs"""
    weights = single([1, 0, -3], [2, 0, 1])
    hold(
        answer,
        [(weights, 8, 1), (weights.T, 8, 0), (np.zeros((2, 3), np.float32), 8, -1), (single([[0], [0]]), 4, 0)],
        [(single([0, 1e-12]), 8, 1)],
    )


def test_other_bits(answer):
    """From 2 to 16 bits"""
    hold(answer, [(counted(3, 4), bits, axis) for bits in (2, 3, 4, 7, 12, 16) for axis in (1, 0)])


def test_shapes(answer):
    """One dimension, one channel, one weight a channel"""
    hold(
        answer,
        [(np.float32([1, -2, 3]), 8, axis) for axis in (0, -1)],
        [(counted(*shape), 8, 1) for shape in ((4, 1), (1, 4), (1, 1))],
    )


def test_layout_and_dtype(answer):
    """Transposed and strided arrays, and float64"""
    weights = counted(4, 6, 2)
    views = (weights.T, weights[:, ::2], weights[::-1], weights.astype(np.float64))
    hold(answer, [(view, 8, axis) for view in views for axis in (0, 1)])


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.sampled_from([8, 4, 3, 16, 2]),
    st.integers(0, 7),
    st.integers(1, 99),
)
def test_random_weights(answer, shape, bits, axis, seed):
    """Random weights, shapes and axes"""
    weights = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    hold(answer, [(weights, bits, axis % (2 * len(shape)) - len(shape))])


def by_channel(weights, axis):
    """The channels as rows."""
    return np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)


def scales(largest, bits):
    """The right scales from the largest magnitudes, for the misconceptions to be wrong in one place only."""
    return np.where(largest == 0, 1.0, largest / (2 ** (bits - 1) - 1))


def right(weights, bits, axis):
    return scales(largest_of(by_channel(weights, axis)), bits)


def largest_of(channels):
    return np.max(np.abs(channels), axis=1)


@misconception
def one_scale_for_all(weights, bits, axis):
    """You gave every channel the scale of the whole tensor. Take the maximum over all axes *but* `axis`."""
    return scales(np.full(weights.shape[axis], np.max(np.abs(weights))), bits)


@misconception
def one_scale(weights, bits, axis):
    """You returned one scale for the whole tensor. Each channel gets its own: take the maximum over all axes *but*
    `axis`."""
    return scales(np.max(np.abs(weights)), bits)


@misconception
def over_the_axis(weights, bits, axis):
    """You took the maximum over `axis`. That is the axis to keep: take it over all the others."""
    return scales(np.max(np.abs(weights), axis=axis), bits)


@misconception
def negative_axis_reduced_too(weights, bits, axis):
    """Your list of the other axes does not know negative ones: −1 is not equal to any of 0, 1, …, so nothing is kept.
    Make it positive first: `axis % weights.ndim`."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    return scales(np.max(np.abs(weights), axis=others), bits)


@misconception
def always_the_last_axis(weights, bits, axis):
    """You took the channels along the last axis, whatever `axis` says."""
    return right(weights, bits, -1)


@misconception
def always_the_first_axis(weights, bits, axis):
    """You took the channels along the first axis, whatever `axis` says."""
    return right(weights, bits, 0)


@misconception
def other_axis_of_two(weights, bits, axis):
    """You took the maximum over axis 1 − `axis`, which is right for a matrix only. Take it over *all* the other
    axes."""
    return scales(np.max(np.abs(weights), axis=1 - axis), bits)


@misconception
def reshaped_without_moving(weights, bits, axis):
    """You reshaped to (channels, −1) right away. `reshape` keeps the order in memory, so the rows are channels only
    where `axis` is the first one: bring it there with `np.moveaxis`."""
    return scales(largest_of(weights.reshape(weights.shape[axis], -1)), bits)


@misconception
def reshaped_for_the_last_axis(weights, bits, axis):
    """You reshaped to (−1, channels) right away. `reshape` keeps the order in memory, so the columns are channels only
    where `axis` is the last one: bring it there with `np.moveaxis`."""
    return scales(np.max(np.abs(weights.reshape(-1, weights.shape[axis])), axis=0), bits)


@misconception
def swapped_with_the_wrong_axis(weights, bits, axis):
    """You brought `axis` to the last place and took the rows. Bring it to the first, or take the columns."""
    return scales(largest_of(np.moveaxis(weights, axis, -1).reshape(weights.shape[axis], -1)), bits)


@misconception
def maximum_without_abs(weights, bits, axis):
    """You took the largest weight instead of the largest magnitude. A weight of −4 needs more room than one of 3: use
    `np.abs`."""
    return scales(np.max(by_channel(weights, axis), axis=1), bits)


@misconception
def abs_of_the_maximum(weights, bits, axis):
    """You took the magnitude of the largest weight. −4 is smaller than 3 and has the larger magnitude: `np.abs` comes
    before `np.max`."""
    return scales(np.abs(np.max(by_channel(weights, axis), axis=1)), bits)


@misconception
def from_the_width(weights, bits, axis):
    """You divided maximum − minimum. With zero-point 0 the range is symmetric, so the largest magnitude decides for
    both sides."""
    channels = by_channel(weights, axis)
    return scales((np.max(channels, axis=1) - np.min(channels, axis=1)) / 2, bits)


@misconception
def asymmetric(weights, bits, axis):
    """Your scales are asymmetric: maximum − minimum in 2^bits − 1 steps. Symmetric ones are the largest magnitude in
    2^(bits−1) − 1 steps."""
    channels = by_channel(weights, axis)
    width = np.maximum(np.max(channels, axis=1), 0) - np.minimum(np.min(channels, axis=1), 0)
    return np.where(width == 0, 1.0, width / (2**bits - 1))


@misconception
def mean_magnitude(weights, bits, axis):
    """You took the mean magnitude. What is larger than that would be clipped: take the largest."""
    return scales(np.mean(np.abs(by_channel(weights, axis)), axis=1), bits)


@misconception
def one_level_too_many(weights, bits, axis):
    """You divided by 2^(bits−1). The largest integer is one less, 127 for 8 bits."""
    return np.where((scale := right(weights, bits, axis)) == 1, 1, scale * (1 - 2.0 ** (1 - bits)))


@misconception
def all_bits(weights, bits, axis):
    """You divided by 2^bits − 1, the number of steps for both sides together. Each side has 2^(bits−1) − 1."""
    largest = largest_of(by_channel(weights, axis))
    return np.where(largest == 0, 1.0, largest / (2**bits - 1))


@misconception
def eight_bits_wired_in(weights, bits, axis):
    """You divided by 127 whatever `bits` says. It is 2^(bits−1) − 1."""
    return right(weights, 8, axis)


@misconception
def power_by_exclusive_or(weights, bits, axis):
    """You wrote a power with `^`, which is exclusive or in Python. A power is written `**`: `2**(bits - 1) - 1`."""
    largest = largest_of(by_channel(weights, axis))
    return np.where(largest == 0, 1.0, largest / (2 ^ (bits - 1) - 1))


@misconception
def power_in_parentheses_by_exclusive_or(weights, bits, axis):
    """You wrote a power with `^`, which is exclusive or in Python. A power is written `**`: `2**(bits - 1)`."""
    largest = largest_of(by_channel(weights, axis))
    return np.where(largest == 0, 1.0, largest / ((2 ^ (bits - 1)) - 1))


@misconception
def dimensions_kept(weights, bits, axis):
    """You kept the other axes, with length 1. The result has one axis: drop `keepdims=True`, or reshape to −1."""
    shape = [1] * weights.ndim
    shape[axis] = weights.shape[axis]
    return right(weights, bits, axis).reshape(shape)


@misconception
def scale_of_zero(weights, bits, axis):
    """A channel of zeros has the scale 0 with you (in float32 at least), and whoever quantizes with it divides by 0.
    Any positive scale will do there, 1.0 for instance."""
    return largest_of(by_channel(weights, axis)) / (2 ** (bits - 1) - 1)


@misconception
def one_zero_for_all(weights, bits, axis):
    """You looked whether *all* weights are zero. Each channel may be: `np.where(largest > 0, …, 1.0)`."""
    if not np.any(weights):
        return right(weights, bits, axis)
    return scale_of_zero(weights, bits, axis)


@misconception
def smallest_scale(weights, bits, axis):
    """You keep the scales from falling below a fixed small number. A channel of small weights has a small scale, and
    with yours they are rounded to a few values: only a channel of zeros needs another scale."""
    return np.maximum(scale_of_zero(weights, bits, axis), 1e-8)


@misconception
def epsilon_as_the_smallest_scale(weights, bits, axis):
    """You keep the scales from falling below the machine epsilon. That is the gap next to 1, not a smallest number: the
    weights of a small channel are rounded to a few values with it."""
    return np.maximum(scale_of_zero(weights, bits, axis), np.finfo(np.float32).eps)


@misconception
def something_added(weights, bits, axis):
    """You added a small number against scales of 0. Next to a channel of small weights it is not small: treat zeros
    apart, with `np.where`."""
    return scale_of_zero(weights, bits, axis) + 1e-8


@misconception
def upside_down(weights, bits, axis):
    """Your scales are upside down: a scale is the size of one step, the largest magnitude divided by the number of
    steps."""
    return 1 / right(weights, bits, axis)


@misconception
def magnitudes_only(weights, bits, axis):
    """You returned the largest magnitudes. Divide them by the number of steps, 2^(bits−1) − 1."""
    return right(weights, 2, axis)


@misconception
def in_a_list(weights, bits, axis):
    """You returned a list. The contract asks for an array: `np.array(scales)`."""
    return right(weights, bits, axis).tolist()


@misconception
def weights_changed_in_place(weights, bits, axis):
    """You changed the caller's array: `out=weights` and `weights *= …` work in place. Let NumPy make a new one."""
    return right(np.abs(weights, out=weights), bits, axis)


@misconception
def magnitudes_held_at_1e_8(weights, bits, axis):
    """You keep the largest magnitude from falling below 1e-8. A channel may be smaller than that, and is rounded to a
    few values then: only a channel of zeros needs another scale."""
    return np.maximum(largest_of(by_channel(weights, axis)), 1e-8) / (2 ** (bits - 1) - 1)


@misconception
def very_little_added(weights, bits, axis):
    """You added 1e-12 against scales of 0. Next to a channel of small weights it is not small: treat zeros apart, with
    `np.where`."""
    return scale_of_zero(weights, bits, axis) + 1e-12


@misconception
def one_zero_spoils_all(weights, bits, axis):
    """One channel of zeros changes the scales of all with you. The others keep theirs: `np.where(largest > 0, …,
    1.0)`."""
    scale = scale_of_zero(weights, bits, axis)
    return np.ones(len(scale)) if np.any(scale == 0) else scale


@misconception
def axes_in_a_list(weights, bits, axis):
    """You gave NumPy the other axes in a list. It wants a tuple: `axis=tuple(others)`."""
    others = [i for i in range(weights.ndim) if i != axis]
    return scales(np.max(np.abs(weights), axis=others), bits)


@misconception
def negative_axis_not_in_the_list(weights, bits, axis):
    """You look for `axis` among 0, 1, …, and a negative one is not there. Make it positive first:
    `axis % weights.ndim`."""
    others = list(range(weights.ndim))
    others.remove(axis)
    return scales(np.max(np.abs(weights), axis=tuple(others)), bits)


@misconception
def axes_in_a_list_without_a_negative_axis(weights, bits, axis):
    """You gave NumPy the other axes in a list. It wants a tuple, `axis=tuple(others)`; and a negative `axis` is not
    among 0, 1, …: take `axis % weights.ndim`."""
    others = list(range(weights.ndim))
    others.remove(axis)
    return scales(np.max(np.abs(weights), axis=others), bits)


@misconception
def in_half_precision(weights, bits, axis):
    """You returned float16, which has 11 bits for the digits and ends at 65504. Return float32 or float64."""
    with np.errstate(over="ignore"):
        return right(weights, bits, axis).astype(np.float16)


@misconception
def small_channels_taken_for_zeros(weights, bits, axis):
    """You take a channel of small weights for one of zeros: `np.isclose` and `< 1e-8` do not know how small weights may
    be. Only what is exactly 0 has no scale: `==`."""
    scale = scale_of_zero(weights, bits, axis)
    return np.where(np.isclose(scale, 0), 1.0, scale)


@misconception
def only_minus_one_is_known(weights, bits, axis):
    """Of the negative axes you know −1 only. `axis % weights.ndim` makes each of them positive."""
    return negative_axis_reduced_too(weights, bits, weights.ndim - 1 if axis == -1 else axis)


HINTS = (
    "How many numbers come out, and over which axes does each of them look? For a kernel of shape (3, 3, 8, 16) and "
    "axis 3 there are 16, each the largest of 72 magnitudes. And what about axis −1?",
    "Bring the axis to the front, `np.moveaxis(weights, axis, 0)`, and reshape to (channels, −1): then each channel is "
    "a row, whatever the axis was. The largest magnitude of a row, divided by 2^(bits−1) − 1, is its scale.",
    "`largest = np.max(np.abs(rows), axis=1)`, then `np.where(largest > 0, largest / (2**(bits - 1) - 1), 1.0)`.",
)
