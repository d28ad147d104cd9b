"""Masks, schedules and sizes, held against TFMOT, SciPy and definitions."""

import gzip
import importlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from halfbits.pruning import (
    global_masks,
    magnitude_mask,
    masked_training,
    n_of_m_mask,
    neuron_scores,
    polynomial_sparsity,
    sizes,
    strongest_units,
)

# Few different values, so that there are ties.
VALUES = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])
TENSORS = hnp.arrays(np.float32, hnp.array_shapes(max_dims=4, max_side=5), elements=VALUES)
SPARSITIES = st.floats(0, 1)


@given(TENSORS, SPARSITIES)
def test_exactly_the_asked_number_is_dropped_and_none_is_larger_than_a_kept_one(weights, sparsity):
    mask = magnitude_mask(weights, sparsity)
    assert (mask.dtype, mask.shape) == (bool, weights.shape)
    assert (~mask).sum() == round(sparsity * weights.size)
    if mask.any() and not mask.all():
        assert np.abs(weights[~mask]).max() <= np.abs(weights[mask]).min()


@given(st.lists(TENSORS, min_size=1, max_size=4), SPARSITIES)
def test_a_global_mask_is_one_ranking(tensors, sparsity):
    masks = global_masks(tensors, sparsity)
    assert [m.shape for m in masks] == [t.shape for t in tensors]
    dropped = np.concatenate([np.abs(t[~m]) for t, m in zip(tensors, masks, strict=True)])
    kept = np.concatenate([np.abs(t[m]) for t, m in zip(tensors, masks, strict=True)])
    assert len(dropped) == round(sparsity * sum(t.size for t in tensors))
    if len(dropped) and len(kept):
        assert dropped.max() <= kept.min()


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, float("nan")])
def test_a_sparsity_outside_is_refused(sparsity):
    with pytest.raises(ValueError, match="between 0 and 1"):
        magnitude_mask([1.0, 2.0], sparsity)
    with pytest.raises(ValueError, match="between 0 and 1"):
        global_masks([np.ones(2), np.ones(3)], sparsity)


def test_a_block_by_hand_and_along_each_axis():
    weights = np.array([[0.1, -3.0, 0.2, 4.0], [-9.0, 8.0, -7.0, 6.0], [0, 1, 2, 3], [5, 4, 3, 2]])
    along_rows = [[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0]]
    assert n_of_m_mask(weights).astype(int).tolist() == along_rows
    assert np.array_equal(n_of_m_mask(weights.T, axis=0), n_of_m_mask(weights).T)
    assert n_of_m_mask(weights, 1, 4, axis=0).sum(axis=0).tolist() == [1] * 4
    assert n_of_m_mask(np.zeros((3, 8)), 2, 4).sum(axis=1).tolist() == [4] * 3  # ties
    for bad in (dict(m=3), dict(n=5), dict(n=-1)):
        with pytest.raises(ValueError, match=r"blocks of 3|cannot keep"):
            n_of_m_mask(weights, **bad)


@pytest.mark.tensorflow
def test_blocks_agree_with_tfmot_along_the_inputs():
    import tensorflow as tf
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_utils

    weights = tf.constant(np.random.default_rng(0).normal(size=(16, 6)), tf.float32)
    theirs = pruning_utils.generate_m_by_n_mask(pruning_utils.weights_rearrange(weights), (2, 4))
    theirs = pruning_utils.m_by_n_sparsity_mask_prepare(theirs, weights.shape)
    assert np.array_equal(n_of_m_mask(weights, axis=0), np.asarray(theirs) == 1)


@pytest.mark.tensorflow
@pytest.mark.parametrize("power", [1, 3])
def test_the_schedule_agrees_with_tfmot(power):
    import tensorflow_model_optimization as tfmot

    theirs = tfmot.sparsity.keras.PolynomialDecay(0.2, 0.9, begin_step=10, end_step=50, power=power)
    for step in (0, 9, 10, 11, 30, 49, 50, 51, 500):
        ours = polynomial_sparsity(step, 10, 50, 0.2, 0.9, power)
        assert ours == pytest.approx(float(theirs(step)[1]), abs=1e-6)


@pytest.mark.parametrize("end", [10, 9])
def test_a_schedule_without_length_is_refused(end):
    with pytest.raises(ValueError, match="after the beginning"):
        polynomial_sparsity(5, 10, end)


def test_scores_of_dense_units_and_of_channels():
    kernel_in, bias = np.array([[3.0, 0.0], [0.0, 0.0]]), np.array([4.0, 0.0])
    assert neuron_scores(kernel_in, bias, np.array([[6.0, 8.0], [1.0, 1.0]])).tolist() == [50.0, 0.0]
    rng = np.random.default_rng(0)
    first, between, second = rng.normal(size=(3, 3, 2, 5)), rng.normal(size=5), rng.normal(size=(3, 3, 5, 4))
    by_hand = [
        np.sqrt((first[..., c] ** 2).sum() + between[c] ** 2) * np.sqrt((second[:, :, c] ** 2).sum()) for c in range(5)
    ]
    np.testing.assert_allclose(neuron_scores(first, between, second), by_hand)


def test_sizes_against_scipy_and_gzip():
    from scipy.sparse import csr_matrix

    weights = np.random.default_rng(0).normal(size=(13, 7)).astype(np.float32)
    weights *= magnitude_mask(weights, 0.6)
    found, csr = sizes(weights), csr_matrix(weights)
    assert found["dense"] == 13 * 7 * 4
    assert found["csr"] == csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes
    assert found["bitmap"] == len(np.packbits(weights != 0)) + csr.data.nbytes
    assert found["gzip"] == len(gzip.compress(weights.tobytes(), 9))
    with pytest.raises(ValueError, match="two axes"):
        sizes(np.ones(4))


def network(rng, widths):
    return [w for n, m in pairwise(widths) for w in (rng.normal(size=(n, m)).astype(np.float32), rng.normal(size=m))]


def forward(weights, x):
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = np.maximum(x @ kernel + bias, 0)
    return x @ weights[-2] + weights[-1]


def test_without_dead_units_the_function_is_the_same():
    rng = np.random.default_rng(0)
    weights, alive = network(rng, (5, 7, 6, 3)), [[0, 2, 3, 6], [1, 4, 5]]
    for layer, units in enumerate(alive):
        dead = np.setdiff1d(np.arange(weights[2 * layer].shape[1]), units)
        weights[2 * layer][:, dead] = 0
        weights[2 * layer + 1][dead] = 0
    before, x = [w.copy() for w in weights], rng.normal(size=(8, 5))
    smaller, kept = strongest_units(weights, (4, 3))
    assert [k.tolist() for k in kept] == alive
    assert [w.shape for w in smaller] == [(5, 4), (4,), (4, 3), (3,), (3, 3), (3,)]
    np.testing.assert_allclose(forward(smaller, x), forward(weights, x))
    assert all(np.array_equal(a, b) for a, b in zip(before, weights, strict=True))  # not changed


def test_units_are_chosen_by_the_given_scores():
    weights = network(np.random.default_rng(0), (2, 4, 3))
    smaller, (kept,) = strongest_units(weights, (2,), lambda kernel, bias, out: np.array([3.0, 1.0, 1.0, 0.0]))
    assert kept.tolist() == [0, 2]
    assert np.array_equal(smaller[0], weights[0][:, [0, 2]])


@pytest.mark.parametrize("counts", [(0,), (5,), (2, 2), ()])
def test_counts_that_do_not_fit_are_refused(counts):
    with pytest.raises(ValueError, match=r"cannot keep|hidden layers"):
        strongest_units(network(np.random.default_rng(0), (2, 4, 3)), counts)


@pytest.fixture(scope="module")
def points():
    """Two classes that a line tells apart."""
    x = np.random.default_rng(0).normal(size=(128, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


@pytest.mark.tensorflow
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_masked_training_learns_holds_the_masks_and_begins_anew(library, points):
    from halfbits.models import mlp

    library = importlib.import_module(library)
    train = masked_training(mlp(library, (8,), inputs=4, classes=2), points, batch=32, learning_rate=0.02)
    start = network(np.random.default_rng(1), (4, 8, 2))
    masks = [magnitude_mask(w, 0.5) for w in start[::2]]
    free, held = train(start, 20), train(start, 20, masks=masks)
    for weights in free, held:
        assert np.mean(np.argmax(forward(weights, points[0]), axis=1) == points[1]) > 0.9
    assert all(np.array_equal(w == 0, ~mask) for w, mask in zip(held[::2], masks, strict=True))
    assert all((w != 0).all() for w in free[::2])
    # The optimizer's moments and the last masks are forgotten; another order of the examples ends elsewhere.
    for again, same in (train(start, 20), True), (train(start, 20, seed=1), False):
        close = [np.allclose(a, b, atol=1e-4) for a, b in zip(free, again, strict=True)]
        assert all(close) == same


@pytest.mark.tensorflow
def test_masked_training_holds_the_zeros_of_a_model_that_tfmot_quantizes(points):
    import tensorflow_model_optimization as tfmot
    import tf_keras

    from halfbits.models import mlp

    model = tfmot.quantization.keras.quantize_model(mlp(tf_keras, (8,), inputs=4, classes=2))
    train = masked_training(model, points, batch=32, learning_rate=0.02)
    start = network(np.random.default_rng(1), (4, 8, 2))
    masks = [magnitude_mask(w, 0.5) for w in start[::2]]
    held = train(start, 20, masks=masks)
    assert [w.shape for w in held] == [w.shape for w in start]
    assert all(np.array_equal(w == 0, ~mask) for w, mask in zip(held[::2], masks, strict=True))
    assert np.mean(np.argmax(model.predict(points[0], verbose=0), axis=1) == points[1]) > 0.9
