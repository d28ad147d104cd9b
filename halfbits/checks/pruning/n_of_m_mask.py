"""n_of_m_mask(weights, n=2, m=4, axis=-1) -> np.ndarray: the mask that keeps the n largest magnitudes in each block."""

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

DEFAULTS = (2, 4, -1)


def use(answer, weights, *arguments):
    """Call the answer; a tensor will do for an array, and of equal magnitudes any may be kept."""
    n, m, axis = (*arguments, *DEFAULTS[len(arguments) :])
    before = weights.copy()
    mask = plain(answer(weights, *arguments))
    if not is_mask(mask, before.shape) or before.shape[axis] % m:
        return mask
    blocks = list(blocks_of(before.shape, m, axis))
    if not all(drops_the_smallest(magnitudes(before[block]), mask[block], m - n) for block in blocks):
        return mask
    same = np.empty(before.shape, bool)
    for block in blocks:
        same[block] = first_of_equals(mask[block], magnitudes(before[block]), m - n)
    return same


def hold_one(call):
    """The oracle: block by block, sorting Python numbers; where magnitudes tie, what was returned if it is right."""
    weights, (n, m, axis) = call.arguments[0], (*call.arguments[1:], *DEFAULTS[len(call.arguments) - 1 :])
    got = call.returned if is_mask(call.returned, weights.shape) else None
    wanted, why = np.ones(weights.shape, bool), ""
    for block in blocks_of(weights.shape, m, axis):
        sizes = magnitudes(weights[block])
        right = got is not None and drops_the_smallest(sizes, got[block], m - n)
        wanted[block] = got[block] if right else smallest_dropped(sizes, m - n)
        if got is not None and not right and not why:
            why = f"in the block of {', '.join(f'{number:g}' for number in weights[block].tolist())}: "
            why += what_is_wrong(sizes, got[block], m - n)
    call.equals(wanted, because=why)


def blocks_of(shape, m, axis):
    """The index of each block."""
    axis %= len(shape)
    others = np.ndindex(*shape[:axis], *shape[axis + 1 :])
    for other in others:
        for start in range(0, shape[axis], m):
            yield (*other[:axis], slice(start, start + m), *other[axis:])


def hold(answer, *groups):
    hold_each(answer, chain(*groups), hold_one)


def test_two_of_four(answer):
    """Two of four along the last axis"""
    hold(
        answer,
        [(single(4, 1, 3, 2),), (single(1, 2, 3, 4, 8, 7, 6, 5),), (single([1, 9, 2, 8], [7, 3, 6, 4]),)],
        [(single(1, 2, 3, 4, 50, 60, 70, 80),), (shuffled(3, 8),), (shuffled(2, 12), 2, 4)],
    )


def test_first_axis(answer):
    """Along the first axis"""
    hold(answer, [(shuffled(4, 1), 2, 4, 0), (shuffled(8, 3), 2, 4, 0), (shuffled(4, 4), 2, 4, 0)])


def test_any_axis(answer):
    """Three and four dimensions, along every axis, negative ones too"""
    hold(
        answer,
        [(shuffled(4, 8, 4), 2, 4, axis) for axis in (0, 1, 2, -1, -2, -3)],
        [(shuffled(2, 4, 3), 2, 4, axis) for axis in (1, -2)],
        [(shuffled(3, 3, 4, 2), 2, 4, axis) for axis in (2, -2)],
    )


def test_other_n_and_m(answer):
    """Other n and m"""
    hold(
        answer,
        [
            (shuffled(12), n, m, -1)
            for n, m in ((1, 4), (3, 4), (1, 2), (2, 3), (1, 3), (4, 6), (1, 1), (4, 4), (12, 12))
        ],
        [(shuffled(6, 2), n, m, 0) for n, m in ((1, 2), (1, 3), (5, 6))],
        [(shuffled(4, 4), 1), (shuffled(4, 6), 1, 2)],
    )


def test_signs(answer):
    """Negative weights, whose magnitude counts"""
    hold(answer, [(single(-4, 1, -3, 2),), (single(-1, -2, -3, -4),), (single(-9, -8, 1, 2, 3, -4, 5, -6), 1, 4)])


def test_ties(answer):
    """Equal magnitudes: still exactly n in each block"""
    hold(
        answer,
        [(single(1, 1, 1, 1),), (single(2, -2, 2, 1),), (single(1, 2, 1, -1, 3, 3, 3, -3),)],
        [(np.ones((3, 4), np.float32), n, 4, 1) for n in (1, 3, 4)],
        [(single(0, 0, 0, 5, 0, -0.0, 0, 0),)],
    )


def test_empty(answer):
    """Arrays without elements"""
    hold(answer, [(np.zeros(shape, np.float32), 2, 4, axis) for shape, axis in (((0,), 0), ((3, 0), 1), ((0, 4), -1))])


def test_dtypes(answer):
    """float64 and integers, the lowest ones too"""
    close = np.array([1.0, 1 + 2**-40, 1 - 2**-40, 1 + 2**-39])  # the same in float32
    kinds = (np.int8, np.int16, np.int32)
    hold(
        answer,
        [(close,)],
        [(np.array([3, -1, 2, -4], kind),) for kind in kinds],
        [(np.array([1, 2, np.iinfo(kind).min, 3], kind), n, 4) for kind in kinds for n in (1, 2)],
    )


def test_small_and_large(answer):
    """Very small and very large weights"""
    hold(answer, [(single(3e-30, 1e-30, -2e-30, 4e-30),), (single(3e30, 1e30, -2e30, 4e30),)])


def test_layout(answer):
    """Transposed and strided arrays"""
    weights = shuffled(8, 4)
    hold(
        answer,
        [(view, 2, 4, axis) for view in (weights.T, weights[::-1]) for axis in (0, 1)],
        [(weights[::2], 2, 4, 0)],
    )


@given(
    st.integers(1, 4), st.integers(0, 3), st.integers(1, 3), st.lists(st.integers(1, 3), max_size=2), st.integers(0, 5),
    st.integers(1, 99),
)  # fmt: skip
def test_random_weights(answer, n, more, count, others, axis, seed):
    """Random weights, shapes, axes and blocks"""
    m, place = n + more, axis % (len(others) + 1)
    shape = (*others[:place], m * count, *others[place:])
    weights = np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float32)
    hold(answer, [(weights, n, m, place - len(shape) * (axis % 2))])


def test_not_divisible(answer):
    """A length along the axis that m does not divide is a ValueError"""
    hold_error(
        answer,
        [(shuffled(6),), (shuffled(3),), (shuffled(4, 6), 2, 4, 1), (shuffled(6, 4), 2, 4, 0), (shuffled(2, 5),)],
    )
    hold_error(answer, [(shuffled(2, 2),), (shuffled(2, 6), 2, 4, -1), (shuffled(4), 1, 3, -1), (shuffled(4, 3),)])


def test_not_divisible_and_empty(answer):
    """The same where there are no elements, of shape (0, 6) for instance"""
    hold_error(answer, [(np.zeros(shape, np.float32), 2, 4, axis) for shape, axis in (((0, 6), 1), ((6, 0), 0))])


def moved(weights, axis):
    return np.abs(np.moveaxis(weights.astype(np.float64), axis, -1))


def kept_in_blocks(sizes, n, m):
    """The right mask of magnitudes whose blocks lie along the last axis."""
    if sizes.shape[-1] % m:
        raise ValueError("no whole number of blocks")
    blocks = sizes.reshape(*sizes.shape[:-1], sizes.shape[-1] // m, m)
    ranks = np.argsort(np.argsort(blocks, axis=-1, kind="stable"), axis=-1)
    return (ranks >= m - n).reshape(sizes.shape)


def right(weights, n=2, m=4, axis=-1):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return np.moveaxis(kept_in_blocks(moved(weights, axis), n, m), -1, axis)


@misconception
def always_the_last_axis(weights, n=2, m=4, axis=-1):
    """Your blocks lie along the last axis, whatever `axis` says. Bring that axis to the end first, with
    `np.moveaxis(weights, axis, -1)`, and the mask back afterwards."""
    return right(weights, n, m)


@misconception
def always_the_first_axis(weights, n=2, m=4, axis=-1):
    """Your blocks lie along the first axis, whatever `axis` says. Its default is −1, the last one."""
    return right(weights, n, m, 0)


@misconception
def blocks_of_the_flat_array(weights, n=2, m=4, axis=-1):
    """You cut the flat array into blocks. They lie along `axis`; that is the same only where it is the last one. Bring
    it there with `np.moveaxis`, and the mask back afterwards."""
    if weights.shape[axis] % m:
        raise ValueError("no whole number of blocks")
    return right(weights.reshape(-1), n, m).reshape(weights.shape)


@misconception
def size_for_length(weights, n=2, m=4, axis=-1):
    """You looked whether m divides the number of all weights. It has to divide the length along `axis`, or a block
    would go on in the next row."""
    if weights.size % m:
        raise ValueError("no whole number of blocks")
    flat = np.abs(np.moveaxis(weights.astype(np.float64), axis, -1))
    return np.moveaxis(kept_in_blocks(flat.reshape(-1), n, m).reshape(flat.shape), -1, axis)


@misconception
def left_to_reshape(weights, n=2, m=4, axis=-1):
    """You leave it to `reshape` to complain. Without elements it fits any shape with a 0 in it: ask whether m divides
    the length along `axis`, and raise a ValueError yourself."""
    if weights.size and weights.shape[axis] % m:
        raise ValueError("no whole number of blocks")
    return right(weights, n, m, axis) if weights.size else np.zeros(weights.shape, bool)


@misconception
def flat_and_size_for_length(weights, n=2, m=4, axis=-1):
    """You cut the flat array into blocks, and looked whether m divides its size. The blocks lie along `axis`, whose
    length m has to divide: bring that axis to the end with `np.moveaxis`."""
    return right(weights.reshape(-1), n, m).reshape(weights.shape)


@misconception
def not_moved_back(weights, n=2, m=4, axis=-1):
    """You brought the axis to the end and left it there. The mask has the shape of the weights: `np.moveaxis(mask, -1,
    axis)`."""
    return kept_in_blocks(moved(weights, axis), n, m)


@misconception
def swapped_and_moved_back(weights, n=2, m=4, axis=-1):
    """You swapped the axis with the last one and moved it back in another way. Undo it as you did it: `np.swapaxes`
    twice or `np.moveaxis` twice."""
    return np.moveaxis(kept_in_blocks(np.abs(np.swapaxes(weights.astype(np.float64), axis, -1)), n, m), -1, axis)


@misconception
def reshaped_back_only(weights, n=2, m=4, axis=-1):
    """You brought the axis to the end, and gave the mask the old shape with `reshape` alone. That does not move the
    axis: `np.moveaxis(mask, -1, axis)`."""
    return kept_in_blocks(moved(weights, axis), n, m).reshape(weights.shape)


@misconception
def n_dropped(weights, n=2, m=4, axis=-1):
    """You dropped n in each block. n is how many are kept."""
    return np.moveaxis(kept_in_blocks(moved(weights, axis), m - n, m), -1, axis)


@misconception
def n_smallest_kept(weights, n=2, m=4, axis=-1):
    """You kept the n smallest in each block. Keep the largest: `np.argsort` has them last."""
    return np.moveaxis(kept_in_blocks(-moved(weights, axis), n, m), -1, axis)


@misconception
def inverted(weights, n=2, m=4, axis=-1):
    """Your mask is True where a weight is dropped. True means kept here, so that `weights * mask` prunes."""
    return ~right(weights, n, m, axis)


@misconception
def signed_weights(weights, n=2, m=4, axis=-1):
    """You sorted the weights, not their magnitudes. −4 is smaller than 1 and matters more: use `np.abs`."""
    return np.moveaxis(kept_in_blocks(np.moveaxis(weights.astype(np.float64), axis, -1), n, m), -1, axis)


@misconception
def ties_all_kept(weights, n=2, m=4, axis=-1):
    """You compared with the block's n-th largest magnitude, and all that are equal to it are kept: too many. Take
    places from `np.argsort`."""
    right(weights, n, m, axis)
    sizes = moved(weights, axis)
    blocks = sizes.reshape(*sizes.shape[:-1], sizes.shape[-1] // m, m)
    mask = blocks >= np.sort(blocks, axis=-1)[..., m - n, None]
    return np.moveaxis(mask.reshape(sizes.shape), -1, axis)


@misconception
def ties_all_dropped(weights, n=2, m=4, axis=-1):
    """You compared with the block's largest magnitude to be dropped, and all that are equal to it are dropped: too
    many. Take places from `np.argsort`."""
    right(weights, n, m, axis)
    sizes = moved(weights, axis)
    blocks = sizes.reshape(*sizes.shape[:-1], sizes.shape[-1] // m, m)
    mask = blocks > np.sort(blocks, axis=-1)[..., m - n - 1, None] if n < m else np.ones(blocks.shape, bool)
    return np.moveaxis(mask.reshape(sizes.shape), -1, axis)


@misconception
def order_for_rank(weights, n=2, m=4, axis=-1):
    """You compared the result of `np.argsort` itself with a number. It holds places: element 0 says *where* the
    smallest weight is. Set the mask at the last n places with `np.put_along_axis`, or take `np.argsort` of it once more
    for the ranks."""
    right(weights, n, m, axis)
    sizes = moved(weights, axis)
    order = np.argsort(sizes.reshape(*sizes.shape[:-1], sizes.shape[-1] // m, m), axis=-1, kind="stable")
    return np.moveaxis((order >= m - n).reshape(sizes.shape), -1, axis)


@misconception
def defaults_wired_in(weights, n=2, m=4, axis=-1):
    """You kept two of four whatever n and m say."""
    return right(weights, 2, 4, axis)


@misconception
def n_wired_in(weights, n=2, m=4, axis=-1):
    """You kept two in each block whatever n says."""
    return right(weights, min(2, m), m, axis)


@misconception
def half_of_each_block(weights, n=2, m=4, axis=-1):
    """You kept half of each block. It is n, which need not be m / 2."""
    return right(weights, m // 2, m, axis)


@misconception
def blocks_interleaved(weights, n=2, m=4, axis=-1):
    """Your blocks are interleaved: each holds weights that lie far apart. m *neighbours* make a block: after the axis
    is the last one, reshape to (…, length // m, m), in this order."""
    right(weights, n, m, axis)
    sizes = moved(weights, axis)
    count = sizes.shape[-1] // m
    blocks = np.swapaxes(sizes.reshape(*sizes.shape[:-1], m, count), -1, -2)
    mask = np.swapaxes(kept_in_blocks(blocks, n, m), -1, -2)
    return np.moveaxis(mask.reshape(sizes.shape), -1, axis)


@misconception
def number_of_blocks_for_m(weights, n=2, m=4, axis=-1):
    """You made m blocks. m is the length of a block: reshape to (…, length // m, m)."""
    right(weights, n, m, axis)
    sizes = moved(weights, axis)
    length = max(sizes.shape[-1] // m, 1)
    return np.moveaxis(kept_in_blocks(sizes, min(n, length), length), -1, axis)


@misconception
def fraction_of_all(weights, n=2, m=4, axis=-1):
    """You kept the largest n/m of the whole array. The number is exact in each block."""
    right(weights, n, m, axis)
    ranks = np.argsort(np.argsort(np.abs(weights.astype(np.float64)).reshape(-1), kind="stable"))
    return (ranks >= weights.size * (m - n) // m).reshape(weights.shape)


@misconception
def fraction_of_the_row(weights, n=2, m=4, axis=-1):
    """You kept the largest n/m of each row. The number is exact in each block of m."""
    right(weights, n, m, axis)
    length = weights.shape[axis]
    if not length:
        return right(weights, n, m, axis)
    return right(weights, length * n // m, length, axis)


@misconception
def every_other_place(weights, n=2, m=4, axis=-1):
    """You kept the first n of each block, whatever they are. Keep those of the largest magnitude."""
    right(weights, n, m, axis)
    sizes = moved(weights, axis)
    first = np.broadcast_to(np.arange(sizes.shape[-1]) % m < n, sizes.shape)
    return np.moveaxis(first, -1, axis)


@misconception
def rest_kept(weights, n=2, m=4, axis=-1):
    """You kept what is left over after the last whole block. A length that m does not divide is a ValueError."""
    sizes = moved(weights, axis)
    whole = sizes.shape[-1] // m * m
    mask = np.ones(sizes.shape, bool)
    mask[..., :whole] = kept_in_blocks(sizes[..., :whole], n, m)
    return np.moveaxis(mask, -1, axis)


@misconception
def rest_dropped(weights, n=2, m=4, axis=-1):
    """You dropped what is left over after the last whole block. A length that m does not divide is a ValueError."""
    sizes = moved(weights, axis)
    whole = sizes.shape[-1] // m * m
    mask = np.zeros(sizes.shape, bool)
    mask[..., :whole] = kept_in_blocks(sizes[..., :whole], n, m)
    return np.moveaxis(mask, -1, axis)


@misconception
def padded_with_zeros(weights, n=2, m=4, axis=-1):
    """You filled the last block with zeros. A length that m does not divide is a ValueError."""
    sizes = moved(weights, axis)
    padded = np.concatenate([sizes, np.zeros((*sizes.shape[:-1], -sizes.shape[-1] % m))], axis=-1)
    return np.moveaxis(kept_in_blocks(padded, n, m)[..., : sizes.shape[-1]], -1, axis)


@misconception
def asserted(weights, n=2, m=4, axis=-1):
    """You used `assert`, which raises an AssertionError, and nothing under `python -O`. Raise a ValueError."""
    assert weights.shape[axis] % m == 0
    return right(weights, n, m, axis)


@misconception
def pruned_weights(weights, n=2, m=4, axis=-1):
    """You returned the pruned weights. The mask alone is asked for, as bools."""
    return weights * right(weights, n, m, axis)


@misconception
def mask_of_numbers(weights, n=2, m=4, axis=-1):
    """Your mask holds numbers, 0 and 1. It should be bool: `.astype(bool)`, or `np.zeros(shape, bool)` to begin
    with."""
    return right(weights, n, m, axis).astype(np.float32)


@misconception
def left_in_blocks(weights, n=2, m=4, axis=-1):
    """Your mask has the blocks as an axis of its own. Give it the shape of the weights again."""
    mask = kept_in_blocks(moved(weights, axis), n, m)
    return mask.reshape(*mask.shape[:-1], mask.shape[-1] // m, m)


@misconception
def no_room_for_the_lowest(weights, n=2, m=4, axis=-1):
    """You took `np.abs` of integers. The magnitude of −128 is 128, which int8 does not have, and it stays −128: the
    largest weight becomes the smallest. Cast to float64 first."""
    return np.moveaxis(kept_in_blocks(np.abs(np.moveaxis(weights, axis, -1)), n, m), -1, axis)


@misconception
def by_the_square(weights, n=2, m=4, axis=-1):
    """You compared squares in the weights' own dtype. There the square of a small number is 0, and of a large one an
    infinity or nonsense: use `np.abs`, in float64."""
    with np.errstate(over="ignore", under="ignore"):
        return np.moveaxis(kept_in_blocks(np.moveaxis(weights * weights, axis, -1), n, m), -1, axis)


@misconception
def in_single_precision(weights, n=2, m=4, axis=-1):
    """You cast the weights to float32, in which some of them become equal. Compare them in float64."""
    return right(weights.astype(np.float32), n, m, axis)


@misconception
def no_size_to_guess(weights, n=2, m=4, axis=-1):
    """You let `reshape` guess a length with −1. Of an array without elements it cannot be guessed: say length // m."""
    sizes = moved(weights, axis)
    if sizes.shape[-1] % m:
        raise ValueError("no whole number of blocks")
    sizes.reshape(*sizes.shape[:-1], -1, m)
    return right(weights, n, m, axis)


@misconception
def pruned_in_place(weights, n=2, m=4, axis=-1):
    """You changed the weights that you were given. The mask alone is asked for; work on a copy if you need one."""
    mask = right(weights, n, m, axis)
    weights[~mask] = 0
    return mask


HINTS = (
    "Take one row of 8 weights and cut it into two blocks of 4 with `reshape`. In which order do the two lengths "
    "stand? And where must `axis` be for that?",
    "`np.moveaxis(…, axis, -1)`, reshape to (…, length // m, m), `np.argsort` along the last axis: its last n "
    "places in each block are the largest. `np.put_along_axis` sets them in a mask of False. Then all the way back.",
    "`blocks = sizes.reshape(*sizes.shape[:-1], length // m, m)`, `mask = np.zeros(blocks.shape, bool)`, "
    "`np.put_along_axis(mask, np.argsort(blocks, axis=-1)[..., m - n:], True, axis=-1)`, "
    "`np.moveaxis(mask.reshape(sizes.shape), -1, axis)`. Before that a ValueError where `length % m`.",
)
