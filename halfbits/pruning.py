"""Pruning by magnitude: which weights to keep, how the sparsity grows while training, and the bytes that are left.

A mask is a bool array, True where a weight is kept. Sparsity is the share of the weights that are not, from 0 to 1.

>>> magnitude_mask([[0.1, -2.0], [0.5, -0.2]], sparsity=0.5).tolist()
[[False, True], [True, False]]
>>> polynomial_sparsity(50, begin_step=0, end_step=100, final_sparsity=0.5)
0.4375
"""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Callable, Sequence

import numpy as np

__all__ = [
    "global_masks",
    "magnitude_mask",
    "masked_training",
    "n_of_m_mask",
    "neuron_scores",
    "polynomial_sparsity",
    "sizes",
    "strongest_units",
]


def magnitude_mask(weights, sparsity: float) -> np.ndarray:
    """Drop the smallest magnitudes, exactly round(sparsity · size) of them; of equal ones the first.

    Args:
        weights: floats of any shape.
        sparsity: from 0 to 1.

    Returns:
        bool, in the shape of the weights.

    Raises:
        ValueError: the sparsity lies outside 0 to 1.
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"a sparsity lies between 0 and 1, not at {sparsity}")
    weights = np.asarray(weights)
    mask = np.ones(weights.size, bool)
    mask[np.argsort(np.abs(weights), axis=None, kind="stable")[: round(sparsity * weights.size)]] = False
    return mask.reshape(weights.shape)


def global_masks(weights: Sequence, sparsity: float) -> list[np.ndarray]:
    """One ranking over several tensors: the sparsity is that of all of them together, each has its own.

    Raises:
        ValueError: the sparsity lies outside 0 to 1.
    """
    weights = [np.asarray(w) for w in weights]
    together = magnitude_mask(np.concatenate([w.ravel() for w in weights]), sparsity)
    ends = np.cumsum([w.size for w in weights])[:-1]
    return [part.reshape(w.shape) for part, w in zip(np.split(together, ends), weights, strict=True)]


def n_of_m_mask(weights, n: int = 2, m: int = 4, axis: int = -1) -> np.ndarray:
    """Keep the n largest magnitudes of every m neighbours along an axis; of equal ones the last.

    NVIDIA's 2:4 runs along the inputs of a product (Mishra et al., 2021): axis 0 of a Keras Dense kernel, whose shape
    is (inputs, units).

    Raises:
        ValueError: m does not divide the length of the axis, or n does not lie between 0 and m.
    """
    if not 0 <= n <= m:
        raise ValueError(f"cannot keep {n} of {m}")
    moved = np.moveaxis(np.asarray(weights), axis, -1)
    if moved.shape[-1] % m:
        raise ValueError(f"blocks of {m} do not fill an axis of {moved.shape[-1]}")
    blocks = np.abs(moved).reshape(-1, m)
    mask = np.ones(blocks.shape, bool)
    np.put_along_axis(mask, np.argsort(blocks, axis=1, kind="stable")[:, : m - n], False, axis=1)
    return np.moveaxis(mask.reshape(moved.shape), -1, axis)


def neuron_scores(kernel_in, bias_in, kernel_out) -> np.ndarray:
    """How much each hidden unit can matter: ‖incoming weights and bias‖₂ · ‖outgoing weights‖₂.

    Args:
        kernel_in: (…, units), of a Dense layer or a Conv2D with channels for units.
        bias_in: (units,).
        kernel_out: (units, outputs), of the Dense layer that follows; of a Conv2D, (height, width, units, filters).

    Returns:
        (units,)
    """
    kernel_in, kernel_out = np.asarray(kernel_in), np.asarray(kernel_out)
    incoming = np.concatenate([kernel_in.reshape(-1, kernel_in.shape[-1]), np.asarray(bias_in)[np.newaxis]])
    outgoing = np.moveaxis(kernel_out, -2, 0).reshape(kernel_out.shape[-2], -1)
    return np.linalg.norm(incoming, axis=0) * np.linalg.norm(outgoing, axis=1)


def strongest_units(
    weights: Sequence, counts: Sequence[int], scores: Callable = neuron_scores
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A smaller network of Dense layers: in each hidden layer only the units with the highest scores, in their order.

    A layer is scored after the one before it has been cut; of equal scores the later unit is kept.

    Args:
        weights: kernels (inputs, units) and biases (units,) in turn, as `get_weights` of such a network gives them.
        counts: for each hidden layer how many units to keep, from 1 to all.
        scores: called with a layer's kernel, its bias and the kernel after it; gives a number for each unit.

    Returns:
        The weights of the smaller network in the same form, and for each hidden layer the indices of the units kept.

    Raises:
        ValueError: there is not one count for each hidden layer, or a layer cannot keep so many.
    """
    weights, kept = [np.asarray(w) for w in weights], []
    if len(weights) != 2 * len(counts) + 2:
        raise ValueError(f"{len(weights) // 2 - 1} hidden layers, but {len(counts)} counts")
    for i, count in enumerate(counts):
        kernel_in, bias, kernel_out = weights[2 * i : 2 * i + 3]
        if not 1 <= count <= len(bias):
            raise ValueError(f"of {len(bias)} units a layer cannot keep {count}")
        keep = np.sort(np.argsort(scores(kernel_in, bias, kernel_out), kind="stable")[-count:])
        weights[2 * i : 2 * i + 3] = kernel_in[:, keep], bias[keep], kernel_out[keep]
        kept.append(keep)
    return weights, kept


def masked_training(model, examples, batch: int = 64, learning_rate: float = 2e-3) -> Callable:
    """A function that trains a model of Dense layers from given weights, and holds masks while it does.

    It is traced once, however often it is called: that makes five seeds cheap. Adam, cross-entropy of the logits.

    Args:
        model: built, of Keras 3 or tf_keras, and may be wrapped by TFMOT's `quantize_model`; trained in place.
        examples: inputs and labels.
        batch: how many examples a step sees; the rest of an epoch that does not fill a batch is left out.
        learning_rate: of Adam, constant.

    Returns:
        train(weights, epochs, seed=0, masks=None). Each call begins anew: the optimizer, and the ranges of a wrapped
        model, are set back to what they were. The weights are kernels and biases in turn; the seed is that of the
        order of the examples; of the masks there is one a kernel. A dropped weight is 0 after every step. The function
        returns the weights reached, in the form in which it takes them.
    """
    import tensorflow as tf

    x, y = tf.constant(examples[0]), tf.constant(examples[1])
    variables = model.trainable_variables
    kernels, biases = ([v for v in variables if len(v.shape) == axes] for axes in (2, 1))
    holds = [tf.Variable(tf.ones(kernel.shape)) for kernel in kernels]
    # The optimizer of the Keras to which the model belongs: TFMOT's models belong to Keras 2.
    library = "tf_keras" if "tf_keras" in {c.__module__.split(".")[0] for c in type(model).__mro__} else "keras"
    optimizer = importlib.import_module(library).optimizers.Adam(learning_rate)
    optimizer.build(variables)
    state = [*model.variables, *optimizer.variables]
    beginning = [tf.convert_to_tensor(variable).numpy() for variable in state]

    def hold():
        for kernel, mask in zip(kernels, holds, strict=True):
            kernel.assign(tf.convert_to_tensor(kernel) * mask)

    @tf.function
    def steps(order):
        for index in order:
            with tf.GradientTape() as tape:
                logits = model(tf.gather(x, index), training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(y, index), logits)
                loss = tf.reduce_mean(losses)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            hold()

    def train(weights, epochs, seed=0, masks=None):
        for variable, value in zip(state, beginning, strict=True):
            variable.assign(value)
        for variable, value in zip([*kernels, *biases], [*weights[::2], *weights[1::2]], strict=True):
            variable.assign(value)
        for i, own in enumerate(holds):
            own.assign(tf.ones(own.shape) if masks is None else tf.cast(masks[i], tf.float32))
        hold()
        draw, whole = np.random.default_rng(seed), len(y) // batch * batch
        order = [draw.permutation(len(y))[:whole].reshape(-1, batch) for _ in range(epochs)]
        steps(tf.constant(np.concatenate(order)))
        pairs = zip(kernels, biases, strict=True)
        return [tf.convert_to_tensor(variable).numpy() for pair in pairs for variable in pair]

    return train


def polynomial_sparsity(
    step: float,
    begin_step: int,
    end_step: int,
    initial_sparsity: float = 0.0,
    final_sparsity: float = 0.9,
    power: float = 3,
) -> float:
    """The sparsity at a training step: it rises fast, then ever more slowly; constant before and after.

    final + (initial − final) · (1 − progress)^power, with power 3 the schedule of Zhu and Gupta (2017).

    Raises:
        ValueError: the end does not come after the beginning.
    """
    if begin_step >= end_step:
        raise ValueError(f"the end, {end_step}, must come after the beginning, {begin_step}")
    progress = min(max((step - begin_step) / (end_step - begin_step), 0.0), 1.0)
    return final_sparsity + (initial_sparsity - final_sparsity) * (1 - progress) ** power


def sizes(weights) -> dict[str, int]:
    """Bytes of a 2-D float32 matrix in four forms: `dense`, `gzip`, `bitmap` and `csr`.

    `gzip` is the dense form at level 9. `bitmap` is one bit an element, rounded up to a byte, and the values that are
    not zero. `csr` (compressed sparse row) is an int32 column for each of those values, and an int32 pointer for each
    row and one more.

    Raises:
        ValueError: the weights are not 2-D.
    """
    weights = np.ascontiguousarray(weights, np.float32)
    if weights.ndim != 2:
        raise ValueError(f"a matrix has two axes, not {weights.ndim}")
    values = 4 * int(np.count_nonzero(weights))
    return {
        "dense": weights.nbytes,
        "gzip": len(gzip.compress(weights.tobytes(), compresslevel=9, mtime=0)),
        "bitmap": -(-weights.size // 8) + values,
        "csr": 2 * values + 4 * (len(weights) + 1),
    }
