"""nbgrader's settings for this course, copied into the course folder by tools/nbgrader_course.py; yours to change."""

import os
import tempfile
from contextlib import contextmanager

import bleach
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.filters.markdown import markdown2html
from nbconvert.preprocessors.sanitize import ALLOWED_STYLES, SanitizeHTML
from nbformat.v4 import new_output
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.preprocessors import Execute, GetGrades, OverwriteCells
from nbgrader.utils import is_grade, is_solution

c = get_config()  # noqa: F821 - traitlets defines it
c.CourseDirectory.course_id = "half_the_bits"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}  # as the notebooks' text says

# A check stops an answer after 10 s, one that trains a model after at most 90 s, and then looks for what went wrong.
# This is for what no check stops: cells that hang by themselves.
c.Execute.timeout = 240
c.Execute.iopub_timeout = 15  # how long an interrupted cell may go on


class RunAll(Execute):
    """Runs a submission up to its last check; a cell that ends the kernel costs its own point and no other.

    nbgrader's own gives the whole submission up when the kernel ends (memory, a crash, `os._exit`) or a cell cannot
    be interrupted. Here such a cell is marked as failed and left out of another run.
    """

    def preprocess(self, nb, resources, km=None):
        self.failed, self.last = {}, max((i for i, cell in enumerate(nb.cells) if is_grade(cell)), default=-1)
        while True:
            self.running = None
            try:
                return super().preprocess(nb, resources, km)
            except (DeadKernelError, CellTimeoutError) as error:
                if self.running is None:  # the kernel did not even start
                    raise
                words = "ended the kernel" if isinstance(error, DeadKernelError) else "could not be interrupted"
                self.failed[self.running] = f"This cell {words}. The others were run without it."

    def preprocess_cell(self, cell, resources, index):
        if index in self.failed:
            text = self.failed[index]
            cell.outputs = [new_output("error", ename="CellFailed", evalue=text, traceback=[f"CellFailed: {text}"])]
        elif index <= self.last:  # what follows the last check trains models and earns no point
            self.running = index
            super().preprocess_cell(cell, resources, index)
            if is_grade(cell):
                leave_only_exceptions_to_count(cell)
        return cell, resources

    def on_cell_executed(self, cell, cell_index, execute_reply):
        super().on_cell_executed(cell=cell, cell_index=cell_index, execute_reply=execute_reply)
        # After `exit()` the kernel lives for a moment, and another cell would seem to have ended it.
        if any(item["source"] == "ask_exit" for item in execute_reply["content"].get("payload", [])):
            raise DeadKernelError("exit() was called")

    @contextmanager
    def setup_kernel(self, **options):
        home = tempfile.TemporaryDirectory()  # grading is nobody's progress
        with home, super().setup_kernel(env={**os.environ, "HALFBITS_HOME": home.name}, **options):
            yield


def leave_only_exceptions_to_count(cell):
    """A check that fails raises. nbgrader also takes stderr for a failure, where TensorFlow may write, and a value
    shown for a number of points."""
    cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
    for output in cell.outputs:
        if output.output_type == "stream":
            output.name = "stdout"


class KeepChecks(OverwriteCells):
    """Puts checks back, at the end, that were deleted or are no longer marked as checks.

    nbgrader's own wants the cell before, which may be deleted as well, and gives the whole submission up where a cell
    has been copied or its marks have been changed.
    """

    def preprocess(self, nb, resources):
        for cell in nb.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            if (is_grade(cell), is_solution(cell)) != (name.startswith("check_"), name.startswith("answer_")):
                name = ""
            if not name:
                cell.metadata.pop("nbgrader", None)
        return super().preprocess(nb, resources)

    def add_missing_grade_cells(self, nb, resources):
        source = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        texts = {cell.name: cell for cell in source.source_cells}
        present = {cell.metadata.nbgrader.grade_id for cell in nb.cells if is_grade(cell)}
        for check in source.grade_cells:
            if check.name not in present:
                nb.cells.append(self.missing_cell_transform(texts[check.name], check.max_score))
        return nb, resources


def using(replacements, preprocessors):
    return [replacements.get(preprocessor, preprocessor) for preprocessor in preprocessors]


c.OverwriteCells.add_missing_cells = True
c.Autograde.sanitize_preprocessors = using(
    {OverwriteCells: KeepChecks}, Autograde.class_traits()["sanitize_preprocessors"].default()
)
c.Autograde.autograde_preprocessors = using(
    {Execute: RunAll}, Autograde.class_traits()["autograde_preprocessors"].default()
)


# Feedback is a web page made of what students wrote. What could run in it is shown as text.
TAGS = {*bleach.ALLOWED_TAGS, "details", "div", "p", "pre", "span", "summary", "h1", "h2", "h3", "h4"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
c.SanitizeHTML.enabled = True
c.SanitizeHTML.tags = list(TAGS)
c.SanitizeHTML.attributes = {"*": ["style", "aria-label", "open"], "a": ["href"]}
c.SanitizeHTML.sanitized_output_types = {"text/html"}
# What a report's styles use, but for `background` and `list-style`, which can fetch a file from elsewhere.
STYLES = "border border-left margin max-width opacity overflow-wrap padding padding-left"
c.SanitizeHTML.styles = [*ALLOWED_STYLES, *STYLES.split()]


class SanitizeOutputs(SanitizeHTML):
    """Sanitizes outputs alone; as for texts, it would do so before they are HTML, which spoils the code in them."""

    def preprocess_cell(self, cell, resources, index):
        return super().preprocess_cell(cell, resources, index) if cell.cell_type == "code" else (cell, resources)


def safe_markdown(text):
    return bleach.clean(markdown2html(text), TAGS, {"a": ["href"]})


c.HTMLExporter.filters = {"markdown2html": safe_markdown}
c.GenerateFeedback.preprocessors = [
    item
    for preprocessor in GenerateFeedback.class_traits()["preprocessors"].default()
    for item in ([preprocessor, SanitizeOutputs] if preprocessor is GetGrades else [preprocessor])
]
