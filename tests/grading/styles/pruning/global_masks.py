"""Right answers to `global_masks`, in ten styles."""

import itertools

import numpy as np
import tensorflow as tf


def _checked(sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("the sparsity is not from 0 to 1")


def _count(weights, sparsity):
    _checked(sparsity)
    return round(sparsity * sum(array.size for array in weights))


def triples_sorted(weights, sparsity):
    """Magnitude, layer and place of each weight, in one list."""
    count = _count(weights, sparsity)
    triples = sorted((abs(float(x)), i, j) for i, array in enumerate(weights) for j, x in enumerate(array.flat))
    masks = [np.ones(array.shape, bool) for array in weights]
    for _, layer, place in triples[:count]:
        masks[layer].flat[place] = False
    return masks


def masks_filled_from_one_iterator(weights, sparsity):
    count = _count(weights, sparsity)
    flat = np.array([abs(float(x)) for array in weights for x in array.flat])
    kept = np.ones(flat.size, bool)
    kept[np.argsort(flat)[:count]] = False
    bits = iter(kept.tolist())
    return [np.array(list(itertools.islice(bits, array.size)), bool).reshape(array.shape) for array in weights]


def threshold_and_budget_of_ties(weights, sparsity):
    count = _count(weights, sparsity)
    if not weights or count == 0:
        return [np.ones(array.shape, bool) for array in weights]
    magnitudes = [np.abs(array.astype(np.float64)) for array in weights]
    threshold = np.partition(np.concatenate([m.ravel() for m in magnitudes]), count - 1)[count - 1]
    budget = count - sum(int((m < threshold).sum()) for m in magnitudes)
    masks = []
    for magnitude in magnitudes:
        mask = magnitude > threshold
        ties = np.argwhere(magnitude == threshold)
        for index in ties[budget:]:
            mask[tuple(index)] = True
        budget = max(0, budget - len(ties))
        masks.append(mask)
    return masks


def tensorflow_top_k(weights, sparsity):
    kept = sum(array.size for array in weights) - _count(weights, sparsity)
    if not weights:
        return []
    flat = tf.concat([tf.reshape(tf.abs(tf.cast(tf.constant(array), tf.float64)), [-1]) for array in weights], 0)
    places = tf.math.top_k(flat, kept).indices
    mask = tf.tensor_scatter_nd_update(tf.zeros(tf.shape(flat), tf.bool), places[:, None], tf.ones([kept], tf.bool))
    parts = tf.split(mask, [array.size for array in weights])
    return [tf.reshape(part, array.shape) for part, array in zip(parts, weights, strict=True)]


def slices_of_one_array(weights, sparsity):
    count, ends = _count(weights, sparsity), np.cumsum([0, *(array.size for array in weights)])
    flat = np.empty(ends[-1])
    for start, end, array in zip(ends, ends[1:], weights, strict=False):
        flat[start:end] = np.abs(array).ravel()
    kept = np.argsort(np.argsort(flat)) >= count
    return [kept[start:end].reshape(a.shape) for start, end, a in zip(ends, ends[1:], weights, strict=False)]


def removed_one_at_a_time(weights, sparsity):
    left = [np.array(np.abs(array), np.float64) for array in weights]  # abs makes a number of an array of shape ()
    masks = [np.ones(array.shape, bool) for array in weights]
    for _ in range(_count(weights, sparsity)):
        least = [m.min() if m.size else np.inf for m in left]
        layer = int(np.argmin(least))
        place = np.unravel_index(np.argmin(left[layer]), left[layer].shape)
        left[layer][place], masks[layer][place] = np.inf, False
    return masks


def bisection_of_the_threshold(weights, sparsity):
    """Halves the interval of thresholds until it holds one magnitude, then the ties are counted out."""
    count = _count(weights, sparsity)
    flat = np.concatenate([np.zeros(0), *(np.abs(array.astype(np.float64)).ravel() for array in weights)])
    known = np.unique(flat)
    low, high = 0, len(known)
    while low < high:  # the first magnitude up to which at least `count` weights are as small
        middle = (low + high) // 2
        low, high = (low, middle) if np.count_nonzero(flat <= known[middle]) >= count else (middle + 1, high)
    kept = np.ones(flat.size, bool)
    if count:
        kept = flat > known[low]
        ties = np.flatnonzero(flat == known[low])
        kept[ties[: len(ties) - (count - np.count_nonzero(flat < known[low]))]] = True
    return [part.reshape(a.shape) for part, a in zip(np.split(kept, np.cumsum([a.size for a in weights])), weights)]  # noqa: B905


def records(weights, sparsity):
    """A structured array, sorted by its first field."""
    count = _count(weights, sparsity)
    rows = [(abs(float(x)), i, j) for i, array in enumerate(weights) for j, x in enumerate(array.reshape(-1))]
    table = np.array(rows, dtype=[("magnitude", "f8"), ("layer", "i8"), ("place", "i8")])
    gone = np.sort(table, order="magnitude")[:count]
    masks = []
    for i, array in enumerate(weights):
        mask = np.ones(array.size, bool)
        mask[gone["place"][gone["layer"] == i]] = False
        masks.append(mask.reshape(array.shape))
    return masks


def padded_matrix(weights, sparsity):
    """A row for each layer, filled up with infinity, which stays."""
    count = _count(weights, sparsity)
    width = max((array.size for array in weights), default=0)
    table = np.full((len(weights), width), np.inf)
    for row, array in zip(table, weights, strict=True):
        row[: array.size] = np.abs(array).ravel()
    kept = np.ones(table.size, bool)
    kept[np.argsort(table, axis=None, kind="stable")[:count]] = False
    kept = kept.reshape(table.shape)
    return [row[: array.size].reshape(array.shape) for row, array in zip(kept, weights, strict=True)]


def views_of_a_common_mask(weights, sparsity):
    """The masks are written through views."""
    count = _count(weights, sparsity)
    flat = np.hstack([np.abs(array).reshape(-1) for array in weights]) if weights else np.zeros(0)
    common = np.ones(flat.size, bool)
    masks, start = [], 0
    for array in weights:
        masks.append(common[start : start + array.size].reshape(array.shape))
        start += array.size
    common[flat.argsort(kind="mergesort")[:count]] = False
    return masks
