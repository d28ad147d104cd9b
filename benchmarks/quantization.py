"""Times of quantization: a step of our quantization-aware training (exercise 10) against TFMOT's.

    python benchmarks/quantization.py [WIDTH ...]

A network of two hidden layers of each width, batches of 128, Adam, 8 bits, one scale a kernel as TFMOT has it (and
once one a channel), one `tf.function` a step and no XLA on either side. Machines drift, so what is compared takes turns
within every round, and the ratio printed is the median of the rounds' ratios, with the quartiles. The first round,
which traces and warms up, is left out.
"""

import sys
import time

from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_model_optimization as tfmot  # noqa: E402
import tf_keras  # noqa: E402

from halfbits.grading.exercise import load_solutions, units  # noqa: E402
from halfbits.measure import Times  # noqa: E402
from halfbits.models import mlp  # noqa: E402

WIDTHS = (64, 256, 1024)
BATCH, STEPS, ROUNDS = 128, 24, 15


def examples(width: int) -> tf.data.Dataset:
    """STEPS batches, in memory."""
    random = np.random.default_rng(0)
    x, y = random.random((BATCH * STEPS, width), np.float32), random.integers(0, 10, BATCH * STEPS)
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).cache()


def network(library, width: int):
    return mlp(library, hidden=(width, width), inputs=width, seed=0)


def tfmot_model(width: int) -> tf_keras.Model:
    """The network wrapped for quantization-aware training, compiled as ours is by default."""
    model = tfmot.quantization.keras.quantize_model(network(tf_keras, width))
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(1e-3), loss)
    return model


class TakingTurns:
    """A data set for our loop that has TFMOT's model train an epoch before each of ours, and times both."""

    def __init__(self, theirs: tf_keras.Model, data: tf.data.Dataset):
        self._theirs, self._data, self.element_spec = theirs, data, data.element_spec
        self.seconds: dict[str, list[float]] = {"ours": [], "TFMOT": []}

    def __iter__(self):
        start = time.perf_counter()
        self._theirs.fit(self._data, shuffle=False, verbose=0)
        middle = time.perf_counter()
        yield from self._data
        self.seconds["ours"].append(time.perf_counter() - middle)
        self.seconds["TFMOT"].append(middle - start)

    def times(self) -> Times:
        """Without the first round."""
        return Times({name: seconds[1:] for name, seconds in self.seconds.items()})


def training_steps(widths) -> None:
    """Print our step time over TFMOT's, by width."""
    unit = next(unit for unit in units() if "quantization_aware_training" in unit.exercise_names)
    train = load_solutions(unit)["quantization_aware_training"]
    strategy = sys.modules[f"halfbits_solutions_{unit.name}"].QuantizationStrategy
    print("A step of quantization-aware training: our time over TFMOT's, lower is faster for us\n")
    print(f"{'width':>6}  {'TFMOT':>9}  {'ours, one scale a kernel':>24}  {'ours, one a channel':>20}")
    for width in widths:
        ratios = []
        for per_channel in False, True:
            turns = TakingTurns(tfmot_model(width), examples(width))
            train(network(keras, width), strategy(8, 8, per_channel), turns, epochs=ROUNDS + 1)
            ratios.append(str(turns.times().ratio("ours", to="TFMOT")))
        step = 1000 * turns.times().median("TFMOT") / STEPS
        print(f"{width:6}  {step:6.1f} ms  {ratios[0]:>24}  {ratios[1]:>20}", flush=True)


if __name__ == "__main__":
    training_steps([int(width) for width in sys.argv[1:]] or WIDTHS)
