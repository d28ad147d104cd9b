"""The LossScaleExplorer widget in a real browser, on a page that stands in for anywidget's model."""

import numpy as np
import pytest

from halfbits.widgets.loss_scale_explorer import LossScaleExplorer
from tests.browser.pages import LOW_CONTRAST, watched, widget_page

pytestmark = pytest.mark.browser


@pytest.fixture
def widget():
    rng = np.random.default_rng(0)
    gradients = np.exp2(rng.normal(-29, 3, 5000)).astype(np.float32)
    largest = np.exp2(rng.normal(-19.5, 1, 120))
    return LossScaleExplorer(gradients, max_gradients=largest, initial_scale=2.0**38, growth_interval=20)


@pytest.fixture
def open_page(browser, widget, tmp_path):
    yield from watched(browser, widget_page(widget, tmp_path), height=1200)


@pytest.fixture
def page(open_page):
    return open_page()


def shown(page, name):
    """The counts of a format's table, by fate."""
    rows = page.locator(f'[data-format="{name}"] tbody tr')
    cells = rows.evaluate_all("rows => rows.map((row) => [row.dataset.fate, row.cells[1].textContent])")
    return {fate: int(text.replace(",", "")) for fate, text in cells}


def test_the_keyboard_moves_the_scale_and_the_counts_are_pythons(page, widget):
    slider = page.get_by_role("slider", name="Loss scale")
    assert shown(page, "fp16") == widget.counts(1.0)["fp16"]
    slider.focus()
    for exponent in range(1, 16):
        page.keyboard.press("ArrowRight")
        assert page.evaluate("model.get('scale')") == 2.0**exponent
    assert slider.get_attribute("aria-valuetext") == "2 to the 15"
    for name in ("fp16", "bf16"):
        assert shown(page, name) == widget.counts(2.0**15)[name]
    page.keyboard.press("End")
    assert shown(page, "fp16") == widget.counts(2.0**40)["fp16"]
    assert shown(page, "fp16")["overflow"] > 0


def test_python_moves_the_slider(page, widget):
    page.evaluate("model.set('scale', 1024)")
    assert page.get_by_role("slider", name="Loss scale").input_value() == "10"
    assert shown(page, "fp16") == widget.counts(1024.0)["fp16"]
    page.evaluate("model.set('step', 3)")
    assert "Step 4 of 120" in page.locator(".ls-step-text").inner_text()


def test_the_replay_steps_as_python_does(page, widget):
    forward = page.get_by_role("button", name="Step ▸")
    for index in range(1, 8):
        forward.click()
        exponent, skipped, _ = widget.replayed[index]
        text = page.locator(".ls-step-text").inner_text()
        assert f"Step {index + 1} of 120" in text
        assert ("skipped" in text) == skipped
        assert page.evaluate("[model.get('step'), model.get('scale')]") == [index, 2.0**exponent]
        assert shown(page, "fp16") == widget.counts(2.0**exponent)["fp16"]
    page.get_by_role("button", name="◂ Step").click()
    assert page.evaluate("model.get('step')") == 6
    page.get_by_role("button", name="Start").click()
    assert page.evaluate("model.get('step')") == 0
    page.get_by_role("button", name="Next skip").click()
    assert "Overflow" in page.locator(".ls-step-text").inner_text()


def test_play_and_pause(page):
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("model.get('step') >= 3")
    page.get_by_role("button", name="Pause").click()
    at = page.evaluate("model.get('step')")
    page.wait_for_timeout(500)
    assert page.evaluate("model.get('step')") == at


def test_a_screen_reader_hears_the_result(page):
    page.get_by_role("slider", name="Loss scale").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('[role=status]').textContent.includes('Scale 2¹. fp16:')")
    assert page.get_by_role("img", name="Histogram of the scaled gradients. fp16:").count() == 1
    assert page.get_by_role("table").count() == 2
    assert page.get_by_role("rowheader", name="lost: becomes 0").count() == 2


def test_closing_lets_go(page):
    page.get_by_role("button", name="Play").click()
    page.evaluate("window.dispose()")
    at = page.evaluate("model.get('step')")
    page.wait_for_timeout(400)
    assert page.evaluate("model.get('step')") == at
    assert page.evaluate("[...listeners.values()].every((set) => set.size === 0)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(open_page, scheme):
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    assert page.evaluate(LOW_CONTRAST) == []
    page.get_by_role("button", name="Next skip").click()
    assert page.evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize("width", [600, 1000])
def test_nothing_sticks_out(open_page, width):
    page = open_page(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
