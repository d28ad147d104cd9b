"""halfbits.tflite: a converted model does what the Keras model does, and its integers are what it computes with."""

import functools
import itertools

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

X = np.random.default_rng(0).uniform(0, 1, (200, 5)).astype(np.float32)
REAL_LIMITS = {"float32": 1e-5, "float16": 0.01, "dynamic_range": 0.05}


@pytest.fixture(scope="module")
def tflite():
    from halfbits.quiet import import_tensorflow

    import_tensorflow()
    from halfbits import tflite

    return tflite


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def model(request, tflite):
    from halfbits.models import mlp

    model = mlp(pytest.importorskip(request.param), hidden=(7, 6), inputs=5, classes=3, seed=1)
    random = np.random.default_rng(1)
    model.set_weights([w if w.any() else random.uniform(-0.3, 0.3, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def converted(model, tflite):
    return functools.cache(lambda scheme: tflite.convert(model, scheme, X))


def quantized(x, scale, zero_point):
    return np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)


@pytest.mark.parametrize("scheme", REAL_LIMITS)
def test_schemes_with_float_inputs(model, converted, tflite, scheme):
    interpreter = tflite.interpreter(converted(scheme))
    for x in (X[:1], X[:150], X[:2]):
        outputs = tflite.run(interpreter, x)
        assert (outputs.dtype, outputs.shape) == (np.float32, (len(x), 3))
        np.testing.assert_allclose(outputs, model(x), atol=REAL_LIMITS[scheme])


def test_weights_are_stored_as_the_scheme_says(converted, tflite):
    def dtypes(scheme):
        details = tflite.interpreter(converted(scheme), reference=True).get_tensor_details()
        return {tensor["dtype"] for tensor in details if list(tensor["shape"]) in ([7, 5], [6, 7], [3, 6])}

    assert dtypes("float32") == {np.float32}
    assert np.float16 in dtypes("float16")
    assert dtypes("full_integer") == {np.int8}


def test_full_integer(model, converted, tflite):
    for reference in (True, False):
        interpreter = tflite.interpreter(converted("full_integer"), reference)
        layers = tflite.dense_layers(interpreter)
        outputs = tflite.run(interpreter, quantized(X, layers[0].x_scale, layers[0].x_zero_point))
        assert (outputs.dtype, outputs.shape) == (np.int8, (200, 3))
        last = layers[-1]
        real = last.out_scale * (outputs.astype(np.float64) - last.out_zero_point)
        np.testing.assert_allclose(real, model(X), atol=0.05)


def test_dense_layers(model, converted, tflite):
    layers = tflite.dense_layers(tflite.interpreter(converted("full_integer")))
    kernels, biases = model.get_weights()[::2], model.get_weights()[1::2]
    assert [layer.w_q.shape for layer in layers] == [(5, 7), (7, 6), (6, 3)]
    for layer, kernel, bias in zip(layers, kernels, biases, strict=True):
        assert (layer.w_q.dtype, layer.bias_q.dtype, layer.w_scales.dtype) == (np.int8, np.int32, np.float64)
        assert layer.w_scales.shape == layer.bias_q.shape == bias.shape
        np.testing.assert_allclose(layer.w_q * layer.w_scales, kernel, atol=0.51 * layer.w_scales.max())
        np.testing.assert_allclose(layer.w_scales, np.abs(kernel).max(axis=0) / 127, rtol=1e-5)
        np.testing.assert_allclose(layer.bias_q * layer.x_scale * layer.w_scales, bias, atol=1e-4)
    for before, after in itertools.pairwise(layers):
        assert (before.out_scale, before.out_zero_point) == (after.x_scale, after.x_zero_point)
    assert [layer.out_zero_point for layer in layers[:2]] == [-128, -128]  # nothing is below 0 after a ReLU


def test_a_bias_of_zeros(model, tflite):
    before = model.get_weights()
    model.set_weights([*before[:-1], np.zeros(3)])
    try:
        last = tflite.dense_layers(tflite.interpreter(tflite.convert(model, "full_integer", X)))[-1]
    finally:
        model.set_weights(before)
    assert (last.bias_q.dtype, last.bias_q.tolist()) == (np.int32, [0, 0, 0])


def test_zeros_can_be_left_out(tflite):
    import keras

    from halfbits.models import mlp

    model, x = mlp(keras, seed=1), np.linspace(0, 1, 128, dtype=np.float32).reshape(2, 64)
    model.set_weights([w * (np.arange(w.size).reshape(w.shape) % 8 == 0) for w in model.get_weights()])
    plain, sparse = tflite.convert(model), tflite.convert(model, sparse=True)
    assert len(sparse) < 0.6 * len(plain)
    runs = [tflite.run(tflite.interpreter(content), x) for content in (plain, sparse)]
    np.testing.assert_allclose(*runs, atol=1e-6)


def test_only_full_integer_models_have_integer_layers(converted, tflite):
    with pytest.raises(ValueError, match="not a full-integer model"):
        tflite.dense_layers(tflite.interpreter(converted("dynamic_range")))


def test_bad_arguments(model, tflite):
    with pytest.raises(ValueError, match=r"no scheme is called 'int8'; there are float32, .*full_integer"):
        tflite.convert(model, "int8")
    with pytest.raises(ValueError, match="representative inputs"):
        tflite.convert(model, "full_integer")


def test_nothing_is_written(model, tflite, capfd, recwarn):
    content = tflite.convert(model, "full_integer", X)
    for reference in (True, False):
        interpreter = tflite.interpreter(content, reference)
        layers = tflite.dense_layers(interpreter)
        tflite.run(interpreter, quantized(X, layers[0].x_scale, layers[0].x_zero_point))
    assert capfd.readouterr() == ("", "")
    assert not list(recwarn)
