"""Pruning by magnitude: which weights to keep, how the sparsity grows while training, and the bytes that are left.

A mask is a bool array, True where a weight is kept. Sparsity is the share of the weights that are not, from 0 to 1.

>>> magnitude_mask([[0.1, -2.0], [0.5, -0.2]], sparsity=0.5).tolist()
[[False, True], [True, False]]
>>> polynomial_sparsity(50, begin_step=0, end_step=100, final_sparsity=0.5)
0.4375
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import numpy as np

__all__ = ["global_masks", "magnitude_mask", "n_of_m_mask", "neuron_scores", "polynomial_sparsity", "sizes"]


def magnitude_mask(weights, sparsity: float) -> np.ndarray:
    """Drop the smallest magnitudes, exactly round(sparsity · size) of them; of equal ones the first.

    Args:
        weights: numbers of any shape.
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
