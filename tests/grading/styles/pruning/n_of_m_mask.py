"""Right answers to `n_of_m_mask`, in ten styles."""

from itertools import combinations

import numpy as np
import tensorflow as tf


def _checked(weights, m, axis):
    if weights.shape[axis] % m:
        raise ValueError("the length is not divisible by m")


def ranks_in_each_block(weights, n=2, m=4, axis=-1):
    _checked(weights, m, axis)
    moved = np.abs(np.moveaxis(weights.astype(np.float64), axis, -1))
    blocks = moved.reshape(*moved.shape[:-1], moved.shape[-1] // m, m)
    ranks = np.argsort(np.argsort(blocks, -1), -1)
    return np.moveaxis((ranks >= m - n).reshape(moved.shape), -1, axis)


def loop_over_blocks(weights, n=2, m=4, axis=-1):
    _checked(weights, m, axis)
    mask = np.zeros(weights.shape, bool)
    lines, marked = np.moveaxis(weights, axis, 0), np.moveaxis(mask, axis, 0)
    for rest in np.ndindex(lines.shape[1:]):
        for start in range(0, len(lines), m):
            magnitudes = [abs(float(lines[(start + i, *rest)])) for i in range(m)]
            for i in sorted(range(m), key=magnitudes.__getitem__)[m - n :]:
                marked[(start + i, *rest)] = True
    return mask


def argpartition_of_a_matrix(weights, n=2, m=4, axis=-1):
    """Blocks as the rows of a matrix."""
    _checked(weights, m, axis)
    swapped = np.swapaxes(weights, axis, -1)
    rows = np.abs(swapped.astype(np.float64)).reshape(-1, m)
    mask = np.zeros(rows.shape, bool)
    mask[np.arange(len(rows))[:, None], np.argpartition(rows, m - n, axis=1)[:, m - n :] if n < m else np.arange(m)] = (
        True
    )
    return np.swapaxes(mask.reshape(swapped.shape), axis, -1)


def apply_along_the_axis(weights, n=2, m=4, axis=-1):
    _checked(weights, m, axis)

    def of_line(line):
        kept = np.zeros(len(line))
        for start in range(0, len(line), m):
            kept[start + np.argsort(line[start : start + m])[m - n :]] = 1
        return kept

    if weights.size == 0:
        return np.zeros(weights.shape, bool)
    return np.apply_along_axis(of_line, axis, np.abs(weights.astype(np.float64))).astype(bool)


def tensorflow_top_k(weights, n=2, m=4, axis=-1):
    _checked(weights, m, axis)
    axis %= weights.ndim
    order = [i for i in range(weights.ndim) if i != axis] + [axis]
    moved = tf.transpose(tf.abs(tf.cast(tf.constant(weights), tf.float64)), order)
    blocks = tf.reshape(moved, [-1, m])
    one_hot = tf.one_hot(tf.math.top_k(blocks, n).indices, m)
    mask = tf.reshape(tf.reduce_sum(one_hot, axis=1) > 0, moved.shape)
    return tf.transpose(mask, np.argsort(order))


def n_maxima_in_turn(weights, n=2, m=4, axis=-1):
    """The largest, then the largest of what is left, n times."""
    _checked(weights, m, axis)
    moved = np.abs(np.moveaxis(weights.astype(np.float64), axis, -1))
    left = (
        moved.reshape(*moved.shape[:-1], -1, m)
        if moved.size
        else moved.reshape(*moved.shape[:-1], moved.shape[-1] // m, m)
    )
    kept = np.zeros(left.shape, bool)
    for _ in range(n):
        place = np.expand_dims(left.argmax(axis=-1), -1)
        np.put_along_axis(kept, place, True, -1)
        np.put_along_axis(left, place, -1.0, -1)
    return np.moveaxis(kept.reshape(moved.shape), -1, axis)


def counts_who_is_larger(weights, n=2, m=4, axis=-1):
    """Kept is who has fewer than n above it, of equal ones the earlier."""
    _checked(weights, m, axis)
    moved = np.abs(np.moveaxis(weights.astype(np.float64), axis, 0))
    blocks = moved.reshape(moved.shape[0] // m, m, *moved.shape[1:])
    one, other = blocks[:, :, None], blocks[:, None]
    earlier = np.tri(m, k=-1, dtype=bool).reshape(1, m, m, *[1] * (moved.ndim - 1))
    above = (other > one) | ((other == one) & earlier)
    return np.moveaxis((above.sum(axis=2) < n).reshape(moved.shape), 0, axis)


def best_of_all_patterns(weights, n=2, m=4, axis=-1):
    """Tries all choices of n places; the largest sum of ranks has the largest magnitudes."""
    _checked(weights, m, axis)
    moved = np.abs(np.moveaxis(weights.astype(np.float64), axis, -1))
    blocks = moved.reshape(-1, m)
    ranks = blocks.argsort(-1).argsort(-1)
    patterns = np.zeros((0, m), bool)
    for places in combinations(range(m), n):
        patterns = np.vstack([patterns, np.isin(np.arange(m), places)])
    best = np.argmax(ranks @ patterns.T.astype(int), axis=1)
    return np.moveaxis(patterns[best].reshape(moved.shape), -1, axis)


def dropped_rather_than_kept(weights, n=2, m=4, axis=-1):
    _checked(weights, m, axis)
    axis = axis + weights.ndim if axis < 0 else axis
    shape = (*weights.shape[:axis], weights.shape[axis] // m, m, *weights.shape[axis + 1 :])
    blocks = np.abs(weights.astype(np.float64)).reshape(shape)  # the axis is cut where it stands
    gone = np.take(np.argsort(blocks, axis=axis + 1), np.arange(m - n), axis=axis + 1)
    mask = np.ones(shape, bool)
    np.put_along_axis(mask, gone, False, axis=axis + 1)
    return mask.reshape(weights.shape)


def lexsort_by_block(weights, n=2, m=4, axis=-1):
    """One sort of everything, by block and then by magnitude."""
    _checked(weights, m, axis)
    moved = np.moveaxis(weights, axis, -1)
    flat = np.abs(moved.astype(np.float64)).ravel()
    order = np.lexsort((flat, np.arange(flat.size) // m))
    kept = np.zeros(flat.size, bool)
    kept[order] = np.arange(flat.size) % m >= m - n
    return np.moveaxis(kept.reshape(moved.shape), -1, axis)
