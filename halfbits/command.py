"""The command `halfbits`: grade notebooks, see where you stand, start one afresh, update, take the cards along."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path

from halfbits.grading.report import printable

ROOT = Path(__file__).resolve().parents[1]
_SIGNS = {"passed": "✓", "unattempted": "○"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status: 0, 1 where an exercise does not hold, 2 where the command cannot be done."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(printable(f"halfbits: {error}"), file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="halfbits", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    grade = commands.add_parser("grade", help="run notebooks of exercises and say what holds")
    grade.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    grade.add_argument("--json", action="store_true", help="the verdicts as JSON")
    grade.add_argument("--junit", type=Path, metavar="FILE", help="write them to FILE as JUnit XML too")
    grade.add_argument("--seconds", type=float, default=900, help="how long a notebook may take (default %(default)s)")
    grade.add_argument("--cell-seconds", type=float, default=120, help="and one of its cells (default %(default)s)")
    grade.set_defaults(run=_grade)

    progress = commands.add_parser("progress", help="which exercises you have passed and tried")
    progress.set_defaults(run=_progress)

    reset = commands.add_parser("reset", help="start a notebook of exercises afresh; yours is kept, with the date")
    reset.add_argument("notebook", metavar="NOTEBOOK", help="such as 01_number_formats")
    reset.set_defaults(run=_reset)

    update = commands.add_parser("update", help="get the course's new version; what you edited is kept, with the date")
    update.set_defaults(run=_update)

    cards = commands.add_parser("cards", help="the questions of the course as flashcards")
    actions = cards.add_subparsers(required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write a deck that Anki imports")
    export.add_argument("file", nargs="?", type=Path, default=Path("half-the-bits.apkg"), metavar="FILE")
    export.set_defaults(run=_export)
    return parser


def _grade(options: argparse.Namespace) -> int:
    from halfbits.grading.notebook import Verdict, grade_notebook

    if options.junit:
        _must_be_writable(options.junit)
    graded = {}
    for path in options.notebooks:
        try:
            graded[str(path)] = grade_notebook(path, options.cell_seconds, options.seconds)
        except ValueError as error:
            graded[str(path)] = [Verdict("notebook", "error", str(error))]
        if not options.json:
            _print(path, graded[str(path)])
    if options.json:
        print(json.dumps({path: [asdict(v) for v in verdicts] for path, verdicts in graded.items()}, indent=1))
    if options.junit:
        options.junit.write_bytes(_junit(graded))
    return int(any(v.outcome != "passed" for verdicts in graded.values() for v in verdicts))


def _must_be_writable(path: Path) -> None:
    """Find out before long work, whose results would be lost, that its file cannot be written."""
    if not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: there is no folder {path.parent}. Make it first.")
    path.open("ab").close()


def _print(path: Path, verdicts: list) -> None:
    print(printable(str(path)))
    for verdict in verdicts:
        sign = _SIGNS.get(verdict.outcome, "✗")
        print(printable(f"  {sign} {verdict.exercise:28} {verdict.summary}"))
        if verdict.diagnosis:
            print(printable(f"    {verdict.diagnosis}"))
    sys.stdout.flush()


def _junit(graded: dict[str, list]) -> bytes:
    """A suite a notebook, a case an exercise, in the form that CI servers read."""
    suites = ET.Element("testsuites")
    for path, verdicts in graded.items():
        counts = {
            "tests": len(verdicts),
            "failures": sum(v.outcome in ("failed", "unattempted") for v in verdicts),
            "errors": sum(v.outcome in ("error", "timeout") for v in verdicts),
        }
        suite = ET.SubElement(suites, "testsuite", name=printable(path), **{key: str(n) for key, n in counts.items()})
        for verdict in verdicts:
            case = ET.SubElement(
                suite, "testcase", classname=printable(Path(path).stem), name=printable(verdict.exercise)
            )
            case.set("time", f"{verdict.seconds:.3f}")
            if verdict.outcome != "passed":
                kind = "failure" if verdict.outcome in ("failed", "unattempted") else "error"
                problem = ET.SubElement(case, kind, type=verdict.outcome, message=printable(verdict.summary))
                problem.text = printable(verdict.diagnosis or "")
    return ET.tostring(suites, encoding="utf-8", xml_declaration=True)


def _progress(_: argparse.Namespace) -> int:
    from halfbits.grading import progress

    progress()
    return 0


def _reset(options: argparse.Namespace) -> int:
    name = Path(options.notebook).stem
    if not (ROOT / "sources" / "exercises" / f"{name}.py").exists():
        known = sorted(path.stem for path in (ROOT / "sources" / "exercises").glob("*.py"))
        raise ValueError(f"no notebook of exercises is called {name}. There are {', '.join(known)}.")
    build = [sys.executable, str(ROOT / "tools" / "build.py"), "--force", f"exercises/{name}.ipynb"]
    return subprocess.run(build, check=False).returncode


def _update(_: argparse.Namespace) -> int:
    from halfbits.update import update

    print("\n".join(update(ROOT)))
    return 0


def _export(options: argparse.Namespace) -> int:
    from halfbits.questions.cards import export

    _must_be_writable(options.file)
    print(f"{export(options.file)} cards in {options.file}: File > Import in Anki.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
