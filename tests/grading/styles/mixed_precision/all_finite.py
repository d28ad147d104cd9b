"""Right answers to `all_finite`, in ten styles."""

from functools import reduce

import keras
import numpy as np
import tensorflow as tf


def stack_of_verdicts(gradients):
    verdicts = [tf.constant(True)]
    for gradient in gradients:
        if gradient is None:
            continue
        if isinstance(gradient, tf.IndexedSlices):
            gradient = gradient.values
        verdicts.append(tf.reduce_all(tf.math.is_finite(gradient)))
    return tf.reduce_all(tf.stack(verdicts))


def _values(gradient):
    return getattr(gradient, "values", gradient)


def nothing_is_infinite_or_nan(gradients):
    bad = [
        tf.reduce_any(tf.math.is_inf(values) | tf.math.is_nan(values))
        for values in map(_values, gradients)
        if values is not None
    ]
    return tf.logical_not(tf.reduce_any(bad)) if bad else tf.constant(True)


def zero_times_each(gradients):
    """Zero times a number is zero, unless the number is infinite or NaN."""
    total = tf.zeros([])
    for gradient in gradients:
        if gradient is not None:
            total += tf.cast(tf.reduce_sum(0 * tf.convert_to_tensor(_values(gradient))), tf.float32)
    return tf.equal(total, 0.0)


def concatenated_in_float64(gradients):
    flat = [tf.reshape(tf.cast(_values(g), tf.float64), [-1]) for g in gradients if g is not None]
    return tf.reduce_all(tf.math.is_finite(tf.concat([*flat, tf.zeros([1], tf.float64)], axis=0)))


def numpy_outside_of_graphs(gradients):
    present = [_values(gradient) for gradient in gradients if gradient is not None]
    if tf.executing_eagerly():
        return all(np.isfinite(values.numpy().astype(np.float64)).all() for values in present)
    return reduce(tf.logical_and, (tf.reduce_all(tf.math.is_finite(values)) for values in present), tf.constant(True))


def at_most_the_largest_number(gradients):
    """A NaN is not at most anything."""
    finite = tf.ones([], tf.bool)
    for gradient in filter(lambda gradient: gradient is not None, gradients):
        values = _values(gradient)
        finite = tf.logical_and(finite, tf.reduce_all(tf.abs(values) <= values.dtype.max))
    return finite


def recursion_on_the_list(gradients):
    if not gradients:
        return True
    head, *tail = gradients
    if head is None:
        return recursion_on_the_list(tail)
    return tf.logical_and(tf.reduce_all(keras.ops.isfinite(_values(head))), recursion_on_the_list(tail))


def count_of_bad_elements(gradients):
    bad = [
        tf.math.count_nonzero(tf.logical_not(tf.math.is_finite(_values(gradient))))
        for gradient in gradients
        if gradient is not None
    ]
    return tf.add_n([tf.constant(0, tf.int64), *bad]) == 0


_EXPONENTS = {
    tf.float16: (tf.uint16, 0x7C00),
    tf.bfloat16: (tf.uint16, 0x7F80),
    tf.float32: (tf.int32, 0x7F800000),
    tf.float64: (tf.int64, 0x7FF0000000000000),
}


def exponent_fields(gradients):
    """All ones in the exponent field: infinity or NaN."""
    answer = tf.constant(True)
    for gradient in gradients:
        if gradient is not None:
            values = tf.convert_to_tensor(_values(gradient))
            integer, mask = _EXPONENTS[values.dtype]
            field = tf.bitwise.bitwise_and(tf.bitcast(values, integer), tf.constant(mask, integer))
            answer &= tf.reduce_all(field != tf.constant(mask, integer))
    return answer


@tf.function(autograph=False, reduce_retracing=True)
def _survives_subtraction(values):
    return tf.reduce_all(values - values == tf.zeros([], values.dtype))


def a_number_minus_itself(gradients):
    verdict = True
    for gradient in tf.nest.flatten(gradients, expand_composites=False):
        if gradient is not None:
            verdict = tf.logical_and(_survives_subtraction(_values(gradient)), verdict)
    return verdict
