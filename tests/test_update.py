"""`halfbits update` on a real clone: the new version comes, and nothing that the learner wrote is lost."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from halfbits import command
from halfbits.update import NotUpdated, _Git, dated_copy, update
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
EXERCISE, LESSON = "exercises/01_unit.ipynb", "notebooks/01_unit.ipynb"
pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], check=True, capture_output=True, text=True)
    for name in listed.stdout.split():  # under a hook they would lead these tests to the caller's repository
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "gitconfig").write_text("[user]\nname = Lea\nemail = lea@example.org\n[init]\ndefaultBranch = main\n")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout


def write(file: Path, source: str, output: str = "") -> None:
    cell = nbformat.v4.new_code_cell(source, id="a")
    cell.outputs = [nbformat.v4.new_output("stream", text=output)] if output else []
    file.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), file)


def source(file: Path) -> str:
    return nbformat.read(file, as_version=4).cells[0].source


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a change")


@pytest.fixture
def origin(tmp_path):
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet")
    write(folder / EXERCISE, "the stub")
    write(folder / LESSON, "the lesson", "1")
    (folder / "README.md").write_text("read me\n")
    commit(folder)
    return folder


@pytest.fixture
def clone(origin, tmp_path):
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    return tmp_path / "clone"


def publish(origin: Path) -> None:
    """A new version, in which both notebooks changed."""
    write(origin / EXERCISE, "the better stub")
    write(origin / LESSON, "the better lesson", "1")
    commit(origin)


def copies(clone: Path) -> list[Path]:
    return sorted(clone.glob("*/01_unit.2*.ipynb"))


@pytest.mark.parametrize("committed", [False, True])
def test_an_edited_exercise_is_kept_beside_the_new_one(origin, clone, committed):
    write(clone / EXERCISE, "my answer", "my output")
    mine = (clone / EXERCISE).read_bytes()
    (clone / "notes.md").write_text("mine")
    if committed:
        commit(clone)
    publish(origin)
    refused = subprocess.run(
        ["git", "pull", "--no-rebase"], cwd=clone, capture_output=True, check=False, timeout=PATIENCE
    )
    assert refused.returncode  # or this command would not be needed
    if committed:
        git(clone, "merge", "--abort")
    said = update(clone)
    (copy,) = copies(clone)
    assert copy.read_bytes() == mine
    assert f"Yours is kept as {copy.relative_to(clone)}; copy your answers over" in said[1]
    assert source(clone / EXERCISE) == "the better stub"
    assert (clone / "notes.md").read_text() == "mine"
    assert update(clone) == ["The course is up to date."]
    if committed:
        assert git(clone, "show", f"HEAD^1~1:{EXERCISE}").encode() == mine


def test_a_lesson_that_was_only_run_is_renewed_without_a_copy(origin, clone):
    write(clone / LESSON, "the lesson", "other outputs")
    publish(origin)
    assert len(update(clone)) == 1
    assert source(clone / LESSON) == "the better lesson"
    assert copies(clone) == []


def test_what_upstream_did_not_change_stays_as_it_is(origin, clone):
    write(clone / EXERCISE, "my answer")
    git(clone, "add", EXERCISE)
    (origin / "README.md").write_text("read me now\n")
    commit(origin)
    assert len(update(clone)) == 1
    assert source(clone / EXERCISE) == "my answer"
    assert (clone / "README.md").read_text() == "read me now\n"


def test_files_in_the_way_of_new_ones_are_kept(origin, clone):
    write(clone / "exercises/02_unit.ipynb", "my own")
    write(origin / "exercises/02_unit.ipynb", "a new unit")
    commit(origin)
    update(clone)
    assert source(clone / "exercises/02_unit.ipynb") == "a new unit"
    (copy,) = clone.glob("exercises/02_unit.2*.ipynb")
    assert source(copy) == "my own"


def test_a_committed_answer_and_a_file_in_the_way_at_once(origin, clone):
    write(clone / EXERCISE, "my answer")
    commit(clone)
    write(clone / "exercises/02_unit.ipynb", "my own")
    write(origin / "exercises/02_unit.ipynb", "a new unit")
    publish(origin)
    assert len(update(clone)) == 3
    assert source(clone / "exercises/02_unit.ipynb") == "a new unit"


def test_an_edited_notebook_that_upstream_deleted_is_kept(origin, clone):
    write(clone / EXERCISE, "my answer")
    (origin / EXERCISE).unlink()
    commit(origin)
    update(clone)
    assert not (clone / EXERCISE).exists()
    assert source(copies(clone)[0]) == "my answer"


def test_a_damaged_notebook_is_kept(origin, clone):
    (clone / EXERCISE).write_text('{"cells": [')
    publish(origin)
    update(clone)
    assert copies(clone)[0].read_text() == '{"cells": ['


@pytest.mark.parametrize(
    ("committed", "step"),
    [(False, "checkout"), (False, "merge"), (True, "checkout"), (True, "commit"), (True, "merge")],
)
def test_a_kill_on_the_way_loses_nothing(origin, clone, committed, step):
    write(clone / EXERCISE, "my answer")
    if committed:
        commit(clone)
    publish(origin)
    program = f"""
import os, sys
from pathlib import Path
from halfbits import update
run = update._Git._run
update._Git._run = lambda self, *words: os._exit(9) if {step!r} in words else run(self, *words)
update.update(Path(sys.argv[1]))
"""
    killed = subprocess.run(
        [sys.executable, "-c", program, str(clone)], cwd=ROOT, env={**os.environ}, check=False, timeout=PATIENCE
    )
    assert killed.returncode == 9
    update(clone)
    assert source(clone / EXERCISE) == "the better stub"
    assert {source(copy) for copy in copies(clone)} == {"my answer"}


def test_what_cannot_be_joined_is_left_as_it_was(origin, clone):
    write(clone / EXERCISE, "my answer")
    publish(origin)
    (origin / "notes").mkdir()
    (origin / "notes" / "a").write_text("a folder")
    commit(origin)
    (clone / "notes").write_text("a file of mine")
    with pytest.raises(NotUpdated, match="your files are as they were"):
        update(clone)
    assert source(clone / EXERCISE) == "my answer"
    assert (clone / "notes").read_text() == "a file of mine"


def locked_at(step: str, clone: Path):
    """Git's commands, but that before one of them another Git, an editor's perhaps, takes the lock, and keeps it."""
    run = _Git._run

    def runs(self, *words):
        if step in words:
            (clone / ".git" / "index.lock").touch()
        return run(self, *words)

    return runs


@pytest.mark.parametrize("step", [EXERCISE, LESSON, "rm", "commit", "merge"])
def test_a_git_that_fails_on_the_way_leaves_every_file_as_it_was(origin, clone, monkeypatch, step):
    write(clone / EXERCISE, "my answer")
    commit(clone)
    (clone / LESSON).unlink()
    write(clone / "solutions/02_unit.ipynb", "my own")
    mine = {path: path.read_bytes() for path in clone.glob("*/*.ipynb")}
    write(origin / "solutions/02_unit.ipynb", "a new unit")
    publish(origin)
    with monkeypatch.context() as patch:
        patch.setattr(_Git, "_run", locked_at(step, clone))
        with pytest.raises(NotUpdated, match="your files are as they were") as refused:
            update(clone)
    assert {path: path.read_bytes() for path in mine} == mine
    assert not (clone / LESSON).exists()
    beside = set(clone.glob("*/*.2*.ipynb"))
    assert {source(copy) for copy in beside} == {"my answer", "my own"}
    assert all(copy.relative_to(clone).as_posix() in str(refused.value) for copy in beside)
    (clone / ".git" / "index.lock").unlink()
    if step == "merge":
        with pytest.raises(NotUpdated, match="is not finished"):
            update(clone)
        git(clone, "merge", "--abort")
        assert {path: path.read_bytes() for path in mine} == mine
    update(clone)
    assert source(clone / EXERCISE) == "the better stub"


def test_a_folder_in_a_files_place_is_not_touched(origin, clone):
    (clone / EXERCISE).unlink()
    (clone / EXERCISE).mkdir()
    (clone / EXERCISE / "mine").write_text("mine")
    publish(origin)
    with pytest.raises(NotUpdated, match=f"{EXERCISE} is a file in the course and a folder here"):
        update(clone)
    assert (clone / EXERCISE / "mine").read_text() == "mine"


def test_a_file_in_a_folders_place_is_not_touched(origin, clone):
    shutil.rmtree(clone / "exercises")
    (clone / "exercises").write_text("mine")
    publish(origin)
    with pytest.raises(NotUpdated, match="exercises is a folder in the course and a file here"):
        update(clone)
    assert (clone / "exercises").read_text() == "mine"


def test_a_caller_that_works_in_another_repository_does_not_lead_there(origin, clone, tmp_path, monkeypatch):
    """As a hook of another repository does, or `git rebase --exec`."""
    git(tmp_path, "clone", "--quiet", str(origin), "other")
    other = tmp_path / "other"
    before = git(other, "rev-parse", "HEAD", "@{upstream}")
    write(clone / EXERCISE, "my answer")
    publish(origin)
    for name, path in {"DIR": ".git", "WORK_TREE": ".", "INDEX_FILE": ".git/index"}.items():
        monkeypatch.setenv(f"GIT_{name}", str(other / path))
    assert len(update(clone)) == 2
    assert source(clone / EXERCISE) == "the better stub"
    for name in ("DIR", "WORK_TREE", "INDEX_FILE"):
        monkeypatch.delenv(f"GIT_{name}")
    assert git(other, "rev-parse", "HEAD", "@{upstream}") == before
    assert git(other, "status", "--porcelain") == ""


def test_a_history_written_anew_is_said(origin, clone):
    write(clone / EXERCISE, "my answer")
    git(origin, "switch", "--quiet", "--orphan", "anew")
    publish(origin)
    git(origin, "branch", "--quiet", "--force", "main")
    with pytest.raises(NotUpdated, match=r"nothing in common with yours\. Clone the course anew, beside this folder"):
        update(clone)
    assert source(clone / EXERCISE) == "my answer"


def test_why_there_is_no_update_is_said(origin, clone, tmp_path, monkeypatch, capsys):
    assert update(clone) == ["The course is up to date."]
    (tmp_path / "bare").mkdir()
    with pytest.raises(NotUpdated, match="no clone of the course"):
        update(tmp_path / "bare")
    (clone / ".git" / "MERGE_HEAD").touch()
    with pytest.raises(NotUpdated, match="is not finished"):
        update(clone)
    (clone / ".git" / "MERGE_HEAD").unlink()
    write(clone / EXERCISE, "my answer")
    origin.rename(tmp_path / "elsewhere")
    monkeypatch.setattr(command, "ROOT", clone)
    assert command.main(["update"]) == 2
    assert "could not be fetched, so nothing was changed" in capsys.readouterr().err
    assert source(clone / EXERCISE) == "my answer"
    git(clone, "switch", "--quiet", "--create", "mine")
    with pytest.raises(NotUpdated, match="git switch main"):
        update(clone)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotUpdated, match="git is not installed"):
        update(clone)


def test_copies_of_the_same_second_are_both_kept(tmp_path):
    file = tmp_path / "a.ipynb"
    copies = []
    for text in ("one", "two", "three"):
        file.write_text(text)
        copies.append(dated_copy(file))
    assert [copy.read_text() for copy in copies] == ["one", "two", "three"]
