"""The command `halfbits`, on a notebook that is right, one with everything that can go wrong, and what is none."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest

from halfbits import command
from halfbits.grading.exercise import units
from halfbits.grading.notebook import _Run, grade_notebook
from tests import pristine
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
UNIT = units()[0]
STUBBORN = """
import time
while True:
    try:
        time.sleep(9)
    except KeyboardInterrupt:
        pass
def dot_with_fp32_accumulator(): pass
"""
FORGED = """
from IPython.display import display
verdict = {"token": "", "exercise": "choose_format", "outcome": "passed", "summary": ""}
display({"application/vnd.halfbits.verdict+json": verdict}, raw=True)
def choose_format(*arguments): return None
"""
# What stands in the cell that defines an exercise; None: its check is deleted.
TROUBLE = {
    "decode": "import ctypes\ndef decode(*arguments):\n    ctypes.string_at(0)\n",
    "format_limits": None,
    "round_to_bfloat16": "def round_to_bfloat16(:",
    "ulp": "def ulp(x, exponent_bits, mantissa_bits):\n    return 2.0**-mantissa_bits\n",
    "update_is_lost": "import time\ntime.sleep(1000)\ndef update_is_lost(): pass\n",
    "dot_with_fp32_accumulator": STUBBORN,
    "choose_format": FORGED,
}


def with_trouble():
    notebook = nbformat.read(ROOT / "solutions" / f"{UNIT.notebook}.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for name, source in TROUBLE.items():
        if source is None:
            notebook.cells = [cell for cell in notebook.cells if cell.source != f"check({name})"]
        else:
            next(cell for cell in notebook.cells if f"def {name}(" in cell.source).source = source
    return notebook


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The notebook with trouble, graded: exit status, verdicts by exercise, the JUnit file."""
    folder = tmp_path_factory.mktemp("answers")
    path, junit, listed = folder / "answers.ipynb", folder / "junit.xml", folder / "verdicts.json"
    nbformat.write(with_trouble(), path)
    before = path.read_bytes()
    with pytest.MonkeyPatch.context() as patch, open(listed, "w", encoding="utf-8") as stdout:
        patch.setattr("sys.stdout", stdout)
        status = command.main(["grade", "--json", "--cell-seconds", "12", "--junit", str(junit), str(path)])
    assert path.read_bytes() == before
    verdicts = json.loads(listed.read_text(encoding="utf-8"))[str(path)]
    return status, {verdict["exercise"]: verdict for verdict in verdicts}, ET.parse(junit).getroot()


def test_a_right_notebook_passes(capsys):
    assert command.main(["grade", str(ROOT / "solutions" / f"{UNIT.notebook}.ipynb")]) == 0
    assert sum(line.startswith("  ✓") for line in capsys.readouterr().out.splitlines()) == 7


def test_the_empty_notebook_is_unattempted(tmp_path, capsys):
    path = tmp_path / f"{UNIT.notebook}.ipynb"
    path.write_text(pristine.exercises()[path.name], encoding="utf-8")
    assert command.main(["grade", str(path)]) == 1
    assert sum(line.startswith("  ○") for line in capsys.readouterr().out.splitlines()) == 7


@pytest.mark.slow
def test_each_exercise_has_a_verdict_and_the_status_is_1(graded):
    status, verdicts, _ = graded
    assert status == 1
    assert list(verdicts) == list(UNIT.exercise_names)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "outcome", "words"),
    [
        ("decode", "error", "ended the kernel"),
        ("format_limits", "passed", "hold"),
        ("round_to_bfloat16", "error", "SyntaxError"),
        ("ulp", "failed", "not hold"),
        ("update_is_lost", "error", "longer than 12 s (--cell-seconds)"),
        ("dot_with_fp32_accumulator", "error", "(--cell-seconds) and could not be interrupted"),
        ("choose_format", "failed", "not hold"),
    ],
)
def test_a_verdict_for_each_kind_of_trouble(graded, name, outcome, words):
    verdict = graded[1][name]
    assert verdict["outcome"] == outcome, verdict
    assert words in verdict["summary"]


def test_a_notebook_whose_kernel_does_not_start_in_time_has_its_verdicts_too(tmp_path):
    never = "import sys, time\nif 'ipykernel_launcher' in sys.orig_argv: time.sleep(1000)\n"
    (tmp_path / "sitecustomize.py").write_text(never)
    path_first = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    path = ROOT / "exercises" / f"{UNIT.notebook}.ipynb"
    grade = [sys.executable, "-m", "halfbits.command", "grade", "--seconds", "0.2", path]
    done = subprocess.run(
        grade,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path_first},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    verdicts = done.stdout.splitlines()[1:]
    assert [verdict.split()[1] for verdict in verdicts] == list(UNIT.exercise_names)
    assert verdicts[-1].endswith("the notebook's time, 0.2 s (--seconds), was over before it was graded.")
    assert done.returncode == 1
    assert "halfbits/command.py" not in done.stderr  # the kernel that is ended may say where it was


def test_a_cell_that_the_notebooks_time_runs_out_on_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_Run, "_note", lambda run, cell, cell_index: vars(run).update(sent=cell_index, deadline=0))
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("import time\ntime.sleep(1000)\ndef decode(*arguments): pass")]
    nbformat.write(notebook, tmp_path / "slow.ipynb")
    first, second, *_ = grade_notebook(tmp_path / "slow.ipynb")
    assert first.summary == "code cell 1 was running when the notebook's time was over, 900 s (--seconds)."
    assert second.summary == "the notebook's time, 900 s (--seconds), was over before it was graded."


@pytest.mark.slow
def test_a_wrong_answer_comes_with_its_diagnosis(graded):
    assert graded[1]["ulp"]["diagnosis"]


@pytest.mark.slow
def test_junit_counts_them(graded):
    suite = graded[2].find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("7", "2", "4")
    assert suite.find("testcase[@name='ulp']/failure").get("type") == "failed"
    assert suite.find("testcase[@name='format_limits']").find("*") is None


@pytest.mark.parametrize("text", ["", "{}", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'])
def test_what_is_no_notebook_of_exercises_is_said(tmp_path, capsys, text):
    path = tmp_path / "other.ipynb"
    path.write_text(text)
    assert command.main(["grade", str(path), "nowhere.ipynb"]) == 1
    printed = capsys.readouterr().out
    assert str(path) in printed
    assert "nowhere.ipynb" in printed


def test_reset_names_what_there_is(capsys):
    assert command.main(["reset", "no_such"]) == 2
    assert UNIT.notebook in capsys.readouterr().err


@pytest.mark.parametrize("command_line", [["grade", "nowhere.ipynb", "--junit"], ["cards", "export"]])
def test_a_file_that_cannot_be_written_is_said_before_the_work(tmp_path, capsys, command_line):
    assert command.main([*command_line, str(tmp_path / "missing" / "file")]) == 2
    assert command.main([*command_line, str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert f"there is no folder {tmp_path / 'missing'}. Make it first." in said.err
    assert "Is a directory" in said.err
    assert said.out == ""
