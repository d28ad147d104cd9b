"""Right answers in many styles: the grader asks for what the contract says, and for no way of writing it.

A file of `styles/` has ten answers or more to one exercise; each public function or class in it is one.
"""

import ast
import inspect
from pathlib import Path

import pytest

from halfbits.grading import grade
from tests.grading.test_exercises import EXERCISES, needs_tensorflow
from tests.loading import load

STYLES = Path(__file__).with_name("styles")


def path_of(exercise):
    return STYLES / exercise.unit.name / f"{exercise.name}.py"


def style_names(exercise):
    """Read off the text, since importing some of the files loads TensorFlow."""
    kind = ast.ClassDef if exercise.wants_class else ast.FunctionDef
    names = [
        node.name for node in ast.parse(path_of(exercise).read_text(encoding="utf-8")).body if isinstance(node, kind)
    ]
    return [name for name in names if not name.startswith("_")]


def pytest_generate_tests(metafunc):
    if "style" in metafunc.fixturenames:
        metafunc.parametrize("style", style_names(metafunc.cls.exercise))


def _without_name(source, name):
    """The code with another name, without docstring and comments."""
    tree = ast.parse(source.replace(name, "answer"))
    if ast.get_docstring(tree.body[0]):
        del tree.body[0].body[0]
    return ast.unparse(tree)


@pytest.fixture(scope="class")
def styles(request):
    return vars(load(path_of(request.cls.exercise)))


class StyleTests:
    exercise = None

    def test_it_passes(self, styles, style):
        report = grade(styles[style], self.exercise.name)
        assert report.passed, str(report)

    def test_there_are_ten_and_no_two_alike(self, styles):
        names = style_names(self.exercise)
        texts = {_without_name(inspect.getsource(styles[name]), name) for name in names}
        assert len(texts) == len(names) >= 10
        assert _without_name(self.exercise.solution, self.exercise.name) not in texts


def test_every_exercise_has_its_styles():
    assert all(path_of(exercise).exists() for exercise in EXERCISES)


for _exercise in EXERCISES:
    _marks = [pytest.mark.thorough] + [pytest.mark.tensorflow] * needs_tensorflow(_exercise)
    globals()[f"Test_{_exercise.name}"] = type(
        f"Test_{_exercise.name}", (StyleTests,), {"exercise": _exercise, "pytestmark": _marks}
    )
