"""Right answers to `fold_batch_norm`, in ten styles."""

import keras
import numpy as np
import tensorflow as tf


def broadcast_over_the_last_axis(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    if bias is None:
        bias = np.zeros_like(beta)
    return kernel * factor, (bias - mean) * factor + beta


def channel_by_channel(kernel, bias, gamma, beta, mean, variance, epsilon):
    folded, shifts = kernel.copy(), beta.copy()
    for channel in range(kernel.shape[-1]):
        factor = gamma[channel] / (variance[channel] + epsilon) ** 0.5
        folded[..., channel] *= factor
        shifts[channel] += ((0 if bias is None else bias[channel]) - mean[channel]) * factor
    return folded, shifts


def tensorflow_ops(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma * tf.math.rsqrt(variance + epsilon)
    bias = tf.zeros_like(mean) if bias is None else bias
    return tf.multiply(kernel, factor), beta + factor * tf.subtract(bias, mean)


def diagonal_matrix(kernel, bias, gamma, beta, mean, variance, epsilon):
    """Scaling the outputs is a product with a diagonal matrix."""
    scaling = np.diag(gamma / np.sqrt(variance + epsilon))
    start = -mean if bias is None else bias - mean
    return (kernel @ scaling).astype(np.float32), (start @ scaling + beta).astype(np.float32)


def in_float64(kernel, bias, gamma, beta, mean, variance, epsilon):
    gamma, beta, mean, variance = (np.float64(array) for array in (gamma, beta, mean, variance))
    deviation = np.sqrt(variance + epsilon)
    folded = kernel * (gamma / deviation)
    shift = beta - gamma * mean / deviation
    if bias is not None:
        shift += bias * gamma / deviation
    return np.float32(folded), np.float32(shift)


def einsum(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma * np.power(variance + epsilon, -0.5)
    kernel = np.einsum("...c,c->...c", kernel, factor)
    offsets = [bias, -mean] if bias is not None else [-mean]
    return kernel, np.einsum("nc,c->c", np.stack(offsets), factor) + beta


def normalized_bias(kernel, bias, gamma, beta, mean, variance, epsilon):
    """The new bias is what the normalization makes of the old one."""

    def normalize(y):
        return gamma * (y - mean) / np.sqrt(variance + epsilon) + beta

    at_zero = normalize(np.zeros_like(mean))
    return kernel * (normalize(np.ones_like(mean)) - at_zero), at_zero if bias is None else normalize(bias)


def kernel_as_a_matrix(kernel, bias, gamma, beta, mean, variance, epsilon):
    """A row for each input and a last one for the bias, all scaled at once."""
    last = -mean if bias is None else bias - mean
    rows = np.vstack([kernel.reshape(-1, kernel.shape[-1]), last])
    rows = rows * (gamma / np.sqrt(variance + np.float32(epsilon)))
    return rows[:-1].reshape(kernel.shape), rows[-1] + beta


def keras_ops(kernel, bias, gamma, beta, mean, variance, epsilon):
    ops = keras.ops
    factor = ops.divide(gamma, ops.sqrt(ops.add(variance, epsilon)))
    moved = ops.negative(mean) if bias is None else ops.subtract(bias, mean)
    return ops.multiply(kernel, factor), ops.add(ops.multiply(moved, factor), beta)


def list_of_channels(kernel, bias, gamma, beta, mean, variance, epsilon):
    biases = [0.0] * len(mean) if bias is None else bias
    kernels, shifts = [], []
    for part, b, g, shift, m, v in zip(np.moveaxis(kernel, -1, 0), biases, gamma, beta, mean, variance, strict=True):
        factor = g / np.sqrt(v + epsilon)
        kernels.append(part * factor)
        shifts.append((b - m) * factor + shift)
    return np.stack(kernels, axis=-1).astype(np.float32), np.array(shifts, np.float32)
