"""The numbers of the topic hardware, counted step by step."""

from fractions import Fraction

import ml_dtypes
import numpy as np

from tests.questions.computed import computes


@computes("hardware-amdahl")
def amdahl():
    before = {"products": 75, "the rest": 25}
    after = before | {"products": Fraction(before["products"], 3)}
    return sum(before.values()) / sum(after.values())


@computes("hardware-relu-bytes")
def relu_bytes():
    read = np.broadcast_to(ml_dtypes.bfloat16(1), 10**8)  # a view: nbytes counts the elements, no memory is taken
    written = np.maximum(read[:1], ml_dtypes.bfloat16(0)).dtype.itemsize * read.size
    return (read.nbytes + written) / 2e12 * 1e6


@computes("hardware-step-time")
def step_time():
    flops = 3 * 10**12 * len(("multiply", "add"))
    return flops / (300e12 * 0.4) * 1e3


@computes("hardware-product-intensity")
def product_intensity():
    side = 1536
    one = np.broadcast_to(ml_dtypes.bfloat16(1), (side, side))
    entries, per_entry = one.size, side * len(("multiply", "add"))
    return entries * per_entry / (one.nbytes + one.nbytes + one.nbytes)  # two inputs and the result
