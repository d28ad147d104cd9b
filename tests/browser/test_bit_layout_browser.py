"""The BitLayout widget in a real browser: the static page, opened from disk."""

from pathlib import Path

import pytest

from tests.browser.pages import LOW_CONTRAST, watched

pytestmark = pytest.mark.browser

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bit-explorer.html"


@pytest.fixture
def open_page(browser):
    yield from watched(browser, PAGE, height=900)


@pytest.fixture
def page(open_page):
    return open_page()


def bit(page, name, index):
    return page.locator(f'[data-format="{name}"] [data-bit="{index}"]')


def shown(page, name, what="hex"):
    return page.locator(f'[data-format="{name}"] .bl-{what}').inner_text()


def type_value(page, text):
    page.fill(".bl-input", text)
    page.press(".bl-input", "Enter")


def test_a_click_flips_a_bit_and_everything_follows(page):
    assert shown(page, "fp16") == "0x2e66"
    bit(page, "fp16", 15).click()
    assert shown(page, "fp16") == "0xae66"
    assert shown(page, "fp16", "stored") == "−0.0999755859375"
    assert shown(page, "fp32", "stored") == "−0.0999755859375"
    assert shown(page, "bf16") == "0xbdcd"
    assert page.input_value(".bl-input") == "-0.0999755859375"
    assert "fp16 bit 15, sign, is now 1" in page.locator('.bit-layout [role="status"]').text_content()


def test_bits_are_labelled_toggle_buttons(page):
    button = page.get_by_role("button", name="fp16 bit 13, exponent, value 1")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert page.get_by_role("button", name="fp16 bit 13, exponent, value 0").get_attribute("aria-pressed") == "false"
    assert page.get_by_role("group", name="fp16 bits, sign bit first").count() == 1
    assert page.get_by_role("textbox", name="Value").count() == 1
    assert page.get_by_role("img", name="Number line around").count() == 1
    assert page.locator(".bl-grid").evaluate_all(
        "grids => grids.map((grid) => grid.querySelectorAll('[tabindex=\"0\"]').length)"
    ) == [1, 1, 1]


def test_the_keyboard_moves_and_flips(page):
    def focused():
        return page.evaluate(
            "[document.activeElement.closest('[data-format]').dataset.format, document.activeElement.dataset.bit]"
        )

    bit(page, "fp16", 15).focus()
    for key, expected in [
        ("ArrowLeft", ["fp16", "15"]),
        ("ArrowRight", ["fp16", "14"]),
        ("End", ["fp16", "0"]),
        ("ArrowRight", ["fp16", "0"]),
        ("ArrowDown", ["bf16", "0"]),
        ("ArrowDown", ["bf16", "0"]),
        ("Home", ["bf16", "15"]),
        ("ArrowUp", ["fp16", "15"]),
        ("ArrowUp", ["fp32", "31"]),
    ]:
        page.keyboard.press(key)
        assert focused() == expected, key
    page.keyboard.press("Space")
    assert shown(page, "fp32") == "0xbdcccccd"
    page.keyboard.press("Enter")
    assert shown(page, "fp32") == "0x3dcccccd"
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert focused() == ["fp32", "0"]


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("1e-8", "0x0000"),
        ("inf", "0x7c00"),
        ("-inf", "0xfc00"),
        ("nan", "0x7e00"),
        ("2^-24", "0x0001"),
        ("1+2⁻⁹", "0x3c02"),
    ],
)
def test_typing_a_value(page, text, bits):
    type_value(page, text)
    assert shown(page, "fp16") == bits
    assert page.locator(".bl-error").text_content() == ""


def test_a_typed_pattern_goes_to_the_selected_row(page):
    type_value(page, "0x3f800000")
    assert shown(page, "fp16", "stored") == "1"
    bit(page, "bf16", 15).focus()
    assert page.locator(".bl-target").input_value() == "bf16"
    assert page.locator(".bl-selected").get_attribute("data-format") == "bf16"
    type_value(page, "0x7f81")
    assert shown(page, "bf16") == "0x7f81"
    assert shown(page, "fp32") == "0x7f810000"
    assert shown(page, "bf16", "kind") == "nan"
    page.select_option(".bl-target", "fp16")
    type_value(page, "0x12345")
    assert page.locator(".bl-error").inner_text() == "0x12345 needs 17 bits; fp16 has 16."
    assert shown(page, "bf16") == "0x7f81"


def test_text_that_is_no_number_changes_nothing(page):
    type_value(page, "hello")
    assert "hello" in page.get_by_role("alert").inner_text()
    assert page.get_attribute(".bl-input", "aria-invalid") == "true"
    assert shown(page, "fp16") == "0x2e66"
    assert page.input_value(".bl-input") == "hello"
    type_value(page, "1")
    assert page.get_attribute(".bl-input", "aria-invalid") == "false"
    type_value(page, "<img src=x onerror=alert(1)>")
    assert page.locator(".bit-layout img").count() == 0


def test_presets_tell_their_story(page):
    stories = set()
    for button in page.locator(".bl-preset").all():
        button.click()
        stories.add(page.locator(".bl-story").inner_text())
    assert len(stories) == 9
    page.get_by_role("button", name="65520", exact=True).click()
    assert shown(page, "fp16", "kind") == "inf"
    assert "Overflow" in shown(page, "fp16", "remark")
    described = page.get_by_role("button", name="65520", exact=True).get_attribute("aria-describedby")
    assert "overflows to infinity" in page.locator(f"#{described}").text_content()
    page.hover('.bl-preset:has-text("2049")')
    assert page.locator(".bl-story").inner_text().startswith("From 2048 to 4096")
    bit(page, "fp16", 0).click()
    page.mouse.move(0, 0)
    assert page.locator(".bl-chosen").count() == 0


def test_neighbours_step_through_the_format(page):
    type_value(page, "65504")
    up, down = (page.locator(f'[data-format="fp16"] .bl-{way}') for way in ("up", "down"))
    assert (down.inner_text().strip(), up.inner_text().strip()) == ("65472", "∞")
    up.click()
    assert shown(page, "fp16", "stored") == "∞"
    assert up.is_disabled()
    down.click()
    down.click()
    assert shown(page, "fp16", "stored") == "65472"
    assert shown(page, "fp32", "stored") == "65472"


def test_number_line_zooms(page):
    def in_view(name):
        return page.locator(f'[data-lane="{name}"] text').text_content()

    page.get_by_role("button", name="Set").click()
    assert "8 numbers in view" in in_view("bf16")
    assert "524,288 numbers in view, too dense" in in_view("fp32")
    page.get_by_role("button", name="zoom in").click()
    assert "16 numbers in view" in in_view("fp16")
    page.get_by_role("button", name="zoom to fit").click()
    assert "64 numbers in view" in in_view("fp16")
    for way in ("out", "in"):
        button = page.get_by_role("button", name=f"zoom {way}")
        for _ in range(200):
            if button.is_disabled():
                break
            button.click()
        assert button.is_disabled()
        assert "NaN" not in page.locator(".bl-canvas").inner_html()
    type_value(page, "nan")
    assert "no place on the line" in page.locator(".bl-off-line").inner_text()


@pytest.mark.parametrize("width", [700, 1000])
@pytest.mark.parametrize("text", ["0.1", "65520", "-1e-8", "nan", "-1.7976931348623157e308", "5e-324"])
def test_nothing_overflows(open_page, width, text):
    page = open_page(width)
    for box in page.locator("#formats input").all():
        box.check()
    type_value(page, text)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # A 32-bit row stands in one line.
    tops = page.locator('[data-format="fp32"] .bl-bit').evaluate_all("bits => bits.map((b) => b.offsetTop)")
    assert len(set(tops)) == 1
    sticking_out = page.evaluate(
        """[...document.querySelectorAll(".bl-row, .bl-line, .bl-panel")].filter((box) =>
          [...box.querySelectorAll("*:not(.bl-hidden)")].some(
            (inner) => inner.getBoundingClientRect().right > box.getBoundingClientRect().right + 1)).length"""
    )
    assert sticking_out == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(open_page, scheme):
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 18, 18)"
    assert dark == (scheme == "dark")
    for text in ("0.1", "65520", "1e-6", "nan", "hello"):
        type_value(page, text)
        assert page.evaluate(LOW_CONTRAST) == []


def test_formats_can_be_chosen_and_rows_left_behind_are_let_go(page):
    type_value(page, "448")
    page.check('#formats input[value="fp8_e4m3"]')
    assert shown(page, "fp8_e4m3") == "0x7e"
    page.check('#formats input[value="fp64"]')
    assert shown(page, "fp64") == "0x407c000000000000"
    assert page.locator(".bit-layout").count() == 1
    bit(page, "fp64", 63).click()
    assert shown(page, "fp8_e4m3", "stored") == "−448"


def test_widgets_on_one_page_do_not_mix_and_views_of_one_model_agree(open_page, tmp_path):
    more = """
      rebuild();
      const names = ["fp16"];
      const shared = pageModel({ formats: names, value: "0x3ff0000000000000", bits: { fp16: "0x3c00" } });
      for (const id of ["second", "third"]) render({ model: shared, el: document.body.appendChild(h("div", { id })) });
    """
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("rebuild();\n</script>") == 1
    several = tmp_path / "several.html"
    several.write_text(text.replace("rebuild();\n</script>", f"{more}</script>"), encoding="utf-8")
    page = open_page(path=several)
    page.locator('#second [data-bit="15"]').click()
    assert page.locator("#third .bl-hex").inner_text() == "0xbc00"
    assert page.locator("#third .bl-input").input_value() == "-1"
    assert page.locator("#widget .bl-input").input_value() == "0.1"
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
