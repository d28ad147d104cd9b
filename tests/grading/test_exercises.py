"""Every exercise of the course: our solution holds, every misconception is caught and named, the hints are there."""

import inspect

import pytest

from halfbits.grading import grade
from halfbits.grading.exercise import Exercise, load_solutions, units

EXERCISES = [Exercise(name, unit) for unit in units() for name in unit.exercise_names]
MISCONCEPTIONS = [(exercise, name) for exercise in EXERCISES for name in exercise.misconceptions]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_our_solution_holds(exercise):
    report = grade(load_solutions(exercise.unit)[exercise.name])
    assert report.passed, str(report)
    assert not report.output
    assert not report.notes


@pytest.mark.parametrize(("exercise", "name"), MISCONCEPTIONS, ids=[f"{e.name}-{n}" for e, n in MISCONCEPTIONS])
def test_a_misconception_fails_and_is_named_as_itself(exercise, name):
    report = grade(exercise.misconceptions[name], exercise.name)
    assert not report.passed
    assert report.misconception == name, str(report)
    assert report.diagnosis == " ".join(exercise.misconceptions[name].__doc__.split())


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_an_exercise_is_complete(exercise):
    assert exercise.contract.startswith(f"{exercise.name}("), "the check file begins with the contract in one line"
    assert len(exercise.hints) == 3
    assert len(exercise.misconceptions) >= 8
    sentences = [function.__doc__ for function in exercise.misconceptions.values()]
    assert len(set(sentences)) == len(sentences)
    assert exercise.path.exists()


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_a_misconception_keeps_the_signature(exercise):
    count = len(inspect.signature(load_solutions(exercise.unit)[exercise.name]).parameters)
    for function in exercise.misconceptions.values():
        inspect.signature(function).bind(*[None] * count)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_stub_is_unattempted(exercise):
    def stub(*_):
        raise NotImplementedError

    assert grade(stub, exercise.name).outcome == "unattempted"


def test_exercise_names_are_unique():
    names = [exercise.name for exercise in EXERCISES]
    assert len(set(names)) == len(names)
