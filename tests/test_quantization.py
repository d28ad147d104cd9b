"""Grids and their errors, held against TensorFlow's own quantization, exact cases and the theory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from halfbits.quantization import error, grid

FLOATS = st.floats(-1e3, 1e3, width=32)
TENSORS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5), elements=FLOATS)


def test_the_textbook_example():
    g = grid([-0.3, 0.7, 1.2], 8, symmetric=False)
    assert (float(g.scale), int(g.zero_point), g.qmin, g.qmax) == (pytest.approx(1.5 / 255), 51, 0, 255)
    assert g.quantize([-9.0, -0.3, 0.0, 0.003, 1.2, 9.0]).tolist() == [0, 0, 51, 52, 255, 255]
    assert (float(g.low), float(g.high)) == (pytest.approx(-0.3), pytest.approx(1.2))


@given(TENSORS, st.integers(2, 8), st.booleans(), st.sampled_from([1.0, 0.7, 0.1]))
def test_zero_is_exact_and_no_error_exceeds_half_a_step(x, bits, symmetric, clip):
    g = grid(x, bits, symmetric, clip=clip)
    assert g.round(0.0) == 0
    q = g.quantize(x)
    assert q.dtype == np.int32
    assert ((g.qmin <= q) & (q <= g.qmax)).all()
    inside = (x >= g.low) & (x <= g.high)
    assert (np.abs(x - g.round(x))[inside] <= g.scale / 2 * (1 + 1e-9)).all()
    if clip == 1.0:  # the zero-point is rounded, so that up to half a step at one end lies outside
        assert (np.abs(x - g.round(x)) <= g.scale * (1 if not symmetric else 0.5) * (1 + 1e-9)).all()


@given(TENSORS, st.integers(2, 8), st.booleans(), st.data())
def test_a_channel_has_the_grid_that_it_would_have_alone(x, bits, symmetric, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    g = grid(x, bits, symmetric, axis)
    rounded = g.round(x)
    for i in range(x.shape[axis]):
        alone = np.take(x, i, axis)
        assert np.array_equal(np.take(rounded, i, axis), grid(alone, bits, symmetric).round(alone))


@given(TENSORS, st.integers(2, 8), st.booleans(), st.sampled_from([1.0, 0.5]))
def test_the_two_parts_are_the_whole_error(x, bits, symmetric, clip):
    g = grid(x, bits, symmetric, clip=clip)
    parts = error(x, g)
    assert parts.rounding + parts.clipping == pytest.approx(np.mean((x - g.round(x)) ** 2))
    if clip == 1.0 and symmetric:
        assert parts.clipping == 0


def test_the_split_by_hand():
    g = grid([-4.0, 4.0], 3, clip=0.75)  # steps of 1 from −3 to 3
    found = error([4.0, 3.25, 0.25, -1.0], g)
    assert (found.clipping, found.rounding) == ((1 + 0.0625) / 4, 0.0625 / 4)
    assert found.sqnr == pytest.approx(10 * np.log10((16 + 3.25**2 + 0.0625 + 1) / (1 + 0.0625 + 0.0625)))


def test_zeros_and_exact_tensors():
    assert grid(np.zeros((2, 3)), 8, axis=0).scale.ravel().tolist() == [1, 1]
    assert error(np.zeros(3), grid(np.zeros(3), 4)).sqnr == np.inf
    assert grid([1.0, 2.0], 8, symmetric=False).low == 0  # the range is widened to hold 0


def test_theory_for_uniform_noise():
    x = np.random.default_rng(0).uniform(-1, 1, 200_000)
    for bits in range(3, 9):
        g = grid(x, bits)
        found = error(x, g)
        assert found.rounding == pytest.approx(float(g.scale) ** 2 / 12, rel=0.02)
        assert found.sqnr == pytest.approx(20 * np.log10(2**bits - 2), abs=0.1)


@pytest.mark.tensorflow
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_agrees_with_tensorflows_fake_quantization(bits, symmetric):
    import tensorflow as tf

    x = np.random.default_rng(1).normal(0.4, 1, 2000).astype(np.float32)
    g = grid(x, bits, symmetric)
    asked = tf.quantization.fake_quant_with_min_max_vars(
        x, float(g.low), float(g.high), num_bits=bits, narrow_range=symmetric
    )
    # Where x lies on a tie, as far as float32 can tell, either neighbour will do.
    off_tie = np.abs(np.abs(x / g.scale - np.floor(x / g.scale)) - 0.5) > 1e-4
    assert off_tie.mean() > 0.99
    np.testing.assert_allclose(np.asarray(asked)[off_tie], g.round(x)[off_tie], atol=1e-5)
