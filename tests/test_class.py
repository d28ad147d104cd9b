"""A class of students of every kind: their course folder made, released, graded by nbgrader itself, given feedback."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.preprocessors import CheckCellMetadata

from halfbits.grading.exercise import find, units
from tests.loading import load
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "nbgrader_course.py"
UNIT = units()[0]
NAME = UNIT.notebook
RIGHT = {name: find(name).solution for name in UNIT.exercise_names}
# Well more than the 10 s after which a check stops an answer, for a busy machine is late; the settings' own would only
# make the test longer, as would waiting for each kernel to end by itself.
LIMITS = ["--Execute.timeout=30", "--Execute.iopub_timeout=8", "--Execute.shutdown_kernel=immediate"]


@dataclass
class Student:
    """What a student hands in, and where there is a point to lose.

    Attributes:
        answers: what stands in the answer cells, by exercise; our solution where nothing is said, the stub for None.
        lost: the exercises that get no point.
        edit: what else is done to the notebook.
        says: for an exercise, words that its feedback must have.
    """

    answers: dict[str, str | None] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    edit: Callable = lambda notebook: None
    says: str = ""


def changed(name: str, before: str, after: str) -> dict[str, str]:
    """Our solution of an exercise with a mistake put in."""
    assert before in RIGHT[name]
    return {name: RIGHT[name].replace(before, after)}


def diagnosis(name: str, misconception: str) -> str:
    return " ".join(find(name).misconceptions[misconception].__doc__.split())


def index_of(notebook, grade_id: str) -> int:
    return next(
        i for i, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def cell_of(notebook, grade_id: str):
    return notebook.cells[index_of(notebook, grade_id)]


def without(*grade_ids: str) -> Callable:
    def edit(notebook):
        for grade_id in grade_ids:
            del notebook.cells[index_of(notebook, grade_id)]

    return edit


def with_cell(source: str, after: str, kind: str = "code") -> Callable:
    def edit(notebook):
        cell = getattr(nbformat.v4, f"new_{kind}_cell")(source)
        notebook.cells.insert(index_of(notebook, after) + 1, cell)

    return edit


def tampered(notebook):
    cell_of(notebook, "check_ulp").source = "print('all 9 properties hold.')"


def worth_a_hundred(notebook):
    cell_of(notebook, "check_decode").metadata.nbgrader.points = 100


def no_longer_graded(notebook):
    cell_of(notebook, "check_ulp").metadata.nbgrader.update(grade=False, locked=False)


def check_copied(notebook):
    place = index_of(notebook, "check_decode")
    notebook.cells.insert(place, nbformat.from_dict({**notebook.cells[place], "id": "a-copy"}))


def other_kernel(notebook):
    notebook.metadata.kernelspec = {"display_name": "Mine", "name": "mine", "language": "python"}


def scripts(notebook):
    with_cell('from IPython.display import HTML\nHTML("<script>in_an_output()</script>")', "check_decode")(notebook)
    with_cell("<script>in_a_text()</script>\n\n`<b>`", "check_decode", "markdown")(notebook)


STUB = "def {}(*arguments):\n    {}\n"
HANG = "while True:\n        pass"
STUBBORN = """
import time
while True:
    try:
        time.sleep(1000)
    except KeyboardInterrupt:
        pass
"""
WRONG = STUB.format("ulp", "return 1.0")
OTHER_STYLE = {
    "decode": """
import struct
decode = lambda bits, E, M: (-1.0 if bits >> (E + M) else 1.0) * magnitude(bits & ((1 << (E + M)) - 1), E, M)
def magnitude(bits, E, M):
    exponent, mantissa = divmod(bits, 1 << M)
    if exponent == (1 << E) - 1:
        return float("nan") if mantissa else float("inf")
    return math.ldexp(mantissa + (1 << M if exponent else 0), max(exponent, 1) - (1 << E - 1) + 1 - M)
decode.__name__ = "decode"
""",
    "update_is_lost": """
def update_is_lost(weight, update, dtype):
    w, u = np.array([weight, update]).astype(dtype)
    return not (dtype(w + u) != w)
""",
    "dot_with_fp32_accumulator": """
def dot_with_fp32_accumulator(a, b):
    total = np.float32(0)
    for x, y in zip(a.tolist(), b.tolist()):
        total += np.float32(x) * np.float32(y)
    return total
""",
}
NOISY = """
import os, sys, warnings
def format_limits(exponent_bits, mantissa_bits):
    print("<b>noise</b>", file=sys.stderr)
    os.write(2, b"from below Python's streams\\n")
    warnings.warn("deprecated")
    bias, epsilon = 2 ** (exponent_bits - 1) - 1, 2.0**-mantissa_bits
    return {"bias": bias, "max": (2 - epsilon) * 2.0**bias, "min_normal": 2.0 ** (1 - bias),
            "min_subnormal": 2.0 ** (1 - bias - mantissa_bits), "epsilon": epsilon}
"""
FORGED = """
from IPython import get_ipython
def ulp(x, exponent_bits, mantissa_bits):
    get_ipython().displayhook(1.0)
    return 1.0
"""
BIASED = changed("decode", "bias = 2 ** (exponent_bits - 1) - 1", "bias = 2 ** (exponent_bits - 1)")
ALL = set(RIGHT)

CLASS = {
    "right": Student(),
    "right_in_another_style": Student(OTHER_STYLE),
    "right_and_noisy": Student({"format_limits": NOISY}),
    "right_with_an_own_kernel": Student(edit=other_kernel),
    "untouched": Student(dict.fromkeys(RIGHT), ALL, says="not attempted yet"),
    "half_done": Student(
        dict.fromkeys(list(RIGHT)[4:]), {"update_is_lost", "dot_with_fp32_accumulator", "choose_format"}
    ),
    "without_the_first": Student({"format_limits": None}, {"format_limits", "choose_format"}, says="not written yet"),
    "bias_wrong": Student(BIASED, {"decode"}, says=diagnosis("decode", "bias_one_too_large")),
    "truncates": Student(
        {"round_to_bfloat16": RIGHT["round_to_bfloat16"].replace("bits + 0x7FFF + lowest_kept_bit", "bits")},
        {"round_to_bfloat16"},
    ),
    "epsilon_taken": Student(
        changed("choose_format", 'limits["epsilon"] / 2', 'limits["epsilon"]'),
        {"choose_format"},
        says=diagnosis("choose_format", "epsilon_for_roundoff"),
    ),
    "shortcut": Student(
        {"round_to_bfloat16": STUB.format("round_to_bfloat16", "return arguments[0].astype(ml_dtypes.bfloat16)")},
        {"round_to_bfloat16"},
        says="does in one step what this exercise asks you to write",
    ),
    "prints": Student(
        {"ulp": STUB.format("ulp", "print(1.0)")}, {"ulp"}, says="Your function prints its answer and returns None."
    ),
    "raises": Student({"ulp": STUB.format("ulp", "return 1 / 0")}, {"ulp"}, says="ZeroDivisionError"),
    "syntax_error": Student({"ulp": "def ulp(:"}, {"ulp"}, says="SyntaxError"),
    "answer_missing": Student({"ulp": "pass"}, {"ulp"}, says="NameError"),
    "exits_in_the_answer": Student(
        {"ulp": STUB.format("ulp", "import sys; sys.exit(0)")}, {"ulp"}, says="Your function called sys.exit()"
    ),
    "quits_in_the_cell": Student({"ulp": "exit()"}, {"ulp"}),
    "hangs_in_the_answer": Student({"ulp": STUB.format("ulp", HANG)}, {"ulp"}, says="stopped after 10 s"),
    "hangs_in_the_cell": Student({"ulp": "import time\ntime.sleep(1000)"}, {"ulp"}, says="No reply from kernel"),
    "hangs_and_cannot_be_stopped": Student({"ulp": STUBBORN}, {"ulp"}, says="This cell could not be interrupted."),
    "leaves_in_the_answer": Student(
        {"ulp": STUB.format("ulp", "import os; os._exit(1)")}, {"ulp"}, says="Your function called os._exit, which"
    ),
    "crashes_in_the_answer": Student(
        {"ulp": STUB.format("ulp", "import ctypes; ctypes.string_at(0)")}, {"ulp"}, says="This cell ended the kernel."
    ),
    "kills_in_two_cells": Student(
        {"decode": "import os\nos._exit(0)", "ulp": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"},
        {"decode", "ulp"},
        says="This cell ended the kernel.",
    ),
    "check_tampered": Student({"ulp": WRONG}, {"ulp"}, tampered),
    "check_redefined": Student({"ulp": WRONG + "check = print"}, {"ulp"}),
    "check_ungraded": Student({"ulp": WRONG}, {"ulp"}, no_longer_graded),
    "points_tampered": Student(edit=worth_a_hundred),
    "points_forged": Student({"ulp": FORGED}, {"ulp"}),
    "check_copied": Student(BIASED, {"decode"}, check_copied),
    "checks_deleted": Student({"ulp": WRONG}, {"ulp"}, without("check_decode", "check_ulp")),
    "answer_deleted": Student({}, {"ulp"}, without("answer_ulp"), says="NameError"),
    "exercise_deleted": Student({}, {"ulp"}, without("answer_ulp", "check_ulp"), says="NameError"),
    "all_deleted": Student({}, ALL, lambda notebook: notebook.cells.clear()),
    "answer_elsewhere": Student({"ulp": None}, edit=with_cell(RIGHT["ulp"], "answer_ulp")),
    "answer_too_late": Student({"ulp": WRONG}, {"ulp"}, with_cell(RIGHT["ulp"], "check_ulp")),
    "html": Student(
        {"choose_format": STUB.format("choose_format", "return '<img src=x onerror=in_an_answer()>'")},
        {"choose_format"},
        scripts,
        says="in_an_answer()",
    ),
}


def hand_in(release: Path, folder: Path, student: Student) -> None:
    notebook = nbformat.read(release, as_version=4)
    for name, solution in RIGHT.items():
        answer = student.answers.get(name, solution)
        if answer is not None:
            cell_of(notebook, f"answer_{name}").source = answer
    student.edit(notebook)
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / release.name)


@dataclass
class Section:
    """A course folder after grading: the points by student and exercise, nbgrader's exit status and what it said."""

    folder: Path
    points: dict[str, dict[str, float]]
    status: int
    said: str


@dataclass
class Classroom:
    """The sections of the class by student, the release, and the teacher's home."""

    sections: dict[str, Section]
    release: Path
    home: Path

    def feedback(self, student: str) -> str:
        path = self.sections[student].folder / "feedback" / student / NAME / f"{NAME}.html"
        return path.read_text(encoding="utf-8")


def environment(home: Path) -> dict[str, str]:
    """A teacher's: nbgrader calls alembic by its name, and a kernel told of pytest would not catch all output."""
    dropped = ("PYTEST", "HALFBITS", "XDG", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return {**kept, "HOME": str(home), "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])}


def points_of(folder: Path) -> dict[str, dict[str, float]]:
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "half_the_bits") as gradebook:
        return {
            submission.student.id: {
                grade.name.removeprefix("check_"): grade.score for grade in submission.notebooks[0].grades
            }
            for submission in gradebook.assignment_submissions(NAME)
        }


def graded(folder: Path, nbgrader: Callable) -> Section:
    run = nbgrader(folder, "autograde", NAME, *LIMITS)
    nbgrader(folder, "generate_feedback", NAME).check_returncode()
    return Section(folder, points_of(folder), run.returncode, run.stderr)


@pytest.fixture(scope="module")
def classroom(tmp_path_factory, tool):
    folder, home = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("home")
    # Graded side by side, each with a gradebook of its own; three on two cores, since kernels that hang only wait.
    places = [folder / name for name in ("first", "second", "third")]
    first, *others = places
    release = first / "release" / NAME / f"{NAME}.ipynb"

    def nbgrader(cwd: Path, *command: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "nbgrader", *command]
        return subprocess.run(
            command, cwd=cwd, env=environment(home), capture_output=True, text=True, check=False, timeout=6 * PATIENCE
        )

    assert tool.main([str(first), "--unit", NAME]) == 0
    nbgrader(first, "generate_assignment", NAME).check_returncode()
    for other in others:
        shutil.copytree(first, other)
    sections = {student: places[i % len(places)] for i, student in enumerate(CLASS)}
    for name, student in CLASS.items():
        hand_in(release, sections[name] / "submitted" / name / NAME, student)
    sections["broken"] = first
    broken = first / "submitted" / "broken" / NAME / f"{NAME}.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setenv("PATH", environment(home)["PATH"])
        done = {section.folder: section for section in pool.map(graded, places, [nbgrader] * len(places))}
    return Classroom({student: done[place] for student, place in sections.items()}, release, home)


@pytest.mark.thorough
def test_the_class_is_large_enough():
    assert len(CLASS) >= 30


@pytest.mark.thorough
def test_the_release_has_no_solution(classroom):
    text = classroom.release.read_text(encoding="utf-8")
    assert "SOLUTION" not in text
    notebook = nbformat.reads(text, as_version=4)
    for name, solution in RIGHT.items():
        released = cell_of(notebook, f"answer_{name}").source
        assert released.endswith("    raise NotImplementedError")
        assert solution.startswith(released.removesuffix("raise NotImplementedError").rstrip())


@pytest.mark.thorough
@pytest.mark.parametrize("name", CLASS)
def test_every_exercise_has_its_point(classroom, name):
    expected = {exercise: 0.0 if exercise in CLASS[name].lost else 1.0 for exercise in RIGHT}
    assert classroom.sections[name].points[name] == expected


@pytest.mark.thorough
@pytest.mark.parametrize("name", CLASS)
def test_every_student_gets_feedback(classroom, name):
    page = classroom.feedback(name)
    assert f"(Score: {7.0 - len(CLASS[name].lost)} / 7.0)" in page
    text = " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())
    assert CLASS[name].says.replace("`", "") in text


@pytest.mark.thorough
def test_what_a_student_writes_does_not_run_in_the_feedback(classroom):
    page = classroom.feedback("html")
    assert escape("<img src=x onerror=in_an_answer()>") in page
    assert escape("<script>in_an_output()</script>") in page
    assert escape("<script>in_a_text()</script>") in page
    assert "<code>&lt;b&gt;</code>" in page
    assert not re.search(r"<(script|img)[^>]*>\s*in_a|<img src=x", page)


@pytest.mark.thorough
def test_the_feedback_shows_the_report_as_the_notebook_does(classroom):
    page = classroom.feedback("bias_wrong")
    assert '<details open=""><summary style="cursor:pointer;">' in page
    assert "border-left:4px solid #D55E00" in page


@pytest.mark.thorough
def test_a_file_that_is_no_notebook_is_named_and_the_others_are_graded(classroom):
    failed = r"There was an error processing assignment '.*' for student '(.*)'"
    broken, other = classroom.sections["broken"], classroom.sections[list(CLASS)[1]]
    assert broken.status != 0
    assert re.findall(failed, broken.said) == ["broken"]
    assert set(broken.points["broken"].values()) == {0.0}
    assert other.status == 0, other.said


@pytest.mark.thorough
def test_grading_is_nobodys_progress(classroom):
    assert not [*classroom.home.rglob("progress.json"), *classroom.release.parents[3].rglob("progress.json")]


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOL.parent)
        yield load(TOOL)


@pytest.mark.parametrize("unit", units(), ids=lambda unit: unit.notebook)
def test_every_unit_becomes_an_assignment(tool, unit):
    (target,) = (t for t in tool.build.targets(ROOT) if t.path == ROOT / "exercises" / f"{unit.notebook}.ipynb")
    notebook = tool.assignment(target)
    nbformat.validate(notebook)
    CheckCellMetadata().preprocess(notebook, {})
    roles = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert [role.grade_id for role in roles if role.solution] == [f"answer_{name}" for name in unit.exercise_names]
    checks = [role for role in roles if role.grade]
    assert [role.grade_id for role in checks] == [f"check_{name}" for name in unit.exercise_names]
    assert all(role.locked and role.points == 1 for role in checks)


def test_a_course_folder_that_is_there_is_left_alone(tool, tmp_path, capsys):
    assert tool.main([str(tmp_path), "--unit", NAME]) == 0
    for path in (tmp_path / "nbgrader_config.py", tmp_path / "source" / NAME / f"{NAME}.ipynb"):
        path.write_text("the teacher's own")
    assert tool.main([str(tmp_path), "--unit", NAME]) == 0
    assert (tmp_path / "nbgrader_config.py").read_text() == "the teacher's own"
    assert capsys.readouterr().out.count("left alone") == 2


def test_an_answer_without_a_check_is_refused(tool, tmp_path, monkeypatch):
    source = tmp_path / "sources" / "exercises" / "01_unit.py"
    source.parent.mkdir(parents=True)
    source.write_text("# %%\ndef double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n")
    (target,) = (t for t in tool.build.targets(tmp_path) if t.path.parent.name == "exercises")
    with pytest.raises(ValueError, match="no check"):
        tool.assignment(target)
