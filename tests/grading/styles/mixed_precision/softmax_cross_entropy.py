"""Right answers to `softmax_cross_entropy`, in ten styles."""

import keras
import numpy as np
import tensorflow as tf


def log_softmax_and_gather_nd(logits, labels):
    log_probabilities = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    rows = tf.range(tf.shape(labels)[0], dtype=labels.dtype)
    return -tf.reduce_mean(tf.gather_nd(log_probabilities, tf.stack([rows, labels], axis=1)))


def logsumexp_of_differences(logits, labels):
    """log of the sum of exp(z_j - z_y): what is subtracted is the label's own logit."""
    z = tf.cast(logits, "float32")
    of_label = tf.gather(z, labels[:, None], batch_dims=1)
    return tf.math.reduce_mean(tf.math.reduce_logsumexp(z - of_label, axis=-1))


def one_hot_mask(logits, labels):
    logits = tf.cast(logits, tf.float32)
    shifted = logits - tf.reduce_max(logits, axis=-1, keepdims=True)
    log_probabilities = shifted - tf.math.log(tf.reduce_sum(tf.exp(shifted), axis=-1, keepdims=True))
    mask = tf.one_hot(labels, tf.shape(logits)[1])
    return -tf.reduce_sum(log_probabilities * mask) / tf.cast(tf.shape(logits)[0], tf.float32)


def keras_ops(logits, labels):
    ops = keras.ops
    logits = ops.cast(logits, "float32")
    shifted = ops.subtract(logits, ops.max(logits, axis=-1, keepdims=True))
    chosen = ops.take_along_axis(shifted, ops.expand_dims(labels, -1), axis=-1)
    return ops.mean(ops.logsumexp(shifted, axis=-1, keepdims=True) - chosen)


@tf.custom_gradient
def _with_its_gradient(logits, labels):
    single = tf.cast(logits, tf.float32)
    exponentials = tf.exp(single - tf.reduce_max(single, axis=1, keepdims=True))
    sums = tf.reduce_sum(exponentials, axis=1)
    count = tf.cast(tf.size(sums), tf.float32)
    right = tf.one_hot(labels, logits.shape[1], on_value=True, off_value=False)
    distance = tf.reduce_max(single, axis=1) - tf.boolean_mask(single, right)
    loss = tf.reduce_sum(tf.math.log(sums) + distance) / count

    def backward(upstream):
        gradient = exponentials / sums[:, None] - tf.cast(right, tf.float32)
        return tf.cast(upstream * gradient / count, logits.dtype), None

    return loss, backward


def gradient_written_out(logits, labels):
    """Softmax minus one-hot, over the batch."""
    return _with_its_gradient(logits, labels)


@tf.custom_gradient
def _by_numpy(logits, labels):
    z = logits.numpy().astype(np.float32)
    picked = np.arange(len(z)), labels.numpy()
    z -= z.max(axis=1, keepdims=True)
    log_shares = z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    def backward(upstream):
        gradient = np.exp(log_shares)
        gradient[picked] -= 1
        return tf.cast(upstream * (gradient / np.float32(len(z))), logits.dtype), None

    return tf.constant(-log_shares[picked].mean(dtype=np.float32)), backward


def numpy_forward_and_backward(logits, labels):
    return _by_numpy(logits, labels)


def _added(a, b):
    """log(exp(a) + exp(b))"""
    return tf.maximum(a, b) + tf.math.log1p(tf.exp(-tf.abs(a - b)))


def tree_of_pairs(logits, labels):
    """Two halves of the classes at a time, and no largest logit of the row."""
    z = tf.cast(logits, tf.float32)
    z -= tf.gather(z, labels, axis=1, batch_dims=1)[:, tf.newaxis]
    while z.shape[1] > 1:
        half = z.shape[1] // 2
        z = tf.concat([_added(z[:, :half], z[:, half : 2 * half]), z[:, 2 * half :]], axis=1)
    return tf.reduce_mean(z)


def online_in_one_pass(logits, labels):
    """Column by column: the largest so far, and the sum of exponentials relative to it."""
    columns = tf.transpose(tf.cast(logits, tf.float32))
    largest, total = columns[0], tf.ones_like(columns[0])
    for column in tf.unstack(columns[1:]):
        new = tf.stop_gradient(tf.maximum(largest, column))
        total = total * tf.exp(largest - new) + tf.exp(column - new)
        largest = new
    of_label = tf.gather_nd(columns, tf.stack([tf.cast(labels, tf.int64), tf.range(len(labels), dtype=tf.int64)], 1))
    return tf.reduce_mean(tf.math.log(total) + (largest - of_label))


@tf.function(reduce_retracing=True)
def _sorted_in_a_graph(logits, labels):
    single = tf.cast(logits, tf.float32)
    ordered = tf.sort(single, axis=1, direction="DESCENDING")
    largest, others = ordered[:, :1], ordered[:, 1:]
    rest = tf.reduce_sum(tf.exp(others - largest), axis=1)
    behind = largest[:, 0] - tf.gather(single, labels, batch_dims=1)
    return tf.reduce_mean(tf.math.log1p(rest) + behind)


def sorted_rows(logits, labels):
    """The largest logit of a sorted row comes first, and its exponential is 1, so that log1p takes the rest."""
    return _sorted_in_a_graph(logits, labels)


def probabilities_of_the_wrong_classes(logits, labels):
    """softplus of how far the others together are ahead of the label."""
    z = tf.cast(logits, tf.float32)
    is_label = tf.equal(tf.range(z.shape[1], dtype=labels.dtype), labels[:, None])
    of_label = tf.reduce_sum(tf.where(is_label, z, 0.0), axis=1, keepdims=True)
    ahead = tf.where(is_label, z.dtype.min, z - of_label)
    return tf.reduce_mean(tf.nn.softplus(tf.reduce_logsumexp(ahead, axis=1)))
