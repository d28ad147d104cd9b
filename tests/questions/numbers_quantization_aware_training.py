"""The numbers of the topic quantization_aware_training, computed with the course's grid, NumPy and Keras."""

import numpy as np

from halfbits.quantization import grid
from tests.questions.computed import computes


@computes("quantization-aware-training-two-bit-levels")
def two_bit_levels():
    x = np.linspace(-1, 1, 1001)
    return len(np.unique(grid(x, bits=2).round(x)))


@computes("quantization-aware-training-moving-average")
def moving_average():
    start, steps = 1.0, 0
    while start > 0.5:
        start, steps = 0.999 * start + 0.001 * 0.0, steps + 1  # the batches say 0
    return steps


@computes("quantization-aware-training-folded-bias")
def folded_bias():
    from halfbits.quiet import import_tensorflow

    import_tensorflow()
    import keras

    norm = keras.layers.BatchNormalization(epsilon=1e-9)
    norm.build((None, 1))
    norm.set_weights([np.array([value]) for value in (0.5, 0.1, 0.3, 0.0625)])  # γ, β, mean, variance
    return np.asarray(norm(np.zeros((1, 1), np.float32), training=False)).item()


@computes("quantization-aware-training-updates-to-a-level")
def updates_to_a_level():
    g = grid([-0.6, 0.6], bits=2)
    steps = 0
    while g.round(0.001 * steps) == 0:
        steps += 1
    return steps
