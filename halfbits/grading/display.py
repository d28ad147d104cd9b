"""Shows things to the learner: as HTML in a notebook, as text elsewhere."""

from __future__ import annotations

import sys
from html import escape

from halfbits.grading.exercise import Exercise, Unit, units
from halfbits.grading.report import printable

_HEADING = "margin:.6em 0 .2em"


def show(item) -> None:
    """Display an item in a notebook, or print it where there is none."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell:
        from IPython.display import display

        display(item)
    else:
        print(item)


class Text:
    """Paragraphs in which `backticks` mark code.

    Args:
        text: the course's own.
        note: what may name a folder of the learner's, so that no tag in it counts.
    """

    def __init__(self, text: str, note: str | None = None):
        self._text, self._note = text, printable(note or "")

    def __str__(self) -> str:
        return "\n\n".join(part for part in (self._text, self._note) if part)

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return "\n\n".join(part for part in (self._text, escape(self._note)) if part)


class Code(Text):
    """A piece of Python."""

    def _repr_markdown_(self) -> str:
        return f"```python\n{self._text}\n```"


class Dashboard:
    """Where the learner stands: the exercises of each unit, the cards, the mock interviews.

    Args:
        known: what the progress file knows of each exercise.
        rest: lines on all else.
    """

    def __init__(self, known: dict[str, dict], rest: tuple[str, ...] = ()):
        self._known, self._rest = known, rest

    def __str__(self) -> str:
        lines = []
        for unit in units():
            lines.append(self._heading(unit))
            lines += [f"  {sign} {name:28} {words}" for sign, name, words in self._rows(unit)]
        lines += self._rest
        return printable("\n".join(lines))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rest = [f"<p style='{_HEADING}'><b>{escape(line)}</b></p>" for line in self._rest]
        return "".join([*(self._unit_html(unit) for unit in units()), *rest])

    def _unit_html(self, unit: Unit) -> str:
        cell = "padding:.15em 1em .15em 0;text-align:left"
        rows = "".join(
            f"<tr style='background:none'><td style='{cell}'>{sign}</td><td style='{cell}'><code>{escape(name)}</code>"
            f"</td><td style='{cell}'>{escape(words)}</td></tr>"
            for sign, name, words in self._rows(unit)
        )
        return f"<p style='{_HEADING}'><b>{escape(self._heading(unit))}</b></p><table>{rows}</table>"

    def _heading(self, unit: Unit) -> str:
        passed = sum("passed" in self._known.get(name, {}) for name in unit.exercise_names)
        return f"{unit.title}: {passed} of {len(unit.exercise_names)} exercises passed (exercises/{unit.notebook})"

    def _rows(self, unit: Unit) -> list[tuple[str, str, str]]:
        return [(*_state(Exercise(name, unit), self._known.get(name, {})),) for name in unit.exercise_names]


def _state(exercise: Exercise, entry: dict) -> tuple[str, str, str]:
    attempts, hints = entry.get("attempts", 0), entry.get("hints", 0)
    sign = "✓" if "passed" in entry else "✗" if attempts else "○"
    words = []
    if attempts:
        words.append(f"{'passed' if 'passed' in entry else 'not yet'}, {attempts} attempt{'s' * (attempts != 1)}")
    if hints:
        words.append(f"{hints} of {len(exercise.hints)} hints")
    if "revealed" in entry:
        words.append("solution seen")
    return sign, exercise.name, "; ".join(words) or "not tried"
