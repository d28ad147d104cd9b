"""The question bank: over a hundred and fifty interview questions, with what makes an answer good.

The text lies in `bank/`, a YAML file a topic, so that a notebook does not give answers away.
"""

from __future__ import annotations

import functools
from importlib.resources import files

from halfbits.questions.question import LEVELS, Choice, Explain, FollowUp, Number, Option, Question, Rubric

__all__ = [
    "LEVELS",
    "QUIZ_LOOK",
    "TOPICS",
    "Choice",
    "Explain",
    "FollowUp",
    "Number",
    "Option",
    "Question",
    "Rubric",
    "load",
    "quiz",
]

#: The topics and how they are called, in the order in which the course comes to them; the article's questions first.
TOPICS = {
    "article": "the article's six",
    "formats": "number formats",
    "hardware": "hardware",
    "mixed_precision": "mixed precision",
    "quantization": "quantization",
    "quantization_aware_training": "quantization-aware training",
    "pruning": "pruning",
    "deployment": "deployment",
}
#: Arguments for jupyterquiz.display_quiz: its own label colour is black, which a dark notebook swallows.
QUIZ_LOOK = {"max_width": 720, "colors": {"--jq-numeric-input-label": "var(--jp-content-font-color1, #101010)"}}

_QUIZ_LENGTH = 8
_KINDS = {"explain": Explain, "choice": Choice, "number": Number}


@functools.cache
def load() -> list[Question]:
    """All questions, topic by topic, in the order of the files.

    Raises:
        ValueError: a question lacks a field, or has one too many; it names the question.
    """
    return [_question(topic, fields) for topic in TOPICS for fields in _fields(topic)]


def quiz(lesson: str) -> list[dict]:
    """A lesson's quiz, in the form that jupyterquiz takes: of its questions that a click or a number answers, eight.

    They are drawn evenly from the order of the bank, so that every topic has its share, and are the same each time.

    Args:
        lesson: such as "02_number_formats".
    """
    asked = [q for q in load() if q.lesson == lesson and isinstance(q, (Choice, Number))]
    count = min(len(asked), _QUIZ_LENGTH)
    return [_as_quiz(asked[i * len(asked) // count]) for i in range(count)]


def _fields(topic: str) -> list[dict]:
    import yaml

    text = files(__name__).joinpath("bank", f"{topic}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or []


def _question(topic: str, fields: dict) -> Question:
    fields = dict(fields)
    kind = _KINDS.get(fields.pop("kind", None))
    if kind is None:
        raise ValueError(f"{fields.get('id')}: its kind is one of {', '.join(_KINDS)}")
    try:
        return kind(topic=topic, **{name: _value(name, value) for name, value in fields.items()})
    except TypeError as error:
        raise ValueError(f"{fields.get('id')}: {error}") from error


def _value(name: str, value):
    """A field as its class has it."""
    if name == "rubric":
        return Rubric(**{grade: tuple(points) for grade, points in value.items()})
    if name == "right":
        return Option(**value)
    if name == "wrong":
        return tuple(Option(**option) for option in value)
    if name == "follow_ups":
        return tuple(FollowUp(**item) for item in value)
    if name == "sources":
        return tuple(value)
    return value.strip() if isinstance(value, str) else value


def _as_quiz(question: Choice | Number) -> dict:
    options = [(question.right, True), *((option, False) for option in question.wrong)]
    if isinstance(question, Choice):
        answers = [{"answer": option.text, **_verdict(option.because, right)} for option, right in options]
        return {"question": question.question, "type": "multiple_choice", "answers": answers}
    answers = [{**_numbers(question, option), **_verdict(option.because, right)} for option, right in options]
    answers.append({"type": "default", "feedback": f"No. {question.otherwise}"})
    text = f"{question.question} (in {question.unit})" if question.unit else question.question
    return {"question": text, "type": "numeric", "answers": answers}


def _verdict(because: str, right: bool) -> dict:
    return {"correct": right, "feedback": f"{'Yes' if right else 'No'}. {because}"}


def _numbers(question: Number, option: Option) -> dict:
    """Which numbers mean this option."""
    if not question.tolerance:
        return {"type": "value", "value": option.text}
    margin = abs(option.text) * question.tolerance
    return {"type": "range", "range": [option.text - margin, option.text + margin]}
