"""Grades a learner's notebook outside JupyterLab: runs it in a kernel of its own, whatever it does there."""

from __future__ import annotations

import ast
import asyncio
import atexit
import contextlib
import math
import os
import re
import secrets
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from halfbits.grading.exercise import Unit, units

_MIME = "application/vnd.halfbits.verdict+json"
_UNDEFINED = "the notebook does not define it when it is run from top to bottom."
_GRACE_SECONDS = 10  # for a cell to end once it has been interrupted


@dataclass
class Verdict:
    """What became of one exercise of a notebook; the fields are those of a `Report` that a person reads.

    Attributes:
        exercise: its name.
        outcome: ``passed``, ``failed``, ``unattempted``, ``error`` or ``timeout``.
        summary: the verdict in a sentence.
        diagnosis: what went wrong, where the grader knows.
        misconception: the name of the misconception that the diagnosis comes from.
        seconds: how long the grading took.
    """

    exercise: str
    outcome: str
    summary: str
    diagnosis: str | None = None
    misconception: str | None = None
    seconds: float = 0.0


def grade_notebook(path: Path, cell_seconds: float = 120, seconds: float = 900) -> list[Verdict]:
    """Run a notebook of exercises and grade what it defines; it is not changed, nor is anybody's progress.

    A cell that checks an exercise is replaced by one that grades it; an exercise without one is graded at the end. A
    cell that ends the kernel, or takes too long and cannot be interrupted, is left out of another run, so that the
    exercises after it get their verdict too.

    Args:
        path: the notebook.
        cell_seconds: after which a cell is interrupted.
        seconds: after which the notebook is given up.

    Returns:
        A verdict for each exercise of the unit, in its order.

    Raises:
        ValueError: it is no notebook, or has no exercise of the course in it.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many
        raise ValueError(f"{path} cannot be read as a notebook: {error}") from None
    unit = _unit_of(notebook, path)
    run = _Run(notebook, unit, path.parent, cell_seconds, seconds)
    while run.once():
        pass
    return [run.verdict(name) for name in unit.exercise_names]


def report(token: str, name: str, namespace: dict) -> None:
    """Grade what a notebook defines under a name, and display the verdict for `grade_notebook` to read."""
    from IPython.display import display

    from halfbits.grading.grade import grade

    if name not in namespace:
        verdict = Verdict(name, "error", _UNDEFINED)
    else:
        graded = grade(namespace[name], name)
        fields = {field: getattr(graded, field) for field in Verdict.__dataclass_fields__}
        verdict = Verdict(**fields)
    display({_MIME: {"token": token, **asdict(verdict)}}, raw=True)


def _unit_of(notebook: NotebookNode, path: Path) -> Unit:
    """The unit whose exercises the notebook defines or checks."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    counts = {unit: sum(f" {name}(" in text or f"({name})" in text for name in unit.exercise_names) for unit in units()}
    unit = max(counts, key=counts.get)
    if not counts[unit]:
        raise ValueError(f"{path} has no exercise of this course in it")
    return unit


def checked_exercise(source: str) -> str | None:
    """The exercise that a cell checks, where it does nothing else."""
    with contextlib.suppress(SyntaxError):
        match ast.parse(source).body:
            case [ast.Expr(ast.Call(ast.Name("check"), [ast.Name(name), *_]))]:
                return name
    return None


class _Run:
    """A notebook that is run until every exercise has its verdict, or no other way is left to get one."""

    def __init__(self, notebook: NotebookNode, unit: Unit, folder: Path, cell_seconds: float, seconds: float):
        self.folder, self.cell_seconds, self.seconds = folder, cell_seconds, seconds
        self.deadline = time.monotonic() + seconds
        self.token = secrets.token_hex()
        self.verdicts: dict[str, Verdict] = {}
        self.troubles: dict[int, str] = {}
        self.sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        self.graded = [checked_exercise(source) for source in self.sources]
        for name in unit.exercise_names:
            if name not in self.graded:
                self.sources.append("")
                self.graded.append(name)

    def once(self) -> bool:
        """Run what is left; whether to run it again, since a cell that ended the kernel is now left out."""
        cells = [nbformat.v4.new_code_cell(self._source(i)) for i in range(len(self.sources))]
        notebook = nbformat.v4.new_notebook(cells=cells)
        self.sent, self.since = -1, time.monotonic()
        ended = asyncio.run(self._execute(notebook))
        self._read(notebook)
        if not ended or self.sent in self.left_out:
            return False
        now = time.monotonic()
        self.troubles[self.sent] = self._why_ended(now)
        return now < self.deadline

    def _why_ended(self, now: float) -> str:
        if now >= self.deadline:
            return f"was running when the notebook's time was over, {self.seconds:g} s (--seconds)"
        if now > self.since + self.cell_seconds:
            return f"took longer than {self.cell_seconds:g} s (--cell-seconds) and could not be interrupted"
        return "ended the kernel"

    @property
    def left_out(self) -> set[int]:
        return {index for index, trouble in self.troubles.items() if not trouble.startswith("raised")}

    def verdict(self, name: str) -> Verdict:
        """The verdict on an exercise; where there is none, or nothing was defined, why."""
        found = self.verdicts.get(name)
        if found and found.summary != _UNDEFINED:
            return found
        own = [i for i, source in enumerate(self.sources) if re.search(rf"(def|class) {name}\b", source)]
        own += [i for i, graded in enumerate(self.graded) if graded == name]
        for index in own:
            if index in self.troubles:
                return Verdict(name, "error", f"code cell {index + 1} {self.troubles[index]}.")
        if found:
            return found
        return Verdict(
            name, "error", f"the notebook's time, {self.seconds:g} s (--seconds), was over before it was graded."
        )

    def _source(self, index: int) -> str:
        name = self.graded[index]
        if index in self.left_out or name in self.verdicts:
            return ""
        if name:
            return f"import halfbits.grading.notebook as _n; _n.report({self.token!r}, {name!r}, globals())"
        return self.sources[index]

    async def _execute(self, notebook: NotebookNode) -> bool:
        """Whether the kernel came to an end before the notebook did."""
        with tempfile.TemporaryDirectory() as home:
            client = NotebookClient(
                notebook,
                timeout=math.ceil(self.cell_seconds),  # whole seconds
                interrupt_on_timeout=True,
                allow_errors=True,
                record_timing=False,
                on_cell_execute=self._note,
                resources={"metadata": {"path": str(self.folder)}},
            )
            client.log.disabled = True  # what it says of cells that take too long stands in the verdicts
            running = asyncio.ensure_future(client.async_execute(env={**os.environ, "HALFBITS_HOME": home}))
            expected: type[Exception] = DeadKernelError
            while not (await asyncio.wait([running], timeout=1))[0]:
                if time.monotonic() > min(self.since + self.cell_seconds + _GRACE_SECONDS, self.deadline):
                    await ensure_async(client.km.shutdown_kernel(now=True))
                    expected = RuntimeError  # what is raised of a kernel that had not answered yet
            # nbclient forgets this in such a case, and at the exit it would fail.
            atexit.unregister(client._cleanup_kernel)
            with contextlib.suppress(expected):
                running.result()
                return False
        return True

    def _note(self, cell: NotebookNode, cell_index: int) -> None:
        self.sent, self.since = cell_index, time.monotonic()

    def _read(self, notebook: NotebookNode) -> None:
        """Take the verdicts and the exceptions out of the outputs."""
        for index, cell in enumerate(notebook.cells):
            for output in cell.outputs:
                data = output.get("data", {}).get(_MIME, {})
                if data.pop("token", None) == self.token:
                    self.verdicts[data["exercise"]] = Verdict(**data)
                if output.output_type == "error":
                    problem = f"raised {output.ename}: {output.evalue}" if output.evalue else f"raised {output.ename}"
                    if output.ename == "KeyboardInterrupt":
                        problem += f", since it took longer than {self.cell_seconds:g} s (--cell-seconds)"
                    self.troubles.setdefault(index, problem.splitlines()[0].rstrip("."))
