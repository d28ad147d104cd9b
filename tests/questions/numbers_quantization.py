"""The numbers of the topic quantization, computed with the course's grid and with NumPy."""

import numpy as np

from halfbits.quantization import error, grid
from tests.questions.computed import computes


@computes("quantization-zero-point-of-range")
def zero_point_of_range():
    return grid([-1.0, 3.0], bits=8, symmetric=False).zero_point


@computes("quantization-two-more-bits")
def two_more_bits():
    x = np.linspace(-1, 1, 100_001)
    six, eight = (error(x, grid(x, bits, symmetric=False)).sqnr for bits in (6, 8))
    return 36 + round(eight - six)


@computes("quantization-int32-room")
def int32_room():
    x, w = np.iinfo(np.int8).min, -np.iinfo(np.int8).max
    return np.iinfo(np.int32).max // (x * w)


@computes("quantization-requantize")
def requantize():
    fraction, shift = np.frexp(0.02 * 0.005 / 0.05)
    multiplier = int(np.rint(fraction * 2**31))
    scaled = (12_345 * multiplier + (1 << (30 - int(shift)))) >> (31 - int(shift))
    return np.clip(scaled - 10, -128, 127)
