"""scaled_gradients(loss_fn, variables, loss_scale) -> list: gradients of the scaled loss, unscaled in float32."""

import ml_dtypes
import numpy as np
import tensorflow as tf

from halfbits.checks.tensors import in_graph, plain
from halfbits.grading.exercise import misconception
from halfbits.grading.values import in_powers_of_two, show

EAGER, TENSOR_SCALE, GRAPH = "in eager mode", "the scale as a tensor", "inside tf.function"
AFTERWARDS = "the variables and the calls of loss_fn afterwards"

SHOW = {
    0: lambda loss: f"lambda: {' '.join(loss.__doc__.split())}",
    1: lambda values: f"[{', '.join(map(show, values))}]",
    2: in_powers_of_two,
    3: lambda what: f"→ {what}",
}


def use(answer, loss, values, loss_scale, what):
    """Make the variables, call the answer with a loss on them, and look at one thing."""
    variables = [tf.Variable(value) for value in values]
    calls = []

    def loss_fn():
        calls.append("once")
        return loss(*variables)

    if what == GRAPH:
        return plain(in_graph(lambda scale: answer(loss_fn, variables, scale), np.float32(loss_scale)))
    scale = tf.constant(loss_scale, tf.float32) if what == TENSOR_SCALE else loss_scale
    gradients = answer(loss_fn, variables, scale)
    if what == AFTERWARDS:
        return {"variables": plain(variables), "calls of loss_fn": len(calls)}
    return plain(gradients)


# The losses: each with the formula that the learner reads, and the gradients that calculus gives.


def half(variable):
    return tf.cast(variable, tf.float16)


def total(tensor):
    return tf.cast(tf.reduce_sum(tensor), tf.float32)


def linear(w):
    """reduce_sum(w * [1, 2, 3, …])"""
    return total(w * ramp(w))


def ramp(variable):
    shape = variable.shape
    return tf.cast(np.arange(1, np.prod(shape) + 1).reshape(shape), variable.dtype)


def squares(v, w):
    """reduce_sum(v**2) + 3 * reduce_sum(w**2)"""
    return total(v * v) + 3.0 * total(w * w)


def tiny(w):
    """2**-30 * cast(reduce_sum(cast(w, float16) * [1, 2, 3, …]), float32)"""
    return 2.0**-30 * total(half(w) * tf.cast(ramp(w), tf.float16))


def small(w):
    """2**-16 * cast(reduce_sum(cast(w, float16) * [1, 2, 3, …]), float32)"""
    return 2.0**-16 * total(half(w) * tf.cast(ramp(w), tf.float16))


def tiny_and_large(v, w):
    """2**-28 * cast(reduce_sum(cast(v, float16)), float32) + 1024 * reduce_sum(w)"""
    return 2.0**-28 * total(half(v)) + 1024.0 * total(w)


def in_own_dtype(w):
    """2**-30 * cast(reduce_sum(w * [1, 2, 3, …]), float32)"""
    return 2.0**-30 * total(w * ramp(w))


def first_and_last(u, v, w):
    """reduce_sum(u) + 2 * reduce_sum(w)"""
    return total(u) + 2.0 * total(w)


def none_of_them(v, w):
    """constant(1.0)"""
    return tf.constant(1.0)


def second_row_twice(table):
    """reduce_sum(gather(table, [1, 3, 1]) * [[1], [2], [4]])"""
    return total(tf.gather(table, [1, 3, 1]) * tf.constant([[1.0], [2.0], [4.0]], table.dtype))


def overflowing(w):
    """cast(reduce_sum(cast(w, float16) * [1, 2, 3, …]), float32)"""
    return total(half(w) * tf.cast(ramp(w), tf.float16))


def infinity_minus_infinity(w):
    """a = cast(w, float16); cast(reduce_sum(8 * a - 16 * a), float32)"""
    a = half(w)
    return total(8.0 * a - 16.0 * a)


def counted(shape):
    return np.arange(1, np.prod(shape) + 1, dtype=np.float64).reshape(shape)


GRADIENTS = {
    linear: lambda w: [counted(w.shape)],
    squares: lambda v, w: [2 * v, 6 * w],
    tiny: lambda w: [2.0**-30 * counted(w.shape)],
    small: lambda w: [2.0**-16 * counted(w.shape)],
    tiny_and_large: lambda v, w: [np.full(v.shape, 2.0**-28), np.full(w.shape, 1024.0)],
    in_own_dtype: lambda w: [2.0**-30 * counted(w.shape)],
    first_and_last: lambda u, v, w: [np.ones(u.shape), None, np.full(w.shape, 2.0)],
    none_of_them: lambda v, w: [None, None],
    second_row_twice: lambda table: [np.ones(table.shape) * np.array([[0], [5], [0], [2]])],
    overflowing: lambda w: [counted(w.shape)],
}


def expected(loss, values, loss_scale, what):
    """The oracle: the gradients by calculus, which no scale changes."""
    if what == AFTERWARDS:
        return {"variables": values, "calls of loss_fn": 1}
    exact = GRADIENTS[loss](*(value.astype(np.float64) for value in values))
    return [None if gradient is None else gradient.astype(np.float32) for gradient in exact]


def weights(*shape, dtype=np.float32):
    return (np.arange(np.prod(shape)) % 4 + 1).reshape(shape).astype(dtype) / dtype(2)


def hold(answer, cases):
    answer.each(cases, expected)


def test_gradients(answer):
    """The gradients of the loss, whatever the scale"""
    cases = [(linear, [weights(2)], scale, EAGER) for scale in (1.0, 8.0, 2.0**15, 2.0**24)]
    hold(answer, [*cases, (squares, [weights(3), weights(2, 4)], 64.0, EAGER), (small, [weights(3)], 2.0**15, EAGER)])


def test_small_gradients(answer):
    """Gradients that float16 does not have arrive nevertheless"""
    cases = [(tiny, [weights(*shape)], scale, EAGER) for shape in ((2,), (2, 3)) for scale in (2.0**15, 2.0**17)]
    hold(answer, [*cases, (tiny_and_large, [weights(3), weights(2, 2)], 2.0**16, EAGER)])


def test_half_precision_variables(answer):
    """Variables in half precision: their gradients are unscaled in float32"""
    cases = [(in_own_dtype, [weights(3, dtype=np.float16)], scale, EAGER) for scale in (2.0**15, 2.0**20, 2.0**24)]
    hold(answer, [*cases, (in_own_dtype, [weights(2, 2, dtype=ml_dtypes.bfloat16)], 2.0**10, EAGER)])


def test_none_stays(answer):
    """None, where the loss does not depend on the variable"""
    three = [weights(2), weights(3), weights(1, 2)]
    hold(answer, [(first_and_last, three, 4.0, EAGER), (none_of_them, three[:2], 2.0**15, EAGER)])


def test_sparse_gradients(answer):
    """Rows taken with tf.gather, one of them twice"""
    for dtype in (np.float32, np.float16):
        hold(answer, [(second_row_twice, [weights(4, 2, dtype=dtype)], scale, EAGER) for scale in (1.0, 2.0**8)])


def test_overflow_is_passed_on(answer):
    """What has overflowed arrives as an infinity or a NaN"""
    # 1, 2 and 3 times 2**15: float16 ends at 65504.
    answer(overflowing, [weights(3)], 2.0**15, EAGER).equals([np.array([1, np.inf, np.inf], np.float32)])
    answer(overflowing, [weights(2)], 2.0**17, EAGER).equals([np.array([np.inf, np.inf], np.float32)])
    answer(infinity_minus_infinity, [weights(1)], 2.0**14, EAGER).equals([np.array([np.nan], np.float32)])


def test_scale_as_a_tensor(answer):
    """The scale as a float32 scalar tensor"""
    hold(answer, [(tiny, [weights(3)], 2.0**15, TENSOR_SCALE), (squares, [weights(2), weights(1)], 3.0, TENSOR_SCALE)])


def test_inside_tf_function(answer):
    """Inside tf.function"""
    hold(answer, [(tiny_and_large, [weights(3), weights(2, 2)], 2.0**16, GRAPH)])
    hold(answer, [(first_and_last, [weights(2), weights(3), weights(2)], 8.0, GRAPH)])


def test_nothing_else_happens(answer):
    """The variables stay as they are, and loss_fn is called once"""
    hold(answer, [(squares, [weights(3), weights(2, 4)], 64.0, AFTERWARDS)])
    hold(answer, [(in_own_dtype, [weights(2, dtype=np.float16)], 64.0, AFTERWARDS)])


def of_scaled_loss(loss_fn, variables, loss_scale):
    with tf.GradientTape() as tape:
        loss = loss_fn() * loss_scale
    return tape.gradient(loss, variables)


def unscaled(gradient, loss_scale):
    return None if gradient is None else single(gradient) / loss_scale


def single(gradient):
    return tf.cast(tf.convert_to_tensor(gradient), tf.float32)


def right(loss_fn, variables, loss_scale):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return [unscaled(gradient, loss_scale) for gradient in of_scaled_loss(loss_fn, variables, loss_scale)]


@misconception
def not_unscaled(loss_fn, variables, loss_scale):
    """You returned the gradients of the scaled loss. They are `loss_scale` times too large: divide them by it before
    the optimizer sees them."""
    return [None if g is None else single(g) for g in of_scaled_loss(loss_fn, variables, loss_scale)]


@misconception
def not_scaled(loss_fn, variables, loss_scale):
    """You did not scale the loss. The small gradients underflow to zero on their way back, in half precision; multiply
    the loss *before* the tape goes back."""
    return right(loss_fn, variables, 1.0)


@misconception
def not_scaled_but_divided(loss_fn, variables, loss_scale):
    """You divided the gradients by the scale, but never multiplied the loss by it."""
    return [unscaled(gradient, loss_scale) for gradient in of_scaled_loss(loss_fn, variables, 1.0)]


@misconception
def multiplied_instead_of_divided(loss_fn, variables, loss_scale):
    """You multiplied by the scale a second time. The gradients come back `loss_scale` times too large: divide."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [None if g is None else single(g) * loss_scale for g in gradients]


@misconception
def loss_divided(loss_fn, variables, loss_scale):
    """You divided the loss by the scale, and multiplied the gradients. That makes the small gradients smaller still: it
    is the other way round."""
    gradients = of_scaled_loss(loss_fn, variables, 1.0 / loss_scale)
    return [None if g is None else single(g) * loss_scale for g in gradients]


@misconception
def scaled_outside_the_tape(loss_fn, variables, loss_scale):
    """You computed or scaled the loss outside the `with` block. The tape records only what happens inside it, and every
    gradient is None: call `loss_fn` and multiply inside."""
    with tf.GradientTape() as tape:
        loss = loss_fn()
    scaled = loss * loss_scale
    return [unscaled(gradient, loss_scale) for gradient in tape.gradient(scaled, variables)]


@misconception
def loss_computed_twice(loss_fn, variables, loss_scale):
    """You called `loss_fn` twice. That is twice the work, and a loss with dropout in it gives another value each time:
    call it once, inside the `with` block."""
    loss_fn()
    return right(loss_fn, variables, loss_scale)


@misconception
def unscaled_in_half_precision(loss_fn, variables, loss_scale):
    """You divided first and cast to float32 then. The quotient is what half precision does not have, so it is zero
    again: cast first."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [None if g is None else single(tf.convert_to_tensor(g) / tf.cast(loss_scale, g.dtype)) for g in gradients]


@misconception
def in_the_dtype_of_the_variable(loss_fn, variables, loss_scale):
    """You returned the gradients in the dtype of the variables. In half precision the small ones are zero as soon as
    they are unscaled: cast to float32 before the division, and leave it at that."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [None if g is None else tf.convert_to_tensor(g) / tf.cast(loss_scale, g.dtype) for g in gradients]


@misconception
def loss_scaled_in_float16(loss_fn, variables, loss_scale):
    """You cast the loss to float16 before you scaled it. A scale of 65536 is infinite there, and a small loss is zero:
    the loss is float32, leave it so."""
    with tf.GradientTape() as tape:
        loss = tf.cast(loss_fn(), tf.float16) * tf.cast(loss_scale, tf.float16)
    return [unscaled(gradient, loss_scale) for gradient in tape.gradient(loss, variables)]


@misconception
def none_is_zero(loss_fn, variables, loss_scale):
    """You turned None into zeros. None says that the loss does not depend on the variable, which an optimizer wants to
    know (momentum would go on moving it): leave it None."""
    gradients = right(loss_fn, variables, loss_scale)
    return [tf.zeros(v.shape) if g is None else g for g, v in zip(gradients, variables, strict=True)]


@misconception
def none_is_dropped(loss_fn, variables, loss_scale):
    """You left None out of the list. The gradients belong to the variables by their position: one item a variable."""
    return [gradient for gradient in right(loss_fn, variables, loss_scale) if gradient is not None]


@misconception
def none_is_divided(loss_fn, variables, loss_scale):
    """You divided None by the scale. The gradient of a variable that the loss does not depend on is None: test for it,
    and pass it on."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [(tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g) / loss_scale for g in gradients]


@misconception
def none_is_cast(loss_fn, variables, loss_scale):
    """You cast None to float32. The gradient of a variable that the loss does not depend on is None: test for it, and
    pass it on."""
    return [tf.cast(g, tf.float32) / loss_scale for g in of_scaled_loss(loss_fn, variables, loss_scale)]


@misconception
def sparse_is_divided(loss_fn, variables, loss_scale):
    """You divided a sparse gradient. `tf.IndexedSlices`, which `tf.gather` gives, knows no `/`: make a tensor of it
    with `tf.convert_to_tensor`, or divide its values."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [None if g is None else tf.cast(g, tf.float32) / loss_scale for g in gradients]


@misconception
def values_of_the_sparse(loss_fn, variables, loss_scale):
    """You took the `.values` of a sparse gradient for the gradient. They are the rows that were taken, one for each
    index; `tf.convert_to_tensor` puts them where they belong, and adds up those of the same row."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [unscaled(g.values if isinstance(g, tf.IndexedSlices) else g, loss_scale) for g in gradients]


@misconception
def overflow_is_zeroed(loss_fn, variables, loss_scale):
    """You replaced what is not finite. Then nobody notices that the step has overflowed, and the scale never shrinks:
    pass infinities and NaN on."""
    gradients = right(loss_fn, variables, loss_scale)
    return [None if g is None else tf.where(tf.math.is_finite(g), g, 0.0) for g in gradients]


@misconception
def scale_wired_in(loss_fn, variables, loss_scale):
    """You divided by 2^15 whatever `loss_scale` says. Unscale by what the loss was scaled by."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [unscaled(gradient, 2.0**15) for gradient in gradients]


@misconception
def variables_updated(loss_fn, variables, loss_scale):
    """You changed the variables. The step is the optimizer's, and it may have to be skipped: return the gradients and
    leave the variables alone."""
    gradients = right(loss_fn, variables, loss_scale)
    for variable, gradient in zip(variables, gradients, strict=True):
        if gradient is not None:
            variable.assign_sub(tf.cast(0.01 * gradient, variable.dtype))
    return gradients


@misconception
def gradient_tested_for_truth(loss_fn, variables, loss_scale):
    """You wrote `if g`. That asks a tensor for its truth, which one with several elements does not have: `if g is not
    None`."""
    return [
        unscaled(gradient, loss_scale) if gradient else None
        for gradient in of_scaled_loss(loss_fn, variables, loss_scale)
    ]


@misconception
def none_is_converted(loss_fn, variables, loss_scale):
    """You made a tensor of None. The gradient of a variable that the loss does not depend on is None: test for it, and
    pass it on."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [tf.cast(tf.convert_to_tensor(gradient), tf.float32) / loss_scale for gradient in gradients]


@misconception
def sparse_not_unscaled(loss_fn, variables, loss_scale):
    """You passed sparse gradients on as they are. `tf.IndexedSlices` are gradients too: unscale them in float32."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [g if isinstance(g, tf.IndexedSlices) else unscaled(g, loss_scale) for g in gradients]


@misconception
def rows_overwritten(loss_fn, variables, loss_scale):
    """You wrote the rows of a sparse gradient one over the other. A row that was gathered twice has two contributions:
    add them up, as `tf.convert_to_tensor` does."""

    def dense(gradient, variable):
        if not isinstance(gradient, tf.IndexedSlices):
            return gradient
        empty = tf.zeros(variable.shape, gradient.dtype)
        return tf.tensor_scatter_nd_update(empty, gradient.indices[:, None], gradient.values)

    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [unscaled(dense(g, v), loss_scale) for g, v in zip(gradients, variables, strict=True)]


@misconception
def tape_used_twice(loss_fn, variables, loss_scale):
    """You asked the tape more than once. It forgets what it recorded after the first `tape.gradient`: ask for all
    variables at once."""
    with tf.GradientTape() as tape:
        loss = loss_fn() * loss_scale
    return [unscaled(tape.gradient(loss, variable), loss_scale) for variable in variables]


@misconception
def clipped(loss_fn, variables, loss_scale):
    """You clipped the gradients. That is a step of its own, which comes later, and not in every training."""
    return tf.clip_by_global_norm(right(loss_fn, variables, loss_scale), 1.0)[0]


@misconception
def rounded_to_float16(loss_fn, variables, loss_scale):
    """You cast the scaled gradients to float16. A variable in float32 has a gradient in float32, which may be larger
    than 65504 or need more digits: cast to float32 only."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [None if g is None else single(tf.cast(single(g), tf.float16)) / loss_scale for g in gradients]


@misconception
def reciprocal_in_half(loss_fn, variables, loss_scale):
    """You made 1/`loss_scale` in half precision. For a scale of 2**24 and more that loses digits or is 0: divide in
    float32."""
    inverse = single(tf.cast(1.0 / loss_scale, tf.float16))
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [None if g is None else single(g) * inverse for g in gradients]


@misconception
def arrays_returned(loss_fn, variables, loss_scale):
    """You left TensorFlow (`.numpy()`). Inside `tf.function` there are no values yet, only a graph is drawn: cast and
    divide with TensorFlow."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [None if g is None else tf.constant(single(g).numpy()) / loss_scale for g in gradients]


@misconception
def own_scale(loss_fn, variables, loss_scale):
    """You scaled and unscaled by a number of your own. The scale is `loss_scale`: it is adjusted during training."""
    return right(loss_fn, variables, 2.0**12)


@misconception
def by_name(loss_fn, variables, loss_scale):
    """You keyed the gradients by the variables' names. Names need not be different: go by the position."""
    with tf.GradientTape() as tape:
        loss = loss_fn() * loss_scale
    gradients = tape.gradient(loss, {variable.name: variable for variable in variables})
    return [unscaled(gradients[variable.name], loss_scale) for variable in variables]


@misconception
def floor_division(loss_fn, variables, loss_scale):
    """You divided with `//`, which rounds down to a whole number. Divide with `/`."""
    gradients = of_scaled_loss(loss_fn, variables, loss_scale)
    return [None if g is None else single(g) // loss_scale for g in gradients]


HINTS = (
    "The order is everything: scale, go back, unscale. What has to happen while the tape records, and what after it? "
    "And in which dtype can 2⁻³⁰ be held?",
    "Inside `with tf.GradientTape() as tape:` call `loss_fn()` and multiply it by `loss_scale`. After it, "
    "`tape.gradient(scaled_loss, variables)` gives a list with a None here and there, and `tf.IndexedSlices` where "
    "rows were gathered (`tf.convert_to_tensor` makes a tensor of them).",
    "Each gradient `g` that is not None becomes `tf.cast(tf.convert_to_tensor(g), tf.float32) / loss_scale`: first "
    "the cast, then the division. Return them in a list, with the None where they were.",
)
