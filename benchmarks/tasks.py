"""The three coding tasks beside what one would use instead: accuracy over five seeds, and the size of the weights.

    python benchmarks/tasks.py

Our solutions of the tasks, Keras and TFMOT, on the digits: a 64-64-64-10 network, Adam at 1e-3, batches of 32. Training
sees the training and validation images (1,400), the accuracy is that of the 397 test images, so that one image is 0.25
points. The settings are the same for all, TFMOT's schedule of sparsity too; none was chosen on these images. Both sides
begin with the same weights. Step times are in mixed_precision.py, quantization.py and pruning.py.
"""

import gzip
import statistics
import sys
from collections.abc import Callable

from halfbits.quiet import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_model_optimization as tfmot  # noqa: E402
import tf_keras  # noqa: E402

from halfbits import tflite  # noqa: E402
from halfbits.data import digits  # noqa: E402
from halfbits.grading.exercise import find, load_solutions  # noqa: E402
from halfbits.models import mlp  # noqa: E402

SEEDS, EPOCHS, FURTHER_EPOCHS, BATCH = range(5), 15, 5, 32
SPARSITY = 0.8
TRAIN, TEST = digits().train_and_validation, digits().test


def task(name: str) -> tuple[Callable, object]:
    """Our solution of a task, and the module it stands in."""
    unit = find(name).unit
    return load_solutions(unit)[name], sys.modules[f"halfbits_solutions_{unit.name}"]


def compiled(library, model):
    model.compile(library.optimizers.Adam(1e-3), library.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def fitted(model, epochs: int, callbacks=()):
    model.fit(*TRAIN, batch_size=BATCH, epochs=epochs, callbacks=list(callbacks), verbose=0)
    return model


def batches(seed: int) -> tf.data.Dataset:
    """Shuffled in each epoch, as `fit` does."""
    return tf.data.Dataset.from_tensor_slices(tuple(TRAIN)).shuffle(len(TRAIN.y), seed=seed).batch(BATCH)


def accuracy(predict: Callable) -> float:
    return float(np.mean(np.argmax(predict(TEST.x), axis=-1) == TEST.y))


def of_model(model) -> float:
    return accuracy(lambda x: np.asarray(model(x, training=False)))


def of_file(content: bytes) -> float:
    interpreter = tflite.interpreter(content)
    scale, zero_point = interpreter.get_input_details()[0]["quantization"]
    return accuracy(
        lambda x: tflite.run(interpreter, np.clip(np.round(x / scale) + zero_point, -128, 127).astype("i1"))
    )


def int8_file(model) -> bytes:
    return tflite.convert(model, "full_integer", TRAIN.x[:200])


def weights_of(model) -> bytes:
    """The weights as they are, one after the other; a checkpoint of a compiled model has the optimizer's state too."""
    return b"".join(array.tobytes() for array in model.get_weights())


def trained(seed: int, library=keras):
    """The float32 network that quantization and pruning begin with."""
    library.utils.set_random_seed(seed)
    return fitted(compiled(library, mlp(library, seed=seed)), EPOCHS)


def copied(library, model):
    """The same network of another Keras, with these weights."""
    copy = mlp(library)
    copy.set_weights(model.get_weights())
    return compiled(library, copy)


def mixed_precision(seed: int) -> dict:
    """Accuracy and weights, by who trained from the same fresh weights."""
    train, module = task("mixed_precision_training")
    results = {}
    for policy in "float32", "mixed_bfloat16", "mixed_float16":
        keras.utils.set_random_seed(seed)
        keras.mixed_precision.set_dtype_policy(policy)
        try:
            model = fitted(compiled(keras, mlp(keras, seed=seed, output_dtype="float32")), EPOCHS)
        finally:
            keras.mixed_precision.set_dtype_policy("float32")
        results[f"Keras fit, {policy}"] = of_model(model), weights_of(model)
    for name in "bfloat16", "float16":
        given = compiled(keras, mlp(keras, seed=seed))
        model, _ = train(given, module.PrecisionStrategy(name), batches(seed), EPOCHS)
        results[f"ours, {name}"] = of_model(model), weights_of(model)
    return results


def quantization(seed: int) -> dict:
    """The same for what is quantized: the float network, after training, and trained further with quantization."""
    train, module = task("quantization_aware_training")
    float_model = trained(seed)
    results = {"float32": (of_model(float_model), weights_of(float_model))}
    results["float32, trained further"] = (
        of_model(fitted(copied(keras, float_model), FURTHER_EPOCHS)),
        results["float32"][1],
    )
    content = int8_file(float_model)
    results["no further training, TFLite int8"] = of_file(content), content
    with_keras = copied(keras, float_model)
    with_keras.quantize("int8")
    results["no further training, Keras quantize int8"] = of_model(with_keras), weights_of(with_keras)
    theirs = compiled(tf_keras, tfmot.quantization.keras.quantize_model(copied(tf_keras, float_model)))
    content = int8_file(fitted(theirs, FURTHER_EPOCHS))
    results["TFMOT, TFLite int8"] = of_file(content), content
    for bits in 8, 4, 2:
        strategy = module.QuantizationStrategy(bits, 8, per_channel=True)
        ours, _ = train(copied(keras, float_model), strategy, batches(seed), FURTHER_EPOCHS)
        results[f"ours, kernels of {bits} bits"] = of_model(ours), packed(ours, bits)
    return results


def packed(model, bits: int) -> bytes:
    """The kernels as integers of so many bits with a scale a channel, the rest in float32, with no file format."""
    kernels = [w.numpy() for w in model.trainable_variables if len(w.shape) == 2]
    others = [w.numpy() for w in model.trainable_variables if len(w.shape) != 2]
    largest = 2 ** (bits - 1) - 1
    parts = [array.astype(np.float32).tobytes() for array in others]
    for kernel in kernels:
        scales = np.abs(kernel).max(axis=0) / largest
        levels = np.round(kernel / np.where(scales, scales, 1)).astype(np.int64) + largest
        ones = (levels.reshape(-1, 1) >> np.arange(bits)) & 1
        parts += [np.packbits(ones.astype(np.uint8)).tobytes(), scales.astype(np.float32).tobytes()]
    return b"".join(parts)


def pruning(seed: int) -> dict:
    """The same for what is pruned, each from the same trained network and for the same further epochs."""
    prune, _ = task("prune_model")
    dense = trained(seed)
    results = {"dense": (of_model(dense), weights_of(dense))}
    results["dense, trained further"] = of_model(fitted(copied(keras, dense), FURTHER_EPOCHS)), weights_of(dense)
    ours = prune(copied(keras, dense), 100 * SPARSITY, "connections", batches(seed), FURTHER_EPOCHS)
    results[f"ours, {SPARSITY:.0%} of the connections"] = of_model(ours), weights_of(ours)
    steps = FURTHER_EPOCHS * -(-len(TRAIN.y) // BATCH)
    schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, SPARSITY, begin_step=0, end_step=steps, frequency=1)
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(copied(tf_keras, dense), pruning_schedule=schedule)
    fitted(compiled(tf_keras, wrapped), FURTHER_EPOCHS, [tfmot.sparsity.keras.UpdatePruningStep()])
    stripped = tfmot.sparsity.keras.strip_pruning(wrapped)
    results[f"TFMOT, {SPARSITY:.0%} of the connections"] = of_model(stripped), weights_of(stripped)
    smaller = prune(copied(keras, dense), 50, "neurons", batches(seed), FURTHER_EPOCHS)
    results["ours, half of the neurons"] = of_model(smaller), weights_of(smaller)
    return results


def table(title: str, compare: Callable[[int], dict]) -> None:
    """Run a comparison on all seeds and print the means, the standard deviations and the sizes of the last seed."""
    rows = [compare(seed) for seed in SEEDS]
    print(f"\n{title}\n")
    print(f"{'':42} {'accuracy':>15} {'bytes':>8} {'gzip':>8}")
    for name in rows[0]:
        scores, content = [row[name][0] for row in rows], rows[-1][name][1]
        score = f"{statistics.mean(scores):.3f} ± {statistics.stdev(scores):.3f}"
        print(f"{name:42} {score:>15} {len(content):8,} {len(gzip.compress(content, 6)):8,}", flush=True)


if __name__ == "__main__":
    table(f"Mixed precision, {EPOCHS} epochs from fresh weights", mixed_precision)
    table(f"Quantization, {FURTHER_EPOCHS} epochs from the trained network", quantization)
    table(f"Pruning, {FURTHER_EPOCHS} epochs from the trained network", pruning)
