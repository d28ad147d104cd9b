"""Step times in mixed precision: Keras's formats against each other, and our loop of exercise 8 against Keras's `fit`.

    python benchmarks/mixed_precision.py [WIDTH ...]

A network of two hidden layers of each width, batches of 128, Adam, one `tf.function` a step and no XLA on either side.
Machines drift, so what is compared takes turns within every round, and the ratio printed is the median of the rounds'
ratios, with the quartiles. The first round, which traces and warms up, is left out; so is, from wider networks, a
format that takes more than 20 times as long as float32.
"""

import sys
from collections.abc import Callable

from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from turns import TakingTurns, examples  # noqa: E402

from halfbits.grading.exercise import load_solutions, units  # noqa: E402
from halfbits.measure import side_by_side  # noqa: E402
from halfbits.models import mlp  # noqa: E402

WIDTHS, WIDTH_OF_OUR_LOOP = (128, 256, 512, 1024, 2048), 256
FORMATS = ("float32", "bfloat16", "float16")
STEPS, ROUNDS, TOO_SLOW = 12, 15, 20


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


def epoch_of(model: keras.Model, data: tf.data.Dataset) -> Callable[[], object]:
    return lambda: model.fit(data, shuffle=False, verbose=0)


def formats_by_width(widths) -> None:
    """Print the speed of each format, as float32's step time over its own."""
    print("Keras fit: speed against float32, higher is faster\n")
    print(f"{'width':>6}  {'float32':>9}  {'mixed_bfloat16':>18}  {'mixed_float16':>18}")
    names = list(FORMATS)
    for width in sorted(widths):
        data = examples(width, STEPS)
        times = side_by_side({name: epoch_of(compiled(width, policy_of(name)), data) for name in names}, ROUNDS)
        step = 1000 * times.median("float32") / STEPS
        ratios = {name: times.speedup(name, over="float32") for name in names}
        cells = (str(ratios.get(name, "left out")) for name in FORMATS[1:])
        print(f"{width:6}  {step:6.1f} ms  " + "  ".join(f"{cell:>18}" for cell in cells), flush=True)
        # On some CPUs float16 takes hundreds of times as long: minutes a step at the next width.
        names = [name for name in names if ratios[name].median > 1 / TOO_SLOW]


def our_loop(width: int) -> None:
    """Print our step time over Keras's, format by format."""
    unit = next(unit for unit in units() if "mixed_precision_training" in unit.exercise_names)
    solutions = load_solutions(unit)
    train, strategy = solutions["mixed_precision_training"], sys.modules[f"halfbits_solutions_{unit.name}"]
    print(f"\nOur loop against Keras fit at width {width}: step time, lower is faster\n")
    for name in FORMATS:
        data = examples(width, STEPS)
        turns = TakingTurns(epoch_of(compiled(width, policy_of(name)), data), data)
        train(compiled(width, "float32"), strategy.PrecisionStrategy(name), turns, epochs=ROUNDS + 1)
        print(f"{policy_of(name):16} {turns.times().ratio('ours', to='theirs')!s:>18}", flush=True)


if __name__ == "__main__":
    formats_by_width([int(width) for width in sys.argv[1:]] or WIDTHS)
    our_loop(WIDTH_OF_OUR_LOOP)
