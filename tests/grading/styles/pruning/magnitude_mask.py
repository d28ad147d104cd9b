"""Right answers to `magnitude_mask`, in ten styles."""

import heapq

import numpy as np
import tensorflow as tf


def _dropped(weights, sparsity):
    """How many weights go."""
    if sparsity < 0 or sparsity > 1:
        raise ValueError("the sparsity is not from 0 to 1")
    return round(sparsity * weights.size)


def argpartition(weights, sparsity):
    count = _dropped(weights, sparsity)
    magnitudes = np.abs(weights.astype(np.float64)).ravel()
    kept = np.full(magnitudes.size, True)
    if count:
        kept[np.argpartition(magnitudes, count - 1)[:count]] = False
    return kept.reshape(weights.shape)


def ranks(weights, sparsity):
    """The place of each magnitude in the order is its argsort's argsort."""
    count = _dropped(weights, sparsity)
    order = np.argsort(np.abs(weights.astype(np.longdouble)), axis=None, kind="stable")
    return (np.argsort(order) >= count).reshape(weights.shape)


def threshold_then_ties(weights, sparsity):
    """All below the threshold go, and of those at it as many as are missing."""
    count = _dropped(weights, sparsity)
    magnitudes = np.abs(weights.astype(np.float64)).flatten()
    if count == 0:
        return np.ones(weights.shape, dtype=bool)
    threshold = np.sort(magnitudes)[count - 1]
    mask = magnitudes > threshold
    at_threshold = np.flatnonzero(magnitudes == threshold)
    mask[at_threshold[count - np.count_nonzero(magnitudes < threshold) :]] = True
    return mask.reshape(weights.shape)


def top_k_of_tensorflow(weights, sparsity):
    kept = weights.size - _dropped(weights, sparsity)
    magnitudes = tf.abs(tf.cast(tf.reshape(tf.constant(weights), [-1]), tf.float64))
    places = tf.math.top_k(magnitudes, k=kept).indices
    mask = tf.scatter_nd(places[:, None], tf.ones([kept], tf.int32), [weights.size])
    return tf.reshape(tf.cast(mask, tf.bool), weights.shape)


def sorted_python_list(weights, sparsity):
    count = _dropped(weights, sparsity)
    numbers = [abs(number) for number in weights.ravel().tolist()]
    gone = set(sorted(range(len(numbers)), key=numbers.__getitem__)[:count])
    return np.array([place not in gone for place in range(len(numbers))], bool).reshape(weights.shape)


def heap_of_the_largest(weights, sparsity):
    kept = weights.size - _dropped(weights, sparsity)
    pairs = ((abs(float(number)), place) for place, number in enumerate(weights.flat))
    mask = np.zeros(weights.size, np.bool_)
    for _, place in heapq.nlargest(kept, pairs):
        mask[place] = True
    return mask.reshape(weights.shape)


def drops_one_after_the_other(weights, sparsity):
    magnitudes = np.abs(weights.astype(float)).reshape(-1)
    mask = np.ones(magnitudes.shape, bool)
    for _ in range(_dropped(weights, sparsity)):
        mask[np.argmin(np.where(mask, magnitudes, np.inf))] = False
    return np.reshape(mask, weights.shape)


def squares_in_order(weights, sparsity):
    """Squares are in the order of magnitudes; in float64 those of 10⁻³⁰ are no zeros."""
    count = _dropped(weights, sparsity)
    order = np.argsort(np.square(weights.astype(np.float64)).ravel())
    mask = np.empty(weights.size, bool)
    mask[order] = np.arange(weights.size) >= count
    return mask.reshape(weights.shape)


def signs_by_where(weights, sparsity):
    if not 0.0 <= sparsity <= 1.0:
        raise ValueError(sparsity)
    wide = weights.astype(np.float64)
    order = np.where(wide < 0, -wide, wide).argsort(axis=None)
    mask = np.ones_like(weights, dtype=bool)
    np.put(mask, order[: int(round(sparsity * weights.size))], False)  # noqa: RUF046
    return mask


def lexsort_by_magnitude_and_place(weights, sparsity):
    count = _dropped(weights, sparsity)
    flat = np.fabs(weights.astype(np.float64)).ravel()
    order = np.lexsort((np.arange(flat.size), flat))
    return ~np.isin(np.arange(flat.size), order[:count]).reshape(weights.shape)
