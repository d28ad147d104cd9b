"""mixed_dense(x, kernel, bias, compute_dtype) -> tf.Tensor: a dense layer in `compute_dtype` from float32 variables."""

import ml_dtypes
import numpy as np
import tensorflow as tf

from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception

DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32}
# The first whole number that the format does not have. It lies half-way, and goes to the even number below it, where
# TensorFlow's bfloat16 matmul ends too, which cuts off on a CPU without bfloat16 units.
FIRST_GAP = {"float16": 2049.0, "bfloat16": 257.0}

OUTPUT, GRADIENTS, VARIABLES = "the output", "the gradients", "the variables afterwards"

# An answer under tf.function is traced anew for every pair of variables.
SECONDS = 20.0

SHOW = {4: lambda what: f"→ {what}"}


def use(answer, x, kernel, bias, compute_dtype, what):
    """Call the answer with a tensor and two variables, and look at one thing."""
    x, kernel, bias = tf.constant(x), tf.Variable(kernel), tf.Variable(bias)
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = answer(x, kernel, bias, compute_dtype)
    if what == VARIABLES:
        return {"kernel": plain(kernel), "bias": plain(bias)}
    if what == OUTPUT or not tf.is_tensor(output):
        return plain(output)
    sources = {"kernel": kernel, "bias": bias, "x": x}
    upstream = tf.cast(weights_of(output.shape), output.dtype)
    gradients = tape.gradient(output, sources, output_gradients=upstream)
    return {name: "no gradient" if gradients[name] is None else plain(gradients[name]) for name in sources}


def weights_of(shape):
    """Small whole numbers, each output with another one."""
    return (np.arange(np.prod(shape), dtype=np.float32) % 5 - 1).reshape(shape)


def rounded(array, compute_dtype):
    """To the format by NumPy or ml_dtypes, and on in float64."""
    with np.errstate(over="ignore"):
        return np.asarray(array).astype(DTYPES[compute_dtype]).astype(np.float64)


def expected(x, kernel, bias, compute_dtype, what):
    """The oracle: float64, in which all of these products are exact, rounded where the contract says so."""
    x64, kernel64, bias64 = (rounded(operand, compute_dtype) for operand in (x, kernel, bias))
    if what == OUTPUT:
        product = rounded(x64 @ kernel64, compute_dtype)
        return plain((product + bias64).astype(DTYPES[compute_dtype]))
    if what == VARIABLES:
        return {"kernel": plain(kernel), "bias": plain(bias)}
    upstream = weights_of((*x.shape[:-1], kernel.shape[1])).astype(np.float64)
    examples = tuple(range(x.ndim - 1))
    return {
        "kernel": plain(np.tensordot(x64, upstream, (examples, examples)).astype(np.float32)),
        "bias": plain(upstream.sum(examples).astype(np.float32)),
        "x": plain((upstream @ kernel64.T).astype(x.dtype)),
    }


def layer(x_shape, units, x_dtype=np.float32):
    """x, kernel and bias of small whole numbers and halves, exact in every format."""
    count, size = int(np.prod(x_shape)), x_shape[-1] * units
    x = (np.arange(count) * 3 % 7 - 2).reshape(x_shape).astype(x_dtype)
    kernel = ((np.arange(size) * 5 % 9 - 3) / 2).reshape(x_shape[-1], units).astype(np.float32)
    return x, kernel, (np.arange(units) % 3 - 0.5).astype(np.float32)


def single(*numbers):
    return np.array(numbers, np.float32)


def hold(answer, layers, what, dtypes=("float16", "bfloat16", "float32")):
    answer.each([(*one, dtype, what) for one in layers for dtype in dtypes], expected, because=no_gradient)


def no_gradient(call):
    """Which of the gradients is missing."""
    if not isinstance(call.returned, dict):
        return ""
    missing = [name for name, gradient in call.returned.items() if isinstance(gradient, str)]
    return f"no gradient reaches {' and '.join(missing)}" if missing else ""


def test_output(answer):
    """x · kernel + bias, in the dtype asked for"""
    hold(answer, [layer((1, 2), 1), layer((2, 3), 4), layer((5, 4), 2)], OUTPUT)


def test_other_shapes(answer):
    """One unit, one input, an empty batch, and more than two dimensions"""
    shapes = [((3, 4), 1), ((3, 1), 5), ((0, 3), 2), ((2, 3, 4), 5), ((2, 2, 2, 3), 1)]
    hold(answer, [layer(*shape) for shape in shapes], OUTPUT, ["float16", "bfloat16"])


def test_dtype_of_x(answer):
    """x in half precision, float32 or float64"""
    layers = [layer((2, 3), 4, dtype) for dtype in (np.float16, ml_dtypes.bfloat16, np.float64)]
    hold(answer, layers, OUTPUT)
    # Exact, and beyond float16.
    hold(answer, [(np.array([[256.0]], np.float16), single([512]), single(0))], OUTPUT)
    hold(
        answer, [(np.array([[70000.0]], dtype), single([0.5]), single(0)) for dtype in (np.float32, np.float64)], OUTPUT
    )


def test_operands_are_rounded(answer):
    """x, kernel and bias are each rounded to the dtype first"""
    for dtype, odd in FIRST_GAP.items():
        even = odd - 1
        layers = [
            (single([odd, even]), single([1], [-1]), single(0)),
            (single([1, -1]), single([odd], [even]), single(0)),
            (single([1]), single([-even]), single(odd)),
        ]
        hold(answer, layers, OUTPUT, [dtype])


def test_every_operation_is_rounded(answer):
    """The product loses its digits, or overflows float16, before the bias is added"""
    for dtype, odd in FIRST_GAP.items():
        hold(answer, [(single([odd - 2, 2]), single([1], [1]), single(1 - odd))], OUTPUT, [dtype])
    overflow = [(single([sign * 300]), single([200, 300]), single(0, -sign * 60000)) for sign in (1, -1)]
    hold(answer, overflow, OUTPUT, ["float16"])


def test_gradients(answer):
    """Gradients reach kernel and bias in float32, and x in its own dtype"""
    shapes = [((1, 2), 1), ((2, 3), 4), ((2, 3, 4), 5)]
    layers = [layer(*shape, dtype) for shape in shapes for dtype in (np.float32, np.float16)]
    hold(answer, layers, GRADIENTS, ["float16", "bfloat16"])


def test_variables_are_unchanged(answer):
    """The variables keep their float32 values"""
    x, kernel, bias = layer((2, 3), 4)
    exact = [(x, kernel, bias), (x, kernel + np.float32(1e-3), bias + np.float32(1e-5))]
    hold(answer, exact, VARIABLES, ["float16", "bfloat16"])


def half(*operands, dtype):
    return [tf.cast(operand, dtype) for operand in operands]


def right(x, kernel, bias, compute_dtype):
    """The right answer, for the misconceptions to be wrong in one place only."""
    x, kernel, bias = half(x, kernel, bias, dtype=compute_dtype)
    return tf.matmul(x, kernel) + bias


@misconception
def computed_in_float32(x, kernel, bias, compute_dtype):
    """You computed in float32 and cast the result. Cast the operands *before* the matmul: that is where the time and
    the memory are saved."""
    return tf.cast(tf.matmul(tf.cast(x, tf.float32), kernel) + bias, compute_dtype)


@misconception
def rounded_but_computed_in_float32(x, kernel, bias, compute_dtype):
    """You rounded the operands, but computed with them in float32. The product and the sum are operations in
    `compute_dtype`, and their results are rounded to it."""
    x, kernel, bias = half(*half(x, kernel, bias, dtype=compute_dtype), dtype=tf.float32)
    return tf.cast(tf.matmul(x, kernel) + bias, compute_dtype)


@misconception
def returned_in_float32(x, kernel, bias, compute_dtype):
    """You cast the result back to float32. The next layer computes in half precision too: return `compute_dtype`."""
    return tf.cast(right(x, kernel, bias, compute_dtype), tf.float32)


@misconception
def bias_added_in_float32(x, kernel, bias, compute_dtype):
    """You added the bias in float32. The sum is an operation of the layer as well: cast the bias to `compute_dtype`, as
    you did with the kernel."""
    x, kernel = half(x, kernel, dtype=compute_dtype)
    return tf.cast(tf.cast(tf.matmul(x, kernel), tf.float32) + bias, compute_dtype)


@misconception
def product_in_float32(x, kernel, bias, compute_dtype):
    """You multiplied in float32, and cast before the bias was added. The matmul is what takes the time: cast x and the
    kernel *before* it."""
    product = tf.matmul(tf.cast(x, tf.float32), kernel)
    return tf.cast(product, compute_dtype) + tf.cast(bias, compute_dtype)


@misconception
def bias_is_not_cast(x, kernel, bias, compute_dtype):
    """You cast x and the kernel, but not the bias. TensorFlow does not add a float32 to a half-precision tensor: cast
    all three."""
    x, kernel = half(x, kernel, dtype=compute_dtype)
    return tf.matmul(x, kernel) + bias


@misconception
def x_is_not_cast(x, kernel, bias, compute_dtype):
    """You cast the variables, but not x. TensorFlow multiplies no float32 by a float16: cast all three."""
    kernel, bias = half(kernel, bias, dtype=compute_dtype)
    return tf.matmul(x, kernel) + bias


@misconception
def variables_are_not_cast(x, kernel, bias, compute_dtype):
    """You cast x, but not the variables. They stay float32 as variables; what the layer computes with are
    half-precision copies of them, made by `tf.cast`."""
    return tf.matmul(tf.cast(x, compute_dtype), kernel) + bias


@misconception
def in_the_dtype_of_x(x, kernel, bias, compute_dtype):
    """You computed in the dtype of x and cast at the end. x may come in any dtype; it is `compute_dtype` that the layer
    computes in."""
    return tf.cast(right(x, kernel, bias, x.dtype), compute_dtype)


@misconception
def always_float16(x, kernel, bias, compute_dtype):
    """You cast to float16 whatever `compute_dtype` says. Pass its name on to `tf.cast`."""
    return right(x, kernel, bias, tf.float16)


@misconception
def bfloat16_through_float16(x, kernel, bias, compute_dtype):
    """You computed in float16 and cast the result to the dtype asked for. The computation itself must be in
    `compute_dtype`: bfloat16 has float32's range, and float16 ends at 65504."""
    return tf.cast(right(x, kernel, bias, tf.float16), compute_dtype)


@misconception
def no_bias(x, kernel, bias, compute_dtype):
    """You left out the bias."""
    x, kernel = half(x, kernel, dtype=compute_dtype)
    return tf.matmul(x, kernel) + 0.0 * tf.cast(bias, compute_dtype)


@misconception
def variables_rounded(x, kernel, bias, compute_dtype):
    """You assigned the rounded values to the variables. They are the master weights, and their lower digits are gone
    now: cast into a new tensor and leave the variable alone."""
    for variable in (kernel, bias):
        variable.assign(tf.cast(tf.cast(variable, compute_dtype), variable.dtype))
    return right(x, kernel, bias, compute_dtype)


@misconception
def values_without_gradients(x, kernel, bias, compute_dtype):
    """You took the values out of the variables (`.numpy()`, `tf.constant(…)`, a new `tf.Variable`). The tape cannot
    follow that, and no gradient reaches them. `tf.cast(kernel, …)` takes the variable itself."""
    return right(x, kernel.numpy(), bias.numpy(), compute_dtype)


@misconception
def x_without_gradient(x, kernel, bias, compute_dtype):
    """You took the values out of x (`.numpy()`, `np.asarray`, `tf.stop_gradient`). The gradient for the layers before
    this one flows through x: cast the tensor itself."""
    return right(x.numpy(), kernel, bias, compute_dtype)


@misconception
def kernel_transposed(x, kernel, bias, compute_dtype):
    """You transposed the kernel. It has the shape (inputs, units), as in Keras: `x @ kernel` needs no transpose."""
    x, kernel, bias = half(x, kernel, bias, dtype=compute_dtype)
    return tf.matmul(x, kernel, transpose_b=True) + bias


@misconception
def unit_axis_dropped(x, kernel, bias, compute_dtype):
    """You squeezed the result. A layer with one unit still has an axis for it: (batch, 1), not (batch,)."""
    return tf.squeeze(right(x, kernel, bias, compute_dtype))


@misconception
def leading_axes_flattened(x, kernel, bias, compute_dtype):
    """You flattened all axes but the last and did not put them back. The result has the leading axes of x, and the
    units in place of the inputs."""
    return right(tf.reshape(x, (-1, x.shape[-1])), kernel, bias, compute_dtype)


@misconception
def x_through_float16(x, kernel, bias, compute_dtype):
    """You cast x to float16 first, and then to `compute_dtype`. What float16 does not have is lost on the way, range
    and digits: one cast is enough."""
    return right(tf.cast(x, tf.float16), kernel, bias, compute_dtype)


@misconception
def saturated(x, kernel, bias, compute_dtype):
    """You used `tf.saturate_cast`, which turns what is too large into the largest number. Then nobody notices the
    overflow, and no loss scale reacts to it: `tf.cast` gives an infinity."""
    operands = (tf.saturate_cast(tf.convert_to_tensor(one), tf.as_dtype(compute_dtype)) for one in (x, kernel, bias))
    x, kernel, bias = operands
    return tf.matmul(x, kernel) + bias


@misconception
def activated(x, kernel, bias, compute_dtype):
    """You put a ReLU behind the layer. The contract asks for x · kernel + bias, negative numbers too."""
    return tf.nn.relu(right(x, kernel, bias, compute_dtype))


@misconception
def float16_or_else_float32(x, kernel, bias, compute_dtype):
    """You know "float16" and compute in float32 for every other name. `compute_dtype` may be "bfloat16" too: pass the
    name on to `tf.cast`."""
    return right(x, kernel, bias, "float16" if compute_dtype == "float16" else "float32")


@misconception
def two_dimensions_only(x, kernel, bias, compute_dtype):
    """Your product takes x with two dimensions only. It may have more, with the inputs in the last one: `tf.matmul`
    takes all of them."""
    x, kernel, bias = half(x, kernel, bias, dtype=compute_dtype)
    return tf.einsum("bi,iu->bu", x, kernel) + bias


@misconception
def nothing_returned(x, kernel, bias, compute_dtype):
    """Your function has no `return`, so it gives None back."""
    right(x, kernel, bias, compute_dtype)


HINTS = (
    "Three things go into the computation: x, the kernel and the bias. In which dtype does each come, and in which "
    "does it have to be? TensorFlow converts none of them by itself.",
    "`tf.cast(kernel, compute_dtype)` makes a new tensor and leaves the variable as it is; the gradient of a cast is "
    "a cast back, so that the variable gets a float32 gradient. It takes the name of a dtype. Do not leave TensorFlow"
    " on the way: after `.numpy()` there is no gradient.",
    "Cast all three with `tf.cast(…, compute_dtype)`, then return `tf.matmul(x, kernel) + bias`. There is no cast "
    "after that: the result has the right dtype already.",
)
