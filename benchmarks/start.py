"""What a learner waits for at the start: from a clone to the first page, and from a kernel to its first cell.

    python benchmarks/start.py [--clone]

The first code cell of each exercise notebook, from its kernel's start to its end, and the imports alone, each in a
fresh process; medians of some rounds. With --clone instead: `git clone`, `make setup` and JupyterLab's first page in
headless Chromium, each once, in an empty folder.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from halfbits.measure import side_by_side

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
# Seconds: what is more, a person should look at.
BOUNDS = {"git clone": 10, "make setup": 300, "first page": 30, "light": 3, "heavy": 12}
IMPORTS = {
    "import halfbits, with its formats": "import halfbits.formats",
    "import tensorflow": "import tensorflow",
    "import keras and tensorflow, as the notebooks do": "import halfbits.quiet as q; q.import_tensorflow()",
    "import tensorflow_model_optimization": "import tensorflow_model_optimization",
}


def line(name: str, seconds: float, bound: float | None = None) -> None:
    """Print a figure, with the bound and whether it is kept."""
    kept = "" if bound is None else f"   bound {bound:3} s: {'kept' if seconds <= bound else 'OVER'}"
    print(f"{name:52} {seconds:7.1f} s{kept}", flush=True)


@contextlib.contextmanager
def timed(name: str):
    start = time.perf_counter()
    yield
    line(name, time.perf_counter() - start, BOUNDS[name])


def clone_to_first_page() -> None:
    """Print how long each step from nothing to a usable page takes."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS, Lab, find_chromium

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        course = Path(folder) / "course"
        with timed("git clone"):
            subprocess.run(["git", "clone", "--quiet", ROOT, course], check=True)
        with timed("make setup"):
            subprocess.run(["make", "setup"], cwd=course, check=True, capture_output=True)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        with timed("first page"):
            command = [str(course / ".venv/bin/jupyter"), "lab", "--no-browser", "--allow-root", "--port=0"]
            lab = Lab(course, Path(folder) / "home", command)
            try:
                page = browser.new_page()
                page.goto(lab.address("notebooks/00_start_here.ipynb"))
                page.wait_for_selector(".jp-MarkdownOutput h1", timeout=120_000)
            finally:
                lab.stop()
        browser.close()


def first_cell(path: Path):
    """A function that starts a kernel and runs a notebook's first code cell."""
    notebook = nbformat.read(path, as_version=4)
    first = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")

    def run():
        client = NotebookClient(nbformat.from_dict(notebook), resources={"metadata": {"path": str(path.parent)}})
        with client.setup_kernel():
            client.execute_cell(client.nb.cells[first], first)

    return run


def first_cells() -> None:
    """Print how long a kernel takes to its first result, by notebook, and what of it is imports."""
    notebooks = sorted((ROOT / "exercises").glob("[0-9][0-9]_*.ipynb"))
    runs = {path.stem: first_cell(path) for path in notebooks}
    runs |= {
        name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        for name, code in IMPORTS.items()
    }
    times = side_by_side(runs, ROUNDS)
    print(f"Kernel start to the end of the first cell, and imports in a fresh process (medians of {ROUNDS})\n")
    for path in notebooks:
        heavy = "import_tensorflow()" in path.read_text(encoding="utf-8")
        line(path.stem, times.median(path.stem), BOUNDS["heavy" if heavy else "light"])
    for name in IMPORTS:
        line(name, times.median(name))


if __name__ == "__main__":
    clone_to_first_page() if "--clone" in sys.argv[1:] else first_cells()
