"""A mock interview: which questions it asks, what was answered, how it went, and what to study next.

What is said is kept with the progress, from the first key on; `halfbits.widgets.mock_interview` shows it.
"""

from __future__ import annotations

import ast
import math
import operator
import random
import re
from collections import defaultdict
from datetime import UTC, datetime
from statistics import mean

from halfbits.grading import store
from halfbits.questions import LEVELS, TOPICS, Choice, Explain, Number, Option, Question, load

__all__ = [
    "CODE",
    "MINUTES",
    "begin",
    "by_id",
    "by_topic",
    "choose",
    "code_passed",
    "end",
    "expected_points",
    "meant",
    "next_up",
    "note",
    "number_in",
    "overall",
    "past",
    "score",
    "standing",
    "study_next",
    "unfinished",
]

#: How long an interview may last.
MINUTES = (15, 30, 45)
#: Under which name the answers of an interview hold the exercise.
CODE = "code"

_SECTION = "interviews"
_MINUTES_A_QUESTION = 3
_MINUTES_FOR_CODE = 10
_WEAK = 0.6
# Shares of the levels among the questions of an interview at each level.
_SHARES = {
    "screening": {"screening": 0.8, "on-site": 0.2},
    "on-site": {"screening": 0.3, "on-site": 0.5, "senior": 0.2},
    "senior": {"on-site": 0.4, "senior": 0.6},
}


def by_id(question_id: str) -> Question | None:
    """The question of this name; None where the bank has it no longer."""
    return next((question for question in load() if question.id == question_id), None)


def choose(level: str, count: int, asked: set[str], draw: random.Random) -> list[Question]:
    """Questions to say aloud, over as many topics as there is room for.

    Args:
        level: one of `LEVELS`.
        count: how many.
        asked: the ids of those that earlier interviews have asked, which come again only when no others are left.
        draw: where the choice comes from.

    Raises:
        ValueError: there is no such level.
    """
    if level not in LEVELS:
        raise ValueError(f"a level is one of {', '.join(LEVELS)}, not {level!r}")
    # A choice gives its answer away when it is read out.
    open_questions = [question for question in load() if not isinstance(question, Choice)]
    draw.shuffle(open_questions)
    open_questions.sort(key=lambda question: question.id in asked)
    chosen, taken = [], defaultdict(int)
    for one_level in _levels(level, count, draw):
        left = [question for question in open_questions if question not in chosen]
        best = min(left, key=lambda question: (question.level != one_level, taken[question.topic]))
        chosen.append(best)
        taken[best.topic] += 1
    return sorted(chosen, key=lambda question: LEVELS.index(question.level))


def _levels(level: str, count: int, draw: random.Random) -> list[str]:
    """A level for each question, in the shares of this kind of interview."""
    shares = _SHARES[level]
    exact = [name for name, share in shares.items() for _ in range(int(share * count))]
    rest = draw.choices(list(shares), weights=list(shares.values()), k=count - len(exact))
    return exact + rest


def begin(level: str, minutes: int, with_code: bool = False, draw: random.Random | None = None) -> str:
    """Begin an interview; its name, under which it is kept.

    Args:
        level: one of `LEVELS`.
        minutes: one of `MINUTES`.
        with_code: whether ten of the minutes are for an exercise, one that has not been passed where there is one.
        draw: where the choice comes from; by default different each time.

    Raises:
        ValueError: there is no such level or length.
        ProgressNotSaved: it could not be kept, and why.
    """
    if minutes not in MINUTES:
        raise ValueError(f"an interview lasts {', '.join(map(str, MINUTES))} minutes, not {minutes}")
    draw = draw or random.Random()
    asked = {name for entry in past().values() for name in entry["questions"]}
    count = (minutes - _MINUTES_FOR_CODE * with_code) // _MINUTES_A_QUESTION
    entry = {
        "level": level,
        "minutes": minutes,
        "questions": [question.id for question in choose(level, count, asked, draw)],
        "code": _exercise(draw) if with_code else None,
        "answers": {},
        "ended": None,
    }
    name = datetime.now(UTC).isoformat()
    store.update(name, lambda kept: kept.update(entry), _SECTION)
    return name


def _exercise(draw: random.Random) -> str:
    from halfbits.grading.exercise import units

    known = store.read()
    names = [name for unit in units() for name in unit.exercise_names]
    return draw.choice([name for name in names if "passed" not in known.get(name, {})] or names)


def note(name: str, question_id: str, **facts) -> None:
    """Keep what is known of an answer so far.

    Args:
        name: the interview.
        question_id: the question, or `CODE`.
        facts: `text`, `seconds`, `turned` (the rubric has been seen), `ticked` (points of the rubric), `right` (of a
            number or the exercise), `done`.

    Raises:
        ProgressNotSaved: it could not be kept, and why.
    """
    store.update(name, lambda entry: _begun(entry)["answers"].setdefault(question_id, {}).update(facts), _SECTION)


def _begun(entry: dict) -> dict:
    if not entry:  # the file was damaged or deleted since
        raise store.ProgressNotSaved("This interview is no longer in your progress file. Begin another.")
    return entry


def next_up(entry: dict) -> str | None:
    """What an interview has come to: a question's id, `CODE`, or None at the end."""
    asked = [name for name in entry["questions"] if by_id(name)] + [CODE] * bool(entry["code"])
    return next((name for name in asked if not entry["answers"].get(name, {}).get("done")), None)


def end(name: str) -> None:
    """End an interview.

    Raises:
        ProgressNotSaved: it could not be kept, and why.
    """
    store.update(name, lambda entry: _begun(entry).update(ended=store.now()), _SECTION)


def past() -> dict[str, dict]:
    """All interviews by their names, the oldest first."""
    return dict(sorted(store.read(_SECTION).items()))


def unfinished() -> str | None:
    """The latest interview, where it has not been ended."""
    names = list(past())
    return names[-1] if names and not past()[names[-1]]["ended"] else None


def standing() -> str:
    """Where the learner stands, in a line."""
    ended = [(name, entry) for name, entry in past().items() if overall(entry) is not None]
    if not ended:
        return "Mock interview: none yet (notebooks/08_mock_interview)"
    name, entry = ended[-1]
    when = datetime.fromisoformat(name).astimezone().date()
    return f"Mock interviews: {len(ended)}; the last, on {when}, {entry['level']}: {overall(entry):.0%} of the points"


def expected_points(question: Explain, level: str) -> tuple[str, ...]:
    """What an answer should say at this level."""
    return question.rubric.good + (question.rubric.senior if level == "senior" else ())


def score(question: Question, answer: dict, level: str) -> float:
    """How good an answer was, 0 to 1: which share of the expected points it made; of a number, whether it was right.

    Args:
        question: the question.
        answer: what `note` has kept; empty where there was none.
        level: of the interview.
    """
    if not isinstance(question, Explain):
        return float(answer.get("right", False))
    expected, ticked = expected_points(question, level), set(answer.get("ticked", ()))
    return sum(point in ticked for point in expected) / len(expected)


def study_next(entry: dict) -> list[Question]:
    """The questions of an interview that went badly, the worst first: their lessons and headings are what to read."""
    scored = []
    for place, name in enumerate(entry["questions"]):
        question = by_id(name)
        if question:
            scored.append((score(question, entry["answers"].get(name, {}), entry["level"]), place, question))
    return [question for value, _, question in sorted(scored, key=lambda item: item[:2]) if value < _WEAK]


def overall(entry: dict) -> float | None:
    """The mean score, 0 to 1, of the questions that an interview came to; None where it came to none."""
    scores = [value for values in by_topic(entry).values() for value in values]
    return mean(scores) if scores else None


def by_topic(entry: dict) -> dict[str, list[float]]:
    """The scores of the questions that an interview came to, by topic, in the course's order."""
    scores = {topic: [] for topic in TOPICS}
    for name in entry["questions"]:
        question, answer = by_id(name), entry["answers"].get(name, {})
        if question and answer.get("turned"):
            scores[question.topic].append(score(question, answer, entry["level"]))
    return {topic: values for topic, values in scores.items() if values}


def code_passed(name: str, exercise: str) -> bool:
    """Whether an exercise has passed since the interview of this name began."""
    known = store.read().get(exercise, {})
    begun = datetime.fromisoformat(name).replace(microsecond=0)
    return known.get("last") == "passed" and datetime.fromisoformat(known.get("at", _LONG_AGO)) >= begun


_LONG_AGO = "2000-01-01T00:00:00+00:00"
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_WRITTEN = str.maketrans({",": "", "_": "", "−": "-", "×": "*", "·": "*", "^": "**"})


def number_in(text: str) -> float:
    """The number that somebody wrote: "65,504", "3.4e38", "2^-14", "7e9 * 16 / 1e9", "112 GB".

    Raises:
        ValueError: there is none.
    """
    written = re.sub(r"\s*[%a-zA-Zµ]+(/[a-zA-Z]+)?\s*$", "", text.strip().translate(_WRITTEN)).strip()
    try:
        value = _value(ast.parse(written, mode="eval").body)
        if isinstance(value, float) and math.isfinite(value):
            return value
    except (SyntaxError, ArithmeticError, KeyError, TypeError, ValueError):
        pass
    raise ValueError(f"“{text.strip()}” is no number. Write it as 65504, 5.96e-8 or 2^-24.")


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](_value(node.operand))
    if isinstance(node, ast.Constant):
        return float(node.value)
    raise ValueError


def meant(question: Number, value: float) -> Option | None:
    """The option, right or wrong, that a number stands for."""
    options = (question.right, *question.wrong)
    return next((o for o in options if abs(value - o.text) <= max(question.tolerance, 1e-9) * abs(o.text)), None)
