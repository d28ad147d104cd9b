"""The numbers of the topic mixed_precision: bytes of Keras's own objects, and Keras's own loss scaling."""

import itertools

import numpy as np

from tests.questions.computed import computes

MILLION = 10**6


def _tensorflow():
    from halfbits.quiet import import_tensorflow

    import_tensorflow()
    import keras
    import tensorflow as tf

    return keras, tf


def _bytes_a_weight(policy):
    """What one weight of a Dense layer takes in training: itself, its gradient, Adam's slots, its working copy."""
    keras, tf = _tensorflow()
    layer = keras.layers.Dense(8, use_bias=False, dtype=policy)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.cast(layer(tf.ones((1, 8))), tf.float32))
    gradient = tape.gradient(loss, layer.kernel.value)
    optimizer = keras.optimizers.Adam()
    optimizer.build([layer.kernel])
    kept = [layer.kernel, gradient, *(v for v in optimizer.variables if v.shape == layer.kernel.shape)]
    dtypes = [tf.as_dtype(tensor.dtype) for tensor in kept]
    if layer.compute_dtype != layer.variable_dtype:
        dtypes.append(tf.as_dtype(layer.compute_dtype))
    return sum(dtype.size for dtype in dtypes)


@computes("mixed-precision-adam-in-fp32")
def adam_in_fp32():
    return 100 * MILLION * _bytes_a_weight("float32") / MILLION


@computes("mixed-precision-adam-in-keras")
def adam_in_keras():
    return 100 * MILLION * _bytes_a_weight("mixed_float16") / MILLION


@computes("mixed-precision-seven-billion")
def seven_billion():
    kept = {
        "weights": np.float16,
        "gradients": np.float16,
        "master weights": np.float32,
        "first moment": np.float32,
        "second moment": np.float32,
    }
    return sum(7_000 * MILLION * np.dtype(dtype).itemsize for dtype in kept.values()) / 1e9


@computes("mixed-precision-break-even-batch")
def break_even_batch():
    weights, numbers = 3 * MILLION, 20_000
    wide, narrow = np.dtype(np.float32).itemsize, np.dtype(np.float16).itemsize
    in_fp32 = (batch * numbers * wide for batch in itertools.count())
    mixed = (batch * numbers * narrow + weights * narrow for batch in itertools.count())
    return next(batch for batch, (one, other) in enumerate(zip(in_fp32, mixed, strict=False)) if one == other)


@computes("mixed-precision-largest-exponent")
def largest_exponent():
    with np.errstate(over="ignore"):
        return max(k for k in range(64) if np.isfinite(np.float16(2.0 ** (k - 19))))


@computes("mixed-precision-skipped-at-the-start")
def skipped_at_the_start():
    keras, tf = _tensorflow()
    optimizer = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    weight = keras.Variable(0.0)
    optimizer.build([weight])
    for step in itertools.count():
        gradient = tf.cast(100 * optimizer.dynamic_scale.value, tf.float16)
        optimizer.apply([tf.cast(gradient, tf.float32)], [weight])
        if float(weight) != 0:
            return step
