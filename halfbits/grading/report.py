"""The verdict on an answer, and how it reads in a notebook and in a terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape

from halfbits.grading.answer import Call
from halfbits.grading.values import DIFFERENT

# Okabe-Ito blue and vermillion: told apart by colour-blind people; the signs say the same without colour.
_BLUE, _VERMILLION, _GREY = "#0072B2", "#D55E00", "#767676"
_SIGNS = {"passed": "✓", "failed": "✗", "unattempted": "○", "error": "✗", "timeout": "✗"}
_COLOURS = {"passed": _BLUE, "unattempted": _GREY}
# Control characters but for tab and newline, marks that turn the direction of text, halves of a surrogate pair, and
# what is no character: a terminal obeys the first, XML and UTF-8 have no place for the others.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


@dataclass
class Check:
    """How one property of a check file came out.

    Attributes:
        name: the property, in the words of its test.
        held: whether it held.
        call: where it did not, the smallest call found that shows it.
        because: what is wrong there, where got and expected do not say it.
        first_call, last_call: which of the answer's calls were made for it, as a slice.
    """

    name: str
    held: bool
    call: Call | None = None
    because: str = ""
    first_call: int = 0
    last_call: int = 0


@dataclass(repr=False)
class Report:
    """The verdict on one answer.

    Attributes:
        exercise: its name.
        outcome: ``passed``, ``failed``, ``unattempted``, ``error`` (it raised, or is no function) or ``timeout``.
        summary: the verdict in a sentence.
        checks: each property of the exercise, and whether it held.
        diagnosis: what went wrong and the idea that mends it, where the grader knows.
        misconception: the name of the misconception that the diagnosis comes from.
        code_line: the line of the learner's code that raised.
        output: what the answer printed.
        notes: what else the learner should know.
        next_step: what to do now.
        seconds: how long the grading took.
    """

    exercise: str
    outcome: str
    summary: str
    checks: list[Check] = field(default_factory=list)
    diagnosis: str | None = None
    misconception: str | None = None
    code_line: str | None = None
    output: str = ""
    notes: list[str] = field(default_factory=list)
    next_step: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the answer holds."""
        return self.outcome == "passed"

    @property
    def failures(self) -> list[Check]:
        """The properties that do not hold."""
        return [check for check in self.checks if not check.held]

    def __str__(self) -> str:
        lines = [f"{_SIGNS[self.outcome]} {self.exercise}: {self.summary}"]
        lines += [f"  {label}: {text}" for label, text in self._verdict()]
        seen = set()
        for check in self.checks:
            lines.append(f"  {'✓' if check.held else '✗'} {check.name}")
            outcome = check.call.outcome_text if check.call is not None and check.call.raised is not None else None
            if outcome is not None and outcome in seen:
                lines.append("      got       the same exception as above")
            else:
                lines += [f"      {label:9} {text}" for label, text in _details(check)]
            seen.add(outcome)
        lines += [f"  {label}: {text}" for label, text in self._remarks()]
        return printable("\n".join(lines))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour = _COLOURS.get(self.outcome, _VERMILLION)
        parts = [
            f"<div style='border-left:4px solid {colour};padding:.3em 0 .3em .9em;margin:.3em 0;max-width:60em'>",
            f"<div style='font-weight:600'>{_SIGNS[self.outcome]} {_code(self.exercise)} {escape(self.summary)}</div>",
        ]
        parts += [_remark_html(label, text) for label, text in self._verdict()]
        if self.checks:
            first = next(iter(self.failures), None)
            rows = "".join(f"<li style='margin:.15em 0'>{_check_html(c, is_open=c is first)}</li>" for c in self.checks)
            parts.append(f"<ul style='list-style:none;padding-left:.2em;margin:.4em 0'>{rows}</ul>")
        parts += [_remark_html(label, text) for label, text in self._remarks()]
        return printable("".join(parts) + "</div>")

    def _verdict(self) -> list[tuple[str, str]]:
        """What stands before the list of properties, each with its heading."""
        verdict = [("What went wrong", self.diagnosis), ("Your line", self.code_line)]
        return [(label, text) for label, text in verdict if text]

    def _remarks(self) -> list[tuple[str, str]]:
        """What follows the list of properties."""
        remarks = [("Note", note) for note in self.notes]
        remarks += [("It printed", self.output.rstrip()), ("Next", self.next_step)]
        return [(label, text) for label, text in remarks if text]


def printable(text: str) -> str:
    """Text in which what a terminal would obey, or XML could not hold, is written as Python escapes it."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _details(check: Check) -> list[tuple[str, str]]:
    """What a property that does not hold has to show: the smallest failing call found, what came out, what should."""
    if check.held or check.call is None:
        return []
    call = check.call
    rows = [("input", call.text), ("got", call.outcome_text), ("expected", call.expected_text)]
    rows += [("because", check.because if check.because != DIFFERENT else "")]
    return [(label, text) for label, text in rows if text]


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _check_html(check: Check, is_open: bool) -> str:
    sign, colour, word = ("✓", _BLUE, "held") if check.held else ("✗", _VERMILLION, "not held")
    head = f"<span style='color:{colour};font-weight:700' aria-label='{word}'>{sign}</span> {_with_code(check.name)}"
    cell = "padding:.05em .8em .05em 0;text-align:left;vertical-align:top"
    rows = "".join(
        f"<tr style='background:none'><td style='{cell};opacity:.75'>{label}</td>"
        f"<td style='{cell};overflow-wrap:anywhere'>{_with_code(text) if label == 'because' else _code(text)}</td></tr>"
        for label, text in _details(check)
    )
    if not rows:
        return head
    # All but the first failure are folded up, lest eight of them bury what matters.
    table = f"<table style='margin:.1em 0 .4em 1.4em;border:none'>{rows}</table>"
    return f"<details{' open' if is_open else ''}><summary style='cursor:pointer'>{head}</summary>{table}</details>"


def _remark_html(label: str, text: str) -> str:
    if label in ("Your line", "It printed"):
        body = f"<pre style='margin:.1em 0;padding:0;white-space:pre-wrap;background:none'>{escape(text)}</pre>"
    else:
        body = _with_code(text)
    return f"<div style='margin:.35em 0'><b>{label}:</b> {body}</div>"


def _with_code(text: str) -> str:
    """Escaped text in which `backticks` mark code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


class CheckFailed(AssertionError):
    """An exercise that does not hold: makes its cell fail for nbval, nbgrader and papermill, in a few lines."""

    def __init__(self, report: Report):
        self.report = report
        reason = f" {report.diagnosis}" if report.diagnosis else ""
        super().__init__(printable(f"{report.exercise}: {report.summary}{reason}"))

    def _render_traceback_(self) -> list[str]:
        return [f"CheckFailed: {self}"]
