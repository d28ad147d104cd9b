"""remove_neurons(kernel_in, bias_in, kernel_out, keep) -> (kernel_in, bias_in, kernel_out): a layer really smaller."""

from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import hold_each
from halfbits.checks.pruning.common import single, use  # noqa: F401
from halfbits.grading.exercise import misconception
from halfbits.grading.values import difference


def places(keep):
    """The neurons that stay, as a list of Python integers, in the order given."""
    numbers = keep.tolist()
    return [j for j, stays in enumerate(numbers) if stays] if keep.dtype == bool else numbers


def taken(kernel_in, bias_in, kernel_out, order):
    """The oracle: neuron by neuron."""
    return (
        np.array([[row[j] for j in order] for row in kernel_in.tolist()], np.float32).reshape(
            len(kernel_in), len(order)
        ),
        np.array([bias_in[j] for j in order], np.float32),
        np.array([kernel_out[j] for j in order], np.float32).reshape(len(order), kernel_out.shape[1]),
    )


def hold_one(call):
    """In the order of the indices, or as they were."""
    *layers, keep = call.arguments
    wanted = [taken(*layers, order) for order in (places(keep), sorted(places(keep)))]
    call.equals(next((one for one in wanted if difference(call.returned, one) is None), wanted[0]))


def hold(answer, *groups):
    hold_each(answer, chain(*groups), hold_one)


def layers(inputs, units, outputs):
    """Two layers whose numbers are all different."""
    sizes = inputs * units, units, units * outputs
    numbers = np.arange(1, sum(sizes) + 1, dtype=np.float32) * np.where(np.arange(sum(sizes)) % 3, 0.5, -0.5)
    kernel_in, bias_in, kernel_out = np.split(numbers.astype(np.float32), np.cumsum(sizes)[:-1])
    return kernel_in.reshape(inputs, units), bias_in, kernel_out.reshape(units, outputs)


def mask(*stays):
    return np.array(stays, bool)


def indices(*stays, kind=np.int64):
    return np.array(stays, kind)


def test_masks(answer):
    """A boolean mask"""
    hold(
        answer,
        [(*layers(2, 3, 4), mask(1, 0, 1)), (*layers(3, 4, 2), mask(0, 0, 1, 1)), (*layers(5, 2, 3), mask(0, 1))],
    )


def test_indices(answer):
    """Indices"""
    hold(
        answer,
        [(*layers(2, 3, 4), indices(0, 2)), (*layers(3, 4, 2), indices(2, 3)), (*layers(5, 6, 3), indices(1, 2, 5))],
        [(*layers(3, 5, 2), indices(1, 4, kind=kind)) for kind in (np.int32, np.int8, np.uint8, np.uint64)],
    )


def test_any_order(answer):
    """Indices in any order, in which all three have the neurons"""
    hold(
        answer,
        [
            (*layers(2, 3, 4), indices(2, 0)),
            (*layers(3, 5, 2), indices(4, 1, 3)),
            (*layers(2, 4, 2), indices(3, 2, 1, 0)),
        ],
    )


def test_as_many_indices_as_neurons(answer):
    """Indices that look like a mask"""
    hold(answer, [(*layers(3, 2, 4), indices(*two)) for two in ((0, 1), (1, 0))])
    hold(answer, [(*layers(3, 4, 2), indices(*few)) for few in ((1,), (0,), (0, 1), (1, 0))])


def test_all_stay(answer):
    """All stay"""
    hold(answer, [(*layers(2, 3, 4), mask(1, 1, 1)), (*layers(2, 3, 4), indices(0, 1, 2)), (*layers(1, 1, 1), mask(1))])


def test_one_stays(answer):
    """One stays: the shapes keep their two axes"""
    hold(
        answer,
        [(*layers(2, 3, 4), mask(0, 1, 0)), (*layers(2, 3, 4), indices(2)), (*layers(1, 2, 1), mask(0, 1))],
        [(*layers(4, 3, 1), indices(0)), (*layers(1, 3, 1), indices(1))],
    )


def test_square(answer):
    """As many inputs and outputs as neurons"""
    hold(answer, [(*layers(3, 3, 3), keep) for keep in (mask(1, 0, 1), indices(1, 2), indices(2, 0))])


def outputs_of(kernel_in, bias_in, kernel_out):
    """The two layers with a ReLU between them, in NumPy, for inputs of both signs."""
    x = np.random.default_rng(7).normal(size=(9, len(kernel_in)))
    return np.maximum(x @ np.asarray(kernel_in, np.float64) + bias_in, 0) @ np.asarray(kernel_out, np.float64)


def test_dead_neurons(answer):
    """Where the neurons removed were dead, the two layers compute the same"""

    def hold_outputs(call):
        *before, keep = call.arguments
        try:
            same = np.allclose(outputs_of(*call.returned), outputs_of(*before), rtol=1e-5, atol=1e-5)
        except (TypeError, ValueError):
            same = False
        if not same:
            call.equals(taken(*before, places(keep)), because="the two layers do not compute the same as before")

    cases = []
    for keep in (mask(1, 0, 1, 0, 1), indices(0, 2, 4), indices(4, 0, 2)):
        kernel_in, bias_in, kernel_out = layers(4, 5, 3)
        kernel_in[:, [1, 3]] = 0
        bias_in[[1, 3]] = -1, 0
        cases.append((kernel_in, bias_in, kernel_out, keep))
    hold_each(answer, cases, hold_outputs)
    hold(answer, cases)


@given(st.integers(1, 4), st.lists(st.booleans(), min_size=1, max_size=6).filter(any), st.integers(1, 4), st.randoms())
def test_random_layers(answer, inputs, stays, outputs, random):
    """Random layers, masks and indices"""
    order = [j for j, stay in enumerate(stays) if stay]
    random.shuffle(order)
    hold(answer, [(*layers(inputs, len(stays), outputs), keep) for keep in (mask(*stays), indices(*order))])


def right(kernel_in, bias_in, kernel_out, keep):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return kernel_in[:, keep], bias_in[keep], kernel_out[keep]


@misconception
def next_kernel_left(kernel_in, bias_in, kernel_out, keep):
    """You left the next layer's kernel as it was. A neuron is a row of it too: `kernel_out[keep]`."""
    return kernel_in[:, keep], bias_in[keep], kernel_out.copy()


@misconception
def bias_left(kernel_in, bias_in, kernel_out, keep):
    """You left the bias as it was. It has an element for each neuron: `bias_in[keep]`."""
    return kernel_in[:, keep], bias_in.copy(), kernel_out[keep]


@misconception
def first_kernel_left(kernel_in, bias_in, kernel_out, keep):
    """You left the first kernel as it was. A neuron is a column of it: `kernel_in[:, keep]`."""
    return kernel_in.copy(), bias_in[keep], kernel_out[keep]


@misconception
def rows_of_the_first(kernel_in, bias_in, kernel_out, keep):
    """You took rows of the first kernel. Its shape is (inputs, units), so a neuron is a column: `kernel_in[:,
    keep]`."""
    return kernel_in[keep], bias_in[keep], kernel_out[keep]


@misconception
def columns_of_the_second(kernel_in, bias_in, kernel_out, keep):
    """You took columns of the next layer's kernel. Its shape is (units, outputs), so a neuron is a row:
    `kernel_out[keep]`."""
    return kernel_in[:, keep], bias_in[keep], kernel_out[:, keep]


@misconception
def set_to_zero(kernel_in, bias_in, kernel_out, keep):
    """You set the numbers to 0. The arrays have to be smaller: pick what stays, `kernel_in[:, keep]`."""
    stays = np.isin(np.arange(len(bias_in)), places(keep))
    return tuple(np.float32(a) for a in (kernel_in * stays, bias_in * stays, kernel_out * stays[:, np.newaxis]))


@misconception
def removed_instead(kernel_in, bias_in, kernel_out, keep):
    """You removed the neurons that should stay. `keep` says which ones stay (`np.delete` takes those that go)."""
    goes = [j for j in range(len(bias_in)) if j not in places(keep)]
    return right(kernel_in, bias_in, kernel_out, goes)


@misconception
def indices_as_a_mask(kernel_in, bias_in, kernel_out, keep):
    """You made bools of the indices: every index but 0 is True. NumPy takes masks and indices alike between brackets:
    `bias_in[keep]`."""
    return right(kernel_in, bias_in, kernel_out, keep.astype(bool))


@misconception
def nonzero_indices(kernel_in, bias_in, kernel_out, keep):
    """You took the places where `keep` is not 0 (`np.flatnonzero`, `np.compress`). What are indices already must stay
    as they are."""
    return right(kernel_in, bias_in, kernel_out, np.flatnonzero(keep))


@misconception
def only_int64_are_indices(kernel_in, bias_in, kernel_out, keep):
    """You took integers other than int64 for a mask (`keep.dtype == int`). Ask for what there is one of: `keep.dtype ==
    bool`."""
    return right(kernel_in, bias_in, kernel_out, keep if keep.dtype == np.int64 else np.flatnonzero(keep))


@misconception
def length_decides(kernel_in, bias_in, kernel_out, keep):
    """You took `keep` for a mask where it is as long as there are neurons. Indices may be as many: look at its dtype,
    or leave that to NumPy's brackets."""
    keep = np.flatnonzero(keep) if len(keep) == len(bias_in) else keep
    return right(kernel_in, bias_in, kernel_out, keep)


@misconception
def zeros_and_ones_decide(kernel_in, bias_in, kernel_out, keep):
    """You took `keep` for a mask where it holds nothing but 0 and 1. These are indices too: look at its dtype, or leave
    that to NumPy's brackets."""
    if len(keep) == len(bias_in) and set(keep.tolist()) <= {0, 1}:
        keep = keep.astype(bool)
    return right(kernel_in, bias_in, kernel_out, keep)


@misconception
def mask_as_indices(kernel_in, bias_in, kernel_out, keep):
    """You made integers of the mask, 0 and 1, and took neurons 0 and 1 again and again. Index with the mask itself, or
    with `np.flatnonzero` of it."""
    return right(kernel_in, bias_in, kernel_out, keep.astype(int))


@misconception
def first_ones_kept(kernel_in, bias_in, kernel_out, keep):
    """You kept the first neurons, as many as should stay. `keep` says which: index with it."""
    return right(kernel_in, bias_in, kernel_out, slice(len(places(keep))))


@misconception
def one_order_for_each(kernel_in, bias_in, kernel_out, keep):
    """You sorted the neurons in one array and not in the others. All three need the same order, or the next layer gets
    the wrong neurons."""
    return kernel_in[:, keep], bias_in[keep], kernel_out[sorted(places(keep))]


@misconception
def first_layer_sorted(kernel_in, bias_in, kernel_out, keep):
    """You sorted the neurons in the first layer and not in the next. All three arrays need the same order."""
    order = sorted(places(keep))
    return kernel_in[:, order], bias_in[order], kernel_out[keep]


@misconception
def axes_dropped(kernel_in, bias_in, kernel_out, keep):
    """You dropped axes of length 1 (`np.squeeze`). A kernel keeps its two axes, with one neuron too."""
    return tuple(np.squeeze(array) for array in right(kernel_in, bias_in, kernel_out, keep))


@misconception
def next_kernel_transposed(kernel_in, bias_in, kernel_out, keep):
    """You returned the next layer's kernel transposed. Its shape is (k, outputs)."""
    kernel_in, bias_in, kernel_out = right(kernel_in, bias_in, kernel_out, keep)
    return kernel_in, bias_in, kernel_out.T


@misconception
def kernels_first(kernel_in, bias_in, kernel_out, keep):
    """You returned both kernels before the bias. The order is that of the arguments."""
    kernel_in, bias_in, kernel_out = right(kernel_in, bias_in, kernel_out, keep)
    return kernel_in, kernel_out, bias_in


@misconception
def in_a_list(kernel_in, bias_in, kernel_out, keep):
    """You returned a list. The contract asks for a tuple."""
    return list(right(kernel_in, bias_in, kernel_out, keep))


@misconception
def in_float64(kernel_in, bias_in, kernel_out, keep):
    """You returned float64. The layers are float32, and stay so."""
    return tuple(map(np.float64, right(kernel_in, bias_in, kernel_out, keep)))


@misconception
def bias_in_two_dimensions(kernel_in, bias_in, kernel_out, keep):
    """Your bias has more than one axis. Its shape is (k,)."""
    kernel_in, bias_in, kernel_out = right(kernel_in, bias_in, kernel_out, keep)
    return kernel_in, bias_in[np.newaxis], kernel_out


@misconception
def zeroed_in_place(kernel_in, bias_in, kernel_out, keep):
    """You changed the arrays that you were given. They still belong to the network that is not pruned: pick from them,
    and leave them."""
    smaller = right(kernel_in, bias_in, kernel_out, keep)
    bias_in[~np.isin(np.arange(len(bias_in)), places(keep))] = 0
    return smaller


HINTS = (
    "Draw a hidden neuron: what goes in, what is added, what comes out. Which part of each of the three arrays is it?",
    "A column of kernel_in, an element of bias_in, a row of kernel_out. NumPy's brackets take a bool array and an "
    "array of indices alike.",
    "`kernel_in[:, keep]`, `bias_in[keep]`, `kernel_out[keep]`.",
)
