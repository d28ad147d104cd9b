"""What a question of the bank consists of. `halfbits/questions/bank/README.md` shows one of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field

LEVELS = ("screening", "on-site", "senior")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What all kinds have.

    Attributes:
        id: names the question for good: progress and cards refer to it. Words and hyphens, the topic first.
        topic: the file of the bank that it is in.
        level: one of `LEVELS`.
        question: as an interviewer asks it; Markdown.
        lesson: the lesson that teaches it, such as "02_number_formats".
        proof: the heading in that lesson under which a cell shows it.
        sources: where else it can be read, primary sources first: Markdown links or citations.
    """

    id: str
    topic: str
    level: str
    question: str
    lesson: str
    proof: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rubric:
    """The points that an answer makes: a good one those of a weak one too, where they are right."""

    weak: tuple[str, ...]
    good: tuple[str, ...]
    senior: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """What an interviewer asks next, and the answer."""

    question: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Explain(Question):
    """A question to answer in a minute's speech.

    Attributes:
        answer: what a good candidate says in 60 seconds; Markdown.
        rubric: what to hold one's own answer against.
        trap: what the question makes people say that is wrong.
        follow_ups: what comes next.
    """

    answer: str
    rubric: Rubric
    trap: str
    follow_ups: tuple[FollowUp, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Option:
    """An answer that one can give, and why it is right or wrong."""

    text: str | float
    because: str


@dataclass(frozen=True, kw_only=True)
class Choice(Question):
    """A question with one right option, which comes first here and is shuffled where it is shown."""

    right: Option
    wrong: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class Number(Question):
    """A question for a number.

    Attributes:
        right: the number, and how to get there. `tests/questions/numbers_*.py` computes it independently.
        unit: what the number counts, "" where the question says so.
        tolerance: how far an answer may be off, as a share of the right one; 0 asks for the number itself.
        wrong: likely wrong numbers, each with the mistake that leads there.
        otherwise: what to say to any other number: where to begin.
    """

    right: Option
    otherwise: str
    unit: str = ""
    tolerance: float = 0.0
    wrong: tuple[Option, ...] = field(default=())
