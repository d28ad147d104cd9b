"""For the checks of this unit: what rounding leaves open, and which scales can be worked with."""

from __future__ import annotations

import math

import numpy as np

from halfbits.checks.cases import CLOSE


def is_usable(scale) -> bool:
    """Whether a scale is finite and more than 0, in float32 as well."""
    with np.errstate(over="ignore", under="ignore"):
        single = float(np.float32(scale))
    return math.isfinite(single) and single > 0


def neighbours(x, scale, zero_point: int, qmin: int, qmax: int) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest right integer for each number, in float64.

    They are the same but where x / scale is half-way between two integers, or nearer to that than float32 can tell.
    """
    quotient = np.asarray(x, np.float64) / np.asarray(scale, np.float64)
    with np.errstate(invalid="ignore"):
        open_at = 0.5 + np.where(np.isinf(quotient), 0.0, CLOSE * (np.abs(quotient) + abs(zero_point)))
    lowest, highest = np.ceil(quotient - open_at), np.floor(quotient + open_at)
    return np.clip(lowest + zero_point, qmin, qmax), np.clip(highest + zero_point, qmin, qmax)
