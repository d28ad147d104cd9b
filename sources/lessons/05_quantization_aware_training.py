# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # 05 · Quantization-aware training
#
# After this lesson you can say what quantization-aware training trains, draw its gradient, fold a batch normalization
# and say why it must be folded, use TFMOT without falling into its traps, and judge whether QAT was worth it against
# baselines that are not straw men. It takes about an hour; all cells together run for about a minute and a half on two
# cores.
#
# ## 1. The question
#
# > *What is quantization-aware training? How does it differ from post-training quantization, and when do you need it?*
#
# "It trains with int8 weights" is where everybody begins. The interviewer waits for three things: the gradient of a
# rounding, what is really stored while it trains, and a comparison in which the other side had a chance.

# %% [markdown]
# ## 2. The answer in 60 seconds
#
# **Quantization-aware training** (量化感知训练, QAT) trains a *float* network that computes with rounded numbers, so that
# it learns weights that survive the rounding.
#
# - **Fake quantization** (伪量化): forwards, each kernel and each activation is rounded to its grid and comes back as a
#   float on that grid. The weights themselves, their gradients and the optimizer stay fp32.
# - **Straight-through estimator** (直通估计器, STE): the derivative of rounding is 0 almost everywhere. Backwards we
#   pretend that it is 1 inside the range and 0 outside.
# - **Ranges**: a kernel's is taken anew in each step; an activation's is a moving average (滑动平均), frozen at
#   inference. A model that has seen no data has no ranges.
# - **Batch normalization** (批归一化) is folded (折叠) into the layer before it, since inference runs the folded kernel
#   and that one has to be rounded.
# - **Afterwards** the float weights are rounded for good, and a converter writes integers.
#
# Start from a trained model and a small learning rate. At 8 bits PTQ with good ranges is usually enough. QAT is for
# few bits (here 3 and 2), for networks that PTQ cannot handle, and for the last point of accuracy. Training becomes
# slower, not faster.

# %% [markdown]
# ## 3. What the source article says
#
# Three passages, in our words, and what the cells below will show:
#
# - **E1.** QAT learns a quantized representation, "quantization-aware weights", unlike ordinary quantized training.
#   **Imprecise.** The weights are plain fp32 and not on any grid (4.2); what is learned is where rounding does little
#   harm. And the alternative is not another kind of training but *post-training* quantization (4.5).
# - **D1, D2.** That a cast to 16 bits is quantization, and that quantization adjusts the precision *while training*.
#   Lesson 04 settles the first, and what is dynamic in "dynamic-range". What does exist is a bit width that changes by
#   a **schedule** while QAT runs: *progressive* quantization (渐进式量化). 4.8 runs it, and compares.
# - **T1.** A program: a function that takes a model and a strategy, calls a `quantize_model` of the mixed-precision
#   module and trains. **There is no such function**, the strategy is never read, and the loss is a squared error on
#   logits (4.9).

# %% [markdown]
# ## 4. Evidence
#
# Five seeds, each a 64-64-64-10 network of its own. The settings were chosen beforehand on the validation images; what
# is chosen below is chosen there too, and the test images only report.

# %%
from halfbits.quiet import import_tensorflow

import_tensorflow()  # without the lines that TensorFlow writes when it starts

import os

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from halfbits import tflite
from halfbits.data import digits
from halfbits.measure import side_by_side
from halfbits.models import mlp
from halfbits.plots import style
from halfbits.quantization import error, grid

data = digits()
SEEDS = range(5)
print(
    f"{len(data.train.y)} images to train on, {len(data.validation.y)} to choose with,", end=" "
)
print(f"{len(data.test.y)} to report")

# %% [markdown]
# ### 4.1 A staircase has no slope
#
# TensorFlow has fake quantization as an operation. Two bits from −1 to 2 are the four numbers −1, 0, 1, 2. *What is the
# output at 0.7? And what is its derivative there, in calculus, and according to TensorFlow?*

# %%
x = tf.Variable(np.linspace(-1.8, 2.8, 93, dtype=np.float32))  # steps of 0.05


def value_and_gradient(function):
    with tf.GradientTape() as tape:
        y = function(x)
    return y.numpy(), tape.gradient(y, x)


fake, through = value_and_gradient(
    lambda x: tf.quantization.fake_quant_with_min_max_args(x, min=-1, max=2, num_bits=2)
)
rounded, nothing = value_and_gradient(tf.round)
at = int(np.argmin(np.abs(x.numpy() - 0.7)))
print("values of the fake quantization:", sorted({float(v) for v in np.unique(fake)}))
print(f"at 0.7: {fake[at]:g}, and TensorFlow's gradient is {through[at]:g}")
print("the gradient of tf.round:", nothing)
inside = (x.numpy() > -0.99) & (x.numpy() < 1.99)
outside = (x.numpy() < -1.01) | (x.numpy() > 2.01)
assert (through.numpy()[inside] == 1).all()
assert (through.numpy()[outside] == 0).all()
assert nothing is None

# %% tags=["nbval-ignore-output"]
with style():
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.8))
    axes[0].plot(x, np.clip(x, -1, 2), ":", color="black", label="what the gradient believes")
    axes[0].plot(x, fake, ".", ms=5, label="fake quantization, 2 bits")
    axes[0].set(title="Forwards: a staircase", xlabel="x", ylabel="value")
    axes[1].plot(x, through, ".", ms=5, color="C1", label="straight-through")
    axes[1].axhline(0, color="black", ls=":", label="true derivative, where there is one")
    axes[1].set(title="Backwards: 1 inside the range, 0 outside", xlabel="x", ylabel="gradient")
    for ax, place in zip(axes, ("upper left", "center"), strict=True):
        ax.legend(loc=place)
    plt.show()

# %% [markdown]
# Inside the range the gradient is that of the dotted line: the staircase seen from far away. Outside, the output does
# not move at all, so 0 is right there. This is an *estimator*, not a derivative: no function has this value and this
# gradient. Bengio et al. (2013) study it for neurons with a hard threshold, beside others.
#
# TensorFlow also lends any function a gradient of 1. With that, fake quantization is one line. *The zero-point is
# missing from it. Why is it not needed?*

# %%
round_through = tf.grad_pass_through(tf.round)


def fake_quantize(x, scale, low, high, rounding=round_through):
    """Onto the grid and back; low and high are points of the grid, multiples of the scale."""
    return scale * rounding(tf.clip_by_value(x, low, high) / scale)


ours, our_gradient = value_and_gradient(lambda x: fake_quantize(x, 1.0, -1.0, 2.0))
away_from_ties = np.abs(np.abs(x.numpy() % 1) - 0.5) > 0.01
assert np.allclose(ours[away_from_ties], fake[away_from_ties])
assert (our_gradient.numpy()[inside | outside] == through.numpy()[inside | outside]).all()
print("the same values and the same gradients")

# %% [markdown]
# scale · ((q + z) − z): the zero-point is added and taken away again. It decides *which* numbers are on the grid (0 has
# to be), and that is already in `low` and `high`.

# %% [markdown]
# ### 4.2 A network that rounds, and what stays float
#
# Five seeds, four bit widths, two kinds of scale: forty networks. They are small, so we train them side by side, as one
# stack of matrices; each has its own bits. Read `kernel` and `inputs`: that is all of QAT, but for the training.


# %%
def each(values, networks):
    """A number for each network, in a shape that broadcasts over its matrices."""
    return np.broadcast_to(np.float32(values), networks).reshape(-1, 1, 1)


class Networks:
    """Dense networks side by side: kernels (networks, inputs, units), activations of 8 bits.

    Args:
        weights: for each network what `get_weights` gives.
        seeds: for each network the seed of its shuffling.
        bits, per_channel, clip: of the kernels, a number or one for each network. `clip` is
            the share of the range that the grid covers.
        rounding: what rounds; `tf.round` has no gradient.
    """

    def __init__(
        self, weights, seeds, bits=8, per_channel=False, clip=1.0, rounding=round_through
    ):
        n = len(weights)
        self.seeds, self.rounding = list(seeds), rounding
        stacks = [np.stack(tensors) for tensors in zip(*weights, strict=True)]
        self.kernels = [keras.Variable(kernels) for kernels in stacks[::2]]
        self.biases = [keras.Variable(biases[:, np.newaxis]) for biases in stacks[1::2]]
        self.bits, self.clip = tf.Variable(each(bits, n)), tf.Variable(each(clip, n))
        self.per_channel = tf.constant(each(per_channel, n) > 0)
        self.ranges = [tf.Variable(tf.zeros((2, n, 1, 1))) for _ in self.kernels]

    @property
    def variables(self):
        return self.kernels + self.biases

    def kernel(self, layer):
        """Symmetric, around 0; the range is that of the kernel as it is now."""
        w = tf.convert_to_tensor(self.kernels[layer])
        high = tf.reduce_max(tf.abs(w), axis=1, keepdims=True)
        high = tf.where(self.per_channel, high, tf.reduce_max(high, axis=2, keepdims=True))
        high = tf.stop_gradient(self.clip * high)
        scale = high / (2 ** (self.bits - 1) - 1)
        return fake_quantize(w, scale, -high, high, self.rounding)

    def inputs(self, layer, x, momentum):
        """Asymmetric, one range for each network; without a momentum the range stays."""
        kept = self.ranges[layer]
        if momentum is not None:
            low, high = (
                f(x, axis=[1, 2], keepdims=True) for f in (tf.reduce_min, tf.reduce_max)
            )
            seen = tf.stack([tf.minimum(low, 0), tf.maximum(high, 0)])
            kept.assign(momentum * kept + (1 - momentum) * seen)
        scale = (kept[1] - kept[0]) / 255
        low = scale * tf.round(kept[0] / scale)  # a whole number of steps below 0
        return fake_quantize(x, scale, low, low + 255 * scale, self.rounding)

    def __call__(self, x, quantized=True, momentum=None):
        """The logits, (networks, images, classes); x is (images, inputs), or (networks, images, inputs)."""
        x = tf.broadcast_to(x, (len(self.seeds), *x.shape[-2:]))
        for layer, (w, b) in enumerate(zip(self.kernels, self.biases, strict=True)):
            if quantized:
                x, w = self.inputs(layer, x, momentum), self.kernel(layer)
            x = tf.matmul(x, w) + b
            if layer < len(self.kernels) - 1:
                x = tf.nn.relu(x)
        return x

    def weights(self):
        """For each network its weights, as `set_weights` takes them."""
        stacks = [
            stack
            for pair in zip(self.kernels, self.biases, strict=True)
            for stack in (pair[0].numpy(), pair[1].numpy()[:, 0])
        ]
        return [[stack[i] for stack in stacks] for i in range(len(self.seeds))]


def calibrated(networks):
    """The networks with the ranges that all training images give."""
    networks(tf.constant(data.train.x), momentum=0.0)
    return networks


def accuracy(networks, part=data.test, quantized=True):
    logits = networks(tf.constant(part.x), quantized)
    return np.mean(np.argmax(logits, axis=2) == part.y, axis=1)


# %% [markdown]
# The training loop. The losses of the networks are added up; Adam works number by number, so each network trains as if
# it were alone.

# %%
images, labels = tf.constant(data.train.x), tf.constant(data.train.y)


def batches(seeds, size, epoch):
    """Indices (networks, size); networks with the same seed see the same images."""
    orders = {s: np.random.default_rng([s, epoch]).permutation(len(labels)) for s in set(seeds)}
    order = np.stack([orders[s] for s in seeds])
    for start in range(0, len(labels) - size + 1, size):
        yield tf.constant(order[:, start : start + size])


def train(networks, epochs, rate, quantized=True, schedule=None):
    """Train all networks; `schedule` gives them another bit width from an epoch on."""
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(networks.variables)
    momentum = 0.9 if quantized else None

    @tf.function
    def step(index):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.gather(labels, index),
                networks(tf.gather(images, index), quantized, momentum),
            )
            loss = tf.reduce_sum(tf.reduce_mean(losses, axis=1))
        gradients = tape.gradient(
            loss,
            [variable.value for variable in networks.variables],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        optimizer.apply(gradients, networks.variables)

    for epoch in range(epochs):
        if schedule and epoch in schedule:
            networks.bits.assign(each(schedule[epoch], len(networks.seeds)))
        for index in batches(networks.seeds, 64, epoch):
            step(index)
    return networks


in_float = train(
    Networks([mlp(keras, seed=seed).get_weights() for seed in SEEDS], SEEDS),
    epochs=20,
    rate=2e-3,
    quantized=False,
)
trained = in_float.weights()  # where everything below begins
float_accuracy = accuracy(in_float, quantized=False)
assert float_accuracy.min() > 0.94
print("five float networks, each above 0.94")

# %% [markdown]
# Now E1. Two epochs of QAT with 2-bit kernels, then an audit of one kernel: the variable, what the layer computes with,
# and the gradient. *How many different numbers has each of the 4,096-entry tensors, and in which dtype?*

# %%
audited = train(calibrated(Networks(trained, SEEDS, bits=2)), epochs=2, rate=1e-3)
with tf.GradientTape() as tape:
    loss = tf.reduce_mean(audited(images[:64]) ** 2)
tensors = {
    "the variable": tf.convert_to_tensor(audited.kernels[1]),
    "fake-quantized": audited.kernel(1),
    "the gradient": tape.gradient(loss, audited.kernels[1]),
}
for label, tensor in tensors.items():
    different = len(np.unique(tensor[0]))
    print(
        f"{label:15} {tensor.dtype.name}  {'3' if different == 3 else 'more than 1,000'} numbers"
    )
    assert tensor.dtype == tf.float32
assert len(np.unique(tensors["fake-quantized"][0])) == 3
assert min(len(np.unique(tensors[t][0])) for t in ("the variable", "the gradient")) > 1000
assert {v.dtype for v in audited.variables} == {"float32"}
step = np.unique(tensors["fake-quantized"][0])[-1]
assert step > 100 * 1e-3
print("one step of the 2-bit grid: more than 100 times the learning rate")

# %% [markdown]
# The variable is an ordinary float32 kernel and lies on no grid. It has to: one Adam step moves a weight by about the
# learning rate, and a step of the grid is more than 100 times as large. *The small updates add up in float until a
# weight crosses to the next level*; the same idea as fp32 master weights (lesson 01).

# %% [markdown]
# ### 4.3 Without the straight-through estimator
#
# The same networks, the same ten epochs; the only difference is `tf.round` in place of `round_through`. *Which of the
# variables will have changed?*

# %%
arms = {"straight-through": round_through, "tf.round": tf.round}
moved, without = {}, {}
for label, rounding in arms.items():
    networks = calibrated(Networks(trained, SEEDS, 2, per_channel=True, rounding=rounding))
    without[label, "before"] = accuracy(networks)
    train(networks, epochs=10, rate=1e-3)
    without[label, "after"] = accuracy(networks)
    moved[label] = [
        any((a[i] != b[i]).any() for a, b in zip(networks.weights(), trained, strict=True))
        for i in range(6)
    ]
    print(f"{label:17} changed: kernels {moved[label][::2]}, biases {moved[label][1::2]}")
assert moved["straight-through"] == [True] * 6
assert moved["tf.round"] == [False] * 5 + [True]

# %% [markdown]
# No kernel changes in a single bit. Only the last bias learns, the one variable with no rounding between itself and the
# loss. Nothing fails, and nothing warns, since our loop takes a missing gradient for 0. (Keras's `fit` would warn.)

# %% tags=["nbval-ignore-output"]
for label in arms:
    before, after = (without[label, when].mean() for when in ("before", "after"))
    print(f"{label:17} 2 bits per channel: {before:.3f} → {after:.3f}")

# %%
assert without["straight-through", "after"].mean() > without["tf.round", "after"].mean() + 0.08
print("8 points or more between them: the estimator is what trains")

# %% [markdown]
# ### 4.4 Batch normalization: fold it
#
# At inference a batch normalization is a factor and a shift for each channel, γ/√(σ² + ε), with fixed numbers. So it
# can be multiplied into the kernel before it and disappears. *Predict the largest difference between the logits before
# and after.*


# %%
def normalized():
    """64-64-64-10 with a batch normalization before each ReLU."""
    layers = []
    for i in (1, 2):
        layers.append(keras.layers.Dense(64, use_bias=False, name=f"dense_{i}"))
        layers.append(keras.layers.BatchNormalization(momentum=0.9, name=f"norm_{i}"))
        layers.append(keras.layers.ReLU())
    return keras.Sequential(
        [keras.Input((64,)), *layers, keras.layers.Dense(10, name="logits")]
    )


def folded(kernel, norm, mean, variance):
    factor = norm.gamma.numpy() / np.sqrt(variance + norm.epsilon)
    return kernel * factor, norm.beta.numpy() - mean * factor


keras.utils.set_random_seed(0)
network = normalized()
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
network.compile(keras.optimizers.Adam(2e-3), cross_entropy)
network.fit(*data.train, batch_size=64, epochs=10, verbose=0)

raw = {i: network.get_layer(f"dense_{i}").kernel.numpy() for i in (1, 2)}
norms = {i: network.get_layer(f"norm_{i}") for i in (1, 2)}
fold = {
    i: folded(raw[i], n, n.moving_mean.numpy(), n.moving_variance.numpy())
    for i, n in norms.items()
}
assert min(n.gamma.numpy().min() for n in norms.values()) > 0
plain = mlp(keras)
plain.set_weights([*fold[1], *fold[2], *network.get_layer("logits").get_weights()])
before, after = (np.asarray(some(data.test.x)) for some in (network, plain))
assert np.abs(before - after).max() < 1e-4
assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
print(f"{len(network.variables)} variables before, {len(plain.variables)} after;", end=" ")
print("no logit moved by more than 0.0001")

# %% [markdown]
# Equal in float. *Is the rounded kernel equal too? Round each kernel to 8 bits before the folding and after it, and
# compare the integers.*

# %%
for per_channel in (True, False):
    axis = 1 if per_channel else None
    differ = np.mean(
        [
            grid(raw[i], 8, axis=axis).quantize(raw[i])
            != grid(fold[i][0], 8, axis=axis).quantize(fold[i][0])
            for i in (1, 2)
        ]
    )
    label = "per channel" if per_channel else "per tensor"
    print(f"{label:11} more than half of the integers differ: {differ > 0.5}")
    assert (differ < 0.01) if per_channel else (differ > 0.5)

# %% [markdown]
# With a scale a channel the factor goes into the scale, and the integers are the same (as long as γ is positive, as
# here). With one scale for all, they are other integers, and worse ones, since folding pulls the channels apart:

# %% tags=["nbval-ignore-output"]
for i in (1, 2):
    for label, kernel in (("before", raw[i]), ("folded", fold[i][0])):
        reach = np.abs(kernel).max(axis=0)
        print(
            f"dense_{i} {label}: largest weight of a channel {reach.min():.2f} to {reach.max():.2f}, "
            f"8 bits per tensor {error(kernel, grid(kernel, 8)).sqnr:.1f} dB"
        )

# %%
assert all(
    error(raw[i], grid(raw[i], 8)).sqnr > error(fold[i][0], grid(fold[i][0], 8)).sqnr + 0.5
    for i in (1, 2)
)
print(
    "the folded kernels lose more, so QAT that rounds the unfolded ones trains for another grid"
)

# %% [markdown]
# The converter folds as well, when it makes a file for inference. *How many operators does it leave of Dense, batch
# normalization, ReLU, Dropout and Dense?*

# %%
stack = [keras.layers.Dense(32, use_bias=False), keras.layers.BatchNormalization()]
stack += [keras.layers.ReLU(), keras.layers.Dropout(0.5), keras.layers.Dense(10)]
chain = keras.Sequential([keras.Input((64,)), *stack])
for variable in stack[1].variables:  # as if it had been trained
    variable.assign(np.linspace(0.5, 1.5, 32))
file = tflite.interpreter(tflite.convert(chain), reference=True)
operators = [op["op_name"] for op in file._get_ops_details()]
print(len(stack), "layers, in the file:", operators)
assert operators == ["FULLY_CONNECTED", "FULLY_CONNECTED"]

# %% [markdown]
# So QAT folds first and rounds the folded kernel. But with *which* σ? In training mode a batch normalization takes mean
# and variance of **the batch**. *Fold with the statistics of one batch of 64 after the other. With one scale for all,
# how many of the 8-bit integers change from batch to batch?*

# %%
jitter = []
for start in range(0, 640, 64):
    products = data.train.x[start : start + 64] @ raw[1]
    now, _ = folded(raw[1], norms[1], products.mean(axis=0), products.var(axis=0))
    jitter.append(grid(now, 8).quantize(now))
changed = [np.mean(a != b) for a, b in zip(jitter[1:], jitter[:-1], strict=True)]
assert min(changed) > 0.5
print("from one batch to the next, more than half of the integers change, though no weight did")

# %% [markdown]
# (With a scale a channel the scales would change instead.) Noise that inference never has. Therefore: fold with the
# *moving* statistics and keep them, from the start when you begin with a trained model (the task of the exercises does
# this), or after some time when you train from scratch (Krishnamoorthi, 2018, corrects for the batch first and freezes
# later). Left as it is, the batch normalization goes on drifting under your grid.

# %% [markdown]
# ### 4.5 PTQ against QAT
#
# Kernels of 8, 4, 3 and 2 bits, activations of 8, five seeds. And honest baselines:
#
# - **PTQ, full range**: the largest weight is on the last point of the grid.
# - **PTQ, best range**: for each network the share of the range with the best *validation* accuracy, of 17.
# - **QAT, full range**: ten epochs from the trained network.
# - **QAT, best range**: the same, with the share that PTQ chose.
# - **Float, ten more epochs**: if it gained as much, the gain would be the epochs', not the rounding's.
#
# *Write down your guess for 8, 4 and 2 bits per tensor, for PTQ at full range and for QAT.*

# %%
ROWS = [(bits, per_channel) for bits in (8, 4, 3, 2) for per_channel in (False, True)]


def quantized(rows=ROWS, start=trained, **settings):
    """Calibrated networks, the five seeds of the first row, then those of the next."""
    return calibrated(
        Networks(
            [weights for _ in rows for weights in start],
            [seed for _ in rows for seed in SEEDS],
            bits=np.repeat([bits for bits, _ in rows], len(SEEDS)),
            per_channel=np.repeat([per_channel for _, per_channel in rows], len(SEEDS)),
            **settings,
        )
    )


def by_row(accuracies, rows=ROWS):
    return dict(zip(rows, accuracies.reshape(len(rows), len(SEEDS)), strict=True))


ptq = quantized()
results = {"PTQ, full range": by_row(accuracy(ptq))}
shares = np.arange(100, 19, -5) / 100  # among equals argmax takes the first, the widest
found = []
for share in shares:
    ptq.clip.assign(each(share, len(ptq.seeds)))
    found.append(accuracy(ptq, data.validation))
best = shares[np.argmax(found, axis=0)]
ptq.clip.assign(each(best, len(ptq.seeds)))
results["PTQ, best range"] = by_row(accuracy(ptq))

qat = train(quantized(), epochs=10, rate=1e-3)
results["QAT, full range"] = by_row(accuracy(qat))
results["QAT, best range"] = by_row(accuracy(train(quantized(clip=best), epochs=10, rate=1e-3)))
longer = train(Networks(trained, SEEDS), epochs=10, rate=1e-3, quantized=False)
longer_accuracy = accuracy(longer, quantized=False)
print(f"{len(ROWS) * len(SEEDS)} networks quantized, searched and trained twice")


# %% tags=["nbval-ignore-output"]
def spread(values):
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


print(f"float {spread(float_accuracy)}, ten more epochs {spread(longer_accuracy)}\n")
print(f"{'':18}" + "".join(f"{label:>17}" for label in results))
for bits, per_channel in ROWS:
    label = f"{bits} bits per {'channel' if per_channel else 'tensor'}"
    print(
        f"{label:18}" + "".join(f"{spread(r[bits, per_channel]):>17}" for r in results.values())
    )

# %% tags=["nbval-ignore-output"]
with style():
    fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.2), sharey=True)
    for ax, per_channel in zip(axes, (False, True), strict=True):
        ax.axhline(float_accuracy.mean(), color="black", ls=":", label="float")
        for (label, found), look in zip(
            results.items(), ("o--", "s-.", "^-", "v-"), strict=True
        ):
            means, stds = np.transpose(
                [
                    (found[b, per_channel].mean(), found[b, per_channel].std(ddof=1))
                    for b in (8, 4, 3, 2)
                ]
            )
            ax.errorbar(range(4), means, stds, fmt=look, capsize=3, label=label)
        ax.set(xticks=range(4), xticklabels=(8, 4, 3, 2), xlabel="bits of the kernels")
        ax.set_title("a scale a channel" if per_channel else "one scale a tensor")
    axes[0].set(ylabel="test accuracy, mean ± std of 5 seeds", ylim=(0.3, 1))
    axes[1].legend(loc="lower left")
    fig.suptitle(
        "QAT pays at few bits, and much of what PTQ loses there is the range", weight="bold"
    )
    plt.show()

# %%
mean = {label: {row: v.mean() for row, v in found.items()} for label, found in results.items()}
reference = float_accuracy.mean()
assert all(
    abs(found[bits, c] - reference) < 0.02
    for found in mean.values()
    for bits in (8, 4)
    for c in (False, True)
)
print(
    "8 and 4 bits: every method is within 2 points of float, so next to nothing is there to win"
)
assert mean["PTQ, full range"][2, False] < reference - 0.25
assert mean["PTQ, full range"][2, True] < reference - 0.08
print("2 bits, PTQ at full range loses more than 25 points per tensor, more than 8 per channel")
for per_channel in (False, True):
    row = 2, per_channel
    assert mean["PTQ, best range"][row] > mean["PTQ, full range"][row] + 0.03
    assert mean["QAT, best range"][row] > mean["PTQ, best range"][row] + 0.015
    assert mean["QAT, best range"][row] > reference - 0.035
print("a better range alone wins back 3 points or more; QAT on it ends within 3.5 of float")
assert mean["QAT, best range"][2, False] > mean["QAT, full range"][2, False] - 0.01
assert abs(longer_accuracy.mean() - reference) < 0.012
print("ten more float epochs change float by about a point at most")

# %% [markdown]
# Four things to take from the table:
#
# 1. **At 8 and 4 bits QAT has next to nothing to repair here.** If it looks better than float, compare it with *ten
#    more float epochs*: that is what it also had.
# 2. **Against full-range PTQ, QAT looks like a miracle; against best-range PTQ it is a few points.** Say which one you
#    compared with.
# 3. **QAT does not make the range unimportant.** At 2 bits and one scale a tensor, QAT on the range that PTQ chose
#    ended a point or two ahead of QAT on the full range, in the runs that this text is written from. LSQ goes further
#    and *learns* the step sizes (Esser et al., 2020).
# 4. The spread over seeds is about a point, and three to ten for full-range PTQ at 2 bits: a difference of one point from
#    one run is no result.
#
# **When 8 bits do need it.** Lesson 04 (4.7) built networks that compute the same function with badly scaled channels.
# *PTQ and QAT on those, with 8 bits:*


# %%
def badly_scaled(weights, seed):
    """The same function: a hidden unit's inputs times a power of two, its outputs divided by it."""
    weights, random = [w.copy() for w in weights], np.random.default_rng(seed)
    for layer in (0, 2):
        factor = np.float32(2.0) ** random.integers(-4, 5, 64)
        weights[layer] *= factor
        weights[layer + 1] *= factor
        weights[layer + 2] /= factor[:, np.newaxis]
    return weights


uneven = [badly_scaled(w, seed) for seed, w in zip(SEEDS, trained, strict=True)]
eight = [(8, False), (8, True)]
networks = quantized(eight, uneven)
bad = {"PTQ": by_row(accuracy(networks), eight)}
bad["QAT"] = by_row(accuracy(train(networks, epochs=10, rate=1e-3)), eight)

# %% tags=["nbval-ignore-output"]
for label, found in bad.items():
    print(
        f"{label}: per tensor {spread(found[8, False])}, per channel {spread(found[8, True])}"
    )

# %%
assert bad["PTQ"][8, False].mean() < reference - 0.15
assert bad["QAT"][8, False].mean() > bad["PTQ"][8, False].mean() + 0.15
assert mean["PTQ, full range"][8, False] > bad["QAT"][8, False].mean() - 0.01
print("per tensor, 8-bit PTQ loses more than 15 points, and QAT wins more than 15 back")
print(
    "undoing the scaling (equalization, lesson 04) is within a point of it, or better,\n"
    "and trains nothing"
)

# %% [markdown]
# **And the price.** A forward and a backward pass of the forty networks, with and without fake quantization:

# %% tags=["nbval-ignore-output"]
index = next(iter(batches(qat.seeds, 64, epoch=0)))


def training_pass(quantized):
    @tf.function
    def run():
        with tf.GradientTape() as tape:
            logits = qat(tf.gather(images, index), quantized, 0.9 if quantized else None)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.gather(labels, index), logits
            )
        return tape.gradient(losses, qat.variables)

    return lambda: run()[0].numpy()


times = side_by_side({"float": training_pass(False), "QAT": training_pass(True)}, rounds=15)
print(
    "forwards and backwards, QAT takes", times.ratio("QAT", "float"), "times as long as float"
)

# %% [markdown]
# QAT only *adds* operations: the products stay float32. Small matrices like ours exaggerate the share of the rounding;
# a gain in training time there is not, at any size.

# %% [markdown]
# ### 4.6 The library: TFMOT
#
# The TensorFlow Model Optimization Toolkit does 8-bit QAT with one call, for **tf_keras** (Keras 2) models only. *What
# does importing it do to the environment, and what does it say to a Keras 3 model?*

# %%
os.environ.pop("TF_USE_LEGACY_KERAS", None)  # whatever ran before this notebook
import tensorflow_model_optimization as tfmot
import tf_keras

print("TF_USE_LEGACY_KERAS was not set, and now is", os.environ["TF_USE_LEGACY_KERAS"])
try:
    tfmot.quantization.keras.quantize_model(mlp(keras))
except ValueError as complaint:
    print(f"{type(complaint).__name__}: {complaint}")
else:
    raise AssertionError("TFMOT takes Keras 3 models now")

# %% [markdown]
# The message is misleading: it *is* a Sequential model, of the wrong Keras. (The variable decides what `tf.keras`
# means, unless something has used it before; `keras` and `tf_keras` mean what they always do. So this course writes
# only these two.) The same network with the same weights, in tf_keras. *What does the wrapped model score before any
# training?*

# %% tags=["nbval-ignore-output"]
tf_model = mlp(tf_keras)
tf_model.set_weights(trained[0])
tf_loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def score(logits):
    return float(np.mean(np.asarray(logits).argmax(axis=1) == data.test.y))


wrapped = tfmot.quantization.keras.quantize_model(tf_model)
scores = {"float": score(tf_model(data.test.x)), "wrapped": score(wrapped(data.test.x))}
answers = np.unique(np.asarray(wrapped(data.test.x)).argmax(axis=1))
wrapped.compile(tf_keras.optimizers.SGD(0.0), tf_loss)
wrapped.train_on_batch(data.train.x[:64], data.train.y[:64])
scores["after a step with learning rate 0"] = score(wrapped(data.test.x))
for label, value in scores.items():
    print(f"{label:34} {value:.3f}")

# %%
assert len(answers) == 1
assert scores["wrapped"] < 0.15
assert scores["after a step with learning rate 0"] > 0.9
print("wrapped: one and the same class for every image. A step that changes no weight mends it")

# %% [markdown]
# **The trap.** A fresh wrapper's ranges are made up: −6 … 6 for every kernel and every output, and for the images 0 … 0,
# so every image is all zeros. No error, no warning. Run one batch in training mode before you evaluate, convert or despair. Then train; *which variables have
# which dtype?*

# %%
wrapped = tfmot.quantization.keras.quantize_model(tf_model)
wrapped.compile(tf_keras.optimizers.Adam(1e-3), tf_loss)
tf_keras.utils.set_random_seed(0)
history = wrapped.fit(*data.train, batch_size=64, epochs=10, verbose=0)
ranges = {
    v.name.split(":")[0]: float(v.numpy())
    for v in wrapped.variables
    if v.name.endswith(("min:0", "max:0"))
}
trainable = {v.dtype.name for v in wrapped.trainable_variables}
print(
    f"{len(wrapped.trainable_variables)} trainable variables in {trainable}, {len(ranges)} ends of ranges"
)
assert trainable == {"float32"}

# %% [markdown]
# Float32 again: E1 holds for the library, too. Now the ranges of the first layer, beside what its ReLU really gives:

# %% tags=["nbval-ignore-output"]
first = wrapped.get_layer("quant_hidden_1")
outputs = np.maximum(data.train.x @ trained[0][0] + trained[0][1], 0)
low, high = (ranges[f"quant_hidden_1/post_activation_{end}"] for end in ("min", "max"))
print(f"range after 190 steps: {low:.2f} to {high:.2f}")
print(f"outputs of the float layer: {outputs.min():.2f} to {outputs.max():.2f}")
levels = np.ptp(outputs) / ((high - low) / 255)
print(f"of 256 levels they use about {levels:.0f}")
print(f"-6 · 0.999^190 = {-6 * 0.999**190:.2f}")

# %%
assert abs(low - -6 * 0.999**190) < 0.05
assert levels < 128
print("the lower end is where 190 steps of the moving average have brought it from -6, and the")
print("outputs are never negative: less than half of the levels are in use")

# %% [markdown]
# **Where ours and TFMOT's differ**, from its source (`default_8bit_quantize_registry.py`, `default_8bit_transforms.py`,
# `quantizers.py`) and the file that comes out:
#
# | | ours | TFMOT's default |
# |---|---|---|
# | an activation's range starts as | what calibration saw | −6 … 6, whatever the data |
# | its moving average | 0.9 a step | 0.999 a step: a thousand steps to forget 63 % of the start |
# | the range of the images | like any other | the widest ever seen |
# | rounds | the *inputs* of each layer | the images and the *outputs* of each layer, logits too |
# | a Dense kernel's scale | a tensor or a channel | one a tensor (Conv2D: one a channel) |
# | its range at inference | the kernel's, now | of the last training step, one update old |
# | bits | any | 8; others take a `QuantizeConfig` of your own |
#
# The converter needs no calibration data now. *Give it nonsense as data: does the file change?*

# %%
sensible = tflite.convert(wrapped, "full_integer", data.train.x[:50])
nonsense = tflite.convert(wrapped, "full_integer", 100 * data.train.x[:3] + 7)
assert sensible == nonsense
kernels = [
    t
    for t in tflite.interpreter(sensible, reference=True).get_tensor_details()
    if tuple(t["shape"]) in ((64, 64), (10, 64))
]
for t in kernels:
    print(
        np.dtype(t["dtype"]).name,
        t["shape"].tolist(),
        "scales:",
        len(t["quantization_parameters"]["scales"]),
    )
    assert t["dtype"] is np.int8
    assert len(t["quantization_parameters"]["scales"]) == 1
print("byte for byte the same file: the ranges are those of the training")

# %% [markdown]
# ### 4.7 Out come integers
#
# Ours, through the same converter. Write the *fake-quantized* kernels of a trained network into a Keras model; at 8 and at
# 2 bits the converter's per-channel grid then has them exactly on its points. *A 2-bit kernel in an int8 file: which
# integers will it hold? How large is the file?*


# %%
def integers(content, x):
    """Logits in int8 of a full-integer model, for float images."""
    interpreter = tflite.interpreter(content)
    scale, zero_point = interpreter.get_input_details()[0]["quantization"]
    x_q = np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
    return tflite.run(interpreter, x_q)


def rounded_model(networks, index):
    """One of the networks as a Keras model, with the kernels that it computes with."""
    model = mlp(keras)
    weights = networks.weights()[index]
    weights[::2] = [networks.kernel(layer)[index].numpy() for layer in range(3)]
    model.set_weights(weights)
    return model


files = {
    bits: tflite.convert(
        rounded_model(qat, ROWS.index((bits, True)) * len(SEEDS)),
        "full_integer",
        data.train.x[:200],
    )
    for bits in (8, 2)
}
for bits, content in files.items():
    layer = tflite.dense_layers(tflite.interpreter(content, reference=True))[1]
    values = np.unique(layer.w_q)
    print(
        f"{bits} bits:",
        values.tolist() if len(values) < 9 else "more than 100 different integers",
    )
    assert (values.tolist() == [-127, 0, 127]) if bits == 2 else (len(values) > 100)
assert abs(len(files[8]) - len(files[2])) < 0.02 * len(files[8])
print("the two files have the same size, within 2 %")

# %% [markdown]
# Three different numbers, and each takes a byte. **Fewer bits in training are fewer bytes on the disk only in a format
# that packs them.** (And the levels of b bits, from −127 to 127 in steps of 127/(2^(b−1) − 1), are whole numbers at 8 and
# at 2 bits only. *How far off are those of 4 and 3 bits?*)

# %%
for bits in (8, 4, 3, 2):
    levels = np.linspace(-127, 127, 2**bits - 1)
    off = np.abs(levels - np.rint(levels)).max()
    print(f"{bits} bits: at most {off:.2f} of an int8 step")
    assert (off < 1e-9) == (bits in (8, 2))

# %% [markdown]
# Nothing in a plain Keras model tells the converter that 2 bits are enough. A fake quantization in
# the graph could. TFMOT has an experimental scheme for other widths. *How large are its files with kernels of 8, 4 and
# 2 bits?*

# %%
from tensorflow_model_optimization.python.core.quantization.keras.experimental.default_n_bit import (
    default_n_bit_quantize_scheme as n_bit,
)

packed = {}
for bits in (8, 4, 2):
    annotated = tfmot.quantization.keras.quantize_annotate_model(mlp(tf_keras))
    scheme = n_bit.DefaultNBitQuantizeScheme(num_bits_weight=bits)
    few = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    few.compile(tf_keras.optimizers.SGD(0.0), tf_loss)
    few.train_on_batch(data.train.x[:64], data.train.y[:64])
    packed[bits] = tflite.convert(few, "dynamic_range")
    w_q = tflite.dense_layers(tflite.interpreter(packed[bits], reference=True))[1].w_q
    print(f"{bits} bits: integers from {w_q.min()} to {w_q.max()}")
    assert np.abs(w_q).max() == (127 if bits == 8 else 7)
saved = len(packed[8]) - len(packed[4])
kernels = 64 * 64 + 64 * 64 + 64 * 10
assert abs(saved - kernels / 2) < 0.05 * kernels
assert len(packed[2]) == len(packed[4])
print("4 bits save half a byte a weight, within 5 %; 2 bits save no more")

# %% [markdown]
# The converter packs such kernels into 4 bits, two to a byte, and no further, though the file format has a type of 2 bits
# by now: 2 bits become 4, with other integers than QAT trained. Older converters ignored the number of bits altogether (section 8).


# %% tags=["nbval-ignore-output"]
def scales(content):
    details = tflite.interpreter(content, reference=True).get_tensor_details()
    return sum(len(tensor["quantization_parameters"]["scales"]) for tensor in details)


deployed = {"TFMOT, 8 bits": (score(wrapped(data.test.x)), sensible)}
for bits, content in files.items():
    deployed[f"ours, {bits} bits per channel"] = (
        results["QAT, full range"][bits, True][0],
        content,
    )
print(f"{'seed 0':26}{'in training':>12}{'as integers':>13}{'bytes':>9}{'scales':>8}")
for label, (simulated, content) in deployed.items():
    real = score(integers(content, data.test.x))
    print(f"{label:26}{simulated:12.3f}{real:13.3f}{len(content):9,}{scales(content):8}")

# %%
for simulated, content in deployed.values():
    assert abs(score(integers(content, data.test.x)) - simulated) < 0.015
    assert abs(simulated - float_accuracy[0]) < 0.08
assert scales(files[8]) - scales(sensible) == 2 * (138 - 3)  # 3 kernels and 3 biases
print("the integer models score what the simulation promised, within 1.5 points")

# %% [markdown]
# (Our files are larger by their scales and zero-points, 4 and 8 bytes, a pair for each of the 138 units, for its kernel and
# for its bias.) The agreement is what QAT is for, and the first thing to check: a gap between the two means that training rounded
# something else than inference does.

# %% [markdown]
# ### 4.8 Progressive bit width
#
# The article's idea, made precise: go from 8 to 4 to 2 bits during training, so that each stage starts from a network
# that is nearly right. The rival is 2 bits from the first epoch, with the *same number of epochs*. *Which one wins, at
# 2 bits?*

# %%
two = [(2, False), (2, True)]
plans = {
    "direct, 10 epochs": (10, None),
    "direct, 30 epochs": (30, None),
    "8 → 4 → 2, 30 epochs": (30, {0: 8, 10: 4, 20: 2}),
}
progressive = {}
for label, (epochs, schedule) in plans.items():
    networks = train(quantized(two), epochs, rate=1e-3, schedule=schedule)
    assert (networks.bits.numpy() == 2).all()
    progressive[label] = by_row(accuracy(networks), two)

# %% tags=["nbval-ignore-output"]
for label, found in progressive.items():
    print(
        f"{label:21} per tensor {spread(found[2, False])}, per channel {spread(found[2, True])}"
    )
for row, name in zip(two, ("per tensor", "per channel"), strict=True):
    gain = progressive["8 → 4 → 2, 30 epochs"][row] - progressive["direct, 30 epochs"][row]
    print(f"progressive − direct, {name}, seed by seed: {np.round(100 * gain, 1)} points")

# %%
for row in two:
    gain = progressive["8 → 4 → 2, 30 epochs"][row] - progressive["direct, 30 epochs"][row]
    assert gain.mean() < 0.025
print(
    "on average progressive is less than 2.5 points ahead of direct, per tensor and per channel"
)

# %% [markdown]
# **What was measured: no gain from the schedule.** Not here, from a trained float network, nor before this course was
# written, with other settings (there it was behind or level). Thirty epochs are hardly better than ten, either. Zhuang
# et al. (2018) report gains for *weights and activations* of deep networks on ImageNet; that is another setting, and no
# reason to promise it for yours. So: know how to do it, give it an equal budget, report the difference seed by seed.

# %% [markdown]
# ### 4.9 The article's program
#
# A function of its kind: convert the model, then train in a loop with a tape. *Where does it stop first?*


# %%
def like_the_articles(
    model, strategy, convert=lambda m: keras.mixed_precision.quantize_model(m)
):
    model = convert(model)
    optimizer, loss_of = keras.optimizers.Adam(), keras.losses.MeanSquaredError()
    for batch, targets in train_data:
        with tf.GradientTape(persistent=True) as tape:
            loss = loss_of(targets, model(batch))
        optimizer.apply(
            tape.gradient(loss, model.trainable_variables), model.trainable_variables
        )
    return model


for settings in ({}, {"convert": lambda m: m}):
    try:
        like_the_articles(mlp(keras), strategy="int8", **settings)
    except (AttributeError, NameError) as stop:
        print(f"{type(stop).__name__}: {stop}")
    else:
        raise AssertionError("it runs")

# %% [markdown]
# The function is TFMOT's, and `train_data` exists nowhere. And the strategy? *Which of its parameters does the program
# read?*

# %%
import ast
import inspect

program = ast.parse(inspect.getsource(like_the_articles))
read = {node.id for node in ast.walk(program) if isinstance(node, ast.Name)}
for parameter in inspect.signature(like_the_articles).parameters:
    print(f"{parameter:9} {'read' if parameter in read else 'never read'}")
assert "model" in read
assert "strategy" not in read

# %% [markdown]
# Suppose that all this were mended. The loss is a squared error between the *label* and ten *logits*. The true class
# is 3. *Which of two outputs does it prefer: one that is right and sure, or ten equal logits of 3?*

# %%
target = np.array([[3.0]])
sure = np.where(np.arange(10) == 3, 10.0, 0.0)[np.newaxis]
clueless = np.full((1, 10), 3.0)
squared_error = keras.losses.MeanSquaredError()
for label, logits in (("right and sure", sure), ("all ten are 3", clueless)):
    print(
        f"{label:15} squared error {float(squared_error(target, logits)):5.2f}, "
        f"cross-entropy {float(cross_entropy(target[0], logits)):.4f}"
    )
assert float(squared_error(target, clueless)) == 0
assert float(cross_entropy(target[0], sure)) < 0.001

# %% [markdown]
# Perfect, it says of an output that knows nothing. It teaches every logit to be the *number* of the class. And the
# **persistent tape**: it keeps all intermediate results after the gradient is taken, which only a second call of
# `gradient` needs. There is none.

# %%
w = tf.Variable(2.0)
for persistent in (False, True):
    with tf.GradientTape(persistent=persistent) as tape:
        loss = w**2
    calls = 0
    try:
        for _ in range(2):
            tape.gradient(loss, w)
            calls += 1
    except RuntimeError:
        pass
    print(f"persistent={persistent}: gradient can be called", "twice" if calls == 2 else "once")
    assert calls == 1 + persistent

# %% [markdown]
# What the title promised, *convert a model by a strategy and change its precision while it trains*, is a good exercise.
# It is the last one of the next notebook: Dense and convolutions, skip connections, folding, a schedule, and a clear
# error when the model was never calibrated.

# %% [markdown]
# ## 5. What the answer sounds like
#
# **Weak.** "QAT trains the model in int8, so it is more accurate than PTQ and trains faster." *Nothing is stored in
# int8, it trains slower, and it is more accurate only where PTQ lost something.*
#
# **Good.** "Fake-quantization nodes round weights and activations in the forward pass, in float; the straight-through
# estimator passes the gradient inside the range. The fp32 weights are updated and rounded again in each step.
# Activation ranges are moving averages, frozen for inference; batch norm is folded. I start from a trained model with a
# small learning rate. In TensorFlow that is TFMOT's `quantize_model` on a tf_keras model, then the TFLite converter."
#
# **Senior.** The good answer, and: "QAT is my third step. First PTQ, with the ranges chosen well, per channel,
# equalized where the channels are uneven; I name that baseline when I report a gain, and give float the same extra
# epochs. I know what must match inference bit for bit in meaning: which tensors are rounded, folded or not, per tensor
# or per channel, what the runtime fuses; then I check that the integer model scores what the simulation said. I watch
# the ranges: an uncalibrated or slow one fails silently, and observers must not see evaluation data. At 2 and 3 bits
# the range is as important as the training, so I clip or learn it. Progressive schedules I treat as a hypothesis with
# an equal budget. And I ask first whether the hardware has kernels, and the format packing, for the bits that I am
# fighting for."

# %% [markdown]
# ## 6. Follow-ups
#
# **Does QAT converge?** Not to a point. Take one weight whose best value, 0.4, lies between two levels, 0 and 1, and
# minimize (q − 0.4)². *Where will q end, and how often is it 1?*

# %%
for rate in (0.01, 0.001):
    w, path = 0.4, []
    for _ in range(3000):
        q = round(w)
        path.append(q)
        w -= rate * 2 * (q - 0.4)  # straight through: the gradient of q, given to w
    late = np.array(path[-1000:])
    jumps = np.mean(late[1:] != late[:-1])
    print(
        f"rate {rate:5}: of the last 1,000 steps q is 1 in {100 * late.mean():.0f} %"
        f" and jumps in {100 * jumps:.0f} %; w stays near {w:.1f}"
    )
    assert 0.38 < late.mean() < 0.42
    assert 0.75 < jumps < 0.85
    assert abs(w - 0.5) < 0.02

# %% [markdown]
# It **oscillates** (振荡) around the threshold, and the *average* is right. The last step decides which level is shipped.
# At low bit widths this costs accuracy. A smaller learning rate does not end it: w swings less, q jumps as often. Remedies
# are freezing the weights that oscillate, and a penalty that dampens them (Nagel et al., 2022).
#
# **Which learning rate, how long?** QAT is a fine-tuning: a rate below the training's, a fraction of its epochs. Ours
# was half and half, the rate chosen from 0.00025 to 0.004 by the 2-bit rows on validation.
#
# **From scratch or from a trained model?** From a trained one. Ranges make sense from the first step, and you see at
# once what PTQ would give.
#
# **May labels be missing?** Then distil: train the quantized network towards the float network's logits.
#
# **PTQ that learns a little?** AdaRound (Nagel et al., 2020) decides for each weight whether to round up or down, layer
# by layer, on a few unlabelled batches: between PTQ and QAT in cost.
#
# **Why is the gradient 0 outside the range, if that weight then never comes back?** For activations it is the truth:
# they are clipped. For weights at full range nothing lies outside. With a clipped range an outer weight keeps its
# level, and here that did no harm (4.5). Learned ranges get a gradient of their own.
#
# **Fake-quantized and int8 results differ by 1 now and then. A bug?** No: float rounds x/s, the runtime rounds a
# rescaled integer sum (lesson 04, 4.8). A difference of many steps is one.

# %% [markdown]
# ## 7. Quiz
#
# Run the cell: eight questions. A wrong answer says why it is wrong.

# %% tags=["nbval-ignore-output"]
from jupyterquiz import display_quiz

from halfbits.questions import QUIZ_LOOK, quiz

display_quiz(quiz("05_quantization_aware_training"), **QUIZ_LOOK)

# %% [markdown]
# ## 8. Seen in the wild
#
# - **"Can only either be a Sequential or Functional model"**, and it is one: of Keras 3. TFMOT's own documentation
#   example fails so.
#   [tensorflow/model-optimization #1119](https://github.com/tensorflow/model-optimization/issues/1119),
#   [#1144](https://github.com/tensorflow/model-optimization/issues/1144),
#   [#1270](https://github.com/tensorflow/model-optimization/issues/1270),
#   [tensorflow/tensorflow #64721](https://github.com/tensorflow/tensorflow/issues/64721)
# - **"Quantization aware but not quantized"**: somebody prints the weights after QAT, finds float32, and is confused.
#   E1 in the wild. [tensorflow/tensorflow #42250](https://github.com/tensorflow/tensorflow/issues/42250); the same as
#   "why is my 4-bit model as large as bf16":
#   [facebookresearch/ParetoQ #9](https://github.com/facebookresearch/ParetoQ/issues/9)
# - **Good in Keras, bad in TFLite.** A MobileNet after QAT. In the thread a user points at the moving averages: with
#   0.999 it takes about a thousand steps to forget the starting range.
#   [tensorflow/model-optimization #368](https://github.com/tensorflow/model-optimization/issues/368)
# - **4 bits in training, −127 … 127 in the file.** The converters of 2020 and 2021 used the range and ignored
#   `num_bits`. [tensorflow/model-optimization #574](https://github.com/tensorflow/model-optimization/issues/574),
#   [tensorflow/tensorflow #50993](https://github.com/tensorflow/tensorflow/issues/50993)
# - **The observers saw the validation data.** A callback left them on during evaluation.
#   [Lightning-AI/pytorch-lightning #8507](https://github.com/Lightning-AI/pytorch-lightning/issues/8507)
# - **The float weights were evaluated.** A training script reloads full precision before it measures.
#   [antspy/quantized_distillation #17](https://github.com/antspy/quantized_distillation/issues/17)

# %% [markdown]
# ## 9. References
#
# - B. Jacob et al., *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*,
#   CVPR 2018, [arXiv:1712.05877](https://arxiv.org/abs/1712.05877): training with simulated quantization, folding (its
#   section 3).
# - R. Krishnamoorthi, *Quantizing deep convolutional networks for efficient inference: A whitepaper*, 2018,
#   [arXiv:1806.08342](https://arxiv.org/abs/1806.08342): batch normalization in QAT, per channel, practice.
# - M. Nagel et al., *A White Paper on Neural Network Quantization*, 2021,
#   [arXiv:2106.08295](https://arxiv.org/abs/2106.08295): the order PTQ first, QAT after.
# - Y. Bengio, N. Léonard, A. Courville, *Estimating or Propagating Gradients Through Stochastic Neurons for Conditional
#   Computation*, 2013, [arXiv:1308.3432](https://arxiv.org/abs/1308.3432): the straight-through estimator.
# - S. K. Esser et al., *Learned Step Size Quantization*, ICLR 2020,
#   [arXiv:1902.08153](https://arxiv.org/abs/1902.08153).
# - M. Nagel et al., *Up or Down? Adaptive Rounding for Post-Training Quantization*, ICML 2020,
#   [arXiv:2004.10568](https://arxiv.org/abs/2004.10568).
# - M. Nagel et al., *Overcoming Oscillations in Quantization-Aware Training*, ICML 2022,
#   [arXiv:2203.11086](https://arxiv.org/abs/2203.11086).
# - B. Zhuang et al., *Towards Effective Low-bitwidth Convolutional Neural Networks*, CVPR 2018,
#   [arXiv:1711.00205](https://arxiv.org/abs/1711.00205): progressive quantization.
# - TensorFlow,
#   [Quantization aware training](https://www.tensorflow.org/model_optimization/guide/quantization/training);
#   the source that this lesson was checked against is TFMOT 0.8.1.
#
# **Next:** build it,
# [exercises/03_quantization_aware_training](../exercises/03_quantization_aware_training.ipynb).
