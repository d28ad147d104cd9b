"""For the checks of the tasks, in which an answer trains a Keras model: what a call is made of, and how it is made.

An answer's arguments are (model, strategy, data, epochs). Networks are built afresh for each call, so a check's calls
have a `Network`, a strategy, a `Data` and a number in their place, which only say how. A call returns the facts of its
outcome that are to be compared, as plain values.
"""

from __future__ import annotations

import contextlib
import functools
import random
import weakref
from collections.abc import Callable, Hashable, Iterator
from dataclasses import MISSING, dataclass, fields, replace

import numpy as np

from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402


@dataclass(frozen=True, repr=False)
class Network:
    """A way to build a network, and what to look at when it has been trained; shown as `text`.

    Most networks see a few steps only, for which tracing a tf.function takes far longer than running it eagerly does;
    `traced` is for the calls in which a graph can go wrong, or go right where eager steps do not: where Python values
    change that it was traced with, and where gradients are no tensors.
    """

    text: str
    build: Callable
    look: Callable
    traced: bool = False

    def __repr__(self) -> str:
        return self.text


def batches_of(arrays, size: int) -> list[tuple]:
    return [tuple(array[i : i + size] for array in arrays) for i in range(0, len(arrays[0]), size)]


def nested(array) -> tuple:
    """An array as tuples, which can be hashed."""
    return tuple(map(nested, array)) if np.ndim(array) else float(array)


@dataclass(frozen=True, repr=False)
class Data:
    """Examples, as nested tuples: batches of `size` of them in a tf.data.Dataset, or with no size a tuple (x, y)."""

    x: tuple
    y: tuple
    size: int | None = None
    note: str = ""

    def build(self) -> tf.data.Dataset | tuple:
        return tf.data.Dataset.from_tensor_slices(self.arrays()).batch(self.size) if self.size else self.arrays()

    def arrays(self) -> tuple:
        x, y = np.array(self.x, np.float32), np.array(self.y)
        return x, y.astype(np.float32) if y.dtype == float else y

    def batches(self) -> list[tuple]:
        """What comes out, as arrays."""
        return batches_of(self.arrays(), self.size or 32)

    def __repr__(self) -> str:
        if self.size is None:
            return f"(x, y) of {len(self.x)} examples"
        count = len(self.batches())
        return f"<Dataset of {count} {'batch' if count == 1 else 'batches'} of {self.size}{self.note}>"


class Remade:
    """A model that is made once, and as it was then each time it is asked for: to build one takes Keras 30 ms.

    Its variables, those of its optimizer too, get the values again that they had; where something else has changed, it
    is made anew. What is drawn from `random` afterwards, as Keras does for fresh weights, is drawn each time again.

    Args:
        make: makes it.
        compiled: whether it comes compiled or not as it was made; if False, who asks for it compiles it.
    """

    def __init__(self, make: Callable[[], keras.Model], compiled: bool = True):
        self.make, self.compiled, self.model = make, compiled, None

    def __call__(self) -> keras.Model:
        if self.model is None or self._facts() != self.facts:
            self.model = self.make()
            self.facts, self.drawn = self._facts(), random.getstate()
            self.values = [(variable.value, variable.numpy()) for variable in self._variables()]
        random.setstate(self.drawn)
        for variable, value in self.values:
            variable.assign(value)
        return self.model

    def _optimizer(self) -> keras.Optimizer | None:
        return getattr(self.model, "optimizer", None) if self.compiled else None

    def _variables(self) -> list:
        return self.model.variables + (self._optimizer().variables if self._optimizer() else [])

    def _facts(self) -> tuple:
        optimizer = self._optimizer()
        return self.model.get_config(), optimizer, optimizer and optimizer.built, len(self._variables())


_COPIES = weakref.WeakKeyDictionary()


def copied(model: keras.Model, how: Hashable, copy: Callable[[], keras.Model]) -> keras.Model:
    """A misconception's copy of a network: the same one, as it was made, each time it copies this model in this way."""
    return _COPIES.setdefault(model, {}).setdefault(how, Remade(copy, compiled=False))()


def remembering(outcome: Callable) -> Callable:
    """The `use` of a check file: outcome(answer, network, strategy, data, *epochs), where the data have been built.

    A misconception does the same every time, and is replayed on every wrong answer: what came of it is remembered. It
    gets networks that are made again rather than built, and batches in a list, faster than a tf.data.Dataset.
    """

    results, networks = {}, {}

    def use(answer, network, strategy, data, *epochs):
        if not getattr(answer, "is_misconception", False):
            return outcome(answer, network, strategy, data.build(), *epochs)
        case = (answer, network, repr(strategy), data, epochs)
        if case not in results:
            again = networks.setdefault(network.build, Remade(network.build))
            given = data.batches() if data.size else data.build()
            try:
                results[case] = outcome(answer, replace(network, build=again), strategy, given, *epochs)
            except Exception as error:
                results[case] = error
        if isinstance(results[case], Exception):
            raise results[case].with_traceback(None)
        return results[case]

    return use


@contextlib.contextmanager
def as_the_network_asks(network: Network) -> Iterator[None]:
    """Functions run eagerly or as graphs, without TensorFlow's warning of those that are traced anew in every call.

    Keras draws the seeds of fresh weights from `random`, which begins anew: a copy that takes no weights over is known
    by those that it has.
    """
    level, eager, drawn = tf.get_logger().level, tf.config.functions_run_eagerly(), random.getstate()
    tf.get_logger().setLevel("ERROR")
    tf.config.run_functions_eagerly(not network.traced)
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(drawn)
        tf.get_logger().setLevel(level)
        tf.config.run_functions_eagerly(eager)


def sgd(rate: float, momentum: float = 0.0) -> Callable:
    """Keras's SGD, for an oracle: (its velocity or None, gradient) to (what is added to the weight, its velocity)."""

    def rule(velocity, gradient):
        velocity = momentum * (0.0 if velocity is None else velocity) - rate * gradient
        return velocity, velocity

    return rule


def adam(rate: float) -> Callable:
    """Keras's Adam with its other settings, in the same way; arrays or tensors."""

    def rule(state, gradient):
        step, mean, square = state or (0, 0.0, 0.0)
        step, mean, square = step + 1, 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        size = (square / (1 - 0.999**step)) ** 0.5 + 1e-7
        return -rate * mean / (1 - 0.9**step) / size, (step, mean, square)

    return rule


def kind_of(returned) -> str:
    """What came back in place of the model and the history."""
    name = lambda value: f"{type(value).__name__}"  # noqa: E731
    found = f"a tuple ({', '.join(map(name, returned))})" if isinstance(returned, tuple) else f"a {name(returned)}"
    return f"{found}, not a tuple (Keras model, dict)"


def show_strategy(strategy) -> str:
    """A strategy without what is left at the default."""
    changed = []
    for f in fields(strategy):
        default = f.default if f.default_factory is MISSING else f.default_factory()
        value = getattr(strategy, f.name)
        if value != default:
            changed.append(f"{f.name}={value!r}")
    return f"{type(strategy).__name__}({', '.join(changed)})"


@functools.cache
def both(*looks: Callable) -> Callable:
    """Two or more ways to look at an outcome, as one."""
    return lambda outcome: {key: value for look in looks for key, value in look(outcome).items()}
