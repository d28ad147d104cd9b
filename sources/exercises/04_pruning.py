# %% [markdown]
# # Exercises 04: pruning
#
# You build pruning from its parts: the masks, the schedule, the training step that holds a mask, and the removal of
# whole neurons. The last exercise, the article's coding task, puts them together. The lesson is
# [06 Pruning](../notebooks/06_pruning.ipynb).
#
# Each exercise is a function with its contract in the docstring. Put your code in place of `raise NotImplementedError`,
# run the cell, run the `check(…)` cell under it. `hint(magnitude_mask)` gives a hint, `reveal(magnitude_mask)` our
# solution, `progress()` shows where you stand.
#
# The words used throughout:
#
# - **pruning** (剪枝): taking away the parts of a network that matter least. A single weight is a **connection** (连接).
# - **sparsity** (稀疏度): the fraction of the weights that are 0. At sparsity 0.9 one weight in ten is left.
# - **mask** (掩码): an array of the shape of the weights, True where a weight is **kept** (保留), False where it is
#   **dropped** (剪除), which means set to 0.
# - **magnitude** (幅值): |w|. **Magnitude pruning** (幅值剪枝) drops the weights with the smallest ones.
# - **unstructured** (非结构化): any weight may be dropped, and the arrays keep their shapes. **Structured** (结构化):
#   whole neurons or channels go, and the arrays get smaller. **2:4** is in between: two in each block of four stay.
#
# | | what goes | shape of the kernel | exercise |
# |---|---|---|---|
# | connections, per layer | single weights, so many in each layer | stays | 1 |
# | connections, global | single weights, so many in all layers together | stays | 3 |
# | *n*:*m* | all but *n* of each block of *m* weights | stays | 4 |
# | neurons | a column of one kernel, a row of the next | shrinks | 6, 7 |
# | a whole Keras model, by connections or by neurons | as above | stays, or shrinks | 9, the task |
#
# A Dense kernel has shape (inputs, units) here, as in Keras.

# %%
import math
from itertools import pairwise

from halfbits.grading import check, hint, progress, reveal
from halfbits.quiet import import_tensorflow

import_tensorflow()  # takes some seconds; drops the lines that TensorFlow writes

import keras
import numpy as np
import tensorflow as tf

# %% [markdown]
# ## 1. The smallest weights of a layer
#
# How many are dropped is `round(sparsity * weights.size)`, with Python's `round`: half-way between two integers it takes
# the even one, so `round(2.5)` is 2. The number is exact. A threshold alone cannot promise that, since several weights
# may have the same magnitude.
#
# Weights may have been quantized already. Think of what `np.abs` makes of the int8 number −128.


# %%
def magnitude_mask(weights: np.ndarray, sparsity: float) -> np.ndarray:
    """The mask that drops the weights of smallest magnitude.

    Args:
        weights: an array of any shape (shape () and arrays without elements too) of float32,
            float64, int8, int16 or int32; not changed. The floats are finite, and may be as
            small as 10⁻³⁰ in magnitude, or 0.
        sparsity: the fraction of the weights to drop, from 0 to 1, both allowed; a Python float
            or int.

    Returns:
        A bool array (or tensor) of the shape of weights, True = kept (for shape () a NumPy bool
        will do). Exactly `round(sparsity * weights.size)` weights are dropped (Python's
        round), and none of them has a larger magnitude than one that is kept. Among equal
        magnitudes any may be dropped.

    Raises:
        ValueError: the sparsity is below 0 or above 1.
    """
    ### BEGIN SOLUTION
    if not 0 <= sparsity <= 1:
        raise ValueError(f"a sparsity is from 0 to 1, not {sparsity}")
    magnitudes = np.abs(weights.astype(np.float64)).reshape(-1)  # int8 has no 128
    mask = np.ones(weights.size, bool)
    mask[np.argsort(magnitudes)[: round(sparsity * weights.size)]] = False
    return mask.reshape(weights.shape)
    ### END SOLUTION


# %%
check(magnitude_mask)

# %% [markdown]
# ### On the digits
#
# A network of 64-256-128-10, trained on the digits. Every kernel loses the same fraction of its weights, in **one shot**
# (一次性剪枝): no training afterwards. *How much can go before it shows?*

# %% tags=["nbval-ignore-output"]
from halfbits.data import digits
from halfbits.models import mlp

images = digits()
keras.utils.set_random_seed(0)  # the order of the images
trained = mlp(keras, hidden=(256, 128), seed=0)
trained.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
trained.fit(*images.train_and_validation, epochs=30, batch_size=32, verbose=0)
kernels, biases = trained.get_weights()[0::2], trained.get_weights()[1::2]


def accuracy(kernels, own_biases=None):
    """Of a Dense network with ReLU, on the test images; the trained biases unless others are given."""
    biases_used, x = own_biases or biases, images.test.x
    for kernel, bias in zip(kernels[:-1], biases_used[:-1], strict=True):
        x = np.maximum(x @ kernel + bias, 0)
    return float(np.mean(np.argmax(x @ kernels[-1] + biases_used[-1], axis=1) == images.test.y))


def one_shot(sparsity):
    return [kernel * np.asarray(magnitude_mask(kernel, sparsity)) for kernel in kernels]


one_shot_accuracy = {s: accuracy(one_shot(s)) for s in (0, 0.3, 0.5, 0.8, 0.9, 0.95)}
for sparsity, score in one_shot_accuracy.items():
    print(f"sparsity {sparsity:4}: accuracy {score:.3f}")

# %% [markdown]
# Half of the weights go almost unnoticed. Nine in ten do not.

# %%
assert one_shot_accuracy[0.5] > one_shot_accuracy[0] - 0.03
assert one_shot_accuracy[0.9] < one_shot_accuracy[0] - 0.15

# %% [markdown]
# ## 2. A schedule
#
# **Gradual pruning** (渐进式剪枝) raises the sparsity while the network trains, so that what is left can make up for what
# went. [Zhu & Gupta 2017](https://arxiv.org/abs/1710.01878) take, from step *b* to step *e*,
#
# s = final + (initial − final) · (1 − (step − b) / (e − b))^power
#
# with power 3: fast at first, while much is redundant, and slowly at the end. Before *b* the sparsity is the initial
# one, after *e* the final one. TFMOT's `PolynomialDecay` computes the same.


# %%
def polynomial_sparsity(
    step: int,
    begin_step: int,
    end_step: int,
    initial_sparsity: float,
    final_sparsity: float,
    power: float = 3,
) -> float:
    """The sparsity at a training step, by Zhu & Gupta's schedule.

    Args:
        step: the step, an int (Python's or NumPy's int64), also before begin_step, negative
            too, and after end_step.
        begin_step, end_step: Python ints from 0 on, where the schedule begins and ends.
        initial_sparsity, final_sparsity: Python floats from 0 to 1; either may be the larger.
        power: a Python int or float above 0, not always a whole number.

    Returns:
        A number (Python's, NumPy's or a scalar tensor), right to 0.000001: the initial sparsity up
        to begin_step, the final one from end_step on, and between them the formula above.

    Raises:
        ValueError: begin_step is not less than end_step.
    """
    ### BEGIN SOLUTION
    if begin_step >= end_step:
        raise ValueError(f"the schedule ends at {end_step}, not after it begins ({begin_step})")
    progress = min(max((step - begin_step) / (end_step - begin_step), 0.0), 1.0)
    return final_sparsity + (initial_sparsity - final_sparsity) * (1 - progress) ** power
    ### END SOLUTION


# %%
check(polynomial_sparsity)

# %% [markdown]
# *After a quarter of the steps, how far is the way to the final sparsity?* Count with power 1 and with power 3.

# %%
for power in 1, 3:
    row = [
        float(polynomial_sparsity(step, 0, 100, 0.0, 0.8, power))
        for step in (0, 25, 50, 75, 100)
    ]
    print(f"power {power}:", "  ".join(f"{sparsity:.3f}" for sparsity in row))
    done = row[1] / row[-1]
assert 0.57 < done < 0.58  # 1 − 0.75³

# %% [markdown]
# ## 3. One threshold for all layers
#
# The same sparsity in each layer is a choice, and not the best one: a small layer may need its weights more. **Global**
# (全局) pruning sorts the weights of all layers together and drops the smallest, wherever they are. One layer may lose
# nearly all of its weights and another none.


# %%
def global_masks(weights: list, sparsity: float) -> list:
    """The masks that drop the smallest weights of all layers together.

    Args:
        weights: a list of float32 or float64 arrays of any shapes (shape () and arrays without
            elements too), of unequal sizes; the list may be empty. Neither it nor an array is
            changed. The numbers are finite.
        sparsity: the fraction of all weights together to drop, from 0 to 1, both allowed; a
            Python float or int.

    Returns:
        A list of bool arrays (or tensors), one for each array and of its shape, True = kept
        (for shape () a NumPy bool will do). With total the number of weights in all arrays,
        exactly `round(sparsity * total)` are dropped (Python's round), and none of them has a
        larger magnitude than one that is kept in any array. Among equal magnitudes any may be
        dropped. For an empty list, an empty list.

    Raises:
        ValueError: the sparsity is below 0 or above 1.
    """
    ### BEGIN SOLUTION
    flat = np.concatenate([np.zeros(0), *(array.reshape(-1) for array in weights)])
    mask = np.asarray(magnitude_mask(flat, sparsity))
    ends = np.cumsum([array.size for array in weights])
    parts = np.split(mask, ends[:-1]) if weights else []
    return [part.reshape(array.shape) for part, array in zip(parts, weights, strict=True)]
    ### END SOLUTION


# %%
check(global_masks)

# %% [markdown]
# *At a global sparsity of 0.9, which layer of the digits network keeps the most of its weights? And is one shot better
# so?*

# %% tags=["nbval-ignore-output"]
masks = [np.asarray(mask) for mask in global_masks(kernels, 0.9)]
kept = [float(mask.mean()) for mask in masks]
globally = accuracy([kernel * mask for kernel, mask in zip(kernels, masks, strict=True)])
for kernel, fraction in zip(kernels, kept, strict=True):
    print(f"{kernel.shape[0]:3} × {kernel.shape[1]:3}: {fraction:.3f} of the weights kept")
print(f"accuracy {globally:.3f} globally, {one_shot_accuracy[0.9]:.3f} per layer")

# %%
assert kept[2] > 2 * max(kept[:2])
assert globally > one_shot_accuracy[0.9]

# %% [markdown]
# The last one, which is small, keeps the largest part: four in ten, where the others keep about one in ten. And the
# network is right more often than with a tenth of *each* layer, for the same number of weights.
#
# ## 4. Two of four
#
# In an NVIDIA GPU's **sparse tensor core** (稀疏张量核心) the zeros are skipped only where they come in a pattern: in
# each block of four neighbouring weights at least two are 0
# ([Mishra et al. 2021](https://arxiv.org/abs/2104.08378)). So *n* of *m* are kept, 2 of 4 by default.
#
# The blocks lie along an axis: the first *m* weights along it, the next *m*, and so on.


# %%
def n_of_m_mask(weights: np.ndarray, n: int = 2, m: int = 4, axis: int = -1) -> np.ndarray:
    """The mask that keeps the n largest magnitudes in each block of m.

    Args:
        weights: an array of one dimension or more (any length may be 0) of float32, float64,
            int8, int16 or int32; not changed. The floats are finite.
        n, m: Python ints, 1 <= n <= m: how many are kept in a block, and a block's length.
        axis: the axis along which the blocks lie, from −weights.ndim to weights.ndim − 1.

    Returns:
        A bool array (or tensor) of the shape of weights, True = kept. In each block, that is
        m neighbouring weights along axis of which the first has an index divisible by m,
        exactly n are kept, and none of them has a smaller magnitude than one that is dropped.
        Among equal magnitudes any may be kept.

    Raises:
        ValueError: the length along axis is not divisible by m (a length of 0 is).
    """
    ### BEGIN SOLUTION
    length = weights.shape[axis]
    if length % m:
        raise ValueError(f"{length} weights along axis {axis} make no blocks of {m}")
    magnitudes = np.abs(np.moveaxis(weights.astype(np.float64), axis, -1))
    blocks = magnitudes.reshape(*magnitudes.shape[:-1], length // m, m)
    largest = np.argsort(blocks, axis=-1)[..., m - n :]
    mask = np.zeros(blocks.shape, bool)
    np.put_along_axis(mask, largest, True, axis=-1)
    return np.moveaxis(mask.reshape(magnitudes.shape), -1, axis)
    ### END SOLUTION


# %%
check(n_of_m_mask)

# %% [markdown]
# Two of four is half of the weights, chosen with less freedom than in exercise 1. *What does that cost in one shot?*
# The blocks lie along the inputs, since it is over those that a product adds up. (The input images have 64 pixels, the
# layers 256 and 128 units: all divisible by 4.)

# %% tags=["nbval-ignore-output"]
two_of_four = [kernel * np.asarray(n_of_m_mask(kernel, axis=0)) for kernel in kernels]
print(f"2:4 {accuracy(two_of_four):.3f}, any half {one_shot_accuracy[0.5]:.3f}")

# %%
assert all(np.count_nonzero(kernel) <= kernel.size // 2 for kernel in two_of_four)
assert accuracy(two_of_four) > one_shot_accuracy[0] - 0.06

# %% [markdown]
# Little, before any training.
#
# ## 5. A training step that holds the mask
#
# After pruning the network trains on, and what was dropped must stay 0. Dropping its gradient is not enough: an
# optimizer with **momentum** (动量) still has the **velocity** (速度) of earlier steps, and moves the weight by that.
#
# Keras's `SGD(learning_rate, momentum)` computes
#
# v ← momentum · v − learning_rate · g, and w ← w + v
#
# Here the mask comes after it, and sets weight *and* velocity to 0. A product with the mask does that for most
# gradients; think of an infinity, which float16 training produces now and then.


# %%
def masked_momentum_step(
    weight, velocity, gradient, mask, learning_rate: float, momentum: float
) -> tuple:
    """A step of stochastic gradient descent with momentum that keeps dropped weights at 0.

    Args:
        weight, velocity, gradient: three float32 arrays, or three float32 tensors (in eager
            mode), of the same shape (any, also () and without elements); arrays are not
            changed. A dropped weight and its velocity may still be other than 0. Where a weight is
            dropped the gradient may be infinite or NaN, too.
        mask: a bool array or tensor of that shape, True = kept; an array where the others are
            arrays, a tensor where they are tensors.
        learning_rate, momentum: Python floats from 0 on, the momentum below 1.

    Returns:
        A tuple (weight, velocity) of float32 arrays or tensors, as you like: where the mask is
        True, what Keras's SGD makes of them (float32 arithmetic, in any order); where it is
        False, exactly 0, the weight and the velocity.
    """
    ### BEGIN SOLUTION
    velocity = tf.where(mask, momentum * velocity - learning_rate * gradient, 0.0)
    return tf.where(mask, weight + velocity, 0.0), velocity
    ### END SOLUTION


# %%
check(masked_momentum_step)

# %% [markdown]
# ### Fine-tuning
#
# The digits network at sparsity 0.9, one shot per layer, and then five epochs with your step: **fine-tuning** (微调).
# The second run makes a mistake: it computes with a masked *copy* of each kernel, takes the gradient with respect to the
# copy, and applies it to the stored kernel by an ordinary step. *What will be different: the accuracy, the zeros in the
# kernels, or both?*

# %% tags=["nbval-ignore-output"]
x_train, y_train = images.train_and_validation
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def logits_of(kernels, biases, x):
    for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
        x = tf.nn.relu(x @ kernel + bias)
    return x @ kernels[-1] + biases[-1]


@tf.function
def gradients_of(kernels, x, y):
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        loss = cross_entropy(y, logits_of(kernels, biases, x))
    return tape.gradient(loss, kernels)


def fine_tuned(masks, hold, epochs=5, seed=0):
    """The kernels after training on under masks; the biases stay."""
    random = np.random.default_rng(seed)
    weights = [tf.constant(kernel * mask) for kernel, mask in zip(kernels, masks, strict=True)]
    masks = [tf.constant(mask) for mask in masks]
    velocities = [tf.zeros_like(weight) for weight in weights]
    for _ in range(epochs):
        for batch in np.array_split(random.permutation(len(x_train)), len(x_train) // 32):
            seen = [
                tf.where(mask, weight, 0.0) for mask, weight in zip(masks, weights, strict=True)
            ]
            gradients = gradients_of(seen, x_train[batch], y_train[batch])
            for i, gradient in enumerate(gradients):
                held = masks[i] if hold else tf.ones_like(masks[i])
                step = masked_momentum_step(
                    weights[i], velocities[i], gradient, held, 0.05, 0.9
                )
                weights[i], velocities[i] = map(tf.convert_to_tensor, step)
    return [weight.numpy() for weight in weights]


per_layer = [np.asarray(magnitude_mask(kernel, 0.9)) for kernel in kernels]
held, not_held = fine_tuned(per_layer, hold=True), fine_tuned(per_layer, hold=False)
held_accuracy = accuracy(held)
not_held_accuracy = accuracy(
    [kernel * mask for kernel, mask in zip(not_held, per_layer, strict=True)]
)


def zeros(kernels):
    return 1 - sum(map(np.count_nonzero, kernels)) / sum(kernel.size for kernel in kernels)


print(f"one shot               accuracy {one_shot_accuracy[0.9]:.3f}")
print(f"mask held              accuracy {held_accuracy:.3f}, zeros {zeros(held):.3f}")
print(f"a masked copy's steps  accuracy {not_held_accuracy:.3f}, zeros {zeros(not_held):.3f}")

# %%
assert held_accuracy > one_shot_accuracy[0.9] + 0.1
assert abs(zeros(held) - 0.9) < 0.001
assert zeros(not_held) < 0.5

stored = list(map(tf.constant, held))
with tf.GradientTape() as tape:
    tape.watch(stored)
    masked = [kernel * mask for kernel, mask in zip(stored, per_layer, strict=True)]
    loss = cross_entropy(y_train, logits_of(masked, biases, x_train))
for gradient, mask in zip(tape.gradient(loss, stored), per_layer, strict=True):
    assert not np.any(gradient.numpy()[~mask])
print("with the product on the tape, the gradient is 0 where the mask is")

# %% [markdown]
# Both compute with masked weights and get the accuracy back. But in the second run the kernel that would be saved is no
# longer sparse: the gradient of the copy is not 0 where the mask is. Where the tape sees `kernel * mask`, the chain rule
# masks the gradient; then what is left to move a dropped weight is momentum from before.
#
# ## 6. Removing neurons
#
# A kernel with zeros has the same shape, and a dense matrix product takes the same time. To be faster the arrays have to
# shrink. A hidden **neuron** (神经元) is a column of its layer's kernel, an element of the bias, and a row of the next
# layer's kernel.
#
# Where a neuron is **dead** (死亡), always 0 after its ReLU, the network computes the same without it.


# %%
def remove_neurons(
    kernel_in: np.ndarray, bias_in: np.ndarray, kernel_out: np.ndarray, keep: np.ndarray
) -> tuple:
    """Take hidden neurons out of the two Dense layers around them.

    Args:
        kernel_in: float32, shape (inputs, units): the kernel of the layer whose units go.
        bias_in: float32, shape (units,): its bias.
        kernel_out: float32, shape (units, outputs): the kernel of the next layer.
        keep: a NumPy array, which neurons stay. Either bool of shape (units,), True = stays;
            or integers (any integer dtype) of shape (k,), the indices of those that stay, from
            0 to units − 1, each at most once, in any order. One neuron or more stays.

    Returns:
        The tuple (kernel_in, bias_in, kernel_out) of the two smaller layers: float32 arrays or
        tensors of shapes (inputs, k), (k,) and (k, outputs), with k the number of neurons
        that stay. All three have the neurons in the same order: as they were, or as the indices
        have them. The arguments are not changed.

        Where each neuron removed was dead, the two layers with a ReLU between them compute the same as
        before, up to float32 rounding.
    """
    ### BEGIN SOLUTION
    return kernel_in[:, keep], bias_in[keep], kernel_out[keep]
    ### END SOLUTION


# %%
check(remove_neurons)

# %% [markdown]
# ## 7. Which neurons matter
#
# A neuron with small incoming weights hardly moves, and one with small outgoing weights is hardly heard. A simple score
# is the product of the two norms:
#
# score = ‖(incoming weights, bias)‖₂ · ‖outgoing weights‖₂
#
# It has a useful property: with ReLU a neuron's incoming weights and bias can be multiplied by 10 and its outgoing
# weights divided by 10, and the network computes the same. The score does not change either. That of the incoming
# weights alone does.


# %%
def neuron_scores(
    kernel_in: np.ndarray, bias_in: np.ndarray, kernel_out: np.ndarray
) -> np.ndarray:
    """The importance of each hidden neuron.

    Args:
        kernel_in: float32, shape (inputs, units).
        bias_in: float32, shape (units,).
        kernel_out: float32, shape (units, outputs).
            All lengths are 1 or more. Each number is 0 or from 10⁻¹² to 10¹² in magnitude. No
            array is changed.

    Returns:
        A float32 or float64 array (or tensor) of shape (units,), right to a hundred-thousandth:
        the Euclidean norm of a neuron's incoming weights and its bias together, times that of
        its outgoing weights.
    """
    ### BEGIN SOLUTION
    incoming = np.linalg.norm(np.vstack([kernel_in, bias_in]), axis=0)
    return incoming * np.linalg.norm(kernel_out, axis=1)
    ### END SOLUTION


# %%
check(neuron_scores)

# %% [markdown]
# ### Half of the neurons
#
# Both hidden layers lose half of their units, without any training afterwards: those with the lowest scores, any half by
# chance, or those with the highest scores. *In which order will the three accuracies be?*


# %% tags=["nbval-ignore-output"]
def halved(choose):
    """The network with half of the units of each hidden layer, and its accuracy."""
    smaller, shorter = list(kernels), list(biases)
    for i in range(len(kernels) - 1):
        scores = np.asarray(choose(smaller[i], shorter[i], smaller[i + 1]))
        keep = np.sort(np.argsort(scores)[len(scores) // 2 :])
        parts = remove_neurons(smaller[i], shorter[i], smaller[i + 1], keep)
        smaller[i], shorter[i], smaller[i + 1] = map(np.asarray, parts)
    return smaller, accuracy(smaller, shorter)


def lowest_kept(kernel_in, bias_in, kernel_out):
    return -np.asarray(neuron_scores(kernel_in, bias_in, kernel_out))


def at_random(random):
    return lambda kernel_in, bias_in, kernel_out: random.normal(size=len(bias_in))


half, by_score = halved(neuron_scores)
_, the_wrong_half = halved(lowest_kept)
by_chance = np.mean([halved(at_random(np.random.default_rng(i)))[1] for i in range(10)])
print(
    "shapes:", ", ".join(f"{a.shape} → {b.shape}" for a, b in zip(kernels, half, strict=True))
)
print(f"lowest scores removed  {by_score:.3f}")
print(f"any half removed       {by_chance:.3f}, the mean of ten")
print(f"highest scores removed {the_wrong_half:.3f}")

# %% [markdown]
# The scores know which neurons are needed: without those of the highest scores the network is far worse. They do not
# know which half can best be spared: here, one shot at half of the units, the lowest scores are no sure improvement on
# chance. A score is a guess, to be measured against a random choice before it is believed.

# %%
assert [kernel.shape for kernel in half] == [(64, 128), (128, 64), (64, 10)]
assert the_wrong_half < min(by_score, by_chance) - 0.05

# %% [markdown]
# ## 8. What a sparse array takes
#
# Zeros take as much space as any other number, until they are left out. Then it has to be written down where the others
# stand:
#
# - **bitmap** (位图): one bit for each element, 1 where it is not 0, in whole bytes; then the values that are not 0.
# - **CSR** (压缩稀疏行, compressed sparse row): the values that are not 0, row after row; for each its column, an int32;
#   and **row pointers** (行指针), an int32 for each row that says where it begins, and one for the end.
#
# Each index costs as much as a float32. *From which sparsity on is CSR smaller than the dense array? And for int8?*


# %%
def sparse_size(weights: np.ndarray, value_bytes: int = 4) -> dict:
    """The number of bytes that a matrix takes, dense and in two sparse formats.

    Args:
        weights: an array of shape (rows, columns), both 1 or more, of any float or integer dtype
            of NumPy; not changed. Only an exact 0 is a zero (−0.0 too), however small the others
            are.
        value_bytes: how many bytes one stored value takes, a Python int, 1 or more. It need not be
            the size of the array's dtype.

    Returns:
        A dict with four numbers. In bytes, as whole numbers:

        "dense": all the values. "bitmap": one bit an element, rounded up to whole bytes, and the
        values that are not 0. "csr": the values that are not 0, an int32 column index for each,
        and rows + 1 int32 row pointers.

        "break_even": a float, right to a millionth: the sparsity, for this shape and value_bytes,
        at which "csr" would be just as large as "dense". Above it, "csr" is smaller. (As a
        formula; it need not be a multiple of 1 / size. It may exceed 1: then CSR never pays.)

    Raises:
        ValueError: the array does not have two dimensions.
    """
    ### BEGIN SOLUTION
    if weights.ndim != 2:
        raise ValueError(f"a matrix is needed, not an array of shape {weights.shape}")
    nonzero, pointers = int(np.count_nonzero(weights)), 4 * (weights.shape[0] + 1)
    dense = weights.size * value_bytes
    nonzero_at_break_even = (dense - pointers) / (value_bytes + 4)
    return {
        "dense": dense,
        "bitmap": math.ceil(weights.size / 8) + nonzero * value_bytes,
        "csr": nonzero * (value_bytes + 4) + pointers,
        "break_even": 1 - nonzero_at_break_even / weights.size,
    }
    ### END SOLUTION


# %%
check(sparse_size)

# %% [markdown]
# The largest kernel of the digits network, 256 × 128, at several sparsities, in float32 and in int8:

# %%
kernel = kernels[1]
for value_bytes in 4, 1:
    for sparsity in 0.5, 0.8, 0.9:
        size = sparse_size(kernel * np.asarray(magnitude_mask(kernel, sparsity)), value_bytes)
        sizes = ", ".join(f"{name} {size[name]:7,}" for name in ("dense", "bitmap", "csr"))
        print(f"bytes a value {value_bytes}, sparsity {sparsity}: {sizes}")
        assert size["bitmap"] < size["csr"]
    print(f"CSR is smaller than dense above {size['break_even']:.3f}")
    assert (size["break_even"] > 0.8) == (value_bytes == 1)

# %% [markdown]
# In float32 CSR pays above a half, in int8 only above four fifths: the index is four times the value. The bitmap costs
# one bit an element, whatever is stored, and is the smaller one at each of these.
#
# ## 9. The task: pruning a model
#
# Now put the parts together. You are given a Keras model and a percentage; you return a pruned copy of it, a plain Keras
# model again, trained on the way if there are data. It is one of the coding tasks of the article that this course grew
# out of.
#
# | structure | what goes | what comes back |
# |---|---|---|
# | `"connections"` | the smallest weights of each Dense and Conv2D kernel, by the schedule of exercise 2 while it trains | the same shapes, with zeros |
# | `"neurons"` | the hidden units and Conv2D channels of the lowest scores, at once; then it trains | smaller layers |
#
# Where a channel stands, in a model of which channels are the last axis (Keras's default):
#
# - in the kernel of a Conv2D, of shape (height, width, inputs, filters), as output on the last axis and as input on the
#   one before it;
# - after a Flatten, *not* side by side. With *C* channels, channel *c* is at *c*, *c* + *C*, *c* + 2*C* …: the channels
#   of one place are neighbours. So `kernel.reshape(-1, C, outputs)` has the channel on axis 1, and that goes for a
#   Dense and for a Conv2D kernel alike.
# - in a batch normalization, in each of its arrays. After a Flatten it has all the numbers, in that same order.
#
# Things to know before you start:
#
# - Your own answers above may help: `magnitude_mask`, `polynomial_sparsity`, `neuron_scores`.
# - `keras.models.clone_model(model, clone_function=f)` builds the network again with the layer `f(layer)` in place of
#   each layer, and without the weights; `type(layer).from_config(config)` makes a layer of a config, in which `"units"`
#   or `"filters"` says how many. On a model whose loss is a function of your own it fails; a model without its
#   `compile` is `type(model).from_config(model.get_config())`, and that can be cloned. `copy.deepcopy` has the same
#   trouble.
# - `fit` shuffles arrays unless you say `shuffle=False`.
# - `isinstance(layer, keras.layers.Conv2D)` is False for DepthwiseConv2D, Conv1D and Conv2DTranspose.
# - A step that is traced as a graph keeps the NumPy arrays that it saw. Drop the weights outside of it, or keep the masks
#   in variables.
# - An order of work: `"connections"` with 0 epochs first; then `"neurons"` for Dense layers, for convolutions, for batch
#   normalization; the training; the errors last. `check` says at each stage what holds already. Where a part is not
#   written yet, raise NotImplementedError there.


# %%
def prune_model(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """A pruned copy of a model, trained on the way.

    "connections": in the kernel of each Dense and Conv2D layer, the last one too, exactly
    `round(pruning_percentage / 100 * kernel.size)` weights are dropped (Python's round), those
    of the smallest magnitudes in that kernel; among equal magnitudes any. All else stays:
    biases, batch normalizations, and the kernels of other layers, such as DepthwiseConv2D.

    With 0 epochs that is one shot. Else the weights are dropped gradually: with N steps in all
    epochs together, after step n = 1, 2 … N the sparsity is what polynomial_sparsity gives from
    step 0 to step N, from 0 to pruning_percentage / 100, with power 3. After each step, first
    what was dropped before is set to 0 again; then each kernel loses its smallest weights, with
    those zeros among them, until `round(sparsity * kernel.size)` are dropped. So nothing is
    dropped before the first step, and what is dropped stays 0.

    "neurons": each Dense and Conv2D layer but the last of them loses units (of a Conv2D, the
    channels), `round(pruning_percentage / 100 * units)` of them, those of the lowest scores;
    among equal scores any. The score is that of neuron_scores, from the weights of the model as
    given: of a unit's incoming weights and its bias (0 where the layer has none), and of its
    outgoing weights in the next Dense or Conv2D layer, at all places of the window or of the
    flattened image. What lies between, such as a batch normalization, does not count. The units
    really go, from their layer, from batch normalizations after it and from the next layer. All
    that stays keeps its weights, and a layer all its options (strides, epsilon, regularizers …)
    but the number of units or filters; then it trains.

    Args:
        model: a float32 Sequential or functional Keras model, built, with one input and one
            output, made of layers (no models inside, no `keras.ops`), none frozen and none used
            twice; at least one is Dense or Conv2D. Channels are the last axis, and batch
            normalization is over it; no Conv2D has groups. The model and its optimizer stay as
            they were.
        pruning_percentage: a number from 0 to 100, both allowed; it need not be whole.
        structure: "connections" or "neurons".
        train_data: a tf.data.Dataset of (x, y) batches, whose len() is known, or a tuple (x, y)
            of arrays, which is cut into batches of 32 in its order, the last one as long as
            what is left. Needed for training only.
        epochs: how many times to go through the data, with the layers in training mode; with 0
            the data are not used. Where the model is compiled, its loss is used and a fresh copy
            of its optimizer, with all settings; else sparse cross-entropy on logits and
            Adam(1e-3). To either loss comes the regularization of the layers.

    Returns:
        A Keras model, compiled or not, with layers of the same classes and names in the same
        order, none frozen, and as many variables: no wrappers, no masks.

    Raises:
        ValueError: the percentage is not from 0 to 100 (NaN is not), there is no such
            structure, or there are epochs and no data, with either. With "neurons" also, and
            then the name of the layer is in the message: a layer would be left with no unit; or,
            whatever the percentage, any layer of the model, the last too, is other than Dense,
            Conv2D, BatchNormalization, InputLayer, ReLU, Activation, Dropout, Flatten,
            MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D and GlobalAveragePooling2D (so a skip
            connection's Add). A Reshape is allowed before the first Dense or Conv2D.
    """
    ### BEGIN SOLUTION
    layers = keras.layers
    weighted = (layers.Dense, layers.Conv2D)
    weightless = (
        *(layers.BatchNormalization, layers.InputLayer, layers.ReLU, layers.Activation),
        *(layers.Dropout, layers.Flatten, layers.MaxPooling2D, layers.AveragePooling2D),
        *(layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D),
    )
    fraction = pruning_percentage / 100
    if not 0 <= fraction <= 1:
        raise ValueError(f"a percentage is from 0 to 100, not {pruning_percentage}")
    if structure not in ("connections", "neurons"):
        raise ValueError(f'a structure is "connections" or "neurons", not {structure!r}')
    if epochs and train_data is None:
        raise ValueError("there are no data to train on")

    def check_chain():
        """Only in a chain of layers that are known is it clear where a unit goes."""
        first = model.layers.index(pruned[0])
        for place, layer in enumerate(model.layers):
            reshaped_input = isinstance(layer, layers.Reshape) and place < first
            if not reshaped_input and not isinstance(layer, weighted + weightless):
                kind = type(layer).__name__
                raise ValueError(f"units cannot be removed around {kind} {layer.name!r}")

    def by_unit(kernel, units):
        """A kernel that reads units, Dense or Conv2D, with these units on axis 1."""
        return kernel.reshape(-1, units, kernel.shape[-1])

    def units_kept(layer, reader):
        kernel, *bias = layer.get_weights()
        units = kernel.shape[-1]
        bias = bias[0] if bias else np.zeros(units, np.float32)
        outgoing = np.moveaxis(by_unit(reader.get_weights()[0], units), 1, 0)
        incoming = kernel.reshape(-1, units)
        scores = np.asarray(neuron_scores(incoming, bias, outgoing.reshape(units, -1)))
        gone = round(fraction * units)
        if gone == units:
            raise ValueError(f"{layer.name!r} would be left with no unit")
        return np.sort(np.argsort(scores)[gone:])

    def without_units():
        """The weights of each layer, by name, and how many units it has then."""
        check_chain()
        kept = {layer.name: units_kept(layer, reader) for layer, reader in pairwise(pruned)}
        weights, counts = {}, {}
        units, stay = 1, slice(None)  # of what a layer reads; the inputs all stay
        for layer in model.layers:
            arrays = layer.get_weights()
            if isinstance(layer, weighted):
                *window, _, outputs = arrays[0].shape
                arrays[0] = by_unit(arrays[0], units)[:, stay].reshape(*window, -1, outputs)
                units, stay = outputs, kept.get(layer.name, slice(None))
                arrays = [array[..., stay] for array in arrays]
                counts[layer.name] = arrays[0].shape[-1]
            else:
                arrays = [array.reshape(-1, units)[:, stay].reshape(-1) for array in arrays]
            weights[layer.name] = arrays
        return weights, counts

    def narrowed(layer):
        config, count = layer.get_config(), counts.get(layer.name)
        if count is not None:
            config["units" if isinstance(layer, layers.Dense) else "filters"] = count
        return type(layer).from_config(config)

    def drop(sparsity):
        for i, kernel in enumerate(kernels):
            weights = kernel.numpy() * masks[i]  # the step has moved what was dropped
            masks[i] = np.asarray(magnitude_mask(weights, sparsity))
            kernel.assign(weights * masks[i])

    pruned = [layer for layer in model.layers if isinstance(layer, weighted)]
    weights, counts = {layer.name: layer.get_weights() for layer in model.layers}, {}
    if structure == "neurons":
        weights, counts = without_units()
    # `clone_model` fails on some compiled models; a model made from a config is not compiled.
    source = type(model).from_config(model.get_config())
    copy = keras.models.clone_model(source, clone_function=narrowed)
    for layer in copy.layers:
        layer.set_weights(weights[layer.name])
    kernels = []
    if structure == "connections":
        kernels = [layer.kernel for layer in copy.layers if isinstance(layer, weighted)]
    masks = [np.ones(kernel.shape, bool) for kernel in kernels]
    if not epochs:
        drop(fraction)
        return copy

    if model.compiled:
        loss = model.loss
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = keras.optimizers.Adam(1e-3)
    copy.compile(optimizer, loss)
    optimizer.build(copy.trainable_variables)  # a tf.function cannot make variables

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = copy.compute_loss(x=x, y=y, y_pred=copy(x, training=True))
        variables = copy.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    if isinstance(train_data, tuple):
        train_data = tf.data.Dataset.from_tensor_slices(train_data).batch(32)
    steps, done = epochs * len(train_data), 0
    for _ in range(epochs):
        for x, y in train_data:
            step(x, y)
            done += 1
            drop(polynomial_sparsity(done, 0, steps, 0.0, fraction))
    return copy
    ### END SOLUTION


# %%
check(prune_model)

# %% [markdown]
# ### On the digits
#
# A network of 64-64-64-10, five seeds for the weights and the order of the images. Four in five of its connections go,
# at once or over 8 epochs with Adam. We train on the 1,400 images for training and validation, and count on the 397
# test images. The cells that train take about a minute together
# where a step is traced (`fit`, `train_on_batch` or `tf.function`), and five times that where it runs eagerly.
#
# *How much of the accuracy will be left each time?*

# %%
import time

SEEDS, EPOCHS, PERCENT = range(5), 8, 80


def batches(seed):
    data = tf.data.Dataset.from_tensor_slices(images.train_and_validation)
    return data.shuffle(len(data), seed=seed).batch(32)


STEPS = EPOCHS * len(batches(0))


def trained_whole(seed):
    model = mlp(keras, seed=seed)
    model.compile(keras.optimizers.Adam(1e-3), cross_entropy)
    model.fit(batches(seed), epochs=15, shuffle=False, verbose=0)
    return model


def accuracy_of(model):
    return float(np.mean(np.argmax(model(images.test.x), axis=1) == images.test.y))


def kernels_of(model):
    return [layer.kernel.numpy() for layer in model.layers]


results = {}


def five_seeds(name, make):
    start = time.perf_counter()
    models = [make(seed) for seed in SEEDS]
    seconds = (time.perf_counter() - start) / len(SEEDS)
    accuracies = [accuracy_of(model) for model in models]
    results[name] = {"mean": np.mean(accuracies), "seconds": seconds}
    print(f"{name:32}{np.mean(accuracies):.3f} ± {np.std(accuracies, ddof=1):.3f}")
    return models


# %% tags=["nbval-ignore-output"]
whole = five_seeds("whole", trained_whole)
at_once = five_seeds("one shot", lambda seed: prune_model(whole[seed], PERCENT))
gradual = five_seeds(
    "gradual",
    lambda seed: prune_model(whole[seed], PERCENT, "connections", batches(seed), EPOCHS),
)
for name, models in ("one shot", at_once), ("gradual", gradual):
    print(f"{name}: zeros {zeros(kernels_of(models[0])):.4f}")

# %% [markdown]
# Both have the same number of zeros. The network that could train while its connections went has nearly all of its
# accuracy.

# %%
left = {name: result["mean"] for name, result in results.items()}
assert left["one shot"] < left["whole"] - 0.2
assert left["gradual"] > left["whole"] - 0.03
for models in at_once, gradual:
    for kernel in kernels_of(models[0]):
        assert np.count_nonzero(kernel == 0) == round(PERCENT / 100 * kernel.size)

# %% [markdown]
# Now half of the neurons, and a small convolutional network with half of its channels. *By what factor do the weights
# get fewer when half of the units of every hidden layer go?*

# %% tags=["nbval-ignore-output"]
from halfbits.models import cnn

five_seeds("half of the neurons", lambda seed: prune_model(whole[seed], 50, "neurons"))
halves = five_seeds(
    "half of the neurons, 5 epochs",
    lambda seed: prune_model(whole[seed], 50, "neurons", batches(seed), 5),
)

# %%
small = prune_model(cnn(keras, seed=0), 50, "neurons")
for before, after in (whole[0], halves[0]), (cnn(keras), small):
    for one, other in zip(before.layers, after.layers, strict=True):
        if one.get_weights():
            print(f"{one.name:10}{tuple(one.kernel.shape)} → {tuple(other.kernel.shape)}")
    print(f"weights: {before.count_params():,} → {after.count_params():,}")

# %% [markdown]
# Between two hidden layers to a quarter, since both sides of the kernel are halved; at the input and at the output to a
# half. No zeros have to be stored or skipped: the arrays are smaller. (The lesson measures what that buys in bytes and
# in time.) At once it costs a good deal of accuracy, and after five epochs hardly any.

# %%
assert results["half of the neurons"]["mean"] < left["whole"] - 0.05
assert results["half of the neurons, 5 epochs"]["mean"] > left["whole"] - 0.03
assert halves[0].count_params() < 0.45 * whole[0].count_params()

# %% [markdown]
# ### The library way
#
# In a project you would take TFMOT, the TensorFlow Model Optimization Toolkit, for connections; it removes no
# neurons. Its `prune_low_magnitude` takes models of `tf_keras`, which is Keras 2:
#
# 1. wrap: each layer gets a mask, a threshold and a counter as variables;
# 2. `compile` and `fit` with the callback `UpdatePruningStep`, which counts the steps (without it, `fit` raises);
# 3. `strip_pruning`: the wrappers go. Before that, the model is larger than the dense one.
#
# The schedule is the same, but for a step: TFMOT renews its masks at the beginning of step *n*, ours after it.
# `frequency=1` makes it do so at every step; the default is every 100th. And TFMOT ranks the weights as the step before
# has left them, so what was dropped may come back ([pruning_wrapper.py, pruning_impl.py](
# https://github.com/tensorflow/model-optimization/tree/master/tensorflow_model_optimization/python/core/sparsity/keras)).

# %% tags=["nbval-ignore-output"]
import tensorflow_model_optimization as tfmot
import tf_keras

sparsity = tfmot.sparsity.keras


def with_tfmot(seed):
    twin = mlp(tf_keras)
    twin.set_weights(whole[seed].get_weights())
    schedule = sparsity.PolynomialDecay(0.0, PERCENT / 100, 0, STEPS, frequency=1)
    wrapped = sparsity.prune_low_magnitude(twin, pruning_schedule=schedule)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    wrapped.compile(tf_keras.optimizers.Adam(1e-3), loss)
    count_steps = sparsity.UpdatePruningStep()
    wrapped.fit(batches(seed), epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[count_steps])
    variables.append((len(twin.variables), len(wrapped.variables)))
    return sparsity.strip_pruning(wrapped)


variables = []
theirs = five_seeds("TFMOT", with_tfmot)
for name, models in ("gradual", gradual), ("TFMOT", theirs):
    ms = 1000 * results[name]["seconds"] / STEPS
    print(f"{name}: zeros {zeros(kernels_of(models[0])):.4f}, {ms:.1f} ms a step, all included")
print("variables, plain and wrapped:", variables[0])

# %% [markdown]
# The same sparsity, and ours loses no more than TFMOT does, give or take a point. On layers of 64 units a step is nearly
# all overhead; `benchmarks/pruning.py` compares the steps where arithmetic counts.

# %%
assert left["gradual"] > results["TFMOT"]["mean"] - 0.02
for ours, own in zip(kernels_of(gradual[0]), kernels_of(theirs[0]), strict=True):
    assert abs(np.mean(ours == 0) - np.mean(own == 0)) < 0.01
assert variables[0][1] > variables[0][0]

# %% [markdown]
# ## Where you stand

# %% tags=["nbval-ignore-output"]
progress()
