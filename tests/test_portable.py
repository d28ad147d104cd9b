"""tools/test_portable.py: the variables it sets do what it says, it compares and keeps what it should."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.loading import load
from tests.waiting import PATIENCE

TOOL = Path(__file__).resolve().parents[1] / "tools" / "test_portable.py"
MATRICES = "import numpy as np; x = np.ones((600, 600)); x @ x"
GRAPH = (
    "from halfbits.quiet import import_tensorflow; import_tensorflow(); import tensorflow as tf;"
    "f = tf.function(lambda x: tf.nn.relu(x @ x)); f(tf.ones((600, 600))).numpy()"
)
COUNT = "; import os; print(len(os.listdir('/proc/self/task')))"


@pytest.fixture(scope="module")
def portable():
    return load(TOOL)


def threads_started(code, variables):
    environment = {name: value for name, value in os.environ.items() if "THREADS" not in name} | variables
    command = [sys.executable, "-c", code + COUNT]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=PATIENCE)
    return int(done.stdout.split()[-1])


@pytest.mark.tensorflow
@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in Linux's /proc")
@pytest.mark.parametrize(
    ("name", "code"),
    [("TF_NUM_INTRAOP_THREADS", GRAPH), ("TF_NUM_INTEROP_THREADS", GRAPH), ("OPENBLAS_NUM_THREADS", MATRICES)],
)
def test_each_variable_sets_a_number_of_threads(portable, name, code):
    """One more thread in its pool, one more in the process."""
    one, two = portable.threads(1), portable.threads(2)
    assert threads_started(code, one | {name: two[name]}) == threads_started(code, one) + 1


def test_every_variable_is_held_to_that(portable):
    assert set(portable.threads(1)) == {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS"}


def test_an_environment_is_kept_until_other_versions_are_asked_for(portable, monkeypatch, tmp_path):
    arm, installed = portable.ARMS["newest"], []
    newest = "numpy==2.3.0"

    def run(*command, **_):
        if "venv" in command:
            arm.environment.mkdir(parents=True, exist_ok=True)
        if "--requirement" in command:
            installed.append(Path(command[-1]).read_text())
        return SimpleNamespace(stdout=newest if "compile" in command else "python")

    monkeypatch.setattr(portable, "ENVIRONMENTS", tmp_path)
    monkeypatch.setattr(portable, "run", run)
    monkeypatch.setattr(portable.shutil, "which", lambda name: name)
    portable.make(arm)
    portable.make(arm)
    newest = "numpy==2.4.0"
    portable.make(arm)
    assert installed == ["numpy==2.3.0", "numpy==2.4.0"]


def notebook_with(outputs, state, tags=()):
    """One cell, and the widgets' models."""
    saved = {"application/vnd.jupyter.widget-state+json": {"state": state}}
    cell = {"metadata": {"tags": list(tags)}, "source": "1", "outputs": outputs}
    return json.dumps({"cells": [cell], "metadata": {"widgets": saved}})


STATE = {"a1": {"layout": "b2"}, "b2": {"width": 1}, "c3": {"width": 5}}


def test_a_build_is_compared_with_the_widgets_that_its_cells_show(portable):
    same = notebook_with(["a1"], STATE)
    assert portable.comparable(same) == portable.comparable(notebook_with(["a1"], STATE | {"c3": {"width": 6}}))
    assert portable.comparable(same) != portable.comparable(notebook_with(["a1"], STATE | {"b2": {"width": 2}}))
    assert portable.comparable(same) != portable.comparable(notebook_with(["c3"], STATE))


def test_outputs_of_ignored_cells_are_not_compared(portable):
    ignored = [notebook_with([output], STATE, ["nbval-ignore-output"]) for output in ("a1", "c3")]
    assert portable.comparable(ignored[0]) == portable.comparable(ignored[1])
    assert portable.comparable(ignored[0]) != portable.comparable(notebook_with([], {}))
