"""Right answers to `quantization_parameters`, in ten styles."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import tensorflow as tf


def branches_with_early_returns(minimum, maximum, bits, symmetric=False):
    if minimum > 0:
        minimum = 0
    if maximum < 0:
        maximum = 0
    if minimum == maximum:
        return 1.0, 0
    if symmetric:
        largest = abs(minimum) if abs(minimum) > abs(maximum) else abs(maximum)
        return float(largest) / (2 ** (bits - 1) - 1), 0
    scale = (float(maximum) - float(minimum)) / (2**bits - 1)
    return scale, round(-float(minimum) / scale)


def exact_fractions(minimum, maximum, bits, symmetric=False):
    low, high = (Fraction(float(end)) for end in (minimum, maximum))
    low, high = min(low, Fraction(0)), max(high, Fraction(0))
    width = max(-low, high) if symmetric else high - low
    scale = width / ((1 << bits - symmetric) - 1)
    if not scale:
        return 1, 0
    return float(scale), 0 if symmetric else round(-low / scale)


def sorted_with_zero(minimum, maximum, bits, symmetric=False):
    low, _, high = sorted([float(minimum), 0.0, float(maximum)])
    if low > 0.0 or high < 0.0:
        raise AssertionError("0 is among the three")
    if symmetric:
        low, high = -max(-low, high), max(-low, high)
        steps = 2**bits - 2
        return (high - low) / steps or 1.0, 0
    scale = (high - low) / (2**bits - 1) or 1.0
    return scale, math.floor(0.5 - low / scale)


def numpy_float64_and_rint(minimum, maximum, bits, symmetric=False):
    ends = np.array([minimum, maximum, 0.0], dtype=np.float64)
    steps = np.left_shift(1, bits - 1 if symmetric else bits) - 1
    width = np.abs(ends).max() if symmetric else np.ptp(ends)
    scale = np.where(width > 0, width / steps, np.float64(1.0))[()]
    zero_point = np.int64(0) if symmetric else np.rint(-ends.min() / scale).astype(np.int64)
    return scale, zero_point


def numpy_float32(minimum, maximum, bits, symmetric=False):
    """Single precision throughout, and NumPy's scalars returned."""
    low = np.minimum(np.float32(minimum), np.float32(0))
    high = np.maximum(np.float32(maximum), np.float32(0))
    if symmetric:
        scale = np.maximum(np.negative(low), high) / np.float32(2 ** (bits - 1) - 1)
        return (scale if scale > 0 else np.float32(1)), np.int32(0)
    scale = (high - low) / np.float32(2**bits - 1)
    if scale == 0:
        return np.float32(1), np.int32(0)
    return scale, np.int32(np.round(-low / scale))


@dataclass
class _Range:
    minimum: float
    maximum: float

    def __post_init__(self):
        self.minimum = min(0.0, float(self.minimum))
        self.maximum = max(0.0, float(self.maximum))

    @property
    def is_a_point(self):
        return self.minimum == self.maximum

    def asymmetric(self, steps):
        scale = (self.maximum - self.minimum) / steps
        return scale, round(-self.minimum / scale)

    def symmetric(self, steps):
        return max(abs(self.minimum), abs(self.maximum)) / steps, 0


def small_class_of_a_range(minimum, maximum, bits, symmetric=False):
    widened = _Range(minimum, maximum)
    if widened.is_a_point:
        return 0.125, 0
    return widened.symmetric(2 ** (bits - 1) - 1) if symmetric else widened.asymmetric(2**bits - 1)


def zero_point_without_the_scale(minimum, maximum, bits, symmetric=False):
    """The zero-point as a fraction of the steps: how far 0 is up from the minimum."""
    low, high = float(min(minimum, 0)), float(max(maximum, 0))
    levels = 2**bits
    if low == high == 0:
        return 1e-3, 0 if symmetric else levels // 2
    if symmetric:
        return 2 * max(high, -low) / (levels - 2), 0
    up = 1 / (1 - high / low) if low else 0.0  # −low / (high − low)
    return (high - low) / (levels - 1), int((levels - 1) * up + 0.5)


def tensorflow_float64(minimum, maximum, bits, symmetric=False):
    low = tf.minimum(tf.cast(minimum, tf.float64), 0)
    high = tf.maximum(tf.cast(maximum, tf.float64), 0)
    width = tf.maximum(-low, high) if symmetric else high - low
    steps = 2 ** (bits - int(symmetric)) - 1
    scale = tf.where(width > 0, width / steps, tf.ones_like(width))
    zero_point = tf.cast(tf.round(-low / scale), tf.int32)
    return float(scale), 0 if symmetric else int(zero_point)


def nearest_candidate(minimum, maximum, bits, symmetric=False):
    """Of the two whole numbers around −minimum / scale the one that stores 0 with the smaller error."""
    low, high = (float(end) for end in (min(minimum, 0.0), max(maximum, 0.0)))
    if low == high:
        return 2.0, 0
    if symmetric:
        return max(-low, high) / (2 ** (bits - 1) - 1), 0
    scale = math.fsum((high, -low)) / (2**bits - 1)
    below = int(-low // scale)
    return scale, min((below, below + 1), key=lambda zero: abs(low + zero * scale))


def grid_in_linspace(minimum, maximum, bits, symmetric=False):
    """The grid itself: its step is the scale, and the index of the number nearest to 0 the zero-point."""
    low, high = np.minimum(0.0, float(minimum)), np.maximum(0.0, float(maximum))
    if symmetric:
        high = max(-low, high)
        low = -high
    if not high - low:
        return float(np.ones(())), 0
    grid, step = np.linspace(low, high, 2**bits - (1 if symmetric else 0), retstep=True)
    return float(step), 0 if symmetric else int(np.argmin(np.abs(grid)))
