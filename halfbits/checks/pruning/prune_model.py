"""prune_model(model, pruning_percentage, structure="connections", train_data=None, epochs=0) -> model: the task."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from halfbits.checks.cases import hold_each
from halfbits.checks.training import Data, adam, as_the_network_asks, nested, sgd
from halfbits.grading.exercise import misconception
from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

# A call builds its network and two or three copies of it, at about a tenth of a second on a busy core.
SECONDS = 60.0


# A network is described by its layers. From that, a network of Keras is built for an answer. The oracle below computes
# from it without Keras, in float64. So do the misconceptions: they are replayed on every wrong answer, and building
# networks is what takes time.

RANDOM = np.random.default_rng(9)


def normal(*shape) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of Keras: its class, its name, its weights, and what else it is made with."""

    kind: str
    name: str
    weights: tuple = ()
    settings: dict = field(default_factory=dict)

    def build(self):
        settings = dict(self.settings)
        if self.kind == "Dense":
            settings["units"] = self.weights[0].shape[-1]
        if self.kind == "Conv2D":
            settings |= {"filters": self.weights[0].shape[-1], "kernel_size": self.weights[0].shape[:2]}
        if self.kind == "DepthwiseConv2D":
            settings["kernel_size"] = self.weights[0].shape[:2]
        if self.kind == "Conv1D":
            settings |= {"filters": self.weights[0].shape[-1], "kernel_size": self.weights[0].shape[:1]}
        if self.kind == "Conv2DTranspose":
            settings |= {"filters": self.weights[0].shape[-2], "kernel_size": self.weights[0].shape[:2]}
        if self.kind == "Embedding":
            settings |= dict(zip(("input_dim", "output_dim"), self.weights[0].shape, strict=True))
        if self.kind in WITH_KERNEL:
            if self.kind != "Embedding":
                settings["use_bias"] = len(self.weights) == 2
            # A copy of it without its weights has zeros then, and not random numbers; and is made faster.
            kernel = {"DepthwiseConv2D": "depthwise", "Embedding": "embeddings"}.get(self.kind, "kernel")
            settings[f"{kernel}_initializer"] = "zeros"
        return getattr(keras.layers, self.kind)(name=self.name, **settings)


#: The layers that are pruned; and those that have a kernel.
PRUNED = ("Dense", "Conv2D")
WITH_KERNEL = (*PRUNED, "DepthwiseConv2D", "Conv1D", "Conv2DTranspose", "Embedding")


def dense(name: str, inputs: int, units: int, bias: float = 0.5, **settings) -> Layer:
    """With a bias of this size, or none."""
    weights = normal(inputs, units), np.float32(bias) * normal(units)
    return Layer("Dense", name, weights if bias else weights[:1], settings)


def convolution(name: str, *shape: int, bias: bool = True, **settings) -> Layer:
    return Layer("Conv2D", name, (normal(*shape) / 2, normal(shape[-1]) / 2)[: 1 + bias], settings)


def norm(name: str, size: int, **settings) -> Layer:
    """Gamma, beta, mean and variance."""
    spread = RANDOM.uniform(0.3, 2, size=size).astype(np.float32)
    return Layer("BatchNormalization", name, (1 + normal(size) / 2, normal(size), normal(size), spread), settings)


def other(kind: str, name: str, **settings) -> Layer:
    return Layer(kind, name, (), settings)


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A network to be built, and what to look at when it has been pruned.

    Attributes:
        shape: of an input.
        layers: in their order, each reading the one before; an Add reads the input of the network as well.
        points: the inputs for which its outputs are compared.
        note: what there is to say of it beside its layers.
        functional: whether it is a functional model.
        optimizer, loss: what it is compiled with, as functions that make them; without, it is not compiled.
        rule: for the oracle, the same optimizer: a function of (state, gradient) that returns what to add to the
            variable and the new state. As fresh, while the network's optimizer has been used before.
        used: whether it has, and not only been made.
        gradient_of_cost: for the oracle, the gradient of the same loss, a function of labels and outputs.
        decay: the L2 penalty on each weight of Dense layers.
        look: at a `Result`.
        culprit: whether a layer of this name must be in the message of an error.
        traced: as for `as_the_network_asks`.
    """

    shape: tuple
    layers: tuple
    points: np.ndarray
    note: str = ""
    functional: bool = False
    optimizer: Callable | None = None
    loss: object = "mse"
    rule: Callable | None = None
    used: bool = True
    gradient_of_cost: Callable | None = None
    decay: float = 0.0
    look: Callable = None
    culprit: bool = False
    traced: bool = False

    def __repr__(self) -> str:
        def size(layer):
            return " " + "×".join(map(str, layer.weights[0].shape)) if layer.kind in WITH_KERNEL else ""

        def text(layer):
            return f"{layer.name}{size(layer)}" if layer.kind in PRUNED else f"{layer.name}: {layer.kind}{size(layer)}"

        kind = "Model" if self.functional else "Sequential"
        return f"{kind}({', '.join(map(text, self.layers))}){self.note}"

    def build(self) -> keras.Model:
        if self.functional:
            first = value = keras.Input(self.shape, name="x")
            for layer in self.layers:
                value = layer.build()([first, value] if layer.kind == "Add" else value)
            model = keras.Model(first, value, name="network")
        else:
            model = keras.Sequential(
                [keras.Input(self.shape), *(layer.build() for layer in self.layers)], name="network"
            )
        model.set_weights([array for layer in self.layers for array in layer.weights])
        if self.optimizer:
            model.compile(self.optimizer(), self.loss)
            if self.used:
                self.use_optimizer(model.optimizer, model.trainable_variables)
        return model

    def use_optimizer(self, optimizer, variables) -> None:
        """Give it the state of one that has been used before."""
        optimizer.build(variables)
        for variable in optimizer.variables[2:]:  # after the step count and the learning rate
            variable.assign(tf.fill(variable.shape, STATE_BEFORE))
        if isinstance(self.rule, Descent) and self.rule.boundaries:
            optimizer.iterations.assign(STEPS_BEFORE)


@dataclass
class Result:
    """What came of a network: the class, name and weights of each layer; its outputs; the options of its layers; what
    happened to the old one."""

    layers: list
    outputs: Callable
    options: Callable
    old: dict


DECIMALS = 3  # far above float32's rounding errors and far below what a wrong weight does


def rounded(values) -> np.ndarray:
    return np.round(np.asarray(values, np.float32), DECIMALS) + np.float32(0)  # no signed zeros


def makeup(result: Result) -> dict:
    """Layers with the shapes of their weights; zeros in the kernels."""
    shapes = [f"{name}: {' '.join([kind, *(str(np.shape(w)) for w in own)])}" for kind, name, own in result.layers]
    kernels = [own[0] for kind, _, own in result.layers if kind in WITH_KERNEL and own]
    return {"layers": shapes, "zeros in the kernels": [int(np.size(k) - np.count_nonzero(k)) for k in kernels]}


def facts(result: Result) -> dict:
    return makeup(result) | {"outputs": rounded(result.outputs())}


def options(result: Result) -> dict:
    return result.options()


def plain(option):
    """An option of a layer as text or numbers."""
    if isinstance(option, keras.regularizers.Regularizer | keras.constraints.Constraint):
        option = keras.saving.serialize_keras_object(option)
    if isinstance(option, dict):
        return f"{option['class_name']}({', '.join(f'{key}={value}' for key, value in option['config'].items())})"
    return tuple(option) if isinstance(option, list) else option


def old(result: Result) -> dict:
    return result.old


UNTOUCHED = {
    "a new model came back": True,
    "the old one's weights are as before": True,
    "steps of its optimizer": 0,
    "it is compiled, and its optimizer built, as before": True,
}


def names_the_layer(result) -> dict:
    return {"raises": "nothing", "names the layer": False}


def _of_keras(network: Network, model: keras.Model, returned: keras.Model) -> Result:
    given = [array for layer in network.layers for array in layer.weights]
    now = [
        (type(layer).__name__ + ("" if layer.trainable else ", frozen"), layer.name, layer.get_weights())
        for layer in returned.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    alone = {
        "a new model came back": returned is not model,
        "the old one's weights are as before": all(map(np.array_equal, model.get_weights(), given)),
        "steps of its optimizer": int(model.optimizer.iterations) if model.compiled else 0,
        "it is compiled, and its optimizer built, as before": (
            model.compiled == bool(network.optimizer) and (not model.compiled or model.optimizer.built == network.used)
        ),
    }

    def options():
        found = {layer.name: layer.get_config() for layer in returned.layers}
        return {
            f"{layer.name}.{option}": plain(found.get(layer.name, {}).get(option))
            for layer in network.layers
            for option in layer.settings
        }

    return Result(now, lambda: returned(network.points, training=False), options, alone)


def kind_of(returned) -> str:
    """What came back in place of a model."""
    name = lambda value: type(value).__name__  # noqa: E731
    found = f"tuple ({', '.join(map(name, returned))})" if isinstance(returned, tuple) else name(returned)
    return f"a {found}, not a Keras model"


def _called(answer, network: Network, *arguments):
    try:
        if getattr(answer, "is_misconception", False):
            result = answer(network, *arguments)
        else:
            model = network.build()
            result = answer(model, *(item.build() if isinstance(item, Data) else item for item in arguments))
            if not isinstance(result, keras.Model):
                return {"returned": kind_of(result)} if result is not None else None
            result = _of_keras(network, model, result)
    except ValueError as error:
        if not network.culprit:
            raise
        return {"raises": "ValueError", "names the layer": "culprit" in str(error)}
    return network.look(result)


@functools.cache
def _remembered(answer, *arguments):
    """What a misconception does, which is the same every time."""
    try:
        return _called(answer, *arguments), None
    except Exception as error:
        return None, error


def use(answer, network: Network, *arguments):
    """Build the network, have it pruned by the answer, and return what is to be compared."""
    if not getattr(answer, "is_misconception", False):
        with as_the_network_asks(network):
            return _called(answer, network, *arguments)
    value, error = _remembered(answer, network, *arguments)
    if error:
        raise error.with_traceback(None)
    return value


# The oracle: the contract in float64, without Keras. The misconceptions are this with one method of their own.


def of_mean_square(y, outputs):
    """The gradient of this loss by the outputs, as below."""
    return 2 * (outputs - y) / outputs.size


def of_cross_entropy(y, logits):
    shares = np.exp(logits) / np.sum(np.exp(logits), axis=1, keepdims=True)
    return (shares - np.eye(logits.shape[1])[y]) / len(y)


@dataclass(frozen=True)
class Descent:
    """Keras's SGD with settings that few use, as a rule for the oracle.

    Attributes:
        rates: of learning, one after the other.
        boundaries: the last step of each of them but the last; one rate needs none.
        clip: the name of a setting, and its value.
        begun: the number of steps before the first.
    """

    rates: tuple
    boundaries: tuple = ()
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    clip: tuple = ("clipvalue", np.inf)
    begun: int = 0

    def build(self):
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay
        rate = schedule(list(self.boundaries), list(self.rates)) if self.boundaries else self.rates[0]
        settings = {"momentum": self.momentum, "nesterov": self.nesterov, self.clip[0]: self.clip[1]}
        return keras.optimizers.SGD(rate, **settings, weight_decay=self.weight_decay or None)

    def rate_at(self, step):
        return self.rates[sum(step > boundary for boundary in self.boundaries)]

    def __call__(self, state, gradient):
        step, velocity = state or (self.begun, 0.0)
        rate = self.rate_at(step)
        velocity = self.momentum * velocity - rate * gradient
        change = self.momentum * velocity - rate * gradient if self.nesterov else velocity
        return change, (step + 1, velocity)

    def lost(self, state):
        """The share of a weight that its decay takes in a step."""
        return self.weight_decay * self.rate_at((state or (self.begun,))[0])

    def clipped(self, gradients: dict) -> dict:
        kind, limit = self.clip
        if kind == "clipvalue":
            return {name: [np.clip(array, -limit, limit) for array in own] for name, own in gradients.items()}
        norms = {name: [np.sum(array**2) for array in own] for name, own in gradients.items()}
        whole = sum(map(sum, norms.values()))
        return {
            name: [
                array * limit / max(np.sqrt(whole if kind == "global_clipnorm" else square), limit)
                for array, square in zip(own, norms[name], strict=True)
            ]
            for name, own in gradients.items()
        }


class Pruning:
    """The task done right; a method for each thing that people do otherwise.

    `weights` has the weights of each layer, by its name.
    """

    LOSES_WEIGHTS = PRUNED
    ALLOWED = (
        *("Dense", "Conv2D", "BatchNormalization", "ReLU", "Activation", "Dropout", "Flatten", "MaxPooling2D"),
        *("AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D"),
    )

    def __init__(self, network, percentage, structure, data, epochs):
        self.network, self.percentage, self.structure = network, percentage, structure
        self.data, self.epochs = data, epochs
        self.weights = {layer.name: [np.asarray(w, np.float64) for w in layer.weights] for layer in network.layers}
        self.masks, self.state, self.old = {}, {}, dict(UNTOUCHED)

    def run(self) -> Result:
        self.check()
        if self.structure == "neurons":
            self.remove()
        if self.epochs:
            self.train()
        elif self.structure == "connections":
            self.drop(self.fraction())
        layers = [(layer.kind, layer.name, self.weights[layer.name]) for layer in self.network.layers]
        return Result(layers, lambda: self.forward(self.network.points), self.options, self.old)

    def options(self):
        return {
            f"{layer.name}.{option}": plain(value)
            for layer in self.network.layers
            for option, value in (layer.settings | self.lost(layer)).items()
        }

    def lost(self, layer) -> dict:
        """Options of a layer that became others."""
        return {}

    def fraction(self):
        return self.percentage / 100

    def check(self):
        self.check_percentage()
        self.check_structure()
        self.check_data()

    def check_percentage(self):
        if not 0 <= self.percentage <= 100:
            raise ValueError("percentage")

    def check_structure(self):
        if self.structure not in ("connections", "neurons"):
            raise ValueError("structure")

    def check_data(self):
        if self.epochs and self.data is None:
            raise ValueError("data")

    # Connections.

    def pruned(self) -> list:
        return [layer for layer in self.network.layers if layer.kind in self.LOSES_WEIGHTS]

    def count(self, sparsity, size):
        return round(sparsity * size)

    def rank(self, weights):
        """What the smallest of is dropped."""
        return abs(weights)

    def mask(self, weights, sparsity):
        mask = np.ones(weights.size)
        mask[np.argsort(self.rank(weights), axis=None, kind="stable")[: self.count(sparsity, weights.size)]] = 0
        return mask.reshape(weights.shape)

    def drop(self, sparsity):
        for layer in self.pruned():
            own = self.weights[layer.name]
            self.masks[layer.name] = self.mask(own[0], sparsity)
            own[0] = own[0] * self.masks[layer.name]

    # Neurons.

    def remove(self):
        self.check_layers()
        kept = self.kept()
        units, stay = 1, [0]
        for layer in self.network.layers:
            own = self.weights[layer.name]
            if layer.kind in PRUNED:
                own[0] = self.without_inputs(layer, own[0], units, stay)
                units, stay = len(layer.weights[0].T), kept.get(layer.name)
                stay = list(range(units)) if stay is None else stay
                self.weights[layer.name] = self.own_units(own, stay)
            elif own:
                self.weights[layer.name] = self.without_statistics(own, units, stay)

    def own_units(self, arrays, stay):
        return [array[..., stay] for array in arrays]

    def rows(self, layer, size, units, stay):
        """Which of so many numbers belong to the units that stay: one in each place, the places after each other."""
        return [place * units + unit for place in range(size // units) for unit in stay]

    def without_inputs(self, layer, kernel, units, stay):
        size = kernel.shape[-2]
        return kernel[..., self.rows(layer, size, units, stay), :]

    def without_statistics(self, arrays, units, stay):
        return [array[self.rows(None, len(array), units, stay)] for array in arrays]

    def check_layers(self):
        seen = False
        for layer in self.network.layers:
            seen |= layer.kind in PRUNED
            if layer.kind not in self.ALLOWED and (seen or layer.kind != "Reshape"):
                if not self.lets_through(layer, seen):
                    raise ValueError(layer.name)
                self.beyond_the_list(layer, seen)
                return

    def lets_through(self, layer, seen):
        """Whether a layer that must be refused is not."""
        return False

    def beyond_the_list(self, layer, seen):
        """What comes of it: an error of Keras, which may have a name in it, or nothing."""
        if seen and self.percentage:
            if layer.kind in ("Add", "Reshape"):
                raise ValueError("shapes")
            if layer.weights:
                raise ValueError(layer.name)
        self.network = replace(self.network, layers=())

    def hidden(self) -> list:
        """Pairs of a layer that loses units and the one that reads them."""
        return list(pairwise(layer for layer in self.network.layers if layer.kind in PRUNED))

    def kept(self) -> dict:
        return {layer.name: self.stay(layer, self.scores(layer, reader)) for layer, reader in self.hidden()}

    def stay(self, layer, scores) -> list:
        gone = self.gone(len(scores))
        if gone == len(scores):
            self.nothing_left(layer)
        return sorted(np.argsort(scores, kind="stable")[gone:].tolist())

    def gone(self, units):
        return round(self.fraction() * units)

    def nothing_left(self, layer):
        raise ValueError(layer.name)

    def scores(self, layer, reader):
        return np.array([self.score(layer, reader, unit) for unit in range(len(layer.weights[0].T))])

    def score(self, layer, reader, unit):
        return np.linalg.norm(self.incoming(layer, unit)) * np.linalg.norm(self.outgoing(layer, reader, unit))

    def incoming(self, layer, unit):
        return np.concatenate([np.ravel(np.asarray(array, np.float64)[..., unit]) for array in layer.weights])

    def outgoing(self, layer, reader, unit):
        units, kernel = len(layer.weights[0].T), np.asarray(reader.weights[0], np.float64)
        return kernel[..., self.rows(reader, kernel.shape[-2], units, [unit]), :].ravel()

    # The pass forward.

    def forward(self, x, training=False):
        return self.passes(x, training)[-1]

    def passes(self, x, training) -> list:
        """The input, and the output of each layer."""
        values = [np.asarray(x, np.float64)]
        for layer in self.network.layers:
            values.append(self.of_layer(layer, values[-1], values[0], training))
        return values

    def of_layer(self, layer, x, first, training):
        own, settings = self.weights[layer.name], layer.settings
        if layer.kind in WITH_KERNEL:
            x = self.product(layer, x, own[0]) + (own[1] if len(own) == 2 else 0.0)
        elif layer.kind == "BatchNormalization":
            gamma, beta = own[:2]
            x = gamma * self.normalized(layer, x, training) + beta
        elif layer.kind == "Add":
            x = x + first
        elif layer.kind == "Reshape":
            x = x.reshape(len(x), *settings["target_shape"])
        elif layer.kind == "Flatten":
            x = x.reshape(len(x), -1)
        elif layer.kind in ("MaxPooling2D", "AveragePooling2D"):
            pool = tf.nn.max_pool2d if layer.kind == "MaxPooling2D" else tf.nn.avg_pool2d
            x = pool(x, 2, 2, "VALID").numpy()
        elif layer.kind in ("GlobalMaxPooling2D", "GlobalAveragePooling2D"):
            x = (np.max if layer.kind == "GlobalMaxPooling2D" else np.mean)(x, (1, 2))
        activation = "relu" if layer.kind == "ReLU" else settings.get("activation")
        return np.maximum(x, 0) if activation == "relu" else np.tanh(x) if activation == "tanh" else x

    def product(self, layer, x, kernel):
        if layer.kind == "Dense":
            return x @ kernel
        convolve = tf.nn.conv2d if layer.kind == "Conv2D" else tf.nn.depthwise_conv2d
        return convolve(x, kernel, [1, 1, 1, 1], "VALID").numpy()

    def normalized(self, layer, x, training):
        own = self.weights[layer.name]
        mean, variance = own[2:]
        if training:
            mean, variance = np.mean(x, axis=0), np.var(x, axis=0)
            own[2:] = [0.99 * old + 0.01 * new for old, new in zip(own[2:], (mean, variance), strict=True)]
        return (x - mean) / np.sqrt(variance + 0.001)

    # The training.

    def train(self):
        batches = self.batches()
        done, steps = 0, self.epochs * len(batches)
        for epoch in range(self.epochs):
            for number, (x, y) in enumerate(batches):
                done += 1
                self.before(done, steps)
                self.step(x, y)
                if self.structure == "connections":
                    self.after(done, steps, epoch, number == len(batches) - 1)

    def batches(self):
        return self.data.batches()

    def before(self, done, steps):
        """Nothing."""

    def after(self, done, steps, epoch, at_the_end):
        self.hold()
        self.drop(self.sparsity_after(done, steps))

    def hold(self):
        for name, mask in self.masks.items():
            self.weights[name][0] = self.weights[name][0] * mask

    def sparsity_after(self, done, steps):
        return self.fraction() * (1 - (1 - done / steps) ** self.power())

    def power(self):
        return 3

    def step(self, x, y):
        values = self.passes(x, self.in_training())
        gradient = self.gradient_of_cost()(y, values[-1])
        gradients = {}
        for layer, x, output in reversed(list(zip(self.network.layers, values[:-1], values[1:], strict=True))):
            own, gradient = self.backward(layer, x, output, gradient)
            gradients[layer.name] = [self.masked(layer, i, array) for i, array in enumerate(own)]
        if isinstance(self.rule(), Descent):
            gradients = self.rule().clipped(gradients)
        for layer in self.network.layers:
            self.move(layer, gradients[layer.name])

    def backward(self, layer, x, output, gradient):
        """The gradients of a layer's weights and of its input; of the networks that are trained, the first may be a
        batch normalization, and the others are Dense."""
        if layer.kind == "BatchNormalization":
            normalized = (output - self.weights[layer.name][1]) / self.weights[layer.name][0]
            return [np.sum(gradient * normalized, axis=0), np.sum(gradient, axis=0)], None
        kernel, bias = self.weights[layer.name]
        gradient = gradient * (1 - output**2) if layer.settings.get("activation") == "tanh" else gradient
        penalty = 2 * self.decay()
        return [x.T @ gradient + penalty * kernel, np.sum(gradient, axis=0) + penalty * bias], gradient @ kernel.T

    def move(self, layer, gradients):
        for i, gradient in enumerate(gradients):
            place = layer.name, i
            if isinstance(self.rule(), Descent):
                self.weights[layer.name][i] = self.weights[layer.name][i] * (
                    1 - self.rule().lost(self.state.get(place))
                )
            change, self.state[place] = self.rule()(self.state.get(place), gradient)
            self.weights[layer.name][i] = self.weights[layer.name][i] + change

    def masked(self, layer, i, gradient):
        return gradient

    def in_training(self):
        return True

    def decay(self):
        return self.network.decay

    def rule(self):
        return self.network.rule or adam(1e-3)

    def gradient_of_cost(self):
        return self.network.gradient_of_cost or of_cross_entropy


@functools.cache
def wanted(network, *arguments) -> dict:
    return network.look(Pruning(network, *with_defaults(*arguments)).run())


def with_defaults(percentage, structure="connections", data=None, epochs=0):
    return percentage, structure, data, epochs


# Numbers are held to the oracle's to this:
CLOSE = {"atol": 2.5 * 10**-DECIMALS}


def hold(answer, *cases):
    """Each case is a network and the arguments after it."""
    hold_each(answer, cases, lambda call: call.equals(wanted(*call.arguments), **CLOSE))


# The networks.

ROWS = np.array([[0.7, -0.6, 1.9], [2.1, 0.3, -0.4], [0.1, 1.2, 0.9], [1.4, -0.2, 0.5]], np.float32)
POINTS = np.array([[0.7, -0.6, 1.9], [1.0, 3.1, -1.7], [0.0, 0.0, 0.0], [-0.3, 0.8, 0.2]], np.float32)
TARGETS = nested(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0], [0.0, -1.0]]))


def unit_scales(layer: Layer, *scales) -> Layer:
    """The same layer with each unit's incoming weights, or gamma, at another scale."""
    first, *others = layer.weights
    return replace(layer, weights=(first * np.float32(scales), *others))


DENSE = Network(
    (3,),
    (
        dense("first", 3, 5, activation="relu"),
        dense("second", 5, 4, activation="relu"),
        # Its weights are the smallest of all: a common threshold for all layers drops most of them.
        unit_scales(dense("out", 4, 2), 0.3, 0.2),
    ),
    POINTS,
    look=facts,
)
EQUAL = Network(
    (3,),
    (Layer("Dense", "out", (np.float32([[0.5, -0.5, 0.5, 0.5]] * 3), np.float32([1, 0, 0, 0]))),),
    POINTS,
    note=", all weights 0.5 or −0.5",
    look=makeup,
)
IMAGES = np.round(RANDOM.uniform(-0.6, 1.7, size=(4, 4, 4, 2)), 2).astype(np.float32)
CONVOLUTION = Network(
    (4, 4, 2),
    (
        convolution("conv", 2, 2, 2, 3),
        norm("norm", 3),
        other("ReLU", "relu"),
        Layer("DepthwiseConv2D", "depth", (normal(2, 2, 3, 1), normal(3))),
        other("Flatten", "flat"),
        dense("out", 12, 2),
    ),
    IMAGES,
    look=facts,
)
SKIP = Network(
    (3,),
    (dense("body", 3, 3, activation="relu"), other("Add", "sum"), dense("out", 3, 2)),
    POINTS,
    functional=True,
    look=facts,
)


def test_one_shot(answer):
    """Connections at once: so many of the smallest weights of each kernel, the last one too, are 0"""
    hold(answer, (DENSE, 50), (DENSE, 12.5, "connections"))


def test_fractions_of_a_percent(answer):
    """The percentage need not be whole: 56.4 is not 56"""
    hold(answer, (CONVOLUTION, 56.4, "connections"), (NEURONS, 8.6, "neurons"))


def test_ends(answer):
    """0 drops nothing, 100 everything but the biases"""
    hold(answer, (DENSE, 0, "connections"), (DENSE, 100.0, "connections"))


def test_ties(answer):
    """The number is exact where magnitudes are equal"""
    hold(answer, (EQUAL, 60, "connections"))


def test_other_layers(answer):
    """Convolutions too; batch normalization, DepthwiseConv2D and a skip connection stay"""
    hold(answer, (CONVOLUTION, 60, "connections"), (SKIP, 60, "connections"))


TABLE = Data(nested(ROWS), TARGETS, 2)
STEPS = Data(nested(np.concatenate([ROWS, ROWS[::-1] * 0.6])), TARGETS * 2, 2)
RATE = 0.12
STATE_BEFORE = 4.0  # of an optimizer that has been used: each number of it
STEPS_BEFORE = 11  # of an optimizer whose learning rate has a schedule
TRAINED = Network(
    (3,),
    (dense("hidden", 3, 4, activation="tanh"), dense("out", 4, 2)),
    POINTS,
    note=f", compiled with SGD({RATE})",
    optimizer=lambda: keras.optimizers.SGD(RATE),
    rule=sgd(RATE),
    gradient_of_cost=of_mean_square,
    look=facts,
)


def test_gradual(answer):
    """Connections with training: after each step the sparsity of the schedule, from 0 at step 0 to the end"""
    hold(answer, (TRAINED, 60, "connections", STEPS, 1), (TRAINED, 60, "connections", TABLE, 3))


def test_one_step(answer):
    """With a single step, all is dropped after it"""
    hold(answer, (TRAINED, 70, "connections", Data(nested(ROWS), TARGETS, 4), 1))


MOMENTUM = replace(
    TRAINED,
    note=f", compiled with SGD({RATE}, momentum=0.9), used",
    optimizer=lambda: keras.optimizers.SGD(RATE, momentum=0.9),
    rule=sgd(RATE, 0.9),
)


def test_held(answer):
    """What is dropped stays 0, with momentum too; the optimizer's state is fresh"""
    traced = replace(MOMENTUM, traced=True)
    hold(answer, (MOMENTUM, 60, "connections", STEPS, 1), (traced, 75, "connections", STEPS, 2))


def with_descent(note: str, rule: Descent) -> Network:
    return replace(TRAINED, note=f", compiled with {note}, used", optimizer=rule.build, rule=rule)


DECAYED = with_descent(
    "SGD(momentum=0.8, nesterov=True, weight_decay=0.7, clipnorm=0.5)",
    Descent((RATE,), momentum=0.8, nesterov=True, weight_decay=0.7, clip=("clipnorm", 0.5)),
)
CLIPPED = with_descent(
    "SGD(a schedule, global_clipnorm=0.9)", Descent((0.2, 0.04, 0.3), (1, 12), clip=("global_clipnorm", 0.9))
)
LIMITED = with_descent("SGD(momentum=0.7, clipvalue=0.3)", Descent((RATE,), momentum=0.7, clip=("clipvalue", 0.3)))


def test_settings_of_the_optimizer(answer):
    """The fresh optimizer has all settings of the model's: nesterov, decay, clipping, the schedule of its rate"""
    hold(
        answer,
        (DECAYED, 60, "connections", STEPS, 1),
        (CLIPPED, 60, "connections", STEPS, 1),
        (LIMITED, 50, "neurons", STEPS, 1),
    )


def test_no_epochs(answer):
    """With 0 epochs nothing trains, though there are data"""
    hold(answer, (TRAINED, 60, "connections", TABLE, 0), (TRAINED, 50, "neurons", TABLE, 0))


# A unit of `first` has a small kernel and a large bias. Scored after units of `first` are gone, other units of `second`
# stay.
NEURONS = Network(
    (3,),
    (
        unit_scales(dense("first", 3, 6, bias=2, activation="relu"), 1.0, 0.02, 1.4, 0.5, 2.0, 0.7),
        unit_scales(dense("second", 6, 5, bias=0, activation="relu"), 0.5, 3.0, 1.0, 1.5, 0.8),
        dense("out", 5, 2),
    ),
    POINTS,
    look=facts,
)


def test_neurons(answer):
    """Neurons: the hidden units with the lowest scores go, the layers get smaller, the last one's units stay"""
    hold(answer, (NEURONS, 50, "neurons"), (NEURONS, 12.5, "neurons"))


PICTURES = np.round(RANDOM.uniform(-0.6, 1.7, size=(4, 6, 6, 2)), 2).astype(np.float32)
CHANNELS = Network(
    (6, 6, 2),
    (
        convolution("first", 2, 2, 2, 4, bias=False),
        # Scores multiplied by this gamma would spare another channel.
        unit_scales(norm("norm", 4), 3.0, 1.0, 1.0, 1.0),
        other("ReLU", "relu"),
        other("MaxPooling2D", "pool"),
        convolution("second", 1, 2, 4, 3),
        other("Flatten", "flat"),
        dense("hidden", 6, 4, activation="tanh"),
        dense("out", 4, 2),
    ),
    PICTURES,
    look=facts,
)
FLAT = Network(
    (32,),
    (
        norm("input_norm", 32),
        other("Reshape", "image", target_shape=(4, 4, 2)),
        convolution("conv", 2, 2, 2, 5),
        other("Activation", "tanh", activation="tanh"),
        other("Dropout", "drop", rate=0.5),
        other("Flatten", "flat"),
        norm("norm", 45),
        dense("out", 45, 3),
    ),
    IMAGES.reshape(4, 32),
    functional=True,
    look=facts,
)
ALL_CONVOLUTIONS = Network(
    (4, 4, 2),
    (
        convolution("first", 1, 1, 2, 4, activation="relu"),
        other("AveragePooling2D", "pool", pool_size=2),
        convolution("last", 2, 2, 4, 3),
        other("GlobalMaxPooling2D", "maximum"),
    ),
    IMAGES,
    look=facts,
)


def array(*rows) -> np.ndarray:
    return np.array(rows, np.float32)


# One unit of two goes. In `first` a bias decides, which counts as a further weight; in `second` a variance would, which
# does not count; in `third` it is a single place of the image, against several.
SCORES = Network(
    (2, 2, 2),
    (
        Layer("Conv2D", "first", (array([1.2, -1.8], [1.6, 2.4])[None, None], array(2.0, 0.1))),
        Layer("Conv2D", "second", (array([1.2, -0.9], [0.9, 1.2])[None, None],), {"activation": "relu"}),
        Layer("BatchNormalization", "norm", (array(0.9, 1.1), array(0.3, -0.2), array(0.1, 0.4), array(0.3, 2.0))),
        Layer("Conv2D", "third", (array([0.8, 0.6], [-0.78, 1.04])[None, None],), {"activation": "tanh"}),
        other("Flatten", "flat"),
        Layer(
            "Dense",
            "out",
            (
                array([0.1, 0], [1.2, -0.5], [0, 0.1], [-0.5, 1.2], [3.2, 0.1], [0.4, 1.2], [0.1, 0], [1.2, 0.6]),
                array(0.5, -0.3),
            ),
        ),
    ),
    IMAGES[:, :2, :2],
    look=facts,
)
EQUAL_UNITS = Network(
    (3,),
    (
        Layer("Dense", "hidden", (array([0.5, -0.5, 0.5, 1], [-0.5, 0.5, 0.5, 1], [0.5] * 3 + [1]), np.zeros(4))),
        Layer("Dense", "out", (array([0.5, 0.5], [0.5, -0.5], [-0.5, -0.5], [0.5, 0.5]),)),
    ),
    POINTS,
    note=", three units of equal scores",
    look=makeup,
)


def test_scores(answer):
    """The score: the bias is a further incoming weight, and the outgoing weights of all places have one norm"""
    hold(answer, (SCORES, 50, "neurons"))


def test_equal_scores(answer):
    """The number is exact where scores are equal"""
    hold(answer, (EQUAL_UNITS, 50, "neurons"))


def test_channels(answer):
    """Channels too, through pooling, batch normalization and Flatten"""
    hold(answer, (CHANNELS, 50, "neurons"))


def test_other_networks(answer):
    """Functional models, a Reshape at the start, batch normalization after Flatten, a convolution at the end"""
    hold(answer, (FLAT, 40, "neurons"), (ALL_CONVOLUTIONS, 50, "neurons"))


def test_fine_tuned(answer):
    """Neurons with training: the smaller network trains, from the weights that stay"""
    hold(answer, (MOMENTUM, 50, "neurons", TABLE, 2))


def compiled(network: Network, rate: float, note: str = "", **settings) -> Network:
    return replace(
        network,
        note=f"{note}, compiled with SGD({rate})",
        optimizer=lambda: keras.optimizers.SGD(rate),
        rule=sgd(rate),
        gradient_of_cost=of_mean_square,
        **settings,
    )


NORMED = compiled(
    Network((3,), (norm("norm", 3), dense("out", 3, 2)), POINTS, look=facts),
    0.03,
)


def test_training_mode(answer):
    """The layers run in training mode while training, and not afterwards"""
    data = Data(nested(4 * ROWS), TARGETS, 2)
    hold(answer, (NORMED, 40, "connections", data, 1))


def half_square(y, prediction):
    return 0.5 * (y - prediction) ** 2


def penalized(layer: Layer, size: float = 0.1) -> Layer:
    penalty = keras.regularizers.L2(size)
    return replace(layer, settings=layer.settings | {"kernel_regularizer": penalty, "bias_regularizer": penalty})


PENALIZED = replace(
    compiled(TRAINED, 0.2, ", an L2 penalty on kernels and biases, a loss function", decay=0.1),
    layers=tuple(map(penalized, TRAINED.layers)),
    loss=half_square,
    gradient_of_cost=lambda y, outputs: of_mean_square(y, outputs) / 2,
)


def test_loss(answer):
    """The loss is the model's, a function too, with the regularization of its layers"""
    hold(answer, (PENALIZED, 30, "connections", TABLE, 1), (PENALIZED, 50, "neurons"))


UNCOMPILED = Network((3,), (dense("out", 3, 2),), 10 * POINTS, note=", not compiled", look=facts)
UNCOMPILED_PENALIZED = replace(
    UNCOMPILED,
    layers=(penalized(UNCOMPILED.layers[0], 2.0),),
    note=", an L2 penalty on kernels and biases, not compiled",
    decay=2.0,
)


def test_uncompiled(answer):
    """A model that is not compiled gets sparse cross-entropy on logits and Adam(1e-3)"""
    data = Data(nested(ROWS[::-1]), (0, 1, 1, 0), 2)
    hold(answer, (UNCOMPILED, 20, "connections", data, 2), (UNCOMPILED_PENALIZED, 20, "connections", data, 2))


def test_tuples(answer):
    """A tuple (x, y) is cut in its order into batches of 32, the last one shorter"""
    x = np.concatenate([ROWS] * 13)[:50] * np.linspace(0.2, 1.4, 50)[:, None]
    hold(answer, (TRAINED, 60, "connections", Data(nested(x), (TARGETS * 13)[:50]), 2))


def test_the_model_is_left_alone(answer):
    """The model given and its optimizer stay as they were"""
    network = compiled(replace(TRAINED, look=old), 0.1)
    unused = replace(network, used=False, note=f"{network.note}, not used")
    plain = replace(UNCOMPILED, look=old)
    cases = [(network, 50, "connections"), (network, 50, "neurons"), (network, 50, "connections", TABLE, 1)]
    cases += [(unused, 50, "neurons", TABLE, 1), (plain, 50, "connections", Data(nested(ROWS), (0, 1, 1, 0), 4), 1)]
    hold_each(answer, cases, lambda call: call.equals(UNTOUCHED))


def test_wrong_arguments(answer):
    """A percentage outside of 0 to 100, another structure, epochs without data: a ValueError"""
    cases = [(DENSE, percentage, "connections") for percentage in (-1, 100.5, float("nan"))]
    cases += [(DENSE, -50, "neurons"), (DENSE, 50, "neuron"), (DENSE, 50, "connections", None, 1)]
    cases += [(NEURONS, 50, "neurons", None, 1)]
    hold_each(answer, cases, lambda call: call.raises(ValueError))


def guilty(network: Network, **changes: Layer) -> Network:
    """The same network in which some layers are others; the one to blame is called `culprit`."""
    layers = tuple(changes.get(layer.name, layer) for layer in network.layers)
    return replace(network, layers=layers, culprit=True, look=names_the_layer)


NAMED = {"raises": "ValueError", "names the layer": True}
FIRST, *_ = ALL_CONVOLUTIONS.layers
EMPTIED = (
    (guilty(NEURONS, second=dense("culprit", 6, 1), out=dense("out", 1, 2)), 60, "neurons"),
    (guilty(ALL_CONVOLUTIONS, first=replace(FIRST, name="culprit")), 100, "neurons"),
)


def test_no_unit_left(answer):
    """A layer that would be left with no unit is a ValueError that names it"""
    for case in EMPTIED:
        answer(*case).equals(NAMED)


NORMALIZATION = Layer("LayerNormalization", "culprit", (np.ones(5, np.float32), np.zeros(5, np.float32)))
REFUSED = (
    guilty(SKIP, sum=other("Add", "culprit")),
    guilty(DENSE, second=NORMALIZATION, out=dense("out", 5, 2)),
    guilty(FLAT, tanh=other("Reshape", "culprit", target_shape=(3, 3, 5))),
    guilty(CONVOLUTION, depth=replace(CONVOLUTION.layers[3], name="culprit")),
)


def around(kind: str, inputs: int, **settings) -> Network:
    """An image, a convolution, this layer, and so many inputs for the last one."""
    layers = (
        convolution("conv", 2, 2, 2, 4),
        other(kind, "culprit", **settings),
        other("Flatten", "flat"),
        dense("out", inputs, 2),
    )
    return Network((4, 4, 2), layers, IMAGES, culprit=True, look=names_the_layer)


def before(shape: tuple, inputs: int, kind: str, *weights: np.ndarray) -> Network:
    """This layer, and then so many inputs for the first of two Dense layers."""
    layers = (
        Layer(kind, "culprit", weights),
        other("Flatten", "flat"),
        dense("first", inputs, 4),
        dense("out", 4, 2),
    )
    return Network(shape, layers, POINTS, culprit=True, look=names_the_layer)


LAST = other("Softmax", "culprit")
REFUSED_TOO = (
    (around("LeakyReLU", 36), 50),
    (around("GaussianNoise", 36, stddev=0.1), 50),
    (around("Permute", 36, dims=(2, 1, 3)), 50),
    (around("ZeroPadding2D", 100), 50),
    (around("UpSampling2D", 144), 50),
    (around("Cropping2D", 4, cropping=1), 50),
    (replace(DENSE, layers=(*DENSE.layers, LAST), culprit=True, look=names_the_layer), 50),
    (REFUSED[0], 0),
    (around("LeakyReLU", 36), 0),
)
REFUSED_BEFORE = (
    guilty(FLAT, input_norm=Layer("LayerNormalization", "culprit", (array(*[1] * 32), array(*[0] * 32)))),
    before((3,), 3, "PReLU", normal(3)),
    before((3,), 6, "Embedding", normal(5, 2)),
    before((4, 2), 6, "Conv1D", normal(2, 2, 2), normal(2)),
    before((2, 2, 2), 18, "Conv2DTranspose", normal(2, 2, 2, 2), normal(2)),
    before((3, 3, 2), 8, "DepthwiseConv2D", normal(2, 2, 2, 1), normal(2)),
)


UNPRUNED = Network(
    (4,),
    (
        Layer("Embedding", "words", (normal(5, 4),)),
        Layer("Conv1D", "rows", (normal(3, 4, 4), normal(4))),
        other("Reshape", "image", target_shape=(2, 2, 2)),
        Layer("Conv2DTranspose", "wide", (normal(2, 2, 3, 2), normal(3))),
        other("Flatten", "flat"),
        dense("out", 27, 2),
    ),
    np.zeros((1, 4)),
    look=makeup,
)


def test_only_dense_and_conv2d(answer):
    """The kernels of Conv1D and Conv2DTranspose stay, and an Embedding"""
    hold(answer, (UNPRUNED, 60, "connections"))


L1, L2 = keras.regularizers.L1, keras.regularizers.L2
WEIGHTED_OPTIONS = {
    "kernel_regularizer": L2(0.1),
    "bias_regularizer": L1(0.2),
    "activity_regularizer": L2(0.3),
    "kernel_constraint": keras.constraints.MaxNorm(2.0),
}
OPTIONS = Network(
    (6, 6, 2),
    (
        convolution("conv", 3, 3, 2, 4, strides=(2, 2), padding="same", activation="elu", **WEIGHTED_OPTIONS),
        norm("norm", 4, momentum=0.8, epsilon=0.01, gamma_regularizer=L2(0.1), beta_regularizer=L1(0.2)),
        other("ReLU", "relu", max_value=6.0, negative_slope=0.1, threshold=0.2),
        other("MaxPooling2D", "maximum", pool_size=(3, 3), strides=(1, 1), padding="same"),
        convolution("wide", 2, 2, 4, 4, dilation_rate=(2, 2), padding="same"),
        other("AveragePooling2D", "mean", pool_size=(3, 2), strides=(2, 1), padding="same"),
        other("Dropout", "drop", rate=0.25),
        other("GlobalAveragePooling2D", "average", keepdims=True),
        other("Flatten", "flat"),
        dense("hidden", 4, 4, activation="elu", **WEIGHTED_OPTIONS),
        dense("out", 4, 2),
    ),
    np.zeros((1, 6, 6, 2)),
    note=" with many options",
    look=options,
)


def test_options(answer):
    """Each layer keeps its options; only the number of units or filters changes"""
    hold(answer, (OPTIONS, 50, "neurons"), (OPTIONS, 50, "connections"))


def test_refused_layers(answer):
    """Neurons: a layer around which units cannot be removed is a ValueError that names it"""
    hold_each(answer, [(network, 50, "neurons") for network in REFUSED], lambda call: call.equals(NAMED))


def test_refused_layers_too(answer):
    """The same for all layers that are not in the list, behind the last Dense too, and where no unit goes"""
    cases = [(network, percentage, "neurons") for network, percentage in REFUSED_TOO]
    hold_each(answer, cases, lambda call: call.equals(NAMED))


def test_refused_before(answer):
    """The same for such a layer before the first Dense or Conv2D"""
    hold_each(answer, [(network, 50, "neurons") for network in REFUSED_BEFORE], lambda call: call.equals(NAMED))


@misconception
def one_threshold_for_all(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You rank the weights of all layers together. Each kernel loses the same fraction of its own weights: a mask for
    each."""

    class Wrong(Pruning):
        def drop(self, sparsity):
            names = [layer.name for layer in self.pruned()]
            flat = np.concatenate([self.weights[name][0].ravel() for name in names])
            parts = np.split(self.mask(flat, sparsity), np.cumsum([self.weights[name][0].size for name in names])[:-1])
            for name, part in zip(names, parts, strict=True):
                self.masks[name] = part.reshape(self.weights[name][0].shape)
                self.weights[name][0] = self.weights[name][0] * self.masks[name]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def last_layer_left(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You left the kernel of the last layer alone. With "connections" it is pruned, too; only with "neurons" does the
    last layer keep what it has."""

    class Wrong(Pruning):
        def pruned(self):
            return super().pruned()[:-1]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def only_dense_layers(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune the kernels of Dense layers only. Those of Conv2D layers are pruned, too."""

    class Wrong(Pruning):
        def pruned(self):
            return [layer for layer in super().pruned() if layer.kind == "Dense"]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def depthwise_too(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune DepthwiseConv2D, too. Go by `isinstance(layer, (Dense, Conv2D))` rather than by who has a kernel."""

    class Wrong(Pruning):
        LOSES_WEIGHTS = (*PRUNED, "DepthwiseConv2D")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def biases_too(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune the biases, too. They are few and matter much: kernels only."""

    class Wrong(Pruning):
        def drop(self, sparsity):
            super().drop(sparsity)
            for layer in self.pruned():
                if len(own := self.weights[layer.name]) == 2:
                    self.masks[layer.name, "bias"] = self.mask(own[1], sparsity)
                    own[1] = own[1] * self.masks[layer.name, "bias"]

        def hold(self):
            for layer in self.pruned():
                own = self.weights[layer.name]
                own[0] = own[0] * self.masks.get(layer.name, 1.0)
                own[1] = own[1] * self.masks.get((layer.name, "bias"), 1.0)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def every_weight_array(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune whatever a layer has, batch normalization too. Only the kernels of Dense and Conv2D layers are
    pruned."""

    class Wrong(Pruning):
        def drop(self, sparsity):
            for own in self.weights.values():
                own[:] = [array * self.mask(array, sparsity) for array in own]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def smallest_numbers(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop the smallest numbers, the large negative ones first. The magnitude counts: `np.abs`."""

    class Wrong(Pruning):
        def rank(self, weights):
            return weights

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def largest_dropped(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop the largest magnitudes. The small ones are those that can be spared."""

    class Wrong(Pruning):
        def rank(self, weights):
            return -abs(weights)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def kept_instead(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You keep as many as should be dropped. `pruning_percentage` says how many go."""

    class Wrong(Pruning):
        def fraction(self):
            return 1 - super().fraction()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def rounded_down(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You round the number of weights down. It is `round(...)`, with Python's round."""

    class Wrong(Pruning):
        def count(self, sparsity, size):
            return int(sparsity * size)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def rounded_up(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You round the number of weights up. It is `round(...)`, with Python's round."""

    class Wrong(Pruning):
        def count(self, sparsity, size):
            return int(np.ceil(sparsity * size - 1e-9))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def ties_all_dropped(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop all weights up to a threshold, so equal magnitudes go together. The number is exact: sort the places
    (`np.argsort`) and take so many."""

    class Wrong(Pruning):
        def mask(self, weights, sparsity):
            count = self.count(sparsity, weights.size)
            return (
                np.float64(abs(weights) > np.sort(abs(weights), axis=None)[count - 1])
                if count
                else np.ones_like(weights)
            )

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def ties_all_kept(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop what lies below a threshold, so of equal magnitudes none goes. The number is exact: sort the places
    (`np.argsort`) and take so many."""

    class Wrong(Pruning):
        def mask(self, weights, sparsity):
            count = self.count(sparsity, weights.size)
            ranked = np.sort(abs(weights), axis=None)
            return np.float64(abs(weights) >= (ranked[count] if count < weights.size else np.inf))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def percent_as_a_fraction(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You take the percentage for a fraction, so that 12.5 drops everything. 50 is half: divide by 100."""

    class Wrong(Pruning):
        def fraction(self):
            return min(self.percentage, 1)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def straight_line(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your sparsity grows evenly. The schedule is that of exercise 2 with power 3: fast at first, then slowly."""

    class Wrong(Pruning):
        def power(self):
            return 1

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def squared(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your schedule has power 2. The contract asks for power 3."""

    class Wrong(Pruning):
        def power(self):
            return 2

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def begins_half_way(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your schedule begins with a sparsity of 0.5. It begins at 0: nothing is dropped before the first step."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            return self.fraction() + (0.5 - self.fraction()) * (1 - done / steps) ** 3

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def at_once_then_trained(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop all the weights before the training. With epochs it is gradual: after step n as many as the schedule
    says."""

    class Wrong(Pruning):
        def before(self, done, steps):
            if done == 1:
                self.drop(self.fraction())

        def after(self, done, steps, epoch, at_the_end):
            self.hold()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def all_after_the_first_step(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """After the first step you have dropped everything. The schedule goes from step 0 to step N: look at what you give
    it as `step` and `end_step`."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            return self.fraction()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def trained_then_at_once(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You train, and drop the weights in the end. So the network cannot make up for what goes: drop after every
    step."""

    class Wrong(Pruning):
        def after(self, done, steps, epoch, at_the_end):
            if done == steps:
                self.drop(self.fraction())

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def schedule_in_each_epoch(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your schedule ends with the first epoch, or begins anew in each. Count the steps through all epochs: N is `epochs
    * len(train_data)`."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            own = steps // self.epochs
            return super().sparsity_after((done - 1) % own + 1, own)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def ends_with_the_first_epoch(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your schedule is through after the first epoch. N is the number of steps in all epochs: `epochs *
    len(train_data)`."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            own = steps // self.epochs
            return super().sparsity_after(min(done, own), own)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def counted_from_zero(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your steps are counted from 0: after the first step you take the sparsity of step 0, and after the last the final
    one has not come. After step n it is that of n, from 1 on."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            return super().sparsity_after(done - 1, steps)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def counted_from_zero_to_the_end(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your steps are counted from 0 to N − 1, and your schedule ends there, so the first step drops nothing. Count from
    1 to N."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            return super().sparsity_after(done - 1, max(steps - 1, 1)) if steps > 1 else self.fraction()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def ends_a_step_early(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your schedule ends a step before the training does. N is the number of all steps: `epochs * len(train_data)`."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            last = max(steps - 1, 1)
            return super().sparsity_after(min(done, last), last)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def half_way_done(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your sparsity reaches its end before the training does. The schedule goes through to the last step, N."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            return super().sparsity_after(min(done, steps / 2), steps / 2)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def once_an_epoch(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop weights at the end of an epoch only. The schedule counts steps: drop after each one."""

    class Wrong(Pruning):
        def after(self, done, steps, epoch, at_the_end):
            self.hold()
            if at_the_end:
                self.drop(self.sparsity_after(done, steps))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def sparsity_by_epoch(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your schedule counts epochs, so that the sparsity stays the same within one. It counts steps."""

    class Wrong(Pruning):
        def after(self, done, steps, epoch, at_the_end):
            self.hold()
            self.drop(self.sparsity_after(epoch + 1, self.epochs))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def dropped_before_the_step(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop weights before a step, with the sparsity that belongs after it. Step first, then drop."""

    class Wrong(Pruning):
        def before(self, done, steps):
            if self.structure == "connections":
                self.drop(self.sparsity_after(done, steps))

        def after(self, done, steps, epoch, at_the_end):
            self.hold()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def not_held_in_the_end(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop weights before each step and not after the last one, which moves them again. Drop after the step."""

    class Wrong(Pruning):
        def before(self, done, steps):
            if self.structure == "connections":
                super().after(done, steps, 0, False)

        def after(self, done, steps, epoch, at_the_end):
            pass

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def dropped_come_back(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You rank the weights as the step has left them, so what was dropped may come back: the step has moved it away
    from 0. Multiply by the old mask first."""

    class Wrong(Pruning):
        def hold(self):
            pass

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def gradient_masked_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You mask the gradient and trust that what is dropped stays. The momentum of earlier steps still moves it: set it
    to 0 after each step."""

    class Wrong(Pruning):
        def masked(self, layer, i, gradient):
            return gradient * self.masks.get(layer.name, 1.0) if i == 0 else gradient

        def hold(self):
            pass

        def drop(self, sparsity):
            for layer in self.pruned():
                own, before = self.weights[layer.name], self.masks.get(layer.name, 1.0)
                mask = self.mask(own[0] * before, sparsity)
                own[0] = np.where(mask < before, 0.0, own[0])
                self.masks[layer.name] = mask

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def trained_weights_lost(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You multiply the first weights by the masks, and what was learnt is lost. Take the kernel as it is after the
    step."""

    class Wrong(Pruning):
        def after(self, done, steps, epoch, at_the_end):
            super().after(done, steps, epoch, at_the_end)
            for layer in self.pruned():
                self.weights[layer.name][0] = layer.weights[0] * self.masks[layer.name]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def masks_of_the_first_weights(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You rank the weights as they were at first. What matters changes while the network trains: rank them as they are
    after the step."""

    class Wrong(Pruning):
        def drop(self, sparsity):
            for layer in self.pruned():
                self.masks[layer.name] = self.mask(np.asarray(layer.weights[0], np.float64), sparsity)
                self.weights[layer.name][0] = self.weights[layer.name][0] * self.masks[layer.name]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def never_trained(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You do not train: `train_data` and `epochs` change nothing."""

    class Wrong(Pruning):
        def train(self):
            if self.structure == "connections":
                self.drop(self.fraction())

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def one_epoch_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You train for one epoch, whatever `epochs` says."""

    class Wrong(Pruning):
        def train(self):
            self.epochs = 1
            super().train()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def neurons_not_trained(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You remove the neurons and do not train. With epochs the smaller network trains like the other one."""

    class Wrong(Pruning):
        def train(self):
            if self.structure == "connections":
                super().train()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def trained_before_removal(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You train the whole network and then remove neurons. The neurons go first, and the smaller network trains."""

    class Wrong(Pruning):
        def remove(self):
            self.check_layers()
            if self.epochs:
                self.train()
                self.epochs = 0
            now = {layer.name: tuple(self.weights[layer.name]) for layer in self.network.layers}
            old, self.network = (
                self.network,
                replace(
                    self.network, layers=tuple(replace(layer, weights=now[layer.name]) for layer in self.network.layers)
                ),
            )
            super().remove()
            self.network = old

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def neurons_by_schedule_too(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """With "neurons" you prune connections as well while it trains. There the units go, and what is left stays
    whole."""

    class Wrong(Pruning):
        def after_neurons(self):
            self.structure = "connections"

        def remove(self):
            super().remove()
            self.after_neurons()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def one_batch(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You train on a whole tuple (x, y) as one batch. It is cut into batches of 32."""

    class Wrong(Pruning):
        def batches(self):
            return [self.data.arrays()] if self.data.size is None else super().batches()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def last_batch_lost(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You leave the last, shorter batch out. It trains, too."""

    class Wrong(Pruning):
        def batches(self):
            return [batch for batch in super().batches() if len(batch[0]) == (self.data.size or 32)]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def steps_of_whole_batches(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You count `len(x) // 32` steps in an epoch. The last batch, which is shorter, is a step too: round up."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            if self.data.size is None:
                steps = self.epochs * (len(self.data.x) // 32)
            return super().sparsity_after(min(done, steps), steps)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def single_examples(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You iterate over a tuple (x, y) example by example, without batches. It is cut into batches of 32."""

    class Wrong(Pruning):
        def batches(self):
            if self.data.size:
                return super().batches()
            return [(x[np.newaxis], y[np.newaxis]) for x, y in zip(*self.data.arrays(), strict=True)]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def always_adam(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You always train with Adam(1e-3). Where the model is compiled, a fresh copy of its own optimizer does it."""

    class Wrong(Pruning):
        def rule(self):
            return adam(1e-3)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def sgd_without_its_settings(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your optimizer has the learning rate of the model's and none of its other settings, such as momentum. Make it
    from `get_config()`."""

    class Wrong(Pruning):
        def rule(self):
            if isinstance(self.network.rule, Descent):
                return Descent((self.network.rule.rate_at(STEPS_BEFORE if self.network.rule.boundaries else 0),))
            rate = -self.network.rule(None, 1.0)[0] if self.network.rule else None
            return sgd(rate) if rate else super().rule()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


def of_a_used_optimizer(network: Network, weights: dict) -> dict:
    """The state that the network's optimizer has, as far as it fits these weights."""
    state, used = STATE_BEFORE, "used" in network.note and "not used" not in network.note
    if isinstance(network.rule, Descent):
        state = STEPS_BEFORE if network.rule.boundaries else 0, STATE_BEFORE
    return {
        (layer.name, i): state
        for layer in network.layers
        for i, array in enumerate(layer.weights)
        if used and array.shape == weights[layer.name][i].shape
    }


@misconception
def used_optimizer(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You train with the model's own optimizer and its old state, and change it. Make a fresh one:
    `type(optimizer).from_config(optimizer.get_config())`."""

    class Wrong(Pruning):
        def train(self):
            self.state = of_a_used_optimizer(self.network, self.weights)
            super().train()
            if self.network.optimizer:
                self.old["steps of its optimizer"] = self.epochs * len(self.batches())
                self.old["it is compiled, and its optimizer built, as before"] = self.network.used

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def state_of_the_old_optimizer(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your optimizer begins with the state of the model's. It is a fresh one: `get_config()` and no variables."""

    class Wrong(Pruning):
        def train(self):
            self.state = of_a_used_optimizer(self.network, self.weights)
            super().train()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def mean_square_always(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You do not look at the loss that the model was compiled with. It is in `model.loss`."""

    class Wrong(Pruning):
        def gradient_of_cost(self):
            return of_mean_square if self.network.gradient_of_cost else of_cross_entropy

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def probabilities_expected(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your default loss takes the outputs for probabilities. They are logits: `from_logits=True`."""

    class Wrong(Pruning):
        def gradient_of_cost(self):
            def of_logarithm(y, outputs):
                clipped, right = np.clip(outputs, 1e-7, 1 - 1e-7), np.eye(outputs.shape[1])[y]
                gradient = 1 / np.sum(clipped, axis=1, keepdims=True) - right / clipped
                return np.where(clipped == outputs, gradient, 0.0) / len(y)

            return self.network.gradient_of_cost or of_logarithm

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def default_rate_of_sgd(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """A model that is not compiled trains with SGD at your hands. The default is Adam(1e-3)."""

    class Wrong(Pruning):
        def rule(self):
            return self.network.rule or sgd(0.01)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def regularization_lost(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your loss lacks the regularization of the layers. Take `model.compute_loss(...)`, or add `sum(model.losses)`."""

    class Wrong(Pruning):
        def decay(self):
            return 0.0

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def inference_mode(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You call the model in inference mode while it trains. Say `training=True`: batch normalization and dropout need
    to know."""

    class Wrong(Pruning):
        def in_training(self):
            return False

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def biases_not_trained(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You train the kernels only. All trainable variables train, the biases too."""

    class Wrong(Pruning):
        def masked(self, layer, i, gradient):
            return gradient if i == 0 and layer.kind in PRUNED else gradient * 0.0

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def pruned_in_place(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune the model that you were given. Work on a copy: `clone_model`, then `set_weights`."""

    class Wrong(Pruning):
        def run(self):
            result = super().run()
            result.old |= {"a new model came back": False, "the old one's weights are as before": False}
            if self.epochs:
                result.old["steps of its optimizer"] = self.epochs * len(self.batches())
                result.old["it is compiled, and its optimizer built, as before"] = bool(
                    self.network.optimizer and self.network.used
                )
            return result

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def structure_ignored(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You never look at `structure`: connections are pruned, whatever it says."""

    class Wrong(Pruning):
        def __init__(self, network, percentage, structure, data, epochs):
            super().__init__(network, percentage, "connections", data, epochs)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def neurons_set_to_zero(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You set the neurons to 0. They have to go, so that the arrays are smaller: make the layers anew with fewer
    units."""

    class Wrong(Pruning):
        def remove(self):
            self.check_layers()
            for (layer, _), stay in zip(self.hidden(), self.kept().values(), strict=True):
                stays = np.isin(np.arange(len(layer.weights[0].T)), stay)
                self.weights[layer.name] = [array * stays for array in self.weights[layer.name]]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def last_units_removed(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You remove units of the last layer, too. Those are the network's outputs: they stay."""

    class Wrong(Pruning):
        def kept(self):
            last = self.pruned()[-1]
            scores = [np.linalg.norm(self.incoming(last, unit)) for unit in range(len(last.weights[0].T))]
            return super().kept() | {last.name: self.stay(last, np.array(scores))}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def channels_left(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You remove units of Dense layers only. The channels of Conv2D layers are units, too."""

    class Wrong(Pruning):
        def hidden(self):
            return [(layer, reader) for layer, reader in super().hidden() if layer.kind == "Dense"]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def first_hidden_layer_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You remove units of the first hidden layer only. All layers but the last Dense or Conv2D lose units."""

    class Wrong(Pruning):
        def kept(self):
            return dict(list(super().kept().items())[:1])

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def highest_scores_removed(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You remove the units of the highest scores. The lowest are those that can be spared."""

    class Wrong(Pruning):
        def scores(self, layer, reader):
            return -super().scores(layer, reader)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def first_units_kept(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You keep the first units, as many as should stay. The scores say which."""

    class Wrong(Pruning):
        def scores(self, layer, reader):
            return -np.arange(len(layer.weights[0].T))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def incoming_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You score by the incoming weights alone. The outgoing weights count as well: the product of both norms."""

    class Wrong(Pruning):
        def outgoing(self, layer, reader, unit):
            return np.ones(1)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def incoming_kernel_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You score by the norm of a unit's kernel alone. The bias stands beside it, and the outgoing weights count as
    well: the product of both norms."""

    class Wrong(Pruning):
        def score(self, layer, reader, unit):
            return np.linalg.norm(layer.weights[0][..., unit])

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def sum_of_the_kernel(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You score by the sum of a unit's incoming magnitudes. That is a known score, and another one: this one is the
    norm of incoming weights and bias times that of the outgoing weights."""

    class Wrong(Pruning):
        def score(self, layer, reader, unit):
            return np.sum(abs(layer.weights[0][..., unit]))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def outgoing_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You score by the outgoing weights alone. The incoming weights and the bias count as well: the product of both
    norms."""

    class Wrong(Pruning):
        def incoming(self, layer, unit):
            return np.ones(1)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def kernel_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your score leaves the bias out. It stands among the incoming weights."""

    class Wrong(Pruning):
        def incoming(self, layer, unit):
            return np.asarray(layer.weights[0], np.float64)[..., unit].ravel()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def sums_of_magnitudes(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You add the magnitudes in your scores. The norm is the root of the sum of squares, as in `neuron_scores`."""

    class Wrong(Pruning):
        def score(self, layer, reader, unit):
            return np.sum(abs(self.incoming(layer, unit))) * np.sum(abs(self.outgoing(layer, reader, unit)))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def gamma_in_the_score(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You multiply the scores by the gamma of a batch normalization. What lies between two layers does not count here:
    the scores are those of `neuron_scores`."""

    class Wrong(Pruning):
        def scores(self, layer, reader):
            scores, layers = super().scores(layer, reader), self.network.layers
            for between in layers[layers.index(layer) : layers.index(reader)]:
                if between.kind == "BatchNormalization" and len(between.weights[0]) == len(scores):
                    scores = scores * abs(between.weights[0])
            return scores

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def norms_added(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You add the two norms in your scores. It is their product, as in `neuron_scores`."""

    class Wrong(Pruning):
        def score(self, layer, reader, unit):
            return np.linalg.norm(self.incoming(layer, unit)) + np.linalg.norm(self.outgoing(layer, reader, unit))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def scored_after_removal(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You score a layer after units of the one before are gone. All scores are of the weights of the model as given."""

    class Wrong(Pruning):
        def kept(self):
            stay, kept = None, {}
            for layer, reader in self.hidden():
                if stay is not None:
                    kernel = self.without_inputs(layer, layer.weights[0], *stay)
                    layer = replace(layer, weights=(kernel, *layer.weights[1:]))
                kept[layer.name] = self.stay(layer, self.scores(layer, reader))
                stay = len(layer.weights[0].T), kept[layer.name]
            return kept

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def ranked_in_all_layers(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You rank the units of all layers together. Each layer loses the same fraction of its own."""

    class Wrong(Pruning):
        def kept(self):
            scored = [(layer, self.scores(layer, reader)) for layer, reader in self.hidden()]
            together = np.concatenate([scores for _, scores in scored])
            stays, at, kept = set(self.stay(None, together)), 0, {}
            for layer, scores in scored:
                own = [unit for unit in range(len(scores)) if at + unit in stays]
                at += len(scores)
                kept[layer.name] = own or self.nothing_left(layer)
            return kept

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def units_rounded_down(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You round the number of units down. It is `round(...)`, with Python's round."""

    class Wrong(Pruning):
        def gone(self, units):
            return int(self.fraction() * units)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def kept_units_rounded_down(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You round the number of units that stay down. So many go: `round(pruning_percentage / 100 * units)`."""

    class Wrong(Pruning):
        def gone(self, units):
            return units - int((1 - self.fraction()) * units + 1e-9)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def as_many_kept(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You keep as many units as should go. `pruning_percentage` says how many go."""

    class Wrong(Pruning):
        def gone(self, units):
            return units - super().gone(units)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def channels_side_by_side(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """After the Flatten you take the numbers of a channel for neighbours. Channels are the last axis before it, so
    those of one place are neighbours: `kernel.reshape(-1, channels, outputs)`."""

    class Wrong(Pruning):
        def rows(self, layer, size, units, stay):
            places = size // units
            return [unit * places + place for unit in stay for place in range(places)]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def channels_side_by_side_in_kernels(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """In the kernel after a Flatten you take the numbers of a channel for neighbours. Channels are the last axis before
    it, so those of one place are neighbours: `kernel.reshape(-1, channels, outputs)`."""

    class Wrong(Pruning):
        def rows(self, layer, size, units, stay):
            if layer is None:
                return super().rows(layer, size, units, stay)
            places = size // units
            return [unit * places + place for unit in stay for place in range(places)]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def batch_norm_of_the_first(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You cut the arrays of a batch normalization to the first ones. They belong to the units that stay: take those."""

    class Wrong(Pruning):
        def without_statistics(self, arrays, units, stay):
            return [array[: len(stay) * len(array) // units] for array in arrays]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def batch_norm_made_anew(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your batch normalization begins anew, with gamma 1 and mean 0. It keeps the numbers of the units that stay, the
    moving mean and variance too."""

    class Wrong(Pruning):
        def without_statistics(self, arrays, units, stay):
            size = len(stay) * len(arrays[0]) // units
            return [np.ones(size), np.zeros(size), np.zeros(size), np.ones(size)]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def batch_norm_not_learnt(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You carry gamma and beta of a batch normalization over, and not its moving mean and variance. It has four
    arrays."""

    class Wrong(Pruning):
        def without_statistics(self, arrays, units, stay):
            gamma, beta, mean, variance = super().without_statistics(arrays, units, stay)
            return [gamma, beta, np.zeros_like(mean), np.ones_like(variance)]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def weights_made_anew(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """The layers of your smaller network begin anew. What stays keeps its weights: set them in the new layers."""

    class Wrong(Pruning):
        def remove(self):
            super().remove()
            self.weights = {name: self.anew(own) for name, own in self.weights.items()}

        def anew(self, own):
            # As the layers of these checks begin; four arrays are those of a batch normalization.
            return [array * 0.0 + (len(own) == 4 and i in (0, 3)) for i, array in enumerate(own)]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def copy_without_weights(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your copy begins anew: `clone_model` makes the layers and not their numbers. Set those of the model,
    `copy.set_weights(model.get_weights())`, before you prune."""

    class Wrong(Pruning):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            if self.structure != "neurons":
                self.weights = {name: self.anew(own) for name, own in self.weights.items()}

        def anew(self, own):
            # As the layers of these checks begin; four arrays are those of a batch normalization.
            return [array * 0.0 + (len(own) == 4 and i in (0, 3)) for i, array in enumerate(own)]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def next_kernel_of_the_first(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You cut the next kernel to its first rows. Those of the units that stay are needed."""

    class Wrong(Pruning):
        def without_inputs(self, layer, kernel, units, stay):
            size = kernel.shape[-2]
            return kernel[..., : size // units * len(stay), :]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def no_limits(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You do not look whether the percentage is from 0 to 100. Anything else, NaN too, is a ValueError."""

    class Wrong(Pruning):
        def check_percentage(self):
            self.percentage = float(np.clip(np.nan_to_num(self.percentage, posinf=100.0), 0, 100))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def nan_slips_through(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """NaN passes your check of the percentage: neither `p < 0` nor `p > 100` is true of it. Ask `not 0 <= p <= 100`."""

    class Wrong(Pruning):
        def check_percentage(self):
            if self.percentage < 0 or self.percentage > 100:
                raise ValueError("percentage")
            self.percentage = np.nan_to_num(self.percentage)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def ends_refused(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You refuse 0 or 100 percent. Both are allowed: with "connections", 100 leaves the biases."""

    class Wrong(Pruning):
        def check_percentage(self):
            if not 0 < self.percentage < 100:
                raise ValueError("percentage")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def any_structure(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """A structure that you do not know is taken for one of the two. Raise ValueError."""

    class Wrong(Pruning):
        def check_structure(self):
            self.structure = "neurons" if self.structure == "neurons" else "connections"

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def else_neurons(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Whatever is not "connections" is "neurons" to you. A structure that is neither is a ValueError."""

    class Wrong(Pruning):
        def check_structure(self):
            self.structure = "connections" if self.structure == "connections" else "neurons"

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def unknown_structure_passed(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """With a structure that is neither you return a copy that is not pruned. Raise ValueError."""

    class Wrong(Pruning):
        def check_structure(self):
            if self.structure not in ("connections", "neurons"):
                self.percentage, self.structure = 0, "connections"

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def data_not_asked_for(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """With epochs and no data you return a model that has not trained. Raise ValueError."""

    class Wrong(Pruning):
        def check_data(self):
            self.epochs = self.epochs if self.data else 0

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def data_always_asked_for(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You ask for data where nothing trains. With 0 epochs there need not be any."""

    class Wrong(Pruning):
        def check_data(self):
            if self.data is None:
                raise ValueError("no data")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def one_unit_stays_anyway(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You leave a layer one unit where all should go. That is a ValueError, with the layer's name."""

    class Wrong(Pruning):
        def stay(self, layer, scores):
            return super().stay(layer, scores) if self.gone(len(scores)) < len(scores) else [int(np.argmax(scores))]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def unnamed_layer(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your errors do not name the layer that they are about. Put the `layer.name` of that one into the message."""

    class Wrong(Pruning):
        def check_layers(self):
            try:
                super().check_layers()
            except ValueError:
                raise ValueError("a layer") from None

        def nothing_left(self, layer):
            raise ValueError("a layer")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def empty_layer_unnamed(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your error for a layer with no unit left does not name the layer that is meant. Put the `layer.name` of that one
    into the message."""

    class Wrong(Pruning):
        def nothing_left(self, layer):
            raise ValueError("a layer")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def refused_layer_unnamed(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your error for a layer around which units cannot go does not name the layer that is meant. Put the `layer.name`
    of that one into the message."""

    class Wrong(Pruning):
        def check_layers(self):
            try:
                super().check_layers()
            except ValueError:
                raise ValueError("a layer") from None

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def any_layer(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You remove units around any layer, and where the shapes do not fit Keras complains. Look at the layers first: one
    that is not in the list, such as a skip connection's Add, is a ValueError with its name."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return True

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def only_sums_refused(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You refuse skip connections and let every other layer pass. Only the layers of the list are allowed, and Reshape
    before the first of them that is pruned."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return layer.kind != "Add"

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def anything_at_first(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You let any layer pass before the first Dense or Conv2D. Only a Reshape is allowed there beside the layers of the
    list."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return not seen

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def reshape_refused(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You refuse a Reshape before the first Dense or Conv2D layer. It is allowed there: no units have gone yet."""

    class Wrong(Pruning):
        def check_layers(self):
            for layer in self.network.layers:
                if layer.kind not in self.ALLOWED:
                    raise ValueError(layer.name)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def reshape_anywhere(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You let a Reshape pass anywhere. Behind a layer that loses units its shape no longer fits: it is allowed before
    the first Dense or Conv2D only."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return layer.kind == "Reshape"

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def every_kernel(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune every kernel, those of Conv1D, Conv2DTranspose, DepthwiseConv2D and Embedding too. Only Dense and
    Conv2D layers lose weights: `isinstance(layer, (Dense, Conv2D))`."""

    class Wrong(Pruning):
        LOSES_WEIGHTS = WITH_KERNEL

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def conv1d_too(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune Conv1D layers, too. Only the kernels of Dense and Conv2D layers lose weights."""

    class Wrong(Pruning):
        LOSES_WEIGHTS = (*PRUNED, "Conv1D")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def transposed_too(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune Conv2DTranspose layers, too. Only the kernels of Dense and Conv2D layers lose weights."""

    class Wrong(Pruning):
        LOSES_WEIGHTS = (*PRUNED, "Conv2DTranspose")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def embedding_too(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune Embedding layers, too. Only the kernels of Dense and Conv2D layers lose weights."""

    class Wrong(Pruning):
        LOSES_WEIGHTS = (*PRUNED, "Embedding")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def other_convolutions_too(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You prune Conv1D and Conv2DTranspose as well, perhaps since you go by their base class or by their names. Of the
    convolutions, only Conv2D layers lose weights."""

    class Wrong(Pruning):
        LOSES_WEIGHTS = (*PRUNED, "Conv1D", "Conv2DTranspose")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def whole_percent(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You cut the percentage to a whole number. 8.6 % is 0.086: divide by 100, and round only the number of weights or
    units."""

    class Wrong(Pruning):
        def fraction(self):
            return int(self.percentage) / 100

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def fraction_rounded(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You round the fraction to two digits. 56.4 % is 0.564: round only the number of weights or units."""

    class Wrong(Pruning):
        def fraction(self):
            return round(self.percentage / 100, 2)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def rounded_half_up(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You round halves of the number of weights up, as `int(x + 0.5)` does. Python's `round` takes the even neighbour:
    2.5 becomes 2."""

    class Wrong(Pruning):
        def count(self, sparsity, size):
            return int(sparsity * size + 0.5)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def units_rounded_half_up(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You round halves of the number of units up, as `int(x + 0.5)` does. Python's `round` takes the even neighbour:
    2.5 becomes 2."""

    class Wrong(Pruning):
        def gone(self, units):
            return int(self.fraction() * units + 0.5)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def rest_rounded(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You round the number of weights that stay. Halves then go the other way: it is `round(sparsity * kernel.size)`
    that are dropped."""

    class Wrong(Pruning):
        def count(self, sparsity, size):
            return size - round((1 - sparsity) * size)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def units_left_rounded(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You round the number of units that stay. Halves then go the other way: it is `round(pruning_percentage / 100 *
    units)` that go."""

    class Wrong(Pruning):
        def gone(self, units):
            return units - round((1 - self.fraction()) * units)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def threshold_of_a_percentile(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop what is not above `np.percentile`. It lies between two magnitudes or on one, so a weight too many goes,
    and at 0 % one as well. The number is exact: sort the places (`np.argsort`) and take so many."""

    class Wrong(Pruning):
        def mask(self, weights, sparsity):
            return np.float64(abs(weights) > np.percentile(abs(weights), 100 * sparsity))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def for_each_unit(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You drop the same share of the weights of each unit. The ranking is over the whole kernel: some units lose
    more."""

    class Wrong(Pruning):
        def mask(self, weights, sparsity):
            columns = weights.reshape(-1, weights.shape[-1])
            masks = [super(Wrong, self).mask(column, sparsity) for column in columns.T]
            return np.stack(masks, axis=-1).reshape(weights.shape)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def late_cube(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your sparsity grows as (n/N)³, slowly at first. It is the rest that shrinks with power 3: `fraction * (1 - (1 - n
    / N) ** 3)`."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            return self.fraction() * (done / steps) ** 3

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def a_step_ahead(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your schedule is a step ahead: after step n you take the sparsity of n + 1. Count the first step as 1."""

    class Wrong(Pruning):
        def sparsity_after(self, done, steps):
            return super().sparsity_after(min(done + 1, steps), steps)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def gradient_masked_and_ranked_anew(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You mask the gradient, and after a step you rank the weights as they are. The momentum of earlier steps has moved
    what was dropped: set that to 0 first, with the old mask."""

    class Wrong(Pruning):
        def masked(self, layer, i, gradient):
            return gradient * self.masks.get(layer.name, 1.0) if i == 0 else gradient

        def hold(self):
            pass

        def drop(self, sparsity):
            for layer in self.pruned():
                own, before = self.weights[layer.name], self.masks.get(layer.name, 1.0)
                mask = self.mask(own[0], sparsity)
                own[0] = own[0] * mask
                self.masks[layer.name] = mask * before

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def trained_without_epochs(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You train for an epoch where `epochs` is 0. Data may be given all the same: with 0 epochs nothing trains."""

    class Wrong(Pruning):
        def __init__(self, network, percentage, structure, data, epochs):
            super().__init__(network, percentage, structure, data, epochs or int(data is not None))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def data_not_asked_for_with_neurons(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """With "neurons", epochs and no data you return a model that has not trained. Raise ValueError there, too."""

    class Wrong(Pruning):
        def check_data(self):
            if self.structure == "connections":
                super().check_data()
            self.epochs = self.epochs if self.data else 0

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def nesterov_lost(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your optimizer has no Nesterov momentum, where the model's has.
    `type(optimizer).from_config(optimizer.get_config())` keeps all of its settings."""

    class Wrong(Pruning):
        def rule(self):
            rule = super().rule()
            return replace(rule, nesterov=False) if isinstance(rule, Descent) else rule

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def weight_decay_lost(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your optimizer has no weight decay, where the model's has. `type(optimizer).from_config(optimizer.get_config())`
    keeps all of its settings."""

    class Wrong(Pruning):
        def rule(self):
            rule = super().rule()
            return replace(rule, weight_decay=0.0) if isinstance(rule, Descent) else rule

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def clipping_lost(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your optimizer does not clip gradients, where the model's does (`clipnorm`, `global_clipnorm`, `clipvalue`).
    `type(optimizer).from_config(optimizer.get_config())` keeps all of its settings."""

    class Wrong(Pruning):
        def rule(self):
            rule = super().rule()
            return replace(rule, clip=Descent.clip) if isinstance(rule, Descent) else rule

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def rate_and_momentum_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your optimizer has the learning rate and the momentum of the model's and none of its other settings. Make it from
    `get_config()`, which has all of them."""

    class Wrong(Pruning):
        def rule(self):
            rule = super().rule()
            return Descent(rule.rates, rule.boundaries, rule.momentum) if isinstance(rule, Descent) else rule

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def learning_rate_frozen(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You copy the learning rate as the number that it is now. Where it is a schedule the copy has one, too, and begins
    at step 0: `get_config()` keeps it."""

    class Wrong(Pruning):
        def rule(self):
            rule = super().rule()
            return (
                replace(rule, rates=(rule.rate_at(STEPS_BEFORE),), boundaries=()) if isinstance(rule, Descent) else rule
            )

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def steps_counted_on(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your optimizer goes on counting where the model's stood, so a schedule of its learning rate begins late. Make a
    fresh one."""

    class Wrong(Pruning):
        def rule(self):
            rule = super().rule()
            return replace(rule, begun=STEPS_BEFORE if rule.boundaries else 0) if isinstance(rule, Descent) else rule

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def given_optimizer_built(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You build the optimizer of the model that you were given, which has not been used before. It stays as it was:
    build your own."""

    class Wrong(Pruning):
        def train(self):
            super().train()
            if self.network.optimizer:
                self.old["it is compiled, and its optimizer built, as before"] = self.network.used

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def model_compiled_for_you(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You compile the model that you were given. It stays as it was: compile your copy."""

    class Wrong(Pruning):
        def train(self):
            super().train()
            if not self.network.optimizer:
                self.old["it is compiled, and its optimizer built, as before"] = False

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def regularized_only_if_compiled(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your loss for a model that is not compiled lacks the regularization of its layers. That comes to either loss: add
    `sum(model.losses)`."""

    class Wrong(Pruning):
        def decay(self):
            return super().decay() if self.network.optimizer else 0.0

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def regularized_twice(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your loss has the regularization of the layers twice. `compute_loss` has it already: do not add
    `model.losses`."""

    class Wrong(Pruning):
        def decay(self):
            return 2 * super().decay()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def bias_beside_the_norm(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You add the magnitude of the bias to the norm of the kernel. The bias is one more incoming weight: its square
    goes under the same root."""

    class Wrong(Pruning):
        def score(self, layer, reader, unit):
            kernel, *bias = self.incoming_arrays(layer, unit)
            norm = np.linalg.norm(kernel.ravel()) + sum(map(abs, bias))
            return norm * np.linalg.norm(self.outgoing(layer, reader, unit))

        def incoming_arrays(self, layer, unit):
            return [np.asarray(array, np.float64)[..., unit] for array in layer.weights]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def norms_of_places_added(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You take the norm of the outgoing weights at each place, and add the norms. All places together have one norm:
    the squares of all go under one root."""

    class Wrong(Pruning):
        def score(self, layer, reader, unit):
            places = self.outgoing(layer, reader, unit).reshape(-1, reader.weights[0].shape[-1])
            return np.linalg.norm(self.incoming(layer, unit)) * np.sum(np.linalg.norm(places, axis=1))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def outgoing_added_over_places(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You add the outgoing weights of all places before you take their norm, and some cancel. The squares of all go
    under one root."""

    class Wrong(Pruning):
        def outgoing(self, layer, reader, unit):
            places = super().outgoing(layer, reader, unit).reshape(-1, reader.weights[0].shape[-1])
            return np.sum(places, axis=0)

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def strongest_place(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You score by the place with the largest outgoing weights. All places of the window or of the image count: the
    squares of all go under one root."""

    class Wrong(Pruning):
        def outgoing(self, layer, reader, unit):
            places = super().outgoing(layer, reader, unit).reshape(-1, reader.weights[0].shape[-1])
            return places[np.argmax(np.linalg.norm(places, axis=1))]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def first_place_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You score by the outgoing weights at the first place. A channel is read at all places of the window or of the
    image: the squares of all go under one root."""

    class Wrong(Pruning):
        def outgoing(self, layer, reader, unit):
            return super().outgoing(layer, reader, unit)[: reader.weights[0].shape[-1]]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def outgoing_magnitudes_added(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You add the magnitudes of the outgoing weights in your scores. Take their norm, as for the incoming ones."""

    class Wrong(Pruning):
        def score(self, layer, reader, unit):
            return np.linalg.norm(self.incoming(layer, unit)) * np.sum(abs(self.outgoing(layer, reader, unit)))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def incoming_magnitudes_added(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You add the magnitudes of the incoming weights in your scores. Take their norm, as for the outgoing ones."""

    class Wrong(Pruning):
        def score(self, layer, reader, unit):
            return np.sum(abs(self.incoming(layer, unit))) * np.linalg.norm(self.outgoing(layer, reader, unit))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def variance_in_the_score(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You divide the scores by the deviation of a batch normalization, as if it were folded. What lies between two
    layers does not count: the scores are of the weights as given."""

    class Wrong(Pruning):
        def scores(self, layer, reader):
            scores, layers = super().scores(layer, reader), self.network.layers
            for between in layers[layers.index(layer) : layers.index(reader)]:
                if between.kind == "BatchNormalization" and len(between.weights[0]) == len(scores):
                    scores = scores / np.sqrt(between.weights[3] + 0.001)
            return scores

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def norm_folded_into_the_score(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You fold a batch normalization into the scores, gamma / deviation. What lies between two layers does not count:
    the scores are of the weights as given."""

    class Wrong(Pruning):
        def scores(self, layer, reader):
            scores, layers = super().scores(layer, reader), self.network.layers
            for between in layers[layers.index(layer) : layers.index(reader)]:
                if between.kind == "BatchNormalization" and len(between.weights[0]) == len(scores):
                    scores = scores * abs(between.weights[0]) / np.sqrt(between.weights[3] + 0.001)
            return scores

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def equal_scores_all_kept(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You remove the units below a threshold, so of equal scores none goes. The number is exact: sort the units
    (`np.argsort`) and take so many."""

    class Wrong(Pruning):
        def stay(self, layer, scores):
            super().stay(layer, scores)
            least = np.sort(scores)[min(self.gone(len(scores)), len(scores) - 1)]
            return np.flatnonzero(scores >= least).tolist()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def equal_scores_all_dropped(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You remove the units up to a threshold, so units of equal scores go together. The number is exact: sort the units
    (`np.argsort`) and take so many."""

    class Wrong(Pruning):
        def stay(self, layer, scores):
            super().stay(layer, scores)
            gone = self.gone(len(scores))
            return np.flatnonzero(scores > (np.sort(scores)[gone - 1] if gone else -1)).tolist()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def scores_of_channels_side_by_side(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """In the scores you take the numbers of a channel for neighbours after a Flatten. Channels are the last axis before
    it: `kernel.reshape(-1, channels, outputs)` has the channel on axis 1."""

    class Wrong(Pruning):
        def outgoing(self, layer, reader, unit):
            kernel = np.asarray(reader.weights[0], np.float64)
            if reader.kind != "Dense":
                return super().outgoing(layer, reader, unit)
            return kernel.reshape(len(layer.weights[0].T), -1)[unit]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def channels_side_by_side_where_cut(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Where you cut the kernel after a Flatten you take the numbers of a channel for neighbours. Channels are the last
    axis before it: `kernel.reshape(-1, channels, outputs)[:, stay]`."""

    class Wrong(Pruning):
        def without_inputs(self, layer, kernel, units, stay):
            if layer.kind != "Dense":
                return super().without_inputs(layer, kernel, units, stay)
            places = len(kernel) // units
            return kernel[[unit * places + place for unit in stay for place in range(places)]]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def channels_side_by_side_in_norms(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """In a batch normalization after a Flatten you take the numbers of a channel for neighbours. Channels are the last
    axis before it: `array.reshape(-1, channels)[:, stay]`."""

    class Wrong(Pruning):
        def rows(self, layer, size, units, stay):
            if layer is not None:
                return super().rows(layer, size, units, stay)
            places = size // units
            return [unit * places + place for unit in stay for place in range(places)]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def batch_norm_of_the_first_channels(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You cut a batch normalization to the first channels of each place. It keeps those of the units that stay."""

    class Wrong(Pruning):
        def without_statistics(self, arrays, units, stay):
            return super().without_statistics(arrays, units, list(range(len(stay))))

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def biases_of_the_first(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You cut the bias to its first numbers. It keeps those of the units that stay, as the kernel does."""

    class Wrong(Pruning):
        def own_units(self, arrays, stay):
            return [arrays[0][..., stay], *(bias[: len(stay)] for bias in arrays[1:])]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def dense_from_a_few_arguments(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You make the smaller Dense layers from a few arguments, and the others are lost, such as the regularizers. Change
    the number of units in `layer.get_config()`, and take `type(layer).from_config`."""

    class Wrong(Pruning):
        def lost(self, layer):
            if self.structure == "neurons" and layer.kind == "Dense":
                return {option: None for option in WEIGHTED_OPTIONS if option in layer.settings}
            return {}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def convolutions_from_a_few_arguments(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You make the smaller Conv2D layers from a few arguments, and the others are lost, such as the regularizers and
    `dilation_rate`. Change the number of filters in `layer.get_config()`, and take `type(layer).from_config`."""

    class Wrong(Pruning):
        def lost(self, layer):
            if self.structure == "neurons" and layer.kind == "Conv2D":
                return {
                    option: (1, 1) if option == "dilation_rate" else None
                    for option in layer.settings
                    if option in (*WEIGHTED_OPTIONS, "dilation_rate")
                }
            return {}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def both_from_a_few_arguments(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You make smaller Dense and Conv2D layers from a few arguments, and the others are lost, such as the regularizers
    and `dilation_rate`. Change one number in `layer.get_config()`, and take `type(layer).from_config`."""

    class Wrong(Pruning):
        def lost(self, layer):
            if self.structure == "neurons" and layer.kind in PRUNED:
                return {
                    option: (1, 1) if option == "dilation_rate" else None
                    for option in layer.settings
                    if option in (*WEIGHTED_OPTIONS, "dilation_rate")
                }
            return {}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def strides_and_padding_lost(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your smaller Conv2D layers have no strides and no padding any more. Change the number of filters in
    `layer.get_config()`, and take `type(layer).from_config`: that keeps the options."""

    class Wrong(Pruning):
        def lost(self, layer):
            if self.structure == "neurons" and layer.kind == "Conv2D":
                return {
                    option: {"padding": "valid", "strides": (1, 1), "dilation_rate": (1, 1)}.get(option)
                    for option in layer.settings
                    if option != "activation"
                }
            return {}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def norms_without_their_options(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your smaller batch normalizations have the default options, and not their own momentum, epsilon and regularizers.
    Take `type(layer).from_config(layer.get_config())`."""

    class Wrong(Pruning):
        def lost(self, layer):
            if self.structure == "neurons" and layer.kind == "BatchNormalization" and layer.settings:
                return {"momentum": 0.99, "epsilon": 0.001, "gamma_regularizer": None, "beta_regularizer": None}
            return {}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def norms_with_epsilon_only(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your smaller batch normalizations keep epsilon and lose their momentum and regularizers. Take
    `type(layer).from_config(layer.get_config())`."""

    class Wrong(Pruning):
        def lost(self, layer):
            if self.structure == "neurons" and layer.kind == "BatchNormalization" and layer.settings:
                return {"momentum": 0.99, "gamma_regularizer": None, "beta_regularizer": None}
            return {}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def regularizers_lost(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """The layers of your smaller network have lost their regularizers. Take `type(layer).from_config` with all of
    `layer.get_config()` but the number of units."""

    class Wrong(Pruning):
        def lost(self, layer):
            if self.structure == "neurons" and layer.settings:
                return {option: None for option in layer.settings if option.endswith("_regularizer")}
            return {}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def pools_of_the_default_kind(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your pooling layers step by their own size, without padding. They keep their `strides` and `padding`: take
    `type(layer).from_config(layer.get_config())`."""

    class Wrong(Pruning):
        def lost(self, layer):
            if self.structure == "neurons" and {"pool_size", "strides"} <= set(layer.settings):
                return {"strides": layer.settings["pool_size"], "padding": "valid"}
            return {}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def relu_of_the_default_kind(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """Your ReLU layers have lost `max_value`, `negative_slope` and `threshold`. Take
    `type(layer).from_config(layer.get_config())`."""

    class Wrong(Pruning):
        def lost(self, layer):
            if self.structure == "neurons" and layer.kind == "ReLU" and layer.settings:
                return {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}
            return {}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def add_let_through(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You let a skip connection's Add pass. Both of its inputs would have to lose the same units: it is not in the
    list, and a ValueError with its name."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return layer.kind == "Add"

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def weightless_let_through(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You let all layers without weights pass. They may add or move what the units give: only those in the list are
    allowed, and the check looks at each layer."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return not layer.weights

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def layer_normalization_let_through(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You let LayerNormalization pass. It mixes the units, so that those which stay would not be as before: it is not
    in the list."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return layer.kind == "LayerNormalization"

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def other_activations_let_through(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You let other activation layers pass, such as LeakyReLU, PReLU or Softmax. ReLU and Activation are in the list,
    those are not."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return layer.kind in ("LeakyReLU", "PReLU", "Softmax")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def moved_pixels_let_through(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You let layers pass that move pixels, such as Permute, ZeroPadding2D, UpSampling2D or Cropping2D. They are not in
    the list."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return layer.kind in ("Permute", "ZeroPadding2D", "UpSampling2D", "Cropping2D")

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def noise_let_through(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You let GaussianNoise pass. Dropout is in the list, other layers for training only are not."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return layer.kind == "GaussianNoise"

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def other_kernels_let_through(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You let other layers with a kernel pass, such as Conv1D, Conv2DTranspose, DepthwiseConv2D or Embedding. They are
    not in the list, not even before the first Dense or Conv2D."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return layer.kind in WITH_KERNEL

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def nothing_refused_behind_the_last(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You do not look at the layers behind the last Dense or Conv2D. All layers of the model have to be in the list."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return self.network.layers.index(layer) > self.network.layers.index(self.pruned()[-1])

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def refused_only_where_units_go(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You refuse layers only where units go. Refuse them whatever the percentage is: look at all layers first."""

    class Wrong(Pruning):
        def lets_through(self, layer, seen):
            return not any(self.gone(len(hidden.weights[0].T)) for hidden, _ in self.hidden())

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def old_mask_on_the_new_one(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You rank the weights as the step has left them, with those that it moved away from 0, and multiply the new mask
    by the old one. So more are dropped than the schedule says: multiply the weights by the old mask first, then
    rank."""

    class Wrong(Pruning):
        def hold(self):
            pass

        def drop(self, sparsity):
            for layer in self.pruned():
                own = self.weights[layer.name]
                self.masks[layer.name] = self.mask(own[0], sparsity) * self.masks.get(layer.name, 1.0)
                own[0] = own[0] * self.masks[layer.name]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def own_optimizer(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You train with the model's own optimizer, which knows only the model's variables and not those of your copy. Make
    a fresh one: `type(optimizer).from_config(optimizer.get_config())`."""

    class Wrong(Pruning):
        def train(self):
            if self.network.optimizer and self.network.used:
                layer = next(layer for layer in self.network.layers if layer.weights)
                path = f"{layer.name}/{'kernel' if layer.kind in PRUNED else 'gamma'}"
                path = path if self.structure == "connections" else f"network/{path}"
                array = self.weights[layer.name][0].astype(np.float32)
                value = "" if self.network.traced else f", value={array}"
                variable = f"<Variable path={path}, shape={array.shape}, dtype=float32{value}>"
                raise ValueError(  # Keras says it
                    f"Unknown variable: {variable}. This optimizer can only "
                    "be called for the variables it was originally built with. When working with a new set of "
                    "variables, you should recreate a new optimizer instance."
                )
            super().train()
            if self.network.optimizer:
                self.old["steps of its optimizer"] = self.epochs * len(self.batches())
                self.old["it is compiled, and its optimizer built, as before"] = False

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def always_cross_entropy(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You always train with sparse cross-entropy. Where the model is compiled, its own loss does it: `model.loss`."""

    class Wrong(Pruning):
        def train(self):
            if self.network.optimizer:
                size = None if self.network.traced and self.data.size else len(self.batches()[0][0])
                shape = size, len(self.network.layers[-1].weights[0].T)
                raise ValueError(  # Keras says it
                    "Argument `output` must have rank (ndim) `target.ndim - 1`. "
                    f"Received: target.shape={shape}, output.shape={shape}"
                )
            super().train()

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def activations_lost(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You make the smaller Dense and Conv2D layers without their activation and other options. Change the number of
    units or filters in `layer.get_config()`, and take `type(layer).from_config`."""

    class Wrong(Pruning):
        def of_layer(self, layer, x, first, training):
            if layer.kind in PRUNED and self.structure == "neurons":
                layer = replace(layer, settings={})
            return super().of_layer(layer, x, first, training)

        def backward(self, layer, x, output, gradient):
            layer = replace(layer, settings={}) if self.structure == "neurons" else layer
            return super().backward(layer, x, output, gradient)

        def decay(self):
            return 0.0 if self.structure == "neurons" else super().decay()

        def lost(self, layer):
            if self.structure != "neurons" or layer.kind not in PRUNED:
                return {}
            defaults = {"activation": "linear", "padding": "valid", "strides": (1, 1), "dilation_rate": (1, 1)}
            return {option: defaults.get(option) for option in layer.settings}

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def convolutions_at_the_flatten_left(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You leave a convolution before a Flatten as it was. It loses channels, too: each of them is read at all places by
    the Dense layer."""

    class Wrong(Pruning):
        def hidden(self):
            return [pair for pair in super().hidden() if [layer.kind for layer in pair] != ["Conv2D", "Dense"]]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


@misconception
def last_hidden_layer_left(model, pruning_percentage, structure="connections", train_data=None, epochs=0):
    """You remove no units of the layer before the last one. All layers but the last Dense or Conv2D lose units."""

    class Wrong(Pruning):
        def hidden(self):
            return super().hidden()[:-1]

    return Wrong(model, pruning_percentage, structure, train_data, epochs).run()


HINTS = (
    "Three pieces: a copy of the model, a rule for what goes, and a training loop. Begin with the copy and "
    '"connections" without training: for each Dense and Conv2D layer a mask, and the masked kernel assigned. '
    'The loop then does the same after each step, with the sparsity of the schedule. For "neurons" find out first, '
    "on paper, which numbers of which arrays belong to a unit.",
    "The loop: count the steps from 1 through all epochs; after a step take the kernel times the old mask, make a new "
    "one from that by `polynomial_sparsity(n, 0, N, 0.0, percentage / 100)`, and assign the kernel times the new one. "
    "Neurons: go through pairs of consecutive Dense and Conv2D layers. With `units = kernel.shape[-1]`, the incoming "
    "weights are `kernel.reshape(-1, units)`, the outgoing ones `next_kernel.reshape(-1, units, outputs)` with the "
    "unit on axis 1, and `neuron_scores` says which stay.",
    "Then go through all layers in order and remember the units of the last Dense or Conv2D and which of them stay. A "
    "kernel loses inputs by `kernel.reshape(-1, units, outputs)[:, stay].reshape(*kernel.shape[:-2], -1, outputs)`, "
    "then its own units on the last axis, as its bias does; each array of a batch normalization by "
    "`array.reshape(-1, units)[:, stay].reshape(-1)`. Make the smaller network with `clone_model(source, "
    'clone_function=f)`, where `f` puts the number of units into the config as `"units"` or `"filters"`, and set the '
    "weights layer by layer.",
)
