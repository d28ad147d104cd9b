"""The mock interview without its widgets: what it asks, what it keeps, how it scores."""

import random

import pytest

from halfbits.grading import store
from halfbits.questions import LEVELS, Choice, Explain, interview, load


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HALFBITS_HOME", str(tmp_path))


def begun(*arguments, **options):
    name = interview.begin(*arguments, **options)
    return interview.past()[name]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(5))
def test_the_questions_differ_are_open_and_spread_over_topics(level, seed):
    chosen = interview.choose(level, 10, set(), random.Random(seed))
    assert len(set(chosen)) == 10
    assert not any(isinstance(question, Choice) for question in chosen)
    assert len({question.topic for question in chosen}) >= 6
    assert sum(question.level == level for question in chosen) >= 5
    assert [LEVELS.index(question.level) for question in chosen] == sorted(
        LEVELS.index(question.level) for question in chosen
    )


def test_what_was_asked_comes_last():
    open_questions = [question for question in load() if not isinstance(question, Choice)]
    fresh = {question.id for question in open_questions if question.level == "senior"}
    asked = {question.id for question in open_questions} - fresh
    chosen = interview.choose("senior", 5, asked, random.Random(0))
    assert sum(question.id in fresh for question in chosen) >= 3


def test_an_interview_is_kept_from_the_first_key_on():
    name = interview.begin("on-site", 30, with_code=True, draw=random.Random(0))
    entry = interview.past()[name]
    assert len(entry["questions"]) == 6
    assert entry["code"]
    interview.note(name, entry["questions"][0], text="fp")
    interview.note(name, entry["questions"][0], text="fp16 has", seconds=4)
    assert interview.past()[name]["answers"] == {entry["questions"][0]: {"text": "fp16 has", "seconds": 4}}
    assert interview.unfinished() == name
    interview.end(name)
    assert interview.unfinished() is None


def test_the_next_interview_asks_others():
    first = begun("senior", 45, draw=random.Random(0))
    second = begun("senior", 45, draw=random.Random(0))
    assert len(first["questions"]) == 15
    assert len(set(first["questions"]) & set(second["questions"])) <= 5


def test_an_exercise_that_was_passed_is_not_asked():
    from halfbits.grading.exercise import units

    names = [name for unit in units() for name in unit.exercise_names]
    for name in names[1:]:
        store.update(name, lambda entry: entry.update(passed=store.now()))
    assert begun("screening", 15, True)["code"] == names[0]


def test_scores():
    question = next(question for question in load() if isinstance(question, Explain))
    good, senior = question.rubric.good, question.rubric.senior
    assert interview.score(question, {}, "on-site") == 0
    assert interview.score(question, {"ticked": list(good)}, "on-site") == 1
    assert interview.score(question, {"ticked": list(good)}, "senior") == len(good) / len(good + senior)
    number = next(question for question in load() if not isinstance(question, Explain | Choice))
    assert interview.score(number, {"right": True}, "senior") == 1


def test_what_went_badly_is_to_be_studied_the_worst_first():
    name = interview.begin("on-site", 15, draw=random.Random(1))
    entry = interview.past()[name]
    for place, question_id in enumerate(entry["questions"]):
        question = interview.by_id(question_id)
        if place == 0:
            ticked = interview.expected_points(question, "on-site") if isinstance(question, Explain) else ()
            interview.note(name, question_id, ticked=list(ticked), right=True)
    study = interview.study_next(interview.past()[name])
    assert [question.id for question in study] == entry["questions"][1:]


@pytest.mark.parametrize(("level", "minutes"), [("expert", 15), ("senior", 20)])
def test_what_there_is_not(level, minutes):
    with pytest.raises(ValueError, match=r"expert|20"):
        interview.begin(level, minutes)
    assert interview.past() == {}


def test_where_one_stands():
    assert "none yet" in interview.standing()
    name = interview.begin("senior", 15, draw=random.Random(3))
    question = next(interview.by_id(each) for each in interview.past()[name]["questions"])
    points = list(interview.expected_points(question, "senior")) if isinstance(question, Explain) else []
    interview.note(name, question.id, turned=True, ticked=points, right=True)
    interview.end(name)
    assert "senior: 100% of the points" in interview.standing()
