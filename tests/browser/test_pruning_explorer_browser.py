"""The PruningExplorer widget in a real browser, on a page that stands in for anywidget's model; Python answers."""

import numpy as np
import pytest

from halfbits.widgets.pruning_explorer import PruningExplorer
from tests.browser.pages import LOW_CONTRAST, watched, widget_page

pytestmark = pytest.mark.browser

SETTING = ("structure", "sparsity", "layer", "by_hand")


@pytest.fixture
def widget():
    rng = np.random.default_rng(0)
    shapes = {"hidden_1": (64, 24), "hidden_2": (24, 16), "logits": (16, 10)}
    layers = {name: (rng.normal(0, 0.2, shape), rng.normal(0, 0.1, shape[1])) for name, shape in shapes.items()}
    return PruningExplorer(layers, lambda layers: float(np.mean([np.mean(k != 0) for k, _ in layers.values()])))


@pytest.fixture
def open_page(browser, widget, tmp_path):
    """Pages with the widget, which Python answers unless they are opened with `answers=False`."""
    opened = watched(browser, widget_page(widget, tmp_path), height=900)

    def answer(state):
        widget.set_state({name: state[name] for name in SETTING})
        return {"kernel": widget.kernel, "outcome": widget.outcome}

    open_one = next(opened)

    def open_page(width=1000, answers=True, **options):
        page = open_one(width, **options)
        if answers:
            page.expose_function("kernel", answer)
        return page

    yield open_page
    next(opened, None)


@pytest.fixture
def page(open_page):
    return open_page()


def shown(page):
    """The cells of the table: for each row the layer's and the model's."""
    rows = page.locator(".hb-table tbody tr")
    texts = rows.evaluate_all(
        "rows => rows.map((row) => [row.dataset.row, ...[...row.cells].map((c) => c.textContent)])"
    )
    return {key: (layer, model) for key, _, layer, model, _ in texts}


def settled(page):
    """Waits for Python's answer."""
    same = " && ".join(
        f"JSON.stringify(model.get('{n}')) === JSON.stringify(model.get('outcome').setting.{n})" for n in SETTING
    )
    page.wait_for_function(same)


def agrees(page, widget):
    settled(page)
    cells = shown(page)
    for column, found in enumerate((widget.result(widget.layer), widget.result())):
        expected = {
            "zeros": f"{found.zeros:,} of {found.weights:,}",
            "sparsity": f"{100 * found.sparsity:.2f} %",
            "magnitude": f"{100 * found.magnitude:.1f} %",
            **{form: f"{count:,}" for form, count in found.bytes.items()},
        }
        assert {key: cells[key][column] for key in expected} == expected
    assert cells["accuracy"][1] == f"{100 * widget.accuracy():.1f} %"
    return True


def painted(page, theme="light"):
    """Where the heat map has colour: (inputs, units)."""
    script = """theme => {
      const canvas = document.querySelector(`.pe-map .pe-${theme}`);
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
      copy.drawImage(canvas, 0, 0);
      const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
      return [canvas.height, canvas.width, [...data].filter((_, i) => i % 4 === 3).map((opacity) => opacity > 0)];
    }"""
    height, width, colours = page.evaluate(script, theme)
    return np.reshape(colours, (height, width))


def radio(page, label):
    return page.get_by_role("radio", name=label, exact=True)


def neuron(page, index):
    return page.get_by_role("button", name=f"Prune neuron {index}", exact=True)


def test_the_keyboard_sets_everything_and_the_numbers_are_pythons(page, widget):
    assert agrees(page, widget)
    radio(page, "connections").focus()
    for name in ("neurons", "2:4", "global"):
        page.keyboard.press("ArrowRight")
        assert agrees(page, widget)
        assert widget.structure == name
    page.keyboard.press("Tab")  # to the layers
    page.keyboard.press("ArrowRight")
    assert agrees(page, widget)
    assert widget.layer == "hidden_2"
    page.keyboard.press("Tab")  # to the slider
    page.keyboard.press("End")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    assert agrees(page, widget)
    assert (widget.sparsity, widget.structure) == (95, "global")
    slider = page.get_by_role("slider", name="Sparsity")
    assert slider.get_attribute("aria-valuetext") == "95 % of the connections, all layers ranked together"


def test_the_heat_map_shows_what_is_kept(page, widget):
    for structure in ("connections", "neurons", "2:4", "global"):
        radio(page, structure).check()
        settled(page)
        for name in ("hidden_1", "hidden_2", "logits"):
            radio(page, name).check()
            settled(page)
            assert np.array_equal(painted(page), widget.masks()[name])
            assert np.array_equal(painted(page, "dark"), widget.masks()[name])


def test_two_of_four_leaves_nothing_to_set(page):
    slider = page.get_by_role("slider", name="Sparsity")
    slider.fill("80")
    radio(page, "2:4").check()
    assert slider.is_disabled()
    assert slider.input_value() == "50"
    radio(page, "global").check()
    assert slider.is_enabled()
    assert slider.input_value() == "80"


def test_a_click_prunes_a_neuron_and_another_brings_it_back(page, widget):
    neuron(page, 5).click()
    assert agrees(page, widget)
    assert widget.by_hand == {"hidden_1": {"5": False}}
    assert neuron(page, 5).get_attribute("aria-pressed") == "true"
    assert not painted(page)[:, 5].any()
    neuron(page, 5).click()
    assert agrees(page, widget)
    assert widget.by_hand == {}
    assert painted(page)[:, 5].any()


def test_the_keyboard_prunes_neurons_too(page, widget):
    radio(page, "neurons").check()
    settled(page)
    page.get_by_role("slider", name="Sparsity").focus()
    page.keyboard.press("Tab")  # past "Undo clicks", which is disabled, to the first neuron
    assert page.evaluate("document.activeElement.ariaLabel") == "Prune neuron 0"
    page.keyboard.press("ArrowLeft")  # nowhere
    for key, at in (("ArrowRight", 1), ("PageDown", 11), ("End", 23), ("ArrowRight", 23), ("PageUp", 13), ("Home", 0)):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.ariaLabel") == f"Prune neuron {at}"
    before = widget.kept_neurons()["hidden_1"].copy()
    for key, index in (("Enter", 0), ("Space", 1)):
        assert f"Neuron {index}: {'kept' if before[index] else 'pruned'}." in page.locator(".pe-words").inner_text()
        page.keyboard.press(key)
        assert agrees(page, widget)
        assert widget.kept_neurons()["hidden_1"][index] != before[index]
        assert "by hand" in page.locator(".pe-words").inner_text()
        page.keyboard.press("ArrowRight")
    assert page.locator(".pe-neuron[tabindex='0']").count() == 1
    page.get_by_role("button", name="Undo clicks").click()
    assert agrees(page, widget)
    assert np.array_equal(widget.kept_neurons()["hidden_1"], before)
    assert page.get_by_role("button", name="Undo clicks").is_disabled()


def test_outputs_are_not_pruned(page):
    radio(page, "logits").check()
    settled(page)
    assert page.locator(".pe-neuron").count() == page.locator(".pe-neuron:disabled").count() == 10
    assert "outputs of the network cannot be pruned" in page.locator(".pe-words").inner_text()


def test_python_moves_the_controls(page, widget):
    page.evaluate("model.set('sparsity', 35); model.set('structure', 'global')")
    assert page.get_by_role("slider", name="Sparsity").input_value() == "35"
    assert radio(page, "global").is_checked()


def test_it_says_when_nobody_answers(open_page):
    page = open_page(answers=False)
    note = page.locator(".pe-note")
    assert note.inner_text() == ""
    before = shown(page)
    page.get_by_role("slider", name="Sparsity").fill("90")
    page.wait_for_function("document.querySelector('.pe-note').textContent.startsWith('Python does not answer')")
    assert "50 % of the connections" in note.inner_text()
    assert shown(page) == before
    page.get_by_role("slider", name="Sparsity").fill("50")
    assert note.inner_text() == ""


def test_nothing_jumps(page):
    tops = "[...document.querySelectorAll('.hb-panel')].map((panel) => panel.getBoundingClientRect().top)"
    before = page.evaluate(tops)
    for label in ("neurons", "2:4", "global", "hidden_2", "logits"):
        radio(page, label).check()
        settled(page)
        assert page.evaluate(tops) == before


def test_a_screen_reader_hears_the_result(page, widget):
    page.get_by_role("slider", name="Sparsity").focus()
    page.keyboard.press("ArrowRight")
    settled(page)
    said = f"51 % of the connections, in each layer: {widget.result().zeros:,} of 2,080 weights are 0"
    page.wait_for_function(f"document.querySelector('[role=status]').textContent.startsWith('{said}')")
    assert page.get_by_role("group", name="Neurons of hidden_1").count() == 1
    assert page.get_by_role("group", name="Prune").count() == 1
    assert page.get_by_role("columnheader", name="all layers").count() == 1
    assert page.get_by_role("rowheader", name="magnitude kept, share of Σ|w|").count() == 1


def test_closing_lets_go(page):
    page.evaluate("window.dispose()")
    assert page.evaluate("[...listeners.values()].every((set) => set.size === 0)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast_and_the_picture_follows_the_theme(open_page, scheme):
    page = open_page(color_scheme=scheme)
    assert page.evaluate(LOW_CONTRAST) == []
    neuron(page, 3).click()
    neuron(page, 4).hover()
    settled(page)
    assert page.evaluate(LOW_CONTRAST) == []
    visible = (
        "[...document.querySelectorAll('.pe-map canvas')].filter((c) => c.checkVisibility()).map((c) => c.className)"
    )
    assert page.evaluate(visible) == [f"pe-picture pe-{scheme}"]
    for in_lab, name in (("true", "light"), ("false", "dark")):  # JupyterLab's theme goes before the system's
        page.evaluate(f"document.body.dataset.jpThemeLight = '{in_lab}'")
        assert page.evaluate(visible) == [f"pe-picture pe-{name}"]


@pytest.mark.parametrize("width", [600, 1000])
def test_nothing_sticks_out(open_page, width):
    page = open_page(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
