"""The numbers of the topic pruning, counted on arrays."""

import numpy as np

from halfbits.pruning import n_of_m_mask, polynomial_sparsity, strongest_units
from tests.questions.computed import computes


@computes("pruning-kernel-between")
def kernel_between():
    draw = np.random.default_rng(0)
    weights = [draw.normal(size=shape) for shape in [(20, 40), 40, (40, 60), 60, (60, 10), 10]]
    smaller, _ = strongest_units(weights, (20, 30))
    return 100 * smaller[2].size / weights[2].size


@computes("pruning-cubic-halfway")
def cubic_halfway():
    return 100 * polynomial_sparsity(50, 0, 100, 0.0, 0.8)


@computes("pruning-two-of-four-in-int8")
def two_of_four_in_int8():
    kernel = np.random.default_rng(0).integers(-127, 128, (1024, 1024)).astype(np.int8)
    mask = n_of_m_mask(kernel, 2, 4, axis=0)
    values = kernel[mask]
    places = np.nonzero(mask)[0] % 4
    bits = places[:, np.newaxis] >> np.arange(2) & 1  # 0 to 3: two bits each
    return (values.nbytes + np.packbits(bits.astype(bool)).nbytes) / 1024


@computes("pruning-rows-behind-flatten")
def rows_behind_flatten():
    maps = np.zeros((7, 7, 32), bool)
    maps[..., :8] = True  # the channels that are removed
    kernel = np.zeros((maps.size, 10))
    return kernel[maps.ravel()].size


@computes("pruning-csr-in-int8")
def csr_in_int8():
    elements = 3_000_000
    left = np.arange(elements + 1)
    csr = left * (np.dtype(np.int8).itemsize + np.dtype(np.int16).itemsize)
    smaller = csr < elements * np.dtype(np.int8).itemsize
    return 100 * (1 - left[smaller].max() / elements)
