# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # 04 · Quantization
#
# After this lesson you can say what quantization is and what it is not, choose a grid and predict its error in
# decibels, quantize a trained network in three ways, and follow an 8-bit inference integer by integer. It takes about
# an hour; all cells together run for about a minute on two cores.
#
# ## 1. The question
#
# > *What is quantization? How do you quantize a trained model, and what does it cost?*
#
# "Float32 becomes int8, and the model is four times smaller" is where everybody begins. The interviewer waits for the
# rest: where the scale comes from, what happens to numbers outside the range, which parts of the model stay float, and
# why the quantized one may be slower.

# %% [markdown]
# ## 2. The answer in 60 seconds
#
# **Quantization** (量化) stores real numbers as small integers on an evenly spaced grid:
# **real ≈ scale · (q − zero-point)**. The *scale* (缩放因子) is the step of the grid, the *zero-point* (零点) is the integer
# that means 0. Both come from the range of the tensor. A *cast* (类型转换) to fp16 or bf16 has neither.
#
# - **Two errors.** *Rounding* (舍入误差): at most half a step; each bit halves the step and brings 6 dB. *Clipping*
#   (截断误差): whatever lies outside the range. A narrower range trades one for the other.
# - **Two choices.** *Symmetric* (对称, zero-point 0, for weights) or *asymmetric* (非对称, for activations). One scale
#   *per tensor* (逐张量) or one *per channel* (逐通道).
# - **Post-training quantization** (训练后量化, PTQ) comes in three kinds. *Weight-only*: saves storage, and memory traffic
#   where the kernel unpacks the weights. *Dynamic-range*: int8 weights, and activations get their range at run time, from
#   each input. *Full-integer*: all ranges are fixed beforehand on calibration data (校准数据); inference is integers from
#   end to end.
#
# int8 weights take a quarter of fp32's bytes. Speed comes only with kernels made for it on the hardware: measure it. When
# PTQ loses too much: per-channel scales, better ranges, equalization, more bits where it hurts; then training with
# quantization in the loop (lesson 05).

# %% [markdown]
# ## 3. What the source article says
#
# Two of its claims, in our words, and what the cells below will show:
#
# - **D1.** Quantization turns floats into integers *or into smaller floats*, so in mixed precision it is the step from
#   fp32 to fp16 or bf16. **Loose.** That step is a cast: it has no scale, no range and nothing to calibrate (4.1). Who
#   says "quantized" in practice means a scale, and nearly always integers.
# - **D2.** Quantization can adjust the precision *dynamically, while training*. **Not what the term means.** In
#   *dynamic-range* quantization the ranges of the activations are dynamic, at *inference*; the precision is 8 bits from
#   the first to the last input (4.6). Changing the bit width during training exists too, as progressive
#   quantization-aware training: lesson 05 does it.

# %% [markdown]
# ## 4. Evidence
#
# A small network, trained here. The settings were chosen beforehand; what we choose below we choose on the validation
# images, and the test images only report.

# %%
from halfbits.quiet import import_tensorflow

import_tensorflow()  # without the lines that TensorFlow writes when it starts

import inspect
import math
import tempfile
import warnings
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import ml_dtypes  # gives NumPy bfloat16 and the 8-bit floats
import numpy as np
import tensorflow as tf

from halfbits import tflite
from halfbits.data import digits
from halfbits.measure import side_by_side
from halfbits.models import cnn, mlp
from halfbits.plots import COLOURS, style
from halfbits.quantization import error, grid
from halfbits.widgets.quantization_explorer import QuantizationExplorer

data = digits()


def train(hidden, epochs, rate):
    keras.utils.set_random_seed(0)
    model = mlp(keras, hidden, seed=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(*data.train, batch_size=64, epochs=epochs, verbose=0)
    return model


def score(logits, part=data.test):
    return float(np.mean(np.asarray(logits).argmax(axis=1) == part.y))


model = train((64, 64), epochs=20, rate=2e-3)
kernel = model.get_layer("hidden_1").kernel.numpy()
hidden = np.asarray(model.get_layer("hidden_1")(data.validation.x))
assert score(model(data.test.x)) > 0.93
print("kernel", kernel.shape, kernel.dtype, "| its outputs on validation", hidden.shape)

# %% [markdown]
# ### 4.1 To cast or to quantize
#
# `halfbits.quantization.grid` makes a grid for a tensor, and its `round` brings numbers onto it; you will build both
# yourself in the exercises. The same 4,096 weights, cast to four float formats and quantized to 8 bits. *Three of
# the rows have 8 bits a number. Of e4m3 and int8, which is closer on average? And on the small weights?*

# %% tags=["nbval-ignore-output"]
casts = {
    "cast to fp16": np.float16,
    "cast to bf16": ml_dtypes.bfloat16,
    "cast to fp8 e4m3": ml_dtypes.float8_e4m3fn,
    "cast to fp8 e5m2": ml_dtypes.float8_e5m2,
}
weights = kernel.astype(np.float64)
stored = {label: kernel.astype(dtype).astype(np.float64) for label, dtype in casts.items()}
stored["quantized to int8"] = grid(kernel, bits=8).round(kernel)


def sqnr(true, approximate):
    return 10 * np.log10(np.mean(true**2) / np.mean((true - approximate) ** 2))


small = np.abs(weights) < 0.02 * np.abs(weights).max()
print(f"{'':18} {'max error':>10} {'SQNR':>9} {'SQNR of the small ones':>24}")
for label, values in stored.items():
    print(
        f"{label:18} {np.abs(weights - values).max():10.2e} {sqnr(weights, values):6.1f} dB"
        f" {sqnr(weights[small], values[small]):21.1f} dB"
    )

# %%
ahead = sqnr(weights, stored["quantized to int8"]) - sqnr(weights, stored["cast to fp8 e4m3"])
behind = sqnr(weights[small], stored["cast to fp8 e4m3"][small]) - sqnr(
    weights[small], stored["quantized to int8"][small]
)
assert ahead > 5
assert behind > 5
print("int8 is more than 5 dB closer on the whole, and more than 5 dB worse on the small ones")

# %% [markdown]
# **SQNR** (量化信噪比) is the mean square of the numbers over the mean square of the error, in decibels (分贝): every
# 10 dB are a factor of 10. The picture says why the two differ:

# %% tags=["nbval-ignore-output"]
with style():
    fig, ax = plt.subplots()
    size = np.geomspace(2e-3, np.abs(weights).max(), 3000)
    rounded = {
        "quantized to int8": grid(kernel, bits=8).round(size),
        "cast to fp8 e4m3": size.astype(ml_dtypes.float8_e4m3fn).astype(np.float64),
    }
    for (label, values), colour in zip(rounded.items(), ("fp32", "fp8_e4m3"), strict=True):
        ax.loglog(size, np.abs(size - values), ".", ms=2.5, color=COLOURS[colour], label=label)
    ax.set(xlabel="magnitude of a weight", ylabel="magnitude of its error", ylim=(5e-5, 0.04))
    ax.set_title("A float's error grows with the number; an integer grid's does not")
    ax.legend(markerscale=4)
    plt.show()

# %% [markdown]
# A cast looks at one number at a time. A quantization looks at the *whole tensor* first, for the range. So one outlier
# (离群值) ruins all the others, and a cast does not notice it. *Make one weight 50 times as large as the largest. How
# many of the others become exactly 0?*

# %%
spoiled = kernel.copy()
spoiled[0, 0] = 50 * np.abs(kernel).max()
e4m3 = spoiled.astype(ml_dtypes.float8_e4m3fn).astype(np.float64)
assert np.array_equal(e4m3[1:], stored["cast to fp8 e4m3"][1:])  # the cast: nothing has changed
gone = np.mean(grid(spoiled, bits=8).quantize(spoiled)[1:] == 0)
before = np.mean(grid(kernel, bits=8).quantize(kernel)[1:] == 0)
print(
    f"int8 zeros: about {10 * round(10 * before)} % before, more than 30 % after:", gone > 0.3
)
assert before < 0.05
assert gone > 0.3

# %% [markdown]
# That settles D1. A cast is a function of a number; quantization is a function of a number *and a range*, and all the
# craft lies in the range. (fp8 stands between the two: it is a float format, used with a scale. Lesson 02, 4.9.)

# %% [markdown]
# ### 4.2 Scale and zero-point
#
# By hand, once, for a tensor that lies between −0.3 and 1.2, in 8 unsigned bits:

# %%
low, high, qmax = -0.3, 1.2, 255
scale = (high - low) / qmax
zero_point = round(-low / scale)
print(f"scale = {high - low:g} / {qmax} = {scale:.6f}    zero-point = {zero_point}")
for x in (-0.3, 0.0, 0.003, 0.5, 1.2, 2.0):
    q = min(max(round(x / scale) + zero_point, 0), qmax)
    print(f"{x:6} -> q = {q:3} -> {scale * (q - zero_point):8.5f}")
g = grid([low, high], bits=8, symmetric=False)
assert (float(g.scale), int(g.zero_point)) == (scale, zero_point) == (1.5 / 255, 51)

# %% [markdown]
# 0.003 went to the next step, 2.0 was clipped to 1.2, and **0 came back as exactly 0**. It must: zeros are what padding
# and ReLU produce, and an error there would be the same everywhere and add up. So the zero-point is an *integer*, and a
# range that does not hold 0 is widened until it does. *What becomes of a tensor between 2 and 3?*

# %%
g = grid([2.0, 3.0], bits=8, symmetric=False)
print(f"from {g.low:g} to {g.high:g}; of 256 levels, from 2 up: {int(256 - g.quantize(2.0))}")
assert (g.low, g.high) == (0, 3)
assert grid([-3.0, -2.0], bits=8, symmetric=False).zero_point == 255

# %% [markdown]
# The words, once:
#
# | term | symbol | meaning |
# |---|---|---|
# | scale 缩放因子 | s, Δ | the step of the grid, in the unit of the tensor |
# | zero-point 零点 | z | the integer that stands for 0 |
# | range 量化范围 | α … β | what the grid covers, s · (qmin − z) … s · (qmax − z) |
# | calibration 校准 | | choosing the range from sample inputs |
# | rounding error 舍入误差 | | inside the range, at most s/2 |
# | clipping error 截断误差 | | outside the range: the distance to its end |
# | SQNR 量化信噪比 | | 10 · log₁₀(mean x² / mean error²), in dB |
# | W8A8, W4A16 | | bits of the weights, bits of the activations |
# | requantization 重量化 | | from the int32 sum back to 8 bits |

# %% [markdown]
# ### 4.3 Two choices
#
# **Symmetric or asymmetric.** Symmetric: as far to the left as to the right, zero-point 0. *The outputs of a ReLU are
# never negative. How many decibels does a symmetric grid waste on them?*

# %% tags=["nbval-ignore-output"]
gains = {}
for label, tensor in (("ReLU outputs", hidden), ("weights", kernel)):
    symmetric, asymmetric = (error(tensor, grid(tensor, 8, symmetric=s)) for s in (True, False))
    gains[label] = asymmetric.sqnr - symmetric.sqnr
    print(
        f"{label:13} symmetric {symmetric.sqnr:5.1f} dB, asymmetric {asymmetric.sqnr:5.1f} dB"
    )

# %%
assert (grid(hidden, 8).quantize(hidden) >= 0).all()  # the negative half is never used
assert 5.5 < gains["ReLU outputs"] < 6.5
assert gains["weights"] < 2.5
print("ReLU outputs: 6 dB, which is one bit. Weights lie around 0 already: less than 2.5 dB")

# %% [markdown]
# So why not asymmetric everywhere? Because of the products. An integer layer wants Σ (w − z_w)(x − z_x), and has the
# integers w and x:
#
# > Σ (w − z_w)(x − z_x) = Σ w·x − z_x · Σ w − z_w · Σ x + n · z_w · z_x
#
# Σ w and the last term are known before any input arrives and go into the bias. **Σ x is not**: with z_w ≠ 0 it has to
# be added up for every input. With z_w = 0 the term is gone.

# %%
rng = np.random.default_rng(0)
w, x = rng.integers(-127, 128, 64), rng.integers(-128, 128, 64)
z_w, z_x = 7, -20
whole = ((w - z_w) * (x - z_x)).sum()
parts = (w * x).sum(), -z_x * w.sum(), -z_w * x.sum(), len(w) * z_w * z_x
print(f"{whole} = " + " + ".join(f"({part})" for part in parts))
assert whole == sum(parts)

# %% [markdown]
# **Per tensor or per channel.** A channel (通道) of weights is what makes one output: a column of this kernel. Each may
# have its own scale, since a scale that belongs to an *output* can be taken out of its sum and applied once, after it.
# A scale for each *input* cannot: it stands inside. That is why weights get a scale a channel and activations do not.

# %% tags=["nbval-ignore-output"]
reach = np.abs(kernel).max(axis=0)
per_tensor, per_channel = (error(kernel, grid(kernel, 8, axis=a)).sqnr for a in (None, 1))
print(f"the largest weight of a channel: from {reach.min():.2f} to {reach.max():.2f}")
print(f"one scale {per_tensor:.1f} dB, {len(reach)} scales {per_channel:.1f} dB")

# %%
assert per_channel > per_tensor + 1
print("per channel is more than 1 dB better; 64 float scales beside 4,096 int8 weights")

# %% [markdown]
# Here the channels are nearly alike, and it is a few decibels. Section 4.7 shows a network where it is the difference
# between working and not.

# %% [markdown]
# ### 4.4 Six decibels a bit
#
# In one line: rounding errors are spread evenly over a step Δ, so their mean square is **Δ²/12**; one more bit halves
# Δ, quarters the noise power, and **10 · log₁₀ 4 = 6.02 dB**. *Check it on numbers that really are uniform: how many
# decibels do 4 bits give, and 8?*

# %%
uniform = np.random.default_rng(0).uniform(-1, 1, 100_000)
print(f"{'bits':>4} {'mean squared error':>19} {'Δ²/12':>9} {'SQNR':>9}")
measured = {}
for bits in range(3, 9):
    g = grid(uniform, bits)
    found = error(uniform, g)
    measured[bits] = found.sqnr
    noise = g.scale**2 / 12
    print(f"{bits:4} {found.rounding:19.2e} {noise:9.2e} {found.sqnr:6.1f} dB")
    assert abs(found.rounding / noise - 1) < 0.03
assert all(5.9 < measured[b + 1] - measured[b] < 7.5 for b in range(3, 8))

# %% [markdown]
# (A symmetric grid has 2^b − 1 levels and not 2^b. With few bits that counts: from 3 to 4 the step shrinks to 3/7,
# which is 7.4 dB, and from 2 to 3 to a third, 9.5 dB.) Real weights are bell-shaped: most lie in the middle of the
# range, so the level is lower, but from 4 bits on the slope is the same.

# %% tags=["nbval-ignore-output"]
widths = np.arange(2, 9)
clips = np.arange(10, 101, 5) / 100


def best_clip(bits, axis=None):
    """The share of the range with the smallest mean squared error."""
    return max(clips, key=lambda c: error(kernel, grid(kernel, bits, axis=axis, clip=c)).sqnr)


curves = {
    "uniform numbers": [error(uniform, grid(uniform, b)).sqnr for b in widths],
    "weights, per tensor": [error(kernel, grid(kernel, b)).sqnr for b in widths],
    "weights, per channel": [error(kernel, grid(kernel, b, axis=1)).sqnr for b in widths],
    "weights, per tensor, best clipping": [
        error(kernel, grid(kernel, b, clip=best_clip(b))).sqnr for b in widths
    ],
}
with style():
    fig, ax = plt.subplots()
    for (label, values), look in zip(curves.items(), ("o-", "s--", "^-.", "v:"), strict=True):
        ax.plot(widths, values, look, label=label)
    ax.set(xlabel="bits", ylabel="SQNR (dB)", xticks=widths)
    ax.set_title("From 4 bits on, a bit brings about 6 dB, whatever the tensor")
    ax.legend()
    plt.show()

# %%
for label, values in curves.items():
    slope = (values[-1] - values[2]) / 4  # from 4 to 8 bits
    assert 5.2 < slope < 6.7, (label, slope)
print("from 4 to 8 bits all four rise by 5 to 7 dB a bit")

# %% [markdown]
# **Clipping.** The range need not be from minimum to maximum. Cut it, and the step shrinks for all, while the few
# outside are clipped. *At which width is it worth more, 8 bits or 3?*

# %% tags=["nbval-ignore-output"]
with style():
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
    for ax, bits in zip(axes, (8, 3), strict=True):
        found = [error(kernel, grid(kernel, bits, clip=c)) for c in clips]
        ax.semilogy(clips, [e.rounding for e in found], "--", label="rounding")
        ax.semilogy(clips, [max(e.clipping, 1e-12) for e in found], ":", label="clipping")
        total = [e.rounding + e.clipping for e in found]
        ax.semilogy(clips, total, color="black", label="both")
        ax.plot(best_clip(bits), min(total), "o", color="black")
        ax.set(xlabel="share of the range that the grid covers", title=f"{bits} bits")
    axes[0].set(ylabel="mean squared error", ylim=(1e-7, 1e-1))
    axes[0].legend()
    fig.suptitle("Fewer bits, narrower range: the best cut depends on the width", weight="bold")
    plt.show()

# %%
gain = {
    bits: error(kernel, grid(kernel, bits, clip=best_clip(bits))).sqnr
    - error(kernel, grid(kernel, bits)).sqnr
    for bits in (8, 3)
}
assert gain[8] < 1.5
assert gain[3] > 2
assert best_clip(8) > best_clip(3)
print("cutting gains less than 1.5 dB at 8 bits, more than 2 dB at 3 bits")

# %% [markdown]
# At 8 bits rounding is so small that clipping costs more at once; at 3 bits rounding is what hurts.

# %% [markdown]
# ### 4.5 Try it
#
# The kernel of `hidden_1` and the grid over it. The settings go to the weights of *all three* layers, each with its own
# range; activations stay float. The accuracy is what NumPy finds on the 200 validation images, half a point each.
#
# 1. **2 bits, symmetric, per tensor.** That is three levels. What is left of the accuracy? Now narrow the range. Where
#    is the error smallest? Where is the accuracy best? Are these the same place?
# 2. **Per channel**, at 2 bits and at the full range. Look at the channels below the histogram: which ones gain?
# 3. **Asymmetric** at 2 bits gives four levels instead of three. Is it always better?
# 4. **Go up to 4 bits.** From which width on is there nothing left to choose?

# %%
biases = {layer.name: layer.bias.numpy() for layer in model.layers}
kernels = {layer.name: layer.kernel.numpy() for layer in model.layers}


def forward(kernels, inputs):
    """The network in NumPy; activations in float."""
    for name, matrix in kernels.items():
        inputs = inputs @ matrix.astype(np.float32) + biases[name]
        if name != "logits":
            inputs = np.maximum(inputs, 0)
    return inputs


assert np.allclose(
    forward(kernels, data.test.x), np.asarray(model(data.test.x)), atol=1e-4
)  # the same network

# %% tags=["nbval-ignore-output"]
explorer = QuantizationExplorer(
    kernels, lambda quantized: score(forward(quantized, data.validation.x), data.validation)
)
explorer

# %% [markdown]
# Python sees the controls. Run the cell again after you have moved one.

# %% tags=["nbval-ignore-output"]
print(explorer)
print(explorer.result())

# %% [markdown]
# And Python can ask for any setting. *Two bits: choose the range by the error, and by the validation accuracy. Which
# is better on the test images?*


# %% tags=["nbval-ignore-output"]
def weight_only(bits, per_channel=False, clip=100):
    """Test accuracy with quantized weights and float activations."""
    axis = -1 if per_channel else None
    quantized = {
        name: grid(k, bits, axis=axis, clip=clip / 100).round(k) for name, k in kernels.items()
    }
    return score(forward(quantized, data.test.x))


percents = range(10, 101, 5)
tests = {}
for bits in (8, 4, 3, 2):
    for per_channel in (False, True):
        settings = [
            (p, explorer.result(bits=bits, per_channel=per_channel, clip=p)) for p in percents
        ]
        by_error = max(settings, key=lambda s: s[1].sqnr)[0]
        by_accuracy = max(settings, key=lambda s: (s[1].accuracy, s[0]))[0]
        tests[bits, per_channel] = [
            weight_only(bits, per_channel, p) for p in (100, by_error, by_accuracy)
        ]
        full, error_best, accuracy_best = tests[bits, per_channel]
        print(
            f"{bits} bits per {'channel' if per_channel else 'tensor ':7}  full range {full:.3f}   "
            f"least error, {by_error:3} %: {error_best:.3f}   "
            f"best on validation, {by_accuracy:3} %: {accuracy_best:.3f}"
        )

# %%
in_float = score(model(data.test.x))
assert abs(tests[8, False][0] - in_float) < 0.015
assert abs(tests[4, True][0] - in_float) < 0.04
assert tests[2, False][0] < in_float - 0.1
assert max(tests[2, False][1:]) > tests[2, False][0] + 0.05
print("8 bits lose nothing that counts; 2 bits over the full range lose more than 10 points,")
print("and a better range wins back 5 or more, without any training")

# %% [markdown]
# Remember that last line. Whoever shows how much training with quantization gains should compare with PTQ at its *best*
# range, not at min–max.

# %% [markdown]
# ### 4.6 Three ways with the TFLite converter
#
# [`halfbits/tflite.py`](../halfbits/tflite.py) sets a few attributes of TensorFlow's converter and keeps its log lines
# away. What the four kinds of file ask of it:

# %% tags=["nbval-ignore-output"]
for name, settings in tflite.SCHEMES.items():
    lines = inspect.getsource(settings).splitlines()[1:]
    print(name)
    print("\n".join(f"    {line.strip()}" for line in lines))

# %% [markdown]
# *Which of the files have int8 kernels? Which have int8 inputs? And which of them needed data?*

# %%
calibration = data.train.x[:200]
files = {scheme: tflite.convert(model, scheme, calibration) for scheme in tflite.SCHEMES}


def tensors(content):
    return tflite.interpreter(content, reference=True).get_tensor_details()


def scales(tensor):
    return len(tensor["quantization_parameters"]["scales"])


found = {}
for scheme, content in files.items():
    interpreter = tflite.interpreter(content)
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    matrices = [t for t in tensors(content) if tuple(t["shape"]) in ((64, 64), (10, 64))]
    found[scheme] = sorted({(np.dtype(t["dtype"]).name, scales(t)) for t in matrices})
    print(
        f"{scheme:14} in {given['dtype'].__name__:8} out {wanted['dtype'].__name__:8} "
        f"matrices (dtype, scales): {found[scheme]}"
    )
assert found["float16"] == [("float16", 0), ("float32", 0)]
assert found["dynamic_range"] == [("float32", 0), ("int8", 64)]
assert found["full_integer"] == [("int8", 10), ("int8", 64)]

# %% [markdown]
# - **float16** is the converter's weight-only kind, and it is a *cast*: no scales. The float32 tensors in its list are
#   what an interpreter makes of it before it computes. (Weight-only with *integers* is what 4.5 did, and common
#   for large language models: W4A16.)
# - **dynamic_range** has int8 kernels, a scale a channel; inputs, outputs and biases are float. One kernel is still
#   float32: the last one has 640 numbers, and below 1,024 the converter does not bother.
# - **full_integer** is integers from end to end. It is the only one that needed the calibration images.


# %% tags=["nbval-ignore-output"]
def outputs(content, inputs, reference=False):
    """What a converted model gives, in its own dtype, for float inputs."""
    interpreter = tflite.interpreter(content, reference)
    given = interpreter.get_input_details()[0]
    if given["dtype"] == np.int8:
        scale, zero_point = given["quantization"]
        inputs = np.clip(np.rint(inputs / scale) + zero_point, -128, 127).astype(np.int8)
    return tflite.run(interpreter, inputs)


wide = train((1024, 1024), epochs=4, rate=1e-3)
wide_files = {scheme: tflite.convert(wide, scheme, calibration) for scheme in tflite.SCHEMES}


def repeated(interpreter, times=20):
    interpreter.invoke()
    return lambda: [interpreter.invoke() for _ in range(times)]


latency = side_by_side(
    {scheme: repeated(tflite.interpreter(content)) for scheme, content in wide_files.items()},
    rounds=15,
)
accuracy = {
    (width, scheme): score(outputs(content, data.test.x))
    for width, some in ((64, files), (1024, wide_files))
    for scheme, content in some.items()
}
print(f"{'':14}{'64-64-64-10':>22}   {'64-1024-1024-10':>32}")
print(
    f"{'':14}{'bytes':>12}{'accuracy':>10}   {'bytes':>11}{'accuracy':>10}{'latency':>11}   speed"
)
for scheme in tflite.SCHEMES:
    print(
        f"{scheme:14}{len(files[scheme]):12,}{accuracy[64, scheme]:10.3f}   "
        f"{len(wide_files[scheme]):11,}{accuracy[1024, scheme]:10.3f}"
        f"{latency.median(scheme) / 20 * 1e6:8.0f} µs   "
        f"{latency.speedup(scheme, 'float32')}"
    )

# %% [markdown]
# One image at a time, one thread; the speed is relative to float32's. The brackets hold the quartiles of the rounds; machines drift, and another run gives
# other microseconds. What does not drift:

# %%
for scheme, least, most in (
    ("float16", 1.9, 2.1),
    ("dynamic_range", 3.7, 4.1),
    ("full_integer", 3.6, 4.1),
):
    ratio = len(wide_files["float32"]) / len(wide_files[scheme])
    assert least < ratio < most, (scheme, ratio)
    assert abs(accuracy[1024, scheme] - accuracy[1024, "float32"]) < 0.02
    assert abs(accuracy[64, scheme] - accuracy[64, "float32"]) < 0.02
assert len(files["float32"]) / len(files["full_integer"]) < 3
print("wide network: 2, 4 and 4 times smaller, and no accuracy lost that counts (2 points)")
print("narrow network: less than 3 times smaller; headers and scales take their share")

# %% [markdown]
# **On speed.** On this CPU float16 computes in float32: nothing gained. The int8 files win where the interpreter has
# integer kernels for the CPU *and* the layers are large enough: a matrix of 1,024 × 1,024 is 4 MB of fp32 to be read
# for every image, and 1 MB of int8. *The same full-integer file on the reference kernels, plain loops:*

# %% tags=["nbval-ignore-output"]
slow = side_by_side(
    {
        "float32, optimized": repeated(tflite.interpreter(wide_files["float32"]), 3),
        "int8, reference": repeated(
            tflite.interpreter(wide_files["full_integer"], reference=True), 3
        ),
    },
    rounds=5,
)
print(
    "the reference kernels take",
    slow.ratio("int8, reference", "float32, optimized"),
    "times as long as optimized float32",
)

# %% [markdown]
# The file is the same, byte for byte. **A quantized model is not fast; a kernel is.**
#
# **And what is dynamic?** D2 again. Feed both int8 models an input that is 10 times too bright, which no calibration
# image was. The float network's answer is the truth here. *Which of the two follows it?*

# %% tags=["nbval-ignore-output"]
agreement = {}
for factor in (1, 10):
    truth = np.asarray(model(factor * data.test.x)).argmax(axis=1)
    for scheme in ("dynamic_range", "full_integer"):
        got = outputs(files[scheme], factor * data.test.x).argmax(axis=1)
        agreement[scheme, factor] = float(np.mean(got == truth))
        print(
            f"inputs × {factor:<3} {scheme:14} agrees with float: {agreement[scheme, factor]:.3f}"
        )

# %%
assert min(agreement["dynamic_range", factor] for factor in (1, 10)) > 0.97
assert agreement["full_integer", 1] > 0.97
assert agreement["full_integer", 10] < 0.95
print("dynamic-range quantization takes the range from each input; full-integer clips at 1.0")

# %% [markdown]
# Dynamic is the *range*, at inference. The bits are 8 all the time, and nothing is being trained.

# %% [markdown]
# ### 4.7 How it goes wrong
#
# **The calibration data are not the real data.** The classic: the model is calibrated on inputs that went through the
# preprocessing once too often or not at all. Nothing complains.

# %% tags=["nbval-ignore-output"]
wrong = {
    "as it should be": calibration,
    "divided by 16 twice": calibration / 16,
    "pixels from 0 to 255": calibration * 255,
}
calibrated = {}
for label, images in wrong.items():
    content = tflite.convert(model, "full_integer", images)
    calibrated[label] = score(outputs(content, data.test.x))
    print(f"calibrated on images {label:22} accuracy {calibrated[label]:.3f}")

# %%
assert calibrated["as it should be"] > 0.93
assert max(calibrated["divided by 16 twice"], calibrated["pixels from 0 to 255"]) < 0.9
print("too narrow a range clips, too wide a range rounds: both lose points, silently")

# %% [markdown]
# **The channels are not alike.** Take a hidden unit, multiply its incoming weights and its bias by 8, and divide its
# outgoing weights by 8. ReLU lets a positive factor pass, so the network computes the same. With powers of two it is
# the same *to the last bit*. We give every hidden unit a factor of its own, from 1/16 to 16. *What does 8-bit
# quantization make of it, with one scale a tensor and with one a channel?*


# %%
def rescaled(model, factors):
    """The same function: each hidden unit's inputs times its factor, its outputs divided by it."""
    weights = [w.copy() for w in model.get_weights()]
    for layer, factor in enumerate(factors):
        weights[2 * layer] *= factor  # columns of the kernel
        weights[2 * layer + 1] *= factor
        weights[2 * layer + 2] /= factor[:, np.newaxis]  # rows of the next kernel
    other = mlp(keras)
    other.set_weights(weights)
    return other


def uneven(seed):
    rng = np.random.default_rng(seed)
    return rescaled(model, [np.float32(2.0) ** rng.integers(-4, 5, 64) for _ in range(2)])


truth = np.asarray(model(data.test.x))
assert all(np.array_equal(np.asarray(uneven(seed)(data.test.x)), truth) for seed in range(3))
print("three badly scaled networks; every logit of every test image is the same to the bit")


# %% [markdown]
# The converter quantizes weights per channel. Its switches for one scale a tensor are private; a scheme of our own sets
# them, to see what they would do.


# %%
def per_tensor(converter, representative):
    tflite.SCHEMES["full_integer"](converter, representative)
    converter._experimental_disable_per_channel = True
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


tflite.SCHEMES["per_tensor"] = per_tensor
content = tflite.convert(model, "per_tensor", calibration)
assert {scales(t) for t in tensors(content) if t["dtype"] == np.int8} == {1}
print("one scale a tensor")

# %% tags=["nbval-ignore-output"]
labels = {"per_tensor": "a scale a tensor", "full_integer": "a scale a channel"}


def quantized_accuracy(model, scheme):
    return score(outputs(tflite.convert(model, scheme, calibration), data.test.x))


fall = {}
for scheme, label in labels.items():
    even = quantized_accuracy(model, scheme)
    fall[scheme] = [quantized_accuracy(uneven(seed), scheme) for seed in range(3)]
    print(
        f"int8, {label:17} even network {even:.3f}   badly scaled ones "
        + ", ".join(f"{a:.3f}" for a in fall[scheme])
    )

# %%
assert np.mean(fall["per_tensor"]) < in_float - 0.15
assert np.mean(fall["full_integer"]) > np.mean(fall["per_tensor"]) + 0.1
print("one scale a tensor loses more than 15 points; a scale a channel saves most of them")

# %% [markdown]
# Not all: the *activations* of the badly scaled units are as uneven as their weights, and they have one scale a tensor
# in either case. Networks come out of training like this, after batch-norm folding (批归一化折叠) above all: MobileNet
# per tensor is the known example (section 8).
#
# The cure is in the disease. Scaling a unit changes nothing in float, so *choose* the factors: such that a unit's
# incoming and outgoing weights reach equally far. That is **cross-layer equalization** (跨层均衡; Nagel et al., 2019),
# and it needs no data.


# %% tags=["nbval-ignore-output"]
def equalized(model, sweeps=4):
    for _ in range(sweeps):
        for at in range(2):
            matrices = [layer.kernel.numpy() for layer in model.layers]
            incoming = np.abs(matrices[at]).max(axis=0)
            outgoing = np.abs(matrices[at + 1]).max(axis=1)
            factors = [np.ones(64, np.float32)] * 2
            factors[at] = np.sqrt(outgoing / incoming)
            model = rescaled(model, factors)
    return model


cured = [quantized_accuracy(equalized(uneven(seed)), "per_tensor") for seed in range(3)]
print(f"float {in_float:.3f}; equalized, one scale a tensor:", [round(a, 3) for a in cured])

# %%
assert min(cured) > in_float - 0.02
print("equalized, 8 bits with one scale a tensor are within 2 points of float again")

# %% [markdown]
# ### 4.8 Integers only, number by number
#
# What does "no float between" mean? We take the last layer alone, so that the interpreter's input and output are
# the layer's: 64 numbers in, 10 out, all int8.

# %%
before_logits = keras.Sequential([keras.Input((64,)), *model.layers[:-1]])
last = keras.Sequential([keras.Input((64,)), model.layers[-1]])
content = tflite.convert(last, "full_integer", np.asarray(before_logits(calibration)))
interpreter = tflite.interpreter(content, reference=True)
(given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
matrix = next(t for t in interpreter.get_tensor_details() if tuple(t["shape"]) == (10, 64))
bias = next(t for t in interpreter.get_tensor_details() if t["dtype"] == np.int32)
w_q, b_q = interpreter.get_tensor(matrix["index"]), interpreter.get_tensor(bias["index"])
(s_x, z_x), (s_y, z_y) = given["quantization"], wanted["quantization"]
s_w = matrix["quantization_parameters"]["scales"]
print("weights", w_q.dtype, w_q.shape, "| bias", b_q.dtype, b_q.shape, "| scales", s_w.shape)
assert (matrix["quantization_parameters"]["zero_points"] == 0).all()
assert np.allclose(bias["quantization_parameters"]["scales"], s_x * s_w)

# %% [markdown]
# The biases have the scale s_x · s_w, which is that of the products: they can be added to the sum as they are. One
# image, one unit, every integer:

# %% tags=["nbval-ignore-output"]
activations = np.asarray(before_logits(data.test.x))
x_q = np.clip(np.rint(activations / np.float32(s_x)) + z_x, -128, 127).astype(np.int8)
image, unit = 0, int(data.test.y[0])
x, w = x_q[image].astype(int), w_q[unit].astype(int)
print(f"x, zero-point {z_x}:\n{x.reshape(8, 8)}\nw, zero-point 0:\n{w.reshape(8, 8)}\n")
print(f"Σ w·x                = {(w * x).sum()}")
print(f"− zero-point · Σ w   = {-z_x} · {w.sum()} = {-z_x * w.sum()}")
print(f"bias                 = {b_q[unit]}")
total = int((w * x).sum() - z_x * w.sum() + b_q[unit])
print(f"the int32 sum        = {total}\n")

real = float(s_x) * float(s_w[unit]) / float(s_y)
fraction, shift = math.frexp(real)  # real = fraction · 2^shift, fraction from 0.5 to 1
mantissa = round(fraction * 2**31)
print(f"s_x · s_w / s_y      = {real:.9f} ≈ {mantissa} · 2^({shift} − 31)")
scaled = (total * mantissa + (1 << (30 - shift))) >> (31 - shift)
y_q = min(max(scaled + z_y, -128), 127)
print(f"({total} · {mantissa} + 2^{30 - shift}) >> {31 - shift} = {scaled}")
print(f"+ zero-point {z_y}, clipped to int8: {y_q}")
print(f"the interpreter says: {tflite.run(interpreter, x_q[image : image + 1])[0, unit]}")

# %% [markdown]
# The real multiplier s_x · s_w / s_y is the only number here that is not an integer. It is known before any input
# arrives, so it can be written, once, as a 31-bit integer and a shift: a **fixed-point multiplier** (定点乘数; Jacob et
# al., 2018). Half a unit is added before the shift: that is rounding. What is left for each input is integers only.
#
# One output may be luck. All of them, for every test image:

# %%
multipliers = np.float64(s_x) * s_w.astype(np.float64) / np.float64(s_y)
fractions, shifts = np.frexp(multipliers)
mantissas, shifts = np.rint(fractions * 2**31).astype(np.int64), shifts.astype(np.int64)
sums = (x_q.astype(np.int64) - z_x) @ w_q.T.astype(np.int64) + b_q
scaled = (sums * mantissas + (np.int64(1) << (30 - shifts))) >> (31 - shifts)
ours = np.clip(scaled + z_y, -128, 127)
reference = tflite.run(interpreter, x_q)
assert np.abs(sums).max() < 2**31
assert np.array_equal(ours, reference)
print(f"{ours.size:,} outputs, all equal to the reference interpreter's")

# %% [markdown]
# Equal results, not equal means. Our formula is TFLite's `MultiplyByQuantizedMultiplier` as it is where it was compiled to
# [round once](https://github.com/tensorflow/tensorflow/pull/50290). But the *reference* kernel of a dense layer
# multiplies the sum by a real number in double precision and rounds that, in the TensorFlow of this course
# ([#119412](https://github.com/tensorflow/tensorflow/issues/119412)), and the default, optimized kernel goes through
# float32. *Where can they differ from us, and from each other?* Only where the product is an exact half, or so
# near to one that float32 cannot tell. On a rare output that gives the neighbour:

# %% tags=["nbval-ignore-output"]
optimized = tflite.run(tflite.interpreter(content), x_q)
differ = int((optimized != reference).sum())
print(f"{differ} of {reference.size:,} outputs differ between the default and the reference")

# %%
assert np.abs(optimized.astype(int) - reference).max() <= 1
assert differ < reference.size / 200
print("no output differs by more than 1")

# %% [markdown]
# A layer made for it: two inputs, the weights 127 and 1, the multiplier 1/128. Many of its products are exact halves,
# and there the three round in three ways. The fourth column has the same numbers as a convolution of one pixel, run by the
# reference interpreter; do not expect 63/128 to become 0:

# %%
halves = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
halves.set_weights([np.float32([[127], [1]])])
content = tflite.convert(halves, "full_integer", np.float32([[-127.5, -127.5], [127.5, 127.5]]))
interpreters = {"reference": tflite.interpreter(content, reference=True)}
interpreters["default"] = tflite.interpreter(content)
pixel = keras.Sequential([keras.Input((1, 1, 2)), keras.layers.Conv2D(1, 1, use_bias=False)])
pixel.set_weights([np.float32([[[[127], [1]]]])])
content = tflite.convert(pixel, "full_integer", np.float32([[[[-127.5] * 2]], [[[127.5] * 2]]]))
interpreters["convolution"] = tflite.interpreter(content, reference=True)
(half,) = tflite.dense_layers(interpreters["reference"])
assert half.x_scale * half.w_scales[0] / half.out_scale == 1 / 128
x_q = np.int8([[a, b] for a in range(-128, 128) for b in range(-128, 128)])
sums = (x_q.astype(int) - half.x_zero_point) @ half.w_q[:, 0].astype(int)
rounded = {"ours": (sums + 64) >> 7}
for name, one in interpreters.items():
    shape = one.get_input_details()[0]["shape"][1:]
    out = tflite.run(one, x_q.reshape(-1, *shape))
    rounded[name] = out.ravel().astype(int) - half.out_zero_point
print(f"{'product':12}" + "".join(f"{name:>13}" for name in rounded))
for total in (320, 192, -192, -320, 63):  # all but the last 64 more than a multiple of 128
    at = int(np.argmax(sums == total))
    print(
        f"{total / 128:<12}" + "".join(f"{int(all_of[at]):13}" for all_of in rounded.values())
    )
twice = rounded.pop("convolution")
assert twice[np.argmax(sums == 63)] == 1
for name, all_of in rounded.items():
    inside = (sums / 128 % 1 != 0.5) & (sums > -127 * 128) & (sums < 128 * 128)
    assert np.array_equal(all_of[inside], np.rint(sums[inside] / 128)), name

# %% [markdown]
# Ours rounds an exact half up, the reference away from zero, the default to even. Everywhere else they agree. The
# convolution multiplies and shifts, as we did, and rounds *twice*: 63/128 to 1/2, and that to 1. TensorFlow's own library
# is compiled that way, and so is Arm's [CMSIS-NN](https://github.com/ARM-software/CMSIS-NN), for hardware without floats,
# unless one asks for single rounding.

# %% [markdown]
# ### 4.9 What Keras's own `quantize("int8")` does
#
# Keras 3 has a method of its own. It works in place. *Which dtypes has a Dense layer afterwards, and which layers has
# it left alone?*


# %%
def keras_int8(model, build):
    """A copy of a model, quantized by Keras, and the classes of the layers that it could not quantize."""
    copy = build()
    copy.set_weights(model.get_weights())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        copy.quantize("int8")
    said = [str(w.message) for w in caught]
    return copy, [s.split()[1] for s in said if "does not have a `quantize` method" in s]


quantized, _ = keras_int8(model, lambda: mlp(keras))
for v in quantized.layers[0].variables:
    print(f"{v.name:13} {v.dtype:8} {tuple(v.shape)}   trainable: {v.trainable}")
convolutional = cnn(keras, seed=0)
half_done, skipped = keras_int8(convolutional, lambda: cnn(keras))
for layer in half_done.layers:
    if layer.variables:
        print(f"{layer.name:8} {layer.dtype_policy.name}")
assert quantized.layers[0].kernel.dtype == "int8"
assert "Conv2D" in skipped
assert half_done.get_layer("conv_1").kernel.dtype == "float32"

# %% [markdown]
# The policy is called `int8_from_float32`. Dense, EinsumDense and the Embedding layers are quantized; a `Conv2D` is
# not, and a warning is all that says so. The arithmetic, from the source that is installed here:

# %% tags=["nbval-ignore-output"]
print("keras", keras.version())
source = inspect.getsource(keras.quantizers.abs_max_quantize)
print(source[source.rindex("    inputs = ops.convert_to_tensor(inputs)") :])
source = inspect.getsource(keras.layers.Dense._int8_call)
print(source[source.index("            x = ops.matmul(inputs, kernel)") :].split("return x")[0])

# %% [markdown]
# Symmetric, −127 … 127; a scale a channel for the kernel; a scale for *each row of the input*, taken when it arrives.
# That is dynamic-range quantization. The sum is int32 and goes back to float at once; bias, activation and whatever
# follows are float. And mind the word: Keras's *scale* is 127 / max, the **reciprocal** of everybody else's. (Keras's
# own guide describes another grid, −128 … 127 with a step of 2 · max / 256. What counts is the code.)

# %%
g = grid(kernel, bits=8, axis=1)
layer = quantized.layers[0]
reciprocal = 1 / layer.kernel_scale.numpy()
assert np.allclose(reciprocal, g.scale[0], rtol=1e-5)
off = np.abs(layer.kernel.numpy().astype(int) - g.quantize(kernel))
assert off.max() <= 1
assert np.mean(off > 0) < 0.01
row, _ = keras.quantizers.abs_max_quantize(data.test.x[:1], axis=-1)
print("int8 @ int8 gives", keras.ops.matmul(row, layer.kernel).dtype.name)
print(
    "kernel_scale is 1 / scale of our symmetric per-channel grid; over 99 % of the integers agree"
)

# %% tags=["nbval-ignore-output"]
plain = mlp(keras, (1024, 1024))  # not compiled: a file of weights would hold the optimizer too
plain.set_weights(wide.get_weights())
small, _ = keras_int8(wide, lambda: mlp(keras, (1024, 1024)))
sizes, calls = {}, {}
image = tf.constant(data.test.x[:1])
with tempfile.TemporaryDirectory() as folder:
    for label, some in (("float32", plain), ("int8", small)):
        some.save_weights(Path(folder) / f"{label}.weights.h5")
        sizes[label] = (Path(folder) / f"{label}.weights.h5").stat().st_size
        graph = tf.function(some)
        calls[label] = lambda graph=graph: [graph(image).numpy() for _ in range(10)]
keras_times = side_by_side(calls)
for label, some in (("float32", plain), ("int8", small)):
    print(
        f"{label:8} weights file {sizes[label]:9,} bytes   accuracy {score(some(data.test.x)):.3f}"
        f"   {keras_times.median(label) / 10 * 1e6:5.0f} µs an image"
    )
print("int8 takes", keras_times.ratio("int8", "float32"), "times as long")

# %%
assert 3.7 < sizes["float32"] / sizes["int8"] < 4.1
assert abs(score(small(data.test.x)) - score(plain(data.test.x))) < 0.02
assert not small.layers[0].kernel.trainable
print(
    "a quarter of the bytes, the same accuracy within 2 points, and kernels that no longer train"
)

# %% [markdown]
# So Keras's int8 is for *storing and serving* a large Keras model in less memory; its kernels are frozen (LoRA is the
# way to go on training). It is not integer-only inference, and whether it is faster depends on what the backend does
# with an int8 product.

# %% [markdown]
# ## 5. What the answer sounds like
#
# **Weak.** "Quantization converts the model from float32 to int8 or float16, so it is four times smaller and faster,
# with a small loss of accuracy." *No scale, no range; a cast counted in; a speed and an accuracy that nobody measured.*
#
# **Good.** "real ≈ scale · (q − zero-point). Weights symmetric and per channel, activations asymmetric and per tensor.
# Post-training there is weight-only, dynamic-range, where activation ranges are taken at run time, and full-integer,
# which needs a representative data set. Each bit is 6 dB. 8 bits usually cost next to nothing; below 4 I expect to
# train with quantization."
#
# **Senior.** The good answer, and: "I start from the hardware, since a scheme without kernels there is only a smaller
# file. I calibrate on real preprocessed inputs, a few hundred of them, and compare float and int8 *layer by layer*, not
# only the final accuracy. When one scale a tensor fails I look at the ranges of the channels: outliers and uneven
# scales are the cause, and per-channel scales, clipping or equalization cure them without training. I know what stays
# float: in dynamic-range files the activations between the layers, in any file the operations without an integer
# kernel, unless I forbid it. Sums are int32; to requantize, one kernel multiplies by an integer and shifts, another
# multiplies by a float, so two runtimes may differ by one in the last place, and I test with that tolerance. And a gain
# of QAT I compare with PTQ at its best range."

# %% [markdown]
# ## 6. Follow-ups
#
# **Why is the accumulator int32?** A product of two int8 numbers can need all 16 bits of an int16. *How many of
# them can be added before int32 may overflow?*

# %%
terms = (2**31 - 1) // (128 * 127)
print(f"{terms:,} products of −128 and −127, the largest that there are with symmetric weights")
offset_terms = (2**31 - 1) // (255 * 127)
print(
    f"{offset_terms:,} where x − zero-point is multiplied, which for a ReLU's output goes to 255"
)
assert terms * 128 * 127 < 2**31 <= (terms + 1) * 128 * 127
assert 2 * 128 * 127 < 2**15 <= 2 * 128 * 128  # int16: two, if no weight is −128

# %% [markdown]
# **Why −127 and not −128 for weights?** Then the grid is symmetric and −w is on it wherever w is; and an int16 holds
# the sum of two products, which some instruction sets use. TensorFlow Lite's specification demands it for weights.
#
# **Why is the bias int32 and not int8?** It is added to the int32 sum, once per output. At the scale s_x · s_w its
# rounding error is far below that of the products, and its size is nothing beside the kernel's.
#
# **How much calibration data?** Ranges settle quickly: a few hundred inputs that look like the real ones. More data may
# even hurt, if the range is from minimum to maximum and one extreme input stretches it (section 8). Then clip:
# percentiles, least squared error, or KL divergence.
#
# **Which layers do you leave in higher precision?** Measure it: quantize one layer at a time and look at the accuracy.
# Often the first, the last and the attention's softmax.
#
# *Here, with 2 bits for one layer and float for the others:*

# %% tags=["nbval-ignore-output"]
for name in kernels:
    mixed = {**kernels, name: grid(kernels[name], bits=2).round(kernels[name])}
    accuracy_now = score(forward(mixed, data.validation.x), data.validation)
    print(f"2 bits in {name:9} only: {accuracy_now:.3f} on validation")

# %% [markdown]
# **Is int4 half the size and twice the speed of int8?** Half the size, if two numbers are packed into a byte. Speed
# needs kernels that unpack them; for large language models the gain is in memory traffic, one token at a time.
#
# **Does quantization make training faster?** Not what is meant here: all of it happens after training, and
# quantization-aware training is slower than float training (lesson 05). Training *in* 8 bits is another matter: fp8,
# lesson 02.

# %% [markdown]
# ## 7. Quiz
#
# Run the cell: eight questions. A wrong answer says why it is wrong.

# %% tags=["nbval-ignore-output"]
from jupyterquiz import display_quiz

from halfbits.questions import QUIZ_LOOK, quiz

display_quiz(quiz("04_quantization"), **QUIZ_LOOK)

# %% [markdown]
# ## 8. Seen in the wild
#
# - **69 % became 10 %.** A MobileNet converted with one scale a tensor, to save time; with a scale a channel it kept
#   its accuracy. [tensorflow/tensorflow #57745](https://github.com/tensorflow/tensorflow/issues/57745). An Arm engineer
#   quotes the table of Krishnamoorthi's paper for the same effect: MobileNet v1 falls to 0.1 %.
#   [ARM-software/armnn #344](https://github.com/ARM-software/armnn/issues/344)
# - **More calibration data, worse model.** From 400 to 20,000 examples, accuracy from 0.85 to 0.50. The answer: extreme
#   examples stretch the range. [tensorflow/tensorflow #49927](https://github.com/tensorflow/tensorflow/issues/49927)
# - **int8 is slower than float32**, on an Intel CPU and on others. A maintainer's answer in the first thread: on x86 the
#   int8 kernels had not been optimized as much as the float ones; on phones it is the other way round.
#   [tensorflow/tflite-support #214](https://github.com/tensorflow/tflite-support/issues/214),
#   [tensorflow/model-optimization #599](https://github.com/tensorflow/model-optimization/issues/599); and not in
#   TensorFlow only: [pytorch/pytorch #42113](https://github.com/pytorch/pytorch/issues/42113)
# - **Skipped, since it has fewer than 1,024 elements.** The converter's threshold of 4.6 puzzles people whose file does
#   not shrink. [tensorflow/tensorflow #53094](https://github.com/tensorflow/tensorflow/issues/53094)
# - **Off by one.** 80 of 51,200 outputs of a convolution differ by 1 between reference and optimized kernels:
#   [tensorflow/tensorflow #99072](https://github.com/tensorflow/tensorflow/issues/99072). Somebody repeats a
#   network in Python, gets −119 for TFLite's −120, and tries single and double rounding:
#   [#102943](https://github.com/tensorflow/tensorflow/issues/102943). One runtime even rounds once in some operations
#   and twice in others: [google-ai-edge/LiteRT #7441](https://github.com/google-ai-edge/LiteRT/issues/7441). So pin
#   the runtime that you compare with.

# %% [markdown]
# ## 9. References
#
# - B. Jacob et al., *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*,
#   CVPR 2018, [arXiv:1712.05877](https://arxiv.org/abs/1712.05877): the scheme of 4.2, 4.3 and 4.8.
# - R. Krishnamoorthi, *Quantizing deep convolutional networks for efficient inference: A whitepaper*, 2018,
#   [arXiv:1806.08342](https://arxiv.org/abs/1806.08342): per tensor against per channel.
# - M. Nagel et al., *Data-Free Quantization Through Weight Equalization and Bias Correction*, ICCV 2019,
#   [arXiv:1906.04721](https://arxiv.org/abs/1906.04721): the equalization of 4.7.
# - M. Nagel et al., *A White Paper on Neural Network Quantization*, 2021,
#   [arXiv:2106.08295](https://arxiv.org/abs/2106.08295): rounding and clipping error, calibration, how to debug.
# - T. Dettmers et al., *LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale*, NeurIPS 2022,
#   [arXiv:2208.07339](https://arxiv.org/abs/2208.07339): outliers in large language models.
# - W. R. Bennett, *Spectra of Quantized Signals*, Bell System Technical Journal 27, 1948: Δ²/12.
# - TensorFlow Lite (LiteRT by its new name; `tf.lite.Interpreter` is to move to the package `ai_edge_litert`),
#   [8-bit quantization specification](https://www.tensorflow.org/lite/performance/quantization_spec) and [post-training quantization](https://www.tensorflow.org/lite/performance/post_training_quantization).
# - Keras 3, [Quantization in Keras](https://keras.io/guides/quantization_overview) and
#   [8-bit integer quantization](https://keras.io/guides/int8_quantization_in_keras); the source that this lesson was
#   checked against is Keras 3.15's `quantizers.py` and `dense.py`.
#
# **Next:** build the parts yourself,
# [exercises/03_quantization_aware_training](../exercises/03_quantization_aware_training.ipynb), and train through them:
# [lesson 05](05_quantization_aware_training.ipynb).
