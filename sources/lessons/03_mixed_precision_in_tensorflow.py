# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # 03 · Mixed precision in TensorFlow
#
# After this lesson you can switch mixed precision on in Keras 3, say what that changed and what it did not, write the
# custom loop that the old guide has only for Keras 2, and prove that loss scaling does what you say it does. It takes about 45
# minutes; all cells together run for about a minute and a half on two cores.
#
# ## 1. The question
#
# > *How do you do mixed-precision training in TensorFlow?*
#
# Everybody knows the one line. The interviewer waits for what comes after it: which layer stays in fp32 and why, who
# scales the loss, and what happens in a training loop of your own.

# %% [markdown]
# ## 2. The answer in 60 seconds
#
# `keras.mixed_precision.set_global_policy("mixed_bfloat16")`, **before the layers are made**. A policy (策略) is a pair
# of dtypes: layers *compute* in 16 bits and keep their *variables* in fp32. The gradients arrive in fp32 and the
# optimizer works in fp32, so the variables are the master weights.
#
# Three things the line does not do:
#
# - **The output.** The last layer gets `dtype="float32"`, so that softmax and loss see fp32 numbers.
# - **Loss scaling** (损失缩放), needed with `mixed_float16` only. `compile` and `fit` do it for you. In a custom loop
#   (自定义训练循环) you wrap the optimizer in `LossScaleOptimizer`, differentiate `optimizer.scale_loss(loss)` and hand
#   the *scaled* gradients to `optimizer.apply`: it skips the step where one is not finite, else unscales and applies
#   them, and adjusts the scale.
# - **Speed.** It comes from hardware that computes in the dtype. Measure it.

# %% [markdown]
# ## 3. What the source article says
#
# Two passages, in our words, and what the cells below will show:
#
# - **C1.** Make a `mixed_bfloat16` policy, set it globally, done. **Right, and not enough.** The order matters (4.2),
#   the output layer matters in bf16 too (4.4), and with fp16 there is loss scaling, automatic in `fit` (4.5), by hand
#   in a loop (4.6).
# - **T2.** A program for mixed-precision training: a function that takes a `strategy`, builds a small classifier and
#   trains it in a loop. **It trains in plain fp32.** No policy is ever set and `strategy` is never read; the loss is a
#   squared error on softmax outputs, which integer labels break (4.3).

# %% [markdown]
# ## 4. Evidence
#
# This lesson says `import keras`, which is Keras 3, and never `tf.keras`: what that name means depends on an
# environment variable, and importing TFMOT sets it.

# %%
from halfbits.quiet import import_tensorflow

import_tensorflow()  # without the lines that TensorFlow writes when it starts

import re

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from halfbits import multiworker
from halfbits.data import digits
from halfbits.models import mlp
from halfbits.plots import COLOURS, LINES, style
from halfbits.widgets.loss_scale_explorer import LossScaleExplorer, replay

data = digits()
x, y = data.train_and_validation  # the settings below were chosen beforehand
print(x.shape, x.dtype, "| test:", data.test.x.shape)

# %% [markdown]
# ### 4.1 A policy is two dtypes
#
# *Which of these four has variables that are not float32?*

# %%
for name in ("float32", "mixed_float16", "mixed_bfloat16", "float16"):
    p = keras.mixed_precision.Policy(name)
    print(
        f"{name:15} computes in {p.compute_dtype:9} and keeps variables in {p.variable_dtype}"
    )

# %% [markdown]
# Mixed is what begins with `mixed_`. A bare `"float16"` is *pure* fp16: small weight updates are lost in it (lesson 02,
# 4.6).

# %% [markdown]
# ### 4.2 A layer takes its policy when it is made
#
# *Three layers, one made before the global policy is set. Which one computes in what?*

# %%
before = keras.layers.Dense(10, name="made_before")
keras.mixed_precision.set_global_policy("mixed_bfloat16")
after = keras.layers.Dense(10, name="made_after")
own = keras.layers.Dense(10, name="with_its_own", dtype="float32")
keras.mixed_precision.set_global_policy("float32")  # and changing it back changes none of them

for layer in (before, after, own):
    out = layer(x[:2])
    print(
        f"{layer.name:13} {layer.dtype_policy.name:15} kernel {layer.kernel.dtype}  output {out.dtype.name}"
    )
    assert layer.kernel.dtype == "float32"
assert (before.compute_dtype, after.compute_dtype, own.compute_dtype) == (
    "float32",
    "bfloat16",
    "float32",
)

# %% [markdown]
# A policy set too late does nothing, and nothing complains. `dtype=` on a layer takes a policy's name too and wins over
# the global one. From here on a small helper sets the policy, builds, and sets it back:


# %%
def build(policy, seed=0, output="float32"):
    """64-64-64-10, with a last step that brings the logits to the dtype `output`."""
    keras.mixed_precision.set_global_policy(policy)
    keras.utils.set_random_seed(seed)
    model = mlp(keras, seed=seed)
    model.add(keras.layers.Activation("linear", dtype=output, name="output"))
    keras.mixed_precision.set_global_policy("float32")
    return model


# %% [markdown]
# ### 4.3 An audit: what does a program really compute in?
#
# A few lines settle the question for a Sequential or functional model: one forward and backward pass, and a look at
# everything.


# %%
def audit(model, batch, loss_of, optimizer):
    with tf.GradientTape() as tape:
        loss = loss_of(model(batch))
    gradients = tape.gradient(loss, model.trainable_variables)
    for layer in model.layers:
        stored = {v.dtype for v in layer.variables} or {"none"}
        print(
            f"  {layer.name:10} {layer.dtype_policy.name:15} variables {', '.join(stored):8} output",
            end=" ",
        )
        print(layer.output.dtype)
    print(
        f"  loss {loss.dtype.name}, gradients {', '.join({g.dtype.name for g in gradients})},",
        type(optimizer).__name__,
    )


# %% [markdown]
# First a program of the article's kind: a function with a `strategy`, a 784-128-10 classifier with softmax, Adam and a
# squared error. *What does it compute in when asked for bf16?*


# %%
def classifier_like_the_articles(strategy):
    layers = [keras.layers.Dense(128, activation="relu", name="hidden")]
    layers += [keras.layers.Dense(10, activation="softmax", name="classes")]
    return keras.Sequential([keras.Input((784,)), *layers])  # nothing has read `strategy`


images = np.random.default_rng(0).random((32, 784), np.float32)
labels = np.arange(32) % 10
squared_error = keras.losses.MeanSquaredError()
suspect = classifier_like_the_articles("mixed_bfloat16")
audit(
    suspect,
    images,
    lambda p: squared_error(keras.ops.one_hot(labels, 10), p),
    keras.optimizers.Adam(),
)
assert {layer.compute_dtype for layer in suspect.layers} == {"float32"}

# %% [markdown]
# Plain fp32 from end to end. And the audit had to be kind to it: with integer labels of shape (32,), as digits have
# them, its squared error does not even run. (With shape (32, 1), or a batch of ten, it runs, broadcasts, and means
# nothing.)

# %%
try:
    squared_error(labels, suspect(images))
except tf.errors.InvalidArgumentError as error:
    print(
        type(error).__name__,
        "|",
        re.search(r"Incompatible shapes: \S+ vs\. \S+", str(error))[0],
    )
else:
    raise AssertionError("it runs after all")

# %% [markdown]
# Repaired: the policy set before the layers, logits (未归一化的分数) instead of softmax, an fp32 output, cross-entropy
# (交叉熵), and for fp16 an optimizer that scales the loss.

# %%
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
repaired = build("mixed_float16")
optimizer = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.Adam())
audit(repaired, x[:32], lambda logits: cross_entropy(y[:32], logits), optimizer)
assert {v.dtype for v in repaired.variables} == {"float32"}

# %% [markdown]
# Variables, their gradients, output and loss in fp32, the layers between in 16 bits: that is the mixture.

# %% [markdown]
# ### 4.4 Why the output layer stays in fp32
#
# One example, sure of itself and wrong: the true class has the logit 0, another one has 20. The loss should be 20 and
# its gradient for the true class −1: *learn from this*. *Which of three softmax layers lets it through?*

# %%
for policy in ("mixed_float16", "mixed_bfloat16", "float32"):
    softmax = keras.layers.Activation("softmax", dtype=policy)
    logits = tf.Variable([[20.0, 0.0]])
    with tf.GradientTape() as tape:
        probabilities = softmax(logits)
        loss = keras.losses.SparseCategoricalCrossentropy()(np.array([1]), probabilities)
    pull = float(tape.gradient(loss, logits)[0, 1])
    print(
        f"softmax in {policy:14}: p = {float(probabilities[0, 1]):.1e}, loss {float(loss):.2f}, gradient {pull:.2f}"
    )
    assert (round(pull, 3) == 0) == (policy != "float32")

# %% [markdown]
# In 16 bits the example teaches nothing: the gradient is *zero*. Two things come together. fp16 has no number near
# 2e-9, bf16 has; but Keras clips probabilities at 1e-7 before it takes the logarithm, and −log 1e-7 is that 16.12. The
# fp32 softmax escapes the clipping since Keras keeps the logits behind a softmax output and goes back to them; a 16-bit
# output is cast for the loss first, and the trail ends there. **So this is not a matter of range, and bf16 does not
# save you.**
#
# Logits and `from_logits=True` need no trail. The loss *object* casts them to fp32; the loss *function* of the same
# name does not:

# %%
half = tf.constant([[20.0, 0.0]], tf.float16)
as_object = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(np.array([1]), half)
as_function = keras.losses.sparse_categorical_crossentropy(
    np.array([1]), half, from_logits=True
)
print("object:", as_object.dtype.name, " function:", as_function.dtype.name)
assert (as_object.dtype, as_function.dtype) == (tf.float32, tf.float16)

# %% [markdown]
# An fp32 output layer makes both right, whatever comes after it. A `Dense` layer in 16 bits with a float32
# `Activation("linear")` behind it is enough: the large product stays fast, the cast costs next to nothing.

# %% [markdown]
# ### 4.5 What `compile` and `fit` do for you
#
# *Three models, one plain SGD each. Which of them comes out with something else?*

# %%
for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
    model = build(policy)
    model.compile(keras.optimizers.SGD(0.1), cross_entropy)
    print(f"{policy:15} {type(model.optimizer).__name__}")
scaling = model.optimizer
print(
    f"first scale 2^{np.log2(scaling.initial_scale):.0f}, doubled after {scaling.dynamic_growth_steps} good steps"
)
assert isinstance(scaling, keras.mixed_precision.LossScaleOptimizer)

# %% [markdown]
# `auto_scale_loss=False` in `compile` switches it off. There is a way to switch it off *without noticing*: Keras asks
# the **model** for its policy, not the layers. Give the policy to the layers alone, and the model stays float32.

# %%
layers = [
    keras.layers.Dense(64, activation="relu", dtype="mixed_float16"),
    keras.layers.Dense(10, dtype="float32"),
]
by_layer = keras.Sequential([keras.Input((64,)), *layers])
by_layer.compile(keras.optimizers.SGD(0.1), cross_entropy)
print(
    "computes in",
    by_layer.layers[0].compute_dtype,
    "| optimizer",
    type(by_layer.optimizer).__name__,
)
assert not isinstance(by_layer.optimizer, keras.mixed_precision.LossScaleOptimizer)

# %% [markdown]
# fp16 gradients, no scaling, no warning. Then you wrap the optimizer yourself.

# %% [markdown]
# ### 4.6 A loop of your own
#
# First the loop of TensorFlow's mixed-precision guide, written for Keras 2: it asks the optimizer for the scaled loss
# and later for the unscaled gradients.

# %%
optimizer = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.SGD(0.1))
for old in ("get_scaled_loss", "get_unscaled_gradients"):
    try:
        getattr(optimizer, old)
    except AttributeError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError(f"{old} is back")

# %% [markdown]
# In Keras 3 it is one method and one rule. `scale_loss` before the gradient, and **`apply` gets the gradients as they
# are, scaled**:


# %%
def train_step(model, optimizer, loss_of, batch, targets):
    with tf.GradientTape() as tape:
        loss = loss_of(targets, model(batch, training=True))
        scaled = optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, model.trainable_variables)
    optimizer.apply(
        gradients, model.trainable_variables
    )  # checks; skips, or unscales and applies; adjusts the scale
    return loss


# %% [markdown]
# The dangerous mistakes are the ones that raise nothing. Below, one weight of 1, the loss 3·w, a learning rate of 1/16:
# the right step takes 3/16 off. Every step is 3 times a power of two and every result fits into fp32's 24 bits, so all
# is exact. *Two of the four loops are 32,768 times too slow. Which?*


# %%
def one_step(optimizer, scale=True, unscale_by_hand=False):
    w = keras.Variable(1.0)
    optimizer.build([w])
    with tf.GradientTape() as tape:
        loss = 3 * w.value
        scaled = optimizer.scale_loss(loss) if scale else loss
    gradient = tape.gradient(scaled, w.value)
    if unscale_by_hand:  # what the old guide did
        gradient = gradient / 2.0**15
    optimizer.apply([gradient], [w])
    return (1 - float(w)) / (3 / 16), float(scaled / loss)


def wrapped(rate=1 / 16, **settings):
    return keras.mixed_precision.LossScaleOptimizer(keras.optimizers.SGD(rate), **settings)


loops = {
    "as it should be": one_step(wrapped()),
    "scale_loss forgotten": one_step(wrapped(), scale=False),
    "unscaled by hand as well": one_step(wrapped(), unscale_by_hand=True),
    "optimizer not wrapped": one_step(keras.optimizers.SGD(1 / 16)),
}
for label, (step, factor) in loops.items():
    print(f"{label:25} step {step:<12.4g} of the right one, loss scaled by {factor:g}")
assert [step for step, _ in loops.values()] == [1, 2.0**-15, 2.0**-15, 1]
assert loops["optimizer not wrapped"][1] == 1

# %% [markdown]
# The last line is the quietest: every optimizer has `scale_loss`, and a plain one gives the loss back as it is. The
# step is right, the scaling is not there.
#
# Adam hides the two in the middle in part, since it divides by the gradient's own size plus ε. *Which share of the right
# step does it make of gradients that are too small by 2⁻¹⁵?*

# %%
adam, w = keras.optimizers.Adam(1.0), keras.Variable(np.zeros((2, 2), np.float32))
right = np.array([3, 0.01], np.float32)
gradients = tf.constant(np.stack([right, right * 2.0**-15]))
for step in range(1, 1001):
    before = w.numpy()
    adam.apply([gradients], [w])
    if step in (1, 1000):
        whole, small = w.numpy() - before
        shares = small / whole
        print(f"step {step:4}: of 3 it makes {shares[0]:.1%}, of 0.01 {shares[1]:.1%}")
        assert shares[0] > 0.95
        assert shares[1] < (0.1 if step == 1 else 0.75)

# %% [markdown]
# Keras adds its ε of 10⁻⁷ before the bias correction, so in the first step it counts as 10⁻⁷/√0.001, about 3·10⁻⁶. Such
# steps look like a learning rate too low, not like a bug.
#
# **And NaN.** A scale can be too large; then a gradient is infinite. The wrapper's second job is to notice.

# %%
for optimizer in (wrapped(), keras.optimizers.SGD(1 / 16, loss_scale_factor=2.0**15)):
    w = keras.Variable([1.0, 1.0])
    optimizer.build([w])
    optimizer.apply([tf.constant([np.inf, np.nan])], [w])
    scale = (
        f"scale now 2^{np.log2(optimizer.dynamic_scale):.0f}"
        if hasattr(optimizer, "dynamic_scale")
        else "fixed scale"
    )
    print(
        f"{type(optimizer).__name__:20} w = {w.numpy()}  steps taken {int(optimizer.iterations)}, {scale}"
    )
    assert np.isfinite(w.numpy()).all() == isinstance(
        optimizer, keras.mixed_precision.LossScaleOptimizer
    )

# %% [markdown]
# The wrapper skipped the step and halved its scale. The fixed scale, an argument that every optimizer of Keras takes,
# let NaN into the weights, and there it stays. The same on the network:

# %%
for optimizer in (
    wrapped(initial_scale=2.0**30),
    keras.optimizers.SGD(1 / 16, loss_scale_factor=2.0**30),
):
    model = build("mixed_float16")
    train_step(model, optimizer, cross_entropy, x[:128], y[:128])
    finite = all(np.isfinite(v.numpy()).all() for v in model.variables)
    print(f"{type(optimizer).__name__:20} weights finite after one step: {finite}")
    assert finite == isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer)

# %% [markdown]
# ### 4.7 What fp16 loses without scaling
#
# Gradients are often small: losses are means over many tokens, auxiliary losses carry small weights. On the
# digits we make them small: the loss is multiplied by c = 2e-5 and the learning rate divided by c. In exact arithmetic,
# and in fp32, SGD does not notice. In a batch of 128 the gradient of a logit is (p − 1 or p)·c/128, below 1.6e-7.
# *fp16's smallest positive number is 6e-8. What becomes of p = 0.1?*

# %%
C, BATCH, RATE = 2e-5, 128, 0.5


def small(targets, logits):
    return C * keras.ops.mean(
        keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    )


def gradients_at_the_start(policy, scale=1.0):
    """Gradients of one batch, in float32 arrays: of each layer's output, and of the variables."""
    model = build(policy)
    with tf.GradientTape() as tape:
        outputs, h = [], tf.constant(x[:BATCH])
        for layer in model.layers:
            h = layer(h)
            outputs.append(h)
        loss = scale * small(y[:BATCH], h)
    found = tape.gradient(loss, outputs[:-1] + model.trainable_variables)
    arrays = [np.asarray(tf.cast(g, tf.float32)) for g in found]
    return arrays[: len(outputs) - 1], arrays[len(outputs) - 1 :]


def flat(arrays):
    return np.concatenate([a.ravel() for a in arrays])


true_outputs, true_variables = gradients_at_the_start("float32")
activations = flat(true_outputs)
print(
    f"{activations.size:,} gradients of layer outputs, {flat(true_variables).size:,} of variables, in fp32"
)
assert (activations[: BATCH * 64] != 0).any()
assert np.abs(true_outputs[-1]).max() <= C / BATCH

# %% tags=["nbval-ignore-output"]
lost = {}
for policy, scale in (
    ("mixed_float16", 1.0),
    ("mixed_float16", 2.0**15),
    ("mixed_bfloat16", 1.0),
):
    outputs, variables = gradients_at_the_start(policy, scale)
    lost[policy, scale] = [
        np.mean(flat(got)[flat(true) != 0] == 0)
        for got, true in ((outputs, true_outputs), (variables, true_variables))
    ]
    print(
        f"{policy:15} loss × {scale:<6g} zero where fp32 is not: {lost[policy, scale][0]:7.2%} of the outputs', "
        f"{lost[policy, scale][1]:7.2%} of the variables'"
    )

# %%
assert lost["mixed_float16", 1.0][0] > 0.7
assert lost["mixed_float16", 1.0][1] > 0.3
assert max(lost["mixed_float16", 2.0**15] + lost["mixed_bfloat16", 1.0]) < 0.01
print(
    "fp16 loses most output gradients; scaled by 2^15 it loses less than 1 %, and so does bf16 unscaled"
)

# %% [markdown]
# Those that survive are not a fair sample. At the logits only the true class is far enough from its target:

# %%
fp16_logits = gradients_at_the_start("mixed_float16")[0][-1]
true_class = np.eye(10, dtype=bool)[y[:BATCH]]
kept = fp16_logits != 0
print(
    "of the gradients that lift the true class, kept:",
    "all" if kept[true_class].all() else "some",
)
assert kept[true_class].mean() > 0.99
assert kept[~true_class].mean() < 0.05
print("of those that push the other nine down: less than one in twenty")

# %% [markdown]
# Lift, and hardly ever push down. So the run below will not stand still: it will walk off. *What will its loss be, compared
# with the 2.30 of pure guessing?*


# %% tags=["nbval-ignore-output"]
def test_accuracy(model):
    return np.mean(np.asarray(model(data.test.x)).argmax(axis=1) == data.test.y)


def colour(policy):
    return {"float32": "fp32", "mixed_float16": "fp16", "mixed_bfloat16": "bf16"}[policy]


arms = {
    "float32": ("float32", False),
    "mixed_float16, no scaling": ("mixed_float16", False),
    "mixed_float16, scaled by fit": ("mixed_float16", True),
    "mixed_bfloat16, no scaling": ("mixed_bfloat16", False),
}
runs, accuracy = {}, {}
for label, (policy, scaled) in arms.items():
    model = build(policy)
    model.compile(keras.optimizers.SGD(RATE / C), small, auto_scale_loss=scaled)
    runs[label] = (
        np.array(model.fit(x, y, batch_size=BATCH, epochs=15, verbose=0).history["loss"]) / C
    )
    accuracy[label] = test_accuracy(model)
    print(
        f"{label:29} loss {runs[label][0]:5.2f} → {runs[label][-1]:6.2f}   test accuracy {accuracy[label]:.3f}"
    )

# %% tags=["nbval-ignore-output"]
with style():
    fig, ax = plt.subplots()
    for label, (policy, scaled) in arms.items():
        name = colour(policy)
        look = {"marker": "o", "ms": 4} if scaled else {}
        ax.plot(
            range(1, 16), runs[label], ls=LINES[name], color=COLOURS[name], label=label, **look
        )
    ax.axhline(np.log(10), color="black", lw=1, ls=":")
    ax.text(15, np.log(10) * 1.08, "guessing: log 10", ha="right")
    ax.set(xlabel="epoch", ylabel="training loss / c (nats)", yscale="log", ylim=(0.04, 40))
    ax.set_title("fp16 without loss scaling ends worse than guessing; the other three agree")
    ax.legend(loc="lower left")
    plt.show()

# %%
assert accuracy["mixed_float16, no scaling"] < 0.5
assert (
    min(value for label, value in accuracy.items() if label != "mixed_float16, no scaling")
    > 0.92
)
print("fp32, scaled fp16 and bf16 learn; fp16 without scaling does not")

# %% [markdown]
# Make c smaller still, 1e-6: now *every* gradient at the logits is at most 1e-6/120 ≈ 8e-9 (the last batch has 120 images),
# less than half of fp16's smallest positive number. Then nothing at all moves, whatever the machine. A whole epoch, and every weight is the same to the
# last bit:

# %%
frozen = build("mixed_float16")
start = [v.numpy() for v in frozen.variables]
frozen.compile(
    keras.optimizers.SGD(RATE / 1e-6),
    lambda t, p: small(t, p) * (1e-6 / C),
    auto_scale_loss=False,
)
frozen.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
moved = sum(int((a != b.numpy()).sum()) for a, b in zip(start, frozen.variables, strict=True))
print(f"weights that moved: {moved} of {sum(a.size for a in start):,}")
assert moved == 0

# %% [markdown]
# ### 4.8 Dynamic scaling at work
#
# Keras starts at 2¹⁵ and doubles after 2,000 good steps, too patient to watch here. So: start far too high, at 2⁴⁰, and
# double after 20 good steps. The loop records the scale before each step; a scale that halves afterwards means that the
# step was skipped.


# %%
def batches(epochs, seed=0):
    order = np.random.default_rng(seed)
    for _ in range(epochs):
        index = order.permutation(len(y))
        for i in range(0, len(y) - BATCH + 1, BATCH):
            yield tf.constant(x[index[i : i + BATCH]]), tf.constant(y[index[i : i + BATCH]])


def train(policy, optimizer, epochs=20):
    model = build(policy)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(batch, targets):
        with tf.GradientTape() as tape:
            scaled = optimizer.scale_loss(small(targets, model(batch, training=True)))
        gradients = tape.gradient(scaled, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return tf.reduce_max([tf.reduce_max(tf.abs(g)) for g in gradients])

    scales, largest = [], []
    for batch, targets in batches(epochs):
        scales.append(
            float(optimizer.dynamic_scale) if hasattr(optimizer, "dynamic_scale") else 1.0
        )
        largest.append(float(step(batch, targets)))
    return model, np.array(scales), np.array(largest)


model, scales, largest = train(
    "mixed_float16", wrapped(RATE / C, initial_scale=2.0**40, dynamic_growth_steps=20)
)
skipped = ~np.isfinite(largest)
assert (scales[1:][skipped[:-1]] == scales[:-1][skipped[:-1]] / 2).all()  # each skip halves
assert skipped[0]
assert 3 <= skipped[:10].sum() <= 9
assert skipped[30:].mean() < 0.1
print("it skips its first steps, finds its scale, and halves at every skip")

# %% [markdown]
# The same recipe in fp32, where nothing is skipped, gives the largest gradient of each step. From these numbers alone
# `replay` predicts roughly what dynamic scaling will do: a step overflows where largest × scale reaches 65520.

# %%
_, _, in_fp32 = train("float32", keras.optimizers.SGD(RATE / C))
predicted = replay(in_fp32, initial_scale=2.0**40, growth_interval=20)
difference = np.abs(np.log2([s for s, _ in predicted]) - np.log2(scales))
print(
    "prediction and Keras never differ by more than a factor of eight:",
    bool((difference <= 3).all()),
)
assert (difference <= 3).all()

# %% tags=["nbval-ignore-output"]
with style():
    fig, ax = plt.subplots()
    steps = np.arange(len(scales))
    ax.step(steps, np.log2(scales), where="post", color=COLOURS["fp16"], label="Keras, in fp16")
    guess = np.log2([s for s, _ in predicted])
    ax.step(
        steps,
        guess,
        where="post",
        color=COLOURS["fp32"],
        ls=":",
        label="replay of the fp32 gradients",
    )
    ax.plot(
        steps[skipped], np.log2(scales[skipped]), "x", ms=7, color="black", label="step skipped"
    )
    ax.set(xlabel="step", ylabel="log₂ of the loss scale")
    ax.set_title(
        f"The scale climbs until a step overflows; {skipped.sum()} of {len(scales)} steps were skipped"
    )
    ax.legend(loc="upper right")
    plt.show()
print(
    f"test accuracy {test_accuracy(model):.3f}, {skipped.sum()} of {len(scales)} steps skipped"
)

# %%
assert test_accuracy(model) > 0.9
assert skipped.sum() < len(scales) / 6

# %% [markdown]
# Growing is how the wrapper finds out that it could go higher, and the price is a skipped step now and then. With 2,000
# steps between two attempts it is at most one in 2,000 in the long run: once the scale has been found, and as long as
# the gradients do not grow.
#
# **Now you.** The gradients of the layer outputs of 4.7 over the range of the formats, and the largest gradients of the
# fp32 run above to replay.
#
# 1. What is lost at a scale of 1? Raise it. *At which scale is nothing lost, and at which does the first overflow?*
# 2. The gradients of the *variables* are sums over the batch, so they are larger and overflow first. They are what the
#    wrapper checks and what the replay shows. Near which scale does it settle? *How many powers of two lie between that
#    and your first answer?* That is the room that dynamic scaling has.
# 3. In bf16's row, what changes as you move the slider?
# 4. **Step** through the replay: why are there so many skips at the start and then so few?

# %% tags=["nbval-ignore-output"]
explorer = LossScaleExplorer(
    activations, max_gradients=in_fp32, initial_scale=2.0**40, growth_interval=20
)
explorer

# %% [markdown]
# Python sees the slider, and counts for itself. Run the cell again after you have moved it.

# %% tags=["nbval-ignore-output"]
print(f"scale 2^{np.log2(explorer.scale):.0f}")
for name, counts in explorer.counts().items():
    print(name, counts)

# %%
lossless = [k for k in range(41) if explorer.counts(2.0**k)["fp16"]["zero"] == 0]
safe = [k for k in range(41) if in_fp32.max() * 2.0**k < 65520]
print(
    "there are scales that lose nothing and overflow nowhere:", bool(set(lossless) & set(safe))
)
assert len(set(lossless) & set(safe)) >= 8

# %% [markdown]
# ### 4.9 Beyond one machine
#
# `tf.distribute.MultiWorkerMirroredStrategy` is data parallelism (数据并行): each worker has a copy of the variables,
# computes gradients on its share of the batch, and an **all-reduce** (全归约) averages them. Below, two real processes
# train a 64-1024-1024-10 `mixed_bfloat16` model over the loopback device. The program is
# [`halfbits/multiworker.py`](../halfbits/multiworker.py); its `_train` is the part to read.
#
# Three runs: the reduction left to Keras, by hand in fp32, and by hand in bf16. (TensorFlow's server listens on *all*
# network interfaces, whatever address it is given, and asks for no password. So the workers run in a network namespace
# of their own. Where the system does not allow one the cell says so and starts nothing.)

# %% tags=["nbval-ignore-output"]
try:
    report = multiworker.train()
except multiworker.NotApart as reason:
    report = None
    print(reason)
else:
    print(
        f"{'reduced in':12}{'payload':>12}{'on the wire':>14}{'step':>9}{'test accuracy':>16}   workers agree"
    )
    for name, run in report.runs.items():
        wire = f"{run.wire_bytes / 1e6:9.2f} MB" if run.wire_bytes else "not counted"
        print(
            f"{name:12}{run.payload_bytes / 1e6:9.2f} MB{wire:>14}{run.step_seconds * 1e3:6.0f} ms"
            f"{run.test_accuracy:16.3f}   {run.workers_agree}"
        )

# %% [markdown]
# Payload is one worker's gradients; the wire carries that of both, so twice as much, and bf16 halves it. *What did the
# cast to bf16 cost in precision, on each worker, before the sum?*

# %% tags=["nbval-ignore-output"]
if report:
    keras_run, fp32_run, bf16_run = report.runs.values()
    assert all(run.workers_agree for run in report.runs.values())
    assert all(
        np.array_equal(a, b) for a, b in zip(keras_run.weights, fp32_run.weights, strict=True)
    )
    assert bf16_run.payload_bytes * 2 == fp32_run.payload_bytes == 4 * 1_126_410
    if fp32_run.wire_bytes:
        assert 1.9 < fp32_run.wire_bytes / bf16_run.wire_bytes < 2.1
        assert 1.9 < fp32_run.wire_bytes / fp32_run.payload_bytes < 2.2
    assert bf16_run.unchanged == 1  # the gradients of these layers are bf16 numbers already
    apart = max(
        np.abs(a - b).max() for a, b in zip(fp32_run.weights, bf16_run.weights, strict=True)
    )
    assert 0 < apart < 0.01
    assert abs(fp32_run.test_accuracy - bf16_run.test_accuracy) < 0.03
    print("Nothing, before the sum. The sum of two bf16 numbers is rounded once more: no other")
    print("difference between the two runs.")

# %% [markdown]
# In this model every gradient *is* a bf16 number that Keras hands over as float32: the lower half of its bits is zero.
# (A layer that is used twice, or has a weight penalty, adds its gradients up in fp32; then the cast does round.) Here the
# rounding comes in the sum, and with n workers there are up to n − 1 of them, in a
# format with eight significant bits. Two workers hardly feel it; for many, see section 8.
#
# Three things to know before you do this at work:
#
# - **Keras's optimizers reduce by themselves**, as a *sum*, in the dtype in which `apply` gets the gradients: fp32,
#   unless you cast them. The first run divides by the number of workers and ends with the same bits as the second. Reduce
#   by hand *and* call `apply`, and with SGD the step is n times too long.
# - **`fit` fails under this strategy** in Keras 3. What it said in the same workers:

# %% tags=["nbval-ignore-output"]
print(f"{report.fit_error} …" if report else "(the workers did not run)")
assert report is None or report.fit_error is not None

# %% [markdown]
# - **What it costs and when it pays.** A step costs compute/n plus the time for 2·(n−1)/n payloads through each
#   worker's network card, out and in. It pays while sending the gradients *twice* takes less time than computing one step
#   alone: C/n + 2·(n−1)/n·T < C says 2·T < C, and n drops out. 1.1 million parameters are 4.5 MB in fp32:
#   0.4 s at 100 Mbit/s, 4 ms at 10 Gbit/s. bf16 halves that term and nothing else. (Here the wire is memory and the
#   workers share one machine's cores: the step times above are no guide to a network.)

# %% tags=["nbval-ignore-output"]
if report:
    compute = fp32_run.step_seconds
    for label, bits_per_second in (
        ("100 Mbit/s", 1e8),
        ("1 Gbit/s", 1e9),
        ("10 Gbit/s", 1e10),
        ("100 Gbit/s", 1e11),
    ):
        fp32_ms, bf16_ms = (
            8e3 * run.payload_bytes / bits_per_second for run in (fp32_run, bf16_run)
        )
        print(
            f"{label:>11}: all-reduce of two workers {fp32_ms:7.2f} ms in fp32, {bf16_ms:7.2f} ms in bf16"
        )
    print(f"one step here: {1e3 * compute:.0f} ms")

# %% [markdown]
# ## 5. What the answer sounds like
#
# **Weak.** "You call `set_global_policy('mixed_float16')` and it trains in half precision, twice as fast." *Nothing on
# the output layer, the scaling or the hardware; and the weights are not in half precision.*
#
# **Good.** "I set `mixed_bfloat16` before building the model, or `mixed_float16` on GPUs before Ampere. Layers compute
# in 16 bits, variables stay fp32. The output layer is float32. With fp16, `fit` wraps the optimizer in a
# `LossScaleOptimizer`; in a custom loop I use `scale_loss` and give the scaled gradients to `apply`."
#
# **Senior.** The good answer, and: "I audit the dtypes, since a policy set too late or on layers alone fails silently,
# and without scaling fp16 may look like a bad learning rate. I watch the scale and the skipped steps: a scale that
# keeps falling means a NaN or an infinity in the forward pass, which no scale can mend. I scale the loss, but clip
# *unscaled* gradients. In Keras 3 the guide's `get_scaled_loss` is gone and `apply` unscales, so porting the old loop by hand can unscale twice. Across
# workers I know in which dtype the gradients are reduced. And I compare against fp32 in accuracy *and* in step time."

# %% [markdown]
# ## 6. Follow-ups
#
# **Why powers of two?** Multiplying by one changes the exponent only: no rounding, as long as nothing underflows or
# overflows.
#
# **Does `mixed_bfloat16` ever need scaling?** Not for range: bf16's normal numbers begin at 1e-38. And a scale does not
# touch precision.
#
# **Gradient clipping?** Clip after unscaling. `clipnorm` belongs on the *inner* optimizer, which sees unscaled
# gradients; the wrapper refuses it:

# %%
try:
    keras.mixed_precision.LossScaleOptimizer(keras.optimizers.SGD(0.1), clipnorm=1.0)
except ValueError as error:
    print(error)
else:
    raise AssertionError("the wrapper takes clipnorm")

# %% [markdown]
# **The loss itself is NaN. Will dynamic scaling recover?** No. Every step is skipped and the scale halves; Keras 3 sets
# no lower bound. After some 140 such steps it is 0 and stays 0, and the first step that is finite again divides 0 by 0
# and puts NaN into the weights. Find the operation in the forward pass that made the NaN or the infinity, and run it in
# float32.

# %%
optimizer = wrapped()
w = keras.Variable(1.0)
for steps in (100, 100):
    for _ in range(steps):
        optimizer.apply([tf.constant(np.nan)], [w])
    print(
        f"{steps} NaN steps: w = {float(w)}, scale {float(optimizer.dynamic_scale):.3g}, "
        f"steps taken {int(optimizer.iterations)}"
    )
assert float(w) == 1
assert float(optimizer.dynamic_scale) == 0
optimizer.apply([tf.constant(0.0)], [w])
print("one finite step:", float(w))
assert np.isnan(float(w))

# %% [markdown]
# **What is saved?** The variables, so fp32: `model.save` of a mixed model is no smaller. The loss scale is a variable of
# the optimizer and is saved with it. But *where it is loaded* matters: `load_model` compiles the model anew, and asks
# the global policy whether to wrap the optimizer.

# %%
import tempfile
import warnings

keras.mixed_precision.set_global_policy("mixed_float16")
saved = mlp(keras, seed=0)
saved.compile(keras.optimizers.Adam(), cross_entropy)
saved.optimizer.build(saved.trainable_variables)
saved.optimizer.dynamic_scale.assign(64.0)
with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that it skips the optimizer's variables
    saved.save(f"{folder}/model.keras")
    for policy in ("mixed_float16", "float32"):
        keras.mixed_precision.set_global_policy(policy)
        loaded = keras.models.load_model(f"{folder}/model.keras")
        scale = getattr(loaded.optimizer, "dynamic_scale", None)
        print(
            f"loaded under {policy:13}: layers compute in {loaded.layers[0].compute_dtype},",
            f"{type(loaded.optimizer).__name__}, scale {None if scale is None else float(scale)}",
        )
assert loaded.layers[0].compute_dtype == "float16"
assert not isinstance(loaded.optimizer, keras.mixed_precision.LossScaleOptimizer)

# %% [markdown]
# fp16 layers, a plain optimizer, and Adam's moments gone, with no more than a warning. So set the policy before you
# load, too.
#
# **A layer of your own?** Make its variables with `self.add_weight` and let Keras cast: inside `call`,
# floating-point inputs arrive in `self.compute_dtype` and variables read as it too. A `tf.constant` needs
# `dtype=self.compute_dtype`: TensorFlow's operators refuse a float32 one, and `keras.ops` quietly go on in float32.
# Python numbers are fine.

# %% [markdown]
# ## 7. Quiz
#
# Run the cell: eight questions. A wrong answer says why it is wrong.

# %% tags=["nbval-ignore-output"]
from jupyterquiz import display_quiz

from halfbits.questions import QUIZ_LOOK, quiz

display_quiz(quiz("03_mixed_precision_in_tensorflow"), **QUIZ_LOOK)

# %% [markdown]
# ## 8. Seen in the wild
#
# - **The guide's loop does not run.** `get_scaled_loss` and `get_unscaled_gradients` left with Keras 3
#   (TensorFlow 2.16). [keras-team/keras #19479](https://github.com/keras-team/keras/issues/19479),
#   [#20894](https://github.com/keras-team/keras/issues/20894),
#   [tensorflow/tensorflow #64124](https://github.com/tensorflow/tensorflow/issues/64124)
# - **A NaN that no scale mends.** A user asks for loss scales below 1; the answer: a NaN in the *loss*
#   needs the operation that made it in fp32. [tensorflow/tensorflow #38357](https://github.com/tensorflow/tensorflow/issues/38357)
# - **NaN although the loss is scaled**, in a custom loop on Keras 2 with the guide's two methods.
#   [keras-team/keras #16552](https://github.com/keras-team/keras/issues/16552)
# - **`fit` and MultiWorkerMirroredStrategy.** TensorFlow's own tutorial fails since Keras 3 is the default.
#   [keras-team/keras #20585](https://github.com/keras-team/keras/issues/20585)
# - **Reduced twice.** Keras 3's optimizer sums the gradients over replicas and has no switch for it; somebody who wants
#   to reduce in fp16 asks for one. [keras-team/keras #19308](https://github.com/keras-team/keras/issues/19308)
# - **bf16 reductions on many nodes.** With gradients reduced in bf16 on more than four nodes, the norm of the output
#   logits grew and grew, a user reports, and asks why OLMo reduces in fp32. [allenai/OLMo #514](https://github.com/allenai/OLMo/issues/514)
# - **Open ports.** TensorFlow "is designed to run on private networks", says a maintainer: no authentication, no
#   encryption. [tensorflow/tensorflow #11689](https://github.com/tensorflow/tensorflow/issues/11689)
# - **Wrong rows in fp16.** On one of our own machines, whose CPU has arithmetic in fp16 (AVX512_FP16), TensorFlow 2.21's
#   `tf.einsum("...i,iu->...u", x, kernel)` in fp16 had wrong rows in 48 of 80 small shapes. `tf.matmul` and
#   `"bi,iu->bu"` were right there, and so was all of it with `TF_ENABLE_ONEDNN_OPTS=0`. Nothing was raised. So
#   before you trust a format on new hardware, compare it with fp64, on small shapes, operation by operation:

# %% tags=["nbval-ignore-output"]
PRODUCTS = {
    "tf.matmul": tf.matmul,
    'tf.einsum("bi,iu->bu")': lambda x, kernel: tf.einsum("bi,iu->bu", x, kernel),
    'tf.einsum("...i,iu->...u")': lambda x, kernel: tf.einsum("...i,iu->...u", x, kernel),
}
wrong = dict.fromkeys(PRODUCTS, 0)
random = np.random.default_rng(0)
shapes = [(b, i, u) for b in (1, 2, 3, 5, 8) for i in (2, 3, 4, 8) for u in (1, 2, 3, 4)]
for b, i, u in shapes:
    x = random.normal(size=(b, i)).astype(np.float16)
    kernel = random.normal(size=(i, u)).astype(np.float16)
    wide, wide_kernel = x.astype(np.float64), kernel.astype(np.float64)
    exact = wide @ wide_kernel
    # Each of i products and sums may be off by half a unit in the last place, relative to the magnitudes.
    bound = i * 2.0**-10 * (np.abs(wide) @ np.abs(wide_kernel))
    for name, product in PRODUCTS.items():
        wrong[name] += bool(np.any(np.abs(product(x, kernel).numpy() - exact) > bound))
for name, count in wrong.items():
    print(f"{name:28} wrong in {count} of {len(shapes)} shapes")

# %%
assert wrong["tf.matmul"] == wrong['tf.einsum("bi,iu->bu")'] == 0

# %% [markdown]
# ## 9. References
#
# - Keras 3, [Mixed precision policy API](https://keras.io/api/mixed_precision/policy/) and
#   [Loss scale optimizer](https://keras.io/api/optimizers/loss_scale_optimizer/); the source that this lesson was
#   checked against is Keras 3.15's `loss_scale_optimizer.py`, `trainer.py` (the wrapping in `compile`) and
#   `backend/tensorflow/optimizer.py` (the reduction).
# - TensorFlow, [Mixed precision](https://www.tensorflow.org/guide/mixed_precision): the guide. Its advice on the output
#   layer holds; its custom loop is Keras 2's.
# - P. Micikevicius et al., *Mixed Precision Training*, ICLR 2018,
#   [arXiv:1710.03740](https://arxiv.org/abs/1710.03740): master weights, loss scaling.
# - D. Kalamkar et al., *A Study of BFLOAT16 for Deep Learning Training*, 2019,
#   [arXiv:1905.12322](https://arxiv.org/abs/1905.12322): bf16 without loss scaling.
#
# **Next:** build all of it yourself,
# [exercises/02_mixed_precision_training](../exercises/02_mixed_precision_training.ipynb).
