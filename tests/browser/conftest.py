"""One Chromium for all browser tests, and a JupyterLab that serves a copy of the course."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import pristine

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
# The stamp is taken for new, lest a test make the environment anew; the server takes a free port.
MAKE_LAB = ["make", "-C", str(ROOT), f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.made", "lab"]
MAKE_LAB += ["PORT=0", "BROWSER=no", "OPTIONS=--allow-root"]
PATIENCE = 120_000  # ms; a busy machine takes long to start a kernel
_NO_BROWSER = "there is no Chromium: THE BROWSER TESTS WERE SKIPPED"


def find_chromium() -> str | None:
    """The Chromium to use, which $CHROMIUM may name."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def pytest_terminal_summary(terminalreporter):
    if any(_NO_BROWSER in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(f"!!! {_NO_BROWSER}", red=True, bold=True)


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = find_chromium()
    if path is None:
        pytest.skip(_NO_BROWSER)
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


class Lab:
    """A running JupyterLab with nothing of the developer's own: configuration, history, settings, progress.

    Args:
        folder: what it serves.
        home: an empty folder for everything it keeps.
        command: how to start it; by default the JupyterLab of this Python.
    """

    patience = 15  # seconds that the server has to stop by itself

    def __init__(self, folder: Path, home: Path, command: list[str] | None = None):
        settings = home / "settings" / "@jupyterlab" / "notebook-extension"
        settings.mkdir(parents=True)
        # Without this JupyterLab takes cells that are out of sight out of the page, where no test finds them.
        (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
        root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = command or [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--port=0", *root]
        environment = {
            **os.environ,
            "HALFBITS_HOME": str(home / "progress"),
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        }
        self.log = home / "log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self.folder = folder
        self._runtime = home / "runtime"

    def address(self, notebook: str | None = None) -> str:
        """The address, token included, of a notebook, or of the page that the server opens by itself."""
        deadline = time.monotonic() + 120
        while not (server := self._description()):
            assert time.monotonic() < deadline, self.log.read_text()
            assert self._process.poll() is None, self.log.read_text()
            time.sleep(0.2)
        assert server["token"], "JupyterLab runs without a token"
        assert server["hostname"] in ("localhost", "127.0.0.1"), "JupyterLab listens on more than loopback"
        path = f"lab/tree/{notebook}" if notebook else ""
        return f"{server['url']}{path}?token={server['token']}"

    def _description(self) -> dict | None:
        """What the server has written of itself; None as long as it has not, or not to the end."""
        for path in self._runtime.glob("jpserver-*.json"):
            with contextlib.suppress(ValueError):
                return json.loads(path.read_text())
        return None

    def stop(self) -> None:
        # One that is gone already has failed the test, and its log is to be the last word.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(self.patience)
        except subprocess.TimeoutExpired:
            # A server that is asked to stop while a notebook opens may wait for a worker thread for ever:
            # https://github.com/jupyterlab/jupyterlab/issues/10442. Its kernels end when it does.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture
def lab(tmp_path):
    course = tmp_path / "course"
    for folder in ("notebooks", "solutions"):
        shutil.copytree(ROOT / folder, course / folder)
    (course / "exercises").mkdir()
    for name, text in pristine.exercises().items():
        (course / "exercises" / name).write_text(text, encoding="utf-8")
    running = Lab(course, tmp_path / "home")
    yield running
    running.stop()


@contextlib.contextmanager
def window(browser):
    """Where pages of a JupyterLab are opened. It closes before the server stops, so that nothing asks it by then."""
    with browser.new_context(viewport={"width": 1280, "height": 1400}) as context:
        context.set_default_timeout(PATIENCE)
        yield context


@pytest.fixture
def context(browser, lab):
    with window(browser) as opened:
        yield opened
