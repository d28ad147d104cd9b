"""The question bank: complete, well-formed, proved by a lesson's cell, and right where it is a number."""

import difflib
import importlib
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import jupytext
import pytest

from halfbits.questions import LEVELS, TOPICS, Choice, Explain, Number, load, quiz
from tests.questions.computed import COMPUTED

ROOT = Path(__file__).resolve().parents[2]
BANK = load()
LESSONS = sorted({question.lesson for question in BANK})
by_id = pytest.mark.parametrize("question", BANK, ids=[question.id for question in BANK])

for _topic in TOPICS:
    if (Path(__file__).parent / f"numbers_{_topic}.py").exists():
        importlib.import_module(f"tests.questions.numbers_{_topic}")


def of_kind(kind):
    chosen = [question for question in BANK if isinstance(question, kind)]
    return pytest.mark.parametrize("question", chosen, ids=[question.id for question in chosen])


def headings_with_cells(lesson):
    """The headings of a lesson under which, before the next one, there is a cell of code."""
    text = (ROOT / "sources" / "lessons" / f"{lesson}.py").read_text(encoding="utf-8")
    heading, proved = None, set()
    for cell in jupytext.reads(text, fmt="py:percent").cells:
        if cell.cell_type == "code":
            proved.add(heading)
        found = re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else []
        heading = found[-1] if found else heading
    return proved


PROVED = {lesson: headings_with_cells(lesson) for lesson in LESSONS}


def test_there_are_a_hundred_and_fifty_over_all_topics_and_levels():
    assert len(BANK) >= 150
    assert Counter(question.id for question in BANK).most_common(1)[0][1] == 1
    for topic in TOPICS:
        kinds = {type(question) for question in BANK if question.topic == topic}
        assert kinds == ({Explain} if topic == "article" else {Explain, Choice, Number}), topic
    for level in LEVELS:
        assert sum(question.level == level for question in BANK) >= 30, level


def test_the_six_of_the_article_come_first():
    assert [question.topic for question in BANK[:7]].count("article") == 6


@by_id
def test_it_is_well_formed(question):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", question.id)
    assert question.level in LEVELS
    assert question.question.rstrip('*_`)”"').endswith(("?", ".", ":"))
    assert question.proof in PROVED[question.lesson], "the lesson has no such heading with a cell under it"


@of_kind(Explain)
def test_an_explanation_is_a_minute_long_and_sourced(question):
    words = len(question.answer.split())
    assert 45 <= words <= 190, f"{words} words: 60 seconds are 100 to 160"
    assert all((question.rubric.weak, question.rubric.good, question.rubric.senior))
    assert len(question.trap) > 20
    assert question.follow_ups
    assert question.sources


@of_kind((Choice, Number))
def test_every_option_differs_and_says_why(question):
    options = [question.right, *question.wrong]
    assert len(options) >= (3 if isinstance(question, Choice) else 2)
    assert len({str(option.text) for option in options}) == len(options)
    assert all(len(option.because) > 15 for option in options)


@of_kind(Number)
def test_a_number_is_computed_a_second_time(question):
    assert question.id in COMPUTED, f"tests/questions/numbers_{question.topic}.py does not compute it"
    computed = float(COMPUTED[question.id]())
    assert computed == pytest.approx(question.right.text, rel=question.tolerance / 2 or 1e-12, abs=0)
    for option in question.wrong:
        margin = question.tolerance * (abs(option.text) + abs(question.right.text))
        assert abs(option.text - question.right.text) > margin, "a wrong number that would pass for the right one"


def test_no_number_is_computed_for_nothing():
    assert set(COMPUTED) == {question.id for question in BANK if isinstance(question, Number)}


def test_no_two_ask_the_same():
    for one, other in combinations(BANK, 2):
        ratio = difflib.SequenceMatcher(None, one.question, other.question)
        if ratio.quick_ratio() > 0.8:
            assert ratio.ratio() < 0.8, f"{one.id} and {other.id}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_quiz_of_a_lesson_has_one_right_answer_each(lesson):
    items = quiz(lesson)
    assert len(items) == 8
    for item in items:
        assert sum(bool(answer.get("correct")) for answer in item["answers"]) == 1, item["question"]
