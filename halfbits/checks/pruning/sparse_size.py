"""sparse_size(weights, value_bytes=4) -> dict: the number of bytes that a matrix takes, dense, as bitmap and as CSR."""

import math
from fractions import Fraction
from itertools import chain

import numpy as np
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import hold_each
from halfbits.checks.pruning.common import hold_error, shuffled, single, use  # noqa: F401
from halfbits.grading.exercise import misconception

CLOSE = 1e-6


def expected(weights, value_bytes=4):
    """The oracle: counts made by hand, `np.packbits` for the bitmap, and a straight line for the point of equal
    size."""
    rows, columns = weights.shape
    values = sum(number != 0 for number in weights.reshape(-1).tolist())
    dense = rows * columns * value_bytes

    def csr(values):
        return values * value_bytes + 4 * values + 4 * (rows + 1)

    at_0, at_1 = csr(rows * columns), csr(0)
    return {
        "dense": dense,
        "bitmap": np.packbits(weights.reshape(-1) != 0).nbytes + values * value_bytes,
        "csr": csr(values),
        "break_even": float(Fraction(at_0 - dense, at_0 - at_1)),
    }


def hold(answer, *groups):
    hold_each(answer, chain(*groups), lambda call: call.equals(expected(*call.arguments), rtol=CLOSE, atol=CLOSE))


def pruned(rows, columns, every=3):
    """A matrix of which every third element is not 0."""
    weights = shuffled(rows, columns)
    return weights * (np.arange(weights.size) % every == 0).reshape(rows, columns)


def test_small(answer):
    """A matrix of 2 × 4"""
    hold(answer, [(single([0, 1, 0, 0], [2, 0, 0, 3]),), (single([1, 2, 3, 4], [5, 6, 7, 8]),)])


def test_shapes(answer):
    """Other shapes, rows and columns unequal"""
    hold(answer, [(pruned(*shape),) for shape in ((3, 8), (8, 3), (16, 2), (2, 16), (10, 10), (4, 32))])


def test_bitmap_in_whole_bytes(answer):
    """Sizes that 8 does not divide"""
    hold(answer, [(pruned(*shape),) for shape in ((1, 9), (3, 3), (3, 5), (5, 7), (2, 2))])


def test_full_and_empty(answer):
    """All zeros, and none"""
    hold(answer, [(np.zeros((4, 6), np.float32),), (shuffled(4, 6),), (np.zeros((4, 6), np.float32), 1)])


def test_value_bytes(answer):
    """Values of 1, 2, 3 and 8 bytes, whatever the array's dtype"""
    hold(answer, [(pruned(5, 8), value_bytes) for value_bytes in (1, 2, 3, 8, 16)])


def test_dtypes(answer):
    """Other dtypes, with 4 bytes a value where none are given"""
    kinds = (np.float64, np.float16, np.int8, np.uint8, np.int64)
    matrix = single([0, 1, 0, 2], [3, 0, 0, 0])
    hold(answer, [(matrix.astype(kind),) for kind in kinds], [(matrix.astype(np.int8), 1)])


def test_near_zero(answer):
    """−0.0 is a zero, 10⁻³⁰ is not, nor 10⁻³⁰⁰ in float64"""
    hold(
        answer,
        [(single([-0.0, 0.0, 1, 2]),), (single([1e-30, 0, -1e-12, 1e-6]),), (single([-1, 1], [-2, 2]),)],
        [(np.array([[1e-300, 0, -1e-60, 1.0]]),)],
    )


def test_break_even_above_one(answer):
    """Narrow matrices, for which CSR never pays"""
    hold(answer, [(pruned(*shape), size) for shape in ((6, 1), (20, 1), (1, 1), (9, 2), (5, 3)) for size in (4, 1)])


def test_layout(answer):
    """Transposed and strided arrays"""
    hold(answer, [(view,) for view in (pruned(4, 6).T, pruned(6, 6)[::2], pruned(6, 6)[:, 1::2])])


def test_like_scipy(answer):
    """As scipy.sparse stores it"""

    def hold_one(call):
        matrix = scipy.sparse.csr_array(call.arguments[0])
        parts = matrix.data, matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        call.equals(expected(*call.arguments) | {"csr": sum(part.nbytes for part in parts)}, rtol=CLOSE, atol=CLOSE)

    hold_each(answer, [(pruned(*shape, every),) for shape in ((7, 9), (9, 7), (30, 20)) for every in (2, 5)], hold_one)


@given(st.integers(1, 9), st.integers(1, 20), st.integers(0, 99), st.sampled_from([4, 1, 2, 8]))
def test_random_matrices(answer, rows, columns, seed, value_bytes):
    """Random matrices"""
    weights = np.random.default_rng(seed).integers(-1, 2, (rows, columns)).astype(np.float32)
    hold(answer, [(weights, value_bytes)])


def test_other_dimensions(answer):
    """An array that does not have two dimensions is a ValueError"""
    hold_error(answer, [(shuffled(*shape),) for shape in ((4,), (2, 3, 4), (1,), (3, 3, 2, 2))])
    hold_error(answer, [(np.array(2.0, np.float32),), (shuffled(1, 2, 3), 1)])


def refused(weights):
    if weights.ndim != 2:
        raise ValueError("a matrix is needed")


def count(weights):
    return int(np.count_nonzero(weights))


def right(weights, value_bytes=4, pointers=None, index_bytes=4, values=None):
    """The right answer, for the misconceptions to be wrong in one place only."""
    refused(weights)
    pointers = 4 * (weights.shape[0] + 1) if pointers is None else pointers
    values = count(weights) if values is None else values
    dense = weights.size * value_bytes
    return {
        "dense": dense,
        "bitmap": -(-weights.size // 8) + values * value_bytes,
        "csr": values * (value_bytes + index_bytes) + pointers,
        "break_even": 1 - (dense - pointers) / ((value_bytes + index_bytes) * weights.size),
    }


@misconception
def bits_in_parts_of_a_byte(weights, value_bytes=4):
    """Your bitmap ends within a byte. It takes whole bytes: round size / 8 up, with `math.ceil`."""
    sizes = right(weights, value_bytes)
    return sizes | {"bitmap": weights.size / 8 + count(weights) * value_bytes}


@misconception
def bits_rounded_down(weights, value_bytes=4):
    """You rounded the bytes of the bitmap down. The last bits need a byte too: round up, with `math.ceil`."""
    return right(weights, value_bytes) | {"bitmap": weights.size // 8 + count(weights) * value_bytes}


@misconception
def one_byte_too_many(weights, value_bytes=4):
    """You added a byte to size // 8. Where 8 divides the size there is no last part of a byte: use `math.ceil(size /
    8)`."""
    return right(weights, value_bytes) | {"bitmap": weights.size // 8 + 1 + count(weights) * value_bytes}


@misconception
def each_row_in_whole_bytes(weights, value_bytes=4):
    """You rounded up the bits of each row. The bitmap runs through: one rounding for the whole array."""
    sizes = right(weights, value_bytes)
    return sizes | {"bitmap": len(weights) * -(-weights.shape[1] // 8) + count(weights) * value_bytes}


@misconception
def a_byte_for_a_bit(weights, value_bytes=4):
    """You counted the bits of the bitmap as bytes. Eight bits are a byte."""
    return right(weights, value_bytes) | {"bitmap": weights.size + count(weights) * value_bytes}


@misconception
def bitmap_without_values(weights, value_bytes=4):
    """Your bitmap has no values. It says where they stand; they come after it."""
    return right(weights, value_bytes) | {"bitmap": -(-weights.size // 8)}


@misconception
def bits_of_the_nonzero(weights, value_bytes=4):
    """You gave a bit to each value that is not 0. The zeros need one as well: that is how they are known."""
    return right(weights, value_bytes) | {"bitmap": -(-count(weights) // 8) + count(weights) * value_bytes}


@misconception
def zeros_counted(weights, value_bytes=4):
    """You stored the zeros and left out the rest. `np.count_nonzero` counts what is stored."""
    return right(weights, value_bytes, values=weights.size - count(weights))


@misconception
def in_single_precision(weights, value_bytes=4):
    """You cast the values to float32, in which the smallest of float64 become 0. Count them as they are."""
    return right(weights, value_bytes, values=count(weights.astype(np.float32)))


@misconception
def near_zeros_counted(weights, value_bytes=4):
    """You took small numbers for zeros (`np.isclose`). Only an exact 0 can be left out."""
    return right(weights, value_bytes, values=int(np.count_nonzero(~np.isclose(weights, 0))))


@misconception
def positive_counted(weights, value_bytes=4):
    """You counted the positive numbers. Negative ones are stored too: `np.count_nonzero`."""
    return right(weights, value_bytes, values=int(np.count_nonzero(weights > 0)))


@misconception
def no_row_pointers(weights, value_bytes=4):
    """You left out the row pointers. There are rows + 1 of them, 4 bytes each."""
    return right(weights, value_bytes, pointers=0)


@misconception
def no_row_pointers_in_csr(weights, value_bytes=4):
    """Your "csr" has no row pointers. There are rows + 1 of them, 4 bytes each."""
    return right(weights, value_bytes) | {"csr": count(weights) * (value_bytes + 4)}


@misconception
def no_last_pointer(weights, value_bytes=4):
    """You counted one row pointer a row. There is one more, for the end of the last row."""
    refused(weights)
    return right(weights, value_bytes, pointers=4 * len(weights))


@misconception
def no_last_pointer_in_csr(weights, value_bytes=4):
    """Your "csr" has one row pointer a row. There is one more, for the end of the last row, as in your "break_even"."""
    sizes = right(weights, value_bytes)
    return sizes | {"csr": sizes["csr"] - 4}


@misconception
def column_pointers(weights, value_bytes=4):
    """You counted a pointer for each column, which is CSC. CSR has them for the rows: rows + 1."""
    refused(weights)
    return right(weights, value_bytes, pointers=4 * (weights.shape[1] + 1))


@misconception
def pointers_in_values(weights, value_bytes=4):
    """You gave the row pointers the size of a value. They are int32, 4 bytes each."""
    return right(weights, value_bytes, pointers=value_bytes * (len(weights) + 1) if weights.ndim else 0)


@misconception
def pointers_as_one_byte(weights, value_bytes=4):
    """You counted the row pointers instead of their bytes. Each has 4."""
    return right(weights, value_bytes, pointers=len(weights) + 1 if weights.ndim else 0)


@misconception
def no_column_indices(weights, value_bytes=4):
    """You left out the column indices. Each value needs one, 4 bytes."""
    return right(weights, value_bytes, index_bytes=0)


@misconception
def indices_of_eight_bytes(weights, value_bytes=4):
    """You counted 8 bytes for an index, an int64 or a row beside the column. CSR has one int32 for each value, its
    column."""
    return right(weights, value_bytes, index_bytes=8)


@misconception
def coordinates(weights, value_bytes=4):
    """You stored a row and a column for each value, which is COO. CSR has the column, and row pointers."""
    return right(weights, value_bytes, index_bytes=8, pointers=0)


@misconception
def indices_in_values(weights, value_bytes=4):
    """You gave the indices and row pointers the size of a value. They are int32, 4 bytes each."""
    refused(weights)
    return right(weights, value_bytes, index_bytes=value_bytes, pointers=value_bytes * (len(weights) + 1))


@misconception
def only_indices_in_values(weights, value_bytes=4):
    """You gave the column indices the size of a value. They are int32, 4 bytes each."""
    return right(weights, value_bytes, index_bytes=value_bytes)


@misconception
def four_bytes_wired_in(weights, value_bytes=4):
    """You counted 4 bytes a value whatever `value_bytes` says."""
    return right(weights)


@misconception
def bytes_of_the_dtype(weights, value_bytes=4):
    """You took the bytes of the array's dtype (`nbytes`, `itemsize`). A value takes `value_bytes`: the matrix may be
    stored in another format than it is held in."""
    return right(weights, weights.itemsize)


@misconception
def dense_of_the_dtype(weights, value_bytes=4):
    """Your "dense" is `weights.nbytes`. A value takes `value_bytes`: the matrix may be stored in another format than it
    is held in."""
    return right(weights, value_bytes) | {"dense": weights.nbytes}


@misconception
def dense_of_the_dtype_throughout(weights, value_bytes=4):
    """Your "dense" is `weights.nbytes`, and "break_even" comes from that. A value takes `value_bytes`: the matrix may
    be stored in another format than it is held in."""
    sizes, pointers = right(weights, value_bytes), 4 * (len(weights) + 1)
    at_equal = 1 - (weights.nbytes - pointers) / ((value_bytes + 4) * weights.size)
    return sizes | {"dense": weights.nbytes, "break_even": at_equal}


@misconception
def stored_in_the_dtype(weights, value_bytes=4):
    """You counted the stored values in bytes of the array's dtype (`values.nbytes`). One takes `value_bytes`, in the
    bitmap and in CSR as in "dense"."""
    sizes, more = right(weights, value_bytes), count(weights) * (weights.itemsize - value_bytes)
    return sizes | {"bitmap": sizes["bitmap"] + more, "csr": sizes["csr"] + more}


@misconception
def dense_in_elements(weights, value_bytes=4):
    """Your "dense" counts elements. Bytes are asked for: times `value_bytes`."""
    return right(weights, value_bytes) | {"dense": weights.size}


@misconception
def dense_without_zeros(weights, value_bytes=4):
    """You left the zeros out of "dense". There every element is stored."""
    return right(weights, value_bytes) | {"dense": count(weights) * value_bytes}


@misconception
def break_even_without_pointers(weights, value_bytes=4):
    """Your "break_even" forgets the row pointers. Set the whole of "csr" equal to "dense", and solve for the number of
    values."""
    return right(weights, value_bytes) | {"break_even": 1 - value_bytes / (value_bytes + 4)}


@misconception
def break_even_of_the_nonzero(weights, value_bytes=4):
    """Your "break_even" is the fraction that is *not* 0. Sparsity is the fraction of zeros: 1 minus that."""
    sizes = right(weights, value_bytes)
    return sizes | {"break_even": 1 - sizes["break_even"]}


@misconception
def break_even_as_a_number(weights, value_bytes=4):
    """Your "break_even" is a number of elements. A sparsity is a fraction: divide by the size."""
    sizes = right(weights, value_bytes)
    return sizes | {"break_even": sizes["break_even"] * weights.size}


@misconception
def break_even_in_percent(weights, value_bytes=4):
    """Your "break_even" is a percentage. A sparsity is a fraction, 1 where all are zeros."""
    sizes = right(weights, value_bytes)
    return sizes | {"break_even": sizes["break_even"] * 100}


@misconception
def break_even_at_most_one(weights, value_bytes=4):
    """You brought "break_even" down to 1. It may exceed 1: then no sparsity is enough, and by how much is worth
    knowing."""
    sizes = right(weights, value_bytes)
    return sizes | {"break_even": min(sizes["break_even"], 1.0)}


@misconception
def break_even_of_the_bitmap(weights, value_bytes=4):
    """Your "break_even" is that of the bitmap. Set "csr" equal to "dense"."""
    sizes = right(weights, value_bytes)
    return sizes | {"break_even": -(-weights.size // 8) / (weights.size * value_bytes)}


@misconception
def break_even_of_csr_and_bitmap(weights, value_bytes=4):
    """Your "break_even" compares CSR with the bitmap. Set "csr" equal to "dense"."""
    sizes = right(weights, value_bytes)
    values = (-(-weights.size // 8) - 4 * (len(weights) + 1)) / 4
    return sizes | {"break_even": 1 - values / weights.size}


@misconception
def break_even_with_whole_values(weights, value_bytes=4):
    """You rounded the number of values at break-even. Leave it as the formula has it, with its fraction."""
    sizes = right(weights, value_bytes)
    values = math.floor((sizes["dense"] - 4 * (len(weights) + 1)) / (value_bytes + 4))
    return sizes | {"break_even": 1 - values / weights.size}


@misconception
def sparsity_of_these_weights(weights, value_bytes=4):
    """Your "break_even" is the sparsity of these weights. It depends on the shape and on `value_bytes` only: set "csr"
    equal to "dense", and solve for the number of values."""
    return right(weights, value_bytes) | {"break_even": 1 - count(weights) / weights.size}


@misconception
def break_even_missing(weights, value_bytes=4):
    """You left out "break_even"."""
    sizes = right(weights, value_bytes)
    del sizes["break_even"]
    return sizes


@misconception
def anything_allowed(weights, value_bytes=4):
    """You did not look whether the array has two dimensions. CSR has rows and columns: raise a ValueError where
    `weights.ndim` is not 2."""
    return right(weights.reshape(len(weights) if weights.ndim else 1, -1), value_bytes)


@misconception
def more_dimensions_only(weights, value_bytes=4):
    """You refuse more than two dimensions, and let fewer pass. Ask `weights.ndim != 2`."""
    if weights.ndim > 2:
        raise ValueError("a matrix is needed")
    return right(np.atleast_2d(weights), value_bytes)


@misconception
def asserted(weights, value_bytes=4):
    """You used `assert`, which raises an AssertionError, and nothing under `python -O`. Raise a ValueError."""
    assert weights.ndim == 2
    return right(weights, value_bytes)


@misconception
def in_kilobytes(weights, value_bytes=4):
    """You divided by 1,024. Bytes are asked for."""
    sizes = right(weights, value_bytes)
    return sizes | {name: sizes[name] / 1024 for name in ("dense", "bitmap", "csr")}


HINTS = (
    "Take a matrix of 2 × 4 with three values, and write down all that each format stores, with its bytes.",
    "bitmap: ⌈size / 8⌉ + values · value_bytes. csr: values · (value_bytes + 4) + 4 · (rows + 1). At break-even csr "
    "is size · value_bytes: solve that for the number of values. The sparsity is 1 − values / size.",
    "`values = np.count_nonzero(weights)`, `pointers = 4 * (weights.shape[0] + 1)`, `break_even = 1 - (weights.size "
    "* value_bytes - pointers) / (value_bytes + 4) / weights.size`. Before that a ValueError where `weights.ndim != "
    "2`.",
)
