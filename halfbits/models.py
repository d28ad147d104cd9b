"""The networks of the course. Each takes the Keras module to build with: `keras` (3), or `tf_keras` where TFMOT asks.

They return logits, are built but not compiled, and with a seed always begin with the same weights.
"""

from __future__ import annotations

from types import ModuleType

__all__ = ["cnn", "mlp"]


def mlp(
    keras: ModuleType,
    hidden=(64, 64),
    inputs: int = 64,
    classes: int = 10,
    seed: int | None = None,
    output_dtype: str | None = None,
):
    """Dense layers with ReLU, `hidden_1`, `hidden_2` …, then the layer `logits`.

    The layers take the global dtype policy; `output_dtype` gives `logits` another, as "float32" for mixed precision.
    """
    kernels = _Kernels(keras, seed)
    layers = [
        keras.layers.Dense(units, activation="relu", kernel_initializer=kernels.next(), name=f"hidden_{i}")
        for i, units in enumerate(hidden, 1)
    ]
    logits = keras.layers.Dense(classes, kernel_initializer=kernels.next(), name="logits", dtype=output_dtype)
    return keras.Sequential([keras.Input((inputs,)), *layers, logits])


def cnn(keras: ModuleType, filters=(16, 32), side: int = 8, classes: int = 10, seed: int | None = None):
    """Convolutions 3×3 with ReLU, `conv_1`, `conv_2` …, a 2×2 pooling after each, then the layer `logits`.

    The inputs are flat, side · side numbers, as `halfbits.data` gives them for the digits.
    """
    kernels = _Kernels(keras, seed)
    layers = [keras.Input((side * side,)), keras.layers.Reshape((side, side, 1), name="image")]
    for i, count in enumerate(filters, 1):
        convolution = keras.layers.Conv2D(
            count, 3, padding="same", activation="relu", kernel_initializer=kernels.next(), name=f"conv_{i}"
        )
        layers += [convolution, keras.layers.MaxPooling2D(name=f"pool_{i}")]
    logits = keras.layers.Dense(classes, kernel_initializer=kernels.next(), name="logits")
    return keras.Sequential([*layers, keras.layers.Flatten(name="flat"), logits])


class _Kernels:
    """Keras's default initializer for each kernel in turn, with seeds of their own where there is one."""

    def __init__(self, keras: ModuleType, seed: int | None):
        self._keras, self._seed, self._made = keras, seed, 0

    def next(self):
        self._made += 1
        seed = None if self._seed is None else 1000 * self._seed + self._made
        return self._keras.initializers.GlorotUniform(seed=seed)
