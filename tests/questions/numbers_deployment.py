"""The numbers of the topic deployment: networks are built and converted, and what is in the files is counted."""

import numpy as np

from tests.questions.computed import computes


def _keras():
    from halfbits.quiet import import_tensorflow

    import_tensorflow()
    import keras

    return keras


def _integer_layers(model, inputs):
    from halfbits import tflite

    examples = np.random.default_rng(0).uniform(size=(50, inputs)).astype(np.float32)
    content = tflite.convert(model, "full_integer", examples)
    return tflite.dense_layers(tflite.interpreter(content))


@computes("deployment-weights-left")
def weights_left():
    from halfbits.models import mlp

    keras = _keras()
    narrow, wide = (
        sum(np.prod(layer.kernel.shape) for layer in mlp(keras, hidden).layers) for hidden in [(128, 64), (256, 128)]
    )
    return round(100 * narrow / wide)


@computes("deployment-bytes-of-sparse-int8")
def bytes_of_sparse_int8():
    from halfbits.models import mlp
    from halfbits.pruning import magnitude_mask

    model = mlp(_keras(), (128, 64), seed=0)
    for layer in model.layers:
        layer.kernel.assign(layer.kernel * magnitude_mask(layer.kernel.numpy(), 0.8))
    kernels = [layer.w_q for layer in _integer_layers(model, 64)]
    assert all(0.79 < np.mean(kernel == 0) < 0.82 for kernel in kernels)
    return sum(kernel.nbytes for kernel in kernels)


@computes("deployment-bytes-of-an-int8-layer")
def bytes_of_an_int8_layer():
    keras = _keras()
    # Biases that are all 0 would be left out of the file.
    model = keras.Sequential([keras.Input((256,)), keras.layers.Dense(128, bias_initializer="ones")])
    (layer,) = _integer_layers(model, 256)
    return layer.w_q.nbytes + layer.bias_q.nbytes


@computes("deployment-operators-left")
def operators_left():
    from halfbits import tflite

    keras = _keras()
    draw = np.random.default_rng(0)
    norm = keras.layers.BatchNormalization()
    layers = [keras.layers.Dense(32, use_bias=False), norm, keras.layers.ReLU(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])
    for variable in norm.variables:  # as if it had been trained
        variable.assign(draw.uniform(0.5, 1.5, variable.shape))
    # The reference interpreter: a delegate would show up as an operator of its own.
    return len(tflite.interpreter(tflite.convert(model), reference=True)._get_ops_details())
