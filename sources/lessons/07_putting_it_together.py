# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # 07 · Putting it together
#
# After this lesson you can chain mixed precision, pruning and quantization without one step undoing another, say what
# each step bought in bytes, time and accuracy, and defend the result in a review. It takes about forty minutes; all
# cells together run for about a minute on two cores.
#
# ## 1. The question
#
# > *You have all three techniques: mixed precision, pruning, quantization. In which order do you use them on one model,
# > and what does each of them buy?*
#
# "All three, and the gains multiply" is where everybody begins. The interviewer waits for a table with one row a step,
# for the step that bought nothing, and for the baseline that makes the whole chain unnecessary.

# %% [markdown]
# ## 2. The answer in 60 seconds
#
# Each technique makes something else smaller, so name the goal first: training time, download, memory or latency.
#
# - **bf16** (混合精度) is for *training*, on hardware that has it. Keras stores float32 weights; the file does not change.
# - **Removing neurons** (结构化剪枝) makes matrices smaller: file, memory and latency, on every machine. Then fine-tune.
# - **Zeroing connections** (非结构化剪枝) makes only the *compressed* file smaller.
# - **int8** (量化) makes a file of weights about four times smaller, and latency shorter where there are integer kernels
#   and wide matrices. First PTQ (训练后量化); QAT (量化感知训练) where that loses something.
#
# **Order**: train, remove neurons, zero connections, quantize; from the coarsest cut to the finest rounding. Each later
# step must keep what the earlier ones made: QAT moves pruned weights away from 0 unless the mask is held.
#
# **Baseline** (基线): a small dense network from scratch, quantized. It may be as good, with one training instead of four.

# %% [markdown]
# ## 3. What the source article says
#
# Its closing promise, in our words: mixed precision together with QAT and pruning makes a model still more efficient and
# still more accurate. The verdict: **half-true.**
#
# - **More accurate.** **No.** Here accuracy stays within 2.5 points of float32, after fine-tuning (4.1 to 4.4), and no
#   step gains anything that stands out of the spread over five seeds.
# - **More efficient.** **Deployment yes, but not by each step**: of four steps one leaves the file as it is (4.1), one
#   shrinks only its compressed form (4.3; TFLite's experimental sparse tensors aside, lesson 06), and one undoes another
#   if you let it (4.4). **Training no**: pruning and QAT are *more* training, and this network is too narrow for bf16 to
#   help (4.1).

# %% [markdown]
# ## 4. Evidence
#
# A 64-256-128-10 network on the digits, five seeds, each step for all five. `masked_training` trains one model again
# and again from given weights (Adam, batches of 64) and can hold masks. The settings were chosen on the validation
# images; the test images only report.

# %%
from halfbits.quiet import import_tensorflow

import_tensorflow()  # without the lines that TensorFlow writes when it starts

import gzip
import os
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from halfbits import tflite
from halfbits.data import digits
from halfbits.measure import side_by_side
from halfbits.models import mlp
from halfbits.plots import style
from halfbits.pruning import global_masks, masked_training, strongest_units

data = digits()
SEEDS = range(5)
WIDE, NARROW, SMALL = (256, 128), (128, 64), (64, 32)


def for_each_seed(train, weights, epochs, masks=None):
    masks = masks or [None] * len(SEEDS)
    pairs = zip(SEEDS, weights, masks, strict=True)
    return [train(own, epochs, seed, mask) for seed, own, mask in pairs]


def correct(logits):
    return float(np.mean(np.argmax(logits, axis=1) == data.test.y))


def accuracy(weights):
    """Of each seed's network, on the test images."""
    found = []
    for own in weights:
        x = data.test.x
        for kernel, bias in zip(own[:-2:2], own[1:-2:2], strict=True):
            x = np.maximum(x @ kernel + bias, 0)
        found.append(correct(x @ own[-2] + own[-1]))
    return np.array(found)


def as_model(weights):
    model = mlp(keras, [len(bias) for bias in weights[1:-2:2]])
    model.set_weights(weights)
    return model


def spread(values):
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


files, scores = {}, {}  # by step: the .tflite file of seed 0, the accuracy of each seed


def note(step, file, values):
    files[step], scores[step] = file, values


def zeros_in(step):
    """The share of zeros in the int8 kernels of a step's file."""
    layers = tflite.dense_layers(tflite.interpreter(files[step]))
    return np.mean(np.concatenate([layer.w_q.ravel() for layer in layers]) == 0)


initial = [mlp(keras, WIDE, seed=seed).get_weights() for seed in SEEDS]
float_weights = for_each_seed(masked_training(mlp(keras, WIDE), data.train), initial, 20)
note("float32", tflite.convert(as_model(float_weights[0])), accuracy(float_weights))
print("float32, five seeds: each above 0.94:", bool((scores["float32"] > 0.94).all()))
assert (scores["float32"] > 0.94).all()

# %% [markdown]
# ### 4.1 Train in bf16
#
# The same training under `mixed_bfloat16`. *What changes: accuracy, the bytes of the file, the time of an epoch?*

# %%
keras.config.set_dtype_policy("mixed_bfloat16")
half = mlp(keras, WIDE, output_dtype="float32")
keras.config.set_dtype_policy("float32")
train_in_bf16 = masked_training(half, data.train)
bf16_weights = for_each_seed(train_in_bf16, initial, 20)
note("bf16 training", tflite.convert(as_model(bf16_weights[0])), accuracy(bf16_weights))
print("computes in", half.layers[0].compute_dtype, "and stores", half.layers[0].kernel.dtype)
assert all(w.dtype == np.float32 for w in bf16_weights[0])
assert abs(scores["bf16 training"].mean() - scores["float32"].mean()) < 0.02
assert abs(len(files["bf16 training"]) - len(files["float32"])) < 0.01 * len(files["float32"])
print("accuracy within 2 points of float32, and a file of the same size")

# %% tags=["nbval-ignore-output"]
train_in_float = masked_training(mlp(keras, WIDE), data.train)
epochs = {
    "float32": lambda: train_in_float(initial[0], 3),
    "bf16": lambda: train_in_bf16(initial[0], 3),
}
ratio = side_by_side(epochs, 7).ratio("bf16", to="float32")
print(f"an epoch in bf16 takes {ratio} of the time in float32; this network is narrow")

# %% [markdown]
# bf16 buys nothing here: the weights stay float32, so the file is as it was, and at this width there is no time to gain
# (lesson 01: it pays on wide layers, with hardware for it). It cost no accuracy either, so we go on from these weights.

# %% [markdown]
# ### 4.2 Remove neurons
#
# Half of the units of each hidden layer, those with the lowest ‖in‖ · ‖out‖ (lesson 06); then 10 epochs. *How much of
# the file goes? How much accuracy, at once and after the epochs?*

# %%
cut = [strongest_units(own, NARROW)[0] for own in bf16_weights]
at_once = accuracy(cut)
tune = masked_training(mlp(keras, NARROW), data.train)
cut_weights = for_each_seed(tune, cut, 10)
note("half the neurons", tflite.convert(as_model(cut_weights[0])), accuracy(cut_weights))
assert at_once.mean() < scores["float32"].mean() - 0.04
assert scores["half the neurons"].mean() > scores["float32"].mean() - 0.02
assert len(files["half the neurons"]) < 0.4 * len(files["float32"])
print("the file: less than 40 % of the bytes")
print("accuracy: 4 points or more lost at once, less than 2 after 10 epochs")

# %% [markdown]
# ### 4.3 Zero connections
#
# 80 % of what is left, one global ranking, and 10 more epochs with the mask held. *The bytes of the file? After gzip?*

# %%
SPARSITY = 0.8  # chosen on the validation images: at 0.9 they fall by 3 points
masks = [global_masks(own[::2], SPARSITY) for own in cut_weights]
sparse_weights = for_each_seed(tune, cut_weights, 10, masks)
note("80 % zeros", tflite.convert(as_model(sparse_weights[0])), accuracy(sparse_weights))


def packed(step):
    return len(gzip.compress(files[step]))


for own, mask in zip(sparse_weights, masks, strict=True):
    assert all(np.array_equal(w != 0, m) for w, m in zip(own[::2], mask, strict=True))
assert len(files["80 % zeros"]) == len(files["half the neurons"])
assert packed("80 % zeros") < 0.5 * packed("half the neurons")
assert scores["80 % zeros"].mean() > scores["float32"].mean() - 0.025
print("the same file size to the byte; after gzip less than half")
print("accuracy within 2.5 points of float32")

# %% [markdown]
# ### 4.4 int8, with the zeros kept
#
# Three ways from here to int8: **PTQ**, which trains nothing; **QAT** with TFMOT, five epochs, as in lesson 05; and QAT
# *with the masks held*. *After plain QAT, how many of the 80 % zeros are left?*

# %%
os.environ.pop("TF_USE_LEGACY_KERAS", None)  # whatever ran before this notebook
import tensorflow_model_optimization as tfmot
import tf_keras


def integer_file(model):
    return tflite.convert(model, "full_integer", data.train.x[:200])


def as_input(interpreter, x):
    """Images in the form that the model takes: float32, or int8 on its grid."""
    (given,) = interpreter.get_input_details()
    if given["dtype"] is np.float32:
        return x
    scale, zero_point = given["quantization"]
    return np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)


def integer_accuracy(file):
    interpreter = tflite.interpreter(file)
    return correct(tflite.run(interpreter, as_input(interpreter, data.test.x)))


ptq_files = [integer_file(as_model(own)) for own in sparse_weights]
note("int8, PTQ", ptq_files[0], np.array([integer_accuracy(file) for file in ptq_files]))

fake = tfmot.quantization.keras.quantize_model(mlp(tf_keras, NARROW))
train_fake = masked_training(fake, data.train, learning_rate=1e-3)
simulate = tf.function(lambda x: fake(x, training=False))


def quantization_aware(step, weights, epochs, masks=None):
    """QAT for each seed. Accuracies are those of the fake-quantized network; seed 0 is converted."""
    results, found = [], []
    masks = masks or [None] * len(SEEDS)
    for seed in reversed(SEEDS):
        results.append(train_fake(weights[seed], epochs, seed, masks[seed]))
        found.append(correct(simulate(data.test.x)))
    file = integer_file(fake)  # the last one trained: seed 0
    assert abs(integer_accuracy(file) - found[-1]) < 0.015  # the simulation tells the truth
    note(step, file, np.array(found[::-1]))
    return results[::-1]


_ = quantization_aware("int8, QAT", sparse_weights, 5)
_ = quantization_aware("int8, QAT, masks held", sparse_weights, 5, masks)

# %%
assert zeros_in("int8, PTQ") > 0.79
assert zeros_in("int8, QAT") < 0.5
assert zeros_in("int8, QAT, masks held") > 0.79
assert packed("int8, QAT, masks held") < 0.8 * packed("int8, QAT")
print("zeros in the int8 kernels: PTQ keeps the 80 %, QAT with masks too;")
print("plain QAT leaves less than half, and its file compresses worse")
for step in ("int8, PTQ", "int8, QAT, masks held"):
    assert len(files[step]) < 0.45 * len(files["80 % zeros"])
    assert scores[step].mean() > scores["float32"].mean() - 0.025
assert abs(scores["int8, PTQ"].mean() - scores["int8, QAT, masks held"].mean()) < 0.02
print("int8: less than 45 % of the bytes, accuracy within 2.5 points of float32;")
print("PTQ and QAT within 2 points of each other")

# %% [markdown]
# 0 is on every symmetric grid, so rounding keeps a zero. *Training* does not: the gradient of a pruned weight is not 0,
# and nothing tells the optimizer that it was pruned. TFMOT has a scheme for it,
# `tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme`; holding the mask on the variable does the same.
#
# At 8 bits QAT has nothing to repair here: PTQ was as good. (Lesson 05: it earns its keep at 2 and 3 bits.)

# %% [markdown]
# ### 4.5 The other orders
#
# The same steps and epochs, swapped in two places. **Quantize, then prune**: QAT on the narrow network, then 80 % zeros
# under QAT, at its rate, which is half of the other. **Connections before neurons**: 80 % zeros in the wide network, then
# half of the units. *Which one ends with fewer than 80 % zeros?*

# %%
quantized = quantization_aware("QAT, no zeros", cut_weights, 5)
late_masks = [global_masks(own[::2], SPARSITY) for own in quantized]
_ = quantization_aware("QAT before zeros", quantized, 10, late_masks)

wide_masks = [global_masks(own[::2], SPARSITY) for own in bf16_weights]
wide_sparse = for_each_seed(train_in_float, bf16_weights, 10, wide_masks)
cut_late = [strongest_units(own, NARROW)[0] for own in wide_sparse]
left = [[kernel != 0 for kernel in own[::2]] for own in cut_late]
tuned = for_each_seed(tune, cut_late, 10, left)
_ = quantization_aware("zeros before neurons", tuned, 5, left)

# %% tags=["nbval-ignore-output"]
for step in ("int8, QAT, masks held", "QAT before zeros", "zeros before neurons"):
    print(
        f"{step:22}{spread(scores[step])}, {zeros_in(step):.0%} zeros, {packed(step):,} bytes gzip"
    )

# %%
assert zeros_in("QAT before zeros") > 0.79
assert zeros_in("zeros before neurons") < 0.77
assert packed("zeros before neurons") > packed("int8, QAT, masks held")
for step in ("QAT before zeros", "zeros before neurons"):
    assert abs(scores[step].mean() - scores["int8, QAT, masks held"].mean()) < 0.03
print("zeros before neurons: fewer than 77 % zeros are left, and the compressed file is larger")
print("accuracy of all three orders: within 3 points")

# %% [markdown]
# The units that stay are the ones with many strong connections, so removing neurons takes zeros along, and the sparsity
# that was reported is no longer true. **Cut first, then zero.** Whether the zeros come before or after the rounding makes
# no clear difference at 8 bits, where magnitudes are hardly disturbed; but QAT afterwards is simpler: one training under
# fake quantization instead of two.

# %% [markdown]
# ### 4.6 The baseline that needs none of it
#
# A 64-64-32-10 network from scratch, as many epochs as the whole chain (45), then PTQ. And the wide float32 network with
# 45 epochs. *Is the small one better or worse than our chain? And its file?*

# %%
fresh = [mlp(keras, SMALL, seed=seed).get_weights() for seed in SEEDS]
small = for_each_seed(masked_training(mlp(keras, SMALL), data.train), fresh, 45)
small_files = [integer_file(as_model(own)) for own in small]
note(
    "small, scratch, PTQ", small_files[0], np.array([integer_accuracy(f) for f in small_files])
)
longer = accuracy(for_each_seed(train_in_float, initial, 45))

chain, base = "int8, QAT, masks held", "small, scratch, PTQ"
assert len(files[base]) < 0.7 * len(files[chain])
assert packed(base) < 1.4 * packed(chain)
assert abs(scores[base].mean() - scores[chain].mean()) < 0.025
assert abs(longer.mean() - scores["float32"].mean()) < 0.02
print(
    "the small network: less than 70 % of the chain's file, accuracy within 2.5 points of it;"
)
print("compressed, it is at most 1.4 times as large as the chain's")
print("the wide float32 network with 45 epochs: within 2 points of the one with 20")

# %% [markdown]
# On this task the small network wins the review: a little more than half the file, one training, no mask to hold, and
# (4.7) a shorter time. Only after gzip is the chain's file the smaller one. Pruning pays where you cannot train from
# scratch (the data are gone, training is dear), or where a small network from scratch is worse, as Zhu and Gupta (2017)
# find on large ones. Measure it each time.

# %% [markdown]
# ### 4.7 The table for the review
#
# Latency: TFLite, one thread, one image and 256 at a time, all steps side by side. *Which step will bring the largest
# jump at 256 images?*

# %%
STEPS = (
    "float32",
    "bf16 training",
    "half the neurons",
    "80 % zeros",
    "int8, PTQ",
    "int8, QAT, masks held",
    "small, scratch, PTQ",
)


def invoked(file, batch, calls):
    interpreter = tflite.interpreter(file)
    tflite.run(interpreter, as_input(interpreter, data.train.x[:batch]))
    return lambda: [interpreter.invoke() for _ in range(calls)]


CALLS = {1: 200, 256: 10}
times = {
    batch: side_by_side({step: invoked(files[step], batch, calls) for step in STEPS}, 9)
    for batch, calls in CALLS.items()
}

# %% tags=["nbval-ignore-output"]
print(f"{'':22}{'accuracy':>15}{'file':>9}{'gzip':>9}{'1 image':>10}{'256 images':>12}")
for step in STEPS:
    one, many = (1e6 * times[batch].median(step) / CALLS[batch] for batch in CALLS)
    print(
        f"{step:22}{spread(scores[step]):>15}{len(files[step]):>9,}{packed(step):>9,}"
        f"{one:>7.1f} µs{many:>9.0f} µs"
    )
for step in STEPS[1:]:
    print(f"{step:22}256 images, times as fast: {times[256].speedup(step, over='float32')}")

# %% tags=["nbval-ignore-output"]
with style():
    fig, (sizes_ax, score_ax) = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
    at = np.arange(len(STEPS))
    kilobytes = [len(files[step]) / 1000 for step in STEPS]
    compressed = [packed(step) / 1000 for step in STEPS]
    sizes_ax.hlines(at, compressed, kilobytes, color="#666666", lw=1)
    sizes_ax.plot(kilobytes, at, "o", ms=8, label="file")
    sizes_ax.plot(compressed, at, "s", ms=7, mfc="white", mew=2, label="after gzip")
    sizes_ax.set(xscale="log", xlabel="kB (log scale)", yticks=at, yticklabels=STEPS)
    sizes_ax.invert_yaxis()
    sizes_ax.legend(loc="lower right")
    means = [scores[step].mean() for step in STEPS]
    deviations = [scores[step].std(ddof=1) for step in STEPS]
    score_ax.errorbar(means, at, xerr=deviations, fmt="o", capsize=4)
    score_ax.axvline(longer.mean(), color="black", lw=1, ls="--")
    what = "test accuracy, mean ± std of five seeds\n(dashed: wide float32, 45 epochs)"
    score_ax.set(xlabel=what, xlim=(0.94, 1))
    fig.suptitle(
        "Fewer neurons and int8 shrink the file, zeros only its compressed form", weight="bold"
    )
    plt.show()

# %%
assert times[256].speedup("half the neurons", over="float32").median > 1.2
assert packed("int8, QAT, masks held") < 0.1 * packed("float32")
assert len(files["int8, QAT, masks held"]) < 0.15 * len(files["float32"])
print("the whole chain: less than 15 % of the file, less than 10 % after gzip;")
print("at 256 images half the neurons are faster than all")
assert times[256].speedup(base, over=chain).median > 1.2
print("and the small network from scratch is faster than the chain")

# %% [markdown]
# Read it row by row. bf16: nothing, here. Neurons: file, compressed file and time. Zeros: only the compressed file. int8:
# both files; in time a little gain or a little loss at this width (lesson 04: several times on 1,024 units). And the last row asks
# why we did it.

# %% [markdown]
# ## 5. What the answer sounds like
#
# **Weak.** "I train in bf16, prune 90 % and quantize to int8: 2 × 10 × 4 makes it 80 times smaller and faster." *bf16 does
# not shrink the file, zeros are not removed weights, and the gains do not multiply.*
#
# **Good.** "Train, in bf16 if the hardware has it; remove neurons or channels and fine-tune; zero connections if the
# download matters; then int8, PTQ first, QAT if it loses. I hold the pruning masks during QAT, or use TFMOT's
# prune-preserving scheme, and I measure accuracy, size, compressed size and latency after each step."
#
# **Senior.** The good answer, and: "I start from the constraint: this many milliseconds on this device, this many
# megabytes over the air. Steps that do not move that number I leave out, however good they look: each one is code,
# training time and a way to fail. I check invariants between steps, not only the accuracy: the zeros that are left after
# QAT, the dtype of what is stored, that the integer file scores what the simulation said. I report seeds, and a spread;
# a difference inside it is no difference. And beside the chain I put the small dense network with the same training and
# PTQ. On our digits it won."

# %% [markdown]
# ## 6. Follow-ups
#
# **Do the gains multiply?** Where steps act on different things: the number of weights, the bytes of each. *The chain's
# kernels have 17,024 weights of one byte. How long is its file?*

# %%
widths = (64, *NARROW, 10)
weight_bytes = sum(n * m for n, m in pairwise(widths))  # a byte each
rest = len(files["int8, QAT, masks held"]) - weight_bytes
print(f"{weight_bytes:,} bytes of weights, and more than 1,000 of everything else")
assert weight_bytes == 17_024
assert rest > 1000

# %% [markdown]
# The rest, biases, scales and the graph, does not shrink with the weights; PTQ even adds to it, with a scale for each
# unit. The smaller the model, the more it counts.
#
# **Which step first when time is short?** PTQ: no training, and a quarter of the file where weights fill it.
#
# **When do the zeros pay in time?** With a kernel that reads them: 2:4 on sparse Tensor Cores, XNNPACK's sparse inference
# for some CNNs (lesson 06). Then the pattern has to survive QAT too.
#
# **May QAT and pruning run at once?** Yes: a schedule for the mask and fake quantization in one training. It saves epochs,
# and when it fails you do not know which of the two it was.
#
# **May fake quantization be computed in bf16?** Better not. The quotient x / scale would have 8 significant bits itself,
# and near a threshold round to the wrong level. Keep it in float32.
#
# **And distillation?** The float network as a teacher in each fine-tuning; it combines with all of this.

# %% [markdown]
# ## 7. Quiz
#
# Run the cell: eight questions. A wrong answer says why it is wrong.

# %% tags=["nbval-ignore-output"]
from jupyterquiz import display_quiz

from halfbits.questions import QUIZ_LOOK, quiz

display_quiz(quiz("07_putting_it_together"), **QUIZ_LOOK)

# %% [markdown]
# ## 8. Seen in the wild
#
# - **Fine-tuning undoes the step before.** The request that led to TFMOT's combined schemes says it of sparsity and
#   clustering: training after them modifies the weights, and their benefits are lost.
#   [tensorflow/model-optimization #513](https://github.com/tensorflow/model-optimization/issues/513); the scheme that keeps
#   zeros, with its figures at 50 % sparsity:
#   [#568](https://github.com/tensorflow/model-optimization/pull/568)
# - **"Keep the sparse mask unchanged during quantization."** The same question for PyTorch.
#   [NVIDIA/Model-Optimizer #122](https://github.com/NVIDIA/Model-Optimizer/issues/122)
# - **Two compressions in one call fail.** Pruning and QAT together, an `AttributeError` in the sparsity report.
#   [intel/neural-compressor #1422](https://github.com/intel/neural-compressor/issues/1422)
# - **Pruned, and no faster; a maintainer suggests quantization instead.**
#   [tensorflow/model-optimization #611](https://github.com/tensorflow/model-optimization/issues/611)

# %% [markdown]
# ## 9. References
#
# - S. Han, H. Mao, W. Dally, *Deep Compression: Compressing Deep Neural Networks with Pruning, Trained Quantization and
#   Huffman Coding*, ICLR 2016, [arXiv:1510.00149](https://arxiv.org/abs/1510.00149): prune, quantize, encode.
# - TensorFlow,
#   [Collaborative optimization](https://www.tensorflow.org/model_optimization/guide/combine/collaborative_optimization)
#   and [prune-preserving QAT](https://www.tensorflow.org/model_optimization/guide/combine/pqat_example).
# - M. Zhu, S. Gupta, *To prune, or not to prune*, 2017, [arXiv:1710.01878](https://arxiv.org/abs/1710.01878): large and sparse
#   against small and dense.
# - Z. Liu et al., *Rethinking the Value of Network Pruning*, ICLR 2019,
#   [arXiv:1810.05270](https://arxiv.org/abs/1810.05270).
# - M. Nagel et al., *A White Paper on Neural Network Quantization*, 2021,
#   [arXiv:2106.08295](https://arxiv.org/abs/2106.08295): PTQ first, QAT after.
#
# **Back:** [lesson 06, Pruning](06_pruning.ipynb), and its exercises,
# [exercises/04_pruning](../exercises/04_pruning.ipynb).
