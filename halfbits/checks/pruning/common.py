"""For the checks of this unit: which masks are right where magnitudes tie, and what is wrong with the others."""

from __future__ import annotations

import numpy as np

from halfbits.checks.cases import hold_each
from halfbits.checks.tensors import plain


def use(answer, *arguments):
    """Call the answer; a tensor will do for an array."""
    return plain(answer(*arguments))


def single(*numbers):
    return np.array(numbers, np.float32)


def shuffled(*shape):
    """Weights of both signs and of different magnitudes, in no order."""
    size = int(np.prod(shape))
    ranks = np.random.default_rng(size).permutation(size)
    return ((1 + ranks) * np.where(ranks * 5 % 7 % 2, 0.25, -0.25)).reshape(shape).astype(np.float32)


def magnitudes(weights) -> list[float]:
    """Exact ones, as Python numbers: the magnitude of the int8 number −128 is 128."""
    return [abs(number) for number in np.asarray(weights).reshape(-1).tolist()]


def is_mask(got, shape) -> bool:
    return isinstance(got, np.ndarray | np.generic) and got.dtype == bool and got.shape == shape


def drops_the_smallest(sizes: list[float], mask, count: int) -> bool:
    """By brute force: so many are dropped, and together they have the smallest magnitudes that there are."""
    dropped = [size for size, kept in zip(sizes, np.ravel(mask).tolist(), strict=True) if not kept]
    return len(dropped) == count and sorted(dropped) == sorted(sizes)[:count]


def smallest_dropped(sizes: list[float], count: int) -> list[bool]:
    """A right mask, True = kept: among equal magnitudes the first are dropped."""
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    kept = [True] * len(sizes)
    for place in order[:count]:
        kept[place] = False
    return kept


def first_of_equals(mask, sizes: list[float], count: int):
    """The right mask that drops the first of equal magnitudes, for any right one; what is not right as it is.

    Which of equal magnitudes go is free: answers that differ in that alone do the same, and share misconceptions.
    """
    if not drops_the_smallest(sizes, mask, count):
        return mask
    return np.array(smallest_dropped(sizes, count), bool).reshape(np.shape(mask))


def what_is_wrong(sizes: list[float], mask, count: int) -> str:
    """A sentence on a mask that is not right."""
    dropped = int(np.size(mask) - np.count_nonzero(mask))
    if dropped != count:
        return f"of {len(sizes)}, {dropped} {'is' if dropped == 1 else 'are'} dropped, not {count}"
    flat = np.ravel(mask).tolist()
    largest = max((size for size, kept in zip(sizes, flat, strict=True) if not kept), default=0)
    smallest = min((size for size, kept in zip(sizes, flat, strict=True) if kept), default=0)
    return f"a weight of magnitude {largest:g} is dropped, one of {smallest:g} is kept"


def hold_error(answer, cases) -> None:
    """Each of these calls raises ValueError."""
    hold_each(answer, cases, lambda call: call.raises(ValueError))
