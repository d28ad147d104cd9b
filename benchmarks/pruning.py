"""Pruning: the time of a training step, latency, and bytes; ours beside TFMOT's.

    python benchmarks/pruning.py [WIDTH ...]

A network of two hidden layers of each width, on random inputs. Training: batches of 128, Adam, one `tf.function` a step
and no XLA on either side; 90 % of every kernel masked, the masks already made, so that no step sorts weights. TFMOT's
step is the `train_step` of its wrapped model, with its callback before it, without which it does not run. Latency: the
model's call in a `tf.function`. Machines drift, so what is compared takes turns within every round, and the ratio
printed is the median of the rounds' ratios, with the quartiles. The first round, which traces, is left out.
"""

import gzip
import sys
import tempfile
from functools import partial
from pathlib import Path

from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_model_optimization as tfmot  # noqa: E402
import tf_keras  # noqa: E402
from turns import TakingTurns, examples  # noqa: E402

from halfbits.grading.exercise import find, load_solutions  # noqa: E402
from halfbits.measure import side_by_side  # noqa: E402
from halfbits.models import mlp  # noqa: E402
from halfbits.pruning import magnitude_mask, strongest_units  # noqa: E402

WIDTHS = (256, 1024)
SPARSITY = 0.9
STEPS, CALLS, ROUNDS = 8, 5, 21


def network(library, width: int):
    return mlp(library, hidden=(width, width), inputs=width, seed=0)


def kernel_masks(model) -> list[np.ndarray]:
    return [magnitude_mask(layer.kernel, SPARSITY) for layer in model.layers]


def our_epoch(width: int, data, masked: bool):
    """STEPS steps of Keras 3, with the masks applied to the kernels after each, or without."""
    model, optimizer = network(keras, width), keras.optimizers.Adam(1e-3)
    variables = model.trainable_variables
    optimizer.build(variables)
    masks = kernel_masks(model) if masked else []
    pairs = [(layer.kernel, tf.constant(mask, tf.float32)) for layer, mask in zip(model.layers, masks, strict=False)]
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, variables), variables)
        for kernel, mask in pairs:
            kernel.assign(tf.convert_to_tensor(kernel) * mask)
        return loss

    return lambda: [step(x, y) for x, y in data][-1].numpy()


def tfmot_model(width: int, schedule=None):
    """The wrapped network; without a schedule 90 % from the first step on, never updated afterwards."""
    schedule = schedule or tfmot.sparsity.keras.ConstantSparsity(SPARSITY, begin_step=0, frequency=10**9)
    model = tfmot.sparsity.keras.prune_low_magnitude(network(tf_keras, width), pruning_schedule=schedule)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(1e-3), loss)
    return model


def tfmot_epoch(width: int, data):
    """STEPS steps of TFMOT's model."""
    model, callback = tfmot_model(width), tfmot.sparsity.keras.UpdatePruningStep()
    callback.set_model(model)
    callback.on_train_begin()
    step = tf.function(lambda x, y: model.train_step((x, y))["loss"])

    def epoch():
        for number, (x, y) in enumerate(data):
            callback.on_train_batch_begin(number)
            loss = step(x, y)
        callback.on_epoch_end(0)  # applies the masks
        return loss.numpy()

    return epoch


def training_steps(widths) -> None:
    """Print the time of a training step over that of TFMOT, by width."""
    print("A training step: time over TFMOT's, lower is faster\n")
    print(f"{'width':>6}  {'TFMOT':>9}  {'dense':>18}  {'masked':>18}")
    for width in widths:
        data = list(examples(width, STEPS))
        epochs = {
            "TFMOT": tfmot_epoch(width, data),
            "dense": our_epoch(width, data, masked=False),
            "masked": our_epoch(width, data, masked=True),
        }
        times = side_by_side(epochs, ROUNDS)
        ratios = "  ".join(f"{times.ratio(name, to='TFMOT')!s:>18}" for name in list(epochs)[1:])
        print(f"{width:6}  {1000 * times.median('TFMOT') / STEPS:6.1f} ms  {ratios}", flush=True)


def gradual(widths) -> None:
    """Print the time of a step of `prune_model`, the task, over that of TFMOT's `fit`; both by Zhu & Gupta's schedule,
    with the weights ranked anew after each step."""
    prune = load_solutions(find("prune_model").unit)["prune_model"]
    steps = (ROUNDS + 1) * STEPS
    print("\nA step that ranks all weights anew: time over TFMOT's, lower is faster\n")
    print(f"{'width':>6}  {'TFMOT':>9}  {'prune_model':>18}")
    for width in widths:
        data = examples(width, STEPS)
        schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, SPARSITY, begin_step=0, end_step=steps, frequency=1)
        theirs, count_steps = tfmot_model(width, schedule), tfmot.sparsity.keras.UpdatePruningStep()
        turns = TakingTurns(partial(theirs.fit, data, shuffle=False, verbose=0, callbacks=[count_steps]), data)
        prune(network(keras, width), 100 * SPARSITY, "connections", turns, ROUNDS + 1)
        step = 1000 * turns.times().median("theirs") / STEPS
        print(f"{width:6}  {step:6.1f} ms  {turns.times().ratio('ours', to='theirs')!s:>18}", flush=True)


def pruned_networks(width: int) -> dict:
    """The dense network, with 90 % zeros, and with half of the neurons of each hidden layer."""
    dense, masked = network(keras, width), network(keras, width)
    for layer, mask in zip(masked.layers, kernel_masks(masked), strict=True):
        layer.kernel.assign(layer.kernel * mask)
    smaller = mlp(keras, hidden=(width // 2, width // 2), inputs=width)
    smaller.set_weights(strongest_units(dense.get_weights(), (width // 2, width // 2))[0])
    return {"dense": dense, "90 % zeros": masked, "half the neurons": smaller}


def latency(width: int, batches=(1, 256)) -> None:
    """Print how many times faster the pruned networks are than the dense one."""

    def called(model, x):
        graph = tf.function(model)
        return lambda: [graph(x).numpy() for _ in range(CALLS)]

    for batch in batches:
        x = tf.constant(np.random.default_rng(0).random((batch, width), np.float32))
        runs = {name: called(model, x) for name, model in pruned_networks(width).items()}
        times = side_by_side(runs, ROUNDS)
        print(f"\n{width}-{width}-{width}-10, batch {batch}: speed against dense, higher is faster\n")
        for name in runs:
            print(f"{name:16}  {1e3 * times.median(name) / CALLS:6.2f} ms  {times.speedup(name, 'dense')}", flush=True)


def sizes(width: int) -> None:
    """Print the bytes of the saved weights, raw and after gzip."""
    print(f"\n{width}-{width}-{width}-10, saved weights in MB: raw, and after gzip\n")
    with tempfile.TemporaryDirectory() as folder:
        for name, model in {**pruned_networks(width), "TFMOT, wrapped": tfmot_model(width)}.items():
            path = Path(folder) / f"{name[:3]}.weights.h5"
            model.save_weights(path)
            content = path.read_bytes()
            print(f"{name:16}  {len(content) / 1e6:6.2f}  {len(gzip.compress(content, 6)) / 1e6:6.2f}")


if __name__ == "__main__":
    chosen = [int(width) for width in sys.argv[1:]] or WIDTHS
    training_steps(chosen)
    gradual(chosen)
    for width in chosen:
        latency(width)
    sizes(max(chosen))
