"""Right answers to `master_weight_step`, in ten styles."""

import keras
import ml_dtypes
import numpy as np
import tensorflow as tf


def named_operations(master, gradient, learning_rate, compute_dtype):
    master = tf.convert_to_tensor(master, tf.float32)
    step = tf.multiply(tf.cast(gradient, tf.float32), learning_rate)
    new_master = tf.subtract(master, step)
    return new_master, tf.cast(new_master, dtype=tf.as_dtype(compute_dtype))


def keras_ops(master, gradient, learning_rate, compute_dtype):
    ops = keras.ops
    gradient = ops.cast(ops.convert_to_tensor(gradient), "float32")
    new_master = ops.subtract(ops.convert_to_tensor(master), ops.multiply(gradient, learning_rate))
    return new_master, ops.cast(new_master, compute_dtype)


_TYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32}


def numpy_outside_of_graphs(master, gradient, learning_rate, compute_dtype):
    if tf.executing_eagerly():
        step = np.float32(learning_rate) * np.asarray(gradient).astype(np.float32)
        new_master = np.asarray(np.asarray(master) - step)
        return new_master, new_master.astype(_TYPES[compute_dtype])
    new_master = master - tf.cast(gradient, tf.float32) * learning_rate
    return new_master, tf.cast(new_master, compute_dtype)


def sum_of_two_tensors(master, gradient, learning_rate, compute_dtype):
    down = tf.math.scalar_mul(-learning_rate, tf.cast(gradient, tf.float32))
    new_master = tf.add_n([tf.identity(master), down])
    return new_master, tf.cast(new_master, compute_dtype)


def product_in_float64(master, gradient, learning_rate, compute_dtype):
    """The difference in float32, of a product that is rounded to it once."""
    product = tf.cast(tf.cast(gradient, tf.float64) * learning_rate, tf.float32)
    new_master = tf.cast(master, tf.float32) - product
    return tuple(tf.cast(new_master, dtype) for dtype in ("float32", compute_dtype))


@tf.function(reduce_retracing=True)
def _descend(master, gradient, learning_rate):
    return master - learning_rate * gradient


def graph_of_its_own(master, gradient, learning_rate, compute_dtype):
    arguments = (master, tf.cast(gradient, tf.float32), tf.constant(learning_rate, tf.float32))
    new_master = _descend(*map(tf.convert_to_tensor, arguments))
    return new_master, tf.cast(new_master, compute_dtype)


def weighted_sum_along_a_new_axis(master, gradient, learning_rate, compute_dtype):
    both = tf.stack([tf.convert_to_tensor(master), tf.cast(gradient, tf.float32)], axis=-1)
    new_master = tf.linalg.matvec(both[..., tf.newaxis, :], tf.constant([1.0, -learning_rate]))[..., 0]
    return new_master, tf.cast(new_master, compute_dtype)


def raw_kernels(master, gradient, learning_rate, compute_dtype):
    single = tf.raw_ops.Cast(x=gradient, DstT=tf.float32)
    step = tf.raw_ops.Mul(x=single, y=tf.constant(learning_rate, tf.float32))
    new_master = tf.raw_ops.Sub(x=master, y=step)
    return new_master, tf.raw_ops.Cast(x=new_master, DstT=tf.dtypes.as_dtype(compute_dtype))


def gradient_of_a_linear_function(master, gradient, learning_rate, compute_dtype):
    """The new weight is what a linear function with these coefficients has as its gradient."""
    weight = tf.ones_like(master)
    with tf.GradientTape() as tape:
        tape.watch(weight)
        rising = tf.reduce_sum((master - learning_rate * tf.cast(gradient, tf.float32)) * weight)
    new_master = tape.gradient(rising, weight)
    return new_master, tf.cast(new_master, compute_dtype)


def dispatch_by_dtype(master, gradient, learning_rate, compute_dtype, *, single=tf.float32):
    def descended():
        wide = gradient if gradient.dtype == single else tf.cast(gradient, single)
        return tf.convert_to_tensor(master) - tf.cast(learning_rate, single) * wide

    new_master = descended()
    if compute_dtype == "float32":
        return new_master, new_master
    half = {"float16": tf.float16, "bfloat16": tf.bfloat16}[compute_dtype]
    return new_master, tf.cast(new_master, half)
