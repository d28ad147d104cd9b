"""Right answers to `dequantize`, in ten styles."""

import numpy as np
import tensorflow as tf


def cast_to_int64_first(q, scale, zero_point):
    difference = q.astype(np.int64) - zero_point
    return (difference * scale).astype(np.float32)


def single_precision_throughout(q, scale, zero_point):
    """Whole numbers up to 2¹⁷ are exact in float32."""
    return (np.float32(q) - np.float32(zero_point)) * np.float32(scale)


def float64_and_back(q, scale, zero_point):
    real = np.asarray(q, dtype=np.float64)
    return np.float32((real - zero_point) * scale)


def loop_over_all_indices(q, scale, zero_point):
    scales = np.broadcast_to(scale, q.shape)
    x = np.zeros(q.shape, np.float32)
    for index, number in np.ndenumerate(q):
        x[index] = (int(number) - zero_point) * float(scales[index])
    return x


def tensorflow_ops(q, scale, zero_point):
    integers = tf.cast(tf.convert_to_tensor(q), tf.int32)
    return tf.cast(integers - zero_point, tf.float32) * tf.cast(scale, tf.float32)


def ufuncs_with_dtypes(q, scale, zero_point):
    difference = np.subtract(q, zero_point, dtype=np.float64, casting="unsafe")
    return np.multiply(difference, scale, dtype=np.float32, casting="unsafe")


def python_integers_in_objects(q, scale, zero_point):
    exact = np.asarray(q, dtype=object) - zero_point
    return np.asarray(exact * np.asarray(scale, np.float64), dtype=np.float32)


def comprehension_over_a_broadcast(q, scale, zero_point):
    pairs = np.broadcast(q, scale)
    numbers = [(int(integer) - zero_point) * float(step) for integer, step in pairs]
    return np.array(numbers, np.float32).reshape(q.shape)


def table_of_all_values(q, scale, zero_point):
    """What each integer between the smallest and the largest stands for, and then a look at the table."""
    if q.size == 0:
        return np.empty(q.shape, np.float32)
    lowest, highest = int(q.min()), int(q.max())
    steps = np.arange(lowest - zero_point, highest - zero_point + 1)
    return steps.astype(np.float32)[q.astype(np.intp) - lowest] * np.asarray(scale, np.float32)


def in_place_steps(q, scale, zero_point):
    x = np.array(q, dtype=np.float32, copy=True)
    x -= zero_point
    x *= scale
    return x
