"""Masks, schedules and sizes, held against TFMOT, SciPy and definitions."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from halfbits.pruning import global_masks, magnitude_mask, n_of_m_mask, neuron_scores, polynomial_sparsity, sizes

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
