"""Nothing of the learner's progress is lost, whatever happens to the file."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from halfbits.grading import CheckFailed, check, hint, progress, reveal, store
from halfbits.grading.exercise import load_solutions, units

decode = load_solutions(units()[0])["decode"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HALFBITS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return tmp_path / "home"


def test_progress_is_kept(capsys):
    def wrong(bits, exponent_bits, mantissa_bits):
        return 0.0

    with pytest.raises(CheckFailed):
        check(wrong, "decode")
    first = store.read()["decode"]
    assert first.pop("at") <= store.now()
    assert first == {"attempts": 1, "last": "failed"}
    check(decode)
    hint(decode)
    hint("decode")
    reveal(decode)
    entry = store.read()["decode"]
    assert (entry["attempts"], entry["last"], entry["hints"]) == (2, "passed", 2)
    assert {"passed", "revealed"} <= entry.keys()
    capsys.readouterr()
    progress()
    shown = capsys.readouterr().out
    assert "1 of 7 exercises passed" in shown
    assert "passed, 2 attempts; 2 of 3 hints; solution seen" in shown


def test_a_later_failure_does_not_undo_a_pass(capsys):
    check(decode)
    with pytest.raises(CheckFailed):
        check(lambda *_: 0.0, "decode")
    assert "passed" in store.read()["decode"]


def test_hints_come_one_by_one_and_end(capsys):
    shown = []
    for _ in range(4):
        hint(decode)
        shown.append(capsys.readouterr().out)
    assert [text.count("Hint ") for text in shown] == [1, 2, 3, 3]
    assert "reveal(decode)" in shown[3]


def test_reveal_shows_a_solution_that_runs(capsys):
    reveal(decode)
    source = capsys.readouterr().out
    assert "###" not in source
    names = {"math": __import__("math")}
    exec(source, names)
    assert names["decode"](0x3C00, 5, 10) == 1.0


def test_an_unattempted_exercise_is_not_an_attempt(capsys):
    def stub(bits, exponent_bits, mantissa_bits):
        raise NotImplementedError

    with pytest.raises(CheckFailed):
        check(stub, "decode")
    assert store.read() == {}


def test_running_our_solutions_is_nobodys_progress(monkeypatch, capsys):
    monkeypatch.setenv("JPY_SESSION_NAME", "/course/solutions/01_number_formats.ipynb")
    check(decode)
    assert store.read() == {}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"version": 1}', b'{"version": 1, "exercises": [1]}']
)
def test_a_damaged_file_is_set_aside(home, content, capsys):
    home.mkdir()
    store.path().write_bytes(content)
    assert store.read() == {}
    check(decode)
    assert "was damaged" in capsys.readouterr().out
    assert store.read()["decode"]["last"] == "passed"
    (kept,) = home.glob("progress.damaged-*.json")
    assert kept.read_bytes() == content


def test_a_file_of_a_newer_version_is_left_alone(home, capsys):
    home.mkdir()
    newer = json.dumps({"version": 99, "exercises": {}, "more": 1})
    store.path().write_text(newer)
    check(decode)
    assert "newer version" in capsys.readouterr().out
    assert store.path().read_text() == newer


def test_a_folder_that_cannot_be_written_is_said(home, capsys):
    home.write_text("a file where the folder should be")
    check(decode)
    shown = capsys.readouterr().out
    assert "all 6 properties hold" in shown
    assert "could not be saved" in shown


def test_a_crash_in_mid_write_leaves_the_old_file(monkeypatch, home):
    store.update("decode", lambda entry: entry.update(attempts=1))

    def crash(*_):
        raise MemoryError

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(MemoryError):
        store.update("decode", lambda entry: entry.update(attempts=2))
    assert store.read() == {"decode": {"attempts": 1}}
    assert [file.name for file in home.iterdir() if file.name.startswith(".progress-")] == []


def test_a_kill_in_mid_write_leaves_a_whole_file(home):
    """A process that writes without end is killed at once, five times; the file is whole each time."""
    program = textwrap.dedent("""
        from halfbits.grading import store
        print("ready", flush=True)
        while True:
            store.update("decode", lambda entry: entry.update(attempts=entry.get("attempts", 0) + 1))
    """)
    seen = 0
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ})
        process.stdout.readline()
        while store.read().get("decode", {}).get("attempts", 0) <= seen:
            pass
        process.kill()
        process.wait()
        attempts = json.loads(store.path().read_bytes())["exercises"]["decode"]["attempts"]
        assert attempts > seen
        seen = attempts
    assert list(home.glob("progress.damaged-*")) == []


def test_two_notebooks_at_once_lose_nothing():
    program = textwrap.dedent("""
        from halfbits.grading import store
        for _ in range(50):
            store.update("decode", lambda entry: entry.update(attempts=entry.get("attempts", 0) + 1))
    """)
    processes = [subprocess.Popen([sys.executable, "-c", program], env={**os.environ}) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert store.read()["decode"]["attempts"] == 100
