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

        scale: a positive number, right to one part in a million. Where the widened range is
        one point (both ends are 0) there is nothing to divide: any scale will do that is
        finite and more than 0, in float32 as well; 1.0, say.

        zero_point: an integer (Python's or NumPy's, not a float). In the asymmetric case it
        is the one nearest to −minimum / scale. Half-way between two integers either will
        do, and also where that is nearer to half-way than 2^bits / 1,000,000, so that
        float32 arithmetic is good enough. Where both ends are 0, any of 0…2^bits − 1 will
        do.
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
# *q* = clip(round(*x* / *s*) + *z*, qmin, qmax). The clipping comes last: qmin and qmax are what the stored integers may
# be, and the zero-point is part of those.
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
        An int32 array of the shape of x (for shape () a NumPy scalar will do): x / scale,
        rounded to the nearest integer, plus zero_point, clipped to qmin…qmax. Numbers that
        are far too large, infinities too, become qmin or qmax.

        Where x / scale is half-way between two integers either will do; and also where it
        is nearer to half-way than (|x / scale| + |zero_point|) / 1,000,000, so that float32
        arithmetic is good enough.
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
        A float32 array of the shape of q (for shape () a NumPy scalar will do):
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
        A float32 or float64 array of shape (channels,) with channels = weights.shape[axis]:
        for each channel its largest |weight|, divided by 2^(bits−1) − 1, right to one part
        in a million. For a channel of zeros any scale will do that is finite and more than
        0, in float32 as well; 1.0, say.
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
# (直通估计器, [Bengio et al. 2013](https://arxiv.org/abs/1308.3432)) acts as if the rounding were not there. The clipping
# stays: inside the representable range the gradient is 1, outside it is 0, since moving *x* there changes nothing.
#
# Build it from elementary operations. The library calls that do all of it (`fake_quant_with_min_max_args`, `…_vars` and
# `…_vars_per_channel`) are not allowed here.


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
        rounded to the nearest integer, plus zero_point, clipped to qmin…qmax. Half-way
        between two integers, or nearer to that than (|x / scale| + |zero_point|) /
        1,000,000, either will do. Each number is right to a millionth of the larger end of
        the representable range, in magnitude.

        The gradient of x is the incoming gradient itself where x lies inside the
        representable range, from (qmin − zero_point) · scale to (qmax − zero_point) ·
        scale, ends included, and exactly 0 outside, however far. (Where such an end has to
        be rounded to float32, either is right within a millionth of it.) Nothing is asked
        of other gradients.

        This works in eager mode and inside tf.function, where the lengths of x may be
        unknown when your function is traced.
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
        later one both ends are momentum · old + (1 − momentum) · the batch's, in float32
        arithmetic or better (right to one part in a hundred thousand).

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
            self._range = tuple(old * a + new * b for a, b in zip(self._range, ends, strict=True))
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
