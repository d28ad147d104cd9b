"""Uniform quantization: the grid of real numbers that b-bit integers stand for, and what rounding to it costs.

    real = scale · (q − zero_point)

>>> g = grid([-0.3, 0.0, 1.2], bits=8, symmetric=False)
>>> g.quantize([-0.3, 0.0, 1.2]).tolist(), int(g.zero_point)
([0, 51, 255], 51)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Error", "Grid", "error", "grid"]


class Grid(NamedTuple):
    """Evenly spaced numbers; scale and zero-point are 0-d, or one a channel in a shape that broadcasts."""

    scale: np.ndarray
    zero_point: np.ndarray
    qmin: int
    qmax: int

    @property
    def low(self) -> np.ndarray:
        """The smallest number of the grid, in the unit of the tensor."""
        return self.dequantize(self.qmin)

    @property
    def high(self) -> np.ndarray:
        """The largest number of the grid."""
        return self.dequantize(self.qmax)

    def quantize(self, x) -> np.ndarray:
        """The nearest integer of the grid, int32; what lies outside takes the end (clipping)."""
        q = np.rint(np.asarray(x, np.float64) / self.scale) + self.zero_point
        return np.clip(q, self.qmin, self.qmax).astype(np.int32)

    def dequantize(self, q) -> np.ndarray:
        """The real numbers, float64, that integers stand for."""
        return self.scale * (np.asarray(q, np.int64) - self.zero_point)

    def round(self, x) -> np.ndarray:
        """The nearest numbers of the grid, float64."""
        return self.dequantize(self.quantize(x))


class Error(NamedTuple):
    """What a grid costs: two parts of the mean squared error, in the tensor's unit squared, and the ratio in dB."""

    rounding: float
    clipping: float
    sqnr: float


def grid(x, bits: int, symmetric: bool = True, axis: int | None = None, clip: float = 1.0) -> Grid:
    """The grid for the range of a tensor, widened to hold 0.

    Args:
        x: the numbers; a tensor of zeros gets the scale 1.
        bits: 2 or more. Symmetric: −(2^(b−1) − 1) … 2^(b−1) − 1 with the zero-point 0. Else 0 … 2^b − 1.
        axis: the axis of the channels, each of which gets its own grid; None for one grid.
        clip: the share of the range that the grid covers, above 0 and at most 1.
    """
    x = np.asarray(x, np.float64)
    others = None if axis is None else tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    keep = axis is not None
    low, high = np.minimum(x.min(others, keepdims=keep), 0), np.maximum(x.max(others, keepdims=keep), 0)
    if symmetric:
        qmin, qmax = 1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1
        scale = clip * np.maximum(-low, high) / qmax
    else:
        qmin, qmax = 0, 2**bits - 1
        scale = clip * (high - low) / qmax
    scale = np.where(scale > 0, scale, 1.0)
    # A tie goes up, as in the browser's Math.round: a range of equal arms lies on one.
    zero_point = np.floor(-clip * low / scale + 0.5) if not symmetric else np.zeros_like(scale)
    return Grid(scale, zero_point.astype(np.int64), qmin, qmax)


def error(x, g: Grid) -> Error:
    """The error of rounding a tensor to a grid, split: what lies outside the grid is clipped, the rest is rounded.

    The signal-to-quantization-noise ratio (SQNR) is 10 · log10(mean x² / mean error²) dB, infinite without an error.
    """
    x = np.asarray(x, np.float64)
    squared = (x - g.round(x)) ** 2
    # The end of the grid is the end of the range but for the last bits of float64: not outside.
    hair = 1e-9 * g.scale
    outside = (x < g.low - hair) | (x > g.high + hair)
    rounding, clipping = float(np.mean(squared * ~outside)), float(np.mean(squared * outside))
    total = rounding + clipping
    with np.errstate(divide="ignore"):
        sqnr = float(10 * np.log10(np.mean(x**2) / total)) if total else np.inf
    return Error(rounding, clipping, sqnr)
