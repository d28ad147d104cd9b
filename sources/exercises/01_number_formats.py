# %% [markdown]
# # Exercises 01: number formats
#
# Seven small functions that show you know what the bits mean. The lesson is
# [02 Number formats](../notebooks/02_number_formats.ipynb); no TensorFlow is needed here.
#
# **How it works.** Each exercise is a function with its contract in the docstring. Put your code in place of
# `raise NotImplementedError`, run the cell, run the `check(…)` cell under it. The check says which properties hold,
# shows a small input that breaks the others, and often names the mistake. Run the cells one by one: *Run All* stops at
# the first check that fails. Then:
#
# - `hint(decode)` gives a hint; run it again for the next one, there are three.
# - `reveal(decode)` shows our solution.
# - `progress()` shows where you stand. It is kept when you close the notebook.
# - `make reset NOTEBOOK=01_number_formats`, in a terminal, gives you an empty notebook and keeps a dated copy of yours.
#
# **How it is written.** `2^x` in the text is a power; in Python write `2**x` (there `^` is exclusive or).
# `0b1_0001_000` is a pattern in binary, cut into its fields: sign 1, exponent field 1, mantissa field 0.
#
# The words used throughout: a format has one **sign** bit (符号位), then *E* **exponent** bits (指数位), then *M*
# **mantissa** bits (尾数位), from the top bit down. Its **bias** (偏置) is 2^(E−1) − 1.
#
# | | E | M | bias |
# |---|---|---|---|
# | fp16 (IEEE binary16) | 5 | 10 | 15 |
# | bf16 (bfloat16) | 8 | 7 | 127 |
# | fp32 (IEEE binary32) | 8 | 23 | 127 |

# %%
import math

import ml_dtypes  # gives NumPy the type ml_dtypes.bfloat16
import numpy as np

from halfbits.grading import check, hint, progress, reveal

# %% [markdown]
# ## 1. From bits to a number
#
# Every format of this family is read in the same way. Let *e* be the exponent field and *m* the mantissa field,
# both read as unsigned integers:
#
# | exponent field | the value is |
# |---|---|
# | neither all zeros nor all ones | normal: ± (1 + m / 2^M) · 2^(e − bias) |
# | all zeros | zero or subnormal: ± (m / 2^M) · 2^(1 − bias) |
# | all ones | ± infinity if m = 0, else NaN |
#
# `decode(0b0_10000_1000000000, 5, 10)` is 3.0: the sign is 0, *e* = 16 and *m* = 512, so (1 + 512/1024) · 2^(16 − 15).


# %%
def decode(bits: int, exponent_bits: int, mantissa_bits: int) -> float:
    """The value of an IEEE-754-style bit pattern.

    Args:
        bits: the pattern, an integer of 1 + exponent_bits + mantissa_bits bits: sign,
            exponent, mantissa, from the top.
        exponent_bits: the width E of the exponent field, 2 to 11.
        mantissa_bits: the width M of the mantissa field, 1 to 52.

    Returns:
        The value as a Python float (all these formats fit into one exactly), with
        subnormals, the two zeros 0.0 and -0.0, the two infinities, and NaN.
    """
    ### BEGIN SOLUTION
    sign = bits >> (exponent_bits + mantissa_bits)
    exponent = (bits >> mantissa_bits) & (2**exponent_bits - 1)
    mantissa = bits & (2**mantissa_bits - 1)
    bias = 2 ** (exponent_bits - 1) - 1
    if exponent == 2**exponent_bits - 1:
        magnitude = math.nan if mantissa else math.inf
    elif exponent == 0:
        magnitude = mantissa / 2**mantissa_bits * 2.0 ** (1 - bias)
    else:
        magnitude = (1 + mantissa / 2**mantissa_bits) * 2.0 ** (exponent - bias)
    return -magnitude if sign else magnitude
    ### END SOLUTION


# %%
check(decode)

# %% [markdown]
# ## 2. The limits of a format
#
# Two widths decide everything. Work out from them, without a table, the landmarks that say how far the format reaches
# and how fine it is; together they are its limits:
#
# - `bias`;
# - `max`, the largest finite number;
# - `min_normal` and `min_subnormal`, the smallest positive number of each kind;
# - `epsilon`, the gap between 1 and the next larger number.
#
# (OCP's E4M3 is not of this family: it has no infinities and its max is 448. By these rules E = 4, M = 3 gives 240.)


# %%
def format_limits(exponent_bits: int, mantissa_bits: int) -> dict:
    """The limits of the IEEE-754-style format with these field widths.

    Args:
        exponent_bits: the width E of the exponent field, 2 to 11.
        mantissa_bits: the width M of the mantissa field, 1 to 52.

    Returns:
        A dict with exactly the keys "bias", "max", "min_normal", "min_subnormal" and
        "epsilon", all without rounding error (ints or floats).
    """
    ### BEGIN SOLUTION
    bias = 2 ** (exponent_bits - 1) - 1
    epsilon = 2.0**-mantissa_bits
    return {
        "bias": bias,
        "max": (2 - epsilon) * 2.0**bias,
        "min_normal": 2.0 ** (1 - bias),
        "min_subnormal": 2.0 ** (1 - bias - mantissa_bits),
        "epsilon": epsilon,
    }
    ### END SOLUTION


# %%
check(format_limits)

# %% [markdown]
# ## 3. Rounding to bfloat16, on the bits
#
# A bf16 is the upper half of an fp32. Keeping the upper 16 bits *truncates*; today's libraries and most hardware
# **round to nearest, ties to even** (舍入到最近，向偶数舍入), and so shall you, with integer arithmetic on the bit
# patterns. `x.view(np.uint32)` gives the patterns of a float32 array. `np.isnan` and `np.where` are fine; `ml_dtypes`
# and `tf.cast` would do it all for you, so they are not allowed here.


# %%
def round_to_bfloat16(x: np.ndarray) -> np.ndarray:
    """Round float32 values to the nearest bfloat16, ties to even, on their bits.

    Args:
        x: a float32 array of any shape, shape () too; it is not changed.

    Returns:
        A float32 array of the same shape whose values are bfloat16 numbers, or NaN. NaN
        stays NaN (any NaN will do), infinities stay, and values that round beyond the
        largest bfloat16 become infinities.
    """
    ### BEGIN SOLUTION
    bits = x.view(np.uint32)
    # Add half of the lowest kept bit, less one unless that bit is 1: a tie goes up only then.
    lowest_kept_bit = (bits >> 16) & 1
    rounded = ((bits + 0x7FFF + lowest_kept_bit) >> 16) << 16
    # The addition could carry a NaN's mantissa into the sign bit, or drop all of it.
    return np.where(np.isnan(x), x, rounded.view(np.float32))
    ### END SOLUTION


# %%
check(round_to_bfloat16)

# %% [markdown]
# ## 4. The gap to the next number
#
# The **ulp** (unit in the last place, 最后一位上的单位值) of *x* is the gap between the largest representable value
# that is at most |x| and the next one above it. *x* itself need not be representable. The gap is the same in a whole
# **binade** (the numbers from one power of two up to the next). Below the smallest normal number it no longer shrinks.


# %%
def ulp(x: float, exponent_bits: int, mantissa_bits: int) -> float:
    """The gap between the format's largest number <= |x| and the next one above it.

    Args:
        x: any float.
        exponent_bits: the width E of the exponent field, 2 to 11.
        mantissa_bits: the width M of the mantissa field, 1 to 52.

    Returns:
        The gap; the smallest subnormal at zero and among subnormals; the gap of the
        topmost binade at the largest finite number and beyond; NaN for infinities and NaN.
    """
    ### BEGIN SOLUTION
    if not math.isfinite(x):
        return math.nan
    bias = 2 ** (exponent_bits - 1) - 1
    min_exponent, max_exponent = 1 - bias, bias
    # frexp writes |x| as s · 2^k with s in [1/2, 1), so the exponent of a normal number is k - 1.
    exponent = math.frexp(x)[1] - 1 if x else min_exponent
    exponent = min(max(exponent, min_exponent), max_exponent)
    return math.ldexp(1.0, exponent - mantissa_bits)
    ### END SOLUTION


# %%
check(ulp)

# %% [markdown]
# ## 5. The update that changes nothing
#
# Training adds small updates to larger weights. As a rule, an update smaller than half the distance to the next number
# on its side is rounded away: nothing was learnt. (An exact half goes to the even neighbour, and below a power of two
# the distance is half as large.) This is why mixed precision keeps its weights in fp32.
#
# Do not test the rule. Do what training does: store, store, add, compare.


# %%
def update_is_lost(weight: float, update: float, dtype) -> bool:
    """Whether adding an update to a weight in a number format leaves the weight as it was.

    Args:
        weight, update: finite numbers, exact in float32, within the range of `dtype`.
        dtype: np.float16, ml_dtypes.bfloat16 or np.float32.

    Returns:
        True if weight + update, both first stored in `dtype` and the sum rounded to it,
        equals the stored weight.
    """
    ### BEGIN SOLUTION
    stored = np.array(weight, dtype=dtype)
    total = (stored + np.array(update, dtype=dtype)).astype(dtype)
    return bool(total == stored)
    ### END SOLUTION


# %%
check(update_is_lost)

# %% [markdown]
# ## 6. A dot product with an fp32 accumulator
#
# Tensor Cores and their kin multiply fp16 numbers and add the products up in fp32. Do the same: the product of two
# fp16 numbers is exact in fp32, while in fp16 it may overflow, and a long fp16 sum stalls.


# %%
def dot_with_fp32_accumulator(a: np.ndarray, b: np.ndarray) -> np.float32:
    """The dot product of two float16 vectors, with products and sums in float32.

    Args:
        a, b: 1-D float16 arrays of the same length, which may be 0; they are not changed.

    Returns:
        The dot product, a float32 scalar. The sum may be taken in any order; the check
        allows for float32's own rounding.
    """
    ### BEGIN SOLUTION
    return np.dot(a.astype(np.float32), b.astype(np.float32))
    ### END SOLUTION


# %%
check(dot_with_fp32_accumulator)

# %% [markdown]
# ## 7. Which format will do?
#
# An interviewer gives you magnitudes and an error that is acceptable, and asks for a format. The **unit roundoff**
# (单位舍入误差) is half the epsilon: in the range of the normal numbers, rounding to nearest moves a number by less
# than that share of its size.


# %%
def choose_format(smallest: float, largest: float, relative_error: float) -> str:
    """The first of "float16", "bfloat16" and "float32" that is good enough.

    A format will do if all magnitudes from `smallest` to `largest` are in the range of its
    normal numbers, and its unit roundoff (half its epsilon) is at most `relative_error`.

    Args:
        smallest, largest: positive finite numbers, smallest <= largest.
        relative_error: a positive number.

    Raises:
        ValueError: none of the three will do.
    """
    ### BEGIN SOLUTION
    for name, exponent_bits, mantissa_bits in (
        ("float16", 5, 10),
        ("bfloat16", 8, 7),
        ("float32", 8, 23),
    ):
        limits = format_limits(exponent_bits, mantissa_bits)
        in_range = limits["min_normal"] <= smallest and largest <= limits["max"]
        if in_range and limits["epsilon"] / 2 <= relative_error:
            return name
    raise ValueError(
        f"no format holds [{smallest}, {largest}] with a relative error of {relative_error}"
    )
    ### END SOLUTION


# %%
check(choose_format)

# %% [markdown]
# ## Where you stand

# %% tags=["nbval-ignore-output"]
progress()
