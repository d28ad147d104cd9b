"""Right answers to `quantize`, in ten styles."""

import math
from fractions import Fraction
from functools import partial, reduce

import numpy as np
import tensorflow as tf


def rint_and_clip(x, scale, zero_point, qmin, qmax):
    return np.clip(np.rint(x / scale) + zero_point, qmin, qmax).astype("int32")


def element_by_element(x, scale, zero_point, qmin, qmax):
    scales = np.broadcast_to(scale, x.shape)
    q = np.empty(x.shape, dtype=np.int32)
    for index in np.ndindex(*x.shape):
        steps = float(x[index]) / float(scales[index])
        if math.isinf(steps):
            q[index] = qmax if steps > 0 else qmin
        else:
            q[index] = min(max(round(steps) + zero_point, qmin), qmax)
    return q


def floor_of_a_half_more(x, scale, zero_point, qmin, qmax):
    """Halves go up; clipped before the zero-point is added, with the ends moved."""
    steps = np.floor(np.asarray(x, np.float64) / scale + 0.5)
    inside = np.minimum(np.maximum(steps, qmin - zero_point), qmax - zero_point)
    return inside.astype(np.int32) + np.int32(zero_point)


def clipped_before_rounding(x, scale, zero_point, qmin, qmax):
    """Clip as a real number, then round: the ends are whole numbers, so the order makes no difference."""
    real = np.divide(x, scale, dtype=np.float64) + zero_point
    return np.around(real.clip(qmin, qmax)).astype(np.int32)


def tensorflow_ops(x, scale, zero_point, qmin, qmax):
    x = tf.cast(x, tf.float64)
    steps = tf.round(x / tf.cast(scale, tf.float64))
    return tf.cast(tf.clip_by_value(steps + zero_point, float(qmin), float(qmax)), tf.int32)


def half_away_from_zero(x, scale, zero_point, qmin, qmax):
    size = np.trunc(np.abs(x) / scale + np.float64(0.5))
    q = np.copysign(size, x) + zero_point
    return np.int32(np.where(q > qmax, qmax, np.where(q < qmin, qmin, q)))


def searched_among_the_midpoints(x, scale, zero_point, qmin, qmax):
    """How many midpoints between two neighbouring integers lie below a number."""
    midpoints = np.arange(qmin, qmax) - zero_point + 0.5
    steps = np.asarray(np.asarray(x, np.float64) / scale)
    return (qmin + np.searchsorted(midpoints, steps)).astype(np.int32)


def vectorized_python_function(x, scale, zero_point, qmin, qmax):
    def one(number, step):
        if number == math.inf:
            return qmax
        if number == -math.inf:
            return qmin
        return max(qmin, min(qmax, zero_point + round(Fraction(float(number)) / Fraction(float(step)))))

    return np.vectorize(one, otypes=[np.int32])(x, scale)


def pipeline_of_functions(x, scale, zero_point, qmin, qmax):
    steps = (
        lambda numbers: np.true_divide(numbers, scale),
        np.round,
        partial(np.add, zero_point),
        partial(np.maximum, qmin),
        partial(np.minimum, qmax),
        partial(np.asarray, dtype=np.int32),
    )
    return reduce(lambda value, step: step(value), steps, x)


def flat_list_comprehension(x, scale, zero_point, qmin, qmax):
    pairs = np.broadcast(x, np.asarray(scale, dtype=np.float64))
    low, high = qmin - zero_point, qmax - zero_point
    q = [
        qmin
        if number <= low * step
        else qmax
        if number >= high * step
        else math.floor(number / step + 0.5) + zero_point
        for number, step in ((float(number), float(step)) for number, step in pairs)
    ]
    return np.array(q, dtype=np.int32).reshape(x.shape)
