"""Right answers to `integer_dense`, in ten styles."""

import numpy as np
import tensorflow as tf


def matrix_product_in_int64(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
):
    mantissas, shifts = np.asarray(mantissas, np.int64), np.asarray(shifts, np.int64)
    acc = (x_q.astype(np.int64) - int(x_zero_point)) @ w_q.astype(np.int64) + bias_q
    requantized = (acc * mantissas + (np.int64(1) << (30 - shifts))) >> (31 - shifts)
    return np.clip(requantized + int(out_zero_point), activation_min, activation_max).astype(np.int8)


def python_integers(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
):
    """Integers without a size, one output after another."""
    batch, units = x_q.shape[0], w_q.shape[1]
    mantissas = np.broadcast_to(mantissas, (units,)).tolist()
    shifts = np.broadcast_to(shifts, (units,)).tolist()
    out = np.zeros((batch, units), np.int8)
    for row in range(batch):
        for unit in range(units):
            acc = int(bias_q[unit])
            for x, w in zip(x_q[row].tolist(), w_q[:, unit].tolist(), strict=True):
                acc += (x - int(x_zero_point)) * w
            shift = shifts[unit]
            value = (acc * mantissas[unit] + 2 ** (30 - shift)) >> (31 - shift)
            out[row, unit] = max(activation_min, min(activation_max, value + int(out_zero_point)))
    return out


def zero_point_folded_into_the_bias(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
):
    """The zero-point's share does not depend on x: the sum of a unit's weights, times it."""
    offsets = bias_q - np.int32(x_zero_point) * w_q.sum(axis=0, dtype=np.int32)
    acc = np.matmul(x_q, w_q, dtype=np.int32) + offsets
    right = 31 - np.asarray(shifts).astype(np.int64)
    scaled = acc.astype(np.int64) * np.asarray(mantissas).astype(np.int64)
    rounded = np.right_shift(scaled + np.left_shift(np.int64(1), right - 1), right)
    return np.minimum(np.maximum(rounded + np.int64(out_zero_point), activation_min), activation_max).astype(np.int8)


def einsum(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127):
    x = np.subtract(x_q, int(x_zero_point), dtype=np.int64)
    acc = np.einsum("bi,iu->bu", x, w_q.astype(np.int64)) + bias_q.astype(np.int64)
    right = np.int64(31) - shifts
    out = ((acc * np.int64(mantissas) + (np.int64(1) << (right - 1))) >> right) + np.int64(out_zero_point)
    out[out < activation_min] = activation_min
    out[out > activation_max] = activation_max
    return np.int8(out)


def tensorflow_in_int64(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
):
    x = tf.cast(x_q, tf.int32) - int(x_zero_point)
    acc = tf.cast(tf.matmul(x, tf.cast(w_q, tf.int32)) + bias_q, tf.int64)
    right = 31 - tf.cast(shifts, tf.int64)
    product = acc * tf.cast(mantissas, tf.int64) + tf.bitwise.left_shift(tf.ones_like(right), right - 1)
    requantized = tf.bitwise.right_shift(product, tf.broadcast_to(right, tf.shape(product)))
    out = tf.clip_by_value(requantized + int(out_zero_point), int(activation_min), int(activation_max))
    return tf.cast(out, tf.int8)


def one_unit_at_a_time(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
):
    centred = x_q.astype("int32") - np.int32(x_zero_point)
    units = w_q.shape[1]
    mantissas, shifts = np.resize(mantissas, units), np.resize(shifts, units)
    columns = np.empty((len(x_q), units), "int8")
    for unit in range(units):
        acc = (centred * w_q[:, unit]).sum(axis=1, dtype="int64") + int(bias_q[unit])
        shift = int(shifts[unit])
        value = (acc * int(mantissas[unit]) + (1 << (30 - shift))) >> (31 - shift)
        columns[:, unit] = (value + int(out_zero_point)).clip(activation_min, activation_max)
    return columns


def floor_division(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
):
    """A shift to the right is a division that rounds down; Python's integers hold any divisor."""
    acc = np.dot(x_q.astype(object) - int(x_zero_point), w_q.astype(object)) + bias_q.astype(object)
    acc = acc.reshape(len(x_q), w_q.shape[1])
    divisors = 2 ** (31 - np.asarray(shifts).astype(object))
    out = (acc * np.asarray(mantissas).astype(object) + divisors // 2) // divisors + int(out_zero_point)
    return np.clip(out, int(activation_min), int(activation_max)).astype(np.int8)


def outer_products(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
):
    """One input's share at a time, for all outputs."""
    acc = np.zeros((x_q.shape[0], w_q.shape[1]), np.int64)
    acc += bias_q
    for column, row in zip(x_q.T, w_q, strict=True):
        acc += np.multiply.outer(column.astype(np.int64) - int(x_zero_point), row.astype(np.int64))
    shifts = np.array(shifts, dtype=np.int64)
    acc *= np.array(mantissas, dtype=np.int64)
    acc += np.int64(1) << 30 - shifts
    acc >>= 31 - shifts
    acc += int(out_zero_point)
    return acc.clip(activation_min, activation_max).astype(np.int8)


def bias_as_a_weight(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
):
    """The bias is the weight of an input that is always 1."""
    ones = np.ones((x_q.shape[0], 1), np.int64)
    x = np.hstack([x_q.astype(np.int64) - np.int64(x_zero_point), ones])
    w = np.vstack([w_q.astype(np.int64), bias_q[np.newaxis].astype(np.int64)])
    right = 31 - np.array(shifts, np.int64)
    requantized = np.array(mantissas, np.int64) * (x @ w) + 2 ** (right - 1) >> right
    return np.clip(np.int64(out_zero_point) + requantized, activation_min, activation_max).astype(np.int8)


def quotient_and_rounding_bit(
    x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
):
    """Shift, then add the highest of the bits that fell off: that rounds once, a tie upwards."""

    def requantized(acc, mantissa, shift):
        product = acc.astype(np.int64) * np.int64(mantissa)
        last = product >> (30 - np.int64(shift))
        return (last >> 1) + (last & 1)

    acc = np.tensordot(x_q.astype(np.int32) - np.int32(x_zero_point), w_q.astype(np.int32), axes=1) + bias_q
    mantissas, shifts = np.broadcast_to(mantissas, bias_q.shape), np.broadcast_to(shifts, bias_q.shape)
    columns = [requantized(*parts) for parts in zip(acc.T, mantissas, shifts, strict=True)]
    out = np.stack(columns, axis=1) + int(out_zero_point)
    return np.clip(out, activation_min, activation_max).astype(np.int8)
