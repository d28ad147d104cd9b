"""Right answers to `remove_neurons`, in ten styles."""

import operator

import numpy as np
import tensorflow as tf


def _indices(keep):
    return np.flatnonzero(keep) if keep.dtype == bool else keep.astype(np.int64)


def take(kernel_in, bias_in, kernel_out, keep):
    places = _indices(keep)
    return kernel_in.take(places, axis=1), bias_in.take(places), kernel_out.take(places, axis=0)


def tensorflow_gather(kernel_in, bias_in, kernel_out, keep):
    places = tf.constant(_indices(keep))
    return tf.gather(kernel_in, places, axis=1), tf.gather(bias_in, places), tf.gather(kernel_out, places, axis=0)


def selection_matrix(kernel_in, bias_in, kernel_out, keep):
    """Products with columns of the identity."""
    chosen = np.eye(len(bias_in), dtype=np.float32)[:, _indices(keep)]
    return kernel_in @ chosen, bias_in @ chosen, chosen.T @ kernel_out


def delete_or_take(kernel_in, bias_in, kernel_out, keep):
    if keep.dtype == np.bool_:
        gone = np.nonzero(~keep)[0]
        return np.delete(kernel_in, gone, 1), np.delete(bias_in, gone), np.delete(kernel_out, gone, 0)
    return kernel_in[..., keep], bias_in[..., keep], kernel_out[keep, ...]


def compress_the_mask(kernel_in, bias_in, kernel_out, keep):
    if keep.dtype == bool:
        return np.compress(keep, kernel_in, axis=1), np.compress(keep, bias_in), np.compress(keep, kernel_out, axis=0)
    order = list(map(operator.index, keep))
    return kernel_in[:, order], bias_in[order], kernel_out[order, :]


def neuron_by_neuron(kernel_in, bias_in, kernel_out, keep):
    places = _indices(keep).tolist()
    columns = np.stack([kernel_in[:, place] for place in places], axis=1)
    biases = np.array([bias_in[place] for place in places], np.float32)
    return columns, biases, np.stack([kernel_out[place] for place in places])


def everything_side_by_side(kernel_in, bias_in, kernel_out, keep):
    """A row for each neuron with all that belongs to it, cut apart again."""
    rows = np.concatenate([kernel_in.T, bias_in[:, None], kernel_out], axis=1)[keep]
    ins = len(kernel_in)
    return rows[:, :ins].T, rows[:, ins], rows[:, ins + 1 :]


def boolean_mask_of_tensorflow(kernel_in, bias_in, kernel_out, keep):
    if keep.dtype == bool:
        cut = [tf.boolean_mask(kernel_in, keep, axis=1), tf.boolean_mask(bias_in, keep)]
        return (*cut, tf.boolean_mask(kernel_out, keep))
    return tuple(
        tf.gather(array, keep.astype("int32"), axis=axis) for array, axis in _with_axes(kernel_in, bias_in, kernel_out)
    )


def _with_axes(kernel_in, bias_in, kernel_out):
    return (kernel_in, 1), (bias_in, 0), (kernel_out, 0)


def filled_arrays(kernel_in, bias_in, kernel_out, keep):
    places = [i for i, stays in enumerate(keep) if stays] if keep.dtype == bool else [int(i) for i in keep]
    smaller = (
        np.empty((kernel_in.shape[0], len(places)), np.float32),
        np.empty(len(places), np.float32),
        np.empty((len(places), kernel_out.shape[1]), np.float32),
    )
    for new, old in enumerate(places):
        smaller[0][:, new], smaller[1][new], smaller[2][new] = kernel_in[:, old], bias_in[old], kernel_out[old]
    return smaller


def open_mesh(kernel_in, bias_in, kernel_out, keep):
    """np.ix_ understands masks and indices alike."""
    inputs, outputs = np.arange(kernel_in.shape[0]), np.arange(kernel_out.shape[1])
    return kernel_in[np.ix_(inputs, keep)], bias_in[np.ix_(keep)], kernel_out[np.ix_(keep, outputs)]
