"""halfbits.models: the same networks in both Kerases."""

import numpy as np
import pytest

from halfbits import models

pytestmark = pytest.mark.tensorflow


@pytest.fixture(params=["keras", "tf_keras"])
def kind(request):
    return pytest.importorskip(request.param)


def test_mlp(kind):
    model = models.mlp(kind)
    assert [layer.name for layer in model.layers] == ["hidden_1", "hidden_2", "logits"]
    assert [w.shape for w in model.get_weights()] == [(64, 64), (64,), (64, 64), (64,), (64, 10), (10,)]
    wide = models.mlp(kind, hidden=(256, 128, 32), inputs=784, classes=5)
    assert [w.shape for w in wide.get_weights()[::2]] == [(784, 256), (256, 128), (128, 32), (32, 5)]


def test_mlp_returns_logits(kind):
    model = models.mlp(kind, hidden=(3,), inputs=2, classes=2, seed=0)
    x = np.array([[1, -2], [0.5, 4]], np.float32)
    kernel, _, out, _ = model.get_weights()
    np.testing.assert_allclose(model(x), np.maximum(x @ kernel, 0) @ out, rtol=1e-5)


def test_mlp_in_mixed_precision_with_a_float32_output(kind):
    before = kind.mixed_precision.global_policy() if hasattr(kind.mixed_precision, "global_policy") else "float32"
    (kind.mixed_precision.set_global_policy)("mixed_float16")
    try:
        model = models.mlp(kind, output_dtype="float32")
    finally:
        kind.mixed_precision.set_global_policy(before)
    assert [layer.compute_dtype for layer in model.layers] == ["float16", "float16", "float32"]
    assert {w.dtype for w in model.get_weights()} == {np.dtype(np.float32)}


def test_cnn(kind):
    model = models.cnn(kind)
    names = ["image", "conv_1", "pool_1", "conv_2", "pool_2", "flat", "logits"]
    assert [layer.name for layer in model.layers] == names
    assert [w.shape for w in model.get_weights()[::2]] == [(3, 3, 1, 16), (3, 3, 16, 32), (128, 10)]
    assert model(np.zeros((2, 64), np.float32)).shape == (2, 10)


@pytest.mark.parametrize("build", [models.mlp, models.cnn])
def test_a_seed_decides_the_weights(kind, build):
    first, again, other = (build(kind, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    kernels = [w for w in first if w.any()]  # the biases begin at 0
    assert len(kernels) == 3
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.any())
    assert not any(np.array_equal(a, b) for i, a in enumerate(kernels) for b in kernels[:i])
    unseeded = [build(kind).get_weights()[0] for _ in range(2)]
    assert not np.array_equal(*unseeded)
