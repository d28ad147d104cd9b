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
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Else an operation that fails writes a line of its own beside its exception.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with stderr_kept_unless_it_fails():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # the warnings of its Python part would stand in red under the cell
        tf.zeros(1) + 1.0  # the first operation finds the devices, and says so


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
