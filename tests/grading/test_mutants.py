"""The mutation of our solutions itself; what the grader makes of the mutants, `make test-mutants` says."""

import pytest

from halfbits.grading.exercise import find, load_solutions, units
from tests.grading import mutants

FUNCTION = '''
def scaled(x: float, names=("min",)) -> float:
    """Never changed."""
    if x < 1 and not names:
        raise ValueError(f"{x + 1} is too small")
    return max(2 * x, 0)
'''


def test_each_mutant_is_one_small_change():
    names = dict(mutants.mutations(FUNCTION))
    assert {
        "if x < 1 and (not names):  →  if x <= 1 and (not names):",
        "if x < 1 and (not names):  →  if x < 1 or not names:",
        "if x < 1 and (not names):  →  if x < 1 and names:",
        "return max(2 * x, 0)  →  return min(2 * x, 0)",
        "return max(2 * x, 0)  →  return max(2 / x, 0)",
        "return max(2 * x, 0)  →  return None",
        "def scaled(x, names=('min',)):  →  def scaled(x, names=('max',)):",
    } <= set(names)
    assert len(set(names.values())) == len(names), "no mutant comes twice"
    for text in names.values():
        compile(text, "mutant", "exec")


def test_messages_annotations_and_docstrings_are_left_alone():
    assert all("{x + 1} is too small" in text or "raise" not in text for _, text in mutants.mutations(FUNCTION))


def test_a_mutant_that_breaks_the_contract_is_rejected_and_one_that_does_not_survives():
    names = {"math": __import__("math"), "np": __import__("numpy")}
    right = mutants.Mutant("decode", "the solution itself", find("decode").solution)
    assert mutants.survives(right, names)
    wrong = mutants.mutants(find("decode"))[0]
    assert not mutants.survives(wrong, names)
    assert load_solutions(units()[0])["decode"](0x3C00, 5, 10) == 1.0, "the solution is as it was"


@pytest.mark.parametrize("exercise", mutants.equivalent())
def test_what_is_listed_as_equivalent_is_a_mutant_and_says_why(exercise):
    listed = mutants.equivalent()[exercise]
    assert listed.keys() <= {mutant.name for mutant in mutants.mutants(find(exercise))}
    assert all(len(why.split()) >= 4 for why in listed.values())
