"""The course in a real JupyterLab in a real browser, as a learner goes through it."""

import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import nbformat
import pytest

from tests.browser.conftest import MAKE_LAB, ROOT, Lab, window
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

TRUNCATES = """def round_to_bfloat16(x):
    return (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
"""
ROUNDS = """def round_to_bfloat16(x):
    bits = x.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return np.where(np.isnan(x), x, rounded.astype(np.uint32).view(np.float32))
"""


class Notebook:
    """A notebook open in JupyterLab, driven as a person drives it: clicks and keys.

    Args:
        page: the browser's, on its way to the notebook. A server that stops in the middle of that may hang.
    """

    def __init__(self, page):
        self.page = page
        self._idle()

    @classmethod
    def open(cls, context, address: str):
        page = context.new_page()
        page.goto(address)
        return cls(page)

    def cell(self, text: str):
        return self.page.locator(".jp-Notebook .jp-CodeCell", has=self.page.locator(f".cm-content:has-text('{text}')"))

    def run(self, text: str):
        """Run the first cell that holds this text, wait for its end, and return it."""
        cell = self.cell(text).first
        cell.locator(".cm-content").click()
        with self._running(cell):
            self.page.keyboard.press("Shift+Enter")
        return cell

    def write(self, text: str, source: str) -> None:
        """Replace the source of the first cell that holds this text."""
        self.cell(text).first.locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)

    def menu(self, *names: str) -> None:
        self.page.locator(f".lm-MenuBar-itemLabel:text-is('{names[0]}')").click()
        for name in names[1:]:
            self.page.locator(f".lm-Menu-itemLabel:text-is('{name}')").click()

    def run_all(self) -> None:
        with self._running(self.page.locator(".jp-Notebook .jp-CodeCell")):
            self.menu("Run", "Run All Cells")

    @contextlib.contextmanager
    def _running(self, cells):
        """Wait for the end of what is started here; the cells may have numbers of an earlier run, which go first."""
        prompts = cells.locator(".jp-InputPrompt")
        prompts.evaluate_all("prompts => prompts.forEach((prompt) => (prompt.textContent = ''))")
        yield
        for prompt in prompts.all():
            prompt.filter(has_text=re.compile(r"\[\d+\]")).wait_for(state="attached")
        self._idle()

    def restart(self) -> None:
        self.menu("Kernel", "Restart Kernel…")
        # Until the server has answered, "Idle" may be what the kernel was before.
        with self.page.expect_response(re.compile("/api/kernels/.*/restart")):
            self.page.locator(".jp-Dialog button:has-text('Restart')").click()
        self._idle()

    def _idle(self) -> None:
        # [data-status=idle] is there before the kernel is; the status bar's word is not.
        self.page.wait_for_function("document.querySelector('#jp-main-statusbar')?.innerText.includes('Idle')")

    def troubles(self) -> list[str]:
        """Tracebacks, and what was written to stderr."""
        kinds = ("application/vnd.jupyter.error", "application/vnd.jupyter.stderr")
        outputs = ", ".join(f".jp-OutputArea-output[data-mime-type='{kind}']" for kind in kinds)
        return self.page.locator(outputs).all_inner_texts()

    def shoot(self, name: str) -> None:
        """Keep a picture where the environment variable HALFBITS_SHOTS names a folder."""
        if folder := os.environ.get("HALFBITS_SHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_server_that_ends_as_it_starts_shows_its_log(tmp_path):
    starts = "import os, pathlib; folder = pathlib.Path(os.environ['JUPYTER_RUNTIME_DIR']); folder.mkdir()\n"
    starts += "(folder / 'jpserver-1.json').write_text('{'); print('the port is taken')"
    lab = Lab(tmp_path, tmp_path / "home", [sys.executable, "-c", starts])
    with pytest.raises(AssertionError, match="the port is taken"):
        lab.address()
    lab.stop()


def test_make_lab_leads_to_the_start_page(browser, tmp_path):
    lab = Lab(ROOT, tmp_path / "home", MAKE_LAB)
    try:
        with window(browser) as context:
            notebook = Notebook.open(context, lab.address())
            assert "/lab/tree/notebooks/00_start_here.ipynb" in notebook.page.url
            assert notebook.page.locator(".jp-Notebook h1").first.inner_text().startswith("Half the Bits")
            notebook.shoot("start_page")
            assert notebook.page.locator(".Toastify__toast").count() == 0
    finally:
        lab.stop()


def test_a_server_that_does_not_stop_is_ended(tmp_path):
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    lab = Lab(tmp_path, tmp_path / "home", [sys.executable, "-c", deaf])
    lab.patience = 0.5
    try:
        wait_until(lambda: "deaf" in lab.log.read_text(), lab._process)
    finally:
        lab.stop()
    assert lab._process.poll() == -signal.SIGKILL


@pytest.mark.parametrize("name", ["00_start_here", "02_number_formats"])
def test_a_lesson_runs_from_top_to_bottom(context, lab, name):
    notebook = Notebook.open(context, lab.address(f"notebooks/{name}.ipynb"))
    notebook.run_all()
    assert notebook.troubles() == []
    notebook.shoot(name)


def test_a_flipped_bit_reaches_the_kernel(context, lab):
    notebook = Notebook.open(context, lab.address("notebooks/02_number_formats.ipynb"))
    notebook.run_all()
    widget = notebook.page.locator(".bit-layout").first
    widget.locator("[data-format='fp16'] [data-bit='15']").click()
    assert "-0.0999755859375" in notebook.run("explorer.value").inner_text()
    widget.scroll_into_view_if_needed()
    notebook.shoot("widget")


KEYS = {
    "BitLayout": ("BitLayout(1.0)", "[data-format='fp16'] [data-bit='15']", "Enter", "value", "-1.0"),
    "LossScaleExplorer": (
        "LossScaleExplorer(np.exp2(np.arange(-30.0, -10.0)).astype('float32'))",
        "input[type=range]",
        "ArrowRight",
        "scale",
        "2.0",
    ),
    "PruningExplorer": (
        "PruningExplorer({'a': (np.eye(4), np.zeros(4)), 'b': (np.eye(4), np.zeros(4))}, lambda layers: 1.0)",
        "[aria-label='Prune neuron 2']",
        "Enter",
        "by_hand",
        "{'a': {'2': False}}",
    ),
    "QuantizationExplorer": (
        "QuantizationExplorer({'kernel': np.eye(4, dtype='float32')}, lambda kernels: 1.0)",
        "input[type=range]",
        "ArrowLeft",
        "bits",
        "7",
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_pressed_in_a_widget_is_not_taken_by_jupyterlab(context, lab, name):
    made, target, key, trait, expected = KEYS[name]
    show = f"import numpy as np\nfrom halfbits.widgets import {name}\nwidget = {made}\nwidget"
    read = f"print(widget.{trait})"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (show, read)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, lab.folder / "keys.ipynb")
    notebook = Notebook.open(context, lab.address("keys.ipynb"))
    notebook.run_all()
    notebook.page.locator(f".jp-OutputArea-output {target}").first.press(key)
    assert expected in notebook.run(read).inner_text().splitlines()


def test_an_exercise_from_a_wrong_answer_to_progress_that_lasts(context, lab):
    notebook = Notebook.open(context, lab.address("exercises/01_number_formats.ipynb"))
    notebook.run("from halfbits.grading import")
    unattempted = notebook.run("check(round_to_bfloat16)")
    assert "NameError" in unattempted.inner_text()  # the cell that defines it has not been run

    notebook.run("def round_to_bfloat16")
    assert "not attempted yet" in notebook.run("check(round_to_bfloat16)").inner_text()

    notebook.write("def round_to_bfloat16", TRUNCATES)
    notebook.run("def round_to_bfloat16")
    failed = notebook.run("check(round_to_bfloat16)")
    assert "What went wrong" in failed.inner_text()
    assert "add before you cut" in failed.inner_text()
    assert "Traceback" not in failed.inner_text()
    failed.scroll_into_view_if_needed()
    notebook.shoot("exercise_failed")

    notebook.write("def round_to_bfloat16", ROUNDS)
    notebook.run("def round_to_bfloat16")
    passed = notebook.run("check(round_to_bfloat16)")
    assert "all 15 properties hold" in passed.inner_text()
    passed.scroll_into_view_if_needed()
    notebook.shoot("exercise_passed")

    notebook.restart()
    notebook.run("from halfbits.grading import")
    shown = notebook.run("progress()")
    assert "1 of 7 exercises passed" in shown.inner_text()
    assert "passed, 2 attempts" in shown.inner_text()
    shown.scroll_into_view_if_needed()
    notebook.shoot("progress")
