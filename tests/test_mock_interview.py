"""The MockInterview widget in Python: what it shows for what a person does, and what it keeps."""

import random

import pytest

from halfbits.grading import store
from halfbits.questions import Explain, Number, interview, load
from halfbits.widgets.mock_interview import MockInterview, plot_past
from halfbits.widgets.mock_interview import mock_interview as module
from tests.javascript import in_node

NUMBER = next(question for question in load() if isinstance(question, Number) and question.unit)
EXPLAIN = next(question for question in load() if isinstance(question, Explain))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HALFBITS_HOME", str(tmp_path))


@pytest.fixture
def ask(monkeypatch):
    """Begins an interview that asks these questions."""

    def begin(*questions, level="on-site", code=False):
        monkeypatch.setattr(interview, "choose", lambda *_: list(questions))
        widget = MockInterview(random.Random(0))
        say(widget, "begin", level=level, minutes=15, code=code)
        return widget

    return begin


def say(widget, act, **facts):
    widget.said = {"act": act, "count": str(random.random()), **facts}


def test_an_explanation_from_the_first_key_to_the_summary(ask):
    widget = ask(EXPLAIN)
    assert widget.view["page"] == "question"
    assert "answer" not in widget.view, "the answer is in the browser before it is asked for"
    say(widget, "write", question=EXPLAIN.id, text="It com", seconds=3)
    assert widget.saved.startswith("Saved")
    assert widget.view["text"] == "", "a page drawn anew would take the cursor out of the box"
    say(widget, "turn", question=EXPLAIN.id, text="It computes", seconds=5)
    assert widget.view["page"] == "rubric"
    assert [point["text"] for point in widget.view["points"] if point["counts"]] == list(EXPLAIN.rubric.good)
    say(widget, "tick", question=EXPLAIN.id, ticked=list(EXPLAIN.rubric.good[:1]))
    say(widget, "done", question=EXPLAIN.id)
    assert widget.view["page"] == "summary"
    assert widget.view["percent"] == round(100 / len(EXPLAIN.rubric.good))
    assert widget.view["study"][0]["lesson"] == f"notebooks/{EXPLAIN.lesson}.ipynb"
    entry = next(iter(interview.past().values()))
    assert entry["answers"][EXPLAIN.id]["text"] == "It computes"
    assert entry["ended"]


def test_at_the_senior_level_senior_points_count(ask):
    widget = ask(EXPLAIN, level="senior")
    say(widget, "turn", question=EXPLAIN.id, text="", seconds=5)
    counted = [point["text"] for point in widget.view["points"] if point["counts"]]
    assert counted == list(EXPLAIN.rubric.good + EXPLAIN.rubric.senior)


@pytest.mark.parametrize("written", ["{}", "{:,}", " {} units", "{} * 1"])
def test_a_right_number_however_it_is_written(ask, written):
    widget = ask(NUMBER)
    say(widget, "turn", question=NUMBER.id, text=written.format(NUMBER.right.text), seconds=5)
    assert widget.view["right"]
    say(widget, "done", question=NUMBER.id)
    assert widget.view["percent"] == 100


def test_a_wrong_number_is_told_why(ask):
    widget = ask(NUMBER)
    say(widget, "turn", question=NUMBER.id, text=str(NUMBER.wrong[0].text), seconds=5)
    assert not widget.view["right"]
    assert widget.view["because"] == module.inline(NUMBER.wrong[0].because)


def test_another_number_is_told_where_to_begin_and_none_is_wrong(ask):
    for text, because in (("123456.789", NUMBER.otherwise), ("", NUMBER.otherwise)):
        widget = ask(NUMBER)
        say(widget, "turn", question=NUMBER.id, text=text, seconds=5)
        assert not widget.view["right"]
        assert widget.view["because"] == module.inline(because)


def test_what_is_no_number_is_asked_again(ask):
    widget = ask(NUMBER)
    say(widget, "turn", question=NUMBER.id, text="a lot", seconds=5)
    assert widget.view["page"] == "question"
    assert "no number" in widget.saved


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("65,504", 65504),
        ("2^-14", 2**-14),
        ("−3", -3),
        ("112 GB", 112),
        ("7e9*16/1e9", 112),
        ("2 TB/s", 2),
        ("80 %", 80),
    ],
)
def test_numbers_as_people_write_them(text, value):
    assert interview.number_in(text) == value


@pytest.mark.parametrize("text", ["", "abc", "1/0", "2**99999", "(-8)**0.5", "__import__('os')", "[1]", "1e999*0.x"])
def test_what_is_no_number(text):
    with pytest.raises(ValueError, match="no number"):
        interview.number_in(text)


def test_another_tab_goes_on_where_it_was(ask):
    widget = ask(EXPLAIN, NUMBER)
    say(widget, "write", question=EXPLAIN.id, text="half a sen", seconds=17)
    again = MockInterview()
    assert "0 answered" in again.view["unfinished"]
    say(again, "resume")
    assert (again.view["id"], again.view["text"], again.view["seconds"]) == (EXPLAIN.id, "half a sen", 17)
    say(again, "turn", question=EXPLAIN.id, text="half a sentence", seconds=20)
    third = MockInterview()
    say(third, "resume")
    assert third.view["page"] == "rubric"


def test_an_unfinished_one_can_be_ended(ask):
    ask(EXPLAIN)
    widget = MockInterview()
    say(widget, "drop")
    assert widget.view["unfinished"] is None


def test_ended_early_it_scores_what_it_came_to(ask):
    widget = ask(EXPLAIN, NUMBER)
    say(widget, "turn", question=EXPLAIN.id, text="", seconds=5)
    say(widget, "tick", question=EXPLAIN.id, ticked=list(EXPLAIN.rubric.good))
    say(widget, "finish")
    assert (widget.view["percent"], widget.view["reached"], widget.view["of"]) == (100, 1, 2)
    assert NUMBER.lesson in widget.view["study"][0]["lesson"], "what was not reached is to be studied"


def test_ended_at_once_it_has_no_score(ask):
    widget = ask(EXPLAIN)
    say(widget, "finish")
    assert widget.view["percent"] is None


def test_the_exercise_is_what_the_grader_says(ask):
    widget = ask(EXPLAIN, code=True)
    say(widget, "turn", question=EXPLAIN.id, text="", seconds=5)
    say(widget, "done", question=EXPLAIN.id)
    name = widget.view["name"]
    assert widget.view["page"] == "code"
    store.update(name, lambda entry: entry.update(last="passed", at="2020-01-01T00:00:00+00:00"))
    say(widget, "code", seconds=1, give_up=False)
    assert widget.view["page"] == "code", "it passed long before the interview"
    store.update(name, lambda entry: entry.update(last="failed", at=store.now()))
    say(widget, "code", seconds=1, give_up=False)
    assert "not passed yet" in widget.saved
    store.update(name, lambda entry: entry.update(last="passed", at=store.now()))
    say(widget, "code", seconds=1, give_up=False)
    assert widget.view["code"] == {"name": name, "passed": True}


def test_what_cannot_be_kept_is_said(ask, monkeypatch):
    widget = ask(EXPLAIN)

    def refuse(*_, **__):
        raise store.ProgressNotSaved("The disk is full.")

    monkeypatch.setattr(store, "update", refuse)
    say(widget, "write", question=EXPLAIN.id, text="x", seconds=1)
    assert widget.saved == "The disk is full."


def test_every_lesson_has_exercises_that_are_there():
    from halfbits.grading.exercise import units

    notebooks = {unit.notebook for unit in units()}
    assert set(module._EXERCISES.values()) == notebooks
    assert {question.lesson[:2] for question in load()} <= set(module._EXERCISES)


def test_the_plot_needs_an_interview_and_then_has_them_all(ask, capsys, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    plot_past()
    assert "No mock interview is finished yet" in capsys.readouterr().out
    for level in ("screening", "senior"):
        widget = ask(EXPLAIN, level=level)
        say(widget, "turn", question=EXPLAIN.id, text="", seconds=5)
        say(widget, "tick", question=EXPLAIN.id, ticked=list(EXPLAIN.rubric.good))
        say(widget, "done", question=EXPLAIN.id)
    seen = {}
    monkeypatch.setattr(plt, "show", lambda: seen.update(axes=plt.gca()))
    plot_past()
    heights = list(seen["axes"].lines[0].get_ydata())
    share = 100 * len(EXPLAIN.rubric.good) / len(EXPLAIN.rubric.good + EXPLAIN.rubric.senior)
    assert heights == pytest.approx([100, share])
    assert seen["axes"].get_title("left").startswith("From 100 %")
    plt.close("all")


def test_the_clock(tmp_path):
    run = in_node(MockInterview._esm, tmp_path)
    assert run([["minutes", [75]], ["clockText", [10, 50, 900]], ["clockText", [20, 890, 900]]]) == [
        "1:15",
        "0:10 on this question · 14:00 of 15:00 left",
        "0:20 on this question · 0:10 over the time: come to an end",
    ]
