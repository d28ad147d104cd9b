"""Check your answer, get a hint, see our solution, see where you stand.

>>> from halfbits.grading import check, hint, reveal, progress   # doctest: +SKIP
>>> check(decode)                                                # doctest: +SKIP
"""

from __future__ import annotations

import os
from pathlib import Path

from halfbits.grading import store
from halfbits.grading.display import Code, Dashboard, Text, show
from halfbits.grading.exercise import UnknownExercise, find_for
from halfbits.grading.grade import grade
from halfbits.grading.report import CheckFailed, Report

__all__ = ["CheckFailed", "Report", "UnknownExercise", "check", "grade", "hint", "progress", "reveal"]


def check(answer, exercise: str | None = None) -> None:
    """Grade an answer, show the report, and record the outcome in the learner's progress.

    Args:
        answer: the function (or class) to grade.
        exercise: the exercise's name; by default the answer's own.

    Raises:
        CheckFailed: the answer does not hold, so that the cell counts as failed.
    """
    report = grade(answer, exercise)

    def record(entry: dict) -> None:
        entry["last"], entry["at"] = report.outcome, store.now()
        if "passed" in entry:
            return
        entry["attempts"] = entry.get("attempts", 0) + 1
        if report.passed:
            entry["passed"] = store.now()

    if report.checks:  # else there was no answer to an exercise to speak of
        note = _record(report.exercise, record)
        report.notes += [note] if note else []
    show(report)
    if not report.passed:
        raise CheckFailed(report)


def hint(answer) -> None:
    """Show the next hint for an exercise, and those before it.

    Args:
        answer: the function, or the exercise's name.

    Raises:
        UnknownExercise: there is no exercise of this name.
    """
    exercise = find_for(answer)
    shown = min(store.read().get(exercise.name, {}).get("hints", 0) + 1, len(exercise.hints))
    lines = [f"Hint {i} of {len(exercise.hints)}: {text}" for i, text in enumerate(exercise.hints[:shown], 1)]
    if shown == len(exercise.hints):
        lines.append(f"That is the last hint; `reveal({exercise.name})` shows our solution.")
    note = _record(exercise.name, lambda entry: entry.update(hints=shown))
    show(Text("\n\n".join(lines), note))


def reveal(answer) -> None:
    """Show our solution of an exercise. It passes the same checks that yours does.

    Args:
        answer: the function, or the exercise's name.

    Raises:
        UnknownExercise: there is no exercise of this name.
    """
    exercise = find_for(answer)
    note = _record(exercise.name, lambda entry: entry.setdefault("revealed", store.now()))
    show(Code(exercise.solution))
    if note:
        show(Text("", note))


def progress() -> None:
    """Show which exercises are passed, tried, hinted at and revealed, unit by unit; cards due; the last interview."""
    from halfbits.questions import cards, interview  # which read the bank

    problem = store.problem()
    rest = (cards.standing(), interview.standing(), *([problem] if problem else []))
    show(Dashboard(store.read(), rest))


def _record(exercise: str, change) -> str | None:
    """Save a change to the progress; a sentence for the learner where that did not go as it should."""
    # Jupyter tells the kernel which notebook it serves; running our solutions is nobody's progress.
    if "solutions" in Path(os.environ.get("JPY_SESSION_NAME", "")).parts:
        return None
    try:
        return store.update(exercise, change)
    except store.ProgressNotSaved as problem:
        return str(problem)
