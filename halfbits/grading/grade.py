"""From an answer to a verdict, with no display and no side effect."""

from __future__ import annotations

import inspect
import time

from halfbits.grading.answer import Answer, own_codes
from halfbits.grading.exercise import Exercise, UnknownExercise, find, find_for
from halfbits.grading.guard import Budget, random_numbers_kept, threads_ended
from halfbits.grading.report import Check, Report


def grade(answer, exercise: str | None = None) -> Report:
    """Grade an answer.

    Args:
        answer: the learner's function (or class, where the exercise asks for one).
        exercise: the exercise's name; by default the answer's own.

    Returns:
        The verdict. Whatever the answer does, it becomes a verdict; nothing is displayed or recorded.
    """
    start = time.perf_counter()
    report = _grade(answer, exercise)
    report.seconds = time.perf_counter() - start
    return report


def _grade(answer, name: str | None) -> Report:
    if isinstance(answer, str):
        return _no_answer(answer, f"this is a string. Pass the function itself: `check({answer})`, without quotes.")
    if not callable(answer):
        return _no_answer(
            name or "check",
            f"this is a value of type {type(answer).__name__}. Pass your function.",
        )
    try:
        exercise = find(name) if name else find_for(answer)
    except UnknownExercise as error:
        return _no_answer(name or getattr(answer, "__name__", "check"), str(error))
    if inspect.isclass(answer) != exercise.wants_class:
        asked, given = ("class", "function") if exercise.wants_class else ("function", "class")
        return _no_answer(exercise.name, f"this is a {given}, and the exercise asks for a {asked}.")
    return _grade_on(exercise, answer)


def _no_answer(name: str, summary: str) -> Report:
    return Report(name, "error", summary, next_step="Change that and run the cell again.")


def _grade_on(exercise: Exercise, function) -> Report:
    # Imported here, since pytest and Hypothesis take half a second that a notebook's first cell need not wait for.
    from halfbits.grading import diagnosis, runner

    ours = any(function is misconception for misconception in exercise.misconceptions.values())
    # Ours compute with what the checks share, which is halfbits' own.
    shortcut = None if ours else diagnosis.forbidden_shortcut(function, exercise.forbidden)
    if shortcut:
        return _forbidden(exercise, shortcut)
    answer = Answer(function, exercise.name, Budget(exercise.seconds), exercise.formats, exercise.use, ours)
    with random_numbers_kept(), threads_ended({code.co_filename for code in own_codes(function)}):
        checks, timed_out = runner.run(exercise, answer)
        checks += runner.mutations(answer)
        report = Report(exercise.name, _outcome(answer, checks, timed_out), "", checks, output=_printed(checks))
        if report.outcome in ("failed", "error"):
            report.misconception, report.diagnosis = diagnosis.named_misconception(exercise, checks, answer.calls)
            report.diagnosis = report.diagnosis or diagnosis.general(answer, checks)
    _add_code_line(report, function, diagnosis)
    if answer.changed_names:
        changed = ", ".join(f"`{name}`" for name in sorted(answer.changed_names))
        report.notes.append(f"Your function changed {changed} for the whole program; the grader put it back.")
    report.summary = _summary(report, exercise)
    report.next_step = _next_step(report, exercise)
    if report.outcome == "unattempted":
        report.checks = []
    return report


def _forbidden(exercise: Exercise, shortcut: str) -> Report:
    return Report(
        exercise.name,
        "failed",
        "it takes a shortcut.",
        [Check(f"Written without `{shortcut}`", held=False)],
        diagnosis=f"You use `{shortcut}`, which does in one step what this exercise asks you to write.",
        next_step="write it without that, then run both cells again.",
    )


def _outcome(answer: Answer, checks, timed_out: bool) -> str:
    if timed_out:
        return "timeout"
    failed = [check for check in checks if not check.held]
    if failed and answer.is_unwritten:
        return "unattempted"
    raised = [check.call.raised for check in failed if check.call is not None and check.call.raised is not None]
    if not failed:
        return "passed"
    return "error" if len(raised) == len(failed) else "failed"


def _printed(checks) -> str:
    """What the call that the report shows first has printed."""
    return next((str(check.call.output) for check in checks if check.call is not None), "")


def _add_code_line(report: Report, function, diagnosis) -> None:
    """The line that raised, where that is what the report shows first; else it would seem to be what went wrong."""
    first = next((check.call for check in report.failures if check.call is not None), None)
    if first is not None and first.raised is not None and report.outcome != "unattempted":
        report.code_line = diagnosis.learner_line(function, first.raised)


def _summary(report: Report, exercise: Exercise) -> str:
    count, failed = len(report.checks), len(report.failures)
    if report.outcome == "passed":
        return f"all {count} properties hold."
    if report.outcome == "unattempted":
        return "not attempted yet."
    if report.outcome == "timeout":
        return f"stopped after {exercise.seconds:g} s; it may be in an endless loop."
    if report.outcome == "error":
        return f"it raises an exception ({_not_held(failed, count)})."
    return f"{_not_held(failed, count)}."


def _not_held(failed: int, count: int) -> str:
    return f"{failed} of {count} properties {'does' if failed == 1 else 'do'} not hold"


def _next_step(report: Report, exercise: Exercise) -> str:
    if report.outcome == "passed":
        following = exercise.next_name
        return f"on to `{following}`." if following else "that was the last one of this notebook."
    if report.outcome == "unattempted":
        return (
            "put your code where it says `raise NotImplementedError`, run that cell, then this one. "
            f"`hint({exercise.name})` gives you a start."
        )
    if report.diagnosis:
        return "mend that, then run both cells again."
    call = next((check.call for check in report.failures if check.call), None)
    by_hand = call is None or not any(type(one).__module__.startswith("halfbits.checks") for one in call.arguments)
    first = "work the first input above by hand" if by_hand else "compare what came out with what was expected"
    return f"{first}, or ask `hint({exercise.name})` for a nudge."
