"""neuron_scores(kernel_in, bias_in, kernel_out) -> np.ndarray: the importance of each hidden neuron."""

import math
from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfbits.checks.cases import hold_each
from halfbits.checks.pruning.common import shuffled, single
from halfbits.checks.tensors import plain
from halfbits.grading.exercise import misconception

CLOSE = 1e-5


def use(answer, *arguments):
    """Call the answer; a tensor will do for an array, and float32 for float64."""
    returned = plain(answer(*arguments))
    return returned.astype(np.float64) if getattr(returned, "dtype", None) == np.float32 else returned


def expected(kernel_in, bias_in, kernel_out):
    """The oracle: neuron by neuron with `math.hypot`."""
    columns = zip(*kernel_in.tolist(), strict=True)
    neurons = zip(columns, bias_in.tolist(), kernel_out.tolist(), strict=True)
    return np.array([math.hypot(*column, bias) * math.hypot(*row) for column, bias, row in neurons])


def hold(answer, *groups):
    hold_each(answer, chain(*groups), lambda call: call.equals(expected(*call.arguments), rtol=CLOSE))


def layers(inputs, units, outputs):
    """Two layers with numbers of both signs."""
    flat = shuffled(inputs * units + units + units * outputs)
    kernel_in, bias_in, kernel_out = np.split(flat, np.cumsum([inputs * units, units]))
    return kernel_in.reshape(inputs, units), bias_in, kernel_out.reshape(units, outputs)


def test_whole_numbers(answer):
    """Norms that are whole numbers"""
    hold(
        answer,
        [(single([3.0]), single(4), single([1.0])), (single([3.0], [4]), single(0), single([5, 12]))],
        [(single([2, 1]), single(1, 2), single([3, 4], [0, 1]))],
    )


def test_sizes(answer):
    """Unequal numbers of inputs, neurons and outputs"""
    hold(answer, [layers(*sizes) for sizes in ((2, 3, 4), (4, 3, 2), (5, 2, 1), (1, 4, 3), (3, 1, 2), (1, 1, 1))])


def test_square(answer):
    """As many inputs and outputs as neurons"""
    hold(answer, [layers(2, 2, 2), layers(3, 3, 3), layers(4, 4, 2)])


def test_bias(answer):
    """The bias belongs to what comes in"""
    kernel_in, bias_in, kernel_out = layers(3, 4, 2)
    hold(answer, [(kernel_in, scale * bias_in, kernel_out) for scale in map(np.float32, (1, -3, 100, 0))])
    hold(answer, [(0 * kernel_in, bias_in, kernel_out)])


def test_zeros(answer):
    """A neuron that nothing reaches, or that reaches nothing, scores 0"""
    kernel_in, bias_in, kernel_out = layers(3, 4, 2)
    kernel_in[:, 1], bias_in[1], kernel_out[2] = 0, 0, 0
    hold(answer, [(kernel_in, bias_in, kernel_out), (0 * kernel_in, 0 * bias_in, kernel_out)])


def test_rescaled(answer):
    """Incoming times 8, outgoing divided by 8: the same score"""
    kernel_in, bias_in, kernel_out = layers(2, 5, 3)
    scale = single(1, 8, 0.125, 64, 2)
    hold(answer, [(kernel_in * scale, bias_in * scale, kernel_out / scale[:, np.newaxis])])


def test_signs(answer):
    """Negative weights"""
    kernel_in, bias_in, kernel_out = map(np.abs, layers(3, 3, 2))
    hold(answer, [(-kernel_in, -bias_in, kernel_out), (kernel_in, -bias_in, -kernel_out)])


def test_small_and_large(answer):
    """Very small and very large numbers"""
    kernel_in, bias_in, kernel_out = layers(3, 4, 2)
    sizes = map(np.float32, (1e-11, 1e10))
    hold(answer, [(kernel_in * size, bias_in * size, kernel_out * size) for size in sizes])


def test_layout(answer):
    """Transposed and strided arrays"""
    kernel_in, bias_in, kernel_out = layers(6, 4, 6)
    hold(answer, [(kernel_out.T, bias_in[::-1], kernel_in.T), (kernel_in[::2], bias_in, kernel_out[:, ::3])])


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_random_layers(answer, inputs, units, outputs, seed):
    """Random layers"""
    normal = np.random.default_rng(seed).normal
    shapes = ((inputs, units), (units,), (units, outputs))
    hold(answer, [tuple(normal(size=shape).astype(np.float32) for shape in shapes)])


def norm(array, axis):
    return np.linalg.norm(array.astype(np.float64), axis=axis)


def incoming(kernel_in, bias_in):
    return norm(np.vstack([kernel_in, bias_in]), 0)


def right(kernel_in, bias_in, kernel_out):
    """The right answer, for the misconceptions to be wrong in one place only."""
    return incoming(kernel_in, bias_in) * norm(kernel_out, 1)


@misconception
def bias_left_out(kernel_in, bias_in, kernel_out):
    """You left out the bias. It is one more incoming weight, from an input that is always 1."""
    return norm(kernel_in, 0) * norm(kernel_out, 1)


@misconception
def incoming_only(kernel_in, bias_in, kernel_out):
    """You left out the outgoing weights. A neuron that nobody listens to does not matter: multiply by their norm."""
    return incoming(kernel_in, bias_in)


@misconception
def incoming_kernel_only(kernel_in, bias_in, kernel_out):
    """You took the norm of the incoming weights alone. The bias belongs to it, and the norm of the outgoing weights is
    the other factor."""
    return norm(kernel_in, 0)


@misconception
def outgoing_only(kernel_in, bias_in, kernel_out):
    """You left out the incoming weights. A neuron that hardly moves does not matter: multiply by the norm of what comes
    in."""
    return norm(kernel_out, 1)


@misconception
def norms_added(kernel_in, bias_in, kernel_out):
    """You added the two norms. Their product is asked for: only that stays the same when one is multiplied by 10 and
    the other divided by 10."""
    return incoming(kernel_in, bias_in) + norm(kernel_out, 1)


@misconception
def one_norm_of_all(kernel_in, bias_in, kernel_out):
    """You took one norm of incoming and outgoing weights together. Take two, and multiply them."""
    return np.hypot(incoming(kernel_in, bias_in), norm(kernel_out, 1))


@misconception
def bias_as_a_term(kernel_in, bias_in, kernel_out):
    """You added the magnitude of the bias to the norm. It goes under the root, squared: √(Σw² + b²)."""
    return (norm(kernel_in, 0) + np.abs(bias_in)) * norm(kernel_out, 1)


@misconception
def bias_as_it_is(kernel_in, bias_in, kernel_out):
    """You added the bias to the norm, with its sign. It goes under the root, squared: √(Σw² + b²)."""
    return (norm(kernel_in, 0) + bias_in) * norm(kernel_out, 1)


@misconception
def bias_not_squared(kernel_in, bias_in, kernel_out):
    """You did not square the bias under the root. It is √(Σw² + b²)."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(norm(kernel_in, 0) ** 2 + bias_in) * norm(kernel_out, 1)


@misconception
def bias_as_a_factor(kernel_in, bias_in, kernel_out):
    """You multiplied by the magnitude of the bias. It is part of the incoming norm: √(Σw² + b²)."""
    return norm(kernel_in, 0) * np.abs(bias_in) * norm(kernel_out, 1)


@misconception
def bias_with_the_outgoing(kernel_in, bias_in, kernel_out):
    """You put the bias with the outgoing weights. It is added to what comes in."""
    return norm(kernel_in, 0) * norm(np.column_stack([kernel_out, bias_in]), 1)


@misconception
def roots_forgotten(kernel_in, bias_in, kernel_out):
    """You forgot the roots: yours is the product of the squared norms."""
    return right(kernel_in, bias_in, kernel_out) ** 2


@misconception
def one_root_forgotten(kernel_in, bias_in, kernel_out):
    """You forgot the root of the outgoing part: yours is a norm times a squared norm."""
    return incoming(kernel_in, bias_in) * norm(kernel_out, 1) ** 2


@misconception
def root_of_the_product(kernel_in, bias_in, kernel_out):
    """You multiplied the two sums of squares in float32 and took the root afterwards. Their product may be beyond
    10³⁸, or below 10⁻⁴⁵: take each root first."""
    with np.errstate(over="ignore", under="ignore"):
        squares = np.float32(incoming(kernel_in, bias_in)) ** 2 * np.float32(norm(kernel_out, 1)) ** 2
        return np.sqrt(squares)


@misconception
def sums_of_magnitudes(kernel_in, bias_in, kernel_out):
    """You added up magnitudes, which is the 1-norm. The Euclidean norm is the root of the sum of squares."""
    return np.abs(np.vstack([kernel_in, bias_in])).sum(axis=0) * np.abs(kernel_out).sum(axis=1)


@misconception
def largest_magnitudes(kernel_in, bias_in, kernel_out):
    """You took the largest magnitudes. The Euclidean norm is the root of the sum of squares."""
    return np.abs(np.vstack([kernel_in, bias_in])).max(axis=0) * np.abs(kernel_out).max(axis=1)


@misconception
def plain_sums(kernel_in, bias_in, kernel_out):
    """You added up the weights with their signs. The Euclidean norm is the root of the sum of squares."""
    return np.vstack([kernel_in, bias_in]).sum(axis=0) * kernel_out.sum(axis=1)


@misconception
def root_of_the_mean(kernel_in, bias_in, kernel_out):
    """You took means of the squares. The Euclidean norm is the root of their sum."""
    return right(kernel_in, bias_in, kernel_out) / np.sqrt((len(kernel_in) + 1) * kernel_out.shape[1])


@misconception
def second_kernel_by_column(kernel_in, bias_in, kernel_out):
    """You took the norms of the columns of kernel_out. Its shape is (units, outputs), so a neuron is a row:
    `axis=1`."""
    return incoming(kernel_in, bias_in) * norm(kernel_out, 0)


@misconception
def first_kernel_by_row(kernel_in, bias_in, kernel_out):
    """You took the norms of the rows of kernel_in, and put the bias to them. Its shape is (inputs, units), so a neuron
    is a column: `axis=0`."""
    return np.hypot(norm(kernel_in, 1), bias_in) * norm(kernel_out, 1)


@misconception
def bias_as_a_column(kernel_in, bias_in, kernel_out):
    """You put the bias beside kernel_in as a column. It is one more row: a bias for each of the columns
    (`np.vstack`)."""
    return norm(np.column_stack([kernel_in, bias_in]), 0)[: len(bias_in)] * norm(kernel_out, 1)


@misconception
def norm_of_the_whole(kernel_in, bias_in, kernel_out):
    """You took the norm of whole arrays, since no axis was given. Each neuron has its own: `axis=0` for the incoming,
    `axis=1` for the outgoing weights."""
    return norm(np.vstack([kernel_in, bias_in]), None) * norm(kernel_out, None)


@misconception
def outgoing_norm_of_the_whole(kernel_in, bias_in, kernel_out):
    """You took the norm of the whole kernel_out. Each neuron has its own row: `axis=1`."""
    return incoming(kernel_in, bias_in) * norm(kernel_out, None)


@misconception
def as_fractions(kernel_in, bias_in, kernel_out):
    """You divided by the sum of the scores. The scores themselves are asked for."""
    scores = right(kernel_in, bias_in, kernel_out)
    return scores / (scores.sum() or 1)


@misconception
def relative_to_the_largest(kernel_in, bias_in, kernel_out):
    """You divided by the largest score. The scores themselves are asked for."""
    scores = right(kernel_in, bias_in, kernel_out)
    with np.errstate(invalid="ignore"):
        return scores / np.max(scores)


@misconception
def as_ranks(kernel_in, bias_in, kernel_out):
    """You returned an order of the neurons. The scores themselves are asked for."""
    return np.argsort(right(kernel_in, bias_in, kernel_out))


@misconception
def dimensions_kept(kernel_in, bias_in, kernel_out):
    """Your result has two axes. Its shape is (units,): leave out `keepdims=True`."""
    return right(kernel_in, bias_in, kernel_out)[np.newaxis]


@misconception
def one_table(kernel_in, bias_in, kernel_out):
    """Your result is a table, since a row of norms was multiplied by a column of norms. Give both the shape
    (units,)."""
    return np.outer(norm(kernel_out, 1), incoming(kernel_in, bias_in))


@misconception
def in_half_precision(kernel_in, bias_in, kernel_out):
    """You went through float16, which has 11 bits for the digits and ends at 65,504. Compute in float32."""
    with np.errstate(over="ignore"):
        return right(kernel_in.astype(np.float16), bias_in.astype(np.float16), kernel_out.astype(np.float16))


@misconception
def kept_from_zero(kernel_in, bias_in, kernel_out):
    """You added a small number, 10⁻⁸ or the like, to the scores. A dead neuron scores 0, and small weights small
    scores."""
    return right(kernel_in, bias_in, kernel_out) + 1e-8


@misconception
def changed_in_place(kernel_in, bias_in, kernel_out):
    """You changed an array that you were given (`**=`, `*=`, `out=`). Make a new one: `kernel_in ** 2`."""
    scores = right(kernel_in, bias_in, kernel_out)
    kernel_in **= 2
    return scores


HINTS = (
    "What comes in has inputs + 1 numbers for each neuron, and what goes out has outputs of them. Which axis is "
    "summed over in each kernel?",
    "Put the bias under kernel_in as one more row. Norms over axis 0 there, over axis 1 of kernel_out, and their "
    "product.",
    "`np.linalg.norm(np.vstack([kernel_in, bias_in]), axis=0) * np.linalg.norm(kernel_out, axis=1)`",
)
