"""mixed_precision_training(model, strategy, train_data, epochs=1) -> (mixed model, history): the task of the unit."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from halfbits.grading.exercise import misconception
from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

# Every call builds its networks anew and runs a few steps, at about a fifth of a second a call on two busy cores.
SECONDS = 90.0
REPLAY_SECONDS = 30.0


# What a call is made of. Networks are built afresh for each call, so the arguments here only say how, and which facts
# of the outcome to compare; `use` below makes the call and returns these facts as plain values.


@dataclass(frozen=True)
class PrecisionStrategy:
    """The strategy as the notebook gives it; answers may use its attributes only."""

    compute_dtype: str = "float16"
    loss_scale: float = 2.0**15
    growth_interval: int = 2000
    keep_float32: tuple[str, ...] = ()
    demote_after: int = 3


@dataclass(frozen=True, repr=False)
class Network:
    """A way to build a network, and what to look at when it has been trained; shown as `text`.

    Most networks see a few steps only, for which tracing a tf.function takes far longer than running it eagerly does;
    `traced` is for the calls in which a graph can go wrong: where Python values change that it was traced with.
    """

    text: str
    build: Callable
    look: Callable
    traced: bool = False

    def __repr__(self) -> str:
        return self.text


def batches_of(arrays, size: int) -> list[tuple]:
    return [tuple(array[i : i + size] for array in arrays) for i in range(0, len(arrays[0]), size)]


@dataclass(frozen=True, repr=False)
class Data:
    """Examples, as rows of numbers: batches of `size` of them in a tf.data.Dataset, or with no size a tuple (x, y)."""

    x: tuple
    y: tuple
    size: int | None = None
    note: str = ""

    def build(self) -> tf.data.Dataset | tuple:
        x, y = self.arrays()
        return tf.data.Dataset.from_tensor_slices((x, y)).batch(self.size) if self.size else (x, y)

    def arrays(self) -> tuple:
        x, y = np.array(self.x, np.float32), np.array(self.y)
        return x, y.astype(np.float32) if y.dtype == float else y

    def batches(self) -> list[tuple]:
        """What comes out, as arrays."""
        return batches_of(self.arrays(), self.size or 32)

    def __repr__(self) -> str:
        if self.size is None:
            return f"(x, y) of {len(self.x)} examples"
        return f"<Dataset of {len(self.batches())} batches of {self.size}{self.note}>"


@dataclass
class Outcome:
    """A finished call: the network given and as it was, the one returned, the history."""

    model: keras.Model
    mixed: keras.Model
    history: Mapping
    weights_before: list = field(default_factory=list)


def use(answer, network, strategy, data, epochs):
    """Build the network, have it trained by the answer, and return what is to be compared."""
    if not getattr(answer, "is_misconception", False):
        return _outcome(answer, network, strategy, data.build(), epochs)
    # A misconception does the same every time, and is replayed on every wrong answer.
    case = (answer, network, strategy, data, epochs)
    if case not in _remembered:
        try:
            _remembered[case] = _outcome(
                answer, network, strategy, data.batches() if data.size else data.build(), epochs
            )
        except Exception as error:
            _remembered[case] = error
    if isinstance(_remembered[case], Exception):
        raise _remembered[case].with_traceback(None)
    return _remembered[case]


_remembered: dict = {}


def _show_strategy(strategy) -> str:
    """Without what is left at the default."""
    changed = [f.name for f in fields(strategy)[1:] if getattr(strategy, f.name) != f.default]
    return (
        ", ".join(
            [
                f"PrecisionStrategy({strategy.compute_dtype!r}",
                *(f"{name}={getattr(strategy, name)!r}" for name in changed),
            ]
        )
        + ")"
    )


SHOW = {1: _show_strategy}


def _outcome(answer, network, strategy, data, epochs):
    policy_before, level_before = keras.mixed_precision.dtype_policy(), tf.get_logger().level
    eager_before = tf.config.functions_run_eagerly()
    keras.mixed_precision.set_dtype_policy("float32")
    tf.get_logger().setLevel("ERROR")  # which would warn of functions that are traced anew in every call
    tf.config.run_functions_eagerly(not network.traced)
    try:
        model = network.build()
        weights = model.get_weights()
        returned = answer(model, strategy, data, epochs)
        if not isinstance(returned, tuple) or len(returned) != 2:
            return returned
        mixed, history = returned
        if not isinstance(mixed, keras.Model) or not isinstance(history, Mapping):
            return f"a {type(mixed).__name__} and a {type(history).__name__}, not a Keras model and a dict"
        return network.look(Outcome(model, mixed, history, weights))
    finally:
        keras.mixed_precision.set_dtype_policy(policy_before)
        tf.get_logger().setLevel(level_before)
        tf.config.run_functions_eagerly(eager_before)


# What to look at.


def precisions(outcome: Outcome) -> dict:
    """For each layer the format that it computes in and that of its variables."""
    return {
        layer.name: " ".join(
            [layer.compute_dtype, *sorted({f"({weight.dtype} variables)" for weight in layer.weights})]
        )
        for layer in outcome.mixed.layers
        if not isinstance(layer, keras.layers.InputLayer)
    }


def weights(outcome: Outcome) -> dict:
    """Each layer's first variable, its kernel."""
    return {layer.name: layer.weights[0].numpy().ravel() for layer in outcome.mixed.layers if layer.weights}


@functools.cache
def history(*keys: str) -> Callable:
    """Some of the history."""
    return lambda outcome: {key: outcome.history.get(key) for key in keys}


@functools.cache
def both(*looks: Callable) -> Callable:
    return lambda outcome: {key: value for look in looks for key, value in look(outcome).items()}


def same_weights(outcome: Outcome) -> dict:
    """Whether the copy's weights are those that the network began with."""
    pairs = zip(outcome.mixed.get_weights(), outcome.weights_before, strict=True)
    return {"the copy has the model's weights": all(np.array_equal(a, b) for a, b in pairs)}


def left_alone(outcome: Outcome) -> dict:
    """What must not have happened to the network given."""
    pairs = zip(outcome.model.get_weights(), outcome.weights_before, strict=True)
    return {
        "a new model came back": outcome.mixed is not outcome.model,
        "the old one computes in": sorted({layer.compute_dtype for layer in outcome.model.layers}),
        "its weights are as before": all(np.array_equal(a, b) for a, b in pairs),
        "steps of its optimizer": int(outcome.model.optimizer.iterations),
        "global policy": keras.mixed_precision.dtype_policy().name,
    }


UNTOUCHED = {
    "a new model came back": True,
    "the old one computes in": ["float32"],
    "its weights are as before": True,
    "steps of its optimizer": 0,
    "global policy": "float32",
}


def statistics_moved(outcome: Outcome) -> dict:
    layer = outcome.mixed.get_layer("norm")
    return {"batch normalization has taken the batch in": bool(layer.moving_mean.numpy().any())}


# The networks.

RANDOM = np.random.default_rng(3)
ROWS = RANDOM.normal(size=(4, 3)).astype(np.float32)
KERNELS = [RANDOM.normal(size=shape).astype(np.float32) for shape in ((3, 4), (4, 2))]
TABLE = Data(tuple(map(tuple, ROWS.tolist())), ((1.0, 0.0), (0.0, 1.0), (2.0, 1.0), (0.0, -1.0)))
LABELS = [0, 1, 1, 0]


@functools.cache
def two_layers(learning_rate: float = 0.25):
    """Two dense layers with biases; uncompiled without a learning rate."""

    def build():
        first, out = keras.layers.Dense(4, name="first"), keras.layers.Dense(2, name="out")
        model = keras.Sequential([keras.Input((3,)), first, out], name="network")
        first.kernel.assign(KERNELS[0])
        out.kernel.assign(KERNELS[1])
        if learning_rate is not None:
            model.compile(keras.optimizers.SGD(learning_rate), "mse")
        return model

    return build


def skip():
    """A functional network with a connection around a layer, and layers without weights."""
    x = keras.Input((3,), name="x")
    body = keras.layers.Dense(3, activation="relu", name="body")(x)
    y = keras.layers.Add(name="sum")([x, keras.layers.Dropout(0.5, name="drop")(body)])
    model = keras.Model(x, keras.layers.Dense(2, name="out")(y), name="network")
    model.compile(keras.optimizers.SGD(0.25), "mse")
    return model


def normalized():
    layers = [keras.layers.BatchNormalization(name="norm"), keras.layers.Dense(2, name="out")]
    model = keras.Sequential([keras.Input((3,)), *layers], name="network")
    model.compile(keras.optimizers.SGD(0.25), "mse")
    return model


@functools.cache
def chain(
    kernels=(1.0, 1.0, 1.0), learning_rate=2.0**-32, momentum=0.0, loss="mse", decay=0.0, used_optimizer=False
) -> Callable:
    """One number in, three layers of one unit without bias, first, second and out, one number out.

    With x = 2^10 and kernels 2^-10, 1, 1 the prediction is 1, and the gradient of the squared error by `first`'s kernel
    is 2^10 times that by the others: it alone overflows.
    """

    def build():
        penalty = keras.regularizers.L2(decay) if decay else None
        layers = [
            keras.layers.Dense(1, use_bias=False, name="first", kernel_regularizer=penalty),
            keras.layers.Dense(1, use_bias=False, name="second"),
            keras.layers.Dense(1, use_bias=False, name="out"),
        ]
        model = keras.Sequential([keras.Input((1,)), *layers], name="network")
        model.set_weights([np.full((1, 1), kernel, np.float32) for kernel in kernels])
        model.compile(keras.optimizers.SGD(learning_rate, momentum=momentum), loss)
        if used_optimizer:
            model.optimizer.build(model.trainable_variables)
            for variable in model.optimizer.variables[2:]:  # after the step count and the learning rate
                variable.assign(tf.fill(variable.shape, 64.0))
        return model

    return build


TWO = "Sequential(first, out)"
CHAIN = "Sequential(first, second, out) of one unit each"
TALL, TALL_CHAIN = (2.0**-10, 1.0, 1.0), f"{CHAIN}, kernels 2**-10, 1, 1"


def tall(*gradients: float) -> Data:
    """Batches of one example for a chain with the kernels TALL, in which `first` gets these gradients."""
    y = tuple((1 - gradient / 2**11,) for gradient in gradients)
    note = f"; gradients by first: {', '.join(f'{gradient:g}' for gradient in gradients)}"
    return Data(((2.0**10,),) * len(gradients), y, 1, note)


def chain_sgd(kernels, batches, learning_rate, momentum=0.0, decay=0.0, half=1.0):
    """Training a chain in NumPy, in float64: the kernels afterwards and the loss of each step."""
    kernels, velocity, losses = np.array(kernels, float), np.zeros(3), []
    for x, y in batches:
        x, y = np.asarray(x, float).ravel(), np.asarray(y, float).ravel()
        first, second, out = kernels
        error = first * second * out * x - y
        losses.append(float(half * np.mean(error**2) + decay * first**2))
        towards = half * 2 * np.mean(error * x)
        gradients = towards * np.array([second * out, first * out, first * second]) + [2 * decay * first, 0, 0]
        velocity = momentum * velocity - learning_rate * gradients
        kernels = kernels + velocity
    return kernels, losses


def as_weights(kernels) -> dict:
    return {
        name: np.array([kernel], np.float32) for name, kernel in zip(("first", "second", "out"), kernels, strict=True)
    }


# The properties. A call is answer(network, strategy, data, epochs).


def test_precisions(answer):
    """Layers compute in the strategy's format on float32 variables, the last one in float32"""
    for dtype in ("float16", "bfloat16", "float32"):
        call = answer(Network(TWO, two_layers(), precisions), PrecisionStrategy(dtype, 4.0), TABLE, 1)
        call.equals({"first": f"{dtype} (float32 variables)", "out": "float32 (float32 variables)"})


def test_kept_layers_and_connections(answer):
    """A functional network keeps its connections, and the layers of `keep_float32` compute in float32"""
    network = Network("Model(x → body → drop, + x → sum → out)", skip, precisions)
    wanted = {"drop": "float16", "sum": "float16", "out": "float32 (float32 variables)"}
    for keep, body in ((), "float16"), (("body",), "float32"):
        call = answer(network, PrecisionStrategy(loss_scale=4.0, keep_float32=keep), TABLE, 1)
        call.equals({"body": f"{body} (float32 variables)", **wanted})


def test_begins_with_the_weights(answer):
    """Training begins with the model's weights (here the learning rate is 0, so they stay)"""
    network = Network(f"{TWO} compiled with SGD(0)", two_layers(learning_rate=0.0), same_weights)
    answer(network, PrecisionStrategy(loss_scale=4.0), TABLE, 1).equals({"the copy has the model's weights": True})


def test_the_model_is_left_alone(answer):
    """The model given, its optimizer and the global policy stay as they were"""
    answer(Network(TWO, two_layers(), left_alone), PrecisionStrategy(loss_scale=4.0), TABLE, 1).equals(UNTOUCHED)


def test_training_mode(answer):
    """The layers run in training mode: batch normalization sees the batches"""
    network = Network("Sequential(norm, out)", normalized, statistics_moved)
    answer(network, PrecisionStrategy(loss_scale=4.0), TABLE, 1).equals(
        {"batch normalization has taken the batch in": True}
    )


def test_float32(answer):
    """With float32 it is plain training: SGD with momentum from rest, in NumPy, gives the same losses and weights"""
    data = Data(tuple((i / 4,) for i in range(1, 7)), ((2.0,),) * 6, size=2)
    kernels, losses = chain_sgd((1, 1, 1), 2 * data.batches(), 2**-6, momentum=0.5)
    build = chain(learning_rate=2**-6, momentum=0.5, used_optimizer=True)
    network = Network(f"{CHAIN}, compiled with SGD and momentum and used", build, both(weights, history("loss")))
    wanted = {"loss": [float(np.mean(losses[:3])), float(np.mean(losses[3:]))], **as_weights(kernels)}
    answer(network, PrecisionStrategy("float32", 8.0), data, 2).equals(wanted, rtol=1e-4)


def test_tuples(answer):
    """A tuple (x, y) is cut into batches of 32, the last one shorter"""
    data = Data(tuple((i / 16 - 1,) for i in range(50)), tuple((i / 50,) for i in range(50)))
    kernels, _ = chain_sgd((1, 1, 1), data.batches(), 0.125)
    network = Network(CHAIN, chain(learning_rate=0.125), both(weights, history("loss_scale")))
    wanted = {"loss_scale": [4.0], **as_weights(kernels)}
    answer(network, PrecisionStrategy("float32", 1.0, 1), data, 1).equals(wanted, rtol=1e-4)


def half_square(y, prediction):
    return 0.5 * (y - prediction) ** 2


def test_the_loss_of_the_model(answer):
    """The loss is the compiled model's, a function of yours too, with the regularization of its layers"""
    data = Data(((1.0,), (2.0,)), ((3.0,), (1.0,)))
    kernels, losses = chain_sgd((1, 1, 1), data.batches(), 0.125, decay=0.5, half=0.5)
    build = chain(learning_rate=0.125, loss=half_square, decay=0.5)
    network = Network(f"{CHAIN}, an L2 penalty on first, a loss function", build, both(weights, history("loss")))
    wanted = {"loss": losses, **as_weights(kernels)}
    answer(network, PrecisionStrategy("float32"), data, 1).equals(wanted, rtol=1e-4)


def test_uncompiled(answer):
    """A model that is not compiled gets sparse cross-entropy on logits and Adam(1e-3)"""
    kernel, out = KERNELS[0].astype(float), KERNELS[1].astype(float)
    logits = ROWS @ kernel @ out
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    towards = (shares - np.eye(2)[LABELS]) / len(LABELS)
    # Adam's first step is the learning rate in the direction of the gradient's sign, whatever its size.
    wanted = {
        "first": (kernel - 1e-3 * np.sign(ROWS.T @ towards @ out.T)).astype(np.float32).ravel(),
        "out": (out - 1e-3 * np.sign((ROWS @ kernel).T @ towards)).astype(np.float32).ravel(),
    }
    network = Network(f"{TWO}, not compiled", two_layers(learning_rate=None), both(weights, history("loss")))
    wanted["loss"] = [float(-np.mean(np.log(shares[range(len(LABELS)), LABELS])))]
    answer(network, PrecisionStrategy("float32"), Data(TABLE.x, tuple(LABELS)), 1).equals(wanted, rtol=1e-4, atol=2e-5)


def test_small_gradients(answer):
    """Gradients too small for float16 reach the weights: the loss is scaled, the gradients unscaled in float32"""
    # In float16 the gradient by first and by second is 2^-29; out computes in float32, and its gradient is
    # 2^-19 (1 + 2^-12), whose last bit float16 does not hold.
    distance = 2.0**-20 * (1 + 2.0**-12)
    data = Data(((1.0,),), ((2.0**-10 - distance,),))
    network = Network(f"{CHAIN}, kernels 1, 1, 2**-10", chain((1, 1, 2.0**-10), learning_rate=2.0**24), weights)
    wanted = as_weights((1 - 2.0**-5, 1 - 2.0**-5, 2.0**-10 - 32 * (1 + 2.0**-12)))
    answer(network, PrecisionStrategy(), data, 1).equals(wanted, rtol=1e-6)


def test_growth(answer):
    """`growth_interval` finite steps in a row double the scale, and the count goes on from one epoch to the next"""
    network = Network(TALL_CHAIN, chain(TALL), history("loss_scale", "skipped_steps"))
    call = answer(network, PrecisionStrategy(loss_scale=8.0, growth_interval=3), tall(1, 1, 1, 1, 1), 2)
    call.equals({"loss_scale": [16.0, 64.0], "skipped_steps": [0, 0]})


def test_overflow(answer):
    """An overflow skips the step, halves the scale and starts the count of finite steps again"""
    look = history("loss_scale", "skipped_steps")
    network = Network(TALL_CHAIN, chain(TALL), look, traced=True)
    # The large ones overflow at a scale of 8. The scale at each step: 16, 16, 8, 4, 4, 8, 4; and then 4.
    large = 1.5 * 2**13
    data = tall(1, large, large, 1, large, large, 1)
    call = answer(network, PrecisionStrategy(loss_scale=16.0, growth_interval=2), data, 1)
    call.equals({"loss_scale": [4.0], "skipped_steps": [3]})


def test_skipped_steps(answer):
    """A skipped step leaves the weights, the momentum and the mean loss as they were"""
    steps = tall(2**12, 1.5 * 2**13, 2**12, 2**12)
    taken = [steps.batches()[i] for i in (0, 2, 3)]
    kernels, losses = chain_sgd(TALL, taken, 2.0**-26, momentum=0.5)
    build = chain(TALL, learning_rate=2.0**-26, momentum=0.5)
    network = Network(TALL_CHAIN, build, both(weights, history("loss", "skipped_steps")))
    wanted = {"loss": [float(np.mean(losses))], "skipped_steps": [1], **as_weights(kernels)}
    answer(network, PrecisionStrategy(loss_scale=8.0), steps, 1).equals(wanted, rtol=2e-3)


def test_the_least_scale(answer):
    """The scale never falls below 1; an epoch of skipped steps alone has the loss NaN"""
    network = Network(TALL_CHAIN, chain(TALL), both(weights, history("loss", "loss_scale", "skipped_steps")))
    call = answer(network, PrecisionStrategy(loss_scale=2.0, demote_after=100), tall(2**17, 2**17, 2**17), 1)
    call.equals({"loss": [math.nan], "loss_scale": [1.0], "skipped_steps": [3], **as_weights(TALL)})


def test_demotion(answer):
    """A layer that overflows `demote_after` times in a row at scale 1 goes to float32, and the history says when"""
    look = both(precisions, history("demoted", "loss_scale", "skipped_steps"))
    network = Network(TALL_CHAIN, chain(TALL), look, traced=True)
    call = answer(network, PrecisionStrategy(loss_scale=4.0), tall(*[2**17] * 4), 2)
    call.equals(
        {
            "first": "float32 (float32 variables)",
            "second": "float16 (float32 variables)",
            "out": "float32 (float32 variables)",
            "demoted": [{"layer": "first", "epoch": 1, "step": 0}],
            "loss_scale": [1.0, 1.0],
            "skipped_steps": [4, 1],
        }
    )


def test_in_a_row(answer):
    """A finite step between two overflows starts the count of a layer again"""
    network = Network(TALL_CHAIN, chain(TALL), history("demoted", "skipped_steps"))
    data = tall(2**17, 2**17, 1, 2**17, 2**17)
    call = answer(network, PrecisionStrategy(loss_scale=1.0), data, 1)
    call.equals({"demoted": [], "skipped_steps": [4]})


def test_several_demotions(answer):
    """Layers that go together stand in their order; one that computes in float32 already cannot go"""
    network = Network(CHAIN, chain(), history("demoted", "skipped_steps"))
    data = Data(((1.0,), (math.inf,), (math.inf,), (math.inf,)), ((1.0,),) * 4, size=1)
    for keep in (), ("first",):
        wanted = [{"layer": n, "epoch": 0, "step": 2} for n in ("first", "second") if n not in keep]
        call = answer(network, PrecisionStrategy("bfloat16", 1.0, 2000, keep, demote_after=2), data, 1)
        call.equals({"demoted": wanted, "skipped_steps": [3]})


def test_state_across_a_demotion(answer):
    """Training goes on after a demotion with the weights and the momentum of before"""
    steps = tall(2**15, 2**15, 2**17, 2**17, 2**17, 2**15)
    taken = [steps.batches()[i] for i in (0, 1, 4, 5)]
    kernels, _ = chain_sgd(TALL, taken, 2.0**-29, momentum=0.5)
    build = chain(TALL, learning_rate=2.0**-29, momentum=0.5)
    network = Network(TALL_CHAIN, build, both(weights, history("demoted")))
    call = answer(network, PrecisionStrategy(loss_scale=1.0, demote_after=2), steps, 1)
    call.equals({"demoted": [{"layer": "first", "epoch": 0, "step": 3}], **as_weights(kernels)}, rtol=2e-3)


# The misconceptions: each is the training below with one method of its own.


class Training:
    """The task done right, step by step and without a graph; a method for each thing that people do otherwise."""

    def __init__(self, model, strategy):
        self.model, self.strategy, self.demoted_layers = model, strategy, set()
        self.scale, self.finite_steps = float(strategy.loss_scale), 0
        self.history = {"loss": [], "loss_scale": [], "skipped_steps": [], "demoted": []}
        self.mixed = self.copy()
        self.fill()
        optimizer, loss = self.compiled_with() if model.compiled else self.default()
        self.mixed.compile(optimizer, loss, auto_scale_loss=False)
        self.overflows = {layer.name: 0 for layer in self.layers()}

    def layers(self):
        return [layer for layer in self.mixed.layers if layer.trainable_variables]

    def policy(self, name):
        kept = name in self.strategy.keep_float32 or name == self.model.layers[-1].name or name in self.demoted_layers
        return self.float32() if kept else self.half()

    def float32(self):
        return "float32"

    def half(self):
        dtype = self.strategy.compute_dtype
        return dtype if dtype == "float32" else f"mixed_{dtype}"

    def copy(self):
        config = self.model.get_config()
        for layer in config["layers"]:
            if layer["class_name"] != "InputLayer":
                layer["config"]["dtype"] = self.policy(layer["config"]["name"])
        return type(self.model).from_config(config)

    def fill(self):
        self.mixed.set_weights(self.model.get_weights())

    def compiled_with(self):
        optimizer = self.model.optimizer
        return type(optimizer).from_config(optimizer.get_config()), self.model.loss

    def default(self):
        return keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def batches(self, data):
        return batches_of(data, 32) if isinstance(data, tuple) else data

    def epochs(self, epochs):
        return range(epochs)

    def run(self, data, epochs):
        data = self.batches(data)
        for epoch in self.epochs(epochs):
            self.begin_epoch()
            losses, skipped = [], 0
            for number, (x, y) in enumerate(data):
                loss, gradients = self.gradients(x, y)
                finite = [all(bool(tf.reduce_all(tf.math.is_finite(g))) for g in own) for own in gradients]
                self.apply(gradients, all(finite))
                if all(finite):
                    losses.append(self.noted(loss))
                else:
                    skipped += 1
                going = self.count(dict(zip(self.overflows, finite, strict=True)))
                self.rescale(all(finite))
                self.demote(going, epoch, number)
            self.end_epoch(losses, skipped)
        return self.mixed, self.history

    def begin_epoch(self):
        pass

    def loss(self, x, y):
        return self.mixed.compute_loss(x=x, y=y, y_pred=self.mixed(x, training=True))

    def scaled(self, loss):
        return loss * self.scale

    def gradients(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.loss(x, y)
            scaled = self.scaled(loss)
        gradients = tape.gradient(scaled, [layer.trainable_variables for layer in self.layers()])
        return loss, tf.nest.map_structure(self.unscaled, gradients)

    def unscaled(self, gradient):
        return gradient / self.scale

    def apply(self, gradients, finite):
        if finite:
            self.update(gradients)

    def update(self, gradients):
        variables = [layer.trainable_variables for layer in self.layers()]
        self.mixed.optimizer.apply(tf.nest.flatten(gradients), tf.nest.flatten(variables))

    def noted(self, loss):
        return float(loss)

    def rescale(self, finite):
        if finite:
            self.finite_steps += 1
            if self.finite_steps == self.strategy.growth_interval:
                self.grow()
        else:
            self.shrink()

    def grow(self):
        self.scale, self.finite_steps = self.scale * 2, 0

    def shrink(self):
        self.scale, self.finite_steps = max(self.scale / 2, 1.0), 0

    def count(self, finite):
        """Count the overflows, at the scale of the step taken; the layers that have had enough."""
        for name in self.overflows:
            self.overflows[name] = self.overflows[name] + 1 if self.scale == 1 and not finite[name] else 0
        return [name for name, count in self.overflows.items() if count >= self.strategy.demote_after]

    def demote(self, names, epoch, step):
        for layer in self.mixed.layers:
            if layer.name in names and layer.compute_dtype != "float32":
                self.note(layer.name, epoch, step)
                self.to_float32(layer)

    def note(self, name, epoch, step):
        self.history["demoted"].append({"layer": name, "epoch": epoch, "step": step})

    def to_float32(self, layer):
        layer.dtype_policy = keras.DTypePolicy("float32")

    def end_epoch(self, losses, skipped):
        self.history["loss"].append(float(np.mean(losses)) if losses else math.nan)
        self.history["loss_scale"].append(self.scale)
        self.history["skipped_steps"].append(skipped)


@misconception
def policy_never_set(model, strategy, train_data, epochs=1):
    """Your copy computes in float32 all through: no layer has another dtype policy. A layer takes its policy when it
    is made, so make the layers of the copy with `dtype="mixed_float16"` (or whatever the strategy says)."""

    class Wrong(Training):
        def half(self):
            return "float32"

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def always_float16(model, strategy, train_data, epochs=1):
    """You wired in mixed_float16. The format is `strategy.compute_dtype`: float16, bfloat16 or float32."""

    class Wrong(Training):
        def half(self):
            return "mixed_float16"

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def output_layer_in_half(model, strategy, train_data, epochs=1):
    """Your last layer computes in half precision. Softmax and loss need float32: keep the last layer there."""

    class Wrong(Training):
        def policy(self, name):
            return "float32" if name in self.strategy.keep_float32 else self.half()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def half_variables(model, strategy, train_data, epochs=1):
    """Your layers keep their variables in half precision: the policy "float16" is half in everything. The policy
    "mixed_float16" computes in half on float32 master weights, which small updates can still move."""

    class Wrong(Training):
        def half(self):
            return self.strategy.compute_dtype

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def kept_layers_forgotten(model, strategy, train_data, epochs=1):
    """You did not look at `strategy.keep_float32`: the layers that it names compute in float32 from the start."""

    class Wrong(Training):
        def policy(self, name):
            return "float32" if name == self.model.layers[-1].name else self.half()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def original_trained(model, strategy, train_data, epochs=1):
    """You changed and trained the model that you were given. Build a copy with the policies, copy the weights, and
    train that."""

    class Wrong(Training):
        def copy(self):
            for layer in self.model.layers:
                if not isinstance(layer, keras.layers.InputLayer):
                    layer.dtype_policy = keras.DTypePolicy(self.policy(layer.name))
            return self.model

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def weights_not_copied(model, strategy, train_data, epochs=1):
    """Your copy begins with fresh random weights: `from_config` and `clone_model` copy the architecture only. Add
    `copy.set_weights(model.get_weights())`."""

    class Wrong(Training):
        def fill(self):
            for variable in self.mixed.trainable_variables:  # always the same ones, to be recognized by
                variable.assign(tf.ones(variable.shape) / 2)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def global_policy_left_set(model, strategy, train_data, epochs=1):
    """You set the global policy and left it so: every layer made afterwards, anywhere in the program, is mixed. Give
    each layer its policy by its `dtype`, or put the global one back in a `finally`."""

    class Wrong(Training):
        def copy(self):
            keras.mixed_precision.set_dtype_policy(self.half())
            return super().copy()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def optimizer_shared(model, strategy, train_data, epochs=1):
    """You trained with the model's own optimizer, which belongs to the model's variables and counts its steps. Make
    a fresh one: `type(optimizer).from_config(optimizer.get_config())`."""

    class Wrong(Training):
        def compiled_with(self):
            return self.model.optimizer, self.model.loss

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def adam_always(model, strategy, train_data, epochs=1):
    """You always train with Adam(1e-3). That is for a model that is not compiled; a compiled one brings its optimizer,
    of which you make a fresh copy, and its loss."""

    class Wrong(Training):
        def compiled_with(self):
            return keras.optimizers.Adam(1e-3), self.model.loss

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def logits_taken_for_probabilities(model, strategy, train_data, epochs=1):
    """Your default loss takes the outputs for probabilities, and they are logits: the loss needs `from_logits=True`."""

    class Wrong(Training):
        def default(self):
            return keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def regularization_forgotten(model, strategy, train_data, epochs=1):
    """Your loss leaves out the regularization of the layers, which is in `mixed.losses`; `mixed.compute_loss` adds it
    for you."""

    class Wrong(Training):
        def loss(self, x, y):
            return super().loss(x, y) - sum(self.mixed.losses)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def inference_mode(model, strategy, train_data, epochs=1):
    """You call the model without `training=True`, so dropout drops nothing and batch normalization does not learn its
    statistics. `fit` passes it for you; in a loop of your own you must."""

    class Wrong(Training):
        def loss(self, x, y):
            return self.mixed.compute_loss(x=x, y=y, y_pred=self.mixed(x))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def whole_data_in_one_batch(model, strategy, train_data, epochs=1):
    """You take an (x, y) tuple as one batch, so an epoch is a single step. Cut it into batches of 32."""

    class Wrong(Training):
        def batches(self, data):
            return [data] if isinstance(data, tuple) else data

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def last_batch_dropped(model, strategy, train_data, epochs=1):
    """You drop the examples that do not fill a batch of 32. The last batch is shorter: no `drop_remainder`, and a
    count of batches rounded up."""

    class Wrong(Training):
        def batches(self, data):
            if not isinstance(data, tuple):
                return data
            batches = batches_of(data, 32)
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
def loss_not_scaled(model, strategy, train_data, epochs=1):
    """You take the gradients of the loss itself. In float16 the small ones are 0 before you can do anything about it:
    multiply the loss by the scale inside the tape, and divide the gradients by it."""

    class Wrong(Training):
        def scaled(self, loss):
            return loss

        def unscaled(self, gradient):
            return gradient

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def gradients_not_unscaled(model, strategy, train_data, epochs=1):
    """You apply the gradients of the scaled loss as they are, too large by the scale. Divide them by it first."""

    class Wrong(Training):
        def unscaled(self, gradient):
            return gradient

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def unscaled_in_half(model, strategy, train_data, epochs=1):
    """You unscale the gradients in half precision, where the small ones underflow after all. The gradients of
    float32 variables come in float32: divide them there."""

    class Wrong(Training):
        def unscaled(self, gradient):
            half = tf.cast(gradient, self.strategy.compute_dtype)
            return tf.cast(half / tf.cast(self.scale, half.dtype), tf.float32)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def non_finite_steps_applied(model, strategy, train_data, epochs=1):
    """You apply gradients with infinities or NaN in them: one such step and the weights are lost for good. Test all
    of them first, and skip the step if any is not finite."""

    class Wrong(Training):
        def apply(self, gradients, finite):
            self.update(gradients)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def non_finite_gradients_zeroed(model, strategy, train_data, epochs=1):
    """You put zeros where a gradient is not finite and take the step. Momentum and Adam move the weights on a zero
    gradient too, and the other layers step without this one. Skip it: do not call the optimizer at all."""

    class Wrong(Training):
        def apply(self, gradients, finite):
            zero = tf.nest.map_structure(lambda g: tf.where(tf.math.is_finite(g), g, tf.zeros_like(g)), gradients)
            self.update(zero)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def scale_never_grows(model, strategy, train_data, epochs=1):
    """Your scale only falls. After `growth_interval` finite steps in a row double it, or one overflow early on costs
    you small gradients for the rest of the training."""

    class Wrong(Training):
        def grow(self):
            pass

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def scale_never_shrinks(model, strategy, train_data, epochs=1):
    """You skip the step that overflowed and leave the scale where it was, so that the next one overflows too. Halve
    it."""

    class Wrong(Training):
        def shrink(self):
            self.finite_steps = 0

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def scale_below_one(model, strategy, train_data, epochs=1):
    """Your scale falls below 1, which makes small gradients smaller still. Stop at 1: what overflows there needs more
    range, and a layer that goes to float32 has it."""

    class Wrong(Training):
        def shrink(self):
            self.scale, self.finite_steps = self.scale / 2, 0

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def finite_steps_not_in_a_row(model, strategy, train_data, epochs=1):
    """You count the finite steps and do not start again when one overflows. The scale grows only after
    `growth_interval` finite steps in a row."""

    class Wrong(Training):
        def shrink(self):
            self.scale = max(self.scale / 2, 1.0)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def count_begins_with_the_epoch(model, strategy, train_data, epochs=1):
    """You start the count of finite steps anew with each epoch. With short epochs the scale then never grows: keep
    the count outside of the loop over epochs."""

    class Wrong(Training):
        def begin_epoch(self):
            self.finite_steps = 0

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def scaled_loss_noted(model, strategy, train_data, epochs=1):
    """Your history has the scaled loss. Note the loss before it is multiplied."""

    class Wrong(Training):
        def noted(self, loss):
            return float(loss) * self.scale

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def never_demoted(model, strategy, train_data, epochs=1):
    """No layer of yours ever goes to float32. Keep a count for each layer, of the steps in a row at scale 1 on which
    its own gradients were not finite; at `demote_after` it goes."""

    class Wrong(Training):
        def demote(self, names, epoch, step):
            pass

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def demoted_at_any_scale(model, strategy, train_data, epochs=1):
    """You count overflows at any scale. Above 1 they tell of the scale, which then falls; only at scale 1 do they tell
    of the layer."""

    class Wrong(Training):
        def count(self, finite):
            for name in self.overflows:
                self.overflows[name] = 0 if finite[name] else self.overflows[name] + 1
            return [name for name, count in self.overflows.items() if count >= self.strategy.demote_after]

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def demoted_at_the_new_scale(model, strategy, train_data, epochs=1):
    """You look whether the scale is 1 after you have halved it: a step that overflowed at scale 2 then counts. Ask for
    the scale that the step was taken at."""

    class Wrong(Training):
        def count(self, finite):
            scale, self.scale = self.scale, self.scale if all(finite.values()) else max(self.scale / 2, 1.0)
            going = super().count(finite)
            self.scale = scale
            return going

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def demoted_at_first_overflow(model, strategy, train_data, epochs=1):
    """You demote a layer at its first overflow at scale 1. That may have been one odd batch: wait for `demote_after`
    in a row."""

    class Wrong(Training):
        def count(self, finite):
            return [name for name, ok in finite.items() if not ok and self.scale == 1]

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def overflows_not_in_a_row(model, strategy, train_data, epochs=1):
    """You add up all overflows of a layer. A finite step in between starts the count again."""

    class Wrong(Training):
        def count(self, finite):
            for name in self.overflows:
                self.overflows[name] += self.scale == 1 and not finite[name]
            return [name for name, count in self.overflows.items() if count >= self.strategy.demote_after]

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def all_layers_demoted(model, strategy, train_data, epochs=1):
    """When one layer overflows you take them all to float32. Test the gradients layer by layer, and only the ones that
    overflow go."""

    class Wrong(Training):
        def count(self, finite):
            return super().count(dict.fromkeys(finite, all(finite.values())))

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def float32_layers_demoted(model, strategy, train_data, epochs=1):
    """Your history demotes layers that compute in float32 already. Only a layer in half precision can go."""

    class Wrong(Training):
        def demote(self, names, epoch, step):
            for layer in self.mixed.layers:
                if layer.name in names and layer.name not in self.demoted_layers:
                    self.demoted_layers.add(layer.name)
                    self.note(layer.name, epoch, step)
                    self.to_float32(layer)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def demoted_on_paper(model, strategy, train_data, epochs=1):
    """Your history says that a layer went to float32, and nothing happened to the layer. Give it the policy "float32",
    or build the copy again with it, and train on with that."""

    class Wrong(Training):
        def demote(self, names, epoch, step):
            for layer in self.mixed.layers:
                if layer.name in names and layer.name not in self.demoted_layers and layer.compute_dtype != "float32":
                    self.demoted_layers.add(layer.name)
                    self.note(layer.name, epoch, step)

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def graph_not_made_again(model, strategy, train_data, epochs=1):
    """You change a layer's policy and go on with the tf.function that was traced before, in which the layer still
    computes in half precision. Make a new tf.function after a demotion."""

    class Wrong(Training):
        late = ()

        def demote(self, names, epoch, step):
            for layer in self.mixed.layers:
                if layer.name in names and layer not in self.late and layer.compute_dtype != "float32":
                    self.note(layer.name, epoch, step)
                    self.late = (*self.late, layer)
            if tf.config.functions_run_eagerly():
                self.now()

        def now(self):
            for layer in self.late:
                self.to_float32(layer)

        def run(self, data, epochs):
            result = super().run(data, epochs)
            self.now()
            return result

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def scale_fixed_by_the_graph(model, strategy, train_data, epochs=1):
    """Your tf.function reads the scale from a Python variable, so it keeps the value of the time when it was traced,
    however you change it afterwards. Pass the scale as an argument, a tensor, or keep it in a tf.Variable."""

    class Wrong(Training):
        def traced(self):
            return self.scale if tf.config.functions_run_eagerly() else self.strategy.loss_scale

        def scaled(self, loss):
            return loss * self.traced()

        def unscaled(self, gradient):
            return gradient / self.traced()

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def weights_lost_at_a_demotion(model, strategy, train_data, epochs=1):
    """At a demotion you rebuild the network from the model that you were given, with its weights: what was learnt so
    far is gone. Take the weights from the network that you are training."""

    class Wrong(Training):
        def to_float32(self, layer):
            super().to_float32(layer)
            self.mixed.set_weights(self.model.get_weights())

    return Wrong(model, strategy).run(train_data, epochs)


@misconception
def optimizer_lost_at_a_demotion(model, strategy, train_data, epochs=1):
    """At a demotion you begin with a fresh optimizer, so momentum and Adam forget what they knew. Copy its variables
    to the new one."""

    class Wrong(Training):
        def to_float32(self, layer):
            super().to_float32(layer)
            self.mixed.compile(*(self.compiled_with() if self.model.compiled else self.default()))

    return Wrong(model, strategy).run(train_data, epochs)


HINTS = (
    "Four pieces, one after the other: a function that builds the copy with the right policies and the weights; one "
    "training step as a `tf.function` with the scale as an argument, which returns the loss and, for each layer, "
    "whether its gradients are finite; the loop, which keeps scale and counts in plain Python; and the demotion.",
    'The copy: `config = model.get_config()`, set `layer["config"]["dtype"]` for each layer of '
    '`config["layers"]` that is no InputLayer, `type(model).from_config(config)`, then `set_weights`. `compile` it '
    "with the loss and a fresh optimizer (`auto_scale_loss=False`) and call `optimizer.build(variables)` before the "
    "`tf.function`. In the step: `compute_loss(x=x, y=y, y_pred=mixed(x, training=True))` times the scale inside the "
    "tape, gradients divided by the scale, `tf.cond(all_finite, apply, nothing)`.",
    "After each step, in this order. For each layer: count + 1 if its gradients are not finite and the scale of this "
    "step was 1, else 0. Then the scale: finite steps + 1 and doubling at `growth_interval`, or halving (not below 1) "
    "and the count at 0. Then the layers in half precision whose count has reached `demote_after`: note them, add them "
    "to the names in float32, build the copy again from the one that you are training, assign the old optimizer's "
    "variables to the new one's, and make a new `tf.function`.",
)
