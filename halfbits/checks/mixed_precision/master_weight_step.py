"""master_weight_step(master, gradient, learning_rate, compute_dtype) -> (new_master, working_copy): SGD in float32."""

import ml_dtypes
import numpy as np
import tensorflow as tf

from halfbits.checks.tensors import in_graph, plain
from halfbits.grading.exercise import misconception
from halfbits.grading.values import in_powers_of_two

DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32}
HALF = ("float16", "bfloat16")
STEPS, UNROLLED = 10_000, 5

ARRAYS, TENSORS, GRAPH, LOOP = "on arrays", "on tensors", "inside tf.function", f"{STEPS:,} times inside tf.function"

SHOW = {2: in_powers_of_two, 4: lambda what: f"→ {what}"}


def use(answer, master, gradient, learning_rate, compute_dtype, what):
    """Call the answer once in eager mode or in a graph, or many times with the new master weight each time."""

    def step(master, gradient):
        return answer(master, gradient, learning_rate, compute_dtype)

    def loop(master, gradient):
        def again(index, master, _):
            for _ in range(UNROLLED):  # half of the time would go to the loop itself
                master, working_copy = step(master, gradient)
            return index + UNROLLED, master, working_copy

        start = (0, master, tf.cast(master, compute_dtype))
        return tf.while_loop(lambda index, *_: index < STEPS, again, start)[1:]

    if what == ARRAYS:
        both = step(master, gradient)
    elif what == TENSORS:
        both = step(tf.constant(master), tf.constant(gradient))
    else:
        both = in_graph(step if what == GRAPH else loop, master, gradient)
    return plain(tuple(both) if isinstance(both, list) else both)


def expected(master, gradient, learning_rate, compute_dtype, what):
    """The oracle: NumPy in float64, rounded to float32; the data are such that this rounds at the end at most."""
    steps = STEPS if what == LOOP else 1
    moved = master.astype(np.float64) - steps * learning_rate * gradient.astype(np.float64)
    with np.errstate(over="ignore"):
        new_master = np.asarray(moved).astype(np.float32)
        return plain((new_master, new_master.astype(DTYPES[compute_dtype])))


def hold(answer, cases):
    """In float32 the product and the difference may be rounded differently in the last place."""
    first = None
    for case in cases:
        call = answer(*case)
        try:
            call.equals(expected(*case), rtol=2.0**-22)
        except AssertionError as mismatch:
            first = first or mismatch
    if first:
        raise first


def single(*numbers):
    return np.array(numbers, np.float32)


def gradients_of(*numbers):
    """The same gradient in every dtype in which it may come."""
    return [np.array(numbers, dtype) for dtype in DTYPES.values()]


def test_one_step(answer):
    """master − learning_rate · gradient, and its cast"""
    hold(answer, [(single(1, -2), single(4, 8), 0.25, dtype, TENSORS) for dtype in DTYPES])
    hold(answer, [(single(3), single(-2), 2.0, "float16", TENSORS), (single(3), single(5), 2.0, "bfloat16", TENSORS)])


def test_on_arrays(answer):
    """On NumPy arrays"""
    cases = [(single(1, -2), single(4, 8), 0.25, dtype, ARRAYS) for dtype in DTYPES]
    hold(answer, cases + [(single(5, 6), gradient, 0.5, "float16", ARRAYS) for gradient in gradients_of(1, -3)])


def test_shapes(answer):
    """Scalars, matrices, and arrays without elements"""
    ones = [np.ones(shape, np.float32) for shape in ((), (2, 3), (0, 4))]
    hold(answer, [(one, 2 * one, 0.5, "bfloat16", what) for one in ones for what in (TENSORS, ARRAYS)])


def test_dtype_of_the_gradient(answer):
    """The gradient in float32 or in half precision"""
    hold(answer, [(single(5, 6, 7), g, 0.5, dtype, TENSORS) for g in gradients_of(1, 2, -3) for dtype in HALF])


def test_working_copy(answer):
    """The working copy is the new master weight, rounded; the master weight keeps its digits"""
    steps = [(single(1.0, 3.0), single(2.0**-5, 2.0**-6), 2.0**-10), (single(1 + 2.0**-20), single(0.0), 1.0)]
    # A little more than half a gap of float16 at 1: it moves the rounded sum, and the rounded update would not.
    steps += [(single(1.0), single(-(2.0**-11) - 2.0**-23), 1.0)]
    hold(answer, [(*step, dtype, what) for step in steps for dtype in HALF for what in (TENSORS, ARRAYS)])


def test_tiny_products(answer):
    """learning_rate · gradient is too small for half precision"""
    cases = [(single(0, 2.0**-20), g, 2.0**-12, "float16", TENSORS) for g in gradients_of(2.0**-20, 2.0**-14)]
    hold(answer, [*cases, (single(0), single(2.0**-30), 1.0, "float16", TENSORS)])


def test_large_products(answer):
    """learning_rate · gradient is too large for float16, or has too many digits"""
    cases = [(single(0, 1), g, 4.0, "float16", TENSORS) for g in gradients_of(32768, -32768)]
    hold(answer, cases + [(single(0), single(odd), 1.0, dtype, TENSORS) for odd in (257, 2049, 1e6) for dtype in HALF])


def test_overflow_is_passed_on(answer):
    """A gradient that is not finite makes a weight that is not finite: skipping is decided elsewhere"""
    for what in (TENSORS, ARRAYS):
        call = answer(single(1, 2), single(np.inf, 4), 0.5, "float16", what)
        call.equals((single(-np.inf, 0), np.array([-np.inf, 0], np.float16)))


def test_learning_rate(answer):
    """A learning rate that half precision does not have"""
    cases = [(single(0, 1), single(1, -3), rate, "float16", TENSORS) for rate in (0.001, 0.3, 1e-9)]
    hold(answer, [*cases, (single(0), single(1), 0.001, "bfloat16", ARRAYS)])


def test_ten_thousand_small_steps(answer):
    """Ten thousand steps of an update too small for the half format move the master weight"""
    hold(answer, [(single(1, -4), single(2.0**-6, -(2.0**-4)), 2.0**-10, "float16", LOOP)])


def test_inside_tf_function(answer):
    """Inside tf.function"""
    hold(answer, [(single(1, 3), gradients_of(8, 16)[1], 2.0**-14, "bfloat16", GRAPH)])


def right(master, gradient, learning_rate, compute_dtype):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return both(subtracted(master, gradient, learning_rate), compute_dtype)


def subtracted(master, gradient, learning_rate):
    return master - learning_rate * tf.cast(gradient, tf.float32)


def both(new_master, compute_dtype):
    return new_master, tf.cast(new_master, compute_dtype)


@misconception
def update_in_half_precision(master, gradient, learning_rate, compute_dtype):
    """You made the step on the working copy. An update smaller than half the gap at the weight is lost there, ten
    thousand times in a row: subtract from the float32 master weight, and cast afterwards."""
    gradient = tf.cast(gradient, compute_dtype)
    working_copy = tf.cast(master, compute_dtype) - tf.cast(learning_rate, compute_dtype) * gradient
    return tf.cast(working_copy, tf.float32), working_copy


@misconception
def product_in_half_precision(master, gradient, learning_rate, compute_dtype):
    """You multiplied by the learning rate in the dtype of the gradient. In half precision the product underflows,
    overflows or loses digits: cast the gradient to float32 first."""
    gradient = tf.convert_to_tensor(gradient)
    return both(master - tf.cast(gradient * tf.cast(learning_rate, gradient.dtype), tf.float32), compute_dtype)


@misconception
def gradient_not_cast(master, gradient, learning_rate, compute_dtype):
    """You did not cast the gradient. TensorFlow subtracts no half-precision tensor from a float32 one: cast it to
    float32 before it is multiplied by the learning rate."""
    return both(master - learning_rate * gradient, compute_dtype)


@misconception
def gradient_rounded(master, gradient, learning_rate, compute_dtype):
    """You cast the gradient to `compute_dtype`. A float32 gradient has been unscaled, and half precision may not have
    it any more: take it as it comes, in float32."""
    return right(master, tf.cast(gradient, compute_dtype), learning_rate, compute_dtype)


@misconception
def learning_rate_rounded(master, gradient, learning_rate, compute_dtype):
    """You cast the learning rate to `compute_dtype`. In float16, 0.001 is off by 0.04 % and 1e-9 is 0: let it be
    multiplied in float32."""
    return right(master, gradient, tf.cast(tf.cast(learning_rate, compute_dtype), tf.float32), compute_dtype)


@misconception
def master_rounded_first(master, gradient, learning_rate, compute_dtype):
    """You rounded the master weight to `compute_dtype` before the step. Its lower digits are what it is kept for:
    subtract from it as it is."""
    return right(tf.cast(tf.cast(master, compute_dtype), tf.float32), gradient, learning_rate, compute_dtype)


@misconception
def working_copy_is_the_next_master(master, gradient, learning_rate, compute_dtype):
    """You returned the working copy, cast back to float32, as the new master weight. What has been rounded off does not
    come back: the new master weight is the difference itself."""
    working_copy = right(master, gradient, learning_rate, compute_dtype)[1]
    return tf.cast(working_copy, tf.float32), working_copy


@misconception
def working_copy_of_the_old_master(master, gradient, learning_rate, compute_dtype):
    """Your working copy is that of the old master weight. The next forward pass computes with the *new* one: cast after
    the step."""
    return subtracted(master, gradient, learning_rate), tf.cast(master, compute_dtype)


@misconception
def working_copy_in_float32(master, gradient, learning_rate, compute_dtype):
    """Your working copy is still float32. Cast it to `compute_dtype`: it is what the layers compute with."""
    new_master = subtracted(master, gradient, learning_rate)
    return new_master, tf.cast(tf.cast(new_master, compute_dtype), tf.float32)


@misconception
def master_in_half_precision(master, gradient, learning_rate, compute_dtype):
    """Your new master weight is in half precision. It stays float32; only the working copy is cast."""
    working_copy = right(master, gradient, learning_rate, compute_dtype)[1]
    return working_copy, working_copy


@misconception
def the_other_order(master, gradient, learning_rate, compute_dtype):
    """You returned them in the other order: the new master weight comes first, then the working copy."""
    return right(master, gradient, learning_rate, compute_dtype)[::-1]


@misconception
def working_copy_forgotten(master, gradient, learning_rate, compute_dtype):
    """You returned the new master weight alone. Two things are asked for: `return new_master, working_copy`."""
    return subtracted(master, gradient, learning_rate)


@misconception
def uphill(master, gradient, learning_rate, compute_dtype):
    """You added the update. The gradient points uphill: subtract."""
    return right(master, gradient, -learning_rate, compute_dtype)


@misconception
def no_learning_rate(master, gradient, learning_rate, compute_dtype):
    """You left out the learning rate."""
    return right(master, gradient, 1.0, compute_dtype)


@misconception
def always_float16(master, gradient, learning_rate, compute_dtype):
    """You cast to float16 whatever `compute_dtype` says."""
    return right(master, gradient, learning_rate, "float16")


@misconception
def master_changed_in_place(master, gradient, learning_rate, compute_dtype):
    """You changed the caller's array. `master -= …` works in place on a NumPy array: write `new_master = master -
    …`."""
    if isinstance(master, np.ndarray):
        master -= learning_rate * np.asarray(gradient).astype(np.float32)
        return both(master, compute_dtype)
    return right(master, gradient, learning_rate, compute_dtype)


@misconception
def numpy_inside_tf_function(master, gradient, learning_rate, compute_dtype):
    """You left TensorFlow (`.numpy()`, `np.asarray`). Inside `tf.function` there are no values yet, only a graph is
    drawn: use `tf.cast` and the operators, which take arrays as well."""
    gradient = tf.convert_to_tensor(gradient).numpy().astype(np.float32)
    return right(tf.convert_to_tensor(master).numpy(), gradient, learning_rate, compute_dtype)


@misconception
def astype_on_a_tensor(master, gradient, learning_rate, compute_dtype):
    """You called `.astype`, which arrays have and tensors have not. `tf.cast` takes both."""
    new_master = master - learning_rate * gradient.astype(np.float32)
    return new_master, new_master.astype(DTYPES[compute_dtype])


@misconception
def working_copy_steps_by_itself(master, gradient, learning_rate, compute_dtype):
    """Your working copy makes its own step, in half precision, where small updates are lost. It is the cast of the new
    master weight."""
    copy = tf.cast(master, compute_dtype) - tf.cast(learning_rate, compute_dtype) * tf.cast(gradient, compute_dtype)
    return subtracted(master, gradient, learning_rate), copy


@misconception
def update_rounded(master, gradient, learning_rate, compute_dtype):
    """You rounded the update to `compute_dtype`. It is subtracted from a float32 weight: leave it in float32."""
    update = tf.cast(learning_rate * tf.cast(gradient, tf.float32), compute_dtype)
    return both(master - tf.cast(update, tf.float32), compute_dtype)


@misconception
def master_in_float64(master, gradient, learning_rate, compute_dtype):
    """Your new master weight is float64. It comes in float32 and stays float32, or it would not fit its variable."""
    new_master = tf.cast(master, tf.float64) - learning_rate * tf.cast(gradient, tf.float64)
    return both(new_master, compute_dtype)


@misconception
def master_forgotten(master, gradient, learning_rate, compute_dtype):
    """You returned the working copy alone. Two things are asked for: `return new_master, working_copy`."""
    return right(master, gradient, learning_rate, compute_dtype)[1]


@misconception
def returned_as_a_dict(master, gradient, learning_rate, compute_dtype):
    """You returned a dict. A pair is asked for: `return new_master, working_copy`."""
    new_master, working_copy = right(master, gradient, learning_rate, compute_dtype)
    return {"new_master": new_master, "working_copy": working_copy}


@misconception
def divided_by_the_learning_rate(master, gradient, learning_rate, compute_dtype):
    """You divided by the learning rate. Multiply: a smaller rate makes a smaller step."""
    return right(master, gradient, 1 / learning_rate, compute_dtype)


@misconception
def saturated(master, gradient, learning_rate, compute_dtype):
    """You used `tf.saturate_cast`, which turns what is too large into the largest number. Then nobody notices the
    overflow: `tf.cast` gives an infinity."""
    new_master = subtracted(master, gradient, learning_rate)
    return new_master, tf.saturate_cast(tf.convert_to_tensor(new_master), tf.as_dtype(compute_dtype))


@misconception
def overflow_hidden(master, gradient, learning_rate, compute_dtype):
    """You replaced gradients that are not finite. Whether to skip such a step is decided before this one, for all
    weights together; here it would be half a step."""
    gradient = tf.cast(gradient, tf.float32)
    return right(master, tf.where(tf.math.is_finite(gradient), gradient, 0.0), learning_rate, compute_dtype)


@misconception
def row_by_row(master, gradient, learning_rate, compute_dtype):
    """You go through the rows in Python. A scalar has none, an empty array has nothing to stack, and inside
    `tf.function` their number may be unknown: the operators take whole arrays."""
    gradient = tf.cast(gradient, tf.float32)
    rows = [master[i] - learning_rate * gradient[i] for i in range(master.shape[0])]
    return both(tf.stack(rows), compute_dtype)


@misconception
def variable_inside(master, gradient, learning_rate, compute_dtype):
    """You made a `tf.Variable`. Inside `tf.function` one may be made only when the function is traced first; none is
    needed: a subtraction gives the new weight."""
    variable = tf.Variable(master)
    variable.assign_sub(learning_rate * tf.cast(gradient, tf.float32))
    return both(variable.read_value(), compute_dtype)


@misconception
def assigned_to_the_argument(master, gradient, learning_rate, compute_dtype):
    """You called `.assign_sub` on `master`, which is a tensor or an array here, not a variable. Return a new weight:
    `new_master = master - …`."""
    master.assign_sub(learning_rate * tf.cast(gradient, tf.float32))
    return both(master, compute_dtype)


HINTS = (
    "Three operations: a product, a difference, a cast. Which of them may be in half precision? And what does the "
    "working copy copy, the old master weight or the new one?",
    "Only the cast at the end. The gradient may come in half precision, where learning_rate · gradient can underflow:"
    " it has to be float32 before it is multiplied. `tf.cast` takes tensors and arrays, in eager mode and inside "
    "`tf.function`.",
    "`new_master = master - learning_rate * tf.cast(gradient, tf.float32)`, then `return new_master, "
    "tf.cast(new_master, compute_dtype)`.",
)
