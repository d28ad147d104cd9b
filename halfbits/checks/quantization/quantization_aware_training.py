"""quantization_aware_training(model, strategy, train_data, epochs=1) -> (quantized model, history): the unit's task."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from halfbits.checks.training import (
    Data,
    Network,
    adam,
    as_the_network_asks,
    batches_of,
    both,
    copied,
    kind_of,
    nested,
    remembering,
    sgd,
    show_strategy,
)
from halfbits.grading.exercise import misconception
from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

# Every call builds its networks anew and runs a few steps, at about a fifth of a second a call on two busy cores.
SECONDS = 90.0
REPLAY_SECONDS = 30.0


# All that is compared can be seen from outside, since answers may build the quantized model in any way: its outputs,
# the history, errors.


@dataclass(frozen=True)
class QuantizationStrategy:
    """The strategy as the notebook gives it; answers may use its attributes only."""

    weight_bits: int = 8
    activation_bits: int = 8
    per_channel: bool = True
    schedule: dict[int, int] = field(default_factory=dict, hash=False)


@dataclass
class Outcome:
    """A finished call: the network given and as it was, the strategy likewise, the network returned, the history."""

    model: keras.Model
    quantized: keras.Model
    history: Mapping
    weights_before: list
    strategies: tuple[QuantizationStrategy, QuantizationStrategy]  # as it was, as it is now


def _outcome(answer, network, strategy, data, *epochs):
    """Build the network, have it trained by the answer, and return what is to be compared."""
    with as_the_network_asks(network):
        model = network.build()
        weights, own = model.get_weights(), replace(strategy, schedule=dict(strategy.schedule))
        try:
            returned = answer(model, own, data, *epochs)
        except ValueError as error:
            if network.look is not names_the_layer:
                raise
            return {"raises": "ValueError", "names the layer": "culprit" in str(error)}
        if returned is None:
            return None
        quantized, history = returned if isinstance(returned, tuple) and len(returned) == 2 else (None, None)
        if not isinstance(quantized, keras.Model) or not isinstance(history, Mapping):
            return {"returned": kind_of(returned)}
        return network.look(Outcome(model, quantized, history, weights, (strategy, own)))


use = remembering(_outcome)
SHOW = {1: show_strategy}


# What to look at.

DECIMALS = 3  # far above float32's rounding errors and far below what a wrong grid does


def rounded(values) -> np.ndarray:
    return np.round(np.asarray(values, np.float32), DECIMALS) + np.float32(0)  # no signed zeros


@functools.cache
def outputs(points: tuple) -> Callable:
    """What the quantized model makes of these examples."""
    return lambda outcome: {"outputs": rounded(outcome.quantized(np.array(points, np.float32)))}


def losses(outcome: Outcome) -> dict:
    return {"loss": rounded(outcome.history.get("loss", []))}


def weight_bits(outcome: Outcome) -> dict:
    return {"weight_bits": outcome.history.get("weight_bits")}


@functools.cache
def frozen(points: tuple) -> Callable:
    """Whether an example's output depends on what else the model is given."""

    def look(outcome: Outcome) -> dict:
        x = np.array(points, np.float32)
        at_first, _ = np.asarray(outcome.quantized(x)), outcome.quantized(100 * x)
        one_by_one = np.concatenate([outcome.quantized(x[i : i + 1]) for i in range(len(x))])
        return {
            "outputs": rounded(at_first),
            "the same after another batch": bool(np.allclose(at_first, outcome.quantized(x), atol=1e-5)),
            "the same one by one": bool(np.allclose(at_first, one_by_one, atol=1e-5)),
        }

    return look


def left_alone(outcome: Outcome) -> dict:
    """What must not have happened to the network given."""
    pairs = zip(outcome.model.get_weights(), outcome.weights_before, strict=True)
    return {
        "a new model came back": outcome.quantized is not outcome.model,
        "the old one's weights are as before": all(np.array_equal(a, b) for a, b in pairs),
        "steps of its optimizer": int(outcome.model.optimizer.iterations) if outcome.model.compiled else 0,
        "it is compiled": outcome.model.compiled,
        "the strategy is as before": outcome.strategies[0] == outcome.strategies[1],
    }


UNTOUCHED = {
    "a new model came back": True,
    "the old one's weights are as before": True,
    "steps of its optimizer": 0,
    "it is compiled": True,
    "the strategy is as before": True,
}


@functools.cache
def refuses(points: tuple) -> Callable:
    """Whether the model says that it was never calibrated."""

    def look(outcome: Outcome) -> dict:
        found, x = {}, np.array(points, np.float32)
        for way, run in ("called", outcome.quantized), ("predict", lambda x: outcome.quantized.predict(x, verbose=0)):
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Even though the `tf.config.experimental_run_functions_eagerly`")
                    run(x)
            except Exception as error:
                found[way] = "an error" if "calibrat" in str(error).lower() else "an error that says something else"
            else:
                found[way] = "no error"
        return found

    return look


def names_the_layer(outcome: Outcome) -> dict:
    return {"raises": "nothing", "names the layer": False}


# The oracle: the contract in float64, without Keras.


def nearest(x):
    return tf.round(x)


def inside(x, low, high):
    return tf.cast((x >= low) & (x <= high), x.dtype)


def straight_through(x, value, passes=1.0):
    """The value, with the gradient of x where it passes."""
    return tf.stop_gradient(value - x * passes) + x * passes


class Reference:
    """A network given as a function of (this object, x), quantized and trained in float64.

    Args:
        forward: the network; it calls `dense`, `convolution` and `depthwise`.
        weights: the kernel and the bias of each such layer.
        strategy: the strategy; its schedule too.
        loss: of labels and outputs.
        rule: the optimizer, a function of (state, gradient) that returns what to add and the new state.
    """

    def __init__(self, forward, weights, strategy, loss=None, rule=None, decay=0.0):
        self.forward, self.strategy, self.bits = forward, strategy, strategy.weight_bits
        self.weights = {name: [tf.Variable(np.asarray(w, np.float64)) for w in pair] for name, pair in weights.items()}
        self.loss, self.rule, self.decay = loss or mean_square, rule or sgd(0.0), decay
        self.ranges, self.history, self.state, self.seen = {}, [], {}, {}

    def kernel(self, name, channel_axes=1):
        kernel = self.weights[name][0]
        axes = list(range(len(kernel.shape) - channel_axes)) if self.strategy.per_channel else None
        scale = tf.reduce_max(abs(kernel), axes, keepdims=True) / (2 ** (self.bits - 1) - 1)
        scale = tf.stop_gradient(tf.where(scale == 0, 1.0, scale))
        return straight_through(kernel, nearest(kernel / scale) * scale)

    def input(self, name, x):
        if self.training:
            new = np.array([np.min(x), np.max(x)])
            self.ranges[name] = 0.9 * self.ranges[name] + 0.1 * new if name in self.ranges else new
        low, high = min(self.ranges[name][0], 0.0), max(self.ranges[name][1], 0.0)
        top = 2**self.strategy.activation_bits - 1
        scale = (high - low) / top or 1.0
        zero_point = nearest(-low / scale)
        value = (tf.clip_by_value(nearest(x / scale) + zero_point, 0, top) - zero_point) * scale
        return straight_through(x, value, inside(x, -zero_point * scale, (top - zero_point) * scale))

    def dense(self, name, x):
        return self.input(name, x) @ self.kernel(name) + self.weights[name][1]

    def convolution(self, name, x, stride=1, padding="VALID"):
        x = tf.nn.conv2d(self.input(name, x), self.kernel(name), stride, padding)
        return x + self.weights[name][1]

    def depthwise(self, name, x, padding="VALID"):
        x = tf.nn.depthwise_conv2d(self.input(name, x), self.kernel(name, 2), [1, 1, 1, 1], padding)
        return x + self.weights[name][1]

    def __call__(self, x, training=False):
        self.training = training
        return self.forward(self, tf.constant(x, tf.float64))

    def train(self, batches, epochs=1):
        variables = [w for pair in self.weights.values() for w in pair]
        for epoch in range(epochs):
            self.bits = self.strategy.schedule.get(epoch, self.bits)
            found = []
            for x, y in batches:
                with tf.GradientTape() as tape:
                    loss = self.loss(y, self(x, training=True))
                    loss += self.decay * sum(tf.reduce_sum(w**2) for w in variables)
                found.append(loss)
                gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
                for i, (variable, gradient) in enumerate(zip(variables, gradients, strict=True)):
                    change, self.state[i] = self.rule(self.state.get(i), gradient)
                    variable.assign_add(change)
            self.history.append(np.mean(found))
        return self

    def facts(self, points) -> dict:
        if points not in self.seen:
            self.seen[points] = rounded(self(points))
        return {"outputs": self.seen[points]}

    def losses(self) -> dict:
        return {"loss": rounded(self.history)}


@functools.cache
def trained(reference: Callable, strategy, data, epochs=1) -> Reference:
    """What a function of the strategy makes, trained: once for all answers."""
    return reference(strategy).train(data.batches(), epochs)


def mean_square(y, outputs):
    return tf.reduce_mean((y - outputs) ** 2)


def half_mean_square(y, outputs):
    return mean_square(y, outputs) / 2


def half_mean_square_and_penalty(y, outputs):
    """With Keras's L2(0.1) of the outputs of one example."""
    return half_mean_square(y, outputs) + 0.1 * tf.reduce_sum(outputs**2)


def cross_entropy(y, logits):
    return -tf.reduce_mean(tf.gather(tf.nn.log_softmax(logits), y, batch_dims=1))


ADAM = adam(1e-3)


# The networks. Numbers are held to the oracle's to this:
CLOSE = {"atol": 2.5 * 10**-DECIMALS}

RANDOM = np.random.default_rng(10)


def normal(*shape) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


LAYERS = keras.layers
ROWS = nested(np.array([[0.7, -0.6, 1.9], [2.1, 0.3, -0.4], [0.1, 1.2, 0.9], [1.4, -0.2, 0.5]]))
POINTS = nested(np.array([[0.7, -0.6, 1.9], [1.0, 3.1, -1.7], [0.0, 0.0, 0.0], [-0.3, 0.8, 0.2]]))
TARGETS = nested(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0], [0.0, -1.0]]))
KERNELS = {"first": normal(3, 4), "second": normal(4, 3), "out": normal(3, 2)}
BIASES = {"first": normal(4) / 2, "second": normal(3) / 2, "out": normal(2) / 2}
# One column hundreds of times as large as the next, one empty.
UNEVEN = np.array([[0.9, 0.004, 0.0], [-0.35, -0.003, 0.0], [0.52, 0.0017, 0.0]], np.float32)


def compiled(layers, shape, rate=0.0) -> keras.Model:
    model = keras.Sequential([keras.Input(shape), *layers], name="network")
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


@functools.cache
def one_layer(rate=0.0, momentum=0.0, decay=0.0, activity=0.0, loss="mse", is_compiled=True, scale=1.0) -> Callable:
    """The layer `out`; with momentum, its optimizer has been used before."""

    def build():
        penalty, of_outputs = (keras.regularizers.L2(size) if size else None for size in (decay, activity))
        penalties = {"kernel_regularizer": penalty, "bias_regularizer": penalty, "activity_regularizer": of_outputs}
        layer = LAYERS.Dense(2, **penalties, name="out")
        model = keras.Sequential([keras.Input((3,)), layer], name="network")
        model.set_weights([KERNELS["out"] * np.float32(scale), BIASES["out"]])
        if is_compiled:
            model.compile(keras.optimizers.SGD(rate, momentum=momentum), loss)
        if momentum:
            model.optimizer.build(model.trainable_variables)
            for variable in model.optimizer.variables[2:]:  # after the step count and the learning rate
                variable.assign(tf.fill(variable.shape, 64.0))
        return model

    return build


@functools.cache
def one_trained(strategy, data, epochs=1, rate=0.0, momentum=0.0, scale=1.0, **settings) -> Reference:
    """The layer `out`, trained by the oracle."""
    weights = {"out": (KERNELS["out"] * np.float32(scale), BIASES["out"])}
    settings = {"rule": sgd(rate, momentum), **settings}
    return Reference(lambda net, x: net.dense("out", x), weights, strategy, **settings).train(data.batches(), epochs)


RATES = [0.1, 0.02, 0.15]


def scheduled() -> keras.Model:
    model = one_layer()()
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([1, 12], RATES)
    model.compile(keras.optimizers.SGD(rate), "mse")
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(11)
    return model


def uneven() -> keras.Model:
    model = compiled([LAYERS.Dense(3, name="out")], (3,))
    model.set_weights([UNEVEN, np.zeros(3, np.float32)])
    return model


def images(*shape) -> tuple:
    return nested(np.round(RANDOM.uniform(-0.6, 1.7, size=shape), 2))


IMAGES = images(4, 4, 4, 2)
CONVOLUTION = normal(2, 2, 2, 3) * np.array([1.0, 0.05, 0.3], np.float32), normal(3) / 4
DEPTHWISE = normal(2, 2, 2, 2) * np.array([[1.0, 0.1], [0.03, 0.4]], np.float32), normal(4) / 4


def convolution() -> keras.Model:
    layers = [LAYERS.Conv2D(3, 2, strides=2, padding="same", name="conv"), LAYERS.Flatten(name="flat")]
    model = compiled(layers, (4, 4, 2))
    model.set_weights(CONVOLUTION)
    return model


def depthwise() -> keras.Model:
    layers = [LAYERS.DepthwiseConv2D(2, depth_multiplier=2, name="depth"), LAYERS.GlobalAveragePooling2D(name="mean")]
    model = compiled(layers, (4, 4, 2))
    model.set_weights(DEPTHWISE)
    return model


def pooled() -> keras.Model:
    layers = [
        LAYERS.Reshape((4, 4, 2), name="rows"),
        LAYERS.Conv2D(3, 2, name="conv"),
        LAYERS.Activation("tanh", name="tanh"),
        LAYERS.AveragePooling2D((2, 1), strides=1, name="average"),
        LAYERS.GlobalMaxPooling2D(name="maximum"),
    ]
    model = compiled(layers, (32,))
    model.set_weights(CONVOLUTION)
    return model


def three_layers() -> keras.Model:
    """Two hidden layers, one with its ReLU inside and one with a layer for it."""
    layers = [
        LAYERS.Dense(4, activation="relu", name="first"),
        LAYERS.Dense(3, name="second"),
        LAYERS.ReLU(name="relu"),
        LAYERS.Dense(2, name="out"),
    ]
    model = compiled(layers, (3,))
    model.set_weights([w for name in KERNELS for w in (KERNELS[name], BIASES[name])])
    return model


BODY = normal(3, 3), normal(3) / 2


def skip() -> keras.Model:
    x = keras.Input((3,), name="x")
    body = LAYERS.Dense(3, activation="relu", name="body")(x)
    y = LAYERS.Add(name="sum")([x, body])
    model = keras.Model(x, LAYERS.Dense(2, name="out")(y), name="network")
    model.set_weights([*BODY, KERNELS["out"], BIASES["out"]])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


# Batch normalization: gamma, beta, mean, variance. With a variance of 0.004, epsilon (0.001 by default) is seen.
NORM_3 = [
    np.array(row, np.float32) for row in ([0.7, -1.3, 0.4], [0.2, -0.1, 0.6], [0.3, -0.5, 0.1], [0.004, 2.0, 0.3])
]
NORM_4 = [
    np.array([2.0, -0.6, 0.9, 1.4], np.float32),
    normal(4) / 4,
    normal(4) / 4,
    np.array([0.5, 0.004, 1.5, 3], np.float32),
]
NORM_2 = [np.array(row, np.float32) for row in ([1.0, 1.0], [0.3, -0.2], [0.4, -0.7], [0.02, 1.5])]
HEAD = normal(12, 2) / 2, normal(2) / 2


def normalized_convolution() -> keras.Model:
    layers = [
        LAYERS.Conv2D(3, 2, use_bias=False, padding="same", name="conv"),
        LAYERS.BatchNormalization(name="norm"),
        LAYERS.ReLU(name="relu"),
        LAYERS.MaxPooling2D(name="pool"),
        LAYERS.Flatten(name="flat"),
        LAYERS.Dense(2, name="out"),
        LAYERS.BatchNormalization(axis=1, scale=False, name="last"),
    ]
    model = compiled(layers, (4, 4, 2))
    model.set_weights([CONVOLUTION[0], *NORM_3, *HEAD, *NORM_2[1:]])
    return model


def normalized_depthwise() -> keras.Model:
    layers = [
        LAYERS.DepthwiseConv2D(2, depth_multiplier=2, name="depth"),
        LAYERS.BatchNormalization(axis=3, epsilon=0.01, center=False, name="norm"),
        LAYERS.GlobalAveragePooling2D(name="mean"),
    ]
    model = compiled(layers, (4, 4, 2))
    gamma, _, *statistics = NORM_4
    model.set_weights([*DEPTHWISE, gamma, *statistics])
    return model


def folded(kernel, bias, norm, epsilon=1e-3, shape=None):
    gamma, beta, mean, variance = (np.asarray(part, np.float64) for part in norm)
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor.reshape(shape or factor.shape), beta + (bias - mean) * factor


def skip_normalized() -> keras.Model:
    x = keras.Input((3,), name="x")
    body = LAYERS.BatchNormalization(name="norm")(LAYERS.Dense(3, name="body")(x))
    y = LAYERS.Add(name="sum")([x, LAYERS.ReLU(name="relu")(body)])
    model = keras.Model(x, LAYERS.Dense(2, name="out")(y), name="network")
    model.set_weights([*BODY, *NORM_3, KERNELS["out"], BIASES["out"]])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def two_branches() -> keras.Model:
    """The batch normalization comes after another layer than the one that it reads."""
    x = keras.Input((3,), name="x")
    left, right = LAYERS.Dense(3, name="left")(x), LAYERS.Dense(3, name="right")(x)
    norm, relu = LAYERS.BatchNormalization(name="norm")(left), LAYERS.ReLU(name="relu")(right)
    y = LAYERS.Add(name="sum")([norm, relu])
    model = keras.Model(x, LAYERS.Dense(2, name="out")(y), name="network")
    weights = {"left": BODY, "right": RIGHT, "norm": NORM_3, "out": (KERNELS["out"], BIASES["out"])}
    for name, values in weights.items():
        model.get_layer(name).set_weights(values)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def normalized_body() -> keras.Model:
    layers = [LAYERS.Dense(3, use_bias=False, name="body"), LAYERS.BatchNormalization(name="norm")]
    model = compiled([*layers, LAYERS.ReLU(name="relu"), LAYERS.Dense(2, name="out")], (3,), FOLDED_RATE)
    model.set_weights([BODY[0], *NORM_3, KERNELS["out"], BIASES["out"]])
    return model


def with_options() -> keras.Model:
    layers = [
        LAYERS.Conv2D(4, 2, strides=2, activation="relu", name="conv"),
        LAYERS.Reshape((4, 4), name="rows"),
        LAYERS.Dense(2, activation="tanh", name="out"),
        LAYERS.Flatten(name="flat"),
    ]
    model = compiled(layers, (4, 4, 2))
    model.set_weights([*CONVOLUTION_4, *TOP])
    return model


def normalized_twice() -> keras.Model:
    layers = [LAYERS.Dense(3, name="dense"), LAYERS.BatchNormalization(name="norm")]
    return compiled([*layers, LAYERS.BatchNormalization(name="culprit"), LAYERS.Dense(2, name="out")], (3,))


def regularized_relu() -> keras.Model:
    layers = [LAYERS.Dense(3, name="body"), LAYERS.ReLU(activity_regularizer=keras.regularizers.L2(0.1), name="relu")]
    model = compiled([*layers, LAYERS.Dense(2, name="out")], (3,), FOLDED_RATE)
    model.set_weights([*BODY, KERNELS["out"], BIASES["out"]])
    return model


def leaky() -> keras.Model:
    return compiled(
        [LAYERS.Dense(3, name="dense"), LAYERS.LeakyReLU(name="culprit"), LAYERS.Dense(2, name="out")], (3,)
    )


def activated_then_normalized() -> keras.Model:
    """Batch normalization that cannot be folded: there is a ReLU before it."""
    layers = [LAYERS.Dense(4, activation="relu", name="dense"), LAYERS.BatchNormalization(name="culprit")]
    return compiled([*layers, LAYERS.Dense(2, name="out")], (3,))


def normalized_at_first() -> keras.Model:
    return compiled([LAYERS.BatchNormalization(name="culprit"), LAYERS.Dense(2, name="out")], (3,))


def read_twice() -> keras.Model:
    """The layer before the batch normalization is read by another, too."""
    x = keras.Input((3,), name="x")
    body = LAYERS.Dense(3, name="body")(x)
    y = LAYERS.Add(name="sum")([body, LAYERS.BatchNormalization(name="culprit")(body)])
    model = keras.Model(x, LAYERS.Dense(2, name="out")(y), name="network")
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def normalized_along_another_axis() -> keras.Model:
    """As long as the last one: that it is another is not seen by the shapes."""
    layers = [LAYERS.Reshape((3, 1), name="row"), LAYERS.Dense(3, name="dense")]
    layers += [LAYERS.BatchNormalization(axis=1, name="culprit"), LAYERS.Flatten(name="flat")]
    return compiled([*layers, LAYERS.Dense(2, name="out")], (3,))


def other_normalization() -> keras.Model:
    return compiled([LAYERS.LayerNormalization(name="culprit"), LAYERS.Dense(2, name="out")], (3,))


def other_convolution() -> keras.Model:
    layers = [LAYERS.Reshape((3, 1), name="row"), LAYERS.Conv1D(2, 2, name="culprit"), LAYERS.Flatten(name="flat")]
    return compiled([*layers, LAYERS.Dense(2, name="out")], (3,))


def dropped() -> keras.Model:
    """Half of 64 inputs are dropped in training mode, and the rest doubled."""
    model = compiled([LAYERS.Dropout(0.5, name="drop"), LAYERS.Dense(1, name="out")], (64,))
    model.set_weights([np.ones((64, 1), np.float32), np.zeros(1, np.float32)])
    return model


CHAIN_RATE = 0.125
FOLDED_RATE = 0.02
RIGHT = normal(3, 3), normal(3) / 2
CONVOLUTION_4 = normal(2, 2, 2, 4), normal(4) / 4
TOP = normal(4, 2) / 2, normal(2) / 2


@functools.cache
def chain(kernel: float = 0.875, bias: float = 0.0) -> Callable:
    """One number in, two layers of one unit, one number out.

    With 2 weight bits a kernel of one weight is its own fake-quantized copy. All numbers are such that the ends of the
    first range are exact in float32: whether they count as inside decides a gradient.
    """

    def build():
        layers = [LAYERS.Dense(1, name=name) for name in ("first", "out")]
        model = compiled(layers, (1,), CHAIN_RATE)
        model.set_weights([np.array(weight, np.float32) for weight in ([[kernel]], [bias], [[0.5]], [0])])
        return model

    return build


ONE = "Sequential(out), a Dense layer 3 → 2"
TABLE = Data(ROWS, TARGETS, 4)


# The properties. A call is answer(network, strategy, data, epochs).


def test_one_layer(answer):
    """A layer computes with its kernel and its input on their grids, the bias in float (learning rate 0 here)"""
    network = Network(ONE, one_layer(), outputs(POINTS))
    for bits in (3, 5), (5, 3):
        strategy = QuantizationStrategy(*bits, per_channel=False)
        wanted = one_trained(strategy, TABLE).facts(POINTS)
        answer(network, strategy, TABLE, 1).equals(wanted, **CLOSE)


def test_range_holds_zero(answer):
    """The range of the input is widened to hold 0, and 0 is exact on its grid"""
    for rows in (nested(np.array(ROWS) / 4 + 1), nested(np.array(ROWS) / 4 - 2)):
        strategy, data, points = QuantizationStrategy(8, 2), Data(rows, TARGETS, 4), (*rows, (0.0, 0.0, 0.0))
        wanted = one_trained(strategy, data).facts(points)
        answer(Network(ONE, one_layer(), outputs(points)), strategy, data, 1).equals(wanted, **CLOSE)


def uneven_reference(strategy):
    return Reference(lambda net, x: net.dense("out", x), {"out": (UNEVEN, np.zeros(3))}, strategy)


def test_per_channel(answer):
    """With `per_channel` each column of a Dense kernel has a scale of its own, without it there is one for all"""
    points = nested(100 * np.eye(3))
    data = Data(nested(100 * np.array(ROWS)), nested(np.zeros((4, 3))), 4)
    for per_channel in True, False:
        strategy = QuantizationStrategy(3, 8, per_channel)
        wanted = trained(uneven_reference, strategy, data).facts(points)
        network = Network("Sequential(out), columns of unequal size", uneven, outputs(points))
        answer(network, strategy, data, 1).equals(wanted, **CLOSE)


def convolution_reference(strategy):
    def forward(net, x):
        return tf.reshape(net.convolution("conv", x, 2, "SAME"), (-1, 12))

    return Reference(forward, {"conv": CONVOLUTION}, strategy)


def test_convolution(answer):
    """A Conv2D kernel has a scale for each filter; the padding is exactly 0"""
    strategy, data = QuantizationStrategy(3, 4), Data(IMAGES, nested(np.zeros((4, 12))), 4)
    wanted = trained(convolution_reference, strategy, data).facts(IMAGES)
    network = Network("Sequential(conv, flat)", convolution, outputs(IMAGES))
    answer(network, strategy, data, 1).equals(wanted, **CLOSE)


def depthwise_reference(strategy, weights=DEPTHWISE):
    return Reference(lambda net, x: tf.reduce_mean(net.depthwise("depth", x), (1, 2)), {"depth": weights}, strategy)


def test_depthwise(answer):
    """A DepthwiseConv2D kernel has a scale for each pair of input and multiplier, its last two axes"""
    data = Data(IMAGES, nested(np.zeros((4, 4))), 4)
    for per_channel in True, False:
        strategy = QuantizationStrategy(3, 4, per_channel)
        wanted = trained(depthwise_reference, strategy, data).facts(IMAGES)
        network = Network("Sequential(depth, mean)", depthwise, outputs(IMAGES))
        answer(network, strategy, data, 1).equals(wanted, **CLOSE)


def three_layers_reference(strategy):
    def forward(net, x):
        x = tf.nn.relu(net.dense("first", x))
        return net.dense("out", tf.nn.relu(net.dense("second", x)))

    return Reference(forward, {name: (KERNELS[name], BIASES[name]) for name in KERNELS}, strategy)


def test_hidden_layers(answer):
    """Each layer has the range of its own input, as the quantized layers before it make it; the last output is float"""
    strategy = QuantizationStrategy(3, 3)
    wanted = trained(three_layers_reference, strategy, TABLE).facts(POINTS)
    network = Network("Sequential(first, second, relu, out)", three_layers, outputs(POINTS))
    answer(network, strategy, TABLE, 1).equals(wanted, **CLOSE)


def pooled_reference(strategy):
    def forward(net, x):
        x = tf.nn.tanh(net.convolution("conv", tf.reshape(x, (-1, 4, 4, 2))))
        return tf.reduce_max(tf.nn.avg_pool2d(x, (2, 1), 1, "VALID"), (1, 2))

    return Reference(forward, {"conv": CONVOLUTION}, strategy)


def test_layers_without_weights(answer):
    """What has no kernel computes as it did, in float"""
    strategy, data = QuantizationStrategy(4, 4), Data(nested(np.reshape(IMAGES, (4, 32))), nested(np.zeros((4, 3))), 4)
    wanted = trained(pooled_reference, strategy, data).facts(data.x)
    text = "Sequential(rows, conv, tanh, average, maximum)"
    answer(Network(text, pooled, outputs(data.x)), strategy, data, 1).equals(wanted, **CLOSE)


def with_options_reference(strategy):
    def forward(net, x):
        x = tf.reshape(tf.nn.relu(net.convolution("conv", x, 2)), (-1, 4, 4))
        return tf.reshape(tf.nn.tanh(net.dense("out", x)), (-1, 8))

    return Reference(forward, {"conv": CONVOLUTION_4, "out": TOP}, strategy)


def test_options(answer):
    """A layer keeps its options, such as an activation, and a Dense layer may read rows"""
    strategy, data = QuantizationStrategy(4, 4), Data(IMAGES, nested(np.zeros((4, 8))), 4)
    wanted = trained(with_options_reference, strategy, data).facts(IMAGES)
    text = "Sequential(conv with relu, rows, out with tanh, flat)"
    answer(Network(text, with_options, outputs(IMAGES)), strategy, data, 1).equals(wanted, **CLOSE)


def test_any_size(answer):
    """Numbers of any size have a grid: nothing is added to a scale, and a range of nothing but 0 does no harm"""
    strategy, tiny = QuantizationStrategy(3, 4), 2.0**-18
    for size in tiny, 1 / tiny:
        data, points = Data(nested(np.array(ROWS) / size), TARGETS, 4), nested(np.array(POINTS) / size)
        wanted = one_trained(strategy, data, scale=size).facts(points)
        network = Network(f"{ONE}, a kernel as large as {size:.0e}", one_layer(scale=size), outputs(points))
        answer(network, strategy, data, 1).equals(wanted, **CLOSE)
    nothing = nested(np.zeros((4, 3)))
    net = one_trained(strategy, Data(nothing, TARGETS, 4))
    network = Network(f"{ONE}, all inputs 0", one_layer(), both(outputs(nothing), losses))
    answer(network, strategy, Data(nothing, TARGETS, 4), 1).equals(net.facts(nothing) | net.losses(), **CLOSE)


def skip_reference(strategy, body=BODY):
    def forward(net, x):
        return net.dense("out", x + tf.nn.relu(net.dense("body", x)))

    return Reference(forward, {"body": body, "out": (KERNELS["out"], BIASES["out"])}, strategy)


def skip_normalized_reference(strategy):
    return skip_reference(strategy, folded(*BODY, NORM_3))


def two_branches_reference(strategy):
    def forward(net, x):
        return net.dense("out", net.dense("left", x) + tf.nn.relu(net.dense("right", x)))

    weights = {"left": folded(*BODY, NORM_3), "right": RIGHT, "out": (KERNELS["out"], BIASES["out"])}
    return Reference(forward, weights, strategy)


def test_skip_connection(answer):
    """A functional network keeps its connections, folds as any other, and a sum is taken in float"""
    strategy = QuantizationStrategy(3, 3)
    wanted = trained(skip_reference, strategy, TABLE).facts(POINTS)
    network = Network("Model(x → body, + x → sum → out)", skip, outputs(POINTS))
    answer(network, strategy, TABLE, 1).equals(wanted, **CLOSE)

    wanted = trained(skip_normalized_reference, strategy, TABLE).facts(POINTS)
    network = Network("Model(x → body → norm → relu, + x → sum → out)", skip_normalized, outputs(POINTS))
    answer(network, strategy, TABLE, 1).equals(wanted, **CLOSE)

    wanted = trained(two_branches_reference, strategy, TABLE).facts(POINTS)
    network = Network("Model(x → left → norm, + x → right → relu → sum → out)", two_branches, outputs(POINTS))
    answer(network, strategy, TABLE, 1).equals(wanted, **CLOSE)


def normalized_reference(strategy):
    def forward(net, x):
        x = tf.nn.relu(net.convolution("conv", x, padding="SAME"))
        return net.dense("out", tf.reshape(tf.nn.max_pool2d(x, 2, 2, "VALID"), (-1, 12)))

    weights = {"conv": folded(CONVOLUTION[0], 0.0, NORM_3), "out": folded(*HEAD, NORM_2)}
    return Reference(forward, weights, strategy)


def test_batch_normalization(answer):
    """Batch normalization is folded into the layer before it, then the folded kernel is quantized"""
    strategy, data = QuantizationStrategy(3, 4, per_channel=False), Data(IMAGES, nested(np.zeros((4, 2))), 4)
    wanted = trained(normalized_reference, strategy, data).facts(IMAGES)
    text = "Sequential(conv, norm, relu, pool, flat, out, last)"
    answer(Network(text, normalized_convolution, outputs(IMAGES)), strategy, data, 1).equals(wanted, **CLOSE)


def normalized_depthwise_reference(strategy):
    gamma, _, *statistics = NORM_4
    return depthwise_reference(strategy, folded(*DEPTHWISE, (gamma, 0.0, *statistics), 0.01, (2, 2)))


def test_batch_normalization_depthwise(answer):
    """It is folded into a DepthwiseConv2D layer, too (here one over axis 3, the last, and without beta)"""
    strategy, data = QuantizationStrategy(6, 4, per_channel=False), Data(IMAGES, nested(np.zeros((4, 4))), 4)
    wanted = trained(normalized_depthwise_reference, strategy, data).facts(IMAGES)
    network = Network("Sequential(depth, norm, mean)", normalized_depthwise, outputs(IMAGES))
    answer(network, strategy, data, 1).equals(wanted, **CLOSE)


def normalized_body_reference(strategy):
    weights = {"body": folded(BODY[0], 0.0, NORM_3), "out": (KERNELS["out"], BIASES["out"])}
    rule = sgd(FOLDED_RATE)
    return Reference(lambda net, x: net.dense("out", tf.nn.relu(net.dense("body", x))), weights, strategy, rule=rule)


def test_folded_learns(answer):
    """The folded kernel and the folded bias are trained like any others"""
    strategy = QuantizationStrategy(4, 6)
    net = trained(normalized_body_reference, strategy, TABLE, 3)
    look = both(outputs(POINTS), losses)
    network = Network(f"Sequential(body, norm, relu, out), compiled with SGD({FOLDED_RATE})", normalized_body, look)
    answer(network, strategy, TABLE, 3).equals(net.facts(POINTS) | net.losses(), **CLOSE)


def test_unsupported_layers(answer):
    """A layer that is not supported, or batch normalization that cannot be folded, is a ValueError that names it"""
    cases = {
        "Sequential(culprit: LayerNormalization, out)": other_normalization,
        "Sequential(dense, culprit: LeakyReLU, out)": leaky,
        "Sequential(dense, norm: BatchNormalization, culprit: BatchNormalization, out)": normalized_twice,
        "Sequential(row, culprit: Conv1D, flat, out)": other_convolution,
        "Sequential(dense with ReLU, culprit: BatchNormalization, out)": activated_then_normalized,
        "Sequential(culprit: BatchNormalization, out)": normalized_at_first,
        "Sequential(row, dense, culprit: BatchNormalization(axis=1), flat, out)": normalized_along_another_axis,
        "Model(x → body → culprit: BatchNormalization, + body → sum → out)": read_twice,
    }
    for text, build in cases.items():
        call = answer(Network(text, build, names_the_layer), QuantizationStrategy(), TABLE, 1)
        call.equals({"raises": "ValueError", "names the layer": True})


# Each batch has another range, the last one a narrow one.
BATCHES = Data(
    nested(np.array(ROWS * 2) * np.array([[1.0], [1], [2.3], [1.9], [0.7], [0.8], [0.3], [0.2]])), TARGETS * 2, 2
)


def test_moving_average(answer):
    """The range is a moving average: the first batch sets it, the later ones count a tenth, in all epochs"""
    strategy = QuantizationStrategy(8, 3)
    network = Network(ONE, one_layer(), outputs(POINTS), traced=True)
    wanted = one_trained(strategy, BATCHES, 2).facts(POINTS)
    answer(network, strategy, BATCHES, 2).equals(wanted, **CLOSE)


def test_updated_first(answer):
    """In a step the range takes the batch in, then the input is rounded with it"""
    strategy = QuantizationStrategy(8, 3)
    network = Network(ONE, one_layer(), losses)
    wanted = one_trained(strategy, BATCHES).losses()
    answer(network, strategy, BATCHES, 1).equals(wanted, **CLOSE)


def test_frozen(answer):
    """After training the ranges stay: an example's output does not depend on what else the model is given"""
    strategy = QuantizationStrategy(8, 3)
    wanted = one_trained(strategy, BATCHES).facts(POINTS)
    wanted |= {"the same after another batch": True, "the same one by one": True}
    answer(Network(ONE, one_layer(), frozen(POINTS)), strategy, BATCHES, 1).equals(wanted, **CLOSE)


def test_never_calibrated(answer):
    """A model that has seen no batch (0 epochs) raises an error that says so, called or by `predict`"""
    network = Network(ONE, one_layer(), refuses(POINTS), traced=True)
    answer(network, QuantizationStrategy(), TABLE, 0).equals({"called": "an error", "predict": "an error"})


def test_straight_through(answer):
    """The float weights learn through the rounding, as if it were not there"""
    rate = 0.06
    for per_channel in True, False:
        strategy = QuantizationStrategy(2, 8, per_channel)
        net = one_trained(strategy, TABLE, 4, rate)
        network = Network(f"{ONE}, compiled with SGD({rate})", one_layer(rate), both(outputs(POINTS), losses))
        answer(network, strategy, TABLE, 4).equals(net.facts(POINTS) | net.losses(), **CLOSE)


@functools.cache
def chain_reference(kernel=0.875, bias=0.0):
    weights = {"first": ([[kernel]], [bias]), "out": ([[0.5]], [0.0])}
    return lambda strategy: Reference(
        lambda net, x: net.dense("out", net.dense("first", x)), weights, strategy, rule=sgd(CHAIN_RATE)
    )


def test_no_gradient_outside(answer):
    """What lies outside of its range, the one with a whole zero-point, passes no gradient back"""
    # The second batch is far outside of the range that the first one set.
    cases = []
    for side in (1.0, -1.0):
        far = Data(nested(side * np.array([[1.875], [6], [5]])), nested(side * np.array([[1.0], [4], [-3]])), 1)
        cases.append((QuantizationStrategy(2, 4), far, 0.875, 0.0))
    # With 2 bits −0.45 … 0.55 becomes −1/3 … 2/3, a third of a step below; and the same mirrored. An end of the range
    # of `out` is outside then, and what lies there was seen in the very same step.
    for side in (1.0, -1.0):
        edge = Data(((-side,), (2 * side,)), ((2.0,), (-3.0,)), 2)
        cases.append((QuantizationStrategy(2, 2), edge, 1 / 3, -side * 7 / 60))
    points = ((0.6,), (1.4,), (9.0,), (-0.7,))
    for strategy, data, kernel, bias in cases:
        wanted = trained(chain_reference(kernel, bias), strategy, data, 2)
        network = Network("Sequential(first, out) of one unit each", chain(kernel, bias), both(outputs(points), losses))
        answer(network, strategy, data, 2).equals(wanted.facts(points) | wanted.losses(), **CLOSE)


def test_schedule(answer):
    """`schedule` sets the weight bits from an epoch on, in training and at inference, and the history says them"""
    look = both(outputs(POINTS), losses, weight_bits)
    network, data = Network(ONE, one_layer(), look, traced=True), Data(BATCHES.x, BATCHES.y, 4)
    for bits, schedule, epochs in (4, {3: 2, 9: 8, 1: 8}, 5), (3, {0: 2}, 2):
        strategy, taken, wanted = QuantizationStrategy(bits, 8, False, schedule), bits, []
        for epoch in range(epochs):
            taken = schedule.get(epoch, taken)
            wanted.append(taken)
        net = one_trained(strategy, data, epochs)
        call = answer(network, strategy, data, epochs)
        call.equals(net.facts(POINTS) | net.losses() | {"weight_bits": wanted}, **CLOSE)


def test_tuples(answer):
    """A tuple (x, y) is cut in its order into batches of 32, the last one shorter; without `epochs` there is one"""
    rate, strategy = 0.06, QuantizationStrategy(2, 3)
    x = np.array(ROWS * 13)[:50] * np.linspace(0.2, 1.4, 50)[:, None]
    data = Data(nested(x), (TARGETS * 13)[:50])
    wanted = one_trained(strategy, data, 1, rate).facts(POINTS)
    network = Network(f"{ONE}, compiled with SGD({rate})", one_layer(rate), outputs(POINTS))
    answer(network, strategy, data).equals(wanted, **CLOSE)


def half_square(y, prediction):
    return 0.5 * (y - prediction) ** 2


def test_loss_and_optimizer(answer):
    """Loss, regularization and optimizer are the model's; its state is fresh, and kept when the bits change"""
    settings, strategy = {"momentum": 0.5, "decay": 0.1}, QuantizationStrategy(3, 8, schedule={2: 2})
    # Two steps an epoch: what an optimizer forgets from one epoch to the next is not all that it has.
    pairs = Data(ROWS, TARGETS, 2)
    net = one_trained(strategy, pairs, 4, 0.1, **settings, loss=half_mean_square)
    network = Network(
        f"{ONE}, an L2 penalty on kernel and bias, a loss function, SGD with momentum, used",
        one_layer(0.1, **settings, loss=half_square),
        both(outputs(POINTS), losses),
    )
    answer(network, strategy, pairs, 4).equals(net.facts(POINTS) | net.losses(), **CLOSE)
    # One example at a time: Keras 3.12 adds the sum over a batch, 3.15 its mean.
    singles = Data(ROWS, TARGETS, 1)
    net = one_trained(strategy, singles, 1, 0.1, loss=half_mean_square_and_penalty)
    network = Network(
        f"{ONE}, an activity regularizer, a loss function, SGD(0.1)",
        one_layer(0.1, activity=0.1, loss=half_square),
        both(outputs(POINTS), losses),
    )
    answer(network, strategy, singles).equals(net.facts(POINTS) | net.losses(), **CLOSE)


def decaying(step, gradient):
    """SGD with the schedule of `scheduled`, in its first steps."""
    step = step or 0
    return -RATES[0 if step < 2 else 1] * gradient, step + 1


def test_learning_rate_schedule(answer):
    """A learning rate that is a schedule stays one, and begins at its beginning"""
    strategy = QuantizationStrategy(3, 8)
    net = one_trained(strategy, BATCHES, 1, rule=decaying)
    text = f"{ONE}, compiled with SGD of a rate {RATES[0]} in the first two steps and {RATES[1]} then, used for 11"
    answer(Network(text, scheduled, outputs(POINTS)), strategy, BATCHES, 1).equals(net.facts(POINTS), **CLOSE)


def regularized_relu_reference(strategy):
    def forward(net, x):
        net.passed = tf.nn.relu(net.dense("body", x))
        return net.dense("out", net.passed)

    weights = {"body": BODY, "out": (KERNELS["out"], BIASES["out"])}
    net = Reference(forward, weights, strategy, rule=sgd(FOLDED_RATE))
    net.loss = lambda y, outputs: mean_square(y, outputs) + 0.1 * tf.reduce_sum(net.passed**2)
    return net


def test_regularized_relu(answer):
    """The outputs of a layer without weights are regularized, too"""
    strategy, singles = QuantizationStrategy(4, 6), Data(ROWS, TARGETS, 1)
    net = trained(regularized_relu_reference, strategy, singles)
    look = both(outputs(POINTS), losses)
    network = Network("Sequential(body, relu with an activity regularizer, out)", regularized_relu, look)
    answer(network, strategy, singles, 1).equals(net.facts(POINTS) | net.losses(), **CLOSE)


def test_uncompiled(answer):
    """A model that is not compiled gets sparse cross-entropy on logits and Adam(1e-3)"""
    strategy, data = QuantizationStrategy(2, 8), Data(nested(50 * np.array(ROWS)), (0, 1, 1, 0), 4)
    net = one_trained(strategy, data, 3, scale=1 / 16, loss=cross_entropy, rule=ADAM)
    network = Network(f"{ONE}, not compiled", one_layer(is_compiled=False, scale=1 / 16), losses)
    answer(network, strategy, data, 3).equals(net.losses(), **CLOSE)


def dropped_reference(strategy):
    return Reference(lambda net, x: net.dense("out", x), {"out": (np.ones((64, 1)), [0.0])}, strategy)


def test_training_mode(answer):
    """The layers run in training mode while training, and not afterwards"""
    # Of 64 ones some are dropped and the others doubled, so the range is 0 to 2 in training.
    strategy, points = QuantizationStrategy(2, 3), nested(np.linspace(0.1, 2.3, 3)[:, None] * np.ones(64) / 1.1)
    seen = Data(nested(np.array([[0.0] * 63 + [2.0]])), ((0.0,),), 1)
    wanted = trained(dropped_reference, strategy, seen).facts(points)
    network = Network("Sequential(drop, out), half of 64 inputs dropped", dropped, outputs(points))
    answer(network, strategy, Data(nested(np.ones((2, 64))), ((0.0,), (0.0,)), 2), 1).equals(wanted, **CLOSE)


def test_the_model_is_left_alone(answer):
    """The model given, its optimizer and the strategy stay as they were"""
    network = Network(f"{ONE}, compiled with SGD(0.1)", one_layer(0.1), left_alone)
    answer(network, QuantizationStrategy(schedule={0: 4, 1: 3}), TABLE, 2).equals(UNTOUCHED)
    network = Network(f"{ONE}, not compiled", one_layer(is_compiled=False), left_alone)
    data = Data(ROWS, (0, 1, 1, 0), 4)
    answer(network, QuantizationStrategy(), data, 1).equals(UNTOUCHED | {"it is compiled": False})


# The misconceptions: each is the training below with one method of its own.

WEIGHTED = (LAYERS.Dense, LAYERS.Conv2D, LAYERS.DepthwiseConv2D)
WEIGHTLESS = (
    *(LAYERS.InputLayer, LAYERS.ReLU, LAYERS.Activation, LAYERS.Dropout, LAYERS.Flatten, LAYERS.Reshape, LAYERS.Add),
    *(LAYERS.MaxPooling2D, LAYERS.AveragePooling2D, LAYERS.GlobalMaxPooling2D, LAYERS.GlobalAveragePooling2D),
)


class Quantized(keras.Model):
    """What a training returns: it predicts as that training says."""

    def __init__(self, training):
        super().__init__()
        self.owner = training

    def call(self, x):
        return self.owner.predict(x)


class Training:
    """The task done right, layer by layer and without a graph; a method for each thing that people do otherwise."""

    def __init__(self, model, strategy):
        self.model, self.strategy, self.bits = model, strategy, strategy.weight_bits
        self.ranges, self.history, self.penalties = {}, {"loss": [], "weight_bits": []}, []
        source = self.copied()
        self.start(source)
        self.norms = {layer.name: self.norm_after(layer, source) for layer in source.layers}
        self.folded_away = [norm.name for norm in self.norms.values() if norm]
        self.check(source)
        self.network = self.with_folds(source) if self.folded_away else source
        self.network.compile(*(self.compiled_with() if model.compiled else self.default()))

    # The copy.

    def copied(self, biased=()):
        return copied(self.model, biased, lambda: self.copy(biased))

    def copy(self, biased=()):
        """The network again, in which one layer's output is the next one's input; some layers have a bias for sure."""

        def fresh(layer):
            return type(layer).from_config(layer.get_config() | ({"use_bias": True} if layer.name in biased else {}))

        if isinstance(self.model, keras.Sequential):
            return keras.Sequential([keras.Input(self.model.input_shape[1:]), *map(fresh, self.model.layers)])
        # A model made from a config is not compiled; `clone_model` fails on some that are.
        return keras.models.clone_model(type(self.model).from_config(self.model.get_config()), clone_function=fresh)

    def start(self, source):
        source.set_weights(self.model.get_weights())

    def norm_after(self, layer, source):
        readers = [r for r in source.layers if any(t is layer.output for t in tf.nest.flatten(r.input))]
        if not isinstance(layer, WEIGHTED) or not self.may_fold(layer, readers):
            return None
        norms = [r for r in readers if isinstance(r, LAYERS.BatchNormalization) and self.by_channel(r, layer)]
        return norms[0] if norms else None

    def by_channel(self, norm, layer):
        return norm.axis in (-1, len(layer.output.shape) - 1)

    def with_folds(self, source):
        network = self.copied(tuple(name for name, norm in self.norms.items() if norm))
        for layer in source.layers:
            norm = self.norms[layer.name]
            network.get_layer(layer.name).set_weights(self.folded(layer, norm) if norm else layer.get_weights())
        return network

    def may_fold(self, layer, readers):
        return layer.activation is keras.activations.linear and len(readers) == 1

    def check(self, source):
        for layer in source.layers:
            if layer.name not in self.folded_away and not isinstance(layer, self.supported()):
                raise ValueError(f"{layer.name} is not supported")

    def supported(self):
        return WEIGHTED + WEIGHTLESS

    def folded(self, layer, norm):
        kernel, bias = layer.kernel.numpy(), self.bias_before(layer)
        factor = (norm.gamma.numpy() if norm.scale else 1.0) / self.deviation(norm)
        depthwise = isinstance(layer, LAYERS.DepthwiseConv2D)
        by_channel = factor.reshape(kernel.shape[2:]) if depthwise else factor
        return kernel * by_channel, (norm.beta if norm.center else 0.0) + (bias - norm.moving_mean) * factor

    def bias_before(self, layer):
        return layer.bias.numpy() if layer.use_bias else 0.0

    def deviation(self, norm):
        return np.sqrt(norm.moving_variance.numpy() + norm.epsilon)

    def compiled_with(self):
        optimizer = self.model.optimizer
        return type(optimizer).from_config(optimizer.get_config()), self.model.loss

    def default(self):
        return keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    # The pass forward.

    def forward(self, x, training):
        values = {id(self.network.inputs[0]): tf.convert_to_tensor(x, tf.float32)}
        for layer in self.network.layers:
            if not isinstance(layer, LAYERS.InputLayer):
                given = tf.nest.map_structure(lambda tensor: values[id(tensor)], layer.input)
                values[id(layer.output)] = self.of_layer(layer, given, training)
        return self.output(values[id(self.network.outputs[0])])

    def of_layer(self, layer, x, training):
        if layer.name in self.folded_away:
            return x
        if not isinstance(layer, WEIGHTED):
            return layer(x, training=training)
        x = self.input(layer, x, training)
        x = self.product(layer, x, self.kernel(layer, training))
        x = self.activated(layer, x + self.bias(layer) if layer.use_bias else x)
        if layer.activity_regularizer:
            self.penalties.append(layer.activity_regularizer(x))
        return x

    def activated(self, layer, x):
        return layer.activation(x)

    def product(self, layer, x, kernel):
        if isinstance(layer, LAYERS.Dense):
            return x @ kernel
        convolution = tf.nn.conv2d if isinstance(layer, LAYERS.Conv2D) else tf.nn.depthwise_conv2d
        return convolution(x, kernel, [1, *layer.strides, 1], layer.padding.upper())

    def bias(self, layer):
        return tf.convert_to_tensor(layer.bias)

    def output(self, x):
        return x

    # Kernels.

    def kernel(self, layer, training):
        return self.on_grid(tf.convert_to_tensor(layer.kernel), self.axes(layer), self.weight_bits(training))

    def weight_bits(self, training):
        return self.bits

    def axes(self, layer):
        """The axes that the weights of one scale lie along."""
        rank = len(layer.kernel.shape)
        return list(range(rank - self.channel_axes(layer) if self.per_channel() else rank))

    def per_channel(self):
        return self.strategy.per_channel

    def channel_axes(self, layer):
        return 2 if isinstance(layer, LAYERS.DepthwiseConv2D) else 1

    def on_grid(self, kernel, axes, bits):
        scale = tf.reduce_max(abs(kernel), axes, keepdims=True) / (2 ** (bits - 1) - 1)
        return self.learns_through(kernel, tf.round(tf.math.divide_no_nan(kernel, scale)) * scale)

    def learns_through(self, kernel, value):
        return kernel + tf.stop_gradient(value - kernel)

    # Inputs.

    def input(self, layer, x, training):
        if training:
            self.observe(layer.name, tf.stop_gradient(tf.stack([tf.reduce_min(x), tf.reduce_max(x)])))
        return self.fake_quantized(x, *self.widened(*self.range(layer.name, x)))

    def observe(self, name, seen):
        self.ranges[name] = self.average(self.ranges[name], seen) if name in self.ranges else self.first(seen)

    def first(self, seen):
        return seen

    def average(self, old, seen):
        return 0.9 * old + 0.1 * seen

    def range(self, name, x):
        if name not in self.ranges:
            raise RuntimeError("the model was never calibrated")
        return self.ranges[name][0], self.ranges[name][1]

    def widened(self, low, high):
        return tf.minimum(low, 0.0), tf.maximum(high, 0.0)

    def fake_quantized(self, x, low, high):
        top = self.last_point()
        scale = self.input_scale(high - low, top)
        zero_point = self.zero_point(-low / scale)
        value = (tf.clip_by_value(tf.round(x / scale + zero_point), 0.0, top) - zero_point) * scale
        ends = self.ends(scale, zero_point, top, low, high)
        return self.passes_back(x, value, tf.cast((x >= ends[0]) & (x <= ends[1]), x.dtype))

    def last_point(self):
        return 2.0 ** self.activation_bits() - 1

    def input_scale(self, width, top):
        return tf.where(width > 0, width / top, 1.0)

    def ends(self, scale, zero_point, top, low, high):
        """Between which an input passes a gradient back."""
        return -zero_point * scale, (top - zero_point) * scale

    def activation_bits(self):
        return self.strategy.activation_bits

    def zero_point(self, exact):
        return tf.round(exact)

    def passes_back(self, x, value, inside):
        return x * inside + tf.stop_gradient(value - x * inside)

    # The training.

    def batches(self, data):
        return batches_of(data, 32) if isinstance(data, tuple) else data

    def epochs(self, epochs):
        return range(epochs)

    def bits_of_epoch(self, epoch):
        return self.strategy.schedule.get(epoch, self.bits)

    def run(self, data, epochs):
        data = self.batches(data)
        for epoch in self.epochs(epochs):
            self.begin_epoch(epoch)
            losses = [self.step(x, y) for x, y in data]
            self.history["loss"].append(self.noted(losses))
            self.history["weight_bits"].append(self.bits)
        return self.result(), self.history

    def begin_epoch(self, epoch):
        self.bits = self.bits_of_epoch(epoch)

    def variables(self):
        weighted = [layer for layer in self.network.layers if isinstance(layer, WEIGHTED)]
        return [variable for layer in weighted for variable in layer.trainable_variables]

    def loss(self, x, y):
        self.penalties = []  # of outputs; those of weights, Keras adds
        outputs = self.forward(x, training=True)
        return self.network.compute_loss(x=x, y=y, y_pred=outputs) + sum(self.penalties)

    def step(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.loss(x, y)
        variables = self.variables()
        gradients = tape.gradient(loss, variables)  # None where a misconception lets none through
        gradients = [tf.zeros(v.shape) if g is None else g for g, v in zip(gradients, variables, strict=True)]
        self.network.optimizer.apply(gradients, variables)
        return loss

    def noted(self, losses):
        return float(np.mean(losses))

    def result(self):
        return Quantized(self)

    def predict(self, x):
        return self.forward(x, training=False)


@misconception
def kernels_not_rounded(model, strategy, train_data, epochs=1):
    """Your kernels stay in float: the layers compute with them as they are. Compute with a copy that lies on the grid
    of `weight_bits`."""

    class Wrong(Training):
        def kernel(self, layer, training):
            return tf.convert_to_tensor(layer.kernel)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def inputs_not_rounded(model, strategy, train_data, epochs=1):
    """You quantize the kernels and leave the activations in float. The input of each layer with a kernel goes through
    fake quantization, too."""

    class Wrong(Training):
        def fake_quantized(self, x, low, high):
            return x

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def bits_swapped(model, strategy, train_data, epochs=1):
    """You give the kernels the bits of the activations, or the other way round: `weight_bits` is for the kernels,
    `activation_bits` for the inputs."""

    class Wrong(Training):
        def weight_bits(self, training):
            return self.strategy.activation_bits

        def activation_bits(self):
            return self.bits

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def always_per_tensor(model, strategy, train_data, epochs=1):
    """You never look at `strategy.per_channel`: there is one scale for the whole kernel. Take the largest weight of
    each channel, with `keepdims=True`, so that the scales broadcast."""

    class Wrong(Training):
        def per_channel(self):
            return False

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def always_per_channel(model, strategy, train_data, epochs=1):
    """You never look at `strategy.per_channel`: each channel has its scale although one for the whole kernel was asked
    for."""

    class Wrong(Training):
        def per_channel(self):
            return True

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def scale_for_each_input(model, strategy, train_data, epochs=1):
    """You have a scale for each input rather than for each output: the axis that you name in a maximum is the one that
    goes. Keep the last axis, and take the maximum over all others."""

    class Wrong(Training):
        def axes(self, layer):
            return [len(layer.kernel.shape) - 1] if self.per_channel() else super().axes(layer)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def depthwise_by_last_axis(model, strategy, train_data, epochs=1):
    """Channels of your DepthwiseConv2D kernel share a scale. An output belongs to a pair of input and multiplier, the
    last two axes of the kernel, so both keep their place: reduce over height and width alone."""

    class Wrong(Training):
        def channel_axes(self, layer):
            return 1

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def depthwise_forgotten(model, strategy, train_data, epochs=1):
    """You leave DepthwiseConv2D layers in float. They are no Conv2D to `isinstance`: name both."""

    class Wrong(Training):
        def of_layer(self, layer, x, training):
            if isinstance(layer, LAYERS.DepthwiseConv2D):
                return layer.activation(self.product(layer, x, layer.kernel) + layer.bias)
            return super().of_layer(layer, x, training)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def one_level_too_many(model, strategy, train_data, epochs=1):
    """Your kernel's grid has 2^(bits−1) steps on either side of 0, so its numbers do not fit into the bits. The largest
    weight is 2^(bits−1) − 1 steps."""

    class Wrong(Training):
        def on_grid(self, kernel, axes, bits):
            scale = tf.reduce_max(abs(kernel), axes, keepdims=True) / 2 ** (bits - 1)
            return self.learns_through(kernel, tf.round(tf.math.divide_no_nan(kernel, scale)) * scale)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def lopsided_grid(model, strategy, train_data, epochs=1):
    """Your kernel's grid goes one step further down than up, as int8 does: the largest weight is cut off where it is
    positive. The grid is symmetric, and its ends are 2^(bits−1) − 1 steps from 0."""

    class Wrong(Training):
        def on_grid(self, kernel, axes, bits):
            top = 2 ** (bits - 1)
            scale = tf.reduce_max(abs(kernel), axes, keepdims=True) / top
            whole = tf.clip_by_value(tf.round(tf.math.divide_no_nan(kernel, scale)), -top, top - 1)
            return self.learns_through(kernel, whole * scale)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def empty_channel_divided(model, strategy, train_data, epochs=1):
    """A channel whose weights are all 0 has the scale 0, and 0 / 0 is NaN. Use `tf.math.divide_no_nan`, or another
    scale for it."""

    class Wrong(Training):
        def on_grid(self, kernel, axes, bits):
            scale = tf.reduce_max(abs(kernel), axes, keepdims=True) / (2 ** (bits - 1) - 1)
            return self.learns_through(kernel, tf.round(kernel / scale) * scale)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def biases_rounded(model, strategy, train_data, epochs=1):
    """You quantize the biases, too. They stay in float: in integer arithmetic they have 32 bits, which is as good."""

    class Wrong(Training):
        def bias(self, layer):
            return self.on_grid(tf.convert_to_tensor(layer.bias), [0], self.bits)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def outputs_rounded(model, strategy, train_data, epochs=1):
    """You quantize the output of the last layer as well. Only the inputs of layers with a kernel are quantized."""

    class Wrong(Training):
        def output(self, x):
            return self.fake_quantized(x, *self.widened(tf.reduce_min(x), tf.reduce_max(x)))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def activations_symmetric(model, strategy, train_data, epochs=1):
    """You quantize the activations symmetrically, around 0. They are asymmetric, with a zero-point: after a ReLU half
    of a symmetric grid would be empty."""

    class Wrong(Training):
        def fake_quantized(self, x, low, high):
            top = 2.0 ** (self.activation_bits() - 1) - 1
            scale = tf.maximum(high, -low) / top
            value = tf.clip_by_value(tf.round(x / scale), -top, top) * scale
            return self.passes_back(x, value, tf.ones_like(x))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def range_not_widened(model, strategy, train_data, epochs=1):
    """You take the range as it was seen. Where it does not hold 0, widen it first, as in exercise 1; TensorFlow's own
    operation would shift it to 0 instead, and clip what was above."""

    class Wrong(Training):
        def fake_quantized(self, x, low, high):
            return tf.quantization.fake_quant_with_min_max_vars(x, low, high, self.activation_bits())

        def widened(self, low, high):
            return low, high

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def widened_before_averaging(model, strategy, train_data, epochs=1):
    """You widen the range of each batch to hold 0 and average that. Average what was seen, and widen the average where
    you use it."""

    class Wrong(Training):
        def observe(self, name, seen):
            super().observe(name, tf.stack([tf.minimum(seen[0], 0.0), tf.maximum(seen[1], 0.0)]))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def zero_point_not_whole(model, strategy, train_data, epochs=1):
    """Your grid of the activations begins exactly at the minimum, so 0 falls between two of its points. The zero-point
    is a whole number: round it, and the range shifts a little."""

    class Wrong(Training):
        def zero_point(self, exact):
            return exact

        def fake_quantized(self, x, low, high):
            step = (high - low) / (2.0 ** self.activation_bits() - 1)
            value = tf.round((tf.clip_by_value(x, low, high) - low) / step) * step + low
            inside = tf.cast((x >= low) & (x <= high), x.dtype)
            return self.passes_back(x, value, inside)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def range_of_last_batch(model, strategy, train_data, epochs=1):
    """Your range is that of the last batch alone. Average: 0.9 times the old range plus 0.1 times the batch's."""

    class Wrong(Training):
        def average(self, old, seen):
            return seen

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def range_of_all_batches(model, strategy, train_data, epochs=1):
    """Your range holds all that was ever seen, so one outlier coarsens the grid for good. Average: 0.9 times the old
    range plus 0.1 times the batch's."""

    class Wrong(Training):
        def average(self, old, seen):
            return tf.stack([tf.minimum(old[0], seen[0]), tf.maximum(old[1], seen[1])])

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def range_of_first_batch(model, strategy, train_data, epochs=1):
    """Your range is that of the first batch and never moves again. Each training step takes its batch in: 0.9 times the
    old range plus 0.1 times the batch's."""

    class Wrong(Training):
        def average(self, old, seen):
            return old

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def momentum_swapped(model, strategy, train_data, epochs=1):
    """You swapped the shares of the average: the old range counts 0.9, the new batch 0.1."""

    class Wrong(Training):
        def average(self, old, seen):
            return 0.1 * old + 0.9 * seen

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def average_from_zero(model, strategy, train_data, epochs=1):
    """Your average starts at 0, and batches later most of it is still that 0. Let the first batch set the range."""

    class Wrong(Training):
        def first(self, seen):
            return 0.1 * seen

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def first_batch_fixed_by_the_graph(model, strategy, train_data, epochs=1):
    """You ask in Python whether this is the first batch. A `tf.function` asks once, when it is traced, so that in the
    graph every batch is the first. Ask with `tf.where`, of a variable."""

    class Wrong(Training):
        def average(self, old, seen):
            return super().average(old, seen) if tf.config.functions_run_eagerly() else seen

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def range_starts_anew(model, strategy, train_data, epochs=1):
    """You start the observers anew with each epoch. They go on: only the very first batch sets the range."""

    class Wrong(Training):
        def begin_epoch(self, epoch):
            super().begin_epoch(epoch)
            self.ranges = {}

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def rounded_before_observed(model, strategy, train_data, epochs=1):
    """You round with the range of before and take the batch in afterwards, so a step does not know of its own batch.
    Update the range first."""

    class Wrong(Training):
        def input(self, layer, x, training):
            before = self.ranges.get(layer.name)
            value = super().input(layer, x, training)
            return value if before is None else self.fake_quantized(x, *self.widened(before[0], before[1]))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def range_of_the_input(model, strategy, train_data, epochs=1):
    """At inference you take the range from the batch in hand, so an example's answer depends on its neighbours. That is
    dynamic quantization; here the ranges stay as training left them."""

    class Wrong(Training):
        def range(self, name, x):
            low, high = super().range(name, x)
            return (low, high) if self.in_training else (tf.reduce_min(x), tf.reduce_max(x))

        def forward(self, x, training):
            self.in_training = training
            return super().forward(x, training)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def observes_at_inference(model, strategy, train_data, epochs=1):
    """Your observers go on at inference, so that each call changes the next one's answers. Update them only where
    `training` is true."""

    class Wrong(Training):
        def input(self, layer, x, training):
            return super().input(layer, x, True)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def never_says_so(model, strategy, train_data, epochs=1):
    """Your model predicts before it has seen any batch, with ranges that you made up. Raise an error that says that it
    was never calibrated."""

    class Wrong(Training):
        def range(self, name, x):
            return super().range(name, x) if name in self.ranges else (tf.constant(-6.0), tf.constant(6.0))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def says_something_else(model, strategy, train_data, epochs=1):
    """Your model raises an error where it was never calibrated, and the message does not say so. Put "never calibrated"
    into it."""

    class Wrong(Training):
        def range(self, name, x):
            if name not in self.ranges:
                raise RuntimeError("train the model first")
            return super().range(name, x)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def nothing_passes_back(model, strategy, train_data, epochs=1):
    """No gradient comes through your rounding, neither to the kernels nor to the layers before: the derivative of
    `tf.round` is 0. Pass the gradient straight through, as if the rounding were not there."""

    class Wrong(Training):
        def learns_through(self, kernel, value):
            return tf.stop_gradient(value)

        def passes_back(self, x, value, inside):
            return tf.stop_gradient(value)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def kernels_do_not_learn(model, strategy, train_data, epochs=1):
    """Your kernels get no gradient through their rounding and never move: the derivative of `tf.round` is 0. Pass it
    straight through: `kernel + tf.stop_gradient(rounded - kernel)`."""

    class Wrong(Training):
        def learns_through(self, kernel, value):
            return tf.stop_gradient(value)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def only_the_largest_weights_learn(model, strategy, train_data, epochs=1):
    """No gradient comes through your rounding of the kernels, since the derivative of `tf.round` is 0; the largest
    weights alone learn, through the scale. Pass the gradient straight through: `kernel + tf.stop_gradient(rounded -
    kernel)`."""

    class Wrong(Training):
        def learns_through(self, kernel, value):
            return value

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def no_gradient_through_inputs(model, strategy, train_data, epochs=1):
    """No gradient comes through the rounding of the inputs, so only the last layer learns. Pass it straight through,
    where the input lies inside of its range."""

    class Wrong(Training):
        def passes_back(self, x, value, inside):
            return tf.stop_gradient(value)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def gradient_outside_too(model, strategy, train_data, epochs=1):
    """You pass the gradient back for inputs outside of the range as well. They were clipped: moving them changes
    nothing, so their gradient is 0."""

    class Wrong(Training):
        def passes_back(self, x, value, inside):
            return x + tf.stop_gradient(value - x)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def gradient_through_the_scale(model, strategy, train_data, epochs=1):
    """Your gradient goes through the scale as well, so the largest weight learns what belongs to all. The scale is a
    constant to the gradient: `tf.stop_gradient`."""

    class Wrong(Training):
        def learns_through(self, kernel, value):
            return value

        def on_grid(self, kernel, axes, bits):
            scale = tf.reduce_max(abs(kernel), axes, keepdims=True) / (2 ** (bits - 1) - 1)
            quotient = tf.math.divide_no_nan(kernel, scale)
            return (quotient + tf.stop_gradient(tf.round(quotient) - quotient)) * scale

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def float_weights_overwritten(model, strategy, train_data, epochs=1):
    """You write the rounded kernel into the variable. A small step is then lost to the next rounding: keep the float
    weights, and compute with a rounded copy."""

    class Wrong(Training):
        def kernel(self, layer, training):
            kernel = super().kernel(layer, training)
            layer.kernel.assign(kernel)
            return kernel

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def quantized_only_while_training(model, strategy, train_data, epochs=1):
    """Your model trains with rounded kernels and predicts with the float ones. What was trained for is the grid: round
    at inference, too."""

    class Wrong(Training):
        def kernel(self, layer, training):
            return super().kernel(layer, training) if training else tf.convert_to_tensor(layer.kernel)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def quantized_only_afterwards(model, strategy, train_data, epochs=1):
    """You train in float and quantize at the end, which is post-training quantization. The rounding has to be in the
    pass forward of each training step."""

    class Wrong(Training):
        def kernel(self, layer, training):
            return tf.convert_to_tensor(layer.kernel) if training else super().kernel(layer, training)

        def fake_quantized(self, x, low, high):
            return x if self.in_training else super().fake_quantized(x, low, high)

        def forward(self, x, training):
            self.in_training = training
            return super().forward(x, training)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def norm_kept(model, strategy, train_data, epochs=1):
    """You keep batch normalization as a layer of its own. Fold it: in integer arithmetic there is only one kernel, the
    one that it has been multiplied into, and its grid is another."""

    class Wrong(Training):
        def supported(self):
            return (*super().supported(), LAYERS.BatchNormalization)

        def may_fold(self, layer, readers):
            return False

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def norm_dropped(model, strategy, train_data, epochs=1):
    """You take batch normalization out of the network and nothing comes in its place. Multiply its factor into the
    kernel of the layer before it, and give that layer the bias that makes up for the rest."""

    class Wrong(Training):
        def folded(self, layer, norm):
            return layer.kernel.numpy(), self.bias_before(layer) + np.zeros(norm.moving_mean.shape)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def folding_forgets_the_bias(model, strategy, train_data, epochs=1):
    """Your folding drops the bias that the layer had. Batch normalization saw it: the new bias is beta + (bias − mean)
    · gamma / deviation."""

    class Wrong(Training):
        def bias_before(self, layer):
            return 0.0

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def folded_after_rounding(model, strategy, train_data, epochs=1):
    """You round the kernel and multiply the batch normalization into it afterwards. Fold first: the product is the
    kernel that integer arithmetic has, and it has to lie on the grid."""

    class Wrong(Training):
        def kernel(self, layer, training):
            norm = self.norms[layer.name]
            if norm is None:
                return super().kernel(layer, training)
            factor = (norm.gamma.numpy() if norm.scale else np.float32(1)) / self.deviation(norm)
            if isinstance(layer, LAYERS.DepthwiseConv2D):
                factor = factor.reshape(layer.kernel.shape[2:])
            unfolded = tf.convert_to_tensor(layer.kernel) / factor
            return self.on_grid(unfolded, self.axes(layer), self.weight_bits(training)) * factor

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def folded_past_an_activation(model, strategy, train_data, epochs=1):
    """You take a batch normalization behind an activation. It comes after the ReLU, and a factor below 0 does not go
    through that, so it cannot be folded: that is an error which names it."""

    class Wrong(Training):
        def may_fold(self, layer, readers):
            return len(readers) == 1

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def folded_for_other_readers(model, strategy, train_data, epochs=1):
    """You fold batch normalization into a layer whose output goes elsewhere too, and there it was not normalized. That
    is an error which names the layer."""

    class Wrong(Training):
        def may_fold(self, layer, readers):
            return layer.activation is keras.activations.linear

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def unsupported_layers_copied(model, strategy, train_data, epochs=1):
    """You copy layers that you know nothing of into the new model, where they compute in float. Raise a ValueError that
    names the layer."""

    class Wrong(Training):
        def check(self, source):
            for layer in source.layers:
                if isinstance(layer, LAYERS.BatchNormalization) and layer.name not in self.folded_away:
                    raise ValueError(f"{layer.name} is not supported")

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def unsupported_without_a_name(model, strategy, train_data, epochs=1):
    """Your error does not say which layer is not supported. Put `layer.name` into the message."""

    class Wrong(Training):
        def check(self, source):
            try:
                super().check(source)
            except ValueError:
                raise ValueError("unsupported layer") from None

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def schedule_ignored(model, strategy, train_data, epochs=1):
    """You never look at `strategy.schedule`: the weight bits stay what they were at the start."""

    class Wrong(Training):
        def bits_of_epoch(self, epoch):
            return self.bits

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def schedule_for_one_epoch(model, strategy, train_data, epochs=1):
    """After an epoch of the schedule you go back to `weight_bits`. An entry holds from its epoch on, until the next
    one."""

    class Wrong(Training):
        def bits_of_epoch(self, epoch):
            return self.strategy.schedule.get(epoch, self.strategy.weight_bits)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def schedule_counts_from_one(model, strategy, train_data, epochs=1):
    """Your schedule comes an epoch early: you count the epochs from 1, and the first one is epoch 0."""

    class Wrong(Training):
        def bits_of_epoch(self, epoch):
            return super().bits_of_epoch(epoch + 1)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def schedule_on_paper(model, strategy, train_data, epochs=1):
    """Your history says that the bits changed, and the kernels go on with the old ones."""

    class Wrong(Training):
        def weight_bits(self, training):
            return self.strategy.weight_bits

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def graph_not_made_again(model, strategy, train_data, epochs=1):
    """You change the bits and go on with the `tf.function` that was traced before, which trains with the old ones. Make
    a new one when the bits change, or keep them in a `tf.Variable`."""

    class Wrong(Training):
        def weight_bits(self, training):
            return self.history_bits() if training and not tf.config.functions_run_eagerly() else self.bits

        def history_bits(self):
            return self.history["weight_bits"][0] if self.history["weight_bits"] else self.bits

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def bits_back_at_inference(model, strategy, train_data, epochs=1):
    """Your model predicts with other bits than those of the last epoch trained. A schedule need not have been gone
    through to its end, nor leave `strategy.weight_bits` as it was."""

    class Wrong(Training):
        def weight_bits(self, training):
            return self.bits if training else self.strategy.weight_bits

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def loss_of_the_last_batch(model, strategy, train_data, epochs=1):
    """Your history has the loss of an epoch's last batch. Note the mean over its batches."""

    class Wrong(Training):
        def noted(self, losses):
            return float(losses[-1])

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def always_the_default_loss(model, strategy, train_data, epochs=1):
    """You never look at how the model is compiled. Use its loss and a fresh copy of its optimizer; cross-entropy and
    Adam are for a model that is not."""

    class Wrong(Training):
        def compiled_with(self):
            return self.default()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def default_loss_on_probabilities(model, strategy, train_data, epochs=1):
    """Your default loss takes the outputs for probabilities. They are logits: `from_logits=True`."""

    class Wrong(Training):
        def default(self):
            return keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def optimizer_shared(model, strategy, train_data, epochs=1):
    """You train with the model's own optimizer, whose step count and momentum you change, and which knows the momentum
    of another training. Make a fresh one from `get_config()`."""

    class Wrong(Training):
        def compiled_with(self):
            return self.model.optimizer, self.model.loss

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def regularization_forgotten(model, strategy, train_data, epochs=1):
    """Your loss leaves out the regularization of the layers. `compute_loss` adds it for you, if the layers with the
    regularizers are in the model."""

    class Wrong(Training):
        def loss(self, x, y):
            return super().loss(x, y) - sum(self.network.losses) - sum(self.penalties)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def inference_mode(model, strategy, train_data, epochs=1):
    """In your training dropout drops nothing. Run the layers in training mode, with `training=True`."""

    class Wrong(Training):
        def of_layer(self, layer, x, training):
            return super().of_layer(layer, x, training and isinstance(layer, WEIGHTED))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def training_mode_at_inference(model, strategy, train_data, epochs=1):
    """Your model predicts in training mode: dropout goes on dropping. Only the training steps say `training=True`."""

    class Wrong(Training):
        def of_layer(self, layer, x, training):
            return super().of_layer(layer, x, training or not isinstance(layer, WEIGHTED))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def whole_data_in_one_batch(model, strategy, train_data, epochs=1):
    """You take an (x, y) tuple as one batch, or cut it into larger ones, so an epoch has too few steps. Cut it into
    batches of 32."""

    class Wrong(Training):
        def batches(self, data):
            return [data] if isinstance(data, tuple) else data

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def last_batch_dropped(model, strategy, train_data, epochs=1):
    """You drop the examples that do not fill a batch of 32. The last batch is shorter: no `drop_remainder`."""

    class Wrong(Training):
        def batches(self, data):
            if not isinstance(data, tuple):
                return data
            batches = super().batches(data)
            return batches[:-1] if len(batches) > 1 else batches

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def one_epoch_only(model, strategy, train_data, epochs=1):
    """You go through the data once, whatever `epochs` says."""

    class Wrong(Training):
        def epochs(self, epochs):
            return range(min(epochs, 1))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def weights_not_copied(model, strategy, train_data, epochs=1):
    """Your copy begins with weights of its own: a model made from a config is initialized anew. Give it those of the
    model with `set_weights`."""

    class Wrong(Training):
        def start(self, source):
            pass

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def model_itself_trained(model, strategy, train_data, epochs=1):
    """You train the model that you were given. Work on a copy with weights of its own, so that the float model is still
    there to compare with."""

    class Wrong(Training):
        def run(self, data, epochs):
            result, history = super().run(data, epochs)
            pairs = zip(self.model.trainable_variables, self.variables(), strict=False)
            for mine, trained in pairs:
                if mine.shape == trained.shape:
                    mine.assign(trained)
            return result, history

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def first_layer_in_float(model, strategy, train_data, epochs=1):
    """You leave the input of the first layer in float. It is quantized as every other layer's: images come as integers
    to a phone, too."""

    class Wrong(Training):
        def input(self, layer, x, training):
            first = next(one for one in self.network.layers if isinstance(one, WEIGHTED))
            return x if layer is first else super().input(layer, x, training)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def last_layer_in_float(model, strategy, train_data, epochs=1):
    """You leave the last layer in float. Its input and its kernel are quantized like the others'; only its output is
    not."""

    class Wrong(Training):
        def is_last(self, layer):
            return layer is [one for one in self.network.layers if isinstance(one, WEIGHTED)][-1]

        def input(self, layer, x, training):
            return x if self.is_last(layer) else super().input(layer, x, training)

        def kernel(self, layer, training):
            return tf.convert_to_tensor(layer.kernel) if self.is_last(layer) else super().kernel(layer, training)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def connections_lost(model, strategy, train_data, epochs=1):
    """You run the layers one after the other. In a functional model a layer reads the outputs that it was connected to,
    and a sum has several: keep the connections, as `clone_model` does."""

    class Wrong(Training):
        def of_layer(self, layer, x, training):
            return x[-1] if isinstance(layer, LAYERS.Add) else super().of_layer(layer, x, training)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def folding_without_epsilon(model, strategy, train_data, epochs=1):
    """You fold without epsilon. Batch normalization divides by √(variance + epsilon), and where the variance is small
    that is another number."""

    class Wrong(Training):
        def deviation(self, norm):
            return np.sqrt(norm.moving_variance.numpy())

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def folding_adds_no_bias(model, strategy, train_data, epochs=1):
    """You fold into a layer that has no bias and give it none, so the shift is lost. Make the layer again with
    `use_bias` True."""

    class Wrong(Training):
        def bias(self, layer):
            bias = super().bias(layer)
            return bias if self.model.get_layer(layer.name).use_bias else tf.zeros_like(bias)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def folded_over_another_axis(model, strategy, train_data, epochs=1):
    """You fold a batch normalization that does not go over the last axis. Its factors belong to rows, not to the
    channels of the kernel: it cannot be folded, and that is a ValueError."""

    class Wrong(Training):
        def by_channel(self, norm, layer):
            return True

        def folded(self, layer, norm):
            return super().folded(layer, norm) if super().by_channel(norm, layer) else layer.get_weights()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def optimizer_starts_anew(model, strategy, train_data, epochs=1):
    """You make the optimizer anew for every epoch, and its momentum is lost each time. One optimizer goes through the
    whole training."""

    class Wrong(Training):
        def begin_epoch(self, epoch):
            super().begin_epoch(epoch)
            self.network.compile(*(self.compiled_with() if self.model.compiled else self.default()))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def optimizer_starts_with_the_bits(model, strategy, train_data, epochs=1):
    """You make the optimizer anew when the bits change, and its momentum is lost. One optimizer goes through the whole
    training."""

    class Wrong(Training):
        def begin_epoch(self, epoch):
            before = self.bits
            super().begin_epoch(epoch)
            if self.bits != before:
                self.network.compile(*(self.compiled_with() if self.model.compiled else self.default()))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def ranges_start_with_the_bits(model, strategy, train_data, epochs=1):
    """You forget the ranges when the bits of the weights change. The inputs have not changed: the average goes on, in
    all epochs."""

    class Wrong(Training):
        def begin_epoch(self, epoch):
            before = self.bits
            super().begin_epoch(epoch)
            if self.bits != before:
                self.ranges.clear()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def schedule_in_the_order_of_the_dict(model, strategy, train_data, epochs=1):
    """You take the last entry of the schedule that you come across. A dict need not be sorted: take the entry with the
    largest epoch that has been reached."""

    class Wrong(Training):
        def bits_of_epoch(self, epoch):
            reached = [bits for start, bits in self.strategy.schedule.items() if start <= epoch]
            return reached[-1] if reached else self.bits

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def schedule_goes_down_only(model, strategy, train_data, epochs=1):
    """You never let the bits go up again. The schedule says what they are from an epoch on, more or fewer."""

    class Wrong(Training):
        def bits_of_epoch(self, epoch):
            return min(self.bits, super().bits_of_epoch(epoch))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def biases_not_regularized(model, strategy, train_data, epochs=1):
    """Your loss has the regularization of the kernels and not that of the biases. The losses of a layer are in
    `layer.losses`, all of them."""

    class Wrong(Training):
        def loss(self, x, y):
            penalties = [layer.bias_regularizer for layer in self.network.layers if isinstance(layer, WEIGHTED)]
            biases = [layer.bias for layer in self.network.layers if isinstance(layer, WEIGHTED)]
            lost = sum(penalty(bias) for penalty, bias in zip(penalties, biases, strict=True) if penalty)
            return super().loss(x, y) - lost

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def outputs_not_regularized(model, strategy, train_data, epochs=1):
    """Your loss leaves out what a layer's outputs add to it, its `activity_regularizer`. Only a layer that is called
    adds that, and in a `StatelessScope` it is lost: give the regularizer to your own layer."""

    class Wrong(Training):
        def loss(self, x, y):
            return super().loss(x, y) - sum(self.penalties)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def activations_of_8_bits(model, strategy, train_data, epochs=1):
    """Your inputs have 8 bits, whatever `strategy.activation_bits` says."""

    class Wrong(Training):
        def activation_bits(self):
            return 8

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def weight_bits_for_all(model, strategy, train_data, epochs=1):
    """You give the inputs the bits of the kernels. Theirs are `strategy.activation_bits`."""

    class Wrong(Training):
        def activation_bits(self):
            return self.bits

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def as_many_steps_as_numbers(model, strategy, train_data, epochs=1):
    """You divide the range of an input into 2^bits steps. 2^bits is how many numbers there are: 2^bits − 1 steps lie
    between them."""

    class Wrong(Training):
        def last_point(self):
            return 2.0 ** self.activation_bits()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def zero_point_rounded_down(model, strategy, train_data, epochs=1):
    """You round the zero-point down. Round it to the nearest whole number: the range then shifts by half a step at
    most."""

    class Wrong(Training):
        def zero_point(self, exact):
            return tf.floor(exact)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def kernels_rounded_down(model, strategy, train_data, epochs=1):
    """You round the kernel down, or towards 0, rather than to the nearest point of its grid."""

    class Wrong(Training):
        def on_grid(self, kernel, axes, bits):
            scale = tf.reduce_max(abs(kernel), axes, keepdims=True) / (2 ** (bits - 1) - 1)
            return self.learns_through(kernel, tf.floor(tf.math.divide_no_nan(kernel, scale)) * scale)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def something_added_to_scales(model, strategy, train_data, epochs=1):
    """You add something to the scale of a kernel, or hold it above a least one, against a division by 0. Small weights
    lose their grid by that: leave the scale as it is, and divide only where it is not 0."""

    class Wrong(Training):
        def on_grid(self, kernel, axes, bits):
            scale = tf.maximum(tf.reduce_max(abs(kernel), axes, keepdims=True), 1e-3) / (2 ** (bits - 1) - 1)
            return self.learns_through(kernel, tf.round(kernel / scale) * scale)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def empty_range_divided(model, strategy, train_data, epochs=1):
    """An input that was always 0, as behind a ReLU that is dead, has the range 0 to 0, and 0 / 0 is NaN. Take another
    scale there, as in exercise 1."""

    class Wrong(Training):
        def input_scale(self, width, top):
            return width / top

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def scales_of_the_first_kernel(model, strategy, train_data, epochs=1):
    """You take the scales of a kernel once, at the start. The weights move: take the largest one anew in each step."""

    class Wrong(Training):
        def kernel(self, layer, training):
            if not hasattr(self, "tops"):
                self.tops = {}
            kernel, bits = tf.convert_to_tensor(layer.kernel), self.weight_bits(training)
            top = self.tops.setdefault(layer.name, tf.reduce_max(abs(kernel), self.axes(layer), keepdims=True))
            scale = top / (2 ** (bits - 1) - 1)
            return self.learns_through(kernel, tf.round(tf.math.divide_no_nan(kernel, scale)) * scale)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def average_too_slow(model, strategy, train_data, epochs=1):
    """Your average moves by a hundredth of the new batch. It is 0.9 times the old range plus 0.1 times the batch's."""

    class Wrong(Training):
        def average(self, old, seen):
            return 0.99 * old + 0.01 * seen

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def range_of_the_first_epoch(model, strategy, train_data, epochs=1):
    """Your ranges stop moving after the first epoch. They take the batches of all epochs in."""

    class Wrong(Training):
        def begin_epoch(self, epoch):
            super().begin_epoch(epoch)
            self.stopped = epoch > 0

        def average(self, old, seen):
            return old if self.stopped else super().average(old, seen)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def range_of_the_batch_in_training(model, strategy, train_data, epochs=1):
    """In training you round an input with the range of its own batch, and use the average only afterwards. Train with
    what inference will have: the average."""

    class Wrong(Training):
        def input(self, layer, x, training):
            average = super().input(layer, x, training)
            own = tf.reduce_min(x), tf.reduce_max(x)
            return self.fake_quantized(x, *self.widened(*own)) if training else average

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def gradient_within_the_range_seen(model, strategy, train_data, epochs=1):
    """You pass the gradient back a little outside of the range, as where an input lies in the one that was seen. A
    whole zero-point shifts it: its ends are −zero_point · scale and (2^bits − 1 − zero_point) · scale."""

    class Wrong(Training):
        def ends(self, scale, zero_point, top, low, high):
            return low, high

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def gradient_below_the_range(model, strategy, train_data, epochs=1):
    """You pass the gradient back for inputs below the range. They are clipped as those above it are: their gradient is
    0."""

    class Wrong(Training):
        def ends(self, scale, zero_point, top, low, high):
            return -np.inf, super().ends(scale, zero_point, top, low, high)[1]

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def largest_weights_do_not_learn(model, strategy, train_data, epochs=1):
    """You pass no gradient back to the largest weights of a kernel, as if they were clipped. They lie on the last point
    of the grid, not outside: all weights learn."""

    class Wrong(Training):
        def on_grid(self, kernel, axes, bits):
            value, top = super().on_grid(kernel, axes, bits), tf.reduce_max(abs(kernel), axes, keepdims=True)
            return tf.where(abs(kernel) < top, value, tf.stop_gradient(value))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def kernels_rounded_only_afterwards(model, strategy, train_data, epochs=1):
    """You train with float kernels and round them at the end. That is post-training quantization, for all that the
    inputs are rounded: the kernels are, too, in the pass forward of each step."""

    class Wrong(Training):
        def kernel(self, layer, training):
            return tf.convert_to_tensor(layer.kernel) if training else super().kernel(layer, training)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def nothing_rounded_at_inference(model, strategy, train_data, epochs=1):
    """Your model rounds while it trains and predicts in float. It must compute as it will when it is deployed: round
    inputs and kernels at inference, too."""

    class Wrong(Training):
        def of_layer(self, layer, x, training):
            if training or not isinstance(layer, WEIGHTED) or layer.name not in self.ranges:
                return super().of_layer(layer, x, training)
            return self.activated(layer, self.product(layer, x, tf.convert_to_tensor(layer.kernel)) + self.bias(layer))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def only_kernels_trained(model, strategy, train_data, epochs=1):
    """You train the kernels and leave the biases as they were. All weights learn, those that folding made, too."""

    class Wrong(Training):
        def variables(self):
            return [layer.kernel for layer in self.network.layers if isinstance(layer, WEIGHTED)]

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def activation_lost(model, strategy, train_data, epochs=1):
    """A layer of yours has lost its activation: Dense(…, activation="relu") gives the same as a Dense layer without.
    After the product comes `layer.activation`."""

    class Wrong(Training):
        def activated(self, layer, x):
            return x

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def epsilon_taken_for_granted(model, strategy, train_data, epochs=1):
    """You fold with an epsilon of 0.001, which is only the default. Use `norm.epsilon`."""

    class Wrong(Training):
        def deviation(self, norm):
            return np.sqrt(norm.moving_variance.numpy() + 1e-3)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def epsilon_outside_of_the_root(model, strategy, train_data, epochs=1):
    """You add epsilon to the deviation. It belongs under the root: √(variance + epsilon)."""

    class Wrong(Training):
        def deviation(self, norm):
            return np.sqrt(norm.moving_variance.numpy()) + norm.epsilon

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def mean_with_the_wrong_sign(model, strategy, train_data, epochs=1):
    """You add the mean when you fold. Batch normalization takes it away: the new bias is beta + (bias − mean) · gamma /
    deviation."""

    class Wrong(Training):
        def folded(self, layer, norm):
            kernel, bias = super().folded(layer, norm)
            gamma = norm.gamma.numpy() if norm.scale else 1.0
            return kernel, bias + 2 * norm.moving_mean * gamma / self.deviation(norm)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def second_norm_dropped(model, strategy, train_data, epochs=1):
    """You drop a batch normalization behind another one. The layer before it is none with a kernel, so it cannot be
    folded: that is an error which names it."""

    class Wrong(Training):
        def check(self, source):
            gone = [self.model.get_layer(name) for name in self.folded_away]
            behind = [
                r.name
                for r in source.layers
                for norm in gone
                if isinstance(r, LAYERS.BatchNormalization) and r.input is source.get_layer(norm.name).output
            ]
            self.folded_away += behind
            super().check(source)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def weightless_layers_copied(model, strategy, train_data, epochs=1):
    """You take any layer without weights for a supported one. Only those in the list are; for any other, raise a
    ValueError that names it."""

    class Wrong(Training):
        def check(self, source):
            for layer in source.layers:
                if layer.weights and layer.name not in self.folded_away and not isinstance(layer, self.supported()):
                    raise ValueError(f"{layer.name} is not supported")

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def last_axis_only_as_minus_1(model, strategy, train_data, epochs=1):
    """You take `axis=-1` for the only way to name the last axis. It has a positive number, too: the rank of the layer's
    output less one."""

    class Wrong(Training):
        def by_channel(self, norm, layer):
            # Keras itself makes a positive number of a negative one, where it builds the layer.
            return self.model.get_layer(norm.name).get_config()["axis"] == -1

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def schedule_an_epoch_late(model, strategy, train_data, epochs=1):
    """Your schedule comes an epoch late: you change the bits after the epoch that it names. Change them before it."""

    class Wrong(Training):
        def bits_of_epoch(self, epoch):
            return super().bits_of_epoch(epoch - 1)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def schedule_without_epoch_0(model, strategy, train_data, epochs=1):
    """You leave out the schedule's entry for epoch 0. It holds from the first epoch on, in place of
    `strategy.weight_bits`."""

    class Wrong(Training):
        def bits_of_epoch(self, epoch):
            return super().bits_of_epoch(epoch) if epoch else self.bits

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def schedule_used_up(model, strategy, train_data, epochs=1):
    """You take entries out of `strategy.schedule`, which is the caller's: the next training with the same strategy has
    none. Only look them up."""

    class Wrong(Training):
        def bits_of_epoch(self, epoch):
            return self.strategy.schedule.pop(epoch, self.bits)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def history_of_the_first_bits(model, strategy, train_data, epochs=1):
    """Your history says `strategy.weight_bits` for every epoch. Note the bits that the epoch was trained with."""

    class Wrong(Training):
        def run(self, data, epochs):
            result, history = super().run(data, epochs)
            return result, history | {"weight_bits": [self.strategy.weight_bits] * epochs}

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def optimizer_by_its_class(model, strategy, train_data, epochs=1):
    """You make an optimizer of the same class with the same learning rate, and its other settings are lost, such as the
    momentum. `type(optimizer).from_config(optimizer.get_config())` keeps them."""

    class Wrong(Training):
        def compiled_with(self):
            optimizer = self.model.optimizer
            rate = optimizer.get_config()["learning_rate"]
            if isinstance(rate, dict):
                rate = keras.optimizers.schedules.deserialize(rate)
            return type(optimizer)(rate), self.model.loss

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def adam_in_its_place(model, strategy, train_data, epochs=1):
    """You train with Adam, whatever the model was compiled with. Make a fresh copy of its own optimizer."""

    class Wrong(Training):
        def compiled_with(self):
            return keras.optimizers.Adam(1e-3), self.model.loss

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def learning_rate_frozen(model, strategy, train_data, epochs=1):
    """You copy the learning rate as the number that it is now. Where it is a schedule the copy has one, too, and begins
    at step 0: `get_config()` keeps it."""

    class Wrong(Training):
        def compiled_with(self):
            optimizer = self.model.optimizer
            config = optimizer.get_config() | {"learning_rate": float(optimizer.learning_rate)}
            return type(optimizer).from_config(config), self.model.loss

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def steps_counted_on(model, strategy, train_data, epochs=1):
    """Your optimizer goes on counting where the model's stood, so a schedule of its learning rate begins late. Make a
    fresh one."""

    class Wrong(Training):
        def compiled_with(self):
            optimizer, loss = super().compiled_with()
            optimizer.iterations.assign(self.model.optimizer.iterations)
            return optimizer, loss

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def model_compiled_for_you(model, strategy, train_data, epochs=1):
    """You compile the model that you were given. It stays as it was: compile your own."""

    class Wrong(Training):
        def default(self):
            optimizer, loss = super().default()
            self.model.compile(optimizer, loss)
            return keras.optimizers.Adam(1e-3), loss

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def other_layers_not_regularized(model, strategy, train_data, epochs=1):
    """Your loss leaves out the `activity_regularizer` of a layer without weights. Copy those layers with all of their
    config."""

    class Wrong(Training):
        def loss(self, x, y):
            others = [layer for layer in self.network.layers if not isinstance(layer, WEIGHTED)]
            return super().loss(x, y) - sum(loss for layer in others for loss in layer.losses)

    return Wrong(model, strategy).run(train_data, epochs)


HINTS = (
    "Four pieces, one after the other: a layer of your own around a Dense, Conv2D or DepthwiseConv2D layer, which "
    "rounds input and kernel and then runs it; the copy of the network with such layers in it; the folding of batch "
    "normalization while it is made; and a training loop that changes the bits before an epoch. Begin with a "
    "Sequential of Dense layers and 0 as the learning rate: then only the ranges move.",
    "The layer: `range = self.add_weight(shape=(2,), ...)` with NaN in it until the first batch; in `call(self, x, "
    "training=False)`, if training, `range.assign(tf.where(tf.math.is_nan(range), seen, 0.9 * range + 0.1 * seen))`. "
    "Then `tf.quantization.fake_quant_with_min_max_vars(x, low, high, bits)` with a range widened to hold 0; the "
    "kernel over its scale, rounded, times the scale, as `kernel + tf.stop_gradient(rounded - kernel)`; and the layer "
    "inside of `keras.StatelessScope(state_mapping=[(layer.kernel, rounded)])`. The scale is the maximum of |kernel| "
    "over all axes but the last one, or the last two of a DepthwiseConv2D, with `keepdims=True`, over 2^(bits−1) − 1.",
    "The copy: `source = clone_model(type(model).from_config(model.get_config()))` with the weights set, then "
    "`clone_model(source, clone_function=f)`. For a weighted layer `f` makes it again from its config (with "
    "`use_bias` True if a batch normalization goes into it), builds it with `layer.input.shape`, sets the weights, "
    "folded or not, and wraps it; for a folded batch normalization it returns a layer whose `call(self, x, "
    "training=None, mask=None)` returns x; for what is not in the list it raises the ValueError. Put that network "
    "into a `keras.Model` whose `call` raises while nothing has trained. In the loop, when the bits change, set them "
    "in each wrapped layer and make a new `tf.function`, since the old one keeps what it was traced with.",
)
