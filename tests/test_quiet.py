"""TensorFlow is loaded without its start-up lines, and a start that fails is not hidden."""

import importlib
import subprocess
import sys

import pytest

from halfbits.quiet import hidden, stderr_kept_unless_it_fails
from tests.waiting import PATIENCE


@pytest.mark.tensorflow
def test_nothing_is_written_when_tensorflow_starts():
    code = """
from halfbits.quiet import import_tensorflow
import_tensorflow()
import keras, sys, tensorflow as tf
for dtype in "float32", "float16", "bfloat16":
    x = tf.ones((4, 4), dtype)
    tf.nn.softmax(tf.nn.relu(x @ x + x[0]))
print(keras.backend.backend())
print("own line", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "tensorflow\n"
    assert done.stderr == "own line\n"


@pytest.mark.tensorflow
def test_keras_does_without_modules_that_can_still_be_imported():
    code = """
import sys
from halfbits.quiet import import_tensorflow
import_tensorflow()
print([name for name in ("keras", "sklearn", "matplotlib") if name in sys.modules])
import matplotlib.pyplot
from halfbits.data import digits
digits()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "['keras']\n"


def test_what_is_hidden_comes_back(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with hidden("colorsys", "pytest"):
        loaded_before = importlib.import_module("pytest")

        with pytest.raises(ImportError):
            import colorsys
    import colorsys

    assert loaded_before is pytest
    assert colorsys.rgb_to_hsv(1, 1, 1) == (0, 0, 1)


def test_what_is_written_is_dropped(capfd):
    with stderr_kept_unless_it_fails():
        subprocess.run([sys.executable, "-c", "import os; os.write(2, b'noise')"], check=True, timeout=PATIENCE)
    assert capfd.readouterr().err == ""


def test_what_is_written_before_a_failure_is_kept(capfd):
    failing = [sys.executable, "-c", "import os; os.write(2, b'the reason'); os._exit(1)"]
    with pytest.raises(subprocess.CalledProcessError), stderr_kept_unless_it_fails():
        subprocess.run(failing, check=True, timeout=PATIENCE)
    assert capfd.readouterr().err == "the reason"
