# %% [markdown]
# # Exercises 02: mixed precision training
#
# You build mixed precision training from its parts: the layer that computes in half precision, the loss that does
# not, the loss scale with its bookkeeping, the master weights, and the sum of the bytes. The last exercise puts them
# together; it is one of the coding tasks of the article that this course grew out of. The lessons are
# [01 Why mixed precision](../notebooks/01_why_mixed_precision.ipynb) and
# [03 Mixed precision in TensorFlow](../notebooks/03_mixed_precision_in_tensorflow.ipynb).
#
# Each exercise is a function or a class with its contract in the docstring. Put your code in place of
# `raise NotImplementedError`, run the cell, run the `check(…)` cell under it. `hint(mixed_dense)` gives a hint,
# `reveal(mixed_dense)` our solution, `progress()` shows where you stand. Run the cells one by one: *Run All* stops at
# the first check that fails.
#
# The words used throughout:
#
# - **half precision** (半精度): here, as people speak, either 16-bit format, fp16 (`"float16"`) or bf16 (`"bfloat16"`);
#   strictly it is fp16 alone (lesson 02, B2). **Single precision** (单精度): fp32 (`"float32"`).
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
#
# ([Lesson 02](../notebooks/02_number_formats.ipynb) explains the columns: below the smallest normal number digits are
# lost, below half of the smallest subnormal everything; the gap at 1 is the distance from 1 to the next number.)

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
        in it: what is too large for float16 becomes infinite there.

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
        logits: a float16 or bfloat16 tensor of shape (batch, classes), both at least 1; finite.
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
        A list with one item per variable, in the same order: its gradient as a float32 tensor
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
# fp32 master weight the updates add up, and the working copy follows when enough have come together. Use TensorFlow's
# operations, which take arrays as well: the step must also work inside `tf.function`.


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
        and that new master weight, cast to `compute_dtype`. They are tensors (in eager
        mode NumPy arrays will do).

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
# for every example of the batch. (Two things are left out: in Keras the working copy is made anew in each step, and the
# last layer in float32 has activations of four bytes.)


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

# %% [markdown]
# So, does it? Two models trained with Adam, in GB, from your function: a convolutional network with many activations for
# its weights (25 million, and 11 million activations an image), and a language model with few.

# %%
MODELS = {
    "25 M weights, 64 images": (25_000_000, 11_000_000, 64),
    "7 B weights, 2 texts": (7_000_000_000, 1_000_000_000, 2),
}
for name, (parameters, activations, batch) in MODELS.items():
    for policy in ("float32", "mixed_bfloat16", "float16"):
        total = training_memory(parameters, activations, batch, policy)["total"]
        print(f"{name:24} {policy:15} {total / 1e9:7.1f} GB")

# %% [markdown]
# The first falls by two fifths: its weights, gradients and slots stay as they were. The second takes *more* than before: its activations are few, and the working copy comes on
# top.

# %% [markdown]
# ## 8. The task: mixed-precision training that adjusts itself
#
# Now put the parts together. You are given a float32 Keras model and a strategy; you return a mixed-precision copy
# of it, trained with a loop of your own. The loop skips steps whose gradients overflow, adapts the loss scale, and
# takes a layer that overflows even at scale 1 back to float32.
#
# Three things to know before you start:
#
# - A layer computes in its **dtype policy** (数据类型策略): `"mixed_float16"` means float16 arithmetic on float32
#   variables. A layer takes its policy when it is made. The model given has to stay as it is, so make a copy with
#   other policies: `config = model.get_config()` describes the layers, `layer["config"]["dtype"]` is the policy of each
#   `layer` in `config["layers"]`, and `type(model).from_config(config)` builds them, with fresh weights. An entry whose
#   `"class_name"` is `"InputLayer"` takes no policy: leave it out. For float32 the policy is plain `"float32"`.
#   (`clone_model` would do too, but in today's Keras it fails on a compiled model whose loss is a function of your own.)
# - `mixed.compute_loss(x=x, y=y, y_pred=mixed(x, training=True))` is the loss of a compiled model, with the
#   regularization of its layers. Under a global policy `"mixed_float16"`, `compile` wraps the optimizer so that it
#   scales as well; with `auto_scale_loss=False` it does not.
# - A `tf.function` remembers what Python values it saw when it was traced. Hand it the scale as an argument, and make
#   a new one when a layer changes its precision. The simplest way to change it is to build the copy again; in this
#   Keras, assigning to `layer.dtype_policy` works too.
#
# This cell is given: the strategy.

# %%
from dataclasses import dataclass


@dataclass(frozen=True)
class PrecisionStrategy:
    """How to train in mixed precision, and when to change one's mind.

    Attributes:
        compute_dtype: "float16", "bfloat16" or "float32".
        loss_scale: what the loss is multiplied by at the start, at least 1.
        growth_interval: so many finite steps in a row double the scale.
        keep_float32: names of layers that compute in float32 from the start.
        demote_after: a layer that overflows so many times in a row at scale 1 goes to float32.
    """

    compute_dtype: str = "float16"
    loss_scale: float = 2.0**15
    growth_interval: int = 2000
    keep_float32: tuple[str, ...] = ()
    demote_after: int = 3


# %%
def mixed_precision_training(model, strategy, train_data, epochs=1):
    """Train a mixed-precision copy of a model, and adjust its precision on the way.

    The copy has the layers of the model, under their names, with all its weights, and what is
    frozen stays frozen. They compute in `strategy.compute_dtype`, but the last one of
    `model.layers`, with weights or without, and those in `strategy.keep_float32` compute in
    float32. All variables are float32. The model itself (compiled or not), its optimizer
    (built or not) and the global policy, whichever it is, stay as they were.

    A step, in every format, takes the gradients of the loss times the scale, with x as it comes
    and the layers in training mode, and divides them by the scale in float32. If all their
    elements are finite, they are applied. If not, the step is skipped: the trainable weights and
    the optimizer, its count of steps too, stay as they were (the moving statistics of a batch
    normalization may have moved), and the scale is halved, or set to 1 where its half is less.
    `strategy.growth_interval` finite steps in a row, across the ends of epochs too, double it
    (beyond float32's largest number too or not, as you like). A variable without a gradient
    (None) stays as it is.

    A layer in half precision goes to float32 when its own gradients, by any of its variables,
    were not finite in `strategy.demote_after` steps in a row, all taken at scale 1. Each layer
    has a count of its own, whatever happens to the others. It computes in float32 from the
    next step on; all weights and the state of the optimizer are kept.

    Args:
        model: a float32 Sequential or functional Keras model, built, with one output, made of
            layers with no layers inside (and of nothing but layers: no `keras.ops`). Where it
            is compiled (without loss weights), its loss is used, and a fresh copy of its
            optimizer, with all its settings; else sparse cross-entropy on logits and Adam(1e-3).
            Either way the regularization of its layers is added.
        strategy: a PrecisionStrategy.
        train_data: a tf.data.Dataset of (x, y) batches, or a tuple (x, y) of arrays, which is
            cut into batches of 32 in its order, the last one as long as what is left.
        epochs: how many times to go through the data.

    Returns:
        The mixed model, and the history, a dict of lists. With one entry an epoch: "loss", the
        mean of the unscaled losses of the steps applied, each step counting once however long
        its batch (NaN where there were none); "loss_scale", the scale at the epoch's end;
        "skipped_steps", how many there were in the epoch. And "demoted", a dict for each layer
        that went to float32: "layer", its name, and "epoch" and "step", the step in that epoch,
        after which it went, both counted from 0.
        Layers that go together stand in the order of `model.layers`.
    """
    ### BEGIN SOLUTION
    if isinstance(train_data, tuple):
        train_data = tf.data.Dataset.from_tensor_slices(train_data).batch(32)
    in_float32 = {*strategy.keep_float32, model.layers[-1].name}
    if strategy.compute_dtype == "float32":
        in_float32.update(layer.name for layer in model.layers)

    def rebuilt(source):
        """A copy with the same weights and each layer in its precision, ready to train."""
        config = source.get_config()
        for layer in config["layers"]:
            if layer["class_name"] != "InputLayer":
                kept = layer["config"]["name"] in in_float32
                policy = "float32" if kept else f"mixed_{strategy.compute_dtype}"
                layer["config"]["dtype"] = policy
        copy = type(source).from_config(config)
        copy.set_weights(source.get_weights())
        if source.compiled:
            loss = source.loss
            optimizer = type(source.optimizer).from_config(source.optimizer.get_config())
        else:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            optimizer = keras.optimizers.Adam(1e-3)
        copy.compile(optimizer, loss, auto_scale_loss=False)  # Keras might scale it as well
        optimizer.build(copy.trainable_variables)  # so that they can take over an old state
        return copy

    def all_finite(gradients):
        return tf.reduce_all([True, *(tf.reduce_all(tf.math.is_finite(g)) for g in gradients)])

    def step_of(mixed):
        """A training step as a graph: the loss, and which layers' gradients are finite."""
        layers = [layer for layer in mixed.layers if layer.trainable_variables]
        variables = [layer.trainable_variables for layer in layers]

        @tf.function(input_signature=[*train_data.element_spec, tf.TensorSpec([])])
        def step(x, y, scale):
            with tf.GradientTape() as tape:
                loss = mixed.compute_loss(x=x, y=y, y_pred=mixed(x, training=True))
                scaled_loss = loss * scale
            gradients = tape.gradient(scaled_loss, variables)
            pairs = [
                [
                    (tf.convert_to_tensor(gradient) / scale, variable)
                    for gradient, variable in zip(*of_layer, strict=True)
                    if gradient is not None
                ]
                for of_layer in zip(gradients, variables, strict=True)
            ]
            finite = tf.stack([all_finite([gradient for gradient, _ in own]) for own in pairs])
            flat = list(zip(*[pair for own in pairs for pair in own], strict=True))
            tf.cond(tf.reduce_all(finite), lambda: mixed.optimizer.apply(*flat), lambda: None)
            return loss, finite

        return step

    mixed = rebuilt(model)
    step = step_of(mixed)
    overflows = {layer.name: 0 for layer in mixed.layers if layer.trainable_variables}
    scale, finite_steps = float(strategy.loss_scale), 0
    history = {"loss": [], "loss_scale": [], "skipped_steps": [], "demoted": []}
    for epoch in range(epochs):
        losses, skipped = [], 0
        for number, (x, y) in enumerate(train_data):
            loss, finite = step(x, y, scale)
            finite = dict(zip(overflows, finite.numpy(), strict=True))
            for name in overflows:
                counts = scale == 1 and not finite[name]
                overflows[name] = overflows[name] + 1 if counts else 0
            if all(finite.values()):
                losses.append(float(loss))
                finite_steps += 1
                if finite_steps == strategy.growth_interval:
                    scale, finite_steps = scale * 2, 0
            else:
                skipped += 1
                scale, finite_steps = max(scale / 2, 1.0), 0
            half = [name for name in overflows if name not in in_float32]
            tired = [name for name in half if overflows[name] >= strategy.demote_after]
            for name in tired:
                history["demoted"].append({"layer": name, "epoch": epoch, "step": number})
            if tired:
                in_float32.update(tired)
                old_state, mixed = mixed.optimizer.variables, rebuilt(mixed)
                for new, old in zip(mixed.optimizer.variables, old_state, strict=True):
                    new.assign(old)
                step = step_of(mixed)
        history["loss"].append(float(np.mean(losses)) if losses else float("nan"))
        history["loss_scale"].append(scale)
        history["skipped_steps"].append(skipped)
    return mixed, history
    ### END SOLUTION


# %%
check(mixed_precision_training)

# %% [markdown]
# ### On the digits
#
# Does it reach float32? And does the scaling matter? Take a network of 64-64-64-10 and make its gradients small: the
# loss is multiplied by 10⁻⁶ and the learning rate of SGD divided by it. Exact arithmetic does not notice. Neither does
# float32; float16 does, since its smallest positive number is 2⁻²⁴ ≈ 6·10⁻⁸.
#
# Five seeds, for the weights and the order of the images. The settings were chosen on the validation images; here we
# train on the 1,400 for training and validation, and count on the 397 test images. The cell that trains, and the one
# that trains the library's way below, take about two minutes together.

# %%
import time

from halfbits.data import digits
from halfbits.models import mlp

SMALL = 1e-6
SEEDS = range(5)
images = digits()


def small_loss(labels, logits):
    loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return SMALL * loss


def batches(seed):
    data = tf.data.Dataset.from_tensor_slices(images.train_and_validation)
    return data.shuffle(len(data), seed=seed).batch(32)


def accuracy(model):
    return float(np.mean(np.argmax(model(images.test.x), axis=1) == images.test.y))


def with_our_loop(strategy, seed):
    model = mlp(keras, seed=seed)
    model.compile(keras.optimizers.SGD(0.1 / SMALL), small_loss)
    return mixed_precision_training(model, strategy, batches(seed), epochs=15)[0]


def five_seeds(train):
    start = time.perf_counter()
    accuracies = [accuracy(train(seed)) for seed in SEEDS]
    seconds = (time.perf_counter() - start) / len(SEEDS)
    return {"mean": np.mean(accuracies), "std": np.std(accuracies, ddof=1), "seconds": seconds}


not_scaled = {"loss_scale": 1.0, "growth_interval": 10**9}  # a scale of 1 that never grows
STRATEGIES = {
    "float32": PrecisionStrategy("float32", **not_scaled),
    "float16, scaled": PrecisionStrategy("float16"),
    "float16, not scaled": PrecisionStrategy("float16", **not_scaled),
    "bfloat16, not scaled": PrecisionStrategy("bfloat16", **not_scaled),
}

# %% tags=["nbval-ignore-output"]
results = {}
for name, strategy in STRATEGIES.items():
    results[name] = five_seeds(lambda seed, strategy=strategy: with_our_loop(strategy, seed))
    print(f"{name:22}{results[name]['mean']:.3f} ± {results[name]['std']:.3f}")

# %% [markdown]
# Scaled, float16 is within a point of float32. Not scaled, it is far below: the gradients of the hidden layers round to
# zero or to one of the few subnormal numbers above it, and what still learns is mostly the last layer, which is in
# float32. bfloat16 has float32's exponents and needs no scaling.

# %%
assert results["float16, scaled"]["mean"] > results["float32"]["mean"] - 0.01
assert results["bfloat16, not scaled"]["mean"] > results["float32"]["mean"] - 0.01
assert results["float16, not scaled"]["mean"] < results["float32"]["mean"] - 0.05

# %% [markdown]
# ### The library way
#
# In a project you would write five lines: set the policy, keep the last layer in float32, `compile`, `fit`. Under
# `mixed_float16`, `compile` wraps the optimizer in a `LossScaleOptimizer`, whose rules are almost the ones that you have
# just written: begin at 2¹⁵, halve on overflow, double after 2,000 finite steps. It has no floor at 1, and does not demote
# layers.
#
# The table has times, too. On layers of 64 units a step is mostly overhead, so they say little of what the formats could
# do; where fp16 stands out as several times slower, it is the library's code for it (lesson 01, 4.4).
# `benchmarks/mixed_precision.py` measures at widths where arithmetic counts.


# %%
def with_fit(policy, seed):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        model = mlp(keras, seed=seed, output_dtype="float32")
        model.compile(keras.optimizers.SGD(0.1 / SMALL), small_loss)
        model.fit(batches(seed), epochs=15, shuffle=False, verbose=0)
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    return model


print(type(with_fit("mixed_float16", seed=0).optimizer).__name__)

# %% tags=["nbval-ignore-output"]
for policy in ("float32", "mixed_float16"):
    results[f"fit, {policy}"] = five_seeds(lambda seed, policy=policy: with_fit(policy, seed))
steps = 15 * len(batches(0))
print(f"{'':22}accuracy        ms a step, all included")
for name, result in results.items():
    ms = 1000 * result["seconds"] / steps
    print(f"{name:22}{result['mean']:.3f} ± {result['std']:.3f}   {ms:.1f}")

# %% [markdown]
# The same accuracy, ours and theirs.

# %%
assert abs(results["fit, float32"]["mean"] - results["float32"]["mean"]) < 0.01
assert abs(results["fit, mixed_float16"]["mean"] - results["float16, scaled"]["mean"]) < 0.01

# %% [markdown]
# ## Where you stand

# %% tags=["nbval-ignore-output"]
progress()
