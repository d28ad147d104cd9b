# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # 01 · Why mixed precision
#
# After this lesson you can say what is mixed in mixed precision and what is not, add up the bytes of a training run
# before you start it, and predict from the hardware whether 16 bits will be faster. It takes about 40 minutes; all
# cells together run for about a minute on two cores.
#
# ## 1. The question
#
# > *What is mixed-precision training, and what are its advantages?*
#
# Nearly everybody begins with "half the memory, twice the speed". Both halves of that sentence are false in general,
# and the follow-up question is always the same: *when?*

# %% [markdown]
# ## 2. The answer in 60 seconds
#
# In **mixed precision** (混合精度) a layer *computes* in a 16-bit format, fp16 or bf16, and *keeps* its weights in fp32.
# In each step the weights are cast to a 16-bit working copy; products and activations are 16 bits wide; the gradients
# are computed in 16 bits and handed on as fp32; the optimizer's state and the update are fp32. What needs digits or
# range stays fp32: Keras sees to it in batch, layer, group and RMS normalization, in the loss objects, and in the softmax
# of `MultiHeadAttention` (not with dropout, and not in the plain `Attention` layer: there it is 16 bits wide); a softmax
# at the end of the model you set yourself. With fp16, small gradients fall to zero, so the loss is multiplied by a large
# factor first and the gradients divided by it afterwards (**loss scaling**, 损失缩放); bf16 has fp32's range and needs none.
#
# What you get for it:
#
# - **Memory.** The activations that layers pass on halve; what normalization and softmax keep in fp32 does not. Weights,
#   gradients and optimizer state do not, and the working copy comes on top. So a large batch may gain nearly half, and a
#   small one can cost memory.
# - **Compute.** The number of operations stays the same. Products get faster where the hardware has units for the format;
#   operations that wait for memory can too, since they move half the bytes. Steps that are all overhead, in narrow layers
#   or behind a slow input, do not. TensorFlow's guide says that it can bring more than 3 times on modern GPUs,
#   more than 2 times on the latest Intel CPUs, 60 % on TPUs.
# - **Storage.** A checkpoint is at least as large as before, unless you cast it.
# - **Training efficiency.** About the same accuracy after the same number of steps. So it is the step time, and the
#   larger batch that fits.

# %% [markdown]
# ## 3. What the source article says
#
# Five claims, in our words, and what the cells below will show:
#
# - **A1.** Some or all parameters and intermediate results become fp16 "or the even smaller bf16". **Wrong twice.**
#   Both are 16 bits wide, and the parameters stay fp32: that is the mixture (4.1).
# - **A2.** Memory falls, since everything takes half. **Half-true**: most activations do (4.2).
# - **A3.** The computational complexity is lower. **The wrong word.** The same operations are carried out, and a few
#   casts more (4.3).
# - **A4.** Storage costs fall. **Not by themselves**, and a `mixed_float16` checkpoint even grows (4.5).
# - **A5.** Training becomes faster. **It depends** on hardware and layer width, and can be predicted (4.4, 4.6).

# %% [markdown]
# ## 4. Evidence

# %%
from halfbits.quiet import import_tensorflow

import_tensorflow()  # without the lines that TensorFlow writes when it starts

import io
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import ml_dtypes  # gives NumPy the type ml_dtypes.bfloat16
import numpy as np
import tensorflow as tf

from halfbits import hardware
from halfbits.data import digits
from halfbits.measure import side_by_side
from halfbits.models import mlp
from halfbits.plots import COLOURS, LINES, style

POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float16")
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def build(policy, hidden=(64, 64), inputs=64):
    """An MLP under a policy; a last layer without weights brings its logits to fp32."""
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        model = mlp(keras, hidden=hidden, inputs=inputs, seed=0)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    model.add(keras.layers.Activation("linear", dtype="float32", name="output"))
    # compile switches loss scaling on under mixed_float16. On a machine with a GPU Keras would compile with XLA, which
    # fuses casts away: off, so that every machine runs the same graph.
    model.compile(keras.optimizers.Adam(1e-3), cross_entropy, jit_compile=False)
    return model


# %% [markdown]
# ### 4.1 What is mixed
#
# One dense layer under four policies, the last of them *pure* fp16. *Predict: which column is 16 bits wide in all three
# 16-bit policies?*

# %%
x = tf.random.stateless_normal((8, 64), seed=(0, 0))
print(f"{'policy':15} {'weights':9} {'result':9} {'gradient':9} {'slots':9}")
dtypes = {}
for policy in POLICIES:
    layer = keras.layers.Dense(4, dtype=policy)
    with tf.GradientTape() as tape:
        result = layer(x)
        loss = tf.reduce_sum(tf.cast(result, tf.float32))
    gradient = tape.gradient(loss, layer.kernel.value)
    optimizer = keras.optimizers.Adam()
    optimizer.build(layer.trainable_variables)
    slot = optimizer.variables[-1]
    dtypes[policy] = (layer.kernel.dtype, result.dtype.name, gradient.dtype.name, slot.dtype)
    print(f"{policy:15} " + " ".join(f"{dtype:9}" for dtype in dtypes[policy]))

assert dtypes["mixed_float16"] == ("float32", "float16", "float32", "float32")
assert dtypes["mixed_bfloat16"] == ("float32", "bfloat16", "float32", "float32")
assert set(dtypes["float16"]) == {"float16"}
assert np.dtype(np.float16).itemsize == np.dtype(ml_dtypes.bfloat16).itemsize == 2  # A1

# %% [markdown]
# What a layer *computes* is 16 bits wide. The weights and the optimizer's slots (优化器槽位; Adam keeps two numbers for
# each weight) are fp32. And the gradients? They have fp32's width. *Have they its digits and its range?* A loss whose
# gradient is 10⁻⁸, which fp16 does not have:

# %%
for policy in ("float32", "mixed_float16", "mixed_bfloat16"):
    layer = keras.layers.Dense(1, use_bias=False, dtype=policy)
    layer.build((None, 1))
    with tf.GradientTape() as tape:
        loss = 1e-8 * tf.cast(layer(tf.ones((1, 1)))[0, 0], tf.float32)
    gradient = tape.gradient(loss, layer.kernel.value)
    print(f"{policy:15} {gradient.dtype.name} {float(gradient[0, 0]):.4g}")
    assert (float(gradient[0, 0]) == 0) == (policy == "mixed_float16")

# %% [markdown]
# They come out of a 16-bit product and are cast: fp32's width, 16-bit's digits and range. In fp16 the small ones are zero
# before the cast; that is what loss scaling is for ([lesson 03](03_mixed_precision_in_tensorflow.ipynb)). Pure fp16 is
# another thing, and 4.6 shows why fp16 alone is not trained in.

# %% [markdown]
# ### 4.2 Where the bytes are
#
# The **activations** (激活值) are what the forward pass has to keep until the backward pass reads it. We need not guess
# what that is. TensorFlow traces a step into a graph, first the forward operations, then those of the gradients. A
# tensor that the first part makes and the second part reads has to be kept:


# %%
def trace(model, batch):
    """The operations of the forward pass of one step, those of its gradients, and the gradients."""
    forward_count = []

    @tf.function(autograph=False)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = cross_entropy(y, model(x, training=True))
        forward_count.append(len(x.graph.get_operations()))
        return tape.gradient(loss, model.trainable_variables)

    x, y = tf.TensorSpec((batch, model.input_shape[1])), tf.TensorSpec((batch,), tf.int32)
    graph = step.get_concrete_function(x, y).graph
    operations, count = graph.get_operations(), forward_count[0]
    return operations[:count], operations[count:], graph.outputs


def kept_for_backward(forward, backward):
    """The tensors that the forward pass makes and the backward pass reads."""
    read = {tensor.ref() for op in backward for tensor in op.inputs}
    return [tensor for op in forward for tensor in op.outputs if tensor.ref() in read]


model = build("mixed_bfloat16", hidden=(1024, 1024), inputs=784)
forward, backward, _ = trace(model, batch=128)
kept = kept_for_backward(forward, backward)
for tensor in (tensor for tensor in kept if tensor.shape.rank):  # and a scalar or two
    print(f"{tensor.op.type:36} {tensor.dtype.name:9} {tuple(tensor.shape)}")

# %% [markdown]
# Read it from top to bottom: the images, cast (the first kernel's gradient needs them); the first hidden layer; the
# *working copy* (工作副本) of the second kernel, which carries the gradient through that layer; the second hidden layer;
# the copy of the last kernel; what the loss keeps, in fp32. The first kernel's copy is missing: nobody asks for the
# gradient of the images.
#
# Now everything that takes memory, in bytes, for 784-1024-1024-10, Adam, and a batch of 128. *Predict: which of the
# four policies needs the most?*


# %%
def size(tensor):
    return int(np.prod(tensor.shape)) * tf.as_dtype(tensor.dtype).size


def is_weight(tensor):
    return tensor.op.type == "ReadVariableOp"


def is_copy(tensor):
    return tensor.op.type == "Cast" and is_weight(tensor.op.inputs[0])


def training_bytes(policy, batch, hidden=(1024, 1024), inputs=784):
    """What a training step keeps in memory, counted on the real objects."""
    model = build(policy, hidden, inputs)
    model.optimizer.build(model.trainable_variables)
    shapes = {tuple(v.shape) for v in model.trainable_variables}
    slots = {id(v): v for v in model.optimizer.variables if tuple(v.shape) in shapes}
    forward, backward, gradients = trace(model, batch)
    kept = kept_for_backward(forward, backward)
    return {
        "weights": sum(map(size, model.trainable_variables)),
        "working copy": sum(size(t) for t in kept if is_copy(t)),
        "gradients": sum(map(size, gradients)),
        "optimizer": sum(map(size, slots.values())),
        "activations": sum(size(t) for t in kept if not is_copy(t) and not is_weight(t)),
    }


PARTS = ("weights", "working copy", "gradients", "optimizer", "activations")
measured = {policy: training_bytes(policy, batch=128) for policy in POLICIES}
print(f"{'MB, batch 128':14}" + "".join(f"{policy:>15}" for policy in POLICIES))
for part in PARTS:
    print(f"{part:14}" + "".join(f"{measured[p][part] / 1e6:15.2f}" for p in POLICIES))
total = {policy: sum(parts.values()) for policy, parts in measured.items()}
print(f"{'total':14}" + "".join(f"{total[p] / 1e6:15.2f}" for p in POLICIES))

# %%
parameters = build("float32", (1024, 1024), 784).count_params()
fp32, mixed = measured["float32"], measured["mixed_bfloat16"]
assert mixed == measured["mixed_float16"]
assert fp32["weights"] == fp32["gradients"] == 4 * parameters
assert fp32["optimizer"] == 8 * parameters
assert all(mixed[part] == fp32[part] for part in ("weights", "gradients", "optimizer"))
assert mixed["working copy"] == 2 * (1024 * 1024 + 1024 * 10)
assert 0.5 < mixed["activations"] / fp32["activations"] < 0.51
assert total["mixed_bfloat16"] > total["float32"]
print(
    f"activations: {mixed['activations'] / fp32['activations']:.3f} of fp32's. "
    f"Everything: {total['mixed_bfloat16'] / total['float32']:.3f} of fp32's."
)

# %% [markdown]
# At a batch of 128 the sum is **larger** in mixed precision than in fp32: the working copy costs more than the halved
# activations save. (They are a hair above one half, since the loss keeps its own in fp32.)
#
# And one half is the best case, dense or convolutional layers with ReLU. *Put a batch normalization between them: what
# becomes of the half?*


# %%
def activation_bytes(policy, normalized):
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        model = keras.Sequential([keras.Input((784,)), keras.layers.Reshape((28, 28, 1))])
        for filters in (16, 32):
            model.add(keras.layers.Conv2D(filters, 3, use_bias=False))
            if normalized:
                model.add(keras.layers.BatchNormalization())
            model.add(keras.layers.ReLU())
        model.add(keras.layers.GlobalAveragePooling2D())
        model.add(keras.layers.Dense(10, dtype="float32"))
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    forward, backward, _ = trace(model, batch=8)
    kept = kept_for_backward(forward, backward)
    return sum(size(t) for t in kept if not is_copy(t) and not is_weight(t))


for normalized in (False, True):
    fp32_bytes, mixed_bytes = (
        activation_bytes(policy, normalized) for policy in ("float32", "mixed_bfloat16")
    )
    share = mixed_bytes / fp32_bytes
    print(f"{'with' if normalized else 'without'} batch normalization: {share:.2f} of fp32's")
    assert (0.6 < share < 0.9) == normalized
    assert normalized or 0.5 <= share < 0.6

# %% [markdown]
# Keras's normalization layers cast to fp32 inside, and the backward pass keeps the fp32 tensor.
#
# Only the activations grow with the batch. So the total is a straight line, and two batch sizes give it; a third checks
# it.


# %%
def line(policy):
    """Bytes that do not depend on the batch, and bytes an example."""
    one, two = (sum(training_bytes(policy, batch).values()) for batch in (32, 64))
    slope = (two - one) / 32
    return one - 32 * slope, slope


lines = {policy: line(policy) for policy in POLICIES}
for policy, (fixed, per_example) in lines.items():
    assert fixed + 128 * per_example == total[policy]
    print(f"{policy:15} {fixed / 1e6:6.2f} MB + {per_example / 1e3:5.2f} kB an example")

(fixed32, slope32), (fixed16, slope16) = lines["float32"], lines["mixed_bfloat16"]
break_even = (fixed16 - fixed32) / (slope32 - slope16)
print(f"mixed precision needs less than fp32 from a batch of {int(np.ceil(break_even))}")
assert 300 < break_even < 450

# %% tags=["nbval-ignore-output"]
batch = np.logspace(0, 5, 200)
with style():
    fig, ax = plt.subplots()
    for policy, name in (("mixed_bfloat16", "bf16"), ("float16", "fp16")):
        fixed, slope = lines[policy]
        share = (fixed + slope * batch) / (fixed32 + slope32 * batch)
        label = "mixed (fp16 or bf16)" if name == "bf16" else "pure fp16"
        ax.semilogx(batch, share, ls=LINES[name], color=COLOURS[name], label=label)
    ax.axhline(1, color=COLOURS["fp32"], lw=1, label="fp32")
    ax.plot(break_even, 1, "o", color="black")
    ax.annotate(
        f"batch {break_even:.0f}",
        (break_even, 1),
        xytext=(8, 8),
        textcoords="offset points",
    )
    ax.set(xlabel="batch size (examples)", ylabel="memory, as a share of fp32's", ylim=(0, 1.2))
    ax.set_title("Half the memory? Only where the activations are nearly all of it")
    ax.legend(loc="lower left")
    plt.show()

# %% [markdown]
# This network has few activations for its weights. In general the copy costs 2 bytes a weight, and each number that is
# kept in 16 bits saves 2: mixed precision gains where a batch keeps more of these than the network has weights. The
# networks of the first paper on it kept many, and its authors write that memory nearly halves. Exercise 7 of
# [exercises 02](../exercises/02_mixed_precision_training.ipynb) has you write the sum.
#
# (The sum takes all parts as if they were there at once: an upper bound. In truth activations and copies are freed while
# the gradients come, so that the line is crossed at a smaller batch. An allocator keeps more: buffers that are free
# again, and work space for the kernels. And with XLA, Keras's default on a GPU, casts may be fused and the copy need not
# exist. What a GPU really takes, you measure.)

# %% [markdown]
# ### 4.3 The same operations
#
# Two graphs, fp32 and bf16: the operations of a step, counted. *Which kinds of operation does mixed precision save?*


# %%
def multiplications(ops):
    """Of all matrix products: rows of the result times its columns times the length of a sum."""
    total = 0
    for op in ops:
        if op.type == "MatMul":
            rows, columns = op.outputs[0].shape
            length = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
            total += rows * columns * length
    return total


steps = {}
for policy in ("float32", "mixed_bfloat16"):
    forward, backward, _ = trace(build(policy, (1024, 1024), 784), batch=128)
    steps[policy] = ops = [*forward, *backward]
    kinds = {
        kind: sum(op.type == kind for op in ops) for kind in ("MatMul", "Relu", "ReluGrad")
    }
    print(f"{policy:15} {multiplications(ops):,} multiplications in products | {kinds}")
in_fp32, in_bf16 = steps.values()
assert multiplications(in_fp32) == multiplications(in_bf16) > 0
casts = [sum(op.type == "Cast" for op in ops) for ops in (in_fp32, in_bf16)]
assert casts[1] > casts[0]
print("casts: more of them in mixed precision")

# %% [markdown]
# None. The same products, and more casts. "Complexity" is a count of operations, and it did not move; what can move is
# the time that one of them takes.

# %% [markdown]
# ### 4.4 Faster? Ask the hardware first
#
# A 16-bit number is half as many bytes to move, and a unit that multiplies 16-bit numbers takes less silicon, so chips
# that have them have more of them. Where there are none, the numbers are converted to fp32 and back, and that costs. What is there on
# your machine?

# %% tags=["nbval-ignore-output"]
machine = hardware.describe()
gpus = [
    tf.config.experimental.get_device_details(d) for d in tf.config.list_physical_devices("GPU")
]
gpu = (
    hardware.Gpu(gpus[0].get("device_name", "GPU"), gpus[0].get("compute_capability"))
    if gpus
    else None
)
device = gpu.name if gpu else machine.cpu
support = hardware.gpu_support(gpu) if gpu else hardware.accelerated(machine)["CPU"]
print("TensorFlow computes on:", device)
for name in ("fp32", "fp16", "bf16"):
    print(f"  {name}: {support[name].answer:8} {support[name].reason}")

# %% [markdown]
# **Write your prediction down**: which of fp32, fp16 and bf16 trains a wide network fastest here? Then see what the
# course predicts from the hardware (and from whether TensorFlow may use oneDNN), before anything is timed:

# %% tags=["nbval-ignore-output"]
prediction = hardware.fastest_in_training(machine, gpu)
print("predicted:", " or ".join(prediction.formats) or "nothing", "|", prediction.reason)

# %% [markdown]
# Now the race. Two hidden layers, a batch of 128 (4,096 on a GPU), and plain SGD, whose update is cheap, so that the
# products decide.
# Each round times the three formats one after the other, and what counts is the median of the rounds' ratios: a machine
# that is busy with something else slows all three.


# %%
FORMATS = {"fp32": "float32", "bf16": "mixed_bfloat16", "fp16": "mixed_float16"}
WIDTHS = (256, 1024, 4096, 8192) if gpu else (64, 256, 1024, 2048)
BATCH = 4096 if gpu else 128  # less does not fill a GPU


def step_of(policy, width, batch=BATCH):
    """One training step, which returns when its loss is there."""
    model = build(policy, (width, width), width)
    model.compile(keras.optimizers.SGD(0.01), cross_entropy, jit_compile=False)
    random = np.random.default_rng(0)
    x = tf.constant(random.random((batch, width), np.float32))
    y = tf.constant(random.integers(0, 10, batch))
    steps = 3 if width < max(WIDTHS) else 1
    return lambda: [float(model.train_on_batch(x, y)) for _ in range(steps)]


# %% tags=["nbval-ignore-output"]
speedups = {"bf16": {}, "fp16": {}}  # by width
print(f"{'width':>6}" + "".join(f"{f'{name} against fp32':>26}" for name in speedups))
for width in WIDTHS:
    # Who needs 20 times as long need not run at the next width.
    left_out = [
        name
        for name, known in speedups.items()
        if any(ratio.median < 1 / 20 for ratio in known.values())
    ]
    runs = {name: step_of(FORMATS[name], width) for name in FORMATS if name not in left_out}
    times = side_by_side(runs, rounds=11)
    for name in speedups:
        if name in runs:
            speedups[name][width] = times.speedup(name, over="fp32")
    print(
        f"{width:6}" + "".join(f"{known.get(width, '–')!s:>26}" for known in speedups.values())
    )
print("(how many times faster: median, and the quartiles of 11 rounds)")

# %% [markdown]
# Above 1 is faster than fp32, below 1 slower. The prediction is held to it at the largest width at which a format ran:
# one that needs 20 times as long as fp32 is left out of the wider networks. What counts as clear is what the quartiles
# say: a format is clearly faster if its lower one is above 1.1, clearly slower if its upper one is below 0.9.

# %%
at_width = {name: known[max(known)] for name, known in speedups.items()}
faster = [name for name, ratio in at_width.items() if ratio.low > 1.1]
slower = [name for name, ratio in at_width.items() if ratio.high < 0.9]
if prediction.formats == ("fp32",):
    held = not faster
else:
    held = not prediction.formats or not set(prediction.formats) <= set(slower)
print("what was timed contradicts the prediction:", not held)
assert held or gpu  # for GPUs it was derived from tables, not measured

# %% tags=["nbval-ignore-output"]
with style():
    fig, ax = plt.subplots()
    for name in ("bf16", "fp16"):
        ratios = list(speedups[name].values())
        middle = [ratio.median for ratio in ratios]
        errors = [
            [ratio.median - ratio.low for ratio in ratios],
            [ratio.high - ratio.median for ratio in ratios],
        ]
        ax.errorbar(
            list(speedups[name]),
            middle,
            errors,
            ls=LINES[name],
            marker="o",
            capsize=3,
            color=COLOURS[name],
            label=f"mixed, {name}",
        )
    ax.axhline(1, color=COLOURS["fp32"], lw=1, label="fp32")
    ax.set_xscale("log", base=2)
    ax.set(
        xlabel="width of the hidden layers (units)", ylabel="speed against fp32", xticks=WIDTHS
    )
    ax.set_xticklabels(WIDTHS)
    ax.set_ylim(bottom=0)
    found = (
        f"{' and '.join(faster)} clearly faster"
        if faster
        else "no 16-bit format is clearly faster"
    )
    ax.set_title(f"At width {max(WIDTHS)}, on this machine: {found}")
    ax.legend()
    plt.show()

# %% [markdown]
# How it came out on three of our machines with two cores each: on a CPU with AVX512_BF16, bf16 was, from one run to
# another, 1.0 to 1.2 times as fast as fp32 at width 256 and 1.25 to 1.8 times at 1024; fp16 was slower at both. On one
# without 16-bit arithmetic (AVX2 only), fp16 was 0.75 to 0.95 times as fast, bf16 between 0.8 and about the same. And on
# one that *has* arithmetic in fp16 (AVX512_FP16), a step in fp16 took a hundred times as long as in fp32 at width 256:
# 0.5 s. A product alone was quick there. But TensorFlow makes one operation of a layer's product, bias and ReLU, and for
# that one, in fp16, its library oneDNN had nothing but its reference code, `ref:any`. With `TF_ENABLE_ONEDNN_OPTS=0`,
# so without oneDNN, the same step took 5 ms. A unit in the processor is not enough: the software has to use it.
#
# You can see which code runs: with `ONEDNN_VERBOSE=1` oneDNN prints a line for each thing it computes. Here are the
# lines of one training step in each format, on this machine, by what is computed, in which code, in which format. `jit`
# and `brg…` are code that oneDNN makes for the CPU that it finds, `ref` is the slow one, and an instruction set in the
# code's name is what it uses; `gemm_api` is a plain product.

# %% tags=["nbval-ignore-output"]
import os
import re
import subprocess
import sys

PROGRAM = """
from halfbits.quiet import import_tensorflow
import_tensorflow()
import keras, numpy as np
for policy in "float32", "mixed_bfloat16", "mixed_float16":
    keras.mixed_precision.set_dtype_policy(policy)
    layers = [keras.layers.Dense(256, activation="relu"), keras.layers.Dense(10, dtype="float32")]
    model = keras.Sequential([keras.Input((256,)), *layers])
    model.compile("sgd", "mse", jit_compile=False)
    print("policy", policy, flush=True)
    model.train_on_batch(np.ones((128, 256), "f4"), np.ones((128, 10), "f4"))
"""
command = [sys.executable, "-c", PROGRAM]
told = subprocess.run(
    command,
    env={**os.environ, "ONEDNN_VERBOSE": "1"},
    capture_output=True,
    text=True,
    check=True,
)
seen = {}  # by policy
for line in told.stdout.splitlines():
    if line.startswith("policy "):
        lines = seen.setdefault(line.split()[1], {})
    elif ",exec,cpu," in line and seen:  # before the first policy, TensorFlow starts
        what, code = line.split(",")[5:7]
        dtype = re.search(r"(?<=[_:])(bf16|f16|f32|s8|u8)(?=:)", line)
        lines[what, code, dtype[0] if dtype else "?"] = None
for policy, lines in seen.items():
    print(policy)
    for what, code, dtype in lines or [("nothing in oneDNN", "", "")]:
        print(f"  {what:20}{code:32}{dtype}")

# %% [markdown]
# On our CPU with AVX512_BF16 there was no `f16` in these lines, since it has no arithmetic in fp16: the numbers are
# converted, and the products are fp32's.
#
# Three things decide, in this order:
#
# 1. **The hardware.** Without units for the format products get no faster; where the numbers have to be converted, they
#    get slower.
# 2. **The size.** At width 64 a step is nearly all overhead: Python, starting kernels, casts. No format helps there.
# 3. **The mixture of operations.** If a part with the share *s* of the step becomes *r* times as fast, the step becomes
#    1 / (1 − s + s/r) times as fast (Amdahl's law). Let the products alone become twice as fast:

# %%
for share in (0.5, 0.8, 0.95):
    print(
        f"products are {share:.0%} of the step, and 2x as fast: {1 / (1 - share + share / 2):.2f}x"
    )
assert round(1 / (1 - 0.8 + 0.8 / 2), 2) == 1.67

# %% [markdown]
# The optimizer's update is a part that does not shrink: its numbers are fp32, whatever the policy. Operations between the
# products, such as a ReLU, wait for memory; on a GPU they gain too, through half the bytes.

# %% [markdown]
# ### 4.5 What is stored
#
# Train a 64-256-256-10 network on the digits in every policy and save it. *Predict: the file of which policy is the
# largest?*

# %%
data = digits()
x, y = data.train_and_validation


def train(policy, epochs=10):
    model = build(policy, (256, 256))
    keras.utils.set_random_seed(0)
    history = model.fit(x, y, epochs=epochs, batch_size=64, verbose=0)
    return model, history.history["loss"]


trained = {policy: train(policy) for policy in POLICIES}


def file_bytes(model):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return path.stat().st_size


stored = {policy: file_bytes(model) for policy, (model, _) in trained.items()}
weights = trained["float32"][0].count_params()
for policy, bytes_ in stored.items():
    print(f"{policy:15} {bytes_ / weights:5.1f} bytes a weight")
assert abs(stored["mixed_bfloat16"] / stored["float32"] - 1) < 0.01
assert stored["mixed_float16"] > 1.5 * stored["float32"]

# %% [markdown]
# About twelve bytes a weight: the weight and Adam's two slots, all fp32, with and without bf16. And `mixed_float16` is
# *larger*: the loss-scaling wrapper's state and that of the optimizer inside it are both saved, so the slots are there
# twice. The file is as narrow as the *variables* are, and mixed precision leaves them alone.
#
# To store half, drop the optimizer and cast. What does the cast cost?

# %%
model = trained["mixed_bfloat16"][0]
own = model.get_weights()


def npz_bytes(arrays):
    """The size of a file of these arrays. NumPy's files know no bfloat16: its bits are kept as uint16."""
    buffer = io.BytesIO()
    np.savez(
        buffer, *(a.view(np.uint16) if a.dtype == ml_dtypes.bfloat16 else a for a in arrays)
    )
    return buffer.tell()


def right(model):
    return int(np.sum(np.argmax(model.predict(data.test.x, verbose=0), axis=1) == data.test.y))


before = right(model)
print(f"float32  {npz_bytes(own) / weights:.2f} bytes a weight")
for dtype in (np.float16, ml_dtypes.bfloat16):
    cast = [array.astype(dtype) for array in own]
    model.set_weights([array.astype(np.float32) for array in cast])
    ratio, after = npz_bytes(cast) / npz_bytes(own), right(model)
    print(
        f"{np.dtype(dtype).name:8} {npz_bytes(cast) / weights:.2f} bytes a weight,",
        "as many right, within two images" if abs(after - before) <= 2 else f"{after} right",
    )
    assert 0.5 < ratio < 0.52
    assert abs(after - before) <= 2
model.set_weights(own)

# %% [markdown]
# For *using* this model 16-bit weights will do; test yours. Training can go on from them too, if they are loaded into fp32
# variables: one rounding is lost, and the slots that were dropped must build up again. What does not work is to *keep*
# the weights in 16 bits while training: small updates are rounded away ([lesson 02](02_number_formats.ipynb), 4.6).

# %% [markdown]
# ### 4.6 Does it train as well?
#
# The four runs from above, side by side. *One of them went wrong from the first epoch. Which, and why?*

# %% tags=["nbval-ignore-output"]
with style():
    fig, ax = plt.subplots()
    for policy, name in (
        ("float32", "fp32"),
        ("mixed_bfloat16", "bf16"),
        ("mixed_float16", "fp16"),
    ):
        ax.semilogy(
            range(1, 11), trained[policy][1], ls=LINES[name], color=COLOURS[name], label=policy
        )
    ax.set(xlabel="epoch", ylabel="training loss (nats)")
    ax.set_title("Three loss curves lie on one another; pure float16 is far off the chart")
    ax.legend()
    plt.show()
for policy, (model, losses) in trained.items():
    print(
        f"{policy:15} loss of the first epoch {losses[0]:8.3f}, of the last {losses[-1]:7.3f}; "
        f"test accuracy {right(model) / 397:.3f}"
    )

# %%
accuracy = {policy: right(model) / 397 for policy, (model, _) in trained.items()}
for policy in ("mixed_bfloat16", "mixed_float16"):
    assert abs(accuracy[policy] - accuracy["float32"]) < 0.02
first_losses = {policy: losses[0] for policy, (_, losses) in trained.items()}
assert not first_losses["float16"] < 20 * first_losses["float32"]  # NaN is not below it either

# %% [markdown]
# In pure fp16 the first epoch's loss is NaN, or hundreds to thousands; which of the two depends on the seed. Adam divides
# by √v + ε, and in each step v receives 0.001·g². Below a gradient of about 5·10⁻³ that is zero in fp16, and ε = 10⁻⁷ is
# all that is left below the line. Keras's own Adam, one step on one variable, with a gradient of 10⁻³:

# %%
step_lengths = {}
for dtype in ("float32", "float16"):
    variable = keras.Variable(0.0, dtype=dtype)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.apply([tf.constant(1e-3, dtype)], [variable])
    step_lengths[dtype] = -float(variable) / 1e-3
    print(f"{dtype}: the step is {step_lengths[dtype]:.3g} learning rates long")
assert 0.9 < step_lengths["float32"] < 1.1
assert step_lengths["float16"] > 100

# %% [markdown]
# The weights grow, and where something overflows, NaN follows. A larger ε would cure this network; fp32 slots cure it
# without a setting to find.
#
# Mixed precision came to the same place in as many steps. Training *efficiency* is then the step time of 4.4, and the
# memory of 4.2 where it lets a larger batch fit.

# %% [markdown]
# ## 5. What the answer sounds like
#
# **Weak.** "You train in fp16 instead of fp32. That halves the memory and doubles the speed." *What about the weights?
# Which memory? On what hardware?*
#
# **Good.** "Layers compute in fp16 or bf16 on fp32 master weights. Most activations halve; weights, gradients and
# optimizer state stay fp32, and there is a 16-bit copy of the weights on top. It is faster where there are units for
# the format, Tensor Cores or AMX for instance. With fp16 I need loss scaling. Accuracy is about the same in the
# published comparisons."
#
# **Senior.** The good answer, and: "So the gain in memory depends on the share of the activations, and on how many of them
# normalization keeps in fp32; I add it up before I promise it: with Adam 16 bytes a parameter in fp32, up to 18 with the
# copy. At small batches it costs memory. The FLOPs are the same; I look at the compute capability or the CPU's flags,
# predict, and then measure my own step, since narrow layers and a slow input gain nothing, and memory-bound operations at
# most the bytes they save. On recent NVIDIA GPUs I say whether the baseline is TF32. Checkpoints do not shrink; for
# serving I cast separately and test. And I compare accuracy at equal steps over several seeds before I switch a team
# over."

# %% [markdown]
# ## 6. Follow-ups
#
# **Why keep fp32 weights at all?** An update is often smaller than half the gap between two 16-bit numbers around the
# weight, and is then rounded away ([lesson 02](02_number_formats.ipynb), 4.6). Exercise 6 has you show it.
#
# **How many bytes a parameter with Adam?** fp32: 4 weight + 4 gradient + 8 slots = 16. Mixed, as Keras does it: up to 2
# more, for each weight whose copy is kept. Some libraries keep the gradients in 16 bits, and come to 16 again.

# %%
for policy in ("float32", "mixed_bfloat16"):
    bytes_ = sum(measured[policy][part] for part in PARTS[:-1]) / parameters
    print(f"{policy:15} {bytes_:.2f} bytes a parameter, without activations")
    assert bytes_ == 16 if policy == "float32" else 17 < bytes_ <= 18

# %% [markdown]
# **Is fp16 or bf16 the better choice?** bf16 where the hardware has it: no loss scaling, and overflow hardly anywhere
# but where fp32 overflows. fp16 has three more bits of mantissa and runs on older GPUs. [Lesson 02](02_number_formats.ipynb) has the layouts,
# [lesson 03](03_mixed_precision_in_tensorflow.ipynb) the training.
#
# **And TF32?** On NVIDIA GPUs from Ampere on, TensorFlow multiplies fp32 tensors in TF32 unless told otherwise: 10 bits
# of mantissa, fp32's range, 4 bytes in memory. A speed-up "against fp32" is one against TF32 there. Say which you mean.

# %%
print(
    "TF32 allowed (it takes effect on such GPUs):",
    tf.config.experimental.tensor_float_32_execution_enabled(),
)
assert tf.config.experimental.tensor_float_32_execution_enabled()

# %% [markdown]
# **Where does it not help?** Where the data loader is the bottleneck, where layers are narrow, and where the hardware has
# neither the units nor fast conversions. The optimizer's update stays fp32 and gains nothing; element-wise operations
# gain only through their bytes. And between machines the gradients travel in fp32, unless they are reduced in 16 bits
# (lesson 03, 4.9).

# %% [markdown]
# ## 7. Quiz
#
# Run the cell: eight questions. A wrong answer says why it is wrong.

# %% tags=["nbval-ignore-output"]
from jupyterquiz import display_quiz

from halfbits.questions import QUIZ_LOOK, quiz

display_quiz(quiz("01_why_mixed_precision"), **QUIZ_LOOK)

# %% [markdown]
# ## 8. Seen in the wild
#
# - **A third of the memory, three quarters of the speed.** A convolutional network on an RTX 2080 Ti fell from 3,787 MB
#   to 1,229 MB, and from 20 steps a second to 15. (More than a half, so it is not the formats alone: what is read off a
#   GPU includes work space and the allocator's reserve.)
#   [tensorflow/tensorflow #40397](https://github.com/tensorflow/tensorflow/issues/40397)
# - **Too small to gain.** 60,554 parameters, and sizes that are no multiples of 8: casts and padding outweigh the faster
#   products, says the answer.
#   [tensorflow/tensorflow #34406](https://github.com/tensorflow/tensorflow/issues/34406)
# - **A CPU without the instructions.** Training runs in fp16 and bf16 without an error, and much slower than in fp32;
#   in Intel's repository the answer is that native bf16 came with Cooper Lake, and AVX-512 instructions stand in before.
#   [tensorflow/tensorflow #42422](https://github.com/tensorflow/tensorflow/issues/42422),
#   [intel/ai-reference-models #64](https://github.com/intel/ai-reference-models/issues/64)
# - **A card of compute capability 7.5 without Tensor Cores.** A copy of the guide's example infers about four times as
#   slowly in `mixed_float16` on a GTX 1660 Ti, its user reports. (The capability alone does not tell: this is why the course predicts nothing for
#   7.5.) [tensorflow/tensorflow #44191](https://github.com/tensorflow/tensorflow/issues/44191)

# %% [markdown]
# ## 9. References
#
# - P. Micikevicius et al., *Mixed Precision Training*, ICLR 2018,
#   [arXiv:1710.03740](https://arxiv.org/abs/1710.03740): fp32 master weights, loss scaling, fp16 products with fp32
#   accumulation; accuracy like fp32's on the networks that they tried.
# - D. Kalamkar et al., *A Study of BFLOAT16 for Deep Learning Training*, 2019,
#   [arXiv:1905.12322](https://arxiv.org/abs/1905.12322).
# - S. Rajbhandari et al., *ZeRO: Memory Optimizations Toward Training Trillion Parameter Models*, 2020,
#   [arXiv:1910.02054](https://arxiv.org/abs/1910.02054): the bytes of mixed-precision training with Adam, 16 a parameter
#   with 16-bit gradients.
# - Keras 3, [Mixed precision policy API](https://keras.io/api/mixed_precision/policy/).
# - TensorFlow, [Mixed precision](https://www.tensorflow.org/guide/mixed_precision), section on supported hardware.
# - oneDNN, [Data types](https://uxlfoundation.github.io/oneDNN/dev_guide_data_types.html): which CPU computes in which
#   format.
#
# **Next:** the formats themselves, [02 · Number formats](02_number_formats.ipynb).
