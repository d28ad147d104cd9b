# %% [markdown]
# # Exercises 02: mixed precision training
#
# You build mixed precision training from its parts: the layer that computes in half precision, the loss that does
# not, the loss scale with its bookkeeping, the master weights, and the sum of the bytes. The last exercise, the
# article's coding task, puts them together. The lessons are
# [01 Why mixed precision](../notebooks/01_why_mixed_precision.ipynb) and
# [03 Mixed precision in TensorFlow](../notebooks/03_mixed_precision_in_tensorflow.ipynb).
#
# Each exercise is a function or a class with its contract in the docstring. Put your code in place of
# `raise NotImplementedError`, run the cell, run the `check(…)` cell under it. `hint(mixed_dense)` gives a hint,
# `reveal(mixed_dense)` our solution, `progress()` shows where you stand.
#
# The words used throughout:
#
# - **half precision** (半精度): fp16 (`"float16"`) or bf16 (`"bfloat16"`), 16 bits a number; **single precision**
#   (单精度): fp32 (`"float32"`).
# - **master weights** (主权重): the fp32 weights that the optimizer updates. What is computed with is a
#   **working copy** (工作副本) in half precision.
# - **loss scale** (损失缩放因子): the number that the loss is multiplied by, so that the gradients do not underflow
#   (下溢) to zero in fp16.
#
# | | largest number | smallest normal | smallest subnormal | gap at 1 |
# |---|---|---|---|---|
# | fp16 | 65504 | 2⁻¹⁴ | 2⁻²⁴ | 2⁻¹⁰ |
# | bf16 | 3.39 · 10³⁸ | 2⁻¹²⁶ | 2⁻¹³³ | 2⁻⁷ |
# | fp32 | 3.40 · 10³⁸ | 2⁻¹²⁶ | 2⁻¹⁴⁹ | 2⁻²³ |

# %%
from halfbits.grading import check, hint, progress, reveal
from halfbits.quiet import import_tensorflow

import_tensorflow()  # takes some seconds; drops the lines that TensorFlow writes

import keras
import numpy as np
import tensorflow as tf

# %% [markdown]
# ## 1. A dense layer in mixed precision
#
# The layer keeps its variables in fp32, casts them to half precision when it is called, and computes with the copies.
# A cast is an operation like any other: its gradient casts back, so that the gradients reach the variables in fp32.


# %%
def mixed_dense(
    x: tf.Tensor, kernel: tf.Variable, bias: tf.Variable, compute_dtype: str
) -> tf.Tensor:
    """A dense layer, x · kernel + bias, computed in `compute_dtype` from float32 variables.

    Args:
        x: a tensor of any floating dtype with shape (..., inputs), two dimensions or more.
        kernel: a float32 variable of shape (inputs, units).
        bias: a float32 variable of shape (units,).
        compute_dtype: "float16", "bfloat16" or "float32".

    Returns:
        A tensor of dtype `compute_dtype` with shape (..., units). All three operands are
        cast to that dtype, and both operations, the product and the sum, give their results
        in it: what is too large for float16 is an infinity from there on.

        The variables stay as they are, in float32. Gradients flow back to the kernel and
        the bias, in float32, and to x, in the dtype of x.
    """
    ### BEGIN SOLUTION
    x, kernel, bias = (tf.cast(operand, compute_dtype) for operand in (x, kernel, bias))
    return tf.matmul(x, kernel) + bias
    ### END SOLUTION


# %%
check(mixed_dense)

# %% [markdown]
# ## 2. The loss in float32
#
# Exponentials, sums over many numbers, and means over large batches are what fp16 is worst at, so the loss is computed
# in fp32 from half-precision logits. That alone does not make it **stable** (数值稳定): exp(89) is infinite in fp32 as
# well. With *m* the largest logit of the row and *y* the label, the loss of a row is
#
# log Σⱼ exp(zⱼ − m) − (z_y − m)
#
# Build it from elementary operations. The library calls that give the loss in one step (`tf.nn.sparse_softmax_…`,
# `keras.losses.…`) are not allowed here.


# %%
def softmax_cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The mean softmax cross-entropy of a batch, computed in float32.

    Args:
        logits: a float16 or bfloat16 tensor of shape (batch, classes), neither 0; finite.
        labels: an int32 or int64 tensor of shape (batch,): the right class of each row.

    Returns:
        The mean loss over the batch, a float32 scalar tensor. It is right to 0.01 % (or to
        1e-6, where that is more) for logits of ±60000 too, and for a hundred thousand rows.

        Gradients flow back to the logits, finite and in their dtype.
    """
    ### BEGIN SOLUTION
    logits = tf.cast(logits, tf.float32)
    # Whatever is subtracted cancels, so that no gradient need go through it.
    shifted = logits - tf.stop_gradient(tf.reduce_max(logits, axis=1, keepdims=True))
    log_sum = tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=1))
    of_label = tf.gather(shifted, labels, axis=1, batch_dims=1)
    return tf.reduce_mean(log_sum - of_label)
    ### END SOLUTION


# %%
check(softmax_cross_entropy)

# %% [markdown]
# ## 3. Gradients through a scaled loss
#
# A gradient of 2⁻³⁰ is zero in fp16. Multiply the loss by 2¹⁵ and, by the chain rule, every gradient on the way back
# is multiplied by it: 2⁻¹⁵ is a number that fp16 has. What arrives at the variables is divided by the scale again,
# where 2⁻³⁰ can be held: in fp32.


# %%
def scaled_gradients(loss_fn, variables: list, loss_scale) -> list:
    """The gradients of a loss, computed on the scaled loss and unscaled in float32.

    Args:
        loss_fn: a function without arguments that computes the loss, a float32 scalar.
        variables: a list of variables, in float32 or half precision. They stay as they are.
        loss_scale: a positive number, as a Python float or a float32 scalar tensor.

    Returns:
        A list with one item a variable, in the same order: its gradient as a float32 tensor
        of the variable's shape, or None where the loss does not depend on the variable. A
        sparse gradient (tf.IndexedSlices, which tf.gather gives) may stay sparse or become
        a tensor. What has overflowed stays infinite or NaN: it is not for this function to
        hide it.

        `loss_fn` is called once. This works in eager mode and inside tf.function.
    """
    ### BEGIN SOLUTION
    with tf.GradientTape() as tape:
        scaled_loss = loss_fn() * loss_scale
    gradients = tape.gradient(scaled_loss, variables)
    # A cast comes before the division: half precision may not have the quotient.
    return [
        g if g is None else tf.cast(tf.convert_to_tensor(g), tf.float32) / loss_scale
        for g in gradients
    ]
    ### END SOLUTION


# %%
check(scaled_gradients)

# %% [markdown]
# ## 4. Is every gradient finite?
#
# Where the scale was too large, some gradient has overflowed, and the step must be skipped: one infinity makes the
# weights useless for good.


# %%
def all_finite(gradients: list) -> bool:
    """Whether no gradient holds an infinity or a NaN.

    Args:
        gradients: a list whose items are tensors of any floating dtype and any shape (also
            with no element at all), tf.IndexedSlices, or None. The list may be empty.

    Returns:
        True if every element of every gradient is finite, however large. None and tensors
        without elements have nothing that is not finite.

        In eager mode this is a Python bool or anything that holds one boolean (a NumPy
        bool, a scalar bool tensor). Inside tf.function it is a scalar bool tensor; there
        the lengths of the tensors may be unknown when your function is traced.
    """
    ### BEGIN SOLUTION
    finite = tf.constant(True)
    for gradient in gradients:
        if gradient is not None:
            values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
            finite = finite & tf.reduce_all(tf.math.is_finite(values))
    return finite
    ### END SOLUTION


# %%
check(all_finite)

# %% [markdown]
# ## 5. The loss scale that finds its own size
#
# The best scale is the largest that does not overflow, and it changes during training. **Dynamic loss scaling**
# (动态损失缩放) finds it: grow now and then, and step back at once when something overflows.


# %%
class LossScale:
    """A dynamic loss scale.

    Args:
        initial: the scale to begin with, 1 or more and finite in float32.
        growth_interval: how many finite steps in a row make the scale grow, 1 or more.
        factor: what the scale is multiplied by when it grows, and divided by when it
            shrinks; more than 1.

    Attributes:
        value: the scale now, one number (a Python float, a NumPy scalar, a scalar tensor or
            a variable).
    """

    def __init__(
        self, initial: float = 2.0**15, growth_interval: int = 2000, factor: float = 2.0
    ):
        ### BEGIN SOLUTION
        self.value = initial
        self._growth_interval = growth_interval
        self._factor = factor
        self._finite_steps = 0
        ### END SOLUTION

    def update(self, finite: bool) -> bool:
        """Take note of a step's gradients, and adjust the scale for the next step.

        After `growth_interval` finite steps in a row the scale grows, and the count begins
        again. Where it would not be finite in float32 any more, it stays. After a step that
        is not finite the scale shrinks at once, but not below 1, and the count begins
        again.

        Args:
            finite: whether all gradients of the step are finite: a bool, a NumPy bool or a
                scalar bool tensor. (This method is called in eager mode.)

        Returns:
            Whether the step is to be applied: True if it is finite.
        """
        ### BEGIN SOLUTION
        if not finite:
            self.value = max(self.value / self._factor, 1.0)
            self._finite_steps = 0
            return False
        self._finite_steps += 1
        if self._finite_steps == self._growth_interval:
            self._finite_steps = 0
            grown = self.value * self._factor
            if grown <= tf.float32.max:
                self.value = grown
        return True
        ### END SOLUTION


# %%
check(LossScale)

# %% [markdown]
# ## 6. A step on the master weights
#
# An update of 2⁻¹⁶ next to a weight of 1 is lost in fp16 and in bf16, ten thousand times out of ten thousand. On an
# fp32 master weight the updates add up, and the working copy follows when enough have come together.


# %%
def master_weight_step(master, gradient, learning_rate: float, compute_dtype: str) -> tuple:
    """One step of plain SGD on a float32 master weight.

    Args:
        master: the master weight, a float32 tensor or array of any shape; not changed.
        gradient: its gradient, unscaled: a tensor or array of that shape, in float32 or
            in half precision; not changed.
        learning_rate: a Python float.
        compute_dtype: "float16", "bfloat16" or "float32".

    Returns:
        (new_master, working_copy): master − learning_rate · gradient, computed in float32;
        and that new master weight, cast to `compute_dtype`. They are tensors or NumPy
        arrays, as you like.

        This works in eager mode, where the arguments may be tensors or arrays, and inside
        tf.function, where they are tensors.
    """
    ### BEGIN SOLUTION
    new_master = master - learning_rate * tf.cast(gradient, tf.float32)
    return new_master, tf.cast(new_master, compute_dtype)
    ### END SOLUTION


# %%
check(master_weight_step)

# %% [markdown]
# ## 7. Does it halve the memory?
#
# "Mixed precision halves the memory" is what many people answer. Work it out:
#
# | | weights | working copy | gradients | optimizer slots | activations |
# |---|---|---|---|---|---|
# | `"float32"` | fp32 | none | fp32 | fp32 | fp32 |
# | `"mixed_float16"`, `"mixed_bfloat16"` | fp32 | half | fp32 | fp32 | half |
# | `"float16"` | fp16 | none | fp16 | fp16 | fp16 |
#
# There are as many gradients, and as many entries in each **slot** (优化器槽位) of the optimizer, as there are
# parameters. Adam has two slots, SGD with momentum one, plain SGD none. The activations are kept for the backward pass,
# for every example of the batch.


# %%
def training_memory(
    parameters: int,
    activations_per_example: int,
    batch_size: int,
    policy: str,
    optimizer_slots: int = 2,
) -> dict:
    """The bytes that training keeps in memory, after the table above.

    Args:
        parameters: the number of weights of the model.
        activations_per_example: the number of activations kept for one example.
        batch_size: the number of examples in a batch.
        policy: "float32", "mixed_float16", "mixed_bfloat16" or "float16".
        optimizer_slots: how many numbers the optimizer keeps for each weight, 0 or more.

    Returns:
        A dict of bytes, exact: "weights", "working_copy" (0 where there is none),
        "gradients", "optimizer", "activations", and "total", the sum of these five.

    Raises:
        ValueError: there is no such policy.
    """
    ### BEGIN SOLUTION
    if policy not in ("float32", "mixed_float16", "mixed_bfloat16", "float16"):
        raise ValueError(f"no policy is called {policy!r}")
    half, single = 2, 4
    is_mixed = policy.startswith("mixed_")
    kept = half if policy == "float16" else single
    memory = {
        "weights": kept * parameters,
        "working_copy": half * parameters if is_mixed else 0,
        "gradients": kept * parameters,
        "optimizer": kept * parameters * optimizer_slots,
        "activations": (single if policy == "float32" else half)
        * activations_per_example
        * batch_size,
    }
    memory["total"] = sum(memory.values())
    return memory
    ### END SOLUTION


# %%
check(training_memory)
