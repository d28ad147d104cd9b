"""Right answers to `LossScale`, in ten styles."""

import math
from dataclasses import dataclass, field
from itertools import repeat

import keras
import numpy as np
import tensorflow as tf

_LARGEST = float(np.finfo(np.float32).max)


class CountDown:
    """Counts the steps that are left, not those that were."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self.value = float(initial)
        self.growth_interval = growth_interval
        self.factor = factor
        self.left = growth_interval

    def update(self, finite):
        if finite:
            self.left -= 1
            if self.left == 0:
                self.left = self.growth_interval
                if math.isfinite(np.float32(self.value * self.factor)):
                    self.value *= self.factor
        else:
            self.left = self.growth_interval
            self.value = max(1.0, self.value / self.factor)
        return bool(finite)


@dataclass
class DataclassWithModulo:
    initial: float = 2.0**15
    growth_interval: int = 2000
    factor: float = 2.0
    value: float = field(init=False)
    in_a_row: int = field(default=0, init=False)

    def __post_init__(self):
        self.value = self.initial

    def update(self, finite) -> bool:
        finite = bool(finite)
        self.in_a_row = self.in_a_row + 1 if finite else 0
        if not finite:
            self.value = 1.0 if self.value < self.factor else self.value / self.factor
        elif self.in_a_row % self.growth_interval == 0 and self.value <= _LARGEST / self.factor:
            self.value *= self.factor
        return finite


class TensorFlowVariables:
    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self.value = tf.Variable(initial, dtype=tf.float32, trainable=False)
        self._count = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._growth_interval, self._factor = growth_interval, factor

    def update(self, finite):
        if not finite:
            self.value.assign(tf.maximum(self.value / self._factor, 1.0))
            self._count.assign(0)
            return False
        self._count.assign_add(1)
        if self._count >= self._growth_interval:
            self._count.assign(tf.zeros_like(self._count))
            grown = self.value * self._factor
            self.value.assign(tf.where(tf.math.is_finite(grown), grown, self.value))
        return True


class NumpyScalarInSlots:
    __slots__ = ("_factor", "_interval", "_row", "value")

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self.value = np.float32(initial)
        self._interval = np.int64(growth_interval)
        self._factor = np.float32(factor)
        self._row = np.int64(0)

    def update(self, finite):
        self._row = (self._row + 1) * np.int64(finite)
        if self._row == self._interval:
            self._row = np.int64(0)
            grown = self.value * self._factor
            self.value = grown if np.isfinite(grown) else self.value
        elif self._row == 0:
            self.value = np.maximum(self.value / self._factor, np.float32(1))
        return np.bool_(finite)


class CoroutineBehindAProperty:
    """A generator that is sent each step's verdict, and yields the scale."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self._scales = self._run(initial, growth_interval, factor)
        self._value = next(self._scales)

    @property
    def value(self):
        return self._value

    @staticmethod
    def _run(scale, growth_interval, factor):
        while True:
            for _ in range(growth_interval):
                if not (yield scale):
                    scale = max(scale / factor, 1.0)
                    break
            else:
                scale = scale * factor if scale * factor <= _LARGEST else scale

    def update(self, finite):
        self._value = self._scales.send(bool(finite))
        return bool(finite)


class ValueFromTheHistory:
    """Remembers the runs of finite steps, and works the scale out when it is asked for."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self._settings = initial, growth_interval, factor
        self._runs = [0]  # finite steps before the first overflow, between it and the second, and so on

    def update(self, finite):
        if finite:
            self._runs[-1] += 1
        else:
            self._runs.append(0)
        return bool(finite)

    @property
    def value(self):
        scale, growth_interval, factor = self._settings
        for index, steps in enumerate(self._runs):
            if index > 0:
                scale = max(scale / factor, 1.0)
            for _ in repeat(None, steps // growth_interval):
                if scale * factor <= _LARGEST:
                    scale *= factor
        return scale


class ClosuresInATable:
    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self.value = initial
        steps = 0

        def after_finite():
            nonlocal steps
            steps += 1
            if steps == growth_interval:
                steps = 0
                self.value = next(scale for scale in (self.value * factor, self.value) if scale <= _LARGEST)

        def after_overflow():
            nonlocal steps
            steps = 0
            self.value = max(self.value / factor, 1.0)

        self._after = {True: after_finite, False: after_overflow}

    def update(self, finite):
        applies = bool(finite)
        self._after[applies]()
        return applies


class _Waiting:
    def __init__(self, scale, steps=0):
        self.scale, self.steps = scale, steps

    def next(self, finite, growth_interval, factor):
        if not finite:
            return _Waiting(max(self.scale / factor, 1.0))
        if self.steps + 1 < growth_interval:
            return _Waiting(self.scale, self.steps + 1)
        return _Waiting(self.scale * factor if self.scale * factor <= _LARGEST else self.scale)


class ImmutableStates:
    """Each step makes the next state."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self._state = _Waiting(initial)
        self._rule = {"growth_interval": growth_interval, "factor": factor}

    value = property(lambda self: self._state.scale)

    def update(self, finite):
        self._state = self._state.next(finite, **self._rule)
        return self._state.steps > 0 or bool(finite)


class TensorsWithoutBranches:
    """tf.where decides, on scalar tensors."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self.value = tf.constant(initial, tf.float32)
        self._steps = tf.constant(0)
        self._growth_interval, self._factor = growth_interval, tf.constant(factor, tf.float32)

    def update(self, finite):
        finite = tf.cast(finite, tf.bool)
        steps = tf.where(finite, self._steps + 1, 0)
        is_full = steps >= self._growth_interval
        grown = self.value * self._factor
        after_finite = tf.where(is_full & tf.math.is_finite(grown), grown, self.value)
        self.value = tf.where(finite, after_finite, tf.maximum(self.value / self._factor, 1.0))
        self._steps = tf.where(is_full, 0, steps)
        return finite


class KerasVariable:
    """The next step to grow at, as a number of the step counter; the float32 overflow is asked of Keras."""

    def __init__(self, initial=2.0**15, growth_interval=2000, factor=2.0):
        self.value = keras.Variable(initial, dtype="float32", trainable=False)
        self.step, self.grows_at = 0, growth_interval
        self.growth_interval, self.factor = growth_interval, factor

    def update(self, finite):
        self.step += 1
        if not finite:
            self.value.assign(keras.ops.clip(self.value / self.factor, 1.0, _LARGEST))
        elif self.step == self.grows_at:
            grown = keras.ops.multiply(self.value, self.factor)
            if keras.ops.isfinite(grown):
                self.value.assign(grown)
        else:
            return True
        self.grows_at = self.step + self.growth_interval
        return bool(finite)
