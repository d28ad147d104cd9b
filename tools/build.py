"""Make the notebooks from their sources: sources/ -> notebooks/, exercises/, solutions/.

    python tools/build.py [--check] [--force] [NAME ...]

A source is a py:percent file. A lesson becomes an executed notebook in notebooks/; an exercise becomes a notebook
without its solutions in exercises/ and an executed one in solutions/. A notebook that is up to date is left alone,
so that a second run changes no byte; one of which only the text changed keeps its outputs. A notebook whose cells
somebody edited is not overwritten; --force keeps a dated copy of it, and writes every notebook anew: one that is run
is run once more, for outputs that a change elsewhere has made stale, and an exercise loses the outputs of whoever ran
it. --check writes nothing and fails where a notebook differs from its source.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions
from traitlets.config import Config

from halfbits.update import dated_copy

ROOT = Path(__file__).resolve().parents[1]
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"}
_CELL_SECONDS = 600
_MODEL_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


@dataclass(frozen=True)
class Target:
    """One notebook to make."""

    source: Path
    path: Path
    keeps_solutions: bool
    executed: bool


def targets(root: Path) -> Iterator[Target]:
    """Every notebook that the sources under `root` make."""
    for source in sorted((root / "sources" / "lessons").glob("*.py")):
        yield Target(source, root / "notebooks" / f"{source.stem}.ipynb", keeps_solutions=True, executed=True)
    for source in sorted((root / "sources" / "exercises").glob("*.py")):
        yield Target(source, root / "exercises" / f"{source.stem}.ipynb", keeps_solutions=False, executed=False)
        yield Target(source, root / "solutions" / f"{source.stem}.ipynb", keeps_solutions=True, executed=True)


def generate(target: Target) -> NotebookNode:
    """The notebook of a target, not executed."""
    notebook = jupytext.read(target.source, fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    _set_ids(notebook)  # before the cutting, so that a cell has the same id in exercises/ and solutions/
    if target.keeps_solutions:
        for cell in notebook.cells:
            cell.source = re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", cell.source, flags=re.MULTILINE).rstrip("\n")
    else:
        notebook = _cut_solutions(notebook)
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    notebook.metadata = {"kernelspec": _KERNEL, "language_info": _LANGUAGE}
    notebook.metadata["halfbits"] = {"cells": fingerprint(notebook)}
    return nbformat.from_dict(notebook)


def _set_ids(notebook: NotebookNode) -> None:
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _cut_solutions(notebook: NotebookNode) -> NotebookNode:
    options = Config()
    options.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
    options.ClearSolutions.enforce_metadata = False
    notebook.metadata["kernelspec"] = _KERNEL  # tells nbgrader the language
    return ClearSolutions(config=options).preprocess(notebook, {})[0]


def fingerprint(notebook: NotebookNode) -> str:
    """A hash of what a person can edit in a notebook's cells: kinds, texts, tags, order."""
    cells = [[cell.cell_type, cell.source, cell.metadata.get("tags", [])] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run a notebook in its folder and bring its outputs into a form that is the same each time."""
    # Some libraries name their HTML elements at random.
    seed = nbformat.v4.new_code_cell("import random\n\nrandom.seed(0)")
    notebook.cells.insert(0, seed)
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HALFBITS_HOME": home}  # a build is nobody's progress
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        client = NotebookClient(
            notebook,
            timeout=_CELL_SECONDS,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env=environment)
    del notebook.cells[0]
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
    notebook.metadata["language_info"] = _LANGUAGE
    notebook = _with_stable_widget_ids(notebook)
    _refuse_machine_paths(notebook)
    return notebook


def _with_stable_widget_ids(notebook: NotebookNode) -> NotebookNode:
    """Number the widgets' models in the order in which the cells lead to them; ipywidgets draws the ids at random."""
    if not notebook.metadata.get("widgets"):
        notebook.metadata.pop("widgets", None)
        return notebook
    known = notebook.metadata["widgets"][WIDGET_STATE]["state"]
    order = list(dict.fromkeys(_MODEL_ID.findall(json.dumps(notebook.cells))))
    for model in order:  # grows while it is read: a widget's state names its layout and style
        named = _MODEL_ID.findall(json.dumps(known.get(model, {}), sort_keys=True))
        order += [other for other in dict.fromkeys(named) if other not in order]
    notebook.metadata["widgets"][WIDGET_STATE]["state"] = {model: known[model] for model in order if model in known}
    text = nbformat.writes(notebook)
    for number, model in enumerate(model for model in order if model in known):
        text = text.replace(model, f"{number:032x}")
    return nbformat.reads(text, as_version=4)


def _refuse_machine_paths(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        text = json.dumps(cell.get("outputs", []))
        for path in (str(ROOT), str(Path.home()) + "/", "/tmp/"):
            if path in text:
                raise SystemExit(f"An output holds the machine's path {path}:\n{cell.source}")


def _read(path: Path) -> NotebookNode | None:
    """A notebook; one without cells, and so an edited one, where the file is damaged; None where there is no file."""
    if not path.exists():
        return None
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)  # to read it only logs that a cell lacks its source, say
        return notebook
    except (nbformat.ValidationError, ValueError, KeyError, TypeError, AttributeError):
        return nbformat.v4.new_notebook()


def is_edited(notebook: NotebookNode) -> bool:
    """Whether somebody changed a cell since the notebook was made."""
    return notebook.metadata.get("halfbits") != {"cells": fingerprint(notebook)}


def is_current(target: Target) -> bool:
    """Whether a notebook holds exactly its source's cells, executed where it should be."""
    notebook = _read(target.path)
    if notebook is None:
        return False
    fresh = generate(target)
    same = [_comparable(cell) for cell in notebook.cells] == [_comparable(cell) for cell in fresh.cells]
    ran = all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    return same and (ran or not target.executed)


def _comparable(cell: NotebookNode) -> tuple:
    return cell.get("id"), cell.cell_type, cell.source, cell.metadata  # before nbformat 4.5 no cell has an id


def with_outputs_of(present: NotebookNode | None, fresh: NotebookNode) -> NotebookNode | None:
    """`fresh` with the outputs of a notebook of the same code; None where there is none that was run and not edited.

    So a corrected sentence costs no minute of training, and changes no time that a cell has measured.
    """
    if present is None or is_edited(present):
        return None
    ran, new = ([cell for cell in notebook.cells if cell.cell_type == "code"] for notebook in (present, fresh))
    if list(map(_comparable, ran)) != list(map(_comparable, new)) or not all(cell.execution_count for cell in ran):
        return None
    for old, cell in zip(ran, new, strict=True):
        cell.outputs, cell.execution_count = old.outputs, old.execution_count
    if "widgets" in present.metadata:
        fresh.metadata["widgets"] = present.metadata["widgets"]
    return fresh


def build(target: Target, force: bool) -> str:
    """Make one notebook where it is out of date; what was done, in a word or a sentence."""
    if is_current(target) and not force:
        return "up to date"
    present, fresh = _read(target.path), generate(target)
    kept = ""
    same_source = present is not None and present.metadata.get("halfbits") == fresh.metadata["halfbits"]
    if same_source and not force and not target.executed and not is_edited(present):
        return "made from the present source: left alone"  # only a cell's metadata differ, such as JupyterLab writes
    if present is not None and is_edited(present):
        if not force and same_source:
            return "edited, and made from the present source: left alone"
        if not force:
            return (
                "REFUSED: its cells were edited, or it is damaged; --force keeps a dated copy of it and writes it anew"
            )
        kept = f"; yours is kept as {dated_copy(target.path).name}"
    target.path.parent.mkdir(exist_ok=True)
    if target.executed:
        fresh = (None if force else with_outputs_of(present, fresh)) or execute(fresh, target.path.parent)
    target.path.write_text(nbformat.writes(fresh) + "\n", encoding="utf-8")
    return f"made{kept}"


def _remedy(target: Target) -> str:
    """The command that makes a notebook as it should be; `make build` writes over nobody's edits."""
    present = _read(target.path)
    if present is None or not is_edited(present):
        return "make build"
    # By its path, for an exercise and its solution have the same name, and one may hold somebody's answers.
    return f".venv/bin/python tools/build.py --force {target.path.relative_to(ROOT).as_posix()}"


def _names(target: Target) -> set[str]:
    return {target.path.stem, str(target.path.relative_to(ROOT))}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="such as 02_number_formats or exercises/01_number_formats.ipynb; all where none is given",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a notebook is out of date")
    parser.add_argument("--force", action="store_true", help="run all anew; overwrite edited notebooks, keeping a copy")
    options = parser.parse_args(arguments)
    chosen = [t for t in targets(ROOT) if not options.names or _names(t) & set(options.names)]
    if not chosen:
        parser.error(f"no source is called {', '.join(options.names)}")
    failed = False
    for target in chosen:
        if options.check:
            outcome = "up to date" if is_current(target) else f"OUT OF DATE: run `{_remedy(target)}`"
        else:
            outcome = build(target, options.force)
        failed |= outcome.startswith(("OUT OF DATE", "REFUSED"))
        print(f"{target.path.relative_to(ROOT)}: {outcome}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
