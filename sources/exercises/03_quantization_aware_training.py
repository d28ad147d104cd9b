# %% [markdown]
# # Exercises 03: quantization and quantization-aware training
#
# You build quantization from its parts: the scale and the zero-point, the rounding both ways, the scales of single
# channels, the fake quantization that one can train through, the ranges of the activations, and the integer arithmetic
# that a phone computes with. The last exercise, the article's coding task, puts them together. The lessons are
# [04 Quantization](../notebooks/04_quantization.ipynb) and
# [05 Quantization-aware training](../notebooks/05_quantization_aware_training.ipynb).
#
# Each exercise is a function or a class with its contract in the docstring. Put your code in place of
# `raise NotImplementedError`, run the cell, run the `check(…)` cell under it. `hint(quantize)` gives a hint,
# `reveal(quantize)` our solution, `progress()` shows where you stand.
#
# The words used throughout:
#
# - **quantization** (量化): storing a real number *x* as an integer *q*, so that *x* ≈ (*q* − *z*) · *s*.
# - *s* is the **scale** (缩放因子), the distance between two neighbouring values that can be stored; *z* is the
#   **zero-point** (零点), the integer that stands for 0.
# - *q* is one of the integers from `qmin` to `qmax`. With *b* bits there are up to 2^*b* of them. What lies beyond the
#   two ends of the **representable range** (可表示范围), from (qmin − *z*) · *s* to (qmax − *z*) · *s*, is
#   **clipped** (截断) to the nearer end.
# - **symmetric** (对称): *z* is 0; **asymmetric** (非对称): *z* is where it has to be.
# - **per tensor** (逐张量): one scale for a whole tensor; **per channel** (逐通道): one for each channel.
#
# | | qmin | qmax | zero-point |
# |---|---|---|---|
# | asymmetric, 8 bits | 0 | 255 | any of 0…255 |
# | symmetric, 8 bits | −127 | 127 | 0 |
# | asymmetric, *b* bits | 0 | 2^*b* − 1 | any of 0…2^*b* − 1 |
# | symmetric, *b* bits | −(2^(*b*−1) − 1) | 2^(*b*−1) − 1 | 0 |
#
# (`2^b` in the text is a power; in Python write `2**b`.)

# %%
import math

from halfbits.grading import check, hint, progress, reveal
from halfbits.quiet import import_tensorflow

import_tensorflow()  # takes some seconds; drops the lines that TensorFlow writes

import keras
import numpy as np
import tensorflow as tf

# %% [markdown]
# ## 1. From a range to a scale and a zero-point
#
# 0 must be stored without error: zero padding and ReLU produce it all the time, and an error in it is the same error
# everywhere. Hence two rules ([Jacob et al. 2018](https://arxiv.org/abs/1712.05877), sections 2.1 and 3). The range is
# first widened so that it holds 0: [2, 6] becomes [0, 6]. And the zero-point is an integer.
#
# - **Asymmetric:** the range, from its minimum to its maximum, is divided into 2^*b* − 1 steps. The zero-point is the
#   integer nearest to −minimum / scale.
# - **Symmetric:** the larger of |minimum| and |maximum| is divided into 2^(*b*−1) − 1 steps, and the zero-point is 0.


# %%
def quantization_parameters(
    minimum: float, maximum: float, bits: int, symmetric: bool = False
) -> tuple[float, int]:
    """The scale and the zero-point that fit a range of real numbers.

    Args:
        minimum, maximum: the ends of the range, minimum <= maximum: Python floats or NumPy's
            float32 or float64. Each is 0 or between 10⁻³⁰ and 10³⁰ in magnitude. The range
            need not hold 0; it is widened to do so first.
        bits: the number of bits, 2 to 16.
        symmetric: whether the integers are −(2^(bits−1) − 1)…2^(bits−1) − 1 with zero-point
            0, rather than 0…2^bits − 1 with a zero-point among them.

    Returns:
        A tuple (scale, zero_point).

        scale: a positive number. Where the widened range is one point (both ends are 0)
        there is nothing to divide: any scale will do that is finite and more than 0, and
        still so after a cast to float32; 1.0, say.

        zero_point: an integer (Python's or NumPy's, not a float). In the asymmetric case it
        is the one nearest to −minimum / scale, and half-way between two either. Where both
        ends are 0, any of 0…2^bits − 1 will do.

        Tolerance: float32 is good enough. (The scale is right to one part in a million; the
        zero-point may be either neighbour within 2^bits / 1,000,000 of half-way.)
    """
    ### BEGIN SOLUTION
    minimum, maximum = min(float(minimum), 0.0), max(float(maximum), 0.0)
    if symmetric:
        width, steps = max(-minimum, maximum), 2 ** (bits - 1) - 1
    else:
        width, steps = maximum - minimum, 2**bits - 1
    scale = width / steps if width else 1.0
    return scale, 0 if symmetric else round(-minimum / scale)
    ### END SOLUTION


# %%
check(quantization_parameters)

# %% [markdown]
# ## 2. From numbers to integers
#
# *q* = clip(round(*x* / *s*) + *z*, qmin, qmax). The clipping comes last: qmin and qmax are what the stored integers
# may be, and the zero-point is part of those.
#
# A scale for each channel is an array that **broadcasts** (广播) against *x*: for an *x* of shape (5, 3, 2) the scales
# of the last axis have shape (2,), those of the first (5, 1, 1).


# %%
def quantize(x: np.ndarray, scale, zero_point: int, qmin: int, qmax: int) -> np.ndarray:
    """Round real numbers to the integers that stand for them.

    Args:
        x: a float32 or float64 array of any shape, shape () and arrays without elements
            too; not changed. It may hold infinities, but no NaN.
        scale: a positive Python float, or an array of positive float32 numbers that
            broadcasts to the shape of x; not changed.
        zero_point: a Python int from qmin to qmax.
        qmin, qmax: Python ints, the lowest and the highest integer, −2¹⁶ <= qmin < qmax
            <= 2¹⁶.

    Returns:
        An int32 array (or tensor) of the shape of x (for shape () a NumPy scalar will do):
        x / scale, rounded to the nearest integer (half-way between two, to either), plus
        zero_point, clipped to qmin…qmax. Numbers that are far too large, infinities too,
        become qmin or qmax.

        Tolerance: float32 is good enough. (Either neighbour will do within (|x / scale| +
        |zero_point|) / 1,000,000 of half-way.)
    """
    ### BEGIN SOLUTION
    q = np.round(x / scale) + zero_point
    return np.clip(q, qmin, qmax).astype(np.int32)
    ### END SOLUTION


# %%
check(quantize)

# %% [markdown]
# ## 3. And back
#
# *x* ≈ (*q* − *z*) · *s*. The integers often come in 8 bits. Think of what 100 − (−100) is there.


# %%
def dequantize(q: np.ndarray, scale, zero_point: int) -> np.ndarray:
    """The real numbers that integers stand for.

    Args:
        q: an array of any shape (shape () and arrays without elements too) and any integer
            dtype of NumPy, signed or unsigned, 8 to 64 bits, with values from −2¹⁶ to 2¹⁶;
            not changed.
        scale: a positive Python float, or an array of positive float32 numbers that
            broadcasts to the shape of q; not changed.
        zero_point: a Python int from −2¹⁶ to 2¹⁶. It may be one that the dtype of q does
            not have.

    Returns:
        A float32 array (or tensor) of the shape of q (for shape () a NumPy scalar will do):
        (q − zero_point) · scale, each number right to one part in a million, and exactly 0
        where q is the zero-point.
    """
    ### BEGIN SOLUTION
    return ((q.astype(np.int32) - zero_point) * scale).astype(np.float32)
    ### END SOLUTION


# %%
check(dequantize)

# %% [markdown]
# ## 4. A scale for each channel
#
# One channel's weights may be a hundred times those of another. With one scale for the whole tensor the small ones are
# rounded to a handful of values; a scale for each channel costs next to nothing and keeps them. A channel is what
# belongs to one index along `axis`: for a Dense kernel of shape (inputs, units) axis 1, for a Conv2D kernel of shape
# (height, width, inputs, filters) axis 3, or −1.


# %%
def per_channel_scales(weights: np.ndarray, bits: int, axis: int) -> np.ndarray:
    """The symmetric scale of each channel.

    Args:
        weights: a float32 or float64 array of one or more dimensions, none of length 0;
            not changed. Each weight is 0 or between 10⁻³⁰ and 10³⁰ in magnitude.
        bits: the number of bits, 2 to 16.
        axis: which axis counts the channels, from −weights.ndim to weights.ndim − 1.

    Returns:
        A float32 or float64 array (or tensor) of shape (channels,), with channels =
        weights.shape[axis]: for each channel its largest |weight|, divided by 2^(bits−1) −
        1, right to one part in a million. For a channel of zeros any scale will do that is
        finite and more than 0, and still so after a cast to float32; 1.0, say.
    """
    ### BEGIN SOLUTION
    channels = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    largest = np.max(np.abs(channels), axis=1)
    return np.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1.0)
    ### END SOLUTION


# %%
check(per_channel_scales)

# %% [markdown]
# ## 5. Fake quantization, and a gradient for it
#
# **Fake quantization** (伪量化) rounds a float to the nearest value that can be stored, and leaves it a float: the
# network computes with what quantization will make of its numbers, and can learn to live with it.
#
# Rounding has the gradient 0 almost everywhere, so nothing would be learnt. The **straight-through estimator**
# (直通估计器, [Bengio et al. 2013](https://arxiv.org/abs/1308.3432)) acts as if the rounding were not there. The
# clipping stays: inside the representable range the gradient is 1, outside it is 0, since moving *x* there changes
# nothing.
#
# Useful: `tf.clip_by_value`, and `tf.stop_gradient`, which passes a value on and has the gradient 0. The library calls
# that do all of it (`fake_quant_with_min_max_args`, `…_vars` and `…_vars_per_channel`) are not allowed here.


# %%
def fake_quantize(x: tf.Tensor, scale, zero_point: int, qmin: int, qmax: int) -> tf.Tensor:
    """Quantize and dequantize, with the straight-through gradient.

    Args:
        x: a float32 tensor or variable of any shape; infinities, but no NaN.
        scale: a positive Python float, or a tensor or NumPy array of positive float32
            numbers that broadcasts to the shape of x.
        zero_point: a Python int from qmin to qmax.
        qmin, qmax: Python ints, the lowest and the highest integer, −2¹⁶ <= qmin < qmax
            <= 2¹⁶.

    Returns:
        A float32 tensor of the shape of x: (q − zero_point) · scale, with q = x / scale
        rounded to the nearest integer (half-way between two, to either), plus zero_point,
        clipped to qmin…qmax.

        The gradient of x is the incoming gradient (the loss's gradient of this tensor,
        which the tape hands back) where x lies inside the representable range, from
        (qmin − zero_point) · scale to (qmax − zero_point) · scale, ends included, and
        exactly 0 outside, however far. The gradient of scale is not checked.

        This works in eager mode, operation by operation, and inside tf.function, which
        runs your function once to trace (record) its operations; the shape may be
        (None, None) then.

        Tolerance: float32 is good enough. (Values are right to a millionth of the larger
        end of the range in magnitude; either neighbour will do within (|x / scale| +
        |zero_point|) / 1,000,000 of half-way, either gradient within a millionth of an end
        that float32 does not have.)
    """
    ### BEGIN SOLUTION
    lowest, highest = (qmin - zero_point) * scale, (qmax - zero_point) * scale
    # Clipping has the gradient that is wanted, and what is far outside has no digits to lose then.
    inside = tf.clip_by_value(x, lowest, highest)
    rounded = tf.round(inside / scale) * scale
    return inside + tf.stop_gradient(rounded - inside)
    ### END SOLUTION


# %%
check(fake_quantize)

# %% [markdown]
# ## 6. The ranges of the activations
#
# The weights are there to be looked at. The **activations** (激活值) are not: their range depends on the input, so it is
# observed batch by batch. An **observer** (观察器) that keeps the smallest and the largest number ever seen lets one
# outlier decide for good; a **moving average** (滑动平均) forgets it.
#
# One bad batch must not spoil the range, either: a NaN in an average stays in it for ever.
#
# (`range` is a method here. Give an attribute of yours another name, or it hides the method.)


# %%
class MovingAverageObserver:
    """The range of some activations, as a moving average over batches.

    Args:
        momentum: how much of the old range stays at each batch, 0 <= momentum < 1, a Python
            float.
    """

    def __init__(self, momentum: float = 0.9):
        ### BEGIN SOLUTION
        self._momentum = momentum
        self._range = None
        ### END SOLUTION

    def update(self, batch) -> None:
        """Take note of a batch.

        The first batch sets the range to its own smallest and largest number. After each
        later one both ends are momentum · old + (1 − momentum) · the batch's. Float32
        arithmetic is good enough: they are right to a ten-thousandth of the largest
        magnitude that the batches hold.

        Args:
            batch: a float32 array or tensor of any shape; not changed. (This method is
                called in eager mode.)

        Raises:
            ValueError: the batch holds a NaN or an infinity, or no number at all. The
                observer is then as it was before, also if this would have been the first
                batch.
        """
        ### BEGIN SOLUTION
        batch = np.asarray(batch)
        if batch.size == 0 or not np.isfinite(batch).all():
            raise ValueError("a batch needs one number or more, and all of them finite")
        ends = float(batch.min()), float(batch.max())
        if self._range is None:
            self._range = ends
        else:
            old, new = self._momentum, 1 - self._momentum
            self._range = tuple(
                old * a + new * b for a, b in zip(self._range, ends, strict=True)
            )
        ### END SOLUTION

    def range(self) -> tuple[float, float]:
        """The range now.

        Returns:
            A tuple (minimum, maximum) of two numbers (Python's, NumPy's, or scalar
            tensors). It need not hold 0: `quantization_parameters` sees to that. Asking
            changes nothing.

        Raises:
            RuntimeError: no batch has been taken note of yet. The message says so.
        """
        ### BEGIN SOLUTION
        if self._range is None:
            raise RuntimeError("no range yet: call update with a batch first")
        return self._range
        ### END SOLUTION


# %%
check(MovingAverageObserver)

# %% [markdown]
# ## 7. Folding a batch normalization
#
# At inference a batch normalization is a multiplication and an addition with fixed numbers for each channel, and the
# layer before it can do both. **Folding** (折叠) it into that layer's kernel and bias saves the operation, and it is
# the folded kernel that gets quantized, so it has to be done before the scales are chosen.
#
# In inference, with the moving mean and variance that training has left, an output *y* of the layer becomes
#
# γ · (y − mean) / √(variance + ε) + β
#
# In both kinds of kernel below the output channels are the last axis.


# %%
def fold_batch_norm(
    kernel: np.ndarray, bias, gamma, beta, mean, variance, epsilon: float
) -> tuple:
    """Fold a batch normalization into the Dense or Conv2D layer before it.

    Args:
        kernel: a float32 array of shape (inputs, channels), of a Dense layer, or (height,
            width, inputs, channels), of a Conv2D layer.
        bias: a float32 array of shape (channels,), or None: the layer has no bias.
        gamma, beta, mean, variance: float32 arrays of shape (channels,), what the batch
            normalization holds; the variance is 0 or more.
        epsilon: a positive Python float, what it adds to the variance.

    Returns:
        The tuple (kernel, bias) of the folded layer: float32, arrays or tensors as you
        like, with the shape of the old kernel and (channels,). For every input the folded
        layer gives what the two layers gave in inference, up to float32 rounding.

        The folded layer has a bias where the old one had none, too. The arguments are not
        changed.
    """
    ### BEGIN SOLUTION
    scale = gamma / np.sqrt(variance + epsilon)
    bias = 0.0 if bias is None else bias
    return kernel * scale, (bias - mean) * scale + beta
    ### END SOLUTION


# %%
check(fold_batch_norm)

# %% [markdown]
# ## 8. A real multiplier in integers
#
# An integer-only layer adds up products of int8 numbers in an int32 **accumulator** (累加器), whose scale is *input
# scale · weight scale*. To get to the scale of the output it has to be multiplied by
#
# input scale · weight scale / output scale
#
# which is a real number, and most often below 1. That is **requantization** (重新量化). The scales are fixed when the
# model is converted, so the multiplier can be prepared as two integers: a **mantissa** of 31 bits and a **shift**, with
#
# real multiplier ≈ mantissa · 2^(shift − 31)
#
# For 0.375 they are 1610612736 and −1: the mantissa is 0.75 · 2^31, and 0.75 · 2^(−1) is 0.375.
# ([Jacob et al. 2018](https://arxiv.org/abs/1712.05877), section 2.2, write 2^(−n) · M₀ for it.)


# %%
def quantized_multiplier(real_multiplier: float) -> tuple:
    """A real multiplier as an int32 mantissa and a power of two.

    Args:
        real_multiplier: 0, or a number from 2^(−31) to 2^16: a Python float, or NumPy's float64
            or float32.

    Returns:
        The tuple (mantissa, shift) of two integers (Python's or NumPy's, no floats) for which
        mantissa · 2^(shift − 31) is nearest to the number, with the mantissa from 2^30 to
        2^31 − 1. Half-way between two such values either will do. 0 gives (0, 0).

        A mantissa that rounds up to 2^31 is written as 2^30, with 1 added to the shift.
    """
    ### BEGIN SOLUTION
    fraction, shift = math.frexp(real_multiplier)  # fraction · 2^shift, 1/2 <= fraction < 1
    mantissa = round(fraction * 2**31)
    if mantissa == 2**31:
        return 2**30, shift + 1
    return mantissa, shift
    ### END SOLUTION


# %%
check(quantized_multiplier)

# %% [markdown]
# ## 9. A dense layer in integers
#
# Now the layer itself, as a processor without floating point runs it. Weights have zero-point 0, so an accumulator is
#
# acc = Σ (x_q − x_zero_point) · w_q + bias_q
#
# with a bias that was quantized to the accumulator's scale. Requantization multiplies it by the real multiplier,
# in integers of 64 bits, and **rounds once**, a tie upwards:
#
# (acc · mantissa + 2^(30 − shift)) >> (31 − shift)
#
# where `>>` shifts to the right and rounds down, for negative numbers too, as Python's and NumPy's does. (In NumPy an
# int32 times a Python int is an int32, and so is `2**(30 - shifts)` of an int32: the 64 bits have to be asked for.) Then
# out_zero_point is added and the result clipped. A ReLU costs nothing here: it is a clip at the zero-point of the
# output, which stands for a real 0.
#
# These are the steps of TensorFlow Lite's `MultiplyByQuantizedMultiplier` where it was compiled to
# [round once](https://github.com/tensorflow/tensorflow/pull/50290). Otherwise it does as the library gemmlowp, and rounds
# twice: the product to 32 bits, and that once more after the rest of the shift. Take 5.6 / 4, which is 1.4: rounded
# once it is 1; but 5.6 rounded is 6, and 6 / 4 is 1.5, which goes up to 2.


# %%
def integer_dense(
    x_q: np.ndarray,
    w_q: np.ndarray,
    bias_q: np.ndarray,
    x_zero_point: int,
    out_zero_point: int,
    mantissas,
    shifts,
    activation_min: int = -128,
    activation_max: int = 127,
) -> np.ndarray:
    """A dense layer by integer arithmetic alone.

    Args:
        x_q: an int8 array of shape (batch, inputs); the batch may be empty.
        w_q: an int8 array of shape (inputs, units); its zero-points are 0.
        bias_q: an int32 array of shape (units,), with the accumulator's scale.
        x_zero_point, out_zero_point: integers from −128 to 127, Python's or NumPy's.
        mantissas, shifts: the multipliers, as in exercise 8: two integers (Python's or
            NumPy's, int32 or int64), or two integer arrays (int32 or int64) of shape
            (units,), one multiplier a unit. A mantissa is 0 or from 2^30 to 2^31 − 1, a
            shift from −31 to 30.
        activation_min, activation_max: what to clip to, within −128 and 127.

    Returns:
        An int8 array (or tensor) of shape (batch, units). The accumulators fit into int32. Each is
        requantized in 64 bits by the formula above; then out_zero_point is added, and the
        sum is clipped to activation_min and activation_max. No array of floats is made on
        the way.
    """
    ### BEGIN SOLUTION
    mantissas, shifts = (np.asarray(integers, np.int64) for integers in (mantissas, shifts))
    # Cast first: 127 − (−128) is no int8, and no product of two int8 numbers has to be one.
    accumulators = (x_q.astype(np.int32) - x_zero_point) @ w_q.astype(np.int32) + bias_q
    half = np.int64(1) << (30 - shifts)
    requantized = (accumulators * mantissas + half) >> (31 - shifts)
    return np.clip(requantized + out_zero_point, activation_min, activation_max).astype(np.int8)
    ### END SOLUTION


# %%
check(integer_dense)

# %% [markdown]
# ### The same integers as TensorFlow Lite
#
# Is that how a converted model computes, to the last bit? Train a network on the digits and convert it to TensorFlow
# Lite in **full integer** (全整数): int8 in, int8 out, one weight scale a unit. `halfbits.tflite` calls the converter
# and the interpreter for us without the lines that they write. Everything that `integer_dense` needs is in the
# converted model, and the interpreter hands it out: int8 weights, int32 biases, scales and zero-points.

# %% tags=["nbval-ignore-output"]
from halfbits import tflite
from halfbits.data import digits
from halfbits.models import mlp

images = digits()
keras.utils.set_random_seed(0)
float_model = mlp(keras, seed=0)
float_model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
float_model.fit(*images.train_and_validation, epochs=10, batch_size=32, verbose=0)

content = tflite.convert(float_model, "full_integer", representative=images.train.x)
reference = tflite.interpreter(content, reference=True)
layers = tflite.dense_layers(reference)
for layer in layers:
    print(
        f"{layer.w_q.dtype} weights {layer.w_q.shape}, {layer.bias_q.dtype} bias, "
        f"{len(layer.w_scales)} weight scales; zero-point {layer.x_zero_point} in, "
        f"{layer.out_zero_point} out"
    )

# %% [markdown]
# What comes out of a ReLU is never negative, so the converter lets the smallest integer, −128, stand for 0. A clip at
# −128 is the ReLU then, and the range of int8 has it built in. The logits have negative values too, and a zero-point
# further up.
#
# Now the whole test set, layer by layer, through your functions. Predict first: of 3,970 outputs, how many will differ
# from the reference interpreter's?


# %%
def integer_network(x_q, layers):
    """Each layer by `integer_dense`, with a ReLU in all but the last."""
    for layer in layers:
        real_multipliers = layer.x_scale * layer.w_scales / layer.out_scale
        multipliers = [quantized_multiplier(real) for real in real_multipliers]
        mantissas, shifts = np.transpose(multipliers)
        y_q = integer_dense(
            x_q,
            layer.w_q,
            layer.bias_q,
            layer.x_zero_point,
            layer.out_zero_point,
            mantissas,
            shifts,
            activation_min=-128 if layer is layers[-1] else layer.out_zero_point,
        )
        x_q = np.asarray(y_q)
    return x_q


first = layers[0]
test_q = np.asarray(
    quantize(images.test.x, first.x_scale, first.x_zero_point, -128, 127), np.int8
)
ours = integer_network(test_q, layers)
theirs = tflite.run(reference, test_q)
print(f"{np.sum(ours != theirs)} of {theirs.size:,} outputs differ")
assert np.array_equal(ours, theirs)
assert all(layer.out_zero_point == -128 for layer in layers[:-1])
assert layers[-1].out_zero_point > -128

# %% [markdown]
# None: the two are **bit-exact** (逐位一致). And the predictions are as good as those of the float model, up to a few
# images:

# %% tags=["nbval-ignore-output"]
float_accuracy = np.mean(np.argmax(float_model(images.test.x), axis=1) == images.test.y)
int8_accuracy = np.mean(np.argmax(ours, axis=1) == images.test.y)
print(f"float32 {float_accuracy:.3f}, int8 {int8_accuracy:.3f}")
assert abs(float_accuracy - int8_accuracy) < 0.02

# %% [markdown]
# The reference kernels are plain loops. (The one of a dense layer rounds a float product, an exact half away from
# zero: lesson 04, section 4.8. Of these outputs none shows it. Of millions a few do: where the product lies within about
# 10⁻⁷ of a half, the 31 bits of a mantissa may put it on the other side.) By default an interpreter uses faster ones, of
# the library [XNNPACK](https://github.com/google/XNNPACK). They add up in int32 like ours, but they requantize through
# float32: the accumulator becomes a float32, is multiplied by the real multiplier, and is rounded to nearest, a tie to
# even. Written in NumPy that is `float_network` below, which in float64 does as the reference kernels do, exact halves aside.
#
# Where do the two ways part? Only where the exact product lies so near to a tie that float32's 24 bits place it on the
# tie or beyond it, or where it is a tie and rounding it up is not rounding it to even. That is rare, so besides the test
# set take 50,000 images of random pixels.


# %%
def accumulated(x_q, layer):
    centred = x_q.astype(np.int32) - layer.x_zero_point
    return centred @ layer.w_q.astype(np.int32) + layer.bias_q


def float_network(x_q, layers, dtype):
    """Each layer requantized by a product in this dtype; the ReLU is the clip at −128."""
    for layer in layers:
        x_scale, w_scales, out_scale = map(
            dtype, (layer.x_scale, layer.w_scales, layer.out_scale)
        )
        rounded = np.rint(
            accumulated(x_q, layer).astype(dtype) * (x_scale * w_scales / out_scale)
        )
        x_q = np.clip(rounded + layer.out_zero_point, -128, 127).astype(np.int8)
    return x_q


noise_q = np.random.default_rng(0).integers(-128, 128, (50_000, 64)).astype(np.int8)
default = tflite.interpreter(content)

# %% tags=["nbval-ignore-output"]
for name, x_q in {"test set": test_q, "random pixels": noise_q}.items():
    from_default = tflite.run(default, x_q)
    from_ours = integer_network(x_q, layers)
    difference = np.abs(from_default.astype(int) - from_ours)
    print(
        f"{name}: {np.sum(difference > 0)} of {difference.size:,} outputs differ; "
        f"the largest difference is {difference.max()}"
    )
    from_reference = tflite.run(reference, x_q)
    assert np.array_equal(from_reference, float_network(x_q, layers, np.float64))
    assert np.array_equal(from_default, float_network(x_q, layers, np.float32))
    assert np.mean(from_ours != from_reference) < 2e-5
    assert difference.max() <= 2
    assert np.mean(difference > 0) < 0.001

# %% [markdown]
# Ours is the reference interpreter's result but for those few; `float_network` is both interpreters', in every output.
# A difference of 1 in a hidden layer can also reach the output through the layers behind it. Here is what it looks like
# in the first layer, where both get the same inputs:

# %% tags=["nbval-ignore-output"]
exact = accumulated(noise_q, first) * (first.x_scale * first.w_scales / first.out_scale)
by_ours, by_float32 = (
    from_first.astype(int) - first.out_zero_point
    for from_first in (
        integer_network(noise_q, [first]),
        float_network(noise_q, [first], np.float32),
    )
)
where = by_ours != by_float32
parted = zip(exact[where], by_ours[where], by_float32[where], strict=True)
for product, one, other in list(parted)[:6]:
    print(f"{product:.7f} is rounded to {one} by ours, to {other} through float32")
distance_from_tie = np.abs(exact[where] - np.floor(exact[where]) - 0.5)
assert np.all(distance_from_tie < 2.0**-14)  # some roundings in float32 of a number below 256

# %% [markdown]
# ## 10. The task: quantization-aware training with a schedule
#
# Now put the parts together; this one takes as long as the nine before it. You are given a float32 Keras model and a
# strategy; you return a copy of it that computes with fake-quantized kernels and activations, trained that way
# (**quantization-aware training**, QAT, 量化感知训练). The schedule may change the bit width on the way.
#
# In each Dense, Conv2D and DepthwiseConv2D layer two things are quantized, and nothing else:
#
# | | grid | range |
# |---|---|---|
# | its kernel | symmetric, −(2^(bits−1) − 1) … 2^(bits−1) − 1 | the largest \|weight\| of the kernel as it is now, or of the channel |
# | its input | asymmetric, 0 … 2^bits − 1 with a whole zero-point | a moving average over the batches of the training, then frozen |
#
# So the biases, the pooling, the sum of a skip connection and the outputs of the last layer stay in float. A batch
# normalization is folded into the layer before it, and then its kernel is quantized.
#
# Things to know before you start:
#
# - Your own answers above may help, and so may `tf.quantization.fake_quant_with_min_max_vars`, which nudges the
#   zero-point as exercise 1 does. What stands in Python, such as the observer of exercise 6, runs only when a
#   `tf.function` is traced; keep in a variable what changes from step to step.
# - `keras.models.clone_model(model, clone_function=f)` builds the network again with the layer `f(layer)` in place of
#   each layer, and without the weights. It fails on some compiled models;
#   `clone_model(type(model).from_config(model.get_config()))` does not.
# - In a network that `clone_model` has made (not in one straight from a config), layer `b` reads layer `a` where
#   `b.input is a.output`; a sum has a list of inputs.
# - In a functional network `clone_model` calls a new layer with all that the old one was called with, and a batch
#   normalization is called with a `mask`. What takes its place must accept one:
#   `def call(self, x, training=None, mask=None)`.
# - `with keras.StatelessScope(state_mapping=[(layer.kernel, other)]):` makes a layer that you call in it compute with
#   `other` in place of its kernel. What it adds to the losses in there (an `activity_regularizer`) is lost: give that
#   to a layer of your own.
# - TFMOT, and lesson 05 with it, widens the range of each batch to hold 0 and averages that. Here what was seen is
#   averaged, and the average widened.
# - An order of work: a `Sequential` of Dense layers without schedule first; then convolutions, the functional network,
#   batch normalization; the schedule and the errors last. `check` says at each stage what holds already.
#
# This cell is given: the strategy.

# %%
from dataclasses import dataclass, field


@dataclass(frozen=True)
class QuantizationStrategy:
    """How to quantize, and when to change the bits.

    Attributes:
        weight_bits: the bits of the kernels at the start, 2 to 8.
        activation_bits: the bits of the inputs of the layers, 2 to 8.
        per_channel: whether a kernel has a scale for each output channel, or one for all.
        schedule: the weight bits from an epoch on, by epoch; the first epoch is 0.
    """

    weight_bits: int = 8
    activation_bits: int = 8
    per_channel: bool = True
    schedule: dict[int, int] = field(default_factory=dict)


# %%
def quantization_aware_training(model, strategy, train_data, epochs=1):
    """Train a fake-quantized copy of a model, with a bit width that may change on the way.

    The copy begins with the weights of the model. Its Dense, Conv2D and DepthwiseConv2D layers
    compute, in training and at inference, with fake-quantized copies of their kernel and of
    their input; all else is float32. The model itself, its optimizer and the strategy stay as
    they were.

    Kernels: symmetric, as in exercise 4, with the largest absolute weight on the last point of
    the grid; 0 stays 0 where all weights are. With `strategy.per_channel` there is a scale for
    each output channel: for each entry of the last axis, but of a DepthwiseConv2D kernel, whose
    shape is (height, width, inputs, multiplier), for each pair of input and multiplier. The
    bits are those of `strategy.schedule` for the last epoch in it that has been reached, and
    `strategy.weight_bits` before. At inference they are those of the last epoch trained.

    Inputs: asymmetric with `strategy.activation_bits`, one range for each layer, as
    `quantization_parameters` makes scale and zero-point of it. In a training step a layer
    first takes the least and the largest number of its input into the range, as a moving
    average: the first batch sets it, later ones give 0.9 · old + 0.1 · new, in all epochs.
    Then it rounds its input with that range. At inference the ranges stay as they are.

    Gradients: those of the float kernels are the gradients of the rounded ones. Those of an
    input are 0 where it lies outside of the representable range, as in exercise 5 (that is,
    after the zero-point has been rounded), and pass unchanged elsewhere. Scales and ranges
    are constants to them.

    Batch normalization over the last axis is folded into the layer before it, with the
    moving mean and variance that it has, before the training begins, and is gone from then
    on. That layer must be Dense, Conv2D or DepthwiseConv2D without an activation, and nothing
    else may read its output.

    Args:
        model: a float32 Sequential or functional Keras model, built, with one input and one
            output, no models inside and no layer used twice. Where it is compiled, its loss is
            used and a fresh copy of its optimizer; else sparse cross-entropy on logits and
            Adam(1e-3). To either loss comes the regularization of the layers, of their float
            weights and their outputs.
        strategy: a QuantizationStrategy.
        train_data: a tf.data.Dataset of (x, y) batches, or a tuple (x, y) of arrays, which is
            cut into batches of 32 in its order, the last one as long as what is left.
        epochs: how many times to go through the data, with the layers in training mode.

    Returns:
        The quantized model, a Keras model, and the history, a dict of lists with one entry an
        epoch: "loss", the mean of its batches' losses (a shorter last batch may count less),
        and "weight_bits".

        A model that has seen no batch, since `epochs` was 0, raises an error when it is
        called for inference or asked to `predict`, with "never calibrated" in its message.

    Raises:
        ValueError: there is a batch normalization that cannot be folded, or a layer other than
            Dense, Conv2D, DepthwiseConv2D, InputLayer, ReLU, Activation, Dropout, Flatten,
            Reshape, Add, MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D and
            GlobalAveragePooling2D. The message has the name of that layer in it; where a
            batch normalization cannot be folded, that of the batch normalization.
    """
    ### BEGIN SOLUTION
    layers = keras.layers
    weighted = (layers.Dense, layers.Conv2D, layers.DepthwiseConv2D)
    weightless = (
        *(layers.InputLayer, layers.ReLU, layers.Activation, layers.Dropout, layers.Flatten),
        *(layers.Reshape, layers.Add, layers.MaxPooling2D, layers.AveragePooling2D),
        *(layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D),
    )

    @tf.custom_gradient
    def rounded(kernel, scale):
        """Straight through; TensorFlow's own operation with a range a channel is slow."""
        steps = tf.round(tf.math.divide_no_nan(kernel, scale))
        return steps * scale, lambda gradient: (gradient, None)

    class Quantized(layers.Layer):
        """Runs a layer with fake-quantized copies of its kernel and its input."""

        def __init__(self, layer):
            # What a layer adds to the losses inside of the scope below is lost.
            super().__init__(name=layer.name, activity_regularizer=layer.activity_regularizer)
            self.layer, self.weight_bits = layer, strategy.weight_bits
            rank = len(layer.kernel.shape)
            channel_axes = 2 if isinstance(layer, layers.DepthwiseConv2D) else 1
            self.axes = list(range(rank - channel_axes if strategy.per_channel else rank))
            not_seen = keras.initializers.Constant(math.nan)
            self.range = self.add_weight(shape=(2,), initializer=not_seen, trainable=False)

        def call(self, x, training=False):
            if training:
                seen = tf.stack([tf.reduce_min(x), tf.reduce_max(x)])
                average = 0.9 * self.range + 0.1 * seen
                self.range.assign(tf.where(tf.math.is_nan(self.range), seen, average))
            low, high = tf.minimum(self.range[0], 0.0), tf.maximum(self.range[1], 0.0)
            bits = strategy.activation_bits
            x = tf.quantization.fake_quant_with_min_max_vars(x, low, high, bits)
            kernel = tf.convert_to_tensor(self.layer.kernel)
            largest = tf.reduce_max(tf.abs(kernel), self.axes, keepdims=True)
            kernel = rounded(kernel, largest / (2 ** (self.weight_bits - 1) - 1))
            with keras.StatelessScope(state_mapping=[(self.layer.kernel, kernel)]):
                return self.layer(x)

    class Folded(layers.Layer):
        """Stands where a batch normalization was; it is called with all that one was called with."""

        def call(self, x, training=None, mask=None):
            return x

    class QuantizedModel(keras.Model):
        """A network that does not predict before it has seen a batch."""

        def __init__(self, network):
            super().__init__(name=network.name)
            self.network, self.calibrated = network, False

        def call(self, x, training=False):
            if training:
                self.calibrated = True
            if not self.calibrated:
                raise RuntimeError("this model was never calibrated: train it on a batch")
            return self.network(x, training=training)

    def reads(layer, other):
        return any(tensor is other.output for tensor in tf.nest.flatten(layer.input))

    def norm_after(layer):
        """The batch normalization that can be folded into this layer, or None."""
        if not isinstance(layer, weighted) or layer.activation is not keras.activations.linear:
            return None
        readers = [other for other in source.layers if reads(other, layer)]
        norm = readers[0] if len(readers) == 1 else None
        last = len(layer.output.shape) - 1
        foldable = isinstance(norm, layers.BatchNormalization) and norm.axis in (-1, last)
        return norm if foldable else None

    def folded(layer, norm):
        """Kernel and bias of a layer with the batch normalization in them."""
        kernel, bias = layer.kernel.numpy(), layer.bias.numpy() if layer.use_bias else 0.0
        factor = 1 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
        factor = factor * norm.gamma.numpy() if norm.scale else factor
        shift = norm.beta.numpy() if norm.center else 0.0
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        by_channel = factor.reshape(kernel.shape[2:]) if depthwise else factor
        return kernel * by_channel, (bias - norm.moving_mean.numpy()) * factor + shift

    def converted(layer):
        """What stands in the quantized network for a layer."""
        if any(layer is norm for norm in norms.values()):
            return Folded(name=layer.name)
        if not isinstance(layer, weighted + weightless):
            kind = type(layer).__name__
            raise ValueError(f"{kind} {layer.name!r} can be neither quantized nor folded")
        norm = norms.get(layer.name)
        config = layer.get_config() | ({"use_bias": True} if norm else {})
        copy = type(layer).from_config(config)
        if not isinstance(layer, weighted):
            return copy
        copy.build(layer.input.shape)
        copy.set_weights(folded(layer, norm) if norm else layer.get_weights())
        return Quantized(copy)

    # `clone_model` fails on some compiled models, and a model made from a config is not compiled.
    source = keras.models.clone_model(type(model).from_config(model.get_config()))
    source.set_weights(model.get_weights())
    norms = {layer.name: norm_after(layer) for layer in source.layers}
    network = keras.models.clone_model(source, clone_function=converted)
    quantized, variables = QuantizedModel(network), network.trainable_variables
    if model.compiled:
        loss = model.loss
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = keras.optimizers.Adam(1e-3)
    quantized.compile(optimizer, loss, jit_compile=False)
    optimizer.build(variables)  # a tf.function cannot make variables

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = quantized.compute_loss(x=x, y=y, y_pred=quantized(x, training=True))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    if isinstance(train_data, tuple):
        train_data = tf.data.Dataset.from_tensor_slices(train_data).batch(32)
    history, bits = {"loss": [], "weight_bits": []}, strategy.weight_bits
    for epoch in range(epochs):
        if epoch == 0 or epoch in strategy.schedule:
            bits = strategy.schedule.get(epoch, bits)
            for layer in network.layers:
                if isinstance(layer, Quantized):
                    layer.weight_bits = bits
            # A graph keeps the bits that it was traced with.
            step_with_these_bits = tf.function(step, input_signature=train_data.element_spec)
        losses = [step_with_these_bits(x, y) for x, y in train_data]
        history["loss"].append(float(np.mean(losses)))
        history["weight_bits"].append(bits)
    return quantized, history
    ### END SOLUTION


# %%
check(quantization_aware_training)

# %% [markdown]
# ### On the digits
#
# The network of 64-64-64-10 with weights of 2 bits, −1, 0 and 1 times a scale, and activations of 8. *What will be left
# of its accuracy if the trained weights are rounded just so? And what if it trains on with the rounding?*
#
# The first is **post-training quantization** (PTQ, 训练后量化). Our function does it too: with a learning rate of 0 an
# epoch moves nothing but the ranges, which is called **calibration** (校准). Five seeds, for the weights and the order
# of the images. The settings (Adam, a learning rate that falls from 10⁻³ to 0, 20 epochs) were chosen on the
# validation images; here we train on the 1,400 for training and validation, and count on the 397 test images.

# %%
import time
from functools import partial

from halfbits.data import digits
from halfbits.models import mlp

SEEDS, EPOCHS = range(5), 20
images = digits()
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def batches(seed):
    data = tf.data.Dataset.from_tensor_slices(images.train_and_validation)
    return data.shuffle(len(data), seed=seed).batch(32)


STEPS_AN_EPOCH = len(batches(0))


def accuracy(model):
    return float(np.mean(np.argmax(model(images.test.x), axis=1) == images.test.y))


def trained_in_float(seed):
    model = mlp(keras, seed=seed)
    model.compile(keras.optimizers.Adam(1e-3), cross_entropy)
    model.fit(batches(seed), epochs=30, shuffle=False, verbose=0)
    return model


def calibrated(strategy, seed):
    model = float_models[seed]
    model.compile(keras.optimizers.SGD(0.0), cross_entropy)
    return quantization_aware_training(model, strategy, batches(seed))[0]


def trained_on(strategy, seed):
    model = float_models[seed]
    rate = keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * STEPS_AN_EPOCH)
    model.compile(keras.optimizers.Adam(rate), cross_entropy)
    return quantization_aware_training(model, strategy, batches(seed), EPOCHS)[0]


results = {}


def five_seeds(name, train):
    start = time.perf_counter()
    accuracies = [accuracy(train(seed)) for seed in SEEDS]
    seconds = (time.perf_counter() - start) / len(SEEDS)
    results[name] = {"mean": np.mean(accuracies), "seconds": seconds}
    print(f"{name:32}{np.mean(accuracies):.3f} ± {np.std(accuracies, ddof=1):.3f}")


# %% tags=["nbval-ignore-output"]
float_models = [trained_in_float(seed) for seed in SEEDS]
five_seeds("float", lambda seed: float_models[seed])
for kind, per_channel in ("per tensor", False), ("per channel", True):
    two = QuantizationStrategy(2, 8, per_channel)
    for name, train in ("PTQ", calibrated), ("QAT", trained_on):
        five_seeds(f"{name}, 2 bits {kind}", partial(train, two))

# %% [markdown]
# Rounding alone costs more than half of the answers with one scale a tensor, and about a third with one a channel.
# Training on with the rounding wins most of it back, and per channel nearly all: it is within two points of
# float. The kernels that the optimizer moves are still float32; what they have learnt is to be right after rounding.

# %%
left = {name: result["mean"] for name, result in results.items()}
assert left["PTQ, 2 bits per tensor"] < 0.5 * left["float"]
assert left["PTQ, 2 bits per channel"] < left["float"] - 0.2
assert left["QAT, 2 bits per tensor"] > left["PTQ, 2 bits per tensor"] + 0.25
assert left["QAT, 2 bits per channel"] > left["float"] - 0.02

# %% [markdown]
# *Is it better to come down by degrees?* The same 20 epochs, with 8 bits, from epoch 7 on 4, from epoch 14 on 2:

# %% tags=["nbval-ignore-output"]
by_degrees = QuantizationStrategy(8, 8, True, schedule={7: 4, 14: 2})
five_seeds("QAT, 8 → 4 → 2 per channel", partial(trained_on, by_degrees))

# %% [markdown]
# Not here: from a trained model, 20 epochs at 2 bits are as good or better. The schedule is worth knowing as a tool,
# and worth measuring before it is believed.

# %%
scheduled = results["QAT, 8 → 4 → 2 per channel"]["mean"]
assert scheduled > left["PTQ, 2 bits per channel"] + 0.05
assert scheduled < left["QAT, 2 bits per channel"] + 0.01

# %% [markdown]
# ### The library way
#
# In a project you would take TFMOT, the TensorFlow Model Optimization Toolkit: `quantize_model`, `compile`, `fit`. It
# takes models of `tf_keras`, which is Keras 2, and works with 8 bits; a dense kernel has one scale. So we give the same
# five networks to both, and train 5 epochs at 8 bits.
#
# *What will TFMOT's wrapped model score before it has seen any data?*

# %% tags=["nbval-ignore-output"]
import tensorflow_model_optimization as tfmot
import tf_keras

from halfbits import tflite


def wrapped(seed):
    twin = mlp(tf_keras)
    twin.set_weights(float_models[seed].get_weights())
    return tfmot.quantization.keras.quantize_model(twin)


untrained = accuracy(wrapped(0))
print(f"TFMOT, before any data: {untrained:.2f}")
ours, _ = quantization_aware_training(float_models[0], QuantizationStrategy(), batches(0), 0)
try:
    accuracy(ours)
except Exception as error:  # of any kind, the contract says
    refusal = str(error)
    print("ours:", type(error).__name__)

# %%
assert untrained < 0.3
assert "never calibrated" in refusal

# %% [markdown]
# A guess, as its ranges are made up until a training step sets them, and it does not say so. That is why ours must.


# %%
def with_fit(seed):
    model = wrapped(seed)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(1e-3), loss)
    model.fit(batches(seed), epochs=5, shuffle=False, verbose=0)
    fitted.append(model)
    return model


def with_ours(seed):
    model, strategy = float_models[seed], QuantizationStrategy(8, 8, per_channel=False)
    model.compile(keras.optimizers.Adam(1e-3), cross_entropy)
    return quantization_aware_training(model, strategy, batches(seed), epochs=5)[0]


def as_tflite(seed):
    """The wrapped model in integers; from its fake quantization the converter knows all ranges."""
    interpreter = tflite.interpreter(tflite.convert(fitted[seed], "dynamic_range"))
    return lambda x: tflite.run(interpreter, x)


# %% tags=["nbval-ignore-output"]
fitted = []
five_seeds("ours, 8 bits", with_ours)
five_seeds("TFMOT, 8 bits", with_fit)
five_seeds("TFMOT, converted to TFLite", as_tflite)
for name in ("ours, 8 bits", "TFMOT, 8 bits"):
    ms = 1000 * results[name]["seconds"] / (5 * STEPS_AN_EPOCH)
    print(f"{name:32}{ms:.1f} ms a step, all included")
sizes = {
    "float32": len(tflite.convert(float_models[0])),
    "int8": len(tflite.convert(fitted[0], "dynamic_range")),
}
print(", ".join(f"{name} file: {size:,} bytes" for name, size in sizes.items()))

# %% [markdown]
# At 8 bits all three are as good as float: there is nothing to win back, and TFMOT's model, in integers, takes a third
# of the space. On layers of 64 units a step is nearly all overhead; `benchmarks/quantization.py` compares the steps
# where arithmetic counts.
#
# Where ours and TFMOT's differ: TFMOT quantizes the *outputs* of layers too, keeps batch normalization in training, and
# its moving average starts from made-up ranges; it knows 8 bits only (an experimental scheme has others) and no
# schedule. Ours stops at fake quantization; what a file needs beyond that is in lesson 05, 4.7.

# %%
for name in ("ours, 8 bits", "TFMOT, 8 bits", "TFMOT, converted to TFLite"):
    assert abs(results[name]["mean"] - left["float"]) < 0.02, name
assert sizes["int8"] < sizes["float32"] / 2

# %% [markdown]
# ## Where you stand

# %% tags=["nbval-ignore-output"]
progress()
