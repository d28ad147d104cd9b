"""Right answers to `masked_momentum_step`, in ten styles."""

import keras
import numpy as np
import tensorflow as tf


def numpy_where(weight, velocity, gradient, mask, learning_rate, momentum):
    weight, velocity, gradient, mask = (np.asarray(item) for item in (weight, velocity, gradient, mask))
    moved = np.where(mask, np.float32(momentum) * velocity - np.float32(learning_rate) * gradient, np.float32(0))
    return np.where(mask, weight + moved, np.float32(0)), moved


def gradient_cleaned_first(weight, velocity, gradient, mask, learning_rate, momentum):
    """A NaN times 0 is NaN, so what is dropped is replaced, not multiplied."""
    gradient = tf.where(mask, gradient, tf.zeros_like(gradient))
    share = tf.cast(mask, tf.float32)
    velocity = share * (momentum * velocity - learning_rate * gradient)
    return share * (weight + velocity), velocity


def kept_entries_alone(weight, velocity, gradient, mask, learning_rate, momentum):
    mask = np.asarray(mask)
    weights, velocities = np.zeros(mask.shape, np.float32), np.zeros(mask.shape, np.float32)
    v = np.float32(momentum) * np.asarray(velocity)[mask] - np.float32(learning_rate) * np.asarray(gradient)[mask]
    velocities[mask] = v
    weights[mask] = np.asarray(weight)[mask] + v
    return weights, velocities


def one_number_at_a_time(weight, velocity, gradient, mask, learning_rate, momentum):
    arrays = [np.asarray(item) for item in (weight, velocity, gradient, mask)]
    results = np.zeros((2, arrays[0].size), np.float32)
    for i, (w, v, g, kept) in enumerate(zip(*(array.ravel() for array in arrays), strict=True)):
        if kept:
            v = np.float32(momentum) * v - np.float32(learning_rate) * g
            results[:, i] = w + v, v
    return tuple(result.reshape(arrays[0].shape) for result in results)


def keras_sgd_and_then_zeros(weight, velocity, gradient, mask, learning_rate, momentum):
    """Keras's own optimizer takes the step; what is dropped is set to 0 before and after it."""
    weight, velocity, gradient = (tf.where(mask, item, 0.0) for item in (weight, velocity, gradient))
    variable = keras.Variable(weight)
    optimizer = keras.optimizers.SGD(learning_rate, momentum=momentum)
    optimizer.build([variable])
    if momentum:
        optimizer.momentums[0].assign(velocity)
    optimizer.apply([gradient], [variable])
    moved = optimizer.momentums[0] if momentum else -learning_rate * gradient
    return tf.where(mask, tf.convert_to_tensor(variable), 0.0), tf.where(mask, tf.convert_to_tensor(moved), 0.0)


def keras_ops(weight, velocity, gradient, mask, learning_rate, momentum):
    ops = keras.ops
    step = ops.subtract(ops.multiply(velocity, momentum), ops.multiply(gradient, learning_rate))
    zeros = ops.zeros_like(step)
    velocity = ops.where(mask, step, zeros)
    return ops.where(mask, ops.subtract(weight, ops.negative(velocity)), zeros), velocity


def ufuncs_with_where(weight, velocity, gradient, mask, learning_rate, momentum):
    """NumPy's ufuncs compute only where they are told to, and leave the zeros elsewhere."""
    weight, velocity, gradient, mask = (np.asarray(item) for item in (weight, velocity, gradient, mask))
    kept, moved, step = (np.zeros(weight.shape, np.float32) for _ in range(3))
    np.multiply(velocity, np.float32(momentum), out=moved, where=mask)
    np.multiply(gradient, np.float32(learning_rate), out=step, where=mask)
    np.subtract(moved, step, out=moved, where=mask)
    np.add(weight, moved, out=kept, where=mask)
    return kept, moved


def by_indices(weight, velocity, gradient, mask, learning_rate, momentum):
    flat_weight, flat_velocity, flat_gradient = (tf.reshape(item, [-1]) for item in (weight, velocity, gradient))
    places = tf.where(tf.reshape(mask, [-1]))
    moved = momentum * tf.gather_nd(flat_velocity, places) - learning_rate * tf.gather_nd(flat_gradient, places)
    count, there = tf.size(mask, out_type=tf.int64)[None], tf.gather_nd(flat_weight, places) + moved
    return tuple(tf.reshape(tf.scatter_nd(places, item, count), tf.shape(mask)) for item in (there, moved))


def chosen_by_select(weight, velocity, gradient, mask, learning_rate, momentum):
    mask = np.asarray(mask)
    step = np.float32(momentum) * np.asarray(velocity) - np.float32(learning_rate) * np.asarray(gradient)
    step = np.select([mask], [step], np.float32(0))
    return np.select([mask], [np.asarray(weight) + step], np.float32(0)), step


def copies_written_in_place(weight, velocity, gradient, mask, learning_rate, momentum):
    weight, velocity, gradient = (np.array(item, np.float32) for item in (weight, velocity, gradient))
    gone = ~np.asarray(mask)
    for array in (weight, velocity, gradient):
        array[gone] = 0
    velocity *= np.float32(momentum)
    velocity -= np.float32(learning_rate) * gradient
    weight += velocity
    return weight, velocity
