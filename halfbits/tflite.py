"""TensorFlow Lite without the lines that it writes: convert a Keras model, run the result, read its integers."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from halfbits.quiet import stderr_kept_unless_it_fails

__all__ = ["SCHEMES", "DenseLayer", "convert", "dense_layers", "interpreter", "run"]


def _float32(converter, representative):
    pass


def _float16(converter, representative):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic_range(converter, representative):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _full_integer(converter, representative):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([example[np.newaxis]] for example in representative)
    # Without this line an operation that has no integer kernel would stay in float, without a word.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


#: What `convert` can do: float32 throughout; float16 weights and float32 arithmetic; int8 weights, with activations
#: quantized by their range as the model runs; or int8 in, int8 out and no float between.
SCHEMES: dict[str, Callable] = {
    "float32": _float32,
    "float16": _float16,
    "dynamic_range": _dynamic_range,
    "full_integer": _full_integer,
}


def convert(model, scheme: str = "float32", representative: np.ndarray | None = None, sparse: bool = False) -> bytes:
    """Convert a Keras model to TensorFlow Lite.

    Args:
        model: a built model of Keras 3 or, wrapped or not by TFMOT, of tf_keras.
        scheme: one of `SCHEMES`.
        representative: inputs, the examples along the first axis, on which "full_integer" takes the ranges of the
            activations; the other schemes need none.
        sparse: whether kernels with many zeros are stored without them, which TFLite calls experimental.

    Returns:
        The content of a .tflite file; its length is the size of the file.

    Raises:
        ValueError: there is no such scheme, or it is "full_integer" and there are no representative inputs.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"no scheme is called {scheme!r}; there are {', '.join(SCHEMES)}")
    if scheme == "full_integer" and representative is None:
        raise ValueError("full-integer quantization takes the ranges of the activations from representative inputs")
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    SCHEMES[scheme](converter, representative)
    if sparse:
        converter.optimizations = [*converter.optimizations, tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    with stderr_kept_unless_it_fails(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        # A statistic of the old converter, which the present one takes from the representative inputs.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        return converter.convert()


def interpreter(content: bytes, reference: bool = False, threads: int = 1) -> tf.lite.Interpreter:
    """An interpreter for a converted model.

    Args:
        content: what `convert` returned.
        reference: whether to use the reference kernels, which are plain loops, in place of the optimized ones with the
            XNNPACK delegate.
        threads: how many threads the optimized kernels may use.
    """
    kind = tf.lite.experimental.OpResolverType
    with stderr_kept_unless_it_fails(), warnings.catch_warnings():
        # The class is to move to another package, ai_edge_litert; TensorFlow 2.21 still has it.
        warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter is deprecated")
        made = tf.lite.Interpreter(
            model_content=content,
            num_threads=threads,
            experimental_op_resolver_type=kind.BUILTIN_REF if reference else kind.AUTO,
        )
        made.allocate_tensors()
    return made


def run(interpreter: tf.lite.Interpreter, x: np.ndarray) -> np.ndarray:
    """The outputs of a model with one input and one output, for a batch of any length, in the model's own dtypes."""
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    with stderr_kept_unless_it_fails():
        interpreter.resize_tensor_input(taken["index"], x.shape)
        interpreter.allocate_tensors()
    interpreter.set_tensor(taken["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(given["index"])


class DenseLayer(NamedTuple):
    """A dense layer in integers: a real number is scale · (integer − zero-point), and the weights' zero-points are 0.

    The scales are float32 numbers held in 64 bits, in which TensorFlow Lite multiplies them. A bias has the scale
    x_scale · w_scales and zero-point 0.
    """

    w_q: np.ndarray  # int8, (inputs, units)
    bias_q: np.ndarray  # int32, (units,)
    x_scale: float
    x_zero_point: int
    w_scales: np.ndarray  # float64, (units,)
    out_scale: float
    out_zero_point: int


def dense_layers(interpreter: tf.lite.Interpreter) -> list[DenseLayer]:
    """The dense layers of a full-integer model, in the order in which they run.

    Raises:
        ValueError: a dense layer of the model does not compute in int8.
    """
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    layers = []
    # The only way to learn from an interpreter which tensors belong to which operation.
    for operation in interpreter._get_ops_details():
        if operation["op_name"] != "FULLY_CONNECTED":
            continue
        x_index, w_index, bias_index = operation["inputs"]
        x, w, out = (tensors[index] for index in (x_index, w_index, *operation["outputs"]))
        if not x["dtype"] is w["dtype"] is np.int8:
            raise ValueError(f"not a full-integer model: {out['name']} has {x['dtype'].__name__} inputs")
        w_q = interpreter.get_tensor(w_index).T
        units = w_q.shape[1]
        # The converter leaves out a bias that is 0 everywhere.
        bias_q = interpreter.get_tensor(bias_index) if bias_index >= 0 else np.zeros(units, np.int32)
        w_scales = np.broadcast_to(w["quantization_parameters"]["scales"].astype(np.float64), units)
        layers.append(DenseLayer(w_q, bias_q, *x["quantization"], w_scales, *out["quantization"]))
    return layers
