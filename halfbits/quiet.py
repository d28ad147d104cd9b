"""Loads TensorFlow and Keras without the lines that they write when they start."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import TensorFlow, and Keras on it, and start the devices; what they write to the terminal is dropped.

    Those lines come from C++, below Python's own streams, where no log level reaches all of them. The imports that
    follow in a notebook or a script find both loaded. Where the start fails, the lines are written after all.

    Keras comes without its wrappers for scikit-learn and its picture galleries. For their sake it would load
    scikit-learn and matplotlib, which the course imports where it uses them; that is a quarter of its own import.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Else an operation that fails writes a line of its own beside its exception.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with stderr_kept_unless_it_fails(), hidden("sklearn", "matplotlib"):
        import keras  # noqa: F401
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # the warnings of its Python part would stand in red under the cell
        # The first operation finds the devices, and says so; the first in a narrow format, whether oneDNN knows that.
        for dtype in tf.float32, tf.float16, tf.bfloat16:
            tf.matmul(tf.ones((1, 1), dtype), tf.ones((1, 1), dtype))


@contextlib.contextmanager
def stderr_kept_unless_it_fails():
    """A context in which what is written to the terminal is dropped, and written after all where it raises."""
    sys.stderr.flush()
    own = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(own, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(own, 2)
            os.close(own)


@contextlib.contextmanager
def hidden(*modules: str):
    """A context in which these modules cannot be imported, as if not installed, unless they are loaded already."""
    absent = dict.fromkeys(name for name in modules if name not in sys.modules)
    sys.modules.update(absent)  # None for a module makes its import fail
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
