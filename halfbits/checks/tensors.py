"""For the checks: tensors as plain NumPy values, and calls inside `tf.function`."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import tensorflow as tf

_MOST_ITEMS = 1000  # no contract asks for as many, and to look into a million in each call takes long


def plain(value):
    """Tensors, variables and IndexedSlices as NumPy arrays, inside lists and tuples too; anything else as it is.

    Zeros come out without a sign, since no contract asks for one.
    """
    if isinstance(value, (list, tuple)):
        if len(value) > _MOST_ITEMS:
            return value
        items = [plain(item) for item in value]
        return items if isinstance(value, list) else tuple(items)  # a named tuple is a tuple too
    if isinstance(value, tf.IndexedSlices):
        value = tf.convert_to_tensor(value)
    if hasattr(value, "numpy") and hasattr(value, "dtype"):
        value = value.numpy()
    is_float = isinstance(value, (np.ndarray, np.generic)) and tf.as_dtype(value.dtype).is_floating
    return value + value.dtype.type(0) if is_float else value


def in_graph(function: Callable, *arguments):
    """What a function returns inside `tf.function` for these tensors (and None, and lists of them).

    The function is traced for tensors of unknown lengths, as for a last batch that is shorter.

    Raises:
        Exception: what the function raised, with the first sentence of its own message.
    """
    tensors = tf.nest.map_structure(_as_tensor, arguments)
    specs = tf.nest.map_structure(_any_length, tensors)
    try:
        return tf.function(function).get_concrete_function(*specs)(*tensors)
    except Exception as error:
        raise _kind(error)(_own_message(error)) from error


def _own_message(error: Exception) -> str:
    """Without what AutoGraph puts before it, and the names of tensors: they differ from one answer to the next."""
    last_line = (str(error).strip().splitlines() or [""])[-1].strip()
    message = last_line.removeprefix(f"{type(error).__name__}: ").split(". ")[0]
    return re.sub(r" ?\([^() ]*:\d+\)", "", message)


def _kind(error: Exception) -> type[Exception]:
    """The exception's type, or its nearest base that a message alone makes."""
    for kind in type(error).__mro__:
        if kind.__init__ in (Exception.__init__, BaseException.__init__) or kind.__module__ == "builtins":
            return kind
    return Exception


def _as_tensor(value):
    return tf.constant(value) if isinstance(value, (np.ndarray, np.generic)) else value


def _any_length(value):
    if isinstance(value, tf.IndexedSlices):
        return tf.IndexedSlicesSpec(value.shape, value.dtype, value.indices.dtype, value.dense_shape.dtype, [None])
    return tf.TensorSpec([None] * len(value.shape), value.dtype) if tf.is_tensor(value) else value
