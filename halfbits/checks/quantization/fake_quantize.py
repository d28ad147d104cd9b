"""fake_quantize(x, scale, zero_point, qmin, qmax) -> tf.Tensor: quantized and dequantized, and yet with a gradient."""

from itertools import chain

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import CLOSE, hold_each
from halfbits.checks.quantization.common import neighbours
from halfbits.checks.tensors import in_graph, plain
from halfbits.grading.exercise import misconception
from halfbits.grading.values import show

# The library calls that do all of it.
FORBIDDEN = (
    "fake_quant_with_min_max_args",
    "fake_quant_with_min_max_vars",
    "fake_quant_with_min_max_vars_per_channel",
)

VALUE, GRADIENT = "the value", "the gradient of x"
TENSOR_SCALE = "the value, the scale as a tensor"
VARIABLE_VALUE, VARIABLE_GRADIENT = "the value, x as a variable", "the gradient of x, a variable"
GRAPH_VALUE, GRAPH_GRADIENT = "the value, inside tf.function", "the gradient of x, inside tf.function"
VALUES, GRADIENTS = (VALUE, TENSOR_SCALE, VARIABLE_VALUE, GRAPH_VALUE), (GRADIENT, VARIABLE_GRADIENT, GRAPH_GRADIENT)

INF = float("inf")
NO_GRADIENT = "no gradient"

SECONDS = 20.0


def shown(asked):
    what, incoming = asked
    return f"asking for {what}" + ("" if incoming is None else f", the incoming one {show(incoming)}")


SHOW = {5: shown}


def use(answer, x, scale, zero_point, qmin, qmax, asked):
    """Call the answer with a tensor or a variable, and look at its value or at the gradient of x."""
    what = asked[0]
    given_scale = tf.constant(scale, tf.float32) if what == TENSOR_SCALE else scale

    def both(x, incoming):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = answer(x, given_scale, zero_point, qmin, qmax)
        if not tf.is_tensor(value):
            return f"no tensor, but {type(value).__name__}", None
        return value, tape.gradient(value, x, output_gradients=incoming)

    incoming = incoming_gradient(x.shape)
    if what in (GRAPH_VALUE, GRAPH_GRADIENT):
        value, gradient = in_graph(both, x, incoming)
    else:
        is_variable = what in (VARIABLE_VALUE, VARIABLE_GRADIENT)
        value, gradient = both(tf.Variable(x) if is_variable else tf.constant(x), tf.constant(incoming))
    if what in VALUES or isinstance(value, str):
        return plain(value)
    return NO_GRADIENT if gradient is None else plain(gradient)


def incoming_gradient(shape):
    """Small numbers of both signs, none of them 0 or 1."""
    return (np.arange(np.prod(shape), dtype=np.float32) % 7 - 3.5).reshape(shape)


def hold_one(call):
    """The oracle: NumPy in float64; where two are right, the one that was returned."""
    x, scale, zero_point, qmin, qmax, (what, _) = call.arguments
    scale = np.asarray(scale, np.float64)
    ends = (qmin - zero_point) * scale, (qmax - zero_point) * scale
    got = call.returned if isinstance(call.returned, np.ndarray | np.generic) else None
    got = got if got is not None and got.shape == x.shape else np.zeros(x.shape)
    if what in VALUES:
        wanted = nearest_right_value(x, scale, zero_point, qmin, qmax, got)
        # Relative to the larger end, of each channel its own, so the difference is what is held.
        is_close = np.abs(got - wanted) <= CLOSE * np.maximum(*map(np.abs, ends))
        wanted = np.where(is_close, got, wanted)
    else:
        incoming = incoming_gradient(x.shape)
        is_inside = (x >= ends[0]) & (x <= ends[1])
        # Times the scale and divided by it, as the chain rule does, may round once.
        passes = np.abs(got - incoming) <= CLOSE * np.abs(incoming)
        is_open = near_a_rounded_end(x, ends) & ((got == 0) | passes)
        wanted = np.where(is_open | (is_inside & passes), got, np.where(is_inside, incoming, 0.0))
    call.equals(plain(np.asarray(wanted, np.float32)), because=no_gradient)


def nearest_right_value(x, scale, zero_point, qmin, qmax, got):
    lowest, highest = neighbours(x, scale, zero_point, qmin, qmax)
    with np.errstate(invalid="ignore"):
        q = np.nan_to_num(np.round(got.astype(np.float64) / scale)) + zero_point
    return (np.clip(q, lowest, highest) - zero_point) * scale


def near_a_rounded_end(x, ends):
    """Where x is next to an end that float32 does not have."""
    return np.logical_or(*((end != end.astype(np.float32)) & (np.abs(x - end) <= CLOSE * np.abs(end)) for end in ends))


def no_gradient(call):
    return "no gradient reaches x" if isinstance(call.returned, str) and call.returned == NO_GRADIENT else ""


def hold(answer, *groups):
    hold_each(answer, (asking(*case) for case in chain(*groups)), hold_one)


def asking(x, scale, zero_point, qmin, qmax, what):
    """A case, with the incoming gradient beside what is asked for, so that reports show it."""
    return x, scale, zero_point, qmin, qmax, (what, incoming_gradient(x.shape) if what in GRADIENTS else None)


def single(*numbers):
    return np.array(numbers, np.float32)


def counted(*shape):
    """Numbers of both signs, clear of ties and ends for the scales 0.5, 0.25, 0.125 and 1."""
    return ((np.arange(np.prod(shape)) * 7 % 23 - 11) * 0.53).reshape(shape).astype(np.float32)


UNSIGNED, SIGNED, NARROW, FOUR_BITS = (0, 255), (-128, 127), (-127, 127), (0, 15)


def test_rounds(answer):
    """The nearest value that can be stored"""
    x = single(0, 0.9, 1.2, -0.9, -1.3, 0.1)
    hold(
        answer,
        [(x, scale, 0, *NARROW, VALUE) for scale in (1.0, 0.5, 0.125)],
        [(x, scale, zero_point, *UNSIGNED, VALUE) for scale in (1.0, 0.25) for zero_point in (7, 128, 200)],
    )


def test_scales(answer):
    """Scales that are not powers of two"""
    x = single(-1, -0.32, 0, 0.52, 1.9)
    hold(answer, [(x, scale, 85, *UNSIGNED, VALUE) for scale in (3 / 255, 0.012, 0.3, 0.7)])


def test_clips(answer):
    """Beyond the representable range: the end of it"""
    x = single(-300, -3.3, -2.1, 0, 1.6, 3.4, 300)
    hold(
        answer,
        [(x, 0.25, zero_point, *FOUR_BITS, VALUE) for zero_point in (0, 6, 15)],
        [(x, 0.5, zero_point, -8, 7, VALUE) for zero_point in (-8, -3, 5)],
        [(x, 0.3, 11, *FOUR_BITS, VALUE)],
    )


def test_far_outside(answer):
    """Far outside, the value is the end as well, and the gradient exactly 0"""
    far = [single(1e4, -1e4), single(1e9, 0.3, -1e9), single(3e38, -3e38), single(INF, -INF, 0.2)]
    hold(answer, [(x, 0.25, 6, *FOUR_BITS, what) for x in far for what in (VALUE, GRADIENT)])


def test_ties(answer):
    """Half-way between two values: either will do"""
    hold(
        answer, [(single(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5) * scale, scale, 7, *UNSIGNED, VALUE) for scale in (1.0, 0.5)]
    )


def test_gradient_inside(answer):
    """Inside, the gradient is the incoming gradient"""
    hold(
        answer,
        [(counted(6) / 8, scale, 128, *UNSIGNED, GRADIENT) for scale in (1.0, 0.125, 0.1)],
        [(single(0.1, 0.5, 0.9), 0.25, 3, *FOUR_BITS, GRADIENT)],
    )


def test_gradient_outside(answer):
    """Outside, the gradient is 0, also within half a step of the end"""
    # Scale ¼ and zero-point 6: from −1.5 to 2.25. Half a step farther out the rounded integer is still an end.
    x = single(-9, -1.6, -1.55, -1.4, 0.1, 2.2, 2.3, 2.35, 9)
    hold(
        answer,
        [(x, 0.25, 6, *FOUR_BITS, GRADIENT)],
        [(2 * x, 0.5, -2, -8, 7, GRADIENT)],
        [(x, 0.25, zero_point, *FOUR_BITS, GRADIENT) for zero_point in (0, 15)],
    )


def test_gradient_at_the_ends(answer):
    """The ends themselves are inside"""
    ends = [(0.25, 6, 0, 15), (0.5, 0, -127, 127), (1.0, -100, -128, 127), (2.0, 0, 0, 15), (0.125, 15, 0, 15)]
    hold(
        answer,
        [
            (single((qmin - zero) * scale, 0.1, (qmax - zero) * scale), scale, zero, qmin, qmax, GRADIENT)
            for scale, zero, qmin, qmax in ends
        ],
    )


def test_channels(answer):
    """A scale for each channel, along any axis"""
    x, channels = counted(4, 3, 2), (single(0.5, 0.125), single([0.5], [0.125], [0.25]))
    scales = [*channels, single(0.5, 0.25, 0.125, 1).reshape(4, 1, 1)]
    hold(
        answer,
        [(x, scale, zero_point, -8, 7, VALUE) for scale in scales for zero_point in (0, 3)],
        [(x, scale, 3, -8, 7, what) for scale in scales for what in (GRADIENT, TENSOR_SCALE)],
    )


def test_shapes(answer):
    """Scalars, matrices, tensors without elements, more than two dimensions"""
    shapes = ((), (1,), (2, 3), (0,), (0, 4), (2, 1, 3, 2))
    hold(answer, [(counted(*shape), 0.25, 6, *FOUR_BITS, what) for shape in shapes for what in (VALUE, GRADIENT)])


def test_variables(answer):
    """x as a variable, the scale as a tensor"""
    x = counted(2, 5)
    hold(
        answer,
        [(x, 0.25, 6, *FOUR_BITS, what) for what in (VARIABLE_VALUE, VARIABLE_GRADIENT, TENSOR_SCALE)],
    )


def test_inside_tf_function(answer):
    """Inside tf.function, where the lengths are unknown"""
    scales = (0.25, single(0.5, 0.25, 0.125))
    hold(
        answer,
        [(counted(4, 3), scale, 6, *FOUR_BITS, what) for scale in scales for what in (GRAPH_VALUE, GRAPH_GRADIENT)],
    )


def of_tensorflow(x, scale, zero_point, bits, narrow):
    """What TensorFlow's own operation gives: its value and its gradient."""
    qmin, qmax = int(narrow), 2**bits - 1
    x, incoming = tf.constant(x), tf.constant(incoming_gradient(x.shape))
    with tf.GradientTape() as tape:
        tape.watch(x)
        ends = (qmin - zero_point) * scale, (qmax - zero_point) * scale
        value = tf.quantization.fake_quant_with_min_max_args(x, *ends, num_bits=bits, narrow_range=narrow)
    return plain(value), plain(tape.gradient(value, x, output_gradients=incoming))


def test_like_tensorflow(answer):
    """As tf.quantization.fake_quant_with_min_max_args has it"""
    x = single(-40, -3.1, -1.37, -0.2, 0, 0.11, 0.61, 1.4, 2.3, 5.7, 41)
    first = None
    for bits, scale, zero_point, narrow in (
        (8, 0.03, 100, False),
        (8, 0.05, 128, True),
        (4, 0.3, 5, False),
        (3, 1, 2, True),
    ):
        wanted = dict(zip((VALUE, GRADIENT), of_tensorflow(x, scale, zero_point, bits, narrow), strict=True))
        for what in wanted:
            call = answer(*asking(x, scale, zero_point, int(narrow), 2**bits - 1, what))
            try:
                call.equals(wanted[what], atol=1e-5 if what == VALUE else 0.0, because=no_gradient)
            except AssertionError as mismatch:
                first = first or mismatch
    if first:
        raise first


@given(
    st.lists(st.integers(-2000, 2000), min_size=1, max_size=4), st.sampled_from([0.0625, 0.1, 0.003, 1.9]),
    st.integers(0, 255), st.sampled_from([UNSIGNED, SIGNED, NARROW, FOUR_BITS]), st.sampled_from([VALUE, GRADIENT]),
)  # fmt: skip
def test_random_numbers(answer, numbers, scale, zero_point, ends, what):
    """Random numbers, scales and zero-points"""
    qmin, qmax = ends
    hold(answer, [(single(*numbers) / 64, scale, qmin + zero_point % (qmax - qmin + 1), qmin, qmax, what)])


def with_gradient(x, value, gradient):
    """A value, computed from x, and a gradient, computed from x and the incoming one."""

    @tf.custom_gradient
    def operation(x):
        return value(x), lambda incoming: gradient(x, incoming)

    return operation(tf.convert_to_tensor(x))


def ends_of(scale, zero_point, qmin, qmax):
    return (qmin - zero_point) * scale, (qmax - zero_point) * scale


def right_value(scale, zero_point, qmin, qmax):
    return lambda x: (integers(x, scale, zero_point, qmin, qmax) - zero_point) * scale


def integers(x, scale, zero_point, qmin, qmax):
    return tf.clip_by_value(tf.round(x / scale) + zero_point, qmin, qmax)


def right_gradient(scale, zero_point, qmin, qmax):
    lowest, highest = ends_of(scale, zero_point, qmin, qmax)
    return lambda x, incoming: tf.where((x >= lowest) & (x <= highest), incoming, 0.0)


def wrong_value(x, value, *grid):
    """Another value, with the right gradient."""
    return with_gradient(x, value, right_gradient(*grid))


def wrong_gradient(x, gradient, *grid):
    """Another gradient, with the right value."""
    return with_gradient(x, right_value(*grid), gradient)


@misconception
def gradient_of_rounding(x, scale, zero_point, qmin, qmax):
    """You left the gradient to TensorFlow, and that of `tf.round` is none at all. Make the rounded value from one that
    has a gradient: `y + tf.stop_gradient(rounded - y)` has the value of `rounded` and the gradient of `y`."""
    return right_value(scale, zero_point, qmin, qmax)(x)


@misconception
def gradient_zero(x, scale, zero_point, qmin, qmax):
    """Your gradient is 0 everywhere, as that of rounding is. The straight-through estimator lets the incoming gradient
    pass inside the range, as if there were no rounding."""
    return wrong_gradient(x, lambda x, incoming: tf.zeros_like(incoming), scale, zero_point, qmin, qmax)


@misconception
def gradient_one_everywhere(x, scale, zero_point, qmin, qmax):
    """Your gradient passes outside the range as well. There the value is clipped and no longer depends on x: only the
    rounding is passed straight through, the clipping is not."""
    return wrong_gradient(x, lambda x, incoming: incoming, scale, zero_point, qmin, qmax)


@misconception
def difference_from_x(x, scale, zero_point, qmin, qmax):
    """You wrote `x + tf.stop_gradient(rounded - x)`. Its gradient is 1 outside the range too, and far outside the
    digits of `rounded` are lost next to x. Write it with the clipped x in place of x."""
    x = tf.convert_to_tensor(x)
    return x + tf.stop_gradient(right_value(scale, zero_point, qmin, qmax)(x) - x)


@misconception
def gradient_masked_and_difference_from_x(x, scale, zero_point, qmin, qmax):
    """Your gradient is right, but the value is x + (rounded − x), and far outside the digits of `rounded` are lost next
    to x. Write it with the clipped x in place of x."""
    grid = scale, zero_point, qmin, qmax
    return wrong_value(x, lambda x: x + (right_value(*grid)(x) - x), *grid)


@misconception
def gradient_of_the_rounded_integer(x, scale, zero_point, qmin, qmax):
    """You (or your clip) looked at the rounded integer to see whether x is inside. It is still qmin or qmax half a step
    beyond the end: clip x itself, or compare it with the ends of the representable range."""

    def gradient(x, incoming):
        q = tf.round(x / scale) + zero_point
        return tf.where((q >= qmin) & (q <= qmax), incoming, 0.0)

    return wrong_gradient(x, gradient, scale, zero_point, qmin, qmax)


@misconception
def ends_outside(x, scale, zero_point, qmin, qmax):
    """You count the ends of the range as outside. They can be stored exactly, so they are inside: `>=` and `<=`."""
    lowest, highest = ends_of(scale, zero_point, qmin, qmax)

    def gradient(x, incoming):
        return tf.where((x > lowest) & (x < highest), incoming, 0.0)

    return wrong_gradient(x, gradient, scale, zero_point, qmin, qmax)


@misconception
def upper_end_outside(x, scale, zero_point, qmin, qmax):
    """You count the upper end of the range as outside. It can be stored exactly, so it is inside: `<=`."""
    lowest, highest = ends_of(scale, zero_point, qmin, qmax)

    def gradient(x, incoming):
        return tf.where((x >= lowest) & (x < highest), incoming, 0.0)

    return wrong_gradient(x, gradient, scale, zero_point, qmin, qmax)


@misconception
def gradient_without_the_zero_point(x, scale, zero_point, qmin, qmax):
    """You compared x / scale with qmin and qmax. Those have the zero-point in them: add it to x / scale, or compare x
    with (qmin − zero_point) · scale and (qmax − zero_point) · scale."""
    return wrong_gradient(x, right_gradient(scale, 0, qmin, qmax), scale, zero_point, qmin, qmax)


@misconception
def gradient_compared_with_the_integers(x, scale, zero_point, qmin, qmax):
    """You compared x with qmin and qmax. They are integers of the grid: the ends of the range are
    (qmin − zero_point) · scale and (qmax − zero_point) · scale."""
    return wrong_gradient(x, right_gradient(1.0, 0, qmin, qmax), scale, zero_point, qmin, qmax)


@misconception
def gradient_clipped_above_only(x, scale, zero_point, qmin, qmax):
    """Your gradient is 0 above the range, and passes below it. Both ends clip."""
    _, highest = ends_of(scale, zero_point, qmin, qmax)
    return wrong_gradient(x, lambda x, g: tf.where(x <= highest, g, 0.0), scale, zero_point, qmin, qmax)


@misconception
def gradient_clipped_below_only(x, scale, zero_point, qmin, qmax):
    """Your gradient is 0 below the range, and passes above it. Both ends clip."""
    lowest, _ = ends_of(scale, zero_point, qmin, qmax)
    return wrong_gradient(x, lambda x, g: tf.where(x >= lowest, g, 0.0), scale, zero_point, qmin, qmax)


@misconception
def gradient_of_magnitudes(x, scale, zero_point, qmin, qmax):
    """You compared |x| with the upper end. With a zero-point other than 0 the lower end is not its mirror: compare with
    both."""
    _, highest = ends_of(scale, zero_point, qmin, qmax)
    return wrong_gradient(x, lambda x, g: tf.where(tf.abs(x) <= highest, g, 0.0), scale, zero_point, qmin, qmax)


@misconception
def incoming_gradient_ignored(x, scale, zero_point, qmin, qmax):
    """You returned 1 and 0 as the gradient, and did not use the incoming one. By the chain rule it is multiplied:
    `incoming * inside`."""
    passed = right_gradient(scale, zero_point, qmin, qmax)
    return wrong_gradient(x, lambda x, g: passed(x, tf.ones_like(g)), scale, zero_point, qmin, qmax)


@misconception
def gradient_multiplied_by_the_scale(x, scale, zero_point, qmin, qmax):
    """Your gradient is `scale` times too large: you passed it through the multiplication, and not through the division.
    The two cancel."""
    passed = right_gradient(scale, zero_point, qmin, qmax)
    return wrong_gradient(x, lambda x, g: passed(x, g) * scale, scale, zero_point, qmin, qmax)


@misconception
def gradient_divided_by_the_scale(x, scale, zero_point, qmin, qmax):
    """Your gradient is divided by the scale: you passed it through the division, and not through the multiplication.
    The two cancel."""
    passed = right_gradient(scale, zero_point, qmin, qmax)
    return wrong_gradient(x, lambda x, g: passed(x, g) / scale, scale, zero_point, qmin, qmax)


@misconception
def gradient_upside_down(x, scale, zero_point, qmin, qmax):
    """Your gradient passes outside the range and is 0 inside. It is the other way round."""
    lowest, highest = ends_of(scale, zero_point, qmin, qmax)

    def gradient(x, incoming):
        return tf.where((x >= lowest) & (x <= highest), 0.0, incoming)

    return wrong_gradient(x, gradient, scale, zero_point, qmin, qmax)


@misconception
def still_integers(x, scale, zero_point, qmin, qmax):
    """You returned the integers. Fake quantization goes back to real numbers: subtract the zero-point and multiply by
    the scale."""
    grid = scale, zero_point, qmin, qmax
    return wrong_value(x, lambda x: integers(x, *grid), *grid)


@misconception
def zero_point_left_in(x, scale, zero_point, qmin, qmax):
    """You multiplied by the scale without subtracting the zero-point first. 0 has to come back as 0."""
    grid = scale, zero_point, qmin, qmax
    return wrong_value(x, lambda x: integers(x, *grid) * scale, *grid)


@misconception
def zero_point_forgotten(x, scale, zero_point, qmin, qmax):
    """You left the zero-point out of everything. On the way there and back it cancels, but it says where the range
    ends: from (qmin − zero_point) · scale to (qmax − zero_point) · scale."""
    return with_gradient(x, right_value(scale, 0, qmin, qmax), right_gradient(scale, 0, qmin, qmax))


@misconception
def zero_point_added_to_the_ends(x, scale, zero_point, qmin, qmax):
    """You added the zero-point to qmin and qmax to get the ends of the range. An integer q stands for
    (q − zero_point) · scale, the ends too: subtract it."""
    grid = scale, -zero_point, qmin, qmax
    lowest, highest = ends_of(*grid)
    return with_gradient(
        x, lambda x: tf.round(tf.clip_by_value(x, lowest, highest) / scale) * scale, right_gradient(*grid)
    )


@misconception
def clipped_before_the_zero_point(x, scale, zero_point, qmin, qmax):
    """You clipped to qmin…qmax without the zero-point. Add it before you clip, and subtract it after."""
    return wrong_value(x, right_value(scale, 0, qmin, qmax), scale, zero_point, qmin, qmax)


@misconception
def not_clipped(x, scale, zero_point, qmin, qmax):
    """You did not clip. Beyond the representable range nothing can be stored: the value is the end of it."""
    return wrong_value(x, lambda x: tf.round(x / scale) * scale, scale, zero_point, qmin, qmax)


@misconception
def neither_clipped_nor_masked(x, scale, zero_point, qmin, qmax):
    """You did not clip. Beyond the representable range the value is the end of it, and the gradient is 0."""
    return with_gradient(x, lambda x: tf.round(x / scale) * scale, lambda x, incoming: incoming)


@misconception
def not_rounded(x, scale, zero_point, qmin, qmax):
    """You clipped, and did not round. Only whole numbers of steps can be stored."""
    lowest, highest = ends_of(scale, zero_point, qmin, qmax)
    return wrong_value(x, lambda x: tf.clip_by_value(x, lowest, highest), scale, zero_point, qmin, qmax)


@misconception
def rounded_down(x, scale, zero_point, qmin, qmax):
    """You rounded down. Round to the nearest integer: `tf.round`."""
    lowest, highest = qmin - zero_point, qmax - zero_point
    grid = scale, zero_point, qmin, qmax
    return wrong_value(x, lambda x: tf.clip_by_value(tf.floor(x / scale), lowest, highest) * scale, *grid)


@misconception
def cut_off(x, scale, zero_point, qmin, qmax):
    """You cut the digits off: a cast to an integer goes towards 0. Round to the nearest integer: `tf.round`."""
    lowest, highest = qmin - zero_point, qmax - zero_point

    def value(x):
        steps = tf.clip_by_value(x / scale, lowest, highest)
        return tf.cast(tf.cast(steps, tf.int32), tf.float32) * scale

    return wrong_value(x, value, scale, zero_point, qmin, qmax)


@misconception
def one_scale_for_all_channels(x, scale, zero_point, qmin, qmax):
    """You used one scale for all channels. `scale` may be an array: let it broadcast."""
    grid = tf.reduce_max(tf.cast(scale, tf.float32)), zero_point, qmin, qmax
    return wrong_value(x, right_value(*grid), *grid)


@misconception
def scale_as_one_float(x, scale, zero_point, qmin, qmax):
    """Where the scale is an array you want one Python number of it: `float(…)`, `int(…)` and `math` do. Leave it as it
    is: it broadcasts."""
    grid = float(scale), zero_point, qmin, qmax
    return wrong_value(x, right_value(*grid), *grid)


@misconception
def in_numpy(x, scale, zero_point, qmin, qmax):
    """You computed with NumPy. The tape sees only TensorFlow's operations, so there is no gradient, and inside
    `tf.function` there are no values yet: use `tf.round` and `tf.clip_by_value`."""
    q = np.clip(np.round(x.numpy() / scale) + zero_point, qmin, qmax)
    return tf.constant(((q - zero_point) * scale).astype(np.float32))


@misconception
def numpy_array_returned(x, scale, zero_point, qmin, qmax):
    """You returned a NumPy array. It is a tensor that is asked for, computed from x by TensorFlow's operations, or no
    gradient can flow."""
    return right_value(scale, zero_point, qmin, qmax)(tf.convert_to_tensor(x)).numpy()


@misconception
def swapped_around_stop_gradient(x, scale, zero_point, qmin, qmax):
    """The two are swapped: `rounded + tf.stop_gradient(y - rounded)` has the value of `y` and the gradient of
    `rounded`, which is none. It is `y + tf.stop_gradient(rounded - y)`."""
    clipped = tf.clip_by_value(x, *ends_of(scale, zero_point, qmin, qmax))
    rounded = tf.round(clipped / scale) * scale
    return rounded + tf.stop_gradient(clipped - rounded)


@misconception
def converted_to_numpy(x, scale, zero_point, qmin, qmax):
    """You take the tensor's values out of TensorFlow, into NumPy. The tape sees only TensorFlow's operations, so there
    is no gradient, and inside `tf.function` there are no values yet: use `tf.round` and `tf.clip_by_value`."""
    q = np.clip(np.round(np.array(x) / scale) + zero_point, qmin, qmax)
    return tf.constant((q - zero_point) * scale, tf.float32)


@misconception
def values_asked_for(x, scale, zero_point, qmin, qmax):
    """You asked for `x.numpy()`. Inside `tf.function` a tensor has no values yet, only a graph is drawn: use
    TensorFlow's operations throughout."""
    x.numpy()
    grid = scale, zero_point, qmin, qmax
    return with_gradient(x, right_value(*grid), right_gradient(*grid))


@misconception
def values_asked_for_and_masked_by_a_product(x, scale, zero_point, qmin, qmax):
    """You asked for `x.numpy()`, which is not there inside `tf.function`; and you multiplied x by a mask, but 0 times
    an infinity is NaN. Write it with `tf.clip_by_value(x, …)`, which needs neither."""
    x.numpy()
    return masked_by_a_product(x, scale, zero_point, qmin, qmax)


@misconception
def masked_by_a_product(x, scale, zero_point, qmin, qmax):
    """You multiplied x by a mask of ones and zeros, and 0 times an infinity is NaN. Write it with the clipped x, which
    is finite and has that gradient."""
    grid = scale, zero_point, qmin, qmax

    def value(x):
        inside = x * right_gradient(*grid)(x, tf.ones_like(x))
        return inside + (right_value(*grid)(x) - inside)

    return wrong_value(x, value, *grid)


@misconception
def if_on_a_tensor(x, scale, zero_point, qmin, qmax):
    """`if` wants one True or False, and x has one for each element. `tf.clip_by_value` and `tf.where` look at each."""
    lowest, highest = ends_of(scale, zero_point, qmin, qmax)
    if x < lowest:
        return lowest
    if x > highest:
        return highest
    return x + tf.stop_gradient(tf.round(x / scale) * scale - x)


@misconception
def cast_before_clipping(x, scale, zero_point, qmin, qmax):
    """You cast to int32 before you clipped. A float beyond ±2³¹ has no place there and becomes any number, often of the
    other sign: clip while it is a float, and leave it one."""
    grid = scale, zero_point, qmin, qmax

    def value(x):
        q = tf.clip_by_value(tf.cast(tf.round(x / scale), tf.int32) + zero_point, qmin, qmax)
        return tf.cast(q - zero_point, tf.float32) * scale

    return wrong_value(x, value, *grid)


@misconception
def integers_times_a_float(x, scale, zero_point, qmin, qmax):
    """You multiplied int32 by a float, which TensorFlow does not do. `tf.round` gives whole floats: leave out the cast
    to integers."""
    q = tf.clip_by_value(tf.cast(tf.round(x / scale), tf.int32) + zero_point, qmin, qmax)
    return x + tf.stop_gradient((q - zero_point) * scale - x)


@misconception
def shape_not_known(x, scale, zero_point, qmin, qmax):
    """You made a tensor of the shape `x.shape`. Inside `tf.function` that may be (None, None): let the scale broadcast,
    or use `tf.ones_like(x)` and `tf.shape(x)`."""
    tf.ones(x.shape)
    grid = scale, zero_point, qmin, qmax
    return with_gradient(x, right_value(*grid), right_gradient(*grid))


HINTS = (
    "The value is `quantize` and `dequantize` in TensorFlow's operations. For the gradient ask two things: which of "
    "the steps has none (its gradient is to be 1), and which has just the gradient that is wanted?",
    "`y + tf.stop_gradient(rounded - y)` has the value of `rounded` and the gradient of `y`. The gradient wanted is 1 "
    "inside the range and 0 outside, which is that of clipping: let `y` be the clipped x.",
    "`y = tf.clip_by_value(x, (qmin - zero_point) * scale, (qmax - zero_point) * scale)`. In it the zero-point has "
    "done all it has to: `rounded = tf.round(y / scale) * scale`.",
)
