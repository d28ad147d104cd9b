"""Right answers to `neuron_scores`, in ten styles."""

import math

import keras
import numpy as np
import tensorflow as tf


def sums_of_squares(kernel_in, bias_in, kernel_out):
    wide_in, wide_bias, wide_out = (array.astype(np.float64) for array in (kernel_in, bias_in, kernel_out))
    return np.sqrt((wide_in**2).sum(axis=0) + wide_bias**2) * np.sqrt((wide_out**2).sum(axis=1))


def einsum_in_float64(kernel_in, bias_in, kernel_out):
    a, b, c = np.float64(kernel_in), np.float64(bias_in), np.float64(kernel_out)
    incoming = np.einsum("iu,iu->u", a, a) + np.einsum("u,u->u", b, b)
    return np.sqrt(incoming) * np.sqrt(np.einsum("uo,uo->u", c, c))


def hypot_of_norm_and_bias(kernel_in, bias_in, kernel_out):
    incoming = np.hypot(np.linalg.norm(kernel_in, axis=0), bias_in)
    return incoming * np.linalg.norm(kernel_out, axis=1)


def tensorflow_norms(kernel_in, bias_in, kernel_out):
    incoming = tf.norm(tf.concat([kernel_in, bias_in[None]], axis=0), axis=0)
    return incoming * tf.norm(kernel_out, axis=1)


def neuron_by_neuron(kernel_in, bias_in, kernel_out):
    scores = []
    for unit, bias in enumerate(bias_in.tolist()):
        scores.append(math.hypot(*kernel_in[:, unit].tolist(), bias) * math.hypot(*kernel_out[unit].tolist()))
    return np.array(scores)


def keras_ops(kernel_in, bias_in, kernel_out):
    ops = keras.ops
    incoming = ops.sum(ops.square(kernel_in), axis=0) + ops.square(bias_in)
    return ops.sqrt(incoming) * ops.sqrt(ops.sum(ops.square(kernel_out), axis=-1))


def diagonals_of_products(kernel_in, bias_in, kernel_out):
    first = np.vstack([kernel_in, bias_in[np.newaxis]]).astype(np.float64)
    second = kernel_out.astype(np.float64)
    return np.sqrt(np.diagonal(first.T @ first)) * np.sqrt(np.diagonal(second @ second.T))


def folded_with_hypot(kernel_in, bias_in, kernel_out):
    """hypot.reduce adds a square after the other, without overflow."""
    incoming = np.hypot.reduce(np.concatenate([kernel_in.astype(float), bias_in.astype(float)[None]]), axis=0)
    return incoming * np.hypot.reduce(kernel_out.astype(float), axis=1)


def scaled_by_the_largest(kernel_in, bias_in, kernel_out):
    """The largest number taken out first, as BLAS does it."""

    def norms(rows):
        rows = np.abs(rows.astype(np.float64))
        largest = rows.max(axis=1)
        safe = np.where(largest > 0, largest, 1)
        return largest * np.sqrt(np.mean((rows / safe[:, None]) ** 2, axis=1) * rows.shape[1])

    return norms(np.column_stack([kernel_in.T, bias_in])) * norms(kernel_out)


def norm_of_the_outer_product(kernel_in, bias_in, kernel_out):
    """The Frobenius norm of an outer product is the product of the norms."""
    incoming = np.vstack([kernel_in, bias_in]).astype(np.float64)
    outer = incoming[:, :, None] * kernel_out.astype(np.float64)[None]
    return np.sqrt(np.square(outer).sum(axis=(0, 2)))
