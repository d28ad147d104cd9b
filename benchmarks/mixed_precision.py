"""Step times in mixed precision: Keras's formats against each other, and our loop of exercise 8 against Keras's `fit`.

    python benchmarks/mixed_precision.py [WIDTH ...]

A network of two hidden layers of each width, batches of 128, Adam, one `tf.function` a step and no XLA on either side.
Machines drift, so what is compared takes turns within every round, and the ratio printed is the median of the rounds'
ratios, with the quartiles. The first round, which traces and warms up, is left out.
"""

import functools
import sys
import time

from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from halfbits.grading.exercise import load_solutions, units  # noqa: E402
from halfbits.measure import Times, side_by_side  # noqa: E402
from halfbits.models import mlp  # noqa: E402

WIDTHS, WIDTH_OF_OUR_LOOP = (128, 256, 512, 1024, 2048), 1024
FORMATS = ("float32", "bfloat16", "float16")
BATCH, STEPS, ROUNDS = 128, 12, 15


def examples(width: int) -> tf.data.Dataset:
    """STEPS batches, in memory."""
    random = np.random.default_rng(0)
    x, y = random.random((BATCH * STEPS, width), np.float32), random.integers(0, 10, BATCH * STEPS)
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).cache()


def compiled(width: int, policy: str) -> keras.Model:
    """The network under a policy, its last layer in float32."""
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        model = mlp(keras, hidden=(width, width), inputs=width, seed=0, output_dtype="float32")
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Under mixed_float16 Keras wraps the optimizer only if the model itself has the policy, which it has here.
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
    return model


def policy_of(name: str) -> str:
    return name if name == "float32" else f"mixed_{name}"


def seconds_of_epoch(model: keras.Model, data: tf.data.Dataset) -> float:
    start = time.perf_counter()
    model.fit(data, shuffle=False, verbose=0)
    return time.perf_counter() - start


def formats_by_width(widths) -> None:
    """Print the speed of each format, as float32's step time over its own."""
    print("Keras fit: speed against float32, higher is faster\n")
    print(f"{'width':>6}  {'float32':>9}  {'mixed_bfloat16':>18}  {'mixed_float16':>18}")
    for width in widths:
        data, models = examples(width), {name: compiled(width, policy_of(name)) for name in FORMATS}
        epochs = {name: functools.partial(seconds_of_epoch, model, data) for name, model in models.items()}
        times = side_by_side(epochs, ROUNDS)
        step = 1000 * times.median("float32") / STEPS
        ratios = (times.speedup(name, over="float32") for name in FORMATS[1:])
        print(f"{width:6}  {step:6.1f} ms  " + "  ".join(f"{ratio!s:>18}" for ratio in ratios), flush=True)


class TakingTurns:
    """A data set for our loop that has Keras train an epoch before each of ours, and times both."""

    def __init__(self, theirs: keras.Model, data: tf.data.Dataset):
        self._theirs, self._data, self.element_spec = theirs, data, data.element_spec
        self.rounds: list[tuple[float, float]] = []

    def __iter__(self):
        theirs = seconds_of_epoch(self._theirs, self._data)
        start = time.perf_counter()
        yield from self._data
        self.rounds.append((time.perf_counter() - start, theirs))


def our_loop(width: int) -> None:
    """Print our step time over Keras's, format by format."""
    unit = next(unit for unit in units() if "mixed_precision_training" in unit.exercise_names)
    solutions = load_solutions(unit)
    train, strategy = solutions["mixed_precision_training"], sys.modules[f"halfbits_solutions_{unit.name}"]
    print(f"\nOur loop against Keras fit at width {width}: step time, lower is faster\n")
    for name in FORMATS:
        turns = TakingTurns(compiled(width, policy_of(name)), examples(width))
        train(compiled(width, "float32"), strategy.PrecisionStrategy(name), turns, epochs=ROUNDS + 1)
        ours, theirs = zip(*turns.rounds[1:], strict=True)
        ratio = Times({"ours": ours, "theirs": theirs}).ratio("ours", to="theirs")
        print(f"{policy_of(name):16} {ratio!s:>18}", flush=True)


if __name__ == "__main__":
    formats_by_width([int(width) for width in sys.argv[1:]] or WIDTHS)
    our_loop(WIDTH_OF_OUR_LOOP)
