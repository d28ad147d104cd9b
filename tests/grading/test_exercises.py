"""Every exercise of the course: our solution holds, every misconception is caught and named, the hints are there.

A class for each exercise, so that xdist's loadscope may send them to different workers.
"""

import ast
import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest

from halfbits.grading import grade
from halfbits.grading.exercise import Exercise, load_solutions, units

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = [Exercise(name, unit) for unit in units() for name in unit.exercise_names]


def misconception_names(exercise):
    """Read off the text, since importing the check files of some units loads TensorFlow."""
    pattern = r"^@misconception\n(?:def|class) (\w+)"
    return re.findall(pattern, exercise.path.read_text(encoding="utf-8"), re.MULTILINE)


def property_sentences(exercise):
    """Read off the text, for the same reason, as a verdict shows them."""
    tree = ast.parse(exercise.path.read_text(encoding="utf-8"))
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return [" ".join(ast.get_docstring(test).split()) for test in tests]


def needs_tensorflow(exercise):
    source = ROOT / "sources" / "exercises" / f"{exercise.unit.notebook}.py"
    return "import tensorflow as" in source.read_text(encoding="utf-8")


def is_task(exercise):
    """Whether it is the task of a unit, where every call builds networks and trains them."""
    return needs_tensorflow(exercise) and exercise.next_name is None


def pytest_generate_tests(metafunc):
    if "misconception" in metafunc.fixturenames:
        marks = [pytest.mark.thorough] if is_task(metafunc.cls.exercise) else []
        names = misconception_names(metafunc.cls.exercise)
        metafunc.parametrize("misconception", [pytest.param(name, marks=marks) for name in names])


class ExerciseTests:
    exercise: Exercise

    @property
    def solution(self):
        return load_solutions(self.exercise.unit)[self.exercise.name]

    def test_our_solution_holds(self):
        report = grade(self.solution)
        assert report.passed, str(report)
        assert not report.output
        assert not report.notes

    @pytest.mark.slow
    def test_a_misconception_fails_and_is_named_as_itself(self, misconception):
        function = self.exercise.misconceptions[misconception]
        report = grade(function, self.exercise.name)
        assert not report.passed
        assert report.misconception == misconception, str(report)
        # "One thing first. …" where a message of TensorFlow's, with a running number in it, differs from call to call.
        assert report.diagnosis.removeprefix("One thing first. ") == " ".join(function.__doc__.split())

    def test_it_is_complete(self):
        exercise = self.exercise
        assert exercise.contract.startswith(f"{exercise.name}("), "the check file begins with the contract in one line"
        assert len(exercise.hints) == 3
        assert len(exercise.misconceptions) >= 8
        assert list(exercise.misconceptions) == misconception_names(exercise)
        sentences = [function.__doc__ for function in exercise.misconceptions.values()]
        assert len(set(sentences)) == len(sentences)

    def test_a_misconception_keeps_the_signature(self):
        count = len(inspect.signature(self.solution).parameters)
        for function in self.exercise.misconceptions.values():
            inspect.signature(function).bind(*[None] * count)

    def test_the_stub_is_unattempted(self):
        if self.exercise.wants_class:

            class Stub:
                def __init__(self, *_, **__):
                    raise NotImplementedError

            stub = Stub
        else:

            def stub(*_):
                raise NotImplementedError

        assert grade(stub, self.exercise.name).outcome == "unattempted"


for _exercise in EXERCISES:
    _marks = [pytest.mark.tensorflow] if needs_tensorflow(_exercise) else []
    if is_task(_exercise):
        _marks.append(pytest.mark.longest)
    globals()[f"Test_{_exercise.name}"] = type(
        f"Test_{_exercise.name}", (ExerciseTests,), {"exercise": _exercise, "pytestmark": _marks}
    )


def test_exercise_names_are_unique():
    names = [exercise.name for exercise in EXERCISES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_the_solution_shows_the_verdict_of_today(exercise):
    """The build does not notice where only a check file was changed, and nbval says so minutes later."""
    notebook = json.loads((ROOT / "solutions" / f"{exercise.unit.notebook}.ipynb").read_text(encoding="utf-8"))
    (cell,) = [cell for cell in notebook["cells"] if "".join(cell["source"]) == f"check({exercise.name})"]
    shown = "".join(cell["outputs"][-1]["data"]["text/plain"])
    again = f"run `.venv/bin/python tools/build.py --force solutions/{exercise.unit.notebook}.ipynb`"
    held = [re.sub(r" \[\w+\]$", "", line) for line in re.findall(r"✓ (.*)", shown)[1:]]  # without the parameter
    assert list(dict.fromkeys(held)) == property_sentences(exercise), again


@pytest.mark.tensorflow
@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_integer_dense_tells_tensors_of_floats_from_those_of_integers(dtype):
    import tensorflow as tf

    def dense(
        x_q, w_q, bias_q, x_zero_point, out_zero_point, mantissas, shifts, activation_min=-128, activation_max=127
    ):
        x, w, bias = (tf.cast(operand, dtype) for operand in (x_q, w_q, bias_q))
        accumulators = tf.cast(tf.matmul(x - tf.cast(x_zero_point, dtype), w) + bias, tf.int64).numpy()
        mantissas, shifts = np.asarray(mantissas, np.int64), np.asarray(shifts, np.int64)
        y = (accumulators * mantissas + (np.int64(1) << (30 - shifts))) >> (31 - shifts)
        return np.clip(y + out_zero_point, activation_min, activation_max).astype(np.int8)

    report = grade(dense, "integer_dense")
    assert report.passed == (dtype == "int64"), str(report)
    assert report.misconception == (None if report.passed else "floats_added_up")
