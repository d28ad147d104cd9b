"""Right answers to `dot_with_fp32_accumulator`, in ten styles."""

import functools
import itertools
import operator

import numpy as np


def inner_product_of_wide_copies(a, b):
    return np.inner(np.float32(a), np.float32(b))


def einsum_with_a_dtype(a, b):
    return np.float32(np.einsum("i,i->", a, b, dtype=np.float32))


def loop_over_the_elements(a, b):
    total = np.float32(0)
    for i in range(len(a)):
        total += np.float32(a[i]) * np.float32(b[i])
    return total


def multiply_then_sum(a, b):
    return np.multiply(a, b, dtype=np.float32).sum(dtype=np.float32)


def reduce_with_a_start_value(a, b):
    products = map(operator.mul, a.astype("f4"), b.astype("f4"))
    return functools.reduce(operator.add, products, np.float32(0.0))


def _halves(products):
    if len(products) == 0:
        return np.float32(0)
    if len(products) == 1:
        return products[0]
    middle = len(products) // 2
    return _halves(products[:middle]) + _halves(products[middle:])


def pairwise_recursion(a, b):
    return np.float32(_halves(a.astype(np.float32) * b))


def blocks_of_four_by_matmul(a, b):
    """As a Tensor Core does: four products at a time, their sum added to the accumulator."""
    padding = (0, -len(a) % 4)
    left = np.pad(a, padding).astype(np.float32).reshape(-1, 1, 4)
    right = np.pad(b, padding).astype(np.float32).reshape(-1, 4, 1)
    accumulator = np.zeros((1, 1), np.float32)
    for block in left @ right:
        accumulator = accumulator + block
    return accumulator[0, 0]


def running_sum(a, b):
    start = np.zeros(1, np.float32)
    products = np.concatenate([start, a.astype(np.float32) * b.astype(np.float32)])
    return np.add.accumulate(products)[-1]


def four_accumulators(a, b):
    """Strided lanes, each with its own sum, added up at the end."""
    lanes = [
        sum(itertools.starmap(operator.mul, zip(np.float32(a[lane::4]), np.float32(b[lane::4]), strict=True)))
        for lane in range(4)
    ]
    return np.float32(np.float32(lanes[0] + lanes[1]) + np.float32(lanes[2] + lanes[3]))


def kahan_summation(a, b):
    """The digits that each addition loses are added to the next product."""
    total, lost = np.float32(0), np.float32(0)
    for product in a.astype(np.float32) * b.astype(np.float32):
        with_lost = product - lost
        larger = total + with_lost
        lost = (larger - total) - with_lost if np.isfinite(larger) else np.float32(0)
        total = larger
    return total
