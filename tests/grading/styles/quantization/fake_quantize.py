"""Right answers to `fake_quantize`, in ten styles."""

import keras
import tensorflow as tf


def clip_and_stop_gradient(x, scale, zero_point, qmin, qmax):
    low, high = (qmin - zero_point) * scale, (qmax - zero_point) * scale
    clipped = tf.clip_by_value(x, low, high)
    return clipped + tf.stop_gradient(tf.round(clipped / scale) * scale - clipped)


def custom_gradient_with_a_mask(x, scale, zero_point, qmin, qmax):
    scale = tf.cast(scale, tf.float32)

    @tf.custom_gradient
    def quantized(x):
        q = tf.clip_by_value(tf.round(x / scale) + zero_point, float(qmin), float(qmax))
        inside = (x >= (qmin - zero_point) * scale) & (x <= (qmax - zero_point) * scale)
        return (q - zero_point) * scale, lambda upstream: tf.where(inside, upstream, tf.zeros_like(upstream))

    return quantized(tf.convert_to_tensor(x))


@tf.custom_gradient
def _round(x):
    return tf.round(x), lambda upstream: upstream


def rounding_with_the_gradient_one(x, scale, zero_point, qmin, qmax):
    """Only the rounding gets a gradient of its own; the clipping has one already."""
    steps = tf.clip_by_value(x, (qmin - zero_point) * scale, (qmax - zero_point) * scale) / scale
    return _round(steps) * scale


def minimum_and_maximum(x, scale, zero_point, qmin, qmax):
    """Clips with two comparisons and tf.where."""
    scale = tf.convert_to_tensor(scale, tf.float32)
    x = tf.convert_to_tensor(x)
    low, high = tf.zeros_like(x) + (qmin - zero_point) * scale, tf.zeros_like(x) + (qmax - zero_point) * scale
    clipped = tf.where(x < low, low, tf.where(x > high, high, x))
    steps = tf.stop_gradient(tf.math.rint(clipped / scale))
    return clipped + (steps * scale - tf.stop_gradient(clipped))


def integers_forward_and_the_clip_backward(x, scale, zero_point, qmin, qmax):
    """Integers in the forward pass, the clip alone in the backward pass."""
    scale = tf.constant(scale, tf.float32) if isinstance(scale, float) else tf.cast(scale, tf.float32)
    low, high = (qmin - zero_point) * scale, (qmax - zero_point) * scale

    @tf.custom_gradient
    def quantized(x):
        q = tf.cast(tf.round(tf.clip_by_value(x, low, high) / scale), tf.int32) + zero_point
        value = tf.cast(tf.clip_by_value(q, qmin, qmax) - zero_point, tf.float32) * scale

        def backward(upstream):
            return upstream * tf.cast(tf.equal(tf.clip_by_value(x, low, high), x), upstream.dtype)

        return value, backward

    return quantized(tf.identity(x))


def keras_ops(x, scale, zero_point, qmin, qmax):
    ops = keras.ops
    x = ops.convert_to_tensor(x)
    scale = ops.convert_to_tensor(scale, "float32")
    low, high = scale * (qmin - zero_point), scale * (qmax - zero_point)
    inside = ops.logical_and(ops.greater_equal(x, low), ops.less_equal(x, high))
    value = ops.multiply(ops.clip(ops.round(ops.divide(x, scale)), qmin - zero_point, qmax - zero_point), scale)
    through = ops.where(inside, x, ops.zeros_like(x))
    return ops.stop_gradient(value - through) + through


def floor_of_a_half_more(x, scale, zero_point, qmin, qmax):
    """Halves go up; the end that is too far is pulled in before the division."""
    scale = tf.convert_to_tensor(scale, dtype=tf.float32)
    inside = tf.clip_by_value(x, scale * float(qmin - zero_point), scale * float(qmax - zero_point))
    grid = tf.math.floor(inside / scale + 0.5)
    nearest = tf.minimum(tf.maximum(grid, float(qmin - zero_point)), float(qmax - zero_point)) * scale
    return tf.stop_gradient(nearest) + inside - tf.stop_gradient(inside)


def grad_pass_through(x, scale, zero_point, qmin, qmax):
    """TensorFlow's wrapper for the gradient 1 around the rounding."""
    clipped = tf.clip_by_value(x, (qmin - zero_point) * scale, (qmax - zero_point) * scale)
    return tf.grad_pass_through(lambda inside: tf.round(inside / scale) * scale)(clipped)


def in_float64(x, scale, zero_point, qmin, qmax):
    scale = tf.cast(scale, tf.float64)
    wide = tf.clip_by_value(tf.cast(x, tf.float64), (qmin - zero_point) * scale, (qmax - zero_point) * scale)
    error = tf.stop_gradient(tf.round(wide / scale) * scale - wide)
    return tf.cast(wide + error, tf.float32)


class _FakeQuantizer(tf.Module):
    """The grid as an object; the gradient as a method."""

    def __init__(self, scale, lowest, highest):
        super().__init__(name="fake_quantizer")
        self.scale = tf.cast(scale, tf.float32)
        self.lowest, self.highest = float(lowest), float(highest)

    def ends(self):
        return self.lowest * self.scale, self.highest * self.scale

    def __call__(self, x):
        @tf.custom_gradient
        def forward(x):
            steps = tf.clip_by_value(tf.round(x / self.scale), self.lowest, self.highest)
            return steps * self.scale, lambda upstream: self.backward(x, upstream)

        return forward(x)

    def backward(self, x, upstream):
        low, high = self.ends()
        outside = tf.logical_or(tf.less(x, low), tf.greater(x, high))
        return tf.where(outside, 0.0, upstream)


def module_with_a_backward_method(x, scale, zero_point, qmin, qmax):
    return _FakeQuantizer(scale, qmin - zero_point, qmax - zero_point)(tf.convert_to_tensor(x))
