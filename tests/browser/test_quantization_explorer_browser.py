"""The QuantizationExplorer widget in a real browser, on a page that stands in for anywidget's model."""

import numpy as np
import pytest

from halfbits.widgets.quantization_explorer import QuantizationExplorer
from tests.browser.pages import LOW_CONTRAST, watched, widget_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def widget():
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.2, (64, 16)) * rng.uniform(0.3, 1.5, 16)
    truth = kernel.copy()
    return QuantizationExplorer({"hidden_1": kernel}, lambda k: 1 / (1 + 4 * np.abs(k["hidden_1"] - truth).mean()))


@pytest.fixture
def open_page(browser, widget, tmp_path):
    yield from watched(browser, widget_page(widget, tmp_path), height=1100)


@pytest.fixture
def page(open_page):
    return open_page()


def shown(page):
    """The numbers of the table: SQNR in dB and accuracy in percent."""
    rows = page.locator(".hb-table tbody tr")
    cells = dict(rows.evaluate_all("rows => rows.map((row) => [row.dataset.row, row.cells[1].textContent])"))
    return float(cells["sqnr"].removesuffix(" dB")), float(cells["accuracy"].removesuffix(" %"))


def agrees(page, found):
    return shown(page) == (pytest.approx(found.sqnr, abs=0.051), pytest.approx(100 * found.accuracy, abs=0.051))


def test_the_keyboard_sets_everything_and_the_numbers_are_pythons(page, widget):
    assert agrees(page, widget.result())
    bits = page.get_by_role("slider", name="Bits")
    bits.focus()
    for at in range(7, 1, -1):
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("model.get('bits')") == at
        assert agrees(page, widget.result(bits=at))
    assert bits.get_attribute("aria-valuetext") == "2 bits"
    page.keyboard.press("Tab")  # to the range
    page.keyboard.press("Home")
    assert page.evaluate("model.get('clip')") == 10
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert agrees(page, widget.result(bits=2, clip=20))
    page.keyboard.press("Tab")  # to symmetric, the button that is on
    page.keyboard.press("ArrowRight")
    assert page.evaluate("model.get('symmetric')") is False
    assert agrees(page, widget.result(bits=2, clip=20, symmetric=False))
    page.keyboard.press("Tab")  # to per tensor
    page.keyboard.press("ArrowRight")
    assert page.evaluate("model.get('per_channel')") is True
    assert agrees(page, widget.result(bits=2, clip=20, symmetric=False, per_channel=True))


def test_the_grid_has_a_line_for_each_level(page):
    lines = "document.querySelector('.qe-level').getAttribute('d').split('M').length - 1"
    assert page.evaluate(lines) == 255
    page.evaluate("model.set('bits', 3)")
    assert page.evaluate(lines) == 7
    page.evaluate("model.set('symmetric', false)")
    assert page.evaluate(lines) == 8


def test_what_is_clipped_is_named(page):
    assert page.locator(".qe-outside").count() == 0
    page.evaluate("model.set('clip', 50)")
    assert page.locator(".qe-outside").all_text_contents() == ["clipped", "clipped"]


def test_the_channel_can_be_chosen_where_there_is_one_grid_each(page):
    assert page.get_by_role("slider", name="Channel").count() == 0
    page.get_by_label("per channel").check()
    channel = page.get_by_role("slider", name="Channel")
    channel.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("model.get('channel')") == 1
    assert "channel 1 of hidden_1" in page.locator(".hb-name").first.inner_text()
    assert "64 weights" in page.locator(".hb-help").first.inner_text()
    assert page.locator(".qe-band").count() == page.locator(".qe-arm").count() == 16


def test_python_moves_the_controls(page):
    page.evaluate("model.set('clip', 35); model.set('bits', 5); model.set('per_channel', true)")
    assert page.get_by_role("slider", name="Range").input_value() == "35"
    assert page.get_by_role("slider", name="Bits").input_value() == "5"
    assert page.get_by_label("per channel").is_checked()


def test_a_screen_reader_hears_the_result(page):
    page.get_by_role("slider", name="Bits").focus()
    page.keyboard.press("ArrowLeft")
    said = "7 bits, symmetric, per tensor, 100 % of the range: rounding error"
    page.wait_for_function(f"document.querySelector('[role=status]').textContent.startsWith('{said}')")
    assert page.get_by_role("img", name="Histogram of hidden_1").count() == 1
    assert page.get_by_role("img", name="Accuracy against the share of the range: at most").count() == 1
    assert page.get_by_role("group", name="Grid").count() == 1
    assert page.get_by_role("rowheader", name="SQNR of the layer").count() == 1


def test_closing_lets_go(page):
    page.evaluate("window.dispose()")
    assert page.evaluate("[...listeners.values()].every((set) => set.size === 0)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(open_page, scheme):
    page = open_page(color_scheme=scheme)
    assert page.evaluate(LOW_CONTRAST) == []
    page.evaluate("model.set('clip', 40); model.set('per_channel', true)")
    assert page.evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize("width", [600, 1000])
def test_nothing_sticks_out(open_page, width):
    page = open_page(width)
    page.get_by_label("per channel").check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
