"""Make an nbgrader course folder from the sources of the exercises, for a class.

    python tools/nbgrader_course.py FOLDER [--unit 01_number_formats] ...

Each unit becomes the assignment FOLDER/source/<unit>/<unit>.ipynb: its answers are nbgrader's solution cells, its
checks autograded tests of one point each. FOLDER/nbgrader_config.py is a copy of tools/nbgrader_config.py. A file that
is there already is left alone, since a teacher may have changed it; delete it to have it made anew. docs/teaching.md
says how to go on.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import build
import jupytext
import nbformat
from nbformat import NotebookNode

from halfbits.grading.notebook import checked_exercise

CONFIG = Path(__file__).with_name("nbgrader_config.py")
# Nobody has measured what an exercise asks of a student, so none counts more than another.
_POINTS = 1
# The check's own import: an answer that redefines `check`, on purpose or not, is graded all the same.
_CHECK = "from halfbits.grading import check\n\n"


def assignment(target: build.Target) -> NotebookNode:
    """The notebook of a unit as nbgrader wants its source: with solutions between their marks, and its metadata.

    Args:
        target: the unit's notebook without solutions, as `build.targets` names it.

    Raises:
        ValueError: the answers and the checks of the source do not come in turns.
    """
    notebook = build.generate(target)
    uncut = jupytext.read(target.source, fmt="py:percent")
    answer = None
    for cell, original in zip(notebook.cells, uncut.cells, strict=True):
        if cell.source != original.source:  # a solution was cut out
            if answer:
                raise ValueError(f"{target.source}: no check stands between two answers:\n{original.source}")
            cell.source, answer = original.source, cell
        elif cell.cell_type == "code" and (name := checked_exercise(cell.source)):
            if not answer:
                raise ValueError(f"{target.source}: no answer stands before check({name})")
            answer.metadata["nbgrader"] = _metadata(f"answer_{name}", solution=True)
            cell.metadata["nbgrader"] = {**_metadata(f"check_{name}", grade=True, locked=True), "points": _POINTS}
            cell.source, answer = _CHECK + cell.source, None
    if answer:
        raise ValueError(f"{target.source}: the last answer has no check")
    del notebook.metadata["halfbits"]  # the fingerprint of the cells in exercises/
    return nbformat.from_dict(notebook)


def _metadata(grade_id: str, **roles: bool) -> dict:
    return {"grade": False, "locked": False, "solution": False, "task": False, **roles} | {
        "grade_id": grade_id,
        "schema_version": 3,
    }


def write(targets: list[build.Target], folder: Path) -> list[Path]:
    """Write the assignments and the configuration.

    Returns:
        The files that were there already and were left alone.
    """
    kept = []
    for target in targets:
        path = folder / "source" / target.path.stem / target.path.name
        if path.exists():
            kept.append(path)
            continue
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(assignment(target)) + "\n", encoding="utf-8")
    if (folder / CONFIG.name).exists():
        kept.append(folder / CONFIG.name)
    else:
        shutil.copyfile(CONFIG, folder / CONFIG.name)
    return kept


def main(arguments: list[str] | None = None) -> int:
    units = {target.path.stem: target for target in build.targets(build.ROOT) if target.path.parent.name == "exercises"}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the course folder, made where there is none")
    parser.add_argument("--unit", action="append", choices=units, help="all units where none is given")
    options = parser.parse_args(arguments)
    for path in write([units[name] for name in options.unit or units], options.folder):
        print(f"{path} was there already: left alone")
    print(f"Next, in {options.folder}: nbgrader generate_assignment {(options.unit or list(units))[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
