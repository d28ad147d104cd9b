"""Right answers to `MovingAverageObserver`, in ten styles."""

import math
from collections import namedtuple
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf


class PairOfFloats:
    def __init__(self, momentum=0.9):
        self.momentum = momentum
        self.ends = None

    def update(self, batch):
        batch = np.asarray(batch)
        if not batch.size or not np.all(np.isfinite(batch)):
            raise ValueError("the batch must hold finite numbers only")
        low, high = float(batch.min()), float(batch.max())
        if self.ends is not None:
            low = self.momentum * self.ends[0] + (1 - self.momentum) * low
            high = self.momentum * self.ends[1] + (1 - self.momentum) * high
        self.ends = low, high

    def range(self):
        if self.ends is None:
            raise RuntimeError("no batch has been taken note of yet")
        return self.ends


class TensorFlowVariable:
    """NaN in a variable stands for no batch."""

    def __init__(self, momentum=0.9):
        self._momentum = momentum
        self._ends = tf.Variable([math.nan, math.nan], trainable=False)

    def update(self, batch):
        batch = tf.convert_to_tensor(batch)
        if tf.size(batch) == 0 or not tf.reduce_all(tf.math.is_finite(batch)):
            raise ValueError("not a batch of finite numbers")
        new = tf.stack([tf.reduce_min(batch), tf.reduce_max(batch)])
        average = self._momentum * self._ends + (1 - self._momentum) * new
        self._ends.assign(tf.where(tf.math.is_nan(self._ends), new, average))

    def range(self):
        if tf.reduce_any(tf.math.is_nan(self._ends)):
            raise RuntimeError("no batch has been taken note of yet: call update first")
        return self._ends[0], self._ends[1]


@dataclass
class DataclassWithCounter:
    momentum: float = 0.9
    batches: int = field(default=0, init=False)
    low: float = field(default=0.0, init=False)
    high: float = field(default=0.0, init=False)

    def update(self, batch) -> None:
        numbers = np.ravel(batch)
        if numbers.size == 0:
            raise ValueError("an empty batch has no range")
        low, high = np.min(numbers), np.max(numbers)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"the batch reaches from {low} to {high}")
        weight = 1 - self.momentum if self.batches else 1.0
        self.low += weight * (float(low) - self.low)
        self.high += weight * (float(high) - self.high)
        self.batches += 1

    def range(self) -> tuple:
        if self.batches == 0:
            raise RuntimeError("no batch yet")
        return self.low, self.high


class AllBatchesKept:
    """Keeps the ends of every batch and averages when it is asked."""

    def __init__(self, momentum=0.9):
        self.momentum = momentum
        self.seen = []

    def update(self, batch):
        batch = np.array(batch, dtype=np.float64)
        if batch.size == 0 or np.isnan(batch).any() or np.isinf(batch).any():
            raise ValueError("a batch of finite numbers, please")
        self.seen.append((batch.min(), batch.max()))

    def range(self):
        if not self.seen:
            raise RuntimeError("update has not been called yet")
        age = np.arange(len(self.seen))[::-1]
        weights = np.where(age < len(self.seen) - 1, 1 - self.momentum, 1.0) * np.float64(self.momentum) ** age
        low, high = weights @ np.array(self.seen)
        return low, high


class StateIsAMethod:
    """The first batch replaces the method by one that averages."""

    def __init__(self, momentum=0.9):
        self.momentum = momentum
        self._merge = self._first

    def _first(self, ends):
        self._merge = self._later
        return ends

    def _later(self, ends):
        return self.momentum * self._ends + (1 - self.momentum) * ends

    def update(self, batch):
        ends = self._ends_of(batch)
        self._ends = self._merge(ends)

    @staticmethod
    def _ends_of(batch):
        batch = np.asarray(batch)
        try:
            ends = np.array([np.amin(batch), np.amax(batch)], np.float64)
        except ValueError as error:
            raise ValueError("no number in the batch") from error
        if not np.isfinite(ends).all():
            raise ValueError("NaN or infinity in the batch")
        return ends

    def range(self):
        try:
            return tuple(self._ends)
        except AttributeError:
            raise RuntimeError("no range before the first batch") from None


def _running_average(momentum):
    """Sent a number, it yields the average so far."""
    average = yield
    while True:
        number = yield average
        average = momentum * average + (1 - momentum) * number


class Coroutines:
    def __init__(self, momentum=0.9):
        self.averages = _running_average(momentum), _running_average(momentum)
        for average in self.averages:
            next(average)
        self.now = ()

    def update(self, batch):
        flat = np.asarray(batch, np.float64).reshape(-1).tolist()
        if not flat or not all(map(math.isfinite, flat)):
            raise ValueError("this batch would spoil the range")
        self.now = tuple(average.send(end(flat)) for average, end in zip(self.averages, (min, max), strict=True))

    def range(self):
        if not self.now:
            raise RuntimeError("no batch has come yet")
        return self.now


_Range = namedtuple("_Range", "minimum maximum")


class NamedTuple:
    state = None

    def __init__(self, momentum=0.9):
        self.keep, self.take = momentum, 1 - momentum

    def update(self, batch):
        batch = np.asarray(batch)
        if batch.size == 0:
            raise ValueError("the batch is empty")
        if np.count_nonzero(np.isfinite(batch)) < batch.size:
            raise ValueError("the batch holds a NaN or an infinity")
        new = _Range(batch.min().item(), batch.max().item())
        old = self.state or new
        self.state = _Range(*(self.keep * a + self.take * b for a, b in zip(old, new, strict=True)))

    def range(self):
        if self.state is None:
            raise RuntimeError("there is no range before a batch")
        return self.state


class _Average:
    """One number that moves; empty at first."""

    def __init__(self, momentum):
        self.momentum, self.value = momentum, None

    def add(self, number):
        self.value = number if self.value is None else self.value * self.momentum + number * (1 - self.momentum)


class TwoAverages:
    """NumPy's float32 throughout."""

    def __init__(self, momentum=0.9):
        self.minimum, self.maximum = _Average(np.float32(momentum)), _Average(np.float32(momentum))

    def update(self, batch):
        batch = np.asarray(batch, np.float32)
        if batch.size < 1 or not np.isfinite(batch).all():
            raise ValueError("bad batch")
        self.minimum.add(batch.min())
        self.maximum.add(batch.max())

    def range(self):
        if self.minimum.value is None:
            raise RuntimeError("no batch so far")
        return self.minimum.value, self.maximum.value


class TensorFlowChecksNumerics:
    """The check is an operation of TensorFlow, whose error is translated."""

    def __init__(self, momentum=0.9):
        self.momentum = tf.constant(momentum, tf.float64)
        self.ends = None

    def update(self, batch):
        batch = tf.cast(batch, tf.float64)
        try:
            tf.debugging.assert_positive(tf.size(batch))
            tf.debugging.check_numerics(batch, "batch")
        except tf.errors.InvalidArgumentError as error:
            raise ValueError("the batch is empty or not finite") from error
        ends = tf.reduce_min(batch), tf.reduce_max(batch)
        if self.ends:
            ends = tuple(new + self.momentum * (old - new) for old, new in zip(self.ends, ends, strict=True))
        self.ends = ends

    def range(self):
        if not self.ends:
            raise RuntimeError("update this observer with a batch first")
        return self.ends


class Sorted:
    """A sorted batch has its ends at its ends, and NaN last."""

    def __init__(self, momentum: float = 0.9):
        self.momentum = momentum
        self.history = {}

    def update(self, batch):
        ordered = np.sort(batch, axis=None)
        if len(ordered) == 0 or np.isnan(ordered[-1]) or np.isinf(ordered[[0, -1]]).any():
            raise ValueError("cannot take note of this batch")
        for name, end in ("low", ordered[0]), ("high", ordered[-1]):
            self.history[name] = np.average(
                [self.history.get(name, end), end], weights=[self.momentum, 1 - self.momentum]
            )

    def range(self):
        if not self.history:
            raise RuntimeError("nothing observed yet")
        return self.history["low"], self.history["high"]
