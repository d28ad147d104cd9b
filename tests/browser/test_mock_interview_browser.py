"""The mock interview and the cards in a real JupyterLab: with the keyboard, and over a closed tab."""

import json
import random

import pytest

from halfbits.questions import Explain, load
from halfbits.widgets.mock_interview import MockInterview
from halfbits.widgets.mock_interview import mock_interview as module
from tests.browser.pages import LOW_CONTRAST, watched, widget_page
from tests.browser.test_lab import Notebook

pytestmark = pytest.mark.browser

EXPLAIN = next(question for question in load() if isinstance(question, Explain))
LESSON = "notebooks/08_mock_interview.ipynb"
# The lesson's cell with a draw that stays; while the bank stays too, it has questions of both kinds.
SAME_QUESTIONS = """import random
from halfbits.widgets import MockInterview
MockInterview(random.Random(1))
"""


def progress_of(lab):
    return json.loads((lab.folder.parent / "home" / "progress" / "progress.json").read_text())


def test_an_interview_from_level_to_summary_with_the_keyboard_alone(context, lab):
    notebook = Notebook.open(context, lab.address(LESSON))
    notebook.write("MockInterview()", SAME_QUESTIONS)
    notebook.run("MockInterview(random")
    page, keys = notebook.page, notebook.page.keyboard
    widget = page.locator(".mock-interview").first
    notebook.shoot("mock_interview_start")
    widget.get_by_role("radio", name="screening").focus()
    keys.press("ArrowRight")  # on-site
    keys.press("Tab")  # 15 minutes
    keys.press("Tab")
    keys.press("Tab")
    keys.press("Enter")  # Begin
    for place in range(1, 6):
        widget.get_by_text(f"Question {place} of 5").wait_for()
        keys.type("It rounds 2^3")
        if place == 1:
            notebook.shoot("mock_interview_question")
        keys.press("Control+Enter")
        if widget.locator("input.mi-box").count():  # for a number, which these words are not
            widget.locator(".mi-saved", has_text="is no number").wait_for()
            keys.press("Control+A")
            keys.type("8")
            keys.press("Control+Enter")
        widget.get_by_text("You said").wait_for()
        for box in widget.get_by_role("checkbox").all()[:2]:
            box.press("Space")
        if place == 1:
            notebook.shoot("mock_interview_rubric")
        widget.get_by_role("button", name="Next question" if place < 5 else "Go on").press("Enter")
    widget.get_by_text("How it went").wait_for()
    notebook.shoot("mock_interview_summary")
    interviews = progress_of(lab)["interviews"]
    (entry,) = interviews.values()
    assert entry["level"] == "on-site"
    assert entry["ended"]
    assert all(answer["text"] for answer in entry["answers"].values())
    link = widget.locator(".mi-study a").first
    heading = link.inner_text()
    with context.expect_page() as opened:
        link.press("Enter")
    lesson = Notebook(opened.value)
    lesson.page.locator(f"#jp-main-dock-panel .lm-TabBar-tabLabel:has-text('{heading[7:9]}_')").wait_for()
    assert notebook.troubles() == []


def test_what_was_typed_outlives_tab_and_kernel(context, lab):
    notebook = Notebook.open(context, lab.address(LESSON))
    notebook.run("MockInterview()")
    widget = notebook.page.locator(".mock-interview").first
    widget.get_by_role("button", name="Begin").click()
    widget.locator(".mi-box").type("the first words of an ans")
    widget.get_by_text("Saved at").wait_for()
    shown = widget.locator(".mi-question").inner_text()
    notebook.page.close()

    notebook = Notebook.open(context, lab.address(LESSON))
    notebook.restart()
    notebook.run("MockInterview()")
    widget = notebook.page.locator(".mock-interview").first
    widget.get_by_role("button", name="Go on with it").click()
    box = widget.locator(".mi-box")
    box.wait_for()
    assert box.input_value() == "the first words of an ans"
    assert widget.locator(".mi-question").inner_text() == shown


def test_a_review_with_the_keyboard(context, lab):
    notebook = Notebook.open(context, lab.address(LESSON))
    cell = notebook.run("review()")
    page = notebook.page
    cell.get_by_role("button", name="Show the answer").focus()
    page.keyboard.press("Enter")
    cell.get_by_role("button", name="Easy").wait_for()
    cell.scroll_into_view_if_needed()
    notebook.shoot("review")
    cell.get_by_role("button", name="Easy").press("Enter")
    cell.get_by_text("9 to go").wait_for()
    assert len(progress_of(lab)["cards"]) == 1
    assert notebook.troubles() == []


@pytest.fixture
def open_page(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("HALFBITS_HOME", str(tmp_path))
    yield from watched(browser, tmp_path / "none.html", height=1200)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page_name", ["start", "question", "rubric", "summary"])
def test_it_can_be_read_and_fits_a_narrow_window(open_page, tmp_path, monkeypatch, page_name, scheme):
    monkeypatch.setattr(module.interview, "choose", lambda *_: [EXPLAIN])
    widget = MockInterview(random.Random(0))
    acts = {
        "question": [{"act": "begin", "level": "senior", "minutes": 15, "code": False}],
        "rubric": [{"act": "turn", "question": EXPLAIN.id, "text": "words", "seconds": 3}],
        "summary": [{"act": "done", "question": EXPLAIN.id}],
    }
    for name, steps in acts.items():
        if widget.view["page"] == page_name:
            break
        for step in steps:
            widget.said = {**step, "count": name}
    assert widget.view["page"] == page_name
    page = open_page(width=420, path=widget_page(widget, tmp_path), color_scheme=scheme)
    assert page.evaluate(LOW_CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_tick_and_a_second_press_are_told(open_page, tmp_path, monkeypatch):
    monkeypatch.setattr(module.interview, "choose", lambda *_: [EXPLAIN])
    widget = MockInterview(random.Random(0))
    widget.said = {"act": "begin", "level": "on-site", "minutes": 15, "code": False, "count": "1"}
    widget.said = {"act": "turn", "question": EXPLAIN.id, "text": "", "seconds": 3, "count": "2"}
    page = open_page(path=widget_page(widget, tmp_path))
    page.get_by_label(EXPLAIN.rubric.good[0].replace("`", "")).check()
    assert page.evaluate("model.get('said').ticked") == [EXPLAIN.rubric.good[0]]
    page.get_by_role("button", name="End the interview").click()
    assert page.evaluate("model.get('said').act") == "tick", "one press alone does not end it"
    page.get_by_role("button", name="End it now?").click()
    assert page.evaluate("model.get('said').act") == "finish"


def test_that_nobody_listens_is_said(open_page, tmp_path):
    page = open_page(path=widget_page(MockInterview(random.Random(0)), tmp_path))
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("Nobody answers, so this was not kept").wait_for(timeout=20_000)
