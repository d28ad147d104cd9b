"""Right answers to `per_channel_scales`, in ten styles."""

import math
from functools import reduce

import numpy as np
import tensorflow as tf


def maximum_over_the_other_axes(weights, bits, axis):
    others = tuple(i for i in range(weights.ndim) if i != axis % weights.ndim)
    largest = np.abs(weights).max(axis=others)
    largest[largest == 0] = 2 ** (bits - 1) - 1
    return largest / (2 ** (bits - 1) - 1)


def loop_over_the_channels(weights, bits, axis):
    scales = []
    for channel in range(weights.shape[axis]):
        largest = np.max(np.abs(np.take(weights, channel, axis=axis)))
        scales.append(float(largest) / (2 ** (bits - 1) - 1) if largest else 1.0)
    return np.array(scales)


def swapped_and_flattened(weights, bits, axis):
    rows = np.swapaxes(weights, axis, -1).reshape(-1, weights.shape[axis])
    largest = np.maximum(rows.max(axis=0), -rows.min(axis=0))
    return np.where(largest == 0, 1, largest / ((1 << (bits - 1)) - 1))


def tensorflow_reduce_max(weights, bits, axis):
    rank = len(weights.shape)
    axes = [i for i in range(rank) if i not in (axis, axis + rank)]
    largest = tf.reduce_max(tf.abs(weights), axis=axes)
    scales = largest / (2 ** (bits - 1) - 1)
    return tf.where(largest > 0, scales, tf.ones_like(scales))


def reduced_axis_by_axis(weights, bits, axis):
    sizes = np.moveaxis(np.fabs(weights), axis, 0)
    while sizes.ndim > 1:
        sizes = np.maximum.reduce(sizes, axis=-1)
    scales = np.ones(sizes.shape, np.float64)
    np.divide(sizes, 2 ** (bits - 1) - 1, out=scales, where=sizes != 0)
    return scales


def infinity_norm(weights, bits, axis):
    order = [axis % weights.ndim, *(i for i in range(weights.ndim) if i != axis % weights.ndim)]
    channels = np.transpose(weights, order).reshape(weights.shape[axis], -1)
    norms = np.linalg.norm(channels, ord=np.inf, axis=1)
    return (norms + (norms == 0)) / (2 ** (bits - 1) - 1)


def index_of_the_largest(weights, bits, axis):
    channels = np.rollaxis(weights, axis % weights.ndim).reshape(weights.shape[axis], -1)
    places = np.argmax(np.abs(channels), axis=1, keepdims=True)
    largest = np.abs(np.take_along_axis(channels, places, axis=1))[:, 0].astype(np.float64)
    steps = 2 ** (bits - 1) - 1
    return np.asarray([size / steps if size > 0 else 0.01 for size in largest])


def scattered_with_maximum_at(weights, bits, axis):
    """Each weight is sent to its channel, which keeps the largest."""
    shape = [1] * weights.ndim
    shape[axis] = -1
    channels = weights.shape[axis]
    owner = np.broadcast_to(np.arange(channels).reshape(shape), weights.shape)
    largest = np.zeros(channels)
    np.maximum.at(largest, owner.ravel(), np.abs(weights).ravel())
    largest /= 2 ** (bits - 1) - 1
    largest[~(largest > 0)] = 1.0
    return largest


def python_numbers_only(weights, bits, axis):
    axis = axis if axis >= 0 else axis + weights.ndim
    largest = [0.0] * weights.shape[axis]
    for index, weight in np.ndenumerate(weights):
        largest[index[axis]] = max(largest[index[axis]], math.fabs(weight))
    return np.array([size / (2 ** (bits - 1) - 1) or 1.0 for size in largest], np.float32)


def fold_of_the_slices(weights, bits, axis):
    """The channels last, and then one slice after the other."""
    last = np.moveaxis(weights, axis, -1)
    slices = np.abs(last).reshape(-1, last.shape[-1])
    largest = reduce(np.maximum, slices)
    with np.errstate(divide="ignore"):
        inverse = (2 ** (bits - 1) - 1) / np.asarray(largest, np.float64)
    return np.where(np.isinf(inverse), 1.0, 1 / inverse)
