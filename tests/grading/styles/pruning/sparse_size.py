"""Right answers to `sparse_size`, in ten styles."""

from collections import OrderedDict
from fractions import Fraction

import numpy as np
import tensorflow as tf


def _shape(weights):
    if len(weights.shape) != 2:
        raise ValueError("not a matrix")
    return weights.shape


def terms_one_by_one(weights, value_bytes=4):
    rows, columns = _shape(weights)
    nonzero = int((weights != 0).sum())
    values, indices, pointers = nonzero * value_bytes, nonzero * 4, (rows + 1) * 4
    return {
        "dense": rows * columns * value_bytes,
        "bitmap": (rows * columns + 7) // 8 + values,
        "csr": values + indices + pointers,
        "break_even": 1 - (rows * columns * value_bytes - pointers) / (rows * columns * (value_bytes + 4)),
    }


def arrays_built_and_measured(weights, value_bytes=4):
    """Makes the parts of each format and asks for their bytes."""
    rows, columns = _shape(weights)
    row_of, column_of = np.nonzero(weights)
    values = len(row_of) * value_bytes
    indices = column_of.astype(np.int32)
    pointers = np.concatenate([[0], np.cumsum(np.bincount(row_of, minlength=rows))]).astype(np.int32)
    bits = np.packbits(weights.astype(bool).ravel() if weights.dtype != object else weights)
    size = rows * columns
    return {
        "dense": size * value_bytes,
        "bitmap": bits.nbytes + values,
        "csr": values + indices.nbytes + pointers.nbytes,
        "break_even": (4 * size + 4 * (rows + 1)) / (size * (value_bytes + 4)),
    }


def counted_row_by_row(weights, value_bytes=4):
    rows, columns = _shape(weights)
    csr = 4
    nonzero = 0
    for row in weights.tolist():
        here = sum(number != 0 for number in row)
        nonzero += here
        csr += here * (value_bytes + 4) + 4
    dense = rows * columns * value_bytes
    bitmap = -(-rows * columns // 8) + nonzero * value_bytes
    return dict(
        dense=dense, bitmap=bitmap, csr=csr, break_even=1 - (dense - 4 * rows - 4) / (value_bytes + 4) / weights.size
    )


def exact_break_even(weights, value_bytes=4):
    rows, columns = _shape(weights)
    nonzero = np.count_nonzero(weights)
    equal = Fraction(rows * columns * value_bytes - 4 * (rows + 1), value_bytes + 4)
    return {
        "dense": weights.size * value_bytes,
        "bitmap": int(np.ceil(weights.size / 8)) + int(nonzero) * value_bytes,
        "csr": 4 * (rows + 1) + int(nonzero) * (4 + value_bytes),
        "break_even": float(1 - equal / weights.size),
    }


def in_an_ordered_dict(weights, value_bytes=4):
    rows, columns = _shape(weights)
    total, zeros = rows * columns, int(np.sum(weights == 0))
    sizes = OrderedDict()
    sizes["dense"] = total * value_bytes
    sizes["bitmap"] = total // 8 + bool(total % 8) + (total - zeros) * value_bytes
    sizes["csr"] = (total - zeros) * (value_bytes + 4) + rows * 4 + 4
    sizes["break_even"] = 4 * (total + rows + 1) / (total * (value_bytes + 4))
    return sizes


def tensorflow_counts(weights, value_bytes=4):
    rows, columns = _shape(weights)
    nonzero = int(tf.math.count_nonzero(tf.constant(weights != 0)))
    size = rows * columns
    return {
        "csr": nonzero * value_bytes + 4 * nonzero + 4 * (rows + 1),
        "dense": size * value_bytes,
        "bitmap": (size + (-size % 8)) // 8 + nonzero * value_bytes,
        "break_even": float((size + rows + 1) * 4 / (size * (4 + value_bytes))),
    }


def line_through_two_points(weights, value_bytes=4):
    """CSR is linear in the sparsity: its sizes at 0 and at 1 give the place where it meets the dense size."""
    rows, columns = _shape(weights)

    def csr(nonzero):
        return nonzero * (value_bytes + 4) + 4 * (rows + 1)

    size, nonzero = rows * columns, int(np.count_nonzero(weights))
    full, empty, dense = csr(size), csr(0), size * value_bytes
    return {
        "dense": dense,
        "bitmap": len(range(0, size, 8)) + nonzero * value_bytes,
        "csr": csr(nonzero),
        "break_even": (full - dense) / (full - empty),
    }


def numpy_integers(weights, value_bytes=4):
    rows, columns = _shape(weights)
    size, nonzero = np.int64(rows * columns), np.count_nonzero(weights)
    return {
        "dense": size * value_bytes,
        "bitmap": np.int64((size + 7) >> 3) + nonzero * value_bytes,
        "csr": np.int64(nonzero * (value_bytes + 4) + ((rows + 1) << 2)),
        "break_even": np.float64(1) - (size * value_bytes - 4 * (rows + 1)) / ((value_bytes + 4) * size),
    }


def places_in_a_list(weights, value_bytes=4):
    rows, columns = _shape(weights)
    places = [(i, j) for i in range(rows) for j in range(columns) if weights[i, j]]
    keys = "dense", "bitmap", "csr", "break_even"
    size, values = rows * columns, len(places) * value_bytes
    numbers = (
        value_bytes * size,
        divmod(size + 7, 8)[0] + values,
        values + 4 * len(places) + 4 * (1 + rows),
        1 - (value_bytes - 4 * (rows + 1) / size) / (value_bytes + 4),
    )
    return dict(zip(keys, numbers, strict=True))


class _Csr:
    def __init__(self, weights, value_bytes):
        self.rows, self.columns = _shape(weights)
        self.nonzero, self.value_bytes = int(np.count_nonzero(weights)), value_bytes
        self.size = self.rows * self.columns

    @property
    def dense(self):
        return self.size * self.value_bytes

    @property
    def bitmap(self):
        return (self.size - 1) // 8 + 1 + self.nonzero * self.value_bytes

    @property
    def csr(self):
        return self.nonzero * (self.value_bytes + 4) + 4 * self.rows + 4

    @property
    def break_even(self):
        return 1.0 - (self.dense - 4.0 * (self.rows + 1)) / (self.value_bytes + 4.0) / self.size


def object_with_properties(weights, value_bytes=4):
    sizes = _Csr(weights, value_bytes)
    return {name: getattr(sizes, name) for name in ("dense", "bitmap", "csr", "break_even")}
