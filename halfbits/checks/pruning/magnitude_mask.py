"""magnitude_mask(weights, sparsity) -> np.ndarray: the mask that drops the weights of smallest magnitude."""

import math
from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import hold_each
from halfbits.checks.pruning.common import (
    drops_the_smallest,
    first_of_equals,
    hold_error,
    is_mask,
    magnitudes,
    shuffled,
    single,
    smallest_dropped,
    what_is_wrong,
)
from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception


def use(answer, weights, sparsity):
    """Call the answer; a tensor will do for an array, and of equal magnitudes any may be dropped."""
    sizes, shape = magnitudes(weights), weights.shape
    mask = plain(answer(weights, sparsity))
    return first_of_equals(mask, sizes, round(sparsity * len(sizes))) if is_mask(mask, shape) else mask


def hold_one(call):
    """The oracle: sorting Python numbers; where magnitudes tie, the mask that was returned if it is a right one."""
    weights, sparsity = call.arguments
    sizes, count = magnitudes(weights), round(sparsity * weights.size)
    got, why = call.returned, ""
    wanted = np.array(smallest_dropped(sizes, count), bool).reshape(weights.shape)
    if is_mask(got, weights.shape):
        if drops_the_smallest(sizes, got, count):
            wanted = np.asarray(got)
        else:
            why = what_is_wrong(sizes, got, count)
    call.equals(wanted, because=why)


def hold(answer, *groups):
    hold_each(answer, chain(*groups), hold_one)


def test_smallest(answer):
    """The smallest weights are dropped"""
    hold(answer, [(single(3, 1, 4, 2), 0.5), (single(5, 3, 1, 4, 2), 0.4), (single(2, 9, 4, 7, 1, 8, 3, 6), 0.75)])


def test_signs(answer):
    """Negative weights, whose magnitude counts"""
    hold(answer, [(single(-4, 1, -2, 3), 0.5), (single(-1, -2, -3, -4), 0.25), (single(-9, 8, 0.5, -7, 0.25), 0.4)])


def test_shapes(answer):
    """Any shape; the layer as a whole, not row by row"""
    shapes = ((2, 3), (4, 5), (3, 3, 2, 4), (1, 7), (6, 1))
    cases = [(shuffled(*shape), sparsity) for shape in shapes for sparsity in (0.5, 0.3, 0.9)]
    hold(answer, [(single([1, 2, 3], [7, 8, 9]), 0.5), (single([1, 20], [3, 40], [5, 60]), 0.5)], cases)


def test_rounding(answer):
    """sparsity · size is rounded, to the even number half-way"""
    hold(
        answer,
        [(shuffled(size), 0.5) for size in (5, 7, 9, 11, 1, 3)],
        [(shuffled(10), sparsity) for sparsity in (0.25, 0.35, 0.06, 0.14, 0.66, 0.96)],
        [(shuffled(6), 0.75), (shuffled(2, 5), 0.05), (shuffled(5, 10), 0.59)],  # 29.5 here, 29.499998 in float32
    )


def test_ends(answer):
    """Sparsity 0 keeps all, 1 drops all"""
    hold(
        answer,
        [(shuffled(*shape), sparsity) for shape in ((4,), (2, 3)) for sparsity in (0.0, 1.0, 0, 1, 0.001, 0.999)],
    )


def test_ties(answer):
    """Equal magnitudes: still exactly so many"""
    hold(
        answer,
        [(single(1, 1, 1, 1), sparsity) for sparsity in (0.25, 0.5, 0.75)],
        [(single(2, -2, 1, 2, -1, 2), sparsity) for sparsity in (0.5, 0.2, 0.8)],
        [(np.full((3, 4), 0.5, np.float32), 0.5), (np.zeros((2, 3), np.float32), 0.5)],
    )


def test_zeros(answer):
    """Weights that are 0 already count, −0.0 too"""
    hold(
        answer,
        [(single(0, 0, 0, 5, 6, 7), sparsity) for sparsity in (0.5, 0.2, 2 / 3)],
        [(single(-0.0, 3, 0.0, 2), sparsity) for sparsity in (0.25, 0.5, 0.75)],
    )


def test_tiny_and_huge(answer):
    """Very small and very large weights"""
    hold(
        answer,
        [(single(3e-30, 1e-30, -2e-30, 4e-30), 0.5), (single(3e30, 1e30, -2e30, 4e30), 0.5)],
        [(single(1e-25, 2.0, -3e-25, 1e25), sparsity) for sparsity in (0.25, 0.5, 0.75)],
    )


def test_scalars_and_empty(answer):
    """Shape (), and arrays without elements"""
    hold(
        answer,
        [(np.array(2.5, np.float32), sparsity) for sparsity in (0.0, 1.0, 0.5, 0.7)],
        [(np.zeros(shape, np.float32), sparsity) for shape in ((0,), (0, 4), (3, 0)) for sparsity in (0.0, 0.5, 1.0)],
    )


def test_dtypes(answer):
    """float64 and integers"""
    close = np.array([1.0, 1 + 2**-40, 1 - 2**-40, 2.0])  # the same in float32
    hold(
        answer,
        [(close, sparsity) for sparsity in (0.25, 0.5, 0.75)],
        [(np.array([3, -1, 2, -4], kind), 0.5) for kind in (np.int8, np.int16, np.int32)],
    )


def test_lowest_integers(answer):
    """The lowest integer, whose magnitude its dtype does not have"""
    kinds = (np.int8, np.int16, np.int32)
    hold(answer, [(np.array([np.iinfo(kind).min, 1, -2, 3], kind), s) for kind in kinds for s in (0.25, 0.5, 0.75)])


def test_layout(answer):
    """Transposed and strided arrays"""
    weights = shuffled(4, 6)
    hold(answer, [(view, s) for view in (weights.T, weights[:, ::2], weights[::-1]) for s in (0.5, 0.3)])


@given(st.lists(st.integers(-6, 6), max_size=12), st.floats(0, 1))
def test_random_weights(answer, numbers, sparsity):
    """Random weights, many of them equal"""
    hold(answer, [(single(*numbers), sparsity)])


def test_outside(answer):
    """A sparsity below 0 or above 1 is a ValueError"""
    hold_error(answer, [(shuffled(4), sparsity) for sparsity in (-0.6, 1.1, -1, 2, 50.0, 1.0000001)])


def sizes_of(weights):
    return np.abs(weights.astype(np.float64)).reshape(-1)


def asked_for(sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("a sparsity is from 0 to 1")
    return sparsity


def count_of(weights, sparsity):
    return round(asked_for(sparsity) * weights.size)


def without_the_first(sizes, count, shape):
    """The mask that drops the first so many in the order of these sizes."""
    mask = np.ones(sizes.size, bool)
    mask[np.argsort(sizes, kind="stable")[:count]] = False
    return mask.reshape(shape)


def right(weights, sparsity):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return without_the_first(sizes_of(weights), count_of(weights, sparsity), weights.shape)


@misconception
def signed_weights(weights, sparsity):
    """You sorted the weights, not their magnitudes. −4 is smaller than 1 and matters more: use `np.abs`."""
    return without_the_first(weights.astype(np.float64).reshape(-1), count_of(weights, sparsity), weights.shape)


@misconception
def inverted(weights, sparsity):
    """Your mask is True where a weight is dropped. True means kept here, so that `weights * mask` prunes."""
    return ~right(weights, sparsity)


@misconception
def largest_dropped(weights, sparsity):
    """You dropped the largest weights. Those of the smallest magnitude matter least: `np.argsort` has them first."""
    return without_the_first(-sizes_of(weights), count_of(weights, sparsity), weights.shape)


@misconception
def largest_kept_count(weights, sparsity):
    """You kept as many weights as you should drop. Sparsity is the fraction that goes."""
    return without_the_first(sizes_of(weights), weights.size - count_of(weights, sparsity), weights.shape)


@misconception
def ties_all_dropped(weights, sparsity):
    """You compared with a threshold, and all weights that are equal to it are dropped: too many. Take places from
    `np.argsort`, of which there are exactly as many as you ask for."""
    count = count_of(weights, sparsity)
    if count == 0:
        return np.ones(weights.shape, bool)
    sizes = sizes_of(weights)
    return (sizes > np.sort(sizes)[count - 1]).reshape(weights.shape)


@misconception
def ties_all_kept(weights, sparsity):
    """You compared with a threshold, and all weights that are equal to it are kept: too few are dropped. Take places
    from `np.argsort`, of which there are exactly as many as you ask for."""
    count = count_of(weights, sparsity)
    if count == weights.size:
        return np.zeros(weights.shape, bool)
    sizes = sizes_of(weights)
    return (sizes >= np.sort(sizes)[count]).reshape(weights.shape)


@misconception
def above_the_quantile(weights, sparsity):
    """You kept what is above a quantile. That interpolates between two weights and cuts off a number of its own: take
    `round(sparsity * weights.size)` places from `np.argsort`."""
    asked_for(sparsity)
    if not weights.size:
        return np.ones(weights.shape, bool)
    sizes = sizes_of(weights)
    return (sizes > np.quantile(sizes, sparsity)).reshape(weights.shape)


@misconception
def from_the_quantile_on(weights, sparsity):
    """You kept what is at a quantile or above it. That interpolates between two weights and cuts off a number of its
    own: take `round(sparsity * weights.size)` places from `np.argsort`."""
    asked_for(sparsity)
    if not weights.size:
        return np.ones(weights.shape, bool)
    sizes = sizes_of(weights)
    return (sizes >= np.quantile(sizes, sparsity)).reshape(weights.shape)


@misconception
def rounded_down(weights, sparsity):
    """You rounded the number down (`int`, `//` or `floor`). It is `round(sparsity * weights.size)`."""
    return without_the_first(sizes_of(weights), int(asked_for(sparsity) * weights.size), weights.shape)


@misconception
def rounded_up(weights, sparsity):
    """You rounded the number up. It is `round(sparsity * weights.size)`."""
    return without_the_first(sizes_of(weights), math.ceil(asked_for(sparsity) * weights.size), weights.shape)


@misconception
def half_upwards(weights, sparsity):
    """You rounded a half upwards. Python's `round` takes the even neighbour: `round(2.5)` is 2."""
    return without_the_first(sizes_of(weights), math.floor(asked_for(sparsity) * weights.size + 0.5), weights.shape)


@misconception
def kept_number_rounded(weights, sparsity):
    """You rounded the number of the weights that stay. Half-way that is another one: round `sparsity * weights.size`,
    the number of those that go."""
    count = weights.size - round((1 - asked_for(sparsity)) * weights.size)
    return without_the_first(sizes_of(weights), count, weights.shape)


@misconception
def number_in_single_precision(weights, sparsity):
    """You multiplied the sparsity by the size in float32 (`tf.cast`), where 0.59 · 50 is below 29.5. Python's numbers
    are float64: `round(sparsity * weights.size)`."""
    number = round(float(np.float32(asked_for(sparsity)) * np.float32(weights.size)))
    return without_the_first(sizes_of(weights), number, weights.shape)


@misconception
def one_kept_anyway(weights, sparsity):
    """You keep one weight whatever the sparsity is. Where the number is that of all weights, all are dropped."""
    number = min(count_of(weights, sparsity), max(weights.size - 1, 0))
    return without_the_first(sizes_of(weights), number, weights.shape)


@misconception
def row_by_row(weights, sparsity):
    """You dropped the same fraction of each row (a sort along the last axis). The layer counts as a whole: make it flat
    first with `reshape(-1)`."""
    asked_for(sparsity)
    rows = sizes_of(weights).reshape(weights.shape or (1,))
    ranks = np.argsort(np.argsort(rows, axis=-1, kind="stable"), axis=-1)
    return (ranks >= round(sparsity * rows.shape[-1])).reshape(weights.shape)


@misconception
def order_for_rank(weights, sparsity):
    """You compared the result of `np.argsort` itself with the number. It holds places: element 0 says *where* the
    smallest weight is. Set the mask to False at the first places, `mask[order[:count]] = False`."""
    order = np.argsort(sizes_of(weights), kind="stable")
    return (order >= count_of(weights, sparsity)).reshape(weights.shape)


@misconception
def last_zero_places(weights, sparsity):
    """You took the last places with `order[-kept:]`. Where none is kept that is `order[-0:]`, which is all of them.
    Take the first ones, `order[:count]`, as the ones to drop."""
    kept = weights.size - count_of(weights, sparsity)
    mask = np.zeros(weights.size, bool)
    mask[np.argsort(sizes_of(weights), kind="stable")[-kept:]] = True
    return mask.reshape(weights.shape)


@misconception
def threshold_at_minus_one(weights, sparsity):
    """You read the threshold at place count − 1, which is −1 where nothing is dropped: the largest weight. Take the
    places to drop, `order[:count]`, which may be none."""
    sizes, count = sizes_of(weights), count_of(weights, sparsity)
    return (sizes > np.sort(sizes)[count - 1]).reshape(weights.shape)


@misconception
def threshold_at_the_end(weights, sparsity):
    """You read the threshold at place count of the sorted magnitudes. Where all are dropped there is none. Take the
    places to drop, `order[:count]`."""
    sizes, count = sizes_of(weights), count_of(weights, sparsity)
    return (sizes >= np.sort(sizes)[count]).reshape(weights.shape)


@misconception
def pruned_weights(weights, sparsity):
    """You returned the pruned weights. The mask alone is asked for, as bools."""
    return weights * right(weights, sparsity)


@misconception
def mask_of_numbers(weights, sparsity):
    """Your mask holds numbers, 0 and 1. It should be bool: `.astype(bool)`, or `np.ones(size, bool)` to begin with."""
    return right(weights, sparsity).astype(np.float32)


@misconception
def mask_of_float64(weights, sparsity):
    """Your mask holds float64 numbers: `np.ones(size)` does where no dtype is given. Begin with `np.ones(size,
    bool)`."""
    return right(weights, sparsity).astype(np.float64)


@misconception
def mask_left_flat(weights, sparsity):
    """Your mask has one axis. Give it the shape of the weights: `mask.reshape(weights.shape)`."""
    return right(weights, sparsity).reshape(-1)


@misconception
def no_room_for_the_lowest(weights, sparsity):
    """You took `np.abs` of integers. The magnitude of −128 is 128, which int8 does not have, and it stays −128: the
    largest weight becomes the smallest. Cast to float64 first."""
    return without_the_first(np.abs(weights).reshape(-1), count_of(weights, sparsity), weights.shape)


@misconception
def by_the_square(weights, sparsity):
    """You compared squares in the weights' own dtype. There the square of a small number is 0, and of a large one an
    infinity or nonsense: use `np.abs`, in float64."""
    with np.errstate(over="ignore", under="ignore"):
        return without_the_first((weights * weights).reshape(-1), count_of(weights, sparsity), weights.shape)


@misconception
def in_single_precision(weights, sparsity):
    """You cast the weights to float32, in which some of them become equal. Compare them in float64."""
    sizes = np.abs(weights.astype(np.float32)).reshape(-1)
    return without_the_first(sizes, count_of(weights, sparsity), weights.shape)


@misconception
def order_of_memory(weights, sparsity):
    """You made the weights flat in the order in which they lie in memory, and the mask in that of the indices. For a
    transposed array they are two: use `reshape(-1)` for the one and `reshape(weights.shape)` for the other."""
    sizes = np.abs(weights.astype(np.float64).ravel(order="K"))
    return without_the_first(sizes, count_of(weights, sparsity), weights.shape)


@misconception
def zeros_do_not_count(weights, sparsity):
    """You counted the weights that are not 0. Those that are 0 already are weights too, and the first to be dropped:
    sparsity is a fraction of `weights.size`."""
    sizes = sizes_of(weights)
    count = round(asked_for(sparsity) * np.count_nonzero(sizes)) + np.count_nonzero(sizes == 0)
    return without_the_first(sizes, min(count, sizes.size), weights.shape)


@misconception
def zeros_dropped_too(weights, sparsity):
    """Your mask is False wherever the pruned weight is 0 (`pruned != 0`). A weight that is 0 already may be among those
    that are kept: so many are dropped, and no more."""
    return np.asarray(right(weights, sparsity) & (weights != 0))


@misconception
def fraction_of_the_nonzero(weights, sparsity):
    """You took the fraction of the weights that are not 0. It is one of all: `round(sparsity * weights.size)`."""
    sizes = sizes_of(weights)
    return without_the_first(sizes, round(asked_for(sparsity) * np.count_nonzero(sizes)), weights.shape)


@misconception
def rows_counted(weights, sparsity):
    """You used `len(weights)`, which is the number of rows. The number of weights is `weights.size`."""
    return without_the_first(sizes_of(weights), round(asked_for(sparsity) * len(weights)), weights.shape)


@misconception
def a_fraction_of_the_range(weights, sparsity):
    """You took the fraction of the largest magnitude as a threshold. Sparsity is a fraction of the *number* of
    weights."""
    asked_for(sparsity)
    sizes = sizes_of(weights)
    return (sizes > sparsity * sizes.max(initial=0)).reshape(weights.shape)


@misconception
def in_percent(weights, sparsity):
    """You took the sparsity for a percentage. It is a fraction: 0.5 is one half."""
    return without_the_first(sizes_of(weights), round(asked_for(sparsity) / 100 * weights.size), weights.shape)


@misconception
def nothing_refused(weights, sparsity):
    """You did not look whether the sparsity is between 0 and 1. `order[:-1]` drops all but one without a complaint:
    raise a ValueError before."""
    return without_the_first(sizes_of(weights), round(sparsity * weights.size), weights.shape)


@misconception
def clipped_sparsity(weights, sparsity):
    """You brought the sparsity between 0 and 1. One from outside is a mistake of the caller, who should hear of it:
    raise a ValueError."""
    return right(weights, min(max(sparsity, 0), 1))


@misconception
def ends_refused(weights, sparsity):
    """You refuse a sparsity of 0 or 1. Both are allowed: drop none, drop all."""
    if not 0 < sparsity < 1:
        raise ValueError("a sparsity is between 0 and 1")
    return right(weights, sparsity)


@misconception
def one_refused(weights, sparsity):
    """You refuse a sparsity of 1. It is allowed, and drops all weights."""
    if not 0 <= sparsity < 1:
        raise ValueError("a sparsity is from 0 to 1")
    return right(weights, sparsity)


@misconception
def asserted(weights, sparsity):
    """You used `assert`, which raises an AssertionError, and nothing under `python -O`. Raise a ValueError."""
    assert 0 <= sparsity <= 1
    return right(weights, sparsity)


@misconception
def pruned_in_place(weights, sparsity):
    """You changed the weights that you were given. The mask alone is asked for; work on a copy if you need one."""
    mask = right(weights, sparsity)
    weights[~mask] = 0
    return mask


HINTS = (
    "First how many: `round(sparsity * weights.size)`. Then which: the smallest magnitudes of the array as a whole. "
    "What would a threshold do where several weights have the same magnitude?",
    "`np.argsort` of the flat magnitudes gives places, that of the smallest weight first. Begin with a flat mask of "
    "True, set so many of the first places to False, and give it the shape of the weights.",
    "`order = np.argsort(np.abs(weights.astype(np.float64)).reshape(-1))`, `mask = np.ones(weights.size, bool)`, "
    "`mask[order[:round(sparsity * weights.size)]] = False`, `mask.reshape(weights.shape)`. Before that: `if not 0 "
    "<= sparsity <= 1: raise ValueError(…)`.",
)
