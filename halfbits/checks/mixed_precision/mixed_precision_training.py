"""mixed_precision_training(model, strategy, train_data, epochs=1) -> (mixed model, history): the task of the unit."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from halfbits.checks.training import (
    Data,
    Network,
    as_the_network_asks,
    batches_of,
    both,
    copied,
    kind_of,
    remembering,
    show_strategy,
)
from halfbits.grading import exercise
from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

# Every call builds its networks anew and runs a few steps, at about a fifth of a second a call on two busy cores.
SECONDS = 90.0
REPLAY_SECONDS = 30.0


@dataclass(frozen=True)
class PrecisionStrategy:
    """The strategy as the notebook gives it; answers may use its attributes only."""

    compute_dtype: str = "float16"
    loss_scale: float = 2.0**15
    growth_interval: int = 2000
    keep_float32: tuple[str, ...] = ()
    demote_after: int = 3


@dataclass
class Outcome:
    """A finished call: the network given and as it was, the one returned, the history."""

    model: keras.Model
    mixed: keras.Model
    history: Mapping
    weights_before: list = field(default_factory=list)


def _outcome(answer, network, strategy, data, *epochs):
    """Build the network, have it trained by the answer, and return what is to be compared."""
    policy_before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("float32")
    try:
        with as_the_network_asks(network):
            model = network.build()
            weights = model.get_weights()
            keras.mixed_precision.set_dtype_policy(getattr(network, "policy", "float32"))
            returned = answer(model, strategy, data, *epochs)
            if returned is None:  # for which the grader has words of its own
                return None
            return _fault(model, returned) or network.look(Outcome(model, *returned, weights))
    finally:
        keras.mixed_precision.set_dtype_policy(policy_before)


@dataclass(frozen=True, repr=False)
class NetworkUnder(Network):
    """A network in float32, for a call that is made under another global policy."""

    policy: str = "mixed_float16"


use = remembering(_outcome)
SHOW = {1: show_strategy}


def _fault(model, returned) -> str | None:
    """What is wrong with the kind of a result, in words."""
    mixed, history = returned if isinstance(returned, (tuple, list)) and len(returned) == 2 else (None, None)
    if not isinstance(mixed, keras.Model) or not isinstance(history, Mapping):
        return kind_of(returned)
    names = {layer.name for layer in mixed.layers}
    missing = [layer.name for layer in model.layers if layer.name not in names]
    return f"a model without the layer {missing[0]!r}" if missing else None


def hold(call, wanted, rtol=0.0, atol=0.0) -> None:
    """Hold what a call came to against what is wanted; a fault says for itself what it is."""
    call.equals(wanted, rtol, atol, because=_said)


def hold_all(answer, *cases: tuple[tuple, dict]) -> None:
    """The same for several calls, arguments and what is wanted; they go on after one fails, for the diagnosis."""
    wanted = iter([wanted for _, wanted in cases])
    answer.each([arguments for arguments, _ in cases], lambda *_: next(wanted), because=_said)


def _said(call) -> str:
    return call.returned if isinstance(call.returned, str) else ""


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
    """Each layer's first variable, its kernel (or table)."""
    return {layer.name: layer.weights[0].numpy().ravel() for layer in outcome.mixed.layers if layer.weights}


@functools.cache
def history(*keys: str) -> Callable:
    """Some of the history, as far as it is there."""
    return lambda outcome: {key: outcome.history[key] for key in keys if key in outcome.history}


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
        "it is compiled": outcome.model.compiled,
        "steps of its optimizer": int(outcome.model.optimizer.iterations) if outcome.model.compiled else 0,
        "its optimizer is built": outcome.model.compiled and outcome.model.optimizer.built,
        "global policy": keras.mixed_precision.dtype_policy().name,
    }


UNTOUCHED = {
    "a new model came back": True,
    "the old one computes in": ["float32"],
    "its weights are as before": True,
    "it is compiled": True,
    "steps of its optimizer": 0,
    "its optimizer is built": False,
    "global policy": "float32",
}


def statistics(outcome: Outcome) -> dict:
    norm = outcome.mixed.get_layer("norm")
    return {"moving mean": norm.moving_mean.numpy(), "moving variance": norm.moving_variance.numpy()}


# The networks.

RANDOM = np.random.default_rng(3)
ROWS = RANDOM.normal(size=(4, 3)).astype(np.float32)
KERNELS = [RANDOM.normal(size=shape).astype(np.float32) for shape in ((3, 4), (4, 2))]
TABLE = Data(tuple(map(tuple, ROWS.tolist())), ((1.0, 0.0), (0.0, 1.0), (2.0, 1.0), (0.0, -1.0)))
LABELS = [0, 1, 1, 0]
POINT = Data(((1.0,),), ((0.0,),))


def sequential(inputs: int, *layers):
    model = keras.Sequential([keras.Input((inputs,)), *layers], name="network")
    for layer in layers:  # a copy that takes no weights over begins with random ones
        for name in ("kernel_initializer", "bias_initializer", "embeddings_initializer"):
            if hasattr(layer, name):
                setattr(layer, name, keras.initializers.RandomNormal())
    return model


def unit(name: str, kernel: float = 1.0, **settings):
    """A dense layer of one unit, whose kernel is this number; without bias if nothing is said."""
    start = keras.initializers.Constant(kernel)
    return keras.layers.Dense(1, name=name, kernel_initializer=start, **{"use_bias": False, **settings})


@functools.cache
def two_layers(learning_rate: float = 0.25, decay: float = 0.0):
    """Two dense layers with biases; uncompiled without a learning rate."""

    def build():
        penalty = keras.regularizers.L2(decay) if decay else None
        first = keras.layers.Dense(4, kernel_regularizer=penalty, name="first")
        out = keras.layers.Dense(2, name="out")
        model = sequential(3, first, out)
        first.kernel.assign(KERNELS[0])
        out.kernel.assign(KERNELS[1])
        if learning_rate is not None:
            model.compile(keras.optimizers.SGD(learning_rate), "mse")
        return model

    return build


def skip():
    """A functional network with a connection around two layers, and layers without weights, of which one ends it."""
    x = keras.Input((3,), name="x")
    body = keras.layers.Dense(3, activation="relu", name="body")(x)
    drop = keras.layers.Dropout(0.5, name="drop")(keras.layers.BatchNormalization(name="norm")(body))
    out = keras.layers.Dense(2, name="out")(keras.layers.Add(name="sum")([x, drop]))
    model = keras.Model(x, keras.layers.Softmax(name="shares")(out), name="network")
    model.compile(keras.optimizers.SGD(0.25), "mse")
    return model


def named_alike():
    """Names of which one is a part of others, and a frozen layer."""
    names = ("dense", "dense_1", "my_dense")
    model = sequential(1, *map(unit, names), unit("frozen", trainable=False), unit("out"))
    model.compile(keras.optimizers.SGD(0.25), "mse")
    return model


def two_inputs():
    """A kernel of two elements, both 0: whatever goes in, 0 comes out."""
    model = sequential(2, unit("start", 0.0), unit("out"))
    model.compile(keras.optimizers.SGD(2.0**-120), "mse")
    return model


def still():
    """Batch normalization with statistics of its own, which do not move, and a learning rate of 0."""
    norm = keras.layers.BatchNormalization(momentum=1.0, name="norm")
    model = sequential(3, norm, keras.layers.Dense(2, name="out"))
    norm.set_weights([np.full(3, value, np.float32) for value in (2, 3, 7, 9)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def normalized():
    """Batch normalization whose moving statistics are those of the last batch."""
    model = sequential(1, keras.layers.BatchNormalization(momentum=0.0, name="norm"), unit("start"), unit("out"))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


@functools.cache
def embedding(weight_decay: float | None = None) -> Callable:
    """A row of a table looked up by a whole number that a layer computes, which no gradient reaches; start is frozen.

    The prediction is the row of the table times 16; the table gets 16 times the gradient that start gets.
    """

    def build():
        table = keras.layers.Embedding(3, 1, embeddings_initializer="ones", name="table")
        start = unit("start", 16.0, trainable=False)
        model = sequential(1, unit("index"), table, keras.layers.Flatten(name="flat"), start, unit("out"))
        model.compile(keras.optimizers.SGD(2.0**-6, weight_decay=weight_decay), "mse")
        return model

    return build


def biased():
    """With x = -2^10 middle gets 0, so that its gradient is 0; with x = 0 the kernel of start has the gradient 0."""
    start = unit("start", use_bias=True, bias_initializer=keras.initializers.Constant(2.0**10))
    model = sequential(1, start, unit("middle"), unit("out"))
    model.compile(keras.optimizers.SGD(2.0**-40), "mse")
    return model


@functools.cache
def chain(
    kernels=(1.0, 1.0, 1.0),
    learning_rate=2.0**-32,
    momentum=0.0,
    loss="mse",
    decay=0.0,
    used=False,
    halved=None,
    steps=0,
    **settings,
) -> Callable:
    """One number in, three layers of one unit without bias, start, middle and out, one number out.

    With x = 2^10 and kernels 2^-10, 1, 1 the prediction is 1, and the gradient of the squared error by `start`'s kernel
    is 2^10 times that by the others: it alone overflows. The optimizer may be used already, may have taken
    so many steps, may halve its learning rate after so many, and may have other settings.
    """

    def build():
        penalty = keras.regularizers.L2(decay) if decay else None
        first, second, last = kernels
        model = sequential(
            1, unit("start", first, kernel_regularizer=penalty), unit("middle", second), unit("out", last)
        )
        rate = learning_rate
        if halved:
            rate = keras.optimizers.schedules.PiecewiseConstantDecay([halved - 1], [rate, rate / 2])
        model.compile(keras.optimizers.SGD(rate, momentum=momentum, **settings), loss)
        model.optimizer.iterations.assign(steps)
        if used:
            model.optimizer.build(model.trainable_variables)
            for variable in model.optimizer.variables[2:]:  # after the step count and the learning rate
                variable.assign(tf.fill(variable.shape, 2.0**-6))
        return model

    return build


TWO = "Sequential(first, out)"
CHAIN = "Sequential(start, middle, out) of one unit each"
TALL, TALL_CHAIN = (2.0**-10, 1.0, 1.0), f"{CHAIN}, kernels 2**-10, 1, 1"


def tall(*gradients: float) -> Data:
    """Batches of one example for a chain with the kernels TALL, in which `start` gets these gradients."""
    y = tuple((1 - gradient / 2**11,) for gradient in gradients)
    shown = ", ".join(f"{gradient:g}" for gradient in gradients)
    return Data(((2.0**10,),) * len(gradients), y, 1, f"; gradients of the loss by start's kernel: {shown}")


# Batches of four for the network `biased`: which layers overflow, the input, and the error of the prediction.
OVERFLOWS = {
    "none": (-(2.0**10), 0.0),
    "start": (-(2.0**10), 2.0**7),
    "middle": (0.0, 2.0**7),
    "both": (0.0, 2.0**16),  # start by its bias alone
}


def overflows(*names: str) -> Data:
    cases = [OVERFLOWS[name] for name in names for _ in range(4)]
    x, y = tuple((x,) for x, _ in cases), tuple((x + 2.0**10 - error,) for x, error in cases)
    return Data(x, y, 4, f"; what overflows at scale 1 in float16: {', '.join(names)}")


def chain_sgd(
    kernels,
    batches,
    learning_rate,
    momentum=0.0,
    decay=0.0,
    half=1.0,
    halved=None,
    nesterov=False,
    weight_decay=0.0,
    clipvalue=math.inf,
    global_clipnorm=math.inf,
):
    """Training a chain in NumPy, in float64: the kernels afterwards and the loss of each step.

    A kernel of one element has its absolute value for its norm: `clipnorm` does what `clipvalue` does.
    """
    kernels, velocity, losses = np.array(kernels, float), np.zeros(3), []
    for step, (x, y) in enumerate(batches):
        x, y = np.asarray(x, float).ravel(), np.asarray(y, float).ravel()
        start, middle, out = kernels
        error = start * middle * out * x - y
        losses.append(float(half * np.mean(error**2) + decay * start**2))
        towards = half * 2 * np.mean(error * x)
        gradients = towards * np.array([middle * out, start * out, start * middle]) + [2 * decay * start, 0, 0]
        rate = learning_rate / 2 if halved and step >= halved else learning_rate
        gradients = np.clip(gradients, -clipvalue, clipvalue)
        gradients *= min(1.0, global_clipnorm / np.linalg.norm(gradients)) if gradients.any() else 1.0
        velocity = momentum * velocity - rate * gradients
        kernels = kernels * (1 - rate * weight_decay)
        kernels = kernels + (momentum * velocity - rate * gradients if nesterov else velocity)
    return kernels, losses


def as_weights(kernels, names=("start", "middle", "out")) -> dict:
    return {name: np.array([kernel], np.float32) for name, kernel in zip(names, kernels, strict=True)}


# The properties. A call is answer(network, strategy, data, epochs).

FORMATS = ("float16", "bfloat16", "float32")
BFLOAT16 = "mixed_bfloat16"


def test_precisions(answer):
    """Layers compute in the strategy's format, the last one and `keep_float32` in float32; variables are float32"""
    cases = []
    for dtype in FORMATS:
        wanted = {"first": f"{dtype} (float32 variables)", "out": "float32 (float32 variables)"}
        cases.append(((Network(TWO, two_layers(), precisions), PrecisionStrategy(dtype, 4.0), TABLE, 1), wanted))
    network = Network("Model(x → body → norm → drop, + x → sum → out → shares)", skip, precisions)
    for keep in (), ("sum", "body"):
        wanted = dict.fromkeys(("body", "norm", "drop", "sum", "out"), "float16") | dict.fromkeys(keep, "float32")
        wanted |= {name: f"{wanted[name]} (float32 variables)" for name in ("body", "norm", "out")}
        strategy = PrecisionStrategy(loss_scale=4.0, keep_float32=keep)
        cases.append(((network, strategy, TABLE, 1), {**wanted, "shares": "float32"}))
    network = Network("Sequential(dense, dense_1, my_dense, frozen, out) of one unit each", named_alike, precisions)
    wanted = dict.fromkeys(("dense", "dense_1", "my_dense", "frozen", "out"), "float16 (float32 variables)")
    wanted |= dict.fromkeys(("dense", "out"), "float32 (float32 variables)")
    cases.append(((network, PrecisionStrategy(loss_scale=4.0, keep_float32=("dense",)), POINT, 1), wanted))
    hold_all(answer, *cases)


def test_begins_with_the_weights(answer):
    """Training begins with all weights of the model, moving statistics too (here the learning rate is 0: they stay)"""
    network = Network("Sequential(norm, out) compiled with SGD(0)", still, same_weights)
    wanted = {"the copy has the model's weights": True}
    hold_all(answer, *(((network, PrecisionStrategy(dtype, 4.0), TABLE, 1), wanted) for dtype in FORMATS))


def test_the_model_is_left_alone(answer):
    """The model given, its optimizer and the global policy stay as they were"""
    network = Network(TWO, two_layers(), left_alone)
    cases = [((network, PrecisionStrategy(dtype, 4.0), TABLE, 1), UNTOUCHED) for dtype in FORMATS]
    network = NetworkUnder(f'{TWO} under the global policy "mixed_bfloat16"', two_layers(), left_alone, False, BFLOAT16)
    cases.append(((network, PrecisionStrategy(loss_scale=4.0), TABLE, 1), UNTOUCHED | {"global policy": BFLOAT16}))
    network = Network(f"{TWO}, not compiled", two_layers(learning_rate=None), left_alone)
    data = Data(TABLE.x, tuple(LABELS))
    cases.append(((network, PrecisionStrategy(loss_scale=4.0), data, 1), UNTOUCHED | {"it is compiled": False}))
    hold_all(answer, *cases)


def test_moving_statistics(answer):
    """Batch normalization sees the batches, in training mode, and keeps its moving statistics when it is demoted"""
    network = Network("Sequential(norm, start, out), momentum of norm 0", normalized, both(statistics, precisions))
    wanted = {"moving mean": np.array([7.0], np.float32), "moving variance": np.array([9.0], np.float32)}
    # The second batch overflows. Its mean and variance are the first one's: it may move the statistics or not.
    small, large = ((0.0,), (0.0,)), ((2.0**18,), (-(2.0**18),))
    for y, dtype in (small, "float16"), (small + large, "float32"):
        data = Data(((4.0,), (10.0,)) * (len(y) // 2), y, 2)
        half = dict.fromkeys(("norm", "start"), f"{dtype} (float32 variables)")
        call = answer(network, PrecisionStrategy(loss_scale=1.0, demote_after=1), data, 1)
        hold(call, {**half, "out": "float32 (float32 variables)", **wanted}, rtol=1e-3)


def test_float32(answer):
    """With float32 it is plain training: SGD with momentum from rest, in NumPy, gives the same losses and weights"""
    data = Data(tuple((i / 4,) for i in range(1, 7)), ((2.0,),) * 6, size=2)
    kernels, losses = chain_sgd((1, 1, 1), 2 * data.batches(), 2**-6, momentum=0.5)
    build = chain(learning_rate=2**-6, momentum=0.5, used=True)
    network = Network(f"{CHAIN}, compiled with SGD and momentum and used", build, both(weights, history("loss")))
    wanted = {"loss": [float(np.mean(losses[:3])), float(np.mean(losses[3:]))], **as_weights(kernels)}
    hold(answer(network, PrecisionStrategy("float32", 2.0**20), data, 2), wanted, rtol=1e-4)


def test_tuples(answer):
    """A tuple (x, y) is cut into batches of 32, the last one shorter, all of one weight; without `epochs` it is one"""
    data = Data(tuple((i / 16 - 1,) for i in range(50)), tuple((i / 50,) for i in range(50)))
    kernels, losses = chain_sgd((1, 1, 1), data.batches(), 0.125)
    network = Network(CHAIN, chain(learning_rate=0.125), both(weights, history("loss", "loss_scale")))
    wanted = {"loss": [float(np.mean(losses))], "loss_scale": [4.0], **as_weights(kernels)}
    hold(answer(network, PrecisionStrategy("float32", 1.0, 1), data), wanted, rtol=1e-4)


def half_square(y, prediction):
    return 0.5 * (y - prediction) ** 2


def test_the_loss_of_the_model(answer):
    """The loss is the compiled model's, a function of yours too, with the regularization of its layers"""
    data = Data(((1.0,), (2.0,)), ((3.0,), (1.0,)))
    kernels, losses = chain_sgd((1, 1, 1), data.batches(), 0.125, decay=0.5, half=0.5)
    build = chain(learning_rate=0.125, loss=half_square, decay=0.5)
    network = Network(f"{CHAIN}, an L2 penalty on start, a loss function", build, both(weights, history("loss")))
    wanted = {"loss": losses, **as_weights(kernels)}
    hold(answer(network, PrecisionStrategy("float32"), data, 1), wanted, rtol=1e-4)


SETTINGS = (
    {"momentum": 0.5, "nesterov": True, "weight_decay": 0.5},
    {"clipvalue": 1.25},
    {"clipnorm": 1.25},
    {"global_clipnorm": 1.25},
    {"halved": 2, "steps": 11},
)


def test_the_optimizer_of_the_model(answer):
    """The optimizer is a fresh copy of the model's: it has all the settings, and its steps count from 0"""
    data, kernels, cases = Data(((0.75,), (1.0,), (0.875,)), ((2.0,),) * 3, 1), (1.0, 0.5, 0.75), []
    for settings in SETTINGS:
        text = ", ".join(f"{name}={value}" for name, value in settings.items())
        own = {"clipvalue" if name == "clipnorm" else name: value for name, value in settings.items()}
        if "halved" in settings:
            text = "a learning rate that halves after 2 steps, and 11 steps taken already"
            del own["steps"]
        network = Network(f"{CHAIN}, SGD with {text}", chain(kernels, 0.0625, **settings), weights)
        wanted = as_weights(chain_sgd(kernels, data.batches(), 0.0625, **own)[0])
        cases.append(((network, PrecisionStrategy("float32", 4.0), data, 1), wanted))
    for arguments, wanted in cases:
        hold(answer(*arguments), wanted, rtol=1e-4)


def test_a_global_policy(answer):
    """Nothing is scaled twice where the global policy is mixed_float16"""
    data = Data(((0.5,), (1.0,)), ((2.0,),) * 2, 1)
    text = f'{CHAIN}, under the global policy "mixed_float16"'
    network = NetworkUnder(text, chain(learning_rate=2.0**-6), both(weights, history("loss_scale")))
    wanted = as_weights(chain_sgd((1, 1, 1), data.batches(), 2.0**-6)[0])
    hold(answer(network, PrecisionStrategy(loss_scale=4.0), data, 1), {**wanted, "loss_scale": [4.0]}, rtol=2e-3)


def test_uncompiled(answer):
    """A model that is not compiled gets sparse cross-entropy on logits, with regularization, and Adam(1e-3)"""
    kernel, out = KERNELS[0].astype(float), KERNELS[1].astype(float)
    logits = ROWS @ kernel @ out
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    towards = (shares - np.eye(2)[LABELS]) / len(LABELS)
    of_first, decay = ROWS.T @ towards @ out.T, 0.03125
    # Adam's first step is the learning rate in the direction of the gradient's sign, whatever its size.
    wanted = {
        "first": (kernel - 1e-3 * np.sign(of_first + 2 * decay * kernel)).astype(np.float32).ravel(),
        "out": (out - 1e-3 * np.sign((ROWS @ kernel).T @ towards)).astype(np.float32).ravel(),
    }
    build = two_layers(learning_rate=None, decay=decay)
    network = Network(f"{TWO}, an L2 penalty on first, not compiled", build, both(weights, history("loss")))
    wanted["loss"] = [float(decay * np.sum(kernel**2) - np.mean(np.log(shares[range(len(LABELS)), LABELS])))]
    call = answer(network, PrecisionStrategy("float32"), Data(TABLE.x, tuple(LABELS)), 1)
    hold(call, wanted, rtol=1e-4, atol=2e-5)


def test_small_and_large_gradients(answer):
    """Gradients too small for float16 reach the weights, unscaled in float32; so do large ones, as long as finite"""
    # In float16 the gradient by start and by middle is 2^-29; out computes in float32, and its gradient is
    # 2^-19 (1 + 2^-12), whose last bit float16 does not hold.
    distance = 2.0**-20 * (1 + 2.0**-12)
    data = Data(((1.0,),), ((2.0**-10 - distance,),))
    network = Network(f"{CHAIN}, kernels 1, 1, 2**-10", chain((1, 1, 2.0**-10), learning_rate=2.0**24), weights)
    wanted = as_weights((1 - 2.0**-5, 1 - 2.0**-5, 2.0**-10 - 32 * (1 + 2.0**-12)))
    hold(answer(network, PrecisionStrategy(), data, 1), wanted, rtol=1e-6)
    # The gradient by start is 2^71, the square of which is beyond float32.
    data = Data(((2.0**40,),), ((-(2.0**30),),))
    network = Network(f"{CHAIN}, kernels 2**-40, 1, 1", chain((2.0**-40, 1, 1), learning_rate=2.0**-115), weights)
    wanted = as_weights((2.0**-40 - 2.0**-44, 1, 1))
    hold(answer(network, PrecisionStrategy("bfloat16", 1.0), data, 1), wanted, rtol=1e-6)


def test_inputs(answer):
    """A layer that computes in float32 gets the digits that float32 has, the first one those of x"""
    # What start makes of 1 + 2^-12 is 1 in middle, which computes in float16.
    x = 1 + 2.0**-12
    network = Network(CHAIN, chain(learning_rate=0.25), weights)
    strategy = PrecisionStrategy(loss_scale=4.0, keep_float32=("start",))
    call = answer(network, strategy, Data(((x,),), ((0.0,),), 1, f" with x = {x}"), 1)
    hold(call, as_weights((1 - x / 2, 0.5, 0.5)), rtol=1e-6)


def test_finite(answer):
    """A step is finite where all elements of the gradients are: no infinity of either sign, however large their sum"""
    network = Network("Sequential(start, out), two numbers to one", two_inputs, both(weights, history("skipped_steps")))
    data = Data(((2.0**10, 1.0),) * 2, ((2.0**7,), (-(2.0**7),)), 1, "; gradients by start: (-inf, -256), (inf, 256)")
    wanted = {"start": np.zeros(2, np.float32), "out": np.ones(1, np.float32)}
    hold(answer(network, PrecisionStrategy(loss_scale=1.0), data, 1), {**wanted, "skipped_steps": [2]})
    data = Data(((1.5 * 2**66,) * 2,), ((2.0**60,),), 1, "; gradients by start: -1.5 * 2**127, twice")
    wanted["start"] = np.full(2, 192, np.float32)
    call = answer(network, PrecisionStrategy("float32", 1.0), data, 1)
    hold(call, {**wanted, "skipped_steps": [0]}, rtol=1e-6)


def test_embedding(answer):
    """Embeddings are trained and tested like any layer; what is frozen, or out of any gradient's reach, stays"""
    # The first batch overflows in the table only. In the second its gradient, and that of out, is 8.
    data = Data(((0.0,), (0.0,), (1.0,), (1.0,)), (*((16 - 2.0**13,),) * 2, *((15.75,),) * 2), 2)
    network = Network(
        "Sequential(index, table, flat, start (frozen), out): an Embedding looked up by whole numbers",
        embedding(),
        both(weights, history("skipped_steps")),
        traced=True,
    )
    call = answer(network, PrecisionStrategy(loss_scale=1.0, keep_float32=("table",)), data, 1)
    wanted = as_weights((1, 16, 0.875), ("index", "start", "out"))
    hold(call, {"table": np.array([1, 0.875, 1], np.float32), **wanted, "skipped_steps": [1]}, rtol=1e-6)
    # Weight decay takes a quarter of what a gradient reaches, and nothing else.
    data = Data(((1.0,), (1.0,)), ((15.75,), (15.75,)), 2)
    network = Network("the same, with weight decay", embedding(weight_decay=16.0), weights)
    call = answer(network, PrecisionStrategy(loss_scale=4.0, keep_float32=("table",)), data, 1)
    wanted = as_weights((1, 16, 0.625), ("index", "start", "out"))
    hold(call, {"table": np.array([0.75, 0.625, 0.75], np.float32), **wanted}, rtol=1e-6)


def test_growth(answer):
    """`growth_interval` finite steps in a row, over the ends of epochs too, double the scale, beyond 2**15 as well"""
    network = Network(TALL_CHAIN, chain(TALL), history("loss_scale", "skipped_steps"))
    call = answer(network, PrecisionStrategy(growth_interval=3), tall(*[2.0**-6] * 5), 2)
    hold(call, {"loss_scale": [2.0**16, 2.0**18], "skipped_steps": [0, 0]})
    call = answer(network, PrecisionStrategy("bfloat16", 2.0**24, growth_interval=1), tall(2.0**-6, 2.0**-6), 1)
    hold(call, {"loss_scale": [2.0**26], "skipped_steps": [0]})


def test_every_format_is_scaled(answer):
    """The scale is applied and adjusted in bfloat16 and float32 as well"""
    # By start's kernel the gradient of the loss is 1.5 * 2^40, and 2^128 too large for these formats.
    data = Data(((2.0**40,),) * 4, ((0.25,),) * 4, 1, "; gradients of the loss by start's kernel: 1.5 * 2**40")
    build = chain((2.0**-40, 1, 1), learning_rate=2.0**-115)
    network = Network(f"{CHAIN}, kernels 2**-40, 1, 1", build, history("loss_scale", "skipped_steps"))
    wanted = {"loss_scale": [2.0**87], "skipped_steps": [3]}
    hold_all(
        answer, *(((network, PrecisionStrategy(dtype, 2.0**90), data, 1), wanted) for dtype in ("bfloat16", "float32"))
    )


def test_odd_scales(answer):
    """A scale may be any number from 1 on: its half is not rounded, and an overflow at 1.5 is none at 1"""
    look = history("demoted", "loss_scale", "skipped_steps")
    network = Network(TALL_CHAIN, chain(TALL), look)
    going = [{"layer": "start", "epoch": 0, "step": 3}]
    cases = (
        ((network, PrecisionStrategy(loss_scale=10.5), tall(2**17), 2), [], [5.25, 2.625], [1, 1]),
        ((network, PrecisionStrategy(loss_scale=3.0, demote_after=2), tall(*[2**17] * 4), 1), going, [1.0], [4]),
    )
    keys = ("demoted", "loss_scale", "skipped_steps")
    hold_all(answer, *((arguments, dict(zip(keys, wanted, strict=True))) for arguments, *wanted in cases))


def test_overflow(answer):
    """An overflow skips the step, halves the scale and starts the count of finite steps again"""
    network = Network(TALL_CHAIN, chain(TALL), history("loss_scale", "skipped_steps"))
    # The large ones overflow at a scale of 8. The scale at each step: 16, 16, 8, 4, 4, 8, 4; and then 4.
    large = 1.5 * 2**13
    data = tall(1, large, large, 1, large, large, 1)
    call = answer(network, PrecisionStrategy(loss_scale=16.0, growth_interval=2), data, 1)
    hold(call, {"loss_scale": [4.0], "skipped_steps": [3]})


def test_skipped_steps(answer):
    """A skipped step leaves the weights, the optimizer (momentum, count of steps) and the mean loss as they were"""
    steps = tall(2**12, 1.5 * 2**13, 2**12, 2**12)
    taken = [steps.batches()[i] for i in (0, 2, 3)]
    rates = {"learning_rate": 2.0**-26, "momentum": 0.5, "halved": 2}
    kernels, losses = chain_sgd(TALL, taken, **rates)
    network = Network(
        f"{TALL_CHAIN}, SGD with momentum whose learning rate halves after 2 steps",
        chain(TALL, **rates),
        both(weights, history("loss", "skipped_steps")),
    )
    wanted = {"loss": [float(np.mean(losses))], "skipped_steps": [1], **as_weights(kernels)}
    hold(answer(network, PrecisionStrategy(loss_scale=8.0), steps, 1), wanted, rtol=2e-3)


def test_the_least_scale(answer):
    """The scale falls to 1 and never below; an epoch of skipped steps alone has the loss NaN"""
    network = Network(TALL_CHAIN, chain(TALL), both(weights, history("loss", "loss_scale", "skipped_steps")))
    call = answer(network, PrecisionStrategy(loss_scale=3.0, demote_after=100), tall(2**17, 2**17, 2**17), 1)
    hold(call, {"loss": [math.nan], "loss_scale": [1.0], "skipped_steps": [3], **as_weights(TALL)})


def test_demotion(answer):
    """A layer that overflows `demote_after` times in a row at scale 1 goes to float32, and the history says when"""
    look = both(precisions, history("demoted", "loss_scale", "skipped_steps"))
    network = Network(TALL_CHAIN, chain(TALL), look, traced=True)
    # The second one overflows at a scale of 8 and not at 4. The scales: 8, 4, 4, 2, 1, 1; and 1 from then on.
    data = tall(2**17, 1.5 * 2**13, 2**17, 2**17, 2**17, 2**17)
    wanted = {
        "start": "float32 (float32 variables)",
        "middle": "float16 (float32 variables)",
        "out": "float32 (float32 variables)",
        "demoted": [{"layer": "start", "epoch": 1, "step": 0}],
        "loss_scale": [1.0, 1.0],
        "skipped_steps": [5, 1],
    }
    hold(answer(network, PrecisionStrategy(loss_scale=8.0), data, 2), wanted)


def test_a_count_for_each_layer(answer):
    """Each layer has a count of its own, which its own gradients alone start again, if all are finite, biases' too"""
    network = Network(
        "Sequential(start with bias 2**10, middle, out) of one unit each",
        biased,
        both(precisions, history("demoted", "skipped_steps")),
    )
    data = overflows("start", "start", "none", "start", "middle", "middle", "both", "both", "start", "start")
    wanted = dict.fromkeys(("start", "middle", "out"), "float32 (float32 variables)")
    wanted["demoted"] = [{"layer": "middle", "epoch": 0, "step": 6}, {"layer": "start", "epoch": 0, "step": 8}]
    hold(answer(network, PrecisionStrategy(loss_scale=1.0), data, 1), {**wanted, "skipped_steps": [8]})


def test_several_demotions(answer):
    """Layers that go together stand in the order of the model; one that computes in float32 already cannot go"""
    network = Network(CHAIN, chain(), both(weights, history("demoted", "skipped_steps")))
    data = Data(((1.0,), (math.inf,), (math.inf,), (math.inf,)), ((1.0,),) * 4, 1, ", from the second on of x = inf")
    half, cases = ("start", "middle"), []
    for dtype, keep, going in ("bfloat16", (), half), ("bfloat16", ("start",), half[1:]), ("float32", (), ()):
        wanted = {"demoted": [{"layer": name, "epoch": 0, "step": 2} for name in going], "skipped_steps": [3]}
        wanted |= as_weights((1, 1, 1))
        cases.append(((network, PrecisionStrategy(dtype, 1.0, 2000, keep, demote_after=2), data, 1), wanted))
    at_once = Data(((math.inf,),) * 2, ((1.0,),) * 2, 1, ", all of x = inf")
    wanted = {"demoted": [{"layer": name, "epoch": 0, "step": 1} for name in half], "skipped_steps": [2]}
    wanted |= as_weights((1, 1, 1))
    cases.append(((network, PrecisionStrategy(loss_scale=1.0, demote_after=2), at_once, 1), wanted))
    hold_all(answer, *cases)


def test_state_across_a_demotion(answer):
    """Training goes on after a demotion with the weights and the optimizer's state of before"""
    steps = tall(2**15, 2**15, 2**17, 2**17, 2**17, 2**15)
    taken = [steps.batches()[i] for i in (0, 1, 4, 5)]
    rates = {"learning_rate": 2.0**-29, "momentum": 0.5, "halved": 2}
    kernels, _ = chain_sgd(TALL, taken, **rates)
    network = Network(
        f"{TALL_CHAIN}, SGD with momentum whose learning rate halves after 2 steps",
        chain(TALL, **rates),
        both(weights, history("demoted")),
    )
    call = answer(network, PrecisionStrategy(loss_scale=1.0, demote_after=2), steps, 1)
    hold(call, {"demoted": [{"layer": "start", "epoch": 0, "step": 3}], **as_weights(kernels)}, rtol=2e-3)


# The misconceptions: each is the training below with one thing done otherwise.


class Training:
    """The task done right, step by step and without a graph; a method for each thing that people do otherwise."""

    def __init__(self, model, strategy):
        self.model, self.strategy = model, strategy
        self.scale, self.finite_steps = self.first_scale(), 0
        self.history = {"loss": [], "loss_scale": [], "skipped_steps": [], "demoted": []}
        self.mixed = self.copied()
        self.fill()
        self.compile()
        self.overflows = {layer.name: 0 for layer in self.layers()}

    def first_scale(self):
        return float(self.strategy.loss_scale)

    def layers(self):
        return [layer for layer in self.mixed.layers if layer.trainable_variables]

    def policy(self, name):
        return "float32" if name in self.strategy.keep_float32 or name == self.last() else self.half()

    def last(self):
        return self.model.layers[-1].name

    def half(self):
        dtype = self.strategy.compute_dtype
        return dtype if dtype == "float32" else f"mixed_{dtype}"

    def copied(self):
        if type(self).copy is not Training.copy:
            return self.copy()
        return copied(self.model, tuple(self.policy(layer.name) for layer in self.model.layers), self.copy)

    def copy(self):
        config = self.model.get_config()
        for layer in config["layers"]:
            if layer["class_name"] != "InputLayer":
                layer["config"]["dtype"] = self.policy(layer["config"]["name"])
        return type(self.model).from_config(config)

    def fill(self):
        self.mixed.set_weights(self.model.get_weights())

    def compile(self):
        optimizer, loss = self.compiled_with() if self.model.compiled else self.default()
        self.mixed.compile(optimizer, loss, auto_scale_loss=False)

    def compiled_with(self):
        optimizer = self.model.optimizer
        return type(optimizer).from_config(optimizer.get_config()), self.model.loss

    def optimizer_with(self, **changes):
        """A fresh copy of the model's optimizer with other settings."""
        optimizer = self.model.optimizer
        return type(optimizer).from_config(optimizer.get_config() | changes)

    def default(self):
        return keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def batches(self, data):
        return batches_of(data, 32) if isinstance(data, tuple) else data

    def rounds(self, data, epochs):
        return [data] * epochs

    def run(self, data, epochs):
        for epoch, batches in enumerate(self.rounds(self.batches(data), epochs)):
            self.begin_epoch()
            losses, skipped = [], 0
            for number, (x, y) in enumerate(batches):
                loss, gradients, finite = self.step(x, y)
                taken = self.to_be_taken(loss, gradients, finite)
                self.apply(gradients, taken)
                losses += self.noted(loss, x, y) if taken else self.noted_of_skipped(loss)
                skipped += not taken
                going = self.count(dict(zip(self.overflows, finite, strict=True)))
                self.rescale(taken)
                self.demote(going, epoch, number)
            self.end_epoch(losses, skipped)
        return self.result()

    def result(self):
        return self.mixed, self.history

    def begin_epoch(self):
        pass

    def step(self, x, y):
        """The loss, the gradients of each layer, and whether these are finite."""
        loss, gradients = self.gradients(x, y)
        return loss, gradients, self.verdicts(loss, gradients)

    def loss(self, x, y):
        return self.mixed.compute_loss(x=x, y=y, y_pred=self.mixed(x, training=True))

    def scaled(self, loss):
        return loss * self.scale

    def gradients(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.loss(x, y)
            scaled = self.scaled(loss)
        variables = [layer.trainable_variables for layer in self.layers()]
        gradients = tape.gradient(scaled, variables)
        return loss, [
            [None if gradient is None else self.unscaled(gradient) for gradient in map(self.dense, *of_layer)]
            for of_layer in zip(gradients, variables, strict=True)
        ]

    def dense(self, gradient, variable):
        return None if gradient is None else tf.convert_to_tensor(gradient)

    def unscaled(self, gradient):
        return gradient / self.scale

    def is_finite(self, gradient):
        return bool(tf.reduce_all(tf.math.is_finite(gradient)))

    def verdicts(self, loss, gradients):
        """For each layer whether its gradients are finite."""
        return [all(self.is_finite(gradient) for gradient in own if gradient is not None) for own in gradients]

    def to_be_taken(self, loss, gradients, finite):
        return all(finite)

    def apply(self, gradients, taken):
        if taken:
            self.update(gradients)

    def update(self, gradients):
        variables = [variable for layer in self.layers() for variable in layer.trainable_variables]
        pairs = zip([gradient for own in gradients for gradient in own], variables, strict=True)
        self.mixed.optimizer.apply_gradients([pair for pair in pairs if pair[0] is not None])

    def noted(self, loss, x, y):
        return [float(loss)]

    def noted_of_skipped(self, loss):
        return []

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
            self.overflows[name] = self.overflows[name] + 1 if self.is_one(self.scale) and not finite[name] else 0
        return self.tired()

    def is_one(self, scale):
        return scale == 1

    def tired(self):
        return [name for name, count in self.overflows.items() if count >= self.strategy.demote_after]

    def demote(self, names, epoch, step):
        for layer in self.half_layers(names):
            self.note(layer.name, epoch, step)
            self.to_float32(layer)

    def half_layers(self, names):
        return [layer for layer in self.layers() if layer.name in names and layer.compute_dtype != "float32"]

    def note(self, name, epoch, step):
        self.history["demoted"].append({"layer": name, "epoch": epoch, "step": step})

    def to_float32(self, layer):
        layer.dtype_policy = keras.DTypePolicy("float32")

    def mean(self, losses):
        return float(np.mean(losses)) if losses else math.nan

    def end_epoch(self, losses, skipped):
        self.history["loss"].append(self.mean(losses))
        self.history["loss_scale"].append(self.scale)
        self.history["skipped_steps"].append(skipped)


def each_gradient(change: Callable, gradients: list[list]) -> list[list]:
    """The gradients of each layer, changed where there are some."""
    return [[None if gradient is None else change(gradient) for gradient in own] for own in gradients]


def misconception(wrong: type[Training]) -> Callable:
    """The answer that trains in this way."""

    def answer(model, strategy, train_data, epochs=1):
        return wrong(model, strategy).run(train_data, epochs)

    answer.__name__, answer.__doc__ = wrong.__name__, wrong.__doc__
    return exercise.misconception(answer)


@misconception
class mixed_alone_returned(Training):
    """You return the model alone. Return `mixed, history`: two values, of which the second is the dict."""

    def result(self):
        return self.mixed


@misconception
class keras_history_returned(Training):
    """Your history is a Keras `History`. Return a plain dict of lists, with the keys that the exercise names."""

    def result(self):
        history = keras.callbacks.History()
        history.history = self.history
        return self.mixed, history


@misconception
class history_first(Training):
    """You return the history first. It is `return mixed, history`: the model, then the dict."""

    def result(self):
        return self.history, self.mixed


@misconception
class layers_renamed(Training):
    """The layers of your copy have other names than the model's. Keep the names, as `from_config` does: `keep_float32`
    and the history speak of layers by their names."""

    def result(self):
        for layer in self.mixed.layers:
            layer.name = f"{layer.name}_mixed"
        return self.mixed, self.history


@misconception
class connections_lost(Training):
    """You put the layers one behind the other in a `Sequential`, and a functional model has connections of its own.
    `type(model).from_config(config)` makes them all."""

    def copy(self):
        layers = super().copy().layers
        return keras.Sequential([keras.Input(self.model.input_shape[1:]), *layers])


@misconception
class policy_never_set(Training):
    """Your copy computes in float32 all through: no layer has another dtype policy. A layer takes its policy when it
    is made, so make the layers of the copy with `dtype="mixed_float16"` (or whatever the strategy says)."""

    def half(self):
        return "float32"


@misconception
class always_float16(Training):
    """You wired in mixed_float16. The format is `strategy.compute_dtype`: float16, bfloat16 or float32."""

    def half(self):
        return "mixed_float16"


@misconception
class bfloat16_as_float16(Training):
    """For "bfloat16" your layers compute in float16. Its policy is "mixed_bfloat16"."""

    def half(self):
        return super().half().replace("bfloat16", "float16")


@misconception
class mixed_float32(Training):
    """You ask for a policy "mixed_float32", and there is none: float32 mixes nothing. Its policy is "float32"."""

    def half(self):
        return f"mixed_{self.strategy.compute_dtype}"


@misconception
class half_variables(Training):
    """Your layers keep their variables in half precision: the policy "float16" is half in everything. The policy
    "mixed_float16" computes in half on float32 master weights, which small updates can still move."""

    def half(self):
        return self.strategy.compute_dtype

    def unscaled(self, gradient):
        return super().unscaled(tf.cast(gradient, tf.float32))


@misconception
class policy_for_the_input_layer(Training):
    """You give the policy to the `InputLayer` too. It computes nothing, and its dtype is the data's: leave the entries
    of `config["layers"]` alone whose "class_name" is "InputLayer"."""

    def copy(self):
        config = self.model.get_config()
        for layer in config["layers"]:
            layer["config"]["dtype"] = self.policy(layer["config"]["name"])
        return type(self.model).from_config(config)


@misconception
class layers_without_weights_left_out(Training):
    """Your layers without weights compute in float32. They have a policy as well: give it to every layer of the copy
    but the InputLayer."""

    def policy(self, name):
        return super().policy(name) if self.model.get_layer(name).weights else "float32"


@misconception
class dense_layers_only(Training):
    """Only your Dense layers compute in half precision. Every layer of the copy gets the policy, but the InputLayer."""

    def policy(self, name):
        return super().policy(name) if isinstance(self.model.get_layer(name), keras.layers.Dense) else "float32"


@misconception
class batch_normalization_in_float32(Training):
    """You keep batch normalization in float32, which the strategy does not ask for. Its moving statistics are float32
    variables anyway; let `keep_float32` decide."""

    def policy(self, name):
        is_norm = isinstance(self.model.get_layer(name), keras.layers.BatchNormalization)
        return "float32" if is_norm else super().policy(name)


@misconception
class output_layer_in_half(Training):
    """Your last layer computes in half precision. Softmax and loss need float32: keep the last layer there."""

    def policy(self, name):
        return "float32" if name in self.strategy.keep_float32 else self.half()


@misconception
class last_layer_with_weights_kept(Training):
    """You keep the last layer that has weights in float32. The last layer is `model.layers[-1]`, with weights or
    without."""

    def last(self):
        return [layer.name for layer in self.model.layers if layer.weights][-1]


@misconception
class kept_layers_forgotten(Training):
    """You did not look at `strategy.keep_float32`: the layers that it names compute in float32 from the start."""

    def policy(self, name):
        return "float32" if name == self.model.layers[-1].name else self.half()


@misconception
class first_kept_name_only(Training):
    """You keep the first layer of `keep_float32` in float32 and forget the others. It is a tuple of names: use `in`."""

    def policy(self, name):
        return "float32" if name in (*self.strategy.keep_float32[:1], self.last()) else self.half()


@misconception
class kept_by_a_part_of_the_name(Training):
    """You keep layers in float32 whose names contain one of `keep_float32`: "dense" takes "dense_1" along. Compare
    whole names: `layer.name in strategy.keep_float32`."""

    def policy(self, name):
        kept = any(part in name for part in self.strategy.keep_float32)
        return "float32" if kept or name == self.last() else self.half()


@misconception
class kept_by_the_beginning_of_the_name(Training):
    """You keep layers in float32 whose names begin with one of `keep_float32`: "dense" takes "dense_1" along. Compare
    whole names: `layer.name in strategy.keep_float32`."""

    def policy(self, name):
        return "float32" if name.startswith(self.strategy.keep_float32) or name == self.last() else self.half()


@misconception
class frozen_layers_in_float32(Training):
    """You leave frozen layers in float32. Frozen or not, a layer computes in the strategy's format; what is frozen is
    only not trained."""

    def policy(self, name):
        return super().policy(name) if self.model.get_layer(name).trainable else "float32"


@misconception
class inputs_cast_to_half(Training):
    """You cast x to half precision yourself, and a first layer that computes in float32 gets rounded numbers. Each
    layer casts its inputs to its own format: hand x over as it is."""

    def loss(self, x, y):
        x = tf.convert_to_tensor(x)
        return super().loss(tf.cast(x, self.strategy.compute_dtype) if x.dtype.is_floating else x, y)


@misconception
class original_trained(Training):
    """You changed and trained the model that you were given. Build a copy with the policies, copy the weights, and
    train that."""

    def copy(self):
        for layer in self.model.layers:
            if not isinstance(layer, keras.layers.InputLayer):
                layer.dtype_policy = keras.DTypePolicy(self.policy(layer.name))
        return self.model


@misconception
class weights_not_copied(Training):
    """Your copy begins with fresh random weights: `from_config` and `clone_model` copy the architecture only. Add
    `copy.set_weights(model.get_weights())`."""

    def fill(self):
        pass


@misconception
class trainable_weights_copied_only(Training):
    """You copy the trainable weights only, so batch normalization begins with fresh moving statistics. `get_weights`
    and `set_weights` take all weights."""

    def fill(self):
        fresh = [variable.numpy() for variable in self.mixed.non_trainable_variables]
        super().fill()
        for variable, value in zip(self.mixed.non_trainable_variables, fresh, strict=True):
            variable.assign(value)

    def to_float32(self, layer):
        super().to_float32(layer)
        fresh = self.copy()
        for variable, new in zip(self.mixed.non_trainable_variables, fresh.non_trainable_variables, strict=True):
            variable.assign(new)


@misconception
class frozen_layers_trained(Training):
    """You train layers that are frozen in the model (`trainable=False`). `from_config` keeps them frozen: leave
    `trainable` as it is, and apply gradients to `trainable_variables`."""

    def copy(self):
        mixed = super().copy()
        mixed.trainable = True
        for layer in mixed.layers:
            layer.trainable = True
        return mixed


@misconception
class global_policy_left_set(Training):
    """You set the global policy and left it so: every layer made afterwards, anywhere in the program, is mixed. Give
    each layer its policy by its `dtype`, or put the global one back in a `finally`."""

    def copy(self):
        keras.mixed_precision.set_dtype_policy(self.half())
        return super().copy()


@misconception
class global_policy_set_to_float32(Training):
    """You set the global policy and then set it to "float32", which it may not have been. Note what it was, and put
    that back in a `finally`; or give each layer its policy by its `dtype`, and leave the global one alone."""

    def copy(self):
        keras.mixed_precision.set_dtype_policy(self.half())
        try:
            return super().copy()
        finally:
            keras.mixed_precision.set_dtype_policy("float32")


@misconception
class given_optimizer_built(Training):
    """You build the optimizer of the model that you were given. It stays as it was: build your own copy of it."""

    def compiled_with(self):
        self.model.optimizer.build(self.model.trainable_variables)
        return super().compiled_with()


@misconception
class model_compiled_for_you(Training):
    """You compile the model that you were given. It stays as it was: compile your own copy."""

    def default(self):
        self.model.compile(*super().default())
        return super().default()


@misconception
class optimizer_shared(Training):
    """You trained with the model's own optimizer, which belongs to the model's variables and counts its steps. Make
    a fresh one: `type(optimizer).from_config(optimizer.get_config())`."""

    def compiled_with(self):
        return self.model.optimizer, self.model.loss


@misconception
class optimizer_by_its_learning_rate(Training):
    """You copy the optimizer's class and learning rate; momentum, schedules and whatever else was set are lost.
    `type(optimizer).from_config(optimizer.get_config())` copies every setting."""

    def compiled_with(self):
        optimizer = self.model.optimizer
        return type(optimizer)(float(optimizer.learning_rate)), self.model.loss


@misconception
class optimizer_by_its_class(Training):
    """You make an optimizer of the same class, with the settings that it has by default. `type(optimizer).from_config(
    optimizer.get_config())` copies the model's settings."""

    def compiled_with(self):
        return type(self.model.optimizer)(), self.model.loss


@misconception
class learning_rate_frozen(Training):
    """You copy the learning rate as the number that it is now. Where it is a schedule the copy has one, too, and begins
    at step 0: `get_config()` keeps it."""

    def compiled_with(self):
        return self.optimizer_with(learning_rate=float(self.model.optimizer.learning_rate)), self.model.loss


@misconception
class weight_decay_lost(Training):
    """Your copy of the optimizer has no weight decay. `type(optimizer).from_config(optimizer.get_config())` copies
    every setting."""

    def compiled_with(self):
        return self.optimizer_with(weight_decay=None), self.model.loss


@misconception
class nesterov_lost(Training):
    """Your copy of the optimizer has no Nesterov momentum. `type(optimizer).from_config(optimizer.get_config())` copies
    every setting."""

    def compiled_with(self):
        return self.optimizer_with(nesterov=False), self.model.loss


@misconception
class clipping_lost(Training):
    """Your copy of the optimizer does not clip the gradients (`clipnorm`, `global_clipnorm`, `clipvalue`).
    `type(optimizer).from_config(optimizer.get_config())` copies every setting."""

    def compiled_with(self):
        return self.optimizer_with(clipnorm=None, global_clipnorm=None, clipvalue=None), self.model.loss


@misconception
class steps_counted_on(Training):
    """Your optimizer goes on counting where the model's stood, and learning rate schedules and Adam read its count. A
    fresh one begins at 0."""

    def compile(self):
        super().compile()
        if self.model.compiled:
            self.mixed.optimizer.iterations.assign(self.model.optimizer.iterations)


@misconception
class optimizer_not_from_rest(Training):
    """Your optimizer begins with the state of the model's: momentum and count of steps. A fresh copy has the settings
    only and begins from rest."""

    def compile(self):
        super().compile()
        if self.model.compiled:
            self.mixed.optimizer.build(self.mixed.trainable_variables)
            state = self.model.optimizer.variables
            if len(state) == len(self.mixed.optimizer.variables):
                for variable, value in zip(self.mixed.optimizer.variables, state, strict=True):
                    variable.assign(value)


@misconception
class adam_always(Training):
    """You always train with Adam(1e-3). That is for a model that is not compiled; a compiled one brings its optimizer,
    of which you make a fresh copy, and its loss."""

    def compiled_with(self):
        return keras.optimizers.Adam(1e-3), self.model.loss


@misconception
class loss_of_the_model_ignored(Training):
    """You always train with sparse cross-entropy. That is for a model that is not compiled; a compiled one brings its
    own, `model.loss`."""

    def compiled_with(self):
        return super().compiled_with()[0], keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@misconception
class logits_taken_for_probabilities(Training):
    """Your default loss takes the outputs for probabilities, and they are logits: the loss needs `from_logits=True`."""

    def default(self):
        return keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy()


@misconception
class regularization_forgotten(Training):
    """Your loss leaves out the regularization of the layers, which is in `mixed.losses`; `mixed.compute_loss` adds it
    for you."""

    def loss(self, x, y):
        return super().loss(x, y) - sum(self.mixed.losses)


@misconception
class uncompiled_not_regularized(Training):
    """Where the model is not compiled your loss leaves out the regularization of its layers. It is added either way:
    compile the copy with the default loss and call its `compute_loss`, or add `sum(mixed.losses)`."""

    def loss(self, x, y):
        return super().loss(x, y) - (0 if self.model.compiled else sum(self.mixed.losses))


@misconception
class regularization_twice(Training):
    """Your loss has the regularization of the layers twice. `compute_loss` adds it already."""

    def loss(self, x, y):
        return super().loss(x, y) + sum(self.mixed.losses)


@misconception
class regularization_of_the_model_given(Training):
    """You call `compute_loss` of the model given, which adds the regularization of its own weights. You train those of
    the copy: compile the copy, and call its `compute_loss`."""

    def loss(self, x, y):
        loss = super().loss(x, y)
        return loss - sum(self.mixed.losses) + sum(map(tf.stop_gradient, self.mixed.losses))


@misconception
class inference_mode(Training):
    """You call the model without `training=True`, so dropout drops nothing and batch normalization does not learn its
    statistics. `fit` passes it for you; in a loop of your own you must."""

    def loss(self, x, y):
        return self.mixed.compute_loss(x=x, y=y, y_pred=self.mixed(x))


@misconception
class whole_data_in_one_batch(Training):
    """You take an (x, y) tuple as one batch, or cut it into larger ones, so an epoch has too few steps. Cut it into
    batches of 32."""

    def batches(self, data):
        return [data] if isinstance(data, tuple) else data


@misconception
class last_batch_dropped(Training):
    """You drop the examples that do not fill a batch of 32. The last batch is shorter: no `drop_remainder`, and a
    count of batches rounded up."""

    def batches(self, data):
        if not isinstance(data, tuple):
            return data
        return [batch for batch in super().batches(data) if len(batch[0]) == 32]


@misconception
class batches_cut_again(Training):
    """You cut a Dataset into batches of 32 again. Its batches are what you were given: take them as they come."""

    def batches(self, data):
        if not isinstance(data, tuple):
            data = tuple(np.concatenate(arrays) for arrays in zip(*data, strict=True))
        return super().batches(data)


@misconception
class one_epoch_only(Training):
    """You go through the data once, whatever `epochs` says."""

    def rounds(self, data, epochs):
        return [data]


@misconception
class data_used_up(Training):
    """From the second epoch on you have no data: an iterator is used up after one round. Keep the Dataset, and begin a
    new loop over it in each epoch."""

    def rounds(self, data, epochs):
        return [data, *[[]] * (epochs - 1)]


@misconception
class loss_not_scaled(Training):
    """You take the gradients of the loss itself. In float16 the small ones are 0 before you can do anything about it:
    multiply the loss by the scale inside the tape, and divide the gradients by it."""

    def scaled(self, loss):
        return loss

    def unscaled(self, gradient):
        return gradient


@misconception
class divided_only(Training):
    """You divide the gradients by the scale, and the loss was never multiplied by it. Multiply it inside the tape, and
    take the gradients of the product."""

    def scaled(self, loss):
        return loss


@misconception
class loss_scaled_in_half(Training):
    """You scale the loss in float16, which does not hold a scale of 65536 or a large loss. The loss comes in float32:
    multiply it there."""

    def scaled(self, loss):
        return tf.cast(loss, tf.float16) * tf.cast(self.scale, tf.float16)


@misconception
class gradients_not_unscaled(Training):
    """You apply the gradients of the scaled loss as they are, too large by the scale. Divide them by it first."""

    def unscaled(self, gradient):
        return gradient


@misconception
class unscaled_in_half(Training):
    """You unscale the gradients in half precision, where the small ones underflow after all. The gradients of
    float32 variables come in float32: divide them there."""

    def unscaled(self, gradient):
        half = tf.cast(gradient, self.strategy.compute_dtype)
        return tf.cast(half / tf.cast(self.scale, half.dtype), tf.float32)


@misconception
class unscaled_in_float16(Training):
    """You unscale the gradients in float16, whatever the format: it holds neither the small ones nor a scale of 65536.
    The gradients of float32 variables come in float32: divide them there."""

    def unscaled(self, gradient):
        return tf.cast(tf.cast(gradient, tf.float16) / tf.cast(self.scale, tf.float16), tf.float32)


@misconception
class unscaled_by_the_next_scale(Training):
    """You adjust the scale and then unscale the gradients by the new one. Divide by the scale that the loss of this
    step was multiplied by."""

    def apply(self, gradients, taken):
        if taken:
            grows = self.finite_steps + 1 == self.strategy.growth_interval
            self.update(each_gradient(lambda gradient: gradient / (1 + grows), gradients))


@misconception
class scaled_twice(Training):
    """The gradients are divided by a scale twice, by you and by a `LossScaleOptimizer`, in which `compile` wraps the
    optimizer under a global policy "mixed_float16". Use the optimizer itself, or compile it with
    `auto_scale_loss=False`."""

    def compiled_with(self):
        optimizer, loss = super().compiled_with()
        return keras.optimizers.LossScaleOptimizer(optimizer), loss


@misconception
class scaled_by_compile_too(Training):
    """Under a global policy "mixed_float16" your gradients are divided by a scale twice: `compile` wraps the optimizer
    in a `LossScaleOptimizer`. Compile with `auto_scale_loss=False`."""

    def compile(self):
        self.mixed.compile(*(self.compiled_with() if self.model.compiled else self.default()))


@misconception
class non_finite_steps_applied(Training):
    """You apply gradients with infinities or NaN in them: one such step and the weights are lost for good. Test all
    of them first, and skip the step if any is not finite."""

    def apply(self, gradients, finite):
        self.update(gradients)


@misconception
class non_finite_gradients_zeroed(Training):
    """You put zeros where a gradient is not finite and take the step. Momentum and Adam move the weights on a zero
    gradient too, and the other layers step without this one. Skip it: do not call the optimizer at all."""

    def apply(self, gradients, finite):
        self.update(each_gradient(lambda g: tf.where(tf.math.is_finite(g), g, tf.zeros_like(g)), gradients))


@misconception
class float32_not_tested(Training):
    """With `compute_dtype="float32"` you apply the gradients untested. There, too, they can be infinite or NaN: test
    them in every format."""

    def to_be_taken(self, loss, gradients, finite):
        return self.strategy.compute_dtype == "float32" or super().to_be_taken(loss, gradients, finite)


@misconception
class none_as_zeros(Training):
    """You put zeros where a variable has no gradient (None), and the optimizer's weight decay moves it all the same.
    Leave such a variable out of what you hand to the optimizer."""

    def dense(self, gradient, variable):
        return tf.zeros(variable.shape) if gradient is None else super().dense(gradient, variable)


@misconception
class batch_tried_again(Training):
    """After an overflow you try the same batch again at the smaller scale. Skip the step, and go on with the next
    batch."""

    again = 0

    def step(self, x, y):
        loss, gradients, finite = super().step(x, y)
        while self.scale > 1 and not all(finite):
            self.again += 1
            self.shrink()
            loss, gradients, finite = super().step(x, y)
        return loss, gradients, finite

    def end_epoch(self, losses, skipped):
        super().end_epoch(losses, skipped + self.again)
        self.again = 0


@misconception
class loss_tested(Training):
    """You test whether the loss is finite. It stays finite where gradients overflow: test the gradients."""

    def to_be_taken(self, loss, gradients, finite):
        return math.isfinite(loss)


@misconception
class loss_tested_for_the_layers_too(Training):
    """You test whether the loss is finite, for the step and for the layers. It stays finite where gradients overflow:
    test the gradients, layer by layer."""

    def verdicts(self, loss, gradients):
        return [math.isfinite(loss)] * len(gradients)


@misconception
class scaled_loss_tested(Training):
    """You skip steps whose scaled loss is beyond float16, though their gradients are finite. The loss is a float32
    number; only the gradients decide."""

    def to_be_taken(self, loss, gradients, finite):
        return all(finite) and bool(tf.math.is_finite(tf.cast(loss * self.scale, tf.float16)))


@misconception
class norm_tested(Training):
    """You test the norm of the gradients (or the sum of their squares), which overflows where the gradients themselves
    are finite. Test their elements: `tf.reduce_all(tf.math.is_finite(gradient))`."""

    def to_be_taken(self, loss, gradients, finite):
        found = [gradient for own in gradients for gradient in own if gradient is not None]
        return bool(tf.math.is_finite(tf.linalg.global_norm(found)))


@misconception
class sum_tested(Training):
    """You test the sum of a gradient, which overflows where its elements are finite. Test the elements:
    `tf.reduce_all(tf.math.is_finite(gradient))`."""

    def is_finite(self, gradient):
        return bool(tf.math.is_finite(tf.reduce_sum(gradient)))


@misconception
class largest_element_tested(Training):
    """You test the largest element of a gradient, so that -inf among others goes unseen. Test all of them:
    `tf.reduce_all(tf.math.is_finite(gradient))`."""

    def is_finite(self, gradient):
        return bool(tf.math.is_finite(tf.reduce_max(gradient)))


@misconception
class compared_with_the_largest_float16(Training):
    """You take a gradient for an overflow that is beyond float16's largest number, 65504. In bfloat16, float32 and in
    layers kept in float32 it is a number like any other: only infinities and NaN count."""

    def is_finite(self, gradient):
        return bool(tf.reduce_all(tf.abs(gradient) < 65504))


@misconception
class scaled_gradients_compared_with_the_largest_float16(Training):
    """You take a scaled gradient for an overflow that is beyond float16's largest number, 65504. In bfloat16, float32
    and in layers kept in float32 it is a number like any other: only infinities and NaN count."""

    def is_finite(self, gradient):
        return bool(tf.reduce_all(tf.abs(gradient * self.scale) < 65504))


@misconception
class nan_tested_only(Training):
    """You look for NaN only, and what overflows is infinite first. `tf.math.is_finite` is false for both."""

    def is_finite(self, gradient):
        return not bool(tf.reduce_any(tf.math.is_nan(gradient)))


@misconception
class infinities_tested_only(Training):
    """You look for infinities only, and a gradient can be NaN, where infinities meet. `tf.math.is_finite` is false for
    both."""

    def is_finite(self, gradient):
        return not bool(tf.reduce_any(tf.math.is_inf(gradient)))


@misconception
class skipped_steps_counted_by_the_optimizer(Training):
    """Your optimizer counts the skipped steps too, and learning rate schedules and Adam read its count. Skip the step
    altogether: no call of the optimizer, and `iterations` stays."""

    def apply(self, gradients, taken):
        super().apply(gradients, taken)
        if not taken:
            self.mixed.optimizer.iterations.assign_add(1)


@misconception
class indexed_slices_dropped(Training):
    """You leave out the gradient of an embedding, which comes as `tf.IndexedSlices`. `tf.convert_to_tensor` makes a
    tensor of it."""

    def dense(self, gradient, variable):
        return super().dense(None if isinstance(gradient, tf.IndexedSlices) else gradient, variable)


@misconception
class embeddings_not_unscaled(Training):
    """You do not divide the gradient of an embedding by the scale, which comes as `tf.IndexedSlices`. Divide what
    `tf.convert_to_tensor` makes of it."""

    def dense(self, gradient, variable):
        dense = super().dense(gradient, variable)
        return dense * self.scale if isinstance(gradient, tf.IndexedSlices) else dense


@misconception
class embeddings_not_tested(Training):
    """You do not test the gradients of embeddings, so an overflow there gets into the weights. They come as
    `tf.IndexedSlices`: test their `values`, or what `tf.convert_to_tensor` makes of them."""

    def gradients(self, x, y):
        self.embeddings = [layer for layer in self.layers() if isinstance(layer, keras.layers.Embedding)]
        return super().gradients(x, y)

    def to_be_taken(self, loss, gradients, finite):
        tested = [ok for ok, layer in zip(finite, self.layers(), strict=True) if layer not in self.embeddings]
        return all(tested)


@misconception
class scale_never_changes(Training):
    """Your scale stays what it was. Halve it at an overflow, and double it after `growth_interval` finite steps in a
    row."""

    def rescale(self, finite):
        pass


@misconception
class first_scale_ignored(Training):
    """Your scale begins with 2**15, whatever the strategy says. Begin with `strategy.loss_scale`."""

    def first_scale(self):
        return 2.0**15


@misconception
class first_scale_as_a_whole_number(Training):
    """You make a whole number of `strategy.loss_scale`. It may be 10.5: keep it as it is, with `float` if at all."""

    def first_scale(self):
        return int(self.strategy.loss_scale)


@misconception
class first_scale_as_a_power_of_2(Training):
    """You round `strategy.loss_scale` to a power of 2. Take it as it is."""

    def first_scale(self):
        return 2.0 ** round(math.log2(self.strategy.loss_scale))


@misconception
class half_rounded_down(Training):
    """You halve the scale with `//`, which rounds down: half of 10.5 is 5.25. Divide with `/`."""

    def shrink(self):
        self.scale, self.finite_steps = max(self.scale // 2, 1.0), 0


@misconception
class scale_never_grows(Training):
    """Your scale only falls. After `growth_interval` finite steps in a row double it, or one overflow early on costs
    you small gradients for the rest of the training."""

    def grow(self):
        pass


@misconception
class scale_never_shrinks(Training):
    """You skip the step that overflowed and leave the scale where it was, so that the next one overflows too. Halve
    it."""

    def shrink(self):
        self.finite_steps = 0


@misconception
class scale_begins_with_the_epoch(Training):
    """You go back to the first scale with each epoch. Set it once, before the loop over epochs."""

    def begin_epoch(self):
        self.scale = float(self.strategy.loss_scale)


@misconception
class scale_begins_with_a_demotion(Training):
    """After a demotion you go back to the first scale. The scale goes on as it was."""

    def to_float32(self, layer):
        super().to_float32(layer)
        self.scale = float(self.strategy.loss_scale)


@misconception
class scale_grows_late(Training):
    """Your scale grows a step late: after `growth_interval` finite steps in a row, not after one more. Compare the
    count when the step is counted already."""

    def rescale(self, finite):
        if finite:
            self.finite_steps += 1
            if self.finite_steps > self.strategy.growth_interval:
                self.grow()
        else:
            self.shrink()


@misconception
class scale_grows_on(Training):
    """Once your scale has grown it doubles at every step. When it grows, the count starts again at 0."""

    def rescale(self, finite):
        if finite:
            self.finite_steps += 1
            if self.finite_steps >= self.strategy.growth_interval:
                self.scale *= 2
        else:
            self.shrink()


@misconception
class scale_capped(Training):
    """Your scale stops growing at 2**15. Let it double: where that was too much, an overflow halves it again."""

    def grow(self):
        super().grow()
        self.scale = min(self.scale, 2.0**15)


@misconception
class scale_capped_at_2_to_the_16(Training):
    """Your scale stops growing at 2**16. It may double as far as float32 goes: where that was too much, an overflow
    halves it again."""

    def grow(self):
        super().grow()
        self.scale = min(self.scale, 2.0**16)


@misconception
class scale_capped_at_2_to_the_24(Training):
    """Your scale stops growing at 2**24. It may double as far as float32 goes: an overflow halves it soon enough."""

    def grow(self):
        super().grow()
        self.scale = min(self.scale, 2.0**24)


@misconception
class scale_capped_at_the_first(Training):
    """Your scale never grows beyond `strategy.loss_scale`. That is where it begins: let it double from there, too."""

    def grow(self):
        super().grow()
        self.scale = min(self.scale, float(self.strategy.loss_scale))


@misconception
class scale_quartered(Training):
    """An overflow takes your scale down by more than a half: it falls to a quarter. Halve it."""

    def shrink(self):
        self.scale, self.finite_steps = max(self.scale / 4, 1.0), 0


@misconception
class scale_below_one(Training):
    """Your scale falls below 1, which makes small gradients smaller still. Stop at 1: what overflows there needs more
    range, and a layer that goes to float32 has it."""

    def shrink(self):
        self.scale, self.finite_steps = self.scale / 2, 0


@misconception
class scale_above_one_halved(Training):
    """You halve the scale where it is above 1, and half of 1.5 is 0.75, less than 1: it never gets to 1, where
    overflows begin to count for the layers. It falls to 1: `max(scale / 2, 1.0)`."""

    def shrink(self):
        self.scale, self.finite_steps = self.scale / 2 if self.scale > 1 else self.scale, 0


@misconception
class scale_stuck_above_one(Training):
    """Your scale stays where it is when its half is below 1, at 1.5 for instance, and never gets to 1, where overflows
    begin to count for the layers. It falls to 1: `max(scale / 2, 1.0)`."""

    def shrink(self):
        self.scale, self.finite_steps = self.scale / 2 if self.scale >= 2 else self.scale, 0


@misconception
class scale_for_float16_only(Training):
    """With bfloat16 and float32 you do not scale. Small gradients may not need it there, but the strategy decides:
    begin with its `loss_scale` and adjust it, whatever the format."""

    def begin_epoch(self):
        if self.strategy.compute_dtype != "float16":
            self.scale = 1.0

    def rescale(self, finite):
        if self.strategy.compute_dtype == "float16":
            super().rescale(finite)


@misconception
class first_scale_for_float16_only(Training):
    """With bfloat16 and float32 your scale begins with 1. The strategy decides, whatever the format: begin with its
    `loss_scale`."""

    def first_scale(self):
        return super().first_scale() if self.strategy.compute_dtype == "float16" else 1.0


@misconception
class first_scale_not_for_float32(Training):
    """With float32 your scale begins with 1. The strategy decides, whatever the format: begin with its `loss_scale`."""

    def first_scale(self):
        return super().first_scale() if self.strategy.compute_dtype != "float32" else 1.0


@misconception
class finite_steps_not_in_a_row(Training):
    """You count the finite steps and do not start again when one overflows. The scale grows only after
    `growth_interval` finite steps in a row."""

    def shrink(self):
        self.scale = max(self.scale / 2, 1.0)


@misconception
class count_begins_with_the_epoch(Training):
    """You start the count of finite steps anew with each epoch. With short epochs the scale then never grows: keep
    the count outside of the loop over epochs."""

    def begin_epoch(self):
        self.finite_steps = 0


@misconception
class scale_fixed_by_the_graph(Training):
    """Your tf.function reads the scale from a Python variable, so it keeps the value of the time when it was traced,
    however you change it afterwards. Pass the scale as an argument, a tensor, or keep it in a tf.Variable."""

    def traced(self):
        return self.scale if tf.config.functions_run_eagerly() else self.strategy.loss_scale

    def scaled(self, loss):
        return loss * self.traced()

    def unscaled(self, gradient):
        return gradient / self.traced()


@misconception
class never_demoted(Training):
    """No layer of yours ever goes to float32. Keep a count for each layer, of the steps in a row at scale 1 on which
    its own gradients were not finite; at `demote_after` it goes."""

    def demote(self, names, epoch, step):
        pass


@misconception
class demoted_at_any_scale(Training):
    """You count overflows at any scale. Above 1 they tell of the scale, which then falls; only at scale 1 do they tell
    of the layer."""

    def count(self, finite):
        for name in self.overflows:
            self.overflows[name] = 0 if finite[name] else self.overflows[name] + 1
        return [name for name, count in self.overflows.items() if count >= self.strategy.demote_after]


@misconception
class demoted_at_the_new_scale(Training):
    """You look whether the scale is 1 after you have halved it: a step that overflowed at scale 2 then counts. Ask for
    the scale that the step was taken at."""

    def count(self, finite):
        scale, self.scale = self.scale, self.scale if all(finite.values()) else max(self.scale / 2, 1.0)
        going = super().count(finite)
        self.scale = scale
        return going


@misconception
class overflow_at_one_and_a_half_counted(Training):
    """You count an overflow for a layer at a scale a little above 1, such as 1.5. Only those at a scale of 1 exactly
    count."""

    def is_one(self, scale):
        return int(scale) == 1


@misconception
class demoted_at_first_overflow(Training):
    """You demote a layer at its first overflow at scale 1. That may have been one odd batch: wait for `demote_after`
    in a row."""

    def count(self, finite):
        return [name for name, ok in finite.items() if not ok and self.scale == 1]


@misconception
class demoted_late(Training):
    """Your layers go one overflow too late: at the one with the number `demote_after`, not after one more."""

    def tired(self):
        return [name for name, count in self.overflows.items() if count > self.strategy.demote_after]


@misconception
class demoted_at_the_end_of_the_epoch(Training):
    """You demote layers at the end of the epoch. A layer whose count is full computes in float32 from the next step
    on."""

    due: tuple = ()

    def demote(self, names, epoch, step):
        self.due = dict.fromkeys((*self.due, *names))
        self.at = epoch, step

    def end_epoch(self, losses, skipped):
        super().demote(self.due, *self.at)
        self.due = ()
        super().end_epoch(losses, skipped)


@misconception
class overflows_not_in_a_row(Training):
    """You add up all overflows of a layer. A finite step in between starts the count again."""

    def count(self, finite):
        for name in self.overflows:
            self.overflows[name] += self.scale == 1 and not finite[name]
        return [name for name, count in self.overflows.items() if count >= self.strategy.demote_after]


@misconception
class finite_layer_does_not_restart(Training):
    """Only a step that is finite as a whole starts your counts again. A layer's count goes back to 0 as soon as its own
    gradients are finite, whatever the other layers do."""

    def count(self, finite):
        for name in self.overflows:
            if all(finite.values()):
                self.overflows[name] = 0
            self.overflows[name] += self.scale == 1 and not finite[name]
        return self.tired()


@misconception
class one_count_for_all_layers(Training):
    """You keep one count for the whole network, and demote whoever overflows when it is full. Keep one for each layer,
    of its own overflows in a row."""

    overflowing = 0

    def count(self, finite):
        self.overflowing = self.overflowing + 1 if self.scale == 1 and not all(finite.values()) else 0
        if self.overflowing < self.strategy.demote_after:
            return []
        self.overflowing = 0
        return [name for name, ok in finite.items() if not ok]


@misconception
class one_count_that_goes_on(Training):
    """You count the overflows in a row of the whole network, and a layer goes that overflows when the count is full.
    Keep a count for each layer, of its own overflows in a row."""

    overflowing = 0

    def count(self, finite):
        self.overflowing = self.overflowing + 1 if self.scale == 1 and not all(finite.values()) else 0
        full = self.overflowing >= self.strategy.demote_after
        return [name for name, ok in finite.items() if full and not ok]


@misconception
class counts_restart_at_a_demotion(Training):
    """When a layer goes to float32 you start the counts of all others again. They go on: only the layer's own finite
    gradients, or a step at another scale, start its count again."""

    def to_float32(self, layer):
        super().to_float32(layer)
        self.overflows = dict.fromkeys(self.overflows, 0)


@misconception
class counts_begin_with_the_epoch(Training):
    """You start the counts of the layers anew with each epoch. Overflows in a row go on over the end of an epoch: set
    the counts once, before the loop over epochs."""

    def begin_epoch(self):
        self.overflows = dict.fromkeys(self.overflows, 0)


@misconception
class all_layers_demoted(Training):
    """When one layer overflows you take them all to float32. Test the gradients layer by layer, and only the ones that
    overflow go."""

    def count(self, finite):
        return super().count(dict.fromkeys(finite, all(finite.values())))


@misconception
class others_demoted_along(Training):
    """When a layer goes to float32 you take the others along, and the history does not say so. Only the layers whose
    counts are full get the policy "float32"; the rest keeps its own."""

    def to_float32(self, layer):
        for other in self.half_layers(self.overflows):
            super().to_float32(other)


@misconception
class all_half_layers_demoted(Training):
    """When one layer goes to float32, all layers in half precision go, and your history says so. Only the layers whose
    own counts are full go; the others keep their format."""

    def half_layers(self, names):
        going = super().half_layers(names)
        return super().half_layers(self.overflows) if going else going


@misconception
class one_demotion_a_step(Training):
    """Of the layers whose counts are full you demote one at a step. They all go at once."""

    def half_layers(self, names):
        return super().half_layers(names)[:1]


@misconception
class first_layer_blamed(Training):
    """You demote the first layer in half precision, whichever overflows. Test the gradients layer by layer: the one
    whose own gradients overflow goes."""

    def count(self, finite):
        for layer in self.half_layers(self.overflows)[:1]:
            overflown = self.scale == 1 and not all(finite.values())
            self.overflows[layer.name] = self.overflows[layer.name] + 1 if overflown else 0
        return self.tired()


@misconception
class kernels_tested_only(Training):
    """For the counts you look at one variable of each layer, its kernel for instance, or want all of them to overflow.
    A bias can overflow alone, and so can a kernel: a layer overflows where the gradient by any of its variables
    does."""

    def gradients(self, x, y):
        loss, gradients = super().gradients(x, y)
        self.kernels = [own[0] is None or self.is_finite(own[0]) for own in gradients]
        return loss, gradients

    def count(self, finite):
        return super().count(dict(zip(finite, self.kernels, strict=True)))


@misconception
class float32_layers_demoted(Training):
    """Your history demotes layers that compute in float32 already. Only a layer in half precision can go."""

    gone: tuple = ()

    def half_layers(self, names):
        going = [layer for layer in self.layers() if layer.name in names and layer.name not in self.gone]
        self.gone = (*self.gone, *(layer.name for layer in going))
        return going


@misconception
class demoted_from_float32(Training):
    """With `compute_dtype="float32"` your history demotes layers all the same. They compute in float32 already, and
    only a layer in half precision can go."""

    gone: tuple = ()

    def half_layers(self, names):
        if self.half() != "float32":
            return super().half_layers(names)
        kept = (*self.strategy.keep_float32, self.last(), *self.gone)
        going = [layer for layer in self.layers() if layer.name in names and layer.name not in kept]
        self.gone = (*self.gone, *(layer.name for layer in going))
        return going


@misconception
class demoted_on_paper(Training):
    """Your history says that a layer went to float32, and nothing happened to the layer. Give it the policy "float32",
    or build the copy again with it, and train on with that."""

    gone: tuple = ()

    def half_layers(self, names):
        return [layer for layer in super().half_layers(names) if layer.name not in self.gone]

    def to_float32(self, layer):
        self.gone = (*self.gone, layer.name)


@misconception
class demoted_on_paper_again(Training):
    """Your history says again and again that a layer went to float32, and nothing happened to the layer. Give it the
    policy "float32", or build the copy again with it, and train on with that."""

    def to_float32(self, layer):
        pass


@misconception
class earlier_demotions_forgotten(Training):
    """When the next layer goes to float32, the ones that went before are back in half precision. Collect the names of
    all layers that went, and give them all "float32" when you build the copy again."""

    def demote(self, names, epoch, step):
        going = [layer.name for layer in self.half_layers(names)]
        for entry in self.history["demoted"] if going else ():
            layer = self.mixed.get_layer(entry["layer"])
            layer.dtype_policy = keras.DTypePolicy(self.half())
        super().demote(going, epoch, step)


@misconception
class first_copy_returned(Training):
    """You return the copy that you began with, in which the layers that went to float32 compute in half precision.
    Return the one that you trained last."""

    def result(self):
        for entry in self.history["demoted"]:
            self.mixed.get_layer(entry["layer"]).dtype_policy = keras.DTypePolicy(self.half())
        return super().result()


@misconception
class graph_not_made_again(Training):
    """You change a layer's policy and go on with the tf.function that was traced before, in which the layer still
    computes in half precision. Make a new tf.function after a demotion."""

    late: tuple = ()

    def half_layers(self, names):
        return [layer for layer in super().half_layers(names) if layer not in self.late]

    def to_float32(self, layer):
        self.late = (*self.late, layer)
        if tf.config.functions_run_eagerly():
            super().to_float32(layer)

    def result(self):
        for layer in self.late:
            super().to_float32(layer)
        return super().result()


@misconception
class weights_lost_at_a_demotion(Training):
    """At a demotion you rebuild the network from the model that you were given, with its weights: what was learnt so
    far is gone. Take the weights from the network that you are training."""

    def to_float32(self, layer):
        super().to_float32(layer)
        self.fill()


@misconception
class moving_statistics_lost_at_a_demotion(Training):
    """At a demotion the moving statistics of batch normalization are lost. All weights of the network that you are
    training go over, the ones that are not trainable too: `new.set_weights(old.get_weights())`."""

    def to_float32(self, layer):
        super().to_float32(layer)
        fresh = self.copy()
        for variable, new in zip(self.mixed.non_trainable_variables, fresh.non_trainable_variables, strict=True):
            variable.assign(new)


@misconception
class optimizer_lost_at_a_demotion(Training):
    """At a demotion you begin with a fresh optimizer, so momentum and Adam forget what they knew. Copy its variables
    to the new one."""

    def to_float32(self, layer):
        super().to_float32(layer)
        self.compile()


@misconception
class steps_lost_at_a_demotion(Training):
    """At a demotion your optimizer's count of steps begins again, and learning rate schedules and Adam read it. All
    variables of the optimizer go over, `iterations` too."""

    def to_float32(self, layer):
        super().to_float32(layer)
        self.mixed.optimizer.iterations.assign(0)


@misconception
class scaled_loss_noted(Training):
    """Your history has the scaled loss. Note the loss before it is multiplied."""

    def noted(self, loss, x, y):
        return [float(loss) * self.scale]


@misconception
class regularization_not_noted(Training):
    """Your history has the loss without the regularization of the layers. It is part of the loss: note the number that
    you take the gradients of, before it is scaled."""

    def noted(self, loss, x, y):
        return [float(loss) - float(sum(self.mixed.losses))]


@misconception
class loss_noted_after_the_update(Training):
    """Your history has the loss after the update of the weights. Note the one that you took the gradients of."""

    def noted(self, loss, x, y):
        return [float(self.loss(x, y))]


@misconception
class skipped_losses_noted(Training):
    """Your mean has the losses of skipped steps too, one of which may be infinite or NaN. Take the mean over the steps
    applied."""

    def noted_of_skipped(self, loss):
        return [float(loss)]


@misconception
class skipped_steps_as_zeros(Training):
    """You divide the sum of the losses by all steps, so the skipped ones pull the mean down. Divide by the number of
    steps applied."""

    def noted_of_skipped(self, loss):
        return [0.0]


@misconception
class losses_weighted_by_examples(Training):
    """You weight the losses by the number of examples, as Keras' metrics do. Here each step counts once in the mean,
    however long its batch."""

    def noted(self, loss, x, y):
        return [float(loss)] * len(x)


@misconception
class last_loss_noted(Training):
    """Your history has the loss of the last step of each epoch. Note the mean over its steps."""

    def mean(self, losses):
        return super().mean(losses[-1:])


@misconception
class losses_added_up(Training):
    """Your history has the sum of the losses of an epoch. Divide it by the number of steps applied."""

    def mean(self, losses):
        return float(np.sum(losses)) if losses else math.nan


@misconception
class no_loss_as_zero(Training):
    """You note a loss of 0 for an epoch without an applied step, as if it were perfect. Note NaN."""

    def mean(self, losses):
        return super().mean(losses) if losses else 0.0


@misconception
class loss_left_out(Training):
    """You leave out the loss of an epoch without an applied step, and the losses after it stand for the wrong epochs.
    Note NaN."""

    def end_epoch(self, losses, skipped):
        super().end_epoch(losses, skipped)
        if not losses:
            self.history["loss"].pop()


@misconception
class mean_from_the_beginning(Training):
    """Your mean loss goes on from epoch to epoch. Each epoch has a mean of its own: begin with an empty list, or reset
    the metric."""

    losses: tuple = ()

    def mean(self, losses):
        self.losses = [*self.losses, *losses]
        return super().mean(self.losses)


@misconception
class skipped_steps_added_up(Training):
    """You count the skipped steps from the beginning of the training. Each epoch has a count of its own."""

    def end_epoch(self, losses, skipped):
        super().end_epoch(losses, sum(self.history["skipped_steps"][-1:]) + skipped)


@misconception
class scale_at_the_beginning(Training):
    """Your history has the scale at the beginning of each epoch. Note it at the end."""

    def begin_epoch(self):
        self.at_the_beginning = self.scale

    def end_epoch(self, losses, skipped):
        super().end_epoch(losses, skipped)
        self.history["loss_scale"][-1] = self.at_the_beginning


@misconception
class scale_of_every_step(Training):
    """Your history has the scale of every step. It has one entry an epoch: the scale at its end."""

    def rescale(self, finite):
        super().rescale(finite)
        self.history["loss_scale"].append(self.scale)

    def end_epoch(self, losses, skipped):
        scales = list(self.history["loss_scale"])
        super().end_epoch(losses, skipped)
        self.history["loss_scale"] = scales


@misconception
class counted_from_one(Training):
    """Your history counts epochs and steps from 1. Both begin with 0."""

    def note(self, name, epoch, step):
        super().note(name, epoch + 1, step + 1)


@misconception
class next_step_noted(Training):
    """You note the step from which on the layer computes in float32 (or count the steps from 1). Note the step after
    which it went, the one whose overflow was the last, counted from 0."""

    def note(self, name, epoch, step):
        super().note(name, epoch, step + 1)


@misconception
class steps_counted_over_epochs(Training):
    """You count the steps from the beginning of the training. "step" is the step in its epoch: count from 0 in each."""

    steps = -1

    def demote(self, names, epoch, step):
        self.steps += 1
        super().demote(names, epoch, self.steps)


@misconception
class demoted_in_another_order(Training):
    """Layers that go at the same step stand in another order in your history than in the model. Go through
    `model.layers` from the first to the last."""

    def half_layers(self, names):
        return super().half_layers(names)[::-1]


@misconception
class names_noted_only(Training):
    """Your history has the names of the layers that went. Each entry of "demoted" is a dict with "layer", "epoch" and
    "step"."""

    def note(self, name, epoch, step):
        self.history["demoted"].append(name)


HINTS = (
    "Four pieces, one after the other: a function that builds the copy with the right policies and the weights; one "
    "training step as a `tf.function` with the scale as an argument, which returns the loss and, for each layer, "
    "whether its gradients are finite; the loop, which keeps scale and counts in plain Python; and the demotion.",
    'The copy: `config = model.get_config()`, set `layer["config"]["dtype"]` for each layer of '
    '`config["layers"]` that is no InputLayer, `type(model).from_config(config)`, then `set_weights`. `compile` it '
    "with the loss and a fresh optimizer (`auto_scale_loss=False`) and call `optimizer.build(variables)` before the "
    "`tf.function`. In the step: `compute_loss(x=x, y=y, y_pred=mixed(x, training=True))` times the scale inside the "
    "tape; the gradients that are not None through `tf.convert_to_tensor` and divided by the scale; then "
    "`tf.cond(all_finite, apply, nothing)`.",
    "After each step, in this order. For each layer: count + 1 if its gradients are not finite and the scale of this "
    "step was 1, else 0. Then the scale: finite steps + 1 and doubling at `growth_interval`, or halving (not below 1) "
    "and the count at 0. Then the layers in half precision whose count has reached `demote_after`: note them and add "
    "them to the names in float32. The simplest way on: build the copy again from the one that you train, assign "
    "the old optimizer's variables to the new one's, and make a new `tf.function`.",
)
