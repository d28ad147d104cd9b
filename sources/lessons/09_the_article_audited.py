# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # 09 · The article, audited
#
# The Chinese article (文章) from which this course grew has been copied widely: six interview questions (面试题), short answers,
# three programs. You will meet its sentences again, in other people's answers and perhaps in an interviewer's notes. Here
# each of its claims (论断) stands in a sentence of ours, with a verdict (结论) and a cell that shows it. The lessons have the
# long versions.
#
# **How to use it.** Read a claim, say aloud what is right and what is wrong with it, then run the cell. Who can do that for
# all of them is ready.

# %% [markdown]
# ## 1. The verdicts
#
# | | the claim, in our words | verdict | long version |
# |---|---|---|---|
# | **A1** | some or all parameters and intermediates become fp16 or the even smaller bf16 | **wrong twice** | [01](01_why_mixed_precision.ipynb), 4.1 |
# | **A2** | memory (显存) falls, since parameters and intermediates are narrower | **half-true** | [01](01_why_mixed_precision.ipynb), 4.2 |
# | **A3** | the computational complexity (计算复杂度) is lower | **the wrong word** | [01](01_why_mixed_precision.ipynb), 4.3 |
# | **A4** | storage (存储) costs fall | **not by themselves** | [01](01_why_mixed_precision.ipynb), 4.5 |
# | **A5** | training (训练) becomes faster | **it depends** | [01](01_why_mixed_precision.ipynb), 4.4 |
# | **B1** | bf16 is richer than fp16 in range (范围) and in precision (精度) | **half wrong** | [02](02_number_formats.ipynb), 4.2 |
# | **B2** | both are half precision (半精度) | **loose** | [02](02_number_formats.ipynb), 4.8 |
# | **C1** | make a policy (策略), set it globally, done | **right, not enough** | [03](03_mixed_precision_in_tensorflow.ipynb), 4.2 to 4.6 |
# | **D1** | quantization (量化) includes the step from fp32 to fp16 or bf16 | **loose** | [04](04_quantization.ipynb), 4.1 |
# | **D2** | quantization adjusts the precision dynamically (动态), while training | **not what it means** | [04](04_quantization.ipynb), 4.6 |
# | **E1** | quantization-aware training (量化感知训练) learns quantization-aware weights | **imprecise** | [05](05_quantization_aware_training.ipynb), 4.2 |
# | **E2** | QAT loses less accuracy than quantizing without it | **right where bits are few** | [05](05_quantization_aware_training.ipynb), 4.5 |
# | **F1** | pruning (剪枝) lowers the computation of mixed-precision training | **misleading** | [06](06_pruning.ipynb), 4.3 |
# | **F2** | pruning also helps accuracy (准确率) | **usually a trade** | [06](06_pruning.ipynb), 4.5 |
# | **T1** | a program for QAT | **does not run** | [05](05_quantization_aware_training.ipynb), 4.9 |
# | **T2** | a program for mixed precision | **trains in fp32** | [03](03_mixed_precision_in_tensorflow.ipynb), 4.3 |
# | **T3** | a program for pruning | **does not run** | [06](06_pruning.ipynb), 4.10 |
# | **S** | all three together make a model still more efficient and more accurate | **half-true** | [07](07_putting_it_together.ipynb), 4.7 |
# | **R** | four links to read on | **not sources** | section 6 |

# %%
from halfbits.quiet import import_tensorflow

import_tensorflow()  # without the lines that TensorFlow writes when it starts

import ast
import inspect
import tempfile
import zlib
from pathlib import Path

import keras
import ml_dtypes  # gives NumPy the type ml_dtypes.bfloat16
import numpy as np
import tensorflow as tf

from halfbits import hardware
from halfbits.data import digits
from halfbits.formats import FORMATS
from halfbits.measure import side_by_side
from halfbits.models import mlp
from halfbits.pruning import magnitude_mask
from halfbits.quantization import grid

FP32, FP16, BF16 = (FORMATS[name] for name in ("fp32", "fp16", "bf16"))
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")


def build(policy, hidden=(64, 64), inputs=64):
    """An MLP whose layers are made under a policy."""
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        return mlp(keras, hidden=hidden, inputs=inputs, seed=0)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")


data = digits()
x, y = data.train_and_validation
print(x.shape, x.dtype, "| test:", data.test.x.shape)

# %% [markdown]
# ## 2. What mixed precision is, and what it saves
#
# ### A1 · "Some or all parameters become fp16, or bf16, which is even smaller"
#
# *How wide is each format, and in what are the weights of a mixed layer?*

# %%
layer = keras.layers.Dense(4, dtype="mixed_bfloat16")
layer.build((None, 8))
print(f"fp16 {FP16.bits} bits, bf16 {BF16.bits} bits")
print(f"kernel {layer.kernel.dtype}, computes in {layer.compute_dtype}")
assert FP16.bits == BF16.bits == 16
assert layer.kernel.dtype == "float32"

# %% [markdown]
# **Wrong twice.** bf16 is as wide as fp16, and the parameters (参数) stay fp32, as master weights (主权重). Computing in 16
# bits and keeping in 32: that is what is *mixed* (混合).
#
# ### A2 · "Memory falls, because parameters and intermediates are narrower"
#
# *Which of the three sums halves: weights, Adam's slots (优化器槽位), or what the layers hand on (激活值)?*


# %%
def bytes_of(policy):
    """Bytes of the weights, of Adam's two moments, and of all layers' outputs for 256 examples."""
    model = build(policy)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    nbytes = lambda tensors: sum(np.asarray(t).nbytes for t in tensors)  # noqa: E731
    slots = [v for v in optimizer.variables if len(v.shape)]  # not the counter and the rate
    outputs = [x[:256]]
    for layer in model.layers:
        outputs.append(layer(outputs[-1]))
    return nbytes(model.weights), nbytes(slots), nbytes(outputs[1:])


sizes = {policy: bytes_of(policy) for policy in POLICIES}
print(f"{'':15}{'weights':>9}{'slots':>9}{'outputs':>9}")
for policy, counted in sizes.items():
    print(f"{policy:15}{''.join(f'{count:9,}' for count in counted)}")
full, mixed = sizes["float32"], sizes["mixed_bfloat16"]
assert mixed[:2] == full[:2]
assert full[1] == 2 * full[0]
assert 2 * mixed[2] == full[2]

# %% [markdown]
# **Half-true.** Only what the layers hand on halves: the intermediates, not the parameters. Whether that is much depends on
# the batch.
#
# ### A3 · "The computational complexity is lower"
#
# *How many matrix products does a forward pass have under each policy, and of which shapes?*


# %%
def operations(policy):
    """The matrix products of a forward pass, as shapes, and how many casts there are."""
    model = build(policy)
    graph = tf.function(model).get_concrete_function(tf.TensorSpec((32, 64))).graph
    products = [
        tuple(op.inputs[1].shape) for op in graph.get_operations() if op.type == "MatMul"
    ]
    return products, sum(op.type == "Cast" for op in graph.get_operations())


for policy in POLICIES:
    print(f"{policy:15} products {operations(policy)[0]}, casts {operations(policy)[1]}")
assert operations("float32")[0] == operations("mixed_bfloat16")[0]
assert operations("float32")[1] == 0 < operations("mixed_bfloat16")[1]

# %% [markdown]
# **The wrong word.** The products are the same ones, and casts (类型转换) come on top. What may differ is the throughput
# (吞吐量): how many of them the hardware does in a second.
#
# ### A4 · "Storage costs fall"
#
# *Save the same network under two policies. Which file is smaller?*


# %%
def file_bytes(model):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return path.stat().st_size


files = {policy: file_bytes(build(policy, (256, 256))) for policy in POLICIES}
weights = build("float32", (256, 256)).get_weights()
cast = sum(w.astype(np.float16).nbytes for w in weights)
ratio = files["mixed_bfloat16"] / files["float32"]
print(f"file of mixed_bfloat16 : file of float32 = {ratio:.2f}")
print(f"the weights cast to fp16: {cast / sum(w.nbytes for w in weights):.2f} of their bytes")
assert abs(ratio - 1) < 0.02
assert 2 * cast == sum(w.nbytes for w in weights)

# %% [markdown]
# **Not by themselves.** A checkpoint (检查点) holds the variables, and those are fp32. It halves where somebody casts on
# export (导出), and that is a step of its own. (The article counts the intermediates (中间结果), too. They do halve, as A2 shows,
# but nobody stores them.)
#
# ### A5 · "Training becomes faster"
#
# *Before you run it: what do you expect of your machine, at width 64 and at width 512?*

# %% tags=["nbval-ignore-output"]
expected = hardware.fastest_in_training(hardware.describe())
print(
    f"predicted to be fastest: {' or '.join(expected.formats) or '?'}, since {expected.reason}\n"
)


def step_of(policy, width):
    model = build(policy, (width, width))
    images, labels = tf.constant(x[:256]), tf.constant(y[:256])

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images), tf.float32)
            loss = keras.ops.mean(
                keras.losses.sparse_categorical_crossentropy(labels, logits, True)
            )
        return tape.gradient(loss, model.trainable_variables)

    return lambda: [g.numpy() for g in gradients()]


for width in (64, 512):
    times = side_by_side({policy: step_of(policy, width) for policy in POLICIES})
    for policy in POLICIES[1:]:
        ratio = times.ratio(policy, "float32")
        print(f"width {width:3}: {policy:14} takes {ratio} times as long as float32")

# %% [markdown]
# **It depends**, on the units of the hardware (硬件), on the width of the layers and on the mix of operations. No cell can
# settle it for all machines, so none here does: the ratios are yours. A ratio above 1 is *slower*; in brackets are its
# quartiles (四分位数) over nine rounds. Where they lie on the wrong side of the prediction, believe the clock: the prediction is for
# wide layers, and at width 64 a step is mostly overhead.

# %% [markdown]
# ## 3. The formats
#
# ### B1 · "bf16 has the richer range and precision"

# %%
for name in ("fp16", "bf16", "fp32"):
    limits, layout = FORMATS[name].limits, FORMATS[name]
    print(
        f"{name}: {layout.exponent_bits} exponent and {layout.mantissa_bits:2} mantissa bits,"
        f" up to {limits.max:.3g}, epsilon {limits.epsilon:.2g}"
    )
assert BF16.limits.max > FP16.limits.max
assert BF16.limits.epsilon == 8 * FP16.limits.epsilon

# %% [markdown]
# **Half wrong.** In range, yes: it has fp32's 8 exponent bits (指数位). In precision it is the poorer: 7 mantissa bits (尾数位)
# to 10, so its steps are eight times as wide.
#
# ### B2 · "Both are half precision"
#
# *Which of the two is the upper half of the fp32 pattern of 0.15625 = 5/32?*

# %%
value = 0.15625  # short enough for all three
patterns = {name: FORMATS[name].encode(value) for name in ("fp32", "fp16", "bf16")}
for name, pattern in patterns.items():
    print(f"{name} {pattern:0{FORMATS[name].bits}b}")
assert patterns["bf16"] == patterns["fp32"] >> 16
assert patterns["fp16"] != patterns["fp32"] >> 16

# %% [markdown]
# **Loose.** Half precision is IEEE 754's binary16, which is fp16. bf16 is fp32's layout (布局), cut short; no IEEE 754 format has
# its name. Who says "half" for both means the 16 bits.

# %% [markdown]
# ## 4. TensorFlow, quantization, pruning
#
# ### C1 · "Make a policy, set it globally, done"
#
# *One layer is made before the line, one after it. Which computes in bf16, and does anything complain?*

# %%
before = keras.layers.Dense(4)
keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
after = keras.layers.Dense(4)
keras.mixed_precision.set_dtype_policy("float32")
print(f"made before: {before.compute_dtype}; made after: {after.compute_dtype}")
assert (before.compute_dtype, after.compute_dtype) == ("float32", "bfloat16")

# %% [markdown]
# *And if the policy is `mixed_float16`: what becomes of a gradient (梯度) of 10⁻⁸, and of the same with a loss scale of 2¹⁵?*

# %%
small = 1e-8
lost = FP16.round(small)
kept = FP16.round(small * 2**15) / 2**15
print(f"without a scale: {lost}; with one: {kept:.4g}")
assert lost == 0
assert abs(kept / small - 1) < 0.001

# %% [markdown]
# **Right, and not enough.** The line comes before the layers; the output layer stays fp32; fp16 needs loss scaling (损失缩放),
# which `fit` brings and a loop of your own does not.
#
# ### D1 · "Going from fp32 to fp16 or bf16 is quantization"
#
# *A tensor with one outlier (离群值). Cast it, and quantize it to int8: what is left of the small numbers?*

# %%
tensor = np.array([0.01, 0.02, 0.05, 100.0], np.float32)
as_bf16 = tensor.astype(ml_dtypes.bfloat16).astype(np.float32)
as_int8 = grid(tensor, 8).round(tensor)
for name, result in (("bf16", as_bf16), ("int8", as_int8)):
    error = np.abs(result - tensor) / tensor
    print(f"{name}: {np.round(result, 4)}, relative error up to {error.max():.1%}")
assert np.all(np.abs(as_bf16 - tensor) / tensor <= BF16.limits.epsilon / 2)
assert np.all(as_int8[:3] == 0)

# %% [markdown]
# **Loose.** A cast rounds each number by itself: no scale (缩放因子), no zero-point (零点), nothing to calibrate (校准), and no
# neighbour matters. An integer grid has one step for the whole tensor, and the outlier decides it.
#
# ### D2 · "Quantization adjusts the precision dynamically, while training"
#
# In *dynamic-range* quantization (动态范围量化) something is dynamic. *What, and when?*

# %%
for name, activations in (("a quiet input", x[:32] / 10), ("a loud input", x[:32] * 10)):
    g = grid(activations, 8)
    print(f"{name:13}: scale {float(g.scale):.5f}, integers {g.qmin} to {g.qmax}")
quiet, loud = grid(x[:32] / 10, 8), grid(x[:32] * 10, 8)
assert quiet.scale != loud.scale
assert (quiet.qmin, quiet.qmax) == (loud.qmin, loud.qmax)

# %% [markdown]
# **Not what the term means.** The scale follows the input, at inference (推理); the bits are 8 from the first input to the last.
# A bit width that changes *while training* does exist, by a schedule: progressive quantization (渐进式量化), which is
# something else. *How far is a kernel from its grid at each stage of such a schedule?*

# %%
kernel = build("float32").layers[0].kernel.numpy()
for bits in (8, 4, 2):
    g = grid(kernel, bits)
    off = np.sqrt(np.mean((g.round(kernel) - kernel) ** 2)) / kernel.std()
    print(f"{bits} bits: {g.qmax - g.qmin + 1:3} levels, rounded away: {off:.1%} of the spread")
assert [grid(kernel, bits).qmax for bits in (8, 4, 2)] == [127, 7, 1]

# %% [markdown]
# ### E1 · "QAT learns quantization-aware weights"
#
# A step of it: round in the forward pass, let the gradient through (直通估计器), update. *What are the weights afterwards?*


# %% tags=["nbval-ignore-output"]
def fake_quantize(w, bits):
    """To a few bits and back; the gradient passes as if nothing had been rounded."""
    scale = tf.reduce_max(tf.abs(w)) / (2 ** (bits - 1) - 1)
    return tf.grad_pass_through(lambda w: tf.round(w / scale) * scale)(w)


w = tf.Variable(kernel)
with tf.GradientTape() as tape:
    used = fake_quantize(w, 4)
    loss = tf.reduce_mean((x[:64] @ used) ** 2)
w.assign_sub(0.5 * tape.gradient(loss, w))
print(f"{w.dtype.name}; used in the forward pass: {len(np.unique(used))} different numbers;")
print(f"kept: {len(np.unique(w)):,} different numbers in {kernel.size:,} weights")
assert len(np.unique(used)) <= 15
assert len(np.unique(w)) > 0.9 * kernel.size

# %% [markdown]
# **Imprecise.** The weights are plain fp32, on no grid. What is learned is a place where rounding (伪量化) does little harm.
# And what it differs from is not "ordinary quantized training" but post-training quantization (训练后量化), which does not
# train at all.
#
# ### E2 · "QAT loses less accuracy than quantizing without it"
#
# The digits, three seeds. Each trained network has its kernels rounded as they are (PTQ), or is trained for ten more epochs
# with rounded kernels. *What does each cost at 8 bits, and at 2?*


# %% tags=["nbval-ignore-output"]
def trained(seed):
    """The weights of a network that has learned the digits."""
    model = mlp(keras, seed=seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss)
    keras.utils.set_random_seed(seed)
    model.fit(x, y, epochs=12, batch_size=64, verbose=0)
    return model.get_weights()


def share_right(logits):
    return float(np.mean(np.asarray(logits).argmax(-1) == data.test.y))


def rounded_logits(model, images, bits):
    for layer in model.layers:
        images = layer.activation(images @ fake_quantize(layer.kernel, bits) + layer.bias)
    return images


def train_rounded(model, bits, epochs=10):
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = cross_entropy(labels, rounded_logits(model, images, bits))
        optimizer.apply(tape.gradient(loss, model.trainable_variables))

    examples = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).batch(64)
    for batch in examples.repeat(epochs):
        step(*batch)


networks, model, found = [trained(seed) for seed in range(3)], mlp(keras), []
for weights in networks:
    model.set_weights(weights)
    row = {"float": share_right(model(data.test.x))}
    for bits in (8, 2):
        model.set_weights(weights)
        row[f"{bits} bits, PTQ"] = share_right(rounded_logits(model, data.test.x, bits))
        train_rounded(model, bits)
        row[f"{bits} bits, QAT"] = share_right(rounded_logits(model, data.test.x, bits))
    found.append(row)
mean = {way: np.mean([row[way] for row in found]) for way in found[0]}
for way in mean:
    print(f"{way:12} {mean[way]:6.1%}   ({', '.join(f'{row[way]:.1%}' for row in found)})")
assert abs(mean["8 bits, PTQ"] - mean["float"]) < 0.01
assert mean["2 bits, PTQ"] < mean["float"] - 0.1
assert mean["2 bits, QAT"] > mean["2 bits, PTQ"] + 0.1

# %% [markdown]
# **Right where bits are few.** At 8 bits PTQ had nothing to lose here, so QAT has nothing to save. And part of what it saves at
# 2 bits a better range would have saved, without training: lesson 05 has that baseline, and the one with the extra epochs.
#
# ### F1 · "Pruning lowers the computation of mixed-precision training"
#
# *Nine of ten weights become zero. What happens to the products, the bytes, and the compressed bytes?*

# %% tags=["nbval-ignore-output"]
dense = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)
sparse = dense * magnitude_mask(dense, 0.9)


@tf.function
def masked_step(inputs, weights, mask):
    return inputs @ (weights * mask)


spec = [tf.TensorSpec(shape) for shape in ((32, 256), (256, 256), (256, 256))]
graph = masked_step.get_concrete_function(*spec).graph
kinds = [op.type for op in graph.get_operations() if op.type in ("MatMul", "Mul")]
shape = next(op.inputs[1].shape for op in graph.get_operations() if op.type == "MatMul")
print(f"operations of a masked layer: {kinds}, the product with {tuple(shape)} weights")
packed = [len(zlib.compress(a.tobytes(), 9)) / a.nbytes for a in (dense, sparse)]
print(f"bytes: {dense.nbytes:,} and {sparse.nbytes:,}")
print(f"compressed to {packed[0]:.0%} and {packed[1]:.0%}")
assert kinds == ["Mul", "MatMul"]
assert tuple(shape) == dense.shape
assert sparse.nbytes == dense.nbytes
assert packed[1] < 0.3 < packed[0]

# %% [markdown]
# **Misleading.** A zero is multiplied like any other number, and the mask (掩码) is an operation more. Gains come from
# compression (压缩), from matrices that really shrink (结构化剪枝), or from hardware that knows a pattern such as 2:4.
#
# ### F2 · "Pruning also helps accuracy"
#
# The three networks again, their smallest weights taken out at once. *Where does the accuracy begin to fall?*

# %% tags=["nbval-ignore-output"]
sparsities, runs = (0.0, 0.2, 0.5, 0.8, 0.9), []
for weights in networks:
    runs.append([])
    for sparsity in sparsities:
        cut = [w * magnitude_mask(w, sparsity) if w.ndim == 2 else w for w in weights]
        model.set_weights(cut)
        runs[-1].append(share_right(model(data.test.x)))
for sparsity, column in zip(sparsities, np.transpose(runs), strict=True):
    seeds = ", ".join(f"{value:.1%}" for value in column)
    print(f"{sparsity:4.0%} zeros: {column.mean():6.1%}   ({seeds})")
mean = dict(zip(sparsities, np.mean(runs, axis=0), strict=True))
assert mean[0.0] > 0.93
assert mean[0.2] > mean[0.0] - 0.02
assert mean[0.8] < mean[0.0] - 0.05
assert mean[0.9] < mean[0.8]

# %% [markdown]
# **Usually a trade** (权衡). A mild cut, a fifth of the weights, costs little; a deep one costs a lot until the network is
# trained on. Lesson 06 prunes gradually (渐进剪枝), trains on, and gives the dense network the same extra training.

# %% [markdown]
# ## 5. What is wrong with this code?
#
# Two of the article's three programs (T1 and T3) make calls that Keras does not have, or not with these arguments:

# %%
calls = {
    "keras.mixed_precision.quantize_model": lambda: keras.mixed_precision.quantize_model,
    "keras.layers.PrunableDense": lambda: keras.layers.PrunableDense,
    "model.replace": lambda: build("float32").replace,
    "PolynomialDecay(initial_rate=…)": lambda: keras.optimizers.schedules.PolynomialDecay(
        initial_rate=0.1, end_rate=0.0
    ),
}
for name, call in calls.items():
    try:
        call()
    except (AttributeError, TypeError) as stop:
        print(f"{name:37} {type(stop).__name__}")
    else:
        raise AssertionError(f"{name} exists")

# %% [markdown]
# Such errors are kind: they stop you. The second program makes none; given a `train_data`, which none of the three
# defines, it runs, and trains in fp32. Such errors are worse. Here are three programs of ours for the same three tasks. In
# them are errors of the article (a parameter never read, a squared error on labels, a persistent tape, no loss scale) and
# others that people make there. All three **run, without a warning**. Find what is wrong with each before you go on; an
# interviewer may well show you one of them (代码审查).
#
# ### Program 1 · "Trains the model in 4 bits"


# %%
def train_in_few_bits(model, images, labels, bits, steps=300):
    optimizer = keras.optimizers.Adam(1e-3)
    squared_error = keras.losses.MeanSquaredError()
    for _ in range(steps):
        with tf.GradientTape(persistent=True) as tape:
            logits = model(images)
            loss = squared_error(labels[:, None], logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
    return model


quantized = train_in_few_bits(build("float32"), x, y, bits=4)

# %% [markdown]
# *Five things are wrong with it, one of them only a waste. Write them down.* Then:


# %% tags=["nbval-ignore-output"]
def never_read(function):
    """The parameters that a function's body does not mention."""
    tree = ast.parse(inspect.getsource(function))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [name for name in inspect.signature(function).parameters if name not in names]


print("1. never read:", never_read(train_in_few_bits))
levels = len(np.unique(quantized.layers[0].kernel))
print(f"2. different weights in a layer said to have 4 bits: {levels:,}")

squared_error = keras.losses.MeanSquaredError()
label = np.array([[3.0]])
sure = np.where(np.arange(10) == 3, 10.0, 0.0)[None]
clueless = np.full((1, 10), 3.0)
costs = {
    name: float(squared_error(label, logits))
    for name, logits in (("sure and right", sure), ("clueless", clueless))
}
print(f"3. its loss: {costs}")
guessed = quantized.predict_on_batch(data.test.x)
accuracy = np.mean(guessed.argmax(-1) == data.test.y)
spread, between = guessed.std(-1).mean(), guessed.mean(-1).std()
print(f"4. an example's ten logits differ by {spread:.2f}, examples by {between:.2f}")
print(f"   accuracy {accuracy:.0%}")
assert never_read(train_in_few_bits) == ["bits"]
assert levels > 15
assert costs["clueless"] < costs["sure and right"]
assert spread < between
assert accuracy < 0.5

# %% [markdown]
# 1. `bits` is never read.
# 2. Nothing is rounded anywhere, neither in the forward pass nor at the end.
# 3. The squared error (均方误差) compares a class *label* with ten logits (未归一化的分数), broadcast: it prefers ten equal
#    logits to a right answer.
# 4. So all ten outputs of an example learn the same number, its label, and the accuracy, which the program never looks
#    at, stays low.
# 5. The tape is `persistent` and asked once: memory kept for nothing.
#
# **Mended:** [exercises 03](../exercises/03_quantization_aware_training.ipynb), the last task.
#
# ### Program 2 · "Trains the model in mixed precision"


# %%
def train_mixed(model, images, labels, strategy="mixed_float16", steps=40):
    keras.mixed_precision.set_dtype_policy(strategy)
    try:
        optimizer = keras.optimizers.Adam(1e-3)
        probabilities = keras.layers.Softmax()
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        for _ in range(steps):
            with tf.GradientTape() as tape:
                loss = cross_entropy(labels, probabilities(model(images)))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    return model


mixed = train_mixed(build("float32"), x, y)

# %% [markdown]
# *Four things.* The parameter is read this time, and something does run in fp16. *What?*

# %%
print("1. the model's layers compute in", {layer.compute_dtype for layer in mixed.layers})
keras.mixed_precision.set_dtype_policy("mixed_float16")
softmax = keras.layers.Softmax()
keras.mixed_precision.set_dtype_policy("float32")
far = np.array([[0.0, -20.0]], np.float32)
print(f"2. the softmax computes in {softmax.compute_dtype}: {np.asarray(softmax(far))[0]}")

cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
perfect = np.eye(10, dtype=np.float32)[[3]]
floor = float(cross_entropy(np.array([3]), perfect))
print(f"3. its loss for a perfect answer: {floor:.2f}")
print("4. scales the loss:", "scale_loss" in inspect.getsource(train_mixed))
assert {layer.compute_dtype for layer in mixed.layers} == {"float32"}
assert softmax.compute_dtype == "float16"
assert np.asarray(softmax(far))[0, 1] == 0
assert floor > 1

# %% [markdown]
# 1. The policy comes after the layers: the model trains in fp32.
# 2. The one layer that is made under it is the softmax, which should have stayed fp32: a probability of 2·10⁻⁹ is zero
#    there.
# 3. The softmax is applied twice, once by the layer and once by the loss, which was told to expect logits: even a perfect
#    answer costs 1.46.
# 4. Nobody scales the loss; if the first error alone were mended, small gradients would be lost.
#
# **Mended:** lesson [03](03_mixed_precision_in_tensorflow.ipynb), 4.6, and
# [exercises 02](../exercises/02_mixed_precision_training.ipynb).
#
# ### Program 3 · "Prunes the model to 80 %, and it is 5 times as small"


# %%
def prune(model, images, labels, percentage):
    for layer in model.layers:
        kernel = layer.kernel.numpy()
        threshold = np.percentile(kernel, percentage)
        layer.kernel.assign(np.where(kernel < threshold, 0, kernel))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    model.fit(images, labels, batch_size=64, epochs=2, verbose=0)
    return model


pruned = prune(build("float32"), x, y, percentage=80)

# %% [markdown]
# *Three things, and then the claim about the size.*

# %% tags=["nbval-ignore-output"]
kernel = np.array([-0.9, -0.5, 0.01, 0.02, 0.3])
left = np.where(kernel < np.percentile(kernel, 80), 0, kernel)
print(f"1. of {kernel} it keeps {left}")
zeros = np.mean([np.mean(layer.kernel.numpy() == 0) for layer in pruned.layers])
print(f"2. zeros after the training: {zeros:.1%}")
same = file_bytes(pruned) / file_bytes(build("float32"))
print(f"3. the file, optimizer included: {same:.1f} times that of the untrained network")
print(f"4. parameters: {pruned.count_params():,} of {build('float32').count_params():,}")
assert left[0] == 0
assert zeros < 0.1
assert same > 1
assert pruned.count_params() == build("float32").count_params()

# %% [markdown]
# 1. Without the magnitude (绝对值) the most negative weights go first, however large they are.
# 2. No mask holds the zeros while training: the optimizer fills them up again.
# 3. The file holds every weight, zero or not, and now the optimizer's slots too.
# 4. Nothing was removed, so nothing is smaller, and the layers multiply as before.
#
# **Mended:** [exercises 04](../exercises/04_pruning.ipynb), which end with a function that takes neurons (神经元) and
# connections (连接) out for real.

# %% [markdown]
# ## 6. What people trip over, and where to read on
#
# | what they see | what happened | threads |
# |---|---|---|
# | "`to_quantize` can only either be a keras Sequential or Functional model" | a Keras 3 model was given to TFMOT, which knows only `tf_keras` | tensorflow/model-optimization [#1119](https://github.com/tensorflow/model-optimization/issues/1119), [#1144](https://github.com/tensorflow/model-optimization/issues/1144), [#1270](https://github.com/tensorflow/model-optimization/issues/1270) |
# | `LossScaleOptimizer` has no `get_scaled_loss` | the guide's loop is Keras 2's; it is `scale_loss`, and `apply` divides by the scale | keras-team/keras [#19479](https://github.com/keras-team/keras/issues/19479), [#20894](https://github.com/keras-team/keras/issues/20894) |
# | the loss is NaN under `mixed_float16` | an operation overflows in fp16; a loss scale mends gradients that vanish, not a loss that is NaN | keras-team/keras [#16552](https://github.com/keras-team/keras/issues/16552), tensorflow/tensorflow [#38357](https://github.com/tensorflow/tensorflow/issues/38357) |
# | the pruned file is as large as before | zeros take as many bytes as other numbers, until they are compressed | tensorflow/model-optimization [#760](https://github.com/tensorflow/model-optimization/issues/760), [#570](https://github.com/tensorflow/model-optimization/issues/570), [#722](https://github.com/tensorflow/model-optimization/issues/722) |
# | even compressed it is as large | then first count whether there *are* zeros | tensorflow/tensorflow [#47838](https://github.com/tensorflow/tensorflow/issues/47838) |
# | the pruned file is larger | masks and counters are in it (twice the size), and the optimizer's slots if it was saved compiled (four times): `strip_pruning`, and save without the optimizer | tensorflow/model-optimization [#162](https://github.com/tensorflow/model-optimization/issues/162) |
#
# **R.** The article ends with four links (拓展阅读): three blog posts and one path on TensorFlow's site that is not where its
# guide stands. We could not check the posts' contents and lean on none of them. Read these instead:
#
# - **Mixed precision:** P. Micikevicius et al., *Mixed Precision Training*, ICLR 2018,
#   [arXiv:1710.03740](https://arxiv.org/abs/1710.03740); Keras,
#   [Mixed precision policy API](https://keras.io/api/mixed_precision/policy/); TensorFlow,
#   [Mixed precision](https://www.tensorflow.org/guide/mixed_precision), less its custom loop.
# - **bf16:** D. Kalamkar et al., 2019, [arXiv:1905.12322](https://arxiv.org/abs/1905.12322).
# - **Quantization and QAT:** B. Jacob et al., CVPR 2018, [arXiv:1712.05877](https://arxiv.org/abs/1712.05877);
#   M. Nagel et al., 2021, [arXiv:2106.08295](https://arxiv.org/abs/2106.08295).
# - **Pruning:** M. Zhu & S. Gupta, 2017, [arXiv:1710.01878](https://arxiv.org/abs/1710.01878); TensorFlow,
#   [Pruning guide](https://www.tensorflow.org/model_optimization/guide/pruning).

# %% [markdown]
# ## 7. How to read the next article
#
# The questions that found all of the above, for any claim about a smaller or faster model:
#
# 1. **Of what?** "Memory" of weights, gradients, optimizer state or activations? "Size" of the file, of the
#    compressed file, or in memory?
# 2. **Compared with what?** The same number of steps? The same extra training? A smaller network from scratch?
# 3. **On what?** Which hardware, which width, which batch?
# 4. **How often?** One run, or several seeds with their spread?
# 5. **Does the code run?** And is every parameter of it read?
#
# **Next:** the [mock interview](08_mock_interview.ipynb), and the [glossary](glossary.ipynb) beside it.
