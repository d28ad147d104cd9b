"""Floating-point formats as bit layouts: sign, exponent, mantissa, from the top bit down.

Sources: IEEE 754-2019, clause 3.4 (interchange encodings) and 5.3.1 (nextUp, nextDown); the OCP 8-bit
Floating Point Specification, revision 1.0 (2023), for E4M3 and E5M2; NVIDIA's A100 whitepaper (2020) for TF32.

>>> FP16.encode(65504.0), FP16.decode(0x7BFF)
(31743, 65504.0)
>>> BF16.round(257.0)
256.0
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = [
    "BF16",
    "FORMATS",
    "FP8_E4M3",
    "FP8_E5M2",
    "FP16",
    "FP32",
    "FP64",
    "TF32",
    "Fields",
    "FloatFormat",
    "Limits",
]

_FP64_MANTISSA_BITS = 52
_FP64_MANTISSA_MASK = (1 << _FP64_MANTISSA_BITS) - 1
_FP64_INFINITY = 0x7FF << _FP64_MANTISSA_BITS


class Fields(NamedTuple):
    """The three bit fields of a pattern, as unsigned integers (scalars or arrays of the pattern's shape)."""

    sign: int | np.ndarray
    exponent: int | np.ndarray
    mantissa: int | np.ndarray


class Limits(NamedTuple):
    """The landmarks of a format, all exact in float64."""

    max: float
    min_normal: float
    min_subnormal: float
    epsilon: float  # the gap from 1 to the next number above it
    decimal_digits: int  # decimal numbers of so many digits survive the way in and out again


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format of at most 64 bits.

    Args:
        name: what people call it, for example ``"fp16"``.
        exponent_bits: width E of the exponent field; its bias is 2^(E-1) - 1.
        mantissa_bits: width M of the stored mantissa (trailing significand) field, at most 52.
        has_infinity: False for OCP's E4M3 layout, which ml_dtypes calls "fn": no infinities, NaN only where all
            bits below the sign are 1, every other pattern a finite number.
        keeps_nan_payload: whether a NaN that is encoded keeps the top bits of its payload (as NumPy's
            casts do) or becomes the default quiet NaN with its sign (as ml_dtypes' casts do). IEEE 754-2019,
            clause 6.2.3, recommends the first and requires neither.

    Every method takes a scalar or an array-like and answers in kind: Python numbers for scalars, NumPy arrays
    of the same shape for arrays.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    has_infinity: bool = True
    keeps_nan_payload: bool = True

    @property
    def bits(self) -> int:
        """Width of a pattern in bits."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        """What is added to the exponent of a normal number before it is stored."""
        return 2 ** (self.exponent_bits - 1) - 1

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned NumPy integer type that holds a pattern."""
        return np.min_scalar_type((1 << self.bits) - 1)

    @property
    def limits(self) -> Limits:
        """The largest and smallest numbers, the epsilon and the decimal digits of this format."""
        digits = math.floor(self.mantissa_bits * math.log10(2))
        return Limits(
            max=self.decode(self._max_finite),
            min_normal=math.ldexp(1.0, self._min_exponent),
            min_subnormal=math.ldexp(1.0, self._min_exponent - self.mantissa_bits),
            epsilon=math.ldexp(1.0, -self.mantissa_bits),
            decimal_digits=digits,
        )

    def fields(self, pattern) -> Fields:
        """Split patterns into sign, exponent and mantissa.

        Raises:
            ValueError: a pattern is negative, not an integer, or wider than this format.
        """
        array = self._patterns(pattern)
        parts = (
            array >> np.uint64(self.bits - 1),
            (array >> np.uint64(self.mantissa_bits)) & np.uint64(self._exponent_mask),
            array & np.uint64(self._mantissa_mask),
        )
        return Fields(*(_like(pattern, part, self.dtype) for part in parts))

    def decode(self, pattern):
        """The value of each pattern, as float64 (exact).

        Raises:
            ValueError: a pattern is negative, not an integer, or wider than this format.
        """
        array = self._patterns(pattern)
        sign, exponent, mantissa = self.fields(array)
        mantissa = mantissa.astype(np.int64)
        special = self._is_special(array)
        hidden_one = np.where(special | (exponent == 0), 0, 1 << self.mantissa_bits)
        power = np.maximum(np.where(special, 0, exponent.astype(np.int32)), 1) + self._min_exponent - 1
        magnitude = np.ldexp((hidden_one + mantissa).astype(np.float64), power - self.mantissa_bits)
        bits = np.where(special, self._special_as_fp64(array), magnitude.view(np.uint64))
        bits = bits | (sign.astype(np.uint64) << np.uint64(63))
        return _like(pattern, bits.view(np.float64), np.float64)

    def encode(self, value):
        """The pattern nearest to each value: round to nearest, ties to even (IEEE 754-2019, clause 4.3.1).

        Values are taken as float64. What rounds beyond the largest finite number becomes an infinity, or NaN
        where the format has none (as ml_dtypes' casts do).
        """
        with np.errstate(invalid="ignore"):  # widening a signalling NaN raises the flag
            array = np.asarray(value, dtype=np.float64)
        bits = array.view(np.uint64)
        sign = (bits >> np.uint64(63)) << np.uint64(self.bits - 1)
        finite = np.isfinite(array)
        magnitude = np.abs(np.where(finite, array, 0.0))
        exponent = self._exponent_of(magnitude)
        units = np.rint(np.ldexp(magnitude, self.mantissa_bits - exponent))
        # Adding rather than joining the fields lets a mantissa that rounds up carry into the exponent.
        pattern = units.astype(np.uint64) + (
            (exponent - self._min_exponent).astype(np.uint64) << np.uint64(self.mantissa_bits)
        )
        pattern = np.where(finite & (pattern <= self._max_finite), pattern, np.uint64(self._overflow))
        pattern = np.where(np.isnan(array), self._nan_pattern(bits), pattern)
        return _like(value, pattern | sign, self.dtype)

    def round(self, value):
        """Each value rounded to this format and read back as float64."""
        return self.decode(self.encode(value))

    def classify(self, pattern):
        """``"zero"``, ``"subnormal"``, ``"normal"``, ``"inf"`` or ``"nan"`` for each pattern."""
        array = self._patterns(pattern)
        _, exponent, mantissa = self.fields(array)
        special = self._is_special(array)
        kinds = np.select(
            [special & (mantissa == 0) & self.has_infinity, special, exponent > 0, mantissa > 0],
            ["inf", "nan", "normal", "subnormal"],
            default="zero",
        )
        return _like(pattern, kinds, kinds.dtype)

    def ulp(self, value):
        """The gap between the largest representable value <= |value| and the next one above, as float64.

        Among subnormals and at zero it is the smallest subnormal; at the maximum and beyond, the gap of the top
        binade; NaN for infinities and NaN.
        """
        array = np.asarray(value, dtype=np.float64)
        finite = np.isfinite(array)
        exponent = np.minimum(self._exponent_of(np.where(finite, array, 0.0)), self._max_exponent)
        gap = np.ldexp(1.0, exponent - self.mantissa_bits)
        return _like(value, np.where(finite, gap, np.nan), np.float64)

    def next_up(self, pattern):
        """The pattern of the least value above each one (IEEE 754-2019, nextUp).

        NaN and the top of the format stay what they are; the number after -min_subnormal is -0, and after either
        zero comes min_subnormal.
        """
        array = self._patterns(pattern)
        sign_bit = np.uint64(1 << (self.bits - 1))
        top = np.uint64(self._overflow if self.has_infinity else self._max_finite)
        negative = array >= sign_bit
        step = np.where(negative, array - np.uint64(1), array + np.uint64(1))
        step = np.where(array == sign_bit, np.uint64(1), step)
        stays = (self.classify(array) == "nan") | (array == top)
        return _like(pattern, np.where(stays, array, step), self.dtype)

    def next_down(self, pattern):
        """The pattern of the greatest value below each one (IEEE 754-2019, nextDown): -nextUp(-x)."""
        sign_bit = np.uint64(1 << (self.bits - 1))
        mirrored = np.asarray(self._patterns(pattern) ^ sign_bit)  # an operation turns a 0-d array into a scalar
        down = self.next_up(mirrored).astype(np.uint64) ^ sign_bit
        return _like(pattern, down, self.dtype)

    @property
    def _exponent_mask(self) -> int:
        return (1 << self.exponent_bits) - 1

    @property
    def _mantissa_mask(self) -> int:
        return (1 << self.mantissa_bits) - 1

    @property
    def _min_exponent(self) -> int:
        """The exponent of the smallest normal number, and of all subnormals."""
        return 1 - self.bias

    @property
    def _max_exponent(self) -> int:
        """The exponent of the largest finite number."""
        return self.bias if self.has_infinity else self.bias + 1

    @property
    def _overflow(self) -> int:
        """What a magnitude too large becomes, sign bit clear: infinity, or NaN where there is none."""
        return self._exponent_mask << self.mantissa_bits | (0 if self.has_infinity else self._mantissa_mask)

    @property
    def _max_finite(self) -> int:
        return self._overflow - 1

    def _patterns(self, pattern) -> np.ndarray:
        array = np.asarray(pattern)
        if array.dtype.kind not in "iu" and array.size:
            raise ValueError(f"a {self.name} pattern is an integer, not {array.dtype}")
        if array.size and (array.min() < 0 or int(array.max()) >> self.bits):
            raise ValueError(f"a {self.name} pattern lies in 0 … {(1 << self.bits) - 1:#x} ({self.bits} bits)")
        return array.astype(np.uint64)

    def _exponent_of(self, finite: np.ndarray) -> np.ndarray:
        """The power of two of each number's ulp, times 2^mantissa_bits: never below that of the subnormals."""
        # frexp puts the significand in [1/2, 1), IEEE 754 in [1, 2): hence the - 1. It calls zero's exponent 0.
        exponent = np.where(finite == 0, self._min_exponent, np.frexp(finite)[1] - 1)
        return np.maximum(exponent, self._min_exponent)

    def _is_special(self, array: np.ndarray) -> np.ndarray:
        """Where a pattern is an infinity or a NaN."""
        below_sign = array & np.uint64((1 << (self.bits - 1)) - 1)
        return below_sign > np.uint64(self._max_finite)

    def _special_as_fp64(self, array: np.ndarray) -> np.ndarray:
        """The float64 bits of patterns that are infinities or NaNs, sign bit clear."""
        payload = array & np.uint64(self._mantissa_mask)
        return np.uint64(_FP64_INFINITY) | payload << np.uint64(_FP64_MANTISSA_BITS - self.mantissa_bits)

    def _nan_pattern(self, bits: np.ndarray) -> np.ndarray:
        """The pattern for float64 NaNs with these bits, sign bit clear."""
        if not self.has_infinity:
            return np.full_like(bits, self._overflow)
        if not self.keeps_nan_payload:
            return np.full_like(bits, self._overflow | 1 << (self.mantissa_bits - 1))
        payload = (bits & np.uint64(_FP64_MANTISSA_MASK)) >> np.uint64(_FP64_MANTISSA_BITS - self.mantissa_bits)
        # A payload whose top bits are all 0 must not turn into an infinity.
        return np.uint64(self._overflow) | np.maximum(payload, np.uint64(1))


def _like(argument, result: np.ndarray, dtype):
    """The result as a Python number where the argument was a scalar, else as an array of the given type."""
    result = np.asarray(result).astype(dtype, copy=False)
    return result.item() if np.ndim(argument) == 0 and not isinstance(argument, np.ndarray) else result


FP64 = FloatFormat("fp64", 11, 52)
FP32 = FloatFormat("fp32", 8, 23)
TF32 = FloatFormat("tf32", 8, 10)
FP16 = FloatFormat("fp16", 5, 10)
BF16 = FloatFormat("bf16", 8, 7, keeps_nan_payload=False)
FP8_E4M3 = FloatFormat("fp8_e4m3", 4, 3, has_infinity=False, keeps_nan_payload=False)
FP8_E5M2 = FloatFormat("fp8_e5m2", 5, 2, keeps_nan_payload=False)

#: Every format above by its name.
FORMATS = {f.name: f for f in (FP64, FP32, TF32, FP16, BF16, FP8_E4M3, FP8_E5M2)}
