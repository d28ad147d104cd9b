# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # 06 · Pruning
#
# After this lesson you can say what pruning removes and what each kind of it buys, build masks and schedules, use
# TFMOT without falling into its traps, and judge a pruned network against baselines that had a chance. It takes about
# an hour; all cells together run for about a minute on two cores.
#
# ## 1. The question
#
# > *What is pruning? What does it save, in training and in deployment, and what does it cost?*
#
# "We set 90 % of the weights to zero, so the model is ten times smaller and faster" is where everybody begins. The
# interviewer waits for the rest: smaller *where*, faster *on what*, and compared with which baseline.

# %% [markdown]
# ## 2. The answer in 60 seconds
#
# **Pruning** (剪枝) removes weights from a network. **Sparsity** (稀疏度) is the share that is gone; a **mask** (掩码) says
# which.
#
# - **What.** *Connections* (连接, unstructured, 非结构化剪枝): single weights become 0, the matrix keeps its shape.
#   *Neurons* and *channels* (神经元, 通道, structured, 结构化剪枝): whole units go, the matrices become smaller.
#   *2:4* (半结构化): two of every four neighbours are 0, a pattern for hardware that reads it.
# - **Which.** The smallest magnitudes (幅值), per layer or by one global ranking over all layers.
# - **When.** *One-shot* (一次性剪枝): all at once, then fine-tune (微调). *Gradual* (渐进式剪枝): the sparsity rises
#   during training, by a cubic schedule.
# - **What it buys.** Zeros save bytes only once something encodes them, and time only on kernels that skip them. Dense
#   kernels skip nothing. Smaller matrices save both, everywhere. Training with masks is not faster.
# - **What it costs.** Here, after fine-tuning, next to nothing at 50 %, about a point at 90 %, and much at 98 %. Hold
#   it against the same fine-tuning of the dense network, a random mask, and a small dense network trained from scratch.

# %% [markdown]
# ## 3. What the source article says
#
# Three passages, in our words, and what the cells below will show:
#
# - **F1.** In mixed precision, pruning lowers the computation and makes training more efficient. **Misleading.** A
#   masked kernel is a dense kernel with zeros in it: the products are all computed, and masking is an extra operation,
#   in float32 and in bf16 (4.3). Gains come from compression (4.2) and from smaller matrices.
# - **F2.** Pruning also helps accuracy. **Usually a trade.** Against a dense network with the *same* extra training
#   a point at most is gained here at 50 %, seed by seed, and points are lost beyond (4.5).
# - **T3.** A program: a `PrunableDense` layer, a `model.replace`, a learning-rate schedule for the sparsity. **None of
#   the three works**, and the pruning percentage is never read (4.10).

# %% [markdown]
# ## 4. Evidence
#
# Five seeds, each a 64-256-128-10 network of its own. The settings were chosen beforehand on the validation images; the
# test images only report.

# %%
from halfbits.quiet import import_tensorflow

import_tensorflow()  # without the lines that TensorFlow writes when it starts

import ast
import gzip
import inspect
import os
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from halfbits import tflite
from halfbits.data import digits
from halfbits.measure import side_by_side
from halfbits.models import cnn, mlp
from halfbits.plots import style
from halfbits.pruning import (
    global_masks,
    magnitude_mask,
    n_of_m_mask,
    neuron_scores,
    polynomial_sparsity,
    sizes,
    strongest_units,
)
from halfbits.widgets.pruning_explorer import PruningExplorer

data = digits()
SEEDS = range(5)
HIDDEN = (256, 128)
print(
    f"{len(data.train.y)} images to train on, {len(data.validation.y)} to choose with,", end=" "
)
print(f"{len(data.test.y)} to report")

# %% [markdown]
# ### 4.1 Connections, blocks, neurons, channels
#
# One kernel, 64 inputs by 1,024 units, and half of it removed in three ways: the smallest connections, two of every
# four neighbours along the inputs, and the weakest neurons, by ‖incoming weights and bias‖ · ‖outgoing weights‖. *Which
# keeps most of the magnitude, and which leaves a smaller matrix?*

# %%
wide = mlp(keras, (1024, 1024), seed=0)
kernels = {layer.name: layer.kernel.numpy() for layer in wide.layers}
kernel = kernels["hidden_1"]
scores = neuron_scores(kernel, wide.layers[0].bias, kernels["hidden_2"])
kept_units = magnitude_mask(scores, 0.5)
masks = {
    "connections": magnitude_mask(kernel, 0.5),
    "2:4": n_of_m_mask(kernel, 2, 4, axis=0),
    "neurons": np.broadcast_to(kept_units, kernel.shape),
}
left = {label: np.abs(kernel[mask]).sum() for label, mask in masks.items()}
for label, mask in masks.items():
    after = kernel[:, kept_units] if label == "neurons" else kernel * mask
    print(f"{label:12} {mask.mean():.0%} kept, shape {after.shape}")
    assert mask.mean() == 0.5
assert left["connections"] > left["2:4"] > left["neurons"]
print("magnitude left: connections > 2:4 > neurons")

# %% tags=["nbval-ignore-output"]
with style():
    fig, axes = plt.subplots(1, 3, figsize=(9, 3.6), sharey=True)
    for ax, (label, mask) in zip(axes, masks.items(), strict=True):
        ax.imshow(mask[:32, :32], cmap="Greys", interpolation="nearest")
        ax.set(title=f"{label}: {left[label] / np.abs(kernel).sum():.0%} left", xlabel="unit")
        ax.grid(False)
    axes[0].set_ylabel("input")
    fig.suptitle("The freer the choice, the more magnitude stays (black: kept)")
    plt.show()

# %% [markdown]
# The freer the choice, the less a machine can do with the result. Only the neurons are *gone*; the other two are
# matrices of the old shape.
#
# A channel is a neuron of a convolution, used at every place of the image. Removing one takes a slice out of two
# kernels; after a `Flatten` that slice of the second one is a row for every place. *The network has 16 and 32 channels;
# we remove half. Which share of its parameters goes?*


# %%
def without_channels(model, counts):
    """A smaller copy of the course's CNN: only the channels with the highest scores."""
    (w1, b1), (w2, b2), (w3, b3) = (x.get_weights() for x in model.layers if x.get_weights())
    places = w3.shape[0] // w2.shape[-1]  # what Flatten lays out for each channel
    one = np.sort(np.argsort(neuron_scores(w1, b1, w2))[-counts[0] :])
    w1, b1, w2 = w1[..., one], b1[one], w2[:, :, one]
    by_channel = w3.reshape(places, -1, w3.shape[1])
    two = np.sort(np.argsort(neuron_scores(w2, b2, by_channel))[-counts[1] :])
    w2, b2, w3 = w2[..., two], b2[two], by_channel[:, two].reshape(-1, w3.shape[1])
    smaller = cnn(keras, filters=counts)
    smaller.set_weights([w1, b1, w2, b2, w3, b3])
    return smaller


convolutional = cnn(keras, seed=0)
dead = convolutional.get_weights()
for at in (0, 1):  # make the odd channels of conv_1 dead: no input, so 0 after the ReLU
    dead[at][..., 1::2] = 0
for at in (2, 3):
    dead[at][..., 1::2] = 0
convolutional.set_weights(dead)
halved = without_channels(convolutional, (8, 16))
before, after = (np.asarray(some(data.test.x)) for some in (convolutional, halved))
print(f"{convolutional.count_params():,} parameters, {halved.count_params():,} without half")
assert np.allclose(before, after, atol=1e-5)
assert halved.count_params() < 0.36 * convolutional.count_params()
print("the removed channels were dead, and the outputs are the same: nothing was mixed up")

# %% [markdown]
# More than half: the kernel between two halved layers loses three quarters. (Dead channels are the way to test such
# code: there the function must not change at all.)

# %% [markdown]
# ### 4.2 Bytes: nothing until somebody encodes the zeros
#
# A zero in float32 takes four bytes like any other number. To save some, the zeros have to be *encoded*: by gzip, by a
# bitmap (位图: one bit an element, then the values), or by a sparse format such as CSR (压缩稀疏行, *compressed sparse
# row*: a column index beside each value). *From which sparsity on is CSR smaller than the dense matrix?*

# %%
levels = np.linspace(0, 0.98, 8)
forms = [sizes(kernel * magnitude_mask(kernel, level)) for level in levels]
share = {form: np.array([f[form] for f in forms]) / kernel.nbytes for form in forms[0]}
assert (share["dense"] == 1).all()
assert ((share["csr"] < 1) == (levels > 0.501)).all()
assert ((share["bitmap"] < 1) == (levels > 1 / 32)).all()
print("dense: the same bytes at every sparsity")
print("CSR is smaller above 50 % (an index is as long as a value), a bitmap above 1/32")

# %% tags=["nbval-ignore-output"]
with style():
    fig, ax = plt.subplots()
    for (form, values), look in zip(share.items(), ("-", "o-", "s--", "^:"), strict=True):
        ax.plot(levels, values, look, label=form)
    ax.set(xlabel="sparsity", ylabel="bytes / bytes of the dense matrix", ylim=(0, 2.05))
    ax.set_title("Raw float32 never shrinks; encoded, the zeros nearly vanish")
    ax.legend()
    plt.show()

# %% [markdown]
# Now real files: a 64-1024-1024-10 network saved by Keras, half of the two hidden kernels removed in each of the ways
# (and 90 % of the connections). *Which files are smaller? Which are smaller after gzip?*


# %%
def masked(model, mask):
    """A copy with mask(kernel) applied to the kernels of the hidden layers."""
    copy = mlp(keras, (1024, 1024))
    copy.set_weights(model.get_weights())
    for layer in copy.layers[:-1]:
        layer.kernel.assign(layer.kernel * mask(layer.kernel.numpy()))
    return copy


def without_neurons(model, counts):
    """A smaller copy: of each hidden layer only the units with the highest scores."""
    smaller = mlp(keras, counts)
    smaller.set_weights(strongest_units(model.get_weights(), counts)[0])
    return smaller


models = {
    "dense": wide,
    "connections, 50 %": masked(wide, lambda w: magnitude_mask(w, 0.5)),
    "2:4": masked(wide, lambda w: n_of_m_mask(w, axis=0)),
    "connections, 90 %": masked(wide, lambda w: magnitude_mask(w, 0.9)),
    "neurons, 50 %": without_neurons(wide, (512, 512)),
}
raw, zipped = {}, {}
with tempfile.TemporaryDirectory() as folder:
    for i, (label, some) in enumerate(models.items()):
        path = Path(folder) / f"{i}.weights.h5"
        some.save_weights(path)
        raw[label] = path.stat().st_size
        zipped[label] = len(gzip.compress(path.read_bytes(), compresslevel=6))

# %% tags=["nbval-ignore-output"]
for label in models:
    print(
        f"{label:18} {raw[label] / raw['dense']:4.0%} of the bytes,"
        f" {zipped[label] / raw['dense']:4.0%} after gzip"
    )

# %%
for label in ("connections, 50 %", "2:4", "connections, 90 %"):
    assert raw[label] == raw["dense"]
    assert zipped[label] < 0.7 * raw["dense"]
assert zipped["dense"] > 0.85 * raw["dense"]
assert zipped["connections, 90 %"] < 0.25 * raw["dense"]
assert raw["neurons, 50 %"] < 0.3 * raw["dense"]
print("zeros: not a byte less in the file; half of them, 30 % less or better after gzip")
print("half the neurons: 70 % less, with no compressor")

# %% [markdown]
# **A pruned file is not smaller until it is compressed.** In memory it is not even then: what is loaded into dense
# arrays is unpacked. Removing half of the neurons of two layers leaves a little more than a quarter of the bytes, with
# no compressor at all.
#
# TFLite can do the packing itself, with an option that it calls experimental: a kernel of many zeros is stored without
# them, and an operator `DENSIFY` unpacks it before it is used. *How large is the file of 90 % zeros then? And the
# outputs?*

# %%
packed_file = tflite.convert(models["connections, 90 %"], sparse=True)
plain_file = tflite.convert(models["connections, 90 %"])
packed_run, plain_run = tflite.interpreter(packed_file), tflite.interpreter(plain_file)
same = np.abs(tflite.run(packed_run, data.test.x) - tflite.run(plain_run, data.test.x)).max()
operators = [operator["op_name"] for operator in packed_run._get_ops_details()]
assert len(packed_file) < 0.25 * len(plain_file)
assert same < 1e-3
print(
    "a .tflite file with the zeros left out: less than a quarter of the bytes, the same outputs"
)
print(", ".join(operators))

# %% [markdown]
# 2:4 has a format of its own: two values of four, and two bits each to say where they stood. *How many bits for four
# fp16 weights instead of 64?*

# %%
dense_bits, sparse_bits = 4 * 16, 2 * 16 + 2 * 2
print(f"{sparse_bits} of {dense_bits} bits, {sparse_bits / dense_bits:.1%}")
assert sparse_bits / dense_bits == 0.5625

# %% [markdown]
# ### 4.3 Time: nothing until the matrices shrink
#
# The same five models, one image and 256 at a time. *Which is faster?*


# %%
def latency(model, x):
    graph, x = tf.function(model), tf.constant(x)
    return lambda: [graph(x).numpy() for _ in range(5)]


times = {
    size: side_by_side({k: latency(m, data.train.x[:size]) for k, m in models.items()}, 7)
    for size in (1, 256)
}

# %% tags=["nbval-ignore-output"]
for label in list(models)[1:]:
    text = ", ".join(f"batch {n}: {t.speedup(label, over='dense')}" for n, t in times.items())
    print(f"{label:18} times as fast as dense: {text}")

# %%
assert times[256].speedup("neurons, 50 %", over="dense").median > 1.2
assert times[256].speedup("connections, 90 %", over="dense").median < 2
print("at batch 256, half the neurons are faster; 90 % zeros bring nothing like ten times")

# %% [markdown]
# A dense kernel multiplies zeros as it multiplies anything else. At batch 1 most of the time may be the *call*, and then
# fewer neurons help little too.
#
# **F1: a training step.** The mask has to be applied after each update. Float32 and `mixed_bfloat16`. *Which is
# faster, a dense step or a masked one?*


# %%
x, y = tf.constant(data.train.x[:256]), tf.constant(data.train.y[:256])
sparse_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def training_step(hidden, policy, sparsity=None):
    keras.config.set_dtype_policy(policy)
    model = mlp(keras, hidden, seed=0, output_dtype="float32")
    keras.config.set_dtype_policy("float32")
    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9)
    optimizer.build(model.trainable_variables)
    pairs = []
    if sparsity is not None:
        kernels = [layer.kernel for layer in model.layers]
        pairs = [(k, tf.constant(magnitude_mask(k, sparsity), tf.float32)) for k in kernels]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = sparse_loss(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        for kernel, mask in pairs:
            kernel.assign(tf.convert_to_tensor(kernel) * mask)
        return loss

    return lambda: step().numpy()


steps = {}
for policy in ("float32", "mixed_bfloat16"):
    steps[f"{policy}, dense"] = training_step((1024, 1024), policy)
    steps[f"{policy}, 90 % masked"] = training_step((1024, 1024), policy, 0.9)
    steps[f"{policy}, half the neurons"] = training_step((512, 512), policy)
step_times = side_by_side(steps, 7)

# %% tags=["nbval-ignore-output"]
for label in steps:
    dense_step = f"{label.split(',')[0]}, dense"
    print(f"{label:33} {step_times.ratio(label, dense_step)} of the dense step")

# %%
for policy in ("float32", "mixed_bfloat16"):
    assert step_times.ratio(f"{policy}, 90 % masked", f"{policy}, dense").median > 0.5
    assert step_times.ratio(f"{policy}, half the neurons", f"{policy}, dense").median < 0.9
print("a masked step takes nothing like a tenth of a dense one; half the neurons do save time")

# %% [markdown]
# That settles F1. (Kernels that do skip zeros exist: sparse Tensor Cores for 2:4, XNNPACK's sparse inference for 1×1
# convolutions in networks of a certain form. A speed-up is a property of the kernel, not of the weights.)

# %% [markdown]
# ### 4.4 Networks with masks, and a trap
#
# All networks are trained side by side, as one stack of matrices. `hold` is all of pruning while training: after each
# update, the dropped weights are set back to 0.


# %%
class Networks:
    """Dense networks with masks, side by side: kernels (networks, inputs, units).

    Args:
        weights: for each network what `get_weights` gives.
        seeds: for each network the seed of its shuffling.
    """

    def __init__(self, weights, seeds):
        self.seeds = list(seeds)
        stacks = [np.stack(tensors) for tensors in zip(*weights, strict=True)]
        self.kernels = [keras.Variable(kernels) for kernels in stacks[::2]]
        self.biases = [keras.Variable(biases[:, np.newaxis]) for biases in stacks[1::2]]
        self.masks = [tf.Variable(tf.ones(kernels.shape)) for kernels in stacks[::2]]

    @property
    def variables(self):
        return self.kernels + self.biases

    def __call__(self, x):
        """The logits, (networks, images, classes); x is (images, inputs), or (networks, images, inputs)."""
        x = tf.broadcast_to(x, (len(self.seeds), *x.shape[-2:]))
        for layer, (w, b) in enumerate(zip(self.kernels, self.biases, strict=True)):
            x = tf.matmul(x, w) + b
            if layer < len(self.kernels) - 1:
                x = tf.nn.relu(x)
        return x

    def hold(self):
        for kernel, mask in zip(self.kernels, self.masks, strict=True):
            kernel.assign(tf.convert_to_tensor(kernel) * mask)

    def prune(self, masks):
        """New masks: for each network one a kernel."""
        for own, stack in zip(self.masks, zip(*masks, strict=True), strict=True):
            own.assign(np.stack(stack).astype(np.float32))
        self.hold()
        return self

    def weights(self):
        """For each network its weights, as `set_weights` takes them."""
        stacks = [
            stack
            for pair in zip(self.kernels, self.biases, strict=True)
            for stack in (pair[0].numpy(), pair[1].numpy()[:, 0])
        ]
        return [[stack[i] for stack in stacks] for i in range(len(self.seeds))]

    def sparsity(self):
        zeros = sum(np.sum(k.numpy() == 0, axis=(1, 2)) for k in self.kernels)
        return zeros / sum(k.shape[1] * k.shape[2] for k in self.kernels)


images, labels = tf.constant(data.train.x), tf.constant(data.train.y)
BATCH = 128


def batches(seeds, epoch):
    """Indices (networks, BATCH); networks with the same seed see the same images."""
    orders = {s: np.random.default_rng([s, epoch]).permutation(len(labels)) for s in set(seeds)}
    order = np.stack([orders[s] for s in seeds])
    for start in range(0, len(labels) - BATCH + 1, BATCH):
        yield tf.constant(order[:, start : start + BATCH])


def train(networks, epochs, before_step=lambda step: None, optimizer=None, held=True):
    """Train all networks; the losses are added up, so each trains as if it were alone."""
    optimizer = optimizer or keras.optimizers.Adam(2e-3)
    optimizer.build(networks.variables)

    @tf.function(jit_compile=len(networks.seeds) > 30)  # compiling pays for many networks
    def step(index):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.gather(labels, index), networks(tf.gather(images, index))
            )
            loss = tf.reduce_sum(tf.reduce_mean(losses, axis=1))
        gradients = tape.gradient(loss, [v.value for v in networks.variables])
        if not held:  # the trap: the gradient is masked, the variable is not
            layers = len(networks.masks)
            masked = zip(gradients[:layers], networks.masks, strict=True)
            gradients = [g * m for g, m in masked] + gradients[layers:]
        optimizer.apply(gradients, networks.variables)
        if held:
            networks.hold()

    order = (index for epoch in range(epochs) for index in batches(networks.seeds, epoch))
    for number, index in enumerate(order):
        before_step(number)
        step(index)
    return networks


def accuracy(networks, part=data.test):
    return np.mean(np.argmax(networks(tf.constant(part.x)), axis=2) == part.y, axis=1)


def spread(values):
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


initial = [mlp(keras, HIDDEN, seed=seed).get_weights() for seed in SEEDS]
dense = train(Networks(initial, SEEDS), epochs=2)
early = dense.weights()  # for 4.7
trained = train(dense, epochs=18).weights()
assert accuracy(dense).min() > 0.94
weight_count = sum(kernel.size for kernel in trained[0][::2])
print(f"five dense networks, each above 0.94; {weight_count:,} weights in their kernels")
assert weight_count == 64 * 256 + 256 * 128 + 128 * 10

# %% [markdown]
# The trap. "A dropped weight gets no gradient, so it stays 0." Take an optimizer with momentum (动量), train one epoch,
# prune to 90 %, train on. *How many zeros are left, if only the gradient is masked?*

# %%
zeros = {}
for held in (True, False):
    networks, sgd = Networks(trained, SEEDS), keras.optimizers.SGD(0.1, momentum=0.9)
    train(networks, epochs=1, optimizer=sgd)
    networks.prune([[magnitude_mask(w, 0.9) for w in some[::2]] for some in networks.weights()])
    train(networks, epochs=1, optimizer=sgd, held=held)
    zeros[held] = networks.sparsity()
print(
    "mask applied to the variable after each update: 90 % zeros:", (zeros[True] > 0.899).all()
)
print("mask applied to the gradient only: less than half zeros:  ", (zeros[False] < 0.5).all())
assert (zeros[True] > 0.899).all()
assert (zeros[False] < 0.5).all()

# %% [markdown]
# The velocity from before the pruning goes on moving the weights. So the mask belongs on the *variable*, after each
# update (and on the velocity too, if the weight is to come back later without an old push).

# %% [markdown]
# ### 4.5 Accuracy against sparsity, and four honest baselines
#
# All of these start from the trained networks and get the *same* 10 epochs: one-shot and gradual, global (at 98 % also
# per layer), a **random mask** (随机掩码), and the **dense** network. Beside them a **small dense network** (小型稠密网络)
# with no more weights than are left, trained *from scratch* for all 30 epochs. *At 90 %: how far apart will one-shot,
# gradual and the small network be?*
#
# Gradual uses the cubic schedule of Zhu and Gupta (2017):
#
# > s(t) = s_final + (s_start − s_final) · (1 − (t − t₀) / (t₁ − t₀))³

# %% tags=["nbval-ignore-output"]
STEPS = len(labels) // BATCH  # an epoch
EPOCHS = 10
RAMP = 7 * STEPS  # chosen on the validation images, among 3, 5 and 7 epochs
EVERY = 3  # steps from one mask to the next; with 9 the ramp was too coarse
t = np.linspace(0, EPOCHS * STEPS, 200)
with style():
    fig, ax = plt.subplots(figsize=(8, 3))
    ax.plot(t, [polynomial_sparsity(x, 0, RAMP, 0, 0.9) for x in t], label="gradual, power 3")
    linear = [polynomial_sparsity(x, 0, RAMP, 0, 0.9, power=1) for x in t]
    ax.plot(t, linear, ":", label="power 1")
    ax.step([0, 0, t[-1]], [0, 0.9, 0.9], "--", label="one-shot")
    ax.set(xlabel="step after dense training", ylabel="sparsity")
    ax.set_title("Cubic: much at first, while there is much to spare, then ever less")
    ax.legend()
    plt.show()

# %%
SPARSITIES = (0.5, 0.9, 0.98)
ARMS = ("one-shot, layer", "gradual, layer", "one-shot, global", "gradual, global", "random")
ROWS = [(arm, s) for arm in ARMS for s in SPARSITIES if s == 0.98 or "layer" not in arm]
ROWS.append(("dense", 0.0))


def choose(arm, kernels, sparsity, seed=0):
    """The masks of one network."""
    if arm == "random":
        draw = np.random.default_rng(seed).random
        return [magnitude_mask(draw(kernel.shape), sparsity) for kernel in kernels]
    if arm.endswith("global"):
        return global_masks(kernels, sparsity)
    return [magnitude_mask(kernel, sparsity) for kernel in kernels]


def retrained(rows):
    """Every row from each of the trained networks; its accuracies at once and after the epochs."""
    networks = Networks([w for _ in rows for w in trained], [s for _ in rows for s in SEEDS])
    chosen, at_once = [None] * len(networks.seeds), []

    def before_step(step):
        if step > RAMP or step % EVERY:
            return
        weights = networks.weights()
        for i, seed in enumerate(networks.seeds):
            arm, sparsity = rows[i // len(SEEDS)]
            if arm.startswith("gradual"):
                sparsity = polynomial_sparsity(step, 0, RAMP, 0, sparsity)
            if step == 0 or arm.startswith("gradual"):
                chosen[i] = choose(arm, weights[i][::2], sparsity, seed)
        networks.prune(chosen)
        if step == 0:
            at_once.append(accuracy(networks))

    train(networks, EPOCHS, before_step)
    found = (at_once[0], accuracy(networks), networks.sparsity())
    by_row = [dict(zip(rows, f.reshape(len(rows), -1), strict=True)) for f in found]
    return by_row


at_once, after, reached = retrained(ROWS)
assert all(np.abs(reached[row] - row[1]).max() < 1e-4 for row in ROWS)
print("every network has the sparsity that was asked for")

# %%
small = {}
for sparsity in SPARSITIES:
    # 64a + a·a/2 + 10·a/2 weights for the widths a and a/2
    width = int(np.sqrt(69**2 + 2 * weight_count * (1 - sparsity)) - 69)
    hidden = (width, width // 2)
    fresh = [mlp(keras, hidden, seed=seed).get_weights() for seed in SEEDS]
    assert sum(w.size for w in fresh[0][::2]) <= weight_count * (1 - sparsity)
    small[sparsity] = accuracy(train(Networks(fresh, SEEDS), 20 + EPOCHS))
    print(f"{sparsity:.0%}: the small dense network is 64-{hidden[0]}-{hidden[1]}-10")


# %% tags=["nbval-ignore-output"]
def line(results, arm):
    cells = [spread(results[arm, s]) if (arm, s) in results else "" for s in SPARSITIES]
    return f"{arm:17}" + "".join(f"{cell:>16}" for cell in cells)


print(f"{'':17}" + "".join(f"{s:>16.0%}" for s in SPARSITIES))
for arm in ("one-shot, layer", "one-shot, global"):
    print(line(at_once, arm), "at once")
for arm in ARMS:
    print(line(after, arm))
print(f"{'small, scratch':17}" + "".join(f"{spread(small[s]):>16}" for s in SPARSITIES))
print("dense, the same 10 epochs:", spread(after["dense", 0.0]))

# %% tags=["nbval-ignore-output"]
shown = {arm: [after[arm, s] for s in SPARSITIES] for arm in ARMS if "layer" not in arm}
shown["small dense, from scratch"] = [small[s] for s in SPARSITIES]
with style():
    fig, ax = plt.subplots()
    at = np.arange(len(SPARSITIES))
    for i, (label, values) in enumerate(shown.items()):
        means, deviations = (
            [f(v) for v in values] for f in (np.mean, lambda v: np.std(v, ddof=1))
        )
        ax.errorbar(
            at + 0.06 * (i - 2),
            means,
            deviations,
            fmt="osv^D"[i],
            ls=":",
            capsize=3,
            label=label,
        )
    ax.axhline(after["dense", 0.0].mean(), color="black", lw=1, label="dense, same epochs")
    ax.set(xlabel="sparsity", ylabel="test accuracy, mean ± std of five seeds", xticks=at)
    ax.set_xticklabels([f"{s:.0%}" for s in SPARSITIES])
    ax.set_title("Half the weights cost nothing; a small dense network keeps up")
    ax.legend(loc="lower left")
    plt.show()

# %%
mean = {row: values.mean() for row, values in after.items()}
reference = mean["dense", 0.0]
for arm in ARMS[2:4]:
    assert abs(mean[arm, 0.5] - reference) < 0.015  # F2: no gain, no loss
for arm in ("one-shot, global", "gradual, global"):
    assert mean[arm, 0.9] > reference - 0.035
    assert mean[arm, 0.9] > mean["random", 0.9] + 0.02
    assert mean[arm, 0.98] > mean["random", 0.98] + 0.2
    assert mean[arm, 0.98] < reference - 0.05
assert at_once["one-shot, global", 0.98].mean() < mean["one-shot, global", 0.98] - 0.2
print("50 %: within 1.5 points of dense with the same training, above or below (F2)")
print("90 % global: at most 3.5 points; a random mask 2 points or more behind it")
print("98 %: magnitude beats random by 20 points or more, and loses 5 or more to dense;")
print("without the 10 epochs one-shot is 20 points or more worse still")

# %% tags=["nbval-ignore-output"]
for arm in ("one-shot, global", "gradual, global"):
    ahead = 100 * (after[arm, 0.5] - after["dense", 0.0])
    print(f"50%: {arm} − dense, seed by seed: {np.round(ahead, 1)} points")

# %% [markdown]
# **F2.** Half the weights can go for nothing, and that is all. One image of the test is a quarter of a point: seed by seed
# the pruned networks are a few images ahead of the dense one, if at all. (Set `EPOCHS = 20`, for all of them, and look
# again before you believe it.) Without the dense network nobody could tell a merit of pruning from one of the 10 epochs.
#
# **The small dense network.** *Is it ahead or behind, at each sparsity?*

# %% tags=["nbval-ignore-output"]
best = {s: max((after[a, s] for a in ARMS if (a, s) in after), key=np.mean) for s in SPARSITIES}
for s in SPARSITIES:
    print(
        f"{s:.0%}: best pruned − small dense: {100 * (best[s].mean() - small[s].mean()):+.1f} points"
    )
for s in SPARSITIES:
    gap = after["gradual, global", s] - after["one-shot, global", s]
    print(f"{s:.0%}: gradual − one-shot, global, seed by seed: {np.round(100 * gap, 1)} points")
gap = after["gradual, layer", 0.98] - after["one-shot, layer", 0.98]
print(f"98%: gradual − one-shot, per layer, seed by seed: {np.round(100 * gap, 1)} points")

# %%
for s in (0.5, 0.9):
    assert abs(best[s].mean() - small[s].mean()) < 0.03
assert small[0.98].mean() > best[0.98].mean() + 0.03
print("at 50 % and 90 % the best pruned and the small dense network are within 3 points;")
print("at 98 % the small dense network is ahead by more than 3 points, after these 10 epochs")
for s in (0.5, 0.9):
    assert abs(mean["gradual, global", s] - mean["one-shot, global", s]) < 0.015
print("gradual and one-shot, global: within 1.5 points at 50 % and 90 %")

# %% [markdown]
# The small dense network has the same number of weights, needs no index, no mask and no special kernel, and runs fast
# everywhere. Liu et al. (2019) report the like for structured pruning; Zhu and Gupta (2017) find large sparse models
# *better* than small dense ones with the same memory, on large CNNs and LSTMs. So it depends on the task: train both.
#
# (At 98 % ten epochs are too few: 4.7 trains the mask of one-shot, global for twenty.)
#
# **Gradual against one-shot.** With the same fine-tuning, one cut does as well as many up to 90 %. At 98 %, where one
# cut is hard to heal, the seeds differ by more than the two methods do: five of them do not settle it. The settings
# matter as much as the method: on the validation images, a ramp of 3 epochs was *behind* one-shot. (Try 15 epochs with
# a ramp of 9.)

# %% [markdown]
# ### 4.6 Global against per layer, and sensitivity
#
# Per layer, every kernel loses the same share. Globally the ranking decides. *Which of the three kernels will a global
# 95 % spare most: 64×256, 256×128, 128×10?*

# %%
own = np.array(
    [[1 - m.mean() for m in global_masks(w[::2], 0.95)] for w in trained]
)  # (seeds, layers)
layer_names = ("hidden_1", "hidden_2", "logits")
shapes = [w.shape for w in trained[0][::2]]
assert (own[:, 2] < own[:, :2].min(axis=1) - 0.1).all()
print("in every seed: logits, the smallest kernel, is spared most, by more than 10 points")

# %% tags=["nbval-ignore-output"]
for name, shape, values in zip(layer_names, shapes, own.T, strict=True):
    print(f"{name:9} {shape}: {values.min():.0%} to {values.max():.0%} removed")

# %% [markdown]
# **Sensitivity** (敏感度): prune one layer at a time, train nothing, look at the accuracy on validation.

# %%
GRID = (0.5, 0.7, 0.8, 0.9, 0.95)
cases = [(layer, sparsity) for layer in range(3) for sparsity in GRID]
networks = Networks([w for _ in cases for w in trained], [s for _ in cases for s in SEEDS])
networks.prune(
    [
        [magnitude_mask(k, sparsity if i == layer else 0) for i, k in enumerate(w[::2])]
        for layer, sparsity in cases
        for w in trained
    ]
)
sensitivity = accuracy(networks, data.validation).reshape(3, len(GRID), len(SEEDS))

# %% tags=["nbval-ignore-output"]
with style():
    fig, ax = plt.subplots()
    for name, values, look in zip(layer_names, sensitivity, ("o-", "s--", "^:"), strict=True):
        ax.errorbar(
            GRID,
            values.mean(axis=1),
            values.std(axis=1, ddof=1),
            fmt=look,
            capsize=3,
            label=name,
        )
    ax.set(xlabel="sparsity of this layer only", ylabel="validation accuracy, no fine-tuning")
    ax.set_title("The last layer suffers first")
    ax.legend(loc="lower left")
    plt.show()

# %%
assert (sensitivity[:, 0].mean(axis=1) > sensitivity[:, -1].mean(axis=1)).all()
at_90 = sensitivity[:, GRID.index(0.9)].mean(axis=1)
assert at_90[2] < min(at_90[:2]) - 0.05
assert mean["one-shot, global", 0.98] > mean["one-shot, layer", 0.98] + 0.1
print("at 98 %, one-shot, global beats per layer by more than 10 points")

# %% [markdown]
# A global ranking compares magnitudes of *different* layers, which need not have one unit. Batch normalization, for
# one, makes the size of a kernel meaningless. Then scale, or set a sparsity a layer by its sensitivity. And look: a
# global mask can empty a layer.

# %% [markdown]
# **Try it.** The first of the five networks under a mask, not retrained; the accuracy is that on the test images. *Half
# of the connections, two of every four, half of the neurons: which costs most?* Then 95 % per layer and global: look at
# `logits`. A click on a column prunes its neuron, or brings it back, with all its weights.

# %% tags=["nbval-ignore-output"]
pairs_of_weights = zip(trained[0][::2], trained[0][1::2], strict=True)
explorer = PruningExplorer(
    dict(zip(layer_names, pairs_of_weights, strict=True)),
    lambda layers: accuracy(Networks([[w for pair in layers.values() for w in pair]], [0]))[0],
)
explorer

# %% [markdown]
# Python can move the controls too, and read what they give.

# %%
at_half = {}
for structure in ("neurons", "2:4", "connections"):
    explorer.structure, explorer.sparsity, explorer.by_hand = structure, 50, {}
    at_half[structure] = explorer.accuracy()
assert min(at_half["connections"], at_half["2:4"]) > at_half["neurons"] + 0.02
print("at 50 %, neurons lose 2 points or more to connections and to 2:4")

# %% [markdown]
# ### 4.7 Rewinding
#
# After pruning, which weights to train on from? The **final** ones (fine-tuning); those of an **early** epoch
# (回退, *weight rewinding*, Frankle et al., 2019); the **first** ones, before any training (the *lottery ticket*,
# 彩票假设, Frankle & Carbin, 2019); or **new** random ones under the same mask. What we measure, exactly: *one* global mask
# of 98 % a network, from the weights after 20 epochs, and training with the same constant rate from each of the four,
# for 10 epochs and on to 20, which is as long as the network itself was trained. (The papers prune mostly *iteratively*,
# in many rounds, and rewind the learning rate's schedule too.) *Which comes last?*

# %%
starts = {
    "final weights": trained,
    "rewound to epoch 2": early,
    "rewound to epoch 0": initial,
    "new random weights": [mlp(keras, HIDDEN, seed=100 + s).get_weights() for s in SEEDS],
}
networks = Networks([w for some in starts.values() for w in some], [*SEEDS] * len(starts))
networks.prune([global_masks(w[::2], 0.98) for w in trained] * len(starts))
halfway = []


def look(step):
    if step == 10 * STEPS:
        halfway.append(accuracy(networks))


at_the_end = accuracy(train(networks, 20, look))
rewound = {
    epochs: dict(zip(starts, found.reshape(len(starts), -1), strict=True))
    for epochs, found in ((10, halfway[0]), (20, at_the_end))
}

# %% tags=["nbval-ignore-output"]
print(f"{'':19}{'10 epochs':>15}{'20 epochs':>16}")
for start in starts:
    print(f"{start:19}" + "".join(f"{spread(found[start]):>16}" for found in rewound.values()))

# %%
for epochs, found in rewound.items():
    means = {start: values.mean() for start, values in found.items()}
    new = means.pop("new random weights")
    assert min(means.values()) > new + 0.05
    assert max(means, key=means.get) == "final weights"
    print(
        f"{epochs} epochs: final weights come first, new random ones last, by 5 points or more"
    )
assert all(rewound[20][s].mean() > rewound[10][s].mean() + 0.05 for s in starts)
print("and from every start ten epochs more are worth 5 points or more")

# %% [markdown]
# The mask alone is not the whole of it: the same mask is worth more with the weights that it was made from, even with
# those from before any training. Rewinding gains nothing over fine-tuning for as long here; Renda et al. (2020) find a gain, on
# larger networks and against fine-tuning at a *small* rate.

# %% [markdown]
# ### 4.8 Neurons, against the same small network from scratch
#
# 256-128 cut to 64-32, the units with the highest scores against units drawn at random, and the same small network
# from scratch with as many epochs in all. *After 10 epochs, which is best?*

# %%
draw = np.random.default_rng(0)
structured = {
    "highest scores": [strongest_units(w, (64, 32))[0] for w in trained],
    "random units": [
        strongest_units(w, (64, 32), lambda w, b, out: draw.random(len(b)))[0] for w in trained
    ],
    "from scratch": [mlp(keras, (64, 32), seed=s).get_weights() for s in SEEDS],
}
cut_results = {}
for label, weights in structured.items():
    networks = Networks(weights, SEEDS)
    first = accuracy(networks)
    epochs = EPOCHS if label != "from scratch" else 20 + EPOCHS
    cut_results[label] = first, accuracy(train(networks, epochs))

# %% tags=["nbval-ignore-output"]
for label, (first, last) in cut_results.items():
    print(f"{label:15} at once {spread(first)}, trained {spread(last)}")

# %%
final = {label: last.mean() for label, (_, last) in cut_results.items()}
for label in ("highest scores", "random units"):
    assert cut_results[label][0].mean() < reference - 0.15
assert max(final.values()) - min(final.values()) < 0.04
print("at once both lose 15 points or more; after training all three are within 4 points")

# %% [markdown]
# Removing three quarters of the units is a heavy blow whichever they are, and training heals most of it whichever they
# were. With training, structured pruning here is a way to *get* a small network, and the one from scratch is another.

# %% [markdown]
# ### 4.9 The library: TFMOT
#
# `prune_low_magnitude` wraps each layer, for **tf_keras** (Keras 2) models only. Two things are easily forgotten. *What
# happens without the callback, and how many variables has the wrapped model?*

# %%
os.environ.pop("TF_USE_LEGACY_KERAS", None)  # whatever ran before this notebook
import tensorflow_model_optimization as tfmot
import tf_keras

prune = tfmot.sparsity.keras
try:
    prune.prune_low_magnitude(mlp(keras))
except ValueError as complaint:
    print("Keras 3:", str(complaint)[:62], "…")
else:
    raise AssertionError("TFMOT takes Keras 3 models now")


def wrapped(**settings):
    model = mlp(tf_keras, HIDDEN)
    model.set_weights(trained[0])
    model = prune.prune_low_magnitude(model, **settings)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # So few steps take less time than building a graph.
    model.compile(tf_keras.optimizers.Adam(1e-3), loss, run_eagerly=True)
    return model


def fit(model, callbacks):
    """An epoch, 38 steps."""
    model.fit(*data.train, batch_size=32, verbose=0, callbacks=callbacks)
    return model


def zeros_of(model):
    """The share of zeros in the kernels, a layer a number."""
    kernels = [v for v in model.trainable_variables if "kernel" in v.name]
    return [float(np.mean(k.numpy() == 0)) for k in kernels]


cubic = prune.PolynomialDecay(0.0, 0.9, begin_step=0, end_step=30, frequency=5)
forgotten = wrapped(pruning_schedule=cubic)
try:
    fit(forgotten, callbacks=[])
except tf.errors.InvalidArgumentError as complaint:
    asks = "UpdatePruningStep callback" in str(complaint)
    print("without the callback: InvalidArgumentError, it asks for UpdatePruningStep:", asks)
else:
    raise AssertionError("it trains without the callback")

assert asks
pruned = fit(wrapped(pruning_schedule=cubic), [prune.UpdatePruningStep()])
stripped = prune.strip_pruning(pruned)
print(f"{len(pruned.variables)} variables wrapped, {len(stripped.variables)} stripped")
assert len(stripped.variables) == 6
assert len(pruned.variables) > 6 + 2 * 3
assert all(abs(z - 0.9) < 0.001 for z in zeros_of(stripped))
assert stripped.count_params() < 0.6 * pruned.count_params()
print("90 % zeros in each kernel; the wrapped model carries a mask as large as each kernel")

# %% [markdown]
# `strip_pruning` takes masks, thresholds and counters off; without it the file is *larger* than the dense one. The
# zeros stay, the shapes too. Biases are never pruned.
#
# **A trap: the schedule counts steps.** By default the masks are updated only at every 100th (`frequency=100`). *152
# steps in all, end_step=150, final sparsity 0.9: at which steps is there an update? And in a training of 38 steps?*

# %%
seldom = prune.PolynomialDecay(0.0, 0.9, begin_step=0, end_step=150)
updates = [step for step in range(1, 153) if seldom(step)[0]]  # the wrapper counts from 1
last = float(seldom(updates[-1])[1])
print(f"updates at {updates}; the last one asks for {last:.3f}")
assert abs(last - polynomial_sparsity(100, 0, 150, 0, 0.9)) < 1e-6
assert last < 0.87

short = prune.PolynomialDecay(0.0, 0.9, begin_step=0, end_step=38)
never = wrapped(pruning_schedule=short)
fit(never, [prune.UpdatePruningStep()])
print(f"38 steps with end_step=38: {max(zeros_of(never)):.0%} zeros")
assert max(zeros_of(never)) < 0.001

# %% [markdown]
# Step 150 is no multiple of 100, so the final sparsity never comes; and in a short training nothing is pruned at all,
# without a word. Set `frequency`, and look at the zeros before you report a sparsity.
#
# **2:4.** `sparsity_m_by_n=(2, 4)`, where the first number is the *zeros*. *Along which axis do the blocks lie, and
# what happens to the schedule's sparsity?*

# %%
constant = prune.ConstantSparsity(0.9, begin_step=1000)  # after the last step of this training
blocks = wrapped(pruning_schedule=constant, sparsity_m_by_n=(2, 4))
blocks = prune.strip_pruning(fit(blocks, [prune.UpdatePruningStep()]))


def is_2_of_4(nonzero, axis):
    blocks = np.moveaxis(nonzero, axis, -1)
    return blocks.shape[-1] % 4 == 0 and bool((blocks.reshape(-1, 4).sum(axis=1) <= 2).all())


for layer in blocks.layers:
    nonzero = layer.kernel.numpy() != 0
    along = [is_2_of_4(nonzero, axis) for axis in (0, 1)]
    print(
        f"{layer.name:9} {nonzero.mean():.0%} kept; 2:4 along inputs {along[0]}, outputs {along[1]}"
    )
    assert along == [True, False]
    assert abs(nonzero.mean() - 0.5) < 0.001

# %% [markdown]
# Along the inputs, the axis that a product sums over. The whole schedule was ignored, its 0.9 (two of four are a half) and
# its `begin_step`: the pattern is cut once, at the first step, trained weights or not. TensorFlow's ordinary kernels still compute a dense product; the pattern is for a runtime that reads it.

# %% [markdown]
# ### 4.10 The article's program
#
# A function of its kind: a pruned layer, put into the model, with a schedule. *How many of its three calls exist?*


# %%
def like_the_articles(model, pruning_percentage):
    schedule = keras.optimizers.schedules.PolynomialDecay(initial_rate=0.1, end_rate=0.0)
    layer = keras.layers.PrunableDense(128, pruning_params=schedule)
    return model.replace(layer)


calls = {
    "the schedule": lambda: keras.optimizers.schedules.PolynomialDecay(
        initial_rate=0.1, end_rate=0.0
    ),
    "the layer": lambda: keras.layers.PrunableDense(128),
    "replace": lambda: mlp(keras).replace(keras.layers.Dense(128)),
}
for label, call in calls.items():
    try:
        call()
    except (AttributeError, TypeError) as stop:
        print(f"{label:13} {type(stop).__name__}")
    else:
        raise AssertionError(f"{label} works")
program = ast.parse(inspect.getsource(like_the_articles))
read = {node.id for node in ast.walk(program) if isinstance(node, ast.Name)}
for parameter in inspect.signature(like_the_articles).parameters:
    print(f"{parameter:19} {'read' if parameter in read else 'never read'}")
assert "pruning_percentage" not in read

# %% [markdown]
# Keras's `PolynomialDecay` is for *learning rates*; TFMOT has one of the same name for sparsity. Nothing in the program
# ever updates a mask, either, and nothing strips. A function that really *removes connections or neurons* is the last
# task of the exercises.

# %% [markdown]
# ## 5. What the answer sounds like
#
# **Weak.** "Pruning sets the small weights to zero, so the model gets smaller and faster, and it even generalizes
# better." *Not smaller before compression, not faster on dense kernels; and better than what, after which training?*
#
# **Good.** "Unstructured pruning removes weights by magnitude, one-shot with fine-tuning or gradually with a cubic
# schedule; per layer or globally. It makes a file that compresses well. For speed on ordinary hardware I remove neurons
# or channels, so that the matrices shrink; 2:4 is for GPUs with sparse Tensor Cores. In TensorFlow: TFMOT's
# `prune_low_magnitude` with the `UpdatePruningStep` callback, then `strip_pruning`, then compress."
#
# **Senior.** The good answer, and: "I begin with what has to become smaller: download, memory, latency or energy; each
# needs another kind of pruning, and a runtime that uses it. I measure at the real batch size. I report accuracy over
# seeds beside the dense network with the same extra training, a random mask, and a small dense network of the same
# number of weights trained from scratch, which needs no special kernel and kept up on the digits. I check what was
# really reached: zeros in each kernel after `strip_pruning`, since an `end_step` that falls between two updates never
# gets its own, and a mask on the gradient does not hold under momentum. Global ranking first, with an eye on layers that it
# empties; sensitivity a layer where I doubt it. And I say what I measured when I say *rewinding*."

# %% [markdown]
# ## 6. Follow-ups
#
# **Why magnitude?** It is cheap and hard to beat. It assumes that all inputs of a weight are of like size. *A weight
# of 0.1 on inputs around 10, and one of 0.5 on inputs around 0.1: which one matters more?*

# %%
inputs, weights = np.array([10.0, 0.1]), np.array([0.1, 0.5])
dropped = int(np.abs(weights).argmin())
print(f"contributions {weights * inputs}; magnitude drops number {dropped + 1}")
assert dropped == np.abs(weights * inputs).argmax() == 0

# %% [markdown]
# Magnitude drops the one that matters more. So inputs should be scaled; other scores use the loss's gradient or
# curvature (LeCun et al., *Optimal Brain Damage*).
#
# **How much does the mask cost?** As bits, little: one for 32 of float32. *From which sparsity on does a bitmap pay for
# itself with int8 weights?*

# %%
break_even = (1 / 8) / 1  # bytes of mask an element, over bytes of a value
print(f"above {break_even:.1%} with int8, above {(1 / 8) / 4:.1%} with float32")
assert break_even == 0.125

# %% [markdown]
# **Should biases and batch normalization be pruned?** No: they are few, and each touches a whole unit.
#
# **May a pruned weight come back?** In our loop, hardly: it stands at 0 when the next ranking is made. In TFMOT it stands
# one update away from 0, and comes back where a single update exceeds the threshold, so with large learning rates.
# Methods that let weights grow back exist (*dynamic sparse training*, 动态稀疏训练).
#
# **First prune or first quantize?** Prune, fine-tune, then quantize: the mask should be chosen on exact magnitudes, and
# zero is on every grid of lesson 04, so the zeros stay. Lesson 07 measures both orders.
#
# **Does pruning make training cheaper?** Not with masks (4.3). Removing units early does, since the matrices shrink.

# %% [markdown]
# ## 7. Quiz
#
# Run the cell: eight questions. A wrong answer says why it is wrong.

# %% tags=["nbval-ignore-output"]
from jupyterquiz import display_quiz

from halfbits.questions import QUIZ_LOOK, quiz

display_quiz(quiz("06_pruning"), **QUIZ_LOOK)

# %% [markdown]
# ## 8. Seen in the wild
#
# - **The pruned file has the same size.** Weights take the same space whether they are zero or not; compress it.
#   [tensorflow/model-optimization #760](https://github.com/tensorflow/model-optimization/issues/760),
#   [#570](https://github.com/tensorflow/model-optimization/issues/570); the TFLite file too,
#   [#722](https://github.com/tensorflow/model-optimization/issues/722)
# - **It is even larger.** 12.5 MB before, 50 MB after. A mask beside each kernel doubles a file; saved with the
#   optimizer's slots it is four times as large. The maintainer's answer: call `strip_pruning`.
#   [#162](https://github.com/tensorflow/model-optimization/issues/162)
# - **It is no faster.** The request for sparse kernels in TFLite stands since 2019.
#   [#173](https://github.com/tensorflow/model-optimization/issues/173)
# - **It prunes only with small batches, or only with large data sets.** Two open reports; we found no answer to them.
#   Too few steps for `frequency` (4.9) would look like this: count your steps first.
#   [#973](https://github.com/tensorflow/model-optimization/issues/973),
#   [#975](https://github.com/tensorflow/model-optimization/issues/975)
# - **The wrong Keras.** "can only prune an object of the following types", as for a model of Keras 3. The official guide
#   failed with it.
#   [tensorflow/tensorflow #62929](https://github.com/tensorflow/tensorflow/issues/62929),
#   [tensorflow/model-optimization #1141](https://github.com/tensorflow/model-optimization/issues/1141)
# - **A training loop of one's own** has to call the callback itself: `set_model`, `on_train_begin`, `on_epoch_end` (and
#   `on_train_batch_begin`, which does nothing in 0.8.1).
#   [#271](https://github.com/tensorflow/model-optimization/issues/271)

# %% [markdown]
# ## 9. References
#
# - M. Zhu, S. Gupta, *To prune, or not to prune: exploring the efficacy of pruning for model compression*, 2017,
#   [arXiv:1710.01878](https://arxiv.org/abs/1710.01878): the cubic schedule; large-sparse against small-dense.
# - Y. LeCun, J. Denker, S. Solla, *Optimal Brain Damage*, NIPS 1989,
#   [abstract](https://papers.neurips.cc/paper/1989/hash/6c9882bbac1c7093bd25041881277658-Abstract.html): a score from
#   second derivatives of the loss.
# - S. Han et al., *Learning both Weights and Connections for Efficient Neural Networks*, NIPS 2015,
#   [arXiv:1506.02626](https://arxiv.org/abs/1506.02626): train, prune, train again.
# - Z. Liu et al., *Rethinking the Value of Network Pruning*, ICLR 2019,
#   [arXiv:1810.05270](https://arxiv.org/abs/1810.05270): the small network from scratch.
# - J. Frankle, M. Carbin, *The Lottery Ticket Hypothesis*, ICLR 2019,
#   [arXiv:1803.03635](https://arxiv.org/abs/1803.03635); J. Frankle et al., *Stabilizing the Lottery Ticket Hypothesis*,
#   2019, [arXiv:1903.01611](https://arxiv.org/abs/1903.01611): rewinding to an early step.
# - A. Renda, J. Frankle, M. Carbin, *Comparing Rewinding and Fine-tuning in Neural Network Pruning*, ICLR 2020,
#   [arXiv:2003.02389](https://arxiv.org/abs/2003.02389).
# - A. Mishra et al., *Accelerating Sparse Deep Neural Networks*, 2021,
#   [arXiv:2104.08378](https://arxiv.org/abs/2104.08378): 2:4.
# - TFMOT, [prune_low_magnitude](https://www.tensorflow.org/model_optimization/api_docs/python/tfmot/sparsity/keras/prune_low_magnitude),
#   [2:4](https://www.tensorflow.org/model_optimization/guide/pruning/pruning_with_sparsity_2_by_4),
#   [sparse inference with XNNPACK](https://www.tensorflow.org/model_optimization/guide/pruning/pruning_for_on_device_inference).
#   The source that this lesson was checked against is version 0.8.1.
#
# **Next:** build the parts yourself, [exercises/04_pruning](../exercises/04_pruning.ipynb), and put all three techniques
# together: [lesson 07](07_putting_it_together.ipynb).
