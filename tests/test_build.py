"""The notebook build: what it makes, what it leaves alone, what it refuses."""

import json
import os
from pathlib import Path

import nbformat
import pytest

from tests.loading import load

ROOT = Path(__file__).resolve().parents[1]
build = load(ROOT / "tools" / "build.py")

LESSON = """# %% [markdown]
# # A lesson

# %%
print("one")
print("two")

# %% tags=["nbval-ignore-output"]
from ipywidgets import IntSlider

IntSlider()
"""
EXERCISE = '''# %% [markdown]
# Write it.

# %%
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %%
print(double(2))
'''


@pytest.fixture
def course(tmp_path, monkeypatch):
    for kind, text in (("lessons", LESSON), ("exercises", EXERCISE)):
        folder = tmp_path / "sources" / kind
        folder.mkdir(parents=True)
        (folder / "01_unit.py").write_text(text)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    return tmp_path


def made(course: Path) -> dict[str, bytes]:
    return {str(path.relative_to(course)): path.read_bytes() for path in sorted(course.rglob("*.ipynb"))}


def exercise_of(course: Path) -> build.Target:
    return next(target for target in build.targets(course) if not target.executed)


def read(path: Path):
    return nbformat.read(path, as_version=4)


def test_a_course_is_made(course):
    assert build.main([]) == 0
    assert sorted(made(course)) == ["exercises/01_unit.ipynb", "notebooks/01_unit.ipynb", "solutions/01_unit.ipynb"]
    exercise, solution = read(course / "exercises/01_unit.ipynb"), read(course / "solutions/01_unit.ipynb")
    nbformat.validate(exercise)
    assert exercise.cells[1].source == 'def double(x):\n    """Twice x."""\n    raise NotImplementedError'
    assert solution.cells[1].source == 'def double(x):\n    """Twice x."""\n    return 2 * x'
    assert exercise.cells[2].outputs == []
    assert solution.cells[2].outputs[0].text == "4\n"
    assert [cell.id for cell in exercise.cells] == [cell.id for cell in solution.cells]


@pytest.mark.slow
def test_building_twice_changes_no_byte_even_when_everything_is_made_anew(course):
    build.main([])
    first = made(course)
    build.main([])
    assert made(course) == first
    for path in course.rglob("*.ipynb"):
        path.unlink()
    build.main([])
    assert made(course) == first


def test_widgets_are_kept_with_stable_ids(course):
    build.main(["01_unit"])
    state = read(course / "notebooks/01_unit.ipynb").metadata["widgets"][build.WIDGET_STATE]["state"]
    assert all(len(model) == 32 and int(model, 16) < 100 for model in state)


def test_a_changed_source_is_noticed_and_made(course):
    build.main([])
    assert build.main(["--check"]) == 0
    source = course / "sources/lessons/01_unit.py"
    source.write_text(source.read_text().replace('"two"', '"three"'))
    assert build.main(["--check"]) == 1
    assert build.main([]) == 0
    assert read(course / "notebooks/01_unit.ipynb").cells[1].outputs[0].text == "one\nthree\n"


def test_a_changed_sentence_alone_keeps_the_outputs_and_a_changed_tag_does_not(course, monkeypatch):
    build.main([])
    before = read(course / "notebooks/01_unit.ipynb")
    source = course / "sources/lessons/01_unit.py"
    source.write_text(source.read_text().replace("A lesson", "A better lesson") + "\n# %% [markdown]\n# The end.\n")
    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("it was run"))
    assert build.main([]) == 0
    after = read(course / "notebooks/01_unit.ipynb")
    assert after.cells[0].source == "# A better lesson"
    assert after.cells[1:-1] == before.cells[1:]
    assert after.metadata["widgets"] == before.metadata["widgets"]
    assert build.main(["--check"]) == 0
    source.write_text(source.read_text().replace("nbval-ignore-output", "raises-exception"))
    with pytest.raises(pytest.fail.Exception, match="it was run"):
        build.main([])


def test_a_cell_changed_by_hand_is_noticed_and_the_command_is_named_that_undoes_it(course, capsys):
    build.main([])
    path = course / "solutions/01_unit.ipynb"
    path.write_text(path.read_text().replace("2 * x", "x + x"))
    (course / "notebooks/01_unit.ipynb").unlink()
    assert build.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert (
        "solutions/01_unit.ipynb: OUT OF DATE: run `.venv/bin/python tools/build.py --force solutions/01_unit.ipynb`"
        in said
    )
    assert "notebooks/01_unit.ipynb: OUT OF DATE: run `make build`" in said


def test_a_notebook_never_run_is_noticed(course):
    build.main([])
    path = course / "notebooks/01_unit.ipynb"
    notebook = read(path)
    notebook.cells[1].execution_count = None
    nbformat.write(notebook, path)
    assert build.main(["--check"]) == 1


def edit(path: Path) -> bytes:
    notebook = read(path)
    notebook.cells[1].source = "def double(x):\n    return x + x"
    nbformat.write(notebook, path)
    return path.read_bytes()


def test_a_learners_work_is_never_overwritten(course, capsys):
    build.main([])
    path = course / "exercises/01_unit.ipynb"
    mine = edit(path)
    assert build.main([]) == 0
    assert path.read_bytes() == mine
    source = course / "sources/exercises/01_unit.py"
    source.write_text(source.read_text().replace("Write it.", "Write it well."))
    assert build.main([]) == 1
    assert "REFUSED" in capsys.readouterr().out
    assert path.read_bytes() == mine


def test_what_jupyterlab_writes_into_an_exercise_stays(course):
    exercise = exercise_of(course)
    assert build.build(exercise, force=False) == "made"
    notebook = read(exercise.path)
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="mine")]
    nbformat.write(notebook, exercise.path)
    run = exercise.path.read_bytes()
    assert build.build(exercise, force=False) == "up to date"
    assert exercise.path.read_bytes() == run
    notebook.cells[1].metadata["collapsed"] = True
    nbformat.write(notebook, exercise.path)
    folded = exercise.path.read_bytes()
    assert "left alone" in build.build(exercise, force=False)
    assert exercise.path.read_bytes() == folded


def test_force_takes_the_outputs_out_of_an_exercise_that_was_only_run(course):
    exercise = exercise_of(course)
    build.build(exercise, force=False)
    fresh, notebook = exercise.path.read_bytes(), read(exercise.path)
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="mine")]
    nbformat.write(notebook, exercise.path)
    assert build.build(exercise, force=True) == "made"
    assert exercise.path.read_bytes() == fresh


def test_a_notebook_of_an_old_format_is_noticed(course):
    """One without ids, which came with nbformat 4.5."""
    exercise = exercise_of(course)
    build.build(exercise, force=False)
    notebook = read(exercise.path)
    notebook.nbformat_minor = 4
    for cell in notebook.cells:
        del cell["id"]
    nbformat.write(notebook, exercise.path)
    assert not build.is_current(exercise)
    assert "left alone" in build.build(exercise, force=False)


def with_cell_without(name: str) -> bytes:
    """A notebook of one cell that lacks what every cell has."""
    cell = {"id": "a", "cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": ""}
    del cell[name]
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


DAMAGED = [b"", b'{"cells": [', b"[]", b"{}", b'{"cells": 3, "nbformat": 4}', b"\xff\xfe"]
DAMAGED += [with_cell_without(name) for name in ("cell_type", "source", "metadata", "execution_count", "outputs")]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_exercise_is_not_overwritten_without_a_copy(course, content):
    exercise = exercise_of(course)
    exercise.path.parent.mkdir()
    exercise.path.write_bytes(content)
    assert not build.is_current(exercise)
    assert build.build(exercise, force=False).startswith("REFUSED")
    assert exercise.path.read_bytes() == content
    said = build.build(exercise, force=True)
    (copy,) = exercise.path.parent.glob("01_unit.2*.ipynb")
    assert copy.name in said
    assert copy.read_bytes() == content
    assert build.is_current(exercise)


@pytest.mark.slow
def test_force_starts_afresh_and_keeps_a_dated_copy(course):
    build.main([])
    path = course / "exercises/01_unit.ipynb"
    fresh, mine = path.read_bytes(), edit(path)
    assert build.main(["--force", "01_unit"]) == 0
    assert path.read_bytes() == fresh
    (copy,) = path.parent.glob("01_unit.2*.ipynb")
    assert copy.read_bytes() == mine


def test_a_failing_cell_stops_the_build(course):
    (course / "sources/lessons/01_unit.py").write_text("# %%\nassert False, 'a claim that does not hold'\n")
    with pytest.raises(Exception, match="a claim that does not hold"):
        build.main([])
    assert not (course / "notebooks/01_unit.ipynb").exists()


def test_a_machines_path_in_an_output_stops_the_build(course):
    (course / "sources/lessons/01_unit.py").write_text("# %%\nimport os\n\nprint(os.getcwd())\n")
    with pytest.raises(SystemExit, match="machine's path"):
        build.main([])


def test_an_unknown_name_is_an_error(course):
    with pytest.raises(SystemExit):
        build.main(["99_nothing"])


TARGETS = list(build.targets(ROOT))


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.path.parent.name}/{t.path.stem}")
def test_the_courses_notebooks_match_their_sources(target):
    present = build._read(target.path)
    assert present is not None, "run `make build`"
    if not target.executed and build.is_edited(present) and not os.environ.get("CI"):
        pytest.skip("an exercise notebook that you have worked in")
    assert build.is_current(target), "run `make build`"


def test_no_notebook_lacks_a_source():
    folders = ("notebooks", "exercises", "solutions")
    present = [path for folder in folders for path in (ROOT / folder).glob("*.ipynb") if path.stem.count(".") == 0]
    made_here = {path for path in present if "halfbits" in build._read(path).metadata}
    assert made_here == {target.path for target in TARGETS}


@pytest.mark.parametrize(
    "target", [t for t in TARGETS if t.executed], ids=lambda t: f"{t.path.parent.name}/{t.path.stem}"
)
def test_no_notebook_shows_what_was_written_to_stderr(target):
    """Under nbval a kernel does not catch what C++ writes there, in JupyterLab and in the build it does."""
    shown = [
        output.text
        for cell in read(target.path).cells
        for output in cell.get("outputs", [])
        if output.get("name") == "stderr"
    ]
    assert not shown
