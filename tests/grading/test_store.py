"""Nothing of the learner's progress is lost, whatever happens to the file."""

import errno
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import filelock
import pytest

from halfbits.grading import CheckFailed, check, hint, hypothesis_settings, progress, reveal, store
from halfbits.grading.exercise import load_solutions, units
from halfbits.questions import cards, interview, load
from halfbits.widgets.mock_interview import MockInterview, plot_past
from tests.waiting import PATIENCE, wait_until

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
    progress()
    assert "is damaged" in capsys.readouterr().out
    assert store.path().read_bytes() == content
    hint(decode)
    assert "was damaged" in capsys.readouterr().out
    assert store.read()["decode"]["hints"] == 1
    (kept,) = home.glob("progress.damaged-*.json")
    assert kept.read_bytes() == content


def test_a_file_of_a_newer_version_is_left_alone(home, capsys):
    home.mkdir()
    newer = json.dumps({"version": 99, "exercises": {}, "more": 1})
    store.path().write_text(newer)
    for act in (
        lambda: check(decode),
        lambda: hint(decode),
        lambda: reveal(decode),
        progress,
        cards_shown,
        interviewed,
    ):
        act()
        assert "newer version" in capsys.readouterr().out
    assert store.path().read_text() == newer


def cards_shown():
    print(cards._Session(cards.due()).text.value)


def interviewed():
    widget = MockInterview()
    print(widget.saved)
    widget.said = {"act": "begin", "level": "screening", "minutes": 15, "code": False, "count": "1"}
    assert "newer version" in widget.saved
    plot_past()


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
    """A process that writes without end is killed at once, three times; the file is whole each time."""
    program = textwrap.dedent("""
        from halfbits.grading import store
        while True:
            store.update("decode", lambda entry: entry.update(attempts=entry.get("attempts", 0) + 1))
    """)

    def attempts():
        return store.read().get("decode", {}).get("attempts", 0)

    for _ in range(3):
        seen = attempts()
        process = subprocess.Popen([sys.executable, "-c", program])
        try:
            wait_until(lambda seen=seen: attempts() > seen, process)
        finally:
            process.kill()
            process.wait()
        assert json.loads(store.path().read_bytes())["exercises"]["decode"]["attempts"] > seen
    assert list(home.glob("progress.damaged-*")) == []


def test_two_notebooks_at_once_lose_nothing():
    program = textwrap.dedent("""
        import sys
        from halfbits.grading import store
        name, field, section = sys.argv[1:]
        store._LOCK_SECONDS = 300  # the lock is not fair, and a slow disk makes one wait long
        for _ in range(20):
            store.update(name, lambda entry: entry.update({field: entry.get(field, 0) + 1}), section)
    """)
    sections = [("decode", "attempts", "exercises"), ("decode", "hints", "exercises"), ("a", "seen", "notes")]
    processes = [subprocess.Popen([sys.executable, "-c", program, *s]) for s in sections]
    try:
        assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert store.read() == {"decode": {"attempts": 20, "hints": 20}}
    assert store.read("notes") == {"a": {"seen": 20}}


ODD = {
    "exercises": {
        "decode": {"attempts": "three"},
        "ulp": {"passed": "yesterday"},
        "format_limits": {"hints": None},
        "round_to_bfloat16": 5,
        "choose_format": {"attempts": 4, "passed": "2026-01-01T00:00:00+00:00"},
    },
    "cards": {"a": {"card": {}, "due": "soon", "begun": "x"}, "b": {}, "c": {"card": {}, "due": 3, "begun": 4}},
    "interviews": {
        "a": {"level": "senior"},
        "2026-01-01T00:00:00+00:00": {
            "level": "senior", "minutes": 15, "questions": ["q"], "code": None, "answers": {"q": 3}, "ended": None,
        },
    },
}  # fmt: skip


def test_entries_with_odd_values_are_named_left_out_and_kept(home, capsys):
    home.mkdir()
    content = json.dumps({"version": 1, **ODD})
    store.path().write_text(content)
    progress()
    plot_past()
    MockInterview()
    cards_shown()
    shown = capsys.readouterr().out
    assert "entries that cannot be read: decode, ulp, format_limits, round_to_bfloat16, a, b, c" in shown
    assert "passed, 4 attempts" in shown
    assert store.path().read_text() == content
    hint(decode)
    assert "goes on without them" in capsys.readouterr().out
    assert store.read().keys() == {"decode", "choose_format"}
    (kept,) = home.glob("progress.damaged-*.json")
    assert kept.read_text() == content
    assert store.problem() is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("due", None),
        ("state", 7),
        ("state", []),
        ("stability", "high"),
        ("difficulty", -1),
        ("step", "x"),
        ("card_id", 0.5),
    ],
)
def test_a_card_that_fsrs_could_not_read_is_left_out_and_begun_anew(home, field, value):
    question = load()[0]
    cards.rate(question, 3)
    data = json.loads(store.path().read_text())
    data["cards"][question.id]["card"][field] = value
    store.path().write_text(json.dumps(data))
    assert f"cannot be read: {question.id}" in store.problem()
    cards.rate(question, 3)
    assert store.problem() is None
    assert store.read("cards")[question.id]["card"]["state"] in (1, 2, 3)


def test_an_interview_whose_file_is_gone_says_so():
    widget = MockInterview()
    widget.said = {"act": "begin", "level": "screening", "minutes": 15, "code": False, "count": "1"}
    store.path().unlink()
    widget.said = {"act": "done", "question": widget.view["id"], "count": "2"}
    assert "no longer in your progress file" in widget.saved
    assert interview.past() == {}


def test_a_full_disk_is_said_and_loses_nothing(monkeypatch, home, capsys):
    store.update("decode", lambda entry: entry.update(attempts=1))
    before = store.path().read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    hint(decode)
    shown = capsys.readouterr().out
    assert "No space left on device" in shown
    assert "Free some space" in shown
    assert store.path().read_bytes() == before
    assert not list(home.glob(".progress-*"))


@pytest.fixture
def mounted(home):
    """The home on a file system of its own, of 64 KiB."""
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(home)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield home
    subprocess.run(["umount", "-l", str(home)], check=False)  # lazily: a file may be open in it still


def test_a_disk_that_is_really_full(mounted, capsys):
    store.update("decode", lambda entry: entry.update(attempts=1))
    before = store.path().read_bytes()
    with pytest.raises(OSError, match="No space"):
        (mounted / "ballast").write_bytes(bytes(2**20))
    hint(decode)
    assert "No space left on device" in capsys.readouterr().out
    assert store.path().read_bytes() == before
    assert not list(mounted.glob(".progress-*"))
    store.path().write_bytes(b"{")  # damaged and full: it stays where it is
    hint(decode)
    assert "No space left on device" in capsys.readouterr().out
    assert store.path().read_bytes() == b"{"


def test_a_folder_that_is_really_read_only(mounted, capsys):
    store.update("decode", lambda entry: entry.update(attempts=1))
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    hint(decode)
    assert "Read-only file system. What was saved before is unchanged." in capsys.readouterr().out
    progress()
    assert "not yet, 1 attempt" in capsys.readouterr().out


def test_a_read_only_file_stays_as_it_is(capsys):
    store.update("decode", lambda entry: entry.update(attempts=1))
    before = store.path().read_bytes()
    store.path().chmod(0o444)
    hint(decode)
    assert "progress.json is read-only" in capsys.readouterr().out
    assert store.path().read_bytes() == before


def test_permissions_and_links_are_kept(home, tmp_path):
    real = tmp_path / "dotfiles" / "mine.json"
    real.parent.mkdir()
    home.mkdir()
    (home / "progress.json").symlink_to(real)
    store.update("decode", lambda entry: entry.update(attempts=1))
    real.chmod(0o640)
    store.update("decode", lambda entry: entry.update(attempts=2))
    assert (home / "progress.json").is_symlink()
    assert json.loads(real.read_text())["exercises"] == {"decode": {"attempts": 2}}
    assert real.stat().st_mode & 0o777 == 0o640


def test_what_a_killed_process_left_does_not_block_or_pile_up(home):
    home.mkdir()
    (home / "progress.lock").touch()
    (home / ".progress-abc").write_text("half a fi")
    store.update("decode", lambda entry: entry.update(attempts=1))
    assert not list(home.glob(".progress-*"))


@pytest.mark.parametrize("problem", [OSError(errno.ENOLCK, "No locks available"), NotImplementedError()])
def test_a_file_system_without_locks_saves_all_the_same(monkeypatch, problem):
    def refuse(_):
        raise problem

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    store.update("decode", lambda entry: entry.update(attempts=1))
    program = "import filelock, os, sys; filelock.SoftFileLock(sys.argv[1]).acquire(); os._exit(9)"
    leave = [sys.executable, "-c", program, store.path().with_suffix(".softlock")]
    subprocess.run(leave, check=False, timeout=PATIENCE)
    store.update("decode", lambda entry: entry.update(attempts=2))
    assert store.read() == {"decode": {"attempts": 2}}


def raises(*_, **__):
    raise RuntimeError("could not determine the home directory")


NO_HOME = pytest.mark.parametrize("folder", [raises, lambda *_, **__: "~/.local/share/halfbits"])


@NO_HOME
def test_without_a_home_folder_hypothesis_writes_to_a_temporary_one(monkeypatch, tmp_path, folder):
    monkeypatch.setattr("platformdirs.user_cache_dir", folder)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert Path(hypothesis_settings._folder()).parent == tmp_path


@NO_HOME
def test_no_home_folder_is_said(monkeypatch, capsys, folder):
    monkeypatch.delenv("HALFBITS_HOME")
    monkeypatch.setattr("platformdirs.user_data_dir", folder)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without one
    for act in (lambda: hint(decode), progress):
        act()
        assert "no home folder. Set HALFBITS_HOME" in capsys.readouterr().out
