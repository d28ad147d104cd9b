"""global_masks(weights, sparsity) -> list: the masks that drop the smallest weights of all layers together."""

import math
from itertools import chain, pairwise

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
    """Call the answer; tensors will do for arrays, and of equal magnitudes any may be dropped."""
    shapes, sizes = [array.shape for array in weights], [size for array in weights for size in magnitudes(array)]
    masks = plain(answer(weights, sparsity))
    if not are_masks(masks, shapes):
        return masks
    flat = np.array([kept for mask in masks for kept in np.ravel(mask).tolist()], bool)
    same = first_of_equals(flat, sizes, round(sparsity * len(sizes)))
    return masks if same is flat else cut(same, shapes)


def are_masks(masks, shapes) -> bool:
    return type(masks) is list and len(masks) == len(shapes) and all(map(is_mask, masks, shapes))


def hold_one(call):
    """The oracle: sorting Python numbers; where magnitudes tie, the masks that were returned if they are right."""
    weights, sparsity = call.arguments
    sizes = [size for array in weights for size in magnitudes(array)]
    count = round(sparsity * len(sizes))
    wanted, why = in_shape(smallest_dropped(sizes, count), weights), ""
    got = call.returned
    if are_masks(got, [array.shape for array in weights]):
        flat = [kept for mask in got for kept in np.ravel(mask).tolist()]
        if drops_the_smallest(sizes, flat, count):
            wanted = in_shape(flat, weights)
        else:
            why = f"all layers together: {what_is_wrong(sizes, flat, count)}"
    call.equals(wanted, because=why)


def in_shape(flat, weights):
    return cut(flat, [array.shape for array in weights])


def cut(flat, shapes):
    ends = np.cumsum([0, *map(math.prod, shapes)])
    parts = (flat[start:end] for start, end in pairwise(ends))
    return [np.array(part, bool).reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def hold(answer, *groups):
    hold_each(answer, chain(*groups), hold_one)


def layers(*shapes):
    """Layers of weights with different magnitudes, those of all layers mixed."""
    flat, ends = shuffled(sum(map(math.prod, shapes))), np.cumsum([0, *map(math.prod, shapes)])
    return [flat[start:end].reshape(shape) for start, end, shape in zip(ends, ends[1:], shapes, strict=False)]


def test_one_threshold(answer):
    """The smallest of all layers, not of each"""
    hold(
        answer,
        [
            ([single(1, 2), single(3, 4)], 0.5),
            ([single(9, 1), single(2, 8)], 0.25),
            ([single(5, 6), single(1, 2)], 0.5),
        ],
        [([single(1, 2, 3, 4), single(10, 20, 30, 40)], sparsity) for sparsity in (0.25, 0.5, 0.75)],
    )


def test_unequal_sizes(answer):
    """Layers of unequal sizes and shapes"""
    hold(
        answer,
        [(layers((2,), (3, 2)), 0.5), (layers((5,), (1,), (2,)), 0.3), (layers((2, 3), (3, 4), (4, 1)), 0.7)],
        [(layers((3, 3, 1, 2), (4, 5), (5, 2)), sparsity) for sparsity in (0.2, 0.5, 0.9)],
    )


def test_one_layer(answer):
    """A single layer"""
    hold(answer, [([shuffled(7)], 0.6), ([shuffled(2, 3)], 0.5), ([shuffled(2, 2, 2)], 0.25)])


def test_a_layer_is_lost(answer):
    """A layer of small weights may lose all of them"""
    small, large = single(0.01, -0.02, 0.03), single([1, 2], [-3, 4])
    hold(answer, [([small, large], 3 / 7), ([large, small], 3 / 7), ([large, small, 10 * large], 0.5)])


def test_rounding(answer):
    """The number of all weights together is rounded, once, to the even number half-way"""
    hold(
        answer,
        [
            (layers((3,), (2,)), 0.5),
            (layers((3,), (4,)), 0.5),
            (layers((1,), (1,), (1,)), 0.5),
            (layers((1,), (2, 2)), 0.5),
        ],
        [(layers((3,), (3,), (4,)), sparsity) for sparsity in (0.25, 0.35, 0.06, 0.16, 0.94)],
        [(layers((5,), (5,)), 0.1), (layers((7,), (7,)), 0.2)],
    )


def test_signs(answer):
    """Negative weights, whose magnitude counts"""
    hold(answer, [([single(-4, 1), single(-2, 3)], 0.5), ([single(-1, -2), single(-3, -4)], 0.25)])


def test_ties(answer):
    """Equal magnitudes, in one layer and in several: still exactly so many"""
    ones = [np.ones(3, np.float32), -np.ones((2, 2), np.float32)]
    hold(
        answer,
        [(ones, sparsity) for sparsity in (0.3, 0.5, 0.8)],
        [([single(2, 1, 2), single(1, 2, 1, 3)], sparsity) for sparsity in (0.2, 0.5, 0.6)],
        [([np.zeros(3, np.float32), single(0, -0.0, 1)], sparsity) for sparsity in (0.3, 0.5, 0.9)],
    )


def test_ends(answer):
    """Sparsity 0 keeps all, 1 drops all"""
    hold(answer, [(layers((2, 3), (4,)), sparsity) for sparsity in (0.0, 1.0, 0, 1)])


def test_empty(answer):
    """An empty list, layers without elements, and shape ()"""
    empty = np.zeros((0, 3), np.float32)
    hold(
        answer,
        [([], sparsity) for sparsity in (0.0, 0.5, 1.0)],
        [([empty], 0.5), ([empty, shuffled(4)], 0.5), ([shuffled(4), empty, shuffled(2, 3)], 0.5)],
        [([np.array(2.0, np.float32), single(1, 3)], sparsity) for sparsity in (0.3, 0.7)],
    )


def test_dtypes_and_layout(answer):
    """float64, both in one list, transposed arrays"""
    close = np.array([1.0, 1 + 2**-40, 1 - 2**-40])
    hold(
        answer,
        [([close, single(1, 2)], sparsity) for sparsity in (0.2, 0.6, 0.8)],
        [([shuffled(4, 3).T, shuffled(5, 2)[:, ::-1]], sparsity) for sparsity in (0.3, 0.6)],
    )


def test_small_and_large(answer):
    """Very small and very large weights"""
    hold(
        answer,
        [([single(3e-30, 1e-30), single(-2e-30, 4e-30)], 0.5), ([single(3e30, 1e30), single(-2e30, 4e30)], 0.5)],
        [([single(1e-25, 2.0), single(-3e-25, 1e25)], sparsity) for sparsity in (0.25, 0.5, 0.75)],
    )


@given(st.lists(st.lists(st.integers(-5, 5), max_size=5), max_size=4), st.floats(0, 1))
def test_random_layers(answer, numbers, sparsity):
    """Random layers, many weights equal"""
    hold(answer, [([single(*layer) for layer in numbers], sparsity)])


def test_outside(answer):
    """A sparsity below 0 or above 1 is a ValueError"""
    hold_error(answer, [(layers((2,), (3,)), sparsity) for sparsity in (-0.4, 1.1, -1, 2, 50.0)])


def asked_for(sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("a sparsity is from 0 to 1")
    return sparsity


def flat_sizes(weights):
    return np.abs(np.concatenate([np.zeros(0), *(array.astype(np.float64).reshape(-1) for array in weights)]))


def without_the_first(sizes, count):
    """The flat mask that drops the first so many in the order of these sizes."""
    mask = np.ones(sizes.size, bool)
    mask[np.argsort(sizes, kind="stable")[:count]] = False
    return mask


def count_of(weights, sparsity):
    return round(asked_for(sparsity) * sum(array.size for array in weights))


def right(weights, sparsity):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return in_shape(without_the_first(flat_sizes(weights), count_of(weights, sparsity)), weights)


def with_count(weights, count):
    return in_shape(without_the_first(flat_sizes(weights), count), weights)


@misconception
def layer_by_layer(weights, sparsity):
    """You dropped the same fraction of each layer. The smallest of *all* are to go: put all layers into one flat array
    and sort that."""
    asked_for(sparsity)
    return [right([array], sparsity)[0] for array in weights]


@misconception
def counts_of_the_layers(weights, sparsity):
    """You rounded for each layer and added up. The number of all weights together is rounded, once."""
    return with_count(weights, sum(count_of([array], sparsity) for array in weights))


@misconception
def signed_weights(weights, sparsity):
    """You sorted the weights, not their magnitudes. −4 is smaller than 1 and matters more: use `np.abs`."""
    flat = np.concatenate([np.zeros(0), *(array.reshape(-1) for array in weights)])
    return in_shape(without_the_first(flat, count_of(weights, sparsity)), weights)


@misconception
def relative_to_the_layer(weights, sparsity):
    """You divided each layer by its largest weight before you compared. The magnitudes themselves are compared, so a
    layer of small weights may lose all of them."""
    scaled = [array / (np.max(np.abs(array), initial=0) or 1) for array in weights]
    return with_count(scaled, count_of(weights, sparsity))


@misconception
def inverted(weights, sparsity):
    """Your masks are True where a weight is dropped. True means kept here, so that `weights * mask` prunes."""
    return [~mask for mask in right(weights, sparsity)]


@misconception
def largest_dropped(weights, sparsity):
    """You dropped the largest weights. Those of the smallest magnitude matter least."""
    return in_shape(without_the_first(-flat_sizes(weights), count_of(weights, sparsity)), weights)


@misconception
def ties_all_dropped(weights, sparsity):
    """You compared with a threshold, and all weights that are equal to it are dropped: too many. Take places in the
    flat array from `np.argsort`, of which there are exactly as many as you ask for."""
    count, sizes = count_of(weights, sparsity), flat_sizes(weights)
    threshold = np.sort(sizes)[count - 1] if count else -1
    return in_shape(sizes > threshold, weights)


@misconception
def ties_all_kept(weights, sparsity):
    """You compared with a threshold, and all weights that are equal to it are kept: too few are dropped. Take places in
    the flat array from `np.argsort`, of which there are exactly as many as you ask for."""
    count, sizes = count_of(weights, sparsity), flat_sizes(weights)
    threshold = np.sort(sizes)[count] if count < sizes.size else math.inf
    return in_shape(sizes >= threshold, weights)


@misconception
def above_the_quantile(weights, sparsity):
    """You kept what is above a quantile. That interpolates between two weights and cuts off a number of its own: take
    `round(sparsity * total)` places from `np.argsort`."""
    asked_for(sparsity)
    sizes = flat_sizes(weights)
    return in_shape(sizes > (np.quantile(sizes, sparsity) if sizes.size else 0), weights)


@misconception
def rounded_down(weights, sparsity):
    """You rounded the number down (`int`, `//` or `floor`). It is `round(sparsity * total)`."""
    return with_count(weights, int(asked_for(sparsity) * flat_sizes(weights).size))


@misconception
def rounded_up(weights, sparsity):
    """You rounded the number up. It is `round(sparsity * total)`."""
    return with_count(weights, math.ceil(asked_for(sparsity) * flat_sizes(weights).size))


@misconception
def half_upwards(weights, sparsity):
    """You rounded a half upwards. Python's `round` takes the even neighbour: `round(2.5)` is 2."""
    return with_count(weights, math.floor(asked_for(sparsity) * flat_sizes(weights).size + 0.5))


@misconception
def kept_number_rounded(weights, sparsity):
    """You rounded the number of the weights that stay. Half-way that is another one: round `sparsity * total`, the
    number of those that go."""
    total = flat_sizes(weights).size
    return with_count(weights, total - round((1 - asked_for(sparsity)) * total))


@misconception
def rows_counted(weights, sparsity):
    """You added up `len(array)`, the number of rows. The number of weights in an array is `array.size`."""
    return with_count(weights, round(asked_for(sparsity) * sum(array.shape[0] for array in weights)))


@misconception
def order_for_rank(weights, sparsity):
    """You compared the result of `np.argsort` itself with the number. It holds places: element 0 says *where* the
    smallest weight is. Set the flat mask to False at the first places, `mask[order[:count]] = False`."""
    order = np.argsort(flat_sizes(weights), kind="stable")
    return in_shape(order >= count_of(weights, sparsity), weights)


@misconception
def last_zero_places(weights, sparsity):
    """You took the last places with `order[-kept:]`. Where none is kept that is `order[-0:]`, which is all of them.
    Take the first ones, `order[:count]`, as the ones to drop."""
    sizes = flat_sizes(weights)
    mask = np.zeros(sizes.size, bool)
    mask[np.argsort(sizes, kind="stable")[-(sizes.size - count_of(weights, sparsity)) :]] = True
    return in_shape(mask, weights)


@misconception
def masks_left_flat(weights, sparsity):
    """Your masks have one axis each. Give each the shape of its array: `part.reshape(array.shape)`."""
    return [mask.reshape(-1) for mask in right(weights, sparsity)]


@misconception
def one_flat_mask(weights, sparsity):
    """You returned one mask for all weights together. Cut it up again (`np.split` at the running sums of the sizes),
    and give each part the shape of its array."""
    return without_the_first(flat_sizes(weights), count_of(weights, sparsity))


@misconception
def cut_in_equal_parts(weights, sparsity):
    """You cut the flat mask at the sizes of the arrays. `np.split` wants the places where to cut: their running sums,
    `np.cumsum(sizes)[:-1]`."""
    mask = without_the_first(flat_sizes(weights), count_of(weights, sparsity))
    parts = np.split(mask, [array.size for array in weights][:-1])
    return [part.reshape(array.shape) for part, array in zip(parts, weights, strict=True)]


@misconception
def masks_of_numbers(weights, sparsity):
    """Your masks hold numbers, 0 and 1. They should be bool: `.astype(bool)`, or `np.ones(size, bool)` to begin
    with."""
    return [mask.astype(np.float32) for mask in right(weights, sparsity)]


@misconception
def masks_of_float64(weights, sparsity):
    """Your masks hold float64 numbers: `np.ones(size)` does where no dtype is given. Begin with `np.ones(size,
    bool)`."""
    return [mask.astype(np.float64) for mask in right(weights, sparsity)]


@misconception
def pruned_weights(weights, sparsity):
    """You returned the pruned weights. The masks alone are asked for, as bools."""
    return [array * mask for array, mask in zip(weights, right(weights, sparsity), strict=True)]


@misconception
def in_a_tuple(weights, sparsity):
    """You returned a tuple. The contract asks for a list."""
    return tuple(right(weights, sparsity))


@misconception
def nothing_to_concatenate(weights, sparsity):
    """You called `np.concatenate` on an empty list, which it does not like. No layers, no masks: return an empty
    list."""
    asked_for(sparsity)
    np.concatenate([array.reshape(-1) for array in weights])
    return right(weights, sparsity)


@misconception
def by_the_square(weights, sparsity):
    """You compared squares in the weights' own dtype. There the square of a small number is 0, and of a large one an
    infinity: use `np.abs`, in float64."""
    with np.errstate(over="ignore", under="ignore"):
        squares = np.concatenate([np.zeros(0), *((array * array).reshape(-1) for array in weights)])
    return in_shape(without_the_first(squares, count_of(weights, sparsity)), weights)


@misconception
def in_single_precision(weights, sparsity):
    """You cast the weights to float32, in which some of them become equal. Compare them in float64."""
    return with_count([array.astype(np.float32) for array in weights], count_of(weights, sparsity))


@misconception
def scalars_have_no_rows(weights, sparsity):
    """You joined the arrays as they are. `np.concatenate` needs them flat: `array.reshape(-1)`."""
    flat = np.abs(np.concatenate(weights))
    return in_shape(without_the_first(flat.reshape(-1), count_of(weights, sparsity)), weights)


@misconception
def none_left_without(weights, sparsity):
    """You kept the largest weight of each layer, whatever it is. A layer may lose all of its weights here."""
    masks = right(weights, sparsity)
    for array, mask in zip(weights, masks, strict=True):
        if array.size and not mask.any():
            mask.reshape(-1)[np.argmax(np.abs(array))] = True
    return masks


@misconception
def in_percent(weights, sparsity):
    """You took the sparsity for a percentage. It is a fraction: 0.5 is one half."""
    return with_count(weights, round(asked_for(sparsity) / 100 * flat_sizes(weights).size))


@misconception
def nothing_refused(weights, sparsity):
    """You did not look whether the sparsity is between 0 and 1. `order[:-1]` drops all but one without a complaint:
    raise a ValueError before."""
    sizes = flat_sizes(weights)
    return in_shape(without_the_first(sizes, round(sparsity * sizes.size)), weights)


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
def asserted(weights, sparsity):
    """You used `assert`, which raises an AssertionError, and nothing under `python -O`. Raise a ValueError."""
    assert 0 <= sparsity <= 1
    return right(weights, sparsity)


@misconception
def pruned_in_place(weights, sparsity):
    """You changed the arrays that you were given. The masks alone are asked for; work on copies if you need some."""
    masks = right(weights, sparsity)
    for array, mask in zip(weights, masks, strict=True):
        array[~mask] = 0
    return masks


@misconception
def list_changed(weights, sparsity):
    """You changed the list that you were given. Make one of your own."""
    masks = right(weights, sparsity)
    weights[:] = [array.reshape(-1) for array in weights]
    return masks


HINTS = (
    "Which weights would go if all layers were one? Make them one: a flat array of all magnitudes. Exercise 1 has "
    "the rest, and you may call your function.",
    "`np.concatenate` joins flat arrays (not an empty list of them). The flat mask is cut up with `np.split`, at "
    "the running sums of the sizes without the last, and each part gets the shape of its array.",
    "`mask = magnitude_mask(np.concatenate([array.reshape(-1) for array in weights]), sparsity)`, `ends = "
    "np.cumsum([array.size for array in weights])`, `parts = np.split(mask, ends[:-1])`, then "
    "`part.reshape(array.shape)` for each pair. `[]` for an empty list.",
)
