"""Times of quantization: training (exercise 10) against TFMOT's, int8 against float32 in TFLite, and exercise 9.

    python benchmarks/quantization.py [WIDTH ...]

Training: a network of two hidden layers of each width, batches of 128, Adam, 8 bits, one scale a kernel as TFMOT has it
(and once one a channel), one `tf.function` a step and no XLA on either side. TFLite: one image at a time, one thread.
Exercise 9: our `integer_dense` against loops over the examples and units. Machines drift, so what is compared takes
turns within every round, and the ratio printed is the median of the rounds' ratios, with the quartiles. The first
round, which traces and warms up, is left out.
"""

import sys
from functools import partial

from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow_model_optimization as tfmot  # noqa: E402
import tf_keras  # noqa: E402
from turns import TakingTurns, examples  # noqa: E402

from halfbits import tflite  # noqa: E402
from halfbits.grading.exercise import load_solutions, units  # noqa: E402
from halfbits.measure import side_by_side  # noqa: E402
from halfbits.models import mlp  # noqa: E402

WIDTHS = (64, 256, 1024)
STEPS, ROUNDS = 24, 15


def network(library, width: int):
    return mlp(library, hidden=(width, width), inputs=width, seed=0)


def tfmot_model(width: int) -> tf_keras.Model:
    """The network wrapped for quantization-aware training, compiled as ours is by default."""
    model = tfmot.quantization.keras.quantize_model(network(tf_keras, width))
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(1e-3), loss)
    return model


UNIT = next(unit for unit in units() if "quantization_aware_training" in unit.exercise_names)
SOLUTIONS = load_solutions(UNIT)


def training_steps(widths) -> None:
    """Print our step time over TFMOT's, by width."""
    train = SOLUTIONS["quantization_aware_training"]
    strategy = sys.modules[f"halfbits_solutions_{UNIT.name}"].QuantizationStrategy
    print("A step of quantization-aware training: our time over TFMOT's, lower is faster for us\n")
    print(f"{'width':>6}  {'TFMOT':>9}  {'ours, one scale a kernel':>24}  {'ours, one a channel':>20}")
    for width in widths:
        ratios = []
        for per_channel in False, True:
            theirs, data = tfmot_model(width), examples(width, STEPS)
            turns = TakingTurns(partial(theirs.fit, data, shuffle=False, verbose=0), data)
            train(network(keras, width), strategy(8, 8, per_channel), turns, epochs=ROUNDS + 1)
            ratios.append(str(turns.times().ratio("ours", to="theirs")))
        step = 1000 * turns.times().median("theirs") / STEPS
        print(f"{width:6}  {step:6.1f} ms  {ratios[0]:>24}  {ratios[1]:>20}", flush=True)


def latency(width: int = 1024, calls: int = 20) -> None:
    """Print how many times faster TFLite's kinds of int8 are than float32, on a wide MLP."""
    model, images = network(keras, width), np.random.default_rng(0).random((100, width), np.float32)
    interpreters = {scheme: tflite.interpreter(tflite.convert(model, scheme, images)) for scheme in tflite.SCHEMES}
    for interpreter in interpreters.values():
        (given,) = interpreter.get_input_details()
        interpreter.set_tensor(given["index"], np.ones(given["shape"], given["dtype"]))

    def invoked(interpreter):
        return lambda: [interpreter.invoke() for _ in range(calls)]

    times = side_by_side({name: invoked(one) for name, one in interpreters.items()}, rounds=ROUNDS)
    print(f"\nTFLite, {width}-{width}-{width}-10, one image, one thread: speed against float32, higher is faster\n")
    for name in interpreters:
        print(f"{name:14}  {1e6 * times.median(name) / calls:6.0f} µs  {times.speedup(name, 'float32')}")


def by_loops(x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissa, shift):
    """What `integer_dense` computes, an output at a time."""
    out = np.empty((len(x_q), w_q.shape[1]), np.int8)
    for i, x in enumerate(x_q.astype(np.int32) - x_zero_point):
        for j, w in enumerate(w_q.astype(np.int32).T):
            accumulator = int(x @ w) + int(bias_q[j])
            scaled = (accumulator * mantissa + (1 << (30 - shift))) >> (31 - shift)
            out[i, j] = min(max(scaled + out_zero_point, -128), 127)
    return out


def dense_layers(batch: int = 64, inputs: int = 256, units: int = 128) -> None:
    """Print how many times faster `integer_dense` is than loops over its outputs."""
    random = np.random.default_rng(0)
    x_q, w_q = (random.integers(-127, 128, shape).astype(np.int8) for shape in ((batch, inputs), (inputs, units)))
    arguments = x_q, w_q, np.zeros(units, np.int32), -5, 3, 1_500_000_000, -10
    ours = SOLUTIONS["integer_dense"]
    assert np.array_equal(ours(*arguments), by_loops(*arguments))
    runs = {"integer_dense": lambda: ours(*arguments), "loops": lambda: by_loops(*arguments)}
    times = side_by_side(runs, rounds=ROUNDS)
    print(f"\nA dense layer in integers, ({batch}, {inputs}) by ({inputs}, {units}): speed against loops\n")
    print(f"integer_dense   {1e3 * times.median('integer_dense'):6.1f} ms  {times.speedup('integer_dense', 'loops')}")


if __name__ == "__main__":
    training_steps([int(width) for width in sys.argv[1:]] or WIDTHS)
    latency()
    dense_layers()
