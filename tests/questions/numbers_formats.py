"""The numbers of the topic formats, computed with NumPy and ml_dtypes, which know nothing of the course."""

import ml_dtypes
import numpy as np

from tests.questions.computed import computes

bfloat16 = ml_dtypes.bfloat16


@computes("formats-first-missing-integer")
def first_missing_integer():
    integers = np.arange(1, 10_000, dtype=np.float32)
    return integers[integers.astype(np.float16).astype(np.float32) != integers][0]


@computes("formats-bf16-sum-stalls")
def bf16_sum_stalls():
    total = bfloat16(0)
    while total + bfloat16(1) != total:
        total = total + bfloat16(1)
    return total


@computes("formats-largest-e4m3")
def largest_e4m3():
    numbers = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    return numbers[np.isfinite(numbers)].max()


@computes("formats-lost-update")
def lost_update():
    updates = np.arange(1, 0x7F80, dtype=np.uint16).view(bfloat16)  # every positive finite one
    lost = updates[bfloat16(4) + updates == bfloat16(4)].max()
    above = np.nextafter(np.float32(4) + np.float32(lost), np.float32(8))
    assert above.astype(bfloat16) > bfloat16(4)  # nor is a larger one lost that bf16 does not have
    return lost


@computes("formats-decode-fp16")
def decode_fp16():
    return np.array([0b1_10001_0100000000], np.uint16).view(np.float16)[0]
