# %% [markdown]
# ## 10. The task: quantization-aware training with a schedule
#
# Now put the parts together. You are given a float32 Keras model and a strategy; you return a copy of it that computes
# with fake-quantized kernels and activations, trained that way (**quantization-aware training**, QAT, 量化感知训练). The
# schedule may change the bit width on the way.
#
# In each Dense, Conv2D and DepthwiseConv2D layer two things are quantized, and nothing else:
#
# | | grid | range |
# |---|---|---|
# | its kernel | symmetric, −(2^(bits−1) − 1) … 2^(bits−1) − 1 | the largest \|weight\| of the kernel as it is now, or of the channel |
# | its input | asymmetric, 0 … 2^bits − 1 with a whole zero-point | a moving average over the batches of the training, then frozen |
#
# So the biases, the pooling, the sum of a skip connection and the outputs of the last layer stay in float. A batch
# normalization is folded into the layer before it, and then its kernel is quantized.
#
# Things to know before you start:
#
# - Your own answers above may help, and so may `tf.quantization.fake_quant_with_min_max_vars`, which nudges the
#   zero-point as exercise 1 does. What stands in Python, such as the observer of exercise 6, runs only when a
#   `tf.function` is traced; keep in a variable what changes from step to step.
# - `keras.models.clone_model(model, clone_function=f)` builds the network again with the layer `f(layer)` in place of
#   each layer. It fails on some compiled models; `type(model).from_config(model.get_config())` gives one that is not.
# - In a network that `clone_model` has made, layer `b` reads layer `a` where `b.input is a.output` (a sum has a list of
#   inputs).
# - `with keras.StatelessScope(state_mapping=[(layer.kernel, other)]):` makes a layer that you call in it compute with
#   `other` in place of its kernel.
#
# This cell is given: the strategy.

# %%
from dataclasses import dataclass, field


@dataclass(frozen=True)
class QuantizationStrategy:
    """How to quantize, and when to change the bits.

    Attributes:
        weight_bits: the bits of the kernels at the start, 2 to 8.
        activation_bits: the bits of the inputs of the layers, 2 to 8.
        per_channel: whether a kernel has a scale for each output channel, or one for all.
        schedule: the weight bits from an epoch on, by epoch; the first epoch is 0.
    """

    weight_bits: int = 8
    activation_bits: int = 8
    per_channel: bool = True
    schedule: dict[int, int] = field(default_factory=dict)


# %%
def quantization_aware_training(model, strategy, train_data, epochs=1):
    """Train a fake-quantized copy of a model, with a bit width that may change on the way.

    The copy begins with the weights of the model. Its Dense, Conv2D and DepthwiseConv2D layers
    compute, in training and at inference, with fake-quantized copies of their kernel and of
    their input; all else is float32. The model itself and its optimizer stay as they were.

    Kernels: symmetric, as in exercise 4, with the largest absolute weight on the last point of
    the grid; 0 stays 0 where all weights are. With `strategy.per_channel` there is a scale for
    each output channel: for each entry of the last axis, but of a DepthwiseConv2D kernel, whose
    shape is (height, width, inputs, multiplier), for each pair of input and multiplier. The
    bits are those of `strategy.schedule` for the last epoch in it that has been reached, and
    `strategy.weight_bits` before. At inference they are those of the last epoch trained.

    Inputs: asymmetric with `strategy.activation_bits`, one range for each layer, as
    `quantization_parameters` makes scale and zero-point of it. In a training step a layer
    first takes the least and the largest number of its input into the range, as a moving
    average: the first batch sets it, later ones give 0.9 · old + 0.1 · new, in all epochs.
    Then it rounds its input with that range. At inference the ranges stay as they are.

    Gradients: those of the float kernels are the gradients of the rounded ones; those of an
    input are 0 where it is outside of its range, and pass unchanged elsewhere. Scales and
    ranges are constants to them.

    Batch normalization over the last axis is folded into the layer before it, with the
    moving mean and variance that it has, before the training begins, and is gone from then
    on. That layer must be Dense, Conv2D or DepthwiseConv2D without an activation, and nothing
    else may read its output.

    Args:
        model: a float32 Sequential or functional Keras model, built, with one input and one
            output, no models inside and no layer used twice. Where it is compiled, its loss is
            used (with the regularization of its layers, of the float kernels) and a fresh copy
            of its optimizer; else sparse cross-entropy on logits and Adam(1e-3).
        strategy: a QuantizationStrategy.
        train_data: a tf.data.Dataset of (x, y) batches, or a tuple (x, y) of arrays, which is
            cut into batches of 32 in its order, the last one as long as what is left.
        epochs: how many times to go through the data, with the layers in training mode.

    Returns:
        The quantized model, a Keras model, and the history, a dict of lists with one entry an
        epoch: "loss", the mean of its batches' losses (a shorter last batch may count less),
        and "weight_bits".

        A model that has seen no batch, since `epochs` was 0, raises an error when it is
        called, whose message says that it was never calibrated.

    Raises:
        ValueError: there is a batch normalization that cannot be folded, or a layer other than
            Dense, Conv2D, DepthwiseConv2D, InputLayer, ReLU, Activation, Dropout, Flatten,
            Reshape, Add, MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D and
            GlobalAveragePooling2D. The message names the layer.
    """
    ### BEGIN SOLUTION
    layers = keras.layers
    weighted = (layers.Dense, layers.Conv2D, layers.DepthwiseConv2D)
    weightless = (
        *(layers.InputLayer, layers.ReLU, layers.Activation, layers.Dropout, layers.Flatten),
        *(layers.Reshape, layers.Add, layers.MaxPooling2D, layers.AveragePooling2D),
        *(layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D),
    )

    @tf.custom_gradient
    def rounded(kernel, scale):
        """Straight through; TensorFlow's own operation with a range a channel is slow."""
        steps = tf.round(tf.math.divide_no_nan(kernel, scale))
        return steps * scale, lambda gradient: (gradient, None)

    class Quantized(layers.Layer):
        """Runs a layer with fake-quantized copies of its kernel and its input."""

        def __init__(self, layer):
            super().__init__(name=layer.name)
            self.layer, self.weight_bits = layer, strategy.weight_bits
            rank = len(layer.kernel.shape)
            channel_axes = 2 if isinstance(layer, layers.DepthwiseConv2D) else 1
            self.axes = list(range(rank - channel_axes if strategy.per_channel else rank))
            not_seen = keras.initializers.Constant(math.nan)
            self.range = self.add_weight(shape=(2,), initializer=not_seen, trainable=False)

        def call(self, x, training=False):
            if training:
                seen = tf.stack([tf.reduce_min(x), tf.reduce_max(x)])
                average = 0.9 * self.range + 0.1 * seen
                self.range.assign(tf.where(tf.math.is_nan(self.range), seen, average))
            low, high = tf.minimum(self.range[0], 0.0), tf.maximum(self.range[1], 0.0)
            bits = strategy.activation_bits
            x = tf.quantization.fake_quant_with_min_max_vars(x, low, high, bits)
            kernel = tf.convert_to_tensor(self.layer.kernel)
            largest = tf.reduce_max(tf.abs(kernel), self.axes, keepdims=True)
            kernel = rounded(kernel, largest / (2 ** (self.weight_bits - 1) - 1))
            with keras.StatelessScope(state_mapping=[(self.layer.kernel, kernel)]):
                return self.layer(x)

    class QuantizedModel(keras.Model):
        """A network that does not predict before it has seen a batch."""

        def __init__(self, network):
            super().__init__(name=network.name)
            self.network, self.calibrated = network, False

        def call(self, x, training=False):
            if training:
                self.calibrated = True
            if not self.calibrated:
                raise RuntimeError("this model was never calibrated: train it on a batch")
            return self.network(x, training=training)

    def reads(layer, other):
        return any(tensor is other.output for tensor in tf.nest.flatten(layer.input))

    def norm_after(layer):
        """The batch normalization that can be folded into this layer, or None."""
        if not isinstance(layer, weighted) or layer.activation is not keras.activations.linear:
            return None
        readers = [other for other in source.layers if reads(other, layer)]
        norm = readers[0] if len(readers) == 1 else None
        last = len(layer.output.shape) - 1
        foldable = isinstance(norm, layers.BatchNormalization) and norm.axis in (-1, last)
        return norm if foldable else None

    def folded(layer, norm):
        """Kernel and bias of a layer with the batch normalization in them."""
        kernel, bias = layer.kernel.numpy(), layer.bias.numpy() if layer.use_bias else 0.0
        factor = 1 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
        factor = factor * norm.gamma.numpy() if norm.scale else factor
        shift = norm.beta.numpy() if norm.center else 0.0
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        by_channel = factor.reshape(kernel.shape[2:]) if depthwise else factor
        return kernel * by_channel, (bias - norm.moving_mean.numpy()) * factor + shift

    def converted(layer):
        """What stands in the quantized network for a layer."""
        if any(layer is norm for norm in norms.values()):
            return layers.Identity(name=layer.name)
        if not isinstance(layer, weighted + weightless):
            kind = type(layer).__name__
            raise ValueError(f"{kind} {layer.name!r} can be neither quantized nor folded")
        norm = norms.get(layer.name)
        config = layer.get_config() | ({"use_bias": True} if norm else {})
        copy = type(layer).from_config(config)
        if not isinstance(layer, weighted):
            return copy
        copy.build(layer.input.shape)
        copy.set_weights(folded(layer, norm) if norm else layer.get_weights())
        return Quantized(copy)

    # `clone_model` fails on some compiled models, and a model made from a config is not compiled.
    source = keras.models.clone_model(type(model).from_config(model.get_config()))
    source.set_weights(model.get_weights())
    norms = {layer.name: norm_after(layer) for layer in source.layers}
    network = keras.models.clone_model(source, clone_function=converted)
    quantized, variables = QuantizedModel(network), network.trainable_variables
    if model.compiled:
        loss = model.loss
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = keras.optimizers.Adam(1e-3)
    quantized.compile(optimizer, loss, jit_compile=False)
    optimizer.build(variables)  # a tf.function cannot make variables

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = quantized.compute_loss(x=x, y=y, y_pred=quantized(x, training=True))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    if isinstance(train_data, tuple):
        train_data = tf.data.Dataset.from_tensor_slices(train_data).batch(32)
    history, bits = {"loss": [], "weight_bits": []}, strategy.weight_bits
    for epoch in range(epochs):
        if epoch == 0 or epoch in strategy.schedule:
            bits = strategy.schedule.get(epoch, bits)
            for layer in network.layers:
                if isinstance(layer, Quantized):
                    layer.weight_bits = bits
            # A graph keeps the bits that it was traced with.
            step_with_these_bits = tf.function(step, input_signature=train_data.element_spec)
        losses = [step_with_these_bits(x, y) for x, y in train_data]
        history["loss"].append(float(np.mean(losses)))
        history["weight_bits"].append(bits)
    return quantized, history
    ### END SOLUTION


# %%
check(quantization_aware_training)

# %% [markdown]
# ### On the digits
#
# The network of 64-64-64-10 with weights of 2 bits, −1, 0 and 1 times a scale, and activations of 8. *What will be left
# of its accuracy if the trained weights are rounded just so? And what if it trains on with the rounding?*
#
# The first is **post-training quantization** (PTQ, 训练后量化). Our function does it too: with a learning rate of 0 an
# epoch moves nothing but the ranges, which is called **calibration** (校准). Five seeds, for the weights and the order
# of the images. The settings (Adam, a learning rate that falls from 10⁻³ to 0, 20 epochs) were chosen on the
# validation images; here we train on the 1,400 for training and validation, and count on the 397 test images.

# %%
import time
from functools import partial

from halfbits.data import digits
from halfbits.models import mlp

SEEDS, EPOCHS = range(5), 20
images = digits()
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def batches(seed):
    data = tf.data.Dataset.from_tensor_slices(images.train_and_validation)
    return data.shuffle(len(data), seed=seed).batch(32)


STEPS_AN_EPOCH = len(batches(0))


def accuracy(model):
    return float(np.mean(np.argmax(model(images.test.x), axis=1) == images.test.y))


def trained_in_float(seed):
    model = mlp(keras, seed=seed)
    model.compile(keras.optimizers.Adam(1e-3), cross_entropy)
    model.fit(batches(seed), epochs=30, shuffle=False, verbose=0)
    return model


def calibrated(strategy, seed):
    model = float_models[seed]
    model.compile(keras.optimizers.SGD(0.0), cross_entropy)
    return quantization_aware_training(model, strategy, batches(seed))[0]


def trained_on(strategy, seed):
    model = float_models[seed]
    rate = keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * STEPS_AN_EPOCH)
    model.compile(keras.optimizers.Adam(rate), cross_entropy)
    return quantization_aware_training(model, strategy, batches(seed), EPOCHS)[0]


results = {}


def five_seeds(name, train):
    start = time.perf_counter()
    accuracies = [accuracy(train(seed)) for seed in SEEDS]
    seconds = (time.perf_counter() - start) / len(SEEDS)
    results[name] = {"mean": np.mean(accuracies), "seconds": seconds}
    print(f"{name:32}{np.mean(accuracies):.3f} ± {np.std(accuracies):.3f}")


# %% tags=["nbval-ignore-output"]
float_models = [trained_in_float(seed) for seed in SEEDS]
five_seeds("float", lambda seed: float_models[seed])
for kind, per_channel in ("per tensor", False), ("per channel", True):
    two = QuantizationStrategy(2, 8, per_channel)
    for name, train in ("PTQ", calibrated), ("QAT", trained_on):
        five_seeds(f"{name}, 2 bits {kind}", partial(train, two))

# %% [markdown]
# Rounding alone costs more than a third of the answers with one scale a tensor, and more than a tenth with one a
# channel. Training on with the rounding wins most of it back, and per channel nearly all: it is within two points of
# float. The kernels that the optimizer moves are still float32; what they have learnt is to be right after rounding.

# %%
left = {name: result["mean"] for name, result in results.items()}
assert left["PTQ, 2 bits per tensor"] < 0.6 * left["float"]
assert left["PTQ, 2 bits per channel"] < left["float"] - 0.1
assert left["QAT, 2 bits per tensor"] > left["PTQ, 2 bits per tensor"] + 0.25
assert left["QAT, 2 bits per channel"] > left["float"] - 0.02

# %% [markdown]
# *Is it better to come down by degrees?* The same 20 epochs, with 8 bits, from epoch 7 on 4, from epoch 14 on 2:

# %% tags=["nbval-ignore-output"]
by_degrees = QuantizationStrategy(8, 8, True, schedule={7: 4, 14: 2})
five_seeds("QAT, 8 → 4 → 2 per channel", partial(trained_on, by_degrees))

# %% [markdown]
# Not here: from a trained model, 20 epochs at 2 bits are as good or better. The schedule is worth knowing as a tool,
# and worth measuring before it is believed.

# %%
scheduled = results["QAT, 8 → 4 → 2 per channel"]["mean"]
assert scheduled > left["PTQ, 2 bits per channel"] + 0.05
assert scheduled < left["QAT, 2 bits per channel"] + 0.01

# %% [markdown]
# ### The library way
#
# In a project you would take TFMOT, the TensorFlow Model Optimization Toolkit: `quantize_model`, `compile`, `fit`. It
# takes models of `tf_keras`, which is Keras 2, and works with 8 bits; a dense kernel has one scale. So we give the same
# five networks to both, and train 5 epochs at 8 bits.
#
# *What will TFMOT's wrapped model score before it has seen any data?*

# %% tags=["nbval-ignore-output"]
import tensorflow_model_optimization as tfmot
import tf_keras

from halfbits import tflite


def wrapped(seed):
    twin = mlp(tf_keras)
    twin.set_weights(float_models[seed].get_weights())
    return tfmot.quantization.keras.quantize_model(twin)


untrained = accuracy(wrapped(0))
print(f"TFMOT, before any data: {untrained:.2f}")
ours, _ = quantization_aware_training(float_models[0], QuantizationStrategy(), batches(0), 0)
try:
    accuracy(ours)
except RuntimeError as error:
    refusal = str(error)
    print("ours:", type(error).__name__)

# %%
assert untrained < 0.3
assert "never calibrated" in refusal

# %% [markdown]
# A guess, as its ranges are made up until a training step sets them, and it does not say so. That is why ours must.


# %%
def with_fit(seed):
    model = wrapped(seed)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(1e-3), loss)
    model.fit(batches(seed), epochs=5, shuffle=False, verbose=0)
    fitted.append(model)
    return model


def with_ours(seed):
    model, strategy = float_models[seed], QuantizationStrategy(8, 8, per_channel=False)
    model.compile(keras.optimizers.Adam(1e-3), cross_entropy)
    return quantization_aware_training(model, strategy, batches(seed), epochs=5)[0]


def as_tflite(seed):
    """The wrapped model in integers; from its fake quantization the converter knows all ranges."""
    interpreter = tflite.interpreter(tflite.convert(fitted[seed], "dynamic_range"))
    return lambda x: tflite.run(interpreter, x)


# %% tags=["nbval-ignore-output"]
fitted = []
five_seeds("ours, 8 bits", with_ours)
five_seeds("TFMOT, 8 bits", with_fit)
five_seeds("TFMOT, converted to TFLite", as_tflite)
for name in ("ours, 8 bits", "TFMOT, 8 bits"):
    ms = 1000 * results[name]["seconds"] / (5 * STEPS_AN_EPOCH)
    print(f"{name:32}{ms:.1f} ms a step, all included")
sizes = {
    "float32": len(tflite.convert(float_models[0])),
    "int8": len(tflite.convert(fitted[0], "dynamic_range")),
}
print(", ".join(f"{name} file: {size:,} bytes" for name, size in sizes.items()))

# %% [markdown]
# At 8 bits all three are as good as float: there is nothing to win back, and TFMOT's model, in integers, takes a third
# of the space. On layers of 64 units a step is nearly all overhead; `benchmarks/quantization.py` compares the steps
# where arithmetic counts.
#
# Where ours and TFMOT's differ: TFMOT quantizes the *outputs* of layers too, keeps batch normalization in training, and
# its moving average starts from made-up ranges; it knows 8 bits only (an experimental scheme has others) and no
# schedule. Ours stops at fake quantization: the converter knows TFMOT's layers, not ours.

# %%
for name in ("ours, 8 bits", "TFMOT, 8 bits", "TFMOT, converted to TFLite"):
    assert abs(results[name]["mean"] - left["float"]) < 0.02, name
assert sizes["int8"] < sizes["float32"] / 2
